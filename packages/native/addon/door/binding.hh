// SPDX-License-Identifier: Apache-2.0
// What the parts of the addon share. Each concern registers its functions and classes on `exports` once for
// each environment (main thread and every worker thread), so nothing that JavaScript can see is a
// process-wide static.
#pragma once

#include <napi.h>

namespace exopool {

void RegisterChecksum(Napi::Env env, Napi::Object exports);
void RegisterFileLock(Napi::Env env, Napi::Object exports);
void RegisterTableFilter(Napi::Env env, Napi::Object exports);
void RegisterTable(Napi::Env env, Napi::Object exports);
void RegisterStoreIndex(Napi::Env env, Napi::Object exports);
void RegisterMemtable(Napi::Env env, Napi::Object exports);
void RegisterScan(Napi::Env env, Napi::Object exports);
void RegisterWriteJob(Napi::Env env, Napi::Object exports);
void RegisterLoop(Napi::Env env, Napi::Object exports);
void RegisterDriver(Napi::Env env, Napi::Object exports);
void RegisterTraversal(Napi::Env env, Napi::Object exports);
void RegisterSealedCache(Napi::Env env, Napi::Object exports);
void RegisterSlabServer(Napi::Env env, Napi::Object exports);
void RegisterSlabClient(Napi::Env env, Napi::Object exports);
void RegisterSlabLoad(Napi::Env env, Napi::Object exports);
void RegisterPaging(Napi::Env env, Napi::Object exports);
void RegisterPressureTrigger(Napi::Env env, Napi::Object exports);
void RegisterIdleWrite(Napi::Env env, Napi::Object exports);
void RegisterReadTrace(Napi::Env env, Napi::Object exports);

}  // namespace exopool

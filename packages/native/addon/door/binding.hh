// SPDX-License-Identifier: Apache-2.0
// Helpers that the bindings share. Each binding registers its functions and classes on `exports`, once for each
// environment (main thread and every worker thread). So no object that JavaScript can see is a process-wide static.
#pragma once

#include <napi.h>

#include <algorithm>
#include <cstring>

namespace exopool {

// A Uint8Array as an array of fixed length: a key, an id. A shorter one is filled up with zeroes.
template <typename Array>
Array CopyArray(const Napi::Value &value) {
  Array out{};
  const auto bytes = value.As<Napi::Uint8Array>();
  memcpy(out.data(), bytes.Data(), std::min(out.size(), bytes.ByteLength()));
  return out;
}

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

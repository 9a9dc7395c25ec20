// SPDX-License-Identifier: Apache-2.0
// The door from JavaScript. Typed facades in ../src are the only callers.
#include "door/binding.hh"

namespace {

Napi::Object Initialize(Napi::Env env, Napi::Object exports) {
  exopool::RegisterChecksum(env, exports);
  exopool::RegisterFileLock(env, exports);
  exopool::RegisterTableFilter(env, exports);
  exopool::RegisterTable(env, exports);
  exopool::RegisterStoreIndex(env, exports);
  exopool::RegisterMemtable(env, exports);
  exopool::RegisterScan(env, exports);
  exopool::RegisterWriteJob(env, exports);
  exopool::RegisterLoop(env, exports);
  exopool::RegisterDriver(env, exports);
  exopool::RegisterTraversal(env, exports);
  exopool::RegisterSealedCache(env, exports);
  exopool::RegisterSlabServer(env, exports);
  exopool::RegisterSlabClient(env, exports);
  exopool::RegisterSlabLoad(env, exports);
  exopool::RegisterPaging(env, exports);
  exopool::RegisterPressureTrigger(env, exports);
  exopool::RegisterIdleWrite(env, exports);
  exopool::RegisterReadTrace(env, exports);
  return exports;
}

}  // namespace

NODE_API_MODULE(exopool, Initialize)

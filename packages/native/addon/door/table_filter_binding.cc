// SPDX-License-Identifier: Apache-2.0
// A table's filter for JavaScript: src/table/table-filter.ts is the only caller.
#include <napi.h>

#include <cstring>

#include "door/binding.hh"
#include "table_filter.h"

namespace exopool {
namespace {

// keyHash(key): bigint
Napi::Value KeyHash(const Napi::CallbackInfo &info) {
  auto key = info[0].As<Napi::Uint8Array>();
  uint64_t hash = exo_key_hash(key.Data(), key.ByteLength());
  return Napi::BigInt::New(info.Env(), hash);
}

// filterMiss(blocks, keys): the index of the first key that the filter rules out; -1: none
Napi::Value FilterMiss(const Napi::CallbackInfo &info) {
  auto filter = info[0].As<Napi::Uint8Array>();
  auto keys = info[1].As<Napi::Array>();
  auto blocks = static_cast<uint32_t>(filter.ByteLength() / EXO_FILTER_BLOCK_BYTES);
  for (uint32_t i = 0, count = keys.Length(); i < count; i++) {
    auto key = keys.Get(i).As<Napi::Uint8Array>();
    uint64_t hash = exo_key_hash(key.Data(), key.ByteLength());
    uint32_t block[EXO_FILTER_BLOCK_WORDS];
    if (blocks == 0) return Napi::Number::New(info.Env(), i);
    memcpy(block, filter.Data() + exo_filter_block(hash, blocks) * sizeof(block), sizeof(block));
    if (!exo_filter_may_hold(block, hash)) return Napi::Number::New(info.Env(), i);
  }
  return Napi::Number::New(info.Env(), -1);
}

}  // namespace

void RegisterTableFilter(Napi::Env env, Napi::Object exports) {
  exports.Set("keyHash", Napi::Function::New(env, KeyHash, "keyHash"));
  exports.Set("filterMiss", Napi::Function::New(env, FilterMiss, "filterMiss"));
}

}  // namespace exopool

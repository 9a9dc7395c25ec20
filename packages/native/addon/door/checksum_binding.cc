// SPDX-License-Identifier: Apache-2.0
#include "base/crc32c.hh"
#include "door/binding.hh"

namespace exopool {
namespace {

// crc32c(bytes: Uint8Array, seed: number, portable: boolean): number. `portable` forces the table, for the
// tests.
Napi::Value Checksum(const Napi::CallbackInfo &info) {
  auto bytes = info[0].As<Napi::Uint8Array>();
  uint32_t seed = info[1].As<Napi::Number>().Uint32Value();
  bool portable = info[2].As<Napi::Boolean>().Value();
  uint32_t sum =
      portable ? Crc32cByTable(bytes.Data(), bytes.ByteLength(), seed) : Crc32c(bytes.Data(), bytes.ByteLength(), seed);
  return Napi::Number::New(info.Env(), sum);
}

}  // namespace

void RegisterChecksum(Napi::Env env, Napi::Object exports) {
  exports.Set("crc32c", Napi::Function::New(env, Checksum, "crc32c"));
}

}  // namespace exopool

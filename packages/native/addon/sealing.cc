// SPDX-License-Identifier: Apache-2.0
// AES-128-GCM over a batch of values in one crossing. A call through node:crypto costs microseconds per value, nearly
// all of it overhead; here one cipher context, with its key schedule, serves the whole batch.
#include <openssl/evp.h>

#include <algorithm>
#include <memory>

#include "binding.hh"

namespace exopool {
namespace {

constexpr size_t kKeyBytes = 16;
constexpr int kTagBytes = 16;

struct FreeCipher {
  void operator()(EVP_CIPHER_CTX *context) const { EVP_CIPHER_CTX_free(context); }
};
using CipherContext = std::unique_ptr<EVP_CIPHER_CTX, FreeCipher>;

struct View {
  uint8_t *data;
  int size;
};

View ViewOf(const Napi::Value &value) {
  auto bytes = value.As<Napi::Uint8Array>();
  return {bytes.Data(), static_cast<int>(bytes.ByteLength())};
}

// A null pointer means "no output" to OpenSSL, so empty data must not look like one.
bool Seal(EVP_CIPHER_CTX *context, View nonce, View associated, View data, uint8_t *out) {
  int size = 0;
  return EVP_EncryptInit_ex(context, nullptr, nullptr, nullptr, nonce.data) == 1 &&
         EVP_EncryptUpdate(context, nullptr, &size, associated.data, associated.size) == 1 &&
         (data.size == 0 || EVP_EncryptUpdate(context, out, &size, data.data, data.size) == 1) &&
         EVP_EncryptFinal_ex(context, out + data.size, &size) == 1 &&
         EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_GET_TAG, kTagBytes, out + data.size) == 1;
}

bool Open(EVP_CIPHER_CTX *context, View nonce, View associated, View data, uint8_t *out) {
  if (data.size < kTagBytes) return false;
  const int plain = data.size - kTagBytes;
  int size = 0;
  return EVP_DecryptInit_ex(context, nullptr, nullptr, nullptr, nonce.data) == 1 &&
         EVP_DecryptUpdate(context, nullptr, &size, associated.data, associated.size) == 1 &&
         (plain == 0 || EVP_DecryptUpdate(context, out, &size, data.data, plain) == 1) &&
         EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_SET_TAG, kTagBytes, data.data + plain) == 1 &&
         EVP_DecryptFinal_ex(context, out + plain, &size) == 1;
}

// (key, [nonce, associated data, data, nonce, ...], out) -> one byte a value: 1 when it is good. `out` gets the
// results one after the other, each as long as if it were good.
template <bool seal>
Napi::Value Batch(const Napi::CallbackInfo &info) {
  const auto key = info[0].As<Napi::Uint8Array>();
  const auto parts = info[1].As<Napi::Array>();
  const View out = ViewOf(info[2]);
  CipherContext context(EVP_CIPHER_CTX_new());
  const bool ready = context && key.ByteLength() == kKeyBytes &&
                     EVP_CipherInit_ex(context.get(), EVP_aes_128_gcm(), nullptr, key.Data(), nullptr, seal) == 1;
  if (!ready) throw Napi::Error::New(info.Env(), "AES-128-GCM is not to be had from OpenSSL");
  const uint32_t count = parts.Length() / 3;
  auto good = Napi::Buffer<uint8_t>::New(info.Env(), count);
  int at = 0;
  for (uint32_t i = 0; i < count; ++i) {
    Napi::HandleScope scope(info.Env());
    const View nonce = ViewOf(parts.Get(3 * i));
    const View associated = ViewOf(parts.Get(3 * i + 1));
    const View data = ViewOf(parts.Get(3 * i + 2));
    const int result = seal ? data.size + kTagBytes : std::max(0, data.size - kTagBytes);
    if (result > out.size - at) throw Napi::RangeError::New(info.Env(), "the output is too short");
    good.Data()[i] = (seal ? Seal : Open)(context.get(), nonce, associated, data, out.data + at);
    at += result;
  }
  return good;
}

}  // namespace

void RegisterSealing(Napi::Env env, Napi::Object exports) {
  exports.Set("sealBatch", Napi::Function::New(env, Batch<true>));
  exports.Set("openBatch", Napi::Function::New(env, Batch<false>));
}

}  // namespace exopool

// SPDX-License-Identifier: Apache-2.0
// AES-128-GCM over a batch of values in one crossing. A call through node:crypto costs microseconds per
// value, nearly all of it overhead; here one cipher context, with its key schedule, serves the whole batch.
#include <openssl/evp.h>

#include <algorithm>
#include <memory>

#include "binding.hh"

namespace exopool {
namespace {

constexpr size_t kKeyBytes = 16;
constexpr int kNonceBytes = 12;
constexpr int kTagBytes = 16;

struct FreeCipher {
  void operator()(EVP_CIPHER_CTX *context) const { EVP_CIPHER_CTX_free(context); }
};
using CipherContext = std::unique_ptr<EVP_CIPHER_CTX, FreeCipher>;

struct View {
  uint8_t *data;
  int size;
};

// The bytes of an element; null data is a failure. Plain Node-API: in a worker thread that is being
// terminated calls fail, and node-addon-api cannot even make an exception then.
View ElementOf(napi_env env, napi_value array, uint32_t index) {
  napi_value element;
  void *data;
  size_t bytes;
  const bool good = napi_get_element(env, array, index, &element) == napi_ok &&
                    napi_get_buffer_info(env, element, &data, &bytes) == napi_ok;
  static uint8_t nothing;
  if (!good) return {nullptr, 0};
  return {data == nullptr ? &nothing : static_cast<uint8_t *>(data), static_cast<int>(bytes)};
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

// (key, [nonce, associated data, data, nonce, ...], out, good) -> false when nothing could be done. `out`
// gets the results one after the other, each as long as if it were good; `good` gets a byte a value, 1 when
// it is.
template <bool seal>
Napi::Value Batch(const Napi::CallbackInfo &info) {
  auto key = info[0].As<Napi::Uint8Array>();
  auto out = info[2].As<Napi::Uint8Array>();
  auto good = info[3].As<Napi::Uint8Array>();
  const CipherContext context(EVP_CIPHER_CTX_new());
  bool ready = context && key.ByteLength() == kKeyBytes &&
               EVP_CipherInit_ex(context.get(), EVP_aes_128_gcm(), nullptr, key.Data(), nullptr, seal) == 1;
  size_t at = 0;
  for (uint32_t i = 0; ready && i < good.ByteLength(); ++i) {
    const Napi::HandleScope scope(info.Env());
    const View nonce = ElementOf(info.Env(), info[1], 3 * i);
    const View associated = ElementOf(info.Env(), info[1], 3 * i + 1);
    const View data = ElementOf(info.Env(), info[1], 3 * i + 2);
    const size_t result = seal ? data.size + kTagBytes : std::max(0, data.size - kTagBytes);
    ready = nonce.size == kNonceBytes && associated.data && data.data && result <= out.ByteLength() - at;
    if (ready) good[i] = (seal ? Seal : Open)(context.get(), nonce, associated, data, out.Data() + at);
    at += result;
  }
  return Napi::Boolean::New(info.Env(), ready);
}

}  // namespace

void RegisterSealing(Napi::Env env, Napi::Object exports) {
  exports.Set("sealBatch", Napi::Function::New(env, Batch<true>));
  exports.Set("openBatch", Napi::Function::New(env, Batch<false>));
}

}  // namespace exopool

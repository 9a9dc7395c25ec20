// SPDX-License-Identifier: Apache-2.0
#include "page_seal.hh"

#include <openssl/evp.h>
#include <openssl/rand.h>

#include <cstring>
#include <stdexcept>

namespace exopool {
namespace {

using Nonce = std::array<uint8_t, 12>;

EVP_CIPHER_CTX *Evp(const std::unique_ptr<SealContext, FreeSealContext> &context) {
  return reinterpret_cast<EVP_CIPHER_CTX *>(context.get());
}

SealContext *MakeContext(const PageKey &key, bool seal) {
  EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
  if (context == nullptr || EVP_CipherInit_ex(context, EVP_aes_128_gcm(), nullptr, key.data(), nullptr, seal) != 1)
    throw std::runtime_error("OpenSSL cannot do AES-128-GCM");
  return reinterpret_cast<SealContext *>(context);
}

Nonce NonceOf(uint64_t write) {
  Nonce nonce{};
  memcpy(nonce.data(), &write, sizeof write);
  return nonce;
}

}  // namespace

void FreeSealContext::operator()(SealContext *context) const {
  EVP_CIPHER_CTX_free(reinterpret_cast<EVP_CIPHER_CTX *>(context));
}

PageKey PageSeal::FreshKey() {
  PageKey key;
  if (RAND_bytes(key.data(), key.size()) != 1) throw std::runtime_error("OpenSSL has no random bytes");
  return key;
}

PageSeal::PageSeal(const std::optional<PageKey> &key)
    : sealing_(key ? MakeContext(*key, true) : nullptr), opening_(key ? MakeContext(*key, false) : nullptr) {}

void PageSeal::Seal(uint64_t page, uint64_t write, const uint8_t *plain, uint8_t *sealed, PageTag *tag) {
  EVP_CIPHER_CTX *context = Evp(sealing_);
  if (context == nullptr) {
    memcpy(sealed, plain, kPageBytes);
    return;
  }
  const Nonce nonce = NonceOf(write);
  int size = 0;
  const bool good =
      EVP_EncryptInit_ex(context, nullptr, nullptr, nullptr, nonce.data()) == 1 &&
      EVP_EncryptUpdate(context, nullptr, &size, reinterpret_cast<const uint8_t *>(&page), sizeof page) == 1 &&
      EVP_EncryptUpdate(context, sealed, &size, plain, kPageBytes) == 1 &&
      EVP_EncryptFinal_ex(context, sealed + kPageBytes, &size) == 1 &&
      EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_GET_TAG, static_cast<int>(tag->size()), tag->data()) == 1;
  if (!good) throw std::runtime_error("OpenSSL cannot seal");
}

bool PageSeal::Open(uint64_t page, uint64_t write, const PageTag &tag, const uint8_t *sealed, uint8_t *plain) {
  EVP_CIPHER_CTX *context = Evp(opening_);
  if (context == nullptr) {
    memcpy(plain, sealed, kPageBytes);
    return true;
  }
  const Nonce nonce = NonceOf(write);
  PageTag expected = tag;
  int size = 0;
  return EVP_DecryptInit_ex(context, nullptr, nullptr, nullptr, nonce.data()) == 1 &&
         EVP_DecryptUpdate(context, nullptr, &size, reinterpret_cast<const uint8_t *>(&page), sizeof page) == 1 &&
         EVP_DecryptUpdate(context, plain, &size, sealed, kPageBytes) == 1 &&
         EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_SET_TAG, static_cast<int>(expected.size()), expected.data()) == 1 &&
         EVP_DecryptFinal_ex(context, plain + kPageBytes, &size) == 1;
}

}  // namespace exopool

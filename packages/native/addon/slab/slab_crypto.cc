// SPDX-License-Identifier: Apache-2.0
#include "slab/slab_crypto.hh"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include <cstring>
#include <stdexcept>
#include <string>

namespace exopool {
namespace {

template <auto Free>
struct Freer {
  template <typename T>
  void operator()(T *object) const {
    Free(object);
  }
};
using PublicKey = std::unique_ptr<EVP_PKEY, Freer<EVP_PKEY_free>>;
using DigestContext = std::unique_ptr<EVP_MD_CTX, Freer<EVP_MD_CTX_free>>;

// OpenSSL fails here only without memory, or if a provider was disabled: then the process cannot go on.
void Require(bool good, const char *what) {
  if (!good) throw std::runtime_error(std::string("OpenSSL cannot do ") + what);
}

EVP_PKEY *Evp(const PrivateKey &key) { return reinterpret_cast<EVP_PKEY *>(key.get()); }
PrivateKey Own(EVP_PKEY *key) { return PrivateKey(reinterpret_cast<OpenSslKey *>(key)); }

Key PublicHalf(const PrivateKey &key) {
  Key out;
  size_t size = out.size();
  Require(EVP_PKEY_get_raw_public_key(Evp(key), out.data(), &size) == 1 && size == out.size(), "raw public keys");
  return out;
}

}  // namespace

void FreeOpenSsl::operator()(OpenSslKey *key) const { EVP_PKEY_free(reinterpret_cast<EVP_PKEY *>(key)); }

Hash Sha256(std::initializer_list<Bytes> parts) {
  Hash out;
  DigestContext context(EVP_MD_CTX_new());
  bool good = context && EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr) == 1;
  for (const Bytes &part : parts) good = good && EVP_DigestUpdate(context.get(), part.data, part.size) == 1;
  Require(good && EVP_DigestFinal_ex(context.get(), out.data(), nullptr) == 1, "SHA-256");
  return out;
}

bool Ed25519Verify(const uint8_t *public_key, Bytes message, const uint8_t *signature) {
  PublicKey key(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, public_key, SLAB_KEY_BYTES));
  DigestContext context(EVP_MD_CTX_new());
  return key && context && EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, key.get()) == 1 &&
         EVP_DigestVerify(context.get(), signature, SLAB_SIGNATURE_BYTES, static_cast<const uint8_t *>(message.data),
                          message.size) == 1;
}

Signer::Signer(const Key &seed)
    : key_(Own(EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, seed.data(), seed.size()))) {
  Require(key_ != nullptr, "Ed25519");
  public_key_ = PublicHalf(key_);
}

Signature Signer::Sign(Bytes message) const {
  Signature out;
  size_t size = out.size();
  DigestContext context(EVP_MD_CTX_new());
  Require(context && EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, Evp(key_)) == 1 &&
              EVP_DigestSign(context.get(), out.data(), &size, static_cast<const uint8_t *>(message.data),
                             message.size) == 1,
          "Ed25519 signatures");
  return out;
}

Ephemeral::Ephemeral() : key_(Own(EVP_PKEY_Q_keygen(nullptr, nullptr, "X25519"))) {
  Require(key_ != nullptr, "X25519");
  public_key_ = PublicHalf(key_);
}

std::optional<Key> Ephemeral::Agree(const uint8_t *peer) const {
  PublicKey other(EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, nullptr, peer, SLAB_KEY_BYTES));
  std::unique_ptr<EVP_PKEY_CTX, Freer<EVP_PKEY_CTX_free>> context(EVP_PKEY_CTX_new(Evp(key_), nullptr));
  Key out;
  size_t size = out.size();
  if (!other || !context || EVP_PKEY_derive_init(context.get()) != 1 ||
      EVP_PKEY_derive_set_peer(context.get(), other.get()) != 1 ||
      EVP_PKEY_derive(context.get(), out.data(), &size) != 1 || size != out.size()) {
    return std::nullopt;
  }
  return out;
}

SessionKeys DeriveSessionKeys(const Key &secret, const Hash &transcript) {
  std::unique_ptr<EVP_KDF, Freer<EVP_KDF_free>> kdf(EVP_KDF_fetch(nullptr, "HKDF", nullptr));
  std::unique_ptr<EVP_KDF_CTX, Freer<EVP_KDF_CTX_free>> context(EVP_KDF_CTX_new(kdf.get()));
  char digest[] = "SHA256";
  char info[] = SLAB_KEY_INFO;
  const OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, const_cast<uint8_t *>(secret.data()), secret.size()),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, const_cast<uint8_t *>(transcript.data()),
                                        transcript.size()),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, info, strlen(info)),
      OSSL_PARAM_construct_end(),
  };
  uint8_t out[2 * SLAB_MAC_KEY_BYTES];
  Require(context && EVP_KDF_derive(context.get(), out, sizeof out, parameters) == 1, "HKDF-SHA256");
  SessionKeys keys;
  memcpy(keys.to_producer.data(), out, SLAB_MAC_KEY_BYTES);
  memcpy(keys.to_consumer.data(), out + SLAB_MAC_KEY_BYTES, SLAB_MAC_KEY_BYTES);
  OPENSSL_cleanse(out, sizeof out);
  return keys;
}

}  // namespace exopool

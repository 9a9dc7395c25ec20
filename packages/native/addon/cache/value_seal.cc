// SPDX-License-Identifier: Apache-2.0
#include "cache/value_seal.hh"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#include <cstring>
#include <stdexcept>

namespace exopool {
namespace {

constexpr uint32_t kTagBytes = 16;
constexpr uint32_t kBlockBytes = 16;  // of AES, and of the IV
constexpr size_t kCipherKeyBytes = 16;
constexpr size_t kMacKeyBytes = 32;
constexpr size_t kNonceBytes = 12;
constexpr char kInfo[] = "exopool value seal v1";

void Require(bool good) {
  if (!good) throw std::runtime_error("OpenSSL cannot seal: AES-128, HMAC-SHA-256 or HKDF is missing");
}

struct FreeCipher {
  void operator()(EVP_CIPHER_CTX *context) const { EVP_CIPHER_CTX_free(context); }
};
struct FreeMac {
  void operator()(EVP_MAC_CTX *context) const { EVP_MAC_CTX_free(context); }
};
using Cipher = std::unique_ptr<EVP_CIPHER_CTX, FreeCipher>;
using MacContext = std::unique_ptr<EVP_MAC_CTX, FreeMac>;

struct Subkey {
  uint8_t cipher[kCipherKeyBytes];
  uint8_t mac[kMacKeyBytes];
  ~Subkey() { OPENSSL_cleanse(this, sizeof *this); }
};

void Derive(const SealKey &master, uint64_t lease, uint64_t generation, Subkey *out) {
  uint8_t info[sizeof kInfo + 2 * sizeof(uint64_t)];
  memcpy(info, kInfo, sizeof kInfo);
  memcpy(info + sizeof kInfo, &lease, sizeof lease);
  memcpy(info + sizeof kInfo + sizeof lease, &generation, sizeof generation);
  EVP_KDF *kdf = EVP_KDF_fetch(nullptr, "HKDF", nullptr);
  EVP_KDF_CTX *context = EVP_KDF_CTX_new(kdf);
  EVP_KDF_free(kdf);
  char digest[] = "SHA256";
  const OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, const_cast<uint8_t *>(master.data()), master.size()),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, info, sizeof info),
      OSSL_PARAM_construct_end(),
  };
  const bool good =
      context != nullptr && EVP_KDF_derive(context, reinterpret_cast<uint8_t *>(out), sizeof *out, parameters) == 1;
  EVP_KDF_CTX_free(context);
  Require(good);
}

Cipher MakeCipher(const EVP_CIPHER *cipher, const uint8_t *key, bool seal) {
  Cipher context(EVP_CIPHER_CTX_new());
  Require(context && EVP_CipherInit_ex(context.get(), cipher, nullptr, key, nullptr, seal) == 1);
  return context;
}

MacContext MakeMac(const uint8_t *key) {
  EVP_MAC *mac = EVP_MAC_fetch(nullptr, "HMAC", nullptr);
  MacContext context(EVP_MAC_CTX_new(mac));
  EVP_MAC_free(mac);
  char digest[] = "SHA256";
  const OSSL_PARAM parameters[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
                                   OSSL_PARAM_construct_end()};
  Require(context && EVP_MAC_init(context.get(), key, kMacKeyBytes, parameters) == 1);
  return context;
}

// Authenticated together with the value; its first bytes are the nonce.
struct PlaceWords {
  uint64_t write;
  uint32_t offset;
  uint32_t slab;
  uint32_t length;
  uint32_t zero;
};
PlaceWords WordsOf(const SealPlace &place) { return {place.write, place.offset, place.slab, place.length, 0}; }
const uint8_t *Raw(const PlaceWords &words) { return reinterpret_cast<const uint8_t *>(&words); }
static_assert(offsetof(PlaceWords, slab) == kNonceBytes, "the nonce is (write, offset)");

// A null pointer means "no output" to OpenSSL, and empty data may have one.
bool Update(EVP_CIPHER_CTX *context, const void *data, size_t bytes, uint8_t *out, int *written) {
  *written = 0;
  return bytes == 0 ||
         EVP_CipherUpdate(context, out, written, static_cast<const uint8_t *>(data), static_cast<int>(bytes)) == 1;
}

bool BeginPlace(EVP_CIPHER_CTX *context, const PlaceWords &words) {
  int written;
  return EVP_CipherInit_ex(context, nullptr, nullptr, nullptr, Raw(words), -1) == 1 &&
         Update(context, Raw(words) + kNonceBytes, sizeof words - kNonceBytes, nullptr, &written);
}

bool Hmac(EVP_MAC_CTX *context, const PlaceWords &words, const uint8_t *data, size_t bytes, uint8_t *tag) {
  uint8_t whole[32];
  size_t size;
  if (EVP_MAC_init(context, nullptr, 0, nullptr) != 1 || EVP_MAC_update(context, Raw(words), sizeof words) != 1 ||
      EVP_MAC_update(context, data, bytes) != 1 || EVP_MAC_final(context, whole, &size, sizeof whole) != 1)
    return false;
  memcpy(tag, whole, kTagBytes);
  return true;
}

void Copy(uint8_t *to, const void *from, size_t bytes) {
  if (bytes > 0) memcpy(to, from, bytes);
}

}  // namespace

struct ValueSeal::Contexts {
  Cipher sealing, opening;
  MacContext sealing_mac, opening_mac;
};

SealKey NewSealKey() {
  SealKey key;
  Require(RAND_bytes(key.data(), static_cast<int>(key.size())) == 1);
  return key;
}

uint32_t SealedBytes(SealMode mode, uint32_t plain_bytes) {
  switch (mode) {
    case SealMode::kOff:
      return plain_bytes;
    case SealMode::kIntegrity:
    case SealMode::kGcm:
      return plain_bytes + kTagBytes;
    default:  // padding of one to sixteen bytes
      return kBlockBytes + (plain_bytes / kBlockBytes + 1) * kBlockBytes + kTagBytes;
  }
}

uint32_t PlainBytesMax(SealMode mode, uint32_t stored_bytes) {
  const uint32_t overhead = mode == SealMode::kOff ? 0 : mode == SealMode::kPaper ? kBlockBytes + kTagBytes : kTagBytes;
  return stored_bytes < overhead ? 0 : stored_bytes - overhead;
}

ValueSeal::ValueSeal(SealMode mode, const SealKey &master, uint64_t lease, uint64_t generation)
    : mode_(mode), contexts_(std::make_unique<Contexts>()) {
  if (mode == SealMode::kOff) return;
  Subkey key;
  Derive(master, lease, generation, &key);
  const EVP_CIPHER *cipher = mode == SealMode::kPaper ? EVP_aes_128_cbc() : EVP_aes_128_gcm();
  contexts_->sealing = MakeCipher(cipher, key.cipher, true);
  contexts_->opening = MakeCipher(cipher, key.cipher, false);
  if (mode != SealMode::kPaper) return;
  contexts_->sealing_mac = MakeMac(key.mac);
  contexts_->opening_mac = MakeMac(key.mac);
}

ValueSeal::~ValueSeal() = default;

void ValueSeal::Seal(const SealPlace &place, Bytes head, Bytes body, uint8_t *out) {
  const size_t plain = head.size + body.size;
  const PlaceWords words = WordsOf(place);
  EVP_CIPHER_CTX *const cipher = contexts_->sealing.get();
  int first, second;
  if (mode_ == SealMode::kOff || mode_ == SealMode::kIntegrity) {
    Copy(out, head.data, head.size);
    Copy(out + head.size, body.data, body.size);
    if (mode_ == SealMode::kOff) return;
    Require(BeginPlace(cipher, words) && Update(cipher, out, plain, nullptr, &first));
  } else if (mode_ == SealMode::kGcm) {
    Require(BeginPlace(cipher, words) && Update(cipher, head.data, head.size, out, &first) &&
            Update(cipher, body.data, body.size, out + head.size, &second));
  } else {
    int last;
    Require(RAND_bytes(out, kBlockBytes) == 1 && EVP_CipherInit_ex(cipher, nullptr, nullptr, nullptr, out, -1) == 1 &&
            Update(cipher, head.data, head.size, out + kBlockBytes, &first) &&
            Update(cipher, body.data, body.size, out + kBlockBytes + first, &second) &&
            EVP_CipherFinal_ex(cipher, out + kBlockBytes + first + second, &last) == 1 &&
            Hmac(contexts_->sealing_mac.get(), words, out, place.length - kTagBytes, out + place.length - kTagBytes));
    return;
  }
  Require(EVP_CipherFinal_ex(cipher, out + plain, &first) == 1 &&
          EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_GET_TAG, kTagBytes, out + plain) == 1);
}

std::optional<uint32_t> ValueSeal::Open(const SealPlace &place, const uint8_t *stored, uint8_t *out) {
  const uint32_t plain = PlainBytesMax(mode_, place.length);
  if (mode_ == SealMode::kOff) {
    Copy(out, stored, plain);
    return plain;
  }
  const uint32_t shortest = SealedBytes(mode_, 0);
  if (place.length < shortest) return std::nullopt;
  const PlaceWords words = WordsOf(place);
  EVP_CIPHER_CTX *const cipher = contexts_->opening.get();
  int first, last = 0;
  bool good;
  uint32_t bytes = plain;
  if (mode_ == SealMode::kPaper) {
    uint8_t tag[kTagBytes];
    const uint32_t body = place.length - kBlockBytes - kTagBytes;
    // Encrypt-then-MAC: only verified text is decrypted.
    good =
        body % kBlockBytes == 0 && Hmac(contexts_->opening_mac.get(), words, stored, place.length - kTagBytes, tag) &&
        CRYPTO_memcmp(tag, stored + place.length - kTagBytes, kTagBytes) == 0 &&
        EVP_CipherInit_ex(cipher, nullptr, nullptr, nullptr, stored, -1) == 1 &&
        Update(cipher, stored + kBlockBytes, body, out, &first) && EVP_CipherFinal_ex(cipher, out + first, &last) == 1;
    bytes = good ? static_cast<uint32_t>(first + last) : 0;
  } else {
    auto *tag = const_cast<uint8_t *>(stored + plain);
    const bool hidden = mode_ == SealMode::kGcm;
    good = BeginPlace(cipher, words) && Update(cipher, stored, plain, hidden ? out : nullptr, &first) &&
           EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_SET_TAG, kTagBytes, tag) == 1 &&
           EVP_CipherFinal_ex(cipher, out, &last) == 1;
    if (good && !hidden) Copy(out, stored, plain);
  }
  if (good) return bytes;
  if (plain > 0) OPENSSL_cleanse(out, plain);
  return std::nullopt;
}

}  // namespace exopool

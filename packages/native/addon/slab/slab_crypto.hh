// SPDX-License-Identifier: Apache-2.0
// The cryptography of the slab protocol. Ed25519 proves identities, X25519 + HKDF-SHA256 make a session's keys. Both
// come from OpenSSL, which the node binary exports. SipHash-2-4 with 16 bytes authenticates frame headers.
//
// Why SipHash: its 128-bit key and 16-byte output are designed for short messages under a secret key, and a header of
// 32 bytes takes some 15 ns, against 125 ns for AES-GMAC with a reused context.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>

#include "slab/sip_hash.hh"
#include "slab_protocol.h"

namespace exopool {

struct Bytes {
  const void *data;
  size_t size;
};

using Hash = std::array<uint8_t, 32>;
using Key = std::array<uint8_t, SLAB_KEY_BYTES>;
using Signature = std::array<uint8_t, SLAB_SIGNATURE_BYTES>;
using MacKey = std::array<uint8_t, SLAB_MAC_KEY_BYTES>;
using Mac = std::array<uint8_t, SLAB_MAC_BYTES>;

// OpenSSL's objects, defined only in slab_crypto.cc: parsers and their fuzzers are built without its headers.
struct OpenSslKey;
struct FreeOpenSsl {
  void operator()(OpenSslKey *key) const;
};
using PrivateKey = std::unique_ptr<OpenSslKey, FreeOpenSsl>;

Hash Sha256(std::initializer_list<Bytes> parts);

bool Ed25519Verify(const uint8_t *public_key, Bytes message, const uint8_t *signature);

// An Ed25519 key pair made from its seed.
class Signer {
 public:
  explicit Signer(const Key &seed);
  const Key &public_key() const { return public_key_; }
  Signature Sign(Bytes message) const;

 private:
  PrivateKey key_;
  Key public_key_;
};

// A fresh X25519 key pair, for one handshake.
class Ephemeral {
 public:
  Ephemeral();
  const Key &public_key() const { return public_key_; }
  // Empty if the peer's key is one of the low-order points, which make every secret the same.
  std::optional<Key> Agree(const uint8_t *peer) const;

 private:
  PrivateKey key_;
  Key public_key_;
};

struct SessionKeys {
  MacKey to_producer;
  MacKey to_consumer;
};
SessionKeys DeriveSessionKeys(const Key &secret, const Hash &transcript);

// MACs of one direction.
class HeaderMac {
 public:
  explicit HeaderMac(const MacKey &key) : hash_(key.data()) {}
  Mac Compute(const void *data, size_t size) const {
    Mac out;
    hash_.Compute(data, size, out.data());
    return out;
  }
  // In constant time.
  bool Verify(const void *data, size_t size, const uint8_t *mac) const {
    const Mac expected = Compute(data, size);
    uint64_t ours[2], theirs[2];
    memcpy(ours, expected.data(), sizeof ours);
    memcpy(theirs, mac, sizeof theirs);
    return ((ours[0] ^ theirs[0]) | (ours[1] ^ theirs[1])) == 0;
  }

 private:
  SipHash hash_;
};

}  // namespace exopool

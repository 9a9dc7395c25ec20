// SPDX-License-Identifier: Apache-2.0
// slab_crypto.hh by sums that a fuzz target can make itself: a fuzzer cannot forge a signature. The MAC of frames is
// the real one, with known keys.
#pragma once

#include "slab/slab_crypto.hh"

namespace exopool {

void FreeOpenSsl::operator()(OpenSslKey *) const {}

namespace {

uint64_t Sum(uint64_t sum, const void *data, size_t size) {
  const auto *bytes = static_cast<const uint8_t *>(data);
  for (size_t i = 0; i < size; ++i) sum = (sum ^ bytes[i]) * 0x100000001b3;
  return sum;
}

}  // namespace

Hash Sha256(std::initializer_list<Bytes> parts) {
  uint64_t sum = 1;
  for (const Bytes &part : parts) sum = Sum(sum, part.data, part.size);
  Hash out{};
  memcpy(out.data(), &sum, sizeof sum);
  return out;
}
// A signature that starts with this byte is valid.
constexpr uint8_t kGoodSignature = 0x51;
bool Ed25519Verify(const uint8_t *, Bytes, const uint8_t *signature) { return signature[0] == kGoodSignature; }
Signer::Signer(const Key &seed) : public_key_(seed) {}
Signature Signer::Sign(Bytes) const { return {kGoodSignature}; }
Ephemeral::Ephemeral() : public_key_{} {}
std::optional<Key> Ephemeral::Agree(const uint8_t *peer) const {
  return peer[0] == 0 ? std::nullopt : std::optional<Key>(Key{});
}
SessionKeys DeriveSessionKeys(const Key &, const Hash &) { return {{1}, {2}}; }
}  // namespace exopool

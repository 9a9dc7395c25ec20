// SPDX-License-Identifier: Apache-2.0
// Seals values so that a producer can neither read nor exchange them.
//
//   mode        stored                                            hidden   detects lies
//   kOff        value                                             no       no
//   kIntegrity  value, GMAC 16                                    no       yes
//   kGcm        AES-128-GCM cipher text, tag 16                   yes      yes
//   kPaper      IV 16, AES-128-CBC cipher text, HMAC-SHA-256/128  yes      yes
//
// A place is the location of a value and the number of its write. Slab, offset, length and write are authenticated with
// the value, so neither an older value of the place nor another place's verifies. The nonce is (write, offset): the
// caller never uses a pair twice under one key.
//
// Keys: HKDF-SHA256 of a master key that never leaves the process, with the lease and a generation as info. Each lease
// has keys of its own. Before its counter could wrap, a caller takes the next generation.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "slab/slab_crypto.hh"

namespace exopool {

enum class SealMode : uint8_t { kOff = 0, kIntegrity = 1, kGcm = 2, kPaper = 3 };
constexpr uint32_t kSealModes = 4;

using SealKey = std::array<uint8_t, 32>;
// From the system's generator.
SealKey NewSealKey();

struct SealPlace {
  uint64_t write;
  uint32_t slab;
  uint32_t offset;
  uint32_t length;  // as stored
};

// Stored bytes of a value, and the largest value in so many stored bytes.
uint32_t SealedBytes(SealMode mode, uint32_t plain_bytes);
uint32_t PlainBytesMax(SealMode mode, uint32_t stored_bytes);

// One key of one mode. Seal and Open have state of their own: one thread may seal while another opens.
class ValueSeal {
 public:
  ValueSeal(SealMode mode, const SealKey &master, uint64_t lease, uint64_t generation);
  ~ValueSeal();

  // Writes place.length bytes, SealedBytes of both parts together, to `out`.
  void Seal(const SealPlace &place, Bytes head, Bytes body, uint8_t *out);
  // Writes the value to `out`, which has room for PlainBytesMax, and returns its length. Empty: the bytes were not
  // sealed for this place, and `out` holds no plain text.
  std::optional<uint32_t> Open(const SealPlace &place, const uint8_t *stored, uint8_t *out);

 private:
  struct Contexts;
  const SealMode mode_;
  std::unique_ptr<Contexts> contexts_;
};

}  // namespace exopool

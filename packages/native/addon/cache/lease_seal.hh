// SPDX-License-Identifier: Apache-2.0
// The seals of one lease: a key for every kRotation segments, made on first use. 2^24 segments of 1 MiB are 2^44 bytes
// under one key, 1/2^24 of what AES-GCM is safe for with 96-bit counters as nonces.
#pragma once

#include <memory>
#include <vector>

#include "cache/value_seal.hh"

namespace exopool {

class LeaseSeal {
 public:
  static constexpr int kRotationBits = 24;
  static constexpr size_t kKept = 2;  // generations: the old one is read while the new one is written

  LeaseSeal(SealMode mode, const SealKey &master, uint64_t lease, int rotation_bits = kRotationBits)
      : mode_(mode), master_(master), lease_(lease), rotation_bits_(rotation_bits) {}

  void Seal(const SealPlace &place, Bytes head, Bytes body, uint8_t *out) {
    Of(&sealing_, place.write).Seal(place, head, body, out);
  }
  // Another thread may seal meanwhile; only one at a time may open.
  std::optional<uint32_t> Open(const SealPlace &place, const uint8_t *stored, uint8_t *out) {
    return Of(&opening_, place.write).Open(place, stored, out);
  }

 private:
  struct Generation {
    uint64_t number;
    std::unique_ptr<ValueSeal> seal;
  };
  using Generations = std::vector<Generation>;

  ValueSeal &Of(Generations *generations, uint64_t write) {
    const uint64_t number = write >> rotation_bits_;
    for (const Generation &each : *generations) {
      if (each.number == number) return *each.seal;
    }
    if (generations->size() == kKept) generations->erase(generations->begin());
    generations->push_back({number, std::make_unique<ValueSeal>(mode_, master_, lease_, number)});
    return *generations->back().seal;
  }

  const SealMode mode_;
  const SealKey master_;
  const uint64_t lease_;
  const int rotation_bits_;
  Generations sealing_, opening_;
};

}  // namespace exopool

// SPDX-License-Identifier: Apache-2.0
// Which keys were evicted lately: 16 bits each, with one slot for every two values in the cache. A later key may
// overwrite an earlier one's slot. A wrong answer only puts a value into the wrong queue.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace exopool {

class GhostSet {
 public:
  void Add(uint64_t hash, size_t held) {
    const size_t least = held / 2;
    if (slots_.size() < least || slots_.size() > 2 * least + kSlotsMin)
      std::vector<uint16_t>(least + least / 4 + kSlotsMin / 2, 0).swap(slots_);
    slots_[SlotOf(hash)] = MarkOf(hash);
  }
  // Removes it, and returns whether it was there.
  bool Take(uint64_t hash) {
    if (slots_.empty() || slots_[SlotOf(hash)] != MarkOf(hash)) return false;
    slots_[SlotOf(hash)] = 0;
    return true;
  }
  size_t memory_bytes() const { return slots_.capacity() * sizeof(uint16_t); }

 private:
  static constexpr size_t kSlotsMin = 64;

  size_t SlotOf(uint64_t hash) const {
    return static_cast<size_t>((static_cast<unsigned __int128>(hash) * slots_.size()) >> 64);
  }
  static uint16_t MarkOf(uint64_t hash) { return static_cast<uint16_t>(hash | 1); }

  std::vector<uint16_t> slots_;
};

}  // namespace exopool

// SPDX-License-Identifier: Apache-2.0
// Entries in a row, laid out as in a log frame (packages/bpf-storage/docs/log-format.md): in this form many writes
// cross from JavaScript at once.
//
//   u8 kind | u8 0 | u16 bytes of the key | u32 bytes of the value | key | value
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace exopool {

struct BatchEntry {
  std::string_view key, value;
  bool deleted = false;
};

class EntryBatch {
 public:
  static constexpr size_t kHeaderBytes = 8;
  // A deletion has the number of a table's tombstone (enum exo_value_kind).
  enum Kind : uint8_t { kPut = 0, kDelete = 2 };

  EntryBatch(const uint8_t *bytes, size_t length) : at_(bytes), end_(bytes + length) {}

  // False at the end, and if the bytes contradict themselves or a limit of the format.
  bool Next(BatchEntry *entry);
  bool at_end() const { return at_ == end_; }
  // Whether all of it can be read.
  static bool IsSound(const uint8_t *bytes, size_t length);

 private:
  const uint8_t *at_;
  const uint8_t *end_;
};

}  // namespace exopool

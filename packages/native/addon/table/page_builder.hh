// SPDX-License-Identifier: Apache-2.0
// Builds one page of the tree from keys in order, and knows before each key whether it still fits.
//
// Keys share their page's prefix. Since they are sorted, that is the common prefix of the first and the last key. So
// the exact size after one more key follows from three running sums, in constant time:
//
//   header 32 + 8 a slot + prefix + cells,     cells = sum(fixed part) + sum(key lengths) - keys * prefix
//
// A new key can shorten the prefix and so lengthen every cell; the formula includes that.
//
// In an interior page slot 0 stands for minus infinity: its separator is not stored and takes no part in the prefix.
// The level above gets that separator as the lower end of the whole page.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "table_format.h"

namespace exopool {

// The number of leading bytes that two keys share.
size_t SharedPrefix(std::string_view a, std::string_view b);
// The shortest bytes s with left < s <= right, for left < right: the separator of two neighbouring pages.
std::string_view ShortestSeparator(std::string_view left, std::string_view right);

class PageBuilder {
 public:
  // `level` 0 builds leaves.
  explicit PageBuilder(unsigned level) : level_(level) {}

  size_t count() const { return cells_.size(); }

  // `payload_bytes`: bytes of the cell beside its fixed part and the key. A child's offset is in the fixed part.
  bool Fits(std::string_view key, size_t payload_bytes) const;
  void AddEntry(std::string_view key, exo_value_kind kind, std::string_view payload);
  // `child`: file offset of the page that holds the keys from `separator` on.
  void AddChild(std::string_view separator, uint64_t child);
  // Writes the page over `page`, which is all zeroes, and starts an empty one.
  void Build(uint8_t *page, uint64_t table_id, uint64_t offset);

 private:
  struct Cell {
    uint32_t key_at, payload_at;
    uint16_t key_length, payload_length;
    uint8_t kind;
  };

  size_t fixed_bytes() const {
    return sizeof(exo_slot) + (level_ == 0 ? sizeof(exo_leaf_cell) : sizeof(exo_interior_cell));
  }
  size_t PrefixWith(std::string_view key) const;
  std::string_view Key(const Cell &cell) const { return {bytes_.data() + cell.key_at, cell.key_length}; }
  void Add(std::string_view key, uint8_t kind, std::string_view payload, bool has_key);

  unsigned level_;
  std::vector<Cell> cells_;
  std::string bytes_;       // keys and payloads
  size_t keys_ = 0;         // cells that have a key of their own
  size_t key_bytes_ = 0;    // of those
  size_t other_bytes_ = 0;  // slots, fixed parts, payloads
  size_t prefix_ = 0;
};

}  // namespace exopool

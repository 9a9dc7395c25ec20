// SPDX-License-Identifier: Apache-2.0
// A page of the tree as a list of keys, for scans. Its bytes may be anything: every field is checked before use, so
// nothing here reads outside the page.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "table_format.h"

namespace exopool {

class TablePage {
 public:
  // `page` must stay valid. False if the page is not of this level, or its slots do not fit.
  bool Open(const uint8_t *page, unsigned level);

  unsigned count() const { return count_; }
  std::string_view prefix() const { return prefix_; }
  // All of these return false when the slot contradicts the page.
  bool Suffix(unsigned slot, std::string_view *suffix) const;
  bool Child(unsigned slot, uint64_t *offset) const;
  struct Value {
    exo_value_kind kind;
    std::string_view bytes;   // of EXO_VALUE_INLINE
    exo_value_ref reference;  // of EXO_VALUE_OUTLINE
  };
  bool ValueOf(unsigned slot, Value *value) const;
  // The first slot whose key is greater than `key`, or with `or_equal` not less; `count()` when there is none. In an
  // interior page never slot 0.
  bool FirstAfter(std::string_view key, bool or_equal, unsigned *slot) const;

 private:
  bool Cell(unsigned slot, size_t fixed_bytes, size_t *cell, size_t *suffix_length) const;
  bool Compare(unsigned slot, std::string_view key, int *order) const;

  const uint8_t *page_ = nullptr;
  unsigned level_ = 0, count_ = 0;
  size_t cells_start_ = 0;
  std::string_view prefix_;
};

}  // namespace exopool

// SPDX-License-Identifier: Apache-2.0
#include "table/table_page.hh"

#include <cstring>

namespace exopool {
namespace {

size_t FixedBytes(unsigned level) { return level == 0 ? sizeof(exo_leaf_cell) : sizeof(exo_interior_cell); }

}  // namespace

bool TablePage::Open(const uint8_t *page, unsigned level) {
  exo_page_header header;
  memcpy(&header, page, sizeof(header));
  page_ = page;
  level_ = level;
  count_ = header.count;
  size_t slots_end = sizeof(header) + sizeof(exo_slot) * count_;
  cells_start_ = slots_end + header.prefix_len;
  if (header.type != (level == 0 ? EXO_PAGE_LEAF : EXO_PAGE_INTERIOR) || header.level != level) return false;
  if (count_ == 0 || count_ > EXO_SLOTS_MAX || header.prefix_len > EXO_KEY_MAX) return false;
  if (cells_start_ > EXO_PAGE_SIZE) return false;
  prefix_ = {reinterpret_cast<const char *>(page + slots_end), header.prefix_len};
  return true;
}

bool TablePage::Cell(unsigned slot, size_t fixed_bytes, size_t *cell, size_t *suffix_length) const {
  if (slot >= count_) return false;
  exo_slot found;
  memcpy(&found, page_ + sizeof(exo_page_header) + slot * sizeof(found), sizeof(found));
  *cell = found.cell;
  *suffix_length = found.suffix_len;
  return found.cell >= cells_start_ && found.cell + fixed_bytes + found.suffix_len <= EXO_PAGE_SIZE &&
         prefix_.size() + found.suffix_len <= EXO_KEY_MAX;
}

bool TablePage::Suffix(unsigned slot, std::string_view *suffix) const {
  size_t cell, length;
  if (!Cell(slot, FixedBytes(level_), &cell, &length)) return false;
  *suffix = {reinterpret_cast<const char *>(page_ + cell + FixedBytes(level_)), length};
  return true;
}

bool TablePage::Child(unsigned slot, uint64_t *offset) const {
  size_t cell, length;
  if (!Cell(slot, sizeof(exo_interior_cell), &cell, &length)) return false;
  memcpy(offset, page_ + cell, sizeof(*offset));
  return true;
}

bool TablePage::ValueOf(unsigned slot, Value *value) const {
  size_t cell, length;
  if (!Cell(slot, sizeof(exo_leaf_cell), &cell, &length)) return false;
  exo_leaf_cell leaf;
  memcpy(&leaf, page_ + cell, sizeof(leaf));
  size_t at = cell + sizeof(leaf) + length;
  if (at + leaf.value_len > EXO_PAGE_SIZE) return false;
  value->kind = static_cast<exo_value_kind>(leaf.kind);
  switch (leaf.kind) {
    case EXO_VALUE_INLINE:
      value->bytes = {reinterpret_cast<const char *>(page_ + at), leaf.value_len};
      return leaf.value_len <= EXO_INLINE_VALUE_MAX;
    case EXO_VALUE_TOMBSTONE:
      return leaf.value_len == 0;
    case EXO_VALUE_OUTLINE:
      if (leaf.value_len != sizeof(value->reference)) return false;
      memcpy(&value->reference, page_ + at, sizeof(value->reference));
      return true;
    default:
      return false;
  }
}

bool TablePage::Compare(unsigned slot, std::string_view key, int *order) const {
  std::string_view suffix;
  if (!Suffix(slot, &suffix)) return false;
  *order = prefix_.compare(key.substr(0, prefix_.size()));
  if (*order == 0) *order = suffix.compare(key.substr(prefix_.size()));
  return true;
}

bool TablePage::FirstAfter(std::string_view key, bool or_equal, unsigned *slot) const {
  unsigned low = level_ == 0 ? 0 : 1, high = count_;
  while (low < high) {
    unsigned middle = (low + high) / 2;
    int order;
    if (!Compare(middle, key, &order)) return false;
    if (order > 0 || (order == 0 && or_equal))
      high = middle;
    else
      low = middle + 1;
  }
  *slot = low;
  return true;
}

}  // namespace exopool

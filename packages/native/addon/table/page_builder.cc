// SPDX-License-Identifier: Apache-2.0
#include "table/page_builder.hh"

#include <algorithm>
#include <cstring>

#include "base/crc32c.hh"

namespace exopool {
namespace {

constexpr size_t kPageCovered = 4;  // the first byte that a page's checksum covers

// The first four bytes of a suffix, as a big-endian number.
uint32_t HeadOf(std::string_view suffix) {
  uint8_t bytes[4] = {};
  if (!suffix.empty()) memcpy(bytes, suffix.data(), std::min(suffix.size(), sizeof(bytes)));
  uint32_t head;
  memcpy(&head, bytes, sizeof(head));
  return __builtin_bswap32(head);
}

}  // namespace

size_t SharedPrefix(std::string_view a, std::string_view b) {
  size_t length = 0, end = std::min(a.size(), b.size());
  while (length < end && a[length] == b[length]) length++;
  return length;
}

std::string_view ShortestSeparator(std::string_view left, std::string_view right) {
  return right.substr(0, SharedPrefix(left, right) + 1);
}

size_t PageBuilder::PrefixWith(std::string_view key) const {
  if (keys_ == 0) return key.size();
  const Cell &first = cells_[cells_.size() - keys_];
  // The prefix can only shrink, so nothing past it need be compared.
  return SharedPrefix(Key(first).substr(0, prefix_), key);
}

bool PageBuilder::Fits(std::string_view key, size_t payload_bytes) const {
  size_t other = sizeof(exo_page_header) + other_bytes_ + fixed_bytes() + payload_bytes;
  if (level_ > 0 && cells_.empty()) return true;
  return other + key_bytes_ + key.size() - keys_ * PrefixWith(key) <= EXO_PAGE_SIZE;
}

void PageBuilder::Add(std::string_view key, uint8_t kind, std::string_view payload, bool has_key) {
  if (has_key) {
    prefix_ = PrefixWith(key);
    key_bytes_ += key.size();
    keys_++;
  } else {
    key = {};
  }
  cells_.push_back({static_cast<uint32_t>(bytes_.size()), static_cast<uint32_t>(bytes_.size() + key.size()),
                    static_cast<uint16_t>(key.size()), static_cast<uint16_t>(payload.size()), kind});
  bytes_.append(key).append(payload);
}

void PageBuilder::AddEntry(std::string_view key, exo_value_kind kind, std::string_view payload) {
  Add(key, static_cast<uint8_t>(kind), payload, true);
  other_bytes_ += fixed_bytes() + payload.size();
}

void PageBuilder::AddChild(std::string_view separator, uint64_t child) {
  Add(separator, 0, {reinterpret_cast<const char *>(&child), sizeof(child)}, !cells_.empty());
  other_bytes_ += fixed_bytes();
}

void PageBuilder::Build(uint8_t *page, uint64_t table_id, uint64_t offset) {
  exo_page_header header{};
  header.type = level_ == 0 ? EXO_PAGE_LEAF : EXO_PAGE_INTERIOR;
  header.level = static_cast<__u8>(level_);
  header.count = static_cast<__u16>(cells_.size());
  header.table_id = table_id;
  header.offset = offset;
  header.prefix_len = static_cast<__u16>(prefix_);
  memcpy(page, &header, sizeof(header));
  uint8_t *slots = page + sizeof(header);
  if (keys_ > 0) {
    std::string_view first = Key(cells_[cells_.size() - keys_]);
    if (prefix_ > 0) memcpy(slots + cells_.size() * sizeof(exo_slot), first.data(), prefix_);
  }
  size_t at = EXO_PAGE_SIZE;
  for (size_t i = cells_.size(); i-- > 0;) {
    const Cell &cell = cells_[i];
    std::string_view key = Key(cell);
    std::string_view suffix = key.empty() ? key : key.substr(prefix_);
    const char *payload = bytes_.data() + cell.payload_at;
    size_t fixed = fixed_bytes() - sizeof(exo_slot);
    at -= fixed + suffix.size() + (level_ == 0 ? cell.payload_length : 0);
    exo_slot slot{HeadOf(suffix), static_cast<__u16>(at), static_cast<__u16>(suffix.size())};
    memcpy(slots + i * sizeof(slot), &slot, sizeof(slot));
    if (level_ == 0) {
      exo_leaf_cell leaf{cell.payload_length, cell.kind, 0};
      memcpy(page + at, &leaf, sizeof(leaf));
    } else {
      memcpy(page + at, payload, sizeof(exo_interior_cell));
    }
    if (!suffix.empty()) memcpy(page + at + fixed, suffix.data(), suffix.size());
    if (level_ == 0 && cell.payload_length > 0) memcpy(page + at + fixed + suffix.size(), payload, cell.payload_length);
  }
  header.checksum = Crc32c(page + kPageCovered, EXO_PAGE_SIZE - kPageCovered);
  memcpy(page, &header, sizeof(header));
  cells_.clear();
  bytes_.clear();
  keys_ = key_bytes_ = other_bytes_ = prefix_ = 0;
}

}  // namespace exopool

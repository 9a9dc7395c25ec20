// SPDX-License-Identifier: Apache-2.0
#include "store/run_sorter.hh"

#include <algorithm>
#include <cstring>

#include "table/page_builder.hh"

namespace exopool {
namespace {

uint64_t HeadAfter(std::string_view key, size_t prefix) {
  uint8_t bytes[8] = {};
  size_t length = std::min(key.size() - prefix, sizeof(bytes));
  if (length > 0) memcpy(bytes, key.data() + prefix, length);
  uint64_t head;
  memcpy(&head, bytes, sizeof(head));
  return __builtin_bswap64(head);
}

}  // namespace

void RunSorter::Add(const BatchEntry &entry) {
  order_.emplace_back();
  Record *record;
  try {
    void *memory = arena_.Allocate(sizeof(Record) + entry.key.size() + entry.value.size());
    record = static_cast<Record *>(memory);
  } catch (...) {
    order_.pop_back();
    throw;
  }
  record->number = static_cast<uint32_t>(order_.size());
  record->value_length = static_cast<uint32_t>(entry.value.size());
  record->key_length = static_cast<uint16_t>(entry.key.size());
  record->deleted = entry.deleted;
  auto bytes = reinterpret_cast<char *>(record + 1);
  memcpy(bytes, entry.key.data(), entry.key.size());
  if (!entry.value.empty()) memcpy(bytes + entry.key.size(), entry.value.data(), entry.value.size());
  order_.back().record = record;
}

void RunSorter::Sort() {
  if (sorted_ || order_.empty()) return;
  sorted_ = true;
  std::string_view first = order_[0].record->key();
  size_t prefix = first.size();
  for (const Place &place : order_) prefix = SharedPrefix(first.substr(0, prefix), place.record->key());
  for (Place &place : order_) place.head = HeadAfter(place.record->key(), prefix);
  // Of equal keys the last one added comes first, and is kept.
  std::sort(order_.begin(), order_.end(), [prefix](const Place &a, const Place &b) {
    if (a.head != b.head) return a.head < b.head;
    int order = a.record->key().substr(prefix).compare(b.record->key().substr(prefix));
    return order == 0 ? a.record->number > b.record->number : order < 0;
  });
  auto end = std::unique(order_.begin(), order_.end(), [](const Place &a, const Place &b) {
    return a.head == b.head && a.record->key() == b.record->key();
  });
  order_.erase(end, order_.end());
}

Failure RunSource::Start() {
  run_->Sort();
  at_ = 0;
  return Settle();
}

Failure RunSource::Next() {
  at_++;
  return Settle();
}

Failure RunSource::Settle() {
  if (at_ == run_->order_.size()) {
    End();
    return {};
  }
  const RunSorter::Record *record = run_->order_[at_].record;
  StandOn(record->key(), record->deleted);
  return {};
}

Failure RunSource::Value(std::string_view *value) {
  *value = run_->order_[at_].record->value();
  return {};
}

}  // namespace exopool

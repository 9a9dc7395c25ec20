// SPDX-License-Identifier: Apache-2.0
#include "table/merge_scan.hh"

#include "table/key_head.hh"

namespace exopool {

bool KeyBounds::IsBelow(std::string_view key) const {
  if (!has_lower) return false;
  int order = key.compare(lower);
  return order < 0 || (order == 0 && !lower_inclusive);
}

bool KeyBounds::IsAbove(std::string_view key) const {
  if (!has_upper) return false;
  int order = key.compare(upper);
  return order > 0 || (order == 0 && !upper_inclusive);
}

void ScanSource::StandOn(std::string_view key, bool deleted) {
  valid_ = true;
  deleted_ = deleted;
  key_ = key;
  head_ = HeadOf(key);
}

Failure MergeScan::Start() {
  heap_.clear();
  for (size_t age = 0; age < sources_.size(); age++) {
    ScanSource *source = sources_[age].get();
    if (Failure failure = source->Start()) return Of(source, failure);
    if (source->valid()) heap_.push_back({source, age});
  }
  for (size_t i = heap_.size() / 2; i-- > 0;) SiftDown(i);
  return {};
}

// Advances every source that stands on the key.
Failure MergeScan::Next() {
  passed_.assign(key());
  do {
    ScanSource *source = heap_[0].source;
    if (Failure failure = source->Next()) return Of(source, failure);
    SettleTop();
  } while (!heap_.empty() && key() == passed_);
  return {};
}

void MergeScan::SettleTop() {
  if (!heap_[0].source->valid()) {
    heap_[0] = heap_.back();
    heap_.pop_back();
  }
  if (!heap_.empty()) SiftDown(0);
}

void MergeScan::SiftDown(size_t index) {
  for (;;) {
    size_t least = index;
    for (size_t child = 2 * index + 1; child <= 2 * index + 2 && child < heap_.size(); child++) {
      if (Before(heap_[child], heap_[least])) least = child;
    }
    if (least == index) return;
    std::swap(heap_[index], heap_[least]);
    index = least;
  }
}

bool MergeScan::Before(const Entry &a, const Entry &b) const {
  if (a.source->head() != b.source->head()) return (a.source->head() < b.source->head()) != reverse_;
  int order = a.source->key().compare(b.source->key());
  if (order == 0) return a.age < b.age;
  return (order < 0) != reverse_;
}

Failure MergeScan::Of(const ScanSource *source, const Failure &failure) {
  if (failure) failed_path_ = source->path();
  return failure;
}

}  // namespace exopool

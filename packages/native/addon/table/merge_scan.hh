// SPDX-License-Identifier: Apache-2.0
// Sorted entries of several sources as one: memtables, tables, sorted runs.
//
// Sources are ordered by age. Of equal keys the scan returns the newest source's entry and skips the older ones. A
// deletion is an entry too; otherwise the older value below it would come back.
//
//   newest   a#del  c=1              heap of sources by (key, age)  ->  a#del  b=2  c=1  d=4
//   oldest   a=7    b=2  c=3  d=4
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "table/failure.hh"

namespace exopool {

struct KeyBounds {
  bool has_lower = false, has_upper = false;
  bool lower_inclusive = false, upper_inclusive = false;
  bool reverse = false;  // from the greatest key to the smallest
  std::string lower, upper;

  bool IsBelow(std::string_view key) const;  // outside at the lower end
  bool IsAbove(std::string_view key) const;
};

// One sorted source, each key once.
class ScanSource {
 public:
  virtual ~ScanSource() = default;

  virtual Failure Start() = 0;  // to the first entry
  virtual Failure Next() = 0;
  // The value at the source's position; valid until it moves.
  virtual Failure Value(std::string_view *value) = 0;
  // The file of a failure; empty for memory.
  virtual std::string path() const { return {}; }

  bool valid() const { return valid_; }
  std::string_view key() const { return key_; }
  uint64_t head() const { return head_; }
  bool deleted() const { return deleted_; }

 protected:
  void StandOn(std::string_view key, bool deleted);
  void End() { valid_ = false; }

 private:
  bool valid_ = false, deleted_ = false;
  uint64_t head_ = 0;  // the key's first eight bytes as a number in the same order
  std::string_view key_;
};

class MergeScan {
 public:
  explicit MergeScan(bool reverse) : reverse_(reverse) {}

  // The newest first.
  void Add(std::unique_ptr<ScanSource> source) { sources_.push_back(std::move(source)); }
  Failure Start();
  Failure Next();
  bool valid() const { return !heap_.empty(); }
  std::string_view key() const { return heap_[0].source->key(); }
  bool deleted() const { return heap_[0].source->deleted(); }
  Failure Value(std::string_view *value) { return Of(heap_[0].source, heap_[0].source->Value(value)); }
  // The file of the last failure; empty for memory.
  const std::string &failed_path() const { return failed_path_; }

 private:
  struct Entry {
    ScanSource *source;
    size_t age;  // 0 is the newest
  };

  bool Before(const Entry &a, const Entry &b) const;
  void SiftDown(size_t index);
  void SettleTop();
  Failure Of(const ScanSource *source, const Failure &failure);

  bool reverse_;
  std::vector<std::unique_ptr<ScanSource>> sources_;
  std::vector<Entry> heap_;
  std::string passed_;
  std::string failed_path_;
};

}  // namespace exopool

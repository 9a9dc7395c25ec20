// SPDX-License-Identifier: Apache-2.0
// Collects entries in any order and returns them sorted; of equal keys, the last one added.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/arena.hh"
#include "store/entry_batch.hh"
#include "table/merge_scan.hh"

namespace exopool {

class RunSorter {
 public:
  // Throws std::bad_alloc.
  void Add(const BatchEntry &entry);
  // Memory in use.
  size_t bytes() const { return arena_.bytes() + order_.capacity() * sizeof(Place); }
  size_t entries() const { return order_.size(); }
  // Call after the last Add; idempotent. Drops replaced entries.
  void Sort();

 private:
  friend class RunSource;

  struct Record {
    uint32_t number;  // in the order of adding
    uint32_t value_length;
    uint16_t key_length;
    bool deleted;

    const char *bytes() const { return reinterpret_cast<const char *>(this + 1); }
    std::string_view key() const { return {bytes(), key_length}; }
    std::string_view value() const { return {bytes() + key_length, value_length}; }
  };

  // Eight bytes of the key, from the first that differ between any two, decide nearly every comparison.
  struct Place {
    uint64_t head;
    const Record *record;
  };

  Arena arena_;
  std::vector<Place> order_;
  bool sorted_ = false;
};

// A run from its first entry to its last; sorts it if needed.
class RunSource : public ScanSource {
 public:
  explicit RunSource(std::shared_ptr<RunSorter> run) : run_(std::move(run)) {}

  Failure Start() override;
  Failure Next() override;
  Failure Value(std::string_view *value) override;

 private:
  Failure Settle();

  std::shared_ptr<RunSorter> run_;
  size_t at_ = 0;
};

}  // namespace exopool

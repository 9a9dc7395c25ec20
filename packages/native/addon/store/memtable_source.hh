// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <utility>

#include "store/memtable.hh"
#include "table/merge_scan.hh"

namespace exopool {

// The entries of a memtable in a view, within bounds.
class MemtableSource : public ScanSource {
 public:
  MemtableSource(std::shared_ptr<const Memtable> memtable, uint64_t view, KeyBounds bounds)
      : memtable_(std::move(memtable)), cursor_(memtable_.get(), view), bounds_(std::move(bounds)) {}

  Failure Start() override;
  Failure Next() override;
  Failure Value(std::string_view *value) override;

 private:
  Failure Settle();

  std::shared_ptr<const Memtable> memtable_;
  Memtable::Cursor cursor_;
  KeyBounds bounds_;
};

}  // namespace exopool

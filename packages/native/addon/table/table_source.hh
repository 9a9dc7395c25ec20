// SPDX-License-Identifier: Apache-2.0
// Walks a table's entries in order, in either direction, reading leaves ahead.
//
// The interior pages say where the next leaves are. Leaves that lie side by side in the file (nearly all, as they were
// written in key order) come in one read. The first read is as long as the caller expects to need. From the second on
// each is twice as long, as in the kernel's read-ahead: ten entries cost one leaf, a long scan few and large reads.
//
//   interior   [ 5 6 7 8 | 11 12 13 | 20 ...
//   reads      [5] [6 7] [8] [11 12 13] ...
//
// Every page's checksum is computed, also of pages checked before.
//
// A scan may be tried from memory alone: cached interior pages and leaves. It fails with kNotInMemory at the first page
// that is not cached, and the caller starts again from the file. On request it keeps the leaves that it reads, for the
// caller's cache.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "table/merge_scan.hh"
#include "table/table_file.hh"
#include "table/table_page.hh"

namespace exopool {

// Leaves of tables in memory. Null: not cached.
class LeafCache {
 public:
  virtual ~LeafCache() = default;
  virtual const uint8_t *Leaf(uint64_t table_id, uint64_t offset) = 0;
  virtual void KeepLeaf(uint64_t table_id, uint64_t offset, const uint8_t *page) = 0;
};

class TableSource : public ScanSource {
 public:
  struct Options {
    std::string path;  // for the messages of failures
    KeyBounds bounds;
    size_t first_pages = 1;   // of the first read
    size_t second_pages = 2;  // of the second
    size_t pages_max = 64;    // of any read
  };

  TableSource(std::shared_ptr<TableFile> table, Options options)
      : table_(std::move(table)), options_(std::move(options)) {}

  Failure Start() override;
  Failure Next() override;
  Failure Value(std::string_view *value) override;
  std::string path() const override { return options_.path; }

  // From now on reads from memory alone; null: from the file.
  void ReadFrom(LeafCache *memory) { memory_ = memory; }
  void KeepLeaves() { kept_left_ = kKeptLeaves; }
  // Moves the kept leaves there, and keeps no more.
  void GiveLeaves(LeafCache *memory);

 private:
  // More leaves are a long scan, for which a cache is no use.
  static constexpr size_t kKeptLeaves = 64;

  // An interior page, and the children that are left to visit: `child`, then `left` more in the direction of travel.
  struct Level {
    std::vector<uint8_t> bytes;
    TablePage page;
    uint64_t offset = 0;
    unsigned child = 0;
    unsigned left = 0;
    bool done = true;
  };

  Failure EnterInterior(unsigned level, uint64_t offset);
  Failure Descend(bool *found);
  void Advance(Level *level) const;
  Failure ReadRun();
  void PlanRead();
  Failure ReadLeaves();
  void KeepRun();
  Failure EnterLeaf(bool *has_entries);
  Failure NextLeaf();
  Failure Settle();
  Failure Corrupt(uint64_t offset) const;

  std::shared_ptr<TableFile> table_;
  Options options_;
  std::vector<Level> levels_;  // [i] is level i + 1
  size_t next_pages_ = 1;      // of the next read
  size_t later_pages_ = 2;     // of the one after it
  LeafCache *memory_ = nullptr;

  std::vector<uint64_t> kept_offsets_;
  std::vector<uint8_t> kept_;  // a page for each
  size_t kept_left_ = 0;

  AlignedBytes run_;  // leaves side by side
  size_t run_capacity_ = 0;
  std::vector<uint64_t> leaves_;  // their offsets, in the direction of travel
  size_t leaf_ = 0;               // the one in use
  uint64_t run_start_ = 0;
  bool root_is_left_ = false;  // it is a leaf, and not read yet

  TablePage page_;  // the leaf in use
  unsigned slot_ = 0;
  unsigned slots_left_ = 0;  // after slot_
  TablePage::Value value_{};
  std::vector<uint8_t> outline_;
  std::string key_;
};

}  // namespace exopool

// SPDX-License-Identifier: Apache-2.0
// The sources of a store's reads: its memtables, its tables, and the cache in front of the tables.
//
//   Find:     memtables -> cached row -> for each table that may have the key: cached leaf -> ?
//   a fetch:  Epoch ... the tables, on other threads ... Admit
//
// Find uses memory only: filters and bounds of tables often rule out a read. Other keys are looked up elsewhere (see
// lookup.hh) and admitted to the cache by the owning thread.
//
// A write during a fetch makes the fetched value old. Each write increments the counter that its key's hash chooses,
// and a value is not admitted if its counter has changed. Two keys that share a counter can cost each other an
// admission.
//
// The budget is for all of it: interior pages and filters take up to half, rows and leaves have the rest. For
// one thread, that of the store's JavaScript.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "engines/lookup.hh"
#include "store/memtable.hh"
#include "store/row_cache.hh"
#include "table/table_source.hh"
#include "table/table_version.hh"

namespace exopool {

// Keys answered, by what answered them.
struct FindCounters {
  uint64_t memtable = 0, row = 0, leaf = 0;
  uint64_t no_table = 0;         // no table's bounds and filter admit the key
  uint64_t filter_refusals = 0;  // times that a filter ruled out a table
  uint64_t found_in_table = 0, in_no_table = 0;
};

class StoreIndex : public LeafCache {
 public:
  enum class Answer { kUnknown, kValue, kAbsent };

  explicit StoreIndex(uint64_t cache_bytes);

  // The newest first, each.
  void SetMemtables(std::vector<std::shared_ptr<Memtable>> memtables) { memtables_ = std::move(memtables); }
  void SetTables(std::shared_ptr<const TableVersion> version);
  // One a table, after SetTables; until then they are read by pread.
  void SetEngines(Lookup::Engines engines);
  // Releases everything.
  void Close();

  // The value is valid until the next call of any method.
  Answer Find(std::string_view key, uint64_t hash, std::string_view *value);
  // A lookup of keys that Find did not know; the caller starts it.
  std::shared_ptr<Lookup> NewLookup(KeyBatch keys) const;
  // The same for one key, by this thread: it waits for the disk.
  void ReadNow(std::string_view key, uint64_t hash, LookupResult *result);

  uint64_t Epoch(uint64_t hash) const { return epochs_[hash % kEpochs] + epoch_of_all_; }
  // Counts a fetch's result, and keeps its leaf if that is read often. Tables never change, so a leaf is never old.
  void Count(const LookupResult &result);
  // Counts it, and admits it if the fetch's epoch, taken in the same turn as Find, is still that of the key.
  void Take(std::string_view key, uint64_t hash, uint64_t epoch, const LookupResult &result);
  // False: it may be old.
  bool Admit(std::string_view key, uint64_t hash, uint64_t epoch, RowCache::Kind kind, std::string_view value);

  // For scans.
  const uint8_t *Leaf(uint64_t table_id, uint64_t offset) override { return cache_.GetLeaf(table_id, offset); }
  void KeepLeaf(uint64_t table_id, uint64_t offset, const uint8_t *page) override;

  // In the same turn as the write.
  void Written(std::string_view key, uint64_t hash);
  void WrittenAll();

  const std::shared_ptr<PinnedMemory> &pinned() const { return pinned_; }
  // The most memory for filters, given the interior pages of the current tables.
  uint64_t FilterAllowance(const TableFile &added) const;
  const FindCounters &counters() const { return counters_; }
  const RowCache &cache() const { return cache_; }
  size_t tables_without_filter() const;

 private:
  static constexpr size_t kEpochs = 1 << 14;

  Answer FindInLeaves(std::string_view key, uint64_t hash, size_t table, std::string_view *value);
  void ShareBudget();
  bool KeepsLeaves() const { return cache_.entry_bytes_max() > EXO_PAGE_SIZE; }

  uint64_t budget_bytes_;
  uint64_t shared_bytes_ = 0;  // pinned memory that the cache's limit takes account of
  std::shared_ptr<PinnedMemory> pinned_;
  RowCache cache_;
  std::vector<std::shared_ptr<Memtable>> memtables_;
  std::shared_ptr<const TableVersion> version_ = std::make_shared<TableVersion>();
  std::shared_ptr<const Lookup::Engines> engines_ = std::make_shared<Lookup::Engines>();
  std::array<uint64_t, kEpochs> epochs_{};
  uint64_t epoch_of_all_ = 0;
  FindCounters counters_;
  AlignedBytes page_ = AllocateAligned(EXO_PAGE_SIZE);
  TableWalk walk_{page_.get()};
  LookupResult leaf_result_;
};

}  // namespace exopool

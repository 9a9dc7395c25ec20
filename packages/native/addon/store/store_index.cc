// SPDX-License-Identifier: Apache-2.0
#include "store/store_index.hh"

#include <algorithm>
#include <utility>

#include "engines/table_lookup.hh"

namespace exopool {
namespace {

// Interior pages and filters get this much even without a cache: otherwise a lookup costs a read per level.
constexpr uint64_t kPinnedBytesMin = 4u << 20;

const uint8_t *BytesOf(std::string_view bytes) { return reinterpret_cast<const uint8_t *>(bytes.data()); }
std::string_view ViewOf(const std::vector<uint8_t> &bytes) {
  return {reinterpret_cast<const char *>(bytes.data()), bytes.size()};
}

}  // namespace

StoreIndex::StoreIndex(uint64_t cache_bytes)
    : budget_bytes_(cache_bytes),
      pinned_(std::make_shared<PinnedMemory>(std::max(cache_bytes / 2, kPinnedBytesMin))),
      cache_(cache_bytes) {}

void StoreIndex::SetTables(std::shared_ptr<const TableVersion> version) {
  version_ = std::move(version);
  engines_ = std::make_shared<Lookup::Engines>(version_->tables.size(), Engine::kPread);
  ShareBudget();
}

void StoreIndex::SetEngines(Lookup::Engines engines) {
  if (engines.size() == version_->tables.size()) engines_ = std::make_shared<Lookup::Engines>(std::move(engines));
}

void StoreIndex::Close() {
  memtables_.clear();
  SetTables(std::make_shared<TableVersion>());
  cache_ = RowCache(0);
}

StoreIndex::Answer StoreIndex::Find(std::string_view key, uint64_t hash, std::string_view *value) {
  for (const std::shared_ptr<Memtable> &memtable : memtables_) {
    Memtable::Found found = memtable->Get(key, Memtable::kNewest, value);
    if (found == Memtable::Found::kUnknown) continue;
    counters_.memtable++;
    return found == Memtable::Found::kValue ? Answer::kValue : Answer::kAbsent;
  }
  RowCache::Kind kind = cache_.Get(key, hash, value);
  if (kind != RowCache::Kind::kNone) {
    counters_.row++;
    return kind == RowCache::Kind::kValue ? Answer::kValue : Answer::kAbsent;
  }
  size_t end = version_->tables.size();
  size_t table = version_->Next(0, end, key, hash, &counters_.filter_refusals);
  if (table < end) return FindInLeaves(key, hash, table, value);
  counters_.no_table++;
  return Answer::kAbsent;
}

StoreIndex::Answer StoreIndex::FindInLeaves(std::string_view key, uint64_t hash, size_t table,
                                            std::string_view *value) {
  if (cache_.leaves() == 0) return Answer::kUnknown;
  KeyBatch keys;
  keys.Add(BytesOf(key), key.size(), hash);
  Tally tally;  // no engine has done it
  uint64_t refused = 0;
  for (size_t end = version_->tables.size(); table < end; table = version_->Next(table + 1, end, key, hash, &refused)) {
    TableFile *file = version_->tables[table].file.get();
    if (walk_.Start(file, keys, 0, &tally, &leaf_result_)) {
      const uint8_t *leaf = cache_.GetLeaf(file->header().table_id, walk_.read().offset);
      if (leaf == nullptr || walk_.Supply(leaf)) return Answer::kUnknown;
    }
    if (leaf_result_.failure) return Answer::kUnknown;  // the walk finds it again, and reports it
    if (!leaf_result_.is_known()) continue;
    counters_.leaf++;
    *value = ViewOf(leaf_result_.value);
    return leaf_result_.found ? Answer::kValue : Answer::kAbsent;
  }
  counters_.leaf++;
  return Answer::kAbsent;
}

std::shared_ptr<Lookup> StoreIndex::NewLookup(KeyBatch keys) const {
  auto lookup = std::make_shared<Lookup>(version_, engines_, std::move(keys));
  lookup->copies_leaves = KeepsLeaves();
  return lookup;
}

void StoreIndex::ReadNow(std::string_view key, uint64_t hash, LookupResult *result) {
  KeyBatch keys;
  keys.Add(BytesOf(key), key.size(), hash);
  constexpr uint32_t kFirst = 0;
  uint64_t refused = 0;
  for (size_t end = version_->tables.size(), t = 0; !result->is_known(); t++) {
    t = version_->Next(t, end, key, hash, &refused);
    if (t == end) return;
    LookupByPread(*version_->tables[t].file, keys, &kFirst, 1, result, KeepsLeaves());
  }
}

void StoreIndex::Count(const LookupResult &result) {
  if (result.leaf != nullptr)
    cache_.PutLeaf(result.leaf->table_id, result.leaf->offset, result.leaf->page, EXO_PAGE_SIZE);
  if (result.failure) return;
  (result.found ? counters_.found_in_table : counters_.in_no_table)++;
}

void StoreIndex::Take(std::string_view key, uint64_t hash, uint64_t epoch, const LookupResult &result) {
  Count(result);
  if (result.failure) return;
  Admit(key, hash, epoch, result.found ? RowCache::Kind::kValue : RowCache::Kind::kAbsent, ViewOf(result.value));
}

bool StoreIndex::Admit(std::string_view key, uint64_t hash, uint64_t epoch, RowCache::Kind kind,
                       std::string_view value) {
  if (epoch != Epoch(hash)) return false;
  ShareBudget();
  cache_.Put(key, hash, kind, value);
  return true;
}

void StoreIndex::KeepLeaf(uint64_t table_id, uint64_t offset, const uint8_t *page) {
  ShareBudget();
  cache_.PutLeaf(table_id, offset, page, EXO_PAGE_SIZE);
}

void StoreIndex::Written(std::string_view key, uint64_t hash) {
  epochs_[hash % kEpochs]++;
  cache_.Erase(key, hash);
}

void StoreIndex::WrittenAll() {
  epoch_of_all_++;
  cache_.Clear();
}

// Interior pages come one by one, from other threads.
void StoreIndex::ShareBudget() {
  uint64_t bytes = pinned_->bytes();
  if (bytes == shared_bytes_) return;
  shared_bytes_ = bytes;
  cache_.SetLimit(bytes < budget_bytes_ ? budget_bytes_ - bytes : 0);
}

uint64_t StoreIndex::FilterAllowance(const TableFile &added) const {
  uint64_t interior_bytes = added.header().interior_pages * EXO_PAGE_SIZE;
  for (const VersionTable &table : version_->tables) {
    if (table.file.get() != &added) interior_bytes += table.file->header().interior_pages * EXO_PAGE_SIZE;
  }
  uint64_t taken = interior_bytes + pinned_->filter_bytes;
  return taken < pinned_->bytes_max ? pinned_->bytes_max - taken : 0;
}

size_t StoreIndex::tables_without_filter() const {
  return static_cast<size_t>(std::count_if(version_->tables.begin(), version_->tables.end(),
                                           [](const VersionTable &table) { return !table.file->has_filter(); }));
}

}  // namespace exopool

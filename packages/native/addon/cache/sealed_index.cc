// SPDX-License-Identifier: Apache-2.0
#include "cache/sealed_index.hh"

#include <algorithm>

namespace exopool {
namespace {

constexpr size_t kCapacityMin = 16;
// Slots behind the last home: displaced entries of a table that is nine tenths full need a few dozen.
size_t SpillOf(size_t capacity) { return 16 + capacity / 32; }
size_t FullAt(size_t capacity) { return capacity - capacity / 10; }

}  // namespace

size_t SealedIndex::Table::HomeOf(uint64_t hash) const {
  return static_cast<size_t>((static_cast<unsigned __int128>(hash << 8) * capacity) >> 64);
}

size_t SealedIndex::Table::LowerBound(uint64_t hash) const {
  if (slots == 0) return 0;
  size_t at = HomeOf(hash);
  while (at < slots && entries[at].hash != 0 && entries[at].hash < hash) ++at;
  return at;
}

bool SealedIndex::Table::TryInsert(const IndexEntry &entry) {
  const size_t at = LowerBound(entry.hash);
  size_t empty = at;
  while (empty < slots && entries[empty].hash != 0) ++empty;
  if (empty >= slots) return false;
  std::copy_backward(&entries[at], &entries[empty], &entries[empty] + 1);
  entries[at] = entry;
  ++used;
  return true;
}

// The following entries move up while that brings them nearer to their homes.
void SealedIndex::Table::EraseAt(size_t at) {
  while (at + 1 < slots && entries[at + 1].hash != 0 && HomeOf(entries[at + 1].hash) <= at) {
    entries[at] = entries[at + 1];
    ++at;
  }
  entries[at] = IndexEntry{};
  --used;
}

void SealedIndex::Table::Rebuild(size_t wanted) {
  Table larger;
  for (;; wanted += wanted / 10 + 1) {
    larger.capacity = wanted;
    larger.slots = wanted + SpillOf(wanted);
    larger.entries.reset(new IndexEntry[larger.slots]());
    size_t next = 0;
    for (size_t from = 0; from < slots; ++from) {
      if (entries[from].hash == 0) continue;
      next = std::max(next, larger.HomeOf(entries[from].hash));
      if (next >= larger.slots) break;
      larger.entries[next++] = entries[from];
      ++larger.used;
    }
    if (larger.used == used) break;
    larger.used = 0;
  }
  *this = std::move(larger);
}

IndexEntry *SealedIndex::Find(uint64_t hash) {
  Table &table = TableOf(hash);
  const size_t at = table.LowerBound(hash);
  return at < table.slots && table.entries[at].hash == hash ? &table.entries[at] : nullptr;
}

void SealedIndex::Insert(const IndexEntry &entry) {
  Table &table = TableOf(entry.hash);
  const auto grow = [&table] { table.Rebuild(std::max(kCapacityMin, table.capacity + table.capacity / 10 + 1)); };
  if (table.used >= FullAt(table.capacity)) grow();
  while (!table.TryInsert(entry)) grow();
  ++size_;
}

bool SealedIndex::Erase(uint64_t hash) {
  Table &table = TableOf(hash);
  const size_t at = table.LowerBound(hash);
  if (at >= table.slots || table.entries[at].hash != hash) return false;
  table.EraseAt(at);
  --size_;
  if (table.capacity > kCapacityMin && table.used < table.capacity / 2)
    table.Rebuild(std::max(kCapacityMin, table.used + table.used / 4));
  return true;
}

size_t SealedIndex::memory_bytes() const {
  size_t bytes = sizeof *this;
  for (const Table &table : tables_) bytes += table.slots * sizeof(IndexEntry);
  return bytes;
}

}  // namespace exopool

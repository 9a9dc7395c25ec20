// SPDX-License-Identifier: Apache-2.0
// Where each value of a sealed cache is: 16 bytes a slot, and no keys.
//
//   slot   | hash, 64 bits of the key's keyed hash | segment 22, offset 20, length 20, uses 2 |
//
// A table is kept in the order of its hashes (linear probing, ordered), so a search ends at the first larger hash
// however full the table is, and all entries of a range of hashes are neighbours. So a segment can remember its values
// by 3 bytes each: the first 24 bits of their hashes.
//
// There are 256 tables, by the first 8 bits. A table that is nine tenths full grows by a tenth. So at any size a pair
// takes 16 / 0.9 to 16 / 0.82 bytes, and only one table in 256 is ever held twice.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

namespace exopool {

struct IndexEntry {
  static constexpr uint32_t kSegmentBits = 22, kOffsetBits = 20, kLengthBits = 20;
  static constexpr uint32_t kUsesMax = 3;

  uint64_t hash = 0;  // 0: an empty slot
  uint64_t segment : kSegmentBits;
  uint64_t offset : kOffsetBits;  // in its segment
  uint64_t length : kLengthBits;  // as stored
  uint64_t uses : 2;              // hits since it was written, up to kUsesMax
};
static_assert(sizeof(IndexEntry) == 16, "what a pair costs");

class SealedIndex {
 public:
  static constexpr size_t kTables = 256;
  static constexpr int kPrefixBits = 24;

  static uint32_t PrefixOf(uint64_t hash) { return static_cast<uint32_t>(hash >> (64 - kPrefixBits)); }

  // Valid until the next change. Hashes are not 0.
  IndexEntry *Find(uint64_t hash);
  // Adds the entry; its hash must not be in the index.
  void Insert(const IndexEntry &entry);
  bool Erase(uint64_t hash);
  // Erases every entry whose hash begins with `prefix` and for which `gone(entry)` is true.
  template <typename Gone>
  void EraseWithPrefix(uint32_t prefix, Gone gone) {
    Table &table = tables_[prefix >> (kPrefixBits - 8)];
    const uint64_t lowest = uint64_t{prefix} << (64 - kPrefixBits);
    for (size_t at = table.LowerBound(lowest); at < table.slots;) {
      const IndexEntry &entry = table.entries[at];
      if (entry.hash == 0 || PrefixOf(entry.hash) != prefix) {
        // Neighbours of a cluster can be apart by an empty slot only when their homes are.
        if (entry.hash != 0 || at >= table.HomeOf(lowest | ((uint64_t{1} << (64 - kPrefixBits)) - 1))) break;
        ++at;
      } else if (gone(entry)) {
        table.EraseAt(at);
        --size_;
      } else {
        ++at;
      }
    }
  }

  size_t size() const { return size_; }
  size_t memory_bytes() const;

 private:
  struct Table {
    std::unique_ptr<IndexEntry[]> entries;
    size_t capacity = 0;  // homes
    size_t slots = 0;     // with those behind the last home
    size_t used = 0;

    size_t HomeOf(uint64_t hash) const;
    // The first slot, from the hash's home on, that is empty or holds no smaller hash.
    size_t LowerBound(uint64_t hash) const;
    bool TryInsert(const IndexEntry &entry);
    void EraseAt(size_t at);
    void Rebuild(size_t capacity);
  };

  Table &TableOf(uint64_t hash) { return tables_[hash >> 56]; }

  Table tables_[kTables];
  size_t size_ = 0;
};

}  // namespace exopool

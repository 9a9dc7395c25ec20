// SPDX-License-Identifier: Apache-2.0
// Recently read rows and leaf pages, within a budget of memory.
//
// S3-FIFO (Yang et al., SOSP 2023) over logs: a new entry waits in a small queue, and moves to the main queue only if
// it is hit before its turn to leave. Entries that are read once, by a scan or at random, pass through a tenth of the
// memory. A ghost remembers hashes of entries that left unused, so that those that return soon go to the main queue at
// once. A hit only increments a number in the row.
//
//   Put -> [ small: segment | segment | ... ] -- used --> [ main: segment | segment | ... ] -+
//                      | unused                              ^    used: once more around     |
//                      v                                     +------------------------------+
//                   [ ghost ]                                          unused: gone
//
// - Both queues are logs of segments, and a queue gives up its oldest segment as a whole. No row has a malloc of its
//   own, nothing fragments, and memory is given back to the kernel when the budget shrinks.
// - The index has buckets of eight slots, a cache line; a slot is 24 bits of hash and 40 of place. A full bucket gives
//   up one of its rows, so the index never grows. It has a slot for each kSlotBytes of the budget, which limits the
//   number of smaller rows.
// - A row costs 16 bytes and padding to 8 beside its bytes; index and ghost take 7 % of the budget.
//
// Not safe for several threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string_view>
#include <vector>

namespace exopool {

// Zeroed memory from the kernel, allocated when it is touched.
class MappedBytes {
 public:
  MappedBytes() = default;
  explicit MappedBytes(size_t bytes);  // throws std::bad_alloc
  ~MappedBytes();
  MappedBytes(MappedBytes &&other) noexcept;
  MappedBytes &operator=(MappedBytes &&other) noexcept;

  uint8_t *data() const { return data_; }
  size_t size() const { return size_; }
  // Frees a part, which reads as zeroes again.
  void Discard(size_t offset, size_t bytes);

 private:
  uint8_t *data_ = nullptr;
  size_t size_ = 0;
};

class RowCache {
 public:
  enum class Kind : uint8_t { kNone, kValue, kAbsent, kLeaf };

  // Too small a budget keeps nothing. Throws std::bad_alloc.
  explicit RowCache(size_t budget_bytes);

  // Sets the limit, the part of the budget that other users leave. Evicts what no longer fits.
  void SetLimit(size_t bytes);

  // A row, with its value if it has one. The value is good until the next call of Put, Erase or SetLimit.
  Kind Get(std::string_view key, uint64_t hash, std::string_view *value);
  // Replaces the key's entry. A row longer than entry_bytes_max() is not kept, and the old entry is gone.
  void Put(std::string_view key, uint64_t hash, Kind kind, std::string_view value);
  void Erase(std::string_view key, uint64_t hash);

  // Leaf pages, by the table's random number and their offset.
  const uint8_t *GetLeaf(uint64_t table_id, uint64_t offset);
  void PutLeaf(uint64_t table_id, uint64_t offset, const uint8_t *page, size_t bytes);

  void Clear();

  size_t rows() const { return rows_; }
  size_t leaves() const { return leaves_; }
  // Memory taken, to the segment.
  size_t bytes() const { return segment_bytes_ == 0 ? 0 : overhead_bytes_ + dirty_ * segment_bytes_; }
  size_t entry_bytes_max() const { return segment_bytes_ / kEntryShare; }

  static constexpr size_t kSlotBytes = 128;

 private:
  struct Entry;
  using Queue = std::deque<uint32_t>;  // of segments, the oldest first

  // An entry takes at most this part of a segment, so that little of one is left unused at its end.
  static constexpr size_t kEntryShare = 8;
  static constexpr size_t kBucketSlots = 8;
  static constexpr size_t kGhostSlots = 32;  // hashes in a bucket of the ghost, two bytes each

  Entry *At(uint64_t place) const;
  uint64_t *BucketOf(uint64_t hash) const;
  uint64_t *Find(std::string_view key, uint64_t hash, bool is_leaf) const;
  void Link(uint64_t hash, uint64_t place);
  void Unlink(uint64_t *slot);
  void Add(std::string_view key, uint64_t hash, Kind kind, std::string_view value);
  uint64_t Append(Queue *queue, const Entry *header, std::string_view key, std::string_view value);
  size_t queued() const { return small_.size() + main_.size(); }
  void MakeRoom();
  void EvictSmall();
  void EvictMain();
  template <typename Visit>
  void ForEachLive(uint32_t segment, Visit visit);
  void MoveToMain(uint64_t *slot, Entry *entry, uint8_t uses, size_t *moved_bytes);
  bool TakeGhost(uint64_t hash);
  void AddGhost(uint64_t hash);
  uint16_t *GhostOf(uint64_t hash) const;

  size_t overhead_bytes_ = 0;  // index and ghost
  size_t segment_bytes_ = 0;   // 0: nothing is kept
  size_t segments_max_ = 0;    // that may be taken now
  size_t buckets_ = 0, ghosts_ = 0;
  MappedBytes index_, ghost_, log_;
  std::vector<uint32_t> used_;  // bytes of each segment
  std::vector<uint32_t> free_;  // segments, those last used at the end
  size_t dirty_ = 0;            // segments that have memory
  std::vector<bool> is_dirty_;
  Queue small_, main_;
  size_t rows_ = 0, leaves_ = 0;
};

}  // namespace exopool

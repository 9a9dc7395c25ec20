// SPDX-License-Identifier: Apache-2.0
// Where the next value goes: leased slabs as segments, in two queues.
//
//   region (a session's slabs)    | seg | seg | seg | ...        region  | seg | seg | ...
//   probation  s7 -> s2 -> open   what was written for the first time; a tenth of all segments when full
//   main       s4 -> s9 -> open   what was used on probation, or came back soon after it had been evicted
//
// The queues are those of S3-FIFO, by whole segments: a scan passes through probation and does not touch main. Only
// whole segments are freed, so nothing fragments and every write is sequential.
//
// Opening a segment gives it the next write number. (number, offset) is never used twice, so it serves as the nonce,
// and shows whether a place changed since a read began.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <vector>

#include "cache/sealed_index.hh"

namespace exopool {

enum class SegmentQueue : uint8_t { kProbation = 0, kMain = 1 };

struct Segment {
  uint64_t region = 0;
  uint32_t slab = 0;
  uint32_t start = 0;  // in its slab
  uint32_t bytes = 0;
  uint32_t used = 0;
  uint64_t write = 0;
  SegmentQueue queue = SegmentQueue::kProbation;
  bool exists = false;
  std::vector<uint8_t> prefixes;  // SealedIndex::PrefixOf of every value in it, 3 bytes each
};

class SegmentLog {
 public:
  static constexpr uint32_t kSegmentBytesMax = 1u << IndexEntry::kOffsetBits;
  static constexpr uint32_t kSegmentBytesMin = 4096;  // below, too much space is left unused at the end
  static constexpr uint32_t kSegmentsWanted = 64;     // of a region, so that one is a small part of the cache
  static constexpr size_t kSegmentsMax = size_t{1} << IndexEntry::kSegmentBits;  // 4 TiB
  static constexpr size_t kProbationShare = 10;                                  // a tenth, as in the paper of S3-FIFO

  // Called with a segment before its values are dropped.
  using Evict = std::function<void(uint32_t segment, bool lost)>;
  explicit SegmentLog(Evict evict) : evict_(std::move(evict)) {}

  // Uses only part of the slabs once kSegmentsMax is reached.
  void AddRegion(uint64_t region, uint32_t slabs, uint32_t slab_bytes);
  void RemoveRegion(uint64_t region);
  void RemoveSlab(uint64_t region, uint32_t slab);

  struct Place {
    uint32_t segment;
    uint32_t offset;
  };
  // Space for `bytes` (at least 1). Empty if no segment is large enough.
  std::optional<Place> Append(SegmentQueue queue, uint32_t bytes, uint64_t hash);

  Segment &operator[](uint32_t segment) { return segments_[segment]; }
  const std::vector<Segment> &segments() const { return segments_; }
  uint64_t capacity_bytes() const { return capacity_bytes_; }
  size_t memory_bytes() const;

 private:
  struct Region {
    uint32_t segment_bytes = 0;
    std::vector<uint32_t> free;
  };
  static constexpr uint32_t kNone = UINT32_MAX;

  std::optional<uint32_t> Take();
  void Forget(uint32_t segment);
  bool Fits(uint32_t bytes) const;

  const Evict evict_;
  std::vector<Segment> segments_;
  std::vector<uint32_t> unused_;  // free numbers of removed segments
  std::map<uint64_t, Region> regions_;
  std::deque<uint32_t> queues_[2];  // oldest first
  uint32_t open_[2] = {kNone, kNone};
  uint64_t writes_ = 0;
  uint64_t capacity_bytes_ = 0;
};

}  // namespace exopool

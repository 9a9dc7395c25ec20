// SPDX-License-Identifier: Apache-2.0
#include "cache/segment_log.hh"

#include <algorithm>

namespace exopool {
namespace {

uint32_t SegmentBytesOf(uint32_t slabs, uint32_t slab_bytes) {
  const uint64_t share = uint64_t{slabs} * slab_bytes / SegmentLog::kSegmentsWanted;
  uint32_t bytes = SegmentLog::kSegmentBytesMin;
  while (bytes * 2 <= share && bytes < SegmentLog::kSegmentBytesMax) bytes *= 2;
  return std::min(bytes, slab_bytes);
}

}  // namespace

void SegmentLog::AddRegion(uint64_t id, uint32_t slabs, uint32_t slab_bytes) {
  Region &region = regions_[id];
  region.segment_bytes = SegmentBytesOf(slabs, slab_bytes);
  // The first slab's first segment is taken first.
  for (uint32_t slab = slabs; slab-- > 0;) {
    for (uint32_t left = slab_bytes / region.segment_bytes; left-- > 0;) {
      if (unused_.empty() && segments_.size() == kSegmentsMax) return;
      uint32_t number = static_cast<uint32_t>(segments_.size());
      if (unused_.empty()) {
        segments_.emplace_back();
      } else {
        number = unused_.back();
        unused_.pop_back();
      }
      Segment &segment = segments_[number];
      segment = Segment{};
      segment.region = id;
      segment.slab = slab;
      segment.start = left * region.segment_bytes;
      segment.bytes = region.segment_bytes;
      segment.exists = true;
      region.free.push_back(number);
      capacity_bytes_ += segment.bytes;
    }
  }
}

void SegmentLog::RemoveRegion(uint64_t region) {
  for (uint32_t number = 0; number < segments_.size(); ++number) {
    if (segments_[number].exists && segments_[number].region == region) Forget(number);
  }
  regions_.erase(region);
}

void SegmentLog::RemoveSlab(uint64_t region, uint32_t slab) {
  for (uint32_t number = 0; number < segments_.size(); ++number) {
    const Segment &segment = segments_[number];
    if (segment.exists && segment.region == region && segment.slab == slab) Forget(number);
  }
}

void SegmentLog::Forget(uint32_t number) {
  evict_(number, true);
  Segment &segment = segments_[number];
  capacity_bytes_ -= segment.bytes;
  std::vector<uint32_t> &free = regions_[segment.region].free;
  free.erase(std::remove(free.begin(), free.end(), number), free.end());
  for (const size_t queue : {0, 1}) {
    queues_[queue].erase(std::remove(queues_[queue].begin(), queues_[queue].end(), number), queues_[queue].end());
    if (open_[queue] == number) open_[queue] = kNone;
  }
  segment = Segment{};
  unused_.push_back(number);
}

bool SegmentLog::Fits(uint32_t bytes) const {
  return std::any_of(regions_.begin(), regions_.end(), [bytes](const auto &region) {
    return region.second.segment_bytes >= bytes && bytes < (1u << IndexEntry::kLengthBits);
  });
}

std::optional<SegmentLog::Place> SegmentLog::Append(SegmentQueue queue, uint32_t bytes, uint64_t hash) {
  bytes = std::max(1u, bytes);
  if (!Fits(bytes)) return std::nullopt;
  const size_t at = static_cast<size_t>(queue);
  while (open_[at] == kNone || segments_[open_[at]].bytes - segments_[open_[at]].used < bytes) {
    if (open_[at] != kNone) segments_[open_[at]].prefixes.shrink_to_fit();
    const std::optional<uint32_t> taken = Take();
    if (!taken) return std::nullopt;
    Segment &segment = segments_[*taken];
    segment.used = 0;
    segment.write = ++writes_;
    segment.queue = queue;
    queues_[at].push_back(*taken);
    open_[at] = *taken;
  }
  Segment &segment = segments_[open_[at]];
  const uint32_t offset = segment.used;
  segment.used += bytes;
  const uint32_t prefix = SealedIndex::PrefixOf(hash);
  for (const int shift : {16, 8, 0}) segment.prefixes.push_back(static_cast<uint8_t>(prefix >> shift));
  return Place{open_[at], offset};
}

// A free segment of the region with the most, so that producers share load and risk. Else the oldest segment of the
// queue that is too long.
std::optional<uint32_t> SegmentLog::Take() {
  Region *most = nullptr;
  for (auto &[id, region] : regions_) {
    if (!region.free.empty() && (most == nullptr || region.free.size() > most->free.size())) most = &region;
  }
  if (most != nullptr) {
    const uint32_t number = most->free.back();
    most->free.pop_back();
    return number;
  }
  const size_t total = queues_[0].size() + queues_[1].size();
  if (total == 0) return std::nullopt;
  const bool from_main =
      queues_[0].empty() || (!queues_[1].empty() && queues_[0].size() <= std::max<size_t>(1, total / kProbationShare));
  std::deque<uint32_t> &queue = queues_[from_main];
  const uint32_t number = queue.front();
  queue.pop_front();
  if (open_[from_main] == number) open_[from_main] = kNone;
  evict_(number, false);
  segments_[number].prefixes.clear();
  return number;
}

size_t SegmentLog::memory_bytes() const {
  size_t bytes = segments_.capacity() * sizeof(Segment);
  for (const Segment &segment : segments_) bytes += segment.prefixes.capacity();
  return bytes;
}

}  // namespace exopool

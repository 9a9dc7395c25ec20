// SPDX-License-Identifier: Apache-2.0
// Index and segment log of a sealed cache against a map with all values.
//
//   input: operations of 4 bytes: what, hash (from 64 that share prefixes), length or number, queue
//
// Beside the sanitizers' checks: the index finds exactly what the map holds, no two values have a byte in common,
// places lie inside of their slabs, and an evicted segment's list names every value that was in it.
#include <cstdlib>
#include <map>

#include "cache/sealed_index.cc"
#include "cache/segment_log.cc"
#include "fuzz_target.hh"

namespace {

using namespace exopool;

constexpr uint32_t kSlabBytes = 8192;

void Require(bool condition) {
  if (!condition) abort();
}

class Model {
 public:
  Model() : log_([this](uint32_t segment, bool) { Evict(segment); }) {}

  void Step(const uint8_t *op) {
    // Few tables and prefixes, and hashes that differ in their last bits only.
    const uint64_t hash = uint64_t{op[1] & 3u} << 62 | uint64_t{op[1] >> 2 & 3u} << 40 | (op[1] >> 4) | 1u << 8;
    const uint64_t region = op[2] % 3;
    switch (op[0] % 8) {
      case 0:
        if (regions_.count(region) == 0) log_.AddRegion(region, regions_[region] = 1 + op[3] % 3, kSlabBytes);
        break;
      case 1:
        if (regions_.erase(region) > 0) log_.RemoveRegion(region);
        break;
      case 2:
        log_.RemoveSlab(region, op[3] % 3);
        break;
      case 3:
        Require(index_.Erase(hash) == (entries_.erase(hash) > 0));
        break;
      default:
        Put(hash, static_cast<SegmentQueue>(op[3] & 1), 1u + op[2] * 17u);
    }
    Check();
  }

 private:
  void Put(uint64_t hash, SegmentQueue queue, uint32_t length) {
    index_.Erase(hash);
    entries_.erase(hash);
    const auto place = log_.Append(queue, length, hash);
    if (!place) return;
    IndexEntry entry{};
    entry.hash = hash;
    entry.segment = place->segment;
    entry.offset = place->offset;
    entry.length = length;
    index_.Insert(entry);
    entries_[hash] = entry;
  }

  void Evict(uint32_t number) {
    const std::vector<uint8_t> &prefixes = log_[number].prefixes;
    for (size_t at = 0; at + 2 < prefixes.size(); at += 3) {
      const uint32_t prefix = uint32_t{prefixes[at]} << 16 | uint32_t{prefixes[at + 1]} << 8 | prefixes[at + 2];
      index_.EraseWithPrefix(prefix, [&](const IndexEntry &entry) {
        if (entry.segment != number) return false;
        Require(entries_.erase(entry.hash) == 1);
        return true;
      });
    }
    for (const auto &[hash, entry] : entries_) Require(entry.segment != number);
  }

  void Check() {
    Require(index_.size() == entries_.size());
    std::map<std::pair<uint64_t, uint64_t>, uint64_t> taken;  // (region and slab, start) -> end
    for (const auto &[hash, entry] : entries_) {
      const IndexEntry *found = index_.Find(hash);
      Require(found != nullptr && found->segment == entry.segment && found->offset == entry.offset);
      const Segment &segment = log_[static_cast<uint32_t>(entry.segment)];
      const uint64_t start = segment.start + entry.offset, end = start + entry.length;
      Require(segment.exists && end <= segment.start + segment.used && end <= kSlabBytes);
      const uint64_t slab = segment.region << 32 | segment.slab;
      const auto next = taken.lower_bound({slab, start});
      if (next != taken.end() && next->first.first == slab) Require(end <= next->first.second);
      if (next != taken.begin() && std::prev(next)->first.first == slab) Require(std::prev(next)->second <= start);
      taken[{slab, start}] = end;
    }
  }

  SealedIndex index_;
  SegmentLog log_;
  std::map<uint64_t, uint32_t> regions_;
  std::map<uint64_t, IndexEntry> entries_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  Model model;
  for (size_t at = 0; at + 4 <= size && at < 4096; at += 4) model.Step(data + at);
  return 0;
}

std::vector<FuzzInput> Seeds(std::mt19937_64 &random) {
  std::vector<FuzzInput> seeds;
  for (size_t operations : {8, 60, 250}) {
    FuzzInput input{0, 0, 0, 1};
    for (size_t i = 0; i < 4 * operations; ++i) input.push_back(static_cast<uint8_t>(random()));
    seeds.push_back(input);
  }
  return seeds;
}

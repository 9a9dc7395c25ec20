// SPDX-License-Identifier: Apache-2.0
// Extents from a file system, hostile or not, and a page to locate. The input is
//
//   byte 0      8 bytes    20 bytes an extent ...
//   lba_shift   offset     how far from the end of the last one, length, place on the device, flags
//
// Beside the sanitizers' checks: accepted extents are sorted and without overlaps, and the BPF program's binary search
// agrees with a linear search.
#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "engines/extent_snapshot.cc"  // its pure half
#include "extent_search.h"
#include "fuzz_target.hh"

namespace {

constexpr size_t kHeaderBytes = 9;
constexpr size_t kExtentBytes = 20;
constexpr uint64_t kPartitionStart = 63 * 512;

void Require(bool condition) {
  if (!condition) abort();
}

std::vector<exo_extent> extents;

const exo_extent *ExtentAt(uint32_t index) { return index < extents.size() ? &extents[index] : nullptr; }

EXO_DEFINE_LOCATE(Locate, ExtentAt, static)

template <typename T>
T Read(const uint8_t *data) {
  T value;
  memcpy(&value, data, sizeof(value));
  return value;
}

std::vector<fiemap_extent> Parse(const uint8_t *data, size_t size) {
  std::vector<fiemap_extent> parsed;
  uint64_t end = 0;
  for (; size >= kExtentBytes; data += kExtentBytes, size -= kExtentBytes) {
    fiemap_extent extent{};
    extent.fe_logical = end + Read<uint32_t>(data);
    extent.fe_length = Read<uint32_t>(data + 4);
    extent.fe_physical = Read<uint64_t>(data + 8) >> 8;
    extent.fe_flags = Read<uint32_t>(data + 16);
    end = extent.fe_logical + extent.fe_length;
    parsed.push_back(extent);
  }
  return parsed;
}

// The page's place by a look at every byte's extent: its first block, or none.
bool LocateSlowly(const std::vector<fiemap_extent> &from, uint64_t offset, unsigned shift, uint64_t *lba) {
  auto place = [&from](uint64_t at, uint64_t *physical) {
    for (const fiemap_extent &extent : from) {
      if (at < extent.fe_logical || at - extent.fe_logical >= extent.fe_length) continue;
      *physical = kPartitionStart + extent.fe_physical + (at - extent.fe_logical);
      return true;
    }
    return false;
  };
  uint64_t first = 0;
  if (!place(offset, &first)) return false;
  for (uint64_t i = 1; i < EXO_PAGE_SIZE; i++) {
    uint64_t physical = 0;
    if (!place(offset + i, &physical) || physical != first + i) return false;
  }
  *lba = first >> shift;
  return first % (1ull << shift) == 0;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < kHeaderBytes) return 0;
  std::vector<fiemap_extent> from = Parse(data + kHeaderBytes, std::min<size_t>(size, 4096) - kHeaderBytes);
  extents.clear();
  if (!exopool::AppendExtents(from.data(), from.size(), kPartitionStart, &extents).empty()) return 0;
  for (size_t i = 1; i < extents.size(); i++)
    Require(extents[i].file_offset >= extents[i - 1].file_offset + extents[i - 1].bytes);

  unsigned shift = 9 + data[0] % 4;
  uint64_t end = from.empty() ? 1 : from.back().fe_logical + from.back().fe_length + 1;
  uint64_t offset = Read<uint64_t>(data + 1) % end;
  __u64 lba = 0;
  uint64_t expected = 0;
  int status = Locate(0, static_cast<uint32_t>(extents.size()), offset, shift, &lba);
  bool found = LocateSlowly(from, offset, shift, &expected);
  Require(status == (found ? EXO_CHAIN_GOING : EXO_CHAIN_STRADDLE));
  Require(!found || lba == expected);
  return 0;
}

std::vector<FuzzInput> Seeds(std::mt19937_64 &random) {
  std::vector<FuzzInput> seeds;
  for (unsigned count : {0u, 1u, 2u, 7u, 30u}) {
    FuzzInput seed(kHeaderBytes + count * kExtentBytes);
    for (uint8_t &byte : seed) byte = static_cast<uint8_t>(random());
    uint64_t physical = 1 << 20;
    for (unsigned i = 0; i < count; i++) {
      uint8_t *at = seed.data() + kHeaderBytes + i * kExtentBytes;
      uint32_t gap = random() % 4 == 0 ? 4096 : 0;
      auto length = static_cast<uint32_t>(1024 * (1 + random() % 32));
      if (random() % 2 == 0) physical += 1 << 16;
      uint64_t stored = physical << 8;
      uint32_t flags = 0;
      memcpy(at, &gap, 4);
      memcpy(at + 4, &length, 4);
      memcpy(at + 8, &stored, 8);
      memcpy(at + 16, &flags, 4);
      physical += length;
    }
    seeds.push_back(seed);
  }
  return seeds;
}

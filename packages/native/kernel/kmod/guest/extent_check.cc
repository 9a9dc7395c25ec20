// SPDX-License-Identifier: Apache-2.0
// The look-up of extents against a search from the first to the last, and how long it takes: extent_check
//
// Runs anywhere. Files of 1 to EXO_FILE_EXTENTS_MAX extents of random lengths; random blocks, within the file and
// beyond, some of them across two extents. Prints a line of JSON for each number of extents; 1 at the first wrong
// answer.
#include <cinttypes>

#include "../extents.h"
#include "chase_file.hh"
#include "clock.hh"

using namespace exopool;

namespace {

constexpr uint32_t kCounts[] = {1, 4, 16, 64, 256, 1024, 4096, 16384, EXO_FILE_EXTENTS_MAX};
constexpr uint32_t kBlockBytes = 4096;
constexpr uint64_t kSector = 512;
constexpr uint32_t kChecked = 2000;
// Enough to hide the clock's cost, and few enough that their list stays in the cache.
constexpr uint32_t kLookups = 4096;
constexpr int kRounds = 50;

struct File {
  std::vector<exo_extent> extents;
  uint64_t bytes = 0;
};

// Lengths are whole sectors, most of them whole blocks.
File MakeFile(uint32_t count, Random *random) {
  File file;
  for (uint32_t i = 0; i < count; i++) {
    uint64_t unit = random->Below(8) == 0 ? kSector : kBlockBytes;
    file.extents.push_back({file.bytes, random->Below(1ull << 40)});
    file.bytes += (1 + random->Below(64)) * unit;
  }
  file.bytes += kBlockBytes;
  return file;
}

// The contract, written plainly.
exo_end FindSlowly(const File &file, uint64_t offset, uint64_t *sector) {
  if (offset % kBlockBytes != 0 || offset >= file.bytes || file.bytes - offset < kBlockBytes) return EXO_END_OUTSIDE;
  size_t in = file.extents.size();
  while (file.extents[in - 1].start > offset) in--;
  if (in < file.extents.size() && file.extents[in].start - offset < kBlockBytes) return EXO_END_STRADDLE;
  *sector = file.extents[in - 1].sector + (offset - file.extents[in - 1].start) / kSector;
  return EXO_END_NONE;
}

exo_end Find(const File &file, uint64_t offset, uint64_t *sector) {
  __u64 found = 0;
  auto end = exo_extents_find(file.extents.data(), static_cast<uint32_t>(file.extents.size()), file.bytes, offset,
                              kBlockBytes, &found);
  *sector = found;
  return end;
}

uint64_t RandomOffset(const File &file, Random *random) {
  switch (random->Below(16)) {
    case 0:
      return random->Next();
    case 1:
      return file.bytes - random->Below(3 * kBlockBytes);
    case 2:
      return random->Below(file.bytes);
    default:
      return random->Below(file.bytes) / kBlockBytes * kBlockBytes;
  }
}

bool IsRight(const File &file, Random *random) {
  for (uint32_t i = 0; i < kChecked; i++) {
    uint64_t offset = RandomOffset(file, random), sector = 0, expected_sector = 0;
    exo_end expected = FindSlowly(file, offset, &expected_sector), end = Find(file, offset, &sector);
    if (end == expected && sector == expected_sector) continue;
    printf("offset %" PRIu64 ": end %d, sector %" PRIu64 ", not %d, %" PRIu64 "\n", offset, end, sector, expected,
           expected_sector);
    return false;
  }
  return true;
}

// Of the fastest round. Each look-up waits for the one before it, as hops do.
double NsPerLookup(const File &file, Random *random) {
  std::vector<uint64_t> offsets(kLookups);
  for (uint64_t &offset : offsets) offset = random->Below(file.bytes / kBlockBytes) * kBlockBytes;
  double best_ns = 0;
  uint64_t sector = 0;
  for (int round = 0; round < kRounds; round++) {
    double start_ns = NowNs();
    for (uint32_t i = 0; i < kLookups; i++) {
      uint64_t offset = offsets[i] + (sector >> 63);
      if (Find(file, offset, &sector) == EXO_END_OUTSIDE) Die("a block of the file is outside");
    }
    double ns = (NowNs() - start_ns) / kLookups;
    if (round == 0 || ns < best_ns) best_ns = ns;
  }
  return best_ns;
}

}  // namespace

int main() {
  Random random(31);
  for (uint32_t count : kCounts) {
    File file = MakeFile(count, &random);
    if (!IsRight(file, &random)) return 1;
    printf("{\"extents\": %u, \"nsPerLookup\": %.1f}\n", count, NsPerLookup(file, &random));
  }
  return 0;
}

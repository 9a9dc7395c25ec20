// SPDX-License-Identifier: Apache-2.0
// Pages of another process: which exist (/proc/PID/maps, /proc/PID/pagemap), and advice on them (process_madvise). All
// of it needs the rights to look at the process.
#pragma once

#include <sys/types.h>
#include <sys/uio.h>

#include <cstdint>
#include <string>
#include <vector>

namespace exopool {

constexpr uint64_t kPageBytes = 4096;

// Of an entry of pagemap.
constexpr uint64_t kPresentBit = uint64_t{1} << 63;
constexpr uint64_t kSwappedBit = uint64_t{1} << 62;
constexpr uint64_t kFileBit = uint64_t{1} << 61;  // of a file, or of shared memory

struct PageRun {
  uint64_t page;  // its number: address / 4096
  uint64_t pages;
};

std::string ProcPath(pid_t pid, const char *name);

// The readable ranges of the process, in order of address. The rest is reserved address space, often very large. 0, or
// an errno: ENOENT or ESRCH if the process is gone.
int ReadableAreas(pid_t pid, std::vector<PageRun> *areas);

// Appends the runs of pages of [first, end) whose entry in pagemap is `wanted` under `mask`; stops once `most`
// pages of them were found. 0, or an errno.
int ScanPages(int pagemap, uint64_t first, uint64_t end, uint64_t mask, uint64_t wanted, uint64_t most,
              std::vector<PageRun> *runs);

// Advises the kernel on all ranges. Ranges that were unmapped meanwhile, or that do not allow this advice, are skipped.
// 0, or an errno; adds the accepted bytes to `advised`.
int AdviseRanges(int pidfd, const std::vector<iovec> &ranges, int advice, uint64_t *advised);

}  // namespace exopool

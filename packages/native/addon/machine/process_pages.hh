// SPDX-License-Identifier: Apache-2.0
// Pages of another process: which there are (/proc/PID/maps, /proc/PID/pagemap), and advice on them
// (process_madvise). All of it needs the rights to look at the process.
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

// What the process may read, in order of address. The rest is address space that was set aside, often very
// much of it. 0, or an errno: ENOENT or ESRCH when the process is gone.
int ReadableAreas(pid_t pid, std::vector<PageRun> *areas);

// Appends the runs of pages of [first, end) whose entry in pagemap is `wanted` under `mask`; stops once `most`
// pages of them were found. 0, or an errno.
int ScanPages(int pagemap, uint64_t first, uint64_t end, uint64_t mask, uint64_t wanted, uint64_t most,
              std::vector<PageRun> *runs);

// Advises the kernel on all ranges. Those that were unmapped meanwhile, or that this advice is not for, are
// skipped. 0, or an errno; adds to `advised` how many bytes it was taken for.
int AdviseRanges(int pidfd, const std::vector<iovec> &ranges, int advice, uint64_t *advised);

}  // namespace exopool

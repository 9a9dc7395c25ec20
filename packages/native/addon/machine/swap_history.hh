// SPDX-License-Identifier: Apache-2.0
// Which pages of a process are swapped out, and since when, so that the last ones out can be brought back first.
//
// The kernel reports that a page is swapped out (/proc/PID/pagemap), not since when. So the address space is scanned
// after every step that pushes memory out: a page that is newly out went in that step.
//
//   runs_   page ──pages──▶ step      page ──pages──▶ step  ...    in order of address
//
// Pages of shared memory have no entry in pagemap once they are out, so they are not seen here.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <vector>

#include "machine/process_pages.hh"

namespace exopool {

struct SwapRun {
  uint64_t page;  // its number: address / 4096
  uint64_t pages;
  uint32_t step;  // that pushed it out; 0: was brought back before, so it comes back last
};

// The runs that are out now, each with its step in `before`, else `step`. Both lists and the result are in order,
// without overlaps.
std::vector<SwapRun> MergeRuns(const std::vector<SwapRun> &before, const std::vector<PageRun> &now, uint32_t step);

class SwapHistory {
 public:
  explicit SwapHistory(pid_t pid) : pid_(pid) {}

  // Scans the whole address space. 0, or an errno: ESRCH or ENOENT if the process is gone.
  int Observe(uint32_t step);
  // Asks the kernel to bring back up to `bytes`, newest first. 0, or an errno; `asked` says how many bytes.
  int Prefetch(uint64_t bytes, uint64_t *asked);
  uint64_t pages() const;

 private:
  const pid_t pid_;
  std::vector<SwapRun> runs_;
};

}  // namespace exopool

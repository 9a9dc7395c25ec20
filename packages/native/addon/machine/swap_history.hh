// SPDX-License-Identifier: Apache-2.0
// Which pages of a process are swapped out, and since when: so that what went last can be brought back first.
//
// The kernel tells that a page is swapped out (/proc/PID/pagemap), not when it went. So the address space is
// looked at after every step that pushes memory out; a page that is out now and was not before went in that
// step.
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
  uint32_t step;  // that it went in; 0: was brought back by us, so the last to be brought back again
};

// The runs that are out now, with the steps that `before` knows, else `step`. Both are in order and do not
// overlap; so is the result.
std::vector<SwapRun> MergeRuns(const std::vector<SwapRun> &before, const std::vector<PageRun> &now, uint32_t step);

class SwapHistory {
 public:
  explicit SwapHistory(pid_t pid) : pid_(pid) {}

  // Looks at the whole address space. 0, or an errno: ESRCH or ENOENT when the process is gone.
  int Observe(uint32_t step);
  // Asks the kernel to bring back up to `bytes`, newest first. 0, or an errno; `asked` says how many bytes.
  int Prefetch(uint64_t bytes, uint64_t *asked);
  uint64_t pages() const;

 private:
  const pid_t pid_;
  std::vector<SwapRun> runs_;
};

}  // namespace exopool

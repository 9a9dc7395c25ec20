// SPDX-License-Identifier: Apache-2.0
// Pushing chosen ranges of a process out to swap. Only what the process alone has in memory counts and goes:
// neither pages of files nor shared memory, which others may use.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>

namespace exopool {

// Laid out as JavaScript has them, in a Float64Array: addresses below 2^53 are exact.
struct PageOutRange {
  double start;
  double end;
  double bytes;
};

// Sets `bytes` of each range to what of it is in memory. 0, or an errno: ESRCH or ENOENT when the process is
// gone.
int CountResident(pid_t pid, PageOutRange *ranges, size_t count);

// Pushes up to `bytes` of each range out, lowest addresses first. 0, or an errno; `pushed` says how many bytes
// the kernel was told to push out: it keeps pages that others share, or that are locked.
int PageOut(pid_t pid, const PageOutRange *ranges, size_t count, uint64_t *pushed);

}  // namespace exopool

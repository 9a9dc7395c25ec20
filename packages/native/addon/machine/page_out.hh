// SPDX-License-Identifier: Apache-2.0
// Pushes chosen ranges of a process out to swap. Only private pages count and are pushed out; pages of files and shared
// memory stay, since other processes may use them.
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

// Sets `bytes` of each range to its bytes in memory. 0, or an errno: ESRCH or ENOENT if the process is gone.
int CountResident(pid_t pid, PageOutRange *ranges, size_t count);

// Pushes up to `bytes` of each range out, lowest addresses first. 0, or an errno; `pushed` is the bytes that the kernel
// was told to push out. The kernel keeps shared and locked pages.
int PageOut(pid_t pid, const PageOutRange *ranges, size_t count, uint64_t *pushed);

}  // namespace exopool

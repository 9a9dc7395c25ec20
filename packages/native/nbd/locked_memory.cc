// SPDX-License-Identifier: Apache-2.0
#include "locked_memory.hh"

#include <fcntl.h>
#include <malloc.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

namespace exopool {

#ifndef PR_SET_IO_FLUSHER
#define PR_SET_IO_FLUSHER 57
#endif

void BecomeFlusher() {
  prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0);
  // Threads inherit it.
  prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0);
  const int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  if (fd < 0) return;
  [[maybe_unused]] const ssize_t written = write(fd, "-1000", 5);
  close(fd);
}

bool LockMemory() {
  // Freed memory stays here, and no allocation is a mapping of its own.
  mallopt(M_TRIM_THRESHOLD, -1);
  mallopt(M_MMAP_MAX, 0);
  // Later mappings as they are touched: the stacks of threads are 8 MiB each, of which they use little.
  return mlockall(MCL_CURRENT) == 0 && mlockall(MCL_FUTURE | MCL_ONFAULT) == 0;
}

}  // namespace exopool

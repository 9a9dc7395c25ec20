// SPDX-License-Identifier: Apache-2.0
#include "machine/process_pages.hh"

#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <memory>

namespace exopool {
namespace {

constexpr size_t kEntries = 8192;       // of pagemap read at once: 32 MiB of address space
constexpr size_t kRangesPerCall = 512;  // of process_madvise; the kernel takes 1024

}  // namespace

std::string ProcPath(pid_t pid, const char *name) { return "/proc/" + std::to_string(pid) + "/" + name; }

int ReadableAreas(pid_t pid, std::vector<PageRun> *areas) {
  std::unique_ptr<FILE, int (*)(FILE *)> maps(fopen(ProcPath(pid, "maps").c_str(), "re"), fclose);
  if (!maps) return errno;
  char *line = nullptr;
  size_t room = 0;
  while (getline(&line, &room, maps.get()) > 0) {
    unsigned long long first, end;
    char rights;
    if (sscanf(line, "%llx-%llx %c", &first, &end, &rights) != 3 || rights != 'r') continue;
    areas->push_back({first / kPageBytes, (end - first) / kPageBytes});
  }
  free(line);
  return 0;
}

int ScanPages(int pagemap, uint64_t first, uint64_t end, uint64_t mask, uint64_t wanted, uint64_t most,
              std::vector<PageRun> *runs) {
  std::vector<uint64_t> entries(kEntries);
  for (uint64_t page = first; page < end && most > 0;) {
    const size_t count = std::min<uint64_t>(kEntries, end - page);
    const ssize_t bytes =
        pread(pagemap, entries.data(), count * sizeof(uint64_t), static_cast<off_t>(page * sizeof(uint64_t)));
    if (bytes < 0) return errno;
    const size_t got = static_cast<size_t>(bytes) / sizeof(uint64_t);
    if (got == 0) return 0;  // above the process's own address space
    for (size_t i = 0; i < got && most > 0; ++i, ++page) {
      if ((entries[i] & mask) != wanted) continue;
      --most;
      if (!runs->empty() && runs->back().page + runs->back().pages == page) {
        ++runs->back().pages;
      } else {
        runs->push_back({page, 1});
      }
    }
  }
  return 0;
}

int AdviseRanges(int pidfd, const std::vector<iovec> &ranges, int advice, uint64_t *advised) {
  for (size_t at = 0; at < ranges.size();) {
    const size_t count = std::min(kRangesPerCall, ranges.size() - at);
    const long done = syscall(SYS_process_madvise, pidfd, &ranges[at], count, advice, 0);
    if (done < 0) {
      // The first of them was unmapped, or is locked.
      if (errno != ENOMEM && errno != EINVAL) return errno;
      ++at;
      continue;
    }
    *advised += static_cast<uint64_t>(done);
    // The kernel stops at a range that it cannot advise on, which is then the first of the next call.
    for (uint64_t left = static_cast<uint64_t>(done); left > 0; ++at)
      left -= std::min<uint64_t>(left, ranges[at].iov_len);
    if (done == 0) ++at;
  }
  return 0;
}

}  // namespace exopool

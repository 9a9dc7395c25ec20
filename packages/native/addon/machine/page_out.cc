// SPDX-License-Identifier: Apache-2.0
#include "machine/page_out.hh"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "base/file_descriptor.hh"
#include "machine/process_pages.hh"

namespace exopool {
namespace {

// The files of the other process that this needs, opened once for many ranges.
class Pages {
 public:
  explicit Pages(pid_t pid) : pagemap_(open(ProcPath(pid, "pagemap").c_str(), O_RDONLY | O_CLOEXEC)) {
    failure_ = pagemap_.get() < 0 ? errno : ReadableAreas(pid, &areas_);
  }

  int failure() const { return failure_; }

  // The process's own pages of the range that are in memory, at most `most` of them.
  int Resident(const PageOutRange &range, uint64_t most, std::vector<PageRun> *runs) const {
    const uint64_t first = static_cast<uint64_t>(range.start) / kPageBytes;
    const uint64_t end = static_cast<uint64_t>(range.end) / kPageBytes;
    auto area = std::lower_bound(areas_.begin(), areas_.end(), first,
                                 [](const PageRun &one, uint64_t page) { return one.page + one.pages <= page; });
    for (; area != areas_.end() && area->page < end && most > 0; ++area) {
      std::vector<PageRun> found;
      const int failure =
          ScanPages(pagemap_.get(), std::max(first, area->page), std::min(end, area->page + area->pages),
                    kPresentBit | kFileBit, kPresentBit, most, &found);
      if (failure != 0) return failure;
      most -= CountPages(found);
      runs->insert(runs->end(), found.begin(), found.end());
    }
    return 0;
  }

  static uint64_t CountPages(const std::vector<PageRun> &runs) {
    uint64_t pages = 0;
    for (const PageRun &run : runs) pages += run.pages;
    return pages;
  }

 private:
  const FileDescriptor pagemap_;
  std::vector<PageRun> areas_;
  int failure_;
};

}  // namespace

int CountResident(pid_t pid, PageOutRange *ranges, size_t count) {
  const Pages pages(pid);
  if (pages.failure() != 0) return pages.failure();
  for (PageOutRange *range = ranges; range != ranges + count; ++range) {
    std::vector<PageRun> runs;
    if (const int failure = pages.Resident(*range, UINT64_MAX, &runs)) return failure;
    range->bytes = static_cast<double>(Pages::CountPages(runs) * kPageBytes);
  }
  return 0;
}

int PageOut(pid_t pid, const PageOutRange *ranges, size_t count, uint64_t *pushed) {
  *pushed = 0;
  const FileDescriptor process(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  if (process.get() < 0) return errno;
  const Pages pages(pid);
  if (pages.failure() != 0) return pages.failure();
  for (const PageOutRange *range = ranges; range != ranges + count; ++range) {
    std::vector<PageRun> runs;
    const uint64_t most = static_cast<uint64_t>(range->bytes) / kPageBytes;
    if (const int failure = pages.Resident(*range, most, &runs)) return failure;
    std::vector<iovec> advised;
    for (const PageRun &run : runs)
      advised.push_back({reinterpret_cast<void *>(run.page * kPageBytes), run.pages * kPageBytes});
    if (const int failure = AdviseRanges(process.get(), advised, MADV_PAGEOUT, pushed)) return failure;
  }
  return 0;
}

}  // namespace exopool

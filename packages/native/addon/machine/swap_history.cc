// SPDX-License-Identifier: Apache-2.0
#include "machine/swap_history.hh"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <numeric>

#include "base/file_descriptor.hh"
#include "machine/process_pages.hh"

namespace exopool {
std::vector<SwapRun> MergeRuns(const std::vector<SwapRun> &before, const std::vector<PageRun> &now, uint32_t step) {
  std::vector<SwapRun> out;
  const auto append = [&out](uint64_t page, uint64_t pages, uint32_t of_step) {
    if (!out.empty() && out.back().step == of_step && out.back().page + out.back().pages == page) {
      out.back().pages += pages;
    } else {
      out.push_back({page, pages, of_step});
    }
  };
  size_t at = 0;
  for (const PageRun &run : now) {
    const uint64_t end = run.page + run.pages;
    for (uint64_t page = run.page; page < end;) {
      while (at < before.size() && before[at].page + before[at].pages <= page) ++at;
      const bool known = at < before.size() && before[at].page <= page;
      const uint64_t border = at == before.size() ? end : known ? before[at].page + before[at].pages : before[at].page;
      const uint64_t until = std::min(end, border);
      append(page, until - page, known ? before[at].step : step);
      page = until;
    }
  }
  return out;
}

int SwapHistory::Observe(uint32_t step) {
  std::vector<PageRun> areas;
  if (const int failure = ReadableAreas(pid_, &areas)) return failure;
  const FileDescriptor pagemap(open(ProcPath(pid_, "pagemap").c_str(), O_RDONLY | O_CLOEXEC));
  if (pagemap.get() < 0) return errno;
  std::vector<PageRun> now;
  for (const PageRun &area : areas) {
    if (const int failure =
            ScanPages(pagemap.get(), area.page, area.page + area.pages, kSwappedBit, kSwappedBit, UINT64_MAX, &now))
      return failure;
  }
  runs_ = MergeRuns(runs_, now, step);
  return 0;
}

int SwapHistory::Prefetch(uint64_t bytes, uint64_t *asked) {
  *asked = 0;
  const FileDescriptor process(static_cast<int>(syscall(SYS_pidfd_open, pid_, 0)));
  if (process.get() < 0) return errno;
  std::vector<size_t> order(runs_.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [this](size_t a, size_t b) { return runs_[a].step > runs_[b].step; });
  std::vector<iovec> ranges;
  uint64_t left = bytes / kPageBytes;
  for (const size_t index : order) {
    SwapRun &run = runs_[index];
    if (left == 0 || run.step == 0) break;
    const uint64_t pages = std::min(left, run.pages);
    ranges.push_back({reinterpret_cast<void *>(run.page * kPageBytes), pages * kPageBytes});
    left -= pages;
    if (pages == run.pages) {
      run.step = 0;
    } else {
      run.page += pages;
      run.pages -= pages;
    }
  }
  return AdviseRanges(process.get(), ranges, MADV_WILLNEED, asked);
}

uint64_t SwapHistory::pages() const {
  return std::accumulate(runs_.begin(), runs_.end(), uint64_t{0},
                         [](uint64_t sum, const SwapRun &run) { return sum + run.pages; });
}

}  // namespace exopool

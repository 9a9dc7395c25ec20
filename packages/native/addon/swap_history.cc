// SPDX-License-Identifier: Apache-2.0
#include "swap_history.hh"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <numeric>
#include <string>

#include "slab_poller.hh"

namespace exopool {
namespace {

constexpr uint64_t kPageBytes = 4096;
constexpr uint64_t kSwappedBit = uint64_t{1} << 62;
constexpr size_t kEntries = 8192;      // of pagemap read at once: 32 MiB of address space
constexpr size_t kRangesPerCall = 512; // of process_madvise; the kernel takes 1024

std::string ProcPath(pid_t pid, const char *name) {
  return "/proc/" + std::to_string(pid) + "/" + name;
}

// Appends what of [first, end) is swapped out.
int ScanPages(int pagemap, uint64_t first, uint64_t end, std::vector<SwapRun> *runs) {
  std::vector<uint64_t> entries(kEntries);
  for (uint64_t page = first; page < end;) {
    const size_t wanted = std::min<uint64_t>(kEntries, end - page);
    const ssize_t got = pread(pagemap, entries.data(), wanted * sizeof(uint64_t),
                              static_cast<off_t>(page * sizeof(uint64_t)));
    if (got < 0) return errno;
    const size_t count = static_cast<size_t>(got) / sizeof(uint64_t);
    if (count == 0) return 0;  // above the process's own address space
    for (size_t i = 0; i < count; ++i, ++page) {
      if ((entries[i] & kSwappedBit) == 0) continue;
      if (!runs->empty() && runs->back().page + runs->back().pages == page) {
        ++runs->back().pages;
      } else {
        runs->push_back({page, 1, 0});
      }
    }
  }
  return 0;
}

}  // namespace

std::vector<SwapRun> MergeRuns(const std::vector<SwapRun> &before, const std::vector<SwapRun> &now,
                               uint32_t step) {
  std::vector<SwapRun> out;
  const auto append = [&out](uint64_t page, uint64_t pages, uint32_t of_step) {
    if (!out.empty() && out.back().step == of_step && out.back().page + out.back().pages == page) {
      out.back().pages += pages;
    } else {
      out.push_back({page, pages, of_step});
    }
  };
  size_t at = 0;
  for (const SwapRun &run : now) {
    const uint64_t end = run.page + run.pages;
    for (uint64_t page = run.page; page < end;) {
      while (at < before.size() && before[at].page + before[at].pages <= page) ++at;
      const bool known = at < before.size() && before[at].page <= page;
      const uint64_t border = at == before.size() ? end
                              : known             ? before[at].page + before[at].pages
                                                  : before[at].page;
      const uint64_t until = std::min(end, border);
      append(page, until - page, known ? before[at].step : step);
      page = until;
    }
  }
  return out;
}

int SwapHistory::Observe(uint32_t step) {
  std::unique_ptr<FILE, int (*)(FILE *)> maps(fopen(ProcPath(pid_, "maps").c_str(), "re"), fclose);
  if (!maps) return errno;
  const FileDescriptor pagemap(open(ProcPath(pid_, "pagemap").c_str(), O_RDONLY | O_CLOEXEC));
  if (pagemap.get() < 0) return errno;
  std::vector<SwapRun> now;
  char *line = nullptr;
  size_t room = 0;
  int failure = 0;
  while (failure == 0 && getline(&line, &room, maps.get()) > 0) {
    unsigned long long first, end;
    char rights;
    // What may not even be read is address space that was set aside, often very much of it.
    if (sscanf(line, "%llx-%llx %c", &first, &end, &rights) != 3 || rights != 'r') continue;
    failure = ScanPages(pagemap.get(), first / kPageBytes, end / kPageBytes, &now);
  }
  free(line);
  if (failure == 0) runs_ = MergeRuns(runs_, now, step);
  return failure;
}

int SwapHistory::Prefetch(uint64_t bytes, uint64_t *asked) {
  *asked = 0;
  const FileDescriptor process(static_cast<int>(syscall(SYS_pidfd_open, pid_, 0)));
  if (process.get() < 0) return errno;
  std::vector<size_t> order(runs_.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [this](size_t a, size_t b) { return runs_[a].step > runs_[b].step; });
  std::vector<iovec> ranges;
  const auto advise = [&]() -> int {
    if (ranges.empty()) return 0;
    const long done =
        syscall(SYS_process_madvise, process.get(), ranges.data(), ranges.size(), MADV_WILLNEED, 0);
    ranges.clear();
    // A range that was unmapped meanwhile stops the call; what follows is asked for the next time.
    if (done < 0) return errno == ENOMEM ? 0 : errno;
    *asked += static_cast<uint64_t>(done);
    return 0;
  };
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
    if (ranges.size() < kRangesPerCall) continue;
    if (const int failure = advise()) return failure;
  }
  return advise();
}

uint64_t SwapHistory::pages() const {
  return std::accumulate(runs_.begin(), runs_.end(), uint64_t{0},
                         [](uint64_t sum, const SwapRun &run) { return sum + run.pages; });
}

}  // namespace exopool

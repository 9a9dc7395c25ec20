// SPDX-License-Identifier: Apache-2.0
// The block device: sealed pages of 4 KiB, each in the write-behind buffer or in the backing file. As many as fit are
// also in leased memory, and are read from there.
//
//   write  -> seal -> frame of the write-behind buffer -> (later) backing file
//                \--> leased memory, when there is a place; the write waits for the answer
//   read   <- the frame, else leased memory, else the file; opened, which checks it against its tag
//
// A page that a producer lost, altered or exchanged does not open, and is read from its other copy. So leases may start
// and end at any time. Number and tag of each page, and the key, are in this process alone: the device is empty at each
// start.
//
// Threads: any number of requests; each locks its range of pages, so that a write overlaps no other request. mutex_
// covers page table, places and buffer, and is never held during a wait.
#pragma once

#include <array>
#include <atomic>
#include <mutex>

#include "leased_places.hh"
#include "page_workspace.hh"
#include "range_lock.hh"
#include "slab_transfer.hh"
#include "write_behind.hh"

namespace exopool {

// Pages, but for flushes.
struct PageCounters {
  std::atomic<uint64_t> read_leased{0};  // came from leased memory
  std::atomic<uint64_t> read_buffered{0};
  std::atomic<uint64_t> read_file{0};
  std::atomic<uint64_t> read_zero{0};  // never written, or discarded
  std::atomic<uint64_t> tampered{0};   // leased memory returned other bytes; read from the file
  std::atomic<uint64_t> lost{0};       // leased memory had no answer; read from the file
  std::atomic<uint64_t> corrupt{0};    // the file returned other bytes; the client got an error
  std::atomic<uint64_t> written{0};
  std::atomic<uint64_t> written_leased{0};
  std::atomic<uint64_t> discarded{0};
  std::atomic<uint64_t> flushes{0};
};

struct PageGauges {
  uint64_t leased_used, leased_capacity, dirty;
  uint64_t evictions, file_written, file_failures;
};

class PageStore {
 public:
  static constexpr uint32_t kChunkPages = PageWorkspace::kChunkPages;
  static constexpr uint32_t kWorkspaces = 16;  // requests in progress, 300 KiB each; others wait
  static constexpr uint32_t kFramesMin = 4 * kChunkPages;
  static constexpr uint64_t kPagesMax = UINT32_MAX - 1;
  // A page that is read from the file may take the place of an unused one; looking further would let a single pass over
  // the device evict pages in use.
  static constexpr uint32_t kReadSteps = 2;

  // `bytes` in whole pages, at most kPagesMax; the file is as long.
  PageStore(uint64_t bytes, uint32_t frames, std::unique_ptr<BackingFile> file, bool is_sealed = true);
  ~PageStore();

  void Start() { buffer_.Start(); }
  bool is_direct() const { return file_->direct(); }
  uint64_t bytes() const { return pages_.size() * uint64_t{kPageBytes}; }

  // Inside of the device. Each returns 0 or an errno.
  int Read(uint8_t *into, uint32_t bytes, uint64_t offset);
  int Write(const uint8_t *from, uint32_t bytes, uint64_t offset);
  int Discard(uint64_t bytes, uint64_t offset);  // whole pages within the range
  int Zero(uint64_t bytes, uint64_t offset);
  int Flush();

  // How many pages from here on, before `end`, all hold data or all do not; at least one.
  uint64_t Stretch(uint64_t page, uint64_t end, bool *has_data);

  // kNone: no more can be used.
  uint32_t AddRegion(std::shared_ptr<SlabLink> link, uint32_t slabs, uint32_t slab_bytes);
  void RemoveRegion(uint32_t region);
  void RemoveSlabs(uint32_t region, const std::vector<uint32_t> &slabs);
  // Empties the least used slabs, so that they can be released. None if the region is no longer the link's.
  std::vector<uint32_t> VacateSlabs(uint32_t region, const SlabLink *link, uint32_t count);

  const PageCounters &counters() const { return counters_; }
  PageGauges gauges();

 private:
  using Workspace = PageWorkspace;
  struct Chunk;
  class Borrowed;
  struct Region {
    std::shared_ptr<SlabLink> link;
    uint64_t paused_until_ns = 0;  // 0: it is not
  };

  template <typename Each>
  int InChunks(uint64_t bytes, uint64_t offset, bool alone, Each each);
  int Clear(uint64_t bytes, uint64_t offset, bool edges);
  int ReadPages(Workspace *space, uint64_t first, uint32_t count, uint8_t *const *into);
  int WritePages(Workspace *space, uint64_t first, uint32_t count, const uint8_t *const *from);
  int SealPages(Workspace *space, uint64_t first, uint32_t count, const uint8_t *const *from);
  void PlacePages(Workspace *space, uint64_t first, uint32_t count);
  void DiscardPages(uint64_t first, uint32_t count);
  void FindPages(Workspace *space, uint64_t first, uint32_t count);
  int ReadFile(Workspace *space, uint64_t first, uint32_t count);
  void OpenPages(Workspace *space, uint64_t first, uint32_t count, uint8_t *const *into);
  void LetGo(Workspace *space, uint64_t first, uint32_t count);
  int ReadAgain(Workspace *space, uint64_t first, uint32_t index, uint8_t *into);
  void Promote(Workspace *space, uint64_t first, uint32_t count);
  void StartTransfers(Workspace *space, uint32_t count, slab_type type);
  void AwaitTransfers(Workspace *space, uint32_t count);
  void ResumeRegions();

  const std::unique_ptr<BackingFile> file_;
  std::mutex mutex_;
  PageTable pages_;
  LeasedPlaces places_;
  std::array<Region, LeasedPlaces::kRegionsMax> regions_;
  uint32_t paused_ = 0;  // regions
  WriteBehind buffer_;
  RangeLocks locks_;
  std::atomic<uint64_t> next_write_{1};
  PageCounters counters_;
  std::mutex spaces_mutex_;
  std::condition_variable space_free_;
  std::vector<std::unique_ptr<Workspace>> spaces_;
};

}  // namespace exopool

// SPDX-License-Identifier: Apache-2.0
// The queue of pages for the backing file: a bounded number of frames of sealed pages, and one thread that writes them.
//
//   Reserve -> fill -> Publish -> queue -> thread: joins neighbours, writes -> free
//
// A page stays here until it is in the file, so losing a producer loses no data. A page that is overwritten or
// discarded meanwhile is not written: the thread lets pages age first.
//
// It shares the store's mutex, which covers the page table too. If the file cannot be written, its pages stay here. The
// write is retried; flushes fail, and so does a write without a free frame.
#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>

#include "backing_file.hh"
#include "page_table.hh"

namespace exopool {

class WriteBehind {
 public:
  static constexpr uint32_t kBatch = 256;     // frames written at once: 1 MiB when they are neighbours
  static constexpr uint32_t kAgeMs = 500;     // before a page is written, unless many wait or a client flushes
  static constexpr uint32_t kRetryMs = 1000;  // after a failure
  using Lock = std::unique_lock<std::mutex>;

  WriteBehind(uint32_t frames, std::mutex *mutex, PageTable *pages, BackingFile *file);
  ~WriteBehind();

  // Starts the thread; not in the constructor, since a fork may come in between.
  void Start();

  uint8_t *FrameData(uint32_t frame) const { return memory_.get() + size_t{frame} * kPageBytes; }
  // All under the lock. Reserve waits for free frames; 0, or an errno when the file fails and none is free.
  int Reserve(Lock *lock, uint32_t count, uint32_t *frames);
  void Publish(uint64_t page, uint32_t frame);
  // The page has newer bytes, or none: the frame need not be written any more.
  void Drop(uint32_t frame) { frames_[frame].is_stale = true; }
  void GiveBack(uint32_t frame);
  // Waits until all published pages are written. 0, or an errno.
  int Flush(Lock *lock);

  uint32_t dirty() const { return static_cast<uint32_t>(frames_.size() - free_.size()); }
  uint64_t written() const { return written_; }
  uint64_t failures() const { return failures_; }

 private:
  struct FreeMemory {
    size_t bytes;
    void operator()(uint8_t *memory) const;
  };
  struct Frame {
    uint32_t page = 0;
    bool is_stale = false;
  };

  static std::unique_ptr<uint8_t[], FreeMemory> MapMemory(size_t bytes);
  void Run();
  bool ShouldWrite() const;
  std::vector<uint32_t> TakeBatch();
  int WriteBatch(std::vector<uint32_t> frames);
  void Settle(const std::vector<uint32_t> &frames, int error);

  std::mutex *const mutex_;
  PageTable *const pages_;
  BackingFile *const file_;
  const std::unique_ptr<uint8_t[], FreeMemory> memory_;
  std::vector<Frame> frames_;
  std::vector<uint32_t> free_;
  std::deque<uint32_t> queue_;
  std::condition_variable work_;
  std::condition_variable progress_;
  uint64_t published_ = 0;
  uint64_t settled_ = 0;
  uint64_t flush_up_to_ = 0;  // a flush waits for the first so many
  uint64_t written_ = 0;
  uint64_t failures_ = 0;
  uint32_t waiting_ = 0;  // for free frames
  int error_ = 0;         // of the last try
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace exopool

// SPDX-License-Identifier: Apache-2.0
#include "write_behind.hh"

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <new>
#include <numeric>

namespace exopool {

// Whole pages, as direct I/O requires, and allocated at the start.
std::unique_ptr<uint8_t[], WriteBehind::FreeMemory> WriteBehind::MapMemory(size_t bytes) {
  void *memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  return {static_cast<uint8_t *>(memory), FreeMemory{bytes}};
}

void WriteBehind::FreeMemory::operator()(uint8_t *memory) const { munmap(memory, bytes); }

WriteBehind::WriteBehind(uint32_t frames, std::mutex *mutex, PageTable *pages, BackingFile *file)
    : mutex_(mutex),
      pages_(pages),
      file_(file),
      memory_(MapMemory(size_t{frames} * kPageBytes)),
      frames_(frames),
      free_(frames) {
  std::iota(free_.rbegin(), free_.rend(), 0u);
}

void WriteBehind::Start() {
  thread_ = std::thread([this] { Run(); });
}

WriteBehind::~WriteBehind() {
  {
    std::lock_guard<std::mutex> lock(*mutex_);
    stopping_ = true;
  }
  work_.notify_all();
  if (thread_.joinable()) thread_.join();
}

int WriteBehind::Reserve(Lock *lock, uint32_t count, uint32_t *frames) {
  ++waiting_;
  while (free_.size() < count) {
    work_.notify_one();
    const uint64_t failures = failures_;
    progress_.wait(*lock, [&] { return free_.size() >= count || failures_ != failures; });
    if (free_.size() < count && failures_ != failures) break;
  }
  --waiting_;
  if (free_.size() < count) return error_ != 0 ? error_ : EIO;
  std::copy(free_.end() - count, free_.end(), frames);
  free_.resize(free_.size() - count);
  return 0;
}

void WriteBehind::Publish(uint64_t page, uint32_t frame) {
  frames_[frame].page = static_cast<uint32_t>(page);
  queue_.push_back(frame);
  ++published_;
  if (queue_.size() == 1 || ShouldWrite()) work_.notify_one();
}

void WriteBehind::GiveBack(uint32_t frame) {
  frames_[frame].is_stale = false;
  free_.push_back(frame);
  if (waiting_ > 0) progress_.notify_all();
}

int WriteBehind::Flush(Lock *lock) {
  const uint64_t target = published_;
  const uint64_t failures = failures_;
  flush_up_to_ = std::max(flush_up_to_, target);
  if (settled_ < target) work_.notify_one();
  progress_.wait(*lock, [&] { return settled_ >= target || failures_ != failures; });
  return settled_ >= target ? 0 : error_ != 0 ? error_ : EIO;
}

// Many wait: a quarter of all, so that writers go on meanwhile.
bool WriteBehind::ShouldWrite() const {
  return waiting_ > 0 || settled_ < flush_up_to_ || queue_.size() >= frames_.size() / 4;
}

void WriteBehind::Run() {
  Lock lock(*mutex_);
  while (!stopping_) {
    if (queue_.empty()) {
      work_.wait(lock);
      continue;
    }
    // Later pages go out together with the oldest, after one wait.
    work_.wait_for(lock, std::chrono::milliseconds(kAgeMs), [this] { return stopping_ || ShouldWrite(); });
    std::vector<uint32_t> batch = TakeBatch();
    if (stopping_ || batch.empty()) continue;
    lock.unlock();
    const int error = WriteBatch(batch);
    lock.lock();
    Settle(batch, error);
    if (error == 0) continue;
    work_.wait_for(lock, std::chrono::milliseconds(kRetryMs), [this] { return stopping_; });
  }
}

std::vector<uint32_t> WriteBehind::TakeBatch() {
  std::vector<uint32_t> batch;
  while (!queue_.empty() && batch.size() < kBatch) {
    const uint32_t frame = queue_.front();
    queue_.pop_front();
    if (!frames_[frame].is_stale) {
      batch.push_back(frame);
      continue;
    }
    ++settled_;
    GiveBack(frame);
  }
  if (batch.empty()) progress_.notify_all();
  return batch;
}

// Without the lock: the pages and bytes of frames that are not free do not change.
int WriteBehind::WriteBatch(std::vector<uint32_t> frames) {
  std::sort(frames.begin(), frames.end(), [this](uint32_t a, uint32_t b) { return frames_[a].page < frames_[b].page; });
  iovec run[kBatch];
  for (size_t from = 0; from < frames.size();) {
    const uint64_t page = frames_[frames[from]].page;
    uint32_t count = 0;
    while (from + count < frames.size() && frames_[frames[from + count]].page == page + count) {
      run[count] = {FrameData(frames[from + count]), kPageBytes};
      ++count;
    }
    if (const int error = file_->Write(page, run, count); error != 0) return error;
    from += count;
  }
  return 0;
}

void WriteBehind::Settle(const std::vector<uint32_t> &frames, int error) {
  error_ = error;
  if (error != 0) {
    ++failures_;
    queue_.insert(queue_.begin(), frames.begin(), frames.end());
    progress_.notify_all();
    return;
  }
  for (const uint32_t frame : frames) {
    PageState &page = (*pages_)[frames_[frame].page];
    if (page.frame == frame) page.frame = kNone;
    GiveBack(frame);
  }
  settled_ += frames.size();
  written_ += frames.size();
  progress_.notify_all();
}

}  // namespace exopool

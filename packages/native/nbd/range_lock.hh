// SPDX-License-Identifier: Apache-2.0
// Locks on ranges of pages: readers share, a writer is alone. Requests in progress are few, so a list is enough.
#pragma once

#include <algorithm>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <vector>

namespace exopool {

class RangeLocks {
  struct Range {
    uint64_t first;
    uint64_t end;
    bool alone;
  };

 public:
  // Holds [first, first + count) for its lifetime.
  class Guard {
   public:
    Guard(RangeLocks *locks, uint64_t first, uint64_t count, bool alone)
        : locks_(locks), range_{first, first + count, alone} {
      std::unique_lock<std::mutex> lock(locks_->mutex_);
      locks_->freed_.wait(lock, [this] { return !locks_->Conflicts(range_); });
      locks_->held_.push_back(range_);
    }
    ~Guard() {
      std::lock_guard<std::mutex> lock(locks_->mutex_);
      auto &held = locks_->held_;
      const auto at = std::find_if(held.begin(), held.end(), [this](const Range &other) {
        return other.first == range_.first && other.end == range_.end && other.alone == range_.alone;
      });
      *at = held.back();
      held.pop_back();
      locks_->freed_.notify_all();
    }
    Guard(const Guard &) = delete;
    Guard &operator=(const Guard &) = delete;

   private:
    RangeLocks *const locks_;
    const Range range_;
  };

 private:
  bool Conflicts(const Range &wanted) const {
    return std::any_of(held_.begin(), held_.end(), [&wanted](const Range &other) {
      return (wanted.alone || other.alone) && wanted.first < other.end && other.first < wanted.end;
    });
  }

  std::mutex mutex_;
  std::condition_variable freed_;
  std::vector<Range> held_;
};

}  // namespace exopool

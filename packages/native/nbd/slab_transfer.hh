// SPDX-License-Identifier: Apache-2.0
// One batch of requests to one session, from the view of the thread that waits for it.
#pragma once

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <vector>

#include "slab/slab_client_session.hh"

namespace exopool {

class SlabTransfer {
 public:
  // For the next batch; keeps its memory.
  void Reset() {
    requests.clear();
    statuses_.clear();
    wait_ms_ = 0;
    done_ = false;
  }

  std::vector<SlabRequest> requests;

  // The session's thread. An empty list: all succeeded.
  void Complete(const std::vector<uint8_t> &statuses, uint32_t wait_ms) {
    std::lock_guard<std::mutex> lock(mutex_);
    statuses_ = statuses;
    wait_ms_ = wait_ms;
    done_ = true;
    changed_.notify_one();
  }
  // The session was over before it began.
  void Refuse() { Complete(std::vector<uint8_t>(requests.size(), SLAB_REVOKED), 0); }

  void Wait() {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [this] { return done_; });
  }
  // After Wait.
  slab_status StatusOf(size_t request) const {
    return statuses_.empty() ? SLAB_OK : static_cast<slab_status>(statuses_[request]);
  }
  uint32_t wait_ms() const { return wait_ms_; }  // how long the producer accepts no more

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<uint8_t> statuses_;
  uint32_t wait_ms_ = 0;
  bool done_ = false;
};

// A session as the store sees it.
class SlabLink {
 public:
  virtual ~SlabLink() = default;
  // Copies the payloads of writes; bytes read go to `into`, one request after the other. Completes `transfer` once, now
  // or from another thread.
  virtual void Start(SlabTransfer *transfer, uint8_t *into) = 0;
};

}  // namespace exopool

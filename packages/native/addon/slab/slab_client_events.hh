// SPDX-License-Identifier: Apache-2.0
// A session's events, in order, for its owner. For JavaScript one crossing delivers all waiting events.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <mutex>
#include <utility>
#include <vector>

namespace exopool {

enum class SlabEventKind : uint32_t {
  kOpened = 1,     // number = slabs, more = bytes of a slab
  kRefused = 2,    // number = enum slab_refusal, or one of SlabFailure
  kCompleted = 3,  // batch; statuses has one a request, empty when all are SLAB_OK; number = milliseconds
                   // that a refusal for its rate named
  kEnded = 4,      // number = enum slab_status, or SLAB_OK when the connection just ended
  kReclaim = 5,    // number = slabs wanted back, more = within so many milliseconds
  kGone = 6,       // statuses has the numbers of the slabs that are gone, 4 bytes each
};

// Why a session could not be opened, if the peer gave no reason. Beyond every enum slab_refusal.
enum SlabFailure : uint32_t {
  kFailUnreachable = 100,
  kFailTimeout = 101,
  kFailImpostor = 102,  // the peer does not hold the producer's key
  kFailProtocol = 103,
  kFailOtherMemory = 104,  // READY names other slabs than the ticket
};

struct SlabEvent {
  SlabEventKind kind;
  uint64_t session;
  uint64_t batch = 0;
  uint32_t number = 0;
  uint32_t more = 0;
  std::vector<uint8_t> statuses;
};

// Called by any thread that uses the session, under the session's lock.
class SlabEventSink {
 public:
  virtual ~SlabEventSink() = default;
  virtual void Post(SlabEvent event) = 0;
};

// One for each JavaScript environment.
class SlabEventPort final : public SlabEventSink {
 public:
  // `wake` is called, from any thread, when the first event is waiting.
  explicit SlabEventPort(std::function<void()> wake) : wake_(std::move(wake)) {}

  void Post(SlabEvent event) override {
    std::lock_guard<std::mutex> lock(mutex_);
    if (closed_ || ReplaceReclaim(event)) return;
    events_.push_back(std::move(event));
    if (events_.size() == 1) wake_();
  }
  std::vector<SlabEvent> Drain() {
    std::lock_guard<std::mutex> lock(mutex_);
    return std::exchange(events_, {});
  }
  // After this no event is posted and `wake` is not called.
  void Close() {
    std::lock_guard<std::mutex> lock(mutex_);
    closed_ = true;
    events_.clear();
  }

 private:
  // A producer's later RECLAIM replaces one that was not delivered yet, so at most one waits.
  bool ReplaceReclaim(const SlabEvent &event) {
    if (event.kind != SlabEventKind::kReclaim) return false;
    const auto same = [&event](const SlabEvent &other) {
      return other.kind == event.kind && other.session == event.session;
    };
    const auto found = std::find_if(events_.begin(), events_.end(), same);
    if (found != events_.end()) *found = event;
    return found != events_.end();
  }

  std::mutex mutex_;
  bool closed_ = false;
  std::vector<SlabEvent> events_;
  const std::function<void()> wake_;
};

}  // namespace exopool

// SPDX-License-Identifier: Apache-2.0
// Carries opened values and outcomes of writes from the receiving thread to JavaScript's, in their order. The waiting
// side is woken once for all that is there.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace exopool {

// A value's place, and the write that put it there: two reads with equal fields return the same bytes.
struct CachePlace {
  uint64_t hash;
  uint64_t write;
  uint32_t segment;
  uint32_t offset;
  uint32_t length;  // as stored
};

enum class CacheAnswerKind : uint8_t {
  kFound,      // a value that the caller asked for
  kLost,       // the producer did not return it
  kRefused,    // the producer refused now, and still has it
  kTampered,   // the producer returned other bytes
  kMoved,      // a value that is now written elsewhere, if it still counts
  kUnwritten,  // a value that the producer did not take
  kWritten,    // a batch of writes is over
};

struct CacheAnswer {
  CacheAnswerKind kind;
  uint64_t token = 0;
  CachePlace place{};
  std::unique_ptr<uint8_t[]> bytes;  // the check word, and the value behind it
  uint32_t size = 0;                 // of both
};

class CacheAnswers {
 public:
  explicit CacheAnswers(std::function<void()> wake) : wake_(std::move(wake)) {}

  void Push(CacheAnswer answer) {
    std::lock_guard<std::mutex> lock(mutex_);
    if (closed_) return;
    answers_.push_back(std::move(answer));
  }
  void PushAll(std::vector<CacheAnswer> answers) {
    std::lock_guard<std::mutex> lock(mutex_);
    if (closed_) return;
    if (answers_.empty()) {
      answers_ = std::move(answers);
    } else {
      answers_.insert(answers_.end(), std::make_move_iterator(answers.begin()), std::make_move_iterator(answers.end()));
    }
  }
  // After one or more answers.
  void Wake() {
    std::lock_guard<std::mutex> lock(mutex_);
    if (answers_.empty() || polled_ || woken_) return;
    woken_ = true;
    wake_();
  }
  std::vector<CacheAnswer> Take() {
    std::lock_guard<std::mutex> lock(mutex_);
    woken_ = false;
    return std::exchange(answers_, {});
  }
  bool empty() {
    std::lock_guard<std::mutex> lock(mutex_);
    return answers_.empty();
  }
  // No wake-up is needed: JavaScript's thread looks by itself, and then takes all waiting answers.
  void SetPolled(bool polled) {
    std::lock_guard<std::mutex> lock(mutex_);
    polled_ = polled;
  }
  void Close() {
    std::lock_guard<std::mutex> lock(mutex_);
    closed_ = true;
    answers_.clear();
  }

 private:
  std::mutex mutex_;
  std::vector<CacheAnswer> answers_;
  bool polled_ = false;
  bool woken_ = false;
  bool closed_ = false;
  const std::function<void()> wake_;
};

}  // namespace exopool

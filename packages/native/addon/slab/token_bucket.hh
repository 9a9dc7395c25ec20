// SPDX-License-Identifier: Apache-2.0
// A rate with a burst. A request may overdraw the bucket once, so that a request larger than the burst is served at
// all; the next ones wait until the debt is paid.
#pragma once

#include <algorithm>
#include <cstdint>

namespace exopool {

class TokenBucket {
 public:
  // `per_ms` 0: no limit.
  TokenBucket(double per_ms, double burst_ms) : per_ms_(per_ms), most_(per_ms * burst_ms), tokens_(most_) {}

  // 0 if a request may be served now; else the milliseconds to wait.
  uint32_t WaitMs(uint64_t now_ms) {
    if (per_ms_ == 0) return 0;
    if (now_ms > filled_ms_) {
      // The clock may be set: a bucket is never filled beyond its burst.
      tokens_ = std::min(most_, tokens_ + per_ms_ * static_cast<double>(now_ms - filled_ms_));
    }
    filled_ms_ = now_ms;
    if (tokens_ > 0) return 0;
    return static_cast<uint32_t>(std::min(kWaitMsMax, 1 - tokens_ / per_ms_));
  }
  void Take(double tokens) { tokens_ -= tokens; }

 private:
  static constexpr double kWaitMsMax = 60'000;
  double per_ms_;
  double most_;
  double tokens_;
  uint64_t filled_ms_ = 0;
};

}  // namespace exopool

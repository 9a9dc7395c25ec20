// SPDX-License-Identifier: Apache-2.0
// The system's clocks as plain numbers.
#pragma once

#include <cstdint>
#include <ctime>

namespace exopool {

inline uint64_t ClockNs(clockid_t clock) {
  timespec now;
  clock_gettime(clock, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

inline uint64_t MonotonicNs() { return ClockNs(CLOCK_MONOTONIC); }
inline uint64_t UnixMs() { return ClockNs(CLOCK_REALTIME) / 1'000'000; }
// Of the calling thread.
inline double ThreadCpuSeconds() { return static_cast<double>(ClockNs(CLOCK_THREAD_CPUTIME_ID)) / 1e9; }

}  // namespace exopool

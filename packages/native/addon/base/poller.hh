// SPDX-License-Identifier: Apache-2.0
// epoll that spins a little before it sleeps.
//
// Waking a sleeping thread costs 10 to 30 us on a virtual machine, several times what a request of 1 KiB costs over
// loopback. So after activity a thread asks again and again without sleeping, for `spin_us`. Spinning takes CPU from
// the application. While requests come too rarely for it, a thread spins only now and then as a try. A token bucket
// bounds spinning to kSpinShare of one core, whatever peers do. An idle thread does not spin.
#pragma once

#include <sys/epoll.h>

#include <cstdint>

#include "base/file_descriptor.hh"

namespace exopool {

class Poller {
 public:
  static constexpr int kEvents = 64;                    // taken from the kernel at once
  static constexpr double kSpinShare = 0.25;            // of one core, at most
  static constexpr uint64_t kSpinBurstNs = 20'000'000;  // saved up while idle, for a burst of requests
  static constexpr double kSpinLearning = 0.25;         // weight of the last spin in their success
  static constexpr double kSpinSuccessMin = 0.2;        // below it a thread does not spin; one hit brings it back
  static constexpr uint32_t kSpinTryEvery = 64;         // waits, then one try
  static constexpr uint64_t kWakeTag = UINT64_MAX;      // the tag that Wake's own descriptor has; Wait swallows it

  explicit Poller(uint32_t spin_us);

  // False: the system's limit on watched descriptors is reached (errno says).
  bool Add(int fd, uint32_t events, uint64_t tag);
  void Modify(int fd, uint32_t events, uint64_t tag);
  // Events of the added descriptors; 0 after `timeout_ms` (-1: never) or Wake.
  int Wait(epoll_event *events, int timeout_ms);
  // From any thread: makes Wait and Nap return.
  void Wake();
  // Sleeps until Wake, whatever the descriptors report.
  void Nap(int timeout_ms);

 private:
  int Ask(epoll_event *events, int timeout_ms);
  int Spin(epoll_event *events);
  bool WorthSpinning();
  void Refill(uint64_t now_ns);

  FileDescriptor epoll_;
  FileDescriptor wake_;
  const uint64_t spin_ns_;
  uint64_t tokens_ns_ = kSpinBurstNs;
  uint64_t refilled_ns_;
  double spin_success_ = 1;  // moving average: 1 for a spin that caught something
  uint32_t waits_ = 0;
  bool woken_ = false;
  bool active_ = false;
};

}  // namespace exopool

// SPDX-License-Identifier: Apache-2.0
#include "base/poller.hh"

#include <poll.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "base/clock.hh"

namespace exopool {
Poller::Poller(uint32_t spin_us)
    : epoll_(epoll_create1(EPOLL_CLOEXEC)),
      wake_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)),
      spin_ns_(uint64_t{spin_us} * 1000),
      refilled_ns_(MonotonicNs()) {
  if (epoll_.get() < 0 || wake_.get() < 0 || !Add(wake_.get(), EPOLLIN, kWakeTag)) {
    throw std::system_error(errno, std::generic_category(), "epoll");
  }
}

bool Poller::Add(int fd, uint32_t events, uint64_t tag) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = tag;
  return epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0;
}

void Poller::Modify(int fd, uint32_t events, uint64_t tag) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = tag;
  epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event);
}

int Poller::Wait(epoll_event *events, int timeout_ms) {
  woken_ = false;
  int count = 0;
  if (active_ && timeout_ms != 0 && WorthSpinning()) count = Spin(events);
  if (count == 0 && !woken_) count = Ask(events, timeout_ms);
  active_ = count > 0 || woken_;
  return count;
}

void Poller::Wake() {
  const uint64_t one = 1;
  // Fails only if the counter is full; then the thread is already being woken.
  [[maybe_unused]] const ssize_t written = write(wake_.get(), &one, sizeof one);
}

void Poller::Nap(int timeout_ms) {
  pollfd wake{wake_.get(), POLLIN, 0};
  poll(&wake, 1, timeout_ms);
}

int Poller::Ask(epoll_event *events, int timeout_ms) {
  int count = epoll_wait(epoll_.get(), events, kEvents, timeout_ms);
  for (int i = 0; i < count; ++i) {
    if (events[i].data.u64 != kWakeTag) continue;
    uint64_t times;
    [[maybe_unused]] const ssize_t got = read(wake_.get(), &times, sizeof times);
    woken_ = true;
    events[i] = events[--count];
    --i;
  }
  return std::max(count, 0);
}

int Poller::Spin(epoll_event *events) {
  const uint64_t start = MonotonicNs();
  Refill(start);
  const uint64_t end = start + std::min(spin_ns_, tokens_ns_);
  uint64_t now = start;
  int count = 0;
  while (count == 0 && !woken_ && now < end) {
    count = Ask(events, 0);
    // Other threads get this core first, above all those of the application.
    if (count == 0) sched_yield();
    now = MonotonicNs();
  }
  tokens_ns_ -= std::min(tokens_ns_, now - start);
  spin_success_ += kSpinLearning * ((count > 0 || woken_ ? 1 : 0) - spin_success_);
  return count;
}

bool Poller::WorthSpinning() {
  return spin_ns_ > 0 && (spin_success_ >= kSpinSuccessMin || ++waits_ % kSpinTryEvery == 0);
}

void Poller::Refill(uint64_t now_ns) {
  tokens_ns_ = std::min(kSpinBurstNs, tokens_ns_ + static_cast<uint64_t>(kSpinShare * (now_ns - refilled_ns_)));
  refilled_ns_ = now_ns;
}

}  // namespace exopool

// SPDX-License-Identifier: Apache-2.0
// A process that only computes, with a count of its loop turns.
//
// In the class SCHED_IDLE it runs only on an otherwise idle CPU, so all other time is work: system calls, interrupts,
// context switches. In the usual class it is a neighbour that wants its share.
#pragma once

#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>

#include "clock.hh"

namespace exopool {

class Spinner {
 public:
  // `policy` is SCHED_IDLE or SCHED_OTHER. Takes a second, in which the machine should have nothing else to do.
  explicit Spinner(int policy) {
    turns_ = static_cast<volatile uint64_t *>(
        mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    child_ = fork();
    if (child_ == 0) Spin(policy);
    // A turn takes 2 ns under -icount, and a little for the clock's ticks. Windows in which the kernel did more are
    // discarded.
    for (int window = 0; window < kWindows; window++) {
      Start();
      usleep(kWindowUs);
      double turn_ns = ElapsedNs() / static_cast<double>(*turns_ - start_turns_);
      if (window == 0 || turn_ns < turn_ns_) turn_ns_ = turn_ns;
    }
  }
  ~Spinner() {
    kill(child_, SIGKILL);
    waitpid(child_, nullptr, 0);
  }
  Spinner(const Spinner &) = delete;
  Spinner &operator=(const Spinner &) = delete;

  void Start() {
    start_turns_ = *turns_;
    start_ns_ = NowNs();
  }
  // Since Start: all time, and that in which it did not run.
  double ElapsedNs() const { return NowNs() - start_ns_; }
  double WorkNs() const { return ElapsedNs() - static_cast<double>(*turns_ - start_turns_) * turn_ns_; }
  double turn_ns() const { return turn_ns_; }

 private:
  static constexpr int kWindows = 10;
  static constexpr unsigned kWindowUs = 100000;

  [[noreturn]] void Spin(int policy) const {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    sched_param none{};
    sched_setscheduler(0, policy, &none);
    for (;;) asm volatile("1: incq (%0)\n jmp 1b" : : "r"(turns_) : "memory");
  }

  volatile uint64_t *turns_;
  pid_t child_;
  uint64_t start_turns_ = 0;
  double start_ns_ = 0, turn_ns_ = 0;
};

}  // namespace exopool

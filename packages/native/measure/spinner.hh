// SPDX-License-Identifier: Apache-2.0
// How many instructions a piece of work takes, in a guest where one instruction is one nanosecond (`exopool vm
// --icount`), with those of interrupts, other threads and the kernel.
//
// The processor must not idle, or its time would count as work. A child of the lowest priority counts loop turns in
// idle time; its time is subtracted:
//
//   elapsed   |==work==|..spin..|=interrupt=|..spin..|==work==|      instructions = elapsed - turns * each
#pragma once

#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>

namespace exopool {

class Spinner {
 public:
  Spinner() {
    void *page = mmap(nullptr, sizeof(uint64_t), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) abort();
    turns_ = static_cast<volatile uint64_t *>(page);
    child_ = fork();
    if (child_ < 0) abort();
    if (child_ == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      sched_param parameters{};
      sched_setscheduler(0, SCHED_IDLE, &parameters);
      for (;;) *turns_ = *turns_ + 1;
    }
    // The quietest of several windows: in the others other work ran as well.
    for (int i = 0; i < kCalibrations; i++) {
      Start();
      usleep(kCalibrateUs);
      double each = (Now() - begin_) / static_cast<double>(*turns_ - turns_begin_);
      if (i == 0 || each < each_) each_ = each;
    }
  }

  ~Spinner() {
    kill(child_, SIGKILL);
    waitpid(child_, nullptr, 0);
  }

  void Start() {
    turns_begin_ = *turns_;
    begin_ = Now();
  }
  // Since Start.
  double Instructions() const { return Now() - begin_ - static_cast<double>(*turns_ - turns_begin_) * each_; }
  double each() const { return each_; }

 private:
  static constexpr int kCalibrations = 10;
  static constexpr useconds_t kCalibrateUs = 50'000;

  static double Now() {
    timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
  }

  volatile uint64_t *turns_ = nullptr;
  pid_t child_ = -1;
  double each_ = 0;  // instructions a turn
  double begin_ = 0;
  uint64_t turns_begin_ = 0;
};

}  // namespace exopool

// SPDX-License-Identifier: Apache-2.0
// One io_uring, by its system calls: only the two queues that are shared with the kernel.
//
//   this process                          kernel
//   Next() -> [ submission queue ]  --->  starts the requests      one io_uring_enter hands over all of them
//   ForEachCompletion <- [ completion queue ] <---  results        and waits for a result
//
// A ring belongs to the thread that opened it: that thread then runs completions when it asks for them (DEFER_TASKRUN,
// Linux 6.1), without interrupts of its other work. Older kernels get the plainest ring.
#pragma once

#include <linux/io_uring.h>
#include <sys/uio.h>

#include <cstddef>
#include <cstdint>

namespace exopool {

class Ring {
 public:
  Ring() = default;
  ~Ring();
  Ring(const Ring &) = delete;
  Ring &operator=(const Ring &) = delete;

  // Makes a ring with room for `entries` submissions (a power of two). Zero or an errno; ENOSYS also for a
  // kernel whose io_uring cannot read into a buffer (before 5.6).
  int Open(unsigned entries);

  // Registers files and buffers that requests name by number. Zero or an errno; requests then use descriptors and
  // addresses.
  int RegisterBuffers(const iovec *buffers, unsigned count);
  int RegisterEmptyFiles(unsigned count);
  int SetFile(unsigned slot, int fd);  // -1 empties the slot

  // A zeroed entry to fill in, submitted by the next Enter; null if all entries of the ring wait for it.
  io_uring_sqe *Next();
  // Submits the entries from Next, and waits for `wait` completions. Zero or an errno; EINTR is retried.
  int Enter(unsigned wait);

  // Hands every waiting completion to `take(user_data, result)`.
  template <typename Take>
  void ForEachCompletion(Take take) {
    for (unsigned head = *cq_head_; head != __atomic_load_n(cq_tail_, __ATOMIC_ACQUIRE);) {
      const io_uring_cqe cqe = cqes_[head & cq_mask_];
      __atomic_store_n(cq_head_, ++head, __ATOMIC_RELEASE);
      take(cqe.user_data, cqe.res);
    }
  }

 private:
  int Map(const io_uring_params &params);
  bool CanRead() const;

  int fd_ = -1;
  uint8_t *queues_ = nullptr;  // both rings in one mapping (Linux 5.4)
  size_t queues_bytes_ = 0;
  io_uring_sqe *sqes_ = nullptr;
  size_t sqes_bytes_ = 0;

  unsigned *sq_head_ = nullptr, *sq_tail_ = nullptr;
  unsigned sq_mask_ = 0;
  unsigned filled_ = 0;  // our tail: entries given out
  unsigned *cq_head_ = nullptr, *cq_tail_ = nullptr;
  unsigned cq_mask_ = 0;
  io_uring_cqe *cqes_ = nullptr;
};

}  // namespace exopool

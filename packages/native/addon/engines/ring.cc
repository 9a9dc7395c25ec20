// SPDX-License-Identifier: Apache-2.0
#include "engines/ring.hh"

#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <vector>

// Headers older than the kernel that the addon may run on.
#ifndef IORING_SETUP_COOP_TASKRUN
#define IORING_SETUP_COOP_TASKRUN (1U << 8)
#endif
#ifndef IORING_SETUP_SINGLE_ISSUER
#define IORING_SETUP_SINGLE_ISSUER (1U << 12)
#endif
#ifndef IORING_SETUP_DEFER_TASKRUN
#define IORING_SETUP_DEFER_TASKRUN (1U << 13)
#endif

namespace exopool {
namespace {

// The best first; a kernel answers EINVAL to flags that it does not know.
constexpr unsigned kSetupFlags[] = {
    IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,  // Linux 6.1
    IORING_SETUP_COOP_TASKRUN,                                // Linux 5.19
    0,
};

int Register(int ring, unsigned operation, const void *argument, unsigned count) {
  return syscall(__NR_io_uring_register, ring, operation, argument, count) < 0 ? errno : 0;
}

}  // namespace

Ring::~Ring() {
  if (queues_ != nullptr) munmap(queues_, queues_bytes_);
  if (sqes_ != nullptr) munmap(sqes_, sqes_bytes_);
  if (fd_ >= 0) close(fd_);
}

int Ring::Open(unsigned entries) {
  io_uring_params params;
  for (unsigned flags : kSetupFlags) {
    memset(&params, 0, sizeof(params));
    params.flags = flags;
    fd_ = static_cast<int>(syscall(__NR_io_uring_setup, entries, &params));
    if (fd_ >= 0 || errno != EINVAL) break;
  }
  if (fd_ < 0) return errno;
  if ((params.features & IORING_FEAT_SINGLE_MMAP) == 0 || !CanRead()) return ENOSYS;
  return Map(params);
}

int Ring::Map(const io_uring_params &params) {
  size_t sq_bytes = params.sq_off.array + params.sq_entries * sizeof(unsigned);
  size_t cq_bytes = params.cq_off.cqes + params.cq_entries * sizeof(io_uring_cqe);
  auto map = [this](size_t bytes, off_t what) {
    return mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd_, what);
  };
  queues_bytes_ = sq_bytes > cq_bytes ? sq_bytes : cq_bytes;
  void *queues = map(queues_bytes_, IORING_OFF_SQ_RING);
  if (queues == MAP_FAILED) return errno;
  queues_ = static_cast<uint8_t *>(queues);
  sqes_bytes_ = params.sq_entries * sizeof(io_uring_sqe);
  void *sqes = map(sqes_bytes_, IORING_OFF_SQES);
  if (sqes == MAP_FAILED) return errno;
  sqes_ = static_cast<io_uring_sqe *>(sqes);

  auto word = [this](unsigned offset) { return reinterpret_cast<unsigned *>(queues_ + offset); };
  sq_head_ = word(params.sq_off.head);
  sq_tail_ = word(params.sq_off.tail);
  sq_mask_ = *word(params.sq_off.ring_mask);
  cq_head_ = word(params.cq_off.head);
  cq_tail_ = word(params.cq_off.tail);
  cq_mask_ = *word(params.cq_off.ring_mask);
  cqes_ = reinterpret_cast<io_uring_cqe *>(queues_ + params.cq_off.cqes);
  // Entry i of the queue is always entry i of the array.
  for (unsigned i = 0; i < params.sq_entries; i++) word(params.sq_off.array)[i] = i;
  return 0;
}

bool Ring::CanRead() const {
  constexpr unsigned kOperations = IORING_OP_READ + 1;
  std::vector<uint64_t> memory((sizeof(io_uring_probe) + kOperations * sizeof(io_uring_probe_op)) / sizeof(uint64_t) +
                               1);
  auto probe = reinterpret_cast<io_uring_probe *>(memory.data());
  if (Register(fd_, IORING_REGISTER_PROBE, probe, kOperations) != 0) return false;
  return probe->last_op >= IORING_OP_READ && (probe->ops[IORING_OP_READ].flags & IO_URING_OP_SUPPORTED) != 0;
}

int Ring::RegisterBuffers(const iovec *buffers, unsigned count) {
  return Register(fd_, IORING_REGISTER_BUFFERS, buffers, count);
}

int Ring::RegisterEmptyFiles(unsigned count) {
  std::vector<int> empty(count, -1);
  return Register(fd_, IORING_REGISTER_FILES, empty.data(), count);
}

int Ring::SetFile(unsigned slot, int fd) {
  io_uring_files_update update{};
  update.offset = slot;
  update.fds = reinterpret_cast<uint64_t>(&fd);
  return Register(fd_, IORING_REGISTER_FILES_UPDATE, &update, 1);
}

io_uring_sqe *Ring::Next() {
  if (filled_ - __atomic_load_n(sq_head_, __ATOMIC_ACQUIRE) > sq_mask_) return nullptr;
  io_uring_sqe *sqe = &sqes_[filled_++ & sq_mask_];
  memset(sqe, 0, sizeof(*sqe));
  return sqe;
}

int Ring::Enter(unsigned wait) {
  __atomic_store_n(sq_tail_, filled_, __ATOMIC_RELEASE);
  for (;;) {
    unsigned submit = filled_ - __atomic_load_n(sq_head_, __ATOMIC_ACQUIRE);
    long done = syscall(__NR_io_uring_enter, fd_, submit, wait, IORING_ENTER_GETEVENTS, nullptr, size_t{0});
    if (done >= 0) return 0;
    if (errno != EINTR) return errno;
  }
}

}  // namespace exopool

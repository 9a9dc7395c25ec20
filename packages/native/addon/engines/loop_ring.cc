// SPDX-License-Identifier: Apache-2.0
#include "engines/loop_ring.hh"

#include <linux/io_uring.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace exopool {
namespace {

// From linux/io_uring.h of newer kernels than the headers that this may be built with.
constexpr unsigned kSetupSingleIssuer = 1u << 12;
constexpr unsigned kSetupDeferTaskrun = 1u << 13;
constexpr unsigned kSetupNoSqArray = 1u << 16;
constexpr unsigned kRegisterMemRegion = 34;
struct RegionDescription {
  uint64_t user_addr, size;
  uint32_t flags, id;
  uint64_t mmap_offset, reserved[4];
};
constexpr uint32_t kRegionOfUser = 1;
struct RegionRegistration {
  uint64_t region, flags, reserved[2];
};

int Register(int ring, unsigned operation, const void *argument, unsigned count) {
  return syscall(__NR_io_uring_register, ring, operation, argument, count) < 0 ? errno : 0;
}

}  // namespace

LoopRing::~LoopRing() {
  if (fd_ >= 0) close(fd_);
  if (region_ != nullptr) munmap(region_, region_bytes_);
}

int LoopRing::Open(size_t region_bytes) {
  int error = OpenRing();
  return error == 0 ? RegisterRegion(region_bytes) : error;
}

int LoopRing::OpenRing() {
  io_uring_params params{};
  params.flags = kSetupDeferTaskrun | kSetupSingleIssuer | kSetupNoSqArray | IORING_SETUP_SQE128 | IORING_SETUP_CQE32;
  fd_ = static_cast<int>(syscall(__NR_io_uring_setup, EXO_LOOP_ENTRIES, &params));
  if (fd_ < 0) return errno;
  offsets_ = {params.cq_off.head, params.cq_off.tail, params.cq_off.cqes, params.sq_off.tail};
  // The program's masks for offsets, and its view of the rings.
  bool fits = params.cq_off.cqes < 1024 && params.sq_off.tail < 1024 &&
              params.cq_off.cqes + 2 * EXO_LOOP_ENTRIES * EXO_LOOP_CQE_BYTES <= EXO_LOOP_CQ_BYTES;
  return fits ? 0 : ENOTSUP;
}

int LoopRing::RegisterRegion(size_t bytes) {
  void *region = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | MAP_PRIVATE | MAP_POPULATE, -1, 0);
  if (region == MAP_FAILED) return errno;
  // After a fork the kernel might write into the child's copy.
  madvise(region, bytes, MADV_DONTFORK);
  region_ = static_cast<uint8_t *>(region);
  region_bytes_ = bytes;
  RegionDescription description{};
  description.user_addr = reinterpret_cast<uint64_t>(region);
  description.size = bytes;
  description.flags = kRegionOfUser;
  RegionRegistration registration{};
  registration.region = reinterpret_cast<uint64_t>(&description);
  if (int error = Register(fd_, kRegisterMemRegion, &registration, 1)) return error;
  // As a buffer too, or each read would look up and pin the pages that it goes to.
  iovec buffer = {region_, region_bytes_};
  return Register(fd_, IORING_REGISTER_BUFFERS, &buffer, 1);
}

int LoopRing::Run() {
  for (;;) {
    long done = syscall(__NR_io_uring_enter, fd_, 0, 1, IORING_ENTER_GETEVENTS, nullptr, size_t{0});
    if (done >= 0) return 0;
    if (errno != EINTR) return errno;
  }
}

bpf_map *SetRing(BpfObject *object, const LoopRing &ring) {
  bpf_map *constants = object->Map(".rodata"), *ops = object->Map("loop_ops");
  if (constants == nullptr || ops == nullptr) return nullptr;
  const int fd = ring.fd();
  // The program has one constant, and the type has the ring's descriptor after one function.
  uint8_t *offsets = object->InitialValue(constants, sizeof(exo_loop_ring));
  uint8_t *fields = object->InitialValue(ops, sizeof(void *) + sizeof(fd));
  if (offsets == nullptr || fields == nullptr) return nullptr;
  memcpy(offsets, &ring.offsets(), sizeof(exo_loop_ring));
  memcpy(fields + sizeof(void *), &fd, sizeof(fd));
  return ops;
}

}  // namespace exopool

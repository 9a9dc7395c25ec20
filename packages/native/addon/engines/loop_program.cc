// SPDX-License-Identifier: Apache-2.0
#include "engines/loop_program.hh"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <vector>

namespace exopool {
namespace {

constexpr char kFixKernel[] = "boot Linux 7.1 or later; to try it: ./exopool vm 7.2 -- ./exopool doctor";
constexpr char kFixRights[] = "run as root";
constexpr char kObjectName[] = "loop_lookup.bpf.o";
constexpr char kKernelTypes[] = "/sys/kernel/btf/vmlinux";
// The struct_ops type that a kernel with loops has.
constexpr char kLoopType[] = "io_uring_bpf_ops";

// A file of some megabytes is read in a millisecond; parsing it takes twenty.
bool KernelHasLoops() {
  int fd = open(kKernelTypes, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  std::vector<char> types;
  std::vector<char> part(1 << 20);
  for (ssize_t got; (got = read(fd, part.data(), part.size())) > 0;)
    types.insert(types.end(), part.begin(), part.begin() + got);
  close(fd);
  return memmem(types.data(), types.size(), kLoopType, sizeof(kLoopType)) != nullptr;
}

}  // namespace

Obstacle LoopProgram::WhyImpossible() {
  Obstacle missing = BpfObject::WhyMissing(BpfObject::PathOf(kObjectName), BpfObject::kStructOpsMinor);
  if (missing) return missing;
  if (!KernelHasLoops()) return {"the kernel has no BPF programs in io_uring's wait loop", kFixKernel};
  return {};
}

Obstacle LoopProgram::Load() {
  int error = ring_.Open(EXO_LOOP_REGION_BYTES);
  if (error == 0) error = LoadObject();
  if (error == 0) return {};
  const bool lacks_rights = BpfObject::LacksRights(error);
  std::string reason = std::string("the kernel refuses the loop: ") + strerror(error);
  if (!lacks_rights && !object_.log().empty()) reason += " (" + object_.FirstWarning() + ")";
  return {reason, lacks_rights ? kFixRights : kFixKernel};
}

int LoopProgram::LoadObject() {
  if (int error = object_.Open(BpfObject::PathOf(kObjectName))) return error;
  bpf_map *ops = SetRing(&object_, ring_);
  bpf_map *loops = object_.Map("loops"), *extents = object_.Map("extents"), *snapshots = object_.Map("snapshots");
  if (ops == nullptr || loops == nullptr || extents == nullptr || snapshots == nullptr) return EINVAL;
  if (int error = object_.Load()) return error;
  loop_ = object_.Share<exo_loop>(loops, 1);
  extents_ = object_.Share<exo_extent>(extents, EXO_LOOP_EXTENTS_MAX);
  snapshots_ = object_.Share<uint64_t>(snapshots, EXO_SNAPSHOTS_MAX);
  if (loop_ == nullptr || extents_ == nullptr || snapshots_ == nullptr) return errno;
  return object_.AttachStructOps(ops) == nullptr ? errno : 0;
}

int LoopProgram::Run() { return ring_.Run(); }

}  // namespace exopool

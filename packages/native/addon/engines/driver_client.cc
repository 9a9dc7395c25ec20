// SPDX-License-Identifier: Apache-2.0
#include "engines/driver_client.hh"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/random.h>

#include <cerrno>
#include <cstring>

namespace exopool {
namespace {

// As kernel/bpf/driver_*.bpf.c have it, with the pointer as libbpf presents it.
struct ExoOps {
  void *next;
  uint64_t id;
};

Obstacle Refused(const char *what) { return {std::string(what) + ": " + strerror(errno), ""}; }

}  // namespace

std::unique_ptr<DriverProgram> DriverProgram::Load(const std::string &object, const char *ops, size_t chains,
                                                   Obstacle *obstacle) {
  std::unique_ptr<DriverProgram> program(new DriverProgram());
  *obstacle = program->Attach(object, ops, chains);
  return *obstacle ? nullptr : std::move(program);
}

Obstacle DriverProgram::Attach(const std::string &path, const char *ops, size_t chains) {
  if (Obstacle missing = BpfObject::WhyMissing(path, BpfObject::kStructOpsMinor)) return missing;
  const int error = object_.Open(path);
  bpf_map *map = object_.Map(ops);
  uint8_t *initial = map == nullptr ? nullptr : object_.InitialValue(map, sizeof(ExoOps), true);
  if (error != 0 || initial == nullptr) return BpfObject::Foreign(path);
  // Unguessable: a process that knows the number can run the program over its files.
  if (getrandom(&id_, sizeof(id_), 0) != sizeof(id_)) return Refused("there is no random number for the program");
  memcpy(initial + offsetof(ExoOps, id), &id_, sizeof(id_));
  bpf_map *chain_map = object_.Map("chains");
  if (chain_map != nullptr) object_.SetLength(chain_map, chains);
  if (object_.Load() != 0) return Refused("the kernel does not take the program; is exopool.ko loaded?");
  if (chain_map != nullptr) {
    chains_ = object_.Share<exo_chain>(chain_map, chains);
    if (chains_ == nullptr) return Refused("the map of chains cannot be mapped");
  }
  link_ = object_.AttachStructOps(map);
  return link_ == nullptr ? Refused("exopool.ko does not take the program") : Obstacle{};
}

DriverProgram::~DriverProgram() {
  if (link_ != nullptr) BpfObject::Detach(link_);
}

int DriverSession::Open() {
  fd_ = FileDescriptor(open(EXO_DRIVER_PATH, O_RDWR | O_CLOEXEC));
  return fd_.is_open() ? 0 : errno;
}

int DriverSession::Info(exo_info *info) const { return ioctl(fd_.get(), EXO_IOC_INFO, info) == 0 ? 0 : errno; }

int DriverSession::Attach(int fd, uint64_t program, uint32_t block_bytes, bool pin, exo_attach *call) const {
  *call = {};
  call->fd = fd;
  call->program = program;
  call->block_bytes = block_bytes;
  call->flags = pin ? EXO_ATTACH_PIN : 0;
  return ioctl(fd_.get(), EXO_IOC_ATTACH, call) == 0 ? 0 : errno;
}

int DriverSession::Refresh(exo_attach *call) const { return ioctl(fd_.get(), EXO_IOC_REFRESH, call) == 0 ? 0 : errno; }

int DriverSession::Detach(uint32_t file) const {
  exo_attach call{};
  call.file = file;
  return ioctl(fd_.get(), EXO_IOC_DETACH, &call) == 0 ? 0 : errno;
}

int DriverSession::Run(uint32_t file, exo_mode mode, uint32_t hops_max, exo_request *requests, uint32_t count,
                       exo_run *run) const {
  *run = {};
  run->requests = reinterpret_cast<uintptr_t>(requests);
  run->count = count;
  run->file = file;
  run->mode = mode;
  run->hops_max = hops_max;
  return ioctl(fd_.get(), EXO_IOC_RUN, run) == 0 ? 0 : errno;
}

}  // namespace exopool

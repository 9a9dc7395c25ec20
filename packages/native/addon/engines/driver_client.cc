// SPDX-License-Identifier: Apache-2.0
#include "engines/driver_client.hh"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#ifdef EXOPOOL_HAVE_LIBBPF
#include <sys/mman.h>
#include <sys/random.h>

#include "base/bpf_library.hh"
#endif

namespace exopool {

#ifdef EXOPOOL_HAVE_LIBBPF
namespace {

// As bpf/driver_*.bpf.c have it, with the pointer as libbpf presents it.
struct ExoOps {
  void *next;
  uint64_t id;
};

std::string Refused(const char *what) { return std::string(what) + ": " + strerror(errno); }

}  // namespace

std::unique_ptr<DriverProgram> DriverProgram::Load(const std::string &object, const char *ops, size_t chains,
                                                   std::string *reason) {
  std::unique_ptr<DriverProgram> program(new DriverProgram());
  return program->Attach(object, ops, chains, reason) ? std::move(program) : nullptr;
}

bool DriverProgram::Attach(const std::string &path, const char *ops, size_t chains, std::string *reason) {
  const BpfLibrary *bpf = &BpfLibrary::Get();
  if (!bpf->reason().empty() || !bpf->IsAtLeast(1, 4)) {
    *reason = bpf->reason().empty() ? "libbpf " + bpf->Version() + " is older than 1.4" : bpf->reason();
    return false;
  }
  object_ = bpf->bpf_object__open_file(path.c_str(), nullptr);
  bpf_map *map = object_ == nullptr ? nullptr : bpf->bpf_object__find_map_by_name(object_, ops);
  size_t bytes = 0;
  const void *initial = map == nullptr ? nullptr : bpf->bpf_map__initial_value(map, &bytes);
  auto *value = static_cast<ExoOps *>(const_cast<void *>(initial)); // ours to change till it is loaded
  if (value == nullptr || bytes != sizeof(ExoOps)) {
    *reason = path + " is no program for the driver";
    return false;
  }
  // Unguessable: who knows the number may have files walked by the program.
  if (getrandom(&id_, sizeof(id_), 0) != sizeof(id_)) return false;
  value->id = id_;
  bpf_map *chain_map = bpf->bpf_object__find_map_by_name(object_, "chains");
  if (chain_map != nullptr) bpf->bpf_map__set_max_entries(chain_map, chains);
  if (bpf->bpf_object__load(object_) != 0) {
    *reason = Refused("the kernel does not take the program; is exopool.ko loaded?");
    return false;
  }
  if (chain_map != nullptr) {
    void *at = mmap(nullptr, chains * sizeof(exo_chain), PROT_READ | PROT_WRITE, MAP_SHARED,
                    bpf->bpf_map__fd(chain_map), 0);
    if (at == MAP_FAILED) {
      *reason = Refused("the map of chains cannot be mapped");
      return false;
    }
    chains_ = static_cast<exo_chain *>(at);
    chains_bytes_ = chains * sizeof(exo_chain);
  }
  link_ = bpf->bpf_map__attach_struct_ops(map);
  if (link_ == nullptr) *reason = Refused("exopool.ko does not take the program");
  return link_ != nullptr;
}

DriverProgram::~DriverProgram() {
  const BpfLibrary *bpf = &BpfLibrary::Get();
  if (link_ != nullptr) bpf->bpf_link__destroy(link_);
  if (chains_ != nullptr) munmap(chains_, chains_bytes_);
  if (object_ != nullptr) bpf->bpf_object__close(object_);
}

#else

std::unique_ptr<DriverProgram> DriverProgram::Load(const std::string &, const char *, size_t,
                                                   std::string *reason) {
  *reason = "the addon was built without libbpf";
  return nullptr;
}

DriverProgram::~DriverProgram() = default;

#endif

DriverSession::~DriverSession() {
  if (fd_ >= 0) close(fd_);
}

int DriverSession::Open() {
  fd_ = open(EXO_DRIVER_PATH, O_RDWR | O_CLOEXEC);
  return fd_ < 0 ? errno : 0;
}

int DriverSession::Info(exo_info *info) const { return ioctl(fd_, EXO_IOC_INFO, info) == 0 ? 0 : errno; }

int DriverSession::Attach(int fd, uint64_t program, uint32_t block_bytes, bool pin, exo_attach *call) const {
  *call = {};
  call->fd = fd;
  call->program = program;
  call->block_bytes = block_bytes;
  call->flags = pin ? EXO_ATTACH_PIN : 0;
  return ioctl(fd_, EXO_IOC_ATTACH, call) == 0 ? 0 : errno;
}

int DriverSession::Refresh(exo_attach *call) const {
  return ioctl(fd_, EXO_IOC_REFRESH, call) == 0 ? 0 : errno;
}

int DriverSession::Detach(uint32_t file) const {
  exo_attach call{};
  call.file = file;
  return ioctl(fd_, EXO_IOC_DETACH, &call) == 0 ? 0 : errno;
}

int DriverSession::Run(uint32_t file, exo_mode mode, uint32_t hops_max, exo_request *requests, uint32_t count,
                       exo_run *run) const {
  *run = {};
  run->requests = reinterpret_cast<uintptr_t>(requests);
  run->count = count;
  run->file = file;
  run->mode = mode;
  run->hops_max = hops_max;
  return ioctl(fd_, EXO_IOC_RUN, run) == 0 ? 0 : errno;
}

}  // namespace exopool

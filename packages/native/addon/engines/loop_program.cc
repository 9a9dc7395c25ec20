// SPDX-License-Identifier: Apache-2.0
#include "engines/loop_program.hh"

#include <cerrno>

#ifdef EXOPOOL_HAVE_LIBBPF
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "base/bpf_library.hh"
#endif

namespace exopool {
namespace {

constexpr char kFixBuild[] = "apt-get install clang libbpf-dev && ./exopool setup";

#ifdef EXOPOOL_HAVE_LIBBPF

constexpr char kFixLibrary[] = "./exopool setup, which fetches it where the archive has one";
constexpr char kFixKernel[] = "boot Linux 7.1 or later; to try it: ./exopool vm 7.2 -- ./exopool doctor";
constexpr char kFixRights[] = "run as root";
constexpr char kObjectName[] = "loop_lookup.bpf.o";
constexpr char kKernelTypes[] = "/sys/kernel/btf/vmlinux";
// The struct_ops type that a kernel with loops has.
constexpr char kLoopType[] = "io_uring_bpf_ops";

// A megabyte-sized file is read in a millisecond; parsing it takes twenty.
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

// The last complaint of libbpf while it loads, on the thread that loads.
thread_local std::string last_warning;

int KeepLastWarning(enum libbpf_print_level level, const char *format, va_list arguments) {
  if (level != LIBBPF_WARN) return 0;
  if (getenv("EXOPOOL_DEBUG") != nullptr) return vfprintf(stderr, format, arguments);
  char line[256];
  vsnprintf(line, sizeof(line), format, arguments);
  line[strcspn(line, "\n")] = '\0';
  last_warning = line;
  return 0;
}

// Older headers have it const.
uint8_t *InitialValue(bpf_map *map) {
  size_t bytes = 0;
  const void *value = BpfLibrary::Get().bpf_map__initial_value(map, &bytes);
  return static_cast<uint8_t *>(const_cast<void *>(value));
}

template <typename T>
int MapArray(const bpf_map *map, size_t count, T **into) {
  int fd = BpfLibrary::Get().bpf_map__fd(map);
  void *mapping = mmap(nullptr, count * sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (mapping == MAP_FAILED) return errno;
  *into = static_cast<T *>(mapping);
  return 0;
}

#endif

}  // namespace

#ifdef EXOPOOL_HAVE_LIBBPF

bool LoopProgram::IsPossible(std::string *reason, std::string *fix) {
  const BpfLibrary &library = BpfLibrary::Get();
  *fix = kFixLibrary;
  *reason = library.reason();
  if (!reason->empty()) return false;
  if (!library.IsAtLeast(1, 4)) {
    *reason = "libbpf " + library.Version() + " is older than 1.4";
    return false;
  }
  *fix = kFixBuild;
  if (access(BesideAddon(kObjectName).c_str(), R_OK) != 0) {
    *reason = "the BPF program was not built: clang was missing";
    return false;
  }
  *fix = kFixKernel;
  if (!KernelHasLoops()) {
    *reason = "the kernel has no BPF programs in io_uring's wait loop";
    return false;
  }
  fix->clear();
  return true;
}

bool LoopProgram::Load(std::string *reason, std::string *fix) {
  std::string detail;
  int error = ring_.Open(EXO_LOOP_REGION_BYTES);
  if (error == 0) error = LoadObject(&detail);
  if (error == 0) return true;
  bool lacks_rights = error == EPERM || (error == EACCES && geteuid() != 0);
  *fix = lacks_rights ? kFixRights : kFixKernel;
  *reason = std::string("the kernel refuses the loop: ") + strerror(error);
  if (!lacks_rights && !detail.empty()) *reason += " (" + detail + ")";
  return false;
}

int LoopProgram::LoadObject(std::string *detail) {
  const BpfLibrary &library = BpfLibrary::Get();
  library.libbpf_set_print(KeepLastWarning);
  bpf_object *object = library.bpf_object__open_file(BesideAddon(kObjectName).c_str(), nullptr);
  if (object == nullptr) return errno;
  auto find = [&](const char *name) { return library.bpf_object__find_map_by_name(object, name); };
  bpf_map *constants = find(".rodata"), *ops = find("loop_ops");
  bpf_map *loops = find("loops"), *extents = find("extents"), *snapshots = find("snapshots");
  if (constants == nullptr || ops == nullptr || loops == nullptr || extents == nullptr || snapshots == nullptr)
    return EINVAL;
  // The program has one constant, and the type has the ring's descriptor after one function.
  uint8_t *offsets = InitialValue(constants), *fields = InitialValue(ops);
  if (offsets == nullptr || fields == nullptr) return ENOTSUP;
  memcpy(offsets, &ring_.offsets(), sizeof(exo_loop_ring));
  const int ring_fd = ring_.fd();
  memcpy(fields + sizeof(void *), &ring_fd, sizeof(ring_fd));
  int error = -library.bpf_object__load(object);
  if (error == 0) error = MapArray(loops, 1, &loop_);
  if (error == 0) error = MapArray(extents, EXO_EXTENTS_MAX, &extents_);
  if (error == 0) error = MapArray(snapshots, EXO_SNAPSHOTS_MAX, &snapshots_);
  if (error == 0 && library.bpf_map__attach_struct_ops(ops) == nullptr) error = errno;
  if (error != 0) *detail = last_warning;
  return error;
}

int LoopProgram::Run() { return ring_.Run(); }

#else

bool LoopProgram::IsPossible(std::string *reason, std::string *fix) {
  *reason = "the addon was built without libbpf";
  *fix = kFixBuild;
  return false;
}

bool LoopProgram::Load(std::string *reason, std::string *fix) { return IsPossible(reason, fix); }

int LoopProgram::Run() { return ENOSYS; }

#endif

}  // namespace exopool

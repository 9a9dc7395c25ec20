// SPDX-License-Identifier: Apache-2.0
#include "machine/read_tracer.hh"

#ifdef EXOPOOL_HAVE_LIBBPF
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "base/bpf_library.hh"
#endif

namespace exopool {
namespace {

constexpr char kFixBuild[] = "apt-get install clang libbpf-dev && ./exopool setup";

#ifdef EXOPOOL_HAVE_LIBBPF

constexpr char kFixLibrary[] = "apt-get install libbpf1";
constexpr char kFixRights[] = "run as root";
constexpr char kFixKernel[] = "boot a kernel with CONFIG_DEBUG_INFO_BTF and CONFIG_FUNCTION_TRACER";
constexpr char kObjectName[] = "read_trace.bpf.o";
constexpr char kKernelTypes[] = "/sys/kernel/btf/vmlinux";

// The probes that the kernel refuses are told by name; libbpf's words are for who asks for them.
int PrintForDebugging(enum libbpf_print_level level, const char *format, va_list arguments) {
  bool asked = level == LIBBPF_WARN && getenv("EXOPOOL_DEBUG") != nullptr;
  return asked ? vfprintf(stderr, format, arguments) : 0;
}

bool Refuse(const char *what, int error, std::string *reason, std::string *fix) {
  bool lacks_rights = error == EPERM || (error == EACCES && geteuid() != 0);
  *fix = lacks_rights ? kFixRights : kFixKernel;
  *reason = std::string("the kernel refuses to ") + what + ": " + strerror(error);
  return false;
}

// Names the calling thread as its namespace of process ids does, which a container has of its own.
void NameReader(volatile exo_read_trace *trace) {
  struct stat space {};
  if (stat("/proc/self/ns/pid", &space) != 0) return;
  trace->namespace_device = space.st_dev;
  trace->namespace_inode = space.st_ino;
  trace->thread = static_cast<__u32>(syscall(SYS_gettid));
}

#endif

}  // namespace

#ifdef EXOPOOL_HAVE_LIBBPF

ReadTracer::~ReadTracer() {
  Detach();
  if (trace_ != nullptr) munmap(const_cast<exo_read_trace *>(trace_), sizeof(*trace_));
  if (object_ != nullptr) BpfLibrary::Get().bpf_object__close(object_);
}

bool ReadTracer::Load(std::vector<Probe> *probes, std::string *reason, std::string *fix) {
  if (!Open(reason, fix)) return false;
  Choose(probes);
  const BpfLibrary &library = BpfLibrary::Get();
  if (int error = -library.bpf_object__load(object_); error != 0)
    return Refuse("load the probes", error, reason, fix);
  bpf_map *map = library.bpf_object__find_map_by_name(object_, "traces");
  int fd = library.bpf_map__fd(map);
  void *mapping = mmap(nullptr, sizeof(*trace_), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (mapping == MAP_FAILED) return Refuse("share the marks", errno, reason, fix);
  trace_ = static_cast<exo_read_trace *>(mapping);
  return true;
}

bool ReadTracer::Open(std::string *reason, std::string *fix) {
  const BpfLibrary &library = BpfLibrary::Get();
  *fix = kFixLibrary;
  *reason = library.reason();
  if (!reason->empty()) return false;
  std::string path = BesideAddon(kObjectName);
  *fix = kFixBuild;
  *reason = "the BPF program was not built: clang was missing";
  if (access(path.c_str(), R_OK) != 0) return false;
  *fix = kFixKernel;
  *reason = std::string("the kernel does not describe its types (") + kKernelTypes + ")";
  if (access(kKernelTypes, R_OK) != 0) return false;
  library.libbpf_set_print(PrintForDebugging);
  object_ = library.bpf_object__open_file(path.c_str(), nullptr);
  *reason = path + " is not the program that belongs to this addon";
  if (object_ == nullptr || library.bpf_object__find_map_by_name(object_, "traces") == nullptr) return false;
  reason->clear();
  fix->clear();
  return true;
}

// What is not chosen is not loaded: one function that is not there would have the whole object refused.
void ReadTracer::Choose(std::vector<Probe> *probes) {
  const BpfLibrary &library = BpfLibrary::Get();
  bpf_program *program = nullptr;
  while ((program = library.bpf_object__next_program(object_, program)) != nullptr)
    library.bpf_program__set_autoload(program, false);
  for (Probe &probe : *probes) {
    program = library.bpf_object__find_program_by_name(object_, probe.program.c_str());
    int error = program == nullptr ? -ENOENT : 0;
    if (error == 0 && !probe.function.empty())
      error = library.bpf_program__set_attach_target(program, 0, probe.function.c_str());
    if (error != 0) {
      probe.missing = "the kernel does not describe it (BTF)";
      continue;
    }
    library.bpf_program__set_autoload(program, true);
    chosen_.push_back(program);
  }
}

bool ReadTracer::Attach(std::string *reason, std::string *fix) {
  NameReader(trace_);
  for (bpf_program *program : chosen_) {
    bpf_link *link = BpfLibrary::Get().bpf_program__attach(program);
    if (link == nullptr) return Refuse("attach a probe", errno, reason, fix);
    links_.push_back(link);
  }
  return true;
}

void ReadTracer::Detach() {
  for (bpf_link *link : links_) BpfLibrary::Get().bpf_link__destroy(link);
  links_.clear();
}

#else

ReadTracer::~ReadTracer() = default;

bool ReadTracer::Load(std::vector<Probe> *, std::string *reason, std::string *fix) {
  *reason = "the addon was built without libbpf";
  *fix = kFixBuild;
  return false;
}

bool ReadTracer::Attach(std::string *, std::string *) { return false; }
void ReadTracer::Detach() {}

#endif

}  // namespace exopool

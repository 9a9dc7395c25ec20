// SPDX-License-Identifier: Apache-2.0
#include "machine/read_tracer.hh"

#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace exopool {
namespace {

constexpr char kFixRights[] = "run as root";
constexpr char kFixKernel[] = "boot a kernel with CONFIG_DEBUG_INFO_BTF and CONFIG_FUNCTION_TRACER";
constexpr char kObjectName[] = "read_trace.bpf.o";
constexpr char kKernelTypes[] = "/sys/kernel/btf/vmlinux";

Obstacle Refused(const char *what, int error) {
  return {std::string("the kernel refuses to ") + what + ": " + strerror(error),
          BpfObject::LacksRights(error) ? kFixRights : kFixKernel};
}

// Identifies the calling thread by its own PID namespace, which differs in a container.
void NameReader(volatile exo_read_trace *trace) {
  struct stat space {};
  if (stat("/proc/self/ns/pid", &space) != 0) return;
  trace->namespace_device = space.st_dev;
  trace->namespace_inode = space.st_ino;
  trace->thread = static_cast<__u32>(syscall(SYS_gettid));
}

}  // namespace

ReadTracer::~ReadTracer() { Detach(); }

Obstacle ReadTracer::Load(std::vector<Probe> *probes) {
  if (Obstacle obstacle = Open()) return obstacle;
  Choose(probes);
  if (int error = object_.Load()) return Refused("load the probes", error);
  trace_ = object_.Share<exo_read_trace>(object_.Map("traces"), 1);
  return trace_ == nullptr ? Refused("share the marks", errno) : Obstacle{};
}

Obstacle ReadTracer::Open() {
  const std::string path = BpfObject::PathOf(kObjectName);
  if (Obstacle missing = BpfObject::WhyMissing(path)) return missing;
  if (access(kKernelTypes, R_OK) != 0)
    return {std::string("the kernel does not describe its types (") + kKernelTypes + ")", kFixKernel};
  const int error = object_.Open(path);
  return error != 0 || object_.Map("traces") == nullptr ? BpfObject::Foreign(path) : Obstacle{};
}

// Only chosen probes are loaded: one missing function would make the kernel refuse the whole object.
void ReadTracer::Choose(std::vector<Probe> *probes) {
  object_.ChooseNone();
  for (Probe &probe : *probes) {
    bpf_program *program = object_.Program(probe.program.c_str());
    if (program != nullptr && object_.Choose(program, probe.function))
      chosen_.push_back(program);
    else
      probe.missing = "the kernel does not describe it (BTF)";
  }
}

Obstacle ReadTracer::Attach() {
  NameReader(trace_);
  for (bpf_program *program : chosen_) {
    bpf_link *link = object_.Attach(program);
    if (link == nullptr) return Refused("attach a probe", errno);
    links_.push_back(link);
  }
  return {};
}

void ReadTracer::Detach() {
  for (bpf_link *link : links_) BpfObject::Detach(link);
  links_.clear();
}

}  // namespace exopool

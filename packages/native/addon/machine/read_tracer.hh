// SPDX-License-Identifier: Apache-2.0
// The probes of kernel/bpf/read_trace.bpf.c: loads the requested ones, and attaches them while tracing.
#pragma once

#include <string>
#include <vector>

#include "base/bpf_object.hh"
#include "read_trace.h"

namespace exopool {

struct Probe {
  std::string program;   // its name in the object
  std::string function;  // of the kernel; empty where the program has its own target
  std::string missing;   // why it is not there; set by Load
};

class ReadTracer {
 public:
  ReadTracer() = default;
  ReadTracer(const ReadTracer &) = delete;
  ReadTracer &operator=(const ReadTracer &) = delete;
  ~ReadTracer();

  // Loads the probes whose functions the kernel knows.
  Obstacle Load(std::vector<Probe> *probes);
  Obstacle Attach();
  void Detach();
  // Shared with the probes, which write during a read: read it only between two reads.
  volatile exo_read_trace *trace() const { return trace_; }

 private:
  Obstacle Open();
  void Choose(std::vector<Probe> *probes);

  BpfObject object_;
  std::vector<bpf_program *> chosen_;
  std::vector<bpf_link *> links_;
  volatile exo_read_trace *trace_ = nullptr;
};

}  // namespace exopool

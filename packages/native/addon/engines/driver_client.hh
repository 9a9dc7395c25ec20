// SPDX-License-Identifier: Apache-2.0
// The user-space side of exopool.ko: loads a program into it, and opens sessions that run chains (driver_abi.h).
//
// A program stays registered as long as its DriverProgram lives, and dies with the process. A session runs one
// batch at a time, so each thread has its own.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/bpf_object.hh"
#include "base/file_descriptor.hh"
#include "chain.h"
#include "driver_abi.h"

namespace exopool {

class DriverProgram {
 public:
  // Loads the struct_ops map `ops` of an object file. With a map of chains: makes it `chains` long and maps it. Null,
  // with the obstacle, if the module or libbpf is missing, or the kernel refuses the program. An obstacle without a fix
  // is the missing module.
  static std::unique_ptr<DriverProgram> Load(const std::string &object, const char *ops, size_t chains,
                                             Obstacle *obstacle);
  ~DriverProgram();
  DriverProgram(const DriverProgram &) = delete;
  DriverProgram &operator=(const DriverProgram &) = delete;

  uint64_t id() const { return id_; }
  exo_chain *chains() const { return chains_; }

 private:
  DriverProgram() = default;
  Obstacle Attach(const std::string &path, const char *ops, size_t chains);

  uint64_t id_ = 0;
  BpfObject object_;
  bpf_link *link_ = nullptr;
  exo_chain *chains_ = nullptr;
};

class DriverSession {
 public:
  // All but fd return zero or an errno.
  int Open();
  int fd() const { return fd_.get(); }
  int Info(exo_info *info) const;
  // If the file is refused, call->refusal has the reason.
  int Attach(int fd, uint64_t program, uint32_t block_bytes, bool pin, exo_attach *call) const;
  int Refresh(exo_attach *call) const;
  int Detach(uint32_t file) const;
  int Run(uint32_t file, exo_mode mode, uint32_t hops_max, exo_request *requests, uint32_t count, exo_run *run) const;

 private:
  FileDescriptor fd_;
};

}  // namespace exopool

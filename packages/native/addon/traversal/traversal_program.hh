// SPDX-License-Identifier: Apache-2.0
// A user-defined traversal's program for the page cache (kernel/traversal/page_cache.bpf.c), with its mapped file.
#pragma once

#include <string>

#include "traversal/traversal_file.hh"

namespace exopool {

class TraversalProgram {
 public:
  TraversalProgram() = default;
  ~TraversalProgram();
  TraversalProgram(const TraversalProgram &) = delete;
  TraversalProgram &operator=(const TraversalProgram &) = delete;

  TraversalRefusal Load(const std::string &path, int fd, uint64_t file_size);
  // EXO_TRAVERSAL_CHAINS of them that only this worker uses.
  traversal *chains(int worker) const { return chains_ + worker * EXO_TRAVERSAL_CHAINS; }
  exo_control *controls(int worker) const { return controls_ + worker * EXO_TRAVERSAL_CHAINS; }
  // Walks the first `count` of them. False: none was.
  bool Walk(int worker, uint32_t count, uint32_t hops_max) const;

 private:
  BpfObject object_;
  bpf_program *program_ = nullptr;
  traversal *chains_ = nullptr;
  exo_control *controls_ = nullptr;
  void *file_ = nullptr;
  uint64_t file_size_ = 0;
};

}  // namespace exopool

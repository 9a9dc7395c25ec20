// SPDX-License-Identifier: Apache-2.0
// A user-defined traversal's program for the page cache (kernel/traversal/page_cache.bpf.c), and the file mapped for it.
#pragma once

#include <string>

#include "traversal/traversal_run.hh"

struct bpf_object;

namespace exopool {

class TraversalProgram {
 public:
  TraversalProgram() = default;
  ~TraversalProgram();
  TraversalProgram(const TraversalProgram &) = delete;
  TraversalProgram &operator=(const TraversalProgram &) = delete;

  Traversal::Refusal Load(const std::string &path, int fd, uint64_t file_size);
  // EXO_TRAVERSAL_CHAINS of them that only this worker uses.
  traversal *chains(int worker) const { return chains_ + worker * EXO_TRAVERSAL_CHAINS; }
  exo_control *controls(int worker) const { return controls_ + worker * EXO_TRAVERSAL_CHAINS; }
  // Walks the first `count` of them. False: none was.
  bool Walk(int worker, uint32_t count, uint32_t hops_max) const;

 private:
  bpf_object *object_ = nullptr;
  int program_fd_ = -1;
  traversal *chains_ = nullptr;
  exo_control *controls_ = nullptr;
  void *file_ = nullptr;
  uint64_t file_size_ = 0;
};

// Loads an object's programs into the kernel; on a refusal by the verifier, its last words.
Traversal::Refusal LoadTraversalObject(bpf_object *object);

}  // namespace exopool

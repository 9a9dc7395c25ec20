// SPDX-License-Identifier: Apache-2.0
// The lookup program (bpf/page_cache_lookup.bpf.c), loaded once for the process.
//
// The map of chains is one mapping shared with the kernel. It is cut into one part for each worker thread, so
// workers walk at the same time without a lock.
#pragma once

#include <cstddef>
#include <string>

#include "chain.h"

namespace exopool {

class BpfEngine {
 public:
  // Loads the program at the first call. Never destroyed: worker threads may be in it when the process ends.
  static BpfEngine &Get();

  bool available() const { return reason_.empty(); }
  const std::string &reason() const { return reason_; }  // why it is not available
  const std::string &fix() const { return fix_; }        // the line that would change that

  // EXO_BATCH_MAX chains that only this worker uses.
  exo_chain *chains(int worker) const { return chains_ + static_cast<size_t>(worker) * EXO_BATCH_MAX; }
  // Runs the program over the first walk->count chains of a worker. Zero or an errno.
  int Walk(int worker, exo_walk *walk) const;

 private:
  BpfEngine();
  void Load();

  std::string reason_;
  std::string fix_;
  exo_chain *chains_ = nullptr;
  int program_fd_ = -1;
};

}  // namespace exopool

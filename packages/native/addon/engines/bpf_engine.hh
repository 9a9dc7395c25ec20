// SPDX-License-Identifier: Apache-2.0
// The lookup program (kernel/bpf/page_cache_lookup.bpf.c), loaded once for the process.
//
// The map of chains is one mapping shared with the kernel. It has one part for each walker: one per worker thread, by
// its number, so that workers walk at the same time without a lock, and one that threads which must not wait share by a
// lock.
#pragma once

#include <cstddef>
#include <mutex>
#include <string>

#include "base/bpf_object.hh"
#include "chain.h"

namespace exopool {

class BpfEngine {
 public:
  // Loads the program at the first call. Never destroyed: worker threads may be in it when the process ends.
  static BpfEngine &Get();

  bool available() const { return !obstacle_; }
  const std::string &reason() const { return obstacle_.reason; }  // why it is not available
  const std::string &fix() const { return obstacle_.fix; }        // the command that would fix it

  // Walks with EXO_PRESENT_ONLY; the caller must have locked present_walker().
  static constexpr int kPresentWalker = EXO_WALKERS - 1;
  std::mutex &present_walker() { return present_walker_; }

  // EXO_BATCH_MAX chains that only this walker uses.
  exo_chain *chains(int walker) const { return chains_ + static_cast<size_t>(walker) * EXO_BATCH_MAX; }
  // Runs the program over the first walk->count chains of a walker. Zero or an errno.
  int Walk(int walker, exo_walk *walk) const;

 private:
  BpfEngine();
  Obstacle Load();

  BpfObject object_;
  bpf_program *program_ = nullptr;
  exo_chain *chains_ = nullptr;
  Obstacle obstacle_;  // after what Load sets
  std::mutex present_walker_;
};

}  // namespace exopool

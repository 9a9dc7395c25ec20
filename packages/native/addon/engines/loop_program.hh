// SPDX-License-Identifier: Apache-2.0
// The program in the ring's wait loop (kernel/bpf/loop_lookup.bpf.c), with the ring, the region and the maps that it
// shares with this process. Contract: include/loop.h.
//
// A ring with a loop belongs to the thread that opened it, and that thread's io_uring_enter only runs the loop.
#pragma once

#include <cstdint>
#include <string>

#include "base/bpf_object.hh"
#include "engines/loop_ring.hh"
#include "loop.h"

namespace exopool {

class LoopProgram {
 public:
  // Checks without loading: the library, the object and the kernel's types.
  static Obstacle WhyImpossible();

  // Opens the ring and loads the program into it.
  Obstacle Load();

  // Runs the batch that loop() describes. Zero or an errno.
  int Run();

  exo_loop *loop() const { return loop_; }
  exo_chain *chain(unsigned i) const { return reinterpret_cast<exo_chain *>(ring_.region() + EXO_LOOP_CHAIN_AT(i)); }
  uint64_t pages() const { return reinterpret_cast<uint64_t>(ring_.region()) + EXO_LOOP_PAGE_AT(0); }
  exo_extent *extents() const { return extents_; }
  uint64_t *snapshots() const { return snapshots_; }

 private:
  int LoadObject();

  LoopRing ring_;
  BpfObject object_;
  exo_loop *loop_ = nullptr;
  exo_extent *extents_ = nullptr;
  uint64_t *snapshots_ = nullptr;
};

}  // namespace exopool

// SPDX-License-Identifier: Apache-2.0
// A ring for a BPF program in its wait loop (Linux 7.1), with a region of memory that the program sees.
//
// It belongs to the thread that opened it; once a program is attached, Run only runs the program's loop.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/bpf_object.hh"
#include "loop.h"

namespace exopool {

class LoopRing {
 public:
  LoopRing() = default;
  ~LoopRing();  // nothing may be in flight
  LoopRing(const LoopRing &) = delete;
  LoopRing &operator=(const LoopRing &) = delete;

  // Zero or an errno.
  int Open(size_t region_bytes);
  // Runs the loop until the program stops it. Zero or an errno.
  int Run();

  int fd() const { return fd_; }
  const exo_loop_ring &offsets() const { return offsets_; }
  uint8_t *region() const { return region_; }

 private:
  int OpenRing();
  int RegisterRegion(size_t bytes);

  int fd_ = -1;
  exo_loop_ring offsets_{};
  uint8_t *region_ = nullptr;
  size_t region_bytes_ = 0;
};

// Gives a loop's program its ring, before it is loaded. Returns the struct_ops map to attach; null: it is not a loop's
// program.
bpf_map *SetRing(BpfObject *object, const LoopRing &ring);

}  // namespace exopool

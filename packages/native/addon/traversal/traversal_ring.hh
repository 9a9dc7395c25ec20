// SPDX-License-Identifier: Apache-2.0
// Chains of a user-defined traversal on a ring of one worker: up to 64 reads in flight.
#pragma once

#include <memory>
#include <vector>

#include "engines/ring.hh"
#include "traversal/traversal_file.hh"

namespace exopool {

class TraversalRing {
 public:
  // Walks inputs [first, first + count) of a batch. False: the ring cannot be used, and nothing is in flight.
  bool Walk(TraversalFile *file, TraversalBatch *batch, size_t first, size_t count);

 private:
  bool Open();
  bool Submit(TraversalFile *file, TraversalBatch *batch, size_t number);

  std::unique_ptr<Ring> ring_;
  std::vector<std::unique_ptr<UserChain>> chains_;
  bool is_broken_ = false;
};

}  // namespace exopool

// SPDX-License-Identifier: Apache-2.0
// The file of a user-defined traversal with its native twin, and the steps of a chain over it at user level.
#pragma once

#include <atomic>
#include <string>
#include <vector>

#include "base/bpf_object.hh"
#include "base/file_descriptor.hh"
#include "traversal/traversal_chain.hh"
#include "traversal_call.h"

namespace exopool {

// Why a traversal cannot be used, with the kind of the reason.
struct TraversalRefusal {
  enum class Kind { kNone, kIo, kUnsupported, kRefused } kind = Kind::kNone;
  int error = 0;
  std::string text;
  explicit operator bool() const { return kind != Kind::kNone; }
};

struct TraversalBatch {
  std::vector<std::string> inputs;
  std::vector<TraversalResult> results;
  uint32_t hops_max = 0;
  std::atomic<size_t> next{0};  // the first input that no worker has taken
};

class TraversalFile {
 public:
  TraversalRefusal Open(const std::string &file, const std::string &twin);

  int fd() const { return fd_.get(); }
  uint64_t size() const { return size_; }
  const TraversalTwin &twin() const { return twin_; }
  TraversalCounters &counters() { return counters_; }

  void WalkByPread(TraversalBatch *batch, size_t which, UserChain *chain);
  // A chain from the kernel: its answer, or the rest of it by pread.
  void TakeKernelChain(TraversalBatch *batch, size_t which, const traversal &t, const exo_control &control,
                       UserChain *chain);
  void Count(const TraversalResult &result);

 private:
  void FinishByPread(TraversalBatch *batch, size_t which, UserChain *chain);

  FileDescriptor fd_;
  uint64_t size_ = 0;
  TraversalTwin twin_;
  TraversalCounters counters_;
};

// Loads a traversal's object. A refusal by the verifier comes with its last words.
TraversalRefusal LoadTraversalObject(BpfObject *object);

}  // namespace exopool

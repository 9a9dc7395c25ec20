// SPDX-License-Identifier: Apache-2.0
// Chains of a user-defined traversal (include/traversal.h), and its native twin, on which they run at user level.
//
//   input -> Begin -> [ admit -> read the block -> hop ]* -> result
//                        ^ Resume: what a program in the kernel gave back, at the hop where it did
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/aligned_bytes.hh"
#include "traversal.h"

namespace exopool {

// Bytes of a result at user level: the longest value of a store.
constexpr size_t kTraversalResultMax = 16u << 20;

// How one chain ended.
struct TraversalResult {
  uint32_t end = 0;     // enum traversal_verdict or exo_traversal_end
  uint32_t hops = 0;    // visited blocks
  uint64_t offset = 0;  // of the last visited or wanted block
  int error = 0;        // errno of EXO_TRAVERSAL_IO
  std::string value;
};

// For the whole traversal, by reason; no program writes here.
struct TraversalCounters {
  std::atomic<uint64_t> chains{0}, hops{0};
  std::atomic<uint64_t> ends[EXO_TRAVERSAL_ENDS]{};      // of chains
  std::atomic<uint64_t> returned[EXO_TRAVERSAL_ENDS]{};  // from the kernel, to go on at user level
};

// The shared object that `exopool traversal build` made. Its code is the author's, and runs in this process.
class TraversalTwin {
 public:
  TraversalTwin() = default;
  ~TraversalTwin();
  TraversalTwin(const TraversalTwin &) = delete;
  TraversalTwin &operator=(const TraversalTwin &) = delete;

  // Empty, or the reason why it cannot be used.
  std::string Open(const std::string &path);
  uint64_t First(traversal *t) const { return first_(t); }
  int Next(traversal *t) const { return next_(t); }

 private:
  void *handle_ = nullptr;
  uint64_t (*first_)(traversal *) = nullptr;
  int (*next_)(traversal *) = nullptr;
};

// One chain at user level; used again for the next.
class UserChain {
 public:
  UserChain() : memory_(AllocateAligned(sizeof(traversal))) {}
  bool has_memory() const { return memory_ != nullptr; }

  void Begin(const TraversalTwin &twin, const std::string &input);
  // Goes on from the hop that a chain in the kernel reached.
  void Resume(const std::string &input, const traversal &t, const exo_control &control);

  // The offset of the block that is wanted; false: the chain has ended.
  bool Admit(uint64_t file_size, uint32_t hops_max);
  // The block was read into block(), `got` bytes of it, or minus an errno. False: the chain has ended.
  bool Hop(const TraversalTwin &twin, uint64_t file_size, int64_t got);

  uint64_t offset() const { return control_.offset; }
  uint8_t *block() { return t()->block; }
  void TakeResult(TraversalResult *result);
  // As Begin leaves it, for a chain in the kernel.
  const exo_control &control() const { return control_; }
  traversal *t() { return reinterpret_cast<traversal *>(memory_.get()); }

 private:
  static int Give(traversal *t, uint32_t at, uint32_t length);
  bool End(int end);

  AlignedBytes memory_;
  exo_control control_{};
  uint64_t seen_ = 0;
  int error_ = 0;
  std::string value_;
  static thread_local UserChain *current_;  // whose code runs on this thread
  friend class TraversalTwin;
};

}  // namespace exopool

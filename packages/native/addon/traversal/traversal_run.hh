// SPDX-License-Identifier: Apache-2.0
// A user-defined traversal over one file, and a batch of chains over it.
//
//   run(inputs) -> [ batch ] -> workers, 64 inputs at a time: pread | io-uring | one BPF_PROG_RUN
//                            -> the thread of the ring with the program in it: io-uring-bpf, nvme-bpf
//                  chains that come back: pread, from the hop that they had come to
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "traversal_call.h"
#include "traversal/traversal_chain.hh"

namespace exopool {

// In the order of the engines of tables.
enum class TraversalEngine { kPread, kIoUring, kPageCacheBpf, kIoUringBpf, kNvmeBpf };

class TraversalProgram;
class TraversalLoop;

struct TraversalBatch {
  std::vector<std::string> inputs;
  std::vector<TraversalResult> results;
  uint32_t hops_max = 0;
  std::atomic<size_t> next{0};  // the first input that nobody has taken
};

class Traversal {
 public:
  // Why something cannot be used, and what kind of reason that is.
  struct Refusal {
    enum class Kind { kNone, kIo, kUnsupported, kRefused } kind = Kind::kNone;
    int error = 0;
    std::string text;
    explicit operator bool() const { return kind != Kind::kNone; }
  };

  Traversal();
  ~Traversal();
  Traversal(const Traversal &) = delete;
  Traversal &operator=(const Traversal &) = delete;

  // The last owner may be the loop's thread, which cannot wait for its own end.
  static std::shared_ptr<Traversal> Create();

  // `program` is the object for the kernel; of engines at user level it is not opened.
  Refusal Open(const std::string &file, const std::string &twin, const std::string &program,
               TraversalEngine engine);

  bool has_loop() const { return loop_ != nullptr; }
  TraversalLoop *loop() { return loop_.get(); }
  TraversalCounters &counters() { return counters_; }
  const TraversalTwin &twin() const { return twin_; }
  int fd() const { return fd_; }
  uint64_t file_size() const { return file_size_; }

  // On a worker: takes parts of the batch until it is at its end.
  void Work(TraversalBatch *batch, int worker);
  // A chain from the kernel: its answer, or the rest of it by pread.
  void TakeKernelChain(TraversalBatch *batch, size_t which, const traversal &t, const exo_control &control,
                       UserChain *chain);
  void WalkByPread(TraversalBatch *batch, size_t which, UserChain *chain);

 private:
  void WalkByRing(TraversalBatch *batch, size_t first, size_t count);
  void WalkByProgram(TraversalBatch *batch, size_t first, size_t count, int worker);
  void FinishByPread(TraversalBatch *batch, size_t which, UserChain *chain);
  void Count(const TraversalResult &result);

  TraversalEngine engine_ = TraversalEngine::kPread;
  int fd_ = -1;
  uint64_t file_size_ = 0;
  TraversalTwin twin_;
  TraversalCounters counters_;
  std::unique_ptr<TraversalProgram> program_;
  std::unique_ptr<TraversalLoop> loop_;
};

}  // namespace exopool

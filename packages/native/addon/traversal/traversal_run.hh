// SPDX-License-Identifier: Apache-2.0
// A user-defined traversal over one file, and a batch of chains over it.
//
//   run(inputs) -> [ batch ] -> workers, 64 inputs at a time: pread | io-uring | one BPF_PROG_RUN
//                            -> the thread of the ring with the program in it: io-uring-bpf, nvme-bpf
//                  chains that come back: pread, from the hop that they had come to
#pragma once

#include <memory>
#include <string>

#include "table/engine.hh"
#include "traversal/traversal_file.hh"

namespace exopool {

class TraversalProgram;
class TraversalLoop;

class Traversal {
 public:
  Traversal();
  ~Traversal();
  Traversal(const Traversal &) = delete;
  Traversal &operator=(const Traversal &) = delete;

  // The last owner may be the loop's thread, which cannot join itself.
  static std::shared_ptr<Traversal> Create();

  // `program` is the object for the kernel; engines at user level do not open it.
  TraversalRefusal Open(const std::string &file, const std::string &twin, const std::string &program, Engine engine);

  bool has_loop() const { return loop_ != nullptr; }
  TraversalLoop *loop() { return loop_.get(); }
  TraversalCounters &counters() { return file_.counters(); }

  // On a worker: takes parts of the batch until it is at its end.
  void Work(TraversalBatch *batch, int worker);

 private:
  void WalkByRing(TraversalBatch *batch, size_t first, size_t count);
  void WalkByProgram(TraversalBatch *batch, size_t first, size_t count, int worker);

  Engine engine_ = Engine::kPread;
  TraversalFile file_;  // outlives the two that read it
  std::unique_ptr<TraversalProgram> program_;
  std::unique_ptr<TraversalLoop> loop_;
};

}  // namespace exopool

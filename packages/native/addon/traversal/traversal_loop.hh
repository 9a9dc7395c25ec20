// SPDX-License-Identifier: Apache-2.0
// A user-defined traversal in the kernel's ring: io-uring-bpf and nvme-bpf. One ring, with the traversal's program in
// it (kernel/traversal/loop.bpf.c), and the thread that owns it.
//
// With nvme-bpf the file is pinned while the traversal is open (extent_pin.hh), so its extents are written once, and
// the snapshot is released with the file.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "engines/loop_ring.hh"
#include "traversal/traversal_file.hh"

namespace exopool {

class TraversalLoop {
 public:
  TraversalLoop(TraversalFile *file, exo_loop_kind kind) : file_(file), kind_(kind) {}
  ~TraversalLoop();
  TraversalLoop(const TraversalLoop &) = delete;
  TraversalLoop &operator=(const TraversalLoop &) = delete;

  TraversalRefusal Open(const std::string &program);
  bool is_this_thread() const { return thread_.get_id() == std::this_thread::get_id(); }
  // From any thread; `done` is called once, from the loop's.
  void Submit(TraversalBatch *batch, std::function<void()> done);

 private:
  struct Call {
    TraversalBatch *batch;
    std::function<void()> done;
  };

  TraversalRefusal Load(const std::string &program);
  TraversalRefusal Hold();
  void Serve();
  void RunChains(TraversalBatch *batch, size_t first, size_t count);
  traversal *chain(size_t i) const { return reinterpret_cast<traversal *>(ring_->region()) + i; }

  TraversalFile *file_;
  exo_loop_kind kind_;
  std::unique_ptr<LoopRing> ring_;
  UserChain user_chain_;
  BpfObject object_;
  bpf_link *link_ = nullptr;
  exo_traversal_loop *loop_ = nullptr;
  exo_extent *extents_ = nullptr;
  uint32_t extent_count_ = 0;
  FileDescriptor device_fd_;
  uint32_t namespace_id_ = 0, lba_shift_ = 0;
  bool is_held_ = false;
  bool is_broken_ = false;  // the ring has failed, and may still write into the region

  std::thread thread_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Call> inbox_;
  bool is_closing_ = false;
};

}  // namespace exopool

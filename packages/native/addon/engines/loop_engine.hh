// SPDX-License-Identifier: Apache-2.0
// The engines io-uring-bpf and nvme-bpf: batches of chains that the kernel advances by itself.
//
//   JavaScript threads                    the loop's thread
//   Submit(call) -> [ inbox ] --wake-->   64 keys -> chains -> one io_uring_enter -> results, checked
//                                            ^  next 64 keys, of the next call in turn
//
// - One ring and one thread a process, so the process has at most 64 chains in flight, however many JavaScript
//   requests. The bound on hops is the height of the table.
// - The program cannot compute checksums: the pages that a chain walked are checked here when they first occur (a leaf
//   from the chain itself, an interior page by a read), before the result counts.
// - A chain that comes back without an answer is retried by pread, and counted by its reason.
// - With nvme-bpf the file's extents must be the snapshot's from the first read until the result is taken:
//   see extent_pin.hh.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "engines/loop_program.hh"
#include "table/table_file.hh"
#include "table/table_walk.hh"

namespace exopool {

// Some of a lookup's keys, in one table. All but the last is the caller's to fill in.
struct LoopCall {
  std::shared_ptr<TableFile> table;
  exo_loop_kind kind = EXO_LOOP_FILE;
  const KeyBatch *keys = nullptr;
  std::vector<uint32_t> which;              // of the keys
  LookupResult *results = nullptr;          // results[i] is for key i
  std::function<bool()> is_stopped;         // true: do not look up the remaining keys
  std::function<void(uint32_t key)> ended;  // after each key's lookup
  std::function<void()> done;               // once, after the last key; it may destroy keys and results

  size_t next = 0;
};

// How the chains of one kind ended, for the whole process.
struct LoopCounters {
  std::atomic<uint64_t> batches{0}, chains{0}, hops{0};
  std::atomic<uint64_t> done{0}, not_found{0}, bound{0}, stale{0}, straddle{0}, io{0}, checksum{0}, corrupt{0};
};

class LoopEngine {
 public:
  // Loads the program at the first call, where that is possible. Never destroyed: the kernel writes into its
  // region.
  static LoopEngine &Get();

  bool available() const { return !obstacle_; }
  const std::string &reason() const { return obstacle_.reason; }
  const std::string &fix() const { return obstacle_.fix; }
  LoopCounters &counters(exo_loop_kind kind) { return counters_[kind]; }

  // From any thread.
  void Submit(std::shared_ptr<LoopCall> call);

 private:
  LoopEngine();
  void Run();
  void RunBatch(LoopCall *call);
  void RunChains(LoopCall *call, const uint32_t *which, size_t count);
  bool Describe(const LoopCall &call, size_t count);
  void TakeResult(LoopCall *call, uint32_t key, unsigned number, Tally *tally);

  Obstacle obstacle_;
  LoopProgram program_;
  LoopCounters counters_[2];
  bool broken_ = false;  // the ring has failed, and may still write into the region

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::shared_ptr<LoopCall>> inbox_;
};

}  // namespace exopool

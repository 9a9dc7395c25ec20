// SPDX-License-Identifier: Apache-2.0
// Lookups of some keys in the tables of a store, on other threads than JavaScript's.
//
// A key is looked up in the newest table that may have it, then in the next older one, until a table has it. Each table
// has an engine. Neighbours with the same kind of engine form a stage. In a stage a key goes on from table to table on
// the same ring or worker. A table whose chains advance in the kernel's ring is a stage by itself. Keys not found in a
// stage go on to the next together.
//
//   tables   t9 t7 t4     t1
//            io-uring     pread, page-cache-bpf
//   keys  -> [ stage 1 ] -> [ stage 2 ] -> not found
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "table/table_version.hh"
#include "table/table_walk.hh"

namespace exopool {

class Lookup : public std::enable_shared_from_this<Lookup> {
 public:
  using Engines = std::vector<Engine>;  // one a table

  Lookup(std::shared_ptr<const TableVersion> version, std::shared_ptr<const Engines> engines, KeyBatch keys)
      : version_(std::move(version)), engines_(std::move(engines)), keys_(std::move(keys)), results_(keys_.size()) {}

  const KeyBatch &keys() const { return keys_; }
  LookupResult &result(size_t key) { return results_[key]; }
  std::vector<LookupResult> &results() { return results_; }

  // Set the rest before Start. Called from any thread: after each key's lookup, and after the last one. Either may be
  // empty.
  std::function<void(size_t key)> answered;
  std::function<void()> done;
  // Set once no caller waits any more. Lives as long as the functions.
  const std::atomic<bool> *cancelled = nullptr;
  // After it the remaining keys are not looked up.
  uint64_t value_bytes_max = UINT64_MAX;
  bool copies_leaves = false;

  // Whether all tables have an engine that can look up without waiting.
  bool CanLookupPresent() const;
  // Looks up keys which[...] without waiting, on the calling thread and before Start. Returns the keys that are left
  // for Start.
  std::vector<uint32_t> LookupPresent(std::vector<uint32_t> which);
  // Looks up keys which[...]; the others are already answered. `done` is always called, maybe at once.
  void Start(std::vector<uint32_t> which);
  bool is_too_long() const { return value_bytes_ > value_bytes_max; }

 private:
  void RunStage(size_t first, std::vector<uint32_t> which);
  void StartWorkers();
  void StartRing();
  void StartLoop();
  void Work(int worker);
  void WorkOn(int worker, std::vector<uint32_t> some);
  std::vector<uint32_t> AskedOf(size_t table, const std::vector<uint32_t> &some) const;
  void EraseKnown(std::vector<uint32_t> *keys) const;
  void FailForMemory(const std::vector<uint32_t> &some);
  bool IsStopped() const { return is_too_long() || (cancelled != nullptr && *cancelled); }
  // A key has reached the end of the stage. From any thread.
  void EndKey(uint32_t key);
  void EndStage();

  std::shared_ptr<const TableVersion> version_;
  std::shared_ptr<const Engines> engines_;
  KeyBatch keys_;
  std::vector<LookupResult> results_;
  std::atomic<uint64_t> value_bytes_{0};

  // The stage that runs.
  size_t first_table_ = 0, end_table_ = 0;
  std::vector<uint32_t> which_;
  size_t grain_ = 1;             // keys that a worker takes at a time
  std::atomic<size_t> next_{0};  // in which_: the first one that no worker has taken
  std::atomic<int> workers_{0};
  std::mutex mutex_;
  std::vector<uint32_t> unknown_;  // keys for the next stage
};

}  // namespace exopool

// SPDX-License-Identifier: Apache-2.0
// Threads for work that blocks: lookups and scans of table files, traversals.
//
// They are not libuv's. A batch of cold lookups keeps its threads for milliseconds. In libuv's pool it would delay
// every file, DNS and crypto call of the application, and they would delay it. A worker also has a number, so that it
// can own a part of something, such as of the BPF engine's chains.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>

namespace exopool {

class WorkerPool {
 public:
  // Four blocking readers get nearly three times the throughput of one from a network disk. Each more costs memory and
  // wake-ups and gains less.
  static constexpr int kWorkers = 4;

  // Starts the threads at the first call; throws std::system_error if none can be started. Never destroyed: a process
  // may end while they read.
  static WorkerPool &Get();

  // Runs the task on some worker, which passes its number, 0 to kWorkers - 1.
  void Submit(std::function<void(int worker)> task);

 private:
  WorkerPool();
  void Run(int worker);

  std::mutex mutex_;
  std::condition_variable ready_;
  std::deque<std::function<void(int)>> tasks_;
};

}  // namespace exopool

// SPDX-License-Identifier: Apache-2.0
#include "base/worker_pool.hh"

#include <system_error>
#include <thread>
#include <utility>

namespace exopool {

WorkerPool &WorkerPool::Get() {
  static WorkerPool *pool = new WorkerPool();
  return *pool;
}

// Any thread runs any task, so fewer threads suffice. The running ones use this pool from now on.
WorkerPool::WorkerPool() {
  for (int worker = 0; worker < kWorkers; worker++) {
    try {
      std::thread(&WorkerPool::Run, this, worker).detach();
    } catch (const std::system_error &) {
      if (worker == 0) throw;
      return;
    }
  }
}

void WorkerPool::Submit(std::function<void(int)> task) {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    tasks_.push_back(std::move(task));
  }
  ready_.notify_one();
}

void WorkerPool::Run(int worker) {
  for (;;) {
    std::unique_lock<std::mutex> lock(mutex_);
    ready_.wait(lock, [this] { return !tasks_.empty(); });
    std::function<void(int)> task = std::move(tasks_.front());
    tasks_.pop_front();
    lock.unlock();
    task(worker);
  }
}

}  // namespace exopool

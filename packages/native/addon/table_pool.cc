// SPDX-License-Identifier: Apache-2.0
#include "table_pool.hh"

#include <thread>
#include <utility>

namespace exopool {

WorkerPool &WorkerPool::Get() {
  static WorkerPool *pool = new WorkerPool();
  return *pool;
}

WorkerPool::WorkerPool() {
  for (int worker = 0; worker < kWorkers; worker++) std::thread(&WorkerPool::Run, this, worker).detach();
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

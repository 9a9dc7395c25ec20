// SPDX-License-Identifier: Apache-2.0
// Work that starts on a JavaScript thread, runs on worker threads, and settles a promise on the thread it
// came from.
//
// One JobChannel for each environment (main thread, worker thread). An environment may end while its jobs
// run: the channel is then closed under its lock, and the job's result dropped.
#pragma once

#include <napi.h>
#include <uv.h>

#include <atomic>
#include <memory>
#include <mutex>

namespace exopool {

class JobChannel;

class Job {
 public:
  virtual ~Job() = default;

 protected:
  // On a worker thread; called once for each worker that the job was started with.
  virtual void Run(int worker) = 0;
  // On a worker thread, instead of the rest of Run, when memory ran out.
  virtual void FailForMemory() = 0;
  // On the JavaScript thread, after the last Run. Returns the value of the promise.
  virtual Napi::Value Finish(Napi::Env env) = 0;

 private:
  friend class JobChannel;
  std::atomic<int> running_{0};
  napi_deferred deferred_ = nullptr;
};

class JobChannel : public std::enable_shared_from_this<JobChannel> {
 public:
  // Lives until the environment ends.
  static JobChannel *Create(Napi::Env env);

  // Runs the job on up to `workers` threads of the pool. On the JavaScript thread.
  Napi::Value Start(Napi::Env env, std::shared_ptr<Job> job, int workers);
  // As Start, for a job that runs elsewhere: its runner calls Complete at the end. On the JavaScript thread.
  Napi::Value Begin(Napi::Env env, Job *job);
  // Whether a lookup of so many keys may be tried on the JavaScript thread at once: it ends before a worker would have
  // woken up. Their number in a turn of the event loop is limited; otherwise a caller that awaits one after the other
  // would block the loop.
  bool MayRunHere(size_t keys);
  // Set once the environment has ended and no caller waits for its jobs.
  const std::atomic<bool> &closed() const { return closed_; }
  // Settles the job's promise. From any thread.
  void Complete(std::shared_ptr<Job> job);

 private:
  static void Deliver(napi_env env, napi_value callback, void *context, void *data);
  static void Settle(Napi::Env env, Job *job);
  void Close();

  std::mutex mutex_;
  std::atomic<bool> closed_{false};
  napi_threadsafe_function function_ = nullptr;
  // Used on the JavaScript thread only.
  size_t in_flight_ = 0;
  uv_loop_t *loop_ = nullptr;
  uint64_t turn_ms_ = 0;  // when the event loop turned last
  size_t keys_here_ = 0;  // since then, and calls as keys
};

}  // namespace exopool

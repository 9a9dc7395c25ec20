// SPDX-License-Identifier: Apache-2.0
#include "door/job_channel.hh"

#include <new>
#include <utility>

#include "base/worker_pool.hh"

namespace exopool {
namespace {

// Most keys of a call on the JavaScript thread: they take about the time of two wake-ups.
constexpr size_t kKeysHere = 64;
// Most keys in a turn of the event loop: about a millisecond.
constexpr size_t kKeysHereInTurn = 512;
// A call takes the time of so many keys.
constexpr size_t kCallAsKeys = 8;

}  // namespace

JobChannel *JobChannel::Create(Napi::Env env) {
  auto channel = std::make_shared<JobChannel>();
  if (napi_get_uv_event_loop(env, &channel->loop_) != napi_ok) throw Napi::Error::New(env);
  napi_value name = Napi::String::New(env, "exopool");
  napi_status status = napi_create_threadsafe_function(env, nullptr, nullptr, name, 0, 1, nullptr, nullptr,
                                                       channel.get(), Deliver, &channel->function_);
  if (status != napi_ok) throw Napi::Error::New(env, "cannot create the channel for finished lookups");
  // Only lookups in flight keep the process alive.
  napi_unref_threadsafe_function(env, channel->function_);
  // Hooks run last in, first out: the channel closes before Node takes the function down.
  auto owner = new std::shared_ptr<JobChannel>(channel);
  napi_add_env_cleanup_hook(
      env,
      [](void *data) {
        auto ended = static_cast<std::shared_ptr<JobChannel> *>(data);
        (*ended)->Close();
        delete ended;
      },
      owner);
  return channel.get();
}

bool JobChannel::MayRunHere(size_t keys) {
  // The loop's cached time changes with each turn.
  if (uint64_t now_ms = uv_now(loop_); now_ms != turn_ms_) {
    turn_ms_ = now_ms;
    keys_here_ = 0;
  }
  if (keys > kKeysHere || keys_here_ >= kKeysHereInTurn) return false;
  keys_here_ += keys + kCallAsKeys;
  return true;
}

Napi::Value JobChannel::Begin(Napi::Env env, Job *job) {
  WorkerPool::Get();  // may throw, and nothing has begun then
  napi_value promise;
  if (napi_create_promise(env, &job->deferred_, &promise) != napi_ok) throw Napi::Error::New(env);
  if (in_flight_++ == 0) napi_ref_threadsafe_function(env, function_);
  return Napi::Value(env, promise);
}

Napi::Value JobChannel::Start(Napi::Env env, std::shared_ptr<Job> job, int workers) {
  Napi::Value promise = Begin(env, job.get());
  job->running_ = workers;
  auto channel = shared_from_this();
  for (int i = 0; i < workers; i++) {
    WorkerPool::Get().Submit([channel, job](int worker) {
      try {
        job->Run(worker);
      } catch (const std::bad_alloc &) {
        job->FailForMemory();
      }
      if (--job->running_ == 0) channel->Complete(job);
    });
  }
  return promise;
}

void JobChannel::Complete(std::shared_ptr<Job> job) {
  auto data = new std::shared_ptr<Job>(std::move(job));
  std::lock_guard<std::mutex> lock(mutex_);
  if (closed_ || napi_call_threadsafe_function(function_, data, napi_tsfn_nonblocking) != napi_ok) delete data;
}

void JobChannel::Close() {
  std::lock_guard<std::mutex> lock(mutex_);
  closed_ = true;
}

// `env` is null when the environment ended with the job in its queue.
void JobChannel::Deliver(napi_env env, napi_value, void *context, void *data) {
  std::unique_ptr<std::shared_ptr<Job>> job(static_cast<std::shared_ptr<Job> *>(data));
  if (env == nullptr) return;
  auto channel = static_cast<JobChannel *>(context);
  if (--channel->in_flight_ == 0) napi_unref_threadsafe_function(env, channel->function_);
  Settle(env, job->get());
}

void JobChannel::Settle(Napi::Env env, Job *job) {
  Napi::HandleScope scope(env);
  try {
    napi_resolve_deferred(env, job->deferred_, job->Finish(env));
  } catch (const Napi::Error &error) {
    napi_reject_deferred(env, job->deferred_, error.Value());
  } catch (const std::exception &error) {
    napi_reject_deferred(env, job->deferred_, Napi::Error::New(env, error.what()).Value());
  }
}

}  // namespace exopool

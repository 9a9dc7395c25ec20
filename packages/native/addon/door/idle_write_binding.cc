// SPDX-License-Identifier: Apache-2.0
// Writes to files of the kernel that do work during the write: pushing pages out, compacting compressed memory. Each
// runs on a thread of its own at SCHED_IDLE and takes only idle time: a thread that wakes up gets the processor at the
// scheduler's next check.
//
// That holds within a task group. Where each session (autogroup) or service is a group, the kernel divides a processor
// between groups first, and the thread has its turn of some milliseconds even if others wait. Small writes with rests
// between them did not measure better: the work takes twice as long, and one wake-up in ten waits longer.
#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "base/file_descriptor.hh"
#include "door/binding.hh"

namespace exopool {
namespace {

// The thread's state. It may outlive the environment.
struct Job {
  std::string file;
  std::vector<std::string> texts;
  int failure = 0;

  // Writes each text with one call, in order, until one fails.
  void Run() {
    for (const std::string &text : texts) {
      const FileDescriptor opened(open(file.c_str(), O_WRONLY | O_TRUNC | O_CLOEXEC));
      if (opened.get() < 0 || write(opened.get(), text.data(), text.size()) < 0) {
        failure = errno;
        return;
      }
    }
  }
};

// JavaScript's side.
struct Call {
  explicit Call(Napi::Env env) : promise(env) {}
  Napi::Promise::Deferred promise;
  std::shared_ptr<Job> job = std::make_shared<Job>();
};

void Resolve(Napi::Env env, Napi::Function, Call *call, void *) {
  if (env != nullptr) call->promise.Resolve(Napi::Number::New(env, call->job->failure));
}

using Done = Napi::TypedThreadSafeFunction<Call, void, Resolve>;

// (file, texts) -> promise of 0 or an errno
Napi::Value IdleWrite(const Napi::CallbackInfo &info) {
  const Napi::Env env = info.Env();
  auto *call = new Call(env);
  const std::shared_ptr<Job> job = call->job;
  job->file = info[0].ToString();
  const auto texts = info[1].As<Napi::Array>();
  for (uint32_t i = 0; i < texts.Length(); ++i) job->texts.push_back(texts.Get(i).ToString());
  const Napi::Promise promise = call->promise.Promise();
  Done done = Done::New(
      env, "exopool idle write", 0, 1, call, [](Napi::Env, void *, Call *ended) { delete ended; },
      static_cast<void *>(nullptr));
  try {
    std::thread([job, done]() mutable {
      // This needs no rights. If it fails all the same, the write runs at the usual priority.
      const sched_param none{};
      sched_setscheduler(0, SCHED_IDLE, &none);
      job->Run();
      done.BlockingCall();
      done.Release();
    }).detach();
  } catch (const std::system_error &error) {
    // The machine has no thread to spare.
    job->failure = error.code().value();
    done.BlockingCall();
    done.Release();
  }
  return promise;
}

}  // namespace

void RegisterIdleWrite(Napi::Env env, Napi::Object exports) {
  exports.Set("idleWrite", Napi::Function::New(env, IdleWrite));
}

}  // namespace exopool

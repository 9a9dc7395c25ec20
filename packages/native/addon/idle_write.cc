// SPDX-License-Identifier: Apache-2.0
// Writes to files of the kernel in which the write itself is the work: pushing pages out, compacting
// compressed memory. Each runs on a thread of its own at SCHED_IDLE, so it takes only time that nobody else
// wants: what wakes up takes the processor from it at the kernel's next look.
//
// That holds among the threads of one task group. Where sessions are groups (autogroup) or services are, the
// kernel shares a processor out between groups first, and this thread's turn may last its 3 ms whoever waits.
// So between writes it rests, as long as those before took: nobody waits for more than these.
#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <memory>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "binding.hh"
#include "slab_poller.hh"

namespace exopool {
namespace {

constexpr uint64_t kRestMaxNs = 10'000'000;  // after a write that itself had to wait for the processor

// What the thread has. It outlives the environment when that ends first.
struct Job {
  std::string file;
  std::vector<std::string> texts;
  size_t together = 1;
  int failure = 0;

  // Each text as one write, in order, until one fails; rests after every `together` of them.
  void Run() {
    for (size_t i = 0; i < texts.size() && failure == 0;) {
      const uint64_t start_ns = MonotonicNs();
      for (const size_t end = std::min(i + together, texts.size()); i < end && failure == 0; ++i)
        failure = Write(texts[i]);
      const uint64_t rest_ns = std::min(MonotonicNs() - start_ns, kRestMaxNs);
      if (i < texts.size()) std::this_thread::sleep_for(std::chrono::nanoseconds(rest_ns));
    }
  }

  int Write(const std::string &text) const {
    const FileDescriptor opened(open(file.c_str(), O_WRONLY | O_TRUNC | O_CLOEXEC));
    return opened.get() < 0 || write(opened.get(), text.data(), text.size()) < 0 ? errno : 0;
  }
};

// What JavaScript has.
struct Call {
  explicit Call(Napi::Env env) : promise(env) {}
  Napi::Promise::Deferred promise;
  std::shared_ptr<Job> job = std::make_shared<Job>();
};

void Resolve(Napi::Env env, Napi::Function, Call *call, void *) {
  if (env != nullptr) call->promise.Resolve(Napi::Number::New(env, call->job->failure));
}

using Done = Napi::TypedThreadSafeFunction<Call, void, Resolve>;

// (file, texts, writes between two rests) -> promise of 0 or an errno
Napi::Value IdleWrite(const Napi::CallbackInfo &info) {
  const Napi::Env env = info.Env();
  auto *call = new Call(env);
  const std::shared_ptr<Job> job = call->job;
  job->file = info[0].ToString();
  const auto texts = info[1].As<Napi::Array>();
  for (uint32_t i = 0; i < texts.Length(); ++i) job->texts.push_back(texts.Get(i).ToString());
  job->together = std::max(1u, info[2].ToNumber().Uint32Value());
  const Napi::Promise promise = call->promise.Promise();
  Done done = Done::New(env, "exopool idle write", 0, 1, call,
                        [](Napi::Env, void *, Call *ended) { delete ended; },
                        static_cast<void *>(nullptr));
  try {
    std::thread([job, done]() mutable {
      // Nobody is refused this; where it fails all the same, the write is made at the usual priority.
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

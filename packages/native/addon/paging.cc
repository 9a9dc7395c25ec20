// SPDX-License-Identifier: Apache-2.0
// SwapHistory for JavaScript. Both calls take as long as the process is large, so they run on libuv's threads;
// ../src/swapped-pages.ts makes them one after the other.
#include "binding.hh"
#include "swap_history.hh"

namespace exopool {
namespace {

// Runs one call on a history; resolves with a number, or with minus an errno.
class HistoryCall : public Napi::AsyncWorker {
 public:
  HistoryCall(Napi::Env env, Napi::Object owner, std::function<double()> work)
      : Napi::AsyncWorker(env), promise_(env), owner_(Napi::Persistent(owner)), work_(std::move(work)) {}

  Napi::Promise promise() const { return promise_.Promise(); }
  void Execute() override { result_ = work_(); }
  void OnOK() override { promise_.Resolve(Napi::Number::New(Env(), result_)); }

 private:
  Napi::Promise::Deferred promise_;
  Napi::ObjectReference owner_;  // keeps the history while the call runs
  std::function<double()> work_;
  double result_ = 0;
};

class SwapHistoryObject : public Napi::ObjectWrap<SwapHistoryObject> {
 public:
  static Napi::Function Define(Napi::Env env) {
    return DefineClass(env, "SwapHistory",
                       {
                           InstanceMethod<&SwapHistoryObject::Observe>("observe"),
                           InstanceMethod<&SwapHistoryObject::Prefetch>("prefetch"),
                       });
  }

  // (pid)
  explicit SwapHistoryObject(const Napi::CallbackInfo &info)
      : Napi::ObjectWrap<SwapHistoryObject>(info), history_(info[0].ToNumber().Int32Value()) {}

 private:
  // (step) -> pages that are swapped out
  Napi::Value Observe(const Napi::CallbackInfo &info) {
    const uint32_t step = info[0].ToNumber().Uint32Value();
    return Start(info, [this, step]() -> double {
      const int failure = history_.Observe(step);
      return failure == 0 ? static_cast<double>(history_.pages()) : -failure;
    });
  }

  // (bytes) -> bytes that were asked for
  Napi::Value Prefetch(const Napi::CallbackInfo &info) {
    const auto bytes = static_cast<uint64_t>(info[0].ToNumber().Int64Value());
    return Start(info, [this, bytes]() -> double {
      uint64_t asked = 0;
      const int failure = history_.Prefetch(bytes, &asked);
      return failure == 0 ? static_cast<double>(asked) : -failure;
    });
  }

  Napi::Value Start(const Napi::CallbackInfo &info, std::function<double()> work) {
    auto *call = new HistoryCall(info.Env(), Value(), std::move(work));
    const Napi::Promise promise = call->promise();
    call->Queue();
    return promise;
  }

  SwapHistory history_;
};

}  // namespace

void RegisterPaging(Napi::Env env, Napi::Object exports) {
  exports.Set("SwapHistory", SwapHistoryObject::Define(env));
}

}  // namespace exopool

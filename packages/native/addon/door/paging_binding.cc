// SPDX-License-Identifier: Apache-2.0
// SwapHistory and page-out for JavaScript. The time of a call grows with the size of the process, so calls run on
// libuv's threads; ../src/machine/swapped-pages.ts and ../src/machine/page-out.ts make them one after the other.
#include "door/binding.hh"
#include "machine/page_out.hh"
#include "machine/swap_history.hh"

namespace exopool {
namespace {

// Runs one call; resolves with a number, or with minus an errno.
class PagingCall : public Napi::AsyncWorker {
 public:
  PagingCall(Napi::Env env, Napi::Object owner, std::function<double()> work)
      : Napi::AsyncWorker(env), promise_(env), owner_(Napi::Persistent(owner)), work_(std::move(work)) {}

  Napi::Promise promise() const { return promise_.Promise(); }
  void Execute() override { result_ = work_(); }
  void OnOK() override { promise_.Resolve(Napi::Number::New(Env(), result_)); }
  void OnError(const Napi::Error &error) override { promise_.Reject(error.Value()); }

 private:
  Napi::Promise::Deferred promise_;
  Napi::ObjectReference owner_;  // keeps the object alive during the call
  std::function<double()> work_;
  double result_ = 0;
};

Napi::Value Start(const Napi::Object &owner, std::function<double()> work) {
  auto *call = new PagingCall(owner.Env(), owner, std::move(work));
  const Napi::Promise promise = call->promise();
  call->Queue();
  return promise;
}

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
    return Start(Value(), [this, step]() -> double {
      const int failure = history_.Observe(step);
      return failure == 0 ? static_cast<double>(history_.pages()) : -failure;
    });
  }

  // (bytes) -> bytes that were asked for
  Napi::Value Prefetch(const Napi::CallbackInfo &info) {
    const auto bytes = static_cast<uint64_t>(info[0].ToNumber().Int64Value());
    return Start(Value(), [this, bytes]() -> double {
      uint64_t asked = 0;
      const int failure = history_.Prefetch(bytes, &asked);
      return failure == 0 ? static_cast<double>(asked) : -failure;
    });
  }

  SwapHistory history_;
};

// Ranges as JavaScript passes them: start, end and bytes of each, in memory that the call keeps.
struct Ranges {
  explicit Ranges(Napi::Float64Array array)
      : first(reinterpret_cast<PageOutRange *>(array.Data())),
        count(array.ElementLength() * sizeof(double) / sizeof(PageOutRange)) {}

  PageOutRange *first;
  size_t count;
};

// (pid, ranges) -> 0; sets the bytes of each range
Napi::Value CountResidentCall(const Napi::CallbackInfo &info) {
  const pid_t pid = info[0].ToNumber().Int32Value();
  const auto array = info[1].As<Napi::Float64Array>();
  return Start(array,
               [pid, ranges = Ranges(array)]() -> double { return -CountResident(pid, ranges.first, ranges.count); });
}

// (pid, ranges) -> bytes that the kernel was told to push out
Napi::Value PageOutCall(const Napi::CallbackInfo &info) {
  const pid_t pid = info[0].ToNumber().Int32Value();
  const auto array = info[1].As<Napi::Float64Array>();
  return Start(array, [pid, ranges = Ranges(array)]() -> double {
    uint64_t pushed = 0;
    const int failure = PageOut(pid, ranges.first, ranges.count, &pushed);
    return failure == 0 ? static_cast<double>(pushed) : -failure;
  });
}

}  // namespace

void RegisterPaging(Napi::Env env, Napi::Object exports) {
  exports.Set("SwapHistory", SwapHistoryObject::Define(env));
  exports.Set("countResident", Napi::Function::New<CountResidentCall>(env, "countResident"));
  exports.Set("pageOut", Napi::Function::New<PageOutCall>(env, "pageOut"));
}

}  // namespace exopool

// SPDX-License-Identifier: Apache-2.0
// The engines that advance in the kernel's rings, for JavaScript: their support here, pins and counters.
// table_binding.cc has their lookups.
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <memory>

#include "door/binding.hh"
#include "engines/extent_pin.hh"
#include "engines/loop_engine.hh"

namespace exopool {
namespace {

TableFile *TableOf(const Napi::Value &value) {
  return value.As<Napi::External<std::shared_ptr<TableFile>>>().Data()->get();
}

// loopSupport(): { available, reason, fix }
Napi::Value LoopSupport(const Napi::CallbackInfo &info) {
  const LoopEngine &engine = LoopEngine::Get();
  Napi::Object object = Napi::Object::New(info.Env());
  object.Set("available", engine.available());
  object.Set("reason", engine.reason());
  object.Set("fix", engine.fix());
  return object;
}

// loopCounters(kind): the fields of LoopCounters
Napi::Value Counters(const Napi::CallbackInfo &info) {
  LoopCounters &counters =
      LoopEngine::Get().counters(static_cast<exo_loop_kind>(info[0].As<Napi::Number>().Uint32Value() & 1));
  Napi::Object object = Napi::Object::New(info.Env());
  auto set = [&object](const char *name, const std::atomic<uint64_t> &value) {
    object.Set(name, static_cast<double>(value.load(std::memory_order_relaxed)));
  };
  set("batches", counters.batches);
  set("chains", counters.chains);
  set("hops", counters.hops);
  set("done", counters.done);
  set("notFound", counters.not_found);
  set("bound", counters.bound);
  set("stale", counters.stale);
  set("straddle", counters.straddle);
  set("io", counters.io);
  set("checksum", counters.checksum);
  set("corrupt", counters.corrupt);
  return object;
}

// pinTable(handle): why the file cannot be pinned; "" when it is
Napi::Value PinTable(const Napi::CallbackInfo &info) {
  return Napi::String::New(info.Env(), ExtentPins::Get().Pin(TableOf(info[0])));
}

// unpinTable(handle)
void UnpinTable(const Napi::CallbackInfo &info) { ExtentPins::Get().Unpin(TableOf(info[0])); }

// releasePin(path): 0 or an errno
Napi::Value ReleasePin(const Napi::CallbackInfo &info) {
  std::string path = info[0].As<Napi::String>();
  int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  int error = fd < 0 ? errno : ExtentPins::Release(fd);
  if (fd >= 0) close(fd);
  return Napi::Number::New(info.Env(), error);
}

}  // namespace

void RegisterLoop(Napi::Env env, Napi::Object exports) {
  exports.Set("loopSupport", Napi::Function::New(env, LoopSupport, "loopSupport"));
  exports.Set("loopCounters", Napi::Function::New(env, Counters, "loopCounters"));
  exports.Set("pinTable", Napi::Function::New(env, PinTable, "pinTable"));
  exports.Set("unpinTable", Napi::Function::New(env, UnpinTable, "unpinTable"));
  exports.Set("releasePin", Napi::Function::New(env, ReleasePin, "releasePin"));
}

}  // namespace exopool

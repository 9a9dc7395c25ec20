// SPDX-License-Identifier: Apache-2.0
// The engine of exopool.ko for JavaScript: its support here, files and counters. table_binding.cc has its lookups.
#include <memory>

#include "door/binding.hh"
#include "engines/driver_engine.hh"

namespace exopool {
namespace {

// driverSupport(): { available, reason, fix }
Napi::Value DriverSupport(const Napi::CallbackInfo &info) {
  const DriverEngine &engine = DriverEngine::Get();
  Napi::Object object = Napi::Object::New(info.Env());
  object.Set("available", engine.available());
  object.Set("reason", engine.reason());
  object.Set("fix", engine.fix());
  return object;
}

// attachToDriver(handle): why the driver cannot read the file; "" when it can
Napi::Value AttachToDriver(const Napi::CallbackInfo &info) {
  DriverEngine &engine = DriverEngine::Get();
  TableFile *table = info[0].As<Napi::External<std::shared_ptr<TableFile>>>().Data()->get();
  return Napi::String::New(info.Env(), engine.available() ? engine.Attach(table) : engine.reason());
}

// driverCounters(): the fields of DriverCounters; ends and modes as arrays in the order of their enums
Napi::Value Counters(const Napi::CallbackInfo &info) {
  const DriverCounters &counters = DriverEngine::Get().counters();
  Napi::Object object = Napi::Object::New(info.Env());
  auto number = [&info](const std::atomic<uint64_t> &value) {
    return Napi::Number::New(info.Env(), static_cast<double>(value.load(std::memory_order_relaxed)));
  };
  auto list = [&info, &number](const std::atomic<uint64_t> *values, uint32_t count) {
    Napi::Array array = Napi::Array::New(info.Env(), count);
    for (uint32_t i = 0; i < count; i++) array.Set(i, number(values[i]));
    return array;
  };
  object.Set("batches", number(counters.batches));
  object.Set("hops", number(counters.hops));
  object.Set("resubmitted", number(counters.resubmitted));
  object.Set("unanswered", number(counters.unanswered));
  object.Set("ends", list(counters.ends, EXO_ENDS));
  object.Set("modes", list(counters.modes, EXO_MODES));
  return object;
}

}  // namespace

void RegisterDriver(Napi::Env env, Napi::Object exports) {
  exports.Set("driverSupport", Napi::Function::New(env, DriverSupport, "driverSupport"));
  exports.Set("attachToDriver", Napi::Function::New(env, AttachToDriver, "attachToDriver"));
  exports.Set("driverCounters", Napi::Function::New(env, Counters, "driverCounters"));
}

}  // namespace exopool

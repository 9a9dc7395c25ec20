// SPDX-License-Identifier: Apache-2.0
// Table files for JavaScript: src/table/table-file.ts is the only caller, and has checked the arguments' types and
// ranges. A failure is a value, { kind, number, offset, detail }; the facade makes it a typed error.
#include <atomic>
#include <cerrno>
#include <memory>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "door/binding.hh"
#include "door/lookup_job.hh"
#include "engines/bpf_engine.hh"
#include "engines/ring_engine.hh"
#include "table/table_file.hh"

namespace exopool {
namespace {

// JavaScript's handle. Empty once closed; jobs in flight hold references of their own.
using TableHandle = std::shared_ptr<TableFile>;

TableFile &TableOf(const Napi::Value &value) { return **value.As<Napi::External<TableHandle>>().Data(); }

Napi::Object Failed(Napi::Env env, const Failure &failure) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("failure", FailureToJs(env, failure));
  return object;
}

KeyBatch KeysOf(const Napi::Array &list) {
  KeyBatch keys;
  for (uint32_t i = 0, count = list.Length(); i < count; i++) {
    auto key = list.Get(i).As<Napi::Uint8Array>();
    keys.Add(key.Data(), key.ByteLength());
  }
  return keys;
}

class ReadJob : public Job {
 public:
  ReadJob(TableHandle table, uint64_t offset, size_t count, bool verify)
      : table_(std::move(table)), offset_(offset), bytes_(count * EXO_PAGE_SIZE), verify_(verify) {}

 protected:
  void Run(int) override {
    pages_ = AllocateAligned(bytes_);
    if (pages_ == nullptr) return FailForMemory();
    failure_ = verify_ ? table_->ReadPage(offset_, pages_.get()) : table_->Read(offset_, bytes_, pages_.get());
  }

  void FailForMemory() override { failure_ = Failure::Io(ENOMEM, offset_); }

  Napi::Value Finish(Napi::Env env) override {
    if (failure_) return Failed(env, failure_);
    Napi::Object object = Napi::Object::New(env);
    object.Set("packed", Napi::Buffer<uint8_t>::NewOrCopy(env, pages_.release(), bytes_,
                                                          [](Napi::Env, uint8_t *pages) { free(pages); }));
    return object;
  }

 private:
  TableHandle table_;
  uint64_t offset_;
  size_t bytes_;
  bool verify_;
  AlignedBytes pages_;
  Failure failure_;
};

Napi::Object HeaderToJs(Napi::Env env, const exo_table_header &header) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("version", header.version);
  object.Set("tableId", Napi::BigInt::New(env, static_cast<uint64_t>(header.table_id)));
  object.Set("root", static_cast<double>(header.root));
  object.Set("height", header.height);
  object.Set("entries", static_cast<double>(header.entries));
  object.Set("fileSize", static_cast<double>(header.file_size));
  object.Set("leafPages", static_cast<double>(header.leaf_pages));
  object.Set("interiorPages", static_cast<double>(header.interior_pages));
  object.Set("valuePages", static_cast<double>(header.value_pages));
  object.Set("createdMs", static_cast<double>(header.created_ms));
  object.Set("filter", static_cast<double>(header.filter));
  object.Set("filterPages", header.filter_pages);
  object.Set("filterBlocks", header.filter_blocks);
  return object;
}

// openTable(path, direct, cacheInterior): { handle, header, direct } | { failure }
Napi::Value OpenTable(const Napi::CallbackInfo &info) {
  Napi::Env env = info.Env();
  TableFile::Options options;
  options.direct = info[1].As<Napi::Boolean>();
  options.cache_interior = info[2].As<Napi::Boolean>();
  Failure failure;
  TableHandle table = TableFile::Open(info[0].As<Napi::String>(), options, &failure);
  if (failure) return Failed(env, failure);
  Napi::Object object = Napi::Object::New(env);
  object.Set("header", HeaderToJs(env, table->header()));
  object.Set("direct", table->direct());
  object.Set("handle", Napi::External<TableHandle>::New(env, new TableHandle(std::move(table)),
                                                        [](Napi::Env, TableHandle *handle) { delete handle; }));
  return object;
}

// closeTable(handle)
void CloseTable(const Napi::CallbackInfo &info) { info[0].As<Napi::External<TableHandle>>().Data()->reset(); }

// lookupTable(handle, engine, keys): { packed } | { failure }, or a promise of it
Napi::Value LookupTable(const Napi::CallbackInfo &info) {
  auto version = std::make_shared<TableVersion>();
  version->tables.push_back({*info[0].As<Napi::External<TableHandle>>().Data(), "", "", false});
  auto engine = static_cast<Engine>(info[1].As<Napi::Number>().Int32Value());
  auto engines = std::make_shared<Lookup::Engines>(1, engine);
  KeyBatch keys = KeysOf(info[2].As<Napi::Array>());
  std::vector<uint32_t> all(keys.size());
  std::iota(all.begin(), all.end(), 0);
  auto job = std::make_shared<LookupJob>(std::make_shared<Lookup>(version, engines, std::move(keys)));
  auto channel = static_cast<JobChannel *>(info.Data())->shared_from_this();
  return LookupJob::Start(info.Env(), channel, job, std::move(all));
}

// readTablePages(handle, offset, count, verify): Promise<{ packed } | { failure }>; verify is for one page
Napi::Value ReadTablePages(const Napi::CallbackInfo &info) {
  auto job = std::make_shared<ReadJob>(*info[0].As<Napi::External<TableHandle>>().Data(),
                                       static_cast<uint64_t>(info[1].As<Napi::Number>().Int64Value()),
                                       info[2].As<Napi::Number>().Uint32Value(), info[3].As<Napi::Boolean>());
  return static_cast<JobChannel *>(info.Data())->Start(info.Env(), job, 1);
}

// tableResidentShare(handle, samples): number
Napi::Value ResidentShare(const Napi::CallbackInfo &info) {
  return Napi::Number::New(info.Env(), TableOf(info[0]).ResidentShare(info[1].As<Napi::Number>().Uint32Value()));
}

// tableCounters(handle, engine): the fields of LookupCounters
Napi::Value Counters(const Napi::CallbackInfo &info) {
  const LookupCounters &counters =
      TableOf(info[0]).counters(static_cast<Engine>(info[1].As<Napi::Number>().Int32Value()));
  Napi::Object object = Napi::Object::New(info.Env());
  auto set = [](Napi::Object target, const char *name, const std::atomic<uint64_t> &value) {
    target.Set(name, static_cast<double>(value.load(std::memory_order_relaxed)));
  };
  set(object, "lookups", counters.lookups);
  set(object, "found", counters.found);
  set(object, "notFound", counters.not_found);
  set(object, "hops", counters.hops);
  set(object, "pagesVerified", counters.pages_verified);
  set(object, "bytesRead", counters.bytes_read);
  set(object, "onCaller", counters.on_caller);
  Napi::Object returned = Napi::Object::New(info.Env());
  set(returned, "bound", counters.bound);
  set(returned, "corrupt", counters.corrupt);
  set(returned, "io", counters.io);
  set(returned, "stale", counters.stale);
  set(returned, "straddle", counters.straddle);
  object.Set("returned", returned);
  return object;
}

// bpfSupport(): { available, reason, fix }
Napi::Value BpfSupport(const Napi::CallbackInfo &info) {
  const BpfEngine &engine = BpfEngine::Get();
  Napi::Object object = Napi::Object::New(info.Env());
  object.Set("available", engine.available());
  object.Set("reason", engine.reason());
  object.Set("fix", engine.fix());
  return object;
}

// ringError(): 0 if there is a ring, else the errno of the kernel's refusal
Napi::Value RingError(const Napi::CallbackInfo &info) {
  return Napi::Number::New(info.Env(), RingEngine::Get().error());
}

}  // namespace

void RegisterTable(Napi::Env env, Napi::Object exports) {
  JobChannel *channel = JobChannel::Create(env);
  exports.Set("openTable", Napi::Function::New(env, OpenTable, "openTable"));
  exports.Set("closeTable", Napi::Function::New(env, CloseTable, "closeTable"));
  exports.Set("lookupTable", Napi::Function::New(env, LookupTable, "lookupTable", channel));
  exports.Set("readTablePages", Napi::Function::New(env, ReadTablePages, "readTablePages", channel));
  exports.Set("tableResidentShare", Napi::Function::New(env, ResidentShare, "tableResidentShare"));
  exports.Set("tableCounters", Napi::Function::New(env, Counters, "tableCounters"));
  exports.Set("ringError", Napi::Function::New(env, RingError, "ringError"));
  exports.Set("bpfSupport", Napi::Function::New(env, BpfSupport, "bpfSupport"));
}

}  // namespace exopool

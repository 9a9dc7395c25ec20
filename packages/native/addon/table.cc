// SPDX-License-Identifier: Apache-2.0
// Table files for JavaScript: src/table-file.ts is the only caller, and has checked the arguments' types and
// ranges. A failure is a value, { kind, number, offset, detail }; the facade makes the typed error of it.
#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "binding.hh"
#include "bpf_engine.hh"
#include "loop_engine.hh"
#include "ring_engine.hh"
#include "table_file.hh"
#include "table_jobs.hh"
#include "table_lookup.hh"
#include "table_pool.hh"
#include "table_stream.hh"

namespace exopool {
namespace {

// Keys that a worker takes at a time: with pread few, so that slow reads spread over the workers.
constexpr size_t kPreadGrain = 4;
constexpr size_t kBpfGrain = EXO_BATCH_MAX;
// Stand for a length where there is no value.
constexpr int32_t kNotFound = -1;
constexpr int32_t kDeleted = -2;
// Bytes of values in one call: they lie in one buffer, of which JavaScript allows 4 GiB, and twice in memory.
constexpr uint64_t kValuesMaxBytes = 1ull << 30;

// What JavaScript holds. Empty once closed; jobs in flight hold the table for themselves.
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

class LookupJob : public Job {
 public:
  LookupJob(TableHandle table, Engine engine, KeyBatch keys)
      : table_(std::move(table)), engine_(engine), keys_(std::move(keys)), results_(keys_.size()) {}

  int Workers() const {
    size_t grains = (keys_.size() + Grain() - 1) / Grain();
    return static_cast<int>(std::clamp<size_t>(grains, 1, WorkerPool::kWorkers));
  }

  // The same job as a call of the engines that advance in the kernel's ring; `done` keeps the job.
  std::shared_ptr<LoopCall> ToLoopCall(std::function<void()> done) {
    auto call = std::make_shared<LoopCall>();
    call->table = table_;
    call->kind = engine_ == Engine::kNvmeBpf ? EXO_LOOP_NVME : EXO_LOOP_FILE;
    call->keys = &keys_;
    call->count = keys_.size();
    call->results = results_.data();
    call->value_bytes_max = kValuesMaxBytes;
    call->done = std::move(done);
    return call;
  }

  // The same job as a call of the io-uring engine; `done` keeps the job.
  std::shared_ptr<RingCall> ToRingCall(std::function<void()> done) {
    auto call = std::make_shared<RingCall>();
    call->table = table_;
    call->keys = &keys_;
    call->count = keys_.size();
    call->results = results_.data();
    call->value_bytes_max = kValuesMaxBytes;
    call->done = std::move(done);
    return call;
  }

 protected:
  void Run(int worker) override {
    for (;;) {
      size_t begin = next_.fetch_add(Grain());
      if (begin >= keys_.size()) return;
      size_t end = std::min(begin + Grain(), keys_.size());
      if (engine_ == Engine::kPread)
        LookupByPread(*table_, keys_, begin, end, results_.data());
      else
        LookupByBpf(*table_, worker, keys_, begin, end, results_.data());
      for (size_t i = begin; i < end; i++) value_bytes_ += results_[i].value.size();
      if (value_bytes_ > kValuesMaxBytes) next_ = keys_.size();
    }
  }

  void FailForMemory() override { out_of_memory_ = true; }

  // { packed }: the length of each value (or kNotFound, kDeleted) as a 32-bit number, then the values.
  Napi::Value Finish(Napi::Env env) override {
    if (out_of_memory_) return Failed(env, Failure::Io(ENOMEM, 0));
    uint64_t value_bytes = 0;
    for (const LookupResult &result : results_) value_bytes += result.value.size();
    if (value_bytes > kValuesMaxBytes) return Failed(env, {Failure::Kind::kLimit, 0, 0, ""});
    for (const LookupResult &result : results_) {
      if (result.failure) return Failed(env, result.failure);
    }
    size_t bytes = results_.size() * sizeof(int32_t) + value_bytes;
    auto packed = Napi::Buffer<uint8_t>::New(env, bytes);
    uint8_t *lengths = packed.Data();
    uint8_t *values = lengths + results_.size() * sizeof(int32_t);
    for (const LookupResult &result : results_) {
      int32_t length = result.deleted ? kDeleted : kNotFound;
      if (result.found) length = static_cast<int32_t>(result.value.size());
      memcpy(lengths, &length, sizeof(length));
      lengths += sizeof(length);
      values = std::copy(result.value.begin(), result.value.end(), values);
    }
    Napi::Object object = Napi::Object::New(env);
    object.Set("packed", packed);
    return object;
  }

 private:
  size_t Grain() const { return engine_ == Engine::kPread ? kPreadGrain : kBpfGrain; }

  TableHandle table_;
  Engine engine_;
  KeyBatch keys_;
  std::vector<LookupResult> results_;
  std::atomic<size_t> next_{0};
  std::atomic<uint64_t> value_bytes_{0};
  std::atomic<bool> out_of_memory_{false};
};

class ReadJob : public Job {
 public:
  ReadJob(TableHandle table, uint64_t offset, size_t count, bool verify)
      : table_(std::move(table)), offset_(offset), bytes_(count * EXO_PAGE_SIZE), verify_(verify) {}

 protected:
  void Run(int) override {
    pages_ = AllocateAligned(bytes_);
    if (pages_ == nullptr) return FailForMemory();
    failure_ =
        verify_ ? table_->ReadPage(offset_, pages_.get()) : table_->Read(offset_, bytes_, pages_.get());
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
  object.Set("handle",
             Napi::External<TableHandle>::New(env, new TableHandle(std::move(table)),
                                              [](Napi::Env, TableHandle *handle) { delete handle; }));
  return object;
}

// closeTable(handle)
void CloseTable(const Napi::CallbackInfo &info) { info[0].As<Napi::External<TableHandle>>().Data()->reset(); }

// lookupTable(handle, engine, keys): Promise<{ packed } | { failure }>
Napi::Value LookupTable(const Napi::CallbackInfo &info) {
  auto engine = static_cast<Engine>(info[1].As<Napi::Number>().Int32Value());
  const TableHandle &table = *info[0].As<Napi::External<TableHandle>>().Data();
  auto job = std::make_shared<LookupJob>(table, engine, KeysOf(info[2].As<Napi::Array>()));
  auto channel = static_cast<JobChannel *>(info.Data())->shared_from_this();
  if (engine == Engine::kIoUringBpf || engine == Engine::kNvmeBpf) {
    Napi::Value promise = channel->Begin(info.Env(), job.get());
    auto call = job->ToLoopCall([channel, job] { channel->Complete(job); });
    call->cancelled = &channel->closed();
    LoopEngine::Get().Submit(std::move(call));
    return promise;
  }
  if (engine != Engine::kIoUring) return channel->Start(info.Env(), job, job->Workers());
  Napi::Value promise = channel->Begin(info.Env(), job.get());
  auto call = job->ToRingCall([channel, job] { channel->Complete(job); });
  call->cancelled = &channel->closed();
  RingEngine::Get().Submit(std::move(call));
  return promise;
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
  return Napi::Number::New(info.Env(),
                           TableOf(info[0]).ResidentShare(info[1].As<Napi::Number>().Uint32Value()));
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
  Napi::Object returned = Napi::Object::New(info.Env());
  set(returned, "bound", counters.bound);
  set(returned, "corrupt", counters.corrupt);
  set(returned, "io", counters.io);
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

// ringError(): 0 when there is a ring, else the errno with which the kernel refuses one
Napi::Value RingError(const Napi::CallbackInfo &info) {
  return Napi::Number::New(info.Env(), RingEngine::Get().error());
}

// openLookupStream(receive): stream
Napi::Value OpenLookupStream(const Napi::CallbackInfo &info) {
  LookupStream *stream = LookupStream::Create(info.Env(), info[0].As<Napi::Function>());
  return Napi::External<LookupStream>::New(info.Env(), stream);
}

// streamLookups(stream, handle, keys, firstToken)
void StreamLookups(const Napi::CallbackInfo &info) {
  info[0].As<Napi::External<LookupStream>>().Data()->Start(
      info.Env(), *info[1].As<Napi::External<TableHandle>>().Data(), KeysOf(info[2].As<Napi::Array>()),
      info[3].As<Napi::Number>().Uint32Value());
}

}  // namespace

Napi::Object FailureToJs(Napi::Env env, const Failure &failure) {
  static const char *const kKinds[] = {"none", "io", "corrupt", "version", "limit"};
  Napi::Object object = Napi::Object::New(env);
  object.Set("kind", kKinds[static_cast<int>(failure.kind)]);
  object.Set("number", failure.number);
  object.Set("offset", static_cast<double>(failure.offset));
  object.Set("detail", failure.detail);
  return object;
}

void RegisterTable(Napi::Env env, Napi::Object exports) {
  JobChannel *channel = JobChannel::Create(env);
  exports.Set("openTable", Napi::Function::New(env, OpenTable, "openTable"));
  exports.Set("closeTable", Napi::Function::New(env, CloseTable, "closeTable"));
  exports.Set("lookupTable", Napi::Function::New(env, LookupTable, "lookupTable", channel));
  exports.Set("readTablePages", Napi::Function::New(env, ReadTablePages, "readTablePages", channel));
  exports.Set("tableResidentShare", Napi::Function::New(env, ResidentShare, "tableResidentShare"));
  exports.Set("tableCounters", Napi::Function::New(env, Counters, "tableCounters"));
  exports.Set("openLookupStream", Napi::Function::New(env, OpenLookupStream, "openLookupStream"));
  exports.Set("streamLookups", Napi::Function::New(env, StreamLookups, "streamLookups"));
  exports.Set("ringError", Napi::Function::New(env, RingError, "ringError"));
  exports.Set("bpfSupport", Napi::Function::New(env, BpfSupport, "bpfSupport"));
}

}  // namespace exopool

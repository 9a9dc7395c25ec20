// SPDX-License-Identifier: Apache-2.0
// Scans for JavaScript: src/table/table-scan.ts is the only caller, and has checked the arguments.
#include "door/scan_binding.hh"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <new>
#include <utility>
#include <vector>

#include "door/binding.hh"
#include "door/crossing.hh"
#include "door/job_channel.hh"
#include "door/lookup_job.hh"
#include "door/memtable_binding.hh"
#include "store/memtable_source.hh"
#include "table/table_source.hh"

namespace exopool {
namespace {

using ScanHandle = std::shared_ptr<Scan>;

// Entries between two checks of the clock on a shared thread: a few milliseconds of work.
constexpr uint64_t kAggregateSlice = 32768;
// Entries, deleted ones too, that the JavaScript thread may pass: a tenth of a millisecond.
constexpr uint64_t kEntriesHere = 1024;
// Pages of the first read of a scan without a known end.
constexpr size_t kFirstPages = 4;

std::string BytesOf(const Napi::Value &value) {
  auto bytes = value.As<Napi::Uint8Array>();
  return {reinterpret_cast<const char *>(bytes.Data()), bytes.ByteLength()};
}

KeyBounds BoundsOf(const Napi::Object &spec) {
  KeyBounds bounds;
  Napi::Value lower = spec.Get("lower"), upper = spec.Get("upper");
  bounds.has_lower = lower.IsTypedArray();
  bounds.has_upper = upper.IsTypedArray();
  if (bounds.has_lower) bounds.lower = BytesOf(lower);
  if (bounds.has_upper) bounds.upper = BytesOf(upper);
  bounds.lower_inclusive = spec.Get("lowerInclusive").ToBoolean();
  bounds.upper_inclusive = spec.Get("upperInclusive").ToBoolean();
  bounds.reverse = spec.Get("reverse").ToBoolean();
  return bounds;
}

// The reads of a table for its share of `limit` entries, if keys are spread over tables by their sizes. The first read
// covers the whole share, with the partial pages at both ends, so little may be missing after it.
void PlanReads(const exo_table_header &header, uint64_t limit, uint64_t entries, TableSource::Options *options) {
  if (limit >= entries) {
    options->first_pages = kFirstPages;
    options->second_pages = 2 * kFirstPages;
    return;
  }
  double share = static_cast<double>(limit) / static_cast<double>(entries);
  options->first_pages = static_cast<size_t>(share * static_cast<double>(header.leaf_pages)) + 2;
  options->second_pages = options->first_pages / 4 + 1;
}

Napi::Object FailedScan(Napi::Env env, const Failure &failure, const std::string &path) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("failure", FailureToJs(env, failure));
  object.Set("path", path);
  return object;
}

class ScanJob : public Job {
 public:
  explicit ScanJob(ScanHandle scan) : scan_(std::move(scan)) {}

 protected:
  virtual Failure Work() = 0;
  virtual void Fill(Napi::Env env, Napi::Object object) = 0;

  void Run(int) override {
    failure_ = scan_->Begin();
    if (!failure_) failure_ = Work();
  }
  void FailForMemory() override { failure_ = Failure::Io(ENOMEM, 0); }
  Napi::Value Finish(Napi::Env env) override {
    if (failure_) return FailedScan(env, failure_, scan_->merge.failed_path());
    Napi::Object object = Napi::Object::New(env);
    object.Set("done", done());
    Fill(env, object);
    return object;
  }
  bool done() const { return !scan_->merge.valid() || scan_->limit == 0; }

  ScanHandle scan_;

 private:
  Failure failure_;
};

// The next entries: each as u32 bytes of the key, u32 bytes of the value, key, value.
class BatchJob : public ScanJob {
 public:
  BatchJob(ScanHandle scan, size_t bytes) : ScanJob(std::move(scan)), bytes_(bytes) {}

  // The value of the promise if memory has all of the first batch. Else empty, without effect.
  Napi::Value FromMemory(Napi::Env env) {
    try {
      if (MakeFromMemory()) return Finish(env);
    } catch (const std::bad_alloc &) {
      FailForMemory();
      return Finish(env);
    }
    return {};
  }

 protected:
  Failure Work() override {
    MergeScan &merge = scan_->merge;
    packed_.reserve(bytes_ + bytes_ / 4);
    for (; !done() && packed_.size() < bytes_ && entries_left_ > 0; entries_left_--) {
      if (!merge.deleted()) {
        std::string_view value;
        if (!scan_->keys_only) {
          if (Failure failure = merge.Value(&value)) return failure;
        }
        Append(merge.key(), value);
        scan_->limit--;
        count_++;
      }
      if (scan_->limit == 0) break;
      if (Failure failure = merge.Next()) return failure;
    }
    return {};
  }

  void Fill(Napi::Env env, Napi::Object object) override {
    if (scan_->leaves != nullptr) {
      for (TableSource *table : scan_->tables) table->GiveLeaves(scan_->leaves.get());
      scan_->leaves = nullptr;
    }
    auto packed = new std::vector<uint8_t>(std::move(packed_));
    object.Set("count", count_);
    object.Set("packed", Napi::Buffer<uint8_t>::NewOrCopy(
                             env, packed->data(), packed->size(),
                             [](Napi::Env, uint8_t *, std::vector<uint8_t> *owner) { delete owner; }, packed));
  }

 private:
  bool MakeFromMemory() {
    uint64_t limit = scan_->limit;
    entries_left_ = kEntriesHere;
    scan_->ReadFrom(scan_->leaves.get());
    Failure failure = scan_->Begin();
    if (!failure) failure = Work();
    scan_->ReadFrom(nullptr);
    if (!failure) return true;
    scan_->limit = limit;
    scan_->started = false;
    entries_left_ = UINT64_MAX;
    packed_.clear();
    count_ = 0;
    return false;
  }

  void Append(std::string_view key, std::string_view value) {
    uint32_t lengths[2] = {static_cast<uint32_t>(key.size()), static_cast<uint32_t>(value.size())};
    static_assert(sizeof(lengths) == kScanHeaderBytes, "header of an entry");
    auto header = reinterpret_cast<const uint8_t *>(lengths);
    packed_.insert(packed_.end(), header, header + sizeof(lengths));
    packed_.insert(packed_.end(), key.begin(), key.end());
    packed_.insert(packed_.end(), value.begin(), value.end());
  }

  size_t bytes_;
  uint64_t entries_left_ = UINT64_MAX;
  std::vector<uint8_t> packed_;
  uint32_t count_ = 0;
};

template <typename T>
double NumberAt(const char *at) {
  T number;
  memcpy(&number, at, sizeof(number));
  return static_cast<double>(number);
}

class AggregateJob : public ScanJob {
 public:
  AggregateJob(ScanHandle scan, NumberType type, size_t offset)
      : ScanJob(std::move(scan)), type_(type), offset_(offset) {}

 protected:
  Failure Work() override {
    MergeScan &merge = scan_->merge;
    for (uint64_t slice = 0; !done() && slice < kAggregateSlice; slice++) {
      if (!merge.deleted()) {
        if (Failure failure = Take()) return failure;
        scan_->limit--;
      }
      if (scan_->limit == 0) break;
      if (Failure failure = merge.Next()) return failure;
    }
    return {};
  }

  void Fill(Napi::Env, Napi::Object object) override {
    // Totals of the whole scan so far: sums of parts would round differently.
    object.Set("count", static_cast<double>(scan_->aggregate.count));
    object.Set("withField", static_cast<double>(scan_->aggregate.with_field));
    object.Set("sum", scan_->aggregate.sum);
    object.Set("min", scan_->aggregate.min);
    object.Set("max", scan_->aggregate.max);
  }

 private:
  Failure Take() {
    scan_->aggregate.count++;
    if (type_ == NumberType::kNone) return {};
    std::string_view value;
    if (Failure failure = scan_->merge.Value(&value)) return failure;
    static constexpr size_t kBytes[] = {1, 2, 4, 4, 4, 8};
    if (value.size() < offset_ + kBytes[static_cast<int>(type_)]) return {};
    scan_->aggregate.Add(Number(value.data() + offset_));
    return {};
  }

  double Number(const char *at) const {
    switch (type_) {
      case NumberType::kU8:
        return NumberAt<uint8_t>(at);
      case NumberType::kU16le:
        return NumberAt<uint16_t>(at);
      case NumberType::kU32le:
        return NumberAt<uint32_t>(at);
      case NumberType::kI32le:
        return NumberAt<int32_t>(at);
      case NumberType::kF32le:
        return NumberAt<float>(at);
      default:
        return NumberAt<double>(at);
    }
  }

  NumberType type_;
  size_t offset_;
};

ScanHandle &HandleOf(const Napi::Value &value) { return *value.As<Napi::External<ScanHandle>>().Data(); }

// openScan(spec): scan
Napi::Value OpenScan(const Napi::CallbackInfo &info) {
  return Napi::External<ScanHandle>::New(info.Env(), new ScanHandle(ScanFromJs(info[0].As<Napi::Object>())),
                                         [](Napi::Env, ScanHandle *handle) { delete handle; });
}

// closeScan(scan): releases its sources
void CloseScan(const Napi::CallbackInfo &info) { HandleOf(info[0]).reset(); }

// scanBatch(scan, bytes): { done, count, packed } | { failure, path }, or a promise of it if tables must be read
Napi::Value ScanBatch(const Napi::CallbackInfo &info) {
  const ScanHandle &scan = HandleOf(info[0]);
  auto channel = static_cast<JobChannel *>(info.Data());
  size_t bytes = info[1].As<Napi::Number>().Uint32Value();
  auto job = std::make_shared<BatchJob>(scan, bytes);
  if (scan->leaves != nullptr && !scan->started) {
    // A page with its entries takes about the time of a key.
    size_t pages = std::min(scan->pages, bytes / EXO_PAGE_SIZE + scan->tables.size());
    Napi::Value batch;
    if (channel->MayRunHere(pages)) batch = job->FromMemory(info.Env());
    if (!batch.IsEmpty()) return batch;
  }
  return channel->Start(info.Env(), job, 1);
}

// scanAggregate(scan, type, offset): Promise<{ done, count, withField, sum, min, max } | { failure, path }>: takes the
// next entries, and returns the totals so far.
Napi::Value ScanAggregate(const Napi::CallbackInfo &info) {
  auto job = std::make_shared<AggregateJob>(HandleOf(info[0]),
                                            static_cast<NumberType>(info[1].As<Napi::Number>().Int32Value()),
                                            info[2].As<Napi::Number>().Uint32Value());
  return static_cast<JobChannel *>(info.Data())->Start(info.Env(), job, 1);
}

}  // namespace

void Scan::ReadFrom(LeafCache *memory) {
  for (TableSource *table : tables) table->ReadFrom(memory);
}

Failure Scan::Begin() {
  if (started) return {};
  started = true;
  return merge.Start();
}

std::shared_ptr<Scan> ScanFromJs(const Napi::Object &spec) {
  KeyBounds bounds = BoundsOf(spec);
  auto scan = std::make_shared<Scan>(bounds.reverse);
  scan->keys_only = spec.Get("keysOnly").ToBoolean();
  double limit = spec.Get("limit").ToNumber().DoubleValue();
  if (std::isfinite(limit)) scan->limit = static_cast<uint64_t>(limit);
  auto view = static_cast<uint64_t>(spec.Get("view").ToNumber().Int64Value());
  auto memtables = spec.Get("memtables").As<Napi::Array>();
  for (uint32_t i = 0; i < memtables.Length(); i++) {
    const MemtableHandle &memtable = MemtableOf(memtables.Get(i));
    scan->entries_max += memtable->entries();
    scan->merge.Add(std::make_unique<MemtableSource>(memtable, view, bounds));
  }
  auto runs = spec.Get("runs").As<Napi::Array>();
  for (uint32_t i = 0; i < runs.Length(); i++) {
    RunHandle run = *runs.Get(i).As<Napi::External<RunHandle>>().Data();
    scan->entries_max += run->entries();
    scan->merge.Add(std::make_unique<RunSource>(std::move(run)));
  }
  auto tables = spec.Get("tables").As<Napi::Array>();
  auto paths = spec.Get("paths").As<Napi::Array>();
  size_t pages_max = spec.Get("readPagesMax").ToNumber().Uint32Value();
  std::vector<std::shared_ptr<TableFile>> files;
  uint64_t table_entries = 0;
  for (uint32_t i = 0; i < tables.Length(); i++) {
    files.push_back(*tables.Get(i).As<Napi::External<std::shared_ptr<TableFile>>>().Data());
    table_entries += files.back()->header().entries;
  }
  scan->entries_max += table_entries;
  for (uint32_t i = 0; i < files.size(); i++) {
    TableSource::Options options;
    options.path = paths.Get(i).As<Napi::String>();
    options.bounds = bounds;
    options.pages_max = pages_max;
    PlanReads(files[i]->header(), scan->limit, table_entries, &options);
    scan->pages += options.first_pages;
    auto table = std::make_unique<TableSource>(std::move(files[i]), std::move(options));
    scan->tables.push_back(table.get());
    scan->merge.Add(std::move(table));
  }
  Napi::Value leaves = spec.Get("leaves");
  if (!leaves.IsExternal()) return scan;
  scan->leaves = *leaves.As<Napi::External<std::shared_ptr<LeafCache>>>().Data();
  for (TableSource *table : scan->tables) table->KeepLeaves();
  return scan;
}

void RegisterScan(Napi::Env env, Napi::Object exports) {
  JobChannel *channel = JobChannel::Create(env);
  exports.Set("openScan", Napi::Function::New(env, OpenScan, "openScan"));
  exports.Set("closeScan", Napi::Function::New(env, CloseScan, "closeScan"));
  exports.Set("scanBatch", Napi::Function::New(env, ScanBatch, "scanBatch", channel));
  exports.Set("scanAggregate", Napi::Function::New(env, ScanAggregate, "scanAggregate", channel));
}

}  // namespace exopool

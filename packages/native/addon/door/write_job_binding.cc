// SPDX-License-Identifier: Apache-2.0
// Writes tables for JavaScript, each on a thread of its own: src/table/table-job.ts is the only caller.
//
// A flush, a merge or a load writes for seconds. It must delay neither the JavaScript thread nor the lookup threads, so
// it runs on a thread of its own that ends with it. JavaScript controls it while it runs: a new rate or a cancellation
// takes effect at the next slice.
//
//   scan (memtables, runs, tables) -> merge -> TableWriter       after each slice: cancelled? sleep for the rate
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <new>
#include <system_error>
#include <thread>

#include "door/binding.hh"
#include "door/crossing.hh"
#include "door/job_channel.hh"
#include "door/lookup_job.hh"
#include "door/scan_binding.hh"
#include "table/table_writer.hh"

namespace exopool {
namespace {

using Clock = std::chrono::steady_clock;

// Bytes written between two checks of the control.
constexpr uint64_t kSliceBytes = 256 * 1024;
// Entries between two checks, if nothing is written.
constexpr uint64_t kSliceEntries = 4096;

// State shared by JavaScript and the job's thread.
class WriteControl {
 public:
  std::atomic<uint64_t> entries{0}, bytes{0};

  void Cancel() {
    std::lock_guard<std::mutex> lock(mutex_);
    cancelled_ = true;
    changed_.notify_all();
  }
  // Bytes a second; infinity for no limit.
  void SetRate(double rate) {
    std::lock_guard<std::mutex> lock(mutex_);
    rate_ = rate;
    changed_.notify_all();
  }
  // Sleeps for as long as `bytes` may take. False when the job is cancelled.
  bool Pace(uint64_t bytes) {
    std::unique_lock<std::mutex> lock(mutex_);
    auto start = Clock::now();
    while (!cancelled_) {
      std::chrono::duration<double> takes(static_cast<double>(bytes) / rate_);
      auto end = start + std::chrono::duration_cast<Clock::duration>(std::min(takes, kLongestSleep));
      if (Clock::now() >= end) return true;
      changed_.wait_until(lock, end);
    }
    return false;
  }

 private:
  static constexpr std::chrono::duration<double> kLongestSleep{10};

  std::mutex mutex_;
  std::condition_variable changed_;
  bool cancelled_ = false;
  double rate_ = INFINITY;
};

using ControlHandle = std::shared_ptr<WriteControl>;

// Gives the calling thread the lowest priority, at the disk and at the processor.
void StandBack() {
  constexpr int kWhoThread = 1, kClassBestEffort = 2, kClassShift = 13, kLowest = 7, kNice = 10;
  auto thread = static_cast<id_t>(syscall(SYS_gettid));
  setpriority(PRIO_PROCESS, thread, kNice);
  syscall(SYS_ioprio_set, kWhoThread, thread, kClassBestEffort << kClassShift | kLowest);
}

class WriteJob : public Job {
 public:
  WriteJob(std::shared_ptr<Scan> scan, TableWriter::Options options, bool with_filter, bool drop_deleted,
           ControlHandle control, const std::atomic<bool> &closed)
      : scan_(std::move(scan)),
        options_(std::move(options)),
        with_filter_(with_filter),
        drop_deleted_(drop_deleted),
        control_(std::move(control)),
        closed_(closed) {}

  void RunAll() {
    try {
      Run(0);
    } catch (const std::bad_alloc &) {
      FailForMemory();
    }
    // Files are closed and memory is freed on this thread.
    writer_.reset();
    scan_.reset();
  }
  void Fail(int number) { failure_ = Failure::Io(number, 0); }

 protected:
  void Run(int) override {
    if (Failure failure = Write()) failure_ = failure;
  }
  void FailForMemory() override { Fail(ENOMEM); }

  // { entries, bytes, smallest, largest } | { failure, path } | { cancelled }
  Napi::Value Finish(Napi::Env env) override {
    Napi::Object object = Napi::Object::New(env);
    if (cancelled_) {
      object.Set("cancelled", true);
    } else if (failure_) {
      object.Set("failure", FailureToJs(env, failure_));
      object.Set("path", read_path_);
    } else {
      object.Set("entries", static_cast<double>(entries_));
      object.Set("bytes", static_cast<double>(bytes_));
      object.Set("smallest", Napi::Buffer<char>::Copy(env, smallest_.data(), smallest_.size()));
      object.Set("largest", Napi::Buffer<char>::Copy(env, largest_.data(), largest_.size()));
    }
    return object;
  }

 private:
  Failure Write() {
    MergeScan &merge = scan_->merge;
    Failure failure;
    if (with_filter_) options_.entries_max = scan_->entries_max;
    writer_ = TableWriter::Create(options_, &failure);
    if (failure) return failure;
    if ((failure = OfScan(scan_->Begin()))) return failure;
    uint64_t slice_start = writer_->bytes();
    while (merge.valid()) {
      if ((failure = Take())) return failure;
      if ((failure = OfScan(merge.Next()))) return failure;
      passed_++;
      if (passed_ % kSliceEntries != 0 && writer_->bytes() - slice_start < kSliceBytes) continue;
      if (!GoOn(writer_->bytes() - slice_start)) return {};
      slice_start = writer_->bytes();
    }
    if (!GoOn(0)) return {};
    if ((failure = writer_->Finish())) return failure;
    entries_ = writer_->entries();
    bytes_ = writer_->bytes();
    smallest_ = writer_->smallest();
    largest_ = writer_->largest();
    return {};
  }

  Failure Take() {
    MergeScan &merge = scan_->merge;
    if (merge.deleted()) return drop_deleted_ ? Failure() : writer_->AddDeleted(merge.key());
    std::string_view value;
    if (Failure failure = OfScan(merge.Value(&value))) return failure;
    return writer_->Add(merge.key(), value);
  }

  Failure OfScan(const Failure &failure) {
    if (failure) read_path_ = scan_->merge.failed_path();
    return failure;
  }

  bool GoOn(uint64_t bytes) {
    control_->entries = passed_;
    control_->bytes = writer_->bytes();
    cancelled_ = closed_ || !control_->Pace(bytes);
    return !cancelled_;
  }

  std::shared_ptr<Scan> scan_;
  TableWriter::Options options_;
  bool with_filter_, drop_deleted_;
  ControlHandle control_;
  const std::atomic<bool> &closed_;  // of the channel, which outlives the job
  std::unique_ptr<TableWriter> writer_;
  bool cancelled_ = false;
  Failure failure_;
  std::string read_path_;  // the file that could not be read; empty when the failure is the writer's
  uint64_t passed_ = 0;    // entries taken from the scan
  uint64_t entries_ = 0, bytes_ = 0;
  std::string smallest_, largest_;
};

// startWrite(spec of the scan, { path, tableId, createdMs, durable, keepCached, filter, dropTombstones, background,
// bytesPerSecond }): { control, done: Promise }
Napi::Value StartWrite(const Napi::CallbackInfo &info) {
  Napi::Env env = info.Env();
  auto options = info[1].As<Napi::Object>();
  TableWriter::Options write;
  bool lossless;
  write.path = options.Get("path").As<Napi::String>();
  write.table_id = options.Get("tableId").As<Napi::BigInt>().Uint64Value(&lossless);
  write.created_ms = static_cast<uint64_t>(options.Get("createdMs").As<Napi::Number>().Int64Value());
  write.durable = options.Get("durable").ToBoolean();
  write.keep_cached = options.Get("keepCached").ToBoolean();
  bool is_background = options.Get("background").ToBoolean();
  auto scan = ScanFromJs(info[0].As<Napi::Object>());
  auto control = std::make_shared<WriteControl>();
  control->SetRate(options.Get("bytesPerSecond").ToNumber().DoubleValue());
  auto channel = static_cast<JobChannel *>(info.Data())->shared_from_this();
  auto job = std::make_shared<WriteJob>(std::move(scan), std::move(write), options.Get("filter").ToBoolean(),
                                        options.Get("dropTombstones").ToBoolean(), control, channel->closed());
  Napi::Object started = Napi::Object::New(env);
  started.Set("control", Napi::External<ControlHandle>::New(env, new ControlHandle(std::move(control)),
                                                            [](Napi::Env, ControlHandle *handle) { delete handle; }));
  started.Set("done", channel->Begin(env, job.get()));
  try {
    std::thread([channel, job, is_background] {
      if (is_background) StandBack();
      job->RunAll();
      channel->Complete(job);
    }).detach();
  } catch (const std::system_error &error) {
    job->Fail(error.code().value());
    channel->Complete(job);
  }
  return started;
}

WriteControl &ControlOf(const Napi::Value &value) { return **value.As<Napi::External<ControlHandle>>().Data(); }

// writeProgress(control): { entries, bytes }
Napi::Value WriteProgress(const Napi::CallbackInfo &info) {
  Napi::Object progress = Napi::Object::New(info.Env());
  progress.Set("entries", static_cast<double>(ControlOf(info[0]).entries));
  progress.Set("bytes", static_cast<double>(ControlOf(info[0]).bytes));
  return progress;
}

// setWriteRate(control, bytesPerSecond)
void SetWriteRate(const Napi::CallbackInfo &info) {
  ControlOf(info[0]).SetRate(info[1].As<Napi::Number>().DoubleValue());
}

// cancelWrite(control)
void CancelWrite(const Napi::CallbackInfo &info) { ControlOf(info[0]).Cancel(); }

// newRun(): run, to which entries are added
Napi::Value NewRun(const Napi::CallbackInfo &info) {
  return Napi::External<RunHandle>::New(info.Env(), new RunHandle(std::make_shared<RunSorter>()),
                                        [](Napi::Env, RunHandle *handle) { delete handle; });
}

// closeRun(run)
void CloseRun(const Napi::CallbackInfo &info) { info[0].As<Napi::External<RunHandle>>().Data()->reset(); }

// addToRun(run, batch): bytes that the run has in memory now, or a BatchCode
Napi::Value AddToRun(const Napi::CallbackInfo &info) {
  RunSorter &run = **info[0].As<Napi::External<RunHandle>>().Data();
  auto bytes = info[1].As<Napi::Uint8Array>();
  EntryBatch batch(bytes.Data(), bytes.ByteLength());
  try {
    for (BatchEntry entry; batch.Next(&entry);) run.Add(entry);
  } catch (const std::bad_alloc &) {
    return Napi::Number::New(info.Env(), static_cast<double>(BatchCode::kNoMemory));
  }
  if (!batch.at_end()) return Napi::Number::New(info.Env(), static_cast<double>(BatchCode::kUnsound));
  return Napi::Number::New(info.Env(), static_cast<double>(run.bytes()));
}

}  // namespace

void RegisterWriteJob(Napi::Env env, Napi::Object exports) {
  JobChannel *channel = JobChannel::Create(env);
  exports.Set("startWrite", Napi::Function::New(env, StartWrite, "startWrite", channel));
  exports.Set("writeProgress", Napi::Function::New(env, WriteProgress, "writeProgress"));
  exports.Set("setWriteRate", Napi::Function::New(env, SetWriteRate, "setWriteRate"));
  exports.Set("cancelWrite", Napi::Function::New(env, CancelWrite, "cancelWrite"));
  exports.Set("newRun", Napi::Function::New(env, NewRun, "newRun"));
  exports.Set("closeRun", Napi::Function::New(env, CloseRun, "closeRun"));
  exports.Set("addToRun", Napi::Function::New(env, AddToRun, "addToRun"));
}

}  // namespace exopool

// SPDX-License-Identifier: Apache-2.0
// Reads a file with and without probes in the kernel, to tell where the time of a read goes.
//
// All reads are of one thread, at random places, past the page cache, and each place depends on the bytes of the read
// before it. Half of the reads without probes come before those with probes and half after them, so that drift affects
// both.
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <memory>
#include <vector>

#include "base/clock.hh"
#include "door/binding.hh"
#include "machine/read_tracer.hh"

namespace exopool {
namespace {

constexpr size_t kBlockBytes = 4096;
// To time a short call: rounds shorter than a time slice on a busy CPU, and enough of them that some are not disturbed.
constexpr int kCalls = 500;
constexpr int kRounds = 40;
// personality(2) with the argument that changes nothing.
constexpr unsigned long kAskPersonality = 0xffffffff;

struct ReadTraceResult {
  Obstacle obstacle;                // why the kernel cannot be traced
  int error = 0;                    // of the file
  std::vector<double> untraced_ns;  // one a read
  std::vector<double> traced_ns;    // EXO_MARKS_OF_READ a read, from its first mark on; -1: not reached
  double probe_ns = 0;              // of one probe
  double clock_ns = 0;              // of reading the clock once
};

// The file, and the place of the next read.
class ChainedReads {
 public:
  ~ChainedReads() {
    if (fd_ >= 0) close(fd_);
    free(block_);
  }

  // Zero or an errno; ERANGE for a file without one whole block.
  int Open(const std::string &path) {
    fd_ = open(path.c_str(), O_RDONLY | O_DIRECT | O_CLOEXEC);
    struct stat status {};
    if (fd_ < 0 || fstat(fd_, &status) != 0) return errno;
    uint64_t bytes = static_cast<uint64_t>(status.st_size);
    if (S_ISBLK(status.st_mode) && ioctl(fd_, BLKGETSIZE64, &bytes) != 0) return errno;
    blocks_ = bytes / kBlockBytes;
    void *block = nullptr;
    if (posix_memalign(&block, kBlockBytes, kBlockBytes) != 0) return ENOMEM;
    block_ = static_cast<uint8_t *>(block);
    memset(block_, 0, kBlockBytes);
    return blocks_ == 0 ? ERANGE : 0;
  }

  // The next place, from the block that was read. An odd multiplier mixes; the count prevents a cycle over equal
  // blocks.
  void Next() {
    uint64_t word;
    memcpy(&word, block_, sizeof(word));
    state_ = (state_ ^ word ^ ++count_) * 0x9e3779b97f4a7c15u;
    place_ = static_cast<off_t>((state_ >> 20) % blocks_ * kBlockBytes);
  }

  // Zero or an errno.
  int Read() {
    ssize_t got = pread64(fd_, block_, kBlockBytes, place_);
    return got == static_cast<ssize_t>(kBlockBytes) ? 0 : got < 0 ? errno : EIO;
  }

 private:
  int fd_ = -1;
  uint64_t blocks_ = 0;
  uint64_t state_ = 1;
  uint64_t count_ = 0;
  off_t place_ = 0;
  uint8_t *block_ = nullptr;
};

class ReadTraceJob : public Napi::AsyncWorker {
 public:
  ReadTraceJob(Napi::Env env, std::string path, size_t reads, std::vector<Probe> probes,
               std::shared_ptr<std::atomic<bool>> stop)
      : Napi::AsyncWorker(env),
        promise_(env),
        path_(std::move(path)),
        reads_(reads),
        probes_(std::move(probes)),
        stop_(std::move(stop)) {}

  Napi::Promise promise() const { return promise_.Promise(); }

  void Execute() override {
    ReadTracer tracer;
    result_.error = reads_of_file_.Open(path_);
    if (result_.error != 0) return;
    result_.obstacle = tracer.Load(&probes_);
    if (result_.obstacle) return;
    result_.error = Measure(&tracer);
    result_.clock_ns = ClockNs();
  }

  void OnOK() override { promise_.Resolve(ToJs()); }
  void OnError(const Napi::Error &error) override { promise_.Reject(error.Value()); }

 private:
  // Zero or an errno of the file. If the kernel refuses the probes, the result has the reason.
  int Measure(ReadTracer *tracer) {
    size_t half = (reads_ + 1) / 2;
    // The first reads warm up caches and clocks.
    if (int error = Untraced(half / 8 + 1); error != 0) return error;
    result_.untraced_ns.clear();
    if (int error = Untraced(half); error != 0) return error;
    double idle_ns = IdleCallNs();
    result_.obstacle = tracer->Attach();
    if (result_.obstacle) return 0;
    if (int error = Traced(tracer); error != 0) return error;
    // Two probes lie around the idle call.
    result_.probe_ns = std::max(0.0, (TracedIdleCallNs(tracer) - idle_ns) / 2);
    tracer->Detach();
    return Untraced(reads_ - half);
  }

  int Untraced(size_t count) {
    for (size_t i = 0; i < count && !*stop_; i++) {
      reads_of_file_.Next();
      uint64_t before = MonotonicNs();
      if (int error = reads_of_file_.Read(); error != 0) return error;
      result_.untraced_ns.push_back(static_cast<double>(MonotonicNs() - before));
    }
    return *stop_ ? ECANCELED : 0;
  }

  int Traced(ReadTracer *tracer) {
    volatile exo_read_trace *trace = tracer->trace();
    for (size_t i = 0; i < reads_ && !*stop_; i++) {
      reads_of_file_.Next();
      for (int mark = 0; mark < EXO_MARKS; mark++) trace->marks[mark] = 0;
      trace->bio = trace->request = 0;
      uint64_t before = MonotonicNs();
      if (int error = reads_of_file_.Read(); error != 0) return error;
      uint64_t after = MonotonicNs();
      trace->marks[EXO_MARK_BEFORE] = before;
      trace->marks[EXO_MARK_AFTER] = after;
      for (int mark = 0; mark < EXO_MARKS_OF_READ; mark++) {
        uint64_t at = trace->marks[mark];
        result_.traced_ns.push_back(at == 0 ? -1 : static_cast<double>(static_cast<int64_t>(at - before)));
      }
    }
    return *stop_ ? ECANCELED : 0;
  }

  // Between two reads, for the probes.
  static double TracedIdleCallNs(ReadTracer *tracer) {
    tracer->trace()->marks[EXO_MARK_SYSCALL_IN] = 0;
    return IdleCallNs();
  }

  static double IdleCallNs() {
    return LeastNs([] { syscall(SYS_personality, kAskPersonality); });
  }

  static double ClockNs() { return LeastNs(MonotonicNs); }

  // The time of one call in the quickest round: other work on the machine only makes it longer.
  template <typename Call>
  static double LeastNs(Call call) {
    double least = std::numeric_limits<double>::infinity();
    for (int round = 0; round < kRounds; round++) {
      uint64_t before = MonotonicNs();
      for (int i = 0; i < kCalls; i++) call();
      least = std::min(least, static_cast<double>(MonotonicNs() - before) / kCalls);
    }
    return least;
  }

  Napi::Float64Array Numbers(const std::vector<double> &values) {
    Napi::Float64Array array = Napi::Float64Array::New(Env(), values.size());
    std::copy(values.begin(), values.end(), array.Data());
    return array;
  }

  Napi::Object ToJs() {
    Napi::Object object = Napi::Object::New(Env());
    object.Set("reason", result_.obstacle.reason);
    object.Set("fix", result_.obstacle.fix);
    object.Set("error", result_.error);
    object.Set("untracedNs", Numbers(result_.untraced_ns));
    object.Set("tracedNs", Numbers(result_.traced_ns));
    object.Set("probeNs", result_.probe_ns);
    object.Set("clockNs", result_.clock_ns);
    Napi::Array missing = Napi::Array::New(Env(), probes_.size());
    for (uint32_t i = 0; i < probes_.size(); i++) missing[i] = Napi::String::New(Env(), probes_[i].missing);
    object.Set("missing", missing);
    return object;
  }

  Napi::Promise::Deferred promise_;
  const std::string path_;
  const size_t reads_;
  std::vector<Probe> probes_;
  const std::shared_ptr<std::atomic<bool>> stop_;
  ChainedReads reads_of_file_;
  ReadTraceResult result_;
};

// traceReads(path, reads, [[program, function], ...]): { done: Promise, stop(): void }
Napi::Value TraceReads(const Napi::CallbackInfo &info) {
  Napi::Env env = info.Env();
  std::vector<Probe> probes;
  Napi::Array asked = info[2].As<Napi::Array>();
  for (uint32_t i = 0; i < asked.Length(); i++) {
    Napi::Array pair = static_cast<Napi::Value>(asked[i]).As<Napi::Array>();
    Napi::Value program = pair[0u], function = pair[1u];
    probes.push_back({program.As<Napi::String>(), function.As<Napi::String>(), ""});
  }
  auto stop = std::make_shared<std::atomic<bool>>(false);
  auto *job = new ReadTraceJob(env, info[0].As<Napi::String>(), info[1].As<Napi::Number>().Uint32Value(),
                               std::move(probes), stop);
  Napi::Object object = Napi::Object::New(env);
  object.Set("done", job->promise());
  object.Set("stop", Napi::Function::New(
                         env, [stop](const Napi::CallbackInfo &) { *stop = true; }, "stop"));
  job->Queue();
  return object;
}

}  // namespace

void RegisterReadTrace(Napi::Env env, Napi::Object exports) {
  exports.Set("traceReads", Napi::Function::New(env, TraceReads, "traceReads"));
}

}  // namespace exopool

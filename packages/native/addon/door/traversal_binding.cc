// SPDX-License-Identifier: Apache-2.0
// The door to user-defined traversals: ../src/table/traversal-file.ts is the only caller.
#include <algorithm>
#include <cstring>
#include <memory>
#include <utility>

#include "base/worker_pool.hh"
#include "door/binding.hh"
#include "door/job_channel.hh"
#include "traversal/traversal_loop.hh"
#include "traversal/traversal_run.hh"

namespace exopool {
namespace {

class TraversalJob : public Job, public std::enable_shared_from_this<TraversalJob> {
 public:
  explicit TraversalJob(std::shared_ptr<Traversal> traversal) : traversal_(std::move(traversal)) {}

  static Napi::Value Start(Napi::Env env, JobChannel *channel, const std::shared_ptr<TraversalJob> &job) {
    if (!job->traversal_->has_loop()) {
      size_t parts = job->batch.inputs.size() / EXO_TRAVERSAL_CHAINS + 1;
      return channel->Start(env, job, static_cast<int>(std::min<size_t>(parts, WorkerPool::kWorkers)));
    }
    Napi::Value promise = channel->Begin(env, job.get());
    auto shared = channel->shared_from_this();
    job->traversal_->loop()->Submit(&job->batch, [shared, job] { shared->Complete(job); });
    return promise;
  }

  TraversalBatch batch;

 protected:
  void Run(int worker) override { traversal_->Work(&batch, worker); }
  void FailForMemory() override { has_memory_ = false; }

  // For each input { end, hops, offset, error, value }.
  Napi::Value Finish(Napi::Env env) override {
    if (!has_memory_) throw Napi::Error::New(env, "there is no memory for the traversal");
    Napi::Array results = Napi::Array::New(env, batch.results.size());
    for (size_t i = 0; i < batch.results.size(); i++) {
      const TraversalResult &result = batch.results[i];
      Napi::Object object = Napi::Object::New(env);
      object.Set("end", result.end);
      object.Set("hops", result.hops);
      object.Set("offset", static_cast<double>(result.offset));
      object.Set("error", result.error);
      if (result.end == TRAVERSAL_DONE)
        object.Set("value", Napi::Buffer<char>::Copy(env, result.value.data(), result.value.size()));
      results.Set(static_cast<uint32_t>(i), object);
    }
    return results;
  }

 private:
  std::shared_ptr<Traversal> traversal_;
  std::atomic<bool> has_memory_{true};
};

using Handle = Napi::External<std::shared_ptr<Traversal>>;

const char *NameOf(TraversalRefusal::Kind kind) {
  switch (kind) {
    case TraversalRefusal::Kind::kIo:
      return "io";
    case TraversalRefusal::Kind::kUnsupported:
      return "unsupported";
    case TraversalRefusal::Kind::kRefused:
      return "refused";
    case TraversalRefusal::Kind::kNone:
      break;
  }
  return "none";
}

// openTraversal(file, twin, program, engine): { handle } | { kind, error, text }
Napi::Value OpenTraversal(const Napi::CallbackInfo &info) {
  Napi::Env env = info.Env();
  auto traversal = Traversal::Create();
  TraversalRefusal refusal =
      traversal->Open(info[0].As<Napi::String>(), info[1].As<Napi::String>(), info[2].As<Napi::String>(),
                      static_cast<Engine>(info[3].As<Napi::Number>().Int32Value()));
  Napi::Object object = Napi::Object::New(env);
  if (refusal) {
    object.Set("kind", NameOf(refusal.kind));
    object.Set("error", refusal.error);
    object.Set("text", refusal.text);
    return object;
  }
  auto owned = new std::shared_ptr<Traversal>(std::move(traversal));
  object.Set("handle", Handle::New(env, owned, [](Napi::Env, std::shared_ptr<Traversal> *held) { delete held; }));
  return object;
}

// closeTraversal(handle): running batches keep it.
void CloseTraversal(const Napi::CallbackInfo &info) { info[0].As<Handle>().Data()->reset(); }

// runTraversal(handle, inputs, hopsMax): Promise; inputs are at most TRAVERSAL_INPUT_MAX bytes each
Napi::Value RunTraversal(const Napi::CallbackInfo &info) {
  auto job = std::make_shared<TraversalJob>(*info[0].As<Handle>().Data());
  auto inputs = info[1].As<Napi::Array>();
  for (uint32_t i = 0, count = inputs.Length(); i < count; i++) {
    auto input = inputs.Get(i).As<Napi::Uint8Array>();
    size_t length = std::min<size_t>(input.ByteLength(), TRAVERSAL_INPUT_MAX);
    job->batch.inputs.emplace_back(reinterpret_cast<const char *>(input.Data()), length);
  }
  job->batch.results.resize(job->batch.inputs.size());
  job->batch.hops_max = info[2].As<Napi::Number>().Uint32Value();
  return TraversalJob::Start(info.Env(), static_cast<JobChannel *>(info.Data()), job);
}

// traversalCounters(handle): { chains, hops, ends, returned }, the last two by number of the end
Napi::Value Counters(const Napi::CallbackInfo &info) {
  TraversalCounters &counters = (*info[0].As<Handle>().Data())->counters();
  Napi::Env env = info.Env();
  auto list = [env](const std::atomic<uint64_t> *from) {
    Napi::Array array = Napi::Array::New(env, EXO_TRAVERSAL_ENDS);
    for (uint32_t i = 0; i < EXO_TRAVERSAL_ENDS; i++) array.Set(i, static_cast<double>(from[i].load()));
    return array;
  };
  Napi::Object object = Napi::Object::New(env);
  object.Set("chains", static_cast<double>(counters.chains.load()));
  object.Set("hops", static_cast<double>(counters.hops.load()));
  object.Set("ends", list(counters.ends));
  object.Set("returned", list(counters.returned));
  return object;
}

}  // namespace

void RegisterTraversal(Napi::Env env, Napi::Object exports) {
  JobChannel *channel = JobChannel::Create(env);
  exports.Set("openTraversal", Napi::Function::New(env, OpenTraversal, "openTraversal"));
  exports.Set("closeTraversal", Napi::Function::New(env, CloseTraversal, "closeTraversal"));
  exports.Set("runTraversal", Napi::Function::New(env, RunTraversal, "runTraversal", channel));
  exports.Set("traversalCounters", Napi::Function::New(env, Counters, "traversalCounters"));
}

}  // namespace exopool

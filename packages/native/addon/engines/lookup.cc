// SPDX-License-Identifier: Apache-2.0
#include "engines/lookup.hh"

#include <algorithm>
#include <cerrno>
#include <new>
#include <thread>
#include <utility>

#include "base/worker_pool.hh"
#include "engines/driver_engine.hh"
#include "engines/loop_engine.hh"
#include "engines/ring_engine.hh"
#include "engines/table_lookup.hh"

namespace exopool {
namespace {

// Keys that a worker takes at a time: with pread few, so that slow reads spread over the workers.
constexpr size_t kPreadGrain = 4;
// With page-cache-bpf many, since nothing waits for a disk: fewer do not pay for the other worker's wake-up.
constexpr size_t kBpfGrain = 24;

// Keys of `count` that a worker takes: an equal part for each processor, within the bounds of one crossing.
size_t GrainForBpf(size_t count) {
  static const size_t processors = std::max(1u, std::thread::hardware_concurrency());
  return std::clamp<size_t>((count + processors - 1) / processors, kBpfGrain, EXO_BATCH_MAX);
}

// The engine of a stage.
enum class Runner { kWorkers, kRing, kLoop };

Runner RunnerOf(Engine engine) {
  if (engine == Engine::kIoUring) return Runner::kRing;
  return engine == Engine::kIoUringBpf || engine == Engine::kNvmeBpf ? Runner::kLoop : Runner::kWorkers;
}

}  // namespace

void Lookup::Start(std::vector<uint32_t> which) { RunStage(0, std::move(which)); }

void Lookup::RunStage(size_t first, std::vector<uint32_t> which) {
  const Engines &engines = *engines_;
  if (which.empty() || first == engines.size()) {
    if (answered) std::for_each(which.begin(), which.end(), answered);
    // They may hold references to this lookup.
    answered = nullptr;
    if (auto call = std::exchange(done, nullptr)) call();
    return;
  }
  Runner runner = RunnerOf(engines[first]);
  first_table_ = first;
  end_table_ = first + 1;
  while (runner != Runner::kLoop && end_table_ < engines.size() && RunnerOf(engines[end_table_]) == runner)
    end_table_++;
  which_ = std::move(which);
  unknown_.clear();
  if (end_table_ < engines.size()) unknown_.reserve(which_.size());
  next_ = 0;
  if (runner == Runner::kRing)
    StartRing();
  else if (runner == Runner::kLoop)
    StartLoop();
  else
    StartWorkers();
}

void Lookup::StartRing() {
  auto call = std::make_shared<RingCall>();
  call->version = version_;
  call->first_table = first_table_;
  call->end_table = end_table_;
  call->keys = &keys_;
  call->which = std::move(which_);
  call->results = results_.data();
  call->copies_leaves = copies_leaves;
  call->is_stopped = [self = shared_from_this()] { return self->IsStopped(); };
  call->ended = [this](uint32_t key) { EndKey(key); };
  call->done = [this] { EndStage(); };
  RingEngine::Get().Submit(std::move(call));
}

void Lookup::StartLoop() {
  auto call = std::make_shared<LoopCall>();
  uint64_t refused = 0;
  for (uint32_t key : which_) {
    size_t table = version_->Next(first_table_, end_table_, keys_.view(key), keys_.hash(key), &refused);
    if (table == first_table_)
      call->which.push_back(key);
    else
      EndKey(key);
  }
  call->table = version_->tables[first_table_].file;
  call->kind = (*engines_)[first_table_] == Engine::kNvmeBpf ? EXO_LOOP_NVME : EXO_LOOP_FILE;
  call->keys = &keys_;
  call->results = results_.data();
  call->is_stopped = [self = shared_from_this()] { return self->IsStopped(); };
  call->ended = [this](uint32_t key) { EndKey(key); };
  call->done = [this] { EndStage(); };
  LoopEngine::Get().Submit(std::move(call));
}

void Lookup::StartWorkers() {
  bool all_pread = std::all_of(engines_->begin() + static_cast<ptrdiff_t>(first_table_),
                               engines_->begin() + static_cast<ptrdiff_t>(end_table_),
                               [](Engine engine) { return engine == Engine::kPread; });
  grain_ = all_pread ? kPreadGrain : GrainForBpf(which_.size());
  size_t grains = (which_.size() + grain_ - 1) / grain_;
  int workers = static_cast<int>(std::clamp<size_t>(grains, 1, WorkerPool::kWorkers));
  workers_ = workers;
  for (int i = 0; i < workers; i++) {
    WorkerPool::Get().Submit([self = shared_from_this()](int worker) {
      self->Work(worker);
      if (--self->workers_ == 0) self->EndStage();
    });
  }
}

void Lookup::Work(int worker) {
  while (!IsStopped()) {
    size_t begin = next_.fetch_add(grain_);
    if (begin >= which_.size()) return;
    size_t end = std::min(begin + grain_, which_.size());
    std::vector<uint32_t> some(which_.begin() + static_cast<ptrdiff_t>(begin),
                               which_.begin() + static_cast<ptrdiff_t>(end));
    try {
      WorkOn(worker, some);
    } catch (const std::bad_alloc &) {
      FailForMemory(some);
    }
    for (uint32_t key : some) EndKey(key);
  }
}

void Lookup::WorkOn(int worker, std::vector<uint32_t> some) {
  for (size_t t = first_table_; t < end_table_ && !some.empty(); t++) {
    TableFile &table = *version_->tables[t].file;
    std::vector<uint32_t> asked = AskedOf(t, some);
    if (asked.empty()) continue;
    if ((*engines_)[t] == Engine::kPageCacheBpf)
      LookupByBpf(table, worker, keys_, asked.data(), asked.size(), results_.data());
    else if ((*engines_)[t] == Engine::kDriver)
      LookupByDriver(table, worker, keys_, asked.data(), asked.size(), results_.data());
    else
      LookupByPread(table, keys_, asked.data(), asked.size(), results_.data(), copies_leaves);
    EraseKnown(&some);
  }
}

bool Lookup::CanLookupPresent() const {
  return std::all_of(engines_->begin(), engines_->end(), [](Engine engine) { return engine == Engine::kPageCacheBpf; });
}

std::vector<uint32_t> Lookup::LookupPresent(std::vector<uint32_t> which) {
  std::vector<uint32_t> left;
  for (size_t t = 0; t < engines_->size() && !which.empty(); t++) {
    std::vector<uint32_t> asked = AskedOf(t, which);
    if (asked.empty()) continue;
    std::vector<uint32_t> left_here =
        LookupPresentByBpf(*version_->tables[t].file, keys_, std::move(asked), results_.data());
    // An older table has no valid answer for them.
    auto is_left = [&](uint32_t key) { return std::binary_search(left_here.begin(), left_here.end(), key); };
    which.erase(std::remove_if(which.begin(), which.end(), is_left), which.end());
    left.insert(left.end(), left_here.begin(), left_here.end());
    EraseKnown(&which);
  }
  for (const LookupResult &result : results_) value_bytes_ += result.value.size();
  return left;
}

// Selects the keys that the table may hold.
std::vector<uint32_t> Lookup::AskedOf(size_t table, const std::vector<uint32_t> &some) const {
  uint64_t refused = 0;
  std::vector<uint32_t> asked;
  for (uint32_t key : some) {
    if (version_->Next(table, table + 1, keys_.view(key), keys_.hash(key), &refused) == table) asked.push_back(key);
  }
  return asked;
}

void Lookup::EraseKnown(std::vector<uint32_t> *keys) const {
  auto is_known = [this](uint32_t key) { return results_[key].is_known(); };
  keys->erase(std::remove_if(keys->begin(), keys->end(), is_known), keys->end());
}

void Lookup::FailForMemory(const std::vector<uint32_t> &some) {
  for (uint32_t key : some) {
    if (results_[key].is_known()) continue;
    results_[key].failure = Failure::Io(ENOMEM, 0);
    results_[key].failed_in = version_->tables[first_table_].file;
  }
}

void Lookup::EndKey(uint32_t key) {
  const LookupResult &result = results_[key];
  bool is_unknown = !result.is_known() && end_table_ < engines_->size();
  value_bytes_ += result.value.size();
  if (is_unknown) {
    std::lock_guard<std::mutex> lock(mutex_);
    unknown_.push_back(key);
  } else if (answered) {
    answered(key);
  }
}

void Lookup::EndStage() { RunStage(IsStopped() ? engines_->size() : end_table_, std::exchange(unknown_, {})); }

}  // namespace exopool

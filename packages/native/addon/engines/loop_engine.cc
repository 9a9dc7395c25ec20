// SPDX-License-Identifier: Apache-2.0
#include "engines/loop_engine.hh"

#include <signal.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <future>
#include <new>
#include <thread>
#include <utility>

#include "engines/extent_pin.hh"
#include "engines/table_lookup.hh"

namespace exopool {
namespace {

Engine EngineOf(exo_loop_kind kind) { return kind == EXO_LOOP_NVME ? Engine::kNvmeBpf : Engine::kIoUringBpf; }

// Checks the pages of a chain that were not checked before.
Failure VerifyPath(TableFile &table, const exo_loop_chain &state, const exo_chain &chain, Tally *tally) {
  static thread_local const AlignedBytes page = AllocateAligned(EXO_PAGE_SIZE);
  if (page == nullptr) return Failure::Io(ENOMEM, 0);
  for (uint32_t hop = 0; hop < state.hops && hop < EXO_HEIGHT_MAX; hop++) {
    uint64_t offset = state.path[hop];
    if (table.IsVerified(offset)) continue;
    bool is_last = hop + 1 == state.hops;
    Failure failure = is_last ? table.CheckPage(offset, chain.page) : table.ReadPage(offset, page.get());
    if (failure) return failure;
    if (!is_last) table.CachePage(offset, page.get());
    tally->pages_verified++;
    if (!is_last) tally->bytes_read += EXO_PAGE_SIZE;
  }
  return {};
}

void CountEnd(LoopCounters *counters, const exo_loop_chain &state, int status, const Failure &failure) {
  std::atomic<uint64_t> *const by_status[] = {&counters->io,    &counters->done,    &counters->not_found,
                                              &counters->bound, &counters->corrupt, &counters->io,
                                              &counters->stale, &counters->straddle};
  counters->chains++;
  counters->hops += state.hops;
  (failure ? counters->checksum : *by_status[status])++;
}

}  // namespace

LoopEngine &LoopEngine::Get() {
  static LoopEngine *engine = new LoopEngine();
  return *engine;
}

LoopEngine::LoopEngine() : obstacle_(LoopProgram::WhyImpossible()) {
  if (obstacle_) return;
  // The ring belongs to the thread that opens it.
  std::promise<Obstacle> loaded;
  std::thread([this, &loaded] {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, nullptr);
    Obstacle obstacle = program_.Load();
    const bool is_loaded = !obstacle;
    if (is_loaded) ExtentPins::Get().Use(program_.extents(), program_.snapshots());
    loaded.set_value(std::move(obstacle));
    if (is_loaded) Run();
  }).detach();
  obstacle_ = loaded.get_future().get();
}

void LoopEngine::Submit(std::shared_ptr<LoopCall> call) {
  std::lock_guard<std::mutex> lock(mutex_);
  inbox_.push_back(std::move(call));
  wake_.notify_one();
}

void LoopEngine::Run() {
  for (;;) {
    std::shared_ptr<LoopCall> call;
    {
      std::unique_lock<std::mutex> lock(mutex_);
      wake_.wait(lock, [this] { return !inbox_.empty(); });
      call = std::move(inbox_.front());
      inbox_.pop_front();
    }
    if (!call->is_stopped()) RunBatch(call.get());
    if (call->next >= call->which.size() || call->is_stopped()) {
      call->done();
      continue;
    }
    std::lock_guard<std::mutex> lock(mutex_);
    inbox_.push_back(std::move(call));
  }
}

// Describes the batch to the program. False: it cannot run.
bool LoopEngine::Describe(const LoopCall &call, size_t count) {
  exo_loop *loop = program_.loop();
  const exo_table_header &header = call.table->header();
  loop->file_size = header.file_size;
  loop->table_id = header.table_id;
  loop->pages = program_.pages();
  loop->height = header.height;
  loop->count = loop->live = static_cast<__u32>(count);
  loop->kind = call.kind;
  loop->fd = static_cast<__u32>(call.table->read_fd());
  loop->started = 0;
  for (unsigned i = 0; i < count; i++) {
    const exo_chain &chain = *program_.chain(i);
    exo_loop_chain &state = loop->chains[i];
    state = {};
    state.hops = chain.hops;
    std::copy_n(chain.path, chain.hops, state.path);
  }
  return call.kind == EXO_LOOP_FILE || ExtentPins::Get().Describe(call.table.get(), loop);
}

void LoopEngine::RunBatch(LoopCall *call) {
  TableFile &table = *call->table;
  const uint32_t *which = call->which.data() + call->next;
  size_t count = std::min<size_t>(EXO_LOOP_CHAINS, call->which.size() - call->next);
  call->next += count;
  if (table.header().height == 0 || broken_) {
    LookupByPread(table, *call->keys, which, count, call->results);
  } else {
    RunChains(call, which, count);
  }
  std::for_each(which, which + count, call->ended);
}

void LoopEngine::RunChains(LoopCall *call, const uint32_t *which, size_t count) {
  TableFile &table = *call->table;
  for (size_t i = 0; i < count; i++)
    StartChainBelowCached(table, *call->keys, which[i], program_.chain(static_cast<unsigned>(i)));
  bool is_described = Describe(*call, count);
  if (is_described && program_.Run() != 0) broken_ = true;
  if (is_described && program_.loop()->live != 0) broken_ = true;
  // A change of the file needs the pin removed first: a pin that holds now held all the time.
  bool is_stale =
      call->kind == EXO_LOOP_NVME && !(is_described && ExtentPins::Get().Holds(&table, program_.loop()->generation));

  Tally tally;
  for (size_t i = 0; i < count; i++) {
    if (is_stale) program_.loop()->chains[i].status = EXO_CHAIN_STALE;
    TakeResult(call, which[i], static_cast<unsigned>(i), &tally);
  }
  counters_[call->kind].batches++;
  tally.AddTo(&table.counters(EngineOf(call->kind)));
}

// The answer of one chain, or of pread when the chain has none.
void LoopEngine::TakeResult(LoopCall *call, uint32_t key, unsigned number, Tally *tally) {
  TableFile &table = *call->table;
  const exo_loop_chain &state = program_.loop()->chains[number];
  const exo_chain &chain = *program_.chain(number);
  auto status = static_cast<int>(state.status);
  if (status == EXO_CHAIN_GOING || status > EXO_CHAIN_STRADDLE) status = EXO_CHAIN_IO;
  Failure failure;
  if (status <= EXO_CHAIN_NOT_FOUND) failure = VerifyPath(table, state, chain, tally);
  if (!failure && status == EXO_CHAIN_FOUND) failure = TakeChainValue(table, chain, tally, &call->results[key]);
  tally->lookups++;
  tally->hops += state.hops;
  tally->bytes_read += chain.copied;
  CountEnd(&counters_[call->kind], state, status, failure);
  if (!failure && status <= EXO_CHAIN_NOT_FOUND) {
    (status == EXO_CHAIN_FOUND ? tally->found : tally->not_found)++;
    return;
  }
  tally->returned[failure ? StatusOf(failure) : status]++;
  LookupByPread(table, *call->keys, &key, 1, call->results);
}

}  // namespace exopool

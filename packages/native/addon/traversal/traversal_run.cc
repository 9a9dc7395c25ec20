// SPDX-License-Identifier: Apache-2.0
#include "traversal/traversal_run.hh"

#include <algorithm>
#include <cstring>
#include <new>
#include <thread>

#include "traversal/traversal_loop.hh"
#include "traversal/traversal_program.hh"
#include "traversal/traversal_ring.hh"

namespace exopool {
namespace {

UserChain *ChainOfThread() {
  static thread_local UserChain chain;
  if (!chain.has_memory()) throw std::bad_alloc();
  return &chain;
}

}  // namespace

Traversal::Traversal() = default;

std::shared_ptr<Traversal> Traversal::Create() {
  return std::shared_ptr<Traversal>(new Traversal, [](Traversal *traversal) {
    if (traversal->has_loop() && traversal->loop()->is_this_thread())
      std::thread([traversal] { delete traversal; }).detach();
    else
      delete traversal;
  });
}

Traversal::~Traversal() = default;

TraversalRefusal Traversal::Open(const std::string &file, const std::string &twin, const std::string &program,
                                 Engine engine) {
  engine_ = engine;
  if (TraversalRefusal refusal = file_.Open(file, twin)) return refusal;
  if (engine == Engine::kPageCacheBpf) {
    program_ = std::make_unique<TraversalProgram>();
    return program_->Load(program, file_.fd(), file_.size());
  }
  if (engine == Engine::kPread || engine == Engine::kIoUring) return {};
  if (engine == Engine::kDriver) return {TraversalRefusal::Kind::kUnsupported, 0, "the driver walks tables only"};
  loop_ = std::make_unique<TraversalLoop>(&file_, engine == Engine::kNvmeBpf ? EXO_LOOP_NVME : EXO_LOOP_FILE);
  return loop_->Open(program);
}

void Traversal::Work(TraversalBatch *batch, int worker) {
  for (;;) {
    size_t first = batch->next.fetch_add(EXO_TRAVERSAL_CHAINS);
    if (first >= batch->inputs.size()) return;
    size_t count = std::min<size_t>(EXO_TRAVERSAL_CHAINS, batch->inputs.size() - first);
    if (engine_ == Engine::kIoUring) {
      WalkByRing(batch, first, count);
    } else if (engine_ == Engine::kPageCacheBpf) {
      WalkByProgram(batch, first, count, worker);
    } else {
      for (size_t i = first; i < first + count; i++) file_.WalkByPread(batch, i, ChainOfThread());
    }
  }
}

void Traversal::WalkByRing(TraversalBatch *batch, size_t first, size_t count) {
  static thread_local TraversalRing ring;
  if (ring.Walk(&file_, batch, first, count)) {
    for (size_t i = first; i < first + count; i++) file_.Count(batch->results[i]);
    return;
  }
  for (size_t i = first; i < first + count; i++) file_.WalkByPread(batch, i, ChainOfThread());
}

void Traversal::WalkByProgram(TraversalBatch *batch, size_t first, size_t count, int worker) {
  traversal *chains = program_->chains(worker);
  exo_control *controls = program_->controls(worker);
  UserChain *chain = ChainOfThread();
  for (size_t i = 0; i < count; i++) {
    chain->Begin(file_.twin(), batch->inputs[first + i]);
    memcpy(&chains[i], chain->t(), offsetof(traversal, block));
    controls[i] = chain->control();
  }
  bool is_walked = program_->Walk(worker, static_cast<uint32_t>(count), batch->hops_max);
  for (size_t i = 0; i < count; i++) {
    if (is_walked)
      file_.TakeKernelChain(batch, first + i, chains[i], controls[i], chain);
    else
      file_.WalkByPread(batch, first + i, chain);
  }
}

}  // namespace exopool

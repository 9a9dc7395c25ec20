// SPDX-License-Identifier: Apache-2.0
#include "traversal/traversal_run.hh"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>
#include <thread>

#include "traversal/traversal_loop.hh"
#include "traversal/traversal_program.hh"
#include "traversal/traversal_ring.hh"

namespace exopool {
namespace {

int64_t ReadBlock(int fd, uint64_t offset, uint8_t *block) {
  for (;;) {
    ssize_t got = pread(fd, block, TRAVERSAL_BLOCK_BYTES, static_cast<off_t>(offset));
    if (got >= 0 || errno != EINTR) return got < 0 ? -errno : got;
  }
}

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

Traversal::~Traversal() {
  loop_.reset();
  if (fd_ >= 0) close(fd_);
}

Traversal::Refusal Traversal::Open(const std::string &file, const std::string &twin,
                                   const std::string &program, TraversalEngine engine) {
  engine_ = engine;
  fd_ = open(file.c_str(), O_RDONLY | O_CLOEXEC);
  struct stat status {};
  if (fd_ < 0 || fstat(fd_, &status) != 0) return {Refusal::Kind::kIo, errno, file};
  if (!S_ISREG(status.st_mode) || status.st_size == 0)
    return {Refusal::Kind::kIo, EINVAL, file + " is empty, or no file"};
  file_size_ = static_cast<uint64_t>(status.st_size);
  std::string reason = twin_.Open(twin);
  if (!reason.empty()) return {Refusal::Kind::kIo, EINVAL, reason};
  if (engine == TraversalEngine::kPageCacheBpf) {
    program_ = std::make_unique<TraversalProgram>();
    return program_->Load(program, fd_, file_size_);
  }
  if (engine < TraversalEngine::kIoUringBpf) return {};
  loop_ = std::make_unique<TraversalLoop>(this, engine == TraversalEngine::kNvmeBpf ? EXO_LOOP_NVME : EXO_LOOP_FILE);
  return loop_->Open(program);
}

void Traversal::Work(TraversalBatch *batch, int worker) {
  for (;;) {
    size_t first = batch->next.fetch_add(EXO_TRAVERSAL_CHAINS);
    if (first >= batch->inputs.size()) return;
    size_t count = std::min<size_t>(EXO_TRAVERSAL_CHAINS, batch->inputs.size() - first);
    if (engine_ == TraversalEngine::kIoUring) {
      WalkByRing(batch, first, count);
    } else if (engine_ == TraversalEngine::kPageCacheBpf) {
      WalkByProgram(batch, first, count, worker);
    } else {
      for (size_t i = first; i < first + count; i++) WalkByPread(batch, i, ChainOfThread());
    }
  }
}

void Traversal::WalkByPread(TraversalBatch *batch, size_t which, UserChain *chain) {
  chain->Begin(twin_, batch->inputs[which]);
  FinishByPread(batch, which, chain);
}

void Traversal::FinishByPread(TraversalBatch *batch, size_t which, UserChain *chain) {
  while (chain->Admit(file_size_, batch->hops_max) &&
         chain->Hop(twin_, file_size_, ReadBlock(fd_, chain->offset(), chain->block()))) {
  }
  chain->TakeResult(&batch->results[which]);
  Count(batch->results[which]);
}

void Traversal::WalkByRing(TraversalBatch *batch, size_t first, size_t count) {
  static thread_local TraversalRing ring;
  if (ring.Walk(this, batch, first, count)) {
    for (size_t i = first; i < first + count; i++) Count(batch->results[i]);
    return;
  }
  for (size_t i = first; i < first + count; i++) WalkByPread(batch, i, ChainOfThread());
}

void Traversal::WalkByProgram(TraversalBatch *batch, size_t first, size_t count, int worker) {
  traversal *chains = program_->chains(worker);
  exo_control *controls = program_->controls(worker);
  UserChain *chain = ChainOfThread();
  for (size_t i = 0; i < count; i++) {
    chain->Begin(twin_, batch->inputs[first + i]);
    memcpy(&chains[i], chain->t(), offsetof(traversal, block));
    controls[i] = chain->control();
  }
  bool is_walked = program_->Walk(worker, static_cast<uint32_t>(count), batch->hops_max);
  for (size_t i = 0; i < count; i++) {
    if (is_walked)
      TakeKernelChain(batch, first + i, chains[i], controls[i], chain);
    else
      WalkByPread(batch, first + i, chain);
  }
}

void Traversal::TakeKernelChain(TraversalBatch *batch, size_t which, const traversal &t,
                                const exo_control &control, UserChain *chain) {
  TraversalResult &result = batch->results[which];
  bool goes_on = control.end == TRAVERSAL_USER || control.end >= EXO_TRAVERSAL_IO || control.end == 0;
  bool is_long = goes_on ? control.result_len > TRAVERSAL_RESULT_MAX
                         : control.end == TRAVERSAL_DONE && t.result_len > TRAVERSAL_RESULT_MAX;
  if (goes_on && !is_long) {
    counters_.returned[control.end % EXO_TRAVERSAL_ENDS]++;
    chain->Resume(batch->inputs[which], t, control);
    FinishByPread(batch, which, chain);
    return;
  }
  result.end = is_long ? static_cast<uint32_t>(EXO_TRAVERSAL_GARBAGE) : control.end;
  result.hops = control.hops;
  result.offset = control.offset;
  if (result.end == TRAVERSAL_DONE)
    result.value.assign(reinterpret_cast<const char *>(t.result), t.result_len);
  Count(result);
}

void Traversal::Count(const TraversalResult &result) {
  counters_.chains++;
  counters_.hops += result.hops;
  counters_.ends[result.end % EXO_TRAVERSAL_ENDS]++;
}

}  // namespace exopool

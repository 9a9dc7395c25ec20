// SPDX-License-Identifier: Apache-2.0
#include "traversal/traversal_loop.hh"

#include <fcntl.h>
#include <signal.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <future>
#include <utility>

#include "engines/extent_pin.hh"
#include "engines/extent_snapshot.hh"
#include "engines/loop_program.hh"

namespace exopool {

using Refusal = TraversalRefusal;

TraversalLoop::~TraversalLoop() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    is_closing_ = true;
    wake_.notify_one();
  }
  if (thread_.joinable()) thread_.join();
  if (is_held_) ExtentPins::Release(file_->fd());
}

Refusal TraversalLoop::Open(const std::string &program) {
  if (Obstacle obstacle = LoopProgram::WhyImpossible())
    return {Refusal::Kind::kUnsupported, ENOSYS, obstacle.reason + "; to enable it: " + obstacle.fix};
  if (!user_chain_.has_memory()) return {Refusal::Kind::kIo, ENOMEM, "a chain"};
  // The ring belongs to the thread that opens it.
  std::promise<Refusal> opened;
  thread_ = std::thread([this, &opened, &program] {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, nullptr);
    ring_ = std::make_unique<LoopRing>();
    Refusal refusal = Load(program);
    if (!refusal && kind_ == EXO_LOOP_NVME) refusal = Hold();
    bool is_open = !refusal;
    opened.set_value(std::move(refusal));
    if (is_open) Serve();
    if (link_ != nullptr) BpfObject::Detach(link_);
    object_.Close();
    if (is_broken_) ring_.release();
    ring_.reset();
  });
  return opened.get_future().get();
}

Refusal TraversalLoop::Load(const std::string &program) {
  int error = ring_->Open(EXO_TRAVERSAL_REGION_BYTES);
  if (error != 0) return {Refusal::Kind::kUnsupported, error, "the kernel refuses the ring"};
  error = object_.Open(program);
  bpf_map *ops = error == 0 ? SetRing(&object_, *ring_) : nullptr;
  bpf_map *loops = object_.Map("loops"), *extents = object_.Map("extents");
  if (ops == nullptr || loops == nullptr || extents == nullptr)
    return {Refusal::Kind::kIo, EINVAL, program + " is no such program"};
  if (Refusal refusal = LoadTraversalObject(&object_)) return refusal;
  loop_ = object_.Share<exo_traversal_loop>(loops, 1);
  extents_ = object_.Share<exo_extent>(extents, EXO_LOOP_EXTENTS_MAX);
  if (loop_ == nullptr || extents_ == nullptr) return {Refusal::Kind::kIo, ENOMEM, "a mapping"};
  link_ = object_.AttachStructOps(ops);
  return link_ != nullptr ? Refusal{} : Refusal{Refusal::Kind::kUnsupported, errno, "the kernel refuses the loop"};
}

Refusal TraversalLoop::Hold() {
  std::string reason = ExtentPins::Hold(file_->fd());
  is_held_ = reason.empty();
  ExtentSnapshot snapshot;
  if (reason.empty()) reason = TakeExtentSnapshot(file_->fd(), &snapshot);
  if (!reason.empty()) return {Refusal::Kind::kUnsupported, EINVAL, "nvme-bpf cannot read the file: " + reason};
  device_fd_ = FileDescriptor(open(snapshot.device.c_str(), O_RDONLY | O_CLOEXEC));
  if (!device_fd_.is_open()) return {Refusal::Kind::kIo, errno, snapshot.device};
  std::copy(snapshot.extents.begin(), snapshot.extents.end(), extents_);
  extent_count_ = static_cast<uint32_t>(snapshot.extents.size());
  namespace_id_ = snapshot.namespace_id;
  lba_shift_ = snapshot.lba_shift;
  return {};
}

void TraversalLoop::Submit(TraversalBatch *batch, std::function<void()> done) {
  std::lock_guard<std::mutex> lock(mutex_);
  inbox_.push_back({batch, std::move(done)});
  wake_.notify_one();
}

// 64 inputs of each call in turn.
void TraversalLoop::Serve() {
  for (;;) {
    Call call;
    {
      std::unique_lock<std::mutex> lock(mutex_);
      wake_.wait(lock, [this] { return is_closing_ || !inbox_.empty(); });
      if (inbox_.empty()) return;
      call = std::move(inbox_.front());
      inbox_.pop_front();
    }
    size_t first = call.batch->next.fetch_add(EXO_TRAVERSAL_CHAINS);
    size_t size = call.batch->inputs.size();
    if (first < size) RunChains(call.batch, first, std::min<size_t>(EXO_TRAVERSAL_CHAINS, size - first));
    if (first + EXO_TRAVERSAL_CHAINS >= size)
      call.done();
    else
      Submit(call.batch, std::move(call.done));
  }
}

void TraversalLoop::RunChains(TraversalBatch *batch, size_t first, size_t count) {
  if (!is_broken_) {
    for (size_t i = 0; i < count; i++) {
      user_chain_.Begin(file_->twin(), batch->inputs[first + i]);
      memcpy(chain(i), user_chain_.t(), offsetof(traversal, block));
      loop_->controls[i] = user_chain_.control();
    }
    loop_->file_size = file_->size();
    loop_->chains = reinterpret_cast<uint64_t>(ring_->region());
    loop_->hops_max = batch->hops_max;
    loop_->kind = kind_;
    loop_->fd = static_cast<uint32_t>(kind_ == EXO_LOOP_NVME ? device_fd_.get() : file_->fd());
    loop_->namespace_id = namespace_id_;
    loop_->lba_shift = lba_shift_;
    loop_->extents = extent_count_;
    loop_->generation = loop_->snapshot = 1;
    loop_->started = 0;
    loop_->count = loop_->live = static_cast<uint32_t>(count);
    is_broken_ = ring_->Run() != 0 || loop_->live != 0;
  }
  for (size_t i = 0; i < count; i++) {
    if (is_broken_)
      file_->WalkByPread(batch, first + i, &user_chain_);
    else
      file_->TakeKernelChain(batch, first + i, *chain(i), loop_->controls[i], &user_chain_);
  }
}

}  // namespace exopool

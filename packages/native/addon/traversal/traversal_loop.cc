// SPDX-License-Identifier: Apache-2.0
#include "traversal/traversal_loop.hh"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <future>
#include <utility>

#include "engines/extent_pin.hh"
#include "engines/extent_snapshot.hh"
#include "engines/loop_program.hh"
#include "traversal/traversal_program.hh"

#ifdef EXOPOOL_HAVE_LIBBPF
#include "base/bpf_library.hh"
#endif

namespace exopool {

using Refusal = Traversal::Refusal;

TraversalLoop::~TraversalLoop() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    is_closing_ = true;
    wake_.notify_one();
  }
  if (thread_.joinable()) thread_.join();
  if (is_held_) ExtentPins::Release(traversal_->fd());
  if (device_fd_ >= 0) close(device_fd_);
  if (loop_ != nullptr) munmap(loop_, sizeof(*loop_));
  if (extents_ != nullptr) munmap(extents_, EXO_EXTENTS_MAX * sizeof(*extents_));
}

Refusal TraversalLoop::Open(const std::string &program) {
  std::string reason, fix;
  if (!LoopProgram::IsPossible(&reason, &fix))
    return {Refusal::Kind::kUnsupported, ENOSYS, reason + "; to enable it: " + fix};
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
#ifdef EXOPOOL_HAVE_LIBBPF
    if (link_ != nullptr) BpfLibrary::Get().bpf_link__destroy(link_);
    if (object_ != nullptr) BpfLibrary::Get().bpf_object__close(object_);
#endif
    if (is_broken_) ring_.release();
    ring_.reset();
  });
  return opened.get_future().get();
}

#ifdef EXOPOOL_HAVE_LIBBPF

Refusal TraversalLoop::Load(const std::string &program) {
  const BpfLibrary &library = BpfLibrary::Get();
  int error = ring_->Open(EXO_TRAVERSAL_REGION_BYTES);
  if (error != 0) return {Refusal::Kind::kUnsupported, error, "the kernel refuses the ring"};
  object_ = library.bpf_object__open_file(program.c_str(), nullptr);
  auto find = [&](const char *name) {
    return object_ == nullptr ? nullptr : library.bpf_object__find_map_by_name(object_, name);
  };
  bpf_map *constants = find(".rodata"), *ops = find("loop_ops"), *loops = find("loops"), *extents = find("extents");
  if (constants == nullptr || ops == nullptr || loops == nullptr || extents == nullptr)
    return {Refusal::Kind::kIo, EINVAL, program + " is no such program"};
  size_t bytes = 0, ops_bytes = 0;
  auto offsets = static_cast<uint8_t *>(const_cast<void *>(
      static_cast<const void *>(library.bpf_map__initial_value(constants, &bytes))));
  auto fields = static_cast<uint8_t *>(
      const_cast<void *>(static_cast<const void *>(library.bpf_map__initial_value(ops, &ops_bytes))));
  const int ring_fd = ring_->fd();
  // The program has one constant, and the type has the ring's descriptor after one function.
  if (offsets == nullptr || fields == nullptr || bytes < sizeof(exo_loop_ring) ||
      ops_bytes < sizeof(void *) + sizeof(ring_fd))
    return {Refusal::Kind::kIo, EINVAL, program + " is no such program"};
  memcpy(offsets, &ring_->offsets(), sizeof(exo_loop_ring));
  memcpy(fields + sizeof(void *), &ring_fd, sizeof(ring_fd));
  if (Refusal refusal = LoadTraversalObject(object_)) return refusal;
  auto map = [&](bpf_map *from, size_t length) {
    return mmap(nullptr, length, PROT_READ | PROT_WRITE, MAP_SHARED, library.bpf_map__fd(from), 0);
  };
  void *loop = map(loops, sizeof(exo_traversal_loop));
  void *places = map(extents, EXO_EXTENTS_MAX * sizeof(exo_extent));
  loop_ = loop == MAP_FAILED ? nullptr : static_cast<exo_traversal_loop *>(loop);
  extents_ = places == MAP_FAILED ? nullptr : static_cast<exo_extent *>(places);
  if (loop_ == nullptr || extents_ == nullptr) return {Refusal::Kind::kIo, ENOMEM, "a mapping"};
  link_ = library.bpf_map__attach_struct_ops(ops);
  return link_ != nullptr ? Refusal{} : Refusal{Refusal::Kind::kUnsupported, errno, "the kernel refuses the loop"};
}

#else

Refusal TraversalLoop::Load(const std::string &) { return {Refusal::Kind::kUnsupported, ENOSYS, "no libbpf"}; }

#endif

Refusal TraversalLoop::Hold() {
  std::string reason = ExtentPins::Hold(traversal_->fd());
  is_held_ = reason.empty();
  ExtentSnapshot snapshot;
  if (reason.empty()) reason = TakeExtentSnapshot(traversal_->fd(), &snapshot);
  if (!reason.empty()) return {Refusal::Kind::kUnsupported, EINVAL, "nvme-bpf cannot read the file: " + reason};
  device_fd_ = open(snapshot.device.c_str(), O_RDONLY | O_CLOEXEC);
  if (device_fd_ < 0) return {Refusal::Kind::kIo, errno, snapshot.device};
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
      user_chain_.Begin(traversal_->twin(), batch->inputs[first + i]);
      memcpy(chain(i), user_chain_.t(), offsetof(traversal, block));
      loop_->controls[i] = user_chain_.control();
    }
    loop_->file_size = traversal_->file_size();
    loop_->chains = reinterpret_cast<uint64_t>(ring_->region());
    loop_->hops_max = batch->hops_max;
    loop_->kind = kind_;
    loop_->fd = static_cast<uint32_t>(kind_ == EXO_LOOP_NVME ? device_fd_ : traversal_->fd());
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
      traversal_->WalkByPread(batch, first + i, &user_chain_);
    else
      traversal_->TakeKernelChain(batch, first + i, *chain(i), loop_->controls[i], &user_chain_);
  }
}

}  // namespace exopool

// SPDX-License-Identifier: Apache-2.0
#include "engines/ring_engine.hh"

#include <signal.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <future>
#include <new>
#include <set>
#include <thread>
#include <utility>

namespace exopool {
namespace {

constexpr uint64_t kWakeTag = UINT64_MAX;
// Room for a read of every chain and the read of the eventfd; a power of two.
constexpr unsigned kEntries = 256;
static_assert(kEntries > RingEngine::kChains);
// A read fails after this many retries (EAGAIN, EINTR).
constexpr unsigned kRetriesMax = 16;
// The kernel is out of memory for requests: other threads may free some meanwhile.
constexpr timespec kPause = {0, 1'000'000};

bool IsTransient(int error) { return error == EAGAIN || error == EBUSY || error == ENOMEM; }

// A table's slot in the ring, freed with the table. Only the ring's thread uses it.
class RingFile : public TableAttachment {
 public:
  explicit RingFile(int slot) : slot_(slot) {}
  ~RingFile() override { RingEngine::Get().ReleaseFile(slot_); }
  RingFile(const RingFile &) = delete;
  RingFile &operator=(const RingFile &) = delete;
  int slot() const { return slot_; }

 private:
  int slot_;
};

// -1: the table has none.
int SlotOf(const TableFile &table) {
  const auto *file = static_cast<RingFile *>(table.attachment(Engine::kIoUring));
  return file == nullptr ? -1 : file->slot();
}

}  // namespace

RingEngine &RingEngine::Get() {
  static RingEngine *engine = new RingEngine();
  return *engine;
}

RingEngine::RingEngine() {
  // The ring belongs to the thread that makes it.
  std::promise<int> prepared;
  std::thread([this, &prepared] {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, nullptr);
    int error = Prepare();
    broken_ = error != 0;
    prepared.set_value(error);
    if (error == 0) Run();
  }).detach();
  error_ = prepared.get_future().get();
}

int RingEngine::Prepare() {
  if (int error = ring_.Open(kEntries)) return error;
  wake_fd_ = eventfd(0, EFD_CLOEXEC);
  if (wake_fd_ < 0) return errno;
  pages_ = AllocateAligned(kChains * EXO_PAGE_SIZE);
  if (pages_ == nullptr) return ENOMEM;
  std::vector<iovec> buffers;
  for (unsigned chain = 0; chain < kChains; chain++) {
    uint8_t *page = pages_.get() + chain * EXO_PAGE_SIZE;
    chains_.emplace_back(page);
    idle_.push_back(kChains - 1 - chain);
    buffers.push_back({page, EXO_PAGE_SIZE});
  }
  has_fixed_buffers_ = ring_.RegisterBuffers(buffers.data(), kChains) == 0;
  if (ring_.RegisterEmptyFiles(kFiles) == 0) {
    for (unsigned slot = 0; slot < kFiles; slot++) free_files_.push_back(static_cast<int>(slot));
  }
  return 0;
}

void RingEngine::Submit(std::shared_ptr<RingCall> call) {
  bool is_broken;
  Post([&] {
    is_broken = broken_;
    if (!is_broken) inbox_.push_back(call);
  });
  if (is_broken) Fail(call.get());
}

void RingEngine::ReleaseFile(int slot) {
  Post([&] { released_files_.push_back(slot); });
}

// Queues work for the ring's thread, and wakes it if it sleeps.
void RingEngine::Post(const std::function<void()> &add) {
  bool wake;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    add();
    wake = std::exchange(asleep_, false);
  }
  uint64_t one = 1;
  while (wake && write(wake_fd_, &one, sizeof(one)) < 0 && errno == EINTR) {
  }
}

void RingEngine::Run() {
  QueueWake();
  for (;;) {
    while (TakeInbox()) {
    }
    do {
      StartWalks();
      ReadLongValues();
    } while (!idle_.empty() && !calls_.empty());  // a walk may end without a read
    int error = ring_.Enter(1);
    if (IsTransient(error)) nanosleep(&kPause, nullptr);
    if (error != 0 && !IsTransient(error)) return Break();
    ring_.ForEachCompletion([this](uint64_t tag, int result) {
      if (tag == kWakeTag)
        QueueWake();
      else
        OnRead(static_cast<unsigned>(tag), result);
    });
  }
}

// False: no work, and the next caller that queues some writes the eventfd.
bool RingEngine::TakeInbox() {
  std::vector<std::shared_ptr<RingCall>> calls;
  std::vector<int> slots;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    calls.swap(inbox_);
    slots.swap(released_files_);
    asleep_ = calls.empty() && slots.empty();
  }
  for (int slot : slots) {
    if (ring_.SetFile(static_cast<unsigned>(slot), -1) == 0) free_files_.push_back(slot);
  }
  for (std::shared_ptr<RingCall> &call : calls) {
    calls_.push_back(std::move(call));
  }
  return !calls.empty() || !slots.empty();
}

void RingEngine::PutFile(TableFile *table) {
  if (SlotOf(*table) >= 0 || free_files_.empty()) return;
  int slot = free_files_.back();
  // Nothing may be thrown here: the chain that needs the file has not started its walk.
  if (ring_.SetFile(static_cast<unsigned>(slot), table->read_fd()) != 0) return;
  std::unique_ptr<RingFile> file(new (std::nothrow) RingFile(slot));
  if (file == nullptr) {
    ring_.SetFile(static_cast<unsigned>(slot), -1);
    return;
  }
  free_files_.pop_back();
  table->Attach(Engine::kIoUring, std::move(file));
}

// One key of each call in turn, so that a call of many keys does not hold up one of few.
void RingEngine::StartWalks() {
  while (!idle_.empty() && !calls_.empty()) {
    std::shared_ptr<RingCall> call = std::move(calls_.front());
    calls_.pop_front();
    if (call->is_stopped()) call->next = call->which.size();
    if (call->next == call->which.size()) {
      EndIfDone(call.get());
      continue;
    }
    unsigned number = idle_.back();
    idle_.pop_back();
    Chain &chain = chains_[number];
    chain.key = call->which[call->next++];
    call->under_way++;
    chain.call = call;
    chain.walk.set_copies_leaves(call->copies_leaves);
    if (call->next < call->which.size()) calls_.push_back(std::move(call));
    Proceed(number, [this, &chain] { return GoOn(&chain, StartWalk(&chain, chain.call->first_table)); });
  }
}

// Starts in the first table from `from` on that may have the key. False: the walk has ended, or there is
// none.
bool RingEngine::StartWalk(Chain *chain, size_t from) {
  const RingCall &call = *chain->call;
  uint64_t refused = 0;
  chain->table =
      call.version->Next(from, call.end_table, call.keys->view(chain->key), call.keys->hash(chain->key), &refused);
  if (chain->table == call.end_table) return false;
  TableFile *table = call.version->tables[chain->table].file.get();
  PutFile(table);
  return chain->walk.Start(table, *call.keys, chain->key, &chain->tally, &chain->call->results[chain->key]);
}

// Takes a walk that has ended on to the next table, unless it knows its answer. As TableWalk::Start.
bool RingEngine::GoOn(Chain *chain, bool needs_read) {
  while (!needs_read && chain->table < chain->call->end_table) {
    AddTally(chain);
    if (chain->call->results[chain->key].is_known()) return false;
    needs_read = StartWalk(chain, chain->table + 1);
  }
  return needs_read;
}

void RingEngine::AddTally(Chain *chain) {
  chain->tally.AddTo(&chain->call->version->tables[chain->table].file->counters(Engine::kIoUring));
  chain->tally = Tally();
}

// Takes a walk to its next read, or to its end.
template <typename Go>
void RingEngine::Proceed(unsigned number, Go go) {
  TableWalk &walk = chains_[number].walk;
  bool needs_read = false;
  try {
    needs_read = go();
  } catch (const std::bad_alloc &) {
    walk.Abandon(Failure::Io(ENOMEM, walk.read().offset));
    AddTally(&chains_[number]);
  }
  if (!needs_read) return EndWalk(number);
  chains_[number].done_bytes = 0;
  chains_[number].retries = 0;
  if (walk.InPage()) return QueueRead(number);
  parked_.push_back(number);
}

// Starts the reads of long values for which there is memory.
void RingEngine::ReadLongValues() {
  while (!parked_.empty()) {
    unsigned number = parked_.front();
    TableWalk &walk = chains_[number].walk;
    if (run_bytes_ > 0 && run_bytes_ + walk.read().length > kRunBytesMax) return;
    parked_.pop_front();
    if (walk.Buffer() != nullptr) {
      run_bytes_ += walk.read().length;
      QueueRead(number);
    } else {
      walk.Abandon(Failure::Io(ENOMEM, walk.read().offset));
      AddTally(&chains_[number]);
      EndWalk(number);
    }
  }
}

void RingEngine::QueueRead(unsigned number) {
  Chain &chain = chains_[number];
  const TableWalk::Read &read = chain.walk.read();
  const TableFile &table = *chain.call->version->tables[chain.table].file;
  io_uring_sqe *sqe = ring_.Next();
  bool is_fixed = has_fixed_buffers_ && chain.walk.InPage();
  sqe->opcode = is_fixed ? IORING_OP_READ_FIXED : IORING_OP_READ;
  const int slot = SlotOf(table);
  sqe->flags = slot >= 0 ? IOSQE_FIXED_FILE : 0;
  sqe->fd = slot >= 0 ? slot : table.read_fd();
  sqe->off = read.offset + chain.done_bytes;
  sqe->addr = reinterpret_cast<uint64_t>(chain.walk.Buffer() + chain.done_bytes);
  sqe->len = static_cast<unsigned>(read.length - chain.done_bytes);
  sqe->buf_index = is_fixed ? static_cast<uint16_t>(number) : 0;
  sqe->user_data = number;
}

void RingEngine::QueueWake() {
  io_uring_sqe *sqe = ring_.Next();
  sqe->opcode = IORING_OP_READ;
  sqe->fd = wake_fd_;
  sqe->addr = reinterpret_cast<uint64_t>(&wake_count_);
  sqe->len = sizeof(wake_count_);
  sqe->user_data = kWakeTag;
}

void RingEngine::OnRead(unsigned number, int result) {
  Chain &chain = chains_[number];
  const TableWalk::Read read = chain.walk.read();
  bool again = (result == -EAGAIN || result == -EINTR) && chain.retries++ < kRetriesMax;
  if (result > 0) chain.done_bytes += static_cast<unsigned>(result);
  if (again || (result > 0 && chain.done_bytes < read.length)) return QueueRead(number);
  Failure failure;
  if (result < 0) failure = Failure::Io(-result, read.offset + chain.done_bytes);
  if (result == 0) failure = Failure::EndOfFile(read.offset + chain.done_bytes);
  if (!chain.walk.InPage()) run_bytes_ -= read.length;
  Proceed(number, [&] { return GoOn(&chain, chain.walk.Resume(failure)); });
}

void RingEngine::EndWalk(unsigned number) {
  Chain &chain = chains_[number];
  std::shared_ptr<RingCall> call = std::move(chain.call);
  idle_.push_back(number);
  call->under_way--;
  call->ended(chain.key);
  EndIfDone(call.get());
}

void RingEngine::EndIfDone(RingCall *call) {
  if (call->has_ended || call->under_way > 0 || call->next < call->which.size()) return;
  call->has_ended = true;
  call->done();
}

void RingEngine::FailKey(RingCall *call, uint32_t key) {
  LookupResult &result = call->results[key];
  result.failure = Failure::Io(EIO, 0);
  result.failed_in = call->version->tables[call->first_table].file;
  call->ended(key);
}

// Fails the keys that have no walk yet, and ends the call.
void RingEngine::Fail(RingCall *call) {
  while (call->next < call->which.size()) FailKey(call, call->which[call->next++]);
  call->done();
}

// The kernel refuses to go on, for example because the ring's descriptor was closed. No request will complete, and the
// buffers that the kernel may still write are never freed.
void RingEngine::Break() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    broken_ = true;
    calls_.insert(calls_.end(), inbox_.begin(), inbox_.end());
    inbox_.clear();
  }
  std::set<std::shared_ptr<RingCall>> calls(calls_.begin(), calls_.end());
  for (Chain &chain : chains_) {
    if (chain.call == nullptr) continue;
    chain.walk.LeakBuffer();
    FailKey(chain.call.get(), chain.key);
    calls.insert(std::move(chain.call));
  }
  for (const std::shared_ptr<RingCall> &call : calls) Fail(call.get());
}

}  // namespace exopool

// SPDX-License-Identifier: Apache-2.0
#include "slab/slab_client_session.hh"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <sys/epoll.h>

#include <algorithm>
#include <cerrno>

#include "base/clock.hh"

namespace exopool {
namespace {

// A batch of JavaScript's: bytes go to its memory, an event reports the rest.
class EventBatch : public SlabBatch {
 public:
  EventBatch(std::shared_ptr<SlabEventSink> port, uint64_t session, uint64_t id,
             const std::vector<SlabRequest> &requests, uint8_t *into)
      : port_(std::move(port)), session_(session), id_(id), into_(into), statuses_(requests.size(), SLAB_OK) {
    for (const SlabRequest &request : requests) lengths_.push_back(request.type == SLAB_READ ? request.length : 0);
  }

  void OnAnswer(uint32_t index, slab_status status, const uint8_t *payload) override {
    if (payload != nullptr && lengths_[index] > 0) memcpy(into_, payload, lengths_[index]);
    into_ += lengths_[index];
    if (status != SLAB_OK) all_good_ = false;
    statuses_[index] = status;
  }

  void OnDone(uint32_t wait_ms) override {
    SlabEvent event{SlabEventKind::kCompleted, session_, id_, wait_ms, 0, {}};
    if (!all_good_) event.statuses = std::move(statuses_);
    port_->Post(std::move(event));
  }

 private:
  const std::shared_ptr<SlabEventSink> port_;
  const uint64_t session_, id_;
  uint8_t *into_;
  std::vector<uint32_t> lengths_;
  std::vector<uint8_t> statuses_;
  bool all_good_ = true;
};

}  // namespace

ClientSession::ClientSession(uint64_t id, const SlabTarget &target, std::shared_ptr<SlabEventSink> port)
    : id_(id),
      port_(std::move(port)),
      timeout_ns_(target.timeout_ms * 1'000'000),
      fd_(socket(target.address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)),
      open_deadline_ns_(MonotonicNs() + timeout_ns_),
      handshake_(std::make_unique<ConsumerHandshake>(target.seed, target.producer_key, target.ticket.data())) {
  const int on = 1;
  setsockopt(fd_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  setsockopt(fd_.get(), SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  output_.Append(&handshake_->hello(), sizeof(slab_hello));
  blocked_ = true;
  const auto *address = reinterpret_cast<const sockaddr *>(&target.address);
  // EINPROGRESS is normal; the following events report any failure.
  if (connect(fd_.get(), address, target.address_bytes) != 0 && errno != EINPROGRESS) Fail(kFailUnreachable);
}

bool ClientSession::Submit(uint64_t batch_id, const std::vector<SlabRequest> &requests, uint8_t *into) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (state_ != State::kOpen) return false;
  Enqueue(requests, std::make_shared<EventBatch>(port_, id_, batch_id, requests, into));
  Flush();
  return true;
}

bool ClientSession::Submit(const std::vector<SlabRequest> &requests, std::shared_ptr<SlabBatch> batch) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (state_ != State::kOpen) return false;
  Enqueue(requests, std::move(batch));
  if (output_.size() >= kSendBytes) Flush();
  return true;
}

void ClientSession::Send() {
  std::lock_guard<std::mutex> lock(mutex_);
  if (state_ == State::kOpen && !output_.empty()) Flush();
}

bool ClientSession::ReceiveUntil(Poller *poller, uint64_t end_ns, bool *begins) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (state_ != State::kOpen || !Flush()) return false;
  *begins = held_until_ns_ == 0;
  held_until_ns_ = end_ns + kHeldNs;
  if (*begins) Rearm(poller);
  while (!batches_.empty() && Receive() && !batches_.empty() && MonotonicNs() < end_ns) sched_yield();
  return batches_.empty();
}

void ClientSession::Unhold(Poller *poller) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (held_until_ns_ == 0) return;
  held_until_ns_ = 0;
  Rearm(poller);
}

void ClientSession::Enqueue(const std::vector<SlabRequest> &requests, std::shared_ptr<SlabBatch> handler) {
  auto batch = std::make_shared<Batch>();
  batch->handler = std::move(handler);
  batch->deadline_ns = MonotonicNs() + timeout_ns_;
  batch->left = requests.size();
  batches_.push_back(batch);
  for (uint32_t i = 0; i < requests.size(); ++i) {
    const SlabRequest &request = requests[i];
    Flight flight{request, 0, i, batch, {}};
    if (waiting_.empty() && flying_.size() < SLAB_OUTSTANDING_MAX) {
      Launch(std::move(flight), request.payload);
    } else {
      if (request.payload != nullptr) flight.copy.assign(request.payload, request.payload + request.length);
      waiting_.push_back(std::move(flight));
    }
  }
}

void ClientSession::Launch(Flight flight, const uint8_t *payload) {
  const SlabRequest &request = flight.request;
  flight.number = next_number_++;
  slab_header header{};
  header.type = request.type;
  header.request = flight.number;
  header.slab = request.slab;
  header.offset = request.offset;
  header.length = request.length;
  header.payload_bytes = payload == nullptr ? 0 : request.length;
  sender_->Seal(&header);
  output_.Append(&header, sizeof header);
  if (header.payload_bytes > 0) output_.Append(payload, header.payload_bytes);
  flying_.push_back(std::move(flight));
}

void ClientSession::LaunchWaiting() {
  while (!waiting_.empty() && flying_.size() < SLAB_OUTSTANDING_MAX) {
    Flight flight = std::move(waiting_.front());
    waiting_.pop_front();
    const std::vector<uint8_t> payload = std::move(flight.copy);
    Launch(std::move(flight), payload.empty() ? nullptr : payload.data());
  }
}

void ClientSession::Close() {
  std::lock_guard<std::mutex> lock(mutex_);
  Fail(SLAB_OK);
}

bool ClientSession::OnEvents(uint32_t events) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (state_ == State::kConnecting && !Open(events)) return false;
  if ((events & EPOLLOUT) && !Flush()) return false;
  if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) && !Receive()) return false;
  return state_ != State::kClosed;
}

// A failed connect is a hang-up here; a successful one is writable.
bool ClientSession::Open(uint32_t events) {
  int error = 0;
  socklen_t size = sizeof error;
  getsockopt(fd_.get(), SOL_SOCKET, SO_ERROR, &error, &size);
  if (error != 0 || (events & (EPOLLERR | EPOLLHUP))) {
    Fail(kFailUnreachable);
    return false;
  }
  state_ = State::kChallenge;
  return true;
}

bool ClientSession::Receive() {
  const bool goes_on = ReceiveAll();
  Pause();
  return goes_on;
}

void ClientSession::Pause() {
  for (const auto &batch : done_) batch->OnPause();
  done_.clear();
}

bool ClientSession::ReceiveAll() {
  constexpr size_t kReadBytes = 64 * 1024;
  for (size_t taken = 0; taken < kTurnBytes;) {
    uint8_t *room = input_.Reserve(kReadBytes);
    const size_t asked = input_.room();
    const ssize_t got = recv(fd_.get(), room, asked, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return true;
    if (got <= 0) {
      Fail(state_ == State::kOpen ? uint32_t{SLAB_OK} : uint32_t{kFailUnreachable});
      return false;
    }
    input_.Commit(static_cast<size_t>(got));
    taken += static_cast<size_t>(got);
    if (!Parse()) return false;
    if (static_cast<size_t>(got) < asked) break;
  }
  return Flush();
}

bool ClientSession::Parse() {
  if (state_ == State::kChallenge && !OnChallenge()) return state_ != State::kClosed;
  if (state_ == State::kReady && !OnReady()) return state_ != State::kClosed;
  while (state_ == State::kOpen) {
    if (!pending_) {
      slab_header header;
      if (input_.size() < sizeof header) return true;
      memcpy(&header, input_.data(), sizeof header);
      input_.Consume(sizeof header);
      if (!receiver_->Open(header)) {
        Fail(SLAB_OK);
        return false;
      }
      pending_ = header;
    }
    if (input_.size() < pending_->payload_bytes) return true;
    const slab_header header = *pending_;
    pending_.reset();
    if (!OnFrame(header, input_.data())) return false;
    input_.Consume(header.payload_bytes);
  }
  return state_ != State::kClosed;
}

// True if the peer sent REFUSED, or a message that is no answer to ours.
bool ClientSession::CheckRefused() {
  slab_prelude prelude;
  if (input_.size() < sizeof prelude) return false;
  memcpy(&prelude, input_.data(), sizeof prelude);
  const bool ours = memcmp(prelude.magic, SLAB_MAGIC, sizeof prelude.magic) == 0;
  if (ours && prelude.kind != SLAB_REFUSED && prelude.version == SLAB_VERSION) return false;
  const bool named = ours && prelude.kind == SLAB_REFUSED && prelude.reason > 0 && prelude.reason < SLAB_REFUSALS;
  Fail(named ? uint32_t{prelude.reason} : uint32_t{kFailProtocol});
  return true;
}

// Both return true if the next message may be processed.
bool ClientSession::OnChallenge() {
  slab_challenge challenge;
  if (CheckRefused() || input_.size() < sizeof challenge) return false;
  memcpy(&challenge, input_.data(), sizeof challenge);
  input_.Consume(sizeof challenge);
  slab_proof proof;
  if (!handshake_->OnChallenge(challenge, &proof)) {
    Fail(kFailImpostor);
    return false;
  }
  output_.Append(&proof, sizeof proof);
  state_ = State::kReady;
  return true;
}

bool ClientSession::OnReady() {
  slab_ready ready;
  if (CheckRefused() || input_.size() < sizeof ready) return false;
  memcpy(&ready, input_.data(), sizeof ready);
  input_.Consume(sizeof ready);
  slab_ticket ticket;
  memcpy(&ticket, handshake_->hello().ticket, sizeof ticket);
  sender_.emplace(handshake_->keys().to_producer);
  receiver_.emplace(handshake_->keys().to_consumer);
  handshake_.reset();
  if (CheckPrelude(ready.prelude, SLAB_READY) != SLAB_REFUSE_NONE || !receiver_->OpenReady(ready)) {
    Fail(kFailImpostor);
    return false;
  }
  // Only the signed ticket counts: a producer could name any size, and memory is laid out by it here.
  if (ready.slabs != ticket.slabs || ready.slab_bytes != ticket.slab_bytes || ready.slabs > SLAB_SLABS_MAX ||
      ready.slab_bytes == 0) {
    Fail(kFailOtherMemory);
    return false;
  }
  slabs_left_ = ready.slabs;
  state_ = State::kOpen;
  port_->Post({SlabEventKind::kOpened, id_, 0, ready.slabs, ready.slab_bytes, {}});
  return true;
}

bool ClientSession::OnFrame(const slab_header &header, const uint8_t *payload) {
  if (header.type == SLAB_ENDED || header.type == SLAB_RECLAIM || header.type == SLAB_GONE)
    return OnNotice(header, payload);
  const bool expected =
      !flying_.empty() && header.request == flying_.front().number && header.type == flying_.front().request.type;
  const bool read = expected && header.type == SLAB_READ && header.status == SLAB_OK;
  if (!expected || header.payload_bytes != (read ? flying_.front().request.length : 0)) {
    Fail(SLAB_OK);
    return false;
  }
  const Flight flight = std::move(flying_.front());
  flying_.pop_front();
  Settle(flight, static_cast<slab_status>(header.status), read ? payload : nullptr,
         header.status == SLAB_OVER_RATE ? header.length : 0);
  LaunchWaiting();
  return true;
}

bool ClientSession::OnNotice(const slab_header &header, const uint8_t *payload) {
  // A slab goes once, so these notices cannot fill memory.
  const uint32_t gone = header.type == SLAB_GONE ? header.payload_bytes / sizeof(uint32_t) : 0;
  const bool whole =
      header.payload_bytes == gone * sizeof(uint32_t) && gone <= slabs_left_ && (gone > 0 || header.type != SLAB_GONE);
  if (header.type == SLAB_ENDED || !whole) {
    Fail(whole ? uint32_t{header.status} : uint32_t{SLAB_OK});
    return false;
  }
  slabs_left_ -= gone;
  if (header.type == SLAB_RECLAIM) {
    // Choosing slabs is a walk over all pages or values. Each RECLAIM takes at least one slab, so they end; a RECLAIM
    // of none could be repeated for ever.
    if (header.length == 0) return true;
    port_->Post({SlabEventKind::kReclaim, id_, 0, header.length, header.offset, {}});
  } else {
    port_->Post({SlabEventKind::kGone, id_, 0, 0, 0, {payload, payload + header.payload_bytes}});
  }
  return true;
}

void ClientSession::Settle(const Flight &flight, slab_status status, const uint8_t *payload, uint32_t wait_ms) {
  Batch &batch = *flight.batch;
  batch.wait_ms = std::max(batch.wait_ms, wait_ms);
  batch.handler->OnAnswer(flight.index, status, payload);
  if (--batch.left > 0) return;
  // Requests are answered in order, so batches are completed in order.
  batches_.pop_front();
  batch.handler->OnDone(batch.wait_ms);
  done_.push_back(batch.handler);
}

bool ClientSession::Flush() {
  blocked_ = false;
  while (!output_.empty()) {
    const ssize_t sent = send(fd_.get(), output_.data(), output_.size(), MSG_NOSIGNAL);
    if (sent >= 0) {
      output_.Consume(static_cast<size_t>(sent));
    } else if (errno == EAGAIN || errno == EINTR) {
      blocked_ = true;
      return true;
    } else {
      Fail(state_ == State::kOpen ? uint32_t{SLAB_OK} : uint32_t{kFailUnreachable});
      return false;
    }
  }
  return true;
}

// `reason`: why the session cannot open; once it is open, why it ended (enum slab_status).
void ClientSession::Fail(uint32_t reason) {
  if (state_ == State::kClosed) return;
  const bool was_open = state_ == State::kOpen;
  state_ = State::kClosed;
  fd_.Close();
  for (std::deque<Flight> *queue : {&flying_, &waiting_}) {
    while (!queue->empty()) {
      const Flight flight = std::move(queue->front());
      queue->pop_front();
      Settle(flight, was_open && reason != SLAB_OK ? static_cast<slab_status>(reason) : SLAB_REVOKED, nullptr, 0);
    }
  }
  Pause();
  port_->Post({was_open ? SlabEventKind::kEnded : SlabEventKind::kRefused, id_, 0, reason, 0, {}});
}

bool ClientSession::OnTime(uint64_t now_ns) {
  std::lock_guard<std::mutex> lock(mutex_);
  const bool opening = state_ != State::kOpen && state_ != State::kClosed;
  if (opening && now_ns >= open_deadline_ns_) Fail(kFailTimeout);
  if (!batches_.empty() && now_ns >= batches_.front()->deadline_ns) Fail(SLAB_OK);
  if (now_ns >= held_until_ns_) held_until_ns_ = 0;
  return state_ != State::kClosed;
}

uint64_t ClientSession::DeadlineNs() {
  std::lock_guard<std::mutex> lock(mutex_);
  if (state_ == State::kClosed) return 0;
  if (state_ != State::kOpen) return open_deadline_ns_;
  const uint64_t held_ns = held_until_ns_ == 0 ? UINT64_MAX : held_until_ns_;
  return batches_.empty() ? held_ns : std::min(held_ns, batches_.front()->deadline_ns);
}

void ClientSession::Watch(Poller *poller) {
  std::lock_guard<std::mutex> lock(mutex_);
  Rearm(poller);
}

void ClientSession::Rearm(Poller *poller) {
  const uint32_t wanted = (held_until_ns_ == 0 ? uint32_t{EPOLLIN} : 0u) | (blocked_ ? uint32_t{EPOLLOUT} : 0u);
  const uint32_t interest = wanted | kWatched;
  if (state_ == State::kClosed || interest == interest_) return;
  if (interest_ != 0) {
    poller->Modify(fd_.get(), wanted, id_);
  } else if (!poller->Add(fd_.get(), wanted, id_)) {
    Fail(kFailUnreachable);
  }
  interest_ = interest;
}

}  // namespace exopool

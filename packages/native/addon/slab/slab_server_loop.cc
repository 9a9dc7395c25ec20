// SPDX-License-Identifier: Apache-2.0
#include "slab/slab_server_loop.hh"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <future>
#include <system_error>

#include "base/clock.hh"

namespace exopool {
namespace {

constexpr uint64_t kListenerTag = 0;

// For the deadlines of peers: setting the wall clock must not make a peer late.
uint64_t SteadyMs() { return MonotonicNs() / 1'000'000; }

}  // namespace

SlabServerLoop::SlabServerLoop(const std::string &host, uint16_t port, std::unique_ptr<SlabService> service,
                               uint32_t spin_us, double cpu_share_max)
    : service_(std::move(service)),
      poller_(spin_us),
      listener_(ListenTcp(host, port, &port_)),
      cpu_share_max_(cpu_share_max) {
  if (!poller_.Add(listener_.get(), EPOLLIN, kListenerTag)) {
    throw std::system_error(errno, std::generic_category(), "epoll_ctl");
  }
  thread_ = std::thread([this] { Loop(); });
}

SlabServerLoop::~SlabServerLoop() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    stopping_ = true;
  }
  poller_.Wake();
  thread_.join();
}

void SlabServerLoop::Run(const std::function<void(SlabService &)> &task) {
  std::promise<void> done;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    tasks_.emplace_back([&] {
      task(*service_);
      leased_slabs_ = service_->leases.leased_slabs();
      done.set_value();
    });
  }
  poller_.Wake();
  done.get_future().wait();
}

void SlabServerLoop::Loop() {
  epoll_event events[Poller::kEvents];
  uint64_t ticked_ms = 0;
  for (;;) {
    const int count = poller_.Wait(events, TimeoutMs(UnixMs()));
    const uint64_t now_ms = UnixMs();
    for (int i = 0; i < count; ++i) {
      if (events[i].data.u64 == kListenerTag) {
        Accept();
      } else {
        Serve(events[i].data.u64, events[i].events, now_ms);
      }
    }
    RunTasks();
    if (service_->leases.NextExpiryMs() <= now_ms) service_->leases.Expire(now_ms);
    if (now_ms < ticked_ms || now_ms - ticked_ms >= kTickMs) {
      Tick(now_ms);
      ticked_ms = now_ms;
    }
    TellChanges(now_ms);
    leased_slabs_ = service_->leases.leased_slabs();
    if (cpu_share_max_ < 1) KeepCap(now_ms);
    std::lock_guard<std::mutex> lock(mutex_);
    if (stopping_ && tasks_.empty()) return;
  }
}

// Time to the next end of a lease; a tick while a session has a deadline; 0 if a session has work: notices or waiting
// input.
int SlabServerLoop::TimeoutMs(uint64_t now_ms) const {
  constexpr uint64_t kIdleMs = 1'000;  // the wall clock may be set: check it once a second
  if (told_changes_ != service_->leases.changes()) return 0;
  uint64_t timeout_ms = accepting_ ? kIdleMs : kTickMs;
  for (const auto &[tag, connection] : sessions_) {
    if (connection->ready()) return 0;
    const bool on_deadline =
        connection->session.state() != ServerSession::State::kOpen || connection->stalled_since_ms != 0;
    if (on_deadline) timeout_ms = kTickMs;
  }
  const uint64_t expiry_ms = service_->leases.NextExpiryMs();
  if (expiry_ms <= now_ms) return 0;
  return static_cast<int>(std::min(timeout_ms, expiry_ms - now_ms));
}

void SlabServerLoop::Accept() {
  for (int i = 0; i < kAcceptsPerTurn; ++i) {
    FileDescriptor fd(accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (fd.get() < 0) {
      // Without free descriptors the listener stays readable: pause it until the next tick instead of spinning.
      if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
        poller_.Modify(listener_.get(), 0, kListenerTag);
        accepting_ = false;
      }
      return;
    }
    const int on = 1;
    setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(fd.get(), SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    const unsigned dead_ms = kStallMs;
    setsockopt(fd.get(), IPPROTO_TCP, TCP_USER_TIMEOUT, &dead_ms, sizeof dead_ms);
    auto connection = std::make_unique<Connection>(std::move(fd), service_.get(), SteadyMs());
    if (sessions_.size() >= SLAB_SESSIONS_MAX) {
      connection->session.Refuse(SLAB_REFUSE_BUSY);
      Flush(connection.get());
      continue;
    }
    const uint64_t tag = next_tag_++;
    if (!poller_.Add(connection->fd.get(), EPOLLIN, tag)) return;
    sessions_.emplace(tag, std::move(connection));
  }
}

void SlabServerLoop::Serve(uint64_t tag, uint32_t events, uint64_t now_ms) {
  const auto found = sessions_.find(tag);
  if (found == sessions_.end()) return;
  Connection *connection = found->second.get();
  if (!ServeConnection(connection, events, now_ms)) {
    sessions_.erase(found);
    return;
  }
  const ServerSession &session = connection->session;
  const bool listening = session.wants_input() || session.state() == ServerSession::State::kClosing;
  const uint32_t interest = (listening ? EPOLLIN : 0u) | (connection->stalled_since_ms != 0 ? EPOLLOUT : 0u);
  if (interest == connection->interest) return;
  poller_.Modify(connection->fd.get(), interest, tag);
  connection->interest = interest;
}

bool SlabServerLoop::ServeConnection(Connection *connection, uint32_t events, uint64_t now_ms) {
  try {
    if ((events & EPOLLOUT) && !Flush(connection)) return false;
    if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) && !Receive(connection, now_ms)) return false;
    connection->backlog = connection->session.Process(now_ms);
    leased_slabs_ = service_->leases.leased_slabs();  // before the peer can see it
    return Flush(connection);
  } catch (const std::exception &) {
    return false;  // no memory for its buffers, or for OpenSSL's: this consumer is lost, the others are not
  }
}

bool SlabServerLoop::Receive(Connection *connection, uint64_t now_ms) {
  ServerSession &session = connection->session;
  for (size_t taken = 0; taken < kTurnBytes;) {
    ByteQueue &input = session.input();
    uint8_t *room = input.Reserve(kReadBytes);
    const size_t asked = input.room();
    const ssize_t got = recv(connection->fd.get(), room, asked, 0);
    if (got == 0) return false;
    if (got < 0) return errno == EAGAIN || errno == EINTR;
    // A closing session only waits for the peer to close; further input is dropped.
    if (session.state() == ServerSession::State::kClosing) return true;
    input.Commit(static_cast<size_t>(got));
    taken += static_cast<size_t>(got);
    session.Process(now_ms);
    if (static_cast<size_t>(got) < asked || !session.wants_input()) return true;
  }
  return true;
}

bool SlabServerLoop::Flush(Connection *connection) {
  ByteQueue &output = connection->session.output();
  while (!output.empty()) {
    const ssize_t sent = send(connection->fd.get(), output.data(), output.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN && errno != EINTR) return false;
    if (sent < 0) {
      if (connection->stalled_since_ms == 0) connection->stalled_since_ms = SteadyMs();
      return true;
    }
    output.Consume(static_cast<size_t>(sent));
    connection->stalled_since_ms = output.empty() ? 0 : SteadyMs();
  }
  if (connection->session.state() == ServerSession::State::kClosing && !connection->shut) {
    // Closing with unread input would reset the connection and lose our last output.
    shutdown(connection->fd.get(), SHUT_WR);
    connection->shut = true;
    connection->closing_since_ms = SteadyMs();
  }
  return true;
}

void SlabServerLoop::Tick(uint64_t now_ms) {
  if (!accepting_) {
    poller_.Modify(listener_.get(), EPOLLIN, kListenerTag);
    accepting_ = true;
  }
  const uint64_t steady_ms = SteadyMs();
  std::vector<uint64_t> late;
  for (auto at = sessions_.begin(); at != sessions_.end();) {
    const Connection &connection = *at->second;
    const auto state = connection.session.state();
    const bool young = state == ServerSession::State::kHello || state == ServerSession::State::kProof;
    const bool stalled = connection.stalled_since_ms != 0 && steady_ms - connection.stalled_since_ms > kStallMs;
    const bool lingered = connection.shut && steady_ms - connection.closing_since_ms > kLingerMs;
    const bool over = stalled || lingered;
    if (!over && young && steady_ms - connection.session.started_ms() > SLAB_HANDSHAKE_MS) late.push_back(at->first);
    at = over ? sessions_.erase(at) : std::next(at);
  }
  for (const uint64_t tag : late) {
    sessions_.at(tag)->session.Refuse(SLAB_REFUSE_TIMEOUT);
    Serve(tag, 0, now_ms);
  }
}

void SlabServerLoop::TellChanges(uint64_t now_ms) {
  const bool changed = told_changes_ != service_->leases.changes();
  std::vector<uint64_t> tags;
  for (const auto &[tag, connection] : sessions_) {
    if ((changed && connection->session.lease() != nullptr) || connection->ready()) tags.push_back(tag);
  }
  told_changes_ = service_->leases.changes();
  for (const uint64_t tag : tags) {
    sessions_.at(tag)->session.NoticeChanges();
    Serve(tag, 0, now_ms);
  }
}

void SlabServerLoop::KeepCap(uint64_t now_ms) {
  const double cpu = ThreadCpuSeconds();
  if (now_ms < window_ms_ || now_ms - window_ms_ >= kCapWindowMs) {
    window_ms_ = now_ms;
    window_cpu_ = cpu;
    return;
  }
  const double allowed = cpu_share_max_ * static_cast<double>(kCapWindowMs) / 1e3;
  // A longer nap makes up for use beyond the window's share.
  const double used = cpu - window_cpu_;
  if (used < allowed) return;
  const uint64_t rest_ms = window_ms_ + static_cast<uint64_t>(used / cpu_share_max_ * 1e3) - now_ms;
  poller_.Nap(static_cast<int>(std::clamp<uint64_t>(rest_ms, 1, kTickMs)));
}

void SlabServerLoop::RunTasks() {
  std::vector<std::function<void()>> tasks;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    tasks.swap(tasks_);
  }
  for (const auto &task : tasks) task();
}

}  // namespace exopool

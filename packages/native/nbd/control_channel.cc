// SPDX-License-Identifier: Apache-2.0
#include "control_channel.hh"

#include <netdb.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <csignal>
#include <cstring>

#include "control_line.hh"

namespace exopool {

ControlChannel::ControlChannel(int fd, PageStore *store, std::function<void()> on_end)
    : fd_(fd),
      store_(store),
      on_end_(std::move(on_end)),
      listener_{[this](uint32_t id, const SlabEvent &event) { OnEvent(id, event); },
                [this](uint32_t id, uint32_t slabs) {
                  std::lock_guard<std::mutex> lock(mutex_);
                  reclaims_[id] = slabs;  // the later request counts
                  eventfd_write(wake_.get(), 1);
                }},
      wake_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {}

void ControlChannel::Start(const std::string &ready) {
  Say(ready);
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);  // signals are nbdkit's
  std::thread([this] { Run(); }).detach();
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void ControlChannel::Run() {
  for (;;) {
    pollfd watched[] = {{fd_, POLLIN, 0}, {wake_.get(), POLLIN, 0}};
    {
      std::lock_guard<std::mutex> lock(mutex_);
      if (!output_.empty()) watched[0].events = POLLOUT;
    }
    if (poll(watched, 2, -1) < 0) continue;
    if (watched[1].revents != 0) GiveBackWhatIsWanted();
    if (watched[0].revents & POLLOUT) {
      std::lock_guard<std::mutex> lock(mutex_);
      Flush();
    }
    if ((watched[0].revents & ~POLLOUT) != 0 && !ReadMore()) break;
  }
  on_end_();
}

bool ControlChannel::ReadMore() {
  char bytes[kLineMax];
  const ssize_t got = read(fd_, bytes, sizeof bytes);
  if (got < 0 && (errno == EINTR || errno == EAGAIN)) return true;
  if (got <= 0) return false;
  input_.append(bytes, static_cast<size_t>(got));
  size_t from = 0;
  for (size_t end; (end = input_.find('\n', from)) != std::string::npos; from = end + 1)
    OnLine(std::string_view(input_).substr(from, end - from));
  input_.erase(0, from);
  return input_.size() <= kLineMax;
}

void ControlChannel::OnLine(std::string_view text) {
  ControlLine line(text);
  const std::string_view verb = line.Word();
  if (verb == "stats" && line.AtEnd()) return Say(DescribeStore());
  uint64_t number;
  if (!line.Number(UINT32_MAX, &number)) return;
  const auto id = static_cast<uint32_t>(number);
  if (verb == "connect") return Connect(id, &line);
  // A session that was already forgotten answers too, because the caller waits.
  const auto found = links_.find(id);
  const std::shared_ptr<SessionLink> link = found == links_.end() ? nullptr : found->second;
  if (verb == "extend") {
    std::array<uint8_t, SLAB_TICKET_BYTES> ticket;
    const bool good = line.Bytes(ticket.data(), ticket.size()) && link != nullptr && link->Extend(ticket);
    Say("extended " + std::to_string(id) + (good ? " 1" : " 0"));
  } else if (verb == "release") {
    if (link != nullptr) link->ReleaseAll();
    if (link != nullptr) link->Close();
    Say("released " + std::to_string(id));
  } else if (verb == "close" && link != nullptr) {
    link->Close();
    links_.erase(found);
  }
}

void ControlChannel::Connect(uint32_t id, ControlLine *line) {
  SlabTarget target{};
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
  addrinfo *found = nullptr;
  const std::string host(line->Word());
  const std::string port(line->Word());
  if (line->Bytes(target.seed.data(), target.seed.size()) &&
      line->Bytes(target.producer_key.data(), target.producer_key.size()) &&
      line->Bytes(target.ticket.data(), target.ticket.size()) && line->Number(UINT32_MAX, &target.timeout_ms) &&
      line->AtEnd() && getaddrinfo(host.c_str(), port.c_str(), &hints, &found) == 0) {
    memcpy(&target.address, found->ai_addr, found->ai_addrlen);
    target.address_bytes = found->ai_addrlen;
    freeaddrinfo(found);
    const auto link = std::make_shared<SessionLink>(id, store_, &listener_);
    links_[id] = link;
    link->Open(target);
  } else {
    Say("refused " + std::to_string(id) + ' ' + std::to_string(kFailUnreachable));
  }
}

void ControlChannel::GiveBackWhatIsWanted() {
  eventfd_t times;
  eventfd_read(wake_.get(), &times);
  std::map<uint32_t, uint32_t> wanted;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    wanted.swap(reclaims_);
  }
  for (const auto &[id, slabs] : wanted) {
    if (const auto link = links_.find(id); link != links_.end()) link->second->GiveBack(slabs);
  }
}

void ControlChannel::OnEvent(uint32_t id, const SlabEvent &event) {
  const std::string name = std::to_string(id);
  switch (event.kind) {
    case SlabEventKind::kOpened:
      return Say("opened " + name + ' ' + std::to_string(event.number));
    case SlabEventKind::kRefused:
      return Say("refused " + name + ' ' + std::to_string(event.number));
    case SlabEventKind::kEnded:
      return Say("ended " + name + ' ' + std::to_string(event.number));
    case SlabEventKind::kGone:
      return Say("gone " + name + ' ' + std::to_string(event.statuses.size() / sizeof(uint32_t)), true);
    case SlabEventKind::kCompleted:
    case SlabEventKind::kReclaim:
      return;
  }
}

void ControlChannel::Say(const std::string &line, bool may_drop) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (may_drop && output_.size() >= kOutputMax) return;
  const bool waits = !output_.empty();
  output_ += line + '\n';
  if (waits) return;
  Flush();
  if (!output_.empty()) eventfd_write(wake_.get(), 1);  // the thread waits until the socket takes more
}

void ControlChannel::Flush() {
  const ssize_t sent = send(fd_, output_.data(), output_.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent >= 0) {
    output_.erase(0, static_cast<size_t>(sent));
  } else if (errno != EAGAIN && errno != EINTR) {
    output_.clear();  // no reader is left for these lines
  }
}

std::string ControlChannel::DescribeStore() {
  const PageCounters &counters = store_->counters();
  const PageGauges gauges = store_->gauges();
  const std::pair<const char *, uint64_t> figures[] = {
      {"readLeased", counters.read_leased},
      {"readBuffered", counters.read_buffered},
      {"readFile", counters.read_file},
      {"readZero", counters.read_zero},
      {"tampered", counters.tampered},
      {"lost", counters.lost},
      {"corrupt", counters.corrupt},
      {"written", counters.written},
      {"writtenLeased", counters.written_leased},
      {"discarded", counters.discarded},
      {"flushes", counters.flushes},
      {"leasedUsed", gauges.leased_used},
      {"leasedCapacity", gauges.leased_capacity},
      {"dirty", gauges.dirty},
      {"evictions", gauges.evictions},
      {"fileWritten", gauges.file_written},
      {"fileFailures", gauges.file_failures},
  };
  std::string line = "stats";
  for (const auto &[name, number] : figures) line += ' ' + std::string(name) + '=' + std::to_string(number);
  return line;
}

}  // namespace exopool

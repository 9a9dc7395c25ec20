// SPDX-License-Identifier: Apache-2.0
// A load on a slab server, in one thread and without JavaScript, so that only the server is measured.
//
// Every connection has one batch of requests in flight, all sent at once, and sends the next after the last answer, as
// redis-benchmark does with -P. With a rate, a batch is sent when it is due. A hostile load has right MACs and random
// fields otherwise; a connection that the server ends is opened again.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <random>
#include <stdexcept>
#include <vector>

#include "base/clock.hh"
#include "base/file_descriptor.hh"
#include "door/binding.hh"
#include "slab/slab_frame.hh"
#include "slab/slab_handshake.hh"

namespace exopool {
namespace {

struct LoadPlan {
  uint16_t port;
  uint32_t connections, batch, value_bytes;
  double seconds;
  double rate;              // requests a second of all connections; 0: as many as possible
  uint64_t hostile_frames;  // 0: an honest load
  Key seed, producer_key;
  std::array<uint8_t, SLAB_TICKET_BYTES> ticket;
};

struct LoadResult {
  uint64_t requests = 0, reconnects = 0;
  double seconds = 0, cpu_seconds = 0;
  std::vector<uint32_t> batch_ns;
  double Percentile(double share) {
    if (batch_ns.empty()) return 0;
    const auto at = batch_ns.begin() + static_cast<ptrdiff_t>(share * static_cast<double>(batch_ns.size() - 1));
    std::nth_element(batch_ns.begin(), at, batch_ns.end());
    return *at / 1e3;
  }
};

void SendAll(int fd, const void *data, size_t size) {
  for (const auto *at = static_cast<const uint8_t *>(data); size > 0;) {
    const ssize_t sent = send(fd, at, size, MSG_NOSIGNAL);
    if (sent <= 0) throw std::runtime_error("the server ended the connection");
    at += sent;
    size -= static_cast<size_t>(sent);
  }
}

void ReceiveAll(int fd, void *data, size_t size) {
  if (recv(fd, data, size, MSG_WAITALL) != static_cast<ssize_t>(size))
    throw std::runtime_error("the server refused the session");
}

class LoadConnection {
 public:
  explicit LoadConnection(const LoadPlan &plan) : plan_(plan), fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(plan.port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int on = 1;
    setsockopt(fd_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(fd_.get(), reinterpret_cast<sockaddr *>(&address), sizeof address) != 0)
      throw std::runtime_error("cannot connect to the server");
    ConsumerHandshake handshake(plan.seed, plan.producer_key, plan.ticket.data());
    SendAll(fd_.get(), &handshake.hello(), sizeof(slab_hello));
    slab_challenge challenge;
    slab_proof proof;
    slab_ready ready;
    ReceiveAll(fd_.get(), &challenge, sizeof challenge);
    if (!handshake.OnChallenge(challenge, &proof)) throw std::runtime_error("another server");
    SendAll(fd_.get(), &proof, sizeof proof);
    ReceiveAll(fd_.get(), &ready, sizeof ready);
    sender_.emplace(handshake.keys().to_producer);
    receiver_.emplace(handshake.keys().to_consumer);
    slabs_ = ready.slabs;
    places_ = ready.slab_bytes / plan.value_bytes;
    if (places_ == 0) throw std::runtime_error("a slab has no room for a value");
  }

  int fd() const { return fd_.get(); }
  uint64_t due_ns = 0;
  uint64_t sent_ns = 0;
  uint32_t awaited = 0;

  void SendBatch(std::mt19937_64 *random) {
    std::vector<slab_header> headers(plan_.batch);
    for (slab_header &header : headers) {
      header = {};
      header.type = SLAB_READ;
      header.request = 1;
      header.slab = static_cast<uint32_t>((*random)() % slabs_);
      header.offset = static_cast<uint32_t>((*random)() % places_) * plan_.value_bytes;
      header.length = plan_.value_bytes;
      sender_->Seal(&header);
    }
    sent_ns = MonotonicNs();
    awaited = plan_.batch;
    SendAll(fd_.get(), headers.data(), headers.size() * sizeof(slab_header));
  }

  void SendHostile(std::mt19937_64 *random) {
    constexpr uint32_t kEdges[] = {0, 1, 4095, 4096, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff};
    const auto any = [&]() -> uint32_t {
      return static_cast<uint32_t>((*random)() % 2 == 0 ? kEdges[(*random)() % 8] : (*random)() % 8192);
    };
    std::vector<uint8_t> bytes;
    for (uint32_t i = 0; i < plan_.batch; ++i) {
      slab_header header{};
      // RELEASE would end the lease, and with it the test.
      do header.type = static_cast<uint8_t>((*random)() % 16);
      while (header.type == SLAB_RELEASE);
      header.status = static_cast<uint8_t>((*random)());
      header.request = any();
      header.slab = any();
      header.offset = any();
      header.length = any();
      header.payload_bytes = static_cast<uint32_t>((*random)() % 300);
      if ((*random)() % 4 == 0) header.length = header.payload_bytes;
      sender_->Seal(&header);
      if ((*random)() % 2000 == 0) reinterpret_cast<uint8_t *>(&header)[(*random)() % sizeof header] ^= 0x10;
      const auto *raw = reinterpret_cast<const uint8_t *>(&header);
      bytes.insert(bytes.end(), raw, raw + sizeof header);
      for (uint32_t left = header.payload_bytes; left > 0; --left) bytes.push_back(static_cast<uint8_t>((*random)()));
    }
    awaited = plan_.batch;
    SendAll(fd_.get(), bytes.data(), bytes.size());
  }

  // Takes the received bytes; throws if an answer is wrong or the server has ended.
  void Receive(bool hostile) {
    constexpr size_t kReadBytes = 256 * 1024;
    uint8_t *room = input_.Reserve(kReadBytes);
    const ssize_t got = recv(fd_.get(), room, input_.room(), MSG_DONTWAIT);
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) throw std::runtime_error("the server ended the connection");
    input_.Commit(static_cast<size_t>(got));
    for (slab_header header; awaited > 0 && input_.size() >= sizeof header;) {
      memcpy(&header, input_.data(), sizeof header);
      if (input_.size() < sizeof header + header.payload_bytes) return;
      if (!receiver_->Open(header)) throw std::logic_error("an answer is forged");
      if (!hostile && (header.status != SLAB_OK || header.payload_bytes != plan_.value_bytes))
        throw std::logic_error("a range was not read");
      input_.Consume(sizeof header + header.payload_bytes);
      --awaited;
    }
  }

 private:
  const LoadPlan &plan_;
  FileDescriptor fd_;
  std::optional<FrameSender> sender_;
  std::optional<FrameReceiver> receiver_;
  ByteQueue input_;
  uint32_t slabs_ = 0, places_ = 0;
};

LoadResult RunHonest(const LoadPlan &plan) {
  std::vector<std::unique_ptr<LoadConnection>> connections;
  for (uint32_t i = 0; i < plan.connections; ++i) connections.push_back(std::make_unique<LoadConnection>(plan));
  const FileDescriptor epoll(epoll_create1(EPOLL_CLOEXEC));
  std::mt19937_64 random(1);
  LoadResult result;
  const double start_cpu = ThreadCpuSeconds();
  const uint64_t start_ns = MonotonicNs();
  const uint64_t end_ns = start_ns + static_cast<uint64_t>(plan.seconds * 1e9);
  const double gap_ns = plan.rate == 0 ? 0 : 1e9 * plan.batch * plan.connections / plan.rate;
  for (uint32_t i = 0; i < plan.connections; ++i) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u32 = i;
    epoll_ctl(epoll.get(), EPOLL_CTL_ADD, connections[i]->fd(), &event);
    connections[i]->due_ns = start_ns + static_cast<uint64_t>(gap_ns * i / plan.connections);
    if (gap_ns == 0) connections[i]->SendBatch(&random);
  }
  epoll_event events[64];
  for (uint64_t now_ns = start_ns; now_ns < end_ns; now_ns = MonotonicNs()) {
    if (gap_ns > 0) {
      for (const auto &connection : connections) {
        if (connection->awaited > 0 || connection->due_ns > now_ns) continue;
        connection->SendBatch(&random);
        connection->due_ns += static_cast<uint64_t>(gap_ns);
      }
    }
    // Between the batches of a paced load this thread sleeps as long as a real client would.
    const int count = epoll_wait(epoll.get(), events, 64, gap_ns > 0 ? 0 : 100);
    if (count == 0 && gap_ns > 0) usleep(20);
    for (int i = 0; i < count; ++i) {
      LoadConnection &connection = *connections[events[i].data.u32];
      connection.Receive(false);
      if (connection.awaited > 0) continue;
      result.requests += plan.batch;
      result.batch_ns.push_back(
          static_cast<uint32_t>(std::min<uint64_t>(UINT32_MAX, MonotonicNs() - connection.sent_ns)));
      if (gap_ns == 0) connection.SendBatch(&random);
    }
  }
  result.seconds = static_cast<double>(MonotonicNs() - start_ns) / 1e9;
  result.cpu_seconds = ThreadCpuSeconds() - start_cpu;
  return result;
}

LoadResult RunHostile(const LoadPlan &plan) {
  std::mt19937_64 random(plan.hostile_frames);
  LoadResult result;
  const uint64_t start_ns = MonotonicNs();
  while (result.requests < plan.hostile_frames) {
    LoadConnection connection(plan);
    ++result.reconnects;
    try {
      while (result.requests < plan.hostile_frames) {
        result.requests += plan.batch;
        connection.SendHostile(&random);
        while (connection.awaited > 0) connection.Receive(true);
      }
    } catch (const std::runtime_error &) {
      // Expected: one of the frames was forged.
    }
  }
  result.seconds = static_cast<double>(MonotonicNs() - start_ns) / 1e9;
  return result;
}

class LoadWorker : public Napi::AsyncWorker {
 public:
  LoadWorker(Napi::Env env, LoadPlan plan)
      : Napi::AsyncWorker(env), promise_(Napi::Promise::Deferred::New(env)), plan_(std::move(plan)) {}
  Napi::Promise promise() const { return promise_.Promise(); }
  void Execute() override {
    try {
      result_ = plan_.hostile_frames > 0 ? RunHostile(plan_) : RunHonest(plan_);
    } catch (const std::exception &error) {
      SetError(error.what());
    }
  }
  void OnOK() override {
    Napi::Object out = Napi::Object::New(Env());
    out.Set("requests", static_cast<double>(result_.requests));
    out.Set("connectionsMade", static_cast<double>(result_.reconnects));
    out.Set("seconds", result_.seconds);
    out.Set("cpuSeconds", result_.cpu_seconds);
    out.Set("p50Us", result_.Percentile(0.5));
    out.Set("p99Us", result_.Percentile(0.99));
    promise_.Resolve(out);
  }
  void OnError(const Napi::Error &error) override { promise_.Reject(error.Value()); }

 private:
  Napi::Promise::Deferred promise_;
  LoadPlan plan_;
  LoadResult result_;
};

template <typename Array>
void CopyInto(const Napi::Value &value, Array *out) {
  const auto bytes = value.As<Napi::Uint8Array>();
  memcpy(out->data(), bytes.Data(), std::min(out->size(), bytes.ByteLength()));
}

// (port, connections, batch, valueBytes, seconds, rate, hostileFrames, seed, producerKey, ticket)
Napi::Value SlabLoad(const Napi::CallbackInfo &info) {
  const auto whole = [&info](size_t index) { return info[index].ToNumber().Uint32Value(); };
  LoadPlan plan{};
  plan.port = static_cast<uint16_t>(whole(0));
  plan.connections = whole(1);
  plan.batch = whole(2);
  plan.value_bytes = whole(3);
  plan.seconds = info[4].ToNumber().DoubleValue();
  plan.rate = info[5].ToNumber().DoubleValue();
  plan.hostile_frames = static_cast<uint64_t>(info[6].ToNumber().Int64Value());
  CopyInto(info[7], &plan.seed);
  CopyInto(info[8], &plan.producer_key);
  CopyInto(info[9], &plan.ticket);
  auto *worker = new LoadWorker(info.Env(), std::move(plan));
  const Napi::Promise promise = worker->promise();
  worker->Queue();
  return promise;
}

}  // namespace

void RegisterSlabLoad(Napi::Env env, Napi::Object exports) {
  exports.Set("slabLoad", Napi::Function::New(env, SlabLoad, "slabLoad"));
}

}  // namespace exopool

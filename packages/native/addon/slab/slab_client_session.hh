// SPDX-License-Identifier: Apache-2.0
// One session at the consumer. Two threads use it under its mutex: JavaScript's thread encodes requests and sends them
// at once, without waking another thread; the client's thread receives.
//
//   Submit -> waiting_ (past SLAB_OUTSTANDING_MAX) -> output_ -> socket -> input_ -> the batch's memory
//
// Answers come in the order of requests, so requests in flight are a queue. A batch that is not complete at its
// deadline ends the session: a late producer is treated as gone, and its data as lost.
#pragma once

#include <sys/socket.h>

#include <atomic>
#include <deque>
#include <memory>
#include <optional>
#include <string>

#include "base/file_descriptor.hh"
#include "base/poller.hh"
#include "slab/slab_batch.hh"
#include "slab/slab_client_events.hh"
#include "slab/slab_frame.hh"
#include "slab/slab_handshake.hh"

namespace exopool {

struct SlabTarget {
  sockaddr_storage address;
  socklen_t address_bytes;
  Key seed;
  Key producer_key;
  std::array<uint8_t, SLAB_TICKET_BYTES> ticket;
  uint64_t timeout_ms;  // of connecting with its handshake, and of each batch
};

class ClientSession {
 public:
  ClientSession(uint64_t id, const SlabTarget &target, std::shared_ptr<SlabEventSink> port);

  uint64_t id() const { return id_; }
  const SlabEventSink *port() const { return port_.get(); }

  // The socket did not take all output.
  bool blocked() const { return blocked_; }

  // JavaScript's thread. `into` gets the bytes read, one range after the other, and must stay until the batch
  // is completed. False: the session is over, and the batch will not be completed.
  bool Submit(uint64_t batch, const std::vector<SlabRequest> &requests, uint8_t *into);
  // The same for another receiver of the answers. Nothing is sent before Send, unless much is waiting.
  bool Submit(const std::vector<SlabRequest> &requests, std::shared_ptr<SlabBatch> batch);
  void Send();
  // Sends, and receives on this thread until no answer is awaited, or until `end_ns`. The client's thread does not read
  // the socket meanwhile and for kHeldNs more, since waking it would take longer than the answer. Returns true if no
  // answer is awaited. Sets `begins` if the client's thread must be told.
  bool ReceiveUntil(Poller *poller, uint64_t end_ns, bool *begins);
  // The client's thread receives again, at once.
  void Unhold(Poller *poller);
  void Close();

  // The client's thread. False: the session is over.
  bool OnEvents(uint32_t events);
  bool OnTime(uint64_t now_ns);
  uint64_t DeadlineNs();  // UINT64_MAX: none
  // Updates epoll's interest if it has changed.
  void Watch(Poller *poller);

 private:
  static constexpr uint32_t kWatched = 1u << 31;    // EPOLLET's bit, which is not used here
  static constexpr uint64_t kHeldNs = 10'000'000;   // notices may wait so long
  static constexpr size_t kSendBytes = 256 * 1024;  // of waiting output that is sent without Send: two full sockets
  // Taken from the socket at a time: a producer that never stops must not keep the thread from others' sessions.
  static constexpr size_t kTurnBytes = SLAB_PAYLOAD_MAX;

  enum class State { kConnecting, kChallenge, kReady, kOpen, kClosed };
  struct Batch {
    std::shared_ptr<SlabBatch> handler;
    uint64_t deadline_ns;
    size_t left;
    uint32_t wait_ms = 0;
  };
  struct Flight {
    SlabRequest request;  // its payload is not kept
    uint32_t number;
    uint32_t index;  // in its batch
    std::shared_ptr<Batch> batch;
    std::vector<uint8_t> copy;  // of the payload, while the request waits
  };

  bool Open(uint32_t events);
  bool Receive();
  bool ReceiveAll();
  void Pause();
  bool Parse();
  bool OnChallenge();
  bool OnReady();
  bool OnFrame(const slab_header &header, const uint8_t *payload);
  bool OnNotice(const slab_header &header, const uint8_t *payload);
  bool CheckRefused();
  void Enqueue(const std::vector<SlabRequest> &requests, std::shared_ptr<SlabBatch> handler);
  void Launch(Flight flight, const uint8_t *payload);
  void LaunchWaiting();
  bool Flush();
  void Settle(const Flight &flight, slab_status status, const uint8_t *payload, uint32_t wait_ms);
  void Rearm(Poller *poller);
  void Fail(uint32_t reason);

  const uint64_t id_;
  const std::shared_ptr<SlabEventSink> port_;
  const uint64_t timeout_ns_;
  std::mutex mutex_;
  State state_ = State::kConnecting;
  FileDescriptor fd_;
  uint64_t open_deadline_ns_;
  uint32_t interest_ = 0;             // epoll's current interest, with kWatched; 0: none yet
  std::atomic<bool> blocked_{false};  // output waits for the socket
  uint64_t held_until_ns_ = 0;        // 0: the client's thread receives
  std::unique_ptr<ConsumerHandshake> handshake_;
  std::optional<FrameSender> sender_;
  std::optional<FrameReceiver> receiver_;
  std::optional<slab_header> pending_;
  ByteQueue input_;
  ByteQueue output_;
  uint32_t slabs_left_ = 0;  // of the lease, without those that GONE named
  uint32_t next_number_ = 1;
  std::deque<Flight> waiting_;
  std::deque<Flight> flying_;
  std::vector<std::shared_ptr<SlabBatch>> done_;  // since the last Pause
  std::deque<std::shared_ptr<Batch>> batches_;    // in order of their deadlines
};

}  // namespace exopool

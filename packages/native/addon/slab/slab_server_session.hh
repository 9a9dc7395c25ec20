// SPDX-License-Identifier: Apache-2.0
// One consumer's connection at the producer, as a state machine from bytes to bytes. Its thread (slab_server_loop) only
// moves bytes between it and the socket, so a test or a fuzzer can drive it without a socket.
//
//   socket -> input() -> Process -> output() -> socket
//
// Process stops while output() holds kOutputMax or more: then nothing more is read from this consumer. TCP makes it
// wait, and other consumers are not affected.
#pragma once

#include <memory>
#include <optional>

#include "slab/slab_frame.hh"
#include "slab/slab_handshake.hh"
#include "slab/slab_leases.hh"

namespace exopool {

struct SlabCounters {
  uint64_t reads = 0, writes = 0, bytes_read = 0, bytes_written = 0, over_rate = 0;
  uint64_t refused[SLAB_REFUSALS] = {};
};

// State shared by the sessions of one server.
struct SlabService {
  SlabService(const Key &seed, const Key &broker_key, uint32_t slab_bytes, uint32_t capacity_slabs,
              LeaseRates rates = {})
      : signer(seed), rules{broker_key, signer.public_key(), slab_bytes}, leases(slab_bytes, capacity_slabs, rates) {}
  const Signer signer;
  TicketRules rules;
  LeaseTable leases;
  SlabCounters counters;
};

class ServerSession {
 public:
  static constexpr size_t kOutputMax = 1 << 20;  // then one answer of SLAB_PAYLOAD_MAX may still be added
  enum class State { kHello, kProof, kOpen, kClosing };

  // `started_ms` is for the owner, by any clock; arguments of methods are Unix time.
  ServerSession(SlabService *service, uint64_t started_ms) : service_(service), started_ms_(started_ms) {}

  ByteQueue &input() { return input_; }
  ByteQueue &output() { return output_; }
  State state() const { return state_; }
  uint64_t started_ms() const { return started_ms_; }
  const Lease *lease() const { return lease_.get(); }
  // The session can take more input.
  bool wants_input() const { return state_ != State::kClosing && output_.size() < kOutputMax; }

  // Takes the complete messages in input(). True if it stopped at kOutputMax with input left.
  bool Process(uint64_t now_ms);
  // Sends the consumer the lease's changes since the last time: slabs to reclaim, slabs gone, its end.
  void NoticeChanges();
  // Before READY: refuses and closes.
  void Refuse(slab_refusal reason);

 private:
  bool Step(uint64_t now_ms);
  bool StepHello(uint64_t now_ms);
  bool StepProof(uint64_t now_ms);
  bool StepFrame(uint64_t now_ms);
  slab_status Answer(const slab_header &request, const uint8_t *payload, uint64_t now_ms);
  slab_status Read(const slab_header &request, uint64_t now_ms);
  slab_status Write(const slab_header &request, const uint8_t *payload, uint64_t now_ms);
  slab_status Extend(const slab_header &request, const uint8_t *payload, uint64_t now_ms);
  slab_status Release(uint32_t slab);
  // SLAB_OK if the request need not wait; else SLAB_OVER_RATE, counted, with the time to wait.
  slab_status Wait(uint32_t wait_ms);
  // SLAB_OK, with the bytes counted, if the lease may have these bytes now.
  slab_status Charge(uint32_t bytes, uint64_t now_ms);
  void SendReady();
  void SendFrame(slab_header header, const void *payload);

  SlabService *const service_;
  const uint64_t started_ms_;
  State state_ = State::kHello;
  std::unique_ptr<ProducerHandshake> handshake_;
  std::shared_ptr<Lease> lease_;
  std::optional<FrameSender> sender_;
  std::optional<FrameReceiver> receiver_;
  std::optional<slab_header> pending_;  // opened; its payload is not all here yet
  uint32_t wait_ms_ = 0;                // from the last refusal for its rate
  uint32_t told_asked_ = 0;             // of the lease's asked_times
  size_t told_gone_ = 0;                // of the lease's gone
  ByteQueue input_;
  ByteQueue output_;
};

}  // namespace exopool

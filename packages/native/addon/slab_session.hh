// SPDX-License-Identifier: Apache-2.0
// One consumer's connection at the producer, as a machine that turns bytes into bytes. The thread around it
// (slab_server_loop) only moves them between this and the socket, so a test or a fuzzer can drive it without
// one.
//
//   socket -> input() -> Process -> output() -> socket
//
// Process stops while output() holds kOutputMax or more: then nothing more is read from this consumer, TCP
// tells it to wait, and nobody else notices.
#pragma once

#include <memory>
#include <optional>

#include "slab_frame.hh"
#include "slab_handshake.hh"
#include "slab_leases.hh"

namespace exopool {

struct SlabCounters {
  uint64_t reads = 0, writes = 0, bytes_read = 0, bytes_written = 0;
  uint64_t refused[SLAB_REFUSALS] = {};
};

// What the sessions of one server share.
struct SlabService {
  SlabService(const Key &seed, const Key &broker_key, uint32_t slab_bytes, uint32_t capacity_slabs)
      : signer(seed),
        rules{broker_key, signer.public_key(), slab_bytes},
        leases(slab_bytes, capacity_slabs) {}
  const Signer signer;
  const TicketRules rules;
  LeaseTable leases;
  SlabCounters counters;
};

class ServerSession {
 public:
  static constexpr size_t kOutputMax = 1 << 20;  // then one answer of SLAB_PAYLOAD_MAX may still be added
  enum class State { kHello, kProof, kOpen, kClosing };

  ServerSession(SlabService *service, uint64_t now_ms) : service_(service), started_ms_(now_ms) {}

  ByteQueue &input() { return input_; }
  ByteQueue &output() { return output_; }
  State state() const { return state_; }
  uint64_t started_ms() const { return started_ms_; }
  const Lease *lease() const { return lease_.get(); }
  // More input is wanted now.
  bool wants_input() const { return state_ != State::kClosing && output_.size() < kOutputMax; }

  // Takes what is complete in input(). True when it stopped at kOutputMax with input left.
  bool Process(uint64_t now_ms);
  // Tells the consumer that its lease has ended, if it has.
  void NoticeEnd();
  // Before READY: refuses and closes.
  void Refuse(slab_refusal reason);

 private:
  bool Step(uint64_t now_ms);
  bool StepHello(uint64_t now_ms);
  bool StepProof(uint64_t now_ms);
  bool StepFrame(uint64_t now_ms);
  slab_status Answer(const slab_header &request, const uint8_t *payload, uint64_t now_ms);
  slab_status Read(const slab_header &request);
  slab_status Write(const slab_header &request, const uint8_t *payload);
  slab_status Extend(const slab_header &request, const uint8_t *payload, uint64_t now_ms);
  void SendReady();
  void SendFrame(slab_type type, slab_status status, uint32_t request, const uint8_t *payload,
                 uint32_t bytes);

  SlabService *const service_;
  const uint64_t started_ms_;
  State state_ = State::kHello;
  std::unique_ptr<ProducerHandshake> handshake_;
  std::shared_ptr<Lease> lease_;
  std::optional<FrameSender> sender_;
  std::optional<FrameReceiver> receiver_;
  std::optional<slab_header> pending_;  // opened; its payload is not all here yet
  ByteQueue input_;
  ByteQueue output_;
};

}  // namespace exopool

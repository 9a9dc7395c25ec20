// SPDX-License-Identifier: Apache-2.0
#include "slab/slab_server_session.hh"

#include <algorithm>

namespace exopool {
namespace {

// Takes a message of fixed size from the front, when it is all there.
template <typename Message>
bool Take(ByteQueue *queue, Message *message) {
  if (queue->size() < sizeof *message) return false;
  memcpy(message, queue->data(), sizeof *message);
  queue->Consume(sizeof *message);
  return true;
}

}  // namespace

bool ServerSession::Process(uint64_t now_ms) {
  while (wants_input()) {
    if (!Step(now_ms)) return false;
  }
  return state_ != State::kClosing && !input_.empty();
}

bool ServerSession::Step(uint64_t now_ms) {
  switch (state_) {
    case State::kHello:
      return StepHello(now_ms);
    case State::kProof:
      return StepProof(now_ms);
    case State::kOpen:
      return StepFrame(now_ms);
    case State::kClosing:
      break;
  }
  return false;
}

bool ServerSession::StepHello(uint64_t now_ms) {
  // The prelude alone is enough to refuse a peer of another protocol, before its HELLO is complete.
  slab_prelude prelude;
  if (input_.size() < sizeof prelude) return false;
  memcpy(&prelude, input_.data(), sizeof prelude);
  slab_refusal refusal = CheckPrelude(prelude, SLAB_HELLO);
  slab_hello hello;
  if (refusal == SLAB_REFUSE_NONE && !Take(&input_, &hello)) return false;
  slab_challenge challenge;
  handshake_ = std::make_unique<ProducerHandshake>(service_->rules, service_->signer);
  if (refusal == SLAB_REFUSE_NONE) refusal = handshake_->OnHello(hello, now_ms, &challenge);
  if (refusal != SLAB_REFUSE_NONE) {
    Refuse(refusal);
    return false;
  }
  output_.Append(&challenge, sizeof challenge);
  state_ = State::kProof;
  return true;
}

bool ServerSession::StepProof(uint64_t now_ms) {
  slab_proof proof;
  if (!Take(&input_, &proof)) return false;
  slab_refusal refusal = handshake_->OnProof(proof);
  if (refusal == SLAB_REFUSE_NONE) lease_ = service_->leases.Open(handshake_->ticket(), now_ms, &refusal);
  if (refusal != SLAB_REFUSE_NONE) {
    Refuse(refusal);
    return false;
  }
  sender_.emplace(handshake_->keys().to_consumer);
  receiver_.emplace(handshake_->keys().to_producer);
  handshake_.reset();
  SendReady();
  state_ = State::kOpen;
  // A later session of a lease gets GONE at once; earlier RECLAIMs do not concern it.
  told_asked_ = lease_->asked_times;
  NoticeChanges();
  return true;
}

bool ServerSession::StepFrame(uint64_t now_ms) {
  if (!pending_) {
    slab_header header;
    if (!Take(&input_, &header)) return false;
    if (!receiver_->Open(header)) {
      // Such a peer is not trusted, so it gets no answer.
      state_ = State::kClosing;
      return false;
    }
    pending_ = header;
  }
  if (input_.size() < pending_->payload_bytes) return false;
  const slab_header request = *pending_;
  pending_.reset();
  if (lease_->ended == SLAB_OK && lease_->expires_at_ms <= now_ms) service_->leases.End(lease_->id, SLAB_EXPIRED);
  if (lease_->ended != SLAB_OK) {
    NoticeChanges();
    return false;
  }
  const slab_status status = Answer(request, input_.data(), now_ms);
  input_.Consume(request.payload_bytes);
  const bool answered = request.type == SLAB_READ && status == SLAB_OK;
  if (!answered) {
    slab_header header{};
    header.type = request.type;
    header.status = status;
    header.request = request.request;
    if (status == SLAB_OVER_RATE) header.length = wait_ms_;
    SendFrame(header, nullptr);
  }
  if (lease_->ended != SLAB_OK) NoticeChanges();
  return true;
}

slab_status ServerSession::Answer(const slab_header &request, const uint8_t *payload, uint64_t now_ms) {
  switch (request.type) {
    case SLAB_READ:
      return Read(request, now_ms);
    case SLAB_WRITE:
      return Write(request, payload, now_ms);
    case SLAB_EXTEND:
      return Extend(request, payload, now_ms);
    case SLAB_PING:
      return SLAB_OK;
    case SLAB_RELEASE:
      return Release(request.slab);
    default:
      return SLAB_UNSUPPORTED;
  }
}

slab_status ServerSession::Wait(uint32_t wait_ms) {
  wait_ms_ = wait_ms;
  if (wait_ms == 0) return SLAB_OK;
  ++service_->counters.over_rate;
  return SLAB_OVER_RATE;
}

slab_status ServerSession::Charge(uint32_t bytes, uint64_t now_ms) {
  const slab_status status = Wait(std::max(lease_->bytes.WaitMs(now_ms), lease_->requests.WaitMs(now_ms)));
  if (status != SLAB_OK) return status;
  lease_->bytes.Take(bytes);
  lease_->requests.Take(1);
  return SLAB_OK;
}

slab_status ServerSession::Read(const slab_header &request, uint64_t now_ms) {
  uint8_t *from = nullptr;
  slab_status status = request.length > SLAB_PAYLOAD_MAX
                           ? SLAB_BAD_RANGE
                           : lease_->Range(request.slab, request.offset, request.length, &from);
  if (status == SLAB_OK) status = Charge(request.length, now_ms);
  if (status != SLAB_OK) return status;
  slab_header header{};
  header.type = SLAB_READ;
  header.request = request.request;
  header.payload_bytes = request.length;
  SendFrame(header, from);
  ++service_->counters.reads;
  service_->counters.bytes_read += request.length;
  return SLAB_OK;
}

slab_status ServerSession::Write(const slab_header &request, const uint8_t *payload, uint64_t now_ms) {
  uint8_t *to = nullptr;
  slab_status status = request.length != request.payload_bytes
                           ? SLAB_BAD_RANGE
                           : lease_->Range(request.slab, request.offset, request.length, &to);
  if (status == SLAB_OK) status = Charge(request.length, now_ms);
  if (status != SLAB_OK) return status;
  if (request.length > 0) memcpy(to, payload, request.length);
  ++service_->counters.writes;
  service_->counters.bytes_written += request.length;
  return SLAB_OK;
}

slab_status ServerSession::Release(uint32_t slab) {
  if (slab != SLAB_ALL) return service_->leases.Release(lease_.get(), slab);
  service_->leases.End(lease_->id, SLAB_RELEASED);
  return SLAB_OK;
}

slab_status ServerSession::Extend(const slab_header &request, const uint8_t *payload, uint64_t now_ms) {
  slab_ticket ticket;
  if (request.payload_bytes != sizeof ticket) return SLAB_TICKET_BAD;
  if (Wait(lease_->extends.WaitMs(now_ms)) != SLAB_OK) return SLAB_OVER_RATE;
  lease_->extends.Take(1);
  memcpy(&ticket, payload, sizeof ticket);
  switch (CheckTicket(ticket, service_->rules, now_ms)) {
    case SLAB_REFUSE_NONE:
      return service_->leases.Extend(lease_.get(), ticket) ? SLAB_OK : SLAB_TICKET_BAD;
    case SLAB_REFUSE_TICKET_EXPIRED:
      return SLAB_TICKET_LATE;
    default:
      return SLAB_TICKET_BAD;
  }
}

void ServerSession::NoticeChanges() {
  if (state_ != State::kOpen) return;
  const Lease &lease = *lease_;
  slab_header notice{};
  if (lease.ended != SLAB_OK) {
    notice.type = SLAB_ENDED;
    notice.status = lease.ended;
    SendFrame(notice, nullptr);
    state_ = State::kClosing;
    return;
  }
  if (told_asked_ != lease.asked_times) {
    told_asked_ = lease.asked_times;
    notice.type = SLAB_RECLAIM;
    notice.length = lease.asked_slabs;
    notice.offset = lease.asked_grace_ms;
    SendFrame(notice, nullptr);
  }
  if (told_gone_ < lease.gone.size()) {
    // All slabs that a lease can have fit: SLAB_SLABS_MAX numbers are a quarter of SLAB_PAYLOAD_MAX.
    slab_header gone{};
    gone.type = SLAB_GONE;
    gone.payload_bytes = static_cast<uint32_t>((lease.gone.size() - told_gone_) * sizeof(uint32_t));
    SendFrame(gone, lease.gone.data() + told_gone_);
    told_gone_ = lease.gone.size();
  }
}

void ServerSession::Refuse(slab_refusal reason) {
  const slab_prelude refused = Prelude(SLAB_REFUSED, reason);
  output_.Append(&refused, sizeof refused);
  ++service_->counters.refused[reason];
  state_ = State::kClosing;
}

void ServerSession::SendReady() {
  slab_ready ready{};
  ready.prelude = Prelude(SLAB_READY);
  ready.slabs = lease_->slab_count;
  ready.slab_bytes = lease_->slab_bytes;
  ready.expires_at_ms = lease_->expires_at_ms;
  const Mac mac = sender_->SealReady(ready);
  memcpy(ready.mac, mac.data(), mac.size());
  output_.Append(&ready, sizeof ready);
}

void ServerSession::SendFrame(slab_header header, const void *payload) {
  sender_->Seal(&header);
  output_.Reserve(sizeof header + header.payload_bytes);
  output_.Append(&header, sizeof header);
  if (header.payload_bytes > 0) output_.Append(payload, header.payload_bytes);
}

}  // namespace exopool

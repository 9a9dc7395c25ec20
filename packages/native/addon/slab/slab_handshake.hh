// SPDX-License-Identifier: Apache-2.0
// Both sides of the handshake, driven by messages: no sockets, no clock of their own. Each method takes one
// message of the peer and makes the next one; a refusal is final.
#pragma once

#include "slab/slab_crypto.hh"
#include "slab/slab_ticket.hh"

namespace exopool {

slab_prelude Prelude(slab_kind kind, slab_refusal reason = SLAB_REFUSE_NONE);

// Checks magic, version and kind.
slab_refusal CheckPrelude(const slab_prelude &prelude, slab_kind expected);

class ProducerHandshake {
 public:
  ProducerHandshake(const TicketRules &rules, const Signer &signer) : rules_(rules), signer_(signer) {}

  slab_refusal OnHello(const slab_hello &hello, uint64_t now_ms, slab_challenge *challenge);
  // After SLAB_REFUSE_NONE the peer is the ticket's consumer, and keys() are set.
  slab_refusal OnProof(const slab_proof &proof);

  const slab_ticket &ticket() const { return ticket_; }
  const SessionKeys &keys() const { return keys_; }

 private:
  const TicketRules &rules_;
  const Signer &signer_;
  slab_hello hello_;
  slab_challenge challenge_;
  slab_ticket ticket_;
  SessionKeys keys_;
  Key secret_;
};

class ConsumerHandshake {
 public:
  ConsumerHandshake(const Key &seed, const Key &producer_key, const uint8_t *ticket);

  const slab_hello &hello() const { return hello_; }
  // False: the peer does not hold the producer's key.
  bool OnChallenge(const slab_challenge &challenge, slab_proof *proof);
  const SessionKeys &keys() const { return keys_; }

 private:
  Signer signer_;
  Key producer_key_;
  Ephemeral ephemeral_;
  slab_hello hello_;
  SessionKeys keys_;
};

}  // namespace exopool

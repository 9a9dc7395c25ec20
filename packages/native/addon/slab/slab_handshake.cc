// SPDX-License-Identifier: Apache-2.0
#include "slab/slab_handshake.hh"

#include <cstring>
#include <vector>

namespace exopool {
namespace {

// The signed bytes: the domain string, a zero byte, and the hash of all messages so far.
std::vector<uint8_t> SignedWords(const char *domain, const Hash &transcript) {
  std::vector<uint8_t> words(domain, domain + strlen(domain) + 1);
  words.insert(words.end(), transcript.begin(), transcript.end());
  return words;
}

Hash ChallengeTranscript(const slab_hello &hello, const slab_challenge &challenge) {
  return Sha256({{&hello, sizeof hello}, {&challenge, offsetof(slab_challenge, signature)}});
}

Hash ProofTranscript(const slab_hello &hello, const slab_challenge &challenge, const slab_proof &proof) {
  return Sha256({{&hello, sizeof hello}, {&challenge, sizeof challenge}, {&proof, sizeof proof.prelude}});
}

Hash KeyTranscript(const slab_hello &hello, const slab_challenge &challenge, const slab_proof &proof) {
  return Sha256({{&hello, sizeof hello}, {&challenge, sizeof challenge}, {&proof, sizeof proof}});
}

}  // namespace

slab_prelude Prelude(slab_kind kind, slab_refusal reason) {
  slab_prelude prelude{};
  memcpy(prelude.magic, SLAB_MAGIC, sizeof prelude.magic);
  prelude.version = SLAB_VERSION;
  prelude.kind = kind;
  prelude.reason = reason;
  return prelude;
}

slab_refusal CheckPrelude(const slab_prelude &prelude, slab_kind expected) {
  if (memcmp(prelude.magic, SLAB_MAGIC, sizeof prelude.magic) != 0) return SLAB_REFUSE_PROTOCOL;
  if (prelude.version != SLAB_VERSION) return SLAB_REFUSE_VERSION;
  return prelude.kind == expected && prelude.reason == 0 ? SLAB_REFUSE_NONE : SLAB_REFUSE_PROTOCOL;
}

slab_refusal ProducerHandshake::OnHello(const slab_hello &hello, uint64_t now_ms, slab_challenge *challenge) {
  slab_refusal refusal = CheckPrelude(hello.prelude, SLAB_HELLO);
  if (refusal != SLAB_REFUSE_NONE) return refusal;
  memcpy(&ticket_, hello.ticket, sizeof ticket_);
  refusal = CheckTicket(ticket_, rules_, now_ms);
  if (refusal != SLAB_REFUSE_NONE) return refusal;

  const Ephemeral ephemeral;
  const std::optional<Key> secret = ephemeral.Agree(hello.ephemeral);
  if (!secret) return SLAB_REFUSE_PROTOCOL;
  secret_ = *secret;
  hello_ = hello;
  challenge_.prelude = Prelude(SLAB_CHALLENGE);
  memcpy(challenge_.ephemeral, ephemeral.public_key().data(), SLAB_KEY_BYTES);
  const auto words = SignedWords(SLAB_SIGN_PRODUCER, ChallengeTranscript(hello_, challenge_));
  const Signature signature = signer_.Sign({words.data(), words.size()});
  memcpy(challenge_.signature, signature.data(), signature.size());
  *challenge = challenge_;
  return SLAB_REFUSE_NONE;
}

slab_refusal ProducerHandshake::OnProof(const slab_proof &proof) {
  const slab_refusal refusal = CheckPrelude(proof.prelude, SLAB_PROOF);
  if (refusal != SLAB_REFUSE_NONE) return refusal;
  const auto words = SignedWords(SLAB_SIGN_CONSUMER, ProofTranscript(hello_, challenge_, proof));
  if (!Ed25519Verify(ticket_.consumer_key, {words.data(), words.size()}, proof.signature)) return SLAB_REFUSE_DENIED;
  keys_ = DeriveSessionKeys(secret_, KeyTranscript(hello_, challenge_, proof));
  return SLAB_REFUSE_NONE;
}

ConsumerHandshake::ConsumerHandshake(const Key &seed, const Key &producer_key, const uint8_t *ticket)
    : signer_(seed), producer_key_(producer_key) {
  hello_.prelude = Prelude(SLAB_HELLO);
  memcpy(hello_.ephemeral, ephemeral_.public_key().data(), SLAB_KEY_BYTES);
  memcpy(hello_.ticket, ticket, SLAB_TICKET_BYTES);
}

bool ConsumerHandshake::OnChallenge(const slab_challenge &challenge, slab_proof *proof) {
  if (CheckPrelude(challenge.prelude, SLAB_CHALLENGE) != SLAB_REFUSE_NONE) return false;
  const auto theirs = SignedWords(SLAB_SIGN_PRODUCER, ChallengeTranscript(hello_, challenge));
  if (!Ed25519Verify(producer_key_.data(), {theirs.data(), theirs.size()}, challenge.signature)) return false;
  const std::optional<Key> secret = ephemeral_.Agree(challenge.ephemeral);
  if (!secret) return false;

  proof->prelude = Prelude(SLAB_PROOF);
  const auto ours = SignedWords(SLAB_SIGN_CONSUMER, ProofTranscript(hello_, challenge, *proof));
  const Signature signature = signer_.Sign({ours.data(), ours.size()});
  memcpy(proof->signature, signature.data(), signature.size());
  keys_ = DeriveSessionKeys(*secret, KeyTranscript(hello_, challenge, *proof));
  return true;
}

}  // namespace exopool

// SPDX-License-Identifier: Apache-2.0
// The golden vectors of the slab protocol as the addon's own code makes them: one session, message by message, as lines
// of `name hex`. slab-golden.spec.ts compares them with slab-golden.txt. What is random otherwise is fixed here: the
// seeds of all keys, the lease's id, the time.
#include <openssl/evp.h>

#include <algorithm>
#include <cstdio>
#include <string>

namespace {
EVP_PKEY *NextEphemeral();
}

#define EVP_PKEY_Q_keygen(...) NextEphemeral()
#include "slab/slab_crypto.cc"
#undef EVP_PKEY_Q_keygen
#include "slab/slab_frame.cc"
#include "slab/slab_handshake.cc"
#include "slab/slab_leases.cc"
#include "slab/slab_server_session.cc"
#include "slab/slab_ticket.cc"

namespace {

using namespace exopool;

constexpr uint64_t kNowMs = 1'000'000;
constexpr uint32_t kSlabBytes = 8192;
constexpr uint32_t kSlabs = 2;

Key KeyOf(uint8_t byte) {
  Key key;
  key.fill(byte);
  return key;
}

// The consumer's first, then the producer's.
EVP_PKEY *NextEphemeral() {
  static uint8_t byte = 0x11;
  const Key seed = KeyOf(byte);
  byte = 0x22;
  return EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, nullptr, seed.data(), seed.size());
}

void Print(const char *name, const void *data, size_t size) {
  printf("%s ", name);
  for (size_t i = 0; i < size; ++i) printf("%02x", static_cast<const uint8_t *>(data)[i]);
  printf("\n");
}

slab_ticket Ticket(const Signer &broker, uint32_t serial, uint64_t expires_at_ms) {
  slab_ticket ticket{};
  memcpy(ticket.magic, SLAB_TICKET_MAGIC, sizeof ticket.magic);
  ticket.slabs = kSlabs;
  memset(ticket.lease_id, 4, sizeof ticket.lease_id);
  memcpy(ticket.producer_key, Signer(KeyOf(2)).public_key().data(), SLAB_KEY_BYTES);
  memcpy(ticket.consumer_key, Signer(KeyOf(3)).public_key().data(), SLAB_KEY_BYTES);
  ticket.issued_at_ms = kNowMs;
  ticket.expires_at_ms = expires_at_ms;
  ticket.slab_bytes = kSlabBytes;
  ticket.serial = serial;
  const Signature signature = broker.Sign({&ticket, offsetof(slab_ticket, signature)});
  memcpy(ticket.signature, signature.data(), signature.size());
  return ticket;
}

// A session at its producer, and what the consumer says to it.
class Talk {
 public:
  explicit Talk(SlabService *service) : session_(service, kNowMs) {}

  void Say(const char *name, const void *message, size_t size) {
    Print(name, message, size);
    session_.input().Append(message, size);
    session_.Process(kNowMs);
  }

  // Prints what the producer has said since.
  std::string Hear(const char *name) {
    ByteQueue &output = session_.output();
    const std::string said(reinterpret_cast<const char *>(output.data()), output.size());
    output.Consume(output.size());
    Print(name, said.data(), said.size());
    return said;
  }

  void Ask(const std::string &name, FrameSender *sender, slab_header header, const void *payload) {
    header.request = ++requests_;
    sender->Seal(&header);
    std::string frame(reinterpret_cast<const char *>(&header), sizeof header);
    frame.append(static_cast<const char *>(payload), header.payload_bytes);
    Say(name.c_str(), frame.data(), frame.size());
    Hear((name + "-answer").c_str());
  }

  ServerSession &session() { return session_; }

 private:
  ServerSession session_;
  uint32_t requests_ = 0;
};

slab_header Header(slab_type type, uint32_t slab, uint32_t offset, uint32_t length, uint32_t payload_bytes) {
  slab_header header{};
  header.type = type;
  header.slab = slab;
  header.offset = offset;
  header.length = length;
  header.payload_bytes = payload_bytes;
  return header;
}

void TalkFrames(Talk *talk, SlabService *service, const Signer &broker, FrameSender *sender) {
  const char value[] = "exopool!";
  constexpr uint32_t kValueBytes = sizeof value - 1;
  talk->Ask("write", sender, Header(SLAB_WRITE, 0, 16, kValueBytes, kValueBytes), value);
  talk->Ask("read", sender, Header(SLAB_READ, 0, 12, 16, 0), "");
  talk->Ask("bad-read", sender, Header(SLAB_READ, 0, kSlabBytes, 1, 0), "");
  talk->Ask("ping", sender, Header(SLAB_PING, 0, 0, 0, 0), "");
  const slab_ticket later = Ticket(broker, 1, 3 * kNowMs);
  talk->Ask("extend", sender, Header(SLAB_EXTEND, 0, 0, sizeof later, sizeof later), &later);
  service->leases.Ask(talk->session().lease()->id, 1, 5000);
  talk->session().NoticeChanges();
  talk->Hear("reclaim");
  talk->Ask("release", sender, Header(SLAB_RELEASE, 1, 0, 0, 0), "");
  talk->session().NoticeChanges();
  talk->Hear("gone");
  talk->Ask("release-all", sender, Header(SLAB_RELEASE, SLAB_ALL, 0, 0, 0), "");
}

}  // namespace

int main() {
  const Signer broker(KeyOf(1)), producer(KeyOf(2));
  const slab_ticket ticket = Ticket(broker, 0, 2 * kNowMs);
  SlabService service(KeyOf(2), broker.public_key(), kSlabBytes, kSlabs);
  Talk talk(&service);
  ConsumerHandshake consumer(KeyOf(3), producer.public_key(), reinterpret_cast<const uint8_t *>(&ticket));
  talk.Say("hello", &consumer.hello(), sizeof consumer.hello());
  slab_challenge challenge{};
  const std::string said = talk.Hear("challenge");
  memcpy(&challenge, said.data(), std::min(said.size(), sizeof challenge));
  slab_proof proof{};
  if (!consumer.OnChallenge(challenge, &proof)) return 1;
  talk.Say("proof", &proof, sizeof proof);
  talk.Hear("ready");
  FrameSender sender(consumer.keys().to_producer);
  TalkFrames(&talk, &service, broker, &sender);

  Talk stranger(&service);
  slab_hello older = consumer.hello();
  older.prelude.version = SLAB_VERSION - 1;
  stranger.Say("older-hello", &older, sizeof older);
  stranger.Hear("refused");
  return 0;
}

// SPDX-License-Identifier: Apache-2.0
// A producer's session against hostile bytes, before and after the handshake.
//
//   byte 0            byte 1          the rest
//   mode, see below   chunk of bytes  what the consumer sends
//
// Cryptography is replaced by sums that this file can make: a fuzzer cannot forge a signature, and the code behind it
// is the target. After a handshake the headers get a right MAC and number before they are sent, unless the mode says
// otherwise. Meanwhile the producer reclaims and takes slabs. Beside the sanitizers' checks, answers must be whole
// frames in order, buffers must stay bounded, and leases must never exceed the capacity.
#include <algorithm>
#include <cstdlib>

#include "fake_crypto.hh"
#include "fuzz_target.hh"
#include "slab/slab_frame.cc"
#include "slab/slab_handshake.cc"
#include "slab/slab_leases.cc"
#include "slab/slab_server_session.cc"
#include "slab/slab_ticket.cc"

namespace {

using namespace exopool;

constexpr uint64_t kNowMs = 1000000;
constexpr uint32_t kSlabBytes = 8192;
constexpr uint32_t kCapacitySlabs = 4;
constexpr Key kProducer{7};

enum Mode : uint8_t {
  kShakeHands = 1,  // say a right HELLO and PROOF before the input
  kSealRight = 2,   // give the input's headers a right MAC and number
  kReclaims = 4,    // the producer wants its memory back between two chunks
  kLimits = 8,      // the lease has a rate
};

void Require(bool condition) {
  if (!condition) abort();
}

slab_ticket GoodTicket() {
  slab_ticket ticket{};
  memcpy(ticket.magic, SLAB_TICKET_MAGIC, 4);
  ticket.slabs = 2;
  memcpy(ticket.producer_key, kProducer.data(), SLAB_KEY_BYTES);
  ticket.expires_at_ms = kNowMs + 1000;
  ticket.slab_bytes = kSlabBytes;
  ticket.signature[0] = kGoodSignature;
  return ticket;
}

FuzzInput Handshake() {
  slab_hello hello{};
  hello.prelude = Prelude(SLAB_HELLO);
  hello.ephemeral[0] = 1;
  const slab_ticket ticket = GoodTicket();
  memcpy(hello.ticket, &ticket, sizeof ticket);
  slab_proof proof{};
  proof.prelude = Prelude(SLAB_PROOF);
  proof.signature[0] = kGoodSignature;
  FuzzInput bytes(sizeof hello + sizeof proof);
  memcpy(bytes.data(), &hello, sizeof hello);
  memcpy(bytes.data() + sizeof hello, &proof, sizeof proof);
  return bytes;
}

// Walks the input as frames and makes the headers of whole ones right.
void SealRight(FuzzInput *frames) {
  FrameSender sender(MacKey{1});
  for (size_t at = 0; frames->size() - at >= sizeof(slab_header);) {
    slab_header header;
    memcpy(&header, frames->data() + at, sizeof header);
    sender.Seal(&header);
    memcpy(frames->data() + at, &header, sizeof header);
    at += sizeof header;
    at += std::min<size_t>(header.payload_bytes, frames->size() - at);
  }
}

// Takes the session's output: messages before READY, then frames, each whole.
class Consumer {
 public:
  void Take(ByteQueue *output, bool open) {
    // Output is appended in whole messages, so a queue that is emptied each time ends with a whole one.
    while (!output->empty()) {
      slab_prelude prelude;
      Require(output->size() >= sizeof prelude);
      memcpy(&prelude, output->data(), sizeof prelude);
      if (!ready_) {
        TakeMessage(output, prelude);
        continue;
      }
      Require(open && output->size() >= sizeof(slab_header));
      slab_header header;
      memcpy(&header, output->data(), sizeof header);
      Require(receiver_.Open(header) && header.payload_bytes <= kSlabBytes);
      Require(output->size() >= sizeof header + header.payload_bytes);
      output->Consume(sizeof header + header.payload_bytes);
    }
  }

 private:
  void TakeMessage(ByteQueue *output, const slab_prelude &prelude) {
    Require(memcmp(prelude.magic, SLAB_MAGIC, 4) == 0);
    const bool refused = prelude.kind == SLAB_REFUSED;
    Require(refused == (prelude.reason != 0) && prelude.reason < SLAB_REFUSALS);
    const size_t size = refused                          ? sizeof prelude
                        : prelude.kind == SLAB_CHALLENGE ? sizeof(slab_challenge)
                                                         : sizeof(slab_ready);
    Require(output->size() >= size && !refused_);
    output->Consume(size);
    refused_ = refused;
    ready_ = prelude.kind == SLAB_READY;
  }

  bool ready_ = false;
  bool refused_ = false;
  FrameReceiver receiver_{MacKey{2}};
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < 2) return 0;
  const uint8_t mode = data[0];
  const size_t chunk = data[1] + size_t{1};
  FuzzInput said = mode & kShakeHands ? Handshake() : FuzzInput();
  FuzzInput rest(data + 2, data + size);
  if (mode & kSealRight) SealRight(&rest);
  said.insert(said.end(), rest.begin(), rest.end());

  const LeaseRates rates = mode & kLimits ? LeaseRates{64, 0.5, 10} : LeaseRates{};
  SlabService service(kProducer, Key{}, kSlabBytes, kCapacitySlabs, rates);
  ServerSession session(&service, kNowMs);
  Consumer consumer;
  for (size_t at = 0; at < said.size() && session.state() != ServerSession::State::kClosing; at += chunk) {
    session.input().Append(said.data() + at, std::min(chunk, said.size() - at));
    session.Process(kNowMs + at);  // so that a long talk outlives its lease
    if (mode & kReclaims && session.lease() != nullptr) {
      const LeaseId id = session.lease()->id;
      const uint32_t slabs = 1 + data[1] % 2;
      if (at / chunk % 2 == 0) {
        service.leases.Ask(id, slabs, 5);
      } else {
        service.leases.Take(id, slabs);
      }
      session.NoticeChanges();
    }
    Require(session.output().size() < ServerSession::kOutputMax + sizeof(slab_header) + SLAB_PAYLOAD_MAX);
    Require(service.leases.leased_slabs() <= kCapacitySlabs);
    consumer.Take(&session.output(), session.lease() != nullptr);
  }
  return 0;
}

std::vector<FuzzInput> Seeds(std::mt19937_64 &random) {
  std::vector<FuzzInput> seeds;
  const auto begin = [&](uint8_t mode) { return FuzzInput{mode, static_cast<uint8_t>(random())}; };
  const auto append = [](FuzzInput *input, const void *bytes, size_t size) {
    const auto *from = static_cast<const uint8_t *>(bytes);
    input->insert(input->end(), from, from + size);
  };

  FuzzInput stranger = begin(0);
  const FuzzInput handshake = Handshake();
  append(&stranger, handshake.data(), handshake.size());
  seeds.push_back(stranger);

  for (const uint8_t mode :
       {uint8_t{kShakeHands}, uint8_t{kShakeHands | kSealRight}, uint8_t{kShakeHands | kSealRight | kReclaims},
        uint8_t{kShakeHands | kSealRight | kLimits}}) {
    FuzzInput talk = begin(mode);
    for (uint32_t request = 1 + random() % 8; request > 0; --request) {
      slab_header header{};
      header.type = static_cast<uint8_t>(1 + random() % 6);
      header.request = request;
      header.slab = header.type == SLAB_RELEASE && random() % 2 == 0 ? SLAB_ALL : random() % 3;
      header.offset = random() % kSlabBytes;
      header.length = random() % 200;
      slab_ticket ticket = GoodTicket();
      ticket.serial = 1;
      ticket.expires_at_ms += random() % 2000;
      const std::vector<uint8_t> written(header.length, 0x77);
      const bool extends = header.type == SLAB_EXTEND, writes = header.type == SLAB_WRITE;
      header.payload_bytes = extends ? sizeof ticket : writes ? header.length : 0;
      append(&talk, &header, sizeof header);
      if (extends) append(&talk, &ticket, sizeof ticket);
      if (writes) append(&talk, written.data(), written.size());
    }
    seeds.push_back(talk);
  }
  return seeds;
}

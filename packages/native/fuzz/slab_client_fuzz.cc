// SPDX-License-Identifier: Apache-2.0
// A consumer's session against a hostile producer, before and after the handshake, over a real socket.
//
//   byte 0            byte 1          the rest
//   mode, see below   chunk of bytes  what the producer sends
//
// After a right handshake a batch of requests is in flight. Beside the sanitizers' checks, each request must be
// answered once and in order, a value must have the requested bytes, no request may be left waiting after the session,
// and undelivered notices must not pile up.
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cstddef>
#include <cstdlib>

#include "base/file_descriptor.hh"
#include "base/poller.cc"
#include "fake_crypto.hh"
#include "fuzz_target.hh"
#include "slab/slab_client_session.cc"
#include "slab/slab_frame.cc"
#include "slab/slab_handshake.cc"
#include "slab/slab_ticket.cc"

namespace {

using namespace exopool;

enum Mode : uint8_t {
  kShakeHands = 1,  // a right CHALLENGE and READY before the input
  kSealRight = 2,   // the input's headers get a right MAC and number
};

constexpr MacKey kToConsumer{2};
constexpr uint32_t kSlabs = 2;
constexpr uint32_t kSlabBytes = 8192;
// Opened or refused, ended, one RECLAIM, and a GONE for each slab.
constexpr size_t kEventsMax = 3 + kSlabs;
const uint8_t kWritten[16] = {};
const std::vector<SlabRequest> kRequests = {{SLAB_READ, 0, 0, 40, nullptr},
                                            {SLAB_WRITE, 0, 64, sizeof kWritten, kWritten},
                                            {SLAB_READ, 1, 0, 0, nullptr},
                                            {SLAB_READ, 1, 8, 200, nullptr}};

void Require(bool condition) {
  if (!condition) abort();
}

class CheckedBatch : public SlabBatch {
 public:
  void OnAnswer(uint32_t index, slab_status status, const uint8_t *payload) override {
    Require(!is_done_ && index == next_++ && index < kRequests.size());
    Require(payload == nullptr || (status == SLAB_OK && kRequests[index].type == SLAB_READ));
    // Reads every byte, so that the sanitizers check it.
    for (uint32_t i = 0; payload != nullptr && i < kRequests[index].length; ++i) sum_ += payload[i];
  }
  void OnDone(uint32_t) override {
    Require(!is_done_ && next_ == kRequests.size());
    is_done_ = true;
  }
  bool is_done() const { return is_done_; }

 private:
  uint32_t next_ = 0;
  volatile uint32_t sum_ = 0;
  bool is_done_ = false;
};

// A producer's end of connections.
class Listener {
 public:
  Listener() : fd_(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0)) {
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    Require(bind(fd_.get(), reinterpret_cast<sockaddr *>(&name), sizeof name.sun_family) == 0);  // a free name
    Require(listen(fd_.get(), 1) == 0);
    target_.address_bytes = sizeof target_.address;
    Require(getsockname(fd_.get(), reinterpret_cast<sockaddr *>(&target_.address), &target_.address_bytes) == 0);
    target_.timeout_ms = 60'000;
    slab_ticket ticket{};
    ticket.slabs = kSlabs;
    ticket.slab_bytes = kSlabBytes;
    memcpy(target_.ticket.data(), &ticket, sizeof ticket);
  }
  const SlabTarget &target() const { return target_; }
  FileDescriptor Accept() { return FileDescriptor(accept(fd_.get(), nullptr, nullptr)); }

 private:
  FileDescriptor fd_;
  SlabTarget target_{};
};

void Drain(const FileDescriptor &peer) {
  uint8_t bytes[4096];
  while (recv(peer.get(), bytes, sizeof bytes, MSG_DONTWAIT) > 0) {
  }
}

// False: the session is over.
bool Say(const FileDescriptor &peer, ClientSession *session, const void *bytes, size_t size) {
  Require(send(peer.get(), bytes, size, MSG_NOSIGNAL) == static_cast<ssize_t>(size));
  const bool goes_on = session->OnEvents(EPOLLIN);
  Drain(peer);
  return goes_on;
}

bool ShakeHands(const FileDescriptor &peer, ClientSession *session, FrameSender *sender) {
  slab_challenge challenge{};
  challenge.prelude = Prelude(SLAB_CHALLENGE);
  challenge.ephemeral[0] = 1;
  challenge.signature[0] = kGoodSignature;
  slab_ready ready{};
  ready.prelude = Prelude(SLAB_READY);
  ready.slabs = kSlabs;
  ready.slab_bytes = kSlabBytes;
  const Mac mac = sender->SealReady(ready);
  memcpy(ready.mac, mac.data(), mac.size());
  return Say(peer, session, &challenge, sizeof challenge) && Say(peer, session, &ready, sizeof ready);
}

void SealRight(FuzzInput *frames, FrameSender *sender) {
  for (size_t at = 0; frames->size() - at >= sizeof(slab_header);) {
    slab_header header;
    memcpy(&header, frames->data() + at, sizeof header);
    sender->Seal(&header);
    memcpy(frames->data() + at, &header, sizeof header);
    at += sizeof header;
    at += std::min<size_t>(header.payload_bytes, frames->size() - at);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static Listener listener;
  if (size < 2) return 0;
  const uint8_t mode = data[0];
  const size_t chunk = data[1] + size_t{1};
  FuzzInput said(data + 2, data + size);

  const auto port = std::make_shared<SlabEventPort>([] {});
  ClientSession session(1, listener.target(), port);
  const FileDescriptor peer = listener.Accept();
  Require(peer.get() >= 0 && session.OnEvents(EPOLLOUT));
  FrameSender sender(kToConsumer);
  bool goes_on = !(mode & kShakeHands) || ShakeHands(peer, &session, &sender);
  Require(goes_on);
  const auto batch = std::make_shared<CheckedBatch>();
  const bool submitted = session.Submit(kRequests, batch);
  Require(submitted == ((mode & kShakeHands) != 0));
  session.Send();
  Drain(peer);
  if (mode & kSealRight) SealRight(&said, &sender);
  for (size_t at = 0; at < said.size() && goes_on; at += chunk)
    goes_on = Say(peer, &session, said.data() + at, std::min(chunk, said.size() - at));
  session.Close();
  Require(!submitted || batch->is_done());
  Require(port->Drain().size() <= kEventsMax);
  return 0;
}

std::vector<FuzzInput> Seeds(std::mt19937_64 &random) {
  std::vector<FuzzInput> seeds;
  for (const uint8_t mode : {uint8_t{0}, uint8_t{kShakeHands}, uint8_t{kShakeHands | kSealRight},
                             uint8_t{kShakeHands | kSealRight}, uint8_t{kShakeHands | kSealRight}}) {
    FuzzInput talk{mode, static_cast<uint8_t>(random())};
    const auto append = [&talk](const void *bytes, size_t size) {
      const auto *from = static_cast<const uint8_t *>(bytes);
      talk.insert(talk.end(), from, from + size);
    };
    const auto frame = [&](slab_header header) {
      append(&header, sizeof header);
      talk.insert(talk.end(), header.payload_bytes, 0x55);
    };
    for (uint32_t number = 1; number <= kRequests.size(); ++number) {
      if (random() % 4 == 0) {
        slab_header notice{};
        notice.type = random() % 2 == 0 ? SLAB_GONE : SLAB_RECLAIM;
        notice.payload_bytes = notice.type == SLAB_GONE ? 4 * (random() % 3) : 0;
        frame(notice);
      }
      const SlabRequest &request = kRequests[number - 1];
      slab_header answer{};
      answer.type = request.type;
      answer.request = number;
      answer.status = random() % 4 == 0 ? SLAB_OVER_RATE : SLAB_OK;
      answer.payload_bytes = request.type == SLAB_READ && answer.status == SLAB_OK ? request.length : 0;
      frame(answer);
    }
    slab_header ended{};
    ended.type = SLAB_ENDED;
    ended.status = SLAB_REVOKED;
    if (random() % 2 == 0) frame(ended);
    seeds.push_back(talk);
  }
  return seeds;
}

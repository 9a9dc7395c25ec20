// SPDX-License-Identifier: Apache-2.0
// Frame headers with their MAC and sequence number, and the queue of bytes that both ends read and write
// through.
#pragma once

#include <cstring>
#include <memory>

#include "slab/slab_crypto.hh"

namespace exopool {

// Bytes waiting for a socket or a parser: appended at the end, consumed from the front. Storage grows to the reserved
// size. A large one is freed when the queue runs empty.
class ByteQueue {
 public:
  static constexpr size_t kKeepBytes = 256 * 1024;  // of an empty queue; enough for most batches

  size_t size() const { return end_ - begin_; }
  bool empty() const { return begin_ == end_; }
  const uint8_t *data() const { return storage_.get() + begin_; }
  // Room for `bytes` more at the end; Commit appends them.
  uint8_t *Reserve(size_t bytes);
  size_t room() const { return capacity_ - end_; }
  void Commit(size_t bytes) { end_ += bytes; }
  void Append(const void *bytes, size_t size) {
    memcpy(Reserve(size), bytes, size);
    Commit(size);
  }
  void Consume(size_t bytes);

 private:
  std::unique_ptr<uint8_t[]> storage_;
  size_t capacity_ = 0;
  size_t begin_ = 0;
  size_t end_ = 0;
};

// Numbers and seals the headers of one direction.
class FrameSender {
 public:
  explicit FrameSender(const MacKey &key) : mac_(key) {}
  void Seal(slab_header *header);
  Mac SealReady(const slab_ready &ready) { return mac_.Compute(&ready, offsetof(slab_ready, mac)); }

 private:
  HeaderMac mac_;
  uint64_t sequence_ = 0;
};

// Checks the headers of the other direction.
class FrameReceiver {
 public:
  explicit FrameReceiver(const MacKey &key) : mac_(key) {}
  // False: forged, replayed, reordered or too long; the session must end.
  bool Open(const slab_header &header);
  bool OpenReady(const slab_ready &ready) { return mac_.Verify(&ready, offsetof(slab_ready, mac), ready.mac); }

 private:
  HeaderMac mac_;
  uint64_t sequence_ = 0;
};

}  // namespace exopool

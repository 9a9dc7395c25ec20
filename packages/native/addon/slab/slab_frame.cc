// SPDX-License-Identifier: Apache-2.0
#include "slab/slab_frame.hh"

#include <algorithm>

namespace exopool {

uint8_t *ByteQueue::Reserve(size_t bytes) {
  if (capacity_ - end_ >= bytes) return storage_.get() + end_;
  const size_t held = size();
  if (capacity_ - held >= bytes && begin_ >= capacity_ / 4) {
    // A quarter of the storage was consumed since the last move, which pays for this one.
    memmove(storage_.get(), data(), held);
  } else {
    const size_t capacity = std::max({held + bytes, capacity_ * 2, size_t{4096}});
    std::unique_ptr<uint8_t[]> larger(new uint8_t[capacity]);
    if (held > 0) memcpy(larger.get(), data(), held);
    storage_ = std::move(larger);
    capacity_ = capacity;
  }
  begin_ = 0;
  end_ = held;
  return storage_.get() + end_;
}

void ByteQueue::Consume(size_t bytes) {
  begin_ += bytes;
  if (begin_ != end_) return;
  begin_ = end_ = 0;
  if (capacity_ > kKeepBytes) {
    storage_.reset();
    capacity_ = 0;
  }
}

void FrameSender::Seal(slab_header *header) {
  header->sequence = ++sequence_;
  const Mac mac = mac_.Compute(header, offsetof(slab_header, mac));
  memcpy(header->mac, mac.data(), mac.size());
}

bool FrameReceiver::Open(const slab_header &header) {
  if (!mac_.Verify(&header, offsetof(slab_header, mac), header.mac)) return false;
  return header.sequence == ++sequence_ && header.payload_bytes <= SLAB_PAYLOAD_MAX;
}

}  // namespace exopool

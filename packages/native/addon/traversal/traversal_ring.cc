// SPDX-License-Identifier: Apache-2.0
#include "traversal/traversal_ring.hh"

#include <new>

namespace exopool {

bool TraversalRing::Open() {
  if (ring_ != nullptr || is_broken_) return !is_broken_;
  for (size_t i = 0; i < EXO_TRAVERSAL_CHAINS; i++) {
    chains_.push_back(std::make_unique<UserChain>());
    if (!chains_.back()->has_memory()) throw std::bad_alloc();
  }
  ring_ = std::make_unique<Ring>();
  is_broken_ = ring_->Open(EXO_TRAVERSAL_CHAINS) != 0;
  return !is_broken_;
}

// False: the chain has ended.
bool TraversalRing::Submit(TraversalFile *file, TraversalBatch *batch, size_t number) {
  UserChain &chain = *chains_[number];
  if (!chain.Admit(file->size(), batch->hops_max)) return false;
  io_uring_sqe *sqe = ring_->Next();  // never null: one read a chain
  sqe->opcode = IORING_OP_READ;
  sqe->fd = file->fd();
  sqe->off = chain.offset();
  sqe->addr = reinterpret_cast<uint64_t>(chain.block());
  sqe->len = TRAVERSAL_BLOCK_BYTES;
  sqe->user_data = number;
  return true;
}

bool TraversalRing::Walk(TraversalFile *file, TraversalBatch *batch, size_t first, size_t count) {
  if (!Open()) return false;
  size_t under_way = 0;
  for (size_t i = 0; i < count; i++) {
    chains_[i]->Begin(file->twin(), batch->inputs[first + i]);
    under_way += Submit(file, batch, i);
  }
  while (under_way > 0) {
    if (ring_->Enter(1) != 0) {
      // The kernel may still write into the blocks: they and the ring are never freed.
      is_broken_ = true;
      ring_.release();
      for (auto &chain : chains_) chain.release();
      return false;
    }
    ring_->ForEachCompletion([&](uint64_t number, int32_t got) {
      bool goes_on = chains_[number]->Hop(file->twin(), file->size(), got) && Submit(file, batch, number);
      if (!goes_on) under_way--;
    });
  }
  for (size_t i = 0; i < count; i++) chains_[i]->TakeResult(&batch->results[first + i]);
  return true;
}

}  // namespace exopool

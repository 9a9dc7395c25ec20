// SPDX-License-Identifier: Apache-2.0
// A sealed cache's requests to one producer: values are opened as they arrive, on the receiving thread.
#pragma once

#include <cstring>
#include <utility>

#include "cache/cache_answers.hh"
#include "cache/lease_seal.hh"
#include "slab/slab_batch.hh"

namespace exopool {

constexpr uint32_t kCheckBytes = 8;  // of the key's hash, sealed in front of each value

// The caller that waits for a value, and the contents that its seal must have.
struct CacheRead {
  uint64_t token;
  uint64_t check;  // of the key; a move takes any value
  CachePlace place;
  SealPlace seal;
};

class CacheReadBatch : public SlabBatch {
 public:
  // `found`: kFound, or kMoved for values that are moving to another place.
  CacheReadBatch(std::shared_ptr<CacheAnswers> answers, std::shared_ptr<LeaseSeal> seal, SealMode mode,
                 CacheAnswerKind found, std::vector<CacheRead> reads)
      : answers_(std::move(answers)), seal_(std::move(seal)), mode_(mode), found_(found), reads_(std::move(reads)) {
    ready_.reserve(reads_.size());
  }

  const std::vector<CacheRead> &reads() const { return reads_; }

  void OnAnswer(uint32_t index, slab_status status, const uint8_t *payload) override {
    const CacheRead &read = reads_[index];
    const bool refused = status == SLAB_OVER_RATE;
    CacheAnswer answer{refused ? CacheAnswerKind::kRefused : CacheAnswerKind::kLost, read.token, read.place, nullptr,
                       0};
    if (payload != nullptr) Open(read, payload, &answer);
    ready_.push_back(std::move(answer));
  }
  void OnDone(uint32_t) override { answers_->PushAll(std::move(ready_)); }
  void OnPause() override { answers_->Wake(); }

 private:
  void Open(const CacheRead &read, const uint8_t *payload, CacheAnswer *answer) {
    answer->bytes.reset(new uint8_t[PlainBytesMax(mode_, read.place.length)]);
    const std::optional<uint32_t> size = seal_->Open(read.seal, payload, answer->bytes.get());
    answer->kind = size && *size >= kCheckBytes ? found_ : CacheAnswerKind::kTampered;
    answer->size = size.value_or(0);
    // Another key with the same 64 bits; without a seal, any bytes.
    if (answer->kind == CacheAnswerKind::kFound && memcmp(answer->bytes.get(), &read.check, kCheckBytes) != 0)
      answer->kind = CacheAnswerKind::kLost;
  }

  const std::shared_ptr<CacheAnswers> answers_;
  const std::shared_ptr<LeaseSeal> seal_;
  const SealMode mode_;
  const CacheAnswerKind found_;
  const std::vector<CacheRead> reads_;
  std::vector<CacheAnswer> ready_;
};

class CacheWriteBatch : public SlabBatch {
 public:
  // `places`: of all values, request by request, with `counts` values each. Token 0: no caller waits.
  CacheWriteBatch(std::shared_ptr<CacheAnswers> answers, uint64_t token, std::vector<CachePlace> places,
                  std::vector<uint32_t> counts)
      : answers_(std::move(answers)), token_(token), places_(std::move(places)), counts_(std::move(counts)) {}

  void OnAnswer(uint32_t index, slab_status status, const uint8_t *) override {
    for (uint32_t i = 0; i < counts_[index]; ++i, ++next_) {
      if (status != SLAB_OK) answers_->Push({CacheAnswerKind::kUnwritten, 0, places_[next_], nullptr, 0});
    }
  }
  void OnDone(uint32_t) override { answers_->Push({CacheAnswerKind::kWritten, token_, {}, nullptr, 0}); }
  void OnPause() override { answers_->Wake(); }

 private:
  const std::shared_ptr<CacheAnswers> answers_;
  const uint64_t token_;
  const std::vector<CachePlace> places_;
  const std::vector<uint32_t> counts_;
  size_t next_ = 0;
};

}  // namespace exopool

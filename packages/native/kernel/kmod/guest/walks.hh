// SPDX-License-Identifier: Apache-2.0
// The same chains of one file, walked in one way or another: by pread, by an io_uring, by the driver.
#pragma once

#include <cerrno>
#include <cstdlib>

#include "chase_file.hh"
#include "engines/driver_client.hh"
#include "engines/ring.hh"

namespace exopool {

struct DriverMode {
  const char *engine;
  exo_mode mode;
};
constexpr DriverMode kDriverModes[] = {{"driver-wait", EXO_MODE_WAIT},
                                       {"driver-thread", EXO_MODE_THREAD},
                                       {"driver-poll", EXO_MODE_POLL},
                                       {"driver-irq", EXO_MODE_IRQ}};

class Walks {
 public:
  // Makes the file, and attaches it pinned, with the program `chase` of a BPF object. Each way walks `count` chains.
  Walks(const std::string &path, const std::string &object, uint64_t count) : count_(count) {
    Obstacle obstacle;
    program_ = DriverProgram::Load(object, "chase", 0, &obstacle);
    if (program_ == nullptr) Die(obstacle.reason);
    if ((errno = session_.Open()) != 0) Die(EXO_DRIVER_PATH);
    fd_ = MakeChaseFile(path, kBlocks, kBlockBytes, 88172645463325252ull, &content_);
    errno = session_.Attach(fd_, program_->id(), kBlockBytes, true, &file_);
    if (errno != 0) Die("attach, refusal " + std::to_string(file_.refusal));
    buffers_ = static_cast<uint8_t *>(aligned_alloc(kBlockBytes, EXO_FLIGHTS_MAX * kBlockBytes));
  }
  Walks(const Walks &) = delete;
  Walks &operator=(const Walks &) = delete;

  uint64_t count() const { return count_; }
  bool Has(exo_mode mode) const { return (file_.modes & 1u << mode) != 0; }

  // Each returns the sum of the last blocks' numbers, which must agree.
  uint64_t ByPread(uint32_t depth) {
    Random random(kSeed);
    uint64_t sum = 0;
    for (uint64_t chain = 0; chain < count_; chain++) {
      uint64_t offset = FirstOffset(&random);
      const Block *block = reinterpret_cast<Block *>(buffers_);
      for (uint32_t hop = 0; hop < depth; hop++) {
        if (pread(fd_, buffers_, kBlockBytes, static_cast<off_t>(offset)) != kBlockBytes) Die("pread");
        offset = block->next;
      }
      sum += block->number;
    }
    return sum;
  }

  uint64_t ByRing(uint32_t depth, uint32_t chains) {
    OpenRing();
    Random random(kSeed);
    uint64_t sum = 0, started = 0;
    uint32_t hops[EXO_FLIGHTS_MAX] = {}, live = 0;
    auto start = [&](uint32_t slot) {
      hops[slot] = 0;
      started++;
      live++;
      SubmitRead(slot, FirstOffset(&random));
    };
    for (uint32_t slot = 0; slot < chains; slot++) start(slot);
    while (live > 0) {
      if (ring_->Enter(1) != 0) Die("io_uring_enter");
      ring_->ForEachCompletion([&](uint64_t data, int result) {
        uint32_t slot = static_cast<uint32_t>(data);
        if (result != static_cast<int>(kBlockBytes)) Die("io_uring read");
        const Block *block = reinterpret_cast<Block *>(buffers_ + slot * kBlockBytes);
        if (++hops[slot] < depth) return SubmitRead(slot, block->next);
        sum += block->number;
        live--;
        if (started < count_) start(slot);
      });
    }
    return sum;
  }

  uint64_t ByDriver(exo_mode mode, uint32_t depth, uint32_t chains, uint64_t *empty_polls) {
    Random random(kSeed);
    uint64_t sum = 0;
    exo_request requests[EXO_FLIGHTS_MAX];
    for (uint64_t chain = 0; chain < count_; chain += chains) {
      *empty_polls += RunBatch(mode, depth, chains, &random, requests).empty_polls;
      for (uint32_t i = 0; i < chains; i++) {
        if (requests[i].end != EXO_END_DONE) Die("a chain ended early");
        sum += requests[i].scratch[1];
      }
    }
    return sum;
  }

  // One call with so many new chains; `requests` says how each ended.
  exo_run RunBatch(exo_mode mode, uint32_t depth, uint32_t chains, Random *random, exo_request *requests) {
    for (uint32_t i = 0; i < chains; i++) {
      requests[i].offset = FirstOffset(random);
      requests[i].scratch[0] = depth;
    }
    exo_run run;
    if ((errno = session_.Run(file_.file, mode, depth, requests, chains, &run)) != 0) Die("run");
    return run;
  }

 private:
  static constexpr uint32_t kBlockBytes = 4096;
  static constexpr uint64_t kBlocks = 4096;
  static constexpr uint64_t kSeed = 7;

  static uint64_t FirstOffset(Random *random) { return random->Below(kBlocks) * kBlockBytes; }

  void OpenRing() {
    if (ring_ != nullptr) return;
    ring_ = std::make_unique<Ring>();
    iovec all = {buffers_, EXO_FLIGHTS_MAX * kBlockBytes};
    if (ring_->Open(2 * EXO_FLIGHTS_MAX) != 0 || ring_->RegisterBuffers(&all, 1) != 0 ||
        ring_->RegisterEmptyFiles(1) != 0 || ring_->SetFile(0, fd_) != 0)
      Die("io_uring");
  }

  void SubmitRead(uint32_t slot, uint64_t offset) {
    io_uring_sqe *sqe = ring_->Next();
    sqe->opcode = IORING_OP_READ_FIXED;
    sqe->flags = IOSQE_FIXED_FILE;
    sqe->off = offset;
    sqe->addr = reinterpret_cast<uint64_t>(buffers_ + slot * kBlockBytes);
    sqe->len = kBlockBytes;
    sqe->user_data = slot;
  }

  uint64_t count_;
  std::unique_ptr<DriverProgram> program_;
  DriverSession session_;
  std::vector<Block> content_;
  int fd_ = -1;
  exo_attach file_{};
  uint8_t *buffers_ = nullptr;
  std::unique_ptr<Ring> ring_;
};

}  // namespace exopool

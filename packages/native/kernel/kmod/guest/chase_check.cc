// SPDX-License-Identifier: Apache-2.0
// Random chains over a file, in each mode that it can have, against what was written: chase_check FILE OBJECT [chains]
//
// Prints a line a mode; exits with 1 at the first difference.
#include <cerrno>
#include <cstring>
#include <memory>

#include "chase_file.hh"
#include "engines/driver_client.hh"
#include "engines/ring.hh"

using namespace exopool;

namespace {

constexpr uint32_t kHops = 6;
constexpr uint64_t kBlocks = 4096;
const char *const kModes[] = {"best", "wait", "thread", "poll", "irq"};

struct Setup {
  std::vector<Block> content;
  uint32_t block_bytes = 0;
  DriverSession session;
  exo_attach file{};
};

struct Batch {
  exo_request requests[EXO_FLIGHTS_MAX] = {};
  uint64_t expected[EXO_FLIGHTS_MAX] = {};
  uint32_t count = 0;
  exo_run run{};

  void Prepare(const Setup &setup, uint32_t chains, Random *random) {
    count = chains;
    for (uint32_t i = 0; i < count; i++) {
      uint64_t block = random->Below(kBlocks);
      requests[i] = {};
      requests[i].offset = block * setup.block_bytes;
      requests[i].scratch[0] = kHops;
      for (uint32_t hop = 1; hop < kHops; hop++) block = setup.content[block].next / setup.block_bytes;
      expected[i] = block;
    }
  }

  void Check(const char *mode) const {
    for (uint32_t i = 0; i < count; i++) {
      if (requests[i].end == EXO_END_DONE && requests[i].scratch[1] == expected[i] && requests[i].hops == kHops)
        continue;
      printf("%s: chain %u ended %u (error %u) after %u hops with block %llu, not %llu\n", mode, i, requests[i].end,
             requests[i].error, requests[i].hops, static_cast<unsigned long long>(requests[i].scratch[1]),
             static_cast<unsigned long long>(expected[i]));
      exit(1);
    }
  }
};

void RunBatch(const Setup &setup, exo_mode mode, uint32_t count, Random *random, uint64_t *resubmitted) {
  Batch batch;
  batch.Prepare(setup, count, random);
  errno = setup.session.Run(setup.file.file, mode, kHops, batch.requests, count, &batch.run);
  if (errno != 0) Die("run");
  if (batch.run.ran_mode != mode) Die("another mode ran");
  *resubmitted += batch.run.resubmitted;
  batch.Check(kModes[mode]);
}

// Batches of several sessions in flight at a time on one ring, and one command that the driver does not have.
void CheckRing(const Setup &setup, int fd, uint64_t program) {
  constexpr uint32_t kSessions = 4;
  DriverSession sessions[kSessions];
  exo_attach files[kSessions];
  auto batches = std::make_unique<Batch[]>(kSessions);
  Random random(41);
  Ring ring;
  if ((errno = ring.Open(8)) != 0) Die("io_uring");
  for (uint32_t i = 0; i <= kSessions; i++) {
    io_uring_sqe *sqe = ring.Next();
    sqe->opcode = IORING_OP_URING_CMD;
    sqe->fd = setup.session.fd();
    sqe->cmd_op = EXO_IOC_DETACH;
    sqe->user_data = i;
    if (i == kSessions) break;
    if ((errno = sessions[i].Open()) != 0) Die(EXO_DRIVER_PATH);
    if ((errno = sessions[i].Attach(fd, program, setup.block_bytes, true, &files[i])) != 0) Die("attach");
    Batch &batch = batches[i];
    batch.Prepare(setup, EXO_FLIGHTS_MAX, &random);
    batch.run.requests = reinterpret_cast<uintptr_t>(batch.requests);
    batch.run.count = batch.count;
    batch.run.file = files[i].file;
    batch.run.hops_max = kHops;
    sqe->fd = sessions[i].fd();
    sqe->cmd_op = EXO_IOC_RUN;
    uint64_t at = reinterpret_cast<uintptr_t>(&batch.run);
    memcpy(&sqe->addr3, &at, sizeof(at));  // where `cmd` begins
  }
  for (uint32_t ended = 0; ended <= kSessions;) {
    if (ring.Enter(1) != 0) Die("io_uring_enter");
    ring.ForEachCompletion([&ended](uint64_t which, int result) {
      ended++;
      errno = -result;
      if (result != (which == kSessions ? -ENOTTY : 0)) Die("a command on the ring");
    });
  }
  for (uint32_t i = 0; i < kSessions; i++) batches[i].Check("ring");
  printf("ok ring: %u batches under way at a time\n", kSessions);
}

void CheckModes(const Setup &setup, uint64_t chains) {
  for (int mode = EXO_MODE_WAIT; mode <= EXO_MODE_IRQ; mode++) {
    if ((setup.file.modes & 1u << mode) == 0) continue;
    Random random(42 + mode);
    uint64_t resubmitted = 0;
    for (uint64_t done = 0; done < chains;) {
      uint32_t count = 1 + random.Below(EXO_FLIGHTS_MAX);
      RunBatch(setup, static_cast<exo_mode>(mode), count, &random, &resubmitted);
      done += count;
    }
    printf("ok %s: %llu chains of %u hops in blocks of %u bytes, %llu hops resubmitted at the completion\n",
           kModes[mode], static_cast<unsigned long long>(chains), kHops, setup.block_bytes,
           static_cast<unsigned long long>(resubmitted));
  }
}

}  // namespace

int main(int argc, char **argv) {
  if (argc < 3) return 2;
  uint64_t chains = argc > 3 ? strtoull(argv[3], nullptr, 10) : 10000;
  Obstacle obstacle;
  auto program = DriverProgram::Load(argv[2], "chase", 0, &obstacle);
  if (program == nullptr) Die(obstacle.reason);
  for (uint32_t block_bytes : {512u, 4096u}) {
    for (bool pin : {false, true}) {
      Setup setup;
      setup.block_bytes = block_bytes;
      errno = setup.session.Open();
      if (errno != 0) Die(EXO_DRIVER_PATH);
      int fd = MakeChaseFile(argv[1], kBlocks, block_bytes, 88172645463325252ull, &setup.content);
      errno = setup.session.Attach(fd, program->id(), block_bytes, pin, &setup.file);
      if (errno != 0) Die("attach, refusal " + std::to_string(setup.file.refusal));
      printf("%s: %u extents\n", pin ? "pinned" : "watched", setup.file.extents);
      CheckModes(setup, chains);
      if (pin) CheckRing(setup, fd, program->id());
      close(fd);
    }
  }
  return 0;
}

// SPDX-License-Identifier: Apache-2.0
// Chains over a device that fails: fault_check FILE OBJECT SECONDS [file that ends it when it appears]
//
// Whatever the device does meanwhile, every chain ends, with the right block or with an I/O error and its errno. Prints
// the counts by end; exits with 1 at the first chain that ended otherwise.
#include <time.h>

#include "chase_file.hh"
#include "engines/driver_client.hh"

using namespace exopool;

namespace {

constexpr uint32_t kHops = 6;
constexpr uint32_t kBlockBytes = 4096;
constexpr uint64_t kBlocks = 2048;

struct Counts {
  uint64_t done = 0, failed = 0;
};

bool RunBatch(const DriverSession &session, const exo_attach &file, exo_mode mode, const std::vector<Block> &content,
              Random *random, Counts *counts) {
  exo_request requests[EXO_FLIGHTS_MAX] = {};
  uint64_t expected[EXO_FLIGHTS_MAX];
  for (uint32_t i = 0; i < EXO_FLIGHTS_MAX; i++) {
    uint64_t block = random->Below(kBlocks);
    requests[i].offset = block * kBlockBytes;
    requests[i].scratch[0] = kHops;
    for (uint32_t hop = 1; hop < kHops; hop++) block = content[block].next / kBlockBytes;
    expected[i] = block;
  }
  exo_run run;
  if ((errno = session.Run(file.file, mode, kHops, requests, EXO_FLIGHTS_MAX, &run)) != 0) Die("run");
  for (uint32_t i = 0; i < EXO_FLIGHTS_MAX; i++) {
    const exo_request &request = requests[i];
    if (request.end == EXO_END_DONE && request.scratch[1] == expected[i])
      counts->done++;
    else if (request.end == EXO_END_IO && request.error != 0 && request.hops < kHops)
      counts->failed++;
    else
      return printf("a chain ended %u, error %u, hops %u\n", request.end, request.error, request.hops), false;
  }
  return true;
}

}  // namespace

int main(int argc, char **argv) {
  if (argc < 4) return 2;
  const char *end_mark = argc > 4 ? argv[4] : "";
  Obstacle obstacle;
  auto program = DriverProgram::Load(argv[2], "chase", 0, &obstacle);
  if (program == nullptr) Die(obstacle.reason);
  std::vector<Block> content;
  int fd = MakeChaseFile(argv[1], kBlocks, kBlockBytes, 17, &content);
  DriverSession session;
  exo_attach file;
  if ((errno = session.Open()) != 0) Die(EXO_DRIVER_PATH);
  if ((errno = session.Attach(fd, program->id(), kBlockBytes, true, &file)) != 0) Die("attach");
  printf("ready\n");
  fflush(stdout);
  Counts counts;
  Random random(18);
  time_t end = time(nullptr) + atoi(argv[3]);
  for (uint32_t mode = EXO_MODE_WAIT; time(nullptr) < end && access(end_mark, F_OK) != 0; mode++) {
    if (mode == EXO_MODES) mode = EXO_MODE_WAIT;
    if ((file.modes & 1u << mode) != 0 &&
        !RunBatch(session, file, static_cast<exo_mode>(mode), content, &random, &counts))
      return 1;
  }
  printf("ok faults: %llu chains done, %llu ended with an I/O error\n", static_cast<unsigned long long>(counts.done),
         static_cast<unsigned long long>(counts.failed));
  return counts.done > 0 && counts.failed > 0 ? 0 : 1;
}

// SPDX-License-Identifier: Apache-2.0
// Time of one hop by the clock: pread, io_uring and the driver's modes, in one run.
//
//   wall_time [--file-system NAME] [--depths 6] [--chains 1,4,16,64] [--walks 640] FILE OBJECT
//
// On a null block device, which answers at once, it is the time of the software. Contenders take turns in each round,
// after one warm-up round. Prints a line of JSON for each engine, depth and number of chains.
#include "clock.hh"
#include "contenders.hh"

using namespace exopool;

namespace {

constexpr int kRounds = 5;

}  // namespace

int main(int argc, char **argv) {
  ContenderOptions options;
  if (!ParseOptions(argc, argv, &options)) return 2;
  Walks walks(options.file, options.object, options.walks);
  std::vector<Contender> all = ContendersOf(walks, options);
  double start_ns = 0;
  for (int round = 0; round <= kRounds; round++) {
    RunRound(
        walks, &all, [&] { start_ns = NowNs(); }, [&] { return NowNs() - start_ns; });
    if (round > 0) continue;
    for (Contender &one : all) one.per_hop.clear();
  }
  for (const Contender &one : all) Print(options, one, "nsPerHop");
  return 0;
}

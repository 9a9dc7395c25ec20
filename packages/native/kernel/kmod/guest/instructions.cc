// SPDX-License-Identifier: Apache-2.0
// Counts the instructions of one hop: pread, io_uring and the driver's modes, in one run.
//
//   instructions [--file-system NAME] [--depths 6] [--chains 1,4,16,64] [--walks 640] FILE OBJECT
//
// `depths` are hops a chain, `chains` how many are in flight together, `walks` how many each contender walks in each
// round, at least. Prints a line of JSON for each engine, depth and number of chains.
//
// In a guest under -icount shift=0, with one CPU and tsc=reliable, one instruction takes one nanosecond of guest time,
// so the clock counts them; it repeats within a per cent. A child of the class SCHED_IDLE counts loop turns in all idle
// time; the rest of the time is work. Contenders take turns, and each round walks the same chains. The disk should be
// slower than a switch to another process, as real ones are: an image without the host's cache.
//
// Polling is work, and how much of it is empty depends on the emulated device, whose time is not the guest's. The
// module counts empty polls; they vary so much that their price is the slope of a line. `poll` is the work without
// them: the cost of polling on a device that answers without delay.
#include "contenders.hh"
#include "spinner.hh"

using namespace exopool;

namespace {

constexpr int kRounds = 3;

double Mean(const std::vector<double> &values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

// Least squares over the rounds of each contender about its own mean.
void TakeOutEmptyPolls(std::vector<Contender> *all) {
  double covariance = 0, variance = 0;
  for (const Contender &one : *all) {
    for (size_t i = 0; i < one.per_hop.size(); i++) {
      double polls = one.empty_polls_per_hop[i] - Mean(one.empty_polls_per_hop);
      covariance += polls * (one.per_hop[i] - Mean(one.per_hop));
      variance += polls * polls;
    }
  }
  if (variance == 0) return;
  fprintf(stderr, "an empty poll takes %.1f instructions\n", covariance / variance);
  for (Contender &one : *all) {
    for (size_t i = 0; i < one.per_hop.size(); i++)
      one.per_hop[i] -= one.empty_polls_per_hop[i] * covariance / variance;
  }
}

}  // namespace

int main(int argc, char **argv) {
  ContenderOptions options;
  if (!ParseOptions(argc, argv, &options)) return 2;
  Walks walks(options.file, options.object, options.walks);
  std::vector<Contender> all = ContendersOf(walks, options);
  walks.ByPread(1);
  Spinner spinner(SCHED_IDLE);
  fprintf(stderr, "a turn of the spinner takes %.4f ns\n", spinner.turn_ns());
  for (int round = 0; round < kRounds; round++)
    RunRound(
        walks, &all, [&] { spinner.Start(); }, [&] { return spinner.WorkNs(); });
  TakeOutEmptyPolls(&all);
  for (const Contender &one : all) Print(options, one, "instructionsPerHop");
  return 0;
}

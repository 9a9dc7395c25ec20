// SPDX-License-Identifier: Apache-2.0
// Runs a target on mutations of its valid inputs: TARGET [iterations] [seed]. The same seed gives the same inputs, so a
// failure is reproducible. Most mutations are small: an input with errors everywhere is refused at the first check.
#include <cstdio>
#include <cstdlib>

#include "fuzz_target.hh"

namespace {

constexpr unsigned long kDefaultIterations = 1000000;
constexpr unsigned kMutationsMax = 4;
constexpr unsigned kInputsPerSeed = 64;  // then new valid inputs are made

// Values at the edges of the fields that formats have.
constexpr uint8_t kEdges[] = {0x00, 0x01, 0x7f, 0x80, 0xfe, 0xff};

void Mutate(FuzzInput *input, std::mt19937_64 &random) {
  if (input->empty()) return;
  // Headers and slots are at the front, and get half of the mutations.
  size_t range = random() % 2 == 0 ? input->size() : input->size() / 8 + 1;
  uint8_t &byte = (*input)[random() % range];
  switch (random() % 4) {
    case 0:
      byte ^= static_cast<uint8_t>(1u << random() % 8);
      break;
    case 1:
      byte = static_cast<uint8_t>(random());
      break;
    case 2:
      byte = kEdges[random() % sizeof(kEdges)];
      break;
    case 3:
      byte = static_cast<uint8_t>(byte + random() % 3 - 1);
      break;
  }
}

}  // namespace

int main(int argc, char **argv) {
  unsigned long iterations = argc > 1 ? strtoul(argv[1], nullptr, 10) : kDefaultIterations;
  std::mt19937_64 random(argc > 2 ? strtoull(argv[2], nullptr, 10) : 1);
  std::vector<FuzzInput> seeds;
  for (unsigned long i = 0; i < iterations; i++) {
    if (i % kInputsPerSeed == 0) seeds = Seeds(random);
    FuzzInput input = seeds[random() % seeds.size()];
    for (unsigned left = random() % (kMutationsMax + 1); left > 0; left--) Mutate(&input, random);
    if (random() % 16 == 0) input.resize(random() % (input.size() + 1));
    LLVMFuzzerTestOneInput(input.data(), input.size());
  }
  printf("%lu inputs\n", iterations);
  return 0;
}

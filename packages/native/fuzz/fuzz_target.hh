// SPDX-License-Identifier: Apache-2.0
// The interface of a fuzz target: libFuzzer (or any compatible one) calls LLVMFuzzerTestOneInput with inputs of its
// own; fuzz/driver.cc, for compilers without one, calls it with mutations of the target's Seeds.
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

using FuzzInput = std::vector<uint8_t>;

// Valid inputs, as different as the generator makes them.
std::vector<FuzzInput> Seeds(std::mt19937_64 &random);

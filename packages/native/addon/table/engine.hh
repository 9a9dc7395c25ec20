// SPDX-License-Identifier: Apache-2.0
// How a table or a file is walked. The names that people give are these without the `k`, in lower case with
// dashes: kIoUringBpf is `io-uring-bpf`. src/contracts.ts is made of this list, and there is no other.
#pragma once

#include <cstddef>

namespace exopool {

enum class Engine { kPread, kIoUring, kPageCacheBpf, kIoUringBpf, kNvmeBpf, kDriver };
constexpr size_t kEngines = 6;

}  // namespace exopool

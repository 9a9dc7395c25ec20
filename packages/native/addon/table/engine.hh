// SPDX-License-Identifier: Apache-2.0
// How a table or a file is walked. Users name an engine without the `k`, in lower case with dashes: kIoUringBpf is
// `io-uring-bpf`. This is the only list; src/contracts.ts is generated from it.
#pragma once

#include <cstddef>

namespace exopool {

enum class Engine { kPread, kIoUring, kPageCacheBpf, kIoUringBpf, kNvmeBpf, kDriver };
constexpr size_t kEngines = 6;

}  // namespace exopool

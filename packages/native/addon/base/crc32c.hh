// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

namespace exopool {

// CRC-32C (Castagnoli) as in RFC 3720. `seed` is the checksum of the preceding bytes, or 0.
uint32_t Crc32c(const void *bytes, size_t length, uint32_t seed = 0);

// The same without the processor's instruction.
uint32_t Crc32cByTable(const void *bytes, size_t length, uint32_t seed = 0);

}  // namespace exopool

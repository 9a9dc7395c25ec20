// SPDX-License-Identifier: Apache-2.0
// Numbers that cross between C++ and JavaScript: codes that stand where a length would be, and positions in arrays.
// src/contracts.ts is generated from this file, so each has one definition.
#pragma once

#include <cstdint>

namespace exopool {

// --- Lookups

// Answers of find() of a store's index that are not a length.
enum class FindCode : int32_t {
  kAbsent = -1,
  kNotInMemory = -2,  // requested, if a token was given
  kNoRoom = -3,       // in the block: setBlock() tries again in another
  kLarge = -4,        // it would take much of a block: large() returns it
};
// For find(): do not look the key up elsewhere.
constexpr int32_t kNoToken = -1;

// Memory for the key of a call, which a store's index owns and JavaScript writes: 511 UTF-16 units as UTF-8.
constexpr uint32_t kIndexKeyBytes = 1536;

// Replaces the length of a missing value in the answers of lookups.
enum ValueLength : int32_t { kValueNotFound = -1, kValueDeleted = -2, kValueFailed = -3 };

// Bytes of values in one packed answer: they lie in one buffer, of which JavaScript allows 4 GiB, and twice
// in memory.
constexpr uint64_t kPackedValuesBytesMax = 1ull << 30;

// The words of one answer in a delivery of LookupStream.
enum StreamWord { kStreamToken, kStreamLength, kStreamWords };
// Answers in one delivery: few enough that JavaScript's next requests are in flight while it takes the rest.
constexpr uint32_t kStreamAnswersMax = 16;

// --- Writes

// Replaces the memory in use of a memtable or a run if a batch was not applied.
enum class BatchCode : int32_t { kUnsound = -1, kNoMemory = -2 };

// --- Scans

// In front of each entry of a batch: bytes of its key and of its value, 32 bits each.
constexpr uint32_t kScanHeaderBytes = 8;

// The number that an aggregate reads from values; kNone only counts.
enum class NumberType { kU8, kU16le, kU32le, kI32le, kF32le, kF64le, kNone };

// --- Slabs

// How long the client's thread polls after activity before it sleeps, unless a session sets another time.
constexpr uint32_t kClientSpinUs = 20;

// The words of one request of a batch.
enum SlabRangeWord { kRangeSlab, kRangeOffset, kRangeLength, kRangeWords };

// --- The sealed cache

// The words of one answer.
enum CacheWord { kCacheBatch, kCachePlace, kCacheLength, kCacheWords };
// Answers in one delivery: JavaScript asks for more while the rest waits, and values share one block.
constexpr uint32_t kCacheAnswersMax = 64;

// Replaces a value's length.
enum class CacheCode : int32_t { kMissed = -1, kPutDone = -2, kTamperedWith = -3 };

// Positions in stats().
enum class CacheStat {
  kHits,
  kMisses,
  kPuts,
  kRejected,
  kEvictions,
  kTampered,
  kMoved,
  kEntries,
  kBytes,
  kCapacityBytes,
  kMetadataBytes,
};
constexpr uint32_t kCacheStats = 11;

}  // namespace exopool

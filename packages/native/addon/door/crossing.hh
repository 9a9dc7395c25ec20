// SPDX-License-Identifier: Apache-2.0
// Numbers that cross between C++ and JavaScript: codes that stand where a length would be, and positions in
// arrays. src/contracts.ts is made of this file, so each has one place.
#pragma once

#include <cstdint>

namespace exopool {

// --- Lookups

// What find() of a store's index answers where there is no length.
enum class FindCode : int32_t {
  kAbsent = -1,
  kNotInMemory = -2,  // asked for, when a token was given
  kNoRoom = -3,       // in the block: setBlock() tries again in another
  kLarge = -4,        // it would take much of a block: large() has it
};
// Given to find(): the key is not to be looked up elsewhere.
constexpr int32_t kNoToken = -1;

// Stands for the length of a value that there is not, in the answers of lookups.
enum ValueLength : int32_t { kValueNotFound = -1, kValueDeleted = -2, kValueFailed = -3 };

// Bytes of values in one packed answer: they lie in one buffer, of which JavaScript allows 4 GiB, and twice
// in memory.
constexpr uint64_t kPackedValuesBytesMax = 1ull << 30;

// The words of one answer in a delivery of LookupStream.
enum StreamWord { kStreamToken, kStreamLength, kStreamWords };
// Answers in one delivery: few enough that what JavaScript asks for next is under way while it takes the
// rest.
constexpr uint32_t kStreamAnswersMax = 16;

// --- Writes

// Stands for the memory in use of a memtable or a run where a batch was not taken.
enum class BatchCode : int32_t { kUnsound = -1, kNoMemory = -2 };

// --- Scans

// In front of each entry of a batch: bytes of its key and of its value, 32 bits each.
constexpr uint32_t kScanHeaderBytes = 8;

// What an aggregate finds in values; kNone only counts.
enum class NumberType { kU8, kU16le, kU32le, kI32le, kF32le, kF64le, kNone };

// --- Slabs

// How long the client's thread polls after activity before it sleeps; counts where no session has said
// otherwise.
constexpr uint32_t kClientSpinUs = 20;

// The words of one request of a batch.
enum SlabRangeWord { kRangeSlab, kRangeOffset, kRangeLength, kRangeWords };

// --- The sealed cache

// The words of one answer.
enum CacheWord { kCacheBatch, kCachePlace, kCacheLength, kCacheWords };
// Answers in one delivery: JavaScript asks for more while the rest waits, and values share one block.
constexpr uint32_t kCacheAnswersMax = 64;

// Stands for a value's length.
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

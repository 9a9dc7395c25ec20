/* SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0) */
/*
 * The filter of a table: rules out most absent keys without a read.
 *
 * A split-block Bloom filter, as Apache Parquet specifies it: a key's hash (XXH64, seed 0) chooses one block of
 * 32 bytes by its upper half, and one bit in each of the block's eight 32-bit words by its lower half. One key
 * touches one cache line, and one page of the file. With 24 keys a block (10.7 bits a key) about one absent key
 * in a hundred passes.
 *
 *   page     header (32 B, type EXO_PAGE_FILTER) | 127 blocks of 32 B
 *   filter   pages in a row, the last one filled up with zeroes
 */
#ifndef EXOPOOL_TABLE_FILTER_H
#define EXOPOOL_TABLE_FILTER_H

#include "table_format.h"

#define EXO_FILTER_BLOCK_BYTES 32
#define EXO_FILTER_BLOCK_WORDS 8
#define EXO_FILTER_PAGE_BLOCKS 127 /* (4096 - 32) / 32 */
#define EXO_FILTER_BLOCK_KEYS 24   /* at most, on average */

static inline __u64 exo_load64(const __u8 *at) {
  __u64 word;
  __builtin_memcpy(&word, at, sizeof(word));
  return word;
}

static inline __u32 exo_load32(const __u8 *at) {
  __u32 word;
  __builtin_memcpy(&word, at, sizeof(word));
  return word;
}

#define EXO_XXH_1 0x9E3779B185EBCA87ull
#define EXO_XXH_2 0xC2B2AE3D27D4EB4Full
#define EXO_XXH_3 0x165667B19E3779F9ull
#define EXO_XXH_4 0x85EBCA77C2B2AE63ull
#define EXO_XXH_5 0x27D4EB2F165667C5ull

static inline __u64 exo_rotate(__u64 word, int bits) { return word << bits | word >> (64 - bits); }

static inline __u64 exo_xxh_round(__u64 lane, __u64 input) {
  return exo_rotate(lane + input * EXO_XXH_2, 31) * EXO_XXH_1;
}

static inline __u64 exo_xxh_merge(__u64 hash, __u64 lane) {
  return (hash ^ exo_xxh_round(0, lane)) * EXO_XXH_1 + EXO_XXH_4;
}

/* XXH64 with seed 0. */
static inline __u64 exo_key_hash(const __u8 *key, __u64 length) {
  const __u8 *end = key + length;
  __u64 hash = EXO_XXH_5;

  if (length >= 32) {
    __u64 a = EXO_XXH_1 + EXO_XXH_2, b = EXO_XXH_2, c = 0, d = 0 - EXO_XXH_1;
    for (; end - key >= 32; key += 32) {
      a = exo_xxh_round(a, exo_load64(key));
      b = exo_xxh_round(b, exo_load64(key + 8));
      c = exo_xxh_round(c, exo_load64(key + 16));
      d = exo_xxh_round(d, exo_load64(key + 24));
    }
    hash = exo_rotate(a, 1) + exo_rotate(b, 7) + exo_rotate(c, 12) + exo_rotate(d, 18);
    hash = exo_xxh_merge(exo_xxh_merge(exo_xxh_merge(exo_xxh_merge(hash, a), b), c), d);
  }
  hash += length;
  for (; end - key >= 8; key += 8)
    hash = exo_rotate(hash ^ exo_xxh_round(0, exo_load64(key)), 27) * EXO_XXH_1 + EXO_XXH_4;
  if (end - key >= 4) {
    hash = exo_rotate(hash ^ (__u64)exo_load32(key) * EXO_XXH_1, 23) * EXO_XXH_2 + EXO_XXH_3;
    key += 4;
  }
  for (; key < end; key++) hash = exo_rotate(hash ^ *key * EXO_XXH_5, 11) * EXO_XXH_1;
  hash = (hash ^ hash >> 33) * EXO_XXH_2;
  hash = (hash ^ hash >> 29) * EXO_XXH_3;
  return hash ^ hash >> 32;
}

/* The block of a key, of `blocks` in all. */
static inline __u64 exo_filter_block(__u64 hash, __u32 blocks) { return (hash >> 32) * blocks >> 32; }

/* The bit of a key in word i of its block. */
static inline __u32 exo_filter_bit(__u64 hash, __u32 i) {
  static const __u32 salts[EXO_FILTER_BLOCK_WORDS] = {0x47b6137bu, 0x44974d91u, 0x8824ad5bu, 0xa2b7289du,
                                                      0x705495c7u, 0x2df1424bu, 0x9efc4947u, 0x5c6bfb31u};
  return 1u << ((__u32)hash * salts[i] >> 27);
}

static inline void exo_filter_add(__u32 *block, __u64 hash) {
  for (__u32 i = 0; i < EXO_FILTER_BLOCK_WORDS; i++) block[i] |= exo_filter_bit(hash, i);
}

/* False: the key is not in the table. */
static inline int exo_filter_may_hold(const __u32 *block, __u64 hash) {
  __u32 missing = 0;
  for (__u32 i = 0; i < EXO_FILTER_BLOCK_WORDS; i++) missing |= exo_filter_bit(hash, i) & ~block[i];
  return missing == 0;
}

EXO_ASSERT(EXO_FILTER_BLOCK_BYTES == EXO_FILTER_BLOCK_WORDS * sizeof(__u32), "filter block");
EXO_ASSERT(sizeof(struct exo_page_header) + EXO_FILTER_PAGE_BLOCKS * EXO_FILTER_BLOCK_BYTES == EXO_PAGE_SIZE,
           "filter page");

#endif

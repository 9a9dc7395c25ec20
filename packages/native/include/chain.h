/* SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0) */
/*
 * A chain: one lookup as a sequence of dependent page reads, and the contract between the BPF program and user
 * space. User space fills `key` and resets the rest; the kernel side walks, and leaves its result in place.
 *
 * Chains live in a memory-mapped BPF array map, so neither keys nor results are copied between the two sides.
 */
#ifndef EXOPOOL_CHAIN_H
#define EXOPOOL_CHAIN_H

#include "table_format.h"

#define EXO_BATCH_MAX 64 /* chains a crossing: past that the crossing is below 2 % of the work */

enum exo_chain_status {
  EXO_CHAIN_FOUND = 1,
  EXO_CHAIN_NOT_FOUND = 2,
  EXO_CHAIN_BOUND = 3,   /* more hops than the table is high: the pages contradict the header */
  EXO_CHAIN_CORRUPT = 4, /* a page contradicts itself: offsets out of range, wrong level, wrong table */
  EXO_CHAIN_IO = 5,      /* a page could not be read */
};

struct exo_chain {
  /* in */
  __u16 key_len;
  __u8 key[EXO_KEY_MAX + 1];
  __u8 pad[6];
  /* out */
  __u32 status; /* enum exo_chain_status */
  __u32 hops;   /* pages visited; path[0 .. hops-1] are their offsets, for the reader to check their checksums */
  __u64 path[EXO_HEIGHT_MAX];
  __u16 value_at; /* where the value (or struct exo_value_ref) starts in `page` */
  __u16 value_len;
  __u8 value_kind; /* enum exo_value_kind */
  __u8 pad2[3];
  __u8 page[EXO_PAGE_SIZE]; /* the last page; only the parts that the walk needed are filled in */
};

/* The argument of one crossing: walk chains [first, first + count) of the map. */
struct exo_walk {
  __u64 base;      /* address in the caller where the table file is mapped */
  __u64 file_size; /* bytes mapped; nothing outside is read */
  __u64 table_id;
  __u64 root;
  __u32 height;
  __u32 first;
  __u32 count; /* at most EXO_BATCH_MAX */
  __u32 done;  /* out: chains walked */
};

EXO_ASSERT(sizeof(struct exo_chain) == 520 + 8 + 64 + 8 + 4096, "chain");
EXO_ASSERT(sizeof(struct exo_walk) == 48, "walk");

#endif

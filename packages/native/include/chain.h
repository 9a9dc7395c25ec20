/* SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0) */
/*
 * A chain: one lookup as a sequence of dependent page reads, and the contract between the BPF program and
 * user space. User space fills in the key and the root; the walker leaves its result in place.
 *
 * Chains live in a memory-mapped BPF array map, so neither keys nor results are copied between the two sides.
 */
#ifndef EXOPOOL_CHAIN_H
#define EXOPOOL_CHAIN_H

#include "table_format.h"

#define EXO_BATCH_MAX 64 /* chains a crossing: past that the crossing is below 2 % of the work */

/*
 * Walkers that may run at a time, each with an unmapped page of its own. Together they take a few bytes less than eight
 * pages, so the kernel allocates them as one piece of ordinary memory.
 */
#define EXO_DESKS 4
/* One more walker, on threads that must not wait: see EXO_PRESENT_ONLY. */
#define EXO_WALKERS (EXO_DESKS + 1)

/* A walker copies the first kilobyte of each page, and past it only what it needs: see table_search.h. */
#define EXO_HEAD_BYTES 1024
#define EXO_FETCH_MAX (EXO_PAGE_SIZE - EXO_HEAD_BYTES)

enum exo_chain_status {
  EXO_CHAIN_GOING = 0,
  EXO_CHAIN_FOUND = 1,
  EXO_CHAIN_NOT_FOUND = 2,
  EXO_CHAIN_BOUND = 3,   /* more hops than the table is high: the pages contradict the header */
  EXO_CHAIN_CORRUPT = 4, /* a page contradicts itself: offsets out of range, wrong level, wrong table */
  EXO_CHAIN_IO = 5,      /* a page could not be read */
  /* Only of chains in a loop (loop.h). From EXO_CHAIN_BOUND on there is no answer: the lookup goes on elsewhere. */
  EXO_CHAIN_STALE = 6,    /* the snapshot of the file's extents is no longer valid */
  EXO_CHAIN_STRADDLE = 7, /* a page does not lie in one piece on the device */
};

struct exo_chain {
  /* in */
  __u16 key_len;
  __u8 key[EXO_KEY_MAX + 1];
  __u8 pad[6];
  __u64 next; /* offset of the page to visit next; at the start the root */
  /* in and out: a walk may start below pages that user space has visited */
  __u64 path[EXO_HEIGHT_MAX]; /* path[0 .. hops-1]: pages visited, for the reader to check their checksums */
  __u32 hops;
  /* out */
  __u32 status;    /* enum exo_chain_status */
  __u32 copied;    /* bytes copied from pages */
  __u16 slot;      /* the slot of the last page that the search ended on */
  __u8 value_kind; /* enum exo_value_kind */
  __u8 pad2;
  __u16 value_at; /* where the value (or struct exo_value_ref) starts in `page` */
  __u16 value_len;
  __u32 pad3;
  /*
   * The last page; only the parts that the walk needed are filled in. Bytes past EXO_PAGE_SIZE are never used: they let
   * a verifier bound an offset (below a page) and a length (EXO_FETCH_MAX) separately, since it cannot bound their sum.
   */
  __u8 page[EXO_PAGE_SIZE + EXO_FETCH_MAX];
};

/* In exo_walk.base, which is a page's address: a chain ends with EXO_CHAIN_IO where the caller has no page mapped. */
#define EXO_PRESENT_ONLY 1ull

/* The argument of one crossing: walk chains [first, first + count) of the map. */
struct exo_walk {
  __u64 base;      /* address in the caller where the table file is mapped */
  __u64 file_size; /* bytes mapped; nothing outside is read */
  __u64 table_id;
  __u64 root; /* offset of the root page; 0 when no chain starts there */
  __u32 height;
  __u32 first;
  __u32 count; /* at most EXO_BATCH_MAX */
  __u32 done;  /* out: chains walked */
};

EXO_ASSERT(sizeof(struct exo_chain) == 520 + 8 + 128 + 24 + 4096 + 3072, "chain");
EXO_ASSERT(EXO_DESKS * sizeof(struct exo_chain) + 1024 <= 8 * EXO_PAGE_SIZE, "desks in one piece");
EXO_ASSERT(sizeof(struct exo_walk) == 48, "walk");

#endif

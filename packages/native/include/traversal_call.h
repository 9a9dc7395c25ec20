/* SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0) */
/* The contract between the loader of a user-defined traversal and its programs in the kernel (kernel/traversal). */
#ifndef EXOPOOL_TRAVERSAL_CALL_H
#define EXOPOOL_TRAVERSAL_CALL_H

#include "loop.h"
#include "traversal.h"

#define EXO_TRAVERSAL_CHAINS 64 /* a crossing, and in flight; as for tables (chain.h, loop.h) */
/* Hops of one chain in the kernel: a verifier needs a bound. A longer chain goes on at user level. */
#define EXO_TRAVERSAL_KERNEL_HOPS 256

/* page_cache.bpf.c: walk chains [first, first + count) of the maps. */
struct exo_traversal_walk {
  __u64 base; /* address in the caller where the file is mapped */
  __u64 file_size;
  __u32 hops_max;
  __u32 first;
  __u32 count;
  __u32 done; /* out: chains walked */
};
EXO_ASSERT(sizeof(struct exo_traversal_walk) == 32, "walk");

/* loop.bpf.c: one batch, chains [0, count). As struct exo_loop, whose fields have their names. */
struct exo_traversal_loop {
  __u64 file_size;
  __u64 chains; /* address in user space of chain 0 */
  __u32 hops_max;
  __u32 count;
  __u32 kind; /* enum exo_loop_kind */
  __u32 fd;
  __u32 namespace_id;
  __u32 lba_shift;
  __u32 extents;    /* of the file, in the map of extents */
  __u32 generation; /* the value that `snapshot` must have at each hop; 0 never matches */
  __u32 snapshot;
  /* out */
  __u32 started;
  __u32 live;
  /* of the ring; never changed by user space */
  __u32 sq_tail;
  __u32 submitted;
  __u32 pad;
  struct exo_control controls[EXO_TRAVERSAL_CHAINS];
};
EXO_ASSERT(sizeof(struct exo_traversal_loop) == 72 + 160 * EXO_TRAVERSAL_CHAINS, "loop");

#define EXO_TRAVERSAL_REGION_BYTES (EXO_TRAVERSAL_CHAINS * sizeof(struct traversal))

#endif

/* SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0) */
/*
 * A loop: chains that advance inside the kernel's io_uring wait loop, and the contract between the BPF program
 * there and user space.
 *
 *   user space                          kernel, one io_uring_enter for a batch
 *   keys, roots -> chains               loop_step: first reads -> ring
 *                                       loop_step: page is there -> one hop (table_search.h) -> next read ...
 *   results     <- chains               loop_step: no chain left -> STOP
 *
 * Three kinds of memory, by who may write to them:
 *
 *   the region       chains with their pages, memory of user space that the ring knows. The traversal sees one
 *                    chain of it at a time, and nothing else.
 *   struct exo_loop  a map: what a batch is, how far each chain is, and how it ended. Only loop_step writes
 *                    here, so a traversal can neither exceed its hops nor invent a result.
 *   extents          maps: where on the device a file lies, and whether that still holds.
 */
#ifndef EXOPOOL_LOOP_H
#define EXOPOOL_LOOP_H

#include "chain.h"

#define EXO_LOOP_CHAINS 64     /* chains in flight: enough for a device's full throughput */
#define EXO_LOOP_ENTRIES 64    /* the submission queue's size: each chain has at most one read in flight */
#define EXO_LOOP_SQE_BYTES 128 /* NVMe commands do not fit in 64 */
#define EXO_LOOP_CQE_BYTES 32  /* NVMe commands need these too */
#define EXO_LOOP_SQ_BYTES (EXO_LOOP_ENTRIES * EXO_LOOP_SQE_BYTES)
/* Room for both rings' heads and the completion queue. That queue has twice as many entries. The kernel uses 8 KiB. */
#define EXO_LOOP_CQ_BYTES (2 * EXO_PAGE_SIZE)

/*
 * Chain i of the region starts at EXO_LOOP_CHAIN_AT(i), so that its page is aligned for direct I/O. The bytes of a
 * chain behind its page are never used (chain.h), and end before the next chain starts.
 */
#define EXO_LOOP_STRIDE (2 * EXO_PAGE_SIZE)
#define EXO_LOOP_PAGE_AT(i) ((__u64)(i)*EXO_LOOP_STRIDE + EXO_PAGE_SIZE)
#define EXO_LOOP_CHAIN_AT(i) (EXO_LOOP_PAGE_AT(i) - __builtin_offsetof(struct exo_chain, page))
#define EXO_LOOP_REGION_BYTES (EXO_LOOP_CHAINS * EXO_LOOP_STRIDE + EXO_PAGE_SIZE)

#define EXO_LOOP_EXTENTS_MAX 65536 /* of all files at a time; 1.5 MiB. A table file has a few */
#define EXO_EXTENT_STEPS 17        /* 2^17 > EXO_LOOP_EXTENTS_MAX */
#define EXO_SNAPSHOTS_MAX 1024     /* files at a time */

enum exo_loop_kind {
  EXO_LOOP_FILE = 0, /* reads of the file */
  EXO_LOOP_NVME = 1, /* NVMe commands to the device that the file is on */
};

/* Offsets in the rings, as io_uring_setup tells them; constant once the program is loaded. */
struct exo_loop_ring {
  __u32 cq_head;
  __u32 cq_tail;
  __u32 cqes;
  __u32 sq_tail;
};

struct exo_loop_chain {
  __u64 path[EXO_HEIGHT_MAX]; /* path[0 .. hops-1]: requested pages */
  __u32 hops;
  __u32 status; /* enum exo_chain_status; EXO_CHAIN_GOING until it has ended */
};

/* One batch: chains [0, count) of the region. */
struct exo_loop {
  /* in */
  __u64 file_size;
  __u64 table_id;
  __u64 pages;  /* address in user space of the page of chain 0 */
  __u32 height; /* the bound on hops */
  __u32 count;
  __u32 kind; /* enum exo_loop_kind */
  __u32 fd;   /* of the file, or of the NVMe namespace's character device */
  /* in, of EXO_LOOP_NVME */
  __u32 namespace_id;
  __u32 lba_shift; /* 2^lba_shift bytes a logical block */
  __u32 extent;    /* the file's extents are [extent, extent + extents) of the map */
  __u32 extents;
  __u32 snapshot;   /* the file's slot in the map of snapshots */
  __u32 generation; /* the value that the slot must have at each hop */
  /* out */
  __u32 started; /* chains whose first read was submitted; 0 starts a batch */
  __u32 live;    /* chains that have not ended */
  /* of the ring; never changed by user space */
  __u32 sq_tail;
  __u32 submitted;
  struct exo_loop_chain chains[EXO_LOOP_CHAINS];
};

/* A run of bytes of a file that lies in one piece on its device. Sorted by file_offset; no gaps are bridged. */
struct exo_extent {
  __u64 file_offset;
  __u64 bytes;
  __u64 device_offset; /* from the start of the namespace */
};

EXO_ASSERT(sizeof(struct exo_loop_chain) == 136, "loop chain");
EXO_ASSERT(sizeof(struct exo_loop) == 80 + 136 * EXO_LOOP_CHAINS, "loop");
EXO_ASSERT(sizeof(struct exo_extent) == 24, "extent");
EXO_ASSERT(EXO_LOOP_CHAIN_AT(0) + sizeof(struct exo_chain) <= EXO_LOOP_CHAIN_AT(1), "chains do not overlap");
EXO_ASSERT(EXO_LOOP_CHAIN_AT(EXO_LOOP_CHAINS - 1) + sizeof(struct exo_chain) <= EXO_LOOP_REGION_BYTES,
           "the last chain");

#endif

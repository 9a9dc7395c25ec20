/* SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0) */
/*
 * The contract of exopool.ko: shared by the module, its BPF programs and user space.
 *
 * A chain is a sequence of dependent reads of one file. A program of the type struct_ops/exo_ops picks the next block
 * from the block that was just read. The module reads it without a return to user space.
 *
 *   load a program with an id of your choice, attached by a link
 *   open("/dev/exopool")                        a session: one batch at a time, so one a thread
 *   EXO_IOC_ATTACH  descriptor, program         snapshot of the file's extents, with a generation
 *   EXO_IOC_RUN     up to EXO_FLIGHTS_MAX chains, all in flight together
 *                   or by an io_uring: IORING_OP_URING_CMD, cmd_op EXO_IOC_RUN, the argument's address in `cmd`
 *   EXO_IOC_REFRESH after EXO_END_STALE         a new snapshot, under the same number
 */
#ifndef EXOPOOL_DRIVER_ABI_H
#define EXOPOOL_DRIVER_ABI_H

#ifdef __BPF__
#include "kernel_types.h"
#else
#include <linux/ioctl.h>
#include <linux/types.h>
#endif

#define EXO_DRIVER_PATH "/dev/exopool"
#define EXO_DRIVER_VERSION 1

#define EXO_FLIGHTS_MAX 64         /* chains a call: past that the call is below 2 % of the work */
#define EXO_HOPS_MAX 64            /* reads a chain: eight times the height of the highest table */
#define EXO_ATTACHED_MAX 1024      /* files a session: as many as a process may usually have open */
#define EXO_FILE_EXTENTS_MAX 65536 /* of one file: 1.5 MiB of kernel memory; past that, defragment it */
#define EXO_BLOCK_BYTES_MAX 4096
#define EXO_SCRATCH_WORDS 8 /* one cache line of arguments and results */

/* The argument of the program's `next`, which may change the fields from `next` on. */
struct exo_hop {
  __u64 offset;      /* of the block that was read */
  __u32 hops;        /* blocks read so far, this one among them */
  __u32 block_bytes; /* 512 or 4096 */
  __u64 next;        /* out: file offset of the block to read next, a multiple of block_bytes */
  __u32 done;        /* out: not zero ends the chain */
  __u32 reserved;
  __u64 scratch[EXO_SCRATCH_WORDS]; /* from the request, kept from hop to hop, and returned */
};

enum exo_mode {
  EXO_MODE_BEST = 0,   /* irq, poll or wait, as the file's device allows */
  EXO_MODE_WAIT = 1,   /* the caller sleeps and is woken by completions: any block device */
  EXO_MODE_THREAD = 2, /* a kernel worker goes on with the chains, the caller sleeps till the end: any device */
  EXO_MODE_POLL = 3,   /* the caller reaps completions itself: devices with polled queues */
  EXO_MODE_IRQ = 4,    /* in the completion handler of the NVMe driver: needs the hooked nvme.ko */
};
#define EXO_MODES 5

/* How a chain ended. Those after EXO_END_DONE leave `offset` of the request at the block to go on with. */
enum exo_end {
  EXO_END_NONE = 0,
  EXO_END_DONE = 1,      /* the program set `done` */
  EXO_END_PROGRAM = 2,   /* the program returned a value other than 0 */
  EXO_END_BOUND = 3,     /* more hops than the call allowed */
  EXO_END_OUTSIDE = 4,   /* the next offset is no block of the file */
  EXO_END_STRADDLE = 5,  /* the next block lies in two extents */
  EXO_END_STALE = 6,     /* the file may have changed since the snapshot: EXO_IOC_REFRESH */
  EXO_END_BUDGET = 7,    /* the process has used up its reads for now */
  EXO_END_IO = 8,        /* the device failed; `error` has the errno */
  EXO_END_CANCELLED = 9, /* the caller was killed */
};
#define EXO_ENDS 10

/* Why a file was refused. The ioctl fails with an errno; this says more. */
enum exo_refusal {
  EXO_REFUSED_NOT = 0,
  EXO_REFUSED_MODE = 1,       /* not opened for reading, or neither a regular file nor a block device */
  EXO_REFUSED_DEVICE = 2,     /* a device node, without CAP_SYS_RAWIO */
  EXO_REFUSED_FILESYSTEM = 3, /* not ext4 or XFS on one block device */
  EXO_REFUSED_LAYOUT = 4,     /* holes, unwritten, inline, shared or real-time extents */
  EXO_REFUSED_ENCODED = 5,    /* encrypted, verity or DAX: the device's bytes are not the file's */
  EXO_REFUSED_WRITERS = 6,    /* a process has it open for writing */
  EXO_REFUSED_SWAP = 7,       /* it is a swap file */
  EXO_REFUSED_EXTENTS = 8,    /* more than EXO_FILE_EXTENTS_MAX */
  EXO_REFUSED_BLOCK = 9,      /* block_bytes is not 512 or 4096, or less than the device's block */
  EXO_REFUSED_PROGRAM = 10,   /* no program with this id */
  EXO_REFUSED_EMPTY = 11,     /* not even one block */
};
#define EXO_REFUSALS 12

struct exo_info {
  __u32 version;  /* EXO_DRIVER_VERSION */
  __u32 has_hook; /* the NVMe driver that is loaded has the hook */
  __u64 budget;   /* chained reads a second and process; 0: no limit */
};

/* Refuses writes, truncation, hole punching, renaming and unlinking, as the kernel does for swap files. */
#define EXO_ATTACH_PIN 1u

struct exo_attach {
  __s32 fd;
  __u32 flags; /* EXO_ATTACH_* */
  __u32 block_bytes;
  __u32 file; /* out; in for EXO_IOC_REFRESH and EXO_IOC_DETACH, which need nothing else */
  __u64 program;
  /* out */
  __u64 generation; /* unique among all snapshots */
  __u64 bytes;      /* of the file; a partial last block is not read */
  __u32 extents;
  __u32 modes;   /* bit 1 << enum exo_mode for each that this file can have */
  __u32 refusal; /* enum exo_refusal */
  __u32 reserved;
};

struct exo_request {
  __u64 offset; /* in: the first block; out: the block that the chain stood at, or should go on with */
  __u64 scratch[EXO_SCRATCH_WORDS];
  __u32 end;   /* out: enum exo_end */
  __u16 hops;  /* out: blocks that the program saw */
  __u16 error; /* out: errno of EXO_END_IO */
};

struct exo_run {
  __u64 requests; /* address of `count` struct exo_request */
  __u32 count;
  __u32 file;
  __u32 mode;     /* enum exo_mode */
  __u32 hops_max; /* for each chain, 1 .. EXO_HOPS_MAX */
  /* out */
  __u32 ran_mode;
  __u32 resubmitted; /* hops that followed one another in the completion handler */
  __u32 empty_polls; /* polls of the device's queue that found no completion */
  __u32 reserved;
};

#define EXO_IOC_INFO _IOR(0xE5, 0x50, struct exo_info)
#define EXO_IOC_ATTACH _IOWR(0xE5, 0x51, struct exo_attach)
#define EXO_IOC_REFRESH _IOWR(0xE5, 0x52, struct exo_attach)
#define EXO_IOC_DETACH _IOW(0xE5, 0x53, struct exo_attach)
#define EXO_IOC_RUN _IOWR(0xE5, 0x54, struct exo_run)

#ifdef __cplusplus
#define EXO_ABI_ASSERT(condition, text) static_assert(condition, text)
#else
#define EXO_ABI_ASSERT(condition, text) _Static_assert(condition, text)
#endif
EXO_ABI_ASSERT(sizeof(struct exo_hop) == 96, "hop");
EXO_ABI_ASSERT(sizeof(struct exo_attach) == 56, "attach");
EXO_ABI_ASSERT(sizeof(struct exo_request) == 80, "request");
EXO_ABI_ASSERT(sizeof(struct exo_run) == 40, "run");

#endif

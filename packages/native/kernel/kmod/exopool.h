/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The module's parts and their interfaces.
 *
 *   device.c      ioctls, sessions                      snapshot.c  extents of a file, pinned or watched
 *   chains.c      a batch of chains: submit, step, end  watch.c     tells when a file may have changed
 *   programs.c    the BPF struct_ops type and kfuncs    account.c   budgets and statistics
 *   hook.c        the NVMe driver's completion handler
 */
#ifndef EXOPOOL_MODULE_H
#define EXOPOOL_MODULE_H

#include <linux/bio.h>
#include <linux/blkdev.h>
#include <linux/fs.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>

#include "driver_abi.h"
#include "extents.h"

/* A cache of its own for each type: /proc/slabinfo shows the objects in use, and unloading reports leaks. */
#define EXO_CACHE(type) KMEM_CACHE(type, SLAB_NO_MERGE)

/* programs.c */

struct exo_ops {
  int (*next)(struct exo_hop *hop);
  u64 id; /* chosen by the loader; sessions name it when they attach a file */
};

struct exo_program;

int exo_programs_start(void);
void exo_programs_stop(void);
struct exo_program *exo_program_get(u64 id);
void exo_program_put(struct exo_program *program);
/* Between the two the program stays loaded. NULL: it is gone for good. */
const struct exo_ops *exo_program_enter(struct exo_program *program);
void exo_program_leave(struct exo_program *program);

/* watch.c */

struct exo_watch;

int exo_watch_start(void);
void exo_watch_stop(void);
struct exo_watch *exo_watch_get(struct inode *inode);
void exo_watch_put(struct exo_watch *watch);
bool exo_watch_saw_change(const struct exo_watch *watch);

/* snapshot.c */

struct exo_snapshot {
  struct kref ref;
  struct list_head entry;
  struct file *file;
  struct block_device *bdev;
  struct exo_watch *watch; /* NULL for a device node */
  u64 generation;
  u64 bytes;
  u32 pins; /* attachments that want the file pinned */
  u32 count;
  struct exo_extent *extents;
};

int exo_snapshots_start(void);
void exo_snapshots_stop(void);
struct exo_snapshot *exo_snapshot_get(struct file *file, u32 block_bytes, bool pin, u32 *refusal);
void exo_snapshot_put(struct exo_snapshot *snapshot, bool pin);
/* Between the two calls no block leaves the file. False: blocks may have left it since the snapshot. */
bool exo_snapshot_enter(struct exo_snapshot *snapshot, bool pin);
void exo_snapshot_leave(struct exo_snapshot *snapshot, bool pin);

/* As exo_extents_find. */
static inline enum exo_end exo_snapshot_find(const struct exo_snapshot *snapshot, u64 offset, u32 block_bytes,
                                             u64 *sector) {
  return exo_extents_find(snapshot->extents, snapshot->count, snapshot->bytes, offset, block_bytes, sector);
}

/* account.c */

struct exo_account;

struct exo_tally {
  u64 hops;
  u64 resubmitted;
  u32 chains;
  u32 ends[EXO_ENDS];
};

int exo_accounts_start(void);
void exo_accounts_stop(void);
u32 exo_budget(void);
struct exo_account *exo_account_get(void);
void exo_account_put(struct exo_account *account);
/* How many of `wanted` reads the process may do now; they count as done until they are returned. */
u32 exo_account_take(struct exo_account *account, u32 wanted);
void exo_account_give_back(struct exo_account *account, u32 unused);
void exo_account_add(struct exo_account *account, enum exo_mode mode, const struct exo_tally *tally);
void exo_account_add_refusal(struct exo_account *account);

/* chains.c */

struct exo_batch;

struct exo_flight {
  struct exo_hop hop;
  struct exo_batch *batch;
  void *block;
  u64 sector;
  u16 hops;
  u16 hops_max;
  u16 resubmitted;
  u16 error;
  enum exo_end end;
  bool in_device; /* submitted, and not yet arrived */
  struct list_head entry;
  struct bio bio;
  struct bio ready; /* as the bio was before it was submitted last */
  struct bio_vec vector;
};

struct exo_batch {
  /* Constant while a batch runs. */
  const struct exo_ops *ops;
  const struct exo_snapshot *snapshot;
  enum exo_mode mode;
  blk_opf_t flags;
  u32 count;
  bool cancelled;
  u32 empty_polls; /* this and the next belong to the calling task */
  u32 poll_next;

  spinlock_t lock;          /* of the rest; taken with interrupts off; a completion touches it last */
  u32 live;                 /* chains that have not ended */
  struct list_head arrived; /* flights with a block that the program has not seen */
  struct task_struct *waiter;

  struct work_struct work;
  struct exo_flight flights[EXO_FLIGHTS_MAX];
};

int exo_chains_start(void);
void exo_chains_stop(void);
struct exo_batch *exo_batch_create(void);
void exo_batch_free(struct exo_batch *batch);
/* Runs chains 0 .. count-1, whose hop.offset, hop.scratch and hops_max are set, till each has ended. */
void exo_batch_run(struct exo_batch *batch);
/* Shows the flight's block to the program. True: flight->sector is to be read next; false: the chain has ended. */
bool exo_flight_step(struct exo_flight *flight);
struct exo_flight *exo_flight_of(struct bio *bio); /* NULL: the bio is not one of ours */
/* Bit 1 << enum exo_mode for each that the device can have; `has_hook`: see exo_hook_present. */
u32 exo_modes_of(struct block_device *bdev, bool has_hook);

/* hook.c */

int exo_hook_start(void);
void exo_hook_stop(void);
bool exo_hook_present(void);

/* device.c */

int exo_device_start(void);
void exo_device_stop(void);

#endif

// SPDX-License-Identifier: GPL-2.0
/*
 * exopool.ko: lookups in on-disk indexes with dependent reads that follow one another in the kernel, directed by a
 * program for the index's format. It brings resubmission at the driver's completion to distribution kernels, without
 * patches.
 *
 * The module is idle until a process opens /dev/exopool. It cannot be unloaded while the device is open or a program of
 * ours is loaded, so also not while a chain is in flight.
 *
 * Locks, from the outside in; the holder of one may take only those below it. Distribution kernels have no lockdep, so
 * this table replaces it:
 *
 *   session->lock        device.c    mutex     one call at a time on a descriptor; held while a batch runs
 *   snapshots_lock       snapshot.c  mutex     attach, refresh, detach; a batch never takes it
 *   inode lock           the kernel  rw_sem    under snapshots_lock to pin; by itself, shared, when a batch starts
 *   programs_lock        programs.c  mutex     a leaf; a program that is unloaded waits for batches without it
 *   accounts_lock        account.c   mutex     a leaf
 *   account, totals      account.c   spinlock  leaves; tasks only, so interrupts stay on
 *   slot_lock            hook.c      mutex     a leaf
 *   cq_poll_lock         the driver  spinlock  held by the poller while completions run
 *   batch->lock          chains.c    spinlock  also taken in interrupts, so interrupts are off wherever it is taken
 *   runqueue, pool locks the kernel  spinlock  under batch->lock: wake_up_process, queue_work
 *   sq_lock              the driver  spinlock  in the hook's caller, after the program has run: nothing of ours is held
 *
 * Three waits need an order too. A batch waits for its bios, whose completions take batch->lock alone. Direct I/O that
 * a batch counts itself as (inode_dio_begin) is waited for under the inode lock, which the batch does not take again
 * until it has ended. Unloading a program waits for the batches in it, and those wait for devices only.
 *
 * Interrupt code (hook.c, exo_flight_step, on_bio_end) neither allocates nor sleeps. It reaches only the batch, the
 * snapshot and the program of its flight, and the call that waits for the batch holds all three.
 */
#include <linux/init.h>
#include <linux/module.h>

#include "exopool.h"

static const struct {
  int (*start)(void);
  void (*stop)(void);
} parts[] = {
    // clang-format off
    {exo_watch_start, exo_watch_stop},
    {exo_snapshots_start, exo_snapshots_stop},
    {exo_chains_start, exo_chains_stop},
    {exo_programs_start, exo_programs_stop},
    {exo_accounts_start, exo_accounts_stop},
    {exo_hook_start, exo_hook_stop},
    {exo_device_start, exo_device_stop},
    // clang-format on
};

static void stop_before(size_t end) {
  while (end-- > 0) parts[end].stop();
}

static int __init exo_start(void) {
  size_t i;

  for (i = 0; i < ARRAY_SIZE(parts); i++) {
    int error = parts[i].start();

    if (!error) continue;
    stop_before(i);
    return error;
  }
  return 0;
}

static void __exit exo_stop(void) { stop_before(ARRAY_SIZE(parts)); }

module_init(exo_start);
module_exit(exo_stop);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Chained reads of on-disk indexes, directed by BPF programs");
MODULE_VERSION("0.1.0");

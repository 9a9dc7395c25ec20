/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The edited NVMe driver's interface for exopool.ko; scripts/build-kmod.mjs copies it beside the driver's source.
 *
 * The driver calls the hook for each successful read into one piece of memory, before it completes the request. True:
 * the block at *sector (of the whole disk) is read next, into the same memory by the same command, and the request
 * stays in flight. False: the request completes as usual.
 *
 * Called in the interrupt handler, in its thread or in a poll, inside rcu_read_lock: must not sleep nor submit.
 */
#ifndef EXOPOOL_NVME_HOOK_H
#define EXOPOOL_NVME_HOOK_H

#include <linux/types.h>

struct request;

typedef bool (*exo_nvme_hook_fn)(struct request *request, sector_t *sector);

extern exo_nvme_hook_fn __rcu exo_nvme_hook;

#endif

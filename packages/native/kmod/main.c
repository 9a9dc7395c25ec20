// SPDX-License-Identifier: GPL-2.0
/*
 * exopool.ko: lookups in on-disk indexes whose dependent reads follow one another in the kernel, as the program of
 * the index's format says. It keeps the promise of resubmission at the driver's completion for kernels that people
 * run, without patching them.
 *
 * Nothing happens until somebody opens /dev/exopool. The module cannot be unloaded while the device is open, while a
 * program of ours is loaded, or, so, while a chain is in flight.
 */
#include <linux/init.h>
#include <linux/module.h>

#include "exopool.h"

static const struct {
  int (*start)(void);
  void (*stop)(void);
} parts[] = {
    {exo_watch_start, exo_watch_stop},
    {exo_chains_start, exo_chains_stop},
    {exo_programs_register, NULL}, /* the kernel forgets it with the module */
    {exo_accounts_start, exo_accounts_stop},
    {exo_hook_start, exo_hook_stop},
    {exo_device_start, exo_device_stop},
};

static void stop_before(size_t end) {
  while (end-- > 0)
    if (parts[end].stop) parts[end].stop();
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

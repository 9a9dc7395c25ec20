// SPDX-License-Identifier: GPL-2.0
/*
 * Resubmission in the completion handler, with the NVMe driver that has the hook (see nvme_hook.h).
 *
 * The driver is found by its exported symbol, without a link dependency: without the driver the module still loads and
 * runs chains in another mode. While the symbol is held, the driver cannot be unloaded.
 */
#include <linux/blk-mq.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>

#include "exopool.h"
#include "nvme_hook.h"

static exo_nvme_hook_fn __rcu *slot;
static DEFINE_MUTEX(slot_lock);

static bool on_completion(struct request *request, sector_t *sector) {
  struct bio *bio = request->bio;
  struct exo_flight *flight = bio && !bio->bi_next ? exo_flight_of(bio) : NULL;

  if (!flight || flight->batch->mode != EXO_MODE_IRQ || !exo_flight_step(flight)) return false;
  flight->resubmitted++;
  *sector = flight->sector + get_start_sect(flight->batch->snapshot->bdev);
  bio->bi_iter.bi_sector = *sector; /* where another path reads it again after a failover */
  return true;
}

bool exo_hook_present(void) {
  mutex_lock(&slot_lock);
  if (!slot) {
    slot = symbol_get(exo_nvme_hook);
    if (slot) rcu_assign_pointer(*slot, on_completion);
  }
  mutex_unlock(&slot_lock);
  return slot;
}

int exo_hook_start(void) {
  pr_info("exopool: the NVMe driver %s\n", exo_hook_present() ? "has the hook" : "has no hook");
  return 0;
}

void exo_hook_stop(void) {
  if (!slot) return;
  rcu_assign_pointer(*slot, NULL);
  synchronize_rcu();
  symbol_put(exo_nvme_hook);
  slot = NULL;
}

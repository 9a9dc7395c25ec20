// SPDX-License-Identifier: GPL-2.0
/*
 * A batch of chains, all in flight together.
 *
 *             submit                     completion (interrupt, thread or poll)
 *   task  ------------->  device  ------------------------------------------+
 *    ^                       ^                                               |
 *    |                       |  irq: stepped in the driver's hook, same command
 *    |                       +-----------------------------------------------+
 *    |                                                                       |
 *    +---- wait, poll: the calling task steps and submits again  <-----------+  onto `arrived`
 *          thread: a worker does                                             |
 *    <------------------------------------------------ last chain has ended -+
 *
 * In every mode a completion that the hook did not take puts its flight on `arrived`, where the chain goes on. So a
 * device may change, or lose its hook, while a batch runs.
 *
 * Contexts and locks. batch->lock is taken in completions, so with interrupts off everywhere; nothing is called under
 * it but wake_up_process and queue_work, and it nests inside the driver's cq_poll_lock only. A step takes no lock at
 * all. Tasks and workers submit bios without a lock. A completion's last access to the batch is the release of the
 * lock. A batch is over once its owner has seen `live` at 0 under the lock; it may be freed from then on.
 * exo_batch_free waits for the worker.
 *
 * Bios, pages and flights belong to the batch and are used again; a chain allocates nothing.
 */
#include <linux/module.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "exopool.h"
#include "stepping.h"

/* A bio that is merged with a neighbour has no request of its own to resubmit. */
#define FLIGHT_FLAGS (REQ_OP_READ | REQ_SYNC | REQ_NOMERGE)

/* Workers of the CPU where a completion arrived. Newer kernels require this flag. */
#ifdef EXO_HAS_WQ_PERCPU
#define WORKER_FLAGS (WQ_HIGHPRI | WQ_MEM_RECLAIM | WQ_PERCPU)
#else
#define WORKER_FLAGS (WQ_HIGHPRI | WQ_MEM_RECLAIM)
#endif

static struct workqueue_struct *workers;
static struct kmem_cache *cache;

static void on_bio_end(struct bio *bio);

struct exo_flight *exo_flight_of(struct bio *bio) {
  return bio->bi_end_io == on_bio_end ? bio->bi_private : NULL;
}

static bool end_flight(struct exo_flight *flight, enum exo_end end) {
  flight->end = end;
  return false;
}

bool exo_flight_step(struct exo_flight *flight) {
  struct exo_batch *batch = flight->batch;
  struct exo_hop *hop = &flight->hop;
  struct exo_flight *outer;
  enum exo_end end;
  int result;

  if (READ_ONCE(batch->cancelled)) return end_flight(flight, EXO_END_CANCELLED);
  hop->hops = ++flight->hops;
  preempt_disable();
  outer = this_cpu_read(exo_stepping);
  this_cpu_write(exo_stepping, flight);
  result = batch->ops->next(hop);
  this_cpu_write(exo_stepping, outer);
  preempt_enable();
  if (result) return end_flight(flight, EXO_END_PROGRAM);
  if (hop->done) return end_flight(flight, EXO_END_DONE);
  hop->offset = hop->next;
  if (flight->hops >= flight->hops_max) return end_flight(flight, EXO_END_BOUND);
  end = exo_snapshot_find(batch->snapshot, hop->offset, hop->block_bytes, &flight->sector);
  return end == EXO_END_NONE || end_flight(flight, end);
}

static void on_bio_end(struct bio *bio) {
  struct exo_flight *flight = bio->bi_private;
  struct exo_batch *batch = flight->batch;
  struct task_struct *waiter;
  unsigned long flags;

  if (unlikely(bio->bi_status)) {
    flight->end = EXO_END_IO;
    flight->error = -blk_status_to_errno(bio->bi_status);
  }
  spin_lock_irqsave(&batch->lock, flags);
  flight->in_device = false;
  waiter = batch->waiter;
  if (flight->end != EXO_END_NONE) {
    if (--batch->live) waiter = NULL;
  } else {
    list_add_tail(&flight->entry, &batch->arrived);
    if (batch->mode == EXO_MODE_THREAD) {
      queue_work(workers, &batch->work);
      waiter = NULL;
    }
  }
  if (waiter) {
    batch->waiter = NULL;
    wake_up_process(waiter);
  }
  spin_unlock_irqrestore(&batch->lock, flags);
}

/* Whether the bio still belongs to the cgroup that `ready` names: a driver that redirects bios changes that. */
static bool has_same_cgroup(const struct bio *bio, const struct bio *ready) {
#ifdef CONFIG_BLK_CGROUP
  return bio->bi_blkg == ready->bi_blkg;
#else
  return true;
#endif
}

/*
 * Makes the bio ready to be submitted. Usually it can be restored to its state before the last submission, and so keeps
 * its reference to the cgroup.
 */
static void prepare_bio(struct exo_flight *flight) {
  struct block_device *bdev = flight->batch->snapshot->bdev;
  struct bio *bio = &flight->bio, *ready = &flight->ready;

  if (ready->bi_bdev == bdev && bio->bi_bdev == bdev && ready->bi_opf == flight->batch->flags &&
      ready->bi_iter.bi_size == flight->hop.block_bytes && has_same_cgroup(bio, ready)) {
    *bio = *ready;
    return;
  }
  bio_reset(bio, bdev, flight->batch->flags);
  __bio_add_page(bio, virt_to_page(flight->block), flight->hop.block_bytes, 0);
  bio->bi_private = flight;
  bio->bi_end_io = on_bio_end;
  *ready = *bio;
}

static void submit_flight(struct exo_flight *flight) {
  struct bio *bio = &flight->bio;

  prepare_bio(flight);
  bio->bi_iter.bi_sector = flight->sector;
  WRITE_ONCE(flight->in_device, true);
  submit_bio(bio);
}

/* As many requests as the block layer allocates at once, and submits at once. */
#define PLUG_MAX 32

/* Tells the plug how many are to come, at each PLUG_MAX of them. */
static void expect_submissions(struct blk_plug *plug, u32 done, u32 count) {
  if (done % PLUG_MAX == 0) plug->nr_ios = min_t(u32, count - done, PLUG_MAX);
}

/* Steps the arrived flights, and submits those that go on. False: none had arrived. */
static bool advance(struct exo_batch *batch) {
  struct exo_flight *flight, *following;
  struct blk_plug plug;
  LIST_HEAD(arrived);
  u32 ended = 0;

  spin_lock_irq(&batch->lock);
  list_splice_init(&batch->arrived, &arrived);
  spin_unlock_irq(&batch->lock);
  if (list_empty(&arrived)) return false;
  blk_start_plug(&plug);
  list_for_each_entry_safe(flight, following, &arrived, entry) {
    if (exo_flight_step(flight))
      submit_flight(flight);
    else
      ended++;
  }
  blk_finish_plug(&plug);
  if (ended) {
    spin_lock_irq(&batch->lock);
    batch->live -= ended;
    if (!batch->live && batch->waiter) {
      wake_up_process(batch->waiter);
      batch->waiter = NULL;
    }
    spin_unlock_irq(&batch->lock);
  }
  return true;
}

static void work(struct work_struct *work) {
  struct exo_batch *batch = container_of(work, struct exo_batch, work);

  while (advance(batch)) cond_resched();
}

/* Ends the chains at their next step: a killed process only waits for the reads in flight. */
static void cancel_if_killed(struct exo_batch *batch) {
  if (unlikely(fatal_signal_pending(current))) WRITE_ONCE(batch->cancelled, true);
}

/* Sleeps till a flight has arrived for this task, or all chains have ended. */
static void sleep_on(struct exo_batch *batch) {
  bool has_work;

  cancel_if_killed(batch);
  spin_lock_irq(&batch->lock);
  has_work = !batch->live || (batch->mode != EXO_MODE_THREAD && !list_empty(&batch->arrived));
  if (!has_work) {
    batch->waiter = current;
    set_current_state(READ_ONCE(batch->cancelled) ? TASK_UNINTERRUPTIBLE : TASK_KILLABLE);
  }
  spin_unlock_irq(&batch->lock);
  if (!has_work) io_schedule();
  __set_current_state(TASK_RUNNING);
}

/*
 * Reaps completions of the queue that one of our bios is in; without a bio in a polled queue, sleeps. The bios take
 * turns, because they may be in the queues of several CPUs, and a bio that a suspended device holds back must not block
 * the reaping of others that the device waits for.
 */
static void poll(struct exo_batch *batch) {
  DEFINE_IO_COMP_BATCH(reaped);
  u32 i;

  cancel_if_killed(batch);
  for (i = 0; i < batch->count; i++) {
    struct exo_flight *flight = &batch->flights[(batch->poll_next + i) % batch->count];

    if (!READ_ONCE(flight->in_device) || !(flight->bio.bi_opf & REQ_POLLED)) continue;
    bio_poll(&flight->bio, &reaped, BLK_POLL_ONESHOT);
    if (reaped.complete) reaped.complete(&reaped);
    if (list_empty(&batch->arrived)) {
      batch->empty_polls++;
      batch->poll_next += i + 1;
    }
    cond_resched();
    return;
  }
  sleep_on(batch);
}

static bool is_over(struct exo_batch *batch) {
  bool is_over;

  spin_lock_irq(&batch->lock);
  is_over = !batch->live;
  batch->waiter = NULL;
  spin_unlock_irq(&batch->lock);
  return is_over;
}

static void launch(struct exo_batch *batch) {
  struct blk_plug plug;
  u32 i, refused = 0;

  batch->live = batch->count;
  batch->cancelled = false;
  batch->empty_polls = batch->poll_next = 0;
  blk_start_plug(&plug);
  for (i = 0; i < batch->count; i++) {
    struct exo_flight *flight = &batch->flights[i];

    expect_submissions(&plug, i, batch->count);
    flight->hops = flight->resubmitted = flight->error = 0;
    flight->hop.done = 0;
    flight->end = flight->hops_max
                      ? exo_snapshot_find(batch->snapshot, flight->hop.offset, flight->hop.block_bytes, &flight->sector)
                      : EXO_END_BUDGET;
    if (flight->end == EXO_END_NONE)
      submit_flight(flight);
    else
      refused++;
  }
  blk_finish_plug(&plug);
  spin_lock_irq(&batch->lock);
  batch->live -= refused;
  spin_unlock_irq(&batch->lock);
}

void exo_batch_run(struct exo_batch *batch) {
  batch->flags = FLIGHT_FLAGS | (batch->mode == EXO_MODE_POLL ? REQ_POLLED : 0);
  launch(batch);
  while (!is_over(batch)) {
    if (batch->mode == EXO_MODE_THREAD)
      sleep_on(batch);
    else if (advance(batch))
      continue;
    else if (batch->mode == EXO_MODE_POLL)
      poll(batch);
    else
      sleep_on(batch);
  }
}

/* Computed at each attach and refresh: a driver with the hook may have been loaded meanwhile. */
u32 exo_modes_of(struct block_device *bdev, bool has_hook) {
  u32 modes = 1u << EXO_MODE_WAIT | 1u << EXO_MODE_THREAD;

#ifdef BLK_FEAT_POLL
  if (bdev_get_queue(bdev)->limits.features & BLK_FEAT_POLL) modes |= 1u << EXO_MODE_POLL;
#else
  if (test_bit(QUEUE_FLAG_POLL, &bdev_get_queue(bdev)->queue_flags)) modes |= 1u << EXO_MODE_POLL;
#endif
  if (!strncmp(bdev->bd_disk->disk_name, "nvme", 4) && has_hook) modes |= 1u << EXO_MODE_IRQ;
  return modes;
}

struct exo_batch *exo_batch_create(void) {
  struct exo_batch *batch = kmem_cache_zalloc(cache, GFP_KERNEL_ACCOUNT);
  u32 i;

  if (!batch) return NULL;
  spin_lock_init(&batch->lock);
  INIT_LIST_HEAD(&batch->arrived);
  INIT_WORK(&batch->work, work);
  for (i = 0; i < EXO_FLIGHTS_MAX; i++) {
    struct exo_flight *flight = &batch->flights[i];

    flight->batch = batch;
    bio_init(&flight->bio, NULL, &flight->vector, 1, 0);
    flight->block = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
    if (!flight->block) {
      exo_batch_free(batch);
      return NULL;
    }
  }
  return batch;
}

void exo_batch_free(struct exo_batch *batch) {
  u32 i;

  flush_work(&batch->work);
  for (i = 0; i < EXO_FLIGHTS_MAX && batch->flights[i].block; i++) {
    bio_uninit(&batch->flights[i].bio);
    free_page((unsigned long)batch->flights[i].block);
  }
  kmem_cache_free(cache, batch);
}

int exo_chains_start(void) {
  cache = EXO_CACHE(exo_batch);
  if (!cache) return -ENOMEM;
  workers = alloc_workqueue("exopool", WORKER_FLAGS, 0);
  if (workers) return 0;
  kmem_cache_destroy(cache);
  return -ENOMEM;
}

void exo_chains_stop(void) {
  destroy_workqueue(workers);
  kmem_cache_destroy(cache);
}

// SPDX-License-Identifier: GPL-2.0
/*
 * How much each process reads. Its sessions share one account with a token bucket of chained reads. /proc/exopool shows
 * the totals and the accounts:
 *
 *   chains_irq 6400             chains by mode
 *   ended_done 6398             and by how they ended
 *   hops 38392                  blocks read and shown to a program, of which
 *   resubmitted 31990           so many followed another in the completion handler
 *   process 812 chains 6400 hops 38392
 *
 * The scheduler charges work in interrupt handlers to no process. The budget bounds that work: before it starts, a
 * batch takes the most reads that its chains may need, and returns the unused reads afterwards.
 */
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/proc_fs.h>
#include <linux/sched.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>

#include "exopool.h"

/* The bucket holds this part of a second's reads, and never less than one whole batch may need. */
#define BURST_PART 10
#define BURST_MIN (EXO_FLIGHTS_MAX * EXO_HOPS_MAX)

static unsigned int budget;
module_param(budget, uint, 0644);
MODULE_PARM_DESC(budget, "chained reads a second that each process may do; 0: no limit");

struct exo_account {
  struct list_head entry;
  u32 sessions; /* under accounts_lock */
  pid_t process;
  spinlock_t lock;
  u64 tokens;
  u64 filled_ns;
  u64 chains;
  u64 hops;
};

static DEFINE_MUTEX(accounts_lock);
static LIST_HEAD(accounts);
static struct kmem_cache *cache;

static DEFINE_SPINLOCK(totals_lock);
static u64 total_by_mode[EXO_MODES];
static u64 total_by_end[EXO_ENDS];
static u64 total_hops, total_resubmitted, total_refusals;

u32 exo_budget(void) { return READ_ONCE(budget); }

struct exo_account *exo_account_get(void) {
  struct exo_account *account;

  mutex_lock(&accounts_lock);
  list_for_each_entry(account, &accounts, entry)
    if (account->process == current->tgid) goto found;
  account = kmem_cache_zalloc(cache, GFP_KERNEL_ACCOUNT);
  if (!account) goto out;
  account->process = current->tgid;
  spin_lock_init(&account->lock);
  list_add_tail(&account->entry, &accounts);
found:
  account->sessions++;
out:
  mutex_unlock(&accounts_lock);
  return account;
}

void exo_account_put(struct exo_account *account) {
  mutex_lock(&accounts_lock);
  if (--account->sessions == 0) {
    list_del(&account->entry);
    kmem_cache_free(cache, account);
  }
  mutex_unlock(&accounts_lock);
}

u32 exo_account_take(struct exo_account *account, u32 wanted) {
  u64 limit = exo_budget(), most = max_t(u64, limit / BURST_PART, BURST_MIN), now_ns;

  if (!limit) return wanted;
  now_ns = ktime_get_ns();
  spin_lock(&account->lock);
  /* More than a second would fill any bucket, and the product could overflow. */
  account->tokens += div_u64(min_t(u64, now_ns - account->filled_ns, NSEC_PER_SEC) * limit, NSEC_PER_SEC);
  account->tokens = min(account->tokens, most);
  account->filled_ns = now_ns;
  wanted = min_t(u64, wanted, account->tokens);
  account->tokens -= wanted;
  spin_unlock(&account->lock);
  return wanted;
}

void exo_account_give_back(struct exo_account *account, u32 unused) {
  if (!unused || !exo_budget()) return;
  spin_lock(&account->lock);
  account->tokens += unused;
  spin_unlock(&account->lock);
}

void exo_account_add(struct exo_account *account, enum exo_mode mode, const struct exo_tally *tally) {
  u32 i;

  spin_lock(&account->lock);
  account->chains += tally->chains;
  account->hops += tally->hops;
  spin_unlock(&account->lock);
  spin_lock(&totals_lock);
  total_by_mode[mode] += tally->chains;
  total_hops += tally->hops;
  total_resubmitted += tally->resubmitted;
  for (i = 1; i < EXO_ENDS; i++) total_by_end[i] += tally->ends[i];
  spin_unlock(&totals_lock);
}

void exo_account_add_refusal(struct exo_account *account) {
  spin_lock(&totals_lock);
  total_refusals++;
  spin_unlock(&totals_lock);
}

static int show(struct seq_file *to, void *unused) {
  static const char *const modes[EXO_MODES] = {
      [EXO_MODE_WAIT] = "wait",
      [EXO_MODE_THREAD] = "thread",
      [EXO_MODE_POLL] = "poll",
      [EXO_MODE_IRQ] = "irq",
  };
  static const char *const ends[EXO_ENDS] = {
      [EXO_END_DONE] = "done",           [EXO_END_PROGRAM] = "program",
      [EXO_END_BOUND] = "bound",         [EXO_END_OUTSIDE] = "outside",
      [EXO_END_STRADDLE] = "straddle",   [EXO_END_STALE] = "stale",
      [EXO_END_BUDGET] = "budget",       [EXO_END_IO] = "io",
      [EXO_END_CANCELLED] = "cancelled",
  };
  struct exo_account *account;
  u32 i;

  seq_printf(to, "version %d\nhook %d\nbudget %u\n", EXO_DRIVER_VERSION, exo_hook_present(), exo_budget());
  for (i = 1; i < EXO_MODES; i++) seq_printf(to, "chains_%s %llu\n", modes[i], READ_ONCE(total_by_mode[i]));
  for (i = 1; i < EXO_ENDS; i++) seq_printf(to, "ended_%s %llu\n", ends[i], READ_ONCE(total_by_end[i]));
  seq_printf(to, "hops %llu\nresubmitted %llu\nfiles_refused %llu\n", READ_ONCE(total_hops),
             READ_ONCE(total_resubmitted), READ_ONCE(total_refusals));
  mutex_lock(&accounts_lock);
  list_for_each_entry(account, &accounts, entry)
    seq_printf(to, "process %d chains %llu hops %llu\n", account->process, READ_ONCE(account->chains),
               READ_ONCE(account->hops));
  mutex_unlock(&accounts_lock);
  return 0;
}

int exo_accounts_start(void) {
  cache = EXO_CACHE(exo_account);
  if (cache && proc_create_single("exopool", 0444, NULL, show)) return 0;
  kmem_cache_destroy(cache);
  return -ENOMEM;
}

void exo_accounts_stop(void) {
  remove_proc_entry("exopool", NULL);
  kmem_cache_destroy(cache);
}

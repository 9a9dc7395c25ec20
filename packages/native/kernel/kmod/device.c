// SPDX-License-Identifier: GPL-2.0
/*
 * /dev/exopool. An open descriptor is a session: its attached files, and one batch.
 *
 * A session belongs to the process that opened it; its mutex admits one call at a time, so threads that look up in
 * parallel open one session each. Arguments from user space are copied and checked before use. Closing the last
 * descriptor releases everything; an ioctl holds the descriptor, so that cannot happen while a chain is in flight.
 */
#include <linux/file.h>
#include <linux/io_uring/cmd.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/xarray.h>

#include "exopool.h"

struct exo_attached {
  struct file *file;
  struct exo_program *program;
  struct exo_snapshot *snapshot;
  u32 block_bytes;
  u32 modes;
  bool pinned;
};

struct exo_session {
  struct mutex lock;
  struct xarray files; /* struct exo_attached by number */
  struct exo_account *account;
  struct exo_batch *batch;
  struct exo_request requests[EXO_FLIGHTS_MAX];
};

static struct kmem_cache *attachments, *sessions;

static void free_attached(struct exo_attached *attached) {
  exo_snapshot_put(attached->snapshot, attached->pinned);
  exo_program_put(attached->program);
  fput(attached->file);
  kmem_cache_free(attachments, attached);
}

static long show_info(struct exo_info __user *to) {
  struct exo_info info = {.version = EXO_DRIVER_VERSION, .has_hook = exo_hook_present(), .budget = exo_budget()};

  return copy_to_user(to, &info, sizeof(info)) ? -EFAULT : 0;
}

static void describe(const struct exo_attached *attached, struct exo_attach *call) {
  call->generation = attached->snapshot->generation;
  call->bytes = attached->snapshot->bytes;
  call->extents = attached->snapshot->count;
  call->modes = attached->modes;
}

static struct exo_attached *attach(struct exo_attach *call) {
  struct exo_attached *attached;
  long error = -EBADF;

  if (call->flags & ~EXO_ATTACH_PIN || call->reserved) return ERR_PTR(-EINVAL);
  if (call->block_bytes != 512 && call->block_bytes != EXO_BLOCK_BYTES_MAX) {
    call->refusal = EXO_REFUSED_BLOCK;
    return ERR_PTR(-EINVAL);
  }
  attached = kmem_cache_zalloc(attachments, GFP_KERNEL_ACCOUNT);
  if (!attached) return ERR_PTR(-ENOMEM);
  attached->block_bytes = call->block_bytes;
  attached->pinned = call->flags & EXO_ATTACH_PIN;
  attached->file = fget(call->fd);
  if (!attached->file) goto no_file;
  attached->program = exo_program_get(call->program);
  if (!attached->program) {
    call->refusal = EXO_REFUSED_PROGRAM;
    error = -ENOENT;
    goto no_program;
  }
  attached->snapshot = exo_snapshot_get(attached->file, attached->block_bytes, attached->pinned, &call->refusal);
  if (IS_ERR(attached->snapshot)) {
    error = PTR_ERR(attached->snapshot);
    goto no_snapshot;
  }
  attached->modes = exo_modes_of(attached->snapshot->bdev, exo_hook_present());
  return attached;

no_snapshot:
  exo_program_put(attached->program);
no_program:
  fput(attached->file);
no_file:
  kmem_cache_free(attachments, attached);
  return ERR_PTR(error);
}

static long add_file(struct exo_session *session, struct exo_attach *call) {
  struct exo_attached *attached = attach(call);
  long error;

  if (IS_ERR(attached)) {
    if (call->refusal) exo_account_add_refusal(session->account);
    return PTR_ERR(attached);
  }
  error = xa_alloc(&session->files, &call->file, attached, XA_LIMIT(0, EXO_ATTACHED_MAX - 1), GFP_KERNEL);
  if (error) {
    free_attached(attached);
    return error == -EBUSY ? -ENFILE : error;
  }
  describe(attached, call);
  return 0;
}

static long refresh_file(struct exo_session *session, struct exo_attach *call) {
  struct exo_attached *attached = xa_load(&session->files, call->file);
  struct exo_snapshot *snapshot;

  if (!attached) return -ENOENT;
  snapshot = exo_snapshot_get(attached->file, attached->block_bytes, attached->pinned, &call->refusal);
  if (IS_ERR(snapshot)) {
    exo_account_add_refusal(session->account);
    return PTR_ERR(snapshot);
  }
  exo_snapshot_put(attached->snapshot, attached->pinned);
  attached->snapshot = snapshot;
  attached->modes = exo_modes_of(snapshot->bdev, exo_hook_present());
  describe(attached, call);
  return 0;
}

static long remove_file(struct exo_session *session, u32 file) {
  struct exo_attached *attached = xa_erase(&session->files, file);

  if (!attached) return -ENOENT;
  free_attached(attached);
  return 0;
}

/* Replaces EXO_MODE_BEST by the best mode. Returns EXO_MODE_BEST if the file's device does not have the mode. */
static enum exo_mode choose_mode(u32 wanted, u32 modes) {
  static const enum exo_mode order[] = {EXO_MODE_IRQ, EXO_MODE_POLL, EXO_MODE_WAIT};
  u32 i;

  if (wanted >= EXO_MODES) return EXO_MODE_BEST;
  if (wanted != EXO_MODE_BEST) return modes & 1u << wanted ? wanted : EXO_MODE_BEST;
  for (i = 0; i < ARRAY_SIZE(order); i++)
    if (modes & 1u << order[i]) return order[i];
  return EXO_MODE_BEST;
}

/* Copies requests into flights. A chain gets the budget for all of its hops, or none. */
static void load_flights(struct exo_session *session, const struct exo_run *run, u32 block_bytes, u32 budget) {
  u32 i;

  for (i = 0; i < run->count; i++) {
    const struct exo_request *request = &session->requests[i];
    struct exo_flight *flight = &session->batch->flights[i];

    flight->hop.offset = request->offset;
    flight->hop.block_bytes = block_bytes;
    memcpy(flight->hop.scratch, request->scratch, sizeof(request->scratch));
    flight->hops_max = budget >= run->hops_max ? run->hops_max : 0;
    budget -= flight->hops_max;
  }
}

static void store_flights(struct exo_session *session, struct exo_run *run, struct exo_tally *tally) {
  u32 i;

  for (i = 0; i < run->count; i++) {
    struct exo_request *request = &session->requests[i];
    const struct exo_flight *flight = &session->batch->flights[i];

    request->offset = flight->hop.offset;
    memcpy(request->scratch, flight->hop.scratch, sizeof(request->scratch));
    request->end = flight->end;
    request->hops = flight->hops;
    request->error = flight->error;
    tally->ends[flight->end]++;
    tally->hops += flight->hops;
    tally->resubmitted += flight->resubmitted;
  }
  tally->chains = run->count;
}

static void end_all(struct exo_session *session, const struct exo_run *run, enum exo_end end, struct exo_tally *tally) {
  u32 i;

  for (i = 0; i < run->count; i++) {
    session->requests[i].end = end;
    session->requests[i].hops = session->requests[i].error = 0;
  }
  tally->chains = tally->ends[end] = run->count;
}

static long run_chains(struct exo_session *session, struct exo_run *run) {
  struct exo_attached *attached = xa_load(&session->files, run->file);
  struct exo_batch *batch = session->batch;
  struct exo_tally tally = {};
  size_t bytes = run->count * sizeof(struct exo_request);
  u32 wanted = run->count * run->hops_max, taken;

  if (!attached) return -ENOENT;
  run->ran_mode = choose_mode(run->mode, attached->modes);
  if (run->ran_mode == EXO_MODE_BEST) return -EOPNOTSUPP;
  if (copy_from_user(session->requests, u64_to_user_ptr(run->requests), bytes)) return -EFAULT;
  batch->ops = exo_program_enter(attached->program);
  if (!batch->ops) return -EIDRM;
  if (exo_snapshot_enter(attached->snapshot, attached->pinned)) {
    batch->snapshot = attached->snapshot;
    batch->mode = run->ran_mode;
    batch->count = run->count;
    taken = exo_account_take(session->account, wanted);
    load_flights(session, run, attached->block_bytes, taken);
    exo_batch_run(batch);
    store_flights(session, run, &tally);
    run->empty_polls = batch->empty_polls;
    exo_account_give_back(session->account, taken - min_t(u64, taken, tally.hops));
    exo_snapshot_leave(attached->snapshot, attached->pinned);
  } else {
    end_all(session, run, EXO_END_STALE, &tally);
  }
  exo_program_leave(attached->program);
  exo_account_add(session->account, run->ran_mode, &tally);
  run->resubmitted = tally.resubmitted;
  return copy_to_user(u64_to_user_ptr(run->requests), session->requests, bytes) ? -EFAULT : 0;
}

static long run_ioctl(struct exo_session *session, struct exo_run __user *at) {
  struct exo_run run;
  long result;

  if (copy_from_user(&run, at, sizeof(run))) return -EFAULT;
  if (!run.count || run.count > EXO_FLIGHTS_MAX || !run.hops_max || run.hops_max > EXO_HOPS_MAX) return -EINVAL;
  if (mutex_lock_killable(&session->lock)) return -EINTR;
  result = run_chains(session, &run);
  mutex_unlock(&session->lock);
  if (!result && copy_to_user(at, &run, sizeof(run))) return -EFAULT;
  return result;
}

/*
 * EXO_IOC_RUN by an io_uring, with the address of its argument as the command. It sleeps, so the ring hands it to one
 * of its workers, and the submitter goes on. Still one batch at a time for each session.
 */
static int on_uring_command(struct io_uring_cmd *command, unsigned int flags) {
  u64 at = READ_ONCE(*(const u64 *)command->sqe->cmd);

  if (command->cmd_op != EXO_IOC_RUN) return -ENOTTY;
  if (flags & IO_URING_F_NONBLOCK) return -EAGAIN;
  return run_ioctl(command->file->private_data, u64_to_user_ptr(at));
}

static long attach_ioctl(struct exo_session *session, unsigned int command, struct exo_attach __user *at) {
  struct exo_attach call;
  long result;

  if (copy_from_user(&call, at, sizeof(call))) return -EFAULT;
  call.refusal = EXO_REFUSED_NOT;
  if (mutex_lock_killable(&session->lock)) return -EINTR;
  if (command == EXO_IOC_ATTACH)
    result = add_file(session, &call);
  else if (command == EXO_IOC_REFRESH)
    result = refresh_file(session, &call);
  else
    result = remove_file(session, call.file);
  mutex_unlock(&session->lock);
  if (command != EXO_IOC_DETACH && copy_to_user(at, &call, sizeof(call))) return -EFAULT;
  return result;
}

static long on_ioctl(struct file *file, unsigned int command, unsigned long argument) {
  struct exo_session *session = file->private_data;

  switch (command) {
    case EXO_IOC_INFO:
      return show_info((void __user *)argument);
    case EXO_IOC_ATTACH:
    case EXO_IOC_REFRESH:
    case EXO_IOC_DETACH:
      return attach_ioctl(session, command, (void __user *)argument);
    case EXO_IOC_RUN:
      return run_ioctl(session, (void __user *)argument);
    default:
      return -ENOTTY;
  }
}

static int on_open(struct inode *inode, struct file *file) {
  struct exo_session *session = kmem_cache_zalloc(sessions, GFP_KERNEL_ACCOUNT);

  if (!session) return -ENOMEM;
  mutex_init(&session->lock);
  xa_init_flags(&session->files, XA_FLAGS_ALLOC);
  session->account = exo_account_get();
  session->batch = exo_batch_create();
  if (session->account && session->batch) {
    file->private_data = session;
    return 0;
  }
  if (session->account) exo_account_put(session->account);
  if (session->batch) exo_batch_free(session->batch);
  kmem_cache_free(sessions, session);
  return -ENOMEM;
}

static int on_release(struct inode *inode, struct file *file) {
  struct exo_session *session = file->private_data;
  struct exo_attached *attached;
  unsigned long number;

  exo_batch_free(session->batch);
  xa_for_each(&session->files, number, attached) free_attached(attached);
  xa_destroy(&session->files);
  exo_account_put(session->account);
  kmem_cache_free(sessions, session);
  return 0;
}

static const struct file_operations operations = {
    .owner = THIS_MODULE,
    .open = on_open,
    .release = on_release,
    .unlocked_ioctl = on_ioctl,
    .compat_ioctl = compat_ptr_ioctl,
    .uring_cmd = on_uring_command,
};

static struct miscdevice device = {.minor = MISC_DYNAMIC_MINOR, .name = "exopool", .mode = 0600, .fops = &operations};

static void destroy_caches(void) {
  kmem_cache_destroy(sessions);
  kmem_cache_destroy(attachments);
}

int exo_device_start(void) {
  int error = -ENOMEM;

  attachments = EXO_CACHE(exo_attached);
  /* Of a session, usercopy allows only the requests to be copied from and to user space. */
  sessions = KMEM_CACHE_USERCOPY(exo_session, SLAB_NO_MERGE, requests);
  if (attachments && sessions) error = misc_register(&device);
  if (error) destroy_caches();
  return error;
}

void exo_device_stop(void) {
  misc_deregister(&device);
  destroy_caches();
}

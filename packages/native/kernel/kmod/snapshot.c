// SPDX-License-Identifier: GPL-2.0
/*
 * Where a file's blocks are on its device: taken once, shared by all attachments of the file, valid as long as it is
 * used.
 *
 * Pinned, the file carries S_SWAPFILE, the flag by which the kernel keeps swap files in place: writes, truncation, hole
 * punching, defragmentation, renaming and unlinking are refused. No process may have it open for writing when the flag
 * is set, so no earlier write is still in progress.
 *
 * Not pinned, each batch does what a direct read does. Under the inode's lock, shared, it makes sure that no block has
 * left the file since the snapshot (watch.c), and counts itself as direct I/O (inode_dio_begin). An operation that
 * removes or moves blocks takes that lock and first waits for direct I/O to end. So it runs before a batch, which then
 * ends as stale, or after it, never in between.
 *
 * Locks: snapshots_lock, then the inode's. A batch takes only the inode's.
 */
#include <linux/capability.h>
#include <linux/file.h>
#include <linux/mutex.h>
#include <linux/pagemap.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "exopool.h"

#define EXTENTS_AT_FIRST 64

static DEFINE_MUTEX(snapshots_lock);
static LIST_HEAD(snapshots);
static struct kmem_cache *cache;
static u64 generations;

static struct inode *inode_of(const struct exo_snapshot *snapshot) { return file_inode(snapshot->file); }

static bool is_xfs(const struct inode *inode) { return !strcmp(inode->i_sb->s_type->name, "xfs"); }

static bool has_shared_extents(struct inode *inode) {
  sector_t block = 0;

  return is_xfs(inode) && (bmap(inode, &block) || !block);
}

/* For a regular file, with its inode locked. */
static bool is_unchanged(const struct exo_snapshot *snapshot) {
  struct inode *inode = inode_of(snapshot);

  return !inode_is_open_for_write(inode) && !exo_watch_saw_change(snapshot->watch) && !has_shared_extents(inode);
}

static u32 refusal_of(struct file *file, u32 block_bytes) {
  struct inode *inode = file_inode(file);

  if (!(file->f_mode & FMODE_READ)) return EXO_REFUSED_MODE;
  if (S_ISBLK(inode->i_mode)) return capable(CAP_SYS_RAWIO) ? EXO_REFUSED_NOT : EXO_REFUSED_DEVICE;
  if (!S_ISREG(inode->i_mode)) return EXO_REFUSED_MODE;
  if (!is_xfs(inode) && strcmp(inode->i_sb->s_type->name, "ext4")) return EXO_REFUSED_FILESYSTEM;
  if (!inode->i_sb->s_bdev) return EXO_REFUSED_FILESYSTEM;
  if (IS_ENCRYPTED(inode) || IS_VERITY(inode) || IS_DAX(inode)) return EXO_REFUSED_ENCODED;
  return i_size_read(inode) < block_bytes ? EXO_REFUSED_EMPTY : EXO_REFUSED_NOT;
}

static int add_extent(struct exo_snapshot *snapshot, u32 *room, u64 start, sector_t sector) {
  struct exo_extent *last = snapshot->count ? &snapshot->extents[snapshot->count - 1] : NULL;

  if (last && last->sector + ((start - last->start) >> SECTOR_SHIFT) == sector) return 0;
  if (snapshot->count == EXO_FILE_EXTENTS_MAX) return -E2BIG;
  if (snapshot->count == *room) {
    u32 more = *room ? *room * 2 : EXTENTS_AT_FIRST;
    struct exo_extent *extents = kvmalloc_array(more, sizeof(*extents), GFP_KERNEL_ACCOUNT);

    if (!extents) return -ENOMEM;
    if (snapshot->count) memcpy(extents, snapshot->extents, snapshot->count * sizeof(*extents));
    kvfree(snapshot->extents);
    snapshot->extents = extents;
    *room = more;
  }
  snapshot->extents[snapshot->count++] = (struct exo_extent){.start = start, .sector = sector};
  return 0;
}

/* Asks the file system for each block. It flushes dirty data, and answers 0 for a block that is not plainly on disk. */
static int map_blocks(struct exo_snapshot *snapshot, u32 *refusal) {
  struct inode *inode = inode_of(snapshot);
  sector_t blocks = DIV_ROUND_UP_ULL(snapshot->bytes, i_blocksize(inode));
  sector_t at;
  u32 room = 0;

  for (at = 0; at < blocks; at++) {
    sector_t block = at;
    int error = bmap(inode, &block);

    if (error || !block) {
      *refusal = EXO_REFUSED_LAYOUT;
      return error ? error : -EOPNOTSUPP;
    }
    error = add_extent(snapshot, &room, (u64)at << inode->i_blkbits, block << (inode->i_blkbits - SECTOR_SHIFT));
    if (error == -E2BIG) *refusal = EXO_REFUSED_EXTENTS;
    if (error) return error;
    if (fatal_signal_pending(current)) return -EINTR;
    cond_resched();
  }
  return 0;
}

static void free_snapshot(struct exo_snapshot *snapshot) {
  if (snapshot->watch) exo_watch_put(snapshot->watch);
  kvfree(snapshot->extents);
  fput(snapshot->file);
  kmem_cache_free(cache, snapshot);
}

static int take_file(struct exo_snapshot *snapshot, u32 *refusal) {
  struct inode *inode = inode_of(snapshot);
  int error;

  snapshot->bdev = inode->i_sb->s_bdev;
  snapshot->bytes = i_size_read(inode);
  snapshot->watch = exo_watch_get(inode);
  if (IS_ERR(snapshot->watch)) {
    error = PTR_ERR(snapshot->watch);
    snapshot->watch = NULL;
    return error;
  }
  error = map_blocks(snapshot, refusal);
  if (error) return error;
  inode_lock_shared(inode);
  if (!is_unchanged(snapshot)) {
    *refusal = EXO_REFUSED_WRITERS;
    error = -ETXTBSY;
  }
  inode_unlock_shared(inode);
  return error;
}

static int take_device(struct exo_snapshot *snapshot) {
  u32 room = 0;

  snapshot->bdev = I_BDEV(snapshot->file->f_mapping->host);
  snapshot->bytes = bdev_nr_bytes(snapshot->bdev);
  return add_extent(snapshot, &room, 0, 0);
}

static struct exo_snapshot *take_snapshot(struct file *file, u32 *refusal) {
  struct exo_snapshot *snapshot = kmem_cache_zalloc(cache, GFP_KERNEL_ACCOUNT);
  int error;

  if (!snapshot) return ERR_PTR(-ENOMEM);
  kref_init(&snapshot->ref);
  snapshot->file = get_file(file);
  snapshot->generation = ++generations;
  error = S_ISBLK(file_inode(file)->i_mode) ? take_device(snapshot) : take_file(snapshot, refusal);
  if (error) {
    free_snapshot(snapshot);
    return ERR_PTR(error);
  }
  list_add(&snapshot->entry, &snapshots);
  return snapshot;
}

/* The latest snapshot of the inode, if it is still valid. */
static struct exo_snapshot *find_snapshot(struct inode *inode) {
  struct exo_snapshot *snapshot;

  list_for_each_entry(snapshot, &snapshots, entry) {
    bool is_true;

    if (inode_of(snapshot) != inode) continue;
    if (snapshot->pins || !snapshot->watch) return kref_get(&snapshot->ref), snapshot;
    inode_lock_shared(inode);
    is_true = is_unchanged(snapshot);
    inode_unlock_shared(inode);
    if (is_true) kref_get(&snapshot->ref);
    return is_true ? snapshot : NULL;
  }
  return NULL;
}

static int pin(struct exo_snapshot *snapshot, u32 *refusal) {
  struct inode *inode = inode_of(snapshot);
  int error = 0;

  if (snapshot->pins == 0 && snapshot->watch) {
    inode_lock(inode);
    if (IS_SWAPFILE(inode)) {
      *refusal = EXO_REFUSED_SWAP;
      error = -ETXTBSY;
    } else if (!is_unchanged(snapshot)) {
      *refusal = EXO_REFUSED_WRITERS;
      error = -ETXTBSY;
    } else {
      inode_set_flags(inode, S_SWAPFILE, S_SWAPFILE);
    }
    inode_unlock(inode);
  }
  if (!error) snapshot->pins++;
  return error;
}

static void unpin(struct exo_snapshot *snapshot) {
  struct inode *inode = inode_of(snapshot);

  if (--snapshot->pins || !snapshot->watch) return;
  inode_lock(inode);
  inode_set_flags(inode, 0, S_SWAPFILE);
  inode_unlock(inode);
}

/* With snapshots_lock held. */
static void release_snapshot(struct kref *ref) {
  struct exo_snapshot *snapshot = container_of(ref, struct exo_snapshot, ref);

  list_del(&snapshot->entry);
  free_snapshot(snapshot);
}

struct exo_snapshot *exo_snapshot_get(struct file *file, u32 block_bytes, bool wants_pin, u32 *refusal) {
  struct exo_snapshot *snapshot;
  int error;

  *refusal = refusal_of(file, block_bytes);
  if (*refusal) return ERR_PTR(*refusal == EXO_REFUSED_DEVICE ? -EPERM : -EOPNOTSUPP);
  mutex_lock(&snapshots_lock);
  snapshot = find_snapshot(file_inode(file));
  if (!snapshot) snapshot = take_snapshot(file, refusal);
  if (IS_ERR(snapshot)) goto out;
  error = wants_pin ? pin(snapshot, refusal) : 0;
  if (!error && snapshot->bytes < block_bytes) *refusal = EXO_REFUSED_EMPTY;
  if (!error && block_bytes < bdev_logical_block_size(snapshot->bdev)) *refusal = EXO_REFUSED_BLOCK;
  if (!error && *refusal) {
    if (wants_pin) unpin(snapshot);
    error = -EINVAL;
  }
  if (error) {
    kref_put(&snapshot->ref, release_snapshot);
    snapshot = ERR_PTR(error);
  }
out:
  mutex_unlock(&snapshots_lock);
  return snapshot;
}

void exo_snapshot_put(struct exo_snapshot *snapshot, bool was_pinned) {
  mutex_lock(&snapshots_lock);
  if (was_pinned) unpin(snapshot);
  kref_put(&snapshot->ref, release_snapshot);
  mutex_unlock(&snapshots_lock);
}

bool exo_snapshot_enter(struct exo_snapshot *snapshot, bool is_pinned) {
  struct inode *inode = inode_of(snapshot);
  bool is_true;

  if (is_pinned || !snapshot->watch) return true;
  inode_lock_shared(inode);
  is_true = is_unchanged(snapshot);
  if (is_true) inode_dio_begin(inode);
  inode_unlock_shared(inode);
  return is_true;
}

void exo_snapshot_leave(struct exo_snapshot *snapshot, bool is_pinned) {
  if (!is_pinned && snapshot->watch) inode_dio_end(inode_of(snapshot));
}

int exo_snapshots_start(void) {
  cache = EXO_CACHE(exo_snapshot);
  return cache ? 0 : -ENOMEM;
}

void exo_snapshots_stop(void) { kmem_cache_destroy(cache); }

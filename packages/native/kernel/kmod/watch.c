// SPDX-License-Identifier: GPL-2.0
/*
 * Tells whether the blocks of a file may have changed.
 *
 * On ext4 and XFS, every operation that moves or frees blocks of a file needs it open for writing: writes, truncation,
 * hole punching, defragmentation. A present writer shows in i_writecount. A past writer since the watch began was seen
 * by this fsnotify mark when it closed the file (FS_CLOSE_WRITE comes before the count goes down), or truncated it by
 * name (FS_MODIFY comes inside the inode's lock). So under that lock, no writer and a clean mark mean that no block has
 * left the file.
 *
 * Two ways around it are left. XFS deduplicates files that are open for reading; such a file has shared extents from
 * then on, and snapshot.c checks for these. And a fanotify listener (CAP_SYS_ADMIN) can write silently through the
 * descriptors that it is handed, if it asked for writable ones.
 */
#include <linux/fsnotify_backend.h>
#include <linux/slab.h>

#include "exopool.h"

struct exo_watch {
  struct fsnotify_mark mark;
  bool saw_change;
};

static struct fsnotify_group *group;
static struct kmem_cache *cache;

static int handle_inode_event(struct fsnotify_mark *mark, u32 mask, struct inode *inode, struct inode *dir,
                              const struct qstr *name, u32 cookie) {
  WRITE_ONCE(container_of(mark, struct exo_watch, mark)->saw_change, true);
  return 0;
}

static void free_mark(struct fsnotify_mark *mark) {
  kmem_cache_free(cache, container_of(mark, struct exo_watch, mark));
}

static const struct fsnotify_ops fsnotify_ops = {
    .handle_inode_event = handle_inode_event,
    .free_mark = free_mark,
};

int exo_watch_start(void) {
  cache = EXO_CACHE(exo_watch);
  if (!cache) return -ENOMEM;
  /* Duplicates: an old snapshot of the same inode may still have a mark. */
  group = fsnotify_alloc_group(&fsnotify_ops, FSNOTIFY_GROUP_DUPS);
  if (IS_ERR(group)) kmem_cache_destroy(cache);
  return PTR_ERR_OR_ZERO(group);
}

void exo_watch_stop(void) {
  fsnotify_put_group(group);
  fsnotify_wait_marks_destroyed(); /* marks are freed later, by code of this module */
  kmem_cache_destroy(cache);
}

struct exo_watch *exo_watch_get(struct inode *inode) {
  struct exo_watch *watch = kmem_cache_zalloc(cache, GFP_KERNEL_ACCOUNT);
  int error;

  if (!watch) return ERR_PTR(-ENOMEM);
  fsnotify_init_mark(&watch->mark, group);
  watch->mark.mask = FS_MODIFY | FS_CLOSE_WRITE;
  error = fsnotify_add_inode_mark(&watch->mark, inode, 0);
  if (!error) return watch;
  fsnotify_put_mark(&watch->mark);
  return ERR_PTR(error);
}

void exo_watch_put(struct exo_watch *watch) {
  fsnotify_destroy_mark(&watch->mark, group);
  fsnotify_put_mark(&watch->mark);
}

bool exo_watch_saw_change(const struct exo_watch *watch) { return READ_ONCE(watch->saw_change); }

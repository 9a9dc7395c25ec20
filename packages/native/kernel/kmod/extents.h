/* SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0) */
/*
 * Where a block of a file is on its device. A file of its own, so that guest/extent_check.cc measures the same code at
 * user level.
 */
#ifndef EXOPOOL_EXTENTS_H
#define EXOPOOL_EXTENTS_H

#include "driver_abi.h"

struct exo_extent {
  __u64 start; /* in the file, bytes; the extent ends where the next one starts */
  __u64 sector;
};

/*
 * EXO_END_NONE with the block's place on the device; else why it cannot be read. The first of `count` extents, at least
 * one, starts at 0; the file has at least one block.
 */
static inline enum exo_end exo_extents_find(const struct exo_extent *extents, __u32 count, __u64 file_bytes,
                                            __u64 offset, __u32 block_bytes, __u64 *sector) {
  __u32 low = 0, high = count;

  if (offset & (block_bytes - 1) || offset > file_bytes - block_bytes) return EXO_END_OUTSIDE;
  while (high - low > 1) {
    __u32 middle = (low + high) / 2;

    if (extents[middle].start <= offset)
      low = middle;
    else
      high = middle;
  }
  if (low + 1 < count && offset + block_bytes > extents[low + 1].start) return EXO_END_STRADDLE;
  *sector = extents[low].sector + (offset - extents[low].start) / 512;
  return EXO_END_NONE;
}

#endif

/* SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0) */
/*
 * Where on its device a page of a file lies: a binary search in the file's extents. The BPF program, with the extents
 * in a map, and user space, with an array, share this code: exo_extent_at(index) is the extent, or null.
 */
#ifndef EXOPOOL_EXTENT_SEARCH_H
#define EXOPOOL_EXTENT_SEARCH_H

#include "loop.h"

/*
 * The first logical block of the page at `offset`. EXO_CHAIN_STRADDLE: the page lies in more than one piece, in
 * none (a hole), or not at a whole block. EXO_CHAIN_GOING: found.
 */
#define EXO_DEFINE_LOCATE(name, exo_extent_at, qualifiers)                                                  \
  qualifiers int name(__u32 first, __u32 count, __u64 offset, __u32 lba_shift, __u64 *lba) {                \
    __u32 low = 0;      /* extents before it begin at or before the page */                                 \
    __u32 high = count; /* extents from it on begin behind the page */                                      \
    __u32 step;                                                                                             \
                                                                                                            \
    if (!lba) return EXO_CHAIN_STRADDLE;                                                                    \
    for (step = 0; step < EXO_EXTENT_STEPS; step++) {                                                       \
      if (low >= high) break;                                                                               \
      __u32 middle = (low + high) / 2;                                                                      \
      const struct exo_extent *extent = exo_extent_at(first + middle);                                      \
      if (!extent) return EXO_CHAIN_STRADDLE;                                                               \
      if (extent->file_offset <= offset)                                                                    \
        low = middle + 1;                                                                                   \
      else                                                                                                  \
        high = middle;                                                                                      \
    }                                                                                                       \
    if (low == 0) return EXO_CHAIN_STRADDLE;                                                                \
    const struct exo_extent *extent = exo_extent_at(first + low - 1);                                       \
    if (!extent) return EXO_CHAIN_STRADDLE;                                                                 \
    __u64 within = offset - extent->file_offset;                                                            \
    if (extent->bytes < EXO_PAGE_SIZE || within > extent->bytes - EXO_PAGE_SIZE) return EXO_CHAIN_STRADDLE; \
    __u64 at = extent->device_offset + within;                                                              \
    lba_shift &= 31;                                                                                        \
    if (at >> lba_shift << lba_shift != at) return EXO_CHAIN_STRADDLE;                                      \
    *lba = at >> lba_shift;                                                                                 \
    return EXO_CHAIN_GOING;                                                                                 \
  }

#endif

/* SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0) */
/*
 * A list on disk, of a format made for this example. Each node is one block of 4 KiB, numbers are little-endian:
 *
 *   0   u64   offset of the next node in the file, a multiple of 4096; 0: none
 *   8   u64   key
 *   16  u32   bytes of the value, at most 4064
 *   20        the value
 *
 * input:  u64 offset of the first node, u64 key
 * result: the value of the first node with that key
 */
#include <traversal.h>

enum { NEXT_AT = 0, KEY_AT = 8, LENGTH_AT = 16, VALUE_AT = 20, VALUE_MAX = 4064 };

static inline __u64 first(struct traversal *t) { return input_u64(t, 0); }

static int next(struct traversal *t) {
  if (block_u64(t, KEY_AT) == input_u64(t, 8)) {
    __u32 length = block_u32(t, LENGTH_AT);
    if (length > VALUE_MAX) return TRAVERSAL_FAIL;
    return give_block(t, VALUE_AT, length) ? TRAVERSAL_USER : TRAVERSAL_DONE;
  }
  __u64 following = block_u64(t, NEXT_AT);
  return following == 0 ? TRAVERSAL_NOT_FOUND : go_to(t, following);
}

/* SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0) */
/*
 * Finds a row by its rowid in a database file of SQLite (https://www.sqlite.org/fileformat2.html): down the b-tree of
 * a table, then along the overflow pages when the row does not fit in its leaf.
 *
 *   page 1 [100 bytes of header]         interior page (5): children with the largest rowid below each, and a last child
 *   page n  8 or 12 bytes of page header leaf page (13):     rows: length, rowid, the start of the record,
 *           cell offsets, sorted by rowid                    and the number of an overflow page when there is more
 *
 * Pages of 512 to 4096 bytes: several may lie in one block, so state[WITHIN] says where in the block the page starts.
 *
 * input:  i64 rowid, u32 number of the table's root page, u32 page size, u32 reserved bytes at the end of each page
 * result: the record, as SQLite stores it (payload of the cell)
 */
#include <traversal.h>

enum { ROWID_AT = 0, ROOT_AT = 8, PAGE_SIZE_AT = 12, RESERVED_AT = 16 };
enum { WITHIN = 0, LEFT = 1 };
enum { INTERIOR = 5, LEAF = 13, INTERIOR_HEADER = 12, LEAF_HEADER = 8, FILE_HEADER = 100 };
enum { SEARCH_STEPS = 12 /* 2^12 > cells in a page */, VARINT_MAX = 9 };

/* Where page `number` is: the block's offset, and state[WITHIN]. Page 0 lies before the file, so outside. */
static inline __u64 page_at(struct traversal *t, __u32 number) {
  __u64 offset = ((__u64)number - 1) * input_u32(t, PAGE_SIZE_AT);
  t->state[WITHIN] = offset % TRAVERSAL_BLOCK_BYTES;
  return offset - t->state[WITHIN];
}

static inline __u64 first(struct traversal *t) { return page_at(t, input_u32(t, ROOT_AT)); }

/* How many bytes the varint at `at` has: seven bits a byte, the ninth has eight. */
TRAVERSAL_FUNCTION int varint_bytes(struct traversal *t, __u32 at) {
  __u32 i;

  if (!t) return VARINT_MAX;
  for (i = 0; i < VARINT_MAX - 1; i++)
    if (!(block_u8(t, at + i) & 0x80)) return i + 1;
  return VARINT_MAX;
}

TRAVERSAL_FUNCTION __u64 varint(struct traversal *t, __u32 at) {
  __u64 value = 0;
  __u32 i;

  if (!t) return 0;
  for (i = 0; i < VARINT_MAX - 1; i++) {
    __u8 byte = block_u8(t, at + i);
    value = value << 7 | (byte & 0x7f);
    if (!(byte & 0x80)) return value;
  }
  return value << 8 | block_u8(t, at + VARINT_MAX - 1);
}

/* Where cell `index` starts in the block. */
static inline __u32 cell_at(struct traversal *t, __u32 cells, __u32 index) {
  return t->state[WITHIN] + block_u16_be(t, cells + 2 * index);
}

static inline __s64 rowid_of(struct traversal *t, __u32 cell, int is_leaf) {
  return varint(t, is_leaf ? cell + varint_bytes(t, cell) : cell + 4);
}

/* The first of `count` cells whose rowid is not below the one that is looked for. */
TRAVERSAL_FUNCTION int search(struct traversal *t, __u32 cells, __u32 count, int is_leaf) {
  __u32 low = 0, high = count, step;

  if (!t) return 0;
  __s64 wanted = input_u64(t, ROWID_AT);
  for (step = 0; step < SEARCH_STEPS; step++) {
    if (low >= high) break;
    __u32 middle = (low + high) / 2;
    if (rowid_of(t, cell_at(t, cells, middle), is_leaf) < wanted)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

/* How much of a record lies in its leaf. */
static inline __u64 local_bytes(__u64 total, __u64 usable) {
  __u64 most = usable - 35;
  __u64 least = (usable - 12) * 32 / 255 - 23;
  if (total <= most) return total;
  __u64 local = least + (total - least) % (usable - 4);
  return local <= most ? local : least;
}

static inline int give_row(struct traversal *t, __u32 cell, __u32 usable) {
  __u64 total = varint(t, cell);
  __u32 record = cell + varint_bytes(t, cell);
  record += varint_bytes(t, record);
  __u64 local = local_bytes(total, usable);
  if (give_block(t, record, local)) return TRAVERSAL_USER;
  if (local == total) return TRAVERSAL_DONE;
  t->state[LEFT] = total - local;
  return go_to(t, page_at(t, block_u32_be(t, record + local)));
}

/* An overflow page: the number of the next one, and more of the record. */
static inline int give_overflow(struct traversal *t, __u32 usable) {
  __u32 page = t->state[WITHIN];
  __u64 left = t->state[LEFT];
  __u32 here = left < usable - 4 ? left : usable - 4;
  if (give_block(t, page + 4, here)) return TRAVERSAL_USER;
  t->state[LEFT] = left - here;
  return left == here ? TRAVERSAL_DONE : go_to(t, page_at(t, block_u32_be(t, page)));
}

static int next(struct traversal *t) {
  __u32 page_size = input_u32(t, PAGE_SIZE_AT);
  __u32 usable = page_size - input_u32(t, RESERVED_AT);
  if (page_size < 512 || page_size > TRAVERSAL_BLOCK_BYTES || usable < 480 || usable > page_size) return TRAVERSAL_FAIL;
  if (t->state[LEFT]) return give_overflow(t, usable);

  __u32 header = t->state[WITHIN] + (t->offset + t->state[WITHIN] == 0 ? FILE_HEADER : 0);
  __u32 type = block_u8(t, header);
  __u32 count = block_u16_be(t, header + 3);
  if (type != INTERIOR && type != LEAF) return TRAVERSAL_FAIL;
  __u32 cells = header + (type == LEAF ? LEAF_HEADER : INTERIOR_HEADER);
  __u32 index = search(t, cells, count, type == LEAF);
  __u32 cell = cell_at(t, cells, index);
  if (type == INTERIOR) return go_to(t, page_at(t, block_u32_be(t, index < count ? cell : header + 8)));
  if (index >= count || rowid_of(t, cell, 1) != (__s64)input_u64(t, ROWID_AT)) return TRAVERSAL_NOT_FOUND;
  return give_row(t, cell, usable);
}

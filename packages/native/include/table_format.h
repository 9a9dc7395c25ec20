/* SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0) */
/*
 * The table file: a static B+-tree in 4 KiB pages, designed for walks by a verified BPF program.
 *
 * One header for the kernel side (BPF), the addon (C++) and the documentation. All integers are little-endian,
 * all offsets are bytes from the start of the file, every page starts at a multiple of EXO_PAGE_SIZE.
 *
 *   offset 0           header page (struct exo_table_header)
 *   offset 4096 ...    leaf pages, interior pages and runs of value pages, in the order in which they were written
 *   then               the root (a table without entries has only the header page)
 *   last pages         the filter, if there is one: see table_filter.h
 *
 * A page of the tree:
 *
 *   0        32                32+8n            32+8n+prefix_len                              4096
 *   +--------+-----------------+----------------+---------------- free ----------------+---------+
 *   | header | slots, in key   | prefix shared  |                                      |  cells  |
 *   |        | order, 8 B each | by all keys    |                                      |         |
 *   +--------+-----------------+----------------+---------------------------------------+---------+
 *
 * A key is prefix + suffix. A slot holds the first four bytes of the suffix as a big-endian number, padded with zeroes,
 * so most steps of a binary search compare two integers and touch no cell. A walker that pays for each copied byte
 * (BPF) needs the first kilobyte of a page and one or two cells.
 *
 * In an interior page slot i's child holds the keys k with key(i) <= k < key(i+1). Slot 0's suffix is empty and
 * stands for minus infinity; it takes no part in the prefix. The others are shortest separators, not whole keys.
 */
#ifndef EXOPOOL_TABLE_FORMAT_H
#define EXOPOOL_TABLE_FORMAT_H

#ifdef __BPF__
#include "kernel_types.h"
#else
#include <linux/types.h>
#endif

#define EXO_TABLE_MAGIC "EXOTABLE" /* 8 bytes, no terminator */
#define EXO_TABLE_VERSION 3        /* 1 had no tombstones, 2 no filter; readers accept both */

#define EXO_PAGE_SIZE 4096
#define EXO_KEY_MAX 511           /* two leaf cells with the longest key and inline value fit in one page */
#define EXO_INLINE_VALUE_MAX 1024 /* longer values go to value pages: one more read, but leaves stay dense */
#define EXO_VALUE_MAX (16u << 20) /* one read into one buffer must stay cheap to allocate */
#define EXO_HEIGHT_MAX 16         /* no data needs more than 8 at the least fan-out, 7; a power of two */
#define EXO_SLOTS_MAX 338         /* (4096 - 32) / (slot 8 + smallest cell 4) */

enum exo_page_type { EXO_PAGE_LEAF = 1, EXO_PAGE_INTERIOR = 2, EXO_PAGE_FILTER = 3 };

enum exo_value_kind {
  EXO_VALUE_INLINE = 0,  /* the bytes follow the key suffix in the cell */
  EXO_VALUE_OUTLINE = 1, /* a struct exo_value_ref follows the key suffix */
  /* Nothing follows: the key was deleted, and entries of older tables for it no longer count. */
  EXO_VALUE_TOMBSTONE = 2,
};

struct exo_table_header {
  __u8 magic[8];
  __u32 version;
  __u32 checksum; /* CRC32C of bytes 16..4095 of this page */
  __u64 table_id; /* random; every page repeats it, so a page of another table is not taken for one of this */
  __u64 root;     /* offset of the root page; 0 when there are no entries */
  __u32 height;   /* levels of the tree: 0 no entries, 1 the root is a leaf */
  __u32 reserved;
  __u64 entries;
  __u64 file_size; /* bytes, a multiple of EXO_PAGE_SIZE */
  __u64 leaf_pages;
  __u64 interior_pages;
  __u64 value_pages;
  __u64 created_ms; /* Unix time, milliseconds */
  __u64 filter;     /* offset of the first filter page; 0: none, as before version 3 */
  __u32 filter_pages;
  __u32 filter_blocks;
  /* zeroes up to 4096 */
};

struct exo_page_header {
  __u32 checksum; /* CRC32C of bytes 4..4095 of this page */
  __u8 type;      /* enum exo_page_type */
  __u8 level;     /* 0 for leaves, one more at each step towards the root */
  __u16 count;    /* slots, or blocks of a filter page; at least 1 */
  __u64 table_id;
  __u64 offset; /* where this page belongs in the file */
  __u16 prefix_len;
  __u16 reserved[3];
};

struct exo_slot {
  __u32 head;       /* first four bytes of the suffix, big-endian value, zero-padded */
  __u16 cell;       /* offset of the cell in the page */
  __u16 suffix_len; /* bytes of key after the prefix */
};

/* A leaf cell: this, the key suffix, then the value (inline) or a struct exo_value_ref. */
struct exo_leaf_cell {
  __u16 value_len; /* bytes after the suffix: the inline value's length, 16, or 0 for a tombstone */
  __u8 kind;       /* enum exo_value_kind */
  __u8 reserved;
};

/* An interior cell: this, then the key suffix. Unaligned in the page. */
struct exo_interior_cell {
  __u64 child; /* offset of the child page */
};

struct exo_value_ref {
  __u64 offset;   /* start of the run of value pages; zeroes fill the last one */
  __u32 length;   /* bytes of the value, EXO_INLINE_VALUE_MAX < length <= EXO_VALUE_MAX */
  __u32 checksum; /* CRC32C of the value */
};

#ifdef __cplusplus
#define EXO_ASSERT(condition, text) static_assert(condition, text)
#else
#define EXO_ASSERT(condition, text) _Static_assert(condition, text)
#endif
EXO_ASSERT(sizeof(struct exo_table_header) == 104, "table header");
EXO_ASSERT(sizeof(struct exo_page_header) == 32, "page header");
EXO_ASSERT(sizeof(struct exo_slot) == 8, "slot");
EXO_ASSERT(sizeof(struct exo_leaf_cell) == 4, "leaf cell");
EXO_ASSERT(sizeof(struct exo_interior_cell) == 8, "interior cell");
EXO_ASSERT(sizeof(struct exo_value_ref) == 16, "value reference");

#endif

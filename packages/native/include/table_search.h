/* SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0) */
/*
 * The traversal: advances a chain by one page of a table. The BPF program and user space share this code, so all
 * engines give the same results.
 *
 * A page may be hostile. Every field is checked before use; a page that contradicts itself ends the chain with
 * EXO_CHAIN_CORRUPT. The walk descends one level a hop, and the caller counts the hops down from the height of the
 * table, so no page can make a chain endless.
 *
 * Only parts of a page need to be present. exo_fetch(chain, source, offset, length) brings bytes
 * [offset, offset + length) of the page at address `source` into chain->page, or returns non-zero: in user space it is
 * a memcpy, a BPF program defines its own. A hop fetches
 *
 *   head                 slots past the head        one or two cells
 *   [0, EXO_HEAD_BYTES)  when there are that many   child pointer, or key suffix and value
 *
 * For the BPF verifier: each EXO_FUNCTION is verified once by itself, loops have constant bounds, and every index is
 * masked to the size of its array. The masks change nothing after the checks; they are for the verifier.
 */
#ifndef EXOPOOL_TABLE_SEARCH_H
#define EXOPOOL_TABLE_SEARCH_H

#include "chain.h"

#ifdef __BPF__
#define EXO_FUNCTION __attribute__((noinline))
#define EXO_INLINE static inline __attribute__((always_inline))
#ifdef EXO_PAGES_ARE_WHOLE
/* Something else has read the page. The source is used, or clang would drop the argument and the verifier miss it. */
#define exo_fetch(chain, source, offset, length) \
  ({                                             \
    asm volatile("" : : "r"(source));            \
    0;                                           \
  })
#else
EXO_FUNCTION int exo_fetch(struct exo_chain *chain, __u64 source, __u32 offset, __u32 length);
#endif
#else
#define EXO_FUNCTION static inline
#define EXO_INLINE static inline
static inline int exo_fetch(struct exo_chain *chain, __u64 source, __u32 offset, __u32 length) {
  if (offset > EXO_PAGE_SIZE || length > EXO_PAGE_SIZE - offset) return -1;
  __builtin_memcpy(chain->page + offset, (const __u8 *)(unsigned long)source + offset, length);
  chain->copied += length;
  return 0;
}
#endif

#define EXO_SEARCH_STEPS 9    /* 2^9 > EXO_SLOTS_MAX */
#define EXO_EAGER_BYTES 256   /* fetched after a key suffix: most values fit, which saves a second copy */
#define EXO_SLOT_HEAD_BYTES 4 /* bytes of the suffix that a slot repeats */

/* The key compared with a slot; failures are EXO_CHAIN_CORRUPT and EXO_CHAIN_IO, both greater. */
enum exo_order { EXO_LESS = -1, EXO_EQUAL = 0, EXO_GREATER = 1 };

EXO_INLINE const struct exo_page_header *exo_header(const struct exo_chain *chain) {
  return (const struct exo_page_header *)chain->page;
}

EXO_INLINE const struct exo_slot *exo_slot_at(const struct exo_chain *chain, __u32 index) {
  return (const struct exo_slot *)(chain->page + sizeof(struct exo_page_header) +
                                   sizeof(struct exo_slot) * (index & 511));
}

/* Where slots and prefix end and cells may begin. */
EXO_INLINE __u32 exo_keys_end(const struct exo_page_header *header) {
  return sizeof(*header) + sizeof(struct exo_slot) * header->count + header->prefix_len;
}

EXO_INLINE __u32 exo_cell_header_bytes(const struct exo_page_header *header) {
  return header->type == EXO_PAGE_LEAF ? sizeof(struct exo_leaf_cell) : sizeof(struct exo_interior_cell);
}

/* Whether a whole page other than the header page lies at this offset. */
EXO_INLINE int exo_page_in_file(__u64 offset, __u64 file_size) {
  return offset % EXO_PAGE_SIZE == 0 && offset >= EXO_PAGE_SIZE && offset <= file_size - EXO_PAGE_SIZE;
}

/*
 * The eight bytes from `at` on as one number in the same order. They may reach past the compared part and past the key
 * or page, never past the chain: the caller truncates them.
 */
EXO_INLINE __u64 exo_word(const __u8 *at) {
#ifdef __BPF__
  return __builtin_bswap64(*(const __u64 *)at); /* else clang loads byte by byte */
#else
  __u64 word;
  __builtin_memcpy(&word, at, sizeof(word));
  return __builtin_bswap64(word);
#endif
}

/* Compares `length` bytes of the key from key_at with those of the page from page_at. */
EXO_FUNCTION int exo_compare_bytes(struct exo_chain *chain, __u32 key_at, __u32 page_at, __u32 length) {
  __u32 i;

  if (!chain) return EXO_CHAIN_CORRUPT;
  const __u8 *key = (const __u8 *)chain + __builtin_offsetof(struct exo_chain, key);
  for (i = 0; i <= EXO_KEY_MAX; i += 8) {
    if (i >= length) break;
    __u64 in_key = exo_word(key + ((key_at + i) & EXO_KEY_MAX));
    __u64 in_page = exo_word(chain->page + ((page_at + i) & (EXO_PAGE_SIZE - 1)));
    __u32 left = length - i;
    __u32 cut = left < 8 ? 64 - 8 * left : 0; /* bits behind the last byte */
    in_key >>= cut;
    in_page >>= cut;
    if (in_key != in_page) return in_key < in_page ? EXO_LESS : EXO_GREATER;
  }
  return EXO_EQUAL;
}

/* The key against the page's prefix; a key shorter than the prefix is less. */
EXO_INLINE int exo_compare_prefix(struct exo_chain *chain) {
  __u32 prefix_len = exo_header(chain)->prefix_len;
  __u32 shorter = chain->key_len < prefix_len ? chain->key_len : prefix_len;
  int order = exo_compare_bytes(chain, 0, exo_keys_end(exo_header(chain)) - prefix_len, shorter);
  return order == EXO_EQUAL && shorter < prefix_len ? EXO_LESS : order;
}

/* The first bytes of the key after the prefix, in the form of a slot's head. The key must have the prefix. */
EXO_INLINE __u32 exo_key_head(const struct exo_chain *chain) {
  __u32 prefix_len = exo_header(chain)->prefix_len;
  __u32 left = chain->key_len - prefix_len;
  const __u8 *key = (const __u8 *)chain + __builtin_offsetof(struct exo_chain, key);
  __u32 head = exo_word(key + (prefix_len & EXO_KEY_MAX)) >> 32;

  return left < EXO_SLOT_HEAD_BYTES ? head & ~(0xffffffff >> 8 * left) : head;
}

/* Where the fetch of a leaf's or interior page's cell ends: with the suffix, and some of what follows it. */
EXO_INLINE __u32 exo_eager_end(__u32 suffix_end) {
  return suffix_end < EXO_PAGE_SIZE - EXO_EAGER_BYTES ? suffix_end + EXO_EAGER_BYTES : EXO_PAGE_SIZE;
}

/* Whether a slot's cell lies between the prefix and the end of the page, with a key that is not too long. */
EXO_INLINE int exo_cell_in_page(const struct exo_page_header *header, const struct exo_slot *slot) {
  return slot->cell >= exo_keys_end(header) && header->prefix_len + slot->suffix_len <= EXO_KEY_MAX &&
         slot->cell + exo_cell_header_bytes(header) + slot->suffix_len <= EXO_PAGE_SIZE;
}

/* The key against one slot, when their heads are equal: the rest of the suffix, which is in the cell. */
EXO_FUNCTION int exo_compare_tail(struct exo_chain *chain, __u64 source, __u32 index) {
  int order = EXO_EQUAL;

  if (!chain) return EXO_CHAIN_CORRUPT;
  const struct exo_page_header *header = exo_header(chain);
  const struct exo_slot *slot = exo_slot_at(chain, index);
  if (!exo_cell_in_page(header, slot)) return EXO_CHAIN_CORRUPT;
  __u32 key_at = header->prefix_len;
  __u32 suffix_at = slot->cell + exo_cell_header_bytes(header);
  __u32 in_key = chain->key_len - key_at;
  __u32 in_page = slot->suffix_len;
  __u32 shorter = in_key < in_page ? in_key : in_page;
  if (shorter > EXO_SLOT_HEAD_BYTES) {
    if (exo_fetch(chain, source, slot->cell, exo_eager_end(suffix_at + in_page) - slot->cell)) return EXO_CHAIN_IO;
    order = exo_compare_bytes(chain, key_at + EXO_SLOT_HEAD_BYTES, suffix_at + EXO_SLOT_HEAD_BYTES,
                              shorter - EXO_SLOT_HEAD_BYTES);
  }
  if (order != EXO_EQUAL || in_key == in_page) return order;
  return in_key < in_page ? EXO_LESS : EXO_GREATER;
}

/*
 * Binary search in slots [first, count). EXO_EQUAL: chain->slot is the key. EXO_GREATER: chain->slot is the
 * last slot below the key, first - 1 when there is none.
 */
EXO_FUNCTION int exo_search(struct exo_chain *chain, __u64 source, __u32 first) {
  __u32 step;

  if (!chain) return EXO_CHAIN_CORRUPT;
  __u32 head = exo_key_head(chain);
  __u32 low = first;                     /* every slot before it is below the key */
  __u32 high = exo_header(chain)->count; /* every slot from it on is above the key */
  for (step = 0; step < EXO_SEARCH_STEPS; step++) {
    if (low >= high) break;
    __u32 middle = (low + high) / 2;
    __u32 slot_head = exo_slot_at(chain, middle)->head;
    int order = head < slot_head ? EXO_LESS : EXO_GREATER;
    if (head == slot_head) order = exo_compare_tail(chain, source, middle);
    if (order > EXO_GREATER) return order;
    if (order == EXO_EQUAL) {
      chain->slot = middle;
      return EXO_EQUAL;
    }
    if (order == EXO_LESS)
      high = middle;
    else
      low = middle + 1;
  }
  chain->slot = low - 1;
  return EXO_GREATER;
}

/* Whether a cell may have this many bytes of a value of this kind. */
EXO_INLINE int exo_value_fits(__u32 kind, __u32 value_len) {
  if (kind == EXO_VALUE_INLINE) return value_len <= EXO_INLINE_VALUE_MAX;
  if (kind == EXO_VALUE_OUTLINE) return value_len == sizeof(struct exo_value_ref);
  return kind == EXO_VALUE_TOMBSTONE && value_len == 0;
}

/* Stores in the chain the place and kind of chain->slot's value: a tombstone is found as well. */
EXO_FUNCTION int exo_take_value(struct exo_chain *chain, __u64 source) {
  if (!chain) return EXO_CHAIN_CORRUPT;
  const struct exo_page_header *header = exo_header(chain);
  const struct exo_slot *slot = exo_slot_at(chain, chain->slot);
  if (!exo_cell_in_page(header, slot)) return EXO_CHAIN_CORRUPT;
  __u32 cell = slot->cell & (EXO_PAGE_SIZE - 1);
  __u32 value_at = cell + sizeof(struct exo_leaf_cell) + slot->suffix_len;
  __u32 present_end = exo_eager_end(value_at);
  /* With a longer suffix the comparison that found this slot has fetched the cell. */
  if (slot->suffix_len <= EXO_SLOT_HEAD_BYTES && exo_fetch(chain, source, cell, present_end - cell))
    return EXO_CHAIN_IO;

  struct exo_leaf_cell leaf; /* a copy: cells are not aligned */
  __builtin_memcpy(&leaf, chain->page + cell, sizeof(leaf));
  __u32 value_len = leaf.value_len;
  __u32 kind = leaf.kind;
  __u32 value_end = value_at + value_len;
  if (value_end > EXO_PAGE_SIZE) return EXO_CHAIN_CORRUPT;
  if (!exo_value_fits(kind, value_len)) return EXO_CHAIN_CORRUPT;
  if (value_end > present_end && exo_fetch(chain, source, present_end, value_end - present_end)) return EXO_CHAIN_IO;
  chain->value_at = value_at;
  chain->value_len = value_len;
  chain->value_kind = kind;
  return EXO_CHAIN_FOUND;
}

/* Stores in the chain the page to visit next: the child of chain->slot. */
EXO_FUNCTION int exo_take_child(struct exo_chain *chain, __u64 source) {
  if (!chain) return EXO_CHAIN_CORRUPT;
  const struct exo_page_header *header = exo_header(chain);
  const struct exo_slot *slot = exo_slot_at(chain, chain->slot);
  if (!exo_cell_in_page(header, slot)) return EXO_CHAIN_CORRUPT;
  __u32 cell = slot->cell & (EXO_PAGE_SIZE - 1);
  if (exo_fetch(chain, source, cell, sizeof(struct exo_interior_cell))) return EXO_CHAIN_IO;
  __builtin_memcpy(&chain->next, chain->page + cell, sizeof(chain->next));
  return EXO_CHAIN_GOING;
}

/* Checks that the fetched head belongs to this page, and that its slots fit. */
EXO_INLINE int exo_page_is_sound(const struct exo_page_header *header, __u64 offset, __u64 table_id, __u32 level) {
  return header->type == (level == 0 ? EXO_PAGE_LEAF : EXO_PAGE_INTERIOR) && header->level == level &&
         header->table_id == table_id && header->offset == offset && header->count >= 1 &&
         header->count <= EXO_SLOTS_MAX && header->prefix_len <= EXO_KEY_MAX && exo_keys_end(header) <= EXO_PAGE_SIZE;
}

/*
 * One hop. `source` is where the page at `offset` of the file can be copied from, `level` the level that it
 * must have. EXO_CHAIN_GOING: chain->next is the next page, one level down. Anything else ends the chain.
 */
EXO_FUNCTION int exo_step(struct exo_chain *chain, __u64 source, __u64 offset, __u64 table_id, __u32 level) {
  if (!chain) return EXO_CHAIN_CORRUPT;
  if (exo_fetch(chain, source, 0, EXO_HEAD_BYTES)) return EXO_CHAIN_IO;
  const struct exo_page_header *header = exo_header(chain);
  if (!exo_page_is_sound(header, offset, table_id, level)) return EXO_CHAIN_CORRUPT;
  __u32 keys_end = exo_keys_end(header);
  if (keys_end > EXO_HEAD_BYTES && exo_fetch(chain, source, EXO_HEAD_BYTES, keys_end - EXO_HEAD_BYTES))
    return EXO_CHAIN_IO;

  __u32 is_interior = level != 0;
  if (is_interior && exo_slot_at(chain, 0)->suffix_len != 0) return EXO_CHAIN_CORRUPT;
  int order = exo_compare_prefix(chain);
  if (order == EXO_EQUAL) {
    order = exo_search(chain, source, is_interior);
    if (order > EXO_GREATER) return order;
  } else {
    chain->slot = order == EXO_LESS ? 0 : header->count - 1;
    order = EXO_GREATER;
  }
  if (is_interior) return exo_take_child(chain, source);
  return order == EXO_EQUAL ? exo_take_value(chain, source) : EXO_CHAIN_NOT_FOUND;
}

#endif

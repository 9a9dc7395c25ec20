// SPDX-License-Identifier: GPL-2.0
/*
 * Looks keys up in a mapped table, a batch in one system call.
 *
 * A lookup is a chain of dependent page reads. With the table's file mapped by the caller, the whole chain can run
 * inside one BPF_PROG_RUN: the program copies the parts of each page that a hop needs from the caller's mapping, which
 * is a copy out of the page cache when the data is warm. A missing page is faulted in (the program may sleep), but a
 * fault costs more than a read: this engine is for warm data. With EXO_PRESENT_ONLY the program neither faults pages in
 * nor sleeps, so a thread that must not wait can walk too.
 *
 * Linux 6.19 could read the file without a mapping (bpf_dynptr_from_file, on the vm_file of a bpf_iter_task_vma). On
 * 7.2 that takes 1,240 counted instructions for 64 bytes and 2,750 for a whole page; a copy of 64 bytes from the
 * mapping takes 350. A hop is three or four small copies, so all kernels use the mapping.
 *
 * Chains lie in an array map that the caller has mapped. Pages are not copied there, but to a desk:
 *
 *   chain (mapped)   --key-->  root desk (the root, once a batch)  --key-->  desk (every other page)
 *                    <------------------------ result, value --------------------'
 *
 * A mapped map lies in vmalloc memory. For each copy of user memory there the kernel looks the area up under a lock
 * (usercopy hardening), which costs as much as the copy. Desks are few enough to be in ordinary memory. Each walker has
 * one of each kind: copies may sleep, so another walk could overwrite a desk per CPU in the middle of a hop. The walker
 * that never waits has a map of its own, since one more desk would make the others too large for one piece of memory.
 */
// clang-format off: libbpf's header needs the types first
#include "kernel_types.h"

#include <bpf/bpf_helpers.h>
// clang-format on

#include "table_search.h"

char LICENSE[] SEC("license") = "GPL";

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(map_flags, BPF_F_MMAPABLE);
  __uint(max_entries, EXO_BATCH_MAX); /* the loader makes it EXO_BATCH_MAX for each of its walkers */
  __type(key, __u32);
  __type(value, struct exo_chain);
} chains SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, EXO_DESKS);
  __type(key, __u32);
  __type(value, struct exo_chain);
} root_desks SEC(".maps"), desks SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 2); /* the root's, the other pages' */
  __type(key, __u32);
  __type(value, struct exo_chain);
} present_desks SEC(".maps");

EXO_INLINE struct exo_chain *root_desk_of(const struct exo_walk *walk) {
  __u32 walker = walk->first / EXO_BATCH_MAX, first = 0;
  return walker < EXO_DESKS ? bpf_map_lookup_elem(&root_desks, &walker) : bpf_map_lookup_elem(&present_desks, &first);
}

EXO_INLINE struct exo_chain *desk_of(const struct exo_walk *walk) {
  __u32 walker = walk->first / EXO_BATCH_MAX, second = 1;
  return walker < EXO_DESKS ? bpf_map_lookup_elem(&desks, &walker) : bpf_map_lookup_elem(&present_desks, &second);
}

/* From an offset in the page at `source`, which may be marked EXO_PRESENT_ONLY. */
EXO_INLINE int copy_from_caller(void *to, __u32 bytes, __u64 source, __u32 offset) {
  const void *from = (const void *)((source & ~EXO_PRESENT_ONLY) + offset);
  return (int)(source & EXO_PRESENT_ONLY ? bpf_probe_read_user(to, bytes, from) : bpf_copy_from_user(to, bytes, from));
}

/* The root is on its desk as a whole, and has no source. */
EXO_FUNCTION int exo_fetch(struct exo_chain *chain, __u64 source, __u32 offset, __u32 length) {
  if (!chain || offset >= EXO_PAGE_SIZE || length > EXO_FETCH_MAX) return -1;
  if (source == 0) return 0;
  chain->copied += length;
  return copy_from_caller(chain->page + offset, length, source, offset);
}

/* The key and its length, word by word; bytes behind the key do no harm. */
EXO_FUNCTION int take_key(struct exo_chain *desk, const struct exo_chain *chain) {
  __u32 i;

  if (!desk || !chain) return -1;
  __u32 bytes = sizeof(chain->key_len) + chain->key_len;
  for (i = 0; i < __builtin_offsetof(struct exo_chain, next) / sizeof(__u64); i++) {
    if (i * sizeof(__u64) >= bytes) break;
    ((__u64 *)desk)[i] = ((const __u64 *)chain)[i];
  }
  return 0;
}

/* Stores the value and its place in the chain. */
EXO_FUNCTION int give_value(struct exo_chain *chain, const struct exo_chain *desk) {
  if (!chain || !desk) return EXO_CHAIN_CORRUPT;
  __u32 at = desk->value_at, length = desk->value_len;
  if (at >= EXO_PAGE_SIZE || length > EXO_INLINE_VALUE_MAX) return EXO_CHAIN_CORRUPT;
  chain->value_kind = desk->value_kind;
  chain->value_at = at;
  chain->value_len = length;
  if (length > 0 && bpf_probe_read_kernel(chain->page + at, length, desk->page + at)) return EXO_CHAIN_IO;
  return EXO_CHAIN_FOUND;
}

/* Walks down from desk->next, the page after the first `hops` ones. */
EXO_FUNCTION int descend(struct exo_chain *chain, struct exo_chain *desk, const struct exo_walk *walk, __u32 hops) {
  if (!chain || !desk || !walk) return EXO_CHAIN_CORRUPT;
  for (; hops < EXO_HEIGHT_MAX; hops++) {
    if (hops >= walk->height) break;
    __u64 offset = desk->next;
    if (!exo_page_in_file(offset, walk->file_size)) return EXO_CHAIN_CORRUPT;
    chain->path[hops] = offset;
    chain->hops = hops + 1;
    int status = exo_step(desk, walk->base + offset, offset, walk->table_id, walk->height - 1 - hops);
    if (status != EXO_CHAIN_GOING) return status;
  }
  return EXO_CHAIN_BOUND;
}

/* The first hop of a chain that starts at the root, whose page is on its desk. */
EXO_FUNCTION int visit_root(struct exo_chain *chain, struct exo_chain *desk, const struct exo_walk *walk) {
  if (!chain || !desk || !walk) return EXO_CHAIN_CORRUPT;
  if (walk->root == 0) return EXO_CHAIN_IO;
  take_key(desk, chain);
  chain->path[0] = walk->root;
  chain->hops = 1;
  int status = exo_step(desk, 0, walk->root, walk->table_id, walk->height - 1);
  chain->next = desk->next;
  return status == EXO_CHAIN_FOUND ? give_value(chain, desk) : status;
}

EXO_FUNCTION int walk_chain(struct exo_chain *chain, const struct exo_walk *walk) {
  if (!chain || !walk) return EXO_CHAIN_CORRUPT;
  struct exo_chain *root_desk = root_desk_of(walk), *desk = desk_of(walk);
  if (!root_desk || !desk) return EXO_CHAIN_IO;

  if (chain->hops == 0) {
    int status = visit_root(chain, root_desk, walk);
    if (status != EXO_CHAIN_GOING) return status;
  }
  take_key(desk, chain);
  desk->next = chain->next;
  desk->copied = 0;
  int status = descend(chain, desk, walk, chain->hops);
  chain->copied = desk->copied;
  return status == EXO_CHAIN_FOUND ? give_value(chain, desk) : status;
}

/* Brings the root to its desk. */
EXO_INLINE int fetch_root(const struct exo_walk *walk) {
  struct exo_chain *desk = root_desk_of(walk);

  if (!desk || !exo_page_in_file(walk->root, walk->file_size)) return -1;
  return copy_from_caller(desk->page, EXO_PAGE_SIZE, walk->base + walk->root, 0);
}

SEC("syscall")
int walk_chains(struct exo_walk *context) {
  struct exo_walk walk = *context; /* functions cannot be given the context */
  __u32 i;

  if (walk.height == 0 || walk.height > EXO_HEIGHT_MAX) return 0;
  if (walk.root != 0 && fetch_root(&walk)) return 0;
  for (i = 0; i < EXO_BATCH_MAX; i++) {
    if (i >= walk.count) break;
    __u32 index = walk.first + i;
    struct exo_chain *chain = bpf_map_lookup_elem(&chains, &index);
    if (!chain) break;
    chain->status = walk_chain(chain, &walk);
    context->done = i + 1;
  }
  return 0;
}

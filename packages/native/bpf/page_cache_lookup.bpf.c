// SPDX-License-Identifier: GPL-2.0
/*
 * Looks keys up in a mapped table, a batch in one system call.
 *
 * A lookup is a chain of dependent page reads. With the table's file mapped by the caller, the whole chain
 * can run inside one BPF_PROG_RUN: the program copies the parts of each page that a hop needs from the
 * caller's mapping, which is a copy out of the page cache when the data is warm. A page that is not there is
 * faulted in (the program may sleep), but a fault costs more than a read: this engine is for warm data.
 *
 * Chains lie in an array map that the caller has mapped, one page buffer to each chain: the copies may sleep,
 * so a buffer per CPU could be taken over by another walk in the middle of a hop.
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
  __uint(max_entries, EXO_BATCH_MAX); /* the loader makes it EXO_BATCH_MAX for each of its workers */
  __type(key, __u32);
  __type(value, struct exo_chain);
} chains SEC(".maps");

EXO_FUNCTION int exo_fetch(struct exo_chain *chain, __u64 source, __u32 offset, __u32 length) {
  if (!chain || offset >= EXO_PAGE_SIZE || length > EXO_FETCH_MAX) return -1;
  chain->copied += length;
  return (int)bpf_copy_from_user(chain->page + offset, length, (const void *)(source + offset));
}

/* Walks one chain from chain->next down, `height` hops at most. */
EXO_FUNCTION int walk_chain(struct exo_chain *chain, __u64 base, __u64 file_size, __u64 table_id,
                            __u32 height) {
  __u32 hop;

  if (!chain) return EXO_CHAIN_CORRUPT;
  for (hop = 0; hop < EXO_HEIGHT_MAX; hop++) {
    if (hop >= height) break;
    __u64 offset = chain->next;
    if (!exo_page_in_file(offset, file_size)) return EXO_CHAIN_CORRUPT;
    chain->path[hop] = offset;
    chain->hops = hop + 1;
    int status = exo_step(chain, base + offset, offset, table_id, height - 1 - hop);
    if (status != EXO_CHAIN_GOING) return status;
  }
  return EXO_CHAIN_BOUND;
}

SEC("syscall")
int walk_chains(struct exo_walk *walk) {
  __u32 i;

  for (i = 0; i < EXO_BATCH_MAX; i++) {
    if (i >= walk->count) break;
    __u32 index = walk->first + i;
    struct exo_chain *chain = bpf_map_lookup_elem(&chains, &index);
    if (!chain) break;
    chain->status = walk_chain(chain, walk->base, walk->file_size, walk->table_id, walk->height);
    walk->done = i + 1;
  }
  return 0;
}

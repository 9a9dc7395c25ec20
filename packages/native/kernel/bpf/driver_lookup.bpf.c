// SPDX-License-Identifier: GPL-2.0
/*
 * Looks keys up in a table file, run by exopool.ko on each block of a chain as it arrives.
 *
 * Chains lie in an array map that user space has mapped; it fills in the key and the root, and finds the value where
 * the last hop left it. Each process has a map of its own: the loader makes it EXO_BATCH_MAX chains for each of its
 * sessions.
 *
 *   scratch[0]  index of the chain in the map
 *   scratch[1]  table_id
 *   scratch[2]  height of the table
 */
// clang-format off: libbpf's header needs the types first
#include "kernel_types.h"

#include <bpf/bpf_helpers.h>
// clang-format on

#include "driver_abi.h"
#include "table_search.h"

char LICENSE[] SEC("license") = "GPL";

struct exo_ops {
  int (*next)(struct exo_hop *hop);
  __u64 id;
};

extern int exo_block_read(__u64 block, __u32 offset, void *to, __u64 to__sz) __ksym;

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(map_flags, BPF_F_MMAPABLE);
  __uint(max_entries, EXO_BATCH_MAX);
  __type(key, __u32);
  __type(value, struct exo_chain);
} chains SEC(".maps");

/* The source of a page is its offset in the file: the module knows the block that this CPU processes. */
EXO_FUNCTION int exo_fetch(struct exo_chain *chain, __u64 source, __u32 offset, __u32 length) {
  if (!chain || offset >= EXO_PAGE_SIZE || length > EXO_FETCH_MAX) return -1;
  if (length == 0) return 0;
  chain->copied += length;
  return exo_block_read(source, offset, chain->page + offset, length);
}

/* One hop, on the page at `offset`. As exo_step, and notes the page. */
EXO_FUNCTION int visit(struct exo_chain *chain, __u64 offset, __u64 table_id, __u32 height, __u32 hops) {
  if (!chain) return EXO_CHAIN_CORRUPT;
  if (hops < 1 || hops > height || height > EXO_HEIGHT_MAX) return EXO_CHAIN_BOUND;
  chain->path[(hops - 1) & (EXO_HEIGHT_MAX - 1)] = offset;
  chain->hops = hops;
  int status = exo_step(chain, offset, offset, table_id, height - hops);
  return status == EXO_CHAIN_GOING && hops == height ? EXO_CHAIN_BOUND : status;
}

SEC("struct_ops/next")
int lookup_next(__u64 *context) {
  struct exo_hop *hop = (struct exo_hop *)context[0];
  __u32 index = hop->scratch[0];
  struct exo_chain *chain = bpf_map_lookup_elem(&chains, &index);

  if (!chain) return -1;
  chain->status = visit(chain, hop->offset, hop->scratch[1], hop->scratch[2], hop->hops);
  hop->next = chain->next;
  hop->done = chain->status != EXO_CHAIN_GOING;
  return 0;
}

SEC(".struct_ops.link")
struct exo_ops lookup = {.next = (void *)lookup_next};

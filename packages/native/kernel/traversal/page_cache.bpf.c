// SPDX-License-Identifier: GPL-2.0
/*
 * A user-defined traversal (EXO_SOURCE) over a mapped file, a batch in one system call. Like
 * kernel/bpf/page_cache_lookup.bpf.c, but a hop copies its whole block.
 */
// clang-format off: libbpf's header needs the types first
#include "kernel_types.h"

#include <bpf/bpf_helpers.h>
// clang-format on

#include "traversal_call.h"
#include EXO_SOURCE

/* The author's const fields are written here. */
#pragma GCC diagnostic ignored "-Wcast-qual"

char LICENSE[] SEC("license") = "GPL";

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(map_flags, BPF_F_MMAPABLE);
  __uint(max_entries, EXO_TRAVERSAL_CHAINS); /* the loader makes it that for each of its workers */
  __type(key, __u32);
  __type(value, struct traversal);
} chains SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(map_flags, BPF_F_MMAPABLE);
  __uint(max_entries, EXO_TRAVERSAL_CHAINS);
  __type(key, __u32);
  __type(value, struct exo_control);
} controls SEC(".maps");

TRAVERSAL_FUNCTION int walk_chain(struct exo_control *control, struct traversal *t, __u64 base, __u64 file_size,
                                  __u32 hops_max) {
  __u32 hop;

  if (!control || !t) return EXO_TRAVERSAL_GARBAGE;
  for (hop = 0; hop < EXO_TRAVERSAL_KERNEL_HOPS; hop++) {
    int end = exo_admit(control, file_size, hops_max);
    if (end) return end;
    if (bpf_copy_from_user((void *)t->block, TRAVERSAL_BLOCK_BYTES, (const void *)(base + control->offset)))
      return EXO_TRAVERSAL_IO;
    end = exo_hop(control, t, file_size);
    if (end) return end;
  }
  exo_save(control, t);
  return TRAVERSAL_USER;
}

SEC("syscall")
int walk_chains(struct exo_traversal_walk *walk) {
  __u32 i;

  for (i = 0; i < EXO_TRAVERSAL_CHAINS; i++) {
    if (i >= walk->count) break;
    __u32 index = walk->first + i;
    struct traversal *t = bpf_map_lookup_elem(&chains, &index);
    struct exo_control *control = bpf_map_lookup_elem(&controls, &index);
    if (!t || !control) break;
    control->end = walk_chain(control, t, walk->base, walk->file_size, walk->hops_max);
    walk->done = i + 1;
  }
  return 0;
}

// SPDX-License-Identifier: GPL-2.0
/*
 * A user-defined traversal (EXO_SOURCE) inside the kernel's io_uring wait loop (Linux 7.1). Like
 * kernel/bpf/loop_lookup.bpf.c: each block is processed as it arrives, and the read of the next one goes into the ring:
 * of the file, or as a command to its NVMe device.
 */
// clang-format off: libbpf's header needs the types first
#include "kernel_types.h"

#include <bpf/bpf_helpers.h>
// clang-format on

#include "extent_search.h"
#include "loop_ring.h"
#include "traversal_call.h"
#include EXO_SOURCE

char LICENSE[] SEC("license") = "GPL";

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(map_flags, BPF_F_MMAPABLE);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct exo_traversal_loop);
} loops SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(map_flags, BPF_F_MMAPABLE);
  __uint(max_entries, EXO_LOOP_EXTENTS_MAX);
  __type(key, __u32);
  __type(value, struct exo_extent);
} extents SEC(".maps");

#define CHAINS_MASK (EXO_TRAVERSAL_CHAINS - 1)
#define BLOCK_AT __builtin_offsetof(struct traversal, block)

TRAVERSAL_INLINE const struct exo_extent *extent_at(__u32 index) { return bpf_map_lookup_elem(&extents, &index); }

EXO_DEFINE_LOCATE(locate, extent_at, TRAVERSAL_FUNCTION)

/* Fills in the read of the block that chain `id` wants. Anything but 0 ends the chain. */
TRAVERSAL_FUNCTION int fill_next(struct exo_traversal_loop *loop, struct sqe *sqe, __u32 id) {
  __u64 lba = 0;

  if (!loop || !sqe) return EXO_TRAVERSAL_GARBAGE;
  id &= CHAINS_MASK;
  struct exo_control *control = &loop->controls[id];
  __u64 offset = control->offset;
  int end = exo_admit(control, loop->file_size, loop->hops_max);
  if (end) return end;
  /* A part of a block at the end of the file: user level clears the rest. */
  if (loop->file_size - offset < TRAVERSAL_BLOCK_BYTES) return EXO_TRAVERSAL_IO;
  if (loop->kind == EXO_LOOP_NVME) {
    if (FRESH(&loop->snapshot) != loop->generation) return EXO_TRAVERSAL_STALE;
    if (locate(0, loop->extents, offset, loop->lba_shift, &lba) != EXO_CHAIN_GOING) return EXO_TRAVERSAL_STRADDLE;
  }
  __builtin_memset(sqe, 0, sizeof(*sqe));
  sqe->fd = loop->fd;
  sqe->user_data = id;
  __u64 address = loop->chains + sizeof(struct traversal) * (__u64)id + BLOCK_AT;
  if (loop->kind == EXO_LOOP_NVME)
    fill_command(sqe, loop->namespace_id, lba, loop->lba_shift, address, TRAVERSAL_BLOCK_BYTES);
  else
    fill_read(sqe, offset, address, TRAVERSAL_BLOCK_BYTES);
  return 0;
}

/* The block that chain `id` asked for has been read: one hop. */
TRAVERSAL_FUNCTION int advance(struct exo_traversal_loop *loop, struct traversal *t, __u32 id, int result) {
  if (!loop || !t) return EXO_TRAVERSAL_GARBAGE;
  struct exo_control *control = &loop->controls[id & CHAINS_MASK];
  if (result != (loop->kind == EXO_LOOP_NVME ? 0 : TRAVERSAL_BLOCK_BYTES)) return EXO_TRAVERSAL_IO;
  return exo_hop(control, t, loop->file_size);
}

TRAVERSAL_INLINE int start_chain(struct exo_traversal_loop *loop, struct sqe *sqe, __u8 *memory, __u32 id) {
  return fill_next(loop, sqe, id);
}

TRAVERSAL_INLINE int advance_chain(struct exo_traversal_loop *loop, struct sqe *sqe, __u8 *memory, __u32 id,
                                   int result) {
  int end = advance(loop, (struct traversal *)(memory + sizeof(struct traversal) * id), id, result);
  return end == 0 ? fill_next(loop, sqe, id) : end;
}

TRAVERSAL_INLINE void end_chain(struct exo_traversal_loop *loop, __u32 id, int end) { loop->controls[id].end = end; }

#define LOOP struct exo_traversal_loop
#define LOOP_CHAINS EXO_TRAVERSAL_CHAINS
#define LOOP_REGION_BYTES EXO_TRAVERSAL_REGION_BYTES
#include "loop_walk.h"

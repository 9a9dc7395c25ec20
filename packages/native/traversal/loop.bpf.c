// SPDX-License-Identifier: GPL-2.0
/*
 * A user-defined traversal (EXO_SOURCE) inside the kernel's io_uring wait loop (Linux 7.1). As bpf/loop_lookup.bpf.c:
 * each block that arrives is looked at at once, and the read of the next one goes into the ring; of the file, or as a
 * command to the NVMe device that it lies on.
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

const volatile struct exo_loop_ring ring;

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
  __uint(max_entries, EXO_EXTENTS_MAX);
  __type(key, __u32);
  __type(value, struct exo_extent);
} extents SEC(".maps");

#define CHAINS_MASK (EXO_TRAVERSAL_CHAINS - 1)
#define BLOCK_AT __builtin_offsetof(struct traversal, block)

TRAVERSAL_INLINE const struct exo_extent *extent_at(__u32 index) { return bpf_map_lookup_elem(&extents, &index); }

EXO_DEFINE_LOCATE(locate, extent_at, TRAVERSAL_FUNCTION)

TRAVERSAL_INLINE __u64 block_address(const struct exo_traversal_loop *loop, __u32 id) {
  return loop->chains + sizeof(struct traversal) * (__u64)id + BLOCK_AT;
}

TRAVERSAL_INLINE void fill_command(const struct exo_traversal_loop *loop, struct sqe *sqe, __u32 id, __u64 lba) {
  sqe->opcode = IORING_OP_URING_CMD;
  sqe->offset = NVME_URING_CMD_IO;
  sqe->op_flags = IORING_URING_CMD_FIXED;
  sqe->nvme.opcode = NVME_READ;
  sqe->nvme.namespace_id = loop->namespace_id;
  sqe->nvme.address = block_address(loop, id);
  sqe->nvme.data_bytes = TRAVERSAL_BLOCK_BYTES;
  sqe->nvme.lba = lba;
  sqe->nvme.blocks_less_one = (TRAVERSAL_BLOCK_BYTES >> (loop->lba_shift & 31)) - 1;
}

TRAVERSAL_INLINE void fill_read(const struct exo_traversal_loop *loop, struct sqe *sqe, __u32 id, __u64 offset) {
  sqe->opcode = IORING_OP_READ_FIXED;
  sqe->offset = offset;
  sqe->address = block_address(loop, id);
  sqe->bytes = TRAVERSAL_BLOCK_BYTES;
}

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
  if (loop->kind == EXO_LOOP_NVME)
    fill_command(loop, sqe, id, lba);
  else
    fill_read(loop, sqe, id, offset);
  return 0;
}

/* The block that chain `id` asked for has been read: one hop. */
TRAVERSAL_FUNCTION int advance(struct exo_traversal_loop *loop, struct traversal *t, __u32 id, int result) {
  if (!loop || !t) return EXO_TRAVERSAL_GARBAGE;
  struct exo_control *control = &loop->controls[id & CHAINS_MASK];
  if (result != (loop->kind == EXO_LOOP_NVME ? 0 : TRAVERSAL_BLOCK_BYTES)) return EXO_TRAVERSAL_IO;
  return exo_hop(control, t, loop->file_size);
}

TRAVERSAL_INLINE struct sqe *next_entry(struct exo_traversal_loop *loop, __u8 *sq) {
  return (struct sqe *)(sq + (FRESH(&loop->sq_tail) & (EXO_LOOP_ENTRIES - 1)) * EXO_LOOP_SQE_BYTES);
}

/* After a chain's hop, and after its next read was filled in: the read is queued, or the chain has ended. */
TRAVERSAL_INLINE void settle(struct exo_traversal_loop *loop, __u32 id, int end) {
  if (end == 0) {
    FRESH(&loop->sq_tail) = FRESH(&loop->sq_tail) + 1;
    return;
  }
  loop->controls[id & CHAINS_MASK].end = end;
  FRESH(&loop->live) = FRESH(&loop->live) - 1;
}

TRAVERSAL_INLINE void start_chains(struct exo_traversal_loop *loop, __u8 *sq) {
  struct bpf_iter_num turns;

  bpf_iter_num_new(&turns, 0, EXO_TRAVERSAL_CHAINS);
  while (bpf_iter_num_next(&turns)) {
    __u32 id = FRESH(&loop->started);
    if (id >= FRESH(&loop->count)) break;
    FRESH(&loop->started) = id + 1;
    settle(loop, id, fill_next(loop, next_entry(loop, sq), id));
  }
  bpf_iter_num_destroy(&turns);
}

TRAVERSAL_INLINE void take_completions(struct exo_traversal_loop *loop, __u8 *cq, __u8 *sq, __u8 *memory) {
  struct bpf_iter_num turns;
  __u32 head_at = ring.cq_head & 1023, tail_at = ring.cq_tail & 1023, entries_at = ring.cqes & 1023;

  bpf_iter_num_new(&turns, 0, EXO_TRAVERSAL_CHAINS);
  while (bpf_iter_num_next(&turns)) {
    __u32 head = FRESH(cq + head_at);
    if (head == FRESH(cq + tail_at)) break;
    const struct cqe *cqe =
        (const struct cqe *)(cq + entries_at + (head & (2 * EXO_LOOP_ENTRIES - 1)) * EXO_LOOP_CQE_BYTES);
    __u32 id = cqe->user_data & CHAINS_MASK;
    int result = cqe->result;
    FRESH(cq + head_at) = head + 1;
    int end = advance(loop, (struct traversal *)(memory + sizeof(struct traversal) * id), id, result);
    if (end == 0) end = fill_next(loop, next_entry(loop, sq), id);
    settle(loop, id, end);
  }
  bpf_iter_num_destroy(&turns);
}

SEC("struct_ops.s/loop_step")
int loop_step(unsigned long long *arguments) {
  struct iou_ctx *ctx = (struct iou_ctx *)arguments[0];
  struct iou_loop_params *params = (struct iou_loop_params *)arguments[1];
  __u8 *memory = bpf_io_uring_get_region(ctx, REGION_MEMORY, EXO_TRAVERSAL_REGION_BYTES);
  __u8 *cq = bpf_io_uring_get_region(ctx, REGION_CQ, EXO_LOOP_CQ_BYTES);
  __u8 *sq = bpf_io_uring_get_region(ctx, REGION_SQ, EXO_LOOP_SQ_BYTES);
  __u32 zero = 0;
  struct exo_traversal_loop *loop = bpf_map_lookup_elem(&loops, &zero);
  if (!memory || !cq || !sq || !loop) return LOOP_STOP;

  if (FRESH(&loop->started) == 0) start_chains(loop, sq);
  take_completions(loop, cq, sq, memory);
  __u32 tail = FRESH(&loop->sq_tail);
  __u32 fresh = tail - FRESH(&loop->submitted);
  FRESH(cq + (ring.sq_tail & 1023)) = tail;
  FRESH(&loop->submitted) = tail;
  if (fresh && bpf_io_uring_submit_sqes(ctx, fresh) != (int)fresh) return LOOP_STOP;
  if (FRESH(&loop->live) == 0) return LOOP_STOP;
  params->cq_wait_idx = FRESH(cq + (ring.cq_head & 1023)) + 1;
  return LOOP_CONTINUE;
}

SEC(".struct_ops.link")
struct io_uring_bpf_ops loop_ops = {.loop_step = (void *)loop_step};

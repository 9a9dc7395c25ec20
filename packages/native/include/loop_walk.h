/* SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0) */
/*
 * loop_step, the loop of a BPF program in io_uring's wait loop: takes the waiting completions, advances each chain by
 * one hop, and submits all new reads in one call.
 *
 * Include this at the end of a program that has a map `loops` of one LOOP, and defines
 *
 *   LOOP               a struct with count, started, live, sq_tail and submitted
 *   LOOP_CHAINS        chains in flight at most, a power of two
 *   LOOP_REGION_BYTES  of the memory that the ring knows
 *   start_chain(loop, sqe, memory, id)            fills in the chain's first read
 *   advance_chain(loop, sqe, memory, id, result)  does its hop, and fills in the next read
 *   end_chain(loop, id, status)                   keeps how it ended
 *
 * The first two return EXO_CHAIN_GOING when a read was filled in; anything else ends the chain.
 *
 * For the verifier: loops are open-coded iterators, and each turn reads their control values from memory again.
 */
#ifndef EXOPOOL_LOOP_WALK_H
#define EXOPOOL_LOOP_WALK_H

#include "loop_ring.h"

const volatile struct exo_loop_ring ring;

/* After a chain's step: its next read is queued, or it has ended. */
LOOP_INLINE void settle(LOOP *loop, __u32 id, int status) {
  if (status == EXO_CHAIN_GOING) {
    FRESH(&loop->sq_tail) = FRESH(&loop->sq_tail) + 1;
    return;
  }
  end_chain(loop, id & (LOOP_CHAINS - 1), status);
  FRESH(&loop->live) = FRESH(&loop->live) - 1;
}

/* The next free entry of the submission queue. There is always one: a chain has one read at most. */
LOOP_INLINE struct sqe *next_entry(LOOP *loop, __u8 *sq) {
  return (struct sqe *)(sq + (FRESH(&loop->sq_tail) & (EXO_LOOP_ENTRIES - 1)) * EXO_LOOP_SQE_BYTES);
}

LOOP_INLINE void start_chains(LOOP *loop, __u8 *sq, __u8 *memory) {
  struct bpf_iter_num turns;

  bpf_iter_num_new(&turns, 0, LOOP_CHAINS);
  while (bpf_iter_num_next(&turns)) {
    __u32 id = FRESH(&loop->started);
    if (id >= FRESH(&loop->count)) break;
    FRESH(&loop->started) = id + 1;
    settle(loop, id, start_chain(loop, next_entry(loop, sq), memory, id & (LOOP_CHAINS - 1)));
  }
  bpf_iter_num_destroy(&turns);
}

LOOP_INLINE void take_completions(LOOP *loop, __u8 *cq, __u8 *sq, __u8 *memory) {
  struct bpf_iter_num turns;
  __u32 head_at = ring.cq_head & 1023, tail_at = ring.cq_tail & 1023, entries_at = ring.cqes & 1023;

  bpf_iter_num_new(&turns, 0, LOOP_CHAINS);
  while (bpf_iter_num_next(&turns)) {
    __u32 head = FRESH(cq + head_at);
    if (head == FRESH(cq + tail_at)) break;
    const struct cqe *cqe =
        (const struct cqe *)(cq + entries_at + (head & (2 * EXO_LOOP_ENTRIES - 1)) * EXO_LOOP_CQE_BYTES);
    __u32 id = cqe->user_data & (LOOP_CHAINS - 1);
    int result = cqe->result;
    FRESH(cq + head_at) = head + 1;
    settle(loop, id, advance_chain(loop, next_entry(loop, sq), memory, id, result));
  }
  bpf_iter_num_destroy(&turns);
}

SEC("struct_ops.s/loop_step")
int loop_step(unsigned long long *arguments) {
  struct iou_ctx *ctx = (struct iou_ctx *)arguments[0];
  struct iou_loop_params *params = (struct iou_loop_params *)arguments[1];
  __u8 *memory = bpf_io_uring_get_region(ctx, REGION_MEMORY, LOOP_REGION_BYTES);
  __u8 *cq = bpf_io_uring_get_region(ctx, REGION_CQ, EXO_LOOP_CQ_BYTES);
  __u8 *sq = bpf_io_uring_get_region(ctx, REGION_SQ, EXO_LOOP_SQ_BYTES);
  __u32 zero = 0;
  LOOP *loop = bpf_map_lookup_elem(&loops, &zero);
  if (!memory || !cq || !sq || !loop) return LOOP_STOP;

  if (FRESH(&loop->started) == 0) start_chains(loop, sq, memory);
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

#endif

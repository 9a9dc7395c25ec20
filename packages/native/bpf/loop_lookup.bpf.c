// SPDX-License-Identifier: GPL-2.0
/*
 * Advances chains inside the kernel's io_uring wait loop (Linux 7.1): each page that arrives is searched at once,
 * and the read of the next page goes into the ring, without a return to user space in between.
 *
 * loop_step is called when completions may be there. It takes each, advances its chain by one hop, and fills in
 * the next read; then it submits all new reads in one call, and says how many completions it wants to wait for.
 * The same loop reads the file (EXO_LOOP_FILE) or sends NVMe commands past the file system and the block layer
 * (EXO_LOOP_NVME), which is why it translates offsets itself.
 *
 * For the verifier: what advances a chain are functions that it verifies once each; the loop over completions is
 * an open-coded iterator, and what the loop decides by is read from memory anew at each turn.
 */
// clang-format off: libbpf's header needs the types first
#include "kernel_types.h"
#include <bpf/bpf_helpers.h>
// clang-format on

/* The ring reads the pages. */
#define EXO_PAGES_ARE_WHOLE
#include "extent_search.h"
#include "loop_ring.h"
#include "table_search.h"

char LICENSE[] SEC("license") = "GPL";

const volatile struct exo_loop_ring ring;

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(map_flags, BPF_F_MMAPABLE);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct exo_loop);
} loops SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(map_flags, BPF_F_MMAPABLE);
  __uint(max_entries, EXO_EXTENTS_MAX);
  __type(key, __u32);
  __type(value, struct exo_extent);
} extents SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(map_flags, BPF_F_MMAPABLE);
  __uint(max_entries, EXO_SNAPSHOTS_MAX);
  __type(key, __u32);
  __type(value, __u64); /* the generation */
} snapshots SEC(".maps");

EXO_INLINE const struct exo_extent *extent_at(__u32 index) { return bpf_map_lookup_elem(&extents, &index); }

EXO_DEFINE_LOCATE(locate, extent_at, EXO_FUNCTION)

/* Whether the file's extents are still what the snapshot says. */
EXO_INLINE int is_fresh(const struct exo_loop *loop) {
  __u32 slot = loop->snapshot;
  __u64 *generation = bpf_map_lookup_elem(&snapshots, &slot);
  return generation && *(volatile __u64 *)generation == loop->generation;
}

EXO_INLINE void fill_read(const struct exo_loop *loop, struct sqe *sqe, __u32 id, __u64 offset) {
  sqe->opcode = IORING_OP_READ_FIXED;
  sqe->offset = offset;
  sqe->address = loop->pages + EXO_LOOP_STRIDE * (__u64)id;
  sqe->bytes = EXO_PAGE_SIZE;
}

EXO_INLINE void fill_command(const struct exo_loop *loop, struct sqe *sqe, __u32 id, __u64 lba) {
  sqe->opcode = IORING_OP_URING_CMD;
  sqe->offset = NVME_URING_CMD_IO;
  sqe->op_flags = IORING_URING_CMD_FIXED;
  sqe->nvme.opcode = NVME_READ;
  sqe->nvme.namespace_id = loop->namespace_id;
  sqe->nvme.address = loop->pages + EXO_LOOP_STRIDE * (__u64)id;
  sqe->nvme.data_bytes = EXO_PAGE_SIZE;
  sqe->nvme.lba = lba;
  sqe->nvme.blocks_less_one = (EXO_PAGE_SIZE >> (loop->lba_shift & 31)) - 1;
}

/* Fills in the read of the page that chain `id` goes to next. Anything but EXO_CHAIN_GOING ends the chain. */
EXO_FUNCTION int fill_next(struct exo_loop *loop, struct sqe *sqe, __u32 id, __u64 offset) {
  __u64 lba = 0;

  if (!loop || !sqe) return EXO_CHAIN_CORRUPT;
  id &= EXO_LOOP_CHAINS - 1;
  struct exo_loop_chain *state = &loop->chains[id];
  __u32 hops = state->hops;
  if (hops >= loop->height || hops >= EXO_HEIGHT_MAX) return EXO_CHAIN_BOUND;
  if (!exo_page_in_file(offset, loop->file_size)) return EXO_CHAIN_CORRUPT;
  if (loop->kind == EXO_LOOP_NVME) {
    if (!is_fresh(loop)) return EXO_CHAIN_STALE;
    int status = locate(loop->extent, loop->extents, offset, loop->lba_shift, &lba);
    if (status != EXO_CHAIN_GOING) return status;
  }
  state->path[hops & (EXO_HEIGHT_MAX - 1)] = offset;
  state->hops = hops + 1;
  __builtin_memset(sqe, 0, sizeof(*sqe));
  sqe->fd = loop->fd;
  sqe->user_data = id;
  if (loop->kind == EXO_LOOP_NVME)
    fill_command(loop, sqe, id, lba);
  else
    fill_read(loop, sqe, id, offset);
  return EXO_CHAIN_GOING;
}

/* The page that chain `id` asked for has been read: one hop. */
EXO_FUNCTION int advance(struct exo_loop *loop, struct exo_chain *chain, __u32 id, int result) {
  if (!loop || !chain) return EXO_CHAIN_CORRUPT;
  const struct exo_loop_chain *state = &loop->chains[id & (EXO_LOOP_CHAINS - 1)];
  __u32 hops = state->hops;
  __u32 height = loop->height;
  if (result != (loop->kind == EXO_LOOP_NVME ? 0 : EXO_PAGE_SIZE)) return EXO_CHAIN_IO;
  if (hops == 0 || hops > height) return EXO_CHAIN_BOUND;
  chain->copied += EXO_PAGE_SIZE;
  __u64 offset = state->path[(hops - 1) & (EXO_HEIGHT_MAX - 1)];
  return exo_step(chain, 0, offset, loop->table_id, height - hops);
}

/* The next free entry of the submission queue. There is always one: a chain has one read at most. */
EXO_INLINE struct sqe *next_entry(struct exo_loop *loop, __u8 *sq) {
  return (struct sqe *)(sq + (FRESH(&loop->sq_tail) & (EXO_LOOP_ENTRIES - 1)) * EXO_LOOP_SQE_BYTES);
}

EXO_INLINE struct exo_chain *chain_at(__u8 *memory, __u32 id) {
  return (struct exo_chain *)(memory + EXO_LOOP_CHAIN_AT(id & (EXO_LOOP_CHAINS - 1)));
}

/* After a chain's step, and after its next read was filled in: the read is queued, or the chain has ended. */
EXO_INLINE void settle(struct exo_loop *loop, __u32 id, int status) {
  if (status == EXO_CHAIN_GOING) {
    FRESH(&loop->sq_tail) = FRESH(&loop->sq_tail) + 1;
    return;
  }
  loop->chains[id & (EXO_LOOP_CHAINS - 1)].status = status;
  FRESH(&loop->live) = FRESH(&loop->live) - 1;
}

EXO_INLINE void start_chains(struct exo_loop *loop, __u8 *sq, __u8 *memory) {
  struct bpf_iter_num turns;

  bpf_iter_num_new(&turns, 0, EXO_LOOP_CHAINS);
  while (bpf_iter_num_next(&turns)) {
    __u32 id = FRESH(&loop->started);
    if (id >= FRESH(&loop->count)) break;
    FRESH(&loop->started) = id + 1;
    settle(loop, id, fill_next(loop, next_entry(loop, sq), id, chain_at(memory, id)->next));
  }
  bpf_iter_num_destroy(&turns);
}

EXO_INLINE void take_completions(struct exo_loop *loop, __u8 *cq, __u8 *sq, __u8 *memory) {
  struct bpf_iter_num turns;
  __u32 head_at = ring.cq_head & 1023, tail_at = ring.cq_tail & 1023, entries_at = ring.cqes & 1023;

  bpf_iter_num_new(&turns, 0, EXO_LOOP_CHAINS);
  while (bpf_iter_num_next(&turns)) {
    __u32 head = FRESH(cq + head_at);
    if (head == FRESH(cq + tail_at)) break;
    const struct cqe *cqe =
        (const struct cqe *)(cq + entries_at + (head & (2 * EXO_LOOP_ENTRIES - 1)) * EXO_LOOP_CQE_BYTES);
    __u32 id = cqe->user_data & (EXO_LOOP_CHAINS - 1);
    int result = cqe->result;
    FRESH(cq + head_at) = head + 1;
    struct exo_chain *chain = chain_at(memory, id);
    int status = advance(loop, chain, id, result);
    if (status == EXO_CHAIN_GOING) status = fill_next(loop, next_entry(loop, sq), id, chain->next);
    settle(loop, id, status);
  }
  bpf_iter_num_destroy(&turns);
}

SEC("struct_ops.s/loop_step")
int loop_step(unsigned long long *arguments) {
  struct iou_ctx *ctx = (struct iou_ctx *)arguments[0];
  struct iou_loop_params *params = (struct iou_loop_params *)arguments[1];
  __u8 *memory = bpf_io_uring_get_region(ctx, REGION_MEMORY, EXO_LOOP_REGION_BYTES);
  __u8 *cq = bpf_io_uring_get_region(ctx, REGION_CQ, EXO_LOOP_CQ_BYTES);
  __u8 *sq = bpf_io_uring_get_region(ctx, REGION_SQ, EXO_LOOP_SQ_BYTES);
  __u32 zero = 0;
  struct exo_loop *loop = bpf_map_lookup_elem(&loops, &zero);
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

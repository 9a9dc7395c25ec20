// SPDX-License-Identifier: GPL-2.0
/*
 * Advances chains inside the kernel's io_uring wait loop (Linux 7.1): each page that arrives is searched at once,
 * and the read of the next page goes into the ring, without a return to user space in between.
 *
 * The same loop reads the file (EXO_LOOP_FILE) or sends NVMe commands past the file system and the block layer
 * (EXO_LOOP_NVME), which is why it translates offsets itself.
 *
 * The loop itself is loop_walk.h. For the verifier: the functions that advance a chain are verified once each.
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
  __uint(max_entries, EXO_LOOP_EXTENTS_MAX);
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
  __u64 address = loop->pages + EXO_LOOP_STRIDE * (__u64)id;
  if (loop->kind == EXO_LOOP_NVME)
    fill_command(sqe, loop->namespace_id, lba, loop->lba_shift, address, EXO_PAGE_SIZE);
  else
    fill_read(sqe, offset, address, EXO_PAGE_SIZE);
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

EXO_INLINE struct exo_chain *chain_at(__u8 *memory, __u32 id) {
  return (struct exo_chain *)(memory + EXO_LOOP_CHAIN_AT(id));
}

EXO_INLINE int start_chain(struct exo_loop *loop, struct sqe *sqe, __u8 *memory, __u32 id) {
  return fill_next(loop, sqe, id, chain_at(memory, id)->next);
}

EXO_INLINE int advance_chain(struct exo_loop *loop, struct sqe *sqe, __u8 *memory, __u32 id, int result) {
  struct exo_chain *chain = chain_at(memory, id);
  int status = advance(loop, chain, id, result);
  return status == EXO_CHAIN_GOING ? fill_next(loop, sqe, id, chain->next) : status;
}

EXO_INLINE void end_chain(struct exo_loop *loop, __u32 id, int status) { loop->chains[id].status = status; }

#define LOOP struct exo_loop
#define LOOP_CHAINS EXO_LOOP_CHAINS
#define LOOP_REGION_BYTES EXO_LOOP_REGION_BYTES
#include "loop_walk.h"

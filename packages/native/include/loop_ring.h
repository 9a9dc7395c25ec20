/* SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0) */
/*
 * The ring as a BPF program in io_uring's wait loop (Linux 7.1) sees it: entries of both queues, with room for NVMe
 * commands, and the kernel's functions. For programs only; include it after kernel_types.h and bpf_helpers.h.
 */
#ifndef EXOPOOL_LOOP_RING_H
#define EXOPOOL_LOOP_RING_H

#include "loop.h"

/* From linux/io_uring.h and linux/nvme_ioctl.h: part of the system-call interface. */
enum { IORING_OP_READ_FIXED = 4, IORING_OP_URING_CMD = 46 };
enum { IORING_URING_CMD_FIXED = 1 };
enum { NVME_URING_CMD_IO = 0xc0484e80, NVME_READ = 2 };
enum { REGION_MEMORY = 0, REGION_CQ = 1, REGION_SQ = 2 };
enum { LOOP_CONTINUE = 0, LOOP_STOP = 1 };

/* The few fields of the kernel's types; libbpf matches them by name, and a struct only with a struct. */
struct iou_ctx {};
struct iou_loop_params {
  __u32 cq_wait_idx;
};
struct io_uring_bpf_ops {
  int (*loop_step)(struct iou_ctx *ctx, struct iou_loop_params *params);
  __u32 ring_fd;
  void *priv;
};
struct bpf_iter_num {
  __u64 opaque[1];
} __attribute__((aligned(8)));

extern int bpf_io_uring_submit_sqes(struct iou_ctx *ctx, __u32 count) __ksym;
extern __u8 *bpf_io_uring_get_region(struct iou_ctx *ctx, __u32 id, const __u64 rdwr_buf_size) __ksym;
extern int bpf_iter_num_new(struct bpf_iter_num *iterator, int start, int end) __ksym;
extern int *bpf_iter_num_next(struct bpf_iter_num *iterator) __ksym;
extern void bpf_iter_num_destroy(struct bpf_iter_num *iterator) __ksym;

struct nvme_command {
  __u8 opcode;
  __u8 flags;
  __u16 reserved;
  __u32 namespace_id;
  __u64 unused[2]; /* two command words, and the address of metadata */
  __u64 address;
  __u32 metadata_bytes;
  __u32 data_bytes;
  __u64 lba;
  __u32 blocks_less_one;
  __u32 words[3];
  __u32 timeout_ms;
  __u32 reserved2;
};

struct sqe {
  __u8 opcode;
  __u8 flags;
  __u16 priority;
  __s32 fd;
  __u64 offset; /* or the command of IORING_OP_URING_CMD */
  __u64 address;
  __u32 bytes;
  __u32 op_flags;
  __u64 user_data;
  __u16 buffer;
  __u16 unused[3];
  struct nvme_command nvme; /* at 48 */
  __u64 unused2;
};
EXO_ASSERT(sizeof(struct nvme_command) == 72, "NVMe command");
EXO_ASSERT(sizeof(struct sqe) == EXO_LOOP_SQE_BYTES, "submission");

struct cqe {
  __u64 user_data;
  __s32 result;
  __u32 flags;
  __u64 more[2];
};
EXO_ASSERT(sizeof(struct cqe) == EXO_LOOP_CQE_BYTES, "completion");

/* Read from memory again at each turn: the values that control a loop. */
#define FRESH(place) (*(volatile __u32 *)(place))

#define LOOP_INLINE static inline __attribute__((always_inline, unused))

/* A read of a file, into memory that the ring has registered. */
LOOP_INLINE void fill_read(struct sqe *sqe, __u64 offset, __u64 address, __u32 bytes) {
  sqe->opcode = IORING_OP_READ_FIXED;
  sqe->offset = offset;
  sqe->address = address;
  sqe->bytes = bytes;
}

/* The same as a command to the NVMe device: `bytes` from a logical block on. */
LOOP_INLINE void fill_command(struct sqe *sqe, __u32 namespace_id, __u64 lba, __u32 lba_shift, __u64 address,
                              __u32 bytes) {
  sqe->opcode = IORING_OP_URING_CMD;
  sqe->offset = NVME_URING_CMD_IO;
  sqe->op_flags = IORING_URING_CMD_FIXED;
  sqe->nvme.opcode = NVME_READ;
  sqe->nvme.namespace_id = namespace_id;
  sqe->nvme.address = address;
  sqe->nvme.data_bytes = bytes;
  sqe->nvme.lba = lba;
  sqe->nvme.blocks_less_one = (bytes >> (lba_shift & 31)) - 1;
}

#endif

// SPDX-License-Identifier: GPL-2.0
/*
 * Probes at the borders of the kernel's layers that store when one thread's read passed them. Contract and
 * picture: include/read_trace.h.
 *
 * Functions are the exact borders (fentry, fexit), but they depend on the file system and the driver: the loader sets
 * the target of these programs. Tracepoints lie near some borders, and exist even if a kernel does not allow tracing
 * its functions. The loader takes one of the two for each border. A probe costs about as much as the step it measures.
 * So each does as little as possible: one comparison for any other thread.
 */
// clang-format off: libbpf's header needs the types first
#include "kernel_types.h"
struct bpf_pidns_info {
  __u32 pid;
  __u32 tgid;
};
#include <bpf/bpf_helpers.h>
// clang-format on

#include "read_trace.h"

char LICENSE[] SEC("license") = "GPL";

#ifdef __TARGET_ARCH_x86
#define READ_CALL 17 /* pread64 */
#else
#define READ_CALL 67 /* of the architectures that share one table */
#endif

struct bio;
struct request {
  struct bio *bio;
} __attribute__((preserve_access_index));

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(map_flags, BPF_F_MMAPABLE);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct exo_read_trace);
} traces SEC(".maps");

static inline struct exo_read_trace *find_trace(void) {
  __u32 index = 0;
  return bpf_map_lookup_elem(&traces, &index);
}

/* The trace, when the reader runs here. */
static inline struct exo_read_trace *own_trace(void) {
  struct exo_read_trace *trace = find_trace();
  return trace && trace->task == bpf_get_current_task() ? trace : 0;
}

/* On the way in the first passage counts: a split read has several. */
static inline int mark_first(struct exo_read_trace *trace, enum exo_read_mark mark) {
  if (trace && !trace->marks[mark]) trace->marks[mark] = bpf_ktime_get_ns();
  return 0;
}

static inline int mark_last(struct exo_read_trace *trace, enum exo_read_mark mark) {
  if (trace) trace->marks[mark] = bpf_ktime_get_ns();
  return 0;
}

/* The same between block_in and the end of the read alone: the reader may work for others meanwhile. */
static inline struct exo_read_trace *own_below_block(void) {
  struct exo_read_trace *trace = own_trace();
  return trace && trace->marks[EXO_MARK_BLOCK_IN] ? trace : 0;
}

/* Finds the reader once by its id in its namespace. Later probes compare the task, which is quicker. */
static inline struct exo_read_trace *find_reader(void) {
  struct exo_read_trace *trace = find_trace();
  struct bpf_pidns_info reader = {};

  if (!trace || trace->task || !trace->thread) return own_trace();
  if (bpf_get_ns_current_pid_tgid(trace->namespace_device, trace->namespace_inode, &reader, sizeof(reader))) return 0;
  if (reader.pid == trace->thread) trace->task = bpf_get_current_task();
  return own_trace();
}

/* --- Functions --- */

SEC("fentry")
int syscall_in(void) { return mark_first(find_reader(), EXO_MARK_SYSCALL_IN); }

SEC("fexit")
int syscall_out(void) { return mark_first(own_trace(), EXO_MARK_SYSCALL_OUT); }

SEC("fentry")
int fs_in(void) { return mark_first(own_trace(), EXO_MARK_FS_IN); }

SEC("fexit")
int fs_out(void) { return mark_last(own_trace(), EXO_MARK_FS_OUT); }

SEC("fentry")
int driver_in(void) { return mark_first(own_below_block(), EXO_MARK_DRIVER_IN); }

SEC("fexit")
int driver_out(void) { return mark_last(own_below_block(), EXO_MARK_DRIVER_OUT); }

/* Drivers that take a list of requests have a second function for it. */
SEC("fentry")
int driver_list_in(void) { return mark_first(own_below_block(), EXO_MARK_DRIVER_IN); }

SEC("fexit")
int driver_list_out(void) { return mark_last(own_below_block(), EXO_MARK_DRIVER_OUT); }

/* The same work at a system call that does nothing, to measure its cost. */
SEC("fentry")
int idle_in(void) { return mark_last(own_trace(), EXO_MARK_IDLE); }

SEC("fexit")
int idle_out(void) { return mark_last(own_trace(), EXO_MARK_IDLE); }

/* --- Tracepoints --- */

SEC("tp_btf/sys_enter")
int point_syscall_in(__u64 *ctx) {
  if (ctx[1] != READ_CALL) return mark_last(own_trace(), EXO_MARK_IDLE);
  return mark_first(find_reader(), EXO_MARK_SYSCALL_IN);
}

SEC("tp_btf/sys_exit")
int point_syscall_out(void) {
  struct exo_read_trace *trace = own_trace();

  if (!trace || !trace->marks[EXO_MARK_SYSCALL_IN]) return mark_last(trace, EXO_MARK_IDLE);
  return mark_first(trace, EXO_MARK_SYSCALL_OUT);
}

/* After the file system has looked the file up and locked it. */
SEC("tp_btf/iomap_dio_rw_begin")
int point_fs_in(void) { return mark_first(own_trace(), EXO_MARK_FS_IN); }

SEC("tp_btf/iomap_dio_complete")
int point_fs_out(void) { return mark_last(own_trace(), EXO_MARK_FS_OUT); }

SEC("tp_btf/block_bio_queue")
int point_block_in(__u64 *ctx) {
  struct exo_read_trace *trace = own_trace();

  if (!trace || !trace->marks[EXO_MARK_SYSCALL_IN] || trace->marks[EXO_MARK_BLOCK_IN]) return 0;
  trace->bio = ctx[0];
  return mark_first(trace, EXO_MARK_BLOCK_IN);
}

/* A request may be handed to the driver by another thread, and then it is known by its bio. */
SEC("tp_btf/block_rq_issue")
int point_issue(__u64 *ctx) {
  struct exo_read_trace *trace = find_trace();
  struct request *request = (struct request *)ctx[0];

  if (!trace || !trace->marks[EXO_MARK_BLOCK_IN] || trace->request) return 0;
  if (trace->task != bpf_get_current_task() && trace->bio != (__u64)request->bio) return 0;
  trace->request = (__u64)request;
  return mark_first(trace, EXO_MARK_ISSUE);
}

SEC("tp_btf/block_rq_complete")
int point_complete(__u64 *ctx) {
  struct exo_read_trace *trace = find_trace();

  if (!trace || !trace->request || trace->request != ctx[0]) return 0;
  return mark_first(trace, EXO_MARK_COMPLETE);
}

/* Devices that have no requests complete the bio itself. */
SEC("tp_btf/block_bio_complete")
int point_bio_complete(__u64 *ctx) {
  struct exo_read_trace *trace = find_trace();

  if (!trace || !trace->bio || trace->bio != ctx[1]) return 0;
  return mark_first(trace, EXO_MARK_COMPLETE);
}

SEC("tp_btf/sched_switch")
int point_running(__u64 *ctx) {
  struct exo_read_trace *trace = find_trace();

  if (!trace || !trace->task || trace->task != ctx[2]) return 0;
  return mark_last(trace, EXO_MARK_RUNNING);
}

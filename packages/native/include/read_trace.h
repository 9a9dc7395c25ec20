/* SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0) */
/*
 * When one read of one thread crossed from a layer of the kernel into the next: the contract between the probes
 * (kernel/bpf/read_trace.bpf.c) and the reader (addon/door/read_trace_binding.cc).
 *
 *   before -> syscall_in -> fs_in -> block_in -> driver_in -> issue -> driver_out
 *                                                                          | the device works
 *   after <- syscall_out <- fs_out <- running <- complete <----------------+
 *
 * One read is in flight at a time. The reader sets the marks to zero before it and takes them after it, so a probe only
 * stores a time. User space interprets the times. All are CLOCK_MONOTONIC, in nanoseconds; zero: not reached.
 */
#ifndef EXOPOOL_READ_TRACE_H
#define EXOPOOL_READ_TRACE_H

#ifdef __BPF__
#include "kernel_types.h"
#else
#include <linux/types.h>
#endif

/* In the order in which a read passes them. */
enum exo_read_mark {
  EXO_MARK_BEFORE = 0, /* at user level, as is EXO_MARK_AFTER */
  EXO_MARK_SYSCALL_IN,
  EXO_MARK_FS_IN,
  EXO_MARK_BLOCK_IN,
  EXO_MARK_DRIVER_IN,
  EXO_MARK_ISSUE, /* the driver reports the start of the request */
  EXO_MARK_DRIVER_OUT,
  EXO_MARK_COMPLETE, /* on any CPU; the marks around it are the reader's */
  EXO_MARK_RUNNING,  /* the last time that the reader got a CPU */
  EXO_MARK_FS_OUT,
  EXO_MARK_SYSCALL_OUT,
  EXO_MARK_AFTER,
  EXO_MARKS_OF_READ,
  EXO_MARK_IDLE = EXO_MARKS_OF_READ, /* of the probes whose cost alone is measured */
  EXO_MARKS,
};

struct exo_read_trace {
  /* The reader's process id in its PID namespace, and that namespace. */
  __u64 namespace_device;
  __u64 namespace_inode;
  __u32 thread;
  __u32 unused;
  /* Of the kernel; only compared. */
  __u64 task;    /* the reader, found at its first read */
  __u64 bio;     /* of the read in flight, as is */
  __u64 request; /* this */
  __u64 marks[EXO_MARKS];
};

#endif

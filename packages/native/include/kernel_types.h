/* SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0) */
/*
 * The kernel types that our BPF programs need, instead of a generated vmlinux.h of 100,000 lines. Programs
 * that look into kernel structures declare those few fields themselves, with preserve_access_index, where
 * they use them.
 */
#ifndef EXOPOOL_KERNEL_TYPES_H
#define EXOPOOL_KERNEL_TYPES_H

typedef signed char __s8;
typedef unsigned char __u8;
typedef short __s16;
typedef unsigned short __u16;
typedef int __s32;
typedef unsigned int __u32;
typedef long long __s64;
typedef unsigned long long __u64;

/* Named by the helpers' prototypes in libbpf's bpf_helper_defs.h. */
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u64 __be64;
typedef __u32 __wsum;

/* From linux/bpf.h: part of the system-call interface, so the numbers never change. */
enum bpf_map_type { BPF_MAP_TYPE_ARRAY = 2 };
enum { BPF_F_MMAPABLE = 1U << 10 };

#endif

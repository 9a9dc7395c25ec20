/* SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0) */
/*
 * A traversal of your own: how to get from one block of a file to the next, in C.
 *
 *   #include <traversal.h>
 *
 *   static __u64 first(struct traversal *t) { return input_u64(t, 0); }
 *   static int next(struct traversal *t)
 *   {
 *     if (block_u64(t, 8) == input_u64(t, 8)) return give_block(t, 16, 32) ? TRAVERSAL_USER : TRAVERSAL_DONE;
 *     return go_to(t, block_u64(t, 0));
 *   }
 *
 * `exopool traversal build` compiles it twice: for the kernel, where the verifier reads it, and as a native twin, which
 * continues a chain that comes back. `first` runs at user level only. Both see one chain, struct traversal, and nothing
 * else. A chain's limits (struct exo_control) lie elsewhere, and are checked after each call.
 *
 * Every accessor checks its place and returns zeros outside the block or the input. Loops need constant bounds. Mark
 * functions with loops TRAVERSAL_FUNCTION: the verifier then reads them once.
 */
#ifndef EXOPOOL_TRAVERSAL_H
#define EXOPOOL_TRAVERSAL_H

#include "table_format.h"

#define TRAVERSAL_ABI 1 /* of the layouts below: both sides of a bundle must have the same */

#define TRAVERSAL_INPUT_MAX 128    /* bytes: a key, and where to begin */
#define TRAVERSAL_STATE_WORDS 16   /* saved before each hop, so that a chain can go on elsewhere */
#define TRAVERSAL_BLOCK_BYTES 4096 /* the unit of reads, at a multiple of itself */
#define TRAVERSAL_RESULT_MAX 4096  /* in the kernel; a longer result is finished at user level */

enum traversal_verdict {
  TRAVERSAL_NEXT = 0,      /* by go_to only */
  TRAVERSAL_DONE = 1,      /* the result is complete */
  TRAVERSAL_NOT_FOUND = 2, /* no result */
  TRAVERSAL_FAIL = 3,      /* the block contradicts itself */
  TRAVERSAL_USER = 4,      /* repeat this hop at user level */
};

/* How a chain ended; the numbers before these are verdicts. */
enum exo_traversal_end {
  EXO_TRAVERSAL_BOUND = 5,       /* more hops than allowed */
  EXO_TRAVERSAL_OUTSIDE = 6,     /* an offset behind the end of the file; negative ones are, too */
  EXO_TRAVERSAL_UNALIGNED = 7,   /* an offset that is no multiple of the block */
  EXO_TRAVERSAL_GARBAGE = 8,     /* an unknown verdict, or an impossible result */
  EXO_TRAVERSAL_WROTE_INPUT = 9, /* it changed its input */
  EXO_TRAVERSAL_ENDLESS = 10,    /* one call did not return, which is possible only in the native twin */
  /* From here on chains go on at user level. */
  EXO_TRAVERSAL_IO = 11,
  EXO_TRAVERSAL_STALE = 12,    /* the snapshot of the file's extents is no longer valid */
  EXO_TRAVERSAL_STRADDLE = 13, /* a block does not lie in one piece on the device */
  EXO_TRAVERSAL_ENDS = 14,
};

#ifdef EXO_SOURCE /* the author's side: inputs are read-only */
#define EXO_READ_ONLY const
#else
#define EXO_READ_ONLY
#endif

/* One chain, as its author sees it. */
struct traversal {
  EXO_READ_ONLY __u8 input[TRAVERSAL_INPUT_MAX]; /* zeros behind its end */
  __u64 state[TRAVERSAL_STATE_WORDS];            /* the author's own; zeros at the start */
  EXO_READ_ONLY __u64 offset;                    /* of the block */
  EXO_READ_ONLY __u64 file_size;
  EXO_READ_ONLY __u32 input_len;
  EXO_READ_ONLY __u32 block_len; /* less than a block at the end of the file; zeros behind it */
  /* Through go_to and give_block. */
  __u64 next;
  __u32 result_len;
  __u32 pad;
  __u8 unused[TRAVERSAL_BLOCK_BYTES - TRAVERSAL_INPUT_MAX - 8 * TRAVERSAL_STATE_WORDS - 40];
  EXO_READ_ONLY __u8 block[TRAVERSAL_BLOCK_BYTES];
  /* The second half is never used: it lets a verifier bound place and length separately. */
  __u8 result[2 * TRAVERSAL_RESULT_MAX];
};
EXO_ASSERT(sizeof(struct traversal) == 16384, "traversal");

/* A chain's limits. No traversal sees them. */
struct exo_control {
  __u64 offset; /* of the wanted block */
  __u64 input_sum;
  __u64 state[TRAVERSAL_STATE_WORDS]; /* as before the last call of next */
  __u32 result_len;                   /* the same */
  __u32 hops;                         /* visited blocks */
  __u32 end;                          /* 0: going; else enum traversal_verdict or exo_traversal_end */
  __u32 pad;
};
EXO_ASSERT(sizeof(struct exo_control) == 160, "control");

#ifdef __BPF__
#define TRAVERSAL_FUNCTION __attribute__((noinline))
#define TRAVERSAL_INLINE static inline __attribute__((always_inline, unused))
#else
#define TRAVERSAL_FUNCTION static __attribute__((noinline, unused))
#define TRAVERSAL_INLINE static inline __attribute__((unused))
#endif

#ifdef EXO_SOURCE

/* --- For authors ------------------------------------------------------------------------------------------------ */

static int next(struct traversal *t);
static __u64 first(struct traversal *t) __attribute__((unused)); /* by the kernel's programs */

TRAVERSAL_INLINE __u8 block_u8(const struct traversal *t, __u64 at) {
  return at < TRAVERSAL_BLOCK_BYTES ? t->block[at & (TRAVERSAL_BLOCK_BYTES - 1)] : 0;
}

TRAVERSAL_INLINE __u8 input_u8(const struct traversal *t, __u64 at) {
  return at < TRAVERSAL_INPUT_MAX ? t->input[at & (TRAVERSAL_INPUT_MAX - 1)] : 0;
}

/* Numbers of 2, 4 and 8 bytes, little-endian; those with _be are big-endian. */
#define EXO_NUMBERS(from)                                                     \
  TRAVERSAL_INLINE __u16 from##_u16(const struct traversal *t, __u64 at) {    \
    return (__u16)(from##_u8(t, at) | from##_u8(t, at + 1) << 8);             \
  }                                                                           \
  TRAVERSAL_INLINE __u32 from##_u32(const struct traversal *t, __u64 at) {    \
    return from##_u16(t, at) | (__u32)from##_u16(t, at + 2) << 16;            \
  }                                                                           \
  TRAVERSAL_INLINE __u64 from##_u64(const struct traversal *t, __u64 at) {    \
    return from##_u32(t, at) | (__u64)from##_u32(t, at + 4) << 32;            \
  }                                                                           \
  TRAVERSAL_INLINE __u16 from##_u16_be(const struct traversal *t, __u64 at) { \
    return __builtin_bswap16(from##_u16(t, at));                              \
  }                                                                           \
  TRAVERSAL_INLINE __u32 from##_u32_be(const struct traversal *t, __u64 at) { \
    return __builtin_bswap32(from##_u32(t, at));                              \
  }                                                                           \
  TRAVERSAL_INLINE __u64 from##_u64_be(const struct traversal *t, __u64 at) { \
    return __builtin_bswap64(from##_u64(t, at));                              \
  }
EXO_NUMBERS(block)
EXO_NUMBERS(input)

/* The verdict with which the chain goes on at `offset`, a multiple of TRAVERSAL_BLOCK_BYTES in the file. */
TRAVERSAL_INLINE int go_to(struct traversal *t, __u64 offset) {
  t->next = offset;
  return TRAVERSAL_NEXT;
}

/*
 * Appends bytes of the block to the result. Not 0: they do not lie in the block, or the result has no room for them
 * here. Then return TRAVERSAL_USER (a failure at user level).
 */
#ifdef __BPF__
TRAVERSAL_FUNCTION int give_block(struct traversal *t, __u32 at, __u32 length) {
  if (!t) return -1;
  __u32 to = t->result_len;
  if (at > TRAVERSAL_BLOCK_BYTES || length > TRAVERSAL_BLOCK_BYTES - at) return -1;
  if (to > TRAVERSAL_RESULT_MAX || length > TRAVERSAL_RESULT_MAX - to) return -1;
  if (length == 0) return 0;
  if (bpf_probe_read_kernel(t->result + to, length, t->block + at)) return -1;
  t->result_len = to + length;
  return 0;
}
#else
/* Set by the loader: the result is its own memory, and may be longer than in the kernel. */
extern int (*exo_give)(struct traversal *t, __u32 at, __u32 length);
TRAVERSAL_INLINE int give_block(struct traversal *t, __u32 at, __u32 length) { return exo_give(t, at, length); }
#endif

#endif

/* --- The limits of a chain, in the kernel and at user level ------------------------------------------------------ */

TRAVERSAL_INLINE __u64 exo_input_sum(const struct traversal *t) {
  __u64 sum = t->input_len;
  __u32 i;

  for (i = 0; i < TRAVERSAL_INPUT_MAX / 8; i++)
    sum = (sum ^ *(const __u64 *)(t->input + 8 * i)) * 0x9e3779b97f4a7c15ull;
  return sum;
}

/* Whether the chain may see the block that it wants; 0: yes. */
TRAVERSAL_INLINE int exo_admit(const struct exo_control *control, __u64 file_size, __u32 hops_max) {
  if (control->offset >= file_size) return EXO_TRAVERSAL_OUTSIDE;
  if (control->offset % TRAVERSAL_BLOCK_BYTES != 0) return EXO_TRAVERSAL_UNALIGNED;
  return control->hops >= hops_max ? EXO_TRAVERSAL_BOUND : 0;
}

/* The end of the chain for a verdict; 0: it goes on. */
TRAVERSAL_INLINE int exo_judge(struct exo_control *control, const struct traversal *t, int verdict) {
  if (exo_input_sum(t) != control->input_sum) return EXO_TRAVERSAL_WROTE_INPUT;
  if (verdict == EXO_TRAVERSAL_ENDLESS) return verdict;
  if (verdict < TRAVERSAL_NEXT || verdict > TRAVERSAL_USER) return EXO_TRAVERSAL_GARBAGE;
  if (verdict == TRAVERSAL_USER) return verdict;
  control->offset = verdict == TRAVERSAL_NEXT ? t->next : control->offset;
  return verdict;
}

/* Before a call of next. */
TRAVERSAL_INLINE void exo_save(struct exo_control *control, const struct traversal *t) {
  __u32 i;

  for (i = 0; i < TRAVERSAL_STATE_WORDS; i++) control->state[i] = t->state[i];
  control->result_len = t->result_len;
}

#if defined(EXO_SOURCE) && defined(__BPF__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wcast-qual" /* the author's const fields are written here */
/* One hop: the block at control->offset is in t->block. 0: the chain wants another one. */
TRAVERSAL_FUNCTION int exo_hop(struct exo_control *control, struct traversal *t, __u64 file_size) {
  if (!control || !t) return EXO_TRAVERSAL_GARBAGE;
  __u64 left = file_size - control->offset;
  *(volatile __u64 *)&t->offset = control->offset;
  *(volatile __u64 *)&t->file_size = file_size;
  *(volatile __u32 *)&t->block_len = left < TRAVERSAL_BLOCK_BYTES ? left : TRAVERSAL_BLOCK_BYTES;
  exo_save(control, t);
  /* A chain cannot go on with a result of an impossible length. */
  if (t->result_len > TRAVERSAL_RESULT_MAX) return EXO_TRAVERSAL_GARBAGE;
  control->hops += 1;
  int end = exo_judge(control, t, next(t));
  if (end == TRAVERSAL_USER) control->hops -= 1;
  if (end == TRAVERSAL_DONE && t->result_len > TRAVERSAL_RESULT_MAX) return EXO_TRAVERSAL_GARBAGE;
  return end;
}
#pragma GCC diagnostic pop
#endif

#endif

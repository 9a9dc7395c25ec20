/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The native twin of a user-defined traversal: the author's source (EXO_SOURCE), and two functions for the loader.
 *
 * It is compiled so that every basic block calls __sanitizer_cov_trace_pc (fuel.c), which counts: a call of `next` that
 * does not return is ended by a jump. For the kernel the verifier refuses such a source.
 */
#include <setjmp.h>

#include "traversal.h"

int (*exo_give)(struct traversal *t, __u32 at, __u32 length);

#include EXO_SOURCE

extern __thread jmp_buf exo_left;
extern __thread long exo_fuel;
/* Limit of basic blocks in one call. A call that searches a block takes some hundreds. */
#define EXO_FUEL 65536

__attribute__((visibility("default"))) const unsigned exo_traversal_abi = TRAVERSAL_ABI;

__attribute__((visibility("default"))) void exo_traversal_open(int (*give)(struct traversal *, __u32, __u32)) {
  exo_give = give;
}

__attribute__((visibility("default"))) int exo_traversal_next(struct traversal *t) {
  if (setjmp(exo_left)) return EXO_TRAVERSAL_ENDLESS;
  exo_fuel = EXO_FUEL;
  return next(t);
}

/* An endless one begins behind every end. */
__attribute__((visibility("default"))) __u64 exo_traversal_first(struct traversal *t) {
  if (setjmp(exo_left)) return ~0ull;
  exo_fuel = EXO_FUEL;
  return first(t);
}

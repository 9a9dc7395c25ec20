// SPDX-License-Identifier: GPL-2.0
/*
 * The smallest program for exopool.ko: a block begins with the offset of the next one. scratch[0] counts down the
 * remaining hops; scratch[1] is the number after the last block's pointer. For measuring and for tests.
 */
// clang-format off: libbpf's header needs the types first
#include "kernel_types.h"

#include <bpf/bpf_helpers.h>
// clang-format on

#include "driver_abi.h"

char LICENSE[] SEC("license") = "GPL";

struct exo_ops {
  int (*next)(struct exo_hop *hop);
  __u64 id;
};

extern __u8 *exo_block(struct exo_hop *hop, const __u32 rdonly_buf_size) __ksym;

SEC("struct_ops/next")
int chase_next(__u64 *context) {
  struct exo_hop *hop = (struct exo_hop *)context[0];
  const __u64 *block = (const __u64 *)exo_block(hop, 512);

  if (!block) return -1;
  hop->next = block[0];
  hop->scratch[1] = block[1];
  hop->scratch[0] -= 1;
  hop->done = hop->scratch[0] == 0;
  return 0;
}

SEC(".struct_ops.link")
struct exo_ops chase = {.next = (void *)chase_next};

/* SPDX-License-Identifier: Apache-2.0 */
/* Called at each basic block of a native twin: see twin.c. */
#include <setjmp.h>

__thread jmp_buf exo_left;
__thread long exo_fuel;

__attribute__((visibility("hidden"))) void __sanitizer_cov_trace_pc(void);

void __sanitizer_cov_trace_pc(void) {
  /* Zero: no call is running, only the loader's own code. */
  if (exo_fuel > 0 && --exo_fuel == 0) longjmp(exo_left, 1);
}

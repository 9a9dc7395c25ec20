/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The flight whose block this CPU shows to a program, or NULL. A completion may interrupt a program and step another
 * flight, so the setter restores the previous value. exo_block_read finds its block by it, inside a BPF function that
 * is verified on its own and cannot get the hop as an argument.
 */
#ifndef EXOPOOL_STEPPING_H
#define EXOPOOL_STEPPING_H

#include <linux/percpu.h>

struct exo_flight;
DECLARE_PER_CPU(struct exo_flight *, exo_stepping);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guest's vDSO: a page with an ELF image that the kernel of arm64 would map: the C library finds clock_gettime there, and
 * signal handlers return through it.
 */
#ifndef DRAGOMAN_MACHINE_LINUX_VDSO_H
#define DRAGOMAN_MACHINE_LINUX_VDSO_H

#include <stdbool.h>

struct process;

/** Maps it and sets process->vdso and process->sigreturn_pc. False when out of memory. */
bool vdso_map(struct process *process);

#endif

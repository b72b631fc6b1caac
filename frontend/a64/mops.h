/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory copy and set in C. Accesses to guest memory are guarded: where one fails, the copy ends early, and the caller
 * is told how far it came.
 */
#ifndef DRAGOMAN_FRONTEND_A64_MOPS_H
#define DRAGOMAN_FRONTEND_A64_MOPS_H

#include <stdbool.h>
#include <stdint.h>
#include <ucontext.h>

struct cpu;

/** Bytes that one instruction copies or sets before it looks for interrupts. */
#define MOPS_STEP (1u << 20)

/* Helpers: at most MOPS_STEP bytes; how many were done. Tags of the addresses are ignored. */
uint64_t helper_memory_copy(uint64_t to, uint64_t from, uint64_t size, uint32_t backward);
uint64_t helper_memory_set(uint64_t to, uint64_t size, uint32_t value);

/** guest_isa.execute and .fixup. */
bool mops_execute(struct cpu *cpu);
bool mops_fixup(ucontext_t *uc);

#endif

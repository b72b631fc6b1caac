/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The C functions of a64_helpers.inc. They run in the middle of translated code: the guest's MXCSR is live in the
   host's register, and promoted slots (X, SP, NZCV, V, QC …) are not in memory. */
#ifndef DRAGOMAN_FRONTEND_A64_HELPERS_H
#define DRAGOMAN_FRONTEND_A64_HELPERS_H

#include <immintrin.h>
#include <stdint.h>

struct cpu;

uint32_t helper_write_fpcr(struct cpu *cpu, uint64_t value);
uint64_t helper_read_fpsr(struct cpu *cpu, __m128i qc);
__m128i helper_write_fpsr(struct cpu *cpu, uint64_t value);
uint64_t helper_read_counter(struct cpu *cpu);
uint64_t helper_compute_pac(struct cpu *cpu, uint64_t data, uint64_t modifier, uint32_t key);
uint64_t helper_random_number(struct cpu *cpu);
void helper_note_code_change(struct cpu *cpu, uint64_t address);
uint32_t helper_take_code_changes(struct cpu *cpu);

#endif

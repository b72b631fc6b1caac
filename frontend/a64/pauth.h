/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pointer authentication codes (Arm ARM DDI 0487, D8.10). With 48-bit virtual addresses and TBI, as Linux has it for EL0, the
 * code takes bits 54:48 of a pointer.
 *
 * Three algorithms: QARMA5 (FEAT_PACQARMA5) and QARMA3 (FEAT_PACQARMA3) as architected, and one of our own
 * (FEAT_PACIMP), which is a few host instructions in translated code.
 */
#ifndef DRAGOMAN_FRONTEND_A64_PAUTH_H
#define DRAGOMAN_FRONTEND_A64_PAUTH_H

#include <stdint.h>

#include "frontend/a64/cpu.h"

#define PAC_BITS UINT64_C(0x007f000000000000)

/* The algorithm of our own; translate_pauth.c emits the same. */
#define PAC_FAST_1 UINT64_C(0x9e3779b97f4a7c15)
#define PAC_FAST_2 UINT64_C(0xc2b2ae3d27d4eb4f)
/** Where bits 63:57 of the hash go in a pointer: bits 54:48. PACGA takes bits 63:32 where they are. */
#define PAC_FAST_SHIFT 9

/** QARMA with `rounds` 5 and S-box sigma-2, or 3 and sigma-1 (ComputePACQARMA5, ComputePACQARMA3). */
uint64_t pac_qarma(uint64_t data, uint64_t modifier, const uint64_t key[2], unsigned rounds);
/** All bits that the CPU's algorithm makes; those of PAC_BITS go into a pointer, bits 63:32 with key GA into PACGA's result. */
uint64_t pac_compute(const struct a64_cpu *cpu, uint64_t data, uint64_t modifier, enum a64_pac_key key);

#endif

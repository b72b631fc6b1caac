/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the C helpers of AdvSIMD and floating point share: access to lanes, and the prototypes made from
   a64_simd_helpers.inc, so that a row and its function cannot disagree. */
#ifndef DRAGOMAN_FRONTEND_A64_SIMD_HELPERS_H
#define DRAGOMAN_FRONTEND_A64_SIMD_HELPERS_H

#include <immintrin.h>
#include <stdint.h>
#include <string.h>

struct cpu;

union vector {
    __m128i v;
    uint8_t b[16];
    uint16_t h[8];
    uint32_t w[4];
    uint64_t d[2];
};

/** Lane i of `size` bytes (1, 2, 4, 8), zero-extended. */
static inline uint64_t lane_get(const union vector *x, unsigned size, unsigned i)
{
    return size == 1 ? x->b[i] : size == 2 ? x->h[i] : size == 4 ? x->w[i] : x->d[i];
}
static inline void lane_set(union vector *x, unsigned size, unsigned i, uint64_t value)
{
    memcpy(x->b + i * size, &value, size);
}

/* floating point: fp_exact.h */
__m128i helper_fp_one(struct cpu *cpu, __m128i a, uint32_t code);
__m128i helper_fp_two(struct cpu *cpu, __m128i a, __m128i b, uint32_t code);
__m128i helper_fp_three(struct cpu *cpu, __m128i c, __m128i a, __m128i b, uint32_t code);
uint64_t helper_fp_to_general(struct cpu *cpu, __m128i a, uint32_t code);
__m128i helper_fp_from_general(struct cpu *cpu, uint64_t a, uint32_t code);
uint64_t helper_fp_to_javascript(struct cpu *cpu, __m128i a);
uint32_t helper_fp_compare(struct cpu *cpu, __m128i a, __m128i b, uint32_t code);
__m128i helper_bf16_dot(__m128i c, __m128i a, __m128i b);
__m128i helper_bf16_matrix(__m128i c, __m128i a, __m128i b);

/* cryptography */
__m128i helper_sm4_encrypt(__m128i a, __m128i b);
__m128i helper_sm4_key(__m128i a, __m128i b);

#endif

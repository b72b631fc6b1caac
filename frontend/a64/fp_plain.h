/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Host arithmetic inside the helpers, for operands and results for which FPCR.FZ, DN, FZ16 and AHP make no difference: zeros
 * and normal numbers. Each function looks at the exponents first, and refuses (false) what is or might become something
 * else; when it does compute, the host's MXCSR, which is the guest's, has the rounding mode and accumulates the status.
 *
 * The instructions are written as such: the compiler knows nothing of MXCSR.
 */
#ifndef DRAGOMAN_FRONTEND_A64_FP_PLAIN_H
#define DRAGOMAN_FRONTEND_A64_FP_PLAIN_H

#include <immintrin.h>
#include <string.h>

#include "frontend/a64/fp_exact.h"
#include "translator/softfp.h"

static inline int plain_bias(unsigned size) { return size == 8 ? 1023 : 127; }

/** The biased exponent; 0 for a zero, -1 for what is no plain number. */
static inline int plain_exponent(unsigned size, uint64_t v)
{
    unsigned fraction = size == 8 ? 52 : 23, top = size == 8 ? 0x7ff : 0xff;
    unsigned exponent = (unsigned)(v >> fraction) & top;
    if (exponent == 0)
        return v << (64 - fraction) == 0 ? 0 : -1;
    return exponent == top ? -1 : (int)exponent;
}

static inline __m128d plain_double(uint64_t v) { return _mm_castsi128_pd(_mm_cvtsi64_si128((long long)v)); }
static inline __m128 plain_single(uint64_t v) { return _mm_castsi128_ps(_mm_cvtsi32_si128((int)v)); }
static inline uint64_t double_bits(__m128d v) { return (uint64_t)_mm_cvtsi128_si64(_mm_castpd_si128(v)); }
static inline uint64_t single_bits(__m128 v) { return (uint32_t)_mm_cvtsi128_si32(_mm_castps_si128(v)); }

#define PLAIN_BINARY(instruction)                                                                                              \
    do {                                                                                                                       \
        if (size == 8) {                                                                                                       \
            __m128d x = plain_double(a);                                                                                       \
            __asm__ volatile(#instruction "sd %1, %0" : "+x"(x) : "x"(plain_double(b)));                                       \
            *r = double_bits(x);                                                                                               \
        } else {                                                                                                               \
            __m128 x = plain_single(a);                                                                                        \
            __asm__ volatile(#instruction "ss %1, %0" : "+x"(x) : "x"(plain_single(b)));                                       \
            *r = single_bits(x);                                                                                               \
        }                                                                                                                      \
    } while (0)

/** How two plain numbers compare, of which at least one is not zero or both are. */
static inline enum softfp_relation plain_relation(unsigned size, uint64_t a, uint64_t b)
{
    bool less = size == 8 ? _mm_comilt_sd(plain_double(a), plain_double(b)) : _mm_comilt_ss(plain_single(a), plain_single(b));
    bool greater = size == 8 ? _mm_comigt_sd(plain_double(a), plain_double(b)) : _mm_comigt_ss(plain_single(a), plain_single(b));
    return less ? SOFTFP_LESS : greater ? SOFTFP_GREATER : SOFTFP_EQUAL;
}

/** Operations of two operands. The results of FP_CM*: a mask. */
static inline __attribute__((always_inline)) bool plain_two(enum fp_op op, unsigned size, uint64_t a, uint64_t b, uint64_t *r)
{
    if (size < 4)
        return false;
    int ea = plain_exponent(size, a), eb = plain_exponent(size, b), bias = plain_bias(size);
    uint64_t ones = size == 8 ? UINT64_MAX : UINT32_MAX;
    if (ea < 0 || eb < 0)
        return false;
    switch (op) {
    case FP_ADD:
    case FP_SUB: {
        /* A sum that is too small is exact, so that nothing was accumulated; but what is it? */
        if (op == FP_ADD)
            PLAIN_BINARY(add);
        else
            PLAIN_BINARY(sub);
        uint64_t magnitude = *r << (65 - size * 8) >> (65 - size * 8), smallest = UINT64_C(1) << (size == 8 ? 52 : 23);
        return magnitude == 0 || magnitude >= smallest;
    }
    case FP_MUL:
    case FP_MULX:
        if (ea && eb && ea + eb < bias + 2)
            return false;
        PLAIN_BINARY(mul);
        return true;
    case FP_DIV:
        if (!eb || (ea && ea - eb + bias < 3))
            return false;
        PLAIN_BINARY(div);
        return true;
    case FP_MAX: case FP_MAXNM:
        if (!ea && !eb)
            return false;
        *r = plain_relation(size, a, b) == SOFTFP_LESS ? b : a;
        return true;
    case FP_MIN: case FP_MINNM:
        if (!ea && !eb)
            return false;
        *r = plain_relation(size, a, b) == SOFTFP_LESS ? a : b;
        return true;
    case FP_CMEQ:
        *r = plain_relation(size, a, b) == SOFTFP_EQUAL ? ones : 0;
        return true;
    case FP_CMGE:
        *r = plain_relation(size, a, b) != SOFTFP_LESS ? ones : 0;
        return true;
    case FP_CMGT:
        *r = plain_relation(size, a, b) == SOFTFP_GREATER ? ones : 0;
        return true;
    default:
        return false;
    }
}

/**
 * c + a * b. The product is so large that what is left when c cancels it is a normal number: it is a multiple of the
 * product's last bit, 2p - 1 places below its first.
 */
static inline __attribute__((always_inline)) bool plain_muladd(unsigned size, uint64_t c, uint64_t a, uint64_t b, uint64_t *r)
{
    if (size < 4 || !__builtin_cpu_supports("fma"))
        return false;
    int ea = plain_exponent(size, a), eb = plain_exponent(size, b), ec = plain_exponent(size, c);
    if (ea < 0 || eb < 0 || ec < 0 || (ea && eb && ea + eb < plain_bias(size) + 2 * (size == 8 ? 53 : 24) + 2))
        return false;
    if (size == 8) {
        __m128d x = plain_double(c);
        __asm__ volatile("vfmadd231sd %2, %1, %0" : "+x"(x) : "x"(plain_double(a)), "x"(plain_double(b)));
        *r = double_bits(x);
    } else {
        __m128 x = plain_single(c);
        __asm__ volatile("vfmadd231ss %2, %1, %0" : "+x"(x) : "x"(plain_single(a)), "x"(plain_single(b)));
        *r = single_bits(x);
    }
    return true;
}

/** A double or single truncated to a signed integer of `bytes` that it fits. */
static inline bool plain_to_integer(unsigned size, unsigned bytes, uint64_t a, uint64_t *r)
{
    if (size < 4)
        return false;
    int ea = plain_exponent(size, a);
    long long x;
    if (ea < 0 || ea >= plain_bias(size) + (int)bytes * 8 - 1)
        return false;
    if (size == 8)
        __asm__ volatile("cvttsd2si %1, %0" : "=r"(x) : "x"(plain_double(a)));
    else
        __asm__ volatile("cvttss2si %1, %q0" : "=r"(x) : "x"(plain_single(a)));
    *r = bytes == 4 ? (uint32_t)x : (uint64_t)x;
    return true;
}

/** A signed integer made a double or single. */
static inline bool plain_from_integer(unsigned size, long long a, uint64_t *r)
{
    if (size == 8) {
        __m128d x = _mm_setzero_pd();
        __asm__ volatile("cvtsi2sd %q1, %0" : "+x"(x) : "r"(a));
        *r = double_bits(x);
        return true;
    }
    if (size < 4)
        return false;
    __m128 x = _mm_setzero_ps();
    __asm__ volatile("cvtsi2ss %q1, %0" : "+x"(x) : "r"(a));
    *r = single_bits(x);
    return true;
}

/** Square roots, and conversions between single and double and of lanes to and from signed integers. */
static inline bool plain_one(const struct fp_job *job, uint64_t a, uint64_t *r)
{
    const unsigned size = job->size;
    if (size < 4 || job->other < 4 || job->fraction)
        return false;
    if (job->op == FP_FROM_SIGNED)
        return plain_from_integer(size, size == 8 ? (long long)a : (int32_t)a, r);
    if (job->op == FP_TO_SIGNED)
        return job->rounding == IR_ROUND_ZERO && plain_to_integer(size, size, a, r);
    int ea = plain_exponent(size, a);
    uint64_t b = a;
    if (ea < 0)
        return false;
    if (job->op == FP_SQRT) {
        if (ea && a >> (size * 8 - 1))
            return false;
        PLAIN_BINARY(sqrt);
        return true;
    }
    if (job->op != FP_CONVERT || size == job->other)
        return false;
    if (size == 4) {
        __m128d x = _mm_setzero_pd();
        __asm__ volatile("cvtss2sd %1, %0" : "+x"(x) : "x"(plain_single(a)));
        *r = double_bits(x);
        return true;
    }
    if (ea && ea < 1023 - 125) /* perhaps not normal as a single */
        return false;
    __m128 x = _mm_setzero_ps();
    __asm__ volatile("cvtsd2ss %1, %0" : "+x"(x) : "x"(plain_double(a)));
    *r = single_bits(x);
    return true;
}

#endif

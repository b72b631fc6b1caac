/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reciprocal and reciprocal square root: estimates, Newton-Raphson steps, FRECPX (Arm ARM DDI 0487,
   shared/functions/float). */
#include "translator/softfp_internal.h"

/* RecipEstimate(): 256 <= a < 512 stands for 0.5 <= a/512 < 1.0; the result likewise for 1.0 … 2.0. */
static unsigned recip_estimate(unsigned a)
{
    a = a * 2 + 1;
    return ((1u << 19) / a + 1) / 2;
}

/* RecipSqrtEstimate(): 128 <= a < 512 */
static unsigned recip_sqrt_estimate(unsigned a)
{
    a = a < 256 ? a * 2 + 1 : ((a & ~1u) + 1) * 2;
    unsigned b = 512;
    while (a * (b + 1) * (b + 1) < 1u << 28) {
        b++;
    }
    return (b + 1) / 2;
}

/* Whether 1/a lies above the largest number: a below 2^-(bias + 1), that is, a denormal with its top two fraction
   bits 0. */
static bool recip_overflows(const struct fp_format *f, const struct fp_number *a)
{
    return a->exp < -(f->bias + 1);
}

uint64_t softfp_recip_estimate(struct softfp *env, unsigned bits, uint64_t op)
{
    const struct fp_format *f = fp_format_of(bits);
    struct fp_number a = fp_unpack(env, f, op);
    if (fp_is_nan(&a)) {
        return fp_process_nan(env, f, &a);
    }
    if (a.kind == FP_INF) {
        return fp_zero(f, a.sign);
    }
    if (a.kind == FP_ZERO) {
        env->flags |= SOFTFP_DZC;
        return fp_infinity(f, a.sign);
    }
    if (recip_overflows(f, &a)) {
        static const struct fp_number huge = {.kind = FP_NUM, .exp = 1 << 14, .sig = UINT64_C(1) << 63};
        struct fp_wide value = fp_widen(&huge);
        value.sign = a.sign;
        return fp_round(env, f, env->rounding, value);
    }
    if (fp_flushes(env, f) && a.exp >= f->bias - 1) {
        env->flags |= SOFTFP_UFC;
        return fp_zero(f, a.sign);
    }
    /* Eight fraction bits in, eight out; the result's exponent is -1 - a.exp, which may make it denormal. */
    unsigned estimate = recip_estimate((unsigned)(a.sig >> 55));
    int biased = -1 - a.exp + f->bias;
    uint64_t fraction = (uint64_t)(estimate & 0xff) << (f->frac_bits - 8);
    if (biased < 1) {
        fraction = (fraction | UINT64_C(1) << f->frac_bits) >> (1 - biased);
        biased = 0;
    }
    return fp_make(f, a.sign, (unsigned)biased, fraction);
}

uint64_t softfp_rsqrt_estimate(struct softfp *env, unsigned bits, uint64_t op)
{
    const struct fp_format *f = fp_format_of(bits);
    struct fp_number a = fp_unpack(env, f, op);
    if (fp_is_nan(&a)) {
        return fp_process_nan(env, f, &a);
    }
    if (a.kind == FP_ZERO) {
        env->flags |= SOFTFP_DZC;
        return fp_infinity(f, a.sign);
    }
    if (a.sign) {
        return fp_invalid(env, f);
    }
    if (a.kind == FP_INF) {
        return fp_zero(f, false);
    }
    /* The significand as a fraction of an even power of two: 0.25 … 1.0. The biases are odd, so an odd exponent is an
       even biased one. */
    unsigned estimate = recip_sqrt_estimate((unsigned)(a.exp & 1 ? a.sig >> 55 : a.sig >> 56));
    int biased = (3 * f->bias - 1 - (a.exp + f->bias)) / 2;
    return fp_make(f, false, (unsigned)biased, (uint64_t)(estimate & 0xff) << (f->frac_bits - 8));
}

/* (constant - a * b) * 2^scale, fused; `times_zero` is the result for infinity times zero. */
static uint64_t step(struct softfp *env, unsigned bits, uint64_t op_a, uint64_t op_b, uint64_t constant, int scale,
                     uint64_t times_zero)
{
    const struct fp_format *f = fp_format_of(bits);
    struct fp_number a = fp_unpack(env, f, softfp_neg(bits, op_a)), b = fp_unpack(env, f, op_b);
    uint64_t result;
    if (fp_process_nans(env, f, &a, &b, &result)) {
        return result;
    }
    bool inf = a.kind == FP_INF || b.kind == FP_INF, zero = a.kind == FP_ZERO || b.kind == FP_ZERO;
    if (inf) {
        return zero ? times_zero : fp_infinity(f, a.sign != b.sign);
    }
    struct fp_number addend = fp_unpack(env, f, constant);
    struct fp_wide sum = fp_widen(&addend);
    if (!zero && !fp_add_wide(sum, fp_multiply(&a, &b), &sum)) {
        return fp_zero(f, env->rounding == SOFTFP_DOWN);
    }
    sum.exp += scale;
    return fp_round(env, f, env->rounding, sum);
}

uint64_t softfp_recip_step(struct softfp *env, unsigned bits, uint64_t a, uint64_t b)
{
    const struct fp_format *f = fp_format_of(bits);
    uint64_t two = fp_make(f, false, (unsigned)f->bias + 1, 0);
    return step(env, bits, a, b, two, 0, two);
}

uint64_t softfp_rsqrt_step(struct softfp *env, unsigned bits, uint64_t a, uint64_t b)
{
    const struct fp_format *f = fp_format_of(bits);
    uint64_t half = fp_quiet_bit(f);
    uint64_t three = fp_make(f, false, (unsigned)f->bias + 1, half);
    uint64_t one_point_five = fp_make(f, false, (unsigned)f->bias, half);
    return step(env, bits, a, b, three, -1, one_point_five);
}

uint64_t softfp_recpx(struct softfp *env, unsigned bits, uint64_t op)
{
    const struct fp_format *f = fp_format_of(bits);
    struct fp_number a = fp_unpack(env, f, op);
    if (fp_is_nan(&a)) {
        return fp_process_nan(env, f, &a);
    }
    unsigned max_exp = (1u << f->exp_bits) - 1;
    unsigned biased = a.bits >> f->frac_bits & max_exp;
    return fp_make(f, a.sign, biased == 0 ? max_exp - 1 : max_exp ^ biased, 0);
}

uint32_t softfp_urecpe(uint32_t a)
{
    return a >> 31 ? recip_estimate(a >> 23) << 23 : UINT32_MAX;
}

uint32_t softfp_ursqrte(uint32_t a)
{
    return a >> 30 ? recip_sqrt_estimate(a >> 23) << 23 : UINT32_MAX;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reciprocal and reciprocal square root: estimates, Newton-Raphson steps, FRECPX (Arm ARM DDI 0487,
   shared/functions/float). */
#include "translator/softfp_internal.h"

/* clang-format off */
const uint8_t softfp_recip_table[256] = {
    255, 253, 251, 249, 247, 245, 243, 241, 240, 238, 236, 234, 232, 230, 229, 227, 225, 223, 221, 220,
    218, 216, 215, 213, 211, 210, 208, 206, 205, 203, 201, 200, 198, 197, 195, 194, 192, 191, 189, 188,
    186, 185, 183, 182, 180, 179, 177, 176, 174, 173, 172, 170, 169, 167, 166, 165, 163, 162, 161, 159,
    158, 157, 156, 154, 153, 152, 150, 149, 148, 147, 145, 144, 143, 142, 141, 139, 138, 137, 136, 135,
    134, 132, 131, 130, 129, 128, 127, 126, 124, 123, 122, 121, 120, 119, 118, 117, 116, 115, 114, 113,
    112, 111, 110, 109, 108, 107, 106, 105, 104, 103, 102, 101, 100, 99, 98, 97, 96, 95, 94, 93,
    92, 91, 90, 89, 88, 88, 87, 86, 85, 84, 83, 82, 81, 81, 80, 79, 78, 77, 76, 75,
    75, 74, 73, 72, 71, 70, 70, 69, 68, 67, 66, 66, 65, 64, 63, 63, 62, 61, 60, 59,
    59, 58, 57, 56, 56, 55, 54, 53, 53, 52, 51, 51, 50, 49, 48, 48, 47, 46, 46, 45,
    44, 44, 43, 42, 42, 41, 40, 40, 39, 38, 38, 37, 36, 36, 35, 34, 34, 33, 32, 32,
    31, 30, 30, 29, 29, 28, 27, 27, 26, 26, 25, 24, 24, 23, 23, 22, 21, 21, 20, 20,
    19, 18, 18, 17, 17, 16, 16, 15, 15, 14, 13, 13, 12, 12, 11, 11, 10, 10, 9, 9,
    8, 7, 7, 6, 6, 5, 5, 4, 4, 3, 3, 2, 2, 1, 1, 0,
};
const uint8_t softfp_rsqrt_table[512] = {
    105, 105, 104, 104, 103, 103, 101, 101, 100, 100, 99, 99, 97, 97, 96, 96, 95, 95, 93, 93,
    92, 92, 91, 91, 90, 90, 88, 88, 87, 87, 86, 86, 85, 85, 84, 84, 82, 82, 81, 81,
    80, 80, 79, 79, 78, 78, 77, 77, 76, 76, 75, 75, 74, 74, 72, 72, 71, 71, 70, 70,
    69, 69, 68, 68, 67, 67, 66, 66, 65, 65, 64, 64, 63, 63, 62, 62, 61, 61, 60, 60,
    60, 60, 59, 59, 58, 58, 57, 57, 56, 56, 55, 55, 54, 54, 53, 53, 52, 52, 51, 51,
    51, 51, 50, 50, 49, 49, 48, 48, 47, 47, 46, 46, 46, 46, 45, 45, 44, 44, 43, 43,
    42, 42, 42, 42, 41, 41, 40, 40, 39, 39, 38, 38, 38, 38, 37, 37, 36, 36, 35, 35,
    35, 35, 34, 34, 33, 33, 33, 33, 32, 32, 31, 31, 30, 30, 30, 30, 29, 29, 28, 28,
    28, 28, 27, 27, 26, 26, 26, 26, 25, 25, 24, 24, 24, 24, 23, 23, 22, 22, 22, 22,
    21, 21, 20, 20, 20, 20, 19, 19, 19, 19, 18, 18, 17, 17, 17, 17, 16, 16, 16, 16,
    15, 15, 14, 14, 14, 14, 13, 13, 13, 13, 12, 12, 11, 11, 11, 11, 10, 10, 10, 10,
    9, 9, 9, 9, 8, 8, 8, 8, 7, 7, 6, 6, 6, 6, 5, 5, 5, 5, 4, 4,
    4, 4, 3, 3, 3, 3, 2, 2, 2, 2, 1, 1, 1, 1, 0, 0, 255, 255, 253, 253,
    251, 251, 249, 249, 247, 247, 245, 245, 243, 243, 242, 242, 240, 240, 238, 238, 236, 236, 234, 234,
    233, 233, 231, 231, 229, 229, 228, 228, 226, 226, 224, 224, 223, 223, 221, 221, 219, 219, 218, 218,
    216, 216, 215, 215, 213, 213, 212, 212, 210, 210, 209, 209, 207, 207, 206, 206, 204, 204, 203, 203,
    201, 201, 200, 200, 198, 198, 197, 197, 196, 196, 194, 194, 193, 193, 192, 192, 190, 190, 189, 189,
    188, 188, 186, 186, 185, 185, 184, 184, 183, 183, 181, 181, 180, 180, 179, 179, 178, 178, 176, 176,
    175, 175, 174, 174, 173, 173, 172, 172, 170, 170, 169, 169, 168, 168, 167, 167, 166, 166, 165, 165,
    164, 164, 163, 163, 162, 162, 160, 160, 159, 159, 158, 158, 157, 157, 156, 156, 155, 155, 154, 154,
    153, 153, 152, 152, 151, 151, 150, 150, 149, 149, 148, 148, 147, 147, 146, 146, 145, 145, 144, 144,
    143, 143, 142, 142, 141, 141, 140, 140, 140, 140, 139, 139, 138, 138, 137, 137, 136, 136, 135, 135,
    134, 134, 133, 133, 132, 132, 131, 131, 131, 131, 130, 130, 129, 129, 128, 128, 127, 127, 126, 126,
    126, 126, 125, 125, 124, 124, 123, 123, 122, 122, 121, 121, 121, 121, 120, 120, 119, 119, 118, 118,
    118, 118, 117, 117, 116, 116, 115, 115, 114, 114, 114, 114, 113, 113, 112, 112, 111, 111, 111, 111,
    110, 110, 109, 109, 109, 109, 108, 108, 107, 107, 106, 106,
};
/* clang-format on */

/* RecipEstimate(): 256 <= a < 512 stands for 0.5 <= a/512 < 1.0; the result likewise for 1.0 … 2.0. */
static unsigned recip_estimate(unsigned a)
{
    return 256 | softfp_recip_table[a & 255];
}

/* RecipSqrtEstimate(): 128 <= a < 512. The lower half stands for fractions of an odd power of two. */
static unsigned recip_sqrt_estimate(unsigned a)
{
    return 256 | softfp_rsqrt_table[a < 256 ? 256 | (a & 127) << 1 : a & 255];
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

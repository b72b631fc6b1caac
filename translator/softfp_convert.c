/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Conversions between formats and integers, and rounding to integral values (Arm ARM DDI 0487,
   shared/functions/float). */
#include "translator/softfp_internal.h"

static struct fp_wide widen_integer(bool sign, uint64_t magnitude, int scale)
{
    unsigned zeros = (unsigned)__builtin_clzll(magnitude);
    return (struct fp_wide){sign, 63 - (int)zeros + scale, (fp_u128)(magnitude << zeros) << 64};
}

/* |n| * 2^scale rounded to an integer; `n` is a number. *inexact: it was none. Magnitudes of 2^65 and more come out
   as 2^65. */
static fp_u128 integer_magnitude(const struct fp_number *n, int scale, enum softfp_round rounding, bool *inexact)
{
    int exp = n->exp + scale;
    *inexact = false;
    if (exp >= 65) {
        return (fp_u128)1 << 65;
    }
    if (exp >= 63) {
        return (fp_u128)n->sig << (exp - 63);
    }
    unsigned shift = (unsigned)(63 - exp); /* places below the point */
    uint64_t whole = shift < 64 ? n->sig >> shift : 0;
    uint64_t rest = shift < 64 ? n->sig << (64 - shift) : shift == 64 ? n->sig : 1;
    *inexact = rest != 0;
    return (fp_u128)whole + fp_rounds_up(rounding, n->sign, whole & 1, rest);
}

/* ---- rounding to integral --------------------------------------------------------------------------------------- */

uint64_t softfp_round_int(struct softfp *env, unsigned bits, uint64_t op, enum softfp_round rounding, bool exact)
{
    const struct fp_format *f = fp_format_of(bits);
    struct fp_number a = fp_unpack(env, f, op);
    if (fp_is_nan(&a)) {
        return fp_process_nan(env, f, &a);
    }
    if (a.kind == FP_ZERO) {
        return fp_zero(f, a.sign);
    }
    if (a.kind == FP_INF || a.exp >= f->frac_bits) {
        return a.bits;
    }
    bool inexact;
    fp_u128 magnitude = integer_magnitude(&a, 0, rounding, &inexact);
    if (inexact && exact) {
        env->flags |= SOFTFP_IXC;
    }
    if (magnitude == 0) {
        return fp_zero(f, a.sign);
    }
    return fp_round(env, f, SOFTFP_ZERO, widen_integer(a.sign, (uint64_t)magnitude, 0));
}

uint64_t softfp_round_int_n(struct softfp *env, unsigned bits, uint64_t op, enum softfp_round rounding,
                            unsigned int_bits)
{
    const struct fp_format *f = fp_format_of(bits);
    struct fp_number a = fp_unpack(env, f, op);
    uint64_t lowest = fp_make(f, true, (unsigned)f->bias + int_bits - 1, 0);
    if (a.kind == FP_ZERO) {
        return fp_zero(f, a.sign);
    }
    if (a.kind != FP_NUM) {
        env->flags |= SOFTFP_IOC;
        return lowest;
    }
    bool inexact;
    fp_u128 magnitude = integer_magnitude(&a, 0, rounding, &inexact);
    if (magnitude > ((fp_u128)1 << (int_bits - 1)) - !a.sign) {
        env->flags |= SOFTFP_IOC;
        return lowest;
    }
    if (inexact) {
        env->flags |= SOFTFP_IXC;
    }
    if (magnitude == 0) {
        return fp_zero(f, a.sign);
    }
    return fp_round(env, f, SOFTFP_ZERO, widen_integer(a.sign, (uint64_t)magnitude, 0));
}

/* ---- between formats -------------------------------------------------------------------------------------------- */

/* FPConvertNaN(): the top of the payload survives, quieted. */
static uint64_t convert_nan(const struct fp_format *to, const struct fp_format *from, const struct fp_number *n)
{
    uint64_t payload = n->bits << (64 - from->frac_bits) | UINT64_C(1) << 63; /* top-aligned */
    return fp_infinity(to, n->sign) | payload >> (64 - to->frac_bits);
}

uint64_t softfp_convert(struct softfp *env, unsigned to_bits, unsigned from_bits, uint64_t op)
{
    const struct fp_format *to = fp_format_of(to_bits), *from = fp_format_of(from_bits);
    struct fp_number a = fp_unpack_convert(env, from, op);
    bool alternative = to->half && env->ahp;
    if (fp_is_nan(&a)) {
        if (a.kind == FP_SNAN || alternative) {
            env->flags |= SOFTFP_IOC;
        }
        return alternative ? fp_zero(to, a.sign) : env->dn ? fp_default_nan(to) : convert_nan(to, from, &a);
    }
    if (a.kind == FP_INF) {
        if (alternative) {
            env->flags |= SOFTFP_IOC;
            return fp_zero(to, a.sign) | 0x7fff;
        }
        return fp_infinity(to, a.sign);
    }
    if (a.kind == FP_ZERO) {
        return fp_zero(to, a.sign);
    }
    return fp_round_convert(env, to, env->rounding, fp_widen(&a));
}

static const struct fp_format bfloat16 = {16, 8, 7, false, 127};

uint16_t softfp_convert_bf16(struct softfp *env, uint32_t op)
{
    struct fp_number a = fp_unpack(env, &fp_single, op);
    switch (a.kind) {
    case FP_SNAN:
    case FP_QNAN:
        if (a.kind == FP_SNAN) {
            env->flags |= SOFTFP_IOC;
        }
        return (uint16_t)(env->dn ? fp_default_nan(&bfloat16) : convert_nan(&bfloat16, &fp_single, &a));
    case FP_INF:
        return (uint16_t)fp_infinity(&bfloat16, a.sign);
    case FP_ZERO:
        return (uint16_t)fp_zero(&bfloat16, a.sign);
    default:
        return (uint16_t)fp_round(env, &bfloat16, env->rounding, fp_widen(&a));
    }
}

/* BFRound(), BFMulH(), FPAdd_BF16(): rounding to odd, denormals flushed, default NaNs; overflow gives infinity. */
static uint32_t bf16_step(uint32_t a, uint32_t b, uint64_t (*operation)(struct softfp *, unsigned, uint64_t, uint64_t))
{
    struct softfp env = {.rounding = SOFTFP_ODD, .fz = true, .dn = true};
    uint32_t result = (uint32_t)operation(&env, 32, a, b);
    return env.flags & SOFTFP_OFC ? (uint32_t)fp_infinity(&fp_single, result >> 31) : result;
}

uint32_t softfp_bf16_dot(uint32_t c, uint32_t a, uint32_t b)
{
    uint32_t low = bf16_step(a << 16, b << 16, softfp_mul);
    uint32_t high = bf16_step(a & 0xffff0000, b & 0xffff0000, softfp_mul);
    return bf16_step(c, bf16_step(low, high, softfp_add), softfp_add);
}

/* ---- to and from integers --------------------------------------------------------------------------------------- */

uint64_t softfp_to_fixed(struct softfp *env, unsigned bits, uint64_t op, unsigned fraction_bits, bool is_unsigned,
                         unsigned int_bits, enum softfp_round rounding)
{
    struct fp_number a = fp_unpack(env, fp_format_of(bits), op);
    uint64_t ones = UINT64_MAX >> (64 - int_bits);
    fp_u128 magnitude = 0;
    bool inexact = false;
    if (fp_is_nan(&a)) {
        env->flags |= SOFTFP_IOC;
        return 0;
    }
    if (a.kind == FP_INF) {
        magnitude = (fp_u128)1 << 65;
    } else if (a.kind == FP_NUM) {
        magnitude = integer_magnitude(&a, (int)fraction_bits, rounding, &inexact);
    }
    fp_u128 limit = is_unsigned ? (a.sign ? 0 : ones) : (ones >> 1) + a.sign;
    if (magnitude > limit) {
        magnitude = limit;
        env->flags |= SOFTFP_IOC;
    } else if (inexact) {
        env->flags |= SOFTFP_IXC;
    }
    return (a.sign ? -(uint64_t)magnitude : (uint64_t)magnitude) & ones;
}

uint64_t softfp_from_fixed(struct softfp *env, unsigned bits, uint64_t op, unsigned fraction_bits, bool is_unsigned,
                           unsigned int_bits)
{
    const struct fp_format *f = fp_format_of(bits);
    op <<= 64 - int_bits;
    bool sign = !is_unsigned && op >> 63;
    uint64_t magnitude = sign ? -op : op;
    if (magnitude == 0) {
        return 0;
    }
    return fp_round(env, f, env->rounding, widen_integer(sign, magnitude, -(int)(fraction_bits + 64 - int_bits)));
}

uint32_t softfp_to_fixed_js(struct softfp *env, uint64_t op, bool *z)
{
    struct fp_number a = fp_unpack(env, &fp_double, op);
    *z = a.kind == FP_ZERO && !a.sign;
    if (a.kind == FP_ZERO) {
        return 0;
    }
    if (a.kind != FP_NUM) {
        env->flags |= SOFTFP_IOC;
        return 0;
    }
    uint64_t low = 0; /* the magnitude modulo 2^64, rounded toward zero */
    bool inexact = false, fits = false;
    if (a.exp <= 63) {
        low = (uint64_t)integer_magnitude(&a, 0, SOFTFP_ZERO, &inexact);
        /* The manual tests the range of the value rounded so; its range test comes before exactness. */
        fits = low <= UINT64_C(0x7fffffff) + a.sign;
    } else if (a.exp < 63 + 64) {
        low = a.sig << (a.exp - 63);
    }
    if (!fits) {
        env->flags |= SOFTFP_IOC;
    } else if (inexact) {
        env->flags |= SOFTFP_IXC;
    } else {
        *z = true;
    }
    return (uint32_t)(a.sign ? -low : low);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Arithmetic and comparison. The order of the tests in each function is that of the manual's pseudocode of the same
   name (Arm ARM DDI 0487, shared/functions/float), because it decides which exceptions and which NaN come out. */
#include "translator/softfp_internal.h"

const struct fp_format fp_half = {16, 5, 10, true, 15};
const struct fp_format fp_single = {32, 8, 23, false, 127};
const struct fp_format fp_double = {64, 11, 52, false, 1023};

struct softfp softfp_from_fpcr(uint32_t fpcr)
{
    return (struct softfp){
        .rounding = fpcr >> 22 & 3,
        .fz = fpcr >> 24 & 1,
        .fz16 = fpcr >> 19 & 1,
        .dn = fpcr >> 25 & 1,
        .ahp = fpcr >> 26 & 1,
    };
}

/* ---- taking apart and putting together -------------------------------------------------------------------------- */

static struct fp_number unpack(struct softfp *env, const struct fp_format *f, uint64_t bits, bool flush,
                               bool alternative)
{
    if (f->bits < 64) {
        bits &= (UINT64_C(1) << f->bits) - 1;
    }
    uint64_t frac = bits & ((UINT64_C(1) << f->frac_bits) - 1);
    unsigned max_exp = (1u << f->exp_bits) - 1;
    unsigned biased = bits >> f->frac_bits & max_exp;
    struct fp_number n = {.kind = FP_NUM, .sign = bits >> (f->bits - 1) & 1, .bits = bits};

    if (biased == 0) {
        if (frac == 0 || flush) {
            n.kind = FP_ZERO;
            if (frac != 0 && !f->half) {
                env->flags |= SOFTFP_IDC;
            }
        } else {
            unsigned zeros = (unsigned)__builtin_clzll(frac);
            n.sig = frac << zeros;
            n.exp = 1 - f->bias - (int)(zeros - (63u - f->frac_bits));
        }
    } else if (biased == max_exp && !alternative) {
        n.kind = frac == 0 ? FP_INF : frac & fp_quiet_bit(f) ? FP_QNAN : FP_SNAN;
    } else {
        n.sig = (frac | UINT64_C(1) << f->frac_bits) << (63 - f->frac_bits);
        n.exp = (int)biased - f->bias;
    }
    return n;
}

struct fp_number fp_unpack(struct softfp *env, const struct fp_format *f, uint64_t bits)
{
    return unpack(env, f, bits, fp_flushes(env, f), false);
}

struct fp_number fp_unpack_convert(struct softfp *env, const struct fp_format *f, uint64_t bits)
{
    return unpack(env, f, bits, !f->half && env->fz, f->half && env->ahp);
}

bool fp_rounds_up(enum softfp_round rounding, bool sign, bool odd, uint64_t rest)
{
    const uint64_t half = UINT64_C(1) << 63;
    switch (rounding) {
    case SOFTFP_NEAREST:
        return rest > half || (rest == half && odd);
    case SOFTFP_UP:
        return rest != 0 && !sign;
    case SOFTFP_DOWN:
        return rest != 0 && sign;
    case SOFTFP_AWAY:
        return rest >= half;
    case SOFTFP_ZERO:
    case SOFTFP_ODD:
        break;
    }
    return false;
}

/* Whether overflow in this mode gives infinity rather than the largest number. */
static bool overflows_to_infinity(enum softfp_round rounding, bool sign)
{
    switch (rounding) {
    case SOFTFP_UP:
        return !sign;
    case SOFTFP_DOWN:
        return sign;
    case SOFTFP_ZERO:
    case SOFTFP_ODD:
        return false;
    case SOFTFP_NEAREST:
    case SOFTFP_AWAY:
        break;
    }
    return true;
}

static uint64_t round_value(struct softfp *env, const struct fp_format *f, enum softfp_round rounding, struct fp_wide v,
                            bool flush, bool alternative)
{
    int biased = v.exp + f->bias;
    bool tiny = biased < 1; /* detected before rounding */
    if (tiny && flush) {
        env->flags |= SOFTFP_UFC;
        return fp_zero(f, v.sign);
    }
    if (tiny) {
        v.sig = fp_shift_right_jam(v.sig, (unsigned)(1 - biased));
        biased = 1;
    }

    unsigned dropped = 127u - f->frac_bits;
    uint64_t mantissa = (uint64_t)(v.sig >> dropped); /* with its integer bit, unless denormal */
    fp_u128 below = v.sig << (128 - dropped);
    uint64_t rest = (uint64_t)(below >> 64) | ((uint64_t)below != 0);
    if (rest != 0) {
        if (tiny) {
            env->flags |= SOFTFP_UFC;
        }
        mantissa += fp_rounds_up(rounding, v.sign, mantissa & 1, rest);
        if (rounding == SOFTFP_ODD) {
            mantissa |= 1;
        }
    }
    if (mantissa >> (f->frac_bits + 1)) { /* carried into the next binade */
        mantissa >>= 1;
        biased++;
    }
    if (mantissa >> f->frac_bits == 0) { /* denormal */
        biased = 0;
    }

    int max_exp = (1 << f->exp_bits) - 1;
    if (alternative) {
        if (biased > max_exp) {
            env->flags |= SOFTFP_IOC; /* and not inexact */
            return fp_zero(f, v.sign) | fp_max_normal(f, false) | fp_infinity(f, false);
        }
    } else if (biased >= max_exp) {
        env->flags |= SOFTFP_OFC | SOFTFP_IXC;
        return overflows_to_infinity(rounding, v.sign) ? fp_infinity(f, v.sign) : fp_max_normal(f, v.sign);
    }
    if (rest != 0) {
        env->flags |= SOFTFP_IXC;
    }
    return fp_make(f, v.sign, (unsigned)biased, mantissa & ((UINT64_C(1) << f->frac_bits) - 1));
}

uint64_t fp_round(struct softfp *env, const struct fp_format *f, enum softfp_round rounding, struct fp_wide value)
{
    return round_value(env, f, rounding, value, fp_flushes(env, f), false);
}

uint64_t fp_round_convert(struct softfp *env, const struct fp_format *f, enum softfp_round rounding,
                          struct fp_wide value)
{
    return round_value(env, f, rounding, value, !f->half && env->fz, f->half && env->ahp);
}

/* ---- NaNs ------------------------------------------------------------------------------------------------------- */

uint64_t fp_process_nan(struct softfp *env, const struct fp_format *f, const struct fp_number *n)
{
    if (n->kind == FP_SNAN) {
        env->flags |= SOFTFP_IOC;
    }
    return env->dn ? fp_default_nan(f) : n->bits | fp_quiet_bit(f);
}

bool fp_process_nans(struct softfp *env, const struct fp_format *f, const struct fp_number *a,
                     const struct fp_number *b, uint64_t *result)
{
    if (!fp_is_nan(a) && !fp_is_nan(b)) {
        return false;
    }
    const struct fp_number *chosen = a->kind == FP_SNAN || (b->kind != FP_SNAN && fp_is_nan(a)) ? a : b;
    *result = fp_process_nan(env, f, chosen);
    return true;
}

static bool process_nans3(struct softfp *env, const struct fp_format *f, const struct fp_number *a,
                          const struct fp_number *b, const struct fp_number *c, uint64_t *result)
{
    const struct fp_number *all[3] = {a, b, c};
    for (unsigned kind = FP_SNAN; kind >= FP_QNAN; kind--) {
        for (unsigned i = 0; i < 3; i++) {
            if (all[i]->kind == kind) {
                *result = fp_process_nan(env, f, all[i]);
                return true;
            }
        }
    }
    return false;
}

/* ---- sums and products ------------------------------------------------------------------------------------------ */

bool fp_add_wide(struct fp_wide a, struct fp_wide b, struct fp_wide *sum)
{
    if (a.exp < b.exp || (a.exp == b.exp && a.sig < b.sig)) {
        struct fp_wide t = a;
        a = b;
        b = t;
    }
    fp_u128 larger = a.sig >> 1; /* room for a carry */
    fp_u128 smaller = fp_shift_right_jam(b.sig >> 1, (unsigned)(a.exp - b.exp));
    fp_u128 total = a.sign == b.sign ? larger + smaller : larger - smaller;
    if (total == 0) {
        return false;
    }
    unsigned zeros = (uint64_t)(total >> 64) ? (unsigned)__builtin_clzll((uint64_t)(total >> 64))
                                             : 64 + (unsigned)__builtin_clzll((uint64_t)total);
    *sum = (struct fp_wide){a.sign, a.exp + 1 - (int)zeros, total << zeros};
    return true;
}

struct fp_wide fp_multiply(const struct fp_number *a, const struct fp_number *b)
{
    fp_u128 product = (fp_u128)a->sig * b->sig; /* 2^126 … 2^128 */
    int exp = a->exp + b->exp + 1;
    if (!(product >> 127)) {
        product <<= 1;
        exp--;
    }
    return (struct fp_wide){a->sign != b->sign, exp, product};
}

/* a + b, neither infinite nor NaN, with the sign of an exactly zero sum. */
static uint64_t add_finite(struct softfp *env, const struct fp_format *f, const struct fp_number *a,
                           const struct fp_number *b)
{
    if (a->kind == FP_ZERO && b->kind == FP_ZERO) {
        return fp_zero(f, a->sign == b->sign ? a->sign : env->rounding == SOFTFP_DOWN);
    }
    struct fp_wide sum;
    if (a->kind == FP_ZERO) {
        sum = fp_widen(b);
    } else if (b->kind == FP_ZERO) {
        sum = fp_widen(a);
    } else if (!fp_add_wide(fp_widen(a), fp_widen(b), &sum)) {
        return fp_zero(f, env->rounding == SOFTFP_DOWN);
    }
    return fp_round(env, f, env->rounding, sum);
}

static uint64_t add_or_sub(struct softfp *env, unsigned bits, uint64_t op_a, uint64_t op_b, bool subtract)
{
    const struct fp_format *f = fp_format_of(bits);
    struct fp_number a = fp_unpack(env, f, op_a), b = fp_unpack(env, f, op_b);
    uint64_t result;
    if (fp_process_nans(env, f, &a, &b, &result)) {
        return result;
    }
    b.sign ^= subtract;
    if (a.kind == FP_INF || b.kind == FP_INF) {
        if (a.kind == b.kind && a.sign != b.sign) {
            return fp_invalid(env, f);
        }
        return fp_infinity(f, a.kind == FP_INF ? a.sign : b.sign);
    }
    return add_finite(env, f, &a, &b);
}

uint64_t softfp_add(struct softfp *env, unsigned bits, uint64_t a, uint64_t b)
{
    return add_or_sub(env, bits, a, b, false);
}

uint64_t softfp_sub(struct softfp *env, unsigned bits, uint64_t a, uint64_t b)
{
    return add_or_sub(env, bits, a, b, true);
}

static bool is_inf_times_zero(const struct fp_number *a, const struct fp_number *b)
{
    return (a->kind == FP_INF && b->kind == FP_ZERO) || (a->kind == FP_ZERO && b->kind == FP_INF);
}

static uint64_t multiply(struct softfp *env, unsigned bits, uint64_t op_a, uint64_t op_b, bool extended)
{
    const struct fp_format *f = fp_format_of(bits);
    struct fp_number a = fp_unpack(env, f, op_a), b = fp_unpack(env, f, op_b);
    uint64_t result;
    if (fp_process_nans(env, f, &a, &b, &result)) {
        return result;
    }
    bool sign = a.sign != b.sign;
    if (is_inf_times_zero(&a, &b)) {
        return extended ? fp_make(f, sign, (unsigned)f->bias + 1, 0) : fp_invalid(env, f);
    }
    if (a.kind == FP_INF || b.kind == FP_INF) {
        return fp_infinity(f, sign);
    }
    if (a.kind == FP_ZERO || b.kind == FP_ZERO) {
        return fp_zero(f, sign);
    }
    return fp_round(env, f, env->rounding, fp_multiply(&a, &b));
}

uint64_t softfp_mul(struct softfp *env, unsigned bits, uint64_t a, uint64_t b)
{
    return multiply(env, bits, a, b, false);
}

uint64_t softfp_mulx(struct softfp *env, unsigned bits, uint64_t a, uint64_t b)
{
    return multiply(env, bits, a, b, true);
}

/* c + a * b in format f after NaNs have been dealt with. */
static uint64_t muladd_numbers(struct softfp *env, const struct fp_format *f, const struct fp_number *c,
                               const struct fp_number *a, const struct fp_number *b)
{
    bool product_sign = a->sign != b->sign;
    bool product_inf = a->kind == FP_INF || b->kind == FP_INF;
    bool product_zero = a->kind == FP_ZERO || b->kind == FP_ZERO;
    if (is_inf_times_zero(a, b) || (c->kind == FP_INF && product_inf && c->sign != product_sign)) {
        return fp_invalid(env, f);
    }
    if (c->kind == FP_INF || product_inf) {
        return fp_infinity(f, c->kind == FP_INF ? c->sign : product_sign);
    }
    if (product_zero) {
        struct fp_number product = {.kind = FP_ZERO, .sign = product_sign};
        return add_finite(env, f, c, &product);
    }
    struct fp_wide sum = fp_multiply(a, b);
    if (c->kind == FP_NUM && !fp_add_wide(sum, fp_widen(c), &sum)) {
        return fp_zero(f, env->rounding == SOFTFP_DOWN);
    }
    return fp_round(env, f, env->rounding, sum);
}

uint64_t softfp_muladd(struct softfp *env, unsigned bits, uint64_t op_c, uint64_t op_a, uint64_t op_b)
{
    const struct fp_format *f = fp_format_of(bits);
    struct fp_number c = fp_unpack(env, f, op_c), a = fp_unpack(env, f, op_a), b = fp_unpack(env, f, op_b);
    uint64_t result;
    if (c.kind == FP_QNAN && is_inf_times_zero(&a, &b)) {
        return fp_invalid(env, f);
    }
    if (process_nans3(env, f, &c, &a, &b, &result)) {
        return result;
    }
    return muladd_numbers(env, f, &c, &a, &b);
}

uint32_t softfp_muladdh(struct softfp *env, uint32_t op_c, uint16_t op_a, uint16_t op_b)
{
    const struct fp_format *f = &fp_single;
    struct fp_number c = fp_unpack(env, f, op_c);
    struct fp_number factor[2] = {fp_unpack(env, &fp_half, op_a), fp_unpack(env, &fp_half, op_b)};
    uint64_t result;
    if (c.kind == FP_QNAN && is_inf_times_zero(&factor[0], &factor[1])) {
        return (uint32_t)fp_invalid(env, f);
    }
    for (unsigned i = 0; i < 2; i++) { /* FPConvertNaN(), still signaling if it was */
        if (fp_is_nan(&factor[i])) {
            factor[i].bits = fp_infinity(f, factor[i].sign) | (factor[i].bits & 0x3ff) << 13;
        }
    }
    if (process_nans3(env, f, &c, &factor[0], &factor[1], &result)) {
        return (uint32_t)result;
    }
    return (uint32_t)muladd_numbers(env, f, &c, &factor[0], &factor[1]);
}

/* ---- quotients and roots ---------------------------------------------------------------------------------------- */

uint64_t softfp_div(struct softfp *env, unsigned bits, uint64_t op_a, uint64_t op_b)
{
    const struct fp_format *f = fp_format_of(bits);
    struct fp_number a = fp_unpack(env, f, op_a), b = fp_unpack(env, f, op_b);
    uint64_t result;
    if (fp_process_nans(env, f, &a, &b, &result)) {
        return result;
    }
    bool sign = a.sign != b.sign;
    if ((a.kind == FP_INF && b.kind == FP_INF) || (a.kind == FP_ZERO && b.kind == FP_ZERO)) {
        return fp_invalid(env, f);
    }
    if (a.kind == FP_INF || b.kind == FP_ZERO) {
        if (a.kind != FP_INF) {
            env->flags |= SOFTFP_DZC;
        }
        return fp_infinity(f, sign);
    }
    if (a.kind == FP_ZERO || b.kind == FP_INF) {
        return fp_zero(f, sign);
    }
    bool below_one = a.sig < b.sig;
    fp_u128 dividend = (fp_u128)a.sig << (below_one ? 64 : 63);
    fp_u128 quotient = dividend / b.sig; /* 2^63 … 2^64 */
    bool rest = dividend % b.sig != 0;
    return fp_round(env, f, env->rounding, (struct fp_wide){sign, a.exp - b.exp - below_one, quotient << 64 | rest});
}

uint64_t softfp_sqrt(struct softfp *env, unsigned bits, uint64_t op)
{
    const struct fp_format *f = fp_format_of(bits);
    struct fp_number a = fp_unpack(env, f, op);
    if (fp_is_nan(&a)) {
        return fp_process_nan(env, f, &a);
    }
    if (a.kind == FP_ZERO) {
        return fp_zero(f, a.sign);
    }
    if (a.sign) {
        return fp_invalid(env, f);
    }
    if (a.kind == FP_INF) {
        return fp_infinity(f, false);
    }
    /* The root, 2^63 … 2^64, of the significand as an integer scaled to an even exponent; digit by digit from the
       top. */
    fp_u128 rest = (fp_u128)a.sig << (a.exp & 1 ? 64 : 63);
    fp_u128 root = 0;
    for (fp_u128 digit = (fp_u128)1 << 126; digit != 0; digit >>= 2) {
        if (rest >= root + digit) {
            rest -= root + digit;
            root = (root >> 1) + digit;
        } else {
            root >>= 1;
        }
    }
    return fp_round(env, f, env->rounding, (struct fp_wide){false, a.exp >> 1, root << 64 | (rest != 0)});
}

/* ---- order ------------------------------------------------------------------------------------------------------ */

/* -1, 0, 1 as a < b, a == b, a > b; no NaNs. */
static int order_numbers(const struct fp_number *a, const struct fp_number *b)
{
    if (a->kind == FP_ZERO || b->kind == FP_ZERO) { /* perhaps a flushed denormal: its bits do not count */
        return a->kind == b->kind ? 0 : a->kind == FP_ZERO ? (b->sign ? 1 : -1) : (a->sign ? -1 : 1);
    }
    if (a->sign != b->sign) {
        return a->sign ? -1 : 1;
    }
    if (a->bits == b->bits) {
        return 0;
    }
    return (a->bits < b->bits) != a->sign ? -1 : 1; /* magnitudes compare like their bits */
}

static uint64_t extremum(struct softfp *env, const struct fp_format *f, uint64_t op_a, uint64_t op_b, bool want_max)
{
    struct fp_number a = fp_unpack(env, f, op_a), b = fp_unpack(env, f, op_b);
    uint64_t result;
    if (fp_process_nans(env, f, &a, &b, &result)) {
        return result;
    }
    if (a.kind == FP_ZERO && b.kind == FP_ZERO) {
        return fp_zero(f, want_max ? a.sign && b.sign : a.sign || b.sign);
    }
    const struct fp_number *chosen = (order_numbers(&a, &b) > 0) == want_max ? &a : &b;
    return chosen->kind == FP_ZERO ? fp_zero(f, chosen->sign) : chosen->bits;
}

uint64_t softfp_min(struct softfp *env, unsigned bits, uint64_t a, uint64_t b)
{
    return extremum(env, fp_format_of(bits), a, b, false);
}

uint64_t softfp_max(struct softfp *env, unsigned bits, uint64_t a, uint64_t b)
{
    return extremum(env, fp_format_of(bits), a, b, true);
}

/* FPMinNum(), FPMaxNum(): a single quiet NaN is replaced by the infinity that loses. */
static uint64_t extremum_number(struct softfp *env, unsigned bits, uint64_t op_a, uint64_t op_b, bool want_max)
{
    const struct fp_format *f = fp_format_of(bits);
    struct softfp unused = *env; /* unpacking happens again in extremum(), which raises IDC */
    struct fp_number a = fp_unpack(&unused, f, op_a), b = fp_unpack(&unused, f, op_b);
    if (a.kind == FP_QNAN && b.kind != FP_QNAN) {
        op_a = fp_infinity(f, want_max);
    } else if (a.kind != FP_QNAN && b.kind == FP_QNAN) {
        op_b = fp_infinity(f, want_max);
    }
    return extremum(env, f, op_a, op_b, want_max);
}

uint64_t softfp_minnm(struct softfp *env, unsigned bits, uint64_t a, uint64_t b)
{
    return extremum_number(env, bits, a, b, false);
}

uint64_t softfp_maxnm(struct softfp *env, unsigned bits, uint64_t a, uint64_t b)
{
    return extremum_number(env, bits, a, b, true);
}

enum softfp_relation softfp_compare(struct softfp *env, unsigned bits, uint64_t op_a, uint64_t op_b, bool signal)
{
    const struct fp_format *f = fp_format_of(bits);
    struct fp_number a = fp_unpack(env, f, op_a), b = fp_unpack(env, f, op_b);
    if (fp_is_nan(&a) || fp_is_nan(&b)) {
        if (signal || a.kind == FP_SNAN || b.kind == FP_SNAN) {
            env->flags |= SOFTFP_IOC;
        }
        return SOFTFP_UNORDERED;
    }
    int order = order_numbers(&a, &b);
    return order < 0 ? SOFTFP_LESS : order > 0 ? SOFTFP_GREATER : SOFTFP_EQUAL;
}

uint32_t softfp_relation_flags(enum softfp_relation relation)
{
    return (relation & 8 ? IR_FLAG_N : 0) | (relation & 4 ? IR_FLAG_Z : 0) | (relation & 2 ? 0 : IR_FLAG_NOT_C) |
           (relation & 1 ? IR_FLAG_V : 0);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the softfp_*.c files share: unpacked numbers, rounding, NaN selection. Not for anyone else.
 *
 * A finite non-zero number is held exactly as sign, exponent and a significand whose top bit is set: sig / 2^63 *
 * 2^exp (struct fp_number), or with 128 bits sig / 2^127 * 2^exp (struct fp_wide), where bit 0 is sticky: it stands
 * for everything below it that was shifted out. fp_round() is the only place that makes a result of it.
 */
#ifndef DRAGOMAN_TRANSLATOR_SOFTFP_INTERNAL_H
#define DRAGOMAN_TRANSLATOR_SOFTFP_INTERNAL_H

#include "translator/softfp.h"

typedef unsigned __int128 fp_u128;

/* A binary interchange format. */
struct fp_format {
    uint8_t bits, exp_bits, frac_bits;
    bool half; /* flushed by FZ16, not by FZ */
    int bias;
};
extern const struct fp_format fp_half, fp_single, fp_double;

static inline const struct fp_format *fp_format_of(unsigned bits)
{
    return bits == 32 ? &fp_single : bits == 64 ? &fp_double : &fp_half;
}

enum fp_kind { FP_NUM, FP_ZERO, FP_INF, FP_QNAN, FP_SNAN };

struct fp_number {
    uint8_t kind; /* enum fp_kind */
    bool sign;
    int exp; /* FP_NUM only, as is sig */
    uint64_t sig;
    uint64_t bits; /* as given */
};

struct fp_wide {
    bool sign;
    int exp;
    fp_u128 sig;
};

static inline uint64_t fp_zero(const struct fp_format *f, bool sign)
{
    return (uint64_t)sign << (f->bits - 1);
}

static inline uint64_t fp_infinity(const struct fp_format *f, bool sign)
{
    return fp_zero(f, sign) | ((UINT64_C(1) << f->exp_bits) - 1) << f->frac_bits;
}

static inline uint64_t fp_quiet_bit(const struct fp_format *f)
{
    return UINT64_C(1) << (f->frac_bits - 1);
}

static inline uint64_t fp_default_nan(const struct fp_format *f)
{
    return fp_infinity(f, false) | fp_quiet_bit(f);
}

static inline uint64_t fp_max_normal(const struct fp_format *f, bool sign)
{
    return fp_infinity(f, sign) - 1;
}

/** 1.m * 2^exp with no fraction bits but `frac`. */
static inline uint64_t fp_make(const struct fp_format *f, bool sign, unsigned biased_exp, uint64_t frac)
{
    return fp_zero(f, sign) | (uint64_t)biased_exp << f->frac_bits | frac;
}

static inline bool fp_is_nan(const struct fp_number *n)
{
    return n->kind >= FP_QNAN;
}

static inline uint64_t fp_invalid(struct softfp *env, const struct fp_format *f)
{
    env->flags |= SOFTFP_IOC;
    return fp_default_nan(f);
}

static inline bool fp_flushes(const struct softfp *env, const struct fp_format *f)
{
    return f->half ? env->fz16 : env->fz;
}

/** x >> n for any n, with the bits that fall out or'ed into bit 0. */
static inline fp_u128 fp_shift_right_jam(fp_u128 x, unsigned n)
{
    if (n == 0) {
        return x;
    }
    return n > 127 ? x != 0 : x >> n | ((x << (128 - n)) != 0);
}

static inline struct fp_wide fp_widen(const struct fp_number *n)
{
    return (struct fp_wide){n->sign, n->exp, (fp_u128)n->sig << 64};
}

/** FPUnpack(): takes `bits` apart; denormals become zero, with IDC in single and double precision, when env flushes. */
struct fp_number fp_unpack(struct softfp *env, const struct fp_format *f, uint64_t bits);
/** FPUnpackCV(): as above for conversions: FZ16 does not count, AHP does. */
struct fp_number fp_unpack_convert(struct softfp *env, const struct fp_format *f, uint64_t bits);
/** True when a number with this discarded part (top-aligned, sticky in bit 0) rounds away from zero. `odd`: the last
    kept bit. */
bool fp_rounds_up(enum softfp_round rounding, bool sign, bool odd, uint64_t rest);
/** FPRound(): the value (not zero) in format f. */
uint64_t fp_round(struct softfp *env, const struct fp_format *f, enum softfp_round rounding, struct fp_wide value);
/** FPRoundCV(): as above for conversions. */
uint64_t fp_round_convert(struct softfp *env, const struct fp_format *f, enum softfp_round rounding,
                          struct fp_wide value);
/** FPProcessNaN() */
uint64_t fp_process_nan(struct softfp *env, const struct fp_format *f, const struct fp_number *n);
/** FPProcessNaNs(), FPProcessNaNs3(): true when one of them is a NaN; the result is in *result then. */
bool fp_process_nans(struct softfp *env, const struct fp_format *f, const struct fp_number *a,
                     const struct fp_number *b, uint64_t *result);
/** a * b, exactly. */
struct fp_wide fp_multiply(const struct fp_number *a, const struct fp_number *b);
/** *sum = a + b; false when it is exactly zero. Both must have a zero in bit 0 and enough zeros above it for one of
    them to be shifted by one place without loss (true of anything made by fp_widen and fp_multiply). */
bool fp_add_wide(struct fp_wide a, struct fp_wide b, struct fp_wide *sum);

#endif

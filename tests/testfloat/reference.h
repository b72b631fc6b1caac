/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the Arm architecture says that a floating-point operation yields (Arm ARM DDI 0487, shared/functions/float),
 * worked out with exact numbers: values are integers of as many bits as it takes, times a power of two, and are rounded
 * once, as FPRound() says. Slow and plain on purpose, and shares nothing with translator/softfp.
 */
#ifndef DRAGOMAN_TESTS_TESTFLOAT_REFERENCE_H
#define DRAGOMAN_TESTS_TESTFLOAT_REFERENCE_H

#include <stdbool.h>
#include <stdint.h>

enum operation {
    OP_ADD,
    OP_SUB,
    OP_MUL,
    OP_NMUL,
    OP_DIV,
    OP_MULX,
    OP_ABD,
    OP_MAX,
    OP_MIN,
    OP_MAXNM,
    OP_MINNM,
    OP_RECPS,
    OP_RSQRTS,
    OP_MULADD,
    OP_MULADD_LONG, /* c + a * b; the latter of halves, to a single */
    OP_SQRT,
    OP_RECPE,
    OP_RSQRTE,
    OP_RECPX,
    OP_ROUND,
    OP_ROUND_N,
    OP_CONVERT,
    OP_CONVERT_BF16,
    OP_TO_FIXED,
    OP_FROM_FIXED,
    OP_TO_JAVASCRIPT,
    OP_COMPARE, /* NZCV */
    OP_CMEQ,
    OP_CMGE,
    OP_CMGT, /* a mask */
};

/* After the first one as in FPCR.RMode. */
enum rounding { ROUND_CURRENT, ROUND_NEAREST, ROUND_UP, ROUND_DOWN, ROUND_ZERO, ROUND_AWAY, ROUND_ODD };

enum { FPCR_FZ16 = 1 << 19, FPCR_FZ = 1 << 24, FPCR_DN = 1 << 25, FPCR_AHP = 1 << 26, FPCR_RMODE = 3 << 22 };
enum { FLAG_IOC = 1, FLAG_DZC = 2, FLAG_OFC = 4, FLAG_UFC = 8, FLAG_IXC = 16, FLAG_IDC = 128 };

/* An operation on certain formats. Operands are first changed: those of `absolute` lose their sign bit, those of
   `negate` get the other one (bit 0: a, 1: b, 2: c). */
struct task {
    enum operation op;
    uint8_t bits, to_bits; /* of the operands, of the result: 16, 32, 64 */
    uint8_t negate, absolute;
    enum rounding rounding; /* for conversions and rounding to integral */
    bool exact;             /* OP_ROUND: inexactness counts */
    bool is_unsigned;       /* fixed point */
    bool signal;            /* OP_COMPARE: of quiet NaNs too */
    uint8_t fraction;       /* bits of the fixed-point number that are its fraction; OP_ROUND_N: 32 or 64 */
};

struct answer {
    uint64_t value; /* OP_COMPARE, OP_TO_JAVASCRIPT: NZCV in the bits 63:60 */
    uint32_t flags;
};

struct answer reference_compute(const struct task *t, uint32_t fpcr, uint64_t a, uint64_t b, uint64_t c);

#endif

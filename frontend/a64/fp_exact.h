/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Floating point by C helpers: what host arithmetic is not made for (FPCR.FZ, DN, FZ16, AHP).
 * translate_fp*.c and translate_simd*.c emit calls of these helpers through fp_emit.h; fp_helpers.c is their other end.
 * What to do is told by one constant argument, made by fp_code().
 */
#ifndef DRAGOMAN_FRONTEND_A64_FP_EXACT_H
#define DRAGOMAN_FRONTEND_A64_FP_EXACT_H

#include <stdint.h>

#include "translator/ir.h"

/* clang-format off */
enum fp_op {
    /* two operands */
    FP_ADD, FP_SUB, FP_MUL, FP_DIV, FP_MAX, FP_MIN, FP_MAXNM, FP_MINNM, FP_MULX, FP_RECPS, FP_RSQRTS,
    FP_CMEQ, FP_CMGE, FP_CMGT, /* a mask in the lane */
    /* three operands: addend first */
    FP_MULADD, FP_MULADD_LONG, /* half times half plus single */
    /* one operand */
    FP_SQRT, FP_RECPE, FP_RSQRTE, FP_RECPX,
    FP_ROUND,     /* FRINT*; rounding, exact */
    FP_ROUND_32, FP_ROUND_64, /* FRINT32*, FRINT64*; rounding */
    FP_TO_SIGNED, FP_TO_UNSIGNED,     /* to integers of the same width; rounding, fraction */
    FP_FROM_SIGNED, FP_FROM_UNSIGNED, /* from integers of the same width; fraction */
    FP_CONVERT, FP_CONVERT_ODD,       /* between formats: lanes of `size` to lanes of `other` */
    FP_CONVERT_BF16,
};
/* clang-format on */

/** How a helper is told its job, packed into an i32 by fp_code(). */
struct fp_job {
    enum fp_op op;
    unsigned size;        /* bytes of a lane: 2, 4, 8 */
    unsigned lanes;       /* how many count; the rest of the result is zero */
    unsigned other;       /* bytes of the result's lane or of the integer, where they differ from size */
    unsigned fraction;    /* bits, for fixed point: 0..64 */
    unsigned rounding;    /* enum ir_round */
    bool exact;           /* FRINTX: raise IXC */
    bool compare, signal; /* FCMP: do it; quiet NaNs signal */
};

static inline unsigned fp_log2(unsigned bytes)
{
    return bytes == 8 ? 3 : bytes >> 1;
}

static inline uint32_t fp_code(const struct fp_job *j)
{
    return j->op | fp_log2(j->size) << 6 | j->lanes << 8 | fp_log2(j->other) << 13 | j->fraction << 15 |
           j->rounding << 22 | (uint32_t)j->exact << 25 | (uint32_t)j->compare << 26 |
           (uint32_t)j->signal << 27;
}

static inline struct fp_job fp_decode(uint32_t code)
{
    return (struct fp_job){.op = code & 63,
                           .size = 1u << (code >> 6 & 3),
                           .lanes = code >> 8 & 31,
                           .other = 1u << (code >> 13 & 3),
                           .fraction = code >> 15 & 127,
                           .rounding = code >> 22 & 7,
                           .exact = code >> 25 & 1,
                           .compare = code >> 26 & 1,
                           .signal = code >> 27 & 1};
}

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Floating-point operations as the translate functions write them. Each emits the IR operation, or with FPCR.FZ, DN,
 * FZ16 or AHP set a call of a helper of fp_exact.h.
 *
 * Values are of two kinds. Scalar instructions (floatdp1 …) use fp_get() and fp_put(): f32 or f64, or, for the helpers
 * and for half precision, a v128 whose lane 0 counts. AdvSIMD uses v128 throughout, whole registers; lanes that the
 * form does not write are kept from raising exceptions here, and cleared by put_lanes().
 *
 * `size` is the bytes of an element: 2, 4 or 8.
 */
#ifndef DRAGOMAN_FRONTEND_A64_FP_EMIT_H
#define DRAGOMAN_FRONTEND_A64_FP_EMIT_H

#include "frontend/a64/fp_exact.h"
#include "frontend/a64/simd.h"

/** True when scalars of `size` are in lane 0 of a v128. */
static inline bool fp_vector(const struct a64_translate *t, unsigned size)
{
    return size == 2 || fp_exact(t);
}
/** Element size by ftype, bits 23:22: 00 single, 01 double, 11 half. */
static inline unsigned fp_size(const struct a64_translate *t)
{
    return ftype(t) == 3 ? 2 : 4u << (ftype(t) & 1);
}
/** Element size of AdvSIMD instructions: a half-precision row's feature says so, else bit 22. */
static inline unsigned vec_fp_size(const struct a64_translate *t)
{
    return t->row->feature == A64_FEAT_FP16 ? 2 : 4u << sz(t);
}

/** VFPExpandImm(): the constant that eight bits stand for. */
uint64_t fp_expand_imm(unsigned imm, unsigned size);

ir_ref fp_get(struct a64_translate *t, unsigned n, unsigned size);
void fp_put(struct a64_translate *t, unsigned n, unsigned size, ir_ref value);
/** Zero of the kind that fp_get() yields. */
ir_ref fp_zero(struct a64_translate *t, unsigned size);

ir_ref fp_neg(struct a64_translate *t, unsigned size, ir_ref a);
ir_ref fp_abs(struct a64_translate *t, unsigned size, ir_ref a);
ir_ref fp_two(struct a64_translate *t, enum fp_op op, unsigned size, ir_ref a, ir_ref b);
/** On `lanes` lanes instead of those of the form; the others must be harmless. */
ir_ref fp_two_lanes(struct a64_translate *t, enum fp_op op, unsigned size, unsigned lanes, ir_ref a, ir_ref b);
/** c + a * b */
ir_ref fp_muladd(struct a64_translate *t, unsigned size, ir_ref c, ir_ref a, ir_ref b);
/** c + a * b, c and the result single precision, a and b the low halves (FMLAL) */
ir_ref fp_muladd_long(struct a64_translate *t, ir_ref c, ir_ref a, ir_ref b);
/** FP_SQRT … FP_RECPX */
ir_ref fp_one(struct a64_translate *t, enum fp_op op, unsigned size, ir_ref a);
/** mode as FRINT's: enum ir_round | IR_ROUND_INEXACT. */
ir_ref fp_integral(struct a64_translate *t, unsigned size, ir_ref a, unsigned mode);
/** FRINT32*, FRINT64*: int_size 4 or 8. */
ir_ref fp_integral_n(struct a64_translate *t, unsigned size, ir_ref a, enum ir_round rounding, unsigned int_size);
/** Half precision in lane 0 as f32; and f32 or f64 as half precision, the rest of the v128 zero. Not for FPCR.AHP and
    the like. */
ir_ref fp_from_half(struct a64_translate *t, ir_ref half);
ir_ref fp_to_half(struct a64_translate *t, ir_ref a);
/** Packed flags of a comparison that is made only when `condition` (i32, IR_NONE: always) is true. */
ir_ref fp_compare_flags(struct a64_translate *t, unsigned size, ir_ref a, ir_ref b, bool signal, ir_ref condition);

/* AdvSIMD only: v128 */

/** Lanes to integers of their size, and back; fraction bits of fixed point. */
ir_ref fp_lanes_to_fixed(struct a64_translate *t, unsigned size, ir_ref a, bool is_unsigned, unsigned fraction,
                         enum ir_round rounding);
ir_ref fp_lanes_from_fixed(struct a64_translate *t, unsigned size, ir_ref a, bool is_unsigned, unsigned fraction);
/** `lanes` lanes of `from` bytes to lanes of `to` bytes; op FP_CONVERT, FP_CONVERT_ODD, FP_CONVERT_BF16. */
ir_ref fp_lanes_convert(struct a64_translate *t, enum fp_op op, unsigned to, unsigned from, unsigned lanes, ir_ref a);

#endif

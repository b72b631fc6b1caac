/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the AdvSIMD translate functions share. Vector and scalar forms, 128-bit and 64-bit ones, go through the same
 * functions: the operation is done on all of a v128, then put_lanes() clears what the form does not write. Saturation
 * shows in the lanes that are kept only: put_saturated() compares those.
 */
#ifndef DRAGOMAN_FRONTEND_A64_SIMD_H
#define DRAGOMAN_FRONTEND_A64_SIMD_H

#include "frontend/a64/simd_helpers.h"
#include "frontend/a64/translate.h"

/** AdvSIMD scalar and floating-point encodings have bit 28 set, vector ones clear. */
static inline bool is_scalar(const struct a64_translate *t)
{
    return t->word >> 28 & 1;
}
static inline unsigned lane_bytes(const struct a64_translate *t)
{
    return 1u << size(t);
}
/** Lanes of `lane` bytes that the instruction works on. */
static inline unsigned lane_count(const struct a64_translate *t, unsigned lane)
{
    return is_scalar(t) ? 1 : (Q(t) ? 16 : 8) / lane;
}
static inline ir_ref v_zero(struct a64_translate *t)
{
    return builder_vconst(t->b, 0, 0);
}
/** `value`'s low `lane` bytes in every lane. */
static inline ir_ref v_splat(struct a64_translate *t, unsigned lane, uint64_t value)
{
    value &= UINT64_MAX >> (64 - lane * 8);
    for (unsigned bits = lane * 8; bits < 64; bits *= 2)
        value |= value << bits;
    return builder_vconst(t->b, value, value);
}
static inline ir_ref v_low64(struct a64_translate *t, ir_ref v)
{
    return b_v1(t->b, IR_VLOW64, 0, v);
}
/** Lane 0 of `lane` bytes, the rest zero. */
static inline ir_ref v_lane0(struct a64_translate *t, unsigned lane, ir_ref v)
{
    if (lane == 8)
        return v_low64(t, v);
    if (lane == 4)
        return b_vzext(t->b, b_vlow(t->b, IR_F32, v));
    return b_v2(t->b, IR_VAND, 0, v, builder_vconst(t->b, (1u << lane * 8) - 1, 0));
}
/** What the form keeps of a result: one lane, 64 bits, or all. */
static inline ir_ref keep_lanes(struct a64_translate *t, unsigned lane, ir_ref v)
{
    return is_scalar(t) ? v_lane0(t, lane, v) : Q(t) ? v : v_low64(t, v);
}
static inline void put_lanes(struct a64_translate *t, unsigned lane, ir_ref v)
{
    put_v(t, Rd(t), keep_lanes(t, lane, v));
}
/** FPSR.QC is set when any bit of `difference` is. */
static inline void put_qc(struct a64_translate *t, ir_ref difference)
{
    builder_put(t->b, A64_QC, b_v2(t->b, IR_VOR, 0, builder_get(t->b, A64_QC), difference));
}
/** Writes `result`, and sets QC where it differs from the wrapped (or otherwise inexact) one. */
static inline void put_saturated(struct a64_translate *t, unsigned lane, ir_ref result, ir_ref wrapped)
{
    result = keep_lanes(t, lane, result);
    put_qc(t, b_v2(t->b, IR_VXOR, 0, result, keep_lanes(t, lane, wrapped)));
    put_v(t, Rd(t), result);
}
/** The same with a mask of the lanes that saturated. */
static inline void put_with_qc(struct a64_translate *t, unsigned lane, ir_ref result, ir_ref saturated)
{
    put_lanes(t, lane, result);
    put_qc(t, keep_lanes(t, lane, saturated));
}
/** The upper 64 bits, moved down. */
static inline ir_ref v_high(struct a64_translate *t, ir_ref v)
{
    return b_vimm(t->b, IR_VEXT, 0, 8, v, v);
}
/** The source half of a "long" instruction: the upper one in its "2" form. */
static inline ir_ref v_half(struct a64_translate *t, ir_ref v)
{
    return Q(t) && !is_scalar(t) ? v_high(t, v) : v;
}
/** Low halves of a and b in one register, a's first. */
static inline ir_ref v_join(struct a64_translate *t, ir_ref a, ir_ref b)
{
    return b_v2(t->b, IR_VZIP1, 8, a, b);
}
/** Result of a "narrow" instruction: 64 bits that go to the upper half of Vd in its "2" form. */
static inline ir_ref v_narrowed(struct a64_translate *t, ir_ref v)
{
    return Q(t) && !is_scalar(t) ? v_join(t, get_v(t, Rd(t)), v) : v;
}
static inline ir_ref v_not(struct a64_translate *t, ir_ref v)
{
    return b_v1(t->b, IR_VNOT, 0, v);
}
/** Low lanes of `lane` bytes extended to twice the size. */
static inline ir_ref v_extend(struct a64_translate *t, unsigned lane, bool is_unsigned, ir_ref v)
{
    return b_v1(t->b, is_unsigned ? IR_VUXTL : IR_VSXTL, lane, v);
}
/** |a - b| of lanes */
static inline ir_ref v_abd(struct a64_translate *t, unsigned lane, bool is_unsigned, ir_ref a, ir_ref b)
{
    ir_ref max = b_v2(t->b, is_unsigned ? IR_VUMAX : IR_VSMAX, lane, a, b);
    return b_v2(t->b, IR_VSUB, lane, max, b_v2(t->b, is_unsigned ? IR_VUMIN : IR_VSMIN, lane, a, b));
}
/** v >> n rounded to nearest, 1 <= n <= lane bits; never overflows, unlike adding the half first. */
static inline ir_ref v_rounding_shift_right(struct a64_translate *t, unsigned lane, bool is_unsigned, unsigned n,
                                            ir_ref v)
{
    ir_ref round = b_v2(t->b, IR_VAND, 0, b_vimm(t->b, IR_VSHR, lane, n - 1, v, IR_NONE), v_splat(t, lane, 1));
    return b_v2(t->b, IR_VADD, lane, b_vimm(t->b, is_unsigned ? IR_VSHR : IR_VSAR, lane, n, v, IR_NONE), round);
}
/** r in the lanes where `fits` has ones; else the limit, of n's sign, that a shift to the left of n has gone beyond. */
static inline ir_ref v_limited(struct a64_translate *t, unsigned lane, bool is_unsigned, ir_ref fits, ir_ref r,
                               ir_ref n)
{
    if (is_unsigned)
        return b_v2(t->b, IR_VOR, 0, r, v_not(t, fits));
    ir_ref limit = b_v2(t->b, IR_VXOR, 0, b_vimm(t->b, IR_VSAR, lane, lane * 8 - 1, n, IR_NONE),
                        v_splat(t, lane, (UINT64_C(1) << (lane * 8 - 1)) - 1));
    return b_v3(t->b, IR_VBSL, 0, fits, r, limit);
}
/** Products of the low eight bytes as polynomials over {0, 1}, of two bytes each (PMULL). */
ir_ref v_multiply_poly(struct a64_translate *t, ir_ref n, ir_ref m);
/** Adjacent lanes of n:m (of the form's width) apart: even ones in *even, odd ones in *odd. In a 64-bit form the upper
    halves repeat the lower ones. */
static inline void v_pairs(struct a64_translate *t, unsigned lane, ir_ref n, ir_ref m, ir_ref *even, ir_ref *odd)
{
    if (!Q(t))
        n = m = v_join(t, n, m);
    *even = b_v2(t->b, IR_VUZP1, lane, n, m);
    *odd = b_v2(t->b, IR_VUZP2, lane, n, m);
}

/* ---- by-element operand: index H:L:M and register M:Rm, by the lane's size --------------------------------------- */

static inline unsigned element_index(const struct a64_translate *t, unsigned lane)
{
    return lane == 2 ? H(t) << 2 | L(t) << 1 | M(t) : lane == 4 ? H(t) << 1 | L(t) : H(t);
}
static inline ir_ref get_element(struct a64_translate *t, unsigned lane)
{
    ir_ref m = get_v(t, lane == 2 ? Rm4(t) : Rm(t));
    return b_vimm(t->b, IR_VDUPLANE, lane, element_index(t, lane), m, IR_NONE);
}

#endif

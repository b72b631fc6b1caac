/* SPDX-License-Identifier: GPL-2.0-or-later */
/* AdvSIMD two-register miscellaneous, across lanes and scalar pairwise, integer (Arm ARM DDI 0487, C4.1.95: asimdmisc,
   asisdmisc, asimdall, asisdpair). */
#include "frontend/a64/simd.h"

static ir_ref n_of(struct a64_translate *t)
{
    return get_v(t, Rn(t));
}

/* REV64, REV32 (U), REV16 (bit 12). */
void a64_vec_reverse(struct a64_translate *t)
{
    unsigned group = t->word >> 12 & 1 ? 2 : U(t) ? 4 : 8;
    put_lanes(t, 1, builder_op(t->b, IR_VREV, IR_V128, lane_bytes(t), group, 0, n_of(t), IR_NONE, IR_NONE, IR_NONE));
}

/* Sums of adjacent lanes, twice as wide. */
static ir_ref add_long_pairs(struct a64_translate *t, unsigned lane, bool is_unsigned, ir_ref v)
{
    enum ir_op shift = is_unsigned ? IR_VSHR : IR_VSAR;
    ir_ref even = b_vimm(t->b, IR_VSHL, lane * 2, lane * 8, v, IR_NONE);
    even = b_vimm(t->b, shift, lane * 2, lane * 8, even, IR_NONE);
    return b_v2(t->b, IR_VADD, lane * 2, even, b_vimm(t->b, shift, lane * 2, lane * 8, v, IR_NONE));
}

/* SADDLP, UADDLP; SADALP, UADALP accumulate (bit 14). */
void a64_vec_add_long_pairwise(struct a64_translate *t)
{
    unsigned lane = lane_bytes(t);
    ir_ref r = add_long_pairs(t, lane, U(t), n_of(t));
    if (t->word >> 14 & 1)
        r = b_v2(t->b, IR_VADD, lane * 2, get_v(t, Rd(t)), r);
    put_lanes(t, lane * 2, r);
}

/* SUQADD, USQADD: with the highest bit of Vd's lanes inverted, which moves its range onto that of the other
   signedness, the sum's limits are those of an addition of like operands. */
void a64_vec_saturating_accumulate(struct a64_translate *t)
{
    unsigned lane = lane_bytes(t);
    ir_ref n = n_of(t), d = get_v(t, Rd(t)), top = v_splat(t, lane, UINT64_C(1) << (lane * 8 - 1));
    ir_ref sum = b_v2(t->b, U(t) ? IR_VQADDS : IR_VQADDU, lane, b_v2(t->b, IR_VXOR, 0, d, top), n);
    put_saturated(t, lane, b_v2(t->b, IR_VXOR, 0, sum, top), b_v2(t->b, IR_VADD, lane, d, n));
}

/* CLZ; CLS counts the bits that equal the one above them: zeros of the exclusive or, but its first. */
void a64_vec_count_leading(struct a64_translate *t)
{
    unsigned lane = lane_bytes(t);
    ir_ref n = n_of(t);
    if (U(t)) {
        put_lanes(t, lane, b_v1(t->b, IR_VCLZ, lane, n));
    } else {
        ir_ref changes = b_v2(t->b, IR_VXOR, 0, n, b_vimm(t->b, IR_VSAR, lane, 1, n, IR_NONE));
        put_lanes(t, lane, b_v2(t->b, IR_VSUB, lane, b_v1(t->b, IR_VCLZ, lane, changes), v_splat(t, lane, 1)));
    }
}

void a64_CNT(struct a64_translate *t)
{
    put_lanes(t, 1, b_v1(t->b, IR_VPOPCNT, 1, n_of(t)));
}
void a64_vec_not(struct a64_translate *t)
{
    put_lanes(t, 1, v_not(t, n_of(t)));
}

/* Each byte's nibbles, reversed by table, change places. */
void a64_vec_rbit(struct a64_translate *t)
{
    ir_ref nibble = v_splat(t, 1, 15), n = n_of(t);
    ir_ref low = b_v2(t->b, IR_VAND, 0, n, nibble);
    ir_ref high = b_v2(t->b, IR_VAND, 0, b_vimm(t->b, IR_VSHR, 2, 4, n, IR_NONE), nibble);
    ir_ref to_high = builder_vconst(t->b, UINT64_C(0xe060a020c0408000), UINT64_C(0xf070b030d0509010));
    ir_ref to_low = builder_vconst(t->b, UINT64_C(0x0e060a020c040800), UINT64_C(0x0f070b030d050901));
    put_lanes(t, 1, b_v2(t->b, IR_VOR, 0, b_v2(t->b, IR_VTBL, 1, to_high, low), b_v2(t->b, IR_VTBL, 1, to_low, high)));
}

/* SQABS, SQNEG: only the minimum saturates. */
void a64_vec_saturating_abs_neg(struct a64_translate *t)
{
    unsigned lane = lane_bytes(t);
    ir_ref n = n_of(t);
    if (U(t)) {
        put_saturated(t, lane, b_v2(t->b, IR_VQSUBS, lane, v_zero(t), n), b_v1(t->b, IR_VNEG, lane, n));
    } else {
        ir_ref wrapped = b_v1(t->b, IR_VABS, lane, n);
        ir_ref saturated =
            b_v2(t->b, IR_VADD, lane, wrapped, b_vimm(t->b, IR_VSAR, lane, lane * 8 - 1, wrapped, IR_NONE));
        put_saturated(t, lane, saturated, wrapped);
    }
}

/* CMGT, CMEQ, CMLT (U clear; bits 13:12 = 0, 1, 2), CMGE, CMLE (U set; 0, 1) with zero. */
void a64_vec_compare_zero(struct a64_translate *t)
{
    unsigned lane = lane_bytes(t);
    ir_ref n = n_of(t), zero = v_zero(t), r;
    switch ((t->word >> 12 & 3) | U(t) << 2) {
    case 0:
        r = b_v2(t->b, IR_VCMPGTS, lane, n, zero);
        break;
    case 1:
        r = b_v2(t->b, IR_VCMPEQ, lane, n, zero);
        break;
    case 2:
        r = b_v2(t->b, IR_VCMPGTS, lane, zero, n);
        break;
    case 4:
        r = v_not(t, b_v2(t->b, IR_VCMPGTS, lane, zero, n));
        break;
    default:
        r = v_not(t, b_v2(t->b, IR_VCMPGTS, lane, n, zero));
        break;
    }
    put_lanes(t, lane, r);
}

void a64_vec_abs_neg(struct a64_translate *t)
{
    unsigned lane = lane_bytes(t);
    put_lanes(t, lane, b_v1(t->b, U(t) ? IR_VNEG : IR_VABS, lane, n_of(t)));
}

void a64_vec_extract_narrow(struct a64_translate *t)
{
    put_v(t, Rd(t), v_narrowed(t, b_v1(t->b, IR_VXTN, lane_bytes(t) * 2, n_of(t))));
}

/* SQXTN, UQXTN (bit 14), SQXTUN: QC when widening the result does not give the operand back. */
void a64_vec_saturating_narrow(struct a64_translate *t)
{
    unsigned lane = lane_bytes(t);
    bool same_sign = t->word >> 14 & 1;
    ir_ref n = is_scalar(t) ? v_lane0(t, lane * 2, n_of(t)) : n_of(t);
    ir_ref r = b_v1(t->b, !same_sign ? IR_VQXTUN : U(t) ? IR_VQXTNU : IR_VQXTNS, lane * 2, n);
    put_qc(t, b_v2(t->b, IR_VXOR, 0, n, v_extend(t, lane, U(t), r)));
    put_v(t, Rd(t), v_narrowed(t, r));
}

void a64_SHLL(struct a64_translate *t)
{
    unsigned lane = lane_bytes(t);
    put_v(t, Rd(t), b_vimm(t->b, IR_VSHL, lane * 2, lane * 8, v_extend(t, lane, true, v_half(t, n_of(t))), IR_NONE));
}

/* ---- across lanes ------------------------------------------------------------------------------------------------ */

/* Applies a commutative, associative operation to the `count` lowest lanes; the result is in lane 0. */
static ir_ref reduce(struct a64_translate *t, enum ir_op op, unsigned lane, unsigned count, ir_ref v)
{
    for (unsigned distance = count / 2 * lane; distance >= lane; distance /= 2)
        v = b_v2(t->b, op, lane, v, b_vimm(t->b, IR_VEXT, 0, distance, v, v));
    return v;
}

void a64_ADDV(struct a64_translate *t)
{
    unsigned lane = lane_bytes(t);
    put_v(t, Rd(t), v_lane0(t, lane, reduce(t, IR_VADD, lane, lane_count(t, lane), n_of(t))));
}

/* SADDLV, UADDLV: a pairwise sum has room for all the rest. */
void a64_vec_add_long_across(struct a64_translate *t)
{
    unsigned lane = lane_bytes(t), wide = lane * 2;
    ir_ref pairs = add_long_pairs(t, lane, U(t), n_of(t));
    put_v(t, Rd(t), v_lane0(t, wide, reduce(t, IR_VADD, wide, lane_count(t, wide), pairs)));
}

/* SMAXV, UMAXV; SMINV, UMINV have bit 16 set. */
void a64_vec_max_min_across(struct a64_translate *t)
{
    unsigned lane = lane_bytes(t);
    bool min = t->word >> 16 & 1;
    enum ir_op op = U(t) ? (min ? IR_VUMIN : IR_VUMAX) : (min ? IR_VSMIN : IR_VSMAX);
    put_v(t, Rd(t), v_lane0(t, lane, reduce(t, op, lane, lane_count(t, lane), n_of(t))));
}

void a64_ADDP_scalar(struct a64_translate *t)
{
    put_lanes(t, 8, b_v2(t->b, IR_VADDP, 8, n_of(t), n_of(t)));
}

/*
 * URECPE, URSQRTE: fixed point, all of it fraction. The estimates are those of the same numbers in floating point,
 * whose fraction they keep; numbers below 1/2, 1/4 give all ones. The highest bit that counts is the fraction's
 * unwritten one: it adds one to the exponent.
 */
void a64_vec_unsigned_estimate(struct a64_translate *t)
{
    ir_ref n = n_of(t);
    ir_ref is_large = b_vimm(t->b, IR_VSAR, 4, 31, n, IR_NONE), defined = is_large;
    ir_ref f = b_v2(t->b, IR_VADD, 4, b_vimm(t->b, IR_VSHR, 4, 8, n, IR_NONE), v_splat(t, 4, 0x3e800000));
    if (U(t)) {
        ir_ref small = b_v2(t->b, IR_VADD, 4, b_vimm(t->b, IR_VSHR, 4, 7, n, IR_NONE), v_splat(t, 4, 0x3e000000));
        f = b_v3(t->b, IR_VBSL, 0, is_large, f, small);
        defined = b_v2(t->b, IR_VOR, 0, is_large, b_vimm(t->b, IR_VSAR, 4, 31, b_v2(t->b, IR_VADD, 4, n, n), IR_NONE));
    }
    ir_ref r = b_v1(t->b, U(t) ? IR_VFRSQRTE : IR_VFRECPE, 4, f);
    r = b_v2(t->b, IR_VOR, 0, b_vimm(t->b, IR_VSHL, 4, 8, r, IR_NONE), v_splat(t, 4, UINT32_C(1) << 31));
    put_lanes(t, 4, b_v2(t->b, IR_VOR, 0, r, v_not(t, defined)));
}

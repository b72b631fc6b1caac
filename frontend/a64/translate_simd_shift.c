/* SPDX-License-Identifier: GPL-2.0-or-later */
/* AdvSIMD shift by immediate (Arm ARM DDI 0487, C4.1.95: asimdshf, asisdshf). */
#include "frontend/a64/simd.h"

static ir_ref n_of(struct a64_translate *t)
{
    return get_v(t, Rn(t));
}

/* The highest bit of immh tells the lane, and immh:immb the amount from there. */
static unsigned shift_lane(const struct a64_translate *t)
{
    unsigned h = immh(t);
    return h & 8 ? 8 : h & 4 ? 4 : h & 2 ? 2 : 1;
}
static unsigned left_amount(const struct a64_translate *t)
{
    return (immh(t) << 3 | immb(t)) - shift_lane(t) * 8;
}
static unsigned right_amount(const struct a64_translate *t)
{
    return shift_lane(t) * 16 - (immh(t) << 3 | immb(t));
}

/* SSHR, SSRA, SRSHR, SRSRA and unsigned: bit 12 accumulates, bit 13 rounds. */
void a64_vec_shift_right(struct a64_translate *t)
{
    unsigned lane = shift_lane(t), amount = right_amount(t);
    ir_ref r = t->word >> 13 & 1 ? v_rounding_shift_right(t, lane, U(t), amount, n_of(t))
                                 : b_vimm(t->b, U(t) ? IR_VSHR : IR_VSAR, lane, amount, n_of(t), IR_NONE);
    if (t->word >> 12 & 1)
        r = b_v2(t->b, IR_VADD, lane, get_v(t, Rd(t)), r);
    put_lanes(t, lane, r);
}

void a64_SHL(struct a64_translate *t)
{
    unsigned lane = shift_lane(t);
    put_lanes(t, lane, b_vimm(t->b, IR_VSHL, lane, left_amount(t), n_of(t), IR_NONE));
}

void a64_SLI(struct a64_translate *t)
{
    unsigned lane = shift_lane(t), amount = left_amount(t);
    ir_ref kept = b_v2(t->b, IR_VAND, 0, get_v(t, Rd(t)), v_splat(t, lane, (UINT64_C(1) << amount) - 1));
    put_lanes(t, lane, b_v2(t->b, IR_VOR, 0, kept, b_vimm(t->b, IR_VSHL, lane, amount, n_of(t), IR_NONE)));
}

void a64_SRI(struct a64_translate *t)
{
    unsigned lane = shift_lane(t), amount = right_amount(t), bits = lane * 8;
    uint64_t ones = UINT64_MAX >> (64 - bits), moved = amount == bits ? 0 : ones >> amount;
    ir_ref kept = b_v2(t->b, IR_VAND, 0, get_v(t, Rd(t)), v_splat(t, lane, ones & ~moved));
    put_lanes(t, lane, b_v2(t->b, IR_VOR, 0, kept, b_vimm(t->b, IR_VSHR, lane, amount, n_of(t), IR_NONE)));
}

/* SQSHL, UQSHL, SQSHLU (bit 12 clear): saturated where shifting back to the right does not give the operand back. */
void a64_vec_saturating_shift_left(struct a64_translate *t)
{
    unsigned lane = shift_lane(t), amount = left_amount(t);
    bool to_unsigned = !(t->word >> 12 & 1);
    ir_ref n = n_of(t), from = to_unsigned ? b_v2(t->b, IR_VSMAX, lane, n, v_zero(t)) : n;
    ir_ref r = b_vimm(t->b, IR_VSHL, lane, amount, from, IR_NONE);
    ir_ref back = b_vimm(t->b, U(t) ? IR_VSHR : IR_VSAR, lane, amount, r, IR_NONE);
    ir_ref fits = b_v2(t->b, IR_VCMPEQ, lane, back, from);
    put_with_qc(t, lane, v_limited(t, lane, U(t), fits, r, from), b_v2(t->b, IR_VXOR, 0, back, n));
}

/* SHRN, RSHRN (bit 11). The sum that RSHRN rounds with may lose its carry: it is beyond what the result keeps. */
void a64_vec_shift_right_narrow(struct a64_translate *t)
{
    unsigned lane = shift_lane(t), wide = lane * 2, amount = right_amount(t);
    ir_ref v = n_of(t);
    if (t->word >> 11 & 1)
        v = b_v2(t->b, IR_VADD, wide, v, v_splat(t, wide, UINT64_C(1) << (amount - 1)));
    v = b_vimm(t->b, IR_VSHR, wide, amount, v, IR_NONE);
    put_v(t, Rd(t), v_narrowed(t, b_v1(t->b, IR_VXTN, wide, v)));
}

/* SQSHRN, UQSHRN (bit 12), SQSHRUN; bit 11 rounds. QC when widening the result does not give the shifted value back. */
void a64_vec_saturating_shift_right_narrow(struct a64_translate *t)
{
    unsigned lane = shift_lane(t), wide = lane * 2, amount = right_amount(t);
    bool same_sign = t->word >> 12 & 1, is_unsigned = same_sign && U(t);
    ir_ref v = is_scalar(t) ? v_lane0(t, wide, n_of(t)) : n_of(t);
    v = t->word >> 11 & 1 ? v_rounding_shift_right(t, wide, is_unsigned, amount, v)
                          : b_vimm(t->b, is_unsigned ? IR_VSHR : IR_VSAR, wide, amount, v, IR_NONE);
    ir_ref r = b_v1(t->b, !same_sign ? IR_VQXTUN : is_unsigned ? IR_VQXTNU : IR_VQXTNS, wide, v);
    put_qc(t, b_v2(t->b, IR_VXOR, 0, v, v_extend(t, lane, U(t), r)));
    put_v(t, Rd(t), v_narrowed(t, r));
}

/* SSHLL, USHLL; by 0 they are SXTL, UXTL. */
void a64_vec_shift_left_long(struct a64_translate *t)
{
    unsigned lane = shift_lane(t), amount = left_amount(t);
    ir_ref r = v_extend(t, lane, U(t), v_half(t, n_of(t)));
    put_v(t, Rd(t), amount ? b_vimm(t->b, IR_VSHL, lane * 2, amount, r, IR_NONE) : r);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* AdvSIMD three different, and its by-element forms (Arm ARM DDI 0487, C4.1.95: asimddiff, asisddiff, asimdelem,
   asisdelem). */
#include "frontend/a64/simd.h"

static ir_ref n_half(struct a64_translate *t)
{
    return v_half(t, get_v(t, Rn(t)));
}
static ir_ref m_half(struct a64_translate *t)
{
    return v_half(t, get_v(t, Rm(t)));
}
static bool is_subtract(const struct a64_translate *t)
{
    return t->word >> 13 & 1;
}

/* SADDL, UADDL, SSUBL, USUBL */
void a64_vec_add_long(struct a64_translate *t)
{
    unsigned lane = lane_bytes(t);
    put_v(t, Rd(t),
          b_v2(t->b, is_subtract(t) ? IR_VSUB : IR_VADD, lane * 2, v_extend(t, lane, U(t), n_half(t)),
               v_extend(t, lane, U(t), m_half(t))));
}

void a64_vec_add_wide(struct a64_translate *t)
{
    unsigned lane = lane_bytes(t);
    put_v(
        t, Rd(t),
        b_v2(t->b, is_subtract(t) ? IR_VSUB : IR_VADD, lane * 2, get_v(t, Rn(t)), v_extend(t, lane, U(t), m_half(t))));
}

/* ADDHN, SUBHN, and with U rounded: the sum's upper half. */
void a64_vec_add_high_narrow(struct a64_translate *t)
{
    unsigned lane = lane_bytes(t), wide = lane * 2;
    ir_ref r = b_v2(t->b, is_subtract(t) ? IR_VSUB : IR_VADD, wide, get_v(t, Rn(t)), get_v(t, Rm(t)));
    if (U(t))
        r = b_v2(t->b, IR_VADD, wide, r, v_splat(t, wide, UINT64_C(1) << (lane * 8 - 1)));
    r = b_v1(t->b, IR_VXTN, wide, b_vimm(t->b, IR_VSHR, wide, lane * 8, r, IR_NONE));
    put_v(t, Rd(t), v_narrowed(t, r));
}

/* SABDL, UABDL; SABAL, UABAL accumulate: bit 13 clear. */
void a64_vec_absolute_difference_long(struct a64_translate *t)
{
    unsigned lane = lane_bytes(t);
    /* The difference of two lanes fits the lane as an unsigned number, so it is taken before it is widened. */
    ir_ref r = v_extend(t, lane, true, v_abd(t, lane, U(t), n_half(t), m_half(t)));
    if (!(t->word >> 13 & 1))
        r = b_v2(t->b, IR_VADD, lane * 2, get_v(t, Rd(t)), r);
    put_v(t, Rd(t), r);
}

/* bits 15:14 of these: 10 accumulates by bit 13 (three different), 11 not; by element they are 00, 01 and 10. */
static void multiply_long(struct a64_translate *t, ir_ref m, bool accumulate, bool subtract)
{
    unsigned lane = lane_bytes(t);
    ir_ref r = b_v2(t->b, U(t) ? IR_VMULLU : IR_VMULLS, lane, n_half(t), m);
    if (accumulate)
        r = b_v2(t->b, subtract ? IR_VSUB : IR_VADD, lane * 2, get_v(t, Rd(t)), r);
    put_v(t, Rd(t), r);
}

/* SMLAL 1000, SMLSL 1010, SMULL 1100 */
void a64_vec_multiply_long(struct a64_translate *t)
{
    multiply_long(t, m_half(t), !(t->word >> 14 & 1), is_subtract(t));
}

/* SMLAL 0010, SMLSL 0110, SMULL 1010 */
void a64_vec_multiply_long_element(struct a64_translate *t)
{
    multiply_long(t, get_element(t, lane_bytes(t)), !(t->word >> 15 & 1), t->word >> 14 & 1);
}

/* Twice the product, saturated; then the sum, saturated again: QC comes from either (C7.2.297). */
static void doubling_multiply_long(struct a64_translate *t, ir_ref m, bool accumulate, bool subtract)
{
    unsigned lane = lane_bytes(t), wide = lane * 2;
    /* The scalar form's other products are dropped, and must not saturate. */
    ir_ref n = is_scalar(t) ? v_lane0(t, lane, n_half(t)) : n_half(t);
    ir_ref product = b_v2(t->b, IR_VMULLS, lane, n, m);
    ir_ref result = b_v2(t->b, IR_VQADDS, wide, product, product);
    put_qc(t, b_v2(t->b, IR_VXOR, 0, result, b_vimm(t->b, IR_VSHL, wide, 1, product, IR_NONE)));
    if (accumulate) {
        ir_ref d = is_scalar(t) ? v_lane0(t, wide, get_v(t, Rd(t))) : get_v(t, Rd(t));
        ir_ref wrapped = b_v2(t->b, subtract ? IR_VSUB : IR_VADD, wide, d, result);
        result = b_v2(t->b, subtract ? IR_VQSUBS : IR_VQADDS, wide, d, result);
        put_qc(t, b_v2(t->b, IR_VXOR, 0, result, wrapped));
    }
    put_v(t, Rd(t), result);
}

/* SQDMLAL 1001, SQDMLSL 1011, SQDMULL 1101 */
void a64_vec_doubling_multiply_long(struct a64_translate *t)
{
    doubling_multiply_long(t, m_half(t), !(t->word >> 14 & 1), is_subtract(t));
}

/* SQDMLAL 0011, SQDMLSL 0111, SQDMULL 1011 */
void a64_vec_doubling_multiply_long_element(struct a64_translate *t)
{
    doubling_multiply_long(t, get_element(t, lane_bytes(t)), !(t->word >> 15 & 1), t->word >> 14 & 1);
}

/*
 * Two bytes' products by one carry-less multiplication: with the factors in halves 0, 1 of a and 0, 2 of b the product
 * of the first ones is half 0, of the second ones half 3, and the cross products are halves 1 and 2.
 */
ir_ref v_multiply_poly(struct a64_translate *t, ir_ref n, ir_ref m)
{
    ir_ref r[2];
    for (unsigned i = 0; i < 2; i++) {
        uint64_t first = 4 * i, none = 0xff;
        uint64_t by_1 = UINT64_C(0xffffffff) << 32 | none << 24 | (first + 1) << 16 | none << 8 | first;
        uint64_t by_2 = UINT64_C(0xffffff) << 40 | (first + 1) << 32 | UINT64_C(0xffffff) << 8 | first;
        ir_ref a = b_v2(t->b, IR_VTBL, 1, n, builder_vconst(t->b, by_1, by_1 + 0x00020002));
        ir_ref b = b_v2(t->b, IR_VTBL, 1, m, builder_vconst(t->b, by_2, by_2 + UINT64_C(0x0000000200000002)));
        ir_ref four = v_join(t, b_vimm(t->b, IR_VCLMUL, 8, 0, a, b), b_vimm(t->b, IR_VCLMUL, 8, 3, a, b));
        uint64_t picked = UINT64_C(0x0f0e090807060100);
        r[i] = b_v2(t->b, IR_VTBL, 1, four,
                    builder_vconst(t->b, i ? UINT64_MAX : picked, i ? picked : UINT64_MAX));
    }
    return b_v2(t->b, IR_VOR, 0, r[0], r[1]);
}

void a64_PMULL_bytes(struct a64_translate *t)
{
    put_v(t, Rd(t), v_multiply_poly(t, n_half(t), m_half(t)));
}

void a64_PMULL_doublewords(struct a64_translate *t)
{
    put_v(t, Rd(t), b_vimm(t->b, IR_VCLMUL, 8, Q(t) ? 3 : 0, get_v(t, Rn(t)), get_v(t, Rm(t))));
}

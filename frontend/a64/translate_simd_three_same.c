/* SPDX-License-Identifier: GPL-2.0-or-later */
/* AdvSIMD three same, integer (Arm ARM DDI 0487, C4.1.95: asimdsame, asisdsame, asimdsame2, asisdsame2). */
#include "frontend/a64/fp_emit.h"

static ir_ref n_of(struct a64_translate *t)
{
    return get_v(t, Rn(t));
}
static ir_ref m_of(struct a64_translate *t)
{
    return get_v(t, Rm(t));
}
/* Bits 15:11. */
static unsigned opcode5(const struct a64_translate *t)
{
    return t->word >> 11 & 31;
}

/* a + b = 2 * (a & b) + (a ^ b), so the halves need no wider lanes; likewise below. */
void a64_vec_halving_add(struct a64_translate *t)
{
    unsigned lane = lane_bytes(t);
    ir_ref carry = b_v2(t->b, IR_VAND, 0, n_of(t), m_of(t)), sum = b_v2(t->b, IR_VXOR, 0, n_of(t), m_of(t));
    put_lanes(t, lane, b_v2(t->b, IR_VADD, lane, carry, b_vimm(t->b, U(t) ? IR_VSHR : IR_VSAR, lane, 1, sum, IR_NONE)));
}

void a64_vec_rounding_halving_add(struct a64_translate *t)
{
    unsigned lane = lane_bytes(t);
    ir_ref r;
    if (U(t) && lane <= 2) {
        r = b_v2(t->b, IR_VAVGU, lane, n_of(t), m_of(t));
    } else {
        ir_ref any = b_v2(t->b, IR_VOR, 0, n_of(t), m_of(t)), one = b_v2(t->b, IR_VXOR, 0, n_of(t), m_of(t));
        r = b_v2(t->b, IR_VSUB, lane, any, b_vimm(t->b, U(t) ? IR_VSHR : IR_VSAR, lane, 1, one, IR_NONE));
    }
    put_lanes(t, lane, r);
}

void a64_vec_halving_subtract(struct a64_translate *t)
{
    unsigned lane = lane_bytes(t);
    ir_ref borrow = b_v2(t->b, IR_VANDN, 0, m_of(t), n_of(t)), difference = b_v2(t->b, IR_VXOR, 0, n_of(t), m_of(t));
    ir_ref half = b_vimm(t->b, U(t) ? IR_VSHR : IR_VSAR, lane, 1, difference, IR_NONE);
    put_lanes(t, lane, b_v2(t->b, IR_VSUB, lane, half, borrow));
}

void a64_vec_saturating_add(struct a64_translate *t)
{
    unsigned lane = lane_bytes(t);
    put_saturated(t, lane, b_v2(t->b, U(t) ? IR_VQADDU : IR_VQADDS, lane, n_of(t), m_of(t)),
                  b_v2(t->b, IR_VADD, lane, n_of(t), m_of(t)));
}

void a64_vec_saturating_subtract(struct a64_translate *t)
{
    unsigned lane = lane_bytes(t);
    put_saturated(t, lane, b_v2(t->b, U(t) ? IR_VQSUBU : IR_VQSUBS, lane, n_of(t), m_of(t)),
                  b_v2(t->b, IR_VSUB, lane, n_of(t), m_of(t)));
}

/* AND, BIC, ORR, ORN by size, EOR with U. */
void a64_vec_logical(struct a64_translate *t)
{
    ir_ref n = n_of(t), m = m_of(t), r;
    if (U(t))
        r = b_v2(t->b, IR_VXOR, 0, n, m);
    else if (size(t) == 0)
        r = b_v2(t->b, IR_VAND, 0, n, m);
    else if (size(t) == 1)
        r = b_v2(t->b, IR_VANDN, 0, n, m);
    else if (size(t) == 2)
        r = Rn(t) == Rm(t) ? n : b_v2(t->b, IR_VOR, 0, n, m); /* MOV */
    else
        r = b_v2(t->b, IR_VOR, 0, n, v_not(t, m));
    put_lanes(t, 1, r);
}

/* BSL, BIT, BIF: what selects is Vd, Vm, or its complement. */
void a64_vec_bit_select(struct a64_translate *t)
{
    ir_ref n = n_of(t), m = m_of(t), d = get_v(t, Rd(t)), r;
    if (size(t) == 1)
        r = b_v3(t->b, IR_VBSL, 0, d, n, m);
    else if (size(t) == 2)
        r = b_v3(t->b, IR_VBSL, 0, m, n, d);
    else
        r = b_v3(t->b, IR_VBSL, 0, m, d, n);
    put_lanes(t, 1, r);
}

void a64_vec_compare_greater(struct a64_translate *t)
{
    unsigned lane = lane_bytes(t);
    put_lanes(t, lane, b_v2(t->b, U(t) ? IR_VCMPGTU : IR_VCMPGTS, lane, n_of(t), m_of(t)));
}

void a64_vec_compare_greater_equal(struct a64_translate *t)
{
    unsigned lane = lane_bytes(t);
    ir_ref r;
    if (lane < 8) /* n >= m: the greater of both is n */
        r = b_v2(t->b, IR_VCMPEQ, lane, b_v2(t->b, U(t) ? IR_VUMAX : IR_VSMAX, lane, n_of(t), m_of(t)), n_of(t));
    else
        r = v_not(t, b_v2(t->b, U(t) ? IR_VCMPGTU : IR_VCMPGTS, lane, m_of(t), n_of(t)));
    put_lanes(t, lane, r);
}

void a64_vec_compare_equal(struct a64_translate *t)
{
    unsigned lane = lane_bytes(t);
    put_lanes(t, lane, b_v2(t->b, IR_VCMPEQ, lane, n_of(t), m_of(t)));
}

void a64_vec_test_bits(struct a64_translate *t)
{
    unsigned lane = lane_bytes(t);
    ir_ref common = Rn(t) == Rm(t) ? n_of(t) : b_v2(t->b, IR_VAND, 0, n_of(t), m_of(t));
    put_lanes(t, lane, v_not(t, b_v2(t->b, IR_VCMPEQ, lane, common, v_zero(t))));
}

void a64_vec_shift_register(struct a64_translate *t)
{
    unsigned lane = lane_bytes(t);
    put_lanes(t, lane, b_v2(t->b, U(t) ? IR_VSHLU : IR_VSHLS, lane, n_of(t), m_of(t)));
}

/* Ones in the lanes whose low byte, by which they are shifted, is negative: those shifted right. */
static ir_ref shifted_right(struct a64_translate *t, unsigned lane, ir_ref m)
{
    return b_vimm(t->b, IR_VSAR, lane, lane * 8 - 1, b_vimm(t->b, IR_VSHL, lane, lane * 8 - 8, m, IR_NONE), IR_NONE);
}

/* n << m, rounded where m is negative: there w = n >> (-m - 1) has one bit too many, and (w >> 1) + (w & 1) is
   w - (w >> 1). */
static ir_ref shift_rounding(struct a64_translate *t, unsigned lane, ir_ref n, ir_ref m, ir_ref right)
{
    ir_ref w = b_v2(t->b, U(t) ? IR_VSHLU : IR_VSHLS, lane, n, b_v2(t->b, IR_VSUB, lane, m, right));
    ir_ref half = b_vimm(t->b, U(t) ? IR_VSHR : IR_VSAR, lane, 1, w, IR_NONE);
    return b_v2(t->b, IR_VSUB, lane, w, b_v2(t->b, IR_VAND, 0, half, right));
}

void a64_vec_rounding_shift_register(struct a64_translate *t)
{
    unsigned lane = lane_bytes(t);
    put_lanes(t, lane, shift_rounding(t, lane, n_of(t), m_of(t), shifted_right(t, lane, m_of(t))));
}

/* SQSHL, UQSHL, and with bit 12 SQRSHL, UQRSHL. What does not come back when it is shifted back to the right was too
   much; shifts to the right always fit. */
void a64_vec_saturating_shift_register(struct a64_translate *t)
{
    unsigned lane = lane_bytes(t);
    bool round = t->word >> 12 & 1;
    enum ir_op shift = U(t) ? IR_VSHLU : IR_VSHLS;
    ir_ref n = n_of(t), m = m_of(t), right = shifted_right(t, lane, m);
    ir_ref r = round ? shift_rounding(t, lane, n, m, right) : b_v2(t->b, shift, lane, n, m);
    ir_ref back = b_v2(t->b, shift, lane, r, b_v1(t->b, IR_VNEG, lane, m));
    ir_ref fits = b_v2(t->b, IR_VOR, 0, b_v2(t->b, IR_VCMPEQ, lane, back, n), right);
    put_with_qc(t, lane, v_limited(t, lane, U(t), fits, r, n), v_not(t, fits));
}

static enum ir_op max_min(const struct a64_translate *t)
{
    bool min = t->word >> 11 & 1;
    return U(t) ? (min ? IR_VUMIN : IR_VUMAX) : (min ? IR_VSMIN : IR_VSMAX);
}

void a64_vec_max_min(struct a64_translate *t)
{
    unsigned lane = lane_bytes(t);
    put_lanes(t, lane, b_v2(t->b, max_min(t), lane, n_of(t), m_of(t)));
}

void a64_vec_max_min_pairwise(struct a64_translate *t)
{
    unsigned lane = lane_bytes(t);
    ir_ref even, odd;
    v_pairs(t, lane, n_of(t), m_of(t), &even, &odd);
    put_lanes(t, lane, b_v2(t->b, max_min(t), lane, even, odd));
}

void a64_vec_add_pairwise(struct a64_translate *t)
{
    unsigned lane = lane_bytes(t);
    ir_ref n = n_of(t), m = m_of(t);
    if (!Q(t))
        n = m = v_join(t, n, m);
    put_lanes(t, lane, b_v2(t->b, IR_VADDP, lane, n, m));
}

void a64_vec_absolute_difference(struct a64_translate *t)
{
    unsigned lane = lane_bytes(t);
    put_lanes(t, lane, v_abd(t, lane, U(t), n_of(t), m_of(t)));
}

void a64_vec_absolute_difference_accumulate(struct a64_translate *t)
{
    unsigned lane = lane_bytes(t);
    put_lanes(t, lane, b_v2(t->b, IR_VADD, lane, get_v(t, Rd(t)), v_abd(t, lane, U(t), n_of(t), m_of(t))));
}

void a64_vec_add_subtract(struct a64_translate *t)
{
    unsigned lane = lane_bytes(t);
    put_lanes(t, lane, b_v2(t->b, U(t) ? IR_VSUB : IR_VADD, lane, n_of(t), m_of(t)));
}

void a64_vec_multiply(struct a64_translate *t)
{
    unsigned lane = lane_bytes(t);
    put_lanes(t, lane, b_v2(t->b, IR_VMUL, lane, n_of(t), m_of(t)));
}

/* MLA, MLS */
void a64_vec_multiply_accumulate(struct a64_translate *t)
{
    unsigned lane = lane_bytes(t);
    ir_ref product = b_v2(t->b, IR_VMUL, lane, n_of(t), m_of(t));
    put_lanes(t, lane, b_v2(t->b, U(t) ? IR_VSUB : IR_VADD, lane, get_v(t, Rd(t)), product));
}

/* Low bytes of the products that PMULL gives. */
void a64_PMUL(struct a64_translate *t)
{
    ir_ref n = n_of(t), m = m_of(t), low = v_multiply_poly(t, n, m);
    ir_ref high = Q(t) ? v_multiply_poly(t, v_high(t, n), v_high(t, m)) : low;
    put_lanes(t, 1, b_v2(t->b, IR_VUZP1, 1, low, high));
}

/* The lanes of a doubled product's high half where both factors were the minimum: only there it is the minimum, for its
   right value, one more than the maximum, has no room. */
static ir_ref product_overflows(struct a64_translate *t, unsigned lane, ir_ref product)
{
    return b_v2(t->b, IR_VCMPEQ, lane, product, v_splat(t, lane, UINT64_C(1) << (lane * 8 - 1)));
}

static void multiply_high(struct a64_translate *t, ir_ref n, ir_ref m, bool round)
{
    unsigned lane = lane_bytes(t);
    ir_ref r = b_vimm(t->b, IR_VDMULH, lane, round, n, m), overflow = product_overflows(t, lane, r);
    put_with_qc(t, lane, b_v2(t->b, IR_VXOR, 0, r, overflow), overflow);
}

/* Vd plus or minus the rounded high half, saturated once (C7.2.301). Where that half overflows, the maximum is added
   (subtracted), then one more: for Vd on the side where it matters the first step does not saturate. */
static void multiply_high_accumulate(struct a64_translate *t, ir_ref n, ir_ref m, bool subtract)
{
    unsigned lane = lane_bytes(t);
    ir_ref d = get_v(t, Rd(t)), product = b_vimm(t->b, IR_VDMULH, lane, subtract ? 2 : 1, n, m);
    ir_ref overflow = product_overflows(t, lane, product), limited = b_v2(t->b, IR_VXOR, 0, product, overflow);
    ir_ref r = b_v2(t->b, subtract ? IR_VQSUBS : IR_VQADDS, lane, d, limited);
    r = b_v2(t->b, subtract ? IR_VQADDS : IR_VQSUBS, lane, r, overflow);
    put_saturated(t, lane, r, b_v2(t->b, subtract ? IR_VSUB : IR_VADD, lane, d, product));
}

/* SQDMULH, SQRDMULH */
void a64_vec_doubling_multiply_high(struct a64_translate *t)
{
    multiply_high(t, n_of(t), m_of(t), U(t));
}

void a64_vec_doubling_multiply_high_element(struct a64_translate *t)
{
    multiply_high(t, n_of(t), get_element(t, lane_bytes(t)), t->word >> 12 & 1);
}

/* SQRDMLAH, SQRDMLSH */
void a64_vec_rounding_doubling_accumulate(struct a64_translate *t)
{
    multiply_high_accumulate(t, n_of(t), m_of(t), opcode5(t) & 1);
}

void a64_vec_rounding_doubling_accumulate_element(struct a64_translate *t)
{
    multiply_high_accumulate(t, n_of(t), get_element(t, lane_bytes(t)), t->word >> 13 & 1);
}

/* ---- dot products of bytes: even and odd ones apart, as halves --------------------------------------------------- */

struct widened {
    ir_ref even, odd;
};

static struct widened widen_bytes(struct a64_translate *t, bool is_unsigned, ir_ref v)
{
    ir_ref odd = b_vimm(t->b, is_unsigned ? IR_VSHR : IR_VSAR, 2, 8, v, IR_NONE);
    if (is_unsigned)
        return (struct widened){b_v2(t->b, IR_VAND, 0, v, v_splat(t, 2, 0xff)), odd};
    return (struct widened){b_vimm(t->b, IR_VSAR, 2, 8, b_vimm(t->b, IR_VSHL, 2, 8, v, IR_NONE), IR_NONE), odd};
}

static ir_ref dot_bytes(struct a64_translate *t, struct widened n, struct widened m)
{
    return b_v2(t->b, IR_VADD, 4, b_v2(t->b, IR_VDOT2, 2, n.even, m.even), b_v2(t->b, IR_VDOT2, 2, n.odd, m.odd));
}

static void dot_product(struct a64_translate *t, bool n_unsigned, struct widened m)
{
    ir_ref r = dot_bytes(t, widen_bytes(t, n_unsigned, n_of(t)), m);
    put_lanes(t, 4, b_v2(t->b, IR_VADD, 4, get_v(t, Rd(t)), r));
}

/* SDOT, UDOT; USDOT has bit 11 set. */
void a64_vec_dot_product(struct a64_translate *t)
{
    bool mixed = t->word >> 11 & 1;
    dot_product(t, mixed || U(t), widen_bytes(t, !mixed && U(t), m_of(t)));
}

/* SDOT, UDOT; bit 12: USDOT (size 10), SUDOT (size 00). Widened as a whole, because the other elements of Vm are mostly
   used next. */
void a64_vec_dot_product_element(struct a64_translate *t)
{
    bool mixed = t->word >> 12 & 1;
    struct widened m = widen_bytes(t, mixed ? size(t) == 0 : U(t), m_of(t));
    m.even = b_vimm(t->b, IR_VDUPLANE, 4, element_index(t, 4), m.even, IR_NONE);
    m.odd = b_vimm(t->b, IR_VDUPLANE, 4, element_index(t, 4), m.odd, IR_NONE);
    dot_product(t, mixed ? size(t) == 2 : U(t), m);
}

/* SMMLA, UMMLA, USMMLA: rows n0, n1 by columns m0, m1, all of eight bytes, into n0m0, n0m1, n1m0, n1m1. Each product
   comes in two parts, which VADDP joins: n0m0, n1m1, n0m1, n1m0. */
void a64_vec_matrix_multiply(struct a64_translate *t)
{
    bool mixed = t->word >> 11 & 1, m_unsigned = !mixed && U(t);
    struct widened n = widen_bytes(t, mixed || U(t), n_of(t)), m = widen_bytes(t, m_unsigned, m_of(t));
    struct widened exchanged = {b_vimm(t->b, IR_VEXT, 0, 8, m.even, m.even), b_vimm(t->b, IR_VEXT, 0, 8, m.odd, m.odd)};
    ir_ref r = b_v2(t->b, IR_VADDP, 4, dot_bytes(t, n, m), dot_bytes(t, n, exchanged));
    r = b_vimm(t->b, IR_VSHUF, 4, 0 | 2 << 2 | 3 << 4 | 1 << 6, r, r);
    put_v(t, Rd(t), b_v2(t->b, IR_VADD, 4, get_v(t, Rd(t)), r));
}

/* MUL, MLA, MLS by element; bits 15:12 are 1000, 0000, 0100. */
void a64_vec_multiply_element(struct a64_translate *t)
{
    unsigned lane = lane_bytes(t);
    ir_ref r = b_v2(t->b, IR_VMUL, lane, n_of(t), get_element(t, lane));
    if (U(t))
        r = b_v2(t->b, t->word >> 14 & 1 ? IR_VSUB : IR_VADD, lane, get_v(t, Rd(t)), r);
    put_lanes(t, lane, r);
}

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

void a64_vec_rounding_shift_register(struct a64_translate *t)
{
    unsigned lane = lane_bytes(t);
    ir_ref code = SIMD_CODE(t, lane | SIMD_ROUND | (U(t) ? SIMD_UNSIGNED : 0));
    put_lanes(t, lane, CALL_HELPER(t, shift, n_of(t), m_of(t), code));
}

/* SQSHL, UQSHL, and with bit 12 SQRSHL, UQRSHL. */
void a64_vec_saturating_shift_register(struct a64_translate *t)
{
    unsigned lane = lane_bytes(t);
    bool round = t->word >> 12 & 1;
    ir_ref code = SIMD_CODE(t, lane | SIMD_SATURATE | (round ? SIMD_ROUND : 0) | (U(t) ? SIMD_UNSIGNED : 0));
    ir_ref n = n_of(t), m = m_of(t);
    put_with_qc(t, lane, CALL_HELPER(t, shift, n, m, code), CALL_HELPER(t, shift_qc, n, m, code));
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

void a64_PMUL(struct a64_translate *t)
{
    put_lanes(t, 1, CALL_HELPER(t, multiply_poly, n_of(t), m_of(t)));
}

/* The operation of SQDMULH and its relations on lanes; `accumulate`: SIMD_ACCUMULATE, SIMD_SUBTRACT or 0. */
static void multiply_high(struct a64_translate *t, ir_ref n, ir_ref m, bool round, unsigned accumulate)
{
    unsigned lane = lane_bytes(t);
    ir_ref code = SIMD_CODE(t, lane | (round ? SIMD_ROUND : 0) | accumulate);
    ir_ref d = accumulate ? get_v(t, Rd(t)) : v_zero(t);
    put_with_qc(t, lane, CALL_HELPER(t, multiply_high, d, n, m, code), CALL_HELPER(t, multiply_high_qc, d, n, m, code));
}

/* SQDMULH, SQRDMULH */
void a64_vec_doubling_multiply_high(struct a64_translate *t)
{
    multiply_high(t, n_of(t), m_of(t), U(t), 0);
}

void a64_vec_doubling_multiply_high_element(struct a64_translate *t)
{
    multiply_high(t, n_of(t), get_element(t, lane_bytes(t)), t->word >> 12 & 1, 0);
}

/* SQRDMLAH, SQRDMLSH */
void a64_vec_rounding_doubling_accumulate(struct a64_translate *t)
{
    multiply_high(t, n_of(t), m_of(t), true, opcode5(t) & 1 ? SIMD_SUBTRACT : SIMD_ACCUMULATE);
}

void a64_vec_rounding_doubling_accumulate_element(struct a64_translate *t)
{
    multiply_high(t, n_of(t), get_element(t, lane_bytes(t)), true, t->word >> 13 & 1 ? SIMD_SUBTRACT : SIMD_ACCUMULATE);
}

static void dot_product(struct a64_translate *t, ir_ref m, bool n_unsigned, bool m_unsigned)
{
    ir_ref code = SIMD_CODE(t, (n_unsigned ? SIMD_UNSIGNED : 0) | (m_unsigned ? SIMD_UNSIGNED_B : 0));
    put_lanes(t, 4, CALL_HELPER(t, dot, get_v(t, Rd(t)), n_of(t), m, code));
}

/* SDOT, UDOT; USDOT has bit 11 set. */
void a64_vec_dot_product(struct a64_translate *t)
{
    bool mixed = t->word >> 11 & 1;
    dot_product(t, m_of(t), mixed || U(t), !mixed && U(t));
}

/* SDOT, UDOT; bit 12: USDOT (size 10), SUDOT (size 00). */
void a64_vec_dot_product_element(struct a64_translate *t)
{
    bool mixed = t->word >> 12 & 1;
    dot_product(t, get_element(t, 4), mixed ? size(t) == 2 : U(t), mixed ? size(t) == 0 : U(t));
}

/* SMMLA, UMMLA, USMMLA */
void a64_vec_matrix_multiply(struct a64_translate *t)
{
    bool mixed = t->word >> 11 & 1;
    ir_ref code = SIMD_CODE(t, (mixed || U(t) ? SIMD_UNSIGNED : 0) | (!mixed && U(t) ? SIMD_UNSIGNED_B : 0));
    put_v(t, Rd(t), CALL_HELPER(t, matrix, get_v(t, Rd(t)), n_of(t), m_of(t), code));
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

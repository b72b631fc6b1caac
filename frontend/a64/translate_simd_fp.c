/* SPDX-License-Identifier: GPL-2.0-or-later */
/* AdvSIMD floating point, vector and scalar forms, with half precision (Arm ARM DDI 0487, C4.1.95: the floating-point
   rows of asimdsame, asimdmisc, asimdall, asisdpair, asimdelem, asimdshf and their scalar and FP16 classes). */
#include "frontend/a64/fp_emit.h"

static ir_ref n_of(struct a64_translate *t)
{
    return get_v(t, Rn(t));
}
static ir_ref m_of(struct a64_translate *t)
{
    return get_v(t, Rm(t));
}

/* Operation of the three-same rows by the low three bits of their opcode, a and U; -1 where another function has the
   row. */
static enum fp_op three_same_op(const struct a64_translate *t)
{
    static const int8_t ops[8][2][2] = {
        /* [opcode<2:0>][a][U] */
        {{FP_MAXNM, FP_MAXNM}, {FP_MINNM, FP_MINNM}}, {{-1, -1}, {-1, -1}},
        {{FP_ADD, FP_ADD}, {FP_SUB, FP_SUB}},         {{FP_MULX, FP_MUL}, {-1, -1}},
        {{FP_CMEQ, FP_CMGE}, {-1, FP_CMGT}},          {{-1, FP_CMGE}, {-1, FP_CMGT}},
        {{FP_MAX, FP_MAX}, {FP_MIN, FP_MIN}},         {{FP_RECPS, FP_DIV}, {FP_RSQRTS, -1}},
    };
    return (enum fp_op)ops[t->word >> 11 & 7][a(t)][U(t)];
}

void a64_vec_fp_two(struct a64_translate *t)
{
    unsigned size = vec_fp_size(t);
    put_lanes(t, size, fp_two(t, three_same_op(t), size, n_of(t), m_of(t)));
}

void a64_vec_fp_pairwise(struct a64_translate *t)
{
    unsigned size = vec_fp_size(t);
    ir_ref even, odd;
    v_pairs(t, size, n_of(t), m_of(t), &even, &odd);
    put_lanes(t, size, fp_two(t, three_same_op(t), size, even, odd));
}

void a64_vec_fp_abd(struct a64_translate *t)
{
    unsigned size = vec_fp_size(t);
    put_lanes(t, size, fp_abs(t, size, fp_two(t, FP_SUB, size, n_of(t), m_of(t))));
}

void a64_vec_fp_compare(struct a64_translate *t)
{
    unsigned size = vec_fp_size(t);
    put_lanes(t, size, fp_two(t, three_same_op(t), size, n_of(t), m_of(t)));
}

void a64_vec_fp_absolute_compare(struct a64_translate *t)
{
    unsigned size = vec_fp_size(t);
    put_lanes(t, size, fp_two(t, three_same_op(t), size, fp_abs(t, size, n_of(t)), fp_abs(t, size, m_of(t))));
}

/* FMLA, FMLS */
static void fused_multiply_add(struct a64_translate *t, ir_ref m, bool subtract)
{
    unsigned size = vec_fp_size(t);
    ir_ref n = subtract ? fp_neg(t, size, n_of(t)) : n_of(t);
    put_lanes(t, size, fp_muladd(t, size, get_v(t, Rd(t)), n, m));
}

void a64_vec_fp_fma(struct a64_translate *t)
{
    fused_multiply_add(t, m_of(t), a(t));
}
void a64_vec_fp_fma_element(struct a64_translate *t)
{
    fused_multiply_add(t, get_element(t, vec_fp_size(t)), t->word >> 14 & 1);
}

/* FMUL, FMULX (U) */
void a64_vec_fp_multiply_element(struct a64_translate *t)
{
    unsigned size = vec_fp_size(t);
    put_lanes(t, size, fp_two(t, U(t) ? FP_MULX : FP_MUL, size, n_of(t), get_element(t, size)));
}

/* FMLAL, FMLSL: half-precision factors from the lower half of the form's width, or from the upper one (FMLAL2). */
static void fused_multiply_add_long(struct a64_translate *t, ir_ref m, bool upper, bool subtract)
{
    ir_ref n = n_of(t);
    if (upper)
        n = b_vimm(t->b, IR_VEXT, 0, Q(t) ? 8 : 4, n, n);
    if (subtract)
        n = fp_neg(t, 2, n);
    put_lanes(t, 4, fp_muladd_long(t, get_v(t, Rd(t)), n, m));
}

void a64_vec_fp_fma_long(struct a64_translate *t)
{
    ir_ref m = U(t) ? b_vimm(t->b, IR_VEXT, 0, Q(t) ? 8 : 4, m_of(t), m_of(t)) : m_of(t);
    fused_multiply_add_long(t, m, U(t), a(t));
}

void a64_vec_fp_fma_long_element(struct a64_translate *t)
{
    fused_multiply_add_long(t, get_element(t, 2), U(t), t->word >> 14 & 1);
}

/* ---- complex numbers (FEAT_FCMA) --------------------------------------------------------------------------------- */

/* Real and imaginary parts, even and odd lanes, exchanged. */
static ir_ref v_exchanged(struct a64_translate *t, unsigned size, ir_ref v)
{
    if (size == 8)
        return b_vimm(t->b, IR_VEXT, 0, 8, v, v);
    return builder_op(t->b, IR_VREV, IR_V128, size, size * 2, 0, v, IR_NONE, IR_NONE, IR_NONE);
}

/* Signs flipped in even or odd lanes, or both. */
static ir_ref v_negated(struct a64_translate *t, unsigned size, bool even, bool odd, ir_ref v)
{
    if (!even && !odd)
        return v;
    uint64_t sign = UINT64_C(1) << (size * 8 - 1), low = even ? sign : 0, high = odd ? sign : 0;
    if (size < 8) {
        low |= high << size * 8;
        low |= size == 2 ? low << 32 : 0;
        high = low;
    }
    return b_v2(t->b, IR_VXOR, 0, v, builder_vconst(t->b, low, high));
}

/* A quarter of each complex product is accumulated: n's real or imaginary part, by bit 0 of the rotation, times both
   parts of m. */
static void complex_multiply_add(struct a64_translate *t, ir_ref m, unsigned rotation)
{
    unsigned size = lane_bytes(t);
    bool odd = rotation & 1;
    ir_ref n = b_v2(t->b, odd ? IR_VTRN2 : IR_VTRN1, size, n_of(t), n_of(t));
    m = v_negated(t, size, rotation == 1 || rotation == 2, rotation >= 2, odd ? v_exchanged(t, size, m) : m);
    put_lanes(t, size, fp_muladd(t, size, get_v(t, Rd(t)), n, m));
}

void a64_FCMLA(struct a64_translate *t)
{
    complex_multiply_add(t, m_of(t), rot(t));
}

/* The element is a pair of lanes: index H:L for half precision, H for single. */
void a64_FCMLA_element(struct a64_translate *t)
{
    unsigned size = lane_bytes(t), index = size == 2 ? H(t) << 1 | L(t) : H(t);
    complex_multiply_add(t, b_vimm(t->b, IR_VDUPLANE, size * 2, index, m_of(t), IR_NONE), rot_elem(t));
}

/* Adds m turned by 90 or 270 degrees. */
void a64_FCADD(struct a64_translate *t)
{
    unsigned size = lane_bytes(t);
    bool by_90 = rot_add(t) == 0;
    ir_ref m = v_negated(t, size, by_90, !by_90, v_exchanged(t, size, m_of(t)));
    put_lanes(t, size, fp_two(t, FP_ADD, size, n_of(t), m));
}

/* ---- two-register miscellaneous ---------------------------------------------------------------------------------- */

/* FRINTN, M (a = 0), P, Z (a = 1); with U: A, X, and I. */
void a64_vec_fp_round(struct a64_translate *t)
{
    static const uint8_t modes[2][2][2] = {
        /* [U][a][bit 12] */
        {{IR_ROUND_NEAREST, IR_ROUND_DOWN}, {IR_ROUND_UP, IR_ROUND_ZERO}},
        {{IR_ROUND_AWAY, IR_ROUND_CURRENT | IR_ROUND_INEXACT}, {IR_ROUND_CURRENT, IR_ROUND_CURRENT}},
    };
    unsigned size = vec_fp_size(t);
    put_lanes(t, size, fp_integral(t, size, n_of(t), modes[U(t)][a(t)][t->word >> 12 & 1]));
}

/* FRINT32Z, 32X (U); FRINT64Z, 64X with bit 12. */
void a64_vec_fp_round_n(struct a64_translate *t)
{
    unsigned size = vec_fp_size(t);
    put_lanes(t, size,
              fp_integral_n(t, size, n_of(t), U(t) ? IR_ROUND_CURRENT : IR_ROUND_ZERO, t->word >> 12 & 1 ? 8 : 4));
}

/* FCVTNS, MS (a = 0), PS, ZS (a = 1) by bit 12; FCVTAS has bit 14. */
void a64_vec_fp_to_int(struct a64_translate *t)
{
    static const uint8_t modes[2][2] = {{IR_ROUND_NEAREST, IR_ROUND_DOWN}, {IR_ROUND_UP, IR_ROUND_ZERO}};
    unsigned size = vec_fp_size(t);
    enum ir_round rounding = t->word >> 14 & 1 ? IR_ROUND_AWAY : (enum ir_round)modes[a(t)][t->word >> 12 & 1];
    put_lanes(t, size, fp_lanes_to_fixed(t, size, n_of(t), U(t), 0, rounding));
}

void a64_vec_fp_from_int(struct a64_translate *t)
{
    unsigned size = vec_fp_size(t);
    put_lanes(t, size, fp_lanes_from_fixed(t, size, n_of(t), U(t), 0));
}

/* FRECPE, FRSQRTE */
void a64_vec_fp_estimate(struct a64_translate *t)
{
    unsigned size = vec_fp_size(t);
    put_lanes(t, size, fp_one(t, U(t) ? FP_RSQRTE : FP_RECPE, size, n_of(t)));
}

void a64_FRECPX(struct a64_translate *t)
{
    unsigned size = vec_fp_size(t);
    put_lanes(t, size, fp_one(t, FP_RECPX, size, n_of(t)));
}

/* FCMGT, FCMEQ, FCMLT (U clear; bits 13:12 = 0, 1, 2), FCMGE, FCMLE (U set; 0, 1) with zero. */
void a64_vec_fp_compare_zero(struct a64_translate *t)
{
    unsigned size = vec_fp_size(t);
    ir_ref n = n_of(t), zero = v_zero(t), r;
    switch ((t->word >> 12 & 3) | U(t) << 2) {
    case 0:
        r = fp_two(t, FP_CMGT, size, n, zero);
        break;
    case 1:
        r = fp_two(t, FP_CMEQ, size, n, zero);
        break;
    case 2:
        r = fp_two(t, FP_CMGT, size, zero, n);
        break;
    case 4:
        r = fp_two(t, FP_CMGE, size, n, zero);
        break;
    default:
        r = fp_two(t, FP_CMGE, size, zero, n);
        break;
    }
    put_lanes(t, size, r);
}

void a64_vec_fp_abs_neg(struct a64_translate *t)
{
    unsigned size = vec_fp_size(t);
    put_lanes(t, size, U(t) ? fp_neg(t, size, n_of(t)) : fp_abs(t, size, n_of(t)));
}

void a64_vec_fp_sqrt(struct a64_translate *t)
{
    unsigned size = vec_fp_size(t);
    put_lanes(t, size, fp_one(t, FP_SQRT, size, n_of(t)));
}

/* FCVTL: half to single (sz = 0), single to double. */
void a64_FCVTL(struct a64_translate *t)
{
    unsigned from = 2u << sz(t);
    put_v(t, Rd(t), fp_lanes_convert(t, FP_CONVERT, from * 2, from, 8 / from, v_half(t, n_of(t))));
}

void a64_FCVTN(struct a64_translate *t)
{
    unsigned to = 2u << sz(t);
    put_v(t, Rd(t), v_narrowed(t, fp_lanes_convert(t, FP_CONVERT, to, to * 2, 8 / to, n_of(t))));
}

void a64_FCVTXN(struct a64_translate *t)
{
    put_v(t, Rd(t), v_narrowed(t, fp_lanes_convert(t, FP_CONVERT_ODD, 4, 8, is_scalar(t) ? 1 : 2, n_of(t))));
}

/* ---- across lanes, scalar pairwise ------------------------------------------------------------------------------- */

/* FMAXNMV, FMAXV, FMINNMV, FMINV (bit 23); FMAXNMP …, FADDP: by bits 13:12. */
static enum fp_op across_op(const struct a64_translate *t)
{
    switch (t->word >> 12 & 3) {
    case 0:
        return a(t) ? FP_MINNM : FP_MAXNM;
    case 1:
        return FP_ADD;
    default:
        return a(t) ? FP_MIN : FP_MAX;
    }
}

/* Neighbours first, as the manual's Reduce() does: the order decides between NaNs. */
void a64_vec_fp_across(struct a64_translate *t)
{
    unsigned size = vec_fp_size(t);
    ir_ref v = Q(t) ? n_of(t) : b_vimm(t->b, IR_VDUPLANE, 8, 0, n_of(t), IR_NONE);
    for (unsigned lanes = lane_count(t, size) / 2; lanes; lanes /= 2)
        v = fp_two_lanes(t, across_op(t), size, lanes, b_v2(t->b, IR_VUZP1, size, v, v),
                         b_v2(t->b, IR_VUZP2, size, v, v));
    put_v(t, Rd(t), v_lane0(t, size, v));
}

void a64_vec_fp_pair_scalar(struct a64_translate *t)
{
    unsigned size = vec_fp_size(t);
    put_lanes(t, size, fp_two(t, across_op(t), size, n_of(t), b_vimm(t->b, IR_VDUPLANE, size, 1, n_of(t), IR_NONE)));
}

/* ---- fixed point (shift by immediate) ---------------------------------------------------------------------------- */

static unsigned fixed_size(const struct a64_translate *t)
{
    return immh(t) & 8 ? 8 : immh(t) & 4 ? 4 : 2;
}
static unsigned fixed_fraction(const struct a64_translate *t)
{
    return fixed_size(t) * 16 - (immh(t) << 3 | immb(t));
}

void a64_vec_fp_from_fixed(struct a64_translate *t)
{
    unsigned size = fixed_size(t);
    put_lanes(t, size, fp_lanes_from_fixed(t, size, n_of(t), U(t), fixed_fraction(t)));
}

void a64_vec_fp_to_fixed(struct a64_translate *t)
{
    unsigned size = fixed_size(t);
    put_lanes(t, size, fp_lanes_to_fixed(t, size, n_of(t), U(t), fixed_fraction(t), IR_ROUND_ZERO));
}

/* ---- bfloat16 (FEAT_BF16) ---------------------------------------------------------------------------------------- */

void a64_BFCVTN(struct a64_translate *t)
{
    put_v(t, Rd(t), v_narrowed(t, fp_lanes_convert(t, FP_CONVERT_BF16, 2, 4, 4, n_of(t))));
}

void a64_BFDOT(struct a64_translate *t)
{
    put_lanes(t, 4, CALL_HELPER(t, bf16_dot, get_v(t, Rd(t)), n_of(t), m_of(t)));
}

void a64_BFDOT_element(struct a64_translate *t)
{
    put_lanes(t, 4, CALL_HELPER(t, bf16_dot, get_v(t, Rd(t)), n_of(t), get_element(t, 4)));
}

void a64_BFMMLA(struct a64_translate *t)
{
    put_v(t, Rd(t), CALL_HELPER(t, bf16_matrix, get_v(t, Rd(t)), n_of(t), m_of(t)));
}

/* Even (BFMLALB) or odd (BFMLALT, Q set) bfloat16 lanes as single precision. */
static ir_ref bf16_widened(struct a64_translate *t, ir_ref v)
{
    return Q(t) ? b_v2(t->b, IR_VAND, 0, v, v_splat(t, 4, 0xffff0000)) : b_vimm(t->b, IR_VSHL, 4, 16, v, IR_NONE);
}

/* Both forms write 128 bits, whatever Q: so the accumulation bypasses the lanes of the form. */
static void bf16_multiply_add(struct a64_translate *t, ir_ref m)
{
    ir_ref n = bf16_widened(t, n_of(t)), d = get_v(t, Rd(t));
    struct fp_job job = {.op = FP_MULADD, .size = 4, .other = 4, .lanes = 4};
    put_v(t, Rd(t),
          fp_exact(t) ? CALL_HELPER(t, fp_three, d, n, m, b_i32(t->b, fp_code(&job)))
                      : b_v3(t->b, IR_VFMA, 4, n, m, d));
}

void a64_BFMLAL(struct a64_translate *t)
{
    bf16_multiply_add(t, bf16_widened(t, m_of(t)));
}

/* The element is one bfloat16, index H:L:M. */
void a64_BFMLAL_element(struct a64_translate *t)
{
    bf16_multiply_add(t, b_vimm(t->b, IR_VSHL, 4, 16, get_element(t, 2), IR_NONE));
}

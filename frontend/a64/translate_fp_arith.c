/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Scalar floating-point arithmetic, comparison and moves (Arm ARM DDI 0487, C4.1.96: floatdp1, floatdp2, floatdp3,
   floatcmp, floatccmp, floatsel, floatimm). */
#include "frontend/a64/fp_emit.h"

void a64_FMOV_float(struct a64_translate *t)
{
    put_v(t, Rd(t), v_lane0(t, fp_size(t), get_v(t, Rn(t))));
}

void a64_FABS_float(struct a64_translate *t)
{
    unsigned size = fp_size(t);
    fp_put(t, Rd(t), size, fp_abs(t, size, fp_get(t, Rn(t), size)));
}

void a64_FNEG_float(struct a64_translate *t)
{
    unsigned size = fp_size(t);
    fp_put(t, Rd(t), size, fp_neg(t, size, fp_get(t, Rn(t), size)));
}

void a64_FSQRT_float(struct a64_translate *t)
{
    unsigned size = fp_size(t);
    fp_put(t, Rd(t), size, fp_one(t, FP_SQRT, size, fp_get(t, Rn(t), size)));
}

/* FRINTN, P, M, Z, A, (5 is unallocated), X, I by bits 17:15. */
void a64_FRINT_float(struct a64_translate *t)
{
    static const uint8_t modes[8] = {IR_ROUND_NEAREST,
                                     IR_ROUND_UP,
                                     IR_ROUND_DOWN,
                                     IR_ROUND_ZERO,
                                     IR_ROUND_AWAY,
                                     0,
                                     IR_ROUND_CURRENT | IR_ROUND_INEXACT,
                                     IR_ROUND_CURRENT};
    unsigned size = fp_size(t);
    fp_put(t, Rd(t), size, fp_integral(t, size, fp_get(t, Rn(t), size), modes[t->word >> 15 & 7]));
}

/* FRINT32Z, 32X, 64Z, 64X by bits 16:15. */
void a64_FRINTn_float(struct a64_translate *t)
{
    unsigned size = fp_size(t), op = t->word >> 15 & 3;
    fp_put(t, Rd(t), size,
           fp_integral_n(t, size, fp_get(t, Rn(t), size), op & 1 ? IR_ROUND_CURRENT : IR_ROUND_ZERO, op & 2 ? 8 : 4));
}

/* FMUL, FDIV, FADD, FSUB, FMAX, FMIN, FMAXNM, FMINNM by bits 15:12. */
void a64_fp_two_source(struct a64_translate *t)
{
    static const uint8_t ops[8] = {FP_MUL, FP_DIV, FP_ADD, FP_SUB, FP_MAX, FP_MIN, FP_MAXNM, FP_MINNM};
    unsigned size = fp_size(t);
    fp_put(t, Rd(t), size,
           fp_two(t, (enum fp_op)ops[t->word >> 12 & 7], size, fp_get(t, Rn(t), size), fp_get(t, Rm(t), size)));
}

void a64_FNMUL_float(struct a64_translate *t)
{
    unsigned size = fp_size(t);
    ir_ref product = fp_two(t, FP_MUL, size, fp_get(t, Rn(t), size), fp_get(t, Rm(t), size));
    fp_put(t, Rd(t), size, fp_neg(t, size, product));
}

/* FMADD, FMSUB, FNMADD, FNMSUB: o1 negates the addend, and the product's sign follows o1 ^ o0 (C7.2.106 …). */
void a64_fp_three_source(struct a64_translate *t)
{
    unsigned size = fp_size(t);
    bool negate_addend = t->word >> 21 & 1, negate_product = negate_addend != (t->word >> 15 & 1);
    ir_ref addend = fp_get(t, Ra(t), size), n = fp_get(t, Rn(t), size);
    if (negate_addend)
        addend = fp_neg(t, size, addend);
    if (negate_product)
        n = fp_neg(t, size, n);
    fp_put(t, Rd(t), size, fp_muladd(t, size, addend, n, fp_get(t, Rm(t), size)));
}

/* FCMP, FCMPE, with a register or with zero: bits 4:3. */
void a64_FCMP_float(struct a64_translate *t)
{
    unsigned size = fp_size(t);
    ir_ref m = t->word >> 3 & 1 ? fp_zero(t, size) : fp_get(t, Rm(t), size);
    put_nzcv(t, fp_compare_flags(t, size, fp_get(t, Rn(t), size), m, t->word >> 4 & 1, IR_NONE));
}

/* FCCMP, FCCMPE: exceptions are raised only when the condition holds. */
void a64_FCCMP_float(struct a64_translate *t)
{
    unsigned size = fp_size(t);
    ir_ref holds = condition(t, cond(t));
    ir_ref flags = fp_compare_flags(t, size, fp_get(t, Rn(t), size), fp_get(t, Rm(t), size), t->word >> 4 & 1,
                                    cond(t) >= 14 ? IR_NONE : holds);
    put_nzcv(t, b_select(t->b, holds, flags, b_i32(t->b, pack_nzcv(nzcv(t)))));
}

void a64_FCSEL_float(struct a64_translate *t)
{
    unsigned size = fp_size(t);
    if (size == 2) {
        ir_ref n = b_vextract(t->b, 2, 0, get_v(t, Rn(t))), m = b_vextract(t->b, 2, 0, get_v(t, Rm(t)));
        put_v(t, Rd(t), v_from_int(t, 2, b_select(t->b, condition(t, cond(t)), n, m)));
    } else {
        ir_ref n = size == 8 ? get_d(t, Rn(t)) : get_s(t, Rn(t)), m = size == 8 ? get_d(t, Rm(t)) : get_s(t, Rm(t));
        put_f(t, Rd(t), b_select(t->b, condition(t, cond(t)), n, m));
    }
}

/* VFPExpandImm(): sign, exponent NOT(b):bbb…:cd, fraction efgh:0… */
uint64_t fp_expand_imm(unsigned imm, unsigned size)
{
    unsigned fraction = size == 8 ? 52 : size == 4 ? 23 : 10;
    unsigned exponent = size * 8 - 1 - fraction;
    uint64_t b = imm >> 6 & 1, ones = (UINT64_C(1) << (exponent - 3)) - 1;
    uint64_t e = (b ^ 1) << (exponent - 1) | (b ? ones << 2 : 0) | (imm >> 4 & 3);
    return (uint64_t)(imm >> 7 & 1) << (size * 8 - 1) | e << fraction | (uint64_t)(imm & 15) << (fraction - 4);
}

void a64_FMOV_float_imm(struct a64_translate *t)
{
    put_v(t, Rd(t), builder_vconst(t->b, fp_expand_imm(imm8(t), fp_size(t)), 0));
}

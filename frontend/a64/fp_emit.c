/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Floating-point operations in IR or by helper: see fp_emit.h. */
#include "frontend/a64/fp_emit.h"

ir_ref fp_get(struct a64_translate *t, unsigned n, unsigned size)
{
    return fp_soft(t, size) ? get_v(t, n) : size == 8 ? get_d(t, n) : get_s(t, n);
}

void fp_put(struct a64_translate *t, unsigned n, unsigned size, ir_ref value)
{
    if (builder_type(t->b, value) == IR_V128)
        put_v(t, n, v_lane0(t, size, value));
    else
        put_f(t, n, value);
}

ir_ref fp_zero(struct a64_translate *t, unsigned size)
{
    return fp_soft(t, size) ? v_zero(t) : builder_const(t->b, size == 8 ? IR_F64 : IR_F32, 0);
}

static bool is_vector(struct a64_translate *t, ir_ref a)
{
    return builder_type(t->b, a) == IR_V128;
}

ir_ref fp_neg(struct a64_translate *t, unsigned size, ir_ref a)
{
    if (!is_vector(t, a))
        return b_un(t->b, IR_FNEG, a);
    if (size == 2)
        return b_v2(t->b, IR_VXOR, 0, a, v_splat(t, 2, 0x8000));
    return b_v1(t->b, IR_VFNEG, size, a);
}

ir_ref fp_abs(struct a64_translate *t, unsigned size, ir_ref a)
{
    if (!is_vector(t, a))
        return b_un(t->b, IR_FABS, a);
    if (size == 2)
        return b_v2(t->b, IR_VAND, 0, a, v_splat(t, 2, 0x7fff));
    return b_v1(t->b, IR_VFABS, size, a);
}

/* Lanes that the form does not have repeat those it has: they can raise nothing else. */
static ir_ref harmless(struct a64_translate *t, unsigned size, ir_ref v)
{
    if (is_scalar(t))
        return b_vimm(t->b, IR_VDUPLANE, size, 0, v, IR_NONE);
    return Q(t) ? v : b_vimm(t->b, IR_VDUPLANE, 8, 0, v, IR_NONE);
}

static ir_ref code_const(struct a64_translate *t, const struct fp_job *job)
{
    return b_i32(t->b, fp_code(job));
}

/* IR operations of enum fp_op: scalar, vector; none where only the helper does it. */
static const struct {
    uint8_t scalar, vector, mode;
} two_ops[] = {
    [FP_ADD] = {IR_FADD, IR_VFADD, 0},
    [FP_SUB] = {IR_FSUB, IR_VFSUB, 0},
    [FP_MUL] = {IR_FMUL, IR_VFMUL, 0},
    [FP_DIV] = {IR_FDIV, IR_VFDIV, 0},
    [FP_MAX] = {IR_FMAX, IR_VFMAX, 0},
    [FP_MIN] = {IR_FMIN, IR_VFMIN, 0},
    [FP_MAXNM] = {IR_FMAXNM, IR_VFMAXNM, 0},
    [FP_MINNM] = {IR_FMINNM, IR_VFMINNM, 0},
    [FP_MULX] = {IR_NOP, IR_NOP, 0},
    [FP_RECPS] = {IR_NOP, IR_NOP, 0},
    [FP_RSQRTS] = {IR_NOP, IR_NOP, 0},
    [FP_CMEQ] = {IR_NOP, IR_VFCMP, IR_FLAG_EQ},
    [FP_CMGE] = {IR_NOP, IR_VFCMP, IR_FLAG_GE},
    [FP_CMGT] = {IR_NOP, IR_VFCMP, IR_FLAG_GT},
};

ir_ref fp_two_lanes(struct a64_translate *t, enum fp_op op, unsigned size, unsigned lanes, ir_ref a, ir_ref b)
{
    if (!is_vector(t, a))
        return b_bin(t->b, (enum ir_op)two_ops[op].scalar, a, b);
    if (fp_soft(t, size) || two_ops[op].vector == IR_NOP) {
        struct fp_job job = {.op = op, .size = size, .other = size, .lanes = lanes};
        return CALL_HELPER(t, fp_two, a, b, code_const(t, &job));
    }
    return builder_op(t->b, (enum ir_op)two_ops[op].vector, IR_V128, size, two_ops[op].mode, 0, harmless(t, size, a),
                      harmless(t, size, b), IR_NONE, IR_NONE);
}

ir_ref fp_two(struct a64_translate *t, enum fp_op op, unsigned size, ir_ref a, ir_ref b)
{
    return fp_two_lanes(t, op, size, lane_count(t, size), a, b);
}

ir_ref fp_muladd(struct a64_translate *t, unsigned size, ir_ref c, ir_ref a, ir_ref b)
{
    if (!is_vector(t, a))
        return builder_op(t->b, IR_FMA, builder_type(t->b, a), 0, 0, 0, a, b, c, IR_NONE);
    if (fp_soft(t, size)) {
        struct fp_job job = {.op = FP_MULADD, .size = size, .other = size, .lanes = lane_count(t, size)};
        return CALL_HELPER(t, fp_three, c, a, b, code_const(t, &job));
    }
    return b_v3(t->b, IR_VFMA, size, harmless(t, size, a), harmless(t, size, b), harmless(t, size, c));
}

static ir_ref call_one(struct a64_translate *t, ir_ref a, struct fp_job job)
{
    if (!job.other)
        job.other = job.size;
    if (!job.lanes)
        job.lanes = lane_count(t, job.size);
    return CALL_HELPER(t, fp_one, a, code_const(t, &job));
}

ir_ref fp_one(struct a64_translate *t, enum fp_op op, unsigned size, ir_ref a)
{
    if (op == FP_SQRT && !is_vector(t, a))
        return b_un(t->b, IR_FSQRT, a);
    if (op == FP_SQRT && !fp_soft(t, size))
        return b_v1(t->b, IR_VFSQRT, size, harmless(t, size, a));
    return call_one(t, a, (struct fp_job){.op = op, .size = size});
}

ir_ref fp_integral(struct a64_translate *t, unsigned size, ir_ref a, unsigned mode)
{
    if (!is_vector(t, a))
        return builder_op(t->b, IR_FRINT, builder_type(t->b, a), 0, mode, 0, a, IR_NONE, IR_NONE, IR_NONE);
    if (!fp_soft(t, size))
        return builder_op(t->b, IR_VFRINT, IR_V128, size, mode, 0, harmless(t, size, a), IR_NONE, IR_NONE, IR_NONE);
    return call_one(
        t, a,
        (struct fp_job){.op = FP_ROUND, .size = size, .rounding = IR_ROUND(mode), .exact = mode & IR_ROUND_INEXACT});
}

ir_ref fp_integral_n(struct a64_translate *t, unsigned size, ir_ref a, enum ir_round rounding, unsigned int_size)
{
    if (!is_vector(t, a))
        a = b_vzext(t->b, a);
    return call_one(
        t, a, (struct fp_job){.op = int_size == 4 ? FP_ROUND_32 : FP_ROUND_64, .size = size, .rounding = rounding});
}

ir_ref fp_compare_flags(struct a64_translate *t, unsigned size, ir_ref a, ir_ref b, bool signal, ir_ref condition)
{
    if (fp_soft(t, size)) {
        struct fp_job job = {.size = size, .other = size, .compare = true, .signal = signal};
        ir_ref code = code_const(t, &job);
        if (condition != IR_NONE)
            code = b_select(t->b, condition, code, b_i32(t->b, 0));
        return CALL_HELPER(t, fp_compare, a, b, code);
    }
    if (condition != IR_NONE) { /* 0 compared with 0 raises nothing */
        a = b_select(t->b, condition, a, fp_zero(t, size));
        b = b_select(t->b, condition, b, fp_zero(t, size));
    }
    return builder_op(t->b, IR_FLAGS_FCMP, IR_I32, size, signal ? IR_FLAGS_FCMP_SIGNAL : 0, 0, a, b, IR_NONE, IR_NONE);
}

ir_ref fp_lanes_to_fixed(struct a64_translate *t, unsigned size, ir_ref a, bool is_unsigned, unsigned fraction,
                         enum ir_round rounding)
{
    if (fraction || fp_soft(t, size))
        return call_one(t, a,
                        (struct fp_job){.op = is_unsigned ? FP_TO_UNSIGNED : FP_TO_SIGNED,
                                        .size = size,
                                        .fraction = fraction,
                                        .rounding = rounding});
    if (is_scalar(t)) {
        ir_ref f = b_vlow(t->b, size == 8 ? IR_F64 : IR_F32, a);
        ir_ref r = builder_op(t->b, is_unsigned ? IR_FTOUI : IR_FTOSI, size == 8 ? IR_I64 : IR_I32, size, rounding, 0,
                              f, IR_NONE, IR_NONE, IR_NONE);
        return v_from_int(t, size, r);
    }
    return builder_op(t->b, is_unsigned ? IR_VFTOUI : IR_VFTOSI, IR_V128, size, rounding, 0, harmless(t, size, a),
                      IR_NONE, IR_NONE, IR_NONE);
}

ir_ref fp_lanes_from_fixed(struct a64_translate *t, unsigned size, ir_ref a, bool is_unsigned, unsigned fraction)
{
    if (fraction || fp_soft(t, size))
        return call_one(t, a,
                        (struct fp_job){.op = is_unsigned ? FP_FROM_UNSIGNED : FP_FROM_SIGNED,
                                        .size = size,
                                        .fraction = fraction,
                                        .rounding = IR_ROUND_CURRENT});
    if (is_scalar(t)) {
        ir_ref i = b_vextract(t->b, size, 0, a);
        return b_vzext(t->b, builder_op(t->b, is_unsigned ? IR_UITOF : IR_SITOF, size == 8 ? IR_F64 : IR_F32, size, 0,
                                        0, i, IR_NONE, IR_NONE, IR_NONE));
    }
    return b_v1(t->b, is_unsigned ? IR_VUITOF : IR_VSITOF, size, harmless(t, size, a));
}

ir_ref fp_lanes_convert(struct a64_translate *t, enum fp_op op, unsigned to, unsigned from, unsigned lanes, ir_ref a)
{
    if (op == FP_CONVERT && lanes == 2 && !fp_soft(t, from) && !fp_soft(t, to))
        return b_v1(t->b, to == 8 ? IR_VFCVTL : IR_VFCVTN, from, a);
    return call_one(t, a,
                    (struct fp_job){.op = op, .size = from, .other = to, .lanes = lanes, .rounding = IR_ROUND_CURRENT});
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Floating-point operations in IR or by helper: see fp_emit.h. */
#include "frontend/a64/fp_emit.h"

ir_ref fp_get(struct a64_translate *t, unsigned n, unsigned size)
{
    return fp_vector(t, size) ? get_v(t, n) : size == 8 ? get_d(t, n) : get_s(t, n);
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
    return fp_vector(t, size) ? v_zero(t) : builder_const(t->b, size == 8 ? IR_F64 : IR_F32, 0);
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

/* Lanes that the form does not have are zero, or repeat those it has: they can raise nothing else. */
static ir_ref repeated(struct a64_translate *t, unsigned size, ir_ref v)
{
    if (is_scalar(t))
        return b_vimm(t->b, IR_VDUPLANE, size, 0, v, IR_NONE);
    return Q(t) ? v : b_vimm(t->b, IR_VDUPLANE, 8, 0, v, IR_NONE);
}

/* `zero_raises`: the operation raises something for zeros. Otherwise they are cheaper: registers that scalar
   instructions write have nothing else above. */
static ir_ref harmless(struct a64_translate *t, unsigned size, ir_ref v, bool zero_raises)
{
    return zero_raises ? repeated(t, size, v) : keep_lanes(t, size, v);
}

static ir_ref code_const(struct a64_translate *t, const struct fp_job *job)
{
    return b_i32(t->b, fp_code(job));
}

/* IR operations of enum fp_op: scalar, if there is one that a scalar instruction needs, and vector. */
static const struct {
    uint8_t scalar, vector, mode;
    bool zero_raises;
} operations[] = {
    [FP_ADD] = {IR_FADD, IR_VFADD, 0, false},
    [FP_SUB] = {IR_FSUB, IR_VFSUB, 0, false},
    [FP_MUL] = {IR_FMUL, IR_VFMUL, 0, false},
    [FP_DIV] = {IR_FDIV, IR_VFDIV, 0, true},
    [FP_MAX] = {IR_FMAX, IR_VFMAX, 0, false},
    [FP_MIN] = {IR_FMIN, IR_VFMIN, 0, false},
    [FP_MAXNM] = {IR_FMAXNM, IR_VFMAXNM, 0, false},
    [FP_MINNM] = {IR_FMINNM, IR_VFMINNM, 0, false},
    [FP_MULX] = {IR_NOP, IR_VFMULX, 0, false},
    [FP_RECPS] = {IR_NOP, IR_VFRECPS, 0, false},
    [FP_RSQRTS] = {IR_NOP, IR_VFRSQRTS, 0, false},
    [FP_CMEQ] = {IR_NOP, IR_VFCMP, IR_FLAG_EQ, false},
    [FP_CMGE] = {IR_NOP, IR_VFCMP, IR_FLAG_GE, false},
    [FP_CMGT] = {IR_NOP, IR_VFCMP, IR_FLAG_GT, false},
    [FP_SQRT] = {IR_FSQRT, IR_VFSQRT, 0, false},
    [FP_RECPE] = {IR_NOP, IR_VFRECPE, 0, true},
    [FP_RSQRTE] = {IR_NOP, IR_VFRSQRTE, 0, true},
    [FP_RECPX] = {IR_NOP, IR_VFRECPX, 0, false},
};

ir_ref fp_two_lanes(struct a64_translate *t, enum fp_op op, unsigned size, unsigned lanes, ir_ref a, ir_ref b)
{
    if (!is_vector(t, a))
        return b_bin(t->b, (enum ir_op)operations[op].scalar, a, b);
    if (fp_exact(t)) {
        struct fp_job job = {.op = op, .size = size, .other = size, .lanes = lanes};
        return CALL_HELPER(t, fp_two, a, b, code_const(t, &job));
    }
    bool zero_raises = operations[op].zero_raises;
    return builder_op(t->b, (enum ir_op)operations[op].vector, IR_V128, size, operations[op].mode, 0,
                      harmless(t, size, a, zero_raises), harmless(t, size, b, zero_raises), IR_NONE, IR_NONE);
}

ir_ref fp_two(struct a64_translate *t, enum fp_op op, unsigned size, ir_ref a, ir_ref b)
{
    return fp_two_lanes(t, op, size, lane_count(t, size), a, b);
}

ir_ref fp_muladd(struct a64_translate *t, unsigned size, ir_ref c, ir_ref a, ir_ref b)
{
    if (!is_vector(t, a))
        return builder_op(t->b, IR_FMA, builder_type(t->b, a), 0, 0, 0, a, b, c, IR_NONE);
    if (fp_exact(t)) {
        struct fp_job job = {.op = FP_MULADD, .size = size, .other = size, .lanes = lane_count(t, size)};
        return CALL_HELPER(t, fp_three, c, a, b, code_const(t, &job));
    }
    return b_v3(t->b, IR_VFMA, size, keep_lanes(t, size, a), keep_lanes(t, size, b), keep_lanes(t, size, c));
}

ir_ref fp_muladd_long(struct a64_translate *t, ir_ref c, ir_ref a, ir_ref b)
{
    if (fp_exact(t)) {
        struct fp_job job = {.op = FP_MULADD_LONG, .size = 2, .other = 4, .lanes = Q(t) ? 4 : 2};
        return CALL_HELPER(t, fp_three, c, a, b, code_const(t, &job));
    }
    if (!Q(t)) {
        a = v_lane0(t, 4, a);
        c = v_low64(t, c);
    }
    return b_v3(t->b, IR_VFMLAL, 4, a, Q(t) ? b : v_lane0(t, 4, b), c);
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
    if (!is_vector(t, a))
        return b_un(t->b, (enum ir_op)operations[op].scalar, a);
    if (fp_exact(t))
        return call_one(t, a, (struct fp_job){.op = op, .size = size});
    return b_v1(t->b, (enum ir_op)operations[op].vector, size, harmless(t, size, a, operations[op].zero_raises));
}

static ir_ref op_with_mode(struct a64_translate *t, enum ir_op op, enum ir_type type, unsigned size, unsigned mode,
                           ir_ref a)
{
    return builder_op(t->b, op, type, size, mode, 0, a, IR_NONE, IR_NONE, IR_NONE);
}

ir_ref fp_integral(struct a64_translate *t, unsigned size, ir_ref a, unsigned mode)
{
    if (!is_vector(t, a))
        return op_with_mode(t, IR_FRINT, builder_type(t->b, a), 0, mode, a);
    if (!fp_exact(t))
        return op_with_mode(t, IR_VFRINT, IR_V128, size, mode, keep_lanes(t, size, a));
    return call_one(
        t, a,
        (struct fp_job){.op = FP_ROUND, .size = size, .rounding = IR_ROUND(mode), .exact = mode & IR_ROUND_INEXACT});
}

ir_ref fp_integral_n(struct a64_translate *t, unsigned size, ir_ref a, enum ir_round rounding, unsigned int_size)
{
    if (!is_vector(t, a))
        a = b_vzext(t->b, a);
    if (!fp_exact(t))
        return op_with_mode(t, IR_VFRINTN, IR_V128, size, rounding | (int_size == 8 ? IR_ROUND_TO_64 : 0),
                            keep_lanes(t, size, a));
    return call_one(
        t, a, (struct fp_job){.op = int_size == 4 ? FP_ROUND_32 : FP_ROUND_64, .size = size, .rounding = rounding});
}

ir_ref fp_from_half(struct a64_translate *t, ir_ref half)
{
    return b_vlow(t->b, IR_F32, b_v1(t->b, IR_VFCVTL, 2, v_lane0(t, 2, half)));
}

ir_ref fp_to_half(struct a64_translate *t, ir_ref a)
{
    ir_ref v = b_vzext(t->b, a);
    if (builder_type(t->b, a) == IR_F64)
        v = b_v1(t->b, IR_VFCVTXN, 8, v);
    return b_v1(t->b, IR_VFCVTN, 4, v);
}

ir_ref fp_compare_flags(struct a64_translate *t, unsigned size, ir_ref a, ir_ref b, bool signal, ir_ref condition)
{
    if (fp_exact(t)) {
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
    if (size == 2) {
        a = fp_from_half(t, a);
        b = fp_from_half(t, b);
        size = 4;
    }
    return builder_op(t->b, IR_FLAGS_FCMP, IR_I32, size, signal ? IR_FLAGS_FCMP_SIGNAL : 0, 0, a, b, IR_NONE, IR_NONE);
}

ir_ref fp_lanes_to_fixed(struct a64_translate *t, unsigned size, ir_ref a, bool is_unsigned, unsigned fraction,
                         enum ir_round rounding)
{
    if (fp_exact(t))
        return call_one(t, a,
                        (struct fp_job){.op = is_unsigned ? FP_TO_UNSIGNED : FP_TO_SIGNED,
                                        .size = size,
                                        .fraction = fraction,
                                        .rounding = rounding});
    unsigned mode = fraction ? IR_FIXED(fraction) : rounding;
    if (is_scalar(t) && size > 2) {
        ir_ref f = b_vlow(t->b, size == 8 ? IR_F64 : IR_F32, a);
        enum ir_type type = size == 8 ? IR_I64 : IR_I32;
        return v_from_int(t, size, op_with_mode(t, is_unsigned ? IR_FTOUI : IR_FTOSI, type, size, mode, f));
    }
    return op_with_mode(t, is_unsigned ? IR_VFTOUI : IR_VFTOSI, IR_V128, size, mode, keep_lanes(t, size, a));
}

ir_ref fp_lanes_from_fixed(struct a64_translate *t, unsigned size, ir_ref a, bool is_unsigned, unsigned fraction)
{
    if (fp_exact(t))
        return call_one(t, a,
                        (struct fp_job){.op = is_unsigned ? FP_FROM_UNSIGNED : FP_FROM_SIGNED,
                                        .size = size,
                                        .fraction = fraction,
                                        .rounding = IR_ROUND_CURRENT});
    if (is_scalar(t) && size > 2 && !fraction) {
        ir_ref i = b_vextract(t->b, size, 0, a);
        enum ir_type type = size == 8 ? IR_F64 : IR_F32;
        return b_vzext(t->b, op_with_mode(t, is_unsigned ? IR_UITOF : IR_SITOF, type, size, 0, i));
    }
    return op_with_mode(t, is_unsigned ? IR_VUITOF : IR_VSITOF, IR_V128, size, fraction, keep_lanes(t, size, a));
}

/* Lanes that are not wanted must be zero, or are ignored: `lanes` fewer than the operation's are of a scalar form. */
ir_ref fp_lanes_convert(struct a64_translate *t, enum fp_op op, unsigned to, unsigned from, unsigned lanes, ir_ref a)
{
    if (fp_exact(t))
        return call_one(
            t, a, (struct fp_job){.op = op, .size = from, .other = to, .lanes = lanes, .rounding = IR_ROUND_CURRENT});
    if (lanes == 1)
        a = v_lane0(t, from, a);
    return b_v1(t->b,
                op == FP_CONVERT_ODD    ? IR_VFCVTXN
                : op == FP_CONVERT_BF16 ? IR_VFCVTBF
                : to > from             ? IR_VFCVTL
                                        : IR_VFCVTN,
                from, a);
}

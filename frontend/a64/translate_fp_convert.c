/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Conversions between floating-point formats and to and from general registers (Arm ARM DDI 0487, C4.1.96: float2int,
   float2fix, and FCVT of floatdp1). */
#include "frontend/a64/fp_emit.h"

static unsigned reg_size(const struct a64_translate *t)
{
    return sf(t) ? 8 : 4;
}

/* x * 2^exponent, for normal results: scaling a normal number neither rounds nor raises anything. */
static ir_ref scale_by(struct a64_translate *t, unsigned size, ir_ref x, int exponent)
{
    uint64_t power = size == 8 ? (uint64_t)(1023 + exponent) << 52 : (uint64_t)(127 + exponent) << 23;
    return b_bin(t->b, IR_FMUL, x, builder_const(t->b, size == 8 ? IR_F64 : IR_F32, power));
}

static void to_general(struct a64_translate *t, unsigned fraction, enum ir_round rounding)
{
    unsigned size = fp_size(t);
    bool is_unsigned = t->word >> 16 & 1;
    ir_ref r;
    if (fp_exact(t)) {
        struct fp_job job = {.op = is_unsigned ? FP_TO_UNSIGNED : FP_TO_SIGNED,
                             .size = size,
                             .other = reg_size(t),
                             .fraction = fraction,
                             .rounding = rounding};
        r = CALL_HELPER(t, fp_to_general, get_v(t, Rn(t)), b_i32(t->b, fp_code(&job)));
        if (!sf(t))
            r = b_trunc(t->b, r);
    } else {
        ir_ref x = fp_get(t, Rn(t), size);
        if (size == 2) {
            x = fp_from_half(t, x);
            size = 4;
        }
        r = builder_op(t->b, is_unsigned ? IR_FTOUI : IR_FTOSI, reg_type(t), size,
                       fraction ? IR_FIXED(fraction) : rounding, 0, x, IR_NONE, IR_NONE, IR_NONE);
    }
    put_reg(t, Rd(t), r);
}

/* An integer that a double holds and that rounds, whatever its scale, as x does to any format of at most 50 bits: from
   2^53 on the low bits become one sticky bit above them. */
static ir_ref jam_low_bits(struct a64_translate *t, ir_ref x, bool is_unsigned)
{
    enum { LOW = 0x7ff };
    struct builder *b = t->b;
    ir_ref low = b_and(b, x, b_i64(b, LOW));
    ir_ref sticky = b_and(b, b_add(b, low, b_i64(b, LOW)), b_i64(b, LOW + 1));
    ir_ref jammed = b_or(b, b_and(b, x, b_i64(b, ~(uint64_t)LOW)), sticky);
    ir_ref biased = is_unsigned ? x : b_add(b, x, b_i64(b, UINT64_C(1) << 53));
    return b_select(b, b_cmp(b, IR_ULT, biased, b_i64(b, UINT64_C(1) << (is_unsigned ? 53 : 54))), x, jammed);
}

static ir_ref integer_to_float(struct a64_translate *t, enum ir_type type, bool is_unsigned, ir_ref x)
{
    return builder_op(t->b, is_unsigned ? IR_UITOF : IR_SITOF, type, reg_size(t), 0, 0, x, IR_NONE, IR_NONE, IR_NONE);
}

static void from_general(struct a64_translate *t, unsigned fraction)
{
    unsigned size = fp_size(t);
    bool is_unsigned = t->word >> 16 & 1;
    if (fp_exact(t)) {
        struct fp_job job = {.op = is_unsigned ? FP_FROM_UNSIGNED : FP_FROM_SIGNED,
                             .size = size,
                             .other = reg_size(t),
                             .fraction = fraction};
        put_v(t, Rd(t), CALL_HELPER(t, fp_from_general, get_x(t, Rn(t)), b_i32(t->b, fp_code(&job))));
        return;
    }
    ir_ref x = get_reg(t, Rn(t));
    if (size > 2) {
        x = integer_to_float(t, size == 8 ? IR_F64 : IR_F32, is_unsigned, x);
        put_f(t, Rd(t), fraction ? scale_by(t, size, x, -(int)fraction) : x);
    } else if (!fraction) { /* what single precision does not hold overflows */
        put_v(t, Rd(t), fp_to_half(t, integer_to_float(t, IR_F32, is_unsigned, x)));
    } else {
        x = integer_to_float(t, IR_F64, is_unsigned, sf(t) ? jam_low_bits(t, x, is_unsigned) : x);
        put_v(t, Rd(t), fp_to_half(t, scale_by(t, 8, x, -(int)fraction)));
    }
}

/* FCVTNS … FCVTZU: rounding by rmode, bits 20:19; FCVTAS, FCVTAU are rmode 00 with bit 18. */
void a64_fp_to_int(struct a64_translate *t)
{
    static const uint8_t modes[4] = {IR_ROUND_NEAREST, IR_ROUND_UP, IR_ROUND_DOWN, IR_ROUND_ZERO};
    to_general(t, 0, t->word >> 18 & 1 ? IR_ROUND_AWAY : (enum ir_round)modes[t->word >> 19 & 3]);
}

void a64_fp_from_int(struct a64_translate *t)
{
    from_general(t, 0);
}
void a64_fp_to_fixed(struct a64_translate *t)
{
    to_general(t, 64 - scale(t), IR_ROUND_ZERO);
}
void a64_fp_from_fixed(struct a64_translate *t)
{
    from_general(t, 64 - scale(t));
}

void a64_FMOV_to_general(struct a64_translate *t)
{
    unsigned size = fp_size(t);
    ir_ref value = b_vextract(t->b, size, 0, get_v(t, Rn(t)));
    if (size == 8)
        put_x(t, Rd(t), value);
    else
        put_w(t, Rd(t), value); /* X from H is zero-extended too */
}

void a64_FMOV_from_general(struct a64_translate *t)
{
    unsigned size = fp_size(t);
    put_v(t, Rd(t), v_from_int(t, size, size == 8 ? get_x(t, Rn(t)) : get_w(t, Rn(t))));
}

void a64_FMOV_top_to_general(struct a64_translate *t)
{
    put_x(t, Rd(t), b_vextract(t->b, 8, 1, get_v(t, Rn(t))));
}

void a64_FMOV_top_from_general(struct a64_translate *t)
{
    put_v(t, Rd(t), b_vinsert(t->b, 8, 1, get_v(t, Rd(t)), get_x(t, Rn(t))));
}

void a64_FCVT_float(struct a64_translate *t)
{
    static const uint8_t sizes[4] = {4, 8, 0, 2};
    unsigned from = fp_size(t), to = sizes[t->word >> 15 & 3];
    if (fp_exact(t)) {
        put_v(t, Rd(t), fp_lanes_convert(t, FP_CONVERT, to, from, 1, get_v(t, Rn(t))));
        return;
    }
    ir_ref x = fp_get(t, Rn(t), from);
    if (from == 2) {
        x = fp_from_half(t, x);
        from = 4;
    }
    if (to == 2)
        put_v(t, Rd(t), fp_to_half(t, x));
    else if (to == from)
        put_f(t, Rd(t), x);
    else
        put_f(t, Rd(t),
              builder_op(t->b, IR_FCVT, to == 8 ? IR_F64 : IR_F32, from, 0, 0, x, IR_NONE, IR_NONE, IR_NONE));
}

void a64_BFCVT(struct a64_translate *t)
{
    put_v(t, Rd(t), fp_lanes_convert(t, FP_CONVERT_BF16, 2, 4, 1, get_v(t, Rn(t))));
}

/* Z: the conversion was exact, and not of -0; that is, the integer converts back to the same bits. */
void a64_FJCVTZS(struct a64_translate *t)
{
    ir_ref r, z;
    if (fp_exact(t)) {
        ir_ref both = CALL_HELPER(t, fp_to_javascript, get_v(t, Rn(t)));
        r = b_trunc(t->b, both);
        z = b_trunc(t->b, b_shr(t->b, both, 32));
    } else {
        ir_ref x = get_d(t, Rn(t));
        r = builder_op(t->b, IR_FTOJS, IR_I32, 8, 0, 0, x, IR_NONE, IR_NONE, IR_NONE);
        ir_ref back = builder_op(t->b, IR_SITOF, IR_F64, 4, 0, 0, r, IR_NONE, IR_NONE, IR_NONE);
        z = b_cmp(t->b, IR_EQ, b_bitcast(t->b, IR_I64, back), b_bitcast(t->b, IR_I64, x));
    }
    put_w(t, Rd(t), r);
    put_nzcv(t, b_select(t->b, z, b_i32(t->b, pack_nzcv(4)), b_i32(t->b, pack_nzcv(0))));
}

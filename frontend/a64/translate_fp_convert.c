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
    if (fp_soft(t, size) || (fraction && size == 8)) { /* a double may overflow when it is scaled */
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
        if (fraction) { /* a double holds every single times 2^64 */
            x = builder_op(t->b, IR_FCVT, IR_F64, size, 0, 0, x, IR_NONE, IR_NONE, IR_NONE);
            x = scale_by(t, size = 8, x, (int)fraction);
        }
        r = builder_op(t->b, is_unsigned ? IR_FTOUI : IR_FTOSI, reg_type(t), size, rounding, 0, x, IR_NONE, IR_NONE,
                       IR_NONE);
    }
    put_reg(t, Rd(t), r);
}

static void from_general(struct a64_translate *t, unsigned fraction)
{
    unsigned size = fp_size(t);
    bool is_unsigned = t->word >> 16 & 1;
    if (fp_soft(t, size)) {
        struct fp_job job = {.op = is_unsigned ? FP_FROM_UNSIGNED : FP_FROM_SIGNED,
                             .size = size,
                             .other = reg_size(t),
                             .fraction = fraction};
        put_v(t, Rd(t), CALL_HELPER(t, fp_from_general, get_x(t, Rn(t)), b_i32(t->b, fp_code(&job))));
    } else {
        ir_ref x = builder_op(t->b, is_unsigned ? IR_UITOF : IR_SITOF, size == 8 ? IR_F64 : IR_F32, reg_size(t), 0, 0,
                              get_reg(t, Rn(t)), IR_NONE, IR_NONE, IR_NONE);
        put_f(t, Rd(t), fraction ? scale_by(t, size, x, -(int)fraction) : x);
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
    if (fp_soft(t, from) || fp_soft(t, to))
        put_v(t, Rd(t), fp_lanes_convert(t, FP_CONVERT, to, from, 1, get_v(t, Rn(t))));
    else
        put_f(t, Rd(t),
              builder_op(t->b, IR_FCVT, to == 8 ? IR_F64 : IR_F32, from, 0, 0, fp_get(t, Rn(t), from), IR_NONE, IR_NONE,
                         IR_NONE));
}

void a64_BFCVT(struct a64_translate *t)
{
    put_v(t, Rd(t), fp_lanes_convert(t, FP_CONVERT_BF16, 2, 4, 1, get_v(t, Rn(t))));
}

void a64_FJCVTZS(struct a64_translate *t)
{
    ir_ref r = CALL_HELPER(t, fp_to_javascript, get_v(t, Rn(t)));
    put_w(t, Rd(t), b_trunc(t->b, r));
    ir_ref z = b_trunc(t->b, b_shr(t->b, r, 32));
    put_nzcv(t, b_select(t->b, z, b_i32(t->b, pack_nzcv(4)), b_i32(t->b, pack_nzcv(0))));
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* AdvSIMD copy, table lookup, permute, extract and modified immediate (Arm ARM DDI 0487, C4.1.95: asimdins, asisdone,
   asimdtbl, asimdperm, asimdext, asimdimm). */
#include "frontend/a64/fp_emit.h"

static ir_ref n_of(struct a64_translate *t)
{
    return get_v(t, Rn(t));
}
static ir_ref m_of(struct a64_translate *t)
{
    return get_v(t, Rm(t));
}

/* The lowest set bit of imm5 tells the lane, the bits above it the index. */
static unsigned copy_log2(const struct a64_translate *t)
{
    return (unsigned)__builtin_ctz(imm5(t));
}
static unsigned copy_lane(const struct a64_translate *t)
{
    return 1u << copy_log2(t);
}
static unsigned copy_index(const struct a64_translate *t)
{
    return imm5(t) >> (copy_log2(t) + 1);
}
static ir_ref general_of_lane(struct a64_translate *t)
{
    return copy_lane(t) == 8 ? get_x(t, Rn(t)) : get_w(t, Rn(t));
}

void a64_DUP_element(struct a64_translate *t)
{
    put_lanes(t, copy_lane(t), b_vimm(t->b, IR_VDUPLANE, copy_lane(t), copy_index(t), n_of(t), IR_NONE));
}

void a64_DUP_general(struct a64_translate *t)
{
    put_lanes(t, 1,
              builder_op(t->b, IR_VDUP, IR_V128, copy_lane(t), 0, 0, general_of_lane(t), IR_NONE, IR_NONE, IR_NONE));
}

void a64_SMOV(struct a64_translate *t)
{
    ir_ref value = b_vextract(t->b, copy_lane(t), copy_index(t), n_of(t));
    if (Q(t))
        put_x(t, Rd(t), b_sext(t->b, IR_I64, copy_lane(t), value));
    else
        put_w(t, Rd(t), b_sext(t->b, IR_I32, copy_lane(t), value));
}

void a64_UMOV(struct a64_translate *t)
{
    ir_ref value = b_vextract(t->b, copy_lane(t), copy_index(t), n_of(t));
    if (copy_lane(t) == 8)
        put_x(t, Rd(t), value);
    else
        put_w(t, Rd(t), value);
}

void a64_INS_general(struct a64_translate *t)
{
    put_v(t, Rd(t), b_vinsert(t->b, copy_lane(t), copy_index(t), get_v(t, Rd(t)), general_of_lane(t)));
}

void a64_INS_element(struct a64_translate *t)
{
    unsigned lane = copy_lane(t), from = imm4(t) >> copy_log2(t), to = copy_index(t);
    if (lane == 8 && from != to) { /* without the way through a general register */
        ir_ref d = get_v(t, Rd(t));
        put_v(t, Rd(t), to ? v_join(t, d, n_of(t)) : b_v2(t->b, IR_VZIP2, 8, n_of(t), d));
        return;
    }
    ir_ref value = b_vextract(t->b, lane, from, n_of(t));
    put_v(t, Rd(t), b_vinsert(t->b, lane, to, get_v(t, Rd(t)), value));
}

/* TBL, TBX (bit 12). Indices of the second table register and up are brought into range by subtraction: VTBL gives 0
   for those out of range, wrapped ones included. */
void a64_vec_table(struct a64_translate *t)
{
    unsigned count = len(t) + 1;
    ir_ref m = m_of(t), r = b_v2(t->b, IR_VTBL, 1, n_of(t), m);
    for (unsigned i = 1; i < count; i++) {
        ir_ref index = b_v2(t->b, IR_VSUB, 1, m, v_splat(t, 1, 16 * i));
        r = b_v2(t->b, IR_VOR, 0, r, b_v2(t->b, IR_VTBL, 1, get_v(t, (Rn(t) + i) & 31), index));
    }
    if (t->word >> 12 & 1) {
        ir_ref outside = b_v2(t->b, IR_VCMPGTU, 1, m, v_splat(t, 1, 16 * count - 1));
        r = b_v3(t->b, IR_VBSL, 0, outside, get_v(t, Rd(t)), r);
    }
    put_lanes(t, 1, r);
}

/* UZP1, UZP2 (bit 14) */
void a64_vec_unzip(struct a64_translate *t)
{
    ir_ref even, odd;
    v_pairs(t, lane_bytes(t), n_of(t), m_of(t), &even, &odd);
    put_lanes(t, 1, t->word >> 14 & 1 ? odd : even);
}

void a64_vec_transpose(struct a64_translate *t)
{
    put_lanes(t, 1, b_v2(t->b, t->word >> 14 & 1 ? IR_VTRN2 : IR_VTRN1, lane_bytes(t), n_of(t), m_of(t)));
}

/* ZIP1, ZIP2 (bit 14); of 64-bit operands, ZIP2 is the upper half of what ZIP1 of 128-bit ones gives. */
void a64_vec_zip(struct a64_translate *t)
{
    bool second = t->word >> 14 & 1;
    ir_ref r = b_v2(t->b, second && Q(t) ? IR_VZIP2 : IR_VZIP1, lane_bytes(t), n_of(t), m_of(t));
    put_lanes(t, 1, second && !Q(t) ? v_high(t, r) : r);
}

void a64_EXT(struct a64_translate *t)
{
    ir_ref n = n_of(t), m = m_of(t);
    if (!Q(t))
        n = m = v_join(t, n, m);
    put_lanes(t, 1, b_vimm(t->b, IR_VEXT, 0, imm4(t), n, m));
}

/* ---- modified immediate ------------------------------------------------------------------------------------------ */

/* AdvSIMDExpandImm(), before the inversion that MVNI and BIC do. */
static uint64_t expand_imm(const struct a64_translate *t)
{
    uint64_t imm = abc(t) << 5 | defgh(t);
    unsigned mode = cmode(t);
    if (mode < 8)
        return (imm << (mode >> 1) * 8) * UINT64_C(0x100000001);
    if (mode < 12)
        return (imm << (mode >> 1 & 1) * 8) * UINT64_C(0x1000100010001);
    if (mode < 14) /* "shifting ones" */
        return (mode & 1 ? imm << 16 | 0xffff : imm << 8 | 0xff) * UINT64_C(0x100000001);
    if (mode == 14 && !op(t))
        return imm * UINT64_C(0x0101010101010101);
    if (mode == 14) { /* a byte a bit */
        uint64_t r = 0;
        for (unsigned i = 0; i < 8; i++)
            r |= imm >> i & 1 ? UINT64_C(0xff) << i * 8 : 0;
        return r;
    }
    if (t->word >> 11 & 1)
        return fp_expand_imm((unsigned)imm, 2) * UINT64_C(0x1000100010001);
    return op(t) ? fp_expand_imm((unsigned)imm, 8) : fp_expand_imm((unsigned)imm, 4) * UINT64_C(0x100000001);
}

/* MOVI, MVNI, FMOV */
void a64_vec_move_imm(struct a64_translate *t)
{
    uint64_t imm = expand_imm(t);
    if (op(t) && cmode(t) < 14)
        imm = ~imm;
    put_v(t, Rd(t), builder_vconst(t->b, imm, Q(t) ? imm : 0));
}

/* ORR, BIC */
void a64_vec_logical_imm(struct a64_translate *t)
{
    uint64_t imm = expand_imm(t);
    ir_ref d = get_v(t, Rd(t));
    put_lanes(t, 1,
              op(t) ? b_v2(t->b, IR_VAND, 0, d, builder_vconst(t->b, ~imm, ~imm))
                    : b_v2(t->b, IR_VOR, 0, d, builder_vconst(t->b, imm, imm)));
}

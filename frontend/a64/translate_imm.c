/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Data processing with an immediate: addresses, add and subtract, logical, move wide, bitfield, extract. */
#include "frontend/a64/translate.h"

void a64_ADR(struct a64_translate *t)
{
    int64_t offset = sign_extend(immhi(t) << 2 | immlo(t), 21);
    put_x(t, Rd(t), builder_pc(t->b, t->b->pc + (uint64_t)offset));
}

void a64_ADRP(struct a64_translate *t)
{
    uint64_t page = t->b->pc & ~(uint64_t)0xfff, offset = (uint64_t)sign_extend(immhi(t) << 2 | immlo(t), 21) << 12;
    put_x(t, Rd(t), builder_pc(t->b, page + offset));
}

/* ---- add and subtract -------------------------------------------------------------------------------------------- */

static ir_ref add_immediate(struct a64_translate *t) { return reg_imm(t, imm12(t) << (sh(t) ? 12 : 0)); }

/** SP moved by an immediate remains as aligned as the immediate is. */
static void put_sum(struct a64_translate *t, ir_ref value)
{
    if (sf(t) && Rd(t) == 31 && Rn(t) == 31)
        put_sp_stepped(t, 31, value, sh(t) ? 0 : imm12(t));
    else
        put_reg_sp(t, Rd(t), value);
}

void a64_ADD_imm(struct a64_translate *t) { put_sum(t, b_add(t->b, get_reg_sp(t, Rn(t)), add_immediate(t))); }

void a64_SUB_imm(struct a64_translate *t) { put_sum(t, b_sub(t->b, get_reg_sp(t, Rn(t)), add_immediate(t))); }

void a64_ADDS_imm(struct a64_translate *t)
{
    ir_ref x = get_reg_sp(t, Rn(t)), y = add_immediate(t);
    put_reg(t, Rd(t), b_add(t->b, x, y));
    put_nzcv(t, b_flags(t->b, IR_FLAGS_ADD, x, y, IR_NONE));
}

void a64_SUBS_imm(struct a64_translate *t)
{
    ir_ref x = get_reg_sp(t, Rn(t)), y = add_immediate(t);
    put_reg(t, Rd(t), b_sub(t->b, x, y));
    put_nzcv(t, b_flags(t->b, IR_FLAGS_SUB, x, y, IR_NONE));
}

/* ---- logical ----------------------------------------------------------------------------------------------------- */

/** wmask of DecodeBitMasks(): an element of 2..64 bits with imms + 1 ones, rotated right by immr, replicated. */
static ir_ref bit_mask(struct a64_translate *t)
{
    unsigned inverted = ~imms(t) & 63;
    unsigned length = N(t) ? 6 : 31 - (unsigned)__builtin_clz(inverted);
    unsigned size = 1u << length, ones = (imms(t) & (size - 1)) + 1, rotation = immr(t) & (size - 1);
    uint64_t element_mask = UINT64_MAX >> (64 - size), element = UINT64_MAX >> (64 - ones);
    if (rotation)
        element = (element >> rotation | element << (size - rotation)) & element_mask;
    for (; size < 64; size *= 2)
        element |= element << size;
    return reg_imm(t, element);
}

void a64_AND_imm(struct a64_translate *t)
{
    ir_ref mask_ref = bit_mask(t), value = b_and(t->b, get_reg(t, Rn(t)), mask_ref);
    uint64_t bits = 0;
    if (sf(t) && Rd(t) == 31 && builder_is_const(t->b, mask_ref, &bits) && bits % 16 == 0)
        put_sp_stepped(t, 31, value, 0); /* this is how a stack pointer is aligned */
    else
        put_reg_sp(t, Rd(t), value);
}

void a64_ORR_imm(struct a64_translate *t) { put_reg_sp(t, Rd(t), b_or(t->b, get_reg(t, Rn(t)), bit_mask(t))); }

void a64_EOR_imm(struct a64_translate *t) { put_reg_sp(t, Rd(t), b_xor(t->b, get_reg(t, Rn(t)), bit_mask(t))); }

void a64_ANDS_imm(struct a64_translate *t)
{
    ir_ref result = b_and(t->b, get_reg(t, Rn(t)), bit_mask(t));
    put_reg(t, Rd(t), result);
    put_nzcv(t, b_flags(t->b, IR_FLAGS_LOGIC, result, IR_NONE, IR_NONE));
}

/* ---- move wide --------------------------------------------------------------------------------------------------- */

void a64_MOVN(struct a64_translate *t) { put_reg(t, Rd(t), reg_imm(t, ~((uint64_t)imm16(t) << 16 * hw(t)))); }

void a64_MOVZ(struct a64_translate *t) { put_reg(t, Rd(t), reg_imm(t, (uint64_t)imm16(t) << 16 * hw(t))); }

void a64_MOVK(struct a64_translate *t)
{
    unsigned low = 16 * hw(t);
    ir_ref kept = b_and(t->b, get_reg(t, Rd(t)), reg_imm(t, ~((uint64_t)0xffff << low)));
    put_reg(t, Rd(t), b_or(t->b, kept, reg_imm(t, (uint64_t)imm16(t) << low)));
}

/* ---- bitfield ---------------------------------------------------------------------------------------------------- */

/** The `width` bits of x from bit `low`, zero-extended. */
static ir_ref extract_bits(struct a64_translate *t, ir_ref x, unsigned low, unsigned width)
{
    unsigned bits = sf(t) ? 64 : 32;
    if (low)
        x = b_shr(t->b, x, low);
    if (low + width == bits)
        return x;
    if (width == 8 || width == 16 || width == 32)
        return b_zext(t->b, reg_type(t), width / 8, x);
    return b_and(t->b, x, reg_imm(t, UINT64_MAX >> (64 - width)));
}

void a64_UBFM(struct a64_translate *t)
{
    unsigned bits = sf(t) ? 64 : 32, r = immr(t), s = imms(t);
    ir_ref x = get_reg(t, Rn(t));
    if (s >= r)
        x = extract_bits(t, x, r, s - r + 1);
    else if (s + 1 == r)
        x = b_shl(t->b, x, bits - r); /* LSL */
    else
        x = b_shl(t->b, extract_bits(t, x, 0, s + 1), bits - r);
    put_reg(t, Rd(t), x);
}

void a64_SBFM(struct a64_translate *t)
{
    unsigned bits = sf(t) ? 64 : 32, r = immr(t), s = imms(t);
    ir_ref x = get_reg(t, Rn(t));
    if (r == 0 && (s == 7 || s == 15 || s == 31)) {
        x = s + 1 == bits ? x : b_sext(t->b, reg_type(t), (s + 1) / 8, x);
    } else {
        unsigned left = bits - 1 - s;
        if (left)
            x = b_shl(t->b, x, left);
        x = b_sar(t->b, x, s >= r ? left + r : r - s - 1);
    }
    put_reg(t, Rd(t), x);
}

void a64_BFM(struct a64_translate *t)
{
    unsigned bits = sf(t) ? 64 : 32, r = immr(t), s = imms(t);
    ir_ref x = get_reg(t, Rn(t)), old = get_reg(t, Rd(t));
    unsigned width = s >= r ? s - r + 1 : s + 1, low = s >= r ? 0 : bits - r;
    uint64_t mask = UINT64_MAX >> (64 - width) << low;
    x = extract_bits(t, x, s >= r ? r : 0, width);
    if (low)
        x = b_shl(t->b, x, low);
    put_reg(t, Rd(t), b_or(t->b, b_and(t->b, old, reg_imm(t, ~mask)), x));
}

void a64_EXTR(struct a64_translate *t)
{
    ir_ref high = get_reg(t, Rn(t)), low = get_reg(t, Rm(t));
    if (imms(t) == 0)
        put_reg(t, Rd(t), low);
    else if (Rn(t) == Rm(t))
        put_reg(t, Rd(t), b_bin(t->b, IR_ROR, high, reg_imm(t, imms(t))));
    else
        put_reg(t, Rd(t), b_extr(t->b, high, low, imms(t)));
}

/* ---- minimum and maximum (FEAT_CSSC) ----------------------------------------------------------------------------- */

static void choose(struct a64_translate *t, enum ir_cc cc, uint64_t immediate)
{
    ir_ref x = get_reg(t, Rn(t)), y = reg_imm(t, immediate);
    put_reg(t, Rd(t), b_select(t->b, b_cmp(t->b, cc, x, y), x, y));
}

static uint64_t signed_operand(const struct a64_translate *t) { return (uint64_t)sign_extend(minmax_imm8(t), 8); }

void a64_SMAX_imm(struct a64_translate *t) { choose(t, IR_SGT, signed_operand(t)); }
void a64_SMIN_imm(struct a64_translate *t) { choose(t, IR_SLT, signed_operand(t)); }
void a64_UMAX_imm(struct a64_translate *t) { choose(t, IR_UGT, minmax_imm8(t)); }
void a64_UMIN_imm(struct a64_translate *t) { choose(t, IR_ULT, minmax_imm8(t)); }

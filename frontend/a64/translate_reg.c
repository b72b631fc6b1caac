/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Data processing with registers: arithmetic, logical, conditional, multiply, divide, shifts, bit operations. */
#include "frontend/a64/translate.h"

/* ---- operands ---------------------------------------------------------------------------------------------------- */

/** ShiftReg(): Rm shifted by imm6. */
static ir_ref shifted_operand(struct a64_translate *t)
{
    static const enum ir_op ops[4] = {IR_SHL, IR_SHR, IR_SAR, IR_ROR};
    ir_ref x = get_reg(t, Rm(t));
    return imm6(t) ? b_bin(t->b, ops[shift(t)], x, reg_imm(t, imm6(t))) : x;
}

/** ExtendReg(): Rm's low 1, 2, 4 or 8 bytes extended, then shifted left by imm3. */
static ir_ref extended_operand(struct a64_translate *t)
{
    unsigned bytes = 1u << (option(t) & 3), reg_bytes = sf(t) ? 8 : 4;
    ir_ref x = get_reg(t, Rm(t));
    if (bytes < reg_bytes)
        x = option(t) & 4 ? b_sext(t->b, reg_type(t), bytes, x) : b_zext(t->b, reg_type(t), bytes, x);
    return imm3(t) ? b_shl(t->b, x, imm3(t)) : x;
}

static ir_ref carry(struct a64_translate *t) { return b_cond(t->b, IR_FLAG_CS, get_nzcv(t)); }

static void adds(struct a64_translate *t, ir_ref x, ir_ref y)
{
    put_reg(t, Rd(t), b_add(t->b, x, y));
    put_nzcv(t, b_flags(t->b, IR_FLAGS_ADD, x, y, IR_NONE));
}

static void subs(struct a64_translate *t, ir_ref x, ir_ref y)
{
    put_reg(t, Rd(t), b_sub(t->b, x, y));
    put_nzcv(t, b_flags(t->b, IR_FLAGS_SUB, x, y, IR_NONE));
}

static void logical_flags(struct a64_translate *t, ir_ref result)
{
    put_reg(t, Rd(t), result);
    put_nzcv(t, b_flags(t->b, IR_FLAGS_LOGIC, result, IR_NONE, IR_NONE));
}

/* ---- add and subtract -------------------------------------------------------------------------------------------- */

void a64_ADD_shift(struct a64_translate *t) { put_reg(t, Rd(t), b_add(t->b, get_reg(t, Rn(t)), shifted_operand(t))); }

void a64_SUB_shift(struct a64_translate *t) { put_reg(t, Rd(t), b_sub(t->b, get_reg(t, Rn(t)), shifted_operand(t))); }

void a64_ADDS_shift(struct a64_translate *t) { adds(t, get_reg(t, Rn(t)), shifted_operand(t)); }

void a64_SUBS_shift(struct a64_translate *t) { subs(t, get_reg(t, Rn(t)), shifted_operand(t)); }

void a64_ADD_ext(struct a64_translate *t)
{
    put_reg_sp(t, Rd(t), b_add(t->b, get_reg_sp(t, Rn(t)), extended_operand(t)));
}

void a64_SUB_ext(struct a64_translate *t)
{
    put_reg_sp(t, Rd(t), b_sub(t->b, get_reg_sp(t, Rn(t)), extended_operand(t)));
}

void a64_ADDS_ext(struct a64_translate *t) { adds(t, get_reg_sp(t, Rn(t)), extended_operand(t)); }

void a64_SUBS_ext(struct a64_translate *t) { subs(t, get_reg_sp(t, Rn(t)), extended_operand(t)); }

/** AddWithCarry(x, y, PSTATE.C) */
static void add_with_carry(struct a64_translate *t, ir_ref x, ir_ref y, bool set_flags)
{
    ir_ref c = carry(t);
    ir_ref sum = b_add(t->b, b_add(t->b, x, y), sf(t) ? b_zext(t->b, IR_I64, 4, c) : c);
    put_reg(t, Rd(t), sum);
    if (set_flags)
        put_nzcv(t, b_flags(t->b, IR_FLAGS_ADC, x, y, c));
}

void a64_ADC(struct a64_translate *t) { add_with_carry(t, get_reg(t, Rn(t)), get_reg(t, Rm(t)), false); }
void a64_ADCS(struct a64_translate *t) { add_with_carry(t, get_reg(t, Rn(t)), get_reg(t, Rm(t)), true); }
void a64_SBC(struct a64_translate *t) { add_with_carry(t, get_reg(t, Rn(t)), b_not(t->b, get_reg(t, Rm(t))), false); }
void a64_SBCS(struct a64_translate *t) { add_with_carry(t, get_reg(t, Rn(t)), b_not(t->b, get_reg(t, Rm(t))), true); }

/* ---- logical ----------------------------------------------------------------------------------------------------- */

void a64_AND_shift(struct a64_translate *t) { put_reg(t, Rd(t), b_and(t->b, get_reg(t, Rn(t)), shifted_operand(t))); }

void a64_BIC_shift(struct a64_translate *t)
{
    put_reg(t, Rd(t), b_bin(t->b, IR_ANDN, get_reg(t, Rn(t)), shifted_operand(t)));
}

void a64_ORR_shift(struct a64_translate *t) { put_reg(t, Rd(t), b_or(t->b, get_reg(t, Rn(t)), shifted_operand(t))); }

void a64_ORN_shift(struct a64_translate *t)
{
    put_reg(t, Rd(t), b_or(t->b, get_reg(t, Rn(t)), b_not(t->b, shifted_operand(t))));
}

void a64_EOR_shift(struct a64_translate *t) { put_reg(t, Rd(t), b_xor(t->b, get_reg(t, Rn(t)), shifted_operand(t))); }

void a64_EON_shift(struct a64_translate *t)
{
    put_reg(t, Rd(t), b_xor(t->b, get_reg(t, Rn(t)), b_not(t->b, shifted_operand(t))));
}

void a64_ANDS_shift(struct a64_translate *t) { logical_flags(t, b_and(t->b, get_reg(t, Rn(t)), shifted_operand(t))); }

void a64_BICS_shift(struct a64_translate *t)
{
    logical_flags(t, b_bin(t->b, IR_ANDN, get_reg(t, Rn(t)), shifted_operand(t)));
}

/* ---- conditional compare and select ------------------------------------------------------------------------------ */

static void conditional_compare(struct a64_translate *t, enum ir_op op, ir_ref y)
{
    ir_ref flags = b_flags(t->b, op, get_reg(t, Rn(t)), y, IR_NONE);
    put_nzcv(t, b_select(t->b, condition(t, cond(t)), flags, b_i32(t->b, pack_nzcv(nzcv(t)))));
}

void a64_CCMN_reg(struct a64_translate *t) { conditional_compare(t, IR_FLAGS_ADD, get_reg(t, Rm(t))); }
void a64_CCMN_imm(struct a64_translate *t) { conditional_compare(t, IR_FLAGS_ADD, reg_imm(t, imm5(t))); }
void a64_CCMP_reg(struct a64_translate *t) { conditional_compare(t, IR_FLAGS_SUB, get_reg(t, Rm(t))); }
void a64_CCMP_imm(struct a64_translate *t) { conditional_compare(t, IR_FLAGS_SUB, reg_imm(t, imm5(t))); }

static void conditional_select(struct a64_translate *t, ir_ref otherwise)
{
    put_reg(t, Rd(t), b_select(t->b, condition(t, cond(t)), get_reg(t, Rn(t)), otherwise));
}

void a64_CSEL(struct a64_translate *t) { conditional_select(t, get_reg(t, Rm(t))); }
void a64_CSINV(struct a64_translate *t) { conditional_select(t, b_not(t->b, get_reg(t, Rm(t)))); }
void a64_CSNEG(struct a64_translate *t) { conditional_select(t, b_neg(t->b, get_reg(t, Rm(t)))); }

void a64_CSINC(struct a64_translate *t)
{
    if (Rn(t) == 31 && Rm(t) == 31 && cond(t) < 14) { /* CSET */
        ir_ref one = condition(t, cond(t) ^ 1);
        put_reg(t, Rd(t), sf(t) ? b_zext(t->b, IR_I64, 4, one) : one);
        return;
    }
    conditional_select(t, b_add(t->b, get_reg(t, Rm(t)), reg_imm(t, 1)));
}

/* ---- multiply and divide ----------------------------------------------------------------------------------------- */

static void multiply_add(struct a64_translate *t, ir_ref x, ir_ref y)
{
    ir_ref product = b_mul(t->b, x, y), addend = get_reg(t, Ra(t));
    put_reg(t, Rd(t), o0(t) ? b_sub(t->b, addend, product) : b_add(t->b, addend, product));
}

static ir_ref sign_extended_w(struct a64_translate *t, unsigned n) { return b_sext(t->b, IR_I64, 4, get_x(t, n)); }
static ir_ref zero_extended_w(struct a64_translate *t, unsigned n) { return b_zext(t->b, IR_I64, 4, get_x(t, n)); }

void a64_MADD(struct a64_translate *t) { multiply_add(t, get_reg(t, Rn(t)), get_reg(t, Rm(t))); }
void a64_MSUB(struct a64_translate *t) { multiply_add(t, get_reg(t, Rn(t)), get_reg(t, Rm(t))); }
void a64_SMADDL(struct a64_translate *t) { multiply_add(t, sign_extended_w(t, Rn(t)), sign_extended_w(t, Rm(t))); }
void a64_SMSUBL(struct a64_translate *t) { multiply_add(t, sign_extended_w(t, Rn(t)), sign_extended_w(t, Rm(t))); }
void a64_UMADDL(struct a64_translate *t) { multiply_add(t, zero_extended_w(t, Rn(t)), zero_extended_w(t, Rm(t))); }
void a64_UMSUBL(struct a64_translate *t) { multiply_add(t, zero_extended_w(t, Rn(t)), zero_extended_w(t, Rm(t))); }

static void two_sources(struct a64_translate *t, enum ir_op op)
{
    put_reg(t, Rd(t), b_bin(t->b, op, get_reg(t, Rn(t)), get_reg(t, Rm(t))));
}

void a64_SMULH(struct a64_translate *t) { two_sources(t, IR_SMULH); }
void a64_UMULH(struct a64_translate *t) { two_sources(t, IR_UMULH); }
void a64_UDIV(struct a64_translate *t) { two_sources(t, IR_UDIV); }
void a64_SDIV(struct a64_translate *t) { two_sources(t, IR_SDIV); }

/* ---- shifts and bits --------------------------------------------------------------------------------------------- */

void a64_LSLV(struct a64_translate *t) { two_sources(t, IR_SHL); }
void a64_LSRV(struct a64_translate *t) { two_sources(t, IR_SHR); }
void a64_ASRV(struct a64_translate *t) { two_sources(t, IR_SAR); }
void a64_RORV(struct a64_translate *t) { two_sources(t, IR_ROR); }

static ir_ref reverse_bytes(struct a64_translate *t, unsigned group)
{
    return builder_op(t->b, IR_BSWAP, reg_type(t), group, 0, 0, get_reg(t, Rn(t)), IR_NONE, IR_NONE, IR_NONE);
}

void a64_RBIT(struct a64_translate *t) { put_reg(t, Rd(t), b_un(t->b, IR_RBIT, get_reg(t, Rn(t)))); }
void a64_REV16(struct a64_translate *t) { put_reg(t, Rd(t), reverse_bytes(t, 2)); }
void a64_REV32(struct a64_translate *t) { put_reg(t, Rd(t), reverse_bytes(t, 4)); }
void a64_REV(struct a64_translate *t) { put_reg(t, Rd(t), reverse_bytes(t, sf(t) ? 8 : 4)); }
void a64_CLZ(struct a64_translate *t) { put_reg(t, Rd(t), b_un(t->b, IR_CLZ, get_reg(t, Rn(t)))); }

void a64_CLS(struct a64_translate *t)
{
    /* Where a bit differs from its lower neighbour; the constant stops the count one short of the width. */
    ir_ref x = get_reg(t, Rn(t));
    ir_ref changes = b_or(t->b, b_xor(t->b, x, b_shl(t->b, x, 1)), reg_imm(t, 1));
    put_reg(t, Rd(t), b_un(t->b, IR_CLZ, changes));
}

/* ---- checksums --------------------------------------------------------------------------------------------------- */

void a64_CRC32C(struct a64_translate *t)
{
    unsigned bytes = 1u << crc_sz(t);
    ir_ref data = bytes == 8 ? get_x(t, Rm(t)) : get_w(t, Rm(t));
    put_w(t, Rd(t), builder_op(t->b, IR_CRC32C, IR_I32, bytes, 0, 0, get_w(t, Rn(t)), data, IR_NONE, IR_NONE));
}

/*
 * CRC-32 with the polynomial 0x04c11db7, bit-reversed throughout as the instruction defines it. With the data
 * exclusive-or accumulator at the top of a 64-bit number A, the remainder of A * x^32 by Barrett's method takes two
 * carry-less products: quotient = low 64 bits of A * floor(x^96 / P), remainder = bits 95:64 of quotient * P.
 */
void a64_CRC32(struct a64_translate *t)
{
    const uint64_t x96_over_p = 0xb4e5b025f7011641, p = 0x1db710641;
    unsigned bits = 8u << crc_sz(t);
    ir_ref old = get_w(t, Rn(t)), a = b_xor(t->b, get_x(t, Rm(t)), b_zext(t->b, IR_I64, 4, get_x(t, Rn(t))));
    if (bits < 64)
        a = b_shl(t->b, a, 64 - bits);
    ir_ref quotient = b_vimm(t->b, IR_VCLMUL, 8, 0, v_from_int(t, 8, a), builder_vconst(t->b, x96_over_p, 0));
    ir_ref product = b_vimm(t->b, IR_VCLMUL, 8, 0, quotient, builder_vconst(t->b, p, 0));
    ir_ref result = b_vextract(t->b, 4, 2, product);
    if (bits < 32)
        result = b_xor(t->b, result, b_shr(t->b, old, bits));
    put_w(t, Rd(t), result);
}

/* ---- flag manipulation (FEAT_FlagM) ------------------------------------------------------------------------------ */

/** NZCV as bits 31:28, other bits zero. */
static ir_ref unpacked_nzcv(struct a64_translate *t) { return b_un(t->b, IR_FLAGS_UNPACK, get_nzcv(t)); }

static void put_unpacked_nzcv(struct a64_translate *t, ir_ref bits) { put_nzcv(t, b_un(t->b, IR_FLAGS_PACK, bits)); }

void a64_RMIF(struct a64_translate *t)
{
    ir_ref rotated = get_x(t, Rn(t));
    if (rmif_imm6(t))
        rotated = b_bin(t->b, IR_ROR, rotated, b_i64(t->b, rmif_imm6(t)));
    uint32_t chosen = mask(t) << 28;
    ir_ref new = b_and(t->b, b_shl(t->b, b_trunc(t->b, rotated), 28), b_i32(t->b, chosen));
    put_unpacked_nzcv(t, b_or(t->b, b_and(t->b, unpacked_nzcv(t), b_i32(t->b, ~chosen & 0xf0000000u)), new));
}

/** N and Z of the low `bits` of Rn, V where bit `bits` differs from the one below, C kept. */
static void set_flags_of_part(struct a64_translate *t, unsigned bits)
{
    ir_ref x = b_shl(t->b, get_w(t, Rn(t)), 32 - bits), above = b_shl(t->b, get_w(t, Rn(t)), 31 - bits);
    ir_ref n = b_and(t->b, x, b_i32(t->b, 1u << 31));
    ir_ref z = b_shl(t->b, b_cmp(t->b, IR_EQ, x, b_i32(t->b, 0)), 30);
    ir_ref v = b_shl(t->b, b_shr(t->b, b_xor(t->b, x, above), 31), 28);
    ir_ref c = b_and(t->b, unpacked_nzcv(t), b_i32(t->b, 1u << 29));
    put_unpacked_nzcv(t, b_or(t->b, b_or(t->b, n, z), b_or(t->b, v, c)));
}

void a64_SETF8(struct a64_translate *t) { set_flags_of_part(t, 8); }
void a64_SETF16(struct a64_translate *t) { set_flags_of_part(t, 16); }

void a64_CFINV(struct a64_translate *t) { put_nzcv(t, b_xor(t->b, get_nzcv(t), b_i32(t->b, IR_FLAG_NOT_C))); }

/** N Z C V, each an i32 that is 0 or 1. */
static void put_flags(struct a64_translate *t, ir_ref n, ir_ref z, ir_ref c, ir_ref v)
{
    ir_ref nz = b_or(t->b, b_shl(t->b, n, 31), b_shl(t->b, z, 30));
    put_unpacked_nzcv(t, b_or(t->b, nz, b_or(t->b, b_shl(t->b, c, 29), b_shl(t->b, v, 28))));
}

void a64_AXFLAG(struct a64_translate *t)
{
    ir_ref z = condition(t, IR_FLAG_EQ), c = condition(t, IR_FLAG_CS), v = condition(t, IR_FLAG_VS);
    ir_ref zero = b_i32(t->b, 0);
    put_flags(t, zero, b_or(t->b, z, v), b_bin(t->b, IR_ANDN, c, v), zero);
}

void a64_XAFLAG(struct a64_translate *t)
{
    ir_ref z = condition(t, IR_FLAG_EQ), c = condition(t, IR_FLAG_CS), not_c = condition(t, IR_FLAG_CC);
    put_flags(t, b_bin(t->b, IR_ANDN, not_c, z), b_and(t->b, z, c), b_or(t->b, c, z), b_and(t->b, not_c, z));
}

/* ---- common short sequences (FEAT_CSSC) -------------------------------------------------------------------------- */

static void choose(struct a64_translate *t, enum ir_cc cc)
{
    ir_ref x = get_reg(t, Rn(t)), y = get_reg(t, Rm(t));
    put_reg(t, Rd(t), b_select(t->b, b_cmp(t->b, cc, x, y), x, y));
}

void a64_SMAX_reg(struct a64_translate *t) { choose(t, IR_SGT); }
void a64_SMIN_reg(struct a64_translate *t) { choose(t, IR_SLT); }
void a64_UMAX_reg(struct a64_translate *t) { choose(t, IR_UGT); }
void a64_UMIN_reg(struct a64_translate *t) { choose(t, IR_ULT); }

void a64_CTZ(struct a64_translate *t) { put_reg(t, Rd(t), b_un(t->b, IR_CTZ, get_reg(t, Rn(t)))); }

/** The bytes' counts, added up by a multiplication that gathers them in the highest byte. */
void a64_CNT_reg(struct a64_translate *t)
{
    ir_ref x = get_reg(t, Rn(t));
    if (!sf(t))
        x = b_zext(t->b, IR_I64, 4, x);
    ir_ref counts = b_vextract(t->b, 8, 0, b_v1(t->b, IR_VPOPCNT, 1, v_from_int(t, 8, x)));
    put_x(t, Rd(t), b_shr(t->b, b_mul(t->b, counts, b_i64(t->b, UINT64_C(0x0101010101010101))), 56));
}

void a64_ABS_reg(struct a64_translate *t)
{
    ir_ref x = get_reg(t, Rn(t));
    put_reg(t, Rd(t), b_select(t->b, b_cmp(t->b, IR_SLT, x, reg_imm(t, 0)), b_neg(t->b, x), x));
}

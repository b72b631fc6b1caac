/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Vector shifts: by an immediate, and by a signed byte in each lane (USHL, SSHL). */
#include "backend/x86_64/emit_vec.h"

/* ---- by an immediate ------------------------------------------------------------------------------------------- */

static void shift(struct emit *e, enum ir_op op, unsigned bytes, unsigned dst, unsigned x, unsigned count)
{
    static void (*const left[])(struct assembler *, unsigned, unsigned, unsigned) = {NULL, vpsllw, vpslld, vpsllq};
    static void (*const right[])(struct assembler *, unsigned, unsigned, unsigned) = {NULL, vpsrlw, vpsrld, vpsrlq};
    static void (*const arithmetic[])(struct assembler *, unsigned, unsigned, unsigned) = {NULL, vpsraw, vpsrad, NULL};
    unsigned log2 = lane_log2(bytes);
    (op == IR_VSHL ? left : op == IR_VSHR ? right : arithmetic)[log2](&e->as, dst, x, count);
}

void vec_shift_left(struct emit *e, ir_ref ref)
{
    const struct ir_insn *insn = emit_insn(e, ref);
    unsigned r = xmm_dst(e, ref), x = arg_xmm(e, ref, 0, XT0), count = (unsigned)insn->imm;
    if (count == 0) {
        r = x;
    } else if (insn->size == 1) {
        vpsllw(&e->as, XT0, x, count);
        vpand(&e->as, r, XT0, pool_splat(e, 1, 0xffu << count));
    } else {
        shift(e, IR_VSHL, insn->size, r, x, count);
    }
    emit_done(e, ref, r);
}

void vec_shift_right(struct emit *e, ir_ref ref)
{
    const struct ir_insn *insn = emit_insn(e, ref);
    unsigned r = xmm_dst(e, ref), x = arg_xmm(e, ref, 0, XT0), count = (unsigned)insn->imm;
    if (count == 0) {
        r = x;
    } else if (insn->size == 1) {
        vpsrlw(&e->as, XT0, x, count);
        vpand(&e->as, r, XT0, pool_splat(e, 1, 0xffu >> count));
    } else {
        shift(e, IR_VSHR, insn->size, r, x, count); /* counts of the lane's width and more give 0 */
    }
    emit_done(e, ref, r);
}

/* r = x >> count by bytes: shifted in logically, then the sign bit's new place m is extended: (v ^ m) - m. */
static void shift_bytes_arithmetic(struct emit *e, unsigned r, unsigned x, unsigned count)
{
    struct assembler *a = &e->as;
    if (count >= 7) {
        set_zero(e, XT1);
        vpcmpgtb(a, r, XT1, asm_reg(x));
        return;
    }
    vpsrlw(a, XT0, x, count);
    vpand(a, XT0, XT0, pool_splat(e, 1, 0xffu >> count));
    vpxor(a, XT0, XT0, pool_splat(e, 1, 0x80u >> count));
    vpsubb(a, r, XT0, pool_splat(e, 1, 0x80u >> count));
}

/* AVX2 has no vpsraq: the halves are put together. */
static void shift_quads_arithmetic(struct emit *e, unsigned r, unsigned x, unsigned count)
{
    struct assembler *a = &e->as;
    if (count >= 63) {
        set_zero(e, XT1);
        vpcmpgtq(a, r, XT1, asm_reg(x));
    } else if (count <= 32) {
        vpsrad(a, XT1, x, count);
        vpsrlq(a, XT0, x, count);
        vpblendd(a, r, XT0, asm_reg(XT1), 0xa);
    } else {
        vpsrad(a, XT1, x, 31);
        vpsrad(a, XT0, x, count - 32);
        vpshufd(a, XT0, asm_reg(XT0), 0xf5);
        vpblendd(a, r, XT0, asm_reg(XT1), 0xa);
    }
}

void vec_shift_arithmetic(struct emit *e, ir_ref ref)
{
    const struct ir_insn *insn = emit_insn(e, ref);
    unsigned r = xmm_dst(e, ref), x = arg_xmm(e, ref, 0, XT0), count = (unsigned)insn->imm;
    if (count == 0)
        r = x;
    else if (insn->size == 1)
        shift_bytes_arithmetic(e, r, x, count);
    else if (insn->size == 8)
        shift_quads_arithmetic(e, r, x, count);
    else
        shift(e, IR_VSAR, insn->size, r, x, count);
    emit_done(e, ref, r);
}

/* Whole bytes by a permutation, the rest by two shifts. */
void vec_rotate(struct emit *e, ir_ref ref)
{
    const struct ir_insn *insn = emit_insn(e, ref);
    unsigned r = xmm_dst(e, ref), x = arg_xmm(e, ref, 0, XT0), count = (unsigned)insn->imm, bytes = insn->size;
    if (count % 8 == 0) {
        uint8_t from[16];
        uint64_t bits[2];
        for (unsigned i = 0; i < 16; i++)
            from[i] = (uint8_t)((i & ~(bytes - 1)) | ((i + count / 8) & (bytes - 1)));
        memcpy(bits, from, sizeof bits);
        vpshufb(&e->as, r, x, emit_pool_operand(e, bits[0], bits[1]));
    } else {
        shift(e, IR_VSHL, bytes, XT1, x, bytes * 8 - count);
        shift(e, IR_VSHR, bytes, XT0, x, count);
        vpor(&e->as, r, XT0, asm_reg(XT1));
    }
    emit_done(e, ref, r);
}

/* ---- by a signed byte in each lane ----------------------------------------------------------------------------- */

/*
 * Each lane is the left shift by c combined with the right shift by n = -c. Counts are taken as unsigned bytes: of a
 * negative count the left shift makes 0, of a positive one the logical right shift does, so that these two are only
 * ORed; c = 0 gives the lane itself twice. An arithmetic right shift by too much gives the sign: there the sign of c
 * selects.
 */

/* XT = -b's bytes, wrapping (saturating: 127 for -128) */
static void negate_counts(struct emit *e, ir_ref ref, unsigned xmm, bool saturate)
{
    set_zero(e, xmm);
    vex_rvm(&e->as, saturate ? X86_vpsubsb : X86_vpsubb, xmm, xmm, arg_operand(e, ref, 1));
}

static void shift_wide_logical(struct emit *e, ir_ref ref, unsigned bytes)
{
    struct assembler *a = &e->as;
    bool wide = bytes == 8;
    unsigned r = xmm_dst(e, ref), x = arg_xmm(e, ref, 0, XT1);
    load_splat(e, XT2, bytes, 0xff);
    vpand(a, XT2, XT2, arg_operand(e, ref, 1));
    vex_rvm(a, wide ? X86_vpsllvq : X86_vpsllvd, XT2, x, asm_reg(XT2));
    negate_counts(e, ref, XT0, false);
    vpand(a, XT0, XT0, pool_splat(e, bytes, 0xff));
    vex_rvm(a, wide ? X86_vpsrlvq : X86_vpsrlvd, XT0, x, asm_reg(XT0));
    vpor(a, r, XT0, asm_reg(XT2));
    emit_done(e, ref, r);
}

static void shift_words4_arithmetic(struct emit *e, ir_ref ref)
{
    struct assembler *a = &e->as;
    unsigned r = xmm_dst(e, ref), x = arg_xmm(e, ref, 0, XT1);
    load_splat(e, XT2, 4, 0xff);
    vpand(a, XT2, XT2, arg_operand(e, ref, 1));
    vpsllvd(a, XT2, x, asm_reg(XT2));
    negate_counts(e, ref, XT0, false);
    vpand(a, XT0, XT0, pool_splat(e, 4, 0xff));
    vpsravd(a, XT0, x, asm_reg(XT0));
    vpslld(a, XT1, arg_xmm(e, ref, 1, XT1), 24);
    vblendvps(a, r, XT2, asm_reg(XT0), XT1);
    emit_done(e, ref, r);
}

/* No vpsravq in AVX2: logical, then the sign bit's new place m is extended, (v ^ m) - m; n at most 63. */
static void shift_quads_by_register(struct emit *e, ir_ref ref)
{
    struct assembler *a = &e->as;
    unsigned r = xmm_dst(e, ref);
    negate_counts(e, ref, XT0, true);
    vpminsb(a, XT0, XT0, pool_splat(e, 1, 63));
    vpand(a, XT0, XT0, pool_splat(e, 8, 0xff));
    vpsrlvq(a, XT1, arg_xmm(e, ref, 0, XT1), asm_reg(XT0));
    load_splat(e, XT2, 8, UINT64_C(1) << 63);
    vpsrlvq(a, XT0, XT2, asm_reg(XT0));
    vpxor(a, XT1, XT1, asm_reg(XT0));
    vpsubq(a, XT1, XT1, asm_reg(XT0));
    load_splat(e, XT2, 8, 0xff);
    vpand(a, XT2, XT2, arg_operand(e, ref, 1));
    vpsllvq(a, XT2, arg_xmm(e, ref, 0, XT0), asm_reg(XT2));
    vpsllq(a, XT0, arg_xmm(e, ref, 1, XT0), 56);
    vblendvpd(a, r, XT2, asm_reg(XT1), XT0);
    emit_done(e, ref, r);
}

/* Lanes of two bytes: even and odd ones separately, as the low and the high half of lanes of four. */

/* XT1 = the odd lanes shifted left, in place; uses XT1, XT2. */
static void left_odd_halves(struct emit *e, ir_ref ref)
{
    struct assembler *a = &e->as;
    vpsrld(a, XT1, arg_xmm(e, ref, 1, XT1), 16);
    vpand(a, XT1, XT1, pool_splat(e, 4, 0xff));
    load_splat(e, XT2, 4, 0xffff0000);
    vpand(a, XT2, XT2, arg_operand(e, ref, 0));
    vpsllvd(a, XT1, XT2, asm_reg(XT1));
}

static void shift_halves_logical(struct emit *e, ir_ref ref)
{
    struct assembler *a = &e->as;
    unsigned r = xmm_dst(e, ref);
    load_splat(e, XT0, 4, 0xff);
    vpand(a, XT0, XT0, arg_operand(e, ref, 1));
    unsigned x = arg_xmm(e, ref, 0, XT1);
    vpsllvd(a, XT0, x, asm_reg(XT0));
    negate_counts(e, ref, XT2, false);
    vpand(a, XT2, XT2, pool_splat(e, 4, 0xff));
    vpand(a, XT1, x, pool_splat(e, 4, 0xffff));
    vpsrlvd(a, XT1, XT1, asm_reg(XT2));
    vpor(a, XT0, XT0, asm_reg(XT1)); /* even lanes done */
    left_odd_halves(e, ref);
    vpblendw(a, XT0, XT0, asm_reg(XT1), 0xaa);
    negate_counts(e, ref, XT2, false);
    vpsrld(a, XT2, XT2, 16);
    vpand(a, XT2, XT2, pool_splat(e, 4, 0xff));
    vpsrlvd(a, XT1, arg_xmm(e, ref, 0, XT1), asm_reg(XT2));
    vpand(a, XT1, XT1, pool_splat(e, 4, 0xffff0000));
    vpor(a, r, XT0, asm_reg(XT1));
    emit_done(e, ref, r);
}

static void shift_halves_arithmetic(struct emit *e, ir_ref ref)
{
    struct assembler *a = &e->as;
    unsigned r = xmm_dst(e, ref);
    negate_counts(e, ref, XT0, false);
    vpsrld(a, XT1, XT0, 16);
    vpand(a, XT1, XT1, pool_splat(e, 4, 0xff));
    unsigned x = arg_xmm(e, ref, 0, XT2);
    vpsravd(a, XT1, x, asm_reg(XT1));
    vpand(a, XT0, XT0, pool_splat(e, 4, 0xff));
    vpslld(a, XT2, x, 16);
    vpsrad(a, XT2, XT2, 16);
    vpsravd(a, XT0, XT2, asm_reg(XT0));
    vpblendw(a, XT0, XT0, asm_reg(XT1), 0xaa);
    vmovups_store(a, scratch_temp(), XT0); /* all lanes to the right */
    left_odd_halves(e, ref);
    load_splat(e, XT2, 4, 0xff);
    vpand(a, XT2, XT2, arg_operand(e, ref, 1));
    vpsllvd(a, XT2, arg_xmm(e, ref, 0, XT0), asm_reg(XT2));
    vpblendw(a, XT2, XT2, asm_reg(XT1), 0xaa); /* all lanes to the left */
    vpsllw(a, XT0, arg_xmm(e, ref, 1, XT0), 8);
    vpsraw(a, XT0, XT0, 15);
    vpblendvb(a, r, XT2, asm_at(scratch_temp()), XT0);
    emit_done(e, ref, r);
}

/*
 * Bytes: left by multiplying with 2^c, right by multiplying with 2^(8 - n) and taking the high byte of the product,
 * even and odd bytes separately in words. The powers come from tables of 16 bytes indexed by the count, which is
 * clamped to 15 first: vpshufb yields 0 for negative ones. n from 8 on multiplies by one, which leaves the sign, or
 * 0, in the high byte.
 */
static void powers_of_counts(struct emit *e, unsigned xmm, unsigned temp, uint64_t low, uint64_t high)
{
    vpminsb(&e->as, xmm, xmm, pool_splat(e, 1, 15));
    vmovaps(&e->as, temp, emit_pool_operand(e, low, high));
    vpshufb(&e->as, xmm, temp, asm_reg(xmm));
}

static void shift_bytes_by_register(struct emit *e, ir_ref ref)
{
    struct assembler *a = &e->as;
    bool is_signed = emit_insn(e, ref)->op == IR_VSHLS;
    unsigned r = xmm_dst(e, ref);
    emit_xmm_move(e, XT0, arg_xmm(e, ref, 1, XT0));
    powers_of_counts(e, XT0, XT1, UINT64_C(0x8040201008040201), 0);
    unsigned x = arg_xmm(e, ref, 0, XT1);
    vpmullw(a, XT2, x, asm_reg(XT0));
    vpand(a, XT2, XT2, pool_splat(e, 2, 0x00ff));
    vpsrlw(a, XT1, x, 8);
    vpand(a, XT0, XT0, pool_splat(e, 2, 0xff00));
    vpmullw(a, XT0, XT1, asm_reg(XT0));
    vpor(a, XT0, XT0, asm_reg(XT2));
    vmovups_store(a, scratch_temp(), XT0); /* all bytes to the left */

    negate_counts(e, ref, XT0, true);
    powers_of_counts(e, XT0, XT1, UINT64_C(0x0204081020408000), splat(1, 1));
    x = arg_xmm(e, ref, 0, XT1);
    if (is_signed)
        vpsraw(a, XT1, x, 8);
    else
        vpsrlw(a, XT1, x, 8);
    vpsrlw(a, XT2, XT0, 8);
    vpmullw(a, XT1, XT1, asm_reg(XT2));
    vpand(a, XT1, XT1, pool_splat(e, 2, 0xff00)); /* odd bytes */
    vpand(a, XT0, XT0, pool_splat(e, 2, 0x00ff));
    x = arg_xmm(e, ref, 0, XT2);
    if (is_signed) {
        vpsllw(a, XT2, x, 8);
        vpsraw(a, XT2, XT2, 8);
    } else {
        vpand(a, XT2, x, pool_splat(e, 2, 0x00ff));
    }
    vpmullw(a, XT0, XT0, asm_reg(XT2));
    vpsrlw(a, XT0, XT0, 8); /* even bytes */
    vpor(a, XT0, XT0, asm_reg(XT1));
    vpor(a, r, XT0, asm_at(scratch_temp()));
    emit_done(e, ref, r);
}

/* VSHLS, VSHLU */
void vec_shift_register(struct emit *e, ir_ref ref)
{
    const struct ir_insn *insn = emit_insn(e, ref);
    bool is_signed = insn->op == IR_VSHLS;
    if (insn->size == 1)
        shift_bytes_by_register(e, ref);
    else if (insn->size == 2 && is_signed)
        shift_halves_arithmetic(e, ref);
    else if (insn->size == 2)
        shift_halves_logical(e, ref);
    else if (!is_signed)
        shift_wide_logical(e, ref, insn->size);
    else if (insn->size == 4)
        shift_words4_arithmetic(e, ref);
    else
        shift_quads_by_register(e, ref);
}

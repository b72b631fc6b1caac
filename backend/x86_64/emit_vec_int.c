/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Vector integer arithmetic, comparison and logic for the lane sizes that the host has no instruction for. */
#include "backend/x86_64/emit_vec.h"

static const uint32_t opcode_add[4] = {X86_vpaddb, X86_vpaddw, X86_vpaddd, X86_vpaddq};
static const uint32_t opcode_sub[4] = {X86_vpsubb, X86_vpsubw, X86_vpsubd, X86_vpsubq};
static const uint32_t opcode_gt[4] = {X86_vpcmpgtb, X86_vpcmpgtw, X86_vpcmpgtd, X86_vpcmpgtq};

static uint64_t sign_bit(unsigned bytes) { return UINT64_C(1) << (bytes * 8 - 1); }

/* ---- logic ----------------------------------------------------------------------------------------------------- */

void vec_not(struct emit *e, ir_ref ref)
{
    unsigned r = xmm_dst(e, ref);
    set_ones(e, XT0);
    vpxor(&e->as, r, XT0, arg_operand(e, ref, 0));
    emit_done(e, ref, r);
}

void vec_bsl(struct emit *e, ir_ref ref)
{
    unsigned r = xmm_dst(e, ref), mask = arg_xmm(e, ref, 0, XT2);
    vpand(&e->as, XT0, mask, arg_operand(e, ref, 1));
    vpandn(&e->as, XT1, mask, arg_operand(e, ref, 2));
    vpor(&e->as, r, XT0, asm_reg(XT1));
    emit_done(e, ref, r);
}

/* ---- sign ------------------------------------------------------------------------------------------------------ */

void vec_neg(struct emit *e, ir_ref ref)
{
    unsigned r = xmm_dst(e, ref);
    set_zero(e, XT0);
    vex_rvm(&e->as, opcode_sub[lane_log2(emit_insn(e, ref)->size)], r, XT0, arg_operand(e, ref, 0));
    emit_done(e, ref, r);
}

void vec_abs(struct emit *e, ir_ref ref) /* lanes of 8 bytes */
{
    unsigned r = xmm_dst(e, ref), x = arg_xmm(e, ref, 0, XT1);
    set_zero(e, XT0);
    vpsubq(&e->as, XT0, XT0, asm_reg(x));
    vblendvpd(&e->as, r, x, asm_reg(XT0), x);
    emit_done(e, ref, r);
}

/* ---- comparison ------------------------------------------------------------------------------------------------ */

/* dst = x > y, unsigned: signed comparison of both with their sign bits flipped. */
static void greater_unsigned(struct emit *e, ir_ref ref, unsigned bytes, unsigned dst)
{
    struct assembler *a = &e->as;
    load_splat(e, XT1, bytes, sign_bit(bytes));
    vpxor(a, XT0, XT1, arg_operand(e, ref, 0));
    vpxor(a, XT1, XT1, arg_operand(e, ref, 1));
    vex_rvm(a, opcode_gt[lane_log2(bytes)], dst, XT0, asm_reg(XT1));
}

void vec_compare_unsigned(struct emit *e, ir_ref ref)
{
    unsigned r = xmm_dst(e, ref);
    greater_unsigned(e, ref, emit_insn(e, ref)->size, r);
    emit_done(e, ref, r);
}

void vec_minmax_quads(struct emit *e, ir_ref ref)
{
    struct assembler *a = &e->as;
    enum ir_op op = emit_insn(e, ref)->op;
    bool max = op == IR_VSMAX || op == IR_VUMAX;
    if (op == IR_VUMIN || op == IR_VUMAX)
        greater_unsigned(e, ref, 8, XT0);
    else
        vpcmpgtq(a, XT0, arg_xmm(e, ref, 0, XT1), arg_operand(e, ref, 1));
    unsigned r = xmm_dst(e, ref), x = arg_xmm(e, ref, max ? 1 : 0, XT1);
    vblendvpd(a, r, x, arg_operand(e, ref, max ? 0 : 1), XT0);
    emit_done(e, ref, r);
}

/* ---- saturating arithmetic ------------------------------------------------------------------------------------- */

/* VQADDS, VQSUBS. The wrapped result has the wrong sign where it overflows: that sign tells which limit is meant. */
void vec_qadd_signed(struct emit *e, ir_ref ref)
{
    struct assembler *a = &e->as;
    const struct ir_insn *insn = emit_insn(e, ref);
    bool add = insn->op == IR_VQADDS, wide = insn->size == 8;
    unsigned x = arg_xmm(e, ref, 0, XT1), log2 = lane_log2(insn->size);
    vex_rvm(a, add ? opcode_add[log2] : opcode_sub[log2], XT0, x, arg_operand(e, ref, 1));
    vpxor(a, XT2, add ? XT0 : x, arg_operand(e, ref, 1)); /* sum and y, or x and y, differ in sign */
    vpxor(a, XT1, x, asm_reg(XT0));
    vpand(a, XT1, XT1, asm_reg(XT2));
    if (wide) {
        set_zero(e, XT2);
        vpcmpgtq(a, XT2, XT2, asm_reg(XT0));
    } else {
        vpsrad(a, XT2, XT0, 31);
    }
    vpxor(a, XT2, XT2, pool_splat(e, insn->size, sign_bit(insn->size)));
    unsigned r = xmm_dst(e, ref);
    vex_rvmr(a, wide ? X86_vblendvpd : X86_vblendvps, r, XT0, asm_reg(XT2), XT1);
    emit_done(e, ref, r);
}

void vec_qadd_unsigned(struct emit *e, ir_ref ref)
{
    struct assembler *a = &e->as;
    unsigned r = xmm_dst(e, ref);
    if (emit_insn(e, ref)->size == 4) { /* x + min(y, ~x) */
        set_ones(e, XT0);
        vpxor(a, XT0, XT0, arg_operand(e, ref, 0));
        vpminud(a, XT0, XT0, arg_operand(e, ref, 1));
        vpaddd(a, r, XT0, arg_operand(e, ref, 0));
    } else { /* the sum, or all ones where x > sum */
        vpaddq(a, XT0, arg_xmm(e, ref, 0, XT0), arg_operand(e, ref, 1));
        load_splat(e, XT1, 8, sign_bit(8));
        vpxor(a, XT2, XT1, arg_operand(e, ref, 0));
        vpxor(a, XT1, XT1, asm_reg(XT0));
        vpcmpgtq(a, XT2, XT2, asm_reg(XT1));
        vpor(a, r, XT0, asm_reg(XT2));
    }
    emit_done(e, ref, r);
}

void vec_qsub_unsigned(struct emit *e, ir_ref ref)
{
    struct assembler *a = &e->as;
    unsigned r = xmm_dst(e, ref);
    if (emit_insn(e, ref)->size == 4) { /* max(x, y) - y */
        vpmaxud(a, XT0, arg_xmm(e, ref, 0, XT0), arg_operand(e, ref, 1));
        vpsubd(a, r, XT0, arg_operand(e, ref, 1));
    } else {
        greater_unsigned(e, ref, 8, XT0);
        vpsubq(a, XT1, arg_xmm(e, ref, 0, XT1), arg_operand(e, ref, 1));
        vpand(a, r, XT0, asm_reg(XT1));
    }
    emit_done(e, ref, r);
}

/* ---- sums, products, bits -------------------------------------------------------------------------------------- */

/* Products of the even bytes and of the odd ones, as words. */
void vec_mul_bytes(struct emit *e, ir_ref ref)
{
    struct assembler *a = &e->as;
    unsigned r = xmm_dst(e, ref), x = arg_xmm(e, ref, 0, XT1);
    vpsrlw(a, XT0, x, 8);
    load_splat(e, XT2, 2, 0xff00);
    vpand(a, XT2, XT2, arg_operand(e, ref, 1));
    vpmullw(a, XT0, XT0, asm_reg(XT2));
    vpmullw(a, XT2, x, arg_operand(e, ref, 1));
    vpand(a, XT2, XT2, pool_splat(e, 2, 0x00ff));
    vpor(a, r, XT0, asm_reg(XT2));
    emit_done(e, ref, r);
}

/* VMULLS, VMULLU */
void vec_mul_long(struct emit *e, ir_ref ref)
{
    struct assembler *a = &e->as;
    const struct ir_insn *insn = emit_insn(e, ref);
    bool is_signed = insn->op == IR_VMULLS;
    unsigned r = xmm_dst(e, ref);
    if (insn->size == 1) {
        uint32_t widen = is_signed ? X86_vpmovsxbw : X86_vpmovzxbw;
        vex_rm(a, widen, XT0, arg_operand(e, ref, 0));
        vex_rm(a, widen, XT1, arg_operand(e, ref, 1));
        vpmullw(a, r, XT0, asm_reg(XT1));
    } else if (insn->size == 2) {
        unsigned x = arg_xmm(e, ref, 0, XT1);
        vpmullw(a, XT0, x, arg_operand(e, ref, 1));
        vex_rvm(a, is_signed ? X86_vpmulhw : X86_vpmulhuw, XT2, x, arg_operand(e, ref, 1));
        vpunpcklwd(a, r, XT0, asm_reg(XT2));
    } else {
        vpmovzxdq(a, XT0, arg_operand(e, ref, 0));
        vpmovzxdq(a, XT1, arg_operand(e, ref, 1));
        vex_rvm(a, is_signed ? X86_vpmuldq : X86_vpmuludq, r, XT0, asm_reg(XT1));
    }
    emit_done(e, ref, r);
}

/* VADDP of lanes of 1 and 8 bytes */
void vec_add_pairs(struct emit *e, ir_ref ref)
{
    struct assembler *a = &e->as;
    unsigned r = xmm_dst(e, ref);
    if (emit_insn(e, ref)->size == 1) { /* bytes times one, added to words */
        vpmaddubsw(a, XT0, arg_xmm(e, ref, 0, XT0), pool_splat(e, 1, 1));
        vpmaddubsw(a, XT1, arg_xmm(e, ref, 1, XT1), pool_splat(e, 1, 1));
        vpand(a, XT0, XT0, pool_splat(e, 2, 0x00ff));
        vpand(a, XT1, XT1, pool_splat(e, 2, 0x00ff));
        vpackuswb(a, r, XT0, asm_reg(XT1));
    } else {
        unsigned x = arg_xmm(e, ref, 0, XT1);
        vpunpcklqdq(a, XT0, x, arg_operand(e, ref, 1));
        vpunpckhqdq(a, XT1, x, arg_operand(e, ref, 1));
        vpaddq(a, r, XT0, asm_reg(XT1));
    }
    emit_done(e, ref, r);
}

void vec_popcount(struct emit *e, ir_ref ref)
{
    struct assembler *a = &e->as;
    unsigned r = xmm_dst(e, ref), x = arg_xmm(e, ref, 0, XT1);
    vpand(a, XT0, x, pool_splat(e, 1, 0x0f));
    vpsrlw(a, XT1, x, 4);
    vpand(a, XT1, XT1, pool_splat(e, 1, 0x0f));
    /* The number of bits in 0 to 15. */
    vmovaps(a, XT2, emit_pool_operand(e, UINT64_C(0x0302020102010100), UINT64_C(0x0403030203020201)));
    vpshufb(a, XT0, XT2, asm_reg(XT0));
    vpshufb(a, XT1, XT2, asm_reg(XT1));
    vpaddb(a, r, XT0, asm_reg(XT1));
    emit_done(e, ref, r);
}

/* The bytes' counts: of the upper nibble, or four more than of the lower one where that is less. */
static void count_leading_bytes(struct emit *e, ir_ref ref, unsigned dst)
{
    struct assembler *a = &e->as;
    unsigned x = arg_xmm(e, ref, 0, XT1);
    vpand(a, XT0, x, pool_splat(e, 1, 0x0f));
    vpsrlw(a, XT1, x, 4);
    vpand(a, XT1, XT1, pool_splat(e, 1, 0x0f));
    vmovaps(a, XT2, emit_pool_operand(e, UINT64_C(0x0505050506060708), UINT64_C(0x0404040404040404)));
    vpshufb(a, XT0, XT2, asm_reg(XT0));
    vmovaps(a, XT2, emit_pool_operand(e, UINT64_C(0x010101010202030f), 0));
    vpshufb(a, XT1, XT2, asm_reg(XT1));
    vpminub(a, dst, XT0, asm_reg(XT1));
}

/* XT0's counts of halves of lanes to those of the lanes: the lower half's counts where the upper one is all zeros. */
static void count_leading_wider(struct emit *e, bool words, unsigned dst)
{
    struct assembler *a = &e->as;
    void (*const right)(struct assembler *, unsigned, unsigned, unsigned) = words ? vpsrld : vpsrlw;
    unsigned bits = words ? 16 : 8;
    vex_rvm(a, words ? X86_vpcmpeqw : X86_vpcmpeqb, XT1, XT0, pool_splat(e, words ? 2 : 1, bits));
    right(a, XT1, XT1, bits);
    vpand(a, XT1, XT1, asm_reg(XT0));
    right(a, XT0, XT0, bits);
    vex_rvm(a, words ? X86_vpaddd : X86_vpaddw, dst, XT0, asm_reg(XT1));
}

void vec_count_leading(struct emit *e, ir_ref ref)
{
    unsigned r = xmm_dst(e, ref), size = emit_insn(e, ref)->size;
    count_leading_bytes(e, ref, size == 1 ? r : XT0);
    if (size >= 2)
        count_leading_wider(e, false, size == 2 ? r : XT0);
    if (size == 4)
        count_leading_wider(e, true, r);
    emit_done(e, ref, r);
}

/* VDMULH of halves. What imm 2 rounds down are the ties of imm 1: products whose doubled low half is 0x8000. */
static void mul_high_doubled_halves(struct emit *e, ir_ref ref, unsigned rounding, unsigned r)
{
    struct assembler *a = &e->as;
    unsigned x = arg_xmm(e, ref, 0, XT1);
    if (rounding == 1) {
        vpmulhrsw(a, r, x, arg_operand(e, ref, 1));
        return;
    }
    vpmullw(a, XT0, x, arg_operand(e, ref, 1));
    if (rounding == 0) {
        vpmulhw(a, XT1, x, arg_operand(e, ref, 1));
        vpsrlw(a, XT0, XT0, 15);
        vpaddw(a, XT1, XT1, asm_reg(XT1));
        vpor(a, r, XT0, asm_reg(XT1));
    } else {
        vpaddw(a, XT0, XT0, asm_reg(XT0));
        vpcmpeqw(a, XT0, XT0, pool_splat(e, 2, 0x8000));
        vpmulhrsw(a, XT1, x, arg_operand(e, ref, 1));
        vpaddw(a, r, XT0, asm_reg(XT1));
    }
}

/* … of words: even and odd ones' products, doubled in lanes of eight bytes. */
static void mul_high_doubled_words(struct emit *e, ir_ref ref, unsigned rounding, unsigned r)
{
    struct assembler *a = &e->as;
    unsigned x = arg_xmm(e, ref, 0, XT1);
    vpmuldq(a, XT0, x, arg_operand(e, ref, 1));
    vpsrlq(a, XT1, x, 32);
    vpsrlq(a, XT2, arg_xmm(e, ref, 1, XT2), 32);
    vpmuldq(a, XT1, XT1, asm_reg(XT2));
    vpaddq(a, XT0, XT0, asm_reg(XT0));
    vpaddq(a, XT1, XT1, asm_reg(XT1));
    if (rounding) {
        vpaddq(a, XT0, XT0, pool_splat(e, 8, UINT64_C(0x80000001) - rounding));
        vpaddq(a, XT1, XT1, pool_splat(e, 8, UINT64_C(0x80000001) - rounding));
    }
    vpsrlq(a, XT0, XT0, 32);
    vpblendd(a, r, XT0, asm_reg(XT1), 0xa);
}

void vec_mul_high_doubled(struct emit *e, ir_ref ref)
{
    const struct ir_insn *insn = emit_insn(e, ref);
    unsigned r = xmm_dst(e, ref);
    (insn->size == 2 ? mul_high_doubled_halves : mul_high_doubled_words)(e, ref, (unsigned)insn->imm, r);
    emit_done(e, ref, r);
}

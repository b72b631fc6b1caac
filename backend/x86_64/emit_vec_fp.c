/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Vector floating point. The tests of results are those of emit_fp.c, for any lane. */
#include "backend/x86_64/emit_vec.h"

/* ---- arithmetic ------------------------------------------------------------------------------------------------ */

/* Branches to the exact path when a lane of `result` is a NaN, or with `tiny` the smallest normal number. */
static void check_lanes(struct emit *e, ir_ref ref, unsigned bytes, unsigned result, bool tiny)
{
    struct assembler *a = &e->as;
    uint32_t cmp = bytes == 8 ? X86_vcmppd : X86_vcmpps;
    if (tiny) {
        vandps(a, XT1, result, pool_splat(e, bytes, FP_ABS(bytes)));
        vex_rvmi(a, cmp, XT1, XT1, pool_splat(e, bytes, FP_SMALLEST(bytes)), CMP_EQ_UQ);
    } else {
        vex_rvmi(a, cmp, XT1, result, asm_reg(result), CMP_UNORD_Q);
    }
    vtestps(a, XT1, asm_reg(XT1));
    emit_later_jcc(e, JNE, emit_exact, ref)->regs[0] = (uint8_t)result;
}

/* Branches to the exact path when a lane of `result` is the smallest normal number. */
static void check_tiny_lanes(struct emit *e, ir_ref ref, unsigned bytes, unsigned result)
{
    struct assembler *a = &e->as;
    vex_rvm(a, bytes == 8 ? X86_vpaddq : X86_vpaddd, XT1, result, asm_reg(result)); /* without the signs */
    vex_rvm(a, bytes == 8 ? X86_vpcmpeqq : X86_vpcmpeqd, XT1, XT1, pool_splat(e, bytes, 2 * FP_SMALLEST(bytes)));
    vmovmsk(a, bytes, T0, XT1);
    x_test(a, 0, T0, T0);
    emit_later_jcc(e, JNE, emit_exact, ref)->regs[0] = (uint8_t)result;
}

/* VFADD … VFDIV, VFSQRT, VFMA */
void vec_fp_arith(struct emit *e, ir_ref ref)
{
    static const struct {
        uint32_t opcode[2];
        bool commutes;
    } rows[] = {
        [IR_VFADD - IR_VFADD] = {{X86_vaddps, X86_vaddpd}, true},
        [IR_VFSUB - IR_VFADD] = {{X86_vsubps, X86_vsubpd}, false},
        [IR_VFMUL - IR_VFADD] = {{X86_vmulps, X86_vmulpd}, true},
        [IR_VFDIV - IR_VFADD] = {{X86_vdivps, X86_vdivpd}, false},
        [IR_VFSQRT - IR_VFADD] = {{X86_vsqrtps, X86_vsqrtpd}, false},
        [IR_VFMA - IR_VFADD] = {{X86_vfmadd231ps, X86_vfmadd231pd}, true},
    };
    const struct ir_insn *insn = emit_insn(e, ref);
    unsigned row = insn->op - IR_VFADD;
    uint32_t opcode = rows[row].opcode[insn->size == 8];
    bool trap = e->region->trap_invalid, fused = insn->op == IR_VFMA, tiny = fp_can_be_tiny(e, ref);
    unsigned r = trap && !tiny ? xmm_dst(e, ref) : fp_result(e, ref);
    if (fused) {
        fp_fma(e, ref, opcode, r);
    } else if (insn->op == IR_VFSQRT) {
        struct asm_operand x = arg_operand(e, ref, 0);
        uint32_t offset = asm_offset(&e->as);
        vex_rm(&e->as, opcode, r, x);
        if (trap)
            fp_trap(e, ref, offset, r);
    } else {
        uint32_t offset = fp_binary(e, ref, opcode, r, rows[row].commutes && !trap);
        if (trap)
            fp_trap(e, ref, offset, r);
    }
    if (!trap || fused)
        check_lanes(e, ref, insn->size, r, tiny);
    else if (tiny)
        check_tiny_lanes(e, ref, insn->size, r);
    emit_done(e, ref, r);
}

/* See minmax() in emit_fp.c. */
void vec_fp_minmax(struct emit *e, ir_ref ref)
{
    struct assembler *a = &e->as;
    const struct ir_insn *insn = emit_insn(e, ref);
    bool wide = insn->size == 8, max = insn->op == IR_VFMAX || insn->op == IR_VFMAXNM;
    uint32_t opcode = max ? wide ? X86_vmaxpd : X86_vmaxps : wide ? X86_vminpd : X86_vminps;
    unsigned x = arg_xmm(e, ref, 0, XT1), y = arg_xmm(e, ref, 1, XT2), r = xmm_dst(e, ref);
    vex_rvmi(a, wide ? X86_vcmppd : X86_vcmpps, XT0, x, asm_reg(y), CMP_UNORD_Q);
    vtestps(a, XT0, asm_reg(XT0));
    struct later *unordered = emit_later_jcc(e, JNE, emit_exact, ref);
    unordered->regs[0] = (uint8_t)r;
    vex_rvm(a, opcode, XT0, x, asm_reg(y));
    vex_rvm(a, opcode, XT1, y, asm_reg(x));
    vex_rvm(a, max ? X86_vandps : X86_vorps, r, XT0, asm_reg(XT1));
    unordered->back = asm_offset(a);
    emit_done(e, ref, r);
}

void vec_fp_compare(struct emit *e, ir_ref ref)
{
    const struct ir_insn *insn = emit_insn(e, ref);
    enum ir_flag_cond cond = IR_FCMP_COND(insn->mode);
    unsigned predicate = cond == IR_FLAG_EQ ? CMP_EQ_OQ : cond == IR_FLAG_GE ? CMP_GE_OS : CMP_GT_OS;
    unsigned r = xmm_dst(e, ref);
    vex_rvmi(&e->as, insn->size == 8 ? X86_vcmppd : X86_vcmpps, r, arg_xmm(e, ref, 0, XT0), arg_operand(e, ref, 1),
             predicate);
    emit_done(e, ref, r);
}

void vec_fp_narrow(struct emit *e, ir_ref ref)
{
    unsigned r = fp_result(e, ref);
    vcvtpd2ps(&e->as, r, asm_reg(arg_xmm(e, ref, 0, XT1)));
    check_lanes(e, ref, 4, r, true);
    emit_done(e, ref, r);
}

/* ---- from integers --------------------------------------------------------------------------------------------- */

/* r = high * 2^16 + low, both halves converted exactly: one rounding. */
static void from_unsigned_words(struct emit *e, ir_ref ref, unsigned r)
{
    struct assembler *a = &e->as;
    unsigned x = arg_xmm(e, ref, 0, XT1);
    vpsrld(a, XT0, x, 16);
    vpand(a, XT1, x, pool_splat(e, 4, 0xffff));
    vcvtdq2ps(a, XT0, asm_reg(XT0));
    vcvtdq2ps(a, XT1, asm_reg(XT1));
    vfmadd231ps(a, XT1, XT0, pool_splat(e, 4, 0x47800000)); /* 2^16 */
    emit_xmm_move(e, r, XT1);
}

/* The halves become significands: of 2^52 + low, and of 2^84 + high * 2^32; what was added is subtracted exactly. A
   zero difference is negative when rounding down, hence the cleared sign. */
static void from_unsigned_quads(struct emit *e, ir_ref ref, unsigned r)
{
    struct assembler *a = &e->as;
    unsigned x = arg_xmm(e, ref, 0, XT1);
    const uint64_t two52 = UINT64_C(0x4330000000000000), two84 = UINT64_C(0x4530000000000000);
    vpblendd(a, XT0, x, pool_splat(e, 8, two52), 0xa);
    vsubpd(a, XT0, XT0, pool_splat(e, 8, two52));
    vpsrlq(a, XT1, x, 32);
    vpor(a, XT1, XT1, pool_splat(e, 8, two84));
    vsubpd(a, XT1, XT1, pool_splat(e, 8, two84));
    vandps(a, XT0, XT0, pool_splat(e, 8, FP_ABS(8)));
    vandps(a, XT1, XT1, pool_splat(e, 8, FP_ABS(8)));
    vaddpd(a, r, XT0, asm_reg(XT1));
}

static void from_signed_quads(struct emit *e, ir_ref ref, unsigned r)
{
    struct assembler *a = &e->as;
    unsigned x = arg_xmm(e, ref, 0, XT1);
    vmov_to_gpr(a, 1, asm_reg(T0), x);
    vpextr(a, 8, asm_reg(T1), x, 1);
    set_zero(e, XT0);
    vcvtsi2sd(a, 1, XT1, XT0, asm_reg(T0));
    vcvtsi2sd(a, 1, XT0, XT0, asm_reg(T1));
    vpunpcklqdq(a, r, XT1, asm_reg(XT0));
}

/* VSITOF, VUITOF */
void vec_from_integer(struct emit *e, ir_ref ref)
{
    const struct ir_insn *insn = emit_insn(e, ref);
    unsigned r = xmm_dst(e, ref);
    if (insn->op == IR_VUITOF && insn->size == 8)
        from_unsigned_quads(e, ref, r);
    else if (insn->op == IR_VUITOF)
        from_unsigned_words(e, ref, r);
    else if (insn->size == 8)
        from_signed_quads(e, ref, r);
    else
        vcvtdq2ps(&e->as, r, arg_operand(e, ref, 0));
    if (insn->mode) /* bits of fraction: scaling a normal number is exact */
        vex_rvm(&e->as, insn->size == 8 ? X86_vmulpd : X86_vmulps, r, r,
                pool_splat(e, insn->size,
                           insn->size == 8 ? (UINT64_C(1023) - insn->mode) << 52 : (UINT64_C(127) - insn->mode) << 23));
    emit_done(e, ref, r);
}

/* ---- to integers ----------------------------------------------------------------------------------------------- */

void vec_convert_lanes(struct emit *e, unsigned bytes, bool truncate, unsigned x)
{
    struct assembler *a = &e->as;
    if (bytes == 4) {
        vex_rm(a, truncate ? X86_vcvttps2dq : X86_vcvtps2dq, XT0, asm_reg(x));
        return;
    }
    uint32_t opcode = (uint32_t)(truncate ? X86_vcvttsd2si : X86_vcvtsd2si) | X86_W;
    vex_rm(a, opcode, T0, asm_reg(x));
    vpunpckhqdq(a, XT0, x, asm_reg(x));
    vex_rm(a, opcode, T1, asm_reg(XT0));
    vmov_from_gpr(a, 1, XT0, asm_reg(T0));
    vpinsr(a, 8, XT0, XT0, asm_reg(T1), 1);
}

/* r = XT0 where that is right: the host's result is the smallest integer for what is out of range. */
static void saturate_lanes(struct emit *e, unsigned bytes, unsigned x, unsigned r)
{
    struct assembler *a = &e->as;
    bool wide = bytes == 8;
    uint32_t cmp = wide ? X86_vcmppd : X86_vcmpps;
    uint64_t limit = wide ? UINT64_C(0x43e0000000000000) : UINT64_C(0x4f000000); /* 2^63, 2^31 */
    vex_rvmi(a, cmp, XT1, x, pool_splat(e, bytes, limit), CMP_GE_OQ);
    vpxor(a, XT0, XT0, asm_reg(XT1));
    vex_rvmi(a, cmp, XT1, x, asm_reg(x), CMP_ORD_Q);
    vpand(a, r, XT0, asm_reg(XT1));
}

/*
 * VFTOSI, VFTOUI. Values too large for the lanes are integral, so that rounding them cannot raise inexact. Unsigned:
 * where a lane is not from 0 to the largest signed integer, the exact path.
 */
void vec_to_integer(struct emit *e, ir_ref ref)
{
    struct assembler *a = &e->as;
    const struct ir_insn *insn = emit_insn(e, ref);
    if (IR_FRACTION(insn->mode)) {
        vec_to_fixed(e, ref);
        return;
    }
    bool wide = insn->size == 8, is_signed = insn->op == IR_VFTOSI;
    enum fp_kind kind = fp_kind(insn);
    enum ir_round round = IR_ROUND(insn->mode);
    unsigned r = xmm_dst(e, ref), x = arg_xmm(e, ref, 0, XT2);
    struct later *exact = NULL;
    if (!is_signed) {
        uint64_t last = wide ? UINT64_C(0x43dfffffffffffff) : UINT64_C(0x4effffff); /* before 2^63, 2^31 */
        vex_rvm(a, wide ? X86_vpcmpgtq : X86_vpcmpgtd, XT0, x, pool_splat(e, insn->size, last));
        vpor(a, XT0, XT0, asm_reg(x));
        vex_rm(a, wide ? X86_vtestpd : X86_vtestps, XT0, asm_reg(XT0)); /* a sign bit set? */
        exact = emit_later_jcc(e, JNE, emit_exact, ref);
        exact->regs[0] = (uint8_t)r;
    }
    if (round == IR_ROUND_ZERO || round == IR_ROUND_CURRENT) {
        vec_convert_lanes(e, insn->size, round == IR_ROUND_ZERO, x);
    } else {
        if (round == IR_ROUND_AWAY) {
            vec_convert_lanes(e, insn->size, true, x); /* raises inexact when it is: fp_round_away() does not */
            fp_round_away(e, kind, XT0, x);
        } else {
            fp_vround(e, kind, XT0, x, fp_round_imm(round));
        }
        vec_convert_lanes(e, insn->size, true, XT0);
    }
    if (is_signed)
        saturate_lanes(e, insn->size, x, r);
    else
        emit_xmm_move(e, r, XT0);
    if (exact)
        exact->back = asm_offset(a);
    emit_done(e, ref, r);
}

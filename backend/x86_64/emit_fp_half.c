/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Half precision: eight lanes are widened to single precision (F16C), the operation is done there, and the result is
 * narrowed in the same rounding mode.
 *
 * Rounding twice is harmless in the directed modes. To nearest, it is for sums, products, quotients and roots, because
 * single precision has 24 bits, 2 * 11 + 2 (S. A. Figueroa, "When is double rounding innocuous?", 1995); results that are
 * denormal as halves, too: sums and products are exact then, quotients are not that close to the middle of two halves.
 * It is not for fused operations: c + a * b may lie a little beside the middle of two halves and be rounded to it
 * first. Such a result is looked at more closely, and takes the exact path (fp_fixup.c) if it was rounded; so does
 * any denormal one.
 *
 * Status: widening raises invalid for signaling NaNs, as the operation would; what the operation raises in single
 * precision (inexact, division by zero, invalid) is true of the narrowed result, too; overflow and underflow come from
 * narrowing, with the difference about tininess that emit_fp.c describes.
 */
#include "backend/x86_64/emit_vec.h"

enum { BY_MXCSR = 4 /* rounding of vcvtps2ph */, LANE = 2, INFINITY_TWICE = 0xf800, SMALLEST_TWICE = 0x0800 };

static const uint64_t sign_single = UINT64_C(0x80000000);

/* ---- parts ----------------------------------------------------------------------------------------------------- */

/* YMM dst = the lanes of argument k in single precision. */
static void widen(struct emit *e, ir_ref ref, unsigned k, unsigned dst)
{
    vex_rm(&e->as, X86_vcvtph2ps | X86_L, dst, arg_operand(e, ref, k));
}

/* YMM dst = the single-precision number in all lanes. */
static void load_singles(struct emit *e, unsigned dst, uint32_t bits)
{
    vex_rm(&e->as, X86_vbroadcastss | X86_L, dst, pool_splat(e, 4, bits));
}

/* dst = the lanes of YMM x as halves. The upper halves of registers are clean afterwards. */
static void narrow(struct emit *e, unsigned dst, unsigned x)
{
    vcvtps2ph(&e->as, X86_L, asm_reg(dst), x, BY_MXCSR);
    vzeroupper(&e->as);
}

/* dst = the lanes of YMM x, integers or masks of 32 bits, as 16 bits by `pack`, vpackssdw or vpackusdw. XT1 is lost. */
static void pack_integers(struct emit *e, uint32_t pack, unsigned dst, unsigned x)
{
    vextract_high(&e->as, XT1, x);
    vex_rvm(&e->as, pack, dst, x, asm_reg(XT1));
    vzeroupper(&e->as);
}

/* Branches to the exact path when a lane of `result` is a NaN, or with `tiny` the smallest normal number. XT1 and XT2
   are lost. */
static void check_halves(struct emit *e, ir_ref ref, unsigned result, bool tiny)
{
    struct assembler *a = &e->as;
    vpaddw(a, XT1, result, asm_reg(result)); /* without the signs */
    if (tiny)
        vpcmpeqw(a, XT2, XT1, pool_splat(e, LANE, SMALLEST_TWICE));
    vpsubusw(a, XT1, XT1, pool_splat(e, LANE, INFINITY_TWICE));
    if (tiny)
        vpor(a, XT1, XT1, asm_reg(XT2));
    vptest(a, XT1, asm_reg(XT1));
    emit_later_jcc(e, JNE, emit_exact, ref)->regs[0] = (uint8_t)result;
}

/* Branches to the exact path when an operand is infinite or a NaN: `ref` needs no test for NaNs then. */
static void check_operands(struct emit *e, ir_ref ref, unsigned result)
{
    struct assembler *a = &e->as;
    unsigned x = arg_xmm(e, ref, 0, XT0), y = arg_xmm(e, ref, 1, XT1);
    vpaddw(a, XT0, x, asm_reg(x));
    vpaddw(a, XT1, y, asm_reg(y));
    vpmaxuw(a, XT0, XT0, asm_reg(XT1));
    vpsubusw(a, XT0, XT0, pool_splat(e, LANE, INFINITY_TWICE - 1));
    vptest(a, XT0, asm_reg(XT0));
    emit_later_jcc(e, JNE, emit_exact, ref)->regs[0] = (uint8_t)result;
}

/* YMM `mask` gets its top bits set where a lane of YMM x is in the middle of two halves: bit 12 is set and those below
   are not. Shifted to the top that is the number whose absolute value is negative. */
static void find_middles(struct emit *e, unsigned mask, unsigned x)
{
    vex_vmi(&e->as, X86_vpslld | X86_L, 6, mask, x, 19);
    vex_rm(&e->as, X86_vpabsd | X86_L, mask, asm_reg(mask));
}

static uint32_t jump_if_signs(struct emit *e, unsigned mask)
{
    vex_rm(&e->as, X86_vtestps | X86_L, mask, asm_reg(mask));
    return x_jcc(&e->as, JNE);
}

/* ---- arithmetic ------------------------------------------------------------------------------------------------ */

/* VFADD … VFSQRT */
static void arith(struct emit *e, ir_ref ref)
{
    static const uint32_t opcodes[] = {X86_vaddps, X86_vsubps, X86_vmulps, X86_vdivps};
    const struct ir_insn *insn = emit_insn(e, ref);
    unsigned r = fp_result(e, ref);
    widen(e, ref, 0, XT0);
    if (insn->op == IR_VFSQRT) {
        vex_rm(&e->as, X86_vsqrtps | X86_L, XT0, asm_reg(XT0));
    } else {
        widen(e, ref, 1, XT1);
        vex_rvm(&e->as, opcodes[insn->op - IR_VFADD] | X86_L, XT0, XT0, asm_reg(XT1));
    }
    narrow(e, r, XT0);
    check_halves(e, ref, r, fp_can_be_tiny(e, ref));
    emit_done(e, ref, r);
}

/*
 * A lane of the sums in YMM XT1 is in the middle of two halves. If the sum s of the product p, which is exact, and the
 * addend c is exact, too, that is where it belongs: if s - p is c and s - c is p. (When rounding to nearest, the
 * rounding error of s is the sum of the errors of these two: the 2Sum of Knuth and Møller.) These raise nothing unless
 * s was inexact.
 */
static void later_middle(struct emit *e, const struct later *l)
{
    struct assembler *a = &e->as;
    struct asm_operand sums = asm_at(thunk_operands());
    vex_rm(a, X86_vmovups_store | X86_L, XT1, sums);
    load_singles(e, XT0, 0x7f800000); /* an infinity less an infinity would be invalid */
    vex_rvm(a, X86_vandps | X86_L, XT2, XT1, asm_reg(XT0));
    vex_rvm(a, X86_vpcmpeqd | X86_L, XT2, XT2, asm_reg(XT0));
    uint32_t infinite = jump_if_signs(e, XT2);
    widen(e, l->ref, 0, XT0);
    widen(e, l->ref, 1, XT2);
    vex_rvm(a, X86_vmulps | X86_L, XT0, XT0, asm_reg(XT2));
    widen(e, l->ref, 2, XT2);
    vex_rvm(a, X86_vsubps | X86_L, XT1, XT1, asm_reg(XT0));
    vex_rvmi(a, X86_vcmpps | X86_L, XT1, XT1, asm_reg(XT2), CMP_NE_UQ);
    vex_rvm(a, X86_vsubps | X86_L, XT2, XT2, sums);
    vex_rvm(a, X86_vaddps | X86_L, XT2, XT2, asm_reg(XT0)); /* (c - s) + p, zero if and only if s - c is p */
    vex_rvm(a, X86_vxorps | X86_L, XT0, XT0, asm_reg(XT0));
    vex_rvmi(a, X86_vcmpps | X86_L, XT2, XT2, asm_reg(XT0), CMP_NE_UQ);
    vex_rvm(a, X86_vorps | X86_L, XT0, XT2, asm_reg(XT1));
    vex_rm(a, X86_vmovups | X86_L, XT1, sums);
    find_middles(e, XT2, XT1);
    vex_rvm(a, X86_vandps | X86_L, XT2, XT2, asm_reg(XT0));
    uint32_t rounded = jump_if_signs(e, XT2);
    asm_patch(a, x_jmp(a), (uint32_t)l->data);
    asm_patch(a, infinite, asm_offset(a));
    asm_patch(a, rounded, asm_offset(a));
    vzeroupper(a);
    emit_exact(e, l);
}

static void fused(struct emit *e, ir_ref ref)
{
    const uint32_t first = e->nlaters;
    struct assembler *a = &e->as;
    unsigned r = fp_result(e, ref);
    widen(e, ref, 0, XT0);
    widen(e, ref, 1, XT1);
    widen(e, ref, 2, XT2);
    vex_rvm(a, X86_vmulps | X86_L, XT0, XT0, asm_reg(XT1));
    vex_rvm(a, X86_vaddps | X86_L, XT1, XT0, asm_reg(XT2));
    find_middles(e, XT0, XT1);
    vex_rm(a, X86_vtestps | X86_L, XT0, asm_reg(XT0));
    struct later *l = emit_later_jcc(e, JNE, later_middle, ref);
    l->regs[0] = (uint8_t)r;
    l->data = l->back;
    narrow(e, r, XT1);
    /* Without the sign: 2 … 0x800 is a denormal, or the smallest normal number. Less two, and with the order of the
       unsigned numbers turned into the reverse one of signed numbers, those are the largest. */
    vpaddw(a, XT1, r, asm_reg(r));
    vpaddw(a, XT2, XT1, pool_splat(e, LANE, 0xfffe));
    vpxor(a, XT2, XT2, pool_splat(e, LANE, 0x7fff));
    vpcmpgtw(a, XT2, XT2, pool_splat(e, LANE, (SMALLEST_TWICE - 1) ^ 0x7fff));
    vpsubusw(a, XT1, XT1, pool_splat(e, LANE, INFINITY_TWICE));
    vpor(a, XT1, XT1, asm_reg(XT2));
    vptest(a, XT1, asm_reg(XT1));
    emit_later_jcc(e, JNE, emit_exact, ref)->regs[0] = (uint8_t)r;
    emit_back_here(e, first);
    emit_done(e, ref, r);
}

static void extended_multiply(struct emit *e, ir_ref ref)
{
    const uint32_t first = e->nlaters;
    unsigned r = fp_result(e, ref);
    check_operands(e, ref, r);
    widen(e, ref, 0, XT0);
    widen(e, ref, 1, XT1);
    vex_rvm(&e->as, X86_vmulps | X86_L, XT0, XT0, asm_reg(XT1));
    narrow(e, r, XT0);
    check_halves(e, ref, r, true);
    emit_back_here(e, first);
    emit_done(e, ref, r);
}

/* VFRECPS, VFRSQRTS. The products do not overflow in single precision; results near zero are exact. */
static void step(struct emit *e, ir_ref ref)
{
    const uint32_t first = e->nlaters;
    struct assembler *a = &e->as;
    bool root = emit_insn(e, ref)->op == IR_VFRSQRTS;
    unsigned r = xmm_dst(e, ref);
    check_operands(e, ref, r);
    widen(e, ref, 0, XT0);
    widen(e, ref, 1, XT1);
    load_singles(e, XT2, root ? 0x40400000 : 0x40000000); /* 3, 2 */
    vex_rvm(a, X86_vfnmadd231ps | X86_L, XT2, XT0, asm_reg(XT1));
    if (root) {
        load_singles(e, XT1, 0x3f000000); /* a half */
        vex_rvm(a, X86_vmulps | X86_L, XT2, XT2, asm_reg(XT1));
    }
    find_middles(e, XT0, XT2);
    vex_rm(a, X86_vtestps | X86_L, XT0, asm_reg(XT0));
    emit_later_jcc(e, JNE, emit_exact, ref)->regs[0] = (uint8_t)r;
    narrow(e, r, XT2);
    emit_back_here(e, first);
    emit_done(e, ref, r);
}

/* See minmax() in emit_fp.c. */
static void minmax(struct emit *e, ir_ref ref)
{
    const uint32_t first = e->nlaters;
    struct assembler *a = &e->as;
    const struct ir_insn *insn = emit_insn(e, ref);
    bool max = insn->op == IR_VFMAX || insn->op == IR_VFMAXNM;
    uint32_t opcode = (uint32_t)(max ? X86_vmaxps : X86_vminps) | X86_L;
    unsigned r = xmm_dst(e, ref);
    widen(e, ref, 0, XT0);
    widen(e, ref, 1, XT1);
    vex_rvmi(a, X86_vcmpps | X86_L, XT2, XT0, asm_reg(XT1), CMP_UNORD_Q);
    vex_rm(a, X86_vtestps | X86_L, XT2, asm_reg(XT2));
    emit_later_jcc(e, JNE, emit_exact, ref)->regs[0] = (uint8_t)r;
    vex_rvm(a, opcode, XT2, XT0, asm_reg(XT1));
    vex_rvm(a, opcode, XT0, XT1, asm_reg(XT0));
    vex_rvm(a, (uint32_t)(max ? X86_vandps : X86_vorps) | X86_L, XT0, XT0, asm_reg(XT2));
    narrow(e, r, XT0);
    emit_back_here(e, first);
    emit_done(e, ref, r);
}

static void compare(struct emit *e, ir_ref ref)
{
    enum ir_flag_cond cond = IR_FCMP_COND(emit_insn(e, ref)->mode);
    unsigned predicate = cond == IR_FLAG_EQ ? CMP_EQ_OQ : cond == IR_FLAG_GE ? CMP_GE_OS : CMP_GT_OS;
    unsigned r = xmm_dst(e, ref);
    widen(e, ref, 0, XT0);
    widen(e, ref, 1, XT1);
    vex_rvmi(&e->as, X86_vcmpps | X86_L, XT0, XT0, asm_reg(XT1), predicate);
    pack_integers(e, X86_vpackssdw, r, XT0);
    emit_done(e, ref, r);
}

/* ---- rounding and conversions ---------------------------------------------------------------------------------- */

/* YMM XT0 = its lanes rounded to integral. Ties away: what is halfway becomes the next integral number when a half is
   added, exactly in single precision, and the rest is cut off. */
static void round_singles(struct emit *e, enum ir_round round, unsigned quiet)
{
    struct assembler *a = &e->as;
    if (round == IR_ROUND_AWAY) {
        if (!quiet)
            vex_rmi(a, X86_vroundps | X86_L, XT1, asm_reg(XT0), fp_round_imm(IR_ROUND_ZERO)); /* raises inexact */
        load_singles(e, XT1, (uint32_t)sign_single);
        vex_rvm(a, X86_vandps | X86_L, XT1, XT1, asm_reg(XT0));
        load_singles(e, XT2, 0x3f000000);
        vex_rvm(a, X86_vorps | X86_L, XT1, XT1, asm_reg(XT2));
        vex_rvm(a, X86_vaddps | X86_L, XT0, XT0, asm_reg(XT1));
        round = IR_ROUND_ZERO;
        quiet = ROUND_QUIET;
    }
    vex_rmi(a, X86_vroundps | X86_L, XT0, asm_reg(XT0), fp_round_imm(round) | quiet);
}

/* A NaN comes out quieted, with its payload. */
static void round_integral(struct emit *e, ir_ref ref)
{
    const struct ir_insn *insn = emit_insn(e, ref);
    unsigned r = xmm_dst(e, ref);
    widen(e, ref, 0, XT0);
    round_singles(e, IR_ROUND(insn->mode), insn->mode & IR_ROUND_INEXACT ? 0 : ROUND_QUIET);
    narrow(e, r, XT0);
    emit_done(e, ref, r);
}

/* VSITOF, VUITOF: nothing is rounded before the end. */
static void from_integer(struct emit *e, ir_ref ref)
{
    struct assembler *a = &e->as;
    const struct ir_insn *insn = emit_insn(e, ref);
    unsigned r = xmm_dst(e, ref);
    vex_rm(a, (uint32_t)(insn->op == IR_VSITOF ? X86_vpmovsxwd : X86_vpmovzxwd) | X86_L, XT0, arg_operand(e, ref, 0));
    vex_rm(a, X86_vcvtdq2ps | X86_L, XT0, asm_reg(XT0));
    if (insn->mode) {
        load_singles(e, XT1, (127u - insn->mode) << 23);
        vex_rvm(a, X86_vmulps | X86_L, XT0, XT0, asm_reg(XT1));
    }
    narrow(e, r, XT0);
    emit_done(e, ref, r);
}

/* VFTOSI, VFTOUI. The exact path before anything is raised when a lane is too large, infinite or a NaN; with VFTOUI,
   too, when it is negative. */
static void to_integer(struct emit *e, ir_ref ref)
{
    const uint32_t first = e->nlaters;
    struct assembler *a = &e->as;
    const struct ir_insn *insn = emit_insn(e, ref);
    bool is_signed = insn->op == IR_VFTOSI;
    unsigned fraction = IR_FRACTION(insn->mode), r = xmm_dst(e, ref), x = arg_xmm(e, ref, 0, XT2);
    enum ir_round round = fraction ? IR_ROUND_ZERO : IR_ROUND(insn->mode);
    unsigned limit = (15 + (is_signed ? 15 : 16) - fraction) << 10; /* 2^15, 2^16 less the bits of fraction */
    if (is_signed) {
        vpaddw(a, XT0, x, asm_reg(x));
        vpsubusw(a, XT0, XT0, pool_splat(e, LANE, 2 * limit - 1));
    } else {
        vpsubusw(a, XT0, x, pool_splat(e, LANE, limit - 1));
    }
    vptest(a, XT0, asm_reg(XT0));
    emit_later_jcc(e, JNE, emit_exact, ref)->regs[0] = (uint8_t)r;
    vex_rm(a, X86_vcvtph2ps | X86_L, XT0, asm_reg(x));
    if (fraction) {
        load_singles(e, XT1, (127u + fraction) << 23);
        vex_rvm(a, X86_vmulps | X86_L, XT0, XT0, asm_reg(XT1));
    }
    if (round != IR_ROUND_ZERO)
        round_singles(e, round, 0);
    vex_rm(a, X86_vcvttps2dq | X86_L, XT0, asm_reg(XT0));
    pack_integers(e, is_signed ? X86_vpackssdw : X86_vpackusdw, r, XT0);
    emit_back_here(e, first);
    emit_done(e, ref, r);
}

/* VFCVTN of single-precision lanes. */
static void narrow_singles(struct emit *e, ir_ref ref)
{
    unsigned r = fp_result(e, ref);
    vcvtps2ph(&e->as, 0, asm_reg(r), arg_xmm(e, ref, 0, XT1), BY_MXCSR);
    check_halves(e, ref, r, true);
    emit_done(e, ref, r);
}

void vec_half(struct emit *e, ir_ref ref)
{
    switch (emit_insn(e, ref)->op) {
    case IR_VFADD: case IR_VFSUB: case IR_VFMUL: case IR_VFDIV: case IR_VFSQRT:
        arith(e, ref);
        break;
    case IR_VFMA:
        fused(e, ref);
        break;
    case IR_VFMIN: case IR_VFMAX: case IR_VFMINNM: case IR_VFMAXNM:
        minmax(e, ref);
        break;
    case IR_VFMULX:
        extended_multiply(e, ref);
        break;
    case IR_VFRECPS: case IR_VFRSQRTS:
        step(e, ref);
        break;
    case IR_VFCMP:
        compare(e, ref);
        break;
    case IR_VFRINT:
        round_integral(e, ref);
        break;
    case IR_VSITOF: case IR_VUITOF:
        from_integer(e, ref);
        break;
    case IR_VFTOSI: case IR_VFTOUI:
        to_integer(e, ref);
        break;
    case IR_VFCVTN:
        narrow_singles(e, ref);
        break;
    case IR_VFRECPX:
        vec_fp_exponent(e, ref);
        break;
    default:
        vec_fp_estimate(e, ref);
    }
}

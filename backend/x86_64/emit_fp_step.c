/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Floating-point operations that Arm has and the host has not: estimates and steps, fixed point, rounding to odd,
 * bfloat16, products of halves. They decide before they raise anything whether the operands are ordinary ones, and
 * leave the rest to the exact path (fp_fixup.c). Half precision is in emit_fp_half.c, but for the estimates.
 */
#include "backend/x86_64/emit_vec.h"
#include "translator/softfp.h"

static unsigned fraction_bits(unsigned bytes) { return bytes == 8 ? 52 : bytes == 4 ? 23 : 10; }
static unsigned bias(unsigned bytes) { return bytes == 8 ? 1023 : bytes == 4 ? 127 : 15; }
static uint64_t sign_bit(unsigned bytes) { return UINT64_C(1) << (bytes * 8 - 1); }
/* Bits of 2^exponent. */
static uint64_t power(unsigned bytes, int exponent)
{
    return (uint64_t)((int)bias(bytes) + exponent) << fraction_bits(bytes);
}

static uint32_t by_size(unsigned bytes, uint32_t words, uint32_t longs, uint32_t quads)
{
    return bytes == 8 ? quads : bytes == 4 ? longs : words;
}

/* Branches to the exact path when a lane of `mask` has its top bit set. */
static void check_signs(struct emit *e, ir_ref ref, unsigned bytes, unsigned mask, unsigned result)
{
    if (bytes == 2)
        vptest(&e->as, mask, pool_splat(e, 2, 0x8000));
    else
        vex_rm(&e->as, bytes == 8 ? X86_vtestpd : X86_vtestps, mask, asm_reg(mask));
    emit_later_jcc(e, JNE, emit_exact, ref)->regs[0] = (uint8_t)result;
}

/* … when an operand's magnitude is `limit` or more, or it is a NaN. XT0 and XT1 are lost. */
static void check_magnitudes(struct emit *e, ir_ref ref, uint64_t limit, unsigned result)
{
    struct assembler *a = &e->as;
    unsigned bytes = emit_insn(e, ref)->size, n = ir_nargs(emit_insn(e, ref));
    for (unsigned k = 0; k < n; k++) {
        unsigned t = k ? XT1 : XT0;
        vandps(a, t, arg_xmm(e, ref, k, t), pool_splat(e, bytes, sign_bit(bytes) - 1));
        vex_rvm(a, by_size(bytes, X86_vpcmpgtw, X86_vpcmpgtd, X86_vpcmpgtq), t, t, pool_splat(e, bytes, limit - 1));
    }
    if (n > 1)
        vpor(a, XT0, XT0, asm_reg(XT1));
    check_signs(e, ref, bytes, XT0, result);
}

/* ---- products and steps ---------------------------------------------------------------------------------------- */

void vec_fp_mulx(struct emit *e, ir_ref ref)
{
    const uint32_t first = e->nlaters;
    struct assembler *a = &e->as;
    unsigned bytes = emit_insn(e, ref)->size, r = fp_result(e, ref);
    bool wide = bytes == 8;
    check_magnitudes(e, ref, power(bytes, (int)bias(bytes) + 1), r); /* infinity */
    unsigned x = arg_xmm(e, ref, 0, XT1);
    vex_rvm(a, wide ? X86_vmulpd : X86_vmulps, r, x, arg_operand(e, ref, 1));
    vex_rvm(a, wide ? X86_vpaddq : X86_vpaddd, XT1, r, asm_reg(r)); /* without the signs */
    vex_rvm(a, wide ? X86_vpcmpeqq : X86_vpcmpeqd, XT1, XT1, pool_splat(e, bytes, 2 * FP_SMALLEST(bytes)));
    check_signs(e, ref, bytes, XT1, r);
    emit_back_here(e, first);
    emit_done(e, ref, r);
}

/* Factors small enough for their product not to overflow where half of it does not. The difference is never tiny. */
void vec_fp_step(struct emit *e, ir_ref ref)
{
    const uint32_t first = e->nlaters;
    struct assembler *a = &e->as;
    const struct ir_insn *insn = emit_insn(e, ref);
    unsigned bytes = insn->size, r = xmm_dst(e, ref);
    bool wide = bytes == 8, root = insn->op == IR_VFRSQRTS;
    check_magnitudes(e, ref, power(bytes, wide ? 511 : 63), r);
    load_splat(e, XT0, bytes, power(bytes, 1) | (root ? FP_SMALLEST(bytes) / 2 : 0)); /* 3, 2 */
    unsigned x = arg_xmm(e, ref, 0, XT1);
    vex_rvm(a, wide ? X86_vfnmadd231pd : X86_vfnmadd231ps, XT0, x, arg_operand(e, ref, 1));
    if (root)
        vex_rvm(a, wide ? X86_vmulpd : X86_vmulps, r, XT0, pool_splat(e, bytes, power(bytes, -1)));
    else
        emit_xmm_move(e, r, XT0);
    emit_back_here(e, first);
    emit_done(e, ref, r);
}

/* Widening signals for signaling NaNs, as the operation does. The sum is never tiny and inexact: a product of halves is
   a multiple of 2^-48. */
void vec_fp_mla_long(struct emit *e, ir_ref ref)
{
    const uint32_t first = e->nlaters;
    struct assembler *a = &e->as;
    unsigned r = xmm_dst(e, ref);
    emit_xmm_move(e, XT2, arg_xmm(e, ref, 2, XT2));
    vcvtph2ps(a, XT0, arg_operand(e, ref, 0));
    vcvtph2ps(a, XT1, arg_operand(e, ref, 1));
    vfmadd231ps(a, XT2, XT0, asm_reg(XT1));
    vcmpps(a, XT0, XT2, asm_reg(XT2), CMP_UNORD_Q);
    check_signs(e, ref, 4, XT0, r);
    emit_xmm_move(e, r, XT2);
    emit_back_here(e, first);
    emit_done(e, ref, r);
}

/* ---- estimates ------------------------------------------------------------------------------------------------- */

/* Each lane of XT0 is an index; XT1's becomes the byte of the table there. */
static void look_up(struct emit *e, unsigned bytes, const uint8_t *table)
{
    struct assembler *a = &e->as;
    x_mov_image(a, T0, (uintptr_t)table);
    for (unsigned i = 0; i < 16 / bytes; i++) {
        vpextr(a, bytes, asm_reg(T1), XT0, i);
        x_zext(a, 1, T1, asm_at(asm_indexed(T0, T1, 0, 0)));
        vpinsr(a, bytes, XT1, i ? XT1 : XT0, asm_reg(T1), i);
    }
}

static void shift_right(struct emit *e, unsigned bytes, unsigned dst, unsigned x, unsigned n)
{
    vex_vmi(&e->as, by_size(bytes, X86_vpsrlw, X86_vpsrld, X86_vpsrlq), 2, dst, x, n);
}

/* The estimate's fraction comes from a table, its exponent from the operand's. Inline are normal operands with normal
   results, positive ones for the root; nothing is raised for them. */
void vec_fp_estimate(struct emit *e, ir_ref ref)
{
    const uint32_t first = e->nlaters;
    struct assembler *a = &e->as;
    const struct ir_insn *insn = emit_insn(e, ref);
    unsigned bytes = insn->size, f = fraction_bits(bytes), r = xmm_dst(e, ref), x = arg_xmm(e, ref, 0, XT2);
    bool root = insn->op == IR_VFRSQRTE;
    uint64_t smallest = UINT64_C(1) << f, exponents = power(bytes, (int)bias(bytes) + 1);
    uint64_t sign = sign_bit(bytes);
    uint64_t largest = power(bytes, (int)bias(bytes) - (root ? 0 : 2)); /* of the exponents that are inline */
    uint32_t add = by_size(bytes, X86_vpaddw, X86_vpaddd, X86_vpaddq);
    uint32_t subtract = by_size(bytes, X86_vpsubw, X86_vpsubd, X86_vpsubq);

    /* Less the smallest normal number: negative, or at most largest with any fraction. */
    if (root) {
        vex_rvm(a, subtract, XT0, x, pool_splat(e, bytes, smallest));
    } else {
        vpand(a, XT0, x, pool_splat(e, bytes, sign - 1));
        vex_rvm(a, subtract, XT0, XT0, pool_splat(e, bytes, smallest));
    }
    vex_rvm(a, by_size(bytes, X86_vpcmpgtw, X86_vpcmpgtd, X86_vpcmpgtq), XT1, XT0,
            pool_splat(e, bytes, largest - 1));
    vpor(a, XT0, XT0, asm_reg(XT1));
    check_signs(e, ref, bytes, XT0, r);

    shift_right(e, bytes, XT0, x, f - 8);
    vpand(a, XT0, XT0, pool_splat(e, bytes, root ? 0x1ff : 0xff));
    look_up(e, bytes, root ? softfp_rsqrt_table : softfp_recip_table);
    vex_vmi(a, by_size(bytes, X86_vpsllw, X86_vpslld, X86_vpsllq), 6, XT0, XT1, f - 8);
    if (root) {
        /* (3 * bias - 1 - exponent) / 2, where 2 * bias + 1 - exponent is NOT(exponent) */
        vpandn(a, XT1, x, pool_splat(e, bytes, exponents));
        vex_rvm(a, add, XT1, XT1, pool_splat(e, bytes, power(bytes, -2)));
        shift_right(e, bytes, XT1, XT1, 1);
        vpand(a, XT1, XT1, pool_splat(e, bytes, exponents));
        vpor(a, r, XT0, asm_reg(XT1));
    } else {
        /* 2 * bias - 1 - exponent, and the sign */
        vex_rvm(a, add, XT0, XT0, pool_splat(e, bytes, power(bytes, (int)bias(bytes) - 1)));
        vpand(a, XT1, x, pool_splat(e, bytes, exponents | sign));
        vex_rvm(a, subtract, r, XT0, asm_reg(XT1));
    }
    emit_back_here(e, first);
    emit_done(e, ref, r);
}

/* FRECPX: the exponent inverted, or one less than the largest if it is zero; NaNs are left to the exact path. */
void vec_fp_exponent(struct emit *e, ir_ref ref)
{
    const uint32_t first = e->nlaters;
    struct assembler *a = &e->as;
    unsigned bytes = emit_insn(e, ref)->size, r = xmm_dst(e, ref), x = arg_xmm(e, ref, 0, XT2);
    uint64_t smallest = UINT64_C(1) << fraction_bits(bytes), exponents = power(bytes, (int)bias(bytes) + 1);
    check_magnitudes(e, ref, exponents + 1, r);
    vpand(a, XT1, x, pool_splat(e, bytes, exponents));
    vex_rvm(a, by_size(bytes, X86_vpcmpeqw, X86_vpcmpeqd, X86_vpcmpeqq), XT0, XT1, emit_pool_operand(e, 0, 0));
    vpxor(a, XT1, XT1, pool_splat(e, bytes, exponents));
    vpand(a, XT0, XT0, pool_splat(e, bytes, smallest));
    vex_rvm(a, by_size(bytes, X86_vpsubw, X86_vpsubd, X86_vpsubq), XT1, XT1, asm_reg(XT0));
    vpand(a, XT0, x, pool_splat(e, bytes, sign_bit(bytes)));
    vpor(a, r, XT0, asm_reg(XT1));
    emit_back_here(e, first);
    emit_done(e, ref, r);
}

/* ---- rounding to integral in a range --------------------------------------------------------------------------- */

/* Doubles: below 2^31 - 1, what lies above may round out of the range. */
void vec_fp_round_n(struct emit *e, ir_ref ref)
{
    const uint32_t first = e->nlaters;
    const struct ir_insn *insn = emit_insn(e, ref);
    unsigned bytes = insn->size, r = xmm_dst(e, ref);
    bool to_64 = insn->mode & IR_ROUND_TO_64;
    uint64_t limit = to_64 ? power(bytes, 63) : bytes == 8 ? UINT64_C(0x41dfffffffc00000) : power(bytes, 31);
    check_magnitudes(e, ref, limit, r);
    fp_vround(e, fp_kind(insn), r, arg_xmm(e, ref, 0, XT1), fp_round_imm(IR_ROUND(insn->mode)));
    emit_back_here(e, first);
    emit_done(e, ref, r);
}

/* ---- to fixed point -------------------------------------------------------------------------------------------- */

/* Where the value is below the integers' limit, scaling it is exact and converting it needs no saturation. */
void vec_to_fixed(struct emit *e, ir_ref ref)
{
    const uint32_t first = e->nlaters;
    struct assembler *a = &e->as;
    const struct ir_insn *insn = emit_insn(e, ref);
    unsigned bytes = insn->size, fraction = IR_FRACTION(insn->mode), r = xmm_dst(e, ref);
    bool wide = bytes == 8;
    uint64_t limit = power(bytes, (int)(bytes * 8 - 1 - fraction));
    unsigned x = arg_xmm(e, ref, 0, XT2);
    if (insn->op == IR_VFTOSI) {
        check_magnitudes(e, ref, limit, r);
    } else {
        vex_rvm(a, wide ? X86_vpcmpgtq : X86_vpcmpgtd, XT0, x, pool_splat(e, bytes, limit - 1));
        vpor(a, XT0, XT0, asm_reg(x));
        check_signs(e, ref, bytes, XT0, r);
    }
    vex_rvm(a, wide ? X86_vmulpd : X86_vmulps, XT0, x, pool_splat(e, bytes, power(bytes, (int)fraction)));
    vec_convert_lanes(e, bytes, true, XT0);
    emit_xmm_move(e, r, XT0);
    emit_back_here(e, first);
    emit_done(e, ref, r);
}

void fp_to_fixed(struct emit *e, ir_ref ref)
{
    const uint32_t first = e->nlaters;
    struct assembler *a = &e->as;
    const struct ir_insn *insn = emit_insn(e, ref);
    bool wide = insn->size == 8, is_signed = insn->op == IR_FTOSI;
    unsigned fraction = IR_FRACTION(insn->mode), shift = fraction_bits(insn->size);
    unsigned dst = emit_dst(e, ref, T0), x = emit_xmm(e, insn->arg[0], XT2);
    unsigned bits = insn->type == IR_I64 ? 63 : is_signed ? 31 : 32;
    vmov_to_gpr(a, wide, asm_reg(T0), x);
    if (is_signed) {
        x_alu(a, ALU_ADD, wide, T0, asm_reg(T0)); /* without the sign */
        shift++;
    }
    x_shift_imm(a, SHIFT_SHR, wide, T0, shift);
    x_alu_imm(a, ALU_CMP, 0, asm_reg(T0), (int32_t)(bias(insn->size) + bits - fraction));
    emit_later_jcc(e, JAE, emit_exact, ref)->regs[0] = (uint8_t)dst;
    vex_rvm(a, wide ? X86_vmulsd : X86_vmulss, XT0, x, pool_splat(e, insn->size, power(insn->size, (int)fraction)));
    vex_rm(a, (uint32_t)(wide ? X86_vcvttsd2si : X86_vcvttss2si) | X86_WIDE(insn->type == IR_I64 || !is_signed), dst,
           asm_reg(XT0));
    emit_back_here(e, first);
    emit_done(e, ref, dst);
}

/* FJCVTZS: the smallest integer, or out of range? */
void fp_to_javascript(struct emit *e, ir_ref ref)
{
    struct assembler *a = &e->as;
    unsigned dst = emit_dst(e, ref, T0);
    vcvttsd2si(a, 0, dst, arg_operand(e, ref, 0));
    x_alu_imm(a, ALU_CMP, 0, asm_reg(dst), 1); /* overflows for the smallest integer only */
    emit_later_jcc(e, JO, emit_exact, ref)->regs[0] = (uint8_t)dst;
    emit_done(e, ref, dst);
}

/* ---- to shorter formats ---------------------------------------------------------------------------------------- */

/*
 * Rounded by MXCSR's mode, which raises what there is to raise, then made odd: where the result, widened, is not the
 * operand, the magnitude is one less if it was rounded up, and its last bit is set.
 */
void vec_fp_narrow_odd(struct emit *e, ir_ref ref)
{
    const uint32_t first = e->nlaters;
    struct assembler *a = &e->as;
    unsigned r = xmm_dst(e, ref), x = arg_xmm(e, ref, 0, XT2);
    /* Above the largest number it would overflow in some modes, and does not so soon when it is cut off. */
    check_magnitudes(e, ref, UINT64_C(0x47efffffe0000001), r);
    vcvtpd2ps(a, XT0, asm_reg(x));
    vandps(a, XT1, XT0, pool_splat(e, 4, FP_ABS(4)));
    vcmpps(a, XT1, XT1, pool_splat(e, 4, FP_SMALLEST(4)), CMP_EQ_UQ);
    check_signs(e, ref, 4, XT1, r);
    vcvtps2pd(a, XT1, asm_reg(XT0));
    vpsubq(a, XT1, XT1, asm_reg(x)); /* of magnitudes: the signs are the same */
    vpcmpeqq(a, XT2, XT1, emit_pool_operand(e, 0, 0));
    vpcmpgtq(a, XT1, XT1, emit_pool_operand(e, 0, 0));
    vshufps(a, XT1, XT1, asm_reg(XT1), 0x88);
    vshufps(a, XT2, XT2, asm_reg(XT2), 0x88);
    vpaddd(a, XT0, XT0, asm_reg(XT1));
    vpandn(a, XT2, XT2, pool_splat(e, 4, 1));
    vpor(a, XT0, XT0, asm_reg(XT2));
    vmovq(a, r, asm_reg(XT0));
    emit_back_here(e, first);
    emit_done(e, ref, r);
}

/*
 * To bfloat16: added to 2^16 times the power of two below it, a number keeps eight bits, rounded by MXCSR's mode;
 * subtracting that power is exact. Inline are zeros and normal numbers that do not overflow.
 */
void vec_fp_narrow_bf16(struct emit *e, ir_ref ref)
{
    const uint32_t first = e->nlaters;
    struct assembler *a = &e->as;
    unsigned r = xmm_dst(e, ref), x = arg_xmm(e, ref, 0, XT2);
    /* Less the smallest normal number, denormals lie above what zero becomes, and below zero. */
    vpand(a, XT0, x, pool_splat(e, 4, FP_ABS(4)));
    vpsubd(a, XT0, XT0, pool_splat(e, 4, FP_SMALLEST(4)));
    vpcmpgtd(a, XT1, XT0, pool_splat(e, 4, 0 - FP_SMALLEST(4)));
    vpand(a, XT1, XT1, asm_reg(XT0));
    vpcmpgtd(a, XT0, XT0, pool_splat(e, 4, power(4, 111) - FP_SMALLEST(4) - 1));
    vpor(a, XT0, XT0, asm_reg(XT1));
    check_signs(e, ref, 4, XT0, r);
    vpand(a, XT0, x, pool_splat(e, 4, 0xff800000));
    vpaddd(a, XT0, XT0, pool_splat(e, 4, 16u << 23));
    vaddps(a, XT1, x, asm_reg(XT0));
    vsubps(a, XT1, XT1, asm_reg(XT0));
    vpand(a, XT1, XT1, pool_splat(e, 4, FP_ABS(4))); /* a zero has the operand's sign */
    vpand(a, XT0, x, pool_splat(e, 4, FP_SIGN(4)));
    vpor(a, XT1, XT1, asm_reg(XT0));
    vpsrld(a, XT1, XT1, 16);
    set_zero(e, XT0);
    vpackusdw(a, r, XT1, asm_reg(XT0));
    emit_back_here(e, first);
    emit_done(e, ref, r);
}

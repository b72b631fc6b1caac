/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Scalar floating point: arithmetic, comparisons, moves. Conversions to and from integers are in emit_fp_convert.c.
 *
 * Each operation is the host's instruction, with a way out to the exact path. Two things differ between the
 * architectures:
 *   - NaNs (Arm ARM DDI 0487, FPProcessNaNs; Intel SDM volume 1, table 4-7 and 14.5.1). Both agree on an operand that is
 *     a quiet NaN, if there is one, and on the first of two. They differ about generated and signaling NaNs, and
 *     those are invalid operations: with region->trap_invalid they trap, and nothing is tested. Otherwise any NaN
 *     result takes the exact path. (Fused operations disagree about quiet NaNs, too, so they are always tested.)
 *   - Tininess: Arm detects it before rounding, SSE after. The status differs only when a tiny result is rounded up
 *     to the smallest normal number, so a result of just that takes the exact path too, in operations that can be
 *     tiny and inexact. Sums cannot: a tiny sum is exact. Nor can squares: (2^-511 - ulp)^2 is too far below.
 */
#include "backend/x86_64/emit_vec.h"

unsigned fp_result(struct emit *e, ir_ref ref)
{
    const struct ir_insn *insn = emit_insn(e, ref);
    unsigned dst = xmm_dst(e, ref), n = ir_nargs(insn);
    for (unsigned k = 0; k < n; k++) {
        const struct value *value = &e->values[emit_root(e, insn->arg[k])];
        if (value->place == PLACE_REG && value->reg == dst)
            return XT0;
    }
    return dst;
}

/* ---- tests of a result ----------------------------------------------------------------------------------------- */

void fp_trap(struct emit *e, ir_ref ref, uint32_t offset, unsigned result)
{
    struct later *l = emit_later(e, emit_exact, ref);
    l->trap = offset + 1;
    l->back = asm_offset(&e->as);
    l->regs[0] = (uint8_t)result;
}

/* Branches to the exact path when the scalar in `result` is a NaN, or with `tiny` the smallest normal number. */
static void check_result(struct emit *e, ir_ref ref, unsigned result, bool tiny)
{
    struct assembler *a = &e->as;
    enum fp_kind kind = fp_kind(emit_insn(e, ref));
    uint32_t ucomis = kind == FP_SD ? X86_vucomisd : X86_vucomiss;
    if (tiny) {
        /* Equal and unordered both set ZF: one branch for the two. */
        unsigned bytes = fp_bytes(kind);
        vandps(a, XT1, result, pool_splat(e, bytes, FP_ABS(bytes)));
        vex_rm(a, ucomis, XT1, pool_splat(e, bytes, FP_SMALLEST(bytes)));
    } else {
        vex_rm(a, ucomis, result, asm_reg(result));
    }
    emit_later_jcc(e, tiny ? JE : JP, emit_exact, ref)->regs[0] = (uint8_t)result;
}

/* Compares the magnitude of the scalar in `result` with the smallest normal number. */
static void compare_smallest(struct emit *e, ir_ref ref, unsigned result)
{
    struct assembler *a = &e->as;
    bool wide = fp_kind(emit_insn(e, ref)) == FP_SD;
    unsigned bytes = wide ? 8 : 4;
    vmov_to_gpr(a, wide, asm_reg(T0), result);
    x_alu(a, ALU_ADD, wide, T0, asm_reg(T0)); /* without the sign */
    if (wide)
        x_alu(a, ALU_CMP, 1, T0, emit_pool_operand(e, 2 * FP_SMALLEST(bytes), 0));
    else
        x_alu_imm(a, ALU_CMP, 0, asm_reg(T0), (int32_t)(2 * FP_SMALLEST(bytes)));
}

static void later_smallest(struct emit *e, const struct later *l)
{
    compare_smallest(e, l->ref, l->regs[0]);
    asm_patch(&e->as, x_jcc(&e->as, JNE), l->back);
    emit_exact(e, l);
}

/* Branches to the exact path when the scalar in `result` is the smallest normal number. Of a double's bits, the lower
   half is looked at first: it is seldom 0. */
static void check_tiny(struct emit *e, ir_ref ref, unsigned result)
{
    struct assembler *a = &e->as;
    bool wide = fp_kind(emit_insn(e, ref)) == FP_SD;
    if (wide) {
        vmov_to_gpr(a, 0, asm_reg(T0), result);
        x_test(a, 0, T0, T0);
    } else {
        compare_smallest(e, ref, result);
    }
    emit_later_jcc(e, JE, wide ? later_smallest : emit_exact, ref)->regs[0] = (uint8_t)result;
}

/* ---- arithmetic ------------------------------------------------------------------------------------------------ */

uint32_t fp_binary(struct emit *e, ir_ref ref, uint32_t opcode, unsigned dst, bool commutes)
{
    const struct ir_insn *insn = emit_insn(e, ref);
    ir_ref x = insn->arg[0], y = insn->arg[1];
    if (commutes && !in_register(e, x) && in_register(e, y)) {
        x = insn->arg[1];
        y = insn->arg[0];
    }
    unsigned reg = emit_xmm(e, x, XT1);
    struct asm_operand operand = emit_operand(e, y);
    uint32_t offset = asm_offset(&e->as);
    vex_rvm(&e->as, opcode, dst, reg, operand);
    return offset;
}

bool fp_can_be_tiny(const struct emit *e, ir_ref ref)
{
    const struct ir_insn *insn = emit_insn(e, ref);
    switch (insn->op) {
    case IR_FMUL: case IR_VFMUL:
        return emit_root(e, insn->arg[0]) != emit_root(e, insn->arg[1]);
    case IR_FDIV: case IR_VFDIV: case IR_FMA: case IR_VFMA:
        return true;
    default:
        return false;
    }
}

static void arith(struct emit *e, ir_ref ref)
{
    static const struct {
        uint32_t opcode[2];
        bool commutes;
    } rows[] = {
        [IR_FADD - IR_FADD] = {{X86_vaddss, X86_vaddsd}, true},
        [IR_FSUB - IR_FADD] = {{X86_vsubss, X86_vsubsd}, false},
        [IR_FMUL - IR_FADD] = {{X86_vmulss, X86_vmulsd}, true},
        [IR_FDIV - IR_FADD] = {{X86_vdivss, X86_vdivsd}, false},
    };
    const struct ir_insn *insn = emit_insn(e, ref);
    unsigned row = insn->op - IR_FADD;
    bool trap = e->region->trap_invalid, tiny = fp_can_be_tiny(e, ref);
    unsigned r = trap && !tiny ? xmm_dst(e, ref) : fp_result(e, ref);
    /* Which of two quiet NaNs comes first matters when nothing tests for them. */
    uint32_t offset = fp_binary(e, ref, rows[row].opcode[fp_kind(insn)], r, rows[row].commutes && !trap);
    if (trap)
        fp_trap(e, ref, offset, r);
    if (!trap)
        check_result(e, ref, r, tiny);
    else if (tiny)
        check_tiny(e, ref, r);
    emit_done(e, ref, r);
}

static void square_root(struct emit *e, ir_ref ref)
{
    bool trap = e->region->trap_invalid;
    unsigned r = trap ? xmm_dst(e, ref) : fp_result(e, ref), x = arg_xmm(e, ref, 0, XT1);
    uint32_t offset = asm_offset(&e->as);
    vex_rvm(&e->as, fp_kind(emit_insn(e, ref)) == FP_SD ? X86_vsqrtsd : X86_vsqrtss, r, x, asm_reg(x));
    if (trap)
        fp_trap(e, ref, offset, r);
    else
        check_result(e, ref, r, false);
    emit_done(e, ref, r);
}

void fp_fma(struct emit *e, ir_ref ref, uint32_t opcode, unsigned dst)
{
    const struct ir_insn *insn = emit_insn(e, ref);
    emit_xmm_move(e, dst, emit_xmm(e, insn->arg[2], dst));
    uint32_t offset = fp_binary(e, ref, opcode, dst, true);
    if (e->region->trap_invalid)
        fp_trap(e, ref, offset, dst);
}

static void fused(struct emit *e, ir_ref ref)
{
    unsigned r = fp_result(e, ref);
    fp_fma(e, ref, fp_kind(emit_insn(e, ref)) == FP_SD ? X86_vfmadd231sd : X86_vfmadd231ss, r);
    check_result(e, ref, r, true);
    emit_done(e, ref, r);
}

/* Intel's minimum and maximum yield the second operand when both are zeros, hence both orders: -0 is the smaller one
   when the bits of both are ORed, +0 the larger one when they are ANDed. The test comes first as they signal for
   quiet NaNs. */
static void minmax(struct emit *e, ir_ref ref)
{
    struct assembler *a = &e->as;
    const struct ir_insn *insn = emit_insn(e, ref);
    bool wide = insn->type == IR_F64, max = insn->op == IR_FMAX || insn->op == IR_FMAXNM;
    uint32_t opcode = max ? wide ? X86_vmaxsd : X86_vmaxss : wide ? X86_vminsd : X86_vminss;
    unsigned x = arg_xmm(e, ref, 0, XT1), y = arg_xmm(e, ref, 1, XT2), r = xmm_dst(e, ref);
    vex_rm(a, wide ? X86_vucomisd : X86_vucomiss, x, asm_reg(y));
    struct later *unordered = emit_later_jcc(e, JP, emit_exact, ref);
    unordered->regs[0] = (uint8_t)r;
    vex_rvm(a, opcode, XT0, x, asm_reg(y));
    vex_rvm(a, opcode, XT1, y, asm_reg(x));
    vex_rvm(a, max ? X86_vandps : X86_vorps, r, XT0, asm_reg(XT1));
    unordered->back = asm_offset(a);
    emit_done(e, ref, r);
}

void fp_sign(struct emit *e, ir_ref ref)
{
    const struct ir_insn *insn = emit_insn(e, ref);
    bool negate = insn->op == IR_FNEG || insn->op == IR_VFNEG;
    unsigned bytes = fp_bytes(fp_kind(insn)), r = xmm_dst(e, ref), x = arg_xmm(e, ref, 0, XT0);
    vex_rvm(&e->as, negate ? X86_vxorps : X86_vandps, r, x,
            pool_splat(e, bytes, negate ? FP_SIGN(bytes) : FP_ABS(bytes)));
    emit_done(e, ref, r);
}

/* ---- rounding to integral -------------------------------------------------------------------------------------- */

void fp_vround(struct emit *e, enum fp_kind kind, unsigned dst, unsigned x, unsigned imm)
{
    static const fp_opcodes opcodes = {X86_vroundss, X86_vroundsd, X86_vroundps, X86_vroundpd};
    if (fp_is_vector(kind))
        vex_rmi(&e->as, opcodes[kind], dst, asm_reg(x), imm);
    else
        vex_rvmi(&e->as, opcodes[kind], dst, x, asm_reg(x), imm);
}

unsigned fp_round_imm(enum ir_round round)
{
    static const uint8_t imm[] = {
        [IR_ROUND_NEAREST] = 0, [IR_ROUND_UP] = 2, [IR_ROUND_DOWN] = 1, [IR_ROUND_ZERO] = 3, [IR_ROUND_CURRENT] = 4,
    };
    return imm[round];
}

void fp_round_away(struct emit *e, enum fp_kind kind, unsigned dst, unsigned x)
{
    static const fp_opcodes add = {X86_vaddss, X86_vaddsd, X86_vaddps, X86_vaddpd};
    static const fp_opcodes sub = {X86_vsubss, X86_vsubsd, X86_vsubps, X86_vsubpd};
    static const fp_opcodes cmp = {X86_vcmpss, X86_vcmpsd, X86_vcmpps, X86_vcmppd};
    struct assembler *a = &e->as;
    unsigned bytes = fp_bytes(kind);
    bool wide = bytes == 8;
    const unsigned truncate = ROUND_QUIET | 3;
    /* XT0 = |x|, or 0 where |x| is so large that it is integral, or infinite, or a NaN: compared as integers, to be
       silent. */
    vandps(a, XT0, x, pool_splat(e, bytes, FP_ABS(bytes)));
    load_splat(e, XT1, bytes, wide ? UINT64_C(0x4330000000000000) : UINT64_C(0x4b000000)); /* 2^52, 2^23 */
    vex_rvm(a, wide ? X86_vpcmpgtq : X86_vpcmpgtd, XT1, XT1, asm_reg(XT0));
    vandps(a, XT0, XT0, asm_reg(XT1));
    /* XT0 = 1 with x's sign where the fraction is at least a half, else 0 with x's sign. */
    fp_vround(e, kind, XT1, XT0, truncate);
    vex_rvm(a, sub[kind], XT0, XT0, asm_reg(XT1));
    vex_rvmi(a, cmp[kind], XT0, XT0, pool_splat(e, bytes, wide ? UINT64_C(0x3fe0000000000000) : UINT64_C(0x3f000000)),
             CMP_GE_OQ);
    vandps(a, XT0, XT0, pool_splat(e, bytes, wide ? UINT64_C(0x3ff0000000000000) : UINT64_C(0x3f800000)));
    vandps(a, XT1, x, pool_splat(e, bytes, FP_SIGN(bytes)));
    vorps(a, XT0, XT0, asm_reg(XT1));
    fp_vround(e, kind, XT1, x, truncate);
    vex_rvm(a, add[kind], dst, XT1, asm_reg(XT0));
}

void fp_rint(struct emit *e, ir_ref ref)
{
    const struct ir_insn *insn = emit_insn(e, ref);
    enum ir_round round = IR_ROUND(insn->mode);
    enum fp_kind kind = fp_kind(insn);
    unsigned r = xmm_dst(e, ref), x = arg_xmm(e, ref, 0, XT2), quiet = insn->mode & IR_ROUND_INEXACT ? 0 : ROUND_QUIET;
    if (round != IR_ROUND_AWAY) {
        fp_vround(e, kind, r, x, fp_round_imm(round) | quiet);
    } else {
        if (!quiet)
            fp_vround(e, kind, XT0, x, fp_round_imm(IR_ROUND_ZERO)); /* raises inexact when it is */
        fp_round_away(e, kind, r, x);
    }
    emit_done(e, ref, r);
}

/* ---- comparisons ----------------------------------------------------------------------------------------------- */

/*
 * How EFLAGS after (v)ucomis x, y, with ZF PF CF: greater 000, less 001, equal 100, unordered 111, tell the
 * conditions after an Arm comparison, NZCV: greater 0010, less 1000, equal 0110, unordered 0011. `swap`: compare y
 * with x.
 */
static const struct {
    uint8_t condition;
    bool swap, parity;
} fcmp_rows[IR_FLAG_COND_COUNT] = {
    [IR_FLAG_EQ] = {JE, false, true},
    [IR_FLAG_NE] = {JNE, false, true},
    [IR_FLAG_CS] = {JBE, true, false}, /* greater, equal, unordered */
    [IR_FLAG_CC] = {JA, true, false},  /* less */
    [IR_FLAG_MI] = {JA, true, false},
    [IR_FLAG_PL] = {JBE, true, false},
    [IR_FLAG_VS] = {JP, false, false},
    [IR_FLAG_VC] = {JNP, false, false},
    [IR_FLAG_HI] = {JB, true, false},  /* greater, unordered */
    [IR_FLAG_LS] = {JAE, true, false}, /* less, equal */
    [IR_FLAG_GE] = {JAE, false, false},
    [IR_FLAG_LT] = {JB, false, false}, /* less, unordered */
    [IR_FLAG_GT] = {JA, false, false},
    [IR_FLAG_LE] = {JBE, false, false}, /* less, equal, unordered */
};

static void compare(struct emit *e, const struct ir_insn *insn, bool swap, bool signal)
{
    ir_ref x = insn->arg[swap ? 1 : 0], y = insn->arg[swap ? 0 : 1];
    uint32_t opcode = insn->size == 8 ? signal ? X86_vcomisd : X86_vucomisd : signal ? X86_vcomiss : X86_vucomiss;
    unsigned reg = emit_xmm(e, x, XT0);
    vex_rm(&e->as, opcode, reg, emit_operand(e, y));
}

unsigned emit_fcmp_flags(struct emit *e, ir_ref ref, bool *needs_parity)
{
    const struct ir_insn *insn = emit_insn(e, ref);
    enum ir_flag_cond cond = IR_FCMP_COND(insn->mode);
    compare(e, insn, fcmp_rows[cond].swap, insn->mode & IR_FCMP_SIGNAL);
    *needs_parity = fcmp_rows[cond].parity;
    return fcmp_rows[cond].condition;
}

static void fcmp_value(struct emit *e, ir_ref ref)
{
    struct assembler *a = &e->as;
    bool parity;
    unsigned condition = emit_fcmp_flags(e, ref, &parity), dst = emit_dst(e, ref, T0);
    x_setcc(a, condition, T0);
    if (parity) {
        x_setcc(a, condition == JE ? JNP : JP, T1);
        x_alu(a, condition == JE ? ALU_AND : ALU_OR, 0, T0, asm_reg(T1));
    }
    x_zext(a, 1, dst, asm_reg(T0));
    emit_done(e, ref, dst);
}

static void later_unordered_flags(struct emit *e, const struct later *l)
{
    x_mov_imm(&e->as, l->regs[0], IR_FLAG_V); /* and C, which is inverted */
    emit_later_back(e, l);
}

void emit_flags_fcmp(struct emit *e, ir_ref ref, unsigned dst)
{
    struct assembler *a = &e->as;
    const struct ir_insn *insn = emit_insn(e, ref);
    compare(e, insn, false, insn->mode & IR_FLAGS_FCMP_SIGNAL);
    struct later *unordered = emit_later_jcc(e, JP, later_unordered_flags, ref);
    unordered->regs[0] = (uint8_t)dst;
    /* LAHF puts ZF and CF where Z and the inverted C belong; what is below has N too. */
    x_lahf(a);
    x_alu_imm(a, ALU_AND, 0, asm_reg(T0), IR_FLAG_Z | IR_FLAG_NOT_C);
    x_imul_imm(a, 0, dst, asm_reg(T0), 1 + IR_FLAG_N / IR_FLAG_NOT_C);
    unordered->back = asm_offset(a);
}

static void fcmp_packed(struct emit *e, ir_ref ref)
{
    unsigned dst = emit_dst(e, ref, T0);
    emit_flags_fcmp(e, ref, dst);
    emit_done(e, ref, dst);
}

/* ---- moves ----------------------------------------------------------------------------------------------------- */

static void low_lane(struct emit *e, ir_ref ref)
{
    unsigned r = xmm_dst(e, ref), x = arg_xmm(e, ref, 0, r);
    emit_xmm_move(e, r, x);
    emit_done(e, ref, r);
}

static void zero_extend(struct emit *e, ir_ref ref)
{
    const struct ir_insn *insn = emit_insn(e, ref);
    unsigned r = xmm_dst(e, ref);
    if (!in_register(e, insn->arg[0]))
        emit_xmm(e, insn->arg[0], r); /* a load zeroes the rest */
    else if (insn->size == 8)
        vmovq(&e->as, r, emit_operand(e, insn->arg[0]));
    else
        vinsertps(&e->as, r, emit_xmm(e, insn->arg[0], r), emit_operand(e, insn->arg[0]), 0x0e);
    emit_done(e, ref, r);
}

static void bitcast(struct emit *e, ir_ref ref)
{
    const struct ir_insn *insn = emit_insn(e, ref);
    bool wide = ir_type_size(insn->type) == 8;
    if (insn->type == IR_F32 || insn->type == IR_F64) {
        unsigned r = xmm_dst(e, ref);
        vmov_from_gpr(&e->as, wide, r, emit_operand(e, insn->arg[0]));
        emit_done(e, ref, r);
        return;
    }
    unsigned r = emit_dst(e, ref, T0);
    struct asm_operand x = emit_operand(e, insn->arg[0]);
    if (x.is_mem)
        x_load(&e->as, wide, r, x.mem);
    else
        vmov_to_gpr(&e->as, wide, asm_reg(r), x.reg);
    emit_done(e, ref, r);
}

/* ---- between the formats --------------------------------------------------------------------------------------- */

static void convert(struct emit *e, ir_ref ref)
{
    const struct ir_insn *insn = emit_insn(e, ref);
    unsigned r = fp_result(e, ref), x = arg_xmm(e, ref, 0, XT1);
    if (insn->type == IR_F64) {
        vcvtss2sd(&e->as, r, x, asm_reg(x));
    } else {
        vcvtsd2ss(&e->as, r, x, asm_reg(x));
        check_result(e, ref, r, true);
    }
    emit_done(e, ref, r);
}

void emit_fp(struct emit *e, ir_ref ref)
{
    switch (emit_insn(e, ref)->op) {
    case IR_FADD: case IR_FSUB: case IR_FMUL: case IR_FDIV:
        arith(e, ref);
        break;
    case IR_FSQRT:
        square_root(e, ref);
        break;
    case IR_FMA:
        fused(e, ref);
        break;
    case IR_FMIN: case IR_FMAX: case IR_FMINNM: case IR_FMAXNM:
        minmax(e, ref);
        break;
    case IR_FNEG: case IR_FABS:
        fp_sign(e, ref);
        break;
    case IR_FRINT:
        fp_rint(e, ref);
        break;
    case IR_FCVT:
        convert(e, ref);
        break;
    case IR_SITOF: case IR_UITOF:
        fp_from_integer(e, ref);
        break;
    case IR_FTOSI: case IR_FTOUI:
        fp_to_integer(e, ref);
        break;
    case IR_FTOJS:
        fp_to_javascript(e, ref);
        break;
    case IR_FCMP:
        fcmp_value(e, ref);
        break;
    case IR_FLAGS_FCMP:
        fcmp_packed(e, ref);
        break;
    case IR_VLOW:
        low_lane(e, ref);
        break;
    case IR_VZEXT:
        zero_extend(e, ref);
        break;
    default:
        bitcast(e, ref);
    }
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Between scalars and integers. Arm saturates, with invalid and without inexact (Arm ARM DDI 0487, FPToFixed); the host
 * yields the "integer indefinite", the smallest signed integer, with invalid (Intel SDM volume 1, 4.8.3.6).
 */
#include "backend/x86_64/emit_vec.h"

/* ---- from integers --------------------------------------------------------------------------------------------- */

/* The host's conversion keeps the upper part of another register: one that depends on nothing. */
static void convert_signed(struct emit *e, bool wide_result, unsigned w, unsigned dst, struct asm_operand x)
{
    set_zero(e, XT0);
    vex_rvm(&e->as, (uint32_t)(wide_result ? X86_vcvtsi2sd : X86_vcvtsi2ss) | X86_WIDE(w), dst, XT0, x);
}

/* 2^63 and more: halved, the bit shifted out kept as a sticky bit, converted, doubled. It rounds as the whole would: at
   least ten more bits are rounded away. */
static void later_large_unsigned(struct emit *e, const struct later *l)
{
    struct assembler *a = &e->as;
    bool wide = emit_insn(e, l->ref)->type == IR_F64;
    unsigned r = l->regs[0];
    emit_gpr_to(e, emit_insn(e, l->ref)->arg[0], T0);
    x_mov(a, 0, T1, T0);
    x_alu_imm(a, ALU_AND, 0, asm_reg(T1), 1);
    x_shift_imm(a, SHIFT_SHR, 1, T0, 1);
    x_alu(a, ALU_OR, 1, T0, asm_reg(T1));
    convert_signed(e, wide, 1, r, asm_reg(T0));
    vex_rvm(a, wide ? X86_vaddsd : X86_vaddss, r, r, asm_reg(r));
    emit_later_back(e, l);
}

void fp_from_integer(struct emit *e, ir_ref ref)
{
    struct assembler *a = &e->as;
    const struct ir_insn *insn = emit_insn(e, ref);
    bool wide = insn->type == IR_F64;
    unsigned r = xmm_dst(e, ref);
    if (insn->op == IR_SITOF) {
        convert_signed(e, wide, insn->size == 8, r, emit_operand(e, insn->arg[0]));
    } else if (insn->size == 4) {
        x_zext(a, 4, T0, emit_operand(e, insn->arg[0]));
        convert_signed(e, wide, 1, r, asm_reg(T0));
    } else {
        unsigned x = emit_gpr(e, insn->arg[0], T0);
        x_test(a, 1, x, x);
        struct later *large = emit_later_jcc(e, JS, later_large_unsigned, ref);
        large->regs[0] = (uint8_t)r;
        convert_signed(e, wide, 1, r, asm_reg(x));
        large->back = asm_offset(a);
    }
    emit_done(e, ref, r);
}

/* ---- to integers ----------------------------------------------------------------------------------------------- */

/* The register `regs[0]` holds the smallest integer, because that is the result, or by overflow: by the sign of the
   source it is right, or becomes the largest; a NaN gives 0. */
static void later_saturate(struct emit *e, const struct later *l)
{
    struct assembler *a = &e->as;
    const struct ir_insn *insn = emit_insn(e, l->ref);
    unsigned x = emit_xmm(e, insn->arg[0], XT0);
    set_zero(e, XT1);
    vex_rm(a, insn->size == 8 ? X86_vucomisd : X86_vucomiss, x, asm_reg(XT1));
    uint32_t nan = x_jcc8(a, JP), positive = x_jcc8(a, JA);
    emit_later_back(e, l);
    asm_patch8(a, positive);
    x_mov_imm(a, l->regs[0], insn->type == IR_I64 ? INT64_MAX : INT32_MAX);
    emit_later_back(e, l);
    asm_patch8(a, nan);
    x_mov_imm(a, l->regs[0], 0);
    emit_later_back(e, l);
}

/* Converts scalar x of `bytes` to an integer of width w, rounding as MXCSR says or toward zero. */
static void convert_to_signed(struct emit *e, unsigned bytes, bool truncate, unsigned w, unsigned dst,
                              struct asm_operand x)
{
    static const uint32_t opcodes[2][2] = {{X86_vcvtss2si, X86_vcvtsd2si}, {X86_vcvttss2si, X86_vcvttsd2si}};
    vex_rm(&e->as, opcodes[truncate][bytes == 8] | X86_WIDE(w), dst, x);
}

/* XT0 = x rounded to integral by the mode, which the conversion has no instruction for. Silent: out of range, inexact
   must not be raised. */
static void round_silently(struct emit *e, unsigned bytes, enum ir_round round, unsigned x)
{
    enum fp_kind kind = bytes == 8 ? FP_SD : FP_SS;
    if (round == IR_ROUND_AWAY)
        fp_round_away(e, kind, XT0, x);
    else
        fp_vround(e, kind, XT0, x, fp_round_imm(round) | ROUND_QUIET);
}

static void to_signed(struct emit *e, ir_ref ref)
{
    struct assembler *a = &e->as;
    const struct ir_insn *insn = emit_insn(e, ref);
    enum ir_round round = IR_ROUND(insn->mode);
    bool direct = round == IR_ROUND_ZERO || round == IR_ROUND_CURRENT;
    unsigned w = insn->type == IR_I64, dst = emit_dst(e, ref, T0), x = XT2;
    if (direct) {
        convert_to_signed(e, insn->size, round == IR_ROUND_ZERO, w, dst, emit_operand(e, insn->arg[0]));
    } else {
        x = emit_xmm(e, insn->arg[0], XT2);
        round_silently(e, insn->size, round, x);
        convert_to_signed(e, insn->size, true, w, dst, asm_reg(XT0));
    }
    x_alu_imm(a, ALU_CMP, w, asm_reg(dst), 1); /* overflows for the smallest integer only */
    /* Rounded silently, the smallest integer may still be inexact: only the exact path knows. */
    struct later *smallest = emit_later_jcc(e, JO, direct ? later_saturate : emit_exact, ref);
    smallest->regs[0] = (uint8_t)dst;
    if (!direct)
        convert_to_signed(e, insn->size, true, w, T1, asm_reg(x)); /* in range here: raises inexact when it is */
    smallest->back = asm_offset(a);
    emit_done(e, ref, dst);
}

/* Inline: from 0 to 2^63, or the range where no rounding overflows 32 bits. The rest, -0 and small negative numbers
   included, takes the exact path before anything is raised. */
static void to_unsigned(struct emit *e, ir_ref ref)
{
    struct assembler *a = &e->as;
    const struct ir_insn *insn = emit_insn(e, ref);
    enum ir_round round = IR_ROUND(insn->mode);
    bool direct = round == IR_ROUND_ZERO || round == IR_ROUND_CURRENT, wide = insn->size == 8;
    unsigned dst = emit_dst(e, ref, T0), x = emit_xmm(e, insn->arg[0], XT2);
    unsigned bits = insn->type == IR_I64 ? 63 : round == IR_ROUND_ZERO ? 32 : 31;
    vmov_to_gpr(a, wide, asm_reg(T0), x);
    x_shift_imm(a, SHIFT_SHR, wide, T0, wide ? 52 : 23);
    x_alu_imm(a, ALU_CMP, 0, asm_reg(T0), (int32_t)((wide ? 1023 : 127) + bits));
    struct later *exact = emit_later_jcc(e, JAE, emit_exact, ref);
    exact->regs[0] = (uint8_t)dst;
    if (direct) {
        convert_to_signed(e, insn->size, round == IR_ROUND_ZERO, 1, dst, asm_reg(x));
    } else {
        round_silently(e, insn->size, round, x);
        convert_to_signed(e, insn->size, true, 1, dst, asm_reg(XT0));
        convert_to_signed(e, insn->size, true, 1, T1, asm_reg(x));
    }
    exact->back = asm_offset(a);
    emit_done(e, ref, dst);
}

void fp_to_integer(struct emit *e, ir_ref ref)
{
    if (IR_FRACTION(emit_insn(e, ref)->mode))
        fp_to_fixed(e, ref);
    else if (emit_insn(e, ref)->op == IR_FTOSI)
        to_signed(e, ref);
    else
        to_unsigned(e, ref);
}

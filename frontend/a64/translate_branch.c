/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Branches and exception generation. Every function here ends the block. */
#include "frontend/a64/translate.h"

static uint64_t next_pc(const struct a64_translate *t) { return t->b->pc + 4; }

static uint64_t target_pc(const struct a64_translate *t, uint64_t words, unsigned width)
{
    return t->b->pc + (uint64_t)(sign_extend(words, width) * 4);
}

/* ---- direct ------------------------------------------------------------------------------------------------------ */

bool is_conditional_branch(uint32_t word)
{
    return (word & 0xff000010) == 0x54000000 || (word & 0x7c000000) == 0x34000000;
}

ir_ref branch_condition(struct a64_translate *t, uint64_t *target)
{
    if (t->word >> 24 == 0x54) { /* B.cond */
        *target = target_pc(t, imm19(t), 19);
        return condition(t, branch_cond(t));
    }
    enum ir_cc cc = t->word >> 24 & 1 ? IR_NE : IR_EQ; /* CBNZ, TBNZ; CBZ, TBZ */
    if (t->word >> 25 & 1) {
        unsigned bit = b5(t) << 5 | b40(t);
        *target = target_pc(t, imm14(t), 14);
        return b_cmp(t->b, cc, b_and(t->b, get_reg(t, Rt(t)), reg_imm(t, (uint64_t)1 << bit)), reg_imm(t, 0));
    }
    *target = target_pc(t, imm19(t), 19);
    return b_cmp(t->b, cc, get_reg(t, Rt(t)), reg_imm(t, 0));
}

static void branch_conditionally(struct a64_translate *t)
{
    uint64_t target;
    ir_ref taken = branch_condition(t, &target);
    builder_branch(t->b, taken, target, next_pc(t));
}

void a64_B_cond(struct a64_translate *t) { branch_conditionally(t); }
void a64_CBZ(struct a64_translate *t) { branch_conditionally(t); }
void a64_CBNZ(struct a64_translate *t) { branch_conditionally(t); }
void a64_TBZ(struct a64_translate *t) { branch_conditionally(t); }
void a64_TBNZ(struct a64_translate *t) { branch_conditionally(t); }

void a64_B(struct a64_translate *t) { builder_jump(t->b, target_pc(t, imm26(t), 26)); }

void a64_BL(struct a64_translate *t)
{
    uint64_t target = target_pc(t, imm26(t), 26), return_pc = next_pc(t);
    if (target <= t->b->pc)
        builder_poll(t->b);
    put_x(t, 30, builder_pc(t->b, return_pc));
    if (target == return_pc) /* only reads the PC: there will be no return */
        builder_jump(t->b, target);
    else
        builder_jump_call(t->b, target, return_pc);
}

/* ---- indirect ---------------------------------------------------------------------------------------------------- */

/* BTypeNext of BR, BRAA, BLR, BLRAA …: X16 and X17 are for veneers and tail calls, which reach functions, too. */
void set_branch_kind(struct a64_translate *t, unsigned n, bool link)
{
    if (!has_feature(t, A64_FEAT_BTI))
        return;
    if (link)
        t->b->branch_kind = A64_BTYPE_CALL;
    else if (n != 16 && n != 17 && (builder_code_attributes(t->b) & A64_CODE_GUARDED))
        t->b->branch_kind = A64_BTYPE_JUMP;
    else
        t->b->branch_kind = A64_BTYPE_JUMP_OR_CALL;
}

void a64_BR(struct a64_translate *t)
{
    builder_poll(t->b);
    set_branch_kind(t, Rn(t), false);
    builder_jump_indirect(t->b, get_x(t, Rn(t)));
}

void a64_BLR(struct a64_translate *t)
{
    builder_poll(t->b);
    ir_ref target = get_x(t, Rn(t));
    uint64_t return_pc = next_pc(t);
    put_x(t, 30, builder_pc(t->b, return_pc));
    set_branch_kind(t, Rn(t), true);
    builder_jump_indirect_call(t->b, target, return_pc);
}

void a64_RET(struct a64_translate *t)
{
    if (Rn(t) != 30) { /* no call left its return address there: nothing to predict */
        builder_poll(t->b);
        builder_jump_indirect(t->b, get_x(t, Rn(t)));
        return;
    }
    builder_return(t->b, get_x(t, 30));
}

/* ---- exceptions -------------------------------------------------------------------------------------------------- */

void a64_SVC(struct a64_translate *t) { builder_trap(t->b, TRAP_SYSCALL, next_pc(t), imm16(t)); }

void a64_BRK(struct a64_translate *t) { builder_trap(t->b, TRAP_BREAKPOINT, t->b->pc, imm16(t)); }

/** Allocated, and undefined at EL0 (HVC, SMC, ERET, …), outside Debug state (DRPS, DCPSn, HLT) or always (UDF). */
void a64_not_at_el0(struct a64_translate *t) { undefined(t); }

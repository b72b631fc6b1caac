/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Integer operations, comparisons and packed flags. */
#include "backend/x86_64/asm_int.h"
#include "backend/x86_64/emit.h"
#include "backend/x86_64/emit_parts.h"

static bool is_wide(const struct ir_insn *insn) { return insn->type == IR_I64; }

/* The register or memory that holds v; a constant is loaded into `temp`. */
static struct asm_operand operand_or(struct emit *e, ir_ref v, unsigned temp)
{
    if (e->values[emit_root(e, v)].place == PLACE_CONST)
        return asm_reg(emit_gpr(e, v, temp));
    return emit_operand(e, v);
}

static bool operand_is(struct asm_operand o, unsigned reg) { return !o.is_mem && o.reg == reg; }

static void note_flags(struct emit *e, ir_ref ref) { e->flags_of = ref; }

/* dst = x op y for the two-operand host operations. */
static void binary(struct emit *e, ir_ref ref, enum alu op, bool commutes)
{
    struct assembler *a = &e->as;
    const struct ir_insn *insn = emit_insn(e, ref);
    bool w = is_wide(insn);
    unsigned d = emit_dst(e, ref, T0);
    ir_ref x = insn->arg[0], y = insn->arg[1];
    int32_t imm;
    if (emit_imm32(e, y, &imm)) {
        emit_gpr_to(e, x, d);
        x_alu_imm(a, op, w, asm_reg(d), imm);
    } else {
        struct asm_operand yo = operand_or(e, y, T1);
        if (operand_is(yo, d)) {
            struct asm_operand xo = operand_or(e, x, T0);
            if (commutes) {
                x_alu(a, op, w, d, xo);
                goto done;
            }
            emit_gpr_to(e, x, T0);
            x_alu(a, op, w, T0, yo);
            emit_done(e, ref, T0);
            note_flags(e, ref);
            return;
        }
        emit_gpr_to(e, x, d);
        x_alu(a, op, w, d, yo);
    }
done:
    emit_done(e, ref, d);
    note_flags(e, ref);
}

static void emit_add(struct emit *e, ir_ref ref)
{
    struct assembler *a = &e->as;
    const struct ir_insn *insn = emit_insn(e, ref);
    bool w = is_wide(insn);
    unsigned d = emit_dst(e, ref, T0);
    const struct value *x = &e->values[emit_root(e, insn->arg[0])], *y = &e->values[emit_root(e, insn->arg[1])];
    int32_t imm;
    if (x->place == PLACE_REG && x->reg != d) {
        if (emit_imm32(e, insn->arg[1], &imm)) {
            x_lea(a, w, d, asm_base(x->reg, imm));
            emit_done(e, ref, d);
            return;
        }
        if (y->place == PLACE_REG && y->reg != d) {
            x_lea(a, w, d, asm_indexed(x->reg, y->reg, 0, 0));
            emit_done(e, ref, d);
            return;
        }
    }
    binary(e, ref, ALU_ADD, true);
}

static void emit_sub(struct emit *e, ir_ref ref)
{
    const struct ir_insn *insn = emit_insn(e, ref);
    unsigned d = emit_dst(e, ref, T0);
    const struct value *x = &e->values[emit_root(e, insn->arg[0])];
    int32_t imm;
    if (x->place == PLACE_REG && x->reg != d && emit_imm32(e, insn->arg[1], &imm) && imm != INT32_MIN) {
        x_lea(&e->as, is_wide(insn), d, asm_base(x->reg, -imm));
        emit_done(e, ref, d);
        return;
    }
    binary(e, ref, ALU_SUB, false);
}

static void emit_and(struct emit *e, ir_ref ref)
{
    const struct ir_insn *insn = emit_insn(e, ref);
    uint64_t mask;
    unsigned bytes = 0;
    if (emit_const(e, insn->arg[1], &mask))
        bytes = mask == 0xff ? 1 : mask == 0xffff ? 2 : mask == UINT32_MAX && is_wide(insn) ? 4 : 0;
    if (!bytes) {
        binary(e, ref, ALU_AND, true);
        return;
    }
    unsigned d = emit_dst(e, ref, T0);
    x_zext(&e->as, bytes, d, operand_or(e, insn->arg[0], T1));
    emit_done(e, ref, d);
}

static void emit_mul(struct emit *e, ir_ref ref)
{
    struct assembler *a = &e->as;
    const struct ir_insn *insn = emit_insn(e, ref);
    bool w = is_wide(insn);
    unsigned d = emit_dst(e, ref, T0);
    int32_t imm;
    if (emit_imm32(e, insn->arg[1], &imm)) {
        x_imul_imm(a, w, d, operand_or(e, insn->arg[0], T1), imm);
    } else {
        struct asm_operand y = operand_or(e, insn->arg[1], T1);
        if (operand_is(y, d)) {
            x_imul(a, w, d, operand_or(e, insn->arg[0], T0));
        } else {
            emit_gpr_to(e, insn->arg[0], d);
            x_imul(a, w, d, y);
        }
    }
    emit_done(e, ref, d);
}

static void emit_mulh(struct emit *e, ir_ref ref)
{
    struct assembler *a = &e->as;
    const struct ir_insn *insn = emit_insn(e, ref);
    if (insn->op == IR_UMULH) {
        unsigned d = emit_dst(e, ref, T0);
        emit_gpr_to(e, insn->arg[0], RDX);
        x_mulx(a, d, RAX == d ? RDX : RAX, operand_or(e, insn->arg[1], T0));
        emit_done(e, ref, d);
    } else {
        emit_gpr_to(e, insn->arg[0], RAX);
        x_imul_wide(a, operand_or(e, insn->arg[1], RDX));
        emit_done(e, ref, RDX);
    }
}

/* The divisor must be neither RAX nor RDX: a constant comes from the pool. */
static void emit_div(struct emit *e, ir_ref ref)
{
    struct assembler *a = &e->as;
    const struct ir_insn *insn = emit_insn(e, ref);
    bool w = is_wide(insn), is_signed = insn->op == IR_SDIV;
    struct asm_operand y = emit_operand(e, insn->arg[1]);
    uint64_t divisor = 0;
    bool known = emit_const(e, insn->arg[1], &divisor);
    uint64_t minus_one = w ? UINT64_MAX : UINT32_MAX;
    uint32_t to_zero = 0, to_negate = 0, done1 = 0, done2 = 0;
    emit_gpr_to(e, insn->arg[0], RAX);
    if (!known) {
        x_alu_imm(a, ALU_CMP, w, y, 0);
        to_zero = x_jcc8(a, JE);
        if (is_signed) {
            x_alu_imm(a, ALU_CMP, w, y, -1);
            to_negate = x_jcc8(a, JE);
        }
    }
    if (known && divisor == 0) {
        x_mov_imm(a, RAX, 0);
    } else if (known && is_signed && divisor == minus_one) {
        x_neg(a, w, RAX);
    } else if (is_signed) {
        x_cqo(a, w);
        x_idiv(a, w, y);
    } else {
        x_alu(a, ALU_XOR, 0, RDX, asm_reg(RDX));
        x_div(a, w, y);
    }
    if (!known) {
        done1 = x_jmp8(a);
        if (is_signed) {
            asm_patch8(a, to_negate);
            x_neg(a, w, RAX);
            done2 = x_jmp8(a);
        }
        asm_patch8(a, to_zero);
        x_alu(a, ALU_XOR, 0, RAX, asm_reg(RAX));
        asm_patch8(a, done1);
        if (is_signed)
            asm_patch8(a, done2);
    }
    emit_done(e, ref, RAX);
}

static void emit_andn(struct emit *e, ir_ref ref)
{
    const struct ir_insn *insn = emit_insn(e, ref);
    unsigned d = emit_dst(e, ref, T0);
    unsigned y = emit_gpr(e, insn->arg[1], T1);
    x_andn(&e->as, is_wide(insn), d, y, operand_or(e, insn->arg[0], T0));
    emit_done(e, ref, d);
}

static void emit_unary(struct emit *e, ir_ref ref)
{
    struct assembler *a = &e->as;
    const struct ir_insn *insn = emit_insn(e, ref);
    bool w = is_wide(insn);
    unsigned d = emit_dst(e, ref, T0);
    switch (insn->op) {
    case IR_NOT:
        emit_gpr_to(e, insn->arg[0], d);
        x_not(a, w, d);
        break;
    case IR_NEG:
        emit_gpr_to(e, insn->arg[0], d);
        x_neg(a, w, d);
        break;
    case IR_CLZ:
        x_lzcnt(a, w, d, operand_or(e, insn->arg[0], T1));
        break;
    default:
        x_tzcnt(a, w, d, operand_or(e, insn->arg[0], T1));
        break;
    }
    emit_done(e, ref, d);
}

static void emit_shift(struct emit *e, ir_ref ref)
{
    struct assembler *a = &e->as;
    const struct ir_insn *insn = emit_insn(e, ref);
    bool w = is_wide(insn);
    unsigned d = emit_dst(e, ref, T0);
    uint64_t count;
    if (emit_const(e, insn->arg[1], &count)) {
        count &= w ? 63 : 31;
        if (insn->op == IR_ROR) {
            x_rorx(a, w, d, operand_or(e, insn->arg[0], T0), (unsigned)count);
        } else {
            static const uint8_t op[] = {SHIFT_SHL, SHIFT_SHR, SHIFT_SAR};
            const struct value *x = &e->values[emit_root(e, insn->arg[0])];
            if (insn->op == IR_SHL && count && count <= 3 && x->place == PLACE_REG && x->reg != d) {
                x_lea(a, w, d, (struct asm_mem){.base = GPR_NONE, .index = x->reg, .shift = (uint8_t)count, .pool = -1});
            } else {
                emit_gpr_to(e, insn->arg[0], d);
                x_shift_imm(a, op[insn->op - IR_SHL], w, d, (unsigned)count);
            }
        }
    } else if (insn->op == IR_ROR) {
        /* Rotation by a register is only there by CL. */
        unsigned n = emit_gpr(e, insn->arg[1], T1);
        emit_gpr_to(e, insn->arg[0], T0);
        if (n == RCX) {
            x_shift_cl(a, SHIFT_ROR, w, T0);
        } else {
            x_mov(a, 1, T1, n);
            asm_rr(a, X86_OP(X86_MAP_1, X86_NP, 0x87) | X86_W, RCX, T1); /* xchg */
            x_shift_cl(a, SHIFT_ROR, w, T0);
            x_mov(a, 1, RCX, T1);
        }
        d = T0;
    } else {
        unsigned n = emit_gpr(e, insn->arg[1], T1);
        struct asm_operand x = operand_or(e, insn->arg[0], T0);
        if (insn->op == IR_SHL)
            x_shlx(a, w, d, x, n);
        else if (insn->op == IR_SHR)
            x_shrx(a, w, d, x, n);
        else
            x_sarx(a, w, d, x, n);
    }
    emit_done(e, ref, d);
}

static void emit_extr(struct emit *e, ir_ref ref)
{
    const struct ir_insn *insn = emit_insn(e, ref);
    unsigned high = emit_gpr(e, insn->arg[0], T1);
    emit_gpr_to(e, insn->arg[1], T0);
    x_shrd(&e->as, is_wide(insn), T0, high, (unsigned)insn->imm);
    emit_done(e, ref, T0);
}

/* One step of a bit or byte reversal in T0: swaps groups of `n` bits selected by `mask`. */
static void swap_groups(struct emit *e, unsigned n, uint64_t mask)
{
    struct assembler *a = &e->as;
    struct asm_operand m = emit_pool_operand(e, mask, 0);
    x_mov(a, 1, T1, T0);
    x_shift_imm(a, SHIFT_SHR, 1, T1, n);
    x_alu(a, ALU_AND, 1, T1, m);
    x_alu(a, ALU_AND, 1, T0, m);
    x_shift_imm(a, SHIFT_SHL, 1, T0, n);
    x_alu(a, ALU_OR, 1, T0, asm_reg(T1));
}

static void emit_reverse(struct emit *e, ir_ref ref)
{
    struct assembler *a = &e->as;
    const struct ir_insn *insn = emit_insn(e, ref);
    bool w = is_wide(insn);
    emit_gpr_to(e, insn->arg[0], T0);
    if (insn->op == IR_RBIT) {
        if (!w)
            x_mov(a, 0, T0, T0);
        swap_groups(e, 1, 0x5555555555555555);
        swap_groups(e, 2, 0x3333333333333333);
        swap_groups(e, 4, 0x0f0f0f0f0f0f0f0f);
        x_bswap(a, w, T0);
    } else if (insn->size == 2) {
        if (w) {
            swap_groups(e, 8, 0x00ff00ff00ff00ff);
        } else {
            x_bswap(a, 0, T0);
            x_shift_imm(a, SHIFT_ROL, 0, T0, 16);
        }
    } else {
        x_bswap(a, w, T0);
        if (w && insn->size == 4)
            x_shift_imm(a, SHIFT_ROL, 1, T0, 32);
    }
    emit_done(e, ref, T0);
}

static void emit_extend(struct emit *e, ir_ref ref)
{
    const struct ir_insn *insn = emit_insn(e, ref);
    unsigned d = emit_dst(e, ref, T0);
    struct asm_operand x = operand_or(e, insn->arg[0], T1);
    if (insn->op == IR_ZEXT)
        x_zext(&e->as, insn->size, d, x);
    else if (insn->size == 4 && !is_wide(insn))
        emit_gpr_to(e, insn->arg[0], d);
    else
        x_sext(&e->as, is_wide(insn), insn->size, d, x);
    emit_done(e, ref, d);
}

/* ---- comparisons -------------------------------------------------------------------------------------------------------- */

static const uint8_t host_cc[IR_CC_COUNT] = {
    [IR_EQ] = JE, [IR_NE] = JNE, [IR_ULT] = JB, [IR_UGE] = JAE, [IR_ULE] = JBE, [IR_UGT] = JA,
    [IR_SLT] = JL, [IR_SGE] = JGE, [IR_SLE] = JLE, [IR_SGT] = JG,
};
static const uint8_t swapped_cc[IR_CC_COUNT] = {
    [IR_EQ] = IR_EQ, [IR_NE] = IR_NE, [IR_ULT] = IR_UGT, [IR_UGE] = IR_ULE, [IR_ULE] = IR_UGE, [IR_UGT] = IR_ULT,
    [IR_SLT] = IR_SGT, [IR_SGE] = IR_SLE, [IR_SLE] = IR_SGE, [IR_SGT] = IR_SLT,
};

/* test x, y for a comparison of x & y with 0. */
static void emit_test(struct emit *e, ir_ref and_ref, bool w)
{
    struct assembler *a = &e->as;
    const struct ir_insn *insn = emit_insn(e, and_ref);
    int32_t imm;
    uint64_t mask;
    if (emit_imm32(e, insn->arg[1], &imm)) {
        x_test_imm(a, w && imm < 0, operand_or(e, insn->arg[0], T0), imm);
    } else if (emit_const(e, insn->arg[1], &mask) && mask == UINT64_C(0x80000000)) {
        x_test_imm(a, 0, operand_or(e, insn->arg[0], T0), INT32_MIN);
    } else {
        unsigned y = emit_gpr(e, insn->arg[1], T1);
        x_test(a, w, emit_gpr(e, insn->arg[0], T0), y);
    }
}

/* Whether `insn` compares what e->compared did, or its difference with 0: EFLAGS are there already, as `lahf` read them. */
static bool is_compared(const struct emit *e, const struct ir_insn *insn, unsigned *cond)
{
    if (e->compared == IR_NONE || !e->backend->options.fold)
        return false;
    const struct ir_insn *flags = emit_insn(e, e->compared);
    if (flags->size != insn->size)
        return false;
    if (flags->arg[0] == insn->arg[0] && flags->arg[1] == insn->arg[1]) {
        *cond = host_cc[insn->mode];
        return true;
    }
    const struct ir_insn *difference = emit_insn(e, insn->arg[0]);
    uint64_t zero, subtrahend, addend, mask = insn->size == 8 ? UINT64_MAX : UINT32_MAX;
    if (!emit_const(e, insn->arg[1], &zero) || zero != 0 || difference->arg[0] != flags->arg[0])
        return false;
    bool same = difference->op == IR_SUB && difference->arg[1] == flags->arg[1];
    if (difference->op == IR_ADD && emit_const(e, difference->arg[1], &addend) && emit_const(e, flags->arg[1], &subtrahend))
        same = ((addend + subtrahend) & mask) == 0;
    *cond = insn->mode == IR_SLT ? JS : insn->mode == IR_SGE ? JNS : host_cc[insn->mode];
    return same && (insn->mode == IR_EQ || insn->mode == IR_NE || insn->mode == IR_SLT || insn->mode == IR_SGE);
}

static unsigned emit_cmp_flags(struct emit *e, const struct ir_insn *insn)
{
    struct assembler *a = &e->as;
    bool w = insn->size == 8;
    unsigned cc = insn->mode;
    ir_ref x = insn->arg[0], y = insn->arg[1];
    int32_t imm;
    unsigned known;
    if (is_compared(e, insn, &known))
        return known;
    if (emit_imm32(e, y, &imm)) {
        ir_ref root = emit_root(e, x);
        if (imm == 0) {
            if (e->values[root].folded && (cc == IR_EQ || cc == IR_NE)) {
                emit_test(e, root, w);
                return host_cc[cc];
            }
            bool zs = cc == IR_EQ || cc == IR_NE || cc == IR_SLT || cc == IR_SGE;
            unsigned cond = cc == IR_SLT ? JS : cc == IR_SGE ? JNS : host_cc[cc];
            if (zs && e->flags_of == x && e->backend->options.fold)
                return cond;
            if (e->values[root].place == PLACE_REG) {
                x_test(a, w, e->values[root].reg, e->values[root].reg);
                return zs ? cond : host_cc[cc];
            }
        }
        x_alu_imm(a, ALU_CMP, w, operand_or(e, x, T0), imm);
        return host_cc[cc];
    }
    if (emit_imm32(e, x, &imm)) {
        x_alu_imm(a, ALU_CMP, w, operand_or(e, y, T0), imm);
        return host_cc[swapped_cc[cc]];
    }
    struct asm_operand yo = operand_or(e, y, T1);
    x_alu(a, ALU_CMP, w, emit_gpr(e, x, T0), yo);
    return host_cc[cc];
}

/* EFLAGS from packed flags; carry is the host's borrow, so the host's subtraction conditions hold. */
static unsigned emit_cond_flags(struct emit *e, const struct ir_insn *insn)
{
    static const uint8_t signed_cc[] = {[IR_FLAG_GE] = JGE, [IR_FLAG_LT] = JL, [IR_FLAG_GT] = JG, [IR_FLAG_LE] = JLE};
    static const uint16_t mask[] = {
        [IR_FLAG_EQ] = IR_FLAG_Z, [IR_FLAG_CS] = IR_FLAG_NOT_C, [IR_FLAG_MI] = IR_FLAG_N, [IR_FLAG_VS] = IR_FLAG_V,
        [IR_FLAG_HI] = IR_FLAG_NOT_C | IR_FLAG_Z,
    };
    struct assembler *a = &e->as;
    if (insn->mode >= IR_FLAG_GE) {
        emit_gpr_to(e, insn->arg[0], RAX);
        x_add_al(a, 0x7f); /* OF = V */
        x_sahf(a);
        return signed_cc[insn->mode];
    }
    unsigned base = insn->mode & ~1u;
    x_test_imm(a, 0, operand_or(e, insn->arg[0], T0), mask[base]);
    bool set_means_true = base == IR_FLAG_EQ || base == IR_FLAG_MI || base == IR_FLAG_VS;
    return set_means_true == !(insn->mode & 1) ? JNE : JE;
}

unsigned emit_condition(struct emit *e, ir_ref v, bool *parity)
{
    *parity = false;
    if (e->values[v].folded) {
        const struct ir_insn *insn = emit_insn(e, v);
        if (insn->op == IR_CMP)
            return emit_cmp_flags(e, insn);
        if (insn->op == IR_COND)
            return emit_cond_flags(e, insn);
        return emit_fcmp_flags(e, v, parity);
    }
    struct asm_operand o = operand_or(e, v, T0);
    if (o.is_mem)
        x_alu_imm(&e->as, ALU_CMP, 0, o, 0);
    else
        x_test(&e->as, 0, o.reg, o.reg);
    return JNE;
}

static void emit_bool(struct emit *e, ir_ref ref)
{
    const struct ir_insn *insn = emit_insn(e, ref);
    unsigned cond = insn->op == IR_CMP ? emit_cmp_flags(e, insn) : emit_cond_flags(e, insn);
    unsigned d = emit_dst(e, ref, T0);
    x_setcc(&e->as, cond, T0);
    x_zext(&e->as, 1, d, asm_reg(T0));
    emit_done(e, ref, d);
}

static void emit_select(struct emit *e, ir_ref ref)
{
    struct assembler *a = &e->as;
    const struct ir_insn *insn = emit_insn(e, ref);
    bool parity;
    ir_ref x = insn->arg[1], y = insn->arg[2];
    unsigned cond = emit_condition(e, insn->arg[0], &parity);
    if (insn->type != IR_I32 && insn->type != IR_I64) {
        emit_xmm_move(e, XT0, emit_xmm(e, y, XT0));
        uint32_t skip, skip_unordered = 0;
        if (parity && cond == JNE) { /* not equal, or unordered */
            uint32_t take = x_jcc8(a, JNE);
            skip = x_jcc8(a, JNP);
            asm_patch8(a, take);
        } else {
            skip = x_jcc8(a, cond ^ 1);
            if (parity)
                skip_unordered = x_jcc8(a, JP);
        }
        emit_xmm_move(e, XT0, emit_xmm(e, x, XT0));
        asm_patch8(a, skip);
        if (skip_unordered)
            asm_patch8(a, skip_unordered);
        emit_done(e, ref, XT0);
        return;
    }
    /* Moves and loads leave EFLAGS alone. */
    bool w = is_wide(insn);
    unsigned d = emit_dst(e, ref, T0);
    struct asm_operand xo = operand_or(e, x, T1);
    if (parity) {
        emit_gpr_to(e, y, T0);
        x_cmov(a, cond, w, T0, xo);
        if (cond == JE) /* equal and ordered: y again when unordered */
            x_cmov(a, JP, w, T0, operand_or(e, y, T1));
        else
            x_cmov(a, JP, w, T0, xo);
        d = T0;
    } else if (operand_is(xo, d)) {
        x_cmov(a, cond ^ 1, w, d, operand_or(e, y, T0));
    } else {
        emit_gpr_to(e, y, d);
        x_cmov(a, cond, w, d, xo);
    }
    emit_done(e, ref, d);
}

/* ---- packed flags ------------------------------------------------------------------------------------------------------- */

static void pack(struct emit *e, unsigned dst)
{
    x_lahf(&e->as);
    x_setcc(&e->as, JO, RAX);
    if (dst != RAX)
        x_mov(&e->as, 0, dst, RAX);
}

void emit_flags(struct emit *e, ir_ref ref, unsigned dst)
{
    struct assembler *a = &e->as;
    const struct ir_insn *insn = emit_insn(e, ref);
    bool w = insn->size == 8;
    int32_t imm;
    switch (insn->op) {
    case IR_FLAGS_SUB: {
        unsigned x = emit_gpr(e, insn->arg[0], T0);
        if (emit_imm32(e, insn->arg[1], &imm))
            x_alu_imm(a, ALU_CMP, w, asm_reg(x), imm);
        else
            x_alu(a, ALU_CMP, w, x, operand_or(e, insn->arg[1], T1));
        break;
    }
    case IR_FLAGS_ADD:
        emit_gpr_to(e, insn->arg[0], T0);
        if (emit_imm32(e, insn->arg[1], &imm))
            x_alu_imm(a, ALU_ADD, w, asm_reg(T0), imm);
        else
            x_alu(a, ALU_ADD, w, T0, operand_or(e, insn->arg[1], T1));
        x_cmc(a);
        break;
    case IR_FLAGS_ADC: {
        struct asm_operand y = operand_or(e, insn->arg[1], T1);
        emit_gpr_to(e, insn->arg[2], T0);
        x_bt_imm(a, 0, asm_reg(T0), 0);
        emit_gpr_to(e, insn->arg[0], T0);
        x_alu(a, ALU_ADC, w, T0, y);
        x_cmc(a);
        break;
    }
    default: { /* FLAGS_LOGIC */
        unsigned x = emit_gpr(e, insn->arg[0], T0);
        x_test(a, w, x, x);
        x_stc(a);
        break;
    }
    }
    pack(e, dst);
}

static void emit_flags_value(struct emit *e, ir_ref ref)
{
    unsigned d = emit_dst(e, ref, T0);
    emit_flags(e, ref, d);
    emit_done(e, ref, d);
}

/* Layout: N 15, Z 14, not C 8, V 0 from N Z C V in 31:28, and back. */
static void emit_flags_repack(struct emit *e, ir_ref ref)
{
    struct assembler *a = &e->as;
    const struct ir_insn *insn = emit_insn(e, ref);
    emit_gpr_to(e, insn->arg[0], T0);
    if (insn->op == IR_FLAGS_PACK) {
        x_shift_imm(a, SHIFT_SHR, 0, T0, 16); /* N 15, Z 14, C 13, V 12 */
        x_rorx(a, 0, T1, asm_reg(T0), 5);
        x_alu_imm(a, ALU_XOR, 0, asm_reg(T1), 0x100);
        x_alu_imm(a, ALU_AND, 0, asm_reg(T1), 0x100);
        x_bt_imm(a, 0, asm_reg(T0), 12);
        x_alu_imm(a, ALU_ADC, 0, asm_reg(T1), 0); /* V in bit 0 */
        x_alu_imm(a, ALU_AND, 0, asm_reg(T0), 0xc000);
        x_alu(a, ALU_OR, 0, T0, asm_reg(T1));
    } else {
        x_mov(a, 0, T1, T0);
        x_alu_imm(a, ALU_AND, 0, asm_reg(T1), 0xc000);
        x_shift_imm(a, SHIFT_SHL, 0, T1, 16); /* N 31, Z 30 */
        x_alu_imm(a, ALU_AND, 0, asm_reg(T0), 0x101);
        x_alu_imm(a, ALU_XOR, 0, asm_reg(T0), 0x100);
        x_imul_imm(a, 0, T0, asm_reg(T0), 1 << 28 | 1 << 21); /* C 29, V 28, and others */
        x_alu_imm(a, ALU_AND, 0, asm_reg(T0), 0x30000000);
        x_alu(a, ALU_OR, 0, T0, asm_reg(T1));
    }
    emit_done(e, ref, T0);
}

static void emit_crc32c(struct emit *e, ir_ref ref)
{
    const struct ir_insn *insn = emit_insn(e, ref);
    struct asm_operand y = operand_or(e, insn->arg[1], T1);
    emit_gpr_to(e, insn->arg[0], T0);
    x_crc32(&e->as, insn->size, T0, y);
    emit_done(e, ref, T0);
}

void emit_integer(struct emit *e, ir_ref ref)
{
    switch (emit_insn(e, ref)->op) {
    case IR_ADD: emit_add(e, ref); break;
    case IR_SUB: emit_sub(e, ref); break;
    case IR_MUL: emit_mul(e, ref); break;
    case IR_UMULH: case IR_SMULH: emit_mulh(e, ref); break;
    case IR_UDIV: case IR_SDIV: emit_div(e, ref); break;
    case IR_AND: emit_and(e, ref); break;
    case IR_OR: binary(e, ref, ALU_OR, true); break;
    case IR_XOR: binary(e, ref, ALU_XOR, true); break;
    case IR_ANDN: emit_andn(e, ref); break;
    case IR_NOT: case IR_NEG: case IR_CLZ: case IR_CTZ: emit_unary(e, ref); break;
    case IR_SHL: case IR_SHR: case IR_SAR: case IR_ROR: emit_shift(e, ref); break;
    case IR_EXTR: emit_extr(e, ref); break;
    case IR_RBIT: case IR_BSWAP: emit_reverse(e, ref); break;
    case IR_ZEXT: case IR_SEXT: emit_extend(e, ref); break;
    case IR_SELECT: emit_select(e, ref); break;
    case IR_CMP: case IR_COND: emit_bool(e, ref); break;
    case IR_FLAGS_ADD: case IR_FLAGS_SUB: case IR_FLAGS_ADC: case IR_FLAGS_LOGIC: emit_flags_value(e, ref); break;
    case IR_FLAGS_PACK: case IR_FLAGS_UNPACK: emit_flags_repack(e, ref); break;
    case IR_CRC32C: emit_crc32c(e, ref); break;
    case IR_TRUNC: emit_done(e, ref, emit_gpr(e, emit_insn(e, ref)->arg[0], T0)); break;
    default: break;
    }
}

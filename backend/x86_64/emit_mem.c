/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Guest memory. Guest addresses are host addresses, so an access is one host instruction at [base + index * scale + disp].
 * ARM's order is weaker than the host's: plain and acquire loads, plain stores and load or store fences need nothing;
 * a sequentially consistent store is XCHG, a full fence a locked OR on the stack.
 */
#include "backend/x86_64/asm_int.h"
#include "backend/x86_64/emit.h"
#include "backend/x86_64/emit_parts.h"

/* The memory operand of base, index, scale and displacement; T0 and T1 may be used. */
static struct asm_mem address(struct emit *e, const struct ir_insn *insn)
{
    struct assembler *a = &e->as;
    int64_t disp = (int64_t)insn->imm;
    ir_ref index = ir_has_index(insn) ? insn->arg[1] : IR_NONE;
    uint64_t bits;
    if (index == IR_NONE && emit_pc(e, insn->arg[0], &bits)) {
        emit_gpr_pc(e, T0, bits + (uint64_t)disp);
        return asm_base(T0, 0);
    }
    if (index == IR_NONE && emit_const(e, insn->arg[0], &bits)) {
        bits += (uint64_t)disp;
        if (bits <= INT32_MAX)
            return (struct asm_mem){.base = GPR_NONE, .index = GPR_NONE, .disp = (int32_t)bits, .pool = -1};
        emit_gpr_const(e, T0, bits);
        return asm_base(T0, 0);
    }
    if (emit_const(e, insn->arg[0], &bits) && bits + (uint64_t)disp <= INT32_MAX)
        return (struct asm_mem){.base = GPR_NONE, .index = (uint8_t)emit_gpr(e, index, T1), .pool = -1,
                                .shift = (uint8_t)IR_MEM_SCALE(insn->mode), .disp = (int32_t)(bits + (uint64_t)disp)};
    unsigned base = emit_gpr(e, insn->arg[0], T0);
    if (disp != (int32_t)disp) {
        emit_gpr_const(e, T1, (uint64_t)disp);
        x_lea(a, 1, T0, asm_indexed(base, T1, 0, 0)); /* not ADD: EFLAGS may be wanted after the access */
        base = T0;
        disp = 0;
    }
    if (index == IR_NONE)
        return asm_base(base, (int32_t)disp);
    return asm_indexed(base, emit_gpr(e, index, T1), IR_MEM_SCALE(insn->mode), (int32_t)disp);
}

/* The same with T1 free afterwards. */
static struct asm_mem address_one(struct emit *e, const struct ir_insn *insn)
{
    struct asm_mem m = address(e, insn);
    if (m.index == T1 || m.base == T1) {
        x_lea(&e->as, 1, T0, m);
        m = asm_base(T0, 0);
    }
    return m;
}

static void emit_load(struct emit *e, ir_ref ref)
{
    struct assembler *a = &e->as;
    const struct ir_insn *insn = emit_insn(e, ref);
    struct asm_mem m = address(e, insn);
    if (insn->type != IR_I32 && insn->type != IR_I64) {
        unsigned d = emit_dst(e, ref, XT0);
        emit_fault_point(e);
        emit_xmm_load(e, insn->type, d, m);
        emit_done(e, ref, d);
        return;
    }
    unsigned d = emit_dst(e, ref, T0);
    bool wide = insn->type == IR_I64;
    emit_fault_point(e);
    if (insn->size == 8)
        x_load(a, 1, d, m);
    else if (!(insn->mode & IR_MEM_SIGNED) || (insn->size == 4 && !wide))
        x_zext(a, insn->size, d, asm_at(m));
    else
        x_sext(a, wide, insn->size, d, asm_at(m));
    emit_done(e, ref, d);
}

static void emit_store(struct emit *e, ir_ref ref)
{
    struct assembler *a = &e->as;
    const struct ir_insn *insn = emit_insn(e, ref);
    ir_ref v = insn->arg[2];
    unsigned type = emit_insn(e, v)->type;
    bool ordered = insn->mode & IR_MEM_ORDERED;
    if (type != IR_I32 && type != IR_I64) {
        struct asm_mem m = address(e, insn);
        unsigned x = emit_xmm(e, v, XT0);
        emit_fault_point(e);
        emit_xmm_store(e, type, m, x);
        if (ordered) {
            x_lock(a), x_alu_imm(a, ALU_OR, 0, asm_at(asm_base(RSP, 0)), 0);
            e->flags_of = e->compared = IR_NONE;
        }
        return;
    }
    int32_t imm;
    if (!ordered && emit_imm32(e, v, &imm)) {
        struct asm_mem m = address(e, insn);
        emit_fault_point(e);
        x_store_imm(a, insn->size, m, imm);
        return;
    }
    bool in_register = e->values[emit_root(e, v)].place == PLACE_REG;
    if (in_register && !ordered) {
        struct asm_mem m = address(e, insn);
        unsigned r = emit_gpr(e, v, T0);
        emit_fault_point(e);
        x_store(a, insn->size, m, r);
        return;
    }
    struct asm_mem m = address_one(e, insn);
    emit_gpr_to(e, v, T1);
    emit_fault_point(e);
    if (ordered)
        x_xchg(a, insn->size, m, T1);
    else
        x_store(a, insn->size, m, T1);
}

/* Base + displacement for the locked operations, without touching RAX or RDX. */
static struct asm_mem locked_address(struct emit *e, ir_ref ref)
{
    const struct ir_insn *insn = emit_insn(e, ref);
    unsigned base = emit_gpr(e, insn->arg[0], e->values[ref].extra);
    int64_t disp = (int64_t)insn->imm;
    if (disp == (int32_t)disp)
        return asm_base(base, (int32_t)disp);
    emit_gpr_const(e, T0, (uint64_t)disp);
    x_alu(&e->as, ALU_ADD, 1, T0, asm_reg(base));
    x_mov(&e->as, 1, e->values[ref].extra, T0);
    return asm_base(e->values[ref].extra, 0);
}

/* v into RDX:RAX or RCX:RBX. */
static void split_vector(struct emit *e, ir_ref v, unsigned low, unsigned high)
{
    unsigned x = emit_xmm(e, v, XT0);
    asm_vex_rr(&e->as, X86_OP(X86_MAP_0F, X86_66, 0x7e) | X86_W, 0, x, 0, low);    /* vmovq */
    asm_vex_rr(&e->as, X86_OP(X86_MAP_0F3A, X86_66, 0x16) | X86_W, 0, x, 0, high); /* vpextrq */
    asm_u8(&e->as, 1);
}

/* Zero-extends the old value in RAX into the result. */
static void done_old_value(struct emit *e, ir_ref ref, unsigned reg)
{
    const struct ir_insn *insn = emit_insn(e, ref);
    unsigned d = emit_dst(e, ref, T0);
    if (insn->size < 4 || (insn->size == 4 && insn->type == IR_I64))
        x_zext(&e->as, insn->size, d, asm_reg(reg));
    else
        d = reg;
    emit_done(e, ref, d);
}

static void emit_cas(struct emit *e, ir_ref ref)
{
    struct assembler *a = &e->as;
    const struct ir_insn *insn = emit_insn(e, ref);
    struct asm_mem m = locked_address(e, ref);
    if (insn->size == 16) {
        split_vector(e, insn->arg[1], RAX, RDX);
        split_vector(e, insn->arg[2], RBX, RCX);
        emit_fault_point(e);
        x_lock(a);
        x_cmpxchg16b(a, m);
        unsigned d = emit_dst(e, ref, XT0);
        asm_vex_rr(a, X86_OP(X86_MAP_0F, X86_66, 0x6e) | X86_W, 0, XT0, 0, RAX);       /* vmovq */
        asm_vex_rr(a, X86_OP(X86_MAP_0F3A, X86_66, 0x22) | X86_W, 0, d, XT0, RDX);     /* vpinsrq */
        asm_u8(a, 1);
        emit_done(e, ref, d);
        return;
    }
    emit_gpr_to(e, insn->arg[1], RAX);
    unsigned new = emit_gpr(e, insn->arg[2], T1);
    emit_fault_point(e);
    x_lock(a);
    x_cmpxchg(a, insn->size, m, new);
    done_old_value(e, ref, RAX);
}

static void emit_store_excl(struct emit *e, ir_ref ref)
{
    struct assembler *a = &e->as;
    const struct ir_insn *insn = emit_insn(e, ref);
    bool is_armed = insn->arg[0] == insn->arg[1] && insn->imm == 0;
    unsigned armed = is_armed ? GPR_NONE : emit_gpr(e, insn->arg[1], T0);
    struct asm_mem m = locked_address(e, ref);
    uint32_t fail = 0;
    if (!is_armed) {
        x_alu(a, ALU_CMP, 1, armed, asm_reg(m.base));
        fail = x_jcc8(a, JNE);
    }
    if (insn->size == 16) {
        split_vector(e, insn->arg[2], RAX, RDX);
        split_vector(e, insn->arg[3], RBX, RCX);
        emit_fault_point(e);
        x_lock(a);
        x_cmpxchg16b(a, m);
    } else {
        emit_gpr_to(e, insn->arg[2], RAX);
        unsigned new = emit_gpr(e, insn->arg[3], T1);
        emit_fault_point(e);
        x_lock(a);
        x_cmpxchg(a, insn->size, m, new);
    }
    if (!is_armed)
        asm_patch8(a, fail);
    unsigned d = emit_dst(e, ref, T0);
    x_setcc(a, JNE, T0);
    x_zext(a, 1, d, asm_reg(T0));
    emit_done(e, ref, d);
}

/* op [mem], value with no result. False: there is no such host form. */
static bool emit_rmw_unused(struct emit *e, ir_ref ref, struct asm_mem m)
{
    static const int8_t form[IR_RMW_COUNT] = {
        [IR_RMW_ADD] = ALU_ADD, [IR_RMW_AND] = ALU_AND, [IR_RMW_OR] = ALU_OR, [IR_RMW_XOR] = ALU_XOR,
        [IR_RMW_SMAX] = -1, [IR_RMW_SMIN] = -1, [IR_RMW_UMAX] = -1, [IR_RMW_UMIN] = -1, [IR_RMW_XCHG] = -1,
    };
    const struct ir_insn *insn = emit_insn(e, ref);
    if (e->values[ref].end || form[insn->mode] < 0)
        return false;
    unsigned v = emit_gpr(e, insn->arg[1], T1);
    emit_fault_point(e);
    x_lock(&e->as);
    x_alu_mem(&e->as, (enum alu)form[insn->mode], insn->size, m, v);
    return true;
}

/* T1 = max or min of old (RAX) and v, at the access size. */
static void emit_minmax(struct emit *e, const struct ir_insn *insn, ir_ref v)
{
    static const uint8_t keep_old[] = {[IR_RMW_SMAX] = JG, [IR_RMW_SMIN] = JL, [IR_RMW_UMAX] = JA, [IR_RMW_UMIN] = JB};
    struct assembler *a = &e->as;
    bool w = insn->size == 8, is_signed = insn->mode == IR_RMW_SMAX || insn->mode == IR_RMW_SMIN;
    emit_gpr_to(e, v, T1);
    if (insn->size < 4) { /* compare at 32 bits what was extended */
        if (is_signed) {
            x_sext(a, 0, insn->size, T1, asm_reg(T1));
            x_sext(a, 0, insn->size, T0, asm_reg(T0));
        } else {
            x_zext(a, insn->size, T1, asm_reg(T1));
            x_zext(a, insn->size, T0, asm_reg(T0));
        }
    }
    x_alu(a, ALU_CMP, w, T0, asm_reg(T1));
    x_cmov(a, keep_old[insn->mode], w, T1, asm_reg(T0));
}

static void emit_rmw(struct emit *e, ir_ref ref)
{
    static const uint8_t alu[] = {[IR_RMW_AND] = ALU_AND, [IR_RMW_OR] = ALU_OR, [IR_RMW_XOR] = ALU_XOR};
    struct assembler *a = &e->as;
    const struct ir_insn *insn = emit_insn(e, ref);
    struct asm_mem m = locked_address(e, ref);
    ir_ref v = insn->arg[1];
    if (emit_rmw_unused(e, ref, m))
        return;
    if (insn->mode == IR_RMW_ADD || insn->mode == IR_RMW_XCHG) {
        emit_gpr_to(e, v, T1);
        emit_fault_point(e);
        if (insn->mode == IR_RMW_ADD) {
            x_lock(a);
            x_xadd(a, insn->size, m, T1);
        } else {
            x_xchg(a, insn->size, m, T1);
        }
        done_old_value(e, ref, T1);
        return;
    }
    emit_fault_point(e);
    if (insn->size == 8)
        x_load(a, 1, T0, m);
    else
        x_zext(a, insn->size, T0, asm_at(m));
    uint32_t loop = asm_offset(a);
    if (insn->mode >= IR_RMW_SMAX) {
        emit_minmax(e, insn, v);
    } else {
        emit_gpr_to(e, v, T1);
        x_alu(a, (enum alu)alu[insn->mode], 1, T1, asm_reg(T0));
    }
    emit_fault_point(e);
    x_lock(a);
    x_cmpxchg(a, insn->size, m, T1);
    asm_patch(a, x_jcc(a, JNE), loop);
    done_old_value(e, ref, T0);
}

/* Its ModRM.reg says into which cache. */
static void emit_prefetch(struct emit *e, const struct ir_insn *insn)
{
    struct asm_mem m = address(e, insn);
    asm_rm(&e->as, X86_OP(X86_MAP_0F, X86_NP, 0x18), insn->size & 3, &m, 0);
}

void emit_memory(struct emit *e, ir_ref ref)
{
    const struct ir_insn *insn = emit_insn(e, ref);
    switch (insn->op) {
    case IR_LOAD: emit_load(e, ref); break;
    case IR_STORE: emit_store(e, ref); break;
    case IR_CAS: emit_cas(e, ref); break;
    case IR_STORE_EXCL: emit_store_excl(e, ref); break;
    case IR_RMW: emit_rmw(e, ref); break;
    case IR_PREFETCH: emit_prefetch(e, insn); break;
    default: /* FENCE */
        if (insn->mode == IR_FENCE_FULL)
            x_lock(&e->as), x_alu_imm(&e->as, ALU_OR, 0, asm_at(asm_base(RSP, 0)), 0);
        break;
    }
}

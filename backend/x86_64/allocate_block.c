/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Register allocation for cold code: one block and its exits, in one walk, without intervals. A value keeps its register
 * until its uses have been counted down to none, or to the end if anything else may still look at it: a state map, or an
 * operation that is emitted elsewhere (folded) or shares its place (alias). When the registers do not suffice, or an operation
 * has wishes of its own, allocate.c does the work.
 */
#include "backend/x86_64/emit.h"
#include "backend/x86_64/select.h"

enum {
    GPRS = 1 << RBX | 1 << RCX | 1 << RSI | 1 << RDI | 0xff00, /* RAX and RDX are scratch */
    XMMS = (1 << XT2) - 1,
};

struct registers {
    uint32_t free[2]; /* general, vector */
};

static unsigned class_of(const struct ir_insn *insn) { return insn->type > IR_I64; }

static bool is_one_block(const struct ir *ir)
{
    for (uint32_t b = 1; b < ir->nblocks; b++)
        if (ir->blocks[b].end - ir->blocks[b].first != 1 || ir->insns[ir->blocks[b].first].op != IR_EXIT)
            return false;
    return ir->nblocks <= 3 && ir->blocks[0].nparams == 0;
}

/* v is read where the SETs are: if it is a GET, not from its slot when that has been overwritten. */
static void mark_late(struct emit *e, ir_ref v, const uint64_t *set)
{
    const struct ir_insn *insn = emit_insn(e, v);
    struct value *value = &e->values[v];
    if (insn->op == IR_GET)
        value->slot_unsafe |= set[insn->imm / 64] >> insn->imm % 64 & 1;
    if (!value->folded && !value->alias)
        return;
    for (unsigned a = 0, n = ir_nargs(insn); a < n; a++)
        if (insn->arg[a] != IR_NONE)
            mark_late(e, insn->arg[a], set);
}

static void find_late_uses(struct emit *e)
{
    const struct ir *ir = e->ir;
    const struct ir_block *block = &ir->blocks[0];
    uint64_t set[4] = {0};
    uint32_t first = block->end - 1; /* the terminator; the SETs stand before it */
    while (first > block->first && (ir->insns[first - 1].op == IR_SET || ir->insns[first - 1].op == IR_NOP)) {
        first--;
        if (ir->insns[first].op == IR_SET)
            set[ir->insns[first].imm / 64 & 3] |= UINT64_C(1) << ir->insns[first].imm % 64;
    }
    for (uint32_t i = first; i < block->end; i++)
        for (unsigned a = 0, n = ir_nargs(&ir->insns[i]); a < n; a++)
            if (ir->insns[i].arg[a] != IR_NONE)
                mark_late(e, ir->insns[i].arg[a], set);
}

/* One use less. */
static void use(struct emit *e, struct registers *r, ir_ref v)
{
    struct value *value = &e->values[v];
    if (value->place == PLACE_REG && !value->bound && --value->start == 0)
        r->free[class_of(emit_insn(e, v))] |= 1u << value->reg;
}

static bool give_register(struct emit *e, struct registers *r, ir_ref ref)
{
    const struct ir_insn *insn = emit_insn(e, ref);
    struct value *value = &e->values[ref];
    unsigned class = class_of(insn), reg;
    const struct value *first = insn->op == IR_GET || insn->arg[0] == IR_NONE ? NULL : &e->values[insn->arg[0]];
    if (!r->free[class])
        return false;
    if (first && first->place == PLACE_REG && class_of(emit_insn(e, insn->arg[0])) == class && r->free[class] >> first->reg & 1)
        reg = first->reg; /* as two-operand instructions like it */
    else
        reg = (unsigned)__builtin_ctz(r->free[class]);
    r->free[class] &= ~(1u << reg);
    value->place = PLACE_REG;
    value->reg = (uint8_t)reg;
    value->start = value->uses; /* those left */
    value->end = 1;             /* used */
    return true;
}

static bool walk(struct emit *e)
{
    const struct ir *ir = e->ir;
    struct registers r = {{GPRS, XMMS}};
    bool fold = e->backend->options.fold;
    for (uint32_t i = ir->blocks[0].first; i < ir->blocks[0].end; i++) {
        const struct ir_insn *insn = &ir->insns[i];
        struct value *value = &e->values[i];
        switch (insn->op) {
        case IR_NOP: case IR_CONST: case IR_PC: case IR_INSN: case IR_BIND:
            continue;
        case IR_CALL: case IR_CAS: case IR_RMW: case IR_STORE_EXCL:
            return false;
        default:
            break;
        }
        if (value->folded || value->alias)
            continue;
        for (unsigned a = 0, n = ir_op_table[insn->op].nargs; a < n; a++)
            if (insn->arg[a] != IR_NONE)
                use(e, &r, insn->arg[a]);
        if (insn->type == IR_VOID || (!value->uses && !value->bound))
            continue;
        if (insn->op == IR_GET && fold && value->uses + value->bound <= 1 && !value->slot_unsafe) {
            value->place = PLACE_SLOT;
            value->index = (uint32_t)insn->imm;
            value->end = 1;
        } else if (!give_register(e, &r, i)) {
            return false;
        }
    }
    return true;
}

bool allocate_block(struct emit *e)
{
    if (!is_one_block(e->ir))
        return false;
    find_late_uses(e);
    if (walk(e))
        return true;
    for (uint32_t i = 0; i < e->ir->ninsns; i++) {
        struct value *value = &e->values[i];
        if (value->place != PLACE_CONST)
            value->place = PLACE_NONE;
        value->start = value->end = 0;
        value->slot_unsafe = false;
    }
    return false;
}

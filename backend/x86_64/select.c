/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Before registers are given out: which operations get no code of their own.
 *
 *   alias     shares its argument's place: TRUNC, VLOW, and ZEXT of a result that the host extends anyway
 *   folded    emitted where it is used: comparisons by the branch or select they feed, and those that only a SET or the
 *             state map wants (packed flags, zero extensions), which costs nothing until an exit is taken
 *   constant  rematerialised at each use
 */
#include "backend/x86_64/select.h"

#include "backend/x86_64/emit.h"

/* Operations whose i32 result is written by a 32-bit host instruction, which clears the upper half of the register. */
static bool result_is_extended(const struct ir_insn *insn)
{
    switch (insn->op) {
    case IR_PARAM:
    case IR_GET:
    case IR_TRUNC:
    case IR_CALL:
    case IR_CONST:
    case IR_PC:
    case IR_FLAGS_ADD: case IR_FLAGS_SUB: case IR_FLAGS_ADC: case IR_FLAGS_LOGIC: case IR_FLAGS_FCMP: case IR_FLAGS_PACK:
        return false;
    case IR_SEXT:
        return insn->type == IR_I32 && insn->size < 4; /* of 4 bytes it may be no instruction at all */
    default:
        return insn->type == IR_I32;
    }
}

static inline void count_use(struct emit *e, ir_ref v, enum ir_op user)
{
    struct value *value = &e->values[v];
    value->uses++;
    if (user == IR_SET)
        value->index++; /* number of SET uses, until places are given */
}

/* An operation that only SETs want may wait for the exit that they belong to. */
static inline void defer(struct value *value) { value->folded |= !value->alias && value->uses == value->index; }

static void count_uses(struct emit *e)
{
    struct ir *ir = e->ir;
    for (uint32_t i = 0; i < ir->ninsns; i++) {
        const struct ir_insn *insn = &ir->insns[i];
        if (insn->op == IR_NOP || insn->op == IR_CONST || insn->op == IR_PC)
            continue;
        if (insn->op == IR_BIND) {
            e->values[insn->arg[0]].bound = true;
            continue;
        }
        unsigned n = ir_nargs(insn);
        for (unsigned k = 0; k < n; k++)
            if (insn->arg[k] != IR_NONE)
                count_use(e, insn->arg[k], insn->op);
    }
    for (uint32_t b = 0; b < ir->nblocks; b++) {
        const struct ir_block *block = &ir->blocks[b];
        for (unsigned s = 0; s < 2; s++)
            for (uint32_t k = 0; block->succ[s].target != IR_NONE && k < block->succ[s].nargs; k++)
                count_use(e, ir->edge_args[block->succ[s].first_arg + k], IR_JUMP);
        for (uint32_t k = 0; k < block->nstate; k++)
            e->values[ir->states[block->first_state + k].value].bound = true;
    }
}

/* A comparison used once, by the branch or select that follows it in its block, becomes part of that. */
static void fold_comparison(struct emit *e, const struct ir_insn *user, uint32_t block_first, uint32_t last_fault)
{
    if (!e->backend->options.fold)
        return;
    ir_ref c = user->arg[0];
    struct value *value = &e->values[c];
    const struct ir_insn *cmp = emit_insn(e, c);
    if (c < block_first || value->uses != 1 || value->bound)
        return;
    if (cmp->op == IR_FCMP) {
        /* Its status must be there if something faults in between. */
        if (last_fault == IR_NONE || last_fault < c)
            value->folded = true;
        return;
    }
    if (cmp->op != IR_CMP && cmp->op != IR_COND)
        return;
    value->folded = true;
    uint64_t zero = 1;
    if (cmp->op == IR_CMP && (cmp->mode == IR_EQ || cmp->mode == IR_NE) && emit_insn(e, cmp->arg[1])->op == IR_CONST)
        zero = emit_insn(e, cmp->arg[1])->imm;
    ir_ref masked = cmp->arg[0];
    if (zero == 0 && masked >= block_first && emit_insn(e, masked)->op == IR_AND && e->values[masked].uses == 1 &&
        !e->values[masked].bound)
        e->values[masked].folded = true;
}

void select_operations(struct emit *e)
{
    struct ir *ir = e->ir;
    memset(e->values, 0, ir->ninsns * sizeof *e->values);
    count_uses(e);
    for (uint32_t b = 0; b < ir->nblocks; b++) {
        const struct ir_block *block = &ir->blocks[b];
        uint32_t last_fault = IR_NONE;
        for (uint32_t i = block->first; i < block->end; i++) {
            const struct ir_insn *insn = &ir->insns[i];
            struct value *value = &e->values[i];
            value->hint = value->hint2 = IR_NONE;
            if (ir_info(insn)->attrs & IR_ATTR_FAULT)
                last_fault = i;
            switch (insn->op) {
            case IR_CONST:
            case IR_PC:
                value->place = PLACE_CONST;
                break;
            case IR_TRUNC:
            case IR_VLOW:
                value->alias = true;
                break;
            case IR_ZEXT:
                if (insn->size == 4 && emit_insn(e, insn->arg[0])->type == IR_I32 && !e->values[insn->arg[0]].folded &&
                    result_is_extended(emit_insn(e, insn->arg[0])))
                    value->alias = true;
                if (insn->size == 4)
                    defer(value);
                break;
            case IR_FLAGS_ADD:
            case IR_FLAGS_SUB:
            case IR_FLAGS_LOGIC:
            case IR_VZEXT:
                defer(value);
                break;
            case IR_BRANCH:
            case IR_SELECT:
                fold_comparison(e, insn, block->first, last_fault);
                break;
            default:
                break;
            }
        }
    }
}

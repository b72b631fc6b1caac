/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Flags that meet. Flags of a comparison whose operands are known cost nothing until somebody wants them: a state map, or an exit. A
 * parameter for them has to be packed flags, though, computed on each way to it, as a rule for the sake of state maps alone. So:
 *
 *  1. A parameter to which all edges bring flags of one operation and width is said of that operation's operands, which become
 *     parameters in its place, unless they are there already: as values, constants, or other parameters.
 *  2. What remains is computed on the edges that bring it, if the ways that do not use such an edge need not compute it then.
 */
#include <string.h>

#include "translator/ir_edit.h"

static inline bool is_flags(const struct ir_insn *insn) { return insn->op >= IR_FLAGS_ADD && insn->op <= IR_FLAGS_LOGIC && insn->op != IR_FLAGS_ADC; }

/* Operation, width and types of the operands: those of flags that may meet. Not 0. */
static uint32_t kind_of(const struct ir *ir, const struct ir_insn *flags)
{
    return flags->op | (uint32_t)flags->size << 8 | (uint32_t)ir->insns[flags->arg[0]].type << 16;
}

/* ---- parameters said of operands ------------------------------------------------------------------------------------------------- */

/* Words for each instruction. */
enum { KIND, OPERAND0, OPERAND1, MADE0, MADE1, TOO_DEAR, WORDS };

/* A PARAM that is to be made for operand k of the flags that are PARAM p now: as a value of the lists OPERAND. */
#define TO_BE_MADE UINT32_C(0x40000000)
#define MADE_FOR(p, k) (TO_BE_MADE | (p) << 1 | (k))

struct meeting {
    struct ir_edit edit;
    struct ir *ir;
    uint32_t *kind, *operand[2];
    ir_ref *made[2]; /* what operand k of the flags is, once that is there */
    uint32_t *too_dear;
};

static inline ir_ref incoming(const struct meeting *m, uint32_t pred, uint64_t position)
{
    const struct ir_pred *p = &m->edit.graph.preds[pred];
    return m->ir->edge_args[m->ir->blocks[p->block].succ[p->which].first_arg + position];
}

#define FOR_EACH_PRED(p, m, block) \
    for (uint32_t p = (m)->edit.graph.first_pred[block]; p < (m)->edit.graph.first_pred[(block) + 1]; p++)

/* All PARAMs of type i32 for a start: then those go to which other values, or flags of another kind, come. */
static bool find_candidates(struct meeting *m)
{
    struct ir *ir = m->ir;
    enum { UNKNOWN = 1 };
    bool any = false;
    memset(m->kind, 0, ir->ninsns * sizeof *m->kind);
    for (uint32_t b = 0; b < m->edit.graph.nblocks; b++)
        for (ir_ref r = ir->blocks[b].first; ir->blocks[b].nparams && r < ir_after_params(ir, b); r++)
            if (ir->insns[r].op == IR_PARAM && ir->insns[r].type == IR_I32 && !m->too_dear[r] && m->edit.graph.rank[b] != IR_NONE) {
                m->kind[r] = UNKNOWN;
                any = true;
            }
    for (bool changed = any; changed;) {
        changed = false;
        for (uint32_t i = 0; i < m->edit.graph.count; i++) {
            const uint32_t b = m->edit.graph.rpo[i];
            for (ir_ref r = ir->blocks[b].first; ir->blocks[b].nparams && ir->insns[r].op == IR_PARAM; r++) {
                if (!m->kind[r])
                    continue;
                uint32_t kind = m->kind[r];
                FOR_EACH_PRED (p, m, b) {
                    ir_ref from = incoming(m, p, ir->insns[r].imm);
                    uint32_t other = is_flags(&ir->insns[from]) ? kind_of(ir, &ir->insns[from]) : m->kind[from];
                    if (kind == UNKNOWN)
                        kind = other;
                    if (other != UNKNOWN && other != kind)
                        kind = 0;
                    if (!kind)
                        break;
                }
                changed |= kind != m->kind[r];
                m->kind[r] = kind;
            }
        }
    }
    any = false;
    for (uint32_t r = 0; r < ir->ninsns; r++) {
        if (m->kind[r] == UNKNOWN)
            m->kind[r] = 0;
        any |= m->kind[r] != 0;
    }
    return any;
}

static inline unsigned operands_of(uint32_t kind) { return (kind & 0xff) == IR_FLAGS_LOGIC ? 1 : 2; }

/* Constants and truncations of one value are the same, wherever they stand. */
static bool same_value(const struct ir *ir, ir_ref x, ir_ref y)
{
    if (x == y)
        return true;
    if ((x | y) & TO_BE_MADE)
        return false;
    const struct ir_insn *a = &ir->insns[x], *b = &ir->insns[y];
    if (a->op != b->op || a->type != b->type)
        return false;
    return a->op == IR_CONST ? a->imm == b->imm : a->op == IR_TRUNC && a->arg[0] == b->arg[0];
}

/* What edge `pred` brings as operand k of the flags: IR_NONE while that is not known. */
static ir_ref incoming_operand(const struct meeting *m, uint32_t pred, uint64_t position, unsigned k)
{
    ir_ref flags = incoming(m, pred, position);
    return is_flags(&m->ir->insns[flags]) ? m->ir->insns[flags].arg[k] : m->operand[k][flags];
}

/* As for any parameter: all unknown at first, and a value of their own where two others meet. */
static void find_operands(struct meeting *m)
{
    struct ir *ir = m->ir;
    for (uint32_t r = 0; r < ir->ninsns; r++)
        m->operand[0][r] = m->operand[1][r] = IR_NONE;
    for (bool changed = true; changed;) {
        changed = false;
        for (uint32_t i = 0; i < m->edit.graph.count; i++) {
            const uint32_t b = m->edit.graph.rpo[i];
            for (ir_ref r = ir->blocks[b].first; ir->blocks[b].nparams && ir->insns[r].op == IR_PARAM; r++)
                for (unsigned k = 0; m->kind[r] && k < operands_of(m->kind[r]); k++) {
                    if (m->operand[k][r] == MADE_FOR(r, k))
                        continue;
                    ir_ref met = IR_NONE;
                    FOR_EACH_PRED (p, m, b) {
                        ir_ref value = incoming_operand(m, p, ir->insns[r].imm, k);
                        if (value != IR_NONE && met != IR_NONE && !same_value(ir, value, met)) {
                            met = MADE_FOR(r, k);
                            break;
                        }
                        if (value != IR_NONE && met == IR_NONE)
                            met = value;
                    }
                    /* Of values that are the same, the first one stays: else two could take turns. */
                    if (met != m->operand[k][r] && (met == MADE_FOR(r, k) || m->operand[k][r] == IR_NONE)) {
                        m->operand[k][r] = met;
                        changed = true;
                    } else if (met != m->operand[k][r] && !same_value(ir, met, m->operand[k][r])) {
                        m->operand[k][r] = MADE_FOR(r, k);
                        changed = true;
                    }
                }
        }
    }
}

static ir_ref add_before(struct meeting *m, ir_ref before, enum ir_op op, unsigned type, uint64_t imm, ir_ref a0)
{
    struct ir_insn insn = {.op = (uint8_t)op, .type = (uint8_t)type, .imm = imm, .arg = {a0, IR_NONE, IR_NONE, IR_NONE}};
    ir_ref ref = ir_edit_new(&m->edit, &insn);
    ir_edit_move(&m->edit, ref, before);
    return ref;
}

enum carries { CARRIES_NOT, CARRIES_WIDER, CARRIES_IT };

/* If the argument `arg` of a PARAM is `value`, or has it as its low half. */
static enum carries carries(const struct ir *ir, ir_ref arg, ir_ref value)
{
    if (value & TO_BE_MADE)
        return CARRIES_NOT;
    const struct ir_insn *a = &ir->insns[arg], *v = &ir->insns[value];
    if (same_value(ir, arg, value))
        return CARRIES_IT;
    if (v->type != IR_I32 || a->type != IR_I64)
        return CARRIES_NOT;
    return (v->op == IR_TRUNC && v->arg[0] == arg) || (a->op == IR_ZEXT && a->size == 4 && a->arg[0] == value) ||
                   (v->op == IR_CONST && a->op == IR_CONST && v->imm == (uint32_t)a->imm)
               ? CARRIES_WIDER
               : CARRIES_NOT;
}

/* The PARAM of the block to which all edges bring operand k of the flags r: IR_NONE if there is none. */
static ir_ref find_param(const struct meeting *m, uint32_t b, ir_ref r, unsigned k)
{
    const struct ir *ir = m->ir;
    for (ir_ref q = ir->blocks[b].first; ir->insns[q].op == IR_PARAM; q++) {
        enum carries all = CARRIES_IT;
        FOR_EACH_PRED (p, m, b) {
            ir_ref value = incoming_operand(m, p, ir->insns[r].imm, k), arg = incoming(m, p, ir->insns[q].imm);
            /* Around a loop, in which neither has changed. */
            enum carries one = value == MADE_FOR(r, k) && arg == q ? all : carries(ir, arg, value);
            all = one < all ? one : all;
        }
        if (all == CARRIES_NOT || (all == CARRIES_WIDER) != (ir->insns[q].type == IR_I64 && m->kind[r] >> 16 == IR_I32))
            continue;
        return q;
    }
    return IR_NONE;
}

#define FOR_EACH_CANDIDATE(m, b, r) \
    for (uint32_t i_ = 0, b; i_ < (m)->edit.graph.count && (b = (m)->edit.graph.rpo[i_], true); i_++) \
        for (ir_ref r = (m)->ir->blocks[b].first; (m)->ir->blocks[b].nparams && (m)->ir->insns[r].op == IR_PARAM; r++) \
            for (unsigned k = 0; (m)->kind[r] && k < operands_of((m)->kind[r]); k++)

static ir_ref made_of(const struct meeting *m, ir_ref operand)
{
    return operand & TO_BE_MADE ? m->made[operand & 1][(operand & ~TO_BE_MADE) >> 1] : operand;
}

/* Two new PARAMs for one are too much where registers are scarce: they would be stored and loaded on each way. */
enum { PLENTY = 5 };

static bool drop_the_dear(struct meeting *m)
{
    const struct ir *ir = m->ir;
    bool any = false;
    FOR_EACH_CANDIDATE (m, b, r) {
        const struct ir_block *block = &ir->blocks[b];
        if (k == 0 || m->operand[0][r] != MADE_FOR(r, 0) || m->operand[1][r] != MADE_FOR(r, 1) ||
            find_param(m, b, r, 0) != IR_NONE || find_param(m, b, r, 1) != IR_NONE)
            continue;
        uint32_t values = 0;
        for (uint32_t i = 0; i < block->nstate; i++) {
            const struct ir_insn *value = &ir->insns[ir->states[block->first_state + i].value];
            values += value->op != IR_CONST && (value->type == IR_I32 || value->type == IR_I64);
        }
        if ((values > block->nparams ? values : block->nparams) > PLENTY)
            m->too_dear[r] = any = true;
    }
    return any;
}

/* The operands that have to come over the edges: with PARAMs that are there, or new ones. */
static void make_params(struct meeting *m)
{
    struct ir *ir = m->ir;
    const uint32_t ninsns = ir->ninsns;
    FOR_EACH_CANDIDATE (m, b, r) {
        if (m->operand[k][r] != MADE_FOR(r, k))
            continue;
        m->made[k][r] = find_param(m, b, r, k);
        if (m->made[k][r] == IR_NONE)
            m->made[k][r] = ir_edit_param(&m->edit, b, (enum ir_type)(m->kind[r] >> 16), NULL);
    }
    /* Behind all PARAMs: the wider ones cut. */
    FOR_EACH_CANDIDATE (m, b, r)
        if (m->made[k][r] != IR_NONE && ir->insns[m->made[k][r]].type != m->kind[r] >> 16)
            m->made[k][r] = add_before(m, ir_after_params(ir, b), IR_TRUNC, IR_I32, 0, m->made[k][r]);
    /* Arguments of the new ones, now that all are there. */
    FOR_EACH_CANDIDATE (m, b, r) {
        if (m->operand[k][r] != MADE_FOR(r, k) || m->made[k][r] < ninsns || ir->insns[m->made[k][r]].op != IR_PARAM)
            continue;
        FOR_EACH_PRED (p, m, b) {
            const struct ir_pred *pred = &m->edit.graph.preds[p];
            ir_ref arg = made_of(m, incoming_operand(m, p, ir->insns[r].imm, k));
            ir->edge_args[ir->blocks[pred->block].succ[pred->which].first_arg + ir->insns[m->made[k][r]].imm] = arg;
        }
    }
}

/* What the operand of the flags r is in block b, with which those are said from there on. */
static ir_ref place_operand(struct meeting *m, uint32_t b, ir_ref r, unsigned k)
{
    const ir_ref operand = made_of(m, m->operand[k][r]);
    const struct ir_insn insn = m->ir->insns[operand];
    if (insn.op != IR_CONST && (insn.op != IR_TRUNC || m->operand[k][r] & TO_BE_MADE))
        return operand;
    return add_before(m, ir_after_params(m->ir, b), (enum ir_op)insn.op, insn.type, insn.imm, insn.arg[0]);
}

static void place_flags(struct meeting *m, uint32_t b, ir_ref r)
{
    struct ir *ir = m->ir;
    struct ir_block *block = &ir->blocks[b];
    const ir_ref first = ir_after_params(ir, b);
    struct ir_insn flags = {.op = (uint8_t)m->kind[r], .type = IR_I32, .size = (uint8_t)(m->kind[r] >> 8),
                            .arg = {IR_NONE, IR_NONE, IR_NONE, IR_NONE}};
    for (unsigned k = 0; k < operands_of(m->kind[r]); k++)
        flags.arg[k] = place_operand(m, b, r, k);
    ir_ref made = ir_edit_new(&m->edit, &flags);
    ir_edit_move(&m->edit, made, first);
    ir->insns[r].scratch = made + 1;
    /* The state at a block's beginning is of values from outside, or PARAMs. */
    uint32_t kept = 0;
    for (uint32_t i = 0; i < block->nstate; i++) {
        const struct ir_state state = ir->states[block->first_state + i];
        if (state.value == r)
            add_before(m, first, IR_BIND, IR_VOID, state.slot, made);
        else
            ir->states[block->first_state + kept++] = state;
    }
    block->nstate = kept;
}

/* Conditions on flags that are a comparison's now are comparisons. */
static void compare_directly(struct ir *ir)
{
    static const int8_t cc[IR_FLAG_COND_COUNT] = {
        [IR_FLAG_EQ] = IR_EQ,  [IR_FLAG_NE] = IR_NE,  [IR_FLAG_CS] = IR_UGE, [IR_FLAG_CC] = IR_ULT, [IR_FLAG_MI] = -1, [IR_FLAG_PL] = -1,
        [IR_FLAG_VS] = -1,     [IR_FLAG_VC] = -1,     [IR_FLAG_HI] = IR_UGT, [IR_FLAG_LS] = IR_ULE, [IR_FLAG_GE] = IR_SGE,
        [IR_FLAG_LT] = IR_SLT, [IR_FLAG_GT] = IR_SGT, [IR_FLAG_LE] = IR_SLE,
    };
    for (uint32_t r = 0; r < ir->ninsns; r++) {
        struct ir_insn *cond = &ir->insns[r];
        const struct ir_insn *flags = cond->op == IR_COND ? &ir->insns[cond->arg[0]] : NULL;
        if (!flags || flags->op != IR_FLAGS_SUB || cc[cond->mode] < 0)
            continue;
        cond->op = IR_CMP;
        cond->size = flags->size;
        cond->mode = (uint8_t)cc[cond->mode];
        cond->arg[0] = flags->arg[0];
        cond->arg[1] = flags->arg[1];
    }
}

/* Returns true if there was something to be done. */
static bool meet(struct ir *ir)
{
    struct meeting m = {.ir = ir};
    const uint32_t n = ir->ninsns;
    uint32_t *words = ir_edit_begin(&m.edit, ir, WORDS);
    m.kind = words;
    for (unsigned k = 0; k < 2; k++) {
        m.operand[k] = words + (OPERAND0 + k) * (size_t)n;
        m.made[k] = words + (MADE0 + k) * (size_t)n;
    }
    m.too_dear = words + TOO_DEAR * (size_t)n;
    bool any;
    do {
        any = find_candidates(&m);
        find_operands(&m);
    } while (any && drop_the_dear(&m));
    if (any) {
        for (uint32_t r = 0; r < n; r++) {
            ir->insns[r].scratch = 0;
            m.made[0][r] = m.made[1][r] = IR_NONE;
        }
        make_params(&m);
        for (uint32_t i = 0; i < m.edit.graph.count; i++) {
            const uint32_t b = m.edit.graph.rpo[i];
            for (ir_ref r = ir->blocks[b].first; ir->blocks[b].nparams && ir->insns[r].op == IR_PARAM; r++)
                if (m.kind[r])
                    place_flags(&m, b, r);
        }
        ir_replace_values(ir);
        compare_directly(ir);
        ir_edit_apply(&m.edit);
    }
    ir_edit_end(&m.edit);
    return any;
}

/* ---- flags computed on edges ------------------------------------------------------------------------------------------------------- */

/*
 * Of each value: what uses it. State maps and exits' SETs are no reason to compute flags before an exit is taken; whoever else wants them
 * is.
 */
enum { WANTED = 1, ON_EDGE = 2 };

static void find_uses(const struct ir *ir, uint32_t *uses)
{
    for (uint32_t b = 0; b < ir->nblocks; b++) {
        const struct ir_block *block = &ir->blocks[b];
        for (uint32_t i = block->first; i < block->end; i++) {
            const struct ir_insn *insn = &ir->insns[i];
            for (unsigned a = 0, nargs = insn->op == IR_BIND || insn->op == IR_SET ? 0 : ir_nargs(insn); a < nargs; a++)
                if (insn->arg[a] != IR_NONE)
                    uses[insn->arg[a]] |= WANTED;
        }
        for (unsigned s = 0; s < 2 && block->succ[s].target != IR_NONE; s++)
            for (uint32_t a = 0; a < block->succ[s].nargs; a++) {
                ir_ref arg = ir->edge_args[block->succ[s].first_arg + a];
                uses[arg] |= ON_EDGE;
            }
    }
}

static bool edge_brings(const struct ir *ir, const struct ir_edge *edge, ir_ref value)
{
    for (uint32_t a = 0; edge->target != IR_NONE && a < edge->nargs; a++)
        if (ir->edge_args[edge->first_arg + a] == value)
            return true;
    return false;
}

/* Not where the flags are computed on every way out of their block; and not behind other blocks, where their operands would have to live
   longer. */
static void find_hindrances(const struct ir *ir, const struct ir_graph *g, uint32_t *uses)
{
    for (uint32_t b = 0; b < ir->nblocks; b++) {
        const struct ir_block *block = &ir->blocks[b];
        for (unsigned s = 0; s < 2 && block->succ[s].target != IR_NONE; s++)
            for (uint32_t a = 0; a < block->succ[s].nargs; a++) {
                const ir_ref arg = ir->edge_args[block->succ[s].first_arg + a];
                const uint32_t home = g->block_of[arg];
                if (!is_flags(&ir->insns[arg]))
                    continue;
                if (home != b || block->succ[1].target == IR_NONE || edge_brings(ir, &block->succ[1 - s], arg))
                    uses[arg] |= WANTED;
            }
    }
}

/* `value`, computed before the last instruction of the block, for an edge from there. */
static void compute_for_edge(struct ir_edit *edit, uint32_t b, const struct ir_edge *edge, ir_ref value)
{
    struct ir *ir = edit->ir;
    struct ir_insn insn = ir->insns[value];
    insn.scratch = 0;
    ir_ref copy = ir_edit_new(edit, &insn);
    ir_edit_move(edit, copy, ir->blocks[b].end - 1);
    for (uint32_t a = 0; a < edge->nargs; a++)
        if (ir->edge_args[edge->first_arg + a] == value)
            ir->edge_args[edge->first_arg + a] = copy;
}

static bool sink(struct ir *ir)
{
    struct ir_edit edit;
    uint32_t *uses = ir_edit_begin(&edit, ir, 1);
    bool any = false;
    find_uses(ir, uses);
    find_hindrances(ir, &edit.graph, uses);
    for (uint32_t i = 0; i < edit.graph.count; i++) {
        const uint32_t b = edit.graph.rpo[i];
        for (unsigned s = 0; s < 2 && ir->blocks[b].succ[s].target != IR_NONE; s++) {
            uint32_t at = b;
            for (uint32_t a = 0; a < ir->blocks[at].succ[at == b ? s : 0].nargs; a++) {
                const struct ir_edge *edge = &ir->blocks[at].succ[at == b ? s : 0];
                const ir_ref value = ir->edge_args[edge->first_arg + a];
                if (value >= edit.graph.ninsns || !is_flags(&ir->insns[value]) || uses[value] != ON_EDGE)
                    continue;
                if (at == b)
                    at = ir_edit_split(ir, b, s);
                compute_for_edge(&edit, at, &ir->blocks[at].succ[at == b ? s : 0], value);
                any = true;
            }
        }
    }
    ir_edit_apply(&edit);
    ir_edit_end(&edit);
    return any;
}

bool pass_flags(struct ir *ir)
{
    bool met = meet(ir);
    return sink(ir) || met;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Dead code elimination. Values live by being used; instructions with effects are the roots. BINDs, INSNs and the state
 * at the start of a block exist for the fault points of their own block alone (ir.h), so a walk backward over each
 * block tells which of them are seen.
 */
#include <string.h>

#include "translator/ir.h"

#define MAX_SLOTS 256

enum { LIVE = 1 };

/* Blocks that no path from block 0 reaches go; the others keep their order. */
static void remove_unreachable(struct ir *ir)
{
    uint32_t n = ir->nblocks, reached = 1, top = 0;
    uint32_t *number = ir_work(ir, 2 * (size_t)n), *stack = number + n;
    memset(number, 0, n * sizeof *number);
    number[0] = 1;
    stack[top++] = 0;
    while (top) {
        const struct ir_block *block = &ir->blocks[stack[--top]];
        for (unsigned s = 0; s < 2; s++) {
            uint32_t target = block->succ[s].target;
            if (target != IR_NONE && !number[target]) {
                number[target] = 1;
                stack[top++] = target;
                reached++;
            }
        }
    }
    if (reached == n)
        return;
    uint32_t next = 0;
    for (uint32_t b = 0; b < n; b++) {
        if (!number[b])
            continue;
        ir->blocks[next] = ir->blocks[b];
        number[b] = next++;
    }
    ir->nblocks = next;
    ir->norder = 0;
    for (uint32_t b = 0; b < next; b++)
        for (unsigned s = 0; s < 2; s++)
            if (ir->blocks[b].succ[s].target != IR_NONE)
                ir->blocks[b].succ[s].target = number[ir->blocks[b].succ[s].target];
}

/* On the way backward through a block: the markers that no fault point sees, because the next marker of their kind comes
   before one, or the end of the block does. */
struct hidden {
    uint64_t slots[MAX_SLOTS / 64]; /* BINDs of these slots */
    bool insns;
};

static void hide_all(struct hidden *h)
{
    for (unsigned w = 0; w < MAX_SLOTS / 64; w++)
        h->slots[w] = UINT64_MAX;
    h->insns = true;
}

static void hide_none(struct hidden *h)
{
    for (unsigned w = 0; w < MAX_SLOTS / 64; w++)
        h->slots[w] = 0;
    h->insns = false;
}

static bool bind_seen(struct hidden *h, uint64_t slot)
{
    uint64_t *word = &h->slots[slot / 64 % (MAX_SLOTS / 64)], bit = UINT64_C(1) << slot % 64;
    bool seen = !(*word & bit);
    *word |= bit;
    return seen;
}

static bool insn_seen(struct hidden *h)
{
    bool seen = !h->insns;
    h->insns = true;
    return seen;
}

static void keep_seen_state(struct ir *ir, struct ir_block *block, struct hidden *h)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < block->nstate; i++) {
        struct ir_state state = ir->states[block->first_state + i];
        if (bind_seen(h, state.slot))
            ir->states[block->first_state + kept++] = state;
    }
    block->nstate = kept;
}

/* Removes the markers that no fault point sees. */
static void remove_markers(struct ir *ir, struct ir_block *block)
{
    struct hidden hidden;
    hide_all(&hidden);
    for (uint32_t i = block->end; i-- > block->first;) {
        struct ir_insn *insn = &ir->insns[i];
        insn->scratch = 0;
        if (insn->op == IR_BIND) {
            if (!bind_seen(&hidden, insn->imm))
                insn->op = IR_NOP;
        } else if (insn->op == IR_INSN) {
            if (!insn_seen(&hidden))
                insn->op = IR_NOP;
        } else if (ir_info(insn)->attrs & IR_ATTR_FAULT) {
            hide_none(&hidden);
        }
    }
    keep_seen_state(ir, block, &hidden);
}

/* Blocks without parameters in an order in which definitions stand before uses: one walk backward does it all. */
static void sweep_backward(struct ir *ir)
{
    uint8_t *live = (uint8_t *)ir_work(ir, ir->ninsns / 4 + 1);
    memset(live, 0, ir->ninsns);
    for (uint32_t b = ir->nblocks; b-- > 0;) {
        struct ir_block *block = &ir->blocks[b];
        struct hidden hidden;
        hide_all(&hidden);
        for (uint32_t i = block->end; i-- > block->first;) {
            struct ir_insn *insn = &ir->insns[i];
            const struct ir_op_info *info = ir_info(insn);
            if (insn->op == IR_INSN || insn->op == IR_BIND) {
                if (insn->op == IR_INSN ? !insn_seen(&hidden) : !bind_seen(&hidden, insn->imm)) {
                    insn->op = IR_NOP;
                    continue;
                }
            } else if (!live[i] && ir_removable(insn)) {
                insn->op = IR_NOP;
                continue;
            } else if (info->attrs & IR_ATTR_FAULT) {
                hide_none(&hidden);
            }
            for (unsigned a = 0, n = ir_nargs(insn); a < n; a++)
                if (insn->arg[a] != IR_NONE)
                    live[insn->arg[a]] = LIVE;
        }
        keep_seen_state(ir, block, &hidden);
        for (uint32_t i = 0; i < block->nstate; i++)
            live[ir->states[block->first_state + i].value] = LIVE;
    }
}

struct marker {
    struct ir *ir;
    uint32_t *stack;
    uint32_t top;
};

static void mark(struct marker *m, ir_ref ref)
{
    if (m->ir->insns[ref].scratch)
        return;
    m->ir->insns[ref].scratch = LIVE;
    m->stack[m->top++] = ref;
}

static void mark_args(struct marker *m, const struct ir_insn *insn)
{
    for (unsigned a = 0, n = ir_nargs(insn); a < n; a++)
        if (insn->arg[a] != IR_NONE)
            mark(m, insn->arg[a]);
}

/* The argument that each edge to `block` passes for parameter `position` is used. */
static void mark_incoming(struct marker *m, uint32_t block, uint64_t position)
{
    const struct ir *ir = m->ir;
    for (uint32_t b = 0; b < ir->nblocks; b++)
        for (unsigned s = 0; s < 2; s++)
            if (ir->blocks[b].succ[s].target == block)
                mark(m, ir->edge_args[ir->blocks[b].succ[s].first_arg + position]);
}

static uint32_t block_of(const struct ir *ir, ir_ref ref)
{
    uint32_t low = 0, high = ir->nblocks; /* blocks' ranges ascend */
    while (high - low > 1) {
        uint32_t middle = (low + high) / 2;
        if (ir->blocks[middle].first <= ref)
            low = middle;
        else
            high = middle;
    }
    return low;
}

static void remove_parameters(struct ir *ir, uint32_t block)
{
    struct ir_block *k = &ir->blocks[block];
    uint32_t old = 0, kept = 0;
    for (uint32_t i = k->first; old < k->nparams; i++) {
        struct ir_insn *insn = &ir->insns[i];
        if (insn->op != IR_PARAM)
            continue;
        if (insn->scratch) {
            for (uint32_t p = 0; kept != old && p < ir->nblocks; p++)
                for (unsigned s = 0; s < 2; s++) {
                    struct ir_edge *edge = &ir->blocks[p].succ[s];
                    if (edge->target == block)
                        ir->edge_args[edge->first_arg + kept] = ir->edge_args[edge->first_arg + old];
                }
            insn->imm = kept++;
        } else {
            insn->op = IR_NOP;
        }
        old++;
    }
    k->nparams = kept;
    for (uint32_t p = 0; p < ir->nblocks; p++)
        for (unsigned s = 0; s < 2; s++)
            if (ir->blocks[p].succ[s].target == block)
                ir->blocks[p].succ[s].nargs = kept;
}

static void sweep_graph(struct ir *ir)
{
    struct marker m = {ir, ir_work(ir, ir->ninsns), 0};
    for (uint32_t b = 0; b < ir->nblocks; b++) {
        const struct ir_block *block = &ir->blocks[b];
        for (uint32_t i = 0; i < block->nstate; i++)
            mark(&m, ir->states[block->first_state + i].value);
        for (uint32_t i = block->first; i < block->end; i++)
            if (!ir_removable(&ir->insns[i]))
                mark(&m, i);
    }
    while (m.top) {
        ir_ref ref = m.stack[--m.top];
        const struct ir_insn *insn = &ir->insns[ref];
        if (insn->op == IR_PARAM)
            mark_incoming(&m, block_of(ir, ref), insn->imm);
        else
            mark_args(&m, insn);
    }
    for (uint32_t b = 0; b < ir->nblocks; b++) {
        if (ir->blocks[b].nparams)
            remove_parameters(ir, b);
        for (uint32_t i = ir->blocks[b].first; i < ir->blocks[b].end; i++)
            if (!ir->insns[i].scratch)
                ir->insns[i].op = IR_NOP;
    }
    ir_compact(ir);
}

void pass_dead_code(struct ir *ir)
{
    bool simple = true; /* no parameters, and every edge leads to a later block */
    for (uint32_t b = 0; b < ir->nblocks; b++)
        for (unsigned s = 0; s < 2; s++) {
            const struct ir_edge *edge = &ir->blocks[b].succ[s];
            simple &= edge->target == IR_NONE || (edge->target > b && edge->nargs == 0);
        }
    if (ir->nblocks > 1)
        remove_unreachable(ir);
    if (simple) {
        sweep_backward(ir);
        return;
    }
    for (uint32_t b = 0; b < ir->nblocks; b++)
        remove_markers(ir, &ir->blocks[b]);
    sweep_graph(ir);
}

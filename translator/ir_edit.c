/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The graph of a region, and moving its instructions: see ir_edit.h. */
#include "translator/ir_edit.h"

#include <stdlib.h>
#include <string.h>

static void *allocate(size_t size)
{
    void *memory = calloc(1, size ? size : 1);
    if (!memory) {
        fputs("dragoman: out of memory while translating\n", stderr);
        exit(1);
    }
    return memory;
}

/* ---- the graph ----------------------------------------------------------------------------------------------------------------- */

static void order_blocks(struct ir_graph *g, uint32_t *stack, uint32_t *followed)
{
    const struct ir *ir = g->ir;
    uint32_t top = 0, first = ir->nblocks;
    for (uint32_t b = 0; b < ir->nblocks; b++)
        g->rank[b] = IR_NONE;
    stack[top++] = 0;
    g->rank[0] = 0;
    while (top) {
        uint32_t b = stack[top - 1];
        if (followed[b] == 2) {
            g->rpo[--first] = b;
            top--;
            continue;
        }
        uint32_t target = ir->blocks[b].succ[followed[b]++].target;
        if (target != IR_NONE && g->rank[target] == IR_NONE) {
            g->rank[target] = 0;
            stack[top++] = target;
        }
    }
    g->count = ir->nblocks - first;
    memmove(g->rpo, g->rpo + first, g->count * sizeof *g->rpo);
    for (uint32_t i = 0; i < g->count; i++)
        g->rank[g->rpo[i]] = i;
}

static void find_preds(struct ir_graph *g)
{
    const struct ir *ir = g->ir;
    for (uint32_t i = 0; i < g->count; i++)
        for (unsigned s = 0; s < 2; s++) {
            uint32_t target = ir->blocks[g->rpo[i]].succ[s].target;
            if (target != IR_NONE)
                g->first_pred[target]++;
        }
    for (uint32_t b = 0, sum = 0; b <= ir->nblocks; b++) {
        sum += b < ir->nblocks ? g->first_pred[b] : 0;
        g->first_pred[b] = sum;
    }
    for (uint32_t i = g->count; i-- > 0;)
        for (unsigned s = 2; s-- > 0;) {
            uint32_t target = ir->blocks[g->rpo[i]].succ[s].target;
            if (target != IR_NONE)
                g->preds[--g->first_pred[target]] = (struct ir_pred){g->rpo[i], s};
        }
}

/* Cooper, Harvey, Kennedy: "A Simple, Fast Dominance Algorithm". */
static void find_dominators(struct ir_graph *g)
{
    for (uint32_t b = 0; b < g->nblocks; b++)
        g->idom[b] = IR_NONE;
    g->idom[0] = 0;
    for (bool changed = true; changed;) {
        changed = false;
        for (uint32_t i = 1; i < g->count; i++) {
            uint32_t b = g->rpo[i], dom = IR_NONE;
            for (uint32_t p = g->first_pred[b]; p < g->first_pred[b + 1]; p++) {
                uint32_t a = g->preds[p].block;
                if (g->idom[a] == IR_NONE)
                    continue;
                if (dom == IR_NONE) {
                    dom = a;
                    continue;
                }
                while (a != dom) {
                    while (g->rank[a] > g->rank[dom])
                        a = g->idom[a];
                    while (g->rank[dom] > g->rank[a])
                        dom = g->idom[dom];
                }
            }
            changed |= g->idom[b] != dom;
            g->idom[b] = dom;
        }
    }
}

bool ir_dominates(const struct ir_graph *g, uint32_t a, uint32_t b)
{
    while (g->rank[b] > g->rank[a])
        b = g->idom[b];
    return a == b;
}

uint32_t *ir_edit_begin(struct ir_edit *edit, struct ir *ir, size_t words)
{
    const size_t n = ir->nblocks, ninsns = ir->ninsns;
    uint32_t *memory = allocate((11 * n + 1 + ninsns * (1 + words)) * sizeof *memory);
    struct ir_graph *g = &edit->graph;
    *edit = (struct ir_edit){.ir = ir, .memory = memory};
    *g = (struct ir_graph){.ir = ir, .nblocks = (uint32_t)n, .ninsns = ir->ninsns};
    g->preds = (struct ir_pred *)memory; /* two edges a block */
    g->first_pred = memory + 4 * n;
    g->rpo = memory + 5 * n + 1;
    g->rank = memory + 6 * n + 1;
    g->idom = memory + 7 * n + 1;
    g->block_of = memory + 10 * n + 1;
    order_blocks(g, memory + 8 * n + 1, memory + 9 * n + 1);
    find_preds(g);
    find_dominators(g);
    for (uint32_t i = 0; i < ninsns; i++)
        g->block_of[i] = IR_NONE;
    for (uint32_t b = 0; b < n; b++)
        for (uint32_t i = ir->blocks[b].first; i < ir->blocks[b].end; i++)
            g->block_of[i] = b;
    return words ? memory + 10 * n + 1 + ninsns : NULL;
}

void ir_edit_end(struct ir_edit *edit)
{
    free(edit->memory);
    free(edit->moves);
}

/* ---- moving -------------------------------------------------------------------------------------------------------------------- */

ir_ref ir_edit_new(struct ir_edit *edit, const struct ir_insn *insn)
{
    ir_reserve(edit->ir, 1);
    edit->ir->insns[edit->ir->ninsns] = *insn;
    return edit->ir->ninsns++;
}

void ir_edit_move(struct ir_edit *edit, ir_ref insn, ir_ref before)
{
    if (edit->nmoves == edit->moves_capacity) {
        uint32_t capacity = edit->moves_capacity ? 2 * edit->moves_capacity : 64;
        struct ir_move *moves = allocate(capacity * sizeof *moves);
        if (edit->nmoves)
            memcpy(moves, edit->moves, edit->nmoves * sizeof *moves);
        free(edit->moves);
        edit->moves = moves;
        edit->moves_capacity = capacity;
    }
    edit->moves[edit->nmoves++] = (struct ir_move){insn, before, IR_NONE};
}

ir_ref ir_after_params(const struct ir *ir, uint32_t block)
{
    ir_ref at = ir->blocks[block].first;
    while (ir->insns[at].op == IR_PARAM || ir->insns[at].op == IR_NOP)
        at++;
    return at;
}

ir_ref ir_edit_param(struct ir_edit *edit, uint32_t block, enum ir_type type, const ir_ref *args)
{
    struct ir *ir = edit->ir;
    const struct ir_graph *g = &edit->graph;
    for (uint32_t p = g->first_pred[block]; p < g->first_pred[block + 1]; p++) {
        const struct ir_edge edge = ir->blocks[g->preds[p].block].succ[g->preds[p].which];
        ir_ref *to = ir_set_edge(ir, g->preds[p].block, g->preds[p].which, block, edge.nargs + 1);
        memcpy(to, ir->edge_args + edge.first_arg, edge.nargs * sizeof *to);
        to[edge.nargs] = args ? args[p - g->first_pred[block]] : IR_NONE;
    }
    struct ir_insn insn = {.op = IR_PARAM, .type = (uint8_t)type, .imm = ir->blocks[block].nparams++,
                           .arg = {IR_NONE, IR_NONE, IR_NONE, IR_NONE}};
    ir_ref param = ir_edit_new(edit, &insn);
    ir_edit_move(edit, param, ir_after_params(ir, block));
    return param;
}

uint32_t ir_edit_split(struct ir *ir, uint32_t block, unsigned which)
{
    const struct ir_edge edge = ir->blocks[block].succ[which];
    uint32_t middle = ir_add_block(ir);
    ir_append(ir, IR_JUMP, IR_VOID);
    ir->blocks[middle].guest_pc = ir->blocks[edge.target].guest_pc;
    ir->blocks[middle].edge = true;
    ir->blocks[middle].cold = which == 0; /* like the moves of such an edge: the way that falls through is not to jump over it */
    ir->blocks[middle].succ[0] = edge;
    ir->blocks[block].succ[which] = (struct ir_edge){.target = middle};
    return middle;
}

static uint32_t place(struct ir *ir, const struct ir_insn *insn, uint32_t at)
{
    ir->insns[at] = *insn;
    return at;
}

static void renumber_uses(struct ir *ir, const uint32_t *number)
{
    for (uint32_t b = 0; b < ir->nblocks; b++) {
        const struct ir_block *block = &ir->blocks[b];
        for (unsigned s = 0; s < 2 && block->succ[s].target != IR_NONE; s++)
            for (uint32_t a = 0; a < block->succ[s].nargs; a++) {
                ir_ref *arg = &ir->edge_args[block->succ[s].first_arg + a];
                *arg = number[*arg];
            }
        for (uint32_t i = 0; i < block->nstate; i++) {
            struct ir_state *state = &ir->states[block->first_state + i];
            state->value = number[state->value];
        }
        for (uint32_t i = block->first; i < block->end; i++) {
            struct ir_insn *insn = &ir->insns[i];
            for (unsigned a = 0, nargs = ir_nargs(insn); a < nargs; a++)
                if (insn->arg[a] != IR_NONE)
                    insn->arg[a] = number[insn->arg[a]];
        }
    }
}

void ir_edit_apply(struct ir_edit *edit)
{
    struct ir *ir = edit->ir;
    const uint32_t n = ir->ninsns;
    if (!edit->nmoves)
        return;
    struct ir_insn *from = allocate(n * (sizeof *from + 2 * sizeof(uint32_t) + sizeof(bool)));
    uint32_t *number = (uint32_t *)(from + n), *first_move = number + n, at = 0;
    bool *moved = (bool *)(first_move + n);
    memcpy(from, ir->insns, n * sizeof *from);
    for (uint32_t i = 0; i < n; i++)
        number[i] = first_move[i] = IR_NONE;
    for (uint32_t m = edit->nmoves; m-- > 0;) {
        struct ir_move *move = &edit->moves[m];
        move->next = first_move[move->before];
        first_move[move->before] = m;
        moved[move->insn] = true;
    }
    for (uint32_t b = 0; b < ir->nblocks; b++) {
        struct ir_block *block = &ir->blocks[b];
        const uint32_t first = at, end = block->end;
        for (uint32_t i = block->first; i < end; i++) {
            for (uint32_t m = first_move[i]; m != IR_NONE; m = edit->moves[m].next) {
                number[edit->moves[m].insn] = place(ir, &from[edit->moves[m].insn], at);
                at++;
            }
            if (!moved[i]) {
                number[i] = place(ir, &from[i], at);
                at++;
            }
        }
        block->first = first;
        block->end = at;
    }
    ir->ninsns = at;
    edit->nmoves = 0;
    renumber_uses(ir, number);
    free(from);
}

void ir_replace_values(struct ir *ir)
{
    for (uint32_t b = 0; b < ir->nblocks; b++) {
        const struct ir_block *block = &ir->blocks[b];
        for (unsigned s = 0; s < 2 && block->succ[s].target != IR_NONE; s++)
            for (uint32_t a = 0; a < block->succ[s].nargs; a++) {
                ir_ref *arg = &ir->edge_args[block->succ[s].first_arg + a];
                if (ir->insns[*arg].scratch)
                    *arg = ir->insns[*arg].scratch - 1;
            }
        for (uint32_t i = 0; i < block->nstate; i++) {
            struct ir_state *state = &ir->states[block->first_state + i];
            if (ir->insns[state->value].scratch)
                state->value = ir->insns[state->value].scratch - 1;
        }
        for (uint32_t i = block->first; i < block->end; i++) {
            struct ir_insn *insn = &ir->insns[i];
            for (unsigned a = 0, nargs = ir_nargs(insn); a < nargs; a++)
                if (insn->arg[a] != IR_NONE && ir->insns[insn->arg[a]].scratch)
                    insn->arg[a] = ir->insns[insn->arg[a]].scratch - 1;
        }
    }
}

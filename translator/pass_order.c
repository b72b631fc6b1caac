/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Block order for allocation and emission, and loop depths.
 *
 * Loops are natural loops: a header and all that reaches an edge back to it. Edges back are those that go to a block on
 * the depth-first path; in an irreducible graph this is one of several sensible answers.
 */
#include <string.h>

#include "translator/ir.h"

struct graph {
    struct ir *ir;
    uint32_t *rpo;        /* blocks in reverse postorder, exit blocks not among them */
    uint32_t count;
    uint32_t *position;   /* of each block in rpo, IR_NONE for exit blocks and those not reachable */
    uint32_t *header;     /* of the innermost loop around each block (its own, for a header), IR_NONE */
    uint32_t *parent;     /* of a loop's header: the header of the loop around it, IR_NONE */
    uint32_t *stack;
    uint32_t *first_pred, *preds; /* preds[first_pred[b]] … preds[first_pred[b + 1] - 1] */
};

/* Exit blocks with one way in are placed by their predecessor, and so are blocks on edges. */
static void find_exit_blocks(struct graph *g)
{
    struct ir *ir = g->ir;
    for (uint32_t b = 0; b < ir->nblocks; b++)
        if (ir->blocks[b].edge || (g->first_pred[b + 1] - g->first_pred[b] == 1 && ir_is_exit_block(ir, b)))
            g->position[b] = IR_NONE;
}

/* Where edge s of the block leads, past the block on it. */
static uint32_t leads_to(const struct ir *ir, uint32_t block, unsigned s)
{
    uint32_t target = ir->blocks[block].succ[s].target;
    return target != IR_NONE && ir->blocks[target].edge ? ir->blocks[target].succ[0].target : target;
}

static void find_preds(struct graph *g)
{
    struct ir *ir = g->ir;
    memset(g->first_pred, 0, (ir->nblocks + 1) * sizeof *g->first_pred);
    for (uint32_t b = 0; b < ir->nblocks; b++)
        for (unsigned s = 0; s < 2; s++)
            if (!ir->blocks[b].edge && leads_to(ir, b, s) != IR_NONE)
                g->first_pred[leads_to(ir, b, s)]++;
    for (uint32_t b = 0, sum = 0; b <= ir->nblocks; b++) {
        sum += b < ir->nblocks ? g->first_pred[b] : 0;
        g->first_pred[b] = sum;
    }
    for (uint32_t b = ir->nblocks; b-- > 0;)
        for (unsigned s = 0; s < 2; s++)
            if (!ir->blocks[b].edge && leads_to(ir, b, s) != IR_NONE)
                g->preds[--g->first_pred[leads_to(ir, b, s)]] = b;
}

/* The taken edge is followed first, so that the one that falls through (edge 1) comes right behind its block. */
static void number_blocks(struct graph *g)
{
    struct ir *ir = g->ir;
    enum { UNSEEN = 0, EDGES = 3 /* position while on the stack: 1 + edges followed */ };
    uint32_t top = 0, first = ir->nblocks;
    g->stack[top++] = 0;
    g->position[0] = 1;
    while (top) {
        uint32_t b = g->stack[top - 1];
        if (g->position[b] == EDGES) {
            g->rpo[--first] = b;
            top--;
            continue;
        }
        uint32_t target = leads_to(ir, b, g->position[b]++ - 1);
        if (target != IR_NONE && g->position[target] == UNSEEN) {
            g->position[target] = 1;
            g->stack[top++] = target;
        }
    }
    g->count = ir->nblocks - first;
    memmove(g->rpo, g->rpo + first, g->count * sizeof *g->rpo);
    for (uint32_t b = 0; b < ir->nblocks; b++)
        g->position[b] = IR_NONE;
    for (uint32_t i = 0; i < g->count; i++)
        g->position[g->rpo[i]] = i;
}

static uint32_t outermost(const struct graph *g, uint32_t header)
{
    while (g->parent[header] != IR_NONE)
        header = g->parent[header];
    return header;
}

/* Inner loops first: their headers come later in reverse postorder. */
static void find_loops(struct graph *g)
{
    struct ir *ir = g->ir;
    for (uint32_t b = 0; b < ir->nblocks; b++)
        g->header[b] = g->parent[b] = IR_NONE;
    for (uint32_t i = g->count; i-- > 0;) {
        uint32_t head = g->rpo[i], top = 0;
        for (uint32_t p = g->first_pred[head]; p < g->first_pred[head + 1]; p++)
            if (g->position[g->preds[p]] != IR_NONE && g->position[g->preds[p]] >= i)
                g->stack[top++] = g->preds[p];
        if (!top)
            continue;
        g->header[head] = head;
        while (top) {
            uint32_t b = g->stack[--top];
            if (b == head || g->position[b] == IR_NONE || g->position[b] < i) /* below: entered beside its header */
                continue;
            if (g->header[b] == IR_NONE) {
                g->header[b] = head;
            } else {
                b = outermost(g, g->header[b]);
                if (b == head)
                    continue;
                g->parent[b] = head;
            }
            for (uint32_t p = g->first_pred[b]; p < g->first_pred[b + 1]; p++)
                g->stack[top++] = g->preds[p];
        }
    }
}

static void place(struct graph *g, uint32_t block)
{
    struct ir *ir = g->ir;
    ir->order[ir->norder++] = block;
    for (unsigned s = 0; s < 2; s++) {
        uint32_t target = ir->blocks[block].succ[s].target;
        if (target != IR_NONE && g->position[target] == IR_NONE)
            ir->order[ir->norder++] = target;
    }
}

/* Places the blocks of the loop of `head` (IR_NONE: of the region) from position `from` on. */
static void place_loop(struct graph *g, uint32_t head, uint32_t from, unsigned depth)
{
    for (uint32_t i = from; i < g->count; i++) {
        uint32_t b = g->rpo[i];
        if (g->header[b] == head) {
            g->ir->blocks[b].loop_depth = (uint8_t)(depth < UINT8_MAX ? depth : UINT8_MAX);
            place(g, b);
        } else if (g->header[b] == b && g->parent[b] == head) {
            place_loop(g, b, i, depth + 1);
        }
    }
}

/* Only before dead code elimination. */
static void place_unreachable(struct graph *g)
{
    struct ir *ir = g->ir;
    if (ir->norder == ir->nblocks)
        return;
    memset(g->stack, 0, ir->nblocks * sizeof *g->stack);
    for (uint32_t i = 0; i < ir->norder; i++)
        g->stack[ir->order[i]] = 1;
    for (uint32_t b = 0; b < ir->nblocks; b++)
        if (!g->stack[b])
            ir->order[ir->norder++] = b;
}

/* The ordinary region: one block and its exits. */
static bool place_one_block(struct ir *ir)
{
    for (uint32_t b = 0; b < ir->nblocks; b++) {
        const struct ir_edge *edge = ir->blocks[b].succ;
        bool branches = b == 0 && ir->nblocks > 1;
        if (branches ? ir->nblocks > 3 || edge[0].target != 1 || edge[1].target != ir->nblocks - 1
                     : edge[0].target != IR_NONE)
            return false;
    }
    for (uint32_t b = 0; b < ir->nblocks; b++) {
        ir->order[b] = b;
        ir->blocks[b].loop_depth = 0;
    }
    ir->norder = ir->nblocks;
    return true;
}

void pass_order(struct ir *ir)
{
    size_t n = ir->nblocks;
    ir_reserve_order(ir);
    if (place_one_block(ir))
        return;
    uint32_t *memory = ir_work(ir, 12 * n + 1);
    struct graph g = {.ir = ir, .rpo = memory, .position = memory + n, .header = memory + 2 * n,
                      .parent = memory + 3 * n, .stack = memory + 4 * n, .preds = memory + 8 * n, .first_pred = memory + 10 * n};
    find_preds(&g);
    memset(g.position, 0, n * sizeof *g.position);
    find_exit_blocks(&g);
    number_blocks(&g);
    find_loops(&g);
    for (uint32_t b = 0; b < n; b++)
        ir->blocks[b].loop_depth = 0;
    place_loop(&g, IR_NONE, 0, 0);
    place_unreachable(&g);
    for (uint32_t b = 0; b < n; b++)
        for (unsigned s = 0; s < 2; s++) {
            uint32_t target = ir->blocks[b].succ[s].target;
            if (target == IR_NONE || !ir->blocks[target].edge)
                continue;
            uint8_t end = ir->blocks[ir->blocks[target].succ[0].target].loop_depth, begin = ir->blocks[b].loop_depth;
            ir->blocks[target].loop_depth = begin < end ? begin : end;
        }
}

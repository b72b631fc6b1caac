/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For passes that change a region of several blocks: what the graph is like, and instructions put to other places.
 *
 * Instructions are made outside all blocks (ir_edit_new()) and given their places (ir_edit_move()); those of a block may be moved,
 * too. Nothing changes in the blocks until ir_edit_apply(), which writes all of them anew: so a pass first finds out, then moves,
 * and references hold all the time but over that call.
 */
#ifndef DRAGOMAN_TRANSLATOR_IR_EDIT_H
#define DRAGOMAN_TRANSLATOR_IR_EDIT_H

#include "translator/ir.h"

/** An edge, seen from its target. */
struct ir_pred {
    uint32_t block;
    uint32_t which; /* 0, 1 */
};

/** Of the blocks that can be reached; the others have no predecessors and rank IR_NONE. */
struct ir_graph {
    struct ir *ir;
    struct ir_pred *preds; /* of block b: preds[first_pred[b]] … preds[first_pred[b + 1] - 1] */
    uint32_t *first_pred;
    uint32_t *rpo, *rank;  /* reverse postorder, and each block's place in it */
    uint32_t *idom;        /* immediate dominator; of block 0: 0 */
    uint32_t *block_of;    /* of each instruction; IR_NONE: in none */
    uint32_t count;        /* of blocks in rpo */
    uint32_t nblocks, ninsns; /* of the region when the graph was looked at */
};

struct ir_move {
    ir_ref insn, before;
    uint32_t next; /* move to the same place */
};

struct ir_edit {
    struct ir_graph graph;
    struct ir *ir;
    struct ir_move *moves;
    uint32_t nmoves, moves_capacity;
    void *memory; /* of the graph and the pass: see ir_edit_begin() */
};

/** Looks at the graph. The pass gets `words` words an instruction of memory, zeroed (NULL for none), until ir_edit_end(). */
uint32_t *ir_edit_begin(struct ir_edit *edit, struct ir *ir, size_t words);
/** True if every path to block b goes through block a. */
bool ir_dominates(const struct ir_graph *graph, uint32_t a, uint32_t b);
/** An instruction that stands nowhere yet. */
ir_ref ir_edit_new(struct ir_edit *edit, const struct ir_insn *insn);
/** It is to stand before the instruction `before` of a block, behind others that were moved there earlier. */
void ir_edit_move(struct ir_edit *edit, ir_ref insn, ir_ref before);
/** The block's first instruction that is no PARAM. */
ir_ref ir_after_params(const struct ir *ir, uint32_t block);
/** One more PARAM of the block, and on the edges to it the arguments, in the order of its predecessors in the graph: all
    IR_NONE for NULL. */
ir_ref ir_edit_param(struct ir_edit *edit, uint32_t block, enum ir_type type, const ir_ref *args);
/** A block on the edge, which goes on to where the edge led, with the same arguments; returns its number. It has a JUMP and nothing
    else so far. The graph does not know it. */
uint32_t ir_edit_split(struct ir *ir, uint32_t block, unsigned which);
/** Does all moves. References change. */
void ir_edit_apply(struct ir_edit *edit);
/** Puts r->scratch - 1 in the place of each reference r, where that is not 0 (arguments of instructions in no block excepted). */
void ir_replace_values(struct ir *ir);
void ir_edit_end(struct ir_edit *edit);

#endif

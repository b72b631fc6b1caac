/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the builder's files share. Nobody else includes this. */
#ifndef DRAGOMAN_TRANSLATOR_BUILDER_PRIVATE_H
#define DRAGOMAN_TRANSLATOR_BUILDER_PRIVATE_H

#include "translator/builder.h"

#define NUMBER_BITS 11
#define SLOT_WORDS ((BUILDER_MAX_SLOTS + 63) / 64)
_Static_assert(BUILDER_MAX_BLOCKS <= 64, "sets of blocks are one word");

/* An entry is empty unless its generation is the current one: emptying the table is one increment. */
struct number_entry {
    uint16_t generation;
    uint16_t block;
    ir_ref ref;
};

/* A guest block of a region of several, as translated, before the region's values are known. */
struct guest_block {
    uint64_t pc;
    uint32_t first, end;     /* its instructions in builder_private.raw; the first nslots are the PARAMs of all slots */
    struct ir_insn last;     /* its terminator: IR_JUMP, IR_BRANCH, or one that leaves */
    unsigned nsucc;
    uint64_t succ_pc[2];
    unsigned succ[2];        /* blocks of the region, or OUTSIDE: */
    struct ir_insn leave;    /* what the block then ends with; op IR_NOP: an EXIT to succ_pc */
    unsigned frame;          /* see builder.frames */
    ir_ref out[BUILDER_MAX_SLOTS]; /* values of the slots at its end */
    /* Found by builder_region.c: */
    uint64_t preds;          /* set of blocks */
    uint64_t dominators;     /* set of blocks, itself included */
    ir_ref in[BUILDER_MAX_SLOTS]; /* what the PARAMs are: raw value, the PARAM itself, or IR_NONE: not known yet */
    uint32_t number;         /* of its block in the finished region */
    /* The body of a peeled loop, and what follows the loop: in[flags_slot] is `flags`, computed from the PARAMs by
       [flags_first, flags], and bound by the next instruction. Else IR_NONE. */
    ir_ref flags;
    uint32_t flags_first;
    unsigned flags_slot;
    unsigned first_iteration; /* of a peeled loop's body: the block that is it. Else OUTSIDE */
};
#define OUTSIDE UINT32_MAX

struct builder_private {
    struct builder_options options;
    bool graph;      /* a region of several blocks: branches may become edges */
    bool ended;      /* the block being built has its terminator */
    bool insn_begun; /* builder_insn() was called in this block */
    bool polled;     /* the current instruction has its POLL */
    bool insn_unmarked; /* the current instruction has no INSN yet */
    uint64_t insn_pc;

    /* Value numbering. `visible`: the blocks whose values dominate the one being built. */
    uint64_t visible;
    uint32_t block;
    uint16_t generation;
    uint32_t numbered;
    ir_ref block_first; /* first instruction of the block being built */
    ir_ref fp_barrier;  /* floating-point status may have been changed before this instruction */

    /* State of the slots in the block being built. */
    uint64_t known[SLOT_WORDS];   /* current[] holds its value */
    uint64_t fetched[SLOT_WORDS]; /* entry[] holds its GET */
    uint64_t put[SLOT_WORDS];     /* its value may differ from that at entry */
    uint64_t unbound[SLOT_WORDS]; /* region of one block: put since the last fault point, and no BIND yet */
    ir_ref current[BUILDER_MAX_SLOTS];
    ir_ref entry[BUILDER_MAX_SLOTS];

    struct number_entry numbers[1 << NUMBER_BITS];

    /* Regions of several blocks: translated into `raw` first, then written to `finished` by builder_region_finish(). */
    struct ir raw;
    struct ir *finished;
    unsigned nblocks;
    uint64_t pc_filter; /* bit (pc >> 1) % 64 is set for each block's pc */
    struct guest_block blocks[BUILDER_MAX_BLOCKS];
};

/* ir_insn.scratch while building: the value was put into a slot, so it is computed whether it is used again or not. */
#define VALUE_BOUND 1u

static inline struct ir_insn *insn_at(const struct builder *b, ir_ref ref) { return &b->ir->insns[ref]; }
static inline bool slot_in(const uint64_t *set, unsigned slot) { return set[slot / 64] >> (slot % 64) & 1; }
static inline void slot_add(uint64_t *set, unsigned slot) { set[slot / 64] |= UINT64_C(1) << (slot % 64); }

/** Appends the instruction to the block being built, as it is. */
static inline ir_ref builder_append(struct builder *b, const struct ir_insn *insn)
{
    struct ir *ir = b->ir;
    if (__builtin_expect(ir->ninsns == ir->insns_capacity, 0))
        ir_reserve(ir, 1);
    ir->insns[ir->ninsns] = *insn;
    return ir->ninsns++;
}
static inline ir_ref builder_append_op(struct builder *b, enum ir_op op, enum ir_type type, uint64_t imm, ir_ref a0)
{
    struct ir_insn insn = {.op = (uint8_t)op, .type = (uint8_t)type, .imm = imm,
                           .arg = {a0, IR_NONE, IR_NONE, IR_NONE}};
    return builder_append(b, &insn);
}

/** Simplifies, numbers, appends: what builder_op() does with its arguments. Changes *insn. */
ir_ref builder_emit(struct builder *b, struct ir_insn *insn);
/** The existing value of the instruction, if there is one that dominates here; else IR_NONE. */
ir_ref builder_find(struct builder *b, const struct ir_insn *insn);
/** From here on all values but those of the blocks in `visible` are forgotten; `block` is the one being built. */
void builder_number_block(struct builder *b, uint32_t block, uint64_t visible);
void builder_number_reset(struct builder *b);
/** Before an operation that may fault is appended: appends the INSN and, in a region of one block, the BINDs that it sees.
    Others are never written there. (Regions of several blocks keep them all: they tell which values have to be computed.) */
void builder_fault_point(struct builder *b);
/** The value was put into a slot. */
void builder_value_bound(struct builder *b, ir_ref value);

/** builder_fold*.c: the value that the instruction is equal to; or IR_NONE, the instruction perhaps made simpler. */
ir_ref builder_fold(struct builder *b, struct ir_insn *insn);
ir_ref builder_fold_flags(struct builder *b, struct ir_insn *insn);
ir_ref builder_fold_vector(struct builder *b, struct ir_insn *insn);
void builder_fold_address(struct builder *b, struct ir_insn *insn);
/** The opposite of a truth value (0, 1). */
ir_ref builder_negate(struct builder *b, ir_ref truth);

/** builder_region.c: makes the finished region of the raw one. */
void builder_region_finish(struct builder *b);

#endif

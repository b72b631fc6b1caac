/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The builder: how a frontend writes IR. It folds constants, numbers values, forwards guest state and simplifies as it
 * appends, so translate functions just say what the manual says.
 *
 * State: builder_get() / builder_put() read and write slots; the builder keeps the current value of every slot, emits
 * one GET for each slot that is read before it is written, BINDs for the state map, and SETs at the exits.
 *
 * Control: a translate function that ends its block calls exactly one of the end functions below. A direct branch whose
 * target is a block of the region being formed becomes an edge (with a POLL in front of a backward one), any other an
 * exit.
 */
#ifndef DRAGOMAN_TRANSLATOR_BUILDER_H
#define DRAGOMAN_TRANSLATOR_BUILDER_H

#include "translator/cpu.h"
#include "translator/ir.h"
#include "translator/isa.h"

#define BUILDER_MAX_SLOTS 160
#define BUILDER_MAX_BLOCKS 64

struct builder_options {
    bool fold;   /* constant folding and algebraic simplification */
    bool number; /* value numbering */
    bool state;  /* forwarding of guest state from one instruction to the next (off: every block ends after one
                    instruction by falling through, so that all state goes through memory: slow, for tests) */
    bool exclusive; /* load-exclusive to store-exclusive may be translated as one operation (builder.single) */
};

/** Guest memory that a debugger watches. */
struct builder_watch {
    uint64_t start, size;
    uint32_t read, write; /* which accesses: 0 or 1 */
};

/** A call within a region: its blocks run in the outermost frame (number 0), or in that of a call that another one of them makes. */
struct builder_frame {
    unsigned caller; /* frame; of frame 0: 0 */
    uint64_t return_pc;
};
#define BUILDER_NO_TARGET 1u /* is no instruction's address */

struct builder_word {
    uint64_t pc;
    uint32_t word;
};

struct builder_private; /* builder.c */

struct builder {
    struct ir *ir;
    const struct guest_isa *isa;
    const struct cpu *cpu; /* for translation-time state only */
    uint32_t key;          /* isa->translation_key */
    uint64_t pc;           /* guest address of the instruction being translated; translate() advances it */
    uint64_t fetch_pc, fetch_end; /* code is readable and executable in [fetch_pc, fetch_end) */
    const uint8_t *fetch_host;    /* host address of fetch_pc's byte */
    /** Asks the machine for the extent of executable code at pc (engine_memory.fetch). */
    const uint8_t *(*fetch)(void *opaque, uint64_t pc, uint64_t *end);
    uint32_t (*attributes)(void *opaque, uint64_t pc); /* engine_memory.attributes */
    void *fetch_opaque;
    bool hot;       /* set before builder_begin(): form edges even when the region is one block (a loop onto itself);
                       with n > 1 edges are formed anyway */
    /* Set before builder_begin(), too; NULL: all blocks run in frame 0, no indirect branch has an expected target. */
    const struct builder_frame *frames;
    unsigned nframes;
    const uint8_t *block_frames; /* of each block; blocks of different frames may start at one pc */
    const uint64_t *expected;    /* for each block: where its indirect branch leads as a rule, or BUILDER_NO_TARGET. The region must
                                    be allowed to be reached there by a branch of any kind */
    bool movable;    /* set before builder_begin(): the translation is to be usable for the same code at another address (keep.h) */
    uint64_t entry_pc;     /* of the region */
    uint8_t entry_kinds;   /* which kinds of indirect branches may reach the region: all, unless the translate function of the
                              instruction at entry_pc takes bits away */
    uint8_t branch_kind;   /* of the indirect branch that ends the block, 0..JUMP_KINDS-1: 0, unless its translate function
                              says another. Returns are of kind 0 */
    const struct builder_watch *watches; /* accesses of these leave with TRAP_DEBUG, trap_info = index + 1, before they happen */
    unsigned nwatches;
    bool single;     /* translate() is to do no more than the instruction at pc: a debugger may stop at the next one */
    uint64_t peeked; /* end of what builder_peek32() has read for the block */
    struct builder_word *words; /* set before builder_begin(), NULL or a list for all that is read of the guest's code … */
    unsigned nwords, words_capacity; /* … which is complete if it is not full */
    void *isa_data; /* the frontend's own, e.g. IT state while translating T32 */
    struct builder_private *p;
};

struct builder *builder_new(const struct guest_isa *isa, const struct builder_options *options);
void builder_free(struct builder *b);

/* ---- called by the engine ---------------------------------------------------------------------------------------- */

/** Begins a region into `ir` (reset first) made of the guest blocks that start at pcs[0..n-1]; pcs[0] is the entry. */
void builder_begin(struct builder *b, struct ir *ir, const struct cpu *cpu, uint32_t key, const uint64_t *pcs,
                   unsigned n);
/** Begins block `index` of them: sets pc. Blocks are begun in order 0..n-1, each exactly once. */
void builder_begin_block(struct builder *b, unsigned index);
/** Marks the start of the guest instruction at pc (INSN). */
void builder_insn(struct builder *b);
/** True after the block has ended. To be asked after each instruction: here a block ends by itself, falling through,
    where another block of the region starts. */
bool builder_ended(struct builder *b);
/** Ends a block that has grown long enough by falling through to pc (an edge if a block of the region starts there). */
void builder_fall_through(struct builder *b);
/** Completes the region: parameters made minimal, exits' SETs placed, order computed. What is left of the unused is for
    pass_dead_code(), after which pass_order() has to run again. */
void builder_finish(struct builder *b);

/* ---- called by translate functions ------------------------------------------------------------------------------- */

/** The instruction word at pc, little-endian. If the bytes are not executable: ends the block with TRAP_FETCH, returns
    0 (translate must then return). */
uint32_t builder_fetch32(struct builder *b);
uint16_t builder_fetch16(struct builder *b, unsigned offset);
/** The word at `pc`, a little beyond what is being translated, which may come to depend on it. False: not executable, or in
    another mapping. */
bool builder_peek32(struct builder *b, uint64_t pc, uint32_t *word);
/** What the machine tells about the page of the instruction being translated. */
uint32_t builder_code_attributes(const struct builder *b);

ir_ref builder_get(struct builder *b, unsigned slot);
void builder_put(struct builder *b, unsigned slot, ir_ref value);

ir_ref builder_const(struct builder *b, enum ir_type type, uint64_t bits);
/** A guest address that stems from that of the code: it moves with it, if that may move (builder.movable). Only sums with
    constants and differences of two are computed now; nothing else may be made of its value, which holds here only. */
ir_ref builder_pc(struct builder *b, uint64_t address);
ir_ref builder_vconst(struct builder *b, uint64_t low, uint64_t high);
/** True, and the bits in *value, if v is an i32/i64/f32/f64 constant. */
bool builder_is_const(const struct builder *b, ir_ref v, uint64_t *value);
enum ir_type builder_type(const struct builder *b, ir_ref v);

/** One operation of the table. size, mode, imm as in ir_ops.inc; unused args IR_NONE. May return an existing value. */
ir_ref builder_op(struct builder *b, enum ir_op op, enum ir_type type, unsigned size, unsigned mode, uint64_t imm,
                  ir_ref a0, ir_ref a1, ir_ref a2, ir_ref a3);

ir_ref builder_call(struct builder *b, const struct ir_helper *helper, ir_ref a0, ir_ref a1, ir_ref a2, ir_ref a3);

/**
 * POLL that, when it leaves, resumes at the current instruction. A translate function of an indirect branch, or of a
 * direct call that goes backward, calls it before its first put: the branch is executed anew after the interrupt.
 * Direct branches without puts (builder_jump, builder_branch) need not: they poll by themselves when they go backward.
 */
void builder_poll(struct builder *b);

/**
 * Leaves to the machine when `cond` (an i32) is not 0, with the state as it has been put so far: `pc` and info as for
 * builder_trap(). The block goes on.
 */
void builder_guard(struct builder *b, ir_ref cond, enum cpu_trap trap, uint64_t pc, uint32_t info);

/** The instruction's helper will read (or write) `size` bytes, an i64, from `start` on: for watchpoints. Operations on memory
    need no such call. */
void builder_watch_range(struct builder *b, ir_ref start, ir_ref size, bool write);

/* Ends of a block. `pc`s are guest addresses; state puts must have been done. */
void builder_jump(struct builder *b, uint64_t target);
void builder_branch(struct builder *b, ir_ref cond, uint64_t target, uint64_t fall_through);
void builder_jump_call(struct builder *b, uint64_t target, uint64_t return_pc);
void builder_jump_indirect(struct builder *b, ir_ref target);
void builder_jump_indirect_call(struct builder *b, ir_ref target, uint64_t return_pc);
void builder_return(struct builder *b, ir_ref target);
/** `pc`: what cpu.pc becomes (see enum cpu_trap); info goes to cpu.trap_info (mode, imm of EXIT_TRAP: imm = pc, imm2 =
    info). */
void builder_trap(struct builder *b, enum cpu_trap trap, uint64_t pc, uint32_t info);

/* Shorthands for the common shapes: inline wrappers such as b_add(b, x, y), b_load(b, type, size, …). */
#include "translator/builder_ops.h"

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The builder: appending, value numbering, guest state, ends of blocks.
 *
 * A region of one block, the ordinary case, is written as it comes: GET where a slot is first read, SETs before the
 * exit. A region of several blocks is first translated into a raw form in which each block starts with a PARAM for
 * every slot, since the blocks before it may not be known yet; builder_region.c makes the final form of it.
 */
#include "translator/builder.h"

#include <stdlib.h>
#include <string.h>

#include "translator/builder_private.h"
#include "translator/code_read.h"

struct builder *builder_new(const struct guest_isa *isa, const struct builder_options *options)
{
    struct builder *b = calloc(1, sizeof *b);
    struct builder_private *p = calloc(1, sizeof *p);
    if (!b || !p || isa->nslots > BUILDER_MAX_SLOTS) {
        free(b);
        free(p);
        return NULL;
    }
    p->options = *options;
    ir_init(&p->raw);
    b->isa = isa;
    b->p = p;
    return b;
}

void builder_free(struct builder *b)
{
    if (!b)
        return;
    ir_free(&b->p->raw);
    free(b->p);
    free(b);
}

/* ---- value numbering --------------------------------------------------------------------------------------------- */

void builder_number_reset(struct builder *b)
{
    struct builder_private *p = b->p;
    if (++p->generation == 0) {
        memset(p->numbers, 0, sizeof p->numbers);
        p->generation = 1;
    }
    p->numbered = 0;
}

void builder_number_block(struct builder *b, uint32_t block, uint64_t visible)
{
    struct builder_private *p = b->p;
    p->block = block;
    p->visible = visible;
    p->block_first = p->fp_barrier = b->ir->ninsns;
}

static inline uint32_t shape(const struct ir_insn *insn)
{
    return insn->op | insn->type << 8 | insn->size << 16 | (uint32_t)insn->mode << 24;
}

static inline bool same(const struct ir_insn *x, const struct ir_insn *y)
{
    uint64_t x01, y01;
    memcpy(&x01, x->arg01, sizeof x01);
    memcpy(&y01, y->arg01, sizeof y01);
    return shape(x) == shape(y) && x->imm == y->imm && x01 == y01 && x->imm2 == y->imm2;
}

/* The entry of an instruction equal to *insn, or the empty entry where it belongs. */
static inline struct number_entry *number_lookup(struct builder *b, const struct ir_insn *insn)
{
    struct builder_private *p = b->p;
    uint64_t a01;
    memcpy(&a01, insn->arg01, sizeof a01);
    uint64_t h = shape(insn) * UINT64_C(0x9e3779b97f4a7c15) + insn->imm * UINT64_C(0xc2b2ae3d27d4eb4f) +
                 a01 * UINT64_C(0xff51afd7ed558ccd) + insn->imm2 * UINT64_C(0x165667b19e3779f9);
    h = (h ^ h >> 32) * UINT64_C(0xd6e8feb86659fd93);
    /* Status is raised where the operation stands: an operation counts as done only if it was done in this block, and
       nothing may have cleared the status since. */
    ir_ref first = ir_info(insn)->attrs & IR_ATTR_FPSR ? p->fp_barrier : 0;
    for (unsigned i = (unsigned)(h >> (64 - NUMBER_BITS));; i = (i + 1) & ((1 << NUMBER_BITS) - 1)) {
        struct number_entry *e = &p->numbers[i];
        if (e->generation != p->generation)
            return e;
        if (same(insn_at(b, e->ref), insn) && (p->visible >> e->block & 1) && e->ref >= first)
            return e;
    }
}

ir_ref builder_find(struct builder *b, const struct ir_insn *insn)
{
    struct number_entry *e = number_lookup(b, insn);
    return e->generation == b->p->generation ? e->ref : IR_NONE;
}

static ir_ref number_append(struct builder *b, const struct ir_insn *insn)
{
    struct builder_private *p = b->p;
    struct number_entry *e = number_lookup(b, insn);
    if (e->generation == p->generation)
        return e->ref;
    if (p->numbered++ > (1u << NUMBER_BITS) / 4 * 3) {
        builder_number_reset(b);
        e = number_lookup(b, insn);
    }
    *e = (struct number_entry){p->generation, (uint16_t)p->block, b->ir->ninsns};
    return builder_append(b, insn);
}

static inline bool may_number(const struct ir_insn *insn)
{
    if (insn->op == IR_CALL)
        return ((const struct ir_helper *)(uintptr_t)insn->imm)->flags & IR_HELPER_PURE;
    return ir_info(insn)->attrs & (IR_ATTR_PURE | IR_ATTR_FPSR);
}

void builder_fault_point(struct builder *b)
{
    struct builder_private *p = b->p;
    for (unsigned w = 0; w < SLOT_WORDS; w++) {
        for (uint64_t rest = p->unbound[w]; rest; rest &= rest - 1) {
            unsigned slot = w * 64 + (unsigned)__builtin_ctzll(rest);
            builder_append_op(b, IR_BIND, IR_VOID, slot, p->current[slot]);
        }
        p->unbound[w] = 0;
    }
    if (p->insn_unmarked) {
        p->insn_unmarked = false;
        builder_append_op(b, IR_INSN, IR_VOID, p->insn_pc, IR_NONE);
    }
}

ir_ref builder_emit(struct builder *b, struct ir_insn *insn)
{
    struct builder_private *p = b->p;
    if (p->options.fold) {
        ir_ref equal = builder_fold(b, insn);
        if (equal != IR_NONE)
            return equal;
    }
    if (may_number(insn) && p->options.number)
        return number_append(b, insn);
    if (ir_info(insn)->attrs & IR_ATTR_FAULT)
        builder_fault_point(b);
    ir_ref ref = builder_append(b, insn);
    if (insn->op == IR_CALL && ((const struct ir_helper *)(uintptr_t)insn->imm)->flags & IR_HELPER_CPU)
        p->fp_barrier = b->ir->ninsns;
    return ref;
}

/** Tests for the watchpoints, before an access of `size` bytes at base + (index << scale) + imm. */
static void watch_access(struct builder *b, enum ir_op op, unsigned size, unsigned mode, uint64_t imm, ir_ref base, ir_ref index)
{
    const unsigned attrs = ir_op_table[op].attrs;
    ir_ref address = b_add(b, base, b_i64(b, imm));
    if ((op == IR_LOAD || op == IR_STORE) && index != IR_NONE)
        address = b_add(b, address, b_shl(b, index, IR_MEM_SCALE(mode)));
    for (unsigned i = 0; i < b->nwatches; i++) {
        const struct builder_watch *w = &b->watches[i];
        if (!(w->read && attrs & IR_ATTR_MEMRD) && !(w->write && attrs & IR_ATTR_MEMWR))
            continue;
        /* They overlap when the access begins in [start - size + 1, start + w->size). */
        ir_ref distance = b_sub(b, address, b_i64(b, w->start - size + 1));
        builder_guard(b, b_cmp(b, IR_ULT, distance, b_i64(b, w->size + size - 1)), TRAP_DEBUG, b->p->insn_pc, i + 1);
    }
}

void builder_watch_range(struct builder *b, ir_ref start, ir_ref size, bool write)
{
    for (unsigned i = 0; i < b->nwatches; i++) {
        const struct builder_watch *w = &b->watches[i];
        if (!(write ? w->write : w->read))
            continue;
        /* One of the two begins within the other. */
        ir_ref watched = b_i64(b, w->start), none = b_cmp(b, IR_EQ, size, b_i64(b, 0));
        ir_ref overlap = b_or(b, b_cmp(b, IR_ULT, b_sub(b, watched, start), size),
                              b_cmp(b, IR_ULT, b_sub(b, start, watched), b_i64(b, w->size)));
        builder_guard(b, b_select(b, none, b_i32(b, 0), overlap), TRAP_DEBUG, b->p->insn_pc, i + 1);
    }
}

ir_ref builder_op(struct builder *b, enum ir_op op, enum ir_type type, unsigned size, unsigned mode, uint64_t imm,
                  ir_ref a0, ir_ref a1, ir_ref a2, ir_ref a3)
{
    if (__builtin_expect(b->nwatches != 0, 0) && ir_op_table[op].attrs & IR_ATTR_FAULT &&
        ir_op_table[op].attrs & (IR_ATTR_MEMRD | IR_ATTR_MEMWR))
        watch_access(b, op, size, mode, imm, a0, a1);
    struct ir_insn insn = {.op = (uint8_t)op, .type = (uint8_t)type, .size = (uint8_t)size, .mode = (uint8_t)mode,
                           .imm = imm, .arg = {a0, a1, a2, a3}};
    return builder_emit(b, &insn);
}

ir_ref builder_call(struct builder *b, const struct ir_helper *helper, ir_ref a0, ir_ref a1, ir_ref a2, ir_ref a3)
{
    return builder_op(b, IR_CALL, helper->result, 0, 0, (uintptr_t)helper, a0, a1, a2, a3);
}

ir_ref builder_const(struct builder *b, enum ir_type type, uint64_t bits)
{
    if (type == IR_I32 || type == IR_F32)
        bits = (uint32_t)bits;
    struct ir_insn insn = {.op = IR_CONST, .type = (uint8_t)type, .imm = bits,
                           .arg = {IR_NONE, IR_NONE, IR_NONE, IR_NONE}};
    return number_append(b, &insn);
}

ir_ref builder_pc(struct builder *b, uint64_t address)
{
    if (!b->movable)
        return builder_const(b, IR_I64, address);
    struct ir_insn insn = {.op = IR_PC, .type = IR_I64, .imm = address, .arg = {IR_NONE, IR_NONE, IR_NONE, IR_NONE}};
    return b->p->options.number ? number_append(b, &insn) : builder_append(b, &insn);
}

ir_ref builder_vconst(struct builder *b, uint64_t low, uint64_t high)
{
    struct ir_insn insn = {.op = IR_CONST, .type = IR_V128, .imm = low, .arg = {IR_NONE, IR_NONE, 0, 0}};
    insn.imm2 = high;
    return number_append(b, &insn);
}

bool builder_is_const(const struct builder *b, ir_ref v, uint64_t *value)
{
    const struct ir_insn *insn = insn_at(b, v);
    if (insn->op != IR_CONST || insn->type == IR_V128)
        return false;
    *value = insn->imm;
    return true;
}

enum ir_type builder_type(const struct builder *b, ir_ref v)
{
    return (enum ir_type)insn_at(b, v)->type;
}

/* ---- guest state ------------------------------------------------------------------------------------------------- */

ir_ref builder_get(struct builder *b, unsigned slot)
{
    struct builder_private *p = b->p;
    if (!slot_in(p->known, slot)) {
        p->current[slot] = p->entry[slot] = builder_append_op(b, IR_GET, b->isa->slots[slot].type, slot, IR_NONE);
        slot_add(p->known, slot);
        slot_add(p->fetched, slot);
    }
    return p->current[slot];
}

void builder_value_bound(struct builder *b, ir_ref value)
{
    struct ir_insn *insn = insn_at(b, value);
    insn->scratch |= VALUE_BOUND;
    if (insn->op == IR_ZEXT || insn->op == IR_VZEXT)
        insn_at(b, insn->arg[0])->scratch |= VALUE_BOUND;
}

void builder_put(struct builder *b, unsigned slot, ir_ref value)
{
    struct builder_private *p = b->p;
    if (slot_in(p->known, slot) && p->current[slot] == value)
        return;
    p->current[slot] = value;
    slot_add(p->known, slot);
    slot_add(p->put, slot);
    builder_value_bound(b, value);
    if (p->graph)
        builder_append_op(b, IR_BIND, IR_VOID, slot, value);
    else
        slot_add(p->unbound, slot);
}

static void set_slots(struct builder *b)
{
    struct builder_private *p = b->p;
    for (unsigned w = 0; w < SLOT_WORDS; w++)
        for (uint64_t rest = p->put[w]; rest; rest &= rest - 1) {
            unsigned slot = w * 64 + (unsigned)__builtin_ctzll(rest);
            if (!slot_in(p->fetched, slot) || p->entry[slot] != p->current[slot])
                builder_append_op(b, IR_SET, IR_VOID, slot, p->current[slot]);
        }
}

/* ---- beginnings -------------------------------------------------------------------------------------------------- */

void builder_begin(struct builder *b, struct ir *ir, const struct cpu *cpu, uint32_t key, const uint64_t *pcs,
                   unsigned n)
{
    struct builder_private *p = b->p;
    p->graph = n > 1 || b->hot;
    p->finished = ir;
    p->nblocks = n;
    p->pc_filter = 0;
    p->ended = true;
    ir_reset(ir);
    ir->guest_pc = pcs[0];
    b->ir = ir;
    b->cpu = cpu;
    b->key = key;
    b->entry_pc = pcs[0];
    b->entry_kinds = (1u << JUMP_KINDS) - 1;
    for (unsigned i = 0; i < n; i++) {
        p->blocks[i].pc = pcs[i];
        p->blocks[i].frame = b->block_frames ? b->block_frames[i] : 0;
        p->pc_filter |= UINT64_C(1) << (pcs[i] >> 1 & 63);
    }
    if (b->fetch) /* memory may have changed since the last region */
        b->fetch_pc = b->fetch_end = 0;
    builder_number_reset(b);
    if (p->graph) {
        ir_reset(&p->raw);
        b->ir = &p->raw;
        for (unsigned slot = 0; slot < b->isa->nslots; slot++)
            p->entry[slot] = builder_append_op(b, IR_GET, b->isa->slots[slot].type, slot, IR_NONE);
    }
}

void builder_begin_block(struct builder *b, unsigned index)
{
    struct builder_private *p = b->p;
    struct guest_block *g = &p->blocks[index];
    b->pc = p->insn_pc = g->pc;
    p->ended = p->insn_begun = p->polled = false;
    b->branch_kind = 0;
    b->peeked = g->pc;
    memset(p->known, 0, sizeof p->known);
    memset(p->fetched, 0, sizeof p->fetched);
    memset(p->put, 0, sizeof p->put);
    memset(p->unbound, 0, sizeof p->unbound);
    p->insn_unmarked = false;
    if (!p->graph) {
        uint32_t block = ir_add_block(b->ir);
        b->ir->blocks[block].guest_pc = g->pc;
        builder_number_block(b, 0, 1);
        return;
    }
    /* Every path to another block of the region goes through block 0, so its values are visible in all of them. */
    builder_number_block(b, index, UINT64_C(1) << index | 1);
    g->first = b->ir->ninsns;
    for (unsigned slot = 0; slot < b->isa->nslots; slot++) {
        ir_ref param = builder_append_op(b, IR_PARAM, b->isa->slots[slot].type, slot, IR_NONE);
        insn_at(b, param)->mode = (uint8_t)index;
        p->current[slot] = param;
        slot_add(p->known, slot);
    }
}

void builder_insn(struct builder *b)
{
    struct builder_private *p = b->p;
    p->insn_pc = b->pc;
    p->insn_begun = true;
    p->polled = false;
    p->finished->guest_insns++;
    p->insn_unmarked = true;
}

static unsigned block_at(const struct builder_private *p, uint64_t pc, unsigned frame)
{
    if (p->graph && (p->pc_filter >> (pc >> 1 & 63) & 1))
        for (unsigned i = 0; i < p->nblocks; i++)
            if (p->blocks[i].pc == pc && p->blocks[i].frame == frame)
                return i;
    return OUTSIDE;
}

static unsigned frame_of(const struct builder_private *p) { return p->graph ? p->blocks[p->block].frame : 0; }

bool builder_ended(struct builder *b)
{
    struct builder_private *p = b->p;
    if (!p->ended && p->insn_begun && b->pc != p->insn_pc && (!p->options.state || block_at(p, b->pc, frame_of(p)) != OUTSIDE))
        builder_fall_through(b);
    return p->ended;
}

/* ---- instruction fetch ------------------------------------------------------------------------------------------- */

static bool fetch_extent(struct builder *b, uint64_t pc)
{
    if (pc >= b->fetch_pc && pc < b->fetch_end)
        return true;
    uint64_t end = 0;
    const uint8_t *host = b->fetch ? b->fetch(b->fetch_opaque, pc, &end) : NULL;
    if (!host)
        return false;
    b->fetch_host = host;
    b->fetch_pc = pc;
    b->fetch_end = end;
    return true;
}

uint32_t builder_code_attributes(const struct builder *b)
{
    return b->attributes ? b->attributes(b->fetch_opaque, b->pc) : 0;
}

static void note_word(struct builder *b, uint64_t pc, uint32_t word)
{
    if (b->words && b->nwords < b->words_capacity)
        b->words[b->nwords++] = (struct builder_word){pc, word};
}

/* Little-endian value of `bytes` bytes at pc; pages are looked up one by one, so they need not be neighbours in the
   host. */
static bool fetch(struct builder *b, uint64_t pc, unsigned bytes, uint32_t *value)
{
    if (__builtin_expect(pc >= b->fetch_pc && pc < b->fetch_end && b->fetch_end - pc >= bytes, 1)) {
        const uint8_t *host = b->fetch_host + (pc - b->fetch_pc);
        if (__builtin_expect(bytes == 4, 1))
            return code_read32(host, value);
    }
    uint32_t v = 0;
    for (unsigned i = 0; i < bytes; i++) {
        if (!fetch_extent(b, pc + i))
            return false;
        uint8_t byte;
        if (!code_read8(b->fetch_host + (pc + i - b->fetch_pc), &byte))
            return false;
        v |= (uint32_t)byte << (8 * i);
    }
    *value = v;
    return true;
}

static uint32_t fetch_or_end(struct builder *b, uint64_t pc, unsigned bytes)
{
    struct builder_private *p = b->p;
    uint32_t value;
    if (fetch(b, pc, bytes, &value)) {
        if (bytes == 4)
            note_word(b, pc, value);
        else
            b->nwords = b->words_capacity;
        return value;
    }
    /* Instructions before this one are executed first: the block ends here, and the one that starts here traps. */
    if (p->insn_pc != p->blocks[p->graph ? p->block : 0].pc) {
        b->pc = p->insn_pc;
        builder_fall_through(b);
    } else {
        builder_trap(b, TRAP_FETCH, p->insn_pc, 0);
    }
    return 0;
}

bool builder_peek32(struct builder *b, uint64_t pc, uint32_t *word)
{
    if (pc < b->fetch_pc || pc >= b->fetch_end || b->fetch_end - pc < 4 ||
        !code_read32(b->fetch_host + (pc - b->fetch_pc), word))
        return false;
    note_word(b, pc, *word);
    if (b->peeked < pc + 4)
        b->peeked = pc + 4;
    return true;
}

uint32_t builder_fetch32(struct builder *b)
{
    return fetch_or_end(b, b->pc, 4);
}

uint16_t builder_fetch16(struct builder *b, unsigned offset)
{
    return (uint16_t)fetch_or_end(b, b->pc + offset, 2);
}

/* ---- ends of a block --------------------------------------------------------------------------------------------- */

void builder_poll(struct builder *b)
{
    struct builder_private *p = b->p;
    if (p->polled)
        return;
    p->polled = true;
    builder_fault_point(b);
    builder_append_op(b, IR_POLL, IR_VOID, p->insn_pc, IR_NONE);
}

void builder_guard(struct builder *b, ir_ref cond, enum cpu_trap trap, uint64_t pc, uint32_t info)
{
    uint64_t value;
    if (b->p->ended || (builder_is_const(b, cond, &value) && value == 0))
        return;
    struct ir_insn insn = {.op = IR_GUARD, .mode = (uint8_t)trap, .imm = pc, .arg = {cond, IR_NONE, 0, 0}};
    insn.imm2 = info;
    builder_fault_point(b);
    builder_append(b, &insn);
}

static void exit_block(struct builder *b, unsigned which, uint64_t pc)
{
    uint32_t block = ir_add_block(b->ir);
    b->ir->blocks[block].guest_pc = pc;
    builder_append_op(b, IR_EXIT, IR_VOID, pc, IR_NONE);
    b->ir->blocks[block].end = b->ir->ninsns;
    ir_set_edge(b->ir, 0, which, block, 0);
}

/* Ends the block with *last. IR_JUMP and IR_BRANCH lead to the addresses pcs[0], pcs[1]. */
static void end_block(struct builder *b, const struct ir_insn *last, unsigned nsucc, const uint64_t *pcs)
{
    struct builder_private *p = b->p;
    if (p->ended)
        return;
    p->ended = true;
    p->insn_unmarked = false;
    if (p->graph) {
        struct guest_block *g = &p->blocks[p->block];
        g->end = b->ir->ninsns;
        g->last = *last;
        g->nsucc = nsucc;
        g->leave = (struct ir_insn){.op = IR_NOP, .arg = {IR_NONE, IR_NONE, IR_NONE, IR_NONE}};
        for (unsigned i = 0; i < nsucc; i++) {
            g->succ_pc[i] = pcs[i];
            g->succ[i] = block_at(p, pcs[i], g->frame);
        }
        memcpy(g->out, p->current, b->isa->nslots * sizeof g->out[0]);
        return;
    }
    set_slots(b);
    if (nsucc == 1)
        builder_append_op(b, IR_EXIT, IR_VOID, pcs[0], IR_NONE);
    else
        builder_append(b, last);
    b->ir->blocks[0].end = b->ir->ninsns;
    if (nsucc == 2) {
        exit_block(b, 0, pcs[0]);
        exit_block(b, 1, pcs[1]);
    }
}

static struct ir_insn terminator(enum ir_op op, uint64_t imm, ir_ref a0)
{
    return (struct ir_insn){.op = (uint8_t)op, .imm = imm, .arg = {a0, IR_NONE, IR_NONE, IR_NONE}};
}

void builder_jump(struct builder *b, uint64_t target)
{
    if (target <= b->p->insn_pc && !b->p->ended)
        builder_poll(b);
    struct ir_insn last = terminator(IR_JUMP, 0, IR_NONE);
    end_block(b, &last, 1, &target);
}

void builder_fall_through(struct builder *b)
{
    struct ir_insn last = terminator(IR_JUMP, 0, IR_NONE);
    end_block(b, &last, 1, &b->pc);
}

void builder_branch(struct builder *b, ir_ref cond, uint64_t target, uint64_t fall_through)
{
    uint64_t value;
    if (target == fall_through) {
        builder_jump(b, target);
    } else if (b->p->options.fold && builder_is_const(b, cond, &value)) {
        builder_jump(b, value ? target : fall_through);
    } else {
        if (target <= b->p->insn_pc || fall_through <= b->p->insn_pc)
            builder_poll(b);
        struct ir_insn last = terminator(IR_BRANCH, 0, cond);
        end_block(b, &last, 2, (uint64_t[2]){target, fall_through});
    }
}

/* The frame of a call that returns to return_pc in the frame of the block being built, if the region has one: else 0. */
static unsigned called_frame(const struct builder *b, uint64_t return_pc)
{
    for (unsigned k = 1; b->p->graph && k < b->nframes; k++)
        if (b->frames[k].caller == frame_of(b->p) && b->frames[k].return_pc == return_pc)
            return k;
    return 0;
}

/*
 * Ends the block with *leave, a branch to the address `target`, unless that is `pc`: then it goes on with the region's block at pc
 * in `frame`. There is such a block.
 */
static void end_expected(struct builder *b, const struct ir_insn *leave, ir_ref target, uint64_t pc, unsigned frame)
{
    struct guest_block *g = &b->p->blocks[b->p->block];
    ir_ref same = builder_op(b, IR_CMP, IR_I32, 8, IR_EQ, 0, target, builder_pc(b, pc), IR_NONE, IR_NONE);
    struct ir_insn last = terminator(IR_BRANCH, 0, same);
    end_block(b, &last, 2, (uint64_t[2]){pc, pc});
    g->succ[0] = block_at(b->p, pc, frame);
    g->succ[1] = OUTSIDE;
    g->leave = *leave;
}

void builder_jump_call(struct builder *b, uint64_t target, uint64_t return_pc)
{
    struct builder_private *p = b->p;
    unsigned frame = called_frame(b, return_pc), block = frame ? block_at(p, target, frame) : OUTSIDE;
    struct ir_insn last = terminator(IR_EXIT_CALL, target, IR_NONE);
    last.imm2 = return_pc;
    if (block != OUTSIDE && !p->ended) {
        last = terminator(IR_JUMP, 0, IR_NONE);
        end_block(b, &last, 1, &target);
        p->blocks[p->block].succ[0] = block;
        return;
    }
    end_block(b, &last, 0, NULL);
}

/* Where the indirect branch that ends the block being built is expected to lead, if `frame` of the region has a block there. */
static uint64_t expected_target(const struct builder *b, unsigned frame)
{
    const struct builder_private *p = b->p;
    uint64_t pc = p->graph && !p->ended && b->expected ? b->expected[p->block] : BUILDER_NO_TARGET;
    return pc != BUILDER_NO_TARGET && block_at(p, pc, frame) != OUTSIDE ? pc : BUILDER_NO_TARGET;
}

void builder_jump_indirect(struct builder *b, ir_ref target)
{
    struct ir_insn last = terminator(IR_EXIT_IND, 0, target);
    last.mode = b->branch_kind;
    uint64_t pc = expected_target(b, frame_of(b->p));
    if (pc != BUILDER_NO_TARGET)
        end_expected(b, &last, target, pc, frame_of(b->p));
    else
        end_block(b, &last, 0, NULL);
}

void builder_jump_indirect_call(struct builder *b, ir_ref target, uint64_t return_pc)
{
    struct ir_insn last = terminator(IR_EXIT_INDCALL, 0, target);
    last.mode = b->branch_kind;
    last.imm2 = return_pc;
    unsigned frame = called_frame(b, return_pc);
    uint64_t pc = frame ? expected_target(b, frame) : BUILDER_NO_TARGET;
    if (pc != BUILDER_NO_TARGET)
        end_expected(b, &last, target, pc, frame);
    else
        end_block(b, &last, 0, NULL);
}

void builder_return(struct builder *b, ir_ref target)
{
    struct ir_insn last = terminator(IR_EXIT_RET, 0, target);
    const struct builder_frame *frame = frame_of(b->p) ? &b->frames[frame_of(b->p)] : NULL;
    if (frame && !b->p->ended && block_at(b->p, frame->return_pc, frame->caller) != OUTSIDE)
        end_expected(b, &last, target, frame->return_pc, frame->caller);
    else
        end_block(b, &last, 0, NULL);
}

void builder_trap(struct builder *b, enum cpu_trap trap, uint64_t pc, uint32_t info)
{
    struct ir_insn last = terminator(IR_EXIT_TRAP, pc, IR_NONE);
    last.mode = (uint8_t)trap;
    last.imm2 = info;
    end_block(b, &last, 0, NULL);
}

void builder_finish(struct builder *b)
{
    if (b->p->graph)
        builder_region_finish(b);
    pass_order(b->ir);
}

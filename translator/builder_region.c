/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Regions of several guest blocks: from the raw form to the finished one.
 *
 * Raw, every block begins with a PARAM for every slot, because its predecessors may not have been translated yet. Now
 * that they have:
 *
 *  1. Find what each PARAM is: when the values that all edges bring are one and the same, it is that value.
 *  2. Write the blocks anew in reverse postorder with the PARAMs that remain, through the same folding and numbering as
 *     before, which now sees across blocks: a value is visible where its block dominates.
 *  3. Add the edges, each block's entry state, and the exits: a slot is SET where its value is not that at region
 *     entry.
 *
 * Sets of blocks are 64-bit words.
 */
#include <string.h>

#include "translator/builder_private.h"

#define FOR_EACH_SLOT(slot, b) for (unsigned slot = 0; slot < (b)->isa->nslots; slot++)

static inline ir_ref param_of(const struct guest_block *g, unsigned slot) { return g->first + slot; }

/* In the raw form the first nslots instructions are the GETs. */
static inline ir_ref entry_value(unsigned slot) { return slot; }

/* ---- the graph --------------------------------------------------------------------------------------------------- */

/* Fills rpo with the blocks that are reachable, returns how many. */
static unsigned order_blocks(struct builder_private *p, unsigned rpo[BUILDER_MAX_BLOCKS])
{
    unsigned stack[BUILDER_MAX_BLOCKS], next[BUILDER_MAX_BLOCKS] = {0}, top = 0, first = p->nblocks;
    uint64_t seen = 1;
    stack[top++] = 0;
    while (top) {
        unsigned i = stack[top - 1];
        const struct guest_block *g = &p->blocks[i];
        if (next[i] == g->nsucc) {
            rpo[--first] = i;
            top--;
            continue;
        }
        unsigned target = g->succ[next[i]++];
        if (target != OUTSIDE && !(seen >> target & 1)) {
            seen |= UINT64_C(1) << target;
            stack[top++] = target;
        }
    }
    unsigned n = p->nblocks - first;
    memmove(rpo, rpo + first, n * sizeof *rpo);
    return n;
}

static void find_predecessors(struct builder_private *p, const unsigned *rpo, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        p->blocks[rpo[i]].preds = 0;
    for (unsigned i = 0; i < n; i++) {
        const struct guest_block *g = &p->blocks[rpo[i]];
        for (unsigned s = 0; s < g->nsucc; s++)
            if (g->succ[s] != OUTSIDE)
                p->blocks[g->succ[s]].preds |= UINT64_C(1) << rpo[i];
    }
}

static void find_dominators(struct builder_private *p, const unsigned *rpo, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        p->blocks[rpo[i]].dominators = i ? UINT64_MAX : 1;
    for (bool changed = true; changed;) {
        changed = false;
        for (unsigned i = 1; i < n; i++) {
            struct guest_block *g = &p->blocks[rpo[i]];
            uint64_t common = UINT64_MAX;
            for (uint64_t rest = g->preds; rest; rest &= rest - 1)
                common &= p->blocks[__builtin_ctzll(rest)].dominators;
            common |= UINT64_C(1) << rpo[i];
            changed |= common != g->dominators;
            g->dominators = common;
        }
    }
}

/* ---- what the PARAMs are ----------------------------------------------------------------------------------------- */

/* The raw value that `value` is known to be: IR_NONE while nothing is known about it. */
static inline ir_ref resolve(const struct builder_private *p, ir_ref value)
{
    const struct ir_insn *insn = &p->raw.insns[value];
    return insn->op == IR_PARAM ? p->blocks[insn->mode].in[insn->imm] : value;
}

/*
 * Optimistic: all PARAMs start unknown, and become themselves only when two different values have met. A fixpoint is
 * consistent, so along every path the slot holds the value claimed; and a value that is claimed at a block has been
 * computed on every path to it.
 */
static void find_params(struct builder *b, const unsigned *rpo, unsigned n)
{
    struct builder_private *p = b->p;
    for (unsigned i = 0; i < n; i++)
        FOR_EACH_SLOT (slot, b)
            p->blocks[rpo[i]].in[slot] = IR_NONE;
    for (bool changed = true; changed;) {
        changed = false;
        for (unsigned i = 0; i < n; i++) {
            struct guest_block *g = &p->blocks[rpo[i]];
            FOR_EACH_SLOT (slot, b) {
                if (g->in[slot] == param_of(g, slot))
                    continue;
                ir_ref met = rpo[i] == 0 ? entry_value(slot) : IR_NONE;
                for (uint64_t rest = g->preds; rest; rest &= rest - 1) {
                    ir_ref value = resolve(p, p->blocks[__builtin_ctzll(rest)].out[slot]);
                    if (value != IR_NONE && met != IR_NONE && value != met) {
                        met = param_of(g, slot);
                        break;
                    }
                    if (value != IR_NONE)
                        met = value;
                }
                changed |= met != g->in[slot];
                g->in[slot] = met;
            }
        }
    }
}

/* ---- peeling ----------------------------------------------------------------------------------------------------- */

/*
 * A loop of one block that ends in a comparison: its first instruction that faults has to tell the flags, which come from
 * before the loop or from its end. As a PARAM they would be packed in each iteration. So the first iteration is taken out:
 * it becomes a block of its own, and the flags at the beginning of all others are those of the comparison, said of PARAMs.
 */

/* The slot whose value at the end of g is `value` as an i64: IR_NONE if there is none. *step: what was added to it. */
static unsigned find_slot(const struct builder *b, const struct guest_block *g, ir_ref value, uint64_t *step)
{
    const struct ir *raw = &b->p->raw;
    for (unsigned pass = 0; pass < 2; pass++)
        FOR_EACH_SLOT (slot, b) {
            ir_ref out = g->out[slot];
            const struct ir_insn *insn = &raw->insns[out];
            if (b->isa->slots[slot].type != IR_I64)
                continue;
            if (out != value && insn->op == IR_ZEXT && insn->size == 4 && raw->insns[value].type == IR_I32) {
                out = insn->arg[0];
                insn = &raw->insns[out];
            }
            *step = 0;
            if (out == value)
                return slot;
            if (pass == 0 || (insn->op != IR_ADD && insn->op != IR_SUB) || insn->arg[0] != value ||
                raw->insns[insn->arg[1]].op != IR_CONST)
                continue;
            uint64_t constant = raw->insns[insn->arg[1]].imm;
            *step = insn->op == IR_ADD ? constant : -constant;
            return slot;
        }
    return IR_NONE;
}

static bool is_in(const struct guest_block *g, ir_ref ref) { return ref >= g->first && ref < g->end; }

/* What `value` at the end of g is at the beginning of `body`, which follows it: appended to raw; IR_NONE: cannot be said. */
static ir_ref say_of_params(struct builder *b, const struct guest_block *g, const struct guest_block *body, ir_ref value)
{
    const struct ir_insn insn = b->p->raw.insns[value];
    uint64_t step;
    if (insn.op == IR_CONST || insn.op == IR_PC)
        return builder_append_op(b, (enum ir_op)insn.op, insn.type, insn.imm, IR_NONE);
    unsigned slot = find_slot(b, g, value, &step);
    if (slot == IR_NONE)
        return IR_NONE;
    ir_ref said = param_of(body, slot);
    if (insn.type == IR_I32) {
        said = builder_append_op(b, IR_TRUNC, IR_I32, 0, said);
        step = (uint32_t)step;
    }
    if (!step)
        return said;
    ir_ref constant = builder_append_op(b, IR_CONST, insn.type, step, IR_NONE);
    said = builder_append_op(b, IR_SUB, insn.type, 0, said);
    b->p->raw.insns[said].arg[1] = constant;
    return said;
}

static ir_ref moved(const struct guest_block *from, const struct guest_block *to, ir_ref value)
{
    return value != IR_NONE && is_in(from, value) ? value - from->first + to->first : value;
}

/* The slot of the flags, of `g`, a loop onto itself that can fault: IR_NONE if peeling would not help. */
static unsigned find_loop_flags(const struct builder *b, const struct guest_block *g)
{
    const struct ir *raw = &b->p->raw;
    FOR_EACH_SLOT (slot, b) {
        const struct ir_insn *flags = &raw->insns[g->out[slot]];
        if (!is_in(g, g->out[slot]) || b->isa->slots[slot].type != IR_I32 ||
            (flags->op != IR_FLAGS_ADD && flags->op != IR_FLAGS_SUB && flags->op != IR_FLAGS_LOGIC))
            continue;
        for (ir_ref r = g->first; r < g->out[slot]; r++)
            if (ir_info(&raw->insns[r])->attrs & IR_ATTR_FAULT)
                return slot;
    }
    return IR_NONE;
}

/* in[slot] of `block`, which follows nothing but g and its like. */
static bool say_flags(struct builder *b, const struct guest_block *g, struct guest_block *block, unsigned slot)
{
    struct builder_private *p = b->p;
    const uint32_t first = p->raw.ninsns;
    struct ir_insn flags = p->raw.insns[g->out[slot]];
    for (unsigned a = 0, nargs = ir_nargs(&flags); a < nargs; a++)
        if ((flags.arg[a] = say_of_params(b, g, block, flags.arg[a])) == IR_NONE) {
            p->raw.ninsns = first;
            return false;
        }
    block->flags_first = first;
    block->flags = builder_append(b, &flags);
    builder_append_op(b, IR_BIND, IR_VOID, slot, block->flags);
    block->flags_slot = slot;
    return true;
}

static void peel_loop(struct builder *b, unsigned index, unsigned slot)
{
    struct builder_private *p = b->p;
    struct guest_block *g = &p->blocks[index], *body = &p->blocks[p->nblocks];
    *body = *g;
    body->first = p->raw.ninsns;
    for (ir_ref r = g->first; r < g->end; r++) {
        struct ir_insn insn = p->raw.insns[r];
        if (insn.op == IR_PARAM)
            insn.mode = (uint8_t)p->nblocks;
        for (unsigned a = 0, nargs = ir_nargs(&insn); a < nargs; a++)
            insn.arg[a] = moved(g, body, insn.arg[a]);
        builder_append(b, &insn);
    }
    body->end = p->raw.ninsns;
    if (!say_flags(b, g, body, slot)) {
        p->raw.ninsns = body->first;
        return;
    }
    FOR_EACH_SLOT (each, b)
        body->out[each] = moved(g, body, g->out[each]);
    for (unsigned a = 0, nargs = ir_nargs(&g->last); a < nargs; a++)
        body->last.arg[a] = moved(g, body, g->last.arg[a]);
    body->leave.arg[0] = moved(g, body, g->leave.arg[0]);
    for (unsigned s = 0; s < g->nsucc; s++)
        if (g->succ[s] == index)
            g->succ[s] = body->succ[s] = p->nblocks;
    body->first_iteration = index;
    p->nblocks++;
}

static void peel_loops(struct builder *b)
{
    struct builder_private *p = b->p;
    const unsigned n = p->nblocks;
    for (unsigned i = 0; i < n; i++) {
        p->blocks[i].flags = IR_NONE;
        p->blocks[i].first_iteration = OUTSIDE;
    }
    for (unsigned i = 0; i < n && p->nblocks < BUILDER_MAX_BLOCKS; i++) {
        const struct guest_block *g = &p->blocks[i];
        bool loop = false;
        for (unsigned s = 0; s < g->nsucc; s++)
            loop |= g->succ[s] == i;
        unsigned slot = loop ? find_loop_flags(b, g) : IR_NONE;
        if (slot != IR_NONE)
            peel_loop(b, i, slot);
    }
}

/* The block behind a peeled loop, which comes after either of its blocks, would have the flags as a PARAM, too. */
static void say_flags_behind_loops(struct builder *b)
{
    struct builder_private *p = b->p;
    for (unsigned i = 0; i < p->nblocks; i++) {
        const struct guest_block *body = &p->blocks[i];
        if (body->first_iteration == OUTSIDE)
            continue;
        uint64_t both = UINT64_C(1) << i | UINT64_C(1) << body->first_iteration;
        for (unsigned s = 0; s < body->nsucc; s++) {
            struct guest_block *behind = body->succ[s] == OUTSIDE ? NULL : &p->blocks[body->succ[s]];
            if (behind && behind->preds == both && behind->flags == IR_NONE)
                say_flags(b, body, behind, body->flags_slot);
        }
    }
}

/* After the PARAMs have been found: those flags are none. */
static void replace_flags(struct builder_private *p, const unsigned *rpo, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        const struct guest_block *g = &p->blocks[rpo[i]];
        if (g->flags == IR_NONE || g->in[g->flags_slot] != param_of(g, g->flags_slot))
            continue;
        for (unsigned k = 0; k < n; k++) {
            ir_ref *in = p->blocks[rpo[k]].in;
            if (k != i && in[g->flags_slot] == param_of(g, g->flags_slot))
                in[g->flags_slot] = g->flags;
        }
        p->blocks[rpo[i]].in[g->flags_slot] = g->flags;
    }
}

/* ---- writing ----------------------------------------------------------------------------------------------------- */

/* The finished value of a raw one. */
static inline ir_ref finished(const struct builder_private *p, ir_ref value)
{
    return p->raw.insns[resolve(p, value)].scratch;
}

/* GETs of the slots whose entry value is used somewhere. */
static void write_gets(struct builder *b, const unsigned *rpo, unsigned n)
{
    struct builder_private *p = b->p;
    uint64_t used[SLOT_WORDS] = {0};
    for (unsigned i = 0; i < n; i++) {
        const struct guest_block *g = &p->blocks[rpo[i]];
        for (ir_ref r = g->first + b->isa->nslots; r < g->end; r++)
            for (unsigned a = 0, nargs = ir_nargs(&p->raw.insns[r]); a < nargs; a++) {
                ir_ref arg = p->raw.insns[r].arg[a];
                if (arg != IR_NONE && (arg = resolve(p, arg)) < b->isa->nslots)
                    slot_add(used, arg);
            }
        if (ir_nargs(&g->last) && resolve(p, g->last.arg[0]) < b->isa->nslots)
            slot_add(used, resolve(p, g->last.arg[0]));
        FOR_EACH_SLOT (slot, b) {
            ir_ref in = g->in[slot], out = resolve(p, g->out[slot]);
            bool passed = false; /* to a PARAM */
            for (unsigned e = 0; e < g->nsucc; e++)
                passed |= g->succ[e] != OUTSIDE &&
                          p->blocks[g->succ[e]].in[slot] == param_of(&p->blocks[g->succ[e]], slot);
            if (in < b->isa->nslots && in != entry_value(slot))
                slot_add(used, in);
            if (out < b->isa->nslots && (out != entry_value(slot) || passed))
                slot_add(used, out);
            if (i == 0 && in == param_of(g, slot))
                slot_add(used, entry_value(slot));
        }
    }
    FOR_EACH_SLOT (slot, b)
        if (slot_in(used, slot))
            p->raw.insns[entry_value(slot)].scratch =
                builder_append_op(b, IR_GET, b->isa->slots[slot].type, slot, IR_NONE);
}

static void close_block(struct builder *b, uint32_t block) { b->ir->blocks[block].end = b->ir->ninsns; }

/*
 * SETs of the slots whose values at the end of *g are not those at region entry. Flags are computed in a cold block a
 * second time, so that the way that stays in the region need not pack them.
 */
static void write_sets(struct builder *b, const struct guest_block *g, bool cold)
{
    ir_ref values[BUILDER_MAX_SLOTS];
    FOR_EACH_SLOT (slot, b) {
        ir_ref value = resolve(b->p, g->out[slot]);
        values[slot] = value == entry_value(slot) ? IR_NONE : b->p->raw.insns[value].scratch;
        if (!cold || values[slot] == IR_NONE)
            continue;
        struct ir_insn insn = *insn_at(b, values[slot]);
        insn.scratch = 0;
        if (insn.op >= IR_FLAGS_ADD && insn.op <= IR_FLAGS_LOGIC)
            values[slot] = builder_append(b, &insn);
    }
    FOR_EACH_SLOT (slot, b)
        if (values[slot] != IR_NONE)
            builder_append_op(b, IR_SET, IR_VOID, slot, values[slot]);
}

static void write_params(struct builder *b, struct guest_block *g)
{
    struct builder_private *p = b->p;
    uint32_t position = 0;
    FOR_EACH_SLOT (slot, b)
        if (g->in[slot] == param_of(g, slot))
            p->raw.insns[param_of(g, slot)].scratch =
                builder_append_op(b, IR_PARAM, b->isa->slots[slot].type, position++, IR_NONE);
    b->ir->blocks[g->number].nparams = position;
}

/* The slots that are not what they were at region entry. */
static void write_state(struct builder *b, const struct guest_block *g)
{
    FOR_EACH_SLOT (slot, b)
        if (g->in[slot] != entry_value(slot) && g->in[slot] != g->flags)
            ir_add_state(b->ir, g->number, slot, b->p->raw.insns[g->in[slot]].scratch);
}

static void write_body(struct builder *b, ir_ref from, ir_ref to)
{
    struct builder_private *p = b->p;
    for (ir_ref r = from; r < to; r++) {
        struct ir_insn insn = p->raw.insns[r];
        insn.scratch = 0;
        for (unsigned a = 0, nargs = ir_nargs(&insn); a < nargs; a++)
            if (insn.arg[a] != IR_NONE)
                insn.arg[a] = finished(p, insn.arg[a]);
        if (insn.op == IR_BIND) {
            builder_value_bound(b, insn.arg[0]);
            builder_append(b, &insn);
        } else {
            p->raw.insns[r].scratch = builder_emit(b, &insn);
        }
    }
}

/*
 * Leaves *g for `pc`, or as g->leave says. Out of a call within the region that is a call, too, so that the return from it is
 * predicted.
 */
static void write_leave(struct builder *b, const struct guest_block *g, uint64_t pc)
{
    struct ir_insn leave = g->leave;
    if (leave.op != IR_NOP) {
        leave.arg[0] = finished(b->p, leave.arg[0]);
        builder_append(b, &leave);
        return;
    }
    leave = (struct ir_insn){.op = IR_EXIT, .imm = pc, .arg = {IR_NONE, IR_NONE, IR_NONE, IR_NONE}};
    if (g->frame) {
        leave.op = IR_EXIT_CALL;
        leave.imm2 = b->frames[g->frame].return_pc;
    }
    builder_append(b, &leave);
}

/* A block of its own for leaving through one side of a branch. */
static uint32_t write_exit(struct builder *b, const struct guest_block *g, uint64_t pc, bool sets)
{
    uint32_t block = ir_add_block(b->ir);
    b->ir->blocks[block].guest_pc = pc;
    b->ir->blocks[block].cold = sets;
    if (sets)
        write_sets(b, g, true);
    write_leave(b, g, pc);
    close_block(b, block);
    return block;
}

/* The terminator, and the exit blocks; edges inside the region come later, when all blocks have their numbers. */
static void write_end(struct builder *b, struct guest_block *g, uint32_t exits[2])
{
    struct builder_private *p = b->p;
    struct ir_insn last = g->last;
    exits[0] = exits[1] = IR_NONE;
    if (ir_nargs(&last))
        last.arg[0] = finished(p, last.arg[0]);
    uint64_t cond;
    if (g->nsucc == 2 && p->options.fold && builder_is_const(b, last.arg[0], &cond)) {
        g->nsucc = 1;
        if (!cond) {
            g->succ[0] = g->succ[1];
            g->succ_pc[0] = g->succ_pc[1];
        }
        last = (struct ir_insn){.op = IR_JUMP, .arg = {IR_NONE, IR_NONE, IR_NONE, IR_NONE}};
    }
    bool all_leave = true;
    for (unsigned s = 0; s < g->nsucc; s++)
        all_leave &= g->succ[s] == OUTSIDE;
    if (all_leave)
        write_sets(b, g, false);
    if (all_leave && g->nsucc == 1)
        write_leave(b, g, g->succ_pc[0]);
    else
        builder_append(b, &last);
    close_block(b, g->number);
    if (all_leave && g->nsucc == 1)
        return;
    for (unsigned s = 0; s < g->nsucc; s++)
        if (g->succ[s] == OUTSIDE)
            exits[s] = write_exit(b, g, g->succ_pc[s], !all_leave);
}

/* Makes the edge to guest block `target` with what `out` (NULL: the region's entry values) holds for its parameters. */
static void write_edge(struct builder *b, uint32_t from, unsigned which, unsigned target, const ir_ref *out)
{
    struct builder_private *p = b->p;
    const struct guest_block *to = &p->blocks[target];
    ir_ref *args = ir_set_edge(b->ir, from, which, to->number, b->ir->blocks[to->number].nparams);
    FOR_EACH_SLOT (slot, b)
        if (to->in[slot] == param_of(to, slot))
            *args++ = finished(p, out ? out[slot] : entry_value(slot));
}

void builder_region_finish(struct builder *b)
{
    struct builder_private *p = b->p;
    unsigned rpo[BUILDER_MAX_BLOCKS];
    uint32_t exits[BUILDER_MAX_BLOCKS][2];
    b->ir = &p->raw;
    peel_loops(b);
    unsigned n = order_blocks(p, rpo);
    find_predecessors(p, rpo, n);
    find_dominators(p, rpo, n);
    say_flags_behind_loops(b);
    find_params(b, rpo, n);
    replace_flags(p, rpo, n);

    b->ir = p->finished;
    builder_number_reset(b);
    bool loop_at_entry = p->blocks[0].preds != 0;
    if (loop_at_entry) { /* block 0 of a region has no predecessors */
        uint32_t entry = ir_add_block(b->ir);
        b->ir->blocks[entry].guest_pc = p->blocks[0].pc;
        write_gets(b, rpo, n);
        builder_append_op(b, IR_JUMP, IR_VOID, 0, IR_NONE);
        close_block(b, entry);
    }
    for (unsigned i = 0; i < n; i++) {
        struct guest_block *g = &p->blocks[rpo[i]];
        g->number = ir_add_block(b->ir);
        b->ir->blocks[g->number].guest_pc = g->pc;
        builder_number_block(b, rpo[i], g->dominators);
        if (i == 0 && !loop_at_entry)
            write_gets(b, rpo, n);
        write_params(b, g);
        write_state(b, g);
        if (g->flags != IR_NONE)
            write_body(b, g->flags_first, g->flags + 2);
        write_body(b, g->first + b->isa->nslots, g->end);
        write_end(b, g, exits[i]);
    }
    if (loop_at_entry)
        write_edge(b, 0, 0, 0, NULL);
    for (unsigned i = 0; i < n; i++) {
        const struct guest_block *g = &p->blocks[rpo[i]];
        for (unsigned s = 0; s < g->nsucc; s++) {
            if (exits[i][s] != IR_NONE)
                ir_set_edge(b->ir, g->number, s, exits[i][s], 0);
            else if (g->succ[s] != OUTSIDE)
                write_edge(b, g->number, s, g->succ[s], g->out);
        }
    }
}

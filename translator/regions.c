/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Forming hot regions. Cold code runs one guest basic block a region, and counts. When a block's count runs out, the blocks
 * around it are known: a cold region exists for each block that was ever executed, with the addresses its branch leads
 * to, and its own count tells how often it was entered. From the hot block on, the region takes in what was executed often
 * enough to matter; what was not stays outside, behind an exit.
 *
 * A direct call is followed into the function, and the function's return back behind the call: the same block may be there once
 * for each frame it runs in (builder.h). An indirect branch is followed to where it has led nearly always.
 */
#include <stdlib.h>
#include <string.h>

#include "translator/compile_thread.h"
#include "translator/keep.h"

/** A block executed less than 1/RARE times as often as the entry is left out. */
#define RARE 64
/** A loop is left often when the blocks behind its exits were executed more than 1/LEAVES_OFTEN times as often as its entry. */
#define LEAVES_OFTEN 5
/** Blocks of a region whose entry is in no loop. */
#define HOT_MAX_STRAIGHT 10
/** A region without a loop saves so little each time that it pays only when its entry is executed so many times as often. */
#define STRAIGHT_LATER 15
#define HOT_AT_ONCE 100 /* … but for who wants regions this early (tests) */
/** Calls within calls, and how many of them may be of one function. */
#define MAX_DEPTH 3
#define MAX_RECURSION 2
/** An indirect branch has one target if that changed in less than 1/CHANGES_RARELY of its executions. */
#define CHANGES_RARELY 64

#define NONE UINT8_MAX
_Static_assert(HOT_MAX_BLOCKS < NONE, "a node's number is a byte");

/** The plan while it grows: its blocks are the nodes. */
struct graph {
    const struct engine *engine;
    uint32_t key;
    struct hot_plan plan;
    const struct translation *node[HOT_MAX_BLOCKS];
    uint8_t succ[HOT_MAX_BLOCKS][2]; /* nodes, or NONE */
    uint64_t callee[HOT_MAX_FRAMES]; /* the function's address */
    uint8_t call[HOT_MAX_FRAMES];    /* the node that calls it */
};

struct place {
    uint64_t pc;
    unsigned frame;
};

/** How often a block was executed, as far as it was counted: that of a block that became hot itself stands still. */
static int64_t executions(const struct translation *t)
{
    return t->region.hot ? t->hot_after : (int64_t)t->hot_after - *t->region.countdown;
}

static bool often_executed(const struct graph *g, const struct translation *t)
{
    return executions(t) * RARE >= g->engine->options.hot;
}

static const struct translation *find(const struct graph *g, uint64_t pc)
{
    const struct region *region = pc == 1 ? NULL : table_find(g->engine, pc, g->key);
    return region ? translation_of(region) : NULL;
}

static unsigned find_node(const struct graph *g, struct place place)
{
    for (unsigned i = 0; i < g->plan.n; i++) {
        if (g->plan.pcs[i] == place.pc && g->plan.frame[i] == place.frame)
            return i;
    }
    return NONE;
}

/** The frame of the call with which node i ends, of the function at `callee`; made if need be. 0: it is not to be followed. */
static unsigned frame_of_call(struct graph *g, unsigned i, uint64_t callee)
{
    const struct builder_frame frame = {g->plan.frame[i], g->node[i]->region.return_pc};
    unsigned depth = 0, same = 0;

    for (unsigned k = 1; k < g->plan.nframes; k++) {
        if (g->call[k] == i)
            return k;
    }
    for (unsigned k = frame.caller; k != 0; k = g->plan.frames[k].caller) {
        depth++;
        same += g->callee[k] == callee;
    }
    if (depth == MAX_DEPTH || same == MAX_RECURSION || g->plan.nframes == HOT_MAX_FRAMES || frame.return_pc == 1)
        return 0;
    g->plan.frames[g->plan.nframes] = frame;
    g->callee[g->plan.nframes] = callee;
    g->call[g->plan.nframes] = (uint8_t)i;
    return g->plan.nframes++;
}

/** The one target of the indirect branch that ends the block, or 1. */
static uint64_t one_target(const struct graph *g, const struct translation *t)
{
    const struct translation *to = find(g, t->region.last_target);

    if (!to || (int64_t)t->region.target_changes * CHANGES_RARELY > executions(t) ||
        to->region.entry_kinds != (1u << JUMP_KINDS) - 1)
        return 1;
    return t->region.last_target;
}

/** Where the region may go on after node i. */
static unsigned places_after(struct graph *g, unsigned i, struct place places[2])
{
    const struct region *from = &g->node[i]->region;
    const unsigned frame = g->plan.frame[i];
    const struct builder_frame *called = &g->plan.frames[frame];
    uint64_t target = from->successors[0];

    switch (from->end) {
    case IR_EXIT_RET:
        places[0] = (struct place){called->return_pc, called->caller};
        return frame != 0;
    case IR_EXIT_IND:
        places[0] = (struct place){one_target(g, g->node[i]), frame};
        return g->engine->options.calls;
    case IR_EXIT_INDCALL:
        target = one_target(g, g->node[i]);
        /* fall through */
    case IR_EXIT_CALL:
        if (!g->engine->options.calls || target == 1)
            return 0;
        places[0] = (struct place){target, frame_of_call(g, i, target)};
        return places[0].frame != 0;
    default:
        places[0] = (struct place){from->successors[0], frame};
        places[1] = (struct place){from->successors[1], frame};
        return 2;
    }
}

static unsigned add_node(struct graph *g, const struct translation *t, unsigned frame)
{
    unsigned i = g->plan.n++;

    g->plan.pcs[i] = t->region.guest_pc;
    g->plan.frame[i] = (uint8_t)frame;
    g->plan.insns += t->first_block_insns;
    g->node[i] = t;
    g->succ[i][0] = g->succ[i][1] = NONE;
    return i;
}

/** Takes in blocks breadth first. */
static void grow(struct graph *g)
{
    for (unsigned i = 0; i < g->plan.n; i++) {
        struct place places[2];
        unsigned n = places_after(g, i, places);
        for (unsigned s = 0; s < n; s++) {
            unsigned node = find_node(g, places[s]);
            const struct translation *to = node == NONE ? find(g, places[s].pc) : NULL;
            if (to && often_executed(g, to) && g->plan.n < HOT_MAX_BLOCKS &&
                g->plan.insns + to->first_block_insns <= HOT_MAX_INSNS)
                node = add_node(g, to, places[s].frame);
            g->succ[i][s] = (uint8_t)node;
        }
    }
}

/* ---- choosing ------------------------------------------------------------------------------------------------------------ */

/** Executions of `to`, which follows node i, that come from there: a function may be called from elsewhere, too. */
static int64_t executions_from(const struct graph *g, unsigned i, const struct translation *to)
{
    unsigned frame = g->plan.frame[i];
    int64_t count = executions(to);

    for (; frame != 0; frame = g->plan.frames[frame].caller) {
        const struct translation *entry = find(g, g->callee[frame]);
        int64_t calls = executions(g->node[g->call[frame]]), entered = entry ? executions(entry) : 0;
        if (calls < entered)
            count = count * calls / entered;
    }
    return count;
}

/** A loop of which every few iterations one leaves, for a call perhaps, would load and store all its state each time. */
static bool leaves_often(struct graph *g, const bool *in_loop)
{
    int64_t left = 0;

    for (unsigned i = 0; i < g->plan.n; i++) {
        struct place places[2];
        unsigned n = in_loop[i] ? places_after(g, i, places) : 0;
        for (unsigned s = 0; s < n; s++) {
            const struct translation *to = find(g, places[s].pc);
            if (to && (g->succ[i][s] == NONE || !in_loop[g->succ[i][s]]))
                left += executions_from(g, i, to);
        }
    }
    return left * LEAVES_OFTEN > executions(g->node[0]);
}

/**
 * Tells what lies on a way back to the entry. A region pays by keeping guest registers in host registers around a loop; what
 * leads out of the loop would only load the region with state that the loop does not touch.
 * False: the entry is in no loop worth it.
 */
static bool find_loop(struct graph *g, bool in_loop[HOT_MAX_BLOCKS])
{
    bool changed = true, loops = false;

    memset(in_loop, 0, HOT_MAX_BLOCKS * sizeof *in_loop);
    while (changed) {
        changed = false;
        for (unsigned i = 0; i < g->plan.n; i++) {
            for (unsigned s = 0; s < 2; s++) {
                unsigned to = g->succ[i][s];
                if (to == NONE || (to != 0 && !in_loop[to]))
                    continue;
                loops |= i == 0;
                changed |= !in_loop[i];
                in_loop[i] = true;
            }
        }
    }
    return loops && !leaves_often(g, in_loop);
}

/** Whether the call of `frame`, and those that it is made in, come back within what is kept. */
static bool frame_returns(const struct graph *g, unsigned frame, const bool *kept)
{
    for (; frame != 0; frame = g->plan.frames[frame].caller) {
        bool returns = false;
        for (unsigned i = 0; i < g->plan.n; i++) {
            unsigned to = g->succ[i][0];
            returns |= kept[i] && g->plan.frame[i] == frame && g->node[i]->region.end == IR_EXIT_RET && to != NONE && kept[to];
        }
        if (!returns)
            return false;
    }
    return true;
}

/** Without calls that do not come back, and what cannot be reached without these. */
static void drop_calls(const struct graph *g, bool *kept)
{
    for (bool changed = true; changed;) {
        bool reached[HOT_MAX_BLOCKS] = {true}, more = true;
        changed = false;
        for (unsigned i = 1; i < g->plan.n; i++) {
            if (kept[i] && !frame_returns(g, g->plan.frame[i], kept)) {
                kept[i] = false;
                changed = true;
            }
        }
        while (more) {
            more = false;
            for (unsigned i = 0; i < g->plan.n; i++) {
                for (unsigned s = 0; s < 2 && reached[i]; s++) {
                    unsigned to = g->succ[i][s];
                    if (to != NONE && kept[to] && !reached[to])
                        more = reached[to] = true;
                }
            }
        }
        for (unsigned i = 1; i < g->plan.n; i++) {
            changed |= kept[i] && !reached[i];
            kept[i] &= reached[i];
        }
    }
}

/** Straight code: the first blocks. */
static void keep_first(const struct graph *g, bool *kept)
{
    for (unsigned i = 0; i < g->plan.n; i++)
        kept[i] = i < HOT_MAX_STRAIGHT;
    drop_calls(g, kept);
}

static void keep(struct graph *g, const bool *kept)
{
    struct hot_plan *plan = &g->plan;
    unsigned n = 0;

    plan->insns = 0;
    for (unsigned i = 0; i < plan->n; i++) {
        const struct region *region = &g->node[i]->region;
        if (!kept[i])
            continue;
        plan->pcs[n] = plan->pcs[i];
        plan->frame[n] = plan->frame[i];
        plan->expected[n] = BUILDER_NO_TARGET;
        if ((region->end == IR_EXIT_IND || region->end == IR_EXIT_INDCALL) && g->succ[i][0] != NONE && kept[g->succ[i][0]])
            plan->expected[n] = region->last_target;
        plan->insns += g->node[i]->first_block_insns;
        n++;
    }
    plan->n = n;
}

void region_take_profile(struct region *hot, const struct region *cold)
{
    hot->successors[0] = cold->successors[0];
    hot->successors[1] = cold->successors[1];
    hot->return_pc = cold->return_pc;
    hot->end = cold->end;
    hot->last_target = cold->last_target;
    hot->target_changes = cold->target_changes;
}

/** True once for each block. */
static bool wait_longer(const struct engine *engine, struct translation *t)
{
    int64_t hot = engine->options.hot;

    if (t->hot_after != hot || hot <= HOT_AT_ONCE || hot * STRAIGHT_LATER > INT32_MAX)
        return false;
    t->hot_after = (int32_t)(hot * STRAIGHT_LATER);
    *t->region.countdown = (int32_t)(hot * (STRAIGHT_LATER - 1));
    return true;
}

struct region *region_heat(struct engine *engine, struct cpu_thread *self, struct region *cold, uint32_t key)
{
    uint64_t pc = self->cpu->pc;
    struct region *known = table_find(engine, pc, key);

    /* A region that was replaced, or is dead, may still be running somewhere; it need not count any more. */
    if (self->generation == engine->generation && cold != known)
        *cold->countdown = INT32_MAX;
    if (!known)
        return translate_cold(engine, self, pc, key);
    if (known->hot || compile_is_under_way(engine, known))
        return known;

    struct graph g;
    struct keep_job job;
    bool kept[HOT_MAX_BLOCKS];
    g.engine = engine;
    g.key = key;
    g.plan.n = g.plan.insns = 0;
    g.plan.nframes = 1;
    g.plan.frames[0] = (struct builder_frame){0, 1};
    add_node(&g, translation_of(known), 0);
    grow(&g);
    if (find_loop(&g, kept)) {
        drop_calls(&g, kept);
    } else if (wait_longer(engine, translation_of(known))) {
        return known;
    } else {
        keep_first(&g, kept);
    }
    keep(&g, kept);
    if (compile_later(engine, self, known, &g.plan))
        return known;
    const struct region profile = *known; /* making room may evict it */
    uint32_t first_block_insns = translation_of(known)->first_block_insns;

    struct translation *hot = translate_hot(engine, self, &g.plan, key, &job);
    if (!hot && g.plan.n > 1) {
        g.plan.n = 1;
        hot = translate_hot(engine, self, &g.plan, key, &job);
    }
    known = table_find(engine, pc, key);
    if (!hot) {
        if (!known)
            return translate_cold(engine, self, pc, key);
        *known->countdown = INT32_MAX;
        return known;
    }
    hot->first_block_insns = first_block_insns;
    region_take_profile(&hot->region, &profile);
    keep_add(engine, engine, &job, hot, &g.plan);
    if (known)
        table_replace(engine, translation_of(known), hot);
    else
        table_insert(engine, hot);
    return &hot->region;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Forming hot regions. Cold code runs one guest basic block a region, and counts. When a block's count runs out, the blocks
 * around it are known: a cold region exists for each block that was ever executed, with the addresses its direct branch leads
 * to, and its own count tells how often it was entered. From the hot block on, the region takes in what was executed often
 * enough to matter; what was not stays outside, behind an exit.
 *
 * Calls, returns and indirect branches end a path: their successors are not in region.successors.
 */
#include <stdlib.h>

#include "translator/engine_private.h"

/** A block executed less than 1/RARE times as often as the entry is left out. */
#define RARE 64
/** A loop is left often when the blocks behind its exits were executed more than 1/LEAVES_OFTEN times as often as its entry. */
#define LEAVES_OFTEN 5
/** Blocks of a region whose entry is in no loop. */
#define HOT_MAX_STRAIGHT 4

struct plan {
    uint64_t pcs[HOT_MAX_BLOCKS];
    unsigned n;
    uint32_t insns;
};

static bool in_plan(const struct plan *plan, uint64_t pc)
{
    for (unsigned i = 0; i < plan->n; i++) {
        if (plan->pcs[i] == pc)
            return true;
    }
    return false;
}

static bool often_executed(const struct translation *t)
{
    /* The count of a block that became hot itself stands still: it is taken as often executed. */
    return t->region.hot || (int64_t)(t->hot_after - t->region.countdown) * RARE >= t->hot_after;
}

static void plan_add(struct plan *plan, const struct translation *t)
{
    plan->pcs[plan->n++] = t->region.guest_pc;
    plan->insns += t->first_block_insns;
}

/** Takes in blocks breadth first. */
static void plan_grow(const struct engine *engine, struct plan *plan, uint32_t key)
{
    for (unsigned i = 0; i < plan->n; i++) {
        const struct region *from = table_find(engine, plan->pcs[i], key);
        for (unsigned s = 0; from && s < 2; s++) {
            uint64_t pc = from->successors[s];
            if (pc == 1 || in_plan(plan, pc) || plan->n == HOT_MAX_BLOCKS)
                continue;
            const struct region *to = table_find(engine, pc, key);
            if (!to || !often_executed(translation_of(to)) ||
                plan->insns + translation_of(to)->first_block_insns > HOT_MAX_INSNS)
                continue;
            plan_add(plan, translation_of(to));
        }
    }
}

/** How often a block was executed, as far as it was counted. */
static int64_t executions(const struct translation *t)
{
    return t->region.hot ? t->hot_after : (int64_t)t->hot_after - t->region.countdown;
}

/** A loop of which every few iterations one leaves, for a call perhaps, would load and store all its state each time. */
static bool leaves_often(const struct engine *engine, const struct plan *plan, const bool *in_loop, uint32_t key)
{
    const struct region *entry = table_find(engine, plan->pcs[0], key);
    int64_t left = 0;

    for (unsigned i = 0; i < plan->n; i++) {
        const struct region *from = i == 0 || in_loop[i] ? table_find(engine, plan->pcs[i], key) : NULL;
        for (unsigned s = 0; from && s < 2; s++) {
            const struct region *to = table_find(engine, from->successors[s], key);
            bool inside = false;
            for (unsigned k = 0; k < plan->n; k++)
                inside |= plan->pcs[k] == from->successors[s] && (k == 0 || in_loop[k]);
            if (to && !inside)
                left += executions(translation_of(to));
        }
    }
    return entry && left * LEAVES_OFTEN > executions(translation_of(entry));
}

/**
 * Leaves in the plan what lies on a way back to the entry. A region pays by keeping guest registers in host registers
 * around a loop; what leads out of the loop would only load the region with state that the loop does not touch.
 * False: the entry is in no loop worth it, nothing was changed.
 */
static bool plan_keep_loop(const struct engine *engine, struct plan *plan, uint32_t key)
{
    bool returns[HOT_MAX_BLOCKS] = {false}, changed = true, loops = false;

    while (changed) {
        changed = false;
        for (unsigned i = 0; i < plan->n; i++) {
            const struct region *from = table_find(engine, plan->pcs[i], key);
            for (unsigned s = 0; from && s < 2; s++) {
                for (unsigned k = 0; k < plan->n; k++) {
                    if (plan->pcs[k] != from->successors[s] || (k != 0 && !returns[k]))
                        continue;
                    loops |= i == 0;
                    changed |= !returns[i];
                    returns[i] = true;
                }
            }
        }
    }
    if (!loops)
        return false;
    if (leaves_often(engine, plan, returns, key))
        return false;
    unsigned n = 1;
    plan->insns = 0;
    for (unsigned i = 0; i < plan->n; i++) {
        const struct region *region = table_find(engine, plan->pcs[i], key);
        if (i != 0 && !returns[i])
            continue;
        if (i != 0)
            plan->pcs[n++] = plan->pcs[i];
        plan->insns += region ? translation_of(region)->first_block_insns : 0;
    }
    plan->n = n;
    return true;
}

/** The entry first, then upwards from it, then what lies below: for compiled code that is close to reverse postorder, which
    is the order that the builder handles best. */
static void plan_sort(struct plan *plan)
{
    uint64_t entry = plan->pcs[0];

    for (unsigned i = 1; i < plan->n; i++) {
        uint64_t pc = plan->pcs[i];
        unsigned k = i;
        for (; plan->pcs[k - 1] - entry > pc - entry; k--)
            plan->pcs[k] = plan->pcs[k - 1];
        plan->pcs[k] = pc;
    }
}

struct region *region_heat(struct engine *engine, struct cpu_thread *self, struct region *cold, uint32_t key)
{
    uint64_t pc = self->cpu->pc;
    struct region *known = table_find(engine, pc, key);

    /* A region that was replaced, or is dead, may still be running somewhere; it need not count any more. */
    if (self->generation == engine->generation && cold != known)
        cold->countdown = INT32_MAX;
    if (!known)
        return translate_cold(engine, self, pc, key);
    if (known->hot)
        return known;

    struct plan plan = {.n = 0};
    plan_add(&plan, translation_of(known));
    plan_grow(engine, &plan, key);
    if (!plan_keep_loop(engine, &plan, key) && plan.n > HOT_MAX_STRAIGHT)
        plan.n = HOT_MAX_STRAIGHT;
    plan_sort(&plan);
    uint64_t successors[2] = {known->successors[0], known->successors[1]};
    uint32_t first_block_insns = translation_of(known)->first_block_insns;

    struct translation *hot = translate_hot(engine, self, plan.pcs, plan.n, key);
    if (!hot && plan.n > 1)
        hot = translate_hot(engine, self, plan.pcs, 1, key);
    known = table_find(engine, pc, key); /* making room may have evicted it */
    if (!hot) {
        if (!known)
            return translate_cold(engine, self, pc, key);
        known->countdown = INT32_MAX;
        return known;
    }
    hot->first_block_insns = first_block_insns;
    hot->region.successors[0] = successors[0];
    hot->region.successors[1] = successors[1];
    if (known)
        table_replace(engine, translation_of(known), hot);
    else
        table_insert(engine, hot);
    return &hot->region;
}

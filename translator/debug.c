/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a debugger needs of the engine: breakpoints, watchpoints, one instruction at a time.
 *
 * A breakpoint is a translation that begins with a trap, so it costs nothing elsewhere. Watchpoints are tests in front of
 * each access, in translations of their own (KEY_WATCH). A step runs a translation of one instruction (KEY_STEP) in which
 * breakpoints are not seen; it cannot run on by itself, because its exits are never chained, and because the change of
 * the key has emptied the jump cache and the return predictor, so that each lookup misses.
 */
#include <stdlib.h>
#include <string.h>

#include "translator/engine_private.h"

static int by_address(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

bool breakpoint_at(const struct engine *engine, uint64_t pc)
{
    return engine->nbreakpoints &&
           bsearch(&pc, engine->breakpoints, engine->nbreakpoints, sizeof pc, by_address) != NULL;
}

bool engine_set_breakpoints(struct engine *engine, const uint64_t *pcs, size_t n)
{
    uint64_t *list = n ? malloc(n * sizeof *list) : NULL;
    if (n && !list)
        return false;
    if (n) {
        memcpy(list, pcs, n * sizeof *list);
        qsort(list, n, sizeof *list, by_address);
    }
    engine_lock(engine, NULL);
    uint64_t *old = engine->breakpoints;
    size_t nold = engine->nbreakpoints;
    engine->breakpoints = list;
    engine->nbreakpoints = n;
    /* What is in one of the two lists only has changed. */
    for (size_t i = 0, k = 0; i < n || k < nold;) {
        if (i < n && k < nold && list[i] == old[k]) {
            i++;
            k++;
            continue;
        }
        uint64_t pc = k == nold || (i < n && list[i] < old[k]) ? list[i++] : old[k++];
        invalidate_range(engine, pc, pc + 1);
    }
    engine_unlock(engine);
    free(old);
    return true;
}

bool engine_set_watchpoints(struct engine *engine, const struct builder_watch *watches, size_t n)
{
    if (n > ENGINE_WATCHPOINTS)
        return false;
    engine_lock(engine, NULL);
    /* A debugger takes its watchpoints away at each stop, and puts the same ones back: their translations are kept. */
    if (n && (n != engine->nwatches || memcmp(watches, engine->watches, n * sizeof *watches) != 0)) {
        if (engine->nwatches)
            invalidate_range(engine, 0, UINT64_MAX);
        memcpy(engine->watches, watches, n * sizeof *watches);
        engine->nwatches = n;
    }
    __atomic_store_n(&engine->debug_key, n ? KEY_WATCH : 0, __ATOMIC_SEQ_CST);
    engine_unlock(engine);
    return true;
}

/** False: the region may not be reached by the branch that led here. Nothing is remembered, unlike in engine_run(). */
static bool arrived_well(struct engine *engine, struct cpu *cpu, const struct region *region)
{
    if (!cpu->branch_kind || region->entry_kinds >> cpu->branch_kind & 1) {
        cpu->branch_kind = 0;
        return true;
    }
    engine_lock(engine, cpu->thread);
    invalidate_range(engine, cpu->pc, cpu->pc + 1);
    engine_unlock(engine);
    return false;
}

static enum cpu_trap step(struct engine *engine, struct cpu *cpu)
{
    struct cpu_thread *thread = cpu->thread;
    const uint64_t pc = cpu->pc;

    for (;;) {
        follow_key(engine, thread, KEY_STEP);
        if (__atomic_load_n(&cpu->interrupt, __ATOMIC_RELAXED) && take_interrupt(cpu))
            return TRAP_INTERRUPT;
        struct region *region = find_or_translate(engine, thread, pc);
        if (!arrived_well(engine, cpu, region))
            return TRAP_BRANCH_TARGET;
        if (engine->options.log & (LOG_EXEC | LOG_CPU))
            log_enter(engine, cpu, region);
        thread->generation = engine->generation;
        engine->backend->enter(engine->backend_state, cpu, region);

        switch ((enum cpu_exit)cpu->exit_reason) {
        case CPU_EXIT_LOOKUP:
        case CPU_EXIT_LINK:
            return TRAP_NONE;
        case CPU_EXIT_HOT:
        case CPU_EXIT_INTERRUPT: /* before the instruction */
            break;
        case CPU_EXIT_TRAP: {
            bool again = cpu->trap == TRAP_EXECUTE || (cpu->trap == TRAP_RESYNC && cpu->pc == pc);
            enum cpu_trap trap = take_trap(engine, cpu);
            if (trap != TRAP_NONE || !again || cpu->pc != pc)
                return trap;
            break;
        }
        case CPU_EXIT_FAULT:
            return TRAP_FAULT;
        }
    }
}

enum cpu_trap engine_step(struct cpu *cpu)
{
    uint32_t none = CPU_WINDOW_ALONE, *window = cpu->thread->window ? cpu->thread->window : &none, before = *window;

    thread_begin_running(cpu->thread);
    /* A window would close between steps, and a store-exclusive would fail each time: they are left out. */
    *window = CPU_WINDOW_ALONE;
    enum cpu_trap trap = step(cpu->engine, cpu);
    *window = before;
    thread_end_running(cpu->thread);
    return trap;
}

void engine_walk(struct engine *engine, const struct engine_observer *observer)
{
    engine_lock(engine, NULL);
    for (unsigned i = 0; i < CODE_CACHE_CHUNKS; i++) {
        for (const struct region *region = engine->cache->chunks[i].list; region; region = region->chunk_next) {
            if (!region->dead && region->code)
                observer->translated(observer->opaque, region);
        }
    }
    engine_unlock(engine);
}

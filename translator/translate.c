/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From guest code to a region in the code cache: build, check, clean up, compile, and note what it was made from. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "translator/engine_private.h"
#include "translator/keep.h"

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void check_ir(const struct engine *engine, const char *stage)
{
    const struct ir_names names = {engine->isa->slots, engine->isa->nslots, engine->isa->helpers};
    char error[256];

    if (!engine->options.verify || !ir_verify(&engine->ir, &names, error))
        return;
    fprintf(stderr, "dragoman: defect in the translator: bad IR, %s, of the code at %#llx: %s\n", stage,
            (unsigned long long)engine->ir.guest_pc, error);
    ir_print(stderr, &engine->ir, &names);
    exit(1);
}

static void build_block(struct engine *engine, unsigned index, uint64_t pc, uint32_t max_insns, struct source *source)
{
    struct builder *b = engine->builder;
    uint32_t insns = 0;

    builder_begin_block(b, index);
    do {
        if (breakpoint_at(engine, b->pc) && !(b->key & KEY_STEP)) {
            if (insns == 0) {
                b->entry_kinds = 1; /* others are to ask, so that it stays known which of them came: see arrive() */
                builder_trap(b, TRAP_DEBUG, b->pc, 0);
            } else {
                builder_fall_through(b);
            }
            break;
        }
        builder_insn(b);
        engine->isa->translate(b);
        insns++;
        if (!builder_ended(b) && insns >= max_insns)
            builder_fall_through(b);
    } while (!builder_ended(b));
    source->blocks[index] = (struct guest_range){pc, insns ? b->pc : b->pc + 1};
    if (source->blocks[index].end < b->peeked)
        source->blocks[index].end = b->peeked;
    source->insns += insns;
    if (index == 0)
        source->first_block_insns = insns;
}

/** A region that found no executable memory depends on the byte it did not find: it must go when something is mapped there. */
static void extend_to_missing_code(const struct ir *ir, struct source *source)
{
    for (uint32_t i = 0; i < ir->nblocks; i++) {
        const struct ir_insn *last = &ir->insns[ir->blocks[i].end - 1];
        if (ir->blocks[i].end == ir->blocks[i].first || last->op != IR_EXIT_TRAP || last->mode != TRAP_FETCH)
            continue;
        for (unsigned k = 0; k < source->nblocks; k++) {
            if (source->blocks[k].end == last->imm)
                source->blocks[k].end = last->imm + 1;
        }
    }
}

static void build(struct engine *engine, struct cpu_thread *self, const struct hot_plan *plan, uint32_t key,
                  uint32_t max_insns, bool hot, struct source *source)
{
    struct builder *b = engine->builder;

    source->nblocks = plan->n;
    source->insns = 0;
    b->fetch = engine->memory.fetch;
    b->fetch_opaque = engine->memory.opaque;
    b->attributes = engine->memory.attributes;
    b->hot = hot;
    b->single = !engine->options.builder.exclusive || (key & KEY_STEP) || engine->nbreakpoints;
    b->watches = engine->watches;
    b->nwatches = key & KEY_WATCH ? (unsigned)engine->nwatches : 0;
    b->frames = plan->frames;
    b->nframes = plan->nframes;
    b->block_frames = hot ? plan->frame : NULL;
    b->expected = hot ? plan->expected : NULL;
    builder_begin(b, &engine->ir, self->cpu, key, plan->pcs, plan->n);
    for (unsigned i = 0; i < plan->n; i++)
        build_block(engine, i, plan->pcs[i], max_insns, source);
    builder_finish(b);
    extend_to_missing_code(&engine->ir, source);
}

/** The passes, and the checks between them. */
static void pass_done(void *opaque, const struct ir_pass *pass)
{
    struct engine *engine = opaque;
    char stage[64];

    if (!engine->options.verify && !(engine->options.log & LOG_IR))
        return;
    snprintf(stage, sizeof stage, "after %s", pass->name);
    log_ir(engine, stage);
    check_ir(engine, stage);
}

static void improve(struct engine *engine, bool hot)
{
    log_ir(engine, "built");
    check_ir(engine, "built");
    passes_run(&engine->ir, &engine->options.passes, hot, pass_done, engine);
}

/* ---- what a translation was made from ---------------------------------------------------------------------------------- */

static int by_start(const void *a, const void *b)
{
    const struct guest_range *x = a, *y = b;
    return (x->start > y->start) - (x->start < y->start);
}

static unsigned pages_of(const struct guest_range *range)
{
    return (unsigned)(((range->end - 1) >> GUEST_PAGE_BITS) - (range->start >> GUEST_PAGE_BITS) + 1);
}

/** The pages of t->ranges, each once. */
static void note_pages(struct translation *t)
{
    uint64_t next = 0; /* ranges ascend, so a page that was noted is below this */

    for (unsigned i = 0; i < t->nranges; i++) {
        uint64_t page = t->ranges[i].start >> GUEST_PAGE_BITS, last = (t->ranges[i].end - 1) >> GUEST_PAGE_BITS;
        for (page = page > next ? page : next; page <= last; page++) {
            t->refs[t->nrefs++].page = page;
            next = page + 1;
        }
    }
}

struct translation *translation_new(struct engine *engine, struct guest_range *ranges, unsigned n)
{
    unsigned npages = 0;

    if (n > 1)
        qsort(ranges, n, sizeof *ranges, by_start);
    for (unsigned i = 0; i < n; i++)
        npages += pages_of(&ranges[i]);
    struct translation *t = code_cache_memory(engine->cache, sizeof *t + n * sizeof *t->ranges + npages * sizeof *t->refs);
    memset(t, 0, sizeof *t);
    t->ranges = (struct guest_range *)(t + 1);
    t->refs = (struct page_ref *)(t->ranges + n);
    t->nranges = n;
    memcpy(t->ranges, ranges, n * sizeof *t->ranges);
    note_pages(t);
    return t;
}

/** Where a cold block leads. */
static void note_successors(struct region *region, const struct ir *ir)
{
    unsigned n = 0;
    const struct ir_insn *end = &ir->insns[ir->blocks[0].end - 1];

    region->successors[0] = region->successors[1] = region->last_target = 1;
    region->end = end->op;
    region->return_pc = end->op == IR_EXIT_CALL || end->op == IR_EXIT_INDCALL ? end->imm2 : 1;
    if (end->op == IR_EXIT_CALL)
        region->successors[0] = end->imm;
    for (uint32_t i = 0; i < ir->nblocks && n < 2; i++) {
        if (ir->blocks[i].end == ir->blocks[i].first)
            continue;
        const struct ir_insn *last = &ir->insns[ir->blocks[i].end - 1];
        if (last->op == IR_EXIT)
            region->successors[n++] = last->imm;
    }
}

/* ---- compiling ------------------------------------------------------------------------------------------------------------ */

/** What a region takes of the cache when its backend has no host code but keeps the IR. */
static uint32_t ir_size(const struct ir *ir) { return ir->ninsns * (uint32_t)sizeof(struct ir_insn); }

/** No region needs more bytes an instruction than this, or more bytes besides: a bound that costs nothing. */
#define PLENTY(ninsns) ((ninsns) * 512u + 16384u)

/** Makes the room in the code cache that engine->ir may need, if an empty chunk has so much. */
static void make_room(struct engine *engine, struct cpu_thread *self)
{
    struct code_cache *cache = engine->cache;
    uint8_t *rw;
    const uint8_t *rx;
    uint32_t space = code_cache_space(cache, &rw, &rx);

    if (space >= PLENTY(engine->ir.ninsns))
        return;
    uint32_t largest = code_cache_largest(cache), need = engine->backend->bound(&engine->ir);
    if (need == 0)
        need = ir_size(&engine->ir);
    if (space < (need < largest ? need : largest))
        evict_next_chunk(engine, self);
}

bool translation_make_room(struct engine *engine, struct cpu_thread *self, uint32_t size)
{
    uint8_t *rw;
    const uint8_t *rx;

    if (code_cache_space(engine->cache, &rw, &rx) >= size)
        return true;
    if (code_cache_largest(engine->cache) < size)
        return false;
    evict_next_chunk(engine, self);
    return true;
}

/** False: it does not fit into what make_room() found. */
static bool compile(struct engine *engine, struct translation *t, bool profile)
{
    uint8_t *rw;
    const uint8_t *rx;

    if (t->region.hot)
        code_cache_align(engine->cache, CODE_CACHE_HOT_ALIGN);
    uint32_t space = code_cache_space(engine->cache, &rw, &rx), skip = keep_check_skip(engine, rx);
    if (skip) {
        code_cache_skip(engine->cache, skip);
        space = code_cache_space(engine->cache, &rw, &rx);
    }
    if (!engine->backend->compile(engine->backend_state, &engine->ir, &t->region, rw, rx, space, profile))
        return false;
    uint32_t size = t->region.code ? t->region.code_size : ir_size(&engine->ir);
    code_cache_commit(engine->cache, &t->region, size < space ? size : space);
    return true;
}

/** What is known of the region before it is compiled. */
static void describe(const struct engine *engine, struct translation *t, const struct hot_plan *plan, uint32_t key,
                     const struct source *source, bool hot)
{
    t->region.guest_pc = plan->pcs[0];
    t->region.key = key;
    t->region.trap_invalid = key & KEY_TRAPS;
    t->region.guest_insns = source->insns;
    t->region.nblocks = plan->n;
    t->region.entry_kinds = engine->builder->entry_kinds;
    t->region.hot = hot;
    t->hot_after = (int32_t)engine->options.hot;
    t->first_block_insns = source->first_block_insns;
}

static void start_countdown(struct engine *engine, struct translation *t)
{
    t->region.countdown = code_cache_counter(engine->cache);
    *t->region.countdown = t->hot_after;
}

/** The translation has its code. */
static void publish(struct engine *engine, struct translation *t)
{
    engine->stats.translations++;
    engine->stats.guest_insns += t->region.guest_insns;
    engine->stats.host_bytes += t->region.code_size;
    log_host_code(engine, &t->region);
    if (engine->options.observer && t->region.code)
        engine->options.observer->translated(engine->options.observer->opaque, &t->region);
}

/** `job`: what is to be kept of it, see keep_add(). */
static struct translation *make(struct engine *engine, struct cpu_thread *self, const struct hot_plan *plan, uint32_t key,
                                uint32_t max_insns, bool hot, struct keep_job *job)
{
    bool timed = engine->options.log & LOG_STATS;
    uint64_t begun = timed ? now_ns() : 0;
    struct source source;

    keep_begin(engine, plan->pcs[0], key, job);
    keep_feed(job, engine->builder);
    build(engine, self, plan, key, max_insns, hot, &source);
    make_room(engine, self); /* which may take the place of what is there, so the translation comes after it */
    struct translation *t = translation_new(engine, source.blocks, source.nblocks);
    describe(engine, t, plan, key, &source, hot);
    start_countdown(engine, t);
    keep_mark(job, &t->region);
    log_guest_code(engine, t);
    improve(engine, hot);
    if (!compile(engine, t, !hot && engine->options.regions && !(key & KEY_STEP))) {
        translation_free(t);
        return NULL;
    }
    note_successors(&t->region, &engine->ir);
    if (timed)
        engine->stats.translate_ns += now_ns() - begun;
    publish(engine, t);
    return t;
}

/** Compares a translation that was kept with a new one, which goes to waste. */
static void check_kept(struct engine *engine, struct cpu_thread *self, uint32_t key)
{
    struct hot_plan plan;
    struct keep_job job;
    bool hot;

    if (!keep_check_plan(engine, &plan, &hot))
        return;
    struct translation *fresh = make(engine, self, &plan, key, engine->options.max_insns, hot, &job);
    if (fresh)
        fresh->nrefs = 0; /* it is in no list of pages */
    keep_check_end(engine, &job, fresh, &plan);
}

struct region *translate_cold(struct engine *engine, struct cpu_thread *self, uint64_t pc, uint32_t key)
{
    bool timed = engine->keep && engine->options.log & LOG_STATS;
    uint64_t begun = timed ? now_ns() : 0;
    struct translation *t = keep_load(engine, self, pc, key);

    if (t) {
        table_insert(engine, t);
        if (timed)
            engine->stats.translate_ns += now_ns() - begun;
        if (keep_checks(engine))
            check_kept(engine, self, key);
        return &t->region;
    }
    struct keep_job job;
    struct hot_plan plan; /* its first block: the rest is of no use */

    plan.n = 1;
    plan.pcs[0] = pc;
    plan.nframes = 0;
    for (uint32_t max = key & KEY_STEP ? 1 : engine->options.max_insns; max > 0 && !t; max /= 2)
        t = make(engine, self, &plan, key, max, false, &job);
    if (!t) {
        fprintf(stderr, "dragoman: defect in the %s backend: one instruction at %#llx does not fit into %u bytes\n",
                engine->backend->name, (unsigned long long)pc, code_cache_largest(engine->cache));
        exit(1);
    }
    keep_add(engine, engine, &job, t, &plan);
    table_insert(engine, t);
    return &t->region;
}

struct translation *translate_hot(struct engine *engine, struct cpu_thread *self, const struct hot_plan *plan, uint32_t key,
                                  struct keep_job *job)
{
    struct translation *t = make(engine, self, plan, key, engine->options.max_insns, true, job);
    if (t)
        engine->stats.hot_regions++;
    return t;
}

/* ---- for the compile thread ----------------------------------------------------------------------------------------------- */

void translate_apart(struct engine *maker, struct cpu_thread *self, const struct hot_plan *plan, uint32_t key, struct source *source,
                     struct translation *t, const struct keep_job *job)
{
    keep_feed(job, maker->builder);
    build(maker, self, plan, key, maker->options.max_insns, true, source);
    *t = (struct translation){.region = {.noted = true}};
    describe(maker, t, plan, key, source, true);
    keep_mark(job, &t->region);
    improve(maker, true);
}

static void *copy_of(struct engine *engine, const void *from, size_t size)
{
    return size ? memcpy(code_cache_memory(engine->cache, size), from, size) : NULL;
}

struct translation *translate_adopt(struct engine *engine, struct engine *maker, struct source *source,
                                    const struct translation *made, const uint8_t *code)
{
    struct translation *t = translation_new(engine, source->blocks, source->nblocks);
    struct region *region = &t->region;
    uint8_t *rw;
    const uint8_t *rx;

    t->region = made->region;
    t->hot_after = made->hot_after;
    start_countdown(engine, t);
    struct code_exit *exits = copy_of(engine, region->exits, region->nexits * sizeof *region->exits);
    region->statemap = copy_of(engine, region->statemap, region->statemap_size);
    region->traps = copy_of(engine, region->traps, region->ntraps * sizeof *region->traps);
    for (uint32_t i = 0; i < region->nexits; i++)
        exits[i].region = region;
    code_cache_space(engine->cache, &rw, &rx);
    engine->backend->move(maker->backend_state, region, rw, rx, code, exits);
    code_cache_commit(engine->cache, region, region->code_size);
    publish(engine, t);
    return t;
}

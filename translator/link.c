/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What leads to a region, and how all of that is taken away again: the table, the jump caches, the exits chained to it, the
 * pages it was made from.
 *
 * The table is read without a lock while one holder of the lock changes it. A removed region keeps its hash_next, so a
 * reader that stands on it goes on to the rest of the chain; it is freed only when no CPU is running.
 */
#include <stdlib.h>
#include <string.h>

#include "translator/compile_thread.h"

/** Neighbours in guest memory are neighbours in the table, and four instructions, about a block, share a bucket: the code at
    work touches few of its pages, which have to be given by the kernel, and copied for a forked child. */
static struct region **bucket_of(const struct engine *engine, uint64_t pc, uint32_t key)
{
    uint64_t area = (pc >> 20 ^ (uint64_t)key << 44) * 0x9e3779b97f4a7c15u >> 32;
    return &engine->table[(pc >> 4 ^ area) & engine->table_mask];
}

struct region *table_find(const struct engine *engine, uint64_t pc, uint32_t key)
{
    struct region *region = __atomic_load_n(bucket_of(engine, pc, key), __ATOMIC_ACQUIRE);

    while (region &&
           !(region->guest_pc == pc && region->key == key && !__atomic_load_n(&region->dead, __ATOMIC_RELAXED)))
        region = __atomic_load_n(&region->hash_next, __ATOMIC_ACQUIRE);
    return region;
}

static void bucket_add(struct engine *engine, struct region *region)
{
    struct region **bucket = bucket_of(engine, region->guest_pc, region->key);

    region->hash_next = *bucket;
    __atomic_store_n(bucket, region, __ATOMIC_RELEASE);
}

static void bucket_remove(struct engine *engine, struct region *region)
{
    struct region **link = bucket_of(engine, region->guest_pc, region->key);

    while (*link && *link != region)
        link = &(*link)->hash_next;
    if (*link)
        __atomic_store_n(link, region->hash_next, __ATOMIC_RELEASE);
}

/* ---- pages ---------------------------------------------------------------------------------------------------------------- */

static struct page_ref **page_bucket(struct engine *engine, uint64_t page)
{
    return &engine->pages[page * 0x9e3779b97f4a7c15u >> 40 & (PAGE_BUCKETS - 1)];
}

static void pages_add(struct engine *engine, struct translation *t)
{
    for (uint32_t i = 0; i < t->nrefs; i++) {
        struct page_ref *ref = &t->refs[i], **bucket = page_bucket(engine, ref->page);
        ref->translation = t;
        ref->next = *bucket;
        ref->previous = bucket;
        if (*bucket)
            (*bucket)->previous = &ref->next;
        *bucket = ref;
    }
    engine->page_refs += t->nrefs;
}

static void pages_remove(struct engine *engine, struct translation *t)
{
    for (uint32_t i = 0; i < t->nrefs; i++) {
        struct page_ref *ref = &t->refs[i];
        *ref->previous = ref->next;
        if (ref->next)
            ref->next->previous = ref->previous;
    }
    engine->page_refs -= t->nrefs;
    t->nrefs = 0;
}

/* ---- jump caches ------------------------------------------------------------------------------------------------------------ */

/** What marks an empty entry: an address whose entries, one for each kind, are others: so no probe for it ever looks here. */
static uint64_t empty_entry(unsigned index) { return index % JUMP_KIND_STEP == 0 ? 4 : 0; }
_Static_assert(JUMP_CACHE_HASH(4u) == 1 && JUMP_CACHE_HASH(0u) == 0 && JUMP_KIND_STEP > 1,
               "neither address's entries hold it as their mark");

static void jump_entry_empty(struct cpu *cpu, struct jump_entry *entry)
{
    __atomic_store_n(&entry->guest_pc, empty_entry((unsigned)(entry - cpu_front(cpu)->jump_cache)), __ATOMIC_RELAXED);
}

static struct jump_entry *second_entry(struct cpu *cpu, uint64_t key)
{
    return &cpu_front(cpu)->jump_second[JUMP_SECOND_INDEX(key)];
}

_Static_assert(JUMP_SECOND_INDEX(0u) == 0 && JUMP_SECOND_INDEX(1u) != 0, "neither key's entry holds it as its mark");

static void second_entry_empty(struct cpu *cpu, struct jump_entry *entry)
{
    __atomic_store_n(&entry->guest_pc, JUMP_SECOND_EMPTY(entry - cpu_front(cpu)->jump_second), __ATOMIC_RELAXED);
}

void jump_cache_clear(struct cpu *cpu)
{
    struct cpu_front *front = cpu_front(cpu);

    if (!cpu->thread->jumps) /* its pages, then, have not been touched */
        return;
    cpu->thread->jumps = false;
    for (unsigned i = 0; i < JUMP_CACHE_ENTRIES; i++)
        front->jump_cache[i] = (struct jump_entry){.guest_pc = empty_entry(i)};
    for (unsigned i = 0; i < 1u << JUMP_SECOND_BITS; i++)
        front->jump_second[i] = (struct jump_entry){.guest_pc = JUMP_SECOND_EMPTY(i)};
}

/* Of zeros, only the entries of address 0 would be found. */
void jump_cache_init(struct cpu *cpu)
{
    second_entry_empty(cpu, second_entry(cpu, 0));
    for (unsigned kind = 0; kind < JUMP_KINDS; kind++)
        cpu_front(cpu)->jump_cache[JUMP_CACHE_INDEX(0u, kind)].guest_pc = empty_entry(JUMP_CACHE_INDEX(0u, kind));
}

static void entry_fill(struct jump_entry *entry, uint64_t mark, const struct region *region)
{
    __atomic_store_n(&entry->host, region->code ? (const void *)region->code : region, __ATOMIC_RELAXED);
    __atomic_store_n(&entry->guest_pc, mark, __ATOMIC_RELAXED);
}

void jump_cache_fill(struct cpu *cpu, const struct region *region, unsigned kind)
{
    struct jump_entry *entry = &cpu_front(cpu)->jump_cache[JUMP_CACHE_INDEX(region->guest_pc, kind)];
    const uint64_t key = JUMP_SECOND_KEY(region->guest_pc, kind);
    struct jump_entry *second = region->guest_pc % 4 == 0 ? second_entry(cpu, key) : NULL;

    cpu->thread->jumps = true;
    jump_entry_empty(cpu, entry);
    entry_fill(entry, region->guest_pc, region);
    if (second) {
        second_entry_empty(cpu, second);
        entry_fill(second, key, region);
    }
    /* Whoever invalidates the region marks it dead and then looks here; this is the other half of that. */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (__atomic_load_n(&region->dead, __ATOMIC_RELAXED)) {
        jump_entry_empty(cpu, entry);
        if (second)
            second_entry_empty(cpu, second);
    }
}

/** Only ever empties: the owner of a jump cache may be writing the same entry for another address at this moment. */
static void jump_caches_forget(struct engine *engine, uint64_t pc)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    for (struct cpu_thread *thread = engine->threads; thread; thread = thread->next) {
        for (unsigned kind = 0; kind < JUMP_KINDS; kind++) {
            struct jump_entry *entry = &cpu_front(thread->cpu)->jump_cache[JUMP_CACHE_INDEX(pc, kind)];
            if (__atomic_load_n(&entry->guest_pc, __ATOMIC_RELAXED) == pc)
                jump_entry_empty(thread->cpu, entry);
            entry = second_entry(thread->cpu, JUMP_SECOND_KEY(pc, kind));
            if (__atomic_load_n(&entry->guest_pc, __ATOMIC_RELAXED) == JUMP_SECOND_KEY(pc, kind))
                second_entry_empty(thread->cpu, entry);
        }
    }
}

/* ---- chaining ----------------------------------------------------------------------------------------------------------------- */

static void exit_patch(struct engine *engine, struct code_exit *code_exit, struct region *target)
{
    engine->backend->patch(engine->backend_state, code_exit, target, engine->cache->rx_to_rw);
    code_exit->linked = target;
}

void exit_chain(struct engine *engine, struct code_exit *code_exit, struct region *target)
{
    exit_patch(engine, code_exit, target);
    code_exit->next_in = target->incoming;
    target->incoming = code_exit;
    engine->stats.links++;
}

static void unchain_incoming(struct engine *engine, struct region *region)
{
    for (struct code_exit *in = region->incoming, *next; in; in = next) {
        next = in->next_in;
        exit_patch(engine, in, NULL);
    }
    region->incoming = NULL;
}

void table_insert(struct engine *engine, struct translation *t)
{
    pages_add(engine, t);
    bucket_add(engine, &t->region);
}

void table_replace(struct engine *engine, struct translation *old, struct translation *t)
{
    table_insert(engine, t);
    bucket_remove(engine, &old->region);
    if (engine->chain) {
        for (struct code_exit *in = old->region.incoming, *next; in; in = next) {
            next = in->next_in;
            exit_chain(engine, in, &t->region);
        }
        old->region.incoming = NULL;
    }
    jump_caches_forget(engine, t->region.guest_pc);
}

/* ---- invalidation --------------------------------------------------------------------------------------------------------------- */

static void translation_kill(struct engine *engine, struct translation *t)
{
    struct region *region = &t->region;

    __atomic_store_n(&region->dead, true, __ATOMIC_RELEASE);
    bucket_remove(engine, region);
    unchain_incoming(engine, region);
    jump_caches_forget(engine, region->guest_pc);
    pages_remove(engine, t);
    engine->stats.invalidations++;
}

static bool overlaps(const struct translation *t, uint64_t start, uint64_t end)
{
    for (uint32_t i = 0; i < t->nranges; i++) {
        if (t->ranges[i].start < end && start < t->ranges[i].end)
            return true;
    }
    return false;
}

/** Kills what overlaps in one bucket: the references to `page`, or to any page if `any_page`. */
static void invalidate_bucket(struct engine *engine, struct page_ref **bucket, uint64_t page, bool any_page,
                              uint64_t start, uint64_t end)
{
    for (struct page_ref *ref = *bucket; ref;) {
        if ((any_page || ref->page == page) && overlaps(ref->translation, start, end)) {
            translation_kill(engine, ref->translation);
            ref = *bucket; /* the translation may have had more than one reference in this list */
        } else {
            ref = ref->next;
        }
    }
}

void invalidate_range(struct engine *engine, uint64_t start, uint64_t end)
{
    if (engine->options.observer && start < end)
        engine->options.observer->invalidated(engine->options.observer->opaque, start, end);
    compile_invalidate(engine, start, end);
    if (start >= end || engine->page_refs == 0)
        return;
    uint64_t first = start >> GUEST_PAGE_BITS, last = (end - 1) >> GUEST_PAGE_BITS;

    if (last - first < PAGE_BUCKETS) {
        for (uint64_t page = first; page <= last; page++)
            invalidate_bucket(engine, page_bucket(engine, page), page, false, start, end);
    } else {
        for (unsigned i = 0; i < PAGE_BUCKETS; i++)
            invalidate_bucket(engine, &engine->pages[i], 0, true, start, end);
    }
}

/* ---- eviction --------------------------------------------------------------------------------------------------------------------- */

/** Takes the exits of regions that are being evicted out of the list of exits that lead to `target`. */
static void drop_evicted_incoming(struct region *target)
{
    struct code_exit **link = &target->incoming;

    while (*link) {
        struct code_exit *in = *link;
        if (translation_of(in->region)->evicting) {
            *link = in->next_in;
            in->linked = NULL;
        } else {
            link = &in->next_in;
        }
    }
}

static void unlink_evicted(struct engine *engine, struct region *region)
{
    struct translation *t = translation_of(region);

    bucket_remove(engine, region);
    pages_remove(engine, t);
    for (struct code_exit *in = region->incoming, *next; in; in = next) {
        next = in->next_in;
        if (translation_of(in->region)->evicting)
            in->linked = NULL;
        else
            exit_patch(engine, in, NULL);
    }
    region->incoming = NULL;
    for (uint32_t i = 0; i < region->nexits; i++) {
        if (region->exits[i].linked)
            drop_evicted_incoming(region->exits[i].linked);
    }
}

/** What CPUs know of regions; in an exclusive section. */
static void forget_all(struct engine *engine)
{
    for (struct cpu_thread *thread = engine->threads; thread; thread = thread->next) {
        jump_cache_clear(thread->cpu);
        engine->backend->reset_returns(engine->backend_state, thread->cpu);
    }
    engine->generation++;
}

void evict_next_chunk(struct engine *engine, struct cpu_thread *self)
{
    struct region *list = code_cache_next(engine->cache)->list;

    if (!list) {
        code_cache_advance(engine->cache);
        return;
    }
    exclusive_begin(engine, self);
    for (struct region *region = list; region; region = region->chunk_next) {
        translation_of(region)->evicting = true;
        region->dead = true;
    }
    for (struct region *region = list; region; region = region->chunk_next)
        unlink_evicted(engine, region);
    for (struct region *region = list; region; region = region->chunk_next)
        translation_free(translation_of(region));
    code_cache_advance(engine->cache);
    forget_all(engine);
    engine->stats.evictions++;
    exclusive_end(engine);
}

void table_abandon(struct engine *engine)
{
    compile_forget(engine);
    memset(engine->table, 0, engine->table_bytes);
    memset(engine->pages, 0, sizeof engine->pages);
    engine->page_refs = 0;
    code_cache_reset(engine->cache);
    forget_all(engine);
}

/* All else lies in the memory of the cache's chunk. */
void translation_free(struct translation *t) { free(t->region.backend_data); }

void table_free(struct engine *engine)
{
    for (unsigned i = 0; i < CODE_CACHE_CHUNKS; i++) {
        for (struct region *region = engine->cache->chunks[i].list; region; region = region->chunk_next)
            translation_free(translation_of(region));
    }
}

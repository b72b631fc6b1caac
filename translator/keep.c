/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Records of translations: making, finding, using, comparing them. See keep.h. */
#include "translator/keep.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "translator/code_read.h"

#define FIXED_BELOW (UINT64_C(1) << 32)
#define CODE_LINE 64u /* the backend aligns within such lines */
#define WRITE_AFTER 2
#define WRITE_AFTER_MAX 64

/* What NEAR notes become in a record, where the other kinds are as in enum code_note_kind. */
enum { NOTE_STUB = 16, NOTE_REGION, NOTE_EXITS, NOTE_COUNTER };

struct keep_record {
    struct keep_record_head head;
    uint64_t guest_pc; /* for which alone it is good; movable: 0 */
    uint32_t attributes;
    uint8_t movable, entry_kinds, end, line; /* line: address of the code modulo CODE_LINE */
    uint32_t guest_insns, first_block_insns, nblocks;
    uint32_t code_size, nnotes, nexits, ntraps, statemap_size, nranges, guest_size, nplan, nframes;
    uint64_t successors[2], return_pc; /* NONE, or from the region's address on, as all addresses are */
};
#define NONE (UINT64_C(1) << 63)

struct kept_range {
    uint64_t start, size;
};
struct kept_exit {
    uint64_t target;
    uint32_t patch_offset, stub_offset;
};
struct kept_block {
    uint64_t pc, expected;
    uint64_t frame;
};
struct kept_frame {
    uint64_t caller, return_pc;
};

/* Where the parts of a record are, in this order. */
struct parts {
    struct kept_range *ranges;
    struct kept_exit *exits;
    struct code_trap *traps;
    struct code_note *notes;
    struct kept_block *plan;
    struct kept_frame *frames;
    uint8_t *guest, *code, *statemap;
    uint64_t size;
};

struct keep {
    struct engine_keep source;
    struct keep_record *record; /* being made */
    size_t capacity;
    struct keep_record *checked; /* a copy of what was loaded last, to be checked: NULL: nothing */
    uint64_t checked_pc;
    time_t write_at, write_after; /* in seconds: is_time_to_write() */
    struct builder_word words[KEEP_WORDS];
};

struct keep *keep_new(struct engine *engine)
{
    const unsigned listings = LOG_IN_ASM | LOG_IR | LOG_OUT_ASM;
    if (!engine->options.keep.find || !engine->backend->notes || (engine->options.log & listings))
        return NULL;
    struct keep *keep = calloc(1, sizeof *keep);
    if (keep) {
        keep->source = engine->options.keep;
        keep->write_after = WRITE_AFTER;
    }
    return keep;
}

void keep_free(struct keep *keep)
{
    if (!keep)
        return;
    free(keep->record);
    free(keep->checked);
    free(keep);
}

static bool may_keep(const struct engine *engine, uint32_t key)
{
    return engine->keep && !(key & (KEY_STEP | KEY_WATCH)) && !engine->nbreakpoints && !engine->nwatches;
}

static uint32_t attributes_at(const struct engine *engine, uint64_t pc)
{
    return engine->memory.attributes ? engine->memory.attributes(engine->memory.opaque, pc) : 0;
}

static bool is_movable(const struct keep_extent *extent) { return extent->start >= FIXED_BELOW; }

static uint64_t place_of(const struct keep_extent *extent, uint64_t pc) { return pc - extent->start + extent->offset; }

static uint64_t padded(uint64_t size) { return (size + 7) & ~UINT64_C(7); }

static struct parts parts_of(const struct keep_record *r)
{
    struct parts parts;
    uint8_t *base = (uint8_t *)(uintptr_t)r;
    uint64_t at = sizeof *r;
#define PART(field, n, each) (parts.field = (void *)(base + at), at += padded((uint64_t)(n) * (each)))
    PART(ranges, r->nranges, sizeof *parts.ranges);
    PART(exits, r->nexits, sizeof *parts.exits);
    PART(traps, r->ntraps, sizeof *parts.traps);
    PART(notes, r->nnotes, sizeof *parts.notes);
    PART(plan, r->nplan, sizeof *parts.plan);
    PART(frames, r->nframes, sizeof *parts.frames);
    PART(guest, r->guest_size, 1);
    PART(code, r->code_size, 1);
    PART(statemap, r->statemap_size, 1);
#undef PART
    parts.size = at;
    return parts;
}

/* ---- making ----------------------------------------------------------------------------------------------------------------- */

void keep_begin(struct engine *engine, uint64_t pc, uint32_t key, struct keep_job *job)
{
    struct keep *keep = engine->keep;

    *job = (struct keep_job){.store = NULL};
    if (!may_keep(engine, key) || !(job->store = keep->source.find(keep->source.opaque, pc, &job->extent)))
        return;
    job->movable = is_movable(&job->extent);
    job->attributes = attributes_at(engine, pc);
    job->words = keep->words;
}

void keep_feed(const struct keep_job *job, struct builder *b)
{
    b->movable = job->store && job->movable;
    b->words = job->store ? job->words : NULL;
    b->nwords = 0;
    b->words_capacity = KEEP_WORDS;
}

void keep_mark(const struct keep_job *job, struct region *region)
{
    region->noted |= job->store != NULL;
    region->movable = job->store && job->movable;
}

/* Every word that the translation was made of is in the record, as the builder has read it. */
static bool has_words(const struct builder *b, const struct keep_record *r, const struct parts *parts, uint64_t pc)
{
    const uint8_t *bytes = parts->guest;

    if (b->nwords >= b->words_capacity)
        return false;
    for (unsigned w = 0, range = 0; w < b->nwords; w++) {
        uint64_t from = b->words[w].pc - pc;
        for (unsigned tries = 0; from - parts->ranges[range].start >= parts->ranges[range].size; tries++) {
            if (tries == r->nranges)
                return false;
            bytes += parts->ranges[range].size;
            if (++range == r->nranges) {
                range = 0;
                bytes = parts->guest;
            }
        }
        uint64_t at = from - parts->ranges[range].start;
        if (parts->ranges[range].size - at < 4 || memcmp(bytes + at, &b->words[w].word, 4) != 0)
            return false;
    }
    return true;
}

/* The bytes of the ranges, which are all in one piece of executable memory with one kind of attributes. False: they are not.
   As `maker` has read them: on the compile thread that is a copy, and a fault there could not be repaired. */
static bool take_guest_code(const struct engine *maker, const struct translation *t, const struct keep_extent *extent,
                            uint32_t attributes, uint8_t *to)
{
    for (uint32_t i = 0; i < t->nranges; i++) {
        const struct guest_range *range = &t->ranges[i];
        uint64_t end = 0;
        if (range->start < extent->start || range->end > extent->end || range->start % 4 || (range->end - range->start) % 4)
            return false;
        const uint8_t *host = maker->memory.fetch(maker->memory.opaque, range->start, &end);
        if (!host || end < range->end || attributes_at(maker, range->start) != attributes ||
            attributes_at(maker, range->end - 1) != attributes)
            return false;
        for (uint64_t at = range->start; at < range->end; at += 4, to += 4) {
            uint32_t word;
            if (!code_read32(host + (at - range->start), &word))
                return false;
            memcpy(to, &word, 4);
        }
    }
    return true;
}

static bool within(const void *address, const void *start, size_t size)
{
    return (uintptr_t)address - (uintptr_t)start < size;
}

/* The bytes that a note is for, made independent of where everything is. The note becomes that of a record; *drop: it is not needed. */
static bool settle_note(const struct engine *engine, const struct region *region, struct code_note *note, uint8_t *code,
                        bool *drop)
{
    extern const uint8_t __ehdr_start[], _end[];
    uint8_t *bytes = code + note->at;
    uint64_t value;
    int32_t distance;

    *drop = false;
    switch ((enum code_note_kind)note->kind) {
    case CODE_NOTE_IMAGE:
        memcpy(&value, bytes, 8);
        if (!within((const void *)value, __ehdr_start, (size_t)(_end - __ehdr_start)))
            return false;
        value -= (uintptr_t)__ehdr_start;
        memcpy(bytes, &value, 8);
        return true;
    case CODE_NOTE_GUEST:
        memcpy(&value, bytes, 8);
        value -= region->guest_pc;
        memcpy(bytes, &value, 8);
        return region->movable;
    case CODE_NOTE_FIXED:
        return false;
    case CODE_NOTE_NEAR:
        break;
    }
    memcpy(&distance, bytes, 4);
    const uint8_t *target = region->code + note->at + 4 + distance;
    if (within(target, region->code, region->code_size)) {
        *drop = true;
        return true;
    }
    if (within(target, engine->cache->rx, engine->cache->permanent_used)) {
        note->kind = NOTE_STUB;
        distance = (int32_t)(target - engine->cache->rx);
    } else if (within(target, region, sizeof *region)) {
        note->kind = NOTE_REGION;
        distance = (int32_t)(target - (const uint8_t *)region);
    } else if (region->countdown && target + 1 == (const uint8_t *)region->countdown) { /* a byte follows the distance */
        note->kind = NOTE_COUNTER;
        distance = -1;
    } else if (region->nexits && within(target, region->exits, region->nexits * sizeof *region->exits)) {
        note->kind = NOTE_EXITS;
        distance = (int32_t)(target - (const uint8_t *)region->exits);
    } else {
        return false;
    }
    memcpy(bytes, &distance, 4);
    return true;
}

static bool settle_notes(const struct engine *engine, const struct region *region, struct keep_record *r, struct parts *parts)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < r->nnotes; i++) {
        struct code_note note = parts->notes[i];
        bool drop;
        if (!settle_note(engine, region, &note, parts->code, &drop))
            return false;
        if (!drop)
            parts->notes[n++] = note;
    }
    for (uint32_t i = n; i < r->nnotes; i++) /* their place stays, so that the parts behind need not be moved */
        parts->notes[i] = (struct code_note){UINT32_MAX, 0};
    return true;
}

static uint64_t relative(uint64_t address, uint64_t pc) { return address == 1 ? NONE : address - pc; }

static void take_plan(const struct hot_plan *plan, uint64_t pc, const struct parts *parts)
{
    for (unsigned i = 0; i < plan->n; i++) {
        uint64_t expected = plan->expected[i];
        parts->plan[i] = (struct kept_block){plan->pcs[i] - pc, relative(expected, pc), plan->frame[i]};
    }
    for (unsigned i = 0; i < plan->nframes; i++)
        parts->frames[i] = (struct kept_frame){plan->frames[i].caller, relative(plan->frames[i].return_pc, pc)};
}
_Static_assert(BUILDER_NO_TARGET == 1, "as relative() has it");

/* The record of a region just compiled, in keep->record. False: it cannot be one. */
static bool make_record(struct engine *engine, struct engine *maker, const struct keep_job *job, const struct translation *t,
                        const struct hot_plan *plan)
{
    struct keep *keep = engine->keep;
    const struct region *region = &t->region;
    uint32_t nnotes, guest_size = 0;
    const struct code_note *notes = engine->backend->notes(maker->backend_state, &nnotes);

    if (!region->noted || !region->code)
        return false;
    for (uint32_t i = 0; i < t->nranges; i++)
        guest_size += (uint32_t)(t->ranges[i].end - t->ranges[i].start);
    struct keep_record head = {
        .head = {.place = place_of(&job->extent, region->guest_pc), .key = region->key, .kind = region->hot ? KEEP_HOT : KEEP_COLD},
        .guest_pc = region->movable ? 0 : region->guest_pc,
        .attributes = job->attributes,
        .movable = region->movable,
        .entry_kinds = region->entry_kinds,
        .end = region->end,
        .line = (uintptr_t)region->code % CODE_LINE,
        .guest_insns = region->guest_insns,
        .first_block_insns = t->first_block_insns,
        .nblocks = region->nblocks,
        .code_size = region->code_size,
        .nnotes = nnotes,
        .nexits = region->nexits,
        .ntraps = region->ntraps,
        .statemap_size = region->statemap_size,
        .nranges = t->nranges,
        .guest_size = guest_size,
        .nplan = region->hot ? plan->n : 0,
        .nframes = region->hot ? plan->nframes : 0,
        .successors = {relative(region->successors[0], region->guest_pc), relative(region->successors[1], region->guest_pc)},
        .return_pc = relative(region->return_pc, region->guest_pc),
    };
    uint64_t size = parts_of(&head).size;
    if (size > keep->capacity) {
        free(keep->record);
        keep->capacity = size + size / 2;
        keep->record = malloc(keep->capacity);
        if (!keep->record) {
            keep->capacity = 0;
            return false;
        }
    }
    struct keep_record *r = keep->record;
    *r = head;
    struct parts parts = parts_of(r);
    memset(r + 1, 0, size - sizeof *r);
    for (uint32_t i = 0; i < t->nranges; i++)
        parts.ranges[i] = (struct kept_range){t->ranges[i].start - region->guest_pc, t->ranges[i].end - t->ranges[i].start};
    for (uint32_t i = 0; i < region->nexits; i++)
        parts.exits[i] = (struct kept_exit){region->exits[i].target - region->guest_pc, region->exits[i].patch_offset,
                                            region->exits[i].stub_offset};
    if (region->ntraps)
        memcpy(parts.traps, region->traps, region->ntraps * sizeof *region->traps);
    if (nnotes)
        memcpy(parts.notes, notes, nnotes * sizeof *notes);
    if (region->hot)
        take_plan(plan, region->guest_pc, &parts);
    memcpy(parts.code, region->code, region->code_size);
    if (region->statemap_size)
        memcpy(parts.statemap, region->statemap, region->statemap_size);
    if (!take_guest_code(maker, t, &job->extent, job->attributes, parts.guest) || !has_words(maker->builder, r, &parts, region->guest_pc) ||
        !settle_notes(engine, region, r, &parts))
        return false;
    /* What may be there more than once for a place: the code may have been changed, or be used where it has other attributes. */
    r->head.variant = (uint64_t)keep_checksum(parts.guest, guest_size) << 32 ^ (uint64_t)job->attributes << 20 ^ r->guest_pc;
    keep_record_seal(&r->head, size);
    return true;
}

/** Each time after twice as long as before: the process may be killed, and then nobody else writes. */
static bool is_time_to_write(struct keep *keep)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    if (keep->write_at == 0)
        keep->write_at = now.tv_sec + keep->write_after;
    if (now.tv_sec < keep->write_at)
        return false;
    keep->write_after = keep->write_after < WRITE_AFTER_MAX ? keep->write_after * 2 : WRITE_AFTER_MAX;
    keep->write_at = now.tv_sec + keep->write_after;
    return true;
}

void keep_add(struct engine *engine, struct engine *maker, const struct keep_job *job, const struct translation *t,
              const struct hot_plan *plan)
{
    struct keep *keep = engine->keep;
    if (!job->store || !make_record(engine, maker, job, t, plan))
        return;
    if (keep_store_add(job->store, &keep->record->head))
        engine->stats.kept_written++;
    /* Not by the compile thread, nor beside other CPUs: the guest might close the descriptor meanwhile, and open its own. */
    if (keep->source.write && maker == engine && __atomic_load_n(&engine->nthreads, __ATOMIC_RELAXED) == 1 &&
        (job->store->pending_size > KEEP_PENDING_MAX / 2 || is_time_to_write(keep)))
        keep->source.write(keep->source.opaque);
}

/* ---- using ------------------------------------------------------------------------------------------------------------------ */

/* A sound record may still be one that is not for this run; that its parts are where they should be is looked at all the same. */
static bool fits_here(const struct engine *engine, const struct keep_record *r, const struct keep_extent *extent, uint64_t pc)
{
    if (r->head.size < sizeof *r || parts_of(r).size != r->head.size)
        return false;
    if (r->movable ? !is_movable(extent) : r->guest_pc != pc)
        return false;
    if (r->nranges == 0 || r->code_size == 0 || r->attributes != attributes_at(engine, pc))
        return false;
    struct parts parts = parts_of(r);
    uint64_t lowest = parts.ranges[0].start + pc, end = 0, total = 0;
    if (lowest < extent->start)
        return false;
    const uint8_t *host = engine->memory.fetch(engine->memory.opaque, lowest, &end);
    if (!host)
        return false;
    if (end > extent->end)
        end = extent->end;
    const uint8_t *kept = parts.guest;
    for (uint32_t i = 0; i < r->nranges; i++) {
        uint64_t start = parts.ranges[i].start + pc, size = parts.ranges[i].size;
        total += size;
        if (start < lowest || start >= end || size > end - start || size % 4 || total > r->guest_size)
            return false;
        if ((r->attributes != attributes_at(engine, start) || r->attributes != attributes_at(engine, start + size - 1)))
            return false;
        const uint8_t *now = host + (start - lowest);
        for (uint64_t at = 0; at < size; at += 4, kept += 4) {
            uint32_t word, expected;
            memcpy(&expected, kept, 4);
            if (!code_read32(now + at, &word) || word != expected)
                return false;
        }
    }
    return true;
}

static uint64_t absolute(uint64_t kept, uint64_t pc) { return kept == NONE ? 1 : kept + pc; }

/* The code at rw with addresses as they are here and now. False: something is out of reach. */
static bool apply_notes(const struct engine *engine, const struct region *region, const struct keep_record *r,
                        const struct parts *parts, uint8_t *rw, const uint8_t *rx)
{
    extern const uint8_t __ehdr_start[];
    for (uint32_t i = 0; i < r->nnotes; i++) {
        struct code_note note = parts->notes[i];
        if (note.at == UINT32_MAX)
            break;
        if (note.at > r->code_size || r->code_size - note.at < 4)
            return false;
        uint8_t *bytes = rw + note.at;
        int32_t offset;
        uint64_t value;
        const uint8_t *target;
        memcpy(&offset, bytes, 4);
        switch (note.kind) {
        case CODE_NOTE_IMAGE:
        case CODE_NOTE_GUEST:
            if (r->code_size - note.at < 8)
                return false;
            memcpy(&value, bytes, 8);
            value += note.kind == CODE_NOTE_IMAGE ? (uintptr_t)__ehdr_start : region->guest_pc;
            memcpy(bytes, &value, 8);
            continue;
        case NOTE_STUB: target = engine->cache->rx; break;
        case NOTE_REGION: target = (const uint8_t *)region; break;
        case NOTE_COUNTER: target = (const uint8_t *)region->countdown; break;
        case NOTE_EXITS: target = (const uint8_t *)region->exits; break;
        default: return false;
        }
        int64_t distance = target + offset - (rx + note.at + 4);
        if (distance != (int32_t)distance)
            return false;
        offset = (int32_t)distance;
        memcpy(bytes, &offset, 4);
    }
    return true;
}

/** False: the record is not for here, or its file has gone meanwhile, so that nobody knows what was copied. */
static bool install(struct engine *engine, struct translation *t, const struct keep_store *store, const struct keep_record *r)
{
    struct region *region = &t->region;
    struct parts parts = parts_of(r);
    uint64_t pc = region->guest_pc;
    uint8_t *rw;
    const uint8_t *rx;

    code_cache_space(engine->cache, &rw, &rx);
    code_cache_skip(engine->cache, (r->line - (uint32_t)(uintptr_t)rx) % CODE_LINE);
    uint32_t space = code_cache_space(engine->cache, &rw, &rx);
    if (space < r->code_size || (uintptr_t)rx % CODE_LINE != r->line)
        return false;
    region->guest_insns = r->guest_insns;
    region->code = rx;
    region->code_size = r->code_size;
    region->nexits = r->nexits;
    region->statemap_size = r->statemap_size;
    region->ntraps = r->ntraps;
    region->trap_invalid = region->key & KEY_TRAPS;
    region->noted = true;
    region->movable = r->movable;
    t->hot_after = (int32_t)engine->options.hot;
    region->countdown = code_cache_counter(engine->cache);
    *region->countdown = t->hot_after;
    region->entry_kinds = r->entry_kinds;
    region->hot = r->head.kind == KEEP_HOT;
    region->nblocks = r->nblocks;
    region->successors[0] = absolute(r->successors[0], pc);
    region->successors[1] = absolute(r->successors[1], pc);
    region->return_pc = absolute(r->return_pc, pc);
    region->end = r->end;
    t->first_block_insns = r->first_block_insns;

    uint8_t *memory = code_cache_memory(engine->cache, r->nexits * sizeof *region->exits + r->ntraps * sizeof *region->traps +
                                                           r->statemap_size);
    region->exits = (struct code_exit *)(void *)memory;
    region->traps = (struct code_trap *)(void *)(region->exits + r->nexits);
    region->statemap = (uint8_t *)(region->traps + r->ntraps);
    for (uint32_t i = 0; i < r->nexits; i++) {
        const struct kept_exit *kept = &parts.exits[i];
        if (kept->patch_offset > r->code_size - 4 || kept->stub_offset > r->code_size)
            return false;
        region->exits[i] = (struct code_exit){.target = kept->target + pc, .patch_offset = kept->patch_offset,
                                              .stub_offset = kept->stub_offset, .region = region};
    }
    memcpy(region->traps, parts.traps, r->ntraps * sizeof *region->traps);
    memcpy(region->statemap, parts.statemap, r->statemap_size);
    memcpy(rw, parts.code, r->code_size);
    if (!apply_notes(engine, region, r, &parts, rw, rx))
        return false;
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    if (__atomic_load_n(&store->gone, __ATOMIC_RELAXED))
        return false;
    code_cache_commit(engine->cache, region, r->code_size);
    return true;
}

/* The checked copy, because what is in the file may be written over. */
static void note_for_check(struct keep *keep, const struct keep_record *r, uint64_t pc)
{
    free(keep->checked);
    keep->checked = malloc(r->head.size);
    if (keep->checked)
        memcpy(keep->checked, r, r->head.size);
    keep->checked_pc = pc;
}

struct translation *keep_load(struct engine *engine, struct cpu_thread *self, uint64_t pc, uint32_t key)
{
    struct keep *keep = engine->keep;
    struct keep_extent extent;
    const struct keep_record_head *found[KEEP_CANDIDATES];
    struct keep_store *store = may_keep(engine, key) ? keep->source.find(keep->source.opaque, pc, &extent) : NULL;
    unsigned n = store ? keep_store_find(store, place_of(&extent, pc), key, found) : 0;
    const struct keep_record *r = NULL;

    for (unsigned i = 0; i < n && !r; i++) {
        r = (const struct keep_record *)(const void *)found[i];
        if (!fits_here(engine, r, &extent, pc))
            r = NULL;
    }
    if (!r || !translation_make_room(engine, self, r->code_size + CODE_LINE))
        return NULL;
    struct guest_range ranges[BUILDER_MAX_BLOCKS];
    struct parts parts = parts_of(r);
    if (r->nranges > BUILDER_MAX_BLOCKS)
        return NULL;
    for (uint32_t i = 0; i < r->nranges; i++)
        ranges[i] = (struct guest_range){parts.ranges[i].start + pc, parts.ranges[i].start + pc + parts.ranges[i].size};
    struct translation *t = translation_new(engine, ranges, r->nranges);
    t->region.guest_pc = pc;
    t->region.key = key;
    if (!install(engine, t, store, r))
        return NULL;
    store->used++;
    engine->stats.kept_used++;
    for (uint32_t i = 0; i < r->nexits; i++)
        keep_store_expect(store, place_of(&extent, t->region.exits[i].target), key);
    __builtin_prefetch((const uint8_t *)r + r->head.size); /* what was next at first may be next again */
    __builtin_prefetch((const uint8_t *)r + r->head.size + 64);
    if (keep->source.check)
        note_for_check(keep, r, pc);
    if (engine->options.observer)
        engine->options.observer->translated(engine->options.observer->opaque, &t->region);
    return t;
}

/* ---- checking --------------------------------------------------------------------------------------------------------------- */

bool keep_checks(const struct engine *engine) { return engine->keep && engine->keep->source.check; }

bool keep_check_plan(struct engine *engine, struct hot_plan *plan, bool *hot)
{
    struct keep *keep = engine->keep;
    const struct keep_record *r = keep->checked;
    if (!r)
        return false;
    if (r->nplan > HOT_MAX_BLOCKS || r->nframes > HOT_MAX_FRAMES || (r->head.kind == KEEP_HOT && r->nplan == 0)) {
        free(keep->checked);
        keep->checked = NULL;
        return false;
    }
    struct parts parts = parts_of(r);
    uint64_t pc = keep->checked_pc;
    *hot = r->head.kind == KEEP_HOT;
    plan->n = *hot ? r->nplan : 1;
    plan->nframes = r->nframes;
    plan->pcs[0] = pc;
    for (unsigned i = 0; i < r->nplan; i++) {
        plan->pcs[i] = parts.plan[i].pc + pc;
        plan->expected[i] = absolute(parts.plan[i].expected, pc);
        plan->frame[i] = (uint8_t)parts.plan[i].frame;
    }
    for (unsigned i = 0; i < r->nframes; i++)
        plan->frames[i] = (struct builder_frame){(unsigned)parts.frames[i].caller, absolute(parts.frames[i].return_pc, pc)};
    return true;
}

uint32_t keep_check_skip(const struct engine *engine, const uint8_t *rx)
{
    const struct keep_record *r = engine->keep ? engine->keep->checked : NULL;
    return r ? (r->line - (uint32_t)(uintptr_t)rx) % CODE_LINE : 0;
}

static const char *difference(const struct keep_record *kept, const struct keep_record *fresh)
{
    struct parts a = parts_of(kept), b = parts_of(fresh);
    if (memcmp(&kept->guest_pc, &fresh->guest_pc, sizeof *kept - offsetof(struct keep_record, guest_pc)) != 0)
        return "head";
#define DIFFERS(field, next) (memcmp(a.field, b.field, (size_t)((uint8_t *)a.next - (uint8_t *)a.field)) != 0)
    return DIFFERS(ranges, exits)    ? "ranges"
           : DIFFERS(exits, traps)   ? "exits"
           : DIFFERS(traps, notes)   ? "traps"
           : DIFFERS(notes, plan)    ? "notes"
           : DIFFERS(guest, code)    ? "guest code"
           : DIFFERS(code, statemap) ? "code"
                                     : "state map";
#undef DIFFERS
}

void keep_check_end(struct engine *engine, const struct keep_job *job, const struct translation *fresh,
                    const struct hot_plan *plan)
{
    struct keep *keep = engine->keep;
    struct keep_record *kept = keep->checked;
    const char *what = NULL;

    keep->checked = NULL;
    if (!fresh || !job->store || !make_record(engine, engine, job, fresh, plan)) {
        what = "no new one";
    } else {
        /* Found out after translating, and left alone by this: */
        struct keep_record *r = keep->record;
        memcpy(r->successors, kept->successors, sizeof r->successors);
        r->return_pc = kept->return_pc;
        r->end = kept->end;
        r->first_block_insns = kept->first_block_insns;
        keep_record_seal(&r->head, r->head.size);
        if (r->head.size != kept->head.size || memcmp(r, kept, r->head.size) != 0)
            what = difference(kept, r);
    }
    engine->stats.kept_checked++;
    if (what) {
        engine->stats.kept_differing++;
        fprintf(stderr, "dragoman: defect: the kept translation of %#llx differs from a new one: %s\n",
                (unsigned long long)keep->checked_pc, what);
    }
    free(kept);
}

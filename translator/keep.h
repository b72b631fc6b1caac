/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Translations kept over runs. A finished region becomes a record: its host code with what that depends on, its exits, state map
 * and traps, and the guest code it was made of. A later run that wants the same place of the same file takes the record instead
 * of translating, if all that a translation depends on is the same:
 *
 *   the guest's code        compared byte by byte with what is in memory now, and its pages' attributes
 *   the translation key     part of the record
 *   dragoman, its options, the host's and the guest's CPU features   part of the file's header (keep_store.h)
 *   where the guest's code is: see below
 *
 * Which file it is only says where to look. So no file, whatever happened to it, makes a difference but in time.
 *
 * Position. A guest's code is at another address in each run, and a translation is full of addresses that follow from
 * that: link registers, literals, targets. The builder makes each of them an IR_PC (builder_pc()), which is no constant to anything
 * that folds, compares or numbers constants, so nothing is decided by its value; the backend gives it a form of fixed size and
 * a note of where it is. Notes are also made of distances to what is outside of the code, and of addresses in dragoman. What cannot be
 * noted makes a region that is not kept. Code below 4 GiB is that of programs which are always at the same address: its
 * translations are kept for that address only, and their addresses are constants as ever.
 *
 * Translations with breakpoints, watchpoints or for single steps are not kept, and nothing is while guest or host code is logged.
 *
 * All functions are called with the engine's lock held.
 */
#ifndef DRAGOMAN_TRANSLATOR_KEEP_H
#define DRAGOMAN_TRANSLATOR_KEEP_H

#include "translator/engine_private.h"
#include "translator/keep_store.h"

/** NULL: nothing is kept. */
struct keep *keep_new(struct engine *engine);
void keep_free(struct keep *keep);

/** A translation that may be kept. */
struct keep_job {
    struct keep_store *store; /* NULL: it may not */
    struct keep_extent extent;
    uint32_t attributes;
    bool movable;
    struct builder_word *words; /* KEEP_WORDS: what the builder reads */
};
#define KEEP_WORDS 4096u

/** Before anything is done for a region at (pc, key). */
void keep_begin(struct engine *engine, uint64_t pc, uint32_t key, struct keep_job *job);
/** Before the builder begins; before the backend does. Both without the lock if job->words is the caller's own. */
void keep_feed(const struct keep_job *job, struct builder *b);
void keep_mark(const struct keep_job *job, struct region *region);
/** After `maker`, the engine or what stands for it, has compiled it by the plan, and before that compiles another: takes it in. */
void keep_add(struct engine *engine, struct engine *maker, const struct keep_job *job, const struct translation *t,
              const struct hot_plan *plan);

/** A translation of what was kept for (pc, key), not in the table yet; NULL: there is none. May evict. */
struct translation *keep_load(struct engine *engine, struct cpu_thread *self, uint64_t pc, uint32_t key);

/** Whether what is loaded is to be compared with new translations: then keep_load() notes the record … */
bool keep_checks(const struct engine *engine);
/** … of which this is the plan: false if none is noted. */
bool keep_check_plan(struct engine *engine, struct hot_plan *plan, bool *hot);
/** Bytes to leave free for the new translation's code to begin where the kept one's did, as far as that matters. */
uint32_t keep_check_skip(const struct engine *engine, const uint8_t *rx);
/** Compares with the new translation, or says that there is none (NULL). */
void keep_check_end(struct engine *engine, const struct keep_job *job, const struct translation *fresh,
                    const struct hot_plan *plan);

#endif

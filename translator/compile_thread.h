/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The compile thread: makes hot regions while the guest runs on.
 *
 * A CPU whose block has become hot makes the plan, copies the guest code of its blocks and what else the builder asks for, and
 * goes on in its cold code. The thread builds and compiles from that copy, without the engine's lock, into memory of its own; then
 * it takes the lock, and if nothing of the guest code was invalidated meanwhile, moves the code into the cache and patches
 * the exits that led to the cold block.
 *
 * The guest sees nothing of it: the thread takes no signal, is started when there is enough to do, ends by itself when there is
 * nothing, and can be ended before a system call that wants a process of one thread (engine_stop_compiling()). Wherever it
 * cannot be had, hot regions are compiled in place.
 *
 * All functions are called with the engine's lock held, but for those that say otherwise.
 */
#ifndef DRAGOMAN_TRANSLATOR_COMPILE_THREAD_H
#define DRAGOMAN_TRANSLATOR_COMPILE_THREAD_H

#include "translator/engine_private.h"

/** NULL: regions are compiled in place, by option or because of the backend. Without the lock. */
struct compile_thread *compile_thread_new(struct engine *engine);
/** Without the lock. */
void compile_thread_free(struct compile_thread *c);

/** True: the region for (pc, key) has been asked for already; `cold` is to be run on. */
bool compile_is_under_way(struct engine *engine, struct region *cold);
/** Asks for the plan's region in place of `cold`. False: it is to be compiled in place. */
bool compile_later(struct engine *engine, const struct cpu_thread *self, struct region *cold, const struct hot_plan *plan);
/** Guest code in [start, end) has changed. */
void compile_invalidate(struct engine *engine, uint64_t start, uint64_t end);
/** All that has been asked for is forgotten. */
void compile_forget(struct engine *engine);
/** In the child of a fork, which has no such thread. */
void compile_fork_child(struct engine *engine);

#endif

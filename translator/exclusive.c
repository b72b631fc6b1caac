/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Exclusive sections: one thread, which holds the engine's lock, waits until no other CPU is running, so that it may free
 * regions and reuse code memory. See engine_private.h for what running means.
 *
 * The meeting point is the pair of words cpu_thread.running and engine.exclusive. Whoever begins to run writes the first
 * and then reads the second; whoever wants the section writes the second and then reads the first; both in the sequentially
 * consistent order, so at least one of them sees the other.
 *
 * No deadlock: the section is only wanted by the holder of the lock, and a CPU that waits for the lock is not running.
 * Translated code that runs on is asked to leave through cpu.interrupt; system calls are executed outside engine_run().
 */
#include "translator/engine_private.h"

void thread_begin_running(struct cpu_thread *thread)
{
    struct engine *engine = thread->cpu->engine;

    for (;;) {
        __atomic_store_n(&thread->running, 1, __ATOMIC_SEQ_CST);
        if (!__atomic_load_n(&engine->exclusive, __ATOMIC_SEQ_CST))
            return;
        thread_end_running(thread);
        pthread_mutex_lock(&engine->gate);
        while (__atomic_load_n(&engine->exclusive, __ATOMIC_RELAXED))
            pthread_cond_wait(&engine->gate_changed, &engine->gate);
        pthread_mutex_unlock(&engine->gate);
    }
}

void thread_end_running(struct cpu_thread *thread)
{
    struct engine *engine = thread->cpu->engine;

    __atomic_store_n(&thread->running, 0, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&engine->exclusive, __ATOMIC_SEQ_CST)) {
        pthread_mutex_lock(&engine->gate);
        pthread_cond_broadcast(&engine->gate_changed);
        pthread_mutex_unlock(&engine->gate);
    }
}

void engine_lock(struct engine *engine, struct cpu_thread *self)
{
    if (pthread_mutex_trylock(&engine->lock) == 0)
        return;
    if (!self) {
        pthread_mutex_lock(&engine->lock);
        return;
    }
    thread_end_running(self);
    pthread_mutex_lock(&engine->lock);
    /* No gate to pass: only the holder of the lock can want a section. */
    __atomic_store_n(&self->running, 1, __ATOMIC_SEQ_CST);
}

void engine_unlock(struct engine *engine)
{
    pthread_mutex_unlock(&engine->lock);
}

static bool others_running(const struct engine *engine, const struct cpu_thread *self)
{
    for (const struct cpu_thread *t = engine->threads; t; t = t->next) {
        if (t != self && __atomic_load_n(&t->running, __ATOMIC_SEQ_CST))
            return true;
    }
    return false;
}

void exclusive_begin(struct engine *engine, struct cpu_thread *self)
{
    pthread_mutex_lock(&engine->gate);
    __atomic_store_n(&engine->exclusive, 1, __ATOMIC_SEQ_CST);
    for (struct cpu_thread *t = engine->threads; t; t = t->next) {
        if (t != self)
            __atomic_fetch_or(&t->cpu->interrupt, INTERRUPT_EXCLUSIVE, __ATOMIC_SEQ_CST);
    }
    while (others_running(engine, self))
        pthread_cond_wait(&engine->gate_changed, &engine->gate);
    pthread_mutex_unlock(&engine->gate);
}

void exclusive_end(struct engine *engine)
{
    pthread_mutex_lock(&engine->gate);
    __atomic_store_n(&engine->exclusive, 0, __ATOMIC_SEQ_CST);
    pthread_cond_broadcast(&engine->gate_changed);
    pthread_mutex_unlock(&engine->gate);
}

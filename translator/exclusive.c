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
 *
 * A window is an exclusive section in which its CPU goes on executing guest code, without the lock: for guest code that has to
 * notice any write by another CPU in between, and so is executed while there is none. Whoever takes the lock to run translated
 * code meanwhile gives it back and waits at the gate. The window ends by TRAP_WINDOW_CLOSE, when its CPU leaves engine_run(),
 * or at the CPU's next POLL after somebody has waited for it for long: what its code waits for may have to be done by another
 * CPU. The others are then given the time to run.
 */
#include <time.h>

#include "translator/engine_private.h"

/* With engine->gate held: until no section is wanted or runs. A window that is open for too long is to be closed. */
static void wait_at_gate(struct engine *engine, struct cpu_thread *self)
{
    self->at_gate = true;
    engine->gate_waiters++;
    while (__atomic_load_n(&engine->exclusive, __ATOMIC_RELAXED)) {
        struct cpu_thread *window = __atomic_load_n(&engine->window, __ATOMIC_RELAXED);
        uint32_t patience = window ? __atomic_load_n(&window->window_ns, __ATOMIC_RELAXED) : WINDOW_NS;
        if (!event_wait(&engine->gate_changed, &engine->gate, patience) && window &&
            window == __atomic_load_n(&engine->window, __ATOMIC_RELAXED))
            __atomic_fetch_or(&window->cpu->interrupt, INTERRUPT_WINDOW, __ATOMIC_SEQ_CST);
    }
    engine->gate_waiters--;
    self->at_gate = false;
}

/* Opens the gate; true if somebody waited there. */
static bool end_window(struct engine *engine, struct cpu_thread *self)
{
    *self->window = CPU_WINDOW_CLOSED;
    __atomic_fetch_and(&self->cpu->interrupt, ~INTERRUPT_WINDOW, __ATOMIC_SEQ_CST);
    lock_take(&engine->gate);
    __atomic_store_n(&engine->window, NULL, __ATOMIC_RELAXED);
    __atomic_store_n(&engine->exclusive, 0, __ATOMIC_SEQ_CST);
    event_signal(&engine->gate_changed);
    bool waited = engine->gate_waiters != 0;
    lock_release(&engine->gate);
    return waited;
}

void thread_begin_running(struct cpu_thread *thread)
{
    struct engine *engine = thread->cpu->engine;

    for (;;) {
        __atomic_store_n(&thread->running, 1, __ATOMIC_SEQ_CST);
        if (!__atomic_load_n(&engine->exclusive, __ATOMIC_SEQ_CST))
            break;
        thread_end_running(thread);
        lock_take(&engine->gate);
        wait_at_gate(engine, thread);
        lock_release(&engine->gate);
    }
}

void thread_end_running(struct cpu_thread *thread)
{
    struct engine *engine = thread->cpu->engine;

    if (__atomic_load_n(&engine->window, __ATOMIC_RELAXED) == thread)
        end_window(engine, thread);
    __atomic_store_n(&thread->running, 0, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&engine->exclusive, __ATOMIC_SEQ_CST)) {
        lock_take(&engine->gate);
        event_signal(&engine->gate_changed);
        lock_release(&engine->gate);
    }
}

/*
 * The one that has ended may have been killed anywhere. What it has held is held by the calling thread now (lock.h), and what it
 * was changing under the lock is in no order: all translations are made anew.
 */
void engine_cpu_stopped(struct cpu *cpu)
{
    struct cpu_thread *thread = cpu->thread;
    struct engine *engine = cpu->engine;

    if (!lock_is_mine(&engine->gate))
        lock_take(&engine->gate);
    if (thread->at_gate) {
        thread->at_gate = false;
        engine->gate_waiters--;
    }
    lock_release(&engine->gate);
    if (__atomic_load_n(&thread->running, __ATOMIC_SEQ_CST))
        thread_end_running(thread);
    if (lock_is_mine(&engine->lock)) {
        if (__atomic_load_n(&engine->window, __ATOMIC_RELAXED)) { /* another CPU's: no further one opens without the lock */
            lock_take(&engine->gate);
            wait_at_gate(engine, thread);
            lock_release(&engine->gate);
        }
        exclusive_end(engine); /* only the holder of the lock can have wanted one that is no window */
        exclusive_begin(engine, NULL);
        table_abandon(engine);
        exclusive_end(engine);
        engine_unlock(engine);
    }
    lock_wake(&engine->gate);
    lock_wake(&engine->lock);
}

void engine_lock(struct engine *engine, struct cpu_thread *self)
{
    if (lock_try(&engine->lock))
        return;
    if (!self || __atomic_load_n(&engine->window, __ATOMIC_RELAXED) == self) {
        lock_take(&engine->lock);
        return;
    }
    thread_end_running(self);
    for (;;) {
        lock_take(&engine->lock);
        /* Only the holder of the lock can want a section, and only he opens a window. */
        if (!__atomic_load_n(&engine->window, __ATOMIC_RELAXED))
            break;
        lock_release(&engine->lock);
        lock_take(&engine->gate);
        wait_at_gate(engine, self);
        lock_release(&engine->gate);
    }
    __atomic_store_n(&self->running, 1, __ATOMIC_SEQ_CST);
}

void engine_unlock(struct engine *engine)
{
    lock_release(&engine->lock);
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
    if (__atomic_load_n(&engine->window, __ATOMIC_RELAXED)) /* the caller's own, since no other CPU is running */
        return;
    lock_take(&engine->gate);
    __atomic_store_n(&engine->exclusive, 1, __ATOMIC_SEQ_CST);
    for (struct cpu_thread *t = engine->threads; t; t = t->next) {
        if (t != self)
            __atomic_fetch_or(&t->cpu->interrupt, INTERRUPT_EXCLUSIVE, __ATOMIC_SEQ_CST);
    }
    while (others_running(engine, self))
        event_wait(&engine->gate_changed, &engine->gate, 0);
    lock_release(&engine->gate);
}

void exclusive_end(struct engine *engine)
{
    if (__atomic_load_n(&engine->window, __ATOMIC_RELAXED))
        return;
    lock_take(&engine->gate);
    __atomic_store_n(&engine->exclusive, 0, __ATOMIC_SEQ_CST);
    event_signal(&engine->gate_changed);
    lock_release(&engine->gate);
}

/* ---- windows ---------------------------------------------------------------------------------------------------------------- */

/*
 * A CPU that finds itself alone needs no windows, but only learns that here: what it has begun with in a window that was closed
 * since, another CPU may have seen before it went. Only a CPU outside engine_run() makes another one.
 */
void window_meet_others(struct engine *engine, struct cpu_thread *self)
{
    if (self->window && __atomic_load_n(&engine->nthreads, __ATOMIC_RELAXED) > 1)
        *self->window = CPU_WINDOW_CLOSED;
}

void window_open(struct engine *engine, struct cpu_thread *self)
{
    engine_lock(engine, self);
    if (engine->nthreads == 1) {
        *self->window = CPU_WINDOW_ALONE;
    } else if (!__atomic_load_n(&engine->window, __ATOMIC_RELAXED)) {
        exclusive_begin(engine, self);
        __atomic_store_n(&engine->window, self, __ATOMIC_RELAXED);
        *self->window = CPU_WINDOW_OPEN;
    }
    engine_unlock(engine);
}

/* A CPU that opens one window after the other must not keep those from running that it waits for: it pauses until they
   have passed the gate, and a little longer. */
static void let_others_run(struct engine *engine, struct cpu_thread *self)
{
    const struct timespec pause = {.tv_nsec = 50000};

    thread_end_running(self);
    for (unsigned i = 0; i < 20; i++) {
        nanosleep(&pause, NULL);
        lock_take(&engine->gate);
        bool waiting = engine->gate_waiters != 0;
        lock_release(&engine->gate);
        if (!waiting)
            break;
    }
    thread_begin_running(self);
}

void window_close(struct engine *engine, struct cpu_thread *self)
{
    if (__atomic_load_n(&engine->window, __ATOMIC_RELAXED) == self && end_window(engine, self))
        let_others_run(engine, self);
}

void window_break(struct engine *engine, struct cpu_thread *self)
{
    if (self->window_ns < WINDOW_NS_MAX)
        __atomic_store_n(&self->window_ns, self->window_ns * 2, __ATOMIC_RELAXED);
    window_close(engine, self);
}

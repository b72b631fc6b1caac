/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Locks that outlive their owner. A guest's vfork child runs on its parent's memory, and anybody may kill it, at any
 * instruction: whoever finds that out, the thread whose thread-local memory the child had, can ask which locks it held, and
 * take them over. So the owner is in the word itself from the moment that the lock is taken, and nothing else is remembered
 * of those who wait: of a waiter that is killed no trace is left (pthread_cond_t would keep one, and wait for it).
 */
#ifndef DRAGOMAN_TRANSLATOR_LOCK_H
#define DRAGOMAN_TRANSLATOR_LOCK_H

#include <stdbool.h>
#include <stdint.h>

struct lock {
    uint32_t word; /* 0: free; else the owner's number, and LOCK_WAITED when somebody may wait */
};

void lock_take(struct lock *lock);
bool lock_try(struct lock *lock);
void lock_release(struct lock *lock);
/** True if this thread holds it, or a process that had this thread's thread-local memory when it ended. */
bool lock_is_mine(const struct lock *lock);
/** Whoever waits looks again: one that has been woken may have ended before it could. */
void lock_wake(struct lock *lock);

/** What a condition variable is for: the number changes whenever somebody might go on. */
struct event {
    uint32_t count;
};

/** Gives the lock back, waits until the event is signalled or `nanoseconds` have passed (0: no limit), takes the lock again.
    False: the time has passed. It may also return for no reason. */
bool event_wait(struct event *event, struct lock *lock, uint64_t nanoseconds);
/** With the lock held. */
void event_signal(struct event *event);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "translator/lock.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define LOCK_WAITED 0x80000000u

/** Not the thread's number: a child that shares this memory has another, and the two are one owner. */
static uint32_t my_number(void)
{
    static uint32_t last;
    static _Thread_local uint32_t mine;
    if (__builtin_expect(mine == 0, 0))
        mine = __atomic_add_fetch(&last, 1, __ATOMIC_RELAXED) & ~LOCK_WAITED;
    return mine;
}

static long futex(uint32_t *word, int operation, uint32_t value, const struct timespec *timeout)
{
    int saved = errno;
    long result = syscall(SYS_futex, word, operation | FUTEX_PRIVATE_FLAG, value, timeout, NULL, 0);
    long error = result < 0 ? -errno : result;
    errno = saved;
    return error;
}

bool lock_try(struct lock *lock)
{
    uint32_t free = 0;
    return __atomic_compare_exchange_n(&lock->word, &free, my_number(), false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

void lock_take(struct lock *lock)
{
    if (__builtin_expect(lock_try(lock), 1))
        return;
    for (;;) {
        uint32_t seen = __atomic_load_n(&lock->word, __ATOMIC_RELAXED);
        /* Who has waited does not know whether others do. */
        if (seen == 0) {
            if (__atomic_compare_exchange_n(&lock->word, &seen, my_number() | LOCK_WAITED, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
                return;
        } else if (seen & LOCK_WAITED || __atomic_compare_exchange_n(&lock->word, &seen, seen | LOCK_WAITED, false,
                                                                     __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
            futex(&lock->word, FUTEX_WAIT, seen | LOCK_WAITED, NULL);
        }
    }
}

void lock_release(struct lock *lock)
{
    if (__atomic_exchange_n(&lock->word, 0, __ATOMIC_RELEASE) & LOCK_WAITED)
        futex(&lock->word, FUTEX_WAKE, 1, NULL);
}

bool lock_is_mine(const struct lock *lock)
{
    return (__atomic_load_n(&lock->word, __ATOMIC_RELAXED) & ~LOCK_WAITED) == my_number();
}

void lock_wake(struct lock *lock) { futex(&lock->word, FUTEX_WAKE, INT_MAX, NULL); }

bool event_wait(struct event *event, struct lock *lock, uint64_t nanoseconds)
{
    const struct timespec timeout = {(time_t)(nanoseconds / 1000000000u), (long)(nanoseconds % 1000000000u)};
    uint32_t count = __atomic_load_n(&event->count, __ATOMIC_RELAXED);
    lock_release(lock);
    bool in_time = futex(&event->count, FUTEX_WAIT, count, nanoseconds ? &timeout : NULL) != -ETIMEDOUT;
    lock_take(lock);
    return in_time;
}

void event_signal(struct event *event)
{
    __atomic_add_fetch(&event->count, 1, __ATOMIC_RELAXED);
    futex(&event->count, FUTEX_WAKE, INT_MAX, NULL);
}

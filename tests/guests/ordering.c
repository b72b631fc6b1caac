/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the memory model forbids must not be seen: message passing, store buffering, coherence, exclusives. */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include "check.h"

enum { ROUNDS = 60000 };
static _Alignas(64) _Atomic uint64_t x;
static _Alignas(64) _Atomic uint64_t y;
static _Alignas(64) uint64_t data;
static _Alignas(64) _Atomic unsigned flag;
static _Alignas(64) _Atomic unsigned gate[2];
static uint64_t seen[2];

static void meet(unsigned self, unsigned round)
{
    atomic_store(&gate[self], round);
    for (unsigned spins = 0; atomic_load(&gate[!self]) < round; spins++)
        if (spins % 100 == 99)
            sched_yield();
}

static void *reader(void *unused)
{
    for (unsigned round = 1; round <= ROUNDS; round++) {
        for (unsigned spins = 0; atomic_load_explicit(&flag, memory_order_acquire) != round; spins++)
            if (spins % 100 == 99)
                sched_yield();
        if (data != round * 7ul)
            CHECK_EQ(data, round * 7ul);
        atomic_store_explicit(&flag, 0, memory_order_release);
    }
    return unused;
}

static void *buffered(void *unused)
{
    for (unsigned round = 1; round <= ROUNDS / 3; round++) {
        meet(1, 3 * round);
        atomic_store(&y, round);
        seen[1] = atomic_load(&x);
        meet(1, 3 * round + 1);
        meet(1, 3 * round + 2);
    }
    return unused;
}

static void *fenced(void *unused)
{
    for (unsigned round = 1; round <= ROUNDS / 3; round++) {
        meet(1, 3 * round);
        atomic_store_explicit(&y, round, memory_order_relaxed);
        atomic_thread_fence(memory_order_seq_cst);
        seen[1] = atomic_load_explicit(&x, memory_order_relaxed);
        meet(1, 3 * round + 1);
        meet(1, 3 * round + 2);
    }
    return unused;
}

int main(void)
{
    pthread_t thread;
    pthread_create(&thread, NULL, reader, NULL);
    for (unsigned round = 1; round <= ROUNDS; round++) {
        data = round * 7ul;
        atomic_store_explicit(&flag, round, memory_order_release);
        for (unsigned spins = 0; atomic_load_explicit(&flag, memory_order_acquire); spins++)
            if (spins % 100 == 99)
                sched_yield();
    }
    pthread_join(thread, NULL);
    for (int kind = 0; kind < 2; kind++) {
        x = y = 0;
        gate[0] = gate[1] = 0;
        pthread_create(&thread, NULL, kind ? fenced : buffered, NULL);
        for (unsigned round = 1; round <= ROUNDS / 3; round++) {
            meet(0, 3 * round);
            if (kind) {
                atomic_store_explicit(&x, round, memory_order_relaxed);
                atomic_thread_fence(memory_order_seq_cst);
                seen[0] = atomic_load_explicit(&y, memory_order_relaxed);
            } else {
                atomic_store(&x, round);
                seen[0] = atomic_load(&y);
            }
            meet(0, 3 * round + 1);
            /* At least one of the two saw the other's store of this round. */
            if (seen[0] != round && seen[1] != round)
                CHECK(seen[0] == round || seen[1] == round);
            meet(0, 3 * round + 2);
        }
        pthread_join(thread, NULL);
    }
    /* A store between load-exclusive and store-exclusive to another address keeps them apart; a lone store-exclusive fails. */
    uint64_t word = 5, other = 6, value, failed;
    __asm__ volatile("clrex\n stxr %w0, %2, [%1]" : "=&r"(failed) : "r"(&word), "r"(9ul) : "memory");
    CHECK_EQ((uint32_t)failed, 1);
    CHECK_EQ(word, 5);
    __asm__ volatile("ldxr %0, [%2]\n stxr %w1, %4, [%3]" : "=&r"(value), "=&r"(failed) : "r"(&word), "r"(&other), "r"(9ul) : "memory");
    CHECK(value == 5 && (uint32_t)failed == 1 && other == 6);
    return check_result();
}

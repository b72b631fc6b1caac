/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Threads: creation and exit, TLS, mutexes, conditions, barriers, atomics of both kinds, cancellation. */
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>
#include "check.h"

enum { THREADS = 8, ROUNDS = 20000 };

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static pthread_barrier_t barrier;
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_spinlock_t spinlock;
static uint64_t plain, by_spin, by_rwlock;
static _Atomic uint64_t added, swapped;
static _Atomic uint32_t small;
static _Atomic uint16_t half;
static _Atomic uint8_t byte;
static _Atomic int64_t biggest;
static __thread uint64_t own = 77;
static __thread char own_text[100] = "thread";
static _Alignas(16) struct { uint64_t a, b; } wide;

static void *work(void *argument)
{
    uint64_t id = (uint64_t)argument;
    CHECK_EQ(own, 77);
    CHECK(strcmp(own_text, "thread") == 0);
    own += id;
    pthread_barrier_wait(&barrier);
    for (unsigned i = 0; i < ROUNDS; i++) {
        pthread_mutex_lock(&mutex);
        plain++;
        pthread_mutex_unlock(&mutex);
        atomic_fetch_add(&added, i);
        atomic_fetch_add_explicit(&small, 1, memory_order_relaxed);
        atomic_fetch_add(&half, 3);
        atomic_fetch_xor(&byte, 1);
        uint64_t seen = atomic_load(&swapped);
        while (!atomic_compare_exchange_weak(&swapped, &seen, seen * 3 + 1 - seen * 2))
            ;
        int64_t top = atomic_load(&biggest);
        while (top < (int64_t)(i * id) && !atomic_compare_exchange_strong(&biggest, &top, (int64_t)(i * id)))
            ;
        if (i % 16 == 0) {
            pthread_spin_lock(&spinlock);
            by_spin++;
            pthread_spin_unlock(&spinlock);
            pthread_rwlock_wrlock(&rwlock);
            by_rwlock++;
            pthread_rwlock_unlock(&rwlock);
            pthread_rwlock_rdlock(&rwlock);
            CHECK(by_rwlock > 0);
            pthread_rwlock_unlock(&rwlock);
        }
        /* A pair under load-exclusive, store-exclusive: both halves always agree. */
        uint64_t a, b, failed;
        do
            __asm__ volatile("ldaxp %0, %1, [%3]\n add %0, %0, #1\n add %1, %1, #2\n stlxp %w2, %0, %1, [%3]"
                             : "=&r"(a), "=&r"(b), "=&r"(failed) : "r"(&wide) : "memory");
        while ((uint32_t)failed);
        if (b != 2 * a)
            CHECK_EQ(b, 2 * a);
    }
    CHECK_EQ(own, 77 + id);
    return (void *)(id * 10);
}

static void all_at_once(void)
{
    pthread_t threads[THREADS];
    pthread_barrier_init(&barrier, NULL, THREADS);
    pthread_spin_init(&spinlock, PTHREAD_PROCESS_PRIVATE);
    for (uint64_t i = 0; i < THREADS; i++)
        CHECK(pthread_create(&threads[i], NULL, work, (void *)i) == 0);
    for (uint64_t i = 0; i < THREADS; i++) {
        void *result;
        CHECK(pthread_join(threads[i], &result) == 0);
        CHECK_EQ(result, i * 10);
    }
    CHECK_EQ(plain, THREADS * ROUNDS);
    CHECK_EQ(added, THREADS * ((uint64_t)ROUNDS * (ROUNDS - 1) / 2));
    CHECK_EQ(swapped, THREADS * ROUNDS);
    CHECK_EQ(small, THREADS * ROUNDS);
    CHECK_EQ(half, (uint16_t)(THREADS * ROUNDS * 3));
    CHECK_EQ(byte, 0);
    CHECK_EQ(biggest, (THREADS - 1) * (ROUNDS - 1));
    CHECK_EQ(by_spin, THREADS * (ROUNDS / 16));
    CHECK_EQ(by_rwlock, THREADS * (ROUNDS / 16));
    CHECK_EQ(wide.a, THREADS * ROUNDS);
    CHECK_EQ(wide.b, 2 * THREADS * ROUNDS);
}

static unsigned turn;
static void *take_turns(void *argument)
{
    unsigned id = (unsigned)(uint64_t)argument;
    for (unsigned i = 0; i < 300; i++) {
        pthread_mutex_lock(&mutex);
        while (turn % 4 != id)
            pthread_cond_wait(&condition, &mutex);
        turn++;
        pthread_cond_broadcast(&condition);
        pthread_mutex_unlock(&mutex);
    }
    pthread_exit((void *)1);
}

static void *short_lived(void *argument)
{
    char text[64];
    snprintf(text, sizeof(text), "%p", argument);
    return (void *)(own + strlen(text) * 0);
}

static void *wait_for_ever(void *argument)
{
    int *cleaned = argument;
    pthread_cleanup_push((void (*)(void *))(void *)free, malloc(10));
    *cleaned = 1;
    for (;;)
        pause();
    pthread_cleanup_pop(1);
    return NULL;
}

static sem_t semaphore;
static void *post_later(void *unused)
{
    usleep(20000);
    sem_post(&semaphore);
    return unused;
}

int main(void)
{
    all_at_once();
    pthread_t threads[4];
    for (uint64_t i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, take_turns, (void *)i);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    CHECK_EQ(turn, 1200);
    for (int i = 0; i < 300; i++) {
        void *result;
        CHECK(pthread_create(&threads[0], NULL, short_lived, &i) == 0);
        CHECK(pthread_join(threads[0], &result) == 0);
        CHECK_EQ(result, 77);
    }
    volatile int started = 0;
    CHECK(pthread_create(&threads[0], NULL, wait_for_ever, (void *)&started) == 0);
    while (!started)
        usleep(100);
    pthread_cancel(threads[0]);
    void *result;
    pthread_join(threads[0], &result);
    CHECK(result == PTHREAD_CANCELED);
    sem_init(&semaphore, 0, 0);
    pthread_create(&threads[0], NULL, post_later, NULL);
    while (sem_wait(&semaphore))
        ;
    pthread_join(threads[0], NULL);
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += 5000000;
    if (until.tv_nsec >= 1000000000)
        until.tv_sec++, until.tv_nsec -= 1000000000;
    CHECK(sem_timedwait(&semaphore, &until) == -1 && errno == ETIMEDOUT);
    return check_result();
}

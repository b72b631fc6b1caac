/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A fixed amount of work, divided between threads:  threads KIND THREADS */
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_THREADS 64

struct worker {
    pthread_t thread;
    long first, last;
    uint64_t sum;
};

static atomic_ulong shared_sum;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static uint64_t guarded_sum;

static uint64_t mix(uint64_t x)
{
    for (int i = 0; i < 40; i++)
        x = (x ^ x >> 29) * 0xbf58476d1ce4e5b9u + i;
    return x;
}

/** Nothing is shared. */
static void *compute(void *opaque)
{
    struct worker *worker = opaque;
    uint64_t sum = 0;
    for (long i = worker->first; i < worker->last; i++)
        sum += mix((uint64_t)i) & 0xffff;
    worker->sum = sum;
    return NULL;
}

/** One atomic addition for each piece of work. */
static void *compute_atomic(void *opaque)
{
    struct worker *worker = opaque;
    for (long i = worker->first; i < worker->last; i++)
        atomic_fetch_add(&shared_sum, mix((uint64_t)i) & 0xffff);
    return NULL;
}

/** The mutex is taken for each eighth piece. */
static void *compute_mutex(void *opaque)
{
    struct worker *worker = opaque;
    uint64_t sum = 0;
    for (long i = worker->first; i < worker->last; i++) {
        sum += mix((uint64_t)i) & 0xffff;
        if (i % 8 != 7)
            continue;
        pthread_mutex_lock(&mutex);
        guarded_sum += sum;
        pthread_mutex_unlock(&mutex);
        sum = 0;
    }
    return NULL;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void *(*run)(void *worker);
        long pieces;
    } kinds[] = {{"compute", compute, 6000000}, {"atomic", compute_atomic, 5000000}, {"mutex", compute_mutex, 4000000}};
    static struct worker workers[MAX_THREADS];
    int threads = argc == 3 ? atoi(argv[2]) : 0;
    for (size_t k = 0; threads > 0 && threads <= MAX_THREADS && k < sizeof kinds / sizeof *kinds; k++) {
        if (strcmp(argv[1], kinds[k].name) != 0)
            continue;
        uint64_t sum = 0;
        long part = kinds[k].pieces / threads & ~7l;
        for (int i = 0; i < threads; i++) {
            workers[i] = (struct worker){.first = i * part, .last = i + 1 < threads ? (i + 1) * part : kinds[k].pieces};
            if (pthread_create(&workers[i].thread, NULL, kinds[k].run, &workers[i]) != 0)
                return 1;
        }
        for (int i = 0; i < threads; i++) {
            pthread_join(workers[i].thread, NULL);
            sum += workers[i].sum;
        }
        printf("%llu\n", (unsigned long long)(sum + shared_sum + guarded_sum));
        return 0;
    }
    return 2;
}

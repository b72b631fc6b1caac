/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Litmus tests: what the memory model forbids (Arm ARM DDI 0487, B2.3) must not be seen. Each is a few instructions a thread
 * on variables of their own for each instance, so that the threads run through many instances without meeting between them;
 * outcomes are looked at when all have ended. Names are the literature's. (QEMU 10.0.2 shows SB+rcsc now and then.)
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <time.h>
#include "check.h"

enum { INSTANCES = 4096, MAX_THREADS = 4 };

struct instance {
    _Alignas(64) uint64_t x;
    _Alignas(64) uint64_t y;
    _Alignas(64) uint64_t r[MAX_THREADS][2]; /* what thread n has read */
};
static struct instance instances[INSTANCES];

/* x0 = &x, x1 = &y, x2 = &r[thread] */
#define THREAD(name, code)                                                                                             \
    static void name(struct instance *i, unsigned thread)                                                              \
    {                                                                                                                  \
        register uint64_t *a __asm__("x0") = &i->x, *b __asm__("x1") = &i->y, *c __asm__("x2") = i->r[thread];          \
        __asm__ volatile(".arch armv8.4-a\n mov x3, #1\n mov x4, #2\n" code                                            \
                         :                                                                                             \
                         : "r"(a), "r"(b), "r"(c)                                                                      \
                         : "x3", "x4", "x5", "x6", "x7", "cc", "memory");                                              \
    }
#define KEEP "\n stp x5, x6, [x2]"
THREAD(mp_write_release, "str x3, [x0]\n stlr x3, [x1]")
THREAD(mp_write_dmb, "str x3, [x0]\n dmb ish\n str x3, [x1]")
THREAD(mp_write_dmb_st, "str x3, [x0]\n dmb ishst\n str x3, [x1]")
THREAD(mp_write_stlur, "str x3, [x0]\n stlur x3, [x1]")
THREAD(mp_read_acquire, "ldar x5, [x1]\n ldr x6, [x0]" KEEP)
THREAD(mp_read_rcpc, "ldapr x5, [x1]\n ldr x6, [x0]" KEEP)
THREAD(mp_read_dmb, "ldr x5, [x1]\n dmb ish\n ldr x6, [x0]" KEEP)
THREAD(mp_read_dmb_ld, "ldr x5, [x1]\n dmb ishld\n ldr x6, [x0]" KEEP)
THREAD(mp_read_address, "ldr x5, [x1]\n eor x7, x5, x5\n ldr x6, [x0, x7]" KEEP)
THREAD(mp_read_control, "ldr x5, [x1]\n cbnz x5, 1f\n 1: isb\n ldr x6, [x0]" KEEP)
THREAD(sb_dmb_0, "str x3, [x0]\n dmb ish\n ldr x5, [x1]" KEEP)
THREAD(sb_dmb_1, "str x3, [x1]\n dmb ish\n ldr x5, [x0]" KEEP)
THREAD(sb_dsb_0, "str x3, [x0]\n dsb ish\n ldr x5, [x1]" KEEP)
THREAD(sb_dsb_1, "str x3, [x1]\n dsb ish\n ldr x5, [x0]" KEEP)
THREAD(sb_rcsc_0, "stlr x3, [x0]\n ldar x5, [x1]" KEEP)
THREAD(sb_rcsc_1, "stlr x3, [x1]\n ldar x5, [x0]" KEEP)
THREAD(write_x, "str x3, [x0]")
THREAD(write_y, "str x3, [x1]")
THREAD(iriw_xy, "ldar x5, [x0]\n ldar x6, [x1]" KEEP)
THREAD(iriw_yx, "ldar x5, [x1]\n ldar x6, [x0]" KEEP)
THREAD(lb_data_0, "ldr x5, [x0]\n eor x7, x5, x5\n add x7, x7, #1\n str x7, [x1]" KEEP)
THREAD(lb_data_1, "ldr x5, [x1]\n eor x7, x5, x5\n add x7, x7, #1\n str x7, [x0]" KEEP)
THREAD(lb_control_0, "ldr x5, [x0]\n cbnz x5, 1f\n 1: str x3, [x1]" KEEP)
THREAD(lb_acquire_1, "ldar x5, [x1]\n str x3, [x0]" KEEP)
THREAD(corr_write, "str x3, [x0]\n str x4, [x0]")
THREAD(corr_read, "ldr x5, [x0]\n ldr x6, [x0]" KEEP)
THREAD(ww_0, "str x3, [x0]\n dmb ish\n str x4, [x1]")
THREAD(ww_1, "str x3, [x1]\n dmb ish\n str x4, [x0]")
THREAD(ww_release_0, "str x3, [x0]\n stlr x4, [x1]")
THREAD(ww_release_1, "str x3, [x1]\n stlr x4, [x0]")
THREAD(s_write, "str x4, [x0]\n dmb ishst\n str x3, [x1]")
THREAD(s_read, "ldr x5, [x1]\n eor x7, x5, x5\n add x7, x7, #1\n str x7, [x0]" KEEP)
THREAD(r_write, "str x3, [x0]\n dmb ish\n str x3, [x1]")
THREAD(r_read, "str x4, [x1]\n dmb ish\n ldr x5, [x0]" KEEP)
THREAD(sb_exclusive_0, "1: ldaxr x5, [x0]\n stlxr w6, x3, [x0]\n cbnz w6, 1b\n dmb ish\n ldr x5, [x1]" KEEP)
THREAD(sb_swap_1, "swpal x3, x5, [x1]\n ldar x5, [x0]" KEEP)

/* Forbidden outcomes. */
static int mp(const struct instance *i) { return i->r[1][0] == 1 && i->r[1][1] == 0; }
static int sb(const struct instance *i) { return i->r[0][0] == 0 && i->r[1][0] == 0; }
static int lb(const struct instance *i) { return i->r[0][0] == 1 && i->r[1][0] == 1; }
static int iriw(const struct instance *i)
{
    return i->r[2][0] == 1 && i->r[2][1] == 0 && i->r[3][0] == 1 && i->r[3][1] == 0;
}
static int corr(const struct instance *i) { return i->r[1][0] > i->r[1][1] || i->x != 2; } /* CoWW, too */
static int two_two_w(const struct instance *i) { return i->x == 1 && i->y == 1; }
static int s(const struct instance *i) { return i->r[1][0] == 1 && i->x == 2; }
static int r(const struct instance *i) { return i->y == 2 && i->r[1][0] == 0; }

static const struct test {
    const char *name;
    int (*forbidden)(const struct instance *);
    void (*threads[MAX_THREADS])(struct instance *, unsigned);
} tests[] = {
    {"MP+release+acquire", mp, {mp_write_release, mp_read_acquire}},
    {"MP+stlur+ldapr", mp, {mp_write_stlur, mp_read_rcpc}},
    {"MP+dmbs", mp, {mp_write_dmb, mp_read_dmb}},
    {"MP+dmb.st+dmb.ld", mp, {mp_write_dmb_st, mp_read_dmb_ld}},
    {"MP+dmb+addr", mp, {mp_write_dmb, mp_read_address}},
    {"MP+release+ctrlisb", mp, {mp_write_release, mp_read_control}},
    {"SB+dmbs", sb, {sb_dmb_0, sb_dmb_1}},
    {"SB+dsbs", sb, {sb_dsb_0, sb_dsb_1}},
    {"SB+rcsc", sb, {sb_rcsc_0, sb_rcsc_1}},
    {"SB+exclusive+swap", sb, {sb_exclusive_0, sb_swap_1}},
    {"IRIW+acquires", iriw, {write_x, write_y, iriw_xy, iriw_yx}},
    {"LB+datas", lb, {lb_data_0, lb_data_1}},
    {"LB+ctrl+acquire", lb, {lb_control_0, lb_acquire_1}},
    {"CoRR, CoWW", corr, {corr_write, corr_read}},
    {"2+2W+dmbs", two_two_w, {ww_0, ww_1}},
    {"2+2W+releases", two_two_w, {ww_release_0, ww_release_1}},
    {"S+dmb.st+data", s, {s_write, s_read}},
    {"R+dmbs", r, {r_write, r_read}},
};

static const struct test *current;
static _Atomic unsigned arrived;

static void *run_thread(void *argument)
{
    unsigned thread = (unsigned)(uintptr_t)argument, count = 0;
    while (count < MAX_THREADS && current->threads[count])
        count++;
    atomic_fetch_add(&arrived, 1);
    while (atomic_load(&arrived) < count)
        sched_yield();
    for (unsigned i = 0; i < INSTANCES; i++)
        current->threads[thread](&instances[i], thread);
    return NULL;
}

static void run_test(const struct test *test)
{
    pthread_t threads[MAX_THREADS];
    unsigned count = 0;
    memset(instances, 0, sizeof instances);
    current = test;
    atomic_store(&arrived, 0);
    for (; count < MAX_THREADS && test->threads[count]; count++)
        CHECK(pthread_create(&threads[count], NULL, run_thread, (void *)(uintptr_t)count) == 0);
    for (unsigned i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
    unsigned seen = 0;
    for (unsigned i = 0; i < INSTANCES; i++)
        seen += test->forbidden(&instances[i]) != 0;
    if (seen) {
        printf("%s: seen %u times\n", test->name, seen);
        CHECK_EQ(seen, 0);
    }
}

/* ---- atomicity: operations of all kinds and sizes on the same words ------------------------------------------------- */

enum { ROUNDS = 2000 };
static _Alignas(16) uint64_t pair[2], sums[2];
static _Alignas(8) uint32_t halves[2];

static void *add_everywhere(void *argument)
{
    uint64_t self = (uint64_t)argument, a, b, old;
    uint32_t status;
    for (unsigned i = 0; i < ROUNDS; i++) {
        /* a pair of equal halves, by exclusives and by CASP */
        if ((self + i) % 2) {
            __asm__ volatile("1: ldaxp %0, %1, [%3]\n add %0, %0, #1\n add %1, %1, #1\n stlxp %w2, %0, %1, [%3]\n cbnz %w2, 1b"
                             : "=&r"(a), "=&r"(b), "=&r"(status) : "r"(pair) : "memory");
        } else {
            __asm__ volatile(".arch armv8.1-a\n ldp x4, x5, [%2]\n 1: mov x8, x4\n mov x9, x5\n add x6, x4, #1\n add x7, x5, #1\n"
                             "caspal x4, x5, x6, x7, [%2]\n cmp x4, x8\n ccmp x5, x9, #0, eq\n b.ne 1b\n mov %0, x4\n mov %1, x5"
                             : "=&r"(a), "=&r"(b) : "r"(pair) : "x4", "x5", "x6", "x7", "x8", "x9", "cc", "memory");
        }
        CHECK_EQ(a, b);
        /* LDADD against LDXR, CAS against SWP's relatives, on one word */
        switch ((self + i) % 3) {
        case 0: __asm__ volatile(".arch armv8.1-a\n ldaddal %1, %0, [%2]" : "=&r"(old) : "r"(1ul), "r"(sums) : "memory"); break;
        case 1:
            __asm__ volatile("1: ldxr %0, [%2]\n add %0, %0, #1\n stxr %w1, %0, [%2]\n cbnz %w1, 1b"
                             : "=&r"(old), "=&r"(status) : "r"(sums) : "memory");
            break;
        default:
            do {
                old = *(volatile uint64_t *)sums;
                a = old;
                __asm__ volatile(".arch armv8.1-a\n cas %0, %1, [%2]" : "+r"(a) : "r"(old + 1), "r"(sums) : "memory");
            } while (a != old);
        }
        /* words of four and of eight bytes over each other */
        __asm__ volatile("1: ldxr %w0, [%2]\n add %w0, %w0, #1\n stxr %w1, %w0, [%2]\n cbnz %w1, 1b"
                         : "=&r"(a), "=&r"(status) : "r"(&halves[self % 2]) : "memory");
        __asm__ volatile("1: ldxr %0, [%2]\n add %0, %0, %3\n stxr %w1, %0, [%2]\n cbnz %w1, 1b"
                         : "=&r"(a), "=&r"(status) : "r"(halves), "r"(UINT64_C(0x100000001)) : "memory");
    }
    return NULL;
}

static void test_atomicity(void)
{
    pthread_t threads[MAX_THREADS];
    for (uint64_t i = 0; i < MAX_THREADS; i++)
        pthread_create(&threads[i], NULL, add_everywhere, (void *)i);
    for (unsigned i = 0; i < MAX_THREADS; i++)
        pthread_join(threads[i], NULL);
    CHECK_EQ(pair[0], MAX_THREADS * ROUNDS);
    CHECK_EQ(pair[1], MAX_THREADS * ROUNDS);
    CHECK_EQ(sums[0], MAX_THREADS * ROUNDS);
    CHECK_EQ(halves[0], MAX_THREADS * ROUNDS + MAX_THREADS / 2 * ROUNDS);
    CHECK_EQ(halves[1], halves[0]);
}

int main(void)
{
    time_t begun = time(NULL);
    /* At least once each, and again while there is time. */
    for (unsigned round = 0; round < 100 && (round == 0 || time(NULL) - begun < 2); round++)
        for (unsigned i = 0; i < sizeof tests / sizeof tests[0]; i++)
            run_test(&tests[i]);
    test_atomicity();
    return check_result();
}

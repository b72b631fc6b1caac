/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Exclusives: what loops of them leave in registers, flags and memory; what makes a store-exclusive fail; where they fault.
 * The architecture lets a store-exclusive fail at any time, so a success that is wanted is tried for several times.
 *
 * QEMU 10 compares values: it does not see a write of the same value; nor does it check alignment. An argument leaves the first
 * out, one that begins with n the faults, too.
 */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>
#include "check.h"

#define TRIES 2000

/* ---- loops that are one operation ---------------------------------------------------------------------------------- */

struct state {
    uint64_t x[8]; /* x[0]: loaded, x[1]: operand, x[2]: stored, x[3]: status, x[4], x[5]: more */
    uint64_t nzcv;
    _Alignas(16) uint64_t memory[2];
};

/* BODY with x0..x5 of the state and x9 = its memory. */
#define RUN(name, body)                                                                                                \
    static void name(struct state *s)                                                                                  \
    {                                                                                                                  \
        register struct state *p __asm__("x8") = s;                                                                    \
        __asm__ volatile("ldp x0, x1, [x8]\n ldp x2, x3, [x8, #16]\n ldp x4, x5, [x8, #32]\n ldr x6, [x8, #64]\n"        \
                         "msr nzcv, x6\n add x9, x8, #80\n" body                                                       \
                         "\n stp x0, x1, [x8]\n stp x2, x3, [x8, #16]\n stp x4, x5, [x8, #32]\n mrs x6, nzcv\n"          \
                         "str x6, [x8, #64]\n"                                                                         \
                         :                                                                                             \
                         : "r"(p)                                                                                      \
                         : "x0", "x1", "x2", "x3", "x4", "x5", "x6", "x9", "cc", "memory");                            \
    }
_Static_assert(offsetof(struct state, nzcv) == 64 && offsetof(struct state, memory) == 80, "as the assembly has it");

#define LOOP(ld, reg, op, st, stored) "1: " ld " " reg "0, [x9]\n" op "\n" st " w3, " reg stored ", [x9]\n cbnz w3, 1b"
#define EACH_SIZE(name, op)                                                                                            \
    RUN(name##_1, LOOP("ldaxrb", "w", op("w"), "stlxrb", "2"))                                                           \
    RUN(name##_2, LOOP("ldxrh", "w", op("w"), "stlxrh", "2"))                                                            \
    RUN(name##_4, LOOP("ldaxr", "w", op("w"), "stxr", "2"))                                                              \
    RUN(name##_8, LOOP("ldxr", "x", op("x"), "stxr", "2"))                                                               \
    static void (*const name[])(struct state *) = {name##_1, name##_2, name##_4, name##_8};

#define OP_ADD(r) "add " r "2, " r "0, " r "1"
#define OP_ADD_SWAPPED(r) "adds " r "2, " r "1, " r "0"
#define OP_SUBS(r) "subs " r "2, " r "0, " r "1"
#define OP_SUB_SHIFTED(r) "sub " r "2, " r "0, " r "1, lsl #3"
#define OP_INC(r) "add " r "2, " r "0, #0xabc"
#define OP_BIC(r) "bic " r "2, " r "0, " r "1"
#define OP_ANDS(r) "ands " r "2, " r "0, #0xfe"
#define OP_ORN(r) "orn " r "2, " r "0, " r "1, lsr #2"
#define OP_ORR(r) "orr " r "2, " r "1, " r "0"
#define OP_EON(r) "eon " r "2, " r "1, " r "0"
#define OP_EOR(r) "eor " r "2, " r "0, " r "1, ror #5"
#define OP_SWAP(r) "mov " r "2, " r "1"
#define OP_MAX(r) "cmp " r "0, " r "1\n csel " r "2, " r "0, " r "1, gt"
#define OP_MIN(r) "cmp " r "0, " r "1\n csel " r "2, " r "1, " r "0, hs"
#define OP_NAND(r) "and " r "2, " r "0, " r "1\n mvn " r "2, " r "2"
#define OP_REVERSE(r) "sub " r "2, " r "1, " r "0"
#define OP_LONG(r) "lsl " r "4, " r "0, #1\n eor " r "4, " r "4, " r "1\n csel " r "2, " r "4, " r "1, eq\n cmn " r "2, #1"
EACH_SIZE(loop_add, OP_ADD)
EACH_SIZE(loop_add_swapped, OP_ADD_SWAPPED)
EACH_SIZE(loop_subs, OP_SUBS)
EACH_SIZE(loop_sub_shifted, OP_SUB_SHIFTED)
EACH_SIZE(loop_inc, OP_INC)
EACH_SIZE(loop_bic, OP_BIC)
EACH_SIZE(loop_ands, OP_ANDS)
EACH_SIZE(loop_orn, OP_ORN)
EACH_SIZE(loop_orr, OP_ORR)
EACH_SIZE(loop_eon, OP_EON)
EACH_SIZE(loop_eor, OP_EOR)
EACH_SIZE(loop_swap, OP_SWAP)
EACH_SIZE(loop_max, OP_MAX)
EACH_SIZE(loop_min, OP_MIN)
EACH_SIZE(loop_nand, OP_NAND)
EACH_SIZE(loop_reverse, OP_REVERSE)
EACH_SIZE(loop_long, OP_LONG)

/* The same body with an ordinary load and store: what it is to give. Without the exclusives it is not recognised. */
#define PLAIN(ld, reg, op, st) ld " " reg "0, [x9]\n" op "\n" st " " reg "2, [x9]\n mov w3, #0"
#define EACH_PLAIN(name, op)                                                                                           \
    RUN(name##_p1, PLAIN("ldrb", "w", op("w"), "strb"))                                                                  \
    RUN(name##_p2, PLAIN("ldrh", "w", op("w"), "strh"))                                                                  \
    RUN(name##_p4, PLAIN("ldr", "w", op("w"), "str"))                                                                    \
    RUN(name##_p8, PLAIN("ldr", "x", op("x"), "str"))                                                                    \
    static void (*const name##_plain[])(struct state *) = {name##_p1, name##_p2, name##_p4, name##_p8};
EACH_PLAIN(loop_add, OP_ADD)
EACH_PLAIN(loop_add_swapped, OP_ADD_SWAPPED)
EACH_PLAIN(loop_subs, OP_SUBS)
EACH_PLAIN(loop_sub_shifted, OP_SUB_SHIFTED)
EACH_PLAIN(loop_inc, OP_INC)
EACH_PLAIN(loop_bic, OP_BIC)
EACH_PLAIN(loop_ands, OP_ANDS)
EACH_PLAIN(loop_orn, OP_ORN)
EACH_PLAIN(loop_orr, OP_ORR)
EACH_PLAIN(loop_eon, OP_EON)
EACH_PLAIN(loop_eor, OP_EOR)
EACH_PLAIN(loop_swap, OP_SWAP)
EACH_PLAIN(loop_max, OP_MAX)
EACH_PLAIN(loop_min, OP_MIN)
EACH_PLAIN(loop_nand, OP_NAND)
EACH_PLAIN(loop_reverse, OP_REVERSE)
EACH_PLAIN(loop_long, OP_LONG)

/* Compare and swap: `cmp` of x0 with x1, x2 stored. */
#define CAS(ld, reg, compare, st) "1: " ld " " reg "0, [x9]\n" compare "\n b.ne 2f\n" st " w3, " reg "2, [x9]\n cbnz w3, 1b\n 2:"
#define CAS_PLAIN(ld, reg, compare, st) ld " " reg "0, [x9]\n" compare "\n b.ne 2f\n" st " " reg "2, [x9]\n mov w3, #0\n 2:"
#define WEAK(ld, reg, compare, st) ld " " reg "0, [x9]\n" compare "\n b.ne 2f\n" st " w3, " reg "2, [x9]\n 2:"
#define EACH_CAS(kind, name, b, h, w, x)                                                                               \
    RUN(name##_1, kind(x("ldaxrb", "ldrb"), "w", b, x("stlxrb", "strb")))                                              \
    RUN(name##_2, kind(x("ldxrh", "ldrh"), "w", h, x("stlxrh", "strh")))                                               \
    RUN(name##_4, kind(x("ldxr", "ldr"), "w", w("w"), x("stxr", "str")))                                                 \
    RUN(name##_8, kind(x("ldaxr", "ldr"), "x", w("x"), x("stlxr", "str")))                                               \
    static void (*const name[])(struct state *) = {name##_1, name##_2, name##_4, name##_8};
#define FIRST(a, b) a
#define SECOND(a, b) b
#define COMPARE(r) "cmp " r "0, " r "1"
#define COMPARE_SWAPPED(r) "cmp " r "1, " r "0"
#define COMPARE_IMM(r) "cmp " r "0, #42"
EACH_CAS(CAS, cas, "cmp w0, w1, uxtb", "cmp w0, w1, uxth", COMPARE, FIRST)
EACH_CAS(CAS_PLAIN, cas_plain, "cmp w0, w1, uxtb", "cmp w0, w1, uxth", COMPARE, SECOND)
EACH_CAS(WEAK, weak, "cmp w0, w1", "cmp w1, w0", COMPARE_SWAPPED, FIRST)
EACH_CAS(CAS_PLAIN, weak_plain, "cmp w0, w1", "cmp w1, w0", COMPARE_SWAPPED, SECOND)
EACH_CAS(CAS, cas_imm, "cmp w0, #42", "cmp w0, #42", COMPARE_IMM, FIRST)
EACH_CAS(CAS_PLAIN, cas_imm_plain, "cmp w0, #42", "cmp w0, #42", COMPARE_IMM, SECOND)
RUN(cas_pair, "1: ldaxp x0, x4, [x9]\n cmp x0, x1\n ccmp x4, x5, #0, eq\n b.ne 2f\n stlxp w3, x2, x5, [x9]\n cbnz w3, 1b\n 2:")
RUN(cas_pair_plain, "ldp x0, x4, [x9]\n cmp x0, x1\n ccmp x4, x5, #0, eq\n b.ne 2f\n stp x2, x5, [x9]\n mov w3, #0\n 2:")
RUN(cas_words, "1: ldxp w0, w4, [x9]\n cmp w0, w1\n ccmp w4, w5, #8, eq\n b.ne 2f\n stxp w3, w2, w5, [x9]\n cbnz w3, 1b\n 2:")
RUN(cas_words_plain, "ldp w0, w4, [x9]\n cmp w0, w1\n ccmp w4, w5, #8, eq\n b.ne 2f\n stp w2, w5, [x9]\n mov w3, #0\n 2:")
/* With a way out in the middle that is no comparison for equality. */
RUN(positive, "1: ldaxr w0, [x9]\n cmp w0, #0\n b.le 2f\n sub w2, w0, #1\n stlxr w3, w2, [x9]\n cbnz w3, 1b\n 2:")
RUN(positive_plain, "ldr w0, [x9]\n cmp w0, #0\n b.le 2f\n sub w2, w0, #1\n str w2, [x9]\n mov w3, #0\n 2:")
RUN(test_bit, "1: ldxr x0, [x9]\n tbnz x0, #5, 2f\n orr x2, x0, #32\n stxr w3, x2, [x9]\n cbnz w3, 1b\n 2:")
RUN(test_bit_plain, "ldr x0, [x9]\n tbnz x0, #5, 2f\n orr x2, x0, #32\n str x2, [x9]\n mov w3, #0\n 2:")
/* Begun in its middle: the store-exclusive fails, and the loop starts over. */
RUN(middle, "clrex\n mov w0, #7\n b 3f\n 1: ldxr w0, [x9]\n 3: add w2, w0, w1\n stxr w3, w2, [x9]\n cbnz w3, 1b")
RUN(middle_plain, "ldr w0, [x9]\n add w2, w0, w1\n str w2, [x9]\n mov w3, #0")

static const uint64_t interesting[] = {0,          1,          2,          42,         0x7f,
                                       0x80,       0xff,       0x7fff,     0x8000,     0xffff,
                                       0x7fffffff, 0x80000000, 0xffffffff, 0x123456789abcdef0, UINT64_MAX};
#define INTERESTING (sizeof interesting / sizeof interesting[0])

static void compare_with(const char *what, unsigned which, void (*run)(struct state *), void (*plain)(struct state *))
{
    for (unsigned i = 0; i < INTERESTING; i++)
        for (unsigned k = 0; k < INTERESTING; k++) {
            struct state a = {{11, interesting[k], 0x2222222222222222, 33, 44, interesting[(k + i / 2) % INTERESTING]},
                              (uint64_t)(i % 16) << 28,
                              {interesting[i], interesting[(k + i / 2) % INTERESTING]}}, b = a;
            run(&a);
            plain(&b);
            if (memcmp(&a, &b, sizeof a) != 0) {
                printf("%s, %u: with %#llx and %#llx\n", what, which, (unsigned long long)interesting[i],
                       (unsigned long long)interesting[k]);
                for (unsigned n = 0; n < 6; n++)
                    CHECK_EQ(a.x[n], b.x[n]);
                CHECK_EQ(a.nzcv, b.nzcv);
                CHECK_EQ(a.memory[0], b.memory[0]);
                CHECK_EQ(a.memory[1], b.memory[1]);
            }
        }
}

static void test_loops(void)
{
#define COMPARE_ALL(name) \
    for (unsigned i = 0; i < 4; i++) \
        compare_with(#name, i, name[i], name##_plain[i])
    COMPARE_ALL(loop_add);
    COMPARE_ALL(loop_add_swapped);
    COMPARE_ALL(loop_subs);
    COMPARE_ALL(loop_sub_shifted);
    COMPARE_ALL(loop_inc);
    COMPARE_ALL(loop_bic);
    COMPARE_ALL(loop_ands);
    COMPARE_ALL(loop_orn);
    COMPARE_ALL(loop_orr);
    COMPARE_ALL(loop_eon);
    COMPARE_ALL(loop_eor);
    COMPARE_ALL(loop_swap);
    COMPARE_ALL(loop_max);
    COMPARE_ALL(loop_min);
    COMPARE_ALL(loop_nand);
    COMPARE_ALL(loop_reverse);
    COMPARE_ALL(loop_long);
    COMPARE_ALL(cas);
    COMPARE_ALL(weak);
    COMPARE_ALL(cas_imm);
    compare_with("cas_pair", 0, cas_pair, cas_pair_plain);
    compare_with("cas_words", 0, cas_words, cas_words_plain);
    compare_with("positive", 0, positive, positive_plain);
    compare_with("test_bit", 0, test_bit, test_bit_plain);
    compare_with("middle", 0, middle, middle_plain);
}

/* ---- what breaks an exclusive, by the same thread ------------------------------------------------------------------- */

static _Alignas(16) uint64_t word[4];

/** Load-exclusive of word[0], the code, store-exclusive of 99 to address `to`: its status. */
#define COUPLE(between, to)                                                                                            \
    ({                                                                                                                 \
        uint32_t status_;                                                                                              \
        uint64_t value_;                                                                                               \
        __asm__ volatile("ldxr %1, [%2]\n" between "\n stxr %w0, %4, [%3]"                                             \
                         : "=&r"(status_), "=&r"(value_)                                                               \
                         : "r"(word), "r"(to), "r"(99ul)                                                               \
                         : "x0", "x1", "x2", "x3", "x4", "x5", "x8", "x30", "cc", "memory");                           \
        status_;                                                                                                       \
    })
#define SUCCEEDS(couple)                                                                                               \
    do {                                                                                                               \
        unsigned tries = 0;                                                                                            \
        word[0] = 5;                                                                                                   \
        while ((couple) != 0 && ++tries < TRIES)                                                                       \
            ;                                                                                                          \
        CHECK(tries < TRIES);                                                                                          \
        CHECK_EQ(word[0], 99);                                                                                         \
    } while (0)
#define FAILS(couple)                                                                                                  \
    do {                                                                                                               \
        word[0] = 5;                                                                                                   \
        word[2] = 6;                                                                                                   \
        CHECK_EQ(couple, 1);                                                                                           \
        CHECK(word[0] == 5 && word[2] == 6);                                                                           \
    } while (0)

__attribute__((noinline)) static uint64_t load_in_function(uint64_t *at)
{
    uint64_t value;
    __asm__ volatile("ldaxr %0, [%1]" : "=r"(value) : "r"(at) : "memory");
    return value;
}

__attribute__((noinline)) static uint32_t store_in_function(uint64_t *at, uint64_t value)
{
    uint32_t status;
    __asm__ volatile("stlxr %w0, %1, [%2]" : "=&r"(status) : "r"(value), "r"(at) : "memory");
    return status;
}

static void nothing(int signal) { (void)signal; }

static void test_alone(void)
{
    SUCCEEDS(COUPLE("", word));
    SUCCEEDS(COUPLE("dmb ish", word));
    SUCCEEDS(COUPLE("ldr x0, [%2, #24]", word));
    SUCCEEDS((load_in_function(word), store_in_function(word, 99)));
    FAILS(COUPLE("clrex", word));
    FAILS(COUPLE("", word + 2));
    FAILS(COUPLE("ldr x0, [%2, #24]", word + 2));
    FAILS(COUPLE("ldxr x0, [%2]\n stxr w1, x0, [%2]", word)); /* the second one ends the monitor */
    FAILS(COUPLE("mov x8, #172\n svc #0", word));             /* getpid: an exception return clears it */
    /* A signal in between. */
    struct sigaction action = {.sa_handler = nothing};
    sigaction(SIGUSR1, &action, NULL);
    word[0] = 5;
    load_in_function(word);
    raise(SIGUSR1);
    CHECK_EQ(store_in_function(word, 99), 1);
    CHECK_EQ(word[0], 5);
    /* The way out of a compare-and-swap leaves nothing that a store-exclusive elsewhere could use for ever. */
    uint32_t status;
    uint64_t value;
    for (unsigned i = 0; i < 3; i++) {
        __asm__ volatile("ldxr %1, [%2]\n cmp %1, #77\n b.ne 1f\n stxr %w0, %1, [%2]\n 1: clrex\n stxr %w0, %3, [%2]"
                         : "=&r"(status), "=&r"(value)
                         : "r"(word), "r"(99ul)
                         : "cc", "memory");
        CHECK_EQ(status, 1);
        CHECK_EQ(word[0], 5);
    }
}

/* ---- the same value, written by another thread ---------------------------------------------------------------------- */

enum { PLAIN, RELEASE, EXCLUSIVE, SWAP, CALL, NEIGHBOUR, OTHER_KINDS };
static _Atomic unsigned request, answer;
static _Atomic int kind;
static int pipe_ends[2];

static void *other_thread(void *unused)
{
    for (unsigned round = 1;; round++) {
        while (atomic_load(&request) != round)
            sched_yield();
        uint64_t value = word[0];
        switch (atomic_load(&kind)) {
        case PLAIN: *(volatile uint64_t *)word = value; break;
        case RELEASE: __asm__ volatile("stlr %0, [%1]" : : "r"(value), "r"(word) : "memory"); break;
        case EXCLUSIVE: {
            uint32_t status;
            do
                __asm__ volatile("ldxr %1, [%2]\n stxr %w0, %1, [%2]" : "=&r"(status), "=&r"(value) : "r"(word) : "memory");
            while (status);
            break;
        }
        case SWAP: /* FEAT_LSE */
            __asm__ volatile(".arch armv8.1-a\n swp %0, %0, [%1]" : "+r"(value) : "r"(word) : "memory");
            break;
        case CALL:
            CHECK(write(pipe_ends[1], &value, 8) == 8 && read(pipe_ends[0], word, 8) == 8);
            break;
        case NEIGHBOUR: *(volatile uint64_t *)(word + 3) = round; break;
        default: return unused;
        }
        atomic_store(&answer, round);
    }
}

static void test_same_value(void)
{
    pthread_t thread;
    unsigned round = 0, succeeded = 0;
    CHECK(pipe(pipe_ends) == 0);
    pthread_create(&thread, NULL, other_thread, NULL);
    for (int k = 0; k < OTHER_KINDS; k++) {
        atomic_store(&kind, k);
        for (unsigned i = 0; i < 10; i++) {
            word[0] = 5;
            round++;
            CHECK_EQ(load_in_function(word), 5);
            atomic_store_explicit(&request, round, memory_order_release);
            while (atomic_load_explicit(&answer, memory_order_acquire) != round)
                ;
            uint32_t status = store_in_function(word, 99);
            if (k == NEIGHBOUR)
                succeeded += !status;
            else
                CHECK(status == 1 && word[0] == 5);
        }
    }
    (void)succeeded; /* may be none: an implementation's granule is up to 2 KiB, and any reason will do */
    /* With another thread there, too, sequences with accesses in between come to their end. */
    SUCCEEDS(COUPLE("ldr x0, [%2, #24]", word));
    SUCCEEDS((load_in_function(word), store_in_function(word, 99)));
    SUCCEEDS(COUPLE("mov x0, #30\n 1: sub x0, x0, #1\n cbnz x0, 1b", word));
    SUCCEEDS(COUPLE("mov x0, #1000\n 1: sub x0, x0, #1\n cbnz x0, 1b", word));
    FAILS(COUPLE("ldr x0, [%2, #24]", word + 2));
    FAILS(COUPLE("ldr x0, [%2, #24]\n clrex", word));
    atomic_store(&kind, OTHER_KINDS);
    atomic_store(&request, round + 1);
    pthread_join(thread, NULL);
}

/* ---- many threads ---------------------------------------------------------------------------------------------------- */

enum { THREADS = 4, ROUNDS = 800 };
static _Alignas(64) uint64_t counted, with_load, with_call, spin_word, under_spin, with_weak;
static _Alignas(16) uint64_t pair[2];
static _Alignas(8) uint8_t bytes[8];
static pthread_barrier_t barrier;

static void *contend(void *argument)
{
    uint64_t self = (uint64_t)argument, value, other;
    uint32_t status;
    pthread_barrier_wait(&barrier);
    for (unsigned i = 0; i < ROUNDS; i++) {
        __asm__ volatile("1: ldxr %0, [%2]\n add %0, %0, #1\n stxr %w1, %0, [%2]\n cbnz %w1, 1b"
                         : "=&r"(value), "=&r"(status) : "r"(&counted) : "memory");
        if (i % 16 == 0) {
            __asm__ volatile("1: ldaxr %0, [%2]\n ldr %0, [%2]\n add %0, %0, #1\n stlxr %w1, %0, [%2]\n cbnz %w1, 1b"
                             : "=&r"(value), "=&r"(status) : "r"(&with_load) : "memory");
            do
                value = load_in_function(&with_call);
            while (store_in_function(&with_call, value + 1));
        }
        /* a lock whose waiters only look */
        while (*(volatile uint64_t *)&spin_word)
            sched_yield();
        __asm__ volatile("1: ldaxr %w0, [%2]\n cbnz %w0, 1b\n stxr %w0, %w3, [%2]\n cbnz %w0, 1b"
                         : "=&r"(value), "=&r"(status) : "r"(&spin_word), "r"(1) : "memory");
        under_spin++;
        __asm__ volatile("stlr wzr, [%0]" : : "r"(&spin_word) : "memory");
        /* both halves always agree */
        __asm__ volatile("1: ldxp %0, %1, [%3]\n eor %1, %1, %0\n add %0, %0, #1\n eor %1, %1, %0\n stxp %w2, %0, %1, [%3]\n"
                         "cbnz %w2, 1b"
                         : "=&r"(value), "=&r"(other), "=&r"(status) : "r"(pair) : "memory");
        CHECK_EQ(value, other);
        /* bytes and all of them */
        __asm__ volatile("1: ldxrb %w0, [%2]\n add %w0, %w0, #1\n stxrb %w1, %w0, [%2]\n cbnz %w1, 1b"
                         : "=&r"(value), "=&r"(status) : "r"(bytes + self) : "memory");
        __asm__ volatile("1: ldxr %0, [%2]\n add %0, %0, %3\n stxr %w1, %0, [%2]\n cbnz %w1, 1b"
                         : "=&r"(value), "=&r"(status) : "r"(bytes), "r"(UINT64_C(1) << (8 * self + 32)) : "memory");
        /* an increment that leaves when it is large */
        __asm__ volatile("1: ldxr %0, [%2]\n cmp %0, %3\n b.hs 2f\n add %0, %0, #1\n stlxr %w1, %0, [%2]\n cbnz %w1, 1b\n 2:"
                         : "=&r"(value), "=&r"(status) : "r"(&with_weak), "r"(UINT64_C(2000)) : "cc", "memory");
    }
    return NULL;
}

static void test_contention(void)
{
    pthread_t threads[THREADS];
    pthread_barrier_init(&barrier, NULL, THREADS);
    for (uint64_t i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, contend, (void *)i);
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    const unsigned rare = (ROUNDS + 15) / 16;
    CHECK_EQ(counted, THREADS * ROUNDS);
    CHECK_EQ(with_load, THREADS * rare);
    CHECK_EQ(with_call, THREADS * rare);
    CHECK_EQ(under_spin, THREADS * ROUNDS);
    CHECK_EQ(pair[0], THREADS * ROUNDS);
    CHECK_EQ(pair[1], THREADS * ROUNDS);
    CHECK_EQ(with_weak, 2000);
    for (unsigned i = 0; i < 4; i++)
        CHECK_EQ(bytes[i], ROUNDS & 255);
}

/* ---- faults ---------------------------------------------------------------------------------------------------------- */

static volatile int got_signal;
static volatile uint64_t fault_pc, fault_address;

static void on_fault(int signal, siginfo_t *info, void *context)
{
    ucontext_t *uc = context;
    got_signal = signal;
    fault_pc = uc->uc_mcontext.pc;
    fault_address = (uint64_t)info->si_addr;
    uc->uc_mcontext.pc = uc->uc_mcontext.regs[10]; /* where x10 says */
}

/* Runs the code with x9 = at; labels 71 and 72 are its load- and its store-exclusive. */
#define FAULTS(code, at, signal, where)                                                                                \
    do {                                                                                                               \
        uint64_t at_load, at_store;                                                                                    \
        got_signal = 0;                                                                                                \
        __asm__ volatile("mov x9, %2\n adr x10, 73f\n adr %0, 71f\n adr %1, 72f\n mov x1, #5\n mov x2, #6\n"              \
                         "mov x4, #4\n mov x5, #5\n" code "\n 73:"                                                     \
                         : "=&r"(at_load), "=&r"(at_store)                                                             \
                         : "r"(at)                                                                                     \
                         : "x0", "x1", "x2", "x3", "x4", "x5", "x9", "x10", "cc", "memory");                           \
        CHECK_EQ(got_signal, signal);                                                                                  \
        if (signal) {                                                                                                  \
            CHECK_EQ(fault_pc, where);                                                                                 \
            CHECK_EQ(fault_address, (uint64_t)(at));                                                                   \
        }                                                                                                              \
    } while (0)
#define ADD_LOOP "71: ldxr x0, [x9]\n add x2, x0, x1\n 72: stxr w3, x2, [x9]\n cbnz w3, 71b"
#define CAS_LOOP "71: ldaxr x0, [x9]\n cmp x0, x1\n b.ne 1f\n 72: stlxr w3, x2, [x9]\n cbnz w3, 71b\n 1:"
#define PAIR_LOOP "71: ldxp x0, x3, [x9]\n cmp x0, x1\n ccmp x3, x5, #0, eq\n b.ne 1f\n 72: stxp w3, x2, x4, [x9]\n cbnz w3, 71b\n 1:"
#define LONG_LOOP "71: ldxr x0, [x9]\n neg x2, x0\n 72: stxr w3, x2, [x9]\n cbnz w3, 71b"
#define OUT_LOOP "71: ldxr x0, [x9]\n cbz x0, 1f\n neg x2, x0\n 72: stxr w3, x2, [x9]\n cbnz w3, 71b\n 1:"

static void test_faults(void)
{
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
    sigaction(SIGSEGV, &action, NULL);
    sigaction(SIGBUS, &action, NULL);
    uint64_t *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    page[0] = 5;
    page[1] = 5;
    page[4] = 50;
    mprotect(page, 4096, PROT_READ);
    mprotect(page + 512, 4096, PROT_NONE);
    for (unsigned i = 0; i < 3; i++) {
        FAULTS(ADD_LOOP, page, SIGSEGV, at_store);
        FAULTS(CAS_LOOP, page, SIGSEGV, at_store);
        FAULTS(PAIR_LOOP, page, SIGSEGV, at_store);
        FAULTS(LONG_LOOP, page, SIGSEGV, at_store);
        FAULTS(OUT_LOOP, page, SIGSEGV, at_store);
        /* the value is another one: nothing is stored */
        FAULTS(CAS_LOOP, page + 4, 0, 0);
        FAULTS(PAIR_LOOP, page + 4, 0, 0);
        FAULTS(OUT_LOOP, page + 8, 0, 0);
        FAULTS(ADD_LOOP, page + 512, SIGSEGV, at_load);
        FAULTS(CAS_LOOP, page + 512, SIGSEGV, at_load);
        FAULTS(PAIR_LOOP, page + 512, SIGSEGV, at_load);
        FAULTS(LONG_LOOP, page + 512, SIGSEGV, at_load);
    }
    CHECK(page[0] == 5 && page[1] == 5 && page[4] == 50);
    /* Not aligned: the load-exclusive faults, or, with FEAT_LSE2 and inside of 16 bytes, the store-exclusive does. */
    char *odd = (char *)word + 1;
    got_signal = 0;
    uint64_t before[4];
    memcpy(before, word, sizeof before);
    uint64_t at_load, at_store;
    __asm__ volatile("mov x9, %2\n adr x10, 73f\n adr %0, 71f\n adr %1, 72f\n mov x1, #5\n" ADD_LOOP "\n 73:"
                     : "=&r"(at_load), "=&r"(at_store)
                     : "r"(odd)
                     : "x0", "x1", "x2", "x3", "x9", "x10", "cc", "memory");
    CHECK_EQ(got_signal, SIGBUS);
    CHECK(fault_pc == at_load || fault_pc == at_store);
    CHECK(memcmp(before, word, sizeof before) == 0);
}

int main(int argc, char **argv)
{
    test_loops();
    test_alone();
    if (argc < 2) /* any argument: what QEMU knows, too */
        test_same_value();
    test_contention();
    if (argc < 2 || argv[1][0] != 'n')
        test_faults();
    return check_result();
}

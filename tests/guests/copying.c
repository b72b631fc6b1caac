/* SPDX-License-Identifier: GPL-2.0-or-later */
/* FEAT_MOPS against memmove and memset, with faults in the middle; FEAT_CSSC. The instructions are given as words, for assemblers
   that do not know them. */
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "check.h"

/* Target in x0, source or value in x1, size in x2. */
#define INST(word) ".inst " #word "\n"
#define CPYF INST(0x19010440) INST(0x19410440) INST(0x19810440)
#define CPY INST(0x1d010440) INST(0x1d410440) INST(0x1d810440)
#define SET INST(0x19c10440) INST(0x19c14440) INST(0x19c18440)

static struct registers {
    uint64_t to, source, size, flags;
} end;

#define RUN(sequence, to, source, size)                                                                                \
    do {                                                                                                               \
        register uint64_t x0_ __asm__("x0") = (uint64_t)(to), x1_ __asm__("x1") = (uint64_t)(source),                  \
                              x2_ __asm__("x2") = (uint64_t)(size);                                                    \
        uint64_t flags_;                                                                                               \
        __asm__ volatile(sequence "mrs %3, nzcv\n" : "+r"(x0_), "+r"(x1_), "+r"(x2_), "=r"(flags_)::"memory", "cc");   \
        end = (struct registers){x0_, x1_, x2_, flags_};                                                               \
    } while (0)

enum { BYTES = 3 * 4096 + 200 };
static uint8_t got[BYTES], want[BYTES];

static void fill(unsigned seed)
{
    for (unsigned i = 0; i < BYTES; i++)
        got[i] = want[i] = (uint8_t)((i * 2654435761u + seed) >> 13);
}

static void check_copies(void)
{
    static const unsigned sizes[] = {0, 1, 2, 3, 7, 8, 9, 15, 16, 31, 32, 33, 63, 64, 65, 100, 255, 1000, 4096, 5000};
    for (unsigned s = 0; s < sizeof sizes / sizeof sizes[0]; s++)
        for (unsigned from = 100; from < 140; from += 13)
            for (int distance = -70; distance <= 70; distance += 7) {
                unsigned to = (unsigned)((int)from + distance), size = sizes[s];
                fill(s);
                memmove(want + to, want + from, size);
                RUN(CPY, got + to, got + from, size);
                CHECK(memcmp(got, want, BYTES) == 0);
                CHECK_EQ(end.size, 0);
                CHECK_EQ(end.flags, 0);
                bool backward = distance > 0 && (unsigned)distance < size;
                CHECK_EQ(end.to, (uint64_t)got + to + (backward ? 0 : size));
                CHECK_EQ(end.source, (uint64_t)got + from + (backward ? 0 : size));
                if (distance > 0 && (unsigned)distance < size)
                    continue;
                fill(s + 1);
                memmove(want + to, want + from, size);
                RUN(CPYF, got + to, got + from, size);
                CHECK(memcmp(got, want, BYTES) == 0);
                CHECK_EQ(end.to, (uint64_t)got + to + size);
                CHECK_EQ(end.source, (uint64_t)got + from + size);
                fill(s + 2);
                memset(want + to, (int)s + 200, size);
                RUN(SET, got + to, s + 200, size);
                CHECK(memcmp(got, want, BYTES) == 0);
                CHECK_EQ(end.to, (uint64_t)got + to + size);
                CHECK_EQ(end.size, 0);
            }
}

static void check_large(void)
{
    size_t size = (5u << 20) + 321;
    uint8_t *a = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *b = malloc(size);
    RUN(SET, a, 0x77, size);
    CHECK(a[0] == 0x77 && a[size - 1] == 0x77);
    for (size_t i = 0; i < size; i++)
        a[i] = (uint8_t)(i * 7 + (i >> 9));
    RUN(CPYF, b, a, size);
    CHECK(memcmp(a, b, size) == 0);
    RUN(CPY, a + 1000, a, size - 1000);
    CHECK(memcmp(a + 1000, b, size - 1000) == 0);
    memcpy(a, b, size);
    RUN(CPY, a, a + 1000, size - 1000);
    CHECK(memcmp(a, b + 1000, size - 1000) == 0);
    munmap(a, size);
    free(b);
}

/* ---- faults: the handler makes the page accessible, and the operation goes on ------------------------------------ */

static uint8_t *page;
static uint64_t fault_address, fault_esr;
static unsigned faults;

static void on_fault(int signal, siginfo_t *info, void *context)
{
    (void)signal, (void)context;
    fault_address = (uint64_t)info->si_addr;
    if (++faults > 10 || mprotect(page, 4096, PROT_READ | PROT_WRITE) != 0)
        _Exit(3);
}

static void check_faults(void)
{
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
    sigaction(SIGSEGV, &action, NULL);
    uint8_t *area = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    page = area + 4096;
    for (unsigned kind = 0; kind < 4; kind++) {
        memset(area, 1, 3 * 4096);
        fill(kind);
        mprotect(page, 4096, kind == 3 ? PROT_READ : PROT_NONE);
        faults = 0;
        switch (kind) {
        case 0: /* target */
            RUN(CPYF, area + 4000, got, 500);
            CHECK(memcmp(area + 4000, got, 500) == 0);
            CHECK_EQ(fault_address, (uint64_t)page);
            break;
        case 1: /* source, backward: from the end */
            RUN(CPY, page + 4096 - 20, page + 4096 - 100, 200);
            CHECK_EQ(fault_address & -4096, (uint64_t)page); /* which byte of the copy is up to the implementation */
            CHECK(area[4096 + 4096 - 100] == 1);
            break;
        case 2: /* source, forward */
            RUN(CPY, got, area + 4096 - 3, 100);
            CHECK(got[0] == 1 && got[2] == 1 && got[99] == 1);
            CHECK_EQ(fault_address, (uint64_t)page);
            break;
        case 3:
            RUN(SET, area + 4000, 5, 5000);
            CHECK(area[4000] == 5 && area[8999] == 5 && area[9000] == 1);
            CHECK_EQ(fault_address, (uint64_t)page);
            break;
        }
        CHECK_EQ(faults, 1);
        CHECK_EQ(end.size, 0);
    }
    signal(SIGSEGV, SIG_DFL);
    munmap(area, 3 * 4096);
}

/* ---- FEAT_CSSC --------------------------------------------------------------------------------------------------- */

#define OP2(word) ({ register uint64_t x0_ __asm__("x0"), x1_ __asm__("x1") = a, x2_ __asm__("x2") = b; \
                     __asm__(".inst " #word : "=r"(x0_) : "r"(x1_), "r"(x2_)); x0_; })

static void check_short_sequences(void)
{
    static const uint64_t edges[] = {0, 1, 2, 0x7f, 0x80, 0xff, 0x7fffffff, 0x80000000, 0xffffffff, 0x100000000, INT64_MAX,
                                     (uint64_t)INT64_MIN, UINT64_MAX, UINT64_MAX - 1, 0x0123456789abcdef, 0xfffffffffffffff0};
    enum { EDGES = sizeof edges / sizeof edges[0] };
    for (unsigned i = 0; i < EDGES; i++)
        for (unsigned j = 0; j < EDGES; j++) {
            uint64_t a = edges[i], b = edges[j];
            int64_t sa = (int64_t)a, sb = (int64_t)b;
            int32_t wa = (int32_t)a, wb = (int32_t)b;
            CHECK_EQ(OP2(0x9ac26020), (uint64_t)(sa > sb ? sa : sb));            /* smax x0, x1, x2 */
            CHECK_EQ(OP2(0x9ac26420), a > b ? a : b);                            /* umax */
            CHECK_EQ(OP2(0x9ac26820), (uint64_t)(sa < sb ? sa : sb));            /* smin */
            CHECK_EQ(OP2(0x9ac26c20), a < b ? a : b);                            /* umin */
            CHECK_EQ(OP2(0x1ac26020), (uint32_t)(wa > wb ? wa : wb));
            CHECK_EQ(OP2(0x1ac26c20), (uint32_t)a < (uint32_t)b ? (uint32_t)a : (uint32_t)b);
            CHECK_EQ(OP2(0x91c3f020), (uint64_t)(sa > -4 ? sa : -4));            /* smax x0, x1, #-4 */
            CHECK_EQ(OP2(0x91c7f020), a > 252 ? a : 252);                        /* umax x0, x1, #252 */
            CHECK_EQ(OP2(0x11c8a020), (uint32_t)(wa < 40 ? wa : 40));            /* smin w0, w1, #40 */
            CHECK_EQ(OP2(0x91cca020), a < 40 ? a : 40);                          /* umin x0, x1, #40 */
            CHECK_EQ(OP2(0xdac02020), sa < 0 ? -a : a);                          /* abs */
            CHECK_EQ(OP2(0x5ac02020), wa < 0 ? -(uint32_t)a : (uint32_t)a);
            CHECK_EQ(OP2(0xdac01c20), (uint64_t)__builtin_popcountll(a));        /* cnt */
            CHECK_EQ(OP2(0x5ac01c20), (uint64_t)__builtin_popcount((uint32_t)a));
            CHECK_EQ(OP2(0xdac01820), (uint64_t)(a ? __builtin_ctzll(a) : 64));  /* ctz */
            CHECK_EQ(OP2(0x5ac01820), (uint64_t)((uint32_t)a ? __builtin_ctz((uint32_t)a) : 32));
        }
}

int main(void)
{
    if (getauxval(AT_HWCAP2) & (1ul << 43)) {
        check_copies();
        check_large();
        check_faults();
    }
    if (getauxval(AT_HWCAP2) & (1ul << 34))
        check_short_sequences();
    return check_result();
}

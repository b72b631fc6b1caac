/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Branch target identification (Arm ARM DDI 0487, D8.4.5): every indirect branch from guarded and unguarded pages to every
 * landing pad in guarded and unguarded pages, pages that change, and signals. Without HWCAP2_BTI nothing of it happens.
 */
#include <errno.h>
#include <signal.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include "check.h"

#ifndef PROT_BTI
#define PROT_BTI 0x10
#endif
#ifndef HWCAP2_BTI
#define HWCAP2_BTI (1 << 17)
#endif
#define PAGE 4096
#define SLOT 4 /* instructions of a piece of code */
enum { RET = 0xd65f03c0, NOP = 0xd503201f, BTI_C = 0xd503245f };

/* What may stand at a target, and the values of BTYPE that it takes in a guarded page, as bits. */
static const struct {
    const char *name;
    uint32_t word;
    unsigned takes;
} pads[] = {
    {"nop", NOP, 1},
    {"bti", 0xd503241f, 1},
    {"bti c", BTI_C, 1 | 2 | 4},
    {"bti j", 0xd503249f, 1 | 2 | 8},
    {"bti jc", 0xd50324df, 1 | 2 | 4 | 8},
    {"paciasp", 0xd503233f, 1 | 2 | 4}, /* not 8: Linux sets SCTLR_EL1.BT0 */
    {"pacibsp", 0xd503237f, 1 | 2 | 4},
    {"paciaz", 0xd503231f, 1},
    {"autiasp", 0xd50323bf, 1},
    {"brk", 0xd4200000 | 7 << 5, 15},
    {"hlt", 0xd4400000 | 7 << 5, 15},
    {"udf", 0x00000000, 1},
    {"svc", 0xd4000001, 1}, /* getpid */
    {"ret", RET, 1},
};
#define PADS (sizeof pads / sizeof pads[0])

/* How to get there; X9, X16 and X17 hold the target. BTYPE from a guarded and from an unguarded page. */
static const struct {
    const char *name;
    uint32_t word;
    unsigned guarded, unguarded;
    int link;
} branches[] = {
    {"blr x9", 0xd63f0120, 2, 2, 1},
    {"blr x16", 0xd63f0200, 2, 2, 1},
    {"br x9", 0xd61f0120, 3, 1, 0},
    {"br x16", 0xd61f0200, 1, 1, 0},
    {"br x17", 0xd61f0220, 1, 1, 0},
    {"ret x9", 0xd65f0120, 0, 0, 0},
};
#define BRANCHES (sizeof branches / sizeof branches[0])

static uint32_t *sources, *targets;
static int has_bti;
static volatile int caught, caught_code;
static volatile uint64_t caught_pc, caught_address, caught_btype;

static void on_illegal(int signal, siginfo_t *info, void *context)
{
    ucontext_t *uc = context;
    caught = signal;
    caught_code = info->si_code;
    caught_pc = uc->uc_mcontext.pc;
    caught_address = (uint64_t)info->si_addr;
    caught_btype = uc->uc_mcontext.pstate >> 10 & 3;
    uc->uc_mcontext.pc = uc->uc_mcontext.regs[30];
    uc->uc_mcontext.pstate &= ~0xc00ull;
}

static void handle(int signal)
{
    struct sigaction action = {.sa_sigaction = on_illegal, .sa_flags = SA_SIGINFO};
    sigaction(signal, &action, NULL);
}

static uint64_t go(const uint32_t *source, const uint32_t *target)
{
    register uint64_t x8 __asm__("x8") = 172; /* getpid, for the target that is SVC */
    register uint64_t x9 __asm__("x9") = (uint64_t)target;
    register uint64_t x16 __asm__("x16") = (uint64_t)target;
    register uint64_t x17 __asm__("x17") = (uint64_t)target;
    register uint64_t x10 __asm__("x10") = (uint64_t)source;
    register uint64_t x0 __asm__("x0") = 1;
    __asm__ volatile("blr x10"
                     : "+r"(x0), "+r"(x16), "+r"(x17), "+r"(x10)
                     : "r"(x8), "r"(x9)
                     : "x11", "x12", "x30", "memory");
    return x0;
}

static uint32_t *new_page(void)
{
    uint32_t *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(page != MAP_FAILED);
    return page;
}

static void write_code(void)
{
    sources = new_page();
    targets = new_page();
    for (unsigned i = 0; i < BRANCHES; i++) {
        uint32_t *code = sources + i * SLOT;
        *code++ = BTI_C;
        if (branches[i].link)
            *code++ = 0xaa1e03ec; /* mov x12, x30 */
        *code++ = branches[i].word;
        if (branches[i].link)
            *code++ = 0xd65f0180; /* ret x12 */
    }
    for (unsigned i = 0; i < PADS; i++) {
        uint32_t *code = targets + i * SLOT;
        *code++ = pads[i].word;
        /* What was signed or authenticated is in X30: take it away again. */
        *code++ = 0xd50320ff; /* xpaclri */
        *code++ = RET;
    }
    __builtin___clear_cache((char *)sources, (char *)sources + PAGE);
    __builtin___clear_cache((char *)targets, (char *)targets + PAGE);
}

static int protect(void *page, int guarded)
{
    return mprotect(page, PAGE, PROT_READ | PROT_EXEC | (guarded ? PROT_BTI : 0));
}

static void check_pair(unsigned b, unsigned p, int from_guarded, int to_guarded)
{
    unsigned btype = from_guarded ? branches[b].guarded : branches[b].unguarded;
    int refused = has_bti && to_guarded && !(pads[p].takes >> btype & 1);
    int signal = refused ? SIGILL : 0, raises = 0;
    if (!refused && (pads[p].word == 0 || (pads[p].word & 0xffe0001f) == 0xd4400000))
        signal = SIGILL, raises = 1;
    if (!refused && (pads[p].word & 0xffe0001f) == 0xd4200000)
        signal = SIGTRAP, raises = 1;
    caught = 0;
    uint64_t result = go(sources + b * SLOT, targets + p * SLOT);
    if (caught != signal) {
        printf("%s (guarded %d) to %s (guarded %d): signal %d, not %d\n", branches[b].name, from_guarded, pads[p].name,
               to_guarded, caught, signal);
        check_failures++;
        return;
    }
    if (refused) {
        CHECK_EQ(caught_code, ILL_ILLOPC);
        CHECK_EQ(caught_pc, targets + p * SLOT);
        CHECK_EQ(caught_address, targets + p * SLOT);
        CHECK_EQ(caught_btype, btype);
    } else if (raises && pads[p].word != 0 && (pads[p].word & 0xffe0001f) == 0xd4400000) {
        CHECK_EQ(caught_btype, 0); /* not one of the exceptions that keep it */
    } else if (pads[p].word == 0xd4000001) {
        CHECK_EQ(result, getpid());
    }
}

static void check_pairs(int rounds)
{
    for (int from = 0; from < 2; from++) {
        for (int to = 0; to < 2; to++) {
            CHECK_EQ(protect(sources, from && has_bti), 0);
            CHECK_EQ(protect(targets, to && has_bti), 0);
            for (int i = 0; i < rounds; i++)
                for (unsigned b = 0; b < BRANCHES; b++)
                    for (unsigned p = 0; p < PADS; p++)
                        check_pair(b, p, from, to);
        }
    }
}

/** Branches that have gone well often, from places that have become hot, are refused as soon as the page is guarded. */
static void check_changes(void)
{
    unsigned refused = 0;
    if (!has_bti)
        return;
    for (int round = 0; round < 6; round++) {
        int guarded = round & 1;
        CHECK_EQ(protect(targets, guarded), 0);
        for (int i = 0; i < 3000; i++) {
            caught = 0;
            go(sources + 0 * SLOT, targets + 2 * SLOT); /* blr to bti c */
            refused += caught != 0;
        }
        CHECK_EQ(refused, 0);
        for (int i = 0; i < (guarded ? 20 : 3000); i++) {
            caught = 0;
            go(sources + 0 * SLOT, targets + 3 * SLOT); /* blr to bti j */
            CHECK_EQ(caught, guarded ? SIGILL : 0);
            caught = 0;
            go(sources + 3 * SLOT, targets + 3 * SLOT); /* br x16 to bti j */
            CHECK_EQ(caught, 0);
            caught = 0;
            go(sources + 5 * SLOT, targets); /* ret to nop */
            CHECK_EQ(caught, 0);
        }
    }
}

/** What a branch has led to for a long time is refused as soon as its page is guarded, wherever it has been translated to. */
static void check_steady(void)
{
    if (!has_bti)
        return;
    CHECK_EQ(protect(sources, 1), 0);
    for (unsigned b = 0; b < BRANCHES; b++) {
        for (unsigned p = 0; p < PADS; p++) {
            CHECK_EQ(protect(targets, 0), 0);
            for (unsigned i = 0; i < 300; i++)
                check_pair(b, p, 1, 0);
            CHECK_EQ(protect(targets, 1), 0);
            for (unsigned i = 0; i < 5; i++)
                check_pair(b, p, 1, 1);
        }
    }
}

/** There is no code at the last address, but a branch's target may be there, of each kind. */
static void check_last_address(void)
{
    handle(SIGSEGV);
    CHECK_EQ(protect(sources, has_bti), 0);
    for (uint64_t fpcr = 0; fpcr <= 3 << 24; fpcr += 1 << 24) { /* what is known of targets is forgotten when FPCR changes */
        __asm__ volatile("msr fpcr, %0" : : "r"(fpcr));
        for (unsigned b = 0; b < BRANCHES; b++) {
            caught = 0;
            go(sources + b * SLOT, (const uint32_t *)-4);
            CHECK_EQ(caught, SIGSEGV);
            CHECK_EQ(caught_pc, -4);
        }
    }
    __asm__ volatile("msr fpcr, xzr");
}

static void to_target(int signal, siginfo_t *info, void *context)
{
    ucontext_t *uc = context;
    (void)signal, (void)info;
    uc->uc_mcontext.regs[30] = uc->uc_mcontext.pc;
    uc->uc_mcontext.pc = (uint64_t)(targets + 2 * SLOT);
    uc->uc_mcontext.pstate |= 3ull << 10;
}

/** A handler is called as by BLR; a handler may set BTYPE for what it returns to. */
static void check_signals(void)
{
    protect(targets, has_bti);
    for (unsigned p = 0; p < PADS; p++) {
        if (pads[p].word != NOP && (pads[p].word & 0xffffff3f) != 0xd503241f)
            continue;
        struct sigaction action = {.sa_handler = (void (*)(int))(targets + p * SLOT)};
        sigaction(SIGUSR1, &action, NULL);
        caught = 0;
        raise(SIGUSR1);
        int refused = has_bti && !(pads[p].takes >> 2 & 1);
        CHECK_EQ(caught, refused ? SIGILL : 0);
        if (refused) {
            CHECK_EQ(caught_pc, targets + p * SLOT);
            CHECK_EQ(caught_btype, 2);
        }
    }
    struct sigaction action = {.sa_sigaction = to_target, .sa_flags = SA_SIGINFO};
    sigaction(SIGUSR1, &action, NULL);
    caught = 0;
    raise(SIGUSR1);
    CHECK_EQ(caught, has_bti ? SIGILL : 0); /* bti c by a jump */
    if (has_bti)
        CHECK_EQ(caught_btype, 3);
}

/** With nothing to execute at the target, BTYPE waits for what comes there. */
static void on_missing(int signal, siginfo_t *info, void *context)
{
    ucontext_t *uc = context;
    caught = signal;
    caught_btype = uc->uc_mcontext.pstate >> 10 & 3;
    CHECK_EQ(info->si_addr, targets + 3 * SLOT);
    CHECK_EQ(uc->uc_mcontext.pc, targets + 3 * SLOT);
    protect(targets, has_bti);
}

static void check_missing(void)
{
    struct sigaction action = {.sa_sigaction = on_missing, .sa_flags = SA_SIGINFO};
    sigaction(SIGSEGV, &action, NULL);
    for (int i = 0; i < 3; i++) {
        mprotect(targets, PAGE, PROT_READ);
        caught = 0;
        go(sources + 3 * SLOT, targets + 3 * SLOT); /* br x16 to bti j */
        CHECK_EQ(caught, SIGSEGV);
        CHECK_EQ(caught_btype, has_bti ? 1 : 0);
        mprotect(targets, PAGE, PROT_READ);
        caught = 0;
        go(sources, targets + 3 * SLOT); /* blr */
        CHECK_EQ(caught, has_bti ? SIGILL : SIGSEGV);
        CHECK_EQ(caught_btype, has_bti ? 2 : 0);
    }
}

/** Which kernel knows the bit. */
static void check_calls(void)
{
    errno = 0;
    int result = mprotect(targets, PAGE, PROT_READ | PROT_EXEC | PROT_BTI);
    CHECK_EQ(result, has_bti ? 0 : -1);
    CHECK_EQ(errno, has_bti ? 0 : EINVAL);
    void *page = mmap(NULL, PAGE, PROT_READ | PROT_EXEC | PROT_BTI, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(page != MAP_FAILED);
    munmap(page, PAGE);
    CHECK_EQ(mprotect(targets, PAGE, PROT_READ | 0x40), -1);
}

int main(void)
{
    has_bti = (getauxval(AT_HWCAP2) & HWCAP2_BTI) != 0;
    handle(SIGILL);
    handle(SIGTRAP);
    write_code();
    check_pairs(1);
    check_pairs(4);
    check_changes();
    check_steady();
    check_last_address();
    check_signals();
    check_missing();
    check_calls();
    return check_result();
}

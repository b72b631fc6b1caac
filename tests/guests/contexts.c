/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The registers that a handler is shown: of a loop that keeps all of them busy, between any two of its instructions, while
 * another thread and a timer send signals as fast as they can; what the handler changes there; and what the records say of a
 * fault (Linux uapi asm/sigcontext.h).
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>
#include "check.h"

#ifndef ESR_MAGIC
#define ESR_MAGIC 0x45535201
#endif
#ifndef HWCAP_ATOMICS
#define HWCAP_ATOMICS (1 << 8)
#endif
#define EXPOSE_TAGBITS 0x800 /* SA_EXPOSE_TAGBITS */

struct state {
    uint64_t x[31], flags;
    __uint128_t v[32];
} __attribute__((aligned(16)));

void count_up(struct state *state, uint64_t rounds);
void mix(struct state *state, uint64_t rounds);
extern const uint32_t count_begin[], count_end[], mix_begin[], mix_end[];
void preempted(void);

/*
 * Both loops: x0…x29 and v0…v31 come from *state and go there, x30 counts down; the stack keeps what the caller needs.
 * count_up adds 1 to each of x0…x27 in turn and v31 to each of v0…v28, so that the state between any two instructions is
 * known. mix has the carry go through all registers and on to the next round.
 */
__asm__(".text\n.balign 4\n"
        ".macro enter\n"
        "    sub sp, sp, #192\n"
        "    stp x19, x20, [sp]\n stp x21, x22, [sp, #16]\n stp x23, x24, [sp, #32]\n stp x25, x26, [sp, #48]\n"
        "    stp x27, x28, [sp, #64]\n stp x29, x30, [sp, #80]\n stp d8, d9, [sp, #96]\n stp d10, d11, [sp, #112]\n"
        "    stp d12, d13, [sp, #128]\n stp d14, d15, [sp, #144]\n str x0, [sp, #160]\n str x18, [sp, #168]\n"
        "    mov x30, x1\n"
        ".endm\n"
        ".macro load_all\n"
        "    add x1, x0, #256\n"
        "    .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31\n"
        "    ldr q\\n, [x1], #16\n .endr\n"
        "    ldr x1, [x0, #248]\n msr nzcv, x1\n"
        "    .irp n, 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29\n"
        "    ldr x\\n, [x0, #8 * \\n]\n .endr\n"
        "    ldr x0, [x0]\n"
        ".endm\n"
        ".macro leave\n"
        "    ldr x30, [sp, #160]\n"
        "    .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29\n"
        "    str x\\n, [x30, #8 * \\n]\n .endr\n"
        "    mrs x0, nzcv\n str x0, [x30, #248]\n add x1, x30, #256\n"
        "    .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31\n"
        "    str q\\n, [x1], #16\n .endr\n"
        "    ldp x19, x20, [sp]\n ldp x21, x22, [sp, #16]\n ldp x23, x24, [sp, #32]\n ldp x25, x26, [sp, #48]\n"
        "    ldp x27, x28, [sp, #64]\n ldp x29, x30, [sp, #80]\n ldp d8, d9, [sp, #96]\n ldp d10, d11, [sp, #112]\n"
        "    ldp d12, d13, [sp, #128]\n ldp d14, d15, [sp, #144]\n ldr x18, [sp, #168]\n"
        "    add sp, sp, #192\n ret\n"
        ".endm\n"
        ".globl count_up, count_begin, count_end, mix, mix_begin, mix_end, preempted\n"
        "count_up:\n enter\n load_all\n"
        "count_begin:\n"
        "    .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27\n"
        "    add x\\n, x\\n, #1\n add v\\n\\().2d, v\\n\\().2d, v31.2d\n .endr\n"
        "    subs x30, x30, #1\n"
        "    b.ne count_begin\n"
        "count_end:\n leave\n"
        "mix:\n enter\n load_all\n"
        "mix_begin:\n"
        "    .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,28\n"
        "    adcs x\\n, x\\n, x29\n ror x29, x29, #7\n eor x29, x29, x\\n\n eor v29.16b, v29.16b, v\\n\\().16b\n"
        "    add v\\n\\().2d, v\\n\\().2d, v29.2d\n ext v29.16b, v29.16b, v\\n\\().16b, #5\n .endr\n"
        "    sub x30, x30, #1\n"
        "    cbnz x30, mix_begin\n"
        "mix_end:\n leave\n"
        /*
         * Where a handler has made the interrupted code go, with its address in LR and the old LR on the stack: as runtimes
         * preempt, which leave x27 free for that in all code.
         */
        "preempted:\n"
        "    stp x0, x1, [sp, #-32]!\n mrs x0, nzcv\n str x0, [sp, #16]\n"
        "    adrp x0, preemptions\n add x0, x0, :lo12:preemptions\n"
        "    ldr x1, [x0]\n add x1, x1, #1\n str x1, [x0]\n"
        "    cmp x1, x1\n"
        "    ldr x0, [sp, #16]\n msr nzcv, x0\n ldp x0, x1, [sp], #32\n"
        "    mov x27, x30\n"
        "    ldr x30, [sp], #16\n"
        "    br x27\n");

uint64_t preemptions;

static const struct fpsimd_context *find_fpsimd(const ucontext_t *uc)
{
    const struct fpsimd_context *fp = (const void *)uc->uc_mcontext.__reserved;
    CHECK(fp->head.magic == FPSIMD_MAGIC && fp->head.size == 528);
    return fp;
}

/** 0 if there is no such record. */
static uint64_t find_esr(const ucontext_t *uc)
{
    const struct _aarch64_ctx *head = (const void *)uc->uc_mcontext.__reserved;
    for (int i = 0; i < 10 && head->magic; i++) {
        if (head->magic == ESR_MAGIC) {
            CHECK_EQ(head->size, 16);
            return ((const uint64_t *)head)[1];
        }
        head = (const void *)((const char *)head + head->size);
    }
    CHECK_EQ(head->size, 0);
    return 0;
}

/* ---- the storm ------------------------------------------------------------------------------------------------------------------- */

static enum { COUNTING, MIXING, PREEMPTING, CHANGING } doing;
static volatile long inside, all;
static volatile bool over;
static uint64_t started; /* rounds */
static pid_t main_tid;
static struct state begun;
static uint64_t added; /* to x5, by handlers */

static void spoil(void)
{
    __asm__ volatile("movi v0.16b, #255\n movi v1.16b, #255\n movi v2.16b, #255\n movi v3.16b, #255\n movi v4.16b, #255\n"
                     "movi v5.16b, #255\n movi v6.16b, #255\n movi v7.16b, #255\n movi v16.16b, #255\n movi v17.16b, #255\n"
                     "movi v18.16b, #255\n movi v19.16b, #255\n movi v29.16b, #255\n movi v30.16b, #255\n movi v31.16b, #255\n"
                     "mov x9, #-1\n mov x10, #-1\n mov x11, #-1\n mov x12, #-1\n mov x13, #-1\n mov x14, #-1\n mov x15, #-1\n"
                     "cmp xzr, xzr\n"
                     ::: "x9", "x10", "x11", "x12", "x13", "x14", "x15", "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v16",
                     "v17", "v18", "v19", "v29", "v30", "v31", "cc");
}

/** Each register has the value that it has between the two instructions around pc. */
static void check_counts(const ucontext_t *uc, uint64_t pc)
{
    const struct fpsimd_context *fp = find_fpsimd(uc);
    const unsigned long long *x = uc->uc_mcontext.regs;
    uint64_t at = (pc - (uint64_t)count_begin) / 4, left = x[30];
    /* At the branch the counter is already that of the next round, while its flags say whether there is one. */
    uint64_t done = started - left;
    if (at == 57) {
        done--;
        CHECK_EQ((uc->uc_mcontext.pstate & 0x40000000) != 0, left == 0);
    }
    for (unsigned i = 0; i < 28; i++) {
        CHECK_EQ(x[i], begun.x[i] + done + (at > 2 * i) + (i == 5 ? added : 0));
        uint64_t lane = (uint64_t)fp->vregs[i], steps = done + (at > 2 * i + 1);
        CHECK_EQ(lane, (uint64_t)begun.v[i] + steps * (uint64_t)begun.v[31]);
    }
    for (unsigned i = 28; i < 30; i++)
        CHECK_EQ(x[i], begun.x[i]);
    for (unsigned i = 28; i < 32; i++)
        CHECK(fp->vregs[i] == begun.v[i]);
}

static void on_storm(int signal, siginfo_t *info, void *context)
{
    ucontext_t *uc = context;
    uint64_t pc = uc->uc_mcontext.pc;
    CHECK(signal == SIGUSR1 ? info->si_code == SI_TKILL && info->si_pid == getpid() : info->si_code == SI_TIMER);
    CHECK_EQ(pc & 3, 0);
    CHECK_EQ(uc->uc_mcontext.sp & 15, 0);
    CHECK_EQ(uc->uc_mcontext.fault_address, 0);
    CHECK_EQ(find_esr(uc), 0);
    all++;
    bool counting = pc >= (uint64_t)count_begin && pc < (uint64_t)count_end;
    bool mixing = pc >= (uint64_t)mix_begin && pc < (uint64_t)mix_end;
    inside += counting || mixing;
    if (counting && (doing == COUNTING || doing == CHANGING))
        check_counts(uc, pc);
    if (counting && doing == CHANGING) {
        uc->uc_mcontext.regs[5] += UINT64_C(1) << 32;
        added += UINT64_C(1) << 32;
    }
    if (mixing && doing == PREEMPTING) {
        uc->uc_mcontext.sp -= 16;
        *(uint64_t *)uc->uc_mcontext.sp = uc->uc_mcontext.regs[30];
        uc->uc_mcontext.regs[30] = pc;
        uc->uc_mcontext.pc = (uint64_t)preempted;
    }
    spoil();
}

static void *send(void *unused)
{
    while (!over)
        syscall(SYS_tgkill, getpid(), main_tid, SIGUSR1);
    return unused;
}

static void run(void (*loop)(struct state *, uint64_t), struct state *state, uint64_t rounds)
{
    started = rounds;
    added = 0;
    for (unsigned i = 0; i < 31; i++)
        state->x[i] = UINT64_C(0x9e3779b97f4a7c15) * (i + 1);
    for (unsigned i = 0; i < 32; i++)
        state->v[i] = (__uint128_t)(UINT64_C(0xc2b2ae3d27d4eb4f) * (i + 3)) << 64 | UINT64_C(0x165667b19e3779f9) * (i + 5);
    state->flags = 0xa0000000;
    begun = *state;
    loop(state, rounds);
}

static bool same(const struct state *a, const struct state *b)
{
    bool good = a->flags == b->flags && memcmp(a->v, b->v, sizeof a->v) == 0;
    for (int i = 0; i < 30; i++)
        good &= a->x[i] == b->x[i] || i == 27 || (i == 5 && doing == CHANGING);
    return good;
}

static void under_storm(void)
{
    enum { ROUNDS = 3000 };
    struct state counted, mixed, state;
    pthread_t sender;
    timer_t timer;
    run(count_up, &counted, ROUNDS);
    run(mix, &mixed, ROUNDS);
    struct sigaction action = {.sa_sigaction = on_storm, .sa_flags = SA_SIGINFO | SA_RESTART};
    sigaddset(&action.sa_mask, SIGUSR1);
    sigaddset(&action.sa_mask, SIGRTMIN + 1);
    sigaction(SIGUSR1, &action, NULL);
    sigaction(SIGRTMIN + 1, &action, NULL);
    struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGRTMIN + 1};
    event._sigev_un._tid = main_tid;
    CHECK_EQ(timer_create(CLOCK_MONOTONIC, &event, &timer), 0);
    struct itimerspec often = {{0, 100000}, {0, 100000}};
    timer_settime(timer, 0, &often, NULL);
    pthread_create(&sender, NULL, send, NULL);
    for (doing = COUNTING; doing <= CHANGING; doing++) {
        inside = 0;
        preemptions = 0;
        time_t end = time(NULL) + 60;
        while (inside < 250 && time(NULL) < end) {
            bool counts = doing == COUNTING || doing == CHANGING;
            run(counts ? count_up : mix, &state, ROUNDS);
            CHECK(same(&state, counts ? &counted : &mixed));
            if (doing == CHANGING)
                CHECK_EQ(state.x[5], counted.x[5] + added);
        }
        CHECK(inside >= 250);
        if (doing == PREEMPTING)
            CHECK(preemptions >= 250);
    }
    over = true;
    pthread_join(sender, NULL);
    timer_delete(timer);
    signal(SIGUSR1, SIG_IGN);
    signal(SIGRTMIN + 1, SIG_IGN);
}

/* ---- the records of faults -------------------------------------------------------------------------------------------------------- */

static struct {
    int signal, code;
    uint64_t address, fault_address, esr, pc;
    sigset_t mask;
} got;
static sigjmp_buf back;

static void on_fault(int signal, siginfo_t *info, void *context)
{
    ucontext_t *uc = context;
    got.signal = signal;
    got.code = info->si_code;
    got.address = (uint64_t)info->si_addr;
    got.fault_address = uc->uc_mcontext.fault_address;
    got.esr = find_esr(uc);
    got.pc = uc->uc_mcontext.pc;
    siglongjmp(back, 1);
}

enum { DATA_ABORT = 0x24, FETCH_ABORT = 0x20, PC_ALIGNMENT = 0x22, SP_ALIGNMENT = 0x26 };
#define WRITE (1u << 6)

static void check_fault(int line, int signal, int code, uint64_t address, uint64_t fault_address, unsigned class, unsigned write)
{
    unsigned status = got.esr & 0x3f;
    bool good = got.signal == signal && got.code == code && got.address == address && got.fault_address == fault_address &&
                got.esr >> 26 == class && (got.esr & WRITE) == write && (!class || got.esr & 1u << 25);
    if (class == DATA_ABORT || class == FETCH_ABORT) /* translation and permission faults of levels 0 to 3, or alignment */
        good &= signal == SIGBUS && code == BUS_ADRALN ? status == 0x21 : (status >= 4 && status < 8) || (status > 12 && status < 16);
    if (!good) {
        printf("line %d: signal %d code %d address %#lx fault_address %#lx esr %#lx\n", line, got.signal, got.code, got.address,
               got.fault_address, got.esr);
        check_failures++;
    }
}

#define FAULT(statement, signal, code, address, fault_address, class, write)                                                   \
    do {                                                                                                                       \
        memset(&got, 0, sizeof got);                                                                                           \
        if (sigsetjmp(back, 1) == 0)                                                                                           \
            statement;                                                                                                         \
        check_fault(__LINE__, signal, code, address, fault_address, class, write);                                             \
    } while (0)

static void install(int flags)
{
    static const int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGTRAP, SIGFPE};
    for (int i = 0; i < 5; i++)
        sigaction(signals[i], &(struct sigaction){.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | flags}, NULL);
}

static uint64_t load(uint64_t p) { uint64_t x; __asm__ volatile("ldr %0, [%1]" : "=r"(x) : "r"(p) : "memory"); return x; }
static void store(uint64_t p) { __asm__ volatile("str xzr, [%0]" :: "r"(p) : "memory"); }
static void store_pair(uint64_t p) { __asm__ volatile("stp xzr, xzr, [%0, #32]" :: "r"(p) : "memory"); }
static uint64_t acquire(uint64_t p) { uint64_t x; __asm__ volatile("ldaxr %0, [%1]" : "=r"(x) : "r"(p) : "memory"); return x; }
static void add(uint64_t p) { __asm__ volatile(".arch_extension lse\n ldadd x9, x9, [%0]" :: "r"(p) : "x9", "memory"); }
static void swap(uint64_t p) { __asm__ volatile(".arch_extension lse\n casal x9, x10, [%0]" :: "r"(p) : "x9", "memory"); }
static void store_vector(uint64_t p) { __asm__ volatile("st1 {v0.16b}, [%0]" :: "r"(p) : "memory"); }
static void call(uint64_t p) { ((void (*)(void))p)(); }
static void bad_stack(void)
{
    __asm__ volatile("mov x9, sp\n add sp, sp, #8\n ldr x10, [sp]\n mov sp, x9" ::: "x9", "x10", "memory");
}
static int64_t divide(int64_t a, int64_t b) { int64_t r; __asm__ volatile("sdiv %0, %1, %2" : "=r"(r) : "r"(a), "r"(b)); return r; }

static void faults(void)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *none = mmap(NULL, 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *constant = mmap(NULL, page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int file = memfd_create("short", 0);
    CHECK_EQ(ftruncate(file, (off_t)page), 0);
    char *mapped = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_SHARED, file, 0);
    munmap(none + page, page);
    uint64_t n = (uint64_t)none, c = (uint64_t)constant, m = (uint64_t)mapped, gone = n + page;
    const uint64_t tag = UINT64_C(0x5a) << 56, high = UINT64_C(0xffff800000001000);
    load(c);
    for (int round = 0; round < 60; round++) {
        install(0);
        FAULT(load(gone), SIGSEGV, SEGV_MAPERR, gone, gone, DATA_ABORT, 0);
        FAULT(store(gone + 8), SIGSEGV, SEGV_MAPERR, gone + 8, gone + 8, DATA_ABORT, WRITE);
        FAULT(load(n), SIGSEGV, SEGV_ACCERR, n, n, DATA_ABORT, 0);
        FAULT(store(c), SIGSEGV, SEGV_ACCERR, c, c, DATA_ABORT, WRITE);
        FAULT(store_pair(c), SIGSEGV, SEGV_ACCERR, c + 32, c + 32, DATA_ABORT, WRITE);
        FAULT(acquire(n), SIGSEGV, SEGV_ACCERR, n, n, DATA_ABORT, 0);
        FAULT(load(m + page), SIGBUS, BUS_ADRERR, m + page, m + page, DATA_ABORT, 0);
        FAULT(store(m + page), SIGBUS, BUS_ADRERR, m + page, m + page, DATA_ABORT, WRITE);
        FAULT(call(n), SIGSEGV, SEGV_ACCERR, n, n, FETCH_ABORT, 0);
        FAULT(call(gone), SIGSEGV, SEGV_MAPERR, gone, gone, FETCH_ABORT, 0);
        FAULT(call(m + page), SIGBUS, BUS_ADRERR, m + page, m + page, FETCH_ABORT, 0);
        FAULT(acquire(c + 4092), SIGBUS, BUS_ADRALN, c + 4092, c + 4092, DATA_ABORT, 0);
        FAULT(load(high), SIGSEGV, SEGV_MAPERR, high, high, DATA_ABORT, 0);
        CHECK_EQ(got.esr & 0x3f, 4);
        FAULT(store(high), SIGSEGV, SEGV_MAPERR, high, high, DATA_ABORT, WRITE);
        FAULT(store_pair(high), SIGSEGV, SEGV_MAPERR, high + 32, high + 32, DATA_ABORT, WRITE);
        FAULT(store_vector(high), SIGSEGV, SEGV_MAPERR, high, high, DATA_ABORT, WRITE);
        if (getauxval(AT_HWCAP) & HWCAP_ATOMICS) { /* reported as reads, unless only the write was not permitted */
            FAULT(add(gone), SIGSEGV, SEGV_MAPERR, gone, gone, DATA_ABORT, 0);
            FAULT(swap(n), SIGSEGV, SEGV_ACCERR, n, n, DATA_ABORT, 0);
            FAULT(add(c), SIGSEGV, SEGV_ACCERR, c, c, DATA_ABORT, WRITE);
            FAULT(swap(c), SIGSEGV, SEGV_ACCERR, c, c, DATA_ABORT, WRITE);
            FAULT(add(high), SIGSEGV, SEGV_MAPERR, high, high, DATA_ABORT, 0);
        }
        /* These have no fault_address; neither is there an ESR of undefined instructions and breakpoints. */
        FAULT(call((uint64_t)mix_begin + 2), SIGBUS, BUS_ADRALN, (uint64_t)mix_begin + 2, 0, PC_ALIGNMENT, 0);
        FAULT(__asm__ volatile("udf #1"), SIGILL, ILL_ILLOPC, got.pc, 0, 0, 0);
        FAULT(__asm__ volatile("brk #1"), SIGTRAP, TRAP_BRKPT, got.pc, 0, 0, 0);
        /* Tags: not shown, unless a handler asks for them; fault_address never has one. */
        FAULT(load(gone | tag), SIGSEGV, SEGV_MAPERR, gone, gone, DATA_ABORT, 0);
        FAULT(store_pair(c | tag), SIGSEGV, SEGV_ACCERR, c + 32, c + 32, DATA_ABORT, WRITE);
        install(EXPOSE_TAGBITS);
        FAULT(load(gone | tag), SIGSEGV, SEGV_MAPERR, gone | tag, gone, DATA_ABORT, 0);
        FAULT(store_pair(c | tag), SIGSEGV, SEGV_ACCERR, (c + 32) | tag, c + 32, DATA_ABORT, WRITE);
        FAULT(load(n), SIGSEGV, SEGV_ACCERR, n, n, DATA_ABORT, 0);
    }
    /* Division does not fault. */
    memset(&got, 0, sizeof got);
    CHECK_EQ(divide(5, 0), 0);
    CHECK_EQ(divide(INT64_MIN, -1), INT64_MIN);
    CHECK_EQ(got.signal, 0);
    munmap(mapped, 2 * page);
    munmap(constant, page);
    munmap(none, page);
    close(file);
}

/* The handler needs a stack of its own then. */
static char alternate[65536] __attribute__((aligned(16)));
static void stack_pointer(void)
{
    sigaltstack(&(stack_t){.ss_sp = alternate, .ss_size = sizeof alternate}, NULL);
    install(SA_ONSTACK);
    FAULT(bad_stack(), SIGBUS, BUS_ADRALN, got.address, 0, SP_ALIGNMENT, 0);
    CHECK_EQ(got.address & 15, 8);
    /* No room for the frame: SIGSEGV, on the other stack. */
    sigaction(SIGUSR2, &(struct sigaction){.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO}, NULL);
    memset(&got, 0, sizeof got);
    if (sigsetjmp(back, 1) == 0) {
        register uint64_t x0 __asm__("x0") = (uint64_t)getpid();
        register uint64_t x1 __asm__("x1") = (uint64_t)main_tid;
        register uint64_t x2 __asm__("x2") = SIGUSR2;
        register uint64_t x8 __asm__("x8") = SYS_tgkill;
        __asm__ volatile("mov sp, #256\n svc #0" : "+r"(x0) : "r"(x1), "r"(x2), "r"(x8) : "memory");
    }
    CHECK_EQ(got.signal, SIGSEGV);
    CHECK_EQ(got.code, SI_KERNEL);
    CHECK_EQ(got.address, 0);
    sigaltstack(&(stack_t){.ss_flags = SS_DISABLE}, NULL);
}

int main(void)
{
    alarm(120);
    main_tid = getpid();
    under_storm();
    faults();
    stack_pointer();
    return check_result();
}

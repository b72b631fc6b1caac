/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What may be translated together with its caller, and then does not do as it always did: functions that return elsewhere, are left
 * by jumps, call themselves, change; pointers that change; signals and faults within them.
 */
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <ucontext.h>
#include "check.h"

#define NOINLINE __attribute__((noinline))
#define FUNCTION(name) ".balign 16\n.globl " name "\n.type " name ", %function\n" name ":\n"
#define ENTER "stp x29, x30, [sp, #-16]!\n"
#define LEAVE "ldp x29, x30, [sp], #16\nret\n"

/* ---- returns ----------------------------------------------------------------------------------------------------------------- */

/*
 * All of these do something n times, every `period` times something else. What was executed is counted in x2: 1 and so on for
 * instructions that are always the same. x3 counts the periods.
 */
typedef uint64_t counting(uint64_t n, uint64_t period);
counting return_further, return_by_register, return_by_branch, return_twice, return_by_stack, call_without_link, tail_call,
    return_around, call_by_link, read_pc;

#define COUNTING(name, body)                                                                                            \
    FUNCTION(name) ENTER "mov x2, #0\nmov x3, x1\n1:\n" body "subs x0, x0, #1\nb.ne 1b\nmov x0, x2\n" LEAVE
#define COUNT(n) "add x2, x2, #" #n "\n"
#define UNLESS_PERIOD(label) "subs x3, x3, #1\nb.ne " label "\nmov x3, x1\n"

__asm__(".text\n"
    COUNTING("return_further", "bl further\n" COUNT(1) COUNT(0x1000))
    "further:\n" UNLESS_PERIOD("2f") "add x30, x30, #4\n2: ret\n"
    COUNTING("return_by_register", "bl by_register\n" COUNT(1) COUNT(0x1000))
    "by_register:\n mov x5, x30\n" UNLESS_PERIOD("2f") "add x5, x5, #4\n2: ret x5\n"
    COUNTING("return_by_branch", "bl by_branch\n" COUNT(1) COUNT(0x1000))
    "by_branch:\n" UNLESS_PERIOD("2f") "add x30, x30, #4\n2: br x30\n"
    /* To its caller's caller. */
    COUNTING("return_twice", "bl outer\n" COUNT(1))
    "outer:\n" ENTER "bl inner\n" COUNT(0x1000) LEAVE
    "inner:\n" UNLESS_PERIOD("2f") "ldp x29, x30, [sp], #16\n2: ret\n"
    /* Its caller's return address is changed. */
    COUNTING("return_by_stack", "bl outer_stack\n" COUNT(1) COUNT(0x1000))
    "outer_stack:\n" ENTER "bl inner_stack\n" LEAVE
    "inner_stack:\n" UNLESS_PERIOD("2f") "ldr x4, [sp, #8]\nadd x4, x4, #4\nstr x4, [sp, #8]\n2: ret\n"
    /* A return to where no call was, and a branch that is as good as a call. */
    COUNTING("call_without_link", "adr x30, 3f\nb without_link\n3:\n" COUNT(1) "adr x30, 4f\nret\n" COUNT(0x100000) "4:\n"
             COUNT(0x1000))
    "without_link:\n" UNLESS_PERIOD("2f") "add x30, x30, #4\n2: ret\n"
    COUNTING("tail_call", "bl tail\n" COUNT(1))
    "tail:\n" COUNT(0x1000) "b tail_second\n"
    "tail_third:\n add x2, x2, #0x800, lsl #12\nret\n"
    "tail_second:\n" UNLESS_PERIOD("2f") "b tail_third\n2: ret\n"
    /* Round about within one function: the return's target is behind another call of the same. */
    COUNTING("return_around", "bl around\n" COUNT(1) "bl around\n5:" COUNT(0x1000))
    "around:\n" UNLESS_PERIOD("2f") "adr x30, 5b\n2: ret\n"
    /* BLR X30, and a call of the next instruction. */
    COUNTING("call_by_link", "adr x30, linked\nblr x30\n" COUNT(1) COUNT(0x1000))
    "linked:\n" UNLESS_PERIOD("2f") "add x30, x30, #4\n2: ret\n"
    COUNTING("read_pc", "bl 2f\n2: adr x4, 2b\ncmp x4, x30\ncinc x2, x2, eq\n"));

static void returns(void)
{
    static const uint64_t periods[] = {1000000, 1, 2, 3, 7, 1000, 4999};
    for (unsigned i = 0; i < 2 * sizeof periods / sizeof periods[0]; i++) {
        const uint64_t n = 5000, period = periods[i / 2], rare = n / period;
        CHECK_EQ(return_further(n, period), n * 0x1001 - rare);
        CHECK_EQ(return_by_register(n, period), n * 0x1001 - rare);
        CHECK_EQ(return_by_branch(n, period), n * 0x1001 - rare);
        CHECK_EQ(return_twice(n, period), n * 0x1001 - rare * 0x1000);
        CHECK_EQ(return_by_stack(n, period), n * 0x1001 - rare);
        CHECK_EQ(call_without_link(n, period), n * 0x1001 - rare);
        CHECK_EQ(tail_call(n, period), n * 0x1001 + rare * 0x800000);
        CHECK_EQ(call_by_link(n, period), n * 0x1001 - rare);
        CHECK_EQ(read_pc(n, period), n);
        uint64_t expected = 0, left = period;
        for (uint64_t k = 0; k < n; k++) {
            if (--left == 0) {
                left = period;
            } else {
                expected += 1;
                if (--left == 0)
                    left = period;
            }
            expected += 0x1000;
        }
        CHECK_EQ(return_around(n, period), expected);
    }
}

/* ---- recursion --------------------------------------------------------------------------------------------------------------- */

uint64_t sum_up(uint64_t n), sum_twice(uint64_t n);
__asm__(".text\n"
    FUNCTION("sum_up") "cbz x0, 2f\n" "stp x0, x30, [sp, #-16]!\nsub x0, x0, #1\nbl sum_up\nldp x1, x30, [sp], #16\nadd x0, x0, x1\n2: ret\n"
    FUNCTION("sum_twice") "cmp x0, #2\nb.lo 2f\nstp x0, x30, [sp, #-32]!\nsub x0, x0, #1\nbl sum_twice\nldr x1, [sp]\nstr x0, [sp, #16]\n"
    "sub x0, x1, #2\nbl sum_twice\nldr x1, [sp, #16]\nadd x0, x0, x1\nldp x1, x30, [sp], #32\n2: ret\n");

static NOINLINE uint64_t odd_one(uint64_t n, uint64_t (*const *next)(uint64_t, const void *));
static NOINLINE uint64_t by_pointer(uint64_t n, const void *next)
{
    return n == 0 ? 0 : odd_one(n - 1, next) + 3;
}
static NOINLINE uint64_t odd_one(uint64_t n, uint64_t (*const *next)(uint64_t, const void *))
{
    return n == 0 ? 1 : (*next)(n - 1, next) ^ n;
}

static void recursion(void)
{
    static uint64_t (*const pointer)(uint64_t, const void *) = by_pointer;
    for (uint64_t round = 0; round < 400; round++) {
        for (uint64_t n = 0; n < 12; n++)
            CHECK_EQ(sum_up(n), n * (n + 1) / 2);
        CHECK_EQ(sum_up(round * 3), round * 3 * (round * 3 + 1) / 2);
    }
    CHECK_EQ(sum_up(20000), UINT64_C(20000) * 20001 / 2);
    for (uint64_t round = 0; round < 5; round++)
        CHECK_EQ(sum_twice(20), 6765);
    uint64_t expected[40] = {0};
    for (uint64_t n = 1; n < 40; n++)
        expected[n] = n == 1 ? 1 + 3 : (expected[n - 2] ^ (n - 1)) + 3;
    for (uint64_t round = 0; round < 200; round++) {
        for (uint64_t n = 0; n < 40; n++)
            CHECK_EQ(by_pointer(n, &pointer), expected[n]);
    }
}

/* ---- pointers that change ------------------------------------------------------------------------------------------------------ */

typedef uint64_t through(uint64_t n, const void **slot, uint64_t until);
through call_stub, call_pointer, jump_pointer;
extern const char target_one[], target_two[], target_last[];

/* x2: of how many calls the targets change, x4: the sum. The targets change what is in the slot, [x1]. */
#define THROUGH(name, body) FUNCTION(name) ENTER "mov x4, #0\nadr x6, target_one\nadr x7, target_two\nadr x8, target_last\n" \
    "1:\n" body "subs x0, x0, #1\nb.ne 1b\nmov x0, x4\n" LEAVE
#define TARGET(name, count, next) FUNCTION(name) "add x4, x4, #" #count "\nsubs x2, x2, #1\ncsel x5, x5, " next ", ne\nstr x5, [x1]\nret\n"
__asm__(".text\n"
    THROUGH("call_stub", "bl stub\n")
    "stub: ldr x5, [x1]\nmov x17, x5\nbr x17\n"
    THROUGH("call_pointer", "ldr x5, [x1]\nblr x5\n")
    THROUGH("jump_pointer", "adr x30, 2f\nldr x5, [x1]\nbr x5\n2:\n")
    TARGET("target_one", 1, "x7") TARGET("target_two", 0x1000, "x8")
    FUNCTION("target_last") "add x4, x4, #0x100, lsl #12\nret\n");

static NOINLINE uint64_t plus(uint64_t a, uint64_t b) { return a + b; }
static NOINLINE uint64_t times(uint64_t a, uint64_t b) { return a * b; }
static uint64_t (*volatile function)(uint64_t, uint64_t);

static void pointers(void)
{
    static through *const all[] = {call_stub, call_pointer, jump_pointer};
    for (unsigned i = 0; i < 9; i++) {
        for (uint64_t until = 3000; until < 6001; until += 1500) {
            const void *slot = target_one;
            const uint64_t n = 7000;
            CHECK_EQ(all[i % 3](n, &slot, until), until + (n - until) * 0x1000);
            slot = target_two;
            CHECK_EQ(all[i % 3](n, &slot, until), until * 0x1000 + (n - until) * 0x100000);
            CHECK(slot == target_last);
        }
    }
    for (unsigned round = 0; round < 6; round++) {
        uint64_t x = 1, y = 1;
        function = round & 1 ? times : plus;
        for (unsigned i = 0; i < 6000; i++) {
            if (i == 5000)
                function = round & 2 ? times : plus;
            x = function(x, 3);
            y = (i < 5000 ? round & 1 : round & 2) ? y * 3 : y + 3;
        }
        CHECK_EQ(x, y);
    }
}

/* ---- jumps out of calls -------------------------------------------------------------------------------------------------------- */

static jmp_buf outside;
static volatile unsigned kept;

static NOINLINE unsigned third(unsigned i, unsigned period)
{
    if (i % period == period - 1)
        longjmp(outside, (int)(i + 1));
    return i * 3;
}
static NOINLINE unsigned second(unsigned i, unsigned period) { return third(i, period) + kept; }
static NOINLINE unsigned first(unsigned i, unsigned period) { return second(i, period) ^ 1; }

static void jumps(void)
{
    for (volatile unsigned period = 1; period < 3000; period = period * 5 + 1) {
        volatile unsigned i, sum = 0, expected = 0, jumped = 0;
        kept = 7;
        for (i = 0; i < 6000; i++) {
            int result = setjmp(outside);
            if (result == 0) {
                sum += first(i, period);
            } else {
                CHECK_EQ(result, i + 1);
                jumped++;
            }
            if (i % period != period - 1)
                expected += (i * 3 + 7) ^ 1;
        }
        CHECK_EQ(sum, expected);
        CHECK_EQ(jumped, 6000 / period);
    }
}

/* ---- signals and faults within calls -------------------------------------------------------------------------------------------- */

/*
 * x19 counts iterations, x20 returns from leaf, x21 those from middle. leaf and deepest loop, so that a signal may come there. deepest
 * loads from x10 with x11 at its side: 0 in some iterations.
 */
uint64_t walk(uint64_t n, uint64_t period, uint64_t results[3], const uint64_t *readable);
extern const char walk_leaf_back[], walk_middle_back[], leaf[], leaf_end[], middle[], middle_entered[], middle_back[], middle_left[],
    middle_end[], deepest[], deepest_loads[], deepest_end[];
__asm__(".text\n.globl walk_leaf_back, walk_middle_back, leaf, leaf_end, middle, middle_entered, middle_back, middle_left, middle_end\n"
    ".globl deepest, deepest_loads, deepest_end\n"
    FUNCTION("walk")
    "stp x29, x30, [sp, #-64]!\nstp x19, x20, [sp, #16]\nstp x21, x22, [sp, #32]\nstr x23, [sp, #48]\n"
    "mov x19, #0\nmov x20, #0\nmov x21, #0\nmov x22, #0\nmov x23, sp\nmov x9, x1\n"
    "1: add x19, x19, #1\nbl leaf\nwalk_leaf_back: add x20, x20, #1\nbl middle\nwalk_middle_back: add x21, x21, #1\n"
    "subs x0, x0, #1\nb.ne 1b\n"
    "stp x19, x20, [x2]\nstr x21, [x2, #16]\nmov x0, x22\n"
    "ldr x23, [sp, #48]\nldp x21, x22, [sp, #32]\nldp x19, x20, [sp, #16]\nldp x29, x30, [sp], #64\nret\n"
    "leaf: mov x4, #3\n2: subs x4, x4, #1\nb.ne 2b\nret\nleaf_end:\n"
    "middle: stp x29, x30, [sp, #-16]!\nmiddle_entered: bl deepest\nmiddle_back: add x22, x22, x11\nldp x29, x30, [sp], #16\n"
    "middle_left: ret\nmiddle_end:\n"
    "deepest: mov x4, #2\n2: subs x4, x4, #1\nb.ne 2b\nmov x10, x3\nmov x11, #0\nsubs x9, x9, #1\nb.ne 3f\nmov x9, x1\nmov x10, #0\n"
    "3:\ndeepest_loads: ldr x11, [x10]\nret\ndeepest_end:\n");

static volatile unsigned seen, wrong, skipped, returned, faulted;
static volatile int change;

static int is_in(uint64_t pc, const char *start, const char *end) { return pc >= (uintptr_t)start && pc < (uintptr_t)end; }

/** Whether the state is one that there is at this place of walk(). */
static int is_sound(const mcontext_t *m)
{
    const uint64_t *x = (const uint64_t *)m->regs, base = x[23];
    if (is_in(m->pc, leaf, leaf_end)) {
        const uint64_t changed = x[30] - (uintptr_t)walk_leaf_back; /* by a handler that ran a moment ago */
        const uint64_t before = skipped - changed / 4;
        return (changed == 0 || (change && changed == 4)) && m->sp == base && x[19] - 1 - x[20] == before && x[20] + before == x[21];
    }
    if (is_in(m->pc, deepest, deepest_end))
        return x[30] == (uintptr_t)middle_back && m->sp == base - 16 && ((const uint64_t *)m->sp)[1] == (uintptr_t)walk_middle_back &&
               x[19] - x[20] == skipped && x[21] + 1 == x[19];
    if (is_in(m->pc, middle, middle_end)) {
        int open = m->pc >= (uintptr_t)middle_entered && m->pc < (uintptr_t)middle_left;
        return m->sp == (open ? base - 16 : base) && x[19] - x[20] == skipped &&
               (x[30] == (m->pc > (uintptr_t)middle_entered && open ? (uintptr_t)middle_back : (uintptr_t)walk_middle_back));
    }
    return 1;
}

static void on_alarm(int number, siginfo_t *info, void *context)
{
    mcontext_t *m = &((ucontext_t *)context)->uc_mcontext;
    (void)number, (void)info;
    if (!is_in(m->pc, (const char *)walk, deepest_end))
        return;
    seen++;
    wrong += !is_sound(m);
    if (!change || !is_in(m->pc, leaf, leaf_end) || m->regs[30] != (uintptr_t)walk_leaf_back)
        return;
    if (++returned % 2) { /* the return is to another address … */
        m->regs[30] += 4;
        skipped++;
    } else { /* … or happens at once */
        m->pc = m->regs[30];
    }
}

static void on_fault(int number, siginfo_t *info, void *context)
{
    mcontext_t *m = &((ucontext_t *)context)->uc_mcontext;
    (void)number;
    faulted++;
    if (m->pc != (uintptr_t)deepest_loads || info->si_addr != NULL || m->regs[10] != 0 || !is_sound(m)) {
        wrong++;
        _Exit(3);
    }
    m->regs[11] = 1000000;
    m->pc += 4;
}

static void interrupted(void)
{
    struct sigaction alarm = {.sa_sigaction = on_alarm, .sa_flags = SA_SIGINFO | SA_RESTART},
                     fault = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
    const struct itimerval often = {{0, 300}, {0, 300}}, never = {{0, 0}, {0, 0}};
    const uint64_t one = 1;
    CHECK(sigaction(SIGALRM, &alarm, NULL) == 0 && sigaction(SIGSEGV, &fault, NULL) == 0);
    for (unsigned round = 0; round < 8; round++) {
        const uint64_t n = 20000, period = round & 2 ? 1000 : n + 1;
        change = round & 4;
        seen = wrong = returned = 0;
        if (round & 1)
            setitimer(ITIMER_REAL, &often, NULL);
        for (unsigned again = 0; again < 200 && (again < 3 || (round & 1 && seen < 30)); again++) {
            uint64_t results[3];
            skipped = faulted = 0;
            CHECK_EQ(walk(n, period, results, &one), n - n / period + n / period * 1000000);
            CHECK_EQ(wrong, 0);
            CHECK_EQ(faulted, n / period);
            CHECK_EQ(results[0], n);
            CHECK_EQ(results[1], n - skipped);
            CHECK_EQ(results[2], n);
        }
        setitimer(ITIMER_REAL, &never, NULL);
        CHECK(!(round & 1) || seen > 0);
    }
}

/* ---- code that changes ----------------------------------------------------------------------------------------------------------- */

/* x0: how often, x1: how often before the function is patched (by its caller), x2: where, x3: by what. Returns the sum. */
extern const char patching[], patching_end[], patched[];
__asm__(".text\n.balign 64\n"
    ".globl patching, patching_end, patched\n"
    "patching:\n" ENTER "mov x4, #0\n"
    "1: bl patched\nsubs x1, x1, #1\nb.ne 2f\nbl 4f\n2: bl patched\nbl 3f\nsubs x0, x0, #1\nb.ne 1b\nmov x0, x4\n" LEAVE
    "3: " ENTER "bl patched\n" LEAVE
    "4: str w3, [x2]\ndc cvau, x2\ndsb ish\nic ivau, x2\ndsb ish\nisb\nret\n"
    "patched: add x4, x4, #1\nret\n"
    "patching_end:\n");

static uint64_t (*far_function)(uint64_t, uint64_t);
static NOINLINE uint64_t near_by(uint64_t x, uint64_t y) { return far_function(x, y) + 1; }

static void changes(void)
{
    const size_t size = (size_t)(patching_end - patching);
    uint8_t *code = mmap(NULL, 65536, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(code != MAP_FAILED);
    memcpy(code, patching, size);
    uint32_t *function_at = (uint32_t *)(code + (patched - patching));
    __builtin___clear_cache((char *)code, (char *)code + size);
    uint64_t (*run)(uint64_t, uint64_t, uint32_t *, uint32_t) = (uint64_t (*)(uint64_t, uint64_t, uint32_t *, uint32_t))(void *)code;
    uint64_t now = 1;
    for (unsigned round = 0; round < 40; round++) {
        const uint64_t n = 4000, when = round % 4 == 0 ? 1 : round * 101 % 4000 + 1, next = round * 37 % 1000;
        CHECK_EQ(run(n, when, function_at, 0x91000084 | (uint32_t)next << 10), ((when - 1) * 3 + 1) * now + ((n - when) * 3 + 2) * next);
        now = next;
    }
    /* From one module into another, far away, whose function comes and goes. */
    for (unsigned round = 0; round < 30; round++) {
        uint32_t *to = (uint32_t *)(void *)(code + 4096 + round % 3 * 16);
        to[0] = 0x8b010000 | (round % 7) << 10; /* ADD X0, X0, X1, LSL #n */
        to[1] = 0xd65f03c0;
        __builtin___clear_cache((char *)to, (char *)(to + 2));
        far_function = (uint64_t (*)(uint64_t, uint64_t))(void *)to;
        uint64_t sum = 0;
        for (unsigned i = 0; i < 3000; i++)
            sum = near_by(sum, i);
        CHECK_EQ(sum, 3000 + (UINT64_C(2999) * 3000 / 2 << round % 7));
    }
    CHECK(munmap(code, 65536) == 0);
}

static sigjmp_buf gone_back;
static void on_gone(int number, siginfo_t *info, void *context)
{
    const mcontext_t *m = &((const ucontext_t *)context)->uc_mcontext;
    (void)number;
    CHECK(info->si_addr == (void *)far_function);
    CHECK_EQ(m->pc, (uintptr_t)far_function);
    siglongjmp(gone_back, 1);
}

/** The function that a region has followed goes away, and cannot be executed for a while. */
static void goes(void)
{
    struct sigaction action = {.sa_sigaction = on_gone, .sa_flags = SA_SIGINFO};
    uint32_t *code = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(code != MAP_FAILED);
    code[0] = 0x8b010000;
    code[1] = 0xd65f03c0;
    __builtin___clear_cache((char *)code, (char *)(code + 2));
    far_function = (uint64_t (*)(uint64_t, uint64_t))(void *)code;
    sigaction(SIGSEGV, &action, NULL);
    for (volatile unsigned round = 0; round < 20; round++) {
        volatile uint64_t sum = 0;
        mprotect(code, 4096, PROT_READ | PROT_EXEC);
        for (unsigned i = 0; i < 3000; i++)
            sum = near_by(sum, 2);
        CHECK_EQ(sum, 9000);
        if (sigsetjmp(gone_back, 1) == 0) {
            mprotect(code, 4096, round & 1 ? PROT_READ : PROT_NONE);
            for (unsigned i = 0; i < 3000; i++)
                sum = near_by(sum, 2);
            CHECK(!"executed");
        }
        CHECK_EQ(sum, 9000);
    }
}

int main(void)
{
    returns();
    recursion();
    pointers();
    jumps();
    interrupted();
    changes();
    goes();
    return check_result();
}

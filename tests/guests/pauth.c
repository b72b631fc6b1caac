/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Pointer authentication: signing, authenticating, failing, the branches and loads, the keys. */
#include <setjmp.h>
#include <signal.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include "check.h"

__asm__(".arch armv8.5-a");

#define PAC_BITS 0x007f000000000000ull
#define SIGN(op) ({ uint64_t r_ = pointer; __asm__ volatile(op " %0, %1" : "+r"(r_) : "r"(modifier)); r_; })
#define SIGN_Z(op) ({ uint64_t r_ = pointer; __asm__ volatile(op " %0" : "+r"(r_)); r_; })

static uint64_t next_random(void)
{
    static uint64_t state = 88172645463325252ull;
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    return state;
}

static void check_signing(void)
{
    unsigned differ[4] = {0}, wrong = 0;
    for (int i = 0; i < 2000; i++) {
        uint64_t pointer = next_random() >> 16, modifier = next_random(), original = pointer;
        uint64_t ia = SIGN("pacia"), ib = SIGN("pacib"), da = SIGN("pacda"), db = SIGN("pacdb");
        CHECK_EQ(SIGN("pacia"), ia);
        CHECK_EQ(ia & ~PAC_BITS, original);
        CHECK_EQ(ib & ~PAC_BITS, original);
        differ[0] += ia != original, differ[1] += ib != ia, differ[2] += da != ib, differ[3] += db != da;
        pointer = ia;
        CHECK_EQ(SIGN("autia"), original);
        CHECK_EQ(SIGN_Z("xpaci"), original);
        pointer = ib;
        CHECK_EQ(SIGN("autib"), original);
        pointer = da;
        CHECK_EQ(SIGN("autda"), original);
        CHECK_EQ(SIGN_Z("xpacd"), original);
        pointer = db;
        CHECK_EQ(SIGN("autdb"), original);
        /* Wrong codes leave an error code in bits 54:53. */
        pointer = ia ^ 1ull << (48 + i % 7);
        CHECK_EQ(SIGN("autia"), original | 1ull << 53);
        pointer = ib ^ 1ull << (48 + i % 7);
        CHECK_EQ(SIGN("autib"), original | 2ull << 53);
        pointer = da, modifier ^= 1ull << i % 64;
        wrong += SIGN("autda") != original;
        pointer = original;
        CHECK_EQ(SIGN_Z("paciza"), ({ modifier = 0; SIGN("pacia"); }));
        pointer = SIGN_Z("pacdzb");
        CHECK_EQ(SIGN_Z("autdzb"), original);
        /* What is no pointer is signed such that it cannot be authenticated; the tag and bit 55 stay. */
        pointer = original | 0x5a20000000000000;
        uint64_t bad = SIGN("pacia");
        CHECK_EQ(bad & ~PAC_BITS, original | 0x5a00000000000000);
        pointer = bad;
        CHECK_EQ(SIGN("autia"), original | 0x5a20000000000000);
        pointer = original | 0xfffull << 52 | 15ull << 48;
        uint64_t high = pointer;
        pointer = SIGN("pacda");
        CHECK_EQ(SIGN("autda"), high);
        CHECK_EQ(SIGN_Z("xpacd"), high);
    }
    for (int i = 0; i < 4; i++)
        CHECK(differ[i] > 1950);
    CHECK(wrong > 1950);
}

static void check_generic(void)
{
    uint64_t a = 0x123456789abcdef, b = 42, x, y, z;
    __asm__ volatile("pacga %0, %1, %2" : "=r"(x) : "r"(a), "r"(b));
    __asm__ volatile("pacga %0, %1, %2" : "=r"(y) : "r"(a), "r"(b));
    __asm__ volatile("pacga %0, %1, %2" : "=r"(z) : "r"(a), "r"(b + 1));
    CHECK_EQ(x, y);
    CHECK(x != z);
    CHECK_EQ(x & UINT32_MAX, 0);
}

uint64_t add_seven(uint64_t x);
__asm__(".text\n"
        ".globl add_seven\n"
        ".type add_seven, %function\n"
        "add_seven:\n"
        "    paciasp\n"
        "    stp x29, x30, [sp, #-16]!\n"
        "    add x0, x0, #7\n"
        "    ldp x29, x30, [sp], #16\n"
        "    retaa\n");

static void check_branches(void)
{
    uint64_t function = (uint64_t)add_seven, modifier = 99, result;
    __asm__ volatile("paciza %1\n mov x0, #1\n blraaz %1\n mov %0, x0"
                     : "=r"(result), "+r"(function)::"x0", "x30", "memory");
    CHECK_EQ(result, 8);
    function = (uint64_t)add_seven;
    __asm__ volatile("pacib %1, %2\n mov x0, #3\n blrab %1, %2\n mov %0, x0"
                     : "=&r"(result), "+r"(function) : "r"(modifier) : "x0", "x30", "memory");
    CHECK_EQ(result, 10);
    __asm__ volatile("adr x1, 1f\n mov x2, #5\n pacia x1, x2\n mov %0, #0\n braa x1, x2\n mov %0, #1\n1:\n"
                     : "=r"(result)::"x1", "x2");
    CHECK_EQ(result, 0);
    /* the hint forms on x17, x30 */
    __asm__ volatile("mov x17, %1\n mov x16, %2\n pacia1716\n mov x3, x17\n autia1716\n mov %0, x17"
                     : "=r"(result) : "r"(function), "r"(modifier) : "x3", "x16", "x17");
    __asm__ volatile("mov x30, %1\n paciaz\n autiaz\n pacibsp\n xpaclri\n mov %0, x30"
                     : "=r"(result) : "r"(result) : "x30");
    CHECK_EQ(result & 0xffffffffffff, function & 0xffffffffffff);
}

static void check_loads(void)
{
    static uint64_t values[4] = {10, 20, 30, 40};
    uint64_t a = (uint64_t)values, b = (uint64_t)(values + 2), x, y;
    __asm__ volatile("pacdza %2\n ldraa %0, [%2, #8]\n pacdzb %3\n ldrab %1, [%3, #-16]!"
                     : "=&r"(x), "=&r"(y), "+r"(a), "+r"(b)::"memory");
    CHECK_EQ(x, 20);
    CHECK_EQ(y, 10);
    CHECK_EQ(b, (uint64_t)values);
}

static sigjmp_buf escape;
static uint64_t fault_pc;
static void on_fault(int signal, siginfo_t *info, void *context)
{
    (void)info;
    fault_pc = ((ucontext_t *)context)->uc_mcontext.pc;
    siglongjmp(escape, signal);
}

/** An address whose code is wrong faults where it is used. */
static void check_failure(void)
{
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
    sigaction(SIGSEGV, &action, NULL);
    uint64_t modifier = 5, pointer = (uint64_t)add_seven;
    uint64_t function = SIGN("pacia") ^ 1ull << 50;
    if (sigsetjmp(escape, 1) == 0) {
        __asm__ volatile("blraa %0, %1" ::"r"(function), "r"(modifier) : "x0", "x30", "memory");
        CHECK(0);
    }
    CHECK_EQ(fault_pc, (uint64_t)add_seven | 1ull << 53);
    static uint64_t value;
    if (sigsetjmp(escape, 1) == 0) {
        uint64_t x, address = (uint64_t)&value | 1ull << 52;
        __asm__ volatile("ldraa %0, [%1]" : "=r"(x) : "r"(address));
        CHECK(0);
    }
    signal(SIGSEGV, SIG_DFL);
}

/* Where the compiler signs return addresses itself this function could not return with other keys. */
static void check_keys(void)
{
    uint64_t modifier = 1, pointer = 0x123456000, same = 0;
    uint64_t first = SIGN("pacda");
    for (unsigned i = 0; i < 16; i++) { /* new keys give the same 7 bits with a chance of 1/128 */
        CHECK_EQ(prctl(54 /* PR_PAC_RESET_KEYS */, 1 << 2, 0, 0, 0), 0);
        same += SIGN("pacda") == first;
    }
    CHECK(same < 8);
    CHECK_EQ(prctl(54, 1 << 5, 0, 0, 0), -1);
    CHECK_EQ(prctl(61 /* PR_PAC_GET_ENABLED_KEYS */, 0, 0, 0, 0), 15);
    CHECK_EQ(prctl(60 /* PR_PAC_SET_ENABLED_KEYS */, 1 << 3, 0, 0, 0), 0);
    CHECK_EQ(prctl(61, 0, 0, 0, 0), 7);
    CHECK_EQ(SIGN("pacdb"), pointer);
    CHECK_EQ(SIGN("autdb"), pointer);
    CHECK_EQ(prctl(60, 1 << 3, 1 << 3, 0, 0), 0);
    CHECK_EQ(prctl(61, 0, 0, 0, 0), 15);
    /* A child has its parent's keys. */
    pointer = 0x123456000;
    uint64_t here = SIGN("pacib");
    pid_t child = fork();
    if (child == 0)
        _exit(SIGN("pacib") != here);
    int status = -1;
    waitpid(child, &status, 0);
    CHECK_EQ(status, 0);
}

int main(void)
{
    if (!(getauxval(AT_HWCAP) & (1ul << 30))) {
        puts("no pointer authentication");
        return 0;
    }
    check_signing();
    check_generic();
    check_branches();
    check_loads();
    check_failure();
    check_keys();
    return check_result();
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tagged addresses (TBI), unaligned atomic accesses, an unaligned stack pointer. */
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/auxv.h>
#include <ucontext.h>

#include "check.h"

__asm__(".arch armv8.4-a");

static uint64_t tagged(const void *p, unsigned tag) { return (uint64_t)p | (uint64_t)tag << 56; }

static struct {
    _Alignas(64) uint64_t words[32];
} memory;

static sigjmp_buf escape;
static int fault_code;
static uint64_t fault_address, fault_pc, fault_sp;
static void on_fault(int signal, siginfo_t *info, void *context)
{
    fault_code = info->si_code;
    fault_address = (uint64_t)info->si_addr;
    fault_pc = ((ucontext_t *)context)->uc_mcontext.pc;
    fault_sp = ((ucontext_t *)context)->uc_mcontext.sp;
    siglongjmp(escape, signal);
}

/* The signal that the statement brings, 0 for none. */
#define SIGNAL_OF(...)                                                                                                 \
    ({                                                                                                                 \
        int signal_ = sigsetjmp(escape, 1);                                                                            \
        if (signal_ == 0)                                                                                              \
            __VA_ARGS__;                                                                                               \
        signal_;                                                                                                       \
    })

static uint64_t sum(const uint64_t *p, unsigned n)
{
    uint64_t s = 0;
    for (unsigned i = 0; i < n; i++)
        s += ((volatile const uint64_t *)p)[i];
    return s;
}

static void check_tags(void)
{
    uint64_t want = 0, x, y;
    for (unsigned i = 0; i < 32; i++)
        want += memory.words[i] = i * 0x0101010101010101;
    for (int i = 0; i < 3000; i++) /* hot before the first tag is seen */
        CHECK_EQ(sum(memory.words, 32), want);
    for (int i = 0; i < 3000; i++)
        CHECK_EQ(sum((const uint64_t *)tagged(memory.words, (unsigned)i & 255), 32), want);
    for (unsigned tag = 1; tag < 256; tag += 17) {
        uint64_t p = tagged(memory.words, tag), q = p;
        __asm__ volatile("ldr %0, [%2, #8]!\n ldr %1, [%2], #8" : "=&r"(x), "=&r"(y), "+r"(q)::"memory");
        CHECK_EQ(x, memory.words[1]);
        CHECK_EQ(y, memory.words[1]);
        CHECK_EQ(q, p + 16); /* the base keeps its tag */
        __asm__ volatile("ldp %0, %1, [%2, #16]" : "=&r"(x), "=&r"(y) : "r"(p) : "memory");
        CHECK_EQ(x + y, memory.words[2] + memory.words[3]);
        __asm__ volatile("ldr %0, [%1, %2, lsl #3]" : "=r"(x) : "r"(p), "r"(5ul) : "memory");
        CHECK_EQ(x, memory.words[5]);
        /* the tag may be in the index */
        __asm__ volatile("ldrb %w0, [%1, %2]" : "=r"(x) : "r"(memory.words), "r"((uint64_t)tag << 56 | 8) : "memory");
        CHECK_EQ(x, 1);
        __asm__ volatile("ld1 {v0.16b, v1.16b}, [%1]\n umov %0, v1.d[0]" : "=r"(x) : "r"(p) : "v0", "v1", "memory");
        CHECK_EQ(x, memory.words[2]);
        __asm__ volatile("ldadd %1, %0, [%2]" : "=r"(x) : "r"(1ul), "r"(p + 48) : "memory");
        CHECK_EQ(memory.words[6], 6 * 0x0101010101010101 + tag / 17 + 1);
        unsigned failed;
        __asm__ volatile("ldaxr %0, [%2]\n stlxr %w1, %0, [%2]" : "=&r"(x), "=&r"(failed) : "r"(p) : "memory");
        CHECK_EQ(failed, 0);
        __asm__ volatile("stlr %0, [%1]" ::"r"((uint64_t)tag), "r"(p + 56) : "memory");
        CHECK_EQ(memory.words[7], tag);
        __asm__ volatile("dc zva, %0" ::"r"(p + 128) : "memory");
        CHECK_EQ(memory.words[16] | memory.words[23], 0);
    }
    /* A branch drops the tag, too. */
    uint64_t (*function)(const uint64_t *, unsigned) = (uint64_t(*)(const uint64_t *, unsigned))tagged((void *)sum, 0x5a);
    CHECK_EQ(function(memory.words, 3), 3 * 0x0101010101010101);
    /* Bad addresses stay bad, and are reported without their tag. */
    CHECK_EQ(SIGNAL_OF(sum((const uint64_t *)0x4200000000001000, 1)), SIGSEGV);
    CHECK_EQ(fault_address, 0x1000);
    CHECK_EQ(SIGNAL_OF(sum((const uint64_t *)0x4210000000001000, 1)), SIGSEGV);
    CHECK_EQ(fault_address, 0x10000000001000);
}

#define ACCESS(text) SIGNAL_OF({ uint64_t x_ = 0; unsigned w_; \
    __asm__ volatile(text : "+r"(x_), "=&r"(w_) : "r"(at) : "x10", "x11", "x12", "x13", "memory"); (void)w_; })

static void check_atomic_alignment(void)
{
    bool anywhere = getauxval(AT_HWCAP) & 1u << 25; /* USCAT */
    for (unsigned offset = 0; offset < 16; offset++) {
        uint64_t at = (uint64_t)memory.words + offset;
        int natural8 = offset % 8 ? SIGBUS : 0, natural4 = offset % 4 ? SIGBUS : 0;
        int want8 = anywhere ? (offset > 8 ? SIGBUS : 0) : natural8, want4 = anywhere ? (offset > 12 ? SIGBUS : 0) : natural4;
        CHECK_EQ(ACCESS("ldar %0, [%2]"), want8);
        if (want8) {
            CHECK_EQ(fault_code, BUS_ADRALN);
            CHECK_EQ(fault_address, at);
        }
        CHECK_EQ(ACCESS("stlr %w0, [%2]"), want4);
        CHECK_EQ(ACCESS("ldapr %0, [%2]"), want8);
        CHECK_EQ(ACCESS("ldadd %0, %0, [%2]"), want8);
        CHECK_EQ(ACCESS("swp %w0, %w0, [%2]"), want4);
        CHECK_EQ(ACCESS("cas %0, %0, [%2]"), want8);
        CHECK_EQ(ACCESS("ldxr %0, [%2]"), want8);
        CHECK_EQ(ACCESS("mov x10, #0\n mov x11, #0\n mov x12, #0\n mov x13, #0\n casp x10, x11, x12, x13, [%2]"), offset ? SIGBUS : 0);
        CHECK_EQ(ACCESS("stxr %w1, %0, [%2]"), natural8);
        CHECK_EQ(ACCESS("ldarb %w0, [%2]"), 0);
        CHECK_EQ(ACCESS("ldr %0, [%2]"), 0);
    }
}

/* The stack pointer moved by x1 for one access; it comes back in any case. */
int access_by_sp(uint64_t unused, uint64_t by);
__asm__(".text\n"
        ".globl access_by_sp_at\n"
        ".globl access_by_sp\n"
        ".type access_by_sp, %function\n"
        "access_by_sp:\n"
        "    mov x9, sp\n"
        "    sub x10, x9, #64\n"
        "    sub x10, x10, x1\n"
        "    mov sp, x10\n"
        "    mov x11, sp\n"     /* this is no access */
        "access_by_sp_at:\n"
        "    ldr x12, [sp]\n"
        "    mov sp, x9\n"
        "    ldr x12, [sp]\n"
        "    mov x0, #0\n"
        "    ret\n");
extern const char access_by_sp_at[];

int stepped_sp(uint64_t unused, uint64_t by);
__asm__(".text\n"
        ".globl stepped_sp\n"
        ".type stepped_sp, %function\n"
        "stepped_sp:\n"
        "    mov x9, sp\n"
        "    str x9, [sp, #-8]!\n"
        "    sub sp, sp, x1\n"
        "    ldr x10, [sp], #8\n"
        "    mov sp, x9\n"
        "    mov x0, #0\n"
        "    ret\n");

static void check_stack_alignment(void)
{
    for (int round = 0; round < 300; round++)
        for (uint64_t by = 0; by < 32; by += round % 3 + 1) {
            CHECK_EQ(SIGNAL_OF(CHECK_EQ(access_by_sp(0, by), 0)), by % 16 ? SIGBUS : 0);
            if (by % 16) {
                CHECK_EQ(fault_pc, (uint64_t)access_by_sp_at);
                CHECK_EQ(fault_sp % 16, (16 - by % 16));
                CHECK_EQ(fault_address, fault_sp);
            }
            CHECK_EQ(SIGNAL_OF(CHECK_EQ(stepped_sp(0, by), 0)), by % 16 != 8 ? SIGBUS : 0);
        }
}

int main(int argc, char **argv)
{
    static uint8_t stack[65536];
    sigaltstack(&(stack_t){.ss_sp = stack, .ss_size = sizeof stack}, NULL);
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    sigaction(SIGSEGV, &action, NULL);
    sigaction(SIGBUS, &action, NULL);
    check_atomic_alignment();
    check_tags();
    check_atomic_alignment();
    if (argc < 2 || strcmp(argv[1], "no-sp"))
        check_stack_alignment();
    return check_result();
}

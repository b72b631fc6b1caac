/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Precision of faults. Every register is given a known value, an instruction faults, and the handler sees exactly those
 * values, the address and the PC; then it repairs the base register and the instruction is executed again.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>
#include "check.h"

#ifndef HWCAP_ATOMICS
#define HWCAP_ATOMICS (1 << 8)
#endif

static struct {
    int signal, code, seen;
    uint64_t address, fault_pc, pc;
    uint64_t x[31];
    uint32_t pstate;
    __uint128_t v[32];
    uint64_t repair;  /* new value of register 0, 0: skip the instruction */
    sigjmp_buf *jump; /* leave by siglongjmp instead */
} record;

static void handler(int sig, siginfo_t *info, void *context)
{
    ucontext_t *uc = context;
    record.signal = sig;
    record.code = info->si_code;
    record.seen++;
    record.address = (uint64_t)info->si_addr;
    record.fault_pc = uc->uc_mcontext.fault_address;
    record.pc = uc->uc_mcontext.pc;
    record.pstate = (uint32_t)uc->uc_mcontext.pstate;
    for (int i = 0; i < 31; i++)
        record.x[i] = uc->uc_mcontext.regs[i];
    struct fpsimd_context *fp = (void *)uc->uc_mcontext.__reserved;
    if (fp->head.magic == FPSIMD_MAGIC)
        memcpy(record.v, fp->vregs, sizeof(record.v));
    else
        record.seen += 1000;
    if (record.jump)
        siglongjmp(*record.jump, 1);
    if (record.repair)
        uc->uc_mcontext.regs[0] = record.repair;
    else
        uc->uc_mcontext.pc += 4;
}

/* x0 = base, x1 = in/out of the tested instruction, x2..x15 = 0x1111 * number, v0..v31 = number in each byte, NZCV = 1010.
   The local label gives the address of the tested instruction. */
#define FILL                                                                                                           \
    "mov x2, #0x2222\n mov x3, #0x3333\n mov x4, #0x4444\n mov x5, #0x5555\n mov x6, #0x6666\n mov x7, #0x7777\n"      \
    "mov x8, #0x8888\n mov x9, #0x9999\n mov x10, #0xaaaa\n mov x11, #0xbbbb\n mov x12, #0xcccc\n mov x13, #0xdddd\n"  \
    "mov x14, #0xeeee\n mov x15, #0xffff\n"                                                                            \
    "movi v0.16b, #100\n movi v1.16b, #1\n movi v2.16b, #2\n movi v3.16b, #3\n movi v8.16b, #8\n movi v15.16b, #15\n"  \
    "movi v16.16b, #16\n movi v30.16b, #30\n movi v31.16b, #31\n"                                                      \
    "mov x16, #0xa0000000\n msr nzcv, x16\n"                                                                           \
    "adr x16, 1f\n mov x17, #17\n"
#define CLOBBERS                                                                                                       \
    "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14", "x15", "x16", "x17", "v0", "v1", \
        "v2", "v3", "v8", "v15", "v16", "v30", "v31", "memory", "cc"

#define FAULTING(instruction, base, value)                                                                             \
    do {                                                                                                               \
        register uint64_t x0 __asm__("x0") = (uint64_t)(base);                                                         \
        register uint64_t x1 __asm__("x1") = (value);                                                                  \
        __asm__ volatile(FILL "1: " instruction "\n" : "+r"(x0), "+r"(x1) : : CLOBBERS);                               \
        last_x0 = x0;                                                                                                  \
        last_x1 = x1;                                                                                                  \
    } while (0)

static uint64_t last_x0, last_x1;

static void check_registers(int line, int sig, uint64_t address, uint64_t base, uint64_t value)
{
    if (record.signal != sig || record.address != address || record.pc != record.x[16] || record.x[0] != base ||
        record.x[1] != value || record.x[17] != 17 || (record.pstate & 0xf0000000) != 0xa0000000 || record.seen != 1) {
        printf("line %d: signal %d address %#lx pc %#lx (should be %#lx) x0 %#lx x1 %#lx nzcv %#x seen %d\n", line,
               record.signal, record.address, record.pc, record.x[16], record.x[0], record.x[1], record.pstate, record.seen);
        check_failures++;
    }
    for (unsigned i = 2; i < 16; i++)
        if (record.x[i] != 0x1111 * i) {
            printf("line %d: x%u is %#lx\n", line, i, record.x[i]);
            check_failures++;
        }
    static const uint8_t vectors[][2] = {{0, 100}, {1, 1}, {2, 2}, {3, 3}, {8, 8}, {15, 15}, {16, 16}, {30, 30}, {31, 31}};
    for (unsigned i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++)
        for (unsigned byte = 0; byte < 16; byte++)
            if (((uint8_t *)&record.v[vectors[i][0]])[byte] != vectors[i][1]) {
                printf("line %d: v%u byte %u is %#x\n", line, vectors[i][0], byte, ((uint8_t *)&record.v[vectors[i][0]])[byte]);
                check_failures++;
                break;
            }
    record.seen = 0;
}

static uint64_t memory[64] __attribute__((aligned(64)));
static uint8_t *hole; /* three pages, the middle one not accessible, the last one read-only */
static long page;

static void loads_and_stores(void)
{
    uint64_t bad = (uint64_t)hole + (uint64_t)page + 64;
    uint64_t good = (uint64_t)&memory[16];
    record.repair = good;
#define TRY(instruction, offset, store, result, x0_after)                                                              \
    do {                                                                                                               \
        for (unsigned i = 0; i < 64; i++)                                                                              \
            memory[i] = 0x8081828384858687 + i;                                                                        \
        FAULTING(instruction, bad, 0x1357);                                                                            \
        check_registers(__LINE__, SIGSEGV, bad + (offset), bad, 0x1357);                                               \
        CHECK_EQ(last_x1, result);                                                                                     \
        CHECK_EQ(last_x0, good + (x0_after));                                                                          \
        if (store)                                                                                                     \
            CHECK_EQ(memory[16 + (offset) / 8], store);                                                                \
    } while (0)
    TRY("ldr x1, [x0]", 0, 0, 0x8081828384858697, 0);
    TRY("ldr x1, [x0, #32]", 32, 0, 0x808182838485869b, 0);
    TRY("ldr x1, [x0], #24", 0, 0, 0x8081828384858697, 24);
    TRY("ldr x1, [x0, #16]!", 16, 0, 0x8081828384858699, 16);
    TRY("ldrsb x1, [x0]", 0, 0, 0xffffffffffffff97, 0);
    TRY("ldrh w1, [x0]", 0, 0, 0x8697, 0);
    TRY("ldursw x1, [x0, #-8]", -8, 0, 0xffffffff84858696, 0);
    TRY("ldr x1, [x0, x17, lsl #3]", 136, 0, 0x80818283848586a8, 0);
    TRY("ldr x1, [x0, w17, sxtw]", 17, 0, 0x9a80818283848586, 0);
    TRY("ldar x1, [x0]", 0, 0, 0x8081828384858697, 0);
    TRY("ldxr x1, [x0]\n clrex", 0, 0, 0x8081828384858697, 0);
    TRY("str x1, [x0]", 0, 0x1357, 0x1357, 0);
    TRY("str x1, [x0, #8]!", 8, 0x1357, 0x1357, 8);
    TRY("strb w1, [x0], #1", 0, 0x8081828384858657, 0x1357, 1);
    TRY("strh w1, [x0, #2]", 2, 0x8081828313578697, 0x1357, 0);
    TRY("stlr x1, [x0]", 0, 0x1357, 0x1357, 0);
    TRY("stp x1, x1, [x0, #16]!", 16, 0x1357, 0x1357, 16);
    TRY("ldp x1, xzr, [x0], #32", 0, 0, 0x8081828384858697, 32);
    TRY("stp q1, q2, [x0]", 0, 0x0101010101010101, 0x1357, 0);
    TRY("str q3, [x0], #16", 0, 0x0303030303030303, 0x1357, 16);
    TRY("st1 {v1.16b, v2.16b}, [x0], #32", 0, 0x0101010101010101, 0x1357, 32);
    TRY("ldr q30, [x0]\n fmov x1, d30", 0, 0, 0x8081828384858697, 0);
    TRY("ld1 {v30.16b, v31.16b}, [x0]\n fmov x1, d31", 0, 0, 0x8081828384858699, 0);
    TRY("ld1 {v30.b}[3], [x0]\n umov w1, v30.b[3]", 0, 0, 0x97, 0);
    TRY("ld1r {v30.8h}, [x0]\n umov w1, v30.h[7]", 0, 0, 0x8697, 0);
    TRY("st1 {v2.s}[1], [x0]", 0, 0x8081828302020202, 0x1357, 0);
    if (getauxval(AT_HWCAP) & HWCAP_ATOMICS) {
        TRY(".arch_extension lse\n ldadd x1, x1, [x0]", 0, 0x8081828384858697 + 0x1357, 0x8081828384858697, 0);
        TRY("swpal x1, x1, [x0]", 0, 0x1357, 0x8081828384858697, 0);
        TRY("cas x2, x1, [x0]", 0, 0, 0x1357, 0);
    }
    /* A pair that straddles into the hole: nothing of it may have happened. */
    uint64_t edge = (uint64_t)hole + (uint64_t)page - 8;
    *(uint64_t *)edge = 0x4242424242424242;
    FAULTING("ldp x1, x17, [x0]", edge, 0x1357);
    CHECK_EQ(record.x[1], 0x1357);
    CHECK_EQ(record.x[17], 17);
    CHECK(record.address == edge || record.address == edge + 8);
    record.seen = 0;
    /* The read-only page: another code. */
    uint64_t constant = (uint64_t)hole + 2 * (uint64_t)page;
    FAULTING("str x1, [x0, #40]", constant, 0x1357);
    check_registers(__LINE__, SIGSEGV, constant + 40, constant, 0x1357);
    CHECK_EQ(record.code, SEGV_ACCERR);
    FAULTING("ldr x1, [x0]", 16, 0x1357);
    check_registers(__LINE__, SIGSEGV, 16, 16, 0x1357);
    CHECK_EQ(record.code, SEGV_MAPERR);
}

/* Values that live in host registers across a hot loop when the fault comes late. */
static void fault_in_loop(void)
{
    uint64_t *words = mmap(NULL, 4 * (size_t)page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    size_t count = 3 * (size_t)page / 8;
    for (size_t i = 0; i < count; i++)
        words[i] = i * 3;
    mprotect((char *)words + 3 * page, (size_t)page, PROT_NONE);
    for (int round = 0; round < 50; round++) {
        record.repair = 0;
        uint64_t sum, index, product;
        __asm__ volatile("mov %0, #0\n mov %1, #0\n mov %2, #1\n mov x10, #3\n"
                         "2: ldr x9, [%3, %1, lsl #3]\n add %0, %0, x9\n madd %2, %2, x10, %1\n add %1, %1, #1\n"
                         "cmp %1, %4\n b.ls 2b\n"
                         : "=&r"(sum), "=&r"(index), "=&r"(product)
                         : "r"(words), "r"(count)
                         : "x9", "x10", "cc", "memory");
        uint64_t expected_sum = 0, expected_product = 1;
        for (uint64_t i = 0; i <= count; i++) {
            expected_sum += i < count ? i * 3 : (count - 1) * 3; /* the skipped load leaves x9 as it was */
            expected_product = expected_product * 3 + i;
        }
        CHECK_EQ(sum, expected_sum);
        CHECK_EQ(product, expected_product);
        CHECK_EQ(index, count + 1);
        CHECK_EQ(record.address, (uint64_t)(words + count));
        CHECK_EQ(record.seen, 1);
        record.seen = 0;
    }
    munmap(words, 4 * (size_t)page);
}

static void other_signals(void)
{
    record.repair = 0;
    FAULTING("udf #77", 0x5555, 0x1357);
    CHECK_EQ(record.code, ILL_ILLOPC);
    check_registers(__LINE__, SIGILL, record.x[16], 0x5555, 0x1357);
    FAULTING(".inst 0xffffffff", 0x5555, 0x1357);
    check_registers(__LINE__, SIGILL, record.x[16], 0x5555, 0x1357);
    FAULTING("brk #42", 0x5555, 0x1357);
    CHECK_EQ(record.code, TRAP_BRKPT);
    check_registers(__LINE__, SIGTRAP, record.x[16], 0x5555, 0x1357);
    sigjmp_buf jump;
    record.jump = &jump;
    /* Branches to where no code is: the PC is the target. */
    static uint32_t data[2] = {0xd65f03c0, 0xd65f03c0};
    void *targets[] = {NULL, (void *)8, hole + page, data};
    for (unsigned i = 0; i < 4; i++)
        for (int round = 0; round < 3; round++) {
            if (!sigsetjmp(jump, 1))
                ((void (*)(void))targets[i])();
            CHECK_EQ(record.signal, SIGSEGV);
            CHECK_EQ(record.pc, (uint64_t)targets[i]);
            CHECK_EQ(record.address, (uint64_t)targets[i]);
            CHECK_EQ(record.seen, 1);
            record.seen = 0;
        }
    if (!sigsetjmp(jump, 1))
        ((void (*)(void))((char *)check_registers + 2))();
    CHECK_EQ(record.signal, SIGBUS);
    CHECK_EQ(record.code, BUS_ADRALN);
    CHECK_EQ(record.pc, (uint64_t)check_registers + 2);
    record.seen = 0;
    /* Beyond the end of a mapped file. */
    char name[] = "/tmp/dragoman-faults-XXXXXX";
    int fd = mkstemp(name);
    unlink(name);
    CHECK(write(fd, "x", 1) == 1);
    volatile char *mapped = mmap(NULL, 2 * (size_t)page, PROT_READ, MAP_SHARED, fd, 0);
    CHECK(mapped[0] == 'x' && mapped[1] == 0);
    if (!sigsetjmp(jump, 1))
        CHECK(mapped[page] == 0 && !"reached");
    CHECK_EQ(record.signal, SIGBUS);
    CHECK_EQ(record.code, BUS_ADRERR);
    CHECK_EQ(record.address, (uint64_t)mapped + (uint64_t)page);
    record.seen = 0;
    record.jump = NULL;
}

int main(void)
{
    page = sysconf(_SC_PAGESIZE);
    hole = mmap(NULL, 3 * (size_t)page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    mprotect(hole + page, (size_t)page, PROT_NONE);
    mprotect(hole + 2 * page, (size_t)page, PROT_READ);
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
    static const int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGTRAP};
    for (unsigned i = 0; i < 4; i++)
        sigaction(signals[i], &action, NULL);
    for (int round = 0; round < 20; round++) {
        loads_and_stores();
        other_signals();
    }
    fault_in_loop();
    return check_result();
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A static program marked for branch target identification (-z force-bti): the kernel maps its code guarded. Without a C library,
 * whose parts for static programs may not be built that way.
 */
#include <signal.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <ucontext.h>

#define AT_HWCAP2_TYPE 26
#define BTI_BIT (1ul << 17)

static long call(long number, long a, long b, long c, long d)
{
    register long x8 __asm__("x8") = number, x0 __asm__("x0") = a, x1 __asm__("x1") = b, x2 __asm__("x2") = c,
                  x3 __asm__("x3") = d;
    __asm__ volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3) : "memory");
    return x0;
}

static _Noreturn void end(const char *text, long size, int status)
{
    call(SYS_write, 1, (long)text, size, 0);
    call(SYS_exit_group, status, 0, 0, 0);
    __builtin_unreachable();
}

static volatile int caught;

static void on_illegal(int signal, siginfo_t *info, void *context)
{
    ucontext_t *uc = context;
    caught += signal == SIGILL && info->si_code == ILL_ILLOPC;
    uc->uc_mcontext.pc = uc->uc_mcontext.regs[30];
    uc->uc_mcontext.pstate &= ~0xc00ull;
}

__asm__(".text\n"
        ".balign 16\nbare:\n\tret\n"
        ".balign 16\npadded:\n\thint #34\n\tret\n");
__attribute__((visibility("hidden"))) extern char bare[], padded[];

static void go(const char *target) { __asm__ volatile("blr %0" : : "r"(target) : "x30", "memory"); }

#define VFORK (0x100 | 0x4000 | 17) /* CLONE_VM, CLONE_VFORK, SIGCHLD */

/** A child on this CPU that dies of a branch. The parent goes on here, in guarded code, and has not branched. */
__attribute__((noinline)) static int child_dies(int has_bti)
{
    static const struct {
        void *handler;
        uint64_t flags, restorer, mask;
    } defaults;
    int status = 0;
    long pid = call(SYS_clone, VFORK, 0, 0, 0);
    if (pid == 0) {
        call(SYS_rt_sigaction, SIGILL, (long)&defaults, 0, 8);
        go(bare);
        call(SYS_exit, 5, 0, 0, 0);
    }
    if (pid < 0 || call(SYS_wait4, pid, (long)&status, 0, 0) != pid)
        return 0;
    return has_bti ? (status & 0x7f) == SIGILL : status == 5 << 8;
}

__attribute__((used, noinline)) static void begin(const uint64_t *stack)
{
    struct {
        void *handler;
        uint64_t flags, restorer, mask;
    } action = {on_illegal, SA_SIGINFO, 0, 0};
    const uint64_t *p = stack + stack[0] + 2; /* argc, argv, NULL */
    while (*p++)
        ;
    uint64_t hwcap2 = 0;
    for (; p[0]; p += 2)
        hwcap2 = p[0] == AT_HWCAP2_TYPE ? p[1] : hwcap2;
    int expected = hwcap2 & BTI_BIT ? 3 : 0;
    call(SYS_rt_sigaction, SIGILL, (long)&action, 0, 8);
    for (int i = 0; i < 3; i++) {
        go(padded);
        go(bare);
    }
    if (caught != expected || !child_dies(expected != 0) || caught != expected)
        end("failed\n", 7, 1);
    end("ok\n", 3, 0);
}

__asm__(".globl _start\n_start:\n\tmov x29, #0\n\tmov x0, sp\n\tb begin\n");

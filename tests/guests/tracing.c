/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ptrace: what strace and gdb do. System calls seen and changed, signals, single steps, breakpoints, children, attachment. */
#include <elf.h>
#include <errno.h>
#include <signal.h>
#include <asm/hwcap.h>
#include <sys/auxv.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>
#include "check.h"

static volatile long variable = 5;
static volatile int go_on;

static __attribute__((noinline)) long traced_function(long x)
{
    __asm__ volatile("" : "+r"(x));
    return x * 3 + variable;
}

static struct user_regs_struct registers(pid_t child)
{
    struct user_regs_struct regs;
    memset(&regs, 0, sizeof(regs));
    struct iovec place = {&regs, sizeof(regs)};
    CHECK(ptrace(PTRACE_GETREGSET, child, NT_PRSTATUS, &place) == 0);
    CHECK_EQ(place.iov_len, sizeof(regs));
    return regs;
}

static void set_registers(pid_t child, struct user_regs_struct *regs)
{
    struct iovec place = {regs, sizeof(*regs)};
    CHECK(ptrace(PTRACE_SETREGSET, child, NT_PRSTATUS, &place) == 0);
}

static int next_stop(pid_t child)
{
    int status = 0;
    CHECK_EQ(waitpid(child, &status, __WALL), child);
    return status;
}

static pid_t start(void (*body)(void))
{
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        if (ptrace(PTRACE_TRACEME, 0, 0, 0) != 0)
            _exit(98);
        raise(SIGSTOP);
        body();
        _exit(42);
    }
    int status = next_stop(child);
    CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
    return child;
}

static void two_calls(void)
{
    syscall(SYS_getpid);
    syscall(SYS_getppid);
}

static void system_calls(void)
{
    pid_t child = start(two_calls);
    CHECK(ptrace(PTRACE_SETOPTIONS, child, 0, PTRACE_O_TRACESYSGOOD) == 0);
    int seen = 0, status;
    for (;;) {
        CHECK(ptrace(PTRACE_SYSCALL, child, 0, 0) == 0);
        status = next_stop(child);
        if (!WIFSTOPPED(status))
            break;
        CHECK_EQ(WSTOPSIG(status), SIGTRAP | 0x80);
        struct user_regs_struct regs = registers(child);
        struct __ptrace_syscall_info info;
        CHECK(ptrace(PTRACE_GET_SYSCALL_INFO, child, sizeof(info), &info) > 0);
        CHECK_EQ(info.arch, 0xc00000b7);
        CHECK_EQ(info.instruction_pointer, regs.pc);
        if (regs.regs[8] == SYS_getpid) {
            seen++;
            CHECK_EQ(info.op, seen == 1 ? PTRACE_SYSCALL_INFO_ENTRY : PTRACE_SYSCALL_INFO_EXIT);
            if (seen == 1)
                CHECK_EQ(info.entry.nr, SYS_getpid);
            else
                CHECK_EQ(regs.regs[0], child);
        } else if (regs.regs[8] == SYS_exit_group) {
            CHECK_EQ(info.entry.args[0], 42);
            regs.regs[0] = 43;
            set_registers(child, &regs);
        }
    }
    CHECK_EQ(seen, 2);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 43);
}

static volatile sig_atomic_t handled;
static void on_signal(int sig) { handled = sig; }
static void send_signals(void)
{
    signal(SIGUSR1, on_signal);
    raise(SIGUSR1);
    if (handled)
        _exit(1);
    raise(SIGUSR2); /* exchanged for SIGUSR1 */
    if (handled != SIGUSR1)
        _exit(2);
    raise(SIGTERM);
}

static void signals(void)
{
    pid_t child = start(send_signals);
    siginfo_t info;
    CHECK(ptrace(PTRACE_CONT, child, 0, 0) == 0);
    int status = next_stop(child);
    CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == SIGUSR1);
    CHECK(ptrace(PTRACE_GETSIGINFO, child, 0, &info) == 0 && info.si_signo == SIGUSR1 && info.si_pid == child);
    CHECK(ptrace(PTRACE_CONT, child, 0, 0) == 0);
    status = next_stop(child);
    CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == SIGUSR2);
    CHECK(ptrace(PTRACE_CONT, child, 0, SIGUSR1) == 0);
    status = next_stop(child);
    CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == SIGTERM);
    CHECK(ptrace(PTRACE_CONT, child, 0, SIGTERM) == 0);
    status = next_stop(child);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
}

/* PSTATE beyond NZCV: DIT, bit 24, which is off in the second half because the tracer says so. */
#define DIT "s3_3_c4_c2_5"
static void set_dit(void)
{
    unsigned long dit = 1ul << 24;
    __asm__ volatile("msr " DIT ", %0" : : "r"(dit));
    raise(SIGUSR1);
    __asm__ volatile("mrs %0, " DIT : "=r"(dit));
    _exit(dit ? 3 : 4);
}

static void process_state(void)
{
    if (!(getauxval(AT_HWCAP) & HWCAP_DIT))
        return;
    for (int clears = 0; clears <= 1; clears++) {
        pid_t child = start(set_dit);
        CHECK_EQ(registers(child).pstate & 1ul << 24, 0);
        CHECK(ptrace(PTRACE_CONT, child, 0, 0) == 0);
        int status = next_stop(child);
        CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == SIGUSR1);
        struct user_regs_struct regs = registers(child);
        CHECK_EQ(regs.pstate & 1ul << 24, 1ul << 24);
        if (clears) {
            regs.pstate &= ~(1ul << 24);
            set_registers(child, &regs);
        }
        CHECK(ptrace(PTRACE_CONT, child, 0, 0) == 0);
        status = next_stop(child);
        CHECK(WIFEXITED(status));
        CHECK_EQ(WEXITSTATUS(status), clears ? 4 : 3);
    }
}

static void call_function(void)
{
    for (int i = 0; i < 3; i++) {
        if (traced_function(i) != i * 3 + variable)
            _exit(1);
    }
}

static void breakpoints_and_steps(void)
{
    pid_t child = start(call_function);
    unsigned long at = (unsigned long)traced_function;
    errno = 0;
    long old = ptrace(PTRACE_PEEKTEXT, child, at, 0);
    CHECK(errno == 0);
    CHECK(ptrace(PTRACE_PEEKDATA, child, &variable, 0) == 5);
    CHECK(ptrace(PTRACE_POKEDATA, child, &variable, 77) == 0);
    for (int i = 0; i < 3; i++) {
        CHECK(ptrace(PTRACE_POKETEXT, child, at, (old & ~0xffffffffl) | 0xd4200000) == 0);
        CHECK(ptrace(PTRACE_CONT, child, 0, 0) == 0);
        int status = next_stop(child);
        CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == SIGTRAP);
        struct user_regs_struct regs = registers(child);
        CHECK_EQ(regs.pc, at);
        CHECK_EQ(regs.regs[0], i);
        CHECK(ptrace(PTRACE_POKETEXT, child, at, old) == 0);
        for (int n = 1; n < 3; n++) {
            CHECK(ptrace(PTRACE_SINGLESTEP, child, 0, 0) == 0);
            status = next_stop(child);
            CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == SIGTRAP);
            regs = registers(child);
            CHECK(regs.pc > at && regs.pc <= at + 4 * (unsigned)n);
        }
    }
    CHECK(ptrace(PTRACE_CONT, child, 0, 0) == 0);
    int status = next_stop(child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 42);
}

static void fork_once(void)
{
    pid_t child = fork();
    if (child == 0)
        _exit(7);
    int status;
    waitpid(child, &status, 0);
    _exit(WEXITSTATUS(status));
}

static void children(void)
{
    pid_t child = start(fork_once), other = 0;
    CHECK(ptrace(PTRACE_SETOPTIONS, child, 0, PTRACE_O_TRACEFORK | PTRACE_O_TRACEEXIT) == 0);
    CHECK(ptrace(PTRACE_CONT, child, 0, 0) == 0);
    int ended = 0, forks = 0, exits = 0;
    while (ended < 2) {
        int status, signal = 0;
        pid_t pid = waitpid(-1, &status, __WALL);
        CHECK(pid > 0);
        if (pid < 0)
            break;
        if (!WIFSTOPPED(status)) {
            CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 7);
            ended++;
            continue;
        }
        if (status >> 8 == (SIGTRAP | PTRACE_EVENT_FORK << 8)) {
            unsigned long message;
            CHECK(ptrace(PTRACE_GETEVENTMSG, pid, 0, &message) == 0);
            other = (pid_t)message;
            forks++;
        } else if (status >> 8 == (SIGTRAP | PTRACE_EVENT_EXIT << 8)) {
            exits++;
        } else if (WSTOPSIG(status) != SIGSTOP) {
            signal = WSTOPSIG(status);
        } else {
            CHECK(pid != child);
            CHECK_EQ(registers(pid).regs[0], 0);
        }
        CHECK(ptrace(PTRACE_CONT, pid, 0, signal) == 0);
    }
    CHECK(other > 0);
    CHECK_EQ(forks, 1);
    CHECK_EQ(exits, 2);
}

static void attachment(void)
{
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        while (!go_on)
            ;
        pause();
        _exit(1);
    }
    usleep(20000);
    CHECK(ptrace(PTRACE_ATTACH, child, 0, 0) == 0);
    int status = next_stop(child);
    CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
    long value = ptrace(PTRACE_PEEKDATA, child, &go_on, 0);
    CHECK(ptrace(PTRACE_POKEDATA, child, &go_on, value | 1) == 0);
    CHECK(ptrace(PTRACE_DETACH, child, 0, 0) == 0);
    usleep(20000);
    CHECK(ptrace(PTRACE_SEIZE, child, 0, 0) == 0);
    CHECK(ptrace(PTRACE_INTERRUPT, child, 0, 0) == 0);
    status = next_stop(child);
    CHECK_EQ(status >> 8, SIGTRAP | PTRACE_EVENT_STOP << 8);
    CHECK(ptrace(PTRACE_CONT, child, 0, 0) == 0); /* and the pause goes on */
    usleep(20000);
    CHECK_EQ(waitpid(child, &status, WNOHANG), 0);
    kill(child, SIGKILL);
    status = next_stop(child);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

int main(void)
{
    alarm(60);
    system_calls();
    signals();
    process_state();
    breakpoints_and_steps();
    children();
    attachment();
    return check_result();
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ptrace: what strace and gdb do. System calls seen and changed, signals, single steps, breakpoints, children, attachment. */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
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

/** By ptrace, or through the file that is the memory. */
static void write_code(pid_t child, int memory, unsigned long at, long word)
{
    if (memory < 0)
        CHECK(ptrace(PTRACE_POKETEXT, child, at, word) == 0);
    else
        CHECK(pwrite(memory, &word, 4, (off_t)at) == 4);
}

static void breakpoints_and_steps(int by_file)
{
    pid_t child = start(call_function);
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/task/%d/mem", child, child);
    int memory = by_file ? open(path, O_RDWR | O_CLOEXEC) : -1;
    CHECK(!by_file || memory >= 0);
    unsigned long at = (unsigned long)traced_function;
    errno = 0;
    long old = ptrace(PTRACE_PEEKTEXT, child, at, 0);
    CHECK(errno == 0);
    CHECK(ptrace(PTRACE_PEEKDATA, child, &variable, 0) == 5);
    CHECK(ptrace(PTRACE_POKEDATA, child, &variable, 77) == 0);
    for (int i = 0; i < 3; i++) {
        write_code(child, memory, at, (old & ~0xffffffffl) | 0xd4200000);
        CHECK(ptrace(PTRACE_CONT, child, 0, 0) == 0);
        int status = next_stop(child);
        CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == SIGTRAP);
        struct user_regs_struct regs = registers(child);
        CHECK_EQ(regs.pc, at);
        CHECK_EQ(regs.regs[0], i);
        write_code(child, memory, at, old);
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
    if (by_file)
        close(memory);
}

/* ---- hardware breakpoints and watchpoints ------------------------------------------------------------------------------------------ */

static struct {
    int before, watched, after;
} volatile cell __attribute__((aligned(8)));

static void touch(void)
{
    cell.before = 1;
    cell.after = 2;
    for (int i = 0; i < 3; i++)
        cell.watched = 10 + i;
    cell.after = cell.watched;
    if (traced_function(4) != 4 * 3 + variable)
        _exit(1);
}

static long set_slot(pid_t child, int kind, unsigned slot, const volatile void *address, unsigned control)
{
    struct {
        unsigned info, pad;
        struct {
            unsigned long address;
            unsigned control, pad;
        } slots[16];
    } debug;
    struct iovec place = {&debug, sizeof debug};
    CHECK(ptrace(PTRACE_GETREGSET, child, kind, &place) == 0);
    CHECK((debug.info & 0xff) >= 1 && slot <= (debug.info & 0xff) && debug.info >> 8 == 6);
    debug.slots[slot].address = (unsigned long)address;
    debug.slots[slot].control = control;
    place.iov_len = 8 + (slot + 1) * 16;
    return ptrace(PTRACE_SETREGSET, child, kind, &place);
}

static siginfo_t continue_to_trap(pid_t child)
{
    siginfo_t info = {0};
    CHECK(ptrace(PTRACE_CONT, child, 0, 0) == 0);
    int status = next_stop(child);
    CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == SIGTRAP);
    CHECK(ptrace(PTRACE_GETSIGINFO, child, 0, &info) == 0);
    CHECK_EQ(info.si_code, 4); /* TRAP_HWBKPT */
    return info;
}

/** The access has not happened yet when it stops; it does when it is stepped over without the watchpoint. */
static void step_over(pid_t child, int kind, const volatile void *address, unsigned control)
{
    CHECK(set_slot(child, kind, 0, address, 0) == 0);
    CHECK(ptrace(PTRACE_SINGLESTEP, child, 0, 0) == 0);
    int status = next_stop(child);
    CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == SIGTRAP);
    CHECK(set_slot(child, kind, 0, address, control) == 0);
}

static void debug_registers(void)
{
    const unsigned enabled = 2 << 1 | 1, writes = 0xf0 << 5 | 2 << 3 | enabled, reads = 0xf0 << 5 | 1 << 3 | enabled,
                   executes = 0xf << 5 | enabled;
    pid_t child = start(touch);
    CHECK(set_slot(child, NT_ARM_HW_WATCH, 0, &cell, 0x50 << 5 | 2 << 3 | enabled) == -1 && errno == EINVAL);
    CHECK(set_slot(child, NT_ARM_HW_WATCH, 0, &cell, writes) == 0);
    for (int i = 0; i < 3; i++) {
        siginfo_t info = continue_to_trap(child);
        CHECK(info.si_addr == (void *)&cell.watched);
        CHECK_EQ((int)ptrace(PTRACE_PEEKDATA, child, &cell.watched, 0), i ? 9 + i : 0);
        step_over(child, NT_ARM_HW_WATCH, &cell, writes);
        CHECK_EQ((int)ptrace(PTRACE_PEEKDATA, child, &cell.watched, 0), 10 + i);
    }
    CHECK(set_slot(child, NT_ARM_HW_WATCH, 0, &cell, reads) == 0);
    CHECK(continue_to_trap(child).si_addr == (void *)&cell.watched);
    CHECK(set_slot(child, NT_ARM_HW_WATCH, 0, &cell, 0) == 0);
    CHECK(set_slot(child, NT_ARM_HW_BREAK, 0, (void *)(unsigned long)traced_function, executes) == 0);
    CHECK(continue_to_trap(child).si_addr == (void *)(unsigned long)traced_function);
    CHECK_EQ(registers(child).pc, (unsigned long)traced_function);
    CHECK_EQ(registers(child).regs[0], 4);
    step_over(child, NT_ARM_HW_BREAK, (void *)(unsigned long)traced_function, executes);
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
    breakpoints_and_steps(0);
    breakpoints_and_steps(1);
    debug_registers();
    children();
    attachment();
    return check_result();
}

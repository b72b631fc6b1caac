/* SPDX-License-Identifier: GPL-2.0-or-later */
/* clone3 and the rarer uses of clone: arguments, process descriptors, signal actions, threads with parts of their own. */
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "check.h"

#ifndef P_PIDFD
#define P_PIDFD 3
#endif
#define STACK 65536
#define CLONE3 435
#define THREAD_FLAGS (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM)

/* The call; a child with a stack of its own runs a function there and ends its thread. */
long clone3_call(const void *args, size_t size, int (*function)(void *), void *argument);
__asm__(".text\n"
        ".globl clone3_call\n"
        "clone3_call:\n"
        "    mov x8, #435\n"
        "    mov x9, x2\n"
        "    mov x10, x3\n"
        "    svc #0\n"
        "    cbnz x0, 1f\n"
        "    cbz x9, 1f\n"
        "    mov x29, #0\n"
        "    mov x0, x10\n"
        "    blr x9\n"
        "    mov x8, #93\n"
        "    svc #0\n"
        "1:  ret\n");

static long refused(const void *args, size_t size)
{
    long result = clone3_call(args, size, NULL, NULL);
    if (result == 0)
        _exit(0);
    if (result > 0)
        waitpid((pid_t)result, NULL, __WALL);
    return result;
}

static void bad_arguments(void)
{
    const struct clone_args good = {.exit_signal = SIGCHLD};
    struct {
        struct clone_args args;
        char more[8000];
    } large = {.args = good};
    CHECK_EQ(refused(&good, 63), -EINVAL);
    CHECK_EQ(refused(&good, 0), -EINVAL);
    CHECK_EQ(refused(&large, 4097), -E2BIG);
    CHECK(refused(&large, 64) > 0);
    CHECK(refused(&large, 80) > 0);
    CHECK(refused(&large, 4096) > 0);
    large.more[3000] = 1;
    CHECK_EQ(refused(&large, 4096), -E2BIG);
    CHECK_EQ(refused((void *)8, 64), -EFAULT);
    const struct clone_args bad[] = {
        {.exit_signal = 65},
        {.exit_signal = SIGCHLD, .flags = CLONE_DETACHED},
        {.exit_signal = SIGCHLD, .flags = 0x11},
        {.exit_signal = SIGCHLD, .flags = 1ull << 40},
        {.exit_signal = SIGCHLD, .flags = CLONE_SIGHAND},
        {.exit_signal = SIGCHLD, .flags = CLONE_VM | CLONE_SIGHAND | CLONE_CLEAR_SIGHAND},
        {.exit_signal = SIGCHLD, .flags = THREAD_FLAGS},
        {.flags = CLONE_THREAD | CLONE_VM},
        {.exit_signal = SIGCHLD, .flags = CLONE_PARENT},
        {.exit_signal = SIGCHLD, .stack = 65536},
        {.exit_signal = SIGCHLD, .stack_size = 65536},
        {.exit_signal = SIGCHLD, .stack = 1ull << 60, .stack_size = 65536},
        {.exit_signal = SIGCHLD, .set_tid = 65536},
        {.exit_signal = SIGCHLD, .set_tid_size = 1},
        {.exit_signal = SIGCHLD, .set_tid = 65536, .set_tid_size = 33},
        {.exit_signal = SIGCHLD, .flags = CLONE_INTO_CGROUP, .cgroup = 1ull << 40},
        {.exit_signal = SIGCHLD, .flags = CLONE_NEWNS | CLONE_FS},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        long result = refused(&bad[i], sizeof bad[i]);
        if (result != -EINVAL)
            printf("arguments %zu\n", i);
        CHECK_EQ(result, -EINVAL);
    }
    const struct clone_args cgroup = {.exit_signal = SIGCHLD, .flags = CLONE_INTO_CGROUP, .cgroup = 777};
    CHECK_EQ(refused(&cgroup, sizeof cgroup), -EBADF);
    CHECK_EQ(refused(&cgroup, 80), -EINVAL);
}

/* ---- processes ------------------------------------------------------------------------------------------------------------- */

static volatile int caught;
static void on_signal(int signal) { caught = signal; }

static void processes(void)
{
    pid_t parent_tid = 0;
    static pid_t child_tid;
    int pidfd = -1;
    struct clone_args args = {
        .flags = CLONE_PIDFD | CLONE_PARENT_SETTID | CLONE_CHILD_SETTID,
        .pidfd = (uintptr_t)&pidfd,
        .parent_tid = (uintptr_t)&parent_tid,
        .child_tid = (uintptr_t)&child_tid,
        .exit_signal = SIGCHLD,
    };
    long child = clone3_call(&args, sizeof args, NULL, NULL);
    if (child == 0)
        _exit(child_tid == getpid() && parent_tid == 0 ? 5 : 6);
    CHECK(child > 0 && parent_tid == child && child_tid == 0 && pidfd >= 0);
    CHECK(fcntl(pidfd, F_GETFD) == FD_CLOEXEC);
    struct pollfd poll_one = {pidfd, POLLIN, 0};
    CHECK(poll(&poll_one, 1, 10000) == 1);
    siginfo_t info;
    CHECK(waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED) == 0 && info.si_pid == child && info.si_status == 5);
    close(pidfd);
    args.pidfd = 8;
    CHECK_EQ(refused(&args, sizeof args), -EFAULT);

    /* Its end is told by another signal; such a child is waited for with __WCLONE. */
    signal(SIGUSR1, on_signal);
    args = (struct clone_args){.exit_signal = SIGUSR1};
    child = clone3_call(&args, sizeof args, NULL, NULL);
    if (child == 0)
        _exit(7);
    int status;
    CHECK(waitpid((pid_t)child, &status, __WCLONE) == child && WEXITSTATUS(status) == 7);
    CHECK_EQ(caught, SIGUSR1);

    /* A number of one's choice: for those who may. */
    pid_t wanted = 29999;
    while (kill(wanted, 0) == 0)
        wanted--;
    args = (struct clone_args){.exit_signal = SIGCHLD, .set_tid = (uintptr_t)&wanted, .set_tid_size = 1};
    child = clone3_call(&args, sizeof args, NULL, NULL);
    if (child == 0)
        _exit(getpid() == wanted && syscall(SYS_gettid) == wanted ? 8 : 9);
    CHECK(child == wanted || child == -EPERM || child == -EINVAL);
    if (child > 0)
        CHECK(waitpid(wanted, &status, 0) == wanted && WEXITSTATUS(status) == 8);

    /* Namespaces of its own: for root. */
    args = (struct clone_args){.flags = CLONE_NEWPID | CLONE_NEWNS, .exit_signal = SIGCHLD};
    child = clone3_call(&args, sizeof args, NULL, NULL);
    if (child == 0) {
        pid_t inner = fork();
        if (inner == 0)
            _exit(getpid());
        _exit(getpid() == 1 && inner == 2 && waitpid(inner, &status, 0) == 2 && WEXITSTATUS(status) == 2 ? 10 : 11);
    }
    CHECK(child > 0 || child == -EPERM);
    if (child > 0)
        CHECK(waitpid((pid_t)child, &status, 0) == child && WEXITSTATUS(status) == 10);
}

static void cgroups(void)
{
    static const char *const roots[] = {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"};
    char path[128], line[4096] = "";
    int fd = -1;
    for (size_t i = 0; i < 2 && fd < 0; i++) {
        snprintf(path, sizeof path, "%s/cgroup.controllers", roots[i]);
        if (access(path, F_OK) != 0)
            continue;
        snprintf(path, sizeof path, "%s/dragoman-test-%d", roots[i], getpid());
        if (mkdir(path, 0755) == 0)
            fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    }
    if (fd < 0)
        return;
    struct clone_args args = {.flags = CLONE_INTO_CGROUP, .exit_signal = SIGCHLD, .cgroup = (unsigned)fd};
    long child = clone3_call(&args, sizeof args, NULL, NULL);
    if (child == 0) {
        int file = open("/proc/self/cgroup", O_RDONLY);
        _exit(read(file, line, sizeof line - 1) > 0 && strstr(line, "/dragoman-test-") ? 5 : 6);
    }
    int status;
    CHECK(child > 0 && waitpid((pid_t)child, &status, 0) == child && WEXITSTATUS(status) == 5);
    close(fd);
    CHECK(rmdir(path) == 0);
}

/* ---- signal actions ---------------------------------------------------------------------------------------------------------- */

static void (*action_of(int signal))(int)
{
    struct sigaction action;
    sigaction(signal, NULL, &action);
    return action.sa_handler;
}

static int is_cleared(void *unused)
{
    (void)unused;
    if (action_of(SIGUSR1) != SIG_DFL || action_of(SIGUSR2) != SIG_IGN || action_of(SIGSEGV) != SIG_DFL)
        return 1;
    signal(SIGUSR1, SIG_IGN); /* its own affair */
    kill(getpid(), SIGUSR1);
    return 12;
}

static int changes_action(void *unused)
{
    (void)unused;
    if (action_of(SIGUSR1) != on_signal)
        return 1;
    signal(SIGUSR1, SIG_IGN);
    kill(getpid(), SIGUSR1);
    return 12;
}

static void actions(void)
{
    char *stack = mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    signal(SIGUSR1, on_signal);
    signal(SIGUSR2, SIG_IGN);
    signal(SIGSEGV, on_signal);
    int status;
    const uint64_t flags[] = {CLONE_CLEAR_SIGHAND, CLONE_CLEAR_SIGHAND | CLONE_VM | CLONE_VFORK,
                              CLONE_CLEAR_SIGHAND | CLONE_VM, 0, CLONE_VM | CLONE_VFORK, CLONE_VM};
    for (size_t i = 0; i < 6; i++) {
        struct clone_args args = {
            .flags = flags[i], .exit_signal = SIGCHLD, .stack = (uintptr_t)stack, .stack_size = STACK};
        caught = 0;
        long child = clone3_call(&args, sizeof args, i < 3 ? is_cleared : changes_action, NULL);
        CHECK(child > 0 && waitpid((pid_t)child, &status, 0) == child);
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 12);
        CHECK(action_of(SIGUSR1) == on_signal && action_of(SIGSEGV) == on_signal);
        CHECK_EQ(caught, 0);
        raise(SIGUSR1);
        CHECK_EQ(caught, SIGUSR1);
        caught = 0;
        raise(SIGSEGV);
        CHECK_EQ(caught, SIGSEGV);
    }
    munmap(stack, STACK);
}

/* ---- threads ------------------------------------------------------------------------------------------------------------------ */

static struct {
    pid_t parent_tid, child_tid;
    int pidfd, fd, status;
    int seen_pid, seen_tid;
    uint64_t tls;
} place;

/* Without the C library: this thread has none of its data. */
static long raw(long number, long a, long b)
{
    register long x8 __asm__("x8") = number, x0 __asm__("x0") = a, x1 __asm__("x1") = b;
    __asm__ volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1) : "memory");
    return x0;
}

__attribute__((optimize("no-stack-protector"))) static int in_thread(void *argument)
{
    (void)argument;
    __asm__("mrs %0, tpidr_el0" : "=r"(place.tls));
    place.seen_pid = (int)raw(SYS_getpid, 0, 0);
    place.seen_tid = (int)raw(SYS_gettid, 0, 0);
    place.status = (int)raw(SYS_close, place.fd, 0);
    return 0;
}

static void wait_for_thread(void)
{
    int tid;
    while ((tid = __atomic_load_n(&place.child_tid, __ATOMIC_ACQUIRE)) != 0)
        syscall(SYS_futex, &place.child_tid, FUTEX_WAIT, tid, NULL, NULL, 0);
}

static void threads(void)
{
    char *stack = mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (int own_files = 0; own_files < 2; own_files++) {
        memset(&place, 0, sizeof place);
        place.child_tid = 1;
        place.fd = open("/dev/null", O_RDONLY);
        struct clone_args args = {
            .flags = (THREAD_FLAGS & ~(own_files ? CLONE_FILES : 0)) | CLONE_SETTLS | CLONE_PARENT_SETTID | CLONE_CHILD_SETTID |
                     CLONE_CHILD_CLEARTID,
            .parent_tid = (uintptr_t)&place.parent_tid,
            .child_tid = (uintptr_t)&place.child_tid,
            .stack = (uintptr_t)stack,
            .stack_size = STACK,
            .tls = 0x1234567890,
        };
        long tid = clone3_call(&args, sizeof args, in_thread, NULL);
        CHECK(tid > 0);
        wait_for_thread();
        CHECK(place.parent_tid == tid && place.seen_tid == tid && place.seen_pid == getpid() && place.status == 0);
        CHECK_EQ(place.tls, 0x1234567890);
        CHECK(fcntl(place.fd, F_GETFD) == (own_files ? 0 : -1));
        if (own_files)
            close(place.fd);
    }
    /* A descriptor of the thread, which kernels before 6.9 refuse. */
    place.child_tid = 1;
    place.fd = -1;
    place.pidfd = -1;
    struct clone_args args = {
        .flags = THREAD_FLAGS | CLONE_PIDFD | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID,
        .pidfd = (uintptr_t)&place.pidfd,
        .child_tid = (uintptr_t)&place.child_tid,
        .stack = (uintptr_t)stack,
        .stack_size = STACK,
    };
    long tid = clone3_call(&args, sizeof args, in_thread, NULL);
    CHECK(tid > 0 || tid == -EINVAL);
    if (tid > 0) {
        wait_for_thread();
        CHECK(place.pidfd >= 0 && close(place.pidfd) == 0);
    }
    uint64_t size_one = 40000;
    args = (struct clone_args){.flags = THREAD_FLAGS, .stack = (uintptr_t)stack, .stack_size = STACK,
                               .set_tid = (uintptr_t)&size_one, .set_tid_size = 1};
    if (geteuid() != 0)
        CHECK_EQ(clone3_call(&args, sizeof args, in_thread, NULL), -EPERM);
    munmap(stack, STACK);
}

int main(void)
{
    bad_arguments();
    processes();
    cgroups();
    actions();
    threads();
    return check_result();
}

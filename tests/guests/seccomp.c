/* SPDX-License-Identifier: GPL-2.0-or-later */
/* seccomp: filters see arm64's numbers and the guest's registers; each action; inheritance by fork, threads and execve. */
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <elf.h>
#include <unistd.h>
#include "check.h"

#define DATA(field) offsetof(struct seccomp_data, field)
#define LOAD(offset) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset)
#define RETURN(value) BPF_STMT(BPF_RET | BPF_K, value)
#define LENGTH(list) (sizeof(list) / sizeof(list[0]))
#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1u << 5)
#endif

static long seccomp(unsigned operation, unsigned flags, void *argument)
{
    return syscall(SYS_seccomp, operation, flags, argument);
}

static long install(const struct sock_filter *insns, size_t n, unsigned flags)
{
    struct sock_fprog program = {(unsigned short)n, (struct sock_filter *)insns};
    return seccomp(SECCOMP_SET_MODE_FILTER, flags, &program);
}

/** `action` for one system call of arm64, all others are allowed. */
static long filter_one(int number, unsigned action, unsigned flags)
{
    const struct sock_filter insns[] = {
        LOAD(DATA(arch)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_AARCH64, 1, 0),
        RETURN(SECCOMP_RET_KILL_PROCESS),
        LOAD(DATA(nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
        RETURN(action),
        RETURN(SECCOMP_RET_ALLOW),
    };
    return install(insns, LENGTH(insns), flags);
}

/** Status of a child that runs the function. */
static int in_child(int (*body)(void))
{
    int status = -1;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        _exit(body());
    }
    CHECK_EQ(waitpid(child, &status, 0), child);
    return status;
}

static int errors(void)
{
    CHECK(filter_one(SYS_getppid, SECCOMP_RET_ERRNO | 77, 0) == 0);
    CHECK(syscall(SYS_getppid) == -1 && errno == 77);
    CHECK(syscall(SYS_getpid) > 0);
    CHECK(filter_one(SYS_getpid, SECCOMP_RET_ERRNO | 0xffff, 0) == 0);
    CHECK(syscall(SYS_getpid) == -4095 || errno == 4095);
    /* An error goes before permission, the newest filter's data first. */
    CHECK(filter_one(SYS_getppid, SECCOMP_RET_ALLOW, 0) == 0);
    CHECK(syscall(SYS_getppid) == -1 && errno == 77);
    CHECK(filter_one(SYS_getppid, SECCOMP_RET_ERRNO | 5, 0) == 0);
    CHECK(syscall(SYS_getppid) == -1 && errno == 5);
    CHECK(filter_one(SYS_getuid, SECCOMP_RET_ERRNO | 0, 0) == 0);
    CHECK(syscall(SYS_getuid) == 0);
    CHECK(filter_one(SYS_getgid, SECCOMP_RET_LOG, 0) == 0);
    CHECK_EQ(syscall(SYS_getgid), getegid());
    CHECK(filter_one(SYS_gettid, SECCOMP_RET_TRACE, 0) == 0);
    CHECK(syscall(SYS_gettid) == -1 && errno == ENOSYS); /* nobody traces */
    CHECK(filter_one(SYS_getsid, SECCOMP_RET_USER_NOTIF, 0) == 0);
    CHECK(syscall(SYS_getsid, 0) == -1 && errno == ENOSYS);
    CHECK_EQ(prctl(PR_GET_SECCOMP), SECCOMP_MODE_FILTER);
    CHECK(prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) == -1 && errno == EINVAL);
    return check_failures != 0;
}

/* What the programs compute: sums of the arguments, with all kinds of instructions. */
static int programs(void)
{
    const struct sock_filter insns[] = {
        LOAD(DATA(nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_setpriority, 1, 0),
        RETURN(SECCOMP_RET_ALLOW),
        LOAD(DATA(args[0])),
        BPF_STMT(BPF_ST, 3),
        LOAD(DATA(args[1]) + 4), /* the upper half */
        BPF_STMT(BPF_MISC | BPF_TAX, 0),
        BPF_STMT(BPF_LD | BPF_MEM, 3),
        BPF_STMT(BPF_ALU | BPF_ADD | BPF_X, 0),
        BPF_STMT(BPF_STX, 4),
        BPF_STMT(BPF_LDX | BPF_W | BPF_LEN, 0), /* 64 */
        BPF_STMT(BPF_ALU | BPF_MUL | BPF_X, 0),
        BPF_STMT(BPF_LDX | BPF_MEM, 4),
        BPF_STMT(BPF_ALU | BPF_DIV | BPF_X, 0), /* by the upper half: 0 ends the program */
        BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xffff),
        BPF_STMT(BPF_ALU | BPF_OR | BPF_K, SECCOMP_RET_ERRNO),
        BPF_STMT(BPF_RET | BPF_A, 0),
    };
    CHECK(install(insns, LENGTH(insns), 0) == 0);
    /* ((10 + 2) * 64) / 2 */
    CHECK(syscall(SYS_setpriority, 10, 2ul << 32, 0) == -1 && errno == 384);
    if (check_failures)
        return 1;
    syscall(SYS_setpriority, 10, 5, 0); /* killed */
    return 2;
}

static int bad_programs(void)
{
    const struct sock_filter good[] = {RETURN(SECCOMP_RET_ALLOW)}, no_return[] = {LOAD(0)},
                             unaligned[] = {LOAD(2), RETURN(0)}, beyond[] = {LOAD(64), RETURN(0)},
                             bytes[] = {BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 0), RETURN(0)},
                             modulo[] = {BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, 3), RETURN(0)},
                             by_zero[] = {BPF_STMT(BPF_ALU | BPF_DIV | BPF_K, 0), RETURN(0)},
                             shift[] = {BPF_STMT(BPF_ALU | BPF_LSH | BPF_K, 32), RETURN(0)},
                             jump[] = {BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1), RETURN(0)},
                             far_jump[] = {BPF_STMT(BPF_JMP | BPF_JA, 0xffffffff), RETURN(0)},
                             unwritten[] = {BPF_STMT(BPF_LD | BPF_MEM, 1), RETURN(0)},
                             half_written[] = {BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1), BPF_STMT(BPF_ST, 1),
                                               BPF_STMT(BPF_LD | BPF_MEM, 1), RETURN(0)},
                             scratch[] = {BPF_STMT(BPF_ST, 16), RETURN(0)};
    const struct { const struct sock_filter *insns; size_t n; } bad[] = {
        {good, 0}, {no_return, 1}, {unaligned, 2}, {beyond, 2}, {bytes, 2}, {modulo, 2}, {by_zero, 2}, {shift, 2}, {jump, 2},
        {far_jump, 2}, {unwritten, 2}, {half_written, 4}, {scratch, 2}, {good, 4097},
    };
    for (size_t i = 0; i < LENGTH(bad); i++) {
        long result = install(bad[i].insns, bad[i].n, 0);
        if (result != -1 || errno != EINVAL)
            printf("program %zu was taken\n", i);
        CHECK(result == -1 && errno == EINVAL);
    }
    struct sock_fprog nowhere = {1, (struct sock_filter *)8};
    CHECK(seccomp(SECCOMP_SET_MODE_FILTER, 0, &nowhere) == -1 && errno == EFAULT);
    CHECK(seccomp(SECCOMP_SET_MODE_FILTER, 0, (void *)8) == -1 && errno == EFAULT);
    CHECK(seccomp(SECCOMP_SET_MODE_STRICT, 1, NULL) == -1 && errno == EINVAL);
    CHECK(seccomp(99, 0, NULL) == -1 && errno == EINVAL);
    CHECK(install(good, 1, 1u << 30) == -1 && errno == EINVAL);
    unsigned action = SECCOMP_RET_TRAP;
    CHECK(seccomp(SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0);
    action = 0x12345678;
    CHECK(seccomp(SECCOMP_GET_ACTION_AVAIL, 0, &action) == -1 && errno == EOPNOTSUPP);
    CHECK_EQ(prctl(PR_GET_SECCOMP), 0);
    struct sock_filter *long_one = malloc(4096 * sizeof(*long_one));
    for (int i = 0; i < 4096; i++)
        long_one[i] = (struct sock_filter)RETURN(SECCOMP_RET_ALLOW);
    int taken = 0;
    while (taken < 20 && install(long_one, 4096, 0) == 0)
        taken++;
    CHECK(taken == 7 && errno == ENOMEM);
    return check_failures != 0;
}

static siginfo_t trapped;
static unsigned long trapped_pc, trapped_argument;
static void on_sigsys(int sig, siginfo_t *info, void *context)
{
    ucontext_t *uc = context;
    trapped = *info;
    trapped_pc = uc->uc_mcontext.pc;
    trapped_argument = uc->uc_mcontext.regs[0];
    uc->uc_mcontext.regs[0] = 4711; /* the result that the caller sees */
    CHECK_EQ(sig, SIGSYS);
}

static int traps(void)
{
    struct sigaction action = {.sa_sigaction = on_sigsys, .sa_flags = SA_SIGINFO};
    sigaction(SIGSYS, &action, NULL);
    CHECK(filter_one(SYS_getpriority, SECCOMP_RET_TRAP | 33, 0) == 0);
    register long x0 __asm__("x0") = 1234;
    register long x8 __asm__("x8") = SYS_getpriority;
    unsigned long after;
    __asm__ volatile("svc #0\n0: adr %1, 0b" : "+r"(x0), "=&r"(after) : "r"(x8) : "memory");
    long result = x0;
    CHECK_EQ(result, 4711);
    CHECK_EQ(trapped.si_code, 1 /* SYS_SECCOMP */);
    CHECK_EQ(trapped.si_errno, 33);
    CHECK_EQ(trapped.si_syscall, SYS_getpriority);
    CHECK_EQ(trapped.si_arch, AUDIT_ARCH_AARCH64);
    CHECK_EQ(trapped.si_call_addr, after);
    CHECK_EQ(trapped_pc, after);
    CHECK_EQ(trapped_argument, 1234);
    if (check_failures)
        return 1;
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    syscall(SYS_getpriority, 0, 0); /* blocked: killed */
    return 2;
}

static int killed(void)
{
    filter_one(SYS_getppid, SECCOMP_RET_KILL_PROCESS, 0);
    syscall(SYS_getppid);
    return 2;
}

static void *call_getppid(void *unused)
{
    (void)unused;
    syscall(SYS_getppid);
    return NULL;
}

static int killed_thread(void)
{
    pthread_t thread;
    filter_one(SYS_getppid, SECCOMP_RET_KILL_THREAD, 0);
    pthread_create(&thread, NULL, call_getppid, NULL);
    pthread_join(thread, NULL);
    return 23; /* still there */
}

static int strict(void)
{
    int pipes[2];
    char c = 'x';
    if (pipe(pipes) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) != 0)
        return 1;
    if (write(pipes[1], &c, 1) != 1 || read(pipes[0], &c, 1) != 1)
        syscall(SYS_exit, 3);
    syscall(SYS_exit, 17);
    return 4;
}

static int strict_killed(void)
{
    prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT);
    syscall(SYS_getpid);
    return 2;
}


static pthread_barrier_t barrier;
static long seen_by_thread, privs_of_thread;
static void *waiting_thread(void *own_filter)
{
    if (own_filter)
        filter_one(SYS_getgid, SECCOMP_RET_ERRNO | 3, 0);
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
    seen_by_thread = syscall(SYS_getppid) == -1 ? errno : 0;
    privs_of_thread = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);
    return NULL;
}

static int threads(void)
{
    pthread_t thread;
    for (int strange = 0; strange < 2; strange++) {
        pthread_barrier_init(&barrier, NULL, 2);
        pthread_create(&thread, NULL, waiting_thread, strange ? &barrier : NULL);
        pthread_barrier_wait(&barrier);
        long result = filter_one(SYS_getppid, SECCOMP_RET_ERRNO | (61 + strange), SECCOMP_FILTER_FLAG_TSYNC);
        CHECK(strange ? result > 0 && result != getpid() : result == 0); /* the number of the thread that has others */
        pthread_barrier_wait(&barrier);
        pthread_join(thread, NULL);
        CHECK_EQ(seen_by_thread, 61);
        CHECK_EQ(privs_of_thread, 1);
    }
    return check_failures != 0;
}

static int count_descriptors(void)
{
    int n = 0;
    for (int fd = 0; fd < 300; fd++)
        n += fcntl(fd, F_GETFD) != -1;
    return n;
}

static int inherited(void)
{
    char count[16];
    snprintf(count, sizeof(count), "%d", count_descriptors());
    CHECK(filter_one(SYS_getppid, SECCOMP_RET_ERRNO | 78, 0) == 0);
    int status;
    pid_t child = fork();
    if (child == 0) {
        if (syscall(SYS_getppid) != -1 || errno != 78)
            _exit(1);
        execl("/proc/self/exe", "seccomp", "after exec", count, NULL);
        _exit(2);
    }
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(status, 55 << 8);
    return check_failures != 0;
}

/* What is inherited, and leaves no trace but that. */
static int after_exec(int descriptors)
{
    char line[256];
    int mode = -1;
    FILE *status = fopen("/proc/self/status", "r");
    while (status && fgets(line, sizeof(line), status))
        sscanf(line, "Seccomp: %d", &mode);
    if (status)
        fclose(status);
    CHECK_EQ(mode, 2);
    CHECK(syscall(SYS_getppid) == -1 && errno == 78);
    CHECK_EQ(prctl(PR_GET_SECCOMP), 2);
    CHECK_EQ(count_descriptors(), descriptors);
    return check_failures ? 1 : 55;
}

static int traced_child(void)
{
    ptrace(PTRACE_TRACEME, 0, 0, 0);
    raise(SIGSTOP);
    filter_one(SYS_getppid, SECCOMP_RET_TRACE | 99, 0);
    if (syscall(SYS_getppid) != 1111)
        return 1;
    return syscall(SYS_getppid) == getpid() ? 44 : 2;
}

static void traced(void)
{
    int status;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        _exit(traced_child());
    }
    CHECK(waitpid(child, &status, 0) == child && WIFSTOPPED(status));
    CHECK(ptrace(PTRACE_SETOPTIONS, child, 0, PTRACE_O_TRACESECCOMP) == 0);
    for (int i = 0; i < 2; i++) {
        CHECK(ptrace(PTRACE_CONT, child, 0, 0) == 0);
        CHECK_EQ(waitpid(child, &status, 0), child);
        CHECK_EQ(status >> 8, SIGTRAP | PTRACE_EVENT_SECCOMP << 8);
        unsigned long message = 0;
        CHECK(ptrace(PTRACE_GETEVENTMSG, child, 0, &message) == 0);
        CHECK_EQ(message, 99);
        struct user_regs_struct regs;
        struct iovec place = {&regs, sizeof(regs)};
        CHECK(ptrace(PTRACE_GETREGSET, child, NT_PRSTATUS, &place) == 0);
        CHECK_EQ(regs.regs[8], SYS_getppid);
        int number = i == 0 ? -1 : SYS_getpid;
        struct iovec call = {&number, sizeof(number)};
        CHECK(ptrace(PTRACE_SETREGSET, child, NT_ARM_SYSTEM_CALL, &call) == 0);
        regs.regs[0] = 1111;
        if (i == 0)
            CHECK(ptrace(PTRACE_SETREGSET, child, NT_PRSTATUS, &place) == 0);
    }
    CHECK(ptrace(PTRACE_CONT, child, 0, 0) == 0);
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(status, 44 << 8);
}

/* ---- notifications ---------------------------------------------------------------------------------------------------------- */

extern const char after_call[];
/** getppid with an argument that it does not have. */
__attribute__((noinline)) static long call_with(long argument)
{
    register long x8 __asm__("x8") = SYS_getppid, x0 __asm__("x0") = argument;
    __asm__ volatile("svc #0\n.globl after_call\nafter_call:" : "+r"(x0) : "r"(x8) : "memory");
    return x0;
}

static void pass_descriptor(int socket, int *fd, int receive)
{
    char byte = 'd';
    struct iovec part = {&byte, 1};
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {.header = {CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS}};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
    if (receive) {
        CHECK(recvmsg(socket, &message, MSG_CMSG_CLOEXEC) == 1);
        memcpy(fd, CMSG_DATA(&control.header), sizeof(*fd));
    } else {
        memcpy(CMSG_DATA(&control.header), fd, sizeof(*fd));
        CHECK(sendmsg(socket, &message, 0) == 1);
    }
}

static volatile int interruptions;
static void count_signal(int sig) { interruptions += sig == SIGUSR1; }

/** The one whose calls are told of. */
static int notifier(int socket)
{
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    CHECK(filter_one(SYS_getppid, SECCOMP_RET_USER_NOTIF, SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV) == -1 && errno == EINVAL);
    CHECK(filter_one(SYS_getppid, SECCOMP_RET_USER_NOTIF,
                     SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_NEW_LISTENER) == -1 && errno == EINVAL);
    int listener = (int)filter_one(SYS_getppid, SECCOMP_RET_USER_NOTIF, SECCOMP_FILTER_FLAG_NEW_LISTENER);
    CHECK(listener >= 0 && fcntl(listener, F_GETFD) == FD_CLOEXEC);
    CHECK(filter_one(SYS_getsid, SECCOMP_RET_USER_NOTIF, SECCOMP_FILTER_FLAG_NEW_LISTENER) == -1 && errno == EBUSY);
    pass_descriptor(socket, &listener, 0);
    close(listener);
    CHECK_EQ(call_with(1), 4242);
    CHECK_EQ(call_with(2), -EPERM);
    CHECK(call_with(3) == call_with(30) && call_with(30) > 0);
    long fd = call_with(4);
    char text[8] = "";
    CHECK(fd > 2 && read((int)fd, text, 4) == 4 && strcmp(text, "gift") == 0);
    struct sigaction action = {.sa_handler = count_signal};
    sigaction(SIGUSR1, &action, NULL);
    CHECK_EQ(call_with(5), -EINTR);
    CHECK_EQ(interruptions, 1);
    fflush(stdout);
    if (fork() == 0) {
        execl("/proc/self/exe", "seccomp", "notifies", NULL);
        _exit(2);
    }
    int status;
    CHECK(wait(&status) > 0 && status == 21 << 8);
    char byte;
    CHECK(write(socket, "x", 1) == 1 && read(socket, &byte, 1) == 1);
    CHECK_EQ(call_with(7), -ENOSYS); /* nobody listens any more */
    return check_failures != 0;
}

static void notifications(void)
{
    struct seccomp_notif_sizes sizes = {0};
    CHECK(seccomp(SECCOMP_GET_NOTIF_SIZES, 0, &sizes) == 0);
    CHECK(sizes.seccomp_notif == 80 && sizes.seccomp_notif_resp == 24 && sizes.seccomp_data == 64);
    unsigned action = SECCOMP_RET_USER_NOTIF;
    CHECK(seccomp(SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0);
    int sockets[2], gift[2], listener = -1, status;
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets) == 0 && pipe(gift) == 0 && write(gift[1], "gift", 4) == 4);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        close(gift[0]);
        _exit(notifier(sockets[1]));
    }
    pass_descriptor(sockets[0], &listener, 1);
    for (int step = 1; step <= 8; step++) {
        struct seccomp_notif call = {0};
        struct seccomp_notif_resp answer = {0};
        if (step == 3) /* what is to be filled in must be empty */
            CHECK(ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &(struct seccomp_notif){.pid = 1}) == -1 && errno == EINVAL);
        CHECK(ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &call) == 0);
        CHECK(call.data.nr == SYS_getppid && call.data.arch == AUDIT_ARCH_AARCH64);
        CHECK(step == 8 ? call.pid != (unsigned)child : call.pid == (unsigned)child);
        if (step < 8)
            CHECK(call.data.instruction_pointer == (uintptr_t)after_call);
        CHECK(ioctl(listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &call.id) == 0);
        answer.id = call.id;
        switch (call.data.args[0]) {
        case 1:
            CHECK_EQ(step, 1);
            answer.val = 4242;
            break;
        case 2:
            answer.error = -EPERM;
            break;
        case 3:
        case 30:
            answer.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
            answer.val = 5;
            CHECK(ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer) == -1 && errno == EINVAL);
            answer.val = 0;
            break;
        case 4: {
            struct seccomp_notif_addfd add = {.id = call.id, .srcfd = (unsigned)gift[0], .newfd_flags = O_CLOEXEC};
            answer.val = ioctl(listener, SECCOMP_IOCTL_NOTIF_ADDFD, &add);
            CHECK(answer.val > 2);
            break;
        }
        case 5:
            kill(child, SIGUSR1);
            usleep(20000);
            CHECK(ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer) == -1 && errno == ENOENT);
            continue;
        default:
            CHECK_EQ(call.data.args[0], 6);
            answer.val = 21;
        }
        CHECK(ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer) == 0);
    }
    char byte;
    CHECK(read(sockets[0], &byte, 1) == 1);
    close(listener);
    CHECK(write(sockets[0], "y", 1) == 1);
    CHECK(waitpid(child, &status, 0) == child && status == 0);
    close(gift[0]);
    close(gift[1]);
}

/** Without privilege, and without having given up to get new ones, there are no filters. */
static void privilege(void)
{
    int status;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        if (getuid() == 0 && setresuid(65534, 65534, 65534) != 0)
            _exit(3);
        if (filter_one(SYS_getppid, SECCOMP_RET_ALLOW, 0) != -1 || errno != EACCES)
            _exit(1);
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        _exit(filter_one(SYS_getppid, SECCOMP_RET_ALLOW, 0) != 0);
    }
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(status, 0);
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "after exec") == 0)
        return after_exec(atoi(argv[2]));
    if (argc == 2 && strcmp(argv[1], "notifies") == 0)
        return (int)call_with(6);
    CHECK_EQ(prctl(PR_GET_SECCOMP), SECCOMP_MODE_DISABLED);
    CHECK_EQ(in_child(errors), 0);
    CHECK_EQ(in_child(programs) & 0x7f, SIGSYS);
    CHECK_EQ(in_child(bad_programs), 0);
    CHECK_EQ(in_child(traps) & 0x7f, SIGSYS);
    CHECK_EQ(in_child(killed) & 0x7f, SIGSYS);
    CHECK_EQ(in_child(killed_thread), 23 << 8);
    CHECK_EQ(in_child(strict), 17 << 8);
    CHECK_EQ(in_child(strict_killed), SIGKILL);
    CHECK_EQ(in_child(threads), 0);
    CHECK_EQ(in_child(inherited), 0);
    traced();
    notifications();
    privilege();
    CHECK_EQ(prctl(PR_GET_SECCOMP), SECCOMP_MODE_DISABLED);
    return check_result();
}

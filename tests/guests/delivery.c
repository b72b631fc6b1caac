/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a handler is promised: masks, stacks, the order of a queue, calls that begin again or do not, waits that change the
 * mask for their time, and that nothing is lost or comes twice while another thread sends. Nothing here is of one
 * architecture: built for the host, it checks the kernel.
 */
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>
#include "check.h"

#ifndef SS_AUTODISARM
#define SS_AUTODISARM (1u << 31)
#endif
#define UNSUPPORTED_FLAG 0x400 /* sigaction(2): SA_UNSUPPORTED */

typedef void (*handler_type)(int, siginfo_t *, void *);

static void install(int signal, handler_type function, int flags, const sigset_t *mask)
{
    struct sigaction action = {.sa_sigaction = function, .sa_flags = SA_SIGINFO | flags};
    if (mask)
        action.sa_mask = *mask;
    CHECK_EQ(sigaction(signal, &action, NULL), 0);
}

static sigset_t set_of(int a, int b)
{
    sigset_t set;
    sigemptyset(&set);
    if (a)
        sigaddset(&set, a);
    if (b)
        sigaddset(&set, b);
    return set;
}

static bool is_blocked(int signal)
{
    sigset_t now;
    sigprocmask(SIG_BLOCK, NULL, &now);
    return sigismember(&now, signal);
}

/* ---- masks and flags of actions ---------------------------------------------------------------------------------------------- */

static volatile int trail[64], steps;

static void leave_trail(int signal, siginfo_t *info, void *context)
{
    (void)info, (void)context;
    trail[steps++ & 63] = signal;
    CHECK(is_blocked(signal));
    if (signal == SIGUSR1) {
        CHECK(is_blocked(SIGUSR2));
        raise(SIGUSR2); /* comes when this one has ended */
        raise(SIGURG);  /* comes at once */
    }
    trail[steps++ & 63] = -signal;
}

static void two_at_once(int signal, siginfo_t *info, void *context)
{
    (void)info, (void)context;
    trail[steps++ & 63] = signal;
}

static void masks(void)
{
    sigset_t other = set_of(SIGUSR2, 0), both = set_of(SIGUSR1, SIGSEGV), none = set_of(0, 0);
    install(SIGUSR1, leave_trail, 0, &other);
    install(SIGUSR2, leave_trail, 0, NULL);
    install(SIGURG, leave_trail, 0, NULL);
    steps = 0;
    raise(SIGUSR1);
    static const int expected[] = {SIGUSR1, SIGURG, -SIGURG, -SIGUSR1, SIGUSR2, -SIGUSR2};
    CHECK_EQ(steps, 6);
    for (int i = 0; i < 6; i++)
        CHECK_EQ(trail[i], expected[i]);
    CHECK(!is_blocked(SIGUSR1) && !is_blocked(SIGUSR2));

    struct sigaction now;
    install(SIGUSR1, two_at_once, (int)SA_RESETHAND | SA_NODEFER, NULL);
    raise(SIGUSR1);
    sigaction(SIGUSR1, NULL, &now);
    CHECK(now.sa_handler == SIG_DFL);
    CHECK_EQ(now.sa_flags & (SA_NODEFER | SA_SIGINFO), SA_NODEFER | SA_SIGINFO);

    /* How a program learns which flags there are: the kernel keeps those that it knows. */
    install(SIGUSR1, two_at_once, UNSUPPORTED_FLAG | 0x01000000, NULL);
    sigaction(SIGUSR1, NULL, &now);
    CHECK_EQ(now.sa_flags & (UNSUPPORTED_FLAG | 0x01000000), 0);
    sigset_t everything;
    memset(&everything, 0xff, sizeof everything);
    install(SIGUSR1, two_at_once, 0, &everything);
    sigaction(SIGUSR1, NULL, &now);
    CHECK(!sigismember(&now.sa_mask, SIGKILL) && !sigismember(&now.sa_mask, SIGSTOP) && sigismember(&now.sa_mask, SIGSEGV));
    CHECK(sigaction(SIGKILL, &now, NULL) == -1 && errno == EINVAL);

    /* Sent and blocked, then let through together: of both handlers the frames are made before the first one runs. */
    install(SIGUSR1, two_at_once, 0, NULL);
    install(SIGSEGV, two_at_once, 0, NULL);
    sigprocmask(SIG_BLOCK, &both, NULL);
    kill(getpid(), SIGSEGV);
    kill(getpid(), SIGUSR1);
    steps = 0;
    sigprocmask(SIG_SETMASK, &none, NULL);
    CHECK(steps == 2 && trail[0] == SIGUSR1 && trail[1] == SIGSEGV);
    install(SIGSEGV, leave_trail, 0, &both);
    sigprocmask(SIG_BLOCK, &both, NULL);
    kill(getpid(), SIGSEGV);
    kill(getpid(), SIGUSR1);
    steps = 0;
    sigprocmask(SIG_SETMASK, &none, NULL);
    CHECK(steps == 3 && trail[0] == SIGSEGV && trail[1] == -SIGSEGV && trail[2] == SIGUSR1);
    signal(SIGSEGV, SIG_DFL);
}

/* ---- alternate stacks --------------------------------------------------------------------------------------------------------- */

static char alternate[4 * 65536] __attribute__((aligned(4096)));
static char *last_here;

static void on_stack(int signal, siginfo_t *info, void *context)
{
    char here;
    stack_t now, wanted = {.ss_sp = alternate, .ss_size = sizeof alternate - 4096};
    ucontext_t *uc = context;
    (void)info;
    sigaltstack(NULL, &now);
    CHECK(&here > alternate && &here < alternate + sizeof alternate);
    CHECK(uc->uc_stack.ss_sp == alternate && uc->uc_stack.ss_size == sizeof alternate);
    if (signal == SIGUSR1 || signal == SIGUSR2) {
        CHECK_EQ(now.ss_flags, SS_ONSTACK);
        CHECK_EQ(uc->uc_stack.ss_flags, 0);
        CHECK(sigaltstack(&(stack_t){.ss_flags = SS_DISABLE}, NULL) == -1 && errno == EPERM);
    } else {
        CHECK_EQ(now.ss_flags, SS_DISABLE); /* SS_AUTODISARM */
        CHECK_EQ((unsigned)uc->uc_stack.ss_flags, SS_AUTODISARM);
        CHECK_EQ(sigaltstack(&wanted, NULL), 0); /* allowed, and undone by the return */
    }
    if (signal == SIGUSR1) {
        last_here = &here;
        raise(SIGUSR2);
    } else if (signal == SIGUSR2) {
        CHECK(&here < last_here); /* further down on the same one */
    }
    steps++;
}

static void stacks(void)
{
    stack_t now, stack = {.ss_sp = alternate, .ss_size = sizeof alternate};
    CHECK(sigaltstack(&(stack_t){.ss_sp = alternate, .ss_size = 1024}, NULL) == -1 && errno == ENOMEM);
    CHECK(sigaltstack(&(stack_t){.ss_sp = alternate, .ss_size = sizeof alternate, .ss_flags = 8}, NULL) == -1 && errno == EINVAL);
    CHECK_EQ(sigaltstack(&stack, NULL), 0);
    install(SIGUSR1, on_stack, SA_ONSTACK, NULL);
    install(SIGUSR2, on_stack, SA_ONSTACK, NULL);
    install(SIGURG, on_stack, SA_ONSTACK, NULL);
    steps = 0;
    raise(SIGUSR1);
    CHECK_EQ(steps, 2);
    CHECK_EQ(sigaltstack(&(stack_t){.ss_flags = SS_DISABLE}, &now), 0); /* Linux overlooks a change of the flags alone */
    CHECK_EQ(now.ss_flags, 0);
    stack.ss_flags = (int)SS_AUTODISARM;
    CHECK_EQ(sigaltstack(&stack, NULL), 0);
    raise(SIGURG);
    raise(SIGURG);
    CHECK_EQ(steps, 4);
    sigaltstack(NULL, &now);
    CHECK_EQ((unsigned)now.ss_flags, SS_AUTODISARM);
    CHECK(now.ss_sp == alternate && now.ss_size == sizeof alternate);
    CHECK_EQ(sigaltstack(&(stack_t){.ss_flags = SS_DISABLE}, NULL), 0);
    sigaltstack(NULL, &now);
    CHECK(now.ss_flags == SS_DISABLE && now.ss_size == 0);
}

/* ---- queues --------------------------------------------------------------------------------------------------------------------- */

static volatile struct {
    int signal, value, code;
} taken[256];
static volatile int ntaken;

static void take(int signal, siginfo_t *info, void *context)
{
    (void)context;
    taken[ntaken & 255].signal = signal;
    taken[ntaken & 255].value = info->si_value.sival_int;
    taken[ntaken & 255].code = info->si_code;
    ntaken++;
}

static void queues(void)
{
    sigset_t all, old;
    sigfillset(&all);
    sigset_t every = all;
    install(SIGUSR1, take, 0, &every);
    for (int i = SIGRTMIN; i <= SIGRTMAX; i++)
        install(i, take, 0, &every);
    /* Handlers that block everything: the lowest number first, of one number in the order of sending. */
    sigprocmask(SIG_SETMASK, &all, &old);
    ntaken = 0;
    for (int i = 0; i < 20; i++) {
        CHECK_EQ(sigqueue(getpid(), SIGRTMAX, (union sigval){.sival_int = 300 + i}), 0);
        CHECK_EQ(sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = 100 + i}), 0);
        CHECK_EQ(sigqueue(getpid(), SIGRTMIN + 7, (union sigval){.sival_int = 200 + i}), 0);
        CHECK_EQ(sigqueue(getpid(), SIGUSR1, (union sigval){.sival_int = i}), 0); /* the first one stays */
    }
    sigprocmask(SIG_SETMASK, &old, NULL);
    CHECK_EQ(ntaken, 61);
    CHECK(taken[0].signal == SIGUSR1 && taken[0].value == 0);
    for (int i = 0; i < 60; i++) {
        CHECK_EQ(taken[i + 1].signal, i < 20 ? SIGRTMIN : i < 40 ? SIGRTMIN + 7 : SIGRTMAX);
        CHECK_EQ(taken[i + 1].value, 100 * (i / 20 + 1) + i % 20);
        CHECK_EQ(taken[i + 1].code, SI_QUEUE);
    }
    /* A full queue: refused, and of what was accepted nothing is lost. */
    struct rlimit limit, small;
    getrlimit(RLIMIT_SIGPENDING, &limit);
    sigprocmask(SIG_SETMASK, &all, &old);
    ntaken = 0;
    pid_t child = fork();
    if (child == 0) {
        check_failures = 0;
        /* Others of this user have signals pending, too: how many fit is not known. */
        int sent = 0;
        small = (struct rlimit){64, limit.rlim_max};
        setrlimit(RLIMIT_SIGPENDING, &small);
        while (sent < 100 && sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = sent}) == 0)
            sent++;
        CHECK(sent <= 64);
        CHECK_EQ(errno, EAGAIN);
        CHECK_EQ(kill(getpid(), SIGUSR1), 0); /* always comes; without its siginfo if need be */
        sigprocmask(SIG_SETMASK, &old, NULL);
        CHECK_EQ(ntaken, sent + 1);
        for (int i = 0; i < sent; i++)
            CHECK(taken[i + 1].value == i && taken[i + 1].signal == SIGRTMIN);
        _exit(check_failures != 0);
    }
    sigprocmask(SIG_SETMASK, &old, NULL);
    int status = -1;
    CHECK(waitpid(child, &status, 0) == child && status == 0);
}

/* ---- interrupted calls ----------------------------------------------------------------------------------------------------------- */

static volatile int handled;
static void handle(int signal, siginfo_t *info, void *context) { (void)signal, (void)info, (void)context, handled++; }

static pid_t main_tid;
static volatile int in_call; /* the main thread is about to enter a call, or in it */
static int ends[2], listener;
static volatile uint32_t word;
static volatile pid_t worker;

/** True when the main thread sleeps. */
static bool main_sleeps(void)
{
    char name[64], line[512] = "";
    snprintf(name, sizeof name, "/proc/self/task/%d/stat", main_tid);
    FILE *in = fopen(name, "re");
    if (!in)
        return false;
    char *end = fgets(line, sizeof line, in) ? strrchr(line, ')') : NULL;
    fclose(in);
    return end && end[2] == 'S';
}

static void await_sleep(void)
{
    while (!main_sleeps())
        sched_yield();
}

enum call { READ, WAIT, FUTEX, ACCEPT, RECEIVE, SLEEP, FUTEX_TIMED, POLL, SELECT, EPOLL, PAUSE, SIGWAIT, CALLS };

/** Lets the call end. */
static void satisfy(enum call call)
{
    if (call == READ || call == POLL || call == SELECT || call == EPOLL || call == RECEIVE)
        CHECK_EQ(write(ends[1], "x", 1), 1);
    else if (call == WAIT)
        kill(worker, SIGKILL);
    else if (call == ACCEPT) {
        int s = socket(AF_UNIX, SOCK_STREAM, 0);
        struct sockaddr_storage address;
        socklen_t size = sizeof address;
        getsockname(listener, (struct sockaddr *)&address, &size);
        CHECK_EQ(connect(s, (struct sockaddr *)&address, size), 0);
        close(s);
    } else {
        word = 1;
        syscall(SYS_futex, &word, FUTEX_WAKE, 1);
    }
}

static void *interrupt(void *argument)
{
    enum call call = (enum call)((intptr_t)argument & 15);
    bool restarts = (intptr_t)argument & 16;
    while (!in_call)
        sched_yield();
    if (restarts) {
        for (int i = 0; i < 5; i++) {
            int before = handled;
            await_sleep();
            syscall(SYS_tgkill, getpid(), main_tid, SIGUSR1);
            while (handled == before)
                sched_yield();
        }
        await_sleep();
        satisfy(call);
    } else {
        /* It may have slept elsewhere: until the call has ended. */
        while (in_call) {
            await_sleep();
            if (in_call)
                syscall(SYS_tgkill, getpid(), main_tid, SIGUSR1);
            for (int i = 0; i < 100 && in_call; i++)
                sched_yield();
        }
    }
    return NULL;
}

static long do_call(enum call call)
{
    char c;
    struct timespec minute = {60, 0}, left;
    struct pollfd poll_fd = {.fd = ends[0], .events = POLLIN};
    fd_set read_set;
    struct epoll_event event = {.events = EPOLLIN};
    sigset_t set = set_of(SIGUSR2, 0);
    long result;
    int epoll;
    switch (call) {
    case READ:
        return read(ends[0], &c, 1);
    case RECEIVE:
        return recv(ends[0], &c, 1, 0);
    case WAIT:
        return waitpid(worker, NULL, 0) == worker ? 1 : -1;
    case FUTEX:
        return syscall(SYS_futex, &word, FUTEX_WAIT, 0, NULL);
    case FUTEX_TIMED:
        return syscall(SYS_futex, &word, FUTEX_WAIT, 0, &minute);
    case ACCEPT:
        result = accept(listener, NULL, NULL);
        if (result >= 0)
            close((int)result);
        return result;
    case SLEEP:
        result = syscall(SYS_nanosleep, &minute, &left);
        CHECK(result == -1 && left.tv_sec <= 60 && left.tv_sec >= 30);
        return result;
    case POLL:
        return poll(&poll_fd, 1, 60000);
    case SELECT:
        FD_ZERO(&read_set);
        FD_SET(ends[0], &read_set);
        return select(ends[0] + 1, &read_set, NULL, NULL, NULL);
    case EPOLL:
        epoll = epoll_create1(0);
        epoll_ctl(epoll, EPOLL_CTL_ADD, ends[0], &event);
        result = epoll_wait(epoll, &event, 1, 60000);
        c = (char)errno;
        close(epoll);
        errno = c;
        return result;
    case PAUSE:
        return pause();
    case SIGWAIT:
        return sigtimedwait(&set, NULL, &minute);
    default:
        return 0;
    }
}

static void one_call(enum call call, bool with_flag)
{
    bool restarts = with_flag && call <= RECEIVE;
    pthread_t thread;
    install(SIGUSR1, handle, with_flag ? SA_RESTART : 0, NULL);
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    listener = socket(AF_UNIX, SOCK_STREAM, 0);
    CHECK(bind(listener, (struct sockaddr *)&(struct sockaddr){.sa_family = AF_UNIX}, 2) == 0 && listen(listener, 1) == 0);
    if (call == WAIT && (worker = fork()) == 0) {
        for (;;)
            pause();
    }
    handled = 0;
    word = 0;
    in_call = 0;
    pthread_create(&thread, NULL, interrupt, (void *)(intptr_t)(call | (restarts ? 16 : 0)));
    in_call = 1;
    errno = 0;
    long result = do_call(call);
    int error = errno;
    in_call = 0;
    pthread_join(thread, NULL);
    if (restarts) {
        /* For a futex, 0, or EAGAIN when it was set between two signals. */
        CHECK(call == FUTEX ? result == 0 || error == EAGAIN : result >= 0);
        CHECK_EQ(handled, 5);
    } else {
        CHECK(handled >= 1);
        if (result != -1 || error != EINTR) {
            printf("call %d, SA_RESTART %d: result %ld, error %d\n", call, with_flag, result, error);
            check_failures++;
        }
    }
    if (call == WAIT && !restarts) {
        kill(worker, SIGKILL);
        CHECK_EQ(waitpid(worker, NULL, 0), worker);
    }
    close(ends[0]);
    close(ends[1]);
    close(listener);
}

static void interrupted_calls(void)
{
    main_tid = getpid();
    for (int call = READ; call < CALLS; call++) {
        one_call((enum call)call, false);
        one_call((enum call)call, true);
    }
}

/* ---- waits that change the mask --------------------------------------------------------------------------------------------------- */

enum { ROUNDS = 1000 };
static int turn; /* the sender may send one */

static void *send_in_turn(void *argument)
{
    int rounds = (int)(intptr_t)argument;
    for (int i = 1; i <= rounds; i++) {
        while (__atomic_load_n(&turn, __ATOMIC_SEQ_CST) != i)
            sched_yield();
        if (i & 1)
            syscall(SYS_tgkill, getpid(), main_tid, SIGUSR1);
        else
            kill(getpid(), SIGUSR1);
    }
    return NULL;
}

static void handle_in_wait(int signal, siginfo_t *info, void *context)
{
    (void)info;
    ucontext_t *uc = context;
    CHECK(sigismember(&uc->uc_sigmask, SIGUSR1)); /* the mask to go back to */
    CHECK(is_blocked(signal));
    handled++;
}

static void waits(void)
{
    sigset_t blocked = set_of(SIGUSR1, SIGRTMIN + 3), open = set_of(SIGRTMIN + 3, 0), old;
    pthread_t sender;
    int epoll = epoll_create1(0), fds[2];
    struct epoll_event event = {.events = EPOLLIN};
    CHECK_EQ(pipe(fds), 0);
    epoll_ctl(epoll, EPOLL_CTL_ADD, fds[0], &event);
    install(SIGUSR1, handle_in_wait, SA_RESTART, NULL);
    sigprocmask(SIG_BLOCK, &blocked, &old);
    handled = 0;
    turn = 0;
    pthread_create(&sender, NULL, send_in_turn, (void *)(intptr_t)ROUNDS);
    for (int i = 1; i <= ROUNDS; i++) {
        struct pollfd poll_fd = {.fd = fds[0], .events = POLLIN};
        fd_set set;
        int result = 0;
        if (i % 5 == 0) { /* pending before */
            sigset_t pending = set_of(0, 0);
            __atomic_store_n(&turn, i, __ATOMIC_SEQ_CST);
            while (!sigismember(&pending, SIGUSR1))
                sigpending(&pending);
        } else {
            __atomic_store_n(&turn, i, __ATOMIC_SEQ_CST);
        }
        CHECK_EQ(handled, i - 1);
        errno = 0;
        switch (i / 2 % 4) {
        case 0:
            result = sigsuspend(&open);
            break;
        case 1:
            result = ppoll(&poll_fd, 1, i % 3 ? NULL : &(struct timespec){60, 0}, &open);
            break;
        case 2:
            FD_ZERO(&set);
            FD_SET(fds[0], &set);
            result = pselect(fds[0] + 1, &set, NULL, NULL, i % 3 ? NULL : &(struct timespec){60, 0}, &open);
            break;
        case 3:
            result = epoll_pwait(epoll, &event, 1, -1, &open);
            break;
        }
        CHECK(result == -1 && errno == EINTR);
        CHECK_EQ(handled, i);
        CHECK(is_blocked(SIGUSR1) && is_blocked(SIGRTMIN + 3));
    }
    pthread_join(sender, NULL);
    /* Ready at once: the mask is only for the time of waiting, and a signal that is pending stays so or is delivered. */
    CHECK_EQ(write(fds[1], "x", 1), 1);
    raise(SIGUSR1);
    struct pollfd poll_fd = {.fd = fds[0], .events = POLLIN};
    int before = handled, result = ppoll(&poll_fd, 1, NULL, &open);
    CHECK(result == 1 ? handled == before : errno == EINTR && handled == before + 1);
    CHECK(is_blocked(SIGUSR1));
    install(SIGUSR1, handle, 0, NULL);
    sigprocmask(SIG_SETMASK, &old, NULL);
    CHECK_EQ(handled, before + 1);
    close(epoll);
    close(fds[0]);
    close(fds[1]);
}

/* ---- blocking calls: none is lost --------------------------------------------------------------------------------------------------- */

static int self_pipe[2];
static void write_self(int signal, siginfo_t *info, void *context)
{
    (void)signal, (void)info, (void)context;
    int saved = errno;
    CHECK_EQ(write(self_pipe[1], "s", 1), 1);
    errno = saved;
    handled++;
}

static void none_is_lost(void)
{
    pthread_t sender;
    char c;
    handled = 0;
    turn = 0;
    CHECK_EQ(pipe(self_pipe), 0);
    pthread_create(&sender, NULL, send_in_turn, (void *)(intptr_t)ROUNDS);
    for (int i = 1; i <= ROUNDS; i++) {
        if (i % 64 == 1)
            install(SIGUSR1, write_self, i & 64 ? SA_RESTART : 0, NULL);
        __atomic_store_n(&turn, i, __ATOMIC_SEQ_CST);
        ssize_t got = read(self_pipe[0], &c, 1);
        if (got < 0 && errno == EINTR)
            got = read(self_pipe[0], &c, 1);
        CHECK_EQ(got, 1);
        CHECK_EQ(handled, i);
    }
    pthread_join(sender, NULL);
}

/* ---- faults that a handler repairs, while others come ------------------------------------------------------------------------------- */

static volatile int storm_over, in_repair;
static volatile long storm_count;
static char *region;
enum { PAGES = 64 };

static void *storm(void *argument)
{
    int signal = (int)(intptr_t)argument;
    while (!storm_over)
        syscall(SYS_tgkill, getpid(), main_tid, signal);
    return NULL;
}

static void count_storm(int signal, siginfo_t *info, void *context)
{
    (void)signal, (void)info, (void)context;
    CHECK_EQ(in_repair, 0); /* blocked by the mask of the other handler */
    storm_count++;
}

static void repair(int signal, siginfo_t *info, void *context)
{
    (void)signal, (void)context;
    CHECK_EQ(in_repair, 0);
    in_repair = 1;
    CHECK_EQ(info->si_code, SEGV_ACCERR);
    char *page = (char *)((uintptr_t)info->si_addr & ~(uintptr_t)4095);
    CHECK(page >= region && page < region + PAGES * 4096);
    CHECK_EQ(mprotect(page, 4096, PROT_READ | PROT_WRITE), 0);
    handled++;
    in_repair = 0;
}

static void repaired_faults(void)
{
    pthread_t thread;
    sigset_t mask = set_of(SIGUSR1, SIGRTMIN);
    install(SIGUSR1, count_storm, SA_RESTART, NULL);
    install(SIGSEGV, repair, 0, &mask);
    region = mmap(NULL, PAGES * 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    handled = 0;
    storm_over = 0;
    storm_count = 0;
    pthread_create(&thread, NULL, storm, (void *)(intptr_t)SIGUSR1);
    long sum = 0;
    for (int round = 0; round < 40 || storm_count < 100; round++) {
        handled = 0;
        for (int i = 0; i < PAGES; i++)
            region[i * 4096 + round % 4096] += 1;
        CHECK_EQ(handled, PAGES);
        for (int i = 0; i < PAGES; i++)
            sum += region[i * 4096 + round % 4096];
        memset(region, 0, PAGES * 4096);
        CHECK_EQ(sum, (round + 1L) * PAGES);
        CHECK_EQ(mprotect(region, PAGES * 4096, PROT_NONE), 0);
    }
    storm_over = 1;
    pthread_join(thread, NULL);
    signal(SIGSEGV, SIG_DFL);
    munmap(region, PAGES * 4096);
}

/* ---- jumps out of handlers ----------------------------------------------------------------------------------------------------------- */

static sigjmp_buf jump;
static void jump_out(int signal, siginfo_t *info, void *context) { (void)info, (void)context, siglongjmp(jump, signal); }

static void *send_for_jumps(void *unused)
{
    int seen = 0;
    while (!storm_over) {
        int now = __atomic_load_n(&turn, __ATOMIC_SEQ_CST);
        if (now != seen) {
            seen = now;
            syscall(SYS_tgkill, getpid(), main_tid, SIGUSR1);
        } else {
            sched_yield();
        }
    }
    return unused;
}

static void jumps(void)
{
    pthread_t thread;
    install(SIGUSR1, jump_out, 0, NULL);
    turn = 0;
    storm_over = 0;
    pthread_create(&thread, NULL, send_for_jumps, NULL);
    for (volatile int round = 1; round <= 3000; round++) {
        volatile int local = round * 3;
        if (sigsetjmp(jump, 1) == 0) {
            __atomic_store_n(&turn, round, __ATOMIC_SEQ_CST);
            if (round % 3 == 0) {
                for (;;)
                    pause();
            } else if (round % 3 == 1) {
                for (;;)
                    getppid();
            } else {
                for (volatile unsigned i = 0;; i++)
                    ;
            }
        }
        CHECK_EQ(local, round * 3);
        CHECK(!is_blocked(SIGUSR1));
    }
    storm_over = 1;
    pthread_join(thread, NULL);
}

int main(void)
{
    alarm(120); /* what hangs has lost a signal */
    masks();
    stacks();
    queues();
    interrupted_calls();
    waits();
    none_is_lost();
    repaired_faults();
    jumps();
    return check_result();
}

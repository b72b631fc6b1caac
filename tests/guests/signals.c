/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Signal delivery: masks, alternate stacks, nesting, interruption of hot loops, jumps out of handlers, system calls. */
#include <errno.h>
#include <fenv.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>
#include "check.h"

static volatile sig_atomic_t count, depth, max_depth;
static volatile double disturbance = 1.5;

static void install(int sig, void (*function)(int, siginfo_t *, void *), int flags)
{
    struct sigaction action = {.sa_sigaction = function, .sa_flags = SA_SIGINFO | flags};
    sigemptyset(&action.sa_mask);
    CHECK(sigaction(sig, &action, NULL) == 0);
}

static void timer(long microseconds)
{
    struct itimerval value = {{0, microseconds}, {0, microseconds}};
    setitimer(ITIMER_REAL, &value, NULL);
}

/* Uses flags, integer and vector registers, so that a badly restored register shows. */
static void on_alarm(int sig, siginfo_t *info, void *context)
{
    (void)sig, (void)info;
    ucontext_t *uc = context;
    uint8_t buffer[256];
    memset(buffer, count, sizeof(buffer));
    for (unsigned i = 0; i < 100; i++)
        disturbance = disturbance * 1.0001 + buffer[i % 256];
    __asm__ volatile("cmp xzr, xzr\n movi v0.16b, #255\n movi v7.16b, #255\n movi v20.16b, #255" ::: "cc", "v0", "v7", "v20");
    CHECK(uc->uc_mcontext.pc != 0 && (uc->uc_mcontext.pc & 3) == 0);
    count++;
}

static void loops_under_alarms(void)
{
    install(SIGALRM, on_alarm, SA_RESTART);
    count = 0;
    timer(500);
    uint64_t first = 0;
    for (int round = 0; round < 100000 && (count < 100 || round < 3); round++) {
        uint64_t a = 1, b = 2, c = 3;
        double x = 0.5, y = 0.25;
        uint32_t bytes[64];
        for (unsigned i = 0; i < 64; i++)
            bytes[i] = i;
        for (unsigned i = 0; i < 200000; i++) {
            a = a * 6364136223846793005 + b;
            b ^= a >> 29;
            c += (a < b) + (int64_t)(a ^ c) / 3;
            x = x * 0.999 + y;
            y = -y * 1.0001;
            bytes[i & 63] += bytes[(i + 7) & 63] * 5;
        }
        uint64_t result = a ^ b ^ c, bits;
        double sum = x + y;
        memcpy(&bits, &sum, 8);
        for (unsigned i = 0; i < 64; i++)
            result = result * 31 + bytes[i];
        result ^= bits;
        if (round == 0)
            first = result;
        CHECK_EQ(result, first);
    }
    timer(0);
    CHECK(count >= 100);
}

/* A loop without a call whose only way out is the handler. */
static volatile int flag;
static void set_flag(int sig, siginfo_t *info, void *context) { (void)sig, (void)info, (void)context, flag = 1; }
static void spin(void)
{
    install(SIGALRM, set_flag, 0);
    for (int round = 0; round < 10; round++) {
        flag = 0;
        timer(1000);
        while (!flag)
            ;
        timer(0);
    }
}

static sigjmp_buf jump;

/* Loops of nothing but returns: to one address, and to two in turn. */
static void leave_returns(int sig, siginfo_t *info, void *context) { (void)info, (void)context, siglongjmp(jump, sig); }
static void spin_by_returns(void)
{
    install(SIGALRM, leave_returns, 0);
    for (volatile int round = 0; round < 10; round++) {
        if (sigsetjmp(jump, 1) == 0) {
            timer(1000);
            if (round & 1)
                __asm__ volatile("1: adr x30, 1b\n ret" ::: "x30", "memory");
            else
                __asm__ volatile("1: adr x30, 2f\n ret\n nop\n 2: adr x30, 1b\n ret" ::: "x30", "memory");
        }
        timer(0);
    }
}

static volatile int *volatile bad_address = (volatile int *)8;
static void jump_out(int sig, siginfo_t *info, void *context) { (void)info, (void)context, siglongjmp(jump, sig); }
static void jumps(void)
{
    install(SIGALRM, jump_out, 0);
    for (int round = 0; round < 20; round++) {
        if (sigsetjmp(jump, 1) == 0) {
            timer(700);
            for (volatile unsigned long i = 0;; i++)
                ;
        }
        timer(0);
        sigset_t mask;
        sigprocmask(SIG_BLOCK, NULL, &mask);
        CHECK(!sigismember(&mask, SIGALRM));
    }
    install(SIGSEGV, jump_out, 0);
    for (volatile int round = 0; round < 2000; round++) {
        volatile int local = round;
        if (sigsetjmp(jump, 1) == 0)
            *bad_address = 1;
        CHECK(local == round);
    }
    signal(SIGSEGV, SIG_DFL);
}

static void nested(int sig, siginfo_t *info, void *context)
{
    (void)info, (void)context;
    if (++depth > max_depth)
        max_depth = depth;
    if (sig == SIGUSR1 && depth < 10)
        raise(SIGUSR1);
    if (sig == SIGUSR2)
        raise(SIGUSR2); /* blocked until this handler returns */
    depth--;
    count++;
    if (sig == SIGUSR2 && count > 3)
        signal(SIGUSR2, SIG_IGN);
}

static void nesting_and_masks(void)
{
    install(SIGUSR1, nested, SA_NODEFER);
    count = depth = max_depth = 0;
    raise(SIGUSR1);
    CHECK_EQ(max_depth, 10);
    CHECK_EQ(count, 10);
    install(SIGUSR2, nested, 0);
    count = depth = max_depth = 0;
    raise(SIGUSR2);
    CHECK_EQ(max_depth, 1);
    CHECK(count >= 4);

    install(SIGUSR1, nested, (int)SA_RESETHAND);
    count = 0, depth = 20;
    raise(SIGUSR1);
    struct sigaction now;
    sigaction(SIGUSR1, NULL, &now);
    CHECK(now.sa_handler == SIG_DFL);

    install(SIGUSR1, nested, 0);
    sigset_t set, old, pending;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, &old);
    count = 0;
    raise(SIGUSR1);
    raise(SIGUSR1);
    CHECK_EQ(count, 0);
    sigpending(&pending);
    CHECK(sigismember(&pending, SIGUSR1));
    sigprocmask(SIG_SETMASK, &old, NULL);
    CHECK_EQ(count, 1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    kill(getpid(), SIGUSR1);
    CHECK_EQ(sigsuspend(&old), -1);
    CHECK_EQ(count, 2);
    union sigval value = {.sival_int = 1234};
    sigqueue(getpid(), SIGUSR1, value);
    siginfo_t info;
    CHECK_EQ(sigwaitinfo(&set, &info), SIGUSR1);
    CHECK_EQ(info.si_value.sival_int, 1234);
    CHECK_EQ(info.si_pid, getpid());
    struct timespec soon = {0, 1000000};
    CHECK(sigtimedwait(&set, &info, &soon) == -1 && errno == EAGAIN);
    sigprocmask(SIG_SETMASK, &old, NULL);
    depth = 0;
}

static char alternate[65536];
static void on_alternate(int sig, siginfo_t *info, void *context)
{
    char here;
    (void)sig, (void)info;
    ucontext_t *uc = context;
    CHECK(&here > alternate && &here < alternate + sizeof(alternate));
    CHECK(uc->uc_stack.ss_sp == alternate);
    stack_t now;
    sigaltstack(NULL, &now);
    CHECK(now.ss_flags & SS_ONSTACK);
    count++;
    if (sig == SIGSEGV)
        siglongjmp(jump, 1);
}
static int overflow(volatile int n)
{
    volatile char block[4096];
    block[0] = (char)n;
    return n > 1 << 30 ? 0 : overflow(n + 1) + block[0];
}
static void alternate_stack(void)
{
    stack_t stack = {.ss_sp = alternate, .ss_size = sizeof(alternate)};
    CHECK(sigaltstack(&stack, NULL) == 0);
    install(SIGUSR1, on_alternate, SA_ONSTACK);
    install(SIGSEGV, on_alternate, SA_ONSTACK);
    count = 0;
    raise(SIGUSR1);
    CHECK_EQ(count, 1);
    /* The one way to survive an overflow of the stack. */
    for (int round = 0; round < 2; round++)
        if (sigsetjmp(jump, 1) == 0)
            CHECK(overflow(0) < 0);
    CHECK_EQ(count, 3);
    signal(SIGSEGV, SIG_DFL);
    stack.ss_flags = SS_DISABLE;
    CHECK(sigaltstack(&stack, NULL) == 0);
}

static void floating_point_state(int sig, siginfo_t *info, void *context)
{
    (void)sig, (void)info, (void)context;
    feclearexcept(FE_ALL_EXCEPT);
    fesetround(FE_UPWARD);
    volatile double third = 1.0;
    third /= 3.0;
    count++;
}
static void environment_survives(void)
{
    install(SIGUSR1, floating_point_state, 0);
    fesetround(FE_TOWARDZERO);
    feclearexcept(FE_ALL_EXCEPT);
    feraiseexcept(FE_DIVBYZERO);
    raise(SIGUSR1);
    CHECK_EQ(fegetround(), FE_TOWARDZERO);
    CHECK_EQ(fetestexcept(FE_ALL_EXCEPT), FE_DIVBYZERO);
    fesetround(FE_TONEAREST);
    feclearexcept(FE_ALL_EXCEPT);
}

static void empty(int sig, siginfo_t *info, void *context) { (void)sig, (void)info, (void)context, count++; }
static void system_calls(void)
{
    int fds[2];
    CHECK(pipe(fds) == 0);
    install(SIGALRM, empty, 0);
    char c;
    struct itimerval once = {{0, 0}, {0, 20000}};
    setitimer(ITIMER_REAL, &once, NULL);
    CHECK(read(fds[0], &c, 1) == -1 && errno == EINTR);
    struct pollfd poll_fd = {.fd = fds[0], .events = POLLIN};
    setitimer(ITIMER_REAL, &once, NULL);
    CHECK(poll(&poll_fd, 1, 5000) == -1 && errno == EINTR);
    struct timespec second = {5, 0}, left;
    setitimer(ITIMER_REAL, &once, NULL);
    CHECK(nanosleep(&second, &left) == -1 && errno == EINTR && left.tv_sec == 4);
    install(SIGALRM, empty, SA_RESTART);
    setitimer(ITIMER_REAL, &once, NULL);
    pid_t child = fork();
    if (child == 0) {
        usleep(60000);
        _exit(write(fds[1], "y", 1) != 1);
    }
    CHECK(read(fds[0], &c, 1) == 1 && c == 'y');
    CHECK(waitpid(child, NULL, 0) == child);
}

static void deaths(void)
{
    static const int fatal[] = {SIGSEGV, SIGILL, SIGTRAP, SIGABRT, SIGTERM, SIGKILL, SIGBUS, SIGUSR1};
    for (unsigned i = 0; i < sizeof(fatal) / sizeof(fatal[0]); i++) {
        fflush(stdout);
        pid_t child = fork();
        if (child == 0) {
            for (int sig = 1; sig < 32; sig++)
                signal(sig, SIG_DFL);
            close(2);
            if (fatal[i] == SIGSEGV)
                *(volatile int *)0 = 1;
            if (fatal[i] == SIGILL)
                __asm__ volatile("udf #0");
            if (fatal[i] == SIGTRAP)
                __asm__ volatile("brk #1");
            if (fatal[i] == SIGABRT)
                abort();
            raise(fatal[i]);
            _exit(99);
        }
        int status;
        CHECK(waitpid(child, &status, 0) == child);
        CHECK(WIFSIGNALED(status));
        CHECK_EQ(WTERMSIG(status), fatal[i]);
    }
}

static pthread_t target;
static volatile int in_thread;
static void on_thread(int sig, siginfo_t *info, void *context)
{
    (void)sig, (void)info, (void)context;
    in_thread += pthread_equal(pthread_self(), target);
}
static void *wait_thread(void *unused)
{
    for (volatile unsigned long i = 0; in_thread < 50; i++)
        ;
    return unused;
}
static void to_a_thread(void)
{
    install(SIGUSR2, on_thread, 0);
    CHECK(pthread_create(&target, NULL, wait_thread, NULL) == 0);
    for (int i = 0; in_thread < 50 && i < 20000; i++) {
        pthread_kill(target, SIGUSR2);
        usleep(200);
    }
    CHECK(in_thread >= 50);
    pthread_join(target, NULL);
}

int main(void)
{
    loops_under_alarms();
    spin();
    spin_by_returns();
    jumps();
    nesting_and_masks();
    alternate_stack();
    environment_survives();
    system_calls();
    deaths();
    to_a_thread();
    return check_result();
}

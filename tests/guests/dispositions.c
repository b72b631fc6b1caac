/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What becomes of signals that are blocked, ignored or left to their default: faults that kill all the same, SIGSEGV and its
 * like sent by kill() and kept for signalfd and sigwait, what a parent is told of its children, stops, groups, and processes
 * whose first thread has ended. Nothing here is of one architecture.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "check.h"

static const int kinds[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP};
static volatile int handled, last_signal, last_code;

static void handle(int signal, siginfo_t *info, void *context)
{
    (void)context;
    last_signal = signal;
    last_code = info->si_code;
    handled++;
}

static void install(int signal, int flags)
{
    struct sigaction action = {.sa_sigaction = handle, .sa_flags = SA_SIGINFO | flags};
    CHECK_EQ(sigaction(signal, &action, NULL), 0);
}

static sigset_t set_of(int a, int b)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, a);
    if (b)
        sigaddset(&set, b);
    return set;
}

static bool is_pending(int signal)
{
    sigset_t set;
    sigpending(&set);
    return sigismember(&set, signal);
}

static volatile int *volatile nowhere = (volatile int *)8;

static void fault(int signal)
{
    if (signal == SIGSEGV)
        *nowhere = 1;
#ifdef __aarch64__
    if (signal == SIGILL)
        __asm__ volatile("udf #0");
    if (signal == SIGTRAP)
        __asm__ volatile("brk #0");
#else
    if (signal == SIGILL)
        __asm__ volatile("ud2");
    if (signal == SIGTRAP)
        __asm__ volatile("int3");
#endif
}

/** A fault cannot be blocked or ignored: it kills. A signal that is sent can. */
static void faults_kill(void)
{
    static const int faulting[] = {SIGSEGV, SIGILL, SIGTRAP};
    for (int i = 0; i < 6; i++) {
        int signal_here = faulting[i / 2];
        fflush(stdout);
        pid_t child = fork();
        if (child == 0) {
            close(2);
            setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
            sigset_t set = set_of(signal_here, 0);
            if (i & 1)
                signal(signal_here, SIG_IGN);
            else {
                install(signal_here, 0);
                sigprocmask(SIG_BLOCK, &set, NULL);
            }
            kill(getpid(), signal_here);
            raise(signal_here);
            if (handled || is_pending(signal_here) != !(i & 1))
                _exit(3);
            fault(signal_here);
            _exit(4);
        }
        siginfo_t info;
        memset(&info, 0, sizeof info);
        CHECK_EQ(waitid(P_PID, (id_t)child, &info, WEXITED), 0);
        CHECK_EQ(info.si_signo, SIGCHLD);
        CHECK_EQ(info.si_code, CLD_KILLED);
        CHECK_EQ(info.si_status, signal_here);
        CHECK_EQ(info.si_pid, child);
        CHECK_EQ(info.si_uid, getuid());
    }
}

static volatile bool in_thread;
static int thread_saw;
static siginfo_t thread_info;

static void *wait_for_it(void *set)
{
    in_thread = true;
    thread_saw = sigwaitinfo(set, &thread_info);
    return NULL;
}

static volatile bool over;
static void *send_quietly(void *signals)
{
    const int *send = signals;
    while (!over) {
        for (int i = 0; i < 2; i++) {
            kill(getpid(), send[i]);
            syscall(SYS_tgkill, getpid(), getpid(), send[i]);
        }
        usleep(300);
    }
    return NULL;
}

/** Sent while blocked: there to be seen, and to be taken by whoever may. */
static void kept(int signal)
{
    struct signalfd_siginfo about;
    siginfo_t info;
    pthread_t thread;
    sigset_t set = set_of(signal, 0), old;
    install(signal, 0);
    handled = 0;
    int fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC), epoll = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN};
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    CHECK_EQ(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event), 0);
    sigprocmask(SIG_BLOCK, &set, &old);
    CHECK_EQ(poll(&poll_fd, 1, 0), 0);
    for (int way = 0; way < 2; way++) {
        for (int i = 0; i < 4; i++) {
            if (way)
                kill(getpid(), signal);
            else
                syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), signal);
            CHECK(is_pending(signal));
            if (i == 0) { /* twice is once */
                CHECK_EQ(kill(getpid(), signal), 0);
                CHECK_EQ(sigwaitinfo(&set, &info), signal);
                CHECK(info.si_code == SI_USER && info.si_pid == getpid()); /* the C library says SI_USER for SI_TKILL */
                if (!way) /* one that is for the process is apart from it */
                    CHECK_EQ(sigtimedwait(&set, &info, &(struct timespec){0, 0}) == signal || !is_pending(signal), 1);
            } else if (i == 1) {
                CHECK_EQ(poll(&poll_fd, 1, -1), 1);
                CHECK_EQ(read(fd, &about, sizeof about), sizeof about);
                CHECK(about.ssi_signo == (unsigned)signal && about.ssi_pid == (unsigned)getpid());
                CHECK_EQ(about.ssi_code, way ? SI_USER : SI_TKILL);
            } else if (i == 2) {
                CHECK_EQ(epoll_wait(epoll, &event, 1, -1), 1);
                CHECK_EQ(read(fd, &about, sizeof about), sizeof about);
            } else {
                sigprocmask(SIG_SETMASK, &old, NULL);
                CHECK_EQ(handled, way + 1);
                CHECK(last_signal == signal && last_code == (way ? SI_USER : SI_TKILL));
                sigprocmask(SIG_BLOCK, &set, NULL);
            }
            CHECK(!is_pending(signal));
            CHECK(read(fd, &about, sizeof about) == -1 && errno == EAGAIN);
        }
    }
    /* For the process, with another thread waiting, or coming to wait later. */
    for (int late = 0; late < 2; late++) {
        in_thread = false;
        thread_saw = 0;
        if (late)
            kill(getpid(), signal);
        pthread_create(&thread, NULL, wait_for_it, &set);
        while (!late && !in_thread)
            sched_yield();
        if (!late)
            kill(getpid(), signal);
        pthread_join(thread, NULL);
        CHECK_EQ(thread_saw, signal);
        CHECK_EQ(thread_info.si_code, SI_USER);
    }
    /* A child does not inherit it, a new action drops it. */
    kill(getpid(), signal);
    pid_t child = fork();
    if (child == 0)
        _exit(is_pending(signal));
    int status = -1;
    CHECK(waitpid(child, &status, 0) == child && status == 0);
    CHECK(is_pending(signal));
    sigaction(signal, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
    CHECK(!is_pending(signal));
    sigaction(signal, &(struct sigaction){.sa_handler = SIG_DFL}, NULL);
    sigprocmask(SIG_SETMASK, &old, NULL);
    CHECK_EQ(handled, 2);
    close(fd);
    close(epoll);
}

/** What is blocked or ignored does not interrupt a call. */
static void uninterrupted(void)
{
    static const int send[] = {SIGSEGV, SIGFPE};
    sigset_t set = set_of(SIGFPE, 0), old;
    pthread_t thread;
    int fds[2];
    char c;
    CHECK_EQ(pipe(fds), 0);
    signal(SIGSEGV, SIG_IGN);
    sigprocmask(SIG_BLOCK, &set, &old);
    over = false;
    pthread_create(&thread, NULL, send_quietly, (void *)send);
    for (int i = 0; i < 12; i++) {
        struct pollfd poll_fd = {.fd = fds[0], .events = POLLIN};
        pid_t child = fork();
        if (child == 0) {
            usleep(3000);
            _exit(write(fds[1], "x", 1) != 1);
        }
        if (i % 2)
            CHECK_EQ(i % 4 == 1 ? poll(&poll_fd, 1, 60000) : ppoll(&poll_fd, 1, NULL, &set), 1);
        CHECK_EQ(read(fds[0], &c, 1), 1);
        CHECK_EQ(waitpid(child, NULL, 0), child);
    }
    over = true;
    pthread_join(thread, NULL);
    signal(SIGFPE, SIG_IGN);
    sigprocmask(SIG_SETMASK, &old, NULL);
    signal(SIGFPE, SIG_DFL);
    signal(SIGSEGV, SIG_DFL);
    close(fds[0]);
    close(fds[1]);
}

/* ---- children ------------------------------------------------------------------------------------------------------------------------ */

static siginfo_t told;
static volatile int tellings;
static void on_child(int signal, siginfo_t *info, void *context)
{
    (void)signal, (void)context;
    told = *info;
    tellings++;
}

/** Waits until the handler has been told of the next change. */
static void await_telling(int before)
{
    sigset_t chld = set_of(SIGCHLD, 0), old;
    sigprocmask(SIG_BLOCK, &chld, &old);
    while (tellings == before)
        sigsuspend(&old);
    sigprocmask(SIG_SETMASK, &old, NULL);
}

static void check_told(int line, pid_t child, int code, int status)
{
    if (told.si_pid != child || told.si_code != code || told.si_status != status || told.si_uid != getuid()) {
        printf("line %d: pid %d code %d status %d\n", line, told.si_pid, told.si_code, told.si_status);
        check_failures++;
    }
}

static void children(void)
{
    siginfo_t info;
    int status;
    sigaction(SIGCHLD, &(struct sigaction){.sa_sigaction = on_child, .sa_flags = SA_SIGINFO | SA_RESTART}, NULL);
    int before = tellings;
    pid_t child = fork();
    if (child == 0) {
        signal(SIGCONT, SIG_DFL);
        for (;;)
            nanosleep(&(struct timespec){60, 0}, NULL);
    }
    CHECK_EQ(setpgid(child, child), 0); /* SIGTSTP does nothing in a group without a parent of its session outside of it */
    /* Stopped, continued, killed. */
    kill(child, SIGSTOP);
    await_telling(before);
    check_told(__LINE__, child, CLD_STOPPED, SIGSTOP);
    CHECK_EQ(waitid(P_PID, (id_t)child, &info, WSTOPPED | WNOWAIT), 0);
    CHECK(info.si_code == CLD_STOPPED && info.si_status == SIGSTOP);
    CHECK(waitpid(child, &status, WUNTRACED) == child && WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
    CHECK_EQ(waitpid(child, &status, WUNTRACED | WNOHANG), 0);
    before = tellings;
    kill(child, SIGCONT);
    await_telling(before);
    check_told(__LINE__, child, CLD_CONTINUED, SIGCONT);
    CHECK(waitpid(child, &status, WCONTINUED) == child && WIFCONTINUED(status));
    before = tellings;
    kill(child, SIGTSTP);
    await_telling(before);
    check_told(__LINE__, child, CLD_STOPPED, SIGTSTP);
    kill(child, SIGTERM); /* waits until it goes on */
    CHECK_EQ(waitpid(child, &status, WNOHANG), 0);
    before = tellings;
    kill(child, SIGKILL);
    await_telling(before);
    check_told(__LINE__, child, CLD_KILLED, SIGKILL);
    CHECK(waitpid(child, &status, 0) == child && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL && !WCOREDUMP(status));
    /* Exited; SIGCHLD is there when the wait is over. */
    before = tellings;
    child = fork();
    if (child == 0)
        _exit(0x1ff);
    CHECK(waitpid(child, &status, 0) == child && status == 0xff00);
    CHECK_EQ(tellings, before + 1);
    check_told(__LINE__, child, CLD_EXITED, 0xff);

    /* SA_NOCLDSTOP: told of the end only. */
    sigaction(SIGCHLD, &(struct sigaction){.sa_sigaction = on_child, .sa_flags = SA_SIGINFO | SA_NOCLDSTOP}, NULL);
    before = tellings;
    child = fork();
    if (child == 0) {
        raise(SIGSTOP);
        _exit(7);
    }
    do
        status = waitpid(child, NULL, WUNTRACED);
    while (status == -1 && errno == EINTR);
    CHECK_EQ(tellings, before);
    kill(child, SIGCONT);
    await_telling(before);
    check_told(__LINE__, child, CLD_EXITED, 7);
    CHECK_EQ(waitpid(child, &status, 0), child);
    /* No zombies. */
    for (int way = 0; way < 2; way++) {
        before = tellings;
        sigaction(SIGCHLD, way ? &(struct sigaction){.sa_handler = SIG_IGN} :
                  &(struct sigaction){.sa_sigaction = on_child, .sa_flags = SA_SIGINFO | SA_RESTART | SA_NOCLDWAIT}, NULL);
        child = fork();
        if (child == 0)
            _exit(1);
        CHECK(waitpid(child, &status, 0) == -1 && errno == ECHILD);
        CHECK_EQ(tellings, before + !way);
    }
    signal(SIGCHLD, SIG_DFL);
}

/** A group is killed as one; SIGCONT's handler runs when the process goes on; one that waits goes on waiting. */
static void groups(void)
{
    pid_t leader = 0, child[3];
    int fds[2], status;
    char c;
    CHECK_EQ(pipe(fds), 0);
    for (int i = 0; i < 3; i++) {
        child[i] = fork();
        if (child[i] == 0) {
            handled = 0;
            install(SIGUSR1, SA_RESTART);
            install(SIGCONT, SA_RESTART);
            setpgid(0, leader);
            sigset_t set = set_of(SIGCONT, SIGUSR1), old;
            sigprocmask(SIG_BLOCK, &set, &old);
            CHECK_EQ(write(fds[1], "r", 1), 1);
            while (handled < 2)
                sigsuspend(&old);
            CHECK_EQ(write(fds[1], "d", 1), 1);
            for (;;)
                pause();
        }
        leader = leader ? leader : child[0];
        setpgid(child[i], leader);
    }
    for (int i = 0; i < 3; i++)
        CHECK(read(fds[0], &c, 1) == 1 && c == 'r');
    CHECK_EQ(kill(-leader, SIGSTOP), 0);
    for (int i = 0; i < 3; i++)
        CHECK(waitpid(-leader, &status, WUNTRACED) > 0 && WIFSTOPPED(status));
    CHECK_EQ(kill(-leader, SIGUSR1), 0);
    struct pollfd poll_fd = {.fd = fds[0], .events = POLLIN};
    CHECK_EQ(poll(&poll_fd, 1, 5), 0);
    CHECK_EQ(kill(-leader, SIGCONT), 0);
    for (int i = 0; i < 3; i++)
        CHECK(read(fds[0], &c, 1) == 1 && c == 'd');
    CHECK_EQ(kill(-leader, SIGHUP), 0);
    for (int i = 0; i < 3; i++) {
        siginfo_t info;
        CHECK_EQ(waitid(P_PGID, (id_t)leader, &info, WEXITED), 0);
        CHECK(info.si_code == CLD_KILLED && info.si_status == SIGHUP);
    }
    CHECK(kill(-leader, 0) == -1 && errno == ESRCH);
    close(fds[0]);
    close(fds[1]);
}

/* ---- the first thread has ended -------------------------------------------------------------------------------------------------------- */

static int report;
static void *stay(void *unused)
{
    sigset_t set = set_of(SIGUSR2, 0);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    for (int i = 0; i < 3; i++) {
        char name[64], line[256] = "", *state = NULL;
        snprintf(name, sizeof name, "/proc/self/task/%d/stat", getpid());
        do { /* until it is a zombie */
            FILE *in = fopen(name, "re");
            if (in && fgets(line, sizeof line, in))
                state = strrchr(line, ')');
            if (in)
                fclose(in);
        } while (!state || state[2] != 'Z');
        int before = handled;
        CHECK_EQ(write(report, "r", 1), 1);
        while (handled == before)
            usleep(100);
    }
    _exit(check_failures ? 1 : 40 + handled);
    return unused;
}

static void without_first_thread(void)
{
    int fds[2], status;
    char c;
    CHECK_EQ(pipe(fds), 0);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        pthread_t thread;
        report = fds[1];
        handled = check_failures = 0;
        install(SIGUSR2, 0);
        sigset_t set = set_of(SIGUSR2, 0);
        sigprocmask(SIG_BLOCK, &set, NULL);
        pthread_create(&thread, NULL, stay, NULL);
        syscall(SYS_exit, 9);
    }
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(read(fds[0], &c, 1), 1);
        CHECK_EQ(kill(child, SIGUSR2), 0);
    }
    CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 43);
    close(fds[0]);
    close(fds[1]);
}

int main(void)
{
    alarm(120);
    faults_kill();
    for (int i = 0; i < 5; i++)
        kept(kinds[i]);
    uninterrupted();
    children();
    groups();
    without_first_thread();
    return check_result();
}

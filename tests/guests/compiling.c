/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a program does not see of the thread that compiles its hot loops: the number of threads, signals to the process, calls
 * that want a process of one thread, descriptors that close; and programs that fork, change and end while it is at work.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "check.h"

#define LOOPS 256u
#define LOOP_WORDS 8u
#define MOVZ(rd, value) (0xd2800000u | (uint32_t)(value) << 5 | (rd))
#define ADD_IMM(rd, rn, value) (0x91000000u | (uint32_t)(value) << 10 | (rn) << 5 | (rd))
#define RET 0xd65f03c0u

typedef uint64_t (*function)(uint64_t);
static uint32_t *code;

/** Number i returns its argument times `step`. */
static void write_loop(unsigned i, unsigned step)
{
    uint32_t *p = code + i * LOOP_WORDS;
    p[0] = MOVZ(1, 0);
    p[1] = ADD_IMM(1, 1, step);
    p[2] = 0xf1000400; /* subs x0, x0, #1 */
    p[3] = 0x54ffffc1; /* b.ne -8 */
    p[4] = 0xaa0103e0; /* mov x0, x1 */
    p[5] = RET;
    __builtin___clear_cache((char *)p, (char *)(p + LOOP_WORDS));
}

static void write_loops(unsigned step)
{
    for (unsigned i = 0; i < LOOPS; i++)
        write_loop(i, step + i);
}

/** There is much to compile while, and shortly after, this runs. */
static void run_loops(unsigned step, uint64_t n)
{
    for (unsigned i = 0; i < LOOPS; i++)
        CHECK_EQ(((function)(code + i * LOOP_WORDS))(n), n * (step + i));
}

/* ---- the number of threads --------------------------------------------------------------------------------------------------- */

static unsigned listed_threads(void)
{
    unsigned n = 0;
    DIR *folder = opendir("/proc/self/task");
    CHECK(folder != NULL);
    for (const struct dirent *entry; folder && (entry = readdir(folder)) != NULL;)
        n += entry->d_name[0] != '.';
    if (folder)
        closedir(folder);
    return n;
}

static unsigned status_threads(void)
{
    char line[256];
    unsigned n = 0;
    FILE *file = fopen("/proc/self/status", "r");
    while (file && fgets(line, sizeof line, file))
        sscanf(line, "Threads: %u", &n);
    if (file)
        fclose(file);
    return n;
}

static unsigned stat_threads(void)
{
    char line[1024];
    unsigned n = 0;
    FILE *file = fopen("/proc/self/stat", "r");
    if (file && fgets(line, sizeof line, file))
        sscanf(strrchr(line, ')') + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %u", &n);
    if (file)
        fclose(file);
    return n;
}

static void count_threads(void)
{
    for (unsigned round = 1; round < 10; round++) {
        write_loops(round);
        run_loops(round, 6000);
        CHECK_EQ(listed_threads(), 1);
        CHECK_EQ(status_threads(), 1);
        CHECK_EQ(stat_threads(), 1);
    }
    char name[16];
    prctl(PR_GET_NAME, name);
    prctl(PR_SET_NAME, "dragoman-hot"); /* it is by no name that a program's only thread is not listed */
    CHECK_EQ(listed_threads(), 1);
    CHECK_EQ(status_threads(), 1);
    prctl(PR_SET_NAME, name);
}

/* ---- signals ------------------------------------------------------------------------------------------------------------------- */

static volatile sig_atomic_t handled, handler_tid;

static void on_signal(int signal)
{
    (void)signal;
    handled++;
    handler_tid = (sig_atomic_t)syscall(SYS_gettid);
}

static void take_signals(void)
{
    sigset_t set, pending;
    signal(SIGUSR1, on_signal);
    signal(SIGALRM, on_signal);
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    for (unsigned round = 1; round < 20; round++) {
        write_loops(round);
        run_loops(round, 3000);
        sigprocmask(SIG_BLOCK, &set, NULL);
        handled = 0;
        kill(getpid(), SIGUSR1);
        run_loops(round, 100);
        CHECK_EQ(handled, 0);
        sigpending(&pending);
        CHECK(sigismember(&pending, SIGUSR1) == 1);
        sigprocmask(SIG_UNBLOCK, &set, NULL);
        CHECK_EQ(handled, 1);
        CHECK_EQ(handler_tid, getpid());
    }
    struct itimerval soon = {{0, 0}, {0, 5000}};
    handled = 0;
    setitimer(ITIMER_REAL, &soon, NULL);
    for (unsigned round = 1; !handled && round < 2000; round++) {
        write_loops(round);
        run_loops(round, 1000);
    }
    CHECK_EQ(handled, 1);
}

/* ---- calls that want one thread ------------------------------------------------------------------------------------------------ */

static void unshare_all(void)
{
    static const int kinds[] = {CLONE_NEWUSER, CLONE_THREAD, CLONE_SIGHAND, CLONE_FS, CLONE_FILES, CLONE_NEWUSER | CLONE_NEWNS};
    for (unsigned i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        int status;
        pid_t child = fork();
        if (child == 0) {
            write_loops(i + 1);
            run_loops(i + 1, 6000);
            /* A kernel may forbid user namespaces, and says so in another way. */
            _exit(unshare(kinds[i]) == 0 || errno == EPERM || errno == ENOSPC ? 0 : errno);
        }
        CHECK(waitpid(child, &status, 0) == child);
        CHECK_EQ(status, 0);
    }
}

/** What is given up is given up by all threads, those that are not listed included. */
static void change_user(void)
{
    int status;
    pid_t child = fork();
    if (child == 0) {
        write_loops(1);
        run_loops(1, 6000);
        if (setgid(4321) != 0 || setuid(4321) != 0)
            _exit(errno == EPERM ? 0 : 1);
        for (pid_t tid = getpid(); tid < getpid() + 300; tid++) {
            char path[64], line[256];
            unsigned uid = 4321, gid = 4321;
            snprintf(path, sizeof path, "/proc/%d/task/%d/status", getpid(), tid);
            FILE *file = fopen(path, "r");
            while (file && fgets(line, sizeof line, file))
                (void)(sscanf(line, "Uid: %u", &uid) + sscanf(line, "Gid: %u", &gid));
            if (file)
                fclose(file);
            CHECK_EQ(uid, 4321);
            CHECK_EQ(gid, 4321);
        }
        run_loops(1, 6000);
        _exit(check_failures);
    }
    CHECK(waitpid(child, &status, 0) == child);
    CHECK_EQ(status, 0);
}

/** Whoever unshares his descriptors is the last to have those that he closes. */
static void close_descriptors(void)
{
    for (unsigned i = 0; i < 2; i++) {
        int fds[2], status;
        char byte;
        CHECK(pipe(fds) == 0);
        pid_t child = fork();
        if (child == 0) {
            close(fds[0]);
            write_loops(i + 1);
            run_loops(i + 1, 6000);
            if (i == 0 && unshare(CLONE_FILES) == 0)
                close(fds[1]);
            else if (i == 1 && syscall(SYS_close_range, fds[1], fds[1], CLOSE_RANGE_UNSHARE) < 0)
                _exit(1);
            run_loops(i + 1, 100);
            pause();
        }
        close(fds[1]);
        CHECK_EQ(read(fds[0], &byte, 1), 0);
        kill(child, SIGKILL);
        CHECK(waitpid(child, &status, 0) == child);
        CHECK(WIFSIGNALED(status));
        close(fds[0]);
    }
}

/** Where no thread may be made, all runs as before. */
static void without_threads(void)
{
    int status;
    pid_t child = fork();
    if (child == 0) {
        const struct rlimit none = {0, 0};
        setrlimit(RLIMIT_NPROC, &none);
        for (unsigned round = 1; round < 4; round++) {
            write_loops(round);
            run_loops(round, 6000);
        }
        cpu_set_t set;
        CPU_ZERO(&set);
        CPU_SET(sched_getcpu(), &set);
        sched_setaffinity(0, sizeof set, &set);
        for (unsigned round = 1; round < 4; round++) {
            write_loops(round);
            run_loops(round, 6000);
        }
        _exit(check_failures);
    }
    CHECK(waitpid(child, &status, 0) == child);
    CHECK_EQ(status, 0);
}

static void *do_nothing(void *argument) { return argument; }

/** Whoever may have two threads has two. */
static void fill_the_limit(void)
{
    int status;
    pid_t child = fork();
    if (child == 0) {
        const struct rlimit two = {2, 2};
        /* A user of its own, so that nothing else is counted: this test may run several times at once. */
        if (setuid((uid_t)(1000000 + getpid())) != 0)
            _exit(errno == EPERM || errno == EINVAL ? 0 : 1);
        setrlimit(RLIMIT_NPROC, &two);
        for (unsigned round = 1; round < 4; round++) {
            pthread_t thread;
            usleep(250000); /* for what was ended by the calls above to begin again */
            write_loops(round);
            run_loops(round, 6000);
            if (round & 1) {
                int error = pthread_create(&thread, NULL, do_nothing, NULL);
                CHECK_EQ(error, 0);
                if (!error)
                    pthread_join(thread, NULL);
            } else {
                pid_t another = fork();
                if (another == 0)
                    _exit(0);
                CHECK(another > 0);
                CHECK(waitpid(another, &status, 0) == another);
            }
        }
        _exit(check_failures);
    }
    CHECK(waitpid(child, &status, 0) == child);
    CHECK_EQ(status, 0);
}

struct sharing {
    int fd;
    unsigned round;
};

static int run_on(void *opaque)
{
    const struct sharing *sharing = opaque;
    for (unsigned i = 0; i < 2 * LOOPS; i++) {
        write_loop(i % LOOPS, i);
        ((function)(code + i % LOOPS * LOOP_WORDS))(i % 2 ? 100 : 3000);
    }
    return write(sharing->fd, "x", 1) == 1 ? 0 : 1;
}

/** A process that shares memory with one that ends goes on without it. */
static void outlive(void)
{
    static char stack[65536] __attribute__((aligned(16)));
    for (unsigned round = 0; round < 10; round++) {
        int fds[2], status;
        char byte = 0;
        CHECK(pipe(fds) == 0);
        pid_t child = fork();
        if (child == 0) {
            struct sharing sharing = {fds[1], round};
            write_loops(round);
            run_loops(round, 3000);
            if (clone(run_on, stack + sizeof stack, CLONE_VM | SIGCHLD, &sharing) < 0)
                _exit(1);
            usleep(round * 500);
            _exit(0);
        }
        close(fds[1]);
        CHECK(waitpid(child, &status, 0) == child);
        CHECK_EQ(status, 0);
        struct pollfd end = {.fd = fds[0], .events = POLLIN};
        CHECK_EQ(poll(&end, 1, 20000), 1);
        CHECK_EQ(read(fds[0], &byte, 1), 1);
        close(fds[0]);
    }
}

/* ---- at work ---------------------------------------------------------------------------------------------------------------------- */

static void fork_often(void)
{
    for (unsigned round = 1; round < 60; round++) {
        int status;
        write_loops(round);
        run_loops(round, 2000 + round * 50);
        pid_t child = round % 3 == 0 ? vfork() : fork();
        if (child == 0) {
            if (round % 3 == 0)
                _exit(0);
            if (round % 3 == 1) {
                write_loops(round + 1);
                run_loops(round + 1, 3000);
            }
            run_loops(round + (round % 3 == 1), 100);
            _exit(check_failures);
        }
        run_loops(round, 300);
        CHECK(waitpid(child, &status, 0) == child);
        CHECK_EQ(status, 0);
    }
}

static void change_often(void)
{
    uint32_t seed = 1;
    for (unsigned round = 0; round < 3000; round++) {
        seed = seed * 1664525 + 1013904223;
        unsigned i = (seed >> 8) % 24, step = (seed >> 16) % 1000;
        write_loop(i, step);
        CHECK_EQ(((function)(code + i * LOOP_WORDS))(2200), 2200 * step);
        CHECK_EQ(((function)(code + i * LOOP_WORDS))(seed % 5000 + 1), (uint64_t)(seed % 5000 + 1) * step);
    }
}

static void *run_some(void *argument)
{
    unsigned first = (unsigned)(uintptr_t)argument;
    for (unsigned round = 0; round < 20; round++) {
        for (unsigned i = first; i < LOOPS; i += 3)
            CHECK_EQ(((function)(code + i * LOOP_WORDS))(1500), 1500 * (5 + i));
    }
    return NULL;
}

static void run_in_threads(void)
{
    pthread_t threads[3];
    write_loops(5);
    for (uintptr_t i = 0; i < 3; i++)
        CHECK(pthread_create(&threads[i], NULL, run_some, (void *)i) == 0);
    CHECK(listed_threads() <= 4);
    for (unsigned i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
}

int main(void)
{
    code = mmap(NULL, LOOPS * LOOP_WORDS * 4, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(code != MAP_FAILED);
    count_threads();
    take_signals();
    unshare_all();
    change_user();
    close_descriptors();
    without_threads();
    fill_the_limit();
    outlive();
    fork_often();
    change_often();
    run_in_threads();
    write_loops(9);
    run_loops(9, 3000);
    return check_result();
}

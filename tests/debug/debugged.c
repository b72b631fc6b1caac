/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What tests/debug/test_gdb.py debugs: a case for each argument. Line numbers are found by the comments "HERE: name". */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct point {
    int x, y;
    double weight;
};

volatile int watched, unwatched, turns;
volatile uint64_t wide[4];
struct point place = {3, 4, 1.5};
static atomic_int counter;

__attribute__((noinline)) int factorial(int n)
{
    if (n <= 1)
        return 1; /* HERE: deepest */
    return n * factorial(n - 1);
}

__attribute__((noinline)) double scale(double a, double b)
{
    return a * b + 0.5; /* HERE: scale */
}

static int simple(void)
{
    int result = factorial(5); /* HERE: simple */
    place.weight = scale(place.weight, 4); /* HERE: weight */
    printf("factorial %d weight %g\n", result, place.weight);
    fflush(stdout);
    return result == 120 ? 7 : 8; /* HERE: simple-end */
}

/** By the instructions for it (FEAT_MOPS). */
__attribute__((noinline)) void set_memory(void *p, uint64_t size, uint64_t value)
{
    __asm__ volatile(".arch armv8.8-a+mops\n"
                     "setp [%0]!, %1!, %2\n"
                     "setm [%0]!, %1!, %2\n"
                     "sete [%0]!, %1!, %2"
                     : "+r"(p), "+r"(size)
                     : "r"(value)
                     : "memory", "cc");
}

static int watching(void)
{
    for (turns = 0; turns < 3; turns++) { /* HERE: watching */
        unwatched += turns;
        watched = unwatched * 2;
    }
    unwatched = watched + 1; /* HERE: read */
    memset((void *)wide, 0x11, sizeof wide);
    __atomic_fetch_add(&watched, 5, __ATOMIC_SEQ_CST);
    set_memory((void *)wide, sizeof wide, 0x22);
    printf("watched %d\n", watched); /* HERE: watching-end */
    return 0;
}

static pthread_barrier_t barrier;

static void *worker(void *argument)
{
    char name[16];
    long number = (long)argument;
    snprintf(name, sizeof name, "worker-%ld", number);
    pthread_setname_np(pthread_self(), name);
    pthread_barrier_wait(&barrier);
    for (long i = 0; i < 1000; i++)
        atomic_fetch_add(&counter, 1); /* HERE: worker */
    pthread_barrier_wait(&barrier);
    return NULL;
}

static int threads(void)
{
    pthread_t list[4];
    pthread_barrier_init(&barrier, NULL, 5);
    for (long i = 0; i < 4; i++)
        pthread_create(&list[i], NULL, worker, (void *)i);
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
    for (int i = 0; i < 4; i++)
        pthread_join(list[i], NULL);
    printf("counter %d\n", counter); /* HERE: threads-end */
    return 0;
}

static volatile sig_atomic_t handled, seen_code;

static void handler(int signal, siginfo_t *info, void *context)
{
    (void)context;
    handled = signal; /* HERE: handler */
    seen_code = info->si_code;
}

static int signals(void)
{
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
    sigaction(SIGUSR1, &action, NULL);
    sigaction(SIGUSR2, &action, NULL);
    raise(SIGUSR1); /* HERE: signals */
    printf("handled %d\n", handled);
    raise(SIGUSR2);
    printf("handled %d\n", handled); /* HERE: signals-end */
    return 0;
}

__attribute__((noinline)) void crash_here(volatile int *p)
{
    *p = 1; /* HERE: crash */
}

static volatile int forever = 1;

static int spin(void)
{
    uint64_t sum = 0;
    puts("spinning");
    fflush(stdout);
    while (forever)
        sum += sum * 3 + 1; /* HERE: spin */
    printf("spun\n");
    return 0;
}

static int blocked(void)
{
    char byte;
    int fds[2];
    struct timespec start, end;
    if (pipe(fds) != 0)
        return 1;
    puts("blocking");
    fflush(stdout);
    clock_gettime(CLOCK_MONOTONIC, &start);
    int slept = usleep(700000); /* HERE: blocked */
    clock_gettime(CLOCK_MONOTONIC, &end);
    if (slept != 0)
        printf("usleep: %s\n", strerror(errno));
    ssize_t n = forever ? read(fds[0], &byte, 1) : write(fds[1], &byte, 1);
    printf("read %zd\n", n);
    return 0;
}

static int forks(void)
{
    fflush(stdout);
    int status;
    pid_t child = fork(); /* HERE: forks */
    if (child == 0)
        _exit(factorial(3) + 30);
    waitpid(child, &status, 0);
    printf("child %d\n", WEXITSTATUS(status));
    child = vfork();
    if (child == 0)
        _exit(factorial(3) + 40);
    waitpid(child, &status, 0);
    printf("child %d\n", WEXITSTATUS(status)); /* HERE: forks-end */
    return 0;
}

/** The same program again, with threads, of which another one than the first executes it. */
static void *execute(void *unused)
{
    (void)unused;
    execl("/proc/self/exe", "debugged again", "simple", NULL);
    return NULL;
}

static int executes(void)
{
    pthread_t thread;
    execl("/nowhere", "nowhere", NULL);
    factorial(2); /* HERE: executes */
    pthread_create(&thread, NULL, execute, NULL);
    pthread_join(thread, NULL);
    return 1;
}

/* Threads that compute, call, wait, signal and fork, until `finish` is set; none of them may notice a debugger. */
static volatile int finish, wrong;
static volatile long done[6];
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static void *compute(void *argument)
{
    (void)argument;
    while (!finish)
        done[0] += factorial(9) == 362880 ? 1 : wrong++;
    return NULL;
}

static void *call(void *argument)
{
    (void)argument;
    while (!finish) {
        pthread_mutex_lock(&mutex);
        wrong += getppid() <= 0;
        done[1]++;
        pthread_mutex_unlock(&mutex);
    }
    return NULL;
}

static void *wait_shortly(void *argument)
{
    struct pollfd nothing = {.fd = -1};
    (void)argument;
    while (!finish) {
        wrong += usleep(500) != 0;
        wrong += poll(&nothing, 1, 2) != 0;
        done[2]++;
    }
    return NULL;
}

static void *signal_itself(void *argument)
{
    sigset_t set;
    (void)argument;
    sigemptyset(&set);
    pthread_sigmask(SIG_SETMASK, &set, NULL);
    while (!finish) {
        handled = 0;
        raise(SIGUSR1);
        wrong += handled != SIGUSR1;
        done[3]++;
    }
    return NULL;
}

static void *fork_children(void *argument)
{
    int status;
    (void)argument;
    while (!finish) {
        pid_t child = fork();
        if (child == 0)
            _exit(factorial(3));
        wrong += waitpid(child, &status, 0) != child || WEXITSTATUS(status) != 6;
        done[4]++;
    }
    return NULL;
}

static int busy(void)
{
    static void *(*const functions[])(void *) = {compute, call, call, wait_shortly, signal_itself, fork_children};
    enum { COUNT = sizeof functions / sizeof functions[0] };
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
    pthread_t list[COUNT];
    sigset_t set;
    sigaction(SIGUSR1, &action, NULL);
    sigfillset(&set);
    pthread_sigmask(SIG_SETMASK, &set, NULL);
    for (int i = 0; i < COUNT; i++)
        pthread_create(&list[i], NULL, functions[i], NULL);
    for (int i = 0; i < COUNT; i++)
        pthread_join(list[i], NULL);
    bool all = true;
    for (int i = 0; i < 5; i++)
        all &= done[i] > 0;
    printf("wrong %d, all %d\n", wrong, all);
    return wrong || !all;
}

/** A counter with a load-exclusive and a store-exclusive, which has to come to an end when it is stepped through. */
__attribute__((noinline)) int exclusive(int *p)
{
    int value, failed;
    __asm__ volatile("1: ldaxr %w0, [%2]\n"
                     "   add %w0, %w0, #1\n"
                     "   stlxr %w1, %w0, [%2]\n"
                     "   cbnz %w1, 1b\n"
                     "   nop"
                     : "=&r"(value), "=&r"(failed)
                     : "r"(p)
                     : "memory");
    return value;
}

static int exclusives(void)
{
    int value = 41;
    exclusive(&value); /* HERE: exclusives */
    printf("value %d\n", value);
    return 0;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*function)(void);
    } cases[] = {
        {"simple", simple}, {"watching", watching}, {"threads", threads}, {"signals", signals},       {"spin", spin},
        {"blocked", blocked}, {"forks", forks},     {"exclusives", exclusives}, {"busy", busy},
        {"executes", executes},
    };
    if (argc > 1 && strcmp(argv[1], "crash") == 0)
        crash_here((int *)0x1234);
    for (size_t i = 0; argc > 1 && i < sizeof cases / sizeof cases[0]; i++) {
        if (strcmp(argv[1], cases[i].name) == 0)
            return cases[i].function();
    }
    return 1;
}

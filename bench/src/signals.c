/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Deliveries of signals, COUNT of one kind:  signals KIND COUNT */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static volatile sig_atomic_t arrived;
static char *page;

static void check(int good)
{
    if (!good) {
        perror("signals");
        exit(1);
    }
}

static void handle(int signal, void (*handler)(int, siginfo_t *, void *))
{
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
    check(sigaction(signal, &action, NULL) == 0);
}

static void count_one(int signal, siginfo_t *info, void *context)
{
    (void)signal, (void)info, (void)context;
    arrived++;
}

static void run_kill(long count)
{
    handle(SIGUSR1, count_one);
    for (long i = 0; i < count; i++)
        check(kill(getpid(), SIGUSR1) == 0);
    check(arrived == count);
}

/** Makes the page writable that could not be written to. */
static void repair(int signal, siginfo_t *info, void *context)
{
    (void)signal, (void)context;
    if ((char *)info->si_addr != page + 8)
        _exit(1);
    arrived++;
    mprotect(page, 4096, PROT_READ | PROT_WRITE);
}

static void run_fault(long count)
{
    handle(SIGSEGV, repair);
    page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    check(page != MAP_FAILED);
    for (long i = 0; i < count; i++) {
        *(volatile char *)(page + 8) = 1;
        check(mprotect(page, 4096, PROT_READ) == 0);
    }
    check(arrived == count);
}

static pthread_t players[2];
static long rounds;

/** Each one's signal is answered by the other's, until there were enough. */
static void return_it(int signal, siginfo_t *info, void *context)
{
    (void)info, (void)context;
    if (++arrived < rounds)
        pthread_kill(players[signal == SIGUSR1], signal == SIGUSR1 ? SIGUSR2 : SIGUSR1);
}

static void *play(void *mask)
{
    (void)mask;
    sigset_t all;
    sigfillset(&all);
    sigset_t mine = all;
    sigdelset(&mine, SIGUSR2);
    while (arrived < rounds)
        sigsuspend(&mine);
    pthread_kill(players[0], SIGURG);
    return NULL;
}

static void run_pingpong(long count)
{
    sigset_t all, mine;
    rounds = count;
    handle(SIGUSR1, return_it);
    handle(SIGUSR2, return_it);
    handle(SIGURG, count_one);
    sigfillset(&all);
    mine = all;
    sigdelset(&mine, SIGUSR1);
    sigdelset(&mine, SIGURG);
    pthread_sigmask(SIG_SETMASK, &all, NULL);
    players[0] = pthread_self();
    check(pthread_create(&players[1], NULL, play, NULL) == 0);
    pthread_kill(players[1], SIGUSR2);
    while (arrived < rounds)
        sigsuspend(&mine);
    pthread_kill(players[1], SIGUSR2);
    pthread_join(players[1], NULL);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(long count);
    } kinds[] = {{"kill", run_kill}, {"fault", run_fault}, {"pingpong", run_pingpong}};
    for (size_t i = 0; argc == 3 && i < sizeof kinds / sizeof *kinds; i++) {
        if (strcmp(argv[1], kinds[i].name) == 0) {
            kinds[i].run(atol(argv[2]));
            return 0;
        }
    }
    return 2;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is killed, cut off or over while somebody else depends on it: a vfork child in the middle of work on its parent's memory,
 * the file that code lies in, a thread that a signal has reached.
 */
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "check.h"

#define PAGE 4096

static volatile int over;

/* ---- a vfork child is killed anywhere ------------------------------------------------------------------------------------------ */

static pid_t victim;

static void *kill_victims(void *unused)
{
    unsigned seed = 1;
    while (!over) {
        pid_t pid = __atomic_exchange_n(&victim, 0, __ATOMIC_SEQ_CST);
        if (!pid) {
            sched_yield();
            continue;
        }
        seed = seed * 1103515245 + 12345;
        nanosleep(&(struct timespec){0, (seed >> 8) % 300000}, NULL);
        kill(pid, SIGKILL);
    }
    return unused;
}

/* New code again and again, mappings, actions: all that is done under a lock. */
static void work_for_ever(uint32_t *code)
{
    for (;;) {
        for (int i = 0; i < 64; i++)
            code[i] = 0x91000400; /* add x0, x0, #1 */
        code[64] = 0xd65f03c0;    /* ret */
        __builtin___clear_cache((char *)code, (char *)(code + 65));
        ((uint64_t(*)(uint64_t))code)(1);
        char *page = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        mprotect(page, PAGE, PROT_READ | PROT_EXEC);
        munmap(page, 2 * PAGE);
        signal(SIGUSR1, SIG_IGN);
        signal(SIGUSR1, SIG_DFL);
    }
}

static void killed_children(void)
{
    uint32_t *code = mmap(NULL, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    pthread_t killer;
    over = 0;
    CHECK(pthread_create(&killer, NULL, kill_victims, NULL) == 0);
    for (volatile int i = 0; i < 200; i++) {
        int status;
        pid_t pid = vfork();
        if (pid == 0) {
            __atomic_store_n(&victim, getpid(), __ATOMIC_SEQ_CST);
            work_for_ever(code);
        }
        CHECK(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    }
    over = 1;
    pthread_join(killer, NULL);
}

/* ---- threads end while another one waits for its vfork child ------------------------------------------------------------------- */

static void *end_at_once(void *unused) { return unused; }

static void *come_and_go(void *unused)
{
    while (!over) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, end_at_once, NULL) == 0)
            pthread_join(thread, NULL);
    }
    return unused;
}

static void children_among_threads(void)
{
    pthread_t others[2];
    over = 0;
    for (int i = 0; i < 2; i++)
        pthread_create(&others[i], NULL, come_and_go, NULL);
    for (int i = 0; i < 100; i++) {
        int status;
        pid_t pid = vfork();
        if (pid == 0)
            _exit(i);
        CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == i);
    }
    over = 1;
    for (int i = 0; i < 2; i++)
        pthread_join(others[i], NULL);
}

/* ---- the file that code lies in is cut off -------------------------------------------------------------------------------------- */

static sigjmp_buf back;
static siginfo_t got;
static int file;

static void on_fault(int signal, siginfo_t *info, void *context)
{
    (void)context;
    got = *info;
    siglongjmp(back, signal);
}

static void fill(void)
{
    uint32_t page[PAGE / 4];
    for (int i = 0; i < PAGE / 4; i++)
        page[i] = 0xd503201f; /* nop */
    page[PAGE / 4 - 1] = 0xd65f03c0;
    for (int i = 0; i < 4; i++)
        CHECK(pwrite(file, page, PAGE, i * PAGE) == PAGE);
}

static void *cut(void *unused)
{
    while (!over) {
        CHECK(ftruncate(file, 0) == 0);
        usleep(100);
        fill();
        usleep(100);
    }
    return unused;
}

static void cut_files(void)
{
    static const int signals[] = {SIGBUS, SIGSEGV, SIGILL};
    for (int i = 0; i < 3; i++)
        sigaction(signals[i], &(struct sigaction){.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_NODEFER}, NULL);
    file = memfd_create("code", 0);
    fill();
    char *code = mmap(NULL, 4 * PAGE, PROT_READ | PROT_EXEC, MAP_SHARED, file, 0);
    CHECK(ftruncate(file, PAGE) == 0);
    int signal = sigsetjmp(back, 1);
    if (signal == 0)
        ((void (*)(void))(code + 2 * PAGE))();
    CHECK_EQ(signal, SIGBUS);
    CHECK_EQ(got.si_code, BUS_ADRERR);
    CHECK(got.si_addr == code + 2 * PAGE);
    /* Into a page that is not there, from one that is. */
    static const uint32_t nop = 0xd503201f;
    CHECK(pwrite(file, &nop, 4, PAGE - 4) == 4);
    __builtin___clear_cache(code, code + PAGE);
    signal = sigsetjmp(back, 1);
    if (signal == 0)
        ((void (*)(void))(code + PAGE - 8))();
    CHECK_EQ(signal, SIGBUS);
    CHECK(got.si_addr == code + PAGE);

    pthread_t cutter;
    volatile int faults = 0;
    over = 0;
    fill();
    pthread_create(&cutter, NULL, cut, NULL);
    for (volatile int i = 0; i < 5000; i++) {
        if (sigsetjmp(back, 1) == 0)
            ((void (*)(void))(code + (i % 16 * 1000 & ~3)))();
        else
            faults++;
        __builtin___clear_cache(code, code + 4 * PAGE);
    }
    over = 1;
    pthread_join(cutter, NULL);
    for (int i = 0; i < 3; i++)
        sigaction(signals[i], &(struct sigaction){.sa_handler = SIG_DFL}, NULL);
}

/* ---- no signal is lost with the thread that it has reached ----------------------------------------------------------------------- */

static int taken;

static void count_signal(int signal)
{
    (void)signal;
    __atomic_add_fetch(&taken, 1, __ATOMIC_SEQ_CST);
}

static void *short_life(void *unused)
{
    for (volatile int i = 0; i < 200; i++)
        ;
    return unused;
}

static void *send_one_by_one(void *unused)
{
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, NULL);
    for (int i = 0; i < 3000; i++) {
        int before = __atomic_load_n(&taken, __ATOMIC_SEQ_CST);
        kill(getpid(), SIGUSR2);
        time_t end = time(NULL) + 10;
        while (__atomic_load_n(&taken, __ATOMIC_SEQ_CST) == before && time(NULL) < end)
            sched_yield();
        if (__atomic_load_n(&taken, __ATOMIC_SEQ_CST) == before)
            break;
    }
    over = 1;
    return unused;
}

static void signals_to_ending_threads(void)
{
    pthread_t sender;
    sigset_t set, old;
    over = 0;
    sigaction(SIGUSR2, &(struct sigaction){.sa_handler = count_signal, .sa_flags = SA_RESTART}, NULL);
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    pthread_create(&sender, NULL, send_one_by_one, NULL);
    while (!over) {
        /* This thread takes none: those that begin and end do, and now and then the signal waits for the next one. */
        pthread_t thread;
        pthread_create(&thread, NULL, short_life, NULL);
        pthread_sigmask(SIG_BLOCK, &set, &old);
        pthread_join(thread, NULL);
        pthread_sigmask(SIG_SETMASK, &old, NULL);
    }
    pthread_join(sender, NULL);
    CHECK_EQ(taken, 3000);
}

int main(void)
{
    killed_children();
    children_among_threads();
    cut_files();
    signals_to_ending_threads();
    return check_result();
}

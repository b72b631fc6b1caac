/* SPDX-License-Identifier: GPL-2.0-or-later */
/* System calls, COUNT of one kind:  calls KIND COUNT */
#include <fcntl.h>
#include <linux/futex.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static void check(int good)
{
    if (!good) {
        perror("calls");
        exit(1);
    }
}

static void run_getppid(long count)
{
    for (long i = 0; i < count; i++)
        check(syscall(SYS_getppid) > 0);
}

static void run_read(long count)
{
    char buffer[64];
    int zero = open("/dev/zero", O_RDONLY);
    check(zero >= 0);
    for (long i = 0; i < count; i++)
        check(read(zero, buffer, sizeof buffer) == sizeof buffer);
}

/** A write and a read for each two of them. */
static void run_pipe(long count)
{
    char buffer[64] = "";
    int ends[2];
    check(pipe(ends) == 0);
    for (long i = 0; i < count; i += 2) {
        check(write(ends[1], buffer, sizeof buffer) == sizeof buffer);
        check(read(ends[0], buffer, sizeof buffer) == sizeof buffer);
    }
}

static void run_futex(long count)
{
    uint32_t word = 0;
    for (long i = 0; i < count; i++)
        check(syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0) == 0);
}

/** By the vDSO where there is one. */
static void run_clock(long count)
{
    struct timespec before = {0}, now;
    for (long i = 0; i < count; i++) {
        check(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
        check(now.tv_sec > before.tv_sec || (now.tv_sec == before.tv_sec && now.tv_nsec >= before.tv_nsec));
        before = now;
    }
}

static void run_open(long count)
{
    for (long i = 0; i < count; i += 2) {
        int fd = open("/dev/null", O_RDONLY);
        check(fd >= 0 && close(fd) == 0);
    }
}

static void run_stat(long count)
{
    struct stat status;
    for (long i = 0; i < count; i++)
        check(stat("/dev/null", &status) == 0 && S_ISCHR(status.st_mode));
}

/** A page comes, is written to, and goes. */
static void run_mmap(long count)
{
    for (long i = 0; i < count; i += 2) {
        char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        check(page != MAP_FAILED);
        *page = 1;
        check(munmap(page, 4096) == 0);
    }
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(long count);
    } kinds[] = {
        {"getppid", run_getppid}, {"read", run_read}, {"pipe", run_pipe}, {"futex", run_futex},
        {"clock", run_clock},     {"open", run_open}, {"stat", run_stat}, {"mmap", run_mmap},
    };
    for (size_t i = 0; argc == 3 && i < sizeof kinds / sizeof *kinds; i++) {
        if (strcmp(argv[1], kinds[i].name) == 0) {
            kinds[i].run(atol(argv[2]));
            return 0;
        }
    }
    return 2;
}

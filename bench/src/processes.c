/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Processes that come and go, COUNT of one kind:  processes KIND COUNT */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void check(int good)
{
    if (!good) {
        perror("processes");
        exit(1);
    }
}

static void run_fork(long count)
{
    for (long i = 0; i < count; i++) {
        pid_t child = fork();
        if (child == 0)
            _exit((int)(i & 63));
        int status;
        check(child > 0 && waitpid(child, &status, 0) == child && WEXITSTATUS(status) == (i & 63));
    }
}

static void *nothing(void *opaque) { return opaque; }

static void run_thread(long count)
{
    for (long i = 0; i < count; i++) {
        pthread_t thread;
        check(pthread_create(&thread, NULL, nothing, NULL) == 0 && pthread_join(thread, NULL) == 0);
    }
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(long count);
    } kinds[] = {{"fork", run_fork}, {"thread", run_thread}};
    for (size_t i = 0; argc == 3 && i < sizeof kinds / sizeof *kinds; i++) {
        if (strcmp(argv[1], kinds[i].name) == 0) {
            kinds[i].run(atol(argv[2]));
            return 0;
        }
    }
    return 2;
}

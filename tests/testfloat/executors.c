/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/testfloat/executors.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PATIENCE_MS = 60000 };

bool executor_start(struct executor *e)
{
    int in[2], out[2];
    signal(SIGPIPE, SIG_IGN);
    if (pipe(in) < 0 || pipe(out) < 0 || (e->process = fork()) < 0) {
        fprintf(stderr, "testfloat: no process for %s: %s\n", e->command, strerror(errno));
        return false;
    }
    if (e->process == 0) {
        signal(SIGPIPE, SIG_DFL);
        dup2(in[0], STDIN_FILENO);
        dup2(out[1], STDOUT_FILENO);
        for (int i = 3; i < 64; i++) /* those of the other executors too: each must see the end of its input */
            close(i);
        execl("/bin/sh", "sh", "-c", e->command, (char *)NULL);
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    e->to = in[1];
    e->from = out[0];
    return true;
}

void executor_stop(struct executor *e)
{
    if (e->process <= 0)
        return;
    close(e->to);
    close(e->from);
    kill(e->process, SIGKILL);
    waitpid(e->process, NULL, 0);
    e->process = 0;
}

static bool transfer_out(const struct executor *e, const void *from, size_t n)
{
    for (ssize_t put; n; from = (const char *)from + put, n -= (size_t)put)
        if ((put = write(e->to, from, n)) <= 0)
            return false;
    return true;
}

bool executor_send(const struct executor *e, const struct job *job, const struct input *inputs, size_t n)
{
    return transfer_out(e, job, sizeof *job) && transfer_out(e, inputs, n * sizeof *inputs);
}

bool executor_receive(const struct executor *e, struct output *outputs, size_t n)
{
    struct pollfd wait = {.fd = e->from, .events = POLLIN};
    char *to = (char *)outputs;
    n *= sizeof *outputs;
    for (ssize_t got; n; to += got, n -= (size_t)got)
        if (poll(&wait, 1, PATIENCE_MS) <= 0 || (got = read(e->from, to, n)) <= 0)
            return false;
    return true;
}

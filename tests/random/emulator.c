/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/random/machines.h"

enum { PATIENCE_MS = 20000 };

static bool transfer_out(struct emulator *e, const void *from, size_t n)
{
    for (ssize_t put; n; from = (const char *)from + put, n -= (size_t)put)
        if ((put = write(e->to, from, n)) <= 0)
            return false;
    return true;
}

static bool transfer_in(struct emulator *e, void *to, size_t n)
{
    struct pollfd wait = {.fd = e->from, .events = POLLIN};
    for (ssize_t got; n; to = (char *)to + got, n -= (size_t)got)
        if (poll(&wait, 1, PATIENCE_MS) <= 0 || (got = read(e->from, to, n)) <= 0)
            return false;
    return true;
}

bool emulator_start(struct emulator *e, char error[256])
{
    int in[2], out[2];
    signal(SIGPIPE, SIG_IGN);
    if (pipe(in) < 0 || pipe(out) < 0 || (e->process = fork()) < 0) {
        snprintf(error, 256, "no process for the emulator: %s", strerror(errno));
        return false;
    }
    if (e->process == 0) {
        signal(SIGPIPE, SIG_DFL);
        dup2(in[0], STDIN_FILENO);
        dup2(out[1], STDOUT_FILENO);
        for (int i = 0; i < 2; i++) {
            close(in[i]);
            close(out[i]);
        }
        execl("/bin/sh", "sh", "-c", e->command, (char *)NULL);
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    e->to = in[1];
    e->from = out[0];
    if (transfer_out(e, e->initial_ram, RAM_BYTES))
        return true;
    snprintf(error, 256, "the emulator did not start: %s", e->command);
    emulator_stop(e);
    return false;
}

void emulator_stop(struct emulator *e)
{
    if (e->process > 0) {
        close(e->to);
        close(e->from);
        kill(e->process, SIGKILL);
        waitpid(e->process, NULL, 0);
    }
    e->process = 0;
}

bool emulator_send(struct emulator *e, const struct request *request)
{
    return transfer_out(e, request, sizeof *request);
}

bool emulator_receive(struct emulator *e, struct outcome *outcome)
{
    return transfer_in(e, outcome, OUTCOME_HEAD) && outcome->nchanges <= RAM_BYTES / 8 &&
           transfer_in(e, outcome->changes, outcome->nchanges * sizeof outcome->changes[0]);
}

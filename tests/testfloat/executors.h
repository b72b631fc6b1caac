/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Processes that run guest.c. */
#ifndef DRAGOMAN_TESTS_TESTFLOAT_EXECUTORS_H
#define DRAGOMAN_TESTS_TESTFLOAT_EXECUTORS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "tests/testfloat/exchange.h"

struct executor {
    const char *command; /* of a shell */
    bool foreign;        /* it is not this project's */
    pid_t process;
    int to, from;
};

/** False with a message on stderr. */
bool executor_start(struct executor *e);
void executor_stop(struct executor *e);
bool executor_send(const struct executor *e, const struct job *job, const struct input *inputs, size_t n);
/** Waits for the outputs, for a minute at most. */
bool executor_receive(const struct executor *e, struct output *outputs, size_t n);

#endif

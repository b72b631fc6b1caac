/* SPDX-License-Identifier: GPL-2.0-or-later */
/* For the guest test programs: each checks itself and ends with status 0 when every check held. */
#ifndef DRAGOMAN_TESTS_GUESTS_CHECK_H
#define DRAGOMAN_TESTS_GUESTS_CHECK_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int check_failures;

#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            printf("%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                                             \
            fflush(stdout);                                                                                            \
            if (++check_failures > 20)                                                                                 \
                _Exit(1);                                                                                              \
        }                                                                                                              \
    } while (0)

#define CHECK_EQ(a, b)                                                                                                 \
    do {                                                                                                               \
        unsigned long long check_a = (unsigned long long)(a), check_b = (unsigned long long)(b);                       \
        if (check_a != check_b) {                                                                                      \
            printf("%s:%d: %s is %#llx, not %#llx\n", __FILE__, __LINE__, #a, check_a, check_b);                       \
            fflush(stdout);                                                                                            \
            if (++check_failures > 20)                                                                                 \
                _Exit(1);                                                                                              \
        }                                                                                                              \
    } while (0)

static inline int check_result(void)
{
    puts(check_failures ? "failed" : "ok");
    return check_failures != 0;
}

#endif

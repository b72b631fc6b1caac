/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where the emulator that serves for comparison is known to be wrong, or free to differ. The manual wins. */
#ifndef DRAGOMAN_TESTS_RANDOM_KNOWN_H
#define DRAGOMAN_TESTS_RANDOM_KNOWN_H

#include "tests/random/exchange.h"
#include "tests/random/generate.h"

/** NULL, or why the emulator's result is not to be compared for the sequence started in this state. */
const char *known_difference(const struct sequence *s, const struct state *start);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What main.c, on the host, and guest.c, an ARM program under a translator, an emulator or on a real CPU, say to each
 * other over a pair of pipes: a struct job and its struct input, and back a struct output for each of them. An
 * instruction is executed for each input, under as many values of FPCR as there are parts, one after the other.
 */
#ifndef DRAGOMAN_TESTS_TESTFLOAT_EXCHANGE_H
#define DRAGOMAN_TESTS_TESTFLOAT_EXCHANGE_H

#include <stdint.h>

enum { INPUTS_MAX = 16384, PARTS_MAX = 32 };

struct job {
    uint32_t word, nparts;
    struct {
        uint32_t fpcr, n; /* inputs */
    } parts[PARTS_MAX];
};

struct input {
    uint64_t v[3][2]; /* V0 (its low half is X3, too), V1, V2 */
};

struct output {
    uint64_t v2[2], x4, status; /* FPSR and NZCV, both of which were zero, X4 too */
};

#endif

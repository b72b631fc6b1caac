/* SPDX-License-Identifier: GPL-2.0-or-later */
/* For the benchmark programs: a fixed stream of numbers, and a checksum that native and guest must print alike. */
#ifndef DRAGOMAN_BENCH_H
#define DRAGOMAN_BENCH_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static inline uint64_t next_random(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

static inline uint64_t double_bits(double d)
{
    uint64_t bits;
    memcpy(&bits, &d, sizeof(bits));
    return bits;
}

static inline int finish(uint64_t checksum)
{
    printf("%016llx\n", (unsigned long long)checksum);
    return 0;
}

#endif

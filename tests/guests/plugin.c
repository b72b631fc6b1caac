/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The shared object of loaded.c, built with two values of VALUE. */
#include <stdint.h>
static uint64_t counter = VALUE;
static __thread uint64_t per_thread = VALUE * 2;
uint64_t plugin(uint64_t x);
uint64_t plugin(uint64_t x)
{
    counter++;
    per_thread += 3;
    return x * VALUE + (counter - VALUE) * 1000 + (per_thread - VALUE * 2) / 3;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What Linux tells a program about the CPU's features. */
#ifndef DRAGOMAN_MACHINE_LINUX_HWCAP_H
#define DRAGOMAN_MACHINE_LINUX_HWCAP_H

#include <stdint.h>
#include <stdio.h>

/** AT_HWCAP (word 0) or AT_HWCAP2 (word 1) of a CPU with these features (1 << enum a64_feature). */
uint64_t hwcap_word(uint64_t features, unsigned word);
/** The same as names, each after a blank, as in /proc/cpuinfo. */
void hwcap_print(FILE *out, uint64_t features);

#endif

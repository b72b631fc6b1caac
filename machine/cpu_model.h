/* SPDX-License-Identifier: GPL-2.0-or-later */
/* CPU models: what -cpu NAME[,PROPERTY=on|off]... chooses. Names of models and properties are QEMU's where QEMU has them. */
#ifndef DRAGOMAN_MACHINE_CPU_MODEL_H
#define DRAGOMAN_MACHINE_CPU_MODEL_H

#include <stdbool.h>
#include <stdint.h>

struct cpu_model {
    uint64_t features; /* 1 << enum a64_feature */
    uint32_t midr;     /* MIDR_EL1 */
};

/** -cpu max */
struct cpu_model cpu_model_default(void);
/** False after a message on stderr. */
bool cpu_model_parse(const char *text, struct cpu_model *model);
/** Prints models and properties. */
void cpu_model_help(void);

#endif

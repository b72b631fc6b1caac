/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The ways to run a sequence that are compared: this project's translator in several modes, in this process, and an
   emulator (or any other ARM CPU) in a process that runs guest.c. */
#ifndef DRAGOMAN_TESTS_RANDOM_MACHINES_H
#define DRAGOMAN_TESTS_RANDOM_MACHINES_H

#include <stdbool.h>
#include <sys/types.h>

#include "frontend/a64/cpu.h"
#include "tests/random/exchange.h"
#include "tests/random/generate.h"
#include "translator/engine.h"

enum { REFERENCE, BLOCKS, REGIONS, INTERPRETER, MACHINES };
extern const char *const machine_names[MACHINES];

struct machines {
    struct engine *engines[MACHINES];
    struct a64_cpu *cpus[MACHINES];
    uint32_t *code; /* writable */
    uint64_t *ram;  /* at RAM_BASE */
    uint64_t *initial_ram;
};

/** False with a message in `error`. One a process: the guest's addresses are fixed, and signal handlers are installed.
 */
bool machines_create(struct machines *m, const uint64_t *initial_ram, char error[256]);
void machines_destroy(struct machines *m);
/** To be called once for a sequence, before machine_run(). */
void machines_load(struct machines *m, const struct sequence *s);
void machine_run(struct machines *m, unsigned number, const struct state *start, struct outcome *outcome);

/** A process that runs guest.c. */
struct emulator {
    const char *command; /* of a shell; NULL: there is none */
    const uint64_t *initial_ram;
    pid_t process;
    int to, from;
};

/** Starts it; false with a message in `error`. */
bool emulator_start(struct emulator *e, char error[256]);
void emulator_stop(struct emulator *e);
/** Sends a request; the outcomes are then read one by one. False: it has died, or does not answer. */
bool emulator_send(struct emulator *e, const struct request *request);
bool emulator_receive(struct emulator *e, struct outcome *outcome);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The passes over a region that was built, in one table: what -accel, -d ir and the tests know of them. */
#ifndef DRAGOMAN_TRANSLATOR_PASSES_H
#define DRAGOMAN_TRANSLATOR_PASSES_H

#include "translator/ir.h"

/** Which passes run: each has its switch. */
struct pass_options {
    bool dce, flags;
};

struct ir_pass {
    const char *name; /* of its switch, and in tests */
    const char *help; /* what is so when it is on */
    bool (*run)(struct ir *ir); /* true: something may have changed, blocks need their order anew */
    size_t option;    /* place of its switch in struct pass_options */
    bool hot;         /* for hot regions only */
};

/** In the order in which they run; `name` NULL ends. */
extern const struct ir_pass ir_passes[];

/** Is told of each pass that was run. */
typedef void ir_pass_done(void *opaque, const struct ir_pass *pass);
/** Runs those that are switched on. The order of the blocks is computed again where it has to be. */
void passes_run(struct ir *ir, const struct pass_options *options, bool hot, ir_pass_done *done, void *opaque);
/** A bit for each switch that is on. */
uint64_t passes_identity(const struct pass_options *options);

#endif

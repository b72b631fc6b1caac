/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "translator/passes.h"

#include <stddef.h>

static bool remove_dead_code(struct ir *ir)
{
    pass_dead_code(ir);
    return true;
}

#define ON(field) offsetof(struct pass_options, field)
const struct ir_pass ir_passes[] = {
    {"dce", "dead code is removed", remove_dead_code, ON(dce), false},
    {"flags", "flags that meet are said of their operands", pass_flags, ON(flags), true},
    {NULL, NULL, NULL, 0, false},
};

static bool is_on(const struct pass_options *options, const struct ir_pass *pass)
{
    return *(const bool *)((const char *)options + pass->option);
}

void passes_run(struct ir *ir, const struct pass_options *options, bool hot, ir_pass_done *done, void *opaque)
{
    bool changed = false;
    for (const struct ir_pass *pass = ir_passes; pass->name; pass++) {
        if (!is_on(options, pass) || (pass->hot && !hot) || !pass->run(ir))
            continue;
        pass_order(ir);
        done(opaque, pass);
        changed |= pass->hot;
    }
    if (changed && options->dce) { /* what they have made superfluous */
        ir_passes[0].run(ir);
        pass_order(ir);
        done(opaque, &ir_passes[0]);
    }
}

uint64_t passes_identity(const struct pass_options *options)
{
    uint64_t bits = 0;
    for (const struct ir_pass *pass = ir_passes; pass->name; pass++)
        bits = bits << 1 | is_on(options, pass);
    return bits;
}

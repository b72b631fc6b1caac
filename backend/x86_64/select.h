/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The passes of one compilation in their order: select_operations(), allocate_registers(), then emit.c. */
#ifndef DRAGOMAN_BACKEND_X86_64_SELECT_H
#define DRAGOMAN_BACKEND_X86_64_SELECT_H

#include <stdbool.h>
#include <stdint.h>

#include "translator/ir.h"

struct emit;

/** Clears e->values and decides which operations are aliases, folded or constants (select.c). */
void select_operations(struct emit *e);
/** Gives every value a place (allocate.c). False: more values than spill slots. */
bool allocate_registers(struct emit *e);
/** The same for a cold block, in a fraction of the time (allocate_block.c). False, with nothing changed: not possible. */
bool allocate_block(struct emit *e);
/** Bit masks of the registers whose values live across instruction `ref`. Slow: for calls. */
void allocation_live_across(const struct emit *e, ir_ref ref, uint32_t *gprs, uint32_t *xmms);
/** The GETs that are loaded at the start of `block` (not of the entry block, where those stand that no other block has). */
ir_ref allocation_first_get(const struct emit *e, uint32_t block);
ir_ref allocation_next_get(const struct emit *e, ir_ref get);
bool allocation_get_is_elsewhere(const struct emit *e, ir_ref get);
void allocation_free(struct emit *e);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the printer and the parser of the IR's text form share: the words for `mode`. */
#ifndef DRAGOMAN_TRANSLATOR_IR_TEXT_H
#define DRAGOMAN_TRANSLATOR_IR_TEXT_H

#include "translator/ir.h"

/* insn.mode as words: one of `names` for the bits of `mask`, then the names of single bits. */
struct ir_mode_text {
    const char *const *names; /* nnames of them, some NULL; NULL: no choice */
    uint8_t nnames, mask;
    struct {
        uint8_t bit; /* 0: none */
        const char *name;
    } bits[2];
};
/** Never NULL; for operations without words all is empty and mode is written as a number. */
const struct ir_mode_text *ir_mode_text(enum ir_op op);

extern const char *const ir_type_text[IR_TYPE_COUNT];

#endif

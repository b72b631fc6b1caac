/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How each row of the A64 decode table is translated, found out by translating: random words of the row go through the
 * builder, with FPCR at its default and with the bits that ask for exact helpers, and the IR tells.
 */
#ifndef DRAGOMAN_TESTS_A64_COVERAGE_H
#define DRAGOMAN_TESTS_A64_COVERAGE_H

#include <string.h>

#include "frontend/a64/cpu.h"
#include "frontend/a64/decode.h"
#include "translator/builder.h"

/* In order of what they cost; a row is the worst of its words. */
enum coverage {
    COVERAGE_TRAP,         /* nothing but an exception: SVC, BRK, what EL0 may not do */
    COVERAGE_INLINE,       /* IR operations only, always */
    COVERAGE_INLINE_FPCR,  /* … with FPCR.FZ, DN, FZ16 and AHP clear, else a helper */
    COVERAGE_RARE_HELPER,  /* a helper in a block that is left out in general */
    COVERAGE_HELPER,       /* a helper each time */
    COVERAGE_UNTRANSLATED, /* allocated, raises SIGILL */
    COVERAGE_COUNT
};
static const char *const coverage_names[COVERAGE_COUNT] = {
    "exception", "inline",        "inline; helper with FPCR.FZ, DN, FZ16 or AHP", "helper on a rare path",
    "helper",    "not translated"};

enum { COVERAGE_WORDS = 64 };

/* Where a row stands and what it is called, in the order of a64_rows. */
struct coverage_source {
    const char *file, *name, *feature;
};
static const struct coverage_source coverage_sources[] = {
#define INSN(name, pattern, feature, function) {__FILE__, #name, #feature},
#define NONE(name, pattern, feature) {__FILE__, #name, #feature},
#include "frontend/a64/a64.inc"
#undef INSN
#undef NONE
};

static inline const uint8_t *coverage_fetch(void *opaque, uint64_t pc, uint64_t *end)
{
    *end = pc + 4;
    return opaque;
}

static inline enum coverage ir_coverage(const struct ir *ir)
{
    enum coverage result = COVERAGE_TRAP;
    for (uint32_t i = 0; i < ir->nblocks; i++)
        for (uint32_t k = ir->blocks[i].first; k < ir->blocks[i].end; k++) {
            const struct ir_insn *insn = &ir->insns[k];
            bool undefined = insn->op == IR_EXIT_TRAP && insn->mode != TRAP_CACHE && insn->mode != TRAP_RESYNC;
            enum coverage here = insn->op == IR_CALL               ? i ? COVERAGE_RARE_HELPER : COVERAGE_HELPER
                                 : (ir_leaves(insn) && !undefined) ? COVERAGE_INLINE
                                                                   : COVERAGE_TRAP;
            if (here > result)
                result = here;
        }
    return result;
}

static inline enum coverage word_coverage(struct builder *b, struct ir *ir, struct a64_cpu *cpu, uint32_t word,
                                          bool exact)
{
    const uint64_t pc = 0x10000;
    a64_write_fpcr(cpu, exact ? 1u << 24 | 1u << 25 : 0);
    b->fetch = coverage_fetch;
    b->fetch_opaque = &word;
    ir_reset(ir);
    builder_begin(b, ir, &cpu->cpu, a64_isa.translation_key(&cpu->cpu), &pc, 1);
    builder_begin_block(b, 0);
    builder_insn(b);
    a64_isa.translate(b);
    if (!builder_ended(b))
        builder_fall_through(b);
    builder_finish(b);
    pass_dead_code(ir);
    return ir_coverage(ir);
}

/** The state of every row, in the order of a64_rows. */
static inline void find_coverage(enum coverage *states)
{
    static const struct builder_options options = {.fold = true, .number = true, .state = true};
    struct builder *b = builder_new(&a64_isa, &options);
    static struct a64_cpu cpu;
    struct ir ir;
    ir_init(&ir);
    /* All there is, with the algorithm of pointer authentication that is the default. */
    const uint64_t qarma = UINT64_C(1) << A64_FEAT_PACQARMA5 | UINT64_C(1) << A64_FEAT_PACQARMA3;
    a64_cpu_reset(&cpu, a64_features_supported() & ~qarma);
    uint64_t random = 1;
    for (size_t i = 0; i < a64_row_count; i++) {
        states[i] = a64_rows[i].translate ? COVERAGE_TRAP : COVERAGE_UNTRANSLATED;
        for (unsigned n = 0; a64_rows[i].translate && n < COVERAGE_WORDS; n++) {
            uint32_t word = a64_random_word(&a64_rows[i], &random);
            enum coverage plain = word_coverage(b, &ir, &cpu, word, false);
            if (plain == COVERAGE_INLINE && word_coverage(b, &ir, &cpu, word, true) >= COVERAGE_RARE_HELPER)
                plain = COVERAGE_INLINE_FPCR;
            if (plain > states[i])
                states[i] = plain;
        }
    }
    ir_free(&ir);
    builder_free(b);
}

#endif

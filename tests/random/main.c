/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Random testing of the A64 frontend and both backends: every row of the decode table in turn, alone and in sequences
 * of up to 20 instructions, with operands that lie where something happens, runs
 *
 *   - one instruction at a time without any optimization ("reference"), as optimized blocks, as hot regions, and by the
 *     interpreter, all in this process (machines.c);
 *   - by an emulator, or any ARM CPU, that runs guest.c (emulator.c);
 *
 * and all must agree about registers, flags, FPCR, FPSR, memory, and where it ended and why. What fails is shrunk:
 * fewer instructions, simpler operands; and printed. known.c says where the emulator is wrong. tests/random/run starts
 * it all.
 */
#include <capstone/capstone.h>
#include <fnmatch.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/random/coverage.h"
#include "tests/random/generate.h"
#include "tests/random/known.h"
#include "tests/random/machines.h"

enum { WARM_RUNS = 4, REPORTS_PER_ROW = 2 };

struct options {
    uint64_t seed, first, count;
    double seconds;
    unsigned length, failures;
    const char *rows, *emulator;
    bool coverage; /* of each row, in the summary */
};

struct trial { /* a sequence in one state */
    struct sequence sequence;
    struct state start;
};

/* Whether the emulator's result is what must be; if not, why. */
enum authority { AUTHORITATIVE, KNOWN_TO_DIFFER, ALIGNMENT, PARTIAL, LACKING, NOT_THERE, AUTHORITIES };
static const char *const authority_names[AUTHORITIES] = {
    [AUTHORITATIVE] = "compared with the emulator",
    [KNOWN_TO_DIFFER] = "where it is known to differ",
    [ALIGNMENT] =
        "ended at unaligned addresses: it does not check the stack pointer, and has limits of its own for atomics",
    [PARTIAL] = "ended in the middle of an instruction that may have been done in part",
    [LACKING] = "used a feature that it lacks",
    [NOT_THERE] = "without it",
};

struct session {
    struct options options;
    struct machines machines;
    struct emulator emulator;
    csh capstone;
    const struct a64_row **rows;
    unsigned nrows, *failed; /* by row */
    struct coverage coverage;
    uint64_t initial_ram[RAM_BYTES / 8];
    struct outcome results[STATES_MAX][MACHINES], wanted[STATES_MAX];
    uint64_t cases, runs, compared[AUTHORITIES], deaths, failures;
};

/* ---- comparison -------------------------------------------------------------------------------------------------- */

static bool is_fault(uint32_t sig)
{
    return sig == SIGSEGV || sig == SIGBUS;
}

/** Memory is not compared after a fault if `foreign`: how much of a multiple store was done is the implementation's. */
static bool same_outcome(const struct outcome *a, const struct outcome *b, bool foreign)
{
    struct state x = a->state, y = b->state;
    bool fault = is_fault(x.signal) && is_fault(y.signal);
    if (fault)
        x.signal = y.signal = SIGSEGV; /* the host tells unaligned from unmapped in other ways */
    if (memcmp(&x, &y, sizeof x) != 0)
        return false;
    return (fault && foreign) ||
           (a->nchanges == b->nchanges && memcmp(a->changes, b->changes, a->nchanges * sizeof a->changes[0]) == 0);
}

/** The instruction that ended the run, 0 if that is not one of the sequence. */
static uint32_t last_word(const struct sequence *s, const struct outcome *outcome)
{
    uint64_t index = (outcome->state.pc - CODE_BASE) / 4;
    return index < s->n ? s->words[index] : 0;
}

static bool is_exclusive(uint32_t word, bool load)
{
    return (word & 0x3fc00000) == (load ? 0x08400000 : 0x08000000) && (word & 0x80200000) != 0x00200000;
}

/** A store-exclusive faults, being unaligned or of memory that can only be read: a load-exclusive that is translated
    with its store as one atomic operation faults for it. */
static bool faulted_early(const struct sequence *s, const struct outcome *got, const struct outcome *wanted)
{
    return is_fault(got->state.signal) && is_fault(wanted->state.signal) && is_exclusive(last_word(s, got), true) &&
           is_exclusive(last_word(s, wanted), false);
}

/** The machines that did not do what is wanted, bit by bit. */
static unsigned disagreeing(const struct sequence *s, const struct outcome results[MACHINES],
                            const struct outcome *wanted, bool foreign)
{
    unsigned mask = 0;
    for (unsigned i = 0; i < MACHINES; i++)
        if (!same_outcome(&results[i], wanted, foreign) && !faulted_early(s, &results[i], wanted))
            mask |= 1u << i;
    return mask;
}

/** A load of several registers, of which a fault leaves some UNKNOWN. */
static bool loads_several(uint32_t word)
{
    bool pair = (word & 0x3a400000) == 0x28400000, exclusive_pair = (word & 0xbf600000) == 0x88600000;
    bool structures = (word & 0xbe400000) == 0x0c400000;
    return pair || exclusive_pair || structures;
}

/** A memory copy or set, of which a fault leaves a part to be done that depends on the implementation: see CPYP. */
static bool is_copy(uint32_t word)
{
    return (word & 0x3b200c00) == 0x19000400;
}

static enum authority authority_of(const struct sequence *s, const struct state *start, const struct outcome *outcome,
                                   const struct outcome *ours)
{
    uint32_t word = last_word(s, outcome);
    const struct a64_row *row = a64_decode(word);
    if (known_difference(s, start))
        return KNOWN_TO_DIFFER;
    if (outcome->state.signal == SIGBUS || ours->state.signal == SIGBUS)
        return ALIGNMENT;
    if (outcome->state.signal == SIGSEGV && (loads_several(word) || is_copy(word)))
        return PARTIAL;
    if (outcome->state.signal == SIGSEGV && is_exclusive(word, false))
        return KNOWN_TO_DIFFER; /* where it cannot be done, it may fault or fail */
    return outcome->state.signal == SIGILL && row && row->feature != A64_FEAT_BASE ? LACKING : AUTHORITATIVE;
}

/** The emulator's results for the states; false if there are none. */
static bool receive(struct session *session, unsigned nstates)
{
    for (unsigned i = 0; i < nstates; i++)
        if (!emulator_receive(&session->emulator, &session->wanted[i])) {
            char error[256];
            session->deaths++;
            emulator_stop(&session->emulator);
            if (!emulator_start(&session->emulator, error))
                session->emulator.command = NULL;
            return false;
        }
    return true;
}

/**
 * Runs a sequence in some states on everything. In mask[i] are the machines that failed in state i; foreign[i] is true
 * if the emulator has said what is wanted. Each machine runs each state `times` times (blocks become hot), the last
 * time counts.
 */
static void run_all(struct session *session, const struct sequence *s, const struct state *starts, unsigned nstates,
                    unsigned times, unsigned mask[STATES_MAX], bool foreign[STATES_MAX])
{
    struct request request = {.nstates = nstates};
    memcpy(request.words, s->words, sizeof request.words);
    memcpy(request.states, starts, nstates * sizeof *starts);
    bool wanted = false;
    for (unsigned i = 0; i < nstates; i++)
        wanted |= !known_difference(s, &starts[i]);
    wanted &= session->emulator.command != NULL;
    bool sent = wanted && emulator_send(&session->emulator, &request);
    machines_load(&session->machines, s);
    for (unsigned i = 0; i < nstates; i++)
        for (unsigned k = 0; k < MACHINES; k++)
            for (unsigned n = 0; n < times; n++)
                machine_run(&session->machines, k, &starts[i], &session->results[i][k]);
    if (wanted)
        sent = receive(session, nstates) && sent;
    for (unsigned i = 0; i < nstates; i++) {
        enum authority authority =
            sent ? authority_of(s, &starts[i], &session->wanted[i], &session->results[i][REFERENCE])
            : !wanted && session->emulator.command ? KNOWN_TO_DIFFER
                                                   : NOT_THERE;
        foreign[i] = authority == AUTHORITATIVE;
        session->compared[authority]++;
        if (!foreign[i])
            session->wanted[i] = session->results[i][REFERENCE];
        mask[i] = disagreeing(s, session->results[i], &session->wanted[i], foreign[i]);
    }
    session->runs += nstates;
}

static unsigned run_trial(struct session *session, const struct trial *trial, bool *foreign)
{
    unsigned mask[STATES_MAX];
    bool foreigns[STATES_MAX];
    run_all(session, &trial->sequence, &trial->start, 1, WARM_RUNS, mask, foreigns);
    *foreign = foreigns[0];
    return mask[0];
}

/* ---- shrinking --------------------------------------------------------------------------------------------------- */

/** Takes the change if some of the machines still fail. */
static void attempt(struct session *session, struct trial *trial, const struct trial *change, unsigned mask)
{
    bool foreign;
    if (run_trial(session, change, &foreign) & mask)
        *trial = *change;
}

static void drop_instructions(struct session *session, struct trial *trial, unsigned mask)
{
    for (unsigned i = 0; i < trial->sequence.n; i++) {
        struct trial change = *trial;
        change.sequence.words[i] = NOP;
        attempt(session, trial, &change, mask);
    }
    struct trial change = *trial;
    change.sequence.n = 0;
    for (unsigned i = 0; i < trial->sequence.n; i++)
        if (trial->sequence.words[i] != NOP)
            change.sequence.words[change.sequence.n++] = trial->sequence.words[i];
    finish_sequence(&change.sequence);
    attempt(session, trial, &change, mask);
}

static void simplify_word(struct session *session, struct trial *trial, unsigned mask, void *field, uint64_t value,
                          unsigned bytes)
{
    struct trial change = *trial;
    memcpy((char *)&change + ((char *)field - (char *)trial), &value, bytes);
    attempt(session, trial, &change, mask);
}

static void simplify_state(struct session *session, struct trial *trial, unsigned mask)
{
    struct state *s = &trial->start;
    simplify_word(session, trial, mask, &s->x[LOOP_REGISTER], 1, 8);
    for (unsigned i = 0; i < 31; i++)
        if (i != LOOP_REGISTER && i != JUMP_REGISTER)
            simplify_word(session, trial, mask, &s->x[i], 0, 8);
    for (unsigned i = 0; i < 64; i++)
        simplify_word(session, trial, mask, &s->v[i / 2][i % 2], 0, 8);
    simplify_word(session, trial, mask, &s->fpcr, 0, 4);
    for (unsigned bit = 19; bit < 27; bit++)
        simplify_word(session, trial, mask, &s->fpcr, s->fpcr & ~(1u << bit), 4);
    simplify_word(session, trial, mask, &s->fpsr, 0, 4);
    simplify_word(session, trial, mask, &s->nzcv, 0, 4);
    simplify_word(session, trial, mask, &s->tpidr, 0, 8);
    simplify_word(session, trial, mask, &s->sp, RAM_BASE + RAM_BYTES / 2, 8);
}

/* ---- reports ----------------------------------------------------------------------------------------------------- */

static void print_sequence(const struct session *session, const struct sequence *s)
{
    for (unsigned i = 0; i < s->n; i++) {
        cs_insn *insn;
        const struct a64_row *row = a64_decode(s->words[i]);
        size_t n = cs_disasm(session->capstone, (const uint8_t *)&s->words[i], 4, CODE_BASE + 4 * i, 1, &insn);
        if (s->words[i] != NOP)
            printf("    %08x  %08x  %-24s %s %s\n", CODE_BASE + 4 * i, s->words[i], row ? row->name : "?",
                   n ? insn->mnemonic : "", n ? insn->op_str : "");
        if (n)
            cs_free(insn, n);
    }
}

static void print_start(const struct state *s)
{
    printf("  started with");
    for (unsigned i = 0; i < 31; i++)
        if (s->x[i] && i != JUMP_REGISTER && i != LOOP_REGISTER)
            printf(" x%u=%" PRIx64, i, s->x[i]);
    for (unsigned i = 0; i < 32; i++)
        if (s->v[i][0] || s->v[i][1])
            printf(" v%u=%016" PRIx64 "_%016" PRIx64, i, s->v[i][1], s->v[i][0]);
    printf(" sp=%" PRIx64 " nzcv=%x fpcr=%x fpsr=%x tpidr=%" PRIx64 ", %" PRIu64 " times\n", s->sp, s->nzcv >> 28,
           s->fpcr, s->fpsr, s->tpidr, s->x[LOOP_REGISTER]);
}

static void print_value(const char *name, unsigned number, uint64_t got, uint64_t want)
{
    if (got == want)
        return;
    printf("    %s", name);
    if (number < 64)
        printf("%u", number);
    printf(" %" PRIx64 ", want %" PRIx64 "\n", got, want);
}

static void print_differences(const struct outcome *got, const struct outcome *want)
{
    const struct state *g = &got->state, *w = &want->state;
    const unsigned none = 99;
    for (unsigned i = 0; i < 31; i++)
        print_value("x", i, g->x[i], w->x[i]);
    for (unsigned i = 0; i < 32; i++)
        if (memcmp(g->v[i], w->v[i], 16) != 0)
            printf("    v%u %016" PRIx64 "_%016" PRIx64 ", want %016" PRIx64 "_%016" PRIx64 "\n", i, g->v[i][1],
                   g->v[i][0], w->v[i][1], w->v[i][0]);
    print_value("sp", none, g->sp, w->sp);
    print_value("pc", none, g->pc, w->pc);
    print_value("tpidr_el0", none, g->tpidr, w->tpidr);
    print_value("nzcv", none, g->nzcv >> 28, w->nzcv >> 28);
    print_value("fpcr", none, g->fpcr, w->fpcr);
    print_value("fpsr", none, g->fpsr, w->fpsr);
    print_value("pstate", none, g->pstate, w->pstate);
    print_value("signal", none, g->signal, w->signal);
    uint64_t i = 0, k = 0;
    while (i < got->nchanges || k < want->nchanges) {
        const struct change *a = &got->changes[i], *b = &want->changes[k];
        if (k == want->nchanges || (i < got->nchanges && a->offset < b->offset)) {
            printf("    memory +%" PRIx64 ": %016" PRIx64 ", want it unchanged\n", a->offset, a->value);
            i++;
        } else if (i == got->nchanges || b->offset < a->offset) {
            printf("    memory +%" PRIx64 ": unchanged, want %016" PRIx64 "\n", b->offset, b->value);
            k++;
        } else {
            if (a->value != b->value)
                printf("    memory +%" PRIx64 ": %016" PRIx64 ", want %016" PRIx64 "\n", a->offset, a->value, b->value);
            i++, k++;
        }
    }
}

static void report(struct session *session, uint64_t number, const struct a64_row *row, struct trial *trial,
                   unsigned mask)
{
    const struct options *o = &session->options;
    bool foreign;
    unsigned again = run_trial(session, trial, &foreign);
    if (again & mask) {
        drop_instructions(session, trial, again);
        simplify_state(session, trial, again);
        drop_instructions(session, trial, again);
        again = run_trial(session, trial, &foreign);
    }
    printf("\nFAILED %s: --seed %" PRIu64 " --rows '%s' --length %u --case %" PRIu64 "\n", row->name, o->seed, o->rows,
           o->length, number);
    if (!again)
        printf("  not again when run alone\n");
    print_sequence(session, &trial->sequence);
    print_start(&trial->start);
    for (unsigned i = 0; i < MACHINES; i++) {
        if (!(again >> i & 1))
            continue;
        printf("  %s against the %s:\n", machine_names[i], foreign ? "emulator" : "reference");
        print_differences(&session->results[0][i], &session->wanted[0]);
        unsigned same = i;
        while (++same < MACHINES && same_outcome(&session->results[0][same], &session->results[0][i], false))
            printf("  %s: the same\n", machine_names[same]);
        i = same - 1;
    }
    fflush(stdout);
}

/* ---- the work ---------------------------------------------------------------------------------------------------- */

static void run_case(struct session *session, uint64_t number)
{
    uint64_t random = (session->options.seed * 0x9E3779B97F4A7C15 + number) * 0xBF58476D1CE4E5B9 + 1;
    unsigned which = (unsigned)(number % session->nrows), mask[STATES_MAX];
    const struct a64_row *row = session->rows[which];
    bool foreign[STATES_MAX];
    struct sequence sequence = {0};
    struct state starts[STATES_MAX];
    next_random(&random);
    random_sequence(&sequence, row, session->options.length, &random);
    for (unsigned i = 0; i < STATES_MAX; i++)
        random_state(&starts[i], &sequence, &random);
    session->cases++;
    uint64_t deaths = session->deaths;
    run_all(session, &sequence, starts, STATES_MAX, 1, mask, foreign);
    coverage_add(&session->coverage, &sequence, starts, &session->results[0][REFERENCE], sizeof session->results[0],
                 STATES_MAX);
    if (deaths != session->deaths && deaths < 10) {
        printf("\nThe emulator died or hung: --seed %" PRIu64 " --rows '%s' --case %" PRIu64 "\n",
               session->options.seed, session->options.rows, number);
        print_sequence(session, &sequence);
    }
    for (unsigned i = 0; i < STATES_MAX; i++) {
        if (!mask[i])
            continue;
        session->failures++;
        if (session->failed[which]++ < REPORTS_PER_ROW) {
            struct trial trial = {sequence, starts[i]};
            report(session, number, row, &trial, mask[i]);
        }
        return;
    }
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void summarize(const struct session *session, double seconds)
{
    for (unsigned i = 0; i < session->nrows; i++)
        if (session->failed[i])
            printf("%6u failed: %s\n", session->failed[i], session->rows[i]->name);
    printf("%u rows, %" PRIu64 " sequences, %" PRIu64 " runs in %.0f s\n", session->nrows, session->cases,
           session->runs, seconds);
    for (unsigned i = 0; i < AUTHORITIES; i++)
        if (session->compared[i])
            printf("%9" PRIu64 " %s\n", session->compared[i], authority_names[i]);
    coverage_print(&session->coverage, session->rows, session->nrows, session->options.coverage);
    if (session->deaths)
        printf("the emulator died or hung %" PRIu64 " times\n", session->deaths);
    printf("%" PRIu64 " sequences failed\n", session->failures);
}

static bool choose_rows(struct session *session)
{
    session->rows = calloc(a64_row_count, sizeof *session->rows);
    session->failed = calloc(a64_row_count, sizeof *session->failed);
    for (size_t i = 0; session->rows && session->failed && i < a64_row_count; i++)
        if (row_is_usable(&a64_rows[i]) && fnmatch(session->options.rows, a64_rows[i].name, 0) == 0)
            session->rows[session->nrows++] = &a64_rows[i];
    return coverage_create(&session->coverage) && session->nrows > 0;
}

static int run_session(struct session *session)
{
    const struct options *o = &session->options;
    uint64_t random = 1;
    char error[256];
    random_ram(session->initial_ram, &random);
    if (!choose_rows(session)) {
        fprintf(stderr, "random: no row is named %s\n", o->rows);
        return 2;
    }
    session->emulator = (struct emulator){.command = o->emulator, .initial_ram = session->initial_ram};
    /* First, so that the child has no copy of what follows. */
    if (o->emulator && !emulator_start(&session->emulator, error)) {
        fprintf(stderr, "random: %s\n", error);
        return 2;
    }
    if (cs_open(CS_ARCH_ARM64, CS_MODE_LITTLE_ENDIAN, &session->capstone) != CS_ERR_OK ||
        !machines_create(&session->machines, session->initial_ram, error)) {
        fprintf(stderr, "random: %s\n", error);
        return 2;
    }
    double start = now();
    for (uint64_t i = o->first; i - o->first < o->count && session->failures < o->failures; i++) {
        if (o->seconds > 0 && now() - start > o->seconds)
            break;
        run_case(session, i);
    }
    emulator_stop(&session->emulator);
    summarize(session, now() - start);
    machines_destroy(&session->machines);
    coverage_destroy(&session->coverage);
    cs_close(&session->capstone);
    if (o->emulator && !session->compared[AUTHORITATIVE]) {
        printf("nothing was compared with the emulator: %s\n", o->emulator);
        return 1;
    }
    return session->failures != 0;
}

static const char usage[] =
    "random [OPTIONS]\n"
    "  --emulator COMMAND   what runs guest.c; without it only this project's own ways to run are compared\n"
    "  --rows PATTERN       rows of the decode table to test (a shell pattern; default: all)\n"
    "  --length N           instructions in a sequence (default: 1 to 20)\n"
    "  --seed N             (default 1)\n"
    "  --seconds N          stop after so long\n"
    "  --count N            … or after so many sequences\n"
    "  --case N             only this one, as a failure names it\n"
    "  --failures N         stop after so many (default: never)\n"
    "  --coverage           say at the end how often each row was executed\n";

static bool parse_options(int argc, char **argv, struct options *o)
{
    static const struct option options[] = {{"emulator", required_argument, NULL, 'e'},
                                            {"rows", required_argument, NULL, 'r'},
                                            {"length", required_argument, NULL, 'l'},
                                            {"seed", required_argument, NULL, 's'},
                                            {"seconds", required_argument, NULL, 't'},
                                            {"count", required_argument, NULL, 'n'},
                                            {"case", required_argument, NULL, 'c'},
                                            {"failures", required_argument, NULL, 'f'},
                                            {"coverage", no_argument, NULL, 'v'},
                                            {"help", no_argument, NULL, 'h'},
                                            {0}};
    *o = (struct options){.seed = 1, .count = UINT64_MAX, .rows = "*", .failures = UINT32_MAX};
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;)
        switch (c) {
        case 'e':
            o->emulator = optarg;
            break;
        case 'r':
            o->rows = optarg;
            break;
        case 'l':
            o->length = (unsigned)strtoul(optarg, NULL, 0);
            break;
        case 's':
            o->seed = strtoull(optarg, NULL, 0);
            break;
        case 't':
            o->seconds = strtod(optarg, NULL);
            break;
        case 'n':
            o->count = strtoull(optarg, NULL, 0);
            break;
        case 'c':
            o->first = strtoull(optarg, NULL, 0);
            o->count = 1;
            break;
        case 'f':
            o->failures = (unsigned)strtoul(optarg, NULL, 0);
            break;
        case 'v':
            o->coverage = true;
            break;
        default:
            return false;
        }
    if (o->count == UINT64_MAX && o->seconds == 0 && o->failures == UINT32_MAX)
        o->seconds = 60;
    return optind == argc && o->length <= BODY_MAX;
}

int main(int argc, char **argv)
{
    static struct session session;
    if (!parse_options(argc, argv, &session.options)) {
        fputs(usage, stderr);
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    return run_session(&session);
}

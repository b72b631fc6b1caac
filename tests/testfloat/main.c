/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Floating point on the operands of Berkeley TestFloat (operands.h): every instruction of rows.c in all rounding modes,
 * with and without flushing to zero, default NaNs and alternative half precision. What exact numbers give
 * (reference.h), result and cumulative flags, must be what translator/softfp gives, and what the instruction does in an
 * ARM program (guest.c) under any number of executors: dragoman in several configurations, QEMU, a real CPU.
 * tests/testfloat/run starts it all.
 */
#include <fnmatch.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "frontend/a64/decode.h"
#include "tests/testfloat/executors.h"
#include "tests/testfloat/rows.h"
#include "tests/testfloat/softfp_compute.h"

enum { EXECUTORS_MAX = 8, REPORTS_PER_ROW = 3, SOFTFP = EXECUTORS_MAX, SUBJECTS };

struct options {
    uint64_t seed, level_1, level_2;
    const char *rows;
    bool verbose;
};

struct session {
    struct options options;
    struct executor executors[EXECUTORS_MAX];
    unsigned nexecutors;
    struct level_1 tables[KINDS];
    struct input inputs[INPUTS_MAX];
    struct output outputs[EXECUTORS_MAX][INPUTS_MAX];
    uint64_t random, cases, known;
    uint64_t failures[SUBJECTS], row_failures[SUBJECTS];
    const char *name; /* of the row in the decode table */
};

/* ---- operands ---------------------------------------------------------------------------------------------------- */

/* Goes through the level-1 cases of a row in an order that any number of them is spread over all. */
struct walk {
    uint64_t at, step, total, left;
};

static uint64_t common_divisor(uint64_t a, uint64_t b)
{
    return b ? common_divisor(b, a % b) : a;
}

static uint64_t table_size(const struct session *s, enum kind kind)
{
    return kind == KIND_NONE ? 1 : s->tables[kind].n;
}

static struct walk walk_begin(struct session *s, const struct row *row)
{
    struct walk w = {.total = 1};
    for (unsigned i = 0; i < 3; i++)
        w.total *= table_size(s, row->kinds[i]);
    w.step = (uint64_t)((double)w.total * 0.618033988749895) | 1;
    while (common_divisor(w.step, w.total) != 1)
        w.step += 2;
    w.at = random_64(&s->random) % w.total;
    w.left = s->options.level_1 < w.total ? s->options.level_1 : w.total;
    return w;
}

static void draw_level_1(const struct session *s, const struct row *row, struct walk *w, uint64_t values[3])
{
    uint64_t rest = w->at;
    for (unsigned i = 0; i < 3; i++) {
        uint64_t n = table_size(s, row->kinds[i]);
        values[i] = row->kinds[i] == KIND_NONE ? rest : s->tables[row->kinds[i]].values[rest % n];
        rest /= n;
    }
    w->at = (w->at + w->step) % w->total;
}

/** Every fourth time operands that are related: the second near the first; the third near the product of the others. */
static void draw_level_2(struct session *s, const struct row *row, uint64_t values[3])
{
    for (unsigned i = 0; i < 3; i++)
        values[i] = level_2_draw(row->kinds[i], &s->random);
    if (random_64(&s->random) & 3)
        return;
    if (row->kinds[2] != KIND_NONE) {
        struct task product = {.op = row->task.op, row->task.bits, row->task.to_bits};
        values[2] = neighbour(row->kinds[2], reference_compute(&product, 0, values[0], values[1], 0).value, &s->random);
    } else if (row->kinds[1] != KIND_NONE) {
        values[1] = neighbour(row->kinds[1], values[0], &s->random);
    }
}

static void lane_set(uint64_t v[2], unsigned bits, unsigned lane, uint64_t value)
{
    memcpy((char *)v + lane * bits / 8, &value, bits / 8);
}

/** All lanes, those that do not count too. False when there are no more cases. */
static bool fill_input(struct session *s, const struct row *row, struct walk *w, uint64_t *level_2, struct input *input)
{
    unsigned bits[3], lanes = 0;
    if (!w->left && !*level_2)
        return false;
    for (unsigned i = 0; i < 3; i++) {
        bits[i] = kind_bits(row->kinds[i]);
        lanes = 128 / bits[i] > lanes ? 128 / bits[i] : lanes;
    }
    for (unsigned k = 0; k < lanes; k++) {
        uint64_t values[3];
        if (w->left)
            draw_level_1(s, row, w, values);
        else
            draw_level_2(s, row, values);
        if (k < row->lanes) {
            uint64_t *left = w->left ? &w->left : level_2;
            *left -= *left != 0;
        }
        for (unsigned i = 0; i < 3; i++)
            if (k < 128 / bits[i])
                lane_set(input->v[i], bits[i], k, values[i]);
    }
    return true;
}

/* ---- what must come out ------------------------------------------------------------------------------------------ */

static void report_head(struct session *s, unsigned subject, const struct row *row, uint32_t fpcr)
{
    printf("FAILED %s (%08x) fpcr %x by %s\n", s->name, row->word, fpcr,
           subject == SOFTFP ? "softfp" : s->executors[subject].command);
}

static bool should_report(struct session *s, unsigned subject)
{
    s->failures[subject]++;
    return s->row_failures[subject]++ < REPORTS_PER_ROW;
}

/** The output that is wanted; tries softfp meanwhile. */
static struct output expect(struct session *s, const struct row *row, uint32_t fpcr, const struct input *input)
{
    struct output out = {.v2 = {input->v[2][0], input->v[2][1]}};
    if (row->place == IN_VECTOR)
        out.v2[0] = out.v2[1] = 0;
    for (unsigned i = 0; i < row->lanes; i++) {
        uint64_t a = row_operand(row, input->v, 0, i), b = row_operand(row, input->v, 1, i),
                 c = row_operand(row, input->v, 2, i);
        struct answer want = reference_compute(&row->task, fpcr, a, b, c);
        struct answer soft = softfp_compute(&row->task, fpcr, a, b, c);
        if ((soft.value != want.value || soft.flags != want.flags) && should_report(s, SOFTFP)) {
            report_head(s, SOFTFP, row, fpcr);
            printf("    %" PRIx64 " %" PRIx64 " %" PRIx64 ": %" PRIx64 " flags %02x, want %" PRIx64 " flags %02x\n", a,
                   b, c, soft.value, soft.flags, want.value, want.flags);
        }
        if (row->place == IN_VECTOR)
            lane_set(out.v2, row->task.to_bits, i, want.value);
        else if (row->place != IN_NZCV)
            out.x4 = row->place == IN_GENERAL ? want.value : (uint32_t)want.value;
        if (row->place == IN_NZCV || row->place == IN_NZCV_AND_GENERAL)
            out.status = want.value >> 60 << 28;
        out.status |= want.flags;
    }
    s->cases += row->lanes;
    return out;
}

/* Where QEMU does not do what Arm ARM DDI 0487 says: rows (a shell pattern), with any of these bits in FPCR, or 0. */
static const struct {
    const char *rows;
    uint32_t fpcr;
    const char *reason;
} differences[] = {
    {"FJCVTZS*", FPCR_FZ, "QEMU 10 clears Z for a denormal that is flushed to zero: see FPToFixedJS()"},
    {"FCVTZS_H_asisdshf", 0,
     "QEMU 7 extends the sign to 32 bits; V[d] = ZeroExtend(16 bits): FCVTZS (vector, fixed-point)"},
};

static bool is_known(const struct session *s, uint32_t fpcr)
{
    for (size_t i = 0; i < sizeof differences / sizeof differences[0]; i++)
        if (fnmatch(differences[i].rows, s->name, 0) == 0 && (!differences[i].fpcr || fpcr & differences[i].fpcr))
            return true;
    return false;
}

static void print_output(const char *what, const struct output *o)
{
    printf("    %s v2 %016" PRIx64 "_%016" PRIx64 " x4 %" PRIx64 " fpsr %02x nzcv %x\n", what, o->v2[1], o->v2[0],
           o->x4, (unsigned)(o->status & 0x0fffffff), (unsigned)(o->status >> 28));
}

static void check(struct session *s, unsigned number, const struct row *row, uint32_t fpcr, const struct input *input,
                  const struct output *got, const struct output *want)
{
    if (memcmp(got, want, sizeof *got) == 0)
        return;
    if (s->executors[number].foreign && is_known(s, fpcr)) {
        s->known++;
        return;
    }
    if (!should_report(s, number))
        return;
    report_head(s, number, row, fpcr);
    printf("    of");
    for (unsigned i = 0; i < 3; i++)
        if (row->kinds[i] != KIND_NONE || i == 2)
            printf(" v%u %016" PRIx64 "_%016" PRIx64, i, input->v[i][1], input->v[i][0]);
    printf("\n");
    print_output("got ", got);
    print_output("want", want);
}

/* ---- the work ---------------------------------------------------------------------------------------------------- */

/** The values of FPCR that matter for a task: each of these with the four rounding modes. */
static unsigned choose_modes(const struct task *t, uint32_t modes[8])
{
    const uint32_t all = FPCR_FZ | FPCR_FZ16 | FPCR_DN | FPCR_AHP;
    uint32_t half = t->bits == 16 && t->op != OP_CONVERT, n = 0;
    modes[n++] = 0;
    modes[n++] = FPCR_DN;
    modes[n++] = half ? FPCR_FZ16 : FPCR_FZ;
    modes[n++] = all;
    if (t->op == OP_CONVERT || t->op == OP_MULADD_LONG || t->op == OP_CONVERT_BF16) {
        modes[n++] = FPCR_AHP;
        modes[n++] = half ? FPCR_FZ : FPCR_FZ16;
    }
    return n;
}

/** Fills the job as far as it goes. */
static size_t fill_job(struct session *s, const struct row *row, struct walk *walks, uint64_t *level_2, struct job *job)
{
    size_t n = 0, room = INPUTS_MAX / job->nparts;
    for (unsigned i = 0; i < job->nparts; i++) {
        size_t start = n;
        while (n - start < room && fill_input(s, row, &walks[i], &level_2[i], &s->inputs[n]))
            n++;
        job->parts[i].n = (uint32_t)(n - start);
    }
    return n;
}

static bool executor_died(struct session *s, unsigned number)
{
    printf("FAILED %s: died or hung: %s\n", s->name, s->executors[number].command);
    s->failures[number]++;
    return false;
}

static bool run_job(struct session *s, const struct row *row, const struct job *job, size_t n)
{
    for (unsigned i = 0; i < s->nexecutors; i++)
        if (!executor_send(&s->executors[i], job, s->inputs, n))
            return executor_died(s, i);
    static struct output want[INPUTS_MAX];
    for (size_t part = 0, at = 0; part < job->nparts; part++)
        for (uint32_t i = 0; i < job->parts[part].n; i++, at++)
            want[at] = expect(s, row, job->parts[part].fpcr, &s->inputs[at]);
    for (unsigned k = 0; k < s->nexecutors; k++) {
        if (!executor_receive(&s->executors[k], s->outputs[k], n))
            return executor_died(s, k);
        for (size_t part = 0, at = 0; part < job->nparts; part++)
            for (uint32_t i = 0; i < job->parts[part].n; i++, at++)
                check(s, k, row, job->parts[part].fpcr, &s->inputs[at], &s->outputs[k][at], &want[at]);
    }
    return true;
}

static bool run_row(struct session *s, const struct row *row)
{
    uint32_t modes[8];
    unsigned nmodes = choose_modes(&row->task, modes);
    struct job job = {.word = row->word, .nparts = 4 * nmodes};
    struct walk walks[PARTS_MAX];
    uint64_t level_2[PARTS_MAX];
    memset(s->row_failures, 0, sizeof s->row_failures);
    for (unsigned i = 0; i < job.nparts; i++) {
        job.parts[i].fpcr = modes[i / 4] | (i & 3) << 22;
        walks[i] = walk_begin(s, row);
        level_2[i] = s->options.level_2;
    }
    for (size_t n; (n = fill_job(s, row, walks, level_2, &job)) > 0;)
        if (!run_job(s, row, &job, n))
            return false;
    return true;
}

static const char *name_of(uint32_t word)
{
    const struct a64_row *row = a64_decode(word);
    return row ? row->name : "(not decoded)";
}

static double processor_time(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static int run_session(struct session *s)
{
    struct row *rows;
    size_t n = rows_create(&rows), ran = 0;
    bool alive = true;
    uint64_t failures = 0;
    s->random = s->options.seed;
    for (unsigned i = 0; i < s->nexecutors; i++)
        if (!executor_start(&s->executors[i]))
            return 2;
    for (unsigned i = 1; i < KINDS; i++)
        level_1_fill(&s->tables[i], i);
    for (size_t i = 0; i < n && alive; i++) {
        s->name = name_of(rows[i].word);
        if (fnmatch(s->options.rows, s->name, 0) != 0)
            continue;
        if (s->options.verbose)
            printf("%s (%08x) after %.1f s\n", s->name, rows[i].word, processor_time());
        alive = run_row(s, &rows[i]);
        ran++;
    }
    for (unsigned i = 0; i < s->nexecutors; i++)
        executor_stop(&s->executors[i]);
    free(rows);
    for (unsigned i = 0; i < SUBJECTS; i++) {
        failures += s->failures[i];
        if (s->failures[i])
            printf("%9" PRIu64 " failed by %s\n", s->failures[i], i == SOFTFP ? "softfp" : s->executors[i].command);
    }
    if (s->known)
        printf("%9" PRIu64 " differ where QEMU is known to\n", s->known);
    printf("%zu instructions, %" PRIu64 " cases, %" PRIu64 " failed\n", ran, s->cases, failures);
    return failures || !ran;
}

static const char usage[] =
    "testfloat [OPTIONS]\n"
    "  --executor COMMAND   what runs guest.c: a translator, an emulator; several\n"
    "  --foreign COMMAND    the same, of one that is not this project's: it may differ where that is known\n"
    "  --rows PATTERN       rows of the decode table to test (a shell pattern; default: all)\n"
    "  --level1 N           so many of the level-1 cases for each instruction and value of FPCR (default: 2000; 0: "
    "all)\n"
    "  --level2 N           so many random level-2 cases (default: 1500)\n"
    "  --seed N             (default 1)\n"
    "  --verbose            name the instructions\n";

static bool parse_options(int argc, char **argv, struct session *s)
{
    static const struct option options[] = {{"executor", required_argument, NULL, 'e'},
                                            {"foreign", required_argument, NULL, 'f'},
                                            {"rows", required_argument, NULL, 'r'},
                                            {"level1", required_argument, NULL, '1'},
                                            {"level2", required_argument, NULL, '2'},
                                            {"seed", required_argument, NULL, 's'},
                                            {"verbose", no_argument, NULL, 'v'},
                                            {"help", no_argument, NULL, 'h'},
                                            {0}};
    struct options *o = &s->options;
    *o = (struct options){.seed = 1, .level_1 = 2000, .level_2 = 1500, .rows = "*"};
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;)
        switch (c) {
        case 'e':
        case 'f':
            if (s->nexecutors == EXECUTORS_MAX)
                return false;
            s->executors[s->nexecutors++] = (struct executor){.command = optarg, .foreign = c == 'f'};
            break;
        case 'r':
            o->rows = optarg;
            break;
        case '1':
            o->level_1 = strtoull(optarg, NULL, 0);
            if (!o->level_1)
                o->level_1 = UINT64_MAX;
            break;
        case '2':
            o->level_2 = strtoull(optarg, NULL, 0);
            break;
        case 's':
            o->seed = strtoull(optarg, NULL, 0);
            break;
        case 'v':
            o->verbose = true;
            break;
        default:
            return false;
        }
    return optind == argc;
}

int main(int argc, char **argv)
{
    static struct session session;
    if (!parse_options(argc, argv, &session)) {
        fputs(usage, stderr);
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    return run_session(&session);
}

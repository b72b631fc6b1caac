/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/random/coverage.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FEWEST = 12 };

bool coverage_create(struct coverage *c)
{
    c->rows = calloc(a64_row_count, sizeof *c->rows);
    return c->rows != NULL;
}

void coverage_destroy(struct coverage *c)
{
    free(c->rows);
    c->rows = NULL;
}

/** Words of the body that came to their end: those before the one that ended the run, all of them if it got as far as
    the loop's end once. A breakpoint or undefined instruction comes to its end, too. */
static unsigned words_done(const struct sequence *s, const struct state *start, const struct state *end)
{
    uint64_t index = (end->pc - CODE_BASE) / 4;
    bool looped = end->x[LOOP_REGISTER] != start->x[LOOP_REGISTER];
    bool meant = end->signal == SIGTRAP || end->signal == SIGILL;
    return looped || index >= s->n ? s->n : (unsigned)index + meant;
}

void coverage_add(struct coverage *c, const struct sequence *s, const struct state *starts, const struct outcome *ends,
                  size_t stride, unsigned n)
{
    unsigned done[BODY_MAX + 1] = {0};
    for (unsigned i = 0; i < n; i++) {
        const struct outcome *end = (const struct outcome *)((const char *)ends + i * stride);
        done[words_done(s, &starts[i], &end->state)]++;
    }
    for (unsigned i = s->n, reached = 0; i-- > 0;) {
        const struct a64_row *row = a64_decode(s->words[i]);
        reached += done[i + 1];
        if (!row)
            continue;
        struct row_coverage *r = &c->rows[row - a64_rows];
        r->done += reached;
        r->drawn++;
    }
}

static const struct row_coverage *coverage_of(const struct coverage *c, const struct a64_row *row)
{
    return &c->rows[row - a64_rows];
}

void coverage_print(const struct coverage *c, const struct a64_row *const *rows, unsigned nrows, bool all)
{
    uint64_t drawn = UINT64_MAX, done = UINT64_MAX, above = 0;
    for (unsigned i = 0; i < nrows; i++) {
        const struct row_coverage *r = coverage_of(c, rows[i]);
        drawn = r->drawn < drawn ? r->drawn : drawn;
        done = r->done < done ? r->done : done;
        if (all)
            printf("%9" PRIu64 " drawn %9" PRIu64 " done  %s\n", r->drawn, r->done, rows[i]->name);
    }
    printf("each row in %" PRIu64 " sequences or more, executed %" PRIu64 " times or more; those executed least:\n",
           drawn, done);
    /* In order, rows of one count together. */
    for (unsigned printed = 0; printed < FEWEST && printed < nrows;) {
        uint64_t next = UINT64_MAX;
        for (unsigned i = 0; i < nrows; i++) {
            uint64_t n = coverage_of(c, rows[i])->done;
            if (n >= above && n < next)
                next = n;
        }
        printf("%9" PRIu64, next);
        for (unsigned i = 0; i < nrows; i++)
            if (coverage_of(c, rows[i])->done == next) {
                if (printed++ < 2 * FEWEST)
                    printf(" %s", rows[i]->name);
            }
        printf("\n");
        above = next + 1;
    }
}

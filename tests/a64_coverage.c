/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Prints what of A64 is translated and how, as Markdown: totals by feature, then every row of the decode table (with
 * --totals, without the rows). Nothing in it is written by hand: see a64_coverage.h.
 */
#include <stdio.h>
#include <stdlib.h>

#include "tests/a64_coverage.h"

static void print_totals(const enum coverage *states)
{
    unsigned all[COVERAGE_COUNT] = {0};
    printf("| feature | rows |");
    for (unsigned k = 0; k < COVERAGE_COUNT; k++)
        printf(" %s |", coverage_names[k]);
    printf("\n|---|---:|");
    for (unsigned k = 0; k < COVERAGE_COUNT; k++)
        printf("---:|");
    printf("\n");
    for (unsigned feature = 0; feature < A64_FEAT_COUNT; feature++) {
        unsigned counts[COVERAGE_COUNT] = {0}, rows = 0;
        const char *name = "";
        for (size_t i = 0; i < a64_row_count; i++)
            if (a64_rows[i].feature == feature) {
                counts[states[i]]++;
                all[states[i]]++;
                rows++;
                name = coverage_sources[i].feature;
            }
        if (!rows)
            continue;
        printf("| %s%s | %u |", name, a64_features_supported() >> feature & 1 ? "" : " (not advertised)", rows);
        for (unsigned k = 0; k < COVERAGE_COUNT; k++)
            counts[k] ? printf(" %u |", counts[k]) : printf("  |");
        printf("\n");
    }
    printf("| **all** | **%zu** |", a64_row_count);
    for (unsigned k = 0; k < COVERAGE_COUNT; k++)
        printf(" **%u** |", all[k]);
    printf("\n");
}

static void print_rows(const enum coverage *states)
{
    printf("\n| table | row | feature | translated |\n|---|---|---|---|\n");
    for (size_t i = 0; i < a64_row_count; i++) {
        const char *slash = strrchr(coverage_sources[i].file, '/');
        printf("| %s | %s | %s | %s |\n", slash ? slash + 1 : coverage_sources[i].file, coverage_sources[i].name,
               coverage_sources[i].feature, coverage_names[states[i]]);
    }
}

int main(int argc, char **argv)
{
    enum coverage *states = calloc(a64_row_count, sizeof *states);
    if (!states)
        return 1;
    find_coverage(states);
    print_totals(states);
    if (argc < 2 || strcmp(argv[1], "--totals") != 0)
        print_rows(states);
    free(states);
    return 0;
}

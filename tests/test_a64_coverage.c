/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is advertised to programs is translated, and what is common is translated without helpers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>

#include "tests/a64_coverage.h"

static int set_up(void **state)
{
    *state = calloc(a64_row_count, sizeof(enum coverage));
    if (*state)
        find_coverage(*state);
    return *state ? 0 : -1;
}

static int tear_down(void **state)
{
    free(*state);
    return 0;
}

/** The table of sources and the decode table are the same list. */
static void test_sources(void **state)
{
    (void)state;
    assert_int_equal(sizeof coverage_sources / sizeof coverage_sources[0], a64_row_count);
    for (size_t i = 0; i < a64_row_count; i++)
        assert_string_equal(coverage_sources[i].name, a64_rows[i].name);
}

static void test_advertised_is_translated(void **state)
{
    const enum coverage *states = *state;
    for (size_t i = 0; i < a64_row_count; i++)
        if (a64_features_supported() >> a64_rows[i].feature & 1 && states[i] == COVERAGE_UNTRANSLATED)
            fail_msg("%s (%s) is not translated", a64_rows[i].name, coverage_sources[i].feature);
}

/** Rows that only trap: the exceptions, and what EL0 may not do. */
static void test_exceptions(void **state)
{
    static const char *const trapping[] = {"SVC",   "HVC",   "SMC", "BRK",  "HLT",   "DCPS1",
                                           "DCPS2", "DCPS3", "UDF", "ERET", "ERETA", "DRPS"};
    const enum coverage *states = *state;
    for (size_t i = 0; i < a64_row_count; i++) {
        bool traps = false;
        for (size_t k = 0; k < sizeof trapping / sizeof trapping[0]; k++)
            traps |= strcmp(a64_rows[i].name, trapping[k]) == 0;
        if (!traps && states[i] == COVERAGE_TRAP)
            fail_msg("%s only raises an exception", a64_rows[i].name);
    }
}

/** No helper in integer code, loads and stores, branches, atomics; system registers apart. */
static void test_hot_is_inline(void **state)
{
    static const char *const files[] = {"a64_imm.inc", "a64_reg.inc", "a64_branch.inc", "a64_loadstore.inc",
                                        "a64_atomic.inc"};
    const enum coverage *states = *state;
    for (size_t i = 0; i < a64_row_count; i++)
        for (size_t k = 0; k < sizeof files / sizeof files[0]; k++)
            if (strstr(coverage_sources[i].file, files[k]) && states[i] > COVERAGE_INLINE)
                fail_msg("%s: %s", a64_rows[i].name, coverage_names[states[i]]);
}

/** Nor in AdvSIMD, but for what bfloat16 rounds in its own way. */
static void test_simd_is_inline(void **state)
{
    const enum coverage *states = *state;
    for (size_t i = 0; i < a64_row_count; i++)
        if (strstr(coverage_sources[i].file, "a64_simd.inc") && a64_rows[i].feature != A64_FEAT_BF16 &&
            states[i] > COVERAGE_INLINE_FPCR)
            fail_msg("%s: %s", a64_rows[i].name, coverage_names[states[i]]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sources),
        cmocka_unit_test(test_advertised_is_translated),
        cmocka_unit_test(test_exceptions),
        cmocka_unit_test(test_hot_is_inline),
        cmocka_unit_test(test_simd_is_inline),
    };
    return cmocka_run_group_tests_name("a64 coverage", tests, set_up, tear_down);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of system calls: complete, in order, and its page up to date. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "syscall_coverage.h"

#define NEWEST 462 /* mseal, of Linux 6.10, the last before 6.13 */

static void table_is_complete(void **state)
{
    (void)state;
    size_t i = 0;
    for (unsigned number = 0; number <= NEWEST; number++) {
        /* 244 to 259 are for architectures, 295 to 423 for those of 32 bits. */
        if ((number >= 244 && number <= 259) || (number >= 295 && number <= 423))
            continue;
        assert_true(i < COVERAGE_ROWS);
        assert_int_equal(coverage_rows[i].number, number);
        if (coverage_rows[i].state == COVERAGE_NONE)
            assert_true(strlen(coverage_rows[i].reason) > 10);
        i++;
    }
    assert_int_equal(i, COVERAGE_ROWS);
}

static void page_is_current(void **state)
{
    (void)state;
    char *text = NULL, *kept = malloc(1 << 20);
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    syscall_coverage_print(out);
    fclose(out);
    FILE *page = fopen("../machine/linux/SYSCALLS.md", "r");
    assert_non_null(page);
    size_t n = fread(kept, 1, 1 << 20, page);
    fclose(page);
    if (n != size || memcmp(kept, text, n) != 0)
        fail_msg("machine/linux/SYSCALLS.md is out of date: run build/tests/syscall_coverage > machine/linux/SYSCALLS.md");
    free(text);
    free(kept);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(table_is_complete), cmocka_unit_test(page_is_current)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

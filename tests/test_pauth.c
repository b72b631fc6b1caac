/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Pointer authentication codes: QARMA against the vectors of its paper, and the keys' way into the algorithms. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>

#include "frontend/a64/pauth.h"

#define TEXT UINT64_C(0xfb623599da6e8127)
#define TWEAK UINT64_C(0x477d469dec0b8762)
#define W0 UINT64_C(0x84be85ce9804e94b)
#define K0 UINT64_C(0xec2802d4e0a488e9)

/* R. Avanzi, "The QARMA Block Cipher Family", table of test vectors: QARMA5-64 with sigma-2. */
static void test_qarma5(void **state)
{
    (void)state;
    const uint64_t key[2] = {K0, W0};
    assert_int_equal(pac_qarma(TEXT, TWEAK, key, 5), UINT64_C(0xc003b93999b33765));
}

/* No vector is published for three rounds; a block cipher must at least use all of its inputs. */
static void test_qarma3(void **state)
{
    (void)state;
    uint64_t key[2] = {K0, W0}, code = pac_qarma(TEXT, TWEAK, key, 3);
    for (unsigned bit = 0; bit < 64; bit++) {
        uint64_t one = UINT64_C(1) << bit;
        assert_int_not_equal(pac_qarma(TEXT ^ one, TWEAK, key, 3), code);
        assert_int_not_equal(pac_qarma(TEXT, TWEAK ^ one, key, 3), code);
        key[0] ^= one;
        assert_int_not_equal(pac_qarma(TEXT, TWEAK, key, 3), code);
        key[0] ^= one;
        key[1] ^= one;
        assert_int_not_equal(pac_qarma(TEXT, TWEAK, key, 3), code);
        key[1] ^= one;
    }
}

static void test_keys(void **state)
{
    (void)state;
    static const uint64_t algorithms[] = {0, UINT64_C(1) << A64_FEAT_PACQARMA3, UINT64_C(1) << A64_FEAT_PACQARMA5};
    uint64_t keys[A64_PAC_KEY_COUNT][2], codes[3][A64_PAC_KEY_COUNT];
    for (unsigned i = 0; i < A64_PAC_KEY_COUNT; i++) {
        keys[i][0] = K0 * (i + 1);
        keys[i][1] = W0 * (i + 3);
    }
    struct a64_cpu *cpu = aligned_alloc(16, (sizeof *cpu + 15) & ~(size_t)15);
    assert_non_null(cpu);
    for (unsigned a = 0; a < 3; a++) {
        a64_cpu_reset(cpu, algorithms[a] | UINT64_C(1) << A64_FEAT_PAUTH);
        a64_cpu_set_keys(cpu, (const uint64_t(*)[2])keys, 0x1f);
        for (unsigned i = 0; i < A64_PAC_KEY_COUNT; i++) {
            codes[a][i] = pac_compute(cpu, TEXT, TWEAK, (enum a64_pac_key)i);
            for (unsigned k = 0; k < i; k++)
                assert_int_not_equal(codes[a][k], codes[a][i]);
        }
        /* only the keys named change */
        keys[A64_PAC_DA][0]++;
        keys[A64_PAC_DB][0]++;
        a64_cpu_set_keys(cpu, (const uint64_t(*)[2])keys, 1u << A64_PAC_DA);
        assert_int_not_equal(pac_compute(cpu, TEXT, TWEAK, A64_PAC_DA), codes[a][A64_PAC_DA]);
        assert_int_equal(pac_compute(cpu, TEXT, TWEAK, A64_PAC_DB), codes[a][A64_PAC_DB]);
        keys[A64_PAC_DA][0]--;
        keys[A64_PAC_DB][0]--;
    }
    assert_int_equal(codes[2][A64_PAC_IA], pac_qarma(TEXT, TWEAK, keys[A64_PAC_IA], 5));
    assert_int_equal(codes[1][A64_PAC_GA], pac_qarma(TEXT, TWEAK, keys[A64_PAC_GA], 3));
    free(cpu);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_qarma5),
        cmocka_unit_test(test_qarma3),
        cmocka_unit_test(test_keys),
    };
    return cmocka_run_group_tests_name("pauth", tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Part of test_softfp.c: what no host has. Cases worked out from the pseudocode of Arm ARM DDI 0487,
   shared/functions/float. */

struct unary_case {
    uint64_t a, expected;
    uint32_t flags;
};

static void check_unary(const char *what, unsigned bits, struct softfp env,
                        uint64_t (*function)(struct softfp *, unsigned, uint64_t), const struct unary_case *cases,
                        unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        struct softfp e = env;
        const uint64_t operands[3] = {cases[i].a};
        uint64_t value = function(&e, bits, cases[i].a);
        if (value != cases[i].expected || e.flags != cases[i].flags) {
            check(what, bits, env.rounding, operands, value, e.flags, cases[i].expected, cases[i].flags);
        }
    }
}
#define CHECK_UNARY(bits, env, function, ...)                                                                          \
    do {                                                                                                               \
        static const struct unary_case cases_[] = __VA_ARGS__;                                                         \
        check_unary(#function, bits, env, function, cases_, sizeof cases_ / sizeof *cases_);                           \
    } while (0)

static void test_estimates(void **state)
{
    (void)state;
    const struct softfp plain = {0}, flush = {.fz = true, .fz16 = true}, zero = {.rounding = SOFTFP_ZERO};
    CHECK_UNARY(32, plain, softfp_recip_estimate,
                {
                    {0x3f800000, 0x3f7f8000, 0}, /* 1 */
                    {0x40000000, 0x3eff8000, 0}, /* 2 */
                    {0xc0400000, 0xbeaa8000, 0}, /* -3 */
                    {0x00000000, 0x7f800000, SOFTFP_DZC},
                    {0x80000000, 0xff800000, SOFTFP_DZC},
                    {0xff800000, 0x80000000, 0},
                    {0x7f7fffff, 0x00200000, 0}, /* a denormal result */
                    {0x7e800000, 0x007fc000, 0}, /* 2^126: just below normal */
                    {0x00200000, 0x7f7f8000, 0}, /* 2^-128, the smallest that does not overflow */
                    {0x001fffff, 0x7f800000, SOFTFP_OFC | SOFTFP_IXC},
                    {0x7f800001, 0x7fc00001, SOFTFP_IOC},
                });
    CHECK_UNARY(32, zero, softfp_recip_estimate, {{0x801fffff, 0xff7fffff, SOFTFP_OFC | SOFTFP_IXC}});
    CHECK_UNARY(32, flush, softfp_recip_estimate,
                {
                    {0x7e800000, 0x00000000, SOFTFP_UFC},              /* the result would be a denormal */
                    {0x00200000, 0x7f800000, SOFTFP_DZC | SOFTFP_IDC}, /* the operand is one */
                });
    CHECK_UNARY(64, plain, softfp_recip_estimate,
                {{0x3ff0000000000000, 0x3feff00000000000, 0}, {0x4008000000000000, 0x3fd5500000000000, 0}});
    CHECK_UNARY(16, plain, softfp_recip_estimate, {{0x3c00, 0x3bfc, 0}, {0x0000, 0x7c00, SOFTFP_DZC}});
    CHECK_UNARY(16, flush, softfp_recip_estimate, {{0x0200, 0x7c00, SOFTFP_DZC}}); /* no IDC in half precision */
    CHECK_UNARY(32, plain, softfp_rsqrt_estimate,
                {
                    {0x3f800000, 0x3f7f8000, 0},
                    {0x40000000, 0x3f348000, 0},
                    {0x40800000, 0x3eff8000, 0},
                    {0x00000001, 0x64b48000, 0}, /* 2^-149 */
                    {0x80000000, 0xff800000, SOFTFP_DZC},
                    {0xbf800000, 0x7fc00000, SOFTFP_IOC},
                    {0x7f800000, 0x00000000, 0},
                });
    CHECK_UNARY(64, plain, softfp_rsqrt_estimate,
                {{0x3ff0000000000000, 0x3feff00000000000, 0}, {0x4010000000000000, 0x3fdff00000000000, 0}});
    CHECK_UNARY(32, plain, softfp_recpx,
                {
                    {0x3f800000, 0x40000000, 0},
                    {0xc1234567, 0xbe800000, 0},
                    {0x00000000, 0x7f000000, 0},
                    {0x00000001, 0x7f000000, 0},
                    {0xff800000, 0x80000000, 0},
                    {0x7f800001, 0x7fc00001, SOFTFP_IOC},
                });
}

static void test_steps(void **state)
{
    (void)state;
    struct softfp env = {0};
    assert_int_equal(softfp_recip_step(&env, 32, 0x3f800000, 0x40000000), 0); /* 2 - 1 * 2 */
    assert_int_equal(softfp_recip_step(&env, 32, 0, 0x7f800000), 0x40000000); /* 0 * inf: 2 */
    assert_int_equal(softfp_recip_step(&env, 32, 0x3f800000, 0x7f800000), 0xff800000);
    assert_int_equal(softfp_rsqrt_step(&env, 32, 0x3f800000, 0x3f800000), 0x3f800000); /* (3 - 1) / 2 */
    assert_int_equal(softfp_rsqrt_step(&env, 32, 0x80000000, 0x7f800000), 0x3fc00000); /* 1.5 */
    assert_int_equal(softfp_rsqrt_step(&env, 64, 0x4008000000000000, 0x3ff0000000000000), 0);
    assert_int_equal(env.flags, 0);
    assert_int_equal(softfp_recip_step(&env, 32, 0x7fc00007, 0),
                     0xffc00007); /* the first operand is negated, NaN or not */
    assert_int_equal(softfp_recip_step(&env, 32, 0, 0x7fc00007), 0x7fc00007);
    assert_int_equal(env.flags, 0);
    env.rounding = SOFTFP_DOWN;
    assert_int_equal(softfp_recip_step(&env, 32, 0x3f800000, 0x40000000), 0x80000000);
    assert_int_equal(softfp_mulx(&env, 32, 0x80000000, 0x7f800000), 0xc0000000);
    assert_int_equal(softfp_mulx(&env, 64, 0x4000000000000000, 0x4000000000000000), 0x4010000000000000);
    assert_int_equal(env.flags, 0);
}

static void test_flush_to_zero(void **state)
{
    (void)state;
    struct softfp env = softfp_from_fpcr(1u << 24 | 1u << 22); /* FZ, rounding up */
    assert_true(env.fz && !env.fz16 && !env.dn && !env.ahp && env.rounding == SOFTFP_UP);
    assert_int_equal(softfp_add(&env, 32, 0x80000001, 0x80000000), 0x80000000);
    assert_int_equal(env.flags, SOFTFP_IDC);
    env.flags = 0;
    assert_int_equal(softfp_mul(&env, 32, 0x00800000, 0x3f000000), 0); /* half of the smallest normal: exact, flushed */
    assert_int_equal(env.flags, SOFTFP_UFC);
    env.flags = 0;
    assert_int_equal(softfp_add(&env, 16, 0x0001, 0x0001), 0x0002); /* FZ is not for half precision */
    assert_int_equal(softfp_convert(&env, 32, 16, 0x0001), 0x33800000);
    assert_int_equal(env.flags, 0);
    assert_int_equal(softfp_convert(&env, 16, 32, 0x80000001), 0x8000);
    assert_int_equal(env.flags, SOFTFP_IDC);
    env.flags = 0;
    assert_int_equal(softfp_compare(&env, 64, 1, UINT64_C(0x8000000000000001), false), SOFTFP_EQUAL);
    assert_int_equal(env.flags, SOFTFP_IDC);
    env.flags = 0;
    assert_int_equal(softfp_max(&env, 32, 0x80000001, 0x80800000), 0x80000000);
    assert_int_equal(softfp_round_int(&env, 32, 1, SOFTFP_UP, true), 0);
    assert_int_equal(softfp_to_fixed(&env, 32, 1, 0, false, 32, SOFTFP_UP), 0);
    assert_int_equal(env.flags, SOFTFP_IDC);

    env = softfp_from_fpcr(1u << 19); /* FZ16 */
    assert_int_equal(softfp_add(&env, 16, 0x0001, 0x0001), 0);
    assert_int_equal(env.flags, 0);
    assert_int_equal(softfp_mul(&env, 16, 0x0400, 0x3800), 0);
    assert_int_equal(env.flags, SOFTFP_UFC);
    env.flags = 0;
    assert_int_equal(softfp_convert(&env, 16, 32, 0x33800000), 0x0001); /* conversions ignore it */
    assert_int_equal(softfp_convert(&env, 32, 16, 0x0001), 0x33800000);
    assert_int_equal(env.flags, 0);
}

static void test_default_nan(void **state)
{
    (void)state;
    struct softfp env = softfp_from_fpcr(1u << 25);
    assert_int_equal(softfp_add(&env, 32, 0xffc12345, 0), 0x7fc00000);
    assert_int_equal(softfp_muladd(&env, 64, UINT64_C(0xfff8000000000001), 0, 0), UINT64_C(0x7ff8000000000000));
    assert_int_equal(softfp_convert(&env, 16, 32, 0xffc12345), 0x7e00);
    assert_int_equal(env.flags, 0);
    assert_int_equal(softfp_min(&env, 16, 0xfc01, 0), 0x7e00);
    assert_int_equal(env.flags, SOFTFP_IOC);
}

static void test_alternative_half(void **state)
{
    (void)state;
    struct softfp env = softfp_from_fpcr(1u << 26);
    assert_int_equal(softfp_convert(&env, 32, 16, 0x7c00), 0x47800000); /* 65536: no infinities */
    assert_int_equal(softfp_convert(&env, 32, 16, 0xffff), 0xc7ffe000);
    assert_int_equal(softfp_convert(&env, 16, 32, 0x47ffe000), 0x7fff);
    assert_int_equal(env.flags, 0);
    assert_int_equal(softfp_convert(&env, 16, 32, 0xc8000000),
                     0xffff); /* -131072: too large, invalid and not inexact */
    assert_int_equal(env.flags, SOFTFP_IOC);
    env.flags = 0;
    assert_int_equal(softfp_convert(&env, 16, 32, 0xff800000), 0xffff);
    assert_int_equal(env.flags, SOFTFP_IOC);
    env.flags = 0;
    assert_int_equal(softfp_convert(&env, 16, 32, 0xffc00001), 0x8000);
    assert_int_equal(env.flags, SOFTFP_IOC);
    env.flags = 0;
    assert_int_equal(softfp_add(&env, 16, 0x7c00, 0x3c00), 0x7c00); /* arithmetic is not affected */
    assert_int_equal(env.flags, 0);
}

static void test_round_to_odd(void **state)
{
    (void)state;
    struct softfp env = {.rounding = SOFTFP_ODD};
    assert_int_equal(softfp_convert(&env, 32, 64, UINT64_C(0x3ff0000000000001)), 0x3f800001);
    assert_int_equal(env.flags, SOFTFP_IXC);
    assert_int_equal(softfp_convert(&env, 32, 64, UINT64_C(0x7fefffffffffffff)), 0x7f7fffff);
    assert_int_equal(env.flags, SOFTFP_IXC | SOFTFP_OFC);
    env.flags = 0;
    assert_int_equal(softfp_convert(&env, 32, 64, UINT64_C(0x0000000000000001)), 1);
    assert_int_equal(env.flags, SOFTFP_IXC | SOFTFP_UFC);
}

static void test_bfloat16(void **state)
{
    (void)state;
    struct softfp env = {0};
    assert_int_equal(softfp_convert_bf16(&env, 0x3f800000), 0x3f80);
    assert_int_equal(softfp_convert_bf16(&env, 0xff800000), 0xff80);
    assert_int_equal(softfp_convert_bf16(&env, 0x00010000), 0x0001);
    assert_int_equal(env.flags, 0);
    assert_int_equal(softfp_convert_bf16(&env, 0x3f808000), 0x3f80); /* ties to even */
    assert_int_equal(softfp_convert_bf16(&env, 0x3f818000), 0x3f82);
    assert_int_equal(env.flags, SOFTFP_IXC);
    assert_int_equal(softfp_convert_bf16(&env, 0x7f7fffff), 0x7f80);
    assert_int_equal(env.flags, SOFTFP_IXC | SOFTFP_OFC);
    env.flags = 0;
    assert_int_equal(softfp_convert_bf16(&env, 0xff812345), 0xffc1);
    assert_int_equal(env.flags, SOFTFP_IOC);
    assert_int_equal(softfp_bf16_dot(0x3f800000, 0x40003f80, 0x40403f80), 0x41000000); /* 1 + 1 * 1 + 2 * 3 */
    assert_int_equal(softfp_bf16_dot(0, 0x00007f7f, 0x00007f7f), 0x7f800000);          /* overflow is infinity */
    assert_int_equal(softfp_bf16_dot(0, 0x00007f80, 0x00000000), 0x7fc00000);
    assert_int_equal(softfp_bf16_dot(0, 0x00000001, 0x00007f00), 0);                   /* denormals count as zero */
    assert_int_equal(softfp_bf16_dot(0x3f800000, 0x00000080, 0x00003f80), 0x3f800001); /* to odd */
}

static void test_javascript(void **state)
{
    (void)state;
    static const struct {
        double a;
        uint32_t expected, flags;
        bool z;
    } cases[] = {
        {0.0, 0, 0, true},
        {-0.0, 0, 0, false},
        {1.0, 1, 0, true},
        {-1.0, UINT32_MAX, 0, true},
        {1.5, 1, SOFTFP_IXC, false},
        {-1.5, UINT32_MAX, SOFTFP_IXC, false},
        {2147483647.0, 0x7fffffff, 0, true},
        {2147483647.5, 0x7fffffff, SOFTFP_IXC, false},
        {-2147483648.0, 0x80000000, 0, true},
        {-2147483648.5, 0x80000000, SOFTFP_IXC, false},
        {2147483648.0, 0x80000000, SOFTFP_IOC, false},
        {4294967297.0, 1, SOFTFP_IOC, false},
        {-4294967297.5, UINT32_MAX, SOFTFP_IOC, false},
        {0x1p63, 0, SOFTFP_IOC, false},
        {0x1.0000000000001p84, 0, SOFTFP_IOC, false},
        {0x1.0000000000001p83, 0x80000000, SOFTFP_IOC, false},
        {0x1.0000000000001p53, 2, SOFTFP_IOC, false},
        {(double)INFINITY, 0, SOFTFP_IOC, false},
        {(double)NAN, 0, SOFTFP_IOC, false},
        {0x1p-1074, 0, SOFTFP_IXC, false},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct softfp env = {0};
        uint64_t bits;
        bool z;
        memcpy(&bits, &cases[i].a, sizeof bits);
        assert_int_equal(softfp_to_fixed_js(&env, bits, &z), cases[i].expected);
        assert_int_equal(env.flags, cases[i].flags);
        assert_int_equal(z, cases[i].z);
    }
}

static void test_muladd_half_to_single(void **state)
{
    (void)state;
    uint64_t seed = 3;
    for (unsigned i = 0; i < RANDOM_ROUNDS; i++) {
        uint16_t a = (uint16_t)random_operand(&seed, 16), b = (uint16_t)random_operand(&seed, 16);
        uint32_t c = (uint32_t)random_operand(&seed, 32);
        struct softfp env = {.rounding = i % 4}, expected_env = {.rounding = i % 4}, unused = {0};
        uint64_t wide_a = softfp_convert(&unused, 32, 16, a), wide_b = softfp_convert(&unused, 32, 16, b);
        uint32_t value = softfp_muladdh(&env, c, a, b);
        bool signaling = is_signaling(16, a) || is_signaling(16, b) || is_signaling(32, c);
        if (!signaling) { /* conversion would quiet it */
            assert_int_equal(value, softfp_muladd(&expected_env, 32, c, wide_a, wide_b));
            assert_int_equal(env.flags, expected_env.flags);
        } else {
            assert_int_equal(value, is_signaling(32, c) ? c | quiet_bit(32) : is_signaling(16, a) ? wide_a : wide_b);
            assert_int_equal(env.flags, SOFTFP_IOC);
        }
    }
}

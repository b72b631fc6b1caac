/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Software floating point against the host's: the compiler's float, double, _Float16, long double and __float128 in
 * every rounding mode, values and exceptions. Three differences are the architecture's and are accounted for here:
 *   - which NaN comes out is computed by this file's own reading of the rules;
 *   - the default NaN is positive on Arm, negative on x86;
 *   - underflow: Arm detects tininess before rounding, x86 after, so that for an inexact result that was rounded up
 *     to the smallest normal number Arm alone raises it.
 * What no host has (flush-to-zero, alternative half precision, estimates …) is in softfp_arm.h.
 */
#include <fenv.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "frontend/a64/simd_helpers.h"
#include "translator/softfp.h"

#define RANDOM_ROUNDS 40000
#define IEEE_FLAGS (SOFTFP_IOC | SOFTFP_DZC | SOFTFP_OFC | SOFTFP_UFC | SOFTFP_IXC)

/* ---- operands --------------------------------------------------------------------------------------------------- */

static uint64_t next_random(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static unsigned frac_bits_of(unsigned bits)
{
    return bits == 16 ? 10 : bits == 32 ? 23 : 52;
}

static unsigned exp_bits_of(unsigned bits)
{
    return bits - 1 - frac_bits_of(bits);
}

static uint64_t ones(unsigned n)
{
    return n == 64 ? UINT64_MAX : (UINT64_C(1) << n) - 1;
}

static uint64_t infinity_of(unsigned bits)
{
    return ones(exp_bits_of(bits)) << frac_bits_of(bits);
}

static bool is_nan(unsigned bits, uint64_t a)
{
    return (a & ones(bits - 1)) > infinity_of(bits);
}

static uint64_t quiet_bit(unsigned bits)
{
    return UINT64_C(1) << (frac_bits_of(bits) - 1);
}

static bool is_signaling(unsigned bits, uint64_t a)
{
    return is_nan(bits, a) && !(a & quiet_bit(bits));
}

static uint64_t default_nan(unsigned bits)
{
    return infinity_of(bits) | quiet_bit(bits);
}

/* Positive operands at the edges of every class; the table is built for a format. */
#define SPECIALS 30
static void make_specials(unsigned bits, uint64_t specials[SPECIALS])
{
    unsigned f = frac_bits_of(bits);
    uint64_t bias = ones(exp_bits_of(bits) - 1), one = bias << f, inf = infinity_of(bits);
    const uint64_t positive[SPECIALS / 2] = {
        0,
        1,
        ones(f) - 1,
        ones(f),
        UINT64_C(1) << f,
        (UINT64_C(1) << f) + 1,
        one - 1,
        one,
        one + 1,
        one + (UINT64_C(1) << (f - 1)),
        (bias + f) << f,
        inf - 1,
        inf,
        inf | 1 | quiet_bit(bits) >> 1,
        inf | quiet_bit(bits) | 5,
    };
    for (unsigned i = 0; i < SPECIALS / 2; i++) {
        specials[2 * i] = positive[i];
        specials[2 * i + 1] = positive[i] | UINT64_C(1) << (bits - 1);
    }
}

/* Random bits with exponents that make results interesting: all over, near one, near the ends, and special fractions.
   */
static uint64_t random_operand(uint64_t *state, unsigned bits)
{
    uint64_t r = next_random(state), choice = next_random(state);
    unsigned f = frac_bits_of(bits), e = exp_bits_of(bits);
    uint64_t exp = r >> f & ones(e), frac = r & ones(f), sign = choice >> 63;
    switch (choice & 7) {
    case 0:
        exp = ones(e - 1) - 2 + (r >> 60 & 3);
        break;
    case 1:
        exp = r >> 60 & 3;
        break;
    case 2:
        exp = ones(e) - 2 - (r >> 60 & 1);
        break;
    case 3:
        exp = ones(e - 1) / 2 + (r >> 60 & 7); /* squares to the edge of underflow */
        break;
    }
    switch (choice >> 3 & 7) {
    case 0:
        frac &= ~ones(f / 2);
        break;
    case 1:
        frac |= ones(f - 3);
        break;
    case 2:
        frac = UINT64_C(1) << (choice >> 8) % f;
        break;
    }
    return sign << (bits - 1) | exp << f | frac;
}

/* ---- the host --------------------------------------------------------------------------------------------------- */

static const struct {
    enum softfp_round soft;
    int host;
} roundings[] = {
    {SOFTFP_NEAREST, FE_TONEAREST},
    {SOFTFP_UP, FE_UPWARD},
    {SOFTFP_DOWN, FE_DOWNWARD},
    {SOFTFP_ZERO, FE_TOWARDZERO},
};
#define ROUNDINGS (sizeof roundings / sizeof *roundings)

static uint32_t host_flags(void)
{
    int raised = fetestexcept(FE_ALL_EXCEPT);
    return (raised & FE_INVALID ? SOFTFP_IOC : 0) | (raised & FE_DIVBYZERO ? SOFTFP_DZC : 0) |
           (raised & FE_OVERFLOW ? SOFTFP_OFC : 0) | (raised & FE_UNDERFLOW ? SOFTFP_UFC : 0) |
           (raised & FE_INEXACT ? SOFTFP_IXC : 0);
}

enum operation { OP_ADD, OP_SUB, OP_MUL, OP_DIV, OP_SQRT, OP_FMA, OP_COUNT };
static const char *const operation_names[OP_COUNT] = {"add", "sub", "mul", "div", "sqrt", "muladd"};

#define HOST_ARITHMETIC(type, integer, square_root, fused)                                                             \
    static uint64_t host_##type(enum operation operation, uint64_t bits_a, uint64_t bits_b, uint64_t bits_c)           \
    {                                                                                                                  \
        integer ia = (integer)bits_a, ib = (integer)bits_b, ic = (integer)bits_c, ir;                                  \
        volatile type a, b, c, r;                                                                                      \
        memcpy((void *)&a, &ia, sizeof a);                                                                             \
        memcpy((void *)&b, &ib, sizeof b);                                                                             \
        memcpy((void *)&c, &ic, sizeof c);                                                                             \
        feclearexcept(FE_ALL_EXCEPT);                                                                                  \
        switch (operation) {                                                                                           \
        case OP_ADD:                                                                                                   \
            r = a + b;                                                                                                 \
            break;                                                                                                     \
        case OP_SUB:                                                                                                   \
            r = a - b;                                                                                                 \
            break;                                                                                                     \
        case OP_MUL:                                                                                                   \
            r = a * b;                                                                                                 \
            break;                                                                                                     \
        case OP_DIV:                                                                                                   \
            r = a / b;                                                                                                 \
            break;                                                                                                     \
        case OP_SQRT:                                                                                                  \
            r = square_root(a);                                                                                        \
            break;                                                                                                     \
        default:                                                                                                       \
            r = fused;                                                                                                 \
            break;                                                                                                     \
        }                                                                                                              \
        memcpy(&ir, (const void *)&r, sizeof ir);                                                                      \
        return ir;                                                                                                     \
    }
HOST_ARITHMETIC(float, uint32_t, sqrtf, fmaf(a, b, c))
HOST_ARITHMETIC(double, uint64_t, sqrt, fma(a, b, c))
/* The product of two half-precision numbers and its sum with a third are exact in __float128. */
HOST_ARITHMETIC(_Float16, uint16_t, (_Float16)sqrtf, (_Float16)((__float128)a *b + c))

static uint64_t host_arithmetic(unsigned bits, enum operation operation, uint64_t a, uint64_t b, uint64_t c)
{
    return bits == 16   ? host__Float16(operation, a, b, c)
           : bits == 32 ? host_float(operation, a, b, c)
                        : host_double(operation, a, b, c);
}

static uint64_t soft_arithmetic(struct softfp *env, unsigned bits, enum operation operation, uint64_t a, uint64_t b,
                                uint64_t c)
{
    switch (operation) {
    case OP_ADD:
        return softfp_add(env, bits, a, b);
    case OP_SUB:
        return softfp_sub(env, bits, a, b);
    case OP_MUL:
        return softfp_mul(env, bits, a, b);
    case OP_DIV:
        return softfp_div(env, bits, a, b);
    case OP_SQRT:
        return softfp_sqrt(env, bits, a);
    default:
        return softfp_muladd(env, bits, c, a, b);
    }
}

/* The NaN that the rules select among the operands; 0 if none of them is one. */
static uint64_t selected_nan(unsigned bits, const uint64_t *operands, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        if (is_signaling(bits, operands[i])) {
            return operands[i] | quiet_bit(bits);
        }
    }
    for (unsigned i = 0; i < n; i++) {
        if (is_nan(bits, operands[i])) {
            return operands[i];
        }
    }
    return 0;
}

static void check(const char *what, unsigned bits, enum softfp_round rounding, const uint64_t operands[3],
                  uint64_t value, uint32_t flags, uint64_t expected, uint32_t expected_flags)
{
    bool may_be_tiny = (expected & ones(bits - 1)) == UINT64_C(1) << frac_bits_of(bits);
    if (may_be_tiny && expected_flags & SOFTFP_IXC && flags & SOFTFP_UFC) {
        expected_flags |= SOFTFP_UFC;
    }
    if (value != expected || flags != expected_flags) {
        fail_msg("%s%u rounding %u: %#llx %#llx %#llx = %#llx flags %#x, expected %#llx flags %#x", what, bits,
                 (unsigned)rounding, (unsigned long long)operands[0], (unsigned long long)operands[1],
                 (unsigned long long)operands[2], (unsigned long long)value, flags, (unsigned long long)expected,
                 expected_flags);
    }
}

static void check_arithmetic(unsigned bits, enum operation operation, unsigned rounding, uint64_t a, uint64_t b,
                             uint64_t c)
{
    struct softfp env = {.rounding = (uint8_t)roundings[rounding].soft};
    uint64_t value = soft_arithmetic(&env, bits, operation, a, b, c);
    fesetround(roundings[rounding].host);
    uint64_t expected = host_arithmetic(bits, operation, a, b, c);
    uint32_t flags = host_flags();
    fesetround(FE_TONEAREST);

    const uint64_t operands[3] = {a, b, c};
    uint64_t in_order[3] = {a, b, c};
    unsigned n = operation == OP_SQRT ? 1 : 2;
    if (operation == OP_FMA) {
        in_order[0] = c;
        in_order[1] = a;
        in_order[2] = b;
        n = 3;
    }
    uint64_t nan = selected_nan(bits, in_order, n);
    if (nan) {
        bool signaling = false;
        for (unsigned i = 0; i < n; i++) {
            signaling |= is_signaling(bits, operands[i]);
        }
        expected = nan;
        flags = signaling ? SOFTFP_IOC : 0;
        bool zero_a = (a & ones(bits - 1)) == 0, zero_b = (b & ones(bits - 1)) == 0;
        bool inf_a = (a & ones(bits - 1)) == infinity_of(bits), inf_b = (b & ones(bits - 1)) == infinity_of(bits);
        if (operation == OP_FMA && !signaling && ((zero_a && inf_b) || (inf_a && zero_b))) {
            expected = default_nan(bits);
            flags = SOFTFP_IOC;
        }
    } else if (is_nan(bits, expected)) {
        expected = default_nan(bits);
    }
    check(operation_names[operation], bits, roundings[rounding].soft, operands, value, env.flags & IEEE_FLAGS, expected,
          flags);
}

static void arithmetic_format(unsigned bits)
{
    uint64_t specials[SPECIALS], state = bits;
    make_specials(bits, specials);
    for (unsigned operation = 0; operation < OP_COUNT; operation++) {
        for (unsigned rounding = 0; rounding < ROUNDINGS; rounding++) {
            for (unsigned i = 0; i < SPECIALS; i++) {
                for (unsigned k = 0; k < SPECIALS; k++) {
                    for (unsigned m = 0; m < (operation == OP_FMA ? SPECIALS : 1); m++) {
                        check_arithmetic(bits, operation, rounding, specials[i], specials[k], specials[m]);
                    }
                }
            }
            for (unsigned i = 0; i < RANDOM_ROUNDS; i++) {
                uint64_t a = random_operand(&state, bits), b = random_operand(&state, bits);
                uint64_t c = random_operand(&state, bits);
                if (i & 1 && operation == OP_FMA) { /* cancellation: c near -a * b */
                    struct softfp env = {0};
                    c = softfp_neg(bits, softfp_mul(&env, bits, a, b)) ^ (next_random(&state) & 3);
                } else if (i & 1 && (operation == OP_ADD || operation == OP_SUB)) {
                    b = a ^ (next_random(&state) & 0x8000800080000007);
                }
                check_arithmetic(bits, operation, rounding, a, b & ones(bits), c & ones(bits));
            }
        }
    }
}

static void test_arithmetic_half(void **state)
{
    (void)state;
    arithmetic_format(16);
}

static void test_arithmetic_single(void **state)
{
    (void)state;
    arithmetic_format(32);
}

static void test_arithmetic_double(void **state)
{
    (void)state;
    arithmetic_format(64);
}

/* ---- order ------------------------------------------------------------------------------------------------------ */

/* The operand as a double, exactly. */
static double as_double(unsigned bits, uint64_t a)
{
    if (bits == 64) {
        double d;
        memcpy(&d, &a, sizeof d);
        return d;
    }
    unsigned f = frac_bits_of(bits), exp = a >> f & ones(exp_bits_of(bits));
    int bias = (int)ones(exp_bits_of(bits) - 1);
    uint64_t frac = a & ones(f);
    double magnitude = exp == ones(exp_bits_of(bits)) ? (frac ? (double)NAN : (double)INFINITY)
                       : exp == 0                     ? ldexp((double)frac, 1 - bias - (int)f)
                                  : ldexp((double)(frac | UINT64_C(1) << f), (int)exp - bias - (int)f);
    return a >> (bits - 1) & 1 ? -magnitude : magnitude;
}

static uint64_t expected_extremum(unsigned bits, uint64_t a, uint64_t b, bool max)
{
    double da = as_double(bits, a), db = as_double(bits, b);
    if (da == 0 && db == 0) {
        return max ? a & b : a | b;
    }
    return (da > db) == max ? a : b;
}

static void check_order(unsigned bits, uint64_t a, uint64_t b)
{
    const uint64_t operands[3] = {a, b, 0};
    bool nan_a = is_nan(bits, a), nan_b = is_nan(bits, b);
    bool signaling = is_signaling(bits, a) || is_signaling(bits, b);
    uint32_t invalid = signaling ? SOFTFP_IOC : 0;
    uint64_t nan = selected_nan(bits, operands, 2);
    for (unsigned max = 0; max < 2; max++) {
        struct softfp env = {0}, env_number = {0};
        uint64_t value = max ? softfp_max(&env, bits, a, b) : softfp_min(&env, bits, a, b);
        uint64_t number = max ? softfp_maxnm(&env_number, bits, a, b) : softfp_minnm(&env_number, bits, a, b);
        uint64_t expected = nan ? nan : expected_extremum(bits, a, b, max);
        check(max ? "max" : "min", bits, 0, operands, value, env.flags, expected, invalid);
        if (!signaling && nan_a != nan_b) {
            expected = nan_a ? b : a;
        }
        check(max ? "maxnm" : "minnm", bits, 0, operands, number, env_number.flags, expected, invalid);
    }

    double da = as_double(bits, a), db = as_double(bits, b);
    enum softfp_relation relation = nan       ? SOFTFP_UNORDERED
                                    : da < db ? SOFTFP_LESS
                                    : da > db ? SOFTFP_GREATER
                                              : SOFTFP_EQUAL;
    for (unsigned signal = 0; signal < 2; signal++) {
        struct softfp env = {0};
        uint64_t value = softfp_compare(&env, bits, a, b, signal);
        check("compare", bits, 0, operands, value, env.flags, relation, signal && nan ? SOFTFP_IOC : invalid);
    }
}

static void test_order(void **state)
{
    (void)state;
    for (unsigned bits = 16; bits <= 64; bits *= 2) {
        uint64_t specials[SPECIALS], seed = bits;
        make_specials(bits, specials);
        for (unsigned i = 0; i < SPECIALS; i++) {
            for (unsigned k = 0; k < SPECIALS; k++) {
                check_order(bits, specials[i], specials[k]);
            }
        }
        for (unsigned i = 0; i < RANDOM_ROUNDS; i++) {
            uint64_t a = random_operand(&seed, bits), b = random_operand(&seed, bits);
            check_order(bits, a, i & 1 ? b : a ^ (next_random(&seed) & 1) << (next_random(&seed) % bits));
        }
    }
}

static void test_relation_flags(void **state)
{
    (void)state;
    assert_int_equal(softfp_relation_flags(SOFTFP_LESS), IR_FLAG_N | IR_FLAG_NOT_C);
    assert_int_equal(softfp_relation_flags(SOFTFP_EQUAL), IR_FLAG_Z);
    assert_int_equal(softfp_relation_flags(SOFTFP_GREATER), 0);
    assert_int_equal(softfp_relation_flags(SOFTFP_UNORDERED), IR_FLAG_V);
    static const struct {
        enum ir_flag_cond cond;
        bool less, equal, greater, unordered;
    } rows[] = {
        {IR_FLAG_EQ, 0, 1, 0, 0}, {IR_FLAG_NE, 1, 0, 1, 1}, {IR_FLAG_CS, 0, 1, 1, 1}, {IR_FLAG_CC, 1, 0, 0, 0},
        {IR_FLAG_MI, 1, 0, 0, 0}, {IR_FLAG_PL, 0, 1, 1, 1}, {IR_FLAG_VS, 0, 0, 0, 1}, {IR_FLAG_VC, 1, 1, 1, 0},
        {IR_FLAG_HI, 0, 0, 1, 1}, {IR_FLAG_LS, 1, 1, 0, 0}, {IR_FLAG_GE, 0, 1, 1, 0}, {IR_FLAG_LT, 1, 0, 0, 1},
        {IR_FLAG_GT, 0, 0, 1, 0}, {IR_FLAG_LE, 1, 1, 0, 1},
    };
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(softfp_relation_holds(SOFTFP_LESS, rows[i].cond), rows[i].less);
        assert_int_equal(softfp_relation_holds(SOFTFP_EQUAL, rows[i].cond), rows[i].equal);
        assert_int_equal(softfp_relation_holds(SOFTFP_GREATER, rows[i].cond), rows[i].greater);
        assert_int_equal(softfp_relation_holds(SOFTFP_UNORDERED, rows[i].cond), rows[i].unordered);
    }
}

/* ---- conversions ------------------------------------------------------------------------------------------------ */

#define HOST_CONVERSION(to, to_integer, from, from_integer)                                                            \
    static uint64_t host_##from##_##to(uint64_t bits)                                                                  \
    {                                                                                                                  \
        from_integer ia = (from_integer)bits;                                                                          \
        volatile from a;                                                                                               \
        volatile to r;                                                                                                 \
        to_integer ir;                                                                                                 \
        memcpy((void *)&a, &ia, sizeof a);                                                                             \
        feclearexcept(FE_ALL_EXCEPT);                                                                                  \
        r = (to)a;                                                                                                     \
        memcpy(&ir, (const void *)&r, sizeof ir);                                                                      \
        return ir;                                                                                                     \
    }
HOST_CONVERSION(float, uint32_t, _Float16, uint16_t)
HOST_CONVERSION(double, uint64_t, _Float16, uint16_t)
HOST_CONVERSION(_Float16, uint16_t, float, uint32_t)
HOST_CONVERSION(double, uint64_t, float, uint32_t)
HOST_CONVERSION(_Float16, uint16_t, double, uint64_t)
HOST_CONVERSION(float, uint32_t, double, uint64_t)

static void test_convert(void **state)
{
    (void)state;
    static const struct {
        unsigned to, from;
        uint64_t (*host)(uint64_t);
    } pairs[] = {
        {32, 16, host__Float16_float}, {64, 16, host__Float16_double}, {16, 32, host_float__Float16},
        {64, 32, host_float_double},   {16, 64, host_double__Float16}, {32, 64, host_double_float},
    };
    for (unsigned p = 0; p < sizeof pairs / sizeof *pairs; p++) {
        unsigned to = pairs[p].to, from = pairs[p].from;
        uint64_t specials[SPECIALS], seed = p;
        make_specials(from, specials);
        for (unsigned i = 0; i < RANDOM_ROUNDS; i++) {
            uint64_t a = i < SPECIALS ? specials[i] : random_operand(&seed, from);
            if (i >= SPECIALS && i % 2 && to < from) { /* into the range of the smaller format and a little beyond */
                uint64_t bias = ones(exp_bits_of(from) - 1), range = ones(exp_bits_of(to) - 1) + frac_bits_of(to) + 3;
                uint64_t exp = bias - range + next_random(&seed) % (2 * range);
                a = (a & ~infinity_of(from)) | exp << frac_bits_of(from);
            }
            for (unsigned r = 0; r < ROUNDINGS; r++) {
                struct softfp env = {.rounding = (uint8_t)roundings[r].soft};
                uint64_t value = softfp_convert(&env, to, from, a);
                fesetround(roundings[r].host);
                uint64_t expected = pairs[p].host(a);
                uint32_t flags = host_flags();
                fesetround(FE_TONEAREST);
                if (is_nan(from, a)) {
                    flags = is_signaling(from, a) ? SOFTFP_IOC : 0;
                    uint64_t payload = a & ones(frac_bits_of(from));
                    payload = to > from ? payload << (frac_bits_of(to) - frac_bits_of(from))
                                        : payload >> (frac_bits_of(from) - frac_bits_of(to));
                    expected = (a >> (from - 1)) << (to - 1) | infinity_of(to) | quiet_bit(to) | payload;
                }
                const uint64_t operands[3] = {a, from, to};
                check("convert", to, roundings[r].soft, operands, value, env.flags, expected, flags);
            }
        }
    }
}

static void check_from_fixed(unsigned bits, unsigned rounding, uint64_t integer, unsigned fraction_bits,
                             bool is_unsigned, unsigned int_bits)
{
    struct softfp env = {.rounding = (uint8_t)roundings[rounding].soft};
    uint64_t value = softfp_from_fixed(&env, bits, integer, fraction_bits, is_unsigned, int_bits);
    unsigned unused = 64 - int_bits;
    __float128 exact =
        is_unsigned ? (__float128)(integer << unused >> unused) : (__float128)((int64_t)(integer << unused) >> unused);
    for (unsigned i = 0; i < fraction_bits; i++) {
        exact /= 2;
    }
    uint64_t expected = 0;
    fesetround(roundings[rounding].host);
    feclearexcept(FE_ALL_EXCEPT);
    volatile __float128 from = exact;
    if (bits == 16) {
        volatile _Float16 r = (_Float16)from;
        memcpy(&expected, (const void *)&r, sizeof r);
    } else if (bits == 32) {
        volatile float r = (float)from;
        memcpy(&expected, (const void *)&r, sizeof r);
    } else {
        volatile double r = (double)from;
        memcpy(&expected, (const void *)&r, sizeof r);
    }
    uint32_t flags = host_flags();
    fesetround(FE_TONEAREST);
    const uint64_t operands[3] = {integer, fraction_bits, int_bits};
    check(is_unsigned ? "from_fixed unsigned " : "from_fixed ", bits, roundings[rounding].soft, operands, value,
          env.flags, expected, flags);
}

static void test_from_fixed(void **state)
{
    (void)state;
    uint64_t seed = 1;
    for (unsigned i = 0; i < RANDOM_ROUNDS; i++) {
        uint64_t integer = next_random(&seed) >> next_random(&seed) % 64;
        integer = i % 4 == 0 ? -integer : i % 4 == 1 ? ~integer : integer;
        for (unsigned bits = 16; bits <= 64; bits *= 2) {
            unsigned int_bits = 16u << next_random(&seed) % 3;
            unsigned fraction_bits = i & 4 ? 0 : (unsigned)(next_random(&seed) % (int_bits + 1));
            check_from_fixed(bits, i / 8 % ROUNDINGS, integer, fraction_bits, i & 1, int_bits);
        }
    }
}

static const enum softfp_round to_integer_roundings[] = {SOFTFP_NEAREST, SOFTFP_UP, SOFTFP_DOWN, SOFTFP_ZERO,
                                                         SOFTFP_AWAY};
#define TO_INTEGER_ROUNDINGS 5

/* Exact for every double scaled by up to 2^64: long double has 64 bits and a wide exponent. */
static long double round_host(long double a, enum softfp_round rounding)
{
    switch (rounding) {
    case SOFTFP_UP:
        return ceill(a);
    case SOFTFP_DOWN:
        return floorl(a);
    case SOFTFP_ZERO:
        return truncl(a);
    case SOFTFP_AWAY:
        return roundl(a);
    default:
        return nearbyintl(a);
    }
}

static void check_to_fixed(unsigned bits, uint64_t a, unsigned fraction_bits, bool is_unsigned, unsigned int_bits,
                           enum softfp_round rounding)
{
    struct softfp env = {0};
    uint64_t value = softfp_to_fixed(&env, bits, a, fraction_bits, is_unsigned, int_bits, rounding);
    long double exact = ldexpl((long double)as_double(bits, a), (int)fraction_bits);
    long double rounded = round_host(exact, rounding);
    uint32_t flags = rounded != exact ? SOFTFP_IXC : 0;
    long double lowest = is_unsigned ? 0 : -ldexpl(1, (int)int_bits - 1);
    long double highest = ldexpl(1, (int)int_bits - !is_unsigned) - 1; /* exact: 64 bits at most */
    uint64_t expected;
    if (is_nan(bits, a)) {
        expected = 0;
        flags = SOFTFP_IOC;
    } else if (rounded < lowest) {
        expected = is_unsigned ? 0 : UINT64_C(1) << (int_bits - 1);
        flags = SOFTFP_IOC;
    } else if (rounded > highest) {
        expected = ones(int_bits - !is_unsigned);
        flags = SOFTFP_IOC;
    } else {
        expected = (rounded < 0 ? -(uint64_t)-rounded : (uint64_t)rounded) & ones(int_bits);
    }
    const uint64_t operands[3] = {a, fraction_bits, int_bits};
    check(is_unsigned ? "to_fixed unsigned " : "to_fixed ", bits, rounding, operands, value, env.flags, expected,
          flags);
}

static void check_round_int(unsigned bits, uint64_t a, enum softfp_round rounding)
{
    const uint64_t operands[3] = {a};
    struct softfp env = {0}, env_exact = {0};
    uint64_t value = softfp_round_int(&env, bits, a, rounding, false);
    uint64_t value_exact = softfp_round_int(&env_exact, bits, a, rounding, true);
    if (is_nan(bits, a)) {
        uint32_t flags = is_signaling(bits, a) ? SOFTFP_IOC : 0;
        check("round_int", bits, rounding, operands, value, env.flags, a | quiet_bit(bits), flags);
        check("round_int exact", bits, rounding, operands, value_exact, env_exact.flags, a | quiet_bit(bits), flags);
        return;
    }
    double rounded = (double)round_host((long double)as_double(bits, a), rounding);
    assert_true(as_double(bits, value) == rounded);
    assert_int_equal(value >> (bits - 1), a >> (bits - 1));
    assert_int_equal(env.flags, 0);
    check("round_int exact", bits, rounding, operands, value_exact, env_exact.flags, value,
          rounded != as_double(bits, a) ? SOFTFP_IXC : 0);
}

static void check_round_int_n(unsigned bits, uint64_t a, enum softfp_round rounding, unsigned int_bits)
{
    struct softfp env = {0}, env_int = {0};
    uint64_t value = softfp_round_int_n(&env, bits, a, rounding, int_bits);
    uint64_t integer = softfp_to_fixed(&env_int, bits, a, 0, false, int_bits, rounding);
    double expected = env_int.flags & SOFTFP_IOC ? -ldexp(1, (int)int_bits - 1)
                                                 : (double)((int64_t)(integer << (64 - int_bits)) >> (64 - int_bits));
    assert_true(as_double(bits, value) == expected);
    assert_int_equal(env.flags, env_int.flags);
    if (expected == 0) {
        assert_int_equal(value >> (bits - 1), a >> (bits - 1));
    }
}

static void test_to_integer(void **state)
{
    (void)state;
    for (unsigned bits = 16; bits <= 64; bits *= 2) {
        uint64_t specials[SPECIALS], seed = bits;
        make_specials(bits, specials);
        unsigned f = frac_bits_of(bits);
        uint64_t bias = ones(exp_bits_of(bits) - 1);
        for (unsigned i = 0; i < RANDOM_ROUNDS; i++) {
            uint64_t a = i < SPECIALS ? specials[i] : random_operand(&seed, bits);
            if (i >= SPECIALS &&
                i % 4) { /* magnitudes from 1/8 to 2^66; some with nothing or a half behind the point */
                uint64_t exp = bias - 3 + next_random(&seed) % (bits == 16 ? 18 : 70);
                a = (a & ~infinity_of(bits)) | exp << f;
                if (i % 4 == 2 && exp >= bias - 1 && exp < bias + f) {
                    a &= ~(ones(f) >> (exp + 1 - bias));
                }
            }
            for (unsigned r = 0; r < TO_INTEGER_ROUNDINGS; r++) {
                enum softfp_round rounding = to_integer_roundings[r];
                unsigned int_bits = 16u << next_random(&seed) % 3;
                unsigned fraction_bits = i & 16 ? 0 : (unsigned)(next_random(&seed) % (int_bits + 1));
                check_to_fixed(bits, a, fraction_bits, i & 1, int_bits, rounding);
                check_round_int(bits, a, rounding);
                if (bits > 16) {
                    check_round_int_n(bits, a, rounding, 32);
                    check_round_int_n(bits, a, rounding, 64);
                }
            }
        }
    }
}

#include "tests/softfp_arm.h"

/* ---- MXCSR and IR operations ------------------------------------------------------------------------------------ */

static void test_mxcsr(void **state)
{
    (void)state;
    const uint32_t saved = _mm_getcsr();
    static const enum softfp_round by_rc[4] = {SOFTFP_NEAREST, SOFTFP_DOWN, SOFTFP_UP, SOFTFP_ZERO};
    for (unsigned rc = 0; rc < 4; rc++) {
        _mm_setcsr(0x1f80 | rc << 13);
        enum softfp_round rounding = softfp_rounding_from_mxcsr();
        softfp_raise_mxcsr(SOFTFP_IOC | SOFTFP_IXC | SOFTFP_IDC);
        uint32_t after = _mm_getcsr();
        softfp_raise_mxcsr(SOFTFP_DZC | SOFTFP_OFC | SOFTFP_UFC);
        uint32_t last = _mm_getcsr();
        _mm_setcsr(saved);
        assert_int_equal(rounding, by_rc[rc]);
        assert_int_equal(after, 0x1f80 | rc << 13 | 0x21);
        assert_int_equal(last, 0x1f80 | rc << 13 | 0x3d);
    }
}

/* The tables of estimates against the manual's loops: RecipEstimate(), RecipSqrtEstimate() (shared/functions/float). */
static void test_estimate_tables(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 256; i++) {
        unsigned a = (256 + i) * 2 + 1, b = (1u << 19) / a;
        assert_int_equal(softfp_recip_table[i], ((b + 1) / 2) & 0xff);
    }
    for (unsigned i = 0; i < 512; i++) {
        unsigned fraction = 256 | (i & 255); /* biased exponent odd: 0.25 … 0.5, even: 0.5 … 1.0 */
        unsigned a = i & 256 ? (fraction >> 1) * 2 + 1 : (fraction >> 1 << 1) * 2 + 2, b = 512;
        while (a * (b + 1) * (b + 1) < 1u << 28) {
            b++;
        }
        assert_int_equal(softfp_rsqrt_table[i], ((b + 1) / 2) & 0xff);
    }
}

/* The helper of BFDOT does the same with host arithmetic, and leaves MXCSR alone. */
static void test_bf16_dot_helper(void **state)
{
    (void)state;
    uint64_t seed = 3;
    const uint32_t saved = _mm_getcsr();
    for (unsigned round = 0; round < RANDOM_ROUNDS; round++) {
        uint32_t c[4], a[4], b[4], r[4];
        for (unsigned i = 0; i < 4; i++) {
            uint64_t near = next_random(&seed); /* exponents all over, or near to one another, so that sums cancel */
            c[i] = (uint32_t)random_operand(&seed, 32);
            a[i] = (uint32_t)(random_operand(&seed, 32) & 0xffff0000) | (uint32_t)random_operand(&seed, 32) >> 16;
            b[i] = (uint32_t)(random_operand(&seed, 32) & 0xffff0000) | (uint32_t)random_operand(&seed, 32) >> 16;
            if (near & 3) {
                a[i] = (a[i] & 0x83ff83ff) | 0x3c003c00;
                b[i] = (b[i] & 0x83ff83ff) | 0x3c003c00;
                c[i] = (c[i] & 0x80ffffff) | (near & 4 ? 0x3f000000 : 0x32000000);
            }
        }
        __m128i vectors[3];
        memcpy(&vectors[0], c, 16);
        memcpy(&vectors[1], a, 16);
        memcpy(&vectors[2], b, 16);
        uint32_t mxcsr = 0x1f80 | (round & 3) << 13 | (round >> 2 & 0x3f);
        _mm_setcsr(mxcsr);
        __m128i result = helper_bf16_dot(vectors[0], vectors[1], vectors[2]);
        uint32_t after = _mm_getcsr();
        _mm_setcsr(saved);
        memcpy(r, &result, 16);
        assert_int_equal(after, mxcsr);
        for (unsigned i = 0; i < 4; i++) {
            assert_int_equal(r[i], softfp_bf16_dot(c[i], a[i], b[i]));
        }
    }
}

static void eval(struct ir_insn insn, const uint64_t operands[3][2], uint64_t result[2], uint32_t *mxcsr)
{
    __m128i vectors[3], value;
    memcpy(vectors, operands, sizeof vectors);
    const uint32_t saved = _mm_getcsr();
    _mm_setcsr(0x1f80);
    softfp_eval_ir(&insn, vectors, &value);
    *mxcsr = _mm_getcsr() & 0x3f;
    _mm_setcsr(saved);
    memcpy(result, &value, sizeof value);
}

static void test_eval_ir(void **state)
{
    (void)state;
    uint64_t result[2];
    uint32_t mxcsr;
    const uint64_t one = 0x3ff0000000000000, three = 0x4008000000000000, none[2] = {UINT64_MAX, UINT64_MAX};

    eval((struct ir_insn){.op = IR_FDIV, .type = IR_F64}, (const uint64_t[3][2]){{one, none[0]}, {three, none[0]}},
         result, &mxcsr);
    assert_int_equal(result[0], UINT64_C(0x3fd5555555555555));
    assert_int_equal(result[1], 0);
    assert_int_equal(mxcsr, 0x20);

    eval((struct ir_insn){.op = IR_FMA, .type = IR_F32},
         (const uint64_t[3][2]){{0xffffffff40000000}, {0xffffffff40400000}, {0xffffffff3f800000}}, result, &mxcsr);
    assert_int_equal(result[0], 0x40e00000);
    assert_int_equal(mxcsr, 0);

    eval((struct ir_insn){.op = IR_VFADD, .type = IR_V128, .size = 4},
         (const uint64_t[3][2]){{0x3f8000003f800000, 0x7f8000007f800001}, {0x400000003f800000, 0xff80000000000000}},
         result, &mxcsr);
    assert_int_equal(result[0], UINT64_C(0x4040000040000000));
    assert_int_equal(result[1], UINT64_C(0x7fc000007fc00001));
    assert_int_equal(mxcsr, 1);

    eval((struct ir_insn){.op = IR_FCMP, .type = IR_I32, .size = 8, .mode = IR_FLAG_GT | IR_FCMP_SIGNAL},
         (const uint64_t[3][2]){{three}, {one}}, result, &mxcsr);
    assert_int_equal(result[0], 1);
    eval((struct ir_insn){.op = IR_FLAGS_FCMP, .type = IR_I32, .size = 8, .mode = IR_FLAGS_FCMP_SIGNAL},
         (const uint64_t[3][2]){{three}, {0x7ff8000000000000}}, result, &mxcsr);
    assert_int_equal(result[0], IR_FLAG_V);
    assert_int_equal(mxcsr, 1);

    eval((struct ir_insn){.op = IR_VFCVTL, .type = IR_V128, .size = 4}, (const uint64_t[3][2]){{0x404000003f800000, 7}},
         result, &mxcsr);
    assert_int_equal(result[0], one);
    assert_int_equal(result[1], three);
    eval((struct ir_insn){.op = IR_VFCVTN, .type = IR_V128, .size = 8}, (const uint64_t[3][2]){{one, three}}, result,
         &mxcsr);
    assert_int_equal(result[0], UINT64_C(0x404000003f800000));
    assert_int_equal(result[1], 0);

    eval((struct ir_insn){.op = IR_FTOSI, .type = IR_I32, .size = 8, .mode = IR_ROUND_ZERO},
         (const uint64_t[3][2]){{0xc1f0000000000000}}, result, &mxcsr); /* -2^32 */
    assert_int_equal(result[0], 0x80000000);
    assert_int_equal(mxcsr, 1);
    eval((struct ir_insn){.op = IR_UITOF, .type = IR_F32, .size = 8}, (const uint64_t[3][2]){{UINT64_MAX}}, result,
         &mxcsr);
    assert_int_equal(result[0], 0x5f800000);
    assert_int_equal(mxcsr, 0x20);
    eval((struct ir_insn){.op = IR_VFCMP, .type = IR_V128, .size = 8, .mode = IR_FLAG_GE},
         (const uint64_t[3][2]){{one, 0x7ff8000000000000}, {one, one}}, result, &mxcsr);
    assert_int_equal(result[0], UINT64_MAX);
    assert_int_equal(result[1], 0);
    assert_int_equal(mxcsr, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_arithmetic_half),
        cmocka_unit_test(test_arithmetic_single),
        cmocka_unit_test(test_arithmetic_double),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_relation_flags),
        cmocka_unit_test(test_convert),
        cmocka_unit_test(test_from_fixed),
        cmocka_unit_test(test_to_integer),
        cmocka_unit_test(test_estimates),
        cmocka_unit_test(test_steps),
        cmocka_unit_test(test_flush_to_zero),
        cmocka_unit_test(test_default_nan),
        cmocka_unit_test(test_alternative_half),
        cmocka_unit_test(test_round_to_odd),
        cmocka_unit_test(test_bfloat16),
        cmocka_unit_test(test_javascript),
        cmocka_unit_test(test_muladd_half_to_single),
        cmocka_unit_test(test_estimate_tables),
        cmocka_unit_test(test_bf16_dot_helper),
        cmocka_unit_test(test_mxcsr),
        cmocka_unit_test(test_eval_ir),
    };
    return cmocka_run_group_tests_name("softfp", tests, NULL, NULL);
}

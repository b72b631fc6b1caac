/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Floating point at its edges: rounding modes, cumulative exceptions, NaN operands, conversions that saturate, zeros' signs. */
#include <fenv.h>
#include <math.h>
#include "check.h"

#define NOINLINE __attribute__((noinline))
static uint64_t bits(double d) { uint64_t u; memcpy(&u, &d, 8); return u; }
static uint32_t bits32(float f) { uint32_t u; memcpy(&u, &f, 4); return u; }
static double from(uint64_t u) { double d; memcpy(&d, &u, 8); return d; }

static NOINLINE double divide(double a, double b) { double r; __asm__ volatile("fdiv %d0, %d1, %d2" : "=w"(r) : "w"(a), "w"(b)); return r; }
static NOINLINE double add(double a, double b) { double r; __asm__ volatile("fadd %d0, %d1, %d2" : "=w"(r) : "w"(a), "w"(b)); return r; }
static NOINLINE double multiply(double a, double b) { double r; __asm__ volatile("fmul %d0, %d1, %d2" : "=w"(r) : "w"(a), "w"(b)); return r; }
static NOINLINE double fused(double c, double a, double b) { double r; __asm__ volatile("fmadd %d0, %d1, %d2, %d3" : "=w"(r) : "w"(a), "w"(b), "w"(c)); return r; }
static NOINLINE double root(double a) { double r; __asm__ volatile("fsqrt %d0, %d1" : "=w"(r) : "w"(a)); return r; }
#define MINMAX(name) static NOINLINE double a64_##name(double a, double b) { double r; __asm__ volatile(#name " %d0, %d1, %d2" : "=w"(r) : "w"(a), "w"(b)); return r; }
MINMAX(fmin) MINMAX(fmax) MINMAX(fminnm) MINMAX(fmaxnm)
#define CONVERT(name, type, form) static NOINLINE type name(double a) { type r; __asm__ volatile(#name " " form "0, %d1" : "=r"(r) : "w"(a)); return r; }
CONVERT(fcvtzs, int64_t, "%") CONVERT(fcvtzu, uint64_t, "%") CONVERT(fcvtns, int64_t, "%") CONVERT(fcvtas, int64_t, "%") CONVERT(fcvtps, int64_t, "%") CONVERT(fcvtmu, uint64_t, "%")
static NOINLINE int32_t to_word(double a) { int32_t r; __asm__ volatile("fcvtzs %w0, %d1" : "=r"(r) : "w"(a)); return r; }
static NOINLINE unsigned compare(double a, double b) { uint64_t r; __asm__ volatile("fcmp %d1, %d2\n mrs %0, nzcv" : "=r"(r) : "w"(a), "w"(b) : "cc"); return (unsigned)(r >> 28); }
static NOINLINE unsigned compare_signaling(double a, double b) { uint64_t r; __asm__ volatile("fcmpe %d1, %d2\n mrs %0, nzcv" : "=r"(r) : "w"(a), "w"(b) : "cc"); return (unsigned)(r >> 28); }

static int raised(void)
{
    int now = fetestexcept(FE_ALL_EXCEPT);
    feclearexcept(FE_ALL_EXCEPT);
    return now;
}
#define RAISES(expression, value, exceptions) do { feclearexcept(FE_ALL_EXCEPT); CHECK_EQ(bits(expression), value); CHECK_EQ(raised(), exceptions); } while (0)
#define GIVES(expression, value, exceptions) do { feclearexcept(FE_ALL_EXCEPT); CHECK_EQ(expression, value); CHECK_EQ(raised(), exceptions); } while (0)

int main(void)
{
    const double infinity = from(0x7ff0000000000000), quiet = from(0x7ff8000000000123), negative_quiet = from(0xfff8000000000456);
    const double signaling = from(0x7ff0000000000789), tiny = from(1), largest = from(0x7fefffffffffffff);
    const uint64_t generated = 0x7ff8000000000000;
    static const struct { int mode; uint64_t third, negative; } rounding[] = {
        {FE_TONEAREST, 0x3fd5555555555555, 0xbfd5555555555555}, {FE_UPWARD, 0x3fd5555555555556, 0xbfd5555555555555},
        {FE_DOWNWARD, 0x3fd5555555555555, 0xbfd5555555555556}, {FE_TOWARDZERO, 0x3fd5555555555555, 0xbfd5555555555555}};
    for (unsigned i = 0; i < 4; i++) {
        CHECK(fesetround(rounding[i].mode) == 0);
        RAISES(divide(1, 3), rounding[i].third, FE_INEXACT);
        RAISES(divide(-1, 3), rounding[i].negative, FE_INEXACT);
        int up = rounding[i].mode == FE_UPWARD, zero_or_down = rounding[i].mode == FE_DOWNWARD || rounding[i].mode == FE_TOWARDZERO;
        RAISES(add(largest, largest), zero_or_down ? 0x7fefffffffffffff : 0x7ff0000000000000, FE_OVERFLOW | FE_INEXACT);
        RAISES(multiply(tiny, 0.5), up ? 1 : 0, FE_UNDERFLOW | FE_INEXACT);
        RAISES(add(1, -1), rounding[i].mode == FE_DOWNWARD ? 0x8000000000000000 : 0, 0);
        double rounded;
        __asm__ volatile("frinti %d0, %d1" : "=w"(rounded) : "w"(2.5));
        CHECK(rounded == (up ? 3.0 : 2.0));
        __asm__ volatile("frinta %d0, %d1" : "=w"(rounded) : "w"(-2.5));
        CHECK(rounded == -3.0);
        __asm__ volatile("frintn %d0, %d1" : "=w"(rounded) : "w"(3.5));
        CHECK(rounded == 4.0);
        CHECK_EQ(fcvtns(2.5), 2);
        CHECK_EQ(fcvtas(2.5), 3);
        CHECK_EQ(fcvtzs(-2.9), -2);
        CHECK_EQ(fcvtps(2.1), 3);
        float narrowed;
        __asm__ volatile("fcvt %s0, %d1" : "=w"(narrowed) : "w"(1.0 + 0x1p-25));
        CHECK_EQ(bits32(narrowed), up ? 0x3f800001 : 0x3f800000);
    }
    fesetround(FE_TONEAREST);
    RAISES(divide(1, 0), 0x7ff0000000000000, FE_DIVBYZERO);
    RAISES(divide(-1, 0), 0xfff0000000000000, FE_DIVBYZERO);
    RAISES(divide(0, 0), generated, FE_INVALID);
    RAISES(add(infinity, -infinity), generated, FE_INVALID);
    RAISES(multiply(0, infinity), generated, FE_INVALID);
    RAISES(root(-1), generated, FE_INVALID);
    RAISES(root(-0.0), 0x8000000000000000, 0);
    RAISES(root(2), 0x3ff6a09e667f3bcd, FE_INEXACT);
    RAISES(add(quiet, negative_quiet), 0x7ff8000000000123, 0);
    RAISES(add(negative_quiet, quiet), 0xfff8000000000456, 0);
    RAISES(add(1, negative_quiet), 0xfff8000000000456, 0);
    RAISES(add(quiet, signaling), 0x7ff8000000000789, FE_INVALID);
    RAISES(multiply(signaling, 2), 0x7ff8000000000789, FE_INVALID);
    RAISES(fused(quiet, signaling, 1), 0x7ff8000000000789, FE_INVALID);
    RAISES(fused(quiet, 2, negative_quiet), 0x7ff8000000000123, 0);
    RAISES(fused(quiet, 0, infinity), generated, FE_INVALID);
    RAISES(fused(1, 2, negative_quiet), 0xfff8000000000456, 0);
    RAISES(fused(0x1p-60, 1 + 0x1p-52, 1 + 0x1p-52), 0x3ff0000000000002, FE_INEXACT);
    RAISES(a64_fmin(0.0, -0.0), 0x8000000000000000, 0);
    RAISES(a64_fmax(-0.0, 0.0), 0, 0);
    RAISES(a64_fmax(1, quiet), 0x7ff8000000000123, 0);
    RAISES(a64_fmaxnm(1, quiet), 0x3ff0000000000000, 0);
    RAISES(a64_fminnm(quiet, 2), 0x4000000000000000, 0);
    RAISES(a64_fminnm(signaling, 2), 0x7ff8000000000789, FE_INVALID);
    GIVES(fcvtzs(1e30), INT64_MAX, FE_INVALID);
    GIVES(fcvtzs(-1e30), INT64_MIN, FE_INVALID);
    GIVES(fcvtzs(quiet), 0, FE_INVALID);
    GIVES(fcvtzs(1.5), 1, FE_INEXACT);
    GIVES(fcvtzu(-1.0), 0, FE_INVALID);
    GIVES(fcvtzu(-0.5), 0, FE_INEXACT);
    GIVES(fcvtzu(0x1p63), 0x8000000000000000, 0);
    GIVES(fcvtzu(0x1p64), UINT64_MAX, FE_INVALID);
    GIVES(fcvtmu(5.9), 5, FE_INEXACT);
    GIVES(to_word(3e9), INT32_MAX, FE_INVALID);
    GIVES(to_word(-2147483648.5), INT32_MIN, FE_INEXACT);
    GIVES(compare(1, 2), 8, 0);
    GIVES(compare(2, 1), 2, 0);
    GIVES(compare(0.0, -0.0), 6, 0);
    GIVES(compare(quiet, 1), 3, 0);
    GIVES(compare_signaling(quiet, 1), 3, FE_INVALID);
    GIVES(compare(signaling, 1), 3, FE_INVALID);
    /* Vectors: the same rules lane by lane. */
    double lanes[2], left[2] = {1, infinity}, right[2] = {0, -infinity};
    feclearexcept(FE_ALL_EXCEPT);
    __asm__ volatile("ldr q0, [%1]\n ldr q1, [%2]\n fadd v2.2d, v0.2d, v1.2d\n fdiv v3.2d, v0.2d, v1.2d\n str q2, [%0]" ::"r"(lanes), "r"(left), "r"(right) : "v0", "v1", "v2", "v3", "memory");
    CHECK_EQ(bits(lanes[0]), bits(1.0));
    CHECK_EQ(bits(lanes[1]), generated);
    CHECK_EQ(raised(), FE_INVALID | FE_DIVBYZERO);
    /* Default NaN and flush to zero through FPCR. */
    uint64_t fpcr;
    __asm__ volatile("mrs %0, fpcr" : "=r"(fpcr));
    __asm__ volatile("msr fpcr, %0" ::"r"(fpcr | 1ul << 25));
    CHECK_EQ(bits(add(quiet, 1)), generated);
    __asm__ volatile("msr fpcr, %0" ::"r"(fpcr | 1ul << 24));
    CHECK_EQ(bits(add(from(0x000fffffffffffff), 0)), 0);
    CHECK_EQ(bits(multiply(from(0x8010000000000000), 0.5)), 0x8000000000000000);
    __asm__ volatile("msr fpcr, %0" ::"r"(fpcr));
    CHECK_EQ(bits(add(from(0x000fffffffffffff), 0)), 0x000fffffffffffff);
    /* Long double is software (binary128) here: much integer code. */
    volatile long double l = 1;
    for (int i = 1; i < 60; i++)
        l = l * i / 7.0L + 1 / (long double)i;
    CHECK(l > 3.630333e+32L && l < 3.630406e+32L);
    char text[64];
    snprintf(text, sizeof(text), "%.17g %a %.3Lf", 0.1, 1 / 3.0, 2.5L);
    CHECK(strcmp(text, "0.10000000000000001 0x1.5555555555555p-2 2.500") == 0);
    return check_result();
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Invalid floating-point operations, few and many: results and flags are the same whether the emulator is told of them by
 * the host or looks for them, and while signals come in between, in the midst of a loop, in several threads, after fork.
 */
#include <fenv.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>
#include "check.h"

#define NOINLINE __attribute__((noinline))
enum { N = 64 };
static const uint64_t generated = 0x7ff8000000000000, signaling = 0x7ff0000000000777, quiet = 0xfff8000000000555;
static uint64_t bits(double d) { uint64_t u; memcpy(&u, &d, 8); return u; }
static double from(uint64_t u) { double d; memcpy(&d, &u, 8); return d; }

static NOINLINE void scale(double *to, const double *a, const double *b)
{
    for (int i = 0; i < N; i++)
        to[i] = a[i] * b[i] + a[i];
}

static NOINLINE void vectors(float *to, const float *a, const float *b)
{
    for (int i = 0; i < N; i += 4)
        __asm__ volatile("ldr q0, [%1]\n ldr q1, [%2]\n fdiv v0.4s, v0.4s, v1.4s\n fsub v0.4s, v0.4s, v1.4s\n str q0, [%0]"
                         : : "r"(to + i), "r"(a + i), "r"(b + i) : "v0", "v1", "memory");
}

static NOINLINE int64_t convert(double d) { int64_t r; __asm__ volatile("fcvtzs %0, %d1" : "=r"(r) : "w"(d)); return r; }
static NOINLINE unsigned less(double a, double b) { unsigned r; __asm__ volatile("fcmpe %d1, %d2\n cset %w0, mi" : "=r"(r) : "w"(a), "w"(b) : "cc"); return r; }
static NOINLINE double largest(double a, double b) { double r; __asm__ volatile("fmaxnm %d0, %d1, %d2" : "=w"(r) : "w"(a), "w"(b)); return r; }
static NOINLINE float narrow(double a) { float r; __asm__ volatile("fcvt %s0, %d1" : "=w"(r) : "w"(a)); return r; }

/* One element of many is invalid, each time another. */
static void one_round(unsigned round)
{
    double a[N], b[N], to[N];
    float x[N], y[N], z[N];
    unsigned bad = round % N;
    for (int i = 0; i < N; i++) {
        a[i] = i + 1;
        b[i] = 0.5 + round % 7;
        x[i] = (float)(i + 1);
        y[i] = 2;
    }
    feclearexcept(FE_ALL_EXCEPT);
    scale(to, a, b);
    CHECK_EQ(fetestexcept(FE_INVALID), 0);
    a[bad] = from(signaling);
    b[(bad + 1) % N] = from(quiet);
    scale(to, a, b);
    CHECK_EQ(fetestexcept(FE_ALL_EXCEPT), FE_INVALID);
    for (unsigned i = 0; i < N; i++) {
        uint64_t want = i == bad ? signaling | UINT64_C(1) << 51 : i == (bad + 1) % N ? quiet : bits(a[i] * b[i] + a[i]);
        CHECK_EQ(bits(to[i]), want);
    }
    a[bad] = 0;
    b[bad] = INFINITY;
    scale(to, a, b);
    CHECK_EQ(bits(to[bad]), generated);
    x[bad] = y[bad] = 0;
    feclearexcept(FE_ALL_EXCEPT);
    vectors(z, x, y);
    CHECK_EQ(fetestexcept(FE_INVALID | FE_DIVBYZERO), FE_INVALID);
    for (unsigned i = 0; i < N; i++) {
        uint32_t word;
        memcpy(&word, &z[i], 4);
        if (i == bad)
            CHECK_EQ(word, 0x7fc00000);
        else
            CHECK(z[i] == x[i] / 2 - 2);
    }
    feclearexcept(FE_ALL_EXCEPT);
    CHECK_EQ(convert(1e30), INT64_MAX);
    CHECK_EQ(convert(from(quiet)), 0);
    CHECK_EQ(fetestexcept(FE_ALL_EXCEPT), FE_INVALID);
    feclearexcept(FE_ALL_EXCEPT);
    CHECK_EQ(less(from(quiet), 1), 0);
    CHECK_EQ(fetestexcept(FE_ALL_EXCEPT), FE_INVALID);
    feclearexcept(FE_ALL_EXCEPT);
    CHECK_EQ(bits(largest(from(quiet), 3)), bits(3.0));
    CHECK_EQ(fetestexcept(FE_ALL_EXCEPT), 0);
    CHECK(isnan(largest(from(signaling), 3)) && isnan(narrow(from(signaling))));
    CHECK_EQ(fetestexcept(FE_ALL_EXCEPT), FE_INVALID);
}

static volatile sig_atomic_t ticks;

static void on_tick(int signal)
{
    /* The handler's own arithmetic and status are apart from those of what it interrupts. */
    (void)signal;
    volatile double zero = 0;
    CHECK_EQ(bits(zero / zero), generated);
    CHECK(fetestexcept(FE_INVALID));
    ticks++;
}

static void *rounds(void *argument)
{
    for (unsigned round = 0; round < (uintptr_t)argument; round++)
        one_round(round);
    return NULL;
}

int main(void)
{
    struct sigaction action = {.sa_handler = on_tick, .sa_flags = SA_RESTART};
    struct itimerval often = {{0, 700}, {0, 700}}, never = {{0, 0}, {0, 0}};
    pthread_t threads[3];
    rounds((void *)3);
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &often, NULL);
    for (int i = 0; i < 3; i++)
        CHECK(pthread_create(&threads[i], NULL, rounds, (void *)(uintptr_t)(i == 0 ? 10 : 1500)) == 0);
    rounds((void *)1500);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    setitimer(ITIMER_REAL, &never, NULL);
    CHECK(ticks > 0);
    pid_t child = fork();
    if (child == 0) {
        rounds((void *)200);
        _exit(check_failures != 0);
    }
    int status = -1;
    CHECK(waitpid(child, &status, 0) == child && status == 0);
    return check_result();
}

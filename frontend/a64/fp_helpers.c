/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Floating-point helpers of translated A64 code: the soft float of translator/softfp.h applied to lanes, in the
   environment that FPCR describes. Exceptions go to MXCSR, where the rest of the guest's are, and IDC to cpu->fpsr. */
#include "frontend/a64/cpu.h"
#include "frontend/a64/fp_plain.h"
#include "frontend/a64/simd_helpers.h"
#include "translator/softfp.h"

static struct softfp environment(const struct cpu *cpu)
{
    return softfp_from_fpcr(((const struct a64_cpu *)cpu)->fpcr);
}

static void raise_flags(struct cpu *cpu, const struct softfp *env)
{
    if (env->flags)
        softfp_raise_mxcsr(env->flags);
    ((struct a64_cpu *)cpu)->fpsr |= env->flags & SOFTFP_IDC;
}

static enum softfp_round job_rounding(const struct softfp *env, const struct fp_job *job)
{
    return job->rounding == IR_ROUND_CURRENT ? (enum softfp_round)env->rounding : (enum softfp_round)job->rounding;
}

static uint64_t two_operands(struct softfp *env, const struct fp_job *job, uint64_t a, uint64_t b)
{
    unsigned bits = job->size * 8;
    uint64_t ones = UINT64_MAX >> (64 - bits);
    switch (job->op) {
    case FP_ADD:
        return softfp_add(env, bits, a, b);
    case FP_SUB:
        return softfp_sub(env, bits, a, b);
    case FP_MUL:
        return softfp_mul(env, bits, a, b);
    case FP_DIV:
        return softfp_div(env, bits, a, b);
    case FP_MAX:
        return softfp_max(env, bits, a, b);
    case FP_MIN:
        return softfp_min(env, bits, a, b);
    case FP_MAXNM:
        return softfp_maxnm(env, bits, a, b);
    case FP_MINNM:
        return softfp_minnm(env, bits, a, b);
    case FP_MULX:
        return softfp_mulx(env, bits, a, b);
    case FP_RECPS:
        return softfp_recip_step(env, bits, a, b);
    case FP_RSQRTS:
        return softfp_rsqrt_step(env, bits, a, b);
    case FP_CMEQ:
        return softfp_compare(env, bits, a, b, false) == SOFTFP_EQUAL ? ones : 0;
    case FP_CMGT:
        return softfp_compare(env, bits, a, b, true) == SOFTFP_GREATER ? ones : 0;
    default:
        break;
    }
    enum softfp_relation relation = softfp_compare(env, bits, a, b, true); /* FP_CMGE */
    return relation == SOFTFP_GREATER || relation == SOFTFP_EQUAL ? ones : 0;
}

/* The loops are written once for each size of lane, so that the tests of plain numbers have constants. */
#define FOR_EACH_SIZE(size, loop)                                                                                              \
    do {                                                                                                                       \
        if ((size) == 8) {                                                                                                     \
            loop(8)                                                                                                            \
        } else if ((size) == 4) {                                                                                              \
            loop(4)                                                                                                            \
        } else {                                                                                                               \
            loop(2)                                                                                                            \
        }                                                                                                                      \
    } while (0)

static uint64_t two_exactly(struct cpu *cpu, const struct fp_job *job, uint64_t a, uint64_t b)
{
    struct softfp env = environment(cpu);
    uint64_t r = two_operands(&env, job, a, b);
    raise_flags(cpu, &env);
    return r;
}

__m128i helper_fp_two(struct cpu *cpu, __m128i a, __m128i b, uint32_t code)
{
    struct fp_job job = fp_decode(code);
    union vector x = {.v = a}, y = {.v = b}, r = {0};
    uint64_t only;
    if (job.lanes == 1 && job.size == 8 && plain_two(job.op, 8, x.d[0], y.d[0], &only)) /* not through memory */
        return _mm_cvtsi64_si128((long long)only);
#define LOOP(size)                                                                                                             \
    for (unsigned i = 0; i < job.lanes; i++) {                                                                                 \
        uint64_t u = lane_get(&x, size, i), v = lane_get(&y, size, i), lane;                                                   \
        lane_set(&r, size, i, plain_two(job.op, size, u, v, &lane) ? lane : two_exactly(cpu, &job, u, v));                     \
    }
    FOR_EACH_SIZE(job.size, LOOP);
#undef LOOP
    return r.v;
}

static uint64_t muladd_exactly(struct cpu *cpu, unsigned size, uint64_t c, uint64_t a, uint64_t b)
{
    struct softfp env = environment(cpu);
    uint64_t r = softfp_muladd(&env, size * 8, c, a, b);
    raise_flags(cpu, &env);
    return r;
}

static __m128i multiply_add_long(struct cpu *cpu, const struct fp_job *job, __m128i c, __m128i a, __m128i b)
{
    struct softfp env = environment(cpu);
    union vector z = {.v = c}, x = {.v = a}, y = {.v = b}, r = {0};
    for (unsigned i = 0; i < job->lanes; i++)
        r.w[i] = softfp_muladdh(&env, z.w[i], x.h[i], y.h[i]);
    raise_flags(cpu, &env);
    return r.v;
}

__m128i helper_fp_three(struct cpu *cpu, __m128i c, __m128i a, __m128i b, uint32_t code)
{
    struct fp_job job = fp_decode(code);
    union vector z = {.v = c}, x = {.v = a}, y = {.v = b}, r = {0};
    if (job.op == FP_MULADD_LONG)
        return multiply_add_long(cpu, &job, c, a, b);
    uint64_t only;
    if (job.lanes == 1 && job.size == 8 && plain_muladd(8, z.d[0], x.d[0], y.d[0], &only))
        return _mm_cvtsi64_si128((long long)only);
#define LOOP(size)                                                                                                             \
    for (unsigned i = 0; i < job.lanes; i++) {                                                                                 \
        uint64_t w = lane_get(&z, size, i), u = lane_get(&x, size, i), v = lane_get(&y, size, i), lane;                        \
        lane_set(&r, size, i, plain_muladd(size, w, u, v, &lane) ? lane : muladd_exactly(cpu, size, w, u, v));                 \
    }
    FOR_EACH_SIZE(job.size, LOOP);
#undef LOOP
    return r.v;
}

static uint64_t one_operand(struct softfp *env, const struct fp_job *job, uint64_t a)
{
    unsigned bits = job->size * 8;
    enum softfp_round rounding = job_rounding(env, job);
    switch (job->op) {
    case FP_SQRT:
        return softfp_sqrt(env, bits, a);
    case FP_RECPE:
        return softfp_recip_estimate(env, bits, a);
    case FP_RSQRTE:
        return softfp_rsqrt_estimate(env, bits, a);
    case FP_RECPX:
        return softfp_recpx(env, bits, a);
    case FP_ROUND:
        return softfp_round_int(env, bits, a, rounding, job->exact);
    case FP_ROUND_32:
        return softfp_round_int_n(env, bits, a, rounding, 32);
    case FP_ROUND_64:
        return softfp_round_int_n(env, bits, a, rounding, 64);
    case FP_TO_SIGNED:
        return softfp_to_fixed(env, bits, a, job->fraction, false, bits, rounding);
    case FP_TO_UNSIGNED:
        return softfp_to_fixed(env, bits, a, job->fraction, true, bits, rounding);
    case FP_FROM_SIGNED:
        return softfp_from_fixed(env, bits, a, job->fraction, false, bits);
    case FP_FROM_UNSIGNED:
        return softfp_from_fixed(env, bits, a, job->fraction, true, bits);
    case FP_CONVERT_BF16:
        return softfp_convert_bf16(env, (uint32_t)a);
    default:
        break;
    }
    if (job->op == FP_CONVERT_ODD)
        env->rounding = SOFTFP_ODD;
    return softfp_convert(env, job->other * 8, bits, a);
}

__m128i helper_fp_one(struct cpu *cpu, __m128i a, uint32_t code)
{
    struct fp_job job = fp_decode(code);
    union vector x = {.v = a}, r = {0};
    for (unsigned i = 0; i < job.lanes; i++) {
        uint64_t u = lane_get(&x, job.size, i), lane;
        if (!plain_one(&job, u, &lane)) {
            struct softfp env = environment(cpu);
            lane = one_operand(&env, &job, u);
            raise_flags(cpu, &env);
        }
        lane_set(&r, job.other, i, lane);
    }
    return r.v;
}

uint64_t helper_fp_to_general(struct cpu *cpu, __m128i a, uint32_t code)
{
    struct fp_job job = fp_decode(code);
    union vector x = {.v = a};
    uint64_t r;
    if (job.op == FP_TO_SIGNED && job.rounding == IR_ROUND_ZERO && !job.fraction &&
        plain_to_integer(job.size, job.other, lane_get(&x, job.size, 0), &r))
        return r;
    struct softfp env = environment(cpu);
    r = softfp_to_fixed(&env, job.size * 8, lane_get(&x, job.size, 0), job.fraction, job.op == FP_TO_UNSIGNED,
                                 job.other * 8, job_rounding(&env, &job));
    raise_flags(cpu, &env);
    return r;
}

__m128i helper_fp_from_general(struct cpu *cpu, uint64_t a, uint32_t code)
{
    struct fp_job job = fp_decode(code);
    union vector r = {0};
    uint64_t lane;
    long long integer = job.other == 8 ? (long long)a : job.op == FP_FROM_SIGNED ? (int32_t)a : (long long)(uint32_t)a;
    if (!job.fraction && (integer >= 0 || job.op == FP_FROM_SIGNED) && plain_from_integer(job.size, integer, &lane)) {
        lane_set(&r, job.size, 0, lane);
        return r.v;
    }
    struct softfp env = environment(cpu);
    lane_set(&r, job.size, 0,
             softfp_from_fixed(&env, job.size * 8, a, job.fraction, job.op == FP_FROM_UNSIGNED, job.other * 8));
    raise_flags(cpu, &env);
    return r.v;
}

uint64_t helper_fp_to_javascript(struct cpu *cpu, __m128i a)
{
    struct softfp env = environment(cpu);
    union vector x = {.v = a};
    bool z;
    uint64_t r = softfp_to_fixed_js(&env, x.d[0], &z);
    raise_flags(cpu, &env);
    return r | (uint64_t)z << 32;
}

uint32_t helper_fp_compare(struct cpu *cpu, __m128i a, __m128i b, uint32_t code)
{
    struct fp_job job = fp_decode(code);
    if (!job.compare)
        return 0;
    union vector x = {.v = a}, y = {.v = b};
    uint64_t u = lane_get(&x, job.size, 0), v = lane_get(&y, job.size, 0);
    if (job.size >= 4 && plain_exponent(job.size, u) >= 0 && plain_exponent(job.size, v) >= 0)
        return softfp_relation_flags(plain_relation(job.size, u, v));
    struct softfp env = environment(cpu);
    enum softfp_relation relation = softfp_compare(&env, job.size * 8, u, v, job.signal);
    raise_flags(cpu, &env);
    return softfp_relation_flags(relation);
}

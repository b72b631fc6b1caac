/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Floating-point helpers of translated A64 code: the soft float of translator/softfp.h applied to lanes, in the
   environment that FPCR describes. Exceptions go to MXCSR, where the rest of the guest's are, and IDC to cpu->fpsr. */
#include "frontend/a64/cpu.h"
#include "frontend/a64/fp_exact.h"
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

__m128i helper_fp_two(struct cpu *cpu, __m128i a, __m128i b, uint32_t code)
{
    struct fp_job job = fp_decode(code);
    struct softfp env = environment(cpu);
    union vector x = {.v = a}, y = {.v = b}, r = {0};
    for (unsigned i = 0; i < job.lanes; i++)
        lane_set(&r, job.size, i, two_operands(&env, &job, lane_get(&x, job.size, i), lane_get(&y, job.size, i)));
    raise_flags(cpu, &env);
    return r.v;
}

__m128i helper_fp_three(struct cpu *cpu, __m128i c, __m128i a, __m128i b, uint32_t code)
{
    struct fp_job job = fp_decode(code);
    struct softfp env = environment(cpu);
    union vector z = {.v = c}, x = {.v = a}, y = {.v = b}, r = {0};
    if (job.op == FP_MULADD_LONG)
        for (unsigned i = 0; i < job.lanes; i++)
            r.w[i] = softfp_muladdh(&env, z.w[i], x.h[i], y.h[i]);
    else
        for (unsigned i = 0; i < job.lanes; i++)
            lane_set(&r, job.size, i,
                     softfp_muladd(&env, job.size * 8, lane_get(&z, job.size, i), lane_get(&x, job.size, i),
                                   lane_get(&y, job.size, i)));
    raise_flags(cpu, &env);
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
    struct softfp env = environment(cpu);
    union vector x = {.v = a}, r = {0};
    for (unsigned i = 0; i < job.lanes; i++)
        lane_set(&r, job.other, i, one_operand(&env, &job, lane_get(&x, job.size, i)));
    raise_flags(cpu, &env);
    return r.v;
}

uint64_t helper_fp_to_general(struct cpu *cpu, __m128i a, uint32_t code)
{
    struct fp_job job = fp_decode(code);
    struct softfp env = environment(cpu);
    union vector x = {.v = a};
    uint64_t r = softfp_to_fixed(&env, job.size * 8, lane_get(&x, job.size, 0), job.fraction, job.op == FP_TO_UNSIGNED,
                                 job.other * 8, job_rounding(&env, &job));
    raise_flags(cpu, &env);
    return r;
}

__m128i helper_fp_from_general(struct cpu *cpu, uint64_t a, uint32_t code)
{
    struct fp_job job = fp_decode(code);
    struct softfp env = environment(cpu);
    union vector r = {0};
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
    struct softfp env = environment(cpu);
    union vector x = {.v = a}, y = {.v = b};
    enum softfp_relation relation =
        softfp_compare(&env, job.size * 8, lane_get(&x, job.size, 0), lane_get(&y, job.size, 0), job.signal);
    raise_flags(cpu, &env);
    return softfp_relation_flags(relation);
}

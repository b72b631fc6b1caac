/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Dot products of bfloat16 without FEAT_EBF16: BFDOT, BFMMLA (Arm ARM DDI 0487, C7.2.29, C7.2.32, BFDotAdd()).
 * Whatever FPCR says, they round to odd, flush denormals, yield default NaNs and raise nothing. A helper, because MXCSR
 * has to be another one meanwhile.
 *
 * Products are exact in single precision, or overflow to infinity as they should, or are flushed. Sums are made in
 * double precision: rounded to odd there and then here, they are rounded to odd. What becomes infinite or a NaN anywhere
 * is so in the end, and then softfp_bf16_dot() does it all again.
 */
#include <emmintrin.h>

#include "frontend/a64/simd_helpers.h"
#include "translator/softfp.h"

enum { MXCSR_BF16 = 0x1f80 | 1 << 15 | 1 << 6 }; /* all masked, flush to zero, denormals are zeros */

/* x + y rounded to odd: to nearest, and then by the error of that (the 2Sum of Knuth and Møller): where there is one,
   the last bit is set, after one step back if the sum's magnitude was rounded up. */
static __m128d add_to_odd(__m128d x, __m128d y)
{
    __m128d sum = _mm_add_pd(x, y), part = _mm_sub_pd(sum, x);
    __m128d error = _mm_add_pd(_mm_sub_pd(x, _mm_sub_pd(sum, part)), _mm_sub_pd(y, part));
    __m128i inexact = _mm_castpd_si128(_mm_cmpneq_pd(error, _mm_setzero_pd()));
    __m128i opposite = _mm_srai_epi32(_mm_castpd_si128(_mm_xor_pd(error, sum)), 31);
    __m128i back = _mm_and_si128(_mm_shuffle_epi32(opposite, _MM_SHUFFLE(3, 3, 1, 1)), inexact);
    __m128i bits = _mm_add_epi64(_mm_castpd_si128(sum), back);
    return _mm_castsi128_pd(_mm_or_si128(bits, _mm_srli_epi64(inexact, 63)));
}

/* In the low two lanes: what is below the last place of a single makes that odd. */
static __m128 narrow_to_odd(__m128d x)
{
    const __m128i below = _mm_set1_epi64x(0x1fffffff), last = _mm_set1_epi64x(0x20000000);
    __m128i bits = _mm_castpd_si128(x);
    __m128i sticky = _mm_and_si128(_mm_add_epi64(_mm_and_si128(bits, below), below), last);
    return _mm_cvtpd_ps(_mm_castsi128_pd(_mm_or_si128(_mm_andnot_si128(below, bits), sticky)));
}

static __m128 add_singles(__m128 x, __m128 y)
{
    __m128 low = narrow_to_odd(add_to_odd(_mm_cvtps_pd(x), _mm_cvtps_pd(y)));
    __m128 high =
        narrow_to_odd(add_to_odd(_mm_cvtps_pd(_mm_movehl_ps(x, x)), _mm_cvtps_pd(_mm_movehl_ps(y, y))));
    return _mm_movelh_ps(low, high);
}

/* c + the dot products of the pairs in a and b */
static __m128 dot(__m128 c, __m128i a, __m128i b)
{
    const __m128i upper = _mm_set1_epi32((int)0xffff0000);
    __m128 even = _mm_mul_ps(_mm_castsi128_ps(_mm_slli_epi32(a, 16)), _mm_castsi128_ps(_mm_slli_epi32(b, 16)));
    __m128 odd = _mm_mul_ps(_mm_castsi128_ps(_mm_and_si128(a, upper)), _mm_castsi128_ps(_mm_and_si128(b, upper)));
    return add_singles(c, add_singles(even, odd));
}

/* The compiler does not know that arithmetic depends on MXCSR: this keeps it between two changes of it. */
#define HERE(value) __asm__ volatile("" : "+x"(value))

static bool is_finite(__m128i singles)
{
    const __m128i infinity = _mm_set1_epi32(0x7f800000);
    return !_mm_movemask_epi8(_mm_cmpeq_epi32(_mm_and_si128(singles, infinity), infinity));
}

__m128i helper_bf16_dot(__m128i c, __m128i a, __m128i b)
{
    const unsigned saved = _mm_getcsr();
    __m128 sum = _mm_castsi128_ps(c);
    __m128i factor = a;
    _mm_setcsr(MXCSR_BF16);
    HERE(sum);
    HERE(factor);
    sum = dot(sum, factor, b);
    HERE(sum);
    _mm_setcsr(saved);
    if (is_finite(_mm_castps_si128(sum)))
        return _mm_castps_si128(sum);
    union vector z = {.v = c}, x = {.v = a}, y = {.v = b}, r;
    for (unsigned i = 0; i < 4; i++)
        r.w[i] = softfp_bf16_dot(z.w[i], x.w[i], y.w[i]);
    return r.v;
}

/* 2x4 by 4x2 matrices, two dot products a result. */
__m128i helper_bf16_matrix(__m128i c, __m128i a, __m128i b)
{
    __m128i first = helper_bf16_dot(c, _mm_shuffle_epi32(a, _MM_SHUFFLE(2, 2, 0, 0)),
                                    _mm_shuffle_epi32(b, _MM_SHUFFLE(2, 0, 2, 0)));
    return helper_bf16_dot(first, _mm_shuffle_epi32(a, _MM_SHUFFLE(3, 3, 1, 1)),
                           _mm_shuffle_epi32(b, _MM_SHUFFLE(3, 1, 3, 1)));
}

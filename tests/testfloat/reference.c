/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/testfloat/reference.h"

#include <string.h>

enum { LIMBS = 70 };

/* sign * (limbs + epsilon) * 2^scale, where 0 < epsilon < 1 if `more`. limbs[n - 1] is the top one; n = 0 is zero. */
struct real {
    bool sign, more;
    int scale;
    unsigned n;
    uint64_t limbs[LIMBS];
};

struct format {
    unsigned bits, exponent, fraction;
};

enum class { ZERO, NONZERO, INFINITE, QUIET, SIGNALING };

struct operand {
    enum class class;
    bool sign;
    uint64_t significand, bits; /* value: significand * 2^scale */
    int scale;
};

struct state {
    uint32_t fpcr, flags;
    enum rounding rounding;
};

static const struct format half = {16, 5, 10}, single = {32, 8, 23}, double_format = {64, 11, 52}, bfloat = {16, 8, 7};

static const struct format *format_of(unsigned bits)
{
    return bits == 16 ? &half : bits == 32 ? &single : &double_format;
}

static int bias(const struct format *f)
{
    return (1 << (f->exponent - 1)) - 1;
}

static uint64_t pack(const struct format *f, bool sign, uint64_t exponent, uint64_t fraction)
{
    return (uint64_t)sign << (f->bits - 1) | exponent << f->fraction | fraction;
}

static uint64_t exponent_ones(const struct format *f)
{
    return ((uint64_t)1 << f->exponent) - 1;
}

static uint64_t infinity(const struct format *f, bool sign)
{
    return pack(f, sign, exponent_ones(f), 0);
}

static uint64_t default_nan(const struct format *f)
{
    return infinity(f, false) | (uint64_t)1 << (f->fraction - 1);
}

static bool is_nan(const struct operand *o)
{
    return o->class == QUIET || o->class == SIGNALING;
}

static bool flushes(const struct state *s, const struct format *f)
{
    return s->fpcr & (f == &half ? FPCR_FZ16 : FPCR_FZ);
}

/* ---- exact numbers ----------------------------------------------------------------------------------------------- */

static void trim(struct real *r)
{
    while (r->n && !r->limbs[r->n - 1])
        r->n--;
}

static void set_wide(struct real *r, bool sign, unsigned __int128 value, int scale)
{
    r->sign = sign;
    r->more = false;
    r->scale = scale;
    r->limbs[0] = (uint64_t)value;
    r->limbs[1] = (uint64_t)(value >> 64);
    r->n = 2;
    trim(r);
}

static void set_operand(struct real *r, const struct operand *o)
{
    set_wide(r, o->sign, o->significand, o->scale);
}

/** The product of the operands. */
static void set_product(struct real *r, const struct operand *a, const struct operand *b)
{
    set_wide(r, a->sign ^ b->sign, (unsigned __int128)a->significand * b->significand, a->scale + b->scale);
}

/** Makes the unit 2^scale, which must not be more than it is. */
static void rescale(struct real *r, int scale)
{
    if (!r->n) {
        r->scale = scale;
        return;
    }
    unsigned by = (unsigned)(r->scale - scale), words = by / 64, bits = by % 64;
    r->limbs[r->n] = 0;
    for (unsigned i = r->n + 1; i-- > 0;)
        r->limbs[i + words] = r->limbs[i] << bits | (bits && i ? r->limbs[i - 1] >> (64 - bits) : 0);
    memset(r->limbs, 0, words * sizeof r->limbs[0]);
    r->n += words + 1;
    r->scale = scale;
    trim(r);
}

static int compare_magnitude(const struct real *a, const struct real *b)
{
    if (a->n != b->n)
        return a->n < b->n ? -1 : 1;
    for (unsigned i = a->n; i-- > 0;)
        if (a->limbs[i] != b->limbs[i])
            return a->limbs[i] < b->limbs[i] ? -1 : 1;
    return 0;
}

/** *a += *b; both are changed. */
static void add_real(struct real *a, struct real *b)
{
    int scale = a->scale < b->scale ? a->scale : b->scale;
    rescale(a, scale);
    rescale(b, scale);
    struct real *large = compare_magnitude(a, b) >= 0 ? a : b, *small = large == a ? b : a;
    bool subtract = a->sign != b->sign;
    unsigned carry = 0;
    large->limbs[large->n] = 0;
    memset(small->limbs + small->n, 0, (large->n + 1 - small->n) * sizeof small->limbs[0]);
    for (unsigned i = 0; i <= large->n; i++) {
        unsigned __int128 x = large->limbs[i], y = (unsigned __int128)small->limbs[i] + carry;
        carry = subtract ? x < y : (x + y) >> 64 != 0;
        large->limbs[i] = (uint64_t)(subtract ? x - y : x + y);
    }
    large->n++;
    trim(large);
    if (large != a)
        *a = *large;
}

static int top_bit(const struct real *r)
{
    return (int)(64 * r->n) - 1 - __builtin_clzll(r->limbs[r->n - 1]);
}

static bool test_bit(const struct real *r, int bit)
{
    return bit >= 0 && (unsigned)bit / 64 < r->n && r->limbs[bit / 64] >> bit % 64 & 1;
}

static bool any_below(const struct real *r, int bit)
{
    bool any = r->more;
    for (int i = 0; i < bit && (unsigned)i / 64 < r->n && !any; i += 64)
        any = r->limbs[i / 64] << (bit - i < 64 ? 64 - (bit - i) : 0);
    return any;
}

/** |r| in units of 2^unit, rounded down, with what was lost: 0: nothing, 1: less than half a unit, 2: half, 3: more.
    The integer must fit. */
static uint64_t round_down(const struct real *r, int unit, unsigned *lost)
{
    int shift = unit - r->scale;
    int word = shift >> 6, bit = shift & 63;
    uint64_t low = word >= 0 && word < (int)r->n ? r->limbs[word] : 0;
    uint64_t high = word >= -1 && word + 1 < (int)r->n ? r->limbs[word + 1] : 0;
    *lost = (test_bit(r, shift - 1) ? 2 : 0) + any_below(r, shift - 1);
    return low >> bit | (bit ? high << (64 - bit) : 0);
}

static bool rounds_away(enum rounding rounding, bool sign, bool odd, unsigned lost)
{
    switch (rounding) {
    case ROUND_NEAREST:
        return lost == 3 || (lost == 2 && odd);
    case ROUND_AWAY:
        return lost >= 2;
    case ROUND_UP:
        return lost && !sign;
    case ROUND_DOWN:
        return lost && sign;
    default:
        return false;
    }
}

/** FPRoundBase() */
static uint64_t round_real(struct state *s, const struct format *f, const struct real *r, bool alternative)
{
    int exponent = top_bit(r) + r->scale, minimum = 2 - (1 << (f->exponent - 1));
    if (flushes(s, f) && exponent < minimum) {
        s->flags |= FLAG_UFC;
        return pack(f, r->sign, 0, 0);
    }
    uint64_t biased = exponent < minimum ? 0 : (uint64_t)(exponent - minimum + 1);
    unsigned lost;
    uint64_t mantissa = round_down(r, (exponent < minimum ? minimum : exponent) - (int)f->fraction, &lost);
    if (!biased && lost)
        s->flags |= FLAG_UFC;
    if (rounds_away(s->rounding, r->sign, mantissa & 1, lost)) {
        mantissa++;
        if (mantissa == (uint64_t)1 << f->fraction) /* from denormal to normal */
            biased = 1;
        if (mantissa == (uint64_t)2 << f->fraction) {
            biased++;
            mantissa >>= 1;
        }
    } else if (s->rounding == ROUND_ODD && lost) {
        mantissa |= 1;
    }
    uint64_t limit = exponent_ones(f) + alternative;
    if (biased >= limit && alternative) {
        s->flags |= FLAG_IOC;
        return pack(f, r->sign, exponent_ones(f), ((uint64_t)1 << f->fraction) - 1);
    }
    if (biased >= limit) {
        bool infinite = s->rounding == ROUND_NEAREST || s->rounding == ROUND_AWAY ||
                        (s->rounding == ROUND_UP && !r->sign) || (s->rounding == ROUND_DOWN && r->sign);
        s->flags |= FLAG_OFC | FLAG_IXC;
        return infinity(f, r->sign) - !infinite;
    }
    if (lost)
        s->flags |= FLAG_IXC;
    return pack(f, r->sign, biased, mantissa & (((uint64_t)1 << f->fraction) - 1));
}

static uint64_t round_or_zero(struct state *s, const struct format *f, const struct real *r)
{
    return r->n ? round_real(s, f, r, false) : pack(f, s->rounding == ROUND_DOWN, 0, 0);
}

/* ---- operands ---------------------------------------------------------------------------------------------------- */

/** FPUnpackBase() */
static struct operand unpack(struct state *s, const struct format *f, uint64_t bits, bool flush, bool alternative)
{
    uint64_t exponent = bits >> f->fraction & exponent_ones(f), fraction = bits & (((uint64_t)1 << f->fraction) - 1);
    struct operand o = {.sign = bits >> (f->bits - 1) & 1, .bits = bits};
    o.significand = fraction | (uint64_t)(exponent != 0) << f->fraction;
    o.scale = (exponent ? (int)exponent : 1) - bias(f) - (int)f->fraction;
    if (exponent == exponent_ones(f) && !alternative)
        o.class = !fraction ? INFINITE : fraction >> (f->fraction - 1) ? QUIET : SIGNALING;
    else if (!o.significand)
        o.class = ZERO;
    else if (!exponent && flush) {
        o.class = ZERO;
        o.significand = 0;
        s->flags |= f == &half ? 0 : FLAG_IDC;
    } else
        o.class = NONZERO;
    return o;
}

/** FPUnpack() */
static struct operand take(struct state *s, const struct format *f, uint64_t bits)
{
    return unpack(s, f, bits, flushes(s, f), false);
}

static uint64_t invalid(struct state *s, const struct format *f)
{
    s->flags |= FLAG_IOC;
    return default_nan(f);
}

/** FPProcessNaN(), and FPConvertNaN() where the formats differ. */
static uint64_t process_nan(struct state *s, const struct format *to, const struct format *from,
                            const struct operand *o)
{
    if (o->class == SIGNALING)
        s->flags |= FLAG_IOC;
    if (s->fpcr & FPCR_DN)
        return default_nan(to);
    uint64_t fraction = o->bits & (((uint64_t)1 << from->fraction) - 1);
    fraction = to->fraction >= from->fraction ? fraction << (to->fraction - from->fraction)
                                              : fraction >> (from->fraction - to->fraction);
    return infinity(to, o->sign) | (uint64_t)1 << (to->fraction - 1) | fraction;
}

/** FPProcessNaNs(), FPProcessNaNs3(): the operand that is the result, NULL if none of them is a NaN. */
static const struct operand *choose_nan(const struct operand *const operands[], unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        if (operands[i]->class == SIGNALING)
            return operands[i];
    for (unsigned i = 0; i < n; i++)
        if (operands[i]->class == QUIET)
            return operands[i];
    return NULL;
}

static const struct operand *choose_nan_of_two(const struct operand *a, const struct operand *b)
{
    return choose_nan((const struct operand *const[]){a, b}, 2);
}

/* ---- operations -------------------------------------------------------------------------------------------------- */

static bool is_invalid_product(const struct operand *a, const struct operand *b)
{
    return (a->class == INFINITE && b->class == ZERO) || (a->class == ZERO && b->class == INFINITE);
}

/** FPMulAdd() of unpacked operands. FPAdd() is the same with a factor of one, save for the NaNs. */
static uint64_t multiply_add(struct state *s, const struct format *f, const struct operand *c, const struct operand *a,
                             const struct operand *b)
{
    bool sign = a->sign ^ b->sign, infinite = a->class == INFINITE || b->class == INFINITE;
    bool zero = a->class == ZERO || b->class == ZERO;
    if (is_invalid_product(a, b) || (c->class == INFINITE && infinite && c->sign != sign))
        return invalid(s, f);
    if (c->class == INFINITE || infinite)
        return infinity(f, c->class == INFINITE ? c->sign : sign);
    if (c->class == ZERO && zero && c->sign == sign)
        return pack(f, sign, 0, 0);
    struct real sum, product;
    set_operand(&sum, c);
    set_product(&product, a, b);
    add_real(&sum, &product);
    return round_or_zero(s, f, &sum);
}

static uint64_t fused(struct state *s, const struct task *t, uint64_t a, uint64_t b, uint64_t c)
{
    const struct format *f = format_of(t->to_bits), *factor = t->op == OP_MULADD_LONG ? &half : f;
    struct operand z = take(s, f, c), x = take(s, factor, a), y = take(s, factor, b);
    const struct operand *nan = choose_nan((const struct operand *const[]){&z, &x, &y}, 3);
    if (z.class == QUIET && is_invalid_product(&x, &y))
        return invalid(s, f);
    return nan ? process_nan(s, f, nan == &z ? f : factor, nan) : multiply_add(s, f, &z, &x, &y);
}

static uint64_t add(struct state *s, const struct format *f, struct operand a, struct operand b)
{
    const struct operand one = {.class = NONZERO, .significand = 1}, *nan = choose_nan_of_two(&a, &b);
    return nan ? process_nan(s, f, f, nan) : multiply_add(s, f, &a, &b, &one);
}

static uint64_t multiply(struct state *s, const struct format *f, const struct operand *a, const struct operand *b,
                         bool extended)
{
    const struct operand *nan = choose_nan_of_two(a, b);
    bool sign = a->sign ^ b->sign;
    if (nan)
        return process_nan(s, f, f, nan);
    if (is_invalid_product(a, b)) /* FMULX: two */
        return extended ? pack(f, sign, (uint64_t)bias(f) + 1, 0) : invalid(s, f);
    if (a->class == INFINITE || b->class == INFINITE)
        return infinity(f, sign);
    if (a->class == ZERO || b->class == ZERO)
        return pack(f, sign, 0, 0);
    struct real product;
    set_product(&product, a, b);
    return round_real(s, f, &product, false);
}

static uint64_t divide(struct state *s, const struct format *f, const struct operand *a, const struct operand *b)
{
    const struct operand *nan = choose_nan_of_two(a, b);
    bool sign = a->sign ^ b->sign;
    if (nan)
        return process_nan(s, f, f, nan);
    if (a->class == b->class && a->class != NONZERO)
        return invalid(s, f);
    if (a->class == INFINITE || b->class == ZERO) {
        s->flags |= b->class == ZERO && a->class != INFINITE ? FLAG_DZC : 0;
        return infinity(f, sign);
    }
    if (a->class == ZERO || b->class == INFINITE)
        return pack(f, sign, 0, 0);
    struct real quotient; /* of more bits than any format has: what is left over is less than a unit of its last one */
    int shift = __builtin_clzll(a->significand) + 63;
    unsigned __int128 dividend = (unsigned __int128)a->significand << shift;
    set_wide(&quotient, sign, dividend / b->significand, a->scale - b->scale - shift);
    quotient.more = dividend % b->significand != 0;
    return round_real(s, f, &quotient, false);
}

static uint64_t square_root(struct state *s, const struct format *f, const struct operand *a)
{
    if (is_nan(a))
        return process_nan(s, f, f, a);
    if (a->class == ZERO)
        return pack(f, a->sign, 0, 0);
    if (a->sign)
        return invalid(s, f);
    if (a->class == INFINITE)
        return infinity(f, false);
    int shift = __builtin_clzll(a->significand) + 62;
    shift -= (a->scale - shift) & 1;
    unsigned __int128 square = (unsigned __int128)a->significand << shift, root = 0;
    for (unsigned __int128 bit = (unsigned __int128)1 << 63; bit; bit >>= 1)
        if ((root | bit) * (root | bit) <= square)
            root |= bit;
    struct real r;
    set_wide(&r, false, root, (a->scale - shift) / 2);
    r.more = root * root != square;
    return round_real(s, f, &r, false);
}

/** 2 - a * b, or (3 - a * b) / 2: FPRecipStepFused(), FPRSqrtStepFused(); a comes negated. */
static uint64_t step(struct state *s, const struct format *f, const struct operand *a, const struct operand *b,
                     bool square_root)
{
    const struct operand *nan = choose_nan_of_two(a, b);
    uint64_t quiet = (uint64_t)1 << (f->fraction - 1);
    if (nan)
        return process_nan(s, f, f, nan);
    if (is_invalid_product(a, b))
        return pack(f, false, (uint64_t)bias(f) + !square_root, square_root ? quiet : 0);
    if (a->class == INFINITE || b->class == INFINITE)
        return infinity(f, a->sign ^ b->sign);
    struct real sum, product;
    set_wide(&sum, false, square_root ? 3 : 2, 0);
    set_product(&product, a, b);
    add_real(&sum, &product);
    sum.scale -= square_root;
    return round_or_zero(s, f, &sum);
}

/** -1, 0, 1, or 2 when unordered, in value. */
static int order(const struct operand *a, const struct operand *b)
{
    if (is_nan(a) || is_nan(b))
        return 2;
    if (a->class == INFINITE || b->class == INFINITE) {
        int x = a->class == INFINITE ? a->sign ? -1 : 1 : 0, y = b->class == INFINITE ? b->sign ? -1 : 1 : 0;
        return (x > y) - (x < y);
    }
    struct real x, y;
    set_operand(&x, a);
    set_operand(&y, b);
    y.sign = !y.sign;
    add_real(&x, &y);
    return !x.n ? 0 : x.sign ? -1 : 1;
}

/** FPMax(), FPMin(); `number`: FPMaxNum(), FPMinNum(). */
static uint64_t extreme(struct state *s, const struct format *f, struct operand a, struct operand b, bool max,
                        bool number)
{
    const struct operand last = {.class = INFINITE, .sign = max};
    if (number && a.class == QUIET && b.class != QUIET)
        a = last;
    else if (number && b.class == QUIET && a.class != QUIET)
        b = last;
    const struct operand *nan = choose_nan_of_two(&a, &b);
    if (nan)
        return process_nan(s, f, f, nan);
    const struct operand *o = (order(&a, &b) > 0) == max ? &a : &b;
    if (o->class == INFINITE)
        return infinity(f, o->sign);
    if (o->class == ZERO) /* the other one, unless it is a zero too, has no part in the sign */
        return pack(f, a.class != b.class ? o->sign : max ? a.sign && b.sign : a.sign || b.sign, 0, 0);
    struct real r;
    set_operand(&r, o);
    return round_real(s, f, &r, false);
}

static uint64_t compare(struct state *s, const struct operand *a, const struct operand *b, bool signal)
{
    int relation = order(a, b);
    if (relation == 2 && (signal || a->class == SIGNALING || b->class == SIGNALING))
        s->flags |= FLAG_IOC;
    return relation == 2 ? 3 : relation < 0 ? 8 : relation > 0 ? 2 : 6;
}

/** The integer |r| / 2^0 rounded, and whether that changed it. Saturates at 2^64 - 1. */
static uint64_t to_integer(const struct real *r, enum rounding rounding, bool *changed, bool *overflow)
{
    unsigned lost;
    *overflow = r->n && top_bit(r) + r->scale >= 64;
    if (*overflow)
        return UINT64_MAX;
    uint64_t value = r->n ? round_down(r, 0, &lost) : (lost = 0);
    *changed = lost != 0;
    if (rounds_away(rounding, r->sign, value & 1, lost))
        *overflow = ++value == 0;
    return value;
}

/** FPRoundInt() and FPRoundIntN() (limit: 32 or 64; else 0). */
static uint64_t round_integral(struct state *s, const struct format *f, const struct operand *a, const struct task *t)
{
    unsigned limit = t->op == OP_ROUND_N ? t->fraction : 0;
    uint64_t least = pack(f, true, (uint64_t)bias(f) + limit - 1, 0);
    if (limit && (is_nan(a) || a->class == INFINITE)) {
        s->flags |= FLAG_IOC;
        return least;
    }
    if (is_nan(a))
        return process_nan(s, f, f, a);
    if (a->class == INFINITE || a->class == ZERO)
        return a->class == ZERO ? pack(f, a->sign, 0, 0) : infinity(f, a->sign);
    if (!limit && a->scale >= 0)
        return a->bits;
    struct real r;
    bool changed = false, overflow;
    set_operand(&r, a);
    uint64_t value = to_integer(&r, s->rounding, &changed, &overflow);
    if (limit && (overflow || value > ((uint64_t)1 << (limit - 1)) - !a->sign)) {
        s->flags |= FLAG_IOC;
        return least;
    }
    s->flags |= changed && (t->exact || limit) ? FLAG_IXC : 0;
    if (!value)
        return pack(f, a->sign, 0, 0);
    struct state exact = {.fpcr = s->fpcr, .rounding = ROUND_ZERO};
    set_wide(&r, a->sign, value, 0);
    return round_real(&exact, f, &r, false);
}

/** FPToFixed() */
static uint64_t to_fixed(struct state *s, const struct format *f, const struct operand *a, const struct task *t)
{
    uint64_t ones = UINT64_MAX >> (64 - t->to_bits), sign = (uint64_t)1 << (t->to_bits - 1);
    (void)f;
    if (is_nan(a)) {
        s->flags |= FLAG_IOC;
        return 0;
    }
    uint64_t most = t->is_unsigned ? ones : sign - 1, least = t->is_unsigned ? 0 : sign; /* magnitudes */
    bool changed = false, overflow = a->class == INFINITE;
    uint64_t value = 0;
    if (a->class == NONZERO) {
        struct real r;
        set_operand(&r, a);
        r.scale += t->fraction;
        value = to_integer(&r, s->rounding, &changed, &overflow);
    }
    if (overflow || value > (a->sign ? least : most)) {
        s->flags |= FLAG_IOC;
        return a->sign ? least : most;
    }
    s->flags |= changed ? FLAG_IXC : 0;
    return (a->sign ? -value : value) & ones;
}

/** FixedToFP() */
static uint64_t from_fixed(struct state *s, const struct task *t, uint64_t a)
{
    const struct format *f = format_of(t->to_bits);
    unsigned unused = 64 - t->bits;
    bool sign = !t->is_unsigned && a >> (t->bits - 1) & 1;
    uint64_t magnitude = sign ? (uint64_t) - ((int64_t)(a << unused) >> unused) : a << unused >> unused;
    struct real r;
    set_wide(&r, sign, magnitude, -(int)t->fraction);
    return magnitude ? round_real(s, f, &r, false) : 0;
}

/** FPToFixedJS() */
static uint64_t to_javascript(struct state *s, const struct operand *a)
{
    const uint64_t zero_flag = (uint64_t)4 << 60;
    if (is_nan(a) || a->class == INFINITE) {
        s->flags |= FLAG_IOC;
        return 0;
    }
    if (a->class == ZERO)
        return a->sign ? 0 : zero_flag;
    uint64_t value = 0; /* modulo 2^32 of the magnitude */
    bool changed = false, overflow;
    if (a->scale >= 0) {
        value = a->scale < 64 ? a->significand << a->scale : 0;
        overflow = true; /* at least 2^52 */
    } else {
        struct real r;
        set_operand(&r, a);
        value = to_integer(&r, ROUND_ZERO, &changed, &overflow);
        overflow = value > (UINT64_C(0x7fffffff) + a->sign);
    }
    s->flags |= overflow ? FLAG_IOC : changed ? FLAG_IXC : 0;
    return (uint32_t)(a->sign ? -value : value) | (overflow || changed ? 0 : zero_flag);
}

/** FPConvert() */
static uint64_t convert(struct state *s, const struct task *t, uint64_t bits)
{
    const struct format *from = format_of(t->bits), *to = format_of(t->to_bits);
    bool alternative = s->fpcr & FPCR_AHP, from_alternative = alternative && from == &half;
    bool to_alternative = alternative && to == &half;
    s->fpcr &= ~(uint32_t)FPCR_FZ16; /* FPUnpackCV(), FPRoundCV() */
    struct operand a = unpack(s, from, bits, flushes(s, from), from_alternative);
    if (to_alternative && (is_nan(&a) || a.class == INFINITE)) {
        s->flags |= FLAG_IOC;
        return is_nan(&a) ? pack(to, a.sign, 0, 0)
                          : pack(to, a.sign, exponent_ones(to), ((uint64_t)1 << to->fraction) - 1);
    }
    if (is_nan(&a))
        return process_nan(s, to, from, &a);
    if (a.class != NONZERO)
        return a.class == ZERO ? pack(to, a.sign, 0, 0) : infinity(to, a.sign);
    struct real r;
    set_operand(&r, &a);
    return round_real(s, to, &r, to_alternative);
}

/** FPConvertBF() */
static uint64_t convert_bfloat(struct state *s, const struct operand *a)
{
    if (is_nan(a))
        return process_nan(s, &bfloat, &single, a);
    if (a->class != NONZERO)
        return a->class == ZERO ? pack(&bfloat, a->sign, 0, 0) : infinity(&bfloat, a->sign);
    struct real r;
    set_operand(&r, a);
    return round_real(s, &bfloat, &r, false);
}

/* ---- estimates --------------------------------------------------------------------------------------------------- */

/** The fraction's 52 bits as in double precision, and the exponent field. */
static uint64_t estimate_fraction(const struct format *f, uint64_t bits, int *exponent)
{
    *exponent = (int)(bits >> f->fraction & exponent_ones(f));
    return (bits & (((uint64_t)1 << f->fraction) - 1)) << (52 - f->fraction);
}

/** FPRecipEstimate() */
static uint64_t reciprocal_estimate(struct state *s, const struct format *f, const struct operand *a)
{
    if (is_nan(a))
        return process_nan(s, f, f, a);
    if (a->class == INFINITE)
        return pack(f, a->sign, 0, 0);
    if (a->class == ZERO) {
        s->flags |= FLAG_DZC;
        return infinity(f, a->sign);
    }
    struct real r;
    set_operand(&r, a);
    int magnitude = top_bit(&r) + r.scale;
    if (magnitude < -bias(f) - 1) {
        bool infinite = s->rounding == ROUND_NEAREST || s->rounding == (a->sign ? ROUND_DOWN : ROUND_UP);
        s->flags |= FLAG_OFC | FLAG_IXC;
        return infinity(f, a->sign) - !infinite;
    }
    if (flushes(s, f) && magnitude >= bias(f) - 1) {
        s->flags |= FLAG_UFC;
        return pack(f, a->sign, 0, 0);
    }
    const uint64_t top = (uint64_t)1 << 51, mask = 2 * top - 1;
    int exponent;
    uint64_t fraction = estimate_fraction(f, a->bits, &exponent);
    if (!exponent && !(fraction & top)) {
        exponent = -1;
        fraction = fraction << 2 & mask;
    } else if (!exponent) {
        fraction = fraction << 1 & mask;
    }
    uint64_t scaled = 256 | fraction >> 44, estimate = ((1u << 19) / (2 * scaled + 1) + 1) / 2;
    int result = 2 * bias(f) - 1 - exponent;
    fraction = (estimate & 255) << 44;
    if (result <= 0)
        fraction = (fraction | 2 * top) >> (1 - result);
    return pack(f, a->sign, result < 0 ? 0 : (uint64_t)result, fraction >> (52 - f->fraction));
}

/** FPRSqrtEstimate() */
static uint64_t root_estimate(struct state *s, const struct format *f, const struct operand *a)
{
    if (is_nan(a))
        return process_nan(s, f, f, a);
    if (a->class == ZERO) {
        s->flags |= FLAG_DZC;
        return infinity(f, a->sign);
    }
    if (a->sign)
        return invalid(s, f);
    if (a->class == INFINITE)
        return 0;
    int exponent;
    uint64_t fraction = estimate_fraction(f, a->bits, &exponent);
    if (!exponent) {
        for (; !(fraction >> 51 & 1); exponent--)
            fraction <<= 1;
        fraction = fraction << 1 & ((UINT64_C(1) << 52) - 1);
    }
    uint64_t scaled = exponent & 1 ? 128 | fraction >> 45 : 256 | fraction >> 44;
    scaled = scaled < 256 ? 2 * scaled + 1 : 2 * ((scaled & ~UINT64_C(1)) + 1);
    uint64_t root = 512;
    while (scaled * (root + 1) * (root + 1) < 1u << 28)
        root++;
    uint64_t estimate = (root + 1) / 2;
    int result = (3 * bias(f) - 1 - exponent) >> 1;
    return pack(f, false, (uint64_t)result, (estimate & 255) << (f->fraction - 8));
}

/** FPRecpX() */
static uint64_t reciprocal_exponent(struct state *s, const struct format *f, const struct operand *a)
{
    uint64_t exponent = a->bits >> f->fraction & exponent_ones(f);
    if (is_nan(a))
        return process_nan(s, f, f, a);
    return pack(f, a->sign, exponent ? exponent ^ exponent_ones(f) : exponent_ones(f) - 1, 0);
}

/* ---- all of them ------------------------------------------------------------------------------------------------- */

static uint64_t compute(struct state *s, const struct task *t, uint64_t bits_a, uint64_t bits_b, uint64_t bits_c)
{
    const struct format *f = format_of(t->bits);
    uint64_t sign = (uint64_t)1 << (f->bits - 1), ones = UINT64_MAX >> (64 - t->to_bits);
    if (t->op == OP_MULADD || t->op == OP_MULADD_LONG)
        return fused(s, t, bits_a, bits_b, bits_c);
    if (t->op == OP_FROM_FIXED)
        return from_fixed(s, t, bits_a);
    if (t->op == OP_CONVERT)
        return convert(s, t, bits_a);
    bool two = t->op <= OP_RSQRTS || t->op >= OP_COMPARE;
    struct operand a = take(s, f, bits_a), b = two ? take(s, f, bits_b) : a;
    switch (t->op) {
    case OP_ADD:
        return add(s, f, a, b);
    case OP_SUB:
    case OP_ABD:
        if (!is_nan(&b))
            b.sign = !b.sign;
        return add(s, f, a, b) & (t->op == OP_ABD ? sign - 1 : UINT64_MAX);
    case OP_MUL:
    case OP_NMUL:
        return multiply(s, f, &a, &b, false) ^ (t->op == OP_NMUL ? sign : 0);
    case OP_MULX:
        return multiply(s, f, &a, &b, true);
    case OP_DIV:
        return divide(s, f, &a, &b);
    case OP_MAX:
    case OP_MIN:
        return extreme(s, f, a, b, t->op == OP_MAX, false);
    case OP_MAXNM:
    case OP_MINNM:
        return extreme(s, f, a, b, t->op == OP_MAXNM, true);
    case OP_RECPS:
    case OP_RSQRTS:
        return step(s, f, &a, &b, t->op == OP_RSQRTS);
    case OP_SQRT:
        return square_root(s, f, &a);
    case OP_RECPE:
        return reciprocal_estimate(s, f, &a);
    case OP_RSQRTE:
        return root_estimate(s, f, &a);
    case OP_RECPX:
        return reciprocal_exponent(s, f, &a);
    case OP_ROUND:
    case OP_ROUND_N:
        return round_integral(s, f, &a, t);
    case OP_CONVERT_BF16:
        return convert_bfloat(s, &a);
    case OP_TO_FIXED:
        return to_fixed(s, f, &a, t);
    case OP_TO_JAVASCRIPT:
        return to_javascript(s, &a);
    case OP_CMEQ:
        return compare(s, &a, &b, false) == 6 ? ones : 0;
    case OP_CMGE:
        return (compare(s, &a, &b, true) & 11) == 2 ? ones : 0;
    case OP_CMGT:
        return compare(s, &a, &b, true) == 2 ? ones : 0;
    default:
        return compare(s, &a, &b, t->signal) << 60;
    }
}

struct answer reference_compute(const struct task *t, uint32_t fpcr, uint64_t a, uint64_t b, uint64_t c)
{
    struct state s = {.fpcr = fpcr, .rounding = t->rounding};
    if (s.rounding == ROUND_CURRENT)
        s.rounding = ROUND_NEAREST + ((fpcr & FPCR_RMODE) >> 22);
    uint64_t *const operands[3] = {&a, &b, &c};
    const unsigned widths[3] = {t->bits, t->bits, t->op == OP_MULADD_LONG ? t->to_bits : t->bits};
    for (unsigned i = 0; i < 3; i++) {
        uint64_t sign = (uint64_t)1 << (widths[i] - 1);
        *operands[i] &= 2 * sign - 1;
        if (t->absolute >> i & 1)
            *operands[i] &= ~sign;
        if (t->negate >> i & 1)
            *operands[i] ^= sign;
    }
    uint64_t value = compute(&s, t, a, b, c);
    return (struct answer){value, s.flags};
}

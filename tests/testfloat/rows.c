/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Encodings are put together here from the tables of Arm ARM DDI 0487, C4.1, and not taken from the decode table: the
   two check each other. */
#include "tests/testfloat/rows.h"

#include <stdlib.h>
#include <string.h>

enum { RD = 2, RN = 0, RM = 1, RA = 2, GENERAL_IN = 3, GENERAL_OUT = 4 };
#define REGISTERS_1 (RN << 5 | RD)
#define REGISTERS_2 (RM << 16 | REGISTERS_1)

struct list {
    struct row *rows;
    size_t n;
};

static void append(struct list *list, uint32_t word, struct task task, unsigned lanes, const enum kind kinds[3],
                   enum place place)
{
    if (list->n % 64 == 0)
        list->rows = realloc(list->rows, (list->n + 64) * sizeof list->rows[0]);
    list->rows[list->n++] = (struct row){word, task, lanes, {kinds[0], kinds[1], kinds[2]}, place, LANES};
}

static enum kind float_kind(unsigned bits)
{
    return bits == 16 ? KIND_HALF : bits == 32 ? KIND_SINGLE : KIND_DOUBLE;
}

static enum kind integer_kind(unsigned bits)
{
    return bits == 16 ? KIND_INTEGER_16 : bits == 32 ? KIND_INTEGER_32 : KIND_INTEGER_64;
}

/** `ftype` of scalar encodings. */
static uint32_t type_of(unsigned bits)
{
    return (bits == 16 ? 3u : bits == 32 ? 0u : 1u) << 22;
}

/** `count` operands of the task's format. */
static void append_floats(struct list *list, uint32_t word, struct task task, unsigned lanes, unsigned count,
                          enum place place)
{
    enum kind kind = float_kind(task.bits), kinds[3] = {KIND_NONE};
    for (unsigned i = 0; i < count; i++)
        kinds[i] = kind;
    append(list, word, task, lanes, kinds, place);
}

/* ---- scalar ------------------------------------------------------------------------------------------------------ */

static void scalar_arithmetic(struct list *list, unsigned bits)
{
    static const uint8_t two[] = {OP_MUL, OP_DIV, OP_ADD, OP_SUB, OP_MAX, OP_MIN, OP_MAXNM, OP_MINNM, OP_NMUL};
    static const uint8_t negate[] = {0, 1, 5, 4}; /* FMADD, FMSUB, FNMADD, FNMSUB */
    uint8_t b = (uint8_t)bits;
    for (unsigned i = 0; i < sizeof two; i++)
        append_floats(list, 0x1e200800 | type_of(bits) | i << 12 | REGISTERS_2, (struct task){.op = two[i], b, b}, 1, 2,
                      IN_VECTOR);
    for (unsigned i = 0; i < 4; i++)
        append_floats(list, 0x1f000000 | type_of(bits) | (i >> 1) << 21 | (i & 1) << 15 | RA << 10 | REGISTERS_2,
                      (struct task){.op = OP_MULADD, b, b, .negate = negate[i]}, 1, 3, IN_VECTOR);
    append_floats(list, 0x1e21c000 | type_of(bits) | REGISTERS_1, (struct task){.op = OP_SQRT, b, b}, 1, 1, IN_VECTOR);
    for (unsigned i = 0; i < 4; i++) { /* FCMP, FCMP with zero, FCMPE, FCMPE with zero; FCCMP, FCCMPE of AL */
        struct task task = {.op = OP_COMPARE, b, b, .signal = i >> 1};
        append_floats(list, 0x1e202000 | type_of(bits) | (i & 1 ? 0 : RM << 16) | RN << 5 | i << 3, task, 1,
                      i & 1 ? 1 : 2, IN_NZCV);
        if (!(i & 1))
            append_floats(list, 0x1e200400 | type_of(bits) | RM << 16 | 14 << 12 | RN << 5 | (i >> 1) << 4, task, 1, 2,
                          IN_NZCV);
    }
}

static void scalar_roundings(struct list *list, unsigned bits)
{
    static const struct {
        uint8_t opcode, rounding;
    } integral[] = {{8, ROUND_NEAREST}, {9, ROUND_UP},       {10, ROUND_DOWN},   {11, ROUND_ZERO},
                    {12, ROUND_AWAY},   {14, ROUND_CURRENT}, {15, ROUND_CURRENT}};
    uint8_t b = (uint8_t)bits;
    for (unsigned i = 0; i < sizeof integral / sizeof integral[0]; i++)
        append_floats(
            list, 0x1e204000 | type_of(bits) | (uint32_t)integral[i].opcode << 15 | REGISTERS_1,
            (struct task){.op = OP_ROUND, b, b, .rounding = integral[i].rounding, .exact = integral[i].opcode == 14}, 1,
            1, IN_VECTOR);
    for (unsigned i = 0; i < 4 && bits != 16; i++) /* FRINT32Z, FRINT32X, FRINT64Z, FRINT64X */
        append_floats(
            list, 0x1e204000 | type_of(bits) | (16 + i) << 15 | REGISTERS_1,
            (struct task){
                .op = OP_ROUND_N, b, b, .rounding = i & 1 ? ROUND_CURRENT : ROUND_ZERO, .fraction = i & 2 ? 64 : 32},
            1, 1, IN_VECTOR);
}

static void scalar_integers(struct list *list, unsigned bits)
{
    static const uint8_t fractions[] = {1, 7, 31, 32, 33, 63, 64};
    static const uint8_t roundings[] = {ROUND_NEAREST, ROUND_UP, ROUND_DOWN, ROUND_ZERO};
    for (uint32_t wide = 0; wide < 2; wide++)
        for (uint32_t is_unsigned = 0; is_unsigned < 2; is_unsigned++) {
            unsigned integer = wide ? 64 : 32;
            uint32_t head = wide << 31 | type_of(bits) | is_unsigned << 16;
            struct task to = {.op = OP_TO_FIXED, (uint8_t)bits, (uint8_t)integer, .is_unsigned = is_unsigned};
            struct task from = {.op = OP_FROM_FIXED, (uint8_t)integer, (uint8_t)bits, .is_unsigned = is_unsigned};
            const enum kind integers[3] = {integer_kind(integer)};
            for (uint32_t i = 0; i < 4; i++) {
                to.rounding = roundings[i];
                append_floats(list, 0x1e200000 | head | i << 19 | RN << 5 | GENERAL_OUT, to, 1, 1, IN_GENERAL);
            }
            to.rounding = ROUND_AWAY;
            append_floats(list, 0x1e240000 | head | RN << 5 | GENERAL_OUT, to, 1, 1, IN_GENERAL);
            append(list, 0x1e220000 | head | GENERAL_IN << 5 | RD, from, 1, integers, IN_VECTOR);
            to.rounding = ROUND_ZERO;
            for (unsigned i = 0; i < sizeof fractions && fractions[i] <= integer; i++) {
                uint32_t scale = (64u - fractions[i]) << 10;
                to.fraction = from.fraction = fractions[i];
                append_floats(list, 0x1e180000 | head | scale | RN << 5 | GENERAL_OUT, to, 1, 1, IN_GENERAL);
                append(list, 0x1e020000 | head | scale | GENERAL_IN << 5 | RD, from, 1, integers, IN_VECTOR);
            }
        }
}

static void conversions(struct list *list)
{
    static const uint8_t formats[] = {32, 64, 0, 16}; /* `opc` of FCVT */
    for (uint32_t to = 0; to < 4; to++)
        for (uint32_t from = 0; from < 4; from++)
            if (from != to && formats[from] && formats[to])
                append_floats(list, 0x1e224000 | from << 22 | to << 15 | REGISTERS_1,
                              (struct task){.op = OP_CONVERT, formats[from], formats[to]}, 1, 1, IN_VECTOR);
    for (uint32_t q = 0; q < 2; q++) { /* lanes 64 bits wide; FCVTL, FCVTN, FCVTXN; between 32 and 16 */
        unsigned lanes = q ? 2 : 4;
        uint8_t wide = q ? 64 : 32, narrow = wide / 2;
        append_floats(list, 0x0e217800 | q << 22 | REGISTERS_1, (struct task){.op = OP_CONVERT, narrow, wide}, lanes, 1,
                      IN_VECTOR);
        append_floats(list, 0x0e216800 | q << 22 | REGISTERS_1, (struct task){.op = OP_CONVERT, wide, narrow}, lanes, 1,
                      IN_VECTOR);
    }
    struct task odd = {.op = OP_CONVERT, 64, 32, .rounding = ROUND_ODD}, bfloat = {.op = OP_CONVERT_BF16, 32, 16};
    append_floats(list, 0x2e616800 | REGISTERS_1, odd, 2, 1, IN_VECTOR);
    append_floats(list, 0x7e616800 | REGISTERS_1, odd, 1, 1, IN_VECTOR);
    append_floats(list, 0x1e634000 | REGISTERS_1, bfloat, 1, 1, IN_VECTOR);
    append_floats(list, 0x0ea16800 | REGISTERS_1, bfloat, 4, 1, IN_VECTOR);
    append_floats(list, 0x1e7e0000 | RN << 5 | GENERAL_OUT, (struct task){.op = OP_TO_JAVASCRIPT, 64, 64}, 1, 1,
                  IN_NZCV_AND_GENERAL);
}

/* ---- vectors ----------------------------------------------------------------------------------------------------- */

enum { FORM_SCALAR = 1, FORM_VECTOR = 2 };

/** The word for scalars, for vectors of 64 and of 128 bits. */
static void append_forms(struct list *list, uint32_t word, unsigned forms, struct task task, unsigned count)
{
    unsigned lanes = 128u / task.bits;
    const enum kind kind = task.op == OP_FROM_FIXED ? integer_kind(task.bits) : float_kind(task.bits);
    enum kind kinds[3] = {KIND_NONE};
    for (unsigned i = 0; i < count; i++)
        kinds[i] = kind;
    if (forms & FORM_SCALAR)
        append(list, word | 0x50000000, task, 1, kinds, IN_VECTOR);
    if (forms & FORM_VECTOR && lanes > 2)
        append(list, word, task, lanes / 2, kinds, IN_VECTOR);
    if (forms & FORM_VECTOR)
        append(list, word | 0x40000000, task, lanes, kinds, IN_VECTOR);
}

static void vector_three_same(struct list *list, unsigned bits)
{
    static const struct {
        uint8_t op, u, a, opcode, forms, count, negate, absolute;
    } table[] = {
        {OP_MAXNM, 0, 0, 0, 2, 2, 0, 0}, {OP_MULADD, 0, 0, 1, 2, 3, 0, 0}, {OP_ADD, 0, 0, 2, 2, 2, 0, 0},
        {OP_MULX, 0, 0, 3, 3, 2, 0, 0},  {OP_CMEQ, 0, 0, 4, 3, 2, 0, 0},   {OP_MAX, 0, 0, 6, 2, 2, 0, 0},
        {OP_RECPS, 0, 0, 7, 3, 2, 1, 0}, {OP_MINNM, 0, 1, 0, 2, 2, 0, 0},  {OP_MULADD, 0, 1, 1, 2, 3, 1, 0},
        {OP_SUB, 0, 1, 2, 2, 2, 0, 0},   {OP_MIN, 0, 1, 6, 2, 2, 0, 0},    {OP_RSQRTS, 0, 1, 7, 3, 2, 1, 0},
        {OP_MUL, 1, 0, 3, 2, 2, 0, 0},   {OP_CMGE, 1, 0, 4, 3, 2, 0, 0},   {OP_CMGE, 1, 0, 5, 3, 2, 0, 3},
        {OP_DIV, 1, 0, 7, 2, 2, 0, 0},   {OP_ABD, 1, 1, 2, 3, 2, 0, 0},    {OP_CMGT, 1, 1, 4, 3, 2, 0, 0},
        {OP_CMGT, 1, 1, 5, 3, 2, 0, 3},
    };
    for (unsigned i = 0; i < sizeof table / sizeof table[0]; i++) {
        uint32_t word = (bits == 16 ? 0x0e400400 : 0x0e20c400 | (uint32_t)(bits == 64) << 22) |
                        (uint32_t)table[i].u << 29 | (uint32_t)table[i].a << 23 | (uint32_t)table[i].opcode << 11 |
                        REGISTERS_2;
        struct task task = {
            .op = table[i].op, (uint8_t)bits, (uint8_t)bits, .negate = table[i].negate, .absolute = table[i].absolute};
        append_forms(list, word, table[i].forms, task, table[i].count);
    }
}

static void vector_one_operand(struct list *list, unsigned bits)
{
    static const struct {
        uint8_t op, u, a, opcode, forms, rounding;
    } table[] = {
        {OP_ROUND, 0, 0, 0x18, 2, ROUND_NEAREST},
        {OP_ROUND, 0, 0, 0x19, 2, ROUND_DOWN},
        {OP_ROUND, 0, 1, 0x18, 2, ROUND_UP},
        {OP_ROUND, 0, 1, 0x19, 2, ROUND_ZERO},
        {OP_ROUND, 1, 0, 0x18, 2, ROUND_AWAY},
        {OP_ROUND, 1, 0, 0x19, 2, ROUND_CURRENT},
        {OP_ROUND, 1, 1, 0x19, 2, ROUND_CURRENT},
        {OP_ROUND_N, 0, 0, 0x1e, 2, ROUND_ZERO},
        {OP_ROUND_N, 0, 0, 0x1f, 2, ROUND_ZERO},
        {OP_ROUND_N, 1, 0, 0x1e, 2, ROUND_CURRENT},
        {OP_ROUND_N, 1, 0, 0x1f, 2, ROUND_CURRENT},
        {OP_TO_FIXED, 0, 0, 0x1a, 3, ROUND_NEAREST},
        {OP_TO_FIXED, 0, 0, 0x1b, 3, ROUND_DOWN},
        {OP_TO_FIXED, 0, 0, 0x1c, 3, ROUND_AWAY},
        {OP_TO_FIXED, 0, 1, 0x1a, 3, ROUND_UP},
        {OP_TO_FIXED, 0, 1, 0x1b, 3, ROUND_ZERO},
        {OP_TO_FIXED, 1, 0, 0x1a, 3, ROUND_NEAREST},
        {OP_TO_FIXED, 1, 0, 0x1b, 3, ROUND_DOWN},
        {OP_TO_FIXED, 1, 0, 0x1c, 3, ROUND_AWAY},
        {OP_TO_FIXED, 1, 1, 0x1a, 3, ROUND_UP},
        {OP_TO_FIXED, 1, 1, 0x1b, 3, ROUND_ZERO},
        {OP_FROM_FIXED, 0, 0, 0x1d, 3, ROUND_CURRENT},
        {OP_FROM_FIXED, 1, 0, 0x1d, 3, ROUND_CURRENT},
        {OP_RECPE, 0, 1, 0x1d, 3, ROUND_CURRENT},
        {OP_RSQRTE, 1, 1, 0x1d, 3, ROUND_CURRENT},
        {OP_SQRT, 1, 1, 0x1f, 2, ROUND_CURRENT},
        {OP_RECPX, 0, 1, 0x1f, 1, ROUND_CURRENT},
        {OP_CMGT, 0, 1, 0x0c, 3, ROUND_CURRENT},
        {OP_CMEQ, 0, 1, 0x0d, 3, ROUND_CURRENT},
        {OP_CMGE, 1, 1, 0x0c, 3, ROUND_CURRENT},
        /* of the negative: less (or equal) */
        {OP_CMGT, 0, 1, 0x0e, 3, ROUND_CURRENT},
        {OP_CMGE, 1, 1, 0x0d, 3, ROUND_CURRENT},
    };
    for (unsigned i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (table[i].op == OP_ROUND_N && bits == 16)
            continue;
        bool less = table[i].opcode == (table[i].op == OP_CMGT ? 0x0e : 0x0d) && table[i].op != OP_CMEQ;
        uint32_t word = (bits == 16 ? 0x0e780800 : 0x0e200800 | (uint32_t)(bits == 64) << 22) |
                        (uint32_t)table[i].u << 29 | (uint32_t)table[i].a << 23 | (uint32_t)table[i].opcode << 12 |
                        REGISTERS_1;
        struct task task = {.op = table[i].op,
                            (uint8_t)bits,
                            (uint8_t)bits,
                            .negate = less,
                            .rounding = table[i].rounding,
                            .is_unsigned = table[i].u,
                            .exact = table[i].u && !table[i].a && table[i].opcode == 0x19,
                            .fraction = table[i].op != OP_ROUND_N ? 0
                                        : table[i].opcode == 0x1e ? 32
                                                                  : 64};
        append_forms(list, word, table[i].forms, task, 1);
    }
}

static void vector_fixed_point(struct list *list, unsigned bits)
{
    const uint8_t fractions[] = {1, (uint8_t)(bits / 2 + 1), (uint8_t)bits};
    for (unsigned i = 0; i < sizeof fractions; i++)
        for (uint32_t is_unsigned = 0; is_unsigned < 2; is_unsigned++) {
            uint32_t word = 0x0f000400 | is_unsigned << 29 | (2 * bits - fractions[i]) << 16 | REGISTERS_1;
            struct task task = {.op = OP_FROM_FIXED,
                                (uint8_t)bits,
                                (uint8_t)bits,
                                .is_unsigned = is_unsigned,
                                .fraction = fractions[i]};
            append_forms(list, word | 0x1c << 11, FORM_SCALAR | FORM_VECTOR, task, 1);
            task.op = OP_TO_FIXED;
            task.rounding = ROUND_ZERO;
            append_forms(list, word | 0x1f << 11, FORM_SCALAR | FORM_VECTOR, task, 1);
        }
}

/** FMLAL, FMLSL, of the low halves of their operands. */
static void multiply_long(struct list *list)
{
    const enum kind kinds[3] = {KIND_HALF, KIND_HALF, KIND_SINGLE};
    for (uint8_t negate = 0; negate < 2; negate++)
        append(list, 0x4e20ec00 | (uint32_t)negate << 23 | REGISTERS_2,
               (struct task){.op = OP_MULADD_LONG, 16, 32, .negate = negate}, 4, kinds, IN_VECTOR);
}

/** The rows from `first` on have another arrangement. */
static void arrange(struct list *list, size_t first, enum arrangement arrangement)
{
    for (size_t i = first; i < list->n; i++)
        list->rows[i].arrangement = arrangement;
}

static void pairs(struct list *list, unsigned bits)
{
    static const struct {
        uint8_t op, a, opcode, scalar;
    } table[] = {
        {OP_MAXNM, 0, 0, 0x0c}, {OP_ADD, 0, 2, 0x0d}, {OP_MAX, 0, 6, 0x0f},
        {OP_MINNM, 1, 0, 0x0c}, {OP_MIN, 1, 6, 0x0f},
    };
    size_t first = list->n;
    for (unsigned i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct task task = {.op = table[i].op, .bits = (uint8_t)bits, .to_bits = (uint8_t)bits};
        uint32_t a = (uint32_t)table[i].a << 23, double_bit = (uint32_t)(bits == 64) << 22;
        append_forms(list,
                     (bits == 16 ? 0x2e400400 : 0x2e20c400 | double_bit) | a | (uint32_t)table[i].opcode << 11 |
                         REGISTERS_2,
                     FORM_VECTOR, task, 2);
        append_floats(list,
                      (bits == 16 ? 0x5e300800 : 0x7e300800 | double_bit) | a | (uint32_t)table[i].scalar << 12 |
                          REGISTERS_1,
                      task, 1, 2, IN_VECTOR);
    }
    arrange(list, first, PAIRS);
}

static void by_element(struct list *list, unsigned bits)
{
    static const struct {
        uint8_t op, u, opcode, count, negate;
    } table[] = {{OP_MULADD, 0, 1, 3, 0}, {OP_MULADD, 0, 5, 3, 1}, {OP_MUL, 0, 9, 2, 0}, {OP_MULX, 1, 9, 2, 0}};
    const uint32_t size = bits == 16 ? 0 : bits == 32 ? 2 : 3;
    const uint32_t index = bits == 16 ? 1 << 20 : bits == 32 ? 1 << 21 : 1 << 11;
    size_t first = list->n;
    for (unsigned i = 0; i < sizeof table / sizeof table[0]; i++)
        append_forms(list,
                     0x0f000000 | (uint32_t)table[i].u << 29 | size << 22 | index | (uint32_t)table[i].opcode << 12 |
                         REGISTERS_2,
                     FORM_SCALAR | FORM_VECTOR,
                     (struct task){.op = table[i].op, (uint8_t)bits, (uint8_t)bits, .negate = table[i].negate},
                     table[i].count);
    arrange(list, first, ELEMENT);
}

static void complex_numbers(struct list *list, unsigned bits)
{
    const uint32_t size = bits == 16 ? 1 : bits == 32 ? 2 : 3;
    for (enum arrangement i = ADD_90; i <= MULTIPLY_270; i++) {
        size_t first = list->n;
        bool multiply = i >= MULTIPLY_0;
        uint32_t rotation = multiply ? 0xc400 | (i - MULTIPLY_0) << 11 : 0xe400 | (i - ADD_90) << 12;
        struct task task = {.op = multiply ? OP_MULADD : OP_ADD, .bits = (uint8_t)bits, .to_bits = (uint8_t)bits};
        append_forms(list, 0x2e000000 | size << 22 | rotation | REGISTERS_2, FORM_VECTOR, task, multiply ? 3 : 2);
        arrange(list, first, i);
    }
}

/** FCVTL2, FMLAL2, FMLSL2. */
static void high_halves(struct list *list)
{
    size_t first = list->n;
    const enum kind kinds[3] = {KIND_HALF, KIND_HALF, KIND_SINGLE};
    append_floats(list, 0x4e217800 | REGISTERS_1, (struct task){.op = OP_CONVERT, 16, 32}, 4, 1, IN_VECTOR);
    append_floats(list, 0x4e617800 | REGISTERS_1, (struct task){.op = OP_CONVERT, 32, 64}, 2, 1, IN_VECTOR);
    for (uint8_t negate = 0; negate < 2; negate++)
        append(list, 0x6e20cc00 | (uint32_t)negate << 23 | REGISTERS_2,
               (struct task){.op = OP_MULADD_LONG, 16, 32, .negate = negate}, 4, kinds, IN_VECTOR);
    arrange(list, first, HIGH);
}

uint64_t lane_get(const uint64_t v[2], unsigned bits, unsigned lane)
{
    uint64_t value = 0;
    memcpy(&value, (const char *)v + lane * bits / 8, bits / 8);
    return value;
}

uint64_t row_operand(const struct row *row, const uint64_t v[3][2], unsigned number, unsigned i)
{
    const unsigned bits = kind_bits(row->kinds[number]);
    const bool odd = i & 1;
    bool negate = false;
    if (row->kinds[number] == KIND_NONE)
        return 0;
    if (number < 2)
        switch (row->arrangement) {
        case HIGH:
            i += 64 / bits;
            break;
        case ELEMENT:
            i = number == 1 ? 1 : i;
            break;
        case PAIRS:
            i = 2 * i + number;
            number = row->lanes > 1 && i >= row->lanes;
            i -= number ? row->lanes : 0;
            break;
        case ADD_90:
        case ADD_270:
            negate = number == 1 && odd == (row->arrangement == ADD_270);
            i ^= number;
            break;
        case MULTIPLY_0:
        case MULTIPLY_180:
            negate = number == 1 && row->arrangement == MULTIPLY_180;
            i = number == 0 ? i & ~1u : i;
            break;
        case MULTIPLY_90:
        case MULTIPLY_270:
            negate = number == 1 && odd == (row->arrangement == MULTIPLY_270);
            i = number == 0 ? i | 1 : i ^ 1;
            break;
        default:
            break;
        }
    return lane_get(v[number], bits, i) ^ (uint64_t)negate << (bits - 1);
}

size_t rows_create(struct row **rows)
{
    struct list list = {NULL, 0};
    for (unsigned bits = 16; bits <= 64; bits *= 2) {
        scalar_arithmetic(&list, bits);
        scalar_roundings(&list, bits);
        scalar_integers(&list, bits);
        vector_three_same(&list, bits);
        vector_one_operand(&list, bits);
        vector_fixed_point(&list, bits);
        pairs(&list, bits);
        by_element(&list, bits);
        complex_numbers(&list, bits);
    }
    conversions(&list);
    multiply_long(&list);
    high_halves(&list);
    *rows = list.rows;
    return list.n;
}

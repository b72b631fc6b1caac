/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/random/generate.h"

#include <string.h>

#include "frontend/a64/cpu.h"

uint32_t next_random(uint64_t *random)
{
    *random = *random * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*random >> 32);
}

static uint64_t next_random64(uint64_t *random)
{
    return (uint64_t)next_random(random) << 32 | next_random(random);
}

/** True once in n. */
static bool one_in(uint64_t *random, unsigned n)
{
    return next_random(random) % n == 0;
}

/* ---- values ------------------------------------------------------------------------------------------------------ */

/* Zeros, denormals, the ends of the normal numbers, infinities, quiet and signaling NaNs; then what lies at the limits
   of conversions: powers of two that integers end at, what the next smaller format just can and cannot hold. Signs are
   added. */
static const uint16_t halves[] = {0,      1,      0x03ff, 0x0400, 0x0401, 0x7bff, 0x7c00, 0x7e00,
                                  0x7e55, 0x7c01, 0x7dff, 0x7fff, 0x3c00, 0x3bff, 0x3c01, 0x3800,
                                  0x3e00, 0x4100, 0x7800, 0x77ff, 0x5800, 0x5bf8, 0x1400, 0x6400};
static const uint32_t singles[] = {0,          1,          0x007fffff, 0x00800000, 0x00800001, 0x7f7fffff, 0x7f800000,
                                   0x7fc00000, 0x7fc12345, 0x7f800001, 0x7fbfffff, 0x7fffffff, 0x3f800000, 0x3f7fffff,
                                   0x3f800001, 0x3f000000, 0x3fc00000, 0x40200000, 0x4f000000, 0x4effffff, 0x4f800000,
                                   0x4f7fffff, 0x5f000000, 0x5effffff, 0x5f800000, 0x477fe000, 0x477ff000, 0x477fefff,
                                   0x33000000, 0x33000001, 0x38800000, 0x387fffff, 0x387fe000, 0x7f7f8000, 0x7f7fc000,
                                   0x0c800000, 0x1fc00000, 0x5f7fffff, 0x4b000000, 0x4b7fffff};
/* clang-format off */
static const uint64_t doubles[] = {
    0x0000000000000000, 0x0000000000000001, 0x000fffffffffffff, 0x0010000000000000, 0x7fefffffffffffff,
    0x7ff0000000000000, 0x7ff8000000000000, 0x7ff8000000012345, 0x7ff0000000000001, 0x7ff7ffffffffffff,
    0x7fffffffffffffff, 0x7ff0000020000000, 0x3ff0000000000000, 0x3fefffffffffffff, 0x3ff0000000000001,
    0x3fe0000000000000, 0x3ff8000000000000, 0x4004000000000000, 0x41e0000000000000, 0x41dfffffffc00000,
    0x41dfffffffe00000, 0x41f0000000000000, 0x41efffffffe00000, 0x43e0000000000000, 0x43dfffffffffffff,
    0x43f0000000000000, 0x47efffffe0000000, 0x47effffff0000000, 0x47efffffefffffff, 0x36a0000000000000,
    0x3690000000000000, 0x3690000000000001, 0x3810000000000000, 0x380fffffffffffff, 0x380fffffe0000000,
    0x40effc0000000000, 0x40effe0000000000, 0x3e60000000000000, 0x3f10000000000000, 0x4330000000000000,
    0x433fffffffffffff,
};
/* clang-format on */
#define PICK(table, random) (table)[next_random(random) % (sizeof(table) / sizeof((table)[0]))]

/** An integer of so many bits, close to where something happens half of the time. */
static uint64_t random_integer(uint64_t *random, unsigned bits)
{
    uint64_t ones = ~(uint64_t)0 >> (64 - bits), sign = (uint64_t)1 << (bits - 1), luck = next_random(random);
    uint64_t value;
    switch (luck & 7) {
    case 0:
        value = 0;
        break;
    case 1:
        value = ones - (luck >> 8 & 3);
        break;
    case 2:
        value = sign + (luck >> 8 & 3);
        break;
    case 3:
        value = sign - 1 - (luck >> 8 & 3);
        break;
    case 4:
        value = luck >> 8 & 127;
        break;
    case 5:
        value = (uint64_t)1 << (luck >> 8 & 63);
        break;
    case 6:
        value = next_random64(random) >> (luck >> 8 & 63);
        break;
    default:
        value = next_random64(random);
    }
    return value & ones;
}

/** A floating-point number of so many bits. */
static uint64_t random_float(uint64_t *random, unsigned bits)
{
    unsigned exponent_bits = bits == 16 ? 5 : bits == 32 ? 8 : 11, fraction_bits = bits - 1 - exponent_bits;
    uint64_t sign = (uint64_t)(next_random(random) & 1) << (bits - 1), luck = next_random(random);
    if (luck & 1)
        return sign | (bits == 16 ? PICK(halves, random) : bits == 32 ? PICK(singles, random) : PICK(doubles, random));
    /* Near one another, so that sums cancel and products do not always overflow; every second one with few digits. */
    uint64_t bias = ((uint64_t)1 << (exponent_bits - 1)) - 1, range = luck & 6 ? 9 : bias;
    uint64_t exponent = bias - range / 2 + next_random(random) % range;
    uint64_t fraction = next_random64(random) >> (64 - fraction_bits);
    if (luck & 8)
        fraction &= ~(uint64_t)0 << (fraction_bits - 3);
    return sign | exponent << fraction_bits | fraction;
}

/** All lanes of a width that is drawn, floats or integers. */
static void random_vector(uint64_t v[2], uint64_t *random)
{
    static const uint8_t widths[] = {8, 16, 16, 32, 32, 32, 64, 64, 64};
    unsigned bits = PICK(widths, random);
    bool floats = bits > 8 && !one_in(random, 3);
    v[0] = v[1] = 0;
    for (unsigned at = 0; at < 128; at += bits)
        v[at / 64] |= (floats ? random_float(random, bits) : random_integer(random, bits)) << at % 64;
    if (one_in(random, 8))
        v[1] = v[0];
}

static uint32_t random_fpcr(uint64_t *random)
{
    uint32_t luck = next_random(random), round = next_random(random) & 0x00c00000;
    switch (luck & 7) {
    case 0:
        return round;
    case 1:
        return round | (next_random(random) & 0x07080000); /* AHP, DN, FZ, FZ16 */
    case 2:
        return next_random(random) & next_random(random) & 0x07c80000;
    default:
        return 0;
    }
}

void random_ram(uint64_t *ram, uint64_t *random)
{
    for (unsigned i = 0; i < RAM_BYTES / 8; i += 2)
        random_vector(ram + i, random);
}

/** Near the border of the two pages; aligned. */
static uint64_t random_pointer(uint64_t *random)
{
    return RAM_BASE + RAM_BYTES / 2 - 256 + (next_random(random) & 0x1f0);
}

/** One time in eight unaligned, which atomic instructions care about: within 16 bytes or across, across the pages; now
    and then, at either end of the RAM. */
static uint64_t random_base(uint64_t *random)
{
    uint32_t luck = next_random(random);
    uint64_t unaligned = luck & 7 ? 0 : luck >> 3 & 15;
    if (!(luck >> 7 & 63))
        return luck >> 13 & 1 ? RAM_BASE + RAM_BYTES - (luck >> 14 & 31) : RAM_BASE - 16 + (luck >> 14 & 31);
    if (!(luck >> 7 & 15))
        return RAM_BASE + RAM_BYTES / 2 - 16 + unaligned;
    return random_pointer(random) + unaligned;
}

/** An instruction behind all indirect branches. */
static unsigned jump_target(const struct sequence *s, uint64_t *random)
{
    unsigned first = s->n;
    while (first > 1 && (s->words[first - 1] & 0xfe000000) != 0xd6000000)
        first--;
    return first + next_random(random) % (s->n + 1 - first);
}

static bool is_exclusive(uint32_t word)
{
    return (word & 0x3f800000) == 0x08000000 && (word & 0x80200000) != 0x00200000;
}

/** Whether a store-exclusive succeeds through another address than its load-exclusive's, be it by the tag alone, is
    left open: all have one tag, seldom. */
static void unify_tags(struct state *state, const struct sequence *s, uint64_t *random)
{
    uint64_t tag = one_in(random, 8) ? (uint64_t)next_random(random) << 56 : 0;
    unsigned i = 0;
    while (i < s->n && !is_exclusive(s->words[i]))
        i++;
    if (i == s->n)
        return;
    for (i = 0; i < 6; i++)
        state->x[i] = state->x[i] << 8 >> 8 | tag;
    state->sp |= tag;
}

void random_state(struct state *state, const struct sequence *s, uint64_t *random)
{
    *state = (struct state){.pc = CODE_BASE};
    for (unsigned i = 0; i < 31; i++) {
        unsigned bits = one_in(random, 2) ? 64 : 32;
        state->x[i] = one_in(random, 4) ? random_float(random, bits) : random_integer(random, bits);
    }
    for (unsigned i = 0; i < 6; i++) {
        state->x[i] = i == COPY_REGISTER ? random_pointer(random) - 1024 : random_base(random);
        if (one_in(random, 32))
            state->x[i] |= (uint64_t)next_random(random) << 56; /* a tag */
    }
    for (unsigned i = 20; i < 24; i++)
        state->x[i] = next_random(random) & (i & 1 ? 0x7f : 0x70);
    state->x[FPCR_REGISTER] = random_fpcr(random);
    state->x[FPSR_REGISTER] = next_random(random) & 0x0800009f;
    state->x[JUMP_REGISTER] = CODE_BASE + 4 * (uint64_t)jump_target(s, random);
    state->x[LOOP_REGISTER] = one_in(random, 2) ? 1 : 2 + next_random(random) % 3;
    state->sp = random_pointer(random) + (one_in(random, 64) ? 8 : 0);
    unify_tags(state, s, random);
    state->tpidr = next_random64(random);
    for (unsigned i = 0; i < 32; i++)
        random_vector(state->v[i], random);
    state->nzcv = next_random(random) & 0xf0000000;
    state->fpcr = random_fpcr(random);
    state->fpsr = one_in(random, 4) ? next_random(random) & 0x0800009f : 0;
}

/* ---- instructions ------------------------------------------------------------------------------------------------ */

static unsigned field(uint32_t word, unsigned low)
{
    return word >> low & 31;
}

static uint32_t with_field(uint32_t word, unsigned low, unsigned value)
{
    return (word & ~(31u << low)) | value << low;
}

static bool is_memory(uint32_t word)
{
    return (word & 0x0a000000) == 0x08000000;
}

bool is_branch(uint32_t word)
{
    return (word & 0x7c000000) == 0x14000000 || (word & 0x7c000000) == 0x34000000 ||
           (word & 0xff000000) == 0x54000000 || (word & 0xfe000000) == 0xd6000000;
}

/** A cache operation by address, DC ZVA too. */
static bool is_cache_operation(uint32_t word)
{
    return (word & 0xfffff000) == 0xd50b7000;
}

bool row_is_usable(const struct a64_row *row)
{
    /* What ends the process, depends on time or luck, or tells of the implementation. HLT is an emulator's door to its
     * host. */
    static const char *const unusable[] = {
        "SVC",     "HVC",    "SMC",      "HLT",       "DCPS",       "ERET",    "DRPS",      "WFET", "WFIT", "MRS_CNT",
        "MRS_RND", "MRS_ID", "MRS_MIDR", "MRS_MPIDR", "MRS_REVIDR", "MRS_CTR", "MRS_DCZID", "IRG",  "ADDG", "SUBG"};
    for (size_t i = 0; i < sizeof unusable / sizeof unusable[0]; i++)
        if (strncmp(row->name, unusable[i], strlen(unusable[i])) == 0)
            return false;
    return row->translate && a64_features_supported() >> row->feature & 1;
}

bool is_unpredictable(uint32_t word)
{
    unsigned t = field(word, 0), n = field(word, 5), t2 = field(word, 10), s = field(word, 16);
    bool vector = word & 1u << 26, load = word & 1u << 22, base = n != 31 && !vector;
    if ((word & 0x3a000000) == 0x28000000) { /* pairs; with bit 23, and post-indexed ones, write the base back */
        bool writeback = word & 1u << 23 && (word >> 23 & 3) != 2;
        return (load && t == t2) || (writeback && base && (n == t || n == t2));
    }
    if ((word & 0x3b200400) == 0x38000400) /* pre- and post-indexed */
        return base && n == t;
    if ((word & 0x3f800000) == 0x08000000) { /* exclusive */
        bool pair = word & 1u << 21;
        if (load)
            return pair && t == t2;
        return s == t || (s == n && n != 31) || (pair && s == t2);
    }
    return false;
}

static bool is_reserved(unsigned number)
{
    return number == FPCR_REGISTER || number == FPSR_REGISTER || number == JUMP_REGISTER || number == LOOP_REGISTER;
}

static bool uses_reserved_register(const struct a64_row *row, uint32_t word)
{
    struct a64_encoding e;
    if ((word & 0xbfa07c00) == 0x08207c00 && (is_reserved(field(word, 0) + 1) || is_reserved(field(word, 16) + 1)))
        return true; /* CASP has a pair of each */
    a64_parse_pattern(row->pattern, &e);
    for (unsigned i = 0; i < e.nfields; i++) {
        unsigned number = field(word, e.fields[i].shift);
        if (e.fields[i].name[0] == 'R' && e.fields[i].width == 5 && is_reserved(number))
            return true;
    }
    return false;
}

/** Few registers, so that the instructions have to do with each other. */
static uint32_t narrow_registers(const struct a64_row *row, uint32_t word, uint64_t *random)
{
    struct a64_encoding e;
    a64_parse_pattern(row->pattern, &e);
    for (unsigned i = 0; i < e.nfields; i++) {
        const struct a64_field *f = &e.fields[i];
        uint32_t luck = next_random(random);
        if (f->name[0] == 'R' && f->width == 5 && luck % 8)
            word = with_field(word, f->shift, 6 + (luck >> 8) % 5);
    }
    return word;
}

/** Bits that do not matter should have a value all the same: the manual's "(1)", and "(0)" for Rm of a comparison with
   zero. Other values are CONSTRAINED UNPREDICTABLE. */
static uint32_t with_should_be_bits(const struct a64_row *row, uint32_t word)
{
    struct a64_encoding e;
    a64_parse_pattern(row->pattern, &e);
    uint32_t free = ~e.mask;
    for (unsigned i = 0; i < e.nfields; i++)
        free &= ~((uint32_t)(((uint64_t)1 << e.fields[i].width) - 1) << e.fields[i].shift);
    bool registers = (free & free << 1 & free << 2 & free << 3 & free << 4) && e.mask & 0xffff;
    return !registers ? word : (word & 0x0e000000) == 0x0e000000 ? word & ~free : word | free;
}

/** A load or store whose address is in RAM, or nearly so. */
static uint32_t aim(uint32_t word, uint64_t *random)
{
    uint32_t luck = next_random(random);
    word = with_field(word, 5, luck & 7 ? luck >> 3 & 3 : 31);
    bool structures = (word & 0xbe800000) == 0x0c800000; /* post-indexed; X31 stands for what was transferred */
    if ((word & 0x3b200c00) == 0x38200800 || structures) /* offset in a register: a small one */
        word = with_field(word, 16, luck & 0x100 && structures ? 31 : 20 + (luck >> 9 & 3));
    if ((word & 0x3b000000) == 0x39000000 && luck & 0xf000) /* scaled by up to 16 */
        word &= ~(0xf80u << 10);
    if ((word & 0x3f200c00) == 0x19000000 && luck & 0xf000) /* ordered, aligned */
        word &= ~(15u << 12);
    if (luck & 0x30000) /* data where the other instructions have theirs */
        word = with_field(word, 0, 6 + (luck >> 18) % 5);
    if (!(luck >> 24 & 15)) /* the register that the address is in */
        word = with_field(word, 0, field(word, 5));
    return word;
}

static uint32_t random_branch(uint32_t word, unsigned at, unsigned n, uint64_t *random)
{
    unsigned skip = 1 + next_random(random) % (n - at); /* at most to the SUB */
    if ((word & 0x7c000000) == 0x14000000)              /* B, BL */
        return (word & 0xfc000000) | skip;
    if ((word & 0x7e000000) == 0x36000000) /* TBZ, TBNZ */
        return (word & 0xfff8001f) | skip << 5;
    if ((word & 0xfe000000) == 0xd6000000) /* BR, BLR, RET, and those that authenticate; RETAA has no register */
        return field(word, 5) == 31 && word & 0x800 ? word : with_field(word, 5, JUMP_REGISTER);
    return (word & 0xff00001f) | skip << 5;
}

/** A word of the row whose operands make it likely to do something; for place `at` of n. */
static uint32_t random_word(const struct a64_row *row, unsigned at, unsigned n, uint64_t *random)
{
    for (unsigned attempt = 0; attempt < 1000; attempt++) {
        uint32_t word = a64_random_word(row, random);
        if (!word && strcmp(row->name, "UDF") != 0)
            return NOP;
        word = with_should_be_bits(row, word);
        if (!one_in(random, 16))
            word = narrow_registers(row, word, random);
        if (uses_reserved_register(row, word))
            continue;
        if (strcmp(row->name, "MSR_FPCR") == 0)
            return with_field(word, 0, FPCR_REGISTER);
        if (strcmp(row->name, "MSR_FPSR") == 0)
            return with_field(word, 0, FPSR_REGISTER);
        if (is_branch(word))
            word = random_branch(word, at, n, random);
        else if (is_cache_operation(word))
            word = with_field(word, 0, next_random(random) & 3);
        else if ((word & 0x3b000000) == 0x18000000) /* a literal: somewhere in the program */
            word = (word & 0xff00001f) | (next_random(random) % (n - at) + 1) << 5;
        else if (is_memory(word) && !one_in(random, 64))
            word = aim(word, random);
        if (a64_decode(word) == row && !is_unpredictable(word))
            return word;
    }
    return NOP;
}

/** Fit for the company of another row. Not what emulators do not have, or what they have but cannot be compared by: a
   sequence with one of those is compared by nothing. */
static bool is_sociable(const struct a64_row *row)
{
    static const char *const apart[] = {"PAC", "AUT", "XPAC", "UDF", "BRK"};
    for (size_t i = 0; i < sizeof apart / sizeof apart[0]; i++)
        if (strncmp(row->name, apart[i], strlen(apart[i])) == 0)
            return false;
    return row->feature != A64_FEAT_PAUTH && row->feature != A64_FEAT_MOPS && row->feature != A64_FEAT_CSSC &&
           row_is_usable(row);
}

/** Rows through which instructions have to do with each other: those that set and use flags, and what is between
    floating-point instructions and FPCR and FPSR. */
static const struct a64_row *random_link(uint64_t *random)
{
    /* clang-format off */
    static const char *const links[] = {
        "ADDS_shift", "SUBS_shift", "ADDS_imm", "SUBS_imm", "ANDS_imm", "ADCS", "SBCS", "FCMP_floatcmp", "CSEL",
        "CSINC", "CSNEG", "CCMP_reg", "CCMN_imm", "ADC", "SBC", "B_cond", "B_cond", "B_cond", "CFINV",
        "FCSEL_floatsel", "FCCMP_floatccmp", "MRS_NZCV", "MSR_NZCV", "MSR_FPCR", "MSR_FPCR", "MRS_FPSR", "MSR_FPSR",
        "FADD_floatdp2", "FMUL_asimdsame", "FMADD_floatdp3",
    };
    /* clang-format on */
    const char *name = PICK(links, random);
    for (size_t i = 0; i < a64_row_count; i++)
        if (strcmp(a64_rows[i].name, name) == 0)
            return &a64_rows[i];
    return NULL;
}

/** Of the floating-point and vector data processing. */
static bool is_vector_row(const struct a64_row *row)
{
    struct a64_encoding e;
    a64_parse_pattern(row->pattern, &e);
    return (e.value & 0x0e000000) == 0x0e000000;
}

/** For the company of a row under test: half of it is integer data processing, a quarter loads and stores; in that of a
    floating-point or vector instruction, half are such ones. */
static const struct a64_row *random_row(bool vectors, uint64_t *random)
{
    unsigned kind = vectors && one_in(random, 2) ? 4 : next_random(random) & 3;
    const struct a64_row *row = one_in(random, 6) ? random_link(random) : NULL;
    if (row && is_sociable(row))
        return row;
    for (;;) {
        row = &a64_rows[next_random(random) % a64_row_count];
        struct a64_encoding e;
        a64_parse_pattern(row->pattern, &e);
        bool integer = (e.value & 0x1c000000) == 0x10000000 || (e.value & 0x0e000000) == 0x0a000000;
        bool fits = kind == 4 ? is_vector_row(row) : kind == 3 ? true : kind == 2 ? is_memory(e.value) : integer;
        if (fits && is_sociable(row))
            return row;
    }
}

/** In front of a store-exclusive: the load that it belongs to. */
static uint32_t exclusive_load(uint32_t store, uint64_t *random)
{
    uint32_t load = with_field(store | 1u << 22, 16, 31);
    if (!(store & 1u << 21))
        load = with_field(load, 10, 31);
    load = with_field(load, 0, 11 + (next_random(random) & 1)); /* neither base nor data of the store */
    return is_unpredictable(load) ? with_field(load, 0, 13) : load;
}

/** Exclusives of another size, or that are no pair where the others are: whether such a store succeeds is left open.
    So it is behind a YIELD, WFE or WFI. */
static void unmix_exclusives(struct sequence *s, unsigned subject)
{
    const uint32_t kind = 0xc0200000, yield = 0xd503203f, wfe = 0xd503205f, wfi = 0xd503207f;
    uint32_t model = s->words[subject];
    for (unsigned i = 0; i < s->n && !is_exclusive(model); i++)
        model = s->words[i];
    for (unsigned i = 0; i < s->n && is_exclusive(model); i++)
        if (s->words[i] == yield || s->words[i] == wfe || s->words[i] == wfi)
            s->words[i] = NOP;
    for (unsigned i = 0; i < s->n; i++)
        if (is_exclusive(s->words[i]) && (s->words[i] & kind) != (model & kind))
            s->words[i] = NOP;
}

/**
 * In front of a load or branch that authenticates, where there is room: the signing of its pointer, and before that,
 * for a branch, the pointer.
 */
static void sign_pointer(struct sequence *s, unsigned subject, const char *row)
{
    const uint32_t move = 0x91000000 | JUMP_REGISTER << 5; /* ADD Xd, x27, #0 */
    const uint32_t pac = 0xdac10000, pac_zero = 0xdac123e0;
    uint32_t word = s->words[subject], key_b = word & 0x400;
    if (subject < 2)
        return;
    if (strcmp(row, "LDRA") == 0) {
        s->words[subject - 1] = pac_zero | 0x800 | (word >> 23 & 1) << 10 | field(word, 5);
    } else if (strcmp(row, "RETA") == 0) {
        s->words[subject - 2] = move | 30;
        s->words[subject - 1] = key_b ? 0xd503237f : 0xd503233f; /* PACIBSP, PACIASP */
    } else {
        bool zero = !(word & 1u << 24);
        s->words[subject - 2] = move | SIGNED_REGISTER;
        s->words[subject - 1] = (zero ? pac_zero : pac | field(word, 0) << 5) | key_b | SIGNED_REGISTER;
        s->words[subject] = with_field(word, 5, SIGNED_REGISTER);
    }
}

/** A memory copy or set is three instructions, and nothing may branch into their middle. */
static void complete_copy(struct sequence *s, unsigned subject, uint64_t *random)
{
    uint32_t word = s->words[subject], luck = next_random(random);
    bool set = (word & 0x3fe00400) == 0x19c00400, forward = !(word & 1u << 26);
    const unsigned stage = set ? 14 : 22;
    if (s->n < 3)
        s->n = 3;
    if (subject > s->n - 3)
        subject = s->n - 3;
    for (unsigned i = 0; i < subject; i++)
        if (is_branch(s->words[i]) || (forward && field(s->words[i], 0) == COPY_REGISTER))
            s->words[i] = NOP; /* a forward copy's areas must stay apart */
    word = with_field(word, 0, forward && !set ? COPY_REGISTER : luck & 1);
    word = with_field(word, 16, set ? 6 + (luck >> 1) % 5 : 2 + (luck >> 1 & 1));
    word = with_field(word, 5, 20 + (luck >> 8 & 3)) & ~(3u << stage);
    for (uint32_t i = 0; i < 3; i++)
        s->words[subject + i] = word | i << stage;
}

void finish_sequence(struct sequence *s)
{
    memset(s->words + s->n, 0, sizeof s->words - s->n * sizeof s->words[0]);
    s->words[s->n] = 0xd1000400 | LOOP_REGISTER << 5 | LOOP_REGISTER;               /* SUB x28, x28, #1 */
    s->words[s->n + 1] = 0xb5000000 | (-(s->n + 1) & 0x7ffff) << 5 | LOOP_REGISTER; /* CBNZ x28, start */
    s->words[s->n + 2] = 0xd4200000;                                                /* BRK */
}

void random_sequence(struct sequence *s, const struct a64_row *row, unsigned length, uint64_t *random)
{
    uint32_t luck = next_random(random) & 7;
    s->n = length ? length : luck < 3 ? 1 : 2 + next_random(random) % (luck < 6 ? 4 : BODY_MAX - 1);
    unsigned subject = next_random(random) % s->n;
    bool vectors = is_vector_row(row);
    for (unsigned i = 0; i < s->n; i++)
        s->words[i] = random_word(i == subject ? row : random_row(vectors, random), i, s->n, random);
    uint32_t word = s->words[subject];
    if (is_exclusive(word) && !(word & 1u << 22) && subject > 0 && !one_in(random, 4))
        s->words[subject - 1] = exclusive_load(word, random);
    unmix_exclusives(s, subject);
    if (row->feature == A64_FEAT_MOPS)
        complete_copy(s, subject, random);
    static const char *const authenticating[] = {"LDRA", "RETA", "BRAZ", "BLRAZ", "BRA", "BLRA"};
    for (unsigned i = 0; i < sizeof authenticating / sizeof authenticating[0]; i++)
        if (strcmp(row->name, authenticating[i]) == 0 && !one_in(random, 4))
            sign_pointer(s, subject, row->name);
    finish_sequence(s);
}

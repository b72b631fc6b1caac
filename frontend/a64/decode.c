/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The A64 decode table, its patterns, and the index that finds a word's row. */
#include "frontend/a64/decode.h"

#include <pthread.h>
#include <string.h>

#include "frontend/a64/translate.h"

const struct a64_row a64_rows[] = {
#define INSN(name, pattern, feature, function) {#name, pattern, A64_FEAT_##feature, a64_##function},
#define NONE(name, pattern, feature) {#name, pattern, A64_FEAT_##feature, NULL},
#include "frontend/a64/a64.inc"
#undef INSN
#undef NONE
};

#define ROW_COUNT (sizeof a64_rows / sizeof a64_rows[0])
const size_t a64_row_count = ROW_COUNT;

/* ---- patterns ---------------------------------------------------------------------------------------------------- */

static bool is_bit(char c) { return c == '0' || c == '1' || c == 'x'; }

/** Fixed bits at *s ('0', '1', 'x'); moves *s behind them and returns how many. */
static unsigned parse_bits(const char **s, uint32_t *mask, uint32_t *value)
{
    unsigned n = 0;
    *mask = *value = 0;
    for (; is_bit(**s); (*s)++, n++) {
        *mask = *mask << 1 | (**s != 'x');
        *value = *value << 1 | (**s == '1');
    }
    return n;
}

/** "name" or "name:width" at *s; moves *s behind it. */
static struct a64_field parse_field(const char **s)
{
    struct a64_field field = {.name = *s, .width = 1};
    while (**s && **s != ' ' && **s != ':' && **s != ';')
        (*s)++;
    field.name_length = (uint8_t)(*s - field.name);
    if (**s == ':') {
        field.width = 0;
        for ((*s)++; **s >= '0' && **s <= '9'; (*s)++)
            field.width = (uint8_t)(field.width * 10 + (**s - '0'));
    }
    return field;
}

static const struct a64_field *find_field(const struct a64_encoding *e, const char *name, size_t length)
{
    for (unsigned i = 0; i < e->nfields; i++)
        if (e->fields[i].name_length == length && memcmp(e->fields[i].name, name, length) == 0)
            return &e->fields[i];
    return NULL;
}

/** One constraint at *s: names joined by ':', "!=", digits for all their bits in order. */
static const char *parse_constraint(const char **s, struct a64_encoding *e)
{
    const char *names = *s, *digits = strstr(names, "!=");
    if (!digits)
        return "constraint without !=";
    if (e->nforbids == A64_MAX_FORBIDS)
        return "too many constraints";
    const char *names_end = digits;
    digits += 2;
    uint32_t mask = 0, value = 0;
    while (names < names_end) {
        size_t length = strcspn(names, ":!");
        const struct a64_field *field = find_field(e, names, length);
        if (!field)
            return "constraint on a field that the pattern lacks";
        for (unsigned bit = field->shift + field->width; bit-- > field->shift; digits++) {
            if (!is_bit(*digits))
                return "constraint with too few digits";
            mask |= (uint32_t)(*digits != 'x') << bit;
            value |= (uint32_t)(*digits == '1') << bit;
        }
        names += length + (names[length] == ':');
    }
    if (*digits && *digits != ' ')
        return "constraint with too many digits";
    e->forbids[e->nforbids].mask = mask;
    e->forbids[e->nforbids++].value = value;
    *s = digits;
    return NULL;
}

static void skip_blanks(const char **s)
{
    while (**s == ' ')
        (*s)++;
}

const char *a64_parse_pattern(const char *pattern, struct a64_encoding *e)
{
    unsigned bit = 32;
    *e = (struct a64_encoding){0};
    const char *s = pattern;
    for (; *s && *s != ';'; skip_blanks(&s)) {
        unsigned width;
        if (is_bit(*s)) {
            uint32_t mask, value;
            width = parse_bits(&s, &mask, &value);
            if (width > bit)
                return "more than 32 bits";
            e->mask |= mask << (bit - width);
            e->value |= value << (bit - width);
        } else {
            if (e->nfields == A64_MAX_FIELDS)
                return "too many fields";
            struct a64_field *field = &e->fields[e->nfields++];
            *field = parse_field(&s);
            width = field->width;
            if (width == 0 || width > bit)
                return "more than 32 bits, or a bad width";
            field->shift = (uint8_t)(bit - width);
        }
        if (*s && *s != ' ' && *s != ';')
            return "not a field or bits";
        bit -= width;
    }
    if (bit != 0)
        return "fewer than 32 bits";
    if (*s == ';')
        s++;
    for (skip_blanks(&s); *s; skip_blanks(&s)) {
        const char *error = parse_constraint(&s, e);
        if (error)
            return error;
    }
    return NULL;
}

/* ---- index ------------------------------------------------------------------------------------------------------- */

/*
 * Bits 28:21 of a word choose one of 256 chains of rows; a chain that would be long is divided once more by bits 15:10.
 * Chains are ordered by the number of fixed bits, most first, so the first row that matches is the right one.
 */
#define LONG_CHAIN 6
#define KEY1(word) ((word) >> 21 & 255)
#define KEY2(word) ((word) >> 10 & 63)
#define MAX_SPLITS 96
#define MAX_NODES 16384
#define END UINT16_MAX

struct chain {
    uint16_t first, last;
};
struct index {
    struct {
        uint32_t mask, value;
        uint16_t first_forbid, nforbids;
    } rows[ROW_COUNT];
    struct {
        uint32_t mask, value;
    } forbids[2 * ROW_COUNT];
    struct {
        uint16_t row, next;
    } nodes[MAX_NODES];
    struct chain chains[256];
    uint8_t split[256]; /* 0, or 1 + number in splits */
    struct chain splits[MAX_SPLITS][64];
    uint32_t nnodes, nforbids, nsplits;
};

/** Next larger number whose bits are all in `free`, 0 after the last. */
static uint32_t next_subset(uint32_t subset, uint32_t free) { return (subset - free) & free; }

static void chain_append(struct index *index, struct chain *chain, unsigned row)
{
    if (index->nnodes == MAX_NODES)
        return; /* the table outgrew the index: tests/test_a64_decode.c notices */
    uint16_t node = (uint16_t)index->nnodes++;
    index->nodes[node].row = (uint16_t)row;
    index->nodes[node].next = END;
    if (chain->first == END)
        chain->first = node;
    else
        index->nodes[chain->last].next = node;
    chain->last = node;
}

/** The rows' numbers, most fixed bits first. */
static void sort_rows(const struct index *index, uint16_t order[ROW_COUNT])
{
    uint32_t place[34] = {0};
    for (unsigned i = 0; i < ROW_COUNT; i++)
        place[33 - (unsigned)__builtin_popcount(index->rows[i].mask)]++;
    for (unsigned bits = 1; bits < 34; bits++)
        place[bits] += place[bits - 1];
    for (unsigned i = 0; i < ROW_COUNT; i++)
        order[place[32 - (unsigned)__builtin_popcount(index->rows[i].mask)]++] = (uint16_t)i;
}

static void parse_rows(struct index *index)
{
    for (unsigned i = 0; i < ROW_COUNT; i++) {
        struct a64_encoding e;
        a64_parse_pattern(a64_rows[i].pattern, &e);
        index->rows[i].mask = e.mask;
        index->rows[i].value = e.value;
        index->rows[i].first_forbid = (uint16_t)index->nforbids;
        for (unsigned k = 0; k < e.nforbids && index->nforbids < 2 * ROW_COUNT; k++) {
            index->forbids[index->nforbids].mask = e.forbids[k].mask;
            index->forbids[index->nforbids++].value = e.forbids[k].value;
            index->rows[i].nforbids++;
        }
    }
}

static void build(struct index *index)
{
    uint16_t order[ROW_COUNT], lengths[256] = {0};
    parse_rows(index);
    sort_rows(index, order);
    memset(index->chains, 0xff, sizeof index->chains);
    memset(index->splits, 0xff, sizeof index->splits);
    for (unsigned i = 0; i < ROW_COUNT; i++) {
        uint32_t free1 = KEY1(~index->rows[i].mask), subset = 0;
        do {
            lengths[KEY1(index->rows[i].value) | subset]++;
        } while ((subset = next_subset(subset, free1)));
    }
    for (unsigned key = 0; key < 256; key++)
        if (lengths[key] > LONG_CHAIN && index->nsplits < MAX_SPLITS)
            index->split[key] = (uint8_t)++index->nsplits;
    for (unsigned n = 0; n < ROW_COUNT; n++) {
        unsigned i = order[n];
        uint32_t free1 = KEY1(~index->rows[i].mask), free2 = KEY2(~index->rows[i].mask), subset1 = 0;
        do {
            uint32_t key1 = KEY1(index->rows[i].value) | subset1, subset2 = 0;
            if (!index->split[key1]) {
                chain_append(index, &index->chains[key1], i);
                continue;
            }
            do {
                chain_append(index, &index->splits[index->split[key1] - 1][KEY2(index->rows[i].value) | subset2], i);
            } while ((subset2 = next_subset(subset2, free2)));
        } while ((subset1 = next_subset(subset1, free1)));
    }
}

static bool row_matches(const struct index *index, unsigned row, uint32_t word)
{
    if ((word & index->rows[row].mask) != index->rows[row].value)
        return false;
    unsigned first = index->rows[row].first_forbid;
    for (unsigned i = first; i < first + index->rows[row].nforbids; i++)
        if ((word & index->forbids[i].mask) == index->forbids[i].value)
            return false;
    return true;
}

/* The one index of the process: a function of the constant table, made once, constant from then on. */
static struct index the_index;
static pthread_once_t the_index_once = PTHREAD_ONCE_INIT;

static void build_the_index(void) { build(&the_index); }

const struct a64_row *a64_decode(uint32_t word)
{
    pthread_once(&the_index_once, build_the_index);
    const struct index *index = &the_index;
    uint32_t key = KEY1(word);
    const struct chain *chain =
        index->split[key] ? &index->splits[index->split[key] - 1][KEY2(word)] : &index->chains[key];
    for (unsigned node = chain->first; node != END; node = index->nodes[node].next)
        if (row_matches(index, index->nodes[node].row, word))
            return &a64_rows[index->nodes[node].row];
    return NULL;
}

uint32_t a64_random_word(const struct a64_row *row, uint64_t *random)
{
    struct a64_encoding e;
    if (a64_parse_pattern(row->pattern, &e))
        return 0;
    for (unsigned attempt = 0; attempt < 10000; attempt++) {
        /* Knuth's 64-bit linear congruential generator; its high half is good enough for instruction words. */
        *random = *random * 6364136223846793005u + 1442695040888963407u;
        uint32_t word = e.value | ((uint32_t)(*random >> 32) & ~e.mask);
        if (a64_decode(word) == row)
            return word;
    }
    return 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The A64 decode table: well formed, every row reachable, the index equal to a search through the rows, and the whole
 * of it against capstone, on random words of every row and on random words at large. Capstone 4 knows Armv8.0 and
 * little more; where the two differ, newer_features and differences below say why.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <capstone/capstone.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "frontend/a64/decode.h"
#include "frontend/a64/translate.h"

static uint32_t next_random(uint64_t *random)
{
    *random = *random * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*random >> 32);
}

static bool encoding_matches(const struct a64_encoding *e, uint32_t word)
{
    if ((word & e->mask) != e->value)
        return false;
    for (unsigned i = 0; i < e->nforbids; i++)
        if ((word & e->forbids[i].mask) == e->forbids[i].value)
            return false;
    return true;
}

/* ---- the table alone --------------------------------------------------------------------------------------------- */

static void test_patterns(void **state)
{
    (void)state;
    for (size_t i = 0; i < a64_row_count; i++) {
        struct a64_encoding e;
        const char *error = a64_parse_pattern(a64_rows[i].pattern, &e);
        if (error)
            fail_msg("%s: %s", a64_rows[i].name, error);
        for (size_t k = 0; k < i; k++)
            if (strcmp(a64_rows[i].name, a64_rows[k].name) == 0)
                fail_msg("%s twice", a64_rows[i].name);
    }
}

static void test_pattern_errors(void **state)
{
    (void)state;
    struct a64_encoding e;
    assert_null(a64_parse_pattern("sf 0 0 100010 sh imm12:12 Rn:5 Rd:5; sf:sh!=01 Rd!=1xxx0", &e));
    assert_int_equal(e.mask, 0x7f800000);
    assert_int_equal(e.value, 0x11000000);
    assert_int_equal(e.nfields, 5);
    assert_int_equal(e.nforbids, 2);
    assert_int_equal(e.forbids[0].mask, 0x80400000);
    assert_int_equal(e.forbids[0].value, 0x00400000);
    assert_int_equal(e.forbids[1].mask, 0x11);
    assert_int_equal(e.forbids[1].value, 0x10);
    assert_non_null(a64_parse_pattern("sf 0 0", &e));
    assert_non_null(a64_parse_pattern("0000000000000000 00000000000000000", &e));
    assert_non_null(a64_parse_pattern("0000000000000000 0000000000000000; Rd!=0", &e));
    assert_non_null(a64_parse_pattern("000000000000000000000000000 Rd:5; Rd!=0", &e));
    assert_non_null(a64_parse_pattern("000000000000000000000000000 Rd:5; Rd!=000000", &e));
    assert_non_null(a64_parse_pattern("000000000000000000000000000 Rd:5; Rd=00000", &e));
}

/** A field that has an accessor stands where the accessor reads. */
static void test_field_positions(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        unsigned shift, width;
    } accessors[] = {
#define F(name, shift, width) {#name, shift, width},
        A64_FIELDS(F)
#undef F
    };
    for (size_t i = 0; i < a64_row_count; i++) {
        struct a64_encoding e;
        a64_parse_pattern(a64_rows[i].pattern, &e);
        for (unsigned k = 0; k < e.nfields; k++) {
            bool found = false;
            for (size_t a = 0; a < sizeof accessors / sizeof accessors[0] && !found; a++) {
                if (strlen(accessors[a].name) != e.fields[k].name_length ||
                    memcmp(accessors[a].name, e.fields[k].name, e.fields[k].name_length) != 0)
                    continue;
                found = true;
                if (accessors[a].shift != e.fields[k].shift || accessors[a].width != e.fields[k].width)
                    fail_msg("%s: %s is at %u:%u, its accessor reads %u:%u", a64_rows[i].name, accessors[a].name,
                             e.fields[k].shift, e.fields[k].width, accessors[a].shift, accessors[a].width);
            }
            if (!found)
                fail_msg("%s: no accessor for %.*s", a64_rows[i].name, e.fields[k].name_length, e.fields[k].name);
        }
    }
}

static void test_rows_reachable(void **state)
{
    (void)state;
    uint64_t random = 1;
    for (size_t i = 0; i < a64_row_count; i++)
        if (a64_decode(a64_random_word(&a64_rows[i], &random)) != &a64_rows[i])
            fail_msg("no word decodes to %s", a64_rows[i].name);
}

/** The row with the most fixed bits among all that match; two with the same number may not match the same word. */
static const struct a64_row *search(const struct a64_encoding *encodings, uint32_t word)
{
    const struct a64_row *best = NULL;
    int best_bits = -1;
    for (size_t i = 0; i < a64_row_count; i++) {
        int bits = __builtin_popcount(encodings[i].mask);
        if (!encoding_matches(&encodings[i], word))
            continue;
        if (bits == best_bits)
            fail_msg("%08x is %s as well as %s", word, best->name, a64_rows[i].name);
        if (bits > best_bits) {
            best = &a64_rows[i];
            best_bits = bits;
        }
    }
    return best;
}

static void test_index(void **state)
{
    (void)state;
    static struct a64_encoding encodings[4096];
    assert_true(a64_row_count <= sizeof encodings / sizeof encodings[0]);
    for (size_t i = 0; i < a64_row_count; i++)
        a64_parse_pattern(a64_rows[i].pattern, &encodings[i]);
    uint64_t random = 2;
    for (unsigned i = 0; i < 200000; i++) {
        uint32_t word = next_random(&random);
        if (i & 1) /* near a row: its fixed bits but for one */
            word = (encodings[word % a64_row_count].value | (word & ~encodings[word % a64_row_count].mask)) ^
                   (1u << (next_random(&random) & 31));
        const struct a64_row *got = a64_decode(word), *want = search(encodings, word);
        if (got != want)
            fail_msg("%08x decodes to %s, not %s", word, got ? got->name : "nothing", want ? want->name : "nothing");
    }
}

/* ---- against capstone -------------------------------------------------------------------------------------------- */

/* Row names (up to the first '_') and the aliases that capstone may print for them. */
static const struct alias {
    const char *name, *others;
} aliases[] = {
    {"add", "mov"},
    {"adds", "cmn"},
    {"ands", "tst"},
    {"asrv", "asr"},
    {"bfm", "bfc bfi bfxil"},
    {"csinc", "cinc cset"},
    {"csinv", "cinv csetm"},
    {"csneg", "cneg"},
    {"dc", "sys"},
    {"dup", "mov"},
    {"extr", "ror"},
    {"ins", "mov"},
    {"lslv", "lsl"},
    {"lsrv", "lsr"},
    {"madd", "mul"},
    {"msub", "mneg"},
    {"not", "mvn"},
    {"orn", "mvn"},
    {"orr", "mov"},
    {"rorv", "ror"},
    {"sb", "msr"}, /* capstone: a barrier register */
    {"sbc", "ngc"},
    {"sbcs", "ngcs"},
    {"sbfm", "asr sbfiz sbfx sxtb sxth sxtw"},
    {"smaddl", "smull"},
    {"smsubl", "smnegl"},
    {"sub", "neg"},
    {"subs", "cmp negs"},
    {"ubfm", "lsl lsr ubfiz ubfx uxtb uxth"},
    {"umaddl", "umull"},
    {"umov", "mov"},
    {"umsubl", "umnegl"},
};

static bool has_word(const char *list, const char *word)
{
    size_t length = strlen(word);
    for (const char *s = list; (s = strstr(s, word)); s += length)
        if ((s == list || s[-1] == ' ') && (s[length] == ' ' || s[length] == 0))
            return true;
    return false;
}

static bool mnemonic_matches(const struct a64_row *row, const char *mnemonic)
{
    char name[32];
    size_t length = strcspn(row->name, "_");
    assert_true(length < sizeof name);
    for (size_t i = 0; i < length; i++)
        name[i] = (char)tolower(row->name[i]);
    name[length] = 0;
    if (strncmp(mnemonic, name, length) == 0)
        return true;
    for (size_t i = 0; i < sizeof aliases / sizeof aliases[0]; i++)
        if (strcmp(aliases[i].name, name) == 0 && has_word(aliases[i].others, mnemonic))
            return true;
    return false;
}

/* What came after this capstone: it may know some of it, under some name, or nothing. */
static const uint8_t newer_features[] = {
    A64_FEAT_SHA512, A64_FEAT_SHA3,    A64_FEAT_SM3,  A64_FEAT_SM4,   A64_FEAT_LSE,   A64_FEAT_RDM,    A64_FEAT_FP16,
    A64_FEAT_FHM,    A64_FEAT_DOTPROD, A64_FEAT_FCMA, A64_FEAT_JSCVT, A64_FEAT_LRCPC, A64_FEAT_LRCPC2, A64_FEAT_FLAGM,
    A64_FEAT_FLAGM2, A64_FEAT_FRINTTS, A64_FEAT_SB,   A64_FEAT_SSBS,  A64_FEAT_BTI,   A64_FEAT_PAUTH,  A64_FEAT_I8MM,
    A64_FEAT_BF16,   A64_FEAT_MOPS,    A64_FEAT_CSSC, A64_FEAT_WFXT,  A64_FEAT_DIT,  A64_FEAT_ECV,    A64_FEAT_MTE,
};

/* Where table and capstone differ otherwise, and the reason. */
static const struct difference {
    uint32_t mask, value;
    const char *reason;
} differences[] = {
    {0xffff0000, 0x00000000, "UDF: capstone has only the unallocated word"},
    {0xfffff01f, 0xd503201f, "hints that capstone prints by number"},
    {0xffc00000, 0xd5000000, "MRS, MSR, SYS, SYSL: here a row for each register and operation that EL0 may use"},
    {0x3fa08000, 0x08800000, "STLLR, LDLAR: Armv8.1"},
    {0xbfe0fc00, 0x0e000c00, "DUP (general): capstone takes the ignored bits of imm5 as fixed"},
    {0xffe08400, 0x6e000400, "INS (element): capstone takes the ignored bits of imm4 as fixed"},
};

/** Registers that make an access CONSTRAINED UNPREDICTABLE (writeback of a target register, a pair of the same one):
    capstone rejects these words, and those of LDTR although it writes nothing back. */
static bool is_unpredictable(uint32_t word)
{
    unsigned t = word & 31, n = word >> 5 & 31, t2 = word >> 10 & 31;
    if ((word & 0x3a000000) == 0x28000000) /* pairs */
        return t == t2 || ((word & 0x00800000) && (t == n || t2 == n));
    if ((word & 0x3f208000) == 0x08200000 || (word & 0x3f208000) == 0x08208000) /* exclusive pairs */
        return t == t2;
    if ((word & 0x3f200000) == 0x38000000) /* one register, indexed or unprivileged */
        return t == n;
    return false;
}

static const char *known_difference(uint32_t word, const struct a64_row *row)
{
    for (size_t i = 0; row && i < sizeof newer_features; i++)
        if (row->feature == newer_features[i])
            return "newer than capstone";
    if (row && is_unpredictable(word))
        return "constrained unpredictable";
    for (size_t i = 0; i < sizeof differences / sizeof differences[0]; i++)
        if ((word & differences[i].mask) == differences[i].value)
            return differences[i].reason;
    return NULL;
}

static int open_capstone(void **state)
{
    static csh handle;
    if (cs_open(CS_ARCH_ARM64, CS_MODE_LITTLE_ENDIAN, &handle) != CS_ERR_OK)
        return -1;
    *state = &handle;
    return 0;
}

static int close_capstone(void **state) { return cs_close(*state); }

/** Prints a message and returns false if the two do not agree about the word. */
static bool compare(csh handle, cs_insn *insn, uint32_t word)
{
    const struct a64_row *row = a64_decode(word);
    const uint8_t *code = (const uint8_t *)&word;
    size_t size = sizeof word;
    uint64_t address = 0;
    bool allocated = cs_disasm_iter(handle, &code, &size, &address, insn);
    if (allocated == (row != NULL) && (!row || mnemonic_matches(row, insn->mnemonic)))
        return true;
    if (known_difference(word, row))
        return true;
    print_message("%08x: %s here, %s %s in capstone\n", word, row ? row->name : "unallocated",
                  allocated ? insn->mnemonic : "unallocated", allocated ? insn->op_str : "");
    return false;
}

static void test_capstone_rows(void **state)
{
    csh handle = *(csh *)*state;
    cs_insn *insn = cs_malloc(handle);
    uint64_t random = 3;
    unsigned bad = 0;
    for (size_t i = 0; i < a64_row_count; i++)
        for (unsigned n = 0, row_bad = 0; n < 300 && row_bad < 2; n++)
            if (!compare(handle, insn, a64_random_word(&a64_rows[i], &random)))
                bad++, row_bad++;
    cs_free(insn, 1);
    assert_int_equal(bad, 0);
}

static void test_capstone_random(void **state)
{
    csh handle = *(csh *)*state;
    cs_insn *insn = cs_malloc(handle);
    uint64_t random = 4;
    unsigned bad = 0;
    for (unsigned i = 0; i < 3000000 && bad < 100; i++)
        bad += !compare(handle, insn, next_random(&random));
    cs_free(insn, 1);
    assert_int_equal(bad, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_patterns),
        cmocka_unit_test(test_pattern_errors),
        cmocka_unit_test(test_field_positions),
        cmocka_unit_test(test_rows_reachable),
        cmocka_unit_test(test_index),
        cmocka_unit_test_setup_teardown(test_capstone_rows, open_capstone, close_capstone),
        cmocka_unit_test_setup_teardown(test_capstone_random, open_capstone, close_capstone),
    };
    return cmocka_run_group_tests_name("a64 decode", tests, NULL, NULL);
}

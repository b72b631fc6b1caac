/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Stage 1 address translation (Arm ARM DDI 0487, D8): granules, levels, permissions, faults, the hardware's updates. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/a64/mmu.h"

#define MEMORY_BASE UINT64_C(0x40000000)
#define MEMORY_SIZE (UINT64_C(4) << 20)

#define VALID UINT64_C(1)
#define TABLE UINT64_C(3)
#define PAGE UINT64_C(3)
#define BLOCK UINT64_C(1)
#define AF (UINT64_C(1) << 10)
#define NG (UINT64_C(1) << 11)
#define USER (UINT64_C(1) << 6)
#define READ_ONLY (UINT64_C(1) << 7)
#define DBM (UINT64_C(1) << 51)
#define CONTIGUOUS (UINT64_C(1) << 52)
#define PXN (UINT64_C(1) << 53)
#define UXN (UINT64_C(1) << 54)
#define ALL_EL1 (A64_EL1_READ | A64_EL1_WRITE | A64_EL1_EXECUTE)

struct world {
    struct a64_mmu mmu;
    struct a64_walk_memory memory;
    uint64_t words[MEMORY_SIZE / 8], next_table;
    unsigned reads;
    uint64_t meddle; /* not 0: another CPU writes that before the next exchange */
};

static uint64_t *word_at(struct world *w, uint64_t physical)
{
    return physical >= MEMORY_BASE && physical - MEMORY_BASE <= MEMORY_SIZE - 8 ? &w->words[(physical - MEMORY_BASE) / 8] : NULL;
}

static bool read_word(void *opaque, uint64_t physical, uint64_t *descriptor)
{
    struct world *w = opaque;
    const uint64_t *word = word_at(w, physical);
    w->reads++;
    if (word)
        *descriptor = *word;
    return word;
}

static bool exchange_word(void *opaque, uint64_t physical, uint64_t *expected, uint64_t desired)
{
    struct world *w = opaque;
    uint64_t *word = word_at(w, physical), old;
    if (!word)
        return false;
    if (w->meddle)
        *word = w->meddle, w->meddle = 0;
    old = *word;
    if (old == *expected)
        *word = desired;
    *expected = old;
    return true;
}

static unsigned granule_bits(const struct world *w)
{
    return (const uint8_t[]){12, 16, 14, 12}[w->mmu.tcr >> A64_TCR_TG0_SHIFT & 3];
}

/** TG0 and T0SZ for the lower half, the same for the upper one. */
static void begin(struct world *w, unsigned bits, unsigned size)
{
    memset(w, 0, sizeof *w);
    w->memory = (struct a64_walk_memory){w, read_word, exchange_word};
    uint64_t tg0 = bits == 12 ? 0 : bits == 14 ? 2 : 1, tg1 = bits == 12 ? 2 : bits == 14 ? 1 : 3;
    w->mmu = (struct a64_mmu){
        .sctlr = A64_SCTLR_M,
        .tcr = (64 - size) << A64_TCR_T0SZ_SHIFT | (uint64_t)(64 - size) << A64_TCR_T1SZ_SHIFT | tg0 << A64_TCR_TG0_SHIFT |
               tg1 << A64_TCR_TG1_SHIFT | UINT64_C(5) << A64_TCR_IPS_SHIFT,
        .mair = UINT64_C(0xff44bb0004),
        .pa_bits = 48,
    };
    w->next_table = MEMORY_BASE;
    w->mmu.ttbr0 = w->next_table;
    w->next_table += UINT64_C(1) << bits;
    w->mmu.ttbr1 = w->next_table;
    w->next_table += UINT64_C(1) << bits;
}

/** Where the descriptor of `address` at `level` is; tables on the way are made. */
static uint64_t *entry(struct world *w, uint64_t address, int level)
{
    unsigned g = granule_bits(w), stride = g - 3, size = 64 - (w->mmu.tcr & 63);
    int first = 4 - (int)((size - g + stride - 1) / stride);
    uint64_t table = address >> 55 & 1 ? w->mmu.ttbr1 : w->mmu.ttbr0;
    table &= (UINT64_C(1) << 48) - 1;
    for (int l = first;; l++) {
        unsigned shift = g + stride * (unsigned)(3 - l), bits = l == first ? size - shift : stride;
        uint64_t *word = word_at(w, table + (address >> shift & ((UINT64_C(1) << bits) - 1)) * 8);
        if (l == level)
            return word;
        if (!*word) {
            *word = w->next_table | TABLE;
            w->next_table += UINT64_C(1) << g;
        }
        table = *word & ((UINT64_C(1) << 48) - 1) & ~((UINT64_C(1) << g) - 1);
    }
}

static int walk(struct world *w, uint64_t address, enum a64_access access, unsigned el, struct a64_mapping *mapping)
{
    return a64_mmu_walk(&w->mmu, &w->memory, address, access, el, false, mapping);
}

/** Every granule, size and level: where it goes, how large it is, and what is around it. */
static void test_geometry(void **state)
{
    struct world *w = *state;
    struct a64_mapping m;
    static const unsigned granules[] = {12, 14, 16};
    for (unsigned i = 0; i < 3; i++) {
        unsigned g = granules[i], stride = g - 3;
        for (unsigned size = 25; size <= 48; size++) {
            int first = 4 - (int)((size - g + stride - 1) / stride);
            for (int level = first; level <= 3; level++) {
                bool leaf = level == 3 || level == 2 || (level == 1 && g == 12);
                for (unsigned upper = 0; upper < 2; upper++) {
                    begin(w, g, size);
                    unsigned shift = g + stride * (unsigned)(3 - level);
                    uint64_t top = upper ? ~UINT64_C(0) << size : 0;
                    uint64_t address = top | (UINT64_C(0xa5a5a5a5a5a5a5a5) & ((UINT64_C(1) << size) - 1));
                    uint64_t target = shift < 47 ? UINT64_C(3) << shift : 0;
                    target &= (UINT64_C(1) << 48) - 1;
                    *entry(w, address, level) = target | AF | (level == 3 ? PAGE : BLOCK) | 2 << 2 | 3 << 8;
                    int fault = walk(w, address, A64_ACCESS_READ, 1, &m);
                    if (!leaf) {
                        assert_int_equal(fault, A64_FAULT_TRANSLATION | level);
                        continue;
                    }
                    assert_int_equal(fault, A64_FAULT_NONE);
                    assert_int_equal(m.physical, target | (address & ((UINT64_C(1) << shift) - 1)));
                    assert_int_equal(m.shift, shift);
                    assert_int_equal(m.attributes, 0xbb);
                    assert_int_equal(m.shareability, 3);
                    assert_true(m.global);
                    assert_int_equal(w->reads, level - first + 1);
                    *entry(w, address, level) |= CONTIGUOUS | NG;
                    assert_int_equal(walk(w, address, A64_ACCESS_READ, 1, &m), A64_FAULT_NONE);
                    assert_int_equal(m.shift, shift + (g == 12 ? 4 : g == 16 ? 5 : level == 3 ? 7 : 5));
                    assert_false(m.global);
                    *entry(w, address, level) = 0;
                    assert_int_equal(walk(w, address, A64_ACCESS_READ, 1, &m), A64_FAULT_TRANSLATION | level);
                    /* Not canonical. */
                    assert_int_equal(walk(w, address ^ UINT64_C(1) << 54, A64_ACCESS_READ, 1, &m), A64_FAULT_TRANSLATION);
                    if (size < 48)
                        assert_int_equal(walk(w, address ^ UINT64_C(1) << size, A64_ACCESS_READ, 1, &m), A64_FAULT_TRANSLATION);
                }
            }
        }
    }
}

/** AP, UXN, PXN, and what tables above and WXN take away: the whole table of D8.4. */
static void test_permissions(void **state)
{
    struct world *w = *state;
    struct a64_mapping m;
    for (unsigned bits = 0; bits < 1 << 9; bits++) {
        bool ap1 = bits & 1, ap2 = bits & 2, uxn = bits & 4, pxn = bits & 8;
        bool table_ap0 = bits & 16, table_ap1 = bits & 32, table_uxn = bits & 64, table_pxn = bits & 128, wxn = bits & 256;
        begin(w, 12, 39);
        w->mmu.sctlr |= wxn ? A64_SCTLR_WXN : 0;
        *entry(w, 0x1000, 3) = 0x5000 | AF | PAGE | (ap1 ? USER : 0) | (ap2 ? READ_ONLY : 0) | (uxn ? UXN : 0) | (pxn ? PXN : 0);
        uint64_t table_bits = (table_ap0 ? UINT64_C(1) << 61 : 0) | (table_ap1 ? UINT64_C(1) << 62 : 0) |
                              (table_uxn ? UINT64_C(1) << 60 : 0) | (table_pxn ? UINT64_C(1) << 59 : 0);
        *entry(w, 0x1000, bits & 1 ? 1 : 2) |= table_bits;
        bool user = ap1 && !table_ap0, writable = !ap2 && !table_ap1;
        bool expected[2][3] = {
            {user, user && writable, !uxn && !table_uxn && !(wxn && user && writable)},
            {true, writable, !pxn && !table_pxn && !(user && writable) && !(wxn && writable)},
        };
        for (unsigned el = 0; el < 2; el++) {
            for (int access = 0; access < 3; access++) {
                int fault = walk(w, 0x1234, (enum a64_access)access, el, &m);
                assert_int_equal(fault, expected[el][access] ? A64_FAULT_NONE : A64_FAULT_PERMISSION | 3);
                if (fault == A64_FAULT_NONE) {
                    for (int i = 0; i < 6; i++)
                        assert_int_equal(m.permissions >> i & 1, expected[i / 3][i % 3]);
                }
                /* PAN is for EL1's data where EL0 may go. */
                fault = a64_mmu_walk(&w->mmu, &w->memory, 0x1234, (enum a64_access)access, el, true, &m);
                bool allowed = expected[el][access] && !(el == 1 && access != A64_ACCESS_EXECUTE && user);
                assert_int_equal(fault, allowed ? A64_FAULT_NONE : A64_FAULT_PERMISSION | 3);
            }
        }
        /* HPD: what tables say does not count. */
        w->mmu.tcr |= A64_TCR_HPD0;
        assert_int_equal(walk(w, 0x1234, A64_ACCESS_WRITE, 1, &m), ap2 ? A64_FAULT_PERMISSION | 3 : A64_FAULT_NONE);
    }
}

static void test_accessed_and_dirty(void **state)
{
    struct world *w = *state;
    struct a64_mapping m;
    begin(w, 12, 48);
    uint64_t *leaf = entry(w, 0x7000, 3), before = 0x9000 | PAGE | READ_ONLY | DBM | PXN;
    *leaf = before;
    assert_int_equal(walk(w, 0x7000, A64_ACCESS_READ, 1, &m), A64_FAULT_ACCESS_FLAG | 3);
    w->mmu.tcr |= A64_TCR_HA | A64_TCR_HD; /* without the features: nothing */
    assert_int_equal(walk(w, 0x7000, A64_ACCESS_READ, 1, &m), A64_FAULT_ACCESS_FLAG | 3);
    assert_int_equal(*leaf, before);
    w->mmu.has_hardware_af = true;
    assert_int_equal(walk(w, 0x7000, A64_ACCESS_READ, 1, &m), A64_FAULT_NONE);
    assert_int_equal(*leaf, before | AF);
    assert_int_equal(walk(w, 0x7000, A64_ACCESS_WRITE, 1, &m), A64_FAULT_PERMISSION | 3);
    w->mmu.has_dirty = true;
    assert_int_equal(walk(w, 0x7000, A64_ACCESS_READ, 1, &m), A64_FAULT_NONE);
    assert_false(m.permissions & A64_EL1_WRITE); /* the first write has to come by */
    assert_int_equal(*leaf, before | AF);
    assert_int_equal(walk(w, 0x7000, A64_ACCESS_WRITE, 0, &m), A64_FAULT_PERMISSION | 3);
    assert_int_equal(*leaf, before | AF);
    assert_int_equal(walk(w, 0x7000, A64_ACCESS_WRITE, 1, &m), A64_FAULT_NONE);
    assert_true(m.permissions & A64_EL1_WRITE);
    assert_int_equal(*leaf, (before | AF) & ~READ_ONLY);
    /* A clean page counts as writable for WXN, and for EL1's execution of what EL0 can write. */
    *leaf = 0x9000 | PAGE | READ_ONLY | DBM | AF | USER;
    assert_int_equal(walk(w, 0x7000, A64_ACCESS_EXECUTE, 1, &m), A64_FAULT_PERMISSION | 3);
    assert_int_equal(walk(w, 0x7000, A64_ACCESS_EXECUTE, 0, &m), A64_FAULT_NONE);
    w->mmu.sctlr |= A64_SCTLR_WXN;
    assert_int_equal(walk(w, 0x7000, A64_ACCESS_EXECUTE, 0, &m), A64_FAULT_PERMISSION | 3);
    /* Another CPU has taken the page away meanwhile. */
    *leaf = 0x9000 | PAGE;
    w->meddle = 0x8; /* invalid */
    assert_int_equal(walk(w, 0x7000, A64_ACCESS_READ, 1, &m), A64_FAULT_TRANSLATION | 3);
    assert_int_equal(*leaf, 0x8);
}

static void test_faults(void **state)
{
    struct world *w = *state;
    struct a64_mapping m;
    begin(w, 12, 48);
    /* A table, a page and the base beyond the size of output addresses: IPS, or what is implemented. */
    *entry(w, 0, 3) = UINT64_C(1) << 40 | PAGE | AF;
    assert_int_equal(walk(w, 0, A64_ACCESS_READ, 1, &m), A64_FAULT_NONE);
    w->mmu.pa_bits = 40;
    assert_int_equal(walk(w, 0, A64_ACCESS_READ, 1, &m), A64_FAULT_ADDRESS_SIZE | 3);
    w->mmu.pa_bits = 48;
    w->mmu.tcr = (w->mmu.tcr & ~(UINT64_C(7) << A64_TCR_IPS_SHIFT)) | UINT64_C(2) << A64_TCR_IPS_SHIFT; /* 40 bits */
    assert_int_equal(walk(w, 0, A64_ACCESS_READ, 1, &m), A64_FAULT_ADDRESS_SIZE | 3);
    *entry(w, 0, 1) = UINT64_C(1) << 41 | TABLE;
    assert_int_equal(walk(w, 0, A64_ACCESS_READ, 1, &m), A64_FAULT_ADDRESS_SIZE | 1);
    w->mmu.ttbr0 |= UINT64_C(1) << 44;
    assert_int_equal(walk(w, 0, A64_ACCESS_READ, 1, &m), A64_FAULT_ADDRESS_SIZE);
    /* Tables where there is no memory. */
    begin(w, 12, 48);
    *entry(w, 0, 2) = UINT64_C(0x7f0000000000) | TABLE;
    assert_int_equal(walk(w, 0, A64_ACCESS_READ, 1, &m), A64_FAULT_EXTERNAL_ON_WALK | 3);
    w->mmu.ttbr0 = 0;
    assert_int_equal(walk(w, 0, A64_ACCESS_READ, 1, &m), A64_FAULT_EXTERNAL_ON_WALK);
    /* A block's form at level 3 is reserved. */
    begin(w, 12, 48);
    *entry(w, 0, 3) = BLOCK | AF;
    assert_int_equal(walk(w, 0, A64_ACCESS_READ, 1, &m), A64_FAULT_TRANSLATION | 3);
    /* A table that leads to itself ends at level 3, as a page. */
    begin(w, 12, 48);
    *entry(w, 0, 0) = w->mmu.ttbr0 | TABLE | AF;
    assert_int_equal(walk(w, 0, A64_ACCESS_READ, 1, &m), A64_FAULT_NONE);
    assert_int_equal(m.physical, w->mmu.ttbr0);
    /* Half of the space switched off, or denied to EL0. */
    w->mmu.tcr |= A64_TCR_E0PD0;
    assert_int_equal(walk(w, 0, A64_ACCESS_EXECUTE, 0, &m), A64_FAULT_NONE);
    w->mmu.has_e0pd = true;
    assert_int_equal(walk(w, 0, A64_ACCESS_EXECUTE, 0, &m), A64_FAULT_TRANSLATION);
    assert_int_equal(walk(w, 0, A64_ACCESS_READ, 1, &m), A64_FAULT_NONE);
    w->mmu.tcr |= A64_TCR_EPD0;
    assert_int_equal(walk(w, 0, A64_ACCESS_READ, 1, &m), A64_FAULT_TRANSLATION);
}

static void test_tags_and_off(void **state)
{
    struct world *w = *state;
    struct a64_mapping m;
    begin(w, 12, 48);
    *entry(w, 0x3000, 3) = 0x5000 | PAGE | AF;
    uint64_t tagged = UINT64_C(0xab00000000003010);
    assert_int_equal(walk(w, tagged, A64_ACCESS_READ, 1, &m), A64_FAULT_TRANSLATION);
    w->mmu.tcr |= A64_TCR_TBI0;
    assert_int_equal(walk(w, tagged, A64_ACCESS_READ, 1, &m), A64_FAULT_NONE);
    assert_int_equal(m.physical, 0x5010);
    w->mmu.tcr |= A64_TCR_TBID0; /* for data alone */
    assert_int_equal(walk(w, tagged, A64_ACCESS_EXECUTE, 1, &m), A64_FAULT_TRANSLATION);
    assert_int_equal(walk(w, tagged, A64_ACCESS_READ, 1, &m), A64_FAULT_NONE);
    w->mmu.sctlr &= ~A64_SCTLR_M;
    assert_int_equal(walk(w, tagged, A64_ACCESS_READ, 1, &m), A64_FAULT_NONE);
    assert_int_equal(m.physical, 0x3010);
    assert_int_equal(m.permissions & ALL_EL1, ALL_EL1);
    w->mmu.pa_bits = 40;
    assert_int_equal(walk(w, UINT64_C(1) << 40, A64_ACCESS_READ, 1, &m), A64_FAULT_ADDRESS_SIZE);
    /* Big-endian tables. */
    begin(w, 14, 47);
    *entry(w, 0x8000, 3) = 0xc000 | PAGE;
    uint64_t *leaf = entry(w, 0x8000, 3);
    for (uint64_t i = 0; i < MEMORY_SIZE / 8; i++)
        w->words[i] = __builtin_bswap64(w->words[i]);
    w->mmu.sctlr |= A64_SCTLR_EE;
    w->mmu.tcr |= A64_TCR_HA;
    w->mmu.has_hardware_af = true;
    assert_int_equal(walk(w, 0x8123, A64_ACCESS_READ, 1, &m), A64_FAULT_NONE);
    assert_int_equal(m.physical, 0xc123);
    assert_int_equal(*leaf, __builtin_bswap64(0xc000 | PAGE | AF));
    w->mmu.ttbr0 |= UINT64_C(0x1234) << 48;
    assert_int_equal(a64_mmu_asid(&w->mmu), 0x34);
    w->mmu.tcr |= A64_TCR_AS;
    assert_int_equal(a64_mmu_asid(&w->mmu), 0x1234);
    w->mmu.tcr |= A64_TCR_A1;
    assert_int_equal(a64_mmu_asid(&w->mmu), 0);
}

/** Whatever tables say, a walk ends, and reads no more than four descriptors unless it raced. */
static void test_random_tables(void **state)
{
    struct world *w = *state;
    uint64_t x = 88172645463325252u;
    for (unsigned round = 0; round < 200000; round++) {
        if (round % 1000 == 0) {
            begin(w, (const unsigned[]){12, 14, 16}[round / 1000 % 3], 25 + round / 1000 % 24);
            for (uint64_t i = 0; i < MEMORY_SIZE / 8; i++) {
                x ^= x << 13, x ^= x >> 7, x ^= x << 17;
                w->words[i] = (x & ~((UINT64_C(1) << 48) - 1)) | MEMORY_BASE | (x & (MEMORY_SIZE * 2 - 1)) | (x >> 40 & 3);
            }
            w->mmu.has_hardware_af = w->mmu.has_dirty = true;
        }
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        if (round & 1)
            w->mmu.tcr ^= x & (A64_TCR_HA | A64_TCR_HD | A64_TCR_HPD0 | A64_TCR_TBI1);
        struct a64_mapping m;
        uint64_t address = round & 2 ? x : x & ((UINT64_C(1) << 39) - 1);
        w->reads = 0;
        int fault = walk(w, address, (enum a64_access)(x % 3), x >> 20 & 1, &m);
        assert_true(w->reads <= 4);
        assert_true(fault >= A64_FAULT_NONE && fault < 0x18);
        if (fault == A64_FAULT_NONE)
            assert_true(m.physical < UINT64_C(1) << 48 && (m.physical ^ address) << (64 - 12) == 0);
    }
}

int main(void)
{
    static struct world world;
    void *state = &world;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(test_geometry, state),
        cmocka_unit_test_prestate(test_permissions, state),
        cmocka_unit_test_prestate(test_accessed_and_dirty, state),
        cmocka_unit_test_prestate(test_faults, state),
        cmocka_unit_test_prestate(test_tags_and_off, state),
        cmocka_unit_test_prestate(test_random_tables, state),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

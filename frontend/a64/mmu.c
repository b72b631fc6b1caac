/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Stage 1 of EL1&0 (Arm ARM DDI 0487, D8.2 to D8.5; AArch64.S1Translate and what it calls). */
#include "frontend/a64/mmu.h"

/* Descriptors (D8.3). */
#define VALID (UINT64_C(1) << 0)
#define TABLE (UINT64_C(1) << 1) /* at level 3: a page */
#define ATTRIBUTES_SHIFT 2
#define USER (UINT64_C(1) << 6)      /* AP[1] */
#define READ_ONLY (UINT64_C(1) << 7) /* AP[2] */
#define SHAREABILITY_SHIFT 8
#define ACCESSED (UINT64_C(1) << 10)
#define NOT_GLOBAL (UINT64_C(1) << 11)
#define GUARDED (UINT64_C(1) << 50)
#define DIRTY_BIT_MODIFIER (UINT64_C(1) << 51)
#define CONTIGUOUS (UINT64_C(1) << 52)
#define PRIVILEGED_NO_EXECUTE (UINT64_C(1) << 53)
#define USER_NO_EXECUTE (UINT64_C(1) << 54)
#define TABLE_PRIVILEGED_NO_EXECUTE (UINT64_C(1) << 59)
#define TABLE_USER_NO_EXECUTE (UINT64_C(1) << 60)
#define TABLE_NO_USER (UINT64_C(1) << 61)
#define TABLE_READ_ONLY (UINT64_C(1) << 62)

#define SIZE_MIN 16 /* TxSZ: 48 bits, without FEAT_LVA */
#define SIZE_MAX_BITS 39 /* … 25 bits, without FEAT_TTST */

/** How one half of the address space is walked. */
struct half {
    uint64_t base;         /* TTBRn_EL1 */
    unsigned input_bits;
    unsigned granule_bits; /* 12, 14 or 16 */
    bool upper, off, flat; /* TTBR1's; EPDn; HPDn */
    bool top_ignored, denied_to_el0;
};

static uint64_t low_bits(unsigned bits)
{
    return bits >= 64 ? UINT64_MAX : (UINT64_C(1) << bits) - 1;
}

static unsigned size_bits(uint64_t tcr, unsigned shift)
{
    unsigned size = tcr >> shift & 63;
    return 64 - (size < SIZE_MIN ? SIZE_MIN : size > SIZE_MAX_BITS ? SIZE_MAX_BITS : size);
}

/** A reserved value is treated as 4K: "as if it were a granule that is implemented". The two fields number them differently. */
static unsigned granule(const struct a64_mmu *mmu, bool upper)
{
    static const uint8_t lower_bits[4] = {12, 16, 14, 12}, upper_bits[4] = {12, 14, 12, 16};
    return upper ? upper_bits[mmu->tcr >> A64_TCR_TG1_SHIFT & 3] : lower_bits[mmu->tcr >> A64_TCR_TG0_SHIFT & 3];
}

static struct half half_of(const struct a64_mmu *mmu, uint64_t address, enum a64_access access)
{
    bool upper = address >> 55 & 1;
    uint64_t tcr = mmu->tcr;
    uint64_t ignore = upper ? A64_TCR_TBI1 : A64_TCR_TBI0, data_only = upper ? A64_TCR_TBID1 : A64_TCR_TBID0;
    return (struct half){
        .base = upper ? mmu->ttbr1 : mmu->ttbr0,
        .input_bits = size_bits(tcr, upper ? A64_TCR_T1SZ_SHIFT : A64_TCR_T0SZ_SHIFT),
        .granule_bits = granule(mmu, upper),
        .upper = upper,
        .off = tcr & (upper ? A64_TCR_EPD1 : A64_TCR_EPD0),
        .flat = tcr & (upper ? A64_TCR_HPD1 : A64_TCR_HPD0),
        .top_ignored = tcr & ignore && !(access == A64_ACCESS_EXECUTE && tcr & data_only),
        .denied_to_el0 = mmu->has_e0pd && tcr & (upper ? A64_TCR_E0PD1 : A64_TCR_E0PD0),
    };
}

/** Bits above those that are translated are copies of bit 55 (D8.2.1). */
static bool is_canonical(const struct half *half, uint64_t address)
{
    uint64_t checked = low_bits(half->top_ignored ? 56 : 64) & ~low_bits(half->input_bits);
    return (address & checked) == (half->upper ? checked : 0);
}

/** TCR_EL1.IPS, not above what is implemented. */
static unsigned output_bits(const struct a64_mmu *mmu)
{
    static const uint8_t sizes[8] = {32, 36, 40, 42, 44, 48, 48, 48};
    unsigned bits = sizes[mmu->tcr >> A64_TCR_IPS_SHIFT & 7];
    return bits < mmu->pa_bits ? bits : mmu->pa_bits;
}

/** D8.6: entries that are one mapping, as a power of two. */
static unsigned contiguous_bits(unsigned granule_bits, int level)
{
    return granule_bits == 12 ? 4 : granule_bits == 16 ? 5 : level == 3 ? 7 : 5;
}

static bool may_be_block(unsigned granule_bits, int level)
{
    return level == 2 || (level == 1 && granule_bits == 12);
}

/** What a leaf permits, with the attributes of the tables above folded into it (D8.4.1). */
static uint8_t permissions_of(const struct a64_mmu *mmu, uint64_t leaf)
{
    bool user = leaf & USER, writable = !(leaf & READ_ONLY), never_both = mmu->sctlr & A64_SCTLR_WXN;
    uint8_t permissions = A64_EL1_READ;
    if (writable)
        permissions |= A64_EL1_WRITE;
    if (user)
        permissions |= A64_PAN_APPLIES | A64_EL0_READ | (writable ? A64_EL0_WRITE : 0);
    if (!(leaf & USER_NO_EXECUTE) && !(never_both && user && writable))
        permissions |= A64_EL0_EXECUTE;
    /* What EL0 can write, EL1 does not execute. */
    if (!(leaf & PRIVILEGED_NO_EXECUTE) && !(user && writable) && !(never_both && writable))
        permissions |= A64_EL1_EXECUTE;
    return permissions;
}

static bool is_permitted(uint8_t permissions, enum a64_access access, unsigned el, bool pan)
{
    if (el == 1 && pan && access != A64_ACCESS_EXECUTE && permissions & A64_PAN_APPLIES)
        return false;
    static const uint8_t needed[2][3] = {{A64_EL0_READ, A64_EL0_WRITE, A64_EL0_EXECUTE},
                                         {A64_EL1_READ, A64_EL1_WRITE, A64_EL1_EXECUTE}};
    return permissions & needed[el != 0][access];
}

/** SCTLR_EL1.M is 0: addresses are physical (AArch64.S1DisabledOutput). */
static int walk_off(const struct a64_mmu *mmu, uint64_t address, enum a64_access access, struct a64_mapping *mapping)
{
    struct half half = half_of(mmu, address, access);
    uint64_t physical = half.top_ignored ? address & low_bits(56) : address;
    if (physical & ~low_bits(mmu->pa_bits))
        return A64_FAULT_ADDRESS_SIZE;
    *mapping = (struct a64_mapping){
        .physical = physical,
        .shift = 12,
        .permissions = A64_EL0_READ | A64_EL0_WRITE | A64_EL0_EXECUTE | A64_EL1_READ | A64_EL1_WRITE | A64_EL1_EXECUTE,
        .shareability = 2,
        .global = true,
    };
    return A64_FAULT_NONE;
}

struct leaf {
    uint64_t descriptor, inherited; /* as it is in memory; the bits that tables above add */
    uint64_t where;
    int level;
};

/** From the first table to a block or a page. */
static int find_leaf(const struct a64_mmu *mmu, const struct a64_walk_memory *memory, const struct half *half, uint64_t address,
                     struct leaf *leaf)
{
    unsigned g = half->granule_bits, stride = g - 3, out = output_bits(mmu);
    int level = 4 - (int)((half->input_bits - g + stride - 1) / stride);
    unsigned shift = g + stride * (unsigned)(3 - level);
    unsigned index_bits = half->input_bits - shift; /* the first table may be smaller, or have fewer entries, than a page */
    uint64_t table = half->base & low_bits(48) & ~low_bits(index_bits + 3);
    if (table & ~low_bits(out))
        return A64_FAULT_ADDRESS_SIZE;
    leaf->inherited = 0;
    for (;;) {
        leaf->level = level;
        leaf->where = table + ((address >> shift & low_bits(index_bits)) << 3);
        if (!memory->read(memory->opaque, leaf->where, &leaf->descriptor))
            return A64_FAULT_EXTERNAL_ON_WALK | level;
        uint64_t descriptor = mmu->sctlr & A64_SCTLR_EE ? __builtin_bswap64(leaf->descriptor) : leaf->descriptor;
        bool is_table = descriptor & TABLE && level < 3;
        if (!(descriptor & VALID) || (!is_table && (level == 3) != !!(descriptor & TABLE)) ||
            (!is_table && level < 3 && !may_be_block(g, level)))
            return A64_FAULT_TRANSLATION | level;
        if ((descriptor & low_bits(48) & ~low_bits(is_table ? g : shift)) & ~low_bits(out))
            return A64_FAULT_ADDRESS_SIZE | level;
        if (!is_table)
            return A64_FAULT_NONE;
        if (!half->flat) {
            leaf->inherited |= (descriptor & TABLE_USER_NO_EXECUTE ? USER_NO_EXECUTE : 0) |
                               (descriptor & TABLE_PRIVILEGED_NO_EXECUTE ? PRIVILEGED_NO_EXECUTE : 0) |
                               (descriptor & TABLE_READ_ONLY ? READ_ONLY : 0) | (descriptor & TABLE_NO_USER);
        }
        table = descriptor & low_bits(48) & ~low_bits(g);
        level++, shift -= stride, index_bits = stride;
    }
}

int a64_mmu_walk(const struct a64_mmu *mmu, const struct a64_walk_memory *memory, uint64_t address, enum a64_access access,
                 unsigned el, bool pan, struct a64_mapping *mapping)
{
    if (!(mmu->sctlr & A64_SCTLR_M))
        return walk_off(mmu, address, access, mapping);
    struct half half = half_of(mmu, address, access);
    if (!is_canonical(&half, address) || half.off || (el == 0 && half.denied_to_el0))
        return A64_FAULT_TRANSLATION;

    bool swapped = mmu->sctlr & A64_SCTLR_EE;
    bool sets_accessed = mmu->has_hardware_af && mmu->tcr & A64_TCR_HA;
    bool sets_dirty = sets_accessed && mmu->has_dirty && mmu->tcr & A64_TCR_HD;
    struct leaf leaf;
    for (;;) {
        int fault = find_leaf(mmu, memory, &half, address, &leaf);
        if (fault != A64_FAULT_NONE)
            return fault;
        uint64_t descriptor = swapped ? __builtin_bswap64(leaf.descriptor) : leaf.descriptor, updated = descriptor;
        if (!(descriptor & ACCESSED)) {
            if (!sets_accessed)
                return A64_FAULT_ACCESS_FLAG | leaf.level;
            updated |= ACCESSED;
        }
        bool is_clean = sets_dirty && descriptor & DIRTY_BIT_MODIFIER && descriptor & READ_ONLY;
        if (is_clean && access == A64_ACCESS_WRITE)
            updated &= ~READ_ONLY;
        uint64_t effective = updated | (leaf.inherited & (USER_NO_EXECUTE | PRIVILEGED_NO_EXECUTE | READ_ONLY));
        if (leaf.inherited & TABLE_NO_USER)
            effective &= ~USER;
        uint8_t permissions = permissions_of(mmu, effective);
        if (is_clean && access != A64_ACCESS_WRITE) {
            /* It counts as writable where that takes execution away (D8.5.2), though a write has to come here first. */
            uint64_t dirty = (updated & ~READ_ONLY) | (leaf.inherited & READ_ONLY);
            uint8_t later = permissions_of(mmu, (effective & ~READ_ONLY) | (dirty & READ_ONLY));
            permissions &= later | (uint8_t)~(A64_EL0_EXECUTE | A64_EL1_EXECUTE);
        }
        /* A permission fault leaves the dirty state as it is; the access flag may be set all the same. */
        if (!is_permitted(permissions, access, el, pan))
            return A64_FAULT_PERMISSION | leaf.level;
        if (updated != descriptor) {
            uint64_t expected = leaf.descriptor, desired = swapped ? __builtin_bswap64(updated) : updated;
            if (!memory->exchange(memory->opaque, leaf.where, &expected, desired))
                return A64_FAULT_EXTERNAL_ON_WALK | leaf.level;
            if (expected != leaf.descriptor)
                continue; /* another CPU has changed it: what is there now counts */
        }
        unsigned shift = half.granule_bits + (half.granule_bits - 3) * (unsigned)(3 - leaf.level);
        uint64_t base = descriptor & low_bits(48) & ~low_bits(shift);
        *mapping = (struct a64_mapping){
            .physical = base | (address & low_bits(shift)),
            .shift = (uint8_t)(shift + (descriptor & CONTIGUOUS ? contiguous_bits(half.granule_bits, leaf.level) : 0)),
            .permissions = permissions,
            .attributes = (uint8_t)(mmu->mair >> (descriptor >> ATTRIBUTES_SHIFT & 7) * 8),
            .shareability = descriptor >> SHAREABILITY_SHIFT & 3,
            .global = !(descriptor & NOT_GLOBAL),
            .guarded = descriptor & GUARDED,
        };
        return A64_FAULT_NONE;
    }
}

uint16_t a64_mmu_asid(const struct a64_mmu *mmu)
{
    uint64_t base = mmu->tcr & A64_TCR_A1 ? mmu->ttbr1 : mmu->ttbr0;
    return (uint16_t)(base >> 48 & (mmu->tcr & A64_TCR_AS ? 0xffff : 0xff));
}

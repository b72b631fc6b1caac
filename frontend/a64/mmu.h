/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Translation of addresses at EL1 and EL0, stage 1 (Arm ARM DDI 0487, D8): the walk through the tables, and what they permit.
 * 4K, 16K and 64K granules, 48 bits in and out, contiguous entries, hardware's access flag and dirty state, hierarchical
 * permissions, PAN, WXN, E0PD. A translation lookaside buffer keeps the results; this file keeps nothing.
 *
 * The tables are the guest's and can say anything: a walk ends after at most four reads, each through the caller's functions.
 */
#ifndef DRAGOMAN_FRONTEND_A64_MMU_H
#define DRAGOMAN_FRONTEND_A64_MMU_H

#include <stdbool.h>
#include <stdint.h>

/** The registers that a walk depends on, as MSR wrote them. */
struct a64_mmu {
    uint64_t sctlr, tcr, ttbr0, ttbr1, mair; /* of EL1 */
    uint8_t pa_bits;                         /* ID_AA64MMFR0_EL1.PARange in bits: 32 … 48 */
    bool has_hardware_af, has_dirty;         /* ID_AA64MMFR1_EL1.HAFDBS >= 1, >= 2 */
    bool has_e0pd;
};

#define A64_SCTLR_M (UINT64_C(1) << 0)
#define A64_SCTLR_WXN (UINT64_C(1) << 19)
#define A64_SCTLR_EE (UINT64_C(1) << 25)

#define A64_TCR_T0SZ_SHIFT 0
#define A64_TCR_EPD0 (UINT64_C(1) << 7)
#define A64_TCR_TG0_SHIFT 14
#define A64_TCR_T1SZ_SHIFT 16
#define A64_TCR_A1 (UINT64_C(1) << 22)
#define A64_TCR_EPD1 (UINT64_C(1) << 23)
#define A64_TCR_TG1_SHIFT 30
#define A64_TCR_IPS_SHIFT 32
#define A64_TCR_AS (UINT64_C(1) << 36)
#define A64_TCR_TBI0 (UINT64_C(1) << 37)
#define A64_TCR_TBI1 (UINT64_C(1) << 38)
#define A64_TCR_HA (UINT64_C(1) << 39)
#define A64_TCR_HD (UINT64_C(1) << 40)
#define A64_TCR_HPD0 (UINT64_C(1) << 41)
#define A64_TCR_HPD1 (UINT64_C(1) << 42)
#define A64_TCR_TBID0 (UINT64_C(1) << 51)
#define A64_TCR_TBID1 (UINT64_C(1) << 52)
#define A64_TCR_E0PD0 (UINT64_C(1) << 55)
#define A64_TCR_E0PD1 (UINT64_C(1) << 56)

enum a64_access { A64_ACCESS_READ, A64_ACCESS_WRITE, A64_ACCESS_EXECUTE };

/** Bits of a64_mapping.permissions. */
enum {
    A64_EL0_READ = 1 << 0,
    A64_EL0_WRITE = 1 << 1,
    A64_EL0_EXECUTE = 1 << 2,
    A64_EL1_READ = 1 << 3,
    A64_EL1_WRITE = 1 << 4,
    A64_EL1_EXECUTE = 1 << 5,
    /** What PSTATE.PAN keeps EL1's loads and stores from. */
    A64_PAN_APPLIES = 1 << 6,
};

/** What an address is mapped to, and how far around. */
struct a64_mapping {
    uint64_t physical;    /* of the address that was asked for */
    uint8_t shift;        /* the mapping is the same for 1 << shift bytes, aligned, with contiguous entries taken together */
    uint8_t permissions;  /* without what the dirty state still forbids: a page not written yet grants no write */
    uint8_t attributes;   /* of MAIR_EL1; 0, Device-nGnRnE, for data while the MMU is off */
    uint8_t shareability; /* 0 none, 2 outer, 3 inner */
    bool global;          /* for all ASIDs */
    bool guarded;         /* BTI: FEAT_BTI's GP */
};

/** Physical memory: false is an external abort. `exchange` sets the descriptor if it still is `expected`, else returns it there. */
struct a64_walk_memory {
    void *opaque;
    bool (*read)(void *opaque, uint64_t physical, uint64_t *descriptor);
    bool (*exchange)(void *opaque, uint64_t physical, uint64_t *expected, uint64_t desired);
};

/** Fault status codes (ISS.DFSC and IFSC, D24.2.40): the level is or-ed into bits 1:0. */
enum {
    A64_FAULT_NONE = -1,
    A64_FAULT_ADDRESS_SIZE = 0x00,
    A64_FAULT_TRANSLATION = 0x04,
    A64_FAULT_ACCESS_FLAG = 0x08,
    A64_FAULT_PERMISSION = 0x0c,
    A64_FAULT_EXTERNAL_ON_WALK = 0x14,
};

/**
 * Walks for an access at `el` (0 or 1; for LDTR and STTR without UAO: 0). `pan`: PSTATE.PAN, which is looked at for EL1's
 * data. A64_FAULT_NONE, and the mapping; or the fault status code with its level.
 */
int a64_mmu_walk(const struct a64_mmu *mmu, const struct a64_walk_memory *memory, uint64_t address, enum a64_access access,
                 unsigned el, bool pan, struct a64_mapping *mapping);
/** The ASID that is current: 16 bits, or 8 with TCR_EL1.AS clear. */
uint16_t a64_mmu_asid(const struct a64_mmu *mmu);

#endif

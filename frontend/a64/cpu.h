/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The state of an A64 CPU at EL0, and its slots. */
#ifndef DRAGOMAN_FRONTEND_A64_CPU_H
#define DRAGOMAN_FRONTEND_A64_CPU_H

#include <stdbool.h>
#include <stddef.h>

#include "translator/cpu.h"
#include "translator/isa.h"

/* Keys of pointer authentication, in the order of their registers. */
enum a64_pac_key { A64_PAC_IA, A64_PAC_IB, A64_PAC_DA, A64_PAC_DB, A64_PAC_GA, A64_PAC_KEY_COUNT };

struct a64_cpu {
    struct cpu cpu;
    uint64_t x[31];
    uint64_t sp;
    uint32_t nzcv; /* packed: IR_FLAG_* */
    uint32_t fpcr; /* as MSR FPCR wrote it; its rounding mode is in cpu.mxcsr too */
    uint64_t tpidr_el0;
    uint64_t excl_address; /* armed by load-exclusive; A64_EXCL_NONE when not */
    __m128i excl_value;    /* what it read, zero-extended */
    uint64_t excl_pass;    /* which store-exclusive may rely on that value: see translate_exclusive.c */
    uint32_t window;       /* enum cpu_window: guest_isa.window_offset */
    uint32_t apart;        /* not 0: loops of exclusives are not translated as one. Set by a64_cpu_take_apart() */
    __m128i v[32];
    __m128i qc;    /* FPSR.QC is set when any bit is */
    uint32_t fpsr; /* the cumulative bits that MXCSR cannot hold (IDC), and those raised by exact helpers; the rest are in
                      cpu.mxcsr: see a64_read_fpsr() */
    /* Identification, set by the machine through a64_cpu_reset(). */
    uint64_t features; /* 1 << enum a64_feature */
    uint64_t tpidrro_el0;
    uint32_t dczid_el0, ctr_el0, midr_el1;
    uint32_t pstate; /* A64_PSTATE_* */
    uint64_t code_changed_start, code_changed_end; /* hull of what IC IVAU named since the last DSB; empty: start >= end */
    uint64_t pac_keys[A64_PAC_KEY_COUNT][2]; /* bits 63:0, 127:64; by a64_cpu_set_keys() */
    uint64_t pac_mixed_keys[A64_PAC_KEY_COUNT]; /* for the algorithm of our own */
    uint32_t pac_disabled; /* bit of enum a64_pac_key: pointers are neither signed nor authenticated with it (not GA) */
    uint32_t tagged;       /* not 0: addresses may have a tag in bits 63:56. Set by a64_cpu_use_tags() */
};
#define A64_PSTATE_SSBS (1u << 12)
#define A64_PSTATE_DIT (1u << 24)
#define A64_EXCL_NONE UINT64_MAX

/* Slots: X0..X30 are 0..30. */
enum a64_slot {
    A64_X0 = 0,
    A64_SP = 31,
    A64_NZCV,         /* i32, packed */
    A64_TPIDR_EL0,    /* i64 */
    A64_EXCL_ADDRESS, /* i64 */
    A64_EXCL_VALUE,   /* v128 */
    A64_EXCL_PASS,    /* i64 */
    A64_WINDOW,       /* i32; never written by translated code */
    A64_QC,           /* v128 */
    A64_PSTATE,       /* i32: A64_PSTATE_DIT, A64_PSTATE_SSBS */
    /* Read by translated code, never written but by a helper after which the block ends. */
    A64_FPCR,         /* i32 */
    A64_TPIDRRO_EL0,  /* i64 */
    A64_PAC_KEY_SLOT, /* i64: pac_mixed_keys of IA, IB, DA, DB, GA */
    A64_PAC_KEY_SLOT_END = A64_PAC_KEY_SLOT + A64_PAC_KEY_COUNT - 1,
    A64_V0,           /* v128, V0..V31 follow */
    A64_V31 = A64_V0 + 31,
    A64_SLOT_COUNT
};

/* Translation key bits. */
#define A64_KEY_FP_EXACT 1u /* FPCR has FZ, DN, FZ16 or AHP set: floating point goes through exact helpers, not host arithmetic */
#define A64_KEY_TAGGED 2u   /* addresses of data are stripped of their tags (TBI) */
#define A64_KEY_SP_UNALIGNED 4u /* SP is not a multiple of 16: accesses relative to it trap. Without it, it is one */
#define A64_KEY_PAC_DISABLED_SHIFT 3 /* four bits: a64_cpu.pac_disabled */
#define A64_KEY_APART (1u << 8) /* loops of exclusives are translated instruction by instruction */

/** What engine_memory.attributes tells of a page: PROT_BTI, the Guarded Page bit of its descriptor. */
#define A64_CODE_GUARDED 1u

/** Kinds of indirect branches: what PSTATE.BTYPE is after them (Arm ARM DDI 0487, BR, BLR, RET). 0 also for all that are none. */
enum a64_branch_kind { A64_BTYPE_NONE, A64_BTYPE_JUMP_OR_CALL, A64_BTYPE_CALL, A64_BTYPE_JUMP };
#define A64_PSTATE_BTYPE_SHIFT 10

enum a64_feature {
    A64_FEAT_BASE, /* Armv8.0-A with FP and AdvSIMD; always there */
    A64_FEAT_AES, A64_FEAT_PMULL, A64_FEAT_SHA1, A64_FEAT_SHA256, A64_FEAT_SHA512, A64_FEAT_SHA3, A64_FEAT_SM3, A64_FEAT_SM4,
    A64_FEAT_CRC32, A64_FEAT_LSE, A64_FEAT_RDM, A64_FEAT_FP16, A64_FEAT_FHM, A64_FEAT_DOTPROD, A64_FEAT_FCMA,
    A64_FEAT_JSCVT, A64_FEAT_LRCPC, A64_FEAT_LRCPC2, A64_FEAT_FLAGM, A64_FEAT_FLAGM2, A64_FEAT_FRINTTS, A64_FEAT_SB,
    A64_FEAT_SSBS, A64_FEAT_DPB, A64_FEAT_DPB2, A64_FEAT_BTI, A64_FEAT_PAUTH, A64_FEAT_I8MM, A64_FEAT_BF16, A64_FEAT_RNG,
    A64_FEAT_MOPS, A64_FEAT_CSSC, A64_FEAT_WFXT, A64_FEAT_DIT, A64_FEAT_CCIDX,
    A64_FEAT_LSE2, A64_FEAT_ECV, A64_FEAT_MTE, A64_FEAT_PACQARMA5, A64_FEAT_PACQARMA3,
    A64_FEAT_COUNT
};

extern const struct guest_isa a64_isa;

/** Architectural reset state of a CPU that has `features` (bit mask of 1 << enum a64_feature). */
void a64_cpu_reset(struct a64_cpu *cpu, uint64_t features);
/** MIDR_EL1 after reset: implementer 0 (software), architecture by the ID registers. */
#define A64_MIDR_MAX 0x000f0d00u
/** CNTFRQ_EL0: the virtual counter counts nanoseconds, as Armv8.6 asks for. */
#define A64_COUNTER_HZ 1000000000u
/** The identification register with op0 = 3, op1 = 0, CRn = 0 and these CRm, op2 as a Linux kernel shows it to EL0. */
uint64_t a64_id_register(const struct a64_cpu *cpu, unsigned crm, unsigned op2);
/** The features that are fully translated here: what the machine may advertise. */
uint64_t a64_features_supported(void);
/** Sets the keys of pointer authentication that `which` (bits of enum a64_pac_key) names: bits 63:0, bits 127:64. */
void a64_cpu_set_keys(struct a64_cpu *cpu, const uint64_t keys[A64_PAC_KEY_COUNT][2], uint32_t which);
/**
 * After a data access at a non-canonical address: makes the CPU ignore tags of addresses (TBI) from now on, which costs
 * a little with each access. False if it does already: the address is bad without its tag, too.
 */
bool a64_cpu_use_tags(struct a64_cpu *cpu);
/** PSTATE as a kernel saves it at an exception: NZCV, DIT, SSBS, BTYPE; and back, as far as EL0 may change it. */
uint32_t a64_read_pstate(const struct a64_cpu *cpu);
void a64_write_pstate(struct a64_cpu *cpu, uint32_t pstate);
/**
 * After a fault or a misalignment at the load-exclusive `word`: a loop translated as one locked access faults there as a whole.
 * Makes the CPU execute the loop's instructions one by one, so that the right one faults, if one does. False: it does that
 * already, or `word` is no load-exclusive, so the fault is the instruction's own.
 */
bool a64_cpu_take_apart(struct a64_cpu *cpu, uint32_t word);
/** What taking an exception and returning from it does to the exclusive monitor (Arm ARM DDI 0487, B2.12). */
static inline void a64_cpu_clear_monitor(struct a64_cpu *cpu) { cpu->excl_address = A64_EXCL_NONE; }
/** NZCV in bits 31:28 (PSTATE layout), and back. */
uint32_t a64_read_nzcv(const struct a64_cpu *cpu);
void a64_write_nzcv(struct a64_cpu *cpu, uint32_t pstate);
/** FPSR and FPCR as MRS/MSR see them; only outside translated code (the MXCSR part is taken from cpu.mxcsr). */
uint32_t a64_read_fpsr(const struct a64_cpu *cpu);
void a64_write_fpsr(struct a64_cpu *cpu, uint32_t value);
void a64_write_fpcr(struct a64_cpu *cpu, uint32_t value);
/** FPSR from its parts: cpu.fpsr, an MXCSR, slot QC; and apart again (MXCSR's other bits are kept; returns cpu.fpsr). */
uint32_t a64_fpsr_from_host(uint32_t fpsr, uint32_t mxcsr, __m128i qc);
uint32_t a64_fpsr_to_host(uint32_t value, uint32_t *mxcsr, __m128i *qc);

#endif

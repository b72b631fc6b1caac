/* SPDX-License-Identifier: GPL-2.0-or-later */
/* System instructions: hints, barriers, cache maintenance, system registers. */
#include "frontend/a64/translate.h"

/** Hints. Waiting for events, with a timeout or without, returns at once, which the architecture allows. BTI does nothing where
    it is executed: see limit_entry() in cpu.c. */
void a64_NOP(struct a64_translate *t) { (void)t; }

/* ---- barriers ---------------------------------------------------------------------------------------------------- */

static enum ir_fence barrier_kind(const struct a64_translate *t)
{
    switch (CRm(t) & 3) {
    case 1: return IR_FENCE_LOAD;  /* loads before against everything after */
    case 2: return IR_FENCE_STORE; /* stores against stores */
    default: return IR_FENCE_FULL;
    }
}

void a64_DMB(struct a64_translate *t) { b_fence(t->b, barrier_kind(t)); }

/**
 * A full DSB also completes the instruction cache maintenance before it (Arm ARM, B2.3.12): this is where the ranges
 * that IC IVAU has collected are given to the machine. Nothing else makes changed code visible, so ISB has nothing
 * left to do.
 */
void a64_DSB(struct a64_translate *t)
{
    b_fence(t->b, barrier_kind(t));
    if (barrier_kind(t) != IR_FENCE_FULL || CRm(t) == 0 || CRm(t) == 4) /* SSBB, PSSBB complete nothing */
        return;
    builder_guard(t->b, CALL_HELPER(t, take_code_changes), TRAP_CACHE, t->b->pc + 4, 0);
}

void a64_ISB(struct a64_translate *t) { (void)t; }

/** A speculation barrier: translated code leaves nothing to guard that a fence would. */
void a64_SB(struct a64_translate *t) { (void)t; }

/* ---- cache maintenance ------------------------------------------------------------------------------------------- */

#define ZVA_BYTES 64 /* DCZID_EL0.BS = 4 */

void a64_DC_ZVA(struct a64_translate *t)
{
    ir_ref block = b_and(t->b, address_of(t, get_x(t, Rt(t))), b_i64(t->b, ~(uint64_t)(ZVA_BYTES - 1)));
    ir_ref zero = builder_vconst(t->b, 0, 0);
    for (int64_t offset = 0; offset < ZVA_BYTES; offset += 16)
        b_store(t->b, 16, 0, block, offset, zero);
}

/** Cleaning the data cache: the guest's memory is the host's, which is coherent. */
void a64_DC_clean(struct a64_translate *t) { (void)t; }

/** Collected, for a run of them to cost one invalidation: see DSB. */
void a64_IC_IVAU(struct a64_translate *t) { CALL_HELPER(t, note_code_change, get_x(t, Rt(t))); }

/* ---- registers --------------------------------------------------------------------------------------------------- */

static void put_constant(struct a64_translate *t, uint64_t value) { put_x(t, Rt(t), b_i64(t->b, value)); }

static const struct a64_cpu *translated_cpu(const struct a64_translate *t) { return (const struct a64_cpu *)t->b->cpu; }

/* The same for all CPUs of a machine and for all time, so constants in translated code. */
void a64_MRS_CTR_EL0(struct a64_translate *t) { put_constant(t, translated_cpu(t)->ctr_el0); }
void a64_MRS_DCZID_EL0(struct a64_translate *t) { put_constant(t, translated_cpu(t)->dczid_el0); }
void a64_MRS_CNTFRQ_EL0(struct a64_translate *t) { put_constant(t, A64_COUNTER_HZ); }
void a64_MRS_ID(struct a64_translate *t) { put_constant(t, a64_id_register(translated_cpu(t), CRm(t), op2(t))); }

void a64_MRS_NZCV(struct a64_translate *t)
{
    put_x(t, Rt(t), b_zext(t->b, IR_I64, 4, b_un(t->b, IR_FLAGS_UNPACK, get_nzcv(t))));
}

void a64_MSR_NZCV(struct a64_translate *t) { put_nzcv(t, b_un(t->b, IR_FLAGS_PACK, get_w(t, Rt(t)))); }

void a64_MRS_TPIDR_EL0(struct a64_translate *t) { put_x(t, Rt(t), builder_get(t->b, A64_TPIDR_EL0)); }
void a64_MSR_TPIDR_EL0(struct a64_translate *t) { builder_put(t->b, A64_TPIDR_EL0, get_x(t, Rt(t))); }
void a64_MRS_TPIDRRO_EL0(struct a64_translate *t) { put_x(t, Rt(t), builder_get(t->b, A64_TPIDRRO_EL0)); }
void a64_MRS_CNTVCT_EL0(struct a64_translate *t) { put_x(t, Rt(t), CALL_HELPER(t, read_counter)); }

void a64_MRS_FPCR(struct a64_translate *t) { put_w(t, Rt(t), builder_get(t->b, A64_FPCR)); }

/** What floating-point code means depends on FPCR: go on with a translation for the new one. */
void a64_MSR_FPCR(struct a64_translate *t)
{
    builder_put(t->b, A64_FPCR, CALL_HELPER(t, write_fpcr, get_x(t, Rt(t))));
    builder_trap(t->b, TRAP_RESYNC, t->b->pc + 4, 0);
}

void a64_MRS_FPSR(struct a64_translate *t) { put_x(t, Rt(t), CALL_HELPER(t, read_fpsr, builder_get(t->b, A64_QC))); }

void a64_MSR_FPSR(struct a64_translate *t) { builder_put(t->b, A64_QC, CALL_HELPER(t, write_fpsr, get_x(t, Rt(t)))); }

/** FEAT_RNG: NZCV = 0b0000 says that a number was there. The host's generator never fails. */
void a64_MRS_RNDR(struct a64_translate *t)
{
    put_x(t, Rt(t), CALL_HELPER(t, random_number));
    put_nzcv(t, b_i32(t->b, pack_nzcv(0)));
}

/* ---- PSTATE bits that only are remembered ------------------------------------------------------------------------ */

static void read_pstate(struct a64_translate *t, uint32_t bit)
{
    put_w(t, Rt(t), b_and(t->b, builder_get(t->b, A64_PSTATE), b_i32(t->b, bit)));
}

static void write_pstate(struct a64_translate *t, ir_ref value, uint32_t bit)
{
    ir_ref others = b_and(t->b, builder_get(t->b, A64_PSTATE), b_i32(t->b, ~bit));
    builder_put(t->b, A64_PSTATE, b_or(t->b, others, b_and(t->b, value, b_i32(t->b, bit))));
}

void a64_MRS_DIT(struct a64_translate *t) { read_pstate(t, A64_PSTATE_DIT); }
void a64_MRS_SSBS(struct a64_translate *t) { read_pstate(t, A64_PSTATE_SSBS); }
void a64_MSR_DIT(struct a64_translate *t) { write_pstate(t, get_w(t, Rt(t)), A64_PSTATE_DIT); }
void a64_MSR_SSBS(struct a64_translate *t) { write_pstate(t, get_w(t, Rt(t)), A64_PSTATE_SSBS); }

static void write_pstate_immediate(struct a64_translate *t, uint32_t bit)
{
    write_pstate(t, b_i32(t->b, CRm(t) & 1 ? bit : 0), bit);
}

void a64_MSR_imm_DIT(struct a64_translate *t) { write_pstate_immediate(t, A64_PSTATE_DIT); }
void a64_MSR_imm_SSBS(struct a64_translate *t) { write_pstate_immediate(t, A64_PSTATE_SSBS); }

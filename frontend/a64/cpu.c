/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The A64 CPU: reset, registers that are kept in another form than the architecture's, identification, and a64_isa. */
#include "frontend/a64/cpu.h"

#include <capstone/capstone.h>
#include <inttypes.h>
#include <stdio.h>

#include "frontend/a64/debug.h"
#include "frontend/a64/decode.h"
#include "frontend/a64/helpers.h"
#include "frontend/a64/mops.h"
#include "frontend/a64/simd_helpers.h"
#include "frontend/a64/translate.h"

/* ---- flags, FPCR, FPSR ------------------------------------------------------------------------------------------- */

uint32_t a64_read_nzcv(const struct a64_cpu *cpu)
{
    uint32_t packed = cpu->nzcv;
    return (packed & IR_FLAG_N ? 1u << 31 : 0) | (packed & IR_FLAG_Z ? 1u << 30 : 0) |
           (packed & IR_FLAG_NOT_C ? 0 : 1u << 29) | (packed & IR_FLAG_V ? 1u << 28 : 0);
}

void a64_write_nzcv(struct a64_cpu *cpu, uint32_t pstate) { cpu->nzcv = pack_nzcv(pstate >> 28); }

uint32_t a64_read_pstate(const struct a64_cpu *cpu)
{
    return a64_read_nzcv(cpu) | cpu->pstate | cpu->cpu.branch_kind << A64_PSTATE_BTYPE_SHIFT;
}

void a64_write_pstate(struct a64_cpu *cpu, uint32_t pstate)
{
    bool dit = cpu->features >> A64_FEAT_DIT & 1, ssbs = cpu->features >> A64_FEAT_SSBS & 1;
    a64_write_nzcv(cpu, pstate);
    cpu->pstate = pstate & ((dit ? A64_PSTATE_DIT : 0) | (ssbs ? A64_PSTATE_SSBS : 0));
    cpu->cpu.branch_kind = cpu->features >> A64_FEAT_BTI & 1 ? pstate >> A64_PSTATE_BTYPE_SHIFT & 3 : A64_BTYPE_NONE;
}

/* FPSR's cumulative bits, and where MXCSR has them. */
enum { FPSR_IOC = 1, FPSR_DZC = 2, FPSR_OFC = 4, FPSR_UFC = 8, FPSR_IXC = 16, FPSR_IDC = 1 << 7, FPSR_QC = 1 << 27 };
#define FPSR_CUMULATIVE (FPSR_IOC | FPSR_DZC | FPSR_OFC | FPSR_UFC | FPSR_IXC | FPSR_IDC)
static const struct {
    uint32_t fpsr, mxcsr;
} status_bits[] = {
    {FPSR_IOC, _MM_EXCEPT_INVALID},   {FPSR_DZC, _MM_EXCEPT_DIV_ZERO}, {FPSR_OFC, _MM_EXCEPT_OVERFLOW},
    {FPSR_UFC, _MM_EXCEPT_UNDERFLOW}, {FPSR_IXC, _MM_EXCEPT_INEXACT},
};

uint32_t a64_fpsr_from_host(uint32_t fpsr, uint32_t mxcsr, __m128i qc)
{
    uint32_t value = fpsr & FPSR_CUMULATIVE;
    for (unsigned i = 0; i < sizeof status_bits / sizeof status_bits[0]; i++)
        if (mxcsr & status_bits[i].mxcsr)
            value |= status_bits[i].fpsr;
    if (qc[0] | qc[1])
        value |= FPSR_QC;
    return value;
}

uint32_t a64_fpsr_to_host(uint32_t value, uint32_t *mxcsr, __m128i *qc)
{
    *mxcsr &= ~(uint32_t)_MM_EXCEPT_MASK;
    for (unsigned i = 0; i < sizeof status_bits / sizeof status_bits[0]; i++)
        if (value & status_bits[i].fpsr)
            *mxcsr |= status_bits[i].mxcsr;
    *qc = (__m128i){value & FPSR_QC ? 1 : 0, 0};
    return value & FPSR_IDC;
}

uint32_t a64_read_fpsr(const struct a64_cpu *cpu) { return a64_fpsr_from_host(cpu->fpsr, cpu->cpu.mxcsr, cpu->qc); }

void a64_write_fpsr(struct a64_cpu *cpu, uint32_t value)
{
    cpu->fpsr = a64_fpsr_to_host(value, &cpu->cpu.mxcsr, &cpu->qc);
}

#define FPCR_FZ16 (1u << 19)
#define FPCR_RMODE(fpcr) ((fpcr) >> 22 & 3)
#define FPCR_FZ (1u << 24)
#define FPCR_DN (1u << 25)
#define FPCR_AHP (1u << 26)

void a64_write_fpcr(struct a64_cpu *cpu, uint32_t value)
{
    /* RMode: nearest, up, down, zero. */
    static const uint32_t round_modes[4] = {_MM_ROUND_NEAREST, _MM_ROUND_UP, _MM_ROUND_DOWN, _MM_ROUND_TOWARD_ZERO};
    uint32_t writable = FPCR_AHP | FPCR_DN | FPCR_FZ | 3u << 22;
    if (cpu->features >> A64_FEAT_FP16 & 1)
        writable |= FPCR_FZ16;
    cpu->fpcr = value & writable;
    cpu->cpu.mxcsr = (cpu->cpu.mxcsr & ~(uint32_t)_MM_ROUND_MASK) | round_modes[FPCR_RMODE(cpu->fpcr)];
}

static uint32_t translation_key(const struct cpu *cpu)
{
    const struct a64_cpu *a64 = (const struct a64_cpu *)cpu;
    return (a64->fpcr & (FPCR_FZ | FPCR_DN | FPCR_FZ16 | FPCR_AHP) ? A64_KEY_FP_EXACT : 0) |
           (a64->tagged ? A64_KEY_TAGGED : 0) | (a64->apart ? A64_KEY_APART : 0) | (a64->sp % 16 ? A64_KEY_SP_UNALIGNED : 0) |
           (a64->pac_disabled & 15) << A64_KEY_PAC_DISABLED_SHIFT;
}

bool a64_cpu_take_apart(struct a64_cpu *cpu, uint32_t word)
{
    bool exclusive_load = (word & 0x3fe00000) == 0x08400000 || (word & 0xbfe00000) == 0x88600000; /* LDXR, LDXP */
    if (!exclusive_load || cpu->apart)
        return false;
    cpu->apart = 1;
    return true;
}

bool a64_cpu_use_tags(struct a64_cpu *cpu)
{
    bool changes = !cpu->tagged;
    cpu->tagged = 1;
    return changes;
}

/* ---- identification ---------------------------------------------------------------------------------------------- */

#define FEATURE(name) ((uint64_t)1 << A64_FEAT_##name)

uint64_t a64_features_supported(void)
{
    return FEATURE(BASE) | FEATURE(CRC32) | FEATURE(LSE) | FEATURE(LRCPC) | FEATURE(LRCPC2) | FEATURE(FLAGM) |
           FEATURE(FLAGM2) | FEATURE(SB) | FEATURE(SSBS) | FEATURE(DPB) | FEATURE(DPB2) | FEATURE(RNG) | FEATURE(DIT) |
           FEATURE(PAUTH) | FEATURE(PACQARMA5) | FEATURE(PACQARMA3) | FEATURE(BTI) | FEATURE(MOPS) | FEATURE(CSSC) |
           FEATURE(WFXT) | FEATURE(LSE2) | FEATURE(ECV) | FEATURE(CCIDX) | FEATURE(MTE) |
           a64_simd_features();
}

/* clang-format off */
/* A field of an identification register: the value of the last row whose feature is there counts. */
static const struct id_field {
    uint8_t crm, op2, shift, value, feature;
} id_fields[] = {
    /* ID_AA64PFR0_EL1, PFR1: EL0 and EL1 in AArch64 only */
    {4, 0, 0, 1, A64_FEAT_BASE},      {4, 0, 4, 1, A64_FEAT_BASE},     {4, 0, 16, 1, A64_FEAT_FP16},
    {4, 0, 20, 1, A64_FEAT_FP16},     {4, 0, 48, 1, A64_FEAT_DIT},     {4, 1, 0, 1, A64_FEAT_BTI},
    {4, 1, 4, 2, A64_FEAT_SSBS},
    /* ID_AA64DFR0_EL1: Armv8 debug */
    {5, 0, 0, 6, A64_FEAT_BASE},
    /* ID_AA64ISAR0_EL1 */
    {6, 0, 4, 1, A64_FEAT_AES},       {6, 0, 4, 2, A64_FEAT_PMULL},    {6, 0, 8, 1, A64_FEAT_SHA1},
    {6, 0, 12, 1, A64_FEAT_SHA256},   {6, 0, 12, 2, A64_FEAT_SHA512},  {6, 0, 16, 1, A64_FEAT_CRC32},
    {6, 0, 20, 2, A64_FEAT_LSE},      {6, 0, 28, 1, A64_FEAT_RDM},     {6, 0, 32, 1, A64_FEAT_SHA3},
    {6, 0, 36, 1, A64_FEAT_SM3},      {6, 0, 40, 1, A64_FEAT_SM4},     {6, 0, 44, 1, A64_FEAT_DOTPROD},
    {6, 0, 48, 1, A64_FEAT_FHM},      {6, 0, 52, 1, A64_FEAT_FLAGM},   {6, 0, 52, 2, A64_FEAT_FLAGM2},
    {6, 0, 60, 1, A64_FEAT_RNG},
    /* ID_AA64ISAR1_EL1 */
    {6, 1, 0, 1, A64_FEAT_DPB},       {6, 1, 0, 2, A64_FEAT_DPB2},     {6, 1, 12, 1, A64_FEAT_JSCVT},
    /* APA, API, GPA, GPI; ISAR2's GPA3, APA3: one algorithm, QARMA5 before QARMA3 before our own */
    {6, 1, 8, 1, A64_FEAT_PAUTH},     {6, 1, 28, 1, A64_FEAT_PAUTH},   {6, 1, 8, 0, A64_FEAT_PACQARMA3},
    {6, 1, 28, 0, A64_FEAT_PACQARMA3}, {6, 1, 8, 0, A64_FEAT_PACQARMA5}, {6, 1, 28, 0, A64_FEAT_PACQARMA5},
    {6, 1, 4, 1, A64_FEAT_PACQARMA5}, {6, 1, 24, 1, A64_FEAT_PACQARMA5},
    {6, 2, 8, 1, A64_FEAT_PACQARMA3}, {6, 2, 12, 1, A64_FEAT_PACQARMA3}, {6, 2, 8, 0, A64_FEAT_PACQARMA5},
    {6, 2, 12, 0, A64_FEAT_PACQARMA5},
    {6, 1, 16, 1, A64_FEAT_FCMA},     {6, 1, 20, 1, A64_FEAT_LRCPC},   {6, 1, 20, 2, A64_FEAT_LRCPC2},
    {6, 1, 32, 1, A64_FEAT_FRINTTS},  {6, 1, 36, 1, A64_FEAT_SB},      {6, 1, 44, 1, A64_FEAT_BF16},
    {6, 1, 52, 1, A64_FEAT_I8MM},
    /* ID_AA64ISAR2_EL1 */
    {6, 2, 0, 2, A64_FEAT_WFXT},      {6, 2, 16, 1, A64_FEAT_MOPS},    {6, 2, 52, 1, A64_FEAT_CSSC},
    /* ID_AA64MMFR0_EL1: no translation granule is shown to EL0 */
    {7, 0, 60, 1, A64_FEAT_ECV},
    /* ID_AA64MMFR2_EL1 */
    {7, 2, 32, 1, A64_FEAT_LSE2},
    {7, 0, 24, 15, A64_FEAT_BASE},    {7, 0, 28, 15, A64_FEAT_BASE},
};
/* clang-format on */

uint64_t a64_id_register(const struct a64_cpu *cpu, unsigned crm, unsigned op2)
{
    if (crm == 0)
        return op2 == 0   ? cpu->midr_el1
               : op2 == 5 ? 0x80000000 /* MPIDR_EL1: RES1 */
                          : 0;
    uint64_t value = 0;
    for (unsigned i = 0; i < sizeof id_fields / sizeof id_fields[0]; i++) {
        const struct id_field *field = &id_fields[i];
        if (field->crm == crm && field->op2 == op2 && cpu->features >> field->feature & 1)
            value = (value & ~((uint64_t)15 << field->shift)) | (uint64_t)field->value << field->shift;
    }
    return value;
}

void a64_cpu_reset(struct a64_cpu *cpu, uint64_t features)
{
    for (unsigned i = 0; i < 31; i++)
        cpu->x[i] = 0;
    for (unsigned i = 0; i < 32; i++)
        cpu->v[i] = _mm_setzero_si128();
    cpu->sp = cpu->tpidr_el0 = cpu->tpidrro_el0 = 0;
    cpu->excl_address = A64_EXCL_NONE;
    cpu->excl_pass = 0;
    cpu->window = CPU_WINDOW_ALONE;
    cpu->excl_value = cpu->qc = _mm_setzero_si128();
    cpu->features = features | FEATURE(BASE);
    cpu->fpsr = cpu->pstate = 0;
    cpu->code_changed_start = cpu->code_changed_end = 0;
    cpu->cpu.mxcsr = _MM_MASK_MASK; /* no traps, round to nearest, nothing accumulated */
    a64_write_fpcr(cpu, 0);
    a64_write_nzcv(cpu, 0);
    cpu->midr_el1 = A64_MIDR_MAX;
    cpu->pac_disabled = cpu->tagged = cpu->apart = 0;
    const uint64_t no_keys[A64_PAC_KEY_COUNT][2] = {{0}};
    a64_cpu_set_keys(cpu, no_keys, (1u << A64_PAC_KEY_COUNT) - 1);
    cpu->dczid_el0 = 4; /* DC ZVA clears 4 << 4 bytes */
    /* 64-byte lines, physically tagged; IDC: no data cache maintenance is needed for code that was written. */
    cpu->ctr_el0 = 1u << 31 | 1u << 28 | 4u << 24 | 4u << 20 | 4u << 16 | 3u << 14 | 4u;
}

/* ---- translation ------------------------------------------------------------------------------------------------- */

/**
 * CheckSPAlignment() (Arm ARM DDI 0487, D1.3.10): Linux has it on for EL0. Code is translated for an SP that is a
 * multiple of 16, or for one that is not, where each access relative to it traps. So nothing needs to be checked but
 * where an instruction may make SP the other kind.
 */
static void watch_sp(struct a64_translate *t)
{
    struct builder *b = t->b;
    ir_ref low = b_and(b, b_trunc(b, builder_get(b, A64_SP)), b_i32(b, 15));
    if (b->key & A64_KEY_SP_UNALIGNED)
        low = b_cmp(b, IR_EQ, low, b_i32(b, 0));
    builder_guard(b, low, TRAP_RESYNC, b->pc + 4, 0);
}

/** A load or store with SP as the base; prefetches, literal loads, and copies are none. */
static bool accesses_by_sp(uint32_t word)
{
    bool literal = (word & 0x3b000000) == 0x18000000, copy = (word & 0x3b200c00) == 0x19000400;
    bool prefetch = (word & 0xffc00000) == 0xf9800000 || (word & 0xffe00c00) == 0xf8a00800 ||
                    (word & 0xffe00c00) == 0xf8800000;
    return (word & 0x0a000000) == 0x08000000 && (word >> 5 & 31) == 31 && !literal && !copy && !prefetch;
}

#define KIND(name) (1u << A64_BTYPE_##name)

/**
 * Branch target identification (Arm ARM DDI 0487, D8.4.5; BTypeCompatible in the pseudocode of the instructions named): the
 * values of PSTATE.BTYPE with which this instruction may be executed in a guarded page.
 */
static unsigned compatible_kinds(uint32_t word)
{
    if ((word & 0xffffff3f) == 0xd503241f) { /* BTI, BTI c, BTI j, BTI jc */
        static const uint8_t kinds[4] = {
            KIND(NONE), KIND(NONE) | KIND(JUMP_OR_CALL) | KIND(CALL), KIND(NONE) | KIND(JUMP_OR_CALL) | KIND(JUMP),
            KIND(NONE) | KIND(JUMP_OR_CALL) | KIND(CALL) | KIND(JUMP)};
        return kinds[word >> 6 & 3];
    }
    /* PACIASP, PACIBSP, with FEAT_PAuth or without: Linux sets SCTLR_EL1.BT0, so they are as BTI c, not as BTI jc. */
    if ((word & 0xffffffbf) == 0xd503233f)
        return KIND(NONE) | KIND(JUMP_OR_CALL) | KIND(CALL);
    if ((word & 0xffe0001f) == 0xd4200000 || (word & 0xffe0001f) == 0xd4400000) /* BRK, HLT */
        return KIND(NONE) | KIND(JUMP_OR_CALL) | KIND(CALL) | KIND(JUMP);
    return KIND(NONE);
}

/**
 * Which indirect branches may come here. To know of a misaligned or missing instruction with which BTYPE it was reached, which
 * the exception's SPSR tells, none but those that leave BTYPE 0 reach it without being asked.
 */
static void limit_entry(const struct a64_translate *t, bool instruction)
{
    if (t->b->pc != t->b->entry_pc || !has_feature(t, A64_FEAT_BTI))
        return;
    if (!instruction)
        t->b->entry_kinds = KIND(NONE);
    else if (builder_code_attributes(t->b) & A64_CODE_GUARDED)
        t->b->entry_kinds = (uint8_t)compatible_kinds(t->word);
}

static void translate(struct builder *b)
{
    struct a64_translate t = {.b = b};
    if (b->pc & 3) {
        limit_entry(&t, false);
        builder_trap(b, TRAP_ALIGN_PC, b->pc, 0);
        b->pc += 4;
        return;
    }
    t.word = builder_fetch32(b);
    limit_entry(&t, !builder_ended(b));
    if (builder_ended(b))
        return;
    t.row = a64_decode(t.word);
    if (!t.row || !has_feature(&t, (enum a64_feature)t.row->feature))
        undefined(&t);
    else if ((b->key & A64_KEY_SP_UNALIGNED) && accesses_by_sp(t.word))
        builder_trap(b, TRAP_ALIGN_SP, b->pc, 0);
    else if (!t.row->translate)
        builder_trap(b, TRAP_UNIMPLEMENTED, b->pc, 0);
    else
        t.row->translate(&t);
    if (t.sp_put && !builder_ended(b))
        watch_sp(&t);
    b->pc += 4; /* also past the end of a block: its bytes are part of it */
}

static void print_state(FILE *out, const struct cpu *generic)
{
    const struct a64_cpu *cpu = (const struct a64_cpu *)generic;
    fprintf(out, " PC=%016" PRIx64 " ", generic->pc);
    for (unsigned i = 0; i < 31; i++)
        fprintf(out, "X%02u=%016" PRIx64 "%s", i, cpu->x[i], i % 3 == 1 ? "\n" : " ");
    uint32_t nzcv = a64_read_nzcv(cpu);
    fprintf(out, " SP=%016" PRIx64 "\nPSTATE=%08" PRIx32 " %c%c%c%c", cpu->sp, nzcv | cpu->pstate,
            nzcv >> 31 & 1 ? 'N' : '-', nzcv >> 30 & 1 ? 'Z' : '-', nzcv >> 29 & 1 ? 'C' : '-',
            nzcv >> 28 & 1 ? 'V' : '-');
    fprintf(out, " FPCR=%08" PRIx32 " FPSR=%08" PRIx32 "\n", cpu->fpcr, a64_read_fpsr(cpu));
    for (unsigned i = 0; i < 32; i++)
        fprintf(out, "Q%02u=%016" PRIx64 ":%016" PRIx64 "%s", i, (uint64_t)cpu->v[i][1], (uint64_t)cpu->v[i][0],
                i % 2 ? "\n" : " ");
}

/* ---- a64_isa ----------------------------------------------------------------------------------------------------- */

#define HELPER(name, flags, result, ...)                                                                               \
    const struct ir_helper a64_helper_##name = {#name, (void *)helper_##name, flags, result, {__VA_ARGS__}};
#include "frontend/a64/a64_helpers.inc"
#include "frontend/a64/a64_simd_helpers.inc"
#undef HELPER

static const struct ir_helper *const helpers[] = {
#define HELPER(name, ...) &a64_helper_##name,
#include "frontend/a64/a64_helpers.inc"
#include "frontend/a64/a64_simd_helpers.inc"
#undef HELPER
    NULL,
};

/* clang-format off */
#define X(n) [A64_X0 + n] = {"x" #n, IR_I64, offsetof(struct a64_cpu, x[n])}
#define VEC(n) [A64_V0 + n] = {"v" #n, IR_V128, offsetof(struct a64_cpu, v[n])}
static const struct state_slot slots[A64_SLOT_COUNT] = {
    X(0), X(1), X(2), X(3), X(4), X(5), X(6), X(7), X(8), X(9), X(10), X(11), X(12), X(13), X(14), X(15),
    X(16), X(17), X(18), X(19), X(20), X(21), X(22), X(23), X(24), X(25), X(26), X(27), X(28), X(29), X(30),
    [A64_SP] = {"sp", IR_I64, offsetof(struct a64_cpu, sp)},
    [A64_NZCV] = {"nzcv", IR_I32, offsetof(struct a64_cpu, nzcv)},
    [A64_TPIDR_EL0] = {"tpidr_el0", IR_I64, offsetof(struct a64_cpu, tpidr_el0)},
    [A64_EXCL_ADDRESS] = {"excl_address", IR_I64, offsetof(struct a64_cpu, excl_address)},
    [A64_EXCL_VALUE] = {"excl_value", IR_V128, offsetof(struct a64_cpu, excl_value)},
    [A64_EXCL_PASS] = {"excl_pass", IR_I64, offsetof(struct a64_cpu, excl_pass)},
    [A64_WINDOW] = {"window", IR_I32, offsetof(struct a64_cpu, window)},
    [A64_QC] = {"qc", IR_V128, offsetof(struct a64_cpu, qc)},
    [A64_PSTATE] = {"pstate", IR_I32, offsetof(struct a64_cpu, pstate)},
    [A64_FPCR] = {"fpcr", IR_I32, offsetof(struct a64_cpu, fpcr)},
    [A64_TPIDRRO_EL0] = {"tpidrro_el0", IR_I64, offsetof(struct a64_cpu, tpidrro_el0)},
    [A64_PAC_KEY_SLOT] = {"pac_key_ia", IR_I64, offsetof(struct a64_cpu, pac_mixed_keys[A64_PAC_IA])},
    [A64_PAC_KEY_SLOT + 1] = {"pac_key_ib", IR_I64, offsetof(struct a64_cpu, pac_mixed_keys[A64_PAC_IB])},
    [A64_PAC_KEY_SLOT + 2] = {"pac_key_da", IR_I64, offsetof(struct a64_cpu, pac_mixed_keys[A64_PAC_DA])},
    [A64_PAC_KEY_SLOT + 3] = {"pac_key_db", IR_I64, offsetof(struct a64_cpu, pac_mixed_keys[A64_PAC_DB])},
    [A64_PAC_KEY_SLOT + 4] = {"pac_key_ga", IR_I64, offsetof(struct a64_cpu, pac_mixed_keys[A64_PAC_GA])},
    VEC(0), VEC(1), VEC(2), VEC(3), VEC(4), VEC(5), VEC(6), VEC(7), VEC(8), VEC(9), VEC(10), VEC(11), VEC(12), VEC(13),
    VEC(14), VEC(15), VEC(16), VEC(17), VEC(18), VEC(19), VEC(20), VEC(21), VEC(22), VEC(23), VEC(24), VEC(25), VEC(26),
    VEC(27), VEC(28), VEC(29), VEC(30), VEC(31),
};
/* clang-format on */
#undef X
#undef VEC

const struct guest_isa a64_isa = {
    .name = "a64",
    .slots = slots,
    .nslots = A64_SLOT_COUNT,
    .helpers = helpers,
    .cpu_size = sizeof(struct a64_cpu),
    .window_offset = offsetof(struct a64_cpu, window),
    .translate = translate,
    .translation_key = translation_key,
    .execute = mops_execute,
    .fixup = mops_fixup,
    .print_state = print_state,
    .debug = &a64_debug,
    .capstone_arch = CS_ARCH_ARM64,
    .capstone_mode = CS_MODE_LITTLE_ENDIAN,
};

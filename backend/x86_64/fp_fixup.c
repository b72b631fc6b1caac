/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The way from translated code to a C function that computes one operation exactly, all registers preserved.
 *
 * Host arithmetic gives the right result but for a few cases that trap, or that the emitted code detects: a NaN (which of
 * the operands' it is, the sign of a generated one), a result on the border of the denormals (where tininess before and
 * after rounding differ). They continue in out-of-line code that stores the operands to cpu_front.scratch and calls the
 * thunk:
 *
 *   scratch  0..47  operands    48..63  result    64..127  registers saved    128..143  scratch_temp()
 *
 * The thunk runs the C function on the dispatcher's stack: the stack of translated code ends in a guard page, and a
 * fault there is repaired by forgetting what is on it. MXCSR is not touched: the function reads the rounding mode
 * there and accumulates status.
 */
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>

#include "backend/x86_64/emit_vec.h"
#include "translator/softfp.h"

enum { SCRATCH_RESULT = 48, SCRATCH_SAVED = 64, SCRATCH_TEMP = 128, THUNK_SIZE = 512, THUNK_ANY = 16 };

static struct asm_mem scratch_mem(int32_t offset) { return asm_base(RBP, FRONT_OFFSET(scratch) + offset); }

struct asm_mem thunk_result(void) { return scratch_mem(SCRATCH_RESULT); }
struct asm_mem thunk_operands(void) { return scratch_mem(0); }
struct asm_mem scratch_temp(void) { return scratch_mem(SCRATCH_TEMP); }

/* ---- traps ----------------------------------------------------------------------------------------------------- */

enum { EFLAGS_TF = 1 << 8, MXCSR_IM = 1 << 7 };

void fp_trap_invalid(struct cpu *cpu, bool trap)
{
    cpu->mxcsr = trap ? cpu->mxcsr & ~(uint32_t)MXCSR_IM : cpu->mxcsr | MXCSR_IM;
}

static const struct code_trap *find_trap(const struct x86_backend *backend, uint64_t host_pc)
{
    const struct region *region = code_cache_find(backend->cache, (const void *)host_pc);
    if (!region)
        return NULL;
    uint32_t offset = (uint32_t)(host_pc - (uintptr_t)region->code), low = 0, high = region->ntraps;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (region->traps[middle].offset < offset)
            low = middle + 1;
        else
            high = middle;
    }
    return low < region->ntraps && region->traps[low].offset == offset ? &region->traps[low] : NULL;
}

/*
 * An arithmetic instruction that traps has a stub of its own, which computes exactly what it should have. The others
 * (comparisons, conversions) do the right thing when invalid operations are masked: they are executed once more so, and the
 * trap flag brings us back behind them.
 */
bool fp_trap_fixup(const struct x86_backend *backend, int sig, ucontext_t *uc)
{
    greg_t *eflags = &uc->uc_mcontext.gregs[REG_EFL], *rip = &uc->uc_mcontext.gregs[REG_RIP];
    uint32_t *mxcsr = &uc->uc_mcontext.fpregs->mxcsr;
    if (sig == SIGTRAP) {
        if (!(*eflags & EFLAGS_TF))
            return false;
        *eflags &= ~(greg_t)EFLAGS_TF;
        *mxcsr &= ~(uint32_t)MXCSR_IM;
        return true;
    }
    if (*mxcsr & MXCSR_IM) /* some other exception: none is unmasked */
        return false;
    const struct code_trap *trap = find_trap(backend, (uint64_t)*rip);
    if (trap) {
        *rip += (greg_t)trap->stub_offset - (greg_t)trap->offset;
    } else {
        *eflags |= EFLAGS_TF;
        *mxcsr |= MXCSR_IM;
    }
    return true;
}

/* ---- the thunk ------------------------------------------------------------------------------------------------- */

/* The registers that a C function may change, T0 and T1 apart (System V ABI, x86-64, 3.2.1). */
static const uint8_t saved_gprs[] = {RCX, RSI, RDI, R8, R9, R10, R11};
_Static_assert(SCRATCH_SAVED + 8 * (sizeof saved_gprs + 1) <= SCRATCH_TEMP, "room for the stack pointer too");

/* Evaluates the operation by the exact integer functions. */
static void evaluate_exactly(__m128i *scratch, uint32_t operation)
{
    struct ir_insn insn = {.arg = {IR_NONE, IR_NONE, IR_NONE, IR_NONE}};
    memcpy(&insn, &operation, sizeof operation);
    softfp_eval_ir(&insn, scratch, &scratch[3]);
}
_Static_assert(offsetof(struct ir_insn, mode) == 3, "op, type, size, mode are the first four bytes");

/* In: T1 the operation; when entered at THUNK_ANY, T0 the function. */
static void emit_thunk(struct assembler *a)
{
    const unsigned n = sizeof saved_gprs;
    x_mov_imm(a, T0, (uint64_t)(uintptr_t)evaluate_exactly);
    while (asm_offset(a) < THUNK_ANY)
        asm_u8(a, 0x90); /* nop */
    for (unsigned i = 0; i < n; i++)
        x_store(a, 8, scratch_mem(SCRATCH_SAVED + 8 * (int32_t)i), saved_gprs[i]);
    x_store(a, 8, scratch_mem(SCRATCH_SAVED + 8 * (int32_t)n), RSP);
    x_load(a, 1, RSP, asm_base(RBP, CPU_OFFSET(dispatcher_sp)));
    x_alu_imm(a, ALU_AND, 1, asm_reg(RSP), -16);
    x_alu_imm(a, ALU_SUB, 1, asm_reg(RSP), 256);
    for (unsigned i = 0; i < 16; i++)
        vmovups_store(a, asm_base(RSP, 16 * (int32_t)i), i);
    x_lea(a, 1, RDI, scratch_mem(0));
    x_mov(a, 0, RSI, T1);
    x_call_reg(a, T0);
    for (unsigned i = 0; i < 16; i++)
        vmovups(a, i, asm_at(asm_base(RSP, 16 * (int32_t)i)));
    x_load(a, 1, RSP, scratch_mem(SCRATCH_SAVED + 8 * (int32_t)n));
    for (unsigned i = 0; i < n; i++)
        x_load(a, 1, saved_gprs[i], scratch_mem(SCRATCH_SAVED + 8 * (int32_t)i));
    x_ret(a);
}

void fp_thunk_create(struct x86_backend *backend)
{
    uint8_t *rw;
    if (!code_cache_alloc_permanent(backend->cache, THUNK_SIZE, &rw, &backend->fp_thunk))
        abort(); /* the cache's smallest size has room for all stubs */
    struct assembler a = {.start = rw, .p = rw, .end = rw + THUNK_SIZE, .rx = backend->fp_thunk};
    emit_thunk(&a);
}

/* Calls the thunk at `entry`, T0 being set where that is needed. */
static void call_thunk(struct emit *e, ir_ref ref, const uint8_t *entry)
{
    struct assembler *a = &e->as;
    const struct ir_insn *insn = emit_insn(e, ref);
    unsigned n = ir_nargs(insn);
    for (unsigned k = 0; k < n; k++)
        vmovups_store(a, scratch_mem(16 * (int32_t)k), arg_xmm(e, ref, k, XT0));
    uint32_t operation;
    memcpy(&operation, insn, sizeof operation);
    x_mov_imm(a, T1, operation);
    asm_patch_to(a, x_call(a), entry);
}

void emit_thunk_call(struct emit *e, ir_ref ref, thunk_function *function)
{
    x_mov_image(&e->as, T0, (uintptr_t)function);
    call_thunk(e, ref, e->backend->fp_thunk + THUNK_ANY);
}

void emit_exact(struct emit *e, const struct later *l)
{
    struct assembler *a = &e->as;
    unsigned type = emit_insn(e, l->ref)->type;
    call_thunk(e, l->ref, e->backend->fp_thunk);
    if (type == IR_I32 || type == IR_I64)
        x_load(a, type == IR_I64, l->regs[0], thunk_result());
    else
        vmovups(a, l->regs[0], asm_at(thunk_result()));
    emit_later_back(e, l);
}

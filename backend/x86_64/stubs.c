/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The fixed code: how translated code is entered and left, and struct host_backend.
 *
 * Each CPU has a stack of its own for translated code, the return predictor, with a guard page below. It holds pairs
 * (guest return address, host landing). When calls without returns fill it, a push faults in the guard and fixup() starts it
 * anew; the returns that were forgotten are found by lookup. The pair at its base never matches a real return: the
 * guest half is no instruction's address, and should the guest return there all the same, the host half looks it up.
 * C code never runs on that stack: calls out switch to the dispatcher's.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "backend/x86_64/apart.h"
#include "backend/x86_64/asm_int.h"
#include "backend/x86_64/emit.h"
#include "backend/x86_64/emit_parts.h"

enum {
    STACK_SIZE = 256 << 10,
    GUARD_SIZE = 4096,
    STUBS_SIZE = 2048,
    SCRATCH_STACK_BASE = 31, /* cpu_front.scratch: initial stack pointer of translated code, 0 before the first entry */
};

static void store_reason(struct assembler *a, enum cpu_exit reason)
{
    x_store_imm(a, 4, asm_base(RBP, CPU_OFFSET(exit_reason)), reason);
}

static const uint8_t *here(const struct assembler *a) { return a->rx + asm_offset(a); }

static const uint8_t callee_saved[] = {RBX, RBP, R12, R13, R14, R15};

/* void prologue(cpu + CPU_BIAS, code) */
static void emit_prologue(struct x86_backend *b, struct assembler *a)
{
    b->prologue = here(a);
    for (unsigned i = 0; i < sizeof callee_saved; i++)
        x_push(a, callee_saved[i]);
    x_alu_imm(a, ALU_SUB, 1, asm_reg(RSP), 24); /* aligned to 16; the host's MXCSR is kept there */
    x_stmxcsr(a, asm_base(RSP, 8));
    x_mov(a, 1, RBP, RDI);
    x_store(a, 8, asm_base(RBP, CPU_OFFSET(dispatcher_sp)), RSP);
    x_ldmxcsr(a, asm_base(RBP, CPU_OFFSET(mxcsr)));
    x_load(a, 1, RSP, asm_base(RBP, CPU_OFFSET(host_sp)));
    x_jmp_reg(a, RSI);
}

static void emit_epilogue(struct x86_backend *b, struct assembler *a)
{
    b->epilogue = here(a);
    x_store(a, 8, asm_base(RBP, CPU_OFFSET(host_sp)), RSP);
    x_load(a, 1, RSP, asm_base(RBP, CPU_OFFSET(dispatcher_sp)));
    x_stmxcsr(a, asm_base(RBP, CPU_OFFSET(mxcsr)));
    x_ldmxcsr(a, asm_base(RSP, 8));
    x_alu_imm(a, ALU_ADD, 1, asm_reg(RSP), 24);
    for (unsigned i = sizeof callee_saved; i-- > 0;)
        x_pop(a, callee_saved[i]);
    x_ret(a);
}

static void jump_epilogue(struct x86_backend *b, struct assembler *a) { asm_patch_to(a, x_jmp(a), b->epilogue); }

/*
 * Goes to the region of the address in RDX for cpu.branch_kind if the second jump cache has it. The state is in memory: all registers
 * are free. Like the return stub it looks at cpu.interrupt.
 */
static void emit_second_lookup(struct assembler *a)
{
    uint32_t misses[3];
    x_alu_imm(a, ALU_CMP, 0, asm_at(asm_base(RBP, CPU_OFFSET(interrupt))), 0);
    misses[0] = x_jcc8(a, JNE);
    x_test_imm(a, 0, asm_reg(RDX), 3);
    misses[1] = x_jcc8(a, JNE);
    x_load(a, 0, RAX, asm_base(RBP, CPU_OFFSET(branch_kind)));
    x_alu(a, ALU_ADD, 1, RAX, asm_reg(RDX));
    x_imul_imm(a, 0, RCX, asm_reg(RAX), (int32_t)JUMP_SECOND_FACTOR);
    x_shift_imm(a, SHIFT_SHR, 0, RCX, 32 - JUMP_SECOND_BITS);
    x_shift_imm(a, SHIFT_SHL, 0, RCX, 4);
    struct asm_mem entry = asm_indexed(RBP, RCX, 0, FRONT_OFFSET(jump_second));
    asm_rm(a, X86_OP(X86_MAP_1, X86_NP, 0x3b) | X86_W, RAX, &entry, 0);
    misses[2] = x_jcc8(a, JNE);
    x_store_imm(a, 4, asm_base(RBP, CPU_OFFSET(branch_kind)), 0);
    entry.disp += (int32_t)offsetof(struct jump_entry, host);
    x_jmp_mem(a, entry);
    for (unsigned i = 0; i < 3; i++)
        asm_patch8(a, misses[i]);
}

static void emit_simple_exits(struct x86_backend *b, struct assembler *a)
{
    b->exit_lookup = here(a); /* RDX: guest address */
    if (b->options.inline_lookup)
        emit_second_lookup(a);
    x_store(a, 8, asm_base(RBP, CPU_OFFSET(pc)), RDX);
    store_reason(a, CPU_EXIT_LOOKUP);
    jump_epilogue(b, a);
    b->exit_link = here(a); /* RAX: struct code_exit */
    x_store(a, 8, asm_base(RBP, CPU_OFFSET(exit_site)), RAX);
    store_reason(a, CPU_EXIT_LINK);
    jump_epilogue(b, a);
    b->exit_hot = here(a); /* RAX: struct region */
    x_store(a, 8, asm_base(RBP, CPU_OFFSET(exit_site)), RAX);
    store_reason(a, CPU_EXIT_HOT);
    jump_epilogue(b, a);
    b->exit_trap = here(a); /* pc and trap are stored */
    store_reason(a, CPU_EXIT_TRAP);
    jump_epilogue(b, a);
}

/*
 * A return that was not predicted, RDX: guest address: an indirect jump by the jump cache. It looks at cpu.interrupt, because
 * there is no POLL before a return, and a program that loops by returning to where no call came from would go on for ever.
 */
static void emit_exit_return_stub(struct x86_backend *b, struct assembler *a)
{
    b->exit_return = here(a);
    if (!b->options.inline_lookup) {
        asm_patch_to(a, x_jmp(a), b->exit_lookup);
        return;
    }
    x_alu_imm(a, ALU_CMP, 0, asm_at(asm_base(RBP, CPU_OFFSET(interrupt))), 0);
    asm_patch_to(a, x_jcc(a, JNE), b->exit_lookup);
    x_lea(a, 0, RAX, (struct asm_mem){.base = GPR_NONE, .index = RDX, .shift = 2, .pool = -1});
    x_alu_imm(a, ALU_AND, 0, asm_reg(RAX), ((1 << JUMP_CACHE_BITS) - 1) << 4);
    struct asm_mem entry = asm_indexed(RBP, RAX, 0, FRONT_OFFSET(jump_cache));
    asm_rm(a, X86_OP(X86_MAP_1, X86_NP, 0x3b) | X86_W, RDX, &entry, 0);
    asm_patch_to(a, x_jcc(a, JNE), b->exit_lookup);
    entry.disp += (int32_t)offsetof(struct jump_entry, host);
    x_jmp_mem(a, entry);
}

/* The host half of the pair at the stack's base: RET has taken it, the guest address is on top. */
static void emit_sentinel(struct x86_backend *b, struct assembler *a)
{
    b->sentinel = here(a);
    x_load(a, 1, RDX, asm_base(RSP, 0));
    x_lea(a, 1, RSP, asm_base(RSP, -8));
    asm_patch_to(a, x_jmp(a), b->exit_lookup);
}

/* RAX: host address of a POLL or GUARD. All registers go into a struct host_regs on the dispatcher's stack for the state map. */
static void emit_recover(struct x86_backend *b, struct assembler *a)
{
    x_mov(a, 1, RDX, RSP);
    x_load(a, 1, RSP, asm_base(RBP, CPU_OFFSET(dispatcher_sp)));
    x_alu_imm(a, ALU_SUB, 1, asm_reg(RSP), (sizeof(struct host_regs) + 15) & ~15u);
    for (unsigned r = 0; r < 16; r++)
        x_store(a, 8, asm_base(RSP, 8 * (int32_t)r), r == RSP ? (unsigned)RDX : r);
    for (unsigned r = 0; r < 16; r++) {
        struct asm_mem m = asm_base(RSP, (int32_t)offsetof(struct host_regs, xmm) + 16 * (int32_t)r);
        asm_vex_rm(a, X86_OP(X86_MAP_0F, X86_NP, 0x11), 0, r, 0, &m, 0);
    }
    x_lea(a, 1, RDI, asm_base(RBP, -CPU_BIAS));
    x_mov(a, 1, RSI, RAX);
    x_mov(a, 1, RDX, RSP);
    x_mov_imm(a, RAX, (uintptr_t)b->cache->recover);
    x_call_reg(a, RAX);
    x_load(a, 1, RSP, asm_base(RSP, 8 * RSP));
}

static void emit_exit_recovered(struct x86_backend *b, struct assembler *a)
{
    b->exit_poll = here(a);
    emit_recover(b, a);
    store_reason(a, CPU_EXIT_INTERRUPT);
    jump_epilogue(b, a);
    b->exit_guard = here(a); /* trap is stored; exit_site: guest address to go on at */
    emit_recover(b, a);
    x_load(a, 1, RAX, asm_base(RBP, CPU_OFFSET(exit_site)));
    x_store(a, 8, asm_base(RBP, CPU_OFFSET(pc)), RAX);
    store_reason(a, CPU_EXIT_TRAP);
    jump_epilogue(b, a);
}

static bool emit_stubs(struct x86_backend *b)
{
    struct assembler a = {0};
    if (!code_cache_alloc_permanent(b->cache, STUBS_SIZE, &a.start, &a.rx))
        return false;
    a.p = a.start;
    a.end = a.start + STUBS_SIZE;
    emit_prologue(b, &a);
    emit_epilogue(b, &a);
    emit_simple_exits(b, &a);
    emit_exit_return_stub(b, &a);
    emit_sentinel(b, &a);
    emit_exit_recovered(b, &a);
    return !a.overflow;
}

/* ---- struct host_backend ---------------------------------------------------------------------------------------------------- */

static const char *x86_missing(void)
{
    /* What the C runtime has found out at start, the operating system's support of AVX included: CPUID itself takes tens of
       microseconds in a virtual machine. */
#define NEEDED(name, feature) {name, __builtin_cpu_supports(feature) != 0}
    const struct {
        const char *name;
        bool there;
    } needed[] = {
        NEEDED("SSE4.2", "sse4.2"), NEEDED("POPCNT", "popcnt"),      NEEDED("AVX", "avx"),   NEEDED("FMA", "fma"),
        NEEDED("F16C", "f16c"),     NEEDED("MOVBE", "movbe"),        NEEDED("AVX2", "avx2"), NEEDED("CMPXCHG16B", "cmpxchg16b"),
        NEEDED("BMI1", "bmi"),      NEEDED("BMI2", "bmi2"),          NEEDED("LZCNT", "lzcnt"), NEEDED("LAHF", "lahf_lm"),
    };
#undef NEEDED
    for (unsigned i = 0; i < sizeof needed / sizeof *needed; i++) {
        if (!needed[i].there)
            return needed[i].name;
    }
    return NULL;
}

static void x86_destroy(void *backend)
{
    struct x86_backend *b = backend;
    if (b) {
        emit_free(b->emit);
        free(b->exits);
    }
    free(b);
}

static void *x86_create(struct code_cache *cache, const struct guest_isa *isa, const struct backend_options *options)
{
    struct x86_backend *b = calloc(1, sizeof *b);
    if (!b)
        return NULL;
    b->cache = cache;
    b->isa = isa;
    b->options = *options;
    if (!emit_stubs(b)) {
        free(b);
        return NULL;
    }
    fp_thunk_create(b);
    return b;
}

/* Bytes of host code by kind of operation, out-of-line parts and pool entries included, measured and rounded up. */
static uint32_t x86_bound(const struct ir *ir)
{
    uint32_t bytes = 512 + 8 * ir->nedge_args + 32 * ir->nblocks;
    for (uint32_t i = 0; i < ir->ninsns; i++) {
        const struct ir_insn *insn = &ir->insns[i];
        unsigned attrs = ir_info(insn)->attrs;
        if (insn->op == IR_CALL)
            bytes += 400;
        else if (attrs & IR_ATTR_FPSR || insn->op == IR_VSHLS || insn->op == IR_VSHLU ||
                 insn->op == IR_VCLZ || insn->op == IR_VDMULH || (insn->op >= IR_VSHA1RNDS && insn->op <= IR_VSHA256MSG2))
            bytes += 256;
        else if (insn->type == IR_V128)
            bytes += 80;
        else if (attrs & (IR_ATTR_TERM | IR_ATTR_FAULT))
            bytes += 80;
        else if (insn->op != IR_INSN && insn->op != IR_BIND && insn->op != IR_CONST && insn->op != IR_PC && insn->op != IR_NOP)
            bytes += 24;
    }
    return bytes;
}

static bool x86_compile(void *backend, struct ir *ir, struct region *region, uint8_t *rw, const uint8_t *rx,
                        uint32_t capacity, bool profile)
{
    return emit_region(backend, ir, region, rw, rx, capacity, profile);
}

static const struct code_note *x86_notes(void *backend, uint32_t *n)
{
    const struct x86_backend *b = backend;
    *n = b->emit ? b->emit->as.nnotes : 0;
    return b->emit ? b->emit->as.notes : NULL;
}

static uint64_t x86_identity(void *backend)
{
    const struct x86_backend *b = backend;
    const uint8_t *const stubs[] = {b->prologue, b->exit_lookup, b->exit_return, b->exit_link, b->exit_poll, b->exit_guard,
                                    b->exit_hot, b->exit_trap, b->epilogue, b->sentinel, b->fp_thunk};
    const struct backend_options *o = &b->options;
    uint64_t hash = (uint64_t)o->fold | o->chain << 1 | o->predict << 2 | o->inline_lookup << 3 | o->extensions << 4 |
                    (__builtin_cpu_supports("pclmul") ? 1 : 0) << 5 | (__builtin_cpu_supports("aes") ? 1 : 0) << 6 |
                    (__builtin_cpu_supports("sha") ? 1 : 0) << 7;
    for (unsigned i = 0; i < sizeof stubs / sizeof *stubs; i++)
        hash = (hash ^ (uint64_t)(stubs[i] - b->cache->rx)) * UINT64_C(0x9e3779b97f4a7c15) ^ hash >> 31;
    return hash;
}

static void x86_patch(void *backend, struct code_exit *exit, const struct region *target, ptrdiff_t rx_to_rw)
{
    (void)backend;
    const uint8_t *site = exit->region->code + exit->patch_offset;
    const uint8_t *to = target ? target->code : exit->region->code + exit->stub_offset;
    __atomic_store_n((int32_t *)(uintptr_t)(site + rx_to_rw), (int32_t)(to - (site + 4)), __ATOMIC_RELEASE);
}

static uint64_t *stack_base(struct cpu *cpu) { return (uint64_t *)cpu_front(cpu)->scratch[SCRATCH_STACK_BASE]; }

static void x86_reset_returns(void *backend, struct cpu *cpu)
{
    struct x86_backend *b = backend;
    uint64_t *base = stack_base(cpu);
    if (!base) {
        uint8_t *stack = mmap(NULL, GUARD_SIZE + STACK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (stack == MAP_FAILED || mprotect(stack, GUARD_SIZE, PROT_NONE)) {
            fputs("dragoman: no memory for a CPU's return predictor\n", stderr);
            _exit(1);
        }
        base = (uint64_t *)(stack + GUARD_SIZE + STACK_SIZE - 64);
        cpu_front(cpu)->scratch[SCRATCH_STACK_BASE] = (uintptr_t)base;
    }
    base[0] = (uintptr_t)b->sentinel;
    base[1] = UINT64_MAX;
    cpu->host_sp = base;
}

static void x86_cpu_free(void *backend, struct cpu *cpu)
{
    (void)backend;
    uint64_t *base = stack_base(cpu);
    if (base)
        munmap((uint8_t *)base + 64 - STACK_SIZE - GUARD_SIZE, GUARD_SIZE + STACK_SIZE);
    cpu_front(cpu)->scratch[SCRATCH_STACK_BASE] = 0;
}

static void x86_enter(void *backend, struct cpu *cpu, const struct region *region)
{
    struct x86_backend *b = backend;
    if (!cpu->host_sp)
        x86_reset_returns(b, cpu);
    void (*prologue)(uint8_t *, const uint8_t *) = (void (*)(uint8_t *, const uint8_t *))(uintptr_t)b->prologue;
    prologue((uint8_t *)cpu + CPU_BIAS, region->code);
    if (cpu->exit_reason == CPU_EXIT_LINK)
        cpu->pc = ((const struct code_exit *)cpu->exit_site)->target;
    else if (cpu->exit_reason == CPU_EXIT_HOT)
        cpu->pc = ((const struct region *)cpu->exit_site)->guest_pc;
}

static bool x86_fixup(void *backend, struct cpu *cpu, int sig, uint64_t fault_address, ucontext_t *uc)
{
    if (sig == SIGFPE || sig == SIGTRAP)
        return fp_trap_fixup(backend, sig, uc);
    uint64_t base = (uintptr_t)stack_base(cpu);
    uint64_t guard_end = base + 64 - STACK_SIZE;
    if (!base || fault_address >= guard_end || fault_address < guard_end - GUARD_SIZE)
        return false;
    /* A push; not a guest that came upon this page. */
    if ((uint64_t)uc->uc_mcontext.gregs[REG_RSP] - fault_address > sizeof(uint64_t))
        return false;
    uc->uc_mcontext.gregs[REG_RSP] = (greg_t)base;
    return true;
}

static void x86_leave(void *backend, struct cpu *cpu, ucontext_t *uc)
{
    struct x86_backend *b = backend;
    cpu->exit_reason = CPU_EXIT_FAULT;
    uc->uc_mcontext.gregs[REG_RIP] = (greg_t)(uintptr_t)b->epilogue;
}

const struct host_backend backend_x86_64 = {
    .name = "x86_64",
    .missing = x86_missing,
    .create = x86_create,
    .destroy = x86_destroy,
    .bound = x86_bound,
    .compile = x86_compile,
    .notes = x86_notes,
    .identity = x86_identity,
    .create_apart = x86_create_apart,
    .move = x86_move,
    .patch = x86_patch,
    .enter = x86_enter,
    .reset_returns = x86_reset_returns,
    .cpu_free = x86_cpu_free,
    .fixup = x86_fixup,
    .trap_invalid = fp_trap_invalid,
    .leave = x86_leave,
    .capstone_arch = 3, /* CS_ARCH_X86 */
    .capstone_mode = 8, /* CS_MODE_64 */
};

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The emitter's inside: one compilation (struct emit), how its parts reach values, and the shape of out-of-line code.
 *
 *   select.c    which operations are folded into others, which are computed where they are used
 *   allocate.c  linear scan: each value gets one place for its whole life
 *   emit.c      walks blocks in order, writes state maps, pool, out-of-line code
 *   emit_int.c emit_mem.c emit_control.c   integer, memory, control flow
 *   emit_fp.c emit_vec.c                   scalar and vector floating point, vectors
 *   stubs.c     the fixed code: prologue, exits, thunks
 *
 * Registers: RBP = cpu + CPU_BIAS, RSP = return predictor. RAX and RDX are scratch, never allocated, free within one
 * operation; so are XMM13, XMM14, XMM15. All others are allocated.
 */
#ifndef DRAGOMAN_BACKEND_X86_64_EMIT_H
#define DRAGOMAN_BACKEND_X86_64_EMIT_H

#include "backend/x86_64/asm.h"
#include "translator/backend.h"
#include "translator/code_cache.h"
#include "translator/ir.h"
#include "translator/statemap.h"

enum { T0 = RAX, T1 = RDX, XT0 = 15, XT1 = 14, XT2 = 13 };

enum place_kind {
    PLACE_NONE,  /* never emitted: unused, or folded into its users */
    PLACE_REG,   /* reg: GPR for i32/i64, XMM for the rest */
    PLACE_SPILL, /* cpu_front.spill, 8-byte unit `index` */
    PLACE_SLOT,  /* still in its state slot's memory: a GET without a register; index = slot */
    PLACE_CONST, /* rematerialised at each use */
};

struct value {
    uint8_t place; /* enum place_kind */
    uint8_t reg;
    bool folded;   /* emitted by its user(s), at their place */
    bool alias;    /* shares the place of its argument (TRUNC, VLOW, …) */
    bool bound;    /* a BIND or a block's entry state names it */
    bool must_reg; /* some operation needs it in a register */
    bool slot_unsafe; /* a GET whose slot's memory is overwritten before its last use */
    uint8_t extra; /* GPR that this operation may use besides T0 and T1 */
    uint32_t index;
    uint32_t uses; /* number of uses, all kinds */
    uint32_t start, end; /* live interval in positions (allocate.c) */
    ir_ref hint, hint2; /* values whose place would be welcome, IR_NONE */
};

struct emit;

/** Code emitted after the region's hot part: jumped to from `from` (offset just behind a rel32), returns to `back`. */
struct later {
    void (*emit)(struct emit *e, const struct later *l);
    uint32_t from;
    uint32_t back;
    uint32_t trap; /* not reached by a jump, but when the instruction at trap - 1 traps */
    ir_ref ref;
    uint8_t regs[4]; /* whatever the emitting function needs */
    uint64_t data;
};

struct x86_backend {
    struct code_cache *cache;
    const struct guest_isa *isa;
    struct backend_options options;
    const uint8_t *prologue, *exit_lookup, *exit_return, *exit_link, *exit_poll, *exit_guard, *exit_hot, *exit_trap, *epilogue, *sentinel; /* stubs.c */
    const uint8_t *fp_thunk; /* fp_fixup.c: saves all registers, recomputes one FP operation exactly */
    struct emit *emit;       /* reused from one compilation to the next */
    bool apart;              /* see apart.h; then */
    struct code_exit *exits; /* those of the region compiled last */
    uint32_t exits_capacity;
};

struct emit {
    struct assembler as;
    struct x86_backend *backend;
    const struct guest_isa *isa;
    struct ir *ir;
    struct region *region;
    struct value *values; /* one an instruction */
    uint32_t values_capacity;
    struct later *laters;
    uint32_t nlaters, laters_capacity;
    struct code_trap *traps;
    uint32_t ntraps, traps_capacity;
    __m128i *pool;
    uint32_t npool, pool_capacity;
    uint64_t *pool_pcs; /* see emit_pool_pc() */
    uint32_t npool_pcs, pool_pcs_capacity;
    struct statemap_writer map;
    struct allocation *allocation; /* allocate.c */
    struct emit_control *control;  /* emit_control.c */
    struct emit_state *state;      /* emit.c */
    ir_ref flags_of; /* EFLAGS hold ZF and SF of this value, IR_NONE: unknown. Moves, loads and stores leave it alone */
    ir_ref compared; /* EFLAGS hold the comparison of this FLAGS_SUB's operands, IR_NONE: unknown */
};

static inline const struct ir_insn *emit_insn(const struct emit *e, ir_ref v) { return &e->ir->insns[v]; }

/** Entry of the constant pool with these 16 bytes (equal ones are shared); address it with asm_pool(). */
int32_t emit_pool(struct emit *e, uint64_t low, uint64_t high);
/** The constant pool operand with these bytes. */
static inline struct asm_operand emit_pool_operand(struct emit *e, uint64_t low, uint64_t high)
{
    return asm_at(asm_pool(emit_pool(e, low, high)));
}

/** The GPR that holds v; when v has none, v is loaded into `temp`. i32 values: the upper 32 bits are undefined. */
unsigned emit_gpr(struct emit *e, ir_ref v, unsigned temp);
/** The XMM register that holds v (f32/f64: upper bits undefined); when v has none, v is loaded into `temp`. */
unsigned emit_xmm(struct emit *e, ir_ref v, unsigned temp);
/** v as an operand for the r/m position: its register, or memory (spill, slot, constant pool: 16 bytes for XMM values that
    are v128, at least the scalar's bytes for f32/f64). For GPR values never a constant's memory. */
struct asm_operand emit_operand(struct emit *e, ir_ref v);
/** Where to compute the result `ref` into: its register, or `temp` when it lives in memory; emit_done() must follow. */
unsigned emit_dst(struct emit *e, ir_ref ref, unsigned temp);
/** Completes emit_dst(): stores `reg` to the value's memory if it lives there. */
void emit_done(struct emit *e, ir_ref ref, unsigned reg);
/** Loads the v128/f32/f64 bits into an XMM register. */
void emit_xmm_const(struct emit *e, unsigned xmm, uint64_t low, uint64_t high);
void emit_gpr_const(struct emit *e, unsigned gpr, uint64_t bits);

/** Emits `jcc rel32` (condition 0..15 as in Jcc's opcode) to out-of-line code made by `fn` after the region's hot part;
    the new entry's `from` is set; the caller sets the others, `back` as soon as it is known. */
struct later *emit_later_jcc(struct emit *e, unsigned condition, void (*fn)(struct emit *e, const struct later *l), ir_ref ref);
/** In out-of-line code: jumps back to l->back. */
void emit_later_back(struct emit *e, const struct later *l);

enum { JO, JNO, JB, JAE, JE, JNE, JBE, JA, JS, JNS, JP, JNP, JL, JGE, JLE, JG };

/* By group; each emits the one operation `ref`. */
void emit_fp(struct emit *e, ir_ref ref);  /* scalar FP and conversions, VLOW, VZEXT, BITCAST, FCMP as a value, FLAGS_FCMP */
void emit_vec(struct emit *e, ir_ref ref); /* all V* operations but VZEXT, VLOW */
/** Emits the ucomis for FCMP `ref` so that the result holds under the returned condition; *or_parity: EQ/NE need JP too
    (EQ: equal and !P; NE: not equal or P). */
unsigned emit_fcmp_flags(struct emit *e, ir_ref ref, bool *needs_parity);
/** Emits FLAGS_FCMP into EFLAGS-independent packed form in GPR `dst` (T0, T1 may be used). */
void emit_flags_fcmp(struct emit *e, ir_ref ref, unsigned dst);

/** host_backend.fixup for SIGFPE and SIGTRAP, host_backend.trap_invalid (fp_fixup.c). */
bool fp_trap_fixup(const struct x86_backend *backend, int sig, ucontext_t *uc);
void fp_trap_invalid(struct cpu *cpu, bool trap);
/** Emits backend->fp_thunk into the permanent area (fp_fixup.c). */
void fp_thunk_create(struct x86_backend *backend);

#endif

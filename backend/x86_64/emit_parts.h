/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the parts of the emitter offer each other, beyond emit.h. */
#ifndef DRAGOMAN_BACKEND_X86_64_EMIT_PARTS_H
#define DRAGOMAN_BACKEND_X86_64_EMIT_PARTS_H

#include "backend/x86_64/emit.h"

/* Displacements from RBP of struct cpu's and struct cpu_front's fields. */
#define CPU_OFFSET(field) ((int32_t)offsetof(struct cpu, field) - CPU_BIAS)
#define FRONT_OFFSET(field) ((int32_t)offsetof(struct cpu_front, field) - (int32_t)sizeof(struct cpu_front) - CPU_BIAS)

/** What the state map would say at the place reached in the block at work (emit.c). */
struct emit_state {
    uint64_t pc;
    ir_ref value[256];  /* by slot, IR_NONE: entry value */
    uint8_t bound[256]; /* slots with a value */
    unsigned nbound;
    bool changed[256];
    uint8_t changes[256]; /* slots rebound since the last entry */
    unsigned nchanges;
    bool all; /* no entry yet in this block */
};

/* emit.c */
ir_ref emit_root(const struct emit *e, ir_ref v);
struct asm_mem emit_slot_mem(const struct emit *e, unsigned slot);
/** True, and the value's bits, if v is a constant (by v's type). */
bool emit_const(const struct emit *e, ir_ref v, uint64_t *bits);
/** True if v is a guest address that moves with the code: a constant only in that it is computed where it is used. */
bool emit_pc(const struct emit *e, ir_ref v, uint64_t *address);
/** gpr = the guest address, which the region's guest address determines. */
void emit_gpr_pc(struct emit *e, unsigned gpr, uint64_t address);
/** True if v is a constant that fits a sign-extended 32-bit immediate at v's width. */
bool emit_imm32(const struct emit *e, ir_ref v, int32_t *imm);
void emit_gpr_to(struct emit *e, ir_ref v, unsigned reg);
void emit_xmm_move(struct emit *e, unsigned dst, unsigned src);
void emit_xmm_load(struct emit *e, unsigned type, unsigned dst, struct asm_mem mem);
void emit_xmm_store(struct emit *e, unsigned type, struct asm_mem mem, unsigned src);
struct later *emit_later(struct emit *e, void (*fn)(struct emit *e, const struct later *l), ir_ref ref);
/** Adds the state map entry for the host instruction about to be emitted, which may fault. */
void emit_fault_point(struct emit *e);
bool emit_region(struct x86_backend *backend, struct ir *ir, struct region *region, uint8_t *rw, const uint8_t *rx,
                 uint32_t capacity, bool profile);
void emit_free(struct emit *e);

/* emit_int.c */
void emit_integer(struct emit *e, ir_ref ref);
/** Computes FLAGS_* `ref` packed into `dst`; T0 and T1 may be used. */
void emit_flags(struct emit *e, ir_ref ref, unsigned dst);
/** Sets EFLAGS for the 0/1 value `v` (a folded comparison or any i32); the returned condition holds when it is 1.
    *parity: also !P for E, or P for NE, must be looked at (FCMP). */
unsigned emit_condition(struct emit *e, ir_ref v, bool *parity);

/* emit_mem.c */
void emit_memory(struct emit *e, ir_ref ref);

/* emit_control.c */
void emit_control(struct emit *e, ir_ref ref);
void emit_control_begin(struct emit *e, bool profile);
/** False for a block whose exit became part of the jump to it. */
bool emit_block_needed(const struct emit *e, uint32_t block);
void emit_block_start(struct emit *e, uint32_t block);
void emit_control_end(struct emit *e);
void emit_control_free(struct emit *e);

#endif

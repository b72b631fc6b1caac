/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Control flow: edges with their parallel moves, exits, calls of helpers, polls.
 *
 * A direct exit is a jmp, jcc or call with a 32-bit displacement that leads to a small stub at the region's end until it is
 * chained. The displacement never straddles a cache line, so patching it is one atomic store.
 *
 * A guest call pushes its guest return address and then *calls* host code; the host's return address is its landing: code
 * that drops the guest address and goes on at the return address like any direct exit. A guest return compares its target
 * with the guest address on top and, if they agree, returns to the landing, predicted by the host's own return stack.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "backend/x86_64/apart.h"
#include "backend/x86_64/asm_int.h"
#include "backend/x86_64/emit.h"
#include "backend/x86_64/emit_parts.h"
#include "backend/x86_64/select.h"

struct block_jump {
    uint32_t from, block;
};

struct emit_control {
    uint32_t *offset; /* of each block's code, IR_NONE: not emitted yet */
    uint32_t *next;   /* block emitted after each, IR_NONE: none */
    uint32_t *entries; /* edges that lead to each */
    uint32_t capacity;
    struct block_jump *jumps;
    uint32_t njumps, jumps_capacity;
    bool profile; /* as in host_backend.compile */
};

/* ---- jumps between blocks ------------------------------------------------------------------------------------------------ */

static void jump_to_block(struct emit *e, uint32_t from, uint32_t block)
{
    struct emit_control *c = e->control;
    if (c->offset[block] != IR_NONE) {
        asm_patch(&e->as, from, c->offset[block]);
        return;
    }
    if (c->njumps == c->jumps_capacity) {
        c->jumps_capacity = c->jumps_capacity ? c->jumps_capacity * 2 : 64;
        c->jumps = realloc(c->jumps, c->jumps_capacity * sizeof *c->jumps);
        if (!c->jumps) {
            fputs("dragoman: out of memory while translating\n", stderr);
            _exit(1);
        }
    }
    c->jumps[c->njumps++] = (struct block_jump){from, block};
}

/* Keeps the displacement that begins `ahead` bytes from here within one cache line. */
static void align_displacement(struct emit *e, unsigned ahead)
{
    asm_reserve(&e->as);
    while ((((uintptr_t)e->as.rx + asm_offset(&e->as) + ahead) & 63) > 60)
        asm_u8(&e->as, 0x90);
}

static void emit_link_stub(struct emit *e, const struct later *l)
{
    struct code_exit *exit = &e->region->exits[l->data];
    exit->stub_offset = asm_offset(&e->as);
    if (e->backend->apart)
        x_mov_noted(&e->as, RAX, (uintptr_t)exit, CODE_NOTE_FIXED);
    else
        x_address(&e->as, RAX, exit);
    if (e->region->hot && asm_offset(&e->as) - exit->stub_offset == 7) /* as long as what apart.c makes */
        asm_u8(&e->as, 0x0f), asm_u8(&e->as, 0x1f), asm_u8(&e->as, 0);
    asm_patch_to(&e->as, x_jmp(&e->as), e->backend->exit_link);
}

/* Makes the rel32 that ends at `from` a direct exit to guest address `target`. */
static void add_exit(struct emit *e, uint32_t from, uint64_t target)
{
    struct region *r = e->region;
    struct code_exit *exit = &r->exits[r->nexits];
    *exit = (struct code_exit){.target = target, .patch_offset = from - 4, .region = r};
    struct later *l = emit_later(e, emit_link_stub, IR_NONE);
    l->from = from;
    l->data = r->nexits++;
}

static void jump_exit(struct emit *e, uint64_t target)
{
    align_displacement(e, 1);
    add_exit(e, x_jmp(&e->as), target);
}

/* ---- edges ---------------------------------------------------------------------------------------------------------------- */

struct move {
    ir_ref param, arg;
    bool done;
};

static bool same_place(const struct emit *e, ir_ref a, ir_ref b)
{
    const struct value *x = &e->values[a], *y = &e->values[b];
    if (x->place != y->place)
        return false;
    bool gpr_x = emit_insn(e, a)->type <= IR_I64, gpr_y = emit_insn(e, b)->type <= IR_I64;
    if (x->place == PLACE_REG)
        return x->reg == y->reg && gpr_x == gpr_y;
    if (x->place == PLACE_SPILL) { /* a v128 takes two units */
        uint32_t nx = emit_insn(e, a)->type == IR_V128 ? 2 : 1, ny = emit_insn(e, b)->type == IR_V128 ? 2 : 1;
        return x->index < y->index + ny && y->index < x->index + nx;
    }
    return false;
}

static unsigned collect_moves(struct emit *e, const struct ir_edge *edge, struct move *moves, unsigned max)
{
    unsigned n = 0;
    ir_ref param = e->ir->blocks[edge->target].first;
    for (uint32_t i = 0; i < edge->nargs; i++, param++) {
        while (e->ir->insns[param].op == IR_NOP)
            param++;
        ir_ref arg = e->ir->edge_args[edge->first_arg + i];
        if (e->values[param].place == PLACE_NONE || same_place(e, param, emit_root(e, arg)))
            continue;
        if (n < max)
            moves[n] = (struct move){.param = param, .arg = arg};
        n++;
    }
    return n;
}

static void move_one(struct emit *e, const struct move *m, bool from_temp)
{
    unsigned type = emit_insn(e, m->param)->type;
    if (type == IR_I32 || type == IR_I64) {
        unsigned d = emit_dst(e, m->param, T0);
        if (from_temp)
            d = T1;
        else
            emit_gpr_to(e, m->arg, d);
        emit_done(e, m->param, d);
    } else {
        unsigned d = emit_dst(e, m->param, XT0);
        if (from_temp)
            d = XT1;
        else
            emit_xmm_move(e, d, emit_xmm(e, m->arg, d));
        emit_done(e, m->param, d);
    }
}

/* Emits the edge's moves as if they happened at once. A cycle is broken with T1 or XT1. */
static void emit_moves(struct emit *e, const struct ir_edge *edge)
{
    enum { MAX = 256 };
    struct move moves[MAX];
    unsigned n = collect_moves(e, edge, moves, MAX), left = n;
    ir_ref saved = IR_NONE; /* root whose value is in T1 or XT1 */
    while (left) {
        bool progress = false;
        for (unsigned i = 0; i < n; i++) {
            if (moves[i].done)
                continue;
            bool blocked = false;
            for (unsigned j = 0; j < n && !blocked; j++)
                blocked = j != i && !moves[j].done && emit_root(e, moves[j].arg) != saved &&
                          same_place(e, moves[i].param, emit_root(e, moves[j].arg));
            if (blocked)
                continue;
            bool from_temp = emit_root(e, moves[i].arg) == saved;
            move_one(e, &moves[i], from_temp);
            moves[i].done = progress = true;
            left--;
        }
        if (progress || !left)
            continue;
        for (unsigned i = 0; i < n; i++) {
            if (moves[i].done)
                continue;
            saved = emit_root(e, moves[i].arg);
            if (emit_insn(e, saved)->type <= IR_I64)
                x_mov(&e->as, 1, T1, emit_gpr(e, saved, T1));
            else
                emit_xmm_move(e, XT1, emit_xmm(e, saved, XT1));
            break;
        }
    }
}

/* A block that is nothing but an EXIT: a jump to it may be the exit itself. */
static const struct ir_insn *plain_exit(const struct emit *e, uint32_t block)
{
    const struct ir_block *b = &e->ir->blocks[block];
    const struct ir_insn *last = &e->ir->insns[b->end - 1];
    if (last->op != IR_EXIT || e->control->entries[block] != 1)
        return NULL;
    for (uint32_t i = b->first; i < b->end - 1; i++)
        if (e->ir->insns[i].op != IR_NOP && e->ir->insns[i].op != IR_INSN)
            return NULL;
    return last;
}

/* The rel32 that ends at `from` leads to the edge's target, which needs no moves. */
static void land(struct emit *e, uint32_t from, const struct ir_edge *edge)
{
    jump_to_block(e, from, edge->target);
}

static void emit_edge_later(struct emit *e, const struct later *l)
{
    const struct ir_edge *edge = &e->ir->blocks[l->ref].succ[l->data];
    emit_moves(e, edge);
    jump_to_block(e, x_jmp(&e->as), edge->target);
}

/* Jumps to the edge when the host condition holds (`parity` as from emit_condition). */
static void jump_edge_if(struct emit *e, unsigned cond, bool parity, uint32_t block, unsigned succ)
{
    struct assembler *a = &e->as;
    const struct ir_edge *edge = &e->ir->blocks[block].succ[succ];
    bool moves = collect_moves(e, edge, NULL, 0) != 0;
    const struct ir_insn *exit = plain_exit(e, edge->target);
    if (exit && !parity) {
        align_displacement(e, 2);
        add_exit(e, x_jcc(a, cond), exit->imm);
        e->control->offset[edge->target] = 0; /* it needs no code of its own */
        return;
    }
    uint32_t from[2], n = 0, skip = 0;
    if (parity && cond == JE) { /* equal and ordered */
        skip = x_jcc8(a, JP);
        from[n++] = x_jcc(a, JE);
    } else if (parity) { /* not equal, or unordered */
        from[n++] = x_jcc(a, JNE);
        from[n++] = x_jcc(a, JP);
    } else {
        from[n++] = x_jcc(a, cond);
    }
    if (skip)
        asm_patch8(a, skip);
    for (uint32_t i = 0; i < n; i++) {
        if (!moves) {
            land(e, from[i], edge);
        } else {
            struct later *l = emit_later(e, emit_edge_later, block);
            l->from = from[i];
            l->data = succ;
        }
    }
}

/* Goes to the edge unconditionally, at the end of `block`. */
static void jump_edge(struct emit *e, uint32_t block, unsigned succ)
{
    const struct ir_edge *edge = &e->ir->blocks[block].succ[succ];
    emit_moves(e, edge);
    const struct ir_insn *exit = plain_exit(e, edge->target);
    if (exit) {
        jump_exit(e, exit->imm);
        e->control->offset[edge->target] = 0;
    } else if (e->control->next[block] != edge->target) {
        land(e, x_jmp(&e->as), edge);
    }
}

static void emit_branch(struct emit *e, const struct ir_insn *insn, uint32_t block)
{
    bool parity;
    const struct ir_block *b = &e->ir->blocks[block];
    unsigned cond = emit_condition(e, insn->arg[0], &parity);
    bool moves0 = collect_moves(e, &b->succ[0], NULL, 0) != 0, moves1 = collect_moves(e, &b->succ[1], NULL, 0) != 0;
    bool invert = moves0 != moves1 ? moves0 : e->control->next[block] == b->succ[0].target;
    if (e->ir->blocks[b->succ[0].target].cold && !moves1)
        invert = false;
    if (invert) {
        jump_edge_if(e, cond ^ 1, parity, block, 1);
        jump_edge(e, block, 0);
    } else {
        jump_edge_if(e, cond, parity, block, 0);
        jump_edge(e, block, 1);
    }
}

/* ---- exits ---------------------------------------------------------------------------------------------------------------- */

static void push_return(struct emit *e, uint64_t pc)
{
    if (!e->region->movable && pc == (uint64_t)(int64_t)(int32_t)pc) {
        x_push_imm(&e->as, (int32_t)pc);
    } else {
        emit_gpr_pc(e, T0, pc);
        x_push(&e->as, T0);
    }
}

static void emit_landing(struct emit *e, uint64_t return_pc)
{
    x_pop(&e->as, T0);
    jump_exit(e, return_pc);
}

static void emit_exit_call(struct emit *e, const struct ir_insn *insn)
{
    if (!e->backend->options.predict) {
        jump_exit(e, insn->imm);
        return;
    }
    push_return(e, insn->imm2);
    align_displacement(e, 1);
    add_exit(e, x_call(&e->as), insn->imm);
    emit_landing(e, insn->imm2);
}

/* Displacement of the jump cache's first entry for branches of a kind, from RBP. */
static int32_t cache_of(unsigned kind)
{
    return FRONT_OFFSET(jump_cache) + (int32_t)(kind * JUMP_KIND_STEP * sizeof(struct jump_entry));
}

/* Probes the jump cache for the guest address in `target` (not RAX). The entry is at RBP + RAX + cache_of(kind); the returned
   jump is taken when it is another's. */
static uint32_t probe(struct emit *e, unsigned target, unsigned kind)
{
    struct assembler *a = &e->as;
    x_lea(a, 0, RAX, (struct asm_mem){.base = GPR_NONE, .index = (uint8_t)target, .shift = 2, .pool = -1});
    x_alu_imm(a, ALU_AND, 0, asm_reg(RAX), ((1 << JUMP_CACHE_BITS) - 1) << 4);
    asm_rm(a, X86_OP(X86_MAP_1, X86_NP, 0x3b) | X86_W, target,
           &(struct asm_mem){.base = RBP, .index = RAX, .disp = cache_of(kind), .pool = -1}, 0);
    return x_jcc(a, JNE);
}

static struct asm_mem probed_entry(unsigned kind)
{
    return asm_indexed(RBP, RAX, 0, cache_of(kind) + (int32_t)offsetof(struct jump_entry, host));
}

/* l->regs[0]: register with the target; l->regs[1]: kind; l->data: offset to return to with a call, 0: a jump. */
static void emit_lookup_later(struct emit *e, const struct later *l)
{
    struct assembler *a = &e->as;
    if (l->regs[1])
        x_store_imm(a, 4, asm_base(RBP, CPU_OFFSET(branch_kind)), l->regs[1]);
    if (l->regs[0] != T1)
        x_mov(a, 1, T1, l->regs[0]);
    if (l->data) {
        asm_patch_to(a, x_call(a), e->backend->exit_lookup);
        asm_patch(a, x_jmp(a), (uint32_t)l->data);
    } else {
        asm_patch_to(a, x_jmp(a), e->backend->exit_lookup);
    }
}

/* Notes where the branch leads, and whether that is another place than before. */
static void profile_target(struct emit *e, unsigned target)
{
    struct assembler *a = &e->as;
    struct region *region = e->region;
    if (!e->control->profile || !x_reaches(a, &region->last_target) || !x_reaches(a, &region->target_changes))
        return;
    asm_legacy_prefix(a, X86_OP(X86_MAP_1, X86_NP, 0x3b) | X86_W, target, 0, 0, false);
    x_modrm_near(a, target, &region->last_target, 0);
    uint32_t same = x_jcc8(a, JE);
    asm_legacy_prefix(a, X86_OP(X86_MAP_1, X86_NP, 0x89) | X86_W, target, 0, 0, false);
    x_modrm_near(a, target, &region->last_target, 0);
    asm_legacy_prefix(a, X86_OP(X86_MAP_1, X86_NP, 0x83), ALU_ADD, 0, 0, false);
    x_modrm_near(a, ALU_ADD, &region->target_changes, 1);
    asm_u8(a, 1);
    asm_patch8(a, same);
}

static void emit_exit_indirect(struct emit *e, const struct ir_insn *insn, bool call)
{
    struct assembler *a = &e->as;
    unsigned target = emit_gpr(e, insn->arg[0], T1), kind = insn->mode;
    uint64_t return_pc = insn->imm2;
    profile_target(e, target);
    call = call && e->backend->options.predict;
    if (call) {
        if (target != T1)
            x_mov(a, 1, T1, target);
        target = T1;
        push_return(e, return_pc); /* may use T0 */
    }
    struct later *l = emit_later(e, emit_lookup_later, IR_NONE);
    uint32_t index = (uint32_t)(l - e->laters);
    l->regs[0] = (uint8_t)target;
    l->regs[1] = (uint8_t)kind;
    uint32_t miss = e->backend->options.inline_lookup ? probe(e, target, kind) : x_jmp(a);
    e->laters[index].from = miss;
    if (call) {
        x_call_mem(a, probed_entry(kind));
        e->laters[index].data = asm_offset(a);
        emit_landing(e, return_pc);
    } else {
        x_jmp_mem(a, probed_entry(kind));
    }
}

static void emit_return_miss(struct emit *e, const struct later *l)
{
    if (l->regs[0] != T1)
        x_mov(&e->as, 1, T1, l->regs[0]);
    asm_patch_to(&e->as, x_jmp(&e->as), e->backend->exit_return);
}

static void emit_exit_return(struct emit *e, ir_ref v)
{
    if (!e->backend->options.predict) {
        emit_gpr_to(e, v, T1);
        asm_patch_to(&e->as, x_jmp(&e->as), e->backend->exit_return);
        return;
    }
    unsigned target = emit_gpr(e, v, T1);
    struct asm_mem top = asm_base(RSP, 8);
    asm_rm(&e->as, X86_OP(X86_MAP_1, X86_NP, 0x3b) | X86_W, target, &top, 0);
    struct later *l = emit_later_jcc(e, JNE, emit_return_miss, IR_NONE);
    l->regs[0] = (uint8_t)target;
    x_ret(&e->as);
}

static void emit_exit_trap(struct emit *e, const struct ir_insn *insn)
{
    struct assembler *a = &e->as;
    emit_gpr_pc(e, T0, insn->imm);
    x_store(a, 8, asm_base(RBP, CPU_OFFSET(pc)), T0);
    x_store_imm(a, 4, asm_base(RBP, CPU_OFFSET(trap)), insn->mode);
    x_store_imm(a, 4, asm_base(RBP, CPU_OFFSET(trap_info)), (int32_t)insn->imm2);
    asm_patch_to(a, x_jmp(a), e->backend->exit_trap);
}

static void emit_poll_later(struct emit *e, const struct later *l)
{
    x_address(&e->as, RAX, e->as.rx + l->data);
    asm_patch_to(&e->as, x_jmp(&e->as), e->backend->exit_poll);
}

static void emit_poll(struct emit *e)
{
    emit_fault_point(e);
    uint32_t at = asm_offset(&e->as);
    x_alu_imm(&e->as, ALU_CMP, 0, asm_at(asm_base(RBP, CPU_OFFSET(interrupt))), 0);
    emit_later_jcc(e, JNE, emit_poll_later, IR_NONE)->data = at;
}

/* The address to go on at waits in cpu.exit_site, which the recovery of the state leaves alone. */
static void emit_guard_later(struct emit *e, const struct later *l)
{
    struct assembler *a = &e->as;
    const struct ir_insn *insn = emit_insn(e, l->ref);
    emit_gpr_pc(e, T0, insn->imm);
    x_store(a, 8, asm_base(RBP, CPU_OFFSET(exit_site)), T0);
    x_store_imm(a, 4, asm_base(RBP, CPU_OFFSET(trap)), insn->mode);
    x_store_imm(a, 4, asm_base(RBP, CPU_OFFSET(trap_info)), (int32_t)insn->imm2);
    x_address(a, RAX, a->rx + l->data);
    asm_patch_to(a, x_jmp(a), e->backend->exit_guard);
}

static void emit_guard(struct emit *e, ir_ref ref)
{
    unsigned cond = emit_gpr(e, emit_insn(e, ref)->arg[0], T0);
    emit_fault_point(e);
    uint32_t at = asm_offset(&e->as);
    x_test(&e->as, 0, cond, cond);
    emit_later_jcc(e, JNE, emit_guard_later, ref)->data = at;
}

/* ---- calls of helpers ------------------------------------------------------------------------------------------------------- */

/* On the dispatcher's stack: values that live across the call, then the arguments on their way to the ABI's registers. */
static void emit_call(struct emit *e, ir_ref ref)
{
    static const uint8_t integer_args[] = {RDI, RSI, RDX, RCX, R8};
    enum { CALLER_SAVED = 1 << RCX | 1 << RSI | 1 << RDI | 1 << R8 | 1 << R9 | 1 << R10 | 1 << R11, ARGS = 80 };
    struct assembler *a = &e->as;
    const struct ir_insn *insn = emit_insn(e, ref);
    const struct ir_helper *helper = (const struct ir_helper *)(uintptr_t)insn->imm;
    uint32_t gprs, xmms;
    allocation_live_across(e, ref, &gprs, &xmms);
    gprs &= CALLER_SAVED;
    int32_t frame = ARGS + 16 * __builtin_popcount(xmms) + 8 * __builtin_popcount(gprs) + 8;
    frame = (frame + 15) & ~15;
    int32_t saved_sp = frame - 8;

    x_mov(a, 1, RAX, RSP);
    x_load(a, 1, RSP, asm_base(RBP, CPU_OFFSET(dispatcher_sp)));
    x_alu_imm(a, ALU_SUB, 1, asm_reg(RSP), frame);
    x_store(a, 8, asm_base(RSP, saved_sp), RAX);
    int32_t at = ARGS;
    for (unsigned r = 0; r < 16; r++)
        if (xmms >> r & 1)
            emit_xmm_store(e, IR_V128, asm_base(RSP, at), r), at += 16;
    for (unsigned r = 0; r < 16; r++)
        if (gprs >> r & 1)
            x_store(a, 8, asm_base(RSP, at), r), at += 8;

    unsigned n = ir_nargs(insn);
    for (unsigned i = 0; i < n; i++) {
        unsigned type = emit_insn(e, insn->arg[i])->type;
        if (type == IR_I32 || type == IR_I64)
            x_store(a, 8, asm_base(RSP, 16 * (int32_t)i), emit_gpr(e, insn->arg[i], T0));
        else
            emit_xmm_store(e, IR_V128, asm_base(RSP, 16 * (int32_t)i), emit_xmm(e, insn->arg[i], XT0));
    }
    unsigned integers = 0, vectors = 0;
    if (helper->flags & IR_HELPER_CPU)
        x_lea(a, 1, integer_args[integers++], asm_base(RBP, -CPU_BIAS));
    for (unsigned i = 0; i < n; i++) {
        unsigned type = emit_insn(e, insn->arg[i])->type;
        if (type == IR_I32 || type == IR_I64)
            x_load(a, type == IR_I64, integer_args[integers++], asm_base(RSP, 16 * (int32_t)i));
        else
            emit_xmm_load(e, IR_V128, vectors++, asm_base(RSP, 16 * (int32_t)i));
    }
    x_mov_image(a, RAX, (uintptr_t)helper->function);
    x_call_reg(a, RAX);
    if (insn->type > IR_I64)
        emit_xmm_move(e, XT0, 0);
    at = ARGS;
    for (unsigned r = 0; r < 16; r++)
        if (xmms >> r & 1)
            emit_xmm_load(e, IR_V128, r, asm_base(RSP, at)), at += 16;
    for (unsigned r = 0; r < 16; r++)
        if (gprs >> r & 1)
            x_load(a, 1, r, asm_base(RSP, at)), at += 8;
    x_load(a, 1, RSP, asm_base(RSP, saved_sp));
    if (insn->type != IR_VOID)
        emit_done(e, ref, insn->type > IR_I64 ? (unsigned)XT0 : (unsigned)RAX);
}

/* ---- the group ---------------------------------------------------------------------------------------------------------------- */

static uint32_t block_of(const struct emit *e, ir_ref ref)
{
    for (uint32_t b = 0; b < e->ir->nblocks; b++)
        if (ref >= e->ir->blocks[b].first && ref < e->ir->blocks[b].end)
            return b;
    return 0;
}

void emit_control(struct emit *e, ir_ref ref)
{
    const struct ir_insn *insn = emit_insn(e, ref);
    switch (insn->op) {
    case IR_CALL: emit_call(e, ref); break;
    case IR_POLL: emit_poll(e); break;
    case IR_GUARD: emit_guard(e, ref); break;
    case IR_JUMP: jump_edge(e, block_of(e, ref), 0); break;
    case IR_BRANCH: emit_branch(e, insn, block_of(e, ref)); break;
    case IR_EXIT: jump_exit(e, insn->imm); break;
    case IR_EXIT_CALL: emit_exit_call(e, insn); break;
    case IR_EXIT_IND: emit_exit_indirect(e, insn, false); break;
    case IR_EXIT_INDCALL: emit_exit_indirect(e, insn, true); break;
    case IR_EXIT_RET: emit_exit_return(e, insn->arg[0]); break;
    default: emit_exit_trap(e, insn); break;
    }
}

static void emit_hot_later(struct emit *e, const struct later *l)
{
    (void)l;
    x_address(&e->as, RAX, e->region);
    asm_patch_to(&e->as, x_jmp(&e->as), e->backend->exit_hot);
}

static void emit_countdown(struct emit *e)
{
    struct assembler *a = &e->as;
    if (x_reaches(a, e->region->countdown)) {
        asm_legacy_prefix(a, X86_OP(X86_MAP_1, X86_NP, 0x83), ALU_SUB, 0, 0, false);
        x_modrm_near(a, ALU_SUB, e->region->countdown, 1);
        asm_u8(a, 1);
    } else {
        asm_note(a, asm_offset(a), CODE_NOTE_FIXED);
        x_mov_imm(a, RAX, (uintptr_t)e->region->countdown);
        x_alu_imm(a, ALU_SUB, 0, asm_at(asm_base(RAX, 0)), 1);
    }
    emit_later_jcc(e, JS, emit_hot_later, IR_NONE);
}

static void lay_out(struct emit *e)
{
    struct emit_control *c = e->control;
    const struct ir *ir = e->ir;
    uint32_t last = IR_NONE;
    for (uint32_t b = 0; b < ir->nblocks; b++) {
        c->offset[b] = c->next[b] = IR_NONE;
        c->entries[b] = b == 0;
    }
    for (uint32_t b = 0; b < ir->nblocks; b++)
        for (unsigned s = 0; s < 2 && ir->blocks[b].first < ir->blocks[b].end; s++)
            if (ir->blocks[b].succ[s].target != IR_NONE)
                c->entries[ir->blocks[b].succ[s].target]++;
    for (unsigned cold = 0; cold < 2; cold++)
        for (uint32_t o = 0; o < ir->nblocks; o++) {
            uint32_t b = ir->order[o];
            if (ir->blocks[b].cold != cold || ir->blocks[b].first == ir->blocks[b].end)
                continue;
            if (last != IR_NONE)
                c->next[last] = b;
            last = b;
        }
}

void emit_control_begin(struct emit *e, bool profile)
{
    struct emit_control *c = e->control;
    struct ir *ir = e->ir;
    if (!c)
        c = e->control = calloc(1, sizeof *c);
    if (c && c->capacity < ir->nblocks) {
        c->capacity = ir->nblocks * 2;
        c->offset = realloc(c->offset, c->capacity * sizeof *c->offset);
        c->next = realloc(c->next, c->capacity * sizeof *c->next);
        c->entries = realloc(c->entries, c->capacity * sizeof *c->entries);
    }
    uint32_t exits = 0;
    for (uint32_t b = 0; b < ir->nblocks; b++) {
        if (ir->blocks[b].first == ir->blocks[b].end)
            continue;
        unsigned op = ir->insns[ir->blocks[b].end - 1].op;
        exits += op == IR_EXIT || op == IR_EXIT_INDCALL ? 1 : op == IR_EXIT_CALL ? 2 : 0;
    }
    e->region->nexits = 0;
    e->region->exits = !exits             ? NULL
                       : e->backend->apart ? apart_exits(e->backend, exits)
                                           : code_cache_memory(e->backend->cache, exits * sizeof *e->region->exits);
    if (!c || !c->offset || !c->next || !c->entries) {
        fputs("dragoman: out of memory while translating\n", stderr);
        _exit(1);
    }
    c->njumps = 0;
    c->profile = profile;
    lay_out(e);
    if (profile)
        emit_countdown(e);
}

void emit_block_start(struct emit *e, uint32_t block)
{
    struct emit_control *c = e->control;
    c->offset[block] = asm_offset(&e->as);
}

bool emit_block_needed(const struct emit *e, uint32_t block) { return e->control->offset[block] == IR_NONE; }

void emit_control_end(struct emit *e)
{
    struct emit_control *c = e->control;
    for (uint32_t i = 0; i < c->njumps; i++)
        asm_patch(&e->as, c->jumps[i].from, c->offset[c->jumps[i].block]);
}

void emit_control_free(struct emit *e)
{
    if (e->control) {
        free(e->control->offset);
        free(e->control->next);
        free(e->control->entries);
        free(e->control->jumps);
        free(e->control);
        e->control = NULL;
    }
}

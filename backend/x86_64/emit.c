/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One compilation: buffers, access to values, state maps, and the walk over the blocks. See emit.h. */
#include "backend/x86_64/emit.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "backend/x86_64/asm_int.h"
#include "backend/x86_64/emit_parts.h"
#include "backend/x86_64/select.h"

/* ---- buffers ------------------------------------------------------------------------------------------------------------ */

static void *grow(void *array, uint32_t used, uint32_t *capacity, size_t size)
{
    if (used < *capacity)
        return array;
    *capacity = *capacity ? *capacity * 2 : 64;
    if (*capacity <= used)
        *capacity = used + 1;
    array = realloc(array, *capacity * size);
    if (!array) {
        fputs("dragoman: out of memory while translating\n", stderr);
        _exit(1);
    }
    return array;
}

void asm_add_fixup(struct assembler *a, struct asm_fixup fixup)
{
    a->fixups = grow(a->fixups, a->nfixups, &a->fixups_capacity, sizeof *a->fixups);
    a->fixups[a->nfixups++] = fixup;
}

void asm_add_note(struct assembler *a, uint32_t at, unsigned kind)
{
    a->notes = grow(a->notes, a->nnotes, &a->notes_capacity, sizeof *a->notes);
    a->notes[a->nnotes++] = (struct code_note){at, kind};
}

int32_t emit_pool(struct emit *e, uint64_t low, uint64_t high)
{
    for (uint32_t i = 0; i < e->npool; i++)
        if ((uint64_t)e->pool[i][0] == low && (uint64_t)e->pool[i][1] == high)
            return (int32_t)i;
    e->pool = grow(e->pool, e->npool, &e->pool_capacity, sizeof *e->pool);
    e->pool[e->npool] = (__m128i){(long long)low, (long long)high};
    return (int32_t)e->npool++;
}

/* Guest addresses that move with the code are behind the pool: what they are equal to holds here only. */
#define POOL_PCS (1 << 24)

static int32_t emit_pool_pc(struct emit *e, uint64_t address)
{
    for (uint32_t i = 0; i < e->npool_pcs; i++)
        if (e->pool_pcs[i] == address)
            return (int32_t)(POOL_PCS + i);
    e->pool_pcs = grow(e->pool_pcs, e->npool_pcs, &e->pool_pcs_capacity, sizeof *e->pool_pcs);
    e->pool_pcs[e->npool_pcs] = address;
    return (int32_t)(POOL_PCS + e->npool_pcs++);
}

struct later *emit_later(struct emit *e, void (*fn)(struct emit *e, const struct later *l), ir_ref ref)
{
    e->laters = grow(e->laters, e->nlaters, &e->laters_capacity, sizeof *e->laters);
    struct later *l = &e->laters[e->nlaters++];
    *l = (struct later){.emit = fn, .ref = ref};
    return l;
}

struct later *emit_later_jcc(struct emit *e, unsigned condition, void (*fn)(struct emit *e, const struct later *l), ir_ref ref)
{
    struct later *l = emit_later(e, fn, ref);
    l->from = x_jcc(&e->as, condition);
    l->back = asm_offset(&e->as);
    return l;
}

void emit_later_back(struct emit *e, const struct later *l)
{
    asm_patch(&e->as, x_jmp(&e->as), l->back);
}

/* ---- values ------------------------------------------------------------------------------------------------------------- */

ir_ref emit_root(const struct emit *e, ir_ref v)
{
    while (e->values[v].alias)
        v = emit_insn(e, v)->arg[0];
    return v;
}

static bool is_gpr_type(unsigned type) { return type == IR_I32 || type == IR_I64; }

struct asm_mem emit_slot_mem(const struct emit *e, unsigned slot)
{
    return asm_base(RBP, (int32_t)e->isa->slots[slot].offset - CPU_BIAS);
}

static struct asm_mem spill_mem(uint32_t unit)
{
    return asm_base(RBP, FRONT_OFFSET(spill) + 8 * (int32_t)unit);
}

static struct asm_mem value_mem(const struct emit *e, const struct value *value)
{
    return value->place == PLACE_SLOT ? emit_slot_mem(e, value->index) : spill_mem(value->index);
}

bool emit_const(const struct emit *e, ir_ref v, uint64_t *bits)
{
    const struct ir_insn *insn = emit_insn(e, emit_root(e, v));
    if (insn->op != IR_CONST)
        return false;
    unsigned type = emit_insn(e, v)->type;
    *bits = type == IR_I32 || type == IR_F32 ? (uint32_t)insn->imm : insn->imm;
    return true;
}

bool emit_imm32(const struct emit *e, ir_ref v, int32_t *imm)
{
    uint64_t bits;
    if (!emit_const(e, v, &bits))
        return false;
    if (emit_insn(e, v)->type != IR_I32 && bits != (uint64_t)(int64_t)(int32_t)bits)
        return false;
    *imm = (int32_t)bits;
    return true;
}

void emit_gpr_const(struct emit *e, unsigned gpr, uint64_t bits) { x_mov_imm(&e->as, gpr, bits); }

void emit_gpr_pc(struct emit *e, unsigned gpr, uint64_t address)
{
    if (e->region->movable)
        x_mov_noted(&e->as, gpr, address, CODE_NOTE_GUEST);
    else
        x_mov_imm(&e->as, gpr, address);
}

bool emit_pc(const struct emit *e, ir_ref v, uint64_t *address)
{
    const struct ir_insn *insn = emit_insn(e, emit_root(e, v));
    *address = insn->imm;
    return insn->op == IR_PC;
}

unsigned emit_gpr(struct emit *e, ir_ref v, unsigned temp)
{
    ir_ref r = emit_root(e, v);
    const struct value *value = &e->values[r];
    uint64_t bits;
    switch (value->place) {
    case PLACE_REG:
        return value->reg;
    case PLACE_CONST:
        if (emit_const(e, v, &bits))
            emit_gpr_const(e, temp, bits);
        else
            emit_gpr_pc(e, temp, emit_insn(e, r)->imm);
        return temp;
    default:
        x_load(&e->as, emit_insn(e, v)->type == IR_I64, temp, value_mem(e, value));
        return temp;
    }
}

/* Moves v into exactly `reg`. */
void emit_gpr_to(struct emit *e, ir_ref v, unsigned reg)
{
    unsigned r = emit_gpr(e, v, reg);
    if (r != reg)
        x_mov(&e->as, emit_insn(e, v)->type == IR_I64, reg, r);
}

void emit_xmm_move(struct emit *e, unsigned dst, unsigned src)
{
    if (dst != src)
        asm_vex_rr(&e->as, X86_OP(X86_MAP_0F, X86_NP, 0x28), 0, dst, 0, src); /* vmovaps */
}

void emit_xmm_load(struct emit *e, unsigned type, unsigned dst, struct asm_mem mem)
{
    unsigned prefix = type == IR_F32 ? X86_F3 : type == IR_F64 ? X86_F2 : X86_NP;
    asm_vex_rm(&e->as, X86_OP(X86_MAP_0F, prefix, 0x10), 0, dst, 0, &mem, 0); /* vmovss, vmovsd, vmovups */
}

void emit_xmm_store(struct emit *e, unsigned type, struct asm_mem mem, unsigned src)
{
    unsigned prefix = type == IR_F32 ? X86_F3 : type == IR_F64 ? X86_F2 : X86_NP;
    asm_vex_rm(&e->as, X86_OP(X86_MAP_0F, prefix, 0x11), 0, src, 0, &mem, 0);
}

void emit_xmm_const(struct emit *e, unsigned xmm, uint64_t low, uint64_t high)
{
    if (!low && !high)
        asm_vex_rr(&e->as, X86_OP(X86_MAP_0F, X86_NP, 0x57), 0, xmm, xmm, xmm); /* vxorps */
    else
        emit_xmm_load(e, high ? IR_V128 : IR_F64, xmm, asm_pool(emit_pool(e, low, high)));
}

unsigned emit_xmm(struct emit *e, ir_ref v, unsigned temp)
{
    ir_ref r = emit_root(e, v);
    const struct value *value = &e->values[r];
    unsigned type = emit_insn(e, v)->type;
    switch (value->place) {
    case PLACE_REG:
        return value->reg;
    case PLACE_CONST: {
        const struct ir_insn *c = emit_insn(e, r);
        if (c->op == IR_PC) {
            emit_xmm_load(e, type, temp, asm_pool(emit_pool_pc(e, c->imm)));
            return temp;
        }
        emit_xmm_const(e, temp, type == IR_F32 ? (uint32_t)c->imm : c->imm, type == IR_V128 ? c->imm2 : 0);
        return temp;
    }
    default:
        emit_xmm_load(e, type, temp, value_mem(e, value));
        return temp;
    }
}

struct asm_operand emit_operand(struct emit *e, ir_ref v)
{
    ir_ref r = emit_root(e, v);
    const struct value *value = &e->values[r];
    const struct ir_insn *insn = emit_insn(e, r);
    if (value->place == PLACE_REG)
        return asm_reg(value->reg);
    if (value->place == PLACE_CONST && insn->op == IR_PC)
        return asm_at(asm_pool(emit_pool_pc(e, insn->imm)));
    if (value->place == PLACE_CONST)
        return emit_pool_operand(e, insn->imm, insn->type == IR_V128 ? insn->imm2 : 0);
    return asm_at(value_mem(e, value));
}

unsigned emit_dst(struct emit *e, ir_ref ref, unsigned temp)
{
    const struct value *value = &e->values[ref];
    return value->place == PLACE_REG ? value->reg : temp;
}

void emit_done(struct emit *e, ir_ref ref, unsigned reg)
{
    const struct value *value = &e->values[ref];
    unsigned type = emit_insn(e, ref)->type;
    if (value->place == PLACE_REG) {
        if (is_gpr_type(type) && reg != value->reg)
            x_mov(&e->as, type == IR_I64, value->reg, reg);
        else if (!is_gpr_type(type))
            emit_xmm_move(e, value->reg, reg);
    } else if (value->place == PLACE_SPILL) {
        if (is_gpr_type(type))
            x_store(&e->as, 8, spill_mem(value->index), reg);
        else
            emit_xmm_store(e, type == IR_F32 ? IR_F64 : type, spill_mem(value->index), reg);
    }
}

/* ---- state maps --------------------------------------------------------------------------------------------------------- */

static struct loc value_loc(struct emit *e, ir_ref v)
{
    ir_ref r = emit_root(e, v);
    const struct value *value = &e->values[r];
    const struct ir_insn *insn = emit_insn(e, r);
    switch (value->place) {
    case PLACE_REG:
        return (struct loc){.kind = is_gpr_type(insn->type) ? LOC_GPR : LOC_XMM, .reg = value->reg};
    case PLACE_SPILL:
        return (struct loc){.kind = LOC_SPILL, .index = value->index};
    case PLACE_CONST:
        if (insn->op == IR_PC)
            return (struct loc){.kind = LOC_PC, .bits = insn->imm - e->region->guest_pc};
        return (struct loc){.kind = LOC_CONST, .bits = insn->imm, .bits_high = insn->type == IR_V128 ? insn->imm2 : 0};
    default:
        return (struct loc){.kind = LOC_SLOT, .index = value->index};
    }
}

static struct slot_loc slot_loc(struct emit *e, unsigned slot, ir_ref v)
{
    ir_ref r = emit_root(e, v);
    const struct ir_insn *insn = emit_insn(e, r);
    struct slot_loc where = {0};
    if (insn->op == IR_GET && insn->imm == slot) {
        where.at.kind = LOC_ENTRY;
    } else if (!e->values[r].folded) {
        where.at = value_loc(e, v);
    } else if (insn->op == IR_VZEXT || insn->op == IR_ZEXT) {
        where.at = value_loc(e, insn->arg[0]);
        where.at.extend = insn->size;
        if (where.at.kind == LOC_CONST) {
            where.at.bits = insn->size == 4 ? (uint32_t)where.at.bits : where.at.bits;
            where.at.bits_high = 0;
        }
    } else { /* FLAGS_ADD, FLAGS_SUB, FLAGS_LOGIC */
        where.at = (struct loc){.kind = LOC_FLAGS, .flags_op = insn->op, .flags_size = insn->size};
        where.a = value_loc(e, insn->arg[0]);
        if (insn->op != IR_FLAGS_LOGIC)
            where.b = value_loc(e, insn->arg[1]);
    }
    return where;
}

static void bind(struct emit *e, unsigned slot, ir_ref v)
{
    struct emit_state *s = e->state;
    if (s->value[slot] == IR_NONE)
        s->bound[s->nbound++] = (uint8_t)slot;
    s->value[slot] = v;
    if (!s->changed[slot]) {
        s->changed[slot] = true;
        s->changes[s->nchanges++] = (uint8_t)slot;
    }
}

static void begin_block_state(struct emit *e, const struct ir_block *block)
{
    struct emit_state *s = e->state;
    for (unsigned i = 0; i < s->nbound; i++)
        s->value[s->bound[i]] = IR_NONE;
    for (unsigned i = 0; i < s->nchanges; i++)
        s->changed[s->changes[i]] = false;
    s->nbound = s->nchanges = 0;
    s->all = true;
    s->pc = block->guest_pc;
    for (uint32_t i = 0; i < block->nstate; i++)
        bind(e, e->ir->states[block->first_state + i].slot, e->ir->states[block->first_state + i].value);
}

void emit_fault_point(struct emit *e)
{
    struct emit_state *s = e->state;
    if (e->as.overflow)
        return;
    asm_reserve(&e->as);
    statemap_entry(&e->map, asm_offset(&e->as), s->pc - e->region->guest_pc, s->all);
    for (unsigned i = 0; i < s->nchanges; i++) {
        unsigned slot = s->changes[i];
        struct slot_loc where = slot_loc(e, slot, s->value[slot]);
        statemap_slot(&e->map, slot, &where);
        s->changed[slot] = false;
    }
    s->nchanges = 0;
    s->all = false;
}

/* ---- GET and SET ---------------------------------------------------------------------------------------------------------------- */

/* A scalar into the low lane of `dst`, the rest zero. */
static void emit_folded_vzext(struct emit *e, const struct ir_insn *insn, unsigned dst)
{
    struct assembler *a = &e->as;
    unsigned x = emit_xmm(e, insn->arg[0], dst);
    if (insn->size == 8) {
        asm_vex_rr(a, X86_OP(X86_MAP_0F, X86_F3, 0x7e), 0, dst, 0, x); /* vmovq */
    } else {
        asm_vex_rr(a, X86_OP(X86_MAP_0F3A, X86_66, 0x21), 0, dst, x, x); /* vinsertps, lanes 1 to 3 zeroed */
        asm_u8(a, 0x0e);
    }
}

static void emit_set(struct emit *e, const struct ir_insn *set)
{
    struct assembler *a = &e->as;
    struct asm_mem slot = emit_slot_mem(e, (unsigned)set->imm);
    ir_ref v = emit_root(e, set->arg[0]);
    const struct ir_insn *insn = emit_insn(e, v);
    int32_t imm;
    if (e->values[v].folded) {
        if (insn->op == IR_ZEXT) {
            x_zext(a, 4, T0, asm_reg(emit_gpr(e, insn->arg[0], T0)));
            x_store(a, 8, slot, T0);
        } else if (insn->op == IR_VZEXT) {
            emit_folded_vzext(e, insn, XT0);
            emit_xmm_store(e, IR_V128, slot, XT0);
        } else {
            emit_flags(e, v, T0);
            x_store(a, 4, slot, T0);
            e->flags_of = IR_NONE;
            e->compared = insn->op == IR_FLAGS_SUB ? v : IR_NONE;
        }
        return;
    }
    switch (e->isa->slots[set->imm].type) {
    case IR_I32:
    case IR_I64: {
        unsigned bytes = e->isa->slots[set->imm].type == IR_I64 ? 8 : 4;
        if (emit_imm32(e, set->arg[0], &imm))
            x_store_imm(a, bytes, slot, imm);
        else
            x_store(a, bytes, slot, emit_gpr(e, set->arg[0], T0));
        break;
    }
    default:
        emit_xmm_store(e, e->isa->slots[set->imm].type, slot, emit_xmm(e, set->arg[0], XT0));
    }
}

static void emit_get(struct emit *e, ir_ref ref)
{
    const struct ir_insn *insn = emit_insn(e, ref);
    const struct value *value = &e->values[ref];
    if (value->place != PLACE_REG && value->place != PLACE_SPILL)
        return;
    struct asm_mem slot = emit_slot_mem(e, (unsigned)insn->imm);
    bool gpr = is_gpr_type(insn->type);
    unsigned d = emit_dst(e, ref, gpr ? (unsigned)T0 : (unsigned)XT0);
    if (gpr)
        x_load(&e->as, insn->type == IR_I64, d, slot);
    else
        emit_xmm_load(e, insn->type, d, slot);
    emit_done(e, ref, d);
}

/* ---- the walk ----------------------------------------------------------------------------------------------------------- */

static void emit_insn_code(struct emit *e, ir_ref ref)
{
    const struct ir_insn *insn = emit_insn(e, ref);
    const struct value *value = &e->values[ref];
    switch (insn->op) {
    case IR_NOP:
    case IR_CONST:
    case IR_PC:
    case IR_PARAM:
        return;
    case IR_INSN:
        e->state->pc = insn->imm;
        return;
    case IR_BIND:
        bind(e, (unsigned)insn->imm, insn->arg[0]);
        return;
    default:
        break;
    }
    if (value->folded || value->alias)
        return;
    if (insn->type != IR_VOID && value->end == 0 && ir_removable(insn))
        return;
    if (insn->op != IR_GET && insn->op != IR_SET && !ir_has_index(insn) && insn->op != IR_BRANCH &&
        insn->op != IR_SELECT)
        e->flags_of = e->compared = IR_NONE;
    switch (insn->op) {
    case IR_GET:
        if (!allocation_get_is_elsewhere(e, ref))
            emit_get(e, ref);
        break;
    case IR_SET:
        emit_set(e, insn);
        break;
    case IR_LOAD: case IR_STORE: case IR_STORE_EXCL: case IR_CAS: case IR_RMW: case IR_FENCE: case IR_PREFETCH:
        emit_memory(e, ref);
        break;
    case IR_CALL: case IR_POLL: case IR_GUARD: case IR_JUMP: case IR_BRANCH:
    case IR_EXIT: case IR_EXIT_CALL: case IR_EXIT_IND: case IR_EXIT_INDCALL: case IR_EXIT_RET: case IR_EXIT_TRAP:
        emit_control(e, ref);
        break;
    default:
        if (insn->op >= IR_ADD && insn->op <= IR_COND && insn->op != IR_FLAGS_FCMP)
            emit_integer(e, ref);
        else if (insn->op >= IR_VADD && insn->op <= IR_VFCVTN)
            emit_vec(e, ref);
        else
            emit_fp(e, ref);
    }
    if (insn->op == IR_SELECT)
        e->flags_of = e->compared = IR_NONE;
}

static void emit_block(struct emit *e, uint32_t number)
{
    const struct ir_block *block = &e->ir->blocks[number];
    e->flags_of = e->compared = IR_NONE;
    emit_block_start(e, number);
    begin_block_state(e, block);
    for (ir_ref g = allocation_first_get(e, number); g != IR_NONE; g = allocation_next_get(e, g))
        emit_get(e, g);
    for (uint32_t i = block->first; i < block->end; i++)
        emit_insn_code(e, i);
}

static void emit_pool_bytes(struct emit *e)
{
    struct assembler *a = &e->as;
    if ((!e->npool && !e->npool_pcs) || a->overflow)
        return;
    while (((uintptr_t)a->rx + asm_offset(a)) & 15)
        asm_u8(a, 0xcc);
    if ((size_t)(a->end - a->p) < (e->npool + e->npool_pcs) * sizeof *e->pool + 32) {
        a->overflow = true;
        return;
    }
    uint32_t base = asm_offset(a);
    memcpy(a->p, e->pool, e->npool * sizeof *e->pool);
    a->p += e->npool * sizeof *e->pool;
    for (uint32_t i = 0; i < e->npool_pcs; i++) {
        asm_note(a, asm_offset(a), CODE_NOTE_GUEST);
        asm_u64(a, e->pool_pcs[i]);
        asm_u64(a, 0);
    }
    for (uint32_t i = 0; i < a->nfixups; i++) {
        uint32_t entry = (uint32_t)a->fixups[i].pool;
        if (entry >= POOL_PCS)
            entry = entry - POOL_PCS + e->npool;
        uint32_t rel = base + 16 * entry - a->fixups[i].next;
        memcpy(a->start + a->fixups[i].at, &rel, 4);
    }
}

static struct emit *emit_new(struct x86_backend *backend)
{
    struct emit *e = calloc(1, sizeof *e);
    if (e)
        e->state = calloc(1, sizeof *e->state);
    if (!e || !e->state) {
        fputs("dragoman: out of memory while translating\n", stderr);
        _exit(1);
    }
    for (unsigned i = 0; i < 256; i++)
        e->state->value[i] = IR_NONE;
    e->backend = backend;
    e->isa = backend->isa;
    return e;
}

void emit_free(struct emit *e)
{
    if (!e)
        return;
    allocation_free(e);
    emit_control_free(e);
    free(e->state);
    free(e->map.bytes);
    free(e->values);
    free(e->laters);
    free(e->traps);
    free(e->pool);
    free(e->pool_pcs);
    free(e->as.fixups);
    free(e->as.notes);
    free(e);
}

bool emit_region(struct x86_backend *backend, struct ir *ir, struct region *region, uint8_t *rw, const uint8_t *rx,
                 uint32_t capacity, bool profile)
{
    struct emit *e = backend->emit ? backend->emit : (backend->emit = emit_new(backend));
    e->as = (struct assembler){.start = rw, .p = rw, .end = rw + capacity, .rx = rx,
                               .fixups = e->as.fixups, .fixups_capacity = e->as.fixups_capacity,
                               .noting = region->noted, .notes = e->as.notes, .notes_capacity = e->as.notes_capacity};
    e->ir = ir;
    e->region = region;
    e->nlaters = e->npool = e->npool_pcs = e->ntraps = 0;
    e->values = grow(e->values, ir->ninsns, &e->values_capacity, sizeof *e->values);
    select_operations(e);
    if (!allocate_registers(e))
        return false;
    statemap_begin_again(&e->map);
    emit_control_begin(e, profile);
    for (unsigned cold = 0; cold < 2; cold++)
        for (uint32_t o = 0; o < ir->nblocks && !e->as.overflow; o++)
            if (ir->blocks[ir->order[o]].cold == cold && ir->blocks[ir->order[o]].first < ir->blocks[ir->order[o]].end &&
                emit_block_needed(e, ir->order[o]))
                emit_block(e, ir->order[o]);
    for (uint32_t i = 0; i < e->nlaters && !e->as.overflow; i++) {
        struct later l = e->laters[i]; /* a copy: emitting may add more */
        if (l.from)
            asm_patch(&e->as, l.from, asm_offset(&e->as));
        if (l.trap) {
            e->traps = grow(e->traps, e->ntraps, &e->traps_capacity, sizeof *e->traps);
            e->traps[e->ntraps++] = (struct code_trap){l.trap - 1, asm_offset(&e->as)};
        }
        l.emit(e, &l);
    }
    emit_control_end(e);
    emit_pool_bytes(e);
    if (e->as.overflow) {
        region->exits = NULL;
        region->nexits = 0;
        return false;
    }
    const uint8_t *map = statemap_close(&e->map, &region->statemap_size);
    region->ntraps = e->ntraps;
    if (backend->apart) {
        region->statemap = (uint8_t *)(uintptr_t)map;
        region->traps = e->traps;
    } else if (region->statemap_size) {
        region->statemap = memcpy(code_cache_memory(backend->cache, region->statemap_size), map, region->statemap_size);
    }
    if (e->ntraps && !backend->apart)
        region->traps = memcpy(code_cache_memory(backend->cache, e->ntraps * sizeof *e->traps), e->traps,
                               e->ntraps * sizeof *e->traps);
    region->code = rx;
    region->code_size = asm_offset(&e->as);
    return true;
}

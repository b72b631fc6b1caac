/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Register allocation: linear scan over ir.order, one interval and one place for a value's whole life.
 *
 * Position 2k is where instruction number k (in allocation order) reads its operands, 2k + 1 where it writes its result,
 * so a result may take the register of an operand that ends there. An interval is the hull of the value's uses; a value
 * that is live around a loop is stretched to the loop's end. Since places never change, cold blocks may be emitted
 * anywhere, and state maps only record what is rebound.
 *
 * When registers run out, the value with the least weight (uses, times 8 for each loop level, over length) goes to memory,
 * even if it began earlier: no code has been emitted yet. A GET goes back to its slot.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "backend/x86_64/emit.h"
#include "backend/x86_64/select.h"

enum { CLASS_GPR, CLASS_XMM, NREGS = 16, MAX_CLOBBERS = 64, MAX_LOOPS = 256, MAX_SINK_BLOCKS = 512 };

struct loop {
    uint32_t start, end; /* positions */
};

struct allocation {
    uint32_t *position;  /* of each instruction: k */
    float *weight;       /* of each value */
    uint32_t capacity;
    ir_ref active[2][NREGS];        /* value in the register, IR_NONE: free */
    ir_ref spilled[CPU_SPILL_SLOTS]; /* the unit's tenants, linked by next_tenant; IR_NONE ends */
    ir_ref *next_tenant;            /* of each value */
    uint32_t spill_used;            /* units ever taken in this compilation */
    uint32_t clobbers[MAX_CLOBBERS]; /* positions where RBX and RCX are needed by the operation */
    uint32_t nclobbers;
    struct loop loops[MAX_LOOPS];
    uint32_t nloops;
    struct {
        ir_ref value;
        uint32_t at;
    } bound[256]; /* current BINDs by slot, while a block's intervals are made; all IR_NONE in between */
    uint8_t bound_slots[256];
    uint32_t nbound;
    uint32_t set_scan[256]; /* slot was SET in the block that had this number in `scans` */
    uint32_t scans;         /* blocks scanned, over all compilations */
    bool overflow;           /* more clobbers or loops than there is room for */

    /* Regions of several blocks: where each GET is loaded (place_gets). */
    bool sink;
    uint32_t *get_block;     /* of each GET; IR_NONE: not used yet */
    ir_ref *next_get;        /* list of a block's GETs */
    ir_ref first_get[MAX_SINK_BLOCKS];
    uint32_t idom[MAX_SINK_BLOCKS], rank[MAX_SINK_BLOCKS]; /* immediate dominator; index in ir.order */
};

static const uint8_t gpr_order[] = {RBX, RCX, RSI, RDI, R8, R9, R10, R11, R12, R13, R14, R15};
enum { NGPR = sizeof gpr_order, NXMM = 13 };

static int value_class(const struct ir_insn *insn) { return insn->type == IR_I32 || insn->type == IR_I64 ? CLASS_GPR : CLASS_XMM; }

/* ---- dominators and GETs -------------------------------------------------------------------------------------------------- */

static uint32_t common_dominator(const struct allocation *al, uint32_t a, uint32_t b)
{
    if (a == IR_NONE)
        return b;
    while (a != b) {
        while (al->rank[a] > al->rank[b])
            a = al->idom[a];
        while (al->rank[b] > al->rank[a])
            b = al->idom[b];
    }
    return a;
}

/* Cooper, Harvey, Kennedy: "A Simple, Fast Dominance Algorithm". ir.order is a reverse postorder. */
static void find_dominators(struct allocation *al, const struct ir *ir)
{
    for (uint32_t o = 0; o < ir->nblocks; o++) {
        al->rank[ir->order[o]] = o;
        al->idom[o] = al->first_get[o] = IR_NONE;
    }
    al->idom[0] = 0;
    for (bool changed = true; changed;) {
        uint32_t before[MAX_SINK_BLOCKS];
        memcpy(before, al->idom, ir->nblocks * sizeof *before);
        for (uint32_t o = 0; o < ir->nblocks; o++) {
            uint32_t b = ir->order[o];
            if (al->idom[b] == IR_NONE || ir->blocks[b].first == ir->blocks[b].end)
                continue;
            for (unsigned s = 0; s < 2; s++) {
                uint32_t t = ir->blocks[b].succ[s].target;
                if (t != IR_NONE && t != 0)
                    al->idom[t] = al->idom[t] == IR_NONE ? b : common_dominator(al, al->idom[t], b);
            }
        }
        changed = memcmp(before, al->idom, ir->nblocks * sizeof *before) != 0;
    }
    for (uint32_t b = 0; b < ir->nblocks; b++) /* not reachable: there are such blocks without dead code elimination */
        if (al->idom[b] == IR_NONE)
            al->idom[b] = 0;
}

/*
 * Memory holds the entry values throughout the region, so a GET may be loaded anywhere: in the block that dominates its
 * uses, or above the loops around that, so that a way through the region that does not need it does not pay for it.
 */
static void place_gets(struct emit *e)
{
    struct allocation *al = e->allocation;
    const struct ir *ir = e->ir;
    for (uint32_t i = ir->blocks[0].first; i < ir->blocks[0].end; i++) {
        if (ir->insns[i].op != IR_GET || al->get_block[i] == IR_NONE)
            continue;
        uint32_t best = al->get_block[i];
        for (uint32_t b = best; b != 0; b = al->idom[b])
            if (ir->blocks[al->idom[b]].loop_depth < ir->blocks[best].loop_depth)
                best = al->idom[b];
        al->get_block[i] = best;
        if (best == 0)
            continue;
        al->next_get[i] = al->first_get[best];
        al->first_get[best] = i;
        e->values[i].start = 2 * al->position[ir->blocks[best].first] - 1;
    }
}

ir_ref allocation_first_get(const struct emit *e, uint32_t block)
{
    return e->allocation->sink ? e->allocation->first_get[block] : IR_NONE;
}

ir_ref allocation_next_get(const struct emit *e, ir_ref get) { return e->allocation->next_get[get]; }

bool allocation_get_is_elsewhere(const struct emit *e, ir_ref get)
{
    return e->allocation->sink && e->allocation->get_block[get] != 0;
}

/* ---- intervals --------------------------------------------------------------------------------------------------------- */

/* v is read at position `pos` by an instruction of `block`. */
static void extend(struct emit *e, ir_ref v, uint32_t pos, uint32_t block, float weight)
{
    struct allocation *al = e->allocation;
    for (;;) {
        struct value *value = &e->values[v];
        const struct ir_insn *insn = emit_insn(e, v);
        if (value->alias) {
            v = insn->arg[0];
            continue;
        }
        if (value->folded) {
            unsigned n = ir_nargs(insn);
            for (unsigned k = 0; k < n; k++)
                if (insn->arg[k] != IR_NONE)
                    extend(e, insn->arg[k], pos, block, weight);
            return;
        }
        if (value->end < pos)
            value->end = pos;
        al->weight[v] += weight;
        if (insn->op == IR_GET) {
            if (al->set_scan[insn->imm] == al->scans)
                value->slot_unsafe = true;
            if (al->sink)
                al->get_block[v] = common_dominator(al, al->get_block[v], block);
        }
        return;
    }
}

static void require_register(struct emit *e, ir_ref v)
{
    while (e->values[v].alias)
        v = emit_insn(e, v)->arg[0];
    e->values[v].must_reg = true;
}

/* Slot `slot` is rebound or its block ends: its value was needed up to the last point that may fault. */
static void close_binding(struct emit *e, unsigned slot, uint32_t last_fault, uint32_t block)
{
    struct allocation *al = e->allocation;
    if (al->bound[slot].value != IR_NONE && last_fault != UINT32_MAX && last_fault >= al->bound[slot].at)
        extend(e, al->bound[slot].value, last_fault, block, 0.1f);
}

static void open_binding(struct emit *e, unsigned slot, ir_ref value, uint32_t at)
{
    struct allocation *al = e->allocation;
    if (al->bound[slot].value == IR_NONE)
        al->bound_slots[al->nbound++] = (uint8_t)slot;
    al->bound[slot].value = value;
    al->bound[slot].at = at;
}

static void add_hint(struct value *value, ir_ref v)
{
    if (value->hint == IR_NONE)
        value->hint = v;
    else if (value->hint2 == IR_NONE)
        value->hint2 = v;
}

static void scan_block(struct emit *e, uint32_t b, uint32_t *k)
{
    struct allocation *al = e->allocation;
    struct ir *ir = e->ir;
    const struct ir_block *block = &ir->blocks[b];
    float weight = block->cold ? 0.05f : 1.0f;
    for (unsigned d = 0; d < block->loop_depth && d < 4; d++)
        weight *= 8;
    uint32_t last_fault = UINT32_MAX;
    if (++al->scans == 0) { /* 2^32 blocks later */
        memset(al->set_scan, 0, sizeof al->set_scan);
        al->scans = 1;
    }
    al->nbound = 0;
    for (uint32_t s = 0; s < block->nstate; s++)
        open_binding(e, ir->states[block->first_state + s].slot, ir->states[block->first_state + s].value, 2 * *k);
    for (uint32_t i = block->first; i < block->end; i++, ++*k) {
        const struct ir_insn *insn = &ir->insns[i];
        struct value *value = &e->values[i];
        uint32_t pos = 2 * *k;
        al->position[i] = *k;
        if (insn->op == IR_NOP || insn->op == IR_INSN || insn->op == IR_CONST || insn->op == IR_PC)
            continue;
        if (insn->op == IR_BIND) {
            close_binding(e, (unsigned)insn->imm, last_fault, b);
            open_binding(e, (unsigned)insn->imm, insn->arg[0], pos);
            continue;
        }
        if (ir_info(insn)->attrs & IR_ATTR_FAULT)
            last_fault = pos;
        value->start = pos + 1;
        if (value->folded || value->alias)
            continue;
        unsigned n = ir_nargs(insn);
        for (unsigned a = 0; a < n; a++)
            if (insn->arg[a] != IR_NONE)
                extend(e, insn->arg[a], pos, b, weight);
        switch (insn->op) {
        case IR_SET:
            al->set_scan[insn->imm] = al->scans;
            break;
        case IR_STORE_EXCL:
            require_register(e, insn->arg[0]);
            require_register(e, insn->arg[3]);
            break;
        case IR_CAS:
            require_register(e, insn->arg[0]);
            require_register(e, insn->arg[2]);
            break;
        case IR_RMW:
            require_register(e, insn->arg[0]);
            break;
        default:
            break;
        }
        if ((insn->op == IR_CAS || insn->op == IR_STORE_EXCL) && insn->size == 16) {
            al->overflow |= al->nclobbers == MAX_CLOBBERS;
            if (al->nclobbers < MAX_CLOBBERS)
                al->clobbers[al->nclobbers++] = pos;
        }
    }
    uint32_t end = 2 * (*k - 1);
    for (unsigned s = 0; s < 2; s++) {
        const struct ir_edge *edge = &block->succ[s];
        ir_ref param = edge->target == IR_NONE ? IR_NONE : ir->blocks[edge->target].first;
        for (uint32_t a = 0; edge->target != IR_NONE && a < edge->nargs; a++) {
            ir_ref arg = ir->edge_args[edge->first_arg + a];
            extend(e, arg, end, b, weight);
            while (e->values[arg].alias)
                arg = emit_insn(e, arg)->arg[0];
            while (ir->insns[param].op == IR_NOP)
                param++;
            add_hint(&e->values[arg], param);
            add_hint(&e->values[param], arg);
            param++;
        }
    }
    for (uint32_t s = 0; s < al->nbound; s++) {
        close_binding(e, al->bound_slots[s], last_fault, b);
        al->bound[al->bound_slots[s]].value = IR_NONE;
    }
}

/* Values that are live around a back edge live to its end. */
static void stretch_over_loops(struct emit *e)
{
    struct allocation *al = e->allocation;
    struct ir *ir = e->ir;
    for (uint32_t o = 0; o < ir->nblocks; o++) {
        const struct ir_block *block = &ir->blocks[ir->order[o]];
        for (unsigned s = 0; s < 2; s++) {
            uint32_t t = block->succ[s].target;
            if (t == IR_NONE || block->first == block->end)
                continue;
            uint32_t target = 2 * al->position[ir->blocks[t].first], source = 2 * al->position[block->end - 1] + 1;
            if (target > source)
                continue;
            al->overflow |= al->nloops == MAX_LOOPS;
            if (al->nloops < MAX_LOOPS)
                al->loops[al->nloops++] = (struct loop){target, source};
        }
    }
    if (!al->nloops)
        return;
    for (uint32_t i = 0; i < ir->ninsns; i++) {
        struct value *value = &e->values[i];
        if (!value->end)
            continue;
        bool changed = true;
        while (changed) {
            changed = false;
            for (uint32_t l = 0; l < al->nloops; l++)
                if (value->start < al->loops[l].start && value->end >= al->loops[l].start && value->end < al->loops[l].end) {
                    value->end = al->loops[l].end;
                    changed = true;
                }
        }
    }
}

/* ---- the scan ---------------------------------------------------------------------------------------------------------- */

static bool unit_is_free(const struct emit *e, uint32_t unit, const struct value *value)
{
    const struct allocation *al = e->allocation;
    for (ir_ref t = al->spilled[unit]; t != IR_NONE; t = al->next_tenant[t])
        if (e->values[t].start <= value->end && value->start <= e->values[t].end)
            return false;
    return true;
}

static bool take_units(struct emit *e, ir_ref v, uint32_t unit)
{
    struct allocation *al = e->allocation;
    struct value *value = &e->values[v];
    unsigned units = emit_insn(e, v)->type == IR_V128 ? 2 : 1;
    if (unit % units || unit + units > CPU_SPILL_SLOTS)
        return false;
    while (al->spill_used < unit + units)
        al->spilled[al->spill_used++] = IR_NONE;
    /* Both halves of a pair have the same tenants or none: scalars and pairs do not share units. */
    if (!unit_is_free(e, unit, value) || (units == 2 && al->spilled[unit + 1] != al->spilled[unit]))
        return false;
    if (units == 1 && (unit ^ 1) < al->spill_used && al->spilled[unit] != IR_NONE && al->spilled[unit] == al->spilled[unit ^ 1])
        return false;
    al->next_tenant[v] = al->spilled[unit];
    al->spilled[unit] = v;
    if (units == 2)
        al->spilled[unit + 1] = v;
    value->place = PLACE_SPILL;
    value->index = unit;
    return true;
}

/*
 * A parameter and what is passed for it are best in one unit, then the edge moves nothing: the values that a guest register
 * has one after the other so come to share a home.
 */
static bool place_in_memory(struct emit *e, ir_ref v)
{
    struct value *value = &e->values[v];
    const struct ir_insn *insn = emit_insn(e, v);
    if (insn->op == IR_GET && !value->slot_unsafe) {
        value->place = PLACE_SLOT;
        value->index = (uint32_t)insn->imm;
        return true;
    }
    for (unsigned k = 0; k < 2; k++) {
        ir_ref hint = k == 0 ? value->hint : value->hint2;
        if (hint != IR_NONE && e->values[hint].place == PLACE_SPILL &&
            (emit_insn(e, hint)->type == IR_V128) == (insn->type == IR_V128) && take_units(e, v, e->values[hint].index))
            return true;
    }
    unsigned units = insn->type == IR_V128 ? 2 : 1;
    for (uint32_t u = 0; u < CPU_SPILL_SLOTS; u += units)
        if (take_units(e, v, u))
            return true;
    return false;
}

static bool register_allowed(const struct emit *e, int class, unsigned reg, uint32_t start, uint32_t end)
{
    const struct allocation *al = e->allocation;
    if (class == CLASS_GPR && (reg == RBX || reg == RCX))
        for (uint32_t c = 0; c < al->nclobbers; c++)
            if (start <= al->clobbers[c] + 1 && end >= al->clobbers[c])
                return false;
    return true;
}

static bool register_free(const struct emit *e, int class, unsigned reg, uint32_t start)
{
    ir_ref v = e->allocation->active[class][reg];
    return v == IR_NONE || e->values[v].end < start;
}

static float spill_cost(const struct emit *e, ir_ref v)
{
    const struct value *value = &e->values[v];
    if (value->must_reg)
        return 1e30f;
    float cost = e->allocation->weight[v] / (float)(value->end - value->start + 4);
    return emit_insn(e, v)->op == IR_GET && !value->slot_unsafe ? cost * 0.6f : cost;
}

/* A register for [start, end], by taking it from the cheapest value if that costs less than `cost`. GPR_NONE: none. */
static unsigned take_register(struct emit *e, int class, uint32_t start, uint32_t end, ir_ref hint, float cost, bool *failed)
{
    struct allocation *al = e->allocation;
    if (hint != IR_NONE) {
        const struct value *h = &e->values[hint];
        if (h->place == PLACE_REG && value_class(emit_insn(e, hint)) == class && register_free(e, class, h->reg, start) &&
            register_allowed(e, class, h->reg, start, end))
            return h->reg;
    }
    unsigned n = class == CLASS_GPR ? NGPR : NXMM, victim = GPR_NONE;
    float least = cost;
    for (unsigned r = 0; r < n; r++) {
        unsigned reg = class == CLASS_GPR ? gpr_order[r] : r;
        if (!register_allowed(e, class, reg, start, end))
            continue;
        if (register_free(e, class, reg, start))
            return reg;
        float c = spill_cost(e, al->active[class][reg]);
        if (c < least) {
            least = c;
            victim = reg;
        }
    }
    if (victim != GPR_NONE && !place_in_memory(e, al->active[class][victim]))
        *failed = true;
    return victim;
}

/* Whether an operation likes its result in its first operand's register. */
static ir_ref operand_hint(struct emit *e, ir_ref ref)
{
    const struct ir_insn *insn = emit_insn(e, ref);
    if (!ir_nargs(insn) || insn->op == IR_LOAD || insn->op == IR_SELECT)
        return IR_NONE;
    ir_ref v = insn->arg[0];
    while (v != IR_NONE && e->values[v].alias)
        v = emit_insn(e, v)->arg[0];
    if (v == IR_NONE || e->values[v].place != PLACE_REG || e->values[v].end >= e->values[ref].start)
        return IR_NONE;
    return v;
}

static bool hint_is_free(const struct emit *e, ir_ref hint, int class, uint32_t start)
{
    return hint != IR_NONE && e->values[hint].place == PLACE_REG && value_class(emit_insn(e, hint)) == class &&
           register_free(e, class, e->values[hint].reg, start);
}

static bool allocate_value(struct emit *e, ir_ref ref)
{
    struct allocation *al = e->allocation;
    struct value *value = &e->values[ref];
    const struct ir_insn *insn = emit_insn(e, ref);
    int class = value_class(insn);
    bool failed = false;
    if (insn->op == IR_GET && value->uses + value->bound <= 1 && !value->slot_unsafe && !value->must_reg &&
        al->weight[ref] < 1.5f && e->backend->options.fold)
        return place_in_memory(e, ref);
    ir_ref hint = value->hint;
    if (!hint_is_free(e, hint, class, value->start))
        hint = hint_is_free(e, value->hint2, class, value->start) ? value->hint2 : operand_hint(e, ref);
    unsigned reg = take_register(e, class, value->start, value->end, hint, spill_cost(e, ref), &failed);
    if (reg == GPR_NONE)
        return place_in_memory(e, ref) && !failed;
    value->place = PLACE_REG;
    value->reg = (uint8_t)reg;
    al->active[class][reg] = ref;
    return !failed;
}

/* A GPR that is free while operation `ref` runs: neither an operand's nor its result's. */
static bool allocate_extra(struct emit *e, ir_ref ref, uint32_t pos)
{
    bool failed = false;
    unsigned reg = take_register(e, CLASS_GPR, pos, pos + 1, IR_NONE, 1e29f, &failed);
    if (reg == GPR_NONE || failed)
        return false;
    e->values[ref].extra = (uint8_t)reg;
    e->allocation->active[CLASS_GPR][reg] = IR_NONE;
    return true;
}

static void reserve(struct emit *e)
{
    struct allocation *al = e->allocation;
    if (!al) {
        al = e->allocation = calloc(1, sizeof *al);
        for (unsigned s = 0; al && s < 256; s++)
            al->bound[s].value = IR_NONE;
    }
    if (al && al->capacity < e->ir->ninsns) {
        al->capacity = e->ir->ninsns + e->ir->ninsns / 2;
        al->position = realloc(al->position, al->capacity * sizeof *al->position);
        al->weight = realloc(al->weight, al->capacity * sizeof *al->weight);
        al->next_tenant = realloc(al->next_tenant, al->capacity * sizeof *al->next_tenant);
        al->get_block = realloc(al->get_block, al->capacity * sizeof *al->get_block);
        al->next_get = realloc(al->next_get, al->capacity * sizeof *al->next_get);
    }
    if (!al || !al->position || !al->weight || !al->next_tenant || !al->get_block || !al->next_get) {
        fputs("dragoman: out of memory while translating\n", stderr);
        _exit(1);
    }
}

bool allocate_registers(struct emit *e)
{
    reserve(e);
    struct allocation *al = e->allocation;
    struct ir *ir = e->ir;
    al->sink = false;
    if (!e->region->hot && allocate_block(e))
        return true;
    memset(al->weight, 0, ir->ninsns * sizeof *al->weight);
    for (unsigned r = 0; r < NREGS; r++)
        al->active[CLASS_GPR][r] = al->active[CLASS_XMM][r] = IR_NONE;
    al->spill_used = al->nclobbers = al->nloops = 0;
    al->overflow = false;
    al->sink = ir->nblocks > 3 && ir->nblocks <= MAX_SINK_BLOCKS && e->backend->options.fold;
    if (al->sink) {
        find_dominators(al, ir);
        memset(al->get_block, 0xff, ir->ninsns * sizeof *al->get_block);
    }
    uint32_t k = 1;
    for (uint32_t o = 0; o < ir->nblocks; o++)
        scan_block(e, ir->order[o], &k);
    if (al->sink)
        place_gets(e);
    stretch_over_loops(e);
    if (al->overflow)
        return false;
    for (uint32_t o = 0; o < ir->nblocks; o++) {
        const struct ir_block *block = &ir->blocks[ir->order[o]];
        for (ir_ref g = allocation_first_get(e, ir->order[o]); g != IR_NONE; g = al->next_get[g])
            if (!allocate_value(e, g))
                return false;
        for (uint32_t i = block->first; i < block->end; i++) {
            const struct ir_insn *insn = &ir->insns[i];
            struct value *value = &e->values[i];
            value->extra = GPR_NONE;
            if (insn->op == IR_GET && allocation_get_is_elsewhere(e, i))
                continue;
            bool extra = insn->op == IR_CAS || insn->op == IR_RMW || insn->op == IR_STORE_EXCL;
            if (insn->type != IR_VOID && insn->op != IR_CONST && insn->op != IR_PC && !value->folded && !value->alias && value->end) {
                value->must_reg |= extra; /* else the extra register might evict it from an operand's */
                if (!allocate_value(e, i))
                    return false;
            }
            if (extra && !allocate_extra(e, i, 2 * al->position[i]))
                return false;
        }
    }
    return true;
}

void allocation_live_across(const struct emit *e, ir_ref ref, uint32_t *gprs, uint32_t *xmms)
{
    uint32_t pos = 2 * e->allocation->position[ref];
    *gprs = *xmms = 0;
    for (uint32_t i = 0; i < e->ir->ninsns; i++) {
        const struct value *value = &e->values[i];
        if (value->place == PLACE_REG && !value->alias && !value->folded && value->start < pos && value->end > pos)
            *(value_class(emit_insn(e, i)) == CLASS_GPR ? gprs : xmms) |= 1u << value->reg;
    }
}

void allocation_free(struct emit *e)
{
    if (e->allocation) {
        free(e->allocation->position);
        free(e->allocation->weight);
        free(e->allocation->next_tenant);
        free(e->allocation->get_block);
        free(e->allocation->next_get);
        free(e->allocation);
        e->allocation = NULL;
    }
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The verifier: everything that ir.h and ir_ops.inc promise about a region, for tests and for debugging the passes. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "translator/ir_text.h"
#include "translator/isa.h"

struct verifier {
    const struct ir *ir;
    const struct ir_names *names;
    char *error;       /* of 256 bytes; empty while all is well */
    uint32_t *block_of; /* of each instruction, IR_NONE for those in none */
    uint32_t *npreds;  /* of each block */
    uint32_t *idom;    /* immediate dominator, IR_NONE for unreachable blocks */
    uint32_t *rank;    /* position in reverse postorder */
    uint32_t *rpo, *stack;
    uint32_t reachable;
};

__attribute__((format(printf, 3, 4))) static void fail(struct verifier *v, ir_ref ref, const char *format, ...)
{
    if (v->error[0])
        return;
    int n = 0;
    if (ref < v->ir->ninsns)
        n = snprintf(v->error, 256, "block%" PRIu32 ", instruction %" PRIu32 " (%s): ", v->block_of[ref], ref,
                     ir_info(&v->ir->insns[ref])->text);
    va_list args;
    va_start(args, format);
    vsnprintf(v->error + n, 256 - (size_t)n, format, args);
    va_end(args);
}

static bool failed(const struct verifier *v) { return v->error[0]; }

static bool is_integer(unsigned type) { return type == IR_I32 || type == IR_I64; }
static bool is_float(unsigned type) { return type == IR_F32 || type == IR_F64; }

/* ---- shape of blocks --------------------------------------------------------------------------------------------- */

static unsigned edges_of(const struct ir_insn *last) { return last->op == IR_JUMP ? 1 : last->op == IR_BRANCH ? 2 : 0; }

static void check_ranges(struct verifier *v)
{
    const struct ir *ir = v->ir;
    uint32_t at = 0;
    for (uint32_t i = 0; i < ir->ninsns; i++) {
        v->block_of[i] = IR_NONE;
        if (ir->insns[i].op >= IR_OP_COUNT || ir->insns[i].type >= IR_TYPE_COUNT) {
            fail(v, IR_NONE, "instruction %" PRIu32 " has no valid operation and type", i);
            return;
        }
    }
    if (!ir->nblocks)
        fail(v, IR_NONE, "the region has no block");
    for (uint32_t b = 0; b < ir->nblocks && !failed(v); b++) {
        const struct ir_block *block = &ir->blocks[b];
        if (block->first < at || block->end <= block->first || block->end > ir->ninsns) {
            fail(v, IR_NONE, "block%" PRIu32 ": range %" PRIu32 "..%" PRIu32 " is empty, outside, or overlaps", b,
                 block->first, block->end);
            return;
        }
        at = block->end;
        for (uint32_t i = block->first; i < block->end; i++)
            v->block_of[i] = b;
    }
}

static void check_params(struct verifier *v, const struct ir_block *block)
{
    uint32_t n = 0;
    bool others = false;
    for (uint32_t i = block->first; i < block->end; i++) {
        const struct ir_insn *insn = &v->ir->insns[i];
        if (insn->op == IR_PARAM) {
            if (others)
                fail(v, i, "a parameter after other instructions");
            if (insn->imm != n++)
                fail(v, i, "parameter %" PRIu64 " stands at position %" PRIu32, insn->imm, n - 1);
        } else if (insn->op != IR_NOP) {
            others = true;
        }
    }
    if (n != block->nparams)
        fail(v, block->first, "%" PRIu32 " parameters, the block says %" PRIu32, n, block->nparams);
}

static void check_ends(struct verifier *v, uint32_t b)
{
    const struct ir *ir = v->ir;
    const struct ir_block *block = &ir->blocks[b];
    for (uint32_t i = block->first; i < block->end; i++) {
        bool terminates = ir_info(&ir->insns[i])->attrs & IR_ATTR_TERM;
        if (terminates != (i == block->end - 1))
            fail(v, i, terminates ? "a terminator inside a block" : "the block ends without a terminator");
    }
    unsigned edges = edges_of(&ir->insns[block->end - 1]);
    for (unsigned s = 0; s < 2; s++) {
        const struct ir_edge *edge = &block->succ[s];
        if ((edge->target != IR_NONE) != (s < edges))
            fail(v, block->end - 1, "edge %u is %s", s, s < edges ? "missing" : "one too many");
        else if (edge->target != IR_NONE && edge->target >= ir->nblocks)
            fail(v, block->end - 1, "edge %u leads to block%" PRIu32 ", which does not exist", s, edge->target);
        else if (edge->target == 0)
            fail(v, block->end - 1, "an edge leads to the entry block");
        else if (edge->target != IR_NONE && ((uint64_t)edge->first_arg + edge->nargs > ir->nedge_args))
            fail(v, block->end - 1, "the arguments of edge %u lie outside the array", s);
        if (failed(v))
            return;
        if (edge->target != IR_NONE)
            v->npreds[edge->target]++;
    }
}

/* ---- dominators (Cooper, Harvey, Kennedy: A Simple, Fast Dominance Algorithm) ------------------------------------ */

static void order_blocks(struct verifier *v)
{
    const struct ir *ir = v->ir;
    uint32_t top = 0, first = ir->nblocks;
    uint32_t *next = v->idom; /* edges followed */
    memset(next, 0, ir->nblocks * sizeof *next);
    for (uint32_t b = 0; b < ir->nblocks; b++)
        v->rank[b] = IR_NONE;
    v->stack[top++] = 0;
    v->rank[0] = 0;
    while (top) {
        uint32_t b = v->stack[top - 1];
        if (next[b] == 2) {
            v->rpo[--first] = b;
            top--;
            continue;
        }
        uint32_t target = ir->blocks[b].succ[next[b]++].target;
        if (target != IR_NONE && v->rank[target] == IR_NONE) {
            v->rank[target] = 0;
            v->stack[top++] = target;
        }
    }
    v->reachable = ir->nblocks - first;
    memmove(v->rpo, v->rpo + first, v->reachable * sizeof *v->rpo);
    for (uint32_t i = 0; i < v->reachable; i++)
        v->rank[v->rpo[i]] = i;
}

static uint32_t common_dominator(const struct verifier *v, uint32_t x, uint32_t y)
{
    while (x != y) {
        while (v->rank[x] > v->rank[y])
            x = v->idom[x];
        while (v->rank[y] > v->rank[x])
            y = v->idom[y];
    }
    return x;
}

static void find_dominators(struct verifier *v)
{
    order_blocks(v);
    for (uint32_t b = 0; b < v->ir->nblocks; b++)
        v->idom[b] = IR_NONE;
    v->idom[0] = 0;
    for (bool changed = true; changed;) {
        changed = false;
        for (uint32_t i = 0; i < v->reachable; i++)
            for (unsigned s = 0; s < 2; s++) {
                uint32_t b = v->rpo[i], target = v->ir->blocks[b].succ[s].target;
                if (target == IR_NONE)
                    continue;
                uint32_t idom = v->idom[target] == IR_NONE ? b : common_dominator(v, v->idom[target], b);
                changed |= idom != v->idom[target];
                v->idom[target] = idom;
            }
    }
}

static bool dominates(const struct verifier *v, uint32_t x, uint32_t y)
{
    while (v->rank[y] > v->rank[x])
        y = v->idom[y];
    return x == y;
}

/* A use at instruction `at` of `block` (its end, for what edges pass). */
static void check_use(struct verifier *v, ir_ref value, uint32_t block, uint32_t at, ir_ref user)
{
    const struct ir *ir = v->ir;
    if (value >= ir->ninsns || ir->insns[value].type == IR_VOID || ir->insns[value].op == IR_NOP ||
        v->block_of[value] == IR_NONE) {
        fail(v, user, "uses %" PRIu32 ", which is no value", value);
        return;
    }
    uint32_t from = v->block_of[value];
    if (v->idom[block] == IR_NONE)
        return; /* unreachable: nothing to say about dominance */
    if (from == block ? value >= at : v->idom[from] == IR_NONE || !dominates(v, from, block))
        fail(v, user, "uses %" PRIu32 " (%s in block%" PRIu32 "), which does not dominate it", value,
             ir_info(&ir->insns[value])->text, from);
}

/* ---- types ------------------------------------------------------------------------------------------------------- */

static bool result_fits(unsigned result, unsigned type)
{
    switch (result) {
    case IR_RES_NONE: return type == IR_VOID;
    case IR_RES_I32: return type == IR_I32;
    case IR_RES_I64: return type == IR_I64;
    case IR_RES_INT: return is_integer(type);
    case IR_RES_FLT: return is_float(type);
    case IR_RES_V: return type == IR_V128;
    default: return type != IR_VOID;
    }
}

/* Bytes of memory that an access may move for a type. */
static bool access_fits(unsigned type, unsigned size)
{
    if (is_integer(type))
        return size && (size & (size - 1)) == 0 && size <= ir_type_size((enum ir_type)type);
    return size == ir_type_size((enum ir_type)type);
}

static void check_arg_type(struct verifier *v, ir_ref ref, unsigned arg, char letter)
{
    const struct ir_insn *insn = &v->ir->insns[ref];
    unsigned type = v->ir->insns[insn->arg[arg]].type, bytes = ir_type_size((enum ir_type)type);
    bool extends = insn->op == IR_ZEXT || insn->op == IR_SEXT;
    bool good = true;
    switch (letter) {
    case '=': good = type == insn->type; break;
    case 'i': good = is_integer(type) && (extends ? insn->size <= bytes : insn->size == bytes); break;
    case 'w': good = type == IR_I32; break;
    case 'x': good = type == (insn->op == IR_STORE_EXCL && insn->size == 16 && arg == 2 ? IR_V128 : IR_I64); break;
    case 'a': good = type == IR_I64; break;
    case 'f': good = is_float(type) && insn->size == bytes; break;
    case 'v': good = type == IR_V128; break;
    }
    if (!good)
        fail(v, ref, "argument %u is %s; result %s, size %u", arg, ir_type_text[type], ir_type_text[insn->type],
             insn->size);
}

/* The `*` of the table: each operation has its own rule. */
static bool any_type_fits(const struct ir *ir, const struct ir_insn *insn)
{
    unsigned lane = insn->size == 8 ? IR_I64 : IR_I32;
    switch (insn->op) {
    case IR_BITCAST: {
        unsigned from = ir->insns[insn->arg[0]].type;
        return from != IR_V128 && insn->type != IR_V128 &&
               ir_type_size((enum ir_type)from) == ir_type_size((enum ir_type)insn->type);
    }
    case IR_CRC32C:
    case IR_VINSERT:
        return ir->insns[insn->arg[1]].type == lane;
    case IR_VDUP:
        return ir->insns[insn->arg[0]].type == lane;
    case IR_STORE:
        return access_fits(ir->insns[insn->arg[2]].type, insn->size);
    case IR_STORE_EXCL:
        return ir->insns[insn->arg[3]].type == (insn->size == 16 ? IR_V128 : IR_I64);
    default:
        return true;
    }
}

/* Sizes, modes and immediates that have a meaning. */
static const char *operand_defect(const struct ir_insn *insn)
{
    unsigned lane_bits = 8u * insn->size, bits = 8 * ir_type_size((enum ir_type)insn->type);
    switch (insn->op) {
    case IR_CONST:
        return bits == 32 && insn->imm > UINT32_MAX ? "the constant has more than 32 bits" : NULL;
    case IR_ZEXT:
    case IR_SEXT:
        return insn->size == 1 || insn->size == 2 || insn->size == 4 ? NULL : "size must be 1, 2 or 4";
    case IR_BSWAP:
        return insn->size == 2 || insn->size == 4 || (insn->size == 8 && bits == 64) ? NULL : "size must be 2, 4 or 8";
    case IR_EXTR:
        return insn->imm < bits ? NULL : "shift of the whole width or more";
    case IR_CMP:
        return insn->mode < IR_CC_COUNT ? NULL : "no such comparison";
    case IR_COND:
        return insn->mode < IR_FLAG_COND_COUNT ? NULL : "no such condition";
    case IR_FCMP:
        return IR_FCMP_COND(insn->mode) < IR_FLAG_COND_COUNT ? NULL : "no such condition";
    case IR_LOAD:
    case IR_RMW:
    case IR_CAS:
        return access_fits(insn->type, insn->size) ? NULL : "the access does not fit the type";
    case IR_VSHL:
        return insn->imm < lane_bits ? NULL : "shift of the whole lane or more";
    case IR_VSHR:
    case IR_VSAR:
        return insn->imm <= lane_bits ? NULL : "shift of more than the lane";
    case IR_VEXTRACT:
        if ((insn->type == IR_I64) != (insn->size == 8))
            return "i64 is for lanes of 8 bytes";
        /* fall through */
    case IR_VINSERT:
    case IR_VDUPLANE:
        return insn->size && insn->imm < 16u / insn->size ? NULL : "no such lane";
    case IR_VROR:
        if (insn->size != 4 && insn->size != 8)
            return "no such lane size";
        return insn->imm && insn->imm < lane_bits ? NULL : "rotation by nothing, the whole lane or more";
    case IR_VSHUF:
        return insn->size == 4 && insn->imm < 256 ? NULL : "size must be 4, the selection below 256";
    case IR_VCLZ:
        return insn->size == 1 || insn->size == 2 || insn->size == 4 ? NULL : "no such lane size";
    case IR_VDMULH:
        return (insn->size == 2 || insn->size == 4) && insn->imm <= 2 ? NULL : "no such lane size or rounding";
    case IR_VSHA1RNDS:
        return insn->mode <= 2 ? NULL : "no such function";
    case IR_VEXT:
        return insn->imm <= 16 ? NULL : "offset above 16";
    case IR_VDUP: case IR_VADD: case IR_VSUB: case IR_VMUL: case IR_VNEG: case IR_VABS: case IR_VCMPEQ: case IR_VCMPGTS:
    case IR_VCMPGTU: case IR_VSMIN: case IR_VSMAX: case IR_VUMIN: case IR_VUMAX:
        return insn->size == 1 || insn->size == 2 || insn->size == 4 || insn->size == 8 ? NULL : "no such lane size";
    case IR_VFNEG: case IR_VFABS: case IR_VFRINTN: case IR_VFCVTN:
        return insn->size == 4 || insn->size == 8 ? NULL : "no such lane size";
    case IR_VFCVTL:
        return insn->size == 2 || insn->size == 4 ? NULL : "no such lane size";
    case IR_VFMLAL: case IR_VFCVTBF:
        return insn->size == 4 ? NULL : "no such lane size";
    case IR_VFCVTXN:
        return insn->size == 8 ? NULL : "no such lane size";
    default:
        return insn->op < IR_VFADD || insn->op > IR_VFCVTN || insn->size == 2 || insn->size == 4 || insn->size == 8
                   ? NULL
                   : "no such lane size";
    }
}

static void check_slot(struct verifier *v, ir_ref ref, uint64_t slot, unsigned type)
{
    if (!v->names || !v->names->slots)
        return;
    if (slot >= v->names->nslots)
        fail(v, ref, "state slot %" PRIu64 " does not exist", slot);
    else if (v->names->slots[slot].type != type)
        fail(v, ref, "%s is %s, the value %s", v->names->slots[slot].name, ir_type_text[v->names->slots[slot].type],
             ir_type_text[type]);
}

static void check_insn(struct verifier *v, uint32_t b, ir_ref ref)
{
    const struct ir *ir = v->ir;
    const struct ir_insn *insn = &ir->insns[ref];
    const struct ir_op_info *info = ir_info(insn);
    const struct ir_helper *helper = insn->op == IR_CALL ? (const struct ir_helper *)(uintptr_t)insn->imm : NULL;
    if (insn->op == IR_NOP)
        return;
    if (helper ? insn->type != helper->result : !result_fits(info->result, insn->type))
        fail(v, ref, "the result is %s", ir_type_text[insn->type]);
    for (unsigned a = 0, n = ir_nargs(insn); a < n; a++) {
        bool index = a == 1 && info->args[0] == 'a' && info->args[1] == 'a';
        if (index && insn->arg[a] == IR_NONE)
            continue;
        check_use(v, insn->arg[a], b, ref, ref);
        if (failed(v))
            return;
        if (helper && ir->insns[insn->arg[a]].type != helper->args[a])
            fail(v, ref, "argument %u of %s is %s", a, helper->name, ir_type_text[ir->insns[insn->arg[a]].type]);
        check_arg_type(v, ref, a, helper ? '*' : info->args[a]);
    }
    if (failed(v))
        return;
    if (!any_type_fits(ir, insn))
        fail(v, ref, "the type of an argument does not fit size %u", insn->size);
    const char *defect = operand_defect(insn);
    if (defect)
        fail(v, ref, "%s (type %s, size %u, mode %u, imm %" PRIu64 ")", defect, ir_type_text[insn->type], insn->size,
             insn->mode, insn->imm);
    if (insn->op == IR_GET) {
        if (b != 0)
            fail(v, ref, "GET outside block 0");
        check_slot(v, ref, insn->imm, insn->type);
    } else if (insn->op == IR_SET || insn->op == IR_BIND) {
        check_slot(v, ref, insn->imm, ir->insns[insn->arg[0]].type);
    }
}

/* ---- edges and state --------------------------------------------------------------------------------------------- */

static void check_edges(struct verifier *v, uint32_t b)
{
    const struct ir *ir = v->ir;
    const struct ir_block *block = &ir->blocks[b];
    ir_ref last = block->end - 1;
    for (unsigned s = 0; s < 2; s++) {
        const struct ir_edge *edge = &block->succ[s];
        if (edge->target == IR_NONE)
            continue;
        const struct ir_block *target = &ir->blocks[edge->target];
        if (edge->nargs != target->nparams) {
            fail(v, last, "edge %u passes %" PRIu32 " values to %" PRIu32 " parameters", s, edge->nargs,
                 target->nparams);
            return;
        }
        for (uint32_t i = target->first, a = 0; a < edge->nargs && !failed(v); i++) {
            if (ir->insns[i].op != IR_PARAM)
                continue;
            ir_ref value = ir->edge_args[edge->first_arg + a++];
            check_use(v, value, b, block->end, last);
            if (!failed(v) && ir->insns[value].type != ir->insns[i].type)
                fail(v, last, "edge %u passes %s for parameter %" PRIu64 ", which is %s", s,
                     ir_type_text[ir->insns[value].type], ir->insns[i].imm, ir_type_text[ir->insns[i].type]);
        }
    }
}

static void check_state(struct verifier *v, uint32_t b)
{
    const struct ir_block *block = &v->ir->blocks[b];
    uint64_t seen[4] = {0};
    if (block->nstate && (uint64_t)block->first_state + block->nstate > v->ir->nstates) {
        fail(v, block->first, "the block's state lies outside the array");
        return;
    }
    for (uint32_t i = 0; i < block->nstate && !failed(v); i++) {
        const struct ir_state *state = &v->ir->states[block->first_state + i];
        if (state->slot >= 256 || seen[state->slot / 64] >> (state->slot % 64) & 1)
            fail(v, block->first, "the block's state names slot %" PRIu32 " twice, or it does not exist", state->slot);
        else
            seen[state->slot / 64] |= UINT64_C(1) << (state->slot % 64);
        bool own_param = state->value < v->ir->ninsns && v->block_of[state->value] == b &&
                         v->ir->insns[state->value].op == IR_PARAM;
        if (!own_param)
            check_use(v, state->value, b, block->first, block->first);
        if (!failed(v))
            check_slot(v, block->first, state->slot, v->ir->insns[state->value].type);
    }
}

/* SETs stand directly before the terminator, and what follows leaves the region without another look at the state. */
static void check_sets(struct verifier *v, uint32_t b)
{
    const struct ir *ir = v->ir;
    const struct ir_block *block = &ir->blocks[b];
    bool sets = false;
    for (uint32_t i = block->first; i + 1 < block->end; i++) {
        if (ir->insns[i].op == IR_SET)
            sets = true;
        else if (sets && ir->insns[i].op != IR_NOP)
            fail(v, i, "an instruction between SETs and the end of the block");
    }
    if (!sets || failed(v) || ir_leaves(&ir->insns[block->end - 1]))
        return;
    for (unsigned s = 0; s < 2; s++) {
        uint32_t target = block->succ[s].target;
        if (target == IR_NONE)
            continue;
        const struct ir_block *leaves = &ir->blocks[target];
        for (uint32_t i = leaves->first; i < leaves->end; i++)
            if (ir->insns[i].op != IR_NOP && !ir_leaves(&ir->insns[i]))
                fail(v, block->end - 1, "SETs before it, and block%" PRIu32 " does not leave at once", target);
        if (v->npreds[target] != 1)
            fail(v, block->end - 1, "SETs before it, and block%" PRIu32 " is reached on other ways too", target);
    }
}

static void check_order(struct verifier *v)
{
    const struct ir *ir = v->ir;
    if (!ir->norder)
        return;
    if (ir->norder != ir->nblocks || ir->order[0] != 0) {
        fail(v, IR_NONE, "the order has %" PRIu32 " of %" PRIu32 " blocks, or does not begin with block0", ir->norder,
             ir->nblocks);
        return;
    }
    memset(v->stack, 0, ir->nblocks * sizeof *v->stack);
    for (uint32_t i = 0; i < ir->norder; i++) {
        if (ir->order[i] >= ir->nblocks || v->stack[ir->order[i]]) {
            fail(v, IR_NONE, "the order names block%" PRIu32 " twice, or it does not exist", ir->order[i]);
            return;
        }
        v->stack[ir->order[i]] = 1;
    }
}

static void check_all(struct verifier *v)
{
    const struct ir *ir = v->ir;
    check_ranges(v);
    for (uint32_t b = 0; b < ir->nblocks && !failed(v); b++) {
        check_params(v, &ir->blocks[b]);
        check_ends(v, b);
    }
    if (failed(v))
        return;
    find_dominators(v);
    for (uint32_t b = 0; b < ir->nblocks && !failed(v); b++) {
        for (uint32_t i = ir->blocks[b].first; i < ir->blocks[b].end && !failed(v); i++)
            check_insn(v, b, i);
        if (!failed(v))
            check_edges(v, b);
        if (!failed(v))
            check_state(v, b);
        if (!failed(v))
            check_sets(v, b);
    }
    if (!failed(v))
        check_order(v);
}

const char *ir_verify(const struct ir *ir, const struct ir_names *names, char error[256])
{
    error[0] = 0;
    size_t blocks = (size_t)ir->nblocks + 1;
    uint32_t *memory = calloc(ir->ninsns + 5 * blocks, sizeof *memory);
    if (!memory) {
        snprintf(error, 256, "out of memory");
        return error;
    }
    struct verifier v = {.ir = ir, .names = names, .error = error, .npreds = memory, .idom = memory + blocks,
                         .rank = memory + 2 * blocks, .rpo = memory + 3 * blocks, .stack = memory + 4 * blocks,
                         .block_of = memory + 5 * blocks};
    check_all(&v);
    free(memory);
    return failed(&v) ? error : NULL;
}

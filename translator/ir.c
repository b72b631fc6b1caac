/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The IR's arrays and the questions that everybody asks about an instruction. */
#include "translator/ir.h"

#include <stdlib.h>
#include <string.h>

#define COUNT(args) (uint8_t)(sizeof(args) - 1)

const struct ir_op_info ir_op_table[IR_OP_COUNT] = {
#define PURE IR_ATTR_PURE
#define FPSR IR_ATTR_FPSR
#define FAULT IR_ATTR_FAULT
#define MEMRD IR_ATTR_MEMRD
#define MEMWR IR_ATTR_MEMWR
#define STATE IR_ATTR_STATE
#define TERM IR_ATTR_TERM
#define COMM IR_ATTR_COMM
#define OP(name, text, result, args, attrs) [IR_##name] = {text, args, COUNT(args), IR_RES_##result, attrs},
#include "translator/ir_ops.inc"
#undef OP
#undef PURE
#undef FPSR
#undef FAULT
#undef MEMRD
#undef MEMWR
#undef STATE
#undef TERM
#undef COMM
};

static void *grow(void *array, uint32_t *capacity, size_t needed, size_t element)
{
    size_t n = *capacity ? *capacity : 256;
    while (n < needed)
        n *= 2;
    void *bigger = n <= UINT32_MAX / 2 ? realloc(array, n * element) : NULL;
    if (!bigger) {
        fprintf(stderr, "dragoman: out of memory while translating (%zu bytes); lower the region size or free memory\n",
                n * element);
        exit(1);
    }
    *capacity = (uint32_t)n;
    return bigger;
}

void ir_init(struct ir *ir)
{
    memset(ir, 0, sizeof *ir);
}

void ir_reset(struct ir *ir)
{
    ir->ninsns = ir->nblocks = ir->nedge_args = ir->nstates = ir->norder = 0;
    ir->guest_pc = 0;
    ir->guest_insns = 0;
}

void ir_free(struct ir *ir)
{
    free(ir->insns);
    free(ir->blocks);
    free(ir->edge_args);
    free(ir->states);
    free(ir->order);
    free(ir->work);
    memset(ir, 0, sizeof *ir);
}

static void copy_array(void **to, uint32_t *capacity, const void *from, uint32_t n, size_t element)
{
    if (!n)
        return;
    if (n > *capacity)
        *to = grow(*to, capacity, n, element);
    memcpy(*to, from, n * element);
}

void ir_copy(struct ir *to, const struct ir *from)
{
    ir_reset(to);
    copy_array((void **)&to->insns, &to->insns_capacity, from->insns, from->ninsns, sizeof *to->insns);
    copy_array((void **)&to->blocks, &to->blocks_capacity, from->blocks, from->nblocks, sizeof *to->blocks);
    copy_array((void **)&to->edge_args, &to->edge_args_capacity, from->edge_args, from->nedge_args,
               sizeof *to->edge_args);
    copy_array((void **)&to->states, &to->states_capacity, from->states, from->nstates, sizeof *to->states);
    copy_array((void **)&to->order, &to->order_capacity, from->order, from->norder, sizeof *to->order);
    to->ninsns = from->ninsns;
    to->nblocks = from->nblocks;
    to->nedge_args = from->nedge_args;
    to->nstates = from->nstates;
    to->norder = from->norder;
    to->guest_pc = from->guest_pc;
    to->guest_insns = from->guest_insns;
}

void ir_reserve(struct ir *ir, uint32_t n)
{
    if (ir->insns_capacity - ir->ninsns < n)
        ir->insns = grow(ir->insns, &ir->insns_capacity, (size_t)ir->ninsns + n, sizeof *ir->insns);
}

void ir_reserve_order(struct ir *ir)
{
    if (ir->nblocks > ir->order_capacity)
        ir->order = grow(ir->order, &ir->order_capacity, ir->nblocks, sizeof *ir->order);
    ir->norder = 0;
}

ir_ref ir_append(struct ir *ir, enum ir_op op, enum ir_type type)
{
    ir_reserve(ir, 1);
    ir_ref ref = ir->ninsns++;
    ir->insns[ref] = (struct ir_insn){.op = (uint8_t)op, .type = (uint8_t)type,
                                      .arg = {IR_NONE, IR_NONE, IR_NONE, IR_NONE}};
    if (ir->nblocks)
        ir->blocks[ir->nblocks - 1].end = ir->ninsns;
    return ref;
}

uint32_t ir_add_block(struct ir *ir)
{
    if (ir->nblocks == ir->blocks_capacity)
        ir->blocks = grow(ir->blocks, &ir->blocks_capacity, (size_t)ir->nblocks + 1, sizeof *ir->blocks);
    ir->norder = 0;
    ir->blocks[ir->nblocks] = (struct ir_block){.first = ir->ninsns, .end = ir->ninsns,
                                                .succ = {{.target = IR_NONE}, {.target = IR_NONE}},
                                                .first_state = ir->nstates};
    return ir->nblocks++;
}

ir_ref *ir_set_edge(struct ir *ir, uint32_t block, unsigned which, uint32_t target, uint32_t nargs)
{
    if (ir->edge_args_capacity - ir->nedge_args < nargs)
        ir->edge_args = grow(ir->edge_args, &ir->edge_args_capacity, (size_t)ir->nedge_args + nargs,
                             sizeof *ir->edge_args);
    ir->blocks[block].succ[which] = (struct ir_edge){.target = target, .first_arg = ir->nedge_args, .nargs = nargs};
    ir->nedge_args += nargs;
    return nargs ? ir->edge_args + ir->nedge_args - nargs : NULL;
}

void ir_add_state(struct ir *ir, uint32_t block, uint32_t slot, ir_ref value)
{
    if (ir->nstates == ir->states_capacity)
        ir->states = grow(ir->states, &ir->states_capacity, (size_t)ir->nstates + 1, sizeof *ir->states);
    struct ir_block *k = &ir->blocks[block];
    if (!k->nstate)
        k->first_state = ir->nstates;
    k->nstate++;
    ir->states[ir->nstates++] = (struct ir_state){slot, value};
}

uint32_t *ir_work(struct ir *ir, size_t n)
{
    if (n > ir->work_capacity)
        ir->work = grow(ir->work, &ir->work_capacity, n, sizeof *ir->work);
    return ir->work;
}

void ir_compact(struct ir *ir)
{
    /* A use may stand before its definition in the array (blocks are in any order), so all new numbers are
       known first. */
    uint32_t n = 0;
    for (uint32_t b = 0; b < ir->nblocks; b++)
        for (uint32_t i = ir->blocks[b].first; i < ir->blocks[b].end; i++)
            if (ir->insns[i].op != IR_NOP)
                ir->insns[i].scratch = n++;

    n = 0;
    for (uint32_t b = 0; b < ir->nblocks; b++) {
        struct ir_block *block = &ir->blocks[b];
        for (unsigned s = 0; s < 2 && block->succ[s].target != IR_NONE; s++)
            for (uint32_t a = 0; a < block->succ[s].nargs; a++) {
                ir_ref *arg = &ir->edge_args[block->succ[s].first_arg + a];
                *arg = ir->insns[*arg].scratch;
            }
        for (uint32_t i = 0; i < block->nstate; i++) {
            struct ir_state *state = &ir->states[block->first_state + i];
            state->value = ir->insns[state->value].scratch;
        }
        for (uint32_t i = block->first; i < block->end; i++) {
            struct ir_insn *insn = &ir->insns[i];
            for (unsigned a = 0, nargs = ir_nargs(insn); a < nargs; a++)
                if (insn->arg[a] != IR_NONE)
                    insn->arg[a] = ir->insns[insn->arg[a]].scratch;
        }
    }
    for (uint32_t b = 0; b < ir->nblocks; b++) {
        struct ir_block *block = &ir->blocks[b];
        uint32_t first = n;
        for (uint32_t i = block->first; i < block->end; i++)
            if (ir->insns[i].op != IR_NOP)
                ir->insns[n++] = ir->insns[i];
        block->first = first;
        block->end = n;
    }
    ir->ninsns = n;
}

unsigned ir_call_nargs(const struct ir_insn *insn)
{
    const struct ir_helper *helper = (const struct ir_helper *)(uintptr_t)insn->imm;
    unsigned n = 0;
    while (n < 4 && helper->args[n] != IR_VOID)
        n++;
    return n;
}

bool ir_removable_by_op(const struct ir_insn *insn)
{
    switch (insn->op) {
    case IR_NOP:
    case IR_PARAM:
    case IR_GET:
        return true;
    case IR_FLAGS_FCMP:
        return insn->mode & IR_FCMP_COVERED;
    case IR_CALL:
        return ((const struct ir_helper *)(uintptr_t)insn->imm)->flags & IR_HELPER_PURE;
    default:
        return false;
    }
}

bool ir_is_exit_block(const struct ir *ir, uint32_t block)
{
    const struct ir_block *b = &ir->blocks[block];
    if (b->first == b->end || !ir_leaves(&ir->insns[b->end - 1]))
        return false;
    for (uint32_t i = b->first; i + 1 < b->end; i++)
        if (ir->insns[i].op != IR_SET && ir->insns[i].op != IR_NOP && !(ir_info(&ir->insns[i])->attrs & IR_ATTR_PURE))
            return false;
    return true;
}

unsigned ir_type_size(enum ir_type type)
{
    static const uint8_t sizes[IR_TYPE_COUNT] = {0, 4, 8, 4, 8, 16};
    return sizes[type];
}

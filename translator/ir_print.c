/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The IR as text. What this prints, ir_parse.c reads back.
 *
 *     region 0x1000 insns 3                        ; address of the entry, guest instructions
 *     block0 0x1000:                               ; guest address
 *         v0 = get.i64 X0
 *         v1 = const.i64 0x10
 *         jump block1(v0)                          ; one value for each parameter
 *     block1(v2: i64) 0x1000 depth 1:              ; parameters; depth of loops, `cold` for out of line, `edge` for on one
 *         state X0=v2                              ; slots that differ from memory at the block's start
 *         insn 0x1000
 *         v3 = load.i64.4 signed [v2 + v1<<2 - 0x8]; result type, size in bytes, mode, address
 *         v4 = add.i64 v2, v3
 *         bind X0, v4
 *         v5 = extr.i64 v4, v3, #7                 ; imm
 *         v6 = const.v128 0x0000000000000001:0x0000000000000002  ; high:low
 *         v7 = call.i64 crc_helper(v4, v5)
 *         v8 = cmp.i32.8 ne v4, v7
 *         branch v8, block1(v4), block2
 *     block2 0x100c cold:
 *         set X0, v4
 *         exit 0x100c
 *     order block0, block1, block2                 ; once pass_order has run
 *
 * Values are numbered densely in the order of the text, which is not their ir_ref; the parser takes any names for
 * values and blocks. Constants are bits in hexadecimal, floating point too. A semicolon begins a comment. NOPs are not
 * shown.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "translator/cpu.h"
#include "translator/ir_text.h"
#include "translator/isa.h"

const char *const ir_type_text[IR_TYPE_COUNT] = {"void", "i32", "i64", "f32", "f64", "v128"};

static const char *const cc_names[] = {"eq", "ne", "ult", "uge", "ule", "ugt", "slt", "sge", "sle", "sgt"};
static const char *const flag_names[] = {
    "eq", "ne", "cs", "cc", "mi", "pl", "vs", "vc", "hi", "ls", "ge", "lt", "gt", "le",
};
static const char *const round_names[] = {"nearest", "up", "down", "zero", "away", "current"};
static const char *const rmw_names[] = {"add", "and", "or", "xor", "smax", "smin", "umax", "umin", "xchg"};
static const char *const fence_names[] = {"full", "load", "store"};
static const char *const trap_names[] = {
    [TRAP_SYSCALL] = "syscall", [TRAP_UNDEFINED] = "undefined", [TRAP_UNIMPLEMENTED] = "unimplemented",
    [TRAP_BREAKPOINT] = "breakpoint", [TRAP_FETCH] = "fetch", [TRAP_ALIGN_PC] = "align_pc", [TRAP_CACHE] = "cache",
    [TRAP_RESYNC] = "resync", [TRAP_HALT] = "halt", [TRAP_FAULT] = "fault", [TRAP_INTERRUPT] = "interrupt",
    [TRAP_ALIGN_DATA] = "align_data", [TRAP_ALIGN_SP] = "align_sp", [TRAP_EXECUTE] = "execute", [TRAP_DATA] = "data",
    [TRAP_DEBUG] = "debug", [TRAP_WINDOW_OPEN] = "window_open", [TRAP_WINDOW_CLOSE] = "window_close",
};

#define NAMES(array) array, sizeof(array) / sizeof(array[0])
static const struct ir_mode_text mode_texts[IR_OP_COUNT] = {
    [IR_CMP] = {NAMES(cc_names), 0xff, {{0}}},
    [IR_COND] = {NAMES(flag_names), 0xff, {{0}}},
    [IR_FCMP] = {NAMES(flag_names), 15, {{IR_FCMP_SIGNAL, "signal"}}},
    [IR_FLAGS_FCMP] = {NULL, 0, 0, {{IR_FLAGS_FCMP_SIGNAL, "signal"}, {IR_FCMP_COVERED, "covered"}}},
    [IR_VFCMP] = {NAMES(flag_names), 0xff, {{0}}},
    [IR_FRINT] = {NAMES(round_names), 7, {{IR_ROUND_INEXACT, "inexact"}}},
    [IR_VFRINT] = {NAMES(round_names), 7, {{IR_ROUND_INEXACT, "inexact"}}},
    [IR_VFRINTN] = {NAMES(round_names), 7, {{IR_ROUND_TO_64, "to64"}}},
    [IR_FTOSI] = {NAMES(round_names), 0xff, {{0}}},
    [IR_FTOUI] = {NAMES(round_names), 0xff, {{0}}},
    [IR_VFTOSI] = {NAMES(round_names), 0xff, {{0}}},
    [IR_VFTOUI] = {NAMES(round_names), 0xff, {{0}}},
    [IR_LOAD] = {NULL, 0, 0, {{IR_MEM_SIGNED, "signed"}, {IR_MEM_ORDERED, "ordered"}}},
    [IR_STORE] = {NULL, 0, 0, {{IR_MEM_ORDERED, "ordered"}}},
    [IR_RMW] = {NAMES(rmw_names), 0xff, {{0}}},
    [IR_FENCE] = {NAMES(fence_names), 0xff, {{0}}},
    [IR_EXIT_TRAP] = {NAMES(trap_names), 0xff, {{0}}},
    [IR_GUARD] = {NAMES(trap_names), 0xff, {{0}}},
};

const struct ir_mode_text *ir_mode_text(enum ir_op op)
{
    return &mode_texts[op];
}

struct printer {
    FILE *out;
    const struct ir *ir;
    const struct ir_names *names;
    uint32_t *number; /* of each value */
};

static void print_mode(struct printer *p, const struct ir_insn *insn)
{
    const struct ir_mode_text *text = ir_mode_text((enum ir_op)insn->op);
    unsigned rest = insn->mode;
    if (ir_has_index(insn))
        rest &= ~(unsigned)IR_MEM_SCALE_BITS(3); /* shown in the address */
    unsigned choice = rest & text->mask;
    if (text->names && choice < text->nnames && text->names[choice]) {
        fprintf(p->out, " %s", text->names[choice]);
        rest &= ~(unsigned)text->mask;
    }
    for (unsigned i = 0; i < 2; i++)
        if (rest & text->bits[i].bit) {
            fprintf(p->out, " %s", text->bits[i].name);
            rest &= ~(unsigned)text->bits[i].bit;
        }
    if (rest)
        fprintf(p->out, " mode %u", rest);
}

static void print_value(struct printer *p, ir_ref ref)
{
    if (ref < p->ir->ninsns)
        fprintf(p->out, "v%" PRIu32, p->number[ref]);
    else
        fputs("none", p->out); /* malformed: the verifier says so */
}

static void print_slot(struct printer *p, uint64_t slot)
{
    if (p->names && p->names->slots && slot < p->names->nslots)
        fputs(p->names->slots[slot].name, p->out);
    else
        fprintf(p->out, "slot%" PRIu64, slot);
}

static void print_address(struct printer *p, const struct ir_insn *insn, bool indexed)
{
    fputs(" [", p->out);
    print_value(p, insn->arg[0]);
    if (indexed && insn->arg[1] != IR_NONE) {
        fputs(" + ", p->out);
        print_value(p, insn->arg[1]);
        if (IR_MEM_SCALE(insn->mode))
            fprintf(p->out, "<<%d", IR_MEM_SCALE(insn->mode));
    }
    if ((int64_t)insn->imm < 0)
        fprintf(p->out, " - %#" PRIx64, -insn->imm);
    else if (insn->imm)
        fprintf(p->out, " + %#" PRIx64, insn->imm);
    fputc(']', p->out);
}

static void print_edge(struct printer *p, const struct ir_edge *edge)
{
    fprintf(p->out, " block%" PRIu32, edge->target);
    for (uint32_t i = 0; i < edge->nargs; i++) {
        fputs(i ? ", " : "(", p->out);
        print_value(p, p->ir->edge_args[edge->first_arg + i]);
    }
    if (edge->nargs)
        fputc(')', p->out);
}

static void print_call(struct printer *p, const struct ir_insn *insn)
{
    fprintf(p->out, " %s(", ((const struct ir_helper *)(uintptr_t)insn->imm)->name);
    for (unsigned i = 0, n = ir_nargs(insn); i < n; i++) {
        fputs(i ? ", " : "", p->out);
        print_value(p, insn->arg[i]);
    }
    fputc(')', p->out);
}

/* Arguments by the letters of the operation table, then imm. */
static void print_args(struct printer *p, const struct ir_insn *insn)
{
    const char *letters = ir_info(insn)->args, *comma = "";
    for (unsigned i = 0; letters[i]; i++) {
        fputs(comma, p->out);
        comma = ",";
        if (letters[i] == 'a') {
            bool indexed = letters[i + 1] == 'a';
            print_address(p, insn, indexed);
            i += indexed;
        } else {
            fputc(' ', p->out);
            print_value(p, insn->arg[i]);
        }
    }
    if (insn->imm && letters[0] != 'a')
        fprintf(p->out, "%s #%" PRIu64, comma, insn->imm);
}

static void print_operands(struct printer *p, const struct ir_insn *insn, const struct ir_block *block)
{
    switch (insn->op) {
    case IR_CONST:
        if (insn->type == IR_V128)
            fprintf(p->out, " 0x%016" PRIx64 ":0x%016" PRIx64, insn->imm2, insn->imm);
        else
            fprintf(p->out, " 0x%" PRIx64, insn->imm);
        break;
    case IR_GET:
        fputc(' ', p->out);
        print_slot(p, insn->imm);
        break;
    case IR_SET:
    case IR_BIND:
        fputc(' ', p->out);
        print_slot(p, insn->imm);
        fputs(", ", p->out);
        print_value(p, insn->arg[0]);
        break;
    case IR_INSN:
    case IR_POLL:
    case IR_EXIT:
        fprintf(p->out, " 0x%" PRIx64, insn->imm);
        break;
    case IR_EXIT_CALL:
    case IR_EXIT_TRAP:
        fprintf(p->out, " 0x%" PRIx64 ", 0x%" PRIx64, insn->imm, insn->imm2);
        break;
    case IR_GUARD:
        fputc(' ', p->out);
        print_value(p, insn->arg[0]);
        fprintf(p->out, ", 0x%" PRIx64 ", 0x%" PRIx64, insn->imm, insn->imm2);
        break;
    case IR_EXIT_INDCALL:
        fputc(' ', p->out);
        print_value(p, insn->arg[0]);
        fprintf(p->out, ", 0x%" PRIx64, insn->imm2);
        break;
    case IR_CALL:
        print_call(p, insn);
        break;
    case IR_JUMP:
        print_edge(p, &block->succ[0]);
        break;
    case IR_BRANCH:
        fputc(' ', p->out);
        print_value(p, insn->arg[0]);
        fputc(',', p->out);
        print_edge(p, &block->succ[0]);
        fputc(',', p->out);
        print_edge(p, &block->succ[1]);
        break;
    default:
        print_args(p, insn);
    }
}

static void print_insn(struct printer *p, ir_ref ref, const struct ir_block *block)
{
    const struct ir_insn *insn = &p->ir->insns[ref];
    fputs("    ", p->out);
    if (insn->type != IR_VOID)
        fprintf(p->out, "v%" PRIu32 " = ", p->number[ref]);
    fputs(ir_info(insn)->text, p->out);
    if (insn->type != IR_VOID)
        fprintf(p->out, ".%s", insn->type < IR_TYPE_COUNT ? ir_type_text[insn->type] : "?");
    if (insn->size)
        fprintf(p->out, ".%u", insn->size);
    print_mode(p, insn);
    print_operands(p, insn, block);
    fputc('\n', p->out);
}

static void print_block(struct printer *p, uint32_t b)
{
    const struct ir_block *block = &p->ir->blocks[b];
    fprintf(p->out, "block%" PRIu32, b);
    uint32_t params = 0;
    for (uint32_t i = block->first; i < block->end; i++)
        if (p->ir->insns[i].op == IR_PARAM)
            fprintf(p->out, "%sv%" PRIu32 ": %s", params++ ? ", " : "(", p->number[i],
                    ir_type_text[p->ir->insns[i].type]);
    fprintf(p->out, "%s 0x%" PRIx64, params ? ")" : "", block->guest_pc);
    if (block->loop_depth)
        fprintf(p->out, " depth %u", block->loop_depth);
    fprintf(p->out, "%s%s:\n", block->cold ? " cold" : "", block->edge ? " edge" : "");
    for (uint32_t i = 0; i < block->nstate; i++) {
        const struct ir_state *state = &p->ir->states[block->first_state + i];
        fputs(i ? ", " : "    state ", p->out);
        print_slot(p, state->slot);
        fputc('=', p->out);
        print_value(p, state->value);
    }
    if (block->nstate)
        fputc('\n', p->out);
    for (uint32_t i = block->first; i < block->end; i++)
        if (p->ir->insns[i].op != IR_NOP && p->ir->insns[i].op != IR_PARAM)
            print_insn(p, i, block);
}

void ir_print(FILE *out, const struct ir *ir, const struct ir_names *names)
{
    struct printer p = {out, ir, names, calloc((size_t)ir->ninsns + 1, sizeof *p.number)};
    if (!p.number)
        return;
    uint32_t n = 0;
    for (uint32_t b = 0; b < ir->nblocks; b++)
        for (uint32_t i = ir->blocks[b].first; i < ir->blocks[b].end; i++)
            if (ir->insns[i].type != IR_VOID && ir->insns[i].op != IR_NOP)
                p.number[i] = n++;
    fprintf(out, "region 0x%" PRIx64 " insns %" PRIu32 "\n", ir->guest_pc, ir->guest_insns);
    for (uint32_t b = 0; b < ir->nblocks; b++)
        print_block(&p, b);
    for (uint32_t i = 0; i < ir->norder; i++)
        fprintf(out, "%s block%" PRIu32, i ? "," : "order", ir->order[i]);
    if (ir->norder)
        fputc('\n', out);
    free(p.number);
}

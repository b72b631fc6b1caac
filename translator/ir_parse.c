/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads the IR's text form, which ir_print.c describes. Names may be used before they are defined. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "translator/ir_text.h"
#include "translator/isa.h"

#define NAME_MAX_LENGTH 64

struct symbol {
    char name[NAME_MAX_LENGTH];
    uint32_t value; /* ir_ref or block number, IR_NONE until defined */
};

struct symbols {
    struct symbol *list;
    uint32_t n, capacity;
};

struct parser {
    struct ir *ir;
    const struct ir_names *names;
    const char *at;
    unsigned line;
    char *error;   /* of 256 bytes; empty while all is well */
    struct symbols values, blocks;
};

/* ---- words ------------------------------------------------------------------------------------------------------- */

__attribute__((format(printf, 2, 3))) static void fail(struct parser *p, const char *format, ...)
{
    if (p->error[0])
        return;
    int n = snprintf(p->error, 256, "line %u: ", p->line);
    va_list args;
    va_start(args, format);
    vsnprintf(p->error + n, 256 - (size_t)n, format, args);
    va_end(args);
}

static bool failed(const struct parser *p) { return p->error[0]; }

/* Blanks and comments within the line. */
static void skip_blanks(struct parser *p)
{
    while (*p->at == ' ' || *p->at == '\t' || *p->at == '\r')
        p->at++;
    if (*p->at == ';')
        p->at += strcspn(p->at, "\n");
}

static bool at_line_end(struct parser *p)
{
    skip_blanks(p);
    return !*p->at || *p->at == '\n';
}

/* To the first word of the next line that has one; false at the end of the text. */
static bool next_line(struct parser *p)
{
    while (at_line_end(p)) {
        if (!*p->at)
            return false;
        p->at++;
        p->line++;
    }
    return true;
}

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* Reads a word if there is one; `word` is empty otherwise. */
static bool read_word(struct parser *p, char word[NAME_MAX_LENGTH])
{
    skip_blanks(p);
    size_t n = 0;
    while (is_word(p->at[n]))
        n++;
    if (n >= NAME_MAX_LENGTH) {
        fail(p, "word longer than %d characters", NAME_MAX_LENGTH - 1);
        n = 0;
    }
    memcpy(word, p->at, n);
    word[n] = 0;
    p->at += n;
    return n;
}

/* Reads the word `wanted` if it is next. */
static bool accept_word(struct parser *p, const char *wanted)
{
    skip_blanks(p);
    size_t n = strlen(wanted);
    if (strncmp(p->at, wanted, n) || is_word(p->at[n]))
        return false;
    p->at += n;
    return true;
}

static bool accept(struct parser *p, char c)
{
    skip_blanks(p);
    if (*p->at != c)
        return false;
    p->at++;
    return true;
}

static void expect(struct parser *p, char c)
{
    if (!accept(p, c))
        fail(p, "expected '%c' before \"%.*s\"", c, (int)strcspn(p->at, "\n"), p->at);
}

static uint64_t read_number(struct parser *p)
{
    skip_blanks(p);
    char *end;
    uint64_t value = *p->at >= '0' && *p->at <= '9' ? strtoull(p->at, &end, 0) : (end = NULL, 0);
    if (!end) {
        fail(p, "expected a number before \"%.*s\"", (int)strcspn(p->at, "\n"), p->at);
        return 0;
    }
    p->at = end;
    return value;
}

/* ---- symbols ----------------------------------------------------------------------------------------------------- */

/* Index of the name, which is added if it is new. */
static uint32_t symbol(struct parser *p, struct symbols *table, const char *name)
{
    for (uint32_t i = table->n; i-- > 0;)
        if (!strcmp(table->list[i].name, name))
            return i;
    if (table->n == table->capacity) {
        uint32_t capacity = table->capacity ? 2 * table->capacity : 64;
        struct symbol *list = realloc(table->list, capacity * sizeof *list);
        if (!list) {
            fail(p, "out of memory");
            return 0;
        }
        table->list = list;
        table->capacity = capacity;
    }
    strcpy(table->list[table->n].name, name);
    table->list[table->n].value = IR_NONE;
    return table->n++;
}

static uint32_t read_symbol(struct parser *p, struct symbols *table, const char *what)
{
    char word[NAME_MAX_LENGTH];
    if (!read_word(p, word)) {
        fail(p, "expected %s before \"%.*s\"", what, (int)strcspn(p->at, "\n"), p->at);
        return IR_NONE;
    }
    return symbol(p, table, word);
}

/* Until the end of the text arguments hold indices of symbols: the definitions may be yet to come. */
static uint32_t read_value(struct parser *p) { return read_symbol(p, &p->values, "a value"); }
static uint32_t read_block(struct parser *p) { return read_symbol(p, &p->blocks, "a block"); }

static void define(struct parser *p, struct symbols *table, const char *name, uint32_t value)
{
    uint32_t i = symbol(p, table, name);
    if (failed(p))
        return;
    if (table->list[i].value != IR_NONE)
        fail(p, "%s is defined twice", name);
    table->list[i].value = value;
}

static enum ir_type read_type(struct parser *p)
{
    char word[NAME_MAX_LENGTH];
    read_word(p, word);
    for (unsigned t = IR_I32; t < IR_TYPE_COUNT; t++)
        if (!strcmp(word, ir_type_text[t]))
            return (enum ir_type)t;
    fail(p, "%s is no type; one of i32, i64, f32, f64, v128", word[0] ? word : "this");
    return IR_VOID;
}

static uint64_t read_slot(struct parser *p)
{
    char word[NAME_MAX_LENGTH];
    unsigned number;
    int used;
    if (!read_word(p, word))
        fail(p, "expected a state slot");
    for (unsigned i = 0; p->names && p->names->slots && i < p->names->nslots; i++)
        if (!strcmp(word, p->names->slots[i].name))
            return i;
    if (sscanf(word, "slot%u%n", &number, &used) == 1 && !word[used])
        return number;
    fail(p, "no state slot is called %s", word);
    return 0;
}

/* ---- instructions ------------------------------------------------------------------------------------------------ */

static void read_mode(struct parser *p, struct ir_insn *insn)
{
    const struct ir_mode_text *text = ir_mode_text((enum ir_op)insn->op);
    unsigned mode = 0;
    for (unsigned i = 0; text->names && i < text->nnames; i++)
        if (text->names[i] && accept_word(p, text->names[i])) {
            mode |= i;
            break;
        }
    for (unsigned i = 0; i < 2; i++)
        if (text->bits[i].bit && accept_word(p, text->bits[i].name))
            mode |= text->bits[i].bit;
    if (accept_word(p, "mode"))
        mode |= (unsigned)read_number(p);
    insn->mode = (uint8_t)mode;
}

/* [base + index<<scale + displacement], all but the base optional. */
static void read_address(struct parser *p, struct ir_insn *insn, bool indexed)
{
    expect(p, '[');
    insn->arg[0] = read_value(p);
    for (bool minus; !failed(p) && ((minus = accept(p, '-')) || accept(p, '+'));) {
        skip_blanks(p);
        if (minus || (*p->at >= '0' && *p->at <= '9')) {
            uint64_t displacement = read_number(p);
            insn->imm = minus ? -displacement : displacement;
        } else if (indexed) {
            insn->arg[1] = read_value(p);
            if (accept(p, '<')) {
                expect(p, '<');
                insn->mode |= (uint8_t)IR_MEM_SCALE_BITS(read_number(p) & 3);
            }
        } else {
            fail(p, "this operation's address takes no index");
        }
    }
    expect(p, ']');
}

static void read_args(struct parser *p, struct ir_insn *insn)
{
    const char *letters = ir_info(insn)->args;
    for (unsigned i = 0; letters[i] && !failed(p); i++) {
        if (i)
            expect(p, ',');
        if (letters[i] == 'a') {
            bool indexed = letters[i + 1] == 'a';
            read_address(p, insn, indexed);
            i += indexed;
        } else {
            insn->arg[i] = read_value(p);
        }
    }
    bool comma = accept(p, ',');
    if (accept(p, '#'))
        insn->imm = read_number(p);
    else if (comma)
        fail(p, "%s takes no more operands", ir_info(insn)->text);
}

static void read_edge(struct parser *p, unsigned which)
{
    uint32_t target = read_block(p), n = 0;
    ir_ref args[512];
    if (accept(p, '(')) {
        do {
            if (n == sizeof args / sizeof args[0])
                fail(p, "more than %zu edge arguments", sizeof args / sizeof args[0]);
            else
                args[n++] = read_value(p);
        } while (!failed(p) && accept(p, ','));
        expect(p, ')');
    }
    if (failed(p))
        return;
    ir_ref *to = ir_set_edge(p->ir, p->ir->nblocks - 1, which, target, n);
    if (n)
        memcpy(to, args, n * sizeof *args);
}

static void read_call(struct parser *p, struct ir_insn *insn)
{
    char word[NAME_MAX_LENGTH];
    read_word(p, word);
    const struct ir_helper *const *helper = p->names ? p->names->helpers : NULL;
    while (helper && *helper && strcmp((*helper)->name, word))
        helper++;
    if (!helper || !*helper) {
        fail(p, "no helper is called %s", word);
        return;
    }
    insn->imm = (uintptr_t)*helper;
    expect(p, '(');
    for (unsigned i = 0, n = ir_nargs(insn); i < n && !failed(p); i++) {
        if (i)
            expect(p, ',');
        insn->arg[i] = read_value(p);
    }
    expect(p, ')');
}

static void read_operands(struct parser *p, struct ir_insn *insn)
{
    switch (insn->op) {
    case IR_CONST:
        insn->imm = read_number(p);
        if (insn->type == IR_V128) {
            expect(p, ':');
            insn->imm2 = insn->imm;
            insn->imm = read_number(p);
        }
        break;
    case IR_GET:
        insn->imm = read_slot(p);
        break;
    case IR_SET:
    case IR_BIND:
        insn->imm = read_slot(p);
        expect(p, ',');
        insn->arg[0] = read_value(p);
        break;
    case IR_INSN:
    case IR_POLL:
    case IR_EXIT:
        insn->imm = read_number(p);
        break;
    case IR_EXIT_CALL:
    case IR_EXIT_TRAP:
        insn->imm = read_number(p);
        expect(p, ',');
        insn->imm2 = read_number(p);
        break;
    case IR_GUARD:
        insn->arg[0] = read_value(p);
        expect(p, ',');
        insn->imm = read_number(p);
        expect(p, ',');
        insn->imm2 = read_number(p);
        break;
    case IR_EXIT_INDCALL:
        insn->arg[0] = read_value(p);
        expect(p, ',');
        insn->imm2 = read_number(p);
        break;
    case IR_CALL:
        read_call(p, insn);
        break;
    case IR_JUMP:
        read_edge(p, 0);
        break;
    case IR_BRANCH:
        insn->arg[0] = read_value(p);
        expect(p, ',');
        read_edge(p, 0);
        expect(p, ',');
        read_edge(p, 1);
        break;
    default:
        read_args(p, insn);
    }
}

/* `op.type.size mode operands`; the operation's name has been read. */
static void read_insn(struct parser *p, const char *op, const char *result)
{
    unsigned o = 0;
    while (o < IR_OP_COUNT && strcmp(op, ir_op_table[o].text))
        o++;
    if (o == IR_OP_COUNT || o == IR_PARAM) {
        fail(p, "no operation is called %s", op);
        return;
    }
    struct ir_insn insn = {.op = (uint8_t)o, .arg = {IR_NONE, IR_NONE, IR_NONE, IR_NONE}};
    while (*p->at == '.') {
        p->at++;
        if (*p->at >= '0' && *p->at <= '9')
            insn.size = (uint8_t)read_number(p);
        else
            insn.type = (uint8_t)read_type(p);
    }
    if ((insn.type != IR_VOID) != (result[0] != 0)) {
        fail(p, result[0] ? "%s has no result type" : "the result of %s has no name", op);
        return;
    }
    read_mode(p, &insn);
    read_operands(p, &insn);
    if (failed(p))
        return;
    ir_ref ref = ir_append(p->ir, (enum ir_op)o, (enum ir_type)insn.type);
    p->ir->insns[ref] = insn;
    if (result[0])
        define(p, &p->values, result, ref);
}

/* ---- blocks and the region --------------------------------------------------------------------------------------- */

/* `block3(v1: i64) 0x1000 depth 1 cold edge:`; the name has been read. */
static void read_block_header(struct parser *p, const char *name)
{
    uint32_t b = ir_add_block(p->ir);
    define(p, &p->blocks, name, b);
    if (accept(p, '(')) {
        do {
            char word[NAME_MAX_LENGTH];
            if (!read_word(p, word))
                fail(p, "expected a parameter");
            expect(p, ':');
            ir_ref param = ir_append(p->ir, IR_PARAM, read_type(p));
            p->ir->insns[param].imm = p->ir->blocks[b].nparams++;
            define(p, &p->values, word, param);
        } while (!failed(p) && accept(p, ','));
        expect(p, ')');
    }
    skip_blanks(p);
    if (*p->at >= '0' && *p->at <= '9')
        p->ir->blocks[b].guest_pc = read_number(p);
    if (accept_word(p, "depth"))
        p->ir->blocks[b].loop_depth = (uint8_t)read_number(p);
    p->ir->blocks[b].cold = accept_word(p, "cold");
    p->ir->blocks[b].edge = accept_word(p, "edge");
    expect(p, ':');
}

static void read_state(struct parser *p)
{
    do {
        uint64_t slot = read_slot(p);
        expect(p, '=');
        ir_add_state(p->ir, p->ir->nblocks - 1, (uint32_t)slot, read_value(p));
    } while (!failed(p) && accept(p, ','));
}

static void read_order(struct parser *p)
{
    ir_reserve_order(p->ir);
    do {
        uint32_t block = read_block(p);
        if (p->ir->norder == p->ir->nblocks)
            fail(p, "the order has more blocks than the region");
        else
            p->ir->order[p->ir->norder++] = block;
    } while (!failed(p) && accept(p, ','));
}

static bool line_ends_with_colon(const struct parser *p)
{
    size_t n = strcspn(p->at, ";\n");
    while (n && (p->at[n - 1] == ' ' || p->at[n - 1] == '\t' || p->at[n - 1] == '\r'))
        n--;
    return n && p->at[n - 1] == ':';
}

static void read_line(struct parser *p)
{
    char word[NAME_MAX_LENGTH], op[NAME_MAX_LENGTH];
    struct ir *ir = p->ir;
    if (!read_word(p, word)) {
        fail(p, "expected a block, a value or an operation before \"%.*s\"", (int)strcspn(p->at, "\n"), p->at);
    } else if (!strcmp(word, "region")) {
        ir->guest_pc = read_number(p);
        if (accept_word(p, "insns"))
            ir->guest_insns = (uint32_t)read_number(p);
    } else if (!strcmp(word, "order")) {
        read_order(p);
    } else if (accept(p, '=')) {
        read_word(p, op);
        if (!ir->nblocks)
            fail(p, "an instruction before the first block");
        else
            read_insn(p, op, word);
    } else if (line_ends_with_colon(p)) {
        read_block_header(p, word);
    } else if (!ir->nblocks) {
        fail(p, "an instruction before the first block");
    } else if (!strcmp(word, "state")) {
        read_state(p);
    } else {
        read_insn(p, word, "");
    }
    if (!at_line_end(p))
        fail(p, "unexpected \"%.*s\"", (int)strcspn(p->at, "\n"), p->at);
}

static uint32_t resolve(struct parser *p, const struct symbols *table, uint32_t index)
{
    if (index == IR_NONE)
        return IR_NONE;
    if (table->list[index].value == IR_NONE)
        fail(p, "%s is used and nowhere defined", table->list[index].name);
    return table->list[index].value;
}

static void resolve_all(struct parser *p)
{
    struct ir *ir = p->ir;
    for (uint32_t i = 0; i < ir->ninsns; i++)
        for (unsigned a = 0, n = ir_nargs(&ir->insns[i]); a < n; a++)
            ir->insns[i].arg[a] = resolve(p, &p->values, ir->insns[i].arg[a]);
    for (uint32_t i = 0; i < ir->nedge_args; i++)
        ir->edge_args[i] = resolve(p, &p->values, ir->edge_args[i]);
    for (uint32_t i = 0; i < ir->nstates; i++)
        ir->states[i].value = resolve(p, &p->values, ir->states[i].value);
    for (uint32_t b = 0; b < ir->nblocks; b++)
        for (unsigned s = 0; s < 2; s++)
            ir->blocks[b].succ[s].target = resolve(p, &p->blocks, ir->blocks[b].succ[s].target);
    for (uint32_t i = 0; i < ir->norder; i++)
        ir->order[i] = resolve(p, &p->blocks, ir->order[i]);
}

const char *ir_parse(struct ir *ir, const char *text, const struct ir_names *names, char error[256])
{
    struct parser p = {.ir = ir, .names = names, .at = text, .line = 1, .error = error};
    error[0] = 0;
    ir_reset(ir);
    while (!failed(&p) && next_line(&p))
        read_line(&p);
    if (!failed(&p))
        resolve_all(&p);
    free(p.values.list);
    free(p.blocks.list);
    return failed(&p) ? error : NULL;
}

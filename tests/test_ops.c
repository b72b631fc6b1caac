/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every operation of ir_ops.inc in every form: the x86-64 backend against the reference interpreter, bit for bit,
 * results and floating-point status, on edge operands and random ones. Each form is compiled in several settings
 * (enum setting), which differ in where the operands are and who uses the result. The interpreter itself is checked
 * against worked examples.
 *
 * Status must agree but for MXCSR.DE, which has no meaning. That includes underflow of results on the border of the
 * denormals, where the host by itself, which detects tininess after rounding, raises less than the architecture.
 */
#include <assert.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/ops_forms.h"
#include "tests/ops_machine.h"

#define RUNS 120         /* with operands in slots */
#define CONSTANT_RUNS 10 /* for each choice of which operands are constants */
#define HALT_PC 0x1000
#define TAKEN_PC 0x2000

enum setting {
    SET_SLOTS,    /* operands straight from their slots */
    SET_COMPUTED, /* operands are results of other operations, and used again afterwards */
    SET_MEMORY,   /* operands are loaded from memory */
    SET_PRESSURE, /* as COMPUTED, with more values alive than the host has registers */
    SET_SAME,     /* all operands of one type are one value */
    SET_CONSTANT, /* some operands are constants */
    SET_BRANCH,   /* 0 or 1 decides a branch */
    SET_SELECT,   /* 0 or 1 decides a SELECT */
    SET_COUNT,
};

union bits {
    uint64_t u64[2];
    uint8_t bytes[16];
    __m128i vector;
};

struct test {
    struct ops_machine reference, tested;
    bool compare; /* `tested` exists */
    struct ir ir;
    uint64_t seed;
    uint64_t regions, runs;
};

/* ---- operands --------------------------------------------------------------------------------------------------- */

static uint64_t next_random(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static uint64_t random_int(uint64_t *seed, unsigned bits)
{
    uint64_t r = next_random(seed), top = UINT64_C(1) << (bits - 1);
    switch (next_random(seed) & 15) {
    case 0:
        return 0;
    case 1:
        return 1;
    case 2:
        return UINT64_MAX;
    case 3:
        return top;
    case 4:
        return top - 1;
    case 5:
        return r & 0xff;
    case 6:
        return r & 1 ? bits : -(uint64_t)bits;
    case 7:
        return UINT64_C(1) << (r & 63);
    case 8:
        return top >> 1;
    case 9:
        return r & 0x7f;
    case 10:
        return -(r & 0x7f);
    default:
        return r >> (next_random(seed) & 1 ? next_random(seed) & 63 : 0);
    }
}

static uint64_t random_float(uint64_t *seed, unsigned bits)
{
    unsigned f = bits == 16 ? 10 : bits == 32 ? 23 : 52, e = bits - 1 - f;
    uint64_t r = next_random(seed), choice = next_random(seed), max_exp = (UINT64_C(1) << e) - 1, bias = max_exp >> 1;
    uint64_t exp = r >> f & max_exp, frac = r & ((UINT64_C(1) << f) - 1), sign = choice >> 63;
    switch (choice & 15) {
    case 0:
        exp = frac = 0;
        break;
    case 1:
        exp = max_exp;
        frac = 0;
        break;
    case 2: /* any NaN */
        exp = max_exp;
        break;
    case 3: /* denormal */
        exp = 0;
        frac >>= choice >> 8 & 31;
        break;
    case 4:
        exp = bias;
        frac = 0;
        break;
    case 5:
    case 6: /* the integers and what lies between them */
        exp = bias - 2 + (r >> 56) % (f + 4);
        frac &= ~((UINT64_C(1) << (choice >> 8) % f) - 1);
        break;
    case 7: /* around the limits of integers */
        exp = bias + (choice & 16 ? 31 : 63) - (choice >> 5 & 1);
        frac = choice & 64 ? 0 : choice & 128 ? (UINT64_C(1) << f) - 1 - (r & 0xff) : frac;
        break;
    case 8:
        exp = max_exp - 1;
        break;
    case 9:
        exp = 1;
        break;
    case 10:
        exp = bias / 2 + (r >> 60 & 3);
        break;
    case 11:
    case 12:
        exp = bias - 2 + (r >> 60 & 3);
        break;
    }
    return sign << (bits - 1) | (exp & max_exp) << f | frac;
}

static bool form_is_float(const struct form *form)
{
    return (ir_info(&form->insn)->attrs & IR_ATTR_FPSR) || form->insn.op == IR_VFNEG || form->insn.op == IR_VFABS;
}

static union bits random_operand(uint64_t *seed, const struct form *form, unsigned i)
{
    union bits value = {.u64 = {0, 0}};
    unsigned op = form->insn.op;
    switch (form->args[i]) {
    case IR_I32:
        value.u64[0] = (uint32_t)random_int(seed, 32);
        if ((op == IR_SELECT && i == 0) || (op == IR_FLAGS_ADC && i == 2)) {
            value.u64[0] &= 1;
        } else if (op == IR_COND || op == IR_FLAGS_UNPACK) {
            value.u64[0] &= ~UINT64_C(0xfe); /* packed flags (ir.h) */
        }
        break;
    case IR_I64:
        value.u64[0] = random_int(seed, 64);
        break;
    case IR_F32:
        value.u64[0] = random_float(seed, 32);
        break;
    case IR_F64:
        value.u64[0] = random_float(seed, 64);
        break;
    default: {
        bool of_integers = op == IR_VSITOF || op == IR_VUITOF || !form_is_float(form);
        unsigned size = form->insn.size ? form->insn.size : 1u << next_random(seed) % 4;
        if (op == IR_VFMLAL && i < 2) {
            size = 2;
        }
        for (unsigned k = 0; k < 16; k += size) {
            uint64_t lane = of_integers ? random_int(seed, size * 8) : random_float(seed, size * 8);
            memcpy(value.bytes + k, &lane, size);
        }
        break;
    }
    }
    return value;
}

/*
 * Operands whose result lies on the border of the denormals: just below the smallest normal number and rounded up to
 * it, at least in some rounding mode. Too rare to be met by chance. Changes nothing for other operations.
 */
static uint64_t border_operand(uint64_t *seed, const struct form *form, unsigned i, unsigned bits)
{
    unsigned f = bits == 16 ? 10 : bits == 32 ? 23 : 52, op = form->insn.op;
    uint64_t r = next_random(seed), smallest = UINT64_C(1) << f;
    uint64_t one = bits == 16 ? 0x3c00 : bits == 32 ? 0x3f800000 : UINT64_C(1023) << 52;
    uint64_t few = r & 3, sign = (r >> 63) << (bits - 1);
    bool divides = op == IR_FDIV || op == IR_VFDIV;
    if (op == IR_VFCVTN && bits == 32) { /* single to half: 2^-14 less a little */
        return sign | (((127 - 14) << 23) - (UINT64_C(1) << r % 14) - few);
    }
    if (op == IR_VFCVTXN && few == 0) { /* largest number and more */
        return sign | (((UINT64_C(1023) + 128) << 52) - (UINT64_C(1) << r % 32));
    }
    if (op == IR_FCVT || op == IR_VFCVTN || op == IR_VFCVTXN) { /* double to single: 2^-126 less a little */
        return sign | (((UINT64_C(1023) - 126) << 52) - (UINT64_C(1) << r % 32) - few);
    }
    switch (i) {
    case 0:
        return sign | (smallest - few);
    case 1:
        return sign | (divides ? one - few : one + few);
    default:
        return sign | (r >> 8 & 1);
    }
}

/*
 * A product that is half a unit in the last place of the addend, or nearly so, or the other way round: for fused
 * operations on halves, which are not done in one step.
 */
static uint64_t middle_operand(uint64_t *seed, unsigned i)
{
    uint64_t r = next_random(seed), sign = r >> 63 << 15, few = r >> 8 & 3;
    switch (i) {
    case 0:
        return sign | (0x3c00 + few); /* 1 and a little */
    case 1:
        return sign | (((r >> 16) % 12 << 10) + (r >> 10 & 1) * 0x1000 + (r >> 11 & 3)); /* near a power of two */
    default:
        return sign | ((r >> 32 & 0x7fff) % 0x7c00);
    }
}

static void make_border_operands(uint64_t *seed, const struct form *form, union bits operands[3])
{
    unsigned op = form->insn.op;
    bool on_border = op == IR_FMUL || op == IR_FDIV || op == IR_FMA || op == IR_VFMUL || op == IR_VFDIV ||
                     op == IR_VFMA || op == IR_VFMULX || (op == IR_FCVT && form->insn.size == 8) || op == IR_VFCVTN ||
                     op == IR_VFCVTXN;
    for (unsigned i = 0; on_border && i < form->nargs; i++) {
        bool wide = form->args[i] == IR_F64 || (form->args[i] == IR_V128 && form->insn.size == 8);
        bool half = form->args[i] == IR_V128 && form->insn.size == 2;
        unsigned size = wide ? 8 : half ? 2 : 4, lanes = form->args[i] == IR_V128 ? 16 / size : 1;
        for (unsigned k = 0; k < lanes; k++) {
            uint64_t lane = op == IR_VFMA && half && k % 4 ? middle_operand(seed, i)
                                                           : border_operand(seed, form, i, size * 8);
            memcpy(operands[i].bytes + k * size, &lane, size);
        }
    }
}

/* ---- regions ---------------------------------------------------------------------------------------------------- */

static ir_ref add(struct ir *ir, enum ir_op op, enum ir_type type, uint64_t imm, ir_ref a, ir_ref b)
{
    ir_ref ref = ir_append(ir, op, type);
    ir->insns[ref].imm = imm;
    if (a != IR_NONE) {
        ir->insns[ref].arg[0] = a;
    }
    if (b != IR_NONE) {
        ir->insns[ref].arg[1] = b;
    }
    return ref;
}

static ir_ref add_get(struct ir *ir, unsigned slot, enum ir_type type)
{
    return add(ir, IR_GET, type, slot, IR_NONE, IR_NONE);
}

static void add_set(struct ir *ir, unsigned slot, ir_ref value)
{
    add(ir, IR_SET, IR_VOID, slot, value, IR_NONE);
}

static ir_ref add_const(struct ir *ir, enum ir_type type, union bits bits)
{
    ir_ref ref = add(ir, IR_CONST, type, bits.u64[0], IR_NONE, IR_NONE);
    if (type == IR_V128) {
        ir->insns[ref].imm2 = bits.u64[1];
    }
    return ref;
}

/* The operand's bits, but as the result of an operation. */
static ir_ref add_computed(struct ir *ir, enum ir_type type, unsigned i)
{
    if (type == IR_V128) {
        return add(ir, IR_VXOR, IR_V128, 0, add_get(ir, operand_slot(type, i), type), add_get(ir, SLOT_VZERO, type));
    }
    bool is_float = type == IR_F32 || type == IR_F64;
    enum ir_type int_type = form_bits(type) == 64 ? IR_I64 : IR_I32;
    ir_ref zero = add_get(ir, SLOT_ZERO, IR_I64);
    if (int_type == IR_I32) {
        zero = add(ir, IR_TRUNC, IR_I32, 0, zero, IR_NONE);
    }
    ir_ref value = add_get(ir, operand_slot(type, i), type);
    if (is_float) {
        value = add(ir, IR_BITCAST, int_type, 0, value, IR_NONE);
    }
    value = add(ir, IR_XOR, int_type, 0, value, zero);
    return is_float ? add(ir, IR_BITCAST, type, 0, value, IR_NONE) : value;
}

static ir_ref add_loaded(struct ir *ir, enum ir_type type, const void *address)
{
    ir_ref base = add_const(ir, IR_I64, (union bits){.u64 = {(uintptr_t)address, 0}});
    ir_ref value = add(ir, IR_LOAD, type, 0, base, IR_NONE);
    ir->insns[value].size = (uint8_t)ir_type_size(type);
    return value;
}

static void add_trap(struct ir *ir, uint64_t pc)
{
    ir_ref ref = ir_append(ir, IR_EXIT_TRAP, IR_VOID);
    ir->insns[ref].imm = pc;
    ir->insns[ref].mode = TRAP_HALT;
    ir->insns[ref].imm2 = 0;
}

static void begin_region(struct ir *ir)
{
    ir_reset(ir);
    ir->guest_pc = 0x800;
    ir_add_block(ir);
    ir->blocks[0].guest_pc = 0x800;
    add(ir, IR_INSN, IR_VOID, 0x800, IR_NONE, IR_NONE);
}

static void finish_region(struct test *t)
{
    struct ir *ir = &t->ir;
    pass_order(ir);
    const struct ir_names names = {t->reference.slots, SLOT_COUNT, NULL};
    char error[256];
    const char *message = ir_verify(ir, &names, error);
    if (message) {
        ir_print(stderr, ir, &names);
        fail_msg("%s", message);
    }
}

/* `constants`: which operands, bit by bit; `operands` are their values. */
static void build_region(struct test *t, const struct form *form, enum setting setting, unsigned constants,
                         const union bits operands[3])
{
    struct ir *ir = &t->ir;
    ir_ref args[3], ballast[BALLAST], vballast[BALLAST];
    bool pressure = setting == SET_PRESSURE, again = setting == SET_COMPUTED || setting == SET_SAME || pressure;

    begin_region(ir);
    for (unsigned i = 0; pressure && i < BALLAST; i++) {
        union bits step = {.u64 = {i + 1, i}};
        ballast[i] = add(ir, IR_ADD, IR_I64, 0, add_get(ir, SLOT_BALLAST + i, IR_I64), add_const(ir, IR_I64, step));
        vballast[i] =
            add(ir, IR_VXOR, IR_V128, 0, add_get(ir, SLOT_VBALLAST + i, IR_V128), add_const(ir, IR_V128, step));
    }
    for (unsigned i = 0; i < form->nargs; i++) {
        enum ir_type type = form->args[i];
        if (setting == SET_SAME && i > 0 && type == form->args[i - 1]) {
            args[i] = args[i - 1];
        } else if (constants >> i & 1) {
            args[i] = add_const(ir, type, operands[i]);
        } else if (setting == SET_MEMORY) {
            const size_t offset = t->reference.slots[operand_slot(type, i)].offset;
            args[i] = add_loaded(ir, type, (uint8_t *)t->reference.cpu + offset);
        } else if (again) {
            args[i] = add_computed(ir, type, i);
        } else {
            args[i] = add_get(ir, operand_slot(type, i), type);
        }
    }

    ir_ref result = ir_append(ir, form->insn.op, form->insn.type);
    ir_ref first_arg = ir->insns[result].arg[0];
    ir->insns[result] = form->insn;
    for (unsigned i = 0; i < 4; i++) {
        ir->insns[result].arg[i] = i < form->nargs ? args[i] : first_arg;
    }

    if (setting == SET_SELECT) {
        ir_ref chosen = add_get(ir, SLOT_BALLAST, IR_I64), other = add_get(ir, SLOT_BALLAST + 1, IR_I64);
        ir_ref select = add(ir, IR_SELECT, IR_I64, 0, result, chosen);
        ir->insns[select].arg[2] = other;
        add_set(ir, SLOT_OUT_I64, select);
    } else if (setting != SET_BRANCH) {
        add_set(ir, result_slot(form->insn.type), result);
    }
    for (unsigned i = 0; again && i < form->nargs; i++) {
        add_set(ir, copy_slot(form->args[i], i), args[i]);
    }
    for (unsigned i = 0; pressure && i < BALLAST; i++) {
        add_set(ir, SLOT_OUT_BALLAST + i, ballast[i]);
        add_set(ir, SLOT_OUT_VBALLAST + i, vballast[i]);
    }
    if (setting == SET_BRANCH) {
        add(ir, IR_BRANCH, IR_VOID, 0, result, IR_NONE);
        for (unsigned i = 0; i < 2; i++) {
            uint32_t block = ir_add_block(ir);
            ir_set_edge(ir, 0, i, block, 0);
            add_trap(ir, i == 0 ? TAKEN_PC : HALT_PC);
        }
    } else {
        add_trap(ir, HALT_PC);
    }
    finish_region(t);
}

/* ---- running and comparing -------------------------------------------------------------------------------------- */

/* Sets up both CPUs alike. The interpreter's one is where SET_MEMORY loads from, for both. */
static void set_operands(struct test *t, const struct form *form, const union bits operands[3], unsigned rounding)
{
    struct ops_machine *machines[2] = {&t->reference, &t->tested};
    for (unsigned m = 0; m < 1u + t->compare; m++) {
        uint64_t seed = 1;
        struct ops_cpu *cpu = machines[m]->cpu;
        memset((uint8_t *)cpu + sizeof cpu->cpu, 0, sizeof *cpu - sizeof cpu->cpu);
        cpu->cpu.mxcsr = 0x1f80 | rounding << 13;
        for (unsigned i = 0; i < form->nargs && i < 3; i++) {
            unsigned slot = operand_slot(form->args[i], i);
            memcpy((uint8_t *)cpu + t->reference.slots[slot].offset, &operands[i], ir_type_size(form->args[i]));
        }
        for (unsigned i = 0; i < BALLAST; i++) {
            cpu->ballast[i] = next_random(&seed);
            cpu->vballast[i] = _mm_set_epi64x((int64_t)next_random(&seed), (int64_t)i);
        }
    }
}

static void fail_run(struct test *t, const struct form *form, enum setting setting, const union bits operands[3],
                     const char *what)
{
    static const char *const settings[SET_COUNT] = {"slots", "computed", "memory", "pressure",
                                                    "same",  "constant", "branch", "select"};
    const struct ir_names names = {t->reference.slots, SLOT_COUNT, NULL};
    const struct ops_cpu *a = t->reference.cpu, *b = t->tested.cpu;
    unsigned out = t->reference.slots[result_slot(setting == SET_SELECT ? IR_I64 : form->insn.type)].offset;
    union bits results[2] = {{.u64 = {0, 0}}, {.u64 = {0, 0}}};
    unsigned size = ir_type_size(setting == SET_SELECT ? IR_I64 : form->insn.type);
    memcpy(&results[0], (const uint8_t *)a + out, size);
    memcpy(&results[1], (const uint8_t *)b + out, size);
    if (setting != SET_PRESSURE) {
        ir_print(stderr, &t->ir, &names);
    }
    for (unsigned i = 0; i < form->nargs; i++) {
        fprintf(stderr, "operand %u  %016llx %016llx\n", i, (unsigned long long)operands[i].u64[1],
                (unsigned long long)operands[i].u64[0]);
    }
    fprintf(stderr, "%-9s  %016llx %016llx pc %#llx mxcsr %#x\n%-9s  %016llx %016llx pc %#llx mxcsr %#x\n",
            t->reference.backend->name, (unsigned long long)results[0].u64[1], (unsigned long long)results[0].u64[0],
            (unsigned long long)a->cpu.pc, a->cpu.mxcsr, t->tested.backend->name, (unsigned long long)results[1].u64[1],
            (unsigned long long)results[1].u64[0], (unsigned long long)b->cpu.pc, b->cpu.mxcsr);
    fail_msg("%s size %u mode %u imm %llu, %s: %s", ir_info(&form->insn)->text, form->insn.size, form->insn.mode,
             (unsigned long long)form->insn.imm, settings[setting], what);
}

static void check_same(struct test *t, const struct form *form, enum setting setting, const union bits operands[3])
{
    struct ops_cpu *a = t->reference.cpu, *b = t->tested.cpu;
    enum { DE = 2 };
    uint32_t status_a = a->cpu.mxcsr & ~DE, status_b = b->cpu.mxcsr & ~DE;
    if (form->insn.op >= IR_FLAGS_ADD && form->insn.op <= IR_FLAGS_PACK) { /* the other bits are undefined */
        a->out_i32 &= IR_FLAGS_MASK;
        b->out_i32 &= IR_FLAGS_MASK;
    }
    if (a->cpu.exit_reason != b->cpu.exit_reason || a->cpu.trap != b->cpu.trap || a->cpu.pc != b->cpu.pc) {
        fail_run(t, form, setting, operands, "different exits");
    }
    if (memcmp((const uint8_t *)a + sizeof a->cpu, (const uint8_t *)b + sizeof b->cpu, sizeof *a - sizeof a->cpu) !=
        0) {
        fail_run(t, form, setting, operands, "different state");
    }
    if (status_a != status_b) {
        fail_run(t, form, setting, operands, "different status");
    }
}

static void run_both(struct test *t, const struct form *form, enum setting setting, const struct region regions[2],
                     const union bits operands[3])
{
    set_operands(t, form, operands, (unsigned)next_random(&t->seed) & 3);
    ops_run(&t->reference, &regions[0]);
    assert_int_equal(t->reference.cpu->cpu.exit_reason, CPU_EXIT_TRAP);
    assert_int_equal(t->reference.cpu->cpu.trap, TRAP_HALT);
    if (t->compare) {
        ops_run(&t->tested, &regions[1]);
        check_same(t, form, setting, operands);
    }
    t->runs++;
}

static void compile_both(struct test *t, struct region regions[2])
{
    if (!ops_compile(&t->reference, &t->ir, &regions[0]) ||
        (t->compare && !ops_compile(&t->tested, &t->ir, &regions[1]))) {
        fail_msg("region did not compile");
    }
    t->regions++;
}

static void free_both(struct test *t, struct region regions[2])
{
    ops_region_free(&regions[0]);
    if (t->compare) {
        ops_region_free(&regions[1]);
    }
}

static void run_setting(struct test *t, const struct form *form, enum setting setting, unsigned constants,
                        unsigned runs)
{
    struct region regions[2];
    union bits operands[3];
    for (unsigned i = 0; i < form->nargs; i++) {
        operands[i] = random_operand(&t->seed, form, i);
    }
    build_region(t, form, setting, constants, operands);
    compile_both(t, regions);
    for (unsigned run = 0; run < runs; run++) {
        for (unsigned i = 0; i < form->nargs; i++) {
            if (!(constants >> i & 1)) {
                bool near =
                    run % 8 == 7 && i > 0 && form->args[i] == form->args[i - 1]; /* equal operands now and then */
                operands[i] = near ? operands[i - 1] : random_operand(&t->seed, form, i);
            }
        }
        if (constants == 0 && run % 8 == 3) {
            make_border_operands(&t->seed, form, operands);
        }
        run_both(t, form, setting, regions, operands);
    }
    free_both(t, regions);
}

static void run_form(void *opaque, const struct form *form)
{
    struct test *t = opaque;
    bool is_truth = form->insn.op == IR_CMP || form->insn.op == IR_COND || form->insn.op == IR_FCMP;
    for (unsigned setting = 0; setting < SET_COUNT; setting++) {
        if (setting == SET_CONSTANT || ((setting == SET_BRANCH || setting == SET_SELECT) && !is_truth) ||
            (setting == SET_SAME && form->nargs < 2)) {
            continue;
        }
        run_setting(t, form, setting, 0, RUNS);
    }
    for (unsigned constants = 1; constants < 1u << form->nargs; constants++) {
        for (unsigned i = 0; i < CONSTANT_RUNS; i++) {
            run_setting(t, form, SET_CONSTANT, constants, 6);
        }
        if (is_truth) {
            run_setting(t, form, SET_BRANCH, constants, 20);
        }
    }
}

/* ---- the tests -------------------------------------------------------------------------------------------------- */

/* `extensions`: with the host's instructions beyond the backend's baseline. */
static struct test *make_test(bool extensions)
{
    struct test *t = calloc(1, sizeof *t);
    if (!t || !ops_machine_init(&t->reference, &backend_interp, false)) {
        return NULL;
    }
    t->compare = ops_machine_init(&t->tested, &backend_x86_64, extensions);
    if (!t->compare) {
        print_message("the x86_64 backend cannot run here (%s): checking the interpreter alone\n",
                      backend_x86_64.missing() ? backend_x86_64.missing() : "no memory");
    }
    ir_init(&t->ir);
    return t;
}

static void release_test(struct test *t)
{
    ops_machine_free(&t->reference);
    ops_machine_free(&t->tested);
    ir_free(&t->ir);
    free(t);
}

static void test_table_is_complete(void **state)
{
    (void)state;
    for (unsigned op = 0; op < IR_OP_COUNT; op++) {
        bool found = form_is_special(op) || ir_op_table[op].result == IR_RES_NONE;
        for (unsigned i = 0; i < OP_FORMS; i++) {
            found |= op_forms[i].op == op;
        }
        if (!found) {
            fail_msg("%s is not tested", ir_op_table[op].text);
        }
    }
}

/* A case of its own for each row, so that one that fails hides no other. */
struct row {
    struct test *t;
    const struct op_forms *forms;
};

static void test_row(void **state)
{
    const struct row *row = *state;
    row->t->seed = row->forms->op;
    uint64_t runs = row->t->runs;
    forms_each(row->forms, run_form, row->t);
    assert_true(row->t->runs > runs);
}

/*
 * All operands of the operations that have one half-precision (or 16-bit) operand, in all rounding modes. One lane at a
 * time, so that no other's status hides its own; the other lanes hold 1.0, which raises nothing.
 */
static void run_all_halves(void *opaque, const struct form *form)
{
    struct test *t = opaque;
    struct region regions[2];
    unsigned lane = 0;
    if (form->nargs != 1 || form->insn.size != 2 || !(ir_info(&form->insn)->attrs & IR_ATTR_FPSR)) {
        return;
    }
    build_region(t, form, SET_SLOTS, 0, NULL);
    compile_both(t, regions);
    for (unsigned rounding = 0; rounding < 4; rounding++) {
        for (unsigned bits = 0; bits < 0x10000; bits++) {
            union bits operands[3] = {{.u64 = {UINT64_C(0x3c003c003c003c00), UINT64_C(0x3c003c003c003c00)}}};
            lane = (lane + 1) % (form->insn.op == IR_VFCVTL ? 4 : 8);
            memcpy(operands[0].bytes + 2 * lane, &bits, 2);
            set_operands(t, form, operands, rounding);
            ops_run(&t->reference, &regions[0]);
            if (t->compare) {
                ops_run(&t->tested, &regions[1]);
                check_same(t, form, SET_SLOTS, operands);
            }
        }
    }
    free_both(t, regions);
}

static void test_all_halves(void **state)
{
    for (unsigned i = 0; i < OP_FORMS; i++) {
        forms_each(&op_forms[i], run_all_halves, *state);
    }
}

#include "tests/ops_examples.h"
#include "tests/ops_memory.h"

/* The operations that are emitted otherwise without the host's extensions. */
#define FIRST_EXTENDED IR_VCLMUL
#define LAST_EXTENDED IR_VSHA256MSG2
enum { EXTENDED = LAST_EXTENDED - FIRST_EXTENDED + 1, OTHERS = 7 };

int main(void)
{
    struct test *t = make_test(true), *plain = make_test(false);
    if (!t || !plain) {
        return 1;
    }
    struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table_is_complete),
        cmocka_unit_test(test_examples),
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_calls),
        cmocka_unit_test(test_loop),
        cmocka_unit_test(test_fault),
        cmocka_unit_test(test_all_halves),
        [OTHERS ... OTHERS + OP_FORMS + EXTENDED - 1] = cmocka_unit_test(test_row),
    };
    struct row rows[OP_FORMS + EXTENDED];
    char names[EXTENDED][32];
    for (unsigned i = 0; i < OTHERS; i++) {
        tests[i].initial_state = t;
    }
    unsigned n = 0;
    for (unsigned i = 0; i < OP_FORMS; i++) {
        rows[n] = (struct row){t, &op_forms[i]};
        tests[OTHERS + n++].name = ir_op_table[op_forms[i].op].text;
    }
    for (unsigned i = 0; i < OP_FORMS; i++) {
        unsigned op = op_forms[i].op;
        if (op >= FIRST_EXTENDED && op <= LAST_EXTENDED) {
            snprintf(names[op - FIRST_EXTENDED], sizeof names[0], "%s-plain", ir_op_table[op].text);
            rows[n] = (struct row){plain, &op_forms[i]};
            tests[OTHERS + n++].name = names[op - FIRST_EXTENDED];
        }
    }
    assert(n == OP_FORMS + EXTENDED);
    for (unsigned i = 0; i < n; i++) {
        tests[OTHERS + i].initial_state = &rows[i];
    }
    int failed = cmocka_run_group_tests_name("ops", tests, NULL, NULL);
    release_test(t);
    release_test(plain);
    return failed;
}

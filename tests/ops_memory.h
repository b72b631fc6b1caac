/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Part of test_ops.c: what has effects: guest memory, calls, loops with parameters, and exact state after a fault. */

#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

/* ---- memory ----------------------------------------------------------------------------------------------------- */

#define MEMORY 4096

struct access_form {
    uint8_t op, type, size, mode;
    uint64_t imm;
    bool indexed;
};

struct access_test {
    struct test *t;
    uint8_t *memory; /* MEMORY bytes, 16-aligned */
    uint8_t *expected;
};

/* Operands: x0 the base, x1 the index or the armed address, then the values in slot 2 and 3 of their type. */
static void build_access(struct test *t, const struct access_form *form)
{
    struct ir *ir = &t->ir;
    enum ir_type value_type = form->op == IR_STORE_EXCL ? (form->size == 16 ? IR_V128 : IR_I64) : form->type;
    begin_region(ir);
    ir_ref base = add_get(ir, SLOT_I64, IR_I64), index = IR_NONE, values[2] = {IR_NONE, IR_NONE};
    if (form->indexed || form->op == IR_STORE_EXCL) {
        index = add_get(ir, SLOT_I64 + 1, IR_I64);
    }
    if (form->op != IR_LOAD) {
        values[0] = add_get(ir, operand_slot(value_type, 2), value_type);
    }
    if (form->op == IR_CAS || form->op == IR_STORE_EXCL) {
        values[1] = add_get(ir, operand_slot(value_type, 3), value_type);
    }
    bool yields = form->op != IR_STORE;
    enum ir_type type = form->op == IR_STORE ? IR_VOID : form->op == IR_STORE_EXCL ? IR_I32 : form->type;
    ir_ref ref = add(ir, form->op, type, form->imm, base, IR_NONE);
    struct ir_insn *insn = &ir->insns[ref];
    insn->size = form->size;
    insn->mode = form->mode;
    switch (form->op) {
    case IR_LOAD:
        insn->arg[1] = index;
        break;
    case IR_STORE:
        insn->arg[1] = index;
        insn->arg[2] = values[0];
        break;
    case IR_STORE_EXCL:
        insn->arg[1] = index;
        insn->arg[2] = values[0];
        insn->arg[3] = values[1];
        break;
    case IR_CAS:
        insn->arg[1] = values[0];
        insn->arg[2] = values[1];
        break;
    case IR_RMW:
        insn->arg[1] = values[0];
        break;
    }
    if (yields) {
        add_set(ir, result_slot(type), ref);
    }
    add_trap(ir, HALT_PC);
    finish_region(t);
}

static void fill_memory(uint8_t *memory)
{
    uint64_t seed = 5;
    for (unsigned i = 0; i < MEMORY; i += 8) {
        uint64_t word = random_int(&seed, 64);
        memcpy(memory + i, &word, 8);
    }
}

static void run_access(struct access_test *a, const struct access_form *form)
{
    struct test *t = a->t;
    struct region regions[2];
    build_access(t, form);
    compile_both(t, regions);
    bool aligned = form->op != IR_LOAD && form->op != IR_STORE;
    bool compares = form->op == IR_CAS || form->op == IR_STORE_EXCL;
    const struct form none = {.insn = {.op = form->op, .type = form->type, .size = form->size, .mode = form->mode}};

    for (unsigned run = 0; run < RUNS; run++) {
        uint64_t where = 64 + next_random(&t->seed) % (MEMORY - 128);
        where = aligned ? where & ~(uint64_t)15 : where;
        uint64_t target = (uintptr_t)a->memory + where;
        uint64_t index = form->indexed ? random_int(&t->seed, 8) : 0;
        union bits values[3] = {{.u64 = {0, 0}}};
        for (unsigned i = 0; i < 2; i++) {
            values[i] = (union bits){.u64 = {random_int(&t->seed, 64), random_int(&t->seed, 64)}};
        }
        fill_memory(a->memory);
        if (compares && next_random(&t->seed) & 1) {
            memcpy(&values[0], a->memory + where, form->size);
        }
        set_operands(t, &none, NULL, 0);
        struct ops_machine *machines[2] = {&t->reference, &t->tested};
        for (unsigned m = 0; m < 1u + t->compare; m++) {
            struct ops_cpu *cpu = machines[m]->cpu;
            cpu->i64[0] = target - form->imm - (index << IR_MEM_SCALE(form->mode));
            cpu->i64[1] = form->op == IR_STORE_EXCL ? cpu->i64[0] + (run % 4 == 3 ? 16 : 0) : index;
            for (unsigned i = 0; i < 2; i++) {
                cpu->i64[2 + i] = cpu->f64[2 + i] = values[i].u64[0];
                cpu->i32[2 + i] = cpu->f32[2 + i] = (uint32_t)values[i].u64[0];
                cpu->v128[2 + i] = values[i].vector;
            }
            fill_memory(a->memory);
            ops_run(machines[m], &regions[m]);
            if (m == 0) {
                memcpy(a->expected, a->memory, MEMORY);
            }
        }
        if (t->compare) {
            check_same(t, &none, SET_SLOTS, values);
            if (memcmp(a->memory, a->expected, MEMORY) != 0) {
                fail_run(t, &none, SET_SLOTS, values, "different memory");
            }
        }
        t->runs++;
    }
    free_both(t, regions);
}

static void run_load_store(struct access_test *a, unsigned op, unsigned type, unsigned size, unsigned mode)
{
    static const uint64_t displacements[] = {0, 8, -UINT64_C(128), 0x12345, -UINT64_C(0x80000000), 0x123456789abc};
    for (unsigned i = 0; i < sizeof displacements / sizeof *displacements; i++) {
        run_access(a, &(struct access_form){(uint8_t)op, (uint8_t)type, (uint8_t)size, (uint8_t)mode, displacements[i],
                                            false});
        for (unsigned shift = 0; shift < 4; shift++) {
            uint8_t scaled = (uint8_t)(mode | IR_MEM_SCALE_BITS(shift));
            run_access(
                a, &(struct access_form){(uint8_t)op, (uint8_t)type, (uint8_t)size, scaled, displacements[i], true});
        }
    }
}

static void test_memory(void **state)
{
    struct test *t = *state;
    struct access_test a = {.t = t, .memory = aligned_alloc(64, MEMORY), .expected = aligned_alloc(64, MEMORY)};
    assert_true(a.memory && a.expected);
    t->seed = 77;
    for (unsigned type = IR_I32; type <= IR_V128; type++) {
        unsigned whole = ir_type_size(type);
        bool is_int = type == IR_I32 || type == IR_I64;
        for (unsigned size = is_int ? 1 : whole; size <= whole; size *= 2) {
            for (unsigned mode = 0; mode < 16; mode++) {
                bool is_signed = mode & IR_MEM_SIGNED;
                if ((mode & ~(IR_MEM_SIGNED | IR_MEM_ORDERED)) || (is_signed && !is_int)) {
                    continue;
                }
                run_load_store(&a, IR_LOAD, type, size, mode);
                if (!is_signed) {
                    run_load_store(&a, IR_STORE, type, size, mode);
                }
            }
        }
    }
    for (unsigned size = 1; size <= 16; size *= 2) {
        uint8_t s = (uint8_t)size;
        run_access(&a, &(struct access_form){IR_STORE_EXCL, size == 16 ? IR_V128 : IR_I64, s, 0, 0, false});
        if (size == 16) {
            run_access(&a, &(struct access_form){IR_CAS, IR_V128, s, 0, 0, false});
            continue;
        }
        for (unsigned type = size == 8 ? IR_I64 : IR_I32; type <= IR_I64; type++) {
            run_access(&a, &(struct access_form){IR_CAS, (uint8_t)type, s, 0, 0, false});
            for (unsigned rmw = 0; rmw < IR_RMW_COUNT; rmw++) {
                run_access(&a, &(struct access_form){IR_RMW, (uint8_t)type, s, (uint8_t)rmw, 0, false});
            }
        }
    }
    free(a.memory);
    free(a.expected);
}

/* ---- calls ------------------------------------------------------------------------------------------------------ */

static uint64_t call_integers(uint32_t a, uint64_t b, uint32_t c, uint64_t d)
{
    return a + b * 3 + c * UINT64_C(5) + d * 7;
}

static uint32_t call_mixed(struct cpu *cpu, uint32_t a, __m128i b, uint64_t c, uint64_t d)
{
    ((struct ops_cpu *)cpu)->zero = a; /* as an unpromoted slot */
    return a ^ (uint32_t)_mm_cvtsi128_si32(b) ^ (uint32_t)(c * 3 + d);
}

static __m128i call_vectors(__m128i a, __m128i b, uint32_t c, __m128i d)
{
    return _mm_xor_si128(_mm_add_epi8(a, b), _mm_add_epi32(d, _mm_set1_epi32((int)c)));
}

static float call_float(double a, uint64_t b, float c)
{
    uint64_t bits_a;
    uint32_t bits_c;
    memcpy(&bits_a, &a, sizeof bits_a);
    memcpy(&bits_c, &c, sizeof bits_c);
    bits_c ^= (uint32_t)(bits_a ^ b);
    memcpy(&c, &bits_c, sizeof c);
    return c;
}

static double call_double(float a, double b, float c, double d)
{
    uint32_t bits_a, bits_c;
    uint64_t bits_b, bits_d;
    memcpy(&bits_a, &a, sizeof a);
    memcpy(&bits_b, &b, sizeof b);
    memcpy(&bits_c, &c, sizeof c);
    memcpy(&bits_d, &d, sizeof d);
    bits_d ^= bits_b ^ (uint64_t)bits_a << 32 ^ bits_c;
    memcpy(&d, &bits_d, sizeof d);
    return d;
}

static void call_nothing(struct cpu *cpu, __m128i a)
{
    ((struct ops_cpu *)cpu)->vzero = a;
}

static const struct ir_helper call_helpers[] = {
    {"integers", (void *)call_integers, IR_HELPER_PURE, IR_I64, {IR_I32, IR_I64, IR_I32, IR_I64}},
    {"mixed", (void *)call_mixed, IR_HELPER_CPU, IR_I32, {IR_I32, IR_V128, IR_I64, IR_I64}},
    {"vectors", (void *)call_vectors, IR_HELPER_PURE, IR_V128, {IR_V128, IR_V128, IR_I32, IR_V128}},
    {"float", (void *)call_float, 0, IR_F32, {IR_F64, IR_I64, IR_F32, IR_VOID}},
    {"double", (void *)call_double, 0, IR_F64, {IR_F32, IR_F64, IR_F32, IR_F64}},
    {"nothing", (void *)call_nothing, IR_HELPER_CPU, IR_VOID, {IR_V128, IR_VOID, IR_VOID, IR_VOID}},
};

static void run_call(struct test *t, const struct ir_helper *helper, enum setting setting)
{
    struct ir *ir = &t->ir;
    ir_ref args[4], ballast[BALLAST], vballast[BALLAST];
    bool pressure = setting == SET_PRESSURE;
    unsigned nargs = 0;
    begin_region(ir);
    for (unsigned i = 0; i < BALLAST; i++) { /* values that live across the call */
        union bits step = {.u64 = {i + 1, i}};
        ballast[i] = add(ir, IR_ADD, IR_I64, 0, add_get(ir, SLOT_BALLAST + i, IR_I64), add_const(ir, IR_I64, step));
        vballast[i] =
            add(ir, IR_VXOR, IR_V128, 0, add_get(ir, SLOT_VBALLAST + i, IR_V128), add_const(ir, IR_V128, step));
    }
    for (; nargs < 4 && helper->args[nargs] != IR_VOID; nargs++) {
        enum ir_type type = helper->args[nargs];
        args[nargs] = setting == SET_CONSTANT ? add_const(ir, type, (union bits){.u64 = {0x12345678 + nargs, 7}})
                      : setting == SET_SLOTS  ? add_get(ir, operand_slot(type, nargs), type)
                                              : add_computed(ir, type, nargs);
    }
    ir_ref call = add(ir, IR_CALL, helper->result, (uintptr_t)helper, IR_NONE, IR_NONE);
    for (unsigned i = 0; i < nargs; i++) {
        ir->insns[call].arg[i] = args[i];
    }
    if (helper->result != IR_VOID) {
        add_set(ir, result_slot(helper->result), call);
    }
    for (unsigned i = 0; i < nargs; i++) {
        add_set(ir, copy_slot(helper->args[i], i), args[i]);
    }
    for (unsigned i = 0; i < (pressure ? BALLAST : 3); i++) {
        add_set(ir, SLOT_OUT_BALLAST + i, ballast[i]);
        add_set(ir, SLOT_OUT_VBALLAST + i, vballast[i]);
    }
    add_trap(ir, HALT_PC);
    finish_region(t);

    struct region regions[2];
    compile_both(t, regions);
    struct form form = {.insn = {.op = IR_CALL, .type = helper->result}, .nargs = nargs > 3 ? 3 : nargs};
    memcpy(form.args, helper->args, sizeof form.args);
    for (unsigned run = 0; run < RUNS; run++) {
        union bits operands[3];
        for (unsigned i = 0; i < form.nargs; i++) {
            operands[i] = random_operand(&t->seed, &form, i);
        }
        run_both(t, &form, setting, regions, operands);
    }
    free_both(t, regions);
}

static void test_calls(void **state)
{
    struct test *t = *state;
    t->seed = 99;
    for (unsigned i = 0; i < sizeof call_helpers / sizeof *call_helpers; i++) {
        run_call(t, &call_helpers[i], SET_SLOTS);
        run_call(t, &call_helpers[i], SET_COMPUTED);
        run_call(t, &call_helpers[i], SET_PRESSURE);
        run_call(t, &call_helpers[i], SET_CONSTANT);
    }
    struct ops_cpu *cpu = t->reference.cpu;
    assert_int_equal(cpu->vzero[0], 0x12345678); /* the last one, with constants */
    assert_int_equal(cpu->vzero[1], 7);
}

/* ---- control ---------------------------------------------------------------------------------------------------- */

/*
 * i = x0; sum = 0; p = x1; q = v0, w = v1
 * do { sum += i * p; p, q, w = p + 3, w, q; POLL } while (--i)
 * x2 = sum; x3 = p; v2 = q; v3 = w
 */
static void build_loop(struct test *t)
{
    struct ir *ir = &t->ir;
    begin_region(ir);
    ir_ref start[5] = {
        add_get(ir, SLOT_I64, IR_I64),       add_const(ir, IR_I64, (union bits){.u64 = {0, 0}}),
        add_get(ir, SLOT_I64 + 1, IR_I64),   add_get(ir, SLOT_V128, IR_V128),
        add_get(ir, SLOT_V128 + 1, IR_V128),
    };
    add(ir, IR_JUMP, IR_VOID, 0, IR_NONE, IR_NONE);
    memcpy(ir_set_edge(ir, 0, 0, 1, 5), start, sizeof start);

    static const uint8_t types[5] = {IR_I64, IR_I64, IR_I64, IR_V128, IR_V128};
    static const unsigned slots[5] = {SLOT_I64, SLOT_I64 + 2, SLOT_I64 + 3, SLOT_V128 + 2, SLOT_V128 + 3};
    ir_ref param[5];
    ir_add_block(ir);
    ir->blocks[1].guest_pc = 0x900;
    ir->blocks[1].nparams = 5;
    for (unsigned i = 0; i < 5; i++) {
        param[i] = add(ir, IR_PARAM, types[i], i, IR_NONE, IR_NONE);
        ir_add_state(ir, 1, slots[i], param[i]);
    }
    add(ir, IR_INSN, IR_VOID, 0x900, IR_NONE, IR_NONE);
    ir_ref product = add(ir, IR_MUL, IR_I64, 0, param[0], param[2]);
    ir_ref sum = add(ir, IR_ADD, IR_I64, 0, param[1], product);
    ir_ref p = add(ir, IR_ADD, IR_I64, 0, param[2], add_const(ir, IR_I64, (union bits){.u64 = {3, 0}}));
    ir_ref i = add(ir, IR_SUB, IR_I64, 0, param[0], add_const(ir, IR_I64, (union bits){.u64 = {1, 0}}));
    const ir_ref next[5] = {i, sum, p, param[4], param[3]};
    for (unsigned k = 0; k < 5; k++) {
        add(ir, IR_BIND, IR_VOID, slots[k], next[k], IR_NONE);
    }
    add(ir, IR_INSN, IR_VOID, 0x904, IR_NONE, IR_NONE);
    add(ir, IR_POLL, IR_VOID, 0x904, IR_NONE, IR_NONE);
    ir_ref more = add(ir, IR_CMP, IR_I32, 0, i, add_const(ir, IR_I64, (union bits){.u64 = {0, 0}}));
    ir->insns[more].size = 8;
    ir->insns[more].mode = IR_NE;
    add(ir, IR_BRANCH, IR_VOID, 0, more, IR_NONE);
    memcpy(ir_set_edge(ir, 1, 0, 1, 5), next, sizeof next);
    ir_set_edge(ir, 1, 1, 2, 0);

    ir_add_block(ir);
    for (unsigned k = 0; k < 5; k++) {
        add_set(ir, slots[k], next[k]);
    }
    add_trap(ir, HALT_PC);
    finish_region(t);
}

static void test_loop(void **state)
{
    struct test *t = *state;
    struct region regions[2];
    build_loop(t);
    compile_both(t, regions);
    struct ops_machine *machines[2] = {&t->reference, &t->tested};
    for (unsigned m = 0; m < 1u + t->compare; m++) {
        for (unsigned interrupted = 0; interrupted < 2; interrupted++) {
            struct ops_cpu *cpu = machines[m]->cpu;
            const uint64_t n = 100;
            cpu->i64[0] = n;
            cpu->i64[1] = 10;
            cpu->v128[0] = _mm_set_epi64x(1, 2);
            cpu->v128[1] = _mm_set_epi64x(3, 4);
            cpu->cpu.interrupt = interrupted;
            ops_run(machines[m], &regions[m]);
            uint64_t sum = 0, p = 10, rounds = interrupted ? 1 : n;
            for (uint64_t i = n; i > n - rounds; i--, p += 3) {
                sum += i * p;
            }
            assert_int_equal(cpu->cpu.exit_reason, interrupted ? CPU_EXIT_INTERRUPT : CPU_EXIT_TRAP);
            assert_int_equal(cpu->cpu.pc, interrupted ? 0x904 : HALT_PC);
            assert_int_equal(cpu->i64[0], n - rounds);
            assert_int_equal(cpu->i64[1], 10);
            assert_int_equal(cpu->i64[2], sum);
            assert_int_equal(cpu->i64[3], p);
            assert_int_equal(cpu->v128[2][0], rounds & 1 ? 4 : 2);
            assert_int_equal(cpu->v128[3][1], rounds & 1 ? 1 : 3);
            cpu->cpu.interrupt = 0;
        }
    }
    free_both(t, regions);
}

/* ---- faults ----------------------------------------------------------------------------------------------------- */

static struct ops_machine *faulting; /* the handler's way to the machine under test */

static void handle_fault(int sig, siginfo_t *info, void *context)
{
    (void)info;
    ucontext_t *uc = context;
    struct ops_machine *m = faulting;
    bool recovered;
    if (m->backend->recover) {
        recovered = m->backend->recover(m->backend_state, &m->cpu->cpu, uc);
    } else {
        static const uint8_t order[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                                          REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};
        struct host_regs regs;
        for (unsigned i = 0; i < 16; i++) {
            regs.gpr[i] = (uint64_t)uc->uc_mcontext.gregs[order[i]];
        }
        memcpy(regs.xmm, uc->uc_mcontext.fpregs->_xmm, sizeof regs.xmm);
        uint64_t offset = (uint64_t)uc->uc_mcontext.gregs[REG_RIP] - (uintptr_t)m->running->code;
        recovered = offset < m->running->code_size && statemap_recover(m->running->statemap, m->running->statemap_size, m->running->guest_pc,
                                                                       (uint32_t)offset, &regs, &m->isa, &m->cpu->cpu);
    }
    if (!recovered) {
        static const char message[] = "fault without guest state\n";
        (void)!write(2, message, sizeof message - 1);
        signal(sig, SIG_DFL);
        return;
    }
    m->backend->leave(m->backend_state, &m->cpu->cpu, uc);
}

/*
 * 0x800  x1 += 5; v1 ^= v2; w0 = 7; x2, x3 swapped; f0 = 1.5
 * 0x804  x0 = [x0], which faults
 */
static void build_fault(struct test *t, bool pressure, unsigned op)
{
    struct ir *ir = &t->ir;
    ir_ref ballast[BALLAST];
    begin_region(ir);
    for (unsigned i = 0; pressure && i < BALLAST; i++) {
        ballast[i] =
            add(ir, IR_MUL, IR_I64, 0, add_get(ir, SLOT_BALLAST + i, IR_I64), add_get(ir, SLOT_BALLAST + i, IR_I64));
    }
    ir_ref sum = add(ir, IR_ADD, IR_I64, 0, add_get(ir, SLOT_I64 + 1, IR_I64),
                     add_const(ir, IR_I64, (union bits){.u64 = {5, 0}}));
    add(ir, IR_BIND, IR_VOID, SLOT_I64 + 1, sum, IR_NONE);
    ir_ref mixed =
        add(ir, IR_VXOR, IR_V128, 0, add_get(ir, SLOT_V128 + 1, IR_V128), add_get(ir, SLOT_V128 + 2, IR_V128));
    add(ir, IR_BIND, IR_VOID, SLOT_V128 + 1, mixed, IR_NONE);
    ir_ref seven = add_const(ir, IR_I32, (union bits){.u64 = {7, 0}});
    add(ir, IR_BIND, IR_VOID, SLOT_I32, seven, IR_NONE);
    ir_ref x2 = add_get(ir, SLOT_I64 + 2, IR_I64), x3 = add_get(ir, SLOT_I64 + 3, IR_I64);
    add(ir, IR_BIND, IR_VOID, SLOT_I64 + 2, x3, IR_NONE);
    add(ir, IR_BIND, IR_VOID, SLOT_I64 + 3, x2, IR_NONE);
    ir_ref half = add_const(ir, IR_F64, (union bits){.u64 = {0x3ff8000000000000, 0}});
    add(ir, IR_BIND, IR_VOID, SLOT_F64, half, IR_NONE);
    add(ir, IR_INSN, IR_VOID, 0x804, IR_NONE, IR_NONE);

    ir_ref base = add_get(ir, SLOT_I64, IR_I64);
    ir_ref access = add(ir, op, op == IR_STORE ? IR_VOID : IR_I64, 0, base, IR_NONE);
    ir->insns[access].size = 8;
    if (op == IR_STORE) {
        ir->insns[access].arg[2] = sum;
    } else if (op == IR_RMW || op == IR_CAS) {
        ir->insns[access].arg[1] = sum;
        ir->insns[access].arg[2] = op == IR_CAS ? x2 : IR_NONE;
    }
    if (op != IR_STORE) {
        add(ir, IR_BIND, IR_VOID, SLOT_I64, access, IR_NONE);
    }
    add(ir, IR_INSN, IR_VOID, 0x808, IR_NONE, IR_NONE);
    for (unsigned i = 0; pressure && i < BALLAST; i++) {
        add_set(ir, SLOT_OUT_BALLAST + i, ballast[i]);
    }
    if (op != IR_STORE) {
        add_set(ir, SLOT_I64, access);
    }
    add_set(ir, SLOT_I64 + 1, sum);
    add_set(ir, SLOT_I64 + 2, x3);
    add_set(ir, SLOT_I64 + 3, x2);
    add_set(ir, SLOT_I32, seven);
    add_set(ir, SLOT_F64, half);
    add_set(ir, SLOT_V128 + 1, mixed);
    add_trap(ir, HALT_PC);
    finish_region(t);
}

static void test_fault(void **state)
{
    struct test *t = *state;
    struct sigaction action = {.sa_sigaction = handle_fault, .sa_flags = SA_SIGINFO | SA_NODEFER}, old;
    uint8_t *page = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    uint64_t word = 1234;
    assert_true(page != MAP_FAILED);
    sigaction(SIGSEGV, &action, &old);
    static const uint8_t ops[] = {IR_LOAD, IR_STORE, IR_RMW, IR_CAS};
    struct ops_machine *machines[2] = {&t->reference, &t->tested};
    for (unsigned form = 0; form < 16; form++) {
        unsigned op = ops[form / 4];
        bool faults = form & 1, pressure = form & 2;
        struct region regions[2];
        build_fault(t, pressure, op);
        compile_both(t, regions);
        for (unsigned m = 0; m < 1u + t->compare; m++) {
            struct ops_cpu *cpu = machines[m]->cpu;
            uint64_t address = faults ? (uintptr_t)page + 16 : (uintptr_t)&word;
            cpu->i64[0] = address;
            cpu->i64[1] = 1;
            cpu->i64[2] = 22;
            cpu->i64[3] = 33;
            cpu->i32[0] = 0;
            cpu->f64[0] = 0;
            cpu->v128[1] = _mm_set_epi64x(0xf0, 0x0f);
            cpu->v128[2] = _mm_set_epi64x(0xff, 0xff);
            cpu->cpu.mxcsr = 0x1f80 | 1u << 13 | 4;
            word = 1234;
            faulting = machines[m];
            const uint32_t host_mxcsr = _mm_getcsr();
            ops_run(machines[m], &regions[m]);
            assert_int_equal(_mm_getcsr() & ~0x3fu, host_mxcsr & ~0x3fu);
            assert_int_equal(cpu->cpu.exit_reason, faults ? CPU_EXIT_FAULT : CPU_EXIT_TRAP);
            assert_int_equal(cpu->cpu.pc, faults ? 0x804 : HALT_PC);
            assert_int_equal(cpu->i64[0], faults || op == IR_STORE ? address : 1234);
            assert_int_equal(cpu->i64[1], 6);
            assert_int_equal(cpu->i64[2], 33);
            assert_int_equal(cpu->i64[3], 22);
            assert_int_equal(cpu->i32[0], 7);
            assert_int_equal(cpu->f64[0], 0x3ff8000000000000);
            assert_int_equal(cpu->v128[1][0], 0xf0);
            assert_int_equal(cpu->v128[1][1], 0x0f);
            assert_int_equal(cpu->cpu.mxcsr, 0x1f80 | 1u << 13 | 4);
            if (!faults) {
                assert_int_equal(word, op == IR_STORE ? 6 : op == IR_RMW ? 1240 : 1234);
            }
        }
        free_both(t, regions);
    }
    sigaction(SIGSEGV, &old, NULL);
    munmap(page, 4096);
}

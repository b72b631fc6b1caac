/* SPDX-License-Identifier: GPL-2.0-or-later */
/* State of an A64 CPU between runs: which store-exclusives may pass when other CPUs come and go, and PSTATE as debuggers see it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

#include "frontend/a64/cpu.h"
#include "translator/engine.h"
#include "translator/engine_private.h"

struct fixture {
    struct engine *engine;
    struct a64_cpu *cpu;
    uint32_t code[16];
    uint64_t data[2];
};

static const uint8_t *fetch(void *opaque, uint64_t pc, uint64_t *end)
{
    const struct fixture *f = opaque;
    *end = (uintptr_t)(f->code + 16);
    return pc >= (uintptr_t)f->code && pc < *end ? (const uint8_t *)pc : NULL;
}

static struct a64_cpu *new_cpu(struct fixture *f)
{
    struct a64_cpu *cpu = (struct a64_cpu *)engine_cpu_new(f->engine);
    assert_non_null(cpu);
    a64_cpu_reset(cpu, a64_features_supported());
    return cpu;
}

/* Between the two is an access and, in one of them, an exception: what is done in a window. */
static const uint32_t exclusive_code[] = {
    0xc85f7c01, /* 0: ldxr x1, [x0] */
    0xf94000c5, /* ldr x5, [x6] */
    0xd4200000, /* 2: brk #0 */
    0xc8027c03, /* 3: stxr w2, x3, [x0] */
    0xd4200020, /* 4: brk #1 */
    0xc85f7c01, /* 5: ldxr x1, [x0] */
    0xf94000c5, /* ldr x5, [x6] */
    0xc8027c03, /* stxr w2, x3, [x0] */
    0xd4200020, /* 8: brk #1 */
};

static void prepare(struct fixture *f, const struct host_backend *backend)
{
    struct engine_options options;
    const struct engine_memory memory = {.fetch = fetch, .opaque = f};
    char error[256];
    memset(f, 0, sizeof *f);
    memcpy(f->code, exclusive_code, sizeof exclusive_code);
    engine_default_options(&options);
    options.verify = true;
    f->engine = engine_create(&a64_isa, backend, &memory, &options, error);
    assert_non_null(f->engine);
    f->cpu = new_cpu(f);
    f->cpu->x[0] = (uintptr_t)&f->data[0];
    f->cpu->x[6] = (uintptr_t)&f->data[1];
}

static void finish(struct fixture *f)
{
    engine_cpu_free(&f->cpu->cpu);
    engine_destroy(f->engine);
}

static void run_to(struct fixture *f, unsigned from, unsigned to)
{
    f->cpu->cpu.pc = (uintptr_t)&f->code[from];
    assert_int_equal(engine_run(&f->cpu->cpu), TRAP_BREAKPOINT);
    assert_true(f->cpu->cpu.pc == (uintptr_t)&f->code[to]);
}

static const struct host_backend *const backends[] = {&backend_interp, &backend_x86_64};

static void test_windows(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        struct fixture f;
        if (backends[i]->missing && backends[i]->missing())
            continue;
        prepare(&f, backends[i]);
        run_to(&f, 0, 2);
        run_to(&f, 3, 4);
        assert_int_equal(f.cpu->x[2], 0); /* nobody else was there at any time */

        struct a64_cpu *other = new_cpu(&f);
        run_to(&f, 5, 8);
        assert_int_equal(f.cpu->x[2], 0);
        assert_int_equal(f.cpu->window, CPU_WINDOW_CLOSED);
        run_to(&f, 0, 2); /* the window has closed: the other may have written, then go */
        engine_cpu_free(&other->cpu);
        run_to(&f, 3, 4);
        assert_int_equal(f.cpu->x[2], 1);
        run_to(&f, 5, 8);
        assert_int_equal(f.cpu->x[2], 0);
        assert_int_equal(f.cpu->window, CPU_WINDOW_ALONE);
        finish(&f);
    }
}

static void test_steps(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        struct fixture f;
        if (backends[i]->missing && backends[i]->missing())
            continue;
        prepare(&f, backends[i]);
        struct a64_cpu *other = new_cpu(&f);
        run_to(&f, 5, 8);
        f.cpu->cpu.pc = (uintptr_t)&f.code[5];
        for (unsigned n = 6; n <= 8; n++) {
            /* Being asked to pass the gate must not cost a step its progress. */
            __atomic_fetch_or(&f.cpu->cpu.interrupt, INTERRUPT_EXCLUSIVE, __ATOMIC_SEQ_CST);
            assert_int_equal(engine_step(&f.cpu->cpu), TRAP_NONE);
            assert_true(f.cpu->cpu.pc == (uintptr_t)&f.code[n]);
            assert_int_equal(f.cpu->window, CPU_WINDOW_CLOSED);
        }
        assert_int_equal(f.cpu->x[2], 0);
        engine_cpu_free(&other->cpu);
        finish(&f);
    }
}

/* ---- breakpoints and branch targets --------------------------------------------------------------------------------------- */

static uint32_t guarded(void *opaque, uint64_t pc)
{
    (void)opaque;
    (void)pc;
    return A64_CODE_GUARDED;
}

static void test_breakpoint_at_target(void **state)
{
    static const uint32_t code[] = {
        0xd63f00e0, /* blr x7 */
        0xd503201f, /* 1: nop: no landing pad */
        0xd503245f, /* 2: bti c */
        0xd4200000, /* 3: brk #0 */
    };
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        struct fixture f;
        if (backends[i]->missing && backends[i]->missing())
            continue;
        prepare(&f, backends[i]);
        struct cpu *cpu = &f.cpu->cpu;
        f.engine->memory.attributes = guarded;
        memcpy(f.code, code, sizeof code);
        for (unsigned target = 1; target <= 2; target++) {
            uint64_t pc = f.cpu->x[7] = (uintptr_t)&f.code[target];
            for (int round = 0; round < 3; round++) {
                assert_true(engine_set_breakpoints(f.engine, &pc, 1));
                cpu->pc = (uintptr_t)f.code;
                assert_int_equal(engine_run(cpu), TRAP_DEBUG);
                assert_true(cpu->pc == pc);
                assert_int_equal(cpu->branch_kind, A64_BTYPE_CALL);
                assert_int_equal(engine_step(cpu), target == 1 ? TRAP_BRANCH_TARGET : TRAP_NONE);
                assert_int_equal(cpu->branch_kind, target == 1 ? A64_BTYPE_CALL : A64_BTYPE_NONE);
                cpu->branch_kind = 0;
                assert_true(engine_set_breakpoints(f.engine, NULL, 0));
                cpu->pc = (uintptr_t)f.code;
                assert_int_equal(engine_run(cpu), target == 1 ? TRAP_BRANCH_TARGET : TRAP_BREAKPOINT);
                cpu->branch_kind = 0;
            }
        }
        finish(&f);
    }
}

/* ---- PSTATE ------------------------------------------------------------------------------------------------------------------ */

enum { REGISTER_PC = 32, REGISTER_CPSR = 33 };

static uint32_t write_and_read_cpsr(struct a64_cpu *cpu, uint32_t value)
{
    uint8_t bytes[ISA_DEBUG_BYTES];
    memcpy(bytes, &value, sizeof value);
    assert_int_equal(a64_isa.debug->write(&cpu->cpu, REGISTER_CPSR, bytes, sizeof value), sizeof value);
    assert_int_equal(a64_isa.debug->read(&cpu->cpu, REGISTER_CPSR, bytes), sizeof value);
    memcpy(&value, bytes, sizeof value);
    return value;
}

static void test_debugger(void **state)
{
    (void)state;
    struct fixture f;
    prepare(&f, &backend_interp);
    const uint32_t all = 0xf0000000 | A64_PSTATE_DIT | A64_PSTATE_SSBS | 2u << A64_PSTATE_BTYPE_SHIFT;
    uint64_t pc = f.cpu->cpu.pc = 0x1000;
    assert_int_equal(write_and_read_cpsr(f.cpu, UINT32_MAX), all | 1u << A64_PSTATE_BTYPE_SHIFT);
    assert_int_equal(write_and_read_cpsr(f.cpu, all), all);
    assert_int_equal(f.cpu->cpu.branch_kind, 2);
    /* Written as it is, the pc is still reached by that branch; another one is not. */
    a64_isa.debug->write(&f.cpu->cpu, REGISTER_PC, (const uint8_t *)&pc, sizeof pc);
    assert_int_equal(f.cpu->cpu.branch_kind, 2);
    pc = 0x2000;
    a64_isa.debug->write(&f.cpu->cpu, REGISTER_PC, (const uint8_t *)&pc, sizeof pc);
    assert_int_equal(f.cpu->cpu.branch_kind, 0);
    /* What the CPU lacks stays zero. */
    a64_cpu_reset(f.cpu, 0);
    assert_int_equal(write_and_read_cpsr(f.cpu, UINT32_MAX), 0xf0000000);
    finish(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_windows),
        cmocka_unit_test(test_steps),
        cmocka_unit_test(test_breakpoint_at_target),
        cmocka_unit_test(test_debugger),
    };
    return cmocka_run_group_tests_name("a64 state", tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the engine has for debuggers, on the toy instruction set: steps, breakpoints, watchpoints; with both backends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "tests/toy_isa.h"
#include "translator/engine.h"

enum { WORDS = 4096 };

struct fixture {
    struct engine *engine;
    struct toy_cpu *cpu;
    uint32_t code[WORDS];
    uint64_t data[64]; /* the stack, too: it grows down from the end */
};

static const uint8_t *fetch(void *opaque, uint64_t pc, uint64_t *end)
{
    const struct fixture *f = opaque;
    if (pc < (uintptr_t)f->code || pc >= (uintptr_t)(f->code + WORDS))
        return NULL;
    *end = pc + 4;
    return (const uint8_t *)pc;
}

static void with_each(void (*test)(struct fixture *f))
{
    static const struct host_backend *const backends[] = {&backend_interp, &backend_x86_64};
    for (unsigned i = 0; i < 2 * sizeof backends / sizeof *backends; i++) {
        const struct host_backend *backend = backends[i / 2];
        struct engine_options options;
        char error[256];
        if (backend->missing && backend->missing())
            continue;
        struct fixture *f = calloc(1, sizeof *f);
        const struct engine_memory memory = {.fetch = fetch, .opaque = f};
        engine_default_options(&options);
        options.verify = true;
        options.hot = 10;
        options.regions = i % 2;
        f->engine = engine_create(&toy_isa, backend, &memory, &options, error);
        assert_non_null(f->engine);
        f->cpu = (struct toy_cpu *)engine_cpu_new(f->engine);
        test(f);
        engine_cpu_free(&f->cpu->cpu);
        engine_destroy(f->engine);
        free(f);
    }
}

static uint64_t at(const struct fixture *f, unsigned index) { return (uintptr_t)&f->code[index]; }

static enum cpu_trap run_at(struct fixture *f, unsigned index)
{
    f->cpu->cpu.pc = at(f, index);
    return engine_run(&f->cpu->cpu);
}

/** r0 = 1 + 2 + … + r1, which is added up in data[0] too; then a subroutine is called and r3 jumped to. */
static void write_program(struct fixture *f)
{
    uint32_t *p = f->code;
    *p++ = toy_wide(TOY_IMM, 0, 0);
    *p++ = toy3(TOY_ADD, 0, 0, 1);    /* 1 */
    *p++ = toy3(TOY_STORE, 0, 14, 0);
    *p++ = toy3(TOY_LOAD, 4, 14, 0);  /* 3 */
    *p++ = toy3(TOY_ADDI, 1, 1, -1);
    *p++ = toy_wide(TOY_BNZ, 1, -4);  /* 5: to 1 */
    *p++ = toy_wide(TOY_CALL, 0, 4);  /* 6: to 10 */
    *p++ = toy_wide(TOY_JR, 3, 0);    /* 7 */
    *p++ = toy_wide(TOY_IMM, 5, 1);
    *p++ = toy_wide(TOY_HALT, 0, 0);  /* 9 */
    *p++ = toy3(TOY_ADDI, 2, 0, 1);   /* 10 */
    *p++ = toy_wide(TOY_RET, 0, 0);   /* 11 */
}

static void prepare(struct fixture *f, uint64_t n)
{
    memset(f->cpu->r, 0, sizeof f->cpu->r);
    memset(f->data, 0, sizeof f->data);
    f->cpu->r[1] = n;
    f->cpu->r[3] = at(f, 9);
    f->cpu->r[14] = (uintptr_t)f->data;
}

static void check_end(const struct fixture *f, uint64_t n)
{
    assert_true(f->cpu->cpu.pc == at(f, 9));
    assert_int_equal(f->cpu->r[0], n * (n + 1) / 2);
    assert_int_equal(f->cpu->r[2], n * (n + 1) / 2 + 1);
    assert_int_equal(f->cpu->r[4], n * (n + 1) / 2);
    assert_int_equal(f->cpu->r[5], 0);
    assert_int_equal(f->data[0], n * (n + 1) / 2);
}

/** Makes all of it hot and chained. */
static void warm_up(struct fixture *f)
{
    write_program(f);
    for (int i = 0; i < 50; i++) {
        prepare(f, 40);
        assert_int_equal(run_at(f, 0), TRAP_HALT);
        check_end(f, 40);
    }
}

/* ---- steps ---------------------------------------------------------------------------------------------------------------- */

static void steps(struct fixture *f)
{
    static const uint8_t loop[] = {1, 2, 3, 4, 5};
    warm_up(f);
    for (int round = 0; round < 3; round++) { /* also over what the steps before have left */
        prepare(f, 3);
        f->cpu->cpu.pc = at(f, 0);
        assert_int_equal(engine_step(&f->cpu->cpu), TRAP_NONE);
        for (unsigned i = 0; i < 15; i++) {
            assert_true(f->cpu->cpu.pc == at(f, loop[i % 5]));
            assert_int_equal(engine_step(&f->cpu->cpu), TRAP_NONE);
        }
        static const uint8_t rest[] = {6, 10, 11, 7};
        for (unsigned i = 0; i < 4; i++) {
            assert_true(f->cpu->cpu.pc == at(f, rest[i]));
            assert_int_equal(engine_step(&f->cpu->cpu), TRAP_NONE);
        }
        assert_int_equal(engine_step(&f->cpu->cpu), TRAP_HALT);
        check_end(f, 3);
        /* And runs again as before. */
        prepare(f, 40);
        assert_int_equal(run_at(f, 0), TRAP_HALT);
        check_end(f, 40);
    }
}

static void steps_and_runs(struct fixture *f)
{
    /* A call that was stepped over returns to code that runs, and the other way round. */
    warm_up(f);
    for (unsigned first = 0; first < 12; first++) {
        prepare(f, 2);
        f->cpu->cpu.pc = at(f, 0);
        for (unsigned i = 0; i < first; i++)
            assert_int_equal(engine_step(&f->cpu->cpu), TRAP_NONE);
        assert_int_equal(engine_run(&f->cpu->cpu), TRAP_HALT);
        check_end(f, 2);
    }
}

static void steps_over_traps(struct fixture *f)
{
    f->code[0] = toy_wide(TOY_SYS, 0, 7);
    f->code[1] = toy3(TOY_MODE, 0, 0, 1);
    f->code[2] = toy_wide(TOY_KEY, 1, 0);
    f->code[3] = toy3(TOY_CACHE, 1, 1, 0);
    f->code[4] = toy_wide(TOY_JUMP, 0, 0);
    f->code[5] = 0xff;
    struct cpu *cpu = &f->cpu->cpu;
    cpu->pc = at(f, 0);
    assert_int_equal(engine_step(cpu), TRAP_SYSCALL);
    assert_true(cpu->pc == at(f, 1));
    assert_int_equal(engine_step(cpu), TRAP_NONE);
    assert_true(cpu->pc == at(f, 2));
    assert_int_equal(engine_step(cpu), TRAP_NONE);
    assert_int_equal(f->cpu->r[1] & 0xff, 1);
    assert_int_equal(engine_step(cpu), TRAP_NONE);
    assert_true(cpu->pc == at(f, 4));
    for (int i = 0; i < 5; i++)
        assert_int_equal(engine_step(cpu), TRAP_NONE);
    assert_true(cpu->pc == at(f, 4));
    cpu->pc = at(f, 5);
    assert_int_equal(engine_step(cpu), TRAP_UNDEFINED);
    cpu->pc = 0x1000;
    assert_int_equal(engine_step(cpu), TRAP_FETCH);
    /* Before the instruction, not after it. */
    cpu->pc = at(f, 2);
    engine_kick(cpu);
    assert_int_equal(engine_step(cpu), TRAP_INTERRUPT);
    assert_true(cpu->pc == at(f, 2));
}

/* ---- breakpoints ------------------------------------------------------------------------------------------------------------ */

static void breakpoints(struct fixture *f)
{
    warm_up(f);
    for (unsigned index = 0; index < 12; index++) {
        if (index == 8)
            continue; /* never reached */
        uint64_t pc = at(f, index);
        unsigned met = 0, expected = index >= 1 && index <= 5 ? 30 : 1;
        assert_true(engine_set_breakpoints(f->engine, &pc, 1));
        prepare(f, 30);
        enum cpu_trap trap = run_at(f, 0);
        while (trap == TRAP_DEBUG) {
            assert_true(f->cpu->cpu.pc == pc);
            assert_int_equal(f->cpu->cpu.trap_info, 0);
            if (index == 3)
                assert_int_equal(f->data[0], f->cpu->r[0]);
            met++;
            /* It is met again and again, until it is stepped over. */
            assert_int_equal(engine_run(&f->cpu->cpu), TRAP_DEBUG);
            trap = engine_step(&f->cpu->cpu);
            if (trap == TRAP_NONE)
                trap = engine_run(&f->cpu->cpu);
        }
        assert_int_equal(trap, TRAP_HALT);
        assert_int_equal(met, expected);
        check_end(f, 30);
    }
    assert_true(engine_set_breakpoints(f->engine, NULL, 0));
    prepare(f, 40);
    assert_int_equal(run_at(f, 0), TRAP_HALT);
    check_end(f, 40);
}

static void many_breakpoints(struct fixture *f)
{
    uint64_t pcs[12];
    warm_up(f);
    for (unsigned i = 0; i < 12; i++)
        pcs[i] = at(f, 11 - i); /* in any order */
    assert_true(engine_set_breakpoints(f->engine, pcs, 12));
    prepare(f, 2);
    unsigned met = 0;
    for (enum cpu_trap trap = run_at(f, 0); trap != TRAP_HALT; trap = engine_run(&f->cpu->cpu)) {
        assert_int_equal(trap, TRAP_DEBUG);
        met++;
        if (engine_step(&f->cpu->cpu) != TRAP_NONE)
            break;
    }
    assert_int_equal(met, 1 + 2 * 5 + 4 + 1);
    check_end(f, 2);
}

/* ---- watchpoints ------------------------------------------------------------------------------------------------------------ */

/** How often each kind of watchpoint on `size` bytes from data[0] + offset stops the program; the accesses are of 8 bytes. */
static unsigned count_stops(struct fixture *f, int64_t offset, uint64_t size, bool read, bool write)
{
    const struct builder_watch watch = {(uintptr_t)f->data + (uint64_t)offset, size, read, write};
    unsigned met = 0;
    assert_true(engine_set_watchpoints(f->engine, &watch, 1));
    prepare(f, 25);
    enum cpu_trap trap = run_at(f, 0);
    while (trap == TRAP_DEBUG) {
        assert_int_equal(f->cpu->cpu.trap_info, 1);
        bool store = f->cpu->cpu.pc == at(f, 2);
        assert_true(store ? write : f->cpu->cpu.pc == at(f, 3) && read);
        if (store)
            assert_int_not_equal(f->data[0], f->cpu->r[0]); /* before the access */
        met++;
        /* As a debugger does. */
        assert_true(engine_set_watchpoints(f->engine, NULL, 0));
        assert_int_equal(engine_step(&f->cpu->cpu), TRAP_NONE);
        assert_true(engine_set_watchpoints(f->engine, &watch, 1));
        trap = engine_run(&f->cpu->cpu);
    }
    assert_int_equal(trap, TRAP_HALT);
    check_end(f, 25);
    assert_true(engine_set_watchpoints(f->engine, NULL, 0));
    return met;
}

static void watchpoints(struct fixture *f)
{
    warm_up(f);
    assert_int_equal(count_stops(f, 0, 8, false, true), 25);
    assert_int_equal(count_stops(f, 0, 8, true, false), 25);
    assert_int_equal(count_stops(f, 0, 8, true, true), 50);
    assert_int_equal(count_stops(f, 7, 1, false, true), 25);
    assert_int_equal(count_stops(f, 3, 100, false, true), 25);
    assert_int_equal(count_stops(f, -8, 9, false, true), 25);
    assert_int_equal(count_stops(f, -8, 8, true, true), 0);
    assert_int_equal(count_stops(f, 8, 8, true, true), 0);
    prepare(f, 40);
    assert_int_equal(run_at(f, 0), TRAP_HALT);
    check_end(f, 40);
}

static void too_many_watchpoints(struct fixture *f)
{
    struct builder_watch watches[ENGINE_WATCHPOINTS + 1];
    warm_up(f);
    for (unsigned i = 0; i <= ENGINE_WATCHPOINTS; i++)
        watches[i] = (struct builder_watch){(uintptr_t)f->data - 8 * i, 8, 0, 1};
    assert_false(engine_set_watchpoints(f->engine, watches, ENGINE_WATCHPOINTS + 1));
    assert_true(engine_set_watchpoints(f->engine, watches + 1, ENGINE_WATCHPOINTS));
    prepare(f, 5);
    assert_int_equal(run_at(f, 0), TRAP_HALT);
    assert_true(engine_set_watchpoints(f->engine, watches, ENGINE_WATCHPOINTS));
    prepare(f, 5);
    assert_int_equal(run_at(f, 0), TRAP_DEBUG);
    assert_int_equal(f->cpu->cpu.trap_info, 1);
}

/* ---- the observer ----------------------------------------------------------------------------------------------------------- */

static void count_region(void *opaque, const struct region *region)
{
    assert_non_null(region->code);
    ++*(unsigned *)opaque;
}

static void walk(struct fixture *f)
{
    unsigned count = 0;
    struct engine_stats stats;
    const struct engine_observer observer = {.translated = count_region, .opaque = &count};
    warm_up(f);
    engine_walk(f->engine, &observer);
    engine_get_stats(f->engine, &stats);
    assert_true(stats.host_bytes == 0 ? count == 0 : count > 0 && count <= stats.translations);
}

#define EACH(test) static void test##_each(void **state) { (void)state; with_each(test); }
EACH(steps)
EACH(steps_and_runs)
EACH(steps_over_traps)
EACH(breakpoints)
EACH(many_breakpoints)
EACH(watchpoints)
EACH(too_many_watchpoints)
EACH(walk)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps_each),           cmocka_unit_test(steps_and_runs_each),
        cmocka_unit_test(steps_over_traps_each), cmocka_unit_test(breakpoints_each),
        cmocka_unit_test(many_breakpoints_each), cmocka_unit_test(watchpoints_each),
        cmocka_unit_test(too_many_watchpoints_each), cmocka_unit_test(walk_each),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

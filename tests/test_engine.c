/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The engine on a toy instruction set: running, chaining, hot regions, invalidation, eviction, threads, faults, fork; each
 * with every backend that this host can run and with each optimisation switched off in turn. An argument is a filter
 * on the names of the tests ("threads*").
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/toy_isa.h"
#include "translator/engine.h"

static const struct host_backend *const backends[] = {&backend_interp, &backend_x86_64};

/* ---- fixture ----------------------------------------------------------------------------------------------------------------- */

enum { MEMORY_SIZE = 1 << 20 };

struct fixture {
    struct engine *engine;
    struct toy_cpu *cpu;
    uint32_t *code; /* guest memory: addresses are the host's */
    bool executable; /* what fetch says of it */
};

static const uint8_t *fetch(void *opaque, uint64_t pc, uint64_t *end)
{
    const struct fixture *f = opaque;
    uint64_t start = (uintptr_t)f->code;

    if (!f->executable || pc < start || pc >= start + MEMORY_SIZE)
        return NULL;
    *end = (pc | 4095) + 1;
    return (const uint8_t *)pc;
}

static _Thread_local struct cpu *running_cpu; /* for the handler */

static void on_fault(int sig, siginfo_t *info, void *context)
{
    switch (engine_fault(running_cpu, sig, (uintptr_t)info->si_addr, context)) {
    case ENGINE_FAULT_NOT_OURS:
        signal(sig, SIG_DFL);
        break;
    case ENGINE_FAULT_FIXED:
    case ENGINE_FAULT_RECOVERED:
        break;
    }
}

/** With our handler of faults in place of cmocka's. */
static void run_handled(void (*test)(struct fixture *f), struct fixture *f)
{
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK}, cmockas;
    sigaction(SIGSEGV, &action, &cmockas);
    test(f);
    sigaction(SIGSEGV, &cmockas, NULL);
}

static void open_engine(struct fixture *f, const struct host_backend *backend, const struct engine_options *options)
{
    struct engine_memory memory = {fetch, f};
    char error[256];

    f->executable = true;
    f->code = mmap(NULL, MEMORY_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(f->code, MAP_FAILED);
    f->engine = engine_create(&toy_isa, backend, &memory, options, error);
    if (!f->engine)
        print_message("%s\n", error);
    assert_non_null(f->engine);
    f->cpu = (struct toy_cpu *)engine_cpu_new(f->engine);
    assert_non_null(f->cpu);
}

static void close_engine(struct fixture *f)
{
    engine_cpu_free(&f->cpu->cpu);
    engine_destroy(f->engine);
    munmap(f->code, MEMORY_SIZE);
}

static enum cpu_trap run_at(struct toy_cpu *cpu, const uint32_t *where)
{
    cpu->cpu.pc = (uintptr_t)where;
    running_cpu = &cpu->cpu;
    return engine_run(&cpu->cpu);
}

static struct engine_stats stats_of(const struct fixture *f)
{
    struct engine_stats stats;
    engine_get_stats(f->engine, &stats);
    return stats;
}

/** Calls `test` for each backend with the usual options, and with each switch off; regions form early. */
static void with_each(void (*test)(struct fixture *f))
{
    static const char *const variants[] = {"usual", "cold",    "hot at once", "fold",       "number",
                                           "chain", "predict", "lookup",      "host folds", "small",
                                           "thread", "thread, hot at once"};
    for (unsigned i = 0; i < sizeof backends / sizeof *backends; i++) {
        if (backends[i]->missing && backends[i]->missing())
            continue;
        for (unsigned v = 0; v < sizeof variants / sizeof *variants; v++) {
            struct engine_options options;
            engine_default_options(&options);
            options.verify = true;
            options.hot = v == 2 || v == 11 ? 1 : 20;
            options.thread = v >= 10;
            options.thread_after = 0;
            options.regions = v != 1;
            options.builder.fold = v != 3;
            options.builder.number = v != 4;
            options.backend.chain = v != 5;
            options.backend.predict = v != 6;
            options.backend.inline_lookup = v != 7;
            options.backend.fold = v != 8;
            options.passes.dce = v != 3;
            if (v == 9) {
                options.cache_size = 1; /* the least there is */
                options.max_insns = 3;
            }
            if (getenv("TOY_LOG")) {
                options.log = (unsigned)strtoul(getenv("TOY_LOG"), NULL, 0);
                print_message("-- %s, %s\n", backends[i]->name, variants[v]);
            }
            struct fixture f;
            open_engine(&f, backends[i], &options);
            run_handled(test, &f);
            close_engine(&f);
        }
    }
}

/* ---- programs ------------------------------------------------------------------------------------------------------------------ */

/** r0 = 1 + 2 + … + r1 */
static const uint32_t sum_program[] = {
    TOY_IMM | 0 << 8,
    TOY_ADD | 0 << 8 | 0 << 16 | 1 << 24,
    TOY_ADDI | 1 << 8 | 1 << 16 | 0xffu << 24,
    TOY_BNZ | 1 << 8 | 0xfffeu << 16,
    TOY_HALT,
};

static void sum_of(struct fixture *f, uint32_t *code, uint64_t n)
{
    f->cpu->r[1] = n;
    assert_int_equal(run_at(f->cpu, code), TRAP_HALT);
    assert_int_equal(f->cpu->r[0], n * (n + 1) / 2);
    assert_int_equal(f->cpu->r[1], 0);
    assert_true(f->cpu->cpu.pc == (uintptr_t)(code + 4));
}

static void loop(struct fixture *f)
{
    memcpy(f->code, sum_program, sizeof sum_program);
    sum_of(f, f->code, 1);
    sum_of(f, f->code, 1000);
    sum_of(f, f->code, 12);
}

/** A loop in a loop with a branch in it: r0 counts, r1 outer, r2 inner. */
static void nested_loops(struct fixture *f)
{
    uint32_t *p = f->code;
    *p++ = toy_wide(TOY_IMM, 0, 0);
    *p++ = toy_wide(TOY_IMM, 1, 100);
    *p++ = toy_wide(TOY_IMM, 2, 30);      /* 2: outer */
    *p++ = toy3(TOY_ADDI, 0, 0, 1);       /* 3: inner */
    *p++ = toy3(TOY_SUB, 3, 2, 1);
    *p++ = toy_wide(TOY_BNZ, 3, 2);       /* skips one when r2 == r1 … */
    *p++ = toy3(TOY_ADDI, 4, 4, 1);       /* … which is counted */
    *p++ = toy3(TOY_ADDI, 2, 2, -1);      /* 7 */
    *p++ = toy_wide(TOY_BNZ, 2, -5);
    *p++ = toy3(TOY_ADDI, 1, 1, -1);
    *p++ = toy_wide(TOY_BNZ, 1, -8);
    *p++ = toy_wide(TOY_HALT, 0, 0);
    assert_int_equal(run_at(f->cpu, f->code), TRAP_HALT);
    assert_int_equal(f->cpu->r[0], 3000);
    assert_int_equal(f->cpu->r[4], 30);
    assert_int_equal(f->cpu->r[1], 0);
}

/** Fibonacci numbers the slow way: calls and returns; r14 is the stack. */
static void write_fib(uint32_t *code)
{
    uint32_t *p = code;
    *p++ = toy_wide(TOY_CALL, 0, 2);
    *p++ = toy_wide(TOY_HALT, 0, 0);
    /* fib: r0 = fib(r1) */
    *p++ = toy3(TOY_ADDI, 14, 14, -24);
    *p++ = toy3(TOY_STORE, 15, 14, 0);
    *p++ = toy3(TOY_STORE, 1, 14, 1);
    *p++ = toy_wide(TOY_BNZ, 1, 3);
    *p++ = toy_wide(TOY_IMM, 0, 0);
    *p++ = toy_wide(TOY_JUMP, 0, 12);     /* 7: to 19 */
    *p++ = toy3(TOY_ADDI, 1, 1, -1);      /* 8 */
    *p++ = toy_wide(TOY_BNZ, 1, 3);       /* 9: to 12 */
    *p++ = toy_wide(TOY_IMM, 0, 1);
    *p++ = toy_wide(TOY_JUMP, 0, 8);      /* 11: to 19 */
    *p++ = toy_wide(TOY_CALL, 0, -10);    /* 12: fib(n - 1) */
    *p++ = toy3(TOY_STORE, 0, 14, 2);
    *p++ = toy3(TOY_LOAD, 1, 14, 1);
    *p++ = toy3(TOY_ADDI, 1, 1, -2);
    *p++ = toy_wide(TOY_CALL, 0, -14);    /* 16: fib(n - 2) */
    *p++ = toy3(TOY_LOAD, 2, 14, 2);
    *p++ = toy3(TOY_ADD, 0, 0, 2);
    *p++ = toy3(TOY_LOAD, 15, 14, 0);     /* 19 */
    *p++ = toy3(TOY_ADDI, 14, 14, 24);
    *p++ = toy_wide(TOY_RET, 0, 0);
}

static void calls(struct fixture *f)
{
    write_fib(f->code);
    f->cpu->r[14] = (uintptr_t)f->code + MEMORY_SIZE;
    f->cpu->r[1] = 15;
    assert_int_equal(run_at(f->cpu, f->code), TRAP_HALT);
    assert_int_equal(f->cpu->r[0], 610);
    assert_true(f->cpu->r[14] == (uintptr_t)f->code + MEMORY_SIZE);
}

/** Deeper than any return predictor. */
static void deep_recursion(struct fixture *f)
{
    uint32_t *p = f->code;
    *p++ = toy_wide(TOY_CALL, 0, 2);
    *p++ = toy_wide(TOY_HALT, 0, 0);
    *p++ = toy3(TOY_ADDI, 14, 14, -8);
    *p++ = toy3(TOY_STORE, 15, 14, 0);
    *p++ = toy3(TOY_ADDI, 1, 1, -1);
    *p++ = toy_wide(TOY_BNZ, 1, 2);
    *p++ = toy_wide(TOY_JUMP, 0, 2);
    *p++ = toy_wide(TOY_CALL, 0, -5);
    *p++ = toy3(TOY_ADDI, 0, 0, 1);
    *p++ = toy3(TOY_LOAD, 15, 14, 0);
    *p++ = toy3(TOY_ADDI, 14, 14, 8);
    *p++ = toy_wide(TOY_RET, 0, 0);
    f->cpu->r[14] = (uintptr_t)f->code + MEMORY_SIZE;
    f->cpu->r[0] = 0;
    f->cpu->r[1] = 60000;
    assert_int_equal(run_at(f->cpu, f->code), TRAP_HALT);
    assert_int_equal(f->cpu->r[0], 60000);
}

/** A table of functions called in turn; each adds its own number. */
static void indirect_branches(struct fixture *f)
{
    enum { FUNCTIONS = 64 };
    uint32_t *p = f->code;
    uint64_t *table = (uint64_t *)(f->code + 4096);

    *p++ = toy_wide(TOY_IMM, 4, 3);
    *p++ = toy_wide(TOY_IMM, 3, FUNCTIONS);   /* 1: outer; r2 = table */
    *p++ = toy3(TOY_ADD, 5, 2, 6);            /* r6 = 0 */
    *p++ = toy3(TOY_LOAD, 1, 5, 0);           /* 3: loop */
    *p++ = toy_wide(TOY_CALLR, 1, 0);
    *p++ = toy3(TOY_ADDI, 5, 5, 8);
    *p++ = toy3(TOY_ADDI, 3, 3, -1);
    *p++ = toy_wide(TOY_BNZ, 3, -4);
    *p++ = toy3(TOY_ADDI, 4, 4, -1);
    *p++ = toy_wide(TOY_BNZ, 4, -8);
    *p++ = toy_wide(TOY_HALT, 0, 0);
    for (unsigned i = 0; i < FUNCTIONS; i++) {
        uint32_t *function = f->code + 1024 + i * 16;
        table[i] = (uintptr_t)function;
        function[0] = toy3(TOY_ADDI, 0, 0, i);
        function[1] = i & 1 ? toy_wide(TOY_RET, 0, 0) : toy_wide(TOY_JR, 15, 0);
    }
    f->cpu->r[2] = (uintptr_t)table;
    f->cpu->r[6] = 0;
    f->cpu->r[0] = 0;
    assert_int_equal(run_at(f->cpu, f->code), TRAP_HALT);
    assert_int_equal(f->cpu->r[0], 3 * FUNCTIONS * (FUNCTIONS - 1) / 2);
}

static void system_calls(struct fixture *f)
{
    uint32_t *p = f->code;
    *p++ = toy_wide(TOY_IMM, 1, 50);
    *p++ = toy_wide(TOY_SYS, 0, 7);
    *p++ = toy3(TOY_ADDI, 1, 1, -1);
    *p++ = toy_wide(TOY_BNZ, 1, -2);
    *p++ = toy_wide(0xee, 0, 0);
    f->cpu->cpu.pc = (uintptr_t)f->code;
    for (unsigned i = 0; i < 50; i++) {
        assert_int_equal(engine_run(&f->cpu->cpu), TRAP_SYSCALL);
        assert_int_equal(f->cpu->cpu.trap_info, 7);
        assert_true(f->cpu->cpu.pc == (uintptr_t)(f->code + 2));
        assert_int_equal(f->cpu->r[1], 50 - i);
    }
    assert_int_equal(engine_run(&f->cpu->cpu), TRAP_UNDEFINED);
    assert_true(f->cpu->cpu.pc == (uintptr_t)(f->code + 4));
}

/* ---- invalidation ---------------------------------------------------------------------------------------------------------------- */

/** A loop of r1 rounds that calls the function at code + 64; the function is given another number to add. */
static void changed_code(struct fixture *f)
{
    uint32_t *p = f->code, *function = f->code + 64;
    *p++ = toy_wide(TOY_IMM, 1, 100);
    *p++ = toy_wide(TOY_CALL, 0, 63);
    *p++ = toy3(TOY_ADDI, 1, 1, -1);
    *p++ = toy_wide(TOY_BNZ, 1, -2);
    *p++ = toy_wide(TOY_HALT, 0, 0);
    function[1] = toy_wide(TOY_RET, 0, 0);
    for (unsigned round = 0; round < 10; round++) {
        function[0] = toy3(TOY_ADDI, 0, 0, round);
        engine_invalidate(f->engine, (uintptr_t)function, (uintptr_t)(function + 1));
        f->cpu->r[0] = 0;
        assert_int_equal(run_at(f->cpu, f->code), TRAP_HALT);
        assert_int_equal(f->cpu->r[0], 100 * round);
    }
    assert_true(stats_of(f).invalidations > 0);
}

/** The same within a loop that became a region, changed in its middle block. */
static void changed_loop(struct fixture *f)
{
    uint32_t *p = f->code;
    *p++ = toy_wide(TOY_IMM, 1, 200);
    *p++ = toy_wide(TOY_BNZ, 1, 2);
    *p++ = toy_wide(TOY_HALT, 0, 0);
    *p++ = toy3(TOY_ADDI, 0, 0, 1);  /* 3: changes */
    *p++ = toy_wide(TOY_JUMP, 0, 1);
    *p++ = toy3(TOY_ADDI, 1, 1, -1);
    *p++ = toy_wide(TOY_JUMP, 0, -5);
    for (unsigned round = 1; round < 6; round++) {
        f->code[3] = toy3(TOY_ADDI, 0, 0, round);
        engine_invalidate(f->engine, (uintptr_t)(f->code + 3), (uintptr_t)(f->code + 3) + 1);
        f->cpu->r[0] = 0;
        assert_int_equal(run_at(f->cpu, f->code), TRAP_HALT);
        assert_int_equal(f->cpu->r[0], 200 * round);
    }
}

/** The guest changes its own code and says so. */
static void self_modifying_code(struct fixture *f)
{
    uint32_t *p = f->code;
    uint32_t *patched = f->code + 1024;
    /* r2: address of the patched function, r3: its end, r4: its instructions as one word, r5: added to them each round */
    *p++ = toy_wide(TOY_IMM, 1, 90);
    *p++ = toy_wide(TOY_IMM, 0, 0);
    *p++ = toy3(TOY_STORE, 4, 2, 0); /* 2: loop */
    *p++ = toy3(TOY_CACHE, 2, 3, 0);
    *p++ = toy_wide(TOY_CALLR, 2, 0);
    *p++ = toy3(TOY_ADD, 4, 4, 5);
    *p++ = toy3(TOY_ADDI, 1, 1, -1);
    *p++ = toy_wide(TOY_BNZ, 1, -5);
    *p++ = toy_wide(TOY_HALT, 0, 0);
    f->cpu->r[2] = (uintptr_t)patched;
    f->cpu->r[3] = (uintptr_t)patched + 8;
    f->cpu->r[4] = (uint64_t)toy_wide(TOY_RET, 0, 0) << 32 | toy3(TOY_ADDI, 0, 0, 0);
    f->cpu->r[5] = 1u << 24;
    assert_int_equal(run_at(f->cpu, f->code), TRAP_HALT);
    assert_int_equal(f->cpu->r[0], 90 * 89 / 2);
}

static void invalidation_of_large_ranges(struct fixture *f)
{
    memcpy(f->code, sum_program, sizeof sum_program);
    sum_of(f, f->code, 100);
    engine_invalidate(f->engine, 0, (uintptr_t)f->code); /* touches it only at the end */
    assert_int_equal(stats_of(f).invalidations, 0);
    uint64_t translations = stats_of(f).translations;
    engine_invalidate(f->engine, 0, UINT64_MAX);
    assert_true(stats_of(f).invalidations > 0);
    sum_of(f, f->code, 100);
    assert_true(stats_of(f).translations > translations);
}

static void code_that_appears(struct fixture *f)
{
    memcpy(f->code, sum_program, sizeof sum_program);
    f->executable = false;
    assert_int_equal(run_at(f->cpu, f->code), TRAP_FETCH);
    assert_true(f->cpu->cpu.pc == (uintptr_t)f->code);
    f->executable = true; /* nobody tells the engine */
    sum_of(f, f->code, 10);
    /* At the end of memory. */
    uint32_t *last = f->code + MEMORY_SIZE / 4 - 1;
    *last = toy3(TOY_ADDI, 0, 0, 1);
    f->cpu->r[0] = 5;
    assert_int_equal(run_at(f->cpu, last), TRAP_FETCH);
    assert_int_equal(f->cpu->r[0], 6);
    assert_true(f->cpu->cpu.pc == (uintptr_t)f->code + MEMORY_SIZE);
}

/* ---- translation keys --------------------------------------------------------------------------------------------------------------- */

/** One function, called in two modes in turn: what it was translated for must be what runs. */
static void translation_keys(struct fixture *f)
{
    uint32_t *p = f->code, *function = f->code + 64;
    *p++ = toy_wide(TOY_IMM, 1, 80);
    *p++ = toy_wide(TOY_IMM, 0, 0);
    *p++ = toy3(TOY_MODE, 0, 0, 5); /* 2: loop */
    *p++ = toy_wide(TOY_CALL, 0, 61);
    *p++ = toy3(TOY_MODE, 0, 0, 9);
    *p++ = toy_wide(TOY_CALLR, 2, 0);
    *p++ = toy3(TOY_ADDI, 1, 1, -1);
    *p++ = toy_wide(TOY_BNZ, 1, -5);
    *p++ = toy_wide(TOY_HALT, 0, 0);
    function[0] = toy_wide(TOY_KEY, 3, 0);
    function[1] = toy3(TOY_ADD, 0, 0, 3);
    function[2] = toy_wide(TOY_RET, 0, 0);
    f->cpu->r[2] = (uintptr_t)function;
    assert_int_equal(run_at(f->cpu, f->code), TRAP_HALT);
    assert_int_equal(f->cpu->r[0], 80 * (5 + 9));
    /* Changed from outside between two runs. */
    f->cpu->mode = 3;
    f->cpu->r[15] = (uintptr_t)(f->code + 8);
    f->cpu->r[0] = 0;
    assert_int_equal(run_at(f->cpu, function), TRAP_HALT);
    assert_int_equal(f->cpu->r[0], 3);
}

/* ---- interrupts ---------------------------------------------------------------------------------------------------------------------- */

static void *kicker(void *argument)
{
    struct toy_cpu *cpu = argument;
    usleep(2000);
    engine_kick(&cpu->cpu);
    return NULL;
}

static void kick(struct fixture *f)
{
    pthread_t thread;
    f->code[0] = toy3(TOY_ADDI, 0, 0, 1);
    f->code[1] = toy3(TOY_ADD, 1, 1, 0);
    f->code[2] = toy_wide(TOY_JUMP, 0, -2);
    f->code[3] = toy_wide(TOY_JR, 2, 0); /* an indirect loop onto itself */
    for (unsigned round = 0; round < 3; round++) {
        f->cpu->r[0] = f->cpu->r[1] = 0;
        f->cpu->r[2] = (uintptr_t)(f->code + 3);
        const uint32_t *start = round == 2 ? f->code + 3 : f->code;
        pthread_create(&thread, NULL, kicker, f->cpu);
        assert_int_equal(run_at(f->cpu, start), TRAP_INTERRUPT);
        pthread_join(thread, NULL);
        /* The state is that of an instruction boundary. */
        uint64_t n = f->cpu->r[0], at = (f->cpu->cpu.pc - (uintptr_t)f->code) / 4;
        if (round == 2) {
            assert_int_equal(at, 3);
        } else {
            assert_true(at < 3);
            assert_true(f->cpu->r[1] == n * (n + 1) / 2 - (at == 1 ? n : 0));
        }
    }
    /* Before it runs. */
    engine_kick(&f->cpu->cpu);
    f->cpu->r[0] = 0;
    assert_int_equal(run_at(f->cpu, f->code), TRAP_INTERRUPT);
    assert_int_equal(f->cpu->r[0], 0);
}

/* ---- eviction ------------------------------------------------------------------------------------------------------------------------ */

enum { BIG_FUNCTIONS = 3000, BIG_WORDS = 9 /* a function */ };

/** A program much larger than the smallest code cache: r0 = the sum over many functions, called in a loop of r1 rounds. */
static uint64_t write_big(uint32_t *code, unsigned functions)
{
    uint64_t sum = 0;
    uint32_t *start = code + 16, *p = start;

    code[0] = toy_wide(TOY_JUMP, 0, 16);
    for (unsigned i = 0; i < functions; i++) {
        *p++ = toy_wide(TOY_IMM, 2, (int)(i & 0x7fff));
        *p++ = toy3(TOY_XOR, 3, 2, 1);
        *p++ = toy_wide(TOY_BNZ, 3, 2); /* not when i == r1 */
        *p++ = toy3(TOY_ADDI, 5, 5, 1);
        *p++ = toy3(TOY_ADD, 0, 0, 2);
        *p++ = toy_wide(TOY_CALL, 0, 2);
        *p++ = toy_wide(TOY_JUMP, 0, 3);
        *p++ = toy3(TOY_ADDI, 0, 0, 1);
        *p++ = toy_wide(TOY_RET, 0, 0);
        sum += (i & 0x7fff) + 1;
    }
    /* The way back is too far for one branch: through a register. */
    *p++ = toy3(TOY_ADDI, 1, 1, -1);
    *p++ = toy_wide(TOY_BNZ, 1, 2);
    *p++ = toy_wide(TOY_HALT, 0, 0);
    *p++ = toy_wide(TOY_JR, 4, 0); /* r4 = start */
    return sum;
}

static void small_cache_options(struct engine_options *options)
{
    engine_default_options(options);
    options->cache_size = 1;
    options->hot = 4;
    options->verify = true;
}

static void run_big(struct toy_cpu *cpu, uint32_t *code, uint64_t sum, unsigned rounds)
{
    cpu->r[0] = cpu->r[5] = 0;
    cpu->r[1] = rounds;
    cpu->r[4] = (uintptr_t)(code + 16);
    assert_int_equal(run_at(cpu, code), TRAP_HALT);
    assert_int_equal(cpu->r[0], sum * rounds);
    assert_int_equal(cpu->r[5], rounds);
}

static void with_small_cache(void (*test)(struct fixture *f))
{
    for (unsigned i = 0; i < sizeof backends / sizeof *backends; i++) {
        struct engine_options options;
        struct fixture f;
        if (backends[i]->missing && backends[i]->missing())
            continue;
        small_cache_options(&options);
        open_engine(&f, backends[i], &options);
        run_handled(test, &f);
        close_engine(&f);
    }
}

static void eviction(struct fixture *f)
{
    uint64_t sum = write_big(f->code, BIG_FUNCTIONS);
    for (unsigned i = 0; i < 5; i++)
        run_big(f->cpu, f->code, sum, 10);
    assert_true(stats_of(f).evictions > 8);
    /* With invalidation in between. */
    for (unsigned i = 0; i < 5; i++) {
        engine_invalidate(f->engine, (uintptr_t)f->code, (uintptr_t)f->code + (MEMORY_SIZE >> i));
        run_big(f->cpu, f->code, sum, 3);
    }
}

/* ---- threads ---------------------------------------------------------------------------------------------------------------------------- */

struct worker {
    pthread_t thread;
    struct fixture *f;
    struct toy_cpu *cpu;
    uint64_t sum;
    unsigned rounds;
    uint32_t *stop;
    bool failed;
};

static void *work(void *argument)
{
    struct worker *w = argument;
    for (unsigned i = 0; i < 4; i++) {
        w->cpu->r[0] = w->cpu->r[5] = 0;
        w->cpu->r[1] = w->rounds;
        w->cpu->r[4] = (uintptr_t)(w->f->code + 16);
        if (run_at(w->cpu, w->f->code) != TRAP_HALT || w->cpu->r[0] != w->sum * w->rounds)
            w->failed = true;
    }
    return NULL;
}

static void *invalidate_often(void *argument)
{
    struct worker *w = argument;
    uint64_t seed = 1;
    while (!__atomic_load_n(w->stop, __ATOMIC_RELAXED)) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        uint64_t start = (uintptr_t)w->f->code + (seed >> 33) % (BIG_FUNCTIONS * BIG_WORDS * 4);
        engine_invalidate(w->f->engine, start, start + (seed >> 20) % 2000);
        usleep(50);
    }
    return NULL;
}

static void *interrupt_often(void *argument)
{
    struct worker *w = argument;
    unsigned n = 0;
    w->cpu->cpu.pc = (uintptr_t)(w->f->code + MEMORY_SIZE / 4 - 1); /* jumps to itself */
    while (!__atomic_load_n(w->stop, __ATOMIC_RELAXED) || n == 0) {
        /* Only ever left because of a kick: exclusive sections must not show. */
        if (engine_run(&w->cpu->cpu) != TRAP_INTERRUPT)
            w->failed = true;
        n++;
    }
    w->rounds = n;
    return NULL;
}

static void threads(struct fixture *f)
{
    enum { WORKERS = 3 };
    struct worker workers[WORKERS], changer, spinner;
    uint32_t stop = 0, stop_spinning = 0;
    uint64_t sum = write_big(f->code, BIG_FUNCTIONS / 2);

    f->code[MEMORY_SIZE / 4 - 1] = toy_wide(TOY_JUMP, 0, 0);
    spinner = (struct worker){.f = f, .cpu = (struct toy_cpu *)engine_cpu_new(f->engine), .stop = &stop_spinning};
    pthread_create(&spinner.thread, NULL, interrupt_often, &spinner);
    changer = (struct worker){.f = f, .stop = &stop};
    pthread_create(&changer.thread, NULL, invalidate_often, &changer);
    for (unsigned i = 0; i < WORKERS; i++) {
        workers[i] = (struct worker){.f = f, .cpu = (struct toy_cpu *)engine_cpu_new(f->engine), .sum = sum, .rounds = 10 + i};
        pthread_create(&workers[i].thread, NULL, work, &workers[i]);
    }
    for (unsigned i = 0; i < WORKERS; i++) {
        pthread_join(workers[i].thread, NULL);
        assert_false(workers[i].failed);
    }
    __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
    pthread_join(changer.thread, NULL);
    __atomic_store_n(&stop_spinning, 1, __ATOMIC_RELAXED);
    engine_kick(&spinner.cpu->cpu);
    pthread_join(spinner.thread, NULL);
    assert_false(spinner.failed);
    assert_int_equal(spinner.rounds, 1);
    assert_true(stats_of(f).evictions > 0);
    for (unsigned i = 0; i < WORKERS; i++)
        engine_cpu_free(&workers[i].cpu->cpu);
    engine_cpu_free(&spinner.cpu->cpu);
}

/* ---- faults -------------------------------------------------------------------------------------------------------------------------------- */

static void faults(struct fixture *f)
{
    uint32_t *p = f->code;
    uint64_t *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(page, MAP_FAILED);
    mprotect(page + 512, 4096, PROT_NONE);

    /* Walks over the page and falls off its end. */
    *p++ = toy3(TOY_ADDI, 0, 0, 1);
    *p++ = toy3(TOY_STORE, 0, 2, 0); /* 1: faults */
    *p++ = toy3(TOY_ADDI, 2, 2, 8);
    *p++ = toy3(TOY_ADD, 3, 3, 0);
    *p++ = toy3(TOY_LOAD, 4, 2, 0);  /* 4: or here */
    *p++ = toy3(TOY_ADDI, 0, 0, 1);
    *p++ = toy3(TOY_ADDI, 0, 0, -1);
    *p++ = toy_wide(TOY_JUMP, 0, -7);
    f->cpu->r[0] = f->cpu->r[3] = 0;
    f->cpu->r[2] = (uintptr_t)page;
    assert_int_equal(run_at(f->cpu, f->code), TRAP_FAULT);
    assert_true(f->cpu->cpu.pc == (uintptr_t)(f->code + 4));
    assert_int_equal(f->cpu->r[0], 512);
    assert_true(f->cpu->r[2] == (uintptr_t)(page + 512));
    assert_int_equal(f->cpu->r[3], 512 * 513 / 2);
    assert_int_equal(page[511], 512);
    /* Mended, and on. */
    mprotect(page + 512, 4096, PROT_READ);
    assert_int_equal(engine_run(&f->cpu->cpu), TRAP_FAULT);
    assert_true(f->cpu->cpu.pc == (uintptr_t)(f->code + 1));
    assert_int_equal(f->cpu->r[0], 513);
    assert_int_equal(f->cpu->r[3], 512 * 513 / 2);
    assert_int_equal(f->cpu->r[4], 0);
    munmap(page, 8192);
}

/* ---- fork ------------------------------------------------------------------------------------------------------------------------------------ */

static void fork_engine(struct fixture *f)
{
    int status;
    uint64_t sum = write_big(f->code, 500);
    run_big(f->cpu, f->code, sum, 10);
    engine_fork_prepare(f->engine);
    pid_t child = fork();
    if (child == 0) {
        engine_fork_child(f->engine, &f->cpu->cpu);
        /* Other code than the parent's at the same addresses. */
        f->code[MEMORY_SIZE / 8] = toy_wide(TOY_HALT, 0, 0);
        sum = write_big(f->code, 1000);
        engine_invalidate(f->engine, (uintptr_t)f->code, (uintptr_t)f->code + MEMORY_SIZE);
        run_big(f->cpu, f->code, sum, 20);
        _exit(f->cpu->r[0] == sum * 20 ? 0 : 1);
    }
    engine_fork_parent(f->engine);
    for (unsigned i = 0; i < 20; i++)
        run_big(f->cpu, f->code, sum, 10);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    run_big(f->cpu, f->code, sum, 10);
}

#define EACH(name) static void name##_each(void **state) { (void)state; with_each(name); }
#define SMALL(name) static void name##_small(void **state) { (void)state; with_small_cache(name); }
EACH(loop)
EACH(nested_loops)
EACH(calls)
EACH(deep_recursion)
EACH(indirect_branches)
EACH(system_calls)
EACH(changed_code)
EACH(changed_loop)
EACH(self_modifying_code)
EACH(invalidation_of_large_ranges)
EACH(code_that_appears)
EACH(translation_keys)
EACH(kick)
EACH(faults)
SMALL(eviction)
SMALL(threads)
SMALL(fork_engine)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loop_each),
        cmocka_unit_test(nested_loops_each),
        cmocka_unit_test(calls_each),
        cmocka_unit_test(deep_recursion_each),
        cmocka_unit_test(indirect_branches_each),
        cmocka_unit_test(system_calls_each),
        cmocka_unit_test(changed_code_each),
        cmocka_unit_test(changed_loop_each),
        cmocka_unit_test(self_modifying_code_each),
        cmocka_unit_test(invalidation_of_large_ranges_each),
        cmocka_unit_test(code_that_appears_each),
        cmocka_unit_test(translation_keys_each),
        cmocka_unit_test(kick_each),
        cmocka_unit_test(faults_each),
        cmocka_unit_test(eviction_small),
        cmocka_unit_test(threads_small),
        cmocka_unit_test(fork_engine_small),
    };
    stack_t stack = {.ss_sp = malloc(1 << 16), .ss_size = 1 << 16};
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    sigaltstack(&stack, NULL);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    free(stack.ss_sp);
    return failed;
}

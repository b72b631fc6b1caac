/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Random A64 programs: a loop of random instructions with branches in it runs one instruction at a time without any
 * optimization, then with all of them, as blocks and as hot regions. Registers, flags, status and memory must be the
 * same at the end, and so must the exact state at the fault for programs that run into one.
 *
 * DRAGOMAN_SEED and DRAGOMAN_COUNT choose the first program and how many there are. A program that fails is reduced, by
 * trying NOP for each of its instructions, and printed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <capstone/capstone.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include "frontend/a64/cpu.h"
#include "frontend/a64/decode.h"
#include "translator/engine.h"

#define CODE_BASE 0x20000000u
#define RAM_BASE 0x30000000u
enum { RAM_BYTES = 16384, BODY_MAX = 24, LOOP_REGISTER = 28, ITERATIONS = 12, POINTERS = 6 };
#define NOP 0xd503201fu

struct program {
    unsigned n;
    uint32_t words[BODY_MAX + 2]; /* a body, SUB x28, x28, #1, CBNZ x28, start */
    struct a64_cpu start;
};

/* A way to run programs. */
struct machine {
    const char *name;
    const struct host_backend *backend;
    struct engine *engine;
    struct a64_cpu *cpu;
    bool faults; /* host faults are recovered: programs may fault */
};

enum { REFERENCE, BLOCKS, REGIONS, INTERPRETER, MACHINES };

struct fixture {
    struct machine machines[MACHINES];
    uint32_t *code;   /* writable */
    void *guest_code; /* the same at CODE_BASE, read-only */
    uint8_t *ram, *initial_ram, *expected_ram;
    unsigned code_words;
    csh capstone;
};

static struct a64_cpu *running; /* for the signal handler */

static void on_fault(int sig, siginfo_t *info, void *context)
{
    if (running && engine_fault(&running->cpu, sig, (uint64_t)info->si_addr, context) != ENGINE_FAULT_NOT_OURS)
        return;
    signal(sig, SIG_DFL); /* not the guest's: die of it when it happens again */
}

static const uint8_t *fetch(void *opaque, uint64_t pc, uint64_t *end)
{
    const struct fixture *f = opaque;
    if (pc < CODE_BASE || pc >= CODE_BASE + 4 * f->code_words)
        return NULL;
    *end = CODE_BASE + 4 * f->code_words;
    return (const uint8_t *)pc;
}

/* ---- programs ---------------------------------------------------------------------------------------------------- */

static uint32_t next_random(uint64_t *random)
{
    *random = *random * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*random >> 32);
}

static uint64_t next_random64(uint64_t *random) { return (uint64_t)next_random(random) << 32 | next_random(random); }

static unsigned field(uint32_t word, unsigned low) { return word >> low & 31; }

static uint32_t with_field(uint32_t word, unsigned low, unsigned value)
{
    return (word & ~(31u << low)) | value << low;
}

static bool is_memory(uint32_t word) { return (word & 0x0a000000) == 0x08000000; }

/** Rows whose results are not a function of the state, or that end a program. */
static bool is_usable(const struct a64_row *row)
{
    static const char *const unusable[] = {"SVC", "HVC",  "SMC",  "BRK",     "HLT",     "DCPS",
                                           "UDF", "ERET", "DRPS", "MRS_CNT", "MRS_RND", "MRS_ID",
                                           /* sizes and addresses are all over memory */
                                           "CPY", "SETP", "SETM",  "SETE"};
    for (size_t i = 0; i < sizeof unusable / sizeof unusable[0]; i++)
        if (strncmp(row->name, unusable[i], strlen(unusable[i])) == 0)
            return false;
    return row->translate != NULL;
}

static uint32_t random_branch(uint64_t *random, unsigned at, unsigned n)
{
    unsigned skip = 1 + next_random(random) % (n - at); /* forward, at most to the SUB */
    uint32_t reg = POINTERS + next_random(random) % 5, x = next_random(random);
    switch (x & 3) {
    case 0: return 0x54000000 | skip << 5 | (x >> 8 & 15);                                   /* B.cond */
    case 1: return 0x34000000 | (x & 0x81000000) | skip << 5 | reg;                          /* CBZ, CBNZ */
    case 2: return 0x36000000 | (x & 0x81f80000) | skip << 5 | reg;                          /* TBZ, TBNZ */
    default: return x & 0x700 ? 0x54000000 | skip << 5 | (x >> 12 & 15) : 0x14000000 | skip; /* B */
    }
}

/** Half of the instructions are integer data processing, a quarter loads and stores; the rest is any row. */
static const struct a64_row *random_row(uint64_t *random)
{
    unsigned kind = next_random(random) & 3;
    for (;;) {
        const struct a64_row *row = &a64_rows[next_random(random) % a64_row_count];
        struct a64_encoding e;
        if (a64_parse_pattern(row->pattern, &e) || !is_usable(row))
            continue;
        bool integer = (e.value & 0x1c000000) == 0x10000000 || (e.value & 0x0e000000) == 0x0a000000;
        bool branch_or_system = (e.value & 0x1c000000) == 0x14000000;
        if (branch_or_system ? kind == 3 && e.value >> 24 == 0xd5
                             : kind == 3 || (kind == 2 ? is_memory(e.value) : integer))
            return row;
    }
}

/** Few registers, so that the instructions have to do with each other. */
static uint32_t narrow_registers(uint64_t *random, const struct a64_row *row, uint32_t word)
{
    struct a64_encoding e;
    a64_parse_pattern(row->pattern, &e);
    for (unsigned i = 0; i < e.nfields; i++) {
        const struct a64_field *f = &e.fields[i];
        uint32_t luck = next_random(random);
        if (f->name[0] == 'R' && f->width == 5 && luck % 8)
            word = with_field(word, f->shift, POINTERS + (luck >> 8) % 5);
    }
    return word;
}

/** A word of the row whose operands make it likely to do something. */
static uint32_t random_operands(uint64_t *random, const struct a64_row *row, unsigned at, unsigned n)
{
    uint32_t word = a64_random_word(row, random), luck = next_random(random);
    if (!is_memory(word)) {
        if (luck % 16)
            word = narrow_registers(random, row, word);
        return word;
    }
    if ((word & 0x3b000000) == 0x18000000) /* a literal: somewhere in the program */
        return (word & 0xff00001f) | (luck % (n - at) + 1) << 5;
    if (luck % 32) /* based on a pointer or SP */
        word = with_field(word, 5, luck >> 8 & 7 ? luck >> 12 & 3 : 31);
    if ((word & 0x3b200c00) == 0x38200800 && luck % 64) /* register offset: small ones */
        word = with_field(word, 16, 20 + (luck >> 16 & 3));
    if (luck >> 20 & 3) /* data where the other instructions have theirs */
        word = with_field(word, 0, POINTERS + (luck >> 24) % 5);
    return word;
}

static bool uses_loop_register(uint32_t word)
{
    return field(word, 0) == LOOP_REGISTER || field(word, 5) == LOOP_REGISTER || field(word, 10) == LOOP_REGISTER ||
           field(word, 16) == LOOP_REGISTER;
}

static uint32_t random_insn(uint64_t *random, unsigned at, unsigned n)
{
    if (next_random(random) % 6 == 0)
        return random_branch(random, at, n);
    for (;;) {
        const struct a64_row *row = random_row(random);
        uint32_t word = random_operands(random, row, at, n);
        if (a64_decode(word) == row && !uses_loop_register(word))
            return word;
    }
}

static uint64_t random_value(uint64_t *random)
{
    static const uint64_t corners[] = {0,          1,          ~(uint64_t)0, 1ull << 63, (1ull << 63) - 1,
                                       0x80000000, 0x7fffffff, 0xffffffff};
    uint32_t kind = next_random(random);
    switch (kind & 3) {
    case 0: return corners[kind >> 8 & 7];
    case 1: return (uint64_t)(int64_t)(int8_t)(kind >> 8);
    case 2: return next_random64(random) >> (kind >> 8 & 63);
    default: return next_random64(random);
    }
}

static uint64_t random_float(uint64_t *random)
{
    static const uint64_t corners[] = {
        0x3ff0000000000000, 0x7ff0000000000000, 0x7ff8000000000000, 0x7ff4000000000001,
        0x0000000000000001, 0x4024000000000000, 0x3f8000003f800000, 0x7f8000007fc00000,
        0x7fa0000100000001, 0x4120000040000000, 0x7e003c007c000001, 0xc3e0000000000000,
    };
    uint32_t kind = next_random(random);
    if (kind & 1)
        return random_value(random);
    return corners[(kind >> 8) % (sizeof corners / sizeof corners[0])] ^ (uint64_t)(kind >> 1 & 1) << 63;
}

static void random_program(struct program *p, uint64_t seed)
{
    uint64_t random = seed * 0x9E3779B97F4A7C15 + 1;
    p->n = 4 + next_random(&random) % (BODY_MAX - 4);
    for (unsigned i = 0; i < p->n; i++)
        p->words[i] = random_insn(&random, i, p->n);
    p->words[p->n] = 0xd1000400 | LOOP_REGISTER << 5 | LOOP_REGISTER;
    p->words[p->n + 1] = 0xb5000000 | (-(p->n + 1) & 0x7ffff) << 5 | LOOP_REGISTER;
    memset(&p->start, 0, sizeof p->start);
    a64_cpu_reset(&p->start, a64_features_supported());
    for (unsigned i = 0; i < 31; i++)
        p->start.x[i] =
            i < POINTERS ? RAM_BASE + RAM_BYTES / 2 + (next_random(&random) & 0xff8) : random_value(&random);
    for (unsigned i = 20; i < 24; i++)
        p->start.x[i] = next_random(&random) & 0xff;
    p->start.x[LOOP_REGISTER] = ITERATIONS;
    p->start.sp = RAM_BASE + RAM_BYTES / 2;
    for (unsigned i = 0; i < 32; i++)
        p->start.v[i] = (__m128i){(long long)random_float(&random), (long long)random_float(&random)};
    a64_write_nzcv(&p->start, next_random(&random));
    a64_write_fpcr(&p->start, next_random(&random) & 1 ? 0 : next_random(&random) & next_random(&random));
    p->start.cpu.pc = CODE_BASE;
}

/* ---- running ----------------------------------------------------------------------------------------------------- */

struct result {
    int trap;
    struct a64_cpu cpu;
};

/** Everything from the general registers on that is architectural, and pc, mxcsr. */
static void copy_state(struct a64_cpu *to, const struct a64_cpu *from)
{
    memcpy((char *)to + sizeof(struct cpu), (const char *)from + sizeof(struct cpu), sizeof *to - sizeof(struct cpu));
    to->cpu.pc = from->cpu.pc;
    to->cpu.mxcsr = from->cpu.mxcsr;
}

static void run_program(struct fixture *f, struct machine *m, const struct program *p, struct result *result)
{
    memcpy(f->code, p->words, 4 * (p->n + 2));
    f->code_words = p->n + 2;
    memcpy(f->ram, f->initial_ram, RAM_BYTES);
    engine_invalidate(m->engine, CODE_BASE, CODE_BASE + 4 * (BODY_MAX + 4));
    copy_state(m->cpu, &p->start);
    running = m->cpu;
    result->trap = (int)engine_run(&m->cpu->cpu);
    running = NULL;
    copy_state(&result->cpu, m->cpu);
}

static bool same_result(const struct fixture *f, const struct result *a, const struct result *b)
{
    return a->trap == b->trap && a->cpu.cpu.pc == b->cpu.cpu.pc && memcmp(a->cpu.x, b->cpu.x, sizeof a->cpu.x) == 0 &&
           a->cpu.sp == b->cpu.sp && a64_read_nzcv(&a->cpu) == a64_read_nzcv(&b->cpu) && a->cpu.fpcr == b->cpu.fpcr &&
           a64_read_fpsr(&a->cpu) == a64_read_fpsr(&b->cpu) && memcmp(a->cpu.v, b->cpu.v, sizeof a->cpu.v) == 0 &&
           a->cpu.tpidr_el0 == b->cpu.tpidr_el0 && (a->trap != TRAP_HALT || a->cpu.excl_address == b->cpu.excl_address) &&
           memcmp(f->ram, f->expected_ram, RAM_BYTES) == 0;
}

/** True if the machine agrees with the reference about the program. */
static bool agrees(struct fixture *f, struct machine *m, const struct program *p, struct result *want,
                   struct result *got)
{
    run_program(f, &f->machines[REFERENCE], p, want);
    memcpy(f->expected_ram, f->ram, RAM_BYTES);
    if (want->trap == TRAP_FAULT && !m->faults)
        return true;
    run_program(f, m, p, got);
    return same_result(f, want, got);
}

static void print_program(struct fixture *f, const struct program *p)
{
    for (unsigned i = 0; i < p->n + 2; i++) {
        cs_insn *insn;
        const struct a64_row *row = a64_decode(p->words[i]);
        size_t n = cs_disasm(f->capstone, (const uint8_t *)&p->words[i], 4, CODE_BASE + 4 * i, 1, &insn);
        if (p->words[i] != NOP)
            print_message("  %08x  %08x  %-24s %s %s\n", CODE_BASE + 4 * i, p->words[i], row ? row->name : "?",
                          n ? insn->mnemonic : "", n ? insn->op_str : "");
        if (n)
            cs_free(insn, n);
    }
}

static void print_results(const struct fixture *f, const struct result *want, const struct result *got)
{
    const struct a64_cpu *w = &want->cpu, *g = &got->cpu;
    if (want->trap != got->trap || w->cpu.pc != g->cpu.pc)
        print_message("  trap %d (want %d) pc %" PRIx64 " (want %" PRIx64 ")\n", got->trap, want->trap, g->cpu.pc,
                      w->cpu.pc);
    for (unsigned i = 0; i < 31; i++)
        if (w->x[i] != g->x[i])
            print_message("  x%u %016" PRIx64 " (want %016" PRIx64 ")\n", i, g->x[i], w->x[i]);
    if (w->sp != g->sp)
        print_message("  sp %016" PRIx64 " (want %016" PRIx64 ")\n", g->sp, w->sp);
    for (unsigned i = 0; i < 32; i++)
        if (memcmp(&w->v[i], &g->v[i], 16) != 0)
            print_message("  v%u %016llx_%016llx (want %016llx_%016llx)\n", i, g->v[i][1], g->v[i][0], w->v[i][1],
                          w->v[i][0]);
    print_message("  nzcv %x (want %x) fpcr %x (want %x) fpsr %x (want %x) exclusive %" PRIx64 " (want %" PRIx64 ")\n",
                  a64_read_nzcv(g) >> 28, a64_read_nzcv(w) >> 28, g->fpcr, w->fpcr, a64_read_fpsr(g), a64_read_fpsr(w),
                  g->excl_address, w->excl_address);
    for (unsigned i = 0; i < RAM_BYTES; i++)
        if (f->ram[i] != f->expected_ram[i]) {
            print_message("  memory, first at +%x: %02x (want %02x)\n", i, f->ram[i], f->expected_ram[i]);
            break;
        }
}

/** Replaces what is not needed for the failure by NOPs. */
static void reduce(struct fixture *f, struct machine *m, struct program *p)
{
    struct result want, got;
    for (unsigned i = 0; i < p->n + 2; i++) {
        uint32_t word = p->words[i];
        p->words[i] = NOP;
        if (i == p->n || agrees(f, m, p, &want, &got)) /* the loop must end */
            p->words[i] = word;
    }
}

/** In each test, because cmocka has put its own handlers before it. */
static void handle_faults(void)
{
    static uint8_t stack[65536];
    stack_t alternative = {.ss_sp = stack, .ss_size = sizeof stack};
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    sigaltstack(&alternative, NULL);
    sigaction(SIGSEGV, &action, NULL);
    sigaction(SIGBUS, &action, NULL);
    sigaction(SIGFPE, &action, NULL);
    sigaction(SIGTRAP, &action, NULL);
}

static void test_machine(struct fixture *f, struct machine *m)
{
    handle_faults();
    if (!m->engine) {
        print_message("this host lacks %s\n", m->backend->missing());
        skip();
    }
    const char *seed_text = getenv("DRAGOMAN_SEED"), *count_text = getenv("DRAGOMAN_COUNT");
    uint64_t seed = seed_text ? strtoull(seed_text, NULL, 0) : 1,
             count = count_text ? strtoull(count_text, NULL, 0) : 3000;
    unsigned bad = 0, faults = 0;
    for (uint64_t i = seed; i < seed + count && bad < 5; i++) {
        struct program p;
        struct result want, got;
        random_program(&p, i);
        bool good = agrees(f, m, &p, &want, &got);
        faults += want.trap == TRAP_FAULT;
        if (good)
            continue;
        bad++;
        reduce(f, m, &p);
        agrees(f, m, &p, &want, &got);
        print_message("program %" PRIu64 ", %s, FPCR %08x, reduced to\n", i, m->name, p.start.fpcr);
        print_program(f, &p);
        print_results(f, &want, &got);
    }
    print_message("%" PRIu64 " programs, %u ended in a fault, %u bad\n", count, faults, bad);
    assert_int_equal(bad, 0);
}

static bool create_machine(struct fixture *f, unsigned number, const char *name, const struct host_backend *backend)
{
    struct machine *m = &f->machines[number];
    struct engine_memory memory = {.fetch = fetch, .opaque = f};
    struct engine_options options;
    char error[256];
    engine_default_options(&options);
    options.verify = true;
    options.regions = number == REGIONS;
    options.hot = 2;
    options.trap_invalid = number == REGIONS;
    options.invalid_traps_max = UINT32_MAX;
    if (number == REFERENCE) {
        options.builder = (struct builder_options){0};
        options.backend = (struct backend_options){0};
        options.passes.dce = false;
        options.max_insns = 1;
    }
    m->name = name;
    m->backend = backend;
    m->faults = number != INTERPRETER;
    if (backend->missing())
        return true;
    m->engine = engine_create(&a64_isa, backend, &memory, &options, error);
    if (!m->engine) {
        print_error("%s: %s\n", name, error);
        return false;
    }
    m->cpu = (struct a64_cpu *)engine_cpu_new(m->engine);
    a64_cpu_reset(m->cpu, a64_features_supported());
    return true;
}

static int set_up(void **state)
{
    static struct fixture f;
    const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE;
    int file = memfd_create("code", 0); /* programs may read but not write their code */
    if (file < 0 || ftruncate(file, 4096) < 0)
        return -1;
    f.code = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    f.guest_code = mmap((void *)(uintptr_t)CODE_BASE, 4096, PROT_READ, MAP_SHARED | MAP_FIXED_NOREPLACE, file, 0);
    close(file);
    f.ram = mmap((void *)(uintptr_t)RAM_BASE, RAM_BYTES, PROT_READ | PROT_WRITE, flags, -1, 0);
    f.initial_ram = malloc(RAM_BYTES);
    f.expected_ram = malloc(RAM_BYTES);
    if (f.code == MAP_FAILED || f.guest_code == MAP_FAILED || f.ram == MAP_FAILED || !f.initial_ram || !f.expected_ram)
        return -1;
    uint64_t random = 1;
    for (unsigned i = 0; i < RAM_BYTES; i += 8) {
        uint64_t value = i & 8 ? random_float(&random) : random_value(&random);
        memcpy(f.initial_ram + i, &value, 8);
    }
    *state = &f;
    return cs_open(CS_ARCH_ARM64, CS_MODE_LITTLE_ENDIAN, &f.capstone) == CS_ERR_OK &&
                   create_machine(&f, REFERENCE, "reference", &backend_x86_64) &&
                   create_machine(&f, BLOCKS, "blocks", &backend_x86_64) &&
                   create_machine(&f, REGIONS, "regions", &backend_x86_64) &&
                   create_machine(&f, INTERPRETER, "interpreter", &backend_interp)
               ? 0
               : -1;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    for (unsigned i = 0; i < MACHINES; i++)
        if (f->machines[i].engine) {
            engine_cpu_free(&f->machines[i].cpu->cpu);
            engine_destroy(f->machines[i].engine);
        }
    cs_close(&f->capstone);
    munmap(f->code, 4096);
    munmap(f->guest_code, 4096);
    munmap(f->ram, RAM_BYTES);
    free(f->initial_ram);
    free(f->expected_ram);
    return 0;
}

static void test_blocks(void **state) { test_machine(*state, &((struct fixture *)*state)->machines[BLOCKS]); }
static void test_regions(void **state) { test_machine(*state, &((struct fixture *)*state)->machines[REGIONS]); }
static void test_interpreter(void **state) { test_machine(*state, &((struct fixture *)*state)->machines[INTERPRETER]); }

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_blocks),
        cmocka_unit_test(test_regions),
        cmocka_unit_test(test_interpreter),
    };
    return cmocka_run_group_tests_name("a64 random", tests, set_up, tear_down);
}

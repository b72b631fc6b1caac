/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Single A64 instructions against recorded results: each vector is an initial state, one instruction (or a
 * load-exclusive and its store-exclusive), and what differs afterwards. The file is not part of this repository: the
 * environment variable DRAGOMAN_VECTORS names it (a64.vec or a64.vec.xz, "ARMVEC1" format); without it the test is
 * skipped.
 *
 * Each vector runs in translated code for real: the code is executable for its own few bytes only, so that the engine
 * comes back with TRAP_FETCH wherever it ends.
 */
#include <signal.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "frontend/a64/cpu.h"
#include "frontend/a64/decode.h"
#include "translator/engine.h"

struct header {
    char magic[8];
    uint32_t nstates, nvectors;
    uint64_t ram_base;
    uint32_t ram_size, state_size;
    uint64_t ram_seed;
};
struct state {
    uint64_t x[31], sp, pc;
    uint32_t ps, fpcr, fpsr, is32;
    uint8_t v[32][16];
    uint64_t tpidr_el0, pad;
};
struct record {
    uint16_t length;
    uint8_t mode, ninsns;
    uint16_t state, encoding;
    uint8_t status, notes, npre, npost;
};
enum { STATUS_EXECUTED = 0, STATUS_UNDEFINED = 1, STATUS_EXCEPTION = 4 };
enum { EXPECTED_MAX = 256 };

struct vectors {
    uint8_t *file;
    const struct header *header;
    const struct state *states;
    const uint8_t *records;
    uint8_t *ram, *initial_ram;
};

struct outcome { /* what a vector must lead to */
    struct state state;
    uint32_t esr;
    struct {
        uint32_t offset;
        uint8_t byte;
    } memory[EXPECTED_MAX];
    unsigned nmemory;
};

/* The vectors are Armv8.5's: what came later is UNDEFINED in them. */
#define AFTER_V8_5                                                                                                     \
    ((uint64_t)1 << A64_FEAT_MOPS | (uint64_t)1 << A64_FEAT_CSSC | (uint64_t)1 << A64_FEAT_WFXT |                      \
     (uint64_t)1 << A64_FEAT_ECV | (uint64_t)1 << A64_FEAT_BF16 | (uint64_t)1 << A64_FEAT_I8MM)

/**
 * Vectors that are not run, by their numbers in the file, and the paragraph of the Arm ARM (DDI 0487) that permits another
 * outcome, or shows the recorded one wrong. The row tells the instruction, and is compared.
 */
#define OVERLAP                                                                                                        \
    "a load of Rt == Rt2 is CONSTRAINED UNPREDICTABLE (the instruction's page in C6.2 or C7.2, and K1.2: UNDEFINED, NOP, or "  \
    "UNKNOWN values). The record has it UNDEFINED; here it is executed"
#define NOT_DAIF                                                                                                       \
    "SCTLR_EL1.UMA traps MSR (immediate) from EL0 to DAIFSet and DAIFClr only (C6.2, MSR (immediate)), DIT is accessible "     \
    "there (C5.2, DIT). The record has the trap"
static const struct departure {
    unsigned first, last;
    const char *row, *reason;
} departures[] = {
    {994, 997, "LDP_pre", OVERLAP},
    {5941, 5944, "LDPSW", OVERLAP},
    {22893, 22894, "MSR_imm_DIT", NOT_DAIF},
    {32390, 32390, "LDP_fpsimd", OVERLAP},
    {38056, 38058, "LDXP", OVERLAP},
    {57095, 57098, "LDP_post", OVERLAP},
    {59288, 59291, "LDPSW_pre", OVERLAP},
    {111556, 111558, "LDAXP", OVERLAP},
    {116180, 116183, "LDNP", OVERLAP},
    {143546, 143546, "LDP_pre_fpsimd", OVERLAP},
    {149221, 149224, "LDP", OVERLAP},
    {151915, 151918, "LDPSW_post", OVERLAP},
};

/* ---- the file ---------------------------------------------------------------------------------------------------- */

static void *read_stream(FILE *in)
{
    size_t size = 0, capacity = 1 << 20, n;
    uint8_t *data = malloc(capacity);
    while (data && (n = fread(data + size, 1, capacity - size, in)) > 0) {
        size += n;
        if (size == capacity)
            data = realloc(data, capacity *= 2);
    }
    return data;
}

static int load_vectors(void **test_state)
{
    static struct vectors vectors;
    const char *path = getenv("DRAGOMAN_VECTORS");
    *test_state = NULL;
    if (!path)
        return 0;
    bool packed = strlen(path) > 3 && strcmp(path + strlen(path) - 3, ".xz") == 0;
    char command[4096];
    snprintf(command, sizeof command, "xz -dc '%s'", path);
    FILE *in = packed ? popen(command, "r") : fopen(path, "rb");
    if (!in)
        return -1;
    vectors.file = read_stream(in);
    if (packed)
        pclose(in);
    else
        fclose(in);
    vectors.header = (const struct header *)vectors.file;
    const struct header *h = vectors.header;
    if (!vectors.file || memcmp(h->magic, "ARMVEC1", 8) != 0 || h->state_size != sizeof(struct state)) {
        print_error("%s is not a vector file\n", path);
        return -1;
    }
    vectors.states = (const struct state *)(vectors.file + 40);
    vectors.records = (const uint8_t *)(vectors.states + h->nstates);
    vectors.initial_ram = malloc(h->ram_size);
    vectors.ram = mmap((void *)h->ram_base, h->ram_size, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    if (vectors.ram == MAP_FAILED || !vectors.initial_ram)
        return -1;
    for (uint64_t i = 0; i < h->ram_size / 8; i++) {
        uint64_t z = h->ram_seed + (i + 1) * 0x9E3779B97F4A7C15; /* splitmix64, as the format says */
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        ((uint64_t *)vectors.initial_ram)[i] = z ^ (z >> 31);
    }
    memcpy(vectors.ram, vectors.initial_ram, h->ram_size);
    *test_state = &vectors;
    return 0;
}

static int free_vectors(void **test_state)
{
    struct vectors *v = *test_state;
    if (v) {
        munmap(v->ram, v->header->ram_size);
        free(v->initial_ram);
        free(v->file);
    }
    return 0;
}

/** Applies entries to a state; memory entries and ESR only go to `outcome`, if there is one. */
static const uint8_t *apply_entries(struct state *s, struct outcome *outcome, const uint8_t *p, unsigned n)
{
    while (n--) {
        uint8_t kind = *p++;
        if (kind == 128) {
            uint32_t offset;
            memcpy(&offset, p, 4);
            for (unsigned i = 0; outcome && i < p[4] && outcome->nmemory < EXPECTED_MAX; i++) {
                outcome->memory[outcome->nmemory].offset = offset + i;
                outcome->memory[outcome->nmemory++].byte = p[5 + i];
            }
            p += 5 + p[4];
            continue;
        }
        uint64_t ignored;
        void *to = kind < 31 ? (void *)&s->x[kind] : kind == 31 ? &s->sp : kind == 32 ? &s->pc : (void *)&ignored;
        size_t size = 8;
        if (kind == 33 || kind == 34 || kind == 35) {
            to = kind == 33 ? &s->ps : kind == 34 ? &s->fpsr : &s->fpcr;
            size = 4;
        } else if (kind == 36) {
            to = &s->tpidr_el0;
        } else if (kind == 38) {
            to = outcome ? (void *)&outcome->esr : (void *)&ignored;
            size = 4;
        } else if (kind >= 64 && kind < 96) {
            to = s->v[kind - 64];
            size = 16;
        }
        memcpy(to, p, size);
        p += size;
    }
    return p;
}

/* ---- running ----------------------------------------------------------------------------------------------------- */

struct runner {
    const struct vectors *vectors;
    struct engine *engine;
    struct a64_cpu *cpu;
    uint64_t code_start, code_end;
    unsigned ran, bad, listed;
    unsigned *bad_by_row;
};

static const uint8_t *fetch(void *opaque, uint64_t pc, uint64_t *end)
{
    const struct runner *r = opaque;
    if (pc < r->code_start || pc >= r->code_end)
        return NULL;
    *end = r->code_end;
    return (const uint8_t *)pc;
}

static void load_state(struct a64_cpu *cpu, const struct state *s)
{
    memcpy(cpu->x, s->x, sizeof s->x);
    cpu->sp = s->sp;
    cpu->cpu.pc = s->pc;
    a64_write_nzcv(cpu, s->ps);
    a64_write_fpcr(cpu, s->fpcr);
    a64_write_fpsr(cpu, s->fpsr);
    memcpy(cpu->v, s->v, sizeof s->v);
    cpu->tpidr_el0 = s->tpidr_el0;
    cpu->excl_address = A64_EXCL_NONE;
    cpu->pstate = 0;
    cpu->pac_disabled = 15; /* as the vectors have it */
}

static void save_state(struct a64_cpu *cpu, struct state *s)
{
    memset(s, 0, sizeof *s);
    memcpy(s->x, cpu->x, sizeof s->x);
    s->sp = cpu->sp;
    s->pc = cpu->cpu.pc;
    s->ps = a64_read_nzcv(cpu);
    s->fpcr = cpu->fpcr;
    s->fpsr = a64_read_fpsr(cpu);
    memcpy(s->v, cpu->v, sizeof s->v);
    s->tpidr_el0 = cpu->tpidr_el0;
}

static enum cpu_trap expected_trap(const struct record *record, const struct outcome *want)
{
    if (record->status == STATUS_EXECUTED)
        return want->state.pc & 3 ? TRAP_ALIGN_PC : TRAP_FETCH;
    if (record->status == STATUS_UNDEFINED)
        return TRAP_UNDEFINED;
    switch (want->esr >> 26) { /* the exception class */
    case 0x15: return TRAP_SYSCALL;
    case 0x3c: return TRAP_BREAKPOINT;
    case 0x22: return TRAP_ALIGN_PC;
    case 0x26: return TRAP_ALIGN_SP;
    case 0x24: return (want->esr & 63) == 0x21 ? TRAP_ALIGN_DATA : TRAP_NONE;
    case 0x18: return TRAP_UNDEFINED; /* to EL1, which has nothing to give: Linux sends SIGILL, as for what is UNDEFINED */
    default: return TRAP_NONE; /* none is recorded */
    }
}

/** The list's entry for the vector, or NULL. */
static const struct departure *find_departure(unsigned number, uint32_t word)
{
    for (size_t i = 0; i < sizeof departures / sizeof departures[0]; i++) {
        const struct departure *d = &departures[i];
        if (number < d->first || number > d->last)
            continue;
        const struct a64_row *row = a64_decode(word);
        assert_true(row && strcmp(row->name, d->row) == 0);
        return d;
    }
    return NULL;
}

static void print_difference(const struct runner *r, unsigned number, const uint32_t *words, const struct state *in,
                             const struct outcome *want, const struct state *got, int want_trap, int got_trap)
{
    uint32_t word = words[0];
    const struct a64_row *row = a64_decode(word);
    print_message("#%u %08x %s, FPCR %08x:", number, word, row ? row->name : "unallocated", in->fpcr);
    if (want_trap != got_trap)
        print_message(" trap %d (want %d)", got_trap, want_trap);
    for (unsigned i = 0; i < 31; i++)
        if (got->x[i] != want->state.x[i])
            print_message(" x%u %016" PRIx64 " (want %016" PRIx64 ")", i, got->x[i], want->state.x[i]);
    for (unsigned i = 0; i < 32; i++)
        if (memcmp(got->v[i], want->state.v[i], 16) != 0) {
            const uint64_t *g = (const uint64_t *)got->v[i], *w = (const uint64_t *)want->state.v[i];
            print_message(" v%u %016" PRIx64 "_%016" PRIx64 " (want %016" PRIx64 "_%016" PRIx64 ")", i, g[1], g[0],
                          w[1], w[0]);
        }
    if (got->sp != want->state.sp || got->pc != want->state.pc)
        print_message(" sp %" PRIx64 " (want %" PRIx64 ") pc %" PRIx64 " (want %" PRIx64 ")", got->sp, want->state.sp,
                      got->pc, want->state.pc);
    if (got->ps != want->state.ps || got->fpsr != want->state.fpsr || got->fpcr != want->state.fpcr)
        print_message(" nzcv %x (want %x) fpsr %x (want %x) fpcr %x (want %x)", got->ps >> 28, want->state.ps >> 28,
                      got->fpsr, want->state.fpsr, got->fpcr, want->state.fpcr);
    for (unsigned i = 0; i < want->nmemory; i++)
        if (r->vectors->ram[want->memory[i].offset] != want->memory[i].byte)
            print_message(" [+%x] %02x (want %02x)", want->memory[i].offset, r->vectors->ram[want->memory[i].offset],
                          want->memory[i].byte);
    print_message("\n");
}

static bool memory_matches(const struct vectors *v, const struct outcome *want)
{
    for (unsigned i = 0; i < want->nmemory; i++)
        if (v->ram[want->memory[i].offset] != want->memory[i].byte)
            return false;
    return true;
}

/** Puts back what the vector was expected to store; now and then, looks whether anything else was. */
static bool restore_memory(const struct vectors *v, const struct outcome *want, uint64_t pc, unsigned bytes,
                           bool check_all)
{
    for (unsigned i = 0; i < want->nmemory; i++)
        v->ram[want->memory[i].offset] = v->initial_ram[want->memory[i].offset];
    uint64_t offset = pc - v->header->ram_base;
    memcpy(v->ram + offset, v->initial_ram + offset, bytes);
    if (!check_all || memcmp(v->ram, v->initial_ram, v->header->ram_size) == 0)
        return true;
    memcpy(v->ram, v->initial_ram, v->header->ram_size);
    return false;
}

static void run_vector(struct runner *r, const uint8_t *p, unsigned number)
{
    const struct vectors *v = r->vectors;
    struct record record;
    memcpy(&record, p, sizeof record);
    uint32_t words[4];
    unsigned bytes = 4u * record.ninsns;
    assert_true(record.mode == 0 && record.ninsns <= 2);
    memcpy(words, p + sizeof record, bytes);
    if (find_departure(number, words[0])) {
        r->listed++;
        return;
    }
    struct state in = v->states[record.state], got;
    struct outcome want = {0};
    p = apply_entries(&in, NULL, p + sizeof record + bytes, record.npre);
    want.state = in;
    if (record.status == STATUS_EXECUTED)
        want.state.pc += bytes;
    apply_entries(&want.state, &want, p, record.npost);
    want.state.ps &= 0xf0000000;
    enum cpu_trap want_trap = expected_trap(&record, &want);
    assert_int_not_equal(want_trap, TRAP_NONE);
    bool loops = record.status == STATUS_EXECUTED && want.state.pc - in.pc < bytes; /* branches to itself: a step of it */
    if (loops)
        want_trap = TRAP_NONE;
    if (want_trap == TRAP_SYSCALL) {
        want.state = in; /* the recorded state is that of EL1's vector */
        want.state.pc += 4;
    } else if (record.status == STATUS_EXCEPTION) {
        uint64_t pc = want_trap == TRAP_ALIGN_PC ? want.state.pc : in.pc;
        if (record.ninsns == 1)
            want.state = in;
        want.state.pc = pc;
    }
    memcpy((void *)in.pc, words, bytes);
    r->code_start = in.pc;
    r->code_end = in.pc + bytes;
    load_state(r->cpu, &in);
    enum cpu_trap trap = loops ? engine_step(&r->cpu->cpu) : engine_run(&r->cpu->cpu);
    /* As the machine does: a loop that was one operation, instruction by instruction. */
    if (trap == TRAP_ALIGN_DATA && a64_cpu_take_apart(r->cpu, *(const uint32_t *)r->cpu->cpu.pc))
        trap = engine_run(&r->cpu->cpu);
    r->cpu->apart = 0;
    if (trap == TRAP_BRANCH_TARGET) { /* there is no code, which the machine finds out */
        r->cpu->cpu.branch_kind = 0;
        trap = r->cpu->cpu.pc & 3 ? TRAP_ALIGN_PC : TRAP_FETCH;
    }
    engine_invalidate(r->engine, in.pc, in.pc + bytes);
    engine_invalidate(r->engine, r->cpu->cpu.pc, r->cpu->cpu.pc + 4); /* known as not executable */
    save_state(r->cpu, &got);
    r->ran++;
    want.state.is32 = 0;
    want.state.pad = 0;
    if (record.status == STATUS_EXCEPTION && record.ninsns == 2 && got.pc == in.pc + 4)
        want.state.pc = got.pc; /* the record does not tell which of the two it was */
    bool good = trap == want_trap && memcmp(&got, &want.state, sizeof got) == 0 && memory_matches(v, &want);
    if (!good) {
        const struct a64_row *row = a64_decode(words[0]);
        unsigned *row_bad = &r->bad_by_row[row ? (size_t)(row - a64_rows) : a64_row_count];
        if ((*row_bad)++ < 2)
            print_difference(r, number, words, &in, &want, &got, (int)want_trap, (int)trap);
        r->bad++;
    }
    if (!restore_memory(v, &want, in.pc, bytes, !good || number % 64 == 0)) {
        print_message("#%u or up to 64 before: stored where nothing should be\n", number);
        r->bad += good;
    }
}

static struct cpu *running; /* for the signal handler */

static void on_trap(int sig, siginfo_t *info, void *context)
{
    if (engine_fault(running, sig, (uint64_t)info->si_addr, context) != ENGINE_FAULT_FIXED)
        signal(sig, SIG_DFL);
}

static void run_all(struct vectors *vectors, const struct host_backend *backend, bool optimize)
{
    if (!vectors) {
        print_message("DRAGOMAN_VECTORS is not set\n");
        skip();
    }
    if (backend->missing()) {
        print_message("this host lacks %s\n", backend->missing());
        skip();
    }
    struct runner r = {.vectors = vectors};
    struct engine_memory memory = {.fetch = fetch, .opaque = &r};
    struct engine_options options;
    char error[256];
    engine_default_options(&options);
    options.regions = false;
    options.verify = true;
    options.trap_invalid = optimize;
    options.invalid_traps_max = UINT32_MAX;
    if (!optimize) {
        options.builder = (struct builder_options){0};
        options.backend = (struct backend_options){0};
        options.passes.dce = false;
    }
    r.engine = engine_create(&a64_isa, backend, &memory, &options, error);
    if (!r.engine)
        fail_msg("%s", error);
    r.cpu = (struct a64_cpu *)engine_cpu_new(r.engine);
    a64_cpu_reset(r.cpu, a64_features_supported() & ~AFTER_V8_5);
    running = &r.cpu->cpu;
    struct sigaction action = {.sa_sigaction = on_trap, .sa_flags = SA_SIGINFO};
    sigaction(SIGFPE, &action, NULL);
    sigaction(SIGTRAP, &action, NULL);
    r.bad_by_row = calloc(a64_row_count + 1, sizeof *r.bad_by_row);
    const uint8_t *p = vectors->records;
    const char *first = getenv("DRAGOMAN_VECTOR"); /* only this one */
    for (unsigned i = 0; i < vectors->header->nvectors; i++) {
        uint16_t length;
        memcpy(&length, p, 2);
        if (!first || strtoul(first, NULL, 0) == i)
            run_vector(&r, p, i);
        p += length;
    }
    for (size_t i = 0; i <= a64_row_count; i++)
        if (r.bad_by_row[i])
            print_message("%5u bad: %s\n", r.bad_by_row[i], i < a64_row_count ? a64_rows[i].name : "unallocated");
    print_message("%u vectors, %u bad, %u not run\n", r.ran, r.bad, r.listed);
    free(r.bad_by_row);
    engine_cpu_free(&r.cpu->cpu);
    engine_destroy(r.engine);
    assert_int_equal(r.bad, 0);
}

static void test_interpreter(void **state)
{
    run_all(*state, &backend_interp, true);
    print_message("not run:\n");
    for (size_t i = 0; i < sizeof departures / sizeof departures[0]; i++)
        print_message("  #%u-%u %s: %s\n", departures[i].first, departures[i].last, departures[i].row,
                      departures[i].reason);
}

static void test_host(void **state) { run_all(*state, &backend_x86_64, true); }
static void test_host_unoptimized(void **state) { run_all(*state, &backend_x86_64, false); }

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_interpreter),
        cmocka_unit_test(test_host),
        cmocka_unit_test(test_host_unoptimized),
    };
    return cmocka_run_group_tests_name("a64 vectors", tests, load_vectors, free_vectors);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/random/machines.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/random/generate.h"

const char *const machine_names[MACHINES] = {"reference", "blocks", "regions", "interpreter"};

static struct a64_cpu *running; /* for the signal handler */
static int running_signal, running_code;

static void on_fault(int sig, siginfo_t *info, void *context)
{
    if (running) {
        enum engine_fault_result result = engine_fault(&running->cpu, sig, (uint64_t)info->si_addr, context);
        if (result == ENGINE_FAULT_RECOVERED)
            running_signal = sig, running_code = info->si_code;
        if (result != ENGINE_FAULT_NOT_OURS)
            return;
    }
    signal(sig, SIG_DFL); /* not the guest's: die of it when it happens again */
}

static const uint8_t *fetch(void *opaque, uint64_t pc, uint64_t *end)
{
    (void)opaque;
    if (pc < CODE_BASE || pc >= CODE_BASE + sizeof(uint32_t) * WORDS_MAX)
        return NULL;
    *end = CODE_BASE + sizeof(uint32_t) * WORDS_MAX;
    return (const uint8_t *)pc;
}

static bool create_machine(struct machines *m, unsigned number, char error[256])
{
    const struct host_backend *backend = number == INTERPRETER ? &backend_interp : &backend_x86_64;
    struct engine_memory memory = {.fetch = fetch};
    struct engine_options options;
    if (backend->missing()) {
        snprintf(error, 256, "this host lacks %s", backend->missing());
        return false;
    }
    engine_default_options(&options);
    options.verify = true;
    options.regions = number == REGIONS || number == INTERPRETER;
    options.hot = 2;
    options.trap_invalid = number == REGIONS;
    options.invalid_traps_max = UINT32_MAX;
    if (number == REFERENCE) {
        options.builder = (struct builder_options){0};
        options.backend = (struct backend_options){0};
        options.passes.dce = false;
        options.max_insns = 1;
    }
    m->engines[number] = engine_create(&a64_isa, backend, &memory, &options, error);
    if (!m->engines[number])
        return false;
    m->cpus[number] = (struct a64_cpu *)engine_cpu_new(m->engines[number]);
    if (!m->cpus[number]) {
        snprintf(error, 256, "no memory for a CPU");
        return false;
    }
    a64_cpu_reset(m->cpus[number], a64_features_supported());
    return true;
}

static bool map_memory(struct machines *m)
{
    const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE;
    uint8_t *area = (uint8_t *)(uintptr_t)RAM_BASE - GUARD_BYTES;
    int file = memfd_create("code", 0); /* programs may read but not write their code */
    if (file < 0 || ftruncate(file, CODE_BYTES) < 0)
        return false;
    m->code = mmap(NULL, CODE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    void *code = mmap((void *)(uintptr_t)CODE_BASE, CODE_BYTES, PROT_READ, MAP_SHARED | MAP_FIXED_NOREPLACE, file, 0);
    close(file);
    m->ram = (uint64_t *)(area + GUARD_BYTES);
    return m->code != MAP_FAILED && code != MAP_FAILED &&
           mmap(area, RAM_BYTES + 2 * GUARD_BYTES, PROT_NONE, flags, -1, 0) == area &&
           mprotect(m->ram, RAM_BYTES, PROT_READ | PROT_WRITE) == 0;
}

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

bool machines_create(struct machines *m, const uint64_t *initial_ram, char error[256])
{
    *m = (struct machines){.initial_ram = (uint64_t *)initial_ram};
    if (!map_memory(m)) {
        snprintf(error, 256, "the memory at %x and %x could not be mapped", CODE_BASE, RAM_BASE);
        return false;
    }
    handle_faults();
    for (unsigned i = 0; i < MACHINES; i++)
        if (!create_machine(m, i, error))
            return false;
    return true;
}

void machines_destroy(struct machines *m)
{
    for (unsigned i = 0; i < MACHINES; i++)
        if (m->engines[i]) {
            if (m->cpus[i])
                engine_cpu_free(&m->cpus[i]->cpu);
            engine_destroy(m->engines[i]);
        }
}

void machines_load(struct machines *m, const struct sequence *s)
{
    memcpy(m->code, s->words, sizeof s->words);
    for (unsigned i = 0; i < MACHINES; i++)
        engine_invalidate(m->engines[i], CODE_BASE, CODE_BASE + CODE_BYTES);
}

static uint32_t signal_of(enum cpu_trap trap)
{
    switch (trap) {
    case TRAP_BREAKPOINT:
        return SIGTRAP;
    case TRAP_UNDEFINED:
        return SIGILL;
    case TRAP_FETCH:
        return SIGSEGV;
    case TRAP_ALIGN_PC:
        return SIGBUS;
    case TRAP_ALIGN_DATA:
        return SIGBUS;
    case TRAP_ALIGN_SP:
        return SIGBUS;
    case TRAP_DATA:
        return SIGSEGV;
    case TRAP_FAULT:
        return (uint32_t)running_signal;
    default:
        return 1000 + trap;
    }
}

void machine_run(struct machines *m, unsigned number, const struct state *start, struct outcome *outcome)
{
    struct a64_cpu *cpu = m->cpus[number];
    struct state *s = &outcome->state;
    memcpy(m->ram, m->initial_ram, RAM_BYTES);
    memcpy(cpu->x, start->x, sizeof cpu->x);
    cpu->sp = start->sp;
    cpu->cpu.pc = start->pc;
    cpu->tpidr_el0 = start->tpidr;
    memcpy(cpu->v, start->v, sizeof cpu->v);
    a64_write_nzcv(cpu, start->nzcv);
    a64_write_fpcr(cpu, start->fpcr);
    a64_write_fpsr(cpu, start->fpsr);
    cpu->excl_address = A64_EXCL_NONE;
    cpu->pstate = 0;
    cpu->tagged = 0;
    running = cpu;
    enum cpu_trap trap = engine_run(&cpu->cpu);
    if (trap == TRAP_FAULT && running_code == SI_KERNEL && a64_cpu_use_tags(cpu))
        trap = engine_run(&cpu->cpu); /* the first tagged address */
    running = NULL;
    *s = (struct state){.sp = cpu->sp,
                        .pc = cpu->cpu.pc,
                        .tpidr = cpu->tpidr_el0,
                        .nzcv = a64_read_nzcv(cpu),
                        .fpcr = cpu->fpcr,
                        .fpsr = a64_read_fpsr(cpu),
                        .signal = signal_of(trap),
                        .pstate = cpu->pstate};
    memcpy(s->x, cpu->x, sizeof s->x);
    memcpy(s->v, cpu->v, sizeof s->v);
    find_changes(outcome, m->ram, m->initial_ram);
}

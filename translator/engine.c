/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The engine's interface: making and ending it, its CPUs, the run loop, faults, fork. See engine_private.h for the parts. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "translator/code_read.h"
#include "translator/compile_thread.h"
#include "translator/keep.h"

#define MXCSR_DEFAULT 0x1f80u /* all exceptions masked, round to nearest */

/* ---- making and ending ----------------------------------------------------------------------------------------------------- */

void engine_default_options(struct engine_options *options)
{
    *options = (struct engine_options){
        .builder = {.fold = true, .number = true, .state = true, .exclusive = true},
        .backend = {.fold = true, .chain = true, .predict = true, .inline_lookup = true, .extensions = true},
        .passes = {.dce = true, .flags = true},
        .regions = true,
        .calls = true,
        .thread = true,
        .thread_after = 512,
        .hot = 2000,
        .invalid_traps_max = 1000,
        .max_insns = 64,
        .cache_size = 64u << 20,
        .log_file = stderr,
    };
}

/** Lookups are to be found in about one step: a bucket for each region of likely size. Untouched pages cost nothing. */
static bool make_table(struct engine *engine)
{
    uint64_t buckets = 4096;
    while (buckets < engine->cache->size / 256)
        buckets *= 2;
    engine->table_mask = buckets - 1;
    engine->table_bytes = buckets * sizeof *engine->table;
    void *table =
        mmap(NULL, engine->table_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    engine->table = table == MAP_FAILED ? NULL : table;
    return engine->table != NULL;
}

static void init_locks(struct engine *engine)
{
    engine->lock = engine->gate = (struct lock){0};
    engine->gate_changed = (struct event){0};
}

struct engine *engine_create(const struct guest_isa *isa, const struct host_backend *backend,
                             const struct engine_memory *memory, const struct engine_options *options, char error[256])
{
    const char *missing = backend->missing ? backend->missing() : NULL;
    if (missing) {
        snprintf(error, 256, "the %s backend cannot run here: this host lacks %s", backend->name, missing);
        return NULL;
    }
    struct engine *engine = calloc(1, sizeof *engine);
    if (!engine) {
        snprintf(error, 256, "engine: out of memory");
        return NULL;
    }
    engine->isa = isa;
    engine->backend = backend;
    engine->memory = *memory;
    engine->options = *options;
    if (!engine->options.log_file)
        engine->options.log_file = stderr;
    if (engine->options.max_insns == 0)
        engine->options.max_insns = 1;
    if (engine->options.log & LOG_NOCHAIN) {
        /* Every block is to pass the dispatcher. */
        engine->options.regions = false;
        engine->options.backend.chain = engine->options.backend.predict = engine->options.backend.inline_lookup = false;
    }
    engine->chain = engine->options.backend.chain;
    ir_init(&engine->ir);
    init_locks(engine);

    engine->cache = code_cache_create_in(options->cache_size, options->cache_anonymous, error);
    if (!engine->cache) {
        engine_destroy(engine);
        return NULL;
    }
    engine->cache->recover = engine_poll_recover;
    engine->builder = builder_new(isa, &engine->options.builder);
    engine->backend_state = backend->create(engine->cache, isa, &engine->options.backend);
    if (!make_table(engine) || !engine->builder || !engine->backend_state) {
        snprintf(error, 256, "engine: out of memory");
        engine_destroy(engine);
        return NULL;
    }
    engine->keep = keep_new(engine);
    engine->compile_thread = compile_thread_new(engine);
    return engine;
}

uint64_t engine_identity(const struct engine *engine)
{
    const struct engine_options *o = &engine->options;
    const uint64_t words[] = {
        engine->backend->identity ? engine->backend->identity(engine->backend_state) : 0,
        (uint64_t)o->builder.fold | o->builder.number << 1 | o->builder.state << 2 | o->builder.exclusive << 3 |
            o->regions << 5 | o->trap_invalid << 6 | o->calls << 7 | engine->chain << 8,
        o->hot, o->max_insns, passes_identity(&o->passes),
    };
    uint64_t hash = 0;
    for (unsigned i = 0; i < sizeof words / sizeof *words; i++)
        hash = ((hash ^ words[i]) * UINT64_C(0x9e3779b97f4a7c15)) ^ hash >> 29;
    return hash;
}

void engine_destroy(struct engine *engine)
{
    if (!engine)
        return;
    compile_thread_free(engine->compile_thread);
    if (engine->backend_state)
        log_stats(engine);
    while (engine->threads)
        engine_cpu_free(engine->threads->cpu);
    if (engine->cache)
        table_free(engine);
    if (engine->backend_state)
        engine->backend->destroy(engine->backend_state);
    if (engine->builder)
        builder_free(engine->builder);
    keep_free(engine->keep);
    ir_free(&engine->ir);
    code_cache_destroy(engine->cache);
    free(engine->breakpoints);
    if (engine->table)
        munmap(engine->table, engine->table_bytes);
    log_close(engine);
    free(engine);
}

/* ---- CPUs ------------------------------------------------------------------------------------------------------------------- */

/** Mapped, because most of the jump cache is never touched by a program that ends soon. */
static size_t front_size(const struct engine *engine) { return sizeof(struct cpu_front) + engine->isa->cpu_size; }

struct cpu *engine_cpu_new(struct engine *engine)
{
    struct cpu_front *front =
        mmap(NULL, front_size(engine), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct cpu_thread *thread = calloc(1, sizeof *thread);

    if (front == MAP_FAILED || !thread) {
        if (front != MAP_FAILED)
            munmap(front, front_size(engine));
        free(thread);
        return NULL;
    }
    struct cpu *cpu = (struct cpu *)(front + 1);
    cpu->engine = engine;
    cpu->thread = thread;
    cpu->mxcsr = MXCSR_DEFAULT;
    thread->cpu = cpu;
    thread->traps = engine->options.trap_invalid && engine->backend->trap_invalid ? KEY_TRAPS : 0;
    jump_cache_init(cpu);
    if (engine->backend->cpu_new && !engine->backend->cpu_new(engine->backend_state, cpu)) {
        munmap(front, front_size(engine));
        free(thread);
        return NULL;
    }
    engine->backend->reset_returns(engine->backend_state, cpu);

    if (engine->isa->window_offset)
        thread->window = (uint32_t *)((char *)cpu + engine->isa->window_offset);
    thread->window_ns = WINDOW_NS;
    engine_lock(engine, NULL);
    thread->next = engine->threads;
    engine->threads = thread;
    __atomic_fetch_add(&engine->nthreads, 1, __ATOMIC_SEQ_CST);
    engine_unlock(engine);
    return cpu;
}

static void unregister(struct engine *engine, struct cpu_thread *thread)
{
    struct cpu_thread **link = &engine->threads;

    while (*link && *link != thread)
        link = &(*link)->next;
    if (*link) {
        *link = thread->next;
        __atomic_fetch_sub(&engine->nthreads, 1, __ATOMIC_SEQ_CST);
    }
    engine->stats.lookups += thread->lookups;
    thread->lookups = 0;
}

void engine_cpu_free(struct cpu *cpu)
{
    struct engine *engine = cpu->engine;

    engine_lock(engine, NULL);
    unregister(engine, cpu->thread);
    engine_unlock(engine);
    if (engine->backend->cpu_free)
        engine->backend->cpu_free(engine->backend_state, cpu);
    free(cpu->thread);
    munmap(cpu_front(cpu), front_size(engine));
}

void engine_kick(struct cpu *cpu)
{
    __atomic_fetch_or(&cpu->interrupt, INTERRUPT_KICK, __ATOMIC_SEQ_CST);
}

/* ---- running ---------------------------------------------------------------------------------------------------------------- */

/** What the jump cache and the return predictor name is of one translation key only. */
void follow_key(struct engine *engine, struct cpu_thread *thread, uint32_t mode)
{
    uint32_t key = engine->isa->translation_key(thread->cpu) | __atomic_load_n(&engine->debug_key, __ATOMIC_RELAXED) |
                   thread->traps | mode;

    if (engine->backend->trap_invalid)
        engine->backend->trap_invalid(thread->cpu, thread->traps);
    if (key == thread->key)
        return;
    thread->key = key;
    jump_cache_clear(thread->cpu);
    engine->backend->reset_returns(engine->backend_state, thread->cpu);
}

static struct region *find_or_translate_locked(struct engine *engine, struct cpu_thread *thread, uint64_t pc)
{
    struct region *region = table_find(engine, pc, thread->key);
    return region ? region : translate_cold(engine, thread, pc, thread->key);
}

struct region *find_or_translate(struct engine *engine, struct cpu_thread *thread, uint64_t pc)
{
    struct region *region = table_find(engine, pc, thread->key);

    thread->lookups++;
    if (region)
        return region;
    engine_lock(engine, thread);
    region = find_or_translate_locked(engine, thread, pc);
    engine_unlock(engine);
    return region;
}

/** CPU_EXIT_LINK: what the exit leads to, and next time without us. */
static struct region *follow_exit(struct engine *engine, struct cpu_thread *thread)
{
    struct cpu *cpu = thread->cpu;

    if (!engine->chain)
        return find_or_translate(engine, thread, cpu->pc);

    struct code_exit *code_exit = cpu->exit_site;
    engine_lock(engine, thread);
    thread->lookups++;
    struct region *target = find_or_translate_locked(engine, thread, cpu->pc);
    /* After an eviction, be it for this very translation, the exit may be gone. */
    if (thread->generation == engine->generation && !code_exit->linked && !code_exit->region->dead &&
        code_exit->target == target->guest_pc && code_exit->region->key == target->key)
        exit_chain(engine, code_exit, target);
    engine_unlock(engine);
    return target;
}

static struct region *follow_heat(struct engine *engine, struct cpu_thread *thread)
{
    engine_lock(engine, thread);
    struct region *region = region_heat(engine, thread, thread->cpu->exit_site, thread->key);
    engine_unlock(engine);
    return region;
}

bool take_interrupt(struct cpu *cpu)
{
    uint32_t reasons = __atomic_exchange_n(&cpu->interrupt, 0, __ATOMIC_SEQ_CST);

    if (reasons & INTERRUPT_TRAPS) {
        cpu->thread->traps = 0;
        follow_key(cpu->engine, cpu->thread, cpu->thread->key & KEY_STEP);
    }
    if (reasons & ~(INTERRUPT_EXCLUSIVE | INTERRUPT_TRAPS | INTERRUPT_WINDOW))
        return true;
    if (__atomic_load_n(&cpu->engine->window, __ATOMIC_RELAXED) == cpu->thread) {
        if (reasons & INTERRUPT_WINDOW)
            window_break(cpu->engine, cpu->thread);
        return false;
    }
    thread_end_running(cpu->thread);
    thread_begin_running(cpu->thread);
    return false;
}

enum cpu_trap take_trap(struct engine *engine, struct cpu *cpu)
{
    switch ((enum cpu_trap)cpu->trap) {
    case TRAP_CACHE:
        engine_lock(engine, cpu->thread);
        invalidate_range(engine, cpu->cache_start, cpu->cache_end);
        engine_unlock(engine);
        return TRAP_NONE;
    case TRAP_FETCH:
        /* Next time there may be code here: the machine tells what goes, not what comes. */
        engine_lock(engine, cpu->thread);
        invalidate_range(engine, cpu->pc, cpu->pc + 1);
        engine_unlock(engine);
        return TRAP_FETCH;
    case TRAP_RESYNC:
        follow_key(engine, cpu->thread, cpu->thread->key & KEY_STEP);
        return TRAP_NONE;
    case TRAP_WINDOW_OPEN:
        window_open(engine, cpu->thread);
        return TRAP_NONE;
    case TRAP_WINDOW_CLOSE:
        __atomic_store_n(&cpu->thread->window_ns, WINDOW_NS, __ATOMIC_RELAXED);
        window_close(engine, cpu->thread);
        return TRAP_NONE;
    case TRAP_EXECUTE:
        return engine->isa->execute(cpu) ? TRAP_NONE : TRAP_DATA;
    default:
        return cpu->trap;
    }
}

/** An indirect branch has reached `region`. The trap, if it may not be reached by one of that kind; TRAP_RESYNC: look again. */
static enum cpu_trap arrive(struct engine *engine, struct cpu *cpu, const struct region *region)
{
    if (!(region->entry_kinds >> cpu->branch_kind & 1)) {
        engine_lock(engine, cpu->thread);
        enum cpu_trap trap = table_find(engine, cpu->pc, cpu->thread->key) != region ? TRAP_RESYNC
                             : breakpoint_at(engine, cpu->pc)                        ? TRAP_DEBUG
                                                                                     : TRAP_BRANCH_TARGET;
        /* If it only says that no code is there: what comes is not told to us, as with TRAP_FETCH. */
        if (trap == TRAP_BRANCH_TARGET)
            invalidate_range(engine, cpu->pc, cpu->pc + 1);
        engine_unlock(engine);
        cpu->trap_info = 0;
        return trap;
    }
    jump_cache_fill(cpu, region, cpu->branch_kind);
    cpu->branch_kind = 0;
    return TRAP_NONE;
}

static enum cpu_trap run(struct engine *engine, struct cpu *cpu)
{
    struct cpu_thread *thread = cpu->thread;
    struct region *region = NULL; /* what to run next; NULL: to be found by cpu->pc */
    enum cpu_trap trap;

    follow_key(engine, thread, 0);
    for (;;) {
        if (__atomic_load_n(&cpu->interrupt, __ATOMIC_RELAXED)) {
            if (take_interrupt(cpu))
                return TRAP_INTERRUPT;
            region = NULL;
        }
        if (!region)
            region = find_or_translate(engine, thread, cpu->pc);
        if (cpu->branch_kind && (trap = arrive(engine, cpu, region)) != TRAP_NONE) {
            if (trap != TRAP_RESYNC)
                return trap;
            region = NULL;
            continue;
        }
        if (engine->options.log & (LOG_EXEC | LOG_CPU))
            log_enter(engine, cpu, region);
        thread->generation = engine->generation;
        engine->backend->enter(engine->backend_state, cpu, region);

        region = NULL;
        switch ((enum cpu_exit)cpu->exit_reason) {
        case CPU_EXIT_LOOKUP:
            region = find_or_translate(engine, thread, cpu->pc);
            if (!cpu->branch_kind)
                jump_cache_fill(cpu, region, 0);
            break;
        case CPU_EXIT_LINK:
            region = follow_exit(engine, thread);
            break;
        case CPU_EXIT_HOT:
            region = follow_heat(engine, thread);
            break;
        case CPU_EXIT_INTERRUPT:
            break;
        case CPU_EXIT_TRAP:
            trap = take_trap(engine, cpu);
            if (trap != TRAP_NONE)
                return trap;
            break;
        case CPU_EXIT_FAULT:
            return TRAP_FAULT;
        }
    }
}

enum cpu_trap engine_run(struct cpu *cpu)
{
    thread_begin_running(cpu->thread);
    window_meet_others(cpu->engine, cpu->thread);
    enum cpu_trap trap = run(cpu->engine, cpu);
    thread_end_running(cpu->thread);
    return trap;
}

void engine_invalidate(struct engine *engine, uint64_t start, uint64_t end)
{
    engine_begin_change(engine);
    engine_end_change(engine, start, end);
}

void engine_begin_change(struct engine *engine) { engine_lock(engine, NULL); }

void engine_end_change(struct engine *engine, uint64_t start, uint64_t end)
{
    if (start < end)
        invalidate_range(engine, start, end);
    engine_unlock(engine);
}

/* ---- recovery of state ------------------------------------------------------------------------------------------------------ */

static bool recover_at(const struct engine *engine, struct cpu *cpu, uint64_t host_pc, const struct host_regs *regs)
{
    const struct region *region = code_cache_find(engine->cache, (const void *)host_pc);

    return region && statemap_recover(region->statemap, region->statemap_size, region->guest_pc,
                                      (uint32_t)(host_pc - (uintptr_t)region->code), regs, engine->isa, cpu);
}

void engine_poll_recover(struct cpu *cpu, uint64_t host_pc, const struct host_regs *regs)
{
    if (recover_at(cpu->engine, cpu, host_pc, regs))
        return;
    fprintf(stderr, "dragoman: defect in the %s backend: no state map entry at host address %#llx\n",
            cpu->engine->backend->name, (unsigned long long)host_pc);
    _exit(1);
}

static void take_host_regs(const ucontext_t *uc, struct host_regs *regs)
{
    /* In the order of the encoding of host registers. */
    static const uint8_t order[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                                      REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};

    for (unsigned i = 0; i < 16; i++)
        regs->gpr[i] = (uint64_t)uc->uc_mcontext.gregs[order[i]];
    memcpy(regs->xmm, uc->uc_mcontext.fpregs->_xmm, sizeof regs->xmm);
}

bool engine_in_code(const struct engine *engine, const ucontext_t *uc)
{
    return code_cache_contains(engine->cache, (const void *)uc->uc_mcontext.gregs[REG_RIP]);
}

/** An invalid operation has trapped; the CPU's next exit finds out when that is too often. */
static void count_trap(const struct engine *engine, struct cpu *cpu)
{
    struct cpu_thread *thread = cpu->thread;
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    if (now.tv_sec != thread->trap_second) {
        thread->trap_second = now.tv_sec;
        thread->ntraps = 0;
    }
    if (thread->ntraps < engine->options.invalid_traps_max)
        thread->ntraps++;
    else if (thread->traps)
        __atomic_fetch_or(&cpu->interrupt, INTERRUPT_TRAPS, __ATOMIC_SEQ_CST);
}

enum engine_fault_result engine_fault(struct cpu *cpu, int sig, uint64_t fault_address, ucontext_t *uc)
{
    const struct engine *engine = cpu->engine;
    const struct host_backend *backend = engine->backend;

    if (code_read_fixup(uc) || (engine->isa->fixup && engine->isa->fixup(uc)))
        return ENGINE_FAULT_FIXED;
    if (sig == SIGFPE || sig == SIGTRAP) {
        if (!backend->fixup || !backend->fixup(engine->backend_state, cpu, sig, fault_address, uc))
            return ENGINE_FAULT_NOT_OURS;
        if (sig == SIGFPE)
            count_trap(engine, cpu);
        return ENGINE_FAULT_FIXED;
    }
    if (backend->recover) {
        if (!backend->recover(engine->backend_state, cpu, uc))
            return ENGINE_FAULT_NOT_OURS;
    } else {
        if (!engine_in_code(engine, uc))
            return ENGINE_FAULT_NOT_OURS;
        if (backend->fixup && backend->fixup(engine->backend_state, cpu, sig, fault_address, uc))
            return ENGINE_FAULT_FIXED;
        struct host_regs regs;
        take_host_regs(uc, &regs);
        if (!recover_at(engine, cpu, (uint64_t)uc->uc_mcontext.gregs[REG_RIP], &regs))
            return ENGINE_FAULT_NOT_OURS;
    }
    backend->leave(engine->backend_state, cpu, uc);
    return ENGINE_FAULT_RECOVERED;
}

/* ---- fork --------------------------------------------------------------------------------------------------------------------- */

void engine_fork_prepare(struct engine *engine)
{
    engine_lock(engine, NULL);
    lock_take(&engine->gate);
    /* The code cache is shared memory: parent and child must not write to the same. Copied here, where it cannot change. */
    code_cache_snapshot(engine->cache); /* whether it could be made, the child will see */
}

void engine_fork_parent(struct engine *engine)
{
    code_cache_drop_snapshot(engine->cache);
    lock_release(&engine->gate);
    engine_unlock(engine);
}

void engine_fork_child(struct engine *engine, struct cpu *self)
{
    init_locks(engine);
    engine->exclusive = 0;
    engine->window = NULL;
    engine->gate_waiters = 0;
    compile_fork_child(engine);
    for (struct cpu_thread *thread = engine->threads, *next; thread; thread = next) {
        next = thread->next;
        if (thread->cpu != self)
            unregister(engine, thread);
    }
    if (!code_cache_adopt(engine->cache)) {
        fprintf(stderr, "dragoman: fork: no memory (or no descriptor) for the child's copy of the code cache\n");
        _exit(127);
    }
}

/* ---- statistics ----------------------------------------------------------------------------------------------------------------- */

void engine_get_stats(struct engine *engine, struct engine_stats *stats)
{
    engine_lock(engine, NULL);
    *stats = engine->stats;
    for (const struct cpu_thread *thread = engine->threads; thread; thread = thread->next)
        stats->lookups += thread->lookups;
    engine_unlock(engine);
}

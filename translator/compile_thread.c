/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "translator/compile_thread.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "translator/code_read.h"
#include "translator/keep.h"

#define REQUESTS 32u           /* that wait, with the one that is being compiled */
#define CODE_BYTES 6144u       /* of guest code in a request */
#define HOST_BYTES (256u << 10) /* of a region's host code */
#define HOST_ALIGN 64u         /* see host_backend.move */
#define STACK_BYTES (256u << 10)
#define NAP_NS 500000                    /* while there is something to do now and then: */
#define NAPS 40u                         /* so many, before it has to be woken */
#define IDLE_NS UINT64_C(1000000000)     /* without work, until the thread ends */
#define HOLD_OFF_NS UINT64_C(200000000)  /* after it was ended, until it may begin again */
#define RETRY_NS UINT64_C(1000000000)    /* after it could not be had */

/** Guest code of a plan's block, copied. */
struct source_copy {
    uint64_t start, end;
    uint32_t offset; /* in request.code */
    uint32_t attributes;
};

struct request {
    struct hot_plan plan;
    uint32_t key;
    bool stale;       /* what it was made of has gone */
    bool incomplete;  /* by the compile thread: the builder wanted code that is not in the copy */
    struct keep_job job;
    struct region cold; /* as it was: its profile goes over to the hot region */
    uint32_t first_block_insns;
    uint64_t low, high; /* all copies are within */
    unsigned ncopies;
    uint32_t used; /* bytes of code */
    struct source_copy copies[HOT_MAX_BLOCKS];
    uint8_t code[CODE_BYTES] __attribute__((aligned(8)));
    struct cpu cpu[] __attribute__((aligned(64))); /* a copy, isa->cpu_size bytes: for the builder */
};

/** What the thread works with; nobody else touches it while the thread is there. */
struct workshop {
    struct engine maker; /* a copy of the engine with builder, IR, backend state and guest memory of its own */
    uint8_t *code;       /* HOST_BYTES */
    struct builder_word words[KEEP_WORDS];
};

struct compile_thread {
    struct engine *engine;
    pid_t pid; /* of the process that may have the thread: not of a child that shares this memory */
    /* Under the engine's lock: */
    struct event changed;
    bool running, waiting;
    bool quit; /* also read without the lock, and so is `n` */
    bool working; /* on the first request, without the lock */
    pid_t tid;    /* 0: it has not begun yet */
    uint64_t not_before;
    uint32_t seen; /* blocks that have become hot */
    struct workshop *workshop;
    uint8_t *requests; /* a ring; each of request_size bytes */
    size_t request_size;
    unsigned first, n;
};

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static struct request *request_at(const struct compile_thread *c, unsigned i)
{
    return (struct request *)(c->requests + (c->first + i) % REQUESTS * c->request_size);
}

struct compile_thread *compile_thread_new(struct engine *engine)
{
    /* Logs tell of translations in the order of execution. */
    const unsigned logs = LOG_IN_ASM | LOG_IR | LOG_OUT_ASM | LOG_EXEC | LOG_CPU | LOG_NOCHAIN;

    if (!engine->options.thread || !engine->options.regions || !engine->backend->create_apart || engine->options.log & logs)
        return NULL;
    struct compile_thread *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    c->engine = engine;
    c->pid = getpid();
    c->request_size = (sizeof(struct request) + engine->isa->cpu_size + 63) & ~(size_t)63;
    c->requests = mmap(NULL, REQUESTS * c->request_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (c->requests == MAP_FAILED) {
        free(c);
        return NULL;
    }
    return c;
}

/* ---- the workshop ---------------------------------------------------------------------------------------------------------- */

static const struct source_copy *copy_of(const struct request *request, uint64_t pc)
{
    for (unsigned i = 0; i < request->ncopies; i++) {
        if (pc >= request->copies[i].start && pc < request->copies[i].end)
            return &request->copies[i];
    }
    return NULL;
}

static const uint8_t *fetch_copy(void *opaque, uint64_t pc, uint64_t *end)
{
    struct request *request = request_at(opaque, 0);
    const struct source_copy *copy = copy_of(request, pc);

    if (!copy) {
        request->incomplete = true;
        return NULL;
    }
    *end = copy->end;
    return request->code + copy->offset + (pc - copy->start);
}

static uint32_t attributes_of_copy(void *opaque, uint64_t pc)
{
    const struct source_copy *copy = copy_of(request_at(opaque, 0), pc);
    return copy ? copy->attributes : 0;
}

static void workshop_free(struct workshop *w)
{
    if (!w)
        return;
    if (w->maker.backend_state)
        w->maker.backend->destroy(w->maker.backend_state);
    if (w->maker.builder)
        builder_free(w->maker.builder);
    ir_free(&w->maker.ir);
    if (w->code)
        munmap(w->code, HOST_BYTES);
    free(w);
}

static struct workshop *workshop_new(struct compile_thread *c)
{
    const struct engine *engine = c->engine;
    struct workshop *w = malloc(sizeof *w);
    if (!w)
        return NULL;
    w->maker = *engine;
    w->maker.memory = (struct engine_memory){
        .fetch = fetch_copy, .attributes = engine->memory.attributes ? attributes_of_copy : NULL, .opaque = c};
    w->maker.options.log = 0;
    w->maker.nbreakpoints = w->maker.nwatches = 0;
    ir_init(&w->maker.ir);
    w->maker.builder = builder_new(engine->isa, &w->maker.options.builder);
    w->maker.backend_state = engine->backend->create_apart(engine->backend_state);
    w->code = mmap(NULL, HOST_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (w->code == MAP_FAILED)
        w->code = NULL;
    if (w->maker.builder && w->maker.backend_state && w->code)
        return w;
    workshop_free(w);
    return NULL;
}

/* ---- a request, on the compile thread --------------------------------------------------------------------------------------- */

static void tell(const struct compile_thread *c, enum engine_compiling stage)
{
    const struct engine_observer *observer = c->engine->options.observer;
    if (observer && observer->compiling)
        observer->compiling(observer->opaque, stage);
}

/** Without the lock. False: there is no such region. */
static bool make_region(struct compile_thread *c, struct request *request, struct source *source, struct translation *t)
{
    struct workshop *w = c->workshop;
    struct cpu_thread self = {.cpu = request->cpu};
    const struct code_cache *cache = w->maker.cache;
    uint32_t largest = code_cache_largest(cache);
    /* As if it were the first code of all. */
    const uint8_t *rx = cache->rx + ((cache->permanent_used + 4095u) & ~4095u);

    request->incomplete = false;
    request->job.words = w->words;
    translate_apart(&w->maker, &self, &request->plan, request->key, source, t, &request->job);
    return !request->incomplete && w->maker.backend->compile(w->maker.backend_state, &w->maker.ir, &t->region, w->code, rx,
                                                             largest < HOST_BYTES ? largest : HOST_BYTES, false);
}

/** With the lock held, which is given back while it waits. False: there is no room. */
static bool make_room(struct engine *engine, uint32_t size)
{
    uint8_t *rw;
    const uint8_t *rx;

    /* Another CPU's window is no time for an eviction; it is closed soon, and not opened without the lock. */
    while (__atomic_load_n(&engine->window, __ATOMIC_RELAXED)) {
        const struct timespec pause = {.tv_nsec = 50000};
        engine_unlock(engine);
        nanosleep(&pause, NULL);
        engine_lock(engine, NULL);
    }
    code_cache_align(engine->cache, HOST_ALIGN);
    if (code_cache_space(engine->cache, &rw, &rx) < size)
        evict_next_chunk(engine, NULL);
    code_cache_align(engine->cache, HOST_ALIGN);
    return code_cache_space(engine->cache, &rw, &rx) >= size;
}

static bool has_room(struct engine *engine, uint32_t size)
{
    uint8_t *rw;
    const uint8_t *rx;

    code_cache_align(engine->cache, HOST_ALIGN);
    return code_cache_space(engine->cache, &rw, &rx) >= size;
}

static struct region *find_cold(const struct engine *engine, const struct request *request)
{
    return table_find(engine, request->plan.pcs[0], request->key);
}

static void install(struct compile_thread *c, struct request *request, struct source *source, const struct translation *made)
{
    struct engine *engine = c->engine;
    struct workshop *w = c->workshop;

    bool room = has_room(engine, made->region.code_size) || make_room(engine, made->region.code_size);
    struct region *cold = find_cold(engine, request); /* making room may have evicted it */
    if (request->stale || (cold && cold->hot)) {
        engine->stats.thread_dropped++;
        return;
    }
    if (!room) {
        if (cold)
            *cold->countdown = INT32_MAX;
        return;
    }
    struct translation *t = translate_adopt(engine, &w->maker, source, made, w->code);
    t->first_block_insns = request->first_block_insns;
    region_take_profile(&t->region, &request->cold);
    keep_add(engine, &w->maker, &request->job, t, &request->plan);
    if (cold)
        table_replace(engine, translation_of(cold), t);
    else
        table_insert(engine, t);
    engine->stats.hot_regions++;
    engine->stats.thread_regions++;
}

/** What was asked for in vain may be asked for again. */
static void ask_again(struct engine *engine, const struct request *request)
{
    struct region *cold = find_cold(engine, request);
    if (cold && !cold->hot && *cold->countdown > 0)
        *cold->countdown = 0;
}

/** It is held for moments only, and sleeping costs more than one. */
static void lock_patiently(struct engine *engine)
{
    for (unsigned i = 0; i < 200; i++) {
        if (lock_try(&engine->lock))
            return;
        _mm_pause();
    }
    engine_lock(engine, NULL);
}

static void work(struct compile_thread *c, struct request *request)
{
    struct engine *engine = c->engine;
    struct source source;
    struct translation made;
    bool timed = engine->options.log & LOG_STATS;
    uint64_t begun = timed ? clock_ns(CLOCK_THREAD_CPUTIME_ID) : 0;

    c->working = true;
    engine_unlock(engine);
    tell(c, ENGINE_COMPILING_BEGUN);
    bool good = make_region(c, request, &source, &made);
    tell(c, ENGINE_COMPILING_DONE);
    lock_patiently(engine);
    if (request->stale) {
        engine->stats.thread_dropped++;
        ask_again(engine, request);
    } else if (good) {
        install(c, request, &source, &made);
    } else {
        struct region *cold = find_cold(engine, request);
        if (cold && !cold->hot)
            *cold->countdown = INT32_MAX;
    }
    c->working = false;
    if (timed)
        engine->stats.thread_ns += clock_ns(CLOCK_THREAD_CPUTIME_ID) - begun;
}

/* ---- the thread ------------------------------------------------------------------------------------------------------------- */

/** All of the kernel's: those that the C library keeps for itself, too. Returns what was blocked. */
static uint64_t set_mask(uint64_t mask)
{
    uint64_t old = 0;
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &mask, &old, sizeof mask);
    return old;
}

/** Until there is a request, or no use in waiting any more. It naps first, so that a CPU with one request after the other need not
    wake it for each. */
static bool wait_for_request(struct compile_thread *c)
{
    struct engine *engine = c->engine;
    const struct timespec nap = {.tv_nsec = NAP_NS};

    if (c->n == 0) {
        engine_unlock(engine);
        for (unsigned i = 0; i < NAPS && !__atomic_load_n(&c->n, __ATOMIC_RELAXED) && !__atomic_load_n(&c->quit, __ATOMIC_RELAXED); i++)
            nanosleep(&nap, NULL);
        lock_patiently(engine);
    }
    bool in_time = true;
    while (in_time && c->n == 0 && !c->quit) {
        c->waiting = true;
        in_time = event_wait(&c->changed, &engine->lock, IDLE_NS);
        c->waiting = false;
    }
    return c->n > 0;
}

static void *thread_main(void *opaque)
{
    struct compile_thread *c = opaque;
    struct engine *engine = c->engine;

    set_mask(UINT64_MAX); /* but for this, the C library leaves one of its own signals open */
    engine_lock(engine, NULL);
    c->tid = (pid_t)syscall(SYS_gettid);
    while (!c->quit && wait_for_request(c) && !c->quit) {
        struct request *request = request_at(c, 0);
        if (request->stale)
            engine->stats.thread_dropped++;
        else
            work(c, request);
        c->first = (c->first + 1) % REQUESTS;
        c->n--;
    }
    workshop_free(c->workshop);
    c->workshop = NULL;
    c->running = c->quit = false;
    event_signal(&c->changed);
    engine_unlock(engine);
    return NULL;
}

static bool has_another_processor(void)
{
    cpu_set_t set;
    return sched_getaffinity(0, sizeof set, &set) != 0 || CPU_COUNT(&set) > 1;
}

/** False: there is to be no thread now. */
static bool ensure_running(struct compile_thread *c)
{
    const struct engine_memory *memory = &c->engine->memory;
    pthread_attr_t attributes;
    pthread_t pthread;
    char name[16] = "";
    uint64_t now;

    if (c->running)
        return !c->quit;
    if (c->seen < c->engine->options.thread_after || getpid() != c->pid ||
        (memory->may_start_thread && !memory->may_start_thread(memory->opaque)) ||
        (now = clock_ns(CLOCK_MONOTONIC_COARSE)) < c->not_before)
        return false;
    c->not_before = now + RETRY_NS;
    if (!has_another_processor())
        return false;
    if (!c->workshop)
        c->workshop = workshop_new(c);
    if (!c->workshop)
        return false;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    c->tid = 0;
    uint64_t mask = set_mask(UINT64_MAX);
    /* It is to have its name from the first moment on: that is how it is told from the guest's threads. */
    prctl(PR_GET_NAME, name);
    prctl(PR_SET_NAME, ENGINE_THREAD_NAME);
    c->running = pthread_create(&pthread, &attributes, thread_main, c) == 0;
    prctl(PR_SET_NAME, name);
    set_mask(mask);
    pthread_attr_destroy(&attributes);
    if (c->running)
        c->not_before = 0;
    return c->running;
}

void engine_stop_compiling(struct engine *engine)
{
    struct compile_thread *c = engine->compile_thread;

    if (!c || getpid() != c->pid)
        return;
    engine_lock(engine, NULL);
    bool was_running = c->running;
    while (c->running) {
        __atomic_store_n(&c->quit, true, __ATOMIC_RELAXED);
        event_signal(&c->changed);
        event_wait(&c->changed, &engine->lock, 0);
    }
    c->not_before = clock_ns(CLOCK_MONOTONIC_COARSE) + HOLD_OFF_NS;
    pid_t tid = c->tid;
    engine_unlock(engine);
    /* It is the kernel that is to know of one thread only. */
    while (was_running && tid && syscall(SYS_tgkill, c->pid, tid, 0) == 0)
        sched_yield();
}

bool engine_is_compiling(struct engine *engine)
{
    struct compile_thread *c = engine->compile_thread;

    if (!c || getpid() != c->pid)
        return false;
    engine_lock(engine, NULL);
    bool running = c->running;
    engine_unlock(engine);
    return running;
}

void compile_thread_free(struct compile_thread *c)
{
    if (!c)
        return;
    engine_stop_compiling(c->engine);
    workshop_free(c->workshop);
    munmap(c->requests, REQUESTS * c->request_size);
    free(c);
}

void compile_fork_child(struct engine *engine)
{
    struct compile_thread *c = engine->compile_thread;

    if (!c)
        return;
    c->pid = getpid();
    if (c->working)
        c->workshop = NULL; /* in no order: it is not worth the trouble */
    c->running = c->quit = c->waiting = c->working = false;
    c->changed = (struct event){0};
    c->n = 0; /* who is still hot will ask again */
    c->seen = 0;
}

/* ---- asking ------------------------------------------------------------------------------------------------------------------ */

/** Lets the cold block run so many times before it asks again; none of its executions is forgotten. */
static void postpone(struct region *cold, int64_t entries)
{
    struct translation *t = translation_of(cold);

    if (entries > INT32_MAX / 2)
        entries = INT32_MAX / 2;
    if (t->hot_after < INT32_MAX / 2)
        t->hot_after += (int32_t)entries - *cold->countdown;
    *cold->countdown = (int32_t)entries;
}

static void postpone_long(const struct engine *engine, struct region *cold)
{
    postpone(cold, (int64_t)engine->options.hot * 32);
}

static bool is_in_plan(const struct hot_plan *plan, uint64_t pc)
{
    for (unsigned i = 0; i < plan->n; i++) {
        if (plan->pcs[i] == pc)
            return true;
    }
    return false;
}

bool compile_is_under_way(struct engine *engine, struct region *cold)
{
    struct compile_thread *c = engine->compile_thread;

    for (unsigned i = 0; c && i < c->n; i++) {
        struct request *request = request_at(c, i);
        if (!is_in_plan(&request->plan, cold->guest_pc) || request->key != cold->key || request->stale)
            continue;
        if (!ensure_running(c)) {
            request->stale = true;
            return false;
        }
        if (request->plan.pcs[0] == cold->guest_pc)
            postpone_long(engine, cold);
        else /* what has made it hot will soon run elsewhere */
            postpone(cold, engine->options.hot);
        return true;
    }
    return false;
}

/** Copies the code of the block at pc, as far as the cold translation has looked at it. False: it cannot be had. */
static bool copy_block(struct engine *engine, struct request *request, uint64_t pc)
{
    const struct region *region = table_find(engine, pc, request->key);
    const struct translation *t = region ? translation_of(region) : NULL;
    struct source_copy *copy = &request->copies[request->ncopies];
    const uint8_t *host = NULL;
    uint64_t until = 0;

    copy->start = copy->end = pc;
    for (uint32_t i = 0; t && i < t->nranges; i++) {
        if (t->ranges[i].start == pc && t->ranges[i].end > copy->end)
            copy->end = t->ranges[i].end;
    }
    for (unsigned i = 0; i < request->ncopies; i++) {
        if (request->copies[i].start <= pc && request->copies[i].end >= copy->end)
            return true;
    }
    if (copy->end == pc || copy->end - pc > CODE_BYTES - request->used)
        return false;
    copy->offset = request->used;
    copy->attributes = engine->memory.attributes ? engine->memory.attributes(engine->memory.opaque, pc) : 0;
    for (uint64_t at = pc, size; at < copy->end; at += size) {
        if (at >= until && (!(host = engine->memory.fetch(engine->memory.opaque, at, &until)) || at >= until))
            return false;
        size = until - at >= 4 && copy->end - at >= 4 ? 4 : 1;
        uint8_t *to = &request->code[request->used + (at - pc)];
        if (size == 4 ? !code_read32(host, (uint32_t *)(void *)to) : !code_read8(host, to))
            return false;
        host += size;
    }
    request->used = (request->used + (uint32_t)(copy->end - pc) + 7) & ~7u;
    request->ncopies++;
    if (request->low > pc)
        request->low = pc;
    if (request->high < copy->end)
        request->high = copy->end;
    return true;
}

bool compile_later(struct engine *engine, const struct cpu_thread *self, struct region *cold, const struct hot_plan *plan)
{
    struct compile_thread *c = engine->compile_thread;

    if (!c || engine->nbreakpoints || cold->key & (KEY_STEP | KEY_WATCH))
        return false;
    c->seen++;
    if (!ensure_running(c))
        return false;
    if (c->n == REQUESTS) {
        engine->stats.thread_full++;
        postpone(cold, engine->options.hot / 2 + 1);
        return true;
    }
    struct request *request = request_at(c, c->n);
    request->plan = *plan;
    request->key = cold->key;
    request->stale = false;
    request->cold = *cold;
    request->first_block_insns = translation_of(cold)->first_block_insns;
    request->low = UINT64_MAX;
    request->high = 0;
    request->ncopies = request->used = 0;
    for (unsigned i = 0; i < plan->n; i++) {
        if (!copy_block(engine, request, plan->pcs[i]))
            return false;
    }
    keep_begin(engine, plan->pcs[0], cold->key, &request->job);
    memcpy(request->cpu, self->cpu, engine->isa->cpu_size);
    __atomic_store_n(&c->n, c->n + 1, __ATOMIC_RELAXED);
    if (c->waiting)
        event_signal(&c->changed);
    postpone_long(engine, cold);
    return true;
}

void compile_invalidate(struct engine *engine, uint64_t start, uint64_t end)
{
    struct compile_thread *c = engine->compile_thread;

    for (unsigned i = 0; c && i < c->n; i++) {
        struct request *request = request_at(c, i);
        if (request->stale || start >= request->high || end <= request->low)
            continue;
        for (unsigned k = 0; k < request->ncopies && !request->stale; k++)
            request->stale = start < request->copies[k].end && request->copies[k].start < end;
    }
}

void compile_forget(struct engine *engine)
{
    struct compile_thread *c = engine->compile_thread;

    for (unsigned i = 0; c && i < c->n; i++)
        request_at(c, i)->stale = true;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The compile thread, on the toy instruction set. It is held before and after it compiles a region, while the code changes or goes,
 * the cache is emptied, the process forks or ends.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <dirent.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/toy_isa.h"
#include "translator/engine.h"
#include "translator/keep_store.h"

enum { MEMORY_SIZE = 1 << 20, LOOP_WORDS = 8, LOOPS = 2000 };

struct fixture {
    struct engine *engine;
    struct toy_cpu *cpu;
    uint32_t *code; /* guest memory: addresses are the host's */
    struct engine_observer observer;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    int hold; /* enum engine_compiling, or -1: nowhere */
    uint32_t stop;
    bool held;
};

static const uint8_t *fetch(void *opaque, uint64_t pc, uint64_t *end)
{
    const struct fixture *f = opaque;
    uint64_t start = (uintptr_t)f->code;

    if (pc < start || pc >= start + MEMORY_SIZE)
        return NULL;
    *end = (pc | 4095) + 1;
    return (const uint8_t *)pc;
}

static void translated(void *opaque, const struct region *region) { (void)opaque, (void)region; }
static void invalidated(void *opaque, uint64_t start, uint64_t end) { (void)opaque, (void)start, (void)end; }

static void compiling(void *opaque, enum engine_compiling stage)
{
    struct fixture *f = opaque;

    pthread_mutex_lock(&f->mutex);
    while (f->hold == (int)stage) {
        f->held = true;
        pthread_cond_broadcast(&f->changed);
        pthread_cond_wait(&f->changed, &f->mutex);
    }
    f->held = false;
    pthread_mutex_unlock(&f->mutex);
}

static void wait_until_held(struct fixture *f)
{
    pthread_mutex_lock(&f->mutex);
    while (!f->held)
        pthread_cond_wait(&f->changed, &f->mutex);
    pthread_mutex_unlock(&f->mutex);
}

static void let_go(struct fixture *f)
{
    pthread_mutex_lock(&f->mutex);
    f->hold = -1;
    pthread_cond_broadcast(&f->changed);
    pthread_mutex_unlock(&f->mutex);
}

static void open_engine_keeping(struct fixture *f, int hold, size_t cache_size, struct engine_keep keep)
{
    struct engine_memory memory = {fetch, f};
    struct engine_options options;
    char error[256];

    *f = (struct fixture){.hold = hold, .observer = {translated, invalidated, f, compiling}};
    pthread_mutex_init(&f->mutex, NULL);
    pthread_cond_init(&f->changed, NULL);
    f->code = mmap(NULL, MEMORY_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(f->code, MAP_FAILED);
    engine_default_options(&options);
    options.verify = true;
    options.hot = 20;
    options.thread = true;
    options.thread_after = 0;
    options.observer = &f->observer;
    options.keep = keep;
    if (cache_size)
        options.cache_size = cache_size;
    f->engine = engine_create(&toy_isa, &backend_x86_64, &memory, &options, error);
    assert_non_null(f->engine);
    f->cpu = (struct toy_cpu *)engine_cpu_new(f->engine);
    assert_non_null(f->cpu);
}

static void open_engine(struct fixture *f, int hold, size_t cache_size)
{
    open_engine_keeping(f, hold, cache_size, (struct engine_keep){.find = NULL});
}

static void close_engine(struct fixture *f)
{
    engine_cpu_free(&f->cpu->cpu);
    engine_destroy(f->engine);
    munmap(f->code, MEMORY_SIZE);
    pthread_mutex_destroy(&f->mutex);
    pthread_cond_destroy(&f->changed);
}

static struct engine_stats stats_of(const struct fixture *f)
{
    struct engine_stats stats;
    engine_get_stats(f->engine, &stats);
    return stats;
}

/** Loop number i: r0 = r1 times `step`. */
static void write_loop(struct fixture *f, unsigned i, int step)
{
    const uint32_t program[] = {
        toy_wide(TOY_IMM, 0, 0),    toy3(TOY_ADDI, 0, 0, step), toy3(TOY_ADDI, 1, 1, -1),
        toy_wide(TOY_BNZ, 1, -2),   toy_wide(TOY_HALT, 0, 0),
    };
    memcpy(f->code + i * LOOP_WORDS, program, sizeof program);
}

static void run_loop(struct fixture *f, unsigned i, int step, uint64_t n)
{
    f->cpu->r[1] = n;
    f->cpu->cpu.pc = (uintptr_t)(f->code + i * LOOP_WORDS);
    assert_int_equal(engine_run(&f->cpu->cpu), TRAP_HALT);
    assert_int_equal(f->cpu->r[0], n * (uint64_t)step);
}

/** Runs the loop until the thread has installed, or dropped, so many regions. */
static void run_until(struct fixture *f, unsigned i, int step, uint64_t regions, uint64_t dropped)
{
    const struct timespec pause = {.tv_nsec = 1000000};
    for (unsigned rounds = 0; rounds < 20000; rounds++) {
        struct engine_stats stats = stats_of(f);
        if (stats.thread_regions >= regions && stats.thread_dropped >= dropped)
            return;
        run_loop(f, i, step, 1000);
        nanosleep(&pause, NULL);
    }
    fail_msg("the thread does not come to an end");
}

static unsigned count_threads(void)
{
    unsigned n = 0;
    DIR *folder = opendir("/proc/self/task");
    for (const struct dirent *entry; folder && (entry = readdir(folder)) != NULL;)
        n += entry->d_name[0] != '.';
    closedir(folder);
    return n;
}

/* ---- tests ------------------------------------------------------------------------------------------------------------------- */

static void installation(void **state)
{
    struct fixture f;
    (void)state;
    open_engine(&f, ENGINE_COMPILING_DONE, 0);
    write_loop(&f, 0, 3);
    run_loop(&f, 0, 3, 1000);
    wait_until_held(&f);
    assert_int_equal(stats_of(&f).hot_regions, 0);
    run_loop(&f, 0, 3, 5000); /* in cold code */
    let_go(&f);
    run_until(&f, 0, 3, 1, 0);
    assert_int_equal(stats_of(&f).hot_regions, 1);
    run_loop(&f, 0, 3, 100000);
    assert_int_equal(stats_of(&f).thread_regions, 1);
    assert_int_equal(stats_of(&f).thread_dropped, 0);
    close_engine(&f);
}

static void change_while_held(int stage)
{
    struct fixture f;
    open_engine(&f, stage, 0);
    write_loop(&f, 0, 3);
    run_loop(&f, 0, 3, 1000);
    wait_until_held(&f);
    write_loop(&f, 0, 7);
    engine_invalidate(f.engine, (uintptr_t)(f.code + 1), (uintptr_t)(f.code + 2));
    run_loop(&f, 0, 7, 1000);
    let_go(&f);
    run_until(&f, 0, 7, 1, 1); /* the new one becomes hot, too */
    run_loop(&f, 0, 7, 100000);
    assert_int_equal(stats_of(&f).thread_dropped, 1);
    close_engine(&f);
}

static void changes(void **state)
{
    (void)state;
    change_while_held(ENGINE_COMPILING_BEGUN);
    change_while_held(ENGINE_COMPILING_DONE);
}

static void other_changes(void **state)
{
    struct fixture f;
    (void)state;
    open_engine(&f, ENGINE_COMPILING_BEGUN, 0);
    write_loop(&f, 0, 3);
    run_loop(&f, 0, 3, 1000);
    wait_until_held(&f);
    engine_invalidate(f.engine, (uintptr_t)(f.code + LOOP_WORDS), (uintptr_t)f.code + MEMORY_SIZE);
    engine_invalidate(f.engine, 0, (uintptr_t)f.code);
    let_go(&f);
    run_until(&f, 0, 3, 1, 0);
    assert_int_equal(stats_of(&f).thread_dropped, 0);
    close_engine(&f);
}

/** What was read when the code was there is all that is read. */
static void unmapping(void **state)
{
    struct fixture f;
    (void)state;
    open_engine(&f, ENGINE_COMPILING_BEGUN, 0);
    write_loop(&f, 0, 3);
    run_loop(&f, 0, 3, 1000);
    wait_until_held(&f);
    engine_begin_change(f.engine);
    assert_int_equal(mprotect(f.code, MEMORY_SIZE, PROT_NONE), 0);
    engine_end_change(f.engine, (uintptr_t)f.code, (uintptr_t)f.code + MEMORY_SIZE);
    let_go(&f);
    while (stats_of(&f).thread_dropped == 0)
        sched_yield();
    close_engine(&f);
}

struct kept_code {
    struct keep_store store;
    const struct fixture *f;
};

static struct keep_store *find_store(void *opaque, uint64_t pc, struct keep_extent *extent)
{
    struct kept_code *kept = opaque;
    uint64_t start = (uintptr_t)kept->f->code;
    (void)pc;
    *extent = (struct keep_extent){start, start + MEMORY_SIZE, 0};
    return &kept->store;
}

/** The file of code has become shorter: nothing can be read there any more, by what is to be kept either. */
static void shortening(void **state)
{
    struct fixture f;
    struct kept_code kept = {.f = &f};
    int fd = memfd_create("code", MFD_CLOEXEC);
    (void)state;
    open_engine_keeping(&f, ENGINE_COMPILING_DONE, 0, (struct engine_keep){.find = find_store, .opaque = &kept});
    assert_int_equal(ftruncate(fd, MEMORY_SIZE), 0);
    assert_ptr_equal(mmap(f.code, MEMORY_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0), f.code);
    write_loop(&f, 0, 3);
    run_loop(&f, 0, 3, 1000);
    wait_until_held(&f);
    uint64_t before = stats_of(&f).kept_written;
    assert_int_equal(ftruncate(fd, 0), 0);
    let_go(&f);
    while (stats_of(&f).thread_regions == 0)
        sched_yield();
    assert_int_equal(stats_of(&f).kept_written, before + 1);
    close_engine(&f);
    keep_store_forget_pending(&kept.store);
    close(fd);
}

static void evictions(void **state)
{
    struct fixture f;
    (void)state;
    for (int stage = ENGINE_COMPILING_BEGUN; stage <= ENGINE_COMPILING_DONE; stage++) {
        open_engine(&f, stage, 1 /* the least there is */);
        for (unsigned i = 0; i < LOOPS; i++)
            write_loop(&f, i, (int)(i % 100 + 1));
        run_loop(&f, 0, 1, 1000);
        wait_until_held(&f);
        for (unsigned round = 0; stats_of(&f).evictions < 20; round++) {
            for (unsigned i = 1; i < LOOPS; i++)
                run_loop(&f, i, (int)(i % 100 + 1), 3 + round % 5);
        }
        let_go(&f);
        run_until(&f, 0, 1, 1, 0);
        for (unsigned i = 0; i < LOOPS; i++)
            run_loop(&f, i, (int)(i % 100 + 1), 300);
        close_engine(&f);
    }
}

static void full_queue(void **state)
{
    struct fixture f;
    (void)state;
    open_engine(&f, ENGINE_COMPILING_BEGUN, 0);
    for (unsigned i = 0; i < 100; i++) {
        write_loop(&f, i, (int)i + 1);
        run_loop(&f, i, (int)i + 1, 1000);
    }
    assert_true(stats_of(&f).thread_full > 0);
    assert_int_equal(stats_of(&f).hot_regions, 0);
    let_go(&f);
    for (unsigned i = 0; i < 100; i++)
        run_until(&f, i, (int)i + 1, 2 + i / 2, 0);
    close_engine(&f);
}

static void fork_while_held(int stage)
{
    struct fixture f;
    int status;
    open_engine(&f, stage, 0);
    for (unsigned i = 0; i < 20; i++)
        write_loop(&f, i, 3);
    for (unsigned i = 0; i < 10; i++)
        run_loop(&f, i, 3, 1000);
    if (stage >= 0)
        wait_until_held(&f);
    engine_fork_prepare(f.engine);
    pid_t child = fork();
    if (child == 0) {
        alarm(60);
        engine_fork_child(f.engine, &f.cpu->cpu);
        pthread_mutex_init(&f.mutex, NULL);
        pthread_cond_init(&f.changed, NULL);
        f.hold = -1;
        uint64_t before = stats_of(&f).thread_regions;
        for (unsigned i = 0; i < 20; i++)
            run_loop(&f, i, 3, 100000);
        run_until(&f, 19, 3, before + 5, 0);
        for (unsigned i = 0; i < 20; i++)
            run_loop(&f, i, 3, 1000);
        close_engine(&f);
        _exit(0);
    }
    engine_fork_parent(f.engine);
    let_go(&f);
    for (unsigned i = 0; i < 10; i++)
        run_loop(&f, i, 3, 1000);
    run_until(&f, 0, 3, 5, 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    close_engine(&f);
}

static void forks(void **state)
{
    (void)state;
    fork_while_held(ENGINE_COMPILING_BEGUN);
    fork_while_held(ENGINE_COMPILING_DONE);
    for (unsigned i = 0; i < 10; i++)
        fork_while_held(-1);
}

static void *let_go_soon(void *opaque)
{
    usleep(30000);
    let_go(opaque);
    return NULL;
}

static void ends(void **state)
{
    struct fixture f;
    pthread_t helper;
    int status;
    (void)state;
    /* The process does not wait for it. */
    pid_t child = fork();
    if (child == 0) {
        alarm(60);
        open_engine(&f, ENGINE_COMPILING_BEGUN, 0);
        write_loop(&f, 0, 3);
        run_loop(&f, 0, 3, 1000);
        wait_until_held(&f);
        _exit(5);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 5);
    /* The engine does. */
    open_engine(&f, ENGINE_COMPILING_BEGUN, 0);
    write_loop(&f, 0, 3);
    run_loop(&f, 0, 3, 1000);
    wait_until_held(&f);
    pthread_create(&helper, NULL, let_go_soon, &f);
    engine_cpu_free(&f.cpu->cpu);
    engine_destroy(f.engine);
    pthread_join(helper, NULL);
    munmap(f.code, MEMORY_SIZE);
}

static void stops(void **state)
{
    struct fixture f;
    (void)state;
    open_engine(&f, -1, 0);
    const unsigned before = count_threads();
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < 10; i++) {
            write_loop(&f, round * 10 + i, 3);
            run_loop(&f, round * 10 + i, 3, 1000);
        }
        assert_true(engine_is_compiling(f.engine));
        assert_int_equal(count_threads(), before + 1);
        engine_stop_compiling(f.engine); /* in the middle of it */
        assert_int_equal(count_threads(), before);
        assert_false(engine_is_compiling(f.engine));
        /* In place, for a while. */
        write_loop(&f, 100 + round, 3);
        uint64_t regions = stats_of(&f).hot_regions;
        run_loop(&f, 100 + round, 3, 1000);
        assert_int_equal(stats_of(&f).hot_regions, regions + 1);
        assert_int_equal(count_threads(), before);
        usleep(300000);
    }
    engine_stop_compiling(f.engine);
    close_engine(&f);
}

static void idleness(void **state)
{
    struct fixture f;
    (void)state;
    open_engine(&f, -1, 0);
    const unsigned before = count_threads();
    write_loop(&f, 0, 3);
    run_until(&f, 0, 3, 1, 0);
    assert_int_equal(count_threads(), before + 1);
    for (unsigned i = 0; count_threads() != before && i < 300; i++)
        usleep(100000);
    assert_int_equal(count_threads(), before);
    write_loop(&f, 1, 4);
    run_until(&f, 1, 4, 2, 0);
    close_engine(&f);
}

/** A signal for the process waits for a thread of the guest's. */
static void signals(void **state)
{
    struct fixture f;
    uint64_t all = UINT64_MAX, old, pending;
    (void)state;
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, NULL, &old, 8);
    open_engine(&f, -1, 0);
    write_loop(&f, 0, 3);
    run_until(&f, 0, 3, 1, 0);
    assert_true(engine_is_compiling(f.engine));
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, NULL, 8);
    for (int signal = 1; signal <= 64; signal++) {
        if (signal != SIGKILL && signal != SIGSTOP && signal != SIGCONT && signal != SIGTSTP && signal != SIGTTIN && signal != SIGTTOU)
            assert_int_equal(kill(getpid(), signal), 0);
    }
    usleep(20000);
    syscall(SYS_rt_sigpending, &pending, 8);
    for (int signal = 1; signal <= 64; signal++) {
        if (signal == SIGKILL || signal == SIGSTOP || signal == SIGCONT || signal == SIGTSTP || signal == SIGTTIN || signal == SIGTTOU)
            continue;
        assert_true(pending >> (signal - 1) & 1);
        const struct timespec now = {0};
        uint64_t set = UINT64_C(1) << (signal - 1);
        assert_int_equal(syscall(SYS_rt_sigtimedwait, &set, NULL, &now, 8), signal);
    }
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &old, NULL, 8);
    close_engine(&f);
}

/* ---- many threads ----------------------------------------------------------------------------------------------------------- */

struct worker {
    pthread_t thread;
    struct fixture *f;
    struct toy_cpu *cpu;
    unsigned number;
    bool failed;
};


static void *run_loops(void *opaque)
{
    struct worker *w = opaque;
    for (unsigned round = 0; round < 30; round++) {
        for (unsigned i = w->number; i < 600; i += 1 + w->number) {
            w->cpu->r[1] = 100;
            w->cpu->cpu.pc = (uintptr_t)(w->f->code + i * LOOP_WORDS);
            if (engine_run(&w->cpu->cpu) != TRAP_HALT || w->cpu->r[0] != 100 * (i % 100 + 1))
                w->failed = true;
        }
    }
    return NULL;
}

static void *change_often(void *opaque)
{
    struct fixture *f = opaque;
    uint64_t seed = 1;
    while (!__atomic_load_n(&f->stop, __ATOMIC_RELAXED)) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        uint64_t start = (uintptr_t)f->code + (seed >> 33) % (600 * LOOP_WORDS * 4);
        engine_invalidate(f->engine, start, start + (seed >> 20) % 200);
        if (seed >> 60 == 0)
            engine_stop_compiling(f->engine);
        usleep(50);
    }
    return NULL;
}

static void many_threads(void **state)
{
    enum { WORKERS = 3 };
    struct worker workers[WORKERS];
    struct fixture f;
    pthread_t changer;
    (void)state;
    for (unsigned small = 0; small < 2; small++) {
        open_engine(&f, -1, small ? 1 : 0);
        for (unsigned i = 0; i < 600; i++)
            write_loop(&f, i, (int)(i % 100 + 1));
        pthread_create(&changer, NULL, change_often, &f);
        for (unsigned i = 0; i < WORKERS; i++) {
            workers[i] = (struct worker){.f = &f, .cpu = (struct toy_cpu *)engine_cpu_new(f.engine), .number = i};
            pthread_create(&workers[i].thread, NULL, run_loops, &workers[i]);
        }
        for (unsigned i = 0; i < WORKERS; i++) {
            pthread_join(workers[i].thread, NULL);
            assert_false(workers[i].failed);
            engine_cpu_free(&workers[i].cpu->cpu);
        }
        __atomic_store_n(&f.stop, 1, __ATOMIC_RELAXED);
        pthread_join(changer, NULL);
        assert_true(stats_of(&f).thread_regions > 0);
        close_engine(&f);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(installation), cmocka_unit_test(changes),    cmocka_unit_test(other_changes),
        cmocka_unit_test(unmapping),    cmocka_unit_test(evictions),  cmocka_unit_test(full_queue),
        cmocka_unit_test(forks),        cmocka_unit_test(ends),       cmocka_unit_test(stops),
        cmocka_unit_test(idleness),     cmocka_unit_test(signals),    cmocka_unit_test(many_threads),
        cmocka_unit_test(shortening),
    };
    cpu_set_t set;
    if (backend_x86_64.missing() || (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) < 2))
        return 77; /* meson: skipped */
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

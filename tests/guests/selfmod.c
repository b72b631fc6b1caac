/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Code that changes: written anew and flushed, protected, unmapped, mapped elsewhere, changed through another mapping. */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>
#include "check.h"

typedef uint64_t (*function)(uint64_t);
static size_t page;

#define MOVZ(rd, value) (0xd2800000u | (uint32_t)(value) << 5 | (rd))
#define ADD_IMM(rd, rn, value) (0x91000000u | (uint32_t)(value) << 10 | (rn) << 5 | (rd))
#define RET 0xd65f03c0u

static void write_code(uint32_t *code, const uint32_t *words, unsigned count)
{
    memcpy(code, words, count * 4);
    __builtin___clear_cache((char *)code, (char *)(code + count));
}

static void *map(int protection)
{
    void *memory = mmap(NULL, page, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(memory != MAP_FAILED);
    return memory;
}

static void rewritten(void)
{
    uint32_t *code = map(PROT_READ | PROT_WRITE | PROT_EXEC);
    for (unsigned i = 0; i < 3000; i++) {
        unsigned at = (i % 7) * 16;
        write_code(code + at, (uint32_t[]){ADD_IMM(0, 0, i), RET}, 2);
        function f = (function)(code + at);
        CHECK_EQ(f(5), 5 + i);
        CHECK_EQ(f(i), 2 * i);
        if (i > 7) {
            function before = (function)(code + (i - 1) % 7 * 16);
            CHECK_EQ(before(1), i);
        }
    }
    /* A hot loop in the changing code; only one instruction of it is changed. */
    for (unsigned i = 1; i < 30; i++) {
        write_code(code, (uint32_t[]){MOVZ(1, 0), ADD_IMM(1, 1, i), 0xf1000400 /* subs x0, x0, #1 */, 0x54ffffc1 /* b.ne -8 */,
                                      0xaa0103e0 /* mov x0, x1 */, RET}, 6);
        CHECK_EQ(((function)code)(2000), 2000 * i);
        code[1] = ADD_IMM(1, 1, i + 100);
        __builtin___clear_cache((char *)(code + 1), (char *)(code + 2));
        CHECK_EQ(((function)code)(2000), 2000 * (i + 100));
    }
    munmap(code, page);
}

static void protected(void)
{
    uint32_t *code = map(PROT_READ | PROT_WRITE);
    for (unsigned i = 0; i < 500; i++) {
        mprotect(code, page, PROT_READ | PROT_WRITE);
        code[0] = MOVZ(0, i);
        code[1] = RET;
        mprotect(code, page, PROT_READ | PROT_EXEC);
        __builtin___clear_cache((char *)code, (char *)(code + 2));
        CHECK_EQ(((function)code)(0), i);
    }
    munmap(code, page);
}

/* Called in vain first, with the entry or a later instruction where nothing may be executed; then with nothing but that changed. */
static sigjmp_buf refused;
static void on_refusal(int signal) { (void)signal, siglongjmp(refused, 1); }
static int call_fails(uint32_t *code)
{
    if (sigsetjmp(refused, 1))
        return 1;
    ((function)code)(0);
    return 0;
}
static void allowed_later(void)
{
    uint32_t *code = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    uint32_t *second = (uint32_t *)((char *)code + page), *across = second - 2;
    signal(SIGSEGV, on_refusal);
    code[0] = across[0] = MOVZ(0, 42);
    code[1] = second[0] = RET;
    across[1] = ADD_IMM(0, 0, 1);
    for (unsigned i = 0; i < 20; i++) {
        mprotect(code, 2 * page, PROT_READ);
        CHECK(call_fails(code));
        mprotect(code, page, PROT_READ | PROT_EXEC);
        CHECK(!call_fails(code) && ((function)code)(0) == 42);
        CHECK(call_fails(across));
        mprotect(second, page, PROT_READ | PROT_EXEC);
        CHECK(!call_fails(across) && ((function)across)(0) == 43);
    }
    signal(SIGSEGV, SIG_DFL);
    munmap(code, 2 * page);
}

static void remapped(void)
{
    uint32_t *first = map(PROT_READ | PROT_WRITE | PROT_EXEC);
    for (unsigned i = 0; i < 300; i++) {
        write_code(first, (uint32_t[]){MOVZ(0, i), RET}, 2);
        CHECK_EQ(((function)first)(0), i);
        munmap(first, page);
        /* The same address, other bytes: whoever kept the old translation returns the old number. */
        uint32_t *again = mmap(first, page, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
        CHECK(again == first);
        write_code(again, (uint32_t[]){MOVZ(0, i + 1000), RET}, 2);
        CHECK_EQ(((function)again)(0), i + 1000);
        uint32_t *moved = mremap(again, page, page, MREMAP_MAYMOVE | MREMAP_FIXED, (char *)again + 64 * page);
        if (moved != MAP_FAILED) {
            CHECK_EQ(((function)moved)(0), i + 1000);
            munmap(moved, page);
        }
        first = mmap(first, page, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    }
    munmap(first, page);
}

static void aliased(void)
{
    int fd = memfd_create("code", 0);
    CHECK(ftruncate(fd, (off_t)page) == 0);
    uint32_t *write = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    uint32_t *run = mmap(NULL, page, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
    for (unsigned i = 0; i < 500; i++) {
        write[0] = MOVZ(0, i);
        write[1] = RET;
        __builtin___clear_cache((char *)write, (char *)(write + 2));
        __builtin___clear_cache((char *)run, (char *)(run + 2));
        CHECK_EQ(((function)run)(0), i);
    }
    /* Other file contents at the same address. */
    int other = memfd_create("other", 0);
    uint32_t words[2] = {MOVZ(0, 4242), RET};
    CHECK(pwrite(other, words, 8, 0) == 8);
    CHECK(mmap(run, page, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_FIXED, other, 0) == run);
    CHECK_EQ(((function)run)(0), 4242);
    close(fd);
    close(other);
}

/* One thread runs code that another replaces: it sees some version that was written, in no promised order until it
   synchronizes (Arm ARM DDI 0487, B2.2.5), and the last one in the end. */
static uint32_t *shared;
static int stop;
static void *runner(void *unused)
{
    while (!__atomic_load_n(&stop, __ATOMIC_ACQUIRE))
        CHECK(((function)shared)(0) <= 2000);
    __asm__ volatile("isb" ::: "memory");
    CHECK_EQ(((function)shared)(0), 2000);
    return unused;
}
static void across_threads(void)
{
    shared = map(PROT_READ | PROT_WRITE | PROT_EXEC);
    write_code(shared, (uint32_t[]){MOVZ(0, 0), RET}, 2);
    pthread_t threads[2];
    for (int i = 0; i < 2; i++)
        CHECK(pthread_create(&threads[i], NULL, runner, NULL) == 0);
    for (unsigned i = 1; i <= 2000; i++) {
        __atomic_store_n(&shared[0], MOVZ(0, i), __ATOMIC_RELEASE);
        __builtin___clear_cache((char *)shared, (char *)(shared + 1));
        if (i % 64 == 0)
            sched_yield();
    }
    __atomic_store_n(&stop, 1, __ATOMIC_RELEASE);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
}

/* More code than a small code cache holds, run round and round. */
static void much_code(void)
{
    size_t functions = 20000, size = functions * 16;
    uint32_t *code = mmap(NULL, size, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (size_t i = 0; i < functions; i++) {
        code[i * 4] = ADD_IMM(0, 0, i & 0xfff);
        code[i * 4 + 1] = ADD_IMM(0, 0, i >> 12);
        code[i * 4 + 2] = RET;
    }
    __builtin___clear_cache((char *)code, (char *)code + size);
    for (int round = 0; round < 3; round++)
        for (size_t i = 0; i < functions; i++)
            CHECK_EQ(((function)(code + i * 4))(7), 7 + (i & 0xfff) + (i >> 12));
    munmap(code, size);
}

int main(void)
{
    page = (size_t)sysconf(_SC_PAGESIZE);
    rewritten();
    protected();
    allowed_later();
    remapped();
    aliased();
    across_threads();
    much_code();
    return check_result();
}

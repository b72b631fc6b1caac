/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The code cache: two mappings, the permanent area, chunks in turn, finding a region by its code, a copy for fork. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "translator/backend.h"
#include "translator/code_cache.h"

static struct code_cache *make_cache(size_t size)
{
    char error[256] = "";
    struct code_cache *cache = code_cache_create(size, error);
    if (!cache)
        print_message("%s\n", error);
    assert_non_null(cache);
    return cache;
}

/** The permissions of the mapping that holds `address`, as /proc prints them. */
static void permissions_at(const void *address, char permissions[5])
{
    FILE *maps = fopen("/proc/self/maps", "r");
    char line[512];
    unsigned long start, end;

    strcpy(permissions, "none");
    while (maps && fgets(line, sizeof line, maps)) {
        char flags[5];
        if (sscanf(line, "%lx-%lx %4s", &start, &end, flags) == 3 && (uintptr_t)address >= start &&
            (uintptr_t)address < end)
            strcpy(permissions, flags);
    }
    if (maps)
        fclose(maps);
}

static void never_writable_and_executable(void **state)
{
    struct code_cache *cache = make_cache(1 << 20);
    char permissions[5];

    (void)state;
    permissions_at(cache->rx, permissions);
    assert_string_equal(permissions, "r-xs");
    permissions_at(cache->rw, permissions);
    assert_string_equal(permissions, "rw-s");
    code_cache_destroy(cache);
}

static void code_written_here_runs_there(void **state)
{
    static const uint8_t code[] = {0x8d, 0x04, 0x37, 0xc3}; /* lea eax, [rdi + rsi]; ret */
    struct code_cache *cache = make_cache(1 << 20);
    uint8_t *rw;
    const uint8_t *rx;

    (void)state;
    assert_true(code_cache_alloc_permanent(cache, sizeof code, &rw, &rx));
    assert_ptr_equal(rx + cache->rx_to_rw, rw);
    memcpy(rw, code, sizeof code);
    int (*add)(int, int) = (int (*)(int, int))(uintptr_t)rx;
    assert_int_equal(add(40, 2), 42);
    code_cache_destroy(cache);
}

static void permanent_area_has_an_end(void **state)
{
    struct code_cache *cache = make_cache(CODE_CACHE_MIN_SIZE);
    uint8_t *rw, *rw2;
    const uint8_t *rx, *rx2;

    (void)state;
    assert_true(code_cache_alloc_permanent(cache, 10, &rw, &rx));
    assert_true(code_cache_alloc_permanent(cache, 10, &rw2, &rx2));
    assert_int_equal(rx2 - rx, 64);
    assert_false(code_cache_alloc_permanent(cache, CODE_CACHE_MIN_SIZE, &rw, &rx));
    code_cache_space(cache, &rw2, &rx2);
    assert_true(rx2 > rx);
    assert_false(code_cache_alloc_permanent(cache, 10, &rw, &rx));
    code_cache_destroy(cache);
}

static void sizes_are_bounded(void **state)
{
    struct code_cache *cache = make_cache(1);
    (void)state;
    assert_true(cache->size >= CODE_CACHE_MIN_SIZE);
    assert_true(code_cache_largest(cache) >= 32u << 10);
    assert_false(code_cache_contains(cache, cache->rx - 1));
    assert_true(code_cache_contains(cache, cache->rx));
    assert_true(code_cache_contains(cache, cache->rx + cache->size - 1));
    assert_false(code_cache_contains(cache, cache->rx + cache->size));
    code_cache_destroy(cache);
}

/** Commits a region of `size` bytes of code. */
static void add_region(struct code_cache *cache, struct region *region, uint32_t size)
{
    uint8_t *rw;
    const uint8_t *rx;

    if (code_cache_space(cache, &rw, &rx) < size) {
        code_cache_advance(cache);
        assert_true(code_cache_space(cache, &rw, &rx) >= size);
    }
    *region = (struct region){.code = rx, .code_size = size};
    memset(rw, 0xcc, size);
    code_cache_commit(cache, region, size);
}

static void regions_are_found_by_address(void **state)
{
    enum { N = 3000 };
    struct code_cache *cache = make_cache(CODE_CACHE_MIN_SIZE);
    struct region *regions = calloc(N, sizeof *regions);
    uint8_t *rw;
    const uint8_t *rx;

    (void)state;
    assert_true(code_cache_alloc_permanent(cache, 256, &rw, &rx));
    assert_null(code_cache_find(cache, cache->rx));
    for (unsigned i = 0; i < N; i++) {
        add_region(cache, &regions[i], 1 + i * 37 % 301);
        const uint8_t *code = regions[i].code;
        assert_int_equal((uintptr_t)code % CODE_CACHE_ALIGN, 0);
        assert_ptr_equal(code_cache_find(cache, code), &regions[i]);
        assert_ptr_equal(code_cache_find(cache, code + regions[i].code_size - 1), &regions[i]);
        assert_null(code_cache_find(cache, code + regions[i].code_size));
    }
    assert_null(code_cache_find(cache, cache->rx));
    assert_null(code_cache_find(cache, rx + 1));
    /* What has not been overwritten since is still found; the lists hold exactly that. */
    unsigned listed = 0;
    for (unsigned c = 0; c < CODE_CACHE_CHUNKS; c++) {
        for (struct region *region = cache->chunks[c].list; region; region = region->chunk_next, listed++)
            assert_ptr_equal(code_cache_find(cache, region->code), region);
    }
    assert_true(listed > 100 && listed < N);
    assert_ptr_equal(code_cache_find(cache, regions[N - listed].code), &regions[N - listed]);
    free(regions);
    code_cache_destroy(cache);
}

static void smallest_regions_fill_a_chunk(void **state)
{
    struct code_cache *cache = make_cache(CODE_CACHE_MIN_SIZE);
    uint32_t n = code_cache_largest(cache) / CODE_CACHE_MIN_REGION * CODE_CACHE_CHUNKS;
    struct region *regions = calloc(n, sizeof *regions);

    (void)state;
    for (uint32_t i = 0; i < n; i++)
        add_region(cache, &regions[i], 1);
    for (uint32_t i = 0; i < n; i++)
        assert_ptr_equal(code_cache_find(cache, regions[i].code), &regions[i]);
    free(regions);
    code_cache_destroy(cache);
}

static void child_has_its_own_copy(void **state)
{
    struct code_cache *cache = make_cache(1 << 20);
    struct region region, later;
    uint8_t *stub_rw;
    const uint8_t *stub_rx;
    int status;

    (void)state;
    assert_true(code_cache_alloc_permanent(cache, 16, &stub_rw, &stub_rx));
    memset(stub_rw, 0x90, 16);
    add_region(cache, &region, 100);
    assert_true(code_cache_snapshot(cache));
    pid_t child = fork();
    if (child == 0) {
        if (!code_cache_adopt(cache))
            _exit(1);
        if (stub_rx[15] != 0x90 || region.code[99] != 0xcc)
            _exit(2);
        uint8_t *rw = (uint8_t *)region.code + cache->rx_to_rw;
        memset(rw, 0x11, 100);
        if (region.code[50] != 0x11)
            _exit(3);
        add_region(cache, &later, 50);
        _exit(later.code[0] == 0xcc ? 0 : 4);
    }
    code_cache_drop_snapshot(cache);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(region.code[50], 0xcc);
    code_cache_destroy(cache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(never_writable_and_executable), cmocka_unit_test(code_written_here_runs_there),
        cmocka_unit_test(permanent_area_has_an_end),     cmocka_unit_test(sizes_are_bounded),
        cmocka_unit_test(regions_are_found_by_address),  cmocka_unit_test(smallest_regions_fill_a_chunk),
        cmocka_unit_test(child_has_its_own_copy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

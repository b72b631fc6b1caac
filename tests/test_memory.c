/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The guest's memory map: what is the guest's is tracked exactly, and what is not is never touched. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>
#include <sys/mman.h>

#include "machine/linux/guest_access.h"
#include "machine/linux/memory.h"
#include "machine/linux/syscall.h"

#define PAGE 4096
#define ANONYMOUS (MAP_PRIVATE | MAP_ANONYMOUS)
#define RW (PROT_READ | PROT_WRITE)

static int new_space(void **state)
{
    static struct address_space space;
    memory_init(&space);
    *state = &space;
    return 0;
}

static int end_space(void **state)
{
    memory_destroy(*state);
    return 0;
}

static uint64_t map_pages(struct address_space *space, unsigned pages, int prot)
{
    int64_t at = memory_map(space, 0, (uint64_t)pages * PAGE, prot, ANONYMOUS, -1, 0, MAPPING_PLAIN);
    assert_true(at > 0);
    return (uint64_t)at;
}

static int prot_at(struct address_space *space, uint64_t address)
{
    struct mapping m;
    return memory_find(space, address, &m) ? m.prot : -1;
}

static void test_protect_splits(void **state)
{
    struct address_space *space = *state;
    uint64_t at = map_pages(space, 8, RW);
    assert_int_equal(memory_protect(space, at + 2 * PAGE, 2 * PAGE, PROT_READ | PROT_EXEC), 0);
    assert_int_equal(prot_at(space, at), RW);
    assert_int_equal(prot_at(space, at + 2 * PAGE), PROT_READ | PROT_EXEC);
    assert_int_equal(prot_at(space, at + 4 * PAGE), RW);
    assert_int_equal(space->count, 3);
    uint64_t end;
    assert_ptr_equal(memory_fetch(space, at + 2 * PAGE + 4, &end), (void *)(at + 2 * PAGE + 4));
    assert_int_equal(end, at + 4 * PAGE);
    assert_null(memory_fetch(space, at, &end));
    assert_int_equal(memory_protect(space, at + 2 * PAGE, 2 * PAGE, RW), 0);
    assert_int_equal(space->count, 1); /* merged again */
    assert_int_equal(memory_unmap(space, at + PAGE, PAGE), 0);
    assert_int_equal(prot_at(space, at + PAGE), -1);
    assert_int_equal(memory_protect(space, at, 3 * PAGE, PROT_READ), -ENOMEM); /* there is a hole */
    assert_int_equal(memory_unmap(space, at, 8 * PAGE), 0);
    assert_int_equal(space->count, 0);
}

static void test_host_is_safe(void **state)
{
    struct address_space *space = *state;
    uint64_t at = map_pages(space, 3, RW);
    char *host = mmap((void *)(at - PAGE), PAGE, RW, ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    if (host == MAP_FAILED)
        skip();
    strcpy(host, "mine");
    assert_int_equal(memory_map(space, at - PAGE, 2 * PAGE, RW, ANONYMOUS | MAP_FIXED, -1, 0, MAPPING_PLAIN), -ENOMEM);
    assert_int_equal(memory_unmap(space, at - PAGE, 2 * PAGE), 0);
    assert_string_equal(host, "mine");
    assert_int_equal(prot_at(space, at), -1);
    assert_int_equal(memory_protect(space, at - PAGE, PAGE, PROT_NONE), -ENOMEM);
    assert_int_equal(memory_advise(space, at - PAGE, PAGE, MADV_DONTNEED), -ENOMEM);
    assert_int_equal(memory_remap(space, at - PAGE, PAGE, 2 * PAGE, MREMAP_MAYMOVE, 0), -EFAULT);
    assert_int_equal(memory_remap(space, at + PAGE, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, at - PAGE), -ENOMEM);
    assert_string_equal(host, "mine");
    memory_unmap(space, at, 3 * PAGE);
    munmap(host, PAGE);
}

static void test_fixed_and_remap(void **state)
{
    struct address_space *space = *state;
    uint64_t at = map_pages(space, 4, RW);
    memory_unmap(space, at, PAGE);
    /* half new, half replaced */
    assert_int_equal(memory_map(space, at, 2 * PAGE, PROT_READ, ANONYMOUS | MAP_FIXED, -1, 0, MAPPING_PLAIN), at);
    assert_int_equal(prot_at(space, at), PROT_READ);
    assert_int_equal(prot_at(space, at + 2 * PAGE), RW);
    assert_int_equal(memory_map(space, at, PAGE, RW, ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0, MAPPING_PLAIN), -EEXIST);
    *(int *)(at + 2 * PAGE) = 42;
    int64_t moved = memory_remap(space, at + 2 * PAGE, 2 * PAGE, 64 * PAGE, MREMAP_MAYMOVE, 0);
    assert_true(moved > 0);
    assert_int_equal(*(int *)moved, 42);
    assert_int_equal(prot_at(space, (uint64_t)moved + 63 * PAGE), RW);
    memory_unmap(space, (uint64_t)moved, 64 * PAGE);
    assert_int_equal(memory_map(space, UINT64_C(1) << 47, PAGE, RW, ANONYMOUS | MAP_FIXED, -1, 0, MAPPING_PLAIN), -ENOMEM);
    assert_int_equal(memory_map(space, 0, 0, RW, ANONYMOUS, -1, 0, MAPPING_PLAIN), -EINVAL);
    assert_int_equal(memory_map(space, 1, PAGE, RW, ANONYMOUS | MAP_FIXED, -1, 0, MAPPING_PLAIN), -EINVAL);
    memory_unmap(space, at, 2 * PAGE);
    assert_int_equal(space->count, 0);
}

static void test_brk(void **state)
{
    struct address_space *space = *state;
    uint64_t at = map_pages(space, 64, PROT_NONE);
    memory_unmap(space, at, 64 * PAGE);
    memory_set_brk(space, at + 100);
    assert_int_equal(memory_brk(space, 0), at + 100);
    assert_int_equal(memory_brk(space, at + 3 * PAGE + 1), at + 3 * PAGE + 1);
    *(char *)(at + 3 * PAGE) = 1;
    assert_int_equal(memory_brk(space, at + PAGE), at + PAGE);
    assert_int_equal(prot_at(space, at + 2 * PAGE), -1);
    assert_int_equal(memory_brk(space, UINT64_MAX), at + PAGE);
    memory_brk(space, at + 100);
}

static void test_open_flags(void **state)
{
    (void)state;
    assert_int_equal(open_flags_to_host(040000), 0200000);      /* O_DIRECTORY */
    assert_int_equal(open_flags_to_host(0100000), 0400000);     /* O_NOFOLLOW */
    assert_int_equal(open_flags_to_host(0200000), 040000);      /* O_DIRECT */
    assert_int_equal(open_flags_to_host(0400000), 0100000);     /* O_LARGEFILE */
    assert_int_equal(open_flags_to_host(02000102), 02000102);   /* O_CLOEXEC | O_CREAT | O_RDWR */
    for (uint64_t bit = 1; bit < 1u << 30; bit <<= 1)
        assert_int_equal(open_flags_to_guest(open_flags_to_host(bit)), bit);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_protect_splits, new_space, end_space),
        cmocka_unit_test_setup_teardown(test_host_is_safe, new_space, end_space),
        cmocka_unit_test_setup_teardown(test_fixed_and_remap, new_space, end_space),
        cmocka_unit_test_setup_teardown(test_brk, new_space, end_space),
        cmocka_unit_test(test_open_flags),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "machine/linux/stack.h"

#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include "machine/linux/hwcap.h"
#include "machine/linux/process.h"

#define DEFAULT_STACK (UINT64_C(8) << 20)
#define MINIMAL_FRAME 4720 /* bytes that a signal frame takes at most, what arm64 reports without SVE */

static uint64_t stack_size(const struct options *options)
{
    if (options->stack_size)
        return (options->stack_size + GUEST_PAGE - 1) & ~(uint64_t)(GUEST_PAGE - 1);
    struct rlimit limit;
    /* An unlimited or huge limit is no reason to reserve as much: memory is only used when touched, but address space. */
    if (getrlimit(RLIMIT_STACK, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY && limit.rlim_cur <= UINT64_C(1) << 32 &&
        limit.rlim_cur > DEFAULT_STACK)
        return limit.rlim_cur & ~(uint64_t)(GUEST_PAGE - 1);
    return DEFAULT_STACK;
}

void stack_random(const struct options *options, uint64_t purpose, uint64_t *words, size_t n)
{
    if (!options->seeded) {
        if (getrandom(words, n * sizeof *words, 0) != (ssize_t)(n * sizeof *words))
            words[0] = (uint64_t)getpid();
        return;
    }
    uint64_t state = options->seed + purpose;
    for (size_t i = 0; i < n; i++) {
        uint64_t z = (state += UINT64_C(0x9e3779b97f4a7c15));
        z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
        z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
        words[i] = z ^ (z >> 31);
    }
}

static size_t strings_count(char *const *list, size_t *bytes)
{
    size_t n = 0;
    for (; list[n]; n++)
        *bytes += strlen(list[n]) + 1;
    return n;
}

/** Copies the strings to *at and their addresses to *pointers, with the closing zero. */
static void strings_put(char *const *list, uint64_t *at, uint64_t **pointers)
{
    for (; *list; list++) {
        size_t size = strlen(*list) + 1;
        memcpy((void *)*at, *list, size);
        *(*pointers)++ = *at;
        *at += size;
    }
    *(*pointers)++ = 0;
}

bool stack_create(struct process *process, const struct program_image *image, char error[128])
{
    const struct options *options = process->options;
    static const char platform[] = "aarch64";
    size_t bytes = strlen(process->exe_path) + 1 + sizeof platform + 16;
    size_t argc = strings_count(options->arguments, &bytes), envc = strings_count(options->environment, &bytes);
    uint64_t size = stack_size(options);
    if (bytes + (argc + envc + 64) * 8 > size / 4 * 3) {
        snprintf(error, 128, "arguments and environment take %zu bytes: too long for the stack; see -s", bytes);
        return false;
    }
    int prot = PROT_READ | PROT_WRITE | (image->executable_stack ? PROT_EXEC : 0);
    int64_t base = memory_map(&process->memory, 0, size + GUEST_PAGE, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK,
                              -1, 0, MAPPING_STACK);
    if (base < 0) {
        snprintf(error, 128, "no memory for a stack of %llu bytes; see -s", (unsigned long long)size);
        return false;
    }
    memory_protect(&process->memory, (uint64_t)base, GUEST_PAGE, PROT_NONE);
    uint64_t top = (uint64_t)base + GUEST_PAGE + size;

    uint64_t random[2];
    stack_random(options, 0, random, 2);
    uint64_t strings = (top - 16 - bytes) & ~UINT64_C(15);
    uint64_t at = strings;
    memcpy((void *)at, random, 16);
    uint64_t random_at = at;
    at += 16;
    memcpy((void *)at, platform, sizeof platform);
    uint64_t platform_at = at;
    at += sizeof platform;
    uint64_t name_at = at;
    at = (uint64_t)stpcpy((char *)at, process->exe_path) + 1;

    const uint64_t auxv[][2] = {
        {AT_SYSINFO_EHDR, process->vdso},
        {AT_PHDR, image->headers},
        {AT_PHENT, sizeof(Elf64_Phdr)},
        {AT_PHNUM, image->nheaders},
        {AT_PAGESZ, GUEST_PAGE},
        {AT_BASE, image->interpreter_base},
        {AT_FLAGS, 0},
        {AT_ENTRY, image->entry},
        {AT_UID, getuid()},
        {AT_EUID, geteuid()},
        {AT_GID, getgid()},
        {AT_EGID, getegid()},
        {AT_HWCAP, hwcap_word(options->cpu.features, 0)},
        {AT_HWCAP2, hwcap_word(options->cpu.features, 1)},
        {AT_CLKTCK, (uint64_t)sysconf(_SC_CLK_TCK)},
        {AT_RANDOM, random_at},
        {AT_SECURE, getauxval(AT_SECURE)},
        {AT_PLATFORM, platform_at},
        {AT_EXECFN, name_at},
        {AT_MINSIGSTKSZ, MINIMAL_FRAME},
        {AT_NULL, 0},
    };
    uint64_t words = 1 + argc + 1 + envc + 1 + sizeof auxv / 8;
    process->stack_pointer = (strings - words * 8) & ~UINT64_C(15);
    uint64_t *word = (uint64_t *)process->stack_pointer;
    *word++ = argc;
    process->arguments_start = at;
    strings_put(options->arguments, &at, &word);
    process->arguments_end = at;
    strings_put(options->environment, &at, &word);
    process->environment_end = at;
    memcpy(word, auxv, sizeof auxv);
    process->auxv_start = (uint64_t)word;
    process->auxv_end = process->auxv_start + sizeof auxv;
    return true;
}

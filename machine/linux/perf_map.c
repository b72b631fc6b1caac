/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "machine/linux/perf_map.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "machine/linux/symbol_map.h"

#define JITDUMP_MAGIC 0x4a695444u
#define JITDUMP_VERSION 1u
#define JIT_CODE_LOAD 0u
#define MARKER_SIZE 4096u

struct perf_map {
    struct engine_observer observer;
    struct symbol_map *symbols;
    FILE *map, *dump;  /* NULL: not wanted */
    void *marker;      /* an executable mapping of the dump: how perf learns of it */
    uint64_t index;    /* of the next translation in the dump */
};

static uint64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/** Where the guest hardly meets its descriptor. */
static FILE *open_high(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644), high = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 900);
    if (high >= 0) {
        close(fd);
        fd = high;
    }
    FILE *file = fd < 0 ? NULL : fdopen(fd, "w");
    if (!file && fd >= 0)
        close(fd);
    return file;
}

static bool open_map(struct perf_map *perf, char error[256])
{
    char path[64];
    snprintf(path, sizeof path, "/tmp/perf-%d.map", (int)getpid());
    perf->map = open_high(path);
    if (!perf->map)
        snprintf(error, 256, "-perfmap: %s: %s", path, strerror(errno));
    else
        setvbuf(perf->map, NULL, _IOLBF, 0); /* perf may read it at any time */
    return perf->map != NULL;
}

static bool open_dump(struct perf_map *perf, char error[256])
{
    char path[64];
    snprintf(path, sizeof path, "jit-%d.dump", (int)getpid());
    perf->dump = open_high(path);
    perf->marker = perf->dump ? mmap(NULL, MARKER_SIZE, PROT_READ | PROT_EXEC, MAP_PRIVATE, fileno(perf->dump), 0) : MAP_FAILED;
    if (perf->marker == MAP_FAILED) {
        snprintf(error, 256, "-jitdump: %s: %s", path, strerror(errno));
        return false;
    }
    const struct {
        uint32_t magic, version, size, machine, pad, pid;
        uint64_t timestamp, flags;
    } header = {JITDUMP_MAGIC, JITDUMP_VERSION, sizeof header, EM_X86_64, 0, (uint32_t)getpid(), now(), 0};
    fwrite(&header, sizeof header, 1, perf->dump);
    fflush(perf->dump);
    return true;
}

static void dump_region(struct perf_map *perf, const struct region *region, const char *name)
{
    size_t length = strlen(name) + 1;
    const struct {
        uint32_t id, size;
        uint64_t timestamp;
        uint32_t pid, tid;
        uint64_t address, code, code_size, index;
    } record = {JIT_CODE_LOAD, (uint32_t)(sizeof record + length + region->code_size), now(), (uint32_t)getpid(),
                (uint32_t)syscall(SYS_gettid), (uint64_t)region->code, (uint64_t)region->code, region->code_size, perf->index++};
    fwrite(&record, sizeof record, 1, perf->dump);
    fwrite(name, length, 1, perf->dump);
    fwrite(region->code, region->code_size, 1, perf->dump);
}

static void translated(void *opaque, const struct region *region)
{
    struct perf_map *perf = opaque;
    char name[512];
    symbol_map_describe(perf->symbols, region->guest_pc, name, sizeof name);
    if (perf->map)
        fprintf(perf->map, "%llx %x %s\n", (unsigned long long)(uintptr_t)region->code, region->code_size, name);
    if (perf->dump)
        dump_region(perf, region, name);
}

static void invalidated(void *opaque, uint64_t start, uint64_t end)
{
    struct perf_map *perf = opaque;
    symbol_map_forget(perf->symbols, start, end);
}

struct perf_map *perf_map_open(bool map, bool dump, char error[256])
{
    struct perf_map *perf = calloc(1, sizeof *perf);
    snprintf(error, 256, "-perfmap, -jitdump: out of memory");
    if (!perf || !(perf->symbols = symbol_map_new()))
        return NULL;
    perf->observer = (struct engine_observer){translated, invalidated, perf};
    if ((map && !open_map(perf, error)) || (dump && !open_dump(perf, error)))
        return NULL;
    return perf;
}

const struct engine_observer *perf_map_observer(struct perf_map *perf) { return &perf->observer; }

void perf_map_flush(struct perf_map *perf)
{
    if (perf->map)
        fflush(perf->map);
    if (perf->dump)
        fflush(perf->dump);
}

size_t perf_map_descriptors(const struct perf_map *perf, int fds[PERF_MAP_DESCRIPTORS])
{
    size_t n = 0;
    if (perf->map)
        fds[n++] = fileno(perf->map);
    if (perf->dump)
        fds[n++] = fileno(perf->dump);
    return n;
}

void perf_map_fork_child(struct perf_map *perf, struct engine *engine)
{
    char error[256];
    bool map = perf->map, dump = perf->dump;
    if (map)
        fclose(perf->map);
    if (dump) {
        fclose(perf->dump);
        munmap(perf->marker, MARKER_SIZE);
    }
    perf->map = perf->dump = NULL;
    perf->index = 0;
    if ((map && !open_map(perf, error)) || (dump && !open_dump(perf, error)))
        fprintf(stderr, "dragoman: %s\n", error);
    engine_walk(engine, &perf->observer);
}

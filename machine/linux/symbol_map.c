/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "machine/linux/symbol_map.h"

#include <fcntl.h>
#include <gelf.h>
#include <libelf.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct symbol {
    uint64_t start, end; /* addresses in the file's own numbering; end 0: up to the next one */
    uint32_t name;       /* offset in symbol_file.names */
};

struct symbol_file {
    struct symbol_file *next;
    char *path;
    struct symbol *symbols; /* ascending */
    size_t count, capacity;
    char *names;
    size_t names_used, names_capacity;
    GElf_Phdr *segments;
    size_t nsegments;
};

/** What was found mapped. */
struct range {
    uint64_t start, end, offset;
    struct symbol_file *file; /* NULL: none */
};

struct symbol_map {
    struct symbol_file *files;
    struct range *ranges;
    size_t count, capacity;
};

/* ---- one file ------------------------------------------------------------------------------------------------------------- */

static bool add_symbol(struct symbol_file *file, uint64_t start, uint64_t size, const char *name)
{
    size_t length = strlen(name) + 1;
    if (file->count == file->capacity) {
        size_t capacity = file->capacity ? 2 * file->capacity : 256;
        struct symbol *list = realloc(file->symbols, capacity * sizeof *list);
        if (!list)
            return false;
        file->symbols = list;
        file->capacity = capacity;
    }
    if (file->names_used + length > file->names_capacity) {
        size_t capacity = 2 * (file->names_capacity + length);
        char *names = capacity > UINT32_MAX ? NULL : realloc(file->names, capacity);
        if (!names)
            return false;
        file->names = names;
        file->names_capacity = capacity;
    }
    memcpy(file->names + file->names_used, name, length);
    file->symbols[file->count++] = (struct symbol){start, size ? start + size : 0, (uint32_t)file->names_used};
    file->names_used += length;
    return true;
}

static void read_table(struct symbol_file *file, Elf *elf, unsigned type)
{
    for (Elf_Scn *section = NULL; (section = elf_nextscn(elf, section)) != NULL;) {
        GElf_Shdr header;
        Elf_Data *data;
        if (!gelf_getshdr(section, &header) || header.sh_type != type || header.sh_entsize == 0 ||
            !(data = elf_getdata(section, NULL)))
            continue;
        for (uint64_t i = 0; i < header.sh_size / header.sh_entsize; i++) {
            GElf_Sym symbol;
            if (!gelf_getsym(data, (int)i, &symbol) || symbol.st_shndx == SHN_UNDEF || symbol.st_shndx >= SHN_LORESERVE)
                continue;
            unsigned kind = GELF_ST_TYPE(symbol.st_info);
            const char *name = elf_strptr(elf, header.sh_link, symbol.st_name);
            /* "$x" and its like mark code and data. */
            if ((kind != STT_FUNC && kind != STT_NOTYPE && kind != STT_GNU_IFUNC) || !name || !*name || *name == '$')
                continue;
            if (!add_symbol(file, symbol.st_value, symbol.st_size, name))
                return;
        }
    }
}

static int by_start(const void *a, const void *b)
{
    const struct symbol *x = a, *y = b;
    if (x->start != y->start)
        return x->start < y->start ? -1 : 1;
    /* The one with a size comes last, where the search finds it. */
    return (x->end > y->end) - (x->end < y->end);
}

static void read_segments(struct symbol_file *file, Elf *elf)
{
    size_t count;
    if (elf_getphdrnum(elf, &count) != 0 || !(file->segments = calloc(count ? count : 1, sizeof *file->segments)))
        return;
    for (size_t i = 0; i < count; i++) {
        GElf_Phdr header;
        if (gelf_getphdr(elf, (int)i, &header) && header.p_type == PT_LOAD)
            file->segments[file->nsegments++] = header;
    }
}

static struct symbol_file *read_file(const char *path)
{
    struct symbol_file *file = calloc(1, sizeof *file);
    if (!file || !(file->path = strdup(path))) {
        free(file);
        return NULL;
    }
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return file;
    elf_version(EV_CURRENT);
    Elf *elf = elf_begin(fd, ELF_C_READ, NULL);
    if (elf && elf_kind(elf) == ELF_K_ELF) {
        read_segments(file, elf);
        read_table(file, elf, SHT_SYMTAB);
        if (file->count == 0)
            read_table(file, elf, SHT_DYNSYM);
        if (file->count)
            qsort(file->symbols, file->count, sizeof *file->symbols, by_start);
    }
    elf_end(elf);
    close(fd);
    return file;
}

/** The symbol that holds the file's own address `address`. */
static const struct symbol *find_symbol(const struct symbol_file *file, uint64_t address)
{
    size_t low = 0, high = file->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (file->symbols[middle].start <= address)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == 0)
        return NULL;
    const struct symbol *symbol = &file->symbols[low - 1];
    return symbol->end && address >= symbol->end ? NULL : symbol;
}

/* ---- what is mapped where ------------------------------------------------------------------------------------------------- */

struct symbol_map *symbol_map_new(void) { return calloc(1, sizeof(struct symbol_map)); }

void symbol_map_free(struct symbol_map *map)
{
    if (!map)
        return;
    for (struct symbol_file *file = map->files, *next; file; file = next) {
        next = file->next;
        free(file->path);
        free(file->symbols);
        free(file->names);
        free(file->segments);
        free(file);
    }
    free(map->ranges);
    free(map);
}

static struct symbol_file *file_at(struct symbol_map *map, const char *path)
{
    struct symbol_file *file = map->files;
    while (file && strcmp(file->path, path) != 0)
        file = file->next;
    if (!file && (file = read_file(path)) != NULL) {
        file->next = map->files;
        map->files = file;
    }
    return file;
}

static const struct range *add_range(struct symbol_map *map, struct range range)
{
    if (map->count == map->capacity) {
        size_t capacity = map->capacity ? 2 * map->capacity : 64;
        struct range *list = realloc(map->ranges, capacity * sizeof *list);
        if (!list)
            return NULL;
        map->ranges = list;
        map->capacity = capacity;
    }
    map->ranges[map->count] = range;
    return &map->ranges[map->count++];
}

/** Asks the kernel what is mapped at `address`. */
static const struct range *look_up(struct symbol_map *map, uint64_t address)
{
    char line[4400];
    const struct range *found = NULL;
    FILE *maps = fopen("/proc/self/maps", "re");
    while (maps && !found && fgets(line, sizeof line, maps)) {
        unsigned long start, end, offset;
        int name = 0;
        if (sscanf(line, "%lx-%lx %*s %lx %*s %*s %n", &start, &end, &offset, &name) < 3 || address < start || address >= end)
            continue;
        line[strcspn(line, "\n")] = 0;
        found = add_range(map, (struct range){start, end, offset, line[name] == '/' ? file_at(map, line + name) : NULL});
    }
    if (maps)
        fclose(maps);
    return found;
}

static const struct range *range_of(struct symbol_map *map, uint64_t address)
{
    for (size_t i = map->count; i-- > 0;) {
        if (address >= map->ranges[i].start && address < map->ranges[i].end)
            return &map->ranges[i];
    }
    return look_up(map, address);
}

void symbol_map_forget(struct symbol_map *map, uint64_t start, uint64_t end)
{
    size_t kept = 0;
    for (size_t i = 0; i < map->count; i++) {
        if (map->ranges[i].end <= start || map->ranges[i].start >= end)
            map->ranges[kept++] = map->ranges[i];
    }
    map->count = kept;
}

void symbol_map_describe(struct symbol_map *map, uint64_t address, char *text, size_t size)
{
    const struct range *range = range_of(map, address);
    const struct symbol_file *file = range ? range->file : NULL;
    snprintf(text, size, "guest-0x%llx", (unsigned long long)address);
    if (!file)
        return;
    uint64_t offset = address - range->start + range->offset;
    snprintf(text, size, "%s+0x%llx", strrchr(file->path, '/') + 1, (unsigned long long)offset);
    for (size_t i = 0; i < file->nsegments; i++) {
        const GElf_Phdr *segment = &file->segments[i];
        if (offset < segment->p_offset || offset - segment->p_offset >= segment->p_filesz)
            continue;
        uint64_t own = segment->p_vaddr + (offset - segment->p_offset);
        const struct symbol *symbol = find_symbol(file, own);
        if (symbol && own == symbol->start)
            snprintf(text, size, "%s", file->names + symbol->name);
        else if (symbol)
            snprintf(text, size, "%s+0x%llx", file->names + symbol->name, (unsigned long long)(own - symbol->start));
        if (symbol)
            return;
    }
}

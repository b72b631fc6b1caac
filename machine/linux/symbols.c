/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names for guest addresses, looked up only when a message needs one. */
#include <fcntl.h>
#include <gelf.h>
#include <libelf.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "machine/linux/fault.h"

/** The file mapped at `address` and the offset of that byte in it. */
static bool mapped_file(uint64_t address, char *path, size_t size, uint64_t *file_offset)
{
    FILE *maps = fopen("/proc/self/maps", "re");
    if (!maps)
        return false;
    char line[4400];
    bool found = false;
    while (!found && fgets(line, sizeof line, maps)) {
        unsigned long start, end, offset;
        int name = 0;
        if (sscanf(line, "%lx-%lx %*s %lx %*s %*s %n", &start, &end, &offset, &name) < 3 || address < start || address >= end)
            continue;
        line[strcspn(line, "\n")] = 0;
        if (line[name] != '/')
            break;
        snprintf(path, size, "%s", line + name);
        *file_offset = address - start + offset;
        found = true;
    }
    fclose(maps);
    return found;
}

/** The file's own address for a file offset. */
static bool file_address(Elf *elf, uint64_t offset, uint64_t *address)
{
    size_t count;
    GElf_Phdr header;
    if (elf_getphdrnum(elf, &count) != 0)
        return false;
    for (size_t i = 0; i < count; i++) {
        if (!gelf_getphdr(elf, (int)i, &header) || header.p_type != PT_LOAD)
            continue;
        if (offset >= header.p_offset && offset - header.p_offset < header.p_filesz) {
            *address = header.p_vaddr + (offset - header.p_offset);
            return true;
        }
    }
    return false;
}

/** The nearest function symbol at or below `address` in the tables of one type. */
static bool find_symbol(Elf *elf, unsigned table, uint64_t address, char *text, size_t size)
{
    uint64_t best = 0;
    const char *best_name = NULL;
    for (Elf_Scn *section = NULL; (section = elf_nextscn(elf, section)) != NULL;) {
        GElf_Shdr header;
        Elf_Data *data;
        if (!gelf_getshdr(section, &header) || header.sh_type != table || header.sh_entsize == 0 ||
            !(data = elf_getdata(section, NULL)))
            continue;
        for (uint64_t i = 0; i < header.sh_size / header.sh_entsize; i++) {
            GElf_Sym symbol;
            if (!gelf_getsym(data, (int)i, &symbol) || symbol.st_shndx == SHN_UNDEF || symbol.st_value > address ||
                symbol.st_value < best)
                continue;
            unsigned type = GELF_ST_TYPE(symbol.st_info);
            if (type != STT_FUNC && type != STT_NOTYPE)
                continue;
            const char *name = elf_strptr(elf, header.sh_link, symbol.st_name);
            if (!name || !*name || *name == '$' || (symbol.st_size && address - symbol.st_value >= symbol.st_size))
                continue;
            best = symbol.st_value;
            best_name = name;
        }
    }
    if (best_name)
        snprintf(text, size, "%s+0x%llx", best_name, (unsigned long long)(address - best));
    return best_name != NULL;
}

void symbol_describe(uint64_t address, char *text, size_t size)
{
    char path[4096];
    uint64_t offset, own;
    *text = 0;
    if (!mapped_file(address, path, sizeof path, &offset))
        return;
    const char *base = strrchr(path, '/') + 1;
    snprintf(text, size, "%.200s+0x%llx", base, (unsigned long long)offset);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    elf_version(EV_CURRENT);
    Elf *elf = elf_begin(fd, ELF_C_READ, NULL);
    if (elf && file_address(elf, offset, &own) && !find_symbol(elf, SHT_SYMTAB, own, text, size))
        find_symbol(elf, SHT_DYNSYM, own, text, size);
    elf_end(elf);
    close(fd);
}

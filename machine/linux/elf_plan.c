/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "machine/linux/elf_plan.h"

#include <gelf.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "machine/linux/guest_access.h"
#include "machine/linux/memory.h"

#define PAGE UINT64_C(4096)
#define SPACE_END (UINT64_C(1) << 47)
#define PAGE_DOWN(x) ((x) & ~(PAGE - 1))
#define PAGE_UP(x) PAGE_DOWN((x) + PAGE - 1)

static bool fail(char error[128], const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error, 128, format, arguments);
    va_end(arguments);
    return false;
}

static const char *machine_name(unsigned machine)
{
    static const struct {
        unsigned machine;
        const char *name;
    } names[] = {
        {EM_386, "i386"},   {EM_X86_64, "x86-64"}, {EM_ARM, "32-bit ARM"}, {EM_RISCV, "RISC-V"}, {EM_PPC64, "POWER"},
        {EM_PPC, "PowerPC"}, {EM_S390, "s390"},     {EM_MIPS, "MIPS"},      {EM_SPARCV9, "SPARC"},
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (names[i].machine == machine)
            return names[i].name;
    }
    return "another architecture";
}

static bool check_file_header(Elf *elf, GElf_Ehdr *header, char error[128])
{
    if (!elf || elf_kind(elf) != ELF_K_ELF)
        return fail(error, "not an ELF file");
    if (!gelf_getehdr(elf, header))
        return fail(error, "truncated ELF header");
    if (header->e_ident[EI_DATA] != ELFDATA2LSB || header->e_ident[EI_VERSION] != EV_CURRENT)
        return fail(error, "not a little-endian ELF file");
    if (header->e_machine != EM_AARCH64)
        return fail(error, "built for %s, not AArch64", machine_name(header->e_machine));
    if (gelf_getclass(elf) != ELFCLASS64)
        return fail(error, "an ILP32 program, which is not supported");
    if (header->e_type != ET_EXEC && header->e_type != ET_DYN)
        return fail(error, "not executable: ELF type %u", header->e_type);
    if (header->e_phentsize != sizeof(Elf64_Phdr) || header->e_phnum == 0 || header->e_phnum > ELF_MAX_HEADERS)
        return fail(error, "malformed: %u program headers of %u bytes", header->e_phnum, header->e_phentsize);
    return true;
}

static bool add_segment(struct elf_plan *plan, const GElf_Phdr *header, uint64_t file_size, unsigned index, char error[128])
{
    if (header->p_memsz == 0)
        return true;
    if (header->p_filesz > header->p_memsz)
        return fail(error, "malformed: segment %u has more bytes in the file than in memory", index);
    if (header->p_memsz > SPACE_END - PAGE || header->p_vaddr > SPACE_END - PAGE - header->p_memsz)
        return fail(error, "malformed: segment %u lies outside the address space", index);
    if ((header->p_vaddr - header->p_offset) % PAGE && header->p_filesz)
        return fail(error, "malformed: segment %u is not aligned", index);
    if (header->p_offset > file_size || header->p_filesz > file_size - header->p_offset)
        return fail(error, "truncated: segment %u ends behind the end of the file", index);
    if (header->p_align > 1) {
        if (header->p_align & (header->p_align - 1) || header->p_align > UINT64_C(1) << 32)
            return fail(error, "malformed: segment %u has alignment 0x%llx", index, (unsigned long long)header->p_align);
        if (header->p_align > plan->alignment)
            plan->alignment = header->p_align;
    }
    if (plan->nsegments) {
        const struct elf_segment *last = &plan->segments[plan->nsegments - 1];
        if (header->p_vaddr < last->address + last->size)
            return fail(error, "malformed: segment %u overlaps or precedes the one before", index);
    }
    plan->segments[plan->nsegments++] = (struct elf_segment){
        .address = header->p_vaddr,
        .offset = header->p_offset,
        .file_size = header->p_filesz,
        .size = header->p_memsz,
        .prot = (header->p_flags & PF_R ? PROT_READ : 0) | (header->p_flags & PF_W ? PROT_WRITE : 0) |
                (header->p_flags & PF_X ? PROT_EXEC : 0),
    };
    return true;
}

#ifndef PT_GNU_PROPERTY
#define PT_GNU_PROPERTY 0x6474e553
#endif
#define PROPERTY_TYPE_0 5u                       /* NT_GNU_PROPERTY_TYPE_0 */
#define PROPERTY_AARCH64_FEATURE_1 0xc0000000u   /* GNU_PROPERTY_AARCH64_FEATURE_1_AND */
#define PROPERTY_AARCH64_FEATURE_1_BTI 1u

/* What is wrong with a file's properties. */
static const char no_property_note[] = "malformed: no note of program properties";
static const char bad_property[] = "malformed: a program property that is too long";

/**
 * The properties of a note's description: each with type and size, padded to 8 bytes, in ascending order of type (Linux
 * extensions to gABI, 2.1.7). NULL, or what is wrong.
 */
static const char *read_property_list(struct elf_plan *plan, const uint8_t *list, uint64_t size)
{
    uint32_t property[2], last_type = 0; /* type, size */
    for (uint64_t at = 0, padded; at < size; at += sizeof property + padded) {
        if (size - at < sizeof property)
            return bad_property;
        memcpy(property, list + at, sizeof property);
        padded = ((uint64_t)property[1] + 7) & ~UINT64_C(7);
        if (padded > size - at - sizeof property)
            return bad_property;
        if (at && property[0] <= last_type)
            return "malformed: program properties that are not in order";
        last_type = property[0];
        if (property[0] == PROPERTY_AARCH64_FEATURE_1) {
            uint32_t bits;
            if (property[1] != sizeof bits)
                return "malformed: AArch64 program features that are not 4 bytes";
            memcpy(&bits, list + at + sizeof property, sizeof bits);
            plan->guarded = bits & PROPERTY_AARCH64_FEATURE_1_BTI;
        }
    }
    return NULL;
}

/** NULL, or what Linux refuses (parse_elf_properties()). It looks at the file that it starts only: see elf_plan_guard(). */
static const char *read_properties(struct elf_plan *plan, Elf *elf, const GElf_Phdr *header, uint64_t file_size)
{
    struct {
        Elf64_Nhdr header;
        char name[4];
    } start;
    plan->guarded = false;
    if (header->p_filesz > 1024 || header->p_filesz < sizeof start || header->p_offset > file_size ||
        header->p_filesz > file_size - header->p_offset)
        return no_property_note;
    const Elf_Data *data = elf_getdata_rawchunk(elf, (int64_t)header->p_offset, header->p_filesz, ELF_T_BYTE);
    if (!data)
        return no_property_note;
    memcpy(&start, data->d_buf, sizeof start);
    if (start.header.n_type != PROPERTY_TYPE_0 || start.header.n_namesz != 4 || memcmp(start.name, "GNU", 4) != 0 ||
        start.header.n_descsz > data->d_size - sizeof start)
        return no_property_note;
    return read_property_list(plan, (const uint8_t *)data->d_buf + sizeof start, start.header.n_descsz);
}

bool elf_plan_guard(struct elf_plan *plan, bool enforced, char error[128])
{
    if (plan->bad_properties)
        return fail(error, "%s", plan->bad_properties);
    for (unsigned i = 0; enforced && plan->guarded && i < plan->nsegments; i++)
        plan->segments[i].prot |= plan->segments[i].prot & PROT_EXEC ? GUEST_PROT_BTI : 0;
    return true;
}

static bool add_header(struct elf_plan *plan, const GElf_Phdr *header, uint64_t file_size, unsigned index, char error[128])
{
    switch (header->p_type) {
    case PT_LOAD:
        return add_segment(plan, header, file_size, index, error);
    case PT_INTERP:
        if (header->p_filesz < 2 || header->p_filesz > 4096)
            return fail(error, "malformed: the interpreter's name has %llu bytes", (unsigned long long)header->p_filesz);
        if (header->p_offset > file_size || header->p_filesz > file_size - header->p_offset)
            return fail(error, "truncated: the interpreter's name lies behind the end of the file");
        if (plan->interpreter_size)
            return fail(error, "malformed: two interpreters");
        plan->interpreter_offset = header->p_offset;
        plan->interpreter_size = header->p_filesz;
        return true;
    case PT_GNU_STACK:
        plan->executable_stack = header->p_flags & PF_X;
        return true;
    default:
        return true;
    }
}

/** Where the segments put the program headers in memory. */
static void find_headers(struct elf_plan *plan, uint64_t offset)
{
    uint64_t size = plan->nheaders * sizeof(Elf64_Phdr);
    plan->headers = 0;
    for (unsigned i = 0; i < plan->nsegments; i++) {
        const struct elf_segment *s = &plan->segments[i];
        if (offset >= s->offset && offset - s->offset <= s->file_size && size <= s->file_size - (offset - s->offset))
            plan->headers = s->address + (offset - s->offset);
    }
}

bool elf_plan_make(struct elf_plan *plan, Elf *elf, uint64_t file_size, char error[128])
{
    GElf_Ehdr file;
    *plan = (struct elf_plan){.alignment = PAGE};
    if (!check_file_header(elf, &file, error))
        return false;
    uint64_t headers_size = (uint64_t)file.e_phnum * sizeof(Elf64_Phdr);
    if (file.e_phoff > file_size || headers_size > file_size - file.e_phoff)
        return fail(error, "truncated: the program headers lie behind the end of the file");
    plan->segments = calloc(file.e_phnum, sizeof *plan->segments);
    if (!plan->segments)
        return fail(error, "out of memory");
    for (unsigned i = 0; i < file.e_phnum; i++) {
        GElf_Phdr header;
        if (!gelf_getphdr(elf, (int)i, &header)) {
            fail(error, "malformed: program header %u: %s", i, elf_errmsg(-1));
            goto bad;
        }
        if (!add_header(plan, &header, file_size, i, error))
            goto bad;
        if (header.p_type == PT_GNU_PROPERTY)
            plan->bad_properties = read_properties(plan, elf, &header, file_size);
    }
    if (plan->nsegments == 0) {
        fail(error, "malformed: nothing to load");
        goto bad;
    }
    const struct elf_segment *last = &plan->segments[plan->nsegments - 1];
    plan->relocatable = file.e_type == ET_DYN;
    plan->low = PAGE_DOWN(plan->segments[0].address);
    plan->high = PAGE_UP(last->address + last->size);
    plan->entry = file.e_entry;
    plan->nheaders = file.e_phnum;
    find_headers(plan, file.e_phoff);
    return true;
bad:
    elf_plan_free(plan);
    return false;
}

void elf_plan_free(struct elf_plan *plan)
{
    free(plan->segments);
    plan->segments = NULL;
    plan->nsegments = 0;
}

/** Occupies the hull; returns its address or a negative error. */
static int64_t reserve_hull(const struct elf_plan *plan, struct address_space *space, uint64_t base)
{
    const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    uint64_t size = plan->high - plan->low;
    if (!plan->relocatable)
        return memory_map(space, plan->low, size, PROT_NONE, flags | MAP_FIXED_NOREPLACE, -1, 0, MAPPING_PLAIN);
    if (base) {
        int64_t at = memory_map(space, base, size, PROT_NONE, flags | MAP_FIXED_NOREPLACE, -1, 0, MAPPING_PLAIN);
        if (at >= 0)
            return at;
    }
    uint64_t slack = plan->alignment - PAGE;
    int64_t at = memory_map(space, 0, size + slack, PROT_NONE, flags, -1, 0, MAPPING_PLAIN);
    if (at < 0 || slack == 0)
        return at;
    uint64_t start = ((uint64_t)at + slack) & ~(plan->alignment - 1);
    if (start > (uint64_t)at)
        memory_unmap(space, (uint64_t)at, start - (uint64_t)at);
    if ((uint64_t)at + slack > start)
        memory_unmap(space, start + size, (uint64_t)at + slack - start);
    return (int64_t)start;
}

static bool map_segment(const struct elf_segment *s, struct address_space *space, int fd, uint64_t bias, char error[128])
{
    uint64_t start = PAGE_DOWN(s->address) + bias;
    uint64_t file_end = s->address + s->file_size + bias, end = s->address + s->size + bias;
    uint64_t anonymous = start; /* first page without file bytes */
    if (s->file_size) {
        anonymous = PAGE_UP(file_end);
        int64_t at = memory_map(space, start, anonymous - start, s->prot, MAP_PRIVATE | MAP_FIXED, fd, PAGE_DOWN(s->offset),
                                MAPPING_PLAIN);
        if (at < 0)
            return fail(error, "cannot map 0x%llx: %s", (unsigned long long)start, strerror((int)-at));
        if (s->size > s->file_size && anonymous > file_end) {
            static const char zeros[4096];
            uint64_t last_page = anonymous - PAGE;
            bool read_only = !(s->prot & PROT_WRITE);
            if (read_only)
                memory_protect(space, last_page, PAGE, s->prot | PROT_WRITE);
            /* To the end of the page, as Linux does: ld.so takes the rest of it for memory that is zero. */
            if (!guest_write(file_end, zeros, anonymous - file_end))
                return fail(error, "the file is truncated at 0x%llx", (unsigned long long)last_page);
            if (read_only)
                memory_protect(space, last_page, PAGE, s->prot);
        }
    }
    if (PAGE_UP(end) > anonymous) {
        int64_t at = memory_map(space, anonymous, PAGE_UP(end) - anonymous, s->prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
                                -1, 0, MAPPING_PLAIN);
        if (at < 0)
            return fail(error, "cannot map 0x%llx: %s", (unsigned long long)anonymous, strerror((int)-at));
    }
    return true;
}

bool elf_plan_map(const struct elf_plan *plan, struct address_space *space, int fd, uint64_t base, uint64_t *bias,
                  char error[128])
{
    int64_t at = reserve_hull(plan, space, base);
    if (at < 0)
        return fail(error, "cannot be placed at 0x%llx: %s", (unsigned long long)plan->low, strerror((int)-at));
    *bias = (uint64_t)at - plan->low;
    uint64_t used = (uint64_t)at;
    for (unsigned i = 0; i < plan->nsegments; i++) {
        const struct elf_segment *s = &plan->segments[i];
        uint64_t start = PAGE_DOWN(s->address) + *bias;
        if (start > used)
            memory_unmap(space, used, start - used); /* holes are not memory */
        if (!map_segment(s, space, fd, *bias, error))
            return false;
        used = PAGE_UP(s->address + s->size) + *bias;
    }
    return true;
}

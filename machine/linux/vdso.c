/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The image is made here, table by table: Linux arch/arm64/kernel/vdso/vdso.lds.S names its symbols and their version. */
#include "machine/linux/vdso.h"

#include <elf.h>
#include <string.h>
#include <sys/mman.h>

#include "machine/linux/process.h"

/*
 * The virtual counter is CLOCK_MONOTONIC in nanoseconds (A64_COUNTER_HZ). The other clocks are system calls, for which
 * dragoman asks the host's vDSO. Unwinders know the two instructions at rt_sigreturn without any table, and look at the
 * instruction before a return address: hence the NOP.
 */
static const uint32_t code[] = {
    /* clock_gettime */
    0xd503245f, /* bti   c */
    0x7100041f, /* cmp   w0, #CLOCK_MONOTONIC */
    0x54000121, /* b.ne  1f */
    0xd53be042, /* mrs   x2, cntvct_el0 */
    0xd2994003, /* mov   x3, #0xca00 */
    0xf2a77343, /* movk  x3, #0x3b9a, lsl #16 */
    0x9ac30844, /* udiv  x4, x2, x3 */
    0x9b038882, /* msub  x2, x4, x3, x2 */
    0xa9000824, /* stp   x4, x2, [x1] */
    0xd2800000, /* mov   x0, #0 */
    0xd65f03c0, /* ret */
    0xd2800e28, /* 1: mov x8, #113 */
    0xd4000001, /* svc   #0 */
    0xd65f03c0, /* ret */
    /* gettimeofday */
    0xd503245f, 0xd2801528 /* mov x8, #169 */, 0xd4000001, 0xd65f03c0,
    /* clock_getres */
    0xd503245f, 0xd2800e48 /* mov x8, #114 */, 0xd4000001, 0xd65f03c0,
    0xd503201f, /* nop */
    /* rt_sigreturn */
    0xd2801168 /* mov x8, #139 */, 0xd4000001,
};
_Static_assert(A64_COUNTER_HZ == 1000000000, "the code divides by it");

static const struct {
    const char *name;
    unsigned first, end; /* indices of code[] */
} functions[] = {
    {"__kernel_clock_gettime", 0, 14},
    {"__kernel_gettimeofday", 14, 18},
    {"__kernel_clock_getres", 18, 22},
    {"__kernel_rt_sigreturn", 23, 25},
};
#define NFUNCTIONS (sizeof functions / sizeof functions[0])
#define SIGRETURN (NFUNCTIONS - 1)
#define NSYMBOLS (NFUNCTIONS + 2) /* the empty one, and the version */
static const char own_name[] = "linux-vdso.so.1", version_name[] = "LINUX_2.6.39";

enum { PROGRAM_LOAD, PROGRAM_DYNAMIC, PROGRAM_COUNT };
enum { SECTION_NULL, SECTION_DYNSYM, SECTION_DYNSTR, SECTION_TEXT, SECTION_DYNAMIC, SECTION_NAMES, SECTION_COUNT };

struct image {
    Elf64_Ehdr header;
    Elf64_Phdr programs[PROGRAM_COUNT];
    Elf64_Shdr sections[SECTION_COUNT];
    uint32_t hash[2 + 1 + NSYMBOLS]; /* one bucket that holds all */
    Elf64_Sym symbols[NSYMBOLS];
    Elf64_Half versions[NSYMBOLS];
    struct {
        Elf64_Verdef head;
        Elf64_Verdaux name;
    } definitions[2];
    Elf64_Dyn dynamic[10];
    char strings[256];
    char section_names[64];
    uint32_t text[sizeof code / 4];
};
_Static_assert(sizeof(struct image) <= GUEST_PAGE, "one page");
#define AT(member) offsetof(struct image, member)

/** The hash of the System V ABI. */
static uint32_t name_hash(const char *name)
{
    uint32_t h = 0;
    for (; *name; name++) {
        h = (h << 4) + (unsigned char)*name;
        h = (h ^ (h >> 28 << 4)) & 0x0fffffff;
    }
    return h;
}

static uint32_t add_string(struct image *image, uint32_t *used, const char *string)
{
    uint32_t at = *used;
    strcpy(image->strings + at, string);
    *used += (uint32_t)strlen(string) + 1;
    return at;
}

static void make_symbols(struct image *image, uint32_t *used)
{
    image->hash[0] = 1;
    image->hash[1] = NSYMBOLS;
    for (unsigned i = 1; i < NSYMBOLS; i++) {
        image->hash[2 + i] = i;         /* the bucket, and then each one's successor */
        image->versions[i] = 2;
    }
    for (unsigned i = 0; i < NFUNCTIONS; i++) {
        image->symbols[i + 1] = (Elf64_Sym){
            .st_name = add_string(image, used, functions[i].name),
            .st_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC),
            .st_shndx = SECTION_TEXT,
            .st_value = AT(text) + functions[i].first * 4,
            .st_size = (functions[i].end - functions[i].first) * 4,
        };
    }
    uint32_t own = add_string(image, used, own_name), version = add_string(image, used, version_name);
    image->symbols[NSYMBOLS - 1] = (Elf64_Sym){
        .st_name = version, .st_info = ELF64_ST_INFO(STB_GLOBAL, STT_OBJECT), .st_shndx = SHN_ABS};
    for (unsigned i = 0; i < 2; i++) {
        image->definitions[i].head = (Elf64_Verdef){
            .vd_version = 1,
            .vd_flags = i == 0 ? VER_FLG_BASE : 0,
            .vd_ndx = (Elf64_Half)(i + 1),
            .vd_cnt = 1,
            .vd_hash = name_hash(i == 0 ? own_name : version_name),
            .vd_aux = sizeof(Elf64_Verdef),
            .vd_next = i == 0 ? sizeof image->definitions[0] : 0,
        };
        image->definitions[i].name.vda_name = i == 0 ? own : version;
    }
}

static void make_dynamic(struct image *image, uint32_t strings_size)
{
    const Elf64_Dyn dynamic[] = {
        {DT_SONAME, {image->definitions[0].name.vda_name}},
        {DT_HASH, {AT(hash)}},
        {DT_STRTAB, {AT(strings)}},
        {DT_SYMTAB, {AT(symbols)}},
        {DT_STRSZ, {strings_size}},
        {DT_SYMENT, {sizeof(Elf64_Sym)}},
        {DT_VERSYM, {AT(versions)}},
        {DT_VERDEF, {AT(definitions)}},
        {DT_VERDEFNUM, {2}},
        {DT_NULL, {0}},
    };
    _Static_assert(sizeof dynamic == sizeof image->dynamic, "all of them");
    memcpy(image->dynamic, dynamic, sizeof dynamic);
}

/** Debuggers read the image from memory, and want sections. */
static void make_sections(struct image *image, uint32_t strings_size)
{
    static const char names[] = "\0.dynsym\0.dynstr\0.text\0.dynamic\0.shstrtab";
    _Static_assert(sizeof names <= sizeof image->section_names, "room for them");
    memcpy(image->section_names, names, sizeof names);
    Elf64_Shdr *s = image->sections;
    s[SECTION_DYNSYM] = (Elf64_Shdr){1, SHT_DYNSYM, SHF_ALLOC, AT(symbols), AT(symbols), sizeof image->symbols,
                                     SECTION_DYNSTR, 1, 8, sizeof(Elf64_Sym)};
    s[SECTION_DYNSTR] = (Elf64_Shdr){9, SHT_STRTAB, SHF_ALLOC, AT(strings), AT(strings), strings_size, 0, 0, 1, 0};
    s[SECTION_TEXT] = (Elf64_Shdr){17, SHT_PROGBITS, SHF_ALLOC | SHF_EXECINSTR, AT(text), AT(text), sizeof code, 0, 0, 4, 0};
    s[SECTION_DYNAMIC] = (Elf64_Shdr){23, SHT_DYNAMIC, SHF_ALLOC, AT(dynamic), AT(dynamic), sizeof image->dynamic,
                                      SECTION_DYNSTR, 0, 8, sizeof(Elf64_Dyn)};
    s[SECTION_NAMES] = (Elf64_Shdr){32, SHT_STRTAB, 0, 0, AT(section_names), sizeof names, 0, 0, 1, 0};
}

static void image_make(struct image *image)
{
    memset(image, 0, sizeof *image);
    image->header = (Elf64_Ehdr){
        .e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
        .e_type = ET_DYN,
        .e_machine = EM_AARCH64,
        .e_version = EV_CURRENT,
        .e_phoff = AT(programs),
        .e_shoff = AT(sections),
        .e_ehsize = sizeof(Elf64_Ehdr),
        .e_phentsize = sizeof(Elf64_Phdr),
        .e_phnum = PROGRAM_COUNT,
        .e_shentsize = sizeof(Elf64_Shdr),
        .e_shnum = SECTION_COUNT,
        .e_shstrndx = SECTION_NAMES,
    };
    image->programs[PROGRAM_LOAD] = (Elf64_Phdr){
        .p_type = PT_LOAD, .p_flags = PF_R | PF_X, .p_filesz = sizeof *image, .p_memsz = sizeof *image, .p_align = 16};
    image->programs[PROGRAM_DYNAMIC] = (Elf64_Phdr){
        .p_type = PT_DYNAMIC, .p_flags = PF_R, .p_offset = AT(dynamic), .p_vaddr = AT(dynamic), .p_paddr = AT(dynamic),
        .p_filesz = sizeof image->dynamic, .p_memsz = sizeof image->dynamic, .p_align = 8};
    uint32_t strings_size = 1; /* the empty one is first */
    make_symbols(image, &strings_size);
    make_dynamic(image, strings_size);
    make_sections(image, strings_size);
    memcpy(image->text, code, sizeof code);
}

bool vdso_map(struct process *process)
{
    int64_t at = memory_map(&process->memory, 0, GUEST_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0,
                            MAPPING_VDSO);
    if (at < 0)
        return false;
    image_make((struct image *)at);
    process->vdso = (uint64_t)at;
    process->sigreturn_pc = (uint64_t)at + AT(text) + functions[SIGRETURN].first * 4;
    return memory_protect(&process->memory, (uint64_t)at, GUEST_PAGE, PROT_READ | PROT_EXEC) == 0;
}

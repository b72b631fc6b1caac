/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The ELF loader's checks: each rule once, then thousands of damaged images that must give an answer and never a crash. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <elf.h>
#include <libelf.h>
#include <sys/mman.h>
#include <unistd.h>

#include "machine/linux/elf_plan.h"
#include "machine/linux/memory.h"

#define IMAGE_SIZE 12288
#define MAX_PHDRS 8

struct image {
    uint8_t bytes[IMAGE_SIZE];
};

static Elf64_Ehdr *file_header(struct image *i)
{
    return (Elf64_Ehdr *)i->bytes;
}

static Elf64_Phdr *program_header(struct image *i, unsigned n)
{
    return (Elf64_Phdr *)(i->bytes + sizeof(Elf64_Ehdr)) + n;
}

/** A position-independent program: text, data with bss, an interpreter and a stack header. */
static struct image make_image(void)
{
    struct image image;
    memset(&image, 0, sizeof image);
    Elf64_Ehdr *e = file_header(&image);
    memcpy(e->e_ident, ELFMAG, SELFMAG);
    e->e_ident[EI_CLASS] = ELFCLASS64;
    e->e_ident[EI_DATA] = ELFDATA2LSB;
    e->e_ident[EI_VERSION] = EV_CURRENT;
    e->e_type = ET_DYN;
    e->e_machine = EM_AARCH64;
    e->e_version = EV_CURRENT;
    e->e_entry = 0x400;
    e->e_phoff = sizeof *e;
    e->e_ehsize = sizeof *e;
    e->e_phentsize = sizeof(Elf64_Phdr);
    e->e_phnum = 4;
    *program_header(&image, 0) = (Elf64_Phdr){.p_type = PT_INTERP, .p_offset = 0x300, .p_filesz = 8, .p_memsz = 8};
    *program_header(&image, 1) = (Elf64_Phdr){
        .p_type = PT_LOAD, .p_flags = PF_R | PF_X, .p_filesz = 0x1000, .p_memsz = 0x1000, .p_align = 0x1000};
    *program_header(&image, 2) = (Elf64_Phdr){.p_type = PT_LOAD, .p_flags = PF_R | PF_W, .p_offset = 0x1800, .p_vaddr = 0x3800,
                                              .p_filesz = 0x900, .p_memsz = 0x3000, .p_align = 0x1000};
    *program_header(&image, 3) = (Elf64_Phdr){.p_type = PT_GNU_STACK, .p_flags = PF_R | PF_W};
    memcpy(image.bytes + 0x300, "/lib/ld", 8);
    memset(image.bytes + 0x1800, 0xaa, IMAGE_SIZE - 0x1800);
    return image;
}

static bool plan_image(struct elf_plan *plan, struct image *image, size_t size, char error[128])
{
    Elf *elf = elf_memory((char *)image->bytes, size);
    bool good = elf_plan_make(plan, elf, size, error);
    elf_end(elf);
    return good;
}

static void refuses(struct image *image, size_t size, const char *phrase)
{
    struct elf_plan plan;
    char error[128] = "";
    assert_false(plan_image(&plan, image, size, error));
    if (!strstr(error, phrase))
        fail_msg("expected \"%s\", got \"%s\"", phrase, error);
}

static void test_plan(void **state)
{
    (void)state;
    struct image image = make_image();
    struct elf_plan plan;
    char error[128];
    assert_true(plan_image(&plan, &image, IMAGE_SIZE, error));
    assert_true(plan.relocatable);
    assert_int_equal(plan.low, 0);
    assert_int_equal(plan.high, 0x7000);
    assert_int_equal(plan.entry, 0x400);
    assert_int_equal(plan.headers, sizeof(Elf64_Ehdr));
    assert_int_equal(plan.nheaders, 4);
    assert_int_equal(plan.nsegments, 2);
    assert_int_equal(plan.segments[0].prot, PROT_READ | PROT_EXEC);
    assert_int_equal(plan.interpreter_size, 8);
    assert_false(plan.executable_stack);
    elf_plan_free(&plan);
}

static void test_refusals(void **state)
{
    (void)state;
    struct image i = make_image();
    refuses(&i, 0, "not an ELF");
    refuses(&i, 3, "not an ELF");
    refuses(&i, 40, "ELF");
    refuses(&i, 100, "truncated");
    refuses(&i, 0x1900, "truncated");
    i = make_image(), i.bytes[0] = '#';
    refuses(&i, IMAGE_SIZE, "not an ELF");
    i = make_image(), file_header(&i)->e_machine = EM_X86_64;
    refuses(&i, IMAGE_SIZE, "x86-64");
    i = make_image(), file_header(&i)->e_machine = EM_ARM, i.bytes[EI_CLASS] = ELFCLASS32;
    refuses(&i, IMAGE_SIZE, "32-bit ARM");
    i = make_image(), file_header(&i)->e_type = ET_REL;
    refuses(&i, IMAGE_SIZE, "not executable");
    i = make_image(), file_header(&i)->e_phnum = 0;
    refuses(&i, IMAGE_SIZE, "program headers");
    i = make_image(), file_header(&i)->e_phnum = 60000;
    refuses(&i, IMAGE_SIZE, "program headers");
    i = make_image(), file_header(&i)->e_phentsize = 32;
    refuses(&i, IMAGE_SIZE, "");
    i = make_image(), file_header(&i)->e_phoff = UINT64_MAX - 8;
    refuses(&i, IMAGE_SIZE, "");
    i = make_image(), program_header(&i, 1)->p_filesz = 0x2000;
    refuses(&i, IMAGE_SIZE, "more bytes in the file");
    i = make_image(), program_header(&i, 1)->p_vaddr = UINT64_MAX - 0xfff;
    refuses(&i, IMAGE_SIZE, "outside");
    i = make_image(), program_header(&i, 2)->p_memsz = UINT64_C(1) << 60;
    refuses(&i, IMAGE_SIZE, "outside");
    i = make_image(), program_header(&i, 2)->p_offset = 0x1000;
    refuses(&i, IMAGE_SIZE, "not aligned");
    i = make_image(), program_header(&i, 2)->p_align = 0x3000;
    refuses(&i, IMAGE_SIZE, "alignment");
    i = make_image(), program_header(&i, 2)->p_vaddr = 0x800;
    refuses(&i, IMAGE_SIZE, "overlaps");
    i = make_image(), program_header(&i, 0)->p_filesz = 1;
    refuses(&i, IMAGE_SIZE, "interpreter");
    i = make_image(), program_header(&i, 0)->p_offset = IMAGE_SIZE;
    refuses(&i, IMAGE_SIZE, "interpreter");
    i = make_image(), program_header(&i, 1)->p_type = program_header(&i, 2)->p_type = PT_NULL;
    refuses(&i, IMAGE_SIZE, "nothing to load");
}

#define PROPERTY_NOTE 0x340
#define PROPERTY_HEADER 0x6474e553 /* PT_GNU_PROPERTY */

/** An image with a note of properties: words of its description. */
static struct image make_image_with_properties(const uint32_t *words, unsigned n)
{
    struct image image = make_image();
    const uint32_t start[4] = {4, 4 * n, 5, 0x00554e47}; /* NT_GNU_PROPERTY_TYPE_0, "GNU" */
    *program_header(&image, 3) =
        (Elf64_Phdr){.p_type = PROPERTY_HEADER, .p_offset = PROPERTY_NOTE, .p_filesz = 16 + 4 * n, .p_align = 8};
    memcpy(image.bytes + PROPERTY_NOTE, start, sizeof start);
    if (n)
        memcpy(image.bytes + PROPERTY_NOTE + 16, words, 4 * n);
    return image;
}

/** Whether the code is guarded; -1: refused. */
static int guards(struct image *image)
{
    struct elf_plan plan;
    char error[128] = "";
    assert_true(plan_image(&plan, image, IMAGE_SIZE, error));
    bool good = elf_plan_guard(&plan, true, error);
    int result = !good ? -1 : (plan.segments[0].prot & GUEST_PROT_BTI) != 0;
    assert_int_equal(good, error[0] == 0);
    assert_false(plan.segments[1].prot & GUEST_PROT_BTI);
    elf_plan_free(&plan);
    return result;
}

static int guards_with(const uint32_t *words, unsigned n)
{
    struct image image = make_image_with_properties(words, n);
    return guards(&image);
}

static void test_properties(void **state)
{
    (void)state;
    static const uint32_t both[] = {0xc0000000, 4, 3, 0}, pac[] = {0xc0000000, 4, 2, 0}, other[] = {1, 3, 0, 0},
                          second[] = {1, 8, 0, 0, 0xc0000000, 4, 1, 0}, after[] = {0xc0000000, 4, 1, 0, 0xc0000001, 0},
                          order[] = {0xc0000000, 4, 1, 0, 1, 0}, twice[] = {0xc0000000, 4, 1, 0, 0xc0000000, 4, 1, 0},
                          size[] = {0xc0000000, 8, 1, 0}, small[] = {0xc0000000, 0}, unpadded[] = {0xc0000000, 4, 1},
                          excess[] = {0xc0000000, 4, 1, 0, 0xc0000001}, huge[] = {1, 0xffffffff, 0, 0};
    struct image image = make_image();
    assert_int_equal(guards(&image), 0);
    assert_int_equal(guards_with(both, 4), 1);
    assert_int_equal(guards_with(pac, 4), 0);
    assert_int_equal(guards_with(other, 4), 0);
    assert_int_equal(guards_with(second, 8), 1);
    assert_int_equal(guards_with(after, 6), 1);
    assert_int_equal(guards_with(NULL, 0), 0);
    assert_int_equal(guards_with(order, 6), -1);
    assert_int_equal(guards_with(twice, 8), -1);
    assert_int_equal(guards_with(size, 4), -1);
    assert_int_equal(guards_with(small, 2), -1);
    assert_int_equal(guards_with(unpadded, 3), -1);
    assert_int_equal(guards_with(excess, 5), -1);
    assert_int_equal(guards_with(huge, 4), -1);
    image = make_image_with_properties(both, 4), image.bytes[PROPERTY_NOTE + 12] = 'g';
    assert_int_equal(guards(&image), -1);
    image = make_image_with_properties(both, 4), image.bytes[PROPERTY_NOTE + 8] = 1;
    assert_int_equal(guards(&image), -1);
    image = make_image_with_properties(both, 4), image.bytes[PROPERTY_NOTE + 4] = 17;
    assert_int_equal(guards(&image), -1);
    image = make_image_with_properties(both, 4), program_header(&image, 3)->p_filesz = 15;
    assert_int_equal(guards(&image), -1);
    image = make_image_with_properties(both, 4), program_header(&image, 3)->p_filesz = 1025;
    assert_int_equal(guards(&image), -1);
    image = make_image_with_properties(both, 4), program_header(&image, 3)->p_offset = IMAGE_SIZE - 8;
    assert_int_equal(guards(&image), -1);
}

static int image_file(const struct image *image, size_t size)
{
    int fd = memfd_create("image", 0);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, image->bytes, size), size);
    return fd;
}

static void test_map(void **state)
{
    (void)state;
    struct image image = make_image();
    struct elf_plan plan;
    struct address_space space = {0};
    struct mapping m;
    char error[128];
    uint64_t bias;
    memory_init(&space);
    assert_true(plan_image(&plan, &image, IMAGE_SIZE, error));
    int fd = image_file(&image, IMAGE_SIZE);
    assert_true(elf_plan_map(&plan, &space, fd, 0, &bias, error));
    assert_memory_equal((void *)bias, image.bytes, 0x1000);
    assert_memory_equal((void *)(bias + 0x3800), image.bytes + 0x1800, 0x900);
    for (uint64_t at = 0x4100; at < 0x7000; at++) /* bss, also in the last page of the file's bytes */
        assert_int_equal(*(uint8_t *)(bias + at), 0);
    assert_true(memory_find(&space, bias, &m));
    assert_int_equal(m.prot, PROT_READ | PROT_EXEC);
    assert_false(memory_find(&space, bias + 0x2000, &m)); /* the hole between the segments */
    elf_plan_free(&plan);
    memory_unmap(&space, plan.low + bias, plan.high - plan.low);
    memory_destroy(&space);
    close(fd);
}

/** The rest of the last page is zero too, even behind a bss that ends in the same page. */
static void test_page_end(void **state)
{
    (void)state;
    struct image image = make_image();
    struct elf_plan plan;
    struct address_space space = {0};
    char error[128];
    uint64_t bias;
    memory_init(&space);
    program_header(&image, 2)->p_memsz = 0x980;
    assert_true(plan_image(&plan, &image, IMAGE_SIZE, error));
    int fd = image_file(&image, IMAGE_SIZE);
    assert_true(elf_plan_map(&plan, &space, fd, 0, &bias, error));
    for (uint64_t at = 0x4100; at < 0x5000; at++)
        assert_int_equal(*(uint8_t *)(bias + at), 0);
    elf_plan_free(&plan);
    memory_unmap(&space, plan.low + bias, plan.high - plan.low);
    memory_destroy(&space);
    close(fd);
}

static uint64_t random_next(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    return *state ^= *state << 17;
}

/** Changes some bytes, most of them in the headers, to random or interesting values. */
static void mutate(struct image *image, uint64_t *seed)
{
    static const uint64_t interesting[] = {0, 1, 0x7f, 0xff, 0xfff, 0x1000, 0x7fffffff, 0x80000000, 0xffffffff,
                                           UINT64_C(1) << 46, UINT64_C(1) << 47, INT64_MAX, UINT64_MAX, UINT64_MAX - 0xfff};
    unsigned changes = 1 + random_next(seed) % 4;
    for (unsigned c = 0; c < changes; c++) {
        size_t headers = sizeof(Elf64_Ehdr) + 4 * sizeof(Elf64_Phdr);
        if (random_next(seed) % 3) { /* a whole field */
            size_t at = (random_next(seed) % (headers / 8)) * 8, width = (size_t)1 << random_next(seed) % 4;
            uint64_t value = interesting[random_next(seed) % (sizeof interesting / sizeof interesting[0])];
            memcpy(image->bytes + at + (random_next(seed) % (8 / width)) * width, &value, width);
        } else {
            image->bytes[random_next(seed) % headers] = (uint8_t)random_next(seed);
        }
    }
}

static void test_fuzz(void **state)
{
    (void)state;
    uint64_t seed = 0x2545f4914f6cdd1d;
    unsigned accepted = 0, mapped = 0;
    struct address_space space = {0};
    memory_init(&space);
    for (unsigned n = 0; n < 30000; n++) {
        struct image image = make_image();
        struct elf_plan plan;
        char error[128] = "";
        mutate(&image, &seed);
        size_t size = random_next(&seed) % 4 ? IMAGE_SIZE : random_next(&seed) % IMAGE_SIZE;
        if (!plan_image(&plan, &image, size, error)) {
            assert_true(error[0]);
            continue;
        }
        accepted++;
        assert_true(plan.low < plan.high && plan.high <= UINT64_C(1) << 47);
        assert_true(plan.nsegments > 0);
        for (unsigned i = 0; i < plan.nsegments; i++)
            assert_true(plan.segments[i].offset + plan.segments[i].file_size <= size);
        /* Whatever was accepted can be mapped, or is refused, but hits nothing of this program. */
        if (accepted % 8 == 0 && plan.relocatable && plan.high - plan.low < UINT64_C(1) << 40) {
            uint64_t bias;
            int fd = image_file(&image, size);
            bool good = elf_plan_map(&plan, &space, fd, 0, &bias, error);
            assert_true(good || error[0]);
            mapped += good;
            if (good)
                memory_unmap(&space, plan.low + bias, plan.high - plan.low);
            close(fd);
        }
        elf_plan_free(&plan);
    }
    memory_destroy(&space);
    assert_true(accepted > 1000 && mapped > 50);
}

int main(void)
{
    elf_version(EV_CURRENT);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plan),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_properties),
        cmocka_unit_test(test_map),
        cmocka_unit_test(test_page_end),
        cmocka_unit_test(test_fuzz),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

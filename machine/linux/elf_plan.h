/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Loading ELF programs. First a plan is made from the headers, with every value checked; then the plan is mapped. The two are
 * apart so that the checks can be tested against any bytes without touching memory.
 */
#ifndef DRAGOMAN_MACHINE_LINUX_ELF_PLAN_H
#define DRAGOMAN_MACHINE_LINUX_ELF_PLAN_H

#include <libelf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct address_space;

struct elf_segment {
    uint64_t address;   /* of its first byte, not page aligned */
    uint64_t offset;    /* in the file; congruent to address modulo the page size */
    uint64_t file_size; /* bytes from the file */
    uint64_t size;      /* bytes in memory, at least file_size; the rest is zero */
    int prot;           /* PROT_* */
};

/** Linux takes program headers of up to 64 KiB. */
#define ELF_MAX_HEADERS (65536 / 56)

struct elf_plan {
    bool relocatable;    /* ET_DYN: may be placed anywhere */
    uint64_t low, high;  /* hull of the segments, page aligned */
    uint64_t alignment;  /* of the whole, a power of two, at least a page */
    uint64_t entry;
    uint64_t headers;    /* address of the program headers in memory, 0 if no segment holds them */
    unsigned nheaders;
    uint64_t interpreter_offset, interpreter_size; /* PT_INTERP; size 0: none. Size includes the final zero */
    bool executable_stack;
    bool guarded;        /* built for branch target identification (GNU_PROPERTY_AARCH64_FEATURE_1_BTI) */
    const char *bad_properties; /* what is wrong with the file's program properties, or NULL */
    unsigned nsegments;
    struct elf_segment *segments; /* malloc'ed, ascending */
};

/** Checks the headers of an AArch64 program or interpreter. `file_size` bounds what segments may take from the file. On
    failure returns false with what is wrong in `error`, a phrase such as "not an ELF file". */
bool elf_plan_make(struct elf_plan *plan, Elf *elf, uint64_t file_size, char error[128]);
void elf_plan_free(struct elf_plan *plan);
/** Has the code mapped with PROT_BTI if the file is built for that and the CPU has FEAT_BTI (`enforced`). Linux does this for
    an interpreter, and for a program without one; other programs and libraries are guarded by their interpreter. False with
    a phrase in `error`, if their properties are malformed: Linux does not start them. */
bool elf_plan_guard(struct elf_plan *plan, bool enforced, char error[128]);

/** Maps the plan from `fd`. `base`: wanted address of a relocatable image, 0 for any. *bias receives the difference
    between addresses in memory and in the file. False with a phrase in `error`. */
bool elf_plan_map(const struct elf_plan *plan, struct address_space *space, int fd, uint64_t base, uint64_t *bias,
                  char error[128]);

#endif

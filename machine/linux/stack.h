/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The initial stack: arguments, environment and auxiliary vector, as the kernel's create_elf_tables lays them out. */
#ifndef DRAGOMAN_MACHINE_LINUX_STACK_H
#define DRAGOMAN_MACHINE_LINUX_STACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct options;
struct process;

struct program_image {
    uint64_t headers, nheaders;  /* program headers in memory */
    uint64_t entry;              /* of the program, not of its interpreter */
    uint64_t interpreter_base;   /* 0: none */
    bool executable_stack;
};

/** Maps the stack, fills it, sets process->stack_pointer and the ranges for /proc. False with a phrase in `error`. */
bool stack_create(struct process *process, const struct program_image *image, char error[128]);

/** Random words for the guest; with -seed always the same ones for the same purpose (splitmix64). AT_RANDOM's purpose is 0. */
void stack_random(const struct options *options, uint64_t purpose, uint64_t *words, size_t n);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names for many guest addresses: the symbol tables of the files that the process has mapped, read once and kept sorted.
 * (symbols.c is for the one address in a message.) Not thread-safe.
 */
#ifndef DRAGOMAN_MACHINE_LINUX_SYMBOL_MAP_H
#define DRAGOMAN_MACHINE_LINUX_SYMBOL_MAP_H

#include <stddef.h>
#include <stdint.h>

struct symbol_map;

struct symbol_map *symbol_map_new(void);
void symbol_map_free(struct symbol_map *map);
/** "name", "name+0x12", "file+0x1234" or "guest-0x1234". */
void symbol_map_describe(struct symbol_map *map, uint64_t address, char *text, size_t size);
/** Something else may be mapped in [start, end) from now on. */
void symbol_map_forget(struct symbol_map *map, uint64_t start, uint64_t end);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Compiling apart from the code cache, for a thread that does not hold the engine's lock: the code is emitted as if for a place in
 * the cache, and later moved to another, of the same alignment, with the help of the notes about it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backend/x86_64/apart.h"
#include "backend/x86_64/asm_int.h"

void *x86_create_apart(void *backend)
{
    struct x86_backend *b = malloc(sizeof *b);
    if (b) {
        *b = *(const struct x86_backend *)backend;
        b->emit = NULL;
        b->apart = true;
        b->exits = NULL;
        b->exits_capacity = 0;
    }
    return b;
}

struct code_exit *apart_exits(struct x86_backend *b, uint32_t n)
{
    if (n > b->exits_capacity) {
        b->exits = realloc(b->exits, n * sizeof *b->exits);
        b->exits_capacity = n;
    }
    if (n && !b->exits) {
        fputs("dragoman: out of memory while translating\n", stderr);
        _exit(1);
    }
    return b->exits;
}

/* `lea rax, [rip + distance]` and three bytes of nop take the place of `mov rax, address`, if it is near enough. */
static void refer(struct assembler *a, struct code_note *note, const struct code_exit *exit)
{
    enum { MOV_BYTES = 10, LEA_BYTES = 7 };
    uint8_t *p = a->start + note->at - 2;
    a->p = p + LEA_BYTES;
    if (x_reaches(a, exit)) {
        int32_t distance = (int32_t)((uintptr_t)exit - ((uintptr_t)a->rx + asm_offset(a)));
        memcpy(p, (const uint8_t[MOV_BYTES]){0x48, 0x8d, 5, 0, 0, 0, 0, 0x0f, 0x1f, 0}, MOV_BYTES);
        memcpy(p + 3, &distance, 4);
        *note = (struct code_note){note->at + 1, CODE_NOTE_NEAR};
    } else {
        memcpy(a->start + note->at, &exit, 8);
    }
}

void x86_move(void *apart, struct region *region, uint8_t *rw, const uint8_t *rx, const uint8_t *code,
              struct code_exit *exits)
{
    struct x86_backend *b = apart;
    struct emit *e = b->emit;
    struct assembler a = {.start = rw, .p = rw, .end = rw + region->code_size, .rx = rx};
    const uint64_t was = (uintptr_t)region->code, size = region->code_size;

    memcpy(rw, code, size);
    for (uint32_t i = 0; i < e->as.nnotes; i++) {
        struct code_note *note = &e->as.notes[i];
        int32_t distance;
        uint64_t address;
        if (note->kind == CODE_NOTE_NEAR) {
            memcpy(&distance, rw + note->at, 4);
            if (was + note->at + 4 + (uint64_t)(int64_t)distance - was < size)
                continue; /* within the region */
            distance += (int32_t)(was - (uintptr_t)rx);
            memcpy(rw + note->at, &distance, 4);
        } else if (note->kind == CODE_NOTE_FIXED) {
            memcpy(&address, rw + note->at, 8); /* there are no others here, see emit_link_stub() */
            refer(&a, note, exits + ((const struct code_exit *)(uintptr_t)address - b->exits));
        }
    }
    region->code = rx;
    region->exits = exits;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DRAGOMAN_BACKEND_X86_64_APART_H
#define DRAGOMAN_BACKEND_X86_64_APART_H

#include "backend/x86_64/emit.h"

/* host_backend.create_apart, move */
void *x86_create_apart(void *backend);
void x86_move(void *apart, struct region *region, uint8_t *rw, const uint8_t *rx, const uint8_t *code, struct code_exit *exits);
/** Room for the exits of the region that is being compiled apart. */
struct code_exit *apart_exits(struct x86_backend *b, uint32_t n);

#endif

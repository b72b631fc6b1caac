/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading guest code. That a page may be executed does not mean that there is something to read: it may lie behind the end of
 * its file, which anybody can cut off at any time. Then the read says so, with the help of the handler of SIGSEGV and SIGBUS.
 */
#ifndef DRAGOMAN_TRANSLATOR_CODE_READ_H
#define DRAGOMAN_TRANSLATOR_CODE_READ_H

#include <stdbool.h>
#include <stdint.h>
#include <ucontext.h>

/** False: there is nothing. */
bool code_read32(const uint8_t *from, uint32_t *value);
bool code_read8(const uint8_t *from, uint8_t *value);
/** From the handler: if such a read has faulted, it returns false afterwards. Async-signal-safe. */
bool code_read_fixup(ucontext_t *uc);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The registers of an A64 CPU as gdb numbers and describes them: a64_isa.debug. */
#ifndef DRAGOMAN_FRONTEND_A64_DEBUG_H
#define DRAGOMAN_FRONTEND_A64_DEBUG_H

#include "translator/isa.h"

extern const struct isa_debug a64_debug;

#endif

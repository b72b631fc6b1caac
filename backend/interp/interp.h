/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The reference interpreter: executes a region's IR as it stands. It is there to be obviously right, for the tests to
 * compare a code generator with, and for hosts that lack what the code generator needs. Floating point goes through
 * softfp alone, in the environment of the host's MXCSR, into which enter() loads the guest's.
 *
 *   interp.c  the backend's interface, control flow, guest state
 *   int.c     integer, flags and scalar operations
 *   vec.c     vector operations
 *   vec_crypto.c  those of cryptography
 *   memory.c  guest memory
 *   call.c    helpers
 */
#ifndef DRAGOMAN_BACKEND_INTERP_H
#define DRAGOMAN_BACKEND_INTERP_H

#include <immintrin.h>
#include <stdbool.h>
#include <stdint.h>

#include "translator/cpu.h"
#include "translator/ir.h"

/* A value of any type: its bits from the low end, the rest zero. */
union interp_value {
    uint64_t u64; /* i32, i64, f32, f64 */
    uint64_t half[2];
    uint8_t bytes[16];
    __m128i vector;
};

/** Evaluates an operation without side effects. *result is zero before. */
typedef void interp_function(const struct ir_insn *insn, const union interp_value arg[4], union interp_value *result);

/** The function for an integer (int.c) or vector (vec.c) operation; NULL where the file has none for it. */
interp_function *interp_int_function(enum ir_op op);
interp_function *interp_vec_function(enum ir_op op);
interp_function *interp_vec_crypto_function(enum ir_op op);

/** LOAD, STORE, STORE_EXCL, CAS, RMW. May raise SIGSEGV or SIGBUS, before anything has changed. */
void interp_access(const struct ir_insn *insn, const union interp_value arg[4], union interp_value *result);
/** FENCE */
void interp_fence(const struct ir_insn *insn);

/** CALL */
void interp_call(const struct ir_insn *insn, struct cpu *cpu, const union interp_value arg[4],
                 union interp_value *result);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DRAGOMAN_TESTS_TESTFLOAT_SOFTFP_COMPUTE_H
#define DRAGOMAN_TESTS_TESTFLOAT_SOFTFP_COMPUTE_H

#include "tests/testfloat/reference.h"

/** What reference_compute() answers, by translator/softfp.h. */
struct answer softfp_compute(const struct task *t, uint32_t fpcr, uint64_t a, uint64_t b, uint64_t c);

#endif

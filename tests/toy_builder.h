/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A guest of a few slots for tests of the builder and of the IR's text form. It has no instructions: tests play
   frontend. */
#ifndef DRAGOMAN_TESTS_TOY_BUILDER_H
#define DRAGOMAN_TESTS_TOY_BUILDER_H

#include "translator/builder.h"

enum { X0, X1, X2, X3, NZCV, V0, V1, TOY_SLOTS };

static const struct state_slot toy_slots[TOY_SLOTS] = {
    {"X0", IR_I64, 96}, {"X1", IR_I64, 104}, {"X2", IR_I64, 112}, {"X3", IR_I64, 120},
    {"NZCV", IR_I32, 128}, {"V0", IR_V128, 144}, {"V1", IR_V128, 160},
};
static const struct ir_helper toy_hash = {"hash", NULL, IR_HELPER_PURE, IR_I64, {IR_I64, IR_I32}};
static const struct ir_helper toy_status = {"status", NULL, IR_HELPER_CPU, IR_VOID, {IR_I32}};
static const struct ir_helper *const toy_helpers[] = {&toy_hash, &toy_status, NULL};
static const struct guest_isa toy_builder_isa = {
    .name = "toy", .slots = toy_slots, .nslots = TOY_SLOTS, .helpers = toy_helpers, .cpu_size = 256};
static const struct ir_names toy_names = {toy_slots, TOY_SLOTS, toy_helpers};

#endif

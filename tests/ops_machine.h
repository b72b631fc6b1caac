/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A made-up CPU whose slots are nothing but places for operands and results, and what it takes to run one region on
 * it through a backend's bare interface.
 */
#ifndef DRAGOMAN_TESTS_OPS_MACHINE_H
#define DRAGOMAN_TESTS_OPS_MACHINE_H

#include <stdlib.h>
#include <string.h>

#include "translator/backend.h"
#include "translator/code_cache.h"

#define OPERANDS 4
#define BALLAST 24 /* values of each class kept alive to make others spill: more than there are registers */

struct ops_cpu {
    struct cpu cpu;
    uint64_t i64[OPERANDS], f64[OPERANDS];
    uint32_t i32[OPERANDS], f32[OPERANDS];
    __m128i v128[OPERANDS];
    uint64_t zero; /* always 0, and no backend knows */
    __m128i vzero;
    /* Results. */
    uint64_t out_i64, out_f64;
    uint32_t out_i32, out_f32;
    __m128i out_v128;
    __m128i copies[OPERANDS]; /* the operands after the operation */
    uint64_t ballast[BALLAST], out_ballast[BALLAST];
    __m128i vballast[BALLAST], out_vballast[BALLAST];
};

enum ops_slot {
    SLOT_I64,
    SLOT_F64 = SLOT_I64 + OPERANDS,
    SLOT_I32 = SLOT_F64 + OPERANDS,
    SLOT_F32 = SLOT_I32 + OPERANDS,
    SLOT_V128 = SLOT_F32 + OPERANDS,
    SLOT_ZERO = SLOT_V128 + OPERANDS,
    SLOT_VZERO,
    SLOT_OUT_I64,
    SLOT_OUT_F64,
    SLOT_OUT_I32,
    SLOT_OUT_F32,
    SLOT_OUT_V128,
    SLOT_COPY_I64, /* the same bytes as COPY_V128 */
    SLOT_COPY_F64 = SLOT_COPY_I64 + OPERANDS,
    SLOT_COPY_I32 = SLOT_COPY_F64 + OPERANDS,
    SLOT_COPY_F32 = SLOT_COPY_I32 + OPERANDS,
    SLOT_COPY_V128 = SLOT_COPY_F32 + OPERANDS,
    SLOT_BALLAST = SLOT_COPY_V128 + OPERANDS,
    SLOT_OUT_BALLAST = SLOT_BALLAST + BALLAST,
    SLOT_VBALLAST = SLOT_OUT_BALLAST + BALLAST,
    SLOT_OUT_VBALLAST = SLOT_VBALLAST + BALLAST,
    SLOT_COUNT = SLOT_OUT_VBALLAST + BALLAST,
};

struct ops_machine {
    struct guest_isa isa;
    struct state_slot slots[SLOT_COUNT];
    char names[SLOT_COUNT][16];
    struct ops_cpu *cpu;
    const struct host_backend *backend;
    void *backend_state;
    struct code_cache *cache; /* NULL: the backend has no code */
    const struct region *running;
};

static void ops_slot(struct ops_machine *m, unsigned slot, const char *name, unsigned number, enum ir_type type,
                     size_t offset)
{
    snprintf(m->names[slot], sizeof m->names[slot], "%s%u", name, number);
    m->slots[slot] = (struct state_slot){m->names[slot], (uint8_t)type, (uint32_t)offset};
}

static void ops_slots(struct ops_machine *m)
{
#define AT(field, i) offsetof(struct ops_cpu, field) + (i) * sizeof(((struct ops_cpu *)0)->field[0])
    for (unsigned i = 0; i < OPERANDS; i++) {
        ops_slot(m, SLOT_I64 + i, "x", i, IR_I64, AT(i64, i));
        ops_slot(m, SLOT_F64 + i, "d", i, IR_F64, AT(f64, i));
        ops_slot(m, SLOT_I32 + i, "w", i, IR_I32, AT(i32, i));
        ops_slot(m, SLOT_F32 + i, "s", i, IR_F32, AT(f32, i));
        ops_slot(m, SLOT_V128 + i, "v", i, IR_V128, AT(v128, i));
        ops_slot(m, SLOT_COPY_I64 + i, "copy_x", i, IR_I64, AT(copies, i));
        ops_slot(m, SLOT_COPY_F64 + i, "copy_d", i, IR_F64, AT(copies, i));
        ops_slot(m, SLOT_COPY_I32 + i, "copy_w", i, IR_I32, AT(copies, i));
        ops_slot(m, SLOT_COPY_F32 + i, "copy_s", i, IR_F32, AT(copies, i));
        ops_slot(m, SLOT_COPY_V128 + i, "copy_v", i, IR_V128, AT(copies, i));
    }
    ops_slot(m, SLOT_ZERO, "zero", 0, IR_I64, offsetof(struct ops_cpu, zero));
    ops_slot(m, SLOT_VZERO, "vzero", 0, IR_V128, offsetof(struct ops_cpu, vzero));
    ops_slot(m, SLOT_OUT_I64, "out_x", 0, IR_I64, offsetof(struct ops_cpu, out_i64));
    ops_slot(m, SLOT_OUT_F64, "out_d", 0, IR_F64, offsetof(struct ops_cpu, out_f64));
    ops_slot(m, SLOT_OUT_I32, "out_w", 0, IR_I32, offsetof(struct ops_cpu, out_i32));
    ops_slot(m, SLOT_OUT_F32, "out_s", 0, IR_F32, offsetof(struct ops_cpu, out_f32));
    ops_slot(m, SLOT_OUT_V128, "out_v", 0, IR_V128, offsetof(struct ops_cpu, out_v128));
    for (unsigned i = 0; i < BALLAST; i++) {
        ops_slot(m, SLOT_BALLAST + i, "ballast", i, IR_I64, AT(ballast, i));
        ops_slot(m, SLOT_OUT_BALLAST + i, "out_ballast", i, IR_I64, AT(out_ballast, i));
        ops_slot(m, SLOT_VBALLAST + i, "vballast", i, IR_V128, AT(vballast, i));
        ops_slot(m, SLOT_OUT_VBALLAST + i, "out_vballast", i, IR_V128, AT(out_vballast, i));
    }
#undef AT
}

static unsigned slot_of_type(enum ir_type type, unsigned i64, unsigned f64, unsigned i32, unsigned f32, unsigned v128)
{
    return type == IR_I64 ? i64 : type == IR_F64 ? f64 : type == IR_I32 ? i32 : type == IR_F32 ? f32 : v128;
}

static unsigned operand_slot(enum ir_type type, unsigned i)
{
    return slot_of_type(type, SLOT_I64, SLOT_F64, SLOT_I32, SLOT_F32, SLOT_V128) + i;
}

static unsigned result_slot(enum ir_type type)
{
    return slot_of_type(type, SLOT_OUT_I64, SLOT_OUT_F64, SLOT_OUT_I32, SLOT_OUT_F32, SLOT_OUT_V128);
}

static unsigned copy_slot(enum ir_type type, unsigned i)
{
    return slot_of_type(type, SLOT_COPY_I64, SLOT_COPY_F64, SLOT_COPY_I32, SLOT_COPY_F32, SLOT_COPY_V128) + i;
}

/* Finds the machine: the CPUs of these tests have no engine. */
static struct ops_machine *ops_machine_of(struct cpu *cpu)
{
    return (struct ops_machine *)cpu->engine;
}

/* code_cache.recover: a POLL leaves. */
static void ops_recover(struct cpu *cpu, uint64_t host_pc, const struct host_regs *regs)
{
    struct ops_machine *m = ops_machine_of(cpu);
    const struct region *region = m->running;
    if (!statemap_recover(region->statemap, region->statemap_size, region->guest_pc, (uint32_t)(host_pc - (uintptr_t)region->code), regs,
                          &m->isa, cpu)) {
        abort();
    }
}

/* False: the backend cannot run here. */
static bool ops_machine_init(struct ops_machine *m, const struct host_backend *backend, bool extensions)
{
    memset(m, 0, sizeof *m);
    ops_slots(m);
    m->isa =
        (struct guest_isa){.name = "ops", .slots = m->slots, .nslots = SLOT_COUNT, .cpu_size = sizeof(struct ops_cpu)};
    m->backend = backend;
    if (backend->missing()) {
        return false;
    }
    if (backend->capstone_arch >= 0) {
        char error[256];
        m->cache = code_cache_create(8u << 20, error);
        if (!m->cache) {
            return false;
        }
        m->cache->recover = ops_recover;
    }
    const struct backend_options options = {
        .fold = true, .chain = true, .predict = true, .inline_lookup = true, .extensions = extensions};
    m->backend_state = backend->create(m->cache, &m->isa, &options);
    size_t size = (sizeof(struct cpu_front) + sizeof(struct ops_cpu) + 63) & ~(size_t)63;
    struct cpu_front *front = aligned_alloc(64, size);
    if (!front || !m->backend_state) {
        return false;
    }
    memset(front, 0, size);
    m->cpu = (struct ops_cpu *)(front + 1);
    m->cpu->cpu.mxcsr = 0x1f80;
    m->cpu->cpu.engine = (struct engine *)m;
    if (backend->cpu_new && !backend->cpu_new(m->backend_state, &m->cpu->cpu)) {
        return false;
    }
    backend->reset_returns(m->backend_state, &m->cpu->cpu);
    return true;
}

static void ops_machine_free(struct ops_machine *m)
{
    if (m->cpu) {
        if (m->backend->cpu_free) {
            m->backend->cpu_free(m->backend_state, &m->cpu->cpu);
        }
        free(cpu_front(&m->cpu->cpu));
    }
    if (m->backend_state) {
        m->backend->destroy(m->backend_state);
    }
    code_cache_destroy(m->cache);
}

static bool ops_compile(struct ops_machine *m, struct ir *ir, struct region *region)
{
    *region = (struct region){.guest_pc = ir->guest_pc};
    if (!m->cache) {
        return m->backend->compile(m->backend_state, ir, region, NULL, NULL, 0, false);
    }
    uint32_t need = m->backend->bound(ir);
    uint8_t *rw;
    const uint8_t *rx;
    uint32_t space = code_cache_space(m->cache, &rw, &rx);
    if (space < need) {
        code_cache_advance(m->cache);
        space = code_cache_space(m->cache, &rw, &rx);
    }
    if (!m->backend->compile(m->backend_state, ir, region, rw, rx, space, false)) {
        return false;
    }
    code_cache_commit(m->cache, region, region->code_size);
    return true;
}

static void ops_run(struct ops_machine *m, const struct region *region)
{
    m->running = region;
    m->backend->enter(m->backend_state, &m->cpu->cpu, region);
}

static void ops_region_free(struct region *region)
{
    free(region->backend_data);
}

#endif

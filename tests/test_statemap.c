/* SPDX-License-Identifier: GPL-2.0-or-later */
/* State maps: every kind of place, differences between entries, parallel writes, packed flags; and random maps against a plain
   table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "translator/cpu.h"
#include "translator/statemap.h"

enum { NX = 8, NV = 4, SLOTS = NX + NV + 2 };
enum { SLOT_V0 = NX, SLOT_FLAGS = NX + NV, SLOT_F };

struct test_cpu {
    struct cpu cpu;
    uint64_t x[NX];
    __m128i v[NV];
    uint32_t flags;
    float f;
};

#define X(n) [n] = {"x" #n, IR_I64, offsetof(struct test_cpu, x) + (n)*8}
#define V(n) [SLOT_V0 + n] = {"v" #n, IR_V128, offsetof(struct test_cpu, v) + (n)*16}
static const struct state_slot slots[SLOTS] = {
    X(0),
    X(1),
    X(2),
    X(3),
    X(4),
    X(5),
    X(6),
    X(7),
    V(0),
    V(1),
    V(2),
    V(3),
    [SLOT_FLAGS] = {"flags", IR_I32, offsetof(struct test_cpu, flags)},
    [SLOT_F] = {"f", IR_F32, offsetof(struct test_cpu, f)},
};
static const struct guest_isa isa = {
    .name = "test", .slots = slots, .nslots = SLOTS, .cpu_size = sizeof(struct test_cpu)};

struct fixture {
    struct cpu_front front;
    struct test_cpu cpu;
};

struct map {
    uint8_t *bytes;
    uint32_t size;
};

static struct map end(struct statemap_writer *w)
{
    struct map map;
    map.bytes = statemap_end(w, &map.size);
    return map;
}

static struct fixture *make_fixture(void)
{
    struct fixture *f = aligned_alloc(64, (sizeof *f + 63) & ~(size_t)63);
    memset(f, 0, sizeof *f);
    for (unsigned i = 0; i < NX; i++)
        f->cpu.x[i] = 0x1000 + i;
    for (unsigned i = 0; i < NV; i++)
        f->cpu.v[i] = _mm_set_epi64x(0x3000 + i, 0x2000 + i);
    for (unsigned i = 0; i < CPU_SPILL_SLOTS / 2; i++)
        f->front.spill[i] = _mm_set_epi64x(0x5000 + 2 * i + 1, 0x5000 + 2 * i);
    return f;
}

static void set_regs(struct host_regs *regs)
{
    for (unsigned i = 0; i < 16; i++) {
        regs->gpr[i] = 0xf1f2f3f400000000u + i;
        regs->xmm[i] = _mm_set_epi64x(0x7000 + i, 0x6000 + i);
    }
}

static void write_slot(struct statemap_writer *w, unsigned slot, struct loc at)
{
    struct slot_loc where = {.at = at};
    statemap_slot(w, slot, &where);
}

static uint64_t lane(__m128i v, unsigned i)
{
    uint64_t lanes[2];
    memcpy(lanes, &v, sizeof lanes);
    return lanes[i];
}

static bool recover(const struct map *map, uint32_t offset, struct fixture *f)
{
    struct host_regs regs;
    set_regs(&regs);
    return statemap_recover(map->bytes, map->size, 0, offset, &regs, &isa, &f->cpu.cpu);
}

static void an_empty_map_knows_nothing(void **state)
{
    struct statemap_writer w;
    struct fixture *f = make_fixture();
    (void)state;
    statemap_begin(&w);
    struct map map = end(&w);
    assert_false(recover(&map, 0, f));
    free(map.bytes);
    free(f);
}

static void every_kind_of_place(void **state)
{
    struct statemap_writer w;
    struct fixture *f = make_fixture();
    (void)state;
    statemap_begin(&w);
    statemap_entry(&w, 20, 0xffff800000001234u, true);
    write_slot(&w, 0, (struct loc){.kind = LOC_GPR, .reg = 13});
    write_slot(&w, 1, (struct loc){.kind = LOC_GPR, .reg = 2, .extend = 4});
    write_slot(&w, 2, (struct loc){.kind = LOC_SPILL, .index = 511});
    write_slot(&w, 3, (struct loc){.kind = LOC_CONST, .bits = UINT64_MAX - 5});
    write_slot(&w, 4, (struct loc){.kind = LOC_SLOT, .index = 7});
    write_slot(&w, 5, (struct loc){.kind = LOC_XMM, .reg = 3});
    write_slot(&w, SLOT_V0, (struct loc){.kind = LOC_XMM, .reg = 15});
    write_slot(&w, SLOT_V0 + 1, (struct loc){.kind = LOC_SPILL, .index = 10});
    write_slot(&w, SLOT_V0 + 2, (struct loc){.kind = LOC_CONST, .bits = 5, .bits_high = 1ull << 63});
    write_slot(&w, SLOT_V0 + 3, (struct loc){.kind = LOC_XMM, .reg = 4, .extend = 8});
    write_slot(&w, SLOT_F, (struct loc){.kind = LOC_CONST, .bits = 0x40490fdb});
    struct map map = end(&w);

    assert_false(recover(&map, 19, f));
    assert_int_equal(f->cpu.x[0], 0x1000);
    assert_true(recover(&map, 20, f));
    assert_true(f->cpu.cpu.pc == 0xffff800000001234u);
    assert_true(f->cpu.x[0] == 0xf1f2f3f40000000du);
    assert_int_equal(f->cpu.x[1], 2);
    assert_int_equal(f->cpu.x[2], 0x5000 + 511);
    assert_true(f->cpu.x[3] == UINT64_MAX - 5);
    assert_int_equal(f->cpu.x[4], 0x1007);
    assert_int_equal(f->cpu.x[5], 0x6003);
    assert_int_equal(f->cpu.x[6], 0x1006);
    assert_int_equal(lane(f->cpu.v[0], 0), 0x600f);
    assert_int_equal(lane(f->cpu.v[0], 1), 0x700f);
    assert_int_equal(lane(f->cpu.v[1], 1), 0x500b);
    assert_int_equal(lane(f->cpu.v[2], 0), 5);
    assert_true(lane(f->cpu.v[2], 1) == 1ull << 63);
    assert_int_equal(lane(f->cpu.v[3], 0), 0x6004);
    assert_int_equal(lane(f->cpu.v[3], 1), 0);
    assert_true(f->cpu.f > 3.14f && f->cpu.f < 3.15f);
    free(map.bytes);
    free(f);
}

static void entries_build_on_each_other(void **state)
{
    struct statemap_writer w;
    (void)state;
    statemap_begin(&w);
    statemap_entry(&w, 0, 0x400000, true);
    write_slot(&w, 0, (struct loc){.kind = LOC_CONST, .bits = 11});
    statemap_entry(&w, 7, 0x400004, false);
    write_slot(&w, 1, (struct loc){.kind = LOC_CONST, .bits = 22});
    statemap_entry(&w, 300, 0x3ffff0, false);
    write_slot(&w, 0, (struct loc){.kind = LOC_ENTRY});
    statemap_entry(&w, 70000, 0x400008, true);
    write_slot(&w, 2, (struct loc){.kind = LOC_CONST, .bits = 33});
    struct map map = end(&w);

    static const struct {
        uint32_t offset;
        uint64_t pc, x0, x1, x2;
    } expected[] = {
        {0, 0x400000, 11, 0x1001, 0x1002},
        {7, 0x400004, 11, 22, 0x1002},
        {300, 0x3ffff0, 0x1000, 22, 0x1002},
        {70000, 0x400008, 0x1000, 0x1001, 33},
    };
    for (unsigned i = 0; i < 4; i++) {
        struct fixture *f = make_fixture();
        assert_true(recover(&map, expected[i].offset, f));
        assert_int_equal(f->cpu.cpu.pc, expected[i].pc);
        assert_int_equal(f->cpu.x[0], expected[i].x0);
        assert_int_equal(f->cpu.x[1], expected[i].x1);
        assert_int_equal(f->cpu.x[2], expected[i].x2);
        assert_false(recover(&map, expected[i].offset + 1, f));
        free(f);
    }
    free(map.bytes);
}

static void slots_are_written_in_parallel(void **state)
{
    struct statemap_writer w;
    struct fixture *f = make_fixture();
    (void)state;
    statemap_begin(&w);
    statemap_entry(&w, 1, 4, true);
    for (unsigned i = 0; i < NX; i++) /* a rotation */
        write_slot(&w, i, (struct loc){.kind = LOC_SLOT, .index = (i + 1) % NX});
    struct map map = end(&w);
    assert_true(recover(&map, 1, f));
    for (unsigned i = 0; i < NX; i++)
        assert_int_equal(f->cpu.x[i], 0x1000 + (i + 1) % NX);
    free(map.bytes);
    free(f);
}

static uint32_t flags_of(uint8_t op, uint8_t size, uint64_t a, uint64_t b)
{
    struct statemap_writer w;
    struct fixture *f = make_fixture();
    struct slot_loc where = {.at = {.kind = LOC_FLAGS, .flags_op = op, .flags_size = size},
                             .a = {.kind = LOC_CONST, .bits = a},
                             .b = {.kind = LOC_CONST, .bits = b}};
    statemap_begin(&w);
    statemap_entry(&w, 1, 4, true);
    statemap_slot(&w, SLOT_FLAGS, &where);
    struct map map = end(&w);
    assert_true(recover(&map, 1, f));
    uint32_t flags = f->cpu.flags;
    free(map.bytes);
    free(f);
    return flags;
}

static void flags_are_computed(void **state)
{
    static const struct {
        uint8_t op, size;
        uint64_t a, b;
        uint32_t flags; /* N Z C V as the guest sees them, IR_FLAG_NOT_C meaning C here */
    } table[] = {
        {IR_FLAGS_SUB, 8, 5, 5, IR_FLAG_Z | IR_FLAG_NOT_C},
        {IR_FLAGS_SUB, 8, 4, 5, IR_FLAG_N},
        {IR_FLAGS_SUB, 4, 0x80000000, 1, IR_FLAG_NOT_C | IR_FLAG_V},
        {IR_FLAGS_SUB, 8, 0x80000000, 1, IR_FLAG_NOT_C},
        {IR_FLAGS_SUB, 4, 0xffffffff00000001, 1, IR_FLAG_Z | IR_FLAG_NOT_C},
        {IR_FLAGS_ADD, 4, 0xffffffff, 1, IR_FLAG_Z | IR_FLAG_NOT_C},
        {IR_FLAGS_ADD, 8, 0xffffffff, 1, 0},
        {IR_FLAGS_ADD, 8, INT64_MAX, 1, IR_FLAG_N | IR_FLAG_V},
        {IR_FLAGS_ADD, 8, UINT64_MAX, UINT64_MAX, IR_FLAG_N | IR_FLAG_NOT_C},
        {IR_FLAGS_LOGIC, 4, 0x80000000, 0, IR_FLAG_N},
        {IR_FLAGS_LOGIC, 8, 0x80000000, 0, 0},
        {IR_FLAGS_LOGIC, 8, 0, 0, IR_FLAG_Z},
    };
    (void)state;
    for (unsigned i = 0; i < sizeof table / sizeof *table; i++)
        assert_int_equal(flags_of(table[i].op, table[i].size, table[i].a, table[i].b) ^ IR_FLAG_NOT_C, table[i].flags);
}

struct walked {
    uint32_t n;
    uint32_t offsets[512];
    uint64_t pcs[512];
};

static void note(void *opaque, uint32_t offset, uint64_t pc)
{
    struct walked *walked = opaque;
    walked->offsets[walked->n] = offset;
    walked->pcs[walked->n++] = pc;
}

static uint64_t random_bits(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return *seed >> 16 ^ *seed << 40;
}

/** Random maps of constants, against the table that they stand for. */
static void random_maps(void **state)
{
    enum { ENTRIES = 200 };
    static uint64_t expected[ENTRIES][NX];
    uint64_t seed = 12345;
    (void)state;

    for (unsigned round = 0; round < 30; round++) {
        struct statemap_writer w;
        uint32_t offsets[ENTRIES];
        uint64_t pcs[ENTRIES], now[NX];
        uint32_t offset = 0;

        statemap_begin(&w);
        for (unsigned e = 0; e < ENTRIES; e++) {
            bool all = e == 0 || random_bits(&seed) % 8 == 0;
            offsets[e] = offset += 1 + random_bits(&seed) % (round < 5 ? 20000 : 30);
            pcs[e] = random_bits(&seed) >> (random_bits(&seed) & 63);
            statemap_entry(&w, offsets[e], pcs[e], all);
            for (unsigned i = 0; all && i < NX; i++)
                now[i] = 0x1000 + i;
            for (unsigned i = 0; i < NX; i++) {
                if (random_bits(&seed) % 4)
                    continue;
                bool entry = random_bits(&seed) % 4 == 0;
                uint64_t bits = random_bits(&seed) >> (random_bits(&seed) & 63);
                write_slot(&w, i, (struct loc){.kind = entry ? LOC_ENTRY : LOC_CONST, .bits = bits});
                now[i] = entry ? 0x1000 + i : bits;
            }
            memcpy(expected[e], now, sizeof now);
        }
        struct map map = end(&w);
        struct walked walked = {0};
        statemap_walk(map.bytes, map.size, 0, note, &walked);
        assert_int_equal(walked.n, ENTRIES);
        for (unsigned e = 0; e < ENTRIES; e++) {
            struct fixture *f = make_fixture();
            assert_true(recover(&map, offsets[e], f));
            assert_true(f->cpu.cpu.pc == pcs[e]);
            assert_memory_equal(f->cpu.x, expected[e], sizeof expected[e]);
            assert_int_equal(walked.offsets[e], offsets[e]);
            assert_true(walked.pcs[e] == pcs[e]);
            free(f);
        }
        free(map.bytes);
    }
}

static void maps_are_small(void **state)
{
    struct statemap_writer w;
    (void)state;
    statemap_begin(&w);
    for (unsigned e = 0; e < 100; e++) {
        statemap_entry(&w, e * 6, 0x400000 + e * 4, false);
        write_slot(&w, e % NX, (struct loc){.kind = LOC_GPR, .reg = e % 16});
    }
    struct map map = end(&w);
    assert_true(map.size <= 100 * 5 + 10);
    free(map.bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_map_knows_nothing),
        cmocka_unit_test(every_kind_of_place),
        cmocka_unit_test(entries_build_on_each_other),
        cmocka_unit_test(slots_are_written_in_parallel),
        cmocka_unit_test(flags_are_computed),
        cmocka_unit_test(random_maps),
        cmocka_unit_test(maps_are_small),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

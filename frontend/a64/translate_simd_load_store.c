/* SPDX-License-Identifier: GPL-2.0-or-later */
/* AdvSIMD load and store structures (Arm ARM DDI 0487, C4.1.94: asisdlse, asisdlsep, asisdlso, asisdlsop). All loads
   come before the first register is written, so that a fault leaves the registers as they were. */
#include "frontend/a64/simd.h"

/* Post-index forms have bit 23 set: the base grows by Xm, or, when that is 31, by the bytes transferred. */
static void write_back(struct a64_translate *t, unsigned bytes)
{
    if (!(t->word >> 23 & 1))
        return;
    if (Rm(t) == 31)
        put_sp_stepped(t, Rn(t), b_add(t->b, get_x_sp(t, Rn(t)), b_i64(t->b, bytes)), bytes);
    else
        put_x_sp(t, Rn(t), b_add(t->b, get_x_sp(t, Rn(t)), get_x(t, Rm(t))));
}

static unsigned reg(const struct a64_translate *t, unsigned i)
{
    return (Rt(t) + i) & 31;
}

/* 16 bytes, or 8 with the rest zero. */
static ir_ref load_part(struct a64_translate *t, unsigned offset, unsigned bytes)
{
    ir_ref base = base_address(t);
    if (bytes == 16)
        return b_load(t->b, IR_V128, 16, 0, base, offset);
    return b_vzext(t->b, b_load(t->b, IR_F64, 8, 0, base, offset));
}

static void store_part(struct a64_translate *t, unsigned offset, unsigned bytes, ir_ref v)
{
    ir_ref base = base_address(t);
    if (bytes == 16)
        b_store(t->b, 16, 0, base, offset, v);
    else
        b_store(t->b, 8, 0, base, offset, b_vlow(t->b, IR_F64, v));
}

/* Registers and elements a structure by opcode, bits 15:12. */
static unsigned register_count(const struct a64_translate *t)
{
    static const uint8_t counts[16] = {[0] = 4, [2] = 4, [4] = 3, [6] = 3, [7] = 1, [8] = 2, [10] = 2};
    return counts[opcode2(t)];
}
static bool is_interleaved(const struct a64_translate *t)
{
    return !(opcode2(t) & 2);
}

/*
 * Three-element structures go by byte tables: byte k of part p of memory is byte `offset` of register r. The tables of
 * each (register, part) pair select those bytes and give zero for all others, and the three are or-ed.
 */
static ir_ref gather(struct a64_translate *t, const ir_ref source[3], const int8_t table[3][16])
{
    ir_ref r = IR_NONE;
    for (unsigned s = 0; s < 3; s++) {
        uint64_t half[2] = {0, 0};
        bool used = false;
        for (unsigned k = 0; k < 16; k++) {
            half[k / 8] |= (uint64_t)(uint8_t)table[s][k] << k % 8 * 8;
            used |= table[s][k] >= 0;
        }
        if (!used)
            continue;
        ir_ref part = b_v2(t->b, IR_VTBL, 1, source[s], builder_vconst(t->b, half[0], half[1]));
        r = r == IR_NONE ? part : b_v2(t->b, IR_VOR, 0, r, part);
    }
    return r;
}

/* Table for memory part or register `to` out of the three others: to_memory tells the direction. */
static void three_table(unsigned lane, unsigned bytes, bool to_memory, unsigned to, int8_t table[3][16])
{
    for (unsigned i = 0; i < 48; i++)
        table[i / 16][i % 16] = -1;
    for (unsigned address = 0; address < 3 * bytes; address++) {
        unsigned element = address / lane, r = element % 3, in_register = element / 3 * lane + address % lane;
        if (to_memory && address / 16 == to)
            table[r][address % 16] = (int8_t)in_register;
        if (!to_memory && r == to)
            table[address / 16][in_register] = (int8_t)(address % 16);
    }
}

static void load_three(struct a64_translate *t, unsigned lane, unsigned bytes, ir_ref v[4])
{
    ir_ref part[3] = {load_part(t, 0, 16), IR_NONE, IR_NONE};
    part[1] = load_part(t, 16, bytes);
    part[2] = bytes == 16 ? load_part(t, 32, 16) : part[1];
    for (unsigned r = 0; r < 3; r++) {
        int8_t table[3][16];
        three_table(lane, bytes, false, r, table);
        v[r] = gather(t, part, (const int8_t(*)[16])table);
    }
}

static void store_three(struct a64_translate *t, unsigned lane, unsigned bytes)
{
    ir_ref source[3] = {get_v(t, reg(t, 0)), get_v(t, reg(t, 1)), get_v(t, reg(t, 2))};
    for (unsigned p = 0; p * 16 < 3 * bytes; p++) {
        int8_t table[3][16];
        three_table(lane, bytes, true, p, table);
        store_part(t, p * 16, 3 * bytes - p * 16 < 16 ? 8 : 16, gather(t, source, (const int8_t(*)[16])table));
    }
}

static ir_ref unzip(struct a64_translate *t, bool odd, unsigned lane, ir_ref a, ir_ref b)
{
    return b_v2(t->b, odd ? IR_VUZP2 : IR_VUZP1, lane, a, b);
}
static ir_ref zip(struct a64_translate *t, bool upper, unsigned lane, ir_ref a, ir_ref b)
{
    return b_v2(t->b, upper ? IR_VZIP2 : IR_VZIP1, lane, a, b);
}

static void load_two(struct a64_translate *t, unsigned lane, unsigned bytes, ir_ref v[4])
{
    ir_ref a = load_part(t, 0, 16), b = bytes == 16 ? load_part(t, 16, 16) : a;
    v[0] = unzip(t, false, lane, a, b);
    v[1] = unzip(t, true, lane, a, b);
}

static void load_four(struct a64_translate *t, unsigned lane, unsigned bytes, ir_ref v[4])
{
    ir_ref a = load_part(t, 0, 16), b = load_part(t, 16, 16), c = a, d = b;
    if (bytes == 16) {
        c = load_part(t, 32, 16);
        d = load_part(t, 48, 16);
    }
    ir_ref even_low = unzip(t, false, lane, a, b), even_high = unzip(t, false, lane, c, d);
    ir_ref odd_low = unzip(t, true, lane, a, b), odd_high = unzip(t, true, lane, c, d);
    v[0] = unzip(t, false, lane, even_low, even_high);
    v[1] = unzip(t, false, lane, odd_low, odd_high);
    v[2] = unzip(t, true, lane, even_low, even_high);
    v[3] = unzip(t, true, lane, odd_low, odd_high);
}

void a64_vec_load_multiple(struct a64_translate *t)
{
    unsigned count = register_count(t), lane = 1u << elem_size(t), bytes = Q(t) ? 16 : 8;
    ir_ref v[4];
    if (!is_interleaved(t))
        for (unsigned i = 0; i < count; i++)
            v[i] = load_part(t, i * bytes, bytes);
    else if (count == 2)
        load_two(t, lane, bytes, v);
    else if (count == 3)
        load_three(t, lane, bytes, v);
    else
        load_four(t, lane, bytes, v);
    write_back(t, count * bytes);
    for (unsigned i = 0; i < count; i++)
        put_v(t, reg(t, i), Q(t) ? v[i] : v_low64(t, v[i]));
}

static void store_two(struct a64_translate *t, unsigned lane, unsigned bytes)
{
    ir_ref a = get_v(t, reg(t, 0)), b = get_v(t, reg(t, 1));
    store_part(t, 0, 16, zip(t, false, lane, a, b));
    if (bytes == 16)
        store_part(t, 16, 16, zip(t, true, lane, a, b));
}

static void store_four(struct a64_translate *t, unsigned lane, unsigned bytes)
{
    ir_ref v[4];
    for (unsigned i = 0; i < 4; i++)
        v[i] = get_v(t, reg(t, i));
    for (unsigned upper = 0; upper < bytes / 8; upper++) {
        ir_ref even = zip(t, upper, lane, v[0], v[2]), odd = zip(t, upper, lane, v[1], v[3]);
        store_part(t, upper * 32, 16, zip(t, false, lane, even, odd));
        store_part(t, upper * 32 + 16, 16, zip(t, true, lane, even, odd));
    }
}

void a64_vec_store_multiple(struct a64_translate *t)
{
    unsigned count = register_count(t), lane = 1u << elem_size(t), bytes = Q(t) ? 16 : 8;
    if (!is_interleaved(t))
        for (unsigned i = 0; i < count; i++)
            store_part(t, i * bytes, bytes, get_v(t, reg(t, i)));
    else if (count == 2)
        store_two(t, lane, bytes);
    else if (count == 3)
        store_three(t, lane, bytes);
    else
        store_four(t, lane, bytes);
    write_back(t, count * bytes);
}

/* ---- single structures: elements a structure are (bit 13):(bit 21) + 1 ------------------------------------------- */

static unsigned structure_elements(const struct a64_translate *t)
{
    return ((t->word >> 13 & 1) << 1 | (t->word >> 21 & 1)) + 1;
}

/* Lane by bits 15:14 (and bit 10 for doublewords), its index from Q:S:size. */
static unsigned single_lane(const struct a64_translate *t)
{
    unsigned scale = t->word >> 14 & 3;
    return scale == 2 && (t->word >> 10 & 1) ? 8 : 1u << scale;
}
static unsigned single_index(const struct a64_translate *t, unsigned lane)
{
    unsigned index = Q(t) << 3 | S(t) << 2 | elem_size(t);
    return index / lane;
}

void a64_vec_load_single(struct a64_translate *t)
{
    unsigned count = structure_elements(t), lane = single_lane(t), index = single_index(t, lane);
    ir_ref value[4], base = base_address(t);
    for (unsigned i = 0; i < count; i++)
        value[i] = b_load(t->b, lane == 8 ? IR_I64 : IR_I32, lane, 0, base, i * lane);
    write_back(t, count * lane);
    for (unsigned i = 0; i < count; i++)
        put_v(t, reg(t, i), b_vinsert(t->b, lane, index, get_v(t, reg(t, i)), value[i]));
}

void a64_vec_store_single(struct a64_translate *t)
{
    unsigned count = structure_elements(t), lane = single_lane(t), index = single_index(t, lane);
    ir_ref base = base_address(t);
    for (unsigned i = 0; i < count; i++)
        b_store(t->b, lane, 0, base, i * lane, b_vextract(t->b, lane, index, get_v(t, reg(t, i))));
    write_back(t, count * lane);
}

/* LD1R … LD4R */
void a64_vec_load_replicate(struct a64_translate *t)
{
    unsigned count = structure_elements(t), lane = 1u << elem_size(t);
    ir_ref value[4], base = base_address(t);
    for (unsigned i = 0; i < count; i++)
        value[i] = b_load(t->b, lane == 8 ? IR_I64 : IR_I32, lane, 0, base, i * lane);
    write_back(t, count * lane);
    for (unsigned i = 0; i < count; i++) {
        ir_ref v = builder_op(t->b, IR_VDUP, IR_V128, lane, 0, 0, value[i], IR_NONE, IR_NONE, IR_NONE);
        put_v(t, reg(t, i), Q(t) ? v : v_low64(t, v));
    }
}

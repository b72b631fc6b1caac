/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Loads and stores of one register or a pair, general and SIMD&FP. The access comes first, then the puts: the target
 * registers, after the base if it is written back. What is CONSTRAINED UNPREDICTABLE of that is written beside the rows.
 */
#include "frontend/a64/translate.h"

/** What the size, V and opc fields of a single-register access say. */
struct access {
    unsigned bytes;
    bool load, vector;
    unsigned mode; /* IR_MEM_SIGNED */
    bool to_w;     /* a signed load into W: the upper half becomes zero */
};

static struct access single_access(const struct a64_translate *t)
{
    unsigned size_code = ldst_size(t), opc_code = ldst_opc(t);
    struct access a = {.vector = V(t), .load = opc_code != 0};
    if (a.vector) {
        a.bytes = 1u << (size_code | (opc_code & 2) << 1);
        a.load = opc_code & 1;
    } else {
        a.bytes = 1u << size_code;
        a.mode = opc_code >= 2 ? IR_MEM_SIGNED : 0;
        a.to_w = opc_code == 3;
    }
    return a;
}

static enum ir_type loaded_type(const struct access *a)
{
    if (!a->vector)
        return a->to_w ? IR_I32 : IR_I64;
    return a->bytes == 16 ? IR_V128 : a->bytes == 8 ? IR_F64 : a->bytes == 4 ? IR_F32 : IR_I32;
}

static void put_loaded(struct a64_translate *t, const struct access *a, unsigned n, ir_ref value)
{
    if (!a->vector)
        put_x(t, n, a->to_w ? b_zext(t->b, IR_I64, 4, value) : value);
    else if (a->bytes == 16)
        put_v(t, n, value);
    else if (a->bytes >= 4)
        put_f(t, n, value);
    else
        put_v(t, n, v_from_int(t, a->bytes, value));
}

static ir_ref value_to_store(struct a64_translate *t, const struct access *a, unsigned n)
{
    if (!a->vector)
        return get_x(t, n);
    if (a->bytes == 16)
        return get_v(t, n);
    return a->bytes == 8 ? get_d(t, n) : a->bytes == 4 ? get_s(t, n) : b_vextract(t->b, a->bytes, 0, get_v(t, n));
}

/** Rt to or from base + offset; IR_NONE for a store, the value for a load, to be put by the caller. */
static ir_ref access_at(struct a64_translate *t, const struct access *a, unsigned n, ir_ref base, int64_t offset)
{
    if (a->load)
        return b_load(t->b, loaded_type(a), a->bytes, a->mode, base, offset);
    b_store(t->b, a->bytes, a->mode, base, offset, value_to_store(t, a, n));
    return IR_NONE;
}

/* ---- one register ------------------------------------------------------------------------------------------------ */

static void access_offset(struct a64_translate *t, const struct access *a, int64_t offset)
{
    ir_ref value = access_at(t, a, Rt(t), base_address(t), offset);
    if (a->load)
        put_loaded(t, a, Rt(t), value);
}

/** With writeback of base + step; the access is at base + offset. */
static void access_writeback(struct a64_translate *t, const struct access *a, int64_t offset, int64_t step)
{
    ir_ref base = get_x_sp(t, Rn(t));
    ir_ref value = access_at(t, a, Rt(t), address_of(t, base), offset);
    put_sp_stepped(t, Rn(t), b_add(t->b, base, b_i64(t->b, (uint64_t)step)), step);
    if (a->load)
        put_loaded(t, a, Rt(t), value);
}

void a64_ldst_unsigned(struct a64_translate *t)
{
    struct access a = single_access(t);
    access_offset(t, &a, (int64_t)imm12(t) * a.bytes);
}

void a64_ldst_unscaled(struct a64_translate *t)
{
    struct access a = single_access(t);
    access_offset(t, &a, sign_extend(imm9(t), 9));
}

void a64_ldst_post(struct a64_translate *t)
{
    struct access a = single_access(t);
    access_writeback(t, &a, 0, sign_extend(imm9(t), 9));
}

void a64_ldst_pre(struct a64_translate *t)
{
    struct access a = single_access(t);
    access_writeback(t, &a, sign_extend(imm9(t), 9), sign_extend(imm9(t), 9));
}

void a64_ldst_reg(struct a64_translate *t)
{
    struct access a = single_access(t);
    ir_ref base = get_x_sp(t, Rn(t)), index = get_x(t, Rm(t));
    if (!(option(t) & 1)) /* UXTW, SXTW */
        index = option(t) & 4 ? b_sext(t->b, IR_I64, 4, index) : b_zext(t->b, IR_I64, 4, index);
    unsigned scale_bits = S(t) ? (unsigned)__builtin_ctz(a.bytes) : 0;
    if (scale_bits == 4) {
        index = b_shl(t->b, index, 4);
        scale_bits = 0;
    }
    if (t->b->key & A64_KEY_TAGGED) {
        base = address_of(t, b_add(t->b, base, b_shl(t->b, index, scale_bits)));
        ir_ref value = access_at(t, &a, Rt(t), base, 0);
        if (a.load)
            put_loaded(t, &a, Rt(t), value);
        return;
    }
    if (a.load)
        put_loaded(t, &a, Rt(t), b_load_indexed(t->b, loaded_type(&a), a.bytes, a.mode, base, index, scale_bits));
    else
        b_store_indexed(t->b, a.bytes, a.mode, base, index, scale_bits, value_to_store(t, &a, Rt(t)));
}

/** LDAPUR, STLUR (FEAT_LRCPC2) */
void a64_ldst_rcpc(struct a64_translate *t)
{
    struct access a = single_access(t);
    int64_t offset = sign_extend(imm9(t), 9);
    a.mode |= IR_MEM_ORDERED;
    ir_ref value = access_at(t, &a, Rt(t), atomic_address(t, a.bytes, offset), offset);
    if (a.load)
        put_loaded(t, &a, Rt(t), value);
}

static void load_literal(struct a64_translate *t, const struct access *a)
{
    uint64_t address = t->b->pc + (uint64_t)(sign_extend(imm19(t), 19) * 4);
    put_loaded(t, a, Rt(t), access_at(t, a, Rt(t), builder_pc(t->b, address), 0));
}

void a64_LDR_lit(struct a64_translate *t)
{
    struct access a = {.bytes = ldst_size(t) & 1 ? 8 : 4, .load = true, .mode = ldst_size(t) == 2 ? IR_MEM_SIGNED : 0};
    load_literal(t, &a);
}

void a64_LDR_lit_fpsimd(struct a64_translate *t)
{
    struct access a = {.bytes = 4u << ldst_size(t), .load = true, .vector = true};
    load_literal(t, &a);
}

/* ---- prefetches -------------------------------------------------------------------------------------------------- */

/** PLD and PST (prfop = Rt): target L1 to L3, or the system's cache. Those of instructions (PLI) and what is not allocated do nothing. */
static void prefetch(struct a64_translate *t, ir_ref base, ir_ref index, unsigned shift, int64_t offset)
{
    static const uint8_t levels[] = {1, 2, 3, 3};
    bool once = Rt(t) & 1; /* STRM: not to stay in the cache */
    if ((Rt(t) >> 3) % 2 == 0)
        b_prefetch(t->b, once ? 0 : levels[Rt(t) >> 1 & 3], address_of(t, base), index, shift, offset);
}

void a64_PRFM_imm(struct a64_translate *t) { prefetch(t, get_x_sp(t, Rn(t)), IR_NONE, 0, (int64_t)imm12(t) * 8); }
void a64_PRFUM(struct a64_translate *t) { prefetch(t, get_x_sp(t, Rn(t)), IR_NONE, 0, sign_extend(imm9(t), 9)); }

void a64_PRFM_reg(struct a64_translate *t)
{
    ir_ref index = get_x(t, Rm(t));
    if (!(option(t) & 1)) /* UXTW, SXTW */
        index = option(t) & 4 ? b_sext(t->b, IR_I64, 4, index) : b_zext(t->b, IR_I64, 4, index);
    prefetch(t, get_x_sp(t, Rn(t)), index, S(t) ? 3 : 0, 0);
}

/** What is near the code is in the caches already. */
void a64_PRFM_lit(struct a64_translate *t) { (void)t; }

/* ---- pairs ------------------------------------------------------------------------------------------------------- */

static struct access pair_access(const struct a64_translate *t)
{
    struct access a = {.load = L_ldst(t), .vector = V(t)};
    if (a.vector) {
        a.bytes = 4u << ldst_size(t);
    } else {
        a.bytes = ldst_size(t) == 2 ? 8 : 4;
        a.mode = ldst_size(t) == 1 ? IR_MEM_SIGNED : 0; /* LDPSW */
    }
    return a;
}

static void access_pair(struct a64_translate *t, bool post, bool writeback)
{
    struct access a = pair_access(t);
    int64_t step = sign_extend(imm7(t), 7) * a.bytes, offset = post ? 0 : step;
    ir_ref base = get_x_sp(t, Rn(t)), address = address_of(t, base);
    ir_ref first = access_at(t, &a, Rt(t), address, offset);
    ir_ref second = access_at(t, &a, Rt2(t), address, offset + a.bytes);
    if (writeback)
        put_sp_stepped(t, Rn(t), b_add(t->b, base, b_i64(t->b, (uint64_t)step)), step);
    if (a.load) {
        put_loaded(t, &a, Rt(t), first);
        put_loaded(t, &a, Rt2(t), second);
    }
}

void a64_pair_offset(struct a64_translate *t) { access_pair(t, false, false); }
void a64_pair_post(struct a64_translate *t) { access_pair(t, true, true); }
void a64_pair_pre(struct a64_translate *t) { access_pair(t, false, true); }

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pointer authentication (Arm ARM DDI 0487, D8.10: AddPAC, Auth, Strip). FEAT_PAuth without its later additions: a code
 * that does not match leaves an error code in bits 54:53, and nothing faults before the pointer is used.
 */
#include "frontend/a64/pauth.h"
#include "frontend/a64/translate.h"

static bool is_enabled(const struct a64_translate *t, enum a64_pac_key key)
{
    return !(t->b->key >> (A64_KEY_PAC_DISABLED_SHIFT + key) & 1);
}

static bool has_qarma(const struct a64_translate *t)
{
    return has_feature(t, A64_FEAT_PACQARMA5) || has_feature(t, A64_FEAT_PACQARMA3);
}

/** The pointer with bits 54:48 as bit 55: Strip(), and what the code is computed of. */
static ir_ref strip(struct a64_translate *t, ir_ref pointer)
{
    ir_ref extension = b_and(t->b, b_sar(t->b, b_shl(t->b, pointer, 8), 63), b_i64(t->b, PAC_BITS));
    return b_or(t->b, b_and(t->b, pointer, b_i64(t->b, ~PAC_BITS)), extension);
}

/** pac_fast(); QARMA is a helper's. */
static ir_ref fast_hash(struct a64_translate *t, ir_ref data, ir_ref modifier, enum a64_pac_key key)
{
    ir_ref mixed = builder_get(t->b, A64_PAC_KEY_SLOT + key);
    ir_ref hash = b_mul(t->b, b_xor(t->b, data, mixed), b_i64(t->b, PAC_FAST_1));
    hash = b_bin(t->b, IR_ROR, hash, b_i64(t->b, 32));
    return b_mul(t->b, b_xor(t->b, hash, modifier), b_i64(t->b, PAC_FAST_2));
}

/** ComputePAC(), bits 54:48 in place. */
static ir_ref compute(struct a64_translate *t, ir_ref data, ir_ref modifier, enum a64_pac_key key)
{
    ir_ref hash = has_qarma(t) ? CALL_HELPER(t, compute_pac, data, modifier, b_i32(t->b, key))
                               : b_shr(t->b, fast_hash(t, data, modifier, key), PAC_FAST_SHIFT);
    return b_and(t->b, hash, b_i64(t->b, PAC_BITS));
}

/** AddPAC(): the code of a pointer whose bits 54:48 are not all as bit 55 gets its top bit wrong. */
static ir_ref add_code(struct a64_translate *t, ir_ref pointer, ir_ref modifier, enum a64_pac_key key)
{
    if (!is_enabled(t, key))
        return pointer;
    ir_ref original = strip(t, pointer), code = compute(t, original, modifier, key);
    ir_ref bad = b_shl(t->b, b_zext(t->b, IR_I64, 4, b_cmp(t->b, IR_NE, pointer, original)), 54);
    ir_ref cleared = b_and(t->b, pointer, b_i64(t->b, ~PAC_BITS));
    return b_or(t->b, cleared, b_xor(t->b, code, bad));
}

/** Auth(): the error code is 0b01 for A keys, 0b10 for B keys. */
static ir_ref authenticate(struct a64_translate *t, ir_ref pointer, ir_ref modifier, enum a64_pac_key key)
{
    if (!is_enabled(t, key))
        return pointer;
    ir_ref original = strip(t, pointer), code = compute(t, original, modifier, key);
    ir_ref difference = b_and(t->b, b_xor(t->b, pointer, code), b_i64(t->b, PAC_BITS));
    ir_ref wrong = b_and(t->b, original, b_i64(t->b, ~(UINT64_C(3) << 53)));
    wrong = b_or(t->b, wrong, b_i64(t->b, (key & 1 ? UINT64_C(2) : UINT64_C(1)) << 53));
    return b_select(t->b, b_cmp(t->b, IR_EQ, difference, b_i64(t->b, 0)), original, wrong);
}

/* ---- on registers ------------------------------------------------------------------------------------------------ */

void a64_PAC(struct a64_translate *t) { put_x(t, Rd(t), add_code(t, get_x(t, Rd(t)), get_x_sp(t, Rn(t)), pac_key(t))); }
void a64_AUT(struct a64_translate *t)
{
    put_x(t, Rd(t), authenticate(t, get_x(t, Rd(t)), get_x_sp(t, Rn(t)), pac_key(t)));
}
void a64_PACZ(struct a64_translate *t) { put_x(t, Rd(t), add_code(t, get_x(t, Rd(t)), b_i64(t->b, 0), pac_key(t))); }
void a64_AUTZ(struct a64_translate *t) { put_x(t, Rd(t), authenticate(t, get_x(t, Rd(t)), b_i64(t->b, 0), pac_key(t))); }
void a64_XPAC(struct a64_translate *t) { put_x(t, Rd(t), strip(t, get_x(t, Rd(t)))); }

void a64_PACGA(struct a64_translate *t)
{
    ir_ref data = get_x(t, Rn(t)), modifier = get_x_sp(t, Rm(t));
    ir_ref hash = has_qarma(t) ? CALL_HELPER(t, compute_pac, data, modifier, b_i32(t->b, A64_PAC_GA))
                               : fast_hash(t, data, modifier, A64_PAC_GA);
    put_x(t, Rd(t), b_and(t->b, hash, b_i64(t->b, UINT64_C(0xffffffff00000000))));
}

/* ---- hints: NOPs without the feature. Bit 6 of the word is the key ------------------------------------------------ */

static enum a64_pac_key hint_key(const struct a64_translate *t) { return t->word >> 6 & 1 ? A64_PAC_IB : A64_PAC_IA; }
static bool hint_authenticates(const struct a64_translate *t) { return t->word >> 7 & 1; }

static void hint(struct a64_translate *t, unsigned n, ir_ref modifier)
{
    ir_ref pointer = get_x(t, n);
    put_x(t, n, hint_authenticates(t) ? authenticate(t, pointer, modifier, hint_key(t))
                                      : add_code(t, pointer, modifier, hint_key(t)));
}

/** PACIASP, AUTIASP, … */
void a64_hint_PAC_sp(struct a64_translate *t)
{
    if (has_feature(t, A64_FEAT_PAUTH))
        hint(t, 30, builder_get(t->b, A64_SP));
}

/** PACIAZ, AUTIAZ, … */
void a64_hint_PAC_zero(struct a64_translate *t)
{
    if (has_feature(t, A64_FEAT_PAUTH))
        hint(t, 30, b_i64(t->b, 0));
}

/** PACIA1716, AUTIA1716, … */
void a64_hint_PAC_1716(struct a64_translate *t)
{
    if (has_feature(t, A64_FEAT_PAUTH))
        hint(t, 17, get_x(t, 16));
}

void a64_XPACLRI(struct a64_translate *t)
{
    if (has_feature(t, A64_FEAT_PAUTH))
        put_x(t, 30, strip(t, get_x(t, 30)));
}

/* ---- branches ---------------------------------------------------------------------------------------------------- */

static void branch(struct a64_translate *t, ir_ref modifier, bool link)
{
    uint64_t return_pc = t->b->pc + 4;
    ir_ref target = authenticate(t, get_x(t, Rn(t)), modifier, key_b(t) ? A64_PAC_IB : A64_PAC_IA);
    set_branch_kind(t, Rn(t), link);
    if (!link) {
        builder_jump_indirect(t->b, target);
        return;
    }
    put_x(t, 30, builder_pc(t->b, return_pc));
    builder_jump_indirect_call(t->b, target, return_pc);
}

static void branch_with_register(struct a64_translate *t, bool link)
{
    builder_poll(t->b);
    branch(t, get_x_sp(t, Rm_low(t)), link);
}

static void branch_with_zero(struct a64_translate *t, bool link)
{
    builder_poll(t->b);
    branch(t, b_i64(t->b, 0), link);
}

void a64_BRA(struct a64_translate *t) { branch_with_register(t, false); }
void a64_BLRA(struct a64_translate *t) { branch_with_register(t, true); }
void a64_BRAZ(struct a64_translate *t) { branch_with_zero(t, false); }
void a64_BLRAZ(struct a64_translate *t) { branch_with_zero(t, true); }

void a64_RETA(struct a64_translate *t)
{
    enum a64_pac_key key = key_b(t) ? A64_PAC_IB : A64_PAC_IA;
    builder_return(t->b, authenticate(t, get_x(t, 30), builder_get(t->b, A64_SP), key));
}

/* ---- loads ------------------------------------------------------------------------------------------------------- */

/** LDRAA, LDRAB: the base is authenticated with a D key and zero; written back, it is the address accessed. */
void a64_LDRA(struct a64_translate *t)
{
    int64_t offset = sign_extend(S_ldra(t) << 9 | imm9(t), 10) * 8;
    ir_ref base = authenticate(t, get_x_sp(t, Rn(t)), b_i64(t->b, 0), A(t) ? A64_PAC_DB : A64_PAC_DA);
    ir_ref value = b_load(t->b, IR_I64, 8, 0, address_of(t, base), offset);
    if (W_ldra(t))
        put_sp_stepped(t, Rn(t), b_add(t->b, base, b_i64(t->b, (uint64_t)offset)), offset);
    put_x(t, Rt(t), value);
}

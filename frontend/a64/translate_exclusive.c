/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Load-exclusive and store-exclusive (Arm ARM DDI 0487, B2.12).
 *
 * A store-exclusive must fail when another CPU has written the location since the load-exclusive, be it with the same value.
 * What stands between the two tells how that is had:
 *
 *  1. A loop that is one atomic operation, or a compare-and-swap with its way out, becomes one locked operation
 *     (translate_fused() below). What it leaves in registers, flags and monitor is what the loop would.
 *  2. Nothing but computation in registers, with at most one conditional branch out of it. Then the whole sequence might
 *     as well have been executed at the instant of the store: the CPU has not looked at memory, nor shown anything of its own,
 *     since the load, and the load would have read the same value. So a store that compares memory with the
 *     value read and swaps, at once, gives no outcome that the architecture does not.
 *  3. Anything else (accesses, calls, barriers, system instructions, code that is not straight) is executed in a *window* in
 *     which no other CPU of the process executes anything (enum cpu_window): it is as one instant again, and the
 *     comparison is exact for the same reason. What a system call that was under way writes meanwhile counts as written
 *     before the window: the CPU that made the call has not come back from it, and no other one has seen it. Where there is
 *     only one CPU, no window is needed.
 *
 * Slot EXCL_PASS says which store-exclusive may rely on the comparison: the address of the one that ends a sequence of kind 2,
 * or PASS_ANY after a load-exclusive of kind 3, as long as its window is open. Any other fails, which it may do at any
 * time: a way out of a sequence takes its right away, and an exception clears the monitor.
 *
 * Memory that is shared with another process is compared by value, whatever is in between.
 */
#include "frontend/a64/translate.h"

#define PASS_NONE 0u
#define PASS_ANY 1u /* no instruction has that address */
#define MAX_AHEAD 16u

/* ---- words ------------------------------------------------------------------------------------------------------- */

static bool is_store_exclusive(uint32_t word)
{
    return (word & 0x3fe00000) == 0x08000000 || (word & 0xbfe00000) == 0x88200000;
}

static bool is_pair(const struct a64_translate *t) { return t->word >> 21 & 1; }
static bool is_wide(const struct a64_translate *t) { return t->word >> 31; } /* of data processing */

static unsigned access_bytes(const struct a64_translate *t)
{
    return is_pair(t) ? 8u << cas_sz(t) : 1u << ldst_size(t);
}

/* Data processing of registers only, that always goes on with the next instruction and leaves SP alone. */
static bool is_computation(const struct a64_translate *t)
{
    uint32_t word = t->word;
    bool immediate = (word >> 26 & 7) == 4, registers = (word >> 25 & 7) == 5;
    if (word == 0xd503201f) /* NOP */
        return true;
    if (!(immediate || registers) || (word & 0xffff0000) == 0xdac10000) /* pointer authentication */
        return false;
    if ((word & 31) != 31)
        return true;
    if ((word & 0x1f800000) == 0x12000000) /* AND, ORR, EOR, ANDS (immediate) */
        return (word >> 29 & 3) == 3;
    return word >> 29 & 1; /* sets flags: number 31 is the zero register */
}

/* ---- from a load-exclusive to its store-exclusive ------------------------------------------------------------------ */

struct sequence {
    struct a64_translate insns[MAX_AHEAD]; /* between the two */
    unsigned count;
    unsigned exit; /* which one is a conditional branch; count: none */
    struct a64_translate store;
    bool loops; /* CBNZ of the status follows */
};

static uint64_t insn_pc(const struct a64_translate *load, unsigned index) { return load->b->pc + 4 + 4 * index; }

/* The branch leads out of the sequence, not around in it. */
static bool leads_out(const struct a64_translate *load, struct sequence *s)
{
    const struct a64_translate *branch = &s->insns[s->exit];
    bool tests = (branch->word & 0x7e000000) == 0x36000000; /* TBZ, TBNZ */
    int64_t words = tests ? sign_extend(imm14(branch), 14) : sign_extend(imm19(branch), 19);
    uint64_t target = insn_pc(load, s->exit) + (uint64_t)words * 4;
    return target <= load->b->pc || target > insn_pc(load, s->count);
}

/* False when it is of kind 3. */
static bool look_ahead(struct a64_translate *load, struct sequence *s)
{
    bool branches = false;
    uint32_t word;
    for (s->count = 0; s->count < MAX_AHEAD; s->count++) {
        struct a64_translate *insn = &s->insns[s->count];
        if (!builder_peek32(load->b, insn_pc(load, s->count), &word))
            return false;
        *insn = (struct a64_translate){.b = load->b, .word = word, .row = a64_decode(word)};
        if (!insn->row || !insn->row->translate || !has_feature(insn, (enum a64_feature)insn->row->feature))
            return false;
        if (is_store_exclusive(word)) {
            s->store = *insn;
            if (!branches)
                s->exit = s->count;
            if (Rn(insn) == 31 && Rn(load) != 31) /* SP's alignment has not been looked at */
                return false;
            s->loops = builder_peek32(load->b, insn_pc(load, s->count + 1), &word) && (word & 0x7f00001f) == (0x35000000 | Rs(insn));
            return !branches || leads_out(load, s);
        }
        if (is_conditional_branch(word) && !branches) {
            branches = true;
            s->exit = s->count;
        } else if (!is_computation(insn)) {
            return false;
        }
    }
    return false;
}

/* Translates instructions from..to-1 of the sequence. They cannot fault, so that they need no builder_insn(). */
static void translate_between(struct a64_translate *load, struct sequence *s, unsigned from, unsigned to)
{
    uint64_t pc = load->b->pc;
    for (unsigned i = from; i < to; i++) {
        load->b->pc = pc + 4 + 4 * i;
        s->insns[i].row->translate(&s->insns[i]);
    }
    load->b->pc = pc;
}

/* ---- the parts ----------------------------------------------------------------------------------------------------- */

static void disarm(struct a64_translate *t) { builder_put(t->b, A64_EXCL_ADDRESS, b_i64(t->b, A64_EXCL_NONE)); }

static ir_ref window_is(struct a64_translate *t, enum cpu_window state)
{
    return b_cmp(t->b, IR_EQ, builder_get(t->b, A64_WINDOW), b_i32(t->b, state));
}

static void close_window(struct a64_translate *t)
{
    builder_guard(t->b, window_is(t, CPU_WINDOW_OPEN), TRAP_WINDOW_CLOSE, t->b->pc + 4, 0);
}

/* An acquire costs nothing on the host, a release what the locked operation of the store is. */
static ir_ref load_value(struct a64_translate *t, ir_ref address)
{
    unsigned bytes = access_bytes(t);
    return b_load(t->b, bytes == 16 ? IR_V128 : IR_I64, bytes, o0(t) ? IR_MEM_ORDERED : 0, address, 0);
}

static void put_loaded(struct a64_translate *t, ir_ref value)
{
    if (is_pair(t))
        pair_put(t, access_bytes(t), Rt(t), Rt2(t), value);
    else
        put_x(t, Rt(t), value);
}

static ir_ref value_to_store(struct a64_translate *t)
{
    return is_pair(t) ? pair_get(t, access_bytes(t), Rt(t), Rt2(t)) : get_x(t, Rt(t));
}

/* Between i64 and v128, as far as so many bytes count. */
static ir_ref as_wide_as(struct a64_translate *t, unsigned bytes, ir_ref value)
{
    bool vector = builder_type(t->b, value) == IR_V128;
    if (vector == (bytes == 16))
        return value;
    return vector ? b_vextract(t->b, 8, 0, value) : v_from_int(t, 8, value);
}

/** `armed`, `expected`: the monitor, EXCL_NONE for one that is clear. It is clear afterwards. */
static void store_exclusive(struct a64_translate *t, ir_ref armed, ir_ref expected)
{
    unsigned bytes = access_bytes(t);
    /* AArch64.ExclusiveMonitorsPass() wants the address aligned, FEAT_LSE2 or not. */
    ir_ref address = aligned_address(t, bytes), value = value_to_store(t);
    ir_ref status =
        builder_op(t->b, IR_STORE_EXCL, IR_I32, bytes, 0, 0, address, armed, as_wide_as(t, bytes, expected), value);
    disarm(t);
    put_w(t, Rs(t), status);
}

static void arm(struct a64_translate *t, ir_ref pass)
{
    ir_ref address = atomic_address(t, access_bytes(t), 0), value = load_value(t, address);
    builder_put(t->b, A64_EXCL_ADDRESS, address);
    builder_put(t->b, A64_EXCL_VALUE, as_wide_as(t, 16, value));
    builder_put(t->b, A64_EXCL_PASS, pass);
    put_loaded(t, value);
}

/* ---- kind 1: one operation ------------------------------------------------------------------------------------------ */

/* Both are the same access; no register has two parts that would make it CONSTRAINED UNPREDICTABLE (K1.2.17) or more
   than this file looks at. */
static bool is_plain_couple(const struct a64_translate *load, const struct a64_translate *store)
{
    const unsigned same = 3u << 30 | 1u << 21 | 31u << 5;
    unsigned base = Rn(load), status = Rs(store);
    bool base_stays = base == 31 || (Rt(load) != base && !(is_pair(load) && Rt2(load) == base));
    bool status_apart = status == 31 || (status != base && status != Rt(store) && !(is_pair(store) && status == Rt2(store)));
    return (load->word & same) == (store->word & same) && base_stays && status_apart && Rt(load) != 31 &&
           !(is_pair(load) && (Rt2(load) == 31 || Rt2(load) == Rt(load)));
}

/** The operation that data processing `t` does with register n and something else, which does not depend on n. */
static bool find_operation(const struct a64_translate *t, unsigned n, enum ir_rmw *operation)
{
    static const uint8_t logical[] = {IR_RMW_AND, IR_RMW_OR, IR_RMW_XOR, IR_RMW_AND};
    uint32_t word = t->word;
    bool subtracts = word >> 30 & 1, first = Rn(t) == n, second = Rm(t) == n;
    *operation = IR_RMW_ADD;
    if ((word & 0x1f800000) == 0x11000000) /* ADD, SUB (immediate) */
        return first;
    if ((word & 0x1f200000) == 0x0b000000) /* (shifted register) */
        return subtracts ? first && !second : first != second && (first || imm6(t) == 0);
    if ((word & 0x1fe00000) == 0x0b200000) /* (extended register) */
        return first && !second;
    *operation = (enum ir_rmw)logical[word >> 29 & 3];
    if ((word & 0x1f800000) == 0x12000000) /* AND, ORR, EOR, ANDS (immediate) */
        return first;
    if ((word & 0x1f000000) != 0x0a000000)
        return false;
    bool exchangeable = !(word >> 21 & 1) || (word >> 29 & 3) == 2; /* not BIC, ORN, BICS */
    return first != second && (first || (exchangeable && imm6(t) == 0));
}

/**
 * The other operand: what the instruction makes of the neutral element of its operation (0 - x for x, where it subtracts;
 * ~x for BIC, ORN, EON). Nothing stays changed.
 */
static ir_ref find_operand(struct a64_translate *load, struct sequence *s, enum ir_rmw operation)
{
    struct builder *b = load->b;
    unsigned from = A64_X0 + Rt(load), to = A64_X0 + Rd(&s->insns[0]);
    ir_ref from_value = builder_get(b, from), to_value = builder_get(b, to), flags = get_nzcv(load);
    builder_put(b, from, b_i64(b, operation == IR_RMW_AND ? UINT64_MAX : 0));
    translate_between(load, s, 0, 1);
    ir_ref operand = builder_get(b, to);
    builder_put(b, to, to_value);
    builder_put(b, from, from_value);
    put_nzcv(load, flags);
    return operand;
}

/** CMP Rn, Xm; CSEL of the two: the larger or the smaller one. */
static bool find_extreme(const struct a64_translate *compare, const struct a64_translate *choose, unsigned n, unsigned bytes,
                         enum ir_rmw *operation)
{
    /* by bits 3:1 of the condition under which the first one is chosen */
    enum { NO = IR_RMW_COUNT };
    static const uint8_t when_true[8] = {NO, IR_RMW_UMAX, NO, NO, IR_RMW_UMAX, IR_RMW_SMAX, IR_RMW_SMAX, NO};
    static const uint8_t when_false[8] = {NO, IR_RMW_UMIN, NO, NO, IR_RMW_UMIN, IR_RMW_SMIN, IR_RMW_SMIN, NO};
    uint32_t extended = bytes == 1 ? 0x6b20001f : bytes == 2 ? 0x6b20201f : 0x6b00001f; /* UXTB, UXTH, none */
    unsigned other = Rm(compare);
    if ((compare->word & 0x7fe0fc1f) != extended || (choose->word & 0x7fe00c00) != 0x1a800000 || Rn(compare) != n ||
        other == n || is_wide(compare) != (bytes == 8) || is_wide(choose) != (bytes == 8))
        return false;
    bool straight = Rn(choose) == n && Rm(choose) == other, crossed = Rn(choose) == other && Rm(choose) == n;
    if (!straight && !crossed)
        return false;
    *operation = (enum ir_rmw)((cond(choose) & 1) == crossed ? when_true : when_false)[cond(choose) >> 1];
    bool is_signed = *operation == IR_RMW_SMAX || *operation == IR_RMW_SMIN;
    return *operation != IR_RMW_COUNT && !(is_signed && bytes < 4);
}

/** The operation that the sequence as a whole does on memory, and its operand; IR_NONE if none. */
static ir_ref find_whole_operation(struct a64_translate *load, struct sequence *s, enum ir_rmw *operation)
{
    unsigned bytes = access_bytes(load), n = Rt(load), stored = Rt(&s->store), last = s->count - 1;
    if (is_pair(load))
        return IR_NONE;
    if (s->count == 0) {
        *operation = stored == n ? IR_RMW_OR : IR_RMW_XCHG;
        return stored == n ? b_i64(load->b, 0) : get_x(load, stored);
    }
    if (s->count > 2 || Rd(&s->insns[last]) != stored || stored == 31 || stored == Rn(load))
        return IR_NONE;
    if (s->count == 2) {
        if (find_extreme(&s->insns[0], &s->insns[1], n, bytes, operation))
            return get_x(load, Rm(&s->insns[0]));
        return IR_NONE;
    }
    if (!find_operation(&s->insns[0], n, operation) || (bytes == 8 && !is_wide(&s->insns[0])))
        return IR_NONE;
    return find_operand(load, s, *operation);
}

/** The last instruction that was translated: the caller goes on behind it. */
static void end_at_store(struct a64_translate *load, const struct sequence *s, bool with_branch)
{
    load->b->pc = insn_pc(load, s->count + (with_branch && s->loops));
}

static bool translate_as_operation(struct a64_translate *load, struct sequence *s)
{
    struct builder *b = load->b;
    unsigned bytes = access_bytes(load);
    enum ir_rmw operation;
    ir_ref operand = find_whole_operation(load, s, &operation);
    if (operand == IR_NONE)
        return false;
    ir_ref address = aligned_address(load, bytes);
    if (bytes < 8)
        operand = b_trunc(b, operand);
    ir_ref old = builder_op(b, IR_RMW, bytes == 8 ? IR_I64 : IR_I32, bytes, operation, 0, address, operand, IR_NONE, IR_NONE);
    put_x(load, Rt(load), bytes == 8 ? old : b_zext(b, IR_I64, 4, old));
    translate_between(load, s, 0, s->count);
    put_x(load, Rs(&s->store), b_i64(b, 0));
    disarm(load);
    end_at_store(load, s, true);
    return true;
}

/** CMP of register n with something else, for equality of so many bytes: that. */
static ir_ref find_compared(struct a64_translate *t, unsigned n, unsigned bytes)
{
    uint32_t word = t->word;
    bool first = Rn(t) == n, second = Rm(t) == n, whole = is_wide(t) == (bytes == 8) && bytes >= 4;
    if ((word & 0x7f80001f) == 0x7100001f) { /* (immediate) */
        uint64_t value = (uint64_t)imm12(t) << (sh(t) ? 12 : 0);
        bool fits = bytes == 8 ? is_wide(t) : value < UINT64_C(1) << 8 * bytes;
        return first && fits ? b_i64(t->b, value) : IR_NONE;
    }
    if ((word & 0x7fe0fc1f) == 0x6b00001f && whole && first != second)
        return get_x(t, first ? Rm(t) : Rn(t));
    /* (extended register): UXTB and UXTH make the other one as narrow as the value read. */
    if ((word & 0xffe0fc1f) == (bytes == 1 ? 0x6b20001f : 0x6b20201f) && bytes <= 2 && first && !second)
        return get_x(t, Rm(t));
    return IR_NONE;
}

/** The value without which the sequence leaves by its branch, which stands right before the store; IR_NONE if there is none. */
static ir_ref find_expected(struct a64_translate *load, struct sequence *s)
{
    unsigned bytes = access_bytes(load), n = Rt(load), part = is_pair(load) ? bytes / 2 : bytes;
    const struct a64_translate *branch = &s->insns[s->exit];
    bool not_equal = (branch->word & 0xff00001f) == 0x54000001;
    if (s->exit != s->count - 1 || Rt(&s->store) == n || (is_pair(load) && Rt2(&s->store) == n))
        return IR_NONE;
    if (is_pair(load)) {
        /* CMP of one half, CCMP of the other if that was equal, to flags without Z */
        unsigned m = Rt2(load);
        struct a64_translate *second = &s->insns[1];
        if (s->count != 3 || !not_equal || Rt(&s->store) == m || Rt2(&s->store) == m ||
            (second->word & 0x7fe0fc14) != 0x7a400000 || is_wide(second) != (part == 8))
            return IR_NONE;
        unsigned y = Rn(second) == m ? Rm(second) : Rm(second) == m ? Rn(second) : m;
        uint32_t first = s->insns[0].word;
        unsigned a = first >> 5 & 31, c = first >> 16 & 31, x = a == n ? c : c == n ? a : n;
        if ((first & 0x7fe0fc1f) != 0x6b00001f || is_wide(&s->insns[0]) != (part == 8) || x == n || x == m || y == m || y == n)
            return IR_NONE;
        return pair_get(load, bytes, x, y);
    }
    if (s->count == 1) { /* CBNZ */
        bool fits = bytes < 8 || is_wide(branch);
        return (branch->word & 0x7f00001f) == (0x35000000 | n) && fits ? b_i64(load->b, 0) : IR_NONE;
    }
    return s->count == 2 && not_equal ? find_compared(&s->insns[0], n, bytes) : IR_NONE;
}

static bool translate_as_compare_and_swap(struct a64_translate *load, struct sequence *s)
{
    struct builder *b = load->b;
    unsigned bytes = access_bytes(load);
    uint64_t pc = b->pc, target, end = insn_pc(load, s->count + s->loops) + 4;
    ir_ref expected = find_expected(load, s), value;
    if (expected == IR_NONE)
        return false;
    if (sign_extend(imm19(&s->insns[s->exit]), 19) < 0) /* an interrupt has to come before the operation, not after it */
        builder_poll(b);
    ir_ref address = aligned_address(load, bytes);
    value = value_to_store(&s->store);
    if (bytes < 8) {
        expected = b_trunc(b, expected);
        value = b_trunc(b, value);
    }
    ir_ref old = builder_op(b, IR_CAS, builder_type(b, expected), bytes, 0, 0, address, expected, value, IR_NONE);
    put_loaded(load, bytes < 8 ? b_zext(b, IR_I64, 4, old) : old);
    translate_between(load, s, 0, s->exit);
    b->pc = insn_pc(load, s->exit);
    ir_ref taken = branch_condition(&s->insns[s->exit], &target);
    b->pc = pc;
    put_x(load, Rs(&s->store), b_select(b, taken, get_x(load, Rs(&s->store)), b_i64(b, 0)));
    disarm(load);
    builder_branch(b, taken, target, end);
    end_at_store(load, s, true);
    return true;
}

static bool translate_fused(struct a64_translate *load, struct sequence *s)
{
    if (load->b->key & A64_KEY_APART || !is_plain_couple(load, &s->store))
        return false;
    return s->exit == s->count ? translate_as_operation(load, s) : translate_as_compare_and_swap(load, s);
}

/* ---- kind 2: a sequence without accesses ---------------------------------------------------------------------------- */

static void translate_straight(struct a64_translate *load, struct sequence *s)
{
    struct builder *b = load->b;
    ir_ref address = atomic_address(load, access_bytes(load), 0), value = load_value(load, address);
    put_loaded(load, value);
    translate_between(load, s, 0, s->count);
    end_at_store(load, s, false);
    builder_insn(b);
    store_exclusive(&s->store, address, value);
}

/* Up to the branch; where that is not taken, the rest is translated as it comes. */
static void translate_to_branch(struct a64_translate *load, struct sequence *s)
{
    struct builder *b = load->b;
    uint64_t target;
    ir_ref pass = builder_pc(b, insn_pc(load, s->count));
    arm(load, pass);
    translate_between(load, s, 0, s->exit);
    b->pc = insn_pc(load, s->exit);
    builder_insn(b);
    ir_ref taken = branch_condition(&s->insns[s->exit], &target);
    builder_put(b, A64_EXCL_PASS, b_select(b, taken, b_i64(b, PASS_NONE), pass));
    builder_branch(b, taken, target, b->pc + 4);
}

/* ---- the instructions ----------------------------------------------------------------------------------------------- */

static void load_exclusive(struct a64_translate *t)
{
    struct sequence s;
    if (!t->b->single && look_ahead(t, &s)) {
        if (translate_fused(t, &s))
            return;
        if (s.exit == s.count)
            translate_straight(t, &s);
        else
            translate_to_branch(t, &s);
        return;
    }
    builder_guard(t->b, window_is(t, CPU_WINDOW_CLOSED), TRAP_WINDOW_OPEN, t->b->pc, 0);
    arm(t, b_i64(t->b, PASS_ANY));
}

static void store_if_armed(struct a64_translate *t)
{
    struct builder *b = t->b;
    ir_ref pass = builder_get(b, A64_EXCL_PASS);
    ir_ref ends = b_cmp(b, IR_EQ, pass, builder_pc(b, b->pc)), any = b_cmp(b, IR_EQ, pass, b_i64(b, PASS_ANY));
    ir_ref alone = b_xor(b, window_is(t, CPU_WINDOW_CLOSED), b_i32(b, 1));
    ir_ref trusted = b_or(b, ends, b_and(b, any, alone));
    ir_ref armed = b_select(b, trusted, builder_get(b, A64_EXCL_ADDRESS), b_i64(b, A64_EXCL_NONE));
    store_exclusive(t, armed, builder_get(b, A64_EXCL_VALUE));
    close_window(t);
}

void a64_LDXR(struct a64_translate *t) { load_exclusive(t); }
void a64_LDXP(struct a64_translate *t) { load_exclusive(t); }
void a64_STXR(struct a64_translate *t) { store_if_armed(t); }
void a64_STXP(struct a64_translate *t) { store_if_armed(t); }

void a64_CLREX(struct a64_translate *t)
{
    disarm(t);
    close_window(t);
}

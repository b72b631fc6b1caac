/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The builder: what comes out is compared as IR text (ir_print.c). The tests play frontend for the guest of
 * toy_builder.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "toy_builder.h"

struct fixture {
    struct builder *b;
    struct ir ir;
};

static int setup(void **state)
{
    static const struct builder_options all = {.fold = true, .number = true, .state = true};
    struct fixture *f = calloc(1, sizeof *f);
    f->b = builder_new(&toy_builder_isa, &all);
    ir_init(&f->ir);
    *state = f;
    return f->b ? 0 : -1;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    builder_free(f->b);
    ir_free(&f->ir);
    free(f);
    return 0;
}

static struct builder *begin_blocks(struct fixture *f, unsigned n, const uint64_t *pcs)
{
    builder_begin(f->b, &f->ir, NULL, 0, pcs, n);
    builder_begin_block(f->b, 0);
    builder_insn(f->b);
    return f->b;
}

/* One block at 0x1000, its first instruction begun. */
static struct builder *begin(struct fixture *f) { return begin_blocks(f, 1, (uint64_t[1]){0x1000}); }

/* To the next instruction. */
static void next(struct builder *b)
{
    b->pc += 4;
    assert_false(builder_ended(b));
    builder_insn(b);
}

static void next_block(struct builder *b, unsigned index)
{
    assert_true(builder_ended(b));
    builder_begin_block(b, index);
    builder_insn(b);
}

static void finish(struct fixture *f)
{
    char error[256];
    builder_finish(f->b);
    if (ir_verify(&f->ir, &toy_names, error)) {
        ir_print(stderr, &f->ir, &toy_names);
        fail_msg("built: %s", error);
    }
    pass_dead_code(&f->ir);
    pass_order(&f->ir);
    if (ir_verify(&f->ir, &toy_names, error)) {
        ir_print(stderr, &f->ir, &toy_names);
        fail_msg("without dead code: %s", error);
    }
}

/* The region without its first and its `order` line is `expected`. */
static void expect(struct fixture *f, const char *expected)
{
    char text[8192] = "";
    finish(f);
    FILE *out = fmemopen(text, sizeof text - 1, "w");
    ir_print(out, &f->ir, &toy_names);
    fclose(out);
    char *body = strchr(text, '\n') + 1, *order = strstr(body, "order");
    if (order)
        *order = 0;
    assert_string_equal(body, expected);
}

static void expect_const(struct builder *b, ir_ref v, uint64_t wanted)
{
    uint64_t value;
    assert_true(builder_is_const(b, v, &value));
    assert_int_equal(value, wanted);
}

static bool is_op(const struct builder *b, ir_ref v, enum ir_op op) { return b->ir->insns[v].op == op; }

/* ---- one block --------------------------------------------------------------------------------------------------- */

/* Nothing but sums and differences is made of an address that moves with the code. */
static void addresses_move(void **state)
{
    struct fixture *f = *state;
    uint64_t value;
    f->b->movable = true;
    struct builder *b = begin(f);
    ir_ref p = builder_pc(b, 0x5000), q = b_add(b, p, b_i64(b, 0x10)), c = b_i64(b, 0x5000);
    assert_true(is_op(b, p, IR_PC) && is_op(b, q, IR_PC) && b->ir->insns[q].imm == 0x5010);
    assert_false(builder_is_const(b, p, &value));
    assert_true(p != c);
    assert_int_equal(builder_pc(b, 0x5000), p);
    assert_int_equal(b_sub(b, q, b_i64(b, 0x10)), p);
    expect_const(b, b_sub(b, q, p), 0x10);
    expect_const(b, b_sub(b, p, p), 0);
    assert_true(is_op(b, b_cmp(b, IR_EQ, p, c), IR_CMP));
    assert_true(is_op(b, b_cmp(b, IR_ULT, p, q), IR_CMP));
    assert_true(is_op(b, b_and(b, p, b_i64(b, 0xff)), IR_ZEXT));
    assert_true(is_op(b, b_and(b, p, b_i64(b, ~UINT64_C(0xfff))), IR_AND));
    assert_true(is_op(b, b_sub(b, c, p), IR_SUB));
    assert_true(is_op(b, b_shr(b, p, 12), IR_SHR));
    assert_true(is_op(b, b_trunc(b, p), IR_TRUNC));
    f->b->movable = false;
    expect_const(b, builder_pc(b, 0x5000), 0x5000);
    builder_jump(b, 0x2000);
    finish(f);
}

static void state_is_forwarded(void **state)
{
    struct fixture *f = *state;
    struct builder *b = begin(f);
    ir_ref x = builder_get(b, X0);
    assert_int_equal(builder_get(b, X0), x);
    builder_put(b, X1, b_add(b, x, b_i64(b, 1)));
    next(b);
    builder_put(b, X2, builder_get(b, X1));
    builder_put(b, X0, x); /* no change */
    next(b);
    builder_put(b, X1, b_i64(b, 7));
    builder_jump(b, 0x2000);
    assert_true(builder_ended(b));
    assert_int_equal(f->ir.guest_insns, 3);
    expect(f, "block0 0x1000:\n"
              "    v0 = get.i64 X0\n"
              "    v1 = const.i64 0x1\n"
              "    v2 = add.i64 v0, v1\n"
              "    v3 = const.i64 0x7\n"
              "    set X1, v3\n"
              "    set X2, v2\n"
              "    exit 0x2000\n");
}

static void restored_state_is_not_set(void **state)
{
    struct fixture *f = *state;
    struct builder *b = begin(f);
    ir_ref x = builder_get(b, X0);
    builder_put(b, X0, b_i64(b, 1));
    builder_put(b, X0, x);
    builder_return(b, builder_get(b, X1));
    expect(f, "block0 0x1000:\n"
              "    v0 = get.i64 X1\n"
              "    exit_ret v0\n");
}

static void branch_with_two_exits(void **state)
{
    struct fixture *f = *state;
    struct builder *b = begin(f);
    ir_ref x = builder_get(b, X0), one = b_i64(b, 1), difference = b_sub(b, x, one);
    builder_put(b, NZCV, b_flags(b, IR_FLAGS_SUB, x, one, IR_NONE));
    builder_put(b, X0, difference);
    next(b);
    builder_branch(b, b_cond(b, IR_FLAG_NE, builder_get(b, NZCV)), 0x1000, 0x1008);
    expect(f, "block0 0x1000:\n"
              "    v0 = get.i64 X0\n"
              "    v1 = const.i64 0x1\n"
              "    v2 = const.i64 0xffffffffffffffff\n"
              "    v3 = add.i64 v0, v2\n"
              "    v4 = flags_sub.i32.8 v0, v1\n"
              "    v5 = const.i64 0x0\n"
              "    v6 = cmp.i32.8 ne v3, v5\n"
              "    bind X0, v3\n"
              "    bind NZCV, v4\n"
              "    insn 0x1004\n"
              "    poll 0x1004\n"
              "    set X0, v3\n"
              "    set NZCV, v4\n"
              "    branch v6, block1, block2\n"
              "block1 0x1000:\n"
              "    exit 0x1000\n"
              "block2 0x1008:\n"
              "    exit 0x1008\n");
}

static void compare_and_branch_is_one_comparison(void **state)
{
    static const struct {
        enum ir_flag_cond cond;
        enum ir_cc cc;
    } pairs[] = {
        {IR_FLAG_EQ, IR_EQ}, {IR_FLAG_NE, IR_NE}, {IR_FLAG_CS, IR_UGE}, {IR_FLAG_CC, IR_ULT}, {IR_FLAG_HI, IR_UGT},
        {IR_FLAG_LS, IR_ULE}, {IR_FLAG_GE, IR_SGE}, {IR_FLAG_LT, IR_SLT}, {IR_FLAG_GT, IR_SGT}, {IR_FLAG_LE, IR_SLE},
    };
    struct fixture *f = *state;
    struct builder *b = begin(f);
    ir_ref x = builder_get(b, X0), y = builder_get(b, X1);
    ir_ref flags = b_flags(b, IR_FLAGS_SUB, x, y, IR_NONE);
    b_sub(b, x, y); /* a result that nobody keeps does not matter */
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        const struct ir_insn *cmp = &f->ir.insns[b_cond(b, pairs[i].cond, flags)];
        assert_int_equal(cmp->op, IR_CMP);
        assert_int_equal(cmp->mode, pairs[i].cc);
        assert_int_equal(cmp->size, 8);
        assert_int_equal(cmp->arg[0], x);
        assert_int_equal(cmp->arg[1], y);
    }
    ir_ref mi = b_cond(b, IR_FLAG_MI, flags);
    assert_true(is_op(b, mi, IR_CMP) && f->ir.insns[mi].mode == IR_SLT && is_op(b, f->ir.insns[mi].arg[0], IR_SUB));
    assert_true(is_op(b, b_cond(b, IR_FLAG_VS, flags), IR_COND));
    builder_jump(b, 0x2000);
    finish(f);
}

/* Every flags operation on constants agrees with the same on values, condition by condition: the one is computed here
   by the folder, the other by folding COND of it for constant operands through the comparisons. */
static void conditions_agree_with_constant_flags(void **state)
{
    static const uint64_t values[] = {0, 1, 2, 0x7fffffff, 0x80000000, 0x80000001, 0xfffffffe, 0xffffffff};
    struct fixture *f = *state;
    struct builder *b = begin(f);
    for (unsigned i = 0; i < 8; i++)
        for (unsigned j = 0; j < 8; j++)
            for (unsigned cond = 0; cond < IR_FLAG_COND_COUNT; cond++) {
                uint32_t x = (uint32_t)values[i], y = (uint32_t)values[j];
                int64_t sx = (int32_t)x, sy = (int32_t)y;
                bool n = (int32_t)(x - y) < 0, z = x == y, c = x >= y, v = sx - sy != (int32_t)(x - y);
                bool hi = c && !z, ge = n == v, gt = !z && n == v;
                bool truth[] = {z, !z, c, !c, n, !n, v, !v, hi, !hi, ge, !ge, gt, !gt};
                ir_ref flags = b_flags(b, IR_FLAGS_SUB, b_i32(b, x), b_i32(b, y), IR_NONE);
                expect_const(b, b_cond(b, (enum ir_flag_cond)cond, flags), truth[cond]);
                /* x - y = x + ~y + 1 */
                ir_ref adc = b_flags(b, IR_FLAGS_ADC, b_i32(b, x), b_i32(b, ~y), b_i32(b, 1));
                assert_int_equal(adc, flags);
                ir_ref unpacked = builder_op(b, IR_FLAGS_UNPACK, IR_I32, 0, 0, 0, flags, IR_NONE, IR_NONE, IR_NONE);
                ir_ref packed = builder_op(b, IR_FLAGS_PACK, IR_I32, 0, 0, 0, unpacked, IR_NONE, IR_NONE, IR_NONE);
                assert_int_equal(packed, flags);
            }
    builder_jump(b, 0x2000);
    finish(f);
}

static void flags_of_add_and_carry(void **state)
{
    struct fixture *f = *state;
    struct builder *b = begin(f);
    ir_ref x = builder_get(b, X0), y = builder_get(b, X1);
    ir_ref sub = b_flags(b, IR_FLAGS_SUB, x, y, IR_NONE);
    assert_int_equal(b_flags(b, IR_FLAGS_ADC, x, b_not(b, y), b_i32(b, 1)), sub);
    assert_int_equal(b_flags(b, IR_FLAGS_ADC, x, y, b_i32(b, 0)), b_flags(b, IR_FLAGS_ADD, x, y, IR_NONE));
    /* cmn x, #5 is cmp x, #-5 */
    assert_int_equal(b_flags(b, IR_FLAGS_ADD, x, b_i64(b, 5), IR_NONE),
                     b_flags(b, IR_FLAGS_SUB, x, b_i64(b, (uint64_t)-5), IR_NONE));
    assert_int_equal(b_flags(b, IR_FLAGS_ADD, x, b_i64(b, 0), IR_NONE),
                     b_flags(b, IR_FLAGS_LOGIC, x, IR_NONE, IR_NONE));
    ir_ref smallest = b_flags(b, IR_FLAGS_ADD, x, b_i64(b, UINT64_C(1) << 63), IR_NONE);
    assert_true(is_op(b, smallest, IR_FLAGS_ADD));
    const struct ir_insn *carry = &f->ir.insns[b_cond(b, IR_FLAG_CS, b_flags(b, IR_FLAGS_ADD, x, y, IR_NONE))];
    assert_true(carry->op == IR_CMP && carry->mode == IR_ULT && is_op(b, carry->arg[0], IR_ADD) && carry->arg[1] == x);
    expect_const(b, b_cond(b, IR_FLAG_HI, b_flags(b, IR_FLAGS_LOGIC, x, IR_NONE, IR_NONE)), 0);
    expect_const(b, b_cond(b, IR_FLAG_VC, b_flags(b, IR_FLAGS_LOGIC, x, IR_NONE, IR_NONE)), 1);
    builder_jump(b, 0x2000);
    finish(f);
}

/* ccmp: flags are select(condition, comparison, constant) */
static void conditional_compare(void **state)
{
    struct fixture *f = *state;
    struct builder *b = begin(f);
    ir_ref x = builder_get(b, X0), y = builder_get(b, X1);
    ir_ref first = b_cond(b, IR_FLAG_EQ, b_flags(b, IR_FLAGS_SUB, x, b_i64(b, 3), IR_NONE));
    ir_ref second = b_flags(b, IR_FLAGS_SUB, y, b_i64(b, 4), IR_NONE);
    ir_ref flags = b_select(b, first, second, b_i32(b, IR_FLAG_NOT_C)); /* Z clear when the first fails */
    builder_put(b, NZCV, flags);
    builder_put(b, X0, b_zext(b, IR_I64, 4, b_cond(b, IR_FLAG_EQ, flags)));
    builder_put(b, X1, b_zext(b, IR_I64, 4, b_cond(b, IR_FLAG_NE, flags)));
    builder_put(b, NZCV, builder_get(b, NZCV));
    builder_jump(b, 0x2000);
    expect(f, "block0 0x1000:\n"
              "    v0 = get.i64 X0\n"
              "    v1 = get.i64 X1\n"
              "    v2 = const.i64 0x3\n"
              "    v3 = cmp.i32.8 eq v0, v2\n"
              "    v4 = const.i64 0x4\n"
              "    v5 = flags_sub.i32.8 v1, v4\n"
              "    v6 = const.i32 0x100\n"
              "    v7 = select.i32 v3, v5, v6\n"
              "    v8 = cmp.i32.8 eq v1, v4\n"
              "    v9 = and.i32 v3, v8\n"
              "    v10 = zext.i64.4 v9\n"
              "    v11 = cmp.i32.8 ne v1, v4\n"
              "    v12 = cmp.i32.8 ne v0, v2\n"
              "    v13 = or.i32 v11, v12\n"
              "    v14 = zext.i64.4 v13\n"
              "    set X0, v10\n"
              "    set X1, v14\n"
              "    set NZCV, v7\n"
              "    exit 0x2000\n");
}

static void floating_comparison_stands_for_its_flags(void **state)
{
    struct fixture *f = *state;
    struct builder *b = begin(f);
    ir_ref x = b_vlow(b, IR_F64, builder_get(b, V0)), y = b_vlow(b, IR_F64, builder_get(b, V1));
    ir_ref flags = builder_op(b, IR_FLAGS_FCMP, IR_I32, 8, IR_FLAGS_FCMP_SIGNAL, 0, x, y, IR_NONE, IR_NONE);
    ir_ref t = b_cond(b, IR_FLAG_GT, flags);
    assert_true(is_op(b, t, IR_FCMP));
    assert_int_equal(f->ir.insns[t].mode, IR_FLAG_GT | IR_FCMP_SIGNAL);
    assert_true(f->ir.insns[flags].mode & IR_FCMP_COVERED);
    /* status may have been cleared in between: then the flags stand for themselves */
    ir_ref others = builder_op(b, IR_FLAGS_FCMP, IR_I32, 8, 0, 0, x, y, IR_NONE, IR_NONE);
    ir_ref sum = b_bin(b, IR_FADD, x, y);
    assert_int_equal(b_bin(b, IR_FADD, x, y), sum);
    builder_call(b, &toy_status, b_i32(b, 0), IR_NONE, IR_NONE, IR_NONE);
    assert_true(is_op(b, b_cond(b, IR_FLAG_GT, others), IR_COND));
    assert_int_not_equal(b_bin(b, IR_FADD, x, y), sum);
    builder_jump(b, 0x2000);
    finish(f);
}

/* ---- simplification ---------------------------------------------------------------------------------------------- */

static void constants_are_folded(void **state)
{
    struct fixture *f = *state;
    struct builder *b = begin(f);
#define C(v) b_i64(b, v)
#define W(v) b_i32(b, v)
    expect_const(b, b_add(b, W(0xffffffff), W(2)), 1);
    expect_const(b, b_sub(b, C(1), C(2)), UINT64_MAX);
    expect_const(b, b_mul(b, C(7), C(6)), 42);
    expect_const(b, b_bin(b, IR_UMULH, C(UINT64_MAX), C(UINT64_MAX)), UINT64_MAX - 1);
    expect_const(b, b_bin(b, IR_SMULH, C(UINT64_MAX), C(5)), UINT64_MAX);
    expect_const(b, b_bin(b, IR_UDIV, C(5), C(0)), 0);
    expect_const(b, b_bin(b, IR_SDIV, W(0x80000000), W(0xffffffff)), 0x80000000);
    expect_const(b, b_bin(b, IR_SDIV, C(UINT64_C(1) << 63), C(UINT64_MAX)), UINT64_C(1) << 63);
    expect_const(b, b_bin(b, IR_SDIV, C((uint64_t)-7), C(2)), (uint64_t)-3);
    expect_const(b, b_bin(b, IR_SHL, W(1), W(33)), 2);
    expect_const(b, b_bin(b, IR_SAR, W(0x80000000), W(31)), 0xffffffff);
    expect_const(b, b_bin(b, IR_ROR, W(1), W(1)), 0x80000000);
    expect_const(b, b_bin(b, IR_ROR, C(1), C(64)), 1);
    expect_const(b, b_extr(b, W(1), W(2), 1), 0x80000001);
    expect_const(b, b_un(b, IR_CLZ, W(0)), 32);
    expect_const(b, b_un(b, IR_CLZ, W(1)), 31);
    expect_const(b, b_un(b, IR_CTZ, C(0)), 64);
    expect_const(b, b_un(b, IR_RBIT, W(1)), 0x80000000);
    expect_const(b, builder_op(b, IR_BSWAP, IR_I64, 2, 0, 0, C(0x0102030405060708), IR_NONE, IR_NONE, IR_NONE),
                 0x0201040306050807);
    expect_const(b, builder_op(b, IR_BSWAP, IR_I64, 4, 0, 0, C(0x0102030405060708), IR_NONE, IR_NONE, IR_NONE),
                 0x0403020108070605);
    expect_const(b, b_sext(b, IR_I64, 1, W(0x80)), UINT64_C(0xffffffffffffff80));
    expect_const(b, b_sext(b, IR_I32, 2, C(0x18000)), 0xffff8000);
    expect_const(b, b_zext(b, IR_I64, 2, C(0x12345)), 0x2345);
    expect_const(b, b_trunc(b, C(0x123456789)), 0x23456789);
    expect_const(b, b_cmp(b, IR_SLT, W(0xffffffff), W(0)), 1);
    expect_const(b, b_cmp(b, IR_ULT, C(UINT64_MAX), C(0)), 0);
    expect_const(b, b_vextract(b, 2, 5, builder_vconst(b, 0, 0x0000000012340000)), 0x1234);
    assert_int_equal(builder_op(b, IR_VDUP, IR_V128, 1, 0, 0, W(0x1ff), IR_NONE, IR_NONE, IR_NONE),
                     builder_vconst(b, UINT64_MAX, UINT64_MAX));
    builder_jump(b, 0x2000);
    finish(f);
}

static void identities(void **state)
{
    struct fixture *f = *state;
    struct builder *b = begin(f);
    ir_ref x = builder_get(b, X0), y = builder_get(b, X1), w = b_trunc(b, x), t = b_cmp(b, IR_SLT, x, y);
    assert_int_equal(b_add(b, x, C(0)), x);
    assert_int_equal(b_add(b, C(0), x), x);
    assert_int_equal(b_add(b, x, y), b_add(b, y, x));
    assert_int_equal(b_add(b, b_add(b, x, C(5)), C((uint64_t)-5)), x);
    assert_int_equal(b_sub(b, b_add(b, x, C(5)), C(2)), b_add(b, x, C(3)));
    assert_int_equal(b_and(b, x, C(UINT64_MAX)), x);
    assert_int_equal(b_or(b, x, x), x);
    expect_const(b, b_xor(b, x, x), 0);
    expect_const(b, b_sub(b, w, w), 0);
    expect_const(b, b_and(b, x, C(0)), 0);
    assert_int_equal(b_not(b, b_not(b, x)), x);
    assert_int_equal(b_neg(b, b_neg(b, x)), x);
    assert_int_equal(b_xor(b, x, C(UINT64_MAX)), b_not(b, x));
    assert_int_equal(b_sub(b, C(0), x), b_neg(b, x));
    assert_int_equal(b_add(b, x, b_neg(b, y)), b_sub(b, x, y));
    assert_int_equal(b_and(b, x, b_not(b, y)), b_bin(b, IR_ANDN, x, y));
    assert_int_equal(b_mul(b, x, C(8)), b_shl(b, x, 3));
    assert_int_equal(b_shl(b, x, 0), x);
    assert_int_equal(b_shl(b, b_shl(b, x, 3), 4), b_shl(b, x, 7));
    expect_const(b, b_shr(b, b_shr(b, x, 40), 40), 0);
    assert_int_equal(b_sar(b, b_sar(b, x, 40), 40), b_sar(b, x, 63));
    assert_int_equal(b_extr(b, x, y, 0), y);
    assert_true(is_op(b, b_extr(b, x, x, 7), IR_ROR));
    assert_true(is_op(b, b_un(b, IR_CLZ, b_un(b, IR_RBIT, x)), IR_CTZ));
    assert_int_equal(b_zext(b, IR_I64, 1, b_zext(b, IR_I64, 2, x)), b_zext(b, IR_I64, 1, x));
    assert_int_equal(b_zext(b, IR_I64, 2, b_zext(b, IR_I64, 1, x)), b_zext(b, IR_I64, 1, x));
    assert_int_equal(b_trunc(b, b_zext(b, IR_I64, 4, w)), w);
    assert_int_equal(b_trunc(b, b_zext(b, IR_I64, 4, x)), w);
    assert_int_equal(b_zext(b, IR_I64, 4, w), b_zext(b, IR_I64, 4, x));
    assert_int_equal(b_and(b, x, C(0xffffffff)), b_zext(b, IR_I64, 4, x));
    assert_int_equal(b_sext(b, IR_I32, 4, w), w);
    assert_int_equal(b_select(b, t, x, x), x);
    assert_int_equal(b_select(b, W(0), x, y), y);
    assert_int_equal(b_select(b, t, W(1), W(0)), t);
    assert_int_equal(b_select(b, b_cmp(b, IR_SGE, x, y), W(0), W(1)), t);
    assert_int_equal(b_cmp(b, IR_NE, t, W(0)), t);
    assert_int_equal(b_cmp(b, IR_EQ, t, W(0)), b_cmp(b, IR_SGE, x, y));
    assert_int_equal(b_cmp(b, IR_NE, b_select(b, t, C(1), C(0)), C(0)), t);
    assert_int_equal(b_cmp(b, IR_SGT, C(5), x), b_cmp(b, IR_SLT, x, C(5)));
    assert_int_equal(b_cmp(b, IR_ULT, x, C(1)), b_cmp(b, IR_EQ, x, C(0)));
    expect_const(b, b_cmp(b, IR_ULT, x, C(0)), 0);
    assert_int_equal(b_cmp(b, IR_ULT, b_zext(b, IR_I64, 4, w), C(9)), b_cmp(b, IR_ULT, w, W(9)));
    assert_int_equal(b_bitcast(b, IR_I64, b_bitcast(b, IR_F64, x)), x);
    ir_ref v = builder_get(b, V0), d = b_vlow(b, IR_F64, v), s = b_vlow(b, IR_F32, v);
    assert_int_equal(b_vlow(b, IR_F64, b_vzext(b, d)), d);
    assert_int_equal(b_vlow(b, IR_F32, b_vzext(b, s)), s);
    assert_true(is_op(b, b_vzext(b, d), IR_VLOW64));
    assert_int_equal(b_vextract(b, 4, 0, b_vzext(b, s)), b_bitcast(b, IR_I32, s));
    expect_const(b, b_vextract(b, 4, 1, b_vzext(b, s)), 0);
    assert_int_equal(b_vextract(b, 8, 1, b_vinsert(b, 8, 1, v, x)), x);
    assert_int_equal(b_vextract(b, 8, 0, b_vinsert(b, 8, 1, v, x)), b_vextract(b, 8, 0, v));
    assert_int_equal(b_v2(b, IR_VXOR, 0, v, v), builder_vconst(b, 0, 0));
    assert_int_equal(b_v2(b, IR_VADD, 4, v, builder_vconst(b, 0, 0)), v);
    assert_int_equal(b_vimm(b, IR_VEXT, 0, 0, v, builder_get(b, V1)), v);
    assert_int_equal(b_vimm(b, IR_VEXT, 0, 16, v, builder_get(b, V1)), builder_get(b, V1));
    assert_int_equal(b_vimm(b, IR_VSHL, 2, 0, v, IR_NONE), v);
    builder_jump(b, 0x2000);
    finish(f);
}

static void addresses(void **state)
{
    struct fixture *f = *state;
    struct builder *b = begin(f);
    ir_ref x = builder_get(b, X0), y = builder_get(b, X1);
    b_load(b, IR_I64, 8, 0, b_add(b, b_add(b, x, b_shl(b, y, 2)), C(16)), -8);
    b_store_indexed(b, 4, 0, b_add(b, x, C(4)), C(3), 2, W(1));
    b_load_indexed(b, IR_I32, 4, 0, x, b_shl(b, y, 1), 1);
    b_load(b, IR_I64, 8, 0, b_add(b, x, C(UINT64_C(1) << 40)), 0);
    /* a sum that a slot holds is computed anyway */
    builder_put(b, X2, b_add(b, x, C(32)));
    b_load(b, IR_I64, 8, 0, builder_get(b, X2), 8);
    builder_put(b, X2, x);
    builder_jump(b, 0x2000);
    expect(f, "block0 0x1000:\n"
              "    v0 = get.i64 X0\n"
              "    v1 = get.i64 X1\n"
              "    insn 0x1000\n"
              "    v2 = load.i64.8 [v0 + v1<<2 + 0x8]\n"
              "    v3 = const.i32 0x1\n"
              "    store.4 [v0 + 0x10], v3\n"
              "    v4 = load.i32.4 [v0 + v1<<2]\n"
              "    v5 = const.i64 0x10000000000\n"
              "    v6 = add.i64 v0, v5\n"
              "    v7 = load.i64.8 [v6]\n"
              "    v8 = const.i64 0x20\n"
              "    v9 = add.i64 v0, v8\n"
              "    bind X2, v9\n"
              "    v10 = load.i64.8 [v9 + 0x8]\n"
              "    set X2, v0\n"
              "    exit 0x2000\n");
}

static void many_values_overflow_the_table(void **state)
{
    struct fixture *f = *state;
    struct builder *b = begin(f);
    ir_ref x = builder_get(b, X0), sum = x;
    for (unsigned round = 0; round < 2; round++)
        for (unsigned i = 1; i < 5000; i++)
            sum = b_xor(b, sum, b_add(b, x, C(i)));
    builder_put(b, X0, sum);
    builder_jump(b, 0x2000);
    finish(f);
}

static void options_switch_off(void **state)
{
    struct fixture *f = *state;
    static const struct builder_options none = {.fold = false, .number = false, .state = false};
    struct builder *b = builder_new(&toy_builder_isa, &none), *all = f->b;
    f->b = b;
    builder_begin(b, &f->ir, NULL, 0, (uint64_t[1]){0x1000}, 1);
    builder_begin_block(b, 0);
    builder_insn(b);
    ir_ref x = builder_get(b, X0);
    ir_ref sum = b_add(b, x, C(0));
    assert_int_not_equal(sum, x);
    assert_int_not_equal(b_add(b, x, C(0)), sum);
    builder_put(b, X0, sum);
    assert_false(builder_ended(b)); /* still within the instruction */
    b->pc += 4;
    assert_true(builder_ended(b));
    expect(f, "block0 0x1000:\n"
              "    v0 = get.i64 X0\n"
              "    v1 = const.i64 0x0\n"
              "    v2 = add.i64 v0, v1\n"
              "    set X0, v2\n"
              "    exit 0x1004\n");
    builder_free(b);
    f->b = all;
}

/* ---- fetching ---------------------------------------------------------------------------------------------------- */

struct code {
    uint8_t bytes[64];
    uint64_t end; /* bytes from 0x1000 to here can be fetched, in extents of 6 */
    unsigned asked;
};

static const uint8_t *fetch_code(void *opaque, uint64_t pc, uint64_t *end)
{
    struct code *code = opaque;
    code->asked++;
    if (pc < 0x1000 || pc >= code->end)
        return NULL;
    *end = 0x1000 + ((pc - 0x1000) / 6 + 1) * 6;
    return code->bytes + (pc - 0x1000);
}

static void instructions_are_fetched(void **state)
{
    struct fixture *f = *state;
    struct code code = {.end = 0x100c};
    for (unsigned i = 0; i < sizeof code.bytes; i++)
        code.bytes[i] = (uint8_t)(i + 1);
    f->b->fetch = fetch_code;
    f->b->fetch_opaque = &code;
    struct builder *b = begin(f);
    assert_int_equal(builder_fetch32(b), 0x04030201);
    assert_int_equal(builder_fetch16(b, 2), 0x0403);
    assert_int_equal(code.asked, 1);
    next(b);
    assert_int_equal(builder_fetch32(b), 0x08070605); /* across two extents */
    next(b);
    assert_int_equal(builder_fetch32(b), 0x0c0b0a09);
    next(b);
    assert_int_equal(builder_fetch32(b), 0);
    assert_true(builder_ended(b));
    expect(f, "block0 0x1000:\n"
              "    exit 0x100c\n");

    code.end = 0x1000;
    b = begin(f);
    assert_int_equal(builder_fetch32(b), 0);
    assert_true(builder_ended(b));
    expect(f, "block0 0x1000:\n"
              "    exit_trap fetch 0x1000, 0x0\n");
    f->b->fetch = NULL;
}

/* ---- regions of several blocks ----------------------------------------------------------------------------------- */

static void diamond(void **state)
{
    struct fixture *f = *state;
    struct builder *b = begin_blocks(f, 4, (uint64_t[4]){0x1000, 0x1010, 0x1020, 0x1030});
    builder_put(b, X3, b_i64(b, 9));
    builder_branch(b, b_cmp(b, IR_EQ, builder_get(b, X0), b_i64(b, 0)), 0x1020, 0x1010);
    next_block(b, 1);
    builder_put(b, X1, b_i64(b, 1));
    builder_put(b, X2, builder_get(b, X0));
    b->pc = 0x1030;
    assert_true(builder_ended(b)); /* block 3 begins here */
    next_block(b, 2);
    builder_put(b, X1, b_i64(b, 2));
    builder_put(b, X2, builder_get(b, X0));
    builder_jump(b, 0x1030);
    next_block(b, 3);
    builder_put(b, X0, b_load(b, IR_I64, 8, 0, b_add(b, builder_get(b, X1), builder_get(b, X3)), 0));
    builder_return(b, builder_get(b, X2));
    /* X1 merges two values, X2 only ever is X0, X3 is known */
    expect(f, "block0 0x1000:\n"
              "    v0 = get.i64 X0\n"
              "    v1 = const.i64 0x9\n"
              "    v2 = const.i64 0x0\n"
              "    v3 = cmp.i32.8 eq v0, v2\n"
              "    branch v3, block2, block1\n"
              "block1 0x1010:\n"
              "    v4 = const.i64 0x1\n"
              "    jump block3(v4)\n"
              "block2 0x1020:\n"
              "    v5 = const.i64 0x2\n"
              "    jump block3(v5)\n"
              "block3(v6: i64) 0x1030:\n"
              "    state X1=v6, X2=v0, X3=v1\n"
              "    insn 0x1030\n"
              "    v7 = load.i64.8 [v6 + 0x9]\n"
              "    set X0, v7\n"
              "    set X1, v6\n"
              "    set X2, v0\n"
              "    set X3, v1\n"
              "    exit_ret v0\n");
}

/* x0 counts down, x1 is not touched, x2 is written and read again before anything can see it. */
static void loop_at_entry(void **state)
{
    struct fixture *f = *state;
    f->b->hot = true;
    struct builder *b = begin(f);
    builder_put(b, X2, b_add(b, builder_get(b, X1), b_i64(b, 1)));
    builder_put(b, X3, b_add(b, builder_get(b, X3), builder_get(b, X2)));
    builder_put(b, X0, b_sub(b, builder_get(b, X0), b_i64(b, 1)));
    next(b);
    builder_branch(b, b_cmp(b, IR_NE, builder_get(b, X0), b_i64(b, 0)), 0x1000, 0x1008);
    expect(f, "block0 0x1000:\n"
              "    v0 = get.i64 X0\n"
              "    v1 = get.i64 X1\n"
              "    v2 = get.i64 X3\n"
              "    jump block1(v0, v2)\n"
              "block1(v3: i64, v4: i64) 0x1000 depth 1:\n"
              "    v5 = const.i64 0x1\n"
              "    v6 = add.i64 v1, v5\n"
              "    bind X2, v6\n"
              "    v7 = add.i64 v4, v6\n"
              "    bind X3, v7\n"
              "    v8 = const.i64 0xffffffffffffffff\n"
              "    v9 = add.i64 v3, v8\n"
              "    bind X0, v9\n"
              "    v10 = const.i64 0x0\n"
              "    v11 = cmp.i32.8 ne v9, v10\n"
              "    insn 0x1004\n"
              "    poll 0x1004\n"
              "    branch v11, block1(v9, v7), block2\n"
              "block2 0x1008 cold:\n"
              "    set X0, v9\n"
              "    set X2, v6\n"
              "    set X3, v7\n"
              "    exit 0x1008\n");
    f->b->hot = false;
}

/* The flags that a loop's load would have to tell are the last iteration's comparison: no PARAM, but for the first one. */
static void loop_is_peeled(void **state)
{
    struct fixture *f = *state;
    f->b->hot = true;
    struct builder *b = begin(f);
    builder_put(b, X1, b_load(b, IR_I64, 8, 0, builder_get(b, X0), 0));
    next(b);
    ir_ref stepped = b_add(b, builder_get(b, X0), b_i64(b, 8));
    builder_put(b, X0, stepped);
    builder_put(b, NZCV, b_flags(b, IR_FLAGS_SUB, stepped, builder_get(b, X2), IR_NONE));
    next(b);
    builder_branch(b, b_cond(b, IR_FLAG_NE, builder_get(b, NZCV)), 0x1000, 0x100c);
    expect(f, "block0 0x1000:\n"
              "    v0 = get.i64 X0\n"
              "    v1 = get.i64 X2\n"
              "    insn 0x1000\n"
              "    v2 = load.i64.8 [v0]\n"
              "    bind X1, v2\n"
              "    v3 = const.i64 0x8\n"
              "    v4 = add.i64 v0, v3\n"
              "    bind X0, v4\n"
              "    v5 = flags_sub.i32.8 v4, v1\n"
              "    bind NZCV, v5\n"
              "    v6 = cmp.i32.8 ne v4, v1\n"
              "    insn 0x1008\n"
              "    poll 0x1008\n"
              "    branch v6, block2(v4, v2), block1\n"
              "block1 0x100c cold:\n"
              "    v7 = flags_sub.i32.8 v4, v1\n"
              "    set X0, v4\n"
              "    set X1, v2\n"
              "    set NZCV, v7\n"
              "    exit 0x100c\n"
              "block2(v8: i64, v9: i64) 0x1000 depth 1:\n"
              "    state X0=v8, X1=v9\n"
              "    v10 = flags_sub.i32.8 v8, v1\n"
              "    bind NZCV, v10\n"
              "    insn 0x1000\n"
              "    v11 = load.i64.8 [v8]\n"
              "    bind X1, v11\n"
              "    v12 = add.i64 v8, v3\n"
              "    bind X0, v12\n"
              "    v13 = flags_sub.i32.8 v12, v1\n"
              "    bind NZCV, v13\n"
              "    v14 = cmp.i32.8 ne v12, v1\n"
              "    insn 0x1008\n"
              "    poll 0x1008\n"
              "    branch v14, block2(v12, v11), block3\n"
              "block3 0x100c cold:\n"
              "    v15 = flags_sub.i32.8 v12, v1\n"
              "    set X0, v12\n"
              "    set X1, v11\n"
              "    set NZCV, v15\n"
              "    exit 0x100c\n");
    f->b->hot = false;
}

static void nested_loops(void **state)
{
    struct fixture *f = *state;
    struct builder *b = begin_blocks(f, 4, (uint64_t[4]){0x1000, 0x1010, 0x1020, 0x1030});
    builder_put(b, X3, b_add(b, builder_get(b, X3), b_i64(b, 8)));
    builder_jump(b, 0x1010);
    next_block(b, 1); /* outer: x1 = 10 */
    builder_put(b, X1, b_i64(b, 10));
    builder_jump(b, 0x1020);
    next_block(b, 2); /* inner: count x1 down, store through x3 */
    b_store(b, 8, 0, builder_get(b, X3), 0, builder_get(b, X1));
    builder_put(b, X1, b_sub(b, builder_get(b, X1), b_i64(b, 1)));
    builder_branch(b, b_cmp(b, IR_NE, builder_get(b, X1), b_i64(b, 0)), 0x1020, 0x1030);
    next_block(b, 3); /* count x0 down */
    builder_put(b, X0, b_sub(b, builder_get(b, X0), b_i64(b, 1)));
    builder_branch(b, b_cmp(b, IR_NE, builder_get(b, X0), b_i64(b, 0)), 0x1010, 0x1040);
    finish(f);
    /* X3 needs no parameter anywhere; X0 one in the outer loop only, X1 one in the inner */
    assert_int_equal(f->ir.nblocks, 5);
    assert_int_equal(f->ir.blocks[1].guest_pc, 0x1010);
    assert_int_equal(f->ir.blocks[2].guest_pc, 0x1020);
    assert_int_equal(f->ir.blocks[1].loop_depth, 1);
    assert_int_equal(f->ir.blocks[2].loop_depth, 2);
    assert_int_equal(f->ir.blocks[3].loop_depth, 1);
    assert_int_equal(f->ir.blocks[4].loop_depth, 0);
    assert_true(f->ir.blocks[4].cold);
    assert_int_equal(f->ir.blocks[2].nparams, 1);
    assert_int_equal(f->ir.blocks[3].nparams, 0);
    for (uint32_t i = f->ir.blocks[1].first; i < f->ir.blocks[1].first + f->ir.blocks[1].nparams; i++)
        assert_int_equal(f->ir.insns[i].op, IR_PARAM);
}

/* Two blocks that reach each other and are both entered from outside: nothing changes x1, so it needs no parameter. */
static void irreducible_loop(void **state)
{
    struct fixture *f = *state;
    struct builder *b = begin_blocks(f, 3, (uint64_t[3]){0x1000, 0x1010, 0x1020});
    builder_branch(b, b_cmp(b, IR_EQ, builder_get(b, X0), b_i64(b, 0)), 0x1020, 0x1010);
    next_block(b, 1);
    b_load(b, IR_I64, 8, 0, builder_get(b, X1), 0);
    builder_jump(b, 0x1020);
    next_block(b, 2);
    builder_put(b, X0, b_add(b, builder_get(b, X0), b_load(b, IR_I64, 8, 0, builder_get(b, X1), 8)));
    builder_branch(b, b_cmp(b, IR_EQ, builder_get(b, X0), b_i64(b, 5)), 0x1010, 0x2000);
    expect(f, "block0 0x1000:\n"
              "    v0 = get.i64 X0\n"
              "    v1 = get.i64 X1\n"
              "    v2 = const.i64 0x0\n"
              "    v3 = cmp.i32.8 eq v0, v2\n"
              "    branch v3, block1(v0), block3(v0)\n"
              "block1(v4: i64) 0x1020 depth 1:\n"
              "    state X0=v4\n"
              "    insn 0x1020\n"
              "    v5 = load.i64.8 [v1 + 0x8]\n"
              "    v6 = add.i64 v4, v5\n"
              "    bind X0, v6\n"
              "    v7 = const.i64 0x5\n"
              "    v8 = cmp.i32.8 eq v6, v7\n"
              "    poll 0x1020\n"
              "    branch v8, block3(v6), block2\n"
              "block2 0x2000 cold:\n"
              "    set X0, v6\n"
              "    exit 0x2000\n"
              "block3(v9: i64) 0x1010 depth 1:\n"
              "    state X0=v9\n"
              "    insn 0x1010\n"
              "    v10 = load.i64.8 [v1]\n"
              "    jump block1(v9)\n");
}

/* What is known only when all blocks are is folded then: flags set in one block and used in the next. */
static void values_are_folded_across_blocks(void **state)
{
    struct fixture *f = *state;
    struct builder *b = begin_blocks(f, 3, (uint64_t[3]){0x1000, 0x1010, 0x1020});
    builder_put(b, NZCV, b_flags(b, IR_FLAGS_SUB, builder_get(b, X0), builder_get(b, X1), IR_NONE));
    builder_put(b, X2, b_i64(b, 0x30));
    builder_jump(b, 0x1010);
    next_block(b, 1);
    builder_branch(b, b_cond(b, IR_FLAG_LT, builder_get(b, NZCV)), 0x2000, 0x1020);
    next_block(b, 2);
    /* known to hold: 0x30 > 0x2f */
    builder_branch(b, b_cmp(b, IR_UGT, builder_get(b, X2), b_i64(b, 0x2f)), 0x3000, 0x4000);
    expect(f, "block0 0x1000:\n"
              "    v0 = get.i64 X0\n"
              "    v1 = get.i64 X1\n"
              "    v2 = flags_sub.i32.8 v0, v1\n"
              "    v3 = const.i64 0x30\n"
              "    jump block1\n"
              "block1 0x1010:\n"
              "    v4 = cmp.i32.8 slt v0, v1\n"
              "    branch v4, block2, block3\n"
              "block2 0x2000 cold:\n"
              "    v5 = flags_sub.i32.8 v0, v1\n"
              "    set X2, v3\n"
              "    set NZCV, v5\n"
              "    exit 0x2000\n"
              "block3 0x1020:\n"
              "    set X2, v3\n"
              "    set NZCV, v2\n"
              "    exit 0x3000\n");
}

static void blocks_that_nothing_reaches(void **state)
{
    struct fixture *f = *state;
    struct builder *b = begin_blocks(f, 2, (uint64_t[2]){0x1000, 0x1010});
    builder_jump(b, 0x2000);
    next_block(b, 1);
    builder_put(b, X0, b_load(b, IR_I64, 8, 0, builder_get(b, X0), 0));
    builder_jump(b, 0x1010);
    expect(f, "block0 0x1000:\n"
              "    exit 0x2000\n");
}

/* An indirect branch polls before its own effect, so that it can be executed again. */
static void polls(void **state)
{
    struct fixture *f = *state;
    struct builder *b = begin(f);
    builder_put(b, X0, b_i64(b, 5));
    next(b);
    builder_poll(b);
    ir_ref target = builder_get(b, X1);
    builder_put(b, X2, b_i64(b, 0x1008));
    builder_jump_indirect_call(b, target, 0x1008);
    expect(f, "block0 0x1000:\n"
              "    v0 = const.i64 0x5\n"
              "    bind X0, v0\n"
              "    insn 0x1004\n"
              "    poll 0x1004\n"
              "    v1 = get.i64 X1\n"
              "    v2 = const.i64 0x1008\n"
              "    set X0, v0\n"
              "    set X2, v2\n"
              "    exit_indcall v1, 0x1008\n");

    b = begin(f);
    builder_jump(b, 0x1000); /* onto itself */
    expect(f, "block0 0x1000:\n"
              "    insn 0x1000\n"
              "    poll 0x1000\n"
              "    exit 0x1000\n");

    b = begin(f);
    builder_jump_call(b, 0x800, 0x1004);
    expect(f, "block0 0x1000:\n"
              "    exit_call 0x800, 0x1004\n");

    b = begin(f);
    builder_trap(b, TRAP_SYSCALL, 0x1004, 3);
    expect(f, "block0 0x1000:\n"
              "    exit_trap syscall 0x1004, 0x3\n");
}

static unsigned random_below(uint64_t *seed, unsigned n)
{
    *seed = *seed * UINT64_C(6364136223846793005) + 1442695040888963407;
    return (unsigned)(*seed >> 33) % n;
}

/* Random regions: whatever the shape, the result is well formed. */
static void random_regions(void **state)
{
    struct fixture *f = *state;
    uint64_t seed = 1;
#define RANDOM(n) random_below(&seed, n)
    for (unsigned round = 0; round < 3000; round++) {
        uint64_t pcs[BUILDER_MAX_BLOCKS];
        unsigned n = 1 + RANDOM(round % 50 == 0 ? BUILDER_MAX_BLOCKS : 9);
        for (unsigned i = 0; i < n; i++)
            pcs[i] = 0x1000 + 0x40 * i;
        f->b->hot = RANDOM(2);
        builder_begin(f->b, &f->ir, NULL, 0, pcs, n);
        for (unsigned i = 0; i < n; i++) {
            struct builder *b = f->b;
            builder_begin_block(b, i);
            for (unsigned k = RANDOM(5); k-- > 0;) {
                builder_insn(b);
                ir_ref x = builder_get(b, X0 + RANDOM(4));
                ir_ref y = RANDOM(3) ? builder_get(b, X0 + RANDOM(4)) : b_i64(b, RANDOM(3));
                switch (RANDOM(7)) {
                case 0: builder_put(b, X0 + RANDOM(4), b_add(b, x, y)); break;
                case 1: builder_put(b, X0 + RANDOM(4), b_load(b, IR_I64, 8, 0, x, 0)); break;
                case 2: b_store(b, 8, 0, b_add(b, x, y), 8, x); break;
                case 3: builder_put(b, NZCV, b_flags(b, IR_FLAGS_SUB, x, y, IR_NONE)); break;
                case 4: builder_put(b, X0 + RANDOM(4), x); break;
                case 5: {
                    ir_ref d = b_vlow(b, IR_F64, builder_get(b, V0));
                    builder_put(b, NZCV, builder_op(b, IR_FLAGS_FCMP, IR_I32, 8, 0, 0, d, d, IR_NONE, IR_NONE));
                    builder_put(b, V1, b_vzext(b, b_bin(b, IR_FADD, d, d)));
                    break;
                }
                default: {
                    ir_ref t = b_cond(b, RANDOM(14), builder_get(b, NZCV));
                    builder_put(b, X0 + RANDOM(4), b_select(b, t, x, y));
                    break;
                }
                }
                b->pc += 4;
                if (builder_ended(b))
                    fail_msg("ended by itself");
            }
            builder_insn(b);
            uint64_t to[2];
            for (unsigned s = 0; s < 2; s++)
                to[s] = RANDOM(4) ? pcs[RANDOM(n)] : 0x9000;
            switch (RANDOM(6)) {
            case 0: builder_jump(b, to[0]); break;
            case 1: builder_return(b, builder_get(b, X0)); break;
            default: builder_branch(b, b_cond(b, RANDOM(14), builder_get(b, NZCV)), to[0], to[1]); break;
            }
        }
        finish(f);
    }
    f->b->hot = false;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(addresses_move), TEST(state_is_forwarded),
        TEST(restored_state_is_not_set),
        TEST(branch_with_two_exits),
        TEST(compare_and_branch_is_one_comparison),
        TEST(conditions_agree_with_constant_flags),
        TEST(flags_of_add_and_carry),
        TEST(conditional_compare),
        TEST(floating_comparison_stands_for_its_flags),
        TEST(constants_are_folded),
        TEST(identities),
        TEST(addresses),
        TEST(many_values_overflow_the_table),
        TEST(options_switch_off),
        TEST(instructions_are_fetched),
        TEST(diamond),
        TEST(loop_at_entry),
        TEST(loop_is_peeled),
        TEST(nested_loops),
        TEST(irreducible_loop),
        TEST(values_are_folded_across_blocks),
        TEST(blocks_that_nothing_reaches),
        TEST(polls),
        TEST(random_regions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

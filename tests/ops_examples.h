/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Part of test_ops.c: the reference interpreter against results worked out by hand (or by FIPS 197, for AES). */

struct example {
    uint8_t op, type, size, mode;
    uint64_t imm;
    uint64_t args[3][2];
    uint64_t expected[2];
};

#define ONES UINT64_MAX
#define TOP (UINT64_C(1) << 63)

static const struct example examples[] = {
    {IR_ADD, IR_I32, 0, 0, 0, {{0xffffffff}, {2}}, {1}},
    {IR_SUB, IR_I64, 0, 0, 0, {{1}, {2}}, {ONES}},
    {IR_MUL, IR_I32, 0, 0, 0, {{0x10001}, {0x10001}}, {0x20001}},
    {IR_UMULH, IR_I64, 0, 0, 0, {{ONES}, {ONES}}, {ONES - 1}},
    {IR_SMULH, IR_I64, 0, 0, 0, {{ONES}, {ONES}}, {0}},
    {IR_UDIV, IR_I64, 0, 0, 0, {{7}, {0}}, {0}},
    {IR_UDIV, IR_I32, 0, 0, 0, {{0x80000000}, {0xffffffff}}, {0}},
    {IR_SDIV, IR_I32, 0, 0, 0, {{0x80000000}, {0xffffffff}}, {0x80000000}},
    {IR_SDIV, IR_I32, 0, 0, 0, {{0xfffffff9}, {2}}, {0xfffffffd}},
    {IR_SDIV, IR_I64, 0, 0, 0, {{TOP}, {ONES}}, {TOP}},
    {IR_SDIV, IR_I64, 0, 0, 0, {{5}, {0}}, {0}},
    {IR_ANDN, IR_I64, 0, 0, 0, {{0xff}, {0x0f}}, {0xf0}},
    {IR_NOT, IR_I32, 0, 0, 0, {{0}}, {0xffffffff}},
    {IR_SHL, IR_I32, 0, 0, 0, {{3}, {33}}, {6}},
    {IR_SHR, IR_I64, 0, 0, 0, {{TOP}, {127}}, {1}},
    {IR_SAR, IR_I32, 0, 0, 0, {{0x80000000}, {31}}, {0xffffffff}},
    {IR_ROR, IR_I32, 0, 0, 0, {{1}, {1}}, {0x80000000}},
    {IR_ROR, IR_I64, 0, 0, 0, {{0x123}, {64}}, {0x123}},
    {IR_EXTR, IR_I32, 0, 0, 4, {{0x12345678}, {0x9abcdef0}}, {0x89abcdef}},
    {IR_EXTR, IR_I64, 0, 0, 0, {{1}, {2}}, {2}},
    {IR_CLZ, IR_I32, 0, 0, 0, {{0}}, {32}},
    {IR_CLZ, IR_I64, 0, 0, 0, {{1}}, {63}},
    {IR_CTZ, IR_I32, 0, 0, 0, {{0}}, {32}},
    {IR_CTZ, IR_I64, 0, 0, 0, {{TOP}}, {63}},
    {IR_RBIT, IR_I32, 0, 0, 0, {{1}}, {0x80000000}},
    {IR_BSWAP, IR_I64, 2, 0, 0, {{0x0102030405060708}}, {0x0201040306050807}},
    {IR_BSWAP, IR_I64, 4, 0, 0, {{0x0102030405060708}}, {0x0403020108070605}},
    {IR_BSWAP, IR_I64, 8, 0, 0, {{0x0102030405060708}}, {0x0807060504030201}},
    {IR_ZEXT, IR_I64, 1, 0, 0, {{0x1ff}}, {0xff}},
    {IR_SEXT, IR_I32, 1, 0, 0, {{0x180}}, {0xffffff80}},
    {IR_SEXT, IR_I64, 4, 0, 0, {{0x80000000}}, {0xffffffff80000000}},
    {IR_SELECT, IR_I32, 0, 0, 0, {{1}, {2}, {3}}, {2}},
    {IR_SELECT, IR_V128, 0, 0, 0, {{0}, {2, 2}, {3, 4}}, {3, 4}},
    {IR_CMP, IR_I32, 4, IR_SLT, 0, {{0x80000000}, {0}}, {1}},
    {IR_CMP, IR_I32, 8, IR_UGT, 0, {{ONES}, {1}}, {1}},
    {IR_CMP, IR_I32, 8, IR_SLE, 0, {{1}, {1}}, {1}},
    {IR_CMP, IR_I32, 8, IR_NE, 0, {{1}, {1}}, {0}},
    {IR_CRC32C, IR_I32, 1, 0, 0, {{0xffffffff}, {0}}, {0xad82acae}},
    {IR_FLAGS_SUB, IR_I32, 8, 0, 0, {{1}, {1}}, {IR_FLAG_Z}},
    {IR_FLAGS_SUB, IR_I32, 4, 0, 0, {{0}, {1}}, {IR_FLAG_N | IR_FLAG_NOT_C}},
    {IR_FLAGS_SUB, IR_I32, 4, 0, 0, {{0x80000000}, {1}}, {IR_FLAG_V}},
    {IR_FLAGS_ADD, IR_I32, 4, 0, 0, {{0xffffffff}, {1}}, {IR_FLAG_Z}},
    {IR_FLAGS_ADD, IR_I32, 8, 0, 0, {{TOP - 1}, {1}}, {IR_FLAG_N | IR_FLAG_V | IR_FLAG_NOT_C}},
    {IR_FLAGS_ADC, IR_I32, 8, 0, 0, {{ONES}, {ONES}, {1}}, {IR_FLAG_N}},
    {IR_FLAGS_LOGIC, IR_I32, 4, 0, 0, {{0x80000000}}, {IR_FLAG_N | IR_FLAG_NOT_C}},
    {IR_FLAGS_PACK, IR_I32, 0, 0, 0, {{0x6fffffff}}, {IR_FLAG_Z}},
    {IR_FLAGS_UNPACK, IR_I32, 0, 0, 0, {{0x3efe | IR_FLAG_N}}, {0xa0000000}},
    {IR_COND, IR_I32, 0, IR_FLAG_HI, 0, {{0}}, {1}},
    {IR_COND, IR_I32, 0, IR_FLAG_HI, 0, {{IR_FLAG_NOT_C}}, {0}},
    {IR_COND, IR_I32, 0, IR_FLAG_LT, 0, {{IR_FLAG_V}}, {1}},
    {IR_COND, IR_I32, 0, IR_FLAG_LE, 0, {{IR_FLAG_Z}}, {1}},
    {IR_FNEG, IR_F32, 0, 0, 0, {{0x7f800001}}, {0xff800001}},
    {IR_FABS, IR_F64, 0, 0, 0, {{ONES}}, {ONES >> 1}},
    {IR_FRINT, IR_F64, 0, IR_ROUND_AWAY, 0, {{0x3fe0000000000000}}, {0x3ff0000000000000}},
    {IR_FTOUI, IR_I32, 4, IR_ROUND_ZERO, 0, {{0xbf000000}}, {0}},
    {IR_FTOSI, IR_I32, 8, IR_FIXED(4), 0, {{0xbffc000000000000}}, {0xffffffe4}},                  /* -1.75 */
    {IR_FTOJS, IR_I32, 8, 0, 0, {{0x41f0000000500000}}, {5}},                                     /* 2^32 + 5 */
    {IR_VFADD, IR_V128, 2, 0, 0, {{0x3c00, 0x7bff}, {0x4000, 0x7bff}}, {0x4200, 0x7c00}},         /* overflow */
    {IR_VFMA, IR_V128, 2, 0, 0, {{0x3c01}, {0x1000}, {0x3c00}}, {0x3c01}},                        /* beside the middle */
    {IR_VSITOF, IR_V128, 2, 4, 0, {{0xffe4}}, {0xbf00}},                                          /* -28 / 16 */
    {IR_VFTOUI, IR_V128, 4, IR_FIXED(32), 0, {{0x3f0000003f800000}}, {0x80000000ffffffff}},       /* 1, 0.5 */
    {IR_VFRINTN, IR_V128, 8, IR_ROUND_ZERO, 0, {{0x41dfffffffe00000, 0x41e0000000000000}}, {0x41dfffffffc00000,
                                                                                      0xc1e0000000000000}},
    {IR_VFMULX, IR_V128, 8, 0, 0, {{0x7ff0000000000000, 0}, {TOP, 0}}, {0xc000000000000000, 0}},
    {IR_VFRECPS, IR_V128, 4, 0, 0, {{0x3f800000}, {0x3f000000}}, {0x400000003fc00000, 0x4000000040000000}},
    {IR_VFRSQRTS, IR_V128, 4, 0, 0, {{0x3f800000}, {0x3f800000}}, {0x3fc000003f800000, 0x3fc000003fc00000}},
    {IR_VFRECPE, IR_V128, 4, 0, 0, {{0x3f8000003f800000, 0x3f800000c0000000}}, {0x3f7f80003f7f8000, 0x3f7f8000beff8000}},
    {IR_VFRSQRTE, IR_V128, 8, 0, 0, {{0x4010000000000000, 0x3ff0000000000000}}, {0x3fdff00000000000,
                                                                                0x3feff00000000000}},
    {IR_VFRECPX, IR_V128, 4, 0, 0, {{0x3f800001bf800000, 0x80000000}}, {0x40000000c0000000, 0x7f000000ff000000}},
    {IR_VFMLAL, IR_V128, 4, 0, 0, {{0x3c00400000004200}, {0x3c00440000004000}, {0x3f800000, 0}}, {0x40e00000,
                                                                                             0x3f80000041000000}},
    {IR_VFCVTXN, IR_V128, 8, 0, 0, {{0x3ff0000000000001, 0x3ff0000000000000}}, {0x3f8000003f800001, 0}},
    {IR_VFCVTBF, IR_V128, 4, 0, 0, {{0x3f8080003f808001, 0xbf818000}}, {0x0000bf823f803f81, 0}},  /* ties to even */
    {IR_VLOW, IR_F32, 0, 0, 0, {{0x1122334455667788, 1}}, {0x55667788}},
    {IR_VZEXT, IR_V128, 4, 0, 0, {{0x55667788}}, {0x55667788}},
    {IR_VADD, IR_V128, 1, 0, 0, {{0xff01, ONES}, {0x0101, 1}}, {0x0002, 0xffffffffffffff00}},
    {IR_VMUL, IR_V128, 2, 0, 0, {{0x0003000200000000}, {0x0005ffff00000000}}, {0x000ffffe00000000}},
    {IR_VANDN, IR_V128, 0, 0, 0, {{0xff, ONES}, {0x0f, 0}}, {0xf0, ONES}},
    {IR_VBSL, IR_V128, 0, 0, 0, {{0xf0}, {0xaa}, {0x55}}, {0xa5}},
    {IR_VABS, IR_V128, 8, 0, 0, {{TOP, ONES}}, {TOP, 1}},
    {IR_VSMIN, IR_V128, 1, 0, 0, {{0x7f80}, {0x0001}}, {0x0080}},
    {IR_VUMAX, IR_V128, 8, 0, 0, {{TOP, 1}, {1, TOP}}, {TOP, TOP}},
    {IR_VCMPGTS, IR_V128, 8, 0, 0, {{TOP, 1}, {1, TOP}}, {0, ONES}},
    {IR_VCMPGTU, IR_V128, 8, 0, 0, {{TOP, 1}, {1, TOP}}, {ONES, 0}},
    {IR_VSHR, IR_V128, 8, 0, 64, {{ONES, ONES}}, {0, 0}},
    {IR_VSAR, IR_V128, 4, 0, 32, {{0x8000000000000001}}, {0xffffffff00000000}},
    {IR_VSHLS, IR_V128, 8, 0, 0, {{TOP, 1}, {0xff, 4}}, {0xc000000000000000, 16}},
    {IR_VSHLS, IR_V128, 4, 0, 0, {{0x80000000, 1}, {0x80, 0x20}}, {0xffffffff, 0}},
    {IR_VSHLU, IR_V128, 8, 0, 0, {{TOP, 1}, {0xff, 0xaa40}}, {TOP >> 1, 0}},
    {IR_VDUP, IR_V128, 2, 0, 0, {{0x12345678}}, {0x5678567856785678, 0x5678567856785678}},
    {IR_VDUPLANE, IR_V128, 4, 0, 2, {{0, 0x99}}, {0x0000009900000099, 0x0000009900000099}},
    {IR_VEXTRACT, IR_I32, 2, 0, 7, {{0, 0x8001000000000000}}, {0x8001}},
    {IR_VINSERT, IR_V128, 1, 0, 8, {{1, 2}, {0x777}}, {1, 0x77}},
    {IR_VZIP1,
     IR_V128,
     4,
     0,
     0,
     {{0x0000000200000001}, {0x0000000400000003}},
     {0x0000000300000001, 0x0000000400000002}},
    {IR_VZIP2, IR_V128, 8, 0, 0, {{1, 2}, {3, 4}}, {2, 4}},
    {IR_VUZP1, IR_V128, 8, 0, 0, {{1, 2}, {3, 4}}, {1, 3}},
    {IR_VUZP2, IR_V128, 4, 0, 0, {{0x200000001, 0x400000003}, {0x600000005, 0x800000007}}, {0x400000002, 0x800000006}},
    {IR_VTRN1, IR_V128, 4, 0, 0, {{0x200000001, 0x400000003}, {0x600000005, 0x800000007}}, {0x500000001, 0x700000003}},
    {IR_VTRN2, IR_V128, 4, 0, 0, {{0x200000001, 0x400000003}, {0x600000005, 0x800000007}}, {0x600000002, 0x800000004}},
    {IR_VEXT, IR_V128, 0, 0, 8, {{1, 2}, {3, 4}}, {2, 3}},
    {IR_VEXT, IR_V128, 0, 0, 16, {{1, 2}, {3, 4}}, {3, 4}},
    {IR_VREV, IR_V128, 1, 4, 0, {{0x0706050403020100, 0}}, {0x0405060700010203, 0}},
    {IR_VTBL,
     IR_V128,
     1,
     0,
     0,
     {{0x8877665544332211, 0xff}, {0x0000000000100801}},
     {0x111111111100ff22, 0x1111111111111111}},
    {IR_VLOW64, IR_V128, 0, 0, 0, {{5, 6}}, {5, 0}},
    {IR_VSXTL, IR_V128, 4, 0, 0, {{0x0000000180000000}}, {0xffffffff80000000, 1}},
    {IR_VUXTL, IR_V128, 1, 0, 0, {{0xff80017f00000000, ONES}}, {0, 0x00ff00800001007f}},
    {IR_VXTN, IR_V128, 8, 0, 0, {{0x1111111122222222, 0x3333333344444444}}, {0x4444444422222222, 0}},
    {IR_VQXTNS, IR_V128, 2, 0, 0, {{0x8000007f00807fff}}, {0x807f7f7f, 0}},
    {IR_VQXTNU, IR_V128, 2, 0, 0, {{0x800000ff01000001}}, {0xffffff01, 0}},
    {IR_VQXTUN, IR_V128, 2, 0, 0, {{0x800000ff01000001}}, {0x00ffff01, 0}},
    {IR_VQADDS, IR_V128, 8, 0, 0, {{TOP - 1, TOP}, {1, ONES}}, {TOP - 1, TOP}},
    {IR_VQADDU, IR_V128, 8, 0, 0, {{ONES, 1}, {1, 1}}, {ONES, 2}},
    {IR_VQSUBS, IR_V128, 4, 0, 0, {{0x80000000}, {1}}, {0x80000000}},
    {IR_VQSUBU, IR_V128, 1, 0, 0, {{0x05}, {0x06}}, {0}},
    {IR_VAVGU, IR_V128, 1, 0, 0, {{0xff02}, {0xff01}}, {0xff02}},
    {IR_VPOPCNT, IR_V128, 1, 0, 0, {{0xff07, 1}}, {0x0803, 1}},
    {IR_VADDP, IR_V128, 8, 0, 0, {{1, 2}, {3, 4}}, {3, 7}},
    {IR_VMULLS, IR_V128, 4, 0, 0, {{0x00000002ffffffff}, {0x00000003ffffffff}}, {1, 6}},
    {IR_VMULLU, IR_V128, 4, 0, 0, {{0x00000002ffffffff}, {0x00000003ffffffff}}, {0xfffffffe00000001, 6}},
    {IR_VMULHS, IR_V128, 2, 0, 0, {{0x80007fff}, {0x80007fff}}, {0x40003fff}},
    {IR_VROR, IR_V128, 4, 0, 4, {{0x1234567889abcdef}}, {0x81234567f89abcde}},
    {IR_VROR, IR_V128, 8, 0, 8, {{0x1234567889abcdef}}, {0xef1234567889abcd}},
    {IR_VSHUF,
     IR_V128,
     4,
     0,
     0x4e,
     {{0x200000001, 0x400000003}, {0x600000005, 0x800000007}},
     {0x400000003, 0x600000005}},
    {IR_VCLZ, IR_V128, 2, 0, 0, {{0x800001000001, 0xffff}}, {0x001000000007000f, 0x0010001000100000}},
    {IR_VDMULH, IR_V128, 2, 0, 0, {{0x800040007fff}, {0x800000017fff}}, {0x800000007ffe}},
    {IR_VDMULH, IR_V128, 2, 0, 1, {{0x40003fff}, {0x00010001}}, {0x00010000}},
    {IR_VDMULH, IR_V128, 2, 0, 2, {{0x40004001}, {0x00010001}}, {0x00000001}},
    {IR_VDOT2, IR_V128, 2, 0, 0, {{0x80008000ffff0002}, {0x8000800000030004}}, {0x8000000000000005}},
    {IR_VCLMUL, IR_V128, 8, 0, 0, {{TOP | 1, 0}, {3, 0}}, {TOP | 3, 1}},
    {IR_VCLMUL, IR_V128, 8, 0, 1, {{0, 7}, {3, 0}}, {9, 0}},
    /* FIPS 197: SubBytes of figure 7, then the first round of appendix B. */
    {IR_VAESENC, IR_V128, 0, 0, 0, {{0}}, {0x6363636363636363, 0x6363636363636363}},
    {IR_VAESENC, IR_V128, 0, 0, 0, {{0x53}}, {0x63636363636363ed, 0x6363636363636363}},
    {IR_VAESENC,
     IR_V128,
     0,
     0,
     0,
     {{0x2be2f4a0bee33d19, 0x0848f8e92a8dc69a}},
     {0xae52b4e0305dbfd4, 0xe598271ef11141b8}},
    {IR_VAESDEC,
     IR_V128,
     0,
     0,
     0,
     {{0xae52b4e0305dbfd4, 0xe598271ef11141b8}},
     {0x2be2f4a0bee33d19, 0x0848f8e92a8dc69a}},
    {IR_VAESROUND, /* … with its round key */
     IR_V128,
     0,
     0,
     0,
     {{0x2be2f4a0bee33d19, 0x0848f8e92a8dc69a}, {0xb12c548817fefaa0, 0x05766c2a3939a323}},
     {0x2b359f68f27f9ca4, 0x49506a0243ea5b6b}},
    {IR_VAESMC, IR_V128, 0, 0, 0, {{0xae52b4e0305dbfd4, 0xe598271ef11141b8}}, {0x9a19cbe0e5816604, 0x4c2606287ad3f848}},
    {IR_VAESIMC,
     IR_V128,
     0,
     0,
     0,
     {{0x9a19cbe0e5816604, 0x4c2606287ad3f848}},
     {0xae52b4e0305dbfd4, 0xe598271ef11141b8}},
};

/* The examples as forms; arguments are in the slots that form_arguments() says. */
static void test_examples(void **state)
{
    struct test *t = *state;
    for (unsigned i = 0; i < sizeof examples / sizeof *examples; i++) {
        const struct example *e = &examples[i];
        struct form form = {.insn = {.op = e->op, .type = e->type, .size = e->size, .mode = e->mode, .imm = e->imm}};
        assert_true(form_arguments(&form, false));
        union bits operands[3];
        memcpy(operands, e->args, sizeof operands);
        struct region regions[2];
        build_region(t, &form, SET_SLOTS, 0, operands);
        compile_both(t, regions);
        run_both(t, &form, SET_SLOTS, regions, operands);
        free_both(t, regions);
        union bits result = {.u64 = {0, 0}};
        memcpy(&result, (uint8_t *)t->reference.cpu + t->reference.slots[result_slot(e->type)].offset,
               ir_type_size(e->type));
        if (result.u64[0] != e->expected[0] || result.u64[1] != e->expected[1]) {
            fail_run(t, &form, SET_SLOTS, operands, "not the expected result");
        }
    }
}
#undef ONES
#undef TOP

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Vectors: lanes from and to general registers, permutations, narrowing. */
#include "backend/x86_64/emit_vec.h"

static bool in_memory(const struct emit *e, ir_ref v)
{
    unsigned place = e->values[emit_root(e, v)].place;
    return place == PLACE_SPILL || place == PLACE_SLOT;
}

/* ---- lanes and general registers ------------------------------------------------------------------------------- */

void vec_dup(struct emit *e, ir_ref ref)
{
    static const uint32_t broadcast[4] = {X86_vpbroadcastb, X86_vpbroadcastw, X86_vpbroadcastd, X86_vpbroadcastq};
    const struct ir_insn *insn = emit_insn(e, ref);
    ir_ref x = insn->arg[0];
    unsigned r = xmm_dst(e, ref), type = emit_insn(e, x)->type;
    uint32_t opcode = broadcast[lane_log2(insn->size)];
    uint64_t bits;
    if (emit_const(e, x, &bits)) {
        emit_xmm_const(e, r, splat(insn->size, bits), splat(insn->size, bits));
    } else if (in_memory(e, x)) {
        vex_rm(&e->as, opcode, r, emit_operand(e, x));
    } else if (type == IR_I32 || type == IR_I64) {
        vmov_from_gpr(&e->as, insn->size == 8, XT0, asm_reg(emit_gpr(e, x, T0)));
        vex_rm(&e->as, opcode, r, asm_reg(XT0));
    } else {
        vex_rm(&e->as, opcode, r, asm_reg(emit_xmm(e, x, XT0)));
    }
    emit_done(e, ref, r);
}

void vec_extract(struct emit *e, ir_ref ref)
{
    struct assembler *a = &e->as;
    const struct ir_insn *insn = emit_insn(e, ref);
    ir_ref x = insn->arg[0];
    unsigned r = emit_dst(e, ref, T0), lane = (unsigned)insn->imm;
    if (in_memory(e, x)) {
        struct asm_operand from = emit_operand(e, x);
        from.mem.disp += (int32_t)(lane * insn->size);
        if (insn->size == 8)
            x_load(a, 1, r, from.mem);
        else
            x_zext(a, insn->size, r, from);
    } else if (lane == 0 && insn->size >= 4) {
        vmov_to_gpr(a, insn->size == 8, asm_reg(r), emit_xmm(e, x, XT0));
    } else {
        vpextr(a, insn->size, asm_reg(r), emit_xmm(e, x, XT0), lane);
    }
    emit_done(e, ref, r);
}

void vec_insert(struct emit *e, ir_ref ref)
{
    const struct ir_insn *insn = emit_insn(e, ref);
    ir_ref y = insn->arg[1];
    unsigned r = xmm_dst(e, ref), x = arg_xmm(e, ref, 0, XT0);
    struct asm_operand from = in_memory(e, y) ? emit_operand(e, y) : asm_reg(emit_gpr(e, y, T0));
    vpinsr(&e->as, insn->size, r, x, from, (unsigned)insn->imm);
    emit_done(e, ref, r);
}

/* ---- one source ------------------------------------------------------------------------------------------------ */

/* The control of vpshufb that puts byte from[i] into byte i; 0x80 makes zero. */
static struct asm_operand pool_bytes(struct emit *e, const uint8_t from[16])
{
    uint64_t bits[2];
    memcpy(bits, from, sizeof bits);
    return emit_pool_operand(e, bits[0], bits[1]);
}

static void shuffle_bytes(struct emit *e, ir_ref ref, const uint8_t from[16])
{
    unsigned r = xmm_dst(e, ref);
    vpshufb(&e->as, r, arg_xmm(e, ref, 0, XT0), pool_bytes(e, from));
    emit_done(e, ref, r);
}

void vec_dup_lane(struct emit *e, ir_ref ref)
{
    static const uint32_t broadcast[4] = {X86_vpbroadcastb, X86_vpbroadcastw, X86_vpbroadcastd, X86_vpbroadcastq};
    const struct ir_insn *insn = emit_insn(e, ref);
    unsigned lane = (unsigned)insn->imm, r = xmm_dst(e, ref);
    if (lane == 0) {
        vex_rm(&e->as, broadcast[lane_log2(insn->size)], r, arg_operand(e, ref, 0));
    } else if (insn->size == 8) {
        vpshufd(&e->as, r, arg_operand(e, ref, 0), 0xee);
    } else if (insn->size == 4) {
        vpshufd(&e->as, r, arg_operand(e, ref, 0), lane * 0x55);
    } else {
        uint8_t from[16];
        for (unsigned i = 0; i < 16; i++)
            from[i] = (uint8_t)(lane * insn->size + i % insn->size);
        shuffle_bytes(e, ref, from);
        return;
    }
    emit_done(e, ref, r);
}

void vec_rev(struct emit *e, ir_ref ref)
{
    const struct ir_insn *insn = emit_insn(e, ref);
    uint8_t from[16];
    unsigned flip = insn->mode - insn->size; /* powers of two: the bits that number the lanes in a group */
    for (unsigned i = 0; i < 16; i++)
        from[i] = (uint8_t)(i ^ flip);
    shuffle_bytes(e, ref, from);
}

/* Constant indices that vpshufb takes as they are: it looks at bit 7, for 0, and bits 3:0. */
static bool indices_fit(const struct emit *e, ir_ref v)
{
    const struct ir_insn *insn = emit_insn(e, emit_root(e, v));
    const uint64_t middle = splat(1, 0x70), top = splat(1, 0x80);
    if (insn->op != IR_CONST)
        return false;
    /* a byte with bit 7 may have any bits below it */
    uint64_t low = insn->imm & ~((insn->imm & top) - ((insn->imm & top) >> 7));
    uint64_t high = insn->imm2 & ~((insn->imm2 & top) - ((insn->imm2 & top) >> 7));
    return !((low | high) & middle);
}

void vec_tbl(struct emit *e, ir_ref ref)
{
    unsigned r = xmm_dst(e, ref);
    if (indices_fit(e, emit_insn(e, ref)->arg[1])) {
        vpshufb(&e->as, r, arg_xmm(e, ref, 0, XT1), arg_operand(e, ref, 1));
    } else {
        load_splat(e, XT0, 1, 0x70); /* indices above 15 get bit 7, for which vpshufb gives 0 */
        vpaddusb(&e->as, XT0, XT0, arg_operand(e, ref, 1));
        vpshufb(&e->as, r, arg_xmm(e, ref, 0, XT1), asm_reg(XT0));
    }
    emit_done(e, ref, r);
}

void vec_shuffle(struct emit *e, ir_ref ref)
{
    const struct ir_insn *insn = emit_insn(e, ref);
    unsigned r = xmm_dst(e, ref), lanes = (unsigned)insn->imm;
    if (insn->arg[0] == insn->arg[1])
        vpshufd(&e->as, r, arg_operand(e, ref, 0), lanes);
    else
        vshufps(&e->as, r, arg_xmm(e, ref, 0, XT0), arg_operand(e, ref, 1), lanes);
    emit_done(e, ref, r);
}

/* ---- two sources ----------------------------------------------------------------------------------------------- */

void vec_ext(struct emit *e, ir_ref ref)
{
    unsigned r = xmm_dst(e, ref);
    vpalignr(&e->as, r, arg_xmm(e, ref, 1, XT0), arg_operand(e, ref, 0), (unsigned)emit_insn(e, ref)->imm);
    emit_done(e, ref, r);
}

/* Lanes of 1 and 2 bytes: the even ones cleared of the odd ones, packed; lanes of 8: the same as zip. */
void vec_uzp1(struct emit *e, ir_ref ref)
{
    struct assembler *a = &e->as;
    unsigned r = xmm_dst(e, ref), size = emit_insn(e, ref)->size;
    if (size == 8) {
        vpunpcklqdq(a, r, arg_xmm(e, ref, 0, XT0), arg_operand(e, ref, 1));
    } else {
        load_splat(e, XT1, size * 2, size == 1 ? 0xff : 0xffff);
        vpand(a, XT0, XT1, arg_operand(e, ref, 0));
        vpand(a, XT1, XT1, arg_operand(e, ref, 1));
        vex_rvm(a, size == 1 ? X86_vpackuswb : X86_vpackusdw, r, XT0, asm_reg(XT1));
    }
    emit_done(e, ref, r);
}

void vec_uzp2(struct emit *e, ir_ref ref)
{
    struct assembler *a = &e->as;
    unsigned r = xmm_dst(e, ref), size = emit_insn(e, ref)->size;
    if (size == 8) {
        vpunpckhqdq(a, r, arg_xmm(e, ref, 0, XT0), arg_operand(e, ref, 1));
    } else if (size == 1) {
        vpsrlw(a, XT0, arg_xmm(e, ref, 0, XT0), 8);
        vpsrlw(a, XT1, arg_xmm(e, ref, 1, XT1), 8);
        vpackuswb(a, r, XT0, asm_reg(XT1));
    } else {
        vpsrld(a, XT0, arg_xmm(e, ref, 0, XT0), 16);
        vpsrld(a, XT1, arg_xmm(e, ref, 1, XT1), 16);
        vpackusdw(a, r, XT0, asm_reg(XT1));
    }
    emit_done(e, ref, r);
}

/* Lanes of 1, 2, 4 bytes: the even lanes of y move up, into the odd lanes of x. */
void vec_trn1(struct emit *e, ir_ref ref)
{
    struct assembler *a = &e->as;
    unsigned r = xmm_dst(e, ref), size = emit_insn(e, ref)->size, y = arg_xmm(e, ref, 1, XT0);
    if (size == 1) {
        load_splat(e, XT1, 2, 0x00ff);
        vpand(a, XT1, XT1, arg_operand(e, ref, 0));
        vpsllw(a, XT0, y, 8);
        vpor(a, r, XT0, asm_reg(XT1));
    } else if (size == 2) {
        vpslld(a, XT0, y, 16);
        vpblendw(a, r, XT0, arg_operand(e, ref, 0), 0x55);
    } else {
        vpsllq(a, XT0, y, 32);
        vpblendd(a, r, XT0, arg_operand(e, ref, 0), 0x5);
    }
    emit_done(e, ref, r);
}

/* The odd lanes of x move down, into the even lanes of y. */
void vec_trn2(struct emit *e, ir_ref ref)
{
    struct assembler *a = &e->as;
    unsigned r = xmm_dst(e, ref), size = emit_insn(e, ref)->size, x = arg_xmm(e, ref, 0, XT0);
    if (size == 1) {
        load_splat(e, XT1, 2, 0xff00);
        vpand(a, XT1, XT1, arg_operand(e, ref, 1));
        vpsrlw(a, XT0, x, 8);
        vpor(a, r, XT0, asm_reg(XT1));
    } else if (size == 2) {
        vpsrld(a, XT0, x, 16);
        vpblendw(a, r, XT0, arg_operand(e, ref, 1), 0xaa);
    } else {
        vpsrlq(a, XT0, x, 32);
        vpblendd(a, r, XT0, arg_operand(e, ref, 1), 0xa);
    }
    emit_done(e, ref, r);
}

/* ---- narrowing ------------------------------------------------------------------------------------------------- */

/* The control that packs the low halves of lanes of `bytes` into the low 64 bits. */
static struct asm_operand pool_narrow(struct emit *e, unsigned bytes)
{
    uint8_t from[16];
    unsigned half = bytes / 2;
    for (unsigned i = 0; i < 16; i++)
        from[i] = (uint8_t)(i < 8 ? i / half * bytes + i % half : 0x80);
    return pool_bytes(e, from);
}

void vec_narrow(struct emit *e, ir_ref ref)
{
    unsigned r = xmm_dst(e, ref);
    vpshufb(&e->as, r, arg_xmm(e, ref, 0, XT0), pool_narrow(e, emit_insn(e, ref)->size));
    emit_done(e, ref, r);
}

/* Lanes of 2 and 4 bytes. The host packs signed lanes; unsigned ones are limited first. */
static void narrow_packed(struct emit *e, ir_ref ref, unsigned r)
{
    struct assembler *a = &e->as;
    const struct ir_insn *insn = emit_insn(e, ref);
    bool halves = insn->size == 2;
    uint32_t to_unsigned = halves ? X86_vpackuswb : X86_vpackusdw, opcode = to_unsigned;
    unsigned x = XT0;
    if (insn->op == IR_VQXTNU) {
        load_splat(e, XT0, insn->size, halves ? 0xff : 0xffff);
        vex_rvm(a, halves ? X86_vpminuw : X86_vpminud, XT0, XT0, arg_operand(e, ref, 0));
    } else {
        x = arg_xmm(e, ref, 0, XT0);
        if (insn->op == IR_VQXTNS)
            opcode = halves ? X86_vpacksswb : X86_vpackssdw;
    }
    set_zero(e, XT1);
    vex_rvm(a, opcode, r, x, asm_reg(XT1));
}

static void narrow_quads_signed(struct emit *e, ir_ref ref, unsigned r)
{
    struct assembler *a = &e->as;
    unsigned x = arg_xmm(e, ref, 0, XT1);
    load_splat(e, XT0, 8, INT32_MAX);
    vpcmpgtq(a, XT2, x, asm_reg(XT0));
    vblendvpd(a, XT1, x, asm_reg(XT0), XT2);
    load_splat(e, XT0, 8, (uint64_t)(int64_t)INT32_MIN);
    vpcmpgtq(a, XT2, XT0, asm_reg(XT1));
    vblendvpd(a, XT1, XT1, asm_reg(XT0), XT2);
    vpshufb(a, r, XT1, pool_narrow(e, 8));
}

/* Low halves, all ones where the high half is not zero; `from_signed`: negative lanes are made 0 before. */
static void narrow_quads_unsigned(struct emit *e, ir_ref ref, bool from_signed, unsigned r)
{
    struct assembler *a = &e->as;
    unsigned x = arg_xmm(e, ref, 0, XT1);
    if (from_signed) {
        set_zero(e, XT0);
        vpcmpgtq(a, XT0, XT0, asm_reg(x));
        vpandn(a, XT1, XT0, asm_reg(x));
        x = XT1;
    }
    set_zero(e, XT0);
    vpcmpeqd(a, XT0, XT0, asm_reg(x));
    vpshufd(a, XT0, asm_reg(XT0), 0xf5);
    set_ones(e, XT2);
    vpxor(a, XT0, XT0, asm_reg(XT2));
    vpor(a, XT0, XT0, asm_reg(x));
    vpshufb(a, r, XT0, pool_narrow(e, 8));
}

/* VQXTNS, VQXTNU, VQXTUN */
void vec_narrow_saturating(struct emit *e, ir_ref ref)
{
    const struct ir_insn *insn = emit_insn(e, ref);
    unsigned r = xmm_dst(e, ref);
    if (insn->size != 8)
        narrow_packed(e, ref, r);
    else if (insn->op == IR_VQXTNS)
        narrow_quads_signed(e, ref, r);
    else
        narrow_quads_unsigned(e, ref, insn->op == IR_VQXTUN, r);
    emit_done(e, ref, r);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The x86-64 assembler: every instruction form of asm_int.h and asm_vec.inc is emitted, disassembled by capstone and
 * compared with the expected text, over all registers and all kinds of memory operand.
 *
 * Expected texts are written as capstone prints them in Intel syntax, but for the operand size ("dword ptr "), which
 * is left out: it follows from the mnemonic, or from the register beside it.
 */
#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <capstone/capstone.h>

#include "backend/x86_64/asm_int.h"
#include "backend/x86_64/asm_vec.h"

struct bench {
    struct assembler as;
    csh capstone;
    uint8_t code[64];
    struct asm_fixup fixups[4];
    unsigned checked;
};

/* ---- names ----------------------------------------------------------------------------------------------------- */

static const char *const gpr64[16] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                      "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15"};
static const char *const gpr32[16] = {"eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi",
                                      "r8d", "r9d", "r10d", "r11d", "r12d", "r13d", "r14d", "r15d"};
static const char *const gpr16[16] = {"ax", "cx", "dx", "bx", "sp", "bp", "si", "di",
                                      "r8w", "r9w", "r10w", "r11w", "r12w", "r13w", "r14w", "r15w"};
static const char *const gpr8[16] = {"al", "cl", "dl", "bl", "spl", "bpl", "sil", "dil",
                                     "r8b", "r9b", "r10b", "r11b", "r12b", "r13b", "r14b", "r15b"};
static const char *const xmm[16] = {"xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7",
                                    "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15"};

static const char *gpr(unsigned bytes, unsigned r)
{
    return bytes == 8 ? gpr64[r] : bytes == 4 ? gpr32[r] : bytes == 2 ? gpr16[r] : gpr8[r];
}

static const char *const condition_names[16] = {"o", "no", "b", "ae", "e", "ne", "be", "a",
                                                "s", "ns", "p", "np", "l", "ge", "le", "g"};

/* capstone prints numbers up to 9 in decimal, larger ones in hexadecimal. */
static const char *number(uint64_t value)
{
    static char text[4][32];
    static unsigned next;
    char *s = text[next++ & 3];
    snprintf(s, sizeof text[0], value > 9 ? "0x%llx" : "%llu", (unsigned long long)value);
    return s;
}

/* ---- memory operands ------------------------------------------------------------------------------------------- */

struct memory_case {
    struct asm_mem mem;
    char text[64];
};

/* Every base with every kind of displacement, every base with an index, every index with every scale, no base, the
   pool. */
enum { MEMORY_CASES = 16 * 6 + 16 + 15 * 4 + 3 + 1 };

static void describe_memory(struct memory_case *c)
{
    const struct asm_mem *m = &c->mem;
    char *p = c->text;
    int32_t disp = m->disp;
    const char *plus = "";
    *p++ = '[';
    if (m->pool >= 0) {
        p += sprintf(p, "rip");
        plus = " + ";
    }
    if (m->base != GPR_NONE) {
        p += sprintf(p, "%s", gpr64[m->base]);
        plus = " + ";
    }
    if (m->index != GPR_NONE) {
        p += sprintf(p, "%s%s", plus, gpr64[m->index]);
        if (m->shift)
            p += sprintf(p, "*%u", 1u << m->shift);
        plus = " + ";
    }
    if (disp < 0 && *plus)
        p += sprintf(p, " - %s", number(-(int64_t)disp));
    else if (disp || !*plus)
        p += sprintf(p, "%s%s", plus, number((uint64_t)disp));
    sprintf(p, "]");
}

static const struct memory_case *memory_cases(void)
{
    static struct memory_case cases[MEMORY_CASES];
    static const int32_t disps[6] = {0, 8, -1, 127, 128, -0x12345};
    struct memory_case *c = cases;
    if (cases[0].text[0])
        return cases;
    for (unsigned base = 0; base < 16; base++)
        for (unsigned i = 0; i < 6; i++)
            c++->mem = asm_base(base, disps[i]);
    for (unsigned base = 0; base < 16; base++)
        c++->mem = asm_indexed(base, (base + 9) % 16 == RSP ? RCX : (base + 9) % 16, base % 4, disps[base % 6]);
    for (unsigned index = 0; index < 16; index++)
        for (unsigned shift = 0; index != RSP && shift < 4; shift++)
            c++->mem = asm_indexed((index + 13) % 16, index, shift, disps[(index + shift) % 6]);
    c++->mem = (struct asm_mem){.base = GPR_NONE, .index = GPR_NONE, .disp = 0x12345, .pool = -1};
    c++->mem = (struct asm_mem){.base = GPR_NONE, .index = RDX, .shift = 2, .disp = 0x40, .pool = -1};
    c++->mem = (struct asm_mem){.base = GPR_NONE, .index = R13, .shift = 3, .disp = 0x7fffffff, .pool = -1};
    c++->mem = asm_pool(0);
    assert_ptr_equal(c, cases + MEMORY_CASES);
    for (unsigned i = 0; i < MEMORY_CASES; i++)
        describe_memory(&cases[i]);
    return cases;
}

/* ---- emitting and comparing ------------------------------------------------------------------------------------ */

static struct assembler *begin(struct bench *b)
{
    b->as = (struct assembler){.start = b->code, .p = b->code, .end = b->code + sizeof b->code, .rx = b->code,
                               .fixups = b->fixups, .fixups_capacity = 4};
    return &b->as;
}

/* Copies without "xmmword ptr " and the like. */
static void strip_sizes(char *to, const char *from)
{
    while (*from) {
        const char *word = from;
        while (isalpha((unsigned char)*word))
            word++;
        if (word != from && strncmp(word, " ptr ", 5) == 0) {
            from = word + 5;
            continue;
        }
        do
            *to++ = *from++;
        while (*from && (isalnum((unsigned char)from[-1])));
    }
    *to = 0;
}

__attribute__((format(printf, 2, 3))) static void expect(struct bench *b, const char *format, ...)
{
    char want[160], got[256], operands[160];
    va_list args;
    va_start(args, format);
    vsnprintf(want, sizeof want, format, args);
    va_end(args);
    size_t size = (size_t)(b->as.p - b->as.start);
    cs_insn *insn;
    size_t n = cs_disasm(b->capstone, b->code, size, 0x1000, 0, &insn);
    if (n != 1 || insn->size != size)
        fail_msg("%s: %zu bytes are %zu instructions", want, size, n);
    strip_sizes(operands, insn->op_str);
    snprintf(got, sizeof got, "%s%s%s", insn->mnemonic, *operands ? " " : "", operands);
    if (strcmp(got, want))
        fail_msg("emitted \"%s\", expected \"%s\"", got, want);
    cs_free(insn, n);
    b->checked++;
}

/* The pool's fixup, if there is one, is of the displacement and relative to the end of the instruction. */
static void expect_fixup(struct bench *b, const struct asm_mem *m, unsigned imm_bytes)
{
    uint32_t size = asm_offset(&b->as);
    assert_int_equal(b->as.nfixups, m->pool >= 0);
    if (m->pool >= 0) {
        assert_int_equal(b->as.fixups[0].next, size);
        assert_int_equal(b->as.fixups[0].at, size - imm_bytes - 4);
        assert_int_equal(b->as.fixups[0].pool, m->pool);
    }
}

#define EMIT(call, ...)                \
    do {                               \
        struct assembler *a = begin(b); \
        call;                          \
        expect(b, __VA_ARGS__);        \
    } while (0)

#define FOR_REGS(r) for (unsigned r = 0; r < 16; r++)
#define FOR_WIDTHS(w) for (unsigned w = 0; w < 2; w++)
#define FOR_BYTES(n) for (unsigned n = 1; n <= 8; n *= 2)
#define FOR_MEMORY(c) for (const struct memory_case *c = memory_cases(); c < memory_cases() + MEMORY_CASES; c++)
#define W(w) ((w) ? 8u : 4u)

static int set_up(void **state)
{
    static struct bench bench;
    *state = &bench;
    return cs_open(CS_ARCH_X86, CS_MODE_64, &bench.capstone) == CS_ERR_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    struct bench *b = *state;
    print_message("%u instructions\n", b->checked);
    return cs_close(&b->capstone) == CS_ERR_OK ? 0 : -1;
}

/* ---- VEX forms: all rows of asm_vec.inc ------------------------------------------------------------------------ */

/* The mnemonic of a row: its name up to an underscore. */
static const char *mnemonic(const char *name)
{
    static char text[32];
    snprintf(text, sizeof text, "%.*s", (int)strcspn(name, "_"), name);
    return text;
}

typedef void rvm_form(struct assembler *a, unsigned dst, unsigned x, struct asm_operand y);
typedef void rvmi_form(struct assembler *a, unsigned dst, unsigned x, struct asm_operand y, unsigned imm);
typedef void rm_form(struct assembler *a, unsigned dst, struct asm_operand x);
typedef void rmi_form(struct assembler *a, unsigned dst, struct asm_operand x, unsigned imm);
typedef void mr_form(struct assembler *a, struct asm_mem dst, unsigned x);
typedef void vmi_form(struct assembler *a, unsigned dst, unsigned x, unsigned imm);
typedef void g_rm_form(struct assembler *a, unsigned w, unsigned dst, struct asm_operand x);
typedef void rvm_g_form(struct assembler *a, unsigned w, unsigned dst, unsigned x, struct asm_operand y);

static void check_rvm(struct bench *b, const char *name, rvm_form *form)
{
    FOR_REGS(d) FOR_REGS(x) FOR_REGS(y)
        EMIT(form(a, d, x, asm_reg(y)), "%s %s, %s, %s", name, xmm[d], xmm[x], xmm[y]);
    FOR_MEMORY(c) {
        unsigned d = b->checked % 16, x = b->checked / 16 % 16;
        EMIT(form(a, d, x, asm_at(c->mem)), "%s %s, %s, %s", name, xmm[d], xmm[x], c->text);
        expect_fixup(b, &c->mem, 0);
    }
}

/* Comparisons are printed with their predicate in the mnemonic. */
static void check_compare(struct bench *b, const char *name, rvmi_form *form)
{
    static const struct {
        uint8_t imm;
        const char *predicate;
    } rows[] = {{0x00, "eq"}, {0x03, "unord"}, {0x07, "ord"},  {0x08, "eq_uq"},
                {0x0d, "ge"}, {0x0e, "gt"},    {0x1d, "ge_oq"}};
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[32];
        snprintf(text, sizeof text, "vcmp%s%s", rows[i].predicate, name + strlen("vcmp"));
        FOR_REGS(d)
            EMIT(form(a, d, d ^ 5, asm_reg(d ^ 9), rows[i].imm), "%s %s, %s, %s", text, xmm[d], xmm[d ^ 5], xmm[d ^ 9]);
        FOR_MEMORY(c) {
            EMIT(form(a, 11, 3, asm_at(c->mem), rows[i].imm), "%s xmm11, xmm3, %s", text, c->text);
            expect_fixup(b, &c->mem, 1);
        }
    }
}

static void check_rvmi(struct bench *b, const char *name, rvmi_form *form)
{
    if (strncmp(name, "vcmp", 4) == 0) {
        check_compare(b, name, form);
        return;
    }
    FOR_REGS(d) FOR_REGS(x) {
        unsigned y = (d + 3 * x) % 16, imm = (x & 1) | (x & 2) << 3; /* all that vpclmulqdq allows */
        EMIT(form(a, d, x, asm_reg(y), imm), "%s %s, %s, %s, %s", name, xmm[d], xmm[x], xmm[y], number(imm));
    }
    FOR_MEMORY(c) {
        EMIT(form(a, 11, 3, asm_at(c->mem), 1), "%s xmm11, xmm3, %s, 1", name, c->text);
        expect_fixup(b, &c->mem, 1);
    }
}

static void check_rm(struct bench *b, const char *name, rm_form *form)
{
    FOR_REGS(d) FOR_REGS(x)
        EMIT(form(a, d, asm_reg(x)), "%s %s, %s", name, xmm[d], xmm[x]);
    /* Where the register does not tell the source's size, the mnemonic does. */
    const char *suffix = strcmp(name, "vcvtpd2ps") == 0 ? "x" : "";
    FOR_MEMORY(c) {
        unsigned d = b->checked % 16;
        EMIT(form(a, d, asm_at(c->mem)), "%s%s %s, %s", name, suffix, xmm[d], c->text);
        expect_fixup(b, &c->mem, 0);
    }
}

static void check_rmi(struct bench *b, const char *name, rmi_form *form)
{
    FOR_REGS(d) FOR_REGS(x)
        EMIT(form(a, d, asm_reg(x), x), "%s %s, %s, %s", name, xmm[d], xmm[x], number(x));
    FOR_MEMORY(c) {
        EMIT(form(a, 13, asm_at(c->mem), 0xee), "%s xmm13, %s, 0xee", name, c->text);
        expect_fixup(b, &c->mem, 1);
    }
}

static void check_mr(struct bench *b, const char *name, mr_form *form)
{
    FOR_REGS(x)
        FOR_MEMORY(c)
            EMIT(form(a, c->mem, x), "%s %s, %s", mnemonic(name), c->text, xmm[x]);
}

static void check_vmi(struct bench *b, const char *name, vmi_form *form)
{
    FOR_REGS(d) FOR_REGS(x)
        EMIT(form(a, d, x, 3 * d), "%s %s, %s, %s", name, xmm[d], xmm[x], number(3 * d));
}

/* The same shape as RVMI: the last operand is a register instead of an immediate. */
static void check_rvmr(struct bench *b, const char *name, rvmi_form *form)
{
    FOR_REGS(d) FOR_REGS(m) {
        unsigned x = (d + 3 * m) % 16, y = (m + 11) % 16;
        EMIT(form(a, d, x, asm_reg(y), m), "%s %s, %s, %s, %s", name, xmm[d], xmm[x], xmm[y], xmm[m]);
    }
    FOR_MEMORY(c) {
        EMIT(form(a, 2, 9, asm_at(c->mem), 15), "%s xmm2, xmm9, %s, xmm15", name, c->text);
        expect_fixup(b, &c->mem, 1);
    }
}

static void check_g_rm(struct bench *b, const char *name, g_rm_form *form)
{
    FOR_WIDTHS(w) {
        FOR_REGS(d) FOR_REGS(x)
            EMIT(form(a, w, d, asm_reg(x)), "%s %s, %s", name, gpr(W(w), d), xmm[x]);
        FOR_MEMORY(c)
            EMIT(form(a, w, R9, asm_at(c->mem)), "%s %s, %s", name, gpr(W(w), R9), c->text);
    }
}

static void check_rvm_g(struct bench *b, const char *name, rvm_g_form *form)
{
    FOR_WIDTHS(w) {
        FOR_REGS(d) FOR_REGS(x)
            EMIT(form(a, w, d, x, asm_reg(d ^ x)), "%s %s, %s, %s", name, xmm[d], xmm[x], gpr(W(w), d ^ x));
        FOR_MEMORY(c)
            EMIT(form(a, w, 4, 12, asm_at(c->mem)), "%s xmm4, xmm12, %s", name, c->text);
    }
}

static void check_sse_rm(struct bench *b, const char *name, void (*form)(struct assembler *a, unsigned dst, unsigned x))
{
    FOR_REGS(d) FOR_REGS(x) /* of sha256rnds2 XMM0 is implied and not printed */
        EMIT(form(a, d, x), "%s %s, %s", name, xmm[d], xmm[x]);
}

static void check_sse_rmi(struct bench *b, const char *name, vmi_form *form)
{
    FOR_REGS(d) FOR_REGS(x)
        EMIT(form(a, d, x, x & 3), "%s %s, %s, %s", name, xmm[d], xmm[x], number(x & 3));
}

static void test_vex_rows(void **state)
{
    struct bench *b = *state;
#define RVM(name, map, prefix, byte) check_rvm(b, #name, name);
#define RVM_W(name, map, prefix, byte) check_rvm(b, #name, name);
#define RVMI(name, map, prefix, byte) check_rvmi(b, #name, name);
#define RM(name, map, prefix, byte) check_rm(b, #name, name);
#define RMI(name, map, prefix, byte) check_rmi(b, #name, name);
#define MR(name, map, prefix, byte) check_mr(b, #name, name);
#define VMI(name, map, prefix, byte, digit) check_vmi(b, #name, name);
#define RVMR(name, map, prefix, byte) check_rvmr(b, #name, name);
#define G_RM(name, map, prefix, byte) check_g_rm(b, #name, name);
#define RVM_G(name, map, prefix, byte) check_rvm_g(b, #name, name);
#define SSE_RM(name, map, prefix, byte) check_sse_rm(b, #name, name);
#define SSE_RMI(name, map, prefix, byte) check_sse_rmi(b, #name, name);
#include "backend/x86_64/asm_vec.inc"
}

static void test_vex_general_registers(void **state)
{
    struct bench *b = *state;
    static const char *const suffix[9] = {[1] = "b", [2] = "w", [4] = "d", [8] = "q"};
    FOR_WIDTHS(w) {
        FOR_REGS(x) FOR_REGS(g) {
            EMIT(vmov_from_gpr(a, w, x, asm_reg(g)), "vmov%s %s, %s", suffix[W(w)], xmm[x], gpr(W(w), g));
            EMIT(vmov_to_gpr(a, w, asm_reg(g), x), "vmov%s %s, %s", suffix[W(w)], gpr(W(w), g), xmm[x]);
            EMIT(vmovmsk(a, W(w), g, x), "vmovmskp%c %s, %s", W(w) == 8 ? 'd' : 's', gpr(4, g), xmm[x]);
        }
        FOR_MEMORY(c) {
            EMIT(vmov_from_gpr(a, w, 7, asm_at(c->mem)), "vmov%s xmm7, %s", suffix[W(w)], c->text);
            EMIT(vmov_to_gpr(a, w, asm_at(c->mem), 14), "vmov%s %s, xmm14", suffix[W(w)], c->text);
        }
    }
    FOR_BYTES(n) {
        unsigned reg = n == 8 ? 8 : 4;
        FOR_REGS(x) FOR_REGS(g) {
            unsigned lane = g % (16 / n);
            EMIT(vpextr(a, n, asm_reg(g), x, lane), "vpextr%s %s, %s, %s", suffix[n], gpr(reg, g), xmm[x],
                 number(lane));
            EMIT(vpinsr(a, n, x, g, asm_reg(x ^ g), lane), "vpinsr%s %s, %s, %s, %s", suffix[n], xmm[x], xmm[g],
                 gpr(reg, x ^ g), number(lane));
        }
        FOR_MEMORY(c) {
            EMIT(vpextr(a, n, asm_at(c->mem), 10, 1), "vpextr%s %s, xmm10, 1", suffix[n], c->text);
            EMIT(vpinsr(a, n, 1, 8, asm_at(c->mem), 1), "vpinsr%s xmm1, xmm8, %s, 1", suffix[n], c->text);
            expect_fixup(b, &c->mem, 1);
        }
    }
}

/* The 256-bit forms: of all shapes, they differ in one bit of the prefix. */
static void test_vex_256(void **state)
{
    struct bench *b = *state;
    static const char *const ymm[16] = {"ymm0", "ymm1", "ymm2",  "ymm3",  "ymm4",  "ymm5",  "ymm6",  "ymm7",
                                        "ymm8", "ymm9", "ymm10", "ymm11", "ymm12", "ymm13", "ymm14", "ymm15"};
    FOR_REGS(d) FOR_REGS(x) {
        unsigned y = d ^ x;
        EMIT(vex_rvm(a, X86_vaddps | X86_L, d, x, asm_reg(y)), "vaddps %s, %s, %s", ymm[d], ymm[x], ymm[y]);
        EMIT(vex_rvm(a, X86_vfmadd231ps | X86_L, d, x, asm_reg(y)), "vfmadd231ps %s, %s, %s", ymm[d], ymm[x], ymm[y]);
        EMIT(vex_rvmi(a, X86_vcmpps | X86_L, d, x, asm_reg(y), 3), "vcmpunordps %s, %s, %s", ymm[d], ymm[x], ymm[y]);
        EMIT(vex_rm(a, X86_vcvtph2ps | X86_L, d, asm_reg(x)), "vcvtph2ps %s, %s", ymm[d], xmm[x]);
        EMIT(vex_rm(a, X86_vbroadcastss | X86_L, d, asm_reg(x)), "vbroadcastss %s, %s", ymm[d], xmm[x]);
        EMIT(vex_rmi(a, X86_vroundps | X86_L, d, asm_reg(x), 3), "vroundps %s, %s, 3", ymm[d], ymm[x]);
        EMIT(vex_vmi(a, X86_vpslld | X86_L, 6, d, x, 7), "vpslld %s, %s, 7", ymm[d], ymm[x]);
        EMIT(vcvtps2ph(a, X86_L, asm_reg(d), x, 4), "vcvtps2ph %s, %s, 4", xmm[d], ymm[x]);
        EMIT(vcvtps2ph(a, 0, asm_reg(d), x, 4), "vcvtps2ph %s, %s, 4", xmm[d], xmm[x]);
        EMIT(vextract_high(a, d, x), "vextracti128 %s, %s, 1", xmm[d], ymm[x]);
    }
    FOR_MEMORY(c) {
        EMIT(vex_rvm(a, X86_vmulps | X86_L, 3, 12, asm_at(c->mem)), "vmulps ymm3, ymm12, %s", c->text);
        expect_fixup(b, &c->mem, 0);
        EMIT(vex_rm(a, X86_vcvtph2ps | X86_L, 9, asm_at(c->mem)), "vcvtph2ps ymm9, %s", c->text);
        EMIT(vex_rm(a, X86_vbroadcastss | X86_L, 14, asm_at(c->mem)), "vbroadcastss ymm14, %s", c->text);
    }
    EMIT(vzeroupper(a), "vzeroupper");
}

/* ---- integer forms --------------------------------------------------------------------------------------------- */

static void test_alu(void **state)
{
    struct bench *b = *state;
    static const char *const names[8] = {"add", "or", "adc", "sbb", "and", "sub", "xor", "cmp"};
    for (enum alu op = ALU_ADD; op <= ALU_CMP; op++) {
        FOR_WIDTHS(w) {
            FOR_REGS(d) {
                FOR_REGS(s)
                    EMIT(x_alu(a, op, w, d, asm_reg(s)), "%s %s, %s", names[op], gpr(W(w), d), gpr(W(w), s));
                EMIT(x_alu_imm(a, op, w, asm_reg(d), 5), "%s %s, 5", names[op], gpr(W(w), d));
                EMIT(x_alu_imm(a, op, w, asm_reg(d), 0x12345), "%s %s, 0x12345", names[op], gpr(W(w), d));
            }
            FOR_MEMORY(c) {
                EMIT(x_alu(a, op, w, R10, asm_at(c->mem)), "%s %s, %s", names[op], gpr(W(w), R10), c->text);
                EMIT(x_alu_imm(a, op, w, asm_at(c->mem), 7), "%s %s, 7", names[op], c->text);
                expect_fixup(b, &c->mem, 1);
                EMIT(x_alu_imm(a, op, w, asm_at(c->mem), 0x12345), "%s %s, 0x12345", names[op], c->text);
                expect_fixup(b, &c->mem, 4);
            }
        }
        FOR_BYTES(n) {
            FOR_REGS(s)
                EMIT(x_alu_mem(a, op, n, asm_base(R12, 4), s), "%s [r12 + 4], %s", names[op], gpr(n, s));
            FOR_MEMORY(c)
                EMIT(x_alu_mem(a, op, n, c->mem, RSI), "%s %s, %s", names[op], c->text, gpr(n, RSI));
        }
    }
}

static void test_tests_and_moves(void **state)
{
    struct bench *b = *state;
    FOR_WIDTHS(w) {
        FOR_REGS(d) {
            FOR_REGS(s) {
                EMIT(x_test(a, w, d, s), "test %s, %s", gpr(W(w), d), gpr(W(w), s));
                EMIT(x_mov(a, w, d, s), "mov %s, %s", gpr(W(w), d), gpr(W(w), s));
            }
            EMIT(x_test_imm(a, w, asm_reg(d), 0x1234), "test %s, 0x1234", gpr(W(w), d));
            EMIT(x_bt_imm(a, w, asm_reg(d), 3), "bt %s, 3", gpr(W(w), d));
        }
        FOR_MEMORY(c) {
            EMIT(x_test_imm(a, w, asm_at(c->mem), 0x1234), "test %s, 0x1234", c->text);
            expect_fixup(b, &c->mem, 4);
            EMIT(x_bt_imm(a, w, asm_at(c->mem), 3), "bt %s, 3", c->text);
            expect_fixup(b, &c->mem, 1);
            FOR_REGS(d) {
                EMIT(x_load(a, w, d, c->mem), "mov %s, %s", gpr(W(w), d), c->text);
                if (c->mem.pool < 0)
                    EMIT(x_lea(a, w, d, c->mem), "lea %s, %s", gpr(W(w), d), c->text);
            }
        }
    }
    FOR_BYTES(n)
        FOR_MEMORY(c) {
            FOR_REGS(s)
                EMIT(x_store(a, n, c->mem, s), "mov %s, %s", c->text, gpr(n, s));
            EMIT(x_store_imm(a, n, c->mem, 6), "mov %s, 6", c->text);
            expect_fixup(b, &c->mem, n == 8 ? 4 : n);
        }
}

static void test_immediates(void **state)
{
    struct bench *b = *state;
    FOR_REGS(d) {
        EMIT(x_mov_imm(a, d, 0), "mov %s, 0", gpr32[d]);
        EMIT(x_mov_imm(a, d, 0xfedcba98), "mov %s, 0xfedcba98", gpr32[d]);
        EMIT(x_mov_imm(a, d, (uint64_t)-5), "mov %s, -5", gpr64[d]);
        EMIT(x_mov_imm(a, d, UINT64_C(0x123456789abcdef0)), "movabs %s, 0x123456789abcdef0", gpr64[d]);
    }
}

static void test_extensions(void **state)
{
    struct bench *b = *state;
    static const char *const zext[5] = {[1] = "movzx", [2] = "movzx", [4] = "mov"};
    static const char *const sext[5] = {[1] = "movsx", [2] = "movsx", [4] = "movsxd"};
    for (unsigned n = 1; n <= 4; n *= 2) {
        FOR_REGS(d) FOR_REGS(s) {
            EMIT(x_zext(a, n, d, asm_reg(s)), "%s %s, %s", zext[n], gpr32[d], gpr(n, s));
            EMIT(x_sext(a, 1, n, d, asm_reg(s)), "%s %s, %s", sext[n], gpr64[d], gpr(n, s));
            if (n < 4)
                EMIT(x_sext(a, 0, n, d, asm_reg(s)), "%s %s, %s", sext[n], gpr32[d], gpr(n, s));
        }
        FOR_MEMORY(c) {
            EMIT(x_zext(a, n, RDI, asm_at(c->mem)), "%s edi, %s", zext[n], c->text);
            EMIT(x_sext(a, 1, n, RDI, asm_at(c->mem)), "%s rdi, %s", sext[n], c->text);
            if (n < 4)
                EMIT(x_sext(a, 0, n, R8, asm_at(c->mem)), "%s r8d, %s", sext[n], c->text);
        }
    }
}

static void test_shifts(void **state)
{
    struct bench *b = *state;
    static const struct {
        enum shift op;
        const char *name;
    } rows[] = {{SHIFT_ROL, "rol"}, {SHIFT_ROR, "ror"}, {SHIFT_SHL, "shl"}, {SHIFT_SHR, "shr"}, {SHIFT_SAR, "sar"}};
    FOR_WIDTHS(w) FOR_REGS(d) {
        for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
            EMIT(x_shift_imm(a, rows[i].op, w, d, 31), "%s %s, 0x1f", rows[i].name, gpr(W(w), d));
            EMIT(x_shift_cl(a, rows[i].op, w, d), "%s %s, cl", rows[i].name, gpr(W(w), d));
        }
        FOR_REGS(s) {
            EMIT(x_shrd(a, w, d, s, 7), "shrd %s, %s, 7", gpr(W(w), d), gpr(W(w), s));
            EMIT(x_rorx(a, w, d, asm_reg(s), 9), "rorx %s, %s, 9", gpr(W(w), d), gpr(W(w), s));
            EMIT(x_shlx(a, w, d, asm_reg(s), d ^ s), "shlx %s, %s, %s", gpr(W(w), d), gpr(W(w), s), gpr(W(w), d ^ s));
            EMIT(x_shrx(a, w, d, asm_reg(s), d ^ s), "shrx %s, %s, %s", gpr(W(w), d), gpr(W(w), s), gpr(W(w), d ^ s));
            EMIT(x_sarx(a, w, d, asm_reg(s), d ^ s), "sarx %s, %s, %s", gpr(W(w), d), gpr(W(w), s), gpr(W(w), d ^ s));
        }
    }
    FOR_WIDTHS(w) FOR_MEMORY(c) {
        EMIT(x_rorx(a, w, RBX, asm_at(c->mem), 9), "rorx %s, %s, 9", gpr(W(w), RBX), c->text);
        expect_fixup(b, &c->mem, 1);
        EMIT(x_shlx(a, w, R14, asm_at(c->mem), R9), "shlx %s, %s, %s", gpr(W(w), R14), c->text, gpr(W(w), R9));
        EMIT(x_shrx(a, w, R14, asm_at(c->mem), R9), "shrx %s, %s, %s", gpr(W(w), R14), c->text, gpr(W(w), R9));
        EMIT(x_sarx(a, w, R14, asm_at(c->mem), R9), "sarx %s, %s, %s", gpr(W(w), R14), c->text, gpr(W(w), R9));
    }
}

static void test_one_operand(void **state)
{
    struct bench *b = *state;
    FOR_WIDTHS(w) FOR_REGS(r) {
        EMIT(x_neg(a, w, r), "neg %s", gpr(W(w), r));
        EMIT(x_not(a, w, r), "not %s", gpr(W(w), r));
        EMIT(x_div(a, w, asm_reg(r)), "div %s", gpr(W(w), r));
        EMIT(x_idiv(a, w, asm_reg(r)), "idiv %s", gpr(W(w), r));
        EMIT(x_bswap(a, w, r), "bswap %s", gpr(W(w), r));
    }
    FOR_REGS(r) {
        EMIT(x_imul_wide(a, asm_reg(r)), "imul %s", gpr64[r]);
        EMIT(x_push(a, r), "push %s", gpr64[r]);
        EMIT(x_pop(a, r), "pop %s", gpr64[r]);
    }
    FOR_WIDTHS(w) FOR_MEMORY(c) {
        EMIT(x_div(a, w, asm_at(c->mem)), "div %s", c->text);
        EMIT(x_idiv(a, w, asm_at(c->mem)), "idiv %s", c->text);
    }
    FOR_MEMORY(c)
        EMIT(x_imul_wide(a, asm_at(c->mem)), "imul %s", c->text);
}

static void test_products_and_bits(void **state)
{
    struct bench *b = *state;
    FOR_WIDTHS(w) FOR_REGS(d) FOR_REGS(s) {
        const char *dst = gpr(W(w), d), *src = gpr(W(w), s);
        EMIT(x_imul(a, w, d, asm_reg(s)), "imul %s, %s", dst, src);
        EMIT(x_imul_imm(a, w, d, asm_reg(s), 9), "imul %s, %s, 9", dst, src);
        EMIT(x_imul_imm(a, w, d, asm_reg(s), 0x1234), "imul %s, %s, 0x1234", dst, src);
        EMIT(x_lzcnt(a, w, d, asm_reg(s)), "lzcnt %s, %s", dst, src);
        EMIT(x_tzcnt(a, w, d, asm_reg(s)), "tzcnt %s, %s", dst, src);
        EMIT(x_andn(a, w, d, s, asm_reg(d ^ s)), "andn %s, %s, %s", dst, src, gpr(W(w), d ^ s));
        if (w)
            EMIT(x_mulx(a, d, s, asm_reg(d ^ s)), "mulx %s, %s, %s", dst, src, gpr64[d ^ s]);
        for (unsigned cond = 0; cond < 16; cond++)
            EMIT(x_cmov(a, cond, w, d, asm_reg(s)), "cmov%s %s, %s", condition_names[cond], dst, src);
    }
    FOR_WIDTHS(w) FOR_MEMORY(c) {
        const char *dst = gpr(W(w), R11);
        EMIT(x_imul(a, w, R11, asm_at(c->mem)), "imul %s, %s", dst, c->text);
        EMIT(x_imul_imm(a, w, R11, asm_at(c->mem), 9), "imul %s, %s, 9", dst, c->text);
        expect_fixup(b, &c->mem, 1);
        EMIT(x_imul_imm(a, w, R11, asm_at(c->mem), 0x1234), "imul %s, %s, 0x1234", dst, c->text);
        expect_fixup(b, &c->mem, 4);
        EMIT(x_lzcnt(a, w, R11, asm_at(c->mem)), "lzcnt %s, %s", dst, c->text);
        EMIT(x_tzcnt(a, w, R11, asm_at(c->mem)), "tzcnt %s, %s", dst, c->text);
        EMIT(x_andn(a, w, R11, RCX, asm_at(c->mem)), "andn %s, %s, %s", dst, gpr(W(w), RCX), c->text);
        EMIT(x_cmov(a, 12, w, R11, asm_at(c->mem)), "cmovl %s, %s", dst, c->text);
        if (w)
            EMIT(x_mulx(a, R11, RCX, asm_at(c->mem)), "mulx r11, rcx, %s", c->text);
    }
    for (unsigned cond = 0; cond < 16; cond++)
        FOR_REGS(d)
            EMIT(x_setcc(a, cond, d), "set%s %s", condition_names[cond], gpr8[d]);
}

static void test_crc(void **state)
{
    struct bench *b = *state;
    FOR_BYTES(n) {
        unsigned dst_bytes = n == 8 ? 8 : 4;
        FOR_REGS(d) FOR_REGS(s)
            EMIT(x_crc32(a, n, d, asm_reg(s)), "crc32 %s, %s", gpr(dst_bytes, d), gpr(n, s));
        FOR_MEMORY(c)
            EMIT(x_crc32(a, n, R15, asm_at(c->mem)), "crc32 %s, %s", gpr(dst_bytes, R15), c->text);
    }
}

static void test_atomics(void **state)
{
    struct bench *b = *state;
    FOR_BYTES(n) FOR_REGS(s) FOR_MEMORY(c) {
        if (s != RSI && c->mem.base != R12) /* all registers with one base, all memory with one register */
            continue;
        EMIT(x_xchg(a, n, c->mem, s), "xchg %s, %s", c->text, gpr(n, s));
        EMIT((x_lock(a), x_xadd(a, n, c->mem, s)), "lock xadd %s, %s", c->text, gpr(n, s));
        EMIT((x_lock(a), x_cmpxchg(a, n, c->mem, s)), "lock cmpxchg %s, %s", c->text, gpr(n, s));
    }
    FOR_MEMORY(c)
        EMIT((x_lock(a), x_cmpxchg16b(a, c->mem)), "lock cmpxchg16b %s", c->text);
}

static void test_no_operands(void **state)
{
    struct bench *b = *state;
    EMIT(x_cqo(a, 0), "cdq");
    EMIT(x_cqo(a, 1), "cqo");
    EMIT(x_lahf(a), "lahf");
    EMIT(x_sahf(a), "sahf");
    EMIT(x_cmc(a), "cmc");
    EMIT(x_stc(a), "stc");
    EMIT(x_ret(a), "ret");
    EMIT(x_add_al(a, 0x7f), "add al, 0x7f");
    EMIT(x_push_imm(a, 0x12345), "push 0x12345");
}

static void test_control(void **state)
{
    struct bench *b = *state;
    EMIT(asm_patch(a, x_jmp(a), 0x20), "jmp 0x1020");
    EMIT(asm_patch(a, x_call(a), 0x30), "call 0x1030");
    EMIT(asm_patch_to(a, x_jmp(a), b->code + 0x40), "jmp 0x1040");
    for (unsigned cond = 0; cond < 16; cond++) {
        EMIT(asm_patch(a, x_jcc(a, cond), 0x50), "j%s 0x1050", condition_names[cond]);
        EMIT(asm_patch8(a, x_jcc8(a, cond)), "j%s 0x1002", condition_names[cond]);
    }
    EMIT(asm_patch8(a, x_jmp8(a)), "jmp 0x1002");
    FOR_REGS(r) {
        EMIT(x_jmp_reg(a, r), "jmp %s", gpr64[r]);
        EMIT(x_call_reg(a, r), "call %s", gpr64[r]);
    }
    FOR_MEMORY(c) {
        EMIT(x_jmp_mem(a, c->mem), "jmp %s", c->text);
        EMIT(x_call_mem(a, c->mem), "call %s", c->text);
        EMIT(x_ldmxcsr(a, c->mem), "ldmxcsr %s", c->text);
        EMIT(x_stmxcsr(a, c->mem), "stmxcsr %s", c->text);
    }
}

/* A full buffer is remembered, and nothing is written behind its end. */
static void test_overflow(void **state)
{
    struct bench *b = *state;
    struct assembler *a = begin(b);
    uint8_t *limit = b->code + 48;
    a->end = limit;
    memset(limit, 0xa5, sizeof b->code - 48);
    for (unsigned i = 0; i < 100; i++) {
        x_mov_imm(a, R9, UINT64_C(0x123456789abcdef0));
        assert_true(a->p <= limit);
    }
    assert_true(a->overflow);
    for (unsigned i = 48; i < sizeof b->code; i++)
        assert_int_equal(b->code[i], 0xa5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vex_rows),
        cmocka_unit_test(test_vex_general_registers),
        cmocka_unit_test(test_vex_256),
        cmocka_unit_test(test_alu),
        cmocka_unit_test(test_tests_and_moves),
        cmocka_unit_test(test_immediates),
        cmocka_unit_test(test_extensions),
        cmocka_unit_test(test_shifts),
        cmocka_unit_test(test_one_operand),
        cmocka_unit_test(test_products_and_bits),
        cmocka_unit_test(test_crc),
        cmocka_unit_test(test_atomics),
        cmocka_unit_test(test_no_operands),
        cmocka_unit_test(test_control),
        cmocka_unit_test(test_overflow),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

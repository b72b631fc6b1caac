/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Integer instructions by inline assembly on edge operands, against C that says what each one means. */
#include "check.h"

static const uint64_t edges[] = {0, 1, 2, 3, 7, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff,
                                 0x100000000, 0x7fffffffffffffff, 0x8000000000000000, 0xffffffffffffffff, 0xfffffffffffffffe,
                                 0x0123456789abcdef, 0xfedcba9876543210, 0x5555555555555555, 63, 64, 65};
enum { EDGES = sizeof(edges) / sizeof(edges[0]) };

#define OP2(text) ({ uint64_t r_; __asm__(text : "=r"(r_) : "r"(a), "r"(b)); r_; })
#define OP1(text) ({ uint64_t r_; __asm__(text : "=r"(r_) : "r"(a)); r_; })
#define FLAGS(text) ({ uint64_t r_; __asm__(text "\n mrs %0, nzcv" : "=&r"(r_) : "r"(a), "r"(b) : "cc"); (unsigned)(r_ >> 28); })

static unsigned flags(uint64_t a, uint64_t b, unsigned carry, unsigned bits)
{
    uint64_t mask = bits == 64 ? UINT64_MAX : 0xffffffff, top = 1ull << (bits - 1);
    a &= mask, b &= mask;
    unsigned __int128 sum = (unsigned __int128)a + b + carry;
    uint64_t r = (uint64_t)sum & mask;
    return (r & top ? 8u : 0) | (r == 0 ? 4u : 0) | ((uint64_t)(sum >> bits) & 1 ? 2u : 0) | ((~(a ^ b) & (a ^ r) & top) ? 1u : 0);
}

static unsigned holds(unsigned cond, unsigned f)
{
    unsigned n = f >> 3 & 1, z = f >> 2 & 1, c = f >> 1 & 1, v = f & 1, r = 0;
    switch (cond >> 1) {
    case 0: r = z; break;
    case 1: r = c; break;
    case 2: r = n; break;
    case 3: r = v; break;
    case 4: r = c && !z; break;
    case 5: r = n == v; break;
    case 6: r = n == v && !z; break;
    }
    return cond & 1 ? !r : r;
}

int main(void)
{
    for (unsigned i = 0; i < EDGES; i++)
        for (unsigned j = 0; j < EDGES; j++) {
            uint64_t a = edges[i], b = edges[j];
            uint32_t a32 = (uint32_t)a, b32 = (uint32_t)b;
            CHECK_EQ(OP2("add %0, %1, %2, lsl #3"), a + (b << 3));
            CHECK_EQ(OP2("add %w0, %w1, %w2, asr #5"), (uint32_t)(a32 + (uint32_t)((int32_t)b32 >> 5)));
            CHECK_EQ(OP2("sub %0, %1, %w2, sxth #2"), a - (uint64_t)((int64_t)(int16_t)b * 4));
            CHECK_EQ(OP2("add %0, %1, %w2, uxtb"), a + (uint8_t)b);
            CHECK_EQ(OP2("udiv %0, %1, %2"), b ? a / b : 0);
            CHECK_EQ(OP2("sdiv %0, %1, %2"), b == 0 ? 0 : b == UINT64_MAX ? -a : (uint64_t)((int64_t)a / (int64_t)b));
            CHECK_EQ(OP2("sdiv %w0, %w1, %w2"), b32 == 0 ? 0 : b32 == UINT32_MAX ? -a32 : (uint32_t)((int32_t)a32 / (int32_t)b32));
            CHECK_EQ(OP2("udiv %w0, %w1, %w2"), b32 ? a32 / b32 : 0);
            CHECK_EQ(OP2("umulh %0, %1, %2"), (uint64_t)(((unsigned __int128)a * b) >> 64));
            CHECK_EQ(OP2("smulh %0, %1, %2"), (uint64_t)(((__int128)(int64_t)a * (int64_t)b) >> 64));
            CHECK_EQ(OP2("madd %0, %1, %2, %1"), a * b + a);
            CHECK_EQ(OP2("msub %w0, %w1, %w2, %w2"), (uint32_t)(b32 - a32 * b32));
            CHECK_EQ(OP2("smaddl %0, %w1, %w2, %1"), (uint64_t)((int64_t)(int32_t)a32 * (int32_t)b32) + a);
            CHECK_EQ(OP2("umnegl %0, %w1, %w2"), -((uint64_t)a32 * b32));
            CHECK_EQ(OP2("lsl %0, %1, %2"), a << (b & 63));
            CHECK_EQ(OP2("lsr %w0, %w1, %w2"), a32 >> (b & 31));
            CHECK_EQ(OP2("asr %0, %1, %2"), (uint64_t)((int64_t)a >> (b & 63)));
            CHECK_EQ(OP2("ror %0, %1, %2"), (b & 63) ? a >> (b & 63) | a << (64 - (b & 63)) : a);
            CHECK_EQ(OP2("ror %w0, %w1, %w2"), (b & 31) ? (uint32_t)(a32 >> (b & 31) | a32 << (32 - (b & 31))) : a32);
            CHECK_EQ(OP2("bic %0, %1, %2, ror #9"), a & ~(b >> 9 | b << 55));
            CHECK_EQ(OP2("orn %w0, %w1, %w2, lsr #4"), (uint32_t)(a32 | ~(b32 >> 4)));
            CHECK_EQ(OP2("eon %0, %1, %2"), ~(a ^ b));
            CHECK_EQ(OP2("extr %0, %1, %2, #20"), a << 44 | b >> 20);
            CHECK_EQ(({ uint64_t r_ = b; __asm__("bfi %0, %1, #12, #20" : "+r"(r_) : "r"(a)); r_; }),
                     (b & ~(0xfffffull << 12)) | (a & 0xfffff) << 12);
            CHECK_EQ(({ uint64_t r_ = b; __asm__("bfxil %w0, %w1, #7, #9" : "+r"(r_) : "r"(a)); r_; }),
                     (b32 & ~0x1ffu) | (a32 >> 7 & 0x1ff));
            CHECK_EQ(FLAGS("cmp %1, %2"), flags(a, ~b, 1, 64));
            CHECK_EQ(FLAGS("cmp %w1, %w2"), flags(a, ~b, 1, 32));
            CHECK_EQ(FLAGS("cmn %1, %2"), flags(a, b, 0, 64));
            CHECK_EQ(FLAGS("cmn %w1, %w2, lsl #1"), flags(a, (uint64_t)(b32 << 1), 0, 32));
            CHECK_EQ(FLAGS("tst %1, %2"), ((a & b) >> 63 ? 8u : 0) | ((a & b) == 0 ? 4u : 0));
            CHECK_EQ(FLAGS("cmp %1, %2\n adcs xzr, %1, %2"), flags(a, b, flags(a, ~b, 1, 64) >> 1 & 1, 64));
            CHECK_EQ(FLAGS("cmp %1, %2\n sbcs wzr, %w1, %w2"), flags(a, ~b, flags(a, ~b, 1, 64) >> 1 & 1, 32));
            CHECK_EQ(FLAGS("cmp %1, %2\n ccmp %1, #7, #13, hi"), holds(8, flags(a, ~b, 1, 64)) ? flags(a, ~7ull, 1, 64) : 13);
            CHECK_EQ(FLAGS("cmn %w1, %w2\n ccmn %w1, %w2, #2, lt"), holds(11, flags(a, b, 0, 32)) ? flags(a, b, 0, 32) : 2);
#define COND(name, number)                                                                                             \
    CHECK_EQ(OP2("cmp %1, %2\n csel %0, %1, %2, " name), holds(number, flags(a, ~b, 1, 64)) ? a : b);                  \
    CHECK_EQ(OP2("cmp %w1, %w2\n csinc %w0, %w1, %w2, " name), holds(number, flags(a, ~b, 1, 32)) ? a32 : (uint32_t)(b32 + 1)); \
    CHECK_EQ(OP2("cmn %1, %2\n csneg %0, %1, %2, " name), holds(number, flags(a, b, 0, 64)) ? a : -b);                 \
    CHECK_EQ(OP2("tst %1, %2\n cset %0, " name), holds(number, ((a & b) >> 63 ? 8u : 0) | ((a & b) == 0 ? 4u : 0)));   \
    CHECK_EQ(({ uint64_t r_ = 1; __asm__("cmp %1, %2\n b." name " 9f\n mov %0, #0\n9:" : "+&r"(r_) : "r"(a), "r"(b) : "cc"); r_; }), \
             holds(number, flags(a, ~b, 1, 64)))
            COND("eq", 0); COND("ne", 1); COND("hs", 2); COND("lo", 3); COND("mi", 4); COND("pl", 5); COND("vs", 6);
            COND("vc", 7); COND("hi", 8); COND("ls", 9); COND("ge", 10); COND("lt", 11); COND("gt", 12); COND("le", 13);
        }
    for (unsigned i = 0; i < EDGES; i++) {
        uint64_t a = edges[i];
        uint32_t a32 = (uint32_t)a;
        CHECK_EQ(OP1("clz %0, %1"), a ? (unsigned)__builtin_clzll(a) : 64);
        CHECK_EQ(OP1("clz %w0, %w1"), a32 ? (unsigned)__builtin_clz(a32) : 32);
        CHECK_EQ(OP1("cls %0, %1"), (unsigned)__builtin_clrsbll((int64_t)a));
        CHECK_EQ(OP1("cls %w0, %w1"), (unsigned)__builtin_clrsb((int)a32));
        CHECK_EQ(OP1("rev %0, %1"), __builtin_bswap64(a));
        CHECK_EQ(OP1("rev32 %0, %1"), (uint64_t)__builtin_bswap32((uint32_t)(a >> 32)) << 32 | __builtin_bswap32(a32));
        CHECK_EQ(OP1("rev16 %w0, %w1"), (a32 & 0xff00ff) << 8 | (a32 >> 8 & 0xff00ff));
        uint64_t reversed = 0;
        for (unsigned bit = 0; bit < 64; bit++)
            reversed |= (a >> bit & 1) << (63 - bit);
        CHECK_EQ(OP1("rbit %0, %1"), reversed);
        CHECK_EQ(OP1("rbit %w0, %w1"), (uint32_t)(reversed >> 32));
        CHECK_EQ(OP1("sbfx %0, %1, #5, #11"), (uint64_t)((int64_t)(a << 48) >> 53));
        CHECK_EQ(OP1("ubfiz %w0, %w1, #9, #14"), (a32 & 0x3fff) << 9);
        CHECK_EQ(OP1("sxtw %0, %w1"), (uint64_t)(int32_t)a32);
        CHECK_EQ(OP1("and %0, %1, #0xff00ff00ff00ff00"), a & 0xff00ff00ff00ff00);
        CHECK_EQ(OP1("eor %w0, %w1, #0x7ffffffe"), a32 ^ 0x7ffffffe);
        CHECK_EQ(({ uint64_t r_ = a; __asm__("movk %0, #0x1234, lsl #32" : "+r"(r_)); r_; }), (a & ~(0xffffull << 32)) | 0x123400000000);
        CHECK_EQ(({ uint64_t r_ = 0; __asm__("tbz %1, #37, 9f\n mov %0, #1\n9:" : "+&r"(r_) : "r"(a)); r_; }), a >> 37 & 1);
        CHECK_EQ(({ uint64_t r_ = 0; __asm__("cbnz %w1, 9f\n mov %0, #1\n9:" : "+&r"(r_) : "r"(a)); r_; }), a32 == 0);
        uint32_t crc = ~0u;
        for (unsigned byte = 0; byte < 8; byte++) {
            crc ^= (uint8_t)(a >> (8 * byte));
            for (unsigned bit = 0; bit < 8; bit++)
                crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
        }
        CHECK_EQ(({ uint64_t r_; __asm__(".arch_extension crc\n crc32cx %w0, %w1, %2" : "=r"(r_) : "r"(~0u), "r"(a)); (uint32_t)r_; }), crc);
    }
    return check_result();
}

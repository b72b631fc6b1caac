/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Registers for debuggers. The features, their registers and types are those of the GDB manual, "AArch64 Features"; the
 * numbers are ours, and told by the description.
 */
#include "frontend/a64/debug.h"

#include <string.h>

#include "frontend/a64/cpu.h"
#include "frontend/a64/pauth.h"

enum {
    REG_SP = 31, REG_PC, REG_CPSR,
    REG_V0, REG_FPSR = REG_V0 + 32, REG_FPCR,
    REG_TPIDR,
    REG_PAUTH_DMASK, REG_PAUTH_CMASK, /* last: only there with FEAT_PAuth */
};

/* clang-format off */
#define X(n) "<reg name=\"x" #n "\" bitsize=\"64\"/>"
#define V(n) "<reg name=\"v" #n "\" bitsize=\"128\" type=\"aarch64v\"/>"
#define VECTOR(id, type, count) "<vector id=\"" id "\" type=\"" type "\" count=\"" #count "\"/>"
#define FIELD(name, type) "<field name=\"" name "\" type=\"" type "\"/>"
#define FLAG(name, bit) "<field name=\"" name "\" start=\"" #bit "\" end=\"" #bit "\"/>"
#define DESCRIPTION(more) \
    "<?xml version=\"1.0\"?><!DOCTYPE target SYSTEM \"gdb-target.dtd\">" \
    "<target><architecture>aarch64</architecture><osabi>GNU/Linux</osabi>" \
    "<feature name=\"org.gnu.gdb.aarch64.core\">" \
    "<flags id=\"cpsr_flags\" size=\"4\">" FLAG("SP", 0) FLAG("", 1) "<field name=\"EL\" start=\"2\" end=\"3\"/>" \
    FLAG("nRW", 4) FLAG("F", 6) FLAG("I", 7) FLAG("A", 8) FLAG("D", 9) "<field name=\"BTYPE\" start=\"10\" end=\"11\"/>" \
    FLAG("SSBS", 12) FLAG("IL", 20) FLAG("SS", 21) FLAG("DIT", 24) FLAG("V", 28) FLAG("C", 29) FLAG("Z", 30) FLAG("N", 31) "</flags>" \
    X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15) X(16) X(17) X(18) X(19) X(20) \
    X(21) X(22) X(23) X(24) X(25) X(26) X(27) X(28) X(29) X(30) \
    "<reg name=\"sp\" bitsize=\"64\" type=\"data_ptr\"/><reg name=\"pc\" bitsize=\"64\" type=\"code_ptr\"/>" \
    "<reg name=\"cpsr\" bitsize=\"32\" type=\"cpsr_flags\"/></feature>" \
    "<feature name=\"org.gnu.gdb.aarch64.fpu\">" \
    VECTOR("v2d", "ieee_double", 2) VECTOR("v2u", "uint64", 2) VECTOR("v2i", "int64", 2) \
    VECTOR("v4f", "ieee_single", 4) VECTOR("v4u", "uint32", 4) VECTOR("v4i", "int32", 4) \
    VECTOR("v8f", "ieee_half", 8) VECTOR("v8u", "uint16", 8) VECTOR("v8i", "int16", 8) VECTOR("v8bf16", "bfloat16", 8) \
    VECTOR("v16u", "uint8", 16) VECTOR("v16i", "int8", 16) VECTOR("v1u", "uint128", 1) VECTOR("v1i", "int128", 1) \
    "<union id=\"vnd\">" FIELD("f", "v2d") FIELD("u", "v2u") FIELD("s", "v2i") "</union>" \
    "<union id=\"vns\">" FIELD("f", "v4f") FIELD("u", "v4u") FIELD("s", "v4i") "</union>" \
    "<union id=\"vnh\">" FIELD("bf", "v8bf16") FIELD("f", "v8f") FIELD("u", "v8u") FIELD("s", "v8i") "</union>" \
    "<union id=\"vnb\">" FIELD("u", "v16u") FIELD("s", "v16i") "</union>" \
    "<union id=\"vnq\">" FIELD("u", "v1u") FIELD("s", "v1i") "</union>" \
    "<union id=\"aarch64v\">" FIELD("d", "vnd") FIELD("s", "vns") FIELD("h", "vnh") FIELD("b", "vnb") FIELD("q", "vnq") \
    "</union>" \
    V(0) V(1) V(2) V(3) V(4) V(5) V(6) V(7) V(8) V(9) V(10) V(11) V(12) V(13) V(14) V(15) V(16) V(17) V(18) V(19) V(20) \
    V(21) V(22) V(23) V(24) V(25) V(26) V(27) V(28) V(29) V(30) V(31) \
    "<reg name=\"fpsr\" bitsize=\"32\"/><reg name=\"fpcr\" bitsize=\"32\"/></feature>" \
    "<feature name=\"org.gnu.gdb.aarch64.tls\"><reg name=\"tpidr\" bitsize=\"64\" type=\"data_ptr\"/></feature>" \
    more "</target>"
static const char plain[] = DESCRIPTION("");
static const char with_pauth[] = DESCRIPTION(
    "<feature name=\"org.gnu.gdb.aarch64.pauth\"><reg name=\"pauth_dmask\" bitsize=\"64\"/>"
    "<reg name=\"pauth_cmask\" bitsize=\"64\"/></feature>");
/* clang-format on */

static bool has_pauth(const struct cpu *cpu)
{
    return ((const struct a64_cpu *)cpu)->features >> A64_FEAT_PAUTH & 1;
}

static const char *description(const struct cpu *cpu, const char *name)
{
    if (strcmp(name, "target.xml") != 0)
        return NULL;
    return has_pauth(cpu) ? with_pauth : plain;
}

static unsigned count(const struct cpu *cpu) { return has_pauth(cpu) ? REG_PAUTH_CMASK + 1 : REG_PAUTH_DMASK; }

static size_t size(unsigned number)
{
    if (number >= REG_V0 && number < REG_FPSR)
        return 16;
    return number == REG_CPSR || number == REG_FPSR || number == REG_FPCR ? 4 : 8;
}

static size_t read_register(const struct cpu *generic, unsigned number, uint8_t bytes[ISA_DEBUG_BYTES])
{
    const struct a64_cpu *cpu = (const struct a64_cpu *)generic;
    uint64_t value;
    if (number >= count(generic))
        return 0;
    if (number >= REG_V0 && number < REG_FPSR) {
        memcpy(bytes, &cpu->v[number - REG_V0], 16);
        return 16;
    }
    switch (number) {
    case REG_SP: value = cpu->sp; break;
    case REG_PC: value = generic->pc; break;
    case REG_CPSR: value = a64_read_pstate(cpu); break;
    case REG_FPSR: value = a64_read_fpsr(cpu); break;
    case REG_FPCR: value = cpu->fpcr; break;
    case REG_TPIDR: value = cpu->tpidr_el0; break;
    case REG_PAUTH_DMASK:
    case REG_PAUTH_CMASK: value = PAC_BITS; break;
    default: value = cpu->x[number]; break;
    }
    memcpy(bytes, &value, size(number));
    return size(number);
}

static size_t write_register(struct cpu *generic, unsigned number, const uint8_t *bytes, size_t available)
{
    struct a64_cpu *cpu = (struct a64_cpu *)generic;
    uint64_t value = 0;
    if (number >= count(generic) || available < size(number))
        return 0;
    if (number >= REG_V0 && number < REG_FPSR) {
        memcpy(&cpu->v[number - REG_V0], bytes, 16);
        return 16;
    }
    memcpy(&value, bytes, size(number));
    switch (number) {
    case REG_SP: cpu->sp = value; break;
    case REG_PC:
        if (generic->pc != value) /* the new one was not reached by a branch */
            generic->branch_kind = A64_BTYPE_NONE;
        generic->pc = value;
        break;
    case REG_CPSR: a64_write_pstate(cpu, (uint32_t)value); break;
    case REG_FPSR: a64_write_fpsr(cpu, (uint32_t)value); break;
    case REG_FPCR: a64_write_fpcr(cpu, (uint32_t)value); break;
    case REG_TPIDR: cpu->tpidr_el0 = value; break;
    case REG_PAUTH_DMASK:
    case REG_PAUTH_CMASK: break; /* facts, not state */
    default: cpu->x[number] = value; break;
    }
    return size(number);
}

const struct isa_debug a64_debug = {
    .description = description,
    .count = count,
    .read = read_register,
    .write = write_register,
    .expedited = {29, REG_SP, REG_PC},
    .nexpedited = 3,
};

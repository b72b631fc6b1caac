/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The helpers of system instructions, see helpers.h. */
#include "frontend/a64/helpers.h"

#include <sys/random.h>
#include <time.h>

#include "frontend/a64/pauth.h"

/* ---- floating-point control and status --------------------------------------------------------------------------- */

uint32_t helper_write_fpcr(struct cpu *cpu, uint64_t value)
{
    struct a64_cpu *a64 = (struct a64_cpu *)cpu;
    uint32_t before = a64->fpcr, after;
    cpu->mxcsr = _mm_getcsr(); /* a64_write_fpcr() works on this copy; in translated code the live one is the host's */
    a64_write_fpcr(a64, (uint32_t)value);
    _mm_setcsr(cpu->mxcsr);
    after = a64->fpcr;
    a64->fpcr = before; /* a slot: may yet be read as it was when the region was entered */
    return after;
}

uint64_t helper_read_fpsr(struct cpu *cpu, __m128i qc)
{
    return a64_fpsr_from_host(((struct a64_cpu *)cpu)->fpsr, _mm_getcsr(), qc);
}

__m128i helper_write_fpsr(struct cpu *cpu, uint64_t value)
{
    uint32_t mxcsr = _mm_getcsr();
    __m128i qc;
    ((struct a64_cpu *)cpu)->fpsr = a64_fpsr_to_host((uint32_t)value, &mxcsr, &qc);
    _mm_setcsr(mxcsr);
    return qc;
}

/* ---- other registers --------------------------------------------------------------------------------------------- */

uint64_t helper_read_counter(struct cpu *cpu)
{
    (void)cpu;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * A64_COUNTER_HZ + (uint64_t)now.tv_nsec;
}

uint64_t helper_random_number(struct cpu *cpu)
{
    (void)cpu;
    uint64_t value = 0;
    while (getrandom(&value, sizeof value, 0) != sizeof value)
        ; /* interrupted by a signal */
    return value;
}

uint64_t helper_compute_pac(struct cpu *cpu, uint64_t data, uint64_t modifier, uint32_t key)
{
    return pac_compute((const struct a64_cpu *)cpu, data, modifier, (enum a64_pac_key)key);
}

/* ---- instruction cache ------------------------------------------------------------------------------------------- */

/** The line that holds the address (CTR_EL0.IminLine) is to be fetched anew. */
void helper_note_code_change(struct cpu *cpu, uint64_t address)
{
    struct a64_cpu *a64 = (struct a64_cpu *)cpu;
    uint64_t line_bytes = 4u << (a64->ctr_el0 & 15), start = address & ~(line_bytes - 1);
    if (a64->code_changed_start >= a64->code_changed_end) {
        a64->code_changed_start = start;
        a64->code_changed_end = start + line_bytes;
        return;
    }
    if (start < a64->code_changed_start)
        a64->code_changed_start = start;
    if (start + line_bytes > a64->code_changed_end)
        a64->code_changed_end = start + line_bytes;
}

/** What TRAP_CACHE tells the machine: everything noted so far. 0: nothing. */
uint32_t helper_take_code_changes(struct cpu *cpu)
{
    struct a64_cpu *a64 = (struct a64_cpu *)cpu;
    if (a64->code_changed_start >= a64->code_changed_end)
        return 0;
    cpu->cache_start = a64->code_changed_start;
    cpu->cache_end = a64->code_changed_end;
    a64->code_changed_start = a64->code_changed_end = 0;
    return 1;
}

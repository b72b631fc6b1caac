/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/random/known.h"

#include <fnmatch.h>

#define FPCR_FZ (1u << 24)
#define FPCR_ANY 0

/*
 * One row a difference: the decode table's rows (a shell pattern), the FPCR bits that it takes (any of them; or none),
 * and the reason (Arm ARM DDI 0487).
 */
static const struct {
    const char *rows;
    uint32_t fpcr;
    const char *reason;
} differences[] = {
    {"DC_ZVA", FPCR_ANY,
     "the block size is the implementation's choice (DCZID_EL0.BS): 512 bytes in QEMU's max, 64 here"},
    {"@(PAC|AUT|XPAC|BRA|BLRA|RETA|LDRA)*", FPCR_ANY,
     "pointer authentication is off in the emulator: keys cannot be set alike"},
    {"FJCVTZS*", FPCR_FZ, "QEMU 10 clears Z for a denormal that is flushed to zero: see FPToFixedJS()"},
    {"DC_CVA[PD]*", FPCR_ANY, "QEMU 7 has them in system mode only, though its ID_AA64ISAR1_EL1.DPB says otherwise"},
    {"FCVTZS_H_asisdshf", FPCR_ANY,
     "QEMU 7 extends the sign to 32 bits; V[d] = ZeroExtend(16 bits): FCVTZS (vector, fixed-point)"},
};

const char *known_difference(const struct sequence *s, const struct state *start)
{
    uint32_t fpcr = start->fpcr;
    for (unsigned i = 0; i < s->n; i++)
        if ((s->words[i] & ~31u) == 0xd51b4400) /* MSR FPCR */
            fpcr |= (uint32_t)start->x[FPCR_REGISTER];
    for (unsigned i = 0; i < s->n; i++) {
        const struct a64_row *row = a64_decode(s->words[i]);
        for (unsigned k = 0; row && k < sizeof differences / sizeof differences[0]; k++)
            if (fnmatch(differences[k].rows, row->name, FNM_EXTMATCH) == 0 &&
                (differences[k].fpcr == FPCR_ANY || fpcr & differences[k].fpcr))
                return differences[k].reason;
    }
    return NULL;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "machine/linux/hwcap.h"

#include <stddef.h>

#include "frontend/a64/cpu.h"

/* Linux, Documentation/arch/arm64/elf_hwcaps.rst, in the order of the bits. */
static const struct {
    uint8_t feature, word, bit;
    const char *name;
} hwcaps[] = {
    {A64_FEAT_BASE, 0, 0, "fp"},         {A64_FEAT_BASE, 0, 1, "asimd"},      {A64_FEAT_AES, 0, 3, "aes"},
    {A64_FEAT_PMULL, 0, 4, "pmull"},     {A64_FEAT_SHA1, 0, 5, "sha1"},       {A64_FEAT_SHA256, 0, 6, "sha2"},
    {A64_FEAT_CRC32, 0, 7, "crc32"},     {A64_FEAT_LSE, 0, 8, "atomics"},     {A64_FEAT_FP16, 0, 9, "fphp"},
    {A64_FEAT_FP16, 0, 10, "asimdhp"},   {A64_FEAT_BASE, 0, 11, "cpuid"},     {A64_FEAT_RDM, 0, 12, "asimdrdm"},
    {A64_FEAT_JSCVT, 0, 13, "jscvt"},    {A64_FEAT_FCMA, 0, 14, "fcma"},      {A64_FEAT_LRCPC, 0, 15, "lrcpc"},
    {A64_FEAT_DPB, 0, 16, "dcpop"},      {A64_FEAT_SHA3, 0, 17, "sha3"},      {A64_FEAT_SM3, 0, 18, "sm3"},
    {A64_FEAT_SM4, 0, 19, "sm4"},        {A64_FEAT_DOTPROD, 0, 20, "asimddp"}, {A64_FEAT_SHA512, 0, 21, "sha512"},
    {A64_FEAT_FHM, 0, 23, "asimdfhm"},   {A64_FEAT_DIT, 0, 24, "dit"},        {A64_FEAT_LSE2, 0, 25, "uscat"},
    {A64_FEAT_LRCPC2, 0, 26, "ilrcpc"},  {A64_FEAT_FLAGM, 0, 27, "flagm"},    {A64_FEAT_SSBS, 0, 28, "ssbs"},
    {A64_FEAT_SB, 0, 29, "sb"},          {A64_FEAT_PAUTH, 0, 30, "paca"},     {A64_FEAT_PAUTH, 0, 31, "pacg"},
    {A64_FEAT_DPB2, 1, 0, "dcpodp"},     {A64_FEAT_FLAGM2, 1, 7, "flagm2"},   {A64_FEAT_FRINTTS, 1, 8, "frint"},
    {A64_FEAT_I8MM, 1, 13, "i8mm"},      {A64_FEAT_BF16, 1, 14, "bf16"},      {A64_FEAT_RNG, 1, 16, "rng"},
    {A64_FEAT_BTI, 1, 17, "bti"},        {A64_FEAT_ECV, 1, 19, "ecv"},        {A64_FEAT_WFXT, 1, 31, "wfxt"},
    {A64_FEAT_CSSC, 1, 34, "cssc"},      {A64_FEAT_MOPS, 1, 43, "mops"},
};

uint64_t hwcap_word(uint64_t features, unsigned word)
{
    uint64_t bits = 0;
    for (size_t i = 0; i < sizeof hwcaps / sizeof hwcaps[0]; i++) {
        if (hwcaps[i].word == word && features >> hwcaps[i].feature & 1)
            bits |= UINT64_C(1) << hwcaps[i].bit;
    }
    return bits;
}

void hwcap_print(FILE *out, uint64_t features)
{
    for (size_t i = 0; i < sizeof hwcaps / sizeof hwcaps[0]; i++) {
        if (features >> hwcaps[i].feature & 1)
            fprintf(out, " %s", hwcaps[i].name);
    }
}

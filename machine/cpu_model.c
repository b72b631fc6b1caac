/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "machine/cpu_model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/a64/cpu.h"

#define F(name) (UINT64_C(1) << A64_FEAT_##name)
#define PAUTH_ALGORITHMS (F(PACQARMA5) | F(PACQARMA3))
#define FEATURES_V8 (F(BASE) | F(AES) | F(PMULL) | F(SHA1) | F(SHA256) | F(CRC32))
#define FEATURES_V82 (FEATURES_V8 | F(LSE) | F(RDM) | F(FP16) | F(DOTPROD) | F(LRCPC) | F(SSBS) | F(DPB))
#define FEATURES_V84                                                                                                           \
    (FEATURES_V82 | F(SHA512) | F(SHA3) | F(SM3) | F(SM4) | F(FHM) | F(FCMA) | F(JSCVT) | F(LRCPC2) | F(FLAGM) | F(DIT) |      \
     F(DPB2) | F(LSE2) | F(PAUTH) | F(PACQARMA5) | F(CCIDX))

/* Cores that have SVE have it not here. */
static const struct {
    const char *name;
    struct cpu_model model;
} models[] = {
    {"max", {UINT64_MAX & ~(PAUTH_ALGORITHMS | F(MTE)), A64_MIDR_MAX}},
    {"a64fx", {(FEATURES_V82 & ~(F(LRCPC) | F(SSBS) | F(DOTPROD))) | F(FCMA), 0x461f0010}},
    {"cortex-a35", {FEATURES_V8, 0x411fd040}},
    {"cortex-a53", {FEATURES_V8, 0x410fd034}},
    {"cortex-a55", {FEATURES_V82, 0x412fd050}},
    {"cortex-a57", {FEATURES_V8, 0x411fd070}},
    {"cortex-a72", {FEATURES_V8, 0x410fd083}},
    {"cortex-a76", {FEATURES_V82, 0x414fd0b1}},
    {"neoverse-n1", {FEATURES_V82, 0x414fd0c1}},
    {"neoverse-v1", {FEATURES_V84 | F(BF16) | F(I8MM) | F(RNG), 0x411fd402}},
};

static const struct property {
    const char *name;
    uint64_t features, needs;
    const char *help;
} properties[] = {
    {"aes", F(AES), 0, "AESE, AESD, AESMC, AESIMC"},
    {"bf16", F(BF16), 0, "BFloat16 arithmetic"},
    {"bti", F(BTI), 0, "branch target identification"},
    {"crc32", F(CRC32), 0, "CRC32, CRC32C"},
    {"cssc", F(CSSC), 0, "ABS, CNT, CTZ, SMAX, SMIN, UMAX, UMIN"},
    {"dit", F(DIT), 0, "data-independent timing"},
    {"dotprod", F(DOTPROD), 0, "SDOT, UDOT"},
    {"dpb", F(DPB), 0, "DC CVAP"},
    {"dpb2", F(DPB2), F(DPB), "DC CVADP"},
    {"ecv", F(ECV), 0, "CNTVCTSS_EL0"},
    {"fcma", F(FCMA), 0, "complex numbers"},
    {"fhm", F(FHM), F(FP16), "FMLAL, FMLSL"},
    {"flagm", F(FLAGM), 0, "CFINV, RMIF, SETF8, SETF16"},
    {"flagm2", F(FLAGM2), F(FLAGM), "AXFLAG, XAFLAG"},
    {"fp16", F(FP16), 0, "half-precision arithmetic"},
    {"frintts", F(FRINTTS), 0, "FRINT32, FRINT64"},
    {"i8mm", F(I8MM), 0, "matrix multiplication of bytes"},
    {"jscvt", F(JSCVT), 0, "FJCVTZS"},
    {"lrcpc", F(LRCPC), 0, "LDAPR"},
    {"lrcpc2", F(LRCPC2), F(LRCPC), "LDAPUR, STLUR"},
    {"lse", F(LSE), 0, "atomic memory operations"},
    {"lse2", F(LSE2), F(LSE), "unaligned atomic accesses within 16 bytes"},
    {"mops", F(MOPS), 0, "memory copy and memory set"},
    {"mte", F(MTE), 0, "ADDG, SUBG, SUBP, IRG, GMI (no tags in memory, so no ID register tells)"},
    {"pauth", F(PAUTH), 0, "pointer authentication"},
    {"pauth-qarma3", F(PACQARMA3), F(PAUTH), "… by QARMA3"},
    {"pauth-qarma5", F(PACQARMA5), F(PAUTH), "… by QARMA5"},
    {"pmull", F(PMULL), F(AES), "PMULL of doublewords"},
    {"rdm", F(RDM), 0, "SQRDMLAH, SQRDMLSH"},
    {"rng", F(RNG), 0, "RNDR, RNDRRS"},
    {"sb", F(SB), 0, "the speculation barrier SB"},
    {"sha1", F(SHA1), 0, "SHA-1"},
    {"sha2", F(SHA256), 0, "SHA-256"},
    {"sha3", F(SHA3), 0, "EOR3, RAX1, XAR, BCAX"},
    {"sha512", F(SHA512), F(SHA256), "SHA-512"},
    {"sm3", F(SM3), 0, "SM3"},
    {"sm4", F(SM4), 0, "SM4"},
    {"ssbs", F(SSBS), 0, "PSTATE.SSBS"},
    {"wfxt", F(WFXT), 0, "WFET, WFIT"},
};
#define PROPERTY_COUNT (sizeof properties / sizeof properties[0])

struct cpu_model cpu_model_default(void)
{
    struct cpu_model model = models[0].model;
    model.features &= a64_features_supported();
    return model;
}

void cpu_model_help(void)
{
    puts("Available CPUs:");
    for (size_t i = 0; i < sizeof models / sizeof models[0]; i++)
        printf("  %s\n", models[i].name);
    puts("\nProperties (-cpu NAME,PROPERTY=on|off,...):");
    for (size_t i = 0; i < PROPERTY_COUNT; i++)
        printf("  %-14s %s\n", properties[i].name, properties[i].help);
    printf("  %-14s %s\n", "pauth-impdef", "… by a fast algorithm of its own (the default of max); off: QARMA5");
}

/** Switching off what others need takes them along, switching them on brings it. */
static uint64_t with_property(uint64_t features, const struct property *property, bool on)
{
    if (on)
        return features | property->features | property->needs;
    features &= ~property->features;
    for (size_t i = 0; i < PROPERTY_COUNT; i++) {
        if (properties[i].needs & property->features)
            features &= ~properties[i].features;
    }
    return features;
}

/** Of what dragoman never has, "off" is no error. */
static bool is_missing(const char *name)
{
    return strncmp(name, "sve", 3) == 0 || strncmp(name, "sme", 3) == 0;
}

static bool set_property(struct cpu_model *model, const char *name, const char *value)
{
    bool on = strcmp(value, "on") == 0;
    if (!on && strcmp(value, "off") != 0) {
        fprintf(stderr, "dragoman: -cpu: property %s wants on or off, not '%s'\n", name, value);
        return false;
    }
    if (is_missing(name)) {
        if (on)
            fprintf(stderr, "dragoman: -cpu: %s is not supported\n", name);
        return !on;
    }
    if (strcmp(name, "pauth-impdef") == 0) {
        model->features &= ~PAUTH_ALGORITHMS;
        model->features |= on ? F(PAUTH) : F(PACQARMA5);
        return true;
    }
    for (size_t i = 0; i < PROPERTY_COUNT; i++) {
        if (strcmp(name, properties[i].name) != 0)
            continue;
        if (on && (properties[i].features & PAUTH_ALGORITHMS))
            model->features &= ~PAUTH_ALGORITHMS;
        model->features = with_property(model->features, &properties[i], on);
        return true;
    }
    fprintf(stderr, "dragoman: unknown CPU property '%s'; -cpu help lists them\n", name);
    return false;
}

bool cpu_model_parse(const char *text, struct cpu_model *model)
{
    char *copy = strdup(text), *rest = copy, *name = strsep(&rest, ",");
    size_t i = 0, n = sizeof models / sizeof models[0];
    while (i < n && strcmp(name, models[i].name) != 0)
        i++;
    bool good = i < n;
    if (good)
        *model = models[i].model;
    else
        fprintf(stderr, "dragoman: unknown CPU model '%s'; -cpu help lists them\n", name);
    for (char *item; good && (item = strsep(&rest, ",")) != NULL;) {
        char *equals = strchr(item, '=');
        if (equals)
            *equals = 0;
        good = set_property(model, item, equals ? equals + 1 : "on");
    }
    free(copy);
    model->features &= a64_features_supported();
    if (!(model->features & F(PAUTH)))
        model->features &= ~PAUTH_ALGORITHMS;
    return good;
}

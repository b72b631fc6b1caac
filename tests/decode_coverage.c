/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which words are instructions: the A64 decode table against capstone and GNU objdump, over all 2^32 words. Where they differ,
 * a line of decode-differences.txt has to say why; else the difference is printed, and the program fails.
 *
 *   decode_coverage [--sample] [--only capstone|objdump] DIFFERENCES
 *
 * Words are taken by their bits 31:10, of which each of the 2^22 values is tried. The decode table decides on all 1024 words that
 * begin so. Bits 9:0 are two registers nearly everywhere, so the others are asked about a few choices of them first (31, the
 * registers of the other fields, arbitrary ones). When any two of their answers, or of the table's 1024, differ, these bits mean
 * something here: then capstone is asked about all 1024 words, objdump about more of them. --sample tries one in sixteen of
 * the values of bits 31:10, others each day would be as good; with it no line of the list need be in use.
 */
#include <capstone/capstone.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "frontend/a64/decode.h"

#define PREFIX_BITS 22
#define SUFFIXES 1024u
#define FEW 12u            /* words of a prefix that are always tried */
#define SOME 48u           /* … by objdump when bits 9:0 matter */
#define CHUNK (1u << 19)   /* words given to one run of objdump */
#define SAMPLE 16u
#define MAX_LINES 400
#define MAX_GROUPS 4000

enum tool { CAPSTONE = 1, OBJDUMP = 2 };
enum side { HERE, THERE };

/* ---- the list -------------------------------------------------------------------------------------------------------- */

/* What a row's feature is called in the table: each is named by all of its rows. */
#pragma GCC diagnostic ignored "-Woverride-init"
static const char *const feature_names[A64_FEAT_COUNT] = {
#define INSN(name, pattern, feature, function) [A64_FEAT_##feature] = #feature,
#define NONE(name, pattern, feature) [A64_FEAT_##feature] = #feature,
#include "frontend/a64/a64.inc"
#undef INSN
#undef NONE
};

struct line {
    unsigned tools;
    enum side side;
    uint64_t features; /* 0, or of these features is the row */
    struct a64_encoding encoding;
    unsigned nequal;
    struct {
        uint8_t shift_a, shift_b, width;
    } equal[4]; /* two fields that are the same in one of these ways; none: any word */
    unsigned number;
    char *text;
};

struct list {
    struct line lines[MAX_LINES];
    unsigned count;
};

static bool fail_line(const char *path, unsigned number, const char *what)
{
    fprintf(stderr, "%s:%u: %s\n", path, number, what);
    return false;
}

static const struct a64_field *find_field(const struct a64_encoding *e, const char *name, size_t length)
{
    for (unsigned i = 0; i < e->nfields; i++)
        if (e->fields[i].name_length == length && memcmp(e->fields[i].name, name, length) == 0)
            return &e->fields[i];
    return NULL;
}

/** "Rt=Rt2|Rt=Rn" */
static bool parse_equalities(struct line *line, char *text)
{
    char *rest = text;
    for (char *one; (one = strsep(&rest, "|"));) {
        char *sign = strchr(one, '=');
        if (!sign || line->nequal == 4)
            return false;
        const struct a64_field *a = find_field(&line->encoding, one, (size_t)(sign - one));
        const struct a64_field *b = find_field(&line->encoding, sign + 1, strlen(sign + 1));
        if (!a || !b || a->width != b->width)
            return false;
        line->equal[line->nequal].shift_a = a->shift;
        line->equal[line->nequal].shift_b = b->shift;
        line->equal[line->nequal++].width = a->width;
    }
    return true;
}

/** "LSE, RDM" */
static bool parse_features(struct line *line, char *text)
{
    char *rest = text;
    for (char *one; (one = strsep(&rest, ", "));) {
        unsigned i = 0;
        while (*one && i < A64_FEAT_COUNT && !(feature_names[i] && strcmp(feature_names[i], one) == 0))
            i++;
        if (i == A64_FEAT_COUNT)
            return false;
        line->features |= *one ? UINT64_C(1) << i : 0;
    }
    return true;
}

/** capstone|objdump|both here|there "PATTERN" [EQUALITIES] : REASON, or FEATURE,… in place of the pattern */
static bool parse_line(struct list *list, char *text, const char *path, unsigned number)
{
    struct line *line = &list->lines[list->count];
    char tool[16], side[16], *open, *close, *reason = strstr(text, " : ");
    int end = 0;
    if (list->count == MAX_LINES)
        return fail_line(path, number, "too many lines");
    *line = (struct line){.number = number, .text = strdup(text)};
    if (!reason || sscanf(text, "%15s %15s %n", tool, side, &end) != 2)
        return fail_line(path, number, "not: TOOL SIDE \"PATTERN\" [FIELD=FIELD|…] : REASON");
    *reason = 0;
    const char *tools[] = {NULL, "capstone", "objdump", "both"};
    for (unsigned i = 1; i < 4; i++)
        line->tools |= strcmp(tool, tools[i]) == 0 ? i : 0;
    line->side = strcmp(side, "here") == 0 ? HERE : THERE;
    if (!line->tools || (line->side == THERE && strcmp(side, "there") != 0))
        return fail_line(path, number, "which tool, or which side?");
    list->count++;
    if (text[end] != '"')
        return parse_features(line, text + end) || fail_line(path, number, "no such feature");
    if (!(open = strchr(text, '"')) || !(close = strchr(open + 1, '"')))
        return fail_line(path, number, "a pattern stands between quotation marks");
    *close = 0;
    /* The names of fields stay pointers into the pattern. */
    const char *error = a64_parse_pattern(strdup(open + 1), &line->encoding);
    if (error)
        return fail_line(path, number, error);
    char *equalities = close + 1 + strspn(close + 1, " ");
    equalities[strcspn(equalities, " ")] = 0;
    if (*equalities && !parse_equalities(line, equalities))
        return fail_line(path, number, "equalities are FIELD=FIELD|…, of fields in the pattern");
    return true;
}

static bool read_list(struct list *list, const char *path)
{
    FILE *file = fopen(path, "r");
    char text[512];
    bool good = file != NULL;
    if (!file)
        perror(path);
    for (unsigned number = 1; file && fgets(text, sizeof text, file); number++) {
        text[strcspn(text, "\n")] = 0;
        if (*text && *text != '#')
            good &= parse_line(list, text, path, number);
    }
    if (file)
        fclose(file);
    return good;
}

static bool line_matches(const struct line *line, uint32_t word, const struct a64_row *row, enum tool tool)
{
    const struct a64_encoding *e = &line->encoding;
    if (line->side != (row ? HERE : THERE) || !(line->tools & tool) || (word & e->mask) != e->value)
        return false;
    if (line->features)
        return row && line->features >> row->feature & 1;
    for (unsigned i = 0; i < e->nforbids; i++)
        if ((word & e->forbids[i].mask) == e->forbids[i].value)
            return false;
    for (unsigned i = 0; i < line->nequal; i++)
        if (((word >> line->equal[i].shift_a ^ word >> line->equal[i].shift_b) & ((1u << line->equal[i].width) - 1)) == 0)
            return true;
    return line->nequal == 0;
}

/* ---- differences ------------------------------------------------------------------------------------------------------ */

/** Those that no line explains, by what the word is here or there. Shared by the processes, one of them in use by each. */
struct group {
    enum tool tool;
    enum side side;
    char name[40];
    uint64_t count;
    uint32_t first, and, or;
};
struct result {
    uint64_t words, differences, allocated;
    uint32_t ngroups;
    struct group groups[MAX_GROUPS];
    bool used[2][MAX_LINES]; /* by tool */
    bool failed;
};

struct search {
    const struct list *list;
    struct result *result;
    unsigned last[2][2]; /* line that explained the last difference, by tool and side */
    uint64_t random;
};

static void add_to_group(struct result *result, enum tool tool, enum side side, const char *name, uint32_t word)
{
    struct group *group = result->groups;
    uint32_t i = 0;
    for (; i < result->ngroups; i++, group++)
        if (group->tool == tool && group->side == side && strncmp(group->name, name, sizeof group->name - 1) == 0)
            break;
    if (i == MAX_GROUPS)
        return;
    if (i == result->ngroups) {
        *group = (struct group){.tool = tool, .side = side, .first = word, .and = word, .or = word};
        snprintf(group->name, sizeof group->name, "%s", name);
        result->ngroups++;
    }
    group->count++;
    group->and &= word;
    group->or |= word;
}

static void compare(struct search *s, uint32_t word, const struct a64_row *row, enum tool tool, bool allocated,
                    const char *mnemonic)
{
    enum side side = row ? HERE : THERE;
    s->result->words++;
    if (allocated == (row != NULL))
        return;
    s->result->differences++;
    unsigned *last = &s->last[tool == OBJDUMP][side];
    for (unsigned i = 0; i <= s->list->count; i++) {
        unsigned n = i == 0 ? *last : i - 1;
        if (n < s->list->count && line_matches(&s->list->lines[n], word, row, tool)) {
            s->result->used[tool == OBJDUMP][n] = true;
            *last = n;
            return;
        }
    }
    add_to_group(s->result, tool, side, row ? row->name : mnemonic, word);
}

/* ---- the words of a prefix -------------------------------------------------------------------------------------------- */

static uint32_t next_random(struct search *s)
{
    s->random = s->random * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(s->random >> 33);
}

/** Bits 9:0 of the n-th word to try. */
static uint32_t suffix(struct search *s, uint32_t prefix, unsigned n)
{
    uint32_t m = prefix >> 6 & 31, a = prefix & 31, any = next_random(s);
    switch (n) {
    case 0: return SUFFIXES - 1;
    case 1: return 0;
    case 2: return (any & 31) << 5 | 31;
    case 3: return 31 << 5 | (any & 31);
    case 4: return (any & 31) << 5 | a;
    case 5: return (any & 31) << 5 | m;
    case 6: return m << 5 | (any & 31);
    case 7: return (any & 31) << 5 | (any & 31);
    default: return any & (SUFFIXES - 1);
    }
}

struct prefix_rows {
    const struct a64_row *rows[SUFFIXES];
    bool mixed;
};

static void decode_prefix(struct search *s, uint32_t prefix, struct prefix_rows *p)
{
    unsigned allocated = 0;
    for (uint32_t i = 0; i < SUFFIXES; i++) {
        p->rows[i] = a64_decode(prefix << 10 | i);
        allocated += p->rows[i] != NULL;
    }
    s->result->allocated += allocated;
    p->mixed = allocated != 0 && allocated != SUFFIXES;
}

/* ---- capstone --------------------------------------------------------------------------------------------------------- */

static bool ask_capstone(struct search *s, csh handle, cs_insn *insn, uint32_t word, const struct a64_row *row)
{
    const uint8_t *code = (const uint8_t *)&word;
    size_t size = sizeof word;
    uint64_t address = 0;
    bool allocated = cs_disasm_iter(handle, &code, &size, &address, insn);
    compare(s, word, row, CAPSTONE, allocated, allocated ? insn->mnemonic : "");
    return allocated;
}

static void prefix_by_capstone(struct search *s, csh handle, cs_insn *insn, uint32_t prefix, const struct prefix_rows *p)
{
    bool mixed = p->mixed, first = false;
    for (unsigned n = 0; n < FEW && !mixed; n++) {
        uint32_t i = suffix(s, prefix, n);
        bool allocated = ask_capstone(s, handle, insn, prefix << 10 | i, p->rows[i]);
        mixed = n > 0 && allocated != first;
        first = allocated;
    }
    for (uint32_t i = 0; mixed && i < SUFFIXES; i++)
        ask_capstone(s, handle, insn, prefix << 10 | i, p->rows[i]);
}

/* ---- objdump ---------------------------------------------------------------------------------------------------------- */

struct chunk {
    uint32_t *words, *suspects;
    unsigned count, nsuspects; /* suspects: prefixes whose words get different answers */
};

/** Runs objdump over the chunk's words. False: it could not be run, or said something unexpected. */
static bool ask_objdump(struct search *s, struct chunk *chunk, const char *program)
{
    char path[] = "/tmp/decode_coverage.XXXXXX", command[300], line[256];
    int fd = mkstemp(path);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "wb");
    unsigned n = 0;
    if (!file || fwrite(chunk->words, 4, chunk->count, file) != chunk->count || fclose(file) != 0) {
        perror("decode_coverage: temporary file");
        return false;
    }
    snprintf(command, sizeof command, "%s -M no-aliases -z -D -b binary -m aarch64 %s", program, path);
    FILE *output = popen(command, "r");
    bool previous = false;
    while (output && fgets(line, sizeof line, output)) {
        char *tab = strchr(line, '\t');
        uint32_t word = tab ? (uint32_t)strtoul(tab + 1, NULL, 16) : 0;
        if (!tab || n == chunk->count)
            continue;
        if (word != chunk->words[n])
            break;
        char *mnemonic = strchr(tab + 1, '\t');
        mnemonic = mnemonic ? mnemonic + 1 : (char *)"";
        bool allocated = *mnemonic && strncmp(mnemonic, ".inst", 5) != 0;
        mnemonic[strcspn(mnemonic, " \t\n")] = 0;
        compare(s, word, a64_decode(word), OBJDUMP, allocated, mnemonic);
        bool same_prefix = n > 0 && word >> 10 == chunk->words[n - 1] >> 10;
        if (same_prefix && allocated != previous && chunk->suspects &&
            (!chunk->nsuspects || chunk->suspects[chunk->nsuspects - 1] != word >> 10))
            chunk->suspects[chunk->nsuspects++] = word >> 10;
        previous = allocated;
        n++;
    }
    unlink(path);
    if (!output || pclose(output) != 0 || n != chunk->count) {
        fprintf(stderr, "decode_coverage: %s failed, or printed something unexpected for word %u of %u\n", program, n,
                chunk->count);
        return false;
    }
    chunk->count = 0;
    return true;
}

static bool add_words(struct search *s, struct chunk *chunk, uint32_t prefix, unsigned from, unsigned to, const char *program)
{
    for (unsigned n = from; n < to; n++)
        chunk->words[chunk->count++] = prefix << 10 | suffix(s, prefix, n);
    return chunk->count + SOME <= CHUNK || ask_objdump(s, chunk, program);
}

/* ---- all of it -------------------------------------------------------------------------------------------------------- */

struct options {
    bool sample;
    unsigned tools;
    const char *objdump;
};

static bool search_part(struct search *s, const struct options *options, unsigned part, unsigned parts)
{
    csh handle;
    if (cs_open(CS_ARCH_ARM64, CS_MODE_LITTLE_ENDIAN, &handle) != CS_ERR_OK)
        return false;
    cs_insn *insn = cs_malloc(handle);
    struct prefix_rows *p = malloc(sizeof *p);
    struct chunk first = {malloc(CHUNK * 4), malloc(CHUNK * 4), 0, 0}, second = {malloc(CHUNK * 4), NULL, 0, 0};
    bool good = insn && p && first.words && first.suspects && second.words;
    for (uint32_t prefix = 0; good && prefix < 1u << PREFIX_BITS; prefix++) {
        /* Multiplied, so that neighbours go to different parts and samples. */
        uint32_t place = prefix * 0x9e3779b1u >> 16;
        if (place % parts != part || (options->sample && place / parts % SAMPLE != 0))
            continue;
        s->random = prefix;
        decode_prefix(s, prefix, p);
        if (options->tools & CAPSTONE)
            prefix_by_capstone(s, handle, insn, prefix, p);
        if (!(options->tools & OBJDUMP))
            continue;
        good = add_words(s, &first, prefix, 0, FEW, options->objdump);
        if (good && p->mixed)
            good = add_words(s, &second, prefix, FEW, SOME, options->objdump);
        for (; good && first.nsuspects; first.nsuspects--)
            good = add_words(s, &second, first.suspects[first.nsuspects - 1], FEW, SOME, options->objdump);
    }
    good = good && (!first.count || ask_objdump(s, &first, options->objdump)) &&
           (!second.count || ask_objdump(s, &second, options->objdump));
    cs_free(insn, 1);
    cs_close(&handle);
    return good;
}

static void merge(struct result *into, const struct result *from)
{
    into->words += from->words;
    into->differences += from->differences;
    into->allocated += from->allocated;
    into->failed |= from->failed;
    for (unsigned t = 0; t < 2; t++)
        for (unsigned i = 0; i < MAX_LINES; i++)
            into->used[t][i] |= from->used[t][i];
    for (uint32_t i = 0; i < from->ngroups; i++) {
        const struct group *g = &from->groups[i];
        add_to_group(into, g->tool, g->side, g->name, g->first);
        for (uint32_t k = 0; k < into->ngroups; k++) {
            struct group *to = &into->groups[k];
            if (to->tool == g->tool && to->side == g->side && strcmp(to->name, g->name) == 0) {
                to->count += g->count - 1;
                to->and &= g->and;
                to->or |= g->or;
            }
        }
    }
}

/** 0: nothing unexplained. */
static int report(const struct result *all, const struct list *list, const struct options *options)
{
    int status = all->failed || all->ngroups != 0;
    for (uint32_t i = 0; i < all->ngroups; i++) {
        const struct group *g = &all->groups[i];
        char bits[33] = "";
        for (unsigned bit = 0; bit < 32; bit++)
            bits[bit] = g->and >> (31 - bit) & 1 ? '1' : g->or >> (31 - bit) & 1 ? 'x' : '0';
        printf("%s %-5s %-20s %s, such as %08x, %llu words tried\n", g->tool == CAPSTONE ? "capstone" : "objdump",
               g->side == HERE ? "here" : "there", g->name, bits, g->first, (unsigned long long)g->count);
    }
    for (unsigned i = 0; i < list->count && !options->sample && options->tools == (CAPSTONE | OBJDUMP); i++) {
        bool capstone = all->used[0][i], objdump = all->used[1][i];
        if (capstone != !!(list->lines[i].tools & CAPSTONE) || objdump != !!(list->lines[i].tools & OBJDUMP)) {
            printf("line %u explains nothing%s: %s\n", list->lines[i].number,
                   capstone ? " of objdump's" : objdump ? " of capstone's" : "", list->lines[i].text);
            status = 1;
        }
    }
    printf("%llu words allocated of those decoded, %llu asked about, %llu answers differ, %u groups of them unexplained\n",
           (unsigned long long)all->allocated, (unsigned long long)all->words, (unsigned long long)all->differences,
           all->ngroups);
    return status;
}

int main(int argc, char **argv)
{
    const char *path = NULL, *objdump = getenv("GUEST_OBJDUMP");
    struct options options = {.tools = CAPSTONE | OBJDUMP, .objdump = objdump ? objdump : "aarch64-linux-gnu-objdump"};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--sample") == 0)
            options.sample = true;
        else if (strcmp(argv[i], "--only") == 0 && i + 1 < argc)
            options.tools = strcmp(argv[++i], "capstone") == 0 ? CAPSTONE : OBJDUMP;
        else
            path = argv[i];
    }
    struct list *list = calloc(1, sizeof *list);
    if (!path || !list || !read_list(list, path)) {
        fprintf(stderr, "decode_coverage [--sample] [--only capstone|objdump] DIFFERENCES\n");
        return 2;
    }
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    unsigned parts = cpus < 1 ? 1 : cpus > 16 ? 16 : (unsigned)cpus;
    struct result *results = mmap(NULL, (parts + 1) * sizeof *results, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (results == MAP_FAILED)
        return 2;
    for (unsigned part = 0; part < parts; part++) {
        pid_t child = fork();
        if (child == 0) {
            struct search s = {.list = list, .result = &results[part]};
            results[part].failed = !search_part(&s, &options, part, parts);
            _exit(0);
        }
        results[part].failed |= child < 0;
    }
    int status = 0, died = 0;
    while (wait(&status) > 0)
        died |= status;
    for (unsigned part = 0; part < parts; part++)
        merge(&results[parts], &results[part]);
    return report(&results[parts], list, &options) || died ? 1 : 0;
}

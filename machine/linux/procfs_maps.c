/* SPDX-License-Identifier: GPL-2.0-or-later */
/* maps, smaps, smaps_rollup, numa_maps: of the host's lines those about mappings of the guest, with the guest's protections. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "machine/linux/procfs_view.h"

struct maps_line {
    unsigned long start, end, offset;
    char prot[5], device[16];
    unsigned long inode;
    char name[PATH_MAX];
};

static bool parse_maps_line(const char *text, struct maps_line *line)
{
    int name = 0;
    line->name[0] = 0;
    if (sscanf(text, "%lx-%lx %4s %lx %15s %lu %n", &line->start, &line->end, line->prot, &line->offset, line->device,
               &line->inode, &name) < 6)
        return false;
    snprintf(line->name, sizeof line->name, "%s", text + name);
    line->name[strcspn(line->name, "\n")] = 0;
    return true;
}

/** The part of a host mapping that is the guest's mapping `m`, as the guest has it. Returns its size. */
static unsigned long write_maps_line(FILE *out, const struct maps_line *line, const struct mapping *m)
{
    static const char *const kinds[] = {
        [MAPPING_HEAP] = "[heap]", [MAPPING_STACK] = "[stack]", [MAPPING_VDSO] = "[vdso]"};
    uint64_t start = line->start > m->start ? line->start : m->start;
    uint64_t end = line->end < m->end ? line->end : m->end;
    const char *name = m->kind == MAPPING_PLAIN || m->kind >= sizeof kinds / sizeof kinds[0] ? line->name : kinds[m->kind];
    int n = fprintf(out, "%08lx-%08lx %c%c%c%c %08lx %s %lu", start, end, m->prot & PROT_READ ? 'r' : '-',
                    m->prot & PROT_WRITE ? 'w' : '-', m->prot & PROT_EXEC ? 'x' : '-', line->prot[3],
                    line->offset + (line->inode ? start - line->start : 0), line->device, line->inode);
    if (*name)
        fprintf(out, "%*s%s", n < 73 ? 73 - n : 1, "", name);
    fputc('\n', out);
    return end - start;
}

/** Index of the first of the guest's mappings that ends behind `start`, from *i on. */
static bool overlaps(const struct proc_view *view, size_t *i, uint64_t start, uint64_t end)
{
    while (*i < view->count && view->list[*i].end <= start)
        ++*i;
    return *i < view->count && view->list[*i].start < end;
}

void procfs_write_maps(const struct proc_view *view, FILE *out)
{
    FILE *host = proc_view_host(view);
    struct maps_line *line = malloc(sizeof *line);
    char text[PATH_MAX + 128];
    size_t i = 0;
    while (host && line && fgets(text, sizeof text, host)) {
        if (!parse_maps_line(text, line) || !overlaps(view, &i, line->start, line->end))
            continue;
        for (size_t j = i; j < view->count && view->list[j].start < line->end; j++)
            write_maps_line(out, line, &view->list[j]);
    }
    free(line);
    if (host)
        fclose(host);
}

/**
 * Where the guest has several mappings in one of the host's (which does not tell executable pages from others), all of the
 * figures but the sizes are the last one's: the sums are right.
 */
void procfs_write_smaps(const struct proc_view *view, FILE *out)
{
    FILE *host = proc_view_host(view);
    struct maps_line *line = malloc(sizeof *line);
    char text[PATH_MAX + 128], key[32];
    size_t i = 0;
    unsigned long value, size = 0;
    const struct mapping *last = NULL;
    bool shown = false;
    while (host && line && fgets(text, sizeof text, host)) {
        if (parse_maps_line(text, line)) {
            shown = overlaps(view, &i, line->start, line->end);
            for (size_t j = i; shown && j < view->count && view->list[j].start < line->end; j++) {
                if (j > i)
                    fprintf(out, "Size:           %8lu kB\n", size >> 10);
                last = &view->list[j];
                size = write_maps_line(out, line, last);
            }
        } else if (shown && sscanf(text, "%31[^:]: %lu", key, &value) == 2 && strcmp(key, "Size") == 0) {
            fprintf(out, "Size:           %8lu kB\n", size >> 10);
        } else if (shown && strncmp(text, "VmFlags:", 8) == 0 && last->prot & PROT_EXEC) {
            const char *rest = text + 9; /* "rd ", perhaps "wr ": then comes "ex" */
            size_t n = strncmp(rest, "rd wr ", 6) == 0 ? 6 : 3;
            fprintf(out, "VmFlags: %.*sex %s", (int)n, rest, rest + n);
        } else if (shown && strncmp(text, "ProtectionKey:", 14) != 0) {
            fputs(text, out);
        }
    }
    free(line);
    if (host)
        fclose(host);
}

#define MAX_KEYS 40

void procfs_write_smaps_rollup(const struct proc_view *view, FILE *out)
{
    struct {
        char key[32];
        unsigned long sum;
    } sums[MAX_KEYS] = {0};
    size_t nkeys = 0, i = 0, n;
    char text[PATH_MAX + 128], key[32], path[80];
    unsigned long value;
    bool shown = false;
    struct maps_line *line = malloc(sizeof *line);
    FILE *rollup = proc_view_host(view);
    while (rollup && fgets(text, sizeof text, rollup)) {
        if (nkeys < MAX_KEYS && sscanf(text, "%31[^:]: %lu kB", key, &value) == 2 && !strchr(key, ' '))
            strcpy(sums[nkeys++].key, key);
    }
    if (rollup)
        fclose(rollup);
    snprintf(path, sizeof path, "%s/smaps", view->folder);
    FILE *host = fopen(path, "re");
    while (host && line && fgets(text, sizeof text, host)) {
        if (parse_maps_line(text, line)) {
            shown = overlaps(view, &i, line->start, line->end);
            continue;
        }
        if (!shown || sscanf(text, "%31[^:]: %lu", key, &value) != 2)
            continue;
        const char *part = strcmp(key, "Pss") != 0 ? "" : line->inode ? "Pss_File" : "Pss_Anon";
        for (n = 0; n < nkeys; n++)
            sums[n].sum += strcmp(sums[n].key, key) == 0 || strcmp(sums[n].key, part) == 0 ? value : 0;
    }
    if (host)
        fclose(host);
    free(line);
    if (view->count)
        fprintf(out, "%08lx-%08lx ---p 00000000 00:00 0%*s[rollup]\n", view->list[0].start, view->list[view->count - 1].end, 26, "");
    for (n = 0; n < nkeys; n++)
        fprintf(out, "%s:%*lu kB\n", sums[n].key, (int)(23 - strlen(sums[n].key)), sums[n].sum);
}

void procfs_write_numa_maps(const struct proc_view *view, FILE *out)
{
    FILE *host = proc_view_host(view);
    char text[PATH_MAX + 256];
    unsigned long start;
    size_t i = 0;
    while (host && fgets(text, sizeof text, host)) {
        if (sscanf(text, "%lx ", &start) == 1 && overlaps(view, &i, start, start + 1))
            fputs(text, out);
    }
    if (host)
        fclose(host);
}

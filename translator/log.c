/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The engine's logs: guest code, IR, host code, entries. Disassembly is capstone's. Called with the engine's lock held, but
   for log_enter(). */
#include <capstone/capstone.h>
#include <inttypes.h>
#include <stdlib.h>

#include "translator/code_read.h"
#include "translator/engine_private.h"

static bool wanted(const struct engine *engine, unsigned log)
{
    return engine->options.log & log;
}

/** The disassembler, opened at first use; 0 if there is none for this architecture. */
static csh open_disassembler(size_t *handle, int arch, int mode)
{
    csh opened;
    if (!*handle && arch >= 0 && cs_open((cs_arch)arch, (cs_mode)mode, &opened) == CS_ERR_OK) {
        cs_option(opened, CS_OPT_SKIPDATA, CS_OPT_ON); /* bytes that are no instruction are shown as such */
        *handle = opened;
    }
    return *handle;
}

static void print_bytes(FILE *out, uint64_t address, const uint8_t *code, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (i % 16 == 0)
            fprintf(out, "%s0x%012" PRIx64 ": ", i ? "\n" : "", address + i);
        fprintf(out, " %02x", code[i]);
    }
    fputc('\n', out);
}

static void print_code(FILE *out, csh disassembler, uint64_t address, const uint8_t *code, size_t size)
{
    cs_insn *insns = NULL;
    size_t n = disassembler ? cs_disasm(disassembler, code, size, address, 0, &insns) : 0;

    if (n == 0 && size > 0)
        print_bytes(out, address, code, size);
    for (size_t i = 0; i < n; i++)
        fprintf(out, "0x%012" PRIx64 ":  %s %s\n", insns[i].address, insns[i].mnemonic, insns[i].op_str);
    if (insns)
        cs_free(insns, n);
}

/** Prints the executable part of [start, end), page by page as the machine gives it. */
static void print_guest_range(struct engine *engine, csh disassembler, uint64_t start, uint64_t end)
{
    while (start < end) {
        uint64_t stop;
        const uint8_t *code = engine->memory.fetch(engine->memory.opaque, start, &stop);
        if (!code) {
            fprintf(engine->options.log_file, "0x%012" PRIx64 ":  (not executable)\n", start);
            return;
        }
        uint8_t copy[1024];
        size_t n = 0;
        while (n < sizeof copy && start + n < end && start + n < stop && code_read8(code + n, &copy[n]))
            n++;
        if (n == 0) {
            fprintf(engine->options.log_file, "0x%012" PRIx64 ":  (not there)\n", start);
            return;
        }
        print_code(engine->options.log_file, disassembler, start, copy, n);
        start += n;
    }
}

void log_guest_code(struct engine *engine, const struct translation *t)
{
    FILE *out = engine->options.log_file;

    if (!wanted(engine, LOG_IN_ASM))
        return;
    csh disassembler =
        open_disassembler(&engine->guest_disassembler, engine->isa->capstone_arch, engine->isa->capstone_mode);
    fprintf(out, "----------------\nIN: 0x%" PRIx64 " key %#x, %u instructions%s\n", t->region.guest_pc, t->region.key,
            t->region.guest_insns, t->region.nblocks > 1 ? ", region" : "");
    for (uint32_t i = 0; i < t->nranges; i++) {
        if (i)
            fputs("  …\n", out);
        print_guest_range(engine, disassembler, t->ranges[i].start, t->ranges[i].end);
    }
    fflush(out);
}

void log_ir(struct engine *engine, const char *stage)
{
    const struct ir_names names = {engine->isa->slots, engine->isa->nslots, engine->isa->helpers};

    if (!wanted(engine, LOG_IR))
        return;
    fprintf(engine->options.log_file, "OP: 0x%" PRIx64 " %s\n", engine->ir.guest_pc, stage);
    ir_print(engine->options.log_file, &engine->ir, &names);
    fflush(engine->options.log_file);
}

/** Prints host code up to each entry of the state map, and the guest address where that changes. */
struct host_listing {
    FILE *out;
    csh disassembler;
    const struct region *region;
    uint32_t printed;
    uint64_t pc;
};

static void print_host_until(struct host_listing *listing, uint32_t offset)
{
    if (offset > listing->printed) {
        print_code(listing->out, listing->disassembler, (uintptr_t)listing->region->code + listing->printed,
                   listing->region->code + listing->printed, offset - listing->printed);
        listing->printed = offset;
    }
}

static void list_entry(void *opaque, uint32_t offset, uint64_t pc)
{
    struct host_listing *listing = opaque;

    if (pc == listing->pc)
        return;
    print_host_until(listing, offset);
    fprintf(listing->out, "  -- guest 0x%" PRIx64 "\n", pc);
    listing->pc = pc;
}

void log_host_code(struct engine *engine, const struct region *region)
{
    FILE *out = engine->options.log_file;

    if (!wanted(engine, LOG_OUT_ASM) || !region->code)
        return;
    struct host_listing listing = {
        .out = out,
        .disassembler = open_disassembler(&engine->host_disassembler, engine->backend->capstone_arch,
                                          engine->backend->capstone_mode),
        .region = region,
        .pc = region->guest_pc,
    };
    fprintf(out, "OUT: 0x%" PRIx64 " [size=%u, state map %u]\n", region->guest_pc, region->code_size,
            region->statemap_size);
    statemap_walk(region->statemap, region->statemap_size, region->guest_pc, list_entry, &listing);
    print_host_until(&listing, region->code_size);
    fputc('\n', out);
    fflush(out);
}

void log_enter(struct engine *engine, const struct cpu *cpu, const struct region *region)
{
    FILE *out = engine->options.log_file;

    flockfile(out);
    if (wanted(engine, LOG_EXEC))
        fprintf(out, "Trace %p: [0x%016" PRIx64 "/%08x]%s\n", (const void *)cpu, region->guest_pc, region->key,
                region->hot ? " hot" : "");
    if (wanted(engine, LOG_CPU))
        engine->isa->print_state(out, cpu);
    funlockfile(out);
}

void log_stats(struct engine *engine)
{
    struct engine_stats stats;

    if (!wanted(engine, LOG_STATS))
        return;
    engine_get_stats(engine, &stats);
    fprintf(engine->options.log_file,
            "translations    %12" PRIu64 "  (%" PRIu64 " hot regions)\n"
            "guest insns     %12" PRIu64 "\n"
            "host bytes      %12" PRIu64 "  (%.1f a guest instruction)\n"
            "translate time  %12.3f ms\n"
            "links           %12" PRIu64 "\n"
            "lookups         %12" PRIu64 "\n"
            "invalidations   %12" PRIu64 "\n"
            "evictions       %12" PRIu64 "\n",
            stats.translations, stats.hot_regions, stats.guest_insns, stats.host_bytes,
            stats.guest_insns ? (double)stats.host_bytes / (double)stats.guest_insns : 0.0,
            (double)stats.translate_ns / 1e6, stats.links, stats.lookups, stats.invalidations, stats.evictions);
    fflush(engine->options.log_file);
}

void log_close(struct engine *engine)
{
    if (engine->guest_disassembler)
        cs_close(&engine->guest_disassembler);
    if (engine->host_disassembler)
        cs_close(&engine->host_disassembler);
}

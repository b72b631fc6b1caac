/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ARM side of the random tests: runs instruction sequences that come in over standard input on the CPU that it runs
 * on itself and answers with what they have left (exchange.h). Static; made for an emulator of user programs, works on
 * a real CPU.
 *
 * A sequence is entered by returning from a signal handler with its state in the signal frame, and ends with a signal:
 * that of the BRK at its end or of whatever went wrong before. The frame of that signal is the result.
 */
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include "tests/random/exchange.h"

#define PSTATE_NZCV 0xf0000000u
#define PSTATE_KEPT 0x01001000u /* DIT, SSBS */

static struct request request;
static struct outcome outcome;
static uint64_t initial_ram[RAM_BYTES / 8];
static uint64_t *const ram = (uint64_t *)RAM_BASE;
static unsigned next_state;
static mcontext_t home; /* of main(), to come back to */
static bool away;
static uint64_t home_tpidr;

static bool transfer_in(void *to, size_t n)
{
    for (ssize_t got; n; to = (char *)to + got, n -= (size_t)got)
        if ((got = read(STDIN_FILENO, to, n)) <= 0)
            return false;
    return true;
}

static void transfer_out(const void *from, size_t n)
{
    for (ssize_t put; n; from = (const char *)from + put, n -= (size_t)put)
        if ((put = write(STDOUT_FILENO, from, n)) <= 0)
            _exit(1);
}

static struct fpsimd_context *find_fpsimd(ucontext_t *context)
{
    struct _aarch64_ctx *record = (struct _aarch64_ctx *)context->uc_mcontext.__reserved;
    while (record->magic != FPSIMD_MAGIC)
        record = (struct _aarch64_ctx *)((char *)record + record->size);
    return (struct fpsimd_context *)record;
}

static void save_outcome(int sig, ucontext_t *context, uint64_t tpidr)
{
    const mcontext_t *m = &context->uc_mcontext;
    const struct fpsimd_context *f = find_fpsimd(context);
    struct state *s = &outcome.state;
    memset(s, 0, sizeof *s);
    memcpy(s->x, m->regs, sizeof s->x);
    s->sp = m->sp;
    s->pc = m->pc;
    s->tpidr = tpidr;
    s->nzcv = m->pstate & PSTATE_NZCV;
    s->pstate = m->pstate & PSTATE_KEPT;
    s->fpcr = f->fpcr;
    s->fpsr = f->fpsr;
    memcpy(s->v, f->vregs, sizeof s->v);
    s->signal = (uint32_t)sig;
    find_changes(&outcome, ram, initial_ram);
    transfer_out(&outcome, OUTCOME_HEAD + outcome.nchanges * sizeof outcome.changes[0]);
}

/** Returns TPIDR_EL0, which is no part of a signal frame. */
static uint64_t load_state(ucontext_t *context, const struct state *s)
{
    mcontext_t *m = &context->uc_mcontext;
    struct fpsimd_context *f = find_fpsimd(context);
    memcpy(ram, initial_ram, RAM_BYTES);
    memcpy(m->regs, s->x, sizeof s->x);
    m->sp = s->sp;
    m->pc = s->pc;
    m->pstate = (m->pstate & ~(uint64_t)(PSTATE_NZCV | PSTATE_KEPT | 3u << 10)) | s->nzcv; /* 11:10: BTYPE */
    f->fpcr = s->fpcr;
    f->fpsr = s->fpsr;
    memcpy(f->vregs, s->v, sizeof s->v);
    return s->tpidr;
}

static void on_signal(int sig, siginfo_t *info, void *argument)
{
    uint64_t tpidr; /* the C library's own while this function runs */
    __asm__ volatile("mrs %0, tpidr_el0" : "=r"(tpidr));
    __asm__ volatile("msr tpidr_el0, %0" : : "r"(home_tpidr));
    ucontext_t *context = argument;
    (void)info;
    if (away) {
        save_outcome(sig, context, tpidr);
    } else {
        home = context->uc_mcontext;
        away = true;
    }
    if (next_state < request.nstates) {
        tpidr = load_state(context, &request.states[next_state++]);
    } else {
        context->uc_mcontext = home;
        context->uc_mcontext.pc += 4; /* behind the UDF */
        tpidr = home_tpidr;
        away = false;
    }
    __asm__ volatile("msr tpidr_el0, %0" : : "r"(tpidr));
}

int main(void)
{
    static char stack[1 << 17];
    static const int signals[] = {SIGILL, SIGTRAP, SIGSEGV, SIGBUS, SIGFPE};
    stack_t alternative = {.ss_sp = stack, .ss_size = sizeof stack};
    struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
    void *code = (void *)CODE_BASE;
    if (mmap((char *)ram - GUARD_BYTES, RAM_BYTES + 2 * GUARD_BYTES, PROT_NONE, flags, -1, 0) == MAP_FAILED ||
        mprotect(ram, RAM_BYTES, PROT_READ | PROT_WRITE) < 0 ||
        mmap(code, CODE_BYTES, PROT_READ, flags, -1, 0) == MAP_FAILED)
        return 1;
    sigaltstack(&alternative, NULL);
    sigfillset(&action.sa_mask);
    for (unsigned i = 0; i < sizeof signals / sizeof signals[0]; i++)
        sigaction(signals[i], &action, NULL);
    __asm__ volatile("mrs %0, tpidr_el0" : "=r"(home_tpidr));
    if (!transfer_in(initial_ram, RAM_BYTES))
        return 1;
    while (transfer_in(&request, sizeof request)) {
        /* Emulators notice changed code by its protection. */
        mprotect(code, CODE_BYTES, PROT_READ | PROT_WRITE);
        memcpy(code, request.words, sizeof request.words);
        __builtin___clear_cache(code, (char *)code + sizeof request.words);
        mprotect(code, CODE_BYTES, PROT_READ | PROT_EXEC);
        next_state = 0;
        __asm__ volatile("udf #0" : : : "memory");
    }
    return 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The ARM side of the floating-point tests: executes one instruction on many operands. exchange.h says how it is asked.
 */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/testfloat/exchange.h"

/* void (const struct input *, struct output *, uint64_t n); `subject` is the instruction. */
extern const uint32_t template_start[], template_subject[], template_end[];
__asm__(".pushsection .rodata\n"
        ".balign 4\n"
        ".globl template_start, template_subject, template_end\n"
        "template_start:\n"
        "1: ldp q0, q1, [x0], #32\n"
        "   ldr q2, [x0], #16\n"
        "   fmov x3, d0\n"
        "   mov x4, #0\n"
        "   msr fpsr, xzr\n"
        "   msr nzcv, xzr\n"
        "template_subject:\n"
        "   nop\n"
        "   mrs x5, fpsr\n"
        "   mrs x6, nzcv\n"
        "   orr x5, x5, x6\n"
        "   str q2, [x1], #16\n"
        "   stp x4, x5, [x1], #16\n"
        "   sub x2, x2, #1\n"
        "   cbnz x2, 1b\n"
        "   ret\n"
        "template_end:\n"
        ".popsection\n");

static struct job job;
static struct input inputs[INPUTS_MAX];
static struct output outputs[INPUTS_MAX];

static int transfer_in(void *to, size_t n)
{
    for (ssize_t got; n; to = (char *)to + got, n -= (size_t)got)
        if ((got = read(STDIN_FILENO, to, n)) <= 0)
            return 0;
    return 1;
}

static void transfer_out(const void *from, size_t n)
{
    for (ssize_t put; n; from = (const char *)from + put, n -= (size_t)put)
        if ((put = write(STDOUT_FILENO, from, n)) <= 0)
            _exit(1);
}

static void prepare(uint32_t *code)
{
    size_t size = (size_t)(template_end - template_start) * sizeof template_start[0];
    mprotect(code, size, PROT_READ | PROT_WRITE);
    memcpy(code, template_start, size);
    code[template_subject - template_start] = job.word;
    __builtin___clear_cache((char *)code, (char *)code + size);
    mprotect(code, size, PROT_READ | PROT_EXEC);
}

int main(void)
{
    uint32_t *code = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (code == MAP_FAILED)
        return 1;
    while (transfer_in(&job, sizeof job)) {
        size_t total = 0;
        for (uint32_t i = 0; i < job.nparts; i++)
            total += job.parts[i].n;
        if (total > INPUTS_MAX || !transfer_in(inputs, total * sizeof inputs[0]))
            return 1;
        prepare(code);
        for (size_t i = 0, at = 0; i < job.nparts; at += job.parts[i++].n) {
            if (!job.parts[i].n)
                continue;
            __asm__ volatile("msr fpcr, %0" : : "r"((uint64_t)job.parts[i].fpcr));
            ((void (*)(const struct input *, struct output *, uint64_t))code)(inputs + at, outputs + at,
                                                                              job.parts[i].n);
            __asm__ volatile("msr fpcr, xzr");
        }
        transfer_out(outputs, total * sizeof outputs[0]);
    }
    return 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "frontend/a64/mops.h"

#include "frontend/a64/cpu.h"

/*
 * System V AMD64 ABI. Each routine counts in rcx what is left to do, down after the store, so that after a fault anywhere
 * between mops_begin and mops_end it holds what was not done: the handler goes on at mops_out, which returns it. The
 * labels are hidden, the program is one object.
 */
__asm__(".text\n"
        ".hidden mops_begin, mops_end, mops_out, mops_copy_forward, mops_copy_backward, mops_set\n"
        ".globl mops_begin, mops_end, mops_out, mops_copy_forward, mops_copy_backward, mops_set\n"
        /* uint64_t mops_copy_forward(void *to, const void *from, uint64_t size) */
        ".type mops_copy_forward, @function\n"
        "mops_copy_forward:\n"
        "    mov %rdx, %rcx\n"
        "mops_begin:\n"
        "1:  cmp $32, %rcx\n"
        "    jb 2f\n"
        "    vmovdqu (%rsi), %ymm0\n"
        "    vmovdqu %ymm0, (%rdi)\n"
        "    add $32, %rsi\n"
        "    add $32, %rdi\n"
        "    sub $32, %rcx\n"
        "    jmp 1b\n"
        "2:  cmp $8, %rcx\n"
        "    jb 3f\n"
        "    mov (%rsi), %rax\n"
        "    mov %rax, (%rdi)\n"
        "    add $8, %rsi\n"
        "    add $8, %rdi\n"
        "    sub $8, %rcx\n"
        "    jmp 2b\n"
        "3:  test %rcx, %rcx\n"
        "    jz mops_out\n"
        "    mov (%rsi), %al\n"
        "    mov %al, (%rdi)\n"
        "    inc %rsi\n"
        "    inc %rdi\n"
        "    dec %rcx\n"
        "    jmp 3b\n"
        ".size mops_copy_forward, . - mops_copy_forward\n"
        /* uint64_t mops_copy_backward(void *to, const void *from, uint64_t size): from the end */
        ".type mops_copy_backward, @function\n"
        "mops_copy_backward:\n"
        "    mov %rdx, %rcx\n"
        "1:  cmp $32, %rcx\n"
        "    jb 2f\n"
        "    vmovdqu -32(%rsi,%rcx), %ymm0\n"
        "    vmovdqu %ymm0, -32(%rdi,%rcx)\n"
        "    sub $32, %rcx\n"
        "    jmp 1b\n"
        "2:  test %rcx, %rcx\n"
        "    jz mops_out\n"
        "    mov -1(%rsi,%rcx), %al\n"
        "    mov %al, -1(%rdi,%rcx)\n"
        "    dec %rcx\n"
        "    jmp 2b\n"
        ".size mops_copy_backward, . - mops_copy_backward\n"
        /* uint64_t mops_set(void *to, uint64_t size, uint64_t the byte eight times) */
        ".type mops_set, @function\n"
        "mops_set:\n"
        "    mov %rsi, %rcx\n"
        "    vmovq %rdx, %xmm0\n"
        "    vpbroadcastq %xmm0, %ymm0\n"
        "1:  cmp $32, %rcx\n"
        "    jb 2f\n"
        "    vmovdqu %ymm0, (%rdi)\n"
        "    add $32, %rdi\n"
        "    sub $32, %rcx\n"
        "    jmp 1b\n"
        "2:  test %rcx, %rcx\n"
        "    jz mops_out\n"
        "    mov %dl, (%rdi)\n"
        "    inc %rdi\n"
        "    dec %rcx\n"
        "    jmp 2b\n"
        ".size mops_set, . - mops_set\n"
        "mops_end:\n"
        "mops_out:\n"
        "    mov %rcx, %rax\n"
        "    vzeroupper\n"
        "    ret\n");

uint64_t mops_copy_forward(void *to, const void *from, uint64_t size);
uint64_t mops_copy_backward(void *to, const void *from, uint64_t size);
uint64_t mops_set(void *to, uint64_t size, uint64_t pattern);
extern const char mops_begin[], mops_end[], mops_out[];

bool mops_fixup(ucontext_t *uc)
{
    greg_t *rip = &uc->uc_mcontext.gregs[REG_RIP];
    if (*rip < (greg_t)mops_begin || *rip >= (greg_t)mops_end)
        return false;
    *rip = (greg_t)mops_out;
    return true;
}

/** Without its tag: bits 63:56 as bit 55. */
static void *host_address(uint64_t address) { return (void *)((int64_t)(address << 8) >> 8); }

static uint64_t step_of(uint64_t size) { return size < MOPS_STEP ? size : MOPS_STEP; }

uint64_t helper_memory_copy(uint64_t to, uint64_t from, uint64_t size, uint32_t backward)
{
    uint64_t step = step_of(size);
    if (backward)
        return step - mops_copy_backward(host_address(to + size - step), host_address(from + size - step), step);
    return step - mops_copy_forward(host_address(to), host_address(from), step);
}

uint64_t helper_memory_set(uint64_t to, uint64_t size, uint32_t value)
{
    uint64_t step = step_of(size);
    return step - mops_set(host_address(to), step, (value & 0xff) * UINT64_C(0x0101010101010101));
}

/* ---- after an access failed, or for what is longer than a step ---------------------------------------------------- */

/* The operation that an epilogue has to complete: bytes [to, to + size), from the start, or from the end. */
struct operation {
    uint64_t to, from, size;
    bool set, backward;
    uint8_t value;
};

/** Up to `size` bytes next in order; how many were done. */
static uint64_t perform(const struct operation *o, uint64_t size)
{
    uint64_t at = o->backward ? o->size - size : 0;
    if (o->set)
        return helper_memory_set(o->to, size, o->value);
    return helper_memory_copy(o->to + at, o->from + at, size, o->backward);
}

static bool can_read(uint64_t address)
{
    uint8_t byte;
    return mops_copy_forward(&byte, host_address(address), 1) == 0;
}

/** As many bytes as possible, one by one: the next one after that is what fails. */
static uint64_t perform_to_the_last(struct operation *o)
{
    uint64_t done = 0;
    while (o->size && perform(o, 1)) {
        done++;
        o->size--;
        if (!o->backward) {
            o->to++;
            o->from++;
        }
    }
    return done;
}

bool mops_execute(struct cpu *generic)
{
    struct a64_cpu *cpu = (struct a64_cpu *)generic;
    uint32_t word = generic->trap_info, d = word & 31, n = word >> 5 & 31, s = word >> 16 & 31;
    int64_t left = (int64_t)cpu->x[n]; /* negative: forward, the addresses are those of the ends */
    struct operation o = {.to = cpu->x[d], .set = (word >> 22 & 3) == 3, .backward = left > 0};
    if (o.set)
        o.value = s == 31 ? 0 : (uint8_t)cpu->x[s];
    else
        o.from = cpu->x[s];
    o.size = left > 0 ? (uint64_t)left : -(uint64_t)left;
    if (left < 0) {
        o.to += (uint64_t)left;
        o.from += (uint64_t)left;
    }
    if (o.set && left > 0) /* no prologue leaves that: as much as there is */
        o.backward = false;

    uint64_t size = step_of(o.size), done = perform(&o, size);
    bool failed = done < size;
    o.size -= done;
    if (!o.backward) {
        o.to += done;
        o.from += done;
    }
    if (failed)
        done += perform_to_the_last(&o);
    cpu->x[n] = left < 0 ? (uint64_t)left + done : (uint64_t)left - done;
    if (!failed || o.size == 0)
        return true;
    uint64_t at = o.backward ? o.size - 1 : 0;
    bool write = o.set || can_read(o.from + at);
    generic->cache_start = (uint64_t)host_address(write ? o.to + at : o.from + at);
    generic->trap_info = write;
    return false;
}

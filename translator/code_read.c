/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "translator/code_read.h"

/* System V AMD64 ABI: bool code_read32(const uint8_t *from, uint32_t *value). */
__asm__(".text\n"
        ".hidden code_read32_at, code_read8_at, code_read_failed\n"
        ".globl code_read32, code_read8, code_read32_at, code_read8_at, code_read_failed\n"
        ".type code_read32, @function\n"
        "code_read32:\n"
        "code_read32_at:\n"
        "    mov (%rdi), %eax\n"
        "    mov %eax, (%rsi)\n"
        "    mov $1, %eax\n"
        "    ret\n"
        ".size code_read32, . - code_read32\n"
        ".type code_read8, @function\n"
        "code_read8:\n"
        "code_read8_at:\n"
        "    mov (%rdi), %al\n"
        "    mov %al, (%rsi)\n"
        "    mov $1, %eax\n"
        "    ret\n"
        "code_read_failed:\n"
        "    xor %eax, %eax\n"
        "    ret\n"
        ".size code_read8, . - code_read8\n");

extern const char code_read32_at[], code_read8_at[], code_read_failed[];

bool code_read_fixup(ucontext_t *uc)
{
    greg_t *rip = &uc->uc_mcontext.gregs[REG_RIP];
    if (*rip != (greg_t)code_read32_at && *rip != (greg_t)code_read8_at)
        return false;
    *rip = (greg_t)code_read_failed;
    return true;
}

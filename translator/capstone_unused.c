/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Takes the place of capstone's architectures that nobody here asks for, when its archive is linked in: cs.o names all of them,
 * and their tables of pointers (65536 for M68K alone) would be relocated, and their pages copied, at each start of dragoman,
 * which took longer than all else that happens then.
 */
#include <capstone/capstone.h>

#define UNUSED(architecture)                                                                                                   \
    cs_err architecture##_global_init(void *state);                                                                            \
    cs_err architecture##_option(void *state, cs_opt_type type, size_t value);                                                 \
    cs_err architecture##_global_init(void *state)                                                                             \
    {                                                                                                                          \
        (void)state;                                                                                                           \
        return CS_ERR_ARCH;                                                                                                    \
    }                                                                                                                          \
    cs_err architecture##_option(void *state, cs_opt_type type, size_t value)                                                  \
    {                                                                                                                          \
        (void)state, (void)type, (void)value;                                                                                  \
        return CS_ERR_ARCH;                                                                                                    \
    }
UNUSED(ARM)
UNUSED(EVM)
UNUSED(M680X)
UNUSED(M68K)
UNUSED(Mips)
UNUSED(PPC)
UNUSED(Sparc)
UNUSED(SystemZ)
UNUSED(TMS320C64x)
UNUSED(XCore)

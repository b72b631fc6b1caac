/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shared objects that come and go, often to the same address. */
#include <dlfcn.h>
#include "check.h"

int main(int argc, char **argv)
{
    if (argc < 3)
        return 2;
    for (unsigned round = 0; round < 200; round++)
        for (unsigned which = 0; which < 2; which++) {
            void *handle = dlopen(argv[1 + which], RTLD_NOW | RTLD_LOCAL);
            if (!handle) {
                puts(dlerror());
                return 1;
            }
            uint64_t (*function)(uint64_t) = (uint64_t(*)(uint64_t))dlsym(handle, "plugin");
            uint64_t value = which ? 22 : 11;
            for (unsigned call = 1; call <= 20; call++)
                CHECK_EQ(function(round), round * value + call * 1001);
            CHECK(dlclose(handle) == 0);
        }
    void *math = dlopen("libm.so.6", RTLD_LAZY);
    CHECK(math != NULL);
    double (*cosine)(double) = (double (*)(double))dlsym(math, "cos");
    CHECK(cosine && cosine(0.0) == 1.0);
    CHECK(dlopen("./nothing.so", RTLD_NOW) == NULL);
    return check_result();
}

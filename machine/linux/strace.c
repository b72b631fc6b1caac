/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lines of -strace, in QEMU's form: PID name(arguments) = result. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>

#include "machine/linux/guest_access.h"
#include "machine/linux/syscall.h"

struct text {
    char *bytes;
    size_t used, size;
};

__attribute__((format(printf, 2, 3))) static void put(struct text *t, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int n = vsnprintf(t->bytes + t->used, t->size - t->used, format, arguments);
    va_end(arguments);
    if (n > 0)
        t->used = t->used + (size_t)n < t->size ? t->used + (size_t)n : t->size - 1;
}

struct flag_name {
    uint64_t bits;
    const char *name;
};

/** Names joined by '|', what has none in hexadecimal. */
static void put_flags(struct text *t, uint64_t value, const struct flag_name *names, const char *zero)
{
    const char *separator = "";
    if (value == 0)
        put(t, "%s", zero);
    for (; names->name; names++) {
        if ((value & names->bits) == names->bits) {
            put(t, "%s%s", separator, names->name);
            separator = "|";
            value &= ~names->bits;
        }
    }
    if (value)
        put(t, "%s0x%llx", separator, (unsigned long long)value);
}

static void put_string(struct text *t, uint64_t address)
{
    char string[512];
    int64_t n = guest_read_string(string, address, sizeof string);
    if (!address) {
        put(t, "NULL");
    } else if (n == -EFAULT) {
        put(t, "0x%016llx", (unsigned long long)address);
    } else {
        put(t, "\"");
        for (size_t i = 0; i < (n < 0 ? sizeof string : (size_t)n); i++) {
            unsigned char c = (unsigned char)string[i];
            if (c == '"' || c == '\\')
                put(t, "\\%c", c);
            else if (c >= ' ' && c < 0x7f)
                put(t, "%c", c);
            else
                put(t, c == '\n' ? "\\n" : "\\x%02x", c);
        }
        put(t, n < 0 ? "\"..." : "\"");
    }
}

static void put_open_flags(struct text *t, uint64_t value)
{
    static const char *const modes[] = {"O_RDONLY", "O_WRONLY", "O_RDWR", "O_ACCMODE"};
    /* arm64's values */
    static const struct flag_name names[] = {
        {0100, "O_CREAT"},         {0200, "O_EXCL"},         {0400, "O_NOCTTY"},     {01000, "O_TRUNC"},
        {02000, "O_APPEND"},       {04000, "O_NONBLOCK"},    {04010000, "O_SYNC"},   {010000, "O_DSYNC"},
        {020040000, "O_TMPFILE"},  {040000, "O_DIRECTORY"},  {0100000, "O_NOFOLLOW"}, {0200000, "O_DIRECT"},
        {0400000, "O_LARGEFILE"},  {01000000, "O_NOATIME"},  {02000000, "O_CLOEXEC"}, {010000000, "O_PATH"},
        {0, NULL},
    };
    put(t, "%s", modes[value & 3]);
    if (value & ~UINT64_C(3)) {
        put(t, "|");
        put_flags(t, value & ~UINT64_C(3), names, "");
    }
}

static void put_prot(struct text *t, uint64_t value)
{
    static const struct flag_name names[] = {
        {PROT_READ, "PROT_READ"}, {PROT_WRITE, "PROT_WRITE"}, {PROT_EXEC, "PROT_EXEC"}, {0x10, "PROT_BTI"}, {0, NULL}};
    put_flags(t, value, names, "PROT_NONE");
}

static void put_mmap_flags(struct text *t, uint64_t value)
{
    static const struct flag_name names[] = {
        {MAP_SHARED_VALIDATE, "MAP_SHARED_VALIDATE"}, {MAP_SHARED, "MAP_SHARED"},       {MAP_PRIVATE, "MAP_PRIVATE"},
        {MAP_FIXED, "MAP_FIXED"},           {MAP_ANONYMOUS, "MAP_ANONYMOUS"}, {MAP_GROWSDOWN, "MAP_GROWSDOWN"},
        {MAP_DENYWRITE, "MAP_DENYWRITE"},   {MAP_LOCKED, "MAP_LOCKED"},       {MAP_NORESERVE, "MAP_NORESERVE"},
        {MAP_POPULATE, "MAP_POPULATE"},     {MAP_STACK, "MAP_STACK"},         {MAP_HUGETLB, "MAP_HUGETLB"},
        {MAP_FIXED_NOREPLACE, "MAP_FIXED_NOREPLACE"}, {0, NULL},
    };
    put_flags(t, value, names, "0");
}

static void put_argument(struct text *t, char kind, uint64_t value)
{
    switch (kind) {
    case 'd':
        if ((int)value == AT_FDCWD)
            put(t, "AT_FDCWD");
        else
            put(t, "%d", (int)value);
        break;
    case 'i':
        if ((int64_t)value > INT32_MAX)
            put(t, "%lld", (long long)value);
        else
            put(t, "%d", (int)value);
        break;
    case 'u':
        put(t, "%llu", (unsigned long long)value);
        break;
    case 'o':
        put(t, "0%o", (unsigned)value);
        break;
    case 'p':
    case 'P':
    case 's':
        put_string(t, value);
        break;
    case 'f':
        put_open_flags(t, value & UINT32_MAX);
        break;
    case 'M':
        put_prot(t, value);
        break;
    case 'F':
        put_mmap_flags(t, value);
        break;
    case 'g': {
        const char *name = sigabbrev_np((int)value);
        if (name)
            put(t, "SIG%s", name);
        else
            put(t, "%d", (int)value);
        break;
    }
    case 'a':
        if (value)
            put(t, "0x%016llx", (unsigned long long)value);
        else
            put(t, "NULL");
        break;
    default:
        put(t, value < 10 ? "%llu" : "0x%llx", (unsigned long long)value);
        break;
    }
}

size_t strace_format_call(char *line, size_t size, int tid, unsigned number, const struct syscall_row *row, const uint64_t a[6])
{
    struct text t = {line, 0, size - 1}; /* the caller may add a newline */
    if (*row->name)
        put(&t, "%d %s(", tid, row->name);
    else
        put(&t, "%d syscall_%u(", tid, number);
    const char *kinds = row->kinds + (*row->kinds == '*');
    for (unsigned i = 0; kinds[i]; i++) {
        if (i)
            put(&t, ",");
        put_argument(&t, kinds[i], a[i]);
    }
    put(&t, ")");
    return t.used;
}

size_t strace_format_result(char *line, size_t size, const struct syscall_row *row, int64_t result)
{
    struct text t = {line, 0, size};
    if (result == -RESULT_RESTART)
        put(&t, " = ? (to be restarted)\n");
    else if (result == -RESULT_NONE)
        put(&t, " = ?\n");
    else if (result < 0 && result >= -4095)
        put(&t, " = -1 errno=%d (%s)\n", (int)-result, strerror((int)-result));
    else if (*row->kinds == '*')
        put(&t, " = 0x%016llx\n", (unsigned long long)result);
    else
        put(&t, " = %lld\n", (long long)result);
    return t.used;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* String and memory functions: those of the C library, and byte loops of our own. */
#include "bench.h"

enum { SIZE = 1 << 16 };
static char text[SIZE + 64], other[SIZE + 64];

static size_t count_words(const char *s)
{
    size_t words = 0;
    for (int inside = 0; *s; s++) {
        int letter = (*s | 32) >= 'a' && (*s | 32) <= 'z';
        words += (size_t)(letter && !inside);
        inside = letter;
    }
    return words;
}

static void rotate13(char *to, const char *from)
{
    for (; *from; from++, to++) {
        char c = *from;
        if (c >= 'a' && c <= 'z')
            c = (char)((c - 'a' + 13) % 26 + 'a');
        *to = c;
    }
    *to = 0;
}

static int matches(const char *pattern, const char *s)
{
    for (; *pattern; pattern++, s++) {
        if (*pattern == '*') {
            while (*pattern == '*')
                pattern++;
            do
                if (matches(pattern, s))
                    return 1;
            while (*s++);
            return 0;
        }
        if (*s != *pattern && (*pattern != '?' || !*s))
            return 0;
    }
    return !*s;
}

int main(void)
{
    uint64_t random = 13, sum = 0;
    for (size_t i = 0; i < SIZE; i++) {
        uint64_t r = next_random(&random);
        text[i] = (char)(r % 11 == 0 ? ' ' : r % 301 == 0 ? '\n' : 'a' + r % 26);
    }
    for (int round = 0; round < 240; round++) {
        sum += strlen(text + round % 16);
        memcpy(other + round % 8, text, SIZE - 16);
        other[SIZE - 1] = 0;
        sum += (uint64_t)memcmp(other + round % 8, text, SIZE - 16) & 1;
        memmove(other + 5, other, SIZE - 100);
        for (const char *p = text; (p = strchr(p, '\n')); p++)
            sum++;
        sum += (uint64_t)(strstr(text, "zzzzq") ? 1 : 0) + (memchr(text, '\t', SIZE) != NULL);
        strcpy(other, text);
        sum += (uint64_t)strcmp(other, text) + strspn(text, "abcdefghijklmnopqrstuvwxy ") + strcspn(text, "\r\t");
        memset(other, round, SIZE / 2);
        sum += count_words(text);
        rotate13(other, text);
        sum += (uint8_t)other[round * 100];
        for (size_t i = 0; i < 3000; i++) {
            char number[32];
            int n = snprintf(number, sizeof(number), "%zu:%x", i * 7919, (unsigned)(i + (size_t)round));
            sum += (uint64_t)n + strtoul(number, NULL, 10);
        }
        for (size_t i = 0; i < 40; i++) {
            char c = text[i * 400 + 300];
            text[i * 400 + 300] = 0;
            sum += (uint64_t)matches("*a?c*e*x*z*", text + i * 400);
            text[i * 400 + 300] = c;
        }
    }
    return finish(sum);
}

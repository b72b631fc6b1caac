/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Instruction words, and what the A64 decode table says they are: for disassembly.py.
 *
 *   a64_words WORDS ROWS SEED COUNT     writes COUNT random words, and half of that near the rows of the table, to
 * WORDS (binary), and a line "WORD NAME" ("-": unallocated) for each to ROWS a64_words --all decodes all 2^32 words, in
 * two processes; prints how many are allocated
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "frontend/a64/decode.h"

static uint32_t next_random(uint64_t *random)
{
    *random = *random * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*random >> 32);
}

static void write_word(FILE *words, FILE *rows, uint32_t word)
{
    const struct a64_row *row = a64_decode(word);
    fwrite(&word, sizeof word, 1, words);
    fprintf(rows, "%08x %s\n", word, row ? row->name : "-");
}

static int write_words(const char *words_path, const char *rows_path, uint64_t seed, uint64_t count)
{
    FILE *words = fopen(words_path, "wb"), *rows = fopen(rows_path, "w");
    if (!words || !rows) {
        perror("a64_words");
        return 1;
    }
    uint64_t random = seed;
    for (uint64_t i = 0; i < count; i++)
        write_word(words, rows, next_random(&random));
    for (uint64_t i = 0; i < count / 2; i++) {
        uint32_t word = a64_random_word(&a64_rows[i % a64_row_count], &random);
        write_word(words, rows, i / a64_row_count & 1 ? word ^ 1u << (next_random(&random) & 31) : word);
    }
    return fclose(words) == 0 && fclose(rows) == 0 ? 0 : 1;
}

static bool is_of(const struct a64_encoding *e, uint32_t word)
{
    bool is = (word & e->mask) == e->value;
    for (unsigned i = 0; is && i < e->nforbids; i++)
        is = (word & e->forbids[i].mask) != e->forbids[i].value;
    return is;
}

/** Every word of a half of them; false if one was given to a row whose pattern it does not match. */
static bool decode_half(uint32_t half)
{
    struct a64_encoding *encodings = calloc(a64_row_count, sizeof *encodings);
    uint64_t allocated = 0, wrong = 0;
    for (size_t i = 0; encodings && i < a64_row_count; i++)
        a64_parse_pattern(a64_rows[i].pattern, &encodings[i]);
    for (uint32_t low = 0; encodings && low < 1u << 31; low++) {
        uint32_t word = half << 31 | low;
        const struct a64_row *row = a64_decode(word);
        allocated += row != NULL;
        if (row && !is_of(&encodings[row - a64_rows], word) && wrong++ < 10)
            printf("%08x is no %s\n", word, row->name);
    }
    printf("%08x to %08x: %llu allocated, %llu wrong\n", half << 31, half << 31 | 0x7fffffff,
           (unsigned long long)allocated, (unsigned long long)wrong);
    free(encodings);
    return encodings && !wrong;
}

static int decode_all(void)
{
    int status = 0;
    pid_t child = fork();
    bool good = decode_half(child == 0);
    fflush(stdout);
    if (child == 0)
        _exit(!good);
    return child < 0 || waitpid(child, &status, 0) < 0 || status != 0 || !good;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--all") == 0)
        return decode_all();
    if (argc != 5) {
        fprintf(stderr, "a64_words WORDS ROWS SEED COUNT | --all\n");
        return 2;
    }
    return write_words(argv[1], argv[2], strtoull(argv[3], NULL, 0), strtoull(argv[4], NULL, 0));
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Pointer chasing: a random cycle through 1 MB, then a binary search tree. */
#include "bench.h"

enum { CELLS = 1 << 16, KEYS = 1 << 15 };
struct cell { struct cell *next; uint64_t value; };
struct tree { struct tree *child[2]; uint64_t key; };

int main(void)
{
    struct cell *cells = malloc(CELLS * sizeof(*cells));
    uint32_t *order = malloc(CELLS * sizeof(*order));
    uint64_t random = 7, sum = 0;
    for (uint32_t i = 0; i < CELLS; i++)
        order[i] = i;
    for (uint32_t i = CELLS - 1; i > 0; i--) {
        uint32_t j = (uint32_t)(next_random(&random) % i), t = order[i];
        order[i] = order[j];
        order[j] = t;
    }
    for (uint32_t i = 0; i < CELLS; i++)
        cells[order[i]] = (struct cell){&cells[order[(i + 1) % CELLS]], i};
    struct cell *at = cells;
    for (uint32_t i = 0; i < 10000000; i++) {
        sum += at->value ^ i;
        at = at->next;
    }
    struct tree *root = NULL, *pool = calloc(KEYS, sizeof(*pool));
    for (uint32_t i = 0; i < KEYS; i++) {
        struct tree **link = &root;
        uint64_t key = next_random(&random);
        while (*link)
            link = &(*link)->child[key > (*link)->key];
        pool[i].key = key;
        *link = &pool[i];
    }
    for (uint32_t i = 0; i < 500000; i++) {
        uint64_t key = next_random(&random);
        struct tree *node = root;
        while (node && node->key != key) {
            sum += node->key >> 60;
            node = node->child[key > node->key];
        }
    }
    return finish(sum);
}

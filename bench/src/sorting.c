/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sorting: quicksort and heapsort of our own, qsort with a comparison function, radix sort. */
#include "bench.h"

enum { COUNT = 200000 };

static void quick(uint32_t *a, int64_t low, int64_t high)
{
    while (low < high) {
        uint32_t pivot = a[(low + high) / 2];
        int64_t i = low - 1, j = high + 1;
        for (;;) {
            while (a[++i] < pivot)
                ;
            while (a[--j] > pivot)
                ;
            if (i >= j)
                break;
            uint32_t t = a[i];
            a[i] = a[j];
            a[j] = t;
        }
        quick(a, low, j);
        low = j + 1;
    }
}

static void sift(uint32_t *a, size_t root, size_t end)
{
    for (size_t child; (child = 2 * root + 1) < end; root = child) {
        if (child + 1 < end && a[child] < a[child + 1])
            child++;
        if (a[root] >= a[child])
            return;
        uint32_t t = a[root];
        a[root] = a[child];
        a[child] = t;
    }
}

static void heap(uint32_t *a, size_t n)
{
    for (size_t i = n / 2; i-- > 0;)
        sift(a, i, n);
    for (size_t end = n - 1; end > 0; end--) {
        uint32_t t = a[0];
        a[0] = a[end];
        a[end] = t;
        sift(a, 0, end);
    }
}

static void radix(uint32_t *a, uint32_t *temporary, size_t n)
{
    for (int shift = 0; shift < 32; shift += 8) {
        size_t counts[257] = {0};
        for (size_t i = 0; i < n; i++)
            counts[(a[i] >> shift & 255) + 1]++;
        for (int i = 0; i < 256; i++)
            counts[i + 1] += counts[i];
        for (size_t i = 0; i < n; i++)
            temporary[counts[a[i] >> shift & 255]++] = a[i];
        uint32_t *t = a;
        a = temporary;
        temporary = t;
    }
}

static int compare(const void *x, const void *y)
{
    uint32_t a = *(const uint32_t *)x, b = *(const uint32_t *)y;
    return (a > b) - (a < b);
}

int main(void)
{
    uint32_t *numbers = malloc(COUNT * 4), *work = malloc(COUNT * 4), *temporary = malloc(COUNT * 4);
    uint64_t random = 3, checksum = 0;
    for (int i = 0; i < COUNT; i++)
        numbers[i] = (uint32_t)next_random(&random);
    for (int method = 0; method < 12; method++) {
        memcpy(work, numbers, COUNT * 4);
        switch (method % 4) {
        case 0: quick(work, 0, COUNT - 1); break;
        case 1: heap(work, COUNT); break;
        case 2: radix(work, temporary, COUNT); break;
        case 3: qsort(work, COUNT, 4, compare); break;
        }
        for (int i = 0; i < COUNT; i += 97)
            checksum = checksum * 31 + work[i];
        numbers[method] ^= (uint32_t)method;
    }
    return finish(checksum);
}

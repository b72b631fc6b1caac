/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Small control-type work in turn: a linked list that is searched, reversed and sorted, integer matrices, a state machine
   over text, a bitwise checksum over the results. */
#include "bench.h"

enum { NODES = 500, SIZE = 24, TEXT = 2000 };

struct node { struct node *next; int16_t key, value; };

static struct node nodes[NODES];
static int16_t left[SIZE][SIZE], right[SIZE][SIZE];
static int32_t product[SIZE][SIZE];
static char text[TEXT + 1];

static uint16_t crc16(uint16_t crc, uint32_t value)
{
    for (int i = 0; i < 32; i++) {
        crc = (uint16_t)((crc ^ (value & 1)) & 1 ? crc >> 1 ^ 0xa001 : crc >> 1);
        value >>= 1;
    }
    return crc;
}

static struct node *reverse(struct node *list)
{
    struct node *result = NULL;
    while (list) {
        struct node *next = list->next;
        list->next = result;
        result = list;
        list = next;
    }
    return result;
}

static struct node *merge_sort(struct node *list, int (*compare)(const struct node *, const struct node *))
{
    if (!list || !list->next)
        return list;
    struct node *slow = list, *fast = list->next;
    while (fast && fast->next)
        slow = slow->next, fast = fast->next->next;
    struct node *second = merge_sort(slow->next, compare), *result = NULL, **end = &result;
    slow->next = NULL;
    list = merge_sort(list, compare);
    while (list && second) {
        struct node **from = compare(list, second) <= 0 ? &list : &second;
        *end = *from;
        end = &(*end)->next;
        *from = *end;
    }
    *end = list ? list : second;
    return result;
}

static int by_key(const struct node *a, const struct node *b) { return a->key - b->key; }
static int by_value(const struct node *a, const struct node *b) { return a->value - b->value; }

static uint32_t lists(uint32_t seed)
{
    for (int i = 0; i < NODES; i++) {
        nodes[i].next = i + 1 < NODES ? &nodes[i + 1] : NULL;
        nodes[i].key = (int16_t)((i * 7919u + seed) & 0x7fff);
        nodes[i].value = (int16_t)(i ^ seed);
    }
    struct node *list = nodes;
    uint32_t found = 0;
    for (int wanted = 0; wanted < 100; wanted++) {
        for (struct node *n = list; n; n = n->next)
            if ((n->key & 255) == wanted) {
                found += (uint32_t)n->value;
                break;
            }
        list = reverse(list);
    }
    list = merge_sort(list, by_key);
    found ^= (uint32_t)list->value << 8;
    list = merge_sort(list, by_value);
    return found + (uint32_t)list->next->key;
}

static uint32_t matrices(uint32_t seed)
{
    uint32_t sum = 0;
    for (int i = 0; i < SIZE; i++)
        for (int j = 0; j < SIZE; j++) {
            left[i][j] = (int16_t)(seed + (uint32_t)(i * j));
            right[i][j] = (int16_t)(seed ^ (uint32_t)(i + j));
        }
    for (int i = 0; i < SIZE; i++)
        for (int j = 0; j < SIZE; j++) {
            int32_t total = 0;
            for (int k = 0; k < SIZE; k++)
                total += left[i][k] * right[k][j];
            product[i][j] = total;
        }
    for (int i = 0; i < SIZE; i++)
        for (int j = 0; j < SIZE; j++)
            sum += product[i][j] > (int32_t)sum ? 10 : (uint32_t)(product[i][j] >> 3 & 0xff);
    return sum;
}

enum state { START, SIGN, INTEGER, POINT, FRACTION, EXPONENT, INVALID, STATES };

static uint32_t numbers(void)
{
    uint32_t counts[STATES] = {0};
    enum state state = START;
    for (const char *p = text; *p; p++) {
        char c = *p;
        if (c == ',') {
            counts[state]++;
            state = START;
            continue;
        }
        switch (state) {
        case START: state = c >= '0' && c <= '9' ? INTEGER : c == '+' || c == '-' ? SIGN : c == '.' ? POINT : INVALID; break;
        case SIGN: state = c >= '0' && c <= '9' ? INTEGER : c == '.' ? POINT : INVALID; break;
        case INTEGER: state = c >= '0' && c <= '9' ? INTEGER : c == '.' ? FRACTION : c == 'e' ? EXPONENT : INVALID; break;
        case POINT: state = c >= '0' && c <= '9' ? FRACTION : INVALID; break;
        case FRACTION: state = c >= '0' && c <= '9' ? FRACTION : c == 'e' ? EXPONENT : INVALID; break;
        case EXPONENT: state = c >= '0' && c <= '9' ? EXPONENT : INVALID; break;
        default: break;
        }
    }
    uint32_t result = 0;
    for (int i = 0; i < STATES; i++)
        result = result * 31 + counts[i];
    return result;
}

int main(void)
{
    static const char *const parts[] = {"5012,", "-8.75,", ".1e9,", "T0.3,", "+7e4,", "12.5,", "--,", "110.e2,"};
    uint64_t random = 1;
    for (size_t length = 0; length < TEXT - 8;) {
        const char *part = parts[next_random(&random) & 7];
        strcpy(text + length, part);
        length += strlen(part);
    }
    uint16_t crc = 0xffff;
    for (uint32_t i = 0; i < 1800; i++) {
        crc = crc16(crc, lists(i));
        crc = crc16(crc, matrices(i));
        for (int k = 0; k < 4; k++)
            crc = crc16(crc, numbers());
        text[i % (TEXT / 2)] ^= (char)(i & 1);
    }
    return finish(crc);
}

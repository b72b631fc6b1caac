/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A small compressor: matches found through hash chains, then adaptive binary range coding; and back again. */
#include "bench.h"

enum { SIZE = 2500000, HASH_BITS = 15, CHAIN = 12 };

static uint8_t input[SIZE + 8], packed[SIZE * 2], output[SIZE + 300];
static int32_t heads[1 << HASH_BITS], previous[SIZE];
static uint16_t literal_model[256 * 256], flag_model[256], length_model[256], distance_model[3][256];

struct coder { uint64_t low; uint32_t range, code; uint8_t *at; int cache, pending; };

static void shift_low(struct coder *c)
{
    if ((uint32_t)c->low < 0xff000000 || c->low >> 32) {
        if (c->cache >= 0)
            *c->at++ = (uint8_t)(c->cache + (int)(c->low >> 32));
        for (; c->pending; c->pending--)
            *c->at++ = (uint8_t)(0xff + (int)(c->low >> 32));
        c->cache = (int)(c->low >> 24 & 0xff);
    } else {
        c->pending++;
    }
    c->low = (c->low & 0x00ffffff) << 8;
}

static void put_bit(struct coder *c, uint16_t *model, int bit)
{
    uint32_t bound = (c->range >> 12) * *model;
    if (bit) {
        c->low += bound;
        c->range -= bound;
        *model -= *model >> 5;
    } else {
        c->range = bound;
        *model += (4096 - *model) >> 5;
    }
    while (c->range < 1 << 24) {
        c->range <<= 8;
        shift_low(c);
    }
}

static int get_bit(struct coder *c, uint16_t *model)
{
    uint32_t bound = (c->range >> 12) * *model;
    int bit = c->code >= bound;
    if (bit) {
        c->code -= bound;
        c->range -= bound;
        *model -= *model >> 5;
    } else {
        c->range = bound;
        *model += (4096 - *model) >> 5;
    }
    while (c->range < 1 << 24) {
        c->range <<= 8;
        c->code = c->code << 8 | *c->at++;
    }
    return bit;
}

static void put_byte(struct coder *c, uint16_t *model, uint32_t byte)
{
    uint32_t context = 1;
    for (int i = 7; i >= 0; i--) {
        int bit = byte >> i & 1;
        put_bit(c, model + context, bit);
        context = context * 2 + (uint32_t)bit;
    }
}

static uint32_t get_byte(struct coder *c, uint16_t *model)
{
    uint32_t context = 1;
    while (context < 256)
        context = context * 2 + (uint32_t)get_bit(c, model + context);
    return context & 255;
}

static void reset(uint16_t *model, size_t count)
{
    for (size_t i = 0; i < count; i++)
        model[i] = 2048;
}

static void reset_all(void)
{
    reset(literal_model, 65536);
    reset(flag_model, 256);
    reset(length_model, 256);
    reset(distance_model[0], 768);
}

static uint32_t hash(const uint8_t *p) { return (p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16) * 2654435761u >> (32 - HASH_BITS); }

static size_t compress(void)
{
    struct coder c = {.range = ~0u, .at = packed, .cache = -1};
    memset(heads, 0xff, sizeof(heads));
    reset_all();
    for (int32_t i = 0; i < SIZE;) {
        int32_t best = 0, distance = 0, candidate = heads[hash(input + i)];
        for (int tries = 0; tries < CHAIN && candidate >= 0 && i - candidate < 1 << 24; tries++, candidate = previous[candidate]) {
            int32_t length = 0, limit = SIZE - i < 258 ? SIZE - i : 258;
            while (length < limit && input[candidate + length] == input[i + length])
                length++;
            if (length > best)
                best = length, distance = i - candidate;
        }
        uint8_t before = i ? input[i - 1] : 0;
        int match = best >= 4;
        put_bit(&c, &flag_model[before], match);
        if (match) {
            put_byte(&c, length_model, (uint32_t)(best - 4));
            for (int k = 0; k < 3; k++)
                put_byte(&c, distance_model[k], (uint32_t)distance >> (8 * k) & 255);
        } else {
            put_byte(&c, literal_model + before * 256, input[i]);
            best = 1;
        }
        for (; best-- > 0; i++) {
            uint32_t h = hash(input + i);
            previous[i] = heads[h];
            heads[h] = i;
        }
    }
    for (int i = 0; i < 6; i++)
        shift_low(&c);
    return (size_t)(c.at - packed);
}

int main(void)
{
    static const char *const words[] = {"region", "block", "guest", "host", "exit", "chain", "value", "state", "the", "of", "and", " ", "\n", "0x", "==", "();"};
    uint64_t random = 5, checksum = 0;
    for (size_t length = 0; length < SIZE;) {
        uint64_t r = next_random(&random);
        const char *word = words[r & r >> 8 & 15];
        size_t n = strlen(word);
        if (length + n + 1 > SIZE)
            n = SIZE - length - 1;
        memcpy(input + length, word, n);
        length += n;
        input[length++] = (uint8_t)(r >> 32 & 7 ? ' ' : 'a' + (r >> 40) % 26);
    }
    size_t size = compress();
    for (size_t i = 0; i < size; i++)
        checksum = checksum * 31 + packed[i];
    struct coder c = {.range = ~0u, .at = packed};
    for (int i = 0; i < 4; i++)
        c.code = c.code << 8 | *c.at++;
    reset_all();
    for (size_t i = 0; i < SIZE;) {
        uint8_t before = i ? output[i - 1] : 0;
        if (!get_bit(&c, &flag_model[before])) {
            output[i] = (uint8_t)get_byte(&c, literal_model + before * 256);
            i++;
            continue;
        }
        uint32_t length = get_byte(&c, length_model) + 4, distance = 0;
        for (int k = 0; k < 3; k++)
            distance |= get_byte(&c, distance_model[k]) << (8 * k);
        for (; length-- > 0 && i < SIZE; i++)
            output[i] = output[i - distance];
    }
    if (memcmp(input, output, SIZE) != 0) {
        puts("the round trip failed");
        return 1;
    }
    return finish(checksum + size);
}

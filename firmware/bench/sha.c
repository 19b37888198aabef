// Benchmark, integer: SHA-256 of 64 KiB.

#include "bench.h"

#define SIZE  65536
#define BLOCK 64
#define ROUNDS 64

u64 iterations = 170;
const u64 expected = 0x5fce37f3129150ce; // the first 64 bits of the digest

static u8 message[SIZE + BLOCK];
static u32 hash[8], constants[ROUNDS];

// "The first thirty-two bits of the fractional parts" of the square roots or cube roots of primes (FIPS 180-4).
static u32 fraction_of_root(u32 prime, int power)
{
    unsigned __int128 wanted = (unsigned __int128)prime << 32 * power;
    u64 root = 0;
    for (int bit = 36; bit >= 0; bit--) {
        u64 trial = root | 1ull << bit;
        unsigned __int128 value = (unsigned __int128)trial * trial;
        if (power == 3)
            value *= trial;
        if (value <= wanted)
            root = trial;
    }
    return (u32)root;
}

static int is_prime(u32 number)
{
    for (u32 divisor = 2; divisor * divisor <= number; divisor++)
        if (number % divisor == 0)
            return 0;
    return 1;
}

static void prepare(void)
{
    int found = 0;
    for (u32 number = 2; found < ROUNDS; number++) {
        if (!is_prime(number))
            continue;
        if (found < 8)
            hash[found] = fraction_of_root(number, 2);
        constants[found++] = fraction_of_root(number, 3);
    }
}

static u32 rotate(u32 word, int count)
{
    return word >> count | word << (32 - count);
}

static void add_block(const u8 *block)
{
    u32 w[ROUNDS];
    for (int i = 0; i < 16; i++, block += 4)
        w[i] = (u32)block[0] << 24 | (u32)block[1] << 16 | (u32)block[2] << 8 | block[3];
    for (int i = 16; i < ROUNDS; i++) {
        u32 early = w[i - 15], late = w[i - 2];
        w[i] = w[i - 16] + w[i - 7]
             + (rotate(early, 7) ^ rotate(early, 18) ^ early >> 3)
             + (rotate(late, 17) ^ rotate(late, 19) ^ late >> 10);
    }
    u32 a = hash[0], b = hash[1], c = hash[2], d = hash[3], e = hash[4], f = hash[5], g = hash[6], h = hash[7];
    for (int i = 0; i < ROUNDS; i++) {
        u32 t1 = h + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) + ((e & f) ^ (~e & g)) + constants[i] + w[i];
        u32 t2 = (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
        h = g, g = f, f = e, e = d + t1, d = c, c = b, b = a, a = t1 + t2;
    }
    hash[0] += a, hash[1] += b, hash[2] += c, hash[3] += d, hash[4] += e, hash[5] += f, hash[6] += g, hash[7] += h;
}

u64 iteration(void)
{
    prepare();
    for (int i = 0; i < SIZE; i++)
        message[i] = (u8)(i * 7 + (i >> 8));
    message[SIZE] = 0x80;           // a one, zeros, and the length in bits
    for (int i = 0; i < 8; i++)
        message[SIZE + BLOCK - 1 - i] = (u8)((u64)SIZE * 8 >> 8 * i);
    for (int at = 0; at < SIZE + BLOCK; at += BLOCK)
        add_block(message + at);
    return (u64)hash[0] << 32 | hash[1];
}

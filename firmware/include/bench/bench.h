// What a benchmark and its frame (frame.c) have in common.
//
// A benchmark does a piece of work in iteration(), always the same, from a fixed start, and returns a checksum of what
// came out.  The frame repeats it `iterations` times and compares with `expected`.  Floating-point operations are
// rounded as written (no contraction), so that checksums are the same on every machine.

#pragma once

typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef signed long long s64;

extern u64 iterations;              // may be changed in memory before the start
extern const u64 expected;

u64 iteration(void);

// Numbers that look random: xorshift, by G. Marsaglia's method.
static inline u64 next_random(u64 *state)
{
    u64 x = *state;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return *state = x;
}

// A checksum in which order counts.
static inline u64 mix(u64 sum, u64 value)
{
    return (sum << 7 | sum >> 57) + (value ^ 0x9e3779b97f4a7c15);
}

// The bits of a double.
static inline u64 bits_of(double value)
{
    return (union { double value; u64 bits; }){ value }.bits;
}

// A double from 0 to 1.
static inline double next_fraction(u64 *state)
{
    return (double)(s64)(next_random(state) >> 11) * 0x1p-53;
}

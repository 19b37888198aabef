// Benchmark, double precision: the product of two matrices of 96 by 96.

#include "bench.h"

#define SIZE 96

u64 iterations = 145;
const u64 expected = 0x8fe12220fcb3400d;

static double left[SIZE][SIZE], right[SIZE][SIZE], product[SIZE][SIZE];

u64 iteration(void)
{
    u64 random = 4, sum = 0;
    for (int i = 0; i < SIZE; i++)
        for (int j = 0; j < SIZE; j++) {
            left[i][j] = next_fraction(&random) - 0.5;
            right[i][j] = next_fraction(&random) - 0.5;
            product[i][j] = 0;
        }
    for (int i = 0; i < SIZE; i++)
        for (int k = 0; k < SIZE; k++) {
            double factor = left[i][k];
            for (int j = 0; j < SIZE; j++)
                product[i][j] = __builtin_fma(factor, right[k][j], product[i][j]);
        }
    for (int i = 0; i < SIZE; i++)
        for (int j = 0; j < SIZE; j++)
            sum = mix(sum, bits_of(product[i][j]));
    return sum;
}

// Benchmark, integer: the product of two matrices of 48 by 48, and determinants modulo a prime.

#include "bench.h"

#define SIZE 48
#define PRIME 2147483647u           // 2^31 - 1

u64 iterations = 260;
const u64 expected = 0x45bb167d5ec01875;

typedef u32 matrix[SIZE][SIZE];

static matrix left, right, product, work;

static void multiply(void)
{
    for (int i = 0; i < SIZE; i++)
        for (int j = 0; j < SIZE; j++) {
            u64 total = 0;
            for (int k = 0; k < SIZE; k++)
                total += (u64)left[i][k] * right[k][j] % PRIME;
            product[i][j] = (u32)(total % PRIME);
        }
}

static u32 times(u32 a, u32 b)
{
    return (u32)((u64)a * b % PRIME);
}

static u32 inverse(u32 number)      // its power of PRIME - 2
{
    u32 result = 1;
    for (u32 power = PRIME - 2; power; power >>= 1) {
        if (power & 1)
            result = times(result, number);
        number = times(number, number);
    }
    return result;
}

static void swap_rows(u32 *a, u32 *b)
{
    for (int j = 0; j < SIZE; j++) {
        u32 value = a[j];
        a[j] = b[j];
        b[j] = value;
    }
}

// By Gauss's elimination.
static u32 determinant(matrix of)
{
    u32 result = 1;
    for (int i = 0; i < SIZE; i++)
        for (int j = 0; j < SIZE; j++)
            work[i][j] = of[i][j];
    for (int k = 0; k < SIZE; k++) {
        int row = k;
        while (row < SIZE && !work[row][k])
            row++;
        if (row == SIZE)
            return 0;
        if (row != k) {
            swap_rows(work[row], work[k]);
            result = PRIME - result;
        }
        result = times(result, work[k][k]);
        u32 pivot = inverse(work[k][k]);
        for (int i = k + 1; i < SIZE; i++) {
            u32 factor = PRIME - times(work[i][k], pivot);
            for (int j = k; j < SIZE; j++)
                work[i][j] = (u32)((work[i][j] + (u64)factor * work[k][j]) % PRIME);
        }
    }
    return result;
}

u64 iteration(void)
{
    u64 random = 7, sum = 0;
    for (int i = 0; i < SIZE; i++)
        for (int j = 0; j < SIZE; j++) {
            left[i][j] = (u32)(next_random(&random) % PRIME);
            right[i][j] = (u32)(next_random(&random) % PRIME);
        }
    multiply();
    u32 of_product = determinant(product);
    if (!of_product || of_product != times(determinant(left), determinant(right)))
        return 0;
    for (int i = 0; i < SIZE; i++)
        for (int j = 0; j < SIZE; j++)
            sum = mix(sum, product[i][j]);
    return mix(sum, of_product);
}

// Benchmark, double precision: 80 linear equations, by LU decomposition with partial pivoting, as Linpack does it.

#include "bench.h"

#define SIZE 80
#define CLOSE 1e-9                  // how near the solution must be

u64 iterations = 610;
const u64 expected = 0xf552c4b9c1b27d1b;

static double matrix[SIZE][SIZE], right[SIZE];      // columns: matrix[j][i] is in row i
static int pivot_of[SIZE];

static double magnitude(double value)
{
    return value < 0 ? -value : value;
}

// The solution is a vector of ones.
static void prepare(void)
{
    u64 random = 10;
    for (int i = 0; i < SIZE; i++)
        right[i] = 0;
    for (int j = 0; j < SIZE; j++)
        for (int i = 0; i < SIZE; i++) {
            matrix[j][i] = next_fraction(&random) - 0.5;
            right[i] += matrix[j][i];
        }
}

static int index_of_largest(const double *of, int from)
{
    int largest = from;
    for (int i = from + 1; i < SIZE; i++)
        if (magnitude(of[i]) > magnitude(of[largest]))
            largest = i;
    return largest;
}

static void swap(double *a, double *b)
{
    double value = *a;
    *a = *b;
    *b = value;
}

// to[i] += factor * from[i]
static void add(double *to, double factor, const double *from, int first, int end)
{
    for (int i = first; i < end; i++)
        to[i] += factor * from[i];
}

static void factorise(void)
{
    for (int k = 0; k < SIZE; k++) {
        int pivot = pivot_of[k] = index_of_largest(matrix[k], k);
        swap(&matrix[k][pivot], &matrix[k][k]);
        double scale = -1 / matrix[k][k];
        for (int i = k + 1; i < SIZE; i++)
            matrix[k][i] *= scale;
        for (int j = k + 1; j < SIZE; j++) {
            swap(&matrix[j][pivot], &matrix[j][k]);
            add(matrix[j], matrix[j][k], matrix[k], k + 1, SIZE);
        }
    }
}

static void solve(void)
{
    for (int k = 0; k < SIZE; k++) {
        swap(&right[pivot_of[k]], &right[k]);
        add(right, right[k], matrix[k], k + 1, SIZE);
    }
    for (int k = SIZE - 1; k >= 0; k--) {
        right[k] /= matrix[k][k];
        add(right, -right[k], matrix[k], 0, k);
    }
}

u64 iteration(void)
{
    u64 sum = 0;
    prepare();
    factorise();
    solve();
    for (int i = 0; i < SIZE; i++) {
        if (!(magnitude(right[i] - 1) < CLOSE))
            return 0;
        sum = mix(sum, bits_of(right[i]));
    }
    return sum;
}

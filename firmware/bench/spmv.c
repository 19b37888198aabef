// Benchmark, double precision: a sparse linear system (heat on a grid of 48 by 48), by conjugate gradients.

#include "bench.h"

#define SIDE    48
#define ROWS    (SIDE * SIDE)
#define ENTRIES (ROWS * 5)          // a place and its neighbours
#define STEPS   20

u64 iterations = 200;
const u64 expected = 0x15fb45065c2c5e36;

// The matrix by rows: the entries of row i are from row_start[i] on, up to row_start[i + 1].
static int row_start[ROWS + 1], column[ENTRIES];
static double entry[ENTRIES], x[ROWS], residual[ROWS], direction[ROWS], image[ROWS];

static int add_entry(int at, int in_column, double value)
{
    column[at] = in_column;
    entry[at] = value;
    return at + 1;
}

static void prepare(void)
{
    u64 random = 6;
    int at = 0;
    for (int i = 0; i < ROWS; i++) {
        row_start[i] = at;
        if (i >= SIDE)
            at = add_entry(at, i - SIDE, -1);
        if (i % SIDE)
            at = add_entry(at, i - 1, -1);
        at = add_entry(at, i, 4.5);
        if (i % SIDE != SIDE - 1)
            at = add_entry(at, i + 1, -1);
        if (i < ROWS - SIDE)
            at = add_entry(at, i + SIDE, -1);
        x[i] = 0;
        residual[i] = direction[i] = next_fraction(&random);
    }
    row_start[ROWS] = at;
}

static void multiply(double *result, const double *vector)
{
    for (int i = 0; i < ROWS; i++) {
        double total = 0;
        for (int at = row_start[i]; at < row_start[i + 1]; at++)
            total = __builtin_fma(entry[at], vector[column[at]], total);
        result[i] = total;
    }
}

static double product(const double *a, const double *b)
{
    double total = 0;
    for (int i = 0; i < ROWS; i++)
        total = __builtin_fma(a[i], b[i], total);
    return total;
}

// a + factor * b
static void add(double *result, const double *a, double factor, const double *b)
{
    for (int i = 0; i < ROWS; i++)
        result[i] = __builtin_fma(factor, b[i], a[i]);
}

u64 iteration(void)
{
    prepare();
    double square = product(residual, residual);
    for (int step = 0; step < STEPS; step++) {
        multiply(image, direction);
        double length = square / product(direction, image);
        add(x, x, length, direction);
        add(residual, residual, -length, image);
        double before = square;
        square = product(residual, residual);
        add(direction, residual, square / before, direction);
    }
    u64 sum = bits_of(square);
    for (int i = 0; i < ROWS; i++)
        sum = mix(sum, bits_of(x[i]));
    return sum;
}

// Benchmark, integer: calls: Fibonacci's numbers, Takeuchi's function, eight queens, permutations.

#include "bench.h"

#define QUEENS 8                    // have 92 solutions
#define PERMUTED 7

#define called __attribute__((noinline))

u64 iterations = 620;
const u64 expected = 0x96d5c39b4f0b5acd;

called static u64 fibonacci(u64 n)
{
    return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2);
}

called static s64 takeuchi(s64 x, s64 y, s64 z)
{
    return y >= x ? z : takeuchi(takeuchi(x - 1, y, z), takeuchi(y - 1, z, x), takeuchi(z - 1, x, y));
}

static int queen_in[QUEENS];        // of each row, the column

called static int is_free(int row, int column)
{
    for (int other = 0; other < row; other++) {
        int distance = queen_in[other] - column;
        if (distance == 0 || distance == row - other || distance == other - row)
            return 0;
    }
    return 1;
}

called static u64 place_queens(int row)
{
    if (row == QUEENS)
        return 1;
    u64 solutions = 0;
    for (int column = 0; column < QUEENS; column++)
        if (is_free(row, column)) {
            queen_in[row] = column;
            solutions += place_queens(row + 1);
        }
    return solutions;
}

static int order[PERMUTED];
static u64 sum_of_orders;

called static void take_order(const int *of)
{
    sum_of_orders = mix(sum_of_orders, (u64)(of[0] * 100 + of[PERMUTED - 1]));
}

called static void permute(int from, void (*take)(const int *))
{
    if (from == PERMUTED)
        take(order);
    for (int i = from; i < PERMUTED; i++) {
        int value = order[from];
        order[from] = order[i], order[i] = value;
        permute(from + 1, take);
        value = order[from];
        order[from] = order[i], order[i] = value;
    }
}

u64 iteration(void)
{
    u64 sum = mix(mix(0, fibonacci(20)), (u64)takeuchi(14, 9, 5));
    sum = mix(sum, place_queens(0));
    sum_of_orders = 0;
    for (int i = 0; i < PERMUTED; i++)
        order[i] = i;
    permute(0, take_order);
    return mix(sum, sum_of_orders);
}

// Benchmark, integer: sorts 20,000 numbers (quicksort), and checks their order.

#include "bench.h"

#define COUNT 20000
#define SMALL 12                    // parts up to this size are sorted by insertion

u64 iterations = 400;
const u64 expected = 0x5fa2209d0e3f014a;

static u64 numbers[COUNT];

static void swap(u64 *a, u64 *b)
{
    u64 value = *a;
    *a = *b;
    *b = value;
}

static void sort_by_insertion(u64 *first, u64 *end)
{
    for (u64 *next = first + 1; next < end; next++) {
        u64 value = *next, *at = next;
        for (; at > first && at[-1] > value; at--)
            *at = at[-1];
        *at = value;
    }
}

// The median of the first, the middle and the last, moved to the first place.
static void choose_pivot(u64 *first, u64 *end)
{
    u64 *middle = first + (end - first) / 2, *last = end - 1;
    if (*middle < *first)
        swap(middle, first);
    if (*last < *first)
        swap(last, first);
    if (*last < *middle)
        swap(last, middle);
    swap(first, middle);
}

static void quicksort(u64 *first, u64 *end)
{
    while (end - first > SMALL) {
        choose_pivot(first, end);
        u64 pivot = *first, *low = first, *high = end;
        for (;;) {
            do
                low++;
            while (low < end && *low < pivot);
            do
                high--;
            while (*high > pivot);
            if (low >= high)
                break;
            swap(low, high);
        }
        swap(first, high);
        if (high - first < end - high) {
            quicksort(first, high);
            first = high + 1;
        } else {
            quicksort(high + 1, end);
            end = high;
        }
    }
    sort_by_insertion(first, end);
}

u64 iteration(void)
{
    u64 random = 1, sum = 0;
    for (int i = 0; i < COUNT; i++)
        numbers[i] = next_random(&random);
    quicksort(numbers, numbers + COUNT);
    for (int i = 0; i < COUNT; i++) {
        if (i && numbers[i - 1] > numbers[i])
            return 0;
        sum = mix(sum, numbers[i]);
    }
    return sum;
}

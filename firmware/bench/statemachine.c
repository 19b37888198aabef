// Benchmark, integer: linked lists, small matrices, and a state machine that reads text.

#include "bench.h"

#define ITEMS   1000
#define SIZE    40
#define TEXT    8192
#define ROUNDS  3

u64 iterations = 230;
const u64 expected = 0xa96cce0f93311bfb;

// Lists: made, sorted by merging, turned round, searched.

struct item {
    struct item *next;
    u32 key, value;
};

static struct item items[ITEMS];

static struct item *make_list(u64 *random)
{
    struct item *first = 0;
    for (int i = 0; i < ITEMS; i++) {
        u64 number = next_random(random);
        items[i] = (struct item){ first, (u32)number, (u32)(number >> 32) };
        first = &items[i];
    }
    return first;
}

static struct item *merge(struct item *a, struct item *b)
{
    struct item *first = 0, **link = &first;
    while (a && b) {
        struct item **smaller = a->key <= b->key ? &a : &b;
        *link = *smaller;
        link = &(*link)->next;
        *smaller = *link;
    }
    *link = a ? a : b;
    return first;
}

static struct item *sort(struct item *first, int count)
{
    if (count < 2) {
        if (first)
            first->next = 0;
        return first;
    }
    struct item *middle = first;
    for (int i = 0; i < count / 2; i++)
        middle = middle->next;
    struct item *upper = sort(middle, count - count / 2);
    return merge(sort(first, count / 2), upper);
}

static struct item *turn_round(struct item *first)
{
    struct item *turned = 0;
    while (first) {
        struct item *next = first->next;
        first->next = turned;
        turned = first;
        first = next;
    }
    return turned;
}

static u64 work_on_lists(u64 *random)
{
    u64 sum = 0;
    struct item *first = turn_round(sort(make_list(random), ITEMS));
    for (struct item *item = first; item; item = item->next)
        sum = mix(sum, item->key + item->value);
    for (int i = 0; i < 100; i++) {
        u32 key = (u32)next_random(random);
        struct item *item = first;
        while (item && item->key > key)
            item = item->next;
        sum = mix(sum, item ? item->value : 0);
    }
    return sum;
}

// Matrices of integers: a product, then parts of words.

static int left[SIZE][SIZE], right[SIZE][SIZE], product[SIZE][SIZE];

static u64 work_on_matrices(u64 *random)
{
    u64 sum = 0;
    for (int i = 0; i < SIZE; i++)
        for (int j = 0; j < SIZE; j++) {
            left[i][j] = (short)next_random(random);
            right[i][j] = (short)next_random(random);
        }
    for (int i = 0; i < SIZE; i++)
        for (int j = 0; j < SIZE; j++) {
            u32 total = 0;
            for (int k = 0; k < SIZE; k++)
                total += (u32)left[i][k] * (u32)right[k][j];
            product[i][j] = (int)total;
        }
    for (int i = 0; i < SIZE; i++)
        for (int j = 0; j < SIZE; j++)
            sum = mix(sum, (product[i][j] >> 2 & 15) * (product[j][i] >> 5 & 127));
    return sum;
}

// A state machine: what kinds of words are in a text?

enum state { SPACE, NAME, INTEGER, FRACTION, EXPONENT, SIGN, OTHER, STATES };

static char text[TEXT];

static void write_text(u64 *random)
{
    static const char letters[] = "0123456789.+-eE abcxyz_, 0123456789 ";
    for (int i = 0; i < TEXT; i++)
        text[i] = letters[next_random(random) % (sizeof letters - 1)];
}

static int is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static int is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static enum state next_state(enum state state, char c)
{
    if (c == ' ' || c == ',')
        return SPACE;
    switch (state) {
    case SPACE:
        return is_letter(c) ? NAME : is_digit(c) ? INTEGER : c == '.' ? FRACTION : SIGN;
    case NAME:
        return is_letter(c) || is_digit(c) ? NAME : OTHER;
    case SIGN:
        return is_digit(c) ? INTEGER : c == '.' ? FRACTION : OTHER;
    case INTEGER:
        if (c == '.')
            return FRACTION;
        // fall through
    case FRACTION:
        return is_digit(c) ? state : c == 'e' || c == 'E' ? EXPONENT : OTHER;
    case EXPONENT:
        return is_digit(c) || c == '+' || c == '-' ? EXPONENT : OTHER;
    default:
        return OTHER;
    }
}

static u64 work_on_text(u64 *random)
{
    u64 sum = 0, words[STATES] = { 0 }, characters[STATES] = { 0 };
    write_text(random);
    enum state state = SPACE;
    for (int i = 0; i < TEXT; i++) {
        enum state next = next_state(state, text[i]);
        if (next == SPACE)
            words[state]++;
        characters[next]++;
        state = next;
    }
    for (int i = 0; i < STATES; i++)
        sum = mix(mix(sum, words[i]), characters[i]);
    return sum;
}

u64 iteration(void)
{
    u64 random = 3, sum = 0;
    for (int round = 0; round < ROUNDS; round++) {
        sum = mix(sum, work_on_lists(&random));
        sum = mix(sum, work_on_matrices(&random));
        sum = mix(sum, work_on_text(&random));
    }
    return sum;
}

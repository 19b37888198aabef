// Benchmark, integer: text byte by byte: words are cut out, copied, compared, sorted, counted, and found again.

#include "bench.h"

#define TEXT    16384
#define WORDS   512                 // different ones that there is room for
#define LETTERS 6                   // of the alphabet

u64 iterations = 200;
const u64 expected = 0x429e7199d9f1bbaf;

static char text[TEXT + 1], copy[TEXT + 1], pool[TEXT], *next_free;
static struct word { char *text; u64 count; } words[WORDS];
static int found;

static u64 length(const char *of)
{
    const char *end = of;
    while (*end)
        end++;
    return (u64)(end - of);
}

static int compare(const char *a, const char *b)
{
    while (*a && *a == *b)
        a++, b++;
    return (u8)*a - (u8)*b;
}

static void copy_bytes(char *to, const char *from, u64 count)
{
    while (count--)
        *to++ = *from++;
}

static void move_up(struct word *first, struct word *end)
{
    for (; end > first; end--)
        end[0] = end[-1];
}

static void count_word(const char *of)
{
    int low = 0, high = found;
    while (low < high) {
        int middle = (low + high) / 2, order = compare(of, words[middle].text);
        if (order == 0) {
            words[middle].count++;
            return;
        }
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    if (found == WORDS)
        return;
    move_up(&words[low], &words[found++]);
    u64 size = length(of) + 1;
    copy_bytes(next_free, of, size);
    words[low] = (struct word){ next_free, 1 };
    next_free += size;
}

// Words end at a blank or a comma; the text is cut up.
static void cut(char *at)
{
    while (*at) {
        while (*at == ' ' || *at == ',')
            at++;
        char *start = at;
        while (*at && *at != ' ' && *at != ',')
            at++;
        if (*at)
            *at++ = 0;
        if (*start)
            count_word(start);
    }
}

// How often is this part of a text?
static u64 occurrences(const char *in, const char *of)
{
    u64 count = 0;
    for (; *in; in++) {
        const char *a = in, *b = of;
        while (*b && *a == *b)
            a++, b++;
        count += !*b;
    }
    return count;
}

static void write_text(void)
{
    u64 random = 8;
    for (int i = 0; i < TEXT; i++) {
        u64 number = next_random(&random) >> 20;
        text[i] = number % 4 ? (char)('a' + (number >> 8) % LETTERS) : number % 32 ? ' ' : ',';
    }
    text[TEXT] = 0;
}

u64 iteration(void)
{
    found = 0, next_free = pool;
    write_text();
    copy_bytes(copy, text, TEXT + 1);
    cut(copy);
    u64 sum = 0;
    for (int i = 0; i < found; i++) {
        if (i && compare(words[i - 1].text, words[i].text) >= 0)
            return 0;
        sum = mix(mix(sum, words[i].count), (u8)words[i].text[length(words[i].text) / 2]);
    }
    for (int i = 0; i < found; i += 32)
        sum = mix(sum, occurrences(text, words[i].text));
    return sum;
}

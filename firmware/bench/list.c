// Benchmark, integer: a doubly linked list of 512 items in which what is sought moves to the front.

#include "bench.h"

#define ITEMS    512
#define SEARCHES 4096

u64 iterations = 300;
const u64 expected = 0x1ef01e2119aec4d2;

struct item {
    struct item *next, *previous;
    u64 key, hits;
};

static struct item items[ITEMS], list;      // `list` is before the first and behind the last

static void unlink_item(struct item *item)
{
    item->previous->next = item->next;
    item->next->previous = item->previous;
}

static void insert_behind(struct item *place, struct item *item)
{
    item->next = place->next;
    item->previous = place;
    place->next->previous = item;
    place->next = item;
}

static struct item *find(u64 key)
{
    struct item *item = list.next;
    while (item != &list && item->key != key)
        item = item->next;
    return item;
}

static void prepare(u64 *random)
{
    int order[ITEMS];
    for (int i = 0; i < ITEMS; i++)
        order[i] = i;
    for (int i = ITEMS - 1; i > 0; i--) {   // neighbours in the list are not neighbours in memory
        int other = (int)(next_random(random) % (u64)(i + 1)), value = order[i];
        order[i] = order[other];
        order[other] = value;
    }
    list.next = list.previous = &list;
    for (int i = 0; i < ITEMS; i++) {
        items[order[i]].key = (u64)i;
        items[order[i]].hits = 0;
        insert_behind(list.previous, &items[order[i]]);
    }
}

u64 iteration(void)
{
    u64 random = 9, sum = 0, misses = 0, count = 0;
    prepare(&random);
    for (int i = 0; i < SEARCHES; i++) {
        u64 number = next_random(&random);
        u64 key = number % ITEMS * (number >> 32 & 1023) >> 10;     // small ones more often
        if (number >> 60 == 0)
            key += ITEMS;
        struct item *item = find(key);
        if (item == &list) {
            misses++;
            continue;
        }
        item->hits++;
        unlink_item(item);
        insert_behind(&list, item);
    }
    for (struct item *item = list.next; item != &list; item = item->next, count++)
        sum = mix(mix(sum, item->key), item->hits);
    for (struct item *item = list.previous; item != &list; item = item->previous, count--)
        sum = mix(sum, item->key);
    return count ? 0 : mix(sum, misses);
}

// Benchmark, integer: a hash table of linked lists: 16,384 insertions, searches, removals.

#include "bench.h"

#define BUCKETS 4096
#define NODES   16384
#define KEYS    65536               // keys are below this, so that some come twice

u64 iterations = 520;
const u64 expected = 0xcf67782f26c4b2af;

struct node {
    struct node *next;
    u64 key, count;
};

static struct node nodes[NODES], *buckets[BUCKETS], *unused;

static struct node **bucket_of(u64 key)
{
    return &buckets[key * 0x9e3779b97f4a7c15 >> 52];
}

// Where the pointer to a key's node is, or the end of the list.
static struct node **find(u64 key)
{
    struct node **link = bucket_of(key);
    while (*link && (*link)->key != key)
        link = &(*link)->next;
    return link;
}

static void insert(u64 key)
{
    struct node **link = find(key);
    if (*link) {
        (*link)->count++;
        return;
    }
    struct node *node = unused;
    unused = node->next;
    *node = (struct node){ 0, key, 1 };
    *link = node;
}

static void remove_key(u64 key)
{
    struct node **link = find(key), *node = *link;
    if (node) {
        *link = node->next;
        node->next = unused;
        unused = node;
    }
}

u64 iteration(void)
{
    for (int i = 0; i < BUCKETS; i++)
        buckets[i] = 0;
    unused = 0;
    for (int i = NODES; i--; unused = &nodes[i])
        nodes[i].next = unused;

    u64 random = 2, sum = 0;
    for (int i = 0; i < NODES; i++)
        insert(next_random(&random) % KEYS);
    for (u64 key = 0; key < KEYS; key += 5)
        remove_key(key);
    for (u64 key = 0; key < KEYS; key += 3) {
        struct node *node = *find(key);
        sum = mix(sum, node ? node->count : key);
    }
    for (int i = 0; i < BUCKETS; i++)
        for (struct node *node = buckets[i]; node; node = node->next)
            sum = mix(sum, node->key);
    return sum;
}

// Benchmark, double precision: eight bodies that attract each other, 1,000 steps.

#include "bench.h"

#define BODIES 8
#define STEPS  1000
#define STEP   0.001
#define SOFTENING 0.01              // keeps close encounters finite

u64 iterations = 560;
const u64 expected = 0x017ca92383d54f07;

struct body {
    double place[3], speed[3], mass;
};

static struct body bodies[BODIES];

static void prepare(void)
{
    u64 random = 5;
    for (int i = 0; i < BODIES; i++) {
        for (int k = 0; k < 3; k++) {
            bodies[i].place[k] = 2 * next_fraction(&random) - 1;
            bodies[i].speed[k] = next_fraction(&random) - 0.5;
        }
        bodies[i].mass = 0.1 + next_fraction(&random);
    }
}

static void attract(struct body *a, struct body *b)
{
    double dx = b->place[0] - a->place[0], dy = b->place[1] - a->place[1], dz = b->place[2] - a->place[2];
    double square = dx * dx + dy * dy + dz * dz + SOFTENING;
    double force = STEP / (square * __builtin_sqrt(square));
    double to_a = b->mass * force, to_b = a->mass * force;
    a->speed[0] += dx * to_a;
    a->speed[1] += dy * to_a;
    a->speed[2] += dz * to_a;
    b->speed[0] -= dx * to_b;
    b->speed[1] -= dy * to_b;
    b->speed[2] -= dz * to_b;
}

u64 iteration(void)
{
    prepare();
    for (int step = 0; step < STEPS; step++) {
        for (int i = 0; i < BODIES; i++)
            for (int j = i + 1; j < BODIES; j++)
                attract(&bodies[i], &bodies[j]);
        for (int i = 0; i < BODIES; i++)
            for (int k = 0; k < 3; k++)
                bodies[i].place[k] += bodies[i].speed[k] * STEP;
    }
    u64 sum = 0;
    for (int i = 0; i < BODIES; i++)
        for (int k = 0; k < 3; k++)
            sum = mix(mix(sum, bits_of(bodies[i].place[k])), bits_of(bodies[i].speed[k]));
    return sum;
}

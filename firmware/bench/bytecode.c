// Benchmark, integer: an interpreter of a bytecode, which runs a sieve of primes.

#include "bench.h"

#define LIMIT 8000                  // primes below this: 1007
#define STACK_SIZE 16
#define VARIABLES 4

u64 iterations = 200;
const u64 expected = 1007;

// A stack machine: operands are popped, results are pushed.  Some operations are followed by a number.
enum operation {
    PUSH, GET, SET,                 // constant; variable
    LOAD, STORE,                    // memory: address; value, address
    ADD, MULTIPLY, LESS,
    JUMP, JUMP_IF_ZERO,             // to a place
    END
};
enum variable { N, MULTIPLE, COUNT };
enum place { OUTER = 8, INNER = 37, NEXT = 58, DONE = 67 };

static const int program[] = {
    // n = 2; count = 0
    PUSH, 2, SET, N, PUSH, 0, SET, COUNT,
    // OUTER: while n < LIMIT
    GET, N, PUSH, LIMIT, LESS, JUMP_IF_ZERO, DONE,
    // if memory[n] < 1: n is prime
    GET, N, LOAD, PUSH, 1, LESS, JUMP_IF_ZERO, NEXT,
    // count = count + 1; multiple = n * 2
    GET, COUNT, PUSH, 1, ADD, SET, COUNT,
    GET, N, PUSH, 2, MULTIPLY, SET, MULTIPLE,
    // INNER: while multiple < LIMIT: memory[multiple] = 1; multiple = multiple + n
    GET, MULTIPLE, PUSH, LIMIT, LESS, JUMP_IF_ZERO, NEXT,
    PUSH, 1, GET, MULTIPLE, STORE,
    GET, MULTIPLE, GET, N, ADD, SET, MULTIPLE,
    JUMP, INNER,
    // NEXT: n = n + 1
    GET, N, PUSH, 1, ADD, SET, N, JUMP, OUTER,
    // DONE
    GET, COUNT, END,
};

static u64 memory[LIMIT];

static u64 run(const int *at)
{
    u64 stack[STACK_SIZE], variables[VARIABLES] = { 0 };
    u64 *top = stack;               // the first free place
    for (;;) {
        switch ((enum operation)*at++) {
        case PUSH:
            *top++ = *at++;
            break;
        case GET:
            *top++ = variables[*at++];
            break;
        case SET:
            variables[*at++] = *--top;
            break;
        case LOAD:
            top[-1] = memory[top[-1]];
            break;
        case STORE:
            top -= 2;
            memory[top[1]] = top[0];
            break;
        case ADD:
            top--;
            top[-1] += top[0];
            break;
        case MULTIPLY:
            top--;
            top[-1] *= top[0];
            break;
        case LESS:
            top--;
            top[-1] = top[-1] < top[0];
            break;
        case JUMP:
            at = program + *at;
            break;
        case JUMP_IF_ZERO:
            at = *--top ? at + 1 : program + *at;
            break;
        case END:
            return top[-1];
        }
    }
}

u64 iteration(void)
{
    for (int i = 0; i < LIMIT; i++)
        memory[i] = 0;
    return run(program);
}

// The frame of a benchmark: repeats it, and says what is wrong if the checksum is.

#include "bench.h"

extern volatile u64 tohost;

static void print(const char *text)
{
    for (; *text; text++) {
        while (tohost)
            ;
        tohost = 0x0101ull << 48 | (u8)*text;
    }
}

static void print_hex(u64 value)
{
    char text[] = "0x0000000000000000";
    for (int at = 17; at > 1; at--, value >>= 4)
        text[at] = "0123456789abcdef"[value & 15];
    print(text);
}

int main(void)
{
    for (u64 count = iterations; count; count--) {
        u64 sum = iteration();
        if (sum != expected) {
            print("the checksum is ");
            print_hex(sum);
            print(" instead of ");
            print_hex(expected);
            print("\n");
            return 1;
        }
    }
    return 0;
}

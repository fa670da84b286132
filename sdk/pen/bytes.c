/* Wiping and comparing secrets: the two byte operations a compiler must not be clever about. */
#include "keyward_pen.h"

void kw_pen_wipe(void *data, size_t size)
{
    volatile uint8_t *bytes = data;

    while (size > 0) {
        size--;
        bytes[size] = 0;
    }
}

int kw_pen_equal(const uint8_t *a, const uint8_t *b, size_t size)
{
    /* volatile keeps the loop from being turned into one that stops at the first difference */
    volatile uint8_t difference = 0;

    for (size_t i = 0; i < size; i++) {
        difference = (uint8_t)(difference | (a[i] ^ b[i]));
    }
    return difference == 0;
}

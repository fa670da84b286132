/* Dice: SplitMix64, so that a seed says what falls, on any machine. */
#ifndef KW_TESTS_SUPPORT_DICE_H
#define KW_TESTS_SUPPORT_DICE_H

#include <stdint.h>

/* `state` is the seed at first. */
static inline uint64_t dice_roll(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15U);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
}

#endif

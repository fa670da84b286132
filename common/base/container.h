/* From a member to the struct that embeds it: how callbacks find their object. */
#ifndef KW_COMMON_BASE_CONTAINER_H
#define KW_COMMON_BASE_CONTAINER_H

#include <stddef.h>
#include <stdint.h>

#define KW_CONTAINER_OF(pointer, type, member)                                                     \
    ((type *)(void *)((uint8_t *)(pointer)-offsetof(type, member)))

#endif

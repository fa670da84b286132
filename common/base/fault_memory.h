/* Included before everything else of the services in a build with KW_FAULTS: every request for memory may fail
 * (fault.h). */
#ifndef KW_COMMON_BASE_FAULT_MEMORY_H
#define KW_COMMON_BASE_FAULT_MEMORY_H

#include "common/base/arena.h"
#include "common/base/fault.h"

#include <stdlib.h>
#include <string.h>

/* malloc is left alone: uthash ends the process without it. */
#define calloc(count, size)           (KW_FAULT() ? NULL : calloc((count), (size)))
#define realloc(block, size)          (KW_FAULT() ? NULL : realloc((block), (size)))
#define strdup(text)                  (KW_FAULT() ? NULL : strdup(text))
#define kw_arena_new(budget)          (KW_FAULT() ? NULL : kw_arena_new(budget))
#define kw_arena_alloc(arena, size)   (KW_FAULT() ? NULL : kw_arena_alloc((arena), (size)))
#define kw_arena_text(arena, text, n) (KW_FAULT() ? NULL : kw_arena_text((arena), (text), (n)))
#define kw_arena_printf(...)          (KW_FAULT() ? NULL : kw_arena_printf(__VA_ARGS__))

#endif

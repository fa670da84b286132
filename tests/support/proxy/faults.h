/* What a link of the fault proxy may do to the bytes of one way, and what it has done: tables. */
#ifndef KW_TESTS_SUPPORT_PROXY_FAULTS_H
#define KW_TESTS_SUPPORT_PROXY_FAULTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Limits of one way of one connection: what a fault may make the proxy keep. */
#define PROXY_HELD_LEN_MAX (4U * 1024U * 1024U) /* bytes on their way */
#define PROXY_CHUNKS_MAX   8192U                /* reads they came by */
#define PROXY_READ_LEN     65536U               /* bytes of one read */
#define PROXY_REPEAT_LEN   1024U                /* bytes that duplicate_after repeats, at most */

struct proxy_faults {
#define PROXY_FAULT(name, initial, max, text) uint64_t name;
#include "tests/support/proxy/faults.def"
#undef PROXY_FAULT
};

struct proxy_fault_row {
    const char *name;
    size_t at; /* offset in struct proxy_faults */
    uint64_t initial;
    uint64_t max;
    const char *text;
};

extern const struct proxy_fault_row proxy_fault_rows[];
extern const size_t proxy_fault_row_count;

/* No fault. */
void proxy_faults_init(struct proxy_faults *faults);

/* False, and nothing changed: no such fault, or the value is above its bound. */
bool proxy_faults_set(struct proxy_faults *faults, const char *name, uint64_t value);

/* What a way of a link did, over all of its connections. */
#define PROXY_COUNTS(COUNT)                                                                        \
    COUNT(in)      /* bytes that were sent */                                                      \
    COUNT(out)     /* bytes that arrived */                                                        \
    COUNT(dropped) /* bytes that never will */                                                     \
    COUNT(held)    /* bytes on their way, now */                                                   \
    COUNT(delayed) /* reads whose bytes had to wait for the delay */                               \
    COUNT(flipped) /* bits */                                                                      \
    COUNT(ends)    /* ends that were passed on */                                                  \
    COUNT(lost)    /* ends that nobody heard of */                                                 \
    COUNT(repeats) /* bytes that came twice */

struct proxy_counts {
#define PROXY_COUNT_FIELD(name) uint64_t name;
    PROXY_COUNTS(PROXY_COUNT_FIELD)
#undef PROXY_COUNT_FIELD
};

#endif

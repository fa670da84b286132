/* Clients of three orchestrators: each wants one thing after the other, and asks for each, with one request id, until
 * somebody gives it. What they were given is remembered, and held against the database in the end. */
#ifndef KW_TESTS_COMPONENT_INSTANCES_LOAD_H
#define KW_TESTS_COMPONENT_INSTANCES_LOAD_H

#include "tests/component/instances.h"

#define LOAD_WORKERS  6
#define LOAD_DONE_MAX 4000

struct load_worker {
    struct effect_wanted wanted; /* no body: nothing */
    struct instances_try attempt;
    unsigned instance;
    unsigned tries;
    uint64_t again_ns; /* 0: a try is on its way */
};

struct load_done {
    struct effect_wanted wanted;
    struct kw_buf answer;
};

/* Zeroed but for `in`. */
struct load {
    struct instances *in;
    struct load_worker workers[LOAD_WORKERS];
    struct load_done done[LOAD_DONE_MAX];
    size_t done_count;
    size_t begun;
    size_t refused;
    unsigned most_tries; /* of one effect */
    bool stopping;
};

/* Runs until so many more are acknowledged, or refused. */
void load_until_done(struct load *load, size_t more);
void load_until_refused(struct load *load, size_t more);

/* Until everybody has what they began. */
void load_stop(struct load *load);

/* After load_stop. Lanes and chains are whole; everything that was acknowledged is there, once; another instance gives
 * the same answer; and nothing is there that nobody wanted. Releases what `load` holds. */
void load_verify(struct load *load);

/* Is there one effect of it, and the whole of it? */
void load_expect_once(struct instances *in, const struct effect_wanted *wanted);

#endif

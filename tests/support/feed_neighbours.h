/* Stores that are linked with an owner of feed_service_fixture.h, played by the test: each answers what the owner asks as the
 * test has it, with its own signature. */
#ifndef KW_TESTS_SUPPORT_FEED_NEIGHBOURS_H
#define KW_TESTS_SUPPORT_FEED_NEIGHBOURS_H

#include "common/feed/question.h"
#include "tests/support/feed_service_fixture.h"

#define NEIGHBOURS_MAX      4
#define NEIGHBOUR_LANES_MAX 80

struct neighbour;

/* What it says to a question: fills in `next`, `items`, `count`; false: nothing now. */
typedef bool neighbour_answers(struct neighbour *neighbour, const struct kw_question *question,
                               struct kw_answer *answer);

struct neighbour {
    struct lane_owner as;
    neighbour_answers *lanes;    /* NULL: of none */
    neighbour_answers *snapshot; /* NULL: nothing now; so `digests` */
    neighbour_answers *digests;
    unsigned asked[KW_ASK_DIGESTS + 1];
    struct kw_bytes items[NEIGHBOUR_LANES_MAX]; /* of `lanes`, for neighbour_tells */
    size_t count;
};

struct neighbours {
    struct house_owner *owner;
    struct neighbour list[NEIGHBOURS_MAX];
    size_t count;
    struct listening listening;
    uint64_t answered; /* the number of the last question */
};

/* Listens to the owner, which knows the stores and is told that they are linked. */
void neighbours_begin(struct neighbours *neighbours, struct house_owner *owner);
void neighbours_end(struct neighbours *neighbours);

/* Some of them, from the beginning of the list. */
void neighbours_link(struct neighbours *neighbours, size_t count);

/* Turns the loop once, and answers what is asked. */
void neighbours_turn(struct neighbours *neighbours);

#define NEIGHBOURS_EVENTUALLY(neighbours, condition)                                               \
    for (uint64_t end_ns_ = kw_clock_mono_ns() + 30000000000ULL; !(condition);) {                  \
        REQUIRE(kw_clock_mono_ns() < end_ns_, "not in time: %s", #condition);                      \
        neighbours_turn(neighbours);                                                               \
    }

/* Says of a lane that it goes so far, by this head (KWL1), and was deleted up to `floor`; `lanes` is neighbour_tells. */
void neighbour_says(struct neighbour *neighbour, uint64_t floor, struct kw_bytes head);
neighbour_answers neighbour_tells;

#endif

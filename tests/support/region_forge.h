/* Answers and sets of regions that are wrong in one way and signed by the very root: what a root's region that errs, or is
 * another's, would send. */
#ifndef KW_TESTS_SUPPORT_REGION_FORGE_H
#define KW_TESTS_SUPPORT_REGION_FORGE_H

#include "services/cryptocore/region/answer.h"
#include "services/cryptocore/region/carried.h"
#include "tests/support/region_fixture.h"

/* An answer taken apart. Bytes of it are in `record` and in `made`. */
struct region_forge {
    struct region_fixture *fx;
    struct kw_hsm_ceremony *ceremony; /* the root's token */
    struct kw_buf record;
    struct kw_buf request_record;
    struct kw_certificate root;
    struct kw_region_request request;
    struct kw_region_answer answer;
    struct kw_region_set set;
    struct kw_hsm_carried carried;
    struct kw_buf made[8];
    size_t made_count;
};

/* Takes apart the answer of a fixture that has got so far. */
void region_forge_begin(struct region_forge *forge, struct region_fixture *fx);

/* Puts it together again, signed, in place of the answer. */
void region_forge_end(struct region_forge *forge);

/* Instead: the set alone, in place of the file that `regions` reads. */
void region_forge_end_set(struct region_forge *forge);

/* A certificate of an issuing CA by the root, for a key of the root's token. */
struct kw_bytes region_forge_ca(struct region_forge *forge, size_t ca, const char *region);

/* A certificate of a partner, by the root's region's CA of operators. */
struct kw_bytes region_forge_partner(struct region_forge *forge);

/* The certificate of a service of the root's region. */
struct kw_bytes region_forge_service(struct region_forge *forge);

#endif

/* The officers of the mesh, whom a new region is told: their certificates, the first officer's first. */
#ifndef KW_SERVICES_CRYPTOCORE_REGION_OFFICERS_H
#define KW_SERVICES_CRYPTOCORE_REGION_OFFICERS_H

#include "services/cryptocore/region/answer.h"

/* Release with kw_region_officers_done. */
struct kw_region_officers {
    struct kw_buf ders[KW_REGION_OFFICERS_MAX];
    size_t count;
};

/* Reads officers/ below `dir`; `first` (DER) leads. Fails: CONFIG_INVALID, LIMIT_REACHED, MEMORY. */
struct kw_result kw_region_officers_load(const char *dir, struct kw_bytes first,
                                         struct kw_region_officers *officers, struct kw_error *err);
void kw_region_officers_done(struct kw_region_officers *officers);

/* Is `leaf` an operator's, by an operators' CA of the set? Fails: IDENTITY_INVALID, MEMORY, CRYPTO. */
struct kw_result kw_region_officer_check(const struct kw_region_set *set,
                                         const struct kw_certificate *leaf, struct kw_error *err);

/* Those of an answer: each must be an operator's, by an operators' CA of the set. Writes them below
 * `dir`, and the first beside the list it signed. Fails: IDENTITY_INVALID, ARGUMENT_INVALID, SYSTEM. */
struct kw_result kw_region_officers_put(const struct kw_region_answer *answer,
                                        const struct kw_region_set *set, const char *dir,
                                        struct kw_error *err);

#endif

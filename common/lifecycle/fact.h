/* Facts: immutable statements about one key version, and their canonical form `KWF1`
 * (docs/formats.md).
 *
 * An enabling fact lets a key do more and carries the crypto core's CMAC; a disabling fact only
 * takes away, carries none, and absorbs. What a set of facts adds up to is state.h's business.
 */
#ifndef KW_COMMON_LIFECYCLE_FACT_H
#define KW_COMMON_LIFECYCLE_FACT_H

#include "common/base/codec.h"
#include "common/base/id.h"

/* The numbers are those of the record. */
enum kw_fact_kind {
    KW_FACT_CONFIRMED = 1, /* the device proved to hold the key */
    KW_FACT_PROTECTED,     /* the wrapped key is durable in as many failure domains as configured */
    KW_FACT_ACTIVATED,     /* the key may be used */
    KW_FACT_SUSPENDED,     /* use is suspended, by the suspension `ref` */
    KW_FACT_LIFTED,        /* the suspension `ref`, and no other, is over */
    KW_FACT_DEACTIVATED,   /* no new data */
    KW_FACT_COMPROMISED,   /* others may know the key */
    KW_FACT_DESTROYED,     /* the key's value is erased */
    KW_FACT_KIND_END_,
};

/* Plain data; `actor` is borrowed: from the decoded record, or from whoever filled the struct. */
struct kw_fact {
    struct kw_id key; /* the key version */
    enum kw_fact_kind kind;
    struct kw_id ref;      /* the suspension, for SUSPENDED and LIFTED; else none */
    uint64_t time_ms;      /* wall time, since 1970 */
    struct kw_id capsule;  /* the capsule it was made under; none only for a disabling fact */
    struct kw_bytes actor; /* SPIFFE id, not empty */
};

/* "suspended"; "unknown" for a number that is no kind. Never NULL. */
const char *kw_fact_kind_name(enum kw_fact_kind kind);

/* Does this kind let a key do more (and so need a MAC)? False for a number that is no kind. */
bool kw_fact_kind_enabling(enum kw_fact_kind kind);

/* Appends the record to `out`. Fails: ARGUMENT_INVALID (fields do not go together: see
 * kw_fact_decode), MEMORY. */
struct kw_result kw_fact_encode(const struct kw_fact *fact, struct kw_buf *out,
                                struct kw_error *err);

/* Reads a record strictly. `ret_fact` borrows from `record`.
 * Fails: ENCODING_INVALID (truncated, too long, unknown kind, a suspension id where none belongs or
 * none where one does, an enabling fact without capsule, an actor that is empty, too long or no
 * text). */
struct kw_result kw_fact_decode(struct kw_bytes record, struct kw_fact *ret_fact,
                                struct kw_error *err);

/* Appends what the MAC of an enabling fact covers: `KEYWARD-FACT-v1` and the record. Fails: MEMORY.
 */
struct kw_result kw_fact_mac_input(struct kw_bytes record, struct kw_buf *out,
                                   struct kw_error *err);

#endif

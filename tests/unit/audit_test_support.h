/* Shared by the audit tests: vectors from tests/vectors/formats.json, and a small world of keys and
 * certificates. */
#ifndef KW_TESTS_UNIT_AUDIT_TEST_SUPPORT_H
#define KW_TESTS_UNIT_AUDIT_TEST_SUPPORT_H

#include "common/audit/capsule_check.h"
#include "common/audit/chain.h"

#include <jansson.h>

#define VECTOR_TIME                                                                                \
    UINT64_C(                                                                                      \
        1767225600000) /* 2026-01-01, when the vectors' capsules were issued                  \
                             */

/* formats.json, and one of its members, which must be there. */
const json_t *vectors(const char *name);

/* Member `name` of an object: hex as bytes that live as long as the process, an id, a hash, a
 * number. */
struct kw_bytes vector_bytes(const json_t *object, const char *name);
struct kw_id vector_id(const json_t *object, const char *name);
struct kw_hash vector_hash(const json_t *object, const char *name);
uint64_t vector_number(const json_t *object, const char *name);

/* The hex string `json` itself. */
struct kw_bytes vector_string(const json_t *json);

/* The `index`th record of a list of vectors. */
struct kw_bytes vector_record(const char *list, size_t index);

/* Two CAs, and authz of cell "a" with its certificate. Valid around VECTOR_TIME. */
struct world {
    struct kw_private_key ca_key;
    struct kw_certificate ca;
    struct kw_trust trust;
    struct kw_private_key key; /* authz's */
    struct kw_buf certificate; /* DER */
    uint8_t fingerprint[KW_SHA256_LEN];
    struct kw_spiffe identity;
};

void world_init(struct world *world);
void world_done(struct world *world);

/* A leaf by the world's CA for service `name` of `cell`; `ret_key` and `ret_der` are made here. */
void world_leaf(const struct world *world, const char *cell, const char *name, enum kw_curve curve,
                struct kw_private_key *ret_key, struct kw_buf *ret_der);

/* A capsule that allows a request with an all-zero body hash, issued at VECTOR_TIME. Borrows
 * literals. */
struct kw_capsule world_capsule(uint8_t number);

/* Encodes and seals `count` capsules numbered from 1 into `ret_sealed`. */
void world_seal(const struct world *world, size_t count, struct kw_buf *ret_sealed);

#endif

/* The verifier's parts. Inside cli/verify*.c and nowhere else. */
#ifndef KW_CLI_VERIFY_INTERNAL_H
#define KW_CLI_VERIFY_INTERNAL_H

#include "cli/verify.h"
#include "common/audit/capsule.h"
#include "common/audit/seal.h"
#include "common/pki/trust.h"

/* A list that grows; `size` is that of one item. Zero-initialise with the size; release with
 * kw_list_done. */
struct kw_list {
    size_t size;
    uint8_t *items;
    size_t count;
    size_t cap;
};

/* Appends a copy. Fails: MEMORY. */
struct kw_result kw_list_add(struct kw_list *list, const void *item, struct kw_error *err);
void *kw_list_at(const struct kw_list *list, size_t index);
void kw_list_sort(struct kw_list *list, int (*compare)(const void *, const void *));
void *kw_list_find(const struct kw_list *list, const void *item,
                   int (*compare)(const void *, const void *));
void kw_list_done(struct kw_list *list);

/* Orders items that begin with a struct kw_id. */
int kw_verify_by_id(const void *a, const void *b);

/* A head that authz had stored when it issued a capsule. */
struct kw_verify_witness {
    struct kw_witness witness;
    uint64_t time_ms; /* of the receipt that carries it; 0: authz gave it before anything else */
};

/* A key that was delivered to a partner. */
struct kw_verify_use {
    struct kw_id key;
    struct kw_id receipt;
    uint64_t issued_ms;
    uint64_t time_ms;
    enum kw_operation operation;
};

/* A fact, and what identifies its record. */
struct kw_verify_fact {
    struct kw_id key;    /* first: it is sorted by */
    struct kw_fact fact; /* without the actor, which is borrowed */
    struct kw_hash hash;
};

/* A disabling fact that a capsule names. */
struct kw_verify_named {
    struct kw_hash hash;
    struct kw_id key;
    uint64_t time_ms;
};

/* Authz of one cell. */
struct kw_verify_signer {
    struct kw_spiffe id;
    struct kw_seal_verifier *seals;
};

struct kw_verify {
    const struct kw_verify_trust *trust;
    struct kw_verify_span span;
    struct kw_trust root;
    struct kw_public_key checkpoints[KW_VERIFY_KEYS_MAX];
    size_t checkpoint_count;

    STACK_OF(X509) * authorities; /* that came with the evidence: links to the root, not trusted */
    struct kw_buf authorities_pem;
    struct kw_trust authorities_trust;
    bool authorities_fixed; /* the first receipt came: no more of them count */
    struct kw_list signers; /* struct kw_verify_signer */
    uint8_t
        rooted[KW_SHA256_LEN]; /* hash of the signer certificate last found to chain to the root */

    struct kw_list chains; /* struct kw_verify_chain */
    size_t chain;          /* the one the last record was of */

    struct kw_list capsules;  /* struct kw_id, one for each receipt */
    struct kw_list witnesses; /* struct kw_verify_witness */
    struct kw_list uses;      /* struct kw_verify_use */
    struct kw_list facts;     /* struct kw_verify_fact */
    struct kw_list named;     /* struct kw_verify_named */

    uint64_t records;        /* taken */
    struct kw_list findings; /* struct kw_finding */
    size_t finding_count;
};

/* Keeps a finding. Fails: MEMORY. */
struct kw_result kw_verify_found(struct kw_verify *v, struct kw_error *err,
                                 enum kw_finding_kind kind, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* verify_capsule.c: the capsule of a receipt that is in its place. */
struct kw_result kw_verify_authority(struct kw_verify *v, struct kw_bytes der,
                                     struct kw_error *err);
struct kw_result kw_verify_capsule(struct kw_verify *v, const struct kw_receipt *receipt,
                                   struct kw_error *err);

/* verify_facts.c */
struct kw_result kw_verify_fact(struct kw_verify *v, struct kw_bytes record, struct kw_error *err);
struct kw_result kw_verify_facts_end(struct kw_verify *v, struct kw_error *err);

/* verify_chains.c */
struct kw_result kw_verify_receipt(struct kw_verify *v, struct kw_bytes record,
                                   struct kw_error *err);
struct kw_result kw_verify_checkpoint_record(struct kw_verify *v, struct kw_bytes record,
                                             struct kw_error *err);
struct kw_result kw_verify_head(struct kw_verify *v, struct kw_bytes record, struct kw_error *err);
struct kw_result kw_verify_chains_end(struct kw_verify *v, struct kw_error *err);

#endif

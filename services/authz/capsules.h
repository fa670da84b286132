/* Capsules in the making: all that become ready within one turn of the loop are sealed by one
 * signature, in a flush hook, and then their calls go on.
 */
#ifndef KW_SERVICES_AUTHZ_CAPSULES_H
#define KW_SERVICES_AUTHZ_CAPSULES_H

#include "common/audit/capsule.h"
#include "common/loop/loop.h"
#include "common/pki/credentials.h"

/* One that waits, embedded in its call. Zero-initialise; release with kw_capsule_slot_done. */
struct kw_capsule_slot {
    struct kw_capsule_slot *next;
    struct kw_capsule capsule; /* filled by the call, completed at sealing: id, place, times */
    struct kw_buf disabled;    /* the capsule's list of facts */
    struct kw_buf sealed;      /* the result, KWS1 */
    bool skip;                 /* nobody wants it any more: `done` comes without a seal */
    void (*done)(struct kw_capsule_slot *slot, struct kw_result result,
                 const struct kw_error *error);
};

void kw_capsule_slot_done(struct kw_capsule_slot *slot);

/* The sealer. Zero-initialise. Loop thread. */
struct kw_capsules {
    struct kw_loop *loop;
    struct kw_flush flush;
    const char *region;
    const char *cell;
    const struct kw_witness *witness; /* the newest, read at sealing */
    struct kw_credentials credentials;
    uint8_t fingerprint[KW_SHA256_LEN];
    struct kw_buf certificate; /* DER of the signing leaf: goes with each capsule */
    struct kw_capsule_slot *first;
    struct kw_capsule_slot **last;
    uint64_t signatures; /* made so far */
};

/* Takes the credentials over; again after a renewal. Fails: CONFIG_INVALID (not a P-256 key),
 * MEMORY, CRYPTO; then the ones before stay in use. */
struct kw_result kw_capsules_renew(struct kw_capsules *capsules, struct kw_credentials *credentials,
                                   struct kw_error *err);

/* Everything borrowed outlives it. */
void kw_capsules_init(struct kw_capsules *capsules, struct kw_loop *loop, const char *region,
                      const char *cell, const struct kw_witness *witness);
void kw_capsules_done(struct kw_capsules *capsules);

/* Has the slot's capsule sealed at the end of this turn; then `done`, once. */
void kw_capsules_add(struct kw_capsules *capsules, struct kw_capsule_slot *slot);

#endif

/* Evidence made by hand, for the verifier's tests: a root, authz of cell "a" below it, a checkpoint
 * key, a chain, and ways to spoil each. */
#ifndef KW_TESTS_UNIT_CLI_VERIFY_SUPPORT_H
#define KW_TESTS_UNIT_CLI_VERIFY_SUPPORT_H

#include "cli/verify.h"
#include "common/audit/capsule.h"
#include "tests/support/pki_fixture.h"

#define EVIDENCE_MAX  64
#define EVIDENCE_TIME PKI_NOW_MS

#define RECEIPT     KEYWARD__V1__VERIFICATION_RECORD_TYPE__VERIFICATION_RECORD_TYPE_RECEIPT
#define HEAD        KEYWARD__V1__VERIFICATION_RECORD_TYPE__VERIFICATION_RECORD_TYPE_HEAD
#define CHECKPOINT  KEYWARD__V1__VERIFICATION_RECORD_TYPE__VERIFICATION_RECORD_TYPE_CHECKPOINT
#define FACT        KEYWARD__V1__VERIFICATION_RECORD_TYPE__VERIFICATION_RECORD_TYPE_FACT
#define CERTIFICATE KEYWARD__V1__VERIFICATION_RECORD_TYPE__VERIFICATION_RECORD_TYPE_CERTIFICATE

struct evidence_record {
    Keyward__V1__VerificationRecordType type;
    struct kw_buf bytes;
};

struct evidence {
    struct pki_fixture pki;
    struct pki_pair authz;
    struct kw_private_key checkpoint;
    struct kw_buf root_pem;
    struct kw_spki checkpoint_spki;
    struct kw_chain chain; /* of core 1 and stream 2 */
    struct evidence_record records[EVIDENCE_MAX];
    size_t count;
};

void evidence_init(struct evidence *e);
void evidence_done(struct evidence *e);

/* Authz of a cell, by this fixture's issuing CA. */
struct pki_pair evidence_authz(const struct pki_fixture *pki, const char *cell);

/* A certificate among the evidence. */
void evidence_certificate(struct evidence *e, const struct kw_certificate *certificate);

/* A capsule number `number` for a partner's GetDeviceAccess of key 1, issued `number` seconds after
 * the beginning. */
struct kw_capsule evidence_capsule(uint8_t number);

/* The next receipt of the chain: that capsule, sealed by `signer`, used at once with success. */
void evidence_receipt_of(struct evidence *e, const struct kw_capsule *capsule,
                         const struct pki_pair *signer, struct kw_chain *chain);

/* The same as usual: by the fixture's authz, in its chain. */
void evidence_receipt(struct evidence *e, uint8_t number);

/* A checkpoint over the chain as it stands, by this key. */
void evidence_checkpoint(struct evidence *e, const struct kw_chain *chain, bool closed,
                         const struct kw_private_key *key);

/* What authz says it last saw. */
void evidence_head(struct evidence *e, const struct kw_chain *seen);

/* A fact about key 1, `after_s` seconds after the beginning; an enabling one made under capsule
 * `capsule`. */
void evidence_fact(struct evidence *e, enum kw_fact_kind kind, uint64_t after_s, uint8_t capsule);
void evidence_fact_record(enum kw_fact_kind kind, uint64_t after_s, uint8_t capsule,
                          struct kw_buf *ret_record);

/* Takes a record out. */
void evidence_remove(struct evidence *e, size_t index);

/* Issuing CA, six receipts with a checkpoint after the third and the sixth, and the facts that
 * enabled key 1. */
void evidence_whole(struct evidence *e, bool closed);

/* Runs the verifier over all of it; the caller frees it. */
struct kw_verify *evidence_verify(const struct evidence *e, const struct kw_verify_span *span);

/* Is there a finding of this kind? */
bool evidence_found(const struct kw_verify *verify, enum kw_finding_kind kind);

#endif

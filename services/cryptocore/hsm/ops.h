/* What can be asked of the HSM: one request and one answer for each operation.
 *
 * A request carries all that is needed, so that a worker keeps no state but the HSM's own keys.
 * Every operation is all or nothing: it answers with a success and its result, or with a reason and
 * nothing. Key material goes in and out wrapped only. No pointer is kept: a request is copied when
 * it is submitted, and what an answer points to lives until the callback that brought it returns.
 */
#ifndef KW_SERVICES_CRYPTOCORE_HSM_OPS_H
#define KW_SERVICES_CRYPTOCORE_HSM_OPS_H

#include "common/pki/build.h"
#include "services/cryptocore/hsm/binding.h"

#define KW_HSM_SESSION_WRAPPED_LEN 80 /* 72 bytes of session keys under RFC 5649 */
#define KW_HSM_NONCE_LEN           16

enum kw_hsm_op {
    KW_HSM_GENERATE = 1,
    KW_HSM_DERIVE,
    KW_HSM_VERIFY_POSSESSION,
    KW_HSM_MAC_FACTS,
    KW_HSM_VERIFY_FACTS,
    KW_HSM_PTK_CREATE,
    KW_HSM_PTK_CONFIRM,
    KW_HSM_ISSUE_CERTIFICATE,
    KW_HSM_SIGN_CHECKPOINT,
    KW_HSM_HEALTH,
};

/* The signing keys in the HSM. */
enum kw_hsm_signer {
    KW_HSM_ROOT = 1,
    KW_HSM_CA_SERVICES,
    KW_HSM_CA_PARTNERS,
    KW_HSM_CA_OPERATORS,
    KW_HSM_CA_STATIONS,
    KW_HSM_CHECKPOINT,
    KW_HSM_CARRIER, /* no signer of the running core: what KEK and MAC key come to a region by */
};
#define KW_HSM_SIGNER_FIRST KW_HSM_ROOT
#define KW_HSM_SIGNER_LAST  KW_HSM_CHECKPOINT

/* GENERATE: device keys in the HSM, each wrapped under the KEK for storage and under the station's
 * PTK. Fails: BINDING_INVALID (station), HSM_*. */
struct kw_hsm_new_key {
    struct kw_id key;
    struct kw_id device;
    struct kw_id product;
    struct kw_id batch;
};

struct kw_hsm_generate {
    uint32_t kek_version;
    struct kw_ptk_binding station;
    const struct kw_hsm_new_key *keys;
    size_t count; /* 1 … KW_HSM_ITEMS_MAX */
};

struct kw_hsm_generated {
    struct kw_key_binding stored;          /* complete, with check value and MAC */
    uint8_t delivered[KW_HSM_WRAPPED_LEN]; /* the same key under the station's PTK */
};

/* DERIVE: K_pd, or the session keys made from it, wrapped under the partner's PTK.
 * `facts` are all enabling facts that the decision rests on; each MAC is checked first.
 * `envelope` is the envelope (KWE1) up to and with the length of its field `wrapped`.
 * Fails: BINDING_INVALID (a MAC is wrong, or the PTK is not this partner's), HSM_*. */
enum kw_hsm_derive_kind {
    KW_HSM_RELEASE = 1,
    KW_HSM_SESSION = 2
};

struct kw_hsm_fact {
    struct kw_bytes content; /* canonical KWF1 */
    uint8_t mac[KW_HSM_MAC_LEN];
};

struct kw_hsm_derive {
    enum kw_hsm_derive_kind kind;
    struct kw_key_binding device;
    struct kw_ptk_binding transport;
    struct kw_id partner; /* must own `transport` */
    uint32_t epoch;
    uint16_t suite;
    uint8_t nonce_app[KW_HSM_NONCE_LEN]; /* the three fields of a session; ignored for a release */
    uint8_t nonce_pen[KW_HSM_NONCE_LEN];
    uint32_t counter;
    const struct kw_hsm_fact *facts;
    size_t fact_count; /* 0 … KW_HSM_FACTS_MAX */
    struct kw_bytes envelope;
};

struct kw_hsm_derived {
    uint8_t wrapped[KW_HSM_SESSION_WRAPPED_LEN];
    size_t wrapped_len;          /* 40 for a release, 80 for a session */
    uint8_t mac[KW_HSM_MAC_LEN]; /* over envelope ‖ wrapped; by K_pd, or by k_auth of the session */
};

/* VERIFY_POSSESSION: does the pen hold K_dev? Fails: POSSESSION_UNPROVEN (wrong tag),
 * BINDING_INVALID, HSM_*. */
struct kw_hsm_possession {
    struct kw_key_binding device;
    uint8_t challenge[KW_HSM_NONCE_LEN];
    uint8_t tag[KW_HSM_MAC_LEN];
};

/* MAC_FACTS: one MAC for each fact. Fails: HSM_*. */
struct kw_hsm_mac_facts {
    const struct kw_bytes *contents;
    size_t count; /* 1 … KW_HSM_FACTS_MAX */
};

/* VERIFY_FACTS: of a key whose binding is verified first, so that what is decided from the facts is
 * decided about this batch, product and device. Nothing is unwrapped. Fails: BINDING_INVALID (any
 * of them), HSM_*. */
struct kw_hsm_verify_facts {
    struct kw_key_binding device;
    const struct kw_hsm_fact *facts;
    size_t count; /* 1 … KW_HSM_FACTS_MAX */
};

/* PTK_CREATE: a new transport key, stored under the KEK and enveloped (CMS EnvelopedData) for its
 * owner. Fails: ARGUMENT_INVALID (certificate unusable), HSM_*. */
struct kw_hsm_ptk_create {
    struct kw_id owner;
    uint32_t version;
    uint32_t kek_version;
    struct kw_bytes certificate; /* DER, P-384: the owner's transport certificate */
};

struct kw_hsm_ptk_created {
    struct kw_ptk_binding stored;
    struct kw_bytes enveloped; /* DER, opened by `openssl cms -decrypt` */
};

/* PTK_CONFIRM: did the owner open it? Fails: TRANSPORT_KEY_UNCONFIRMED (wrong proof),
 * BINDING_INVALID, HSM_*. */
struct kw_hsm_ptk_confirm {
    struct kw_ptk_binding transport;
    uint8_t nonce[KW_HSM_NONCE_LEN];
    uint8_t proof[KW_HSM_MAC_LEN];
};

/* ISSUE_CERTIFICATE: a leaf. The worker builds it itself, so that a CA key never signs foreign
 * bytes, and takes issuing CAs only: what the root signs is the ceremony's business. Fails:
 * ARGUMENT_INVALID (as kw_certificate_issue, or the issuer), IDENTITY_INVALID (SPIFFE id), HSM_*.
 */
struct kw_hsm_issue {
    enum kw_hsm_signer issuer;
    struct kw_bytes issuer_certificate; /* DER; for the issuer's very key */
    struct kw_bytes spki;               /* DER SubjectPublicKeyInfo of the subject */
    const char *spiffe_id;
    struct kw_validity validity;
    unsigned usage;           /* enum kw_usage */
    const char *const *hosts; /* with KW_USAGE_SERVER */
    size_t host_count;        /* at most KW_LEAF_HOSTS_MAX */
};

/* SIGN_CHECKPOINT: ECDSA P-384 with SHA-384 by the checkpoint key over "KEYWARD-CKPT-v1" ‖ content,
 * so that this key never signs anything else. Fails: HSM_*. */
struct kw_hsm_checkpoint {
    struct kw_bytes
        content; /* canonical KWK1 up to the signature; at most KW_HSM_ENVELOPE_LEN_MAX */
};

struct kw_hsm_request {
    enum kw_hsm_op op;
    union {
        struct kw_hsm_generate generate;
        struct kw_hsm_derive derive;
        struct kw_hsm_possession possession;
        struct kw_hsm_mac_facts mac_facts;
        struct kw_hsm_verify_facts verify_facts;
        struct kw_hsm_ptk_create ptk_create;
        struct kw_hsm_ptk_confirm ptk_confirm;
        struct kw_hsm_issue issue;
        struct kw_hsm_checkpoint checkpoint;
    };
};

struct kw_hsm_answer {
    enum kw_hsm_op op; /* the request's */
    struct kw_result result;
    struct kw_error error; /* when the result is a failure; the message is for our log */
    union {                /* when it is a success */
        struct {
            const struct kw_hsm_generated *items; /* as many as asked for, in order */
            size_t count;
        } generated;
        struct kw_hsm_derived derived;
        struct {
            const uint8_t (*items)[KW_HSM_MAC_LEN]; /* as many as asked for, in order */
            size_t count;
        } macs;
        struct kw_hsm_ptk_created ptk;
        struct kw_bytes certificate; /* DER */
        struct kw_bytes signature;   /* DER */
    };
};

/* "derive" and so on: metric label and log field. */
const char *kw_hsm_op_name(enum kw_hsm_op op);

/* How many keys or MACs a success holds, by what was asked and by what came: 0 for an operation whose answer has no
 * number. */
size_t kw_hsm_request_yield(const struct kw_hsm_request *request);
size_t kw_hsm_answer_yield(const struct kw_hsm_answer *answer);

/* May it run again after a worker was lost, nobody knowing how far it came? */
bool kw_hsm_op_idempotent(enum kw_hsm_op op);

#endif

/* What the parts of the ceremony share: its state, and its two kinds of keys: secret keys that are kept in a blob, and
 * signing keys that are not. */
#ifndef KW_SERVICES_CRYPTOCORE_HSM_CEREMONY_KEYS_H
#define KW_SERVICES_CRYPTOCORE_HSM_CEREMONY_KEYS_H

#include "common/base/arena.h"
#include "services/cryptocore/hsm/ceremony.h"
#include "services/cryptocore/hsm/keys.h"
#include "services/cryptocore/hsm/objects.h"

/* The blob (docs/formats.md). */
#define KW_HSM_BLOB_MAGIC "KWB1"
#define KW_HSM_BLOB_INFO  "KEYWARD-KEEP-v1"
#define KW_HSM_BLOB_KEYS  2

/* What marks the objects of one run of the ceremony, so that a step that fails later removes those
 * and never another's. */
struct kw_hsm_made {
    uint8_t mark[KW_HSM_MARK_LEN];
    bool begun; /* there may be such objects */
};

struct kw_hsm_ceremony {
    struct kw_hsm_module module;
    struct kw_hsm_session session;
    struct kw_arena *arena;  /* of the last answer */
    struct kw_hsm_made made; /* by this run */
    bool loaded; /* the keys were found once: what is lost later, an operation finds again */
};

/* From here on objects may be there that bear this run's mark. Fails: SYSTEM. */
struct kw_result kw_hsm_ceremony_begin(struct kw_hsm_ceremony *ceremony, struct kw_error *err);

/* That the token has no object of this class and label. Fails: ALREADY_EXISTS, HSM_*. */
struct kw_result kw_hsm_ceremony_absent(struct kw_hsm_session *session, CK_OBJECT_CLASS class,
                                        const char *label, struct kw_error *err);

/* That it has none of the keys that are made or come here: no KEK, MAC key, canary or root. Fails:
 * as that. */
struct kw_result kw_hsm_ceremony_keyless(struct kw_hsm_session *session, struct kw_error *err);

/* None of our labels at all. Fails: as that. */
struct kw_result kw_hsm_ceremony_fresh(struct kw_hsm_session *session, struct kw_error *err);

/* The keys are found, and the HSM does with them what it should. Fails: HSM_*. */
struct kw_result kw_hsm_ceremony_prove(struct kw_hsm_session *session, struct kw_error *err);

/* KEK and MAC key version 1, and the canary: made, written to the blob for `recovery_spki`, put on
 * the token. Fails: ARGUMENT_INVALID (recovery key), HSM_*, CRYPTO. */
struct kw_result kw_hsm_ceremony_secrets(struct kw_hsm_session *session,
                                         struct kw_bytes recovery_spki,
                                         const struct kw_hsm_made *made,
                                         struct kw_hsm_keys_made *ret_keys, struct kw_error *err);

/* What is said of a key as it settles: PKCS#11 refuses to make not extractable what never was. */
enum kw_hsm_settle {
    KW_HSM_SETTLE_SIGNS = 1,  /* it goes on signing */
    KW_HSM_SETTLE_CLOSES = 2, /* it was extractable until now */
};

/* The token's own copy of a session object: not extractable, and without the uses that only the
 * ceremony needs. `how` is a set of flags. Fails: HSM_*. */
struct kw_result kw_hsm_ceremony_settle(struct kw_hsm_session *session,
                                        const struct kw_hsm_object *key, const char *label,
                                        unsigned how, const struct kw_hsm_made *made,
                                        struct kw_error *err);

/* The canary. Fails: HSM_*. */
struct kw_result kw_hsm_ceremony_canary(struct kw_hsm_session *session,
                                        const struct kw_hsm_made *made, struct kw_error *err);

/* The P-384 key pair of one signer. Fails: HSM_*. */
struct kw_result kw_hsm_ceremony_signer(struct kw_hsm_session *session, enum kw_hsm_signer signer,
                                        const struct kw_hsm_made *made, struct kw_error *err);

#endif

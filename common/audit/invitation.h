/* Invitations as authz keeps them and sends them inward with Enroll: the operator's signed request.
 * Record `KWI1`. */
#ifndef KW_COMMON_AUDIT_INVITATION_H
#define KW_COMMON_AUDIT_INVITATION_H

#include "common/crypto/key.h"

/* Plain data; everything is borrowed: from the decoded record, or from whoever filled the struct.
 */
struct kw_invitation {
    struct kw_bytes method;      /* path of Create…Invitation */
    struct kw_bytes body;        /* the request message as sent */
    struct kw_bytes request_id;  /* the 16 bytes of the UUID in the body */
    struct kw_bytes signature;   /* value of keyward-signature-bin */
    struct kw_bytes certificate; /* the operator's leaf, DER */
};

/* Appends the record. Fails: ARGUMENT_INVALID (a field is empty, the method no text, or the request
 * id not 16 bytes), MEMORY (or a field over 65,535 bytes). */
struct kw_result kw_invitation_encode(const struct kw_invitation *invitation, struct kw_buf *out,
                                      struct kw_error *err);

/* `ret_invitation` borrows from `record`. Fails: ENCODING_INVALID. */
struct kw_result kw_invitation_decode(struct kw_bytes record, struct kw_invitation *ret_invitation,
                                      struct kw_error *err);

/* Did the holder of `operator_key` sign it? The key is that of `certificate`, whose chain, identity
 * and standing are for the caller to check; so is how old it may be. Fails: SIGNATURE_INVALID,
 * CRYPTO, MEMORY. */
struct kw_result kw_invitation_verify(const struct kw_invitation *invitation,
                                      const struct kw_public_key *operator_key,
                                      struct kw_error *err);

#endif

/* Work with key objects: the few primitives that every operation is made of.
 *
 * Objects made here are session objects, private and sensitive, and live in a struct kw_hsm_object
 * that destroys them at the end of its scope, on every path:
 *
 *     KW_SCOPED(kw_hsm_object_done) struct kw_hsm_object key = {0};
 */
#ifndef KW_SERVICES_CRYPTOCORE_HSM_KEYS_H
#define KW_SERVICES_CRYPTOCORE_HSM_KEYS_H

#include "common/base/secret.h"
#include "services/cryptocore/hsm/binding.h"
#include "services/cryptocore/hsm/session.h"
#include "services/cryptocore/hsm/template.h"

/* A session object that is ours to destroy. */
struct kw_hsm_object {
    struct kw_hsm_session *session; /* NULL: nothing */
    CK_OBJECT_HANDLE handle;
};

/* What a key may do: a set of flags. All other uses are off. */
enum kw_hsm_use {
    KW_HSM_USE_SIGN = 1,
    KW_HSM_USE_WRAP = 2,
    KW_HSM_USE_UNWRAP = 4,
    KW_HSM_USE_EXTRACTABLE = 8, /* may itself be wrapped */
};

/* Destroys the object. Accepts NULL and zeroed. A failure marks the session as littered. */
void kw_hsm_object_done(struct kw_hsm_object *object);

/* A new AES-256 key from the HSM's generator. Fails: HSM_*. */
struct kw_result kw_hsm_key_generate(struct kw_hsm_session *session, unsigned uses,
                                     struct kw_hsm_object *ret_key, struct kw_error *err);

/* Puts bytes that we hold into the HSM: AES when there are 32, else a generic secret. Fails: HSM_*.
 */
struct kw_result kw_hsm_key_import(struct kw_hsm_session *session, const struct kw_secret *value,
                                   unsigned uses, struct kw_hsm_object *ret_key,
                                   struct kw_error *err);

/* RFC 5649 under `wrapping`; `wrapped` must come out with exactly `len` bytes. Fails: HSM_*. */
struct kw_result kw_hsm_key_wrap(struct kw_hsm_session *session, CK_OBJECT_HANDLE wrapping,
                                 CK_OBJECT_HANDLE key, uint8_t *ret_wrapped, size_t len,
                                 struct kw_error *err);

/* The inverse, as an AES key that may not leave. A blob that the HSM refuses while its canary is
 * well is BINDING_INVALID. Fails: BINDING_INVALID, HSM_*. */
struct kw_result kw_hsm_key_unwrap(struct kw_hsm_session *session, CK_OBJECT_HANDLE wrapping,
                                   struct kw_bytes wrapped, unsigned uses,
                                   struct kw_hsm_object *ret_key, struct kw_error *err);

/* The same with a template of the caller's, to which the class and type of an AES key are added. */
struct kw_result kw_hsm_key_unwrap_as(struct kw_hsm_session *session, CK_OBJECT_HANDLE wrapping,
                                      struct kw_bytes wrapped, struct kw_hsm_template *template,
                                      struct kw_hsm_object *ret_key, struct kw_error *err);

/* CMAC over the parts, one after the other. Fails: HSM_*, ARGUMENT_INVALID (over the provider's
 * limit). */
struct kw_result kw_hsm_cmac(struct kw_hsm_session *session, CK_OBJECT_HANDLE key,
                             const struct kw_bytes *parts, size_t count,
                             uint8_t ret_mac[KW_HSM_MAC_LEN], struct kw_error *err);

/* The same, computed twice: for a MAC that is kept, and that nobody could make right later. Fails:
 * HSM_SELF_TEST (two answers), and as that. */
struct kw_result kw_hsm_cmac_sure(struct kw_hsm_session *session, CK_OBJECT_HANDLE key,
                                  const struct kw_bytes *parts, size_t count,
                                  uint8_t ret_mac[KW_HSM_MAC_LEN], struct kw_error *err);

/* Is `mac` the CMAC over the parts? Before a difference is blamed on `mac`, the HSM is asked once
 * more, and its canary. Fails: HSM_SELF_TEST (the HSM is to blame), HSM_*. */
struct kw_result kw_hsm_cmac_check(struct kw_hsm_session *session, CK_OBJECT_HANDLE key,
                                   const struct kw_bytes *parts, size_t count,
                                   const uint8_t mac[KW_HSM_MAC_LEN], bool *ret_right,
                                   struct kw_error *err);

/* First bytes of CMAC(key, 16 zero bytes) The key must be allowed to sign. Fails: HSM_*. */
struct kw_result kw_hsm_check_value(struct kw_hsm_session *session, CK_OBJECT_HANDLE key,
                                    uint8_t ret_check[KW_HSM_CHECK_LEN], struct kw_error *err);

#endif

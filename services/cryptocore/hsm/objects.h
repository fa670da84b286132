/* Names of our objects on the token, and how to find them. An object's
 * CKA_ID is its label and the mark of the ceremony that made it; what is older has the label alone. */
#ifndef KW_SERVICES_CRYPTOCORE_HSM_OBJECTS_H
#define KW_SERVICES_CRYPTOCORE_HSM_OBJECTS_H

#include "services/cryptocore/hsm/ops.h"
#include "services/cryptocore/hsm/session.h"

#define KW_HSM_LABEL_SIZE   32
#define KW_HSM_MARK_LEN     16
#define KW_HSM_MAC_LABEL    "keyward-mac-v1"
#define KW_HSM_CANARY_LABEL "keyward-canary-v1"

/* The canary's key is no secret: its CMAC is known to everybody, which is what makes it a canary.
 */
#define KW_HSM_CANARY_KEY                                                                          \
    {                                                                                              \
        0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xab, 0xac, 0xad, 0xae,  \
            0xaf, 0xb0, 0xb1, 0xb2, 0xb3, 0xb4, 0xb5, 0xb6, 0xb7, 0xb8, 0xb9, 0xba, 0xbb, 0xbc,    \
            0xbd, 0xbe, 0xbf                                                                       \
    }

/* "keyward-kek-v1"; `label` has KW_HSM_LABEL_SIZE bytes and is returned. */
const char *kw_hsm_kek_label(uint32_t version, char *label);

/* "keyward-ca-services" and so on. Never NULL. */
const char *kw_hsm_signer_label(enum kw_hsm_signer signer);

struct kw_hsm_object_id {
    uint8_t bytes[KW_HSM_LABEL_SIZE + KW_HSM_MARK_LEN];
    size_t len;
};

struct kw_hsm_object_id kw_hsm_object_id(const char *label, const uint8_t mark[KW_HSM_MARK_LEN]);

/* Destroys the objects of that class and label on the token that bear this mark, and no other.
 * Fails: HSM_* (then some may be left). */
struct kw_result kw_hsm_objects_destroy(struct kw_hsm_session *session, CK_OBJECT_CLASS class,
                                        const char *label, const uint8_t mark[KW_HSM_MARK_LEN],
                                        struct kw_error *err);

/* Looks for objects of a class with a label; finds at most two, since a second one is an error of
 * its own. `ret_count` is 0, 1 or 2. Fails: HSM_*. */
struct kw_result kw_hsm_objects_find(struct kw_hsm_session *session, CK_OBJECT_CLASS class,
                                     const char *label, CK_OBJECT_HANDLE *ret_handle,
                                     size_t *ret_count, struct kw_error *err);

/* The only object of that class and label on the token, or CK_INVALID_HANDLE when there is none.
 * Fails: HSM_SELF_TEST (two of them), HSM_*. */
struct kw_result kw_hsm_object_find(struct kw_hsm_session *session, CK_OBJECT_CLASS class,
                                    const char *label, CK_OBJECT_HANDLE *ret_handle,
                                    struct kw_error *err);

/* How many objects a template matches, up to `max`. Fails: HSM_*. */
struct kw_result kw_hsm_objects_count(struct kw_hsm_session *session, CK_ATTRIBUTE *template,
                                      CK_ULONG attributes, size_t max, size_t *ret_count,
                                      struct kw_error *err);

#endif

/* Wrapped keys as they are stored, and the canonical bytes that their binding MACs cover
 * (docs/formats.md).
 *
 * A binding says what a wrapped key is and never changes: altering any field, or putting one key's
 * blob under another key's description, is found by the MAC before the blob is unwrapped. Pure: no
 * HSM here.
 */
#ifndef KW_SERVICES_CRYPTOCORE_HSM_BINDING_H
#define KW_SERVICES_CRYPTOCORE_HSM_BINDING_H

#include "common/base/codec.h"
#include "common/base/id.h"

#define KW_HSM_WRAPPED_LEN       40 /* an AES-256 key under RFC 5649 */
#define KW_HSM_CHECK_LEN         3  /* first bytes of CMAC(key, 16 zero bytes) */
#define KW_HSM_MAC_LEN           16 /* AES-CMAC, never truncated */
#define KW_KEY_BINDING_INPUT_LEN (19 + 4 * KW_ID_LEN + 4 + 32 + KW_HSM_CHECK_LEN)
#define KW_PTK_BINDING_INPUT_LEN (19 + KW_ID_LEN + 2 * 4 + 32 + KW_HSM_CHECK_LEN)

/* One version of a device key, wrapped under the KEK for storage. */
struct kw_key_binding {
    struct kw_id key;
    struct kw_id device;
    struct kw_id product;
    struct kw_id batch;
    uint32_t kek_version;
    uint8_t wrapped[KW_HSM_WRAPPED_LEN];
    uint8_t check[KW_HSM_CHECK_LEN];
    uint8_t mac[KW_HSM_MAC_LEN];
};

/* One version of a partner's or station's transport key, wrapped under the KEK for storage. */
struct kw_ptk_binding {
    struct kw_id owner;
    uint32_t version;
    uint32_t kek_version;
    uint8_t wrapped[KW_HSM_WRAPPED_LEN];
    uint8_t check[KW_HSM_CHECK_LEN];
    uint8_t mac[KW_HSM_MAC_LEN];
};

/* The bytes under the MAC: domain label, identity, SHA-256 of `wrapped`, check value. Fails:
 * CRYPTO. */
struct kw_result kw_key_binding_input(const struct kw_key_binding *binding,
                                      uint8_t ret_input[KW_KEY_BINDING_INPUT_LEN],
                                      struct kw_error *err);
struct kw_result kw_ptk_binding_input(const struct kw_ptk_binding *binding,
                                      uint8_t ret_input[KW_PTK_BINDING_INPUT_LEN],
                                      struct kw_error *err);

/* The whole struct, MAC included, on the worker's socket. Failures stick to the writer or reader.
 */
void kw_key_binding_put(struct kw_writer *w, const struct kw_key_binding *binding);
void kw_key_binding_get(struct kw_reader *r, struct kw_key_binding *ret_binding);
void kw_ptk_binding_put(struct kw_writer *w, const struct kw_ptk_binding *binding);
void kw_ptk_binding_get(struct kw_reader *r, struct kw_ptk_binding *ret_binding);

#endif

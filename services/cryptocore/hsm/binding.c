/* Bindings: what a MAC covers, written into fixed arrays, and the structs on the worker's socket.
 */
#include "services/cryptocore/hsm/binding.h"

#include "common/crypto/digest.h"

#define LABEL_LEN 19
static const char key_label[] = "KEYWARD-BIND-DEV-v1";
static const char ptk_label[] = "KEYWARD-BIND-PTK-v1";
_Static_assert(sizeof(key_label) - 1 == LABEL_LEN, "KW_KEY_BINDING_INPUT_LEN counts on it");
_Static_assert(sizeof(ptk_label) - 1 == LABEL_LEN, "KW_PTK_BINDING_INPUT_LEN counts on it");

/* A cursor over an array whose size is exact by construction. */
static uint8_t *put(uint8_t *at, const void *data, size_t len)
{
    kw_copy(at, data, len);
    return at + len;
}

static uint8_t *put_u32(uint8_t *at, uint32_t value)
{
    kw_be32_store(at, value);
    return at + sizeof(value);
}

struct kw_result kw_key_binding_input(const struct kw_key_binding *binding,
                                      uint8_t ret_input[KW_KEY_BINDING_INPUT_LEN],
                                      struct kw_error *err)
{
    uint8_t digest[KW_SHA256_LEN];
    uint8_t *at = ret_input;

    KW_TRY(kw_sha256(KW_BYTES_OF(binding->wrapped), digest, err));
    at = put(at, key_label, LABEL_LEN);
    at = put(at, binding->key.bytes, KW_ID_LEN);
    at = put(at, binding->device.bytes, KW_ID_LEN);
    at = put(at, binding->product.bytes, KW_ID_LEN);
    at = put(at, binding->batch.bytes, KW_ID_LEN);
    at = put_u32(at, binding->kek_version);
    at = put(at, digest, sizeof(digest));
    (void)put(at, binding->check, sizeof(binding->check));
    return KW_OK;
}

struct kw_result kw_ptk_binding_input(const struct kw_ptk_binding *binding,
                                      uint8_t ret_input[KW_PTK_BINDING_INPUT_LEN],
                                      struct kw_error *err)
{
    uint8_t digest[KW_SHA256_LEN];
    uint8_t *at = ret_input;

    KW_TRY(kw_sha256(KW_BYTES_OF(binding->wrapped), digest, err));
    at = put(at, ptk_label, LABEL_LEN);
    at = put(at, binding->owner.bytes, KW_ID_LEN);
    at = put_u32(at, binding->version);
    at = put_u32(at, binding->kek_version);
    at = put(at, digest, sizeof(digest));
    (void)put(at, binding->check, sizeof(binding->check));
    return KW_OK;
}

void kw_key_binding_put(struct kw_writer *w, const struct kw_key_binding *binding)
{
    kw_put_raw(w, kw_id_bytes(&binding->key));
    kw_put_raw(w, kw_id_bytes(&binding->device));
    kw_put_raw(w, kw_id_bytes(&binding->product));
    kw_put_raw(w, kw_id_bytes(&binding->batch));
    kw_put_u32(w, binding->kek_version);
    kw_put_raw(w, KW_BYTES_OF(binding->wrapped));
    kw_put_raw(w, KW_BYTES_OF(binding->check));
    kw_put_raw(w, KW_BYTES_OF(binding->mac));
}

void kw_key_binding_get(struct kw_reader *r, struct kw_key_binding *ret_binding)
{
    kw_get_copy(r, ret_binding->key.bytes, KW_ID_LEN);
    kw_get_copy(r, ret_binding->device.bytes, KW_ID_LEN);
    kw_get_copy(r, ret_binding->product.bytes, KW_ID_LEN);
    kw_get_copy(r, ret_binding->batch.bytes, KW_ID_LEN);
    ret_binding->kek_version = kw_get_u32(r);
    kw_get_copy(r, ret_binding->wrapped, sizeof(ret_binding->wrapped));
    kw_get_copy(r, ret_binding->check, sizeof(ret_binding->check));
    kw_get_copy(r, ret_binding->mac, sizeof(ret_binding->mac));
}

void kw_ptk_binding_put(struct kw_writer *w, const struct kw_ptk_binding *binding)
{
    kw_put_raw(w, kw_id_bytes(&binding->owner));
    kw_put_u32(w, binding->version);
    kw_put_u32(w, binding->kek_version);
    kw_put_raw(w, KW_BYTES_OF(binding->wrapped));
    kw_put_raw(w, KW_BYTES_OF(binding->check));
    kw_put_raw(w, KW_BYTES_OF(binding->mac));
}

void kw_ptk_binding_get(struct kw_reader *r, struct kw_ptk_binding *ret_binding)
{
    kw_get_copy(r, ret_binding->owner.bytes, KW_ID_LEN);
    ret_binding->version = kw_get_u32(r);
    ret_binding->kek_version = kw_get_u32(r);
    kw_get_copy(r, ret_binding->wrapped, sizeof(ret_binding->wrapped));
    kw_get_copy(r, ret_binding->check, sizeof(ret_binding->check));
    kw_get_copy(r, ret_binding->mac, sizeof(ret_binding->mac));
}

/* Keys and values of the request cache. */
#include "services/gateway/cache/entry.h"

#include "common/base/codec.h"

struct kw_result kw_cache_key_make(const struct kw_secret *secret,
                                   const struct kw_request_name *name, struct kw_cache_key *ret_key,
                                   struct kw_error *err)
{
    uint8_t method[sizeof(uint32_t)];
    const struct kw_bytes parts[] = {kw_bytes_str("k"), KW_BYTES(name->fingerprint, KW_SHA256_LEN),
                                     KW_BYTES_OF(method), kw_id_bytes(&name->request_id)};

    kw_be32_store(method, name->method);
    KW_TRY(kw_hmac_sha256(secret, parts, sizeof(parts) / sizeof(parts[0]), ret_key->mac, err));
    kw_hex(KW_BYTES_OF(ret_key->mac), ret_key->text);
    return KW_OK;
}

static struct kw_result value_mac(const struct kw_secret *secret, const struct kw_cache_key *key,
                                  struct kw_bytes outcome, uint8_t ret_mac[KW_SHA256_LEN],
                                  struct kw_error *err)
{
    const struct kw_bytes parts[] = {kw_bytes_str("v"), KW_BYTES_OF(key->mac), outcome};

    return kw_hmac_sha256(secret, parts, sizeof(parts) / sizeof(parts[0]), ret_mac, err);
}

struct kw_result kw_cache_value_seal(const struct kw_secret *secret, const struct kw_cache_key *key,
                                     struct kw_bytes outcome, struct kw_buf *value,
                                     struct kw_error *err)
{
    uint8_t mac[KW_SHA256_LEN];

    KW_TRY(value_mac(secret, key, outcome, mac, err));
    KW_TRY(kw_buf_reserve(value, outcome.len + sizeof(mac), err));
    KW_TRY(kw_buf_append(value, outcome, err));
    return kw_buf_append(value, KW_BYTES_OF(mac), err);
}

struct kw_result kw_cache_value_open(const struct kw_secret *secret, const struct kw_cache_key *key,
                                     struct kw_bytes value, struct kw_bytes *ret_outcome,
                                     struct kw_error *err)
{
    uint8_t mac[KW_SHA256_LEN];
    struct kw_bytes outcome;

    KW_ENSURE(value.len >= sizeof(mac), err, BINDING_INVALID, "cached value of %zu bytes",
              value.len);
    outcome = KW_BYTES(value.data, value.len - sizeof(mac));
    KW_TRY(value_mac(secret, key, outcome, mac, err));
    KW_ENSURE(kw_bytes_equal_ct(KW_BYTES_OF(mac), KW_BYTES(value.data + outcome.len, sizeof(mac))),
              err, BINDING_INVALID, "cached value with a wrong MAC");
    *ret_outcome = outcome;
    return KW_OK;
}

/* --- the secret --- */

static bool is_hex(struct kw_bytes text)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.data[i];

        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'))) {
            return false;
        }
    }
    return true;
}

static struct kw_result from_hex(struct kw_bytes text, struct kw_secret *secret,
                                 struct kw_error *err)
{
    char digits[2 * KW_CACHE_SECRET_LEN + 1] = "";
    struct kw_result result;

    kw_copy(digits, text.data, 2 * KW_CACHE_SECRET_LEN);
    result = kw_secret_init(secret, KW_CACHE_SECRET_LEN, err);
    if (kw_ok(result)) {
        result = kw_unhex(digits, secret->slot, KW_CACHE_SECRET_LEN, err);
    }
    kw_wipe(digits, sizeof(digits));
    return result;
}

struct kw_result kw_cache_secret_load(const char *path, struct kw_secret *secret,
                                      struct kw_error *err)
{
    KW_SCOPED(kw_secret_done) struct kw_secret file = {0};
    struct kw_bytes bytes;

    KW_TRY(kw_secret_from_file(&file, path, err));
    bytes = kw_secret_bytes(&file);
    if (bytes.len == 2 * (size_t)KW_CACHE_SECRET_LEN && is_hex(bytes)) {
        return from_hex(bytes, secret, err);
    }
    KW_ENSURE(bytes.len >= KW_CACHE_SECRET_LEN, err, CONFIG_INVALID,
              "the cache key has %zu bytes, at least %d are needed", bytes.len,
              KW_CACHE_SECRET_LEN);
    *secret = file;
    file = (struct kw_secret){0};
    return KW_OK;
}

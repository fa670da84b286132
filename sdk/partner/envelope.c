/* Envelopes: record KWE1 of docs/formats.md. */
#include "primitives.h"

#include <string.h>

#define KEY_WRAPPED     40U
#define SESSION_WRAPPED 80U
#define SESSION_SIZE    (2U * KW_PARTNER_KEY_SIZE + KW_PARTNER_SALT_SIZE)

/* A cursor that remembers its first failure, so that the layout reads as the list of its fields. */
struct cursor {
    const uint8_t *at;
    size_t left;
    int failed;
};

static const uint8_t *take(struct cursor *c, size_t size)
{
    static const uint8_t zeros[KW_PARTNER_REGION_SIZE + SESSION_WRAPPED];
    const uint8_t *taken = c->at;

    if (c->failed || c->left < size) {
        c->failed = 1;
        return zeros;
    }
    c->at += size;
    c->left -= size;
    return taken;
}

static uint16_t take16(struct cursor *c)
{
    const uint8_t *p = take(c, 2);

    return (uint16_t)(p[0] << 8 | p[1]);
}

static void region_take(struct cursor *c, char ret_region[KW_PARTNER_REGION_SIZE])
{
    size_t size = take16(c);

    if (size >= KW_PARTNER_REGION_SIZE) {
        c->failed = 1;
        size = 0;
    }
    memcpy(ret_region, take(c, size), size);
    ret_region[size] = '\0';
    c->failed = c->failed || strlen(ret_region) != size;
}

static const uint8_t *fields_take(struct cursor *c, struct kw_partner_envelope *e,
                                  size_t *ret_wrapped_size)
{
    c->failed = !kw_partner_equal(take(c, 4), (const uint8_t *)"KWE1", 4);
    e->suite = take16(c);
    e->kind = (enum kw_partner_envelope_kind) * take(c, 1);
    memcpy(e->device, take(c, KW_PARTNER_ID_SIZE), KW_PARTNER_ID_SIZE);
    memcpy(e->key, take(c, KW_PARTNER_ID_SIZE), KW_PARTNER_ID_SIZE);
    memcpy(e->partner, take(c, KW_PARTNER_ID_SIZE), KW_PARTNER_ID_SIZE);
    e->epoch = kw_partner_load32(take(c, 4));
    e->transport_version = kw_partner_load32(take(c, 4));
    memcpy(e->receipt, take(c, KW_PARTNER_ID_SIZE), KW_PARTNER_ID_SIZE);
    e->issued_ms = kw_partner_load64(take(c, 8));
    e->expires_ms = kw_partner_load64(take(c, 8));
    region_take(c, e->region);
    memcpy(e->nonce_app, take(c, KW_PARTNER_NONCE_SIZE), KW_PARTNER_NONCE_SIZE);
    memcpy(e->nonce_pen, take(c, KW_PARTNER_NONCE_SIZE), KW_PARTNER_NONCE_SIZE);
    e->counter = kw_partner_load32(take(c, 4));
    *ret_wrapped_size = take16(c);
    return take(c, *ret_wrapped_size <= SESSION_WRAPPED ? *ret_wrapped_size : SIZE_MAX);
}

/* What the fields must be for each other, whatever the MAC says. */
static int consistent(const struct kw_partner_envelope *e, size_t wrapped_size)
{
    static const uint8_t none[KW_PARTNER_NONCE_SIZE];

    if (e->suite != KW_PARTNER_SUITE_AES256 || e->expires_ms < e->issued_ms) {
        return 0;
    }
    if (e->kind == KW_PARTNER_ENVELOPE_SESSION) {
        return wrapped_size == SESSION_WRAPPED;
    }
    return e->kind == KW_PARTNER_ENVELOPE_KEY && wrapped_size == KEY_WRAPPED && e->counter == 0 &&
           kw_partner_equal(e->nonce_app, none, sizeof(none)) &&
           kw_partner_equal(e->nonce_pen, none, sizeof(none));
}

static enum kw_partner_result unwrap(struct kw_partner_envelope *e, const uint8_t *transport_key,
                                     const uint8_t *wrapped, size_t size,
                                     uint8_t ret_mac_key[KW_PARTNER_KEY_SIZE])
{
    uint8_t plain[SESSION_SIZE];
    int session = e->kind == KW_PARTNER_ENVELOPE_SESSION;
    size_t plain_size = session ? SESSION_SIZE : KW_PARTNER_KEY_SIZE;

    if (!kw_partner_unwrap(transport_key, wrapped, size, plain, plain_size)) {
        return KW_PARTNER_E_AUTHENTIC;
    }
    if (session) {
        memcpy(e->session_keys.enc, plain, KW_PARTNER_KEY_SIZE);
        memcpy(e->session_keys.auth, plain + KW_PARTNER_KEY_SIZE, KW_PARTNER_KEY_SIZE);
        memcpy(e->session_keys.salt, plain + 2 * KW_PARTNER_KEY_SIZE, KW_PARTNER_SALT_SIZE);
        memcpy(ret_mac_key, e->session_keys.auth, KW_PARTNER_KEY_SIZE);
    } else {
        memcpy(e->partner_key, plain, KW_PARTNER_KEY_SIZE);
        memcpy(ret_mac_key, plain, KW_PARTNER_KEY_SIZE);
    }
    kw_partner_wipe(plain, sizeof(plain));
    return KW_PARTNER_OK;
}

static enum kw_partner_result expect(const struct kw_partner_envelope *e,
                                     const struct kw_partner_expected *expected)
{
    if (!kw_partner_equal(e->partner, expected->partner, KW_PARTNER_ID_SIZE) ||
        !kw_partner_equal(e->device, expected->device, KW_PARTNER_ID_SIZE) ||
        e->transport_version != expected->transport_version) {
        return KW_PARTNER_E_OWNER;
    }
    return expected->now_ms <= e->expires_ms ? KW_PARTNER_OK : KW_PARTNER_E_EXPIRED;
}

static enum kw_partner_result mac_check(const uint8_t *sealed, size_t mac_offset,
                                        const uint8_t *mac_key)
{
    const struct kw_partner_part part = {sealed, mac_offset};
    uint8_t tag[KW_PARTNER_TAG_SIZE];

    if (!kw_partner_cmac(mac_key, &part, 1, tag)) {
        return KW_PARTNER_E_CRYPTO;
    }
    return kw_partner_equal(tag, sealed + mac_offset, KW_PARTNER_TAG_SIZE) ? KW_PARTNER_OK
                                                                           : KW_PARTNER_E_AUTHENTIC;
}

enum kw_partner_result kw_partner_envelope_open(const uint8_t *sealed, size_t size,
                                                const uint8_t transport_key[KW_PARTNER_KEY_SIZE],
                                                const struct kw_partner_expected *expected,
                                                struct kw_partner_envelope *ret_envelope)
{
    struct cursor c = {sealed, size, 0};
    struct kw_partner_envelope e = {0};
    size_t wrapped_size = 0;
    const uint8_t *wrapped = fields_take(&c, &e, &wrapped_size);
    uint8_t mac_key[KW_PARTNER_KEY_SIZE];
    enum kw_partner_result result;

    if (c.failed || c.left != KW_PARTNER_TAG_SIZE || !consistent(&e, wrapped_size)) {
        return KW_PARTNER_E_FORMAT;
    }
    result = expect(&e, expected);
    if (result == KW_PARTNER_OK) {
        result = unwrap(&e, transport_key, wrapped, wrapped_size, mac_key);
    }
    if (result == KW_PARTNER_OK) {
        result = mac_check(sealed, size - KW_PARTNER_TAG_SIZE, mac_key);
    }
    if (result == KW_PARTNER_OK) {
        *ret_envelope = e;
    }
    kw_partner_wipe(mac_key, sizeof(mac_key));
    kw_partner_wipe(&e, sizeof(e));
    return result;
}

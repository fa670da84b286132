/* The record KWE1: made in three steps, read strictly, verified with the key it delivers. */
#include "common/audit/envelope.h"

#include "common/audit/record.h"
#include "common/pki/spiffe.h"

#define MAGIC "KWE1"

size_t kw_envelope_wrapped_len(enum kw_envelope_kind kind)
{
    return kind == KW_ENVELOPE_KEY ? KW_ENVELOPE_KEY_WRAPPED_LEN : KW_ENVELOPE_SESSION_WRAPPED_LEN;
}

/* What is wrong with the fields before the wrapped key, or NULL: the same question for both
 * directions. */
static const char *fault(const struct kw_envelope *envelope)
{
    bool of_session = !kw_id_is_none(envelope->nonce_app) || !kw_id_is_none(envelope->nonce_pen) ||
                      envelope->counter != 0;

    if (envelope->suite != KW_SUITE_AES256) {
        return "unknown suite";
    }
    if (envelope->kind != KW_ENVELOPE_KEY && envelope->kind != KW_ENVELOPE_SESSION) {
        return "unknown operation";
    }
    if (envelope->kind == KW_ENVELOPE_KEY && of_session) {
        return "session fields beside a released key";
    }
    if (!kw_record_text(envelope->region, KW_SPIFFE_SEGMENT_LEN_MAX)) {
        return "region missing, too long or not text";
    }
    if (envelope->expires_ms < envelope->issued_ms) {
        return "expires before it is issued";
    }
    return NULL;
}

struct kw_result kw_envelope_encode_prefix(const struct kw_envelope *envelope, struct kw_buf *out,
                                           struct kw_error *err)
{
    struct kw_writer w = KW_WRITER(out);
    const char *wrong = fault(envelope);

    KW_ENSURE(wrong == NULL, err, ARGUMENT_INVALID, "envelope: %s", wrong);
    kw_put_raw(&w, KW_BYTES(MAGIC, KW_MAGIC_LEN));
    kw_put_u16(&w, envelope->suite);
    kw_put_u8(&w, (uint8_t)envelope->kind);
    kw_put_raw(&w, kw_id_bytes(&envelope->device));
    kw_put_raw(&w, kw_id_bytes(&envelope->key));
    kw_put_raw(&w, kw_id_bytes(&envelope->partner));
    kw_put_u32(&w, envelope->epoch);
    kw_put_u32(&w, envelope->ptk_version);
    kw_put_raw(&w, kw_id_bytes(&envelope->receipt));
    kw_put_u64(&w, envelope->issued_ms);
    kw_put_u64(&w, envelope->expires_ms);
    kw_put_var(&w, envelope->region);
    kw_put_raw(&w, kw_id_bytes(&envelope->nonce_app));
    kw_put_raw(&w, kw_id_bytes(&envelope->nonce_pen));
    kw_put_u32(&w, envelope->counter);
    kw_put_u16(&w, (uint16_t)kw_envelope_wrapped_len(envelope->kind));
    return kw_writer_end(&w, err);
}

struct kw_result kw_envelope_finish(struct kw_buf *out, struct kw_bytes wrapped,
                                    const uint8_t mac[KW_CMAC_LEN], struct kw_error *err)
{
    struct kw_writer w = KW_WRITER(out);
    size_t end = out->len;

    KW_ENSURE(end >= sizeof(uint16_t) &&
                  (size_t)(out->data[end - 2] << 8 | out->data[end - 1]) == wrapped.len,
              err, ARGUMENT_INVALID, "no envelope prefix for %zu bytes", wrapped.len);
    kw_put_raw(&w, wrapped);
    kw_put_raw(&w, KW_BYTES(mac, KW_CMAC_LEN));
    return kw_writer_end(&w, err);
}

static void get_fields(struct kw_reader *r, struct kw_envelope *envelope)
{
    envelope->suite = kw_get_u16(r);
    envelope->kind = (enum kw_envelope_kind)kw_get_u8(r);
    kw_get_copy(r, envelope->device.bytes, KW_ID_LEN);
    kw_get_copy(r, envelope->key.bytes, KW_ID_LEN);
    kw_get_copy(r, envelope->partner.bytes, KW_ID_LEN);
    envelope->epoch = kw_get_u32(r);
    envelope->ptk_version = kw_get_u32(r);
    kw_get_copy(r, envelope->receipt.bytes, KW_ID_LEN);
    envelope->issued_ms = kw_get_u64(r);
    envelope->expires_ms = kw_get_u64(r);
    envelope->region = kw_get_text(r);
    kw_get_copy(r, envelope->nonce_app.bytes, KW_ID_LEN);
    kw_get_copy(r, envelope->nonce_pen.bytes, KW_ID_LEN);
    envelope->counter = kw_get_u32(r);
    envelope->wrapped = kw_get_var(r);
    envelope->mac = kw_get_raw(r, KW_CMAC_LEN);
}

struct kw_result kw_envelope_decode(struct kw_bytes record, struct kw_envelope *ret_envelope,
                                    struct kw_error *err)
{
    struct kw_reader r = KW_READER(record);
    struct kw_envelope envelope = {0};
    const char *wrong;

    KW_ENSURE(kw_record_starts(&r, MAGIC), err, ENCODING_INVALID, "not an envelope");
    get_fields(&r, &envelope);
    KW_TRY(kw_reader_end(&r, "envelope", err));
    wrong = fault(&envelope);
    KW_ENSURE(wrong == NULL, err, ENCODING_INVALID, "envelope: %s", wrong);
    KW_ENSURE(envelope.wrapped.len == kw_envelope_wrapped_len(envelope.kind), err, ENCODING_INVALID,
              "envelope: wrapped key of %zu bytes", envelope.wrapped.len);
    *ret_envelope = envelope;
    return KW_OK;
}

struct kw_result kw_envelope_verify(struct kw_bytes record, const struct kw_secret *mac_key,
                                    struct kw_error *err)
{
    struct kw_envelope envelope;
    struct kw_bytes covered;

    KW_TRY(kw_envelope_decode(record, &envelope, err));
    covered = KW_BYTES(record.data, record.len - KW_CMAC_LEN);
    return kw_cmac_aes256_verify(mac_key, &covered, 1, envelope.mac, err);
}

/* Writing and reading a request. */
#include "services/cryptocore/region/request.h"

#define MAGIC "KWQ1"
#define LABEL "KEYWARD-REQUEST-v1"

const enum kw_hsm_signer kw_region_signers[KW_REGION_KEYS] = {
    KW_HSM_CARRIER,      KW_HSM_CA_SERVICES, KW_HSM_CA_PARTNERS,
    KW_HSM_CA_OPERATORS, KW_HSM_CA_STATIONS, KW_HSM_CHECKPOINT,
};

static struct kw_result body_write(const struct kw_region_request *request, struct kw_buf *record,
                                   struct kw_error *err)
{
    struct kw_writer w = KW_WRITER(record);

    kw_put_raw(&w, kw_bytes_str(MAGIC));
    kw_put_raw(&w, kw_id_bytes(&request->nonce));
    kw_put_u64(&w, request->time_ms);
    kw_put_str(&w, request->trust_domain);
    kw_put_str(&w, request->region);
    kw_put_str(&w, request->token.label);
    kw_put_str(&w, request->token.maker);
    kw_put_str(&w, request->token.model);
    kw_put_str(&w, request->token.serial);
    kw_put_u16(&w, KW_REGION_KEYS);
    for (size_t i = 0; i < KW_REGION_KEYS; i++) {
        kw_put_var(&w, request->keys[i]);
    }
    return kw_writer_end(&w, err);
}

struct kw_result kw_region_request_write(const struct kw_region_request *request,
                                         struct kw_hsm_ceremony *ceremony, struct kw_buf *record,
                                         struct kw_error *err)
{
    size_t body_len;

    KW_TRY(body_write(request, record, err));
    body_len = record->len;
    for (size_t i = 0; i < KW_REGION_KEYS; i++) {
        KW_TRY(kw_region_sign(ceremony, kw_region_signers[i], LABEL,
                              KW_BYTES(record->data, body_len), record, err));
    }
    return KW_OK;
}

static void body_read(struct kw_reader *r, struct kw_region_request *request)
{
    kw_region_magic(r, MAGIC);
    kw_get_copy(r, request->nonce.bytes, sizeof(request->nonce.bytes));
    request->time_ms = kw_get_u64(r);
    kw_get_str(r, request->trust_domain, sizeof(request->trust_domain));
    kw_get_str(r, request->region, sizeof(request->region));
    kw_get_str(r, request->token.label, sizeof(request->token.label));
    kw_get_str(r, request->token.maker, sizeof(request->token.maker));
    kw_get_str(r, request->token.model, sizeof(request->token.model));
    kw_get_str(r, request->token.serial, sizeof(request->token.serial));
    if (kw_get_u16(r) != KW_REGION_KEYS) {
        r->failed = true;
    }
    for (size_t i = 0; i < KW_REGION_KEYS; i++) {
        request->keys[i] = kw_get_var(r);
    }
}

/* That whoever asks has the key: no other region's key is certified in this one's name. */
static struct kw_result possession_check(struct kw_bytes spki, struct kw_bytes body,
                                         struct kw_bytes signature, struct kw_error *err)
{
    KW_SCOPED(kw_public_key_done) struct kw_public_key key = {0};

    KW_TRY(kw_public_key_from_spki(&key, spki, err));
    KW_ENSURE(key.curve == KW_CURVE_P384, err, ARGUMENT_INVALID, "a region's keys are on P-384");
    return kw_region_verify(&key, LABEL, body, signature, err);
}

static struct kw_result names_check(const struct kw_region_request *request, struct kw_error *err)
{
    struct kw_spiffe probe;

    return kw_spiffe_service(request->trust_domain, request->region, "cell", "service", &probe,
                             err);
}

struct kw_result kw_region_request_read(struct kw_bytes record, struct kw_region_request *ret,
                                        struct kw_error *err)
{
    struct kw_region_request request = {.time_ms = 0};
    struct kw_reader r = KW_READER(record);
    struct kw_bytes signatures[KW_REGION_KEYS];
    struct kw_bytes body;

    body_read(&r, &request);
    body = KW_BYTES(record.data, record.len - r.rest.len);
    for (size_t i = 0; i < KW_REGION_KEYS; i++) {
        signatures[i] = kw_get_var(&r);
    }
    KW_TRY(kw_reader_end(&r, "request of a region", err));
    KW_TRY(names_check(&request, err));
    for (size_t i = 0; i < KW_REGION_KEYS; i++) {
        KW_TRY(possession_check(request.keys[i], body, signatures[i], err));
    }
    KW_TRY(kw_sha256(record, request.digest, err));
    *ret = request;
    return KW_OK;
}

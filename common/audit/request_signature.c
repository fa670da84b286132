/* The caller's signature: its value, what it covers, and when it counts. */
#include "common/audit/request_signature.h"

#include "common/base/codec.h"
#include "common/base/limits.h"

#define LABEL "KEYWARD-SIG-v1"

static struct kw_result message(const struct kw_signed_request *request, uint64_t not_after_ms,
                                struct kw_buf *out, struct kw_error *err)
{
    struct kw_writer w = KW_WRITER(out);

    KW_ENSURE(request->request_id.len == KW_ID_LEN, err, SIGNATURE_INVALID,
              "request id of %zu bytes", request->request_id.len);
    kw_put_raw(&w, kw_bytes_str(LABEL));
    kw_put_var(&w, request->method);
    kw_put_raw(&w, request->request_id);
    kw_put_u64(&w, not_after_ms);
    kw_put_raw(&w, KW_BYTES(request->body_hash, KW_SHA256_LEN));
    return kw_writer_end(&w, err);
}

struct kw_result kw_request_signature_decode(struct kw_bytes value,
                                             struct kw_request_signature *ret_signature,
                                             struct kw_error *err)
{
    struct kw_reader r = KW_READER(value);
    struct kw_request_signature signature;

    signature.not_after_ms = kw_get_u64(&r);
    signature.signature = kw_get_var(&r);
    KW_ENSURE(kw_ok(kw_reader_end(&r, "signature", NULL)) && signature.signature.len > 0 &&
                  signature.signature.len <= KW_SIGNATURE_LEN_MAX,
              err, SIGNATURE_INVALID, "malformed signature value of %zu bytes", value.len);
    *ret_signature = signature;
    return KW_OK;
}

struct kw_result kw_request_signature_make(const struct kw_private_key *key,
                                           const struct kw_signed_request *request,
                                           uint64_t not_after_ms, struct kw_buf *ret_value,
                                           struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf input = {0};
    struct kw_writer w = KW_WRITER(ret_value);
    struct kw_signature signature;

    KW_TRY(message(request, not_after_ms, &input, err));
    KW_TRY(kw_ecdsa_sign(key, kw_buf_bytes(&input), &signature, err));
    kw_put_u64(&w, not_after_ms);
    kw_put_var(&w, kw_signature_bytes(&signature));
    return kw_writer_end(&w, err);
}

static struct kw_result verify(const struct kw_public_key *key,
                               const struct kw_signed_request *request,
                               const struct kw_request_signature *signature, struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf input = {0};

    KW_TRY(message(request, signature->not_after_ms, &input, err));
    return kw_ecdsa_verify(key, kw_buf_bytes(&input), signature->signature, err);
}

struct kw_result kw_request_signature_verify(const struct kw_public_key *key,
                                             const struct kw_signed_request *request,
                                             struct kw_bytes value, struct kw_error *err)
{
    struct kw_request_signature signature;

    KW_TRY(kw_request_signature_decode(value, &signature, err));
    return verify(key, request, &signature, err);
}

struct kw_result kw_request_signature_verify_fresh(const struct kw_public_key *key,
                                                   const struct kw_signed_request *request,
                                                   struct kw_bytes value, uint64_t now_ms,
                                                   struct kw_error *err)
{
    struct kw_request_signature signature;

    KW_TRY(kw_request_signature_decode(value, &signature, err));
    KW_ENSURE(signature.not_after_ms >= now_ms, err, SIGNATURE_INVALID, "the signature has ended");
    KW_ENSURE(signature.not_after_ms - now_ms <= KW_REQUEST_SIGNATURE_AHEAD_MS, err,
              SIGNATURE_INVALID, "the signature ends too far ahead");
    return verify(key, request, &signature, err);
}

/* Writing, reading, proving. */
#include "services/orchestrator/destruction.h"

#include "common/audit/request_signature.h"
#include "common/base/codec.h"
#include "common/base/limits.h"
#include "common/pki/officer.h"
#include "common/rpc/messages.h"
#include "common/rpc/resource.h"

#include <keyward/v1/key_service.pb-c.h>

#define MAGIC "KWZ1"

struct kw_result kw_officers_trust_load(struct kw_officers_trust *officers, const char *pki_dir,
                                        char *trust_domain, struct kw_error *err)
{
    officers->trust_domain = trust_domain;
    return kw_officer_cas_load(pki_dir, &officers->cas, err);
}

void kw_officers_trust_done(struct kw_officers_trust *officers)
{
    kw_trust_done(&officers->cas);
}

struct kw_result kw_destruction_encode(const struct kw_destruction *destruction,
                                       struct kw_buf *record, struct kw_error *err)
{
    struct kw_writer w = KW_WRITER(record);

    kw_put_raw(&w, kw_bytes_str(MAGIC));
    kw_put_var(&w, destruction->body);
    kw_put_var(&w, destruction->signature);
    kw_put_var(&w, destruction->certificate);
    return kw_writer_end(&w, err);
}

static struct kw_result decode(struct kw_bytes record, struct kw_destruction *ret,
                               struct kw_error *err)
{
    struct kw_reader r = KW_READER(record);

    if (!kw_bytes_equal(kw_get_raw(&r, strlen(MAGIC)), kw_bytes_str(MAGIC))) {
        r.failed = true;
    }
    ret->body = kw_get_var(&r);
    ret->signature = kw_get_var(&r);
    ret->certificate = kw_get_var(&r);
    return kw_reader_end(&r, "a destruction", err);
}

/* Is it the very key's, and not a dry run? */
static struct kw_result request_check(const Keyward__V1__DestroyKeyRequest *request,
                                      struct kw_id key, struct kw_id *ret_request_id,
                                      struct kw_error *err)
{
    struct kw_resource_ids ids;

    KW_TRY(kw_resource_parse(KW_RESOURCE_KEY, request->name, &ids, err));
    KW_ENSURE(kw_id_equal(ids.id[1], key), err, BINDING_INVALID, "a destruction of another key");
    KW_ENSURE(!request->validate_only, err, BINDING_INVALID,
              "the officer asked to have nothing done");
    return kw_request_id_parse(request->request_id, ret_request_id, err);
}

/* At some time of the signature's its certificate was good. */
static struct kw_result officer_check(const struct kw_certificate *leaf, struct kw_bytes signature,
                                      const struct kw_officers_trust *officers,
                                      struct kw_error *err)
{
    struct kw_request_signature read;
    struct kw_validity validity;

    KW_TRY(kw_officer_check(leaf, &officers->cas, officers->trust_domain, err));
    KW_TRY(kw_certificate_validity(leaf, &validity, err));
    KW_TRY(kw_request_signature_decode(signature, &read, err));
    KW_ENSURE(read.not_after_ms >= validity.not_before_ms &&
                  read.not_after_ms <= validity.not_after_ms + KW_REQUEST_SIGNATURE_AHEAD_MS,
              err, IDENTITY_INVALID, "the officer's certificate was not good then");
    return KW_OK;
}

static struct kw_result signature_check(const struct kw_destruction *destruction,
                                        const struct kw_certificate *leaf, struct kw_id request_id,
                                        struct kw_error *err)
{
    KW_SCOPED(kw_public_key_done) struct kw_public_key key = {0};
    uint8_t hash[KW_SHA256_LEN];
    const struct kw_signed_request request = {
        .method = kw_bytes_str(kw_method_by_id(KW_METHOD_DESTROY_KEY)->path),
        .request_id = kw_id_bytes(&request_id),
        .body_hash = hash};

    KW_TRY(kw_sha256(destruction->body, hash, err));
    KW_TRY(kw_certificate_public_key(leaf, &key, err));
    return kw_request_signature_verify(&key, &request, destruction->signature, err);
}

static struct kw_result prove(struct kw_bytes record, struct kw_id key,
                              const struct kw_officers_trust *officers, struct kw_arena *arena,
                              struct kw_error *err)
{
    KW_SCOPED(kw_certificate_done) struct kw_certificate leaf = {0};
    struct kw_destruction destruction;
    ProtobufCMessage *request;
    struct kw_id request_id;

    KW_TRY(decode(record, &destruction, err));
    KW_TRY(kw_message_unpack(&keyward__v1__destroy_key_request__descriptor, destruction.body, arena,
                             &request, err));
    KW_TRY(request_check((const Keyward__V1__DestroyKeyRequest *)request, key, &request_id, err));
    KW_TRY(kw_certificate_from_der(&leaf, destruction.certificate, err));
    KW_TRY(officer_check(&leaf, destruction.signature, officers, err));
    return signature_check(&destruction, &leaf, request_id, err);
}

struct kw_result kw_destruction_prove(struct kw_bytes record, struct kw_id key,
                                      const struct kw_officers_trust *officers,
                                      struct kw_error *err)
{
    struct kw_arena *arena = kw_arena_new(KW_REQUEST_ARENA_MAX);
    struct kw_error why = {0};
    struct kw_result proven;

    KW_ENSURE(arena != NULL, err, MEMORY, "an arena for a destruction");
    proven = prove(record, key, officers, arena, &why);
    kw_arena_free(arena);
    if (kw_ok(proven) || proven.reason == KW_E_CRYPTO || proven.reason == KW_E_MEMORY) {
        if (err != NULL) {
            *err = why;
        }
        return proven;
    }
    KW_FAIL(err, ENCODING_INVALID, "no destruction by an officer: %s", why.message);
}

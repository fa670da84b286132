/* Plans for leaves, and chains in the reply. */
#include "services/cryptocore/issue.h"

#include "common/base/limits.h"
#include "common/pki/csr.h"

#define CHAINS_MAX 2 /* TLS and transport */
#define CHAIN_LEN  2 /* leaf and issuing CA; the root is left out */

struct kw_result kw_issue_plan(struct kw_core_call *call, enum kw_hsm_signer issuer,
                               enum kw_role role, struct kw_id id, struct kw_bytes csr,
                               uint64_t life_ms, unsigned usage, struct kw_hsm_issue *ret_issue,
                               struct kw_error *err)
{
    struct kw_core *core = call->core;
    KW_SCOPED(kw_public_key_done) struct kw_public_key key = {0};
    struct kw_spiffe identity;
    struct kw_spki spki;
    struct kw_bytes spki_copy;
    char text[KW_SPIFFE_TEXT_SIZE];
    const char *spiffe_id;

    KW_TRY(kw_csr_verify(csr, &key, err));
    KW_ENSURE((usage & KW_USAGE_TRANSPORT) == 0 || key.curve == KW_CURVE_P384, err,
              ARGUMENT_INVALID, "a transport key is on P-384");
    KW_TRY(kw_public_key_spki(&key, &spki, err));
    KW_TRY(kw_arena_copy(call->arena, kw_spki_bytes(&spki), &spki_copy, err));
    KW_TRY(kw_spiffe_caller(core->config->trust_domain, role, id, &identity, err));
    (void)kw_spiffe_text(&identity, text);
    spiffe_id = kw_arena_text(call->arena, text, strlen(text));
    KW_ENSURE(spiffe_id != NULL, err, MEMORY, "SPIFFE id");
    *ret_issue = (struct kw_hsm_issue){
        .issuer = issuer,
        .issuer_certificate = kw_buf_bytes(&core->pki.ca_der[kw_core_ca_index(issuer)]),
        .spki = spki_copy,
        .spiffe_id = spiffe_id,
        .validity = {.not_before_ms = call->now_ms - KW_CERTIFICATE_BACKDATE_MS,
                     .not_after_ms = call->now_ms + life_ms},
        .usage = usage,
    };
    return KW_OK;
}

struct kw_result kw_issue_chain(struct kw_core_call *call, enum kw_hsm_signer issuer,
                                struct kw_bytes certificate, struct kw_error *err)
{
    Keyward__Internal__V1__CertificateChain *chain = kw_arena_alloc(call->arena, sizeof(*chain));
    ProtobufCBinaryData *fields = kw_arena_alloc(call->arena, CHAIN_LEN * sizeof(*fields));

    if (call->reply.certificates == NULL) {
        call->reply.certificates =
            kw_arena_alloc(call->arena, CHAINS_MAX * sizeof(*call->reply.certificates));
    }
    KW_ENSURE(chain != NULL && fields != NULL && call->reply.certificates != NULL, err, MEMORY,
              "chain");
    KW_ENSURE(call->reply.n_certificates < CHAINS_MAX, err, LIMIT_REACHED, "more than %d chains",
              CHAINS_MAX);
    keyward__internal__v1__certificate_chain__init(chain);
    KW_TRY(kw_core_field(call, certificate, &fields[0], err));
    fields[1] = kw_field_bytes(kw_buf_bytes(&call->core->pki.ca_der[kw_core_ca_index(issuer)]));
    chain->n_certificates = CHAIN_LEN;
    chain->certificates = fields;
    call->reply.certificates[call->reply.n_certificates++] = chain;
    return KW_OK;
}

struct kw_result kw_issue_result(struct kw_core_item *item, struct kw_bytes certificate,
                                 struct kw_error *err)
{
    const struct kw_bytes parts[] = {KW_BYTES_OF(item->result.bytes), certificate};
    struct kw_hash result;

    KW_TRY(kw_sha256_list(parts, 2, result.bytes, err));
    item->result = result;
    return KW_OK;
}

/* Evidence made by hand; see the header. */
#include "tests/unit/cli_verify_support.h"

#include "common/audit/head.h"
#include "common/audit/seal.h"
#include "common/rpc/methods.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

static const char caller[] = "spiffe://" PKI_DOMAIN "/partner/prt_aaaaaaaaaaaaaaaaaaaaaaaaaa";

struct pki_pair evidence_authz(const struct pki_fixture *pki, const char *cell)
{
    struct kw_spiffe id;

    cr_assert(kw_ok(kw_spiffe_service(PKI_DOMAIN, "eu-1", cell, "authz", &id, NULL)));
    return pki_leaf(&pki->issuing, &id, KW_USAGE_CLIENT | KW_USAGE_SERVER);
}

void evidence_init(struct evidence *e)
{
    KW_SCOPED(kw_public_key_done) struct kw_public_key checkpoint = {0};

    *e = (struct evidence){.chain = {.core = {{1}}, .stream = {{2}}}};
    pki_fixture_init(&e->pki);
    e->authz = evidence_authz(&e->pki, "a");
    pki_pem(&e->pki.root.certificate, &e->root_pem);
    cr_assert(kw_ok(kw_private_key_generate(&e->checkpoint, KW_CURVE_P384, NULL)));
    cr_assert(kw_ok(kw_private_key_public(&e->checkpoint, &checkpoint, NULL)));
    cr_assert(kw_ok(kw_public_key_spki(&checkpoint, &e->checkpoint_spki, NULL)));
}

void evidence_done(struct evidence *e)
{
    for (size_t i = 0; i < e->count; i++) {
        kw_buf_done(&e->records[i].bytes);
    }
    kw_buf_done(&e->root_pem);
    kw_private_key_done(&e->checkpoint);
    pki_pair_done(&e->authz);
    pki_fixture_done(&e->pki);
}

static struct kw_buf *record_add(struct evidence *e, Keyward__V1__VerificationRecordType type)
{
    struct evidence_record *record = &e->records[e->count++];

    cr_assert_lt(e->count, EVIDENCE_MAX);
    *record = (struct evidence_record){.type = type};
    return &record->bytes;
}

void evidence_certificate(struct evidence *e, const struct kw_certificate *certificate)
{
    cr_assert(kw_ok(kw_certificate_to_der(certificate, record_add(e, CERTIFICATE), NULL)));
}

void evidence_remove(struct evidence *e, size_t index)
{
    kw_buf_done(&e->records[index].bytes);
    e->count--;
    memmove(&e->records[index], &e->records[index + 1], (e->count - index) * sizeof(e->records[0]));
}

struct kw_capsule evidence_capsule(uint8_t number)
{
    uint64_t issued_ms = EVIDENCE_TIME + 1000ULL * number;

    return (struct kw_capsule){.id = {{number}},
                               .region = kw_bytes_str("eu-1"),
                               .cell = kw_bytes_str("a"),
                               .caller = kw_bytes_str(caller),
                               .method = KW_METHOD_GET_DEVICE_ACCESS,
                               .scope = KW_SCOPE_BODY,
                               .operation = KW_OPERATION_RELEASE,
                               .owner = {{9}},
                               .epoch = 1,
                               .ptk_version = 1,
                               .issued_ms = issued_ms,
                               .not_after_ms = issued_ms + 5000};
}

static void seal(const struct kw_capsule *capsule, const struct pki_pair *signer,
                 struct kw_buf *ret_sealed)
{
    KW_SCOPED(kw_buf_done) struct kw_buf encoded = {0};
    uint8_t fingerprint[KW_SHA256_LEN];
    struct kw_bytes bytes;

    cr_assert(kw_ok(kw_capsule_encode(capsule, &encoded, NULL)));
    cr_assert(kw_ok(kw_certificate_fingerprint(&signer->certificate, fingerprint, NULL)));
    bytes = kw_buf_bytes(&encoded);
    cr_assert(kw_ok(kw_capsules_seal(&signer->key, fingerprint, &bytes, 1, ret_sealed, NULL)));
}

void evidence_receipt_of(struct evidence *e, const struct kw_capsule *capsule,
                         const struct pki_pair *signer, struct kw_chain *chain)
{
    KW_SCOPED(kw_buf_done) struct kw_buf sealed = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf der = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf items = {0};
    const struct kw_receipt_item item = {.key = {{1}}, .device = {{3}}, .result = {{7}}};
    struct kw_receipt receipt = {.id = capsule->id,
                                 .time_ms = capsule->issued_ms + 10,
                                 .region = kw_bytes_str("eu-1"),
                                 .cell = kw_bytes_str("a")};

    seal(capsule, signer, &sealed);
    cr_assert(kw_ok(kw_certificate_to_der(&signer->certificate, &der, NULL)));
    receipt.capsule = kw_buf_bytes(&sealed);
    receipt.signer = kw_buf_bytes(&der);
    cr_assert(kw_ok(kw_receipt_item_add(&receipt, &items, &item, NULL)));
    cr_assert(kw_ok(kw_chain_issue(chain, &receipt, record_add(e, RECEIPT), NULL)));
}

void evidence_receipt(struct evidence *e, uint8_t number)
{
    struct kw_capsule capsule = evidence_capsule(number);

    evidence_receipt_of(e, &capsule, &e->authz, &e->chain);
}

void evidence_checkpoint(struct evidence *e, const struct kw_chain *chain, bool closed,
                         const struct kw_private_key *key)
{
    KW_SCOPED(kw_buf_done) struct kw_buf content = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf message = {0};
    struct kw_signature signature;
    struct kw_checkpoint checkpoint = {.core = chain->core,
                                       .stream = chain->stream,
                                       .seq = chain->seq,
                                       .head = chain->head,
                                       .time_ms = EVIDENCE_TIME + 1000 * chain->seq + 20,
                                       .closed = closed};

    cr_assert(kw_ok(kw_checkpoint_content(&checkpoint, &content, NULL)));
    cr_assert(kw_ok(kw_buf_append(&message, kw_bytes_str("KEYWARD-CKPT-v1"), NULL)));
    cr_assert(kw_ok(kw_buf_append(&message, kw_buf_bytes(&content), NULL)));
    cr_assert(kw_ok(kw_ecdsa_sign(key, kw_buf_bytes(&message), &signature, NULL)));
    checkpoint.signature = kw_signature_bytes(&signature);
    cr_assert(kw_ok(kw_checkpoint_encode(&checkpoint, record_add(e, CHECKPOINT), NULL)));
}

void evidence_head(struct evidence *e, const struct kw_chain *seen)
{
    struct kw_witness witness = {.core = seen->core, .stream = seen->stream, .seq = seen->seq};

    kw_copy(witness.head, seen->head.bytes, KW_SHA256_LEN);
    cr_assert(kw_ok(kw_head_encode(&witness, record_add(e, HEAD), NULL)));
}

void evidence_fact_record(enum kw_fact_kind kind, uint64_t after_s, uint8_t capsule,
                          struct kw_buf *ret_record)
{
    bool suspension = kind == KW_FACT_SUSPENDED || kind == KW_FACT_LIFTED;
    const struct kw_fact fact = {.key = {{1}},
                                 .kind = kind,
                                 .ref = {{suspension ? 5 : 0}},
                                 .time_ms = EVIDENCE_TIME + 1000 * after_s,
                                 .capsule = {{capsule}},
                                 .actor = kw_bytes_str(caller)};

    cr_assert(kw_ok(kw_fact_encode(&fact, ret_record, NULL)));
}

void evidence_fact(struct evidence *e, enum kw_fact_kind kind, uint64_t after_s, uint8_t capsule)
{
    static const uint8_t mac[16] = {1};
    struct kw_buf *record = record_add(e, FACT);

    evidence_fact_record(kind, after_s, capsule, record);
    if (kw_fact_kind_enabling(kind)) {
        cr_assert(kw_ok(kw_buf_append(record, KW_BYTES_OF(mac), NULL)));
    }
}

void evidence_whole(struct evidence *e, bool closed)
{
    cr_assert(kw_ok(
        kw_certificate_to_der(&e->pki.issuing.certificate, record_add(e, CERTIFICATE), NULL)));
    for (uint8_t i = 1; i <= 6; i++) {
        evidence_receipt(e, i);
        if (i % 3 == 0) {
            evidence_checkpoint(e, &e->chain, closed && i == 6, &e->checkpoint);
        }
    }
    evidence_fact(e, KW_FACT_PROTECTED, 1, 1);
    evidence_fact(e, KW_FACT_CONFIRMED, 2, 2);
    evidence_fact(e, KW_FACT_ACTIVATED, 3, 3);
}

struct kw_verify *evidence_verify(const struct evidence *e, const struct kw_verify_span *span)
{
    const struct kw_verify_trust trust = {kw_buf_bytes(&e->root_pem),
                                          kw_spki_bytes(&e->checkpoint_spki), PKI_DOMAIN};
    struct kw_verify *verify = NULL;

    cr_assert(kw_ok(kw_verify_new(&trust, span, &verify, NULL)));
    for (size_t i = 0; i < e->count; i++) {
        cr_assert(kw_ok(
            kw_verify_take(verify, e->records[i].type, kw_buf_bytes(&e->records[i].bytes), NULL)));
    }
    cr_assert(kw_ok(kw_verify_end(verify, e->count, NULL)));
    return verify;
}

bool evidence_found(const struct kw_verify *verify, enum kw_finding_kind kind)
{
    size_t count;
    const struct kw_finding *findings = kw_verify_findings(verify, &count);

    for (size_t i = 0; i < count; i++) {
        if (findings[i].kind == kind) {
            return true;
        }
    }
    return false;
}

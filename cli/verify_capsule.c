/* The capsule in a receipt: sealed by authz of the receipt's cell, whose certificate the root
 * vouches for, and fit for what was done. */
#include "cli/verify_internal.h"

#include "common/base/limits.h"

struct kw_result kw_verify_authority(struct kw_verify *v, struct kw_bytes der, struct kw_error *err)
{
    KW_SCOPED(kw_certificate_done) struct kw_certificate certificate = {0};

    if (v->authorities_fixed || !kw_ok(kw_certificate_from_der(&certificate, der, NULL))) {
        return KW_OK; /* what it should vouch for will be found wanting */
    }
    KW_TRY(kw_certificate_to_pem(&certificate, &v->authorities_pem, err));
    KW_ENSURE(sk_X509_push(v->authorities, certificate.x509) > 0, err, MEMORY, "certificates");
    certificate.x509 = NULL;
    return KW_OK;
}

/* The verifier of seals by authz of this cell; made when first asked for. */
static struct kw_result signer_find(struct kw_verify *v, const struct kw_spiffe *id,
                                    struct kw_seal_verifier **ret_seals, struct kw_error *err)
{
    struct kw_verify_signer signer = {.id = *id};

    for (size_t i = 0; i < v->signers.count; i++) {
        const struct kw_verify_signer *one = kw_list_at(&v->signers, i);

        if (kw_spiffe_equal(&one->id, id)) {
            *ret_seals = one->seals;
            return KW_OK;
        }
    }
    KW_TRY(kw_seal_verifier_new(&v->authorities_trust, id, &signer.seals, err));
    KW_TRY(kw_list_add(&v->signers, &signer, err));
    *ret_seals = signer.seals;
    return KW_OK;
}

/* Does the signer's certificate chain to the root, by the authorities that came along? */
static struct kw_result root_check(struct kw_verify *v, const struct kw_receipt *receipt,
                                   struct kw_error *err)
{
    KW_SCOPED(kw_certificate_done) struct kw_certificate certificate = {0};
    uint8_t hash[KW_SHA256_LEN];

    KW_TRY(kw_sha256(receipt->signer, hash, err));
    if (kw_bytes_equal(KW_BYTES_OF(hash), KW_BYTES_OF(v->rooted))) {
        return KW_OK;
    }
    KW_TRY(kw_certificate_from_der(&certificate, receipt->signer, err));
    KW_TRY(kw_trust_verify(&v->root, &certificate, v->authorities, KW_PURPOSE_CLIENT,
                           receipt->time_ms, err));
    kw_copy(v->rooted, hash, sizeof(hash));
    return KW_OK;
}

static void segment(struct kw_bytes from, char to[KW_SPIFFE_SEGMENT_LEN_MAX + 1])
{
    size_t len = from.len < KW_SPIFFE_SEGMENT_LEN_MAX ? from.len : KW_SPIFFE_SEGMENT_LEN_MAX;

    kw_copy(to, from.data, len);
    to[len] = '\0';
}

static struct kw_result authorities_fix(struct kw_verify *v, struct kw_error *err)
{
    if (v->authorities_fixed) {
        return KW_OK;
    }
    KW_TRY(kw_trust_from_pem(&v->authorities_trust, kw_buf_bytes(&v->authorities_pem), err));
    v->authorities_fixed = true;
    return KW_OK;
}

static struct kw_result seal_check(struct kw_verify *v, const struct kw_receipt *receipt,
                                   struct kw_bytes *ret_capsule, struct kw_error *err)
{
    struct kw_seal_verifier *seals = NULL;
    struct kw_spiffe authz;
    char region[KW_SPIFFE_SEGMENT_LEN_MAX + 1];
    char cell[KW_SPIFFE_SEGMENT_LEN_MAX + 1];

    segment(receipt->region, region);
    segment(receipt->cell, cell);
    KW_TRY(authorities_fix(v, err));
    KW_TRY(kw_spiffe_service(v->trust->trust_domain, region, cell, "authz", &authz, err));
    KW_TRY(root_check(v, receipt, err));
    KW_TRY(signer_find(v, &authz, &seals, err));
    return kw_seal_verify(seals, receipt->capsule, receipt->signer, receipt->time_ms, ret_capsule,
                          err);
}

/* NULL: it fits. Else why not. */
static const char *misfit(const struct kw_receipt *receipt, const struct kw_capsule *capsule)
{
    if (!kw_bytes_equal(receipt->region, capsule->region) ||
        !kw_bytes_equal(receipt->cell, capsule->cell)) {
        return "it is of another cell";
    }
    if (capsule->not_after_ms - capsule->issued_ms > KW_CAPSULE_LIFETIME_MS) {
        return "it lived too long";
    }
    if (receipt->time_ms + KW_CAPSULE_CLOCK_SKEW_MS < capsule->issued_ms) {
        return "it was issued after the use";
    }
    return NULL;
}

/* --- what the end will need --- */

static struct kw_result disabled_keep(struct kw_verify *v, const struct kw_capsule *capsule,
                                      struct kw_error *err)
{
    struct kw_reader reader = KW_READER(capsule->disabled);

    for (uint16_t i = 0; i < capsule->disabled_count; i++) {
        struct kw_bytes record = kw_get_var(&reader);
        struct kw_verify_named named;
        struct kw_fact fact;

        KW_TRY(kw_fact_decode(record, &fact, err));
        KW_TRY(kw_sha256(record, named.hash.bytes, err));
        named.key = fact.key;
        named.time_ms = fact.time_ms;
        KW_TRY(kw_list_add(&v->named, &named, err));
    }
    return KW_OK;
}

static bool delivers(enum kw_operation operation)
{
    return operation == KW_OPERATION_RELEASE || operation == KW_OPERATION_RELEASE_PAST ||
           operation == KW_OPERATION_DERIVE_SESSION;
}

static struct kw_result uses_keep(struct kw_verify *v, const struct kw_receipt *receipt,
                                  const struct kw_capsule *capsule, struct kw_error *err)
{
    struct kw_reader items = KW_READER(receipt->items);

    for (uint16_t i = 0; i < receipt->item_count && delivers(capsule->operation); i++) {
        struct kw_receipt_item item;
        struct kw_verify_use use = {.receipt = receipt->id,
                                    .issued_ms = capsule->issued_ms,
                                    .time_ms = receipt->time_ms,
                                    .operation = capsule->operation};

        kw_receipt_item_next(&items, &item);
        use.key = item.key;
        if (item.outcome.len == 0) {
            KW_TRY(kw_list_add(&v->uses, &use, err));
        }
    }
    return KW_OK;
}

static struct kw_result witness_keep(struct kw_verify *v, const struct kw_receipt *receipt,
                                     const struct kw_capsule *capsule, struct kw_error *err)
{
    struct kw_verify_witness seen = {.witness = capsule->witness, .time_ms = receipt->time_ms};

    return capsule->witness.seq == 0 ? KW_OK : kw_list_add(&v->witnesses, &seen, err);
}

static struct kw_result capsule_keep(struct kw_verify *v, const struct kw_receipt *receipt,
                                     const struct kw_capsule *capsule, struct kw_error *err)
{
    KW_TRY(kw_list_add(&v->capsules, &capsule->id, err));
    KW_TRY(witness_keep(v, receipt, capsule, err));
    KW_TRY(disabled_keep(v, capsule, err));
    return uses_keep(v, receipt, capsule, err);
}

struct kw_result kw_verify_capsule(struct kw_verify *v, const struct kw_receipt *receipt,
                                   struct kw_error *err)
{
    struct kw_bytes record = KW_BYTES_NONE;
    struct kw_capsule capsule;
    struct kw_error why;
    struct kw_result result = seal_check(v, receipt, &record, &why);
    const char *unfit;
    char name[KW_ID_TEXT_SIZE];

    (void)kw_id_text(KW_ID_RECEIPT, receipt->id, name);
    if (kw_ok(result)) {
        result = kw_capsule_decode(record, &capsule, &why);
    }
    if (!kw_ok(result)) {
        return kw_verify_found(v, err, KW_FINDING_CAPSULE_FORGED, "%s: %s", name, why.message);
    }
    unfit = misfit(receipt, &capsule);
    if (unfit != NULL) {
        return kw_verify_found(v, err, KW_FINDING_CAPSULE_MISFIT, "%s: %s", name, unfit);
    }
    return capsule_keep(v, receipt, &capsule, err);
}

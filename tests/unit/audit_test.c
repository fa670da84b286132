/* Every record against vectors made by an independent implementation, and every reader against
 * damage. */
#include "common/audit/envelope.h"
#include "common/audit/head.h"
#include "common/audit/invitation.h"
#include "common/audit/record.h"
#include "common/audit/request_signature.h"
#include "tests/unit/audit_test_support.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#define VECTORS(name, index, item)                                                                 \
    for (size_t index = 0; index < json_array_size(vectors(name)); index++)                        \
        for (const json_t *item = json_array_get(vectors(name), index); item != NULL; item = NULL)

#define ASSERT_BYTES(got, expected) cr_assert(kw_bytes_equal((got), (expected)))

/* ---- the vectors ---- */

Test(audit, facts_are_the_vectors_bytes)
{
    VECTORS("facts", i, v)
    {
        KW_SCOPED(kw_buf_done) struct kw_buf record = {0};
        KW_SCOPED(kw_buf_done) struct kw_buf input = {0};
        struct kw_fact fact = {.key = vector_id(v, "key"),
                               .kind = (enum kw_fact_kind)(i + 1),
                               .ref = vector_id(v, "ref"),
                               .time_ms = vector_number(v, "time_ms"),
                               .capsule = vector_id(v, "capsule"),
                               .actor = vector_bytes(v, "actor")};

        cr_assert_str_eq(kw_fact_kind_name(fact.kind),
                         json_string_value(json_object_get(v, "kind")));
        cr_assert(kw_ok(kw_fact_encode(&fact, &record, NULL)));
        ASSERT_BYTES(kw_buf_bytes(&record), vector_bytes(v, "record"));
        cr_assert(kw_ok(kw_fact_mac_input(kw_buf_bytes(&record), &input, NULL)));
        ASSERT_BYTES(kw_buf_bytes(&input), vector_bytes(v, "mac_input"));
    }
}

/* The MACs in the vectors are real: our CMAC over our input with their key. */
Test(audit, enabling_facts_have_the_vectors_mac)
{
    KW_SCOPED(kw_secret_done) struct kw_secret key = {0};

    cr_assert(kw_ok(kw_secret_copy(&key, vector_bytes(vectors("bindings"), "mac_key"), NULL)));
    VECTORS("facts", i, v)
    {
        struct kw_bytes input = vector_bytes(v, "mac_input");
        struct kw_bytes mac = vector_bytes(v, "mac");

        cr_assert_eq(mac.len > 0, kw_fact_kind_enabling((enum kw_fact_kind)(i + 1)));
        cr_assert(mac.len == 0 || kw_ok(kw_cmac_aes256_verify(&key, &input, 1, mac, NULL)));
    }
}

static struct kw_capsule capsule_of(const json_t *v, struct kw_buf *disabled)
{
    struct kw_capsule capsule = {
        .id = vector_id(v, "id"),
        .region = vector_bytes(v, "region"),
        .cell = vector_bytes(v, "cell"),
        .caller = vector_bytes(v, "caller"),
        .grant = vector_id(v, "grant"),
        .method = (uint16_t)vector_number(v, "method"),
        .first = (uint32_t)vector_number(v, "first"),
        .count = (uint16_t)vector_number(v, "count"),
        .scope = (enum kw_scope)vector_number(v, "scope"),
        .scope_id = vector_id(v, "scope_id"),
        .operation = (enum kw_operation)vector_number(v, "operation"),
        .owner = vector_id(v, "owner"),
        .epoch = (uint32_t)vector_number(v, "epoch"),
        .ptk_version = (uint32_t)vector_number(v, "ptk_version"),
        .authz_epoch = vector_number(v, "authz_epoch"),
        .issued_ms = vector_number(v, "issued_ms"),
        .not_after_ms = vector_number(v, "not_after_ms"),
        .witness = {.core = vector_id(v, "witness_core"),
                    .stream = vector_id(v, "witness_stream"),
                    .seq = vector_number(v, "witness_seq")},
    };
    const json_t *facts = json_object_get(v, "disabled");

    kw_copy(capsule.fingerprint, vector_hash(v, "fingerprint").bytes, KW_SHA256_LEN);
    kw_copy(capsule.body_hash, vector_hash(v, "body_hash").bytes, KW_SHA256_LEN);
    kw_copy(capsule.witness.head, vector_hash(v, "witness_head").bytes, KW_SHA256_LEN);
    for (size_t i = 0; i < json_array_size(facts); i++) {
        struct kw_fact fact;

        cr_assert(kw_ok(kw_fact_decode(vector_string(json_array_get(facts, i)), &fact, NULL)));
        cr_assert(kw_ok(kw_capsule_disabled_add(&capsule, disabled, &fact, NULL)));
    }
    return capsule;
}

Test(audit, capsules_are_the_vectors_bytes)
{
    VECTORS("capsules", i, v)
    {
        KW_SCOPED(kw_buf_done) struct kw_buf disabled = {0};
        KW_SCOPED(kw_buf_done) struct kw_buf record = {0};
        struct kw_capsule capsule = capsule_of(v, &disabled);

        cr_assert(kw_ok(kw_capsule_encode(&capsule, &record, NULL)));
        ASSERT_BYTES(kw_buf_bytes(&record), vector_bytes(v, "record"));
    }
}

Test(audit, envelopes_are_the_vectors_bytes_and_verify)
{
    VECTORS("envelopes", i, v)
    {
        KW_SCOPED(kw_buf_done) struct kw_buf record = {0};
        KW_SCOPED(kw_secret_done) struct kw_secret key = {0};
        struct kw_envelope envelope;
        struct kw_bytes expected = vector_bytes(v, "record");

        cr_assert(kw_ok(kw_envelope_decode(expected, &envelope, NULL)));
        cr_assert_eq(envelope.kind, vector_number(v, "kind"));
        cr_assert(kw_id_equal(envelope.device, vector_id(v, "device")));
        cr_assert(kw_id_equal(envelope.receipt, vector_id(v, "receipt")));
        cr_assert_eq(envelope.expires_ms, vector_number(v, "expires_ms"));
        cr_assert_eq(envelope.counter, vector_number(v, "counter"));
        cr_assert(kw_ok(kw_envelope_encode_prefix(&envelope, &record, NULL)));
        ASSERT_BYTES(kw_buf_bytes(&record), vector_bytes(v, "prefix"));
        cr_assert(kw_ok(kw_envelope_finish(&record, vector_bytes(v, "wrapped"),
                                           vector_bytes(v, "mac").data, NULL)));
        ASSERT_BYTES(kw_buf_bytes(&record), expected);
        cr_assert(kw_ok(kw_secret_copy(&key, vector_bytes(v, "mac_key"), NULL)));
        cr_assert(kw_ok(kw_envelope_verify(expected, &key, NULL)));
    }
}

static void add_items(const json_t *list, struct kw_receipt *receipt, struct kw_buf *items)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *v = json_array_get(list, i);
        struct kw_receipt_item item = {.key = vector_id(v, "key"),
                                       .device = vector_id(v, "device"),
                                       .outcome = vector_bytes(v, "outcome"),
                                       .result = vector_hash(v, "result")};

        cr_assert(kw_ok(kw_receipt_item_add(receipt, items, &item, NULL)));
    }
}

Test(audit, receipts_are_the_vectors_bytes_and_form_their_chain)
{
    const json_t *first = json_array_get(vectors("receipts"), 0);
    struct kw_chain chain = {.core = vector_id(first, "core"),
                             .stream = vector_id(first, "stream")};

    VECTORS("receipts", i, v)
    {
        KW_SCOPED(kw_buf_done) struct kw_buf items = {0};
        KW_SCOPED(kw_buf_done) struct kw_buf record = {0};
        struct kw_hash head = vector_hash(v, "head");
        struct kw_receipt receipt = {.id = vector_id(v, "id"),
                                     .time_ms = vector_number(v, "time_ms"),
                                     .region = vector_bytes(v, "region"),
                                     .cell = vector_bytes(v, "cell"),
                                     .capsule = vector_bytes(v, "capsule"),
                                     .signer = vector_bytes(v, "signer")};

        add_items(json_object_get(v, "items"), &receipt, &items);
        cr_assert(kw_ok(kw_chain_issue(&chain, &receipt, &record, NULL)));
        ASSERT_BYTES(kw_buf_bytes(&record), vector_bytes(v, "record"));
        cr_assert_eq(chain.seq, i + 1);
        ASSERT_BYTES(KW_BYTES_OF(chain.head.bytes), KW_BYTES_OF(head.bytes));
    }
}

Test(audit, receipts_give_back_their_items)
{
    const json_t *v = json_array_get(vectors("receipts"), 2);
    struct kw_receipt receipt;
    struct kw_receipt_item item;
    struct kw_reader items;

    cr_assert(kw_ok(kw_receipt_decode(vector_bytes(v, "record"), &receipt, NULL)));
    cr_assert_eq(receipt.item_count, 2);
    items = KW_READER(receipt.items);
    kw_receipt_item_next(&items, &item);
    ASSERT_BYTES(item.outcome, kw_bytes_str("KEY_STATE"));
    kw_receipt_item_next(&items, &item);
    cr_assert_eq(item.outcome.len, 0);
    cr_assert(kw_ok(kw_reader_end(&items, "items", NULL)));
}

Test(audit, checkpoints_are_the_vectors_bytes_and_verify)
{
    KW_SCOPED(kw_public_key_done) struct kw_public_key key = {0};

    cr_assert(
        kw_ok(kw_public_key_from_spki(&key, vector_string(vectors("checkpoint_spki")), NULL)));
    VECTORS("checkpoints", i, v)
    {
        KW_SCOPED(kw_buf_done) struct kw_buf record = {0};
        KW_SCOPED(kw_buf_done) struct kw_buf content = {0};
        struct kw_checkpoint checkpoint;
        struct kw_bytes signed_parts[2] = {kw_bytes_str("KEYWARD-CKPT-v1")};
        uint8_t digest[KW_SHA384_LEN];

        cr_assert(kw_ok(kw_checkpoint_decode(vector_bytes(v, "record"), &checkpoint, NULL)));
        cr_assert_eq(checkpoint.closed, i == 1);
        cr_assert_eq(checkpoint.seq, vector_number(v, "seq"));
        cr_assert(kw_ok(kw_checkpoint_content(&checkpoint, &content, NULL)));
        signed_parts[1] = kw_buf_bytes(&content);
        cr_assert(kw_ok(kw_sha384_list(signed_parts, 2, digest, NULL)));
        ASSERT_BYTES(KW_BYTES_OF(digest), vector_bytes(v, "digest"));
        cr_assert(kw_ok(kw_checkpoint_verify(&checkpoint, &key, NULL)));
        cr_assert(kw_ok(kw_checkpoint_encode(&checkpoint, &record, NULL)));
        ASSERT_BYTES(kw_buf_bytes(&record), vector_bytes(v, "record"));
    }
}

Test(audit, head_is_the_vectors_bytes)
{
    KW_SCOPED(kw_buf_done) struct kw_buf record = {0};
    const json_t *v = vectors("head");
    struct kw_witness witness;

    cr_assert(kw_ok(kw_head_decode(vector_bytes(v, "record"), &witness, NULL)));
    cr_assert_eq(witness.seq, vector_number(v, "seq"));
    ASSERT_BYTES(KW_BYTES_OF(witness.head), vector_bytes(v, "head"));
    cr_assert(kw_ok(kw_head_encode(&witness, &record, NULL)));
    ASSERT_BYTES(kw_buf_bytes(&record), vector_bytes(v, "record"));
    witness.seq = 0;
    cr_assert_eq(kw_head_encode(&witness, &record, NULL).reason, KW_E_ARGUMENT_INVALID);
}

static void certificate_key(const char *name, struct kw_public_key *key)
{
    KW_SCOPED(kw_certificate_done) struct kw_certificate certificate = {0};

    cr_assert(kw_ok(
        kw_certificate_from_der(&certificate, vector_bytes(vectors("certificates"), name), NULL)));
    cr_assert(kw_ok(kw_certificate_public_key(&certificate, key, NULL)));
}

Test(audit, invitations_are_the_vectors_bytes_and_verify)
{
    KW_SCOPED(kw_public_key_done) struct kw_public_key key = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf record = {0};
    const json_t *v = vectors("invitation");
    struct kw_invitation invitation;

    certificate_key("operator", &key);
    cr_assert(kw_ok(kw_invitation_decode(vector_bytes(v, "record"), &invitation, NULL)));
    ASSERT_BYTES(invitation.body, vector_bytes(v, "body"));
    cr_assert(kw_ok(kw_invitation_verify(&invitation, &key, NULL)));
    cr_assert(kw_ok(kw_invitation_encode(&invitation, &record, NULL)));
    ASSERT_BYTES(kw_buf_bytes(&record), vector_bytes(v, "record"));
}

Test(audit, an_invitation_with_another_body_or_operator_is_refused)
{
    KW_SCOPED(kw_public_key_done) struct kw_public_key key = {0};
    KW_SCOPED(kw_public_key_done) struct kw_public_key other = {0};
    struct kw_invitation invitation;

    certificate_key("operator", &key);
    certificate_key("authz", &other);
    cr_assert(kw_ok(
        kw_invitation_decode(vector_bytes(vectors("invitation"), "record"), &invitation, NULL)));
    cr_assert_eq(kw_invitation_verify(&invitation, &other, NULL).reason, KW_E_SIGNATURE_INVALID);
    invitation.body.len--;
    cr_assert_eq(kw_invitation_verify(&invitation, &key, NULL).reason, KW_E_SIGNATURE_INVALID);
}

/* ---- the caller's signature ---- */

static struct kw_signed_request signed_request(uint8_t body_hash[KW_SHA256_LEN])
{
    const json_t *v = vectors("request_signature");

    cr_assert(kw_ok(kw_sha256(vector_bytes(v, "body"), body_hash, NULL)));
    return (struct kw_signed_request){.method = vector_bytes(v, "method"),
                                      .request_id = vector_bytes(v, "request_id"),
                                      .body_hash = body_hash};
}

Test(request_signature, the_vector_verifies_and_nothing_else_does)
{
    KW_SCOPED(kw_public_key_done) struct kw_public_key key = {0};
    struct kw_bytes value = vector_bytes(vectors("request_signature"), "value");
    uint8_t body_hash[KW_SHA256_LEN];
    struct kw_signed_request request = signed_request(body_hash);
    struct kw_signed_request other = request;

    certificate_key("operator", &key);
    cr_assert(kw_ok(kw_request_signature_verify(&key, &request, value, NULL)));
    other.method.len--;
    cr_assert_eq(kw_request_signature_verify(&key, &other, value, NULL).reason,
                 KW_E_SIGNATURE_INVALID);
    other = request;
    other.request_id.len--;
    cr_assert_eq(kw_request_signature_verify(&key, &other, value, NULL).reason,
                 KW_E_SIGNATURE_INVALID);
    body_hash[0] ^= 1;
    cr_assert_eq(kw_request_signature_verify(&key, &request, value, NULL).reason,
                 KW_E_SIGNATURE_INVALID);
}

Test(request_signature, no_byte_of_the_value_can_change)
{
    KW_SCOPED(kw_public_key_done) struct kw_public_key key = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf value = {0};
    uint8_t body_hash[KW_SHA256_LEN];
    struct kw_signed_request request = signed_request(body_hash);

    certificate_key("operator", &key);
    cr_assert(
        kw_ok(kw_buf_append(&value, vector_bytes(vectors("request_signature"), "value"), NULL)));
    for (size_t i = 0; i < value.len; i++) {
        value.data[i] ^= 1;
        cr_assert_eq(kw_request_signature_verify(&key, &request, kw_buf_bytes(&value), NULL).reason,
                     KW_E_SIGNATURE_INVALID, "byte %zu", i);
        value.data[i] ^= 1;
    }
}

Test(request_signature, made_by_either_curve_it_is_fresh_for_five_minutes)
{
    enum kw_curve curves[] = {KW_CURVE_P256, KW_CURVE_P384};
    uint8_t body_hash[KW_SHA256_LEN];
    struct kw_signed_request request = signed_request(body_hash);
    const uint64_t now = VECTOR_TIME;
    const uint64_t ends = now + KW_REQUEST_SIGNATURE_AHEAD_MS;

    for (size_t i = 0; i < sizeof(curves) / sizeof(curves[0]); i++) {
        KW_SCOPED(kw_private_key_done) struct kw_private_key key = {0};
        KW_SCOPED(kw_public_key_done) struct kw_public_key public = {0};
        KW_SCOPED(kw_buf_done) struct kw_buf value = {0};
        struct kw_bytes v;

        cr_assert(kw_ok(kw_private_key_generate(&key, curves[i], NULL)));
        cr_assert(kw_ok(kw_private_key_public(&key, &public, NULL)));
        cr_assert(kw_ok(kw_request_signature_make(&key, &request, ends, &value, NULL)));
        v = kw_buf_bytes(&value);
        cr_assert(kw_ok(kw_request_signature_verify_fresh(&public, &request, v, now, NULL)));
        cr_assert(kw_ok(kw_request_signature_verify_fresh(&public, &request, v, ends, NULL)));
        cr_assert_eq(kw_request_signature_verify_fresh(&public, &request, v, now - 1, NULL).reason,
                     KW_E_SIGNATURE_INVALID);
        cr_assert_eq(kw_request_signature_verify_fresh(&public, &request, v, ends + 1, NULL).reason,
                     KW_E_SIGNATURE_INVALID);
    }
}

/* ---- damage ---- */

static bool reads_fact(struct kw_bytes record)
{
    struct kw_fact out;

    return kw_ok(kw_fact_decode(record, &out, NULL));
}

static bool reads_capsule(struct kw_bytes record)
{
    struct kw_capsule out;

    return kw_ok(kw_capsule_decode(record, &out, NULL));
}

static bool reads_sealed(struct kw_bytes record)
{
    struct kw_sealed out;

    return kw_ok(kw_sealed_decode(record, &out, NULL));
}

static bool reads_envelope(struct kw_bytes record)
{
    struct kw_envelope out;

    return kw_ok(kw_envelope_decode(record, &out, NULL));
}

static bool reads_receipt(struct kw_bytes record)
{
    struct kw_receipt out;

    return kw_ok(kw_receipt_decode(record, &out, NULL));
}

static bool reads_checkpoint(struct kw_bytes record)
{
    struct kw_checkpoint out;

    return kw_ok(kw_checkpoint_decode(record, &out, NULL));
}

static bool reads_head(struct kw_bytes record)
{
    struct kw_witness out;

    return kw_ok(kw_head_decode(record, &out, NULL));
}

static bool reads_invitation(struct kw_bytes record)
{
    struct kw_invitation out;

    return kw_ok(kw_invitation_decode(record, &out, NULL));
}

static bool reads_request_signature(struct kw_bytes record)
{
    struct kw_request_signature out;

    return kw_ok(kw_request_signature_decode(record, &out, NULL));
}

struct sample {
    const char *name;
    struct kw_bytes record;
    bool (*reads)(struct kw_bytes record);
};

enum {
    SAMPLES = 10
};

static void collect_samples(struct sample samples[SAMPLES])
{
    const json_t *sealed = json_object_get(vectors("sealed"), "records");
    const struct sample all[SAMPLES] = {
        {"fact", vector_record("facts", 3), reads_fact},
        {"capsule", vector_record("capsules", 0), reads_capsule},
        {"capsule with facts", vector_record("capsules", 1), reads_capsule},
        {"sealed", vector_string(json_array_get(sealed, 0)), reads_sealed},
        {"envelope", vector_record("envelopes", 0), reads_envelope},
        {"receipt", vector_record("receipts", 2), reads_receipt},
        {"checkpoint", vector_record("checkpoints", 0), reads_checkpoint},
        {"head", vector_bytes(vectors("head"), "record"), reads_head},
        {"invitation", vector_bytes(vectors("invitation"), "record"), reads_invitation},
        {"signature", vector_bytes(vectors("request_signature"), "value"), reads_request_signature},
    };

    memcpy(samples, all, sizeof(all));
}

/* Each prefix in memory of its own, so that reading on is found by the sanitizer. */
Test(audit, every_truncation_of_every_record_is_refused)
{
    struct sample samples[SAMPLES];

    collect_samples(samples);
    for (size_t i = 0; i < SAMPLES; i++) {
        cr_assert(samples[i].reads(samples[i].record), "%s", samples[i].name);
        for (size_t len = 0; len < samples[i].record.len; len++) {
            uint8_t *copy = malloc(len + 1);

            cr_assert_not_null(copy);
            kw_copy(copy + 1, samples[i].record.data, len);
            cr_assert_not(samples[i].reads(KW_BYTES(copy + 1, len)), "%s cut at %zu",
                          samples[i].name, len);
            free(copy);
        }
    }
}

Test(audit, trailing_bytes_and_other_letters_are_refused)
{
    struct sample samples[SAMPLES];

    collect_samples(samples);
    for (size_t i = 0; i < SAMPLES; i++) {
        KW_SCOPED(kw_buf_done) struct kw_buf longer = {0};

        cr_assert(kw_ok(kw_buf_append(&longer, samples[i].record, NULL)));
        cr_assert(kw_ok(kw_buf_append(&longer, KW_BYTES("", 1), NULL)));
        cr_assert_not(samples[i].reads(kw_buf_bytes(&longer)), "%s", samples[i].name);
        if (samples[i].reads == reads_request_signature) {
            continue; /* has no letters: it is a value, not a record */
        }
        longer.len--;
        longer.data[3] = '2';
        cr_assert_not(samples[i].reads(kw_buf_bytes(&longer)), "%s", samples[i].name);
    }
}

/* Whatever a reader accepts, it has read completely: another content never has the same encoding.
 */
Test(audit, a_damaged_capsule_is_refused_or_is_another_capsule)
{
    KW_SCOPED(kw_buf_done) struct kw_buf damaged = {0};

    cr_assert(kw_ok(kw_buf_append(&damaged, vector_record("capsules", 1), NULL)));
    for (size_t i = 0; i < damaged.len * 8; i++) {
        KW_SCOPED(kw_buf_done) struct kw_buf again = {0};
        struct kw_capsule capsule;

        damaged.data[i / 8] ^= (uint8_t)(1U << i % 8);
        if (kw_ok(kw_capsule_decode(kw_buf_bytes(&damaged), &capsule, NULL))) {
            cr_assert(kw_ok(kw_capsule_encode(&capsule, &again, NULL)));
            ASSERT_BYTES(kw_buf_bytes(&again), kw_buf_bytes(&damaged));
        }
        damaged.data[i / 8] ^= (uint8_t)(1U << i % 8);
    }
}

/* ---- what does not go together ---- */

Test(capsule, fields_that_do_not_go_together_are_refused)
{
    static char long_text[KW_SPIFFE_TEXT_SIZE];
    KW_SCOPED(kw_buf_done) struct kw_buf out = {0};
    struct kw_capsule wrong[9];

    memset(long_text, 'a', sizeof(long_text));
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        wrong[i] = world_capsule(1);
    }
    wrong[0].id = KW_ID_NONE;
    wrong[1].region = KW_BYTES_NONE;
    wrong[2].cell = KW_BYTES(long_text, KW_SPIFFE_SEGMENT_LEN_MAX + 1);
    wrong[3].caller = KW_BYTES_OF(long_text);
    wrong[4].scope = KW_SCOPE_BATCH;
    wrong[5].scope_id = wrong[5].id;
    wrong[6].scope = KW_SCOPE_END_;
    wrong[7].operation = KW_OPERATION_COUNT_;
    wrong[8].not_after_ms = wrong[8].issued_ms - 1;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        cr_assert_eq(kw_capsule_encode(&wrong[i], &out, NULL).reason, KW_E_ARGUMENT_INVALID, "%zu",
                     i);
    }
    cr_assert_eq(out.len, 0);
}

/* An enabling fact has a MAC elsewhere; in a capsule nothing vouches for it. */
Test(capsule, an_enabling_fact_in_the_list_is_refused)
{
    KW_SCOPED(kw_buf_done) struct kw_buf list = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf record = {0};
    struct kw_capsule capsule = world_capsule(1);
    struct kw_bytes lifted = vector_record("facts", 4);
    struct kw_writer w = KW_WRITER(&list);
    struct kw_fact fact;

    cr_assert(kw_ok(kw_fact_decode(lifted, &fact, NULL)));
    cr_assert_eq(kw_capsule_disabled_add(&capsule, &list, &fact, NULL).reason,
                 KW_E_ARGUMENT_INVALID);
    kw_put_var(&w, lifted);
    capsule.disabled = kw_buf_bytes(&list);
    capsule.disabled_count = 1;
    cr_assert_eq(kw_capsule_encode(&capsule, &record, NULL).reason, KW_E_ARGUMENT_INVALID);
}

Test(capsule, too_many_facts_are_an_error_and_the_list_stays_whole)
{
    KW_SCOPED(kw_buf_done) struct kw_buf list = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf record = {0};
    struct kw_capsule capsule = world_capsule(1);
    struct kw_result result = KW_OK;
    struct kw_fact fact;

    cr_assert(kw_ok(kw_fact_decode(vector_record("facts", 7), &fact, NULL)));
    while (kw_ok(result)) {
        result = kw_capsule_disabled_add(&capsule, &list, &fact, NULL);
    }
    cr_assert_eq(result.reason, KW_E_LIMIT_REACHED);
    cr_assert_eq(kw_capsule_encode(&capsule, &record, NULL).reason, KW_E_LIMIT_REACHED);
    cr_assert_eq(record.len, 0);
    capsule.disabled_count = 1;
    capsule.disabled.len /= list.len / (2 + vector_record("facts", 7).len);
    cr_assert(kw_ok(kw_capsule_encode(&capsule, &record, NULL)));
}

Test(capsule, its_facts_join_the_state_of_the_key_they_are_about)
{
    struct kw_id key = vector_id(json_array_get(vectors("facts"), 0), "key");
    struct kw_key_state state = {0};
    struct kw_key_state other = {0};
    struct kw_capsule capsule;

    cr_assert(kw_ok(kw_capsule_decode(vector_record("capsules", 1), &capsule, NULL)));
    cr_assert(kw_ok(kw_capsule_disabled_fold(&capsule, key, &state, NULL)));
    cr_assert(state.compromised && kw_state_suspended(&state));
    cr_assert(kw_ok(kw_capsule_disabled_fold(&capsule, (struct kw_id){{9}}, &other, NULL)));
    cr_assert_not(other.compromised || kw_state_suspended(&other));
}

Test(capsule, the_caller_is_an_actor)
{
    struct kw_capsule capsule = world_capsule(1);
    enum kw_actor actor;

    cr_assert(kw_ok(kw_capsule_actor(&capsule, &actor, NULL)));
    cr_assert_eq(actor, KW_ACTOR_PARTNER);
    capsule.caller = kw_bytes_str("spiffe://keyward.test/station/sta_aebagbafaydqqcikbmga2dqpca");
    cr_assert(kw_ok(kw_capsule_actor(&capsule, &actor, NULL)));
    cr_assert_eq(actor, KW_ACTOR_STATION);
    capsule.caller = kw_bytes_str("somebody");
    cr_assert_eq(kw_capsule_actor(&capsule, &actor, NULL).reason, KW_E_CAPSULE_INVALID);
}

/* The caller may retry what says nothing about the capsule; everything else is one refusal. */
Test(capsule, only_faults_of_the_capsule_are_called_so)
{
    struct kw_error inner = {0};
    struct kw_error err = {0};
    struct kw_result memory = KW_MAKE(&inner, MEMORY, "none left");

    cr_assert_eq(kw_record_refuse_capsule(memory, &inner, &err).reason, KW_E_MEMORY);
    cr_assert_str_eq(err.message, "none left");
    cr_assert_eq(kw_record_refuse_capsule(KW_MAKE(&inner, CRYPTO, "odd"), &inner, NULL).reason,
                 KW_E_CRYPTO);
    cr_assert_eq(
        kw_record_refuse_capsule(KW_MAKE(&inner, IDENTITY_INVALID, "who"), &inner, &err).reason,
        KW_E_CAPSULE_INVALID);
    cr_assert_str_eq(err.message, "who");
}

Test(envelope, no_byte_can_change)
{
    VECTORS("envelopes", n, v)
    {
        KW_SCOPED(kw_buf_done) struct kw_buf record = {0};
        KW_SCOPED(kw_secret_done) struct kw_secret key = {0};

        cr_assert(kw_ok(kw_secret_copy(&key, vector_bytes(v, "mac_key"), NULL)));
        cr_assert(kw_ok(kw_buf_append(&record, vector_bytes(v, "record"), NULL)));
        for (size_t i = 0; i < record.len; i++) {
            record.data[i] ^= 1;
            cr_assert_not(kw_ok(kw_envelope_verify(kw_buf_bytes(&record), &key, NULL)), "byte %zu",
                          i);
            record.data[i] ^= 1;
        }
    }
}

Test(envelope, another_key_does_not_verify_it)
{
    KW_SCOPED(kw_secret_done) struct kw_secret key = {0};

    cr_assert(kw_ok(kw_secret_init(&key, KW_AES256_LEN, NULL)));
    cr_assert_eq(kw_envelope_verify(vector_record("envelopes", 0), &key, NULL).reason,
                 KW_E_BINDING_INVALID);
}

Test(envelope, fields_that_do_not_go_together_are_refused)
{
    KW_SCOPED(kw_buf_done) struct kw_buf out = {0};
    struct kw_envelope good;
    struct kw_envelope wrong[5];

    cr_assert(kw_ok(kw_envelope_decode(vector_record("envelopes", 0), &good, NULL)));
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        wrong[i] = good;
    }
    wrong[0].suite = 2;
    wrong[1].kind = (enum kw_envelope_kind)3;
    wrong[2].counter = 1;
    wrong[3].region = KW_BYTES_NONE;
    wrong[4].expires_ms = good.issued_ms - 1;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        cr_assert_eq(kw_envelope_encode_prefix(&wrong[i], &out, NULL).reason,
                     KW_E_ARGUMENT_INVALID);
    }
}

Test(envelope, a_wrapped_key_of_another_length_does_not_complete_a_prefix)
{
    KW_SCOPED(kw_buf_done) struct kw_buf out = {0};
    uint8_t wrapped[KW_ENVELOPE_SESSION_WRAPPED_LEN] = {0};
    uint8_t mac[KW_CMAC_LEN] = {0};
    struct kw_envelope envelope;

    cr_assert_eq(kw_envelope_finish(&out, KW_BYTES_OF(wrapped), mac, NULL).reason,
                 KW_E_ARGUMENT_INVALID);
    cr_assert(kw_ok(kw_envelope_decode(vector_record("envelopes", 0), &envelope, NULL)));
    cr_assert(kw_ok(kw_envelope_encode_prefix(&envelope, &out, NULL)));
    cr_assert_eq(kw_envelope_finish(&out, KW_BYTES_OF(wrapped), mac, NULL).reason,
                 KW_E_ARGUMENT_INVALID);
}

Test(receipt, fields_that_do_not_go_together_are_refused)
{
    KW_SCOPED(kw_buf_done) struct kw_buf out = {0};
    struct kw_receipt good;
    struct kw_receipt wrong[6];

    cr_assert(kw_ok(kw_receipt_decode(vector_record("receipts", 0), &good, NULL)));
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        wrong[i] = good;
    }
    wrong[0].seq = 0;
    wrong[1].prev.bytes[0] = 1;
    wrong[2].region = KW_BYTES_NONE;
    wrong[3].capsule = KW_BYTES_NONE;
    wrong[4].signer = KW_BYTES_NONE;
    wrong[5].item_count++;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        cr_assert_eq(kw_receipt_encode(&wrong[i], &out, NULL).reason, KW_E_ARGUMENT_INVALID);
    }
    cr_assert_eq(out.len, 0);
}

Test(receipt, a_failed_item_has_no_result)
{
    KW_SCOPED(kw_buf_done) struct kw_buf items = {0};
    struct kw_receipt receipt = {0};
    struct kw_receipt_item item = {.outcome = kw_bytes_str("KEY_STATE"), .result = {{1}}};

    cr_assert_eq(kw_receipt_item_add(&receipt, &items, &item, NULL).reason, KW_E_ARGUMENT_INVALID);
    cr_assert_eq(receipt.item_count, 0);
}

Test(invitation, an_empty_field_is_refused)
{
    KW_SCOPED(kw_buf_done) struct kw_buf out = {0};
    struct kw_invitation invitation;

    cr_assert(kw_ok(
        kw_invitation_decode(vector_bytes(vectors("invitation"), "record"), &invitation, NULL)));
    invitation.certificate = KW_BYTES_NONE;
    cr_assert_eq(kw_invitation_encode(&invitation, &out, NULL).reason, KW_E_ARGUMENT_INVALID);
}

/* sdk/partner against the vectors, against the pen's side, and every refusal it names. */
#include "sdk/partner/keyward_partner.h"
#include "tests/unit/pen_test_support.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

enum {
    SEALED_MAX = 512
};

/* An envelope vector, and what its receiver expects. */
struct sample {
    struct pen_bytes record;
    struct pen_bytes transport_key;
    struct pen_bytes partner;
    struct pen_bytes device;
    struct kw_partner_expected expected;
};

static const json_t *formats(const char *name)
{
    static json_t *all;
    char path[1024];

    if (all == NULL) {
        (void)snprintf(path, sizeof(path), "%s/tests/vectors/formats.json", KW_SOURCE_DIR);
        all = json_load_file(path, 0, NULL);
        cr_assert(ne(ptr, all, NULL), "%s", path);
    }
    return json_object_get(all, name);
}

static void sample_load(struct sample *s, size_t index)
{
    const json_t *vector = json_array_get(formats("envelopes"), index);

    s->record = pen_hex(vector, "record");
    s->transport_key = pen_hex(vector, "transport_key");
    s->partner = pen_hex(vector, "partner");
    s->device = pen_hex(vector, "device");
    s->expected = (struct kw_partner_expected){
        .partner = s->partner.data,
        .device = s->device.data,
        .transport_version = pen_number(vector, "ptk_version"),
        .now_ms = (uint64_t)json_integer_value(json_object_get(vector, "issued_ms"))};
}

static enum kw_partner_result sample_open(const struct sample *s, struct kw_partner_envelope *ret)
{
    return kw_partner_envelope_open(s->record.data, s->record.size, s->transport_key.data,
                                    &s->expected, ret);
}

static enum kw_partner_result sample_refusal(const struct sample *s)
{
    static const struct kw_partner_envelope zero;
    struct kw_partner_envelope envelope = {0};
    enum kw_partner_result result = sample_open(s, &envelope);

    cr_assert_eq(memcmp(&envelope, &zero, sizeof(zero)), 0, "written on a refusal");
    return result;
}

/* ---- transport key ---- */

Test(partner_transport, proof_is_the_vectors)
{
    const json_t *vector = formats("transport_proof");
    uint8_t proof[KW_PARTNER_TAG_SIZE];

    cr_assert_eq(kw_partner_transport_proof(pen_hex(vector, "transport_key").data,
                                            pen_hex(vector, "nonce").data, proof),
                 KW_PARTNER_OK);
    pen_assert_bytes(proof, pen_hex(vector, "proof"));
}

/* ---- envelopes ---- */

Test(partner_envelope, released_key_is_the_vectors)
{
    const json_t *vector = json_array_get(formats("envelopes"), 0);
    struct kw_partner_envelope e;
    struct sample s;

    sample_load(&s, 0);
    cr_assert_eq(sample_open(&s, &e), KW_PARTNER_OK);
    pen_assert_bytes(e.partner_key, pen_hex(vector, "delivered"));
    pen_assert_bytes(e.key, pen_hex(vector, "key"));
    pen_assert_bytes(e.receipt, pen_hex(vector, "receipt"));
    cr_assert_eq(e.kind, KW_PARTNER_ENVELOPE_KEY);
    cr_assert_eq(e.epoch, pen_number(vector, "epoch"));
    cr_assert_str_eq(e.region, "eu-1");
    cr_assert_eq(e.issued_ms, s.expected.now_ms);
}

Test(partner_envelope, session_keys_are_the_vectors)
{
    const json_t *vector = json_array_get(formats("envelopes"), 1);
    struct pen_bytes delivered = pen_hex(vector, "delivered");
    struct kw_partner_envelope e;
    struct sample s;

    sample_load(&s, 1);
    cr_assert_eq(sample_open(&s, &e), KW_PARTNER_OK);
    cr_assert_eq(e.kind, KW_PARTNER_ENVELOPE_SESSION);
    cr_assert_eq(memcmp(e.session_keys.enc, delivered.data, 32), 0);
    cr_assert_eq(memcmp(e.session_keys.auth, delivered.data + 32, 32), 0);
    cr_assert_eq(memcmp(e.session_keys.salt, delivered.data + 64, 8), 0);
    cr_assert_eq(e.counter, pen_number(vector, "counter"));
    pen_assert_bytes(e.nonce_app, pen_hex(vector, "nonce_app"));
    pen_assert_bytes(e.nonce_pen, pen_hex(vector, "nonce_pen"));
}

Test(partner_envelope, no_byte_can_change)
{
    for (size_t index = 0; index < 2; index++) {
        struct sample s;

        sample_load(&s, index);
        for (size_t i = 0; i < s.record.size; i++) {
            s.record.data[i] ^= 1;
            cr_assert_neq(sample_refusal(&s), KW_PARTNER_OK, "byte %zu of envelope %zu", i, index);
            s.record.data[i] ^= 1;
        }
    }
}

Test(partner_envelope, no_other_length_is_read)
{
    struct sample s;
    size_t whole;

    sample_load(&s, 0);
    whole = s.record.size;
    for (s.record.size = 0; s.record.size < whole; s.record.size++) {
        cr_assert_eq(sample_refusal(&s), KW_PARTNER_E_FORMAT, "%zu bytes", s.record.size);
    }
    s.record.size = whole + 1;
    cr_assert_eq(sample_refusal(&s), KW_PARTNER_E_FORMAT);
}

Test(partner_envelope, of_others_is_refused)
{
    static const uint8_t other[KW_PARTNER_ID_SIZE] = {9};
    struct sample s;

    sample_load(&s, 0);
    s.expected.partner = other;
    cr_assert_eq(sample_refusal(&s), KW_PARTNER_E_OWNER);
    sample_load(&s, 0);
    s.expected.device = other;
    cr_assert_eq(sample_refusal(&s), KW_PARTNER_E_OWNER);
    sample_load(&s, 0);
    s.expected.transport_version++;
    cr_assert_eq(sample_refusal(&s), KW_PARTNER_E_OWNER);
}

Test(partner_envelope, expires)
{
    const json_t *vector = json_array_get(formats("envelopes"), 0);
    struct kw_partner_envelope e;
    struct sample s;

    sample_load(&s, 0);
    s.expected.now_ms = (uint64_t)json_integer_value(json_object_get(vector, "expires_ms"));
    cr_assert_eq(sample_open(&s, &e), KW_PARTNER_OK);
    s.expected.now_ms++;
    cr_assert_eq(sample_refusal(&s), KW_PARTNER_E_EXPIRED);
}

Test(partner_envelope, under_another_transport_key_is_refused)
{
    struct sample s;

    sample_load(&s, 0);
    s.transport_key.data[31] ^= 1;
    cr_assert_eq(sample_refusal(&s), KW_PARTNER_E_AUTHENTIC);
}

/* Offsets of docs/formats.md, with the region `eu-1`. */
Test(partner_envelope, refuses_what_it_does_not_know)
{
    static const struct {
        size_t at;
        uint8_t value;
        const char *what;
    } changes[] = {
        {3, '2', "another version"},   {5, 2, "another suite"},
        {6, 3, "another kind"},        {6, KW_PARTNER_ENVELOPE_SESSION, "session, 40 bytes"},
        {81, 0xff, "issued later"},    {96, 0xff, "a region that is too long"},
        {99, 0, "a NUL in a text"},    {102, 1, "a nonce where none belongs"},
        {118, 1, "the pen's nonce"},   {136, 1, "a counter where none belongs"},
        {138, 41, "41 wrapped bytes"},
    };

    for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        struct sample s;

        sample_load(&s, 0);
        s.record.data[changes[i].at] = changes[i].value;
        cr_assert_eq(sample_refusal(&s), KW_PARTNER_E_FORMAT, "%s", changes[i].what);
    }
}

/* ---- the handshake ---- */

/* The app's side of a handshake vector, up to M1. */
static void hello(struct kw_partner_session *session, const json_t *handshake)
{
    uint8_t m1[KW_PARTNER_M1_SIZE];

    kw_partner_hello(session, pen_hex(handshake, "partner_id").data, pen_number(handshake, "epoch"),
                     pen_hex(handshake, "nonce_app").data, m1);
    pen_assert_bytes(m1, pen_hex(handshake, "m1"));
}

static enum kw_partner_result answer(struct kw_partner_session *session, const json_t *handshake,
                                     struct pen_bytes m2, uint32_t counter_last)
{
    uint8_t m3[KW_PARTNER_M3_SIZE];
    enum kw_partner_result result = kw_partner_handshake(
        session, pen_hex(handshake, "partner_key").data, m2.data, m2.size, counter_last, m3);

    if (result == KW_PARTNER_OK) {
        pen_assert_bytes(m3, pen_hex(handshake, "m3"));
    }
    return result;
}

static void session_open(struct kw_partner_session *session)
{
    const json_t *handshake = pen_handshake(0);

    hello(session, handshake);
    cr_assert_eq(answer(session, handshake, pen_hex(handshake, "m2"), 0), KW_PARTNER_OK);
}

Test(partner_handshake, is_the_vectors)
{
    for (size_t i = 0; i < 2; i++) {
        const json_t *handshake = pen_handshake(i);
        struct kw_partner_session session;

        hello(&session, handshake);
        cr_assert_eq(answer(&session, handshake, pen_hex(handshake, "m2"), 0), KW_PARTNER_OK);
        cr_assert_eq(session.counter, pen_number(handshake, "session_counter"));
        pen_assert_bytes(session.keys.enc, pen_hex(handshake, "k_enc"));
        pen_assert_bytes(session.keys.auth, pen_hex(handshake, "k_auth"));
        pen_assert_bytes(session.keys.salt, pen_hex(handshake, "nonce_salt"));
    }
}

Test(partner_handshake, refuses_a_wrong_m2_and_takes_the_right_one_after_it)
{
    const json_t *handshake = pen_handshake(0);
    struct pen_bytes m2 = pen_hex(handshake, "m2");
    struct kw_partner_session session;

    hello(&session, handshake);
    for (size_t i = 0; i < m2.size; i++) {
        m2.data[i] ^= 1;
        cr_assert_eq(answer(&session, handshake, m2, 0), KW_PARTNER_E_AUTHENTIC, "byte %zu", i);
        m2.data[i] ^= 1;
    }
    cr_assert_eq(answer(&session, handshake, m2, 0), KW_PARTNER_OK);
}

Test(partner_handshake, refuses_a_counter_seen_before)
{
    const json_t *handshake = pen_handshake(0);
    uint32_t counter = pen_number(handshake, "session_counter");
    struct kw_partner_session session;

    hello(&session, handshake);
    cr_assert_eq(answer(&session, handshake, pen_hex(handshake, "m2"), counter),
                 KW_PARTNER_E_REPLAY);
    cr_assert_eq(answer(&session, handshake, pen_hex(handshake, "m2"), counter - 1), KW_PARTNER_OK);
}

Test(partner_handshake, comes_once_after_hello)
{
    const json_t *handshake = pen_handshake(0);
    struct pen_bytes m2 = pen_hex(handshake, "m2");
    struct kw_partner_session session = {0};

    cr_assert_eq(answer(&session, handshake, m2, 0), KW_PARTNER_E_FORMAT);
    hello(&session, handshake);
    m2.size--;
    cr_assert_eq(answer(&session, handshake, m2, 0), KW_PARTNER_E_FORMAT);
    m2.size++;
    cr_assert_eq(answer(&session, handshake, m2, 0), KW_PARTNER_OK);
    cr_assert_eq(answer(&session, handshake, m2, 0), KW_PARTNER_E_FORMAT);
}

/* An envelope of kind SESSION for handshake vector 0. */
static struct kw_partner_envelope derived(const json_t *handshake)
{
    struct kw_partner_envelope e = {.kind = KW_PARTNER_ENVELOPE_SESSION,
                                    .epoch = pen_number(handshake, "epoch"),
                                    .counter = pen_number(handshake, "session_counter")};

    memcpy(e.partner, pen_hex(handshake, "partner_id").data, sizeof(e.partner));
    memcpy(e.nonce_app, pen_hex(handshake, "nonce_app").data, sizeof(e.nonce_app));
    memcpy(e.nonce_pen, pen_hex(handshake, "nonce_pen").data, sizeof(e.nonce_pen));
    memcpy(e.session_keys.enc, pen_hex(handshake, "k_enc").data, 32);
    memcpy(e.session_keys.auth, pen_hex(handshake, "k_auth").data, 32);
    memcpy(e.session_keys.salt, pen_hex(handshake, "nonce_salt").data, 8);
    return e;
}

static enum kw_partner_result answer_derived(const struct kw_partner_envelope *envelope,
                                             uint32_t counter_last)
{
    const json_t *handshake = pen_handshake(0);
    struct pen_bytes m2 = pen_hex(handshake, "m2");
    struct kw_partner_session session;
    uint8_t m3[KW_PARTNER_M3_SIZE];
    enum kw_partner_result result;

    hello(&session, handshake);
    result = kw_partner_handshake_derived(&session, envelope, m2.data, m2.size, counter_last, m3);
    if (result == KW_PARTNER_OK) {
        pen_assert_bytes(m3, pen_hex(handshake, "m3"));
    }
    return result;
}

Test(partner_handshake, with_derived_keys_gives_the_same_m3)
{
    struct kw_partner_envelope e = derived(pen_handshake(0));

    cr_assert_eq(answer_derived(&e, 0), KW_PARTNER_OK);
    cr_assert_eq(answer_derived(&e, e.counter), KW_PARTNER_E_REPLAY);
    e.session_keys.auth[0] ^= 1;
    cr_assert_eq(answer_derived(&e, 0), KW_PARTNER_E_AUTHENTIC);
}

Test(partner_handshake, refuses_keys_of_another_session)
{
    const struct kw_partner_envelope good = derived(pen_handshake(0));
    struct kw_partner_envelope e = good;

    e.kind = KW_PARTNER_ENVELOPE_KEY;
    cr_assert_eq(answer_derived(&e, 0), KW_PARTNER_E_OWNER);
    e = good;
    e.counter++;
    cr_assert_eq(answer_derived(&e, 0), KW_PARTNER_E_OWNER);
    e = good;
    e.nonce_app[0] ^= 1;
    cr_assert_eq(answer_derived(&e, 0), KW_PARTNER_E_OWNER);
    e = good;
    e.nonce_pen[15] ^= 1;
    cr_assert_eq(answer_derived(&e, 0), KW_PARTNER_E_OWNER);
    e = good;
    e.partner[3] ^= 1;
    cr_assert_eq(answer_derived(&e, 0), KW_PARTNER_E_OWNER);
    e = good;
    e.epoch++;
    cr_assert_eq(answer_derived(&e, 0), KW_PARTNER_E_OWNER);
}

/* ---- records ---- */

static const json_t *dose_vector(size_t index)
{
    return json_array_get(json_object_get(pen_vectors("pen.json"), "doses"), index);
}

static enum kw_partner_result dose_open(struct kw_partner_session *session, struct pen_bytes record)
{
    struct kw_partner_dose dose;

    return kw_partner_dose_open(session, record.data, record.size, &dose);
}

Test(partner_record, doses_are_the_vectors)
{
    struct kw_partner_session session;

    session_open(&session);
    for (size_t i = 0; i < 4; i++) {
        const json_t *vector = dose_vector(i);
        struct pen_bytes record = pen_hex(vector, "record");
        struct kw_partner_dose dose;

        cr_assert_eq(kw_partner_dose_open(&session, record.data, record.size, &dose),
                     KW_PARTNER_OK);
        cr_assert_eq(dose.time_s, pen_number(vector, "time_s"));
        cr_assert_eq(dose.units_x100, pen_number(vector, "units_x100"));
        cr_assert_eq(dose.type, pen_number(vector, "type"));
        cr_assert_eq(dose.flags, pen_number(vector, "flags"));
        cr_assert_eq(dose.number, pen_number(vector, "number"));
    }
}

Test(partner_record, no_byte_of_a_dose_can_change)
{
    struct pen_bytes record = pen_hex(dose_vector(0), "record");
    struct kw_partner_session session;

    session_open(&session);
    for (size_t i = 0; i < record.size; i++) {
        record.data[i] ^= 0x40;
        cr_assert_neq(dose_open(&session, record), KW_PARTNER_OK, "byte %zu", i);
        record.data[i] ^= 0x40;
    }
    record.data[record.size - 1] ^= 1;
    cr_assert_eq(dose_open(&session, record), KW_PARTNER_E_AUTHENTIC);
    record.data[record.size - 1] ^= 1;
    cr_assert_eq(dose_open(&session, record), KW_PARTNER_OK, "a refusal changes nothing");
}

Test(partner_record, each_dose_comes_once_and_in_order)
{
    struct kw_partner_session session;

    session_open(&session);
    cr_assert_eq(dose_open(&session, pen_hex(dose_vector(1), "record")), KW_PARTNER_E_GAP);
    cr_assert_eq(dose_open(&session, pen_hex(dose_vector(0), "record")), KW_PARTNER_OK);
    cr_assert_eq(dose_open(&session, pen_hex(dose_vector(0), "record")), KW_PARTNER_E_REPLAY);
    cr_assert_eq(dose_open(&session, pen_hex(dose_vector(1), "record")), KW_PARTNER_OK);
}

Test(partner_record, refuses_what_is_no_dose_of_this_session)
{
    struct pen_bytes record = pen_hex(dose_vector(0), "record");
    struct pen_bytes ack =
        pen_hex(json_array_get(
                    json_object_get(json_object_get(pen_vectors("pen.json"), "acks"), "good"), 0),
                "record");
    struct kw_partner_session session = {0};

    cr_assert_eq(dose_open(&session, record), KW_PARTNER_E_FORMAT, "no session");
    session_open(&session);
    cr_assert_eq(dose_open(&session, ack), KW_PARTNER_E_FORMAT, "our own record");
    record.size--;
    cr_assert_eq(dose_open(&session, record), KW_PARTNER_E_FORMAT, "short");
    record.size++;
    record.data[1] = 'A';
    cr_assert_eq(dose_open(&session, record), KW_PARTNER_E_FORMAT, "direction");
    record.data[1] = 'P';
    memset(record.data + 4, 0, 4);
    cr_assert_eq(dose_open(&session, record), KW_PARTNER_E_REPLAY, "sequence 0");
}

/* A dose with these bytes, authentic: only the rule under test can refuse it. */
static struct pen_bytes sealed_dose(const struct kw_partner_session *session, uint32_t sequence,
                                    uint8_t type, uint8_t flags, uint8_t number)
{
    const uint8_t plain[12] = {0, 0, 0, 1, 0, 100, type, flags, 0, 0, 0, number};
    struct pen_bytes record = {.data = {1, 'P', 0, 12}, .size = KW_PARTNER_DOSE_RECORD_SIZE};
    uint8_t nonce[KW_PEN_CCM_NONCE_SIZE];
    struct kw_pen_ccm ccm = {&pen_aes, session->keys.enc, nonce, record.data, 8};

    record.data[5] = (uint8_t)(sequence >> 16);
    record.data[6] = (uint8_t)(sequence >> 8);
    record.data[7] = (uint8_t)sequence;
    memcpy(nonce, session->keys.salt, 8);
    nonce[8] = 'P';
    memcpy(nonce + 9, record.data + 4, 4);
    cr_assert_eq(kw_pen_ccm_seal(&ccm, plain, 12, record.data + 8, record.data + 20), KW_PEN_OK);
    return record;
}

Test(partner_record, refuses_authentic_doses_that_say_what_it_does_not_know)
{
    struct kw_partner_session s;

    session_open(&s);
    cr_assert_eq(dose_open(&s, sealed_dose(&s, 1, 0, 0, 1)), KW_PARTNER_E_FORMAT, "type 0");
    cr_assert_eq(dose_open(&s, sealed_dose(&s, 1, 4, 0, 1)), KW_PARTNER_E_FORMAT, "type 4");
    cr_assert_eq(dose_open(&s, sealed_dose(&s, 1, 1, 8, 1)), KW_PARTNER_E_FORMAT, "flag 8");
    cr_assert_eq(dose_open(&s, sealed_dose(&s, 1, 1, 0, 0)), KW_PARTNER_E_FORMAT, "number 0");
    cr_assert_eq(dose_open(&s, sealed_dose(&s, 1, 1, 7, 1)), KW_PARTNER_OK);
}

Test(partner_record, ends_with_the_last_number)
{
    struct kw_partner_session s;

    session_open(&s);
    s.received = KW_PARTNER_RECORDS_MAX - 1;
    cr_assert_eq(dose_open(&s, sealed_dose(&s, KW_PARTNER_RECORDS_MAX, 1, 0, 1)), KW_PARTNER_OK);
    cr_assert_eq(dose_open(&s, sealed_dose(&s, KW_PARTNER_RECORDS_MAX + 1, 1, 0, 1)),
                 KW_PARTNER_E_LIMIT);
}

Test(partner_record, acknowledgements_are_the_vectors)
{
    const json_t *good = json_object_get(json_object_get(pen_vectors("pen.json"), "acks"), "good");
    struct kw_partner_session session;
    uint8_t record[KW_PARTNER_ACK_RECORD_SIZE];

    session_open(&session);
    for (size_t i = 0; i < json_array_size(good); i++) {
        const json_t *vector = json_array_get(good, i);

        session.received = pen_number(vector, "last");
        cr_assert_eq(kw_partner_ack_seal(&session, record), KW_PARTNER_OK);
        pen_assert_bytes(record, pen_hex(vector, "record"));
    }
}

Test(partner_record, acknowledges_only_in_a_session_that_has_numbers_left)
{
    struct kw_partner_session session = {0};
    uint8_t record[KW_PARTNER_ACK_RECORD_SIZE];

    cr_assert_eq(kw_partner_ack_seal(&session, record), KW_PARTNER_E_FORMAT);
    session_open(&session);
    session.sent = KW_PARTNER_RECORDS_MAX;
    cr_assert_eq(kw_partner_ack_seal(&session, record), KW_PARTNER_E_LIMIT);
}

/* ---- both sides ---- */

Test(partner_interop, the_pen_understands_us)
{
    const json_t *handshake = pen_handshake(1);
    struct kw_pen_device device = pen_device(handshake);
    struct kw_pen_session pen = {0};
    struct kw_partner_session app;
    const struct kw_pen_dose dose = {1767225600, 250, KW_PEN_DOSE_INJECTED, KW_PEN_DOSE_FLAG_LAST,
                                     1};
    struct kw_partner_dose got;
    uint8_t record[KW_PEN_DOSE_RECORD_SIZE];
    uint8_t ack[KW_PARTNER_ACK_RECORD_SIZE];
    uint32_t acknowledged = 0;

    hello(&app, handshake);
    pen_session_open(&pen, &device, handshake);
    cr_assert_eq(answer(&app, handshake, pen_hex(handshake, "m2"), 0), KW_PARTNER_OK);
    cr_assert_eq(kw_pen_dose_seal(&pen, &dose, record), KW_PEN_OK);
    cr_assert_eq(kw_partner_dose_open(&app, record, sizeof(record), &got), KW_PARTNER_OK);
    cr_assert_eq(got.units_x100, 250);
    cr_assert_eq(kw_partner_ack_seal(&app, ack), KW_PARTNER_OK);
    cr_assert_eq(kw_pen_ack_open(&pen, ack, sizeof(ack), &acknowledged), KW_PEN_OK);
    cr_assert_eq(acknowledged, 1);
    kw_pen_session_close(&pen);
}

/* Records between regions: requests (KWQ1), carried keys (KWT1), sets (KWG1), answers (KWA1), and the ceremony's blob
 * (KWB1). Signatures cost nothing here, so that what comes after them is reached: one counts unless its last byte is
 * 0xee; the root certified every CA. What is accepted encodes to the very bytes it came from. Nobody's blob opens.
 *
 * Input: which of them u8, in this order ‖ the record. A blob gets the recovery key's digest, that of the honest. */
#include "common/base/codec.h"
#include "services/cryptocore/region/answer.h"
#include "services/cryptocore/region/carried.h"
#include "tests/fuzz/fuzz.h"

#include <fcntl.h>

#define BAD           0xee
#define DOMAIN        "keyward.test"
#define BLOB_RECOVERY 4 /* where its digest is */

/* The linker puts these before the real ones (--wrap). */
struct kw_result __wrap_kw_ecdsa_verify(const struct kw_public_key *key, struct kw_bytes message,
                                        struct kw_bytes signature, struct kw_error *err);
struct kw_result __wrap_kw_certificate_issued_ca(const struct kw_certificate *ca,
                                                 const struct kw_certificate *root,
                                                 struct kw_error *err);

struct kw_result __wrap_kw_ecdsa_verify(const struct kw_public_key *key, struct kw_bytes message,
                                        struct kw_bytes signature, struct kw_error *err)
{
    KW_FUZZ_CHECK(key->evp != NULL && message.len > strlen("KEYWARD-"));
    KW_ENSURE(signature.len > 0 && signature.data[signature.len - 1] != BAD, err, SIGNATURE_INVALID,
              "a bad one");
    return KW_OK;
}

struct kw_result __wrap_kw_certificate_issued_ca(const struct kw_certificate *ca,
                                                 const struct kw_certificate *root,
                                                 struct kw_error *err)
{
    (void)err;
    KW_FUZZ_CHECK(ca->x509 != NULL && root->x509 != NULL);
    return KW_OK;
}

static struct kw_certificate root;
static struct kw_private_key recovery;
static uint8_t recovery_digest[KW_SHA256_LEN];

static void set_up(void)
{
    struct kw_buf pem = kw_fuzz_load("keys/stranger.pem");
    KW_SCOPED(kw_public_key_done) struct kw_public_key public = {0};
    struct kw_spki spki;

    KW_FUZZ_MUST(kw_certificate_from_pem(&root, kw_buf_bytes(&pem), NULL));
    KW_FUZZ_MUST(kw_private_key_generate(&recovery, KW_CURVE_P384, NULL));
    KW_FUZZ_MUST(kw_private_key_public(&recovery, &public, NULL));
    KW_FUZZ_MUST(kw_public_key_spki(&public, &spki, NULL));
    KW_FUZZ_MUST(kw_sha256(kw_spki_bytes(&spki), recovery_digest, NULL));
    kw_buf_done(&pem);
}

/* The rest of a record, behind what was encoded anew, is taken as it is: signatures. */
static void begins_with(const struct kw_buf *again, struct kw_bytes record)
{
    KW_FUZZ_CHECK(again->len <= record.len &&
                  kw_bytes_equal(kw_buf_bytes(again), KW_BYTES(record.data, again->len)));
}

static void request(struct kw_bytes record)
{
    KW_SCOPED(kw_buf_done) struct kw_buf again = {0};
    struct kw_writer w = KW_WRITER(&again);
    struct kw_region_request read;
    struct kw_error err = {0};

    if (!kw_fuzz_accepted(kw_region_request_read(record, &read, &err), &err)) {
        return;
    }
    kw_put_raw(&w, kw_bytes_str("KWQ1"));
    kw_put_raw(&w, kw_id_bytes(&read.nonce));
    kw_put_u64(&w, read.time_ms);
    kw_put_str(&w, read.trust_domain);
    kw_put_str(&w, read.region);
    kw_put_str(&w, read.token.label);
    kw_put_str(&w, read.token.maker);
    kw_put_str(&w, read.token.model);
    kw_put_str(&w, read.token.serial);
    kw_put_u16(&w, KW_REGION_KEYS);
    for (size_t i = 0; i < KW_REGION_KEYS; i++) {
        kw_put_var(&w, read.keys[i]);
    }
    begins_with(&again, record);
}

static void carried(struct kw_bytes record)
{
    static const uint8_t digest[KW_SHA256_LEN] = {1};
    KW_SCOPED(kw_buf_done) struct kw_buf again = {0};
    struct kw_hsm_carried read;
    struct kw_error err = {0};

    if (kw_fuzz_accepted(kw_region_carried_read(record, digest, &read, &err), &err)) {
        KW_FUZZ_MUST(kw_region_carried_write(&read, digest, &again, NULL));
        KW_FUZZ_CHECK(kw_bytes_equal(kw_buf_bytes(&again), record));
    }
}

static void set(struct kw_bytes record)
{
    KW_SCOPED(kw_buf_done) struct kw_buf again = {0};
    struct kw_writer w = KW_WRITER(&again);
    static struct kw_region_set read;
    struct kw_error err = {0};

    if (!kw_fuzz_accepted(kw_region_set_read(record, &root, DOMAIN, &read, &err), &err)) {
        return;
    }
    kw_put_raw(&w, kw_bytes_str("KWG1"));
    kw_put_str(&w, DOMAIN);
    kw_put_u64(&w, read.version);
    kw_put_u16(&w, (uint16_t)read.count);
    for (size_t i = 0; i < read.count; i++) {
        KW_FUZZ_CHECK(kw_region_set_find(&read, read.rows[i].region) == &read.rows[i]);
        kw_put_str(&w, read.rows[i].region);
        kw_put_var(&w, read.rows[i].checkpoint);
        for (size_t ca = 0; ca < KW_CORE_CA_COUNT; ca++) {
            kw_put_var(&w, read.rows[i].cas[ca]);
        }
    }
    begins_with(&again, record);
}

static void answer(struct kw_bytes record)
{
    const struct kw_region_request asked = {.digest = {1}};
    KW_SCOPED(kw_buf_done) struct kw_buf again = {0};
    struct kw_writer w = KW_WRITER(&again);
    struct kw_region_answer read;
    struct kw_error err = {0};

    if (!kw_fuzz_accepted(kw_region_answer_read(record, &root, &asked, &read, &err), &err)) {
        return;
    }
    kw_put_raw(&w, kw_bytes_str("KWA1"));
    kw_put_raw(&w, KW_BYTES_OF(read.request_digest));
    kw_put_u64(&w, read.time_ms);
    kw_put_var(&w, read.approval);
    kw_put_var(&w, read.set);
    kw_put_var(&w, read.carried);
    kw_put_u16(&w, (uint16_t)read.officer_count);
    for (size_t i = 0; i < read.officer_count; i++) {
        kw_put_var(&w, read.officers[i]);
    }
    begins_with(&again, record);
}

static void blob(struct kw_bytes record)
{
    KW_SCOPED(kw_buf_done) struct kw_buf own = {0};
    KW_SCOPED(kw_public_key_done) struct kw_public_key carrier = {0};
    struct kw_hsm_carried made;
    struct kw_error err = {0};

    KW_FUZZ_MUST(kw_buf_append(&own, record, NULL));
    if (own.len >= BLOB_RECOVERY + KW_SHA256_LEN) {
        kw_copy(own.data + BLOB_RECOVERY, recovery_digest, KW_SHA256_LEN);
    }
    KW_FUZZ_MUST(kw_private_key_public(&recovery, &carrier, NULL));
    KW_FUZZ_CHECK(!kw_fuzz_accepted(
        kw_hsm_carry(&recovery, kw_buf_bytes(&own), &carrier, KW_BYTES_NONE, &made, &err), &err));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const kinds[])(struct kw_bytes record) = {request, carried, set, answer, blob};
    struct kw_fuzz_input input = KW_FUZZ_INPUT(data, size);
    size_t kind = kw_fuzz_u8(&input) % (sizeof(kinds) / sizeof(kinds[0]));

    if (root.x509 == NULL) {
        set_up();
    }
    kinds[kind](input.rest);
    return 0;
}

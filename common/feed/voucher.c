/* The record KWV1: its parts, being made, being read. */
#include "common/feed/voucher.h"

#include "common/feed/lane_codec.h"
#include "common/pki/x509.h"
#include "common/sync/grow_set.h"

#include <limits.h>

#define MAGIC       "KWV1"
#define STORE_LABEL "KEYWARD-STORE-v1"
#define MS_MAX      ((uint64_t)INT64_MAX >> 16) /* such that it is a reading of the hybrid clock */

/* --- whose it is --- */

static struct kw_result store_of(struct kw_voucher *voucher, struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf message = {0};
    struct kw_writer w = KW_WRITER(&message);
    uint8_t digest[KW_SHA256_LEN];

    kw_put_raw(&w, kw_bytes_str(STORE_LABEL));
    kw_put_raw(&w, kw_id_bytes(&voucher->mesh));
    kw_put_var(&w, voucher->region);
    kw_put_var(&w, voucher->cell);
    kw_put_var(&w, voucher->service);
    kw_put_raw(&w, kw_id_bytes(&voucher->seed));
    KW_TRY(kw_writer_end(&w, err));
    KW_TRY(kw_sha256(kw_buf_bytes(&message), digest, err));
    kw_copy(voucher->store.bytes, digest, KW_ID_LEN);
    return KW_OK;
}

static void set_place(struct kw_voucher *voucher, const struct kw_spiffe *service)
{
    voucher->region = kw_bytes_str(service->region);
    voucher->cell = kw_bytes_str(service->cell);
    voucher->service = kw_bytes_str(service->service);
}

struct kw_result kw_voucher_store(struct kw_id mesh, const struct kw_spiffe *service,
                                  struct kw_id seed, struct kw_id *ret_store, struct kw_error *err)
{
    struct kw_voucher voucher = {.mesh = mesh, .seed = seed};

    set_place(&voucher, service);
    KW_TRY(store_of(&voucher, err));
    *ret_store = voucher.store;
    return KW_OK;
}

/* --- writing --- */

static struct kw_result content_of(const struct kw_voucher *voucher, struct kw_buf *out,
                                   struct kw_error *err)
{
    struct kw_writer w = KW_WRITER(out);

    kw_put_raw(&w, kw_bytes_str(KW_VOUCHER_LABEL));
    kw_put_raw(&w, kw_bytes_str(MAGIC));
    kw_put_raw(&w, kw_id_bytes(&voucher->mesh));
    kw_put_raw(&w, kw_id_bytes(&voucher->seed));
    kw_put_var(&w, voucher->region);
    kw_put_var(&w, voucher->cell);
    kw_put_var(&w, voucher->service);
    kw_put_raw(&w, kw_id_bytes(&voucher->incarnation));
    kw_put_var(&w, voucher->key);
    kw_put_var(&w, voucher->signers);
    kw_put_var(&w, voucher->lives);
    kw_put_var(&w, voucher->settled);
    kw_put_u64(&w, voucher->issued_ms);
    kw_put_u8(&w, (uint8_t)voucher->chain_count);
    for (size_t i = 0; i < voucher->chain_count; i++) {
        kw_put_var(&w, voucher->chain[i]);
    }
    return kw_writer_end(&w, err);
}

/* Its certificates, one after another in `der`. */
static struct kw_result read_chain(const struct kw_credentials *credentials, struct kw_buf *der,
                                   struct kw_voucher *voucher, struct kw_error *err)
{
    KW_SCOPED(kw_openssl_bio_done) BIO *pem = NULL;
    size_t ends[KW_VOUCHER_CHAIN_MAX + 1] = {0};
    size_t count = 0;

    KW_ENSURE(credentials->cert_pem.len <= INT_MAX, err, ARGUMENT_INVALID, "a chain too long");
    pem = BIO_new_mem_buf(credentials->cert_pem.data, (int)credentials->cert_pem.len);
    KW_ENSURE(pem != NULL, err, MEMORY, "a chain");
    while (true) {
        KW_SCOPED(kw_certificate_done) struct kw_certificate next = {0};

        KW_TRY(kw_x509_pem_next(pem, &next, err));
        if (next.x509 == NULL) {
            break;
        }
        KW_ENSURE(count < KW_VOUCHER_CHAIN_MAX, err, ARGUMENT_INVALID,
                  "a chain of more than %d certificates", KW_VOUCHER_CHAIN_MAX);
        KW_TRY(kw_certificate_to_der(&next, der, err));
        ends[++count] = der->len;
    }
    for (size_t i = 0; i < count; i++) {
        voucher->chain[i] = KW_BYTES(der->data + ends[i], ends[i + 1] - ends[i]);
    }
    voucher->chain_count = count;
    return KW_OK;
}

static struct kw_result sign(const struct kw_voucher *voucher, const struct kw_private_key *key,
                             struct kw_buf *out, struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf record = {0};
    struct kw_writer w = KW_WRITER(&record);
    struct kw_signature signature;
    struct kw_voucher again;
    struct kw_bytes read;
    struct kw_error why;

    KW_ENSURE(kw_voucher_check_key(voucher, &why).reason != KW_E_ENCODING_INVALID, err,
              ARGUMENT_INVALID, "%s", why.message);
    KW_TRY(content_of(voucher, &record, err));
    KW_TRY(kw_ecdsa_sign(key, kw_buf_bytes(&record), &signature, err));
    kw_put_var(&w, kw_signature_bytes(&signature));
    KW_TRY(kw_writer_end(&w, err));
    read = KW_BYTES(record.data + strlen(KW_VOUCHER_LABEL), record.len - strlen(KW_VOUCHER_LABEL));
    KW_ENSURE(kw_voucher_decode(read, &again, &why).reason != KW_E_ENCODING_INVALID, err,
              ARGUMENT_INVALID, "%s", why.message);
    return kw_buf_append(out, read, err);
}

static struct kw_result with_element(struct kw_bytes set, struct kw_bytes element,
                                     struct kw_arena *arena, struct kw_bytes *ret_set,
                                     struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf one = {0};
    struct kw_writer w = KW_WRITER(&one);
    struct kw_bytes kept;

    kw_put_set_element(&w, element);
    KW_TRY(kw_writer_end(&w, err));
    KW_TRY(kw_arena_copy(arena, kw_buf_bytes(&one), &kept, err));
    KW_TRY(kw_set_join(set, kept, KW_SET_ELEMENTS_MAX, arena, ret_set, err));
    KW_ENSURE(kw_set_has(*ret_set, element), err, LIMIT_REACHED,
              "a voucher with more than %u keys or lives", KW_SET_ELEMENTS_MAX);
    return KW_OK;
}

static struct kw_result set_past(const struct kw_voucher_plan *plan, struct kw_arena *arena,
                                 struct kw_voucher *voucher, struct kw_error *err)
{
    uint8_t signer[KW_SHA256_LEN];

    KW_TRY(kw_sha256(voucher->key, signer, err));
    KW_TRY(with_element(plan->signers, KW_BYTES_OF(signer), arena, &voucher->signers, err));
    KW_TRY(
        with_element(plan->lives, kw_id_bytes(&voucher->incarnation), arena, &voucher->lives, err));
    voucher->settled = plan->settled;
    return KW_OK;
}

static struct kw_result make(const struct kw_voucher_plan *plan,
                             const struct kw_credentials *credentials, struct kw_arena *arena,
                             struct kw_buf *out, struct kw_error *err)
{
    const struct kw_voucher_trust *trust = plan->trust;
    KW_SCOPED(kw_buf_done) struct kw_buf chain = {0};
    struct kw_voucher voucher = {.mesh = plan->mesh,
                                 .seed = plan->seed,
                                 .incarnation = plan->incarnation,
                                 .key = kw_spki_bytes(&trust->key),
                                 .issued_ms = plan->issued_ms};
    struct kw_spiffe certified;

    KW_TRY(kw_certificate_identity(&credentials->leaf, trust->self.trust_domain, &certified, err));
    KW_ENSURE(kw_spiffe_equal(&certified, &trust->self), err, IDENTITY_INVALID,
              "the certificate is another service's");
    set_place(&voucher, &certified);
    KW_TRY(set_past(plan, arena, &voucher, err));
    KW_TRY(read_chain(credentials, &chain, &voucher, err));
    return sign(&voucher, &credentials->key, out, err);
}

struct kw_result kw_voucher_make(const struct kw_voucher_plan *plan,
                                 const struct kw_credentials *credentials, struct kw_buf *out,
                                 struct kw_error *err)
{
    struct kw_arena *arena = kw_arena_new(KW_VOUCHER_LEN_MAX);
    struct kw_result made;

    KW_ENSURE(arena != NULL, err, MEMORY, "an arena for a voucher");
    made = make(plan, credentials, arena, out, err);
    kw_arena_free(arena);
    return made;
}

/* --- reading --- */

static struct kw_bytes get_within(struct kw_reader *r, size_t max)
{
    struct kw_bytes bytes = kw_get_var(r);

    if (bytes.len == 0 || bytes.len > max) {
        r->failed = true;
    }
    return bytes;
}

static void get_chain(struct kw_reader *r, struct kw_voucher *voucher)
{
    voucher->chain_count = kw_get_u8(r);
    if (voucher->chain_count == 0 || voucher->chain_count > KW_VOUCHER_CHAIN_MAX) {
        r->failed = true;
        return;
    }
    for (size_t i = 0; i < voucher->chain_count; i++) {
        voucher->chain[i] = get_within(r, KW_VOUCHER_LEN_MAX);
    }
}

/* Fails where it has a NUL, too. */
static bool text_of(struct kw_bytes name, char text[KW_SPIFFE_SEGMENT_LEN_MAX + 1])
{
    if (name.len > KW_SPIFFE_SEGMENT_LEN_MAX || memchr(name.data, '\0', name.len) != NULL) {
        return false;
    }
    kw_copy(text, name.data, name.len);
    text[name.len] = '\0';
    return true;
}

struct kw_result kw_voucher_place(const struct kw_voucher *voucher, const char *trust_domain,
                                  struct kw_spiffe *ret_service, struct kw_error *err)
{
    char region[KW_SPIFFE_SEGMENT_LEN_MAX + 1];
    char cell[KW_SPIFFE_SEGMENT_LEN_MAX + 1];
    char service[KW_SPIFFE_SEGMENT_LEN_MAX + 1];

    KW_ENSURE(text_of(voucher->region, region) && text_of(voucher->cell, cell) &&
                  text_of(voucher->service, service) &&
                  kw_ok(kw_spiffe_service(trust_domain, region, cell, service, ret_service, err)),
              err, ENCODING_INVALID, "voucher: a place that is none");
    return KW_OK;
}

struct kw_result kw_voucher_check_key(const struct kw_voucher *voucher, struct kw_error *err)
{
    KW_SCOPED(kw_public_key_done) struct kw_public_key key = {0};
    struct kw_result read = kw_public_key_from_spki(&key, voucher->key, err);

    KW_ENSURE(read.reason != KW_E_ARGUMENT_INVALID, err, ENCODING_INVALID,
              "voucher: a lanes' key that is none");
    KW_TRY(read);
    KW_ENSURE(key.curve == KW_CURVE_P256, err, ENCODING_INVALID, "lanes are signed on P-256");
    return KW_OK;
}

static struct kw_bytes get_set(struct kw_reader *r, size_t element_len)
{
    struct kw_bytes set = kw_get_var(r);
    struct kw_bytes rest = set;
    struct kw_bytes element;

    if (set.len > 0 && !kw_set_valid(set, KW_SET_ELEMENTS_MAX)) {
        r->failed = true;
        return KW_BYTES_NONE;
    }
    while (kw_set_next(&rest, &element)) {
        if (element.len != element_len) {
            r->failed = true;
        }
    }
    return set;
}

static bool is_within(struct kw_bytes set, struct kw_bytes of)
{
    struct kw_bytes element;

    while (kw_set_next(&set, &element)) {
        if (!kw_set_has(of, element)) {
            return false;
        }
    }
    return true;
}

bool kw_voucher_covers(const struct kw_voucher *voucher, const struct kw_record *row)
{
    return is_within(kw_record_value(row, KW_STORE_FIELD_SIGNERS), voucher->signers) &&
           is_within(kw_record_value(row, KW_STORE_FIELD_INCARNATIONS), voucher->lives) &&
           is_within(kw_record_value(row, KW_STORE_FIELD_SETTLED), voucher->settled);
}

/* What it is now it ever was; and no life is settled that it never had. */
static struct kw_result check_past(const struct kw_voucher *voucher, struct kw_error *err)
{
    uint8_t signer[KW_SHA256_LEN];

    KW_TRY(kw_sha256(voucher->key, signer, err));
    KW_ENSURE(kw_set_has(voucher->signers, KW_BYTES_OF(signer)) &&
                  kw_set_has(voucher->lives, kw_id_bytes(&voucher->incarnation)) &&
                  is_within(voucher->settled, voucher->lives),
              err, ENCODING_INVALID, "voucher: a past that is none");
    return KW_OK;
}

static void get_all(struct kw_reader *r, struct kw_voucher *voucher)
{
    kw_get_copy(r, voucher->mesh.bytes, KW_ID_LEN);
    kw_get_copy(r, voucher->seed.bytes, KW_ID_LEN);
    voucher->region = get_within(r, KW_SPIFFE_SEGMENT_LEN_MAX);
    voucher->cell = get_within(r, KW_SPIFFE_SEGMENT_LEN_MAX);
    voucher->service = get_within(r, KW_SPIFFE_SEGMENT_LEN_MAX);
    kw_get_copy(r, voucher->incarnation.bytes, KW_ID_LEN);
    voucher->key = get_within(r, KW_SPKI_LEN_MAX);
    voucher->signers = get_set(r, KW_SHA256_LEN);
    voucher->lives = get_set(r, KW_ID_LEN);
    voucher->settled = get_set(r, KW_ID_LEN);
    voucher->issued_ms = kw_get_u64(r);
    get_chain(r, voucher);
    voucher->signature = get_within(r, KW_SIGNATURE_LEN_MAX);
}

struct kw_result kw_voucher_decode(struct kw_bytes record, struct kw_voucher *ret_voucher,
                                   struct kw_error *err)
{
    struct kw_reader r = KW_READER(record);
    struct kw_voucher voucher = {.record = record};
    struct kw_spiffe service;

    KW_ENSURE(record.len <= KW_VOUCHER_LEN_MAX, err, ENCODING_INVALID, "voucher of %zu bytes",
              record.len);
    KW_ENSURE(kw_get_magic(&r, MAGIC), err, ENCODING_INVALID, "not a voucher");
    get_all(&r, &voucher);
    KW_TRY(kw_reader_end(&r, "voucher", err));
    KW_ENSURE(voucher.issued_ms > 0 && voucher.issued_ms <= MS_MAX, err, ENCODING_INVALID,
              "voucher: a time that is none");
    KW_TRY(kw_voucher_place(&voucher, "any", &service, err));
    KW_TRY(check_past(&voucher, err));
    KW_TRY(store_of(&voucher, err));
    *ret_voucher = voucher;
    return KW_OK;
}

/* For targets that meet the same certificate again and again: OpenSSL parses each only once. The linker puts these
 * before the real functions (--wrap), which they ask whenever something is new. What they hand out is another reference
 * to the same immutable object; when their table is full they remember no more. */
#include "common/crypto/digest.h"
#include "common/pki/trust.h"
#include "tests/fuzz/fuzz.h"

#include <openssl/evp.h>
#include <openssl/x509.h>

#define ENTRIES_MAX 512

struct kw_result __real_kw_certificate_from_der(struct kw_certificate *certificate,
                                                struct kw_bytes der, struct kw_error *err);
struct kw_result __wrap_kw_certificate_from_der(struct kw_certificate *certificate,
                                                struct kw_bytes der, struct kw_error *err);
struct kw_result __real_kw_public_key_from_spki(struct kw_public_key *key, struct kw_bytes spki,
                                                struct kw_error *err);
struct kw_result __wrap_kw_public_key_from_spki(struct kw_public_key *key, struct kw_bytes spki,
                                                struct kw_error *err);

struct kw_result __real_kw_trust_from_pem(struct kw_trust *trust, struct kw_bytes pem,
                                          struct kw_error *err);
struct kw_result __wrap_kw_trust_from_pem(struct kw_trust *trust, struct kw_bytes pem,
                                          struct kw_error *err);

struct entry {
    uint8_t hash[KW_SHA256_LEN];
    struct kw_certificate certificate;
    struct kw_public_key key;
    struct kw_trust trust;
};

static struct entry entries[ENTRIES_MAX];
static size_t entry_count;

static const struct entry *find(const uint8_t *hash)
{
    for (size_t i = 0; i < entry_count; i++) {
        if (memcmp(entries[i].hash, hash, KW_SHA256_LEN) == 0) {
            return &entries[i];
        }
    }
    return NULL;
}

static struct entry *add(const uint8_t *hash)
{
    struct entry *entry = &entries[entry_count];

    if (entry_count == ENTRIES_MAX) {
        return NULL;
    }
    entry_count++;
    kw_copy(entry->hash, hash, KW_SHA256_LEN);
    return entry;
}

struct kw_result __wrap_kw_certificate_from_der(struct kw_certificate *certificate,
                                                struct kw_bytes der, struct kw_error *err)
{
    uint8_t hash[KW_SHA256_LEN];
    const struct entry *known;
    struct entry *entry;

    KW_FUZZ_MUST(kw_sha256(der, hash, NULL));
    known = find(hash);
    if (known != NULL && known->certificate.x509 != NULL) {
        (void)X509_up_ref(known->certificate.x509);
        *certificate = known->certificate;
        return KW_OK;
    }
    KW_TRY(__real_kw_certificate_from_der(certificate, der, err));
    entry = add(hash);
    if (entry != NULL) {
        (void)X509_up_ref(certificate->x509);
        entry->certificate = *certificate;
    }
    return KW_OK;
}

struct kw_result __wrap_kw_public_key_from_spki(struct kw_public_key *key, struct kw_bytes spki,
                                                struct kw_error *err)
{
    uint8_t hash[KW_SHA256_LEN];
    const struct entry *known;
    struct entry *entry;

    KW_FUZZ_MUST(kw_sha256(spki, hash, NULL));
    known = find(hash);
    if (known != NULL && known->key.evp != NULL) {
        return kw_public_key_share(&known->key, key, err);
    }
    KW_TRY(__real_kw_public_key_from_spki(key, spki, err));
    entry = add(hash);
    if (entry != NULL) {
        KW_FUZZ_MUST(kw_public_key_share(key, &entry->key, NULL));
    }
    return KW_OK;
}

struct kw_result __wrap_kw_trust_from_pem(struct kw_trust *trust, struct kw_bytes pem,
                                          struct kw_error *err)
{
    uint8_t hash[KW_SHA256_LEN];
    const struct entry *known;
    struct entry *entry;

    KW_FUZZ_MUST(kw_sha256(pem, hash, NULL));
    known = find(hash);
    if (known != NULL && known->trust.store != NULL) {
        (void)X509_STORE_up_ref(known->trust.store);
        *trust = known->trust;
        return KW_OK;
    }
    KW_TRY(__real_kw_trust_from_pem(trust, pem, err));
    entry = add(hash);
    if (entry != NULL) {
        (void)X509_STORE_up_ref(trust->store);
        entry->trust = *trust;
    }
    return KW_OK;
}

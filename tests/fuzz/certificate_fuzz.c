/* Certificates and bundles: DER and PEM in, and every field we read of one. Whether one is to be believed is asked in
 * seal_fuzz.c and officers_fuzz.c. */
#include "common/pki/hosts.h"
#include "common/pki/trust.h"
#include "tests/fuzz/fuzz.h"

#define DOMAIN        "keyward.test"
#define HOSTS_MEM_MAX 65536U

static void identity(const struct kw_certificate *certificate)
{
    struct kw_error err = {0};
    struct kw_spiffe id;
    char text[KW_SPIFFE_TEXT_SIZE];

    if (kw_fuzz_accepted(kw_certificate_identity(certificate, DOMAIN, &id, &err), &err)) {
        KW_FUZZ_CHECK(strcmp(id.trust_domain, DOMAIN) == 0);
        KW_FUZZ_CHECK(strncmp(kw_spiffe_text(&id, text), "spiffe://" DOMAIN "/", 22) == 0);
    }
}

static void names(const struct kw_certificate *certificate)
{
    struct kw_arena *arena = kw_arena_new(HOSTS_MEM_MAX);
    const char *const *hosts;
    struct kw_error err = {0};
    size_t count;

    KW_FUZZ_CHECK(arena != NULL);
    if (kw_fuzz_accepted(kw_certificate_hosts(certificate, arena, &hosts, &count, &err), &err)) {
        for (size_t i = 0; i < count; i++) {
            KW_FUZZ_CHECK(hosts[i][0] != '\0' && strchr(hosts[i], '\n') == NULL);
        }
    }
    kw_arena_free(arena);
}

static void fields(const struct kw_certificate *certificate)
{
    KW_SCOPED(kw_public_key_done) struct kw_public_key key = {0};
    struct kw_error err = {0};
    struct kw_validity validity;
    struct kw_serial serial;
    struct kw_spki spki;

    if (kw_fuzz_accepted(kw_certificate_serial(certificate, &serial, &err), &err)) {
        KW_FUZZ_CHECK(serial.len > 0 && serial.len <= KW_SERIAL_LEN_MAX && serial.bytes[0] != 0);
    }
    (void)kw_fuzz_accepted(kw_certificate_validity(certificate, &validity, &err), &err);
    if (kw_fuzz_accepted(kw_certificate_public_key(certificate, &key, &err), &err)) {
        KW_FUZZ_MUST(kw_public_key_spki(&key, &spki, NULL));
    }
}

/* DER has one spelling: what is accepted is written as it came. */
static void look_at(const struct kw_certificate *certificate, struct kw_bytes der)
{
    KW_SCOPED(kw_buf_done) struct kw_buf again = {0};
    uint8_t fingerprint[KW_SHA256_LEN];

    KW_FUZZ_MUST(kw_certificate_to_der(certificate, &again, NULL));
    if (der.len > 0) {
        KW_FUZZ_CHECK(kw_bytes_equal(kw_buf_bytes(&again), der));
    }
    KW_FUZZ_MUST(kw_certificate_fingerprint(certificate, fingerprint, NULL));
    identity(certificate);
    names(certificate);
    fields(certificate);
}

static void from_pem(struct kw_bytes pem)
{
    KW_SCOPED(kw_certificate_done) struct kw_certificate certificate = {0};
    KW_SCOPED(kw_trust_done) struct kw_trust bundle = {0};
    struct kw_error err = {0};

    if (kw_fuzz_accepted(kw_certificate_from_pem(&certificate, pem, &err), &err)) {
        look_at(&certificate, KW_BYTES_NONE);
    }
    (void)kw_fuzz_accepted(kw_trust_from_pem(&bundle, pem, &err), &err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    KW_SCOPED(kw_certificate_done) struct kw_certificate certificate = {0};
    struct kw_error err = {0};

    if (size > 0 && data[0] == '-') {
        from_pem(KW_BYTES(data, size));
    } else if (kw_fuzz_accepted(kw_certificate_from_der(&certificate, KW_BYTES(data, size), &err),
                                &err)) {
        look_at(&certificate, KW_BYTES(data, size));
    }
    return 0;
}

/* Certificates, signatures, orders. */
#include "tests/support/key_officer.h"

#include "common/audit/request_signature.h"
#include "common/base/clock.h"
#include "common/crypto/keyfile.h"
#include "common/pki/build.h"
#include "common/rpc/messages.h"
#include "common/rpc/resource.h"
#include "tests/support/must.h"

#include <fcntl.h>
#include <keyward/v1/key_service.pb-c.h>
#include <limits.h>
#include <stdio.h>

#define DAY_MS    86400000ULL
#define MINUTE_MS 60000ULL

static struct {
    struct kw_private_key ca_key;
    struct kw_certificate ca;
    struct kw_private_key key;
    struct kw_buf certificate; /* DER */
    struct kw_buf ca_pem;
    struct kw_buf signature;
} officer;

static void ca_make(void)
{
    KW_SCOPED(kw_public_key_done) struct kw_public_key public = {0};
    uint64_t now = kw_clock_wall_ms();
    const struct kw_ca_plan plan = {.subject = &public,
                                    .name = "operators",
                                    .validity = {now - 3 * DAY_MS, now + 3 * DAY_MS},
                                    .path_len = 0};

    MUST(kw_private_key_generate(&officer.ca_key, KW_CURVE_P384, err));
    MUST(kw_private_key_public(&officer.ca_key, &public, err));
    MUST(kw_certificate_issue_root(&plan, &officer.ca_key, &officer.ca, err));
    MUST(kw_certificate_to_pem(&officer.ca, &officer.ca_pem, err));
    MUST(kw_private_key_generate(&officer.key, KW_CURVE_P256, err));
}

void key_officer_is(enum kw_role role, const char *trust_domain, uint64_t ended_ms)
{
    KW_SCOPED(kw_certificate_done) struct kw_certificate leaf = {0};
    KW_SCOPED(kw_public_key_done) struct kw_public_key public = {0};
    const struct kw_issuer issuer = {&officer.ca, &officer.ca_key};
    struct kw_spiffe id;
    struct kw_id name;
    const struct kw_leaf_plan plan = {.subject = &public,
                                      .identity = &id,
                                      .validity = {ended_ms - DAY_MS, ended_ms},
                                      .usage = KW_USAGE_CLIENT};

    MUST(kw_id_random(&name, err));
    MUST(kw_spiffe_caller(trust_domain, role, name, &id, err));
    MUST(kw_private_key_public(&officer.key, &public, err));
    MUST(kw_certificate_issue(&plan, &issuer, &leaf, err));
    kw_buf_done(&officer.certificate);
    MUST(kw_certificate_to_der(&leaf, &officer.certificate, err));
}

static void officer_make(void)
{
    if (officer.key.evp == NULL) {
        ca_make();
        key_officer_is(KW_ROLE_OPERATOR, KEY_OFFICER_DOMAIN, kw_clock_wall_ms() + DAY_MS / 2);
    }
}

void key_officer_forget(void)
{
    kw_private_key_done(&officer.ca_key);
    kw_certificate_done(&officer.ca);
    kw_private_key_done(&officer.key);
    kw_buf_done(&officer.certificate);
    kw_buf_done(&officer.ca_pem);
    kw_buf_done(&officer.signature);
    memset(&officer, 0, sizeof(officer));
}

void key_officer_pki(const char *pki_dir)
{
    char path[PATH_MAX];

    officer_make();
    snprintf(path, sizeof(path), "%s/ca-operators.pem", pki_dir);
    MUST(kw_keyfile_write(AT_FDCWD, path, kw_buf_bytes(&officer.ca_pem), KW_KEYFILE_MODE_PUBLIC,
                          err));
}

void key_officer_trust(struct kw_officers_trust *officers)
{
    officer_make();
    *officers = (struct kw_officers_trust){.trust_domain = (char *)(uintptr_t)KEY_OFFICER_DOMAIN};
    MUST(kw_trust_from_pem(&officers->cas, kw_buf_bytes(&officer.ca_pem), err));
}

struct kw_destruction key_officer_signs(enum kw_method_id method, struct kw_bytes body,
                                        struct kw_id request_id)
{
    uint8_t hash[KW_SHA256_LEN];
    const struct kw_signed_request request = {
        .method = kw_bytes_str(kw_method_by_id((uint32_t)method)->path),
        .request_id = kw_id_bytes(&request_id),
        .body_hash = hash};

    officer_make();
    officer.signature.len = 0;
    MUST(kw_sha256(body, hash, err));
    MUST(kw_request_signature_make(&officer.key, &request, kw_clock_wall_ms() + MINUTE_MS,
                                   &officer.signature, err));
    return (struct kw_destruction){.body = body,
                                   .signature = kw_buf_bytes(&officer.signature),
                                   .certificate = kw_buf_bytes(&officer.certificate)};
}

void key_officer_destroys(struct kw_id device, struct kw_id key, struct kw_buf *record)
{
    Keyward__V1__DestroyKeyRequest request = KEYWARD__V1__DESTROY_KEY_REQUEST__INIT;
    const struct kw_resource_ids ids = {.id = {device, key}};
    char name[KW_RESOURCE_NAME_SIZE];
    char id_text[] = "0191e7c2-3b4c-7d00-8000-000000000001";
    struct kw_destruction destruction;
    struct kw_id request_id;
    uint8_t body[512];

    request.name = kw_resource_name(KW_RESOURCE_KEY, &ids, name);
    request.request_id = id_text;
    MUST(kw_request_id_parse(id_text, &request_id, err));
    REQUIRE(protobuf_c_message_get_packed_size(&request.base) <= sizeof(body), "%s", name);
    destruction =
        key_officer_signs(KW_METHOD_DESTROY_KEY,
                          KW_BYTES(body, protobuf_c_message_pack(&request.base, body)), request_id);
    MUST(kw_destruction_encode(&destruction, record, err));
}

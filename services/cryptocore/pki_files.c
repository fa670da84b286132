/* CA rows, loading, and PEM. */
#include "services/cryptocore/pki_files.h"

#include "common/base/limits.h"
#include "common/crypto/keyfile.h"
#include "common/crypto/sign.h"
#include "common/pki/region.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#define LIST       "services.list"
#define DENY       "services.deny"
#define LIST_LABEL "KEYWARD-LIST-v1"

const struct kw_core_ca kw_core_cas[KW_CORE_CA_COUNT] = {
    {KW_HSM_CA_SERVICES, "ca-services.pem", KW_SERVICES_CA_NAME},
    {KW_HSM_CA_PARTNERS, "ca-partners.pem", "Keyward partners CA"},
    {KW_HSM_CA_OPERATORS, "ca-operators.pem", "Keyward operators CA"},
    {KW_HSM_CA_STATIONS, "ca-stations.pem", "Keyward stations CA"},
};

size_t kw_core_ca_index(enum kw_hsm_signer signer)
{
    for (size_t i = 0; i < KW_CORE_CA_COUNT; i++) {
        if (kw_core_cas[i].signer == signer) {
            return i;
        }
    }
    assert(false && "not an issuing CA");
    return 0;
}

struct kw_result kw_core_pem_append(struct kw_buf *pem, struct kw_bytes der, struct kw_error *err)
{
    KW_SCOPED(kw_certificate_done) struct kw_certificate certificate = {0};

    KW_TRY(kw_certificate_from_der(&certificate, der, err));
    return kw_certificate_to_pem(&certificate, pem, err);
}

static struct kw_result read_file(const char *dir, const char *name, size_t len_max,
                                  struct kw_buf *ret_text, struct kw_error *err)
{
    char path[PATH_MAX];

    KW_ENSURE(snprintf(path, sizeof(path), "%s/%s", dir, name) < PATH_MAX, err, CONFIG_INVALID,
              "pki_dir is too long");
    return kw_keyfile_read(AT_FDCWD, path, len_max, false, ret_text, err);
}

static struct kw_result ca_load(struct kw_core_pki *pki, size_t index, const char *dir,
                                struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf pem = {0};
    KW_SCOPED(kw_certificate_done) struct kw_certificate certificate = {0};

    KW_TRY(read_file(dir, kw_core_cas[index].file, KW_CREDENTIALS_FILE_LEN_MAX, &pem, err));
    KW_TRY(kw_certificate_from_pem(&certificate, kw_buf_bytes(&pem), err));
    KW_TRY(kw_certificate_to_der(&certificate, &pki->ca_der[index], err));
    return kw_trust_from_pem(&pki->trust[index], kw_buf_bytes(&pem), err);
}

struct kw_result kw_core_list_verify(const struct kw_public_key *officer, struct kw_bytes list,
                                     struct kw_bytes signature, struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf message = {0};

    KW_TRY(kw_buf_append(&message, kw_bytes_str(LIST_LABEL), err));
    KW_TRY(kw_buf_append(&message, list, err));
    return kw_ecdsa_verify(officer, kw_buf_bytes(&message), signature, err);
}

/* An operator of ours at the time its certificate began. */
static struct kw_result officer_load(struct kw_core_pki *pki, const char *dir,
                                     const char *trust_domain, struct kw_public_key *ret_key,
                                     struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf pem = {0};
    KW_SCOPED(kw_certificate_done) struct kw_certificate certificate = {0};

    KW_TRY(read_file(dir, KW_CORE_LIST_OFFICER, KW_CREDENTIALS_FILE_LEN_MAX, &pem, err));
    KW_TRY(kw_certificate_from_pem(&certificate, kw_buf_bytes(&pem), err));
    KW_TRY(kw_officer_check(&certificate, &pki->trust[kw_core_ca_index(KW_HSM_CA_OPERATORS)],
                            trust_domain, err));
    KW_TRY(kw_certificate_to_der(&certificate, &pki->officer_der, err));
    return kw_certificate_public_key(&certificate, ret_key, err);
}

static struct kw_result list_load(struct kw_core_pki *pki, const char *dir,
                                  const char *trust_domain, struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf signature = {0};
    KW_SCOPED(kw_public_key_done) struct kw_public_key officer = {0};

    KW_TRY(read_file(dir, LIST, KW_CORE_LIST_LEN_MAX, &pki->services, err));
    KW_TRY(read_file(dir, LIST ".sig", KW_SIGNATURE_LEN_MAX, &signature, err));
    KW_TRY(officer_load(pki, dir, trust_domain, &officer, err));
    KW_TRY(
        kw_core_list_verify(&officer, kw_buf_bytes(&pki->services), kw_buf_bytes(&signature), err));
    return kw_buf_append(&pki->services, KW_BYTES("", 1), err);
}

struct kw_result kw_core_pki_load(struct kw_core_pki *pki, const char *dir,
                                  const char *trust_domain, struct kw_error *err)
{
    for (size_t i = 0; i < KW_CORE_CA_COUNT; i++) {
        KW_TRY(ca_load(pki, i, dir, err));
    }
    return list_load(pki, dir, trust_domain, err);
}

static void trusts_done(struct kw_trust (*trusts)[KW_CORE_CA_COUNT])
{
    for (size_t i = 0; i < KW_CORE_CA_COUNT; i++) {
        kw_trust_done(&(*trusts)[i]);
    }
}

struct kw_result kw_core_pki_callers(struct kw_core_pki *pki, const char *dir, struct kw_error *err)
{
    KW_SCOPED(trusts_done) struct kw_trust next[KW_CORE_CA_COUNT] = {{0}};

    for (size_t i = 0; i < KW_CORE_CA_COUNT; i++) {
        KW_SCOPED(kw_buf_done) struct kw_buf pem = {0};

        KW_TRY(read_file(dir, kw_core_cas[i].file, KW_CREDENTIALS_FILE_LEN_MAX, &pem, err));
        KW_TRY(kw_trust_from_pem(&next[i], kw_buf_bytes(&pem), err));
    }
    for (size_t i = 0; i < KW_CORE_CA_COUNT; i++) {
        if (kw_core_cas[i].signer != KW_HSM_CA_SERVICES) { /* the seals' verifier has that one */
            struct kw_trust old = pki->trust[i];

            pki->trust[i] = next[i];
            next[i] = old;
        }
    }
    return KW_OK;
}

void kw_core_pki_done(struct kw_core_pki *pki)
{
    for (size_t i = 0; i < KW_CORE_CA_COUNT; i++) {
        kw_buf_done(&pki->ca_der[i]);
        kw_trust_done(&pki->trust[i]);
    }
    kw_buf_done(&pki->services);
    kw_buf_done(&pki->officer_der);
}

/* Is `line` one of the lines of `text`? */
static bool has_line(const char *text, const char *line)
{
    while (*text != '\0') {
        size_t line_len = strcspn(text, "\n");

        if (kw_bytes_equal(KW_BYTES((const uint8_t *)text, line_len), kw_bytes_str(line))) {
            return true;
        }
        text += line_len + (text[line_len] == '\n' ? 1 : 0);
    }
    return false;
}

bool kw_core_pki_lists(const struct kw_core_pki *pki, const char *spiffe_id)
{
    return has_line((const char *)pki->services.data, spiffe_id);
}

struct kw_result kw_core_pki_denies(const char *dir, const char *spiffe_id, bool *ret_denied,
                                    struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf entries = {0};
    char path[PATH_MAX];

    *ret_denied = false;
    KW_ENSURE(snprintf(path, sizeof(path), "%s/%s", dir, DENY) < PATH_MAX, err, CONFIG_INVALID,
              "pki_dir is too long");
    if (access(path, F_OK) != 0 && errno == ENOENT) {
        return KW_OK;
    }
    KW_TRY(read_file(dir, DENY, KW_CORE_LIST_LEN_MAX, &entries, err));
    KW_TRY(kw_buf_append(&entries, KW_BYTES("", 1), err));
    *ret_denied = has_line((const char *)entries.data, spiffe_id);
    return KW_OK;
}

/* CA rows, loading, and PEM. */
#include "services/cryptocore/pki_files.h"

#include "common/base/limits.h"
#include "common/crypto/keyfile.h"

#include <assert.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>

const struct kw_core_ca kw_core_cas[KW_CORE_CA_COUNT] = {
    {KW_HSM_CA_SERVICES, "ca-services.pem", "Keyward services CA"},
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
    assert(!"not an issuing CA");
    return 0;
}

struct kw_result kw_core_pem_append(struct kw_buf *pem, struct kw_bytes der, struct kw_error *err)
{
    KW_SCOPED(kw_certificate_done) struct kw_certificate certificate = {0};

    KW_TRY(kw_certificate_from_der(&certificate, der, err));
    return kw_certificate_to_pem(&certificate, pem, err);
}

static struct kw_result read_file(const char *dir, const char *name, size_t len_max, struct kw_buf *ret_text,
                                  struct kw_error *err)
{
    char path[PATH_MAX];

    KW_ENSURE(snprintf(path, sizeof(path), "%s/%s", dir, name) < PATH_MAX, err, CONFIG_INVALID,
              "pki_dir is too long");
    return kw_keyfile_read(AT_FDCWD, path, len_max, false, ret_text, err);
}

static struct kw_result ca_load(struct kw_core_pki *pki, size_t index, const char *dir, struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf pem = {0};
    KW_SCOPED(kw_certificate_done) struct kw_certificate certificate = {0};

    KW_TRY(read_file(dir, kw_core_cas[index].file, KW_CREDENTIALS_FILE_LEN_MAX, &pem, err));
    KW_TRY(kw_certificate_from_pem(&certificate, kw_buf_bytes(&pem), err));
    KW_TRY(kw_certificate_to_der(&certificate, &pki->ca_der[index], err));
    return kw_trust_from_pem(&pki->trust[index], kw_buf_bytes(&pem), err);
}

struct kw_result kw_core_pki_load(struct kw_core_pki *pki, const char *dir, struct kw_error *err)
{
    for (size_t i = 0; i < KW_CORE_CA_COUNT; i++) {
        KW_TRY(ca_load(pki, i, dir, err));
    }
    KW_TRY(read_file(dir, "services.list", KW_CORE_LIST_LEN_MAX, &pki->services, err));
    return kw_buf_append(&pki->services, KW_BYTES("", 1), err);
}

void kw_core_pki_done(struct kw_core_pki *pki)
{
    for (size_t i = 0; i < KW_CORE_CA_COUNT; i++) {
        kw_buf_done(&pki->ca_der[i]);
        kw_trust_done(&pki->trust[i]);
    }
    kw_buf_done(&pki->services);
}

bool kw_core_pki_lists(const struct kw_core_pki *pki, const char *spiffe_id)
{
    size_t len = strlen(spiffe_id);

    for (const char *line = (const char *)pki->services.data; *line != '\0';) {
        size_t line_len = strcspn(line, "\n");

        if (line_len == len && memcmp(line, spiffe_id, len) == 0) {
            return true;
        }
        line += line_len + (line[line_len] == '\n' ? 1 : 0);
    }
    return false;
}

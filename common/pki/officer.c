/* Reading who the first officer is. */
#include "common/pki/officer.h"

#include "common/base/limits.h"
#include "common/crypto/keyfile.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>

#define OPERATORS "ca-operators.pem"

struct kw_result kw_officer_check(const struct kw_certificate *certificate,
                                  const struct kw_trust *operators, const char *trust_domain,
                                  struct kw_error *err)
{
    struct kw_validity validity;
    struct kw_spiffe id;

    KW_TRY(kw_certificate_validity(certificate, &validity, err));
    KW_TRY(kw_trust_verify(operators, certificate, NULL, KW_PURPOSE_CLIENT, validity.not_before_ms,
                           err));
    KW_TRY(kw_certificate_identity(certificate, trust_domain, &id, err));
    KW_ENSURE(id.role == KW_ROLE_OPERATOR, err, IDENTITY_INVALID, "an officer who is no operator");
    return KW_OK;
}

static struct kw_result read_file(const char *dir, const char *name, struct kw_buf *ret_text,
                                  struct kw_error *err)
{
    char path[PATH_MAX];

    KW_ENSURE(snprintf(path, sizeof(path), "%s/%s", dir, name) < PATH_MAX, err, CONFIG_INVALID,
              "pki_dir is too long");
    return kw_keyfile_read(AT_FDCWD, path, KW_CREDENTIALS_FILE_LEN_MAX, false, ret_text, err);
}

struct kw_result kw_officer_cas_load(const char *pki_dir, struct kw_trust *ret_operators,
                                     struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf cas = {0};

    KW_TRY(read_file(pki_dir, OPERATORS, &cas, err));
    return kw_trust_from_pem(ret_operators, kw_buf_bytes(&cas), err);
}

static struct kw_result judge(struct kw_bytes pem, const struct kw_trust *operators,
                              const char *trust_domain, struct kw_public_key *ret_key,
                              struct kw_error *err)
{
    KW_SCOPED(kw_certificate_done) struct kw_certificate certificate = {0};

    KW_TRY(kw_certificate_from_pem(&certificate, pem, err));
    KW_TRY(kw_officer_check(&certificate, operators, trust_domain, err));
    return kw_certificate_public_key(&certificate, ret_key, err);
}

struct kw_result kw_officer_load(const char *pki_dir, const char *trust_domain,
                                 struct kw_public_key *ret_key, struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf officer = {0};
    KW_SCOPED(kw_trust_done) struct kw_trust operators = {0};
    struct kw_error why;
    struct kw_result judged;

    KW_TRY(kw_officer_cas_load(pki_dir, &operators, err));
    KW_TRY(read_file(pki_dir, KW_OFFICER_FILE, &officer, err));
    judged = judge(kw_buf_bytes(&officer), &operators, trust_domain, ret_key, &why);
    KW_ENSURE(kw_ok(judged), err, CONFIG_INVALID, "%s/%s: %s", pki_dir, KW_OFFICER_FILE,
              why.message);
    return KW_OK;
}

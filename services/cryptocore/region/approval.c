/* Reading a request together with its approval. */
#include "services/cryptocore/region/approval.h"

#include "common/crypto/keyfile.h"
#include "services/cryptocore/pki_files.h"
#include "services/cryptocore/region/compared.h"
#include "services/cryptocore/region/officers.h"

#include <fcntl.h>

struct kw_result kw_region_approval_check(const struct kw_certificate *officer,
                                          struct kw_bytes request, struct kw_bytes approval,
                                          struct kw_error *err)
{
    KW_SCOPED(kw_public_key_done) struct kw_public_key key = {0};
    struct kw_result result;

    KW_TRY(kw_certificate_public_key(officer, &key, err));
    result = kw_region_verify(&key, KW_REGION_APPROVAL_LABEL, request, approval, err);
    KW_ENSURE(result.reason != KW_E_SIGNATURE_INVALID, err, SIGNATURE_INVALID,
              "the request is not approved by the first officer");
    return result;
}

/* The directory says who it is; the set, which the root signed, that it is an operator. */
static struct kw_result officer_check(const char *pki_dir, const struct kw_region_set *set,
                                      const struct kw_region_approved *approved,
                                      struct kw_error *err)
{
    KW_SCOPED(kw_core_pki_done) struct kw_core_pki pki = {0};
    KW_SCOPED(kw_certificate_done) struct kw_certificate officer = {0};

    KW_TRY(kw_core_pki_load(&pki, pki_dir, set->trust_domain, err));
    KW_TRY(kw_certificate_from_der(&officer, kw_buf_bytes(&pki.officer_der), err));
    KW_TRY(kw_region_officer_check(set, &officer, err));
    return kw_region_approval_check(&officer, kw_buf_bytes(&approved->record),
                                    kw_buf_bytes(&approved->approval), err);
}

static struct kw_result load(const struct kw_region_approval_source *from,
                             const struct kw_region_set *set, struct kw_region_approved *approved,
                             struct kw_error *err)
{
    KW_TRY(
        kw_region_request_load(from->request_file, from->request_sha256, &approved->record, err));
    KW_TRY(kw_keyfile_read(AT_FDCWD, from->approval_file, KW_SIGNATURE_LEN_MAX, false,
                           &approved->approval, err));
    KW_TRY(officer_check(from->pki_dir, set, approved, err));
    KW_TRY(kw_region_request_read(kw_buf_bytes(&approved->record), &approved->request, err));
    KW_ENSURE(strcmp(approved->request.trust_domain, set->trust_domain) == 0, err, CONFIG_INVALID,
              "a request of trust domain %s, not of %s", approved->request.trust_domain,
              set->trust_domain);
    return KW_OK;
}

struct kw_result kw_region_approved_load(const struct kw_region_approval_source *from,
                                         const struct kw_region_set *set,
                                         struct kw_region_approved *ret, struct kw_error *err)
{
    struct kw_region_approved approved = {.record = {0}};
    struct kw_result result = load(from, set, &approved, err);

    if (!kw_ok(result)) {
        kw_region_approved_done(&approved);
        return result;
    }
    *ret = approved;
    return KW_OK;
}

void kw_region_approved_done(struct kw_region_approved *approved)
{
    if (approved != NULL) {
        kw_buf_done(&approved->record);
        kw_buf_done(&approved->approval);
    }
}

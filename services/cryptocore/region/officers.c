/* Reading a directory of certificates, and writing one. */
#include "services/cryptocore/region/officers.h"

#include "common/pki/officer.h"
#include "services/cryptocore/region/out.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>

static void dir_close(DIR **dir)
{
    if (*dir != NULL) {
        (void)closedir(*dir);
    }
}

void kw_region_officers_done(struct kw_region_officers *officers)
{
    for (size_t i = 0; officers != NULL && i < officers->count; i++) {
        kw_buf_done(&officers->ders[i]);
    }
}

static struct kw_result add(struct kw_region_officers *officers, struct kw_bytes der,
                            struct kw_error *err)
{
    for (size_t i = 0; i < officers->count; i++) {
        if (kw_bytes_equal(kw_buf_bytes(&officers->ders[i]), der)) {
            return KW_OK;
        }
    }
    KW_ENSURE(officers->count < KW_REGION_OFFICERS_MAX, err, LIMIT_REACHED, "over %d officers",
              KW_REGION_OFFICERS_MAX);
    return kw_buf_append(&officers->ders[officers->count++], der, err);
}

static struct kw_result file_add(const char *dir, const char *file,
                                 struct kw_region_officers *officers, struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf pem = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf der = {0};
    KW_SCOPED(kw_certificate_done) struct kw_certificate leaf = {0};

    KW_TRY(kw_out_get(dir, file, &pem, err));
    KW_TRY(kw_certificate_from_pem(&leaf, kw_buf_bytes(&pem), err));
    KW_TRY(kw_certificate_to_der(&leaf, &der, err));
    return add(officers, kw_buf_bytes(&der), err);
}

struct kw_result kw_region_officers_load(const char *dir, struct kw_bytes first,
                                         struct kw_region_officers *officers, struct kw_error *err)
{
    char path[PATH_MAX];
    KW_SCOPED(dir_close) DIR *entries = NULL;
    const struct dirent *entry;

    KW_TRY(add(officers, first, err));
    KW_TRY(kw_out_path(dir, "officers", path, err));
    entries = opendir(path);
    KW_ENSURE(entries != NULL, err, CONFIG_INVALID, "%s: %s", path, strerror(errno));
    while ((entry = readdir(entries)) != NULL) {
        if (entry->d_name[0] != '.') {
            KW_TRY(file_add(path, entry->d_name, officers, err));
        }
    }
    return KW_OK;
}

/* --- at the other end --- */

static struct kw_result operators_trust(const struct kw_region_set *set, struct kw_trust *ret_trust,
                                        struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf pem = {0};

    for (size_t i = 0; i < set->count; i++) {
        KW_TRY(
            kw_core_pem_append(&pem, set->rows[i].cas[kw_core_ca_index(KW_HSM_CA_OPERATORS)], err));
    }
    return kw_trust_from_pem(ret_trust, kw_buf_bytes(&pem), err);
}

struct kw_result kw_region_officer_check(const struct kw_region_set *set,
                                         const struct kw_certificate *leaf, struct kw_error *err)
{
    KW_SCOPED(kw_trust_done) struct kw_trust trust = {0};

    KW_TRY(operators_trust(set, &trust, err));
    return kw_officer_check(leaf, &trust, set->trust_domain, err);
}

static struct kw_result officer_put(struct kw_bytes der, const struct kw_trust *trust,
                                    const char *trust_domain, const char *dir, bool first,
                                    struct kw_error *err)
{
    KW_SCOPED(kw_certificate_done) struct kw_certificate leaf = {0};
    char text[KW_ID_TEXT_SIZE];
    char name[64];
    struct kw_spiffe id;

    KW_TRY(kw_certificate_from_der(&leaf, der, err));
    KW_TRY(kw_officer_check(&leaf, trust, trust_domain, err));
    KW_TRY(kw_certificate_identity(&leaf, trust_domain, &id, err));
    (void)snprintf(name, sizeof(name), "officers/%s.pem", kw_id_text(KW_ID_OPERATOR, id.id, text));
    KW_TRY(kw_out_put_certificate(dir, name, der, err));
    return first ? kw_out_put_certificate(dir, "pki/" KW_CORE_LIST_OFFICER, der, err) : KW_OK;
}

struct kw_result kw_region_officers_put(const struct kw_region_answer *answer,
                                        const struct kw_region_set *set, const char *dir,
                                        struct kw_error *err)
{
    KW_SCOPED(kw_trust_done) struct kw_trust trust = {0};

    KW_TRY(operators_trust(set, &trust, err));
    for (size_t i = 0; i < answer->officer_count; i++) {
        KW_TRY(officer_put(answer->officers[i], &trust, set->trust_domain, dir, i == 0, err));
    }
    return KW_OK;
}

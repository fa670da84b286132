/* Bundles, and the credentials of the services. */
#include "services/cryptocore/region/publish.h"

#include "common/pki/credentials.h"
#include "services/cryptocore/region/out.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>

static struct kw_result bundle_append(const struct kw_region_set *set,
                                      const struct kw_region_row *first, size_t ca,
                                      struct kw_buf *pem, struct kw_error *err)
{
    if (first != NULL) {
        KW_TRY(kw_core_pem_append(pem, first->cas[ca], err));
    }
    for (size_t i = 0; i < set->count; i++) {
        if (&set->rows[i] != first) {
            KW_TRY(kw_core_pem_append(pem, set->rows[i].cas[ca], err));
        }
    }
    return KW_OK;
}

static bool is_services(size_t ca)
{
    return kw_core_cas[ca].signer == KW_HSM_CA_SERVICES;
}

struct kw_result kw_region_services_pem(const struct kw_region_set *set, struct kw_buf *ret_pem,
                                        struct kw_error *err)
{
    return bundle_append(set, NULL, kw_core_ca_index(KW_HSM_CA_SERVICES), ret_pem, err);
}

/* One kind of callers, all regions'; who issues looks for the own CA at the beginning. */
static struct kw_result callers_put(const char *dir, const struct kw_region_set *set,
                                    const struct kw_region_row *own, struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf all = {0};

    for (size_t ca = 0; ca < KW_CORE_CA_COUNT; ca++) {
        KW_SCOPED(kw_buf_done) struct kw_buf pem = {0};
        char name[64];

        if (is_services(ca)) {
            continue;
        }
        (void)snprintf(name, sizeof(name), "pki/%s", kw_core_cas[ca].file);
        KW_TRY(bundle_append(set, own, ca, &pem, err));
        KW_TRY(kw_out_put(dir, name, kw_buf_bytes(&pem), err));
        KW_TRY(kw_buf_append(&all, kw_buf_bytes(&pem), err));
    }
    return kw_out_put(dir, "pki/client-ca.pem", kw_buf_bytes(&all), err);
}

/* The core believes capsules and renewals by its own region's CA alone. */
static struct kw_result services_put(const char *dir, const struct kw_region_set *set,
                                     const struct kw_region_row *own, struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf all = {0};
    size_t ca = kw_core_ca_index(KW_HSM_CA_SERVICES);

    KW_TRY(kw_out_put_certificate(dir, "pki/ca-services.pem", own->cas[ca], err));
    KW_TRY(kw_region_services_pem(set, &all, err));
    return kw_out_put(dir, "pki/services-ca.pem", kw_buf_bytes(&all), err);
}

static struct kw_result checkpoints_put(const char *dir, const struct kw_region_set *set,
                                        const struct kw_region_row *own, struct kw_error *err)
{
    char name[32 + KW_SPIFFE_SEGMENT_LEN_MAX];

    KW_TRY(kw_out_put(dir, "pki/checkpoint.pub", own->checkpoint, err));
    for (size_t i = 0; i < set->count; i++) {
        if (&set->rows[i] != own) {
            (void)snprintf(name, sizeof(name), "pki/checkpoint-%s.pub", set->rows[i].region);
            KW_TRY(kw_out_put(dir, name, set->rows[i].checkpoint, err));
        }
    }
    return KW_OK;
}

struct kw_result kw_region_publish(const char *dir, const struct kw_region_set *set,
                                   const struct kw_region_row *own, struct kw_bytes record,
                                   struct kw_error *err)
{
    KW_TRY(services_put(dir, set, own, err));
    KW_TRY(callers_put(dir, set, own, err));
    KW_TRY(checkpoints_put(dir, set, own, err));
    return kw_out_put(dir, KW_OUT_REGIONS, record, err);
}

/* --- credentials --- */

static void dir_close(DIR **dir)
{
    if (*dir != NULL) {
        (void)closedir(*dir);
    }
}

/* What a call for each entry is given. */
struct walk {
    struct kw_bytes pem;
    struct kw_result (*each)(const struct walk *walk, const char *path, struct kw_error *err);
    unsigned char type; /* of the entries it is for */
};

static struct kw_result walk_entries(const char *path, const struct walk *walk,
                                     struct kw_error *err)
{
    KW_SCOPED(dir_close) DIR *dir = opendir(path);
    const struct dirent *entry;
    char inner[PATH_MAX];

    KW_ENSURE(dir != NULL, err, CONFIG_INVALID, "%s: %s", path, strerror(errno));
    while ((entry = readdir(dir)) != NULL) {
        if (entry->d_type == walk->type && entry->d_name[0] != '.') {
            KW_TRY(kw_out_path(path, entry->d_name, inner, err));
            KW_TRY(walk->each(walk, inner, err));
        }
    }
    return KW_OK;
}

static struct kw_result service_trust(const struct walk *walk, const char *path,
                                      struct kw_error *err)
{
    return kw_credentials_trust(path, walk->pem, err);
}

/* The generations are directories; the links to them are the credentials. */
static struct kw_result cell_trust(const struct walk *walk, const char *path, struct kw_error *err)
{
    return walk_entries(
        path, &(struct walk){.pem = walk->pem, .each = service_trust, .type = DT_LNK}, err);
}

struct kw_result kw_region_publish_credentials(const char *dir, const struct kw_region_set *set,
                                               struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf pem = {0};
    char path[PATH_MAX];

    KW_TRY(kw_region_services_pem(set, &pem, err));
    KW_TRY(kw_out_path(dir, "credentials", path, err));
    return walk_entries(
        path, &(struct walk){.pem = kw_buf_bytes(&pem), .each = cell_trust, .type = DT_DIR}, err);
}

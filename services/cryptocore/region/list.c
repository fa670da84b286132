/* Reading line by line; a list is short, so who is named twice is looked for by comparing all. */
#include "services/cryptocore/region/list.h"

#include "common/crypto/keyfile.h"
#include "common/crypto/sign.h"
#include "services/cryptocore/pki_files.h"
#include "services/cryptocore/region/out.h"

#include <fcntl.h>
#include <stdlib.h>

void kw_region_list_done(struct kw_region_list *list)
{
    if (list == NULL) {
        return;
    }
    kw_buf_done(&list->text);
    kw_buf_done(&list->signature);
    free(list->services);
    *list = (struct kw_region_list){0};
}

const char *kw_region_list_region(const struct kw_region_list *list)
{
    return list->services[0].region;
}

/* A ceremony is one region's, the first line's: its token and its CAs are no other's. */
static struct kw_result fits(const struct kw_region_list *list, const struct kw_spiffe *service,
                             const char *trust_domain, struct kw_error *err)
{
    char text[KW_SPIFFE_TEXT_SIZE];

    (void)kw_spiffe_text(service, text);
    KW_ENSURE(service->role == KW_ROLE_SERVICE && strcmp(service->trust_domain, trust_domain) == 0,
              err, CONFIG_INVALID, "%s is not a service of %s", text, trust_domain);
    KW_ENSURE(list->count == 0 || strcmp(service->region, kw_region_list_region(list)) == 0, err,
              CONFIG_INVALID, "%s is not a service of region %s", text,
              kw_region_list_region(list));
    for (size_t i = 0; i < list->count; i++) {
        KW_ENSURE(!kw_spiffe_equal(&list->services[i], service), err, CONFIG_INVALID,
                  "%s is named twice", text);
    }
    return KW_OK;
}

static struct kw_result line_read(struct kw_region_list *list, struct kw_bytes line,
                                  const char *trust_domain, struct kw_error *err)
{
    KW_ENSURE(list->count < KW_REGION_SERVICES_MAX, err, CONFIG_INVALID, "over %d services",
              KW_REGION_SERVICES_MAX);
    KW_TRY(kw_spiffe_parse(line, &list->services[list->count], err));
    KW_TRY(fits(list, &list->services[list->count], trust_domain, err));
    list->count++;
    return KW_OK;
}

static struct kw_result lines_read(struct kw_region_list *list, const char *trust_domain,
                                   struct kw_error *err)
{
    struct kw_bytes rest = kw_buf_bytes(&list->text);

    while (rest.len > 0) {
        const uint8_t *end = memchr(rest.data, '\n', rest.len);
        size_t len = end != NULL ? (size_t)(end - rest.data) : rest.len;

        if (len > 0) {
            KW_TRY(line_read(list, KW_BYTES(rest.data, len), trust_domain, err));
        }
        len += end != NULL ? 1 : 0;
        rest = KW_BYTES(rest.data + len, rest.len - len);
    }
    KW_ENSURE(list->count > 0, err, CONFIG_INVALID, "a list of no services");
    return KW_OK;
}

struct kw_result kw_region_list_load(struct kw_region_list *list, const char *path,
                                     const char *signature_path,
                                     const struct kw_public_key *officer, const char *trust_domain,
                                     struct kw_error *err)
{
    KW_TRY(kw_keyfile_read(AT_FDCWD, path, KW_CORE_LIST_LEN_MAX, false, &list->text, err));
    KW_TRY(kw_keyfile_read(AT_FDCWD, signature_path, KW_SIGNATURE_LEN_MAX, false, &list->signature,
                           err));
    KW_TRY(kw_core_list_verify(officer, kw_buf_bytes(&list->text), kw_buf_bytes(&list->signature),
                               err));
    list->services = calloc(KW_REGION_SERVICES_MAX, sizeof(*list->services));
    KW_ENSURE(list->services != NULL, err, MEMORY, "list of services");
    return lines_read(list, trust_domain, err);
}

struct kw_result kw_region_list_put(const struct kw_region_list *list, const char *out_dir,
                                    struct kw_error *err)
{
    KW_TRY(kw_out_put(out_dir, "pki/services.list", kw_buf_bytes(&list->text), err));
    return kw_out_put(out_dir, "pki/services.list.sig", kw_buf_bytes(&list->signature), err);
}

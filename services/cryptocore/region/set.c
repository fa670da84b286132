/* Writing and reading the set of regions. */
#include "services/cryptocore/region/set.h"

#include "common/pki/region.h"

#define MAGIC "KWG1"
#define LABEL "KEYWARD-REGIONS-v1"

const struct kw_region_row *kw_region_set_find(const struct kw_region_set *set, const char *region)
{
    for (size_t i = 0; i < set->count; i++) {
        if (strcmp(set->rows[i].region, region) == 0) {
            return &set->rows[i];
        }
    }
    return NULL;
}

struct kw_result kw_region_set_add(struct kw_region_set *set, const struct kw_region_row *row,
                                   struct kw_error *err)
{
    size_t at = 0;

    KW_ENSURE(kw_region_set_find(set, row->region) == NULL, err, ALREADY_EXISTS,
              "region %s is of the mesh already", row->region);
    KW_ENSURE(set->count < KW_REGIONS_MAX, err, LIMIT_REACHED, "over %d regions", KW_REGIONS_MAX);
    while (at < set->count && strcmp(set->rows[at].region, row->region) < 0) {
        at++;
    }
    memmove(&set->rows[at + 1], &set->rows[at], (set->count - at) * sizeof(set->rows[0]));
    set->rows[at] = *row;
    set->count++;
    return KW_OK;
}

static struct kw_result body_write(const struct kw_region_set *set, struct kw_buf *record,
                                   struct kw_error *err)
{
    struct kw_writer w = KW_WRITER(record);

    kw_put_raw(&w, kw_bytes_str(MAGIC));
    kw_put_str(&w, set->trust_domain);
    kw_put_u64(&w, set->version);
    kw_put_u16(&w, (uint16_t)set->count);
    for (size_t i = 0; i < set->count; i++) {
        kw_put_str(&w, set->rows[i].region);
        kw_put_var(&w, set->rows[i].checkpoint);
        for (size_t ca = 0; ca < KW_CORE_CA_COUNT; ca++) {
            kw_put_var(&w, set->rows[i].cas[ca]);
        }
    }
    return kw_writer_end(&w, err);
}

struct kw_result kw_region_set_write(const struct kw_region_set *set,
                                     struct kw_hsm_ceremony *ceremony, struct kw_buf *record,
                                     struct kw_error *err)
{
    KW_TRY(body_write(set, record, err));
    return kw_region_sign(ceremony, KW_HSM_ROOT, LABEL, kw_buf_bytes(record), record, err);
}

static void row_read(struct kw_reader *r, struct kw_region_row *row)
{
    kw_get_str(r, row->region, sizeof(row->region));
    row->checkpoint = kw_get_var(r);
    for (size_t ca = 0; ca < KW_CORE_CA_COUNT; ca++) {
        row->cas[ca] = kw_get_var(r);
    }
}

/* A second row of a region, or one out of order, is another spelling: there is none. */
static void rows_read(struct kw_reader *r, struct kw_region_set *set)
{
    size_t count = kw_get_u16(r);

    if (count == 0 || count > KW_REGIONS_MAX) {
        r->failed = true;
    }
    while (!r->failed && set->count < count) {
        row_read(r, &set->rows[set->count]);
        if (set->count > 0 &&
            strcmp(set->rows[set->count - 1].region, set->rows[set->count].region) >= 0) {
            r->failed = true;
        }
        set->count++;
    }
}

static struct kw_result ca_check(const struct kw_region_row *row, size_t index,
                                 const struct kw_certificate *root, struct kw_error *err)
{
    KW_SCOPED(kw_certificate_done) struct kw_certificate ca = {0};
    char region[KW_SPIFFE_SEGMENT_LEN_MAX + 1];

    KW_TRY(kw_certificate_from_der(&ca, row->cas[index], err));
    KW_TRY(kw_certificate_issued_ca(&ca, root, err));
    KW_TRY(kw_certificate_region(&ca, region, err));
    KW_ENSURE(strcmp(region, row->region) == 0, err, IDENTITY_INVALID,
              "a CA of region %s in the place of one of %s", region, row->region);
    return KW_OK;
}

static struct kw_result row_check(const struct kw_region_row *row,
                                  const struct kw_certificate *root, struct kw_error *err)
{
    KW_SCOPED(kw_public_key_done) struct kw_public_key checkpoint = {0};

    for (size_t i = 0; i < KW_CORE_CA_COUNT; i++) {
        KW_TRY(ca_check(row, i, root, err));
    }
    return kw_public_key_from_spki(&checkpoint, row->checkpoint, err);
}

static struct kw_result decode(struct kw_bytes record, struct kw_region_set *set,
                               struct kw_bytes *ret_body, struct kw_bytes *ret_signature,
                               struct kw_error *err)
{
    struct kw_reader r = KW_READER(record);

    set->count = 0;
    kw_region_magic(&r, MAGIC);
    kw_get_str(&r, set->trust_domain, sizeof(set->trust_domain));
    set->version = kw_get_u64(&r);
    rows_read(&r, set);
    *ret_body = KW_BYTES(record.data, record.len - r.rest.len);
    *ret_signature = kw_get_var(&r);
    return kw_reader_end(&r, "set of regions", err);
}

struct kw_result kw_region_set_read(struct kw_bytes record, const struct kw_certificate *root,
                                    const char *trust_domain, struct kw_region_set *ret,
                                    struct kw_error *err)
{
    KW_SCOPED(kw_public_key_done) struct kw_public_key key = {0};
    struct kw_bytes body;
    struct kw_bytes signature;

    KW_TRY(decode(record, ret, &body, &signature, err));
    KW_TRY(kw_certificate_public_key(root, &key, err));
    KW_TRY(kw_region_verify(&key, LABEL, body, signature, err));
    KW_ENSURE(strcmp(ret->trust_domain, trust_domain) == 0, err, CONFIG_INVALID,
              "regions of %s, not of %s", ret->trust_domain, trust_domain);
    for (size_t i = 0; i < ret->count; i++) {
        KW_TRY(row_check(&ret->rows[i], root, err));
    }
    return KW_OK;
}

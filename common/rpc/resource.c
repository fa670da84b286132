/* Resource names by a table of patterns; request ids as UUIDs. */
#include "common/rpc/resource.h"

#include <stdio.h>

struct part {
    const char *collection; /* NULL: the name has no such part */
    enum kw_id_kind id;
};

static const struct part patterns[KW_RESOURCE_COUNT_][KW_RESOURCE_IDS_MAX] = {
    [KW_RESOURCE_PARTNER] = {{"partners", KW_ID_PARTNER}},
    [KW_RESOURCE_PARTNER_GRANT] = {{"partners", KW_ID_PARTNER}, {"grants", KW_ID_GRANT}},
    [KW_RESOURCE_PARTNER_INVITATION] = {{"partners", KW_ID_PARTNER},
                                        {"invitations", KW_ID_INVITATION}},
    [KW_RESOURCE_PARTNER_CERTIFICATE] = {{"partners", KW_ID_PARTNER},
                                         {"certificates", KW_ID_CERTIFICATE}},
    [KW_RESOURCE_STATION] = {{"stations", KW_ID_STATION}},
    [KW_RESOURCE_STATION_INVITATION] = {{"stations", KW_ID_STATION},
                                        {"invitations", KW_ID_INVITATION}},
    [KW_RESOURCE_STATION_CERTIFICATE] = {{"stations", KW_ID_STATION},
                                         {"certificates", KW_ID_CERTIFICATE}},
    [KW_RESOURCE_OPERATOR] = {{"operators", KW_ID_OPERATOR}},
    [KW_RESOURCE_PRODUCT] = {{"products", KW_ID_PRODUCT}},
    [KW_RESOURCE_BATCH] = {{"batches", KW_ID_BATCH}},
    [KW_RESOURCE_DEVICE] = {{"devices", KW_ID_DEVICE}},
    [KW_RESOURCE_KEY] = {{"devices", KW_ID_DEVICE}, {"keys", KW_ID_KEY}},
    [KW_RESOURCE_RECEIPT] = {{"receipts", KW_ID_RECEIPT}},
};

/* Takes the text up to the next slash, or all of it. */
static struct kw_bytes segment_take(struct kw_bytes *rest)
{
    const uint8_t *slash = rest->len > 0 ? memchr(rest->data, '/', rest->len) : NULL;
    size_t len = slash != NULL ? (size_t)(slash - rest->data) : rest->len;
    struct kw_bytes segment = KW_BYTES(rest->data, len);
    size_t used = slash != NULL ? len + 1 : len;

    *rest = KW_BYTES(rest->data + used, rest->len - used);
    return segment;
}

struct kw_result kw_resource_parse(enum kw_resource kind, const char *name,
                                   struct kw_resource_ids *ret_ids, struct kw_error *err)
{
    const struct part *parts = patterns[kind];
    struct kw_resource_ids ids = {0};
    struct kw_bytes rest = kw_bytes_str(name);
    char canonical[KW_RESOURCE_NAME_SIZE];

    for (int i = 0; i < KW_RESOURCE_IDS_MAX && parts[i].collection != NULL; i++) {
        KW_ENSURE(kw_bytes_equal(segment_take(&rest), kw_bytes_str(parts[i].collection)), err,
                  ARGUMENT_INVALID, "a name of %s was expected", parts[i].collection);
        KW_TRY(kw_id_parse(parts[i].id, segment_take(&rest), &ids.id[i], err));
    }
    /* Anything that does not print back the same (a trailing slash, more segments) is another name.
     */
    KW_ENSURE(strcmp(kw_resource_name(kind, &ids, canonical), name) == 0, err, ARGUMENT_INVALID,
              "the resource name is not canonical");
    *ret_ids = ids;
    return KW_OK;
}

char *kw_resource_name(enum kw_resource kind, const struct kw_resource_ids *ids, char *text)
{
    const struct part *parts = patterns[kind];
    size_t at = 0;

    for (int i = 0; i < KW_RESOURCE_IDS_MAX && parts[i].collection != NULL; i++) {
        char id[KW_ID_TEXT_SIZE];

        at += (size_t)snprintf(text + at, KW_RESOURCE_NAME_SIZE - at, "%s%s/%s", i > 0 ? "/" : "",
                               parts[i].collection, kw_id_text(parts[i].id, ids->id[i], id));
    }
    return text;
}

char *kw_resource_name1(enum kw_resource kind, struct kw_id id, char *text)
{
    const struct kw_resource_ids ids = {.id = {id}};

    return kw_resource_name(kind, &ids, text);
}

char *kw_request_id_text(struct kw_id id, char *text)
{
    char hex[2 * KW_ID_LEN + 1];

    kw_hex(kw_id_bytes(&id), hex);
    (void)snprintf(text, KW_REQUEST_ID_TEXT_SIZE, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8,
                   hex + 12, hex + 16, hex + 20);
    return text;
}

struct kw_result kw_request_id_parse(const char *text, struct kw_id *ret_id, struct kw_error *err)
{
    char hex[2 * KW_ID_LEN + 1];
    char canonical[KW_REQUEST_ID_TEXT_SIZE];
    struct kw_id id;
    size_t at = 0;

    KW_ENSURE(strlen(text) == KW_REQUEST_ID_TEXT_SIZE - 1, err, ARGUMENT_INVALID,
              "request_id is a UUID of 36 characters");
    for (const char *c = text; *c != '\0' && at < 2 * KW_ID_LEN; c++) {
        if (*c != '-') {
            hex[at++] = *c;
        }
    }
    hex[at] = '\0';
    KW_TRY(kw_unhex(hex, id.bytes, KW_ID_LEN, err));
    KW_ENSURE(strcmp(kw_request_id_text(id, canonical), text) == 0, err, ARGUMENT_INVALID,
              "request_id is not in the usual lower-case form");
    KW_ENSURE((id.bytes[6] >> 4 == 4 || id.bytes[6] >> 4 == 7) && id.bytes[8] >> 6 == 2, err,
              ARGUMENT_INVALID, "request_id is not a UUID of version 4 or 7");
    *ret_id = id;
    return KW_OK;
}

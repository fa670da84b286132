/* Deliveries from the wire, to a file and back. */
#include "cli/delivery.h"

#include "cli/json.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>

#define GROWTH         256
#define BASE64_LEN_MAX 128 /* of the fields read here */

static struct kw_result take(ProtobufCBinaryData from, void *to, size_t len, const char *what,
                             struct kw_error *err)
{
    KW_ENSURE(from.len == len, err, ENCODING_INVALID, "%s has %zu bytes, not %zu", what, from.len,
              len);
    kw_copy(to, from.data, len);
    return KW_OK;
}

static struct kw_result name_take(const char *from, char to[KW_RESOURCE_NAME_SIZE],
                                  struct kw_error *err)
{
    KW_ENSURE(from != NULL && strlen(from) < KW_RESOURCE_NAME_SIZE, err, ENCODING_INVALID,
              "a name is missing");
    kw_copy(to, from, strlen(from) + 1);
    return KW_OK;
}

struct kw_result kw_delivery_from_item(const Keyward__V1__BatchItem *item,
                                       struct kw_delivery *ret_delivery, struct kw_error *err)
{
    struct kw_delivery d = {.transport_key_version = item->transport_key_version};

    KW_TRY(name_take(item->device, d.device, err));
    KW_TRY(take(item->device_id, d.device_id.bytes, KW_ID_LEN, "device_id", err));
    KW_TRY(take(item->wrapped_key, d.wrapped_key, sizeof(d.wrapped_key), "wrapped_key", err));
    KW_TRY(take(item->check_value, d.check_value, sizeof(d.check_value), "check_value", err));
    *ret_delivery = d;
    return KW_OK;
}

struct kw_result kw_deliveries_add(struct kw_deliveries *deliveries,
                                   const struct kw_delivery *delivery, struct kw_error *err)
{
    if (deliveries->count == deliveries->cap) {
        size_t cap = deliveries->cap + GROWTH;
        struct kw_delivery *items = realloc(deliveries->items, cap * sizeof(*items));

        KW_ENSURE(items != NULL, err, MEMORY, "deliveries");
        deliveries->items = items;
        deliveries->cap = cap;
    }
    deliveries->items[deliveries->count++] = *delivery;
    return KW_OK;
}

void kw_deliveries_done(struct kw_deliveries *deliveries)
{
    if (deliveries != NULL) {
        free(deliveries->items);
        *deliveries = (struct kw_deliveries){0};
    }
}

/* A field of exactly `len` bytes in base64. */
static struct kw_result base64_take(const json_t *line, const char *name, void *to, size_t len,
                                    struct kw_error *err)
{
    const char *text = json_string_value(json_object_get(line, name));
    size_t text_len = text != NULL ? strlen(text) : 0;
    uint8_t bytes[BASE64_LEN_MAX];
    int decoded;

    KW_ENSURE(text_len == 4 * ((len + 2) / 3) && text_len <= BASE64_LEN_MAX, err, CONFIG_INVALID,
              "%s is missing or has another size", name);
    decoded = EVP_DecodeBlock(bytes, (const unsigned char *)text, (int)text_len);
    KW_ENSURE(decoded >= (int)len, err, CONFIG_INVALID, "%s is not base64", name);
    kw_copy(to, bytes, len);
    return KW_OK;
}

static struct kw_result item_read(const json_t *line, struct kw_deliveries *deliveries,
                                  struct kw_error *err)
{
    struct kw_delivery d = {.transport_key_version = (uint32_t)json_integer_value(
                                json_object_get(line, "transportKeyVersion"))};

    KW_TRY(name_take(json_string_value(json_object_get(line, "device")), d.device, err));
    KW_TRY(base64_take(line, "deviceId", d.device_id.bytes, KW_ID_LEN, err));
    KW_TRY(base64_take(line, "wrappedKey", d.wrapped_key, sizeof(d.wrapped_key), err));
    KW_TRY(base64_take(line, "checkValue", d.check_value, sizeof(d.check_value), err));
    return kw_deliveries_add(deliveries, &d, err);
}

static struct kw_result line_read(const json_t *line, bool first, struct kw_deliveries *deliveries,
                                  struct kw_error *err)
{
    if (first) {
        return name_take(json_string_value(json_object_get(line, "name")), deliveries->batch, err);
    }
    return item_read(line, deliveries, err);
}

static struct kw_result lines_read(FILE *in, const char *path, struct kw_deliveries *deliveries,
                                   struct kw_error *err)
{
    json_error_t at;
    json_t *line;

    for (bool first = true; !feof(in); first = false) {
        struct kw_result result;
        int next = getc(in);

        if (next == EOF) {
            break;
        }
        (void)ungetc(next, in);
        line = json_loadf(in, JSON_DISABLE_EOF_CHECK, &at);
        KW_ENSURE(line != NULL, err, CONFIG_INVALID, "%s: %s", path, at.text);
        result = line_read(line, first, deliveries, err);
        json_decref(line);
        KW_TRY(result);
        (void)getc(in); /* the line's end */
    }
    return KW_OK;
}

struct kw_result kw_deliveries_read(const char *path, struct kw_deliveries *deliveries,
                                    struct kw_error *err)
{
    FILE *in = fopen(path, "re");
    struct kw_result result;

    KW_ENSURE(in != NULL, err, CONFIG_INVALID, "%s: %s", path, strerror(errno));
    result = lines_read(in, path, deliveries, err);
    (void)fclose(in);
    return result;
}

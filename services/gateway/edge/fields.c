/* Header blocks: offsets instead of pointers, because the buffer moves while it grows. */
#include "services/gateway/edge/fields.h"

#include "services/gateway/edge/metadata.h"

void kw_edge_fields_done(struct kw_edge_fields *fields)
{
    kw_buf_done(&fields->text);
    fields->count = 0;
    fields->failed = false;
}

typedef struct kw_result encode_fn(struct kw_bytes value, struct kw_buf *out, struct kw_error *err);

static struct kw_result encode_plain(struct kw_bytes value, struct kw_buf *out,
                                     struct kw_error *err)
{
    return kw_buf_append(out, value, err);
}

static void add(struct kw_edge_fields *fields, const char *name, struct kw_bytes value,
                encode_fn *encode, bool varies)
{
    size_t i = fields->count;

    if (fields->failed || i == KW_EDGE_FIELDS_MAX) {
        fields->failed = true;
        return;
    }
    fields->field[i].name_at = fields->text.len;
    fields->field[i].name_len = strlen(name);
    if (!kw_ok(kw_buf_append(&fields->text, kw_bytes_str(name), NULL))) {
        fields->failed = true;
        return;
    }
    fields->field[i].value_at = fields->text.len;
    if (!kw_ok(encode(value, &fields->text, NULL))) {
        fields->failed = true;
        return;
    }
    fields->field[i].value_len = fields->text.len - fields->field[i].value_at;
    fields->field[i].varies = varies;
    fields->count++;
}

void kw_edge_fields_put(struct kw_edge_fields *fields, const char *name, struct kw_bytes value)
{
    add(fields, name, value, encode_plain, false);
}

void kw_edge_fields_put_metadata(struct kw_edge_fields *fields, const char *name,
                                 struct kw_bytes value)
{
    add(fields, name, value, kw_edge_name_is_binary(name) ? kw_edge_base64_encode : encode_plain,
        true);
}

void kw_edge_fields_put_percent(struct kw_edge_fields *fields, const char *name,
                                struct kw_bytes value)
{
    add(fields, name, value, kw_edge_percent_encode, true);
}

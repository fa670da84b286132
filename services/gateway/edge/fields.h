/* A header block being put together: names and values in one buffer, handed to nghttp2 at the end.
 */
#ifndef KW_SERVICES_GATEWAY_EDGE_FIELDS_H
#define KW_SERVICES_GATEWAY_EDGE_FIELDS_H

#include "common/base/bytes.h"

#define KW_EDGE_FIELDS_MAX 16

/* Zero-initialise; release with kw_edge_fields_done. Like the codec's writer it remembers the first
 * failure. */
struct kw_edge_fields {
    struct kw_buf text;
    struct {
        size_t name_at;
        size_t name_len;
        size_t value_at;
        size_t value_len;
        bool varies; /* differs from call to call: not worth a place in HPACK's table */
    } field[KW_EDGE_FIELDS_MAX];
    size_t count;
    bool failed;
};

void kw_edge_fields_done(struct kw_edge_fields *fields);

/* Adds a field that is the same in every answer, as it is. */
void kw_edge_fields_put(struct kw_edge_fields *fields, const char *name, struct kw_bytes value);

/* Adds a field; base64 if the name ends in "-bin". */
void kw_edge_fields_put_metadata(struct kw_edge_fields *fields, const char *name,
                                 struct kw_bytes value);

/* Adds a field, percent-encoded. */
void kw_edge_fields_put_percent(struct kw_edge_fields *fields, const char *name,
                                struct kw_bytes value);

#endif

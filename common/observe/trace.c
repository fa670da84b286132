/* W3C trace context: strict reading, canonical writing. */
#include "common/observe/trace.h"

#include "common/base/random.h"

#include <stdio.h>

#define FLAG_SAMPLED 1U

/* Where the fields of "00-<trace id>-<span id>-<flags>" begin. */
enum {
    TRACE_AT = 3,
    SPAN_AT = 36,
    FLAGS_AT = 53,
    TEXT_LEN = 55
};

static bool is_zero(const uint8_t *bytes, size_t len)
{
    uint8_t any = 0;

    for (size_t i = 0; i < len; i++) {
        any = (uint8_t)(any | bytes[i]);
    }
    return any == 0;
}

/* Fills an id; all zero means "none" and is never given out. */
static struct kw_result fill_id(uint8_t *id, size_t len, struct kw_error *err)
{
    KW_TRY(kw_random(id, len, err));
    if (is_zero(id, len)) {
        id[len - 1] = 1;
    }
    return KW_OK;
}

/* True if the first 55 characters are lower-case hex with dashes in the three places. */
static bool has_form(const char *text)
{
    for (size_t i = 0; i < TEXT_LEN; i++) {
        bool is_dash = i == TRACE_AT - 1 || i == SPAN_AT - 1 || i == FLAGS_AT - 1;

        if (is_dash ? text[i] != '-' : strchr("0123456789abcdef", text[i]) == NULL) {
            return false;
        }
    }
    return true;
}

/* Version ff is forbidden; 00 ends after the flags; a later one may go on after a dash. */
static bool has_version(struct kw_bytes text)
{
    const char *version = (const char *)text.data;

    if (strncmp(version, "ff", 2) == 0) {
        return false;
    }
    if (strncmp(version, "00", 2) == 0) {
        return text.len == TEXT_LEN;
    }
    return text.len == TEXT_LEN || version[TEXT_LEN] == '-';
}

struct kw_result kw_trace_parse(struct kw_bytes text, struct kw_trace *ret_trace,
                                struct kw_error *err)
{
    struct kw_trace trace;
    char copy[TEXT_LEN + 1] = "";
    uint8_t flags;

    KW_ENSURE(text.len >= TEXT_LEN, err, ARGUMENT_INVALID, "traceparent of %zu bytes", text.len);
    kw_copy(copy, text.data, TEXT_LEN);
    KW_ENSURE(memchr(copy, '\0', TEXT_LEN) == NULL && has_form(copy) && has_version(text), err,
              ARGUMENT_INVALID, "traceparent is malformed");
    copy[SPAN_AT - 1] = '\0';
    copy[FLAGS_AT - 1] = '\0';
    KW_TRY(kw_unhex(copy + TRACE_AT, trace.trace_id, sizeof(trace.trace_id), err));
    KW_TRY(kw_unhex(copy + SPAN_AT, trace.span_id, sizeof(trace.span_id), err));
    KW_TRY(kw_unhex(copy + FLAGS_AT, &flags, 1, err));
    KW_ENSURE(!is_zero(trace.trace_id, sizeof(trace.trace_id)) &&
                  !is_zero(trace.span_id, sizeof(trace.span_id)),
              err, ARGUMENT_INVALID, "traceparent with a zero id");
    trace.sampled = (flags & FLAG_SAMPLED) != 0;
    *ret_trace = trace;
    return KW_OK;
}

struct kw_result kw_trace_new(struct kw_trace *ret_trace, struct kw_error *err)
{
    struct kw_trace trace = {.sampled = false};

    KW_TRY(fill_id(trace.trace_id, sizeof(trace.trace_id), err));
    KW_TRY(fill_id(trace.span_id, sizeof(trace.span_id), err));
    *ret_trace = trace;
    return KW_OK;
}

struct kw_result kw_trace_child(const struct kw_trace *parent, struct kw_trace *ret_trace,
                                struct kw_error *err)
{
    struct kw_trace child = *parent;

    KW_TRY(fill_id(child.span_id, sizeof(child.span_id), err));
    *ret_trace = child;
    return KW_OK;
}

struct kw_result kw_trace_accept(struct kw_bytes text, struct kw_trace *ret_trace,
                                 struct kw_error *err)
{
    struct kw_trace parent;

    if (kw_ok(kw_trace_parse(text, &parent, NULL))) {
        return kw_trace_child(&parent, ret_trace, err);
    }
    return kw_trace_new(ret_trace, err);
}

char *kw_trace_text(const struct kw_trace *trace, char *text)
{
    char trace_id[2 * sizeof(trace->trace_id) + 1];
    char span_id[2 * sizeof(trace->span_id) + 1];

    kw_hex(KW_BYTES_OF(trace->trace_id), trace_id);
    kw_hex(KW_BYTES_OF(trace->span_id), span_id);
    (void)snprintf(text, KW_TRACE_TEXT_SIZE, "00-%s-%s-%02x", trace_id, span_id,
                   trace->sampled ? FLAG_SAMPLED : 0U);
    return text;
}

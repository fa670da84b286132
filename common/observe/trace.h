/* Trace context: the ids that tie together what the layers log about one call.
 *
 * Implements the `traceparent` of W3C Trace Context (Level 1), strictly: lower-case hex, no zero
 * ids, version 00 of exactly 55 characters, later versions by their first 55. Of the flags only
 * `sampled` is carried on.
 */
#ifndef KW_COMMON_OBSERVE_TRACE_H
#define KW_COMMON_OBSERVE_TRACE_H

#include "common/base/bytes.h"

#define KW_TRACE_TEXT_SIZE 56 /* "00-" 32 "-" 16 "-" 2 and a NUL */

struct kw_trace {
    uint8_t trace_id[16];
    uint8_t span_id[8];
    bool sampled;
};

/* Reads a traceparent. Fails: ARGUMENT_INVALID. */
struct kw_result kw_trace_parse(struct kw_bytes text, struct kw_trace *ret_trace,
                                struct kw_error *err);

/* A new trace, not sampled. Fails: SYSTEM (no randomness). */
struct kw_result kw_trace_new(struct kw_trace *ret_trace, struct kw_error *err);

/* A new span in the trace of `parent`. Fails: SYSTEM. */
struct kw_result kw_trace_child(const struct kw_trace *parent, struct kw_trace *ret_trace,
                                struct kw_error *err);

/* What a server does with the header it received: a child of it, or a new trace if it is missing or
 * malformed, as the standard demands. Fails: SYSTEM. */
struct kw_result kw_trace_accept(struct kw_bytes text, struct kw_trace *ret_trace,
                                 struct kw_error *err);

/* Writes the traceparent; `text` has KW_TRACE_TEXT_SIZE bytes. Returns `text`. */
char *kw_trace_text(const struct kw_trace *trace, char *text);

#endif

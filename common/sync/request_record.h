/* Requests, as both owners keep them: exactly once is a promise inside a cell; between cells that
 * can't hear one another it can only be found out that something was done twice, and said alike.
 *
 * A retry that reaches another cell before the first try's record does runs again. Both runs are
 * kept, so it is never hidden; every cell then answers with the earlier run's answer. */
#ifndef KW_COMMON_SYNC_REQUEST_RECORD_H
#define KW_COMMON_SYNC_REQUEST_RECORD_H

#include "common/base/codec.h"
#include "common/base/id.h"
#include "common/sync/record.h"

enum kw_request_field {
    KW_REQUEST_FIELD_ANSWER = 1, /* of the earliest run */
    KW_REQUEST_FIELD_RUNS,       /* one element for each time it was done */
    KW_REQUEST_FIELD_END_,
};

extern const struct kw_field_kind kw_request_fields[KW_REQUEST_FIELD_END_];

/* One run. Encoded time u64 ‖ store (16) ‖ content (32), so that the earliest is the first. */
struct kw_request_run {
    uint64_t time_ms;
    struct kw_id store;
    uint8_t content[KW_SHA256_LEN]; /* digest of what was asked for */
};

/* Appends a run as an element of RUNS; the caller appends them in order. */
void kw_put_request_run(struct kw_writer *w, const struct kw_request_run *run);

/* The earliest run. False: there is none that can be read. */
bool kw_request_record_run(const struct kw_record *record, struct kw_request_run *ret_run);

/* Is each of its runs one? */
bool kw_request_record_sound(const struct kw_record *record);

/* What the earliest run, whose answer is kept, was asked for; zeros where no run is known. */
void kw_request_record_content(const struct kw_record *record, uint8_t ret_content[KW_SHA256_LEN]);

/* Was it done more than once? */
bool kw_request_record_twice(const struct kw_record *record);

/* Was it done for different content: one id that stands for two requests? */
bool kw_request_record_reused(const struct kw_record *record);

#endif

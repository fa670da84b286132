/* Requests. */
#include "common/sync/request_record.h"

#include "common/sync/grow_set.h"

#define RUN_LEN (8 + KW_ID_LEN + KW_SHA256_LEN)

const struct kw_field_kind kw_request_fields[KW_REQUEST_FIELD_END_] = {
    [KW_REQUEST_FIELD_ANSWER] = {"answer", KW_RULE_FIRST},
    [KW_REQUEST_FIELD_RUNS] = {"runs", KW_RULE_RIVALS},
};

void kw_put_request_run(struct kw_writer *w, const struct kw_request_run *run)
{
    uint8_t element[RUN_LEN];

    kw_be64_store(element, run->time_ms);
    kw_copy(element + 8, run->store.bytes, KW_ID_LEN);
    kw_copy(element + 8 + KW_ID_LEN, run->content, KW_SHA256_LEN);
    kw_put_set_element(w, KW_BYTES_OF(element));
}

bool kw_request_record_run(const struct kw_record *record, struct kw_request_run *ret_run)
{
    struct kw_bytes runs = kw_record_value(record, KW_REQUEST_FIELD_RUNS);
    struct kw_request_run run;
    struct kw_reader r;

    if (!kw_set_next(&runs, &r.rest)) {
        return false;
    }
    r.failed = false;
    run.time_ms = kw_get_u64(&r);
    kw_get_copy(&r, run.store.bytes, KW_ID_LEN);
    kw_get_copy(&r, run.content, KW_SHA256_LEN);
    if (r.failed || r.rest.len != 0) {
        return false;
    }
    *ret_run = run;
    return true;
}

bool kw_request_record_sound(const struct kw_record *record)
{
    struct kw_bytes runs = kw_record_value(record, KW_REQUEST_FIELD_RUNS);
    struct kw_bytes run;

    while (kw_set_next(&runs, &run)) {
        if (run.len != RUN_LEN) {
            return false;
        }
    }
    return true;
}

bool kw_request_record_twice(const struct kw_record *record)
{
    return kw_set_count(kw_record_value(record, KW_REQUEST_FIELD_RUNS)) > 1;
}

/* What a run was asked for; empty for an element that is no run. */
static struct kw_bytes content_of(struct kw_bytes run)
{
    if (run.len != RUN_LEN) {
        return KW_BYTES_NONE;
    }
    return KW_BYTES(run.data + RUN_LEN - KW_SHA256_LEN, KW_SHA256_LEN);
}

void kw_request_record_content(const struct kw_record *record, uint8_t ret_content[KW_SHA256_LEN])
{
    struct kw_bytes runs = kw_record_value(record, KW_REQUEST_FIELD_RUNS);
    struct kw_bytes run = KW_BYTES_NONE;

    kw_wipe(ret_content, KW_SHA256_LEN);
    if (kw_set_next(&runs, &run) && run.len == RUN_LEN) {
        kw_copy(ret_content, content_of(run).data, KW_SHA256_LEN);
    }
}

bool kw_request_record_reused(const struct kw_record *record)
{
    struct kw_bytes runs = kw_record_value(record, KW_REQUEST_FIELD_RUNS);
    struct kw_bytes first;
    struct kw_bytes run;

    if (!kw_set_next(&runs, &first)) {
        return false;
    }
    while (kw_set_next(&runs, &run)) {
        if (!kw_bytes_equal(content_of(first), content_of(run))) {
            return true;
        }
    }
    return false;
}

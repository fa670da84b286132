/* Requests on the feed. */
#include "services/orchestrator/request_feed.h"

#include "common/feed/instance.h"
#include "common/feed/intent.h"
#include "common/sync/first.h"
#include "common/sync/grow_set.h"
#include "services/orchestrator/field_forms.h"
#include "services/orchestrator/request_merge.h"

/* Method u32 ‖ request id ‖ first item u32 ‖ the caller's SPIFFE id. */
static struct kw_result name_write(const struct kw_request_key *key, struct kw_buf *out,
                                   struct kw_error *err)
{
    struct kw_writer w = KW_WRITER(out);

    kw_put_u32(&w, key->method);
    kw_put_raw(&w, kw_id_bytes(&key->request));
    kw_put_u32(&w, key->first);
    kw_put_raw(&w, kw_bytes_str(key->caller));
    return kw_writer_end(&w, err);
}

static struct kw_result name_read(struct kw_bytes name, struct kw_request_key *ret_key,
                                  struct kw_bytes *ret_caller, struct kw_error *err)
{
    struct kw_reader r = KW_READER(name);
    struct kw_request_key key = {.method = kw_get_u32(&r)};

    kw_get_copy(&r, key.request.bytes, KW_ID_LEN);
    key.first = kw_get_u32(&r);
    KW_ENSURE(!r.failed && r.rest.len > 0 && kw_is_text(r.rest), err, ENCODING_INVALID,
              "a request's name is none");
    *ret_caller = r.rest;
    *ret_key = key;
    return KW_OK;
}

/* Length of the response u32 ‖ response ‖ outcome. */
static struct kw_result answer_write(const struct kw_request_row *row, struct kw_buf *out,
                                     struct kw_error *err)
{
    struct kw_writer w = KW_WRITER(out);

    kw_put_u32(&w, (uint32_t)row->response.len);
    kw_put_raw(&w, row->response);
    kw_put_raw(&w, row->outcome);
    return kw_writer_end(&w, err);
}

static struct kw_result run_write(const struct kw_feed_tx *feed_tx,
                                  const struct kw_request_row *row, struct kw_buf *out,
                                  struct kw_error *err)
{
    struct kw_request_run run = {.time_ms = row->created_ms,
                                 .store = kw_feed_instance(feed_tx->feed)};
    struct kw_writer w = KW_WRITER(out);

    kw_copy(run.content, row->content, sizeof(run.content));
    kw_put_request_run(&w, &run);
    return kw_writer_end(&w, err);
}

struct kw_result kw_request_add(const struct kw_feed_tx *feed_tx, const struct kw_request_key *key,
                                const struct kw_request_row *row, struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf name = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf answer = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf run = {0};
    struct kw_intent intent;
    struct kw_record merged;

    KW_TRY(name_write(key, &name, err));
    KW_TRY(answer_write(row, &answer, err));
    KW_TRY(run_write(feed_tx, row, &run, err));
    intent = kw_intent(&kw_orch_request_record, kw_buf_bytes(&name), feed_tx->arena);
    kw_intent_first(&intent, KW_REQUEST_FIELD_ANSWER, feed_tx->feed, row->created_ms,
                    kw_buf_bytes(&answer));
    kw_intent_bytes(&intent, KW_REQUEST_FIELD_RUNS, kw_buf_bytes(&run));
    KW_TRY(kw_intent_say(&intent, feed_tx, &merged, err));
    KW_ENSURE(!kw_request_record_twice(&merged), err, STORE_CONFLICT,
              "the request has just been done by somebody else");
    return KW_OK;
}

/* What the earliest run answered, and what it was asked for. */
static struct kw_result answer_read(const struct kw_record *record, struct kw_request_row *ret_row,
                                    struct kw_error *err)
{
    struct kw_request_row row = {.created_ms = kw_form_time(record, KW_REQUEST_FIELD_ANSWER)};
    struct kw_first first = {0};
    struct kw_reader r;

    (void)kw_first_read(kw_record_value(record, KW_REQUEST_FIELD_ANSWER), &first);
    r = KW_READER(first.detail);
    row.response = kw_get_raw(&r, kw_get_u32(&r));
    row.outcome = r.rest;
    KW_ENSURE(!r.failed && kw_form_is_time(row.created_ms), err, ENCODING_INVALID,
              "a request's answer is none");
    *ret_row = row;
    return KW_OK;
}

struct kw_result kw_request_check(const struct kw_record *record, struct kw_error *err)
{
    struct kw_request_key key;
    struct kw_request_row row;
    struct kw_bytes caller;

    KW_TRY(name_read(record->key, &key, &caller, err));
    KW_ENSURE(kw_request_record_sound(record), err, ENCODING_INVALID, "a request's run is none");
    return kw_record_has(record, KW_REQUEST_FIELD_ANSWER) ? answer_read(record, &row, err) : KW_OK;
}

struct kw_result kw_request_project(struct kw_tx *tx, const struct kw_record *merged,
                                    struct kw_arena *arena, struct kw_error *err)
{
    static const uint8_t whole[] = {KW_REQUEST_FIELD_ANSWER, KW_REQUEST_FIELD_RUNS};
    struct kw_request_key key;
    struct kw_request_row row;
    struct kw_bytes caller;

    if (!kw_fields_there(merged, whole, sizeof(whole))) {
        return KW_OK;
    }
    KW_TRY(name_read(merged->key, &key, &caller, err));
    KW_TRY(kw_form_text(caller, arena, &key.caller, err));
    KW_TRY(answer_read(merged, &row, err));
    kw_request_record_content(merged, row.content);
    return kw_request_put(tx, &key, &row, err);
}

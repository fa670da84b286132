/* The life of a call. */
#include "services/authz/call.h"

#include "common/base/clock.h"
#include "common/base/container.h"
#include "common/base/failpoint.h"
#include "common/base/log.h"
#include "common/base/metrics.h"
#include "common/rpc/arena_proto.h"
#include "keyward/internal/v1/context.pb-c.h"
#include "services/authz/audit_table.h"
#include "services/authz/forward.h"
#include "services/authz/operations.h"
#include "services/authz/request_table.h"

#include <stdio.h>
#include <stdlib.h>

/* --- the end --- */

static void call_free(struct kw_authz_call *call)
{
    struct kw_authz *authz = call->authz;

    if (call->release != NULL) {
        call->release(call);
    }
    kw_inner_done(&call->inner);
    kw_caller_done(&call->caller);
    kw_arena_free(call->arena);
    free(call);
    authz->calls--;
    if (authz->calls == 0 && authz->calls_gone != NULL) {
        authz->calls_gone(authz->context);
    }
}

/* How a call ends, for the caller and for the log. */
struct ending {
    struct kw_hop_status status;
    const char *detail; /* never shown */
};

/* What says something about who may do what; the rest is somebody's mistake or trouble of ours. */
static bool is_denial(enum kw_reason reason)
{
    static const enum kw_reason denials[] = {
        KW_E_IDENTITY_INVALID, KW_E_PERMISSION_DENIED,         KW_E_SIGNATURE_INVALID,
        KW_E_NOT_FOUND,        KW_E_REQUEST_ID_REUSED,         KW_E_QUOTA_EXCEEDED,
        KW_E_AUTHZ_STALE,      KW_E_TRANSPORT_KEY_UNCONFIRMED, KW_E_ENROLLMENT_HELD,
        KW_E_KEY_STATE,
    };

    for (size_t i = 0; i < sizeof(denials) / sizeof(denials[0]); i++) {
        if (reason == denials[i]) {
            return true;
        }
    }
    return false;
}

static void deny(struct kw_authz_call *call, enum kw_reason reason, const char *detail)
{
    struct kw_denial denial = {
        .time_ms = kw_clock_wall_ms(), /* not the call's: a stream may be old */
        .method = (uint32_t)call->method->id,
        .times = 1,
    };

    kw_copy(denial.fingerprint, call->caller.fingerprint, sizeof(denial.fingerprint));
    kw_copy(denial.caller, call->caller.spiffe_id, sizeof(denial.caller));
    (void)snprintf(denial.peer, sizeof(denial.peer), "%s", call->caller.peer);
    (void)snprintf(denial.reason, sizeof(denial.reason), "%s", kw_reason_row(reason)->name);
    (void)snprintf(denial.detail, sizeof(denial.detail), "%.*s", (int)sizeof(denial.detail) - 1,
                   detail);
    kw_diary_deny(&call->authz->diary, &denial);
}

void kw_authz_call_denied(struct kw_authz_call *call, const struct kw_error *error)
{
    if (is_denial(error->reason)) {
        deny(call, error->reason, error->message);
    }
}

static void note_end(struct kw_authz_call *call, enum kw_reason reason)
{
    const char *label = reason == KW_E_NONE ? "ok" : kw_reason_row(reason)->label;

    kw_metric_add(KW_M_RPC_HANDLED, label, 1);
    kw_metric_observe(KW_M_RPC_SECONDS, call->method->path,
                      (double)(kw_clock_mono_ns() - call->started_ns) / KW_NS_PER_S);
}

static void fail(struct kw_authz_call *call, const struct ending *ending)
{
    enum kw_reason reason = ending->status.reason;

    note_end(call, reason);
    KW_LOG(INFO, "call failed", KW_F_STR("method", call->method->path),
           KW_F_STR("caller", call->caller.spiffe_id),
           KW_F_STR("reason", kw_reason_row(reason)->name), KW_F_STR("detail", ending->detail));
    if (is_denial(reason)) {
        deny(call, reason, ending->detail);
    }
    if (call->hop != NULL) {
        kw_hop_finish(call->hop, &ending->status, KW_BYTES_NONE);
    }
    call_free(call);
}

void kw_authz_call_fail(struct kw_authz_call *call, const struct kw_error *error)
{
    const struct ending ending = {
        .status = {.reason = error->reason,
                   .field = error->reason == KW_E_ARGUMENT_INVALID ? call->field : "",
                   .description = "",
                   .retry_after_ms = call->retry_after_ms},
        .detail = error->message,
    };

    fail(call, &ending);
}

void kw_authz_call_fail_inner(struct kw_authz_call *call)
{
    const struct kw_inner *inner = &call->inner;
    const struct ending ending = {
        .status = {.reason = inner->reason,
                   .field = inner->field,
                   .description = inner->description,
                   .retry_after_ms = inner->retry_after_ms},
        .detail = inner->detail[0] != '\0' ? inner->detail : "inner layer",
    };

    fail(call, &ending);
}

/* Nothing, where nobody wanted to know, or nothing was changed. What the orchestrator keeps of it follows by itself:
 * whoever has what we say of it refuses by that alone. */
static Keyward__Internal__V1__Copies reached_of(const struct kw_authz_call *call)
{
    static const Keyward__Internal__V1__Copies copies[] = {
        [KW_COPY_LOCAL] = KEYWARD__INTERNAL__V1__COPIES__COPIES_LOCAL,
        [KW_COPY_CELL] = KEYWARD__INTERNAL__V1__COPIES__COPIES_CELL,
        [KW_COPY_REGION] = KEYWARD__INTERNAL__V1__COPIES__COPIES_REGION,
        [KW_COPY_ALL] = KEYWARD__INTERNAL__V1__COPIES__COPIES_ALL,
    };

    return call->copy.asked > KW_COPY_CELL && call->copy.said
               ? copies[call->copy.reached]
               : KEYWARD__INTERNAL__V1__COPIES__COPIES_UNSPECIFIED;
}

/* What the gateway is told beside the message: nothing of the chain, which is not its business. */
static struct kw_result outcome_make(struct kw_authz_call *call, struct kw_bytes *ret_context,
                                     struct kw_error *err)
{
    Keyward__Internal__V1__Outcome outcome = KEYWARD__INTERNAL__V1__OUTCOME__INIT;

    outcome.receipt_id = kw_field_bytes(call->inner.outcome.receipt_id);
    outcome.replayed = call->replayed || call->inner.outcome.replayed;
    outcome.local_only = call->copy.missing || call->inner.outcome.local_only;
    outcome.reached = reached_of(call);
    return kw_arena_pack(call->arena, &outcome.base, ret_context, err);
}

/* The gateway holds this very answer: it need not travel again. */
static bool gateway_has_it(const struct kw_authz_call *call)
{
    uint8_t digest[KW_SHA256_LEN];

    return (call->replayed || call->inner.outcome.replayed) &&
           call->caller.cached_digest.len == KW_SHA256_LEN &&
           kw_ok(kw_sha256(call->response, digest, NULL)) &&
           kw_bytes_equal(call->caller.cached_digest, KW_BYTES_OF(digest));
}

static struct kw_result answer_make(struct kw_authz_call *call, struct kw_bytes *ret_context,
                                    struct kw_error *err)
{
    KW_FAILPOINT(KW_FP_AUTHZ_BEFORE_ANSWER, err);
    return outcome_make(call, ret_context, err);
}

static void copied(struct kw_second_copy *copy)
{
    kw_authz_call_answer(KW_CONTAINER_OF(copy, struct kw_authz_call, copy));
}

void kw_authz_call_answer(struct kw_authz_call *call)
{
    const struct kw_hop_status success = {.reason = KW_E_NONE};
    struct kw_hop_item item = {.data = call->response};
    struct kw_error error;

    if (kw_second_copy_await(&call->copy, call->authz->feed_service, copied)) {
        return;
    }
    if (!kw_ok(answer_make(call, &item.context, &error))) {
        kw_authz_call_fail(call, &error);
        return;
    }
    note_end(call, KW_E_NONE);
    if (call->hop != NULL && gateway_has_it(call)) {
        kw_hop_finish(call->hop, &success, item.context);
    } else if (call->hop != NULL) {
        kw_hop_reply(call->hop, item);
    }
    call_free(call);
}

void kw_authz_call_end_stream(struct kw_authz_call *call)
{
    const struct kw_hop_status success = {.reason = KW_E_NONE};

    note_end(call, KW_E_NONE);
    if (call->hop != NULL) {
        kw_hop_finish(call->hop, &success, KW_BYTES_NONE);
    }
    call_free(call);
}

struct kw_result kw_authz_call_respond(struct kw_authz_call *call, const ProtobufCMessage *message,
                                       struct kw_error *err)
{
    return kw_arena_pack(call->arena, message, &call->response, err);
}

/* --- steps on the store's thread --- */

static struct kw_result step_run(struct kw_store_job *job, struct kw_tx *tx, struct kw_error *err)
{
    struct kw_authz_call *call = KW_CONTAINER_OF(job, struct kw_authz_call, job);

    return call->step_run(call, tx, err);
}

static struct kw_result write_run(struct kw_store_job *job, struct kw_tx *tx, struct kw_error *err)
{
    struct kw_authz_call *call = KW_CONTAINER_OF(job, struct kw_authz_call, job);
    const struct kw_feed_tx feed_tx = kw_authz_call_feed(call, tx);

    kw_second_copy_begin(&call->copy, feed_tx.feed);
    KW_TRY(call->step_run(call, tx, err));
    return kw_second_copy_note(&call->copy, &feed_tx, err);
}

static void step_done(struct kw_store_job *job)
{
    struct kw_authz_call *call = KW_CONTAINER_OF(job, struct kw_authz_call, job);

    if (kw_ok(job->result)) {
        call->step_done(call);
    } else {
        kw_authz_call_fail(call, &job->error);
    }
}

void kw_authz_call_step(struct kw_authz_call *call, bool write,
                        struct kw_result (*run)(struct kw_authz_call *call, struct kw_tx *tx,
                                                struct kw_error *err),
                        void (*done)(struct kw_authz_call *call))
{
    struct kw_store *store = call->authz->store;
    struct kw_error error;
    struct kw_result result;

    call->step_run = run;
    call->step_done = done;
    call->job = (struct kw_store_job){.run = write ? write_run : step_run,
                                      .done = step_done,
                                      .vital = call->returned || call->operation->vital};
    result = write ? kw_store_write(store, &call->job, &error)
                   : kw_store_read(store, &call->job, &error);
    if (!kw_ok(result)) {
        kw_authz_call_fail(call, &error);
    }
}

struct kw_feed_tx kw_authz_call_feed(struct kw_authz_call *call, struct kw_tx *tx)
{
    return (struct kw_feed_tx){
        .feed = &call->authz->feed, .tx = tx, .arena = call->arena, .wall_ms = call->now_ms};
}

struct kw_result kw_authz_call_admit(struct kw_authz_call *call, struct kw_tx *tx,
                                     struct kw_error *err)
{
    struct kw_caller *caller = &call->caller;

    KW_TRY(kw_caller_admit(caller, tx, call->now_ms, call->arena, err));
    KW_ENSURE((call->method->roles & (unsigned)caller->role) != 0, err, PERMISSION_DENIED,
              "not for this role");
    if (kw_caller_must_sign(caller, call->method)) {
        KW_TRY(kw_caller_signed(caller, call->method, &call->request_id, call->body_hash,
                                call->now_ms, err));
    }
    return KW_OK;
}

struct kw_result kw_authz_call_audit(struct kw_authz_call *call, struct kw_tx *tx,
                                     struct kw_error *err)
{
    const struct kw_audit_entry entry = {
        .time_ms = call->now_ms,
        .caller = call->caller.spiffe_id,
        .certificate = call->caller.certificate,
        .peer = call->caller.peer,
        .method = (uint32_t)call->method->id,
        .subject = call->subject,
        .body = call->body,
        .signature = call->caller.signature,
    };

    return kw_audit_insert(tx, &entry, err);
}

/* Exactly once: what the request id did before is answered again; else effect, audit entry and the
 * request's row stand or fall together. */
static struct kw_result mutate(struct kw_authz_call *call, struct kw_tx *tx, struct kw_error *err)
{
    const struct kw_request_key key = {call->caller.id.id, (uint32_t)call->method->id,
                                       call->request_id};
    const struct kw_feed_tx feed_tx = kw_authz_call_feed(call, tx);
    struct kw_request_row row = {.created_ms = call->now_ms};
    bool found;

    KW_TRY(kw_request_find(tx, &key, call->arena, &row, &found, err));
    if (found) {
        KW_ENSURE(kw_bytes_equal(KW_BYTES_OF(row.body_hash), KW_BYTES_OF(call->body_hash)), err,
                  REQUEST_ID_REUSED, "another body before");
        call->response = row.response;
        call->replayed = true;
        return KW_OK;
    }
    KW_FAILPOINT(KW_FP_AUTHZ_BEFORE_EFFECT, err);
    KW_TRY(call->operation->run(call, tx, err));
    if (call->validate_only) {
        return KW_OK;
    }
    kw_copy(row.body_hash, call->body_hash, sizeof(row.body_hash));
    row.response = call->response;
    KW_TRY(kw_request_insert(&feed_tx, &key, &row, err));
    KW_TRY(kw_authz_call_audit(call, tx, err));
    KW_FAILPOINT(KW_FP_AUTHZ_AFTER_EFFECT, err);
    return KW_OK;
}

/* What has waited here for too long is dropped before anything is done for it. Later there may be an
 * effect, which is kept, whatever becomes of the answer. */
static struct kw_result first_run(struct kw_authz_call *call, struct kw_tx *tx,
                                  struct kw_error *err)
{
    KW_ENSURE(kw_clock_mono_ns() < call->deadline_ns, err, DEADLINE_EXCEEDED, "waited too long");
    KW_TRY(kw_authz_call_admit(call, tx, err));
    if (call->method->ends == KW_LAYER_AUTHZ && kw_method_has(call->method, KW_METHOD_MUTATES)) {
        return mutate(call, tx, err);
    }
    return call->operation->run != NULL ? call->operation->run(call, tx, err) : KW_OK;
}

void kw_authz_call_disabled(struct kw_authz_call *call)
{
    if (call->disabled) {
        atomic_fetch_add(&call->authz->epoch, 1);
        call->disabled = false;
    }
}

static void first_done(struct kw_authz_call *call)
{
    kw_authz_call_disabled(call);
    if (call->operation->proceed != NULL) {
        call->operation->proceed(call);
    } else if (kw_method_has(call->method, KW_METHOD_MUTATES)) {
        kw_authz_call_answer(call); /* it is done, whatever was disabled meanwhile */
    } else {
        kw_forward_go_on(call, kw_authz_call_answer);
    }
}

/* --- the beginning --- */

static void on_cancel(struct kw_hop_call *hop, void *user)
{
    struct kw_authz_call *call = user;

    (void)hop;
    call->hop = NULL;
    if (!kw_method_has(call->method, KW_METHOD_MUTATES)) {
        kw_inner_cancel(&call->inner);
    }
    kw_second_copy_give_up(&call->copy); /* last: it may end the call */
}

static const struct kw_hop_events events = {.cancel = on_cancel};

static struct kw_result read_request(struct kw_authz_call *call, struct kw_error *err)
{
    const ProtobufCMethodDescriptor *messages = kw_method_messages(call->method);
    ProtobufCMessage *request;

    KW_TRY(kw_sha256(call->body, call->body_hash, err));
    KW_TRY(kw_message_unpack(messages->input, call->body, call->arena, &request, err));
    call->request = request;
    if (kw_method_has(call->method, KW_METHOD_MUTATES)) {
        struct kw_result result =
            kw_request_id_parse(kw_message_request_id(request), &call->request_id, err);

        call->field = kw_ok(result) ? "" : "request_id";
        call->validate_only = kw_message_validate_only(request);
        return result;
    }
    return KW_OK;
}

/* Some of the caller's time is kept, to answer in. */
static void note_wait(struct kw_authz_call *call)
{
    uint64_t now_ns = kw_clock_mono_ns();
    uint64_t left_ns = call->deadline_ns > now_ns ? call->deadline_ns - now_ns : 0;
    uint64_t margin_ns = KW_WAIT_MARGIN_MS * KW_NS_PER_MS;

    call->copy.asked = call->caller.wait;
    call->copy.until_ns = call->deadline_ns - (left_ns / 4 < margin_ns ? left_ns / 4 : margin_ns);
}

static struct kw_result begin(struct kw_authz_call *call, const struct kw_hop_open *open,
                              struct kw_error *err)
{
    struct kw_authz *authz = call->authz;
    struct kw_bytes context;

    KW_ENSURE(open->has_item, err, ENCODING_INVALID, "no request");
    KW_TRY(kw_arena_copy(call->arena, open->item.data, &call->body, err));
    KW_TRY(kw_arena_copy(call->arena, open->item.context, &context, err));
    KW_TRY(kw_arena_copy(call->arena, open->trace, &call->trace, err));
    KW_TRY(kw_caller_read(authz->callers, context, authz->config->trust_domain, call->arena,
                          &call->caller, err));
    note_wait(call);
    return read_request(call, err);
}

static struct kw_authz_call *call_new(struct kw_hop_call *hop, const struct kw_hop_open *open,
                                      const struct kw_authz_operation *operation,
                                      struct kw_authz *authz)
{
    struct kw_authz_call *call = calloc(1, sizeof(*call));
    struct kw_arena *arena = kw_arena_new(KW_REQUEST_ARENA_MAX);

    if (call == NULL || arena == NULL) {
        free(call);
        kw_arena_free(arena);
        return NULL;
    }
    *call = (struct kw_authz_call){
        .authz = authz,
        .hop = hop,
        .arena = arena,
        .method = kw_method_by_id(open->method),
        .operation = operation,
        .caller = {.peer = ""},
        .deadline_ns = open->deadline_ns,
        .ended = open->end,
        .started_ns = kw_clock_mono_ns(),
        .now_ms = kw_clock_wall_ms(),
        .field = "",
        .subject = "",
        .epoch = authz->epoch,
        .decided_ns = kw_clock_mono_ns(),
    };
    authz->calls++;
    return call;
}

static void refuse(struct kw_hop_call *hop, enum kw_reason reason)
{
    const struct kw_hop_status status = {.reason = reason, .field = "", .description = ""};

    kw_metric_add(KW_M_RPC_HANDLED, kw_reason_row(reason)->label, 1);
    kw_hop_finish(hop, &status, KW_BYTES_NONE);
}

void kw_authz_call_open(struct kw_hop_call *hop, const struct kw_hop_open *open,
                        struct kw_authz *authz)
{
    const struct kw_authz_operation *operation = kw_authz_operation_find(open->method);
    struct kw_authz_call *call;
    struct kw_error error;

    if (operation == NULL) {
        refuse(hop, KW_E_METHOD_UNKNOWN);
        return;
    }
    if (kw_feed_service_joins(authz->feed_service) && open->method != KW_METHOD_GET_STATUS) {
        refuse(hop, KW_E_STORE_JOINING);
        return;
    }
    call = call_new(hop, open, operation, authz);
    if (call == NULL) {
        refuse(hop, KW_E_MEMORY);
        return;
    }
    kw_hop_serve(hop, &events, call);
    if (!kw_ok(begin(call, open, &error))) {
        kw_authz_call_fail(call, &error);
        return;
    }
    if (kw_method_has(call->method, KW_METHOD_CLIENT_STREAM)) {
        operation->proceed(call); /* every chunk is decided by itself */
        return;
    }
    kw_authz_call_step(call, operation->writes && !call->validate_only, first_run, first_done);
}

const char *kw_authz_call_text(const struct kw_authz_call *call, const char *field)
{
    const ProtobufCFieldDescriptor *found =
        protobuf_c_message_descriptor_get_field_by_name(call->request->descriptor, field);
    const void *place;

    if (found == NULL || found->type != PROTOBUF_C_TYPE_STRING) {
        return "";
    }
    place = (const uint8_t *)call->request + found->offset;
    return *(const char *const *)place;
}

struct kw_result kw_authz_call_name(struct kw_authz_call *call, enum kw_resource kind,
                                    const char *field, const char *name,
                                    struct kw_resource_ids *ret_ids, struct kw_error *err)
{
    struct kw_result result = kw_resource_parse(kind, name, ret_ids, err);

    if (!kw_ok(result)) {
        call->field = field;
    }
    return result;
}

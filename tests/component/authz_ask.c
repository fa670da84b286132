/* What the gateway does: caller, signature, hop call, and what comes back. */
#include "common/audit/request_signature.h"
#include "common/base/clock.h"
#include "common/rpc/arena_proto.h"
#include "tests/component/authz_fixture.h"
#include "tests/support/faults.h"

#include <stdio.h>

#define MINUTE_MS 60000U

/* An outcome without content takes no bytes. */
static const Keyward__Internal__V1__Outcome nothing = KEYWARD__INTERNAL__V1__OUTCOME__INIT;

/* --- the caller's part --- */

static bool signs(const struct question *question)
{
    const struct kw_method *method = kw_method_by_id((uint32_t)question->method);

    return !question->not_signed &&
           (kw_method_has(method, KW_METHOD_SIGNED) || (question->caller->role == KW_ROLE_STATION &&
                                                        kw_method_has(method, KW_METHOD_MUTATES)));
}

struct kw_bytes authz_packed(struct authz_fixture *fx, const ProtobufCMessage *message)
{
    struct kw_bytes bytes;

    MUST(kw_arena_pack(fx->arena, message, &bytes, err));
    return bytes;
}

static struct kw_bytes signature(struct authz_fixture *fx, const struct question *question)
{
    KW_SCOPED(kw_buf_done) struct kw_buf value = {0};
    const ProtobufCMessage *body =
        question->signed_body != NULL ? question->signed_body : question->body;
    enum kw_method_id method =
        question->signed_method != 0 ? question->signed_method : question->method;
    uint64_t not_after =
        question->not_after_ms != 0 ? question->not_after_ms : kw_clock_wall_ms() + MINUTE_MS;
    uint8_t body_hash[KW_SHA256_LEN];
    struct kw_id request_id = KW_ID_NONE;
    struct kw_bytes copy;
    struct kw_signed_request request = {
        .method = kw_bytes_str(kw_method_by_id((uint32_t)method)->path), .body_hash = body_hash};

    MUST(kw_sha256(authz_packed(fx, body), body_hash, err));
    KW_IGNORE(kw_request_id_parse(kw_message_request_id(body), &request_id, NULL));
    request.request_id = kw_id_bytes(&request_id);
    MUST(kw_request_signature_make(question->key != NULL ? question->key : &question->caller->key,
                                   &request, not_after, &value, err));
    MUST(kw_arena_copy(fx->arena, kw_buf_bytes(&value), &copy, err));
    return copy;
}

static struct kw_bytes caller_message(struct authz_fixture *fx, const struct question *question,
                                      struct kw_bytes signed_value)
{
    Keyward__Internal__V1__Caller message = KEYWARD__INTERNAL__V1__CALLER__INIT;

    message.certificate = kw_field_bytes(question->caller->certificate);
    message.peer_address = (char *)(uintptr_t) "192.0.2.1:4711";
    message.signature = kw_field_bytes(signed_value);
    message.cached_digest = kw_field_bytes(question->cached_digest);
    message.wait = question->wait;
    return authz_packed(fx, &message.base);
}

/* --- what comes back --- */

static void take_outcome(struct answer *answer, struct kw_bytes context)
{
    ProtobufCMessage *outcome;

    if (context.len > 0) {
        MUST(kw_arena_unpack(answer->fx->arena, &keyward__internal__v1__outcome__descriptor,
                             context, &outcome, err));
        answer->outcome = (const Keyward__Internal__V1__Outcome *)outcome;
    }
}

static void on_data(struct kw_hop_call *call, struct kw_hop_item item, void *user)
{
    struct answer *answer = user;

    REQUIRE(answer->message_count < ANSWER_MESSAGES_MAX, "too many messages");
    MUST(kw_arena_copy(answer->fx->arena, item.data, &answer->messages[answer->message_count++],
                       err));
    take_outcome(answer, item.context);
    if (!answer->takes_nothing) {
        kw_hop_consume(call, item.data.len);
    }
}

static void on_status(struct kw_hop_call *call, const struct kw_hop_status *status,
                      struct kw_bytes context, void *user)
{
    struct answer *answer = user;

    (void)call;
    answer->call = NULL;
    answer->over = true;
    answer->reason = status->reason;
    answer->retry_ms = status->retry_after_ms;
    (void)snprintf(answer->field, sizeof(answer->field), "%s", status->field);
    (void)snprintf(answer->description, sizeof(answer->description), "%s", status->description);
    take_outcome(answer, context);
}

/* --- asking --- */

void authz_ask_start(struct authz_fixture *fx, const struct question *question,
                     struct answer *answer)
{
    static const struct kw_hop_events events = {.data = on_data, .status = on_status};
    uint64_t timeout_ms = question->timeout_ms != 0 ? question->timeout_ms : NO_DEADLINE_MS;
    struct kw_hop_open open = {.method = (uint32_t)question->method,
                               .deadline_ns = kw_clock_mono_ns() + timeout_ms * KW_NS_PER_MS,
                               .has_item = !question->no_item,
                               .end = !question->open_end};

    *answer =
        (struct answer){.fx = fx, .outcome = &nothing, .takes_nothing = answer->takes_nothing};
    answer->signature = question->signature;
    if (question->signature.len == 0 && signs(question)) {
        answer->signature = signature(fx, question);
    }
    open.item.data = question->raw.len > 0 ? question->raw : authz_packed(fx, question->body);
    open.item.context = caller_message(fx, question, answer->signature);
    MUST(kw_hop_open(fx->gateway, &open, &events, answer, &answer->call, err));
}

void authz_wait(struct answer *answer)
{
    EVENTUALLY(answer->fx, answer->over);
}

/* What the orchestrator plays once is not for two attempts. */
static bool is_scripted(const struct inside *inside)
{
    return inside->refusals > 0 || inside->holds || inside->forgets_the_last ||
           inside->hides_receipts || inside->claims_replay || inside->activates_none ||
           inside->stranger != NULL || inside->odd_reason != KW_E_NONE || inside->batch_count > 0 ||
           inside->spoil != NULL;
}

struct answer authz_ask(struct authz_fixture *fx, const struct question *question)
{
    struct answer answer;

    do {
        answer = (struct answer){0};
        if (!is_scripted(&fx->inside)) {
            faults_arm();
        }
        authz_ask_start(fx, question, &answer);
        authz_wait(&answer);
    } while (faults_again(answer.reason));
    return answer;
}

void authz_send(struct answer *answer, const ProtobufCMessage *message)
{
    REQUIRE(
        kw_hop_send(answer->call, (struct kw_hop_item){.data = authz_packed(answer->fx, message)}),
        "no credit");
}

const void *authz_message_at(const struct answer *answer, size_t index,
                             const ProtobufCMessageDescriptor *type)
{
    ProtobufCMessage *message;

    REQUIRE(answer->reason == KW_E_NONE, "%s", kw_reason_row(answer->reason)->name);
    REQUIRE(index < answer->message_count, "%zu messages", answer->message_count);
    MUST(kw_arena_unpack(answer->fx->arena, type, answer->messages[index], &message, err));
    return message;
}

const void *authz_message(const struct answer *answer, const ProtobufCMessageDescriptor *type)
{
    return authz_message_at(answer, 0, type);
}

char *authz_request_id(struct authz_fixture *fx)
{
    char text[KW_REQUEST_ID_TEXT_SIZE];
    struct kw_id id;

    MUST(kw_id_v7(&id, err));
    return kw_arena_text(fx->arena, kw_request_id_text(id, text), KW_REQUEST_ID_TEXT_SIZE - 1);
}

char *authz_name(struct authz_fixture *fx, enum kw_resource kind, struct kw_id id)
{
    char text[KW_RESOURCE_NAME_SIZE];

    (void)kw_resource_name1(kind, id, text);
    return kw_arena_text(fx->arena, text, strlen(text));
}

/* Asking a core: a request with its capsule and signature, as authz and orchestrator would send it.
 */
#include "common/audit/request_signature.h"
#include "common/audit/seal.h"
#include "common/base/clock.h"
#include "common/base/limits.h"
#include "common/rpc/arena_proto.h"
#include "common/rpc/resource.h"
#include "tests/support/core_fixture.h"
#include "tests/support/faults.h"
#include "tests/support/must.h"

#define SIGNED_FOR_MS 120000U

char *core_request_id(struct core_fixture *fx)
{
    char text[KW_REQUEST_ID_TEXT_SIZE];
    struct kw_id id;

    MUST(kw_id_v7(&id, err));
    return kw_arena_text(fx->arena, kw_request_id_text(id, text), KW_REQUEST_ID_TEXT_SIZE - 1);
}

void core_ask_init(struct core_fixture *fx, struct core_ask *ask, enum kw_method_id method,
                   const ProtobufCMessage *body, const struct core_caller *caller)
{
    const struct kw_method *row = kw_method_by_id((uint32_t)method);
    uint64_t now = kw_clock_wall_ms();

    *ask = (struct core_ask){
        .method = row, .body = body, .caller = caller, .seal_key = &fx->authz.key};
    ask->seal_certificate = kw_buf_bytes(&fx->authz_der);
    keyward__internal__v1__core_request__init(&ask->request);
    keyward__internal__v1__authorization__init(&ask->authorization);
    MUST(kw_arena_pack(fx->arena, body, &ask->body_bytes, err));
    ask->capsule = (struct kw_capsule){
        .region = kw_bytes_str(fx->place.region),
        .cell = kw_bytes_str(fx->place.cell),
        .caller = kw_bytes_str(caller->spiffe_id),
        .method = (uint16_t)method,
        .operation = row->operation,
        .epoch = 1,
        .issued_ms = now,
        .not_after_ms = now + KW_CAPSULE_LIFETIME_MS,
        .witness = fx->witness,
    };
    MUST(kw_id_v7(&ask->capsule.id, err));
    MUST(kw_sha256(ask->body_bytes, ask->capsule.body_hash, err));
    MUST(kw_sha256(kw_buf_bytes(&caller->certificate), ask->capsule.fingerprint, err));
}

static void sign(struct core_fixture *fx, struct core_ask *ask)
{
    KW_SCOPED(kw_buf_done) struct kw_buf value = {0};
    uint8_t body_hash[KW_SHA256_LEN];
    struct kw_signed_request request = {.method = kw_bytes_str(ask->method->path),
                                        .body_hash = body_hash};
    uint64_t until =
        ask->signed_until_ms != 0 ? ask->signed_until_ms : kw_clock_wall_ms() + SIGNED_FOR_MS;
    struct kw_id id;
    struct kw_bytes copy;

    if (ask->unsigned_call || !kw_method_has(ask->method, KW_METHOD_SIGNED) ||
        ask->authorization.caller_signature.len > 0) {
        return;
    }
    MUST(kw_sha256(ask->body_bytes, body_hash, err));
    MUST(kw_request_id_parse(kw_message_request_id(ask->body), &id, err));
    request.request_id = kw_id_bytes(&id);
    MUST(kw_request_signature_make(&ask->caller->key, &request, until, &value, err));
    MUST(kw_arena_copy(fx->arena, kw_buf_bytes(&value), &copy, err));
    ask->authorization.caller_signature = kw_field_bytes(copy);
    ask->authorization.caller_certificate = kw_field_bytes(kw_buf_bytes(&ask->caller->certificate));
}

static void seal(struct core_fixture *fx, struct core_ask *ask)
{
    KW_SCOPED(kw_buf_done) struct kw_buf record = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf sealed = {0};
    uint8_t fingerprint[KW_SHA256_LEN];
    struct kw_bytes content;

    if (ask->sealed.len == 0) {
        MUST(kw_sha256(ask->seal_certificate, fingerprint, err));
        MUST(kw_capsule_encode(&ask->capsule, &record, err));
        content = kw_buf_bytes(&record);
        MUST(kw_capsules_seal(ask->seal_key, fingerprint, &content, 1, &sealed, err));
        MUST(kw_arena_copy(fx->arena, kw_buf_bytes(&sealed), &ask->sealed, err));
    }
    ask->authorization.capsule = kw_field_bytes(ask->sealed);
    ask->authorization.signer_certificate = kw_field_bytes(ask->seal_certificate);
}

void core_ask_authorize(struct core_fixture *fx, struct core_ask *ask)
{
    sign(fx, ask);
    seal(fx, ask);
}

struct waiting {
    struct core_fixture *fx;
    struct core_answer answer;
    bool over;
};

static void on_data(struct kw_hop_call *call, struct kw_hop_item item, void *user)
{
    struct waiting *waiting = user;
    ProtobufCMessage *message;

    (void)call;
    MUST(kw_arena_unpack(waiting->fx->arena, &keyward__internal__v1__core_reply__descriptor,
                         item.data, &message, err));
    waiting->answer.reply = (const Keyward__Internal__V1__CoreReply *)message;
}

static void on_status(struct kw_hop_call *call, const struct kw_hop_status *status,
                      struct kw_bytes context, void *user)
{
    struct waiting *waiting = user;

    (void)call;
    (void)context;
    waiting->answer.status = status->reason;
    waiting->over = true;
}

/* Every receipt continues the chain; a drill that breaks it would be noticed here. */
static void receipt_take(struct core_fixture *fx, const Keyward__Internal__V1__CoreReply *reply)
{
    enum kw_chain_verdict verdict;
    struct kw_receipt receipt;

    MUST(kw_receipt_decode(kw_bytes_field(reply->receipt), &receipt, err));
    if (fx->chain.at.seq == 0) {
        kw_chain_verify_start(&fx->chain,
                              &(struct kw_chain){.core = receipt.core, .stream = receipt.stream});
    }
    MUST(kw_chain_verify_receipt(&fx->chain, kw_bytes_field(reply->receipt), &verdict, err));
    if (verdict != KW_CHAIN_OK && faults_walked()) {
        /* That of an attempt that failed was not answered: an orchestrator would be sent it again. */
        fx->chain.at.seq = receipt.seq;
        MUST(kw_receipt_head(kw_bytes_field(reply->receipt), &fx->chain.at.head, err));
        verdict = KW_CHAIN_OK;
    }
    REQUIRE(verdict == KW_CHAIN_OK, "%s", kw_chain_verdict_name(verdict));
    fx->witness = (struct kw_witness){
        .core = fx->chain.at.core, .stream = fx->chain.at.stream, .seq = fx->chain.at.seq};
    kw_copy(fx->witness.head, fx->chain.at.head.bytes, KW_SHA256_LEN);
}

static struct core_answer answer_read(struct core_fixture *fx, struct core_answer answer)
{
    answer.reason = answer.status;
    if (answer.reply != NULL) {
        const char *reason = answer.reply->n_items > 0 ? answer.reply->items[0]->reason : "";

        receipt_take(fx, answer.reply);
        answer.reason = kw_reason_by_name(reason, strlen(reason));
    }
    return answer;
}

static struct core_answer ask_once(struct core_fixture *fx, struct core_ask *ask)
{
    static const struct kw_hop_events events = {.data = on_data, .status = on_status};
    struct waiting waiting = {.fx = fx};
    struct kw_hop_open open = {.method = (uint32_t)ask->method->id,
                               .deadline_ns = kw_clock_mono_ns() + PATIENCE_NS,
                               .has_item = true,
                               .end = true};
    struct kw_hop_call *call;

    core_ask_authorize(fx, ask);
    ask->request.body = kw_field_bytes(ask->body_bytes);
    MUST(kw_arena_pack(fx->arena, &ask->request.base, &open.item.data, err));
    MUST(kw_arena_pack(fx->arena, &ask->authorization.base, &open.item.context, err));
    MUST(kw_hop_open(fx->client, &open, &events, &waiting, &call, err));
    EVENTUALLY(fx, waiting.over);
    return answer_read(fx, waiting.answer);
}

/* A capsule is good for one attempt. The next is as old as the first was. */
static void capsule_again(struct core_ask *ask, uint64_t *asked_ms)
{
    uint64_t now = kw_clock_wall_ms();

    MUST(kw_id_v7(&ask->capsule.id, err));
    ask->capsule.issued_ms += now - *asked_ms;
    ask->capsule.not_after_ms += now - *asked_ms;
    ask->sealed = KW_BYTES_NONE;
    *asked_ms = now;
}

struct core_answer core_ask(struct core_fixture *fx, struct core_ask *ask)
{
    uint64_t asked_ms = kw_clock_wall_ms();
    const bool unsealed = ask->sealed.len == 0; /* else it is the very capsule that is tested */

    for (;;) {
        struct core_answer answer;

        faults_arm();
        answer = ask_once(fx, ask);
        if (!faults_again(answer.reason)) {
            return answer;
        }
        if (unsealed) {
            capsule_again(ask, &asked_ms);
        }
    }
}

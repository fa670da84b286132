/* An orchestrator in this process, between a test that plays authz and a scripted core
 * (orchestrator_core.h). One loop, which the test turns itself. */
#ifndef KW_TESTS_COMPONENT_ORCHESTRATOR_FIXTURE_H
#define KW_TESTS_COMPONENT_ORCHESTRATOR_FIXTURE_H

#include "common/audit/capsule.h"
#include "common/base/clock.h"
#include "common/rpc/messages.h"
#include "common/rpc/resource.h"
#include "services/orchestrator/service.h"
#include "tests/component/orchestrator_core.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <keyward/internal/v1/context.pb-c.h>
#include <keyward/v1/provisioning_service.pb-c.h>

#define REGION "r1"
#define CELL   "c1"
#define MESH   "000102030405060708090a0b0c0d0e0f"

#define MUST(expr)                                                                                 \
    do {                                                                                           \
        struct kw_error must_error_ = {0};                                                         \
        struct kw_error *err = &must_error_;                                                       \
        struct kw_result must_result_ = (expr);                                                    \
        cr_assert(kw_ok(must_result_), "%s: %s", #expr, must_error_.message);                      \
    } while (0)

struct orch_fixture {
    char dir[64];
    struct kw_private_key root_key;
    struct kw_certificate root;
    struct kw_issuer issuer;
    struct kw_private_key officer; /* the first; of one that is fed */
    struct kw_loop *loop;
    struct kw_timer tick;
    struct kw_rpc *rpc; /* authz's and the core's */
    struct kw_hop_client *authz;
    struct kw_credentials seal; /* authz's: what capsules are sealed with */
    struct core_peer core;
    struct kw_orch_config config;
    char *target;
    struct kw_orch orch;
    struct kw_arena *arena; /* all that tests make and are told */
    struct kw_id station;
    struct kw_id partner;
    struct kw_id operator_id;
    struct kw_id product;
};

/* One question, as authz asks it. */
struct asking {
    enum kw_method_id method;
    const ProtobufCMessage *body;
    enum kw_role role;
    struct kw_id caller;
    uint32_t first;
    uint16_t count;
    const char *cell;         /* NULL: the right one */
    const char *trust_domain; /* of the caller; NULL: the right one */
    bool in_pieces;           /* the request does not end with its first piece */
    bool is_unsigned;         /* the officer did not sign it; else one did, where they must */
    struct kw_bytes invitation;
    struct kw_id owner;      /* none: the caller */
    struct kw_id product;    /* the capsule's scope; none: the devices named in the body */
    struct kw_id batch;      /* the same */
    struct kw_bytes capsule; /* sealed already; else made */
    uint64_t timeout_ms;     /* 0: 5 s */
    const struct kw_fact *disabled;
};

#define ANSWER_MESSAGES_MAX 8

/* What came back. */
struct asked {
    bool over;
    enum kw_reason reason;
    char field[32];
    size_t message_count;
    struct kw_bytes messages[ANSWER_MESSAGES_MAX];
    const Keyward__Internal__V1__Outcome *outcome; /* NULL: none came */
    struct orch_fixture *fx;
    struct kw_hop_call *call;
};

void orch_fixture_init(struct orch_fixture *fx);
void orch_fixture_init_in(struct orch_fixture *fx, const char *parent); /* else in /tmp */
void orch_fixture_init_fed(struct orch_fixture *fx); /* with a listener for a replicator */

/* As orch_fixture_init, in two steps: started, and nothing is connected yet; authz connected. The
 * core connects while the loop turns. */
void orch_fixture_start(struct orch_fixture *fx, const char *parent);
void orch_fixture_connect(struct orch_fixture *fx);

void orch_fixture_done(struct orch_fixture *fx);

/* Turns the loop once: waits for something to happen, a few milliseconds at most. */
void orch_turn(struct orch_fixture *fx);

#define PATIENCE_NS (10ULL * 1000 * 1000 * 1000)

#define EVENTUALLY(fx, condition)                                                                  \
    do {                                                                                           \
        uint64_t end_ = kw_clock_mono_ns() + PATIENCE_NS;                                          \
        while (!(condition) && kw_clock_mono_ns() < end_) {                                        \
            orch_turn(fx);                                                                         \
        }                                                                                          \
        if (!(condition)) {                                                                        \
            cr_fatal("not within 10 s: %s", #condition);                                           \
        }                                                                                          \
    } while (0)

/* Starts a call; `asked` is over when it ends. */
void orch_ask_start(struct orch_fixture *fx, const struct asking *asking, struct asked *asked);

/* The same, and waits. */
struct asked orch_ask(struct orch_fixture *fx, const struct asking *asking);

/* The sealed capsule of a question, in the arena. */
struct kw_bytes orch_capsule(struct orch_fixture *fx, const struct asking *asking,
                             struct kw_bytes body);

/* Message `index` of an answer. */
const ProtobufCMessage *orch_message(struct orch_fixture *fx, const struct asked *asked,
                                     size_t index, const ProtobufCMessageDescriptor *type);

/* Texts in the arena: a new request id; names. */
char *orch_request_id(struct orch_fixture *fx);
char *orch_name(struct orch_fixture *fx, enum kw_resource kind, struct kw_id id);

/* A confirmed transport key for a member, written into the database as Enroll and
 * ConfirmTransportKey would. */
void orch_transport_key(struct orch_fixture *fx, struct kw_id owner);

/* --- stories that many tests begin with --- */

/* CreateBatch of one range. */
struct asking orch_batch_ask(struct orch_fixture *fx, Keyward__V1__CreateBatchRequest *body,
                             uint32_t count);
const Keyward__V1__BatchChunk *orch_chunk(struct orch_fixture *fx, const struct asked *asked);

/* A batch of `count` (at most 256) devices; the chunk's items. */
const Keyward__V1__BatchChunk *orch_make_batch(struct orch_fixture *fx, uint32_t count,
                                               const char **ret_batch);
void orch_confirm(struct orch_fixture *fx, const char *device, const char *serial);
void orch_release(struct orch_fixture *fx, const char *batch);

/* A released device: its name, and its key's. */
const Keyward__V1__BatchItem *orch_released_device(struct orch_fixture *fx);

#endif

/* A real crypto core for tests: SoftHSM token, ceremony, the service process, and a test that plays
 * authz and orchestrator at once: it makes capsules, sends material, and looks at what comes back.
 */
#ifndef KW_TESTS_SUPPORT_CORE_FIXTURE_H
#define KW_TESTS_SUPPORT_CORE_FIXTURE_H

#include "cli/mesh_files.h"
#include "common/audit/capsule.h"
#include "common/audit/chain.h"
#include "common/base/clock.h"
#include "common/pki/credentials.h"
#include "common/rpc/hop.h"
#include "common/rpc/messages.h"
#include "common/rpc/rpc.h"
#include "keyward/internal/v1/context.pb-c.h"
#include "keyward/internal/v1/core.pb-c.h"
#include "tests/support/must.h"
#include "tests/support/service_process.h"

/* A caller: partner, station, operator, or the holder of an invitation. */
struct core_caller {
    struct kw_id id;
    struct kw_private_key key;
    struct kw_buf certificate; /* DER */
    char spiffe_id[KW_SPIFFE_TEXT_SIZE];
    uint32_t ptk_version;
    Keyward__Internal__V1__WrappedTransportKey *ptk; /* as the orchestrator would store it */
    struct kw_secret transport;                      /* opened by the owner */
};

/* Which region and cell a core is of, what its ceremony wrote (below the directory), and its token. */
struct core_place {
    const char *region;
    const char *cell;
    const char *out;
    const char *token;
};

struct core_fixture {
    struct core_place place;
    bool beside; /* the directory is another fixture's */
    struct kw_mesh_layout layout;
    struct kw_mesh_dir dir; /* all of it */
    struct service_process core;
    struct kw_loop *loop;
    struct kw_timer tick;
    struct kw_rpc *rpc;
    struct kw_hop_client *client;
    struct kw_credentials authz;
    uint8_t authz_fingerprint[KW_SHA256_LEN];
    struct kw_buf authz_der;
    struct kw_id boot_id;   /* ours: the stream of the receipts */
    struct kw_arena *arena; /* everything a test asks and is told */
    struct core_caller officer;
    struct kw_chain_verifier chain; /* fed with every receipt */
    struct kw_witness witness;      /* what authz would have stored */
};

/* One question. core_ask_init fills a capsule that is right; a drill spoils one thing. */
struct core_ask {
    const struct kw_method *method;
    const ProtobufCMessage *body;
    struct kw_bytes body_bytes;
    Keyward__Internal__V1__CoreRequest request;
    Keyward__Internal__V1__Authorization authorization;
    struct kw_capsule capsule;
    const struct core_caller *caller;
    const struct kw_private_key *seal_key; /* authz's unless a drill says otherwise */
    struct kw_bytes seal_certificate;
    struct kw_bytes sealed; /* sent as it is, if set */
    bool unsigned_call;
    uint64_t signed_until_ms; /* 0: two minutes from now */
};

/* What came back. */
struct core_answer {
    enum kw_reason status; /* of the call as a whole */
    const Keyward__Internal__V1__CoreReply *reply;
    enum kw_reason reason; /* of the first item, or the status */
};

void core_fixture_init(struct core_fixture *fx);
void core_fixture_done(struct core_fixture *fx);

/* One more core, in the directory of a fixture that is there and outlives it: of another cell, or of a
 * region whose ceremony was held with the same officer and PIN. */
void core_fixture_beside(struct core_fixture *fx, const struct core_fixture *first,
                         const struct core_place *place);

/* The core dies hard and comes back as another boot. */
void core_fixture_kill(struct core_fixture *fx);
void core_fixture_start(struct core_fixture *fx);

/* The orchestrator starts anew: another boot of it, another stream of receipts. What authz has
 * stored stays. */
void core_fixture_another_stream(struct core_fixture *fx);

/* One turn of the loop: waits for something to happen, a few milliseconds at most. */
void core_fixture_turn(struct core_fixture *fx);

#define PATIENCE_NS (20ULL * 1000000000)

/* Turns the loop until `condition` holds; ends the test when it does not in time. */
#define EVENTUALLY(fx, condition)                                                                  \
    do {                                                                                           \
        uint64_t end_ = kw_clock_mono_ns() + PATIENCE_NS;                                          \
        while (!(condition) && kw_clock_mono_ns() < end_) {                                        \
            core_fixture_turn(fx);                                                                 \
        }                                                                                          \
        REQUIRE(condition, "not in time: %s", #condition);                                         \
    } while (0)

void core_ask_init(struct core_fixture *fx, struct core_ask *ask, enum kw_method_id method,
                   const ProtobufCMessage *body, const struct core_caller *caller);
struct core_answer core_ask(struct core_fixture *fx, struct core_ask *ask);

/* What core_ask does first: fills `authorization` with the caller's signature and the sealed
 * capsule. */
void core_ask_authorize(struct core_fixture *fx, struct core_ask *ask);

/* A new request id as text, in the arena. */
char *core_request_id(struct core_fixture *fx);

/* Invites (signed by the officer) and enrols a member; its transport key is opened. */
void core_member(struct core_fixture *fx, enum kw_role role, struct core_caller *ret_member);
void core_caller_done(struct core_caller *caller);

/* CreatePartnerInvitation or CreateStationInvitation by the officer for a member, with a new key in
 * `ret_key`. */
void core_invite_ask(struct core_fixture *fx, enum kw_role role, struct kw_id member,
                     struct kw_private_key *ret_key, struct core_ask *ret_ask);

/* The same for a key that is there. */
void core_invite_ask_for(struct core_fixture *fx, enum kw_role role, struct kw_id member,
                         const struct kw_private_key *key, struct core_ask *ret_ask);

/* The two halves of that, for drills. `invitation` is the holder of the invitation's key, `record`
 * KWI1. */
void core_invite(struct core_fixture *fx, enum kw_role role, struct kw_id member,
                 struct core_caller *ret_invitation, struct kw_buf *ret_record);
void core_enroll_ask(struct core_fixture *fx, struct core_ask *ask, struct kw_id member,
                     const struct core_caller *invitation, struct kw_bytes record);

/* One device with an active key of the batch and product, provisioned by `station`: all rows as
 * stored. */
struct core_device {
    struct kw_id device;
    struct kw_id product;
    struct kw_id batch;
    Keyward__Internal__V1__WrappedDeviceKey *key;
    struct kw_secret value; /* as the station's programmer learnt it */
};
void core_device(struct core_fixture *fx, const struct core_caller *station,
                 struct core_device *ret_device);
void core_device_done(struct core_device *device);

/* CreateBatch of one device, whose ids and product are chosen here, and ReleaseBatch of the batch
 * of a device: all right. */
void core_batch_ask(struct core_fixture *fx, struct core_ask *ask,
                    const struct core_caller *station, struct core_device *device);
void core_release_ask(struct core_fixture *fx, struct core_ask *ask,
                      const struct core_caller *station, const struct core_device *device);

/* A question for the device's key by `partner`: GetDeviceAccess, all right. */
void core_access_ask(struct core_fixture *fx, struct core_ask *ask,
                     const struct core_device *device, const struct core_caller *partner);

#endif

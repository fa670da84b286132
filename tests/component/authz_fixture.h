/* An authz in this process, between a test that plays the gateway and a scripted orchestrator
 * (authz_inside.h). One loop, which the test turns itself. */
#ifndef KW_TESTS_COMPONENT_AUTHZ_FIXTURE_H
#define KW_TESTS_COMPONENT_AUTHZ_FIXTURE_H

#include "common/base/clock.h"
#include "common/rpc/resource.h"
#include "services/authz/service.h"
#include "tests/component/authz_inside.h"
#include "tests/support/must.h"

#include <keyward/v1/device_access_service.pb-c.h>
#include <keyward/v1/enrollment_service.pb-c.h>
#include <keyward/v1/grant_service.pb-c.h>
#include <keyward/v1/partner_service.pb-c.h>

#define REGION  "r1"
#define CELL    "c1"
#define MESH    "000102030405060708090a0b0c0d0e0f"
#define HOUR_MS UINT64_C(3600000)

/* Longer than anybody waits here (PATIENCE_NS): what happens sooner is no deadline's doing. */
#define NO_DEADLINE_MS 60000U

/* A caller: its key and the certificate the gateway would have seen. */
struct actor {
    enum kw_role role;
    struct kw_id id;
    struct kw_private_key key;
    struct kw_bytes certificate; /* DER, in the arena */
    uint8_t fingerprint[KW_SHA256_LEN];
    char *name; /* resource name of a partner or station */
};

struct authz_fixture {
    char dir[64];
    struct kw_private_key root_key;
    struct kw_certificate root;
    struct kw_issuer issuer;
    struct kw_loop *loop;
    struct kw_timer tick;
    struct kw_rpc *rpc; /* the gateway's and the orchestrator's */
    struct kw_hop_client *gateway;
    struct inside inside;
    struct kw_authz_config config;
    char *target;
    struct kw_authz_service *service;
    struct kw_authz *authz; /* what is inside it */
    int port;               /* 0: not started */
    bool started;
    bool stopped;
    bool drained;
    bool failed;
    struct kw_error failure;
    struct kw_arena *arena; /* all that tests make and are told */
    struct kw_id product;
    struct actor officer;
    struct actor auditor;
    struct actor partner; /* active */
    struct actor other;   /* another one */
    struct actor station; /* may make `product` */
};

/* One question, as the gateway asks it. Mutations that must be are signed by the caller's key. */
struct question {
    enum kw_method_id method;
    const ProtobufCMessage *body;
    const struct actor *caller;
    struct kw_bytes raw;                 /* instead of `body` */
    bool not_signed;                     /* the rest: what is wrong with the signature */
    const struct kw_private_key *key;    /* NULL: the caller's */
    enum kw_method_id signed_method;     /* 0: the method */
    const ProtobufCMessage *signed_body; /* NULL: the body */
    uint64_t not_after_ms;               /* 0: in a minute */
    struct kw_bytes signature;           /* verbatim */
    struct kw_bytes cached_digest;
    Keyward__Internal__V1__Copies wait; /* how far it is to be held before it is answered */
    uint64_t timeout_ms;                /* 0: NO_DEADLINE_MS */
    bool no_item;                       /* only the end of what never began */
    bool open_end;                      /* a stream: more comes by authz_send */
};

#define ANSWER_MESSAGES_MAX 256

struct answer {
    struct authz_fixture *fx;
    struct kw_hop_call *call; /* NULL: over */
    bool over;
    enum kw_reason reason;
    char field[64];
    char description[128];
    uint32_t retry_ms;
    size_t message_count;
    struct kw_bytes messages[ANSWER_MESSAGES_MAX];
    const Keyward__Internal__V1__Outcome *outcome; /* never NULL */
    struct kw_bytes signature;                     /* that was sent */
    bool takes_nothing;                            /* returns no credit for what comes */
};

void authz_fixture_init(struct authz_fixture *fx);
void authz_fixture_done(struct authz_fixture *fx);

/* Credentials of a service of its cell, in a folder of that name. */
void authz_fixture_credentials(struct authz_fixture *fx, const char *service);

/* Ends the service and starts it again on the same database. */
void authz_fixture_restart(struct authz_fixture *fx);
void authz_fixture_stop(struct authz_fixture *fx);
void authz_fixture_start(struct authz_fixture *fx);

/* Instead of the one that runs, or beside it, another is started, which must fail. The reason. */
enum kw_reason authz_fixture_start_fails(struct authz_fixture *fx);
/* Of one that was stopped: starts it, or takes it apart again when it fails. Whether it runs. */
bool authz_fixture_try(struct authz_fixture *fx);

enum kw_reason authz_fixture_second_fails(struct authz_fixture *fx);

/* After a test stopped the service itself. */
void authz_fixture_forget(struct authz_fixture *fx);

/* A CA alone, in a fixture that has only an arena. */
void authz_root_make(struct authz_fixture *fx);
void authz_root_done(struct authz_fixture *fx);

/* A certificate among the officers, e.g. in "officers/two.pem". */
void authz_officer_file(struct authz_fixture *fx, const char *path, const struct actor *actor);

/* Takes the orchestrator away, for good. */
void authz_inside_lose(struct authz_fixture *fx);

void authz_turn(struct authz_fixture *fx);

#define PATIENCE_NS (30ULL * 1000 * 1000 * 1000)

#define EVENTUALLY(fx, condition)                                                                  \
    do {                                                                                           \
        uint64_t end_ = kw_clock_mono_ns() + PATIENCE_NS;                                          \
        while (!(condition) && kw_clock_mono_ns() < end_) {                                        \
            authz_turn(fx);                                                                        \
        }                                                                                          \
        REQUIRE(condition, "not within 30 s: %s", #condition);                                     \
    } while (0)

/* --- asking --- */

void authz_ask_start(struct authz_fixture *fx, const struct question *question,
                     struct answer *answer);
struct answer authz_ask(struct authz_fixture *fx, const struct question *question);
struct kw_bytes authz_packed(struct authz_fixture *fx, const ProtobufCMessage *message);
void authz_send(struct answer *answer, const ProtobufCMessage *message);
void authz_wait(struct answer *answer);

/* The only message of an answer that must be success. */
const void *authz_message(const struct answer *answer, const ProtobufCMessageDescriptor *type);
const void *authz_message_at(const struct answer *answer, size_t index,
                             const ProtobufCMessageDescriptor *type);

char *authz_request_id(struct authz_fixture *fx);
char *authz_name(struct authz_fixture *fx, enum kw_resource kind, struct kw_id id);

/* --- actors --- */

/* Makes a caller whose certificate is valid from and to so many ms around now; registers nothing.
 */
void authz_actor_make(struct authz_fixture *fx, enum kw_role role, struct actor *actor);
void authz_actor_make_valid(struct authz_fixture *fx, enum kw_role role, int64_t from_ms,
                            int64_t to_ms, struct actor *actor);
void authz_actor_done(struct actor *actor);

/* Writes an active member with its certificate into the database, as Enroll and ConfirmTransportKey
 * would; the certificate alone; or its revocation. */
void authz_member_put(struct authz_fixture *fx, struct actor *actor);
void authz_member_put_keys(struct authz_fixture *fx, struct actor *actor,
                           const struct kw_member_keys *keys); /* so far on its way */
void authz_certificate_put(struct authz_fixture *fx, const struct actor *actor);
void authz_certificate_revoke(struct authz_fixture *fx, const struct actor *actor);

/* So many suspensions of the key of each of so many devices, whose ids begin at `fill`. */
void authz_facts_put(struct authz_fixture *fx, uint8_t fill, size_t devices, size_t facts);

/* --- looking into the database --- */

/* The one number, or text, that `sql` (a constant) selects. */
int64_t authz_number(struct authz_fixture *fx, const char *sql);
char *authz_text_of(struct authz_fixture *fx, const char *sql);
struct kw_bytes authz_blob(struct authz_fixture *fx, const char *sql);

/* Changes rows behind authz's back. */
void authz_exec(struct authz_fixture *fx, const char *sql);

/* Denials written so far, summaries counted in full; waits until `count` are. */
void authz_denials_await(struct authz_fixture *fx, int64_t count);

/* --- stories --- */

struct kw_id authz_device(struct authz_fixture *fx, uint8_t fill, char **ret_name);

/* An operator's grant for `partner`: RELEASE_KEY, purpose "care", an hour; change it before asking.
 */
struct grant_story {
    Keyward__V1__CreateGrantRequest request;
    Keyward__V1__Grant grant;
    Keyward__V1__DeviceList devices;
    Keyward__V1__KeyOperation operations[2];
    Keyward__V1__GrantQuota quota;
    Google__Protobuf__Duration window;
    Google__Protobuf__Timestamp end;
    char *device_names[4];
};

void authz_grant_story(struct authz_fixture *fx, struct grant_story *story, const char *device);
struct answer authz_grant_ask(struct authz_fixture *fx, const struct grant_story *story);

/* Makes it and gives its name. */
char *authz_grant_make(struct authz_fixture *fx, const struct grant_story *story);
char *authz_grant(struct authz_fixture *fx, const char *device);
char *authz_grant_of_product(struct authz_fixture *fx);

struct answer authz_grant_revoke(struct authz_fixture *fx, const char *name);
struct answer authz_partner_suspend(struct authz_fixture *fx, const struct actor *partner);

/* The partner's question for a device's key. */
struct access_story {
    Keyward__V1__GetDeviceAccessRequest request;
    struct question question;
};

void authz_access_story(struct authz_fixture *fx, struct access_story *story, const char *device);
struct answer authz_access(struct authz_fixture *fx, const char *device);

#endif

/* Three orchestrators, as processes, on one PostgreSQL database and before one real core. The test plays authz towards
 * each of them, and whoever may not be answered: it asks again, with the same request id, another one. */
#ifndef KW_TESTS_COMPONENT_INSTANCES_H
#define KW_TESTS_COMPONENT_INSTANCES_H

#include "tests/support/core_fixture.h"
#include "tests/support/postgres.h"

#define INSTANCES 3

struct instances {
    struct core_fixture core;
    struct postgres pg; /* of this test's own: it is killed */
    char url[POSTGRES_URL_SIZE];
    struct service_process services[INSTANCES];
    struct kw_hop_client *clients[INSTANCES];
    struct core_caller station;
};

void instances_init(struct instances *in);
void instances_done(struct instances *in);

/* Turns the loop until that is so. */
#define INSTANCES_UNTIL(in, condition) EVENTUALLY(&(in)->core, condition)

/* --- what is asked --- */

/* One effect, whoever does it, and however often it is asked for. */
enum effect {
    MAKE_PENS, /* CreateBatch: found again by its batch */
    INVITE,    /* CreatePartnerInvitation: by its row of `requests` */
    EFFECTS
};

#define PENS 2 /* of one batch */

struct effect_wanted {
    enum effect effect;
    const ProtobufCMessage *body;
    struct kw_id request;
    struct kw_id of; /* the product, or the member */
};

struct effect_wanted instances_want(struct instances *in, enum effect effect);

/* One try, at one instance: `over` when the loop has turned often enough. */
struct instances_try {
    struct instances *in;
    struct kw_arena *arena;
    bool over;
    enum kw_reason reason;
    struct kw_buf answer; /* its messages, one after the other */
};

void instances_try(struct instances *in, unsigned instance, const struct effect_wanted *wanted,
                   struct instances_try *attempt);
void instances_try_done(struct instances_try *attempt);

/* May whoever is refused with this ask again, with the same request id? */
bool instances_passes(enum kw_reason reason);

/* Asks until it is done, from `instance` on; the answer is the caller's. */
struct kw_buf instances_ask(struct instances *in, unsigned instance,
                            const struct effect_wanted *wanted);

/* --- looking --- */

/* From the database, with nothing that an orchestrator says: fails the test unless every lane is dense and its chain
 * leads to where its row says, and every chain of receipts is whole. Returns how many changes there are. */
uint64_t instances_verify(struct instances *in);

/* The one number of a statement, which ends with "=" and is then compared with that id. */
long instances_number(struct instances *in, const char *sql, struct kw_id of);

#endif

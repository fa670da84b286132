/* Owners with their feed services, and a replicator that asks them, all in one process on the loop of a hop
 * fixture: real databases, real certificates, mutual TLS.
 *
 * Owner 0 is authz of region eu, cell a; owner 1 that of us/a; 2 and 3 are orchestrators there, for tests that ask for
 * so many. Each has a table of notes (feed_fixture.h) and a replicator of its own cell. */
#ifndef KW_TESTS_SUPPORT_FEED_SERVICE_FIXTURE_H
#define KW_TESTS_SUPPORT_FEED_SERVICE_FIXTURE_H

#include "common/feed_service/feed_service.h"
#include "common/rpc/methods.h"
#include "tests/support/feed_fixture.h"
#include "tests/support/hop_fixture.h"
#include "tests/support/lane_fixture.h"
#include "tests/support/postgres.h"

#include <keyward/internal/v1/feed.pb-c.h>

#define HOUSE_OWNERS     2
#define HOUSE_OWNERS_MAX 4

/* Turns the loop until `condition` holds. */
#define HOUSE_EVENTUALLY(house, condition) HOP_EVENTUALLY(&(house)->hop, condition)

/* A lane as the replicator was told of it. */
struct told_lane {
    struct kw_id lane;
    uint64_t seq;
    uint64_t closed;
    uint64_t floor;
    bool stopped;
    char region[KW_PLACE_NAME_SIZE];
    char cell[KW_PLACE_NAME_SIZE];
};

/* A standing call and what was said on it. */
struct listening {
    struct hop_fixture *hop;
    struct kw_hop_call *call; /* NULL: over */
    enum kw_reason reason;    /* why */
    unsigned messages;
    unsigned owners; /* messages that say who the owner is */
    struct kw_id mesh;
    struct kw_id store;
    unsigned vouchers;
    struct kw_buf voucher; /* the last */
    unsigned urgents;
    struct kw_buf urgent; /* the last */
    uint64_t question_number;
    struct kw_buf question; /* the last, KWJ1 */
    struct told_lane lanes[64];
    size_t lane_count;
    size_t most_lanes; /* in one message */
    bool deaf;         /* gives no credit back */
};

/* A call that is answered once. */
struct asking {
    struct kw_hop_call *call; /* NULL: over */
    enum kw_reason reason;
    unsigned items;
    size_t largest;
    bool deaf;
    bool writable;
    Keyward__Internal__V1__FeedRead read;
    Keyward__Internal__V1__FeedVerdict verdict;
    bool has_extent;
    struct kw_id lane;
    uint64_t seq;
    uint64_t closed;
    struct kw_buf record;
    bool is_apply;
};

struct house_owner {
    struct feed_house *house;
    char dir[80];
    char credentials[96];
    char replicator[96]; /* credentials of its cell's */
    char key_file[96];
    char path[96];
    char url[POSTGRES_URL_SIZE]; /* "": the store is the file of that path */
    uint32_t writer;
    struct kw_spiffe self;
    struct kw_store *store;
    struct kw_feed feed;
    struct kw_feed_identity identity;
    struct kw_feed_service *service;
    struct kw_feed_service *ended; /* closed, to be freed with the loop */
    int port;
    struct kw_hop_client *const *inner; /* set before it serves */
    struct kw_hop_client *client;       /* the replicator's */
    struct kw_id lane;                  /* its present one */
    unsigned store_failures;
    bool drained;
    bool closed;
};

struct feed_house {
    struct hop_fixture hop;
    struct kw_id mesh;
    struct kw_private_key root_key; /* of the services' CA */
    struct kw_certificate root;
    struct house_owner owners[HOUSE_OWNERS_MAX];
};

/* What owners open with from then on, for tests that set it: their tables, of which the feed's and the notes' are first; the
 * log of those that are orchestrators. */
struct house_extra {
    const struct kw_migration *migrations; /* NULL: these two alone */
    size_t migration_count;
    const struct kw_feed_log *log;
};
extern struct house_extra house_extra;

/* The first `count` owners, serving, each with a replicator that is connected. */
void house_init(struct feed_house *house, size_t count);
void house_done(struct feed_house *house);

/* One more writer of the first owner's database, which is on PostgreSQL; it serves nobody. */
void house_owner_join(struct house_owner *owner, const struct house_owner *first, uint32_t writer);

/* Its parts, for tests that end and begin them. */
void house_owner_open(struct house_owner *owner);
struct kw_result house_owner_serve(struct house_owner *owner, struct kw_error *err);
void house_owner_close_service(struct house_owner *owner);
void house_owner_close(struct house_owner *owner);
void house_connect(struct house_owner *owner, const char *credentials);
void house_disconnect(struct house_owner *owner);

/* Credentials in the name of a service of its cell. Written again: another certificate. */
void house_certify(struct house_owner *owner, const char *dir, const char *service);

/* Each knows the other by its voucher, as replicators would bring it. */
void house_introduce(struct feed_house *house);

/* --- in one job of the owner's store --- */

struct house_job;
typedef struct kw_result house_run(struct house_job *job, struct kw_tx *tx, struct kw_error *err);
struct house_job {
    struct kw_store_job job;
    struct house_owner *owner;
    house_run *run;
    const void *in;
    void *out;
    bool done;
};
struct kw_result house_write_job(struct house_owner *owner, house_run *run, const void *in,
                                 void *out);
void house_note(struct house_owner *owner, const struct kw_record *note);
void house_put_store(struct house_owner *owner, const struct kw_record *row);
struct kw_feed_lane house_lane(struct house_owner *owner, struct kw_id lane);
int64_t house_number(struct house_owner *owner, const char *sql);

/* --- as its replicator --- */

void house_listen(struct house_owner *owner, struct listening *listening);
void house_hang_up(struct listening *listening);
const struct told_lane *house_told(const struct listening *listening, struct kw_id lane);

/* Begins; the call is over once `call` is NULL. */
void house_read_begin(struct house_owner *owner, struct asking *asking, struct kw_id lane,
                      uint64_t after);
void house_apply_begin(struct house_owner *owner, struct asking *asking);
bool house_apply_piece(struct asking *asking, Keyward__Internal__V1__FeedRecord kind,
                       struct kw_bytes piece);
void house_raw_begin(struct house_owner *owner, struct asking *asking, uint32_t method,
                     struct kw_bytes request);

/* Asks, and waits for the answer. */
void house_read(struct house_owner *owner, struct asking *asking, struct kw_id lane,
                uint64_t after);
void house_apply(struct house_owner *owner, struct asking *asking,
                 Keyward__Internal__V1__FeedRecord kind, struct kw_bytes record);
/* As the cell of `from` says it. */
enum kw_reason house_ack(struct house_owner *owner, struct house_owner *from, struct kw_id store,
                         struct kw_id lane, uint64_t seq);
enum kw_reason house_raw(struct house_owner *owner, uint32_t method, struct kw_bytes request);
void asking_done(struct asking *asking);

/* The verdict alone. */
Keyward__Internal__V1__FeedVerdict house_verdict(struct house_owner *owner,
                                                 Keyward__Internal__V1__FeedRecord kind,
                                                 struct kw_bytes record);

#endif

/* Authz's database with its feed open, and rows as authz writes them itself. */
#ifndef KW_TESTS_UNIT_AUTHZ_FEED_FIXTURE_H
#define KW_TESTS_UNIT_AUTHZ_FEED_FIXTURE_H

#include "common/feed/feed.h"
#include "tests/support/store_fixture.h"

extern struct kw_feed feed_opened;
extern struct kw_arena *feed_arena;
extern const struct kw_id feed_member_id;
extern const struct kw_id feed_grant_id;

void feed_init(void);
void feed_done(void);

/* In one write job, which must succeed. */
void in_tx(STORE_TEST_RUN((*run)));

struct kw_feed_tx feed_of(struct kw_tx *tx);

/* A partner; `ret_member` is its row. */
struct kw_result feed_member_make(const struct kw_feed_tx *feed_tx, struct kw_record *ret_member,
                                  struct kw_error *err);

/* Its grant for two devices, made in knowledge of `seen`. */
struct kw_result feed_grant_make(const struct kw_feed_tx *feed_tx, struct kw_bytes seen,
                                 struct kw_error *err);

#endif

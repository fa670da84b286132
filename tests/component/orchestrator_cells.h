/* Two orchestrators of one mesh in this process, each with its authz and core, and no replicator: the
 * test says when what one has said gets to the other. */
#ifndef KW_TESTS_COMPONENT_ORCHESTRATOR_CELLS_H
#define KW_TESTS_COMPONENT_ORCHESTRATOR_CELLS_H

#include "tests/component/orchestrator_fixture.h"

struct orch_cells {
    struct orch_fixture a;
    struct orch_fixture b;
};

/* Both know one another and themselves, and the transport keys of a station and a partner. */
void orch_cells_init(struct orch_cells *cells);
void orch_cells_done(struct orch_cells *cells);

/* What its lane is signed with. */
const struct kw_private_key *orch_lane_key(const struct orch_fixture *fx);

/* All that `from` has said, in order. */
void orch_tell(struct orch_fixture *from, struct orch_fixture *to);

/* Both ways, until neither has news. */
void orch_meet(struct orch_cells *cells);

/* What `from` has that goes ahead of its lane, and nothing else; how many there were. */
size_t orch_tell_urgent(struct orch_fixture *from, struct orch_fixture *to);

/* Writes of a cell's rows that the service would not do. */
typedef struct kw_result orch_say(const struct kw_feed_tx *feed_tx, const void *context,
                                  struct kw_error *err);
struct kw_result orch_try_say(struct orch_fixture *fx, orch_say *say, const void *context,
                              struct kw_error *err);

/* The one number that `sql`, which has no parameters, answers. */
int64_t orch_number(struct orch_fixture *fx, const char *sql);

#endif

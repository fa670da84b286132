/* store replay: what a fenced store alone had said is brought to a cell that lives. */
#include "cli/cli.h"
#include "common/base/file.h"
#include "common/base/limits.h"
#include "common/feed/orphans.h"
#include "common/rpc/messages.h"
#include "keyward/v1/status_service.pb-c.h"

#include <inttypes.h>

#define REQUEST_ROOM 1024U /* of a request, beside both records */

static const char *const orphan_columns[] = {"sequence", "time",    "table", "key_digest",
                                             "state",    "in_part", NULL};

struct replaying {
    struct kw_cli *cli;
    uint64_t said;
    uint64_t left;
};

/* What follows may undo what is missing, or be undone by it: who replays is told of it. */
static void tell_gap(const Keyward__V1__ReplayOrphansResponse *response)
{
    char lane[2 * KW_ID_LEN + 1];

    if (response->missing_last > 0 && response->lane.len == KW_ID_LEN) {
        kw_hex(kw_bytes_field(response->lane), lane);
        (void)fprintf(stderr,
                      "missing: numbers %" PRIu64 " to %" PRIu64
                      " of lane %s, neither here nor in the bundle\n",
                      response->missing_first, response->missing_last, lane);
    }
}

static void count(struct replaying *r, const Keyward__V1__ReplayOrphansResponse *response)
{
    tell_gap(response);
    r->said += response->said;
    for (size_t i = 0; i < response->n_changes; i++) {
        r->left += response->changes[i]->state == KEYWARD__V1__ORPHAN_STATE__ORPHAN_STATE_LEFT ||
                   response->changes[i]->in_part;
    }
}

/* A change of its own that no request holds: far longer than what goes ahead of a lane. */
static struct kw_result leave(struct replaying *r, const struct kw_lane_batch *batch)
{
    uint64_t first = batch->from.seq + 1;

    r->left += batch->count;
    (void)fprintf(
        stderr, "left: numbers %" PRIu64 " to %" PRIu64 " of writer %u, too long to be handed in\n",
        first, batch->head.point.seq, batch->head.lane.writer);
    return KW_OK;
}

/* Each batch is a request of its own, whatever id was given for one. */
static struct kw_result hand_in(struct replaying *r, struct kw_bytes bundle, struct kw_bytes batch,
                                struct kw_arena *arena, struct kw_error *err)
{
    struct kw_cli one = *r->cli;
    Keyward__V1__ReplayOrphansRequest *request;
    ProtobufCMessage *message = NULL;

    one.arena = arena;
    KW_TRY(kw_cli_request(&one, KW_METHOD_REPLAY_ORPHANS, &message, err));
    request = (Keyward__V1__ReplayOrphansRequest *)message;
    request->request_id = kw_field_text("");
    request->bundle = kw_field_bytes(bundle);
    request->batch = kw_field_bytes(batch);
    KW_TRY(kw_connection_call(&r->cli->connection, KW_METHOD_REPLAY_ORPHANS, &request->base, arena,
                              &message, err));
    count(r, (const Keyward__V1__ReplayOrphansResponse *)message);
    return kw_cli_show(&one, message, err);
}

static struct kw_result take_batch(void *context, const struct kw_orphans *orphans,
                                   struct kw_bytes record, const struct kw_lane_batch *batch,
                                   struct kw_error *err)
{
    struct replaying *r = context;
    struct kw_arena *arena;
    struct kw_result handed;

    if (orphans->record.len + record.len + REQUEST_ROOM > KW_BODY_LEN_MAX) {
        return leave(r, batch);
    }
    arena = kw_arena_new(2 * KW_REQUEST_ARENA_MAX);
    KW_ENSURE(arena != NULL, err, MEMORY, "a batch");
    handed = hand_in(r, orphans->record, record, arena, err);
    kw_arena_free(arena);
    return handed;
}

static struct kw_result replay(struct kw_cli *cli, struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf file = {0};
    struct replaying r = {.cli = cli};

    KW_TRY(kw_file_read(kw_cli_argument(cli, "FILE"), KW_ORPHANS_LEN_MAX, &file, err));
    KW_TRY(kw_orphans_walk(kw_buf_bytes(&file), NULL, NULL, err));
    KW_TRY(kw_cli_connect(cli, err));
    KW_TRY(kw_orphans_walk(kw_buf_bytes(&file), take_batch, &r, err));
    (void)fprintf(stderr, "%" PRIu64 " said again, %" PRIu64 " left for an officer to decide\n",
                  r.said, r.left);
    return KW_OK;
}

static enum kw_exit run_replay(struct kw_cli *cli)
{
    struct kw_error error;

    return kw_cli_exit(cli, replay(cli, &error), &error);
}

const struct kw_command kw_orphan_commands[] = {
    {"store",
     "replay",
     "Has said again what a fenced store had said beyond its fence and disables; shows the rest.",
     {{"FILE", NULL, NULL, true,
       "What keyward-authz orphans, or keyward-orchestrator orphans, wrote at the fenced cell."}},
     .run = run_replay,
     .call = {KW_METHOD_REPLAY_ORPHANS, "changes", orphan_columns}},
    {0},
};

/* The outer end: a link to each address of the inner neighbour, each holding one stream, made anew
 * when lost. */
#include "common/rpc/hop_client.h"

#include "common/base/log.h"
#include "common/rpc/creds.h"

#include <stdlib.h>

/* --- choosing a stream --- */

static bool has_room(const struct kw_hop_stream *stream, bool kept)
{
    size_t places = kept ? KW_HOP_CALLS_MAX : KW_HOP_CALLS_MAX - KW_HOP_CALLS_KEPT;

    return stream->calls.count < places && !kw_hop_stream_full(stream);
}

/* The least loaded stream; among equals the one after the last that was chosen. `ret_any` tells
 * whether there was a stream at all. */
static struct kw_hop_stream *choose(struct kw_hop_client *client, bool kept, bool *ret_any)
{
    struct kw_hop_stream *best = NULL;
    size_t best_index = 0;

    *ret_any = false;
    for (size_t n = 1; n <= client->link_count; n++) {
        size_t i = (client->last_chosen + n) % client->link_count;
        struct kw_hop_stream *stream = client->links[i]->stream;

        if (stream == NULL || !kw_hop_stream_open_for_calls(stream)) {
            continue;
        }
        *ret_any = true;
        if (has_room(stream, kept) && (best == NULL || stream->calls.count < best->calls.count)) {
            best = stream;
            best_index = i;
        }
    }
    if (best != NULL) {
        client->last_chosen = best_index;
    }
    return best;
}

/* The stream of another call, or none. */
static struct kw_hop_stream *choose_beside(const struct kw_hop_open *open, bool *ret_any)
{
    struct kw_hop_stream *stream = open->beside->stream;

    *ret_any = kw_hop_stream_open_for_calls(stream);
    return *ret_any && has_room(stream, open->kept) ? stream : NULL;
}

struct kw_result kw_hop_open(struct kw_hop_client *client, const struct kw_hop_open *open,
                             const struct kw_hop_events *events, void *user,
                             struct kw_hop_call **ret_call, struct kw_error *err)
{
    bool any;
    struct kw_hop_stream *stream =
        open->beside != NULL ? choose_beside(open, &any) : choose(client, open->kept, &any);

    KW_ENSURE(any, err, PEER_UNAVAILABLE, "hop: no stream to %s", client->peer);
    KW_ENSURE(stream != NULL, err, RATE_LIMITED, "hop: every stream to %s is full", client->peer);
    return kw_hop_outer_open(stream, open, events, user, ret_call, err);
}

bool kw_hop_client_connected(const struct kw_hop_client *client)
{
    for (size_t i = 0; i < client->link_count; i++) {
        const struct kw_hop_stream *stream = client->links[i]->stream;

        if (stream != NULL && kw_hop_stream_open_for_calls(stream)) {
            return true;
        }
    }
    return false;
}

void kw_hop_client_redial(struct kw_hop_client *client)
{
    for (size_t i = 0; i < client->link_count; i++) {
        if (client->links[i]->stream != NULL) {
            kw_hop_stream_break(client->links[i]->stream);
        }
    }
}

struct kw_hop_stats kw_hop_client_stats(const struct kw_hop_client *client)
{
    return client->stats;
}

/* --- making and ending it --- */

static void client_free(struct kw_hop_client *client)
{
    grpc_channel_credentials_release(client->creds);
    free(client->peer);
    free(client);
}

static struct kw_result add_targets(struct kw_hop_client *client, const char *const *targets,
                                    struct kw_error *err)
{
    KW_ENSURE(targets[0] != NULL, err, CONFIG_INVALID, "hop: no target");
    for (; *targets != NULL; targets++) {
        KW_TRY(kw_hop_target_add(client, *targets, err));
    }
    return KW_OK;
}

void kw_hop_client_released(struct kw_hop_client *client)
{
    client->alive--;
    if (client->closing && client->alive == 0) {
        void (*closed)(void *context) = client->closed;
        void *context = client->closed_context;

        client_free(client);
        if (closed != NULL) {
            closed(context);
        }
    }
}

void kw_hop_client_close(struct kw_hop_client *client, void (*closed)(void *context), void *context)
{
    client->closing = true;
    client->closed = closed;
    client->closed_context = context;
    for (size_t i = 0; i < client->link_count; i++) {
        kw_hop_link_close(client->links[i]);
    }
    client->link_count = 0;
    kw_hop_targets_close(client);
    kw_hop_dials_cut(client);
}

/* A client of which some links were made already is closed like any other, in its own time. */
struct kw_result kw_hop_client_new(struct kw_rpc *rpc, const struct kw_hop_client_options *options,
                                   struct kw_hop_client **ret_client, struct kw_error *err)
{
    const char *const ids[] = {options->peer, NULL};
    struct kw_hop_client *client;
    grpc_channel_credentials *creds;
    struct kw_result result;

    KW_TRY(kw_creds_check_id(options->peer, options->trust_domain, err));
    KW_TRY(kw_creds_client_dir(options->credentials_dir, ids, &creds, err));
    client = calloc(1, sizeof(*client));
    if (client == NULL) {
        grpc_channel_credentials_release(creds);
        KW_FAIL(err, MEMORY, "hop client");
    }
    client->rpc = rpc;
    client->creds = creds;
    client->state = options->state;
    client->state_context = options->context;
    client->peer = strdup(options->peer);
    result = client->peer != NULL ? add_targets(client, options->targets, err)
                                  : KW_MAKE(err, MEMORY, "hop client");
    if (!kw_ok(result)) {
        if (client->alive == 0) {
            client_free(client);
        } else {
            kw_hop_client_close(client, NULL, NULL);
        }
        return result;
    }
    *ret_client = client;
    return KW_OK;
}

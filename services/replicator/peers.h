/* Peers: the replicators of the cells that this one is linked with; who of them may connect, whom we call,
 * and the one link with each.
 *
 *     the first of two by name ──hop, call LINK──▶ the other        its certificate says which cell it is
 *
 * A link that ended is made again by whoever calls. A newer one takes the place of one that is still
 * here: the peer knows better whether that is alive. Loop thread.
 */
#ifndef KW_SERVICES_REPLICATOR_PEERS_H
#define KW_SERVICES_REPLICATOR_PEERS_H

#include "common/rpc/hop.h"
#include "services/replicator/cells.h"
#include "services/replicator/core/frame.h"

struct kw_peers;

/* `peer` is the index of kw_place_peers. None of these is called from inside kw_peers_send, _room, _cut. */
struct kw_peers_events {
    void (*up)(void *context, uint32_t peer);
    void (*down)(void *context, uint32_t peer);
    void (*frame)(void *context, uint32_t peer, const struct kw_frame *frame);
    void (*room)(void *context, uint32_t peer); /* kw_peers_room says yes again */
};

/* All that is pointed to is borrowed. */
struct kw_peers_options {
    struct kw_rpc *rpc;
    struct kw_loop *loop;
    const struct kw_cells *cells;
    const char *listen;
    const char *credentials_dir;
    const char *trust_domain;
    struct kw_peers_events events;
    void *context;
};

/* Listens, and begins to call; there is no link before kw_peers_allow. Fails: CONFIG_INVALID (names, an
 * address, credentials, listening), ARGUMENT_INVALID, LIMIT_REACHED, MEMORY. On failure `*ret_peers` is what
 * kw_peers_close and _free take apart, or NULL. */
struct kw_result kw_peers_new(const struct kw_peers_options *options, struct kw_peers **ret_peers,
                              int *ret_port, struct kw_error *err);

/* Links may be made: we can say who we are. */
void kw_peers_allow(struct kw_peers *peers);

/* Ends all links, makes no more; `drained` when nobody is connected to us. */
void kw_peers_drain(struct kw_peers *peers, void (*drained)(void *context), void *context);

/* Closes all; `closed` when it uses neither loop nor gRPC any more. */
void kw_peers_close(struct kw_peers *peers, void (*closed)(void *context), void *context);

/* After `closed`. Accepts NULL. */
void kw_peers_free(struct kw_peers *peers);

/* Sends a frame; without a link, nowhere. */
void kw_peers_send(struct kw_peers *peers, uint32_t peer, const struct kw_frame *frame);

/* Has its link room for another batch? If not, `room` comes. */
bool kw_peers_room(struct kw_peers *peers, uint32_t peer);

/* For another urgent change? */
bool kw_peers_urgent_room(const struct kw_peers *peers, uint32_t peer);

/* Ends its link, soon. `why` is a constant. */
void kw_peers_cut(struct kw_peers *peers, uint32_t peer, const char *why);

/* Our owners have begun, or ended, to judge so many bytes that it brought: too many, and its credit is kept
 * back. */
void kw_peers_hold(struct kw_peers *peers, uint32_t peer, size_t len);
void kw_peers_judged(struct kw_peers *peers, uint32_t peer, size_t len);

size_t kw_peers_count(const struct kw_peers *peers);

/* "us/a", for logs and metrics. */
const char *kw_peers_name(const struct kw_peers *peers, uint32_t peer);

/* As its certificate says. */
const struct kw_place *kw_peers_place(const struct kw_peers *peers, uint32_t peer);

/* Is there a link with that cell? */
bool kw_peers_linked(const struct kw_peers *peers, const struct kw_place *place);

/* The version of the link's protocol that both speak; 0: there is no link, or no hello yet. */
uint32_t kw_peers_version(const struct kw_peers *peers, uint32_t peer);

/* Bytes that wait for it. */
size_t kw_peers_queued(const struct kw_peers *peers, uint32_t peer);

#endif

/* Links: who speaks with us, and what they say. */
#include "services/replicator/core/replicator_internal.h"

#include "common/base/metrics.h"

#define WINDOW_MS 1000U

bool kw_link_current(const struct kw_replicator *r, struct kw_ticket ticket)
{
    return ticket.peer < r->peer_count && r->peers[ticket.peer].up &&
           r->peers[ticket.peer].link == ticket.link;
}

static void send(const struct kw_replicator *r, uint32_t peer, const struct kw_frame *frame)
{
    r->options.io.send(r->options.io.context, peer, frame);
}

void kw_link_cut(struct kw_replicator *r, uint32_t peer, const char *why)
{
    if (r->peers[peer].up) {
        kw_replicator_link_down(r, peer);
        r->options.io.cut(r->options.io.context, peer, why);
    }
}

void kw_link_reach(struct kw_replicator *r, uint32_t peer, uint64_t now_ms)
{
    struct kw_frame frame = {.type = KW_FRAME_REACH, .reaches = r->reaches};

    for (size_t i = 0; i < r->lane_count; i++) {
        const struct kw_carried *lane = r->lanes[i];

        r->reaches[frame.reach_count++] =
            (struct kw_reach){.owner = lane->owner, .lane = lane->id, .extent = lane->ours};
    }
    r->peers[peer].reach_ms = now_ms;
    send(r, peer, &frame);
}

void kw_replicator_link_up(struct kw_replicator *replicator, uint32_t peer, uint64_t now_ms)
{
    struct kw_peer *link = &replicator->peers[peer];
    struct kw_frame hello = {.type = KW_FRAME_HELLO, .mesh = replicator->options.mesh};

    for (size_t i = 0; i < KW_OWNER_COUNT_; i++) {
        hello.stores[i] = replicator->options.stores[i];
    }
    *link = (struct kw_peer){
        .link = link->link + 1, .up = true, .begun_ms = now_ms, .heard_ms = now_ms};
    for (size_t i = 0; i < replicator->lane_count; i++) {
        kw_progress_restart(&replicator->lanes[i]->peers[peer]);
    }
    send(replicator, peer, &hello);
    kw_link_reach(replicator, peer, now_ms);
    kw_owners_vouch(replicator, peer, now_ms);
}

void kw_replicator_writable(struct kw_replicator *replicator, uint32_t peer, uint64_t now_ms)
{
    if (replicator->peers[peer].ready) {
        kw_peer_pump(replicator, peer, now_ms);
    }
}

void kw_replicator_link_down(struct kw_replicator *replicator, uint32_t peer)
{
    replicator->peers[peer].up = false;
    replicator->peers[peer].ready = false;
}

struct kw_id kw_replicator_peer_store(const struct kw_replicator *replicator, uint32_t peer,
                                      enum kw_owner owner)
{
    const struct kw_peer *link = &replicator->peers[peer];

    return link->ready ? link->stores[owner] : KW_ID_NONE;
}

static bool greeted(const struct kw_peer *link)
{
    return !kw_id_is_none(link->stores[KW_OWNER_AUTHZ]) ||
           !kw_id_is_none(link->stores[KW_OWNER_ORCHESTRATOR]);
}

static const char *take_hello(struct kw_replicator *r, uint32_t peer, const struct kw_frame *frame)
{
    struct kw_peer *link = &r->peers[peer];

    if (!kw_id_equal(frame->mesh, r->options.mesh)) {
        return "another mesh";
    }
    if (greeted(link)) {
        return "a second hello";
    }
    for (size_t i = 0; i < KW_OWNER_COUNT_; i++) {
        link->stores[i] = frame->stores[i];
        if (!kw_id_is_none(link->stores[i]) && kw_id_equal(link->stores[i], r->options.stores[i])) {
            return "it says it is us";
        }
    }
    return greeted(link) ? NULL : "a hello of nobody";
}

/* The peer holds this much. Of a lane that we don't hold we could send nothing: it is passed over, or a
 * peer could fill our table with lanes that nobody has. */
static const char *take_reach(struct kw_replicator *r, uint32_t peer, const struct kw_reach *reach,
                              uint64_t now_ms)
{
    struct kw_carried *lane;

    if (reach->owner >= KW_OWNER_COUNT_) {
        return "an owner that is none";
    }
    lane = kw_carried_find(r, reach->owner, reach->lane);
    if (lane == NULL) {
        return NULL;
    }
    if (kw_progress_known(&lane->peers[peer], reach->extent, now_ms)) {
        r->options.io.acked(r->options.io.context, peer, reach->owner,
                            r->peers[peer].stores[reach->owner], reach->lane, reach->extent.seq);
    }
    kw_carried_pump(r, lane, peer, now_ms);
    return NULL;
}

/* Once more within this second? */
static bool within_budget(uint64_t *since_ms, unsigned *count, unsigned max, uint64_t now_ms)
{
    if (now_ms - *since_ms >= WINDOW_MS) {
        *since_ms = now_ms;
        *count = 0;
    }
    return ++*count <= max;
}

/* Each costs us a look at all lanes. The next one says all that one that is passed over said. */
static bool is_looked_at(struct kw_peer *link, const struct kw_frame *frame, uint64_t now_ms)
{
    if (frame->type != KW_FRAME_REACH ||
        within_budget(&link->reaches_ms, &link->reaches, KW_LINK_REACHES_PER_S, now_ms)) {
        return true;
    }
    kw_metric_add(KW_M_LIMITS_REACHED, "link_reaches", 1);
    return false;
}

static const char *take_reaches(struct kw_replicator *r, uint32_t peer,
                                const struct kw_frame *frame, uint64_t now_ms)
{
    const char *wrong = NULL;

    if (!is_looked_at(&r->peers[peer], frame, now_ms)) {
        return NULL;
    }
    for (size_t i = 0; i < frame->reach_count && wrong == NULL; i++) {
        wrong = take_reach(r, peer, &frame->reaches[i], now_ms);
    }
    if (wrong == NULL && frame->type == KW_FRAME_REACH && !r->peers[peer].ready) {
        r->peers[peer].ready = true;
        kw_peer_pump(r, peer, now_ms);
    }
    return wrong;
}

/* Asking again costs us a read and a batch, so it has a budget. */
static const char *take_need(struct kw_replicator *r, uint32_t peer, const struct kw_frame *frame,
                             uint64_t now_ms)
{
    struct kw_peer *link = &r->peers[peer];
    struct kw_carried *lane;

    if (frame->reach_count != 1) {
        return "a need of more than one lane";
    }
    if (!within_budget(&link->needs_ms, &link->needs, KW_LINK_NEEDS_PER_S, now_ms)) {
        return "it asks again too often";
    }
    lane = kw_carried_find(r, frame->reaches[0].owner, frame->reaches[0].lane);
    if (lane != NULL) {
        kw_progress_need(&lane->peers[peer], frame->reaches[0].extent.seq);
        kw_carried_pump(r, lane, peer, now_ms);
    }
    return NULL;
}

/* Has it more of a lane than our owner? Only while the link is new: later there is always something on its way. */
static bool is_ahead(const struct kw_replicator *r, uint32_t peer, enum kw_owner owner,
                     uint64_t now_ms)
{
    if (now_ms - r->peers[peer].begun_ms >= KW_LINK_VOUCHER_WAIT_MS) {
        return false;
    }
    for (size_t i = 0; i < r->lane_count; i++) {
        const struct kw_carried *lane = r->lanes[i];

        if (lane->owner == owner && lane->peers[peer].known.seq > lane->ours.seq) {
            return true;
        }
    }
    return false;
}

static const char *take_record(struct kw_replicator *r, uint32_t peer, const struct kw_frame *frame,
                               uint64_t now_ms)
{
    const struct kw_replicator_io *io = &r->options.io;
    struct kw_peer *link = &r->peers[peer];
    struct kw_ticket ticket = {.peer = peer, .owner = frame->owner, .link = link->link};

    if (frame->owner >= KW_OWNER_COUNT_) {
        return "an owner that is none";
    }
    if (link->applies == KW_LINK_APPLIES_MAX) {
        return "more than our owners can take";
    }
    if (frame->type == KW_FRAME_VOUCHER &&
        !within_budget(&link->vouchers_ms, &link->vouchers, KW_LINK_VOUCHERS_PER_S, now_ms)) {
        return "too many vouchers";
    }
    /* Our owner says in its lane whom it admits. If its disk is an old one, it should hear first what it said itself,
     * or it would say another thing under the same number. A voucher that is passed over comes again. */
    if (frame->type == KW_FRAME_VOUCHER && is_ahead(r, peer, frame->owner, now_ms)) {
        return NULL;
    }
    link->applies++;
    if (frame->type == KW_FRAME_BATCH) {
        io->apply(io->context, ticket, frame->record);
    } else if (frame->type == KW_FRAME_URGENT) {
        io->apply_urgent(io->context, ticket, frame->record);
    } else {
        io->apply_voucher(io->context, ticket, frame->record);
    }
    return NULL;
}

/* What owners ask one another has no part in what goes to whom. */
static const char *take_question(const struct kw_replicator *r, uint32_t peer,
                                 const struct kw_frame *frame)
{
    const struct kw_replicator_io *io = &r->options.io;

    if (frame->owner >= KW_OWNER_COUNT_) {
        return "an owner that is none";
    }
    if (io->question != NULL) {
        io->question(io->context, peer, frame);
    }
    return NULL;
}

static const char *take(struct kw_replicator *r, uint32_t peer, const struct kw_frame *frame,
                        uint64_t now_ms)
{
    if (frame->type == KW_FRAME_HELLO) {
        return take_hello(r, peer, frame);
    }
    if (!greeted(&r->peers[peer])) {
        return "no hello";
    }
    switch (frame->type) {
    case KW_FRAME_REACH:
    case KW_FRAME_ACK:
        return take_reaches(r, peer, frame, now_ms);
    case KW_FRAME_BATCH:
    case KW_FRAME_URGENT:
    case KW_FRAME_VOUCHER:
        return take_record(r, peer, frame, now_ms);
    case KW_FRAME_NEED:
        return take_need(r, peer, frame, now_ms);
    case KW_FRAME_QUESTION:
    case KW_FRAME_ANSWER:
        return take_question(r, peer, frame);
    case KW_FRAME_HELLO:
    case KW_FRAME_END_:
        break;
    }
    return NULL; /* a later release's frame: what it says it will say otherwise too */
}

void kw_replicator_frame(struct kw_replicator *replicator, uint32_t peer,
                         const struct kw_frame *frame, uint64_t now_ms)
{
    const char *wrong;

    if (!replicator->peers[peer].up) {
        return;
    }
    replicator->peers[peer].heard_ms = now_ms;
    wrong = take(replicator, peer, frame, now_ms);
    if (wrong != NULL) {
        kw_link_cut(replicator, peer, wrong);
    }
}

/* Records that change nothing cost a job of the store each. Heartbeats say nothing new, either: of each lane as many as
 * are made, twice, for a backup may carry it too. */
static bool may_say_known(const struct kw_replicator *r, struct kw_peer *link,
                          enum kw_lane_verdict verdict)
{
    unsigned beats = (unsigned)r->lane_count * 2 * (WINDOW_MS / KW_HEARTBEAT_MS);

    return verdict != KW_LANE_KNOWN || within_budget(&link->known_ms, &link->known,
                                                     KW_LINK_KNOWN_PER_S + beats, link->heard_ms);
}

bool kw_link_judged(struct kw_replicator *r, struct kw_ticket ticket, enum kw_lane_verdict verdict)
{
    struct kw_peer *link = &r->peers[ticket.peer];

    if (!kw_link_current(r, ticket)) {
        return false;
    }
    link->applies -= link->applies > 0;
    if (kw_reply_to(verdict) == KW_REPLY_CUT) {
        kw_link_cut(r, ticket.peer, kw_lane_verdict_name(verdict));
    } else if (kw_reply_to(verdict) == KW_REPLY_NONE &&
               !within_budget(&link->refused_ms, &link->refused, KW_LINK_REFUSED_PER_S,
                              link->heard_ms)) {
        kw_link_cut(r, ticket.peer, "too much of what it brings is refused");
    } else if (!may_say_known(r, link, verdict)) {
        kw_link_cut(r, ticket.peer, "too much of what it brings is known");
    }
    return link->up;
}

void kw_replicator_applied(struct kw_replicator *replicator, struct kw_ticket ticket,
                           enum kw_lane_verdict verdict, const struct kw_reach *held)
{
    struct kw_frame frame = {.type = KW_FRAME_ACK, .reaches = held, .reach_count = 1};

    if (!kw_link_judged(replicator, ticket, verdict)) {
        return;
    }
    switch (kw_reply_to(verdict)) {
    case KW_REPLY_ACK:
        send(replicator, ticket.peer, &frame);
        break;
    case KW_REPLY_NEED:
        frame.type = KW_FRAME_NEED;
        send(replicator, ticket.peer, &frame);
        break;
    case KW_REPLY_CUT:
    case KW_REPLY_NONE:
        break;
    }
}

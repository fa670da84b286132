/* Between mind, owners and peers: what one of them says, the next is told. */
#include "services/replicator/service_internal.h"

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/metrics.h"

uint64_t kw_carry_now_ms(void)
{
    return kw_clock_mono_ns() / KW_NS_PER_MS;
}

/* --- what the mind wishes --- */

static void on_send(void *context, uint32_t peer, const struct kw_frame *frame)
{
    const struct kw_replicator_service *service = context;

    kw_peers_send(service->peers, peer, frame);
}

static bool on_room(void *context, uint32_t peer)
{
    const struct kw_replicator_service *service = context;

    return kw_peers_room(service->peers, peer);
}

static bool on_urgent_room(void *context, uint32_t peer)
{
    const struct kw_replicator_service *service = context;

    return kw_peers_urgent_room(service->peers, peer);
}

static void on_read(void *context, struct kw_ticket ticket, uint64_t after)
{
    const struct kw_replicator_service *service = context;

    kw_owner_read(service->owners[ticket.owner], ticket, after);
}

static void apply(const struct kw_replicator_service *service, struct kw_ticket ticket,
                  enum kw_frame_type type, struct kw_bytes record)
{
    kw_peers_hold(service->peers, ticket.peer, record.len);
    kw_owner_apply(service->owners[ticket.owner], ticket, type, record);
}

static void on_apply(void *context, struct kw_ticket ticket, struct kw_bytes batch)
{
    apply(context, ticket, KW_FRAME_BATCH, batch);
}

static void on_apply_urgent(void *context, struct kw_ticket ticket, struct kw_bytes urgent)
{
    apply(context, ticket, KW_FRAME_URGENT, urgent);
}

static void on_apply_voucher(void *context, struct kw_ticket ticket, struct kw_bytes voucher)
{
    apply(context, ticket, KW_FRAME_VOUCHER, voucher);
}

static void on_acked(void *context, uint32_t peer, enum kw_owner owner, struct kw_id peer_store,
                     struct kw_id lane, uint64_t seq)
{
    const struct kw_replicator_service *service = context;

    if (!kw_id_is_none(peer_store)) {
        kw_owner_ack(service->owners[owner], kw_peers_place(service->peers, peer), peer_store, lane,
                     seq);
    }
}

static void on_question(void *context, uint32_t peer, const struct kw_frame *frame)
{
    kw_questions_frame(context, peer, frame);
}

static void on_cut(void *context, uint32_t peer, const char *why)
{
    const struct kw_replicator_service *service = context;

    kw_peers_cut(service->peers, peer, why);
}

const struct kw_replicator_io kw_carry_io = {
    .send = on_send,
    .room = on_room,
    .urgent_room = on_urgent_room,
    .read = on_read,
    .apply = on_apply,
    .apply_urgent = on_apply_urgent,
    .apply_voucher = on_apply_voucher,
    .acked = on_acked,
    .question = on_question,
    .cut = on_cut,
};

/* --- what happens to links --- */

static void peer_up(void *context, uint32_t peer)
{
    const struct kw_replicator_service *service = context;

    kw_replicator_link_up(service->mind, peer, kw_carry_now_ms());
}

static void peer_down(void *context, uint32_t peer)
{
    struct kw_replicator_service *service = context;

    kw_replicator_link_down(service->mind, peer);
    kw_questions_down(service, peer);
}

static void peer_frame(void *context, uint32_t peer, const struct kw_frame *frame)
{
    const struct kw_replicator_service *service = context;

    kw_replicator_frame(service->mind, peer, frame, kw_carry_now_ms());
}

static void peer_room(void *context, uint32_t peer)
{
    const struct kw_replicator_service *service = context;

    kw_replicator_writable(service->mind, peer, kw_carry_now_ms());
}

const struct kw_peers_events kw_carry_peers_events = {
    .up = peer_up, .down = peer_down, .frame = peer_frame, .room = peer_room};

/* --- what our owners tell --- */

static void fail(struct kw_replicator_service *service, const struct kw_error *error)
{
    if (!service->failing) {
        service->failing = true;
        service->events.failed(error, service->events.context);
    }
}

static struct kw_result check_mesh(const struct kw_replicator_service *service, enum kw_owner owner,
                                   struct kw_id mesh, struct kw_error *err)
{
    KW_ENSURE(kw_id_equal(mesh, service->mesh), err, CONFIG_INVALID, "%s is of another mesh",
              kw_owner_name(owner));
    return KW_OK;
}

static void owner_begun(void *context, enum kw_owner owner, struct kw_id mesh, struct kw_id store)
{
    struct kw_replicator_service *service = context;
    struct kw_error error = {0};

    if (!kw_ok(check_mesh(service, owner, mesh, &error))) {
        fail(service, &error);
        return;
    }
    KW_LOG(INFO, "owner begun", KW_F_STR("owner", kw_owner_name(owner)),
           KW_F_HEX("store", kw_id_bytes(&store)));
    kw_replicator_owner(service->mind, owner, store);
    kw_questions_owner(service, owner, true);
    kw_peers_allow(service->peers);
}

static void owner_told(void *context, enum kw_owner owner)
{
    struct kw_replicator_service *service = context;

    atomic_store(&service->has[owner], true);
    kw_questions_owner(service, owner, false);
    if (atomic_load(&service->has[KW_OWNER_AUTHZ]) &&
        atomic_load(&service->has[KW_OWNER_ORCHESTRATOR]) && !service->failing) {
        service->events.ready(service->events.context);
    }
}

static void owner_lost(void *context, enum kw_owner owner)
{
    struct kw_replicator_service *service = context;

    atomic_store(&service->has[owner], false);
    KW_LOG(WARN, "owner lost", KW_F_STR("owner", kw_owner_name(owner)));
}

static void owner_lane(void *context, enum kw_owner owner, const struct kw_owner_lane *lane)
{
    const struct kw_replicator_service *service = context;
    struct kw_error error = {0};

    if (!kw_ok(kw_replicator_lane(service->mind, owner, lane->id, &lane->origin, lane->extent,
                                  kw_carry_now_ms(), &error))) {
        kw_metric_add(KW_M_LIMITS_REACHED, "lanes", 1);
        KW_LOG(ERROR, "a lane is not carried", KW_F_HEX("lane", kw_id_bytes(&lane->id)),
               KW_F_ERR(&error));
    }
}

static void owner_urgent(void *context, enum kw_owner owner, struct kw_bytes urgent)
{
    const struct kw_replicator_service *service = context;

    kw_replicator_urgent(service->mind, owner, urgent);
}

static void owner_voucher(void *context, enum kw_owner owner, struct kw_bytes voucher)
{
    const struct kw_replicator_service *service = context;
    struct kw_error error = {0};

    if (!kw_ok(kw_replicator_voucher(service->mind, owner, voucher, &error))) {
        KW_LOG(ERROR, "a voucher is not told", KW_F_ERR(&error));
    }
}

static void owner_read(void *context, struct kw_ticket ticket, struct kw_bytes batch,
                       struct kw_extent extent)
{
    const struct kw_replicator_service *service = context;

    kw_replicator_read(service->mind, ticket, batch, extent, kw_carry_now_ms());
}

static void owner_applied(void *context, const struct kw_owner_judged *judged)
{
    const struct kw_replicator_service *service = context;
    struct kw_ticket ticket = judged->ticket;

    if (!judged->judged) {
        kw_replicator_unapplied(service->mind, ticket);
    } else if (judged->type == KW_FRAME_BATCH) {
        kw_replicator_applied(service->mind, ticket, judged->verdict, &judged->held);
    } else if (judged->type == KW_FRAME_URGENT) {
        kw_replicator_urgent_applied(service->mind, ticket, judged->verdict, judged->record);
    } else {
        kw_replicator_voucher_applied(service->mind, ticket, judged->verdict);
    }
    kw_peers_judged(service->peers, ticket.peer, judged->record.len);
}

static void owner_question(void *context, enum kw_owner owner,
                           const struct kw_owner_question *question)
{
    kw_questions_ask(context, owner, question);
}

static void owner_replied(void *context, enum kw_owner owner, const struct kw_owner_asked *asked,
                          struct kw_bytes piece, bool more)
{
    kw_questions_replied(context, owner, asked, piece, more);
}

static void owner_peers_untold(void *context, enum kw_owner owner)
{
    kw_questions_owner(context, owner, false);
}

const struct kw_owner_events kw_carry_owner_events = {
    .begun = owner_begun,
    .told = owner_told,
    .lost = owner_lost,
    .lane = owner_lane,
    .urgent = owner_urgent,
    .voucher = owner_voucher,
    .read = owner_read,
    .applied = owner_applied,
    .question = owner_question,
    .replied = owner_replied,
    .peers_untold = owner_peers_untold,
};

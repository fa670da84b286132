/* Carrying questions and answers. */
#include "services/replicator/questions.h"

#include "common/base/clock.h"
#include "common/base/metrics.h"
#include "services/replicator/frame_codec.h"
#include "services/replicator/service_internal.h"

/* More pieces than any answer has that is cut as ours are. */
#define PARTS_MAX (KW_ANSWER_LEN_MAX / KW_FEED_PIECE_LEN_MAX + 2U)

/* --- whom our owners may ask --- */

/* The store of a peer's owner that can be asked, or none. */
static struct kw_id askable(const struct kw_replicator_service *service, uint32_t peer,
                            enum kw_owner owner)
{
    return kw_peers_version(service->peers, peer) >= KW_LINK_VERSION_QUESTIONS
               ? kw_replicator_peer_store(service->mind, peer, owner)
               : KW_ID_NONE;
}

static void tell(struct kw_replicator_service *service, enum kw_owner owner)
{
    const struct kw_id *stores = service->questions.told[owner];
    struct kw_owner_peer peers[KW_PEERS_MAX];
    size_t count = 0;

    for (uint32_t peer = 0; peer < kw_peers_count(service->peers); peer++) {
        if (!kw_id_is_none(stores[peer])) {
            peers[count++] = (struct kw_owner_peer){.store = stores[peer],
                                                    .place = kw_peers_place(service->peers, peer)};
        }
    }
    service->questions.told_at_all[owner] = true;
    kw_owner_peers(service->owners[owner], peers, count);
}

static void tick_owner(struct kw_replicator_service *service, enum kw_owner owner)
{
    struct kw_id *told = service->questions.told[owner];
    bool changed = !service->questions.told_at_all[owner];

    for (uint32_t peer = 0; peer < kw_peers_count(service->peers); peer++) {
        struct kw_id store = askable(service, peer, owner);

        changed = changed || !kw_id_equal(store, told[peer]);
        told[peer] = store;
    }
    if (changed && atomic_load(&service->has[owner])) {
        tell(service, owner);
    }
}

void kw_questions_owner(struct kw_replicator_service *service, enum kw_owner owner, bool begun)
{
    service->questions.told_at_all[owner] = false;
    for (size_t peer = 0; begun && peer < KW_PEERS_MAX; peer++) {
        service->questions.slots[peer][owner].asked = 0;
    }
}

/* --- ours --- */

static void answer_none(struct kw_replicator_service *service, enum kw_owner owner, uint64_t number)
{
    kw_owner_answered(service->owners[owner], number, 0, KW_BYTES_NONE, false);
}

void kw_questions_ask(struct kw_replicator_service *service, enum kw_owner owner,
                      const struct kw_owner_question *question)
{
    const struct kw_frame frame = {.type = KW_FRAME_QUESTION,
                                   .owner = owner,
                                   .number = question->number,
                                   .record = question->record};
    struct kw_question_slot *slot;
    uint32_t peer = 0;

    while (peer < kw_peers_count(service->peers) &&
           !kw_id_equal(askable(service, peer, owner), question->store)) {
        peer++;
    }
    if (kw_id_is_none(question->store) || peer == kw_peers_count(service->peers)) {
        answer_none(service, owner, question->number);
        return;
    }
    slot = &service->questions.slots[peer][owner];
    slot->asked = question->number;
    slot->parts = 0;
    slot->len = 0;
    kw_peers_send(service->peers, peer, &frame);
}

/* What was not asked, or is more than any answer, is nobody's answer. */
static void take_answer(struct kw_replicator_service *service, uint32_t peer,
                        const struct kw_frame *frame)
{
    struct kw_question_slot *slot = &service->questions.slots[peer][frame->owner];

    if (slot->asked != frame->number) {
        return;
    }
    slot->len += frame->record.len;
    if (slot->len > KW_ANSWER_LEN_MAX || slot->parts == PARTS_MAX) {
        slot->asked = 0;
        return;
    }
    kw_owner_answered(service->owners[frame->owner], frame->number, slot->parts++, frame->record,
                      frame->more);
    slot->asked = frame->more ? slot->asked : 0;
}

/* --- theirs --- */

static bool within_budget(struct kw_question_slot *slot)
{
    uint64_t now_ns = kw_clock_mono_ns();

    if (now_ns >= slot->second_ns + KW_NS_PER_S) {
        slot->second_ns = now_ns;
        slot->answered = 0;
    }
    return slot->answered < KW_LINK_QUESTIONS_PER_S;
}

static void hand_over(struct kw_replicator_service *service, uint32_t peer, enum kw_owner owner,
                      uint64_t number, struct kw_bytes record)
{
    struct kw_question_slot *slot = &service->questions.slots[peer][owner];
    const struct kw_owner_asked asked = {
        .peer = peer, .link = service->questions.links[peer], .number = number};

    slot->answered++;
    slot->answering = true;
    kw_owner_ask(service->owners[owner], &asked, record);
}

/* For want of memory it is passed over. */
static void hold(struct kw_question_slot *slot, const struct kw_frame *frame)
{
    kw_metric_add(KW_M_LIMITS_REACHED, "link_questions_per_s", 1);
    kw_buf_clear(&slot->waiting);
    slot->waiting_number = frame->number;
    slot->waits = kw_ok(kw_buf_append(&slot->waiting, frame->record, NULL));
}

static void take_question(struct kw_replicator_service *service, uint32_t peer,
                          const struct kw_frame *frame)
{
    struct kw_question_slot *slot = &service->questions.slots[peer][frame->owner];

    if (slot->answering || slot->waits) { /* it asks again if that matters */
        kw_metric_add(KW_M_LIMITS_REACHED, "link_questions", 1);
    } else if (within_budget(slot)) {
        hand_over(service, peer, frame->owner, frame->number, frame->record);
    } else {
        hold(slot, frame);
    }
}

static void tick_slot(struct kw_replicator_service *service, uint32_t peer, enum kw_owner owner)
{
    struct kw_question_slot *slot = &service->questions.slots[peer][owner];

    if (slot->waits && within_budget(slot)) {
        slot->waits = false;
        hand_over(service, peer, owner, slot->waiting_number, kw_buf_bytes(&slot->waiting));
    }
}

void kw_questions_tick(struct kw_replicator_service *service)
{
    for (size_t owner = 0; owner < KW_OWNER_COUNT_; owner++) {
        tick_owner(service, (enum kw_owner)owner);
        for (uint32_t peer = 0; peer < kw_peers_count(service->peers); peer++) {
            tick_slot(service, peer, (enum kw_owner)owner);
        }
    }
}

void kw_questions_replied(struct kw_replicator_service *service, enum kw_owner owner,
                          const struct kw_owner_asked *asked, struct kw_bytes piece, bool more)
{
    const struct kw_frame frame = {.type = KW_FRAME_ANSWER,
                                   .owner = owner,
                                   .number = asked->number,
                                   .record = piece,
                                   .more = more};

    service->questions.slots[asked->peer][owner].answering = more;
    if (asked->link == service->questions.links[asked->peer]) {
        kw_peers_send(service->peers, asked->peer, &frame);
    }
}

/* --- links --- */

void kw_questions_frame(struct kw_replicator_service *service, uint32_t peer,
                        const struct kw_frame *frame)
{
    if (frame->type == KW_FRAME_QUESTION) {
        take_question(service, peer, frame);
    } else {
        take_answer(service, peer, frame);
    }
}

void kw_questions_down(struct kw_replicator_service *service, uint32_t peer)
{
    service->questions.links[peer]++;
    for (size_t owner = 0; owner < KW_OWNER_COUNT_; owner++) {
        struct kw_question_slot *slot = &service->questions.slots[peer][owner];
        uint64_t asked = slot->asked;

        slot->asked = 0;
        slot->waits = false;
        if (asked != 0 && slot->parts == 0) {
            answer_none(service, (enum kw_owner)owner, asked);
        }
    }
}

void kw_questions_done(struct kw_replicator_service *service)
{
    for (size_t peer = 0; peer < KW_PEERS_MAX; peer++) {
        for (size_t owner = 0; owner < KW_OWNER_COUNT_; owner++) {
            kw_buf_done(&service->questions.slots[peer][owner].waiting);
        }
    }
}

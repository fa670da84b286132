/* Their part of the conversation. */
#include "tests/support/feed_neighbours.h"

#include "common/base/clock.h"
#include "common/feed_service/feed_service_internal.h"
#include "common/rpc/messages.h"
#include "tests/support/must.h"

#define ARENA_BYTES (16U << 20)

static struct kw_bytes packed(const ProtobufCMessage *message)
{
    struct kw_buf out = {0};

    MUST(kw_buf_reserve(&out, protobuf_c_message_get_packed_size(message) + 1, err));
    out.len = protobuf_c_message_pack(message, out.data);
    return value_keep(&out);
}

void neighbours_link(struct neighbours *neighbours, size_t count)
{
    static char region[] = "ap";
    Keyward__Internal__V1__FeedPeersRequest request =
        KEYWARD__INTERNAL__V1__FEED_PEERS_REQUEST__INIT;
    Keyward__Internal__V1__FeedPeer wires[NEIGHBOURS_MAX];
    Keyward__Internal__V1__FeedPeer *list[NEIGHBOURS_MAX];

    for (size_t i = 0; i < count; i++) {
        keyward__internal__v1__feed_peer__init(&wires[i]);
        wires[i].store.data = neighbours->list[i].as.lane.store.bytes;
        wires[i].store.len = KW_ID_LEN;
        wires[i].region = region;
        list[i] = &wires[i];
    }
    request.peers = list;
    request.n_peers = count;
    REQUIRE(house_raw(neighbours->owner, KW_METHOD_FEED_PEERS, packed(&request.base)) == KW_E_NONE,
            "peers");
}

void neighbours_begin(struct neighbours *neighbours, struct house_owner *owner)
{
    neighbours->owner = owner;
    owner->service->options.pace_ms = 1;
    for (size_t i = 0; i < neighbours->count; i++) {
        house_put_store(owner, &neighbours->list[i].as.row);
    }
    house_listen(owner, &neighbours->listening);
    neighbours_link(neighbours, neighbours->count);
}

void neighbours_end(struct neighbours *neighbours)
{
    house_hang_up(&neighbours->listening);
}

/* --- lanes --- */

void neighbour_says(struct neighbour *neighbour, uint64_t floor, struct kw_bytes head)
{
    struct kw_buf item = {0};

    MUST(kw_answer_lane_encode(floor, head, &item, err));
    REQUIRE(neighbour->count < NEIGHBOUR_LANES_MAX, "too many lanes");
    neighbour->items[neighbour->count++] = value_keep(&item);
    neighbour->lanes = neighbour_tells;
}

bool neighbour_tells(struct neighbour *neighbour, const struct kw_question *question,
                     struct kw_answer *answer)
{
    (void)question;
    answer->items = neighbour->items;
    answer->count = neighbour->count;
    answer->next = (struct kw_answer_place){.section = KW_SECTION_END};
    return true;
}

/* --- answering --- */

static bool say(struct neighbour *neighbour, const struct kw_question *question,
                struct kw_answer *answer)
{
    enum kw_ask_purpose purpose = question->ask.purpose;

    neighbour->asked[purpose <= KW_ASK_DIGESTS ? purpose : 0]++;
    if (purpose == KW_ASK_LANES) {
        neighbour_answers *lanes = neighbour->lanes != NULL ? neighbour->lanes : neighbour_tells;

        return lanes(neighbour, question, answer);
    }
    if (purpose == KW_ASK_DIGESTS) {
        return neighbour->digests != NULL && neighbour->digests(neighbour, question, answer);
    }
    return purpose == KW_ASK_SNAPSHOT && neighbour->snapshot != NULL &&
           neighbour->snapshot(neighbour, question, answer);
}

static void bring(struct neighbours *neighbours, struct kw_bytes record)
{
    Keyward__Internal__V1__FeedAnsweredRequest request =
        KEYWARD__INTERNAL__V1__FEED_ANSWERED_REQUEST__INIT;

    REQUIRE(record.len <= KW_FEED_PIECE_LEN_MAX, "an answer in one piece");
    request.number = neighbours->answered;
    request.record.data = (uint8_t *)record.data;
    request.record.len = record.len;
    (void)house_raw(neighbours->owner, KW_METHOD_FEED_ANSWERED, packed(&request.base));
}

static void answer(struct neighbours *neighbours, struct kw_bytes record)
{
    KW_SCOPED(kw_buf_done) struct kw_buf out = {0};
    struct kw_arena *arena = kw_arena_new(ARENA_BYTES);
    struct kw_question question;
    struct kw_answer said;
    size_t i = 0;

    MUST(kw_question_decode(record, arena, &question, err));
    while (i < neighbours->count &&
           !kw_id_equal(neighbours->list[i].as.lane.store, question.ask.store)) {
        i++;
    }
    REQUIRE(i < neighbours->count, "a stranger is asked");
    said = (struct kw_answer){
        .mesh = question.mesh, .to = question.ask, .next = question.ask.from, .items = NULL};
    if (say(&neighbours->list[i], &question, &said)) {
        MUST(kw_answer_sign(&said, neighbours->list[i].as.key, &out, err));
    }
    kw_arena_free(arena);
    bring(neighbours, kw_buf_bytes(&out));
}

void neighbours_turn(struct neighbours *neighbours)
{
    struct listening *listening = &neighbours->listening;

    kw_feed_errands_tend(neighbours->owner->service);
    hop_turn(&neighbours->owner->house->hop);
    if (listening->question_number > neighbours->answered) {
        neighbours->answered = listening->question_number;
        answer(neighbours, kw_buf_bytes(&listening->question));
    }
}

/* A question on its way, and FEED_ANSWERED. */
#include "common/feed_service/questions.h"

#include "common/base/clock.h"
#include "common/feed_service/feed_service_internal.h"
#include "common/rpc/messages.h"

#include <keyward/internal/v1/feed.pb-c.h>

struct kw_result kw_feed_question_ask(struct kw_feed_service *service, struct kw_id store,
                                      struct kw_bytes question, struct kw_error *err)
{
    struct kw_feed_questions *questions = &service->questions;

    kw_buf_clear(&questions->asked);
    KW_TRY(kw_buf_append(&questions->asked, question, err));
    kw_buf_clear(&questions->answer);
    questions->parts = 0;
    questions->number++;
    questions->store = store;
    questions->unsent = true;
    questions->open = true;
    questions->until_ns = kw_clock_mono_ns() + (uint64_t)KW_QUESTION_MS * KW_NS_PER_MS;
    kw_feed_subscription_ask(service);
    return KW_OK;
}

static void end(struct kw_feed_service *service, enum kw_feed_answered how)
{
    service->questions.open = false;
    service->questions.unsent = false;
    kw_feed_errands_answered(service, how);
}

void kw_feed_question_tend(struct kw_feed_service *service)
{
    if (service->questions.open && kw_clock_mono_ns() >= service->questions.until_ns) {
        end(service, KW_FEED_ANSWER_LATE);
    }
}

/* --- the answer --- */

/* What comes of an earlier question is passed over. */
static struct kw_result take(struct kw_feed_questions *questions,
                             const Keyward__Internal__V1__FeedAnsweredRequest *piece,
                             bool *ret_whole, struct kw_error *err)
{
    *ret_whole = false;
    if (!questions->open || piece->number != questions->number) {
        return KW_OK;
    }
    KW_ENSURE(piece->part == questions->parts, err, ARGUMENT_INVALID,
              "piece %u of an answer after %u", piece->part, questions->parts);
    KW_ENSURE(piece->record.len <= KW_ANSWER_LEN_MAX - questions->answer.len, err, BODY_TOO_LARGE,
              "an answer of more than %u bytes", (unsigned)KW_ANSWER_LEN_MAX);
    KW_TRY(kw_buf_append(&questions->answer, kw_bytes_field(piece->record), err));
    questions->parts++;
    *ret_whole = !piece->more;
    return KW_OK;
}

static struct kw_result take_call(struct kw_feed_service *service, const struct kw_hop_open *open,
                                  struct kw_arena *arena, bool *ret_whole, struct kw_error *err)
{
    Keyward__Internal__V1__FeedAnsweredRequest *piece;

    KW_ENSURE(arena != NULL, err, MEMORY, "an arena for an answer");
    KW_ENSURE(open->has_item && open->end, err, ENCODING_INVALID, "a call without request");
    KW_TRY(kw_message_unpack(&keyward__internal__v1__feed_answered_request__descriptor,
                             open->item.data, arena, (ProtobufCMessage **)&piece, err));
    return take(&service->questions, piece, ret_whole, err);
}

void kw_feed_answered_open(struct kw_feed_service *service, struct kw_hop_call *hop,
                           const struct kw_hop_open *open)
{
    struct kw_arena *arena = kw_arena_new(KW_FEED_PIECE_LEN_MAX + KW_REQUEST_ARENA_MAX);
    struct kw_error error = {0};
    bool whole = false;
    struct kw_result taken = take_call(service, open, arena, &whole, &error);

    kw_arena_free(arena);
    if (!kw_ok(taken)) {
        kw_feed_call_fail(service, hop, &error);
        if (service->questions.open) { /* a piece is missing now */
            end(service, KW_FEED_ANSWER_NONE);
        }
        return;
    }
    kw_feed_call_succeed(hop);
    if (whole) {
        end(service, service->questions.answer.len > 0 ? KW_FEED_ANSWERED : KW_FEED_ANSWER_NONE);
    }
}

/* Packing as frames come. Protobuf defines the concatenation of two messages as their merging, so
 * appending one packed HopMessage to another appends its frames: nothing is kept unpacked and
 * nothing is copied twice. */
#include "common/rpc/hop_outbox.h"

#include "common/base/limits.h"

#include <stdlib.h>

#define PARCEL_LEN_FIRST 4096U

static struct kw_result parcel_add(struct kw_hop_outbox *outbox, size_t len, struct kw_error *err)
{
    struct kw_hop_parcel *parcel = calloc(1, sizeof(*parcel));
    struct kw_result reserved;

    KW_ENSURE(parcel != NULL, err, MEMORY, "hop message");
    reserved =
        kw_buf_reserve(&parcel->packed, len > PARCEL_LEN_FIRST ? len : PARCEL_LEN_FIRST, err);
    if (!kw_ok(reserved)) {
        free(parcel);
        return reserved;
    }
    if (outbox->last != NULL) {
        outbox->last->next = parcel;
    } else {
        outbox->head = parcel;
    }
    outbox->last = parcel;
    return KW_OK;
}

static bool fits(const struct kw_hop_parcel *parcel, size_t len)
{
    return parcel != NULL && parcel->frames < KW_HOP_FRAMES_MAX &&
           parcel->packed.len + len <= KW_HOP_MESSAGE_LEN_MAX;
}

static struct kw_result append(struct kw_hop_outbox *outbox,
                               const Keyward__Internal__V1__HopMessage *message,
                               struct kw_error *err)
{
    size_t len = keyward__internal__v1__hop_message__get_packed_size(message);
    struct kw_hop_parcel *parcel;

    if (!fits(outbox->last, len)) {
        KW_TRY(parcel_add(outbox, len, err));
    }
    parcel = outbox->last;
    KW_TRY(kw_buf_reserve(&parcel->packed, len, err));
    (void)keyward__internal__v1__hop_message__pack(message,
                                                   parcel->packed.data + parcel->packed.len);
    parcel->packed.len += len;
    parcel->frames += message->n_frames;
    outbox->bytes += len;
    return KW_OK;
}

struct kw_result kw_hop_outbox_hello(struct kw_hop_outbox *outbox,
                                     Keyward__Internal__V1__Hello *hello, struct kw_error *err)
{
    Keyward__Internal__V1__HopMessage message = KEYWARD__INTERNAL__V1__HOP_MESSAGE__INIT;

    message.hello = hello;
    return append(outbox, &message, err);
}

struct kw_result kw_hop_outbox_frame(struct kw_hop_outbox *outbox,
                                     Keyward__Internal__V1__Frame *frame, struct kw_error *err)
{
    Keyward__Internal__V1__HopMessage message = KEYWARD__INTERNAL__V1__HOP_MESSAGE__INIT;

    message.n_frames = 1;
    message.frames = &frame;
    return append(outbox, &message, err);
}

struct kw_hop_parcel *kw_hop_outbox_take(struct kw_hop_outbox *outbox)
{
    struct kw_hop_parcel *parcel = outbox->head;

    if (parcel != NULL) {
        outbox->head = parcel->next;
        outbox->bytes -= parcel->packed.len;
        parcel->next = NULL;
        if (outbox->head == NULL) {
            outbox->last = NULL;
        }
    }
    return parcel;
}

void kw_hop_parcel_free(struct kw_hop_parcel *parcel)
{
    if (parcel != NULL) {
        kw_buf_done(&parcel->packed);
        free(parcel);
    }
}

void kw_hop_outbox_done(struct kw_hop_outbox *outbox)
{
    struct kw_hop_parcel *parcel;

    while ((parcel = kw_hop_outbox_take(outbox)) != NULL) {
        kw_hop_parcel_free(parcel);
    }
}

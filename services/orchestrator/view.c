/* The parts that all views are made of. */
#include "services/orchestrator/view.h"

#include "common/rpc/arena_proto.h"
#include "common/rpc/field.h"

#include <assert.h>

void kw_view_init(struct kw_view *view, struct kw_arena *arena)
{
    *view = (struct kw_view){.arena = arena};
}

/* Never NULL: what does not fit the arena goes to scratch, where nobody will read it. */
static void *take(struct kw_view *view, size_t size)
{
    void *place = view->exhausted ? NULL : kw_arena_alloc(view->arena, size);

    if (place == NULL) {
        view->exhausted = true;
        return view->scratch;
    }
    return place;
}

/* In parentheses: it has a macro of the same name (view.h); so has the next. */
void *(kw_view_message)(struct kw_view *view, const ProtobufCMessageDescriptor *descriptor)
{
    void *message = take(view, descriptor->sizeof_message);

    assert(descriptor->sizeof_message <= sizeof(view->scratch));
    protobuf_c_message_init(descriptor, message);
    return message;
}

void *kw_view_exhaust(struct kw_view *view)
{
    view->exhausted = true;
    return NULL;
}

void *(kw_view_pointers)(struct kw_view *view, size_t count)
{
    void *place =
        view->exhausted ? NULL : kw_arena_alloc(view->arena, (count + 1) * sizeof(void *));

    return place != NULL ? place : kw_view_exhaust(view);
}

char *kw_view_name(struct kw_view *view, enum kw_resource kind, struct kw_id id)
{
    return kw_resource_name1(kind, id, take(view, KW_RESOURCE_NAME_SIZE));
}

char *kw_view_name2(struct kw_view *view, enum kw_resource kind, struct kw_id outer,
                    struct kw_id id)
{
    struct kw_resource_ids ids = {.id = {outer, id}};

    return kw_resource_name(kind, &ids, take(view, KW_RESOURCE_NAME_SIZE));
}

char *kw_view_id(struct kw_view *view, enum kw_id_kind kind, struct kw_id id)
{
    return kw_id_text(kind, id, take(view, KW_ID_TEXT_SIZE));
}

char *kw_view_text(struct kw_view *view, struct kw_bytes text)
{
    char *copy =
        view->exhausted ? NULL : kw_arena_text(view->arena, (const char *)text.data, text.len);

    if (copy == NULL) {
        view->exhausted = true;
        view->scratch[0] = '\0';
        return (char *)view->scratch;
    }
    return copy;
}

ProtobufCBinaryData kw_view_bytes(struct kw_view *view, struct kw_bytes bytes)
{
    uint8_t *copy =
        bytes.len == 0 || view->exhausted ? NULL : kw_arena_alloc(view->arena, bytes.len);

    if (copy == NULL) {
        view->exhausted = view->exhausted || bytes.len > 0;
        return (ProtobufCBinaryData){0};
    }
    kw_copy(copy, bytes.data, bytes.len);
    return (ProtobufCBinaryData){.data = copy, .len = bytes.len};
}

ProtobufCBinaryData kw_view_id_bytes(struct kw_view *view, struct kw_id id)
{
    return kw_view_bytes(view, kw_id_bytes(&id));
}

Google__Protobuf__Timestamp *kw_view_time(struct kw_view *view, uint64_t ms)
{
    Google__Protobuf__Timestamp *time;

    if (ms == 0) {
        return NULL;
    }
    time = kw_view_message(view, &google__protobuf__timestamp__descriptor);
    kw_field_time_make(ms, time);
    return time;
}

struct kw_result kw_view_whole(const struct kw_view *view, struct kw_error *err)
{
    KW_ENSURE(!view->exhausted, err, MEMORY, "the answer does not fit the request's memory");
    return KW_OK;
}

struct kw_result kw_view_pack(struct kw_view *view, const ProtobufCMessage *message,
                              struct kw_bytes *ret_bytes, struct kw_error *err)
{
    KW_TRY(kw_view_whole(view, err));
    return kw_arena_pack(view->arena, message, ret_bytes, err);
}

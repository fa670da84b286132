/* GENERATE: device keys, made in the HSM and wrapped at once for storage and for the station.
 *
 * A key is extractable only as a session object and only between its making and its two wrappings;
 * no later unwrapping yields an extractable one, because the KEK's unwrap template forbids it.
 */
#include "services/cryptocore/hsm/operations.h"

static struct kw_result generate_one(struct kw_hsm_session *session, CK_OBJECT_HANDLE kek,
                                     CK_OBJECT_HANDLE station, struct kw_hsm_generated *item,
                                     struct kw_error *err)
{
    KW_SCOPED(kw_hsm_object_done) struct kw_hsm_object key = {0};

    KW_TRY(kw_hsm_key_generate(session, KW_HSM_USE_SIGN | KW_HSM_USE_EXTRACTABLE, &key, err));
    KW_TRY(kw_hsm_check_value(session, key.handle, item->stored.check, err));
    KW_TRY(
        kw_hsm_key_wrap(session, kek, key.handle, item->stored.wrapped, KW_HSM_WRAPPED_LEN, err));
    KW_TRY(kw_hsm_key_wrap(session, station, key.handle, item->delivered, KW_HSM_WRAPPED_LEN, err));
    KW_TRY(kw_hsm_key_binding_seal(session, &item->stored, err));
    return kw_hsm_device_prove(session, &item->stored, err);
}

struct kw_result kw_hsm_op_generate(struct kw_hsm_session *session, struct kw_arena *arena,
                                    const struct kw_hsm_request *request,
                                    struct kw_hsm_answer *answer, struct kw_error *err)
{
    const struct kw_hsm_generate *g = &request->generate;
    KW_SCOPED(kw_hsm_object_done) struct kw_hsm_object station = {0};
    struct kw_hsm_generated *items = kw_arena_alloc(arena, g->count * sizeof(*items));
    CK_OBJECT_HANDLE kek;

    KW_ENSURE(items != NULL, err, MEMORY, "%zu keys", g->count);
    KW_TRY(kw_hsm_session_kek(session, g->kek_version, &kek, err));
    KW_TRY(kw_hsm_ptk_open(session, &g->station, KW_HSM_USE_WRAP, &station, err));
    for (size_t i = 0; i < g->count; i++) {
        items[i].stored = (struct kw_key_binding){
            .key = g->keys[i].key,
            .device = g->keys[i].device,
            .product = g->keys[i].product,
            .batch = g->keys[i].batch,
            .kek_version = g->kek_version,
        };
        KW_TRY(generate_one(session, kek, station.handle, &items[i], err));
    }
    answer->generated.items = items;
    answer->generated.count = g->count;
    return KW_OK;
}

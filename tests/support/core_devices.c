/* Devices of a core under test: generated, confirmed, released, and asked for. */
#include "common/crypto/cmac.h"
#include "common/crypto/keywrap.h"
#include "common/rpc/resource.h"
#include "keyward/v1/device_access_service.pb-c.h"
#include "keyward/v1/provisioning_service.pb-c.h"
#include "tests/support/core_fixture.h"
#include "tests/support/must.h"

static void new_keys(struct core_fixture *fx, struct core_ask *ask, struct core_device *device)
{
    Keyward__Internal__V1__NewKey *key = kw_arena_alloc(fx->arena, sizeof(*key));
    Keyward__Internal__V1__NewKey **list = kw_arena_alloc(fx->arena, sizeof(*list));
    struct kw_id *key_id = kw_arena_alloc(fx->arena, sizeof(*key_id));

    MUST(kw_id_random(&device->device, err));
    MUST(kw_id_random(&device->batch, err));
    MUST(kw_id_v7(key_id, err));
    keyward__internal__v1__new_key__init(key);
    key->key_id = kw_field_bytes(kw_id_bytes(key_id));
    key->device_id = kw_field_bytes(kw_id_bytes(&device->device));
    list[0] = key;
    ask->request.new_keys = list;
    ask->request.n_new_keys = 1;
    ask->request.product_id = kw_field_bytes(kw_id_bytes(&device->product));
    ask->request.batch_id = kw_field_bytes(kw_id_bytes(&device->batch));
}

void core_batch_ask(struct core_fixture *fx, struct core_ask *ask,
                    const struct core_caller *station, struct core_device *device)
{
    Keyward__V1__CreateBatchRequest *body = kw_arena_alloc(fx->arena, sizeof(*body));
    char *product = kw_arena_alloc(fx->arena, KW_RESOURCE_NAME_SIZE);

    MUST(kw_id_random(&device->product, err));
    keyward__v1__create_batch_request__init(body);
    body->request_id = core_request_id(fx);
    body->product = kw_resource_name1(KW_RESOURCE_PRODUCT, device->product, product);
    body->lot = (char *)(uintptr_t) "LOT";
    body->count = 1;
    core_ask_init(fx, ask, KW_METHOD_CREATE_BATCH, &body->base, station);
    ask->capsule.owner = station->id;
    ask->capsule.ptk_version = station->ptk_version;
    ask->capsule.count = 1;
    ask->capsule.scope = KW_SCOPE_PRODUCT;
    ask->capsule.scope_id = device->product;
    ask->request.transport_key = station->ptk;
    new_keys(fx, ask, device);
}

static void generate(struct core_fixture *fx, const struct core_caller *station,
                     struct core_device *device)
{
    struct core_answer answer;
    struct core_ask ask;

    core_batch_ask(fx, &ask, station, device);
    answer = core_ask(fx, &ask);
    REQUIRE(answer.reason == KW_E_NONE, "%s", kw_reason_row(answer.reason)->name);
    device->key = answer.reply->items[0]->key;
    device->key->n_facts = 1;
    device->key->facts = answer.reply->items[0]->facts;
    MUST(kw_kwp_unwrap(&station->transport, kw_bytes_field(answer.reply->items[0]->delivery),
                       &device->value, err));
}

static void facts_add(struct core_fixture *fx, struct core_device *device,
                      const Keyward__Internal__V1__CoreReply *reply)
{
    size_t more = reply->items[0]->n_facts;
    Keyward__Internal__V1__Fact **list =
        kw_arena_alloc(fx->arena, (device->key->n_facts + more) * sizeof(*list));

    kw_copy(list, device->key->facts, device->key->n_facts * sizeof(*list));
    kw_copy(list + device->key->n_facts, reply->items[0]->facts, more * sizeof(*list));
    device->key->facts = list;
    device->key->n_facts += more;
}

static void one_key(struct core_fixture *fx, struct core_ask *ask, const struct core_device *device)
{
    Keyward__Internal__V1__WrappedDeviceKey **list = kw_arena_alloc(fx->arena, sizeof(*list));

    list[0] = device->key;
    ask->request.keys = list;
    ask->request.n_keys = 1;
    ask->capsule.scope = KW_SCOPE_BODY;
}

static void confirm(struct core_fixture *fx, const struct core_caller *station,
                    struct core_device *device)
{
    Keyward__V1__ConfirmDeviceRequest body = KEYWARD__V1__CONFIRM_DEVICE_REQUEST__INIT;
    uint8_t challenge[16] = {7};
    uint8_t tag[KW_CMAC_LEN];
    const struct kw_bytes parts[] = {kw_bytes_str("KEYWARD-PROV"), KW_BYTES_OF(challenge),
                                     kw_id_bytes(&device->device)};
    char name[KW_RESOURCE_NAME_SIZE];
    struct core_answer answer;
    struct core_ask ask;

    MUST(kw_cmac_aes256(&device->value, parts, 3, tag, err));
    body.request_id = core_request_id(fx);
    body.device = kw_resource_name1(KW_RESOURCE_DEVICE, device->device, name);
    body.challenge = kw_field_bytes(KW_BYTES_OF(challenge));
    body.tag = kw_field_bytes(KW_BYTES_OF(tag));
    core_ask_init(fx, &ask, KW_METHOD_CONFIRM_DEVICE, &body.base, station);
    one_key(fx, &ask, device);
    answer = core_ask(fx, &ask);
    REQUIRE(answer.reason == KW_E_NONE, "%s", kw_reason_row(answer.reason)->name);
    facts_add(fx, device, answer.reply);
}

void core_release_ask(struct core_fixture *fx, struct core_ask *ask,
                      const struct core_caller *station, const struct core_device *device)
{
    Keyward__V1__ReleaseBatchRequest *body = kw_arena_alloc(fx->arena, sizeof(*body));
    char *name = kw_arena_alloc(fx->arena, KW_RESOURCE_NAME_SIZE);

    keyward__v1__release_batch_request__init(body);
    body->request_id = core_request_id(fx);
    body->name = kw_resource_name1(KW_RESOURCE_BATCH, device->batch, name);
    core_ask_init(fx, ask, KW_METHOD_RELEASE_BATCH, &body->base, station);
    one_key(fx, ask, device);
    ask->capsule.scope = KW_SCOPE_BATCH;
    ask->capsule.scope_id = device->batch;
}

static void release(struct core_fixture *fx, const struct core_caller *station,
                    struct core_device *device)
{
    struct core_answer answer;
    struct core_ask ask;

    core_release_ask(fx, &ask, station, device);
    answer = core_ask(fx, &ask);
    REQUIRE(answer.reason == KW_E_NONE, "%s", kw_reason_row(answer.reason)->name);
    facts_add(fx, device, answer.reply);
}

void core_device(struct core_fixture *fx, const struct core_caller *station,
                 struct core_device *ret_device)
{
    *ret_device = (struct core_device){0};
    generate(fx, station, ret_device);
    confirm(fx, station, ret_device);
    release(fx, station, ret_device);
}

void core_device_done(struct core_device *device)
{
    kw_secret_done(&device->value);
}

void core_access_ask(struct core_fixture *fx, struct core_ask *ask,
                     const struct core_device *device, const struct core_caller *partner)
{
    Keyward__V1__GetDeviceAccessRequest *body = kw_arena_alloc(fx->arena, sizeof(*body));
    char *name = kw_arena_alloc(fx->arena, KW_RESOURCE_NAME_SIZE);

    keyward__v1__get_device_access_request__init(body);
    body->selector_case = KEYWARD__V1__GET_DEVICE_ACCESS_REQUEST__SELECTOR_DEVICE;
    body->device = kw_resource_name1(KW_RESOURCE_DEVICE, device->device, name);
    body->epoch = 1;
    core_ask_init(fx, ask, KW_METHOD_GET_DEVICE_ACCESS, &body->base, partner);
    one_key(fx, ask, device);
    ask->capsule.owner = partner->id;
    ask->capsule.ptk_version = partner->ptk_version;
    MUST(kw_id_v7(&ask->capsule.grant, err));
    ask->request.transport_key = partner->ptk;
}

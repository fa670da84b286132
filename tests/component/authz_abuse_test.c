/* Callers that are who they say and ask for what is not theirs: other partners' things, fields that
 * are ours to set, SQL where text belongs. Generated from the method table and the messages'
 * descriptors, so that a method that is new is in it. */
#include "common/rpc/messages.h"
#include "tests/component/authz_fixture.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdlib.h>

static struct authz_fixture fx;
static char *device;

static void setup(void)
{
    authz_fixture_init(&fx);
    (void)authz_device(&fx, 7, &device);
}

static void teardown(void)
{
    authz_fixture_done(&fx);
}

TestSuite(authz_abuse, .init = setup, .fini = teardown, .timeout = 120);

/* --- any message, by its descriptor --- */

#define DEPTH_MAX 4

/* The place of a field that holds `size` bytes. */
static void *place(ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
    return (uint8_t *)message + field->offset;
}

static ProtobufCMessage *message_new(const ProtobufCMessageDescriptor *type)
{
    ProtobufCMessage *message = kw_arena_alloc(fx.arena, type->sizeof_message);

    REQUIRE(message != NULL, "memory");
    type->message_init(message);
    return message;
}

/* Marks a field of a oneof as the one that is there, or a list as one long. */
static void mark(ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
    uint8_t *quantifier = (uint8_t *)message + field->quantifier_offset;

    if (field->label == PROTOBUF_C_LABEL_REPEATED) {
        *(size_t *)(void *)quantifier = 1;
    } else if ((field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0) {
        *(uint32_t *)(void *)quantifier = field->id;
    }
}

/* Puts `value` into the field, which is a string, a message, or a list of one. */
static void put(ProtobufCMessage *message, const ProtobufCFieldDescriptor *field, void *value)
{
    void **at = place(message, field);

    if (field->label == PROTOBUF_C_LABEL_REPEATED) {
        void **list = kw_arena_alloc(fx.arena, sizeof(*list));

        REQUIRE(list != NULL, "memory");
        *list = value;
        value = list;
    }
    *at = value;
    mark(message, field);
}

/* Every text of the message is `text`, but the request's id. */
static ProtobufCMessage *filled(const ProtobufCMessageDescriptor *type, const char *text,
                                unsigned depth)
{
    ProtobufCMessage *message = message_new(type);

    for (unsigned i = 0; i < type->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &type->fields[i];

        if (strcmp(field->name, "request_id") == 0) {
            put(message, field, authz_request_id(&fx));
        } else if (field->type == PROTOBUF_C_TYPE_STRING) {
            put(message, field, (char *)(uintptr_t)text);
        } else if (field->type == PROTOBUF_C_TYPE_MESSAGE && depth < DEPTH_MAX) {
            put(message, field, filled(field->descriptor, text, depth + 1));
        }
    }
    return message;
}

/* GetStatus and RenewCertificate have no text. */
static bool is_asked(const struct kw_method *method)
{
    return !kw_method_has(method, KW_METHOD_INTERNAL) &&
           !kw_method_has(method, KW_METHOD_CLIENT_STREAM) && method->id != KW_METHOD_GET_STATUS &&
           method->id != KW_METHOD_RENEW_CERTIFICATE;
}

/* Whose a receipt is the orchestrator decides; here it is only passed on. */
static bool is_decided_inside(const struct kw_method *method)
{
    return method->id == KW_METHOD_GET_RECEIPT || method->id == KW_METHOD_LIST_RECEIPTS;
}

static struct answer ask(const struct kw_method *method, const ProtobufCMessage *body,
                         const struct actor *caller)
{
    const struct question question = {.method = method->id, .body = body, .caller = caller};

    return authz_ask(&fx, &question);
}

/* --- SQL --- */

static const char *const payloads[] = {
    "'; DROP TABLE members; --",
    "' OR '1'='1",
    "\" OR \"\"=\"",
    "') UNION SELECT 1,2,3 --",
    "%' OR 1=1 /*",
    "\\'; DELETE FROM grants; --",
    "$1 ?1 :a @b",
    "x'00'",
};

/* Is it an answer that says something about the request, and not that something broke? */
static bool is_sane(enum kw_reason reason)
{
    return reason == KW_E_NONE || reason == KW_E_ARGUMENT_INVALID || reason == KW_E_NOT_FOUND ||
           reason == KW_E_PERMISSION_DENIED || reason == KW_E_PAGE_TOKEN_INVALID ||
           reason == KW_E_SIGNATURE_INVALID;
}

static void inject(const struct kw_method *method, const struct actor *caller)
{
    const ProtobufCMessageDescriptor *type = kw_method_messages(method)->input;

    for (size_t i = 0; i < sizeof(payloads) / sizeof(payloads[0]); i++) {
        enum kw_reason reason = ask(method, filled(type, payloads[i], 0), caller).reason;

        cr_assert(is_sane(reason), "%s with %s: %s", method->path, payloads[i],
                  kw_reason_row(reason)->name);
    }
}

Test(authz_abuse, no_text_of_any_request_is_sql)
{
    size_t count;
    const struct kw_method *table = kw_method_table(&count);
    const struct actor *const callers[] = {&fx.officer, &fx.partner, &fx.station};
    int64_t tables = authz_number(&fx, "SELECT count(*) FROM sqlite_master");
    int64_t members = authz_number(&fx, "SELECT count(*) FROM members");
    char *grant = authz_grant(&fx, device);

    for (size_t i = 0; i < count; i++) {
        for (size_t c = 0; is_asked(&table[i]) && c < sizeof(callers) / sizeof(callers[0]); c++) {
            inject(&table[i], callers[c]);
        }
    }
    cr_assert(eq(i64, authz_number(&fx, "SELECT count(*) FROM sqlite_master"), tables));
    cr_assert(ge(i64, authz_number(&fx, "SELECT count(*) FROM members"), members));
    cr_assert(eq(i64, authz_number(&fx, "SELECT count(*) FROM grants"), 1));
    cr_assert(eq(int, authz_grant_revoke(&fx, grant).reason, KW_E_NONE));
}

Test(authz_abuse, what_looks_like_sql_is_kept_as_it_is)
{
    Keyward__V1__CreatePartnerRequest body = KEYWARD__V1__CREATE_PARTNER_REQUEST__INIT;
    Keyward__V1__Partner partner = KEYWARD__V1__PARTNER__INIT;

    body.partner = &partner;
    body.request_id = authz_request_id(&fx);
    partner.display_name = (char *)(uintptr_t) "Robert'); DROP TABLE members;--";
    partner.contact = (char *)(uintptr_t) "x' OR '1'='1";
    cr_assert(eq(int,
                 ask(kw_method_by_id(KW_METHOD_CREATE_PARTNER), &body.base, &fx.officer).reason,
                 KW_E_NONE));
    cr_assert(eq(i64,
                 authz_number(&fx, "SELECT count(*) FROM members WHERE "
                                   "display_name = 'Robert''); DROP TABLE members;--' AND "
                                   "contact = 'x'' OR ''1''=''1'"),
                 1));
}

/* --- other partners' things --- */

static void must_be_alike(const char *what, const struct answer *a, const struct answer *b)
{
    cr_assert(eq(int, a->reason, b->reason), "%s", what);
    cr_assert(ne(int, a->reason, KW_E_NONE), "%s", what);
    cr_assert(eq(str, (char *)(uintptr_t)a->field, (char *)(uintptr_t)b->field), "%s", what);
    cr_assert(eq(str, (char *)(uintptr_t)a->description, (char *)(uintptr_t)b->description), "%s",
              what);
    cr_assert(eq(u32, a->retry_ms, b->retry_ms), "%s", what);
    cr_assert(eq(sz, a->message_count, 0), "%s", what);
    cr_assert(a->outcome == b->outcome, "%s", what);
}

/* A message with a request id and one text. */
static ProtobufCMessage *with_one(const ProtobufCMessageDescriptor *type,
                                  const ProtobufCFieldDescriptor *only, const char *text)
{
    ProtobufCMessage *message = message_new(type);
    const ProtobufCFieldDescriptor *id =
        protobuf_c_message_descriptor_get_field_by_name(type, "request_id");

    if (id != NULL) {
        put(message, id, authz_request_id(&fx));
    }
    put(message, only, (char *)(uintptr_t)text);
    return message;
}

static void look_at(const struct kw_method *method, const ProtobufCFieldDescriptor *field,
                    const char *theirs, const char *nobodys)
{
    const ProtobufCMessageDescriptor *type = kw_method_messages(method)->input;
    struct answer others = ask(method, with_one(type, field, theirs), &fx.other);
    struct answer absent = ask(method, with_one(type, field, nobodys), &fx.other);

    must_be_alike(method->path, &others, &absent);
}

static bool is_resource(const ProtobufCFieldDescriptor *field)
{
    return field->type == PROTOBUF_C_TYPE_STRING && strcmp(field->name, "request_id") != 0 &&
           strcmp(field->name, "filter") != 0 && strcmp(field->name, "page_token") != 0;
}

/* Asks for `theirs` and for `nobodys` in every text of the request, and in each of them alone. */
static void look(const struct kw_method *method, const char *theirs, const char *nobodys)
{
    const ProtobufCMessageDescriptor *fields = kw_method_messages(method)->input;

    for (unsigned i = 0; i < fields->n_fields; i++) {
        if (is_resource(&fields->fields[i])) {
            look_at(method, &fields->fields[i], theirs, nobodys);
        }
    }
    const ProtobufCMessageDescriptor *type = kw_method_messages(method)->input;
    struct answer others = ask(method, filled(type, theirs, 0), &fx.other);
    struct answer absent = ask(method, filled(type, nobodys, 0), &fx.other);

    must_be_alike(method->path, &others, &absent);
}

Test(authz_abuse, anothers_things_look_as_if_they_were_not_there_in_every_method)
{
    const struct kw_resource_ids ids = {.id = {fx.partner.id, {{1}}}};
    char no_grant[KW_RESOURCE_NAME_SIZE];
    char *no_partner = authz_name(&fx, KW_RESOURCE_PARTNER, fx.product);
    char *no_device;
    char *grant = authz_grant(&fx, device);
    size_t count;
    const struct kw_method *table = kw_method_table(&count);

    (void)kw_resource_name(KW_RESOURCE_PARTNER_GRANT, &ids, no_grant);
    (void)authz_device(&fx, 9, &no_device);
    for (size_t i = 0; i < count; i++) {
        if (is_asked(&table[i]) && !is_decided_inside(&table[i])) {
            look(&table[i], fx.partner.name, no_partner);
            look(&table[i], grant, no_grant);
            look(&table[i], device, no_device);
        }
    }
}

Test(authz_abuse, anothers_grant_opens_no_key)
{
    struct access_story story;
    struct answer with_theirs;
    struct answer with_none;
    const struct kw_resource_ids ids = {.id = {fx.partner.id, {{1}}}};
    char no_grant[KW_RESOURCE_NAME_SIZE];

    authz_access_story(&fx, &story, device);
    story.question.caller = &fx.other;
    story.request.grant = authz_grant(&fx, device);
    with_theirs = authz_ask(&fx, &story.question);
    story.request.grant =
        (char *)(uintptr_t)kw_resource_name(KW_RESOURCE_PARTNER_GRANT, &ids, no_grant);
    with_none = authz_ask(&fx, &story.question);
    must_be_alike("GetDeviceAccess", &with_theirs, &with_none);
    cr_assert(eq(int, with_none.reason, KW_E_NOT_FOUND));
    cr_assert(eq(sz, fx.inside.count, 0));
}

/* --- fields that are ours --- */

/* Sets one field to something, in a message that is right without it. */
static bool set(ProtobufCMessage *message, const char *name)
{
    const ProtobufCFieldDescriptor *field =
        protobuf_c_message_descriptor_get_field_by_name(message->descriptor, name);

    if (field->type == PROTOBUF_C_TYPE_STRING) {
        put(message, field, (char *)(uintptr_t) "x");
    } else if (field->type == PROTOBUF_C_TYPE_MESSAGE) {
        put(message, field, message_new(field->descriptor));
    } else {
        *(uint32_t *)place(message, field) = 1; /* an enum or a number */
    }
    return true;
}

Test(authz_abuse, a_partner_comes_with_nothing_that_is_ours_to_say)
{
    static const char *const ours[] = {"name",        "state",       "transport_key_version",
                                       "create_time", "update_time", "certificate_expire_time",
                                       "etag"};

    for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++) {
        Keyward__V1__CreatePartnerRequest body = KEYWARD__V1__CREATE_PARTNER_REQUEST__INIT;
        Keyward__V1__Partner partner = KEYWARD__V1__PARTNER__INIT;

        body.partner = &partner;
        body.request_id = authz_request_id(&fx);
        partner.display_name = (char *)(uintptr_t) "Nightingale";
        partner.contact = (char *)(uintptr_t) "ops@nightingale.example";
        cr_assert(set(&partner.base, ours[i]));
        cr_assert(eq(int,
                     ask(kw_method_by_id(KW_METHOD_CREATE_PARTNER), &body.base, &fx.officer).reason,
                     KW_E_ARGUMENT_INVALID),
                  "%s", ours[i]);
    }
    cr_assert(eq(i64, authz_number(&fx, "SELECT count(*) FROM members WHERE kind = 1"), 2));
}

Test(authz_abuse, a_grant_comes_with_nothing_that_is_ours_to_say)
{
    static const char *const ours[] = {"name",        "state", "create_time",
                                       "revoke_time", "etag",  "revoke_justification"};

    for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++) {
        struct grant_story story;

        authz_grant_story(&fx, &story, device);
        cr_assert(set(&story.grant.base, ours[i]));
        cr_assert(eq(int, authz_grant_ask(&fx, &story).reason, KW_E_ARGUMENT_INVALID), "%s",
                  ours[i]);
    }
    cr_assert(eq(i64, authz_number(&fx, "SELECT count(*) FROM grants"), 0));
}

/* --- a race --- */

#define ROUNDS     100
#define ROUNDS_MAX 2000 /* until it was close */

Test(authz_abuse, no_key_leaves_after_its_revocation_was_acknowledged)
{
    unsigned kept = 0;

    for (unsigned round = 0; round < (kept > 0 ? ROUNDS : ROUNDS_MAX); round++) {
        Keyward__V1__RevokeGrantRequest body = KEYWARD__V1__REVOKE_GRANT_REQUEST__INIT;
        const struct question revoke = {
            .method = KW_METHOD_REVOKE_GRANT, .body = &body.base, .caller = &fx.officer};
        struct access_story story;
        struct answer key = {0};
        struct answer revoked = {0};

        body.name = authz_grant(&fx, device);
        body.request_id = authz_request_id(&fx);
        body.justification = (char *)(uintptr_t) "over";
        authz_access_story(&fx, &story, device);
        authz_ask_start(&fx, &story.question, &key);
        for (unsigned turn = 0; turn < round % 5; turn++) {
            authz_turn(&fx);
        }
        authz_ask_start(&fx, &revoke, &revoked);
        while (!revoked.over) {
            authz_turn(&fx);
        }
        cr_assert(eq(int, revoked.reason, KW_E_NONE));
        if (!key.over) {
            authz_wait(&key);
            cr_assert(eq(int, key.reason, KW_E_NOT_FOUND), "round %u", round);
            kept++;
        }
    }
    cr_assert(lt(u32, 0, kept), "the race was never close");
}

/* Messages from text and as text, times, JSON and tables. */
#include "cli/delivery.h"
#include "cli/json.h"
#include "cli/message.h"
#include "cli/output.h"
#include "cli/times.h"
#include "common/base/limits.h"
#include "keyward/v1/grant_service.pb-c.h"
#include "keyward/v1/status_service.pb-c.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdlib.h>
#include <unistd.h>

static struct kw_arena *arena;
static Keyward__V1__CreateGrantRequest *request;
static struct kw_error error;

static void set_up(void)
{
    arena = kw_arena_new(KW_REQUEST_ARENA_MAX);
    cr_assert_not_null(arena);
    request = (Keyward__V1__CreateGrantRequest *)kw_message_new(
        &keyward__v1__create_grant_request__descriptor, arena);
    cr_assert_not_null(request);
}

static void tear_down(void)
{
    kw_arena_free(arena);
}

TestSuite(message, .init = set_up, .fini = tear_down);

static enum kw_reason set(const char *path, const char *text)
{
    return kw_message_set(&request->base, path, text, arena, &error).reason;
}

static const char *get(const char *path)
{
    struct kw_values values = kw_message_find(&request->base, path);

    return values.field != NULL ? kw_values_text(&values, arena) : NULL;
}

Test(message, texts_lists_and_oneofs)
{
    cr_assert_eq(set("parent", "partners/prt_x"), KW_E_NONE);
    cr_assert_eq(set("grant.devices.devices", "devices/a,devices/b"), KW_E_NONE);
    cr_assert_eq(set("grant.regions", "eu-1"), KW_E_NONE);
    cr_expect_str_eq(request->parent, "partners/prt_x");
    cr_expect_eq(request->grant->scope_case, KEYWARD__V1__GRANT__SCOPE_DEVICES);
    cr_expect_eq(request->grant->devices->n_devices, 2);
    cr_expect_str_eq(request->grant->devices->devices[1], "devices/b");
    cr_expect_str_eq(get("grant.regions"), "eu-1");
}

Test(message, the_last_of_a_oneof_counts)
{
    cr_assert_eq(set("grant.batch", "batches/a"), KW_E_NONE);
    cr_assert_eq(set("grant.product", "products/b"), KW_E_NONE);
    cr_expect_eq(request->grant->scope_case, KEYWARD__V1__GRANT__SCOPE_PRODUCT);
    cr_expect_str_eq(get("grant.batch"), "");
    cr_expect_str_eq(get("grant.product"), "products/b");
}

Test(message, enums_by_their_words)
{
    cr_assert_eq(set("grant.operations", "release-key,DERIVE_SESSION"), KW_E_NONE);
    cr_expect_eq(request->grant->n_operations, 2);
    cr_expect_str_eq(get("grant.operations"), "release-key,derive-session");
    cr_expect_eq(set("grant.operations", "unspecified"), KW_E_ARGUMENT_INVALID);
    cr_expect_eq(set("grant.operations", "all"), KW_E_ARGUMENT_INVALID);
}

Test(message, numbers_booleans_and_spans)
{
    cr_assert_eq(set("grant.quota.max_operations", "1000"), KW_E_NONE);
    cr_assert_eq(set("grant.quota.window", "24h"), KW_E_NONE);
    cr_assert_eq(set("validate_only", "true"), KW_E_NONE);
    cr_expect_str_eq(get("grant.quota.max_operations"), "1000");
    cr_expect_str_eq(get("grant.quota.window"), "86400s");
    cr_expect_str_eq(get("validate_only"), "yes");
    cr_expect_eq(set("grant.quota.max_operations", "-1"), KW_E_ARGUMENT_INVALID);
    cr_expect_eq(set("grant.quota.max_operations", "1e3"), KW_E_ARGUMENT_INVALID);
    cr_expect_eq(set("grant.quota.max_operations", "99999999999999999999999"),
                 KW_E_ARGUMENT_INVALID);
    cr_expect_eq(set("validate_only", "yes"), KW_E_ARGUMENT_INVALID);
}

Test(message, what_is_not_there)
{
    cr_expect_null(get("no_such_field"));
    cr_expect_null(get("grant.name"), "of a message that is not set");
    cr_expect_str_eq(get("parent"), "");
}

/* --- times --- */

static const char *time_again(const char *text)
{
    static char again[KW_TIME_TEXT_SIZE];
    struct kw_time time;

    return kw_ok(kw_time_parse(text, &time, NULL)) ? kw_time_text(time, again) : NULL;
}

Test(times, points)
{
    static const char *const good[] = {"1970-01-01T00:00:00Z", "2026-02-28T23:59:59Z",
                                       "2026-11-28T15:16:15.131Z", "2026-01-01T00:00:00.000001Z",
                                       "2026-01-01T00:00:00.000000001Z"};
    static const char *const bad[] = {"",
                                      "now",
                                      "2026-01-01",
                                      "2026-01-01T00:00:00",
                                      "2026-01-01T00:00:00+01:00",
                                      "2026-01-01T00:00:00.Z",
                                      "2026-01-01T00:00:00Z ",
                                      "+",
                                      "+1",
                                      "+1y",
                                      "+-1h"};

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        cr_expect_str_eq(time_again(good[i]), good[i]);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        cr_expect_null(time_again(bad[i]), "%s", bad[i]);
    }
}

Test(times, spans)
{
    struct kw_time span;
    struct kw_time now;
    struct kw_time later;

    cr_assert(kw_ok(kw_span_parse("90s", &span, NULL)));
    cr_expect_eq(span.seconds, 90);
    cr_assert(kw_ok(kw_span_parse("7d", &span, NULL)));
    cr_expect_eq(span.seconds, 7 * 86400);
    cr_expect_not(kw_ok(kw_span_parse("999999999999999d", &span, NULL)));
    cr_assert(kw_ok(kw_time_parse("+0s", &now, NULL)));
    cr_assert(kw_ok(kw_time_parse("+2h", &later, NULL)));
    cr_expect_geq(later.seconds - now.seconds, 7200);
    cr_expect_leq(later.seconds - now.seconds, 7205);
}

/* --- output --- */

/* A status with one layer in it. */
static Keyward__V1__GetStatusResponse *status_make(void)
{
    static Keyward__V1__GetStatusResponse status = KEYWARD__V1__GET_STATUS_RESPONSE__INIT;
    static Keyward__V1__LayerStatus layer = KEYWARD__V1__LAYER_STATUS__INIT;
    static Keyward__V1__LayerStatus *layers[] = {&layer};
    static Keyward__V1__LayerStatus__ComponentVersionsEntry entry =
        KEYWARD__V1__LAYER_STATUS__COMPONENT_VERSIONS_ENTRY__INIT;
    static Keyward__V1__LayerStatus__ComponentVersionsEntry *entries[] = {&entry};
    static Google__Protobuf__Timestamp start = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
    static char name[] = "gateway";
    static char key[] = "openssl";
    static char value[] = "3.0";

    start.seconds = 1767225600;
    entry.key = key;
    entry.value = value;
    layer.layer = name;
    layer.state = KEYWARD__V1__SERVING_STATE__SERVING_STATE_DEGRADED;
    layer.start_time = &start;
    layer.component_versions = entries;
    layer.n_component_versions = 1;
    status.state = KEYWARD__V1__SERVING_STATE__SERVING_STATE_SERVING;
    status.layers = layers;
    status.n_layers = 1;
    return &status;
}

static char *shown(enum kw_output_form form, const ProtobufCMessage *message, const char *show,
                   const char *const *columns)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    cr_assert(kw_ok(kw_output_response(form, message, show, columns, arena, out, NULL)));
    (void)fclose(out);
    return text;
}

Test(message, json_as_proto3_has_it)
{
    char *text = shown(KW_OUTPUT_JSON, &status_make()->base, "layers", NULL);
    json_t *json = json_loads(text, 0, NULL);
    const json_t *layer = json_array_get(json_object_get(json, "layers"), 0);

    cr_expect_str_eq(json_string_value(json_object_get(json, "state")), "SERVING_STATE_SERVING");
    cr_expect_str_eq(json_string_value(json_object_get(layer, "startTime")),
                     "2026-01-01T00:00:00Z");
    cr_expect_str_eq(
        json_string_value(json_object_get(json_object_get(layer, "componentVersions"), "openssl")),
        "3.0");
    cr_expect_null(json_object_get(layer, "version"), "what has its default is left out");
    json_decref(json);
    free(text);
}

Test(message, table_of_a_list)
{
    static const char *const columns[] = {"layer", "state", "start_time", NULL};
    char *text = shown(KW_OUTPUT_TABLE, &status_make()->base, "layers", columns);

    cr_expect_str_eq(text, "layer    state     start_time\n"
                           "gateway  degraded  2026-01-01T00:00:00Z\n");
    free(text);
}

Test(message, fields_of_a_message)
{
    char *text;

    cr_assert_eq(set("parent", "partners/prt_x"), KW_E_NONE);
    cr_assert_eq(set("grant.purpose", "therapy"), KW_E_NONE);
    text = shown(KW_OUTPUT_TABLE, &request->base, NULL, NULL);
    cr_expect_str_eq(text, "parent         partners/prt_x\ngrant.purpose  therapy\n");
    free(text);
}

Test(message, forms)
{
    enum kw_output_form form;

    cr_expect(kw_ok(kw_output_parse("json", &form, NULL)) && form == KW_OUTPUT_JSON);
    cr_expect(kw_ok(kw_output_parse("table", &form, NULL)) && form == KW_OUTPUT_TABLE);
    cr_expect_eq(kw_output_parse("yaml", &form, NULL).reason, KW_E_ARGUMENT_INVALID);
}

/* --- deliveries --- */

/* Writes what CreateBatch sends, reads it back. */
Test(message, deliveries_survive_their_file)
{
    char path[] = "/tmp/kw-deliveries-XXXXXX";
    FILE *file = fdopen(mkstemp(path), "w");
    Keyward__V1__Batch batch = KEYWARD__V1__BATCH__INIT;
    Keyward__V1__BatchItem item = KEYWARD__V1__BATCH_ITEM__INIT;
    uint8_t bytes[KW_DELIVERY_WRAPPED_LEN] = {1, 2, 3, 250};
    char name[] = "batches/bat_x";
    char device[] = "devices/dev_x";
    KW_SCOPED(kw_deliveries_done) struct kw_deliveries read = {0};

    batch.name = name;
    item.device = device;
    item.device_id = (ProtobufCBinaryData){KW_ID_LEN, bytes};
    item.wrapped_key = (ProtobufCBinaryData){sizeof(bytes), bytes};
    item.check_value = (ProtobufCBinaryData){KW_DELIVERY_CHECK_LEN, bytes};
    item.transport_key_version = 4;
    cr_assert(kw_ok(kw_json_line(kw_json_from_message(&batch.base), file, NULL)));
    cr_assert(kw_ok(kw_json_line(kw_json_from_message(&item.base), file, NULL)));
    (void)fclose(file);
    cr_assert(kw_ok(kw_deliveries_read(path, &read, NULL)));
    cr_expect_str_eq(read.batch, name);
    cr_assert_eq(read.count, 1);
    cr_expect_str_eq(read.items[0].device, device);
    cr_expect_eq(read.items[0].transport_key_version, 4);
    cr_expect_arr_eq(read.items[0].wrapped_key, bytes, sizeof(bytes));
    cr_expect_arr_eq(read.items[0].device_id.bytes, bytes, KW_ID_LEN);
    (void)unlink(path);
}

Test(message, deliveries_with_a_key_that_is_cut)
{
    char path[] = "/tmp/kw-deliveries-XXXXXX";
    FILE *file = fdopen(mkstemp(path), "w");
    KW_SCOPED(kw_deliveries_done) struct kw_deliveries read = {0};

    (void)fputs(
        "{\"name\":\"batches/bat_x\"}\n{\"device\":\"devices/dev_x\",\"deviceId\":\"AAAA\"}\n",
        file);
    (void)fclose(file);
    cr_expect_eq(kw_deliveries_read(path, &read, NULL).reason, KW_E_CONFIG_INVALID);
    (void)unlink(path);
}

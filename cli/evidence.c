/* Writing and reading files of evidence. */
#include "cli/evidence.h"

#include "cli/json.h"
#include "cli/times.h"
#include "common/base/clock.h"
#include "common/base/limits.h"

#include <errno.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <stdlib.h>

struct exporting {
    FILE *out;
    uint64_t records;
};

static struct kw_result take(const ProtobufCMessage *message, void *context, struct kw_error *err)
{
    const Keyward__V1__GetVerificationDataResponse *response =
        (const Keyward__V1__GetVerificationDataResponse *)message;
    struct exporting *exporting = context;

    for (size_t i = 0; i < response->n_records; i++) {
        KW_TRY(
            kw_json_line(kw_json_from_message(&response->records[i]->base), exporting->out, err));
        exporting->records++;
    }
    return KW_OK;
}

struct kw_result kw_evidence_export(struct kw_connection *connection,
                                    Keyward__V1__GetVerificationDataRequest *request,
                                    struct kw_arena *arena, FILE *out, uint64_t *ret_records,
                                    struct kw_error *err)
{
    struct exporting exporting = {.out = out};
    json_t *head = kw_json_from_message(&request->base);
    char now[KW_TIME_TEXT_SIZE];

    KW_ENSURE(head != NULL, err, MEMORY, "JSON");
    (void)json_object_set_new(head, "exportTime",
                              json_string(kw_time_text(kw_time_from_ms(kw_clock_wall_ms()), now)));
    KW_TRY(kw_json_line(head, out, err));
    KW_TRY(kw_connection_stream(connection, KW_METHOD_GET_VERIFICATION_DATA, &request->base, arena,
                                take, &exporting, err));
    KW_TRY(kw_json_line(json_pack("{s:I}", "records", (json_int_t)exporting.records), out, err));
    *ret_records = exporting.records;
    return KW_OK;
}

/* --- reading --- */

struct reading {
    const char *path;
    const struct kw_verify_trust *trust;
    struct kw_verify *verifier; /* made by the first line of the first file */
    uint64_t records;           /* of all files */
    bool begun;                 /* this file's first line was read */
    bool complete;
};

/* 0 when the line does not have it. */
static struct kw_result time_of(const json_t *line, const char *name, uint64_t *ret_ms,
                                struct kw_error *err)
{
    const char *text = json_string_value(json_object_get(line, name));
    struct kw_time time = {0};

    if (text != NULL) {
        KW_TRY(kw_time_parse(text, &time, err));
    }
    *ret_ms = (uint64_t)time.seconds * 1000 + (uint64_t)time.nanos / 1000000;
    return KW_OK;
}

static struct kw_result head_read(struct reading *reading, const json_t *line, struct kw_error *err)
{
    struct kw_verify_span span = {0};

    KW_ENSURE(json_object_get(line, "exportTime") != NULL, err, CONFIG_INVALID,
              "%s is no file of evidence", reading->path);
    KW_TRY(time_of(line, "startTime", &span.start_ms, err));
    KW_TRY(time_of(line, "endTime", &span.end_ms, err));
    KW_TRY(time_of(line, "exportTime", &span.exported_ms, err));
    span.copy = json_object_get(line, "of") != NULL;
    reading->begun = true;
    return reading->verifier == NULL ? kw_verify_new(reading->trust, &span, &reading->verifier, err)
                                     : kw_verify_another(reading->verifier, &span, err);
}

static struct kw_result base64_read(const char *text, struct kw_buf *ret_bytes,
                                    struct kw_error *err)
{
    size_t len = text != NULL ? strlen(text) : 0;
    int decoded;

    KW_ENSURE(len > 0 && len % 4 == 0 && len < 2 * KW_BODY_LEN_MAX, err, CONFIG_INVALID,
              "a record without bytes");
    KW_TRY(kw_buf_reserve(ret_bytes, len / 4 * 3, err));
    decoded = EVP_DecodeBlock(ret_bytes->data, (const unsigned char *)text, (int)len);
    KW_ENSURE(decoded > 0, err, CONFIG_INVALID, "a record that is no base64");
    ret_bytes->len =
        (size_t)decoded - (text[len - 1] == '=' ? 1 : 0) - (text[len - 2] == '=' ? 1 : 0);
    return KW_OK;
}

static struct kw_result record_read(struct reading *reading, const json_t *line,
                                    struct kw_error *err)
{
    const char *name = json_string_value(json_object_get(line, "type"));
    const ProtobufCEnumValue *type =
        name == NULL ? NULL
                     : protobuf_c_enum_descriptor_get_value_by_name(
                           &keyward__v1__verification_record_type__descriptor, name);
    KW_SCOPED(kw_buf_done) struct kw_buf bytes = {0};

    KW_ENSURE(type != NULL, err, CONFIG_INVALID, "%s: a record of no known type", reading->path);
    KW_TRY(base64_read(json_string_value(json_object_get(line, "encoded")), &bytes, err));
    return kw_verify_take(reading->verifier, (Keyward__V1__VerificationRecordType)type->value,
                          kw_buf_bytes(&bytes), err);
}

static struct kw_result end_read(struct reading *reading, const json_t *line, struct kw_error *err)
{
    json_int_t records = json_integer_value(json_object_get(line, "records"));

    KW_ENSURE(records >= 0, err, CONFIG_INVALID, "%s ends in less than nothing", reading->path);
    reading->complete = true;
    reading->records += (uint64_t)records;
    return KW_OK;
}

static struct kw_result line_read(struct reading *reading, const json_t *line, struct kw_error *err)
{
    KW_ENSURE(!reading->complete, err, CONFIG_INVALID, "%s goes on behind its end", reading->path);
    if (!reading->begun) {
        return head_read(reading, line, err);
    }
    return json_object_get(line, "records") != NULL ? end_read(reading, line, err)
                                                    : record_read(reading, line, err);
}

static struct kw_result lines_read(struct reading *reading, FILE *in, struct kw_error *err)
{
    int next = getc(in);

    while (next != EOF) {
        json_error_t at;
        struct kw_result result;
        json_t *line;

        (void)ungetc(next, in);
        line = json_loadf(in, JSON_DISABLE_EOF_CHECK, &at);
        KW_ENSURE(line != NULL, err, CONFIG_INVALID, "%s: %s", reading->path, at.text);
        result = line_read(reading, line, err);
        json_decref(line);
        KW_TRY(result);
        (void)getc(in); /* the line's end */
        next = getc(in);
    }
    KW_ENSURE(reading->complete, err, CONFIG_INVALID, "%s is incomplete: it has no last line",
              reading->path);
    return KW_OK;
}

static struct kw_result file_read(struct reading *reading, const char *path, struct kw_error *err)
{
    FILE *in = fopen(path, "re");
    struct kw_result result;

    KW_ENSURE(in != NULL, err, CONFIG_INVALID, "%s: %s", path, strerror(errno));
    reading->path = path;
    reading->begun = false;
    reading->complete = false;
    result = lines_read(reading, in, err);
    (void)fclose(in);
    return result;
}

static struct kw_result files_read(struct reading *reading, const char *const *paths, size_t count,
                                   struct kw_error *err)
{
    for (size_t i = 0; i < count; i++) {
        KW_TRY(file_read(reading, paths[i], err));
    }
    return kw_verify_end(reading->verifier, reading->records, err);
}

struct kw_result kw_evidence_verify_all(const char *const *paths, size_t count,
                                        const struct kw_verify_trust *trust,
                                        struct kw_verify **ret_verifier, struct kw_error *err)
{
    struct reading reading = {.trust = trust};
    struct kw_result result = files_read(&reading, paths, count, err);

    if (!kw_ok(result)) {
        kw_verify_free(reading.verifier);
        return result;
    }
    *ret_verifier = reading.verifier;
    return KW_OK;
}

struct kw_result kw_evidence_verify(const char *path, const struct kw_verify_trust *trust,
                                    struct kw_verify **ret_verifier, struct kw_error *err)
{
    return kw_evidence_verify_all(&path, 1, trust, ret_verifier, err);
}

/* The logger. A line is put together on the stack and written with one write(2), so lines never
 * mix. */
#include "common/base/log.h"

#include "common/base/clock.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define LINE_SIZE     4096
#define VALUE_LEN_MAX 1000 /* of a text as it is written; what is longer ends in "..." */
#define TAIL_SIZE     16   /* kept free for `,"cut":true}` and the newline */

#define REGION_SIZE 64 /* a segment of a SPIFFE id */

struct line {
    char text[LINE_SIZE];
    size_t len;
    bool full; /* something did not fit; nothing of it was written */
};

static const char *const level_names[] = {"debug", "info", "warn", "error"};
static const char *service_name = "keyward";
static char region_name[REGION_SIZE];
static enum kw_log_level lowest_level = KW_LOG_INFO;
static bool on_terminal;

void kw_log_setup(const char *service, const char *region, enum kw_log_level lowest)
{
    service_name = service;
    (void)snprintf(region_name, sizeof(region_name), "%s", region);
    lowest_level = lowest;
    on_terminal = isatty(STDERR_FILENO) == 1;
}

struct kw_result kw_log_level_parse(const char *name, enum kw_log_level *ret_level,
                                    struct kw_error *err)
{
    for (size_t i = 0; i < sizeof(level_names) / sizeof(level_names[0]); i++) {
        if (strcmp(level_names[i], name) == 0) {
            *ret_level = (enum kw_log_level)i;
            return KW_OK;
        }
    }
    KW_FAIL(err, CONFIG_INVALID, "log level %s: expected debug, info, warn or error", name);
}

static void put(struct line *line, const char *text, size_t len)
{
    if (len > LINE_SIZE - TAIL_SIZE - line->len) {
        line->full = true;
        return;
    }
    kw_copy(line->text + line->len, text, len);
    line->len += len;
}

static void put_text(struct line *line, const char *text)
{
    put(line, text, strlen(text));
}

static __attribute__((format(printf, 2, 3))) void put_format(struct line *line, const char *format,
                                                             ...)
{
    char text[128];
    va_list args;
    int len;

    va_start(args, format);
    len = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (len > 0) {
        put(line, text, (size_t)len < sizeof(text) ? (size_t)len : sizeof(text) - 1);
    }
}

/* A JSON string. Control characters, quotes and bytes outside ASCII are escaped, so a hostile value
 * can neither break the line nor the terminal. */
static void put_quoted(struct line *line, const char *text)
{
    size_t end = line->len + VALUE_LEN_MAX;
    const char *c = text;

    put(line, "\"", 1);
    for (; *c != '\0' && line->len < end && !line->full; c++) {
        if (*c == '"' || *c == '\\') {
            put_format(line, "\\%c", *c);
        } else if (*c < 0x20 || *c > 0x7e) {
            put_format(line, "\\u%04x", (unsigned char)*c);
        } else {
            put(line, c, 1);
        }
    }
    put_text(line, *c == '\0' ? "\"" : "...\"");
}

static void put_hex(struct line *line, struct kw_bytes bytes)
{
    char text[2 * 64 + 1];

    if (bytes.len > 64) {
        bytes.len = 64;
    }
    kw_hex(bytes, text);
    put_quoted(line, text);
}

static void put_value(struct line *line, const struct kw_log_field *field)
{
    char text[KW_ID_TEXT_SIZE];

    switch (field->type) {
    case KW_FIELD_STR:
        field->str != NULL ? put_quoted(line, field->str) : put_text(line, "null");
        break;
    case KW_FIELD_U64:
        put_format(line, "%llu", (unsigned long long)field->u64);
        break;
    case KW_FIELD_I64:
        put_format(line, "%lld", (long long)field->i64);
        break;
    case KW_FIELD_BOOL:
        put_text(line, field->boolean ? "true" : "false");
        break;
    case KW_FIELD_HEX:
        put_hex(line, field->hex);
        break;
    case KW_FIELD_ID:
        put_quoted(line, kw_id_text(field->id.kind, field->id.value, text));
        break;
    case KW_FIELD_ERR:
        field->err != NULL ? put_quoted(line, field->err->message) : put_text(line, "null");
        break;
    }
}

static void put_field(struct line *line, const struct kw_log_field *field)
{
    put_format(line, on_terminal ? " %s=" : ",\"%s\":", field->name);
    put_value(line, field);
    if (field->type == KW_FIELD_ERR && field->err != NULL) {
        const char *file = field->err->file != NULL ? field->err->file : "";
        const struct kw_log_field detail[] = {
            KW_F_STR("reason", kw_reason_row(field->err->reason)->name),
            KW_F_STR("file", file),
            KW_F_I64("line", field->err->line),
        };

        for (size_t i = 0; i < sizeof(detail) / sizeof(detail[0]); i++) {
            put_field(line, &detail[i]);
        }
    }
}

/* A field is written whole or not at all, so that a line is valid JSON however long its fields are.
 */
static void put_fields(struct line *line, const struct kw_log_field *fields, size_t count)
{
    bool cut = false;

    for (size_t i = 0; i < count; i++) {
        size_t before = line->len;

        put_field(line, &fields[i]);
        if (line->full) {
            line->len = before;
            line->full = false;
            cut = true;
        }
    }
    if (cut) {
        const char *mark = on_terminal ? " cut=true" : ",\"cut\":true";

        kw_copy(line->text + line->len, mark, strlen(mark));
        line->len += strlen(mark);
    }
}

static void put_head(struct line *line, enum kw_log_level level, const char *message)
{
    uint64_t now_ms = kw_clock_wall_ms();
    time_t now_s = (time_t)(now_ms / 1000);
    struct tm tm;
    char stamp[32];

    (void)gmtime_r(&now_s, &tm);
    (void)strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%S", &tm);
    if (on_terminal) {
        put_format(line, "%s.%03uZ %-5s ", stamp, (unsigned)(now_ms % 1000), level_names[level]);
        put_format(line, "%s: ", service_name);
        put_text(line, message);
        return;
    }
    put_format(line, "{\"ts\":\"%s.%03uZ\",\"level\":\"%s\",\"msg\":", stamp,
               (unsigned)(now_ms % 1000), level_names[level]);
    put_quoted(line, message);
    put_text(line, ",\"service\":");
    put_quoted(line, service_name);
    put_text(line, ",\"region\":");
    put_quoted(line, region_name);
}

void kw_log_write(enum kw_log_level level, const char *message, const struct kw_log_field *fields,
                  size_t count)
{
    struct line line;
    ssize_t written;

    if (level < lowest_level) {
        return;
    }
    line.len = 0;
    line.full = false;
    put_head(&line, level, message);
    put_fields(&line, fields, count);
    if (!on_terminal) {
        line.text[line.len++] = '}';
    }
    line.text[line.len++] = '\n';
    written = write(STDERR_FILENO, line.text, line.len);
    (void)written; /* a log that cannot be written has nobody to tell */
}

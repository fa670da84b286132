/* The logger: exact lines, escaping of hostile values, and lines that stay whole however long their
 * fields are. */
#include "common/base/clock.h"
#include "common/base/log.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <fcntl.h>
#include <jansson.h>
#include <unistd.h>

#define HEAD  "{\"ts\":\"2026-01-02T03:04:05.678Z\",\"level\":\"warn\",\"msg\":"
#define WHERE ",\"service\":\"test\",\"region\":\"eu\""

static int log_pipe[2];
static char line[8192];

static uint64_t fixed_ms(void *context)
{
    (void)context;
    return 1767323045678U;
}

static void setup(void)
{
    static const struct kw_clock clock = {.wall_ms = fixed_ms};

    cr_assert(eq(int, pipe2(log_pipe, O_CLOEXEC | O_NONBLOCK), 0));
    cr_assert(eq(int, dup2(log_pipe[1], STDERR_FILENO), STDERR_FILENO));
    kw_clock_replace(&clock);
    kw_log_setup("test", "eu", KW_LOG_INFO);
}

TestSuite(log, .init = setup);

/* What was logged since the last call, without the newline. */
static const char *logged(void)
{
    ssize_t got = read(log_pipe[0], line, sizeof(line) - 1);

    line[got > 0 ? got : 0] = '\0';
    if (got > 0) {
        cr_assert(eq(chr, line[got - 1], '\n'));
        line[got - 1] = '\0';
    }
    return line;
}

static void assert_json(const char *text)
{
    json_t *json = json_loads(text, JSON_REJECT_DUPLICATES, NULL);

    cr_assert(ne(ptr, json, NULL), "%s", text);
    json_decref(json);
}

Test(log, line_without_fields)
{
    KW_LOG(WARN, "it happened");
    cr_assert(eq(str, (char *)logged(), HEAD "\"it happened\"" WHERE "}"));
}

Test(log, the_region_may_be_gone_when_a_line_is_written)
{
    char region[] = "eu";

    kw_log_setup("test", region, KW_LOG_INFO);
    region[0] = 'x';
    KW_LOG(WARN, "late");
    cr_assert(eq(str, (char *)logged(), HEAD "\"late\"" WHERE "}"));
}

Test(log, every_type_of_field)
{
    const struct kw_error err = {
        .reason = KW_E_SYSTEM, .file = "a.c", .line = 7, .message = "broken"};
    const uint8_t bytes[] = {0xde, 0xad};

    KW_LOG(WARN, "m", KW_F_STR("s", "v"), KW_F_STR("n", NULL), KW_F_U64("u", UINT64_MAX),
           KW_F_I64("i", -1), KW_F_BOOL("b", true), KW_F_HEX("h", KW_BYTES_OF(bytes)),
           KW_F_ID("d", KW_ID_DEVICE, KW_ID_NONE), KW_F_ERR(&err));
    cr_assert(eq(str, (char *)logged(),
                 HEAD "\"m\"" WHERE
                      ",\"s\":\"v\",\"n\":null,\"u\":18446744073709551615,\"i\":-1,\"b\":true,"
                      "\"h\":\"dead\",\"d\":\"dev_aaaaaaaaaaaaaaaaaaaaaaaaaa\",\"err\":\"broken\","
                      "\"reason\":\"SYSTEM\",\"file\":\"a.c\",\"line\":7}"));
}

Test(log, hostile_values_are_escaped)
{
    KW_LOG(WARN, "m", KW_F_STR("v", "a\"b\\c\nd\x1b[31m\x7f\xc3\xa9"));
    cr_assert(eq(str, (char *)logged(),
                 HEAD "\"m\"" WHERE
                      ",\"v\":\"a\\\"b\\\\c\\u000ad\\u001b[31m\\u007f\\u00c3\\u00a9\"}"));
}

/* A second line, a terminal's commands, text turned round, what printf obeys: all of it is text. */
Test(log, nothing_in_a_value_is_obeyed)
{
    const struct kw_error err = {.reason = KW_E_SYSTEM,
                                 .file = "a.c",
                                 .message = "\r\n{\"level\":\"error\"}\x1b]0;x\x07%n%s%1000000d"};

    KW_LOG(WARN, "m", KW_F_STR("v", "\xe2\x80\xae"), KW_F_ERR(&err));
    cr_assert(eq(str, (char *)logged(),
                 HEAD "\"m\"" WHERE ",\"v\":\"\\u00e2\\u0080\\u00ae\","
                      "\"err\":\"\\u000d\\u000a{\\\"level\\\":\\\"error\\\"}"
                      "\\u001b]0;x\\u0007%n%s%1000000d\","
                      "\"reason\":\"SYSTEM\",\"file\":\"a.c\",\"line\":0}"));
}

Test(log, a_megabyte_is_one_short_line)
{
    static char text[1U << 20];

    memset(text, '\x1b', sizeof(text) - 1);
    KW_LOG(WARN, "m", KW_F_STR("v", text), KW_F_U64("after", 1));
    assert_json(logged());
    cr_assert(lt(sz, strlen(line), 1200));
    cr_assert(eq(ptr, strchr(line, '\x1b'), NULL));
}

Test(log, levels_below_the_lowest_are_silent)
{
    KW_LOG(DEBUG, "m");
    cr_assert(eq(str, (char *)logged(), ""));
}

Test(log, long_value_is_cut_inside_its_quotes)
{
    static char text[3000];

    memset(text, '\n', sizeof(text) - 1);
    KW_LOG(WARN, "m", KW_F_STR("v", text), KW_F_U64("after", 1));
    assert_json(logged());
    cr_assert(ne(ptr, strstr(line, "...\",\"after\":1}"), NULL));
}

Test(log, fields_that_do_not_fit_are_left_out_whole)
{
    static char text[3000];

    memset(text, 'x', sizeof(text) - 1);
    KW_LOG(WARN, "m", KW_F_STR("a", text), KW_F_STR("b", text), KW_F_STR("c", text),
           KW_F_STR("d", text), KW_F_U64("e", 5));
    assert_json(logged());
    cr_assert(eq(ptr, strstr(line, "\"d\":"), NULL));
    cr_assert(ne(ptr, strstr(line, ",\"e\":5,\"cut\":true}"), NULL));
}

Test(log, longest_digest_is_whole_and_longer_is_cut)
{
    uint8_t bytes[65] = {0};

    KW_LOG(WARN, "m", KW_F_HEX("h", KW_BYTES(bytes, 64)));
    assert_json(logged());
    cr_assert(eq(sz, strlen(strstr(line, ",\"h\":\"")), strlen(",\"h\":\"\"}") + 128));
    KW_LOG(WARN, "m", KW_F_HEX("h", KW_BYTES_OF(bytes)));
    assert_json(logged());
}

Test(log, missing_error_is_null)
{
    KW_LOG(WARN, "m", KW_F_ERR(NULL));
    cr_assert(eq(str, (char *)logged(), HEAD "\"m\"" WHERE ",\"err\":null}"));
}

Test(log, level_names_are_read)
{
    enum kw_log_level level = KW_LOG_DEBUG;

    cr_assert(kw_ok(kw_log_level_parse("error", &level, NULL)));
    cr_assert(eq(int, level, KW_LOG_ERROR));
    cr_assert(eq(int, kw_log_level_parse("Error", &level, NULL).reason, KW_E_CONFIG_INVALID));
    cr_assert(eq(int, kw_log_level_parse("", &level, NULL).reason, KW_E_CONFIG_INVALID));
}

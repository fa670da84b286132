/* The log writer: whatever the values are, one line comes out, it is one JSON object of printable ASCII, and its
 * fields are those that were given.
 */
#include "common/base/log.h"
#include "tests/fuzz/fuzz.h"

#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define LINE_MAX_LEN 8192

static int pipe_in = -1;

/* stderr goes to a file in memory while the line is written, and back, for libFuzzer's own words. */
static size_t write_line(const struct kw_log_field *fields, size_t count, char *line)
{
    int saved = dup(STDERR_FILENO);
    ssize_t len;

    KW_FUZZ_CHECK(saved >= 0 && ftruncate(pipe_in, 0) == 0 && lseek(pipe_in, 0, SEEK_SET) == 0);
    KW_FUZZ_CHECK(dup2(pipe_in, STDERR_FILENO) >= 0);
    kw_log_write(KW_LOG_WARN, "message", fields, count);
    (void)dup2(saved, STDERR_FILENO);
    (void)close(saved);
    len = pread(pipe_in, line, LINE_MAX_LEN, 0);
    KW_FUZZ_CHECK(len > 0);
    return (size_t)len;
}

static void check_line(const char *line, size_t len)
{
    json_error_t at;
    json_t *json;

    KW_FUZZ_CHECK(line[len - 1] == '\n' && memchr(line, '\n', len) == line + len - 1);
    for (size_t i = 0; i + 1 < len; i++) {
        KW_FUZZ_CHECK(line[i] >= 0x20 && line[i] <= 0x7e);
    }
    json = json_loadb(line, len, JSON_REJECT_DUPLICATES, &at);
    KW_FUZZ_CHECK(json_is_object(json));
    KW_FUZZ_CHECK(strcmp(json_string_value(json_object_get(json, "msg")), "message") == 0);
    KW_FUZZ_CHECK(json_object_get(json, "a") != NULL || json_object_get(json, "cut") != NULL);
    json_decref(json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct kw_fuzz_input input = KW_FUZZ_INPUT(data, size);
    struct kw_error error = {.reason = (enum kw_reason)(kw_fuzz_u8(&input) % KW_E_COUNT_),
                             .file = "file.c",
                             .line = kw_fuzz_u16(&input)};
    char *first = kw_fuzz_text(kw_fuzz_piece(&input));
    struct kw_bytes message = kw_fuzz_piece(&input);
    char *second = kw_fuzz_text(input.rest);
    const struct kw_log_field fields[] = {KW_F_STR("a", first), KW_F_ERR(&error),
                                          KW_F_HEX("hex", input.rest), KW_F_STR("z", second)};
    char line[LINE_MAX_LEN];

    if (pipe_in < 0) {
        pipe_in = memfd_create("log", MFD_CLOEXEC);
        kw_log_setup("fuzz", "r", KW_LOG_DEBUG);
    }
    message.len = message.len < sizeof(error.message) ? message.len : sizeof(error.message) - 1;
    kw_copy(error.message, message.data, message.len);
    check_line(line, write_line(fields, sizeof(fields) / sizeof(fields[0]), line));
    free(first);
    free(second);
    return 0;
}

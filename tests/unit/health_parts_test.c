/* The health check's pure parts: where a service is asked, and what it answered. */
#include "common/health/address.h"
#include "common/health/page.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdlib.h>

Test(health_address, who_listens_everywhere_is_asked_on_the_loopback_address)
{
    static const struct {
        const char *listen;
        const char *host;
        const char *port;
    } rows[] = {
        {"0.0.0.0:8443", "127.0.0.1", "8443"},     {"[::]:1", "::1", "1"},
        {"10.1.2.3:65535", "10.1.2.3", "65535"},   {"[2001:db8::1]:9464", "2001:db8::1", "9464"},
        {"r1-a-authz:8444", "r1-a-authz", "8444"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct kw_health_address address;

        cr_assert(kw_ok(kw_health_address(rows[i].listen, &address, NULL)), "%s", rows[i].listen);
        cr_expect(eq(str, address.host, (char *)(uintptr_t)rows[i].host));
        cr_expect(eq(str, address.port, (char *)(uintptr_t)rows[i].port));
    }
}

Test(health_address, refuses_what_cannot_be_dialled)
{
    static const char *const wrong[] = {
        "", "host", ":1", "host:", "host:0", "host:000", "host:123456", "[]:1"};
    struct kw_health_address address;
    char long_host[KW_HEALTH_HOST_SIZE + 3] = {0};

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        cr_expect(kw_health_address(wrong[i], &address, NULL).reason == KW_E_CONFIG_INVALID, "%s",
                  wrong[i]);
    }
    memset(long_host, 'a', KW_HEALTH_HOST_SIZE);
    kw_copy(long_host + KW_HEALTH_HOST_SIZE, ":1", 3);
    cr_assert(kw_health_address(long_host, &address, NULL).reason == KW_E_CONFIG_INVALID);
    cr_assert(kw_ok(kw_health_address(long_host + 1, &address, NULL)));
}

static unsigned status_of(const char *answer)
{
    struct kw_bytes line;
    unsigned status = 0;

    return kw_health_page_parse(kw_bytes_str(answer), &status, &line) ? status : 0;
}

Test(health_page, status_and_the_first_line_of_the_body)
{
    static const char answer[] =
        "HTTP/1.1 503 Service Unavailable\r\nDate: x\r\n\r\n{\"ready\":false}\nmore\n";
    struct kw_bytes line;
    unsigned status;

    cr_assert(kw_health_page_parse(kw_bytes_str(answer), &status, &line));
    cr_assert(eq(u32, status, 503));
    cr_assert(kw_bytes_equal(line, kw_bytes_str("{\"ready\":false}")));
    cr_assert(kw_health_page_parse(kw_bytes_str("HTTP/1.0 200\r\n"), &status, &line));
    cr_assert(eq(u32, status, 200));
    cr_assert(eq(sz, line.len, 0));
}

/* Each in memory of its own length, so that a look too far is seen. */
Test(health_page, every_shorter_answer_is_none)
{
    static const char answer[] = "HTTP/1.1 200 ";

    cr_assert(eq(u32, status_of(answer), 200));
    for (size_t len = 0; len < strlen(answer); len++) {
        char *part = strndup(answer, len);

        cr_expect(eq(u32, status_of(part), 0));
        free(part);
    }
}

Test(health_page, refuses_what_is_no_answer)
{
    static const char *const wrong[] = {
        "HTTP/2.0 200 OK\r\n", "HTTP/1.1  200 OK", "HTTP/1.1 2000 OK",
        "HTTP/1.1 20x OK",     "HTTP/x.1 200 OK",  "\x15\x03\x03\x00\x02\x02\x46HTTP/1.1 200 OK"};

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        cr_expect(eq(u32, status_of(wrong[i]), 0), "%s", wrong[i]);
    }
}

/* Failpoints armed from the environment. The table is written once, before threads start. */
#include "common/base/failpoint.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FAILPOINTS_MAX 8
#define NAME_SIZE      48

struct failpoint {
    char name[NAME_SIZE];
    bool aborts;
    long fire_at; /* the n-th passing */
    atomic_long passed;
};

static struct failpoint armed[FAILPOINTS_MAX];
static int armed_count;

/* Reads ":n" or nothing; 0 for anything else. */
static long parse_count(const char *text)
{
    char *end = NULL;
    long count;

    if (*text == '\0') {
        return 1;
    }
    if (*text != ':' || strspn(text + 1, "0123456789") == 0) {
        return 0;
    }
    count = strtol(text + 1, &end, 10);
    return *end == '\0' ? count : 0;
}

/* "name=abort" or "name=error", each with an optional ":n". */
static struct kw_result arm(const char *text, struct kw_error *err)
{
    struct failpoint *fp = &armed[armed_count];
    size_t name_len = strcspn(text, "=");
    const char *action = text + name_len + 1;

    KW_ENSURE(armed_count < FAILPOINTS_MAX, err, CONFIG_INVALID, "more than %d failpoints",
              FAILPOINTS_MAX);
    KW_ENSURE(name_len > 0 && name_len < NAME_SIZE && text[name_len] == '=', err, CONFIG_INVALID,
              "failpoint %s: expected name=abort or name=error", text);
    memcpy(fp->name, text, name_len);
    fp->aborts = strncmp(action, "abort", 5) == 0;
    KW_ENSURE(fp->aborts || strncmp(action, "error", 5) == 0, err, CONFIG_INVALID,
              "failpoint %s: expected abort or error", text);
    fp->fire_at = parse_count(action + 5);
    KW_ENSURE(fp->fire_at > 0, err, CONFIG_INVALID, "failpoint %s: expected :n", text);
    armed_count++;
    return KW_OK;
}

struct kw_result kw_failpoint_load(struct kw_error *err)
{
    const char *text = getenv("KEYWARD_FAILPOINTS");
    char copy[512];
    char *rest = copy;
    char *one;

    armed_count = 0;
    if (text == NULL || *text == '\0') {
        return KW_OK;
    }
    KW_ENSURE(strlen(text) < sizeof(copy), err, CONFIG_INVALID, "KEYWARD_FAILPOINTS is too long");
    memcpy(copy, text, strlen(text) + 1);
    memset(armed, 0, sizeof(armed));
    while ((one = strsep(&rest, ",")) != NULL) {
        KW_TRY(arm(one, err));
    }
    return KW_OK;
}

bool kw_failpoint_hit(const char *name)
{
    for (int i = 0; i < armed_count; i++) {
        struct failpoint *fp = &armed[i];

        if (strcmp(fp->name, name) == 0 && atomic_fetch_add(&fp->passed, 1) + 1 == fp->fire_at) {
            if (fp->aborts) {
                (void)fprintf(stderr, "failpoint %s: abort\n", name);
                abort();
            }
            return true;
        }
    }
    return false;
}

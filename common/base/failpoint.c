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

/* "name=abort" or "name=error", each with an optional ":n". */
static struct kw_result arm(const char *text, struct kw_error *err)
{
    struct failpoint *fp = &armed[armed_count];
    const char *equals = strchr(text, '=');
    const char *colon;
    char *end = NULL;

    KW_ENSURE(armed_count < FAILPOINTS_MAX, err, CONFIG_INVALID, "more than %d failpoints",
              FAILPOINTS_MAX);
    KW_ENSURE(equals != NULL && equals - text < NAME_SIZE, err, CONFIG_INVALID, "failpoint %s",
              text);
    memcpy(fp->name, text, (size_t)(equals - text));
    fp->aborts = strncmp(equals + 1, "abort", 5) == 0;
    KW_ENSURE(fp->aborts || strncmp(equals + 1, "error", 5) == 0, err, CONFIG_INVALID,
              "failpoint %s", text);
    colon = strchr(equals, ':');
    fp->fire_at = colon != NULL ? strtol(colon + 1, &end, 10) : 1;
    KW_ENSURE(fp->fire_at > 0 && (end == NULL || *end == '\0'), err, CONFIG_INVALID, "failpoint %s",
              text);
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

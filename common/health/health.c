/* Settings, the door, the page; of a service that need only be alive, the page alone. */
#include "common/health/health.h"

#include "common/base/clock.h"
#include "common/base/limits.h"
#include "common/health/door.h"
#include "common/health/page.h"
#include "common/health/wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool kw_health_asked(int argc, char **argv)
{
    return argc > 1 && strcmp(argv[1], "health") == 0;
}

/* A service's config, which here is known by its table alone. The caller frees it. */
static void *config_new(const struct kw_settings_spec *spec)
{
    size_t size = sizeof(struct kw_strings);

    for (size_t i = 0; i < spec->count; i++) {
        if (size <
            spec->settings[i].offset + sizeof(struct kw_strings)) { /* the largest of the types */
            size = spec->settings[i].offset + sizeof(struct kw_strings);
        }
    }
    return calloc(1, size);
}

/* NULL: this service has no such setting, or it is not given. */
static const char *text_of(const struct kw_settings_spec *spec, const void *config,
                           const char *name)
{
    for (size_t i = 0; i < spec->count; i++) {
        if (strcmp(spec->settings[i].name, name) == 0) {
            return *(char *const *)(const void *)((const uint8_t *)config +
                                                  spec->settings[i].offset);
        }
    }
    return NULL;
}

/* One look at a service, and what is being looked at, for the complaint. */
struct look {
    const struct kw_settings_spec *spec;
    const void *config;
    bool live; /* not: is it ready? */
    uint64_t deadline_ns;
    const char *setting; /* "listen" */
    const char *address; /* its value */
};

static struct kw_result dial(struct look *look, const char *setting,
                             struct kw_health_wire *ret_wire, struct kw_error *err)
{
    look->setting = setting;
    look->address = text_of(look->spec, look->config, setting);
    KW_ENSURE(look->address != NULL, err, CONFIG_INVALID, "there is no such setting");
    return kw_health_dial(look->address, look->deadline_ns, ret_wire, err);
}

static struct kw_result check_door(struct look *look, struct kw_error *err)
{
    KW_SCOPED(kw_health_hang_up) struct kw_health_wire wire = {.fd = -1};
    const char *edge = text_of(look->spec, look->config, "edge_credentials_dir");

    KW_TRY(dial(look, "listen", &wire, err));
    return kw_health_door_check(
        &wire, edge != NULL ? edge : text_of(look->spec, look->config, "credentials_dir"), err);
}

static struct kw_result check_page(struct look *look, struct kw_error *err)
{
    KW_SCOPED(kw_health_hang_up) struct kw_health_wire wire = {.fd = -1};

    KW_TRY(dial(look, "metrics_listen", &wire, err));
    return kw_health_page_check(&wire, look->live ? "/livez" : "/readyz", err);
}

/* Whoever can come to a door can fill it. That leaves the service alive, and a restart would throw out
 * those whom it serves. */
static struct kw_result look_at(struct look *look, struct kw_error *err)
{
    if (!look->live) {
        KW_TRY(check_door(look, err));
    }
    return check_page(look, err);
}

/* For people, who read it where an engine keeps what its checks said; a log has nothing of it. */
static int complain(const struct look *look, const struct kw_error *error)
{
    (void)fprintf(stderr, "%s: not healthy: %s%s%s%s%s\n", look->spec->program,
                  look->setting != NULL ? look->setting : "", look->address != NULL ? " " : "",
                  look->address != NULL ? look->address : "", look->setting != NULL ? ": " : "",
                  error->message);
    return EXIT_FAILURE;
}

static int look_with(struct look *look, void *config, int argc, char **argv)
{
    enum kw_settings_outcome outcome = KW_SETTINGS_PRINTED;
    struct kw_error error = {0};
    struct kw_result result = kw_settings_load(look->spec, argc, argv, config, &outcome, &error);

    if (kw_ok(result) && outcome == KW_SETTINGS_RUN) {
        look->config = config;
        look->deadline_ns = kw_clock_mono_ns() + KW_HEALTH_MS * KW_NS_PER_MS;
        result = look_at(look, &error);
    }
    return kw_ok(result) ? EXIT_SUCCESS : complain(look, &error);
}

int kw_health_main(const struct kw_settings_spec *spec, int argc, char **argv)
{
    struct look look = {.spec = spec, .live = argc > 2 && strcmp(argv[2], "--live") == 0};
    int words = look.live ? 2 : 1;
    void *config = config_new(spec);
    int exit_code;

    if (config == NULL) {
        (void)fprintf(stderr, "%s: not healthy: no memory\n", spec->program);
        return EXIT_FAILURE;
    }
    exit_code = look_with(&look, config, argc - words, argv + words);
    kw_settings_done(spec, config);
    free(config);
    return exit_code;
}

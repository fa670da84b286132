/* The files, the settings, and the call. */
#include "tests/component/init_fixture.h"

#include "tests/support/flat_layout.h"
#include "tests/support/leaks.h"

#include <stdio.h>

struct init_fixture init_fx;

void init_up(void)
{
    char file[PATH_MAX + 16];
    char path[PATH_MAX];
    struct kw_mesh_layout layout;
    char *argv[] = {"init", file, NULL};
    enum kw_settings_outcome outcome = KW_SETTINGS_PRINTED;

    init_fx = (struct init_fixture){.attempts = 0};
    flat_layout_make(&layout);
    init_fx.dir = layout.dir;
    snprintf(file, sizeof(file), "--config=%s",
             kw_mesh_path(&init_fx.dir, "region/init.yaml", path));
    MUST(kw_settings_load(&kw_init_settings, 2, argv, &init_fx.config, &outcome, err));
    REQUIRE(outcome == KW_SETTINGS_RUN, "init.yaml was only printed");
}

void init_down(void)
{
    kw_settings_done(&kw_init_settings, &init_fx.config);
    kw_mesh_dir_remove(init_fx.dir.path);
    test_no_leaks();
}

enum kw_reason init_with(const struct kw_init_config *config, struct kw_error *ret_err)
{
    struct kw_init_config own = *config;
    char name[32];

    snprintf(name, sizeof(name), "out-%u", init_fx.attempts++);
    own.out_dir = kw_mesh_path(&init_fx.dir, name, init_fx.out_dir);
    return kw_core_init(&own, ret_err).reason;
}

char *init_wrote(const char *name, char *path)
{
    snprintf(path, PATH_MAX, "%.*s/%s", PATH_MAX - 128, init_fx.out_dir, name);
    return path;
}

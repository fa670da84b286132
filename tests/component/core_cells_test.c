/* A region of several cells: one list, one token, and a core of each cell on it. */
#include "tests/component/init_fixture.h"
#include "tests/support/officer_sign.h"
#include "tests/support/service_process.h"

#include "common/base/clock.h"
#include "common/pki/credentials.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <unistd.h>

#define CORE   KW_BINARY_DIR "/bin/keyward-cryptocore"
#define WORKER KW_BINARY_DIR "/bin/keyward-hsm-worker"
#define ID(cell, service)                                                                          \
    "spiffe://" KW_MESH_TRUST_DOMAIN "/region/" KW_MESH_REGION "/cell/" cell "/svc/" service
#define WAIT_MS 20000

static const char *const cells[] = {"a", "b"};
static const char *const services[] = {"gateway", "authz", "orchestrator", "cryptocore",
                                       "replicator"};
static struct service_process cores[2];

static void up(void)
{
    struct kw_error err = {0};
    char text[4096];
    size_t len = 0;

    init_up();
    for (size_t i = 0; i < 10; i++) {
        len += (size_t)snprintf(text + len, sizeof(text) - len,
                                "spiffe://" KW_MESH_TRUST_DOMAIN "/region/" KW_MESH_REGION
                                "/cell/%s/svc/%s\n",
                                cells[i / 5], services[i % 5]);
    }
    officer_list(&init_fx.dir, "region/services.list", text);
    REQUIRE(init_with(&init_fx.config, &err) == KW_E_NONE, "%s", err.message);
}

static void down(void)
{
    service_stop(&cores[0]);
    service_stop(&cores[1]);
    init_down();
}

TestSuite(core_cells, .init = up, .fini = down, .timeout = 120);

/* --- what init wrote --- */

static char *credentials_path(const char *cell, const char *service, char *path)
{
    char name[64];

    snprintf(name, sizeof(name), "credentials/%s/%s", cell, service);
    return init_wrote(name, path);
}

Test(core_cells, each_service_of_each_cell_has_credentials_of_its_own)
{
    char path[PATH_MAX];
    char text[KW_SPIFFE_TEXT_SIZE];
    char expected[128];

    for (size_t i = 0; i < 10; i++) {
        KW_SCOPED(kw_credentials_done) struct kw_credentials credentials = {0};
        struct kw_spiffe id;

        MUST(kw_credentials_load(&credentials,
                                 credentials_path(cells[i / 5], services[i % 5], path), err));
        MUST(kw_certificate_identity(&credentials.leaf, KW_MESH_TRUST_DOMAIN, &id, err));
        snprintf(expected, sizeof(expected), ID("%s", "%s"), cells[i / 5], services[i % 5]);
        cr_expect(eq(str, kw_spiffe_text(&id, text), expected));
        MUST(kw_trust_verify(&credentials.trust, &credentials.leaf, NULL, KW_PURPOSE_SERVER,
                             kw_clock_wall_ms(), err));
    }
}

/* --- two cores, one token --- */

static void config_write(const char *cell, char *path)
{
    const struct kw_init_config *c = &init_fx.config;
    char name[32];
    FILE *file;

    snprintf(name, sizeof(name), "core-%s.yaml", cell);
    file = fopen(kw_mesh_path(&init_fx.dir, name, path), "w");
    REQUIRE(file != NULL, "%s", name);
    fprintf(file,
            "region: " KW_MESH_REGION "\ncell: %s\ntrust_domain: " KW_MESH_TRUST_DOMAIN "\n"
            "credentials_dir: %s/credentials/%s/cryptocore\npki_dir: %s/pki\n"
            "hsm_token: %s\nhsm_pin_file: %s\nhsm_lock_file: %s\n"
            "hsm_worker: " WORKER "\nhsm_workers: 2\n",
            cell, init_fx.out_dir, cell, init_fx.out_dir, c->hsm_token, c->hsm_pin_file,
            c->hsm_lock_file);
    fclose(file);
}

/* READY says that its workers have logged in and that their self-tests passed. */
static void core_start(size_t cell)
{
    char config[PATH_MAX + 16];
    char path[PATH_MAX];
    char name[32];
    const char *argv[] = {CORE, config, NULL};

    config_write(cells[cell], path);
    snprintf(config, sizeof(config), "--config=%s", path);
    snprintf(name, sizeof(name), "logs/core-%s.log", cells[cell]);
    service_start(&cores[cell], argv, kw_mesh_path(&init_fx.dir, name, path));
}

/* Which generation of its credentials a core uses; it swaps them when it has signed itself others. */
static char generation(size_t cell)
{
    char path[PATH_MAX];
    char target[PATH_MAX];
    ssize_t len =
        readlink(credentials_path(cells[cell], "cryptocore", path), target, sizeof(target));

    REQUIRE(len > 0, "%s", path);
    return target[len - 1];
}

/* Each swap is a rename in the cell's directory. */
static void renewed(size_t cell, char before)
{
    struct pollfd change = {.fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK), .events = POLLIN};
    char path[PATH_MAX];
    char event[4096];

    REQUIRE(inotify_add_watch(change.fd, credentials_path(cells[cell], "", path), IN_MOVED_TO) >= 0,
            "%s", path);
    while (generation(cell) == before) {
        REQUIRE(poll(&change, 1, WAIT_MS) == 1, "core %s signed nothing", cells[cell]);
        REQUIRE(read(change.fd, event, sizeof(event)) > 0, "%s", path);
    }
    close(change.fd);
}

Test(core_cells, two_cores_sign_on_one_token_and_one_goes_on_when_the_other_dies)
{
    cr_assert(eq(int, setenv("KEYWARD_FAILPOINTS", "renewal.due=error", 1), 0));
    core_start(0);
    core_start(1);
    renewed(0, 'a');
    renewed(1, 'a');
    service_kill(&cores[0]);
    service_stop(&cores[1]);
    core_start(1);
    core_start(0);
    renewed(0, 'b');
    renewed(1, 'b');
}

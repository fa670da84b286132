/* keyward-replicator as a process: what it says of itself, and how it ends. Its owners are played here, on a
 * loop that another thread turns while this one waits. */
#include "tests/support/plain_http.h"
#include "tests/support/replicator_fixture.h"
#include "tests/support/service_process.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

static struct rep_mesh mesh;
static struct rep_cell *const a = &mesh.cells[0], *const b = &mesh.cells[1];
static struct service_process process;
static pthread_t turner;
static atomic_bool ends;
static char log_file[REP_TEXT];

static void *turn(void *unused)
{
    (void)unused;
    while (!atomic_load(&ends)) {
        rep_turn(&mesh);
    }
    return NULL;
}

static void turn_aside(void)
{
    atomic_store(&ends, false);
    REQUIRE(pthread_create(&turner, NULL, turn, NULL) == 0, "a thread");
}

static void turn_here(void)
{
    atomic_store(&ends, true);
    REQUIRE(pthread_join(turner, NULL) == 0, "a thread");
}

/* eu/b as a process, whose peer eu/a is in this one. */
static void start(void)
{
    static char options[8][2 * REP_TEXT];
    const char *argv[] = {KW_BINARY_DIR "/bin/keyward-replicator",
                          options[0],
                          options[1],
                          options[2],
                          options[3],
                          options[4],
                          "--region=eu",
                          "--cell=b",
                          "--trust_domain=test",
                          "--mesh=6d6d6d6d6d6d6d6d6d6d6d6d6d6d6d6d",
                          NULL};

    (void)snprintf(options[0], sizeof(options[0]), "--authz=127.0.0.1:%d", b->owners[0].port);
    (void)snprintf(options[1], sizeof(options[1]), "--orchestrator=127.0.0.1:%d",
                   b->owners[1].port);
    (void)snprintf(options[2], sizeof(options[2]), "--credentials_dir=%s", b->credentials[0]);
    (void)snprintf(options[3], sizeof(options[3]), "--cells=eu/a=127.0.0.1:1,eu/b=127.0.0.1:1");
    (void)snprintf(options[4], sizeof(options[4]), "--listen=127.0.0.1:0");
    turn_aside();
    service_start(&process, argv, log_file);
    b->port = process.port;
}

static void setup(void)
{
    rep_init(&mesh, "eu/a eu/b");
    (void)snprintf(log_file, sizeof(log_file), "%s/log", mesh.dir);
    start();
}

static void teardown(void)
{
    (void)unlink(log_file);
    rep_done(&mesh);
}

TestSuite(replicator_process, .init = setup, .fini = teardown, .timeout = 120);

Test(replicator_process, is_ready_while_its_owners_are_there_and_ends_when_asked_to)
{
    char text[4096];

    cr_assert(plain_ready(process.metrics_port));
    turn_here();
    rep_owner_stop(&b->owners[KW_OWNER_AUTHZ], &mesh);
    REP_EVENTUALLY(&mesh, !plain_ready(process.metrics_port));
    plain_get(process.metrics_port, "/readyz", text, sizeof(text));
    cr_assert(strstr(text, "\"authz\":false") != NULL, "%s", text);
    cr_assert(strstr(text, "\"orchestrator\":true") != NULL, "%s", text);
    turn_aside();
    service_stop(&process);
    turn_here();
}

Test(replicator_process, carries_and_tells_of_its_links)
{
    struct test_owner *from = &a->owners[KW_OWNER_AUTHZ], *to = &b->owners[KW_OWNER_AUTHZ];

    turn_here();
    MUST(rep_begin(a, err));
    owner_write(from, 5);
    REP_EVENTUALLY(&mesh, owner_held(to, owner_lane_id(from)) == 5);
    cr_assert_eq(plain_metric(process.metrics_port, "keyward_replication_link_up{peer=\"eu/a\"}"),
                 1);
    turn_aside();
    service_stop(&process);
    turn_here();
    REP_EVENTUALLY(&mesh, !kw_replicator_service_linked(a->service, &b->place));
}

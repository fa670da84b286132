/* How authz and the orchestrator start, as processes beside a real core: what is wrong with their settings and files
 * is refused with its reason; and under tests/fault_walk.sh whatever can fail on the way fails once, and ends the
 * process with a word instead of leaving half a service. */
#include "common/base/file.h"
#include "tests/support/faults.h"
#include "tests/support/mesh_fixture.h"
#include "tests/support/postgres.h"

#include <stdio.h>
#include <unistd.h>

#define BIN         KW_BINARY_DIR "/bin"
#define LOG_LEN_MAX (64U * 1024U)
#define STARTS_MAX  400 /* of one walk: a service has fewer places */

static struct mesh_fixture mesh;

static void up(void)
{
    mesh_fixture_init(&mesh);
}

static void down(void)
{
    mesh_orchestrator_stop(&mesh);
    core_fixture_done(&mesh.core);
}

TestSuite(service_start, .init = up, .fini = down, .timeout = 500);

/* --- one start --- */

/* A service with its settings, all but what `extra` says otherwise. */
struct start {
    char program[PATH_MAX];
    char config[PATH_MAX + 16];
    char targets[64];
    char database[PATH_MAX + 16];
    char log[PATH_MAX];
    const char *argv[8];
};

static void start_make(struct start *start, const char *name, int target, const char *extra)
{
    char file[64];
    char path[PATH_MAX];

    (void)snprintf(start->program, sizeof(start->program), BIN "/keyward-%s", name);
    (void)snprintf(file, sizeof(file), "config/%s.yaml", name);
    (void)snprintf(start->config, sizeof(start->config), "--config=%s",
                   kw_mesh_path(&mesh.core.dir, file, path));
    (void)snprintf(start->targets, sizeof(start->targets), "--targets=127.0.0.1:%d", target);
    (void)snprintf(start->database, sizeof(start->database), "--database=%s",
                   kw_mesh_path(&mesh.core.dir, "data/start.db", path));
    (void)kw_mesh_path(&mesh.core.dir, "logs/start.log", start->log);
    start->argv[0] = start->program;
    start->argv[1] = start->config;
    start->argv[2] = start->targets;
    start->argv[3] = start->database;
    start->argv[4] = extra;
    start->argv[5] = NULL;
}

/* --- what can fail on the way --- */

/* Starts it, with the next place failing. One that failed leaves nothing that keeps the next from starting. Whether a
 * place was passed that had not failed before; it may be one that is made up for. */
static bool start_again(const struct start *start)
{
    unsigned before = kw_fault_plan()->fired;
    struct service_process service = {0};
    bool ready;

    faults_arm();
    ready = service_try(&service, start->argv, start->log);
    (void)faults_again(ready ? KW_E_NONE : KW_E_MEMORY);
    service_stop(&service);
    REQUIRE(ready || kw_fault_plan()->fired != before, "it does not start: see %s", start->log);
    return kw_fault_plan()->fired != before;
}

static void walk(const char *name, int target)
{
    struct start start;
    size_t starts = 0;

    start_make(&start, name, target, NULL);
    while (start_again(&start)) {
        REQUIRE(++starts < STARTS_MAX, "there is no end");
    }
}

/* The mesh's own orchestrator is authz's inner neighbour. */
Test(service_start, authz_fails_whole_or_starts)
{
    walk("authz", mesh.orchestrator.port);
}

Test(service_start, orchestrator_fails_whole_or_starts)
{
    walk("orchestrator", mesh.core.core.port);
}

/* --- on PostgreSQL --- */

static void serves_from_postgresql(const char *name, int target)
{
    struct service_process service = {0};
    struct start start;
    char url[POSTGRES_URL_SIZE];
    char setting[POSTGRES_URL_SIZE + 16];

    postgres_schema(postgres_shared(), url);
    (void)snprintf(setting, sizeof(setting), "--store_url=%s", url);
    start_make(&start, name, target, setting);
    start.argv[3] = "--database="; /* no file */
    REQUIRE(service_try(&service, start.argv, start.log), "%s does not start: see %s", name,
            start.log);
    cr_assert(lt(i64, 0, postgres_sql(url, "SELECT count(*) FROM schema_migrations")));
    service_stop(&service);
}

Test(service_start, either_serves_from_postgresql)
{
    serves_from_postgresql("authz", mesh.orchestrator.port);
    serves_from_postgresql("orchestrator", mesh.core.core.port);
}

/* --- what is wrong --- */

struct mistake {
    const char *service;
    const char *setting; /* instead of what is right */
    const char *reason;  /* in the log */
};

static const struct mistake mistakes[] = {
    {"authz", "--log_level=loud", "CONFIG_INVALID"},
    {"authz", "--region=no region", "ARGUMENT_INVALID"},
    {"authz", "--listen=192.0.2.1:9", "CONFIG_INVALID"},
    {"authz", "--metrics_listen=192.0.2.1:9", "SYSTEM"},
    {"authz", "--credentials_dir=/nowhere", "CONFIG_INVALID"},
    {"authz", "--pki_dir=/nowhere", "CONFIG_INVALID"},
    {"authz", "--officers_dir=/nowhere", "CONFIG_INVALID"},
    {"authz", "--database=/nowhere/authz.db", "STORE_UNAVAILABLE"},
    {"authz", "--database=/dev/null", "STORE_UNAVAILABLE"},
    {"authz", "--store_url=postgresql://a@/b?host=/nowhere", "CONFIG_INVALID"}, /* a file too */
    {"authz", "--targets=nobody", "CONFIG_INVALID"},
    {"authz", "--mesh=00000000000000000000000000000000", "CONFIG_INVALID"},
    {"authz", "--mesh=0001020304050607-8090a0b0c0d0e0f", "CONFIG_INVALID"},
    {"authz", "--writer=64", "CONFIG_INVALID"},
    {"authz", "--feed_listen=192.0.2.1:9", "CONFIG_INVALID"},
    {"authz", "--lane_key_file=", "CONFIG_INVALID"}, /* which the feed needs */
    {"authz", "--lane_key_file=/dev/null", "CONFIG_INVALID"},
    {"authz", "--config=/nowhere", "CONFIG_INVALID"},
    {"authz", "--colour=red", "CONFIG_INVALID"},
    {"orchestrator", "--log_level=loud", "CONFIG_INVALID"},
    {"orchestrator", "--region=no region", "ARGUMENT_INVALID"},
    {"orchestrator", "--listen=192.0.2.1:9", "CONFIG_INVALID"},
    {"orchestrator", "--metrics_listen=192.0.2.1:9", "SYSTEM"},
    {"orchestrator", "--credentials_dir=/nowhere", "CONFIG_INVALID"},
    {"orchestrator", "--page_key_file=/nowhere", "CONFIG_INVALID"},
    {"orchestrator", "--page_key_file=/dev/null", "CONFIG_INVALID"},
    {"orchestrator", "--pki_dir=/nowhere", "CONFIG_INVALID"},
    {"orchestrator", "--database=/nowhere/orchestrator.db", "STORE_UNAVAILABLE"},
    {"orchestrator", "--store_url=postgresql://a@/b?host=/nowhere", "CONFIG_INVALID"},
    {"orchestrator", "--mesh=0000000000000000000000000000000g", "CONFIG_INVALID"},
    {"orchestrator", "--mesh=00000000000000000000000000000000", "CONFIG_INVALID"},
    {"orchestrator", "--writer=64", "CONFIG_INVALID"},
    {"orchestrator", "--feed_listen=192.0.2.1:9", "CONFIG_INVALID"},
    {"orchestrator", "--lane_key_file=", "CONFIG_INVALID"},
    {"orchestrator", "--lane_key_file=/dev/null", "CONFIG_INVALID"},
    {"orchestrator", "--targets=nobody", "CONFIG_INVALID"},
    {"orchestrator", "--config=/nowhere", "CONFIG_INVALID"},
    {"orchestrator", "--colour=red", "CONFIG_INVALID"},
};

/* The process that is no more has said so. */
static void check_log(const struct start *start, const struct mistake *mistake)
{
    KW_SCOPED(kw_buf_done) struct kw_buf log = {0};
    char words[64];

    (void)snprintf(words, sizeof(words), "\"reason\":\"%s\"", mistake->reason);
    MUST(kw_file_read(start->log, LOG_LEN_MAX, &log, err));
    cr_assert(memmem(log.data, log.len, words, strlen(words)) != NULL, "%s %s: %s",
              mistake->service, mistake->setting,
              kw_arena_text(mesh.core.arena, (const char *)log.data, log.len));
}

static void refused(const struct mistake *mistake)
{
    size_t name_len = strcspn(mistake->setting, "=");
    struct service_process service = {0};
    struct start start;

    start_make(&start, mistake->service, mesh.core.core.port, mistake->setting);
    for (size_t i = 1; i < 4; i++) { /* a setting said twice would be another mistake */
        if (strncmp(start.argv[i], mistake->setting, name_len + 1) == 0) {
            start.argv[i] = mistake->setting;
            start.argv[4] = NULL;
        }
    }
    (void)unlink(start.log);
    REQUIRE(!service_try(&service, start.argv, start.log), "%s %s: it started", mistake->service,
            mistake->setting);
    check_log(&start, mistake);
}

Test(service_start, a_mistake_is_refused_with_its_reason)
{
    for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
        refused(&mistakes[i]);
    }
}

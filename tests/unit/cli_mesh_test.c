/* What a development mesh consists of: names, directories, settings, ports. */
#include "cli/mesh_files.h"
#include "cli/mesh_ports.h"
#include "cli/mesh_settings.h"
#include "cli/template.h"
#include "common/base/file.h"
#include "tests/support/must.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static struct kw_mesh_layout layout;

static void up(void)
{
    struct kw_mesh_dir dir;

    MUST(kw_mesh_dir_make(NULL, &dir, err));
    MUST(kw_mesh_layout_init(&dir, KW_MESH_REGIONS_MAX, KW_MESH_CELLS_MAX, &layout, err));
    MUST(kw_mesh_layout_make(&layout, err));
}

static void down(void)
{
    kw_mesh_dir_remove(layout.dir.path);
}

TestSuite(cli_mesh, .init = up, .fini = down);

/* The text of a file below the mesh's directory. */
static const char *text_of(const char *name)
{
    static char text[65536];
    char path[PATH_MAX];
    FILE *file = fopen(kw_mesh_path(&layout.dir, name, path), "r");
    size_t len;

    REQUIRE(file != NULL, "%s cannot be opened", path);
    len = fread(text, 1, sizeof(text) - 1, file);
    (void)fclose(file);
    text[len] = '\0';
    return text;
}

/* --- templates --- */

Test(cli_mesh, words_of_a_template_are_replaced)
{
    const struct kw_template_word words[] = {{"a", "1"}, {"ab", "two"}, {NULL, NULL}};
    KW_SCOPED(kw_buf_done) struct kw_buf text = {0};

    MUST(kw_template_expand("{ab}-{a}{a}.", words, &text, err));
    cr_assert(text.len == 7 && memcmp(text.data, "two-11.", 7) == 0);
}

Test(cli_mesh, a_word_without_value_is_a_mistake)
{
    static const char *const mistakes[] = {"{b}", "{a", "x{", "{}", "{ab}"};
    const struct kw_template_word words[] = {{"a", "1"}, {NULL, NULL}};

    for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
        KW_SCOPED(kw_buf_done) struct kw_buf text = {0};
        struct kw_error err;

        cr_expect(
            eq(int, kw_template_expand(mistakes[i], words, &text, &err).reason, KW_E_INTERNAL),
            "%s", mistakes[i]);
    }
}

/* --- the layout --- */

Test(cli_mesh, its_size_has_limits)
{
    static const size_t wrong[][2] = {
        {0, 1}, {1, 0}, {KW_MESH_REGIONS_MAX + 1, 1}, {1, KW_MESH_CELLS_MAX + 1}};
    struct kw_error err;

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        cr_expect(eq(int, kw_mesh_layout_check(wrong[i][0], wrong[i][1], &err).reason,
                     KW_E_CONFIG_INVALID));
    }
    MUST(kw_mesh_layout_check(1, 1, err));
    MUST(kw_mesh_layout_check(KW_MESH_REGIONS_MAX, KW_MESH_CELLS_MAX, err));
}

Test(cli_mesh, each_cell_has_a_directory_of_its_own)
{
    static const char *const dirs[] = {"r1/a/data", "r1/c/run",  "r2/b/config",
                                       "r3/c/logs", "r3/tokens", "officer"};

    for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
        char path[PATH_MAX];
        struct stat st;

        cr_expect(stat(kw_mesh_path(&layout.dir, dirs[i], path), &st) == 0 && S_ISDIR(st.st_mode) &&
                      (st.st_mode & 0777) == 0700,
                  "%s", dirs[i]);
    }
}

Test(cli_mesh, each_mesh_has_an_id_of_its_own)
{
    struct kw_mesh_layout other;

    MUST(kw_mesh_layout_init(&layout.dir, 1, 1, &other, err));
    cr_assert(eq(sz, strlen(layout.id), 2 * KW_ID_LEN));
    cr_assert(ne(str, layout.id, other.id));
}

/* --- one region more --- */

static enum kw_reason grow(struct kw_mesh_layout *two, const char *name)
{
    struct kw_error error;

    return kw_mesh_layout_grow(two, name, &error).reason;
}

Test(cli_mesh, one_region_comes_after_the_other_into_a_directory_of_its_own)
{
    struct kw_mesh_layout one;
    struct kw_mesh_dir dir;
    char path[PATH_MAX];
    struct stat st;

    MUST(kw_mesh_dir_make(NULL, &dir, err));
    MUST(kw_mesh_layout_init(&dir, 1, 2, &one, err));
    MUST(kw_mesh_layout_make(&one, err));
    cr_expect(eq(int, grow(&one, "r3"), KW_E_CONFIG_INVALID));
    cr_expect(eq(int, grow(&one, "r2"), KW_E_NONE));
    cr_expect(eq(int, stat(kw_mesh_path(&dir, "r2/b/data", path), &st), 0));
    cr_expect(eq(int, mkdir(kw_mesh_path(&dir, "r3", path), 0700), 0));
    cr_expect(eq(int, mkdir(kw_mesh_path(&dir, "r3/token", path), 0700), 0));
    cr_expect(eq(int, grow(&one, "r3"), KW_E_CONFIG_INVALID), "somebody's files are there");
    cr_expect(eq(int, rmdir(path), 0));
    cr_expect(eq(int, grow(&one, "r3"), KW_E_NONE));
    cr_expect(eq(int, grow(&one, "r4"), KW_E_CONFIG_INVALID));
    cr_expect(eq(sz, one.region_count, 3));
    kw_mesh_dir_remove(dir.path);
}

Test(cli_mesh, replicators_are_told_of_a_region_that_came)
{
    struct kw_mesh_layout two;

    MUST(kw_mesh_layout_init(&layout.dir, 2, 1, &two, err));
    MUST(kw_mesh_replicator_file(&two, &two.regions[0], &two.regions[0].cells[0], "/bin", err));
    cr_expect(strstr(text_of("r1/a/config/replicator.yaml"), "r3/a=") == NULL);
    two.region_count = 3;
    two.regions[2] = layout.regions[2];
    MUST(kw_mesh_region_ports_reserve(&two, 2, err));
    MUST(kw_mesh_replicator_file(&two, &two.regions[0], &two.regions[0].cells[0], "/bin", err));
    cr_expect(strstr(text_of("r1/a/config/replicator.yaml"), ", r3/a=127.0.0.1:") != NULL);
    cr_expect(ne(int, two.regions[2].cells[0].ports[KW_MESH_REPLICATOR].listen, 0));
}

Test(cli_mesh, a_list_names_the_services_of_its_region_alone)
{
    const char *list;
    size_t lines = 0;

    MUST(kw_mesh_officer_files(&layout, err));
    MUST(kw_mesh_region_files(&layout, &layout.regions[1], err));
    list = text_of("r2/services.list");
    cr_expect(strstr(list, "spiffe://keyward.test/region/r2/cell/c/svc/replicator\n") != NULL);
    for (const char *at = list; *at != '\0'; at = strchr(at, '\n') + 1, lines++) {
        cr_expect(strncmp(at, "spiffe://keyward.test/region/r2/cell/", 37) == 0, "%s", at);
    }
    cr_expect(eq(sz, lines, 15));
}

/* --- settings --- */

static bool has_line(const char *file, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static bool has_line(const char *file, const char *format, ...)
{
    char line[2 * PATH_MAX];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    return strstr(text_of(file), line) != NULL;
}

Test(cli_mesh, neighbours_are_told_where_they_are)
{
    const struct kw_mesh_region *region = &layout.regions[1];
    const struct kw_mesh_place *cell = &region->cells[2];

    MUST(kw_mesh_ports_reserve(&layout, err));
    MUST(kw_mesh_cell_files(&layout, region, cell, "/bin", err));
    cr_expect(has_line("r2/c/config/authz.yaml", "region: r2\ncell: c\n"));
    cr_expect(has_line("r2/c/config/authz.yaml", "listen: 127.0.0.1:%d\n",
                       cell->ports[KW_MESH_AUTHZ].listen));
    cr_expect(has_line("r2/c/config/authz.yaml", "metrics_listen: 127.0.0.1:%d\n",
                       cell->ports[KW_MESH_AUTHZ].metrics));
    cr_expect(has_line("r2/c/config/authz.yaml", "mesh: %s\n", layout.id));
    cr_expect(has_line("r2/c/config/authz.yaml", "/r2/credentials/c/authz\n"));
    cr_expect(has_line("r2/c/config/authz.yaml", "feed_listen: 127.0.0.1:%d\n",
                       cell->ports[KW_MESH_AUTHZ].feed));
    cr_expect(has_line("r2/c/config/gateway.yaml", "targets: [ 127.0.0.1:%d ]\n",
                       cell->ports[KW_MESH_AUTHZ].listen));
    cr_expect(has_line("r2/c/config/orchestrator.yaml", "targets: [ 127.0.0.1:%d ]\n",
                       cell->ports[KW_MESH_CRYPTOCORE].listen));
}

Test(cli_mesh, a_replicator_is_told_of_its_owners_and_of_all_cells)
{
    const struct kw_mesh_region *region = &layout.regions[0];
    const struct kw_mesh_place *cell = &region->cells[0];

    MUST(kw_mesh_ports_reserve(&layout, err));
    MUST(kw_mesh_cell_files(&layout, region, cell, "/bin", err));
    cr_expect(has_line("r1/a/config/replicator.yaml", "authz: 127.0.0.1:%d\n",
                       cell->ports[KW_MESH_AUTHZ].feed));
    cr_expect(has_line("r1/a/config/replicator.yaml", "orchestrator: 127.0.0.1:%d\n",
                       cell->ports[KW_MESH_ORCHESTRATOR].feed));
    cr_expect(has_line("r1/a/config/replicator.yaml", "cells: [ r1/a=127.0.0.1:%d, r1/b=",
                       cell->ports[KW_MESH_REPLICATOR].listen));
    cr_expect(has_line("r1/a/config/replicator.yaml", ", r3/c=127.0.0.1:%d ]\n",
                       layout.regions[2].cells[2].ports[KW_MESH_REPLICATOR].listen));
}

Test(cli_mesh, the_first_cell_is_what_commands_find_by_themselves)
{
    MUST(kw_mesh_ports_reserve(&layout, err));
    for (size_t i = 0; i < 2; i++) {
        MUST(kw_mesh_cli_file(&layout, &layout.regions[i], &layout.regions[i].cells[i], err));
    }
    cr_expect(has_line("cli-r2-b.yaml", "/region/r2/cell/b/svc/gateway\n"));
    cr_expect(has_line("cli-r2-b.yaml", "/r2/pki/root.pem\n"),
              "beside it is the key of the region's checkpoints");
    cr_expect(has_line("cli.yaml", "/region/r1/cell/a/svc/gateway\n"));
    cr_expect(has_line("cli.yaml", "target: 127.0.0.1:%d\n",
                       layout.regions[0].cells[0].ports[KW_MESH_GATEWAY].listen));
}

/* --- ports --- */

/* A server on the port, as the services make theirs. */
static int server(int port, bool reuse)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const int on = reuse ? 1 : 0;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    REQUIRE(fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0, "a socket");
    if (bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 || listen(fd, 1) != 0) {
        kw_fd_close(&fd);
    }
    return fd;
}

Test(cli_mesh, a_reserved_port_is_its_services_again_and_again)
{
    int port;

    MUST(kw_mesh_port_reserve(&port, err));
    for (int i = 0; i < 3; i++) {
        KW_SCOPED(kw_fd_close) int fd = server(port, true);

        cr_expect(fd >= 0, "start %d", i);
        cr_expect(server(port, true) < 0, "and only once at a time");
    }
    cr_expect(server(port, false) < 0, "nobody else has it by accident");
}

Test(cli_mesh, no_two_parts_have_a_port)
{
    static bool taken[65536];

    MUST(kw_mesh_ports_reserve(&layout, err));
    for (size_t i = 0; i < KW_MESH_REGIONS_MAX * KW_MESH_CELLS_MAX; i++) {
        const struct kw_mesh_place *cell =
            &layout.regions[i / KW_MESH_CELLS_MAX].cells[i % KW_MESH_CELLS_MAX];

        for (int part = KW_MESH_CRYPTOCORE; part < KW_MESH_PART_COUNT; part++) {
            int listen = cell->ports[part].listen;
            int metrics = cell->ports[part].metrics;

            cr_expect(listen > 0 && metrics > 0 && !taken[listen] && !taken[metrics]);
            taken[listen] = taken[metrics] = true;
        }
    }
}

/* Reserving ports. */
#include "cli/mesh_ports.h"

#include "common/base/file.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

static struct kw_result port_bind(int fd, int *ret_port, struct kw_error *err)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    const int on = 1;

    KW_ENSURE(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
                  bind(fd, (struct sockaddr *)&address, len) == 0 &&
                  getsockname(fd, (struct sockaddr *)&address, &len) == 0,
              err, SYSTEM, "a port: %s", strerror(errno));
    *ret_port = ntohs(address.sin_port);
    return KW_OK;
}

struct kw_result kw_mesh_port_reserve(int *ret_port, struct kw_error *err)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct kw_result result;

    KW_ENSURE(fd >= 0, err, SYSTEM, "a port: %s", strerror(errno));
    result = port_bind(fd, ret_port, err);
    if (!kw_ok(result)) {
        kw_fd_close(&fd);
    }
    return result; /* the socket stays until we end, for that is what reserves it */
}

static struct kw_result cell_reserve(struct kw_mesh_place *cell, struct kw_error *err)
{
    for (int part = KW_MESH_CRYPTOCORE; part < KW_MESH_PART_COUNT; part++) { /* Redis has none */
        KW_TRY(kw_mesh_port_reserve(&cell->ports[part].listen, err));
        KW_TRY(kw_mesh_port_reserve(&cell->ports[part].metrics, err));
    }
    KW_TRY(kw_mesh_port_reserve(&cell->ports[KW_MESH_AUTHZ].feed, err));
    return kw_mesh_port_reserve(&cell->ports[KW_MESH_ORCHESTRATOR].feed, err);
}

struct kw_result kw_mesh_region_ports_reserve(struct kw_mesh_layout *layout, size_t region,
                                              struct kw_error *err)
{
    for (size_t j = 0; j < layout->cell_count; j++) {
        KW_TRY(cell_reserve(&layout->regions[region].cells[j], err));
    }
    return KW_OK;
}

struct kw_result kw_mesh_ports_reserve(struct kw_mesh_layout *layout, struct kw_error *err)
{
    for (size_t i = 0; i < layout->region_count; i++) {
        KW_TRY(kw_mesh_region_ports_reserve(layout, i, err));
    }
    return KW_OK;
}

static const struct kw_mesh_ports named_ports[KW_MESH_PART_COUNT] = {
    [KW_MESH_REDIS] = {.listen = 6379},
    [KW_MESH_CRYPTOCORE] = {.listen = 8444, .metrics = 9464},
    [KW_MESH_ORCHESTRATOR] = {.listen = 8444, .metrics = 9464, .feed = 8445},
    [KW_MESH_AUTHZ] = {.listen = 8444, .metrics = 9464, .feed = 8445},
    [KW_MESH_REPLICATOR] = {.listen = 8446, .metrics = 9464},
    [KW_MESH_GATEWAY] = {.listen = 8443, .metrics = 9464},
};

void kw_mesh_ports_name(struct kw_mesh_layout *layout)
{
    for (size_t i = 0; i < layout->region_count; i++) {
        for (size_t j = 0; j < layout->cell_count; j++) {
            kw_copy(layout->regions[i].cells[j].ports, named_ports, sizeof(named_ports));
        }
    }
}

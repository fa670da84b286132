/* Ports that are known before their services run, so that each can be told where the others will be.
 *
 * A port is held by a socket that is bound to it and never listens. As long as it is there the
 * kernel gives the port to nobody who asks for any; the service, which names it and has SO_REUSEADDR
 * as every server has, gets it, at the first start and at every other. Only a program that names
 * this very number could come between: then the service says that the address is in use, and ends
 * the mesh as any part does that dies at once again and again. */
#ifndef KW_CLI_MESH_PORTS_H
#define KW_CLI_MESH_PORTS_H

#include "cli/mesh_layout.h"

/* Holds a free port of 127.0.0.1 until this process ends. Fails: SYSTEM. */
struct kw_result kw_mesh_port_reserve(int *ret_port, struct kw_error *err);

/* The same for each part of each cell that listens. Fails: SYSTEM. */
struct kw_result kw_mesh_ports_reserve(struct kw_mesh_layout *layout, struct kw_error *err);

/* Those of deploy/arrows.yaml, the same in every cell, where each part has an address of its own. */
void kw_mesh_ports_name(struct kw_mesh_layout *layout);

/* Of one region. Fails: SYSTEM. */
struct kw_result kw_mesh_region_ports_reserve(struct kw_mesh_layout *layout, size_t region,
                                              struct kw_error *err);

#endif

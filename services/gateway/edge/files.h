/* File descriptors: the edge takes as many connections as it may, but never the last descriptors.
 * Those are for what keeps the process alive: probes and metrics, the hop, new certificates. */
#ifndef KW_SERVICES_GATEWAY_EDGE_FILES_H
#define KW_SERVICES_GATEWAY_EDGE_FILES_H

#include <stdbool.h>
#include <stdint.h>

/* Raises the soft limit of descriptors to what `connections` need, as far as the hard one allows. */
void kw_edge_files_raise(uint32_t connections);

/* Is a connection with this descriptor one of the last? The kernel gives the lowest that is free. */
bool kw_edge_files_scarce(int fd);

#endif

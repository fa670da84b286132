/* A worker's life after its process was set up: configure, prove itself, serve batches until the
 * socket closes. */
#ifndef KW_SERVICES_CRYPTOCORE_HSM_WORKER_SERVE_H
#define KW_SERVICES_CRYPTOCORE_HSM_WORKER_SERVE_H

/* Serves the socket `fd`, blocking, one batch after the other. Returns the exit code: 0 when the
 * core closed the socket, 1 when the worker must be replaced (start failed, HSM or socket unwell);
 * the core was told why. */
int kw_hsm_worker_serve(int fd);

#endif

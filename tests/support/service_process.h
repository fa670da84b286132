/* A service as a process: started until its READY line, and ended well or badly. A failure here
 * ends the test, and with a test end its services. */
#ifndef KW_TESTS_SUPPORT_SERVICE_PROCESS_H
#define KW_TESTS_SUPPORT_SERVICE_PROCESS_H

#include <stdbool.h>
#include <sys/types.h>

struct service_process {
    pid_t pid;        /* 0: none */
    int port;         /* as READY says */
    int metrics_port; /* the same; 0: it says none */
};

/* Runs a program to its end; its exit status must be 0. What it says on stderr goes to the file
 * `log`. `argv` ends with NULL. */
void service_run(const char *const *argv, const char *log);

/* Starts a service and waits until it is READY. */
void service_start(struct service_process *service, const char *const *argv, const char *log);

/* The same; false: it ended with a failure instead, which it must at once. */
bool service_try(struct service_process *service, const char *const *argv, const char *log);

/* SIGTERM; it must end with status 0. Accepts one that does not run. */
void service_stop(struct service_process *service);

/* SIGKILL. */
void service_kill(struct service_process *service);

#endif

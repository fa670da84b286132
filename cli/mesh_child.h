/* One process of a development mesh: started, watched for its READY line, restarted when it dies,
 * stopped. */
#ifndef KW_CLI_MESH_CHILD_H
#define KW_CLI_MESH_CHILD_H

#include "common/loop/loop.h"

#include <limits.h>

#define KW_CHILD_ARGS_MAX 4
#define KW_CHILD_ENV_MAX  4
#define KW_CHILD_LINE_MAX 256

enum kw_child_state {
    KW_CHILD_IDLE,
    KW_CHILD_STARTING,
    KW_CHILD_READY,
    KW_CHILD_STOPPING,
    KW_CHILD_GONE
};

struct kw_child_events {
    void (*ready)(void *context); /* first READY, or at once for a child that prints none */
    void (*gone)(int64_t status,
                 void *context); /* ended; the storage may be started again or forgotten */
    void *context;
};

/* Caller's storage; args and env are copied into it. Loop thread. */
struct kw_child {
    const char *name;
    bool announces;    /* prints READY; without, it is ready when it runs */
    uint64_t start_ms; /* it is killed when it is not READY by then */
    char log_path[PATH_MAX];
    char args[KW_CHILD_ARGS_MAX][PATH_MAX];
    size_t arg_count;
    char env[KW_CHILD_ENV_MAX][PATH_MAX]; /* "NAME=value", added to ours */
    size_t env_count;
    struct kw_child_events events;

    enum kw_child_state state;
    bool late; /* killed because it was not READY in time */
    int port;  /* from READY; kept over restarts, so that neighbours find it again */
    int metrics_port;
    uint64_t started_ns;
    struct kw_loop *loop;
    uv_process_t process;
    uv_pipe_t out;
    struct kw_timer grace; /* for becoming READY, then for ending after SIGTERM */
    char line[KW_CHILD_LINE_MAX];
    size_t line_len;
    unsigned handles_open;
    int64_t exit_status;
};

void kw_child_arg(struct kw_child *child, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void kw_child_env(struct kw_child *child, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The child gets SIGTERM when we end, however we end. Fails: SYSTEM. */
struct kw_result kw_child_start(struct kw_child *child, struct kw_loop *loop, struct kw_error *err);

/* SIGTERM, and SIGKILL after `grace_ms`; `gone` follows. Nothing if it does not run. */
void kw_child_stop(struct kw_child *child, uint64_t grace_ms);

/* SIGKILL; `gone` follows. Nothing if it does not run, or was told to stop. */
void kw_child_kill(struct kw_child *child);

#endif

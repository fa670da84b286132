/* Every limit of the system, by name. Hitting one is a clear error and a metric, never a surprise. */
#ifndef KW_COMMON_BASE_LIMITS_H
#define KW_COMMON_BASE_LIMITS_H

/* --- secrets --- */
#define KW_SECRET_COUNT_MAX 512 /* secrets alive in one process; with KW_SECRET_LEN_MAX this is 64 KiB locked */

/* --- requests --- */
#define KW_BODY_LEN_MAX (256U * 1024U)          /* one public message, and one hop item */
#define KW_REQUEST_ARENA_MAX (4U * 1024U * 1024U) /* memory one call may use in one process */
#define KW_PROTO_DEPTH_MAX 16                   /* nesting of a protobuf message */
#define KW_PROTO_UNKNOWN_MAX 64                 /* unknown fields in one message */
#define KW_PAGE_SIZE_DEFAULT 100
#define KW_PAGE_SIZE_MAX 1000
#define KW_CHUNK_ITEMS_MAX 256                  /* items under one capsule */
#define KW_BATCH_DEVICES_MAX 10000              /* pens in one provisioning batch */
#define KW_GRANT_DEVICES_MAX 1000               /* devices listed in one grant */
#define KW_DEADLINE_DEFAULT_MS 10000U           /* a caller that sends none gets this */
#define KW_DEADLINE_MAX_MS 60000U

/* --- hops --- */
#define KW_HOP_FRAMES_MAX 32                    /* frames in one hop message */
#define KW_HOP_MESSAGE_LEN_MAX (1024U * 1024U)
#define KW_HOP_CALLS_MAX 1024                   /* calls in flight on one hop stream */
#define KW_HOP_CREDIT_BYTES (512U * 1024U)      /* per call and direction before the receiver says more */
#define KW_HOP_QUEUE_BYTES_MAX (16U * 1024U * 1024U) /* waiting to be written on one stream */
#define KW_HOP_RECONNECT_MIN_MS 50U
#define KW_HOP_RECONNECT_MAX_MS 2000U

/* --- capsules and receipts --- */
#define KW_CAPSULE_LIFETIME_MS 5000U
#define KW_CAPSULE_CLOCK_SKEW_MS 1000U
#define KW_CHECKPOINT_RECEIPTS 1000U            /* a checkpoint at least after so many receipts */
#define KW_CHECKPOINT_INTERVAL_MS 1000U
#define KW_WITNESS_LAG_RECEIPTS_MAX 1000U
#define KW_WITNESS_LAG_MS_MAX 2000U

/* --- HSM --- */
#define KW_HSM_WORKERS_MAX 32
#define KW_HSM_ITEMS_MAX 256                    /* requests in one submission; keys in one GENERATE */
#define KW_HSM_FACTS_MAX 256                    /* facts in one request */
#define KW_HSM_ENVELOPE_LEN_MAX 1024            /* bytes of an envelope before its wrapped key */
#define KW_HSM_FRAME_LEN_MAX (1024U * 1024U)    /* one message on a worker's socket */
#define KW_HSM_QUEUE_ITEMS_MAX 4096             /* requests waiting for a worker */
#define KW_HSM_WORKER_ITEMS_MAX 512             /* requests handed to one worker and not yet answered */
#define KW_HSM_KEK_VERSIONS_MAX 16              /* KEK versions that one worker uses */
#define KW_HSM_START_MS 15000U                  /* for a worker to load, log in and test itself */
#define KW_HSM_DRAIN_MS 1000U                   /* for a worker to catch up after a missed deadline */
#define KW_HSM_RESTART_MIN_MS 100U              /* before a lost worker is started again; doubles */
#define KW_HSM_RESTART_MAX_MS 5000U

/* --- store --- */
#define KW_STORE_JOBS_MAX 4096                  /* waiting for the writer */
#define KW_STORE_GROUP_MAX 256                  /* jobs in one commit */
#define KW_STORE_READERS 2

#endif

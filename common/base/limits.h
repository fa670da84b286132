/* Every limit of the system, by name. Hitting one is a clear error and a metric, never a surprise.
 */
#ifndef KW_COMMON_BASE_LIMITS_H
#define KW_COMMON_BASE_LIMITS_H

/* --- secrets --- */
#define KW_SECRET_COUNT_MAX                                                                        \
    512 /* secrets alive in one process; with KW_SECRET_LEN_MAX this is 64 KiB locked */

/* --- settings and metrics --- */
#define KW_SETTINGS_MAX      64            /* settings of one service */
#define KW_SETTINGS_LIST_MAX 256           /* items of one list */
#define KW_SETTINGS_FILE_MAX (64U * 1024U) /* bytes of the configuration file */
#define KW_METRIC_LABELS_MAX 64 /* values of a metric's label; later ones count as "other" */
#define KW_METRIC_LABEL_SIZE 48 /* a label's value with its NUL; longer ones are cut */

/* --- observe (the plaintext port for probes and metrics) --- */
#define KW_OBSERVE_CONDITIONS_MAX  16 /* named conditions of readiness */
#define KW_OBSERVE_CONNECTIONS_MAX 16
#define KW_OBSERVE_TIMEOUT_S       5 /* a connection that says nothing so long is closed */
#define KW_OBSERVE_MEMORY_MAX      (16U * 1024U) /* of one connection */

/* --- health (the check beside a service) --- */
#define KW_HEALTH_MS              3000U         /* for all it asks */
#define KW_HEALTH_HOST_SIZE       254           /* a name of a host, with its NUL */
#define KW_HEALTH_ANSWER_MAX      4096U         /* bytes of an answer that are looked at */
#define KW_HEALTH_CERTIFICATE_MAX (64U * 1024U) /* the file of the service's certificate */

/* --- requests --- */
#define KW_BODY_LEN_MAX        (256U * 1024U)       /* one public message, and one hop item */
#define KW_REQUEST_ARENA_MAX   (4U * 1024U * 1024U) /* memory one call may use in one process */
#define KW_PROTO_DEPTH_MAX     16                   /* nesting of a protobuf message */
#define KW_PROTO_UNKNOWN_MAX   64                   /* unknown fields in one message */
#define KW_PROTO_ELEMENTS_MAX  20000 /* values in one message, nested ones included */
#define KW_PAGE_SIZE_DEFAULT   100
#define KW_PAGE_SIZE_MAX       1000
#define KW_CHUNK_ITEMS_MAX     256    /* items under one capsule */
#define KW_BATCH_DEVICES_MAX   10000  /* pens in one provisioning batch */
#define KW_GRANT_DEVICES_MAX   1000   /* devices listed in one grant */
#define KW_DEADLINE_DEFAULT_MS 10000U /* a caller that sends none gets this */
#define KW_DEADLINE_MAX_MS     60000U

/* --- hops --- */
#define KW_HOP_FRAMES_MAX      32 /* frames in one hop message */
#define KW_HOP_MESSAGE_LEN_MAX (1024U * 1024U)
#define KW_HOP_CALLS_MAX       1024 /* calls in flight on one hop stream */
#define KW_HOP_CALLS_KEPT      128  /* of them, for officers: whoever revokes gets through */
#define KW_HOP_CREDIT_BYTES                                                                        \
    (512U * 1024U) /* per call and direction before the receiver says more */
#define KW_HOP_QUEUE_BYTES_MAX  (16U * 1024U * 1024U) /* waiting to be written on one stream */
#define KW_HOP_ITEM_COST        64U /* what an item takes of the credit beside its bytes */
#define KW_HOP_TRACE_LEN_MAX    64U
#define KW_HOP_RECONNECT_MIN_MS 50U
#define KW_HOP_RECONNECT_MAX_MS 500U  /* so that a neighbour that is back is in use within 2 s */
#define KW_HOP_CONNECT_MS       5000U /* from dialling to the peer's hello */
#define KW_HOP_STREAM_AGE_MS                                                                       \
    (10U * 60U * 1000U) /* then it is replaced: certificates are checked anew */
#define KW_HOP_STREAMS_PER_CONNECTION_MAX 4
#define KW_HOP_KEEPALIVE_MS               10000 /* a silent peer is asked whether it lives */
#define KW_HOP_KEEPALIVE_TIMEOUT_MS       5000
#define KW_HOP_TARGETS_MAX                64    /* addresses of the inner neighbour */
#define KW_HOP_RESOLVE_INTERVAL_MS        5000U /* a name is looked up again */

/* --- key states --- */
#define KW_KEY_SUSPENSIONS_MAX 64U  /* suspensions of one key version; the last is for good */
#define KW_FACT_ACTOR_LEN_MAX  511U /* a SPIFFE id of ours, KW_SPIFFE_TEXT_SIZE without its NUL */

/* --- capsules and receipts --- */
#define KW_CAPSULE_LIFETIME_MS        5000U
#define KW_CAPSULE_CLOCK_SKEW_MS      1000U
#define KW_CAPSULE_LEN_MAX            60000U /* encoded; sealed it still fits a 16-bit length */
#define KW_SEAL_BATCH_MAX             64U    /* capsules under one signature */
#define KW_SEAL_ROOTS_MAX             64U    /* verified roots a verifier remembers */
#define KW_SEAL_SIGNERS_MAX           8U     /* verified signer certificates a verifier remembers */
#define KW_REPLAY_IDS_MAX             (512U * 1024U) /* capsules taken within their lifetime by one process */
#define KW_REQUEST_SIGNATURE_AHEAD_MS 300000U /* how far ahead a caller's signature may end */
#define KW_CHECKPOINT_RECEIPTS        1000U   /* a checkpoint at least after so many receipts */
#define KW_CHECKPOINT_INTERVAL_MS     1000U
#define KW_SEGMENT_RECEIPTS_MAX       512U /* of one chain, handed to another cell at once */
#define KW_SEGMENT_LEN_SOFT           (256U * 1024U) /* of them; a segment that has so much takes no more */
#define KW_SEGMENT_LEN_MAX            (512U * 1024U) /* encoded */
#define KW_WITNESS_LAG_RECEIPTS_MAX   1000U
#define KW_WITNESS_LAG_MS_MAX         2000U
#define KW_WITNESS_LOST_MAX           16000U /* receipts of one core boot that authz never saw */

/* --- HSM --- */
#define KW_HSM_WORKERS_MAX      32
#define KW_HSM_ITEMS_MAX        256  /* requests in one submission; keys in one GENERATE */
#define KW_HSM_FACTS_MAX        256  /* facts in one request */
#define KW_HSM_ENVELOPE_LEN_MAX 1024 /* bytes of an envelope before its wrapped key */
#define KW_HSM_FRAME_LEN_MAX    (1024U * 1024U) /* one message on a worker's socket */
#define KW_HSM_QUEUE_ITEMS_MAX  4096            /* requests waiting for a worker */
#define KW_HSM_WORKER_ITEMS_MAX 512 /* requests handed to one worker and not yet answered */
#define KW_HSM_WORKER_REQUESTS_MAX                                                                 \
    131072U /* answered by one worker, then it is replaced: SoftHSM keeps some bytes of every      \
               object */
#define KW_HSM_KEK_VERSIONS_MAX 16     /* KEK versions that one worker uses */
#define KW_HSM_START_MS         15000U /* for a worker to load, log in and test itself */
#define KW_HSM_DRAIN_MS         1000U  /* for a worker to catch up after a missed deadline */
#define KW_HSM_RESTART_MIN_MS   100U   /* before a lost worker is started again; doubles */
#define KW_HSM_RESTART_MAX_MS   1000U  /* so that an HSM that is back is in use within 2 s */

#define KW_ENVELOPE_LIFETIME_MS                                                                    \
    (24ULL * 3600 * 1000) /* how long a partner may keep using a delivered envelope */
#define KW_INVITATION_DEFAULT_MS   (24ULL * 3600 * 1000)
#define KW_INVITATION_MAX_MS       (7ULL * 24 * 3600 * 1000)
#define KW_CERTIFICATE_BACKDATE_MS 300000ULL /* for clocks that are a little behind */
#define KW_LEDGER_CHAINS_MAX       64U    /* receipt chains at a time, one an orchestrator stream */
#define KW_LEDGER_RETIRED_MAX      65536U /* streams of one boot that left and don't come back */
#define KW_LEDGER_UNACKED_MAX      4096   /* receipts of one chain waiting to be durable */
#define KW_LEDGER_RESEND_MS        500U   /* an unacknowledged receipt is sent again after this */
#define KW_LEDGER_TICK_MS          100U
#define KW_LEDGER_SIGN_MS          3000U /* for one checkpoint's signature */

/* --- store --- */
#define KW_STORE_JOBS_MAX        4096 /* waiting for the writer */
#define KW_STORE_GROUP_MAX       256  /* jobs in one commit */
#define KW_STORE_READERS         2
#define KW_STORE_STATEMENTS_MAX  256   /* different statements one connection keeps prepared */
#define KW_STORE_PARAMETERS_MAX  48    /* $1 … $48 of one statement */
#define KW_STORE_CACHE_KIB       16384 /* page cache of one connection */
#define KW_STORE_WAL_PAGES       1000  /* log this long: checkpoint, waiting for nobody (4 MiB) */
#define KW_STORE_WAL_PAGES_MAX   16000 /* log this long: checkpoint, waiting for readers (64 MiB) */
#define KW_STORE_RESTART_WAIT_MS 100   /* how long it waits for them */
#define KW_STORE_RESERVE_BYTES   (16U << 20) /* less free than this: only what is owed is written */
#define KW_STORE_ROOM_CHECK_MS   100U        /* how often the free space is looked at, at most */
#define KW_STORE_READ_MS_MAX     5000U /* a read that is longer is ended: the log can't start over */
#define KW_STORE_READ_WAIT_MS    1000 /* a reader waits so long for a moment's lock of the writer */

/* --- the store on PostgreSQL --- */
#define KW_PG_CONNECT_S       2      /* one call to the server */
#define KW_PG_RETRY_MS_MIN    20U    /* between two calls to one that does not answer: at first */
#define KW_PG_RETRY_MS_MAX    1000U  /* and at last */
#define KW_PG_STATEMENT_MS    1000U  /* one statement of a write */
#define KW_PG_LOCK_MS         250U   /* waiting for another instance's row */
#define KW_PG_IDLE_MS         2000U  /* between two statements of a transaction */
#define KW_PG_ANSWER_MS       5000U  /* one exchange, after which the server is given up */
#define KW_PG_NEWS_READS      16     /* of what it says unasked, before the next group */
#define KW_PG_MIGRATE_LOCK_MS 30000U /* waiting for another instance that migrates */
#define KW_PG_OWED_MAX        64     /* control statements that go ahead of one other */

/* --- merging with other cells --- */
#define KW_RECORD_FIELDS_MAX  63U   /* of one record; their numbers too */
#define KW_RECORD_KEY_LEN_MAX 1024U /* what a record is found by */
#define KW_RECORD_VALUE_LEN_MAX                                                                    \
    (512U * 1024U) /* one field of a record: an answer and what goes with it */
#define KW_RECORD_FIELD_LEN_MAX                                                                    \
    (32U * 1024U)              /* the same of one that its kind does not call large */
#define KW_RECORD_LARGE_MAX 2U /* fields of a kind that it calls large */
#define KW_ROW_LEN_MAX                                                                             \
    (3U * 1024U * 1024U) /* a row, merged of whatever changes: it follows from the above */
#define KW_VECTOR_STORES_MAX  256U /* stores in one version vector; the last is for good */
#define KW_SUSPENSIONS_MAX    64U  /* in one set; the last is for good */
#define KW_SET_ELEMENTS_MAX   64U  /* of one grow-only set; the lowest are kept */
#define KW_STAMP_AHEAD_MS_MAX 500U /* another store's stamp ahead of our clock: held, not adopted */

/* --- the change feed --- */
#define KW_CHANGE_LEN_MAX                                                                          \
    (KW_RECORD_VALUE_LEN_MAX +                                                                     \
     128U * 1024U) /* the record of one change: its longest value, and the rest */
#define KW_URGENT_CHANGE_LEN_MAX                                                                   \
    (16U * 1024U) /* the record of a change that goes ahead; a longer one goes with its lane */
#define KW_BATCH_CHANGES_MAX 500U
#define KW_BATCH_LEN_SOFT    (256U * 1024U) /* of records; a batch that has so much takes no more */
#define KW_BATCH_LEN_MAX                                                                           \
    (KW_BATCH_LEN_SOFT + KW_CHANGE_LEN_MAX + 8U * 1024U) /* encoded, with its head */
#define KW_VOUCHER_CHAIN_MAX 4                           /* certificates in one, the leaf first */
#define KW_VOUCHER_LEN_MAX   (16U * 1024U)               /* encoded */
#define KW_ORDER_STORES_MAX  16U          /* stores that one order of an officer names */
#define KW_ORDER_LEN_MAX     (8U * 1024U) /* encoded: with its effect it still goes ahead of its lane */
#define KW_FEED_RELEASE_MAX  256U         /* changes that wait, looked at in one job */
#define KW_FEED_WRITERS_MAX  64U          /* instances on one database: a lane's writer is below */
#define KW_FEED_URGENTS_MAX  1024U /* urgent changes of one place, kept ahead of their lanes */
#define KW_SEAL_IDLE_MS      5000U /* a lane of ours whose instance promised nothing for so long */
#define KW_FEED_ORPHAN_MS    30000U /* an urgent change whose lane has not come since is said by us */
#define KW_ORPHAN_LANES_MAX                                                                        \
    128U /* of a fenced store, in one bundle of what it said beyond its fence */
#define KW_ORPHAN_BATCH_LEN                                                                        \
    (64U * 1024U) /* of records; a batch of a bundle that has so much takes no more */
#define KW_ORPHAN_BATCH_MAX 200U /* changes of it, which a cell takes in one transaction */
#define KW_ORPHANS_LEN_MAX  (512U * 1024U * 1024U) /* a bundle's file */
#define KW_FEED_TRIES_MAX   8U /* a row that others change meanwhile is merged again */
#define KW_FEED_CHANGE_MEMORY_MAX                                                                  \
    (64U * 1024U * 1024U) /* to merge one change into the largest row, or to read a batch */
#define KW_FEED_PIECE_LEN_MAX                                                                      \
    (240U * 1024U)                   /* of a record in one item of the hop to its replicator */
#define KW_FEED_TOLD_LANES_MAX  256U /* in one message to the replicator */
#define KW_FEED_TOLD_URGENTS    16U  /* urgent changes read for it in one job */
#define KW_FEED_READS_MAX       32U  /* batches read for it and not yet sent; more wait */
#define KW_FEED_APPLIES_MAX     32U  /* records that it brought, in jobs of the store; more wait */
#define KW_FEED_APPLIES_LEN_MAX (32U * 1024U * 1024U) /* of them, with those that wait */
#define KW_FEED_UPKEEP_MS       1000U /* how often what waits, and what may be deleted, is looked at */
#define KW_FEED_NEWCOMER_MS     300000U /* nothing is deleted so soon after an owner's start */
#define KW_FEED_WAITS_MAX       10000U  /* changes that wait are counted up to this */
#define KW_FEED_LOGS_PER_S      10U     /* lines about failed calls of a replicator, and the like */
#define KW_QUESTION_MS          5000U   /* for another cell's owner to answer */
#define KW_ERRAND_PACE_MS       2000U   /* how soon an owner asks its neighbours again */
#define KW_COMPARE_STEPS_MAX    1000U   /* questions of one comparison; the next finds the rest */
#define KW_FEED_BEHIND_MAX      64U     /* lanes that stand still at what others deleted, noted */
#define KW_FEED_JOIN_PAUSE_MS   60000U  /* before a store that has joined does so again */
#define KW_SHOW_DIGEST_MS       5000U   /* how often what is held is shown as a figure */
#define KW_SCRUB_MS             1000U   /* between two looks at a few rows */
#define KW_SCRUB_REST_MS        3600000U /* after all of them */
#define KW_FEED_TRIM_MAX        1000U    /* changes deleted in one job */
#define KW_DIGEST_BUCKETS       4096U /* of one table's rows, compared as a tree of 16 × 16 × 16 */
#define KW_DIGEST_NODES_MAX     64U   /* of that tree, that one comparison goes down into */
#define KW_SCRUB_ROWS_MAX       1000U /* looked at in one job, to the end of a bucket */
#define KW_SCRUB_BUCKETS_MAX    256U
#define KW_LOG_CHAINS_MAX       256U /* of an owner's log, listed in one answer */
#define KW_KEPT_CHAINS_MAX                                                                         \
    65536U /* of another store's log that are kept: one for each life of it */
#define KW_KEPT_HEADS_LEN                                                                          \
    (4U * 1024U * 1024U)        /* of rows of heads, looked at for one segment of it */
#define KW_KEEP_STEPS       16U /* questions about others' logs, before another errand that is due */
#define KW_ANSWER_ITEMS_MAX 1000U /* rows, or what else an owner hands over in one answer */
#define KW_ANSWER_ITEM_LEN_MAX                                                                     \
    (KW_ROW_LEN_MAX + 64U) /* a row, or a change that waits, with its lane and point */
#define KW_QUESTION_LEN_MAX (64U * 1024U) /* of one owner to another, encoded */
#define KW_ANSWER_LEN_MAX   (KW_BATCH_LEN_SOFT + KW_ANSWER_ITEM_LEN_MAX + 16U * 1024U) /* encoded */

/* What a donor, or who says what others lack, may cost a store (docs/replication.md, "Joining"). */
#define KW_JOIN_DONOR_MS     600000U  /* one donor's share of a join; then another is asked */
#define KW_JOIN_NEW_MS       3600000U /* the same where nobody has answered by these rows yet */
#define KW_JOIN_ANSWERS_MAX  100000U  /* of one donor, in its share */
#define KW_JOIN_FAILURES_MAX 10U      /* of one donor, one after the other */
#define KW_JOIN_BAR_MS       600000U  /* who failed as a donor is not asked again for so long */
#define KW_JOIN_BAR_TIMES                                                                          \
    4U /* its next share is twice as long, its next bar four times, so often */
#define KW_FEED_WORD_MS                                                                            \
    600000U /* a lane that stands still so long: one store's word about it is enough */
#define KW_FEED_BEHIND_OWN                                                                         \
    16U /* of KW_FEED_BEHIND_MAX: lanes of which only their own store says so */
#define KW_LACKS_ANSWERS_MAX 8U     /* of one neighbour, about its lanes */
#define KW_COMPARE_MS        60000U /* for one comparison; the next finds the rest */

/* Whoever has one place's certificate makes up so much, and no more. */
#define KW_FEED_PLACE_STORES_MAX 8U   /* of one place that are not fenced */
#define KW_FEED_PLACE_LANES_MAX  128U /* of all stores of one place, of all their lives */
#define KW_FEED_LANES_MAX        512U /* of one owner: a replicator carries those of two */
#define KW_FEED_OWN_LANES        64U  /* of them, kept for those that we write */

/* What a peer may cost a replicator: what is beyond it is passed over, or cuts the link. */
#define KW_LINK_REACHES_PER_S  8U /* of one peer that are looked at; others are passed over */
#define KW_LINK_VOUCHERS_PER_S 8U /* the same; then the link is cut */
/* So long a new link's vouchers are passed over while its peer has more of a lane than our owner. */
#define KW_LINK_VOUCHER_WAIT_MS 5000U
#define KW_LINK_QUESTIONS_PER_S                                                                    \
    50U /* of one peer's owner to ours; one that is beyond waits for the next second */
#define KW_LINK_KNOWN_PER_S                                                                        \
    5000U /* of its records that say nothing new, beside heartbeats; then it is cut */
#define KW_LINK_VOUCH_MS 60000U /* how often a peer is told again who our owners are */
#define KW_LINK_URGENTS_LEN_MAX                                                                    \
    (4U * 1024U * 1024U) /* urgent changes that wait for one link; more are left to their lanes */

/* What all have is deleted; who holds what is said in lanes. */
#define KW_FEED_KEEP_MIN     1000U  /* changes of a lane that are kept at least for who is away */
#define KW_FEED_HOLDINGS_MAX 64U    /* lanes that one change says how far are held */
#define KW_FEED_HOLDINGS_MS  10000U /* how often it is looked at whether one is to be made */

/* Who began a new life asks others how far they hold its last one: so long after the first time, then twice that, … */
#define KW_FEED_SETTLE_ASK_MS     1000U
#define KW_FEED_SETTLE_ASK_MS_MAX 8000U
#define KW_FEED_SETTLE_TOLD_MS    60000U /* how often it is logged whom we wait for */

/* --- replication --- */
#define KW_SECOND_COPY_MS      50U /* an answer waits so long for another cell to have what it says */
#define KW_SECOND_COPY_TICK_MS 5U
#define KW_COPIES_LOOK_MS      20U /* while somebody waits, the table is looked at so often */
#define KW_WAIT_MARGIN_MS                                                                          \
    500U /* who waits for more leaves at least so much, or a quarter, of its time to answer */
#define KW_PROTECT_WAIT_MS    1000U /* a station waits so long for another region to have its keys */
#define KW_COPY_HOLDERS_MAX   64U   /* other members whose copies of our lane count */
#define KW_PLACE_NAME_SIZE    33U   /* a region's or cell's name with its NUL */
#define KW_PEERS_MAX          32U   /* cells that one cell is linked with */
#define KW_LANES_MAX          1024U /* of all stores of one mesh, known to one replicator */
#define KW_LINK_BATCHES_MAX   8U    /* of one lane on their way to one peer */
#define KW_LINK_RESEND_MS     2000U /* a batch not acknowledged so long is sent again */
#define KW_LINK_SILENT_MS     1000U /* a link on which nothing comes is cut */
#define KW_HEARTBEAT_MS       200U  /* how often an owner signs how far its lane is */
#define KW_LINK_TICK_MS       100U  /* how often a replicator looks at its links */
#define KW_LINK_NEEDS_PER_S   20U   /* how often a peer may ask again; then the link is cut */
#define KW_LINK_REFUSED_PER_S 1000U /* of its records that change nothing; then the link is cut */
#define KW_LINK_APPLIES_MAX   1024U /* of one peer, at our owners; then the link is cut */
#define KW_LINK_CREDIT_BYTES                                                                       \
    (2U * 1024U * 1024U)      /* what KW_HOP_CREDIT_BYTES is for other calls: 7 MB/s at 300 ms */
#define KW_LINK_READS_MAX 16U /* batches of one peer that are being read */
#define KW_LINK_QUEUE_LEN_SOFT                                                                     \
    (4U * 1024U * 1024U) /* waiting for one link: no more batches are read for it */
#define KW_LINK_QUEUE_LEN_MAX (32U * 1024U * 1024U) /* the same: it is cut */
#define KW_LINK_HELD_LEN_MAX                                                                       \
    (8U * 1024U * 1024U)         /* of one peer, at our owners: it may send no more for now */
#define KW_LINK_RETRY_MS  200U   /* before a link that ended is made again */
#define KW_OWNER_RETRY_MS 200U   /* before an owner that ended its standing call is asked again */
#define KW_OWNER_CALL_MS  10000U /* for an owner to answer */
#define KW_OWNER_ACKS_MAX 1024U  /* acknowledgements of peers that one owner has not noted yet */
#define KW_OWNER_ACKS_RUNNING                                                                      \
    64U /* of them, told and not yet answered; newer ones of the same lane wait for it */
#define KW_OWNER_APPLIES_LEN                                                                       \
    (2U * 1024U * 1024U) /* of records that one owner is judging; more wait here */
#define KW_REACH_MS 250U /* how often a cell tells its peers what it holds */
/* A backup waits so long, times its turn. Above what it takes an ocean's width away to hear that the peer
 * has it: there and back, 200 ms each, and KW_REACH_MS. */
#define KW_RELAY_WAIT_MS    700U
#define KW_RELAY_KEEP_MS    5000U /* having stepped in it carries so long */
#define KW_RELAY_PROMISE_MS 1500U /* a lane's promise this old is behind, without changes */

/* --- authorisation --- */
#define KW_DECISION_LIFE_MS     5000U /* an answer that was decided longer ago is decided again */
#define KW_GRANT_TRIES_MAX      4U    /* batch and product grants tried for one device */
#define KW_GRANT_CANDIDATES_MAX 16U   /* grants looked at for one device */
#define KW_GRANT_REGIONS_MAX    16U   /* regions of one grant, or one partner */
#define KW_GRANT_LIFE_MS_MAX    (5ULL * 366 * 24 * 3600 * 1000)
#define KW_GRANT_WINDOW_S_MAX   (366ULL * 24 * 3600)
#define KW_STATION_PRODUCTS_MAX 64U
#define KW_JUSTIFICATION_MAX    500U  /* characters */
#define KW_QUOTA_BUCKETS        4096U /* of the table of quotas in use; a power of two */
#define KW_CALLERS_CACHED       256U  /* parsed certificates kept */
#define KW_DENIALS_PER_CALLER_S 10U   /* written singly; what comes above is counted */
#define KW_DENIAL_CALLERS       256U  /* callers whose denials are counted apart */
#define KW_DENIALS_WAITING_MAX  4096U /* not yet written; above, the oldest caller's are counted */
#define KW_DIARY_DELAY_MS       50U /* denials, witness and quotas are written together after this */
#define KW_DIARY_QUOTAS_MAX     256U   /* quotas in one write */
#define KW_CHUNK_FACTS_LEN_MAX  50000U /* disabling facts in the capsule of several items */
#define KW_CHUNKS_RUNNING_MAX   16U    /* chunks of one stream in progress; more wait */
#define KW_CREDENTIALS_CHECK_MS                                                                    \
    30000U /* a service looks for renewed credentials, and whether it is time to renew */
#define KW_RENEWAL_FIRST_MS 1000U /* … the first time after its start */

/* --- edge --- (options of the public listener, services/gateway/edge; times in milliseconds) */
#define KW_EDGE_STREAMS_MAX                 100U  /* concurrent calls on one connection */
#define KW_EDGE_CALLS_MAX                   4096U /* concurrent calls on all connections */
#define KW_EDGE_CONNECTIONS_MAX             4096U
#define KW_EDGE_CONNECTIONS_PER_ADDRESS_MAX 256U /* one IPv4 address or IPv6 /64 */
#define KW_EDGE_FILES_KEPT                  16U  /* file descriptors that no connection gets */
#define KW_EDGE_FILES_OTHER                 256U /* that the process needs beside connections */
#define KW_EDGE_HANDSHAKES_MAX              256U /* in progress at one time */
#define KW_EDGE_HEADER_LIST_LEN_MAX                                                                \
    (16U * 1024U) /* names, values and 32 each; at 4 times this the connection ends */
#define KW_EDGE_BUFFERED_PER_CONNECTION_MAX                                                        \
    (8U * 1024U * 1024U) /* bytes of messages not yet whole */
#define KW_EDGE_BUFFERED_MAX   (64U * 1024U * 1024U)
#define KW_EDGE_SEND_QUEUE_MAX (512U * 1024U) /* of one call, before kw_edge_send says no */
#define KW_EDGE_UNSENT_MAX                                                                         \
    (256U * 1024U) /* of one connection, before a call gets no more than one message in */
#define KW_EDGE_UNSENT_HOLD                                                                        \
    (640U * 1024U) /* of one connection, before its next calls wait; more than one call's share */
#define KW_EDGE_READ_LEN          16384U /* read per connection and turn, and the size of a TLS record */
#define KW_EDGE_WRITE_LEN_MAX     (256U * 1024U)  /* written per connection and turn */
#define KW_EDGE_CONNECTION_WINDOW (1024U * 1024U) /* HTTP/2 window of a connection */
#define KW_EDGE_WASTE_LEN_MAX                                                                      \
    (64U * 1024U)                 /* received bytes that moved nothing, before the cut             \
                                   */
#define KW_EDGE_WASTE_REFUND 512U /* earned by a frame that moved something */
#define KW_EDGE_WASTE_PENALTY                                                                      \
    4096 /* for a stream we had to reset because the peer broke the protocol */
#define KW_EDGE_WASTE_REFILL_PER_S                                                                 \
    1024U /* what keepalive and window updates of a quiet peer may cost */
#define KW_EDGE_RESET_BURST       200U /* RST_STREAM frames taken at once */
#define KW_EDGE_RESET_PER_S       50U
#define KW_EDGE_CONTINUATIONS_MAX 8U /* CONTINUATION frames of one header block */
#define KW_EDGE_OUTBOUND_ACKS_MAX                                                                  \
    200U /* PING and SETTINGS acknowledgements waiting to be written */
#define KW_EDGE_SETTINGS_ENTRIES_MAX 32U
#define KW_TLS_KEY_UPDATES_MAX       32U /* and the like, in the life of a connection */
#define KW_EDGE_CERTIFICATE_DEPTH_MAX                                                              \
    4 /* issuing CAs between a client's certificate and the bundle */
#define KW_EDGE_HANDSHAKE_MS      10000U  /* from accept to the client's SETTINGS */
#define KW_EDGE_HANDSHAKE_KEPT_MS 1000U   /* so long it keeps its place when others need one */
#define KW_EDGE_IDLE_MS           300000U /* without a call */
#define KW_EDGE_HEADER_MS         10000U  /* from the first to the last byte of a header block */
#define KW_EDGE_MESSAGE_MS        20000U  /* from the first to the last byte of a message */
#define KW_EDGE_STALL_MS          30000U  /* the peer takes nothing of what is ready for it */
#define KW_EDGE_AGE_MS                                                                             \
    1200000U /* of a connection; spreads load and has certificates checked again */
#define KW_EDGE_AGE_JITTER_PERCENT 10U
#define KW_EDGE_AGE_GRACE_MS       300000U /* from GOAWAY to the cut */
#define KW_EDGE_GOAWAY_MS          1000U   /* longest wait for the PING between the two GOAWAYs */
#define KW_EDGE_PAUSE_MS           25U     /* nothing is read where calls are too many */
#define KW_EDGE_CLOSE_MS           2000U   /* to write the last bytes of a refused connection */
#define KW_EDGE_ACCEPT_RETRY_MS                                                                    \
    100U /* after a connection could not be taken for want of memory                               \
          */
#define KW_EDGE_RELOAD_MS          5000U /* between looks at the credentials directory */
#define KW_EDGE_REQUEST_ID_LEN_MAX 64U   /* x-request-id as sent by the client */
#define KW_EDGE_SIGNATURE_LEN_MAX  1024U /* keyward-signature-bin, decoded */

/* --- gateway --- (between the edge and the hop) */
#define KW_GATEWAY_CALLERS_MAX  4096U /* callers whose windows are remembered */
#define KW_GATEWAY_CALLERS_WAYS 8U    /* of them, those that share one slot of the table */
#define KW_GATEWAY_OFFICERS_SHARE                                                                  \
    8U /* one part in so many of the calls in flight is kept for operators and auditors */
#define KW_GATEWAY_PACE_MS    1000U /* without an answer nothing is known of how long calls wait */
#define KW_GATEWAY_PACE_QUEUE 8U    /* calls in flight that are no queue yet */
#define KW_GATEWAY_PENDING_LEN_MAX                                                                 \
    (1024U * 1024U)                                /* messages of one call that wait for the hop   \
                                                    */
#define KW_GATEWAY_QUESTIONS_LEN_MAX (64U * 1024U) /* reflection questions that wait for room */
#define KW_GATEWAY_RETRY_MS          200U          /* RetryInfo where nobody knows better */
#define KW_GATEWAY_DETAILS_MAX       (16U * 1024U) /* memory to make one google.rpc.Status */
#define KW_GATEWAY_STATUS_FRESH_MS   30000U        /* health believes a GetStatus answer so long */
#define KW_STATUS_MARGIN             4U /* GetStatus keeps 1/4 of its time to say who was silent */

/* --- request cache (Redis) --- */
#define KW_REQUEST_CACHE_TTL_S           86400U /* as long as request ids are promised to be known */
#define KW_REQUEST_CACHE_OUTCOME_LEN_MAX (64U * 1024U) /* longer outcomes are not kept */
#define KW_REQUEST_CACHE_BUFFER_MAX                                                                \
    (128U * 1024U) /* read from Redis and not a whole answer yet; then the connection is cut */
#define KW_REQUEST_CACHE_PENDING_MAX      1024U /* commands without reply; then it counts as down */
#define KW_REQUEST_CACHE_COMMAND_MS       5U    /* then the call goes on without it */
#define KW_REQUEST_CACHE_STALL_MS         1000U /* no reply, or no connection: it is made anew */
#define KW_REQUEST_CACHE_RECONNECT_MIN_MS 100U
#define KW_REQUEST_CACHE_RECONNECT_MAX_MS 5000U

/* --- certificates and key files --- */
#define KW_CERTIFICATE_LEN_MAX      (16U * 1024U)  /* one certificate, DER */
#define KW_CSR_LEN_MAX              (8U * 1024U)   /* one certificate request, DER */
#define KW_CMS_LEN_MAX              (16U * 1024U)  /* one CMS envelope, DER */
#define KW_TRUST_CERTIFICATES_MAX   64             /* CAs in one bundle */
#define KW_CHAIN_DEPTH_MAX          4              /* CAs between a leaf and its anchor */
#define KW_LEAF_HOSTS_MAX           16             /* host names and addresses in one certificate */
#define KW_KEY_FILE_LEN_MAX         8192U          /* one private key, PEM */
#define KW_CREDENTIALS_FILE_LEN_MAX (256U * 1024U) /* one file of a credentials directory */

/* --- orchestrator --- */
#define KW_LOT_LEN_MAX           64 /* characters of a lot number */
#define KW_DEVICE_SERIAL_LEN_MAX 64 /* characters of a serial number */
#define KW_PAGE_BYTES_MAX                                                                          \
    (240U * 1024U) /* items of one page, so that it stays below KW_BODY_LEN_MAX */
#define KW_PAGE_LIFETIME_MS   86400000U             /* a page token is good for a day */
#define KW_RECEIPT_WINDOW_LEN KW_LEDGER_UNACKED_MAX /* of one chain, here and not yet durable */
#define KW_CORE_GAP_MS        2000U /* how long a missing receipt may keep later ones waiting */
#define KW_CORE_RETRY_MS      500U  /* before the standing call to the core is opened again */
#define KW_ORCH_LIFE_MIN_MS   5000U /* before it ends because its receipt chain broke */
#define KW_CORE_BOOTS_MAX     4     /* lives of the core whose receipts may still be on their way */

#endif

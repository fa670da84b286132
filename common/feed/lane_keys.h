/* Keys that lanes are signed with, as they were read: reading one costs twice what verifying a signature
 * does, and all batches and heartbeats of a mesh are signed by a few. Internal to common/feed. */
#ifndef KW_COMMON_FEED_LANE_KEYS_H
#define KW_COMMON_FEED_LANE_KEYS_H

#include "common/crypto/key.h"

#define KW_LANE_KEYS_MAX 64 /* kept; the one that was not asked for the longest makes room */

/* A P-256 key from its SubjectPublicKeyInfo; the caller releases it. To be asked of known signers only: the keys of strangers
 * would crowd theirs out. Any thread. Fails: SIGNATURE_INVALID (it is none, or on another curve), CRYPTO, MEMORY. */
struct kw_result kw_lane_key(struct kw_bytes spki, struct kw_public_key *ret_key,
                             struct kw_error *err);

#endif

/* What the records of lanes share: the lane's name, numbers, and being signed. Internal to
 * common/feed. */
#ifndef KW_COMMON_FEED_LANE_CODEC_H
#define KW_COMMON_FEED_LANE_CODEC_H

#include "common/base/codec.h"
#include "common/crypto/sign.h"
#include "common/feed/lane.h"

/* The four letters that name a record's type and version; false when they are others. */
bool kw_get_magic(struct kw_reader *r, const char *magic);

void kw_put_lane(struct kw_writer *w, const struct kw_lane *lane);
void kw_get_lane(struct kw_reader *r, struct kw_lane *ret_lane);

/* Numbers are such that a database can hold them, whose integers have a sign. Reading fails above. */
bool kw_number_fits(uint64_t number);
uint64_t kw_get_number(struct kw_reader *r);

void kw_put_point(struct kw_writer *w, const struct kw_lane_point *point);
void kw_get_point(struct kw_reader *r, struct kw_lane_point *ret_point);

/* A change's record: u32 length ‖ bytes. Reading fails where there is none, or too long a one. */
void kw_put_change_record(struct kw_writer *w, struct kw_bytes record);
struct kw_bytes kw_get_change_record(struct kw_reader *r);
bool kw_change_record_fits(struct kw_bytes record);

/* Appends `content` ‖ the key's SubjectPublicKeyInfo var ‖ its signature var, over `label` ‖ all
 * before. Fails: ARGUMENT_INVALID (not on P-256), CRYPTO, MEMORY. */
struct kw_result kw_lane_sign(const char *label, struct kw_bytes content,
                              const struct kw_private_key *key, struct kw_buf *out,
                              struct kw_error *err);

/* The key and the signature at the end of a record; fails where either is empty or too long. */
void kw_get_signed(struct kw_reader *r, struct kw_bytes *ret_key, struct kw_bytes *ret_signature);

/* Is `signature` the key's over `label` ‖ `content` ‖ key var? Fails: SIGNATURE_INVALID (also a key
 * that is none, or not on P-256), CRYPTO, MEMORY. */
struct kw_result kw_lane_verify(const char *label, struct kw_bytes content, struct kw_bytes key,
                                struct kw_bytes signature, struct kw_error *err);

#endif

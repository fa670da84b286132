/* Settings that every owner of a feed has: rows of its table, for a config with members of these names
 * (char *mesh, uint32_t writer, char *lane_key_file, char *feed_listen, uint32_t feed_keep_max). */
#ifndef KW_COMMON_FEED_SERVICE_FEED_SETTINGS_H
#define KW_COMMON_FEED_SERVICE_FEED_SETTINGS_H

#include "common/base/id.h"
#include "common/base/limits.h"
#include "common/base/settings.h"

#include <stddef.h>

#define KW_FEED_SETTING(config, field) .name = #field, .offset = offsetof(config, field)
/* clang-format off */
#define KW_FEED_SETTINGS(config)                                                                   \
    {KW_FEED_SETTING(config, mesh), .type = KW_SETTING_STRING, .required = true,                   \
     .min = 2 * KW_ID_LEN, .max = 2 * KW_ID_LEN,                                                   \
     .doc = "Id of the mesh, 32 hex digits: the same in all its cells. It can't be changed."},     \
    {KW_FEED_SETTING(config, writer), .type = KW_SETTING_U32, .fallback = "0", .min = 0,           \
     .max = KW_FEED_WRITERS_MAX - 1,                                                               \
     .doc = "Which of the instances on one database this is: each has a number of its own."},      \
    {KW_FEED_SETTING(config, lane_key_file), .type = KW_SETTING_SECRET_FILE,                       \
     .doc = "File with the key, P-256, that signs what other cells are told: mode 0600, made at "  \
            "the first start, and kept as long as the database. A cell that replicates has it "    \
            "from its first start on."},                                                           \
    {KW_FEED_SETTING(config, feed_listen), .type = KW_SETTING_ADDRESS,                             \
     .doc = "Where this cell's replicator connects; port 0 as above. Needs lane_key_file. Not "    \
            "given: nothing is replicated."},                                                      \
    {KW_FEED_SETTING(config, feed_keep_max), .type = KW_SETTING_U32, .fallback = "1000000",        \
     .min = KW_FEED_KEEP_MIN, .max = UINT32_MAX,                                                   \
     .doc = "Changes of one lane that are kept, at most, for cells that have not acknowledged them; "  \
            "a million are about 1 GB. A cell that is further behind needs a snapshot."}
/* clang-format on */

#endif

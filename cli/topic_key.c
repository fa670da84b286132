/* device … and key …: pens and the facts of their keys. */
#include "cli/cli.h"

static const char *const device_columns[] = {"name", "state", "serial_number", "batch", NULL};
static const char *const key_columns[] = {"name",        "version",   "phase", "suspended",
                                          "compromised", "destroyed", NULL};

#define NAME_FLAG                                                                                  \
    {                                                                                              \
        "NAME", NULL, "name", true, "devices/dev_…/keys/key_…."                                \
    }

#define CHANGE_FLAGS                                                                               \
    NAME_FLAG, {"--justification", "TEXT", "justification", true, "Why, for the audit."},          \
    {                                                                                              \
        "--etag", "ETAG", "etag", false, "Only if it has not changed since."                       \
    }

/* What takes something away. */
#define STOP_FLAGS CHANGE_FLAGS, KW_CLI_WAIT_FLAG

#define PAGE_FLAGS                                                                                 \
    {"--page-size", "N", "page_size", false, "At most so many."},                                  \
    {                                                                                              \
        "--page-token", "TOKEN", "page_token", false, "Where the last page ended."                 \
    }

const struct kw_command kw_key_commands[] = {
    {"device",
     "get",
     "Shows a pen.",
     {{"NAME", NULL, "name", true, "devices/dev_…."}},
     .run = kw_cli_run_call,
     .call = {KW_METHOD_GET_DEVICE, "device", NULL}},
    {"device",
     "list",
     "Lists pens.",
     {{"--batch", "NAME", "batch", false, "Only of this batch."},
      {"--product", "NAME", "product", false, "Only of this product."},
      {"--state", "STATE", "state", false, "provisioned, confirmed or released."},
      {"--serial-number", "TEXT", "serial_number", false, "Only the pen with exactly this one."},
      PAGE_FLAGS},
     .run = kw_cli_run_call,
     .call = {KW_METHOD_LIST_DEVICES, "devices", device_columns}},
    {"device",
     "confirm",
     "Brings a pen's proof that it took its key.",
     {{"NAME", NULL, "device", true, "devices/dev_…."},
      {"--challenge", "HEX", "challenge", true, "What the pen was sent, 16 bytes."},
      {"--tag", "HEX", "tag", true, "What it answered, 16 bytes."},
      {"--serial-number", "TEXT", "serial_number", true, "What is printed on it."}},
     .run = kw_cli_run_call,
     .call = {KW_METHOD_CONFIRM_DEVICE, "device", NULL}},
    {"key",
     "get",
     "Shows a key version with its facts; never its value.",
     {NAME_FLAG},
     .run = kw_cli_run_call,
     .call = {KW_METHOD_GET_KEY, "key", NULL}},
    {"key",
     "list",
     "Lists the key versions of a pen; of all with devices/-.",
     {{"DEVICE", NULL, "parent", true, "devices/dev_… or devices/-."}, PAGE_FLAGS},
     .run = kw_cli_run_call,
     .call = {KW_METHOD_LIST_KEYS, "keys", key_columns}},
    {"key",
     "activate",
     "Lets a key be used.",
     {CHANGE_FLAGS},
     .run = kw_cli_run_call,
     .call = {KW_METHOD_ACTIVATE_KEY, "key", NULL}},
    {"key",
     "suspend",
     "Suspends a key. Prints the suspension's id, which lift takes.",
     {STOP_FLAGS},
     .run = kw_cli_run_call,
     .call = {KW_METHOD_SUSPEND_KEY, NULL, NULL}},
    {"key",
     "lift",
     "Lifts the suspensions that are named, and no others.",
     {CHANGE_FLAGS, {"--suspension", "ID,…", "suspensions", true, "Ids as suspend printed them."}},
     .run = kw_cli_run_call,
     .call = {KW_METHOD_LIFT_KEY_SUSPENSIONS, "key", NULL}},
    {"key",
     "deactivate",
     "Ends a key's use for new data, for good.",
     {STOP_FLAGS},
     .run = kw_cli_run_call,
     .call = {KW_METHOD_DEACTIVATE_KEY, "key", NULL}},
    {"key",
     "report-compromise",
     "Records that others may know a key, for good.",
     {STOP_FLAGS},
     .run = kw_cli_run_call,
     .call = {KW_METHOD_REPORT_KEY_COMPROMISE, "key", NULL}},
    {"key",
     "destroy",
     "Erases a key, for good. Stop it first.",
     {STOP_FLAGS},
     .run = kw_cli_run_call,
     .call = {KW_METHOD_DESTROY_KEY, "key", NULL}},
    {0},
};

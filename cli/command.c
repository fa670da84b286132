/* Finding commands in the topics' lists. */
#include "cli/command.h"

#include <string.h>

#define WORD_MAX     32 /* longer words are near to nothing */
#define DISTANCE_MAX 3

static const struct kw_command *const topics[] = {
    kw_mesh_commands,  kw_cell_commands,   kw_member_commands, kw_batch_commands,
    kw_grant_commands, kw_access_commands, kw_key_commands,    kw_evidence_commands,
    kw_order_commands, kw_orphan_commands, kw_help_commands,
};

#define TOPIC_COUNT (sizeof(topics) / sizeof(topics[0]))

/* Which list is this row of? */
static size_t topic_of(const struct kw_command *command)
{
    for (size_t i = 0; i < TOPIC_COUNT; i++) {
        for (const struct kw_command *row = topics[i]; row->noun != NULL; row++) {
            if (row == command) {
                return i;
            }
        }
    }
    return TOPIC_COUNT;
}

const struct kw_command *kw_command_next(const struct kw_command *command)
{
    size_t topic;

    if (command == NULL) {
        return topics[0];
    }
    topic = topic_of(command);
    command++;
    if (command->noun != NULL) {
        return command;
    }
    return topic + 1 < TOPIC_COUNT ? topics[topic + 1] : NULL;
}

static bool same_word(const char *a, const char *b)
{
    return (a == NULL || b == NULL) ? a == b : strcmp(a, b) == 0;
}

const struct kw_command *kw_command_find(const char *noun, const char *verb)
{
    const struct kw_command *command = kw_command_next(NULL);

    while (command != NULL &&
           !(strcmp(command->noun, noun) == 0 && same_word(command->verb, verb))) {
        command = kw_command_next(command);
    }
    return command;
}

bool kw_command_is_noun(const char *noun)
{
    const struct kw_command *command = kw_command_next(NULL);

    while (command != NULL && strcmp(command->noun, noun) != 0) {
        command = kw_command_next(command);
    }
    return command != NULL;
}

static size_t smallest(size_t a, size_t b, size_t c)
{
    size_t least = a < b ? a : b;

    return least < c ? least : c;
}

/* Levenshtein's distance, one row at a time. */
static size_t distance(const char *a, const char *b)
{
    size_t row[WORD_MAX + 1];
    size_t b_len = strlen(b);

    if (b_len > WORD_MAX || strlen(a) > WORD_MAX) {
        return WORD_MAX;
    }
    for (size_t j = 0; j <= b_len; j++) {
        row[j] = j;
    }
    for (size_t i = 1; a[i - 1] != '\0'; i++) {
        size_t diagonal = row[0];

        row[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            size_t above = row[j];

            row[j] = smallest(above + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1]));
            diagonal = above;
        }
    }
    return row[b_len];
}

const char *kw_command_nearest(const char *noun, const char *typed)
{
    const char *nearest = NULL;
    size_t least = DISTANCE_MAX + 1;

    for (const struct kw_command *c = kw_command_next(NULL); c != NULL; c = kw_command_next(c)) {
        const char *word = noun == NULL ? c->noun : c->verb;

        if (word == NULL || (noun != NULL && strcmp(c->noun, noun) != 0)) {
            continue;
        }
        if (distance(typed, word) < least && distance(typed, word) < strlen(word)) {
            least = distance(typed, word);
            nearest = word;
        }
    }
    return nearest;
}

/* The rows of faults.def, and faults set by their names. */
#include "tests/support/proxy/faults.h"

#include <string.h>

const struct proxy_fault_row proxy_fault_rows[] = {
#define PROXY_FAULT(name, initial, max, text)                                                      \
    {#name, offsetof(struct proxy_faults, name), initial, max, text},
#include "tests/support/proxy/faults.def"
#undef PROXY_FAULT
};

const size_t proxy_fault_row_count = sizeof(proxy_fault_rows) / sizeof(proxy_fault_rows[0]);

static uint64_t *field(struct proxy_faults *faults, const struct proxy_fault_row *row)
{
    return (uint64_t *)(void *)((uint8_t *)faults + row->at);
}

void proxy_faults_init(struct proxy_faults *faults)
{
    for (size_t i = 0; i < proxy_fault_row_count; i++) {
        *field(faults, &proxy_fault_rows[i]) = proxy_fault_rows[i].initial;
    }
}

bool proxy_faults_set(struct proxy_faults *faults, const char *name, uint64_t value)
{
    for (size_t i = 0; i < proxy_fault_row_count; i++) {
        const struct proxy_fault_row *row = &proxy_fault_rows[i];

        if (strcmp(row->name, name) == 0) {
            if (value > row->max) {
                return false;
            }
            *field(faults, row) = value;
            return true;
        }
    }
    return false;
}

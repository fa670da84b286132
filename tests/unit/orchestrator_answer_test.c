/* What the common path of calls relies on: the rows of its table, and the room of an answer. */
#include "common/rpc/messages.h"
#include "services/orchestrator/handlers.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <keyward/v1/status_service.pb-c.h>

/* A call's request and response are of its method's messages, which only methods of the public API have. */
Test(orchestrator_answer, every_method_that_comes_here_has_messages)
{
    unsigned found = 0;

    for (uint32_t number = 0; number <= UINT16_MAX; number++) {
        if (kw_handler_find(number) == NULL) {
            continue;
        }
        cr_assert_not_null(kw_method_by_id(number), "%u", number);
        cr_assert_not_null(kw_method_messages(kw_method_by_id(number)), "%u", number);
        found++;
    }
    cr_assert(lt(u32, 20, found));
}

Test(orchestrator_answer, an_answer_has_no_more_messages_than_there_is_room)
{
    static struct kw_call call;
    struct kw_error error = {0};
    const Keyward__V1__GetStatusResponse message = KEYWARD__V1__GET_STATUS_RESPONSE__INIT;

    call.arena = kw_arena_new(KW_CALL_MESSAGES_MAX * 256);
    kw_view_init(&call.view, call.arena);
    for (size_t i = 0; i < KW_CALL_MESSAGES_MAX; i++) {
        cr_assert(kw_ok(kw_call_answer(&call, &message.base, &error)), "%s", error.message);
    }
    cr_assert(eq(int, kw_call_answer(&call, &message.base, &error).reason, KW_E_INTERNAL));
    cr_assert(eq(sz, call.message_count, KW_CALL_MESSAGES_MAX));
    kw_arena_free(call.arena);
}

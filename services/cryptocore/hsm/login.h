/* Logging in to the token: one worker at a time, and never a second attempt with a PIN that was
 * refused. */
#ifndef KW_SERVICES_CRYPTOCORE_HSM_LOGIN_H
#define KW_SERVICES_CRYPTOCORE_HSM_LOGIN_H

#include "services/cryptocore/hsm/session.h"

/* Logs this application in as the token's user, through an open session. Blocks while another
 * process of this machine logs in. Every attempt is on record in the lock file before it is made;
 * none is made when that cannot be written, none with a PIN file that was refused, and none with one
 * whose last two attempts ended unseen (the process died in them) or unclearly. Another PIN file
 * begins anew. So a supervisor that restarts us does not lock the token. A failure leaves a `fault`
 * with which a worker ends. Fails: HSM_LOGIN_REFUSED, CONFIG_INVALID (PIN or lock file), SYSTEM (the
 * record), HSM_*. */
struct kw_result kw_hsm_login(struct kw_hsm_session *session, struct kw_error *err);

#endif

/* Logging in to the token: one worker at a time, and never a second attempt with a PIN that was
 * refused. */
#ifndef KW_SERVICES_CRYPTOCORE_HSM_LOGIN_H
#define KW_SERVICES_CRYPTOCORE_HSM_LOGIN_H

#include "services/cryptocore/hsm/session.h"

/* Logs this application in as the token's user, through an open session. Blocks while another
 * process of this machine logs in. A refusal is remembered in the lock file until the PIN file is
 * another one, so that a supervisor that restarts us does not lock the token. Fails:
 * HSM_LOGIN_REFUSED, CONFIG_INVALID (PIN or lock file), HSM_*. */
struct kw_result kw_hsm_login(struct kw_hsm_session *session, struct kw_error *err);

#endif

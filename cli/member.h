/* How partners and stations join: the operator's invitation, and the member's enrolment with it. */
#ifndef KW_CLI_MEMBER_H
#define KW_CLI_MEMBER_H

#include "cli/connection.h"
#include "keyward/v1/enrollment_service.pb-c.h"

/* Which kind of member, in words and methods. */
struct kw_member_kind {
    const char *noun; /* "partner" */
    enum kw_method_id invite;
};

extern const struct kw_member_kind kw_member_partner;
extern const struct kw_member_kind kw_member_station;

struct kw_invite_plan {
    const struct kw_member_kind *kind;
    const char *parent;      /* "partners/prt_…" */
    const char *dir;         /* where the invitation is written */
    const char *expire_time; /* as times.h reads it; NULL: the server's default */
};

/* Makes the one-time key and its certificate, and writes the invitation's directory
 * (member_files.h). `from` is where the invited one shall call. Fails: as kw_connection_call,
 * kw_member_… */
struct kw_result kw_member_invite(struct kw_connection *operator_,
                                  const struct kw_client_options *from,
                                  const struct kw_invite_plan *plan, struct kw_arena *arena,
                                  struct kw_error *err);

/* What a member got. Texts live in the arena. */
struct kw_joined {
    const char *name; /* "stations/sta_…" */
    uint32_t transport_key_version;
    Keyward__V1__MemberState state;
};

/* Enrolls with an invitation's connection and options, writes the member's directory, opens the
 * transport key and confirms it. May be repeated after a failure. Fails: as kw_connection_call,
 * kw_member_…; BINDING_INVALID (the transport key does not open). */
struct kw_result kw_member_join(struct kw_connection *invitation,
                                const struct kw_client_options *options, const char *dir,
                                struct kw_arena *arena, struct kw_joined *ret_joined,
                                struct kw_error *err);

/* The options of the member whose directory this is: `from`'s gateway, its own certificate. Texts
 * live in the arena. Fails: MEMORY. */
struct kw_result kw_member_options(const char *dir, const struct kw_client_options *from,
                                   struct kw_arena *arena, struct kw_client_options *ret_options,
                                   struct kw_error *err);

#endif

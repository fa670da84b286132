/* Why a handshake failed, in words an operator and a partner can act on. */
#ifndef KW_SERVICES_GATEWAY_EDGE_HANDSHAKE_H
#define KW_SERVICES_GATEWAY_EDGE_HANDSHAKE_H

#include <openssl/ssl.h>

#define KW_EDGE_REFUSED_SIZE   256
#define KW_EDGE_SERIAL_LEN_MAX 20 /* RFC 5280 4.1.2.2 */

struct kw_edge_connection;

/* OpenSSL's verify callback: lets OpenSSL decide, and keeps who was refused for the log line. */
int kw_edge_handshake_verify(int ok, X509_STORE_CTX *store);

/* The class of the failure OpenSSL has just reported, e.g. "no_certificate". Constant text. */
const char *kw_edge_handshake_class(const struct kw_edge_connection *conn);

/* Counts and logs, once per connection. `what` is a class. */
void kw_edge_handshake_failed(struct kw_edge_connection *conn, const char *what);

#endif

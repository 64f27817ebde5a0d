/* What an rpc_conn reads from and writes to: a socket, TLS on one, or the end of a pipe. Private to
 * rpc_conn.c.
 */
#ifndef NET_CONN_IO_H
#define NET_CONN_IO_H

#include "net/rpc_conn.h"

enum io { IO_OK, IO_WAIT, IO_OVER };

/* Into the loop's buffer. ret_why is written with IO_OVER. */
enum io conn_read(struct rpc_conn *conn, size_t *ret_len, const char **ret_why);
enum io conn_write(struct rpc_conn *conn, const uint8_t *data, size_t len, size_t *ret_len);
/* False: out of memory. Reading goes on until stopped, writing is told once. */
bool conn_watch_read(struct rpc_conn *conn, bool on);
bool conn_watch_write(struct rpc_conn *conn, bool on);
/* There is more to read than the descriptor will announce: look again in a later turn. */
void conn_read_again(struct rpc_conn *conn);
/* Stops watching and closes. */
void conn_io_close(struct rpc_conn *conn);

#endif

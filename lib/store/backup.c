/* Copies while the store works, and putting one back. */
#include "store/inside.h"

struct err store_backup(struct store *s, const char *to)
{
    if (s->path == NULL)
        return ERR(WRONG_STATE);
    struct driver_conn *conn;
    TRY(s->driver->connect(s->db, DRIVER_READER, &conn));
    struct err err = s->driver->backup(conn, to);
    s->driver->disconnect(conn, false);
    return err;
}

struct err store_restore(const char *backup, const char *path)
{
    return store_driver_sqlite.restore(backup, path);
}

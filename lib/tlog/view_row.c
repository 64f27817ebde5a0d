/* A view as bytes, for whoever keeps it over a restart.
 *
 *     struct { opaque config<V>; uint64 size; opaque root[32]; uint64 last_ms;
 *              struct { uint64 index; LogEntry entry; optional<HashValue> log_root; } dists<V>;
 *              opaque note<V>; }
 */
#include "tlog/view.h"
#include "wire/reader.h"
#include "wire/writer.h"

void kt_dist_write(struct buf *b, const struct kt_dist *dist)
{
    wire_write_u64(b, dist->index);
    log_entry_write(b, &dist->entry);
    wire_write_present(b, dist->has_log_root);
    if (dist->has_log_root)
        wire_write_fixed(b, hash_value_view(&dist->log_root));
}

void kt_view_write(struct buf *b, const struct kt_view *view)
{
    size_t mark = wire_vector_begin(b);
    kt_config_write(b, &view->config);
    wire_vector_end(b, mark);
    wire_write_u64(b, view->size);
    wire_write_fixed(b, hash_value_view(&view->root));
    wire_write_u64(b, view->last_ms);
    mark = wire_vector_begin(b);
    for (size_t i = 0; i < view->dist_count; i++)
        kt_dist_write(b, &view->dists[i]);
    wire_vector_end(b, mark);
    wire_write_vector(b, bytes_of(view->note, view->note_len));
}

void kt_dist_read(struct wire_reader *r, struct kt_dist *dist)
{
    dist->index = wire_read_u64(r);
    log_entry_read(r, &dist->entry);
    dist->has_log_root = wire_read_present(r);
    if (dist->has_log_root)
        hash_value_read(r, &dist->log_root);
}

struct err kt_view_read(struct bytes in, struct kt_view *ret_view)
{
    struct wire_reader r = wire_reader_of(in);
    struct kt_view view;
    TRY(kt_view_init(wire_read_vector(&r), &view));
    view.size = wire_read_u64(&r);
    hash_value_read(&r, &view.root);
    view.last_ms = wire_read_u64(&r);
    struct wire_reader dists = wire_reader_of(wire_read_vector(&r));
    for (; wire_reader_more(&dists) && view.dist_count < KT_DISTS; view.dist_count++)
        kt_dist_read(&dists, &view.dists[view.dist_count]);
    TRY(wire_reader_end(&dists));
    struct bytes note = wire_read_vector(&r);
    TRY(wire_reader_end(&r));
    if (note.len > sizeof view.note || view.size == 0)
        return ERR(WIRE_LIMIT);
    view.note_len = note.len;
    if (note.len > 0)
        memcpy(view.note, note.data, note.len);
    *ret_view = view;
    return ERR_OK;
}

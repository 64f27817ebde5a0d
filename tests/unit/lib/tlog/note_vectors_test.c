/* c2sp_signed_notes.json: published notes of several programs, and a dialogue with a witness. */
#include <stdio.h>

#include "support/test.h"
#include "support/vectors.h"
#include "tlog/witness.h"

static struct vectors file;

static void check_note(const json_t *c, size_t *verified, size_t *cosigned)
{
    struct note note;
    struct note_key key;
    size_t index;
    json_t *vkey;
    json_array_foreach(vectors_get(c, "vkeys"), index, vkey)
        assert_ok(note_key_parse(bytes_str(json_string_value(vkey)), &key));
    if (!vectors_has(c, "note"))
        return;
    struct bytes text = bytes_str(vectors_text(c, "note"));
    assert_ok(note_parse(text, &note));
    json_array_foreach(vectors_get(c, "vkeys"), index, vkey)
    {
        uint64_t time_s;
        struct buf b = BUF_INIT;
        assert_ok(note_key_parse(bytes_str(json_string_value(vkey)), &key));
        note_key_write(&b, &key);
        test_assert_bytes(buf_view(&b), bytes_str(json_string_value(vkey)));
        buf_clear(&b);
        if (key.type == NOTE_ED25519)
            assert_ok(note_verify(&note, &key));
        else
            assert_ok(note_verify_cosignature(&note, &key, &time_s));
        *verified += key.type == NOTE_ED25519;
        *cosigned += key.type == NOTE_COSIGNATURE;
        key.public_key[3] ^= 1;
        assert_false(err_is_ok(key.type == NOTE_ED25519
                                   ? note_verify(&note, &key)
                                   : note_verify_cosignature(&note, &key, &time_s)));
    }
    if (strstr(vectors_text(c, "source"), "checkpoint") != NULL) {
        struct checkpoint checkpoint;
        assert_ok(checkpoint_parse(note.text, &checkpoint));
    }
}

static void test_notes(void **state)
{
    (void)state;
    size_t index, verified = 0, cosigned = 0;
    json_t *c;
    json_array_foreach(vectors_get(file.root, "notes"), index, c)
        check_note(c, &verified, &cosigned);
    printf("%zu signatures, %zu cosignatures\n", verified, cosigned);
    assert_int_equal(verified, 6);
    assert_int_equal(cosigned, 4);
}

static void test_dialogue(void **state)
{
    (void)state;
    const json_t *dialogue = vectors_get(file.root, "tlog_witness_add_checkpoint");
    struct witness_state witness = {0};
    struct note_key key;
    static struct witness_request request;
    size_t index;
    json_t *c;
    assert_ok(note_key_make(bytes_str(vectors_text(dialogue, "log_origin")), NOTE_ED25519,
                            vectors_hex(&file, dialogue, "log_ed25519_public_key"), &key));
    json_array_foreach(vectors_get(dialogue, "requests_in_order"), index, c)
    {
        assert_ok(witness_request_parse(bytes_str(vectors_text(c, "body")), &request));
        int status = witness_judge(&request, &key, &witness, &witness);
        printf("%s: %d\n", vectors_text(c, "desc"), status);
        assert_int_equal(status, vectors_uint(c, "status"));
    }
    assert_int_equal(witness.size, 3);
}

int main(void)
{
    vectors_open(&file, "c2sp_signed_notes.json");
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_notes),
                                       cmocka_unit_test(test_dialogue)};
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    vectors_close(&file);
    return failed;
}

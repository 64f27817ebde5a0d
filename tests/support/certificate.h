/* A certificate for tests, made when the test runs: self-signed ECDSA P-256, names localhost and
 * 127.0.0.1.
 */
#ifndef TESTS_SUPPORT_CERTIFICATE_H
#define TESTS_SUPPORT_CERTIFICATE_H

struct test_certificate {
    char directory[64];
    char certificate_file[96];
    char key_file[96];
};

/* Fails the test when it can't. common_name becomes the subject and a further DNS name. */
void test_certificate_make(struct test_certificate *c, const char *common_name);
/* Removes the files. */
void test_certificate_remove(struct test_certificate *c);

#endif

/* grpc.testing.TestService as gRPC's doc/interop-test-descriptions.md tells servers to behave.
 */
#ifndef TESTS_INTEROP_SERVICE_H
#define TESTS_INTEROP_SERVICE_H

#include "grpc/testing/test_rpc.h"

/* self is a const char *: the server's id, for requests that ask for it. */
extern const struct grpc_testing_test_service_service interop_service;

#endif
